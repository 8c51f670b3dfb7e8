/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The interposed calls. Each asks first, without a system call, whether the call may be ours, and
 * hands it to libc if not. Results are libc's: -1 and errno.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernel/syscall.h"
#include "shim/shim.h"

#define EXPORT __attribute__((visibility("default")))
#define IOCTL_TYPE_VFIO 0x3bu		/* ';': iommufd and VFIO */
#define IOCTL_TYPE_KVM 0xaeu

static long as_libc(long result)
{
	if (result >= 0)
		return result;
	errno = (int)-result;
	return -1;
}

static bool path_ours(const char *path)
{
	return path && path[0] == '/' && path[1] == 'd' &&
	       (!strcmp(path, "/dev/iommu") || !strncmp(path, "/dev/vfio/devices/", 18)) && shim_ready();
}

/* -- open ---------------------------------------------------------------------------------------- */

struct open_call { const char *path; int flags; int fd; };

static long open_make(void *arg)
{
	struct open_call *call = arg;
	const struct file *file;
	int rc = file_open(shim_task(), call->path, call->flags, &file);

	if (rc)
		return rc;
	call->fd = shim_fd_make(file, (unsigned int)call->flags);
	return call->fd;
}

static int open_ours(const char *path, int flags)
{
	struct open_call call = { .path = path, .flags = flags, .fd = -1 };
	int error = errno;
	long rc;

	shim_reap();
	rc = image_call(open_make, &call);
	errno = error;
	return (int)as_libc(rc);
}

static mode_t mode_of(int flags, va_list args)
{
	return flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0;
}

#define OPEN(name) \
	EXPORT int name(const char *path, int flags, ...); \
	EXPORT int name(const char *path, int flags, ...) \
	{ \
		va_list args; \
		mode_t mode; \
		if (path_ours(path)) \
			return open_ours(path, flags); \
		va_start(args, flags); \
		mode = mode_of(flags, args); \
		va_end(args); \
		return shim_libc()->open(path, flags, mode); \
	}
OPEN(open)
OPEN(open64)

#define OPENAT(name) \
	EXPORT int name(int dir, const char *path, int flags, ...); \
	EXPORT int name(int dir, const char *path, int flags, ...) \
	{ \
		va_list args; \
		mode_t mode; \
		if (path_ours(path)) \
			return open_ours(path, flags); \
		va_start(args, flags); \
		mode = mode_of(flags, args); \
		va_end(args); \
		return shim_libc()->openat(dir, path, flags, mode); \
	}
OPENAT(openat)
OPENAT(openat64)

#define OPEN_2(name) \
	EXPORT int name(const char *path, int flags); \
	EXPORT int name(const char *path, int flags) \
	{ \
		return path_ours(path) ? open_ours(path, flags) : shim_libc()->open(path, flags); \
	}
OPEN_2(__open_2)
OPEN_2(__open64_2)

/* -- descriptors ---------------------------------------------------------------------------------- */

EXPORT int close(int fd)
{
	const struct file *file = shim_fd_maybe(fd) ? shim_fd_file(fd) : NULL;
	uint32_t id = file ? file->id : 0, generation = file ? file->generation : 0;
	int error = errno, rc;

	shim_fd_mark(fd, false);
	rc = shim_libc()->close(fd);
	if (!rc && id) {
		shim_closed(id, generation);
		errno = error;
	}
	return rc;
}

static int copied(int from, int to)
{
	if (to >= 0)
		shim_fd_mark(to, shim_fd_maybe(from));
	return to;
}

EXPORT int dup(int fd)
{
	return copied(fd, shim_libc()->dup(fd));
}

/* What was open at `to` is closed on the way, the last reference perhaps. */
static int copied_over(int from, int to, int rc, const struct file *old, uint32_t id, uint32_t generation)
{
	if (rc >= 0 && from != to && old)
		shim_closed(id, generation);
	return rc < 0 ? rc : copied(from, rc);
}

EXPORT int dup2(int from, int to)
{
	const struct file *old = shim_fd_maybe(to) ? shim_fd_file(to) : NULL;
	uint32_t id = old ? old->id : 0, generation = old ? old->generation : 0;

	return copied_over(from, to, shim_libc()->dup2(from, to), old, id, generation);
}

EXPORT int dup3(int from, int to, int flags)
{
	const struct file *old = shim_fd_maybe(to) ? shim_fd_file(to) : NULL;
	uint32_t id = old ? old->id : 0, generation = old ? old->generation : 0;

	return copied_over(from, to, shim_libc()->dup3(from, to, flags), old, id, generation);
}

