/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Paths: device nodes, and the host's part of sysfs, as they are in the tree (tree.h). Everything
 * else is libc's.
 *
 * A sysfs file opened for reading is a sealed copy of its text as it is now, in a memfd: any way of
 * reading it works, stdio's own included.
 */
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "kernel/pci/pci.h"
#include "kernel/syscall.h"
#include "shim/fdinfo.h"
#include "shim/queue.h"
#include "shim/shim.h"
#include "shim/tree.h"

#define EXPORT SHIM_EXPORT
#define SYSFS_TEXT 4096u

struct path_call {
	const char *path;
	int flags;
	char *text;
	size_t len;
	int fd;
};

/* -- what is there ------------------------------------------------------------------------------- */

struct node_call {
	const char *path;
	struct path_node node;
	bool found;
};

static void node_match(const struct path_node *node, void *arg)
{
	struct node_call *call = arg;

	if (strcmp(node->path, call->path))
		return;
	call->node = *node;
	call->found = true;
}

static long node_ask(void *arg)
{
	path_nodes(node_match, arg);
	return 0;
}

void shim_place_stat(const struct tree_place *place, struct stat *st)
{
	struct node_call call = {.path = place->path};
	int error = errno;

	*st = place->st;
	st->st_uid = st->st_gid = 0;
	st->st_blocks = 0;
	st->st_blksize = SYSFS_TEXT;
	if (S_ISREG(st->st_mode))
		st->st_size = SYSFS_TEXT;
	if (!S_ISFIFO(st->st_mode))
		return;
	st->st_mode = S_IFCHR | (st->st_mode & 07777);
	image_call(node_ask, &call);
	if (call.found)
		st->st_rdev = makedev(call.node.major, call.node.minor);
	errno = error;
}

/* 0 and *st, -1 and errno, or SHIM_NOT_OURS. */
static int path_stat(int dir, const char *path, bool link, struct stat *st)
{
	struct tree_place place;
	int rc = tree_find(dir, path, link, &place);

	if (rc == TREE_NOT_OURS)
		return SHIM_NOT_OURS;
	if (!rc)
		shim_place_stat(&place, st);
	return (int)shim_as_libc(rc);
}

/* Mode and number of what is behind a descriptor of ours, over what libc said of it. */
static void file_stat(const struct file *file, struct stat *st)
{
	struct stat node;

	/* An anonymous inode has no type. */
	if (queue_is(file))
		st->st_mode = 0600;
	/* What is not a device node has an anonymous inode or one of dma-buf's: as the memfd's. */
	if (file->path[0] != '/' || path_stat(AT_FDCWD, file->path, false, &node))
		return;
	st->st_mode = node.st_mode;
	st->st_rdev = node.st_rdev;
	st->st_dev = node.st_dev;
	st->st_ino = node.st_ino;
	st->st_size = node.st_size;
	st->st_nlink = 1;
}

/* -- open ---------------------------------------------------------------------------------------- */

static long text_ask(void *arg)
{
	const struct path_call *call = arg;

	return pci_sysfs_read(call->path, call->text, call->len);
}

static int text_open(const char *path, int flags)
{
	char text[SYSFS_TEXT];
	struct path_call call = {.path = path, .text = text, .len = sizeof(text)};
	long n = image_call(text_ask, &call);
	int fd;

	if (n < 0)
		return (int)n;
	fd = memfd_create("swtio-sysfs", flags & O_CLOEXEC ? MFD_CLOEXEC : 0);
	if (fd < 0)
		return -errno;
	if (shim_libc()->pwrite(fd, text, (size_t)n, 0) != n) {
		shim_libc()->close(fd);
		return -ENOMEM;
	}
	return fd;
}

static long node_open(void *arg)
{
	struct path_call *call = arg;
	const struct file *file;
	int rc = file_open(shim_task(), call->path, call->flags, &file);

	if (rc)
		return rc;
	call->fd = shim_fd_make(file, (unsigned int)call->flags);
	return call->fd;
}

