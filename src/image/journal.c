/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The journal: what undoes a call, and what a snapshot goes back by.
 *
 * Its segments are two fixed chunks and then chunks from the top of the arena downwards, so that
 * the n-th segment has a fixed place. A chunk may become a segment only if it held nothing since
 * the oldest point one can go back to; else going back would put objects under the journal.
 *
 * A rollback applies records from the newest to the last commit and then moves one pointer. Until
 * it has moved it can be started over, by another process as well. While a snapshot lives nothing
 * is dropped: the records of an undone call stay, and undoing them again on a restore is harmless.
 */
#include "image/arena.h"

#include <errno.h>
#include <sys/mman.h>

static void fence(void)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* -- segments --------------------------------------------------------------------------------- */

static uint64_t segment_chunk(uint32_t segment)
{
	if (segment < JOURNAL_FIXED)
		return CHUNK_FIRST + segment;
	return HEADER->chunk_end - 1 - (segment - JOURNAL_FIXED);
}

static uint32_t segment_of(const uint8_t *at)
{
	uint64_t chunk = chunk_of(at);

	if (chunk < CHUNK_OBJECTS)
		return (uint32_t)(chunk - CHUNK_FIRST);
	return (uint32_t)(HEADER->chunk_end - 1 - chunk + JOURNAL_FIXED);
}

uint64_t journal_highest(void)
{
	return HEADER->chunk_end - 1 - (HEADER->segments - JOURNAL_FIXED);
}

static uint8_t *segment_end(const uint8_t *at)
{
	/* Short of the real end, so that a head at the end is not in the chunk after it. */
	return chunk_address(chunk_of(at) + 1) - sizeof(struct image_record);
}

static void journal_set_head(uint8_t *head)
{
	HEADER->journal.head = head;
	fence();
	HEADER->journal.end = segment_end(head);
}

static bool segment_add(void)
{
	struct image_header *header = HEADER;

	if (journal_highest() <= header->chunk_high || journal_highest() < CHUNK_OBJECTS)
		return false;
	header->segments++;
	header->tidy = 1;
	return true;
}

static bool segment_next(void)
{
	uint32_t next = segment_of(HEADER->journal.head) + 1;
	struct segment *segment;

	if (next >= HEADER->segments && !segment_add())
		return false;
	segment = (struct segment *)chunk_address(segment_chunk(next));
	segment->before = HEADER->journal.head;
	fence();
	journal_set_head((uint8_t *)(segment + 1));
	return true;
}

static void segments_drop(void)
{
	struct image_header *header = HEADER;

	while (header->segments > JOURNAL_FIXED) {
		uint64_t chunk = segment_chunk(header->segments - 1);

		madvise(chunk_address(chunk), CHUNK_SIZE, MADV_REMOVE);
		header->segments--;
	}
}

int image_reserve(uint64_t journal_bytes)
{
	uint64_t usable = CHUNK_SIZE - JOURNAL_PIECE - IMAGE_PAGE, room = 0;
	uint32_t at = segment_of(HEADER->journal.head);

	if (HEADER->journal.end > HEADER->journal.head + JOURNAL_PIECE + IMAGE_PAGE)
		room = (uint64_t)(HEADER->journal.end - HEADER->journal.head) - JOURNAL_PIECE -
		       IMAGE_PAGE;
	room += (HEADER->segments - 1 - at) * usable;
	while (room < journal_bytes) {
		if (!segment_add())
			return -ENOMEM;
		room += usable;
	}
	return 0;
}

void journal_reset(void)
{
	struct image_header *header = HEADER;

	header->marks = 0;
	header->last_mark = NULL;
	header->restoring = 0;
	header->segments = JOURNAL_FIXED;
	journal_set_head(JOURNAL_START);
	header->commit = header->keep = JOURNAL_START;
}

/* -- appending -------------------------------------------------------------------------------- */

