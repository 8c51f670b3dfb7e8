/* SPDX-License-Identifier: BSD-2-Clause */
/* The interval tree against an array of flags, one a unit of address space. */
#include "setup.h"

#define UNITS 4096u

static struct itree *tree;
static uint16_t owner[UNITS];		/* 0: free, else the interval's number */
static uint64_t seed;

static uint32_t chance(uint32_t n)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(seed >> 33) % n;
}

static int tree_up(void **state)
{
	int rc = host_up(state);

	assert_int_equal(image_enter(), 0);
	tree = image_alloc(sizeof(*tree), IMAGE_TYPE_BYTES);
	assert_non_null(tree);
	memset(owner, 0, sizeof(owner));
	seed = 1;
	return rc;
}

static int tree_down(void **state)
{
	image_leave();
	return host_down(state);
}

static bool model_free(uint32_t start, uint32_t len)
{
	for (uint32_t i = start; i < start + len; i++)
		if (i >= UNITS || owner[i])
			return false;
	return true;
}

static void check_all(void)
{
	struct itree_span span;
	uint64_t at = 0;
	uint32_t unit = 0, count = 0;

	while (itree_find(tree, at, UINT64_MAX, &span)) {
		while (unit < UNITS && !owner[unit])
			unit++;
		assert_int_equal(span.start, unit);
		assert_int_equal((uintptr_t)span.item, owner[unit]);
		while (unit < UNITS && owner[unit] == (uintptr_t)span.item)
			unit++;
		assert_int_equal(span.last, unit - 1);
		at = span.last + 1;
		count++;
	}
	while (unit < UNITS)
		assert_int_equal(owner[unit++], 0);
	assert_int_equal(tree->count, count);
}

/* The lowest place by trying all of them. */
static void check_fit(void)
{
	uint32_t first = chance(UNITS), last = first + chance(UNITS - first), len = 1 + chance(24);
	uint32_t align = 1u << chance(5), offset = chance(align);
	uint64_t at = 0;
	int rc = itree_fit(tree, first, last, len, align, offset, &at);

	for (uint32_t base = (first + align - 1) & ~(align - 1); base + offset <= last;
	     base += align) {
		uint32_t try = base + offset;

		/* A run is tried from its own aligned start on, as Linux does. */
		if (try + len - 1 > last || !model_free(try, len))
			continue;
		for (uint32_t i = base; i < try; i++)
			if (i < first || owner[i])
				goto next;
		assert_int_equal(rc, 0);
		assert_int_equal(at, try);
		return;
next:;
}
	assert_int_equal(rc, -ENOSPC);
}

static void insert_one(uint16_t number)
{
	uint32_t len = 1 + chance(6), start = chance(UNITS - 6);

	if (!model_free(start, len))
		return;
	assert_int_equal(
		itree_insert(tree, start, start + len - 1, (const void *)(uintptr_t)number), 0);
	for (uint32_t i = 0; i < len; i++)
		owner[start + i] = number;
}

static void remove_one(void)
{
	struct itree_span span;

	if (!itree_find(tree, chance(UNITS), UINT64_MAX, &span))
		return;
	itree_remove(tree, span.start);
	for (uint64_t i = span.start; i <= span.last; i++)
		owner[i] = 0;
}

static unsigned int told;

static void tell(const void *item, void *arg)
{
	uint32_t *last = arg;
	uint32_t unit = *last;

	while (owner[unit] != (uintptr_t)item)
		assert_true(++unit < UNITS);
	*last = unit;
	told++;
}

/* All that begin in a range, each told once and in order. */
static void remove_range(void)
{
	uint32_t first = chance(UNITS), last = first + chance(UNITS - first), from = first, at = 0;
	unsigned int count = 0;

	while (first && from < UNITS && owner[from] && owner[from] == owner[first - 1])
		from++;
	told = 0;
	itree_remove_range(tree, first, last, tell, &at);
	for (uint32_t unit = from; unit <= last; unit++) {
		uint16_t whose = owner[unit];

		count += whose && (!unit || owner[unit - 1] != whose);
		while (whose && unit < UNITS && owner[unit] == whose)
			owner[unit++] = 0;
		unit -= whose ? 1 : 0;
	}
	assert_int_equal(told, count);
	check_all();
}

static void check_nth(void)
{
	uint32_t first = chance(UNITS), n = chance(40), unit = first;
	struct itree_span span = { 0 };
	uint16_t whose = 0;

	if (!itree_find_nth(tree, first, UINT64_MAX, n, &span))
		return;
	for (uint32_t seen = 0; unit < UNITS && seen <= n; unit++) {
		if (!owner[unit] || owner[unit] == whose)
			continue;
		whose = owner[unit];
		seen++;
	}
	assert_int_equal((uintptr_t)span.item, whose);
}

static void check_below(void)
{
	uint32_t last = chance(UNITS), unit = last;
	struct itree_span span;
	bool found = itree_find_below(tree, last, &span);

	while (unit > 0 && !owner[unit])
		unit--;
	if (!owner[unit]) {
		assert_false(found);
		return;
	}
	assert_true(found);
	assert_int_equal((uintptr_t)span.item, owner[unit]);
}

static void random_against_model(void **state)
{
	(void)state;
	for (uint16_t step = 1; step < 20000; step++) {
		/* Growing, then shrinking, then mixed. */
		if (chance(10) < (step < 6000 ? 8u : step < 12000 ? 2u : 5u))
			insert_one(step);
		else
			remove_one();
		check_fit();
		check_below();
		check_nth();
		if (step % 500 == 0)
			remove_range();
		if (step % 256 == 0)
			check_all();
	}
	while (tree->count)
		remove_one();
	check_all();
	assert_null(tree->root);
	assert_int_equal(image_live(IMAGE_TYPE_IOPT_TREE), 0);
}

static void upwards_and_clear(void **state)
{
	uint64_t at;

	(void)state;
	for (uint64_t i = 0; i < 100000; i++)
		assert_int_equal(itree_insert(tree, i * 16, i * 16 + 11, tree), 0);
	assert_int_equal(itree_fit(tree, 0, UINT64_MAX, 5, 1, 0, &at), 0);
	assert_int_equal(at, 99999 * 16 + 12);
	assert_int_equal(itree_fit(tree, 77, UINT64_MAX, 4, 4, 0, &at), 0);
	assert_int_equal(at, 92);
	/* Handed out upwards, the nodes are full. */
	assert_true(image_live(IMAGE_TYPE_IOPT_TREE) < 100000 / 14);
	itree_clear(tree);
	assert_int_equal(image_live(IMAGE_TYPE_IOPT_TREE), 0);
}

static void ends_of_the_space(void **state)
{
	uint64_t at;

	(void)state;
	assert_int_equal(itree_insert(tree, 0, 0, tree), 0);
	assert_int_equal(itree_insert(tree, UINT64_MAX, UINT64_MAX, tree), 0);
	assert_int_equal(itree_fit(tree, 0, UINT64_MAX, UINT64_MAX - 1, 1, 0, &at), 0);
	assert_int_equal(at, 1);
	assert_int_equal(itree_fit(tree, 0, UINT64_MAX, 2, 1ull << 63, 0, &at), 0);
	assert_int_equal(at, 1ull << 63);
	assert_int_equal(itree_fit(tree, UINT64_MAX, UINT64_MAX, 1, 1, 0, &at), -ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(random_against_model, tree_up, tree_down),
		cmocka_unit_test_setup_teardown(upwards_and_clear, tree_up, tree_down),
		cmocka_unit_test_setup_teardown(ends_of_the_space, tree_up, tree_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
