/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Paths: device nodes, and the host's part of sysfs. What the host has hides what is really there
 * under the same name; everything else is libc's.
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
#include "kernel/vfio/vfio.h"
#include "shim/shim.h"

#define EXPORT SHIM_EXPORT
#define SYSFS_TEXT 4096u
#define MISC_MAJOR 10u
#define IOMMU_MINOR 261u /* dynamic in Linux */
#define KVM_MINOR 232u
#define OUR_INODES 0x5357000000ull

struct path_call {
	const char *path;
	int flags;
	bool link; /* of the link itself */
	struct stat *st;
	char *text;
	size_t len;
	int fd;
};

bool shim_path_maybe(const char *path)
{
	static const char *const prefixes[] = {"/dev/iommu", "/dev/vfio", "/dev/kvm",
		"/sys/bus/pci", "/sys/class/tsm", "/sys/kernel/iommu_groups"};

	if (!path || path[0] != '/' || (path[1] != 'd' && path[1] != 's'))
		return false;
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (!strncmp(path, prefixes[i], strlen(prefixes[i])))
			return true;
	return false;
}

/* -- what is there -------------------------------------------------------------------------------
 */

static bool vfio_node(const char *path, unsigned int *number)
{
	const struct pci_dev *pdev;
	char name[40];

	for (uint16_t rid = 0; (pdev = pci_dev_next(&rid)); rid++) {
		if (!pdev->vfio)
			continue;
		*number = vfio_device_number(vfio_device_of(pdev));
		snprintf(name, sizeof(name), "/dev/vfio/devices/vfio%u", *number);
		if (!strcmp(name, path))
			return true;
	}
	return false;
}

static int sysfs_mode(const char *path, bool link, mode_t *mode)
{
	char text[SYSFS_TEXT];
	int rc = pci_sysfs_read(path, text, sizeof(text));

	if (rc == -EISDIR)
		*mode = link && pci_sysfs_link(path, text, sizeof(text)) >= 0 ? S_IFLNK | 0777
									      : S_IFDIR | 0755;
	else if (rc == -EACCES)
		*mode = S_IFREG | 0200;
	else if (rc >= 0)
		*mode = S_IFREG | 0644;
	else
		return rc;
	return 0;
}

/* Mode and device number of a path of ours; -ENOENT. */
static int node_find(const char *path, bool link, mode_t *mode, dev_t *rdev)
{
	unsigned int number;

	*rdev = 0;
	*mode = S_IFCHR | 0600;
	if (!strcmp(path, "/dev/iommu"))
		*rdev = makedev(MISC_MAJOR, IOMMU_MINOR);
	else if (!strcmp(path, "/dev/kvm") && kernel_options()->kvm)
		*rdev = makedev(MISC_MAJOR, KVM_MINOR);
	else if (!strcmp(path, "/dev/vfio") || !strcmp(path, "/dev/vfio/devices"))
		*mode = S_IFDIR | 0755;
	else if (vfio_node(path, &number))
		*rdev = makedev(VFIO_MAJOR, number);
	else if (!strncmp(path, "/sys/", 5))
		return sysfs_mode(path, link, mode);
	else
		return -ENOENT;
	return 0;
}

static void stat_fill(struct stat *st, const char *path, mode_t mode, dev_t rdev)
{
	uint64_t inode = OUR_INODES;

	for (const char *p = path; *p; p++)
		inode += inode * 31 % 0xffffff + (unsigned char)*p;
	st->st_ino = inode;
	st->st_mode = mode;
	st->st_rdev = rdev;
	st->st_nlink = S_ISDIR(mode) ? 2 : 1;
	st->st_uid = st->st_gid = 0;
	st->st_size = S_ISREG(mode) ? SYSFS_TEXT : 0;
	st->st_blocks = 0;
	st->st_blksize = SYSFS_TEXT;
}

static long stat_ask(void *arg)
{
	const struct path_call *call = arg;
	mode_t mode;
	dev_t rdev;
	int rc = node_find(call->path, call->link, &mode, &rdev);

	if (rc)
		return rc;
	memset(call->st, 0, sizeof(*call->st));
	stat_fill(call->st, call->path, mode, rdev);
	return 0;
}

bool shim_path_stat(const char *path, bool link, struct stat *st)
{
	struct path_call call = {.path = path, .link = link, .st = st};
	int error = errno;
	bool is = shim_path_maybe(path) && shim_ready() && !image_call(stat_ask, &call);

	errno = error;
	return is;
}

void shim_file_stat(const struct file *file, struct stat *st)
{
	struct stat node;

	/* What is not a device node has an anonymous inode or one of dma-buf's: as the memfd's. */
	if (!shim_path_stat(file->path, false, &node))
		return;
	st->st_mode = node.st_mode;
	st->st_rdev = node.st_rdev;
	st->st_ino = node.st_ino;
	st->st_size = node.st_size;
	st->st_nlink = 1;
}

/* -- open ----------------------------------------------------------------------------------------
 */

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

static int open_ours(const char *path, int flags, mode_t mode)
{
	struct path_call call = {.path = path, .flags = flags, .fd = -1};

	if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
		return -EEXIST;
	if (S_ISDIR(mode))
		return SHIM_NOT_OURS;
	if (flags & O_DIRECTORY)
		return -ENOTDIR;
	if (S_ISREG(mode) && (flags & O_ACCMODE) == O_RDONLY)
		return text_open(path, flags);
	shim_reap();
	return (int)image_call(node_open, &call);
}

