/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Objects: slabs of equal slots up to 64 KiB, page or chunk runs above. Who lives in a slot is kept
 * in the slab's head and not beside the object, so that one look-up types any address.
 */
#include "image/arena.h"

#include <assert.h>
#include <errno.h>
#include <unistd.h>

unsigned int slab_class_of(uint64_t size)
{
	uint64_t x = size ? size - 1 : 0;
	unsigned int top;

	if (x < 128)
		return (unsigned int)(x / 16);
	top = 63 - (unsigned int)__builtin_clzll(x);
	return 8 + (top - 7) * 4 + (unsigned int)(x >> (top - 2) & 3);
}

struct slab slab_shape(unsigned int class)
{
	uint32_t size = class < 8 ? (class + 1) * 16 : (5 + class % 4) << (5 + (class - 8) / 4);
	uint32_t slots = 32768 / size;

	slots = slots > SLAB_SLOTS ? SLAB_SLOTS : slots < 4 ? 4 : slots;
	return (struct slab){.magic = SLAB_MAGIC,
		.class = (uint16_t) class,
		.slots = (uint16_t)slots,
		.size = size,
		.first = (uint32_t)((sizeof(struct slab) + slots * 4 + 63) & ~63ul)};
}

unsigned int slab_pages(const struct slab *shape)
{
	return (shape->first + shape->slots * shape->size + IMAGE_PAGE - 1) / IMAGE_PAGE;
}

bool alloc_fails(void)
{
	struct volatile_state *now = &HEADER->now;

	return now->fail_left && now->fail_pid == getpid() && !--now->fail_left;
}

/* -- slabs ------------------------------------------------------------------------------------ */

static void slab_link(const struct slab *slab)
{
	const struct slab **first = image_write(&HEADER->partial[slab->class]);
	struct slab *w = image_write(slab);

	w->next = *first;
	w->prev = NULL;
	if (*first) {
		struct slab *after = image_write(*first);

		after->prev = slab;
	}
	*first = slab;
}

static void slab_unlink(const struct slab *slab)
{
	struct slab *w = image_write(slab);

	if (w->next) {
		struct slab *next = image_write(w->next);

		next->prev = w->prev;
	}
	if (w->prev) {
		struct slab *prev = image_write(w->prev);

		prev->next = w->next;
	} else {
		const struct slab **first = image_write(&HEADER->partial[w->class]);

		*first = w->next;
	}
	w->next = w->prev = NULL;
}

static const struct slab *slab_new(unsigned int class)
{
	struct slab shape = slab_shape(class);
	uint64_t page = pages_take(slab_pages(&shape), (struct page_info){ .kind = PAGE_SLAB });
	struct slab *slab;

	if (!page)
		return NULL;
	slab = (struct slab *)page_address(page);
	journal_note(RECORD_ZERO, slab, shape.first);
	*slab = shape;
	slab_link(slab);
	return slab;
}

static unsigned int slab_free_slot(const struct slab *slab)
{
	unsigned int word = 0;

	while (slab->map[word] == UINT64_MAX)
		word++;
	return word * 64 + (unsigned int)__builtin_ctzll(~slab->map[word]);
}

static void slab_slot_set(const struct slab *slab, unsigned int slot, uint32_t what)
{
	uint64_t *used = image_log(&slab->used, sizeof(slab->used) + sizeof(slab->map));
	uint32_t *whats = image_write(&slab->what[slot]);

	*used += what ? 1 : -1ull;
	used[1 + slot / 64] ^= 1ull << (slot % 64);
	*whats = what;
}

static void *slab_alloc(size_t size, enum image_type type)
{
	unsigned int class = slab_class_of(size), slot;
	const struct slab *slab = HEADER->partial[class];
	uint8_t *object;

	if (!slab)
		slab = slab_new(class);
	if (!slab)
		return NULL;
	slot = slab_free_slot(slab);
	slab_slot_set(slab, slot, (uint32_t)type << SLAB_TYPE_SHIFT | (uint32_t)size);
	if (slab->used == slab->slots)
		slab_unlink(slab);
	object = (uint8_t *)(uintptr_t)slab + slab->first + slot * slab->size;
	journal_note(RECORD_ZERO, object, (uint32_t)size);
	return object;
}

static void slab_give(const struct slab *slab)
{
	slab_unlink(slab);
	memset(image_log(slab, slab->first), 0, slab->first);
	pages_give(page_of(slab));
}

bool slabs_trim(void)
{
	bool trimmed = false;

	for (unsigned int class = 0; class < SLAB_CLASSES; class++) {
		const struct slab *slab = HEADER->partial[class];

		while (slab && slab->used)
			slab = slab->next;
		if (!slab)
			continue;
		slab_give(slab);
		trimmed = true;
	}
	return trimmed;
}

static void slab_free(const struct slab *slab, unsigned int slot)
{
	bool full = slab->used == slab->slots;

	slab_slot_set(slab, slot, 0);
	if (full)
		slab_link(slab);
	/* The last slab of a class stays: an object made and freed in a loop costs no pages. */
	if (!slab->used && (slab->next || slab->prev))
		slab_give(slab);
}

/* -- objects ---------------------------------------------------------------------------------- */

