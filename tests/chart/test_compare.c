/* SPDX-License-Identifier: BSD-2-Clause */
/* R1.2: like acts in like rows, each story's own order kept, differences marked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stories.h"

#define STOP "TDISP STOP_INTERFACE"
#define LOCK "TDISP LOCK_INTERFACE"
#define UNMAP "TDH.MMIO.UNMAP"

static struct compare_row *rows;

static int teardown(void **state)
{
	(void)state;
	free(rows);
	rows = NULL;
	return 0;
}

static void story_of(struct story *story, const char *label, const char *const *names)
{
	*story = story_make(label, 1);
	for (; *names; names++)
		story_add(story, 1, *names);
}

static void compare_same(void **state)
{
	static const char *const names[] = { LOCK, UNMAP, UNMAP, STOP, NULL };
	struct story stories[2];

	(void)state;
	story_of(&stories[0], "a", names);
	story_of(&stories[1], "b", names);
	assert_int_equal(compare_rows(stories, 2, COMPARE_ACTS, &rows), 3);
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(rows[i].mark, COMPARE_SAME);
		assert_string_equal(rows[i].phase_name, "first");
	}
	assert_int_equal(rows[1].cell[0].count, 2);
	story_free(&stories[0]);
	story_free(&stories[1]);
}

/* The platforms' own difference: STOP then unmap, or unmap then STOP. No row may hold both. */
static void compare_order(void **state)
{
	static const char *const first[] = { LOCK, STOP, UNMAP, NULL };
	static const char *const second[] = { LOCK, UNMAP, STOP, NULL };
	struct story stories[2];
	unsigned int at[2] = { 0 };
	int n;

	(void)state;
	story_of(&stories[0], "a", first);
	story_of(&stories[1], "b", second);
	n = compare_rows(stories, 2, COMPARE_ACTS, &rows);
	assert_int_equal(n, 4);
	assert_int_equal(rows[0].mark, COMPARE_SAME);
	for (int i = 0; i < n; i++)
		for (unsigned int j = 0; j < 2; j++)
			if (rows[i].cell[j].event)
				assert_ptr_equal(rows[i].cell[j].event, &stories[j].events[at[j]++]);
	assert_int_equal(at[0], 3);
	assert_int_equal(at[1], 3);
	assert_int_equal(rows[1].mark, COMPARE_ORDER);
	assert_int_equal(rows[3].mark, COMPARE_ORDER);
	story_free(&stories[0]);
	story_free(&stories[1]);
}

static void compare_missing(void **state)
{
	static const char *const first[] = { LOCK, UNMAP, STOP, NULL };
	static const char *const second[] = { LOCK, STOP, NULL };
	struct story stories[2];

	(void)state;
	story_of(&stories[0], "a", first);
	story_of(&stories[1], "b", second);
	assert_int_equal(compare_rows(stories, 2, COMPARE_ACTS, &rows), 3);
	assert_int_equal(rows[1].mark, COMPARE_MISSING);
	assert_null(rows[1].cell[1].event);
	assert_int_equal(rows[2].mark, COMPARE_SAME);
	story_free(&stories[0]);
	story_free(&stories[1]);
}

/* Like phases stand together, whatever the steps' numbers are. */
static void compare_phases(void **state)
{
	struct story stories[2] = { story_make("a", 2), story_make("b", 2) };

	(void)state;
	story_add(&stories[0], 1, LOCK);
	story_add(&stories[0], 2, STOP);
	story_add(&stories[1], 2, STOP);
	assert_int_equal(compare_rows(stories, 2, COMPARE_ACTS, &rows), 2);
	assert_string_equal(rows[0].phase_name, "first");
	assert_null(rows[0].cell[1].event);
	assert_string_equal(rows[1].phase_name, "second");
	assert_int_equal(rows[1].mark, COMPARE_SAME);
	story_free(&stories[0]);
	story_free(&stories[1]);
}

/* What was refused did not happen. */
static void compare_refused(void **state)
{
	struct story stories[2] = { story_make("a", 1), story_make("b", 1) };

	(void)state;
	story_add(&stories[0], 1, UNMAP)->result = -22;
	assert_int_equal(compare_rows(stories, 2, COMPARE_ACTS, &rows), 0);
	story_free(&stories[0]);
	story_free(&stories[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(compare_same, teardown),
		cmocka_unit_test_teardown(compare_order, teardown),
		cmocka_unit_test_teardown(compare_missing, teardown),
		cmocka_unit_test_teardown(compare_phases, teardown),
		cmocka_unit_test_teardown(compare_refused, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