static void journal_append(enum record_kind kind, const void *p, uint32_t len, const void *bytes,
			   uint32_t count)
{
	size_t pad = (count + 15) & ~(size_t)15;
	struct image_record *record;

	while (HEADER->journal.head + pad + sizeof(*record) > HEADER->journal.end)
		if (!segment_next())
			image_call_abort(-ENOMEM);
	record = (struct image_record *)(HEADER->journal.head + pad);
	if (count)
		memcpy(HEADER->journal.head, bytes, count);
	*record = (struct image_record){.address = (uintptr_t)p,
		.len = len,
		.kind = (uint16_t)kind,
		.magic = IMAGE_RECORD_MAGIC};
	fence();
	HEADER->journal.head = (uint8_t *)(record + 1);
	fence();
}

void *image_log_slow(const void *p, size_t len)
{
	const uint8_t *at = p;

	while (len) {
		uint32_t n = len < JOURNAL_PIECE ? (uint32_t)len : JOURNAL_PIECE;

		journal_append(RECORD_BYTES, at, n, at, n);
		at += n;
		len -= n;
	}
	return (void *)(uintptr_t)p;
}

void journal_note(enum record_kind kind, const void *p, uint32_t len)
{
	journal_append(kind, p, len, NULL, 0);
}

void journal_save_page(uint64_t page)
{
	journal_append(RECORD_PAGE, page_address(page), IMAGE_PAGE, page_address(page), IMAGE_PAGE);
}

bool journal_dirty(void)
{
	return HEADER->journal.head != HEADER->commit;
}

/* -- going back ------------------------------------------------------------------------------- */

static uint32_t record_bytes(const struct image_record *record)
{
	switch (record->kind) {
	case RECORD_BYTES:
	case RECORD_PAGE:
		return record->len;
	case RECORD_MARK:
		return sizeof(struct mark);
	default:
		return 0;
	}
}

bool record_is_sound(const struct image_record *record)
{
	uint64_t len = record->len;

	if (record->magic != IMAGE_RECORD_MAGIC || record->kind >= RECORD_KINDS ||
	    record_bytes(record) > JOURNAL_PIECE)
		return false;
	if (record->kind == RECORD_FRESH)
		len *= IMAGE_PAGE;
	if (record->kind == RECORD_PAGE && len != IMAGE_PAGE)
		return false;
	return record->kind == RECORD_MARK ||
	       image_contains((void *)(uintptr_t)record->address, len);
}

const struct image_record *journal_before(const uint8_t **at)
{
	const struct image_record *record;

	while (*at == chunk_address(chunk_of(*at)) + sizeof(struct segment)) {
		if (*at == JOURNAL_START)
			return NULL;
		*at = ((const struct segment *)*at - 1)->before;
	}
	record = (const struct image_record *)*at - 1;
	*at = (const uint8_t *)record - ((record_bytes(record) + 15) & ~15u);
	return record;
}

static void record_undo(const struct image_record *record, const uint8_t *bytes, bool restore)
{
	uint8_t *to = (uint8_t *)record->address;

	if (!record_is_sound(record))
		return;		/* a wild write hit the journal; image_verify() finds the rest */
	switch (record->kind) {
	case RECORD_BYTES:
		memcpy(to, bytes, record->len);
		break;
	case RECORD_ZERO:
		memset(to, 0, record->len);
		break;
	case RECORD_FRESH:
		bulk_unwrite(page_of(to), record->len);
		break;
	case RECORD_PAGE:
		if (restore) {
			memcpy(to, bytes, IMAGE_PAGE);
			*page_epoch_at(page_of(to)) = 1;
			chunk_at(chunk_of(to))->touched = 1;
		}
		break;
	case RECORD_WRITTEN:
		if (restore) {
			*page_epoch_at(page_of(to)) = 1;
			chunk_at(chunk_of(to))->touched = 1;
		}
		break;
	case RECORD_PAGE_ZERO:
		if (restore)
			bulk_unwrite(page_of(to), 1);
		break;
	default:
		break;
	}
}

static void journal_undo(const uint8_t *stop, bool restore)
{
	const uint8_t *at = HEADER->journal.head;

	while (at != stop) {
		const struct image_record *record = journal_before(&at);

		if (!record)
			break;
		record_undo(record, at, restore);
	}
	fence();
}

