/* SPDX-License-Identifier: BSD-2-Clause */
/* memfds and eventfds of simulated tasks. A memfd's pages are image memory in one piece, so that the
 * physical page behind (file, offset) is arithmetic. Its size is set once. */
#include <fcntl.h>
#include <poll.h>
#include <string.h>

#include "kernel/core.h"

struct memfd {
	uint64_t size;
	const uint8_t *memory;
};

struct eventfd {
	uint64_t count;
};

int memfd_create_file(const char *name, const struct file **file)
{
	struct memfd *memfd = image_alloc(sizeof(*memfd), IMAGE_TYPE_MEMFD);

	if (!memfd)
		return -ENOMEM;
	*file = file_create(FILE_MEMFD, memfd, name);
	return *file ? 0 : -ENOMEM;
}

static int memfd_truncate(const struct file *file, uint64_t size)
{
	const struct memfd *memfd = file->priv;
	struct memfd *w;
	const uint8_t *memory;

	if (size == memfd->size)
		return 0;
	if (memfd->size || size > IMAGE_SPAN)
		return -EINVAL;
	memory = image_bulk_alloc((size + PHYS_PAGE - 1) & ~(uint64_t)(PHYS_PAGE - 1), IMAGE_TYPE_RAM);
	if (!memory)
		return -ENOMEM;
	w = image_write(memfd);
	w->memory = memory;
	w->size = size;
	return 0;
}

bool file_is_memfd(const struct file *file)
{
	return file->type == FILE_MEMFD;
}

uint64_t memfd_size(const struct file *file)
{
	const struct memfd *memfd = file->priv;

	return memfd->size;
}

const void *memfd_memory(const struct file *file, uint64_t offset, uint64_t len)
{
	const struct memfd *memfd = file->priv;

	if (offset > memfd->size || len > memfd->size - offset)
		return NULL;
	return memfd->memory + offset;
}

uint64_t memfd_page(const struct file *file, uint64_t offset, uint64_t len, uint64_t *run)
{
	const struct memfd *memfd = file->priv;
	uint64_t left;

	if (offset >= memfd->size)
		return 0;
	left = memfd->size - offset;
	*run = len < left ? len : left;
	return phys_of(memfd->memory + offset);
}

static ssize_t memfd_read(const struct file *file, uint64_t to, size_t len, uint64_t position)
{
	const struct memfd *memfd = file->priv;

	if (position >= memfd->size)
		return 0;
	if (len > memfd->size - position)
		len = memfd->size - position;
	return copy_to_user(to, memfd->memory + position, len) ? -EFAULT : (ssize_t)len;
}

static ssize_t memfd_write(const struct file *file, uint64_t from, size_t len, uint64_t position)
{
	const struct memfd *memfd = file->priv;

	if (position > memfd->size || len > memfd->size - position)
		return -EFBIG;
	return copy_from_user(image_bulk_write(memfd->memory + position, len), from, len) ? -EFAULT : (ssize_t)len;
}

static int memfd_mmap(const struct file *file, struct mmap_request *request)
{
	request->memory = memfd_memory(file, request->offset, request->len);
	return request->memory ? 0 : -ENXIO;
}

static void memfd_release(const struct file *file)
{
	const struct memfd *memfd = file->priv;

	image_bulk_free(memfd->memory);
	image_free(memfd);
}

const struct file_ops memfd_file_ops = {
	.name = "memfd",
	.read = memfd_read,
	.write = memfd_write,
	.mmap = memfd_mmap,
	.truncate = memfd_truncate,
	.release = memfd_release,
};

/* -- eventfd ---------------------------------------------------------------------------------- */

int eventfd_create(unsigned int initial, const struct file **file)
{
	struct eventfd *event = image_alloc(sizeof(*event), IMAGE_TYPE_EVENTFD);

	if (!event)
		return -ENOMEM;
	event->count = initial;
	*file = file_create(FILE_EVENTFD, event, "[eventfd]");
	return *file ? 0 : -ENOMEM;
}

void eventfd_signal(const struct file *file, uint64_t count)
{
	const struct eventfd *event = file->priv;
	struct eventfd *w = image_write(event);

	if (__builtin_add_overflow(event->count, count, &w->count) || w->count == UINT64_MAX)
		w->count = UINT64_MAX - 1;
}

uint64_t eventfd_take(const struct file *file)
{
	const struct eventfd *event = file->priv;
	uint64_t count = event->count;
	struct eventfd *w;

	if (count) {
		w = image_write(event);
		w->count = 0;
	}
	return count;
}

static ssize_t eventfd_read(const struct file *file, uint64_t to, size_t len, uint64_t position)
{
	const struct eventfd *event = file->priv;
	struct eventfd *w;

	(void)position;
	if (len < sizeof(event->count))
		return -EINVAL;
	if (!event->count)
		return -EAGAIN;		/* a simulated task polls; it never sleeps in read */
	if (copy_to_user(to, &event->count, sizeof(event->count)))
		return -EFAULT;
	w = image_write(event);
	w->count = 0;
	return sizeof(event->count);
}

static ssize_t eventfd_write(const struct file *file, uint64_t from, size_t len, uint64_t position)
{
	const struct eventfd *event = file->priv;
	uint64_t count;

	(void)position;
	if (len < sizeof(count))
		return -EINVAL;
	if (copy_from_user(&count, from, sizeof(count)))
		return -EFAULT;
	if (count == UINT64_MAX)
		return -EINVAL;
	if (count > UINT64_MAX - 1 - event->count)
		return -EAGAIN;
	eventfd_signal(file, count);
	return sizeof(count);
}

static unsigned int eventfd_poll(const struct file *file)
{
	const struct eventfd *event = file->priv;

	return POLLOUT | (event->count ? POLLIN : 0);
}

static void eventfd_release(const struct file *file)
{
	image_free(file->priv);
}

const struct file_ops eventfd_file_ops = {
	.name = "eventfd",
	.read = eventfd_read,
	.write = eventfd_write,
	.poll = eventfd_poll,
	.release = eventfd_release,
};
