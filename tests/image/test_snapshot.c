/* SPDX-License-Identifier: BSD-2-Clause */
/* Snapshots: what comes back, how they nest, and that bulk memory comes back by page. */
#include "churn.h"

static int image_up(void **state)
{
	struct image_opts opts = { .size = sizeof(opts), .seed = 7 };
	int rc = image_create(&opts);

	(void)state;
	return rc ? rc : (int)image_call(churn_start, NULL);
}

static int image_down(void **state)
{
	(void)state;
	image_detach();
	return 0;
}

static void churn_calls(unsigned int calls)
{
	while (calls--)
		image_call(churn_call, NULL);
}

static void R7_3_restore_brings_back_what_was(void **state)
{
	image_mark mark;
	uint64_t was;

	(void)state;
	churn_seed = 1;
	churn_calls(200);
	image_clock_advance(5);
	was = image_hash();
	mark = image_snapshot();
	assert_int_not_equal(mark, 0);
	for (unsigned int i = 0; i < 20; i++) {
		uint8_t drawn[16];

		churn_calls(i * 5);
		image_random(drawn, sizeof(drawn));
		image_clock_advance(100);
		++*image_counter(IMAGE_COUNTER_STEP);
		assert_int_not_equal(image_hash(), was);
		churn_check();
		assert_int_equal(image_restore(mark), 0);
		assert_int_equal(image_hash(), was);
		assert_int_equal(image_clock(), 5);
		assert_int_equal(*image_counter(IMAGE_COUNTER_STEP), 0);
		churn_check();
	}
	image_release(mark);
	assert_int_equal(image_restore(mark), -ENOENT);
	churn_calls(50);
	churn_check();
	assert_int_equal(image_call(churn_end, NULL), 0);
	churn_check_empty();
}

#define DEPTH 12u

static void R7_3_snapshots_nest(void **state)
{
	image_mark marks[DEPTH];
	uint64_t hashes[DEPTH];

	(void)state;
	churn_seed = 2;
	for (unsigned int round = 0; round < 6; round++) {
		for (unsigned int i = 0; i < DEPTH; i++) {
			churn_calls(15);
			hashes[i] = image_hash();
			marks[i] = image_snapshot();
		}
		churn_calls(15);
		/* Forgetting one in the middle must not change what the others bring back. */
		image_release(marks[5]);
		assert_int_equal(image_restore(marks[5]), -ENOENT);
		for (unsigned int i = DEPTH; i-- > 0;) {
			if (i == 5 || i % 3 == round % 3)
				continue;
			assert_int_equal(image_restore(marks[i]), 0);
			assert_int_equal(image_hash(), hashes[i]);
			churn_check();
			churn_calls(10);
		}
		for (unsigned int i = 0; i < DEPTH; i++)
			image_release(marks[i]);
		churn_check();
	}
}

static void R7_3_later_snapshots_die(void **state)
{
	image_mark first, second;

	(void)state;
	first = image_snapshot();
	churn_calls(3);
	second = image_snapshot();
	assert_int_equal(image_restore(first), 0);
	assert_int_equal(image_restore(second), -ENOENT);
	assert_int_equal(image_restore(first), 0);
	assert_int_equal(image_restore(0), -ENOENT);
	image_release(first);
	image_release(first);
	churn_check();
}

static const uint8_t *ram;

static long make_ram(void *arg)
{
	const uint64_t *len = arg;

	ram = image_bulk_alloc(*len, IMAGE_TYPE_RAM);
	return ram ? 0 : -ENOMEM;
}

static long free_ram(void *arg)
{
	image_bulk_free(ram);
	return arg ? -EIO : 0;
}

static void fill(uint64_t at, uint8_t value, size_t len)
{
	memset(image_bulk_write(ram + at, len), value, len);
}

