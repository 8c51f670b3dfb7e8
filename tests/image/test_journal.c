/* SPDX-License-Identifier: BSD-2-Clause */
/* Objects, the journal, calls: what is undone, when, and what happens when memory is out. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check.h"

struct thing {
	uint64_t a, b;
	char text[48];
};

static int thing_setup(void **state)
{
	struct image_opts opts = { .size = sizeof(opts), .seed = 1 };

	(void)state;
	return image_create(&opts);
}

static int thing_teardown(void **state)
{
	(void)state;
	image_detach();
	return 0;
}

static const struct thing *root(void)
{
	return image_root(IMAGE_ROOT_FLOW);
}

static long make_root(void *arg)
{
	struct thing *thing = image_alloc(sizeof(*thing), IMAGE_TYPE_BYTES);

	(void)arg;
	if (!thing)
		return -ENOMEM;
	thing->a = 1;
	image_root_set(IMAGE_ROOT_FLOW, thing);
	return 0;
}

static long change_and_fail(void *arg)
{
	struct thing *w = image_write(root());

	(void)arg;
	w->a = 77;
	w->b = 78;
	image_free(root());
	if (!image_alloc(100, IMAGE_TYPE_TASK) || !image_alloc(100000, IMAGE_TYPE_TASK) ||
	    !image_alloc(5000000, IMAGE_TYPE_TASK) || !image_bulk_alloc(4096, IMAGE_TYPE_RAM))
		return -ENOMEM;
	image_root_set(IMAGE_ROOT_SHIM, image_alloc(8, IMAGE_TYPE_TASK));
	return -EPERM;
}

static void a_failed_call_leaves_nothing(void **state)
{
	(void)state;
	assert_int_equal(image_call(make_root, NULL), 0);
	assert_int_equal(image_live(IMAGE_TYPE_BYTES), 1);
	assert_int_equal(image_call(change_and_fail, NULL), -EPERM);
	assert_int_equal(root()->a, 1);
	assert_int_equal(root()->b, 0);
	assert_null(image_root(IMAGE_ROOT_SHIM));
	assert_int_equal(image_typeof(root()), IMAGE_TYPE_BYTES);
	assert_int_equal(image_sizeof(root()), sizeof(struct thing));
	assert_int_equal(image_live(IMAGE_TYPE_TASK), 0);
	assert_int_equal(image_live(IMAGE_TYPE_RAM), 0);
	assert_image_whole();
}

static long commit_between(void *arg)
{
	struct thing *w = image_write(root());

	w->a = 5;
	image_commit();
	w = image_write(root());
	w->a = 6;
	w->b = 6;
	if (arg)
		image_call_abort(-EINTR);
	return -EIO;
}

static void a_commit_stays(void **state)
{
	(void)state;
	assert_int_equal(image_call(make_root, NULL), 0);
	assert_int_equal(image_call(commit_between, NULL), -EIO);
	assert_int_equal(root()->a, 5);
	assert_int_equal(root()->b, 0);
	assert_int_equal(image_call(commit_between, "abort"), -EINTR);
	assert_int_equal(root()->a, 5);
	assert_image_whole();
}

/* -- when memory is out ----------------------------------------------------------------------- */

static int small_setup(void **state)
{
	struct image_opts opts = { .size = sizeof(opts), .limit = 16 << 20 };

	(void)state;
	return image_create(&opts);
}

static const void *chain;

static long fill_arena(void *arg)
{
	size_t size = *(const size_t *)arg;
	uint64_t made = 0;
	const void **object;

	/* Kept across commits: a single call would need as much journal again. */
	while ((object = image_alloc(size, IMAGE_TYPE_BYTES))) {
		*object = chain;
		chain = object;
		made++;
		image_commit();
	}
	return (long)made;
}

static long empty_arena(void *arg)
{
	(void)arg;
	while (chain) {
		const void *next = *(const void *const *)chain;

		image_free(chain);
		chain = next;
		image_commit();
	}
	return 0;
}

static void a_full_arena_answers_null(void **state)
{
	size_t sizes[] = { 16, 100, 4000, 70000, 3 << 20 };

	(void)state;
	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		long made = image_call(fill_arena, &sizes[i]);

		/* Half of the limit at least was there to be used, and not more than all. */
		assert_in_range((uint64_t)made * sizes[i], 8 << 20, 16 << 20);
		assert_int_equal(image_live(IMAGE_TYPE_BYTES), made);
		assert_null(image_alloc(sizes[i], IMAGE_TYPE_BYTES));
		assert_image_whole();
		assert_int_equal(image_call(empty_arena, NULL), 0);
		assert_int_equal(image_live(IMAGE_TYPE_BYTES), 0);
		assert_image_whole();
	}
}

