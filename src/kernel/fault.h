/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fault injection, as Linux has it with CONFIG_FAULT_INJECTION: the n-th allocation of a task fails.
 * Part of a run with mock hardware, like the tests that use it. See kernel/fault.c.
 */
#ifndef SWTIO_KERNEL_FAULT_H
#define SWTIO_KERNEL_FAULT_H

#include "kernel/kernel.h"

#define FAULT_DEBUGFS "/sys/kernel/debug"

/* The files below FAULT_DEBUGFS, by path: as the pci_sysfs_ functions of the same name. */
int fault_list(const char *path, char *text, size_t len);
int fault_read(const char *path, char *text, size_t len);
int fault_write(const char *path, const char *text, size_t len);
/* The file fail-nth of a task: -ENOENT without mock hardware. */
int fault_nth_open(const char *path, int flags, const struct file **file);

#endif
