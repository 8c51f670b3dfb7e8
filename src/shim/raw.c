/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls by number, through libc's syscall(): those that may concern a file or path of ours
 * go the way of their named wrappers. An instruction of the program's own is out of reach.
 */
#include <errno.h>
#include <stdarg.h>
#include <sys/syscall.h>

#include "shim/shim.h"

#define EXPORT SHIM_EXPORT

static int fd_taken(int fd)
{
	if (fd >= 0)
		shim_fd_received(fd);
	return fd;
}

EXPORT int pidfd_getfd(int pidfd, int fd, unsigned int flags);
EXPORT int pidfd_getfd(int pidfd, int fd, unsigned int flags)
{
	return fd_taken((int)shim_libc()->syscall(SYS_pidfd_getfd, pidfd, fd, flags));
}

#define PATH(a) ((const char *)(a))
#define MEMORY(a) ((void *)(a))

/* clang-format off */
EXPORT long syscall(long number, ...)
{
	long a[6];
	va_list args;

	va_start(args, number);
	for (unsigned int i = 0; i < 6; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	switch (number) {
	case SYS_open: return open(PATH(a[0]), (int)a[1], (mode_t)a[2]);
	case SYS_openat: return openat((int)a[0], PATH(a[1]), (int)a[2], (mode_t)a[3]);
	case SYS_close: return close((int)a[0]);
	case SYS_close_range: return close_range((unsigned int)a[0], (unsigned int)a[1], (int)a[2]);
	case SYS_dup: return dup((int)a[0]);
	case SYS_dup2: return dup2((int)a[0], (int)a[1]);
	case SYS_dup3: return dup3((int)a[0], (int)a[1], (int)a[2]);
	case SYS_fcntl: return fcntl((int)a[0], (int)a[1], a[2]);
	case SYS_ioctl: return ioctl((int)a[0], (unsigned long)a[1], a[2]);
	case SYS_read: return read((int)a[0], MEMORY(a[1]), (size_t)a[2]);
	case SYS_write: return write((int)a[0], MEMORY(a[1]), (size_t)a[2]);
	case SYS_pread64: return pread((int)a[0], MEMORY(a[1]), (size_t)a[2], a[3]);
	case SYS_pwrite64: return pwrite((int)a[0], MEMORY(a[1]), (size_t)a[2], a[3]);
	case SYS_lseek: return lseek((int)a[0], a[1], (int)a[2]);
	case SYS_mmap: return (long)mmap(MEMORY(a[0]), (size_t)a[1], (int)a[2], (int)a[3], (int)a[4], a[5]);
	case SYS_recvmsg: return recvmsg((int)a[0], MEMORY(a[1]), (int)a[2]);
	case SYS_statx:
		return statx((int)a[0], PATH(a[1]), (int)a[2], (unsigned int)a[3], MEMORY(a[4]));
	case SYS_newfstatat: return fstatat((int)a[0], PATH(a[1]), MEMORY(a[2]), (int)a[3]);
	case SYS_faccessat: return faccessat((int)a[0], PATH(a[1]), (int)a[2], 0);
	case SYS_faccessat2: return faccessat((int)a[0], PATH(a[1]), (int)a[2], (int)a[3]);
	case SYS_readlinkat: return readlinkat((int)a[0], PATH(a[1]), MEMORY(a[2]), (size_t)a[3]);
	case SYS_execve: return execve(PATH(a[0]), MEMORY(a[1]), MEMORY(a[2]));
	case SYS_pidfd_getfd: return pidfd_getfd((int)a[0], (int)a[1], (unsigned int)a[2]);
	default: return shim_libc()->syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
	}
}
/* clang-format on */
