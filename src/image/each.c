/* SPDX-License-Identifier: BSD-2-Clause */
/* Going over everything that lives: by type, and to compare states. */
#include "image/arena.h"

#include <errno.h>
#include <xxhash.h>

struct walk {
	enum image_type type;	/* NONE: every type */
	int (*fn)(const struct object *object, void *arg);
	void *arg;
};

static int walk_one(const struct walk *walk, const void *p)
{
	struct object object = object_at(p);

	if (object.start != p || (walk->type && object.type != walk->type))
		return 0;
	return walk->fn(&object, walk->arg);
}

/* The function may free what it is shown, and with it the slab: look again after each. */
static int walk_slab(const struct walk *walk, uint64_t page)
{
	const struct slab *slab = (const struct slab *)page_address(page);
	struct slab shape = slab_shape(slab->class < SLAB_CLASSES ? slab->class : 0);
	int rc = 0;

	for (unsigned int i = 0; i < shape.slots && !rc && page_info_at(page)->kind == PAGE_SLAB;
		i++)
		if (slab->what[i])
			rc = walk_one(walk, (const uint8_t *)slab + shape.first + i * shape.size);
	return rc;
}

static int walk_pages(const struct walk *walk, uint64_t chunk)
{
	int rc = 0;

	for (uint64_t i = 0; i < CHUNK_PAGES && !rc && chunk_at(chunk)->kind == CHUNK_PAGED; i++) {
		uint64_t page = chunk * CHUNK_PAGES + i;

		if (page_info_at(page)->kind == PAGE_SLAB)
			rc = walk_slab(walk, page);
		else if (page_info_at(page)->kind != PAGE_TAIL)
			rc = walk_one(walk, page_address(page));
	}
	return rc;
}

int arena_each(enum image_type type, int (*fn)(const struct object *object, void *arg), void *arg)
{
	const struct image_header *header = HEADER;
	struct walk walk = { type, fn, arg };
	int rc = 0;

	for (uint64_t word = CHUNK_OBJECTS / 64; word <= header->chunk_high / 64 && !rc; word++)
		for (uint64_t left = header->used_map[word]; left && !rc; left &= left - 1) {
			uint64_t chunk = word * 64 + (uint64_t)__builtin_ctzll(left);

			if (chunk_at(chunk)->kind == CHUNK_PAGED)
				rc = walk_pages(&walk, chunk);
			else if (chunk_at(chunk)->kind != CHUNK_TAIL)
				rc = walk_one(&walk, chunk_address(chunk));
		}
	return rc;
}

struct each {
	int (*fn)(const void *object, void *arg);
	void *arg;
};

static int each_one(const struct object *object, void *arg)
{
	const struct each *each = arg;

	return each->fn(object->start, each->arg);
}

int image_each(enum image_type type, int (*fn)(const void *object, void *arg), void *arg)
{
	struct each each = { fn, arg };

	return arena_each(type, each_one, &each);
}

/* -- hash ------------------------------------------------------------------------------------- */

static bool is_zero(const uint8_t *p, size_t len)
{
	return !*p && !memcmp(p, p + 1, len - 1);
}

/* The seed names place, size and type, so that the sum over all objects needs no order. */
static uint64_t hash_bytes(const void *p, size_t len, uint64_t seed)
{
	return XXH3_64bits_withSeed(p, len, seed ^ (uintptr_t)p);
}

static uint64_t hash_bulk(const struct object *object)
{
	uint64_t page = page_of(object->start), end = page + object->bytes / IMAGE_PAGE, sum = 0;

	for (; page < end; page++) {
		if (!chunk_at(page / CHUNK_PAGES)->touched) {
			page |= CHUNK_PAGES - 1;
			continue;
		}
		/* Written with zeroes is the same state as never written. */
		if (*page_epoch_at(page) && !is_zero(page_address(page), IMAGE_PAGE))
			sum += hash_bytes(page_address(page), IMAGE_PAGE, 0);
	}
	return sum;
}

static int hash_object(const struct object *object, void *arg)
{
	uint64_t seed = object->bytes << 16 | object->type, *sum = arg;

	if (object->type == IMAGE_TYPE_TRACE)
		return 0;
	if (object->bulk)
		*sum += hash_bytes(object->start, 0, seed) + hash_bulk(object);
	else
		*sum += hash_bytes(object->start, object->bytes, seed);
	return 0;
}

uint64_t image_hash(void)
{
	const struct image_header *header = HEADER;
	uint64_t sum = hash_bytes(header->roots, sizeof(header->roots), 0) +
		       hash_bytes(header->now.random, sizeof(header->now.random), 0);

	arena_each(IMAGE_TYPE_NONE, hash_object, &sum);
	return sum;
}