/* While a snapshot lives the records of what is undone stay, and undoing them again is harmless. */
void image_rollback(void)
{
	struct image_header *header = HEADER;

	journal_undo(header->keep, false);
	if (header->marks)
		header->keep = header->journal.head;
	else
		journal_set_head(header->keep);
}

void image_keep(void)
{
	HEADER->keep = HEADER->journal.head;
}

static void commit_tidy(void)
{
	struct image_header *header = HEADER;

	header->tidy = 0;
	if (header->dying)
		bulk_reap();
	if (header->marks)
		return;
	segments_drop();
	chunks_find_high();
}

void journal_commit(void)
{
	struct image_header *header = HEADER;

	fence();
	if (header->marks)
		header->commit = header->journal.head;
	else if (header->journal.head != JOURNAL_START)
		journal_set_head(JOURNAL_START);
	header->keep = header->journal.head;
	fence();
}

void image_commit(void)
{
	journal_commit();
	if (HEADER->tidy)
		commit_tidy();
}

/* -- snapshots -------------------------------------------------------------------------------- */

static const struct mark *mark_find(image_mark id)
{
	const struct mark *mark = HEADER->last_mark;

	while (mark && mark->id != id)
		mark = mark->before;
	return mark && mark->live ? mark : NULL;
}

static uint8_t *mark_end(const struct mark *mark)
{
	return (uint8_t *)(uintptr_t)mark + ((sizeof(*mark) + 15) & ~(size_t)15) +
	       sizeof(struct image_record);
}

image_mark image_snapshot(void)
{
	struct image_header *header = HEADER;
	struct mark mark;

	if (image_enter())
		return 0;
	image_commit();
	if (image_reserve(sizeof(mark) + sizeof(struct image_record))) {
		image_leave();
		return 0;
	}
	mark = (struct mark){ .id = header->next_mark++, .before = header->last_mark, .live = 1,
			      .state = header->now };
	journal_append(RECORD_MARK, NULL, 0, &mark, sizeof(mark));
	header->last_mark =
		(const struct mark *)(header->journal.head - sizeof(struct image_record) -
				      ((sizeof(mark) + 15) & ~(size_t)15));
	fence();
	header->marks++;
	header->epoch++;
	image_leave();
	return mark.id;
}

/* Can be started over: nothing is dropped before all is done. */
static void journal_restore(const struct mark *mark)
{
	struct image_header *header = HEADER;
	uint64_t marks = 0;

	header->restoring = mark->id;
	fence();
	journal_undo(mark_end(mark), true);
	for (const struct mark *m = mark; m; m = m->before)
		marks += m->live;
	header->now = mark->state;
	header->last_mark = mark;
	header->marks = marks;
	header->epoch++;
	fence();
	header->commit = header->keep = mark_end(mark);
	journal_set_head(mark_end(mark));
	fence();
	header->restoring = 0;
}

int image_restore(image_mark id)
{
	const struct mark *mark;
	int rc = image_enter();

	if (rc)
		return rc;
	mark = mark_find(id);
	if (mark)
		journal_restore(mark);
	image_leave();
	return mark ? 0 : -ENOENT;
}

void image_release(image_mark id)
{
	struct image_header *header = HEADER;
	const struct mark *mark;

	if (image_enter())
		return;
	mark = mark_find(id);
	if (mark) {
		((struct mark *)(uintptr_t)mark)->live = 0;
		if (!--header->marks) {
			journal_set_head(JOURNAL_START);
			header->commit = header->keep = JOURNAL_START;
			header->last_mark = NULL;
			header->tidy = 1;
		}
	}
	image_leave();
}

void journal_recover(void)
{
	struct image_header *header = HEADER;
	const struct mark *mark;

	header->journal.end = segment_end(header->journal.head);
	mark = header->restoring ? mark_find(header->restoring) : NULL;
	if (mark)
		journal_restore(mark);
	header->restoring = 0;
	if (!header->marks)
		header->commit = JOURNAL_START;
	header->keep = header->commit;
	image_rollback();
	header->commit = header->keep;
	header->tidy = 1;
}
