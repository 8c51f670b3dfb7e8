/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading, writing, mapping and closing of descriptors. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "oracle.h"

/* data NULL: nothing was read. */
static void data_note(struct host *h, const uint8_t *data, long n)
{
	uint64_t sum = 0;

	for (long i = 0; data && i < n; i++)
		sum = sum * 31 + data[i];
	note(h, " = %ld", n < 0 ? -errno : n);
	if (n > 0)
		note(h, " data %llx", (unsigned long long)sum);
}

static void fault_read(struct host *h)
{
	struct queue *queue = &h->faults[roll(h, QUEUES)];
	struct iommu_hwpt_pgfault faults[4];
	size_t len = roll(h, 5) * sizeof(faults[0]);
	long n;

	if (!queue->fd)
		return;
	if (one_in(h, 12))
		len = roll(h, sizeof(faults) + 1);
	note(h, " queue %u len %zu", queue->id, len);
	n = read(queue->fd, faults, len);
	data_note(h, (uint8_t *)faults, n);
	for (long i = 0; i < n / (long)sizeof(faults[0]) && h->cookie_count < IDS; i++)
		h->cookies[h->cookie_count++] = faults[i].cookie;
}

static void fault_write(struct host *h)
{
	struct queue *queue = &h->faults[roll(h, QUEUES)];
	struct iommu_hwpt_page_response responses[3];
	size_t len = (1 + roll(h, 3)) * sizeof(responses[0]);
	const void *from = responses;

	if (!queue->fd)
		return;
	for (unsigned int i = 0; i < 3; i++) {
		responses[i].cookie = h->cookie_count && !one_in(h, 6) ?
					      h->cookies[--h->cookie_count] : roll(h, 6);
		responses[i].code = one_in(h, 12) ? 2 : roll(h, 2);
	}
	if (one_in(h, 12))
		len = roll(h, 20);
	if (one_in(h, 30))
		from = (const void *)(uintptr_t)HOLE_START;
	note(h, " queue %u len %zu cookie %u code %u", queue->id, len, responses[0].cookie,
	     responses[0].code);
	data_note(h, NULL, write(queue->fd, from, len));
}

static void event_read(struct host *h)
{
	struct queue *queue = &h->events[roll(h, QUEUES)];
	uint8_t data[64];
	size_t len = one_in(h, 3) ? roll(h, sizeof(data) + 1) : sizeof(data);
	void *to = one_in(h, 30) ? (void *)(uintptr_t)HOLE_START : data;

	if (!queue->fd)
		return;
	note(h, " queue %u len %zu", queue->id, len);
	data_note(h, data, read(queue->fd, to, len));
}

static void other_io(struct host *h)
{
	struct queue *queue = one_in(h, 2) ? &h->events[roll(h, QUEUES)] : &h->faults[roll(h, QUEUES)];
	uint64_t data[16] = { 0 };
	unsigned int how = roll(h, 4);
	int fd = one_in(h, 8) ? h->fd : queue->fd;
	long n = 0;

	if (!fd)
		return;
	if (how == 0)
		n = pread(fd, data, 80, 8);
	else if (how == 1)
		n = pwrite(fd, data, 8, 8);
	else if (how == 2 && fd != queue->fd)
		n = write(fd, data, 8);
	else if (how == 3)
		n = lseek(fd, 0, SEEK_END);
	note(h, " how %u fd %d = %ld", how, fd == h->fd, n < 0 ? -errno : n);
}

static void queue_close(struct host *h)
{
	struct queue *queue = one_in(h, 2) ? &h->events[roll(h, QUEUES)] : &h->faults[roll(h, QUEUES)];

	if (!queue->fd)
		return;
	note(h, " queue %u = %d", queue->id, close(queue->fd));
	queue->fd = 0;
}

static void map_page(struct host *h)
{
	uint64_t offset = h->map_offset, length = h->map_length;
	int prot = PROT_READ | PROT_WRITE, flags = MAP_SHARED;
	void *at;

	if (h->mapping || !length)
		return;
	if (one_in(h, 6))
		offset += PAGE;
	if (one_in(h, 6))
		length /= 2;
	if (one_in(h, 8))
		prot |= PROT_EXEC;
	if (one_in(h, 8))
		flags = MAP_PRIVATE;
	at = mmap(NULL, length, prot, flags, h->fd, (off_t)offset);
	note(h, " offset %llx length %llx = %d", (unsigned long long)offset,
	     (unsigned long long)length, at == MAP_FAILED ? -errno : 0);
	if (at == MAP_FAILED)
		return;
	h->mapping = at;
	h->map_length = length;
	note(h, " data %x", *(uint32_t *)at);
}

static void unmap_page(struct host *h)
{
	if (!h->mapping)
		return;
	note(h, " = %d", munmap(h->mapping, h->map_length));
	h->mapping = NULL;
	h->map_length = 0;
}

const struct op file_ops[] = {
	{ "fault_read", 24, fault_read },
	{ "fault_write", 20, fault_write },
	{ "event_read", 24, event_read },
	{ "other_io", 4, other_io },
	{ "queue_close", 5, queue_close },
	{ "map_page", 8, map_page },
	{ "unmap_page", 4, unmap_page },
	{ NULL, 0, NULL },
};
