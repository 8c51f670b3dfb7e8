/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * R5.4: nested translation against a model that knows no tables: two arrays, what the guest mapped
 * and what the host mapped. Every change is followed by the invalidation that it asks for, and by
 * no more, so that the two must agree at once. $SWTIO_MODEL_OPS operations a format (20,000); three
 * levels of the guest's tables are in use, leaves of 2 MiB are made, split and dropped, permissions
 * change on both sides, tables move. Planted bugs must be found.
 */
#include "guest_tables.h"
#include "image/mutant.h"

#include <stdio.h>
#include <stdlib.h>

#define ROOT_ADDRESS 0x8000000000ull
#define GIBS 2u
#define TABLES 4u			/* of the lowest level, in each GiB */
#define SLOTS 32u			/* pages in use of each */
#define PAGES (GIBS * TABLES * SLOTS)
#define DATA 0x80000000ull		/* GPA of what the guest maps */
#define DATA_PAGES 1024u
#define TARGET(n) (PHYS_ARENA + (1ull << 34) + (uint64_t)(n) * PHYS_PAGE)

struct guest_leaf_state { bool there, write; uint32_t gpa; };	/* gpa: a page of DATA */
struct host_leaf_state { bool there, write; uint32_t target; };

static struct guest_leaf_state guest_state[PAGES];
static bool guest_large[GIBS * TABLES];	/* its pages are one leaf of 2 MiB */
static struct host_leaf_state host_state[DATA_PAGES];
static const struct guest_format *format;
static uint64_t root, random_state;
static uint64_t lowest[GIBS * TABLES];	/* the table that a large leaf took the place of */
static uint64_t spare;			/* a page for the next table that moves */
static unsigned int hits, differences;

static uint64_t chance(uint64_t n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state % n;
}

static uint64_t address_of(unsigned int page)
{
	unsigned int table = page / SLOTS;

	return ROOT_ADDRESS + (uint64_t)(table / TABLES) * PHYS_1G +
	       (uint64_t)(table % TABLES) * PHYS_2M + (uint64_t)(page % SLOTS) * PHYS_PAGE;
}

static void flush(uint64_t address, uint64_t len, bool leaf_only)
{
	iommu_nested_flush(CHILD_DID, chance(2) ? 0 : IOMMU_ANY, address, address + len - 1,
			   leaf_only);
}

/* -- the host's side -------------------------------------------------------------------------- */

static void host_change(unsigned int page)
{
	struct host_leaf_state *h = &host_state[page];
	uint64_t gpa = DATA + (uint64_t)page * PHYS_PAGE;

	if (h->there)
		pt_unmap(parent, gpa, PHYS_PAGE);
	*h = (struct host_leaf_state){ chance(8) > 0, chance(4) > 0, (uint32_t)chance(4096) };
	if (h->there)
		assert_int_equal(pt_map(parent, gpa, TARGET(h->target), PHYS_PAGE,
					h->write ? PT_R | PT_W : PT_R), 0);
	iommu_iotlb_flush(PARENT_DID, gpa, gpa + PHYS_PAGE - 1);
}

/* -- the guest's side ------------------------------------------------------------------------- */

static uint64_t leaf_of(uint64_t gpa, bool write, bool large)
{
	uint64_t e = guest_leaf(format, gpa, write);

	if (!large)
		return e;
	return format == &guest_arm ? e & ~2ull : e | 0x80;
}

static void guest_change(unsigned int page)
{
	struct guest_leaf_state *g = &guest_state[page];

	if (guest_large[page / SLOTS])
		return;
	*g = (struct guest_leaf_state){ chance(8) > 0, chance(4) > 0,
					(uint32_t)chance(DATA_PAGES) };
	*guest_word(guest_slot(format, root, 4, address_of(page), 0)) =
		g->there ? leaf_of(DATA + (uint64_t)g->gpa * PHYS_PAGE, g->write, false) : 0;
	flush(address_of(page), PHYS_PAGE, chance(2));
}

static void guest_permission(unsigned int page)
{
	struct guest_leaf_state *g = &guest_state[page];

	if (guest_large[page / SLOTS] || !g->there)
		return;
	g->write = !g->write;
	*guest_word(guest_slot(format, root, 4, address_of(page), 0)) =
		leaf_of(DATA + (uint64_t)g->gpa * PHYS_PAGE, g->write, false);
	flush(address_of(page), PHYS_PAGE, true);
}

/* The pages of a table become one leaf, or a leaf a table again that says the same. */
static void guest_resize(unsigned int table)
{
	uint64_t address = address_of(table * SLOTS);
	uint64_t *slot = guest_word(guest_slot(format, root, 4, address, 1));
	uint32_t gpa = (uint32_t)chance(DATA_PAGES / 512) * 512;
	bool write = chance(2);

	if (guest_large[table]) {
		uint64_t *e = guest_word(lowest[table]);

		for (unsigned int i = 0; i < SLOTS; i++) {
			const struct guest_leaf_state *g = &guest_state[table * SLOTS + i];

			e[i] = leaf_of(DATA + (uint64_t)g->gpa * PHYS_PAGE, g->write, false);
		}
		*slot = lowest[table] | format->table;
	} else {
		if (!lowest[table] || !*slot)
			guest_slot(format, root, 4, address, 0);	/* makes the table */
		lowest[table] = *slot & 0x0000fffffffff000ull;
		*slot = leaf_of(DATA + (uint64_t)gpa * PHYS_PAGE, write, true);
		for (unsigned int i = 0; i < SLOTS; i++)
			guest_state[table * SLOTS + i] =
				(struct guest_leaf_state){ true, write, gpa + i };
	}
	guest_large[table] = !guest_large[table];
	flush(address, PHYS_2M, false);
}

