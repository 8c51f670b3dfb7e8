/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The drop-in: preloaded by `swtio exec`, it takes the system calls that concern the software host
 * and leaves all others to libc.
 *
 * A descriptor of ours is a real one: an open file of the "files" memfd, whose file position says which
 * struct file it is (magic, generation, id) and which holds an OFD lock on the byte of that id. So
 * identity survives dup, fork, exec and SCM_RIGHTS, and the lock is free exactly when the last
 * reference is gone, a SIGKILL included; whoever sees that runs the release.
 */
#ifndef SWTIO_SHIM_SHIM_H
#define SWTIO_SHIM_SHIM_H

#include "kernel/kernel.h"

#define SHIM_ENV_IMAGE "SWTIO_IMAGE"	/* path of the image's memfd: /proc/SUPERVISOR/fd/N */
#define SHIM_ENV_FILES "SWTIO_FILES"	/* path of the "files" memfd */

/* Attaches once; false when this process is not on a software host. */
bool shim_ready(void);
/* This process's task, made on first use (after fork the child gets its own). NULL: no memory. */
const struct task *shim_task(void);

/* A real descriptor for a file; the descriptor owns the file's one reference. fd or -errno. */
int shim_fd_make(const struct file *file, unsigned int flags);
/* The file behind a descriptor, NULL when it is not ours. One system call. */
const struct file *shim_fd_file(int fd);
/* No system call: may this descriptor be ours? */
bool shim_fd_maybe(int fd);
void shim_fd_mark(int fd, bool maybe);
/* Runs release for files nobody holds any more, and ends tasks whose process is gone. */
void shim_reap(void);
/* A descriptor of this file was closed: if it was the last, release. */
void shim_closed(uint32_t id, uint32_t generation);
/* Around a call: descriptors it made go again when it fails. */
void shim_call_begin(void);
long shim_call_end(long result);

/* For the supervisor, which is no client: attaches to what it made itself. */
void shim_supervise(const char *files_path);

/* libc's own, found behind us. */
struct shim_libc {
	int (*open)(const char *path, int flags, ...);
	int (*openat)(int dir, const char *path, int flags, ...);
	int (*close)(int fd);
	int (*dup)(int fd);
	int (*dup2)(int from, int to);
	int (*dup3)(int from, int to, int flags);
	int (*fcntl)(int fd, int cmd, ...);
	int (*ioctl)(int fd, unsigned long request, ...);
	ssize_t (*read)(int fd, void *to, size_t len);
	ssize_t (*write)(int fd, const void *from, size_t len);
	ssize_t (*pread)(int fd, void *to, size_t len, off_t offset);
	ssize_t (*pwrite)(int fd, const void *from, size_t len, off_t offset);
	void *(*mmap)(void *address, size_t len, int prot, int flags, int fd, off_t offset);
	int (*fstat)(int fd, void *st);
	int (*stat)(const char *path, void *st);
	int (*access)(const char *path, int mode);
};
const struct shim_libc *shim_libc(void);

#endif
