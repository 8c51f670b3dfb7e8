/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The system calls of simulated tasks, and the entry points the drop-in uses for real ones. All
 * return a result or -errno, never touch errno, and run under image_call().
 */
#ifndef SWTIO_KERNEL_SYSCALL_H
#define SWTIO_KERNEL_SYSCALL_H

#include "kernel/kernel.h"

/* For a simulated task (current_task is set for the duration). */
int sys_open(const struct task *task, const char *path, int flags);	/* /dev/..., /sys/... */
int sys_close(const struct task *task, int fd);
int sys_dup(const struct task *task, int fd);
long sys_ioctl(const struct task *task, int fd, unsigned int cmd, uint64_t arg);
ssize_t sys_read(const struct task *task, int fd, void *to, size_t len);
ssize_t sys_write(const struct task *task, int fd, const void *from, size_t len);
ssize_t sys_pread(const struct task *task, int fd, void *to, size_t len, uint64_t offset);
ssize_t sys_pwrite(const struct task *task, int fd, const void *from, size_t len, uint64_t offset);
int sys_mmap(const struct task *task, uint64_t len, int prot, int flags, int fd, uint64_t offset, uint64_t *address);
int sys_munmap(const struct task *task, uint64_t address, uint64_t len);
int sys_memfd_create(const struct task *task, const char *name, unsigned int flags);
int sys_ftruncate(const struct task *task, int fd, uint64_t size);
int sys_eventfd(const struct task *task, unsigned int initial, int flags);
unsigned int sys_poll(const struct task *task, int fd);
/* What a load or store of the task would do: 0, -EFAULT (SIGSEGV), -ENXIO (SIGBUS). */
int sys_load(const struct task *task, uint64_t address, void *to, uint64_t len);
int sys_store(const struct task *task, uint64_t address, const void *from, uint64_t len);

/* For the drop-in: same calls on an open file, the task being this process's. */
long file_ioctl(const struct task *task, const struct file *file, unsigned int cmd, uint64_t arg);
ssize_t file_pread(const struct task *task, const struct file *file, uint64_t to, size_t len, uint64_t offset);
ssize_t file_pwrite(const struct task *task, const struct file *file, uint64_t from, size_t len, uint64_t offset);
/* By the file's own position, where it has one. */
ssize_t file_read(const struct task *task, const struct file *file, uint64_t to, size_t len);
ssize_t file_write(const struct task *task, const struct file *file, uint64_t from, size_t len);
/* Only asks what is to be mapped; the mapping is the caller's business. 0 or -errno. */
int file_mmap(const struct task *task, const struct file *file, struct mmap_request *request);
/* A whole mapping that file_mmap() was asked for is gone again. */
void file_unmapped(const struct task *task, const struct file *file, uint64_t offset, uint64_t len);
/* A load or store through a mapping that traps (mmap_request.trapped): 0, -ENXIO (SIGBUS). */
int file_access(const struct task *task, const struct file *file, uint64_t offset, void *data,
		uint64_t len, bool write);
int file_open(const struct task *task, const char *path, int flags, const struct file **file);

/* Paths: one table. A room registers patterns statically in kernel/paths.c. */
struct pci_dev;
struct path_entry {
	const char *pattern;		/* '*' matches within one component */
	int (*open)(const char *path, int flags, const struct file **file);	/* -errno */
	uint32_t major, minor;		/* of the node; with a '*' the minor is what stands for it */
	bool (*there)(void);		/* NULL: always */
	uint32_t (*number)(const struct pci_dev *pdev);	/* of a device with vfio-pci, for the '*' */
};

/* The device nodes there are, one call each. */
struct path_node {
	char path[48];
	uint32_t major, minor;
};
void path_nodes(void (*each)(const struct path_node *node, void *arg), void *arg);

#endif
