/* SPDX-License-Identifier: BSD-2-Clause */
/* Files that can be polled. */
#include <errno.h>
#include <poll.h>
#include <stddef.h>

#include "shim/queue.h"
#include "shim/shim.h"
#include "shim/tree.h"

static void path_of(const struct file *file, char path[TREE_PATH])
{
	snprintf(path, TREE_PATH, "%s/" TREE_QUEUES "/%u.%u", shim_environment()->value[SHIM_TREE],
		file->id, file->generation);
}

bool queue_is(const struct file *file)
{
	return file->type == FILE_IOMMUFD_FAULT || file->type == FILE_IOMMUFD_VEVENTQ;
}

static int queue_open(const struct file *file, int flags)
{
	char path[TREE_PATH];

	path_of(file, path);
	return shim_libc()->open(path, O_RDWR | O_NONBLOCK | flags);
}

/* One byte is in the FIFO while there is something to read. */
static void update(const struct file *file)
{
	bool readable = file_type_ops[file->type]->poll(file) & POLLIN;
	int fd = queue_open(file, O_CLOEXEC), n = 0;
	char byte = 0;

	if (fd < 0)
		return;
	if (!shim_libc()->ioctl(fd, FIONREAD, &n) && readable != (n > 0)) {
		if ((readable ? shim_libc()->write(fd, &byte, 1)
			      : shim_libc()->read(fd, &byte, 1)) != 1)
			n = 0;
	}
	shim_libc()->close(fd);
}

void queues_update(void)
{
	const struct file *file;
	int error = errno;

	for (uint32_t id = 1; (file = file_next(&id)); id++)
		if (file->node)
			update(file);
	errno = error;
}

int queue_make(const struct file *file, unsigned int flags)
{
	struct file *w = image_write(file);
	char path[TREE_PATH];
	struct stat st;
	int fd;

	path_of(file, path);
	unlink(path);	/* of a call that failed */
	if (mknod(path, S_IFIFO | 0600, 0))
		return -errno;
	fd = shim_libc()->open(path, O_RDWR | (int)(flags & O_CLOEXEC));
	if (fd < 0 || shim_libc()->fstat(fd, &st))
		return -errno;
	w->node = st.st_ino;
	update(file);
	return fd;
}

const struct file *queue_file(int fd)
{
	const struct file *file;
	struct stat st;

	if (shim_libc()->fstat(fd, &st) || !S_ISFIFO(st.st_mode))
		return NULL;
	for (uint32_t id = 1; (file = file_next(&id)); id++)
		if (file->node == st.st_ino)
			return file;
	return NULL;
}

bool queue_named(int fd)
{
	const char *tree = shim_environment()->value[SHIM_TREE];
	char link[32], path[TREE_PATH];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = shim_libc()->readlink(link, path, sizeof(path) - 1);
	if (n < 0)
		return false;
	path[n] = '\0';
	return !strncmp(path, tree, strlen(tree)) &&
	       !strncmp(path + strlen(tree), "/" TREE_QUEUES "/", sizeof("/" TREE_QUEUES));
}

int queue_probe(const struct file *file)
{
	return queue_open(file, O_CLOEXEC);
}

void queue_remove(const struct file *file)
{
	char path[TREE_PATH];

	path_of(file, path);
	unlink(path);
}
