/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Is the image whole? Nothing found here is trusted before it is checked: an image may come from a
 * file, and a client may have written over it.
 */
#include "image/arena.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

struct verify {
	char *why;
	size_t len;
	uint64_t live[IMAGE_TYPE_MAX];
	uint64_t slabs_partial[SLAB_CLASSES];
	uint64_t chunks;
	uint64_t dying;			/* chunks with dying memory */
};

__attribute__((format(printf, 2, 3))) static int wrong(
	const struct verify *v, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (v->why && v->len)
		vsnprintf(v->why, v->len, format, args);
	va_end(args);
	return -EUCLEAN;
}

static bool bit_is_set(const uint64_t *map, uint64_t bit)
{
	return map[bit / 64] >> (bit % 64) & 1;
}

static int count_live(struct verify *v, unsigned int type, const void *p)
{
	if (!type || type >= IMAGE_TYPE_MAX)
		return wrong(v, "the object at %p has no type", p);
	v->live[type]++;
	return 0;
}

/* -- header and journal ----------------------------------------------------------------------- */

static int verify_header(const struct verify *v)
{
	const struct image_header *header = HEADER;

	if (arena_ident_check(&header->ident, header->ident.span))
		return wrong(v, "the identity in the header does not match its checksum");
	if (header->chunk_end > header->ident.span >> CHUNK_SHIFT ||
	    header->chunk_end > arena_mapped >> CHUNK_SHIFT || header->chunk_end < CHUNK_OBJECTS)
		return wrong(v, "the arena ends at chunk %u, beyond the file", header->chunk_end);
	if (header->segments < JOURNAL_FIXED ||
	    header->segments - JOURNAL_FIXED > header->chunk_end - CHUNK_OBJECTS)
		return wrong(v, "the journal has %u segments", header->segments);
	if (header->chunk_high > journal_highest())
		return wrong(v, "chunk %u holds objects and is the journal's", header->chunk_high);
	if (!header->epoch || header->restoring)
		return wrong(v, "a restore was not finished");
	return 0;
}

static bool in_journal(const uint8_t *at)
{
	uint64_t chunk = chunk_of(at), offset = (uintptr_t)at & (CHUNK_SIZE - 1);

	if (!image_contains(at, 1) || (uintptr_t)at % 16 || offset < sizeof(struct segment) ||
	    offset > CHUNK_SIZE - sizeof(struct image_record))
		return false;
	return (chunk >= CHUNK_FIRST && chunk < CHUNK_OBJECTS) ||
	       (chunk > journal_highest() && chunk < HEADER->chunk_end);
}

/* Steps back over the starts of segments, to the end of a record or to the journal's start. */
static bool journal_segment_back(const uint8_t **at)
{
	for (uint32_t hops = 0; hops <= HEADER->segments; hops++) {
		if (!in_journal(*at))
			return false;
		if (*at == JOURNAL_START || (uintptr_t)*at % CHUNK_SIZE != sizeof(struct segment))
			return true;
		*at = ((const struct segment *)*at - 1)->before;
	}
	return false;
}

static int verify_journal(const struct verify *v)
{
	const struct image_header *header = HEADER;
	const uint8_t *at = header->journal.head;
	bool commit = at == header->commit || header->commit == JOURNAL_START;
	uint64_t marks = 0, most = header->segments * CHUNK_SIZE / sizeof(struct image_record);

	while (at != JOURNAL_START) {
		const struct image_record *record;
		const uint8_t *end = at;

		if (!journal_segment_back(&at) || !most--)
			return wrong(v, "the journal leaves its segments at %p", (const void *)end);
		commit |= at == header->commit;
		record = journal_before(&at);
		if (!record)
			break;
		if (!record_is_sound(record) || !in_journal(at) || chunk_of(at) != chunk_of(record))
			return wrong(
				v, "the journal record before %p is damaged", (const void *)end);
		commit |= at == header->commit;
		if (record->kind == RECORD_MARK)
			marks += ((const struct mark *)at)->live == 1;
	}
	if (!commit)
		return wrong(v, "the last commit is not in the journal");
	if (marks != header->marks)
		return wrong(v, "%llu snapshots in the journal, %llu counted",
			(unsigned long long)marks, (unsigned long long)header->marks);
	return 0;
}

/* -- slabs ------------------------------------------------------------------------------------ */

