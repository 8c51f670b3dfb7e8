/* SPDX-License-Identifier: BSD-2-Clause */
/* Copies between the client's memory and ours, guarded against its bad pointers. */
#ifndef SWTIO_SHIM_COPY_H
#define SWTIO_SHIM_COPY_H

#include <stdbool.h>
#include <stddef.h>

int shim_copy(void *to, const void *from, size_t len); /* 0 or -EFAULT */
/* Of a signal handler: was it a copy that faulted? Then it goes on with -EFAULT. */
bool shim_copy_fault(void *context);
/* The handlers of SIGSEGV and SIGBUS; the program's own come after them. */
void shim_faults_install(void);

#endif