static long fill_bulk(void *arg)
{
	const void **bulks = arg;
	long made = 0;

	while ((bulks[made] = image_bulk_alloc(2 << 20, IMAGE_TYPE_RAM)))
		memset(image_bulk_write(bulks[made++], 2 << 20), 0x5a, 2 << 20);
	return made;
}

static long free_bulk(void *arg)
{
	for (const void **bulk = arg; *bulk; bulk++)
		image_bulk_free(*bulk);
	return 0;
}

static void full_bulk_memory_answers_null(void **state)
{
	const void *bulks[16];

	(void)state;
	assert_int_equal(image_call(fill_bulk, bulks), 8);
	assert_image_whole();
	assert_int_equal(image_call(free_bulk, bulks), 0);
	assert_int_equal(image_call(fill_bulk, bulks), 8);
	assert_int_equal(image_call(free_bulk, bulks), 0);
	assert_image_whole();
}

static long log_without_end(void *arg)
{
	(void)arg;
	for (uint64_t i = 0;; i++) {
		struct thing *w = image_write(root());

		w->a = i;
	}
	return 0;
}

static long log_much(void *arg)
{
	uint64_t n = *(const uint64_t *)arg;
	struct thing *w;

	for (uint64_t i = 0; i < n; i++) {
		w = image_write(root());
		w->b = i + 1;
	}
	return 0;
}

static void a_full_journal_ends_the_call(void **state)
{
	uint64_t records = (5 << 20) / 80;
	void *bulk;

	(void)state;
	assert_int_equal(image_call(make_root, NULL), 0);
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(image_call(log_without_end, NULL), -ENOMEM);
		assert_int_equal(root()->a, 1);
		assert_image_whole();
	}
	/* Beyond the two fixed segments, and all of it is given back. */
	assert_int_equal(image_call(log_much, &records), 0);
	assert_int_equal(root()->b, records);
	bulk = image_bulk_alloc(14 << 20, IMAGE_TYPE_RAM);
	assert_non_null(bulk);
	image_bulk_free(bulk);
	assert_image_whole();
}

static const void *big;

static long make_big(void *arg)
{
	(void)arg;
	big = image_alloc(6 << 20, IMAGE_TYPE_BYTES);
	return big ? 0 : -ENOMEM;
}

static long free_big(void *arg)
{
	(void)arg;
	image_free(big);
	return 0;
}

static void the_journal_takes_what_objects_left(void **state)
{
	uint64_t records = (16 << 20) / 80;

	(void)state;
	assert_int_equal(image_call(make_root, NULL), 0);
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(image_call(make_big, NULL), 0);
		assert_int_equal(image_call(log_much, &records), -ENOMEM);
		assert_int_equal(image_call(free_big, NULL), 0);
		assert_int_equal(image_call(log_much, &records), 0);
	}
	assert_image_whole();
}

static long reserve_then_log(void *arg)
{
	uint64_t bytes = 8 << 20, n = bytes / 80;

	(void)arg;
	assert_int_equal(image_reserve(1ull << 30), -ENOMEM);
	assert_int_equal(image_reserve(bytes), 0);
	/* What is reserved cannot be taken by objects. */
	while (image_alloc(1 << 20, IMAGE_TYPE_BYTES))
		;
	return log_much(&n);
}

static void what_is_reserved_can_be_logged(void **state)
{
	(void)state;
	assert_int_equal(image_call(make_root, NULL), 0);
	assert_int_equal(image_call(reserve_then_log, NULL), 0);
	assert_int_equal(root()->b, (8 << 20) / 80);
	assert_image_whole();
}

static void a_full_journal_has_no_room_for_a_snapshot(void **state)
{
	image_mark mark = 1, last = 0;
	uint64_t records = 20000;

	(void)state;
	assert_int_equal(image_call(make_root, NULL), 0);
	while ((mark = image_snapshot())) {
		last = mark;
		records = image_call(log_much, &records) ? records / 2 : records;
	}
	assert_image_whole();
	assert_int_equal(image_restore(last), 0);
	for (mark = last; mark; mark--)
		image_release(mark);
	assert_int_not_equal(image_snapshot(), 0);
	assert_image_whole();
}