static int verify_slab(struct verify *v, uint64_t page)
{
	const struct slab *slab = (const struct slab *)page_address(page);
	struct slab shape = slab_shape(slab->class < SLAB_CLASSES ? slab->class : 0);
	uint64_t used = 0;

	if (slab->magic != SLAB_MAGIC || slab->class != shape.class || slab->slots != shape.slots ||
	    slab->size != shape.size || slab->first != shape.first ||
	    page_info_at(page)->run != slab_pages(&shape))
		return wrong(v, "the slab at %p is damaged", (const void *)slab);
	for (unsigned int i = 0; i < SLAB_SLOTS; i++) {
		uint32_t what = i < shape.slots ? slab->what[i] : 0;
		uint32_t size = what & ((1u << SLAB_TYPE_SHIFT) - 1);

		if (bit_is_set(slab->map, i) != !!what ||
			(what && slab_class_of(size) != slab->class))
			return wrong(
				v, "slot %u of the slab at %p is damaged", i, (const void *)slab);
		if (!what)
			continue;
		used++;
		if (count_live(v, what >> SLAB_TYPE_SHIFT,
			    (const uint8_t *)slab + shape.first + i * shape.size))
			return -EUCLEAN;
	}
	if (used != slab->used)
		return wrong(v, "the slab at %p miscounts its slots", (const void *)slab);
	v->slabs_partial[shape.class] += used < shape.slots;
	return 0;
}

static const struct slab *slab_from(const void *p)
{
	if (!image_contains(p, sizeof(struct slab)) || (uintptr_t)p % IMAGE_PAGE ||
	    chunk_of(p) < CHUNK_OBJECTS || chunk_at(chunk_of(p))->kind != CHUNK_PAGED ||
	    page_info_at(page_of(p))->kind != PAGE_SLAB)
		return NULL;
	return p;
}

static int verify_partial(const struct verify *v, unsigned int class)
{
	const void *before = NULL;
	uint64_t count = 0;

	for (const void *p = HEADER->partial[class]; p; count++) {
		const struct slab *slab = slab_from(p);

		if (!slab || slab->class != class || slab->prev != before ||
			slab->used == slab->slots || count > v->slabs_partial[class])
			return wrong(v, "the list of slabs of class %u is damaged", class);
		before = p;
		p = slab->next;
	}
	if (count != v->slabs_partial[class])
		return wrong(v, "%llu slabs of class %u have room, %llu are listed",
			(unsigned long long)v->slabs_partial[class], class,
			(unsigned long long)count);
	return 0;
}

/* -- pages and chunks ------------------------------------------------------------------------- */

static int verify_run(struct verify *v, uint64_t page, unsigned int *dying)
{
	struct page_info info = *page_info_at(page);
	uint64_t at = page % CHUNK_PAGES;

	if (!info.run || info.run > CHUNK_PAGES - at || info.kind == PAGE_TAIL ||
		info.kind >= PAGE_KINDS || info.less >= IMAGE_PAGE)
		return wrong(v, "page %llu is damaged", (unsigned long long)page);
	for (unsigned int i = 0; i < info.run; i++) {
		const struct page_info *tail = page_info_at(page + i);

		if (i && (tail->kind != PAGE_TAIL || tail->run != i))
			return wrong(v, "page %llu is in two runs", (unsigned long long)page + i);
		if (!bit_is_set(chunk_at(page / CHUNK_PAGES)->map, at + i))
			return wrong(v, "page %llu is used and free", (unsigned long long)page + i);
	}
	if (info.kind == PAGE_SLAB)
		return verify_slab(v, page);
	if (info.kind == PAGE_DYING) {
		++*dying;
		return 0;
	}
	return count_live(v, info.type, page_address(page));
}

static int verify_paged(struct verify *v, uint64_t number)
{
	const struct chunk *chunk = chunk_at(number);
	unsigned int free = 0, dying = 0;

	for (uint64_t i = 0; i < CHUNK_PAGES;) {
		uint64_t page = number * CHUNK_PAGES + i;

		if (page_info_at(page)->kind == PAGE_FREE) {
			if (bit_is_set(chunk->map, i))
				return wrong(
					v, "page %llu is free and used", (unsigned long long)page);
			free++;
			i++;
			continue;
		}
		if (verify_run(v, page, &dying))
			return -EUCLEAN;
		i += page_info_at(page)->run;
	}
	if (free != chunk->free || bit_is_set(HEADER->paged_map, number) != !!free ||
		chunk->run != 1)
		return wrong(v, "chunk %llu miscounts its free pages", (unsigned long long)number);
	if (chunk->dying != !!dying)
		return wrong(v, "chunk %llu forgets dying memory", (unsigned long long)number);
	return 0;
}