/* The lowest table moves to another page, and its old place gets other contents. */
static void table_move(unsigned int table)
{
	uint64_t address = address_of(table * SLOTS), old;
	uint64_t *slot;

	if (guest_large[table])
		return;
	if (!spare)
		spare = guest_page();
	guest_slot(format, root, 4, address, 0);
	slot = guest_word(guest_slot(format, root, 4, address, 1));
	old = *slot & 0x0000fffffffff000ull;
	memcpy(guest_word(spare), guest_word(old), PHYS_PAGE);
	*slot = spare | format->table;
	for (unsigned int i = 0; i < SLOTS; i++)
		guest_word(old)[i] = leaf_of(DATA + chance(DATA_PAGES) * PHYS_PAGE, true, false);
	spare = old;
	flush(address, PHYS_2M, false);
}

/* -- both ------------------------------------------------------------------------------------- */

static void compare(unsigned int page, bool write)
{
	const struct guest_leaf_state *g = &guest_state[page];
	const struct host_leaf_state *h = &host_state[g->gpa];
	uint64_t want = 0, inside = chance(PHYS_PAGE / 8) * 8;

	if (g->there && h->there && (!write || (g->write && h->write)))
		want = TARGET(h->target) + inside;
	hits += want != 0;
	differences += reach(EP, TLP_NO_PASID, address_of(page) + inside, write) != want;
}

static void step(void)
{
	unsigned int page = (unsigned int)chance(PAGES), dice = (unsigned int)chance(100);

	if (dice < 70)
		compare(page, chance(2));
	else if (dice < 80)
		guest_change(page);
	else if (dice < 86)
		guest_permission(page);
	else if (dice < 94)
		host_change((unsigned int)chance(DATA_PAGES));
	else if (dice < 97)
		guest_resize(page / SLOTS);
	else
		table_move(page / SLOTS);
}

static void model_up(const struct guest_format *f, enum iommu_tables tables,
		     enum pt_format second, uint64_t seed)
{
	struct iommu_nested set;

	format = f;
	random_state = seed;
	hits = differences = 0;
	spare = 0;
	memset(lowest, 0, sizeof(lowest));
	memset(guest_state, 0, sizeof(guest_state));
	memset(guest_large, 0, sizeof(guest_large));
	memset(host_state, 0, sizeof(host_state));
	guest_up(second);
	root = guest_page();
	set = nested_of(tables, root);
	assert_int_equal(iommu_nested_set(EP, TLP_NO_PASID, &set), 0);
	for (unsigned int i = 0; i < DATA_PAGES; i++)
		host_change(i);
	for (unsigned int i = 0; i < PAGES; i++)
		guest_change(i);
}

static const struct {
	const char *name;
	const struct guest_format *first;
	enum iommu_tables tables;
	enum pt_format second;
} runs[] = {
	{ "VT-d", &guest_x86, IOMMU_TABLES_VTD, PT_VTD_SS },
	{ "AMD", &guest_x86, IOMMU_TABLES_AMD, PT_AMD_V1 },
	{ "SMMUv3", &guest_arm, IOMMU_TABLES_SMMUV3, PT_ARM_S2 },
};

static unsigned long operations(void)
{
	const char *text = getenv("SWTIO_MODEL_OPS");

	return text ? strtoul(text, NULL, 0) : 20000;
}

static void play(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++) {
		step();
		image_commit();
	}
}

static void test_formats(void **state)
{
	for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
		uint64_t seed = 0x9e3779b97f4a7c15ull + i;

		if (i) {
			machine_down(state);
			machine_up(state);
		}
		trace_set_enabled(false);
		model_up(runs[i].first, runs[i].tables, runs[i].second, seed);
		play(operations());
		printf("%s: seed %#lx, %lu operations, %u hits, %u differences\n", runs[i].name,
		       (unsigned long)seed, operations(), hits, differences);
		assert_int_equal(differences, 0);
		assert_true(hits * 10ull >= operations() * 3ull);
	}
	trace_set_enabled(true);
}

static void found(enum mutant m)
{
	trace_set_enabled(false);
	model_up(&guest_x86, IOMMU_TABLES_VTD, PT_VTD_SS, 77);
	mutant_plant(m);
	play(20000);
	mutants_clear();
	trace_set_enabled(true);
	assert_int_not_equal(differences, 0);
}

static void test_planted_walk(void **state)
{
	(void)state;
	found(MUTANT_WALK_SKIPS_STAGE2);
}

static void test_planted_flush(void **state)
{
	(void)state;
	found(MUTANT_FLUSH_KEEPS_TABLES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_formats, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_planted_walk, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_planted_flush, machine_up, machine_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
