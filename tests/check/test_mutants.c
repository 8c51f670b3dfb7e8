/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each invariant has a mutant, a deliberate bug of the simulated host or device, that it and no
 * other catches. Every case plays a flow twice: as it is it violates nothing, with the mutant
 * exactly the invariant the case is named after.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "check/check.h"
#include "flow/flow.h"
#include "hardware/platform.h"
#include "image/mutant.h"

#define TEXT_MAX 65536u
#define ROWS_MAX 64u
#define IDS_MAX 256u

static const struct {
	const char *name, *sentence;
} mutants[] = {
#define MUTANT(id, name, sentence) {name, sentence},
#include "image/mutants.def"
#undef MUTANT
};
#define MUTANTS (sizeof(mutants) / sizeof(mutants[0]))

/* Bugs of the kernel alone: the firmware refuses what they lead to, and no invariant is violated.
 */
static const char *const stopped[] = {"stop-last", "skip-block", "skip-iotlb"};
#define STOPPED (sizeof(stopped) / sizeof(stopped[0]))

/* Bugs of translation and merge, which no flow is about: the models of tests/hardware and
 * tests/ioasid find them. */
static const char *const modelled[] = {"merge-keeps", "walk-skips-stage2", "flush-keeps-tables"};
#define MODELLED (sizeof(modelled) / sizeof(modelled[0]))

/* -- running a flow --------------------------------------------------------------------------- */

static void path_of(char path[512], const char *folder, const char *name)
{
	const char *root = getenv("SWTIO_ROOT");

	assert_non_null(root);
	snprintf(path, 512, "%s/%s/%s", root, folder, name);
}

static void file_read(const char *path, char text[TEXT_MAX])
{
	FILE *file = fopen(path, "r");
	size_t n;

	if (!file)
		fail_msg("%s cannot be read", path);
	n = fread(text, 1, TEXT_MAX - 1, file);
	text[n] = '\0';
	fclose(file);
	assert_true(n < TEXT_MAX - 1);
}

static void ids_add(char ids[IDS_MAX], const char *id)
{
	size_t used = strlen(ids);

	snprintf(ids + used, IDS_MAX - used, "%s%s", used ? " " : "", id);
}

/* Plays a flow, with a mutant or none, and leaves the machine as it ended. Answers how often a
 * result was not as written; adds the ids of what was violated. */
static uint32_t play(const char *text, const char *path, const char *mutant_name, char ids[IDS_MAX])
{
	struct check_violation violation[ROWS_MAX];
	static char whole[TEXT_MAX + 64];
	struct flow_error error;
	struct flow_state state;
	unsigned int n;
	int rc;

	image_detach();
	snprintf(whole, sizeof(whole), "%s%s\n%s", mutant_name ? "mutant " : "",
		mutant_name ? mutant_name : "", text);
	rc = flow_start(whole, path, &error);
	if (rc)
		fail_msg("%s, line %u: %s", path, error.line, error.text);
	while ((rc = flow_run_step()) > 0)
		;
	assert_int_equal(rc, 0);
	flow_state(&state);
	if (!mutant_name && state.failures)
		fail_msg("%s: %s", path, state.first.text);
	n = check_violations(violation, ROWS_MAX);
	for (unsigned int i = 0; i < n; i++)
		if (!strstr(ids, violation[i].id))
			ids_add(ids, violation[i].id);
	return state.failures;
}

/* -- confluence: the orders of closing -------------------------------------------------------- */

static const char *const orders[] = {
	"close-kvm close-device close-iommu", "close-kvm close-iommu close-device",
	"close-device close-kvm close-iommu", "close-device close-iommu close-kvm",
	"close-iommu close-kvm close-device", "close-iommu close-device close-kvm",
	"", /* killed: in the order of descriptors */
};

/* What there is at the end, and what hardware and device are then. How often something was flushed
 * on the way, and where in memory an object lies, is not of the state. */
struct ending {
	uint64_t live[IMAGE_TYPE_MAX];
	uint64_t platform;
};

static int object_hash(const void *object, void *arg)
{
	const uint8_t *bytes = object;
	uint64_t *hash = arg;

	for (size_t i = 0; i < image_sizeof(object); i++)
		*hash = (*hash ^ bytes[i]) * 0x100000001b3ull; /* FNV-1a */
	return 0;
}

static uint64_t platform_hash(void)
{
	static const enum image_type types[] = {
		IMAGE_TYPE_FUNCTION, IMAGE_TYPE_IDE, IMAGE_TYPE_TDI};
	uint64_t hash = 0xcbf29ce484222325ull;

	image_enter();
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		image_each(types[i], object_hash, &hash);
	image_leave();
	return hash;
}

/* The scaffolding of a run grows with its events; everything else is the machine. */
static bool of_the_run(unsigned int type)
{
	return type == IMAGE_TYPE_IDNODE || type == IMAGE_TYPE_IDTABLE || type == IMAGE_TYPE_TASK ||
	       type == IMAGE_TYPE_TRACE;
}

