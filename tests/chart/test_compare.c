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

static struct comparison all;
static struct compare_row *rows;

static int teardown(void **state)
{
	(void)state;
	comparison_free(&all);
	return 0;
}

static int rows_of(const struct story stories[2])
{
	assert_int_equal(compare_stories(stories, 2, COMPARE_ACTS, &all), 0);
	rows = all.rows;
	return (int)all.row_count;
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
	assert_int_equal(rows_of(stories), 3);
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(rows[i].mark, COMPARE_SAME);
		assert_string_equal(rows[i].section->name, "first");
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
	n = rows_of(stories);
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
	assert_int_equal(rows_of(stories), 3);
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
	assert_int_equal(rows_of(stories), 2);
	assert_string_equal(rows[0].section->name, "first");
	assert_null(rows[0].cell[1].event);
	assert_string_equal(rows[1].section->name, "second");
	assert_int_equal(rows[1].mark, COMPARE_SAME);
	story_free(&stories[0]);
	story_free(&stories[1]);
}

/* One platform accepts and then starts, the other starts and then accepts: both orders are kept, and a
 * section that not all share says whose it is. */
static void compare_phase_order(void **state)
{
	struct story stories[2] = { story_make("a", 3), story_make("b", 3) };
	static const struct { const char *title, *act; bool a, b; } expected[] = {
		{ "first", "device: LOCK", true, true },
		{ "second: a", "device: STOP", true, false },
		{ "third", "private MMIO unmapped", true, true },
		{ "second: b", "device: STOP", false, true },
	};
	char title[64];

	(void)state;
	stories[1].steps[1].phase = 3;
	stories[1].steps[1].phase_name = "third";
	stories[1].steps[2].phase = 2;
	stories[1].steps[2].phase_name = "second";
	for (unsigned int i = 0; i < 2; i++) {
		story_add(&stories[i], 1, LOCK);
		story_add(&stories[i], 2, i ? UNMAP : STOP);
		story_add(&stories[i], 3, i ? STOP : UNMAP);
	}
	assert_int_equal(rows_of(stories), 4);
	assert_int_equal(all.section_count, 4);
	for (unsigned int i = 0; i < 4; i++) {
		compare_section_title(rows[i].section, stories, 2, title, sizeof(title));
		assert_string_equal(title, expected[i].title);
		assert_string_equal(rows[i].name, expected[i].act);
		assert_int_equal(rows[i].cell[0].event != NULL, expected[i].a);
		assert_int_equal(rows[i].cell[1].event != NULL, expected[i].b);
		assert_int_equal(rows[i].mark, i % 2 ? COMPARE_ORDER : COMPARE_SAME);
	}
	story_free(&stories[0]);
	story_free(&stories[1]);
}

/* What was refused did not happen. */
static void compare_refused(void **state)
{
	struct story stories[2] = { story_make("a", 1), story_make("b", 1) };

	(void)state;
	story_add(&stories[0], 1, UNMAP)->result = -22;
	assert_int_equal(rows_of(stories), 0);
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
		cmocka_unit_test_teardown(compare_phase_order, teardown),
		cmocka_unit_test_teardown(compare_refused, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
