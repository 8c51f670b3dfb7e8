/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest-host interface of TDX Connect as a VMM and a guest see it: TDG.VP.VMCALL<TDCM> of GHCI
 * 2.0. No public numbers are certain, so the sub-function and operation numbers are ours; they stand
 * here and nowhere else.
 *
 * The shared buffer, little-endian: operation u32, status u32, error u32, data_length u32, data[].
 * The guest writes operation, data_length, data and status WAIT, then makes the call; the VMM writes
 * error, data_length, data and last of all status COMPLETED.
 */
#ifndef SWTIO_UAPI_GHCI_H
#define SWTIO_UAPI_GHCI_H

#define GHCI_VMCALL_TDCM 0x10010ull	/* r12 device id (guest BDF), r13 buffer GPA, r14 size, r15 vector or 0 */
#define GHCI_VMCALL_MAPGPA 0x10001ull	/* r12 GPA with or without the shared bit, r13 length */

enum ghci_tdcm_op {
	TDCM_CHECK_TEEIO, TDCM_BIND, TDCM_UNBIND, TDCM_GET_TDI_REPORT, TDCM_START, TDCM_GET_DEV_INFO
};
enum ghci_tdcm_status { TDCM_WAIT, TDCM_COMPLETED };
#define TDCM_HEADER 16u
#define TDCM_BUFFER_MAX 65536u

#endif
