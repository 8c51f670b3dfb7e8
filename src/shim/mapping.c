/* SPDX-License-Identifier: BSD-2-Clause */
/* Which of our files is mapped where in this process. */
#include <pthread.h>

#include "shim/mapping.h"
#include "shim/shim.h"

#define MAPPINGS 1024u
#define PAGE 4096u

static struct mapping mappings[MAPPINGS];
static unsigned int count;	/* read without the lock to let foreign calls pass */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;	/* guards the two above */

static void insert(const struct mapping *new)
{
	if (new->len && count < MAPPINGS)
		mappings[count++] = *new;
}

/* Takes [start, +len) out of what is there; what is left and right of it stays. */
static void cut(uint64_t start, uint64_t len)
{
	for (unsigned int i = 0; i < count;) {
		struct mapping old = mappings[i], right = old;

		if (old.start >= start + len || start >= old.start + old.len) {
			i++;
			continue;
		}
		mappings[i] = mappings[--count];
		right.start = start + len;
		right.len = old.start + old.len > right.start ? old.start + old.len - right.start : 0;
		right.offset += right.start - old.start;
		old.len = start > old.start ? start - old.start : 0;
		insert(&old);
		insert(&right);
	}
}

static bool none(void)
{
	return !__atomic_load_n(&count, __ATOMIC_RELAXED);
}

void mapping_add(const struct mapping *new)
{
	pthread_mutex_lock(&lock);
	cut(new->start, new->len);
	insert(new);
	pthread_mutex_unlock(&lock);
}

void mapping_gone(const void *address, size_t len)
{
	if (none())
		return;
	pthread_mutex_lock(&lock);
	cut((uint64_t)(uintptr_t)address, (len + PAGE - 1) & ~(uint64_t)(PAGE - 1));
	pthread_mutex_unlock(&lock);
}

bool mapping_find(uint64_t address, struct mapping *out)
{
	bool found = false;

	if (none())
		return false;
	pthread_mutex_lock(&lock);
	for (unsigned int i = 0; !found && i < count; i++) {
		found = address - mappings[i].start < mappings[i].len;
		if (found)
			*out = mappings[i];
	}
	pthread_mutex_unlock(&lock);
	return found;
}

const struct file *shim_mapping(uint64_t address, uint64_t *offset, uint64_t *left)
{
	const struct file *file;
	struct mapping at;

	if (!mapping_find(address, &at))
		return NULL;
	*offset = at.offset + (address - at.start);
	*left = at.start + at.len - address;
	file = file_find(at.id);
	return file && file->generation == at.generation ? file : NULL;
}