/* What is opened as itself: a directory, or only its name. */
static int tree_open(const char *real, int flags)
{
	int fd = shim_libc()->open(real, flags & ~(O_CREAT | O_TRUNC));

	if (fd < 0)
		return -errno;
	tree_fd_mark(fd, true);
	return fd;
}

static int open_ours(const struct tree_place *place, int flags)
{
	struct path_call call = {.path = place->path, .flags = flags, .fd = -1};
	mode_t mode = place->st.st_mode;

	if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
		return -EEXIST;
	if (S_ISLNK(mode) && !(flags & O_PATH))
		return -ELOOP;
	if (flags & O_PATH || S_ISDIR(mode))
		return tree_open(place->real, flags);
	if (flags & O_DIRECTORY)
		return -ENOTDIR;
	if (S_ISREG(mode) && (flags & O_ACCMODE) == O_RDONLY)
		return text_open(place->path, flags);
	shim_reap();
	return (int)image_call(node_open, &call);
}

int shim_path_open(int dir, const char *path, int flags)
{
	int error = errno, rc;
	struct tree_place place;

	rc = tree_find(dir, path, flags & O_NOFOLLOW, &place);
	if (rc == TREE_NOT_OURS) {
		int fd = shim_proc_open(path, flags);

		return fd == SHIM_NOT_OURS ? fdinfo_open(path, flags) : fd;
	}
	if (!rc)
		rc = open_ours(&place, flags);
	else if (rc == -ENOENT && flags & O_CREAT)
		rc = -EACCES;
	errno = error;
	return (int)shim_as_libc(rc);
}

/* stdio's own calls do not come by us: a stream that writes is one of our making. */
static ssize_t stream_write(void *cookie, const char *from, size_t len)
{
	return write((int)(intptr_t)cookie, from, len);
}

static int stream_close(void *cookie)
{
	return close((int)(intptr_t)cookie);
}

#define FOPEN(name)                                                                                \
	EXPORT FILE *name(const char *path, const char *mode);                                     \
	EXPORT FILE *name(const char *path, const char *mode)                                      \
	{                                                                                          \
		bool reads = mode[0] == 'r' && !strchr(mode, '+');                                 \
		int fd = shim_path_open(AT_FDCWD, path, reads ? O_RDONLY : O_WRONLY);                      \
		const cookie_io_functions_t io = {.write = stream_write, .close = stream_close};   \
		if (fd == SHIM_NOT_OURS)                                                           \
			return shim_libc()->fopen(path, mode);                                     \
		if (fd < 0)                                                                        \
			return NULL;                                                               \
		return reads ? fdopen(fd, mode) : fopencookie((void *)(intptr_t)fd, "w", io);      \
	}
FOPEN(fopen)
FOPEN(fopen64)

/* -- stat ----------------------------------------------------------------------------------------
 */

_Static_assert(sizeof(struct stat) == sizeof(struct stat64), "one layout for both");

static int stat_path(const char *path, void *st)
{
	int rc = path_stat(AT_FDCWD, path, false, st);

	return rc != SHIM_NOT_OURS ? rc : shim_libc()->stat(path, st);
}

static int lstat_path(const char *path, void *st)
{
	int rc = path_stat(AT_FDCWD, path, true, st);

	return rc != SHIM_NOT_OURS ? rc : shim_libc()->lstat(path, st);
}

static int stat_fd(int fd, void *st)
{
	const struct file *file = shim_fd_maybe(fd) ? shim_fd_file(fd) : NULL;
	struct tree_place place;
	int rc;

	if (tree_fd(fd) && !tree_fd_find(fd, &place)) {
		shim_place_stat(&place, st);
		return 0;
	}
	rc = shim_libc()->fstat(fd, st);
	if (!rc && file)
		file_stat(file, st);
	return rc;
}

/* Of the descriptor itself? */
static bool is_empty(int dir, const char *path, int flags)
{
	return flags & AT_EMPTY_PATH && (!path || !*path) && (shim_fd_maybe(dir) || tree_fd(dir));
}

