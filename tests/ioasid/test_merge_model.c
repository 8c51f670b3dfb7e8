/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * R5.3: the merge of a child with its parent against a model that knows no tables: an array of what
 * each page of the parent is, and one of where each page of the child leads. $SWTIO_MODEL_OPS
 * operations (20,000), through the calls of /dev/ioasid: map and unmap on both sides, permissions
 * that change, mappings to holes, and what a device reaches. A planted bug must be found.
 */
#include "../vfio/host.h"
#include "image/mutant.h"
#include "swtio/uapi/ioasid.h"

#include <stdio.h>
#include <stdlib.h>

#define PAGE 4096ull
#define USER_PAGES 2048u
#define BLOCKS 3u			/* of each space, a GiB apart: three levels of table */
#define PARENT_PAGES (BLOCKS * 1024u)
#define CHILD_PAGES (BLOCKS * 256u)
#define AREAS 2048u

struct area { uint32_t first, count; };
struct areas { struct area list[AREAS]; unsigned int count; uint32_t pages; };
struct page { bool there, write; uint32_t to; };

static struct page parent_page[PARENT_PAGES], child_page[CHILD_PAGES];
static struct areas parent_areas, child_areas;
static uint64_t user_hpa[USER_PAGES], user, random_state;
static int fd;
static uint32_t parent, child;
static unsigned int hits, differences;

static uint32_t chance(uint32_t n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state % n);
}

static uint64_t address_of(uint32_t page, uint32_t block)
{
	return (uint64_t)(page / block) * PHYS_1G + (uint64_t)(page % block) * PAGE;
}

static long map(uint32_t space, uint64_t iova, uint64_t vaddr, uint32_t pages, bool write)
{
	struct ioasid_dma_map args = { .ioasid = space, .iova = iova, .vaddr = vaddr,
				       .size = pages * PAGE,
				       .flags = IOASID_DMA_READ | (write ? IOASID_DMA_WRITE : 0) };

	return ioctl_(fd, IOASID_DMA_MAP, &args);
}

static void unmap(uint32_t space, uint64_t iova, uint32_t pages)
{
	struct ioasid_dma_unmap args = { .ioasid = space, .iova = iova, .size = pages * PAGE };

	assert_int_equal(ioctl_(fd, IOASID_DMA_UNMAP, &args), 0);
	assert_int_equal(args.size, pages * PAGE);
}

static bool overlaps(const struct page *pages, uint32_t first, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (pages[first + i].there)
			return true;
	return false;
}

/* A run that stays in its block. */
static void run_choose(uint32_t block, uint32_t longest, uint32_t *first, uint32_t *count)
{
	*first = chance(BLOCKS * block);
	*count = 1 + chance(longest);
	if (*count > block - *first % block)
		*count = block - *first % block;
}

static void parent_map(uint32_t first, uint32_t count, bool write)
{
	uint32_t to = chance(USER_PAGES - count);
	bool taken = overlaps(parent_page, first, count);

	if (parent_areas.count == AREAS)
		return;
	if (map(parent, address_of(first, 1024), user + to * PAGE, count, write) !=
	    (taken ? -EEXIST : 0))
		differences++;
	if (taken || differences)
		return;
	for (uint32_t i = 0; i < count; i++)
		parent_page[first + i] = (struct page){ true, write, to + i };
	parent_areas.list[parent_areas.count++] = (struct area){ first, count };
	parent_areas.pages += count;
}

static struct area parent_unmap(void)
{
	uint32_t at = chance(parent_areas.count);
	struct area area = parent_areas.list[at];

	unmap(parent, address_of(area.first, 1024), area.count);
	for (uint32_t i = 0; i < area.count; i++)
		parent_page[area.first + i].there = false;
	parent_areas.list[at] = parent_areas.list[--parent_areas.count];
	parent_areas.pages -= area.count;
	return area;
}

static void child_map(void)
{
	bool write = chance(4) > 0, taken;
	uint32_t first, count, to;

	run_choose(256, 64, &first, &count);
	to = chance(PARENT_PAGES);
	taken = overlaps(child_page, first, count);
	if (child_areas.count == AREAS || count > 1024 - to % 1024)
		return;
	if (map(child, address_of(first, 256), address_of(to, 1024), count, write) !=
	    (taken ? -EEXIST : 0))
		differences++;
	if (taken || differences)
		return;
	for (uint32_t i = 0; i < count; i++)
		child_page[first + i] = (struct page){ true, write, to + i };
	child_areas.list[child_areas.count++] = (struct area){ first, count };
	child_areas.pages += count;
}

