/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Id tables: small integers to objects, with the kernel's three verbs. An id is reserved (invisible
 * to look-ups), the object is set up, then finalize publishes it, and nothing may fail after that;
 * otherwise abort gives the id back. Ids go up from 1 and the lowest free one is used, as an xarray
 * does; an id may be left as a tombstone that is neither found nor used again.
 *
 * Objects start with struct idobject. `users` counts long-term references and starts at 1 (the
 * table's own); `waits` counts calls that are using the object right now and starts at 1.
 */
#ifndef SWTIO_IMAGE_IDTABLE_H
#define SWTIO_IMAGE_IDTABLE_H

#include "image/image.h"

struct idobject {
	uint32_t id;
	uint16_t kind;		/* the lane's own type id, index of its static ops table */
	uint16_t flags;
	uint32_t users;
	uint32_t waits;
};

struct idtable;

const struct idtable *idtable_create(void);		/* NULL: no memory */
void idtable_destroy(const struct idtable *table);	/* must hold no object */
int idtable_reserve(const struct idtable *table, uint32_t *id);	/* 0 or -ENOMEM */
void idtable_finalize(const struct idtable *table, const struct idobject *object);
void idtable_abort(const struct idtable *table, uint32_t id);
void idtable_remove(const struct idtable *table, uint32_t id);
void idtable_tombstone(const struct idtable *table, uint32_t id);
const struct idobject *idtable_find(const struct idtable *table, uint32_t id);	/* NULL: none */
/* The first object with an id >= *id, which is updated; NULL at the end. */
const struct idobject *idtable_next(const struct idtable *table, uint32_t *id);
uint32_t idtable_count(const struct idtable *table);	/* published objects, no tombstones */

void idobject_get(const struct idobject *object);	/* one long-term reference more */
void idobject_put(const struct idobject *object);	/* never to 0: that is the lane's act */

#endif
