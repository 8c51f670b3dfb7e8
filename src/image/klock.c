/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Modelled locks. Who holds and who waits stands in one table in the image; a lock itself only
 * counts. Ownership is the call's, since two threads of a task can each be in a call.
 */
#include "image/klock.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "image/arena.h"

#define HOLDS 256u
#define NO_TASK UINT32_MAX	/* task 0 as an owner, since a writer of 0 is none */

struct hold {
	const struct klock *lock;	/* NULL: unused */
	uint64_t call;
	uint32_t task;
	uint8_t class;
	uint8_t mode;
	uint8_t waits;			/* wants it rather than has it */
	uint8_t spare;
};

struct klock_table {
	uint64_t used;			/* no hold from this one on is in use */
	struct hold holds[HOLDS];
};

static _Thread_local uint32_t task_of_call;

static const char *const class_names[KLOCK_CLASS_MAX] = {
	[KLOCK_TSM_RWSEM] = "tsm_rwsem",
	[KLOCK_DSM] = "dsm",
	[KLOCK_IGROUP] = "igroup",
	[KLOCK_IOMMUFD] = "iommufd",
	[KLOCK_KVM_SLOTS] = "slots_lock",
	[KLOCK_MEMORY] = "memory_lock",
	[KLOCK_DMA_RESV] = "dma_resv",
	[KLOCK_PAGES] = "pages",
	[KLOCK_MMU] = "mmu_lock",
	[KLOCK_DOE] = "doe",
};

void klock_set_task(uint32_t task)
{
	task_of_call = task;
}

uint32_t klock_task(void)
{
	return task_of_call;
}

static uint32_t owner(uint32_t task)
{
	return task ? task : NO_TASK;
}

static const struct klock_table *table_find(void)
{
	return image_root(IMAGE_ROOT_LOCKS);
}

static const struct klock_table *table_get(void)
{
	const struct klock_table *table = table_find();

	if (!table) {
		table = image_alloc(sizeof(*table), IMAGE_TYPE_LOCK);
		if (table)
			image_root_set(IMAGE_ROOT_LOCKS, table);
	}
	return table;
}

/* Findings are what a run is made for: they survive the failure of the call. */
__attribute__((format(printf, 1, 2))) static void finding(const char *format, ...)
{
	struct volatile_state *now = &HEADER->now;
	va_list args;

	now->findings++;
	va_start(args, format);
	vsnprintf(now->finding, sizeof(now->finding), format, args);
	va_end(args);
}

static bool is_mine(const struct hold *hold)
{
	return hold->call == call_serial() && hold->task == owner(task_of_call);
}

static const struct hold *hold_add(const struct klock *lock, enum klock_class class,
				   enum klock_mode mode, bool waits)
{
	const struct klock_table *table = table_get();
	uint64_t i = 0;
	struct hold *w;

	if (!table)
		return NULL;
	while (i < table->used && table->holds[i].lock)
		i++;
	if (i == HOLDS)
		return NULL;
	if (i == table->used) {
		uint64_t *used = image_write(&table->used);

		*used = i + 1;
	}
	w = image_write(&table->holds[i]);
	*w = (struct hold){ .lock = lock, .call = call_serial(), .task = owner(task_of_call),
			    .class = (uint8_t)class, .mode = (uint8_t)mode, .waits = waits };
	return w;
}

static void hold_drop(const struct hold *hold)
{
	struct hold *w = image_write(hold);

	*w = (struct hold){ 0 };
}

/* The next hold of a lock (any lock if NULL) after the one given, or NULL. */
static const struct hold *hold_next(const struct klock *lock, const struct hold *after)
{
	const struct klock_table *table = table_find();
	const struct hold *hold;

	if (!table)
		return NULL;
	for (hold = after ? after + 1 : table->holds; hold < table->holds + table->used; hold++)
		if (hold->lock && (!lock || hold->lock == lock))
			return hold;
	return NULL;
}

static void lock_count(
	const struct klock *lock, enum klock_class class, enum klock_mode mode, int by)
{
	struct klock *w = image_write(lock);

	w->class = (uint16_t)class;
	if (!w->serial)
		w->serial = ++HEADER->now.lock_serial;
	if (mode == KLOCK_READ)
		w->readers = (uint16_t)(w->readers + by);
	else
		w->writer = by > 0 ? owner(task_of_call) : 0;
}

static bool lock_is_free(const struct klock *lock, enum klock_mode mode)
{
	return !lock->writer && (mode == KLOCK_READ || !lock->readers);
}

static void order_check(const struct klock *lock, enum klock_class class)
{
	for (const struct hold *hold = hold_next(NULL, NULL); hold; hold = hold_next(NULL, hold))
		if (is_mine(hold) && !hold->waits && hold->lock != lock && hold->class > class) {
			finding("lock order: task %u takes %s while it holds %s #%u", task_of_call,
				class_names[class], class_names[hold->class], hold->lock->serial);
			return;
		}
}