static int stat_at(int dir, const char *path, void *st, int flags)
{
	int rc;

	if (is_empty(dir, path, flags))
		return stat_fd(dir, st);
	rc = path_stat(dir, path, flags & AT_SYMLINK_NOFOLLOW, st);
	return rc != SHIM_NOT_OURS ? rc : shim_libc()->fstatat(dir, path, st, flags);
}

#define STAT(type, name, function)                                                                 \
	EXPORT int name(const char *path, struct type *st);                                        \
	EXPORT int name(const char *path, struct type *st)                                         \
	{                                                                                          \
		return function(path, st);                                                         \
	}
STAT(stat, stat, stat_path)
STAT(stat64, stat64, stat_path)
STAT(stat, lstat, lstat_path)
STAT(stat64, lstat64, lstat_path)
#define FSTAT(type, name)                                                                          \
	EXPORT int name(int fd, struct type *st);                                                  \
	EXPORT int name(int fd, struct type *st)                                                   \
	{                                                                                          \
		return stat_fd(fd, st);                                                            \
	}
FSTAT(stat, fstat)
FSTAT(stat64, fstat64)
#define FSTATAT(type, name)                                                                        \
	EXPORT int name(int dir, const char *path, struct type *st, int flags);                    \
	EXPORT int name(int dir, const char *path, struct type *st, int flags)                     \
	{                                                                                          \
		return stat_at(dir, path, st, flags);                                              \
	}
FSTATAT(stat, fstatat)
FSTATAT(stat64, fstatat64)

/* The names of programs linked before glibc 2.33. */
#define XSTAT(name, function)                                                                      \
	EXPORT int name(int version, const char *path, void *st);                                  \
	EXPORT int name(int version, const char *path, void *st)                                   \
	{                                                                                          \
		(void)version;                                                                     \
		return function(path, st);                                                         \
	}
XSTAT(__xstat, stat_path)
XSTAT(__xstat64, stat_path)
XSTAT(__lxstat, lstat_path)
XSTAT(__lxstat64, lstat_path)
#define FXSTAT(name)                                                                               \
	EXPORT int name(int version, int fd, void *st);                                            \
	EXPORT int name(int version, int fd, void *st)                                             \
	{                                                                                          \
		(void)version;                                                                     \
		return stat_fd(fd, st);                                                            \
	}
FXSTAT(__fxstat)
FXSTAT(__fxstat64)
#define FXSTATAT(name)                                                                             \
	EXPORT int name(int version, int dir, const char *path, void *st, int flags);              \
	EXPORT int name(int version, int dir, const char *path, void *st, int flags)               \
	{                                                                                          \
		(void)version;                                                                     \
		return stat_at(dir, path, st, flags);                                              \
	}
FXSTATAT(__fxstatat)
FXSTATAT(__fxstatat64)

static struct statx_timestamp stamp(struct timespec at)
{
	return (struct statx_timestamp){.tv_sec = at.tv_sec, .tv_nsec = (uint32_t)at.tv_nsec};
}

EXPORT int statx(int dir, const char *restrict path, int flags, unsigned int mask,
	struct statx *restrict stx)
{
	struct stat st;
	int rc = is_empty(dir, path, flags)
			 ? stat_fd(dir, &st)
			 : path_stat(dir, path, flags & AT_SYMLINK_NOFOLLOW, &st);

	if (rc == SHIM_NOT_OURS)
		return shim_libc()->statx(dir, path, flags, mask, stx);
	if (rc)
		return rc;
	*stx = (struct statx){
		.stx_mask = STATX_BASIC_STATS,
		.stx_blksize = (uint32_t)st.st_blksize,
		.stx_nlink = (uint32_t)st.st_nlink,
		.stx_mode = (uint16_t)st.st_mode,
		.stx_ino = st.st_ino,
		.stx_size = (uint64_t)st.st_size,
		.stx_atime = stamp(st.st_atim),
		.stx_mtime = stamp(st.st_mtim),
		.stx_ctime = stamp(st.st_ctim),
		.stx_rdev_major = major(st.st_rdev),
		.stx_rdev_minor = minor(st.st_rdev),
		.stx_dev_major = major(st.st_dev),
		.stx_dev_minor = minor(st.st_dev),
	};
	return 0;
}

