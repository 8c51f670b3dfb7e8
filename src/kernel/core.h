/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the kernel's core share among themselves. */
#ifndef SWTIO_KERNEL_CORE_H
#define SWTIO_KERNEL_CORE_H

#include "hardware/phys.h"
#include "kernel/kernel.h"

int kernel_core_power_on(void);
void task_forget(const struct task *task);		/* all it had is closed */
/* Releases again what a dead task left half released; `dying` counts as dead too, 0: nobody more. */
void files_reap(uint32_t dying);
/* Whether any file's release has begun or was put off; what the current task has put off. */
bool files_releasing(void);
void files_put(void);

/* Of the memory of this process, by the drop-in: 0, -EFAULT; -ENOSYS there is none. */
int user_copy(void *to, const void *from, size_t len);

uint64_t eventfd_take(const struct file *file);		/* its count, which becomes 0 */
void eventfd_signal(const struct file *file, uint64_t count);
int eventfd_create(unsigned int initial, const struct file **file);
int memfd_create_file(const char *name, const struct file **file);
const void *memfd_memory(const struct file *file, uint64_t offset, uint64_t len);
int sysfs_open(const char *path, int flags, const struct file **file);
int path_open(const char *path, int flags, const struct file **file);

/* The mapping of a task that covers [address, +len), or NULL. */
const struct vma *task_vma(const struct task *task, uint64_t address, uint64_t len);

#endif
