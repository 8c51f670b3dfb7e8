/* SPDX-License-Identifier: BSD-2-Clause */
/* Ids: the lowest free one, not to be seen before it is finalized, never again once a tombstone. */
#include <errno.h>
#include <string.h>

#include "check.h"
#include "image/idtable.h"

static const struct idtable *table;

static int table_up(void **state)
{
	struct image_opts opts = { .size = sizeof(opts) };

	(void)state;
	if (image_create(&opts))
		return -1;
	table = idtable_create();
	return table ? 0 : -1;
}

static int table_down(void **state)
{
	(void)state;
	image_detach();
	return 0;
}

static uint32_t reserve(void)
{
	uint32_t id = 0;

	assert_int_equal(idtable_reserve(table, &id), 0);
	return id;
}

static const struct idobject *publish(uint32_t id)
{
	struct idobject *object = image_alloc(sizeof(*object), IMAGE_TYPE_BYTES);

	assert_non_null(object);
	object->id = id;
	object->users = 1;
	idtable_finalize(table, object);
	return object;
}

static void ids_go_up_from_one(void **state)
{
	const struct idobject *object;

	(void)state;
	assert_null(idtable_find(table, 0));
	for (uint32_t id = 1; id <= 5000; id++)
		assert_int_equal(reserve(), id);
	assert_int_equal(idtable_count(table), 0);
	assert_null(idtable_find(table, 3));
	object = publish(3);
	assert_ptr_equal(idtable_find(table, 3), object);
	assert_int_equal(idtable_count(table), 1);
	assert_null(idtable_find(table, 5001));
	assert_null(idtable_find(table, UINT32_MAX));
	assert_image_whole();
}

static void the_lowest_free_id_is_used(void **state)
{
	(void)state;
	for (uint32_t id = 1; id <= 300; id++)
		publish(reserve());
	idtable_remove(table, 200);
	idtable_remove(table, 70);
	assert_null(idtable_find(table, 70));
	assert_int_equal(reserve(), 70);
	idtable_abort(table, 70);
	assert_int_equal(reserve(), 70);
	publish(70);
	assert_int_equal(reserve(), 200);
	assert_int_equal(reserve(), 301);
	assert_image_whole();
}

static void a_tombstone_is_never_used_again(void **state)
{
	(void)state;
	for (uint32_t id = 1; id <= 10; id++)
		publish(reserve());
	idtable_tombstone(table, 4);
	idtable_remove(table, 5);
	assert_null(idtable_find(table, 4));
	assert_int_equal(idtable_count(table), 8);
	assert_int_equal(reserve(), 5);
	assert_int_equal(reserve(), 11);
	idtable_abort(table, 4);	/* none of these is that id's due */
	idtable_remove(table, 4);
	assert_int_equal(reserve(), 12);
	assert_image_whole();
}

static void next_goes_over_what_is_published(void **state)
{
	uint32_t id = 0, seen = 0;
	const struct idobject *object;

	(void)state;
	for (uint32_t i = 1; i <= 10000; i++) {
		uint32_t got = reserve();

		if (got % 1000 == 7 || got == 9999)
			publish(got);
	}
	for (; (object = idtable_next(table, &id)); id++) {
		assert_int_equal(object->id, id);
		assert_true(id % 1000 == 7 || id == 9999);
		seen++;
	}
	assert_int_equal(seen, 11);
	assert_int_equal(idtable_count(table), 11);
	id = 8;
	assert_int_equal(idtable_next(table, &id)->id, 1007);
	id = UINT32_MAX;
	assert_null(idtable_next(table, &id));
}

static long reserve_and_fail(void *arg)
{
	uint32_t id;

	(void)arg;
	for (unsigned int i = 0; i < 200; i++)
		if (idtable_reserve(table, &id))
			return -ENOMEM;
	publish(id);
	return -EIO;
}

static void a_failed_call_gives_its_ids_back(void **state)
{
	(void)state;
	image_commit();
	assert_int_equal(image_call(reserve_and_fail, NULL), -EIO);
	assert_int_equal(idtable_count(table), 0);
	assert_int_equal(reserve(), 1);
	assert_image_whole();
}

/* Each allocation of growing fails once: -ENOMEM, and nothing changed. */
static void reserve_without_memory(void **state)
{
	uint32_t next = 1;

	(void)state;
	while (next <= 4200) {
		uint32_t id = 0;

		image_fail_nth(1);
		if (!idtable_reserve(table, &id))
			assert_int_equal(id, next++);
		else
			assert_int_equal(image_fail_left(), 0);
		image_fail_nth(0);
		assert_int_equal(reserve(), next);
		next++;
	}
	assert_image_whole();
	idtable_destroy(table);
	assert_int_equal(image_live(IMAGE_TYPE_IDNODE), 0);
	assert_int_equal(image_live(IMAGE_TYPE_IDTABLE), 0);
	image_fail_nth(1);
	assert_null(idtable_create());
	image_fail_nth(2);
	assert_null(idtable_create());
	assert_int_equal(image_live(IMAGE_TYPE_IDTABLE), 0);
}

static void users_are_counted(void **state)
{
	const struct idobject *object;

	(void)state;
	object = publish(reserve());
	idobject_get(object);
	assert_int_equal(object->users, 2);
	idobject_put(object);
	idobject_put(object);
	assert_int_equal(object->users, 1);
}

static void damage_is_found(void **state)
{
	const struct idobject *object;
	char why[100];

	(void)state;
	object = publish(reserve());
	assert_image_whole();
	image_free(object);	/* and left in the table */
	assert_int_equal(image_verify(why, sizeof(why)), -EUCLEAN);
	assert_non_null(strstr(why, "id table"));
	idtable_remove(table, 1);
	assert_image_whole();
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, table_up, table_down)
	const struct CMUnitTest tests[] = {
		TEST(ids_go_up_from_one),
		TEST(the_lowest_free_id_is_used),
		TEST(a_tombstone_is_never_used_again),
		TEST(next_goes_over_what_is_published),
		TEST(a_failed_call_gives_its_ids_back),
		TEST(reserve_without_memory),
		TEST(users_are_counted),
		TEST(damage_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
