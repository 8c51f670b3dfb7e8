/* SPDX-License-Identifier: BSD-2-Clause */
/* R1.2: the page is one file, and what a flow or a trace says cannot become markup. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "stories.h"

static char *page_of(const struct story *stories, unsigned int count)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	assert_int_equal(story_page(out, stories, count, COMPARE_ACTS), 0);
	fclose(out);
	return text;
}

static unsigned int times(const char *text, const char *what)
{
	unsigned int n = 0;

	for (; (text = strstr(text, what)) != NULL; text++)
		n++;
	return n;
}

static void page_hostile_text(void **state)
{
	struct story story = story_make("<b>", 1);
	char *page;

	(void)state;
	strcpy(story.title, "</title><script>alert(1)</script>");
	strcpy(story.steps[0].title, "\"><img onerror=x>");
	strcpy(story_add(&story, 1, "a<b>&c")->text, "</svg>");
	page = page_of(&story, 1);
	assert_int_equal(times(page, "<script>"), 1);	/* the page's own */
	assert_null(strstr(page, "<img"));
	assert_null(strstr(page, "a<b>"));
	assert_non_null(strstr(page, "a&lt;b&gt;&amp;c"));
	free(page);
	story_free(&story);
}

static void page_asks_for_nothing(void **state)
{
	struct story stories[2] = { story_make("a", 3), story_make("b", 3) };
	char *page;

	(void)state;
	story_add(&stories[0], 1, "TDISP LOCK_INTERFACE");
	page = page_of(stories, 2);
	assert_null(strstr(page, "http"));
	assert_null(strstr(page, "src="));
	assert_null(strstr(page, "href="));
	assert_null(strstr(page, "@import"));
	free(page);
	story_free(&stories[0]);
	story_free(&stories[1]);
}

/* A step's arguments, result, invariants and time are there to be pointed at or tabbed to. */
static void page_facts(void **state)
{
	struct story story = story_make("a", 2);
	struct trace_event *event = story_add(&story, 2, "TDH.MMIO.MAP");
	char *page;

	(void)state;
	*event = (struct trace_event){ .seq = 1, .clock = 2500, .end_clock = 4000, .result = -16,
		.step = 2, .from = LANE_KVM, .to = LANE_FIRMWARE, .nargs = 1,
		.name = "TDH.MMIO.MAP", .args = { { "gpa", 0xe0000000 } } };
	story.violations = 1;
	story.violation[0] = (struct story_violation){ "T2", 2, "it was not stopped" };
	page = page_of(&story, 1);
	assert_int_equal(times(page, "tabindex=\"0\""), 1);
	assert_non_null(strstr(page, "KVM to firmware, step 2: a step"));
	assert_non_null(strstr(page, "gpa = 0xe0000000"));
	assert_non_null(strstr(page, "result = EBUSY"));
	assert_non_null(strstr(page, "violated in this step: T2 it was not stopped"));
	assert_non_null(strstr(page, "at 2.500 us, for 1.500 us"));
	free(page);
	story_free(&story);
}

/* Each phase has a chart of each story: like phases beside each other. */
static void page_phases(void **state)
{
	struct story stories[2] = { story_make("a", 3), story_make("b", 2) };
	char *page = page_of(stories, 2);

	(void)state;
	assert_int_equal(times(page, "<div class=\"row\">"), 3);
	assert_int_equal(times(page, "role=\"img\""), 6);
	free(page);
	story_free(&stories[0]);
	story_free(&stories[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(page_hostile_text),
		cmocka_unit_test(page_asks_for_nothing),
		cmocka_unit_test(page_facts),
		cmocka_unit_test(page_phases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
