/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random calls as a kernel makes them, on a table of objects whose contents can be checked: a call
 * that was cut off anywhere and not wholly undone is seen.
 */
#ifndef SWTIO_TEST_IMAGE_CHURN_H
#define SWTIO_TEST_IMAGE_CHURN_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "image/idtable.h"

#define CHURN_SLOTS 64u
#define CHURN_BULKS 8u

struct churn_object {
	struct idobject obj;
	uint64_t slot, fill, size;
	uint64_t words[];	/* all `fill` */
};

struct churn {
	uint64_t before, after;		/* equal between calls: written first and last by each */
	uint64_t objects, bulks;
	const struct idtable *table;
	const struct churn_object *slots[CHURN_SLOTS];
	const uint64_t *bulk[CHURN_BULKS];
	uint64_t bulk_pages[CHURN_BULKS];
};

static uint64_t churn_seed;

static inline uint64_t churn_random(uint64_t below)
{
	churn_seed = churn_seed * 6364136223846793005ull + 1442695040888963407ull;
	return (churn_seed >> 33) % below;
}

static inline const struct churn *churn_root(void)
{
	return image_root(IMAGE_ROOT_FLOW);
}

static inline long churn_start(void *arg)
{
	struct churn *churn = image_alloc(sizeof(*churn), IMAGE_TYPE_FLOW);

	(void)arg;
	if (!churn)
		return -ENOMEM;
	churn->table = idtable_create();
	if (!churn->table)
		return -ENOMEM;
	image_root_set(IMAGE_ROOT_FLOW, churn);
	return 0;
}

/* Sizes of every kind of home: slabs small and large, page runs, chunk runs. */
static inline uint64_t churn_words(void)
{
	static const uint16_t most[] = { 4, 60, 60, 500, 500, 5000, 20000, 40000 };
	uint64_t kind = churn_random(400);

	return kind == 0 ? 300000 : churn_random(most[kind % 8]) + 1;
}

static inline long churn_make(unsigned int slot)
{
	const struct churn_object **at = image_write(&churn_root()->slots[slot]);
	uint64_t words = churn_words(), size = sizeof(**at) + words * 8;
	struct churn_object *object = image_alloc(size, IMAGE_TYPE_CHECK);
	uint64_t *objects = image_write(&churn_root()->objects);
	uint32_t id;

	if (!object)
		return -ENOMEM;
	*at = object;
	++*objects;
	if (idtable_reserve(churn_root()->table, &id))
		return -ENOMEM;
	object->obj = (struct idobject){ .id = id, .users = 1, .waits = 1 };
	object->slot = slot;
	object->size = size;
	object->fill = churn_random(1u << 30);
	for (uint64_t i = 0; i < words; i++)
		object->words[i] = object->fill;
	idtable_finalize(churn_root()->table, &object->obj);
	return 0;
}

static inline void churn_drop(unsigned int slot)
{
	const struct churn_object **at = image_write(&churn_root()->slots[slot]);
	uint64_t *objects = image_write(&churn_root()->objects);

	idtable_remove(churn_root()->table, (*at)->obj.id);
	image_free(*at);
	*at = NULL;
	--*objects;
}

static inline void churn_change(unsigned int slot)
{
	const struct churn_object *object = churn_root()->slots[slot];
	uint64_t words = (object->size - sizeof(*object)) / 8, fill = churn_random(1u << 30);
	struct churn_object *w = image_write(object);

	w->fill = fill;
	for (uint64_t i = 0; i < words; i++) {
		uint64_t *word = image_write(&object->words[i]);

		*word = fill;
	}
}