static int verify_chunk_run(struct verify *v, uint64_t number)
{
	const struct chunk *chunk = chunk_at(number);

	if (!chunk->run || chunk->run > HEADER->chunk_end - number ||
	    chunk->bytes > (uint64_t)chunk->run << CHUNK_SHIFT)
		return wrong(v, "the run of chunk %llu is too long", (unsigned long long)number);
	for (uint64_t i = 1; i < chunk->run; i++)
		if (chunk_at(number + i)->kind != CHUNK_TAIL || chunk_at(number + i)->run != i ||
		    !bit_is_set(HEADER->used_map, number + i))
			return wrong(
				v, "chunk %llu is in two runs", (unsigned long long)(number + i));
	if (chunk->dying != (chunk->kind == CHUNK_DYING))
		return wrong(v, "chunk %llu forgets dying memory", (unsigned long long)number);
	if (chunk->kind == CHUNK_DYING)
		return 0;
	return count_live(v, chunk->type, chunk_address(number));
}

static int verify_chunk(struct verify *v, uint64_t number)
{
	const struct chunk *chunk = chunk_at(number);

	if (number > journal_highest() || number < CHUNK_OBJECTS || !chunk->kind ||
	    chunk->kind == CHUNK_TAIL || chunk->kind >= CHUNK_KINDS)
		return wrong(v, "chunk %llu should not be in use", (unsigned long long)number);
	v->dying += chunk->dying;
	v->chunks += chunk->run;
	return chunk->kind == CHUNK_PAGED ? verify_paged(v, number) : verify_chunk_run(v, number);
}

static int verify_chunks(struct verify *v)
{
	const struct image_header *header = HEADER;

	for (uint64_t number = 0; number < CHUNKS_MAX;) {
		if (!bit_is_set(header->used_map, number)) {
			if (bit_is_set(header->paged_map, number))
				return wrong(v, "chunk %llu is free and paged",
					(unsigned long long)number);
			number += number % 64 || header->used_map[number / 64] ||
				  header->paged_map[number / 64] ? 1 : 64;
			continue;
		}
		if (verify_chunk(v, number))
			return -EUCLEAN;
		if (number + chunk_at(number)->run - 1 > header->chunk_high)
			return wrong(v, "chunk %llu lies too high", (unsigned long long)number);
		number += chunk_at(number)->run;
	}
	if (v->chunks != header->chunks)
		return wrong(v, "%llu chunks in use, %u counted", (unsigned long long)v->chunks,
			header->chunks);
	return 0;
}

static int verify_dying(const struct verify *v)
{
	uint64_t count = 0;

	for (uint32_t at = HEADER->dying; at; at = chunk_at(at)->next_dying)
		if (at < CHUNK_OBJECTS || at >= HEADER->chunk_end || !chunk_at(at)->dying ||
			++count > v->dying)
			return wrong(v, "the list of dying memory is damaged at chunk %u", at);
	if (count != v->dying)
		return wrong(v, "dying memory is not listed");
	return 0;
}

static int verify_counts(const struct verify *v)
{
	const struct image_header *header = HEADER;

	for (unsigned int i = 0; i < SLAB_CLASSES; i++)
		if (verify_partial(v, i))
			return -EUCLEAN;
	for (unsigned int i = 0; i < IMAGE_TYPE_MAX; i++)
		if (v->live[i] != header->live[i])
			return wrong(v, "%llu objects of type \"%s\" live, %llu counted",
				     (unsigned long long)v->live[i], image_type_name(i),
				     (unsigned long long)header->live[i]);
	for (unsigned int i = 0; i < IMAGE_ROOT_MAX; i++)
		if (header->roots[i] && object_at(header->roots[i]).start != header->roots[i])
			return wrong(v, "root %u points at no object", i);
	return 0;
}

static int verify_idtable(const struct object *object, void *arg)
{
	const struct verify *v = arg;

	return idtable_verify(object, v->why, v->len);
}

static int verify_all(struct verify *v)
{
	if (verify_header(v) || verify_journal(v) || verify_chunks(v) || verify_dying(v) ||
		verify_counts(v))
		return -EUCLEAN;
	if (arena_each(IMAGE_TYPE_IDTABLE, verify_idtable, v))
		return -EUCLEAN;
	return klock_verify(v->why, v->len);
}

int arena_verify(char *why, size_t len)
{
	struct verify v = { .why = why, .len = len };

	if (why && len)
		*why = 0;
	return verify_all(&v);
}

int image_verify(char *why, size_t len)
{
	int rc = image_enter();

	if (rc)
		return rc;
	rc = arena_verify(why, len);
	image_leave();
	return rc;
}
