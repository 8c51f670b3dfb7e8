/* SPDX-License-Identifier: BSD-2-Clause */
/* R7.1: flows are text; the parser takes hostile text and says what is wrong, and where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "flow/parse.h"

static struct flow_program program;
static struct flow_error error;

static int parse(const char *text)
{
	memset(&program, 0, sizeof(program));
	memset(&error, 0, sizeof(error));
	return flow_parse(text, NULL, &program, &error);
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

/* -- include ------------------------------------------------------------------------------------ */

static char tree[64];			/* /tmp/...: flows/part.flow, flows/sub/main.flow, out.flow */

static void file_put(const char *name, const char *text)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", tree, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static int tree_make(void **state)
{
	char path[128];

	(void)state;
	strcpy(tree, "/tmp/swtio-flows-XXXXXX");
	assert_non_null(mkdtemp(tree));
	snprintf(path, sizeof(path), "%s/flows", tree);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/flows/sub", tree);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/flows/link", tree);
	assert_int_equal(symlink("../out.flow", path), 0);
	snprintf(path, sizeof(path), "%s/flows/away", tree);
	assert_int_equal(symlink("..", path), 0);
	snprintf(path, sizeof(path), "%s/flows/fifo", tree);
	assert_int_equal(mkfifo(path, 0600), 0);
	file_put("out.flow", "step 1\n vmm open-iommu\n");
	file_put("flows/part.flow", "flow \"a part\"\nseed 9\nstep 1\n vmm open-iommu\nstep 2\n vmm close-iommu\n"
		 "step 5\n vmm fly\n");
	file_put("flows/self.flow", "include self.flow\n");
	return 0;
}

static int tree_remove(void **state)
{
	static const char *const names[] = { "flows/part.flow", "flows/self.flow", "flows/big.flow", "flows/link",
					     "flows/away", "flows/fifo", "out.flow", "flows/sub", "flows", "" };
	char path[128];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", tree, names[i]);
		remove(path);
	}
	return 0;
}

static int parse_in(const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/flows/sub/main.flow", tree);
	memset(&program, 0, sizeof(program));
	memset(&error, 0, sizeof(error));
	return flow_parse(text, path, &program, &error);
}

static void test_r7_1_include(void **state)
{
	(void)state;
	assert_int_equal(parse_in("flow mine\nseed 3\ninclude ../part.flow through 2\nstep 7\n vmm run\n"), 0);
	assert_string_equal(program.settings.title, "mine");
	assert_int_equal(program.settings.seed, 3);
	assert_int_equal(program.steps, 3);
	assert_int_equal(program.step[1].number, 2);
	assert_int_equal(program.step[2].number, 7);
	assert_int_equal(program.action[1].line, 6);
	assert_int_equal(program.action[1].file, 1);
	assert_string_equal(program.file[1].name, "part.flow");
	assert_int_equal(program.action[2].line, 5);
	assert_int_equal(program.action[2].file, 0);
	assert_int_equal(parse_in("include ../part.flow from 2 through 2\n"), 0);
	assert_int_equal(program.steps, 1);
	assert_int_equal(program.step[0].number, 2);
	assert_int_equal(program.actions, 1);
	assert_int_equal(program.action[0].line, 6);
}

static void test_r7_1_include_names_the_file_of_an_error(void **state)
{
	(void)state;
	assert_true(parse_in("\ninclude ../part.flow\n") < 0);
	assert_int_equal(error.line, 8);
	assert_string_equal(error.file, "part.flow");
	assert_non_null(strstr(error.text, "fly"));
	assert_true(parse_in("\ninclude ../part.flow through 3\n") < 0);
	assert_int_equal(error.line, 2);
	assert_string_equal(error.file, "");
	assert_non_null(strstr(error.text, "no step 3"));
}

static void test_r7_1_include_stays_in_the_tree(void **state)
{
	static const struct { const char *text, *says; } wrong[] = {
		{ "include ../../out.flow\n", "outside" },
		{ "include ../../flows/part.flow\n", "outside" },
		{ "include /etc/passwd\n", "not a relative path" },
		{ "include \"\"\n", "not a relative path" },
		{ "include ../link\n", "Too many levels" },
		{ "include ../away/out.flow\n", "Not a directory" },
		{ "include ../fifo\n", "Invalid" },
		{ "include ../sub\n", "Invalid" },
		{ "include ../none.flow\n", "No such file" },
		{ "include ../self.flow\n", "deep" },
		{ "include ../big.flow\n", "too large" },
		{ "include ../part.flow through\n", "wanted" },
		{ "include ../part.flow until 2\n", "wanted" },
		{ "include ../part.flow through 0\n", "wanted" },
		{ "include ../part.flow from 2 from 2\n", "wanted" },
		{ "include ../part.flow from 9 through 2\n", "no step 9" },
		{ "include\n", "wanted" },
	};
	char path[128];

	(void)state;
	file_put("flows/big.flow", "");
	snprintf(path, sizeof(path), "%s/flows/big.flow", tree);
	assert_int_equal(truncate(path, 1 << 20), 0);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_true(parse_in(wrong[i].text) < 0);
		if (!strstr(error.text, wrong[i].says))
			fail_msg("%s: %s", wrong[i].text, error.text);
	}
	assert_true(parse("include part.flow\n") < 0);
	assert_non_null(strstr(error.text, "only a flow that is a file"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_r7_1_settings_and_actions),
		cmocka_unit_test(test_r7_1_numbers),
		cmocka_unit_test(test_r7_1_errors_name_their_line),
		cmocka_unit_test(test_r7_1_hostile_text),
		cmocka_unit_test(test_r7_1_include),
		cmocka_unit_test(test_r7_1_include_names_the_file_of_an_error),
		cmocka_unit_test(test_r7_1_include_stays_in_the_tree),
	};

	return cmocka_run_group_tests_name("flow parser", tests, tree_make, tree_remove);
}
