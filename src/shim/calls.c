/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The interposed calls. Each asks first, without a system call, whether the call may be ours, and
 * hands it to libc if not. Results are libc's: -1 and errno.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/dmabuf/dmabuf.h"
#include "kernel/syscall.h"
#include "shim/queue.h"
#include "shim/shim.h"
#include "shim/tree.h"

#define EXPORT SHIM_EXPORT
#define IOCTL_TYPE_VFIO 0x3bu /* ';': iommufd and VFIO */
#define IOCTL_TYPE_KVM 0xaeu

static mode_t mode_of(int flags, va_list args)
{
	return flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0;
}

#define OPEN(name)                                                                                 \
	EXPORT int name(const char *path, int flags, ...);                                         \
	EXPORT int name(const char *path, int flags, ...)                                          \
	{                                                                                          \
		va_list args;                                                                      \
		mode_t mode;                                                                       \
		int fd = shim_path_open(AT_FDCWD, path, flags);                                    \
		if (fd != SHIM_NOT_OURS)                                                           \
			return fd;                                                                 \
		va_start(args, flags);                                                             \
		mode = mode_of(flags, args);                                                       \
		va_end(args);                                                                      \
		return shim_libc()->open(path, flags, mode);                                       \
	}
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                                               \
	EXPORT int name(int dir, const char *path, int flags, ...);                                \
	EXPORT int name(int dir, const char *path, int flags, ...)                                 \
	{                                                                                          \
		va_list args;                                                                      \
		mode_t mode;                                                                       \
		int fd = shim_path_open(dir, path, flags);                                         \
		if (fd != SHIM_NOT_OURS)                                                           \
			return fd;                                                                 \
		va_start(args, flags);                                                             \
		mode = mode_of(flags, args);                                                       \
		va_end(args);                                                                      \
		return shim_libc()->openat(dir, path, flags, mode);                                \
	}
OPENAT(openat)
OPENAT(openat64)

#define OPEN_2(name)                                                                               \
	EXPORT int name(const char *path, int flags);                                              \
	EXPORT int name(const char *path, int flags)                                               \
	{                                                                                          \
		int fd = shim_path_open(AT_FDCWD, path, flags);                                    \
		return fd != SHIM_NOT_OURS ? fd : shim_libc()->open(path, flags);                  \
	}
OPEN_2(__open_2)
OPEN_2(__open64_2)

#define OPENAT_2(name)                                                                             \
	EXPORT int name(int dir, const char *path, int flags);                                     \
	EXPORT int name(int dir, const char *path, int flags)                                      \
	{                                                                                          \
		int fd = shim_path_open(dir, path, flags);                                         \
		return fd != SHIM_NOT_OURS ? fd : shim_libc()->openat(dir, path, flags);           \
	}
OPENAT_2(__openat_2)
OPENAT_2(__openat64_2)

#define CREAT(name)                                                                                \
	EXPORT int name(const char *path, mode_t mode)                                             \
	{                                                                                          \
		return open(path, O_CREAT | O_WRONLY | O_TRUNC, mode);                             \
	}
CREAT(creat)
CREAT(creat64)

/* -- descriptors ----------------------------------------------------------------------------------
 */

EXPORT int close_range(unsigned int first, unsigned int last, int flags)
{
	int rc = shim_libc()->close_range(first, last, flags), error = errno;
	bool some = false;

	if (rc || flags & CLOSE_RANGE_CLOEXEC)
		return rc;
	for (unsigned int fd = first; fd <= last && fd < SHIM_FDS; fd++) {
		some |= shim_fd_maybe((int)fd);
		shim_fd_mark((int)fd, false);
		tree_fd_mark((int)fd, false);
	}
	if (some)
		shim_reap();
	errno = error;
	return rc;
}

EXPORT void closefrom(int first)
{
	close_range(first < 0 ? 0 : (unsigned int)first, ~0u, 0);
}

EXPORT int close(int fd)
{
	const struct file *file = shim_fd_maybe(fd) ? shim_fd_file(fd) : NULL;
	uint32_t id = file ? file->id : 0, generation = file ? file->generation : 0;
	int error = errno, rc;

	shim_fd_mark(fd, false);
	tree_fd_mark(fd, false);
	rc = shim_libc()->close(fd);
	if (!rc && id) {
		shim_closed(id, generation);
		errno = error;
	}
	return rc;
}

static int copied(int from, int to)
{
	if (to >= 0) {
		shim_fd_mark(to, shim_fd_maybe(from));
		tree_fd_mark(to, tree_fd(from));
	}
	return to;
}

EXPORT int dup(int fd)
{
	return copied(fd, shim_libc()->dup(fd));
}

/* What was open at `to` is closed on the way, the last reference perhaps. */
static int copied_over(
	int from, int to, int rc, const struct file *old, uint32_t id, uint32_t generation)
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

