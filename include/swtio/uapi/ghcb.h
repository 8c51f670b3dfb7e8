/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest-hypervisor communication of SEV-TIO, as a VMM and a guest see it. Exit codes are those of
 * the patches posted for Linux in 2026; what is ours is marked (?).
 */
#ifndef SWTIO_UAPI_GHCB_H
#define SWTIO_UAPI_GHCB_H

/* Page state change: information 1 GPA with or without the shared bit, 2 length. (?) GHCB 2.x hands
 * over a list of pages instead. */
#define GHCB_EXIT_PSC 0x80000010ull
/* One message to the PSP: information 1 and 2 GPAs of request and response page, both shared; RAX GPA
 * and RBX pages of a shared area for what the host itself knows of the device; RCX segment and bdf;
 * RDX which of it (GHCB_TIO_*). */
#define GHCB_EXIT_TIO_GUEST_REQUEST 0x80000020ull
/* What the guest asks of the VMM: information 1 operation << 32 | guest bdf. */
#define GHCB_EXIT_TIO_OP 0x80000021ull
enum ghcb_tio_op { GHCB_TIO_BIND, GHCB_TIO_UNBIND, GHCB_TIO_RUN, GHCB_TIO_STOP };
#define GHCB_TIO_OPS 4u
#define GHCB_TIO_REQUEST 0x100u		/* (?) a VMM's name of GUEST_REQUEST among them */

/* Bits of RDX, and the area: a table of {u32 what (the bit's number), u32 offset, u32 length, u32 0},
 * ended by what = 0; offsets from the area's start. (?) The posted layout has GUIDs. */
#define GHCB_TIO_CERTIFICATES 2u
#define GHCB_TIO_MEASUREMENTS 4u
#define GHCB_TIO_REPORT 8u
#define GHCB_TIO_ENTRY 16u

/* What an exit is answered with; below 4096 it is an errno. */
#define GHCB_RET_SUCCESS 0ull
#define GHCB_RET_UNSUPPORTED 0x1000ull
#define GHCB_RET_INVALID 0x1001ull

/* Where the VMM puts the guest's secrets page. (?) A real VMM's firmware tells the guest. */
#define GHCB_SECRETS_GPA 0x3000ull

#endif
