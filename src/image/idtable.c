/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Id tables: a radix tree, 64 slots a node. A node's `full` has a bit for each slot below which no
 * id is free, so the lowest free id is one walk down.
 */
#include "image/idtable.h"

#include <errno.h>
#include <stdio.h>

#include "image/arena.h"

#define NODE_SHIFT 6
#define NODE_SLOTS 64u
#define LEVELS_MAX 5u		/* 2^30 ids */

/* What a slot of the lowest level may hold beside an object. */
#define SLOT_FREE ((const void *)0)
#define SLOT_RESERVED ((const void *)1)
#define SLOT_TOMBSTONE ((const void *)2)

struct idnode {
	uint64_t full;
	const void *slots[NODE_SLOTS];	/* idnode above the lowest level, idobject in it */
};

struct idtable {
	const struct idnode *top;
	uint32_t levels;
	uint32_t count;
};

static bool slot_is_object(const void *slot)
{
	return slot > SLOT_TOMBSTONE;
}

static unsigned int slot_index(uint32_t id, unsigned int level)
{
	return id >> (NODE_SHIFT * level) & (NODE_SLOTS - 1);
}

const struct idtable *idtable_create(void)
{
	struct idtable *table = image_alloc(sizeof(*table), IMAGE_TYPE_IDTABLE);
	struct idnode *top = table ? image_alloc(sizeof(*top), IMAGE_TYPE_IDNODE) : NULL;

	if (!top) {
		image_free(table);
		return NULL;
	}
	top->slots[0] = SLOT_TOMBSTONE;	/* ids start at 1 */
	top->full = 1;
	table->top = top;
	table->levels = 1;
	return table;
}

static void node_destroy(const struct idnode *node, unsigned int level)
{
	for (unsigned int i = 0; level && i < NODE_SLOTS; i++)
		if (node->slots[i])
			node_destroy(node->slots[i], level - 1);
	image_free(node);
}

void idtable_destroy(const struct idtable *table)
{
	if (!table)
		return;
	node_destroy(table->top, table->levels - 1);
	image_free(table);
}

/* The path to an id's slot, from the top; false where no node has been made. */
static bool path_to(const struct idtable *table, uint32_t id, const struct idnode **path)
{
	const struct idnode *node = table->top;

	if (id >> (NODE_SHIFT * table->levels))
		return false;
	for (unsigned int level = table->levels - 1; node; level--) {
		*path++ = node;
		if (!level)
			return true;
		node = node->slots[slot_index(id, level)];
	}
	return false;
}

static const void *const *slot_of(const struct idtable *table, uint32_t id)
{
	const struct idnode *path[LEVELS_MAX], *leaf;

	if (!path_to(table, id, path))
		return NULL;
	leaf = path[table->levels - 1];
	return &leaf->slots[slot_index(id, 0)];
}

static void slot_set(const struct idtable *table, uint32_t id, const void *value)
{
	const struct idnode *path[LEVELS_MAX];
	const void **slot;
	bool full = value != SLOT_FREE;

	if (!path_to(table, id, path))
		return;
	slot = image_write(&path[table->levels - 1]->slots[slot_index(id, 0)]);
	*slot = value;
	for (unsigned int level = 0; level < table->levels; level++) {
		const struct idnode *node = path[table->levels - 1 - level];
		uint64_t bit = 1ull << slot_index(id, level);
		uint64_t *w;

		if (!!(node->full & bit) == full)
			break;
		w = image_write(&node->full);
		*w = full ? *w | bit : *w & ~bit;
		full = *w == UINT64_MAX;
	}
}

static int table_grow(const struct idtable *table)
{
	struct idtable *w;
	struct idnode *top;

	if (table->levels == LEVELS_MAX)
		return -ENOMEM;
	top = image_alloc(sizeof(*top), IMAGE_TYPE_IDNODE);
	if (!top)
		return -ENOMEM;
	top->slots[0] = table->top;
	top->full = 1;		/* it grows because there is no room below */
	w = image_write(table);
	w->top = top;
	w->levels++;
	return 0;
}

int idtable_reserve(const struct idtable *table, uint32_t *id)
{
	const struct idnode *node;
	uint32_t found = 0;

	if (table->top->full == UINT64_MAX && table_grow(table))
		return -ENOMEM;
	node = table->top;
	for (unsigned int level = table->levels - 1;; level--) {
		unsigned int slot = (unsigned int)__builtin_ctzll(~node->full);
		const void **w;

		found = found << NODE_SHIFT | slot;
		if (!level)
			break;
		if (!node->slots[slot]) {
			const void *child = image_alloc(sizeof(*node), IMAGE_TYPE_IDNODE);

			if (!child)
				return -ENOMEM;
			w = image_write(&node->slots[slot]);
			*w = child;
		}
		node = node->slots[slot];
	}
	slot_set(table, found, SLOT_RESERVED);
	*id = found;
	return 0;
}