/* -- access, links, attributes ------------------------------------------------------------------- */

/* As for root: everything but running what is no program. */
static int access_ours(int rc, const struct stat *st, int mode)
{
	if (rc)
		return rc;
	return mode & X_OK && !(st->st_mode & 0111) ? (int)shim_as_libc(-EACCES) : 0;
}

#define ACCESS(name)                                                                               \
	EXPORT int name(const char *path, int mode)                                                \
	{                                                                                          \
		struct stat st;                                                                    \
		int rc = path_stat(AT_FDCWD, path, false, &st);                                    \
		return rc != SHIM_NOT_OURS ? access_ours(rc, &st, mode)                            \
					   : shim_libc()->access(path, mode);                      \
	}
ACCESS(access)
ACCESS(eaccess)
ACCESS(euidaccess)

EXPORT int faccessat(int dir, const char *path, int mode, int flags)
{
	struct stat st;
	int rc = path_stat(dir, path, flags & AT_SYMLINK_NOFOLLOW, &st);

	return rc != SHIM_NOT_OURS ? access_ours(rc, &st, mode)
				   : shim_libc()->faccessat(dir, path, mode, flags);
}

static ssize_t link_read(int dir, const char *path, char *to, size_t len)
{
	struct tree_place place;
	int rc = tree_find(dir, path, true, &place);

	if (rc == TREE_NOT_OURS)
		return path ? fdinfo_link(path, to, len) : SHIM_NOT_OURS;
	if (!rc && !S_ISLNK(place.st.st_mode))
		rc = -EINVAL;
	return rc ? shim_as_libc(rc) : shim_libc()->readlink(place.real, to, len);
}

EXPORT ssize_t readlink(const char *restrict path, char *restrict to, size_t len)
{
	ssize_t n = link_read(AT_FDCWD, path, to, len);

	return n != SHIM_NOT_OURS ? n : shim_libc()->readlink(path, to, len);
}

EXPORT ssize_t readlinkat(int dir, const char *restrict path, char *restrict to, size_t len)
{
	ssize_t n = link_read(dir, path, to, len);

	return n != SHIM_NOT_OURS ? n : shim_libc()->readlinkat(dir, path, to, len);
}

EXPORT ssize_t __readlink_chk(const char *path, char *to, size_t len, size_t room);
EXPORT ssize_t __readlink_chk(const char *path, char *to, size_t len, size_t room)
{
	if (len > room)
		abort();
	return readlink(path, to, len);
}

EXPORT ssize_t __readlinkat_chk(int dir, const char *path, char *to, size_t len, size_t room);
EXPORT ssize_t __readlinkat_chk(int dir, const char *path, char *to, size_t len, size_t room)
{
	if (len > room)
		abort();
	return readlinkat(dir, path, to, len);
}

/* Nothing of ours has extended attributes. */
#define GETXATTR(name)                                                                             \
	EXPORT ssize_t name(const char *path, const char *attribute, void *value, size_t len)      \
	{                                                                                          \
		struct stat st;                                                                    \
		int rc = path_stat(AT_FDCWD, path, true, &st);                                     \
		return rc == SHIM_NOT_OURS ? shim_libc()->name(path, attribute, value, len)        \
					   : shim_as_libc(rc ? -errno : -ENODATA);                 \
	}
GETXATTR(getxattr)
GETXATTR(lgetxattr)
#define LISTXATTR(name)                                                                            \
	EXPORT ssize_t name(const char *path, char *list, size_t len)                              \
	{                                                                                          \
		struct stat st;                                                                    \
		int rc = path_stat(AT_FDCWD, path, true, &st);                                     \
		return rc != SHIM_NOT_OURS ? rc : shim_libc()->name(path, list, len);              \
	}
LISTXATTR(listxattr)
LISTXATTR(llistxattr)
