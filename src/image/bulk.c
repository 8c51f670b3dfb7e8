/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bulk memory. A page's stamp says in which epoch it was first written: 0 is never, so the page is
 * zero. While a snapshot lives, the first write of an epoch saves the page.
 *
 * Its contents are not logged, so a call that frees it and then fails must find it untouched:
 * freeing only marks the memory as dying, and the commit gives it back.
 */
#include "image/arena.h"

#include <assert.h>
#include <errno.h>
#include <sys/mman.h>

/* From so many written pages on, a hole is punched rather than cleared page by page. */
#define PUNCH_PAGES 64u
/* More than giving back the pages of one chunk logs: a descriptor and three words for each. */
#define REAP_ROOM (CHUNK_PAGES * 2 * sizeof(struct chunk))

void *image_bulk_alloc(uint64_t len, enum image_type type)
{
	uint64_t pages = len / IMAGE_PAGE + !!(len % IMAGE_PAGE), at;
	uint64_t *live;
	void *bulk;

	if (!len || len > IMAGE_SPAN || type <= IMAGE_TYPE_NONE || type >= IMAGE_TYPE_MAX ||
		alloc_fails())
		return NULL;
	if (pages < CHUNK_PAGES) {
		at = pages_take((unsigned int)pages,
				(struct page_info){ .kind = PAGE_BULK, .type = (uint16_t)type });
		bulk = page_address(at);
	} else {
		at = chunks_take(
			(len + CHUNK_SIZE - 1) / CHUNK_SIZE, CHUNK_BULK, type, pages * IMAGE_PAGE);
		bulk = chunk_address(at);
	}
	if (!at)
		return NULL;
	journal_note(RECORD_FRESH, bulk, (uint32_t)pages);
	live = image_write(&HEADER->live[type]);
	++*live;
	return bulk;
}

void image_bulk_free(const void *p)
{
	struct image_header *header = HEADER;
	struct chunk *chunk;
	uint64_t *live;
	uint32_t *first;

	if (!p)
		return;
	/* Freed twice, or never allocated: a bug of the caller, not something a client can do. */
	assert(object_at(p).start == p && object_at(p).bulk);
	live = image_write(&header->live[image_typeof(p)]);
	--*live;
	chunk = image_log(chunk_at(chunk_of(p)), CHUNK_LOGGED);
	if (chunk->kind == CHUNK_PAGED) {
		struct page_info *info = image_write(page_info_at(page_of(p)));

		info->kind = PAGE_DYING;
	} else {
		chunk->kind = CHUNK_DYING;
	}
	header->tidy = 1;
	if (chunk->dying)
		return;
	first = image_write(&header->dying);
	chunk->dying = 1;
	chunk->next_dying = *first;
	*first = (uint32_t)chunk_of(p);
}