static void R7_3_bulk_memory_comes_back(void **state)
{
	uint64_t lens[] = { 3 * IMAGE_PAGE, 5ull << 20, 300ull << 20 };

	for (unsigned int i = 0; i < 3; i++) {
		uint64_t last = lens[i] - 1, empty;
		image_mark mark;

		assert_int_equal(image_call(make_ram, &lens[i]), 0);
		assert_int_equal((uintptr_t)ram % (lens[i] >= 2 << 20 ? 2u << 20 : IMAGE_PAGE), 0);
		empty = image_hash();
		fill(0, 0, 1);
		assert_int_equal(image_hash(), empty);
		fill(IMAGE_PAGE - 1, 0x11, 2);		/* two pages */
		mark = image_snapshot();
		fill(0, 0x22, IMAGE_PAGE);
		fill(last, 0x33, 1);
		/* A call that frees it and fails finds it as it was. */
		assert_int_equal(image_call(free_ram, state), -EIO);
		assert_int_equal(ram[last], 0x33);
		assert_int_equal(image_call(free_ram, NULL), 0);
		assert_image_whole();
		assert_int_equal(image_restore(mark), 0);
		assert_int_equal(image_typeof(ram), IMAGE_TYPE_RAM);
		assert_int_equal(ram[0], 0);
		assert_int_equal(ram[IMAGE_PAGE - 1], 0x11);
		assert_int_equal(ram[IMAGE_PAGE], 0x11);
		assert_int_equal(ram[last], 0);
		image_release(mark);
		assert_int_equal(image_call(free_ram, NULL), 0);
		/* Freed memory is zero when it is used again. */
		assert_int_equal(image_call(make_ram, &lens[i]), 0);
		assert_int_equal(ram[IMAGE_PAGE], 0);
		assert_int_equal(image_hash(), empty);
		assert_int_equal(image_call(free_ram, NULL), 0);
		assert_image_whole();
	}
}

static long ram_write_and_fail(void *arg)
{
	(void)arg;
	fill(100, 0x44, 1);
	return -EIO;
}

/* Device memory keeps what was written to it, whatever becomes of the call. */
static void bulk_writes_outlive_a_failed_call(void **state)
{
	uint64_t len = IMAGE_PAGE;
	image_mark mark;

	(void)state;
	assert_int_equal(image_call(make_ram, &len), 0);
	assert_int_equal(image_call(ram_write_and_fail, NULL), -EIO);
	assert_int_equal(ram[100], 0x44);
	fill(100, 0x55, 1);
	mark = image_snapshot();
	assert_int_equal(image_call(ram_write_and_fail, NULL), -EIO);
	assert_int_equal(ram[100], 0x44);
	assert_int_equal(image_restore(mark), 0);
	assert_int_equal(ram[100], 0x55);
	image_release(mark);
}

static void the_same_seed_draws_the_same(void **state)
{
	/* xoshiro256** seeded by splitmix64(7), worked out apart from this code */
	static const uint64_t expected[] = {
		0xb358faf74ef9765aull, 0x475c3d964f482cd2ull, 0xd6f1d349952c7996ull };
	uint8_t some[3], more[13];
	image_mark mark = image_snapshot();
	uint64_t words[3];

	(void)state;
	image_random(words, sizeof(words));
	assert_memory_equal(words, expected, sizeof(words));
	assert_int_equal(image_restore(mark), 0);
	image_random(some, sizeof(some));	/* a word each, cut short */
	image_random(more, sizeof(more));
	assert_memory_equal(some, expected, sizeof(some));
	assert_memory_equal(more, expected + 1, sizeof(more));
	image_release(mark);
}

static long bulk_free_call(void *arg)
{
	image_bulk_free(arg);
	return 0;
}

/* What firmware logs of a page is part of it: going back over all of its life leaves zeroes. */
static void R7_3_a_page_logged_and_given_back_is_clear_again(void **state)
{
	image_mark mark = image_snapshot();
	uint8_t *page = image_bulk_alloc(IMAGE_PAGE, IMAGE_TYPE_RAM);

	(void)state;
	memset(image_bulk_write(page, IMAGE_PAGE), 0xaa, IMAGE_PAGE);
	image_commit();
	memset(image_log(page, 64), 0x55, 64);
	assert_int_equal(image_call(bulk_free_call, page), 0);
	assert_int_equal(image_restore(mark), 0);
	for (unsigned int i = 0; i < 64; i++)
		assert_int_equal(page[i], 0);
	image_release(mark);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, image_up, image_down)
	const struct CMUnitTest tests[] = {
		TEST(R7_3_a_page_logged_and_given_back_is_clear_again),
		TEST(R7_3_restore_brings_back_what_was),
		TEST(R7_3_snapshots_nest),
		TEST(R7_3_later_snapshots_die),
		TEST(R7_3_bulk_memory_comes_back),
		TEST(bulk_writes_outlive_a_failed_call),
		TEST(the_same_seed_draws_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
