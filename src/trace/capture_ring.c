/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Objects on their way from the processes that exchange them to the one that writes the capture. The
 * ring is bulk memory, which a failing call does not undo: what was on the wire was on the wire. Its
 * readers and writers hold the image's lock; a process that dies within an append leaves the head
 * where it was. Any process of the image may spoil it, so the reader believes nothing.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "image/image.h"
#include "trace/capture.h"

#define RING_BYTES (8u << 20)	/* a power of two; an exchange of DOE takes longer than to write it down */

enum { RING_NOTHING, RING_OBJECT, RING_SECRET };

struct ring {
	uint64_t head, tail;	/* bytes put in and taken out, ever */
	uint64_t lost;
	uint64_t secrets;	/* are wanted */
	uint8_t bytes[RING_BYTES];
};

struct ring_record {		/* then what is kept of it; the next one starts at a multiple of 8 */
	uint64_t now;		/* wall clock, ns */
	uint32_t kept, whole;	/* bytes */
	uint16_t rid;
	uint8_t kind, to_device, pad[4];
};

int capture_ring_power_on(bool secrets)
{
	struct ring *ring = image_bulk_alloc(sizeof(*ring), IMAGE_TYPE_CAPTURE);

	if (!ring)
		return -ENOMEM;
	((struct ring *)image_bulk_write(ring, sizeof(uint64_t) * 4))->secrets = secrets;
	image_root_set(IMAGE_ROOT_CAPTURE, ring);
	return 0;
}

static const struct ring *ring_find(void)
{
	return image_present() ? image_root(IMAGE_ROOT_CAPTURE) : NULL;
}

static uint64_t rounded(uint64_t len)
{
	return (len + 7) & ~(uint64_t)7;
}

/* Bytes [at, at+len) of the ring, in two parts where it ends. */
static void ring_put(const struct ring *ring, uint64_t at, const void *from, uint64_t len)
{
	uint64_t start = at % RING_BYTES, first = RING_BYTES - start < len ? RING_BYTES - start : len;

	memcpy(image_bulk_write(ring->bytes + start, first), from, first);
	memcpy(image_bulk_write(ring->bytes, len - first), (const uint8_t *)from + first, len - first);
}

static void ring_get(const struct ring *ring, uint64_t at, void *to, uint64_t len)
{
	uint64_t start = at % RING_BYTES, first = RING_BYTES - start < len ? RING_BYTES - start : len;

	memcpy(to, ring->bytes + start, first);
	memcpy((uint8_t *)to + first, ring->bytes, len - first);
}

static void ring_append(struct ring_record record, const void *bytes)
{
	const struct ring *ring = ring_find();
	uint64_t whole = sizeof(record) + rounded(record.kept), head;
	struct timespec ts;
	struct ring *w;

	if (!ring)
		return;
	w = image_bulk_write(ring, sizeof(uint64_t) * 4);
	head = w->head;
	if (w->head - w->tail + whole > RING_BYTES) {
		w->lost++;
		return;
	}
	clock_gettime(CLOCK_REALTIME, &ts);
	record.now = (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
	ring_put(ring, head, &record, sizeof(record));
	ring_put(ring, head + sizeof(record), bytes, record.kept);
	__atomic_store_n(&w->head, head + whole, __ATOMIC_RELEASE);
}

static uint32_t kept(size_t len)
{
	return len < CAPTURE_LONGEST ? (uint32_t)len : CAPTURE_LONGEST;
}

void capture_ring_object(uint16_t rid, bool to_device, const uint8_t *object, size_t len)
{
	ring_append((struct ring_record){ .kept = kept(len), .whole = (uint32_t)len, .rid = rid,
					  .kind = RING_OBJECT, .to_device = to_device },
		    object);
}

bool capture_ring_secrets(void)
{
	return ring_find() && ring_find()->secrets;
}

void capture_ring_secret(const char *line)
{
	uint32_t len = kept(strlen(line));

	ring_append((struct ring_record){ .kept = len, .whole = len, .kind = RING_SECRET }, line);
}

static bool record_ok(const struct ring_record *record)
{
	return record->kept <= CAPTURE_LONGEST && record->kept <= record->whole &&
	       (record->kind == RING_OBJECT || record->kind == RING_SECRET);
}

/* The record at `at`, of which and of what follows `there` bytes are in the ring: its length, or
 * -EBADMSG. */
static int64_t record_take(const struct ring *ring, uint64_t at, uint64_t there,
			   struct ring_record *record, uint8_t bytes[CAPTURE_LONGEST + 1])
{
	static const uint8_t zeroes[CAPTURE_LONGEST];

	if (there > RING_BYTES || there < sizeof(*record))
		return -EBADMSG;
	ring_get(ring, at, record, sizeof(*record));
	if (!record_ok(record) || sizeof(*record) + rounded(record->kept) > there)
		return -EBADMSG;
	ring_get(ring, at + sizeof(*record), bytes, record->kept);
	bytes[record->kept] = '\0';
	if (record->kind == RING_SECRET)
		ring_put(ring, at + sizeof(*record), zeroes, record->kept);
	return (int64_t)(sizeof(*record) + rounded(record->kept));
}

int capture_ring_drain(const struct capture_ring_ops *ops, uint64_t *lost)
{
	static uint8_t bytes[CAPTURE_LONGEST + 1];
	const struct ring *ring = ring_find();
	struct ring_record record;
	uint64_t at, head;
	int64_t taken = 0;
	struct ring *w;

	*lost = 0;
	if (!ring)
		return 0;
	w = image_bulk_write(ring, sizeof(uint64_t) * 4);
	/* read once: whoever spoils them now does not keep us here */
	head = __atomic_load_n(&w->head, __ATOMIC_ACQUIRE);
	at = __atomic_load_n(&w->tail, __ATOMIC_RELAXED);
	for (; at != head; at += (uint64_t)taken) {
		taken = record_take(ring, at, head - at, &record, bytes);
		if (taken < 0)
			break;
		if (record.kind == RING_OBJECT)
			ops->object(&(struct capture_head){ record.rid, record.to_device, record.now,
							    record.whole }, bytes);
		else
			ops->secret((const char *)bytes);
	}
	w->tail = head;
	explicit_bzero(bytes, sizeof(bytes));
	*lost = w->lost;
	return taken < 0 ? (int)taken : 0;
}
