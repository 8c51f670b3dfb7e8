/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What /proc says of a descriptor of ours: its name, its fdinfo, and what opening it again gives.
 * Of this process's own only; another's shows what the descriptor really is.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/syscall.h"
#include "shim/fdinfo.h"
#include "shim/shim.h"

#define TEXT 4096u

/* The descriptor that /proc/self/DIR/N names, or -1. No system call for any other path. */
static int number_in(const char *path, const char *dir)
{
	const char *rest = path, *end;
	char *last;
	long fd;

	if (strncmp(rest, "/proc/", 6))
		return -1;
	rest += 6;
	end = strchrnul(rest, '/');
	if (!(end - rest == 4 && !strncmp(rest, "self", 4)) &&
		!(end - rest == 11 && !strncmp(rest, "thread-self", 11)) &&
		(*rest < '1' || *rest > '9' || strtol(rest, NULL, 10) != getpid()))
		return -1;
	if (strncmp(end, "/", 1) || strncmp(end + 1, dir, strlen(dir)) || end[1 + strlen(dir)] != '/')
		return -1;
	rest = end + 2 + strlen(dir);
	fd = strtol(rest, &last, 10);
	return last == rest || *last || fd < 0 || fd >= (long)SHIM_FDS ? -1 : (int)fd;
}

static const struct file *file_named(const char *path, const char *dir)
{
	int fd = number_in(path, dir);

	if (fd < 0 && !strcmp(dir, "fd") && !strncmp(path, "/dev/fd/", 8))
		fd = (int)strtol(path + 8, NULL, 10);
	return shim_fd_maybe(fd) ? shim_fd_file(fd) : NULL;
}

ssize_t fdinfo_link(const char *path, char *to, size_t len)
{
	const struct file *file = file_named(path, "fd");
	char name[96];
	int n;

	if (!file)
		return SHIM_NOT_OURS;
	n = snprintf(name, sizeof(name), "%s%s", file->path[0] == '/' ? "" : "anon_inode:", file->path);
	if ((size_t)n > len)
		n = (int)len;
	memcpy(to, name, (size_t)n);
	return n;
}

/* The real text but for what gives away how the descriptor is made, then the file's own lines. */
static size_t text_make(const struct file *file, FILE *real, char *text)
{
	const struct file_ops *ops = file_type_ops[file->type];
	char line[256];
	size_t n = 0;
	int own;

	while (fgets(line, sizeof(line), real)) {
		if (!strncmp(line, "lock:", 5))
			continue;
		if (!strncmp(line, "pos:", 4))
			strcpy(line, "pos:\t0\n");
		n += (size_t)snprintf(text + n, TEXT / 2 - n, "%s", line);
		if (n >= TEXT / 2)
			return TEXT / 2 - 1;
	}
	own = ops->fdinfo ? ops->fdinfo(file, text + n, TEXT - n) : 0;
	return own > 0 && (size_t)own < TEXT - n ? n + (size_t)own : n;
}

static int info_open(const struct file *file, const char *path, int flags)
{
	FILE *real = shim_libc()->fopen(path, "re");
	char text[TEXT];
	size_t n;
	int fd;

	if (!real)
		return -errno;
	n = text_make(file, real, text);
	fclose(real);
	fd = memfd_create("swtio-fdinfo", flags & O_CLOEXEC ? MFD_CLOEXEC : 0);
	if (fd < 0)
		return -errno;
	if (shim_libc()->pwrite(fd, text, n, 0) != (ssize_t)n) {
		shim_libc()->close(fd);
		return -ENOMEM;
	}
	return fd;
}

int fdinfo_open(const char *path, int flags)
{
	const struct file *file;
	int error = errno, fd;

	if (!path || path[0] != '/' || (path[1] != 'p' && path[1] != 'd'))
		return SHIM_NOT_OURS;
	file = file_named(path, "fd");
	/* As for any device node: another open file. What is no node has no such thing. */
	if (file)
		return file->path[0] == '/' ? shim_path_open(AT_FDCWD, file->path, flags)
					    : (int)shim_as_libc(-ENXIO);
	file = file_named(path, "fdinfo");
	if (!file)
		return SHIM_NOT_OURS;
	fd = info_open(file, path, flags);
	errno = error;
	return (int)shim_as_libc(fd);
}