static void page_dirty(uint64_t page)
{
	uint64_t *epoch = page_epoch_at(page);

	if (HEADER->marks) {
		if (*epoch)
			journal_save_page(page);
		else
			journal_note(RECORD_PAGE_ZERO, page_address(page), IMAGE_PAGE);
	}
	chunk_at(page / CHUNK_PAGES)->touched = 1;
	__atomic_store_n(epoch, HEADER->epoch, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

size_t image_bulk_at(const void *p, enum image_type *type)
{
	struct object object = object_at(p);
	uint64_t len = (object.bytes + IMAGE_PAGE - 1) & ~(uint64_t)(IMAGE_PAGE - 1);
	uint64_t offset = (uintptr_t)p - (uintptr_t)object.start;

	*type = object.type;
	return object.bulk && offset < len ? len - offset : 0;
}

void *image_bulk_write(const void *p, size_t len)
{
	uint64_t page = page_of(p), last = page_of((const uint8_t *)p + (len ? len - 1 : 0));

	/* Of nothing there may be no page at all. */
	for (; len && page <= last; page++)
		if (__atomic_load_n(page_epoch_at(page), __ATOMIC_RELAXED) != HEADER->epoch)
			page_dirty(page);
	return (void *)(uintptr_t)p;
}

bool image_bulk_written(const void *p, size_t len)
{
	uint64_t page = page_of(p), last = page_of((const uint8_t *)p + (len ? len - 1 : 0));

	for (; page <= last; page++)
		if (__atomic_load_n(page_epoch_at(page), __ATOMIC_RELAXED))
			return true;
	return false;
}

/* -- giving back ------------------------------------------------------------------------------ */

static unsigned int written_pages(uint64_t page, uint64_t end)
{
	unsigned int written = 0;

	for (; page < end; page++)
		written += *page_epoch_at(page) != 0;
	return written;
}

/* Pages of one chunk. */
static void pages_unwrite(uint64_t page, uint64_t end)
{
	bool punched = written_pages(page, end) >= PUNCH_PAGES &&
		       !madvise(page_address(page), (end - page) * IMAGE_PAGE, MADV_REMOVE);

	for (; page < end; page++) {
		if (!*page_epoch_at(page))
			continue;
		if (!punched)
			memset(page_address(page), 0, IMAGE_PAGE);
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
		*page_epoch_at(page) = 0;
	}
}

void bulk_unwrite(uint64_t page, uint64_t pages)
{
	uint64_t end = page + pages;

	while (page < end) {
		uint64_t chunk = page / CHUNK_PAGES, next = (chunk + 1) * CHUNK_PAGES;
		uint64_t stop = end < next ? end : next;

		if (chunk_at(chunk)->touched)
			pages_unwrite(page, stop);
		if (stop - page == CHUNK_PAGES)
			chunk_at(chunk)->touched = 0;
		page = stop;
	}
}

/* What a restore needs of memory that goes away; room is what the caller will log after it. */
static int bulk_save(uint64_t page, uint64_t pages, uint64_t room)
{
	uint64_t end = page + pages, written = 0, fresh = 0;
	uint64_t epoch = HEADER->epoch;
	int rc;

	if (!HEADER->marks)
		return image_reserve(room);
	for (uint64_t at = page; at < end; at++)
		if (chunk_at(at / CHUNK_PAGES)->touched && *page_epoch_at(at)) {
			written += *page_epoch_at(at) != epoch;
			fresh += *page_epoch_at(at) == epoch;
		}
	rc = image_reserve(room + written * (IMAGE_PAGE + sizeof(struct image_record)) +
			   fresh * sizeof(struct image_record));
	if (rc)
		return rc;
	for (uint64_t at = page; at < end; at++) {
		if (!chunk_at(at / CHUNK_PAGES)->touched || !*page_epoch_at(at))
			continue;
		if (*page_epoch_at(at) != epoch)
			journal_save_page(at);
		else	/* what was logged of it will come back, and is to be cleared again */
			journal_note(RECORD_WRITTEN, page_address(at), IMAGE_PAGE);
	}
	return 0;
}

static int paged_reap(uint64_t number)
{
	for (uint64_t page = number * CHUNK_PAGES; page < (number + 1) * CHUNK_PAGES; page++) {
		const struct page_info *info = page_info_at(page);
		int rc;

		if (info->kind != PAGE_DYING)
			continue;
		rc = bulk_save(page, info->run, REAP_ROOM);
		if (rc)
			return rc;
		bulk_unwrite(page, info->run);
		pages_give(page);
	}
	return 0;
}

static int run_reap(uint64_t number)
{
	uint64_t pages = chunk_at(number)->run * (uint64_t)CHUNK_PAGES;
	int rc = bulk_save(number * CHUNK_PAGES, pages,
			   REAP_ROOM + chunk_at(number)->run * 2 * sizeof(struct chunk));

	if (rc)
		return rc;
	bulk_unwrite(number * CHUNK_PAGES, pages);
	chunks_give(number);
	return 0;
}

static int chunk_reap(uint64_t number)
{
	struct image_header *header = HEADER;
	int rc = image_reserve(REAP_ROOM);
	uint32_t *first;
	struct chunk *w;

	if (rc)
		return rc;
	w = image_log(chunk_at(number), CHUNK_LOGGED);
	first = image_write(&header->dying);
	*first = w->next_dying;
	w->dying = 0;
	w->next_dying = 0;
	return w->kind == CHUNK_PAGED ? paged_reap(number) : run_reap(number);
}

/*
 * Each chunk is a small call of its own. When the journal lacks room to keep the contents for a
 * snapshot, the memory goes on dying until a later commit.
 */
void bulk_reap(void)
{
	while (HEADER->dying) {
		if (chunk_reap(HEADER->dying)) {
			image_rollback();
			HEADER->tidy = 1;
			return;
		}
		journal_commit();
	}
}
