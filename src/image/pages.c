/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Chunks of 2 MiB and pages of 4 KiB within them. The lowest place that fits is taken, so that
 * where things lie depends little on what was freed before. Descriptors of free memory are zero.
 */
#include "image/arena.h"

#include <errno.h>

static void bits_set(uint64_t *map, uint64_t first, uint64_t count, bool on)
{
	for (uint64_t i = first; i < first + count; i++) {
		uint64_t bit = 1ull << (i % 64);

		map[i / 64] = on ? map[i / 64] | bit : map[i / 64] & ~bit;
	}
}

static void bits_log_set(const uint64_t *map, uint64_t first, uint64_t count, bool on)
{
	uint64_t word = first / 64, words = (first + count - 1) / 64 - word + 1;

	bits_set((uint64_t *)image_log(map + word, words * 8) - word, first, count, on);
}

/* The first run of count clear bits in [from, end), or end. */
static uint64_t bits_find(const uint64_t *map, uint64_t from, uint64_t end, uint64_t count)
{
	uint64_t run = 0, i = from;

	while (i < end && run < count) {
		uint64_t word = map[i / 64];

		if (i % 64 == 0 && word == UINT64_MAX) {
			run = 0;
			i += 64;
		} else if (i % 64 == 0 && !word && count - run >= 64 && end - i >= 64) {
			run += 64;
			i += 64;
		} else {
			run = word >> (i % 64) & 1 ? 0 : run + 1;
			i++;
		}
	}
	return run >= count && i <= end ? i - run : end;
}

/* -- chunks ----------------------------------------------------------------------------------- */

static uint64_t chunks_claim(
	uint64_t count, enum chunk_kind kind, enum image_type type, uint64_t bytes)
{
	struct image_header *header = HEADER;
	uint64_t end = journal_highest() + 1, first;
	uint32_t *chunks;

	first = bits_find(header->used_map, CHUNK_OBJECTS, end, count);
	if (first >= end)
		return 0;
	if (header->chunk_high < first + count - 1)
		header->chunk_high = (uint32_t)(first + count - 1);
	bits_log_set(header->used_map, first, count, true);
	journal_note(RECORD_ZERO, chunk_at(first), (uint32_t)(count * sizeof(struct chunk)));
	for (uint64_t i = 1; i < count; i++) {
		chunk_at(first + i)->kind = CHUNK_TAIL;
		chunk_at(first + i)->run = (uint32_t)i;
	}
	chunk_at(first)->kind = (uint8_t)kind;
	chunk_at(first)->type = (uint16_t)type;
	chunk_at(first)->run = (uint32_t)count;
	chunk_at(first)->bytes = bytes;
	chunks = image_write(&header->chunks);
	*chunks += (uint32_t)count;
	return first;
}

uint64_t chunks_take(uint64_t count, enum chunk_kind kind, enum image_type type, uint64_t bytes)
{
	uint64_t first;

	do {
		first = chunks_claim(count, kind, type, bytes);
	} while (!first && slabs_trim());
	return first;
}

void chunks_give(uint64_t chunk)
{
	struct image_header *header = HEADER;
	uint64_t count = chunk_at(chunk)->run;
	uint32_t *chunks = image_write(&header->chunks);

	*chunks -= (uint32_t)count;
	bits_log_set(header->used_map, chunk, count, false);
	memset(image_log(chunk_at(chunk), count * sizeof(struct chunk)), 0,
		count * sizeof(struct chunk));
	header->tidy = 1;
}

void chunks_find_high(void)
{
	struct image_header *header = HEADER;
	uint64_t word = (header->chunk_end - 1) / 64 + 1;

	if (header->marks)
		return;
	while (word-- > CHUNK_OBJECTS / 64)
		if (header->used_map[word]) {
			header->chunk_high =
				(uint32_t)(word * 64 + 63 -
					   (uint64_t)__builtin_clzll(header->used_map[word]));
			return;
		}
	header->chunk_high = 0;
}

/* -- pages ------------------------------------------------------------------------------------ */

static bool paged_has_room(uint64_t chunk, unsigned int count, uint64_t *page)
{
	const struct chunk *from = chunk_at(chunk);
	struct chunk *w;

	if (from->free < count || from->longest < count)
		return false;
	*page = bits_find(from->map, 0, CHUNK_PAGES, count);
	if (*page < CHUNK_PAGES)
		return true;
	w = image_log(from, CHUNK_LOGGED);
	w->longest = (uint16_t)(count - 1);
	return false;
}

static uint64_t paged_scan(unsigned int count, uint64_t *page)
{
	const struct image_header *header = HEADER;

	for (uint64_t word = CHUNK_OBJECTS / 64; word <= header->chunk_high / 64; word++)
		for (uint64_t left = header->paged_map[word]; left; left &= left - 1) {
			uint64_t chunk = word * 64 + (uint64_t)__builtin_ctzll(left);

			if (paged_has_room(chunk, count, page))
				return chunk;
		}
	return 0;
}

static uint64_t paged_new(void)
{
	uint64_t number = chunks_claim(1, CHUNK_PAGED, IMAGE_TYPE_NONE, 0);
	struct chunk *chunk = chunk_at(number);

	if (!number)
		return 0;
	chunk->free = chunk->longest = CHUNK_PAGES;
	bits_log_set(HEADER->paged_map, number, 1, true);
	return number;
}

/* A paged chunk with a run of count free pages, and where in it; 0: none. */
static uint64_t paged_find(unsigned int count, uint64_t *page)
{
	uint64_t found;

	do {
		found = paged_scan(count, page);
		if (found)
			return found;
		*page = 0;
		found = paged_new();
	} while (!found && slabs_trim());
	return found;
}

uint64_t pages_take(unsigned int count, struct page_info info)
{
	uint64_t at = 0, chunk = paged_find(count, &at), page;
	struct page_info *infos;
	struct chunk *w;

	if (!chunk)
		return 0;
	w = image_log(chunk_at(chunk), CHUNK_LOGGED);
	bits_set(w->map, at, count, true);
	w->free = (uint16_t)(w->free - count);
	if (!w->free)
		bits_log_set(HEADER->paged_map, chunk, 1, false);
	page = chunk * CHUNK_PAGES + at;
	infos = page_info_at(page);
	journal_note(RECORD_ZERO, infos, count * (uint32_t)sizeof(*infos));
	infos[0] = info;
	infos[0].run = (uint16_t)count;
	for (unsigned int i = 1; i < count; i++)
		infos[i] = (struct page_info){ .kind = PAGE_TAIL, .run = (uint16_t)i };
	return page;
}

void pages_give(uint64_t page)
{
	uint64_t chunk = page / CHUNK_PAGES;
	unsigned int count = page_info_at(page)->run;
	struct chunk *w = image_log(chunk_at(chunk), CHUNK_LOGGED);

	if (!w->free)
		bits_log_set(HEADER->paged_map, chunk, 1, true);
	bits_set(w->map, page % CHUNK_PAGES, count, false);
	w->free = (uint16_t)(w->free + count);
	w->longest = CHUNK_PAGES;
	memset(image_log(page_info_at(page), count * sizeof(struct page_info)), 0,
	       count * sizeof(struct page_info));
	if (w->free < CHUNK_PAGES)
		return;
	bits_log_set(HEADER->paged_map, chunk, 1, false);
	chunks_give(chunk);
}