int shim_path_open(const char *path, int flags)
{
	int error = errno, rc;
	struct stat st;

	if (!shim_path_stat(path, false, &st))
		return SHIM_NOT_OURS;
	rc = open_ours(path, flags, st.st_mode);
	errno = error;
	return rc == SHIM_NOT_OURS ? rc : (int)shim_as_libc(rc);
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
		int fd = shim_path_open(path, reads ? O_RDONLY : O_WRONLY);                        \
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
	return shim_path_stat(path, false, st) ? 0 : shim_libc()->stat(path, st);
}

static int lstat_path(const char *path, void *st)
{
	return shim_path_stat(path, true, st) ? 0 : shim_libc()->lstat(path, st);
}

static int stat_fd(int fd, void *st)
{
	const struct file *file = shim_fd_maybe(fd) ? shim_fd_file(fd) : NULL;
	int rc = shim_libc()->fstat(fd, st);

	if (!rc && file)
		shim_file_stat(file, st);
	return rc;
}

static int stat_at(int dir, const char *path, void *st, int flags)
{
	if (flags & AT_EMPTY_PATH && path && !*path && shim_fd_maybe(dir))
		return stat_fd(dir, st);
	if (shim_path_stat(path, flags & AT_SYMLINK_NOFOLLOW, st))
		return 0;
	return shim_libc()->fstatat(dir, path, st, flags);
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

EXPORT int statx(int dir, const char *restrict path, int flags, unsigned int mask,
	struct statx *restrict stx)
{
	bool empty = flags & AT_EMPTY_PATH && !*path && shim_fd_maybe(dir);
	struct stat st;

	if (!(empty ? shim_fd_file(dir) && !stat_fd(dir, &st)
		    : shim_path_stat(path, flags & AT_SYMLINK_NOFOLLOW, &st)))
		return shim_libc()->statx(dir, path, flags, mask, stx);
	*stx = (struct statx){
		.stx_mask = STATX_BASIC_STATS,
		.stx_blksize = (uint32_t)st.st_blksize,
		.stx_nlink = (uint32_t)st.st_nlink,
		.stx_mode = (uint16_t)st.st_mode,
		.stx_ino = st.st_ino,
		.stx_size = (uint64_t)st.st_size,
		.stx_rdev_major = major(st.st_rdev),
		.stx_rdev_minor = minor(st.st_rdev),
	};
	return 0;
}

/* -- access, links, attributes
 * --------------------------------------------------------------------- */

/* As for root: everything but running what is no program. */
static int access_ours(const struct stat *st, int mode)
{
	return mode & X_OK && !(st->st_mode & 0111) ? (int)shim_as_libc(-EACCES) : 0;
}

#define ACCESS(name)                                                                               \
	EXPORT int name(const char *path, int mode)                                                \
	{                                                                                          \
		struct stat st;                                                                    \
		return shim_path_stat(path, false, &st) ? access_ours(&st, mode)                   \
							: shim_libc()->access(path, mode);         \
	}
ACCESS(access)
ACCESS(eaccess)
ACCESS(euidaccess)

EXPORT int faccessat(int dir, const char *path, int mode, int flags)
{
	struct stat st;

	return shim_path_stat(path, flags & AT_SYMLINK_NOFOLLOW, &st)
		       ? access_ours(&st, mode)
		       : shim_libc()->faccessat(dir, path, mode, flags);
}

static long link_ask(void *arg)
{
	const struct path_call *call = arg;

	return pci_sysfs_link(call->path, call->text, call->len);
}

static ssize_t readlink_ours(const char *path, char *to, size_t len)
{
	char text[256];
	struct path_call call = {.path = path, .text = text, .len = sizeof(text)};
	int error = errno;
	long n = strncmp(path, "/sys/", 5) ? -EINVAL : image_call(link_ask, &call);

	errno = error;
	if (n > 0)
		memcpy(to, text, (size_t)n < len ? (size_t)n : len);
	return n > 0 && (size_t)n > len ? (ssize_t)len : shim_as_libc(n);
}

EXPORT ssize_t readlink(const char *restrict path, char *restrict to, size_t len)
{
	struct stat st;

	return shim_path_stat(path, true, &st) ? readlink_ours(path, to, len)
					       : shim_libc()->readlink(path, to, len);
}

EXPORT ssize_t readlinkat(int dir, const char *restrict path, char *restrict to, size_t len)
{
	struct stat st;

	return shim_path_stat(path, true, &st) ? readlink_ours(path, to, len)
					       : shim_libc()->readlinkat(dir, path, to, len);
}

/* Nothing of ours has extended attributes. */
#define GETXATTR(name)                                                                             \
	EXPORT ssize_t name(const char *path, const char *attribute, void *value, size_t len)      \
	{                                                                                          \
		struct stat st;                                                                    \
		return shim_path_stat(path, true, &st)                                             \
			       ? shim_as_libc(-ENODATA)                                            \
			       : shim_libc()->name(path, attribute, value, len);                   \
	}
GETXATTR(getxattr)
GETXATTR(lgetxattr)
#define LISTXATTR(name)                                                                            \
	EXPORT ssize_t name(const char *path, char *list, size_t len)                              \
	{                                                                                          \
		struct stat st;                                                                    \
		return shim_path_stat(path, true, &st) ? 0 : shim_libc()->name(path, list, len);   \
	}
LISTXATTR(listxattr)
LISTXATTR(llistxattr)