static void *run_alloc(uint64_t size, enum image_type type)
{
	uint64_t pages = (size + IMAGE_PAGE - 1) / IMAGE_PAGE, at;
	void *object;

	if (size > RUN_LARGEST)
		return NULL;
	if (pages < CHUNK_PAGES) {
		at = pages_take((unsigned int)pages, (struct page_info){
			.kind = PAGE_OBJECT, .type = (uint16_t)type,
			.less = (uint16_t)(pages * IMAGE_PAGE - size) });
		object = page_address(at);
	} else {
		at = chunks_take((size + CHUNK_SIZE - 1) / CHUNK_SIZE, CHUNK_OBJECT, type, size);
		object = chunk_address(at);
	}
	if (!at)
		return NULL;
	journal_note(RECORD_ZERO, object, (uint32_t)size);
	return object;
}

void *image_alloc(size_t size, enum image_type type)
{
	uint64_t *live;
	void *object;

	if (type <= IMAGE_TYPE_NONE || type >= IMAGE_TYPE_MAX || alloc_fails())
		return NULL;
	object = size <= SLAB_LARGEST ? slab_alloc(size, type) : run_alloc(size, type);
	if (!object)
		return NULL;
	live = image_write(&HEADER->live[type]);
	++*live;
	return object;
}

static bool slab_slot_of(const struct slab *slab, const void *p, unsigned int *slot)
{
	uint64_t offset = (uintptr_t)p - (uintptr_t)slab;

	if (offset < slab->first || !slab->size)
		return false;
	*slot = (unsigned int)(offset - slab->first) / slab->size;
	return *slot < slab->slots && *slot < SLAB_SLOTS && slab->what[*slot];
}

/* The slab that p is in, or NULL. */
static const struct slab *slab_of(const void *p)
{
	uint64_t page = page_of(p);
	const struct page_info *info = page_info_at(page);

	if (info->kind == PAGE_TAIL && info->run <= page % CHUNK_PAGES) {
		page -= info->run;
		info = page_info_at(page);
	}
	return info->kind == PAGE_SLAB ? (const struct slab *)page_address(page) : NULL;
}

static struct object object_in_slab(const struct slab *slab, const void *p, unsigned int *slot)
{
	if (!slab_slot_of(slab, p, slot))
		return (struct object){ 0 };
	return (struct object){
		.start = (const uint8_t *)slab + slab->first + *slot * slab->size,
		.bytes = slab->what[*slot] & ((1u << SLAB_TYPE_SHIFT) - 1),
		.type = slab->what[*slot] >> SLAB_TYPE_SHIFT };
}

static struct object object_in_pages(uint64_t page, const void *p)
{
	const struct slab *slab = slab_of(p);
	struct page_info info = *page_info_at(page);
	unsigned int slot;

	if (slab)
		return object_in_slab(slab, p, &slot);
	if (info.kind == PAGE_TAIL && info.run <= page % CHUNK_PAGES) {
		page -= info.run;
		info = *page_info_at(page);
	}
	if (info.kind != PAGE_OBJECT && info.kind != PAGE_BULK)
		return (struct object){ 0 };
	return (struct object){ .start = page_address(page), .type = info.type,
				.bytes = (uint64_t)info.run * IMAGE_PAGE - info.less,
				.bulk = info.kind == PAGE_BULK };
}

struct object object_at(const void *p)
{
	const struct chunk *chunk;
	uint64_t number;

	if (!image_contains(p, 1) || chunk_of(p) < CHUNK_OBJECTS)
		return (struct object){ 0 };
	number = chunk_of(p);
	chunk = chunk_at(number);
	if (chunk->kind == CHUNK_PAGED)
		return object_in_pages(page_of(p), p);
	if (chunk->kind == CHUNK_TAIL && chunk->run <= number) {
		number -= chunk->run;
		chunk = chunk_at(number);
	}
	if (chunk->kind != CHUNK_OBJECT && chunk->kind != CHUNK_BULK)
		return (struct object){ 0 };
	return (struct object){ .start = chunk_address(number), .type = chunk->type,
				.bytes = chunk->bytes, .bulk = chunk->kind == CHUNK_BULK };
}

static void run_free(const void *object)
{
	uint64_t chunk = chunk_of(object);

	if (chunk_at(chunk)->kind == CHUNK_PAGED)
		pages_give(page_of(object));
	else
		chunks_give(chunk);
}

void image_free(const void *p)
{
	const struct slab *slab;
	struct object object;
	unsigned int slot = 0;
	uint64_t *live;

	if (!p)
		return;
	slab = image_contains(p, 1) && chunk_at(chunk_of(p))->kind == CHUNK_PAGED ? slab_of(p) : NULL;
	object = slab ? object_in_slab(slab, p, &slot) : object_at(p);
	/* Freed twice, or never allocated: a bug of the caller, not something a client can do. */
	assert(object.start == p && !object.bulk);
	live = image_write(&HEADER->live[object.type]);
	--*live;
	if (object.bytes)
		memset(image_log(p, object.bytes), 0, object.bytes);
	if (slab)
		slab_free(slab, slot);
	else
		run_free(p);
}

enum image_type image_typeof(const void *p)
{
	struct object object = object_at(p);

	return object.start == p ? object.type : IMAGE_TYPE_NONE;
}

size_t image_sizeof(const void *p)
{
	struct object object = object_at(p);

	return object.start == p ? object.bytes : 0;
}

uint64_t image_live(enum image_type type)
{
	return (unsigned int)type < IMAGE_TYPE_MAX ? HEADER->live[type] : 0;
}