static void the_nth_allocation_fails(void **state)
{
	const void *one, *two;

	(void)state;
	image_fail_nth(2);
	one = image_alloc(10, IMAGE_TYPE_BYTES);
	assert_non_null(one);
	assert_int_equal(image_fail_left(), 1);
	assert_null(image_bulk_alloc(10, IMAGE_TYPE_BYTES));
	assert_int_equal(image_fail_left(), 0);
	two = image_alloc(10, IMAGE_TYPE_BYTES);
	assert_non_null(two);
	image_fail_nth(1);
	assert_null(image_alloc(10, IMAGE_TYPE_BYTES));
	image_fail_nth(1);
	image_fail_nth(0);
	assert_non_null(image_alloc(10, IMAGE_TYPE_BYTES));
	assert_int_equal(image_live(IMAGE_TYPE_BYTES), 3);
}

/* -- objects ---------------------------------------------------------------------------------- */

static long every_size(void *arg)
{
	const uint8_t *before = NULL;

	(void)arg;
	for (size_t size = 0; size < 140000; size += size < 600 ? 1 : size / 7) {
		uint8_t *object = image_alloc(size, IMAGE_TYPE_BYTES);

		assert_non_null(object);
		assert_int_equal((uintptr_t)object % 16, 0);
		assert_int_equal(image_sizeof(object), size);
		assert_int_equal(image_typeof(object), IMAGE_TYPE_BYTES);
		assert_int_equal(image_typeof(object + 1), IMAGE_TYPE_NONE);
		for (size_t i = 0; i < size; i++)
			assert_int_equal(object[i], 0);
		memset(object, 0xff, size);
		if (before && size % 3)
			image_free(before);
		before = size % 5 ? object : NULL;
	}
	return 0;
}

static int count_and_free(const void *object, void *arg)
{
	uint64_t *count = arg;

	++*count;
	image_free(object);
	return 0;
}

static int stop_at_three(const void *object, void *arg)
{
	uint64_t *count = arg;

	(void)object;
	return ++*count == 3 ? 33 : 0;
}

static void objects_of_every_size(void **state)
{
	uint64_t count = 0, live;

	(void)state;
	assert_int_equal(image_call(every_size, NULL), 0);
	assert_image_whole();
	live = image_live(IMAGE_TYPE_BYTES);
	assert_int_equal(image_each(IMAGE_TYPE_BYTES, stop_at_three, &count), 33);
	count = 0;
	assert_int_equal(image_each(IMAGE_TYPE_BYTES, count_and_free, &count), 0);
	assert_int_equal(count, live);
	assert_int_equal(image_live(IMAGE_TYPE_BYTES), 0);
	assert_image_whole();
	assert_int_equal(image_call(every_size, NULL), 0);
	assert_image_whole();
	assert_null(image_alloc(8, IMAGE_TYPE_NONE));
	assert_null(image_alloc(8, IMAGE_TYPE_MAX));
	assert_null(image_alloc(SIZE_MAX, IMAGE_TYPE_BYTES));
	assert_null(image_bulk_alloc(UINT64_MAX, IMAGE_TYPE_BYTES));
	assert_null(image_bulk_alloc(0, IMAGE_TYPE_BYTES));
	assert_int_equal(image_typeof(&count), IMAGE_TYPE_NONE);
	assert_false(image_contains(&count, 1));
	assert_true(image_contains(root(), 0) || !root());
}

static const uint8_t *bulk_of_call;

static long write_bulk_and_fail(void *arg)
{
	uint64_t len = *(const uint64_t *)arg;

	bulk_of_call = image_bulk_alloc(len, IMAGE_TYPE_RAM);
	assert_non_null(bulk_of_call);
	for (uint64_t i = 0; i < len; i++)
		assert_int_equal(bulk_of_call[i], 0);
	memset(image_bulk_write(bulk_of_call, len), 0xa5, len);
	return -EIO;
}

static void free_memory_is_zero(void **state)
{
	uint64_t lens[] = { IMAGE_PAGE, 100 * IMAGE_PAGE, 4 << 20 };

	(void)state;
	for (unsigned int i = 0; i < 3; i++) {
		const uint8_t *before;

		assert_int_equal(image_call(write_bulk_and_fail, &lens[i]), -EIO);
		before = bulk_of_call;
		assert_int_equal(image_call(write_bulk_and_fail, &lens[i]), -EIO);
		assert_ptr_equal(bulk_of_call, before);
	}
	assert_image_whole();
}

static void pages_between_others_are_used_again(void **state)
{
	const uint8_t *runs[60], *again;

	(void)state;
	for (unsigned int i = 0; i < 60; i++)
		runs[i] = image_bulk_alloc(10 * IMAGE_PAGE, IMAGE_TYPE_RAM);
	image_commit();
	image_bulk_free(runs[20]);
	image_bulk_free(runs[22]);
	image_commit();
	assert_non_null(image_bulk_alloc(20 * IMAGE_PAGE, IMAGE_TYPE_RAM));
	image_bulk_free(runs[21]);	/* now they are one */
	image_commit();
	again = image_bulk_alloc(30 * IMAGE_PAGE, IMAGE_TYPE_RAM);
	assert_ptr_equal(again, runs[20]);
	assert_image_whole();
}