#define FCNTL(name)                                                                                \
	EXPORT int name(int fd, int cmd, ...);                                                     \
	EXPORT int name(int fd, int cmd, ...)                                                      \
	{                                                                                          \
		va_list args;                                                                      \
		void *arg;                                                                         \
		int rc;                                                                            \
		va_start(args, cmd);                                                               \
		arg = va_arg(args, void *);                                                        \
		va_end(args);                                                                      \
		rc = shim_libc()->fcntl(fd, cmd, arg);                                             \
		return cmd == F_DUPFD || cmd == F_DUPFD_CLOEXEC ? copied(fd, rc) : rc;             \
	}
FCNTL(fcntl)
FCNTL(fcntl64)

/* -- ioctl, read, write
 * ---------------------------------------------------------------------------- */

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
	/* Type bytes first: a foreign call pays nothing. 'T' holds FIOCLEX and its like, which are
	 * the descriptor's own business. */
	if (type == IOCTL_TYPE_VFIO || type == IOCTL_TYPE_KVM || (shim_fd_maybe(fd) && type != 'T'))
		file = shim_ready() ? shim_fd_file(fd) : NULL;
	if (!file)
		return shim_libc()->ioctl(fd, request, arg);
	shim_call_begin();
	rc = shim_call_end(
		file_ioctl(shim_task(), file, (unsigned int)request, (uint64_t)(uintptr_t)arg));
	errno = error;
	return (int)shim_as_libc(rc);
}

static const struct file *ours(int fd)
{
	return shim_fd_maybe(fd) ? shim_fd_file(fd) : NULL;
}

/* errno is libc's to change only when a call fails. */
static ssize_t read_ours(const struct file *file, void *to, size_t len)
{
	int error = errno;
	long rc = file_read(shim_task(), file, (uint64_t)(uintptr_t)to, len);

	errno = error;
	return shim_as_libc(rc);
}

static ssize_t write_ours(const struct file *file, const void *from, size_t len)
{
	int error = errno;
	long rc = file_write(shim_task(), file, (uint64_t)(uintptr_t)from, len);

	errno = error;
	return shim_as_libc(rc);
}

static ssize_t pread_ours(const struct file *file, void *to, size_t len, off_t offset)
{
	int error = errno;
	long rc = offset < 0 ? -EINVAL
			     : file_pread(shim_task(), file, (uint64_t)(uintptr_t)to, len,
				       (uint64_t)offset);

	errno = error;
	return shim_as_libc(rc);
}

static ssize_t pwrite_ours(const struct file *file, const void *from, size_t len, off_t offset)
{
	int error = errno;
	long rc = offset < 0 ? -EINVAL
			     : file_pwrite(shim_task(), file, (uint64_t)(uintptr_t)from, len,
				       (uint64_t)offset);

	errno = error;
	return shim_as_libc(rc);
}

EXPORT ssize_t read(int fd, void *to, size_t len)
{
	const struct file *file = ours(fd);

	return file ? read_ours(file, to, len) : shim_libc()->read(fd, to, len);
}

EXPORT ssize_t write(int fd, const void *from, size_t len)
{
	const struct file *file = ours(fd);

	return file ? write_ours(file, from, len) : shim_libc()->write(fd, from, len);
}

#define PREAD(name)                                                                                \
	EXPORT ssize_t name(int fd, void *to, size_t len, off_t offset);                           \
	EXPORT ssize_t name(int fd, void *to, size_t len, off_t offset)                            \
	{                                                                                          \
		const struct file *file = ours(fd);                                                \
		return file ? pread_ours(file, to, len, offset)                                    \
			    : shim_libc()->pread(fd, to, len, offset);                             \
	}
PREAD(pread)
PREAD(pread64)

#define PWRITE(name)                                                                               \
	EXPORT ssize_t name(int fd, const void *from, size_t len, off_t offset);                   \
	EXPORT ssize_t name(int fd, const void *from, size_t len, off_t offset)                    \
	{                                                                                          \
		const struct file *file = ours(fd);                                                \
		return file ? pwrite_ours(file, from, len, offset)                                 \
			    : shim_libc()->pwrite(fd, from, len, offset);                          \
	}
PWRITE(pwrite)
PWRITE(pwrite64)

/* The names a fortified program uses; the check itself was libc's, and is the compiler's. */
EXPORT ssize_t __read_chk(int fd, void *to, size_t len, size_t room);
EXPORT ssize_t __read_chk(int fd, void *to, size_t len, size_t room)
{
	if (len > room)
		abort();
	return read(fd, to, len);
}

#define PREAD_CHK(name)                                                                            \
	EXPORT ssize_t name(int fd, void *to, size_t len, off_t offset, size_t room);              \
	EXPORT ssize_t name(int fd, void *to, size_t len, off_t offset, size_t room)               \
	{                                                                                          \
		if (len > room)                                                                    \
			abort();                                                                   \
		return pread(fd, to, len, offset);                                                 \
	}
PREAD_CHK(__pread_chk)
PREAD_CHK(__pread64_chk)

