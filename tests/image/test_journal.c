/* SPDX-License-Identifier: BSD-2-Clause */
/* Objects, the journal, calls: what is undone, when, and what happens when memory is out. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_failed_call_leaves_nothing, thing_setup, thing_teardown),
		cmocka_unit_test_setup_teardown(a_commit_stays, thing_setup, thing_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