/* -- calls and wait points -------------------------------------------------------------------- */

static long waits(void *arg)
{
	struct thing *w = image_write(root());

	(void)arg;
	w->a = 10;
	image_wait(IMAGE_WAIT_DOE);
	w = image_write(root());
	w->b = 20;
	image_wait(IMAGE_WAIT_BUSY);
	w = image_write(root());
	w->b = 30;
	return -EIO;
}

static long change_text(void *arg)
{
	struct thing *w = image_write(root());

	strcpy(w->text, "hook");
	return arg ? -EIO : 0;
}

static unsigned int hooks;

static void another_call(enum image_wait point, void *arg)
{
	assert_ptr_equal(arg, &hooks);
	hooks++;
	if (point == IMAGE_WAIT_DOE) {
		assert_int_equal(image_call(change_text, NULL), 0);
		assert_int_equal(image_call(commit_between, NULL), -EIO);
	}
}

static void die_at_busy(enum image_wait point, void *arg)
{
	(void)arg;
	if (point == IMAGE_WAIT_BUSY)
		image_call_abort(-EINTR);
}

static void a_wait_commits_and_lets_others_run(void **state)
{
	(void)state;
	assert_int_equal(image_call(make_root, NULL), 0);
	image_wait_hook(another_call, &hooks);
	assert_int_equal(image_call(waits, NULL), -EIO);
	assert_int_equal(hooks, 2);
	assert_int_equal(root()->a, 5);		/* what the other call committed */
	assert_int_equal(root()->b, 20);
	assert_string_equal(root()->text, "hook");
	image_wait_hook(die_at_busy, NULL);
	assert_int_equal(image_call(waits, NULL), -EINTR);
	assert_int_equal(root()->b, 20);
	image_wait_hook(NULL, NULL);
	assert_int_equal(image_call(waits, NULL), -EIO);
	assert_image_whole();
	assert_string_equal(image_wait_name(IMAGE_WAIT_STREAM), "stream");
}

static atomic_int other_thread;

static void *hold_for_a_while(void *arg)
{
	assert_int_equal(image_enter(), 0);
	other_thread = 1;
	usleep(30000);
	other_thread = 2;
	image_leave();
	return arg;
}

static void die_while_another_holds(enum image_wait point, void *arg)
{
	(void)point;
	pthread_create(arg, NULL, hold_for_a_while, NULL);
	while (!other_thread)
		usleep(100);
	image_call_abort(-EINTR);
}

/* The lock was dropped at the wait point: what ends the call has to take it first. */
static void an_end_at_a_wait_point_takes_the_lock(void **state)
{
	pthread_t thread;

	(void)state;
	assert_int_equal(image_call(make_root, NULL), 0);
	image_wait_hook(die_while_another_holds, &thread);
	assert_int_equal(image_call(waits, NULL), -EINTR);
	assert_int_equal(other_thread, 2);
	image_wait_hook(NULL, NULL);
	pthread_join(thread, NULL);
	assert_image_whole();
}

static void no_image(void **state)
{
	(void)state;
	assert_false(image_present());
	assert_int_equal(image_enter(), -ENODEV);
	assert_int_equal(image_call(make_root, NULL), -ENODEV);
	assert_int_equal(image_verify(NULL, 0), -ENODEV);
	assert_int_equal(image_snapshot(), 0);
	assert_int_equal(image_fd(), -1);
	assert_int_equal(image_save("/tmp/swtio-none"), -ENODEV);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, thing_setup, thing_teardown)
#define SMALL(fn) cmocka_unit_test_setup_teardown(fn, small_setup, thing_teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_image),
		TEST(a_failed_call_leaves_nothing),
		TEST(a_commit_stays),
		TEST(the_nth_allocation_fails),
		TEST(objects_of_every_size),
		TEST(a_wait_commits_and_lets_others_run),
		TEST(an_end_at_a_wait_point_takes_the_lock),
		TEST(free_memory_is_zero),
		TEST(pages_between_others_are_used_again),
		SMALL(a_full_arena_answers_null),
		SMALL(full_bulk_memory_answers_null),
		SMALL(a_full_journal_ends_the_call),
		SMALL(the_journal_takes_what_objects_left),
		SMALL(what_is_reserved_can_be_logged),
		SMALL(a_full_journal_has_no_room_for_a_snapshot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
