/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The drop-in: preloaded by `swtio exec`, it takes the system calls that concern the software host
 * and leaves all others to libc.
 *
 * A descriptor of ours is a real one: an open file of the "files" memfd, whose file position says
 * which struct file it is (magic, generation, id) and which holds an OFD lock on the byte of that
 * id. So identity survives dup, fork, exec and SCM_RIGHTS, and the lock is free exactly when the
 * last reference is gone, a SIGKILL included; whoever sees that runs the release.
 */
#ifndef SWTIO_SHIM_SHIM_H
#define SWTIO_SHIM_SHIM_H

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "kernel/kernel.h"

/* What a program finds in its environment, and what an exec must not lose. */
enum shim_value {
	SHIM_IMAGE, /* path of the image's memfd: /proc/SUPERVISOR/fd/N */
	SHIM_FILES, /* path of the "files" memfd */
	SHIM_TREE,  /* path of the tree */
	SHIM_VALUES
};
struct shim_environment {
	bool there;			/* false: not on a host */
	char entry[SHIM_VALUES][256];	/* "NAME=value" */
	const char *value[SHIM_VALUES]; /* in `entry`; "" */
	char self[512];			/* path of this library */
};
const struct shim_environment *shim_environment(void);
extern const char *const shim_value_names[SHIM_VALUES];

#define SHIM_FDS 65536u /* descriptors that can be ours */

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
/* A descriptor came by a message. */
void shim_fd_received(int fd);
/* At the start of a program: marks what came across the exec; true if there was any. */
bool shim_inherit(void);
/* The file mapped at an address of this process: see struct task_hooks. */
const struct file *shim_mapping(uint64_t address, uint64_t *offset, uint64_t *left);
/* The files behind BARs (hardware/bar_file.h), told by where the supervisor's descriptors are; a
 * descriptor of one, or -1 and errno. */
void shim_bars(const char *files_path);
int shim_bar_open(uint32_t file);
/* A descriptor of the image to map from, or -1 and errno. */
int shim_image_open(void);
/* Runs release for files nobody holds any more, and ends tasks whose process is gone. */
void shim_reap(void);
/* A descriptor of this file was closed: if it was the last, release. */
void shim_closed(uint32_t id, uint32_t generation);
/* Around a call: descriptors it made go again when it fails. */
void shim_call_begin(void);
long shim_call_end(long result);

/* Where the "files" memfd is, for the above. */
void shim_release_by(const char *files_path);

/* -- paths -- */
struct tree_place;
/* What the host says of a place in the tree, over what the tree's filesystem says. */
void shim_place_stat(const struct tree_place *place, struct stat *st);
/* A file of /proc that is ours in part: fd, -1 and errno, or SHIM_NOT_OURS. */
int shim_proc_open(const char *path, int flags);
bool shim_attached(void); /* already: does not attach */
#define SHIM_NOT_OURS (-2)
/* As openat(): a descriptor, -1 and errno, or SHIM_NOT_OURS. */
int shim_path_open(int dir, const char *path, int flags);

/* libc's own, found behind us. */
/* clang-format off */
#define SHIM_LIBC(x) \
	x(open) x(openat) x(fopen) x(close) x(close_range) x(dup) x(dup2) x(dup3) \
	x(fcntl) x(ioctl) x(lseek) x(read) x(write) x(pread) x(pwrite) x(readv) \
	x(writev) x(preadv) x(pwritev) x(preadv2) x(pwritev2) \
	x(mmap) x(munmap) x(mremap) x(mprotect) x(sigaction) x(sigprocmask) \
	x(pthread_sigmask) x(madvise) \
	x(stat) x(lstat) x(fstat) x(fstatat) \
	x(statx) x(access) x(faccessat) x(readlink) x(readlinkat) x(getxattr) \
	x(lgetxattr) x(listxattr) x(llistxattr) x(recvmsg) x(execve) x(execvpe) \
	x(fexecve) x(execveat) x(posix_spawn) x(posix_spawnp) x(opendir) x(readdir) \
	x(readdir64) x(closedir) x(scandirat) x(realpath) x(chdir) x(fchdir) x(getcwd) \
	x(nftw) x(nftw64) x(glob) x(glob64) x(syscall) x(recvmmsg)
/* clang-format on */
struct shim_libc {
#define SHIM_LIBC_MEMBER(name) __typeof__(&name) name;
	SHIM_LIBC(SHIM_LIBC_MEMBER)
#undef SHIM_LIBC_MEMBER
};
const struct shim_libc *shim_libc(void);

#define SHIM_EXPORT __attribute__((visibility("default")))
/* A result or -errno, as libc gives it. */
long shim_as_libc(long result);

#endif
