/* SPDX-License-Identifier: BSD-2-Clause */
/* Carrying out one x86-64 instruction that touched memory which is not there. */
#ifndef SWTIO_SHIM_X86_H
#define SWTIO_SHIM_X86_H

#include <stdbool.h>
#include <stddef.h>
#include <ucontext.h>

/* What the instruction's memory operands mean: 0, or -errno, which ends it. */
typedef int x86_memory(void *arg, uint64_t address, void *data, size_t len, bool write);

/* Runs the instruction at the saved program counter on the saved registers, then steps over it; a
 * repeated one runs to its end. 0; -ENOSYS it is none we know; else what `memory` said, with the
 * registers as far as it came. */
int x86_run(ucontext_t *context, x86_memory *memory, void *arg);

/* Registers of the vector unit as a signal frame has them (x86_vector.c): len is 4..64 bytes; a set
 * clears the rest of the register, up to all of it when `vex`, else up to 16 bytes. */
void x86_vector_get(const ucontext_t *context, unsigned int reg, void *to, size_t len);
void x86_vector_set(ucontext_t *context, unsigned int reg, const void *from, size_t len, bool vex);

#endif
