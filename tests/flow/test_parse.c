/* SPDX-License-Identifier: BSD-2-Clause */
/* R7.1: flows are text; the parser takes hostile text and says what is wrong, and where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "flow/parse.h"

static struct flow_program program;
static struct flow_error error;

static int parse(const char *text)
{
	memset(&program, 0, sizeof(program));
	memset(&error, 0, sizeof(error));
	return flow_parse(text, &program, &error);
}

static void test_r7_1_settings_and_actions(void **state)
{
	(void)state;
	assert_int_equal(parse("flow \"a title\"\nplatform tdx\nseed 0x10\npolicy breaks\n"
			       "step 3 \"first\"\n  probe tdi rid=01:00.1 = RUN # comment\n"
			       "  vmm bar-read bar=0 offset=4K -> x = 5 unchanged\n"
			       "step 4\n vmm2 open-iommu = EBUSY\n during doe#2 adversary kill vmm\n"), 0);
	assert_string_equal(program.settings.title, "a title");
	assert_int_equal(program.settings.seed, 16);
	assert_int_equal(program.settings.policy, 1);
	assert_int_equal(program.steps, 2);
	assert_int_equal(program.actions, 4);
	assert_string_equal(program.step[0].title, "first");
	assert_int_equal(program.step[0].count, 2);
	assert_int_equal(program.action[0].expect, EXPECT_STATUS);
	assert_string_equal(program.action[0].expect_text, "RUN");
	assert_int_equal(program.action[1].expect, EXPECT_VALUE);
	assert_int_equal(program.action[1].expect_value, 5);
	assert_int_equal(program.action[1].unchanged, 1);
	assert_string_equal(program.action[1].var, "x");
	assert_int_equal(program.action[2].instance, 1);
	assert_int_equal(program.action[2].expect, EXPECT_ERRNO);
	assert_int_equal(program.action[2].expect_value, 16);
	assert_int_equal(program.action[3].during, IMAGE_WAIT_DOE);
	assert_int_equal(program.action[3].during_count, 2);
}

static void test_r7_1_numbers(void **state)
{
	uint64_t value;

	(void)state;
	assert_int_equal(flow_number("4K", &value), 0);
	assert_int_equal(value, 4096);
	assert_int_equal(flow_number("0x1G", &value), 0);
	assert_int_equal(value, 1ull << 30);
	assert_int_equal(flow_number("01:00.1", &value), 0);
	assert_int_equal(value, 0x101);
	assert_int_equal(flow_number("0000:02:1f.7", &value), 0);
	assert_int_equal(value, 0x2ff);
	assert_true(flow_number("99999999999999999999", &value) < 0);
	assert_true(flow_number("0xffffffffffffG", &value) < 0);
	assert_true(flow_number("12q", &value) < 0);
	assert_true(flow_number("", &value) < 0);
}

static void test_r7_1_errors_name_their_line(void **state)
{
	static const struct { const char *text; uint32_t line; const char *says; } wrong[] = {
		{ "flow x\n\nnobody does\n", 3, "nobody" },
		{ "vmm open-iommu\n", 1, "before the first step" },
		{ "step 1\nvmm fly\n", 2, "fly" },
		{ "step 2\nstep 1\n", 2, "go up" },
		{ "step 1\nvmm \"open-iommu\n", 2, "not closed" },
		{ "policy maybe\n", 1, "maybe" },
		{ "mutant none-such\n", 1, "none-such" },
		{ "step 1\nduring doe vmm open-iommu\n", 2, "no action before it" },
		{ "step 1\nvmm open-iommu\nduring never vmm open-iommu\n", 3, "never" },
		{ "step 1\nvmm\n", 2, "verb" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_true(parse(wrong[i].text) < 0);
		assert_int_equal(error.line, wrong[i].line);
		assert_non_null(strstr(error.text, wrong[i].says));
	}
	assert_true(parse("") < 0);
}

/* Random bytes, and a good flow with random bytes in it: an answer, never a crash. */
static void test_r7_1_hostile_text(void **state)
{
	static const char good[] = "step 1 \"a\"\n vmm bar-read bar=0 offset=4K -> x = 5\nduring doe probe tdi = RUN\n";
	char text[400];
	unsigned int seed = 1;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		size_t n = sizeof(good);

		memcpy(text, good, n);
		for (int i = 0; i < 8; i++)
			text[rand_r(&seed) % (n - 1)] = (char)(rand_r(&seed) % 255 + 1);
		text[n - 1] = '\0';
		parse(text);
	}
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_true(parse(text) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_r7_1_settings_and_actions),
		cmocka_unit_test(test_r7_1_numbers),
		cmocka_unit_test(test_r7_1_errors_name_their_line),
		cmocka_unit_test(test_r7_1_hostile_text),
	};

	return cmocka_run_group_tests_name("flow parser", tests, NULL, NULL);
}