#define FCNTL(name) \
	EXPORT int name(int fd, int cmd, ...); \
	EXPORT int name(int fd, int cmd, ...) \
	{ \
		va_list args; \
		void *arg; \
		int rc; \
		va_start(args, cmd); \
		arg = va_arg(args, void *); \
		va_end(args); \
		rc = shim_libc()->fcntl(fd, cmd, arg); \
		return cmd == F_DUPFD || cmd == F_DUPFD_CLOEXEC ? copied(fd, rc) : rc; \
	}
FCNTL(fcntl)
FCNTL(fcntl64)

/* -- ioctl, read, write ---------------------------------------------------------------------------- */

EXPORT int ioctl(int fd, unsigned long request, ...)
{
	unsigned int type = request >> 8 & 0xff;
	const struct file *file = NULL;
	int error = errno;
	va_list args;
	void *arg;
	long rc;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	/* Type bytes first: a foreign call pays nothing. 'T' holds FIOCLEX and its like, which are the
	 * descriptor's own business. */
	if (type == IOCTL_TYPE_VFIO || type == IOCTL_TYPE_KVM || (shim_fd_maybe(fd) && type != 'T'))
		file = shim_ready() ? shim_fd_file(fd) : NULL;
	if (!file)
		return shim_libc()->ioctl(fd, request, arg);
	shim_call_begin();
	rc = shim_call_end(file_ioctl(shim_task(), file, (unsigned int)request, (uint64_t)(uintptr_t)arg));
	errno = error;
	return (int)as_libc(rc);
}

static const struct file *ours(int fd)
{
	return shim_fd_maybe(fd) ? shim_fd_file(fd) : NULL;
}

EXPORT ssize_t read(int fd, void *to, size_t len)
{
	const struct file *file = ours(fd);

	return file ? as_libc(file_pread(shim_task(), file, (uint64_t)(uintptr_t)to, len, 0)) :
		      shim_libc()->read(fd, to, len);
}

EXPORT ssize_t write(int fd, const void *from, size_t len)
{
	const struct file *file = ours(fd);

	return file ? as_libc(file_pwrite(shim_task(), file, (uint64_t)(uintptr_t)from, len, 0)) :
		      shim_libc()->write(fd, from, len);
}

#define PREAD(name) \
	EXPORT ssize_t name(int fd, void *to, size_t len, off_t offset); \
	EXPORT ssize_t name(int fd, void *to, size_t len, off_t offset) \
	{ \
		const struct file *file = ours(fd); \
		return file ? as_libc(file_pread(shim_task(), file, (uint64_t)(uintptr_t)to, len, (uint64_t)offset)) : \
			      shim_libc()->pread(fd, to, len, offset); \
	}
PREAD(pread)
PREAD(pread64)

#define PWRITE(name) \
	EXPORT ssize_t name(int fd, const void *from, size_t len, off_t offset); \
	EXPORT ssize_t name(int fd, const void *from, size_t len, off_t offset) \
	{ \
		const struct file *file = ours(fd); \
		return file ? as_libc(file_pwrite(shim_task(), file, (uint64_t)(uintptr_t)from, len, (uint64_t)offset)) : \
			      shim_libc()->pwrite(fd, from, len, offset); \
	}
PWRITE(pwrite)
PWRITE(pwrite64)

/* -- mmap -------------------------------------------------------------------------------------------- */

struct mmap_call { const struct file *file; struct mmap_request request; };

static long mmap_ask(void *arg)
{
	struct mmap_call *call = arg;
	const struct file_ops *ops = file_type_ops[call->file->type];

	return ops->mmap ? ops->mmap(call->file, &call->request) : -ENODEV;
}

/* The client maps the image's own pages: what the device sees is what the client sees. */
static void *mmap_ours(const struct file *file, void *address, size_t len, int prot, int flags, off_t offset)
{
	struct mmap_call call = { .file = file, .request = { .offset = (uint64_t)offset, .len = len, .prot = prot,
							     .flags = flags } };
	int error = errno, fd;
	long rc = image_call(mmap_ask, &call);
	void *at;

	if (rc < 0) {
		errno = (int)-rc;
		return MAP_FAILED;
	}
	fd = image_fd();
	at = fd < 0 ? MAP_FAILED :
		      shim_libc()->mmap(address, len, prot, flags, fd,
					(off_t)((uint64_t)(uintptr_t)call.request.memory - IMAGE_BASE));
	if (at != MAP_FAILED)
		errno = error;
	return at;
}

#define MMAP(name) \
	EXPORT void *name(void *address, size_t len, int prot, int flags, int fd, off_t offset); \
	EXPORT void *name(void *address, size_t len, int prot, int flags, int fd, off_t offset) \
	{ \
		const struct file *file = flags & MAP_ANONYMOUS ? NULL : ours(fd); \
		return file ? mmap_ours(file, address, len, prot, flags, offset) : \
			      shim_libc()->mmap(address, len, prot, flags, fd, offset); \
	}
MMAP(mmap)
MMAP(mmap64)