static inline long churn_bulk(unsigned int slot)
{
	const struct churn *churn = churn_root();
	struct churn *w = image_write(churn);
	uint64_t pages = churn_random(8) ? churn_random(20) + 1 : churn_random(1500) + 1;

	if (churn->bulk[slot]) {
		image_bulk_free(churn->bulk[slot]);
		w->bulk[slot] = NULL;
		w->bulks--;
		return 0;
	}
	w->bulk[slot] = image_bulk_alloc(pages * IMAGE_PAGE, IMAGE_TYPE_RAM);
	w->bulk_pages[slot] = pages;
	w->bulks++;
	return w->bulk[slot] ? 0 : -ENOMEM;
}

static inline void churn_bulk_write(unsigned int slot)
{
	const uint64_t *bulk = churn_root()->bulk[slot];
	uint64_t words = churn_root()->bulk_pages[slot] * (IMAGE_PAGE / 8);
	uint64_t at = bulk ? churn_random(words - 4) : 0, *w;

	if (!bulk)
		return;
	w = image_bulk_write(bulk + at, 32);
	for (unsigned int i = 0; i < 4; i++)
		w[i] = churn_random(1u << 30);
}

/* A call of a few steps, with commits between and failures at the end, at random. */
static inline long churn_call(void *arg)
{
	uint64_t *before = image_write(&churn_root()->before), *after;
	unsigned int steps = (unsigned int)churn_random(6) + 1;
	long rc = 0;

	(void)arg;
	++*before;
	for (unsigned int i = 0; i < steps && !rc; i++) {
		unsigned int slot = (unsigned int)churn_random(CHURN_SLOTS);

		if (!churn_random(6))
			rc = churn_bulk(slot % CHURN_BULKS);
		else if (!churn_random(6))
			churn_bulk_write(slot % CHURN_BULKS);
		else if (!churn_root()->slots[slot])
			rc = churn_make(slot);
		else if (churn_random(2))
			churn_drop(slot);
		else
			churn_change(slot);
	}
	after = image_write(&churn_root()->after);
	++*after;
	if (!rc && !churn_random(3))
		image_commit();
	return rc ? rc : churn_random(4) ? 0 : -EIO;
}

static inline long churn_end(void *arg)
{
	const struct churn *churn = churn_root();

	(void)arg;
	for (unsigned int i = 0; i < CHURN_SLOTS; i++)
		if (churn->slots[i])
			churn_drop(i);
	for (unsigned int i = 0; i < CHURN_BULKS; i++)
		image_bulk_free(churn->bulk[i]);
	idtable_destroy(churn->table);
	image_free(churn);
	image_root_set(IMAGE_ROOT_FLOW, NULL);
	return 0;
}

static inline void churn_check(void)
{
	const struct churn *churn = churn_root();
	uint64_t objects = 0, bulks = 0;

	assert_image_whole();
	assert_int_equal(churn->before, churn->after);
	for (unsigned int i = 0; i < CHURN_SLOTS; i++) {
		const struct churn_object *object = churn->slots[i];

		if (!object)
			continue;
		objects++;
		assert_int_equal(object->slot, i);
		assert_int_equal(image_sizeof(object), object->size);
		assert_int_equal(image_typeof(object), IMAGE_TYPE_CHECK);
		assert_ptr_equal(idtable_find(churn->table, object->obj.id), object);
		for (uint64_t w = 0; w < (object->size - sizeof(*object)) / 8; w++)
			if (object->words[w] != object->fill)
				fail_msg("slot %u is half written", i);
	}
	for (unsigned int i = 0; i < CHURN_BULKS; i++)
		bulks += churn->bulk[i] != NULL;
	assert_int_equal(churn->objects, objects);
	assert_int_equal(churn->bulks, bulks);
	assert_int_equal(image_live(IMAGE_TYPE_CHECK), objects);
	assert_int_equal(image_live(IMAGE_TYPE_RAM), bulks);
	assert_int_equal(idtable_count(churn->table), objects);
}

static inline void churn_check_empty(void)
{
	assert_image_whole();
	for (unsigned int type = 0; type < IMAGE_TYPE_MAX; type++)
		assert_int_equal(image_live(type), 0);
}

#endif