/* Each piece as a call of its own, as a driver without vectored calls has it. */
#define VECTOR(name, piece)                                                                        \
	EXPORT ssize_t name(int fd, const struct iovec *iov, int count)                            \
	{                                                                                          \
		const struct file *file = ours(fd);                                                \
		ssize_t done = 0, n;                                                               \
		if (!file)                                                                         \
			return shim_libc()->name(fd, iov, count);                                  \
		for (int i = 0; i < count; i++) {                                                  \
			n = piece(file, iov[i].iov_base, iov[i].iov_len);                          \
			if (n < 0)                                                                 \
				return done ? done : n;                                            \
			done += n;                                                                 \
			if ((size_t)n < iov[i].iov_len)                                            \
				break;                                                             \
		}                                                                                  \
		return done;                                                                       \
	}
VECTOR(readv, read_ours)
VECTOR(writev, write_ours)

#define VECTOR_AT(name, libc_name, piece)                                                          \
	EXPORT ssize_t name(int fd, const struct iovec *iov, int count, off_t offset);             \
	EXPORT ssize_t name(int fd, const struct iovec *iov, int count, off_t offset)              \
	{                                                                                          \
		const struct file *file = ours(fd);                                                \
		ssize_t done = 0, n;                                                               \
		if (!file)                                                                         \
			return shim_libc()->libc_name(fd, iov, count, offset);                     \
		for (int i = 0; i < count; i++) {                                                  \
			n = piece(file, iov[i].iov_base, iov[i].iov_len, offset + done);           \
			if (n < 0)                                                                 \
				return done ? done : n;                                            \
			done += n;                                                                 \
			if ((size_t)n < iov[i].iov_len)                                            \
				break;                                                             \
		}                                                                                  \
		return done;                                                                       \
	}
VECTOR_AT(preadv, preadv, pread_ours)
VECTOR_AT(preadv64, preadv, pread_ours)
VECTOR_AT(pwritev, pwritev, pwrite_ours)
VECTOR_AT(pwritev64, pwritev, pwrite_ours)

/* With an offset of -1 they are readv() and writev(); the flags ask for nothing we could do better. */
#define VECTOR_AT_2(name, at_name, stream_name)                                                    \
	EXPORT ssize_t name(int fd, const struct iovec *iov, int count, off_t offset, int flags);  \
	EXPORT ssize_t name(int fd, const struct iovec *iov, int count, off_t offset, int flags)   \
	{                                                                                          \
		if (!ours(fd))                                                                     \
			return shim_libc()->at_name##2(fd, iov, count, offset, flags);             \
		return offset == -1 ? stream_name(fd, iov, count) : at_name(fd, iov, count, offset); \
	}
VECTOR_AT_2(preadv2, preadv, readv)
VECTOR_AT_2(preadv64v2, preadv, readv)
VECTOR_AT_2(pwritev2, pwritev, writev)
VECTOR_AT_2(pwritev64v2, pwritev, writev)

/* The position is the descriptor's identity: a client never gets at it. Device nodes have none. */
static off_t seek_ours(const struct file *file, off_t offset, int whence)
{
	const struct dmabuf *buf = dmabuf_of_file(file);

	if (file->type == FILE_IOMMUFD || file->type == FILE_IOASID ||
		file->type == FILE_VFIO_DEVICE || queue_is(file))
		return shim_as_libc(-ESPIPE);
	if (!buf)
		return 0;
	if (offset || (whence != SEEK_SET && whence != SEEK_END))
		return shim_as_libc(-EINVAL);
	return whence == SEEK_END ? (off_t)buf->size : 0;
}

#define LSEEK(name)                                                                                \
	EXPORT off_t name(int fd, off_t offset, int whence);                                       \
	EXPORT off_t name(int fd, off_t offset, int whence)                                        \
	{                                                                                          \
		const struct file *file = ours(fd);                                                \
		return file ? seek_ours(file, offset, whence)                                      \
			    : shim_libc()->lseek(fd, offset, whence);                              \
	}
LSEEK(lseek)
LSEEK(lseek64)

/* -- messages ------------------------------------------------------------------------------------
 */

static void message_received(struct msghdr *message)
{
	int error = errno, fd;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t at = CMSG_LEN(0); at + sizeof(int) <= c->cmsg_len; at += sizeof(int)) {
			memcpy(&fd, (const char *)c + at, sizeof(fd));
			shim_fd_received(fd);
		}
	}
	errno = error;
}

EXPORT ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
	ssize_t n = shim_libc()->recvmsg(fd, message, flags);

	if (n >= 0)
		message_received(message);
	return n;
}

EXPORT int recvmmsg(int fd, struct mmsghdr *messages, unsigned int count, int flags,
	struct timespec *timeout)
{
	int n = shim_libc()->recvmmsg(fd, messages, count, flags, timeout);

	for (int i = 0; i < n; i++)
		message_received(&messages[i].msg_hdr);
	return n;
}
