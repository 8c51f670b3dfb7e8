/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The system calls the reference VMM makes, and all that it knows of the world. Behind the table is
 * libc (the stand-alone program, on swtio's drop-in or on a real Linux) or a simulated task (flows).
 * All return a result or -errno.
 */
#ifndef SWTIO_VMM_SYS_H
#define SWTIO_VMM_SYS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct vmm_sys {
	int (*open)(void *ctx, const char *path, int flags);
	int (*close)(void *ctx, int fd);
	long (*ioctl)(void *ctx, int fd, unsigned int cmd, void *arg);
	ssize_t (*pread)(void *ctx, int fd, void *to, size_t len, uint64_t offset);
	ssize_t (*pwrite)(void *ctx, int fd, const void *from, size_t len, uint64_t offset);
	int (*mmap)(void *ctx, uint64_t len, int prot, int flags, int fd, uint64_t offset,
		uint64_t *address);
	int (*munmap)(void *ctx, uint64_t address, uint64_t len);
	int (*memfd)(void *ctx, const char *name, uint64_t size);
	int (*eventfd)(void *ctx);
	int (*load)(void *ctx, uint64_t address, void *to, size_t len);	/* -EFAULT, -ENXIO: SIGBUS */
	int (*store)(void *ctx, uint64_t address, const void *from, size_t len);
	void *ctx;
};

#endif
