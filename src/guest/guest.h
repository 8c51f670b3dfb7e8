/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest behind KVM_RUN: a driver and a guest TSM (TDCALLs, the TDCM protocol), run by a script
 * of verbs kept in the image, one script a VM. KVM_RUN executes until the script's next verb ends,
 * needs an exit, or finds nothing to do (HLT). A verb that was interrupted by an exit goes on when
 * the vCPU is run again.
 */
#ifndef SWTIO_GUEST_GUEST_H
#define SWTIO_GUEST_GUEST_H

#include "hardware/cpu.h"
#include "swtio/uapi/ghci.h"
#include "trace/trace.h"

#define GUEST_VERB_ARGS 8u
struct guest_arg { char key[16]; uint64_t value; };
struct guest_verb {			/* one line of a script, in the image */
	char name[24];			/* "tdcm", "mmio-accept", "dma", ... guest/verbs.c */
	unsigned int nargs;
	struct guest_arg args[GUEST_VERB_ARGS];
};

int guest_create(uint32_t vm);				/* 0, -EEXIST, -ENOMEM */
void guest_destroy(uint32_t vm);
bool guest_verb_known(const char *name);
int guest_post(uint32_t vm, const struct guest_verb *verb);	/* appends; 0, -EINVAL unknown verb or argument */
enum guest_progress { GUEST_IDLE, GUEST_RUNNING, GUEST_DONE };
/* How the last posted verb stands; result: 0 or more, -errno, or a TDX status as *status. */
enum guest_progress guest_progress(uint32_t vm, int64_t *result, uint64_t *status, char *text, size_t len);
uint64_t guest_value(uint32_t vm, const char *name, bool *found);	/* what a verb left: "state", "sum", "session" */

#endif
