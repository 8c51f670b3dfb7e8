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

/*
 * Verbs and their arguments. All numbers; what is not given comes from `device`, or from what
 * earlier verbs found. A driver touches private memory only after it accepted it; verbs do that on
 * the way.
 *
 *   device func= bdf= bar0= bar2= buffer= scratch=  where things are; kept for later verbs
 *   enumerate                             T=0 read of the engine's ID
 *   mmio-read bar= offset= len= t=        leaves "value"; t: 1 the private GPA, 0 the shared one
 *   mmio-write bar= offset= len= t= value=
 *   mem-write gpa= len= seed= shared=     splitmix64 sequence of the seed
 *   mem-check gpa= len= seed= shared=     -EILSEQ when it is another one; leaves "sum"
 *   page-accept gpa= pages= level=
 *   map-gpa gpa= len= shared=             VMCALL<MapGPA>
 *   tdcm op= which=                       one exchange with the VMM, by number
 *   tdcm-check, tdcm-bind, tdcm-unbind, tdcm-report, tdcm-start
 *   tdcm-info which=                      0 certificates, 1 measurements
 *   lock                                  check, bind, report; the state must be LOCKED
 *   report-parse                          leaves "ranges", "pages"; -EPROTO: it makes no sense
 *   attest                                the module's digests against what the host handed out
 *   mmio-accept index= offset= pages= gpa= level=   without index: every TEE range, in its place
 *   dmar-accept
 *   tdi-start session=                    without session: the one the module names
 *   tdi-state                             leaves "state"
 *   driver-bind, driver-unbind            T=1 from now on, or T=0 again
 *   irq-setup vectors=
 *   dma op= src= dst= len= vector= shared=  leaves "done", "sum", "status"; -EIO: it failed
 *   dma-check src= len= seed= shared=     the engine's checksum of src against the sequence's
 *   dma-stream src= dst= len= piece= seed= vector=  piece after piece is written at src, copied to
 *                                         dst by the engine, summed by it and read there
 */
#define GUEST_VERB_ARGS 8u
struct guest_arg { char key[16]; uint64_t value; };
struct guest_verb {			/* one line of a script, in the image */
	char name[24];			/* "tdcm", "mmio-accept", "dma", ... guest/verbs.c */
	unsigned int nargs;
	struct guest_arg args[GUEST_VERB_ARGS];
};

int guest_create(uint32_t vm);				/* 0, -EEXIST, -ENOMEM */
void guest_destroy(uint32_t vm);
bool guest_verb_known(const char *name);	/* on any platform: a flow may be read before its machine is */
/* Appends; 0, -EINVAL unknown verb or argument, -ENOSPC. */
int guest_post(uint32_t vm, const struct guest_verb *verb);
enum guest_progress { GUEST_IDLE, GUEST_RUNNING, GUEST_DONE };
/* How the last posted verb stands; result: 0 or more, -errno, or a TDX status as *status. */
enum guest_progress guest_progress(uint32_t vm, int64_t *result, uint64_t *status, char *text,
				   size_t len);
/* What a verb left: "state", "sum", "session". */
uint64_t guest_value(uint32_t vm, const char *name, bool *found);

#endif