int klock_try(const struct klock *lock, enum klock_class class, enum klock_mode mode)
{
	if (!lock_is_free(lock, mode))
		return -EBUSY;
	if (!hold_add(lock, class, mode, false))
		return -ENOMEM;
	lock_count(lock, class, mode, 1);
	return 0;
}

/* Does a holder of the lock wait, over any number of others, for what the running call holds? */
static bool waits_for_me(const struct klock *lock, unsigned int depth)
{
	const struct hold *hold = NULL, *want = NULL;

	while ((hold = hold_next(lock, hold))) {
		if (hold->waits)
			continue;
		if (is_mine(hold))
			return true;
		while (depth && (want = hold_next(NULL, want)))
			if (want->waits && want->call == hold->call && want->task == hold->task &&
			    waits_for_me(want->lock, depth - 1))
				return true;
		want = NULL;
	}
	return false;
}

static bool held_on_stack(const struct klock *lock)
{
	const struct hold *hold = NULL;

	while ((hold = hold_next(lock, hold)))
		if (!hold->waits && call_on_stack(hold->call))
			return true;
	return false;
}

static int klock_wait(const struct klock *lock, enum klock_class class, enum klock_mode mode)
{
	const struct hold *wait;

	if (waits_for_me(lock, KLOCK_CLASS_MAX)) {
		finding("deadlock: task %u waits for %s #%u, whose holder waits for it",
			task_of_call, class_names[class], lock->serial);
		return -EDEADLK;
	}
	if (held_on_stack(lock))
		return -EAGAIN;
	wait = hold_add(lock, class, mode, true);
	if (!wait)
		return -ENOMEM;
	image_wait(IMAGE_WAIT_LOCK);
	hold_drop(wait);
	return 0;
}

int klock_acquire(const struct klock *lock, enum klock_class class, enum klock_mode mode)
{
	int rc;

	order_check(lock, class);
	while ((rc = klock_try(lock, class, mode)) == -EBUSY) {
		rc = klock_wait(lock, class, mode);
		if (rc)
			return rc;
	}
	return rc;
}

void klock_release(const struct klock *lock, enum klock_mode mode)
{
	const struct hold *hold = NULL;

	while ((hold = hold_next(lock, hold)))
		if (is_mine(hold) && !hold->waits && hold->mode == mode) {
			lock_count(lock, hold->class, mode, -1);
			hold_drop(hold);
			return;
		}
	finding("task %u releases %s #%u, which it does not hold", task_of_call,
		class_names[lock->class < KLOCK_CLASS_MAX ? lock->class : 0], lock->serial);
}

bool klock_held(const struct klock *lock)
{
	const struct hold *hold = NULL;

	while ((hold = hold_next(lock, hold)))
		if (hold->task == owner(task_of_call) && !hold->waits)
			return true;
	return false;
}

static void hold_end(const struct hold *hold)
{
	if (!hold->waits)
		lock_count(hold->lock, hold->class, hold->mode, -1);
	hold_drop(hold);
}

void klock_release_all(uint32_t task)
{
	const struct hold *hold = NULL;

	while ((hold = hold_next(NULL, hold)))
		if (hold->task == owner(task))
			hold_end(hold);
}

/*
 * A call gives its locks back before it ends. One that failed may have had the release undone (it
 * took the lock before a commit), or may have been left by an abort: that is made good here.
 */
void klock_call_end(uint64_t call, bool failed)
{
	const struct hold *hold = NULL;

	while ((hold = hold_next(NULL, hold))) {
		if (hold->call != call)
			continue;
		if (!failed)
			finding("task %u returns with %s #%u held", hold->task,
				class_names[hold->class], hold->lock->serial);
		hold_end(hold);
	}
}

uint32_t klock_findings(char *text, size_t len)
{
	if (text && len)
		snprintf(text, len, "%.*s", (int)sizeof(HEADER->now.finding), HEADER->now.finding);
	return HEADER->now.findings;
}

int klock_verify(char *why, size_t len)
{
	const struct klock_table *table = table_find();
	struct object object;

	if (!table)
		return 0;
	object = object_at(table);
	if (object.start != table || object.bytes != sizeof(*table) || table->used > HOLDS) {
		snprintf(why, len, "the table of locks is damaged");
		return -EUCLEAN;
	}
	for (const struct hold *hold = hold_next(NULL, NULL); hold; hold = hold_next(NULL, hold)) {
		uint32_t readers = 0, writers = 0;

		if (!object_at(hold->lock).start || hold->class >= KLOCK_CLASS_MAX) {
			snprintf(why, len, "a lock that is held is not in any object");
			return -EUCLEAN;
		}
		for (const struct hold *h = hold_next(hold->lock, NULL); h;
			h = hold_next(hold->lock, h)) {
			readers += !h->waits && h->mode == KLOCK_READ;
			writers += !h->waits && h->mode == KLOCK_WRITE;
		}
		if (hold->lock->readers != readers || !!hold->lock->writer != writers) {
			snprintf(why, len, "lock #%u does not count its holders",
				hold->lock->serial);
			return -EUCLEAN;
		}
	}
	return 0;
}