static void child_unmap(void)
{
	uint32_t at = chance(child_areas.count);
	struct area area = child_areas.list[at];

	unmap(child, address_of(area.first, 256), area.count);
	for (uint32_t i = 0; i < area.count; i++)
		child_page[area.first + i].there = false;
	child_areas.list[at] = child_areas.list[--child_areas.count];
	child_areas.pages -= area.count;
}

static void compare(uint32_t page, bool write)
{
	const struct page *c = &child_page[page], *p = &parent_page[c->to];
	struct tlp tlp = { .type = write ? TLP_MEM_WRITE : TLP_MEM_READ, .rid = PF,
			   .pasid = TLP_NO_PASID, .address = address_of(page, 256), .len = 8 };
	struct pt_leaf leaf;
	uint64_t want = 0, got = 0;
	uint32_t owner;

	if (c->there && p->there && (!write || (c->write && p->write)))
		want = user_hpa[p->to];
	image_enter();
	if (iommu_foresee(&tlp, &leaf, &owner))
		got = leaf.hpa + (tlp.address - leaf.address);
	image_leave();
	hits += want != 0;
	differences += got != want;
}

static void step(void)
{
	uint32_t dice = chance(100), first, count;

	if (dice < 84) {
		compare(chance(CHILD_PAGES), chance(4) == 0);
	} else if (dice < 92) {
		child_map();
	} else if (dice < 93 && child_areas.pages > CHILD_PAGES / 10 * 8) {
		child_unmap();
	} else if (dice < 98) {
		run_choose(1024, chance(8) ? 60 : 600, &first, &count);
		parent_map(first, count, chance(4) > 0);
	} else if (parent_areas.pages > PARENT_PAGES / 20 * 13) {
		struct area area = parent_unmap();

		if (chance(2))		/* the same again, with another permission */
			parent_map(area.first, area.count, chance(2));
	}
}

static void play(unsigned long count, uint64_t seed)
{
	random_state = seed;
	hits = differences = 0;
	for (unsigned long i = 0; i < count; i++)
		step();
	printf("merge: seed %#lx, %lu operations, %u hits, %u differences\n", (unsigned long)seed,
	       count, hits, differences);
}

static int up(void **state)
{
	struct vfio_ioasid_attach attach = { 0 };
	uint64_t run;

	boot(state);
	trace_set_enabled(false);
	memset(parent_page, 0, sizeof(parent_page));
	memset(child_page, 0, sizeof(child_page));
	parent_areas.count = child_areas.count = 0;
	parent_areas.pages = child_areas.pages = 0;
	assert_int_equal(sys_mmap(host.vmm, USER_PAGES * PAGE, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0, &user), 0);
	image_enter();
	for (uint32_t i = 0; i < USER_PAGES; i++)
		user_hpa[i] = user_page(host.vmm, user + i * PAGE, PAGE, true, &run);
	image_leave();
	fd = sys_open(host.vmm, "/dev/ioasid", O_RDWR);
	host.dev = sys_open(host.vmm, "/dev/vfio/devices/vfio0", O_RDWR);
	assert_true(sys_ioctl(host.vmm, host.dev, VFIO_BIND_IOASID_FD, (uint64_t)fd) > 0);
	parent = (uint32_t)sys_ioctl(host.vmm, fd, IOASID_ALLOC_IOASID, 0);
	child = (uint32_t)sys_ioctl(host.vmm, fd, IOASID_ALLOC_IOASID_NESTED, parent);
	attach.ioasid = child;
	assert_int_equal(ioctl_(host.dev, VFIO_ATTACH_IOASID, &attach), 0);
	return 0;
}

static int down(void **state)
{
	trace_set_enabled(true);
	return off(state);
}

static unsigned long operations(void)
{
	const char *text = getenv("SWTIO_MODEL_OPS");

	return text ? strtoul(text, NULL, 0) : 20000;
}

static void test_merge(void **state)
{
	(void)state;
	play(operations(), 0x243f6a8885a308d3ull);
	assert_int_equal(differences, 0);
	assert_true(hits * 10ull >= operations() * 3ull);
}

static void test_planted_merge(void **state)
{
	(void)state;
	mutant_plant(MUTANT_MERGE_KEEPS);
	random_state = 99;
	hits = differences = 0;
	for (unsigned int i = 0; i < 20000 && !differences; i++)
		step();
	mutants_clear();
	assert_int_not_equal(differences, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_merge, up, down),
		cmocka_unit_test_setup_teardown(test_planted_merge, up, down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