static void count_add(const struct idtable *table, uint32_t by)
{
	uint32_t *count = image_write(&table->count);

	*count += by;
}

void idtable_finalize(const struct idtable *table, const struct idobject *object)
{
	const void *const *slot = slot_of(table, object->id);

	if (!slot || *slot != SLOT_RESERVED)
		return;
	slot_set(table, object->id, object);
	count_add(table, 1);
}

void idtable_abort(const struct idtable *table, uint32_t id)
{
	const void *const *slot = slot_of(table, id);

	if (slot && *slot == SLOT_RESERVED)
		slot_set(table, id, SLOT_FREE);
}

static void slot_vacate(const struct idtable *table, uint32_t id, const void *value)
{
	const void *const *slot = slot_of(table, id);

	if (!slot || !slot_is_object(*slot))
		return;
	slot_set(table, id, value);
	count_add(table, -1u);
}

void idtable_remove(const struct idtable *table, uint32_t id)
{
	slot_vacate(table, id, SLOT_FREE);
}

void idtable_tombstone(const struct idtable *table, uint32_t id)
{
	slot_vacate(table, id, SLOT_TOMBSTONE);
}

const struct idobject *idtable_find(const struct idtable *table, uint32_t id)
{
	const struct idnode *node = table->top;

	if (id >> (NODE_SHIFT * table->levels))
		return NULL;
	for (unsigned int level = table->levels - 1; node; level--) {
		const void *slot = node->slots[slot_index(id, level)];

		if (!level)
			return slot_is_object(slot) ? slot : NULL;
		node = slot;
	}
	return NULL;
}

const struct idobject *idtable_next(const struct idtable *table, uint32_t *id)
{
	uint64_t end = 1ull << (NODE_SHIFT * table->levels), at = *id;

	while (at < end) {
		const struct idnode *path[LEVELS_MAX] = { NULL };
		unsigned int depth = 0;

		if (path_to(table, (uint32_t)at, path)) {
			const void *slot =
				path[table->levels - 1]->slots[slot_index((uint32_t)at, 0)];

			if (slot_is_object(slot)) {
				*id = (uint32_t)at;
				return slot;
			}
			at++;
			continue;
		}
		while (path[depth])
			depth++;	/* skip all ids below the node that is not there */
		at = (at >> (NODE_SHIFT * (table->levels - depth))) + 1;
		at <<= NODE_SHIFT * (table->levels - depth);
	}
	return NULL;
}

uint32_t idtable_count(const struct idtable *table)
{
	return table->count;
}

void idobject_get(const struct idobject *object)
{
	uint32_t *users = image_write(&object->users);

	++*users;
}

void idobject_put(const struct idobject *object)
{
	uint32_t *users;

	if (object->users <= 1)
		return;
	users = image_write(&object->users);
	--*users;
}

/* -- verify ----------------------------------------------------------------------------------- */

static bool is_object(const void *p, enum image_type type, uint64_t size)
{
	struct object object = object_at(p);

	return object.start == p && object.type == type && object.bytes == size;
}

/* Objects below a node, or -EUCLEAN. The budget ends walks in circles. */
static long node_verify(const struct idnode *node, unsigned int level, uint64_t *budget)
{
	uint64_t full = 0;
	long count = 0;

	if (!*budget || !is_object(node, IMAGE_TYPE_IDNODE, sizeof(*node)))
		return -EUCLEAN;
	--*budget;
	for (unsigned int i = 0; i < NODE_SLOTS; i++) {
		const void *slot = node->slots[i];
		long below;

		if (!slot)
			continue;
		if (level) {
			below = node_verify(slot, level - 1, budget);
			if (below < 0)
				return below;
			count += below;
			if (((const struct idnode *)slot)->full == UINT64_MAX)
				full |= 1ull << i;
			continue;
		}
		full |= 1ull << i;
		if (!slot_is_object(slot))
			continue;
		if (!object_at(slot).start)
			return -EUCLEAN;
		count++;
	}
	return full == node->full ? count : -EUCLEAN;
}

int idtable_verify(const struct object *object, char *why, size_t len)
{
	const struct idtable *table = object->start;
	uint64_t budget = image_live(IMAGE_TYPE_IDNODE);

	if (object->bytes == sizeof(*table) && table->levels && table->levels <= LEVELS_MAX &&
	    node_verify(table->top, table->levels - 1, &budget) == (long)table->count)
		return 0;
	snprintf(why, len, "the id table at %p is damaged", object->start);
	return -EUCLEAN;
}