static void order_play(
	const char *order, const char *mutant_name, struct ending *ending, char ids[IDS_MAX])
{
	char path[512], text[1024], verbs[64], *rest = verbs;
	int n = snprintf(text, sizeof(text),
		"platform tdx\nseed 1\ninclude ../tdx.flow through 31\nstep 32 \"close\"\n");

	snprintf(verbs, sizeof(verbs), "%s", order);
	for (const char *verb; (verb = strsep(&rest, " ")) && *verb;)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "vmm %s\n", verb);
	snprintf(text + n, sizeof(text) - (size_t)n, "adversary kill vmm\n");
	path_of(path, "flows/mutants", "closing");
	play(text, path, mutant_name, ids);
	memset(ending, 0, sizeof(*ending));
	ending->platform = platform_hash();
	for (unsigned int type = 1; type < IMAGE_TYPE_MAX; type++)
		ending->live[type] = of_the_run(type) ? 0 : image_live((enum image_type)type);
}

static void orders_play(const struct check *check, const char *mutant_name, char ids[IDS_MAX])
{
	struct ending first, ending;
	bool same = true;

	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		order_play(orders[i], mutant_name, i ? &ending : &first, ids);
		same = same && (!i || !memcmp(&first, &ending, sizeof(first)));
	}
	if (!same)
		ids_add(ids, check->id);
}

/* -- the cases -------------------------------------------------------------------------------- */

static void invariant_catches_its_mutant(void **state)
{
	const struct check *check = *state;
	char path[512], name[64], clean[IDS_MAX] = "", mutated[IDS_MAX] = "";
	static char text[TEXT_MAX];

	if (check->kind == CHECK_CONFLUENCE) {
		orders_play(check, NULL, clean);
		orders_play(check, check->mutant, mutated);
	} else {
		snprintf(name, sizeof(name), "%s.flow", check->mutant);
		path_of(path, "flows/mutants", name);
		file_read(path, text);
		play(text, path, NULL, clean);
		play(text, path, check->mutant, mutated);
	}
	assert_string_equal(clean, "");
	assert_string_equal(mutated, check->id);
}

static void R3_2_firmware_stops_a_wrong_kernel(void **state)
{
	static char text[TEXT_MAX];
	char path[512];

	(void)state;
	path_of(path, "flows/mutants", "unmap-before-stop.flow");
	file_read(path, text);
	for (size_t i = 0; i < STOPPED; i++) {
		char ids[IDS_MAX] = "";

		assert_int_not_equal(play(text, path, stopped[i], ids), 0);
		assert_string_equal(ids, "");
	}
}

/* Every invariant there is, in the document's order: platform by platform, then the common ones. */
static struct check all_checks[ROWS_MAX];

static const struct check *all_of_them(size_t *rows)
{
	size_t n = 0, own;

	for (unsigned int platform = 0; platform <= PLATFORMS; platform++) {
		const struct check *checks = check_set(platform, &own);

		for (size_t i = 0; i < own && n < ROWS_MAX; i++)
			all_checks[n++] = checks[i];
	}
	*rows = n;
	return all_checks;
}

static bool is_among(const char *name, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(list[i], name))
			return true;
	return false;
}

static void every_mutant_is_somebodys(void **state)
{
	const struct check *table;
	size_t rows;

	(void)state;
	table = all_of_them(&rows);
	for (size_t m = 0; m < MUTANTS; m++) {
		unsigned int owners = is_among(mutants[m].name, stopped, STOPPED) +
				      is_among(mutants[m].name, modelled, MODELLED);

		for (size_t i = 0; i < rows; i++)
			owners += !strcmp(table[i].mutant, mutants[m].name);
		if (owners != 1)
			fail_msg("%u invariants have the mutant %s", owners, mutants[m].name);
	}
	assert_int_equal(MUTANTS, rows + STOPPED + MODELLED);
}

static const char *mutant_sentence(const char *name)
{
	for (size_t m = 0; m < MUTANTS; m++)
		if (!strcmp(mutants[m].name, name))
			return mutants[m].sentence;
	fail_msg("no mutant is called %s", name);
	return NULL;
}

/* The rows of the document, one line each, in the order of the table, and none besides. */
static void document_is_the_table(void **state)
{
	static char text[TEXT_MAX];
	const struct check *table;
	const char *at;
	char path[512], row[512];
	size_t rows;

	(void)state;
	path_of(path, "docs", "invariants.md");
	file_read(path, text);
	table = all_of_them(&rows);
	at = strstr(text, "| T1 |");
	assert_non_null(at);
	for (size_t i = 0; i < rows; i++, at += strlen(row)) {
		snprintf(row, sizeof(row), "| %s | %s | %s | %s | `%s`: %s |\n", table[i].id,
			check_kind_name(table[i].kind), table[i].sentence, table[i].source,
			table[i].mutant, mutant_sentence(table[i].mutant));
		if (strncmp(at, row, strlen(row)))
			fail_msg("docs/invariants.md: the row should be\n%s", row);
	}
	assert_int_not_equal(*at, '|');
}

int main(void)
{
	static char names[ROWS_MAX][64];
	struct CMUnitTest tests[ROWS_MAX + 3] = {{0}};
	size_t rows, n = 0;
	const struct check *table = all_of_them(&rows);

	for (; n < rows && n < ROWS_MAX; n++) {
		void *row;
		const void *from = &table[n];

		memcpy(&row, &from, sizeof(row));
		snprintf(names[n], sizeof(names[n]), "%s_catches_%s", table[n].id, table[n].mutant);
		tests[n] = (struct CMUnitTest){.name = names[n],
			.initial_state = row,
			.test_func = invariant_catches_its_mutant};
	}
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(R3_2_firmware_stops_a_wrong_kernel);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(every_mutant_is_somebodys);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(document_is_the_table);
	return _cmocka_run_group_tests("mutants", tests, n, NULL, NULL);
}
