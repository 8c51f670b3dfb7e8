/* SPDX-License-Identifier: BSD-2-Clause */
/* Entries bit by bit from the specifications, then algorithms against a flat model. */
#include "machine.h"
#include "hardware/pt.h"

#include <stdlib.h>

#define HPA 0x012345600000ull		/* 2 MiB aligned, in the arena window */

static const struct pt *pt_new(enum pt_format format, unsigned int levels)
{
	struct pt *pt = image_alloc(sizeof(*pt), IMAGE_TYPE_IOMMU_DOMAIN);

	assert_int_equal(pt_init(pt, format, levels), 0);
	return pt;
}

static uint64_t entry(uint64_t table, unsigned int index)
{
	const uint64_t *p = phys_ram(table & 0x000ffffffffff000ull, 4096);

	assert_non_null(p);
	return p[index];
}

static void test_vtd_entries(void **state)
{
	const struct pt *pt = pt_new(PT_VTD_SS, 4);
	uint64_t pml4e, pdpte, pde;

	(void)state;
	assert_int_equal(pt->pages, 1);
	/* indices 3, 5, 7, 9 */
	assert_int_equal(pt_map(pt, 0x018140e09000ull, HPA, 4096, PT_R | PT_W), 0);
	assert_int_equal(pt->pages, 4);
	pml4e = entry(pt->root, 3);
	pdpte = entry(pml4e, 5);
	pde = entry(pdpte, 7);
	assert_int_equal(entry(pde, 9), HPA | 0x3);
	/* tables: R and W; the number of entries below in ignored bits 61:52 */
	assert_int_equal(pml4e & 0xfff0000000000fffull, 0x0010000000000003ull);
	assert_int_equal(pdpte & 0xfff0000000000fffull, 0x0010000000000003ull);
	assert_int_equal(pde & 0xfff0000000000fffull, 0x0010000000000003ull);
	assert_int_equal(pt_map(pt, 0x018140e0a000ull, HPA + 4096, 4096, PT_R | PT_SNOOP), 0);
	assert_int_equal(entry(pde, 10), (HPA + 4096) | 0x801);	/* SNP is bit 11 */
	assert_int_equal(pt_map(pt, 0x018140e0b000ull, HPA, 4096, PT_W), 0);
	assert_int_equal(entry(pde, 11), HPA | 0x2);
	assert_int_equal(entry(pdpte, 7) >> 52, 3);
	assert_int_equal(pt_map(pt, 0x018141000000ull, HPA, PHYS_2M, PT_R | PT_W), 0);
	assert_int_equal(entry(pdpte, 8), HPA | 0x83);		/* page size is bit 7 */
	assert_int_equal(pt_map(pt, 0x018180000000ull, 0x010040000000ull, PHYS_1G, PT_R), 0);
	assert_int_equal(entry(pml4e, 6), 0x010040000081ull);
	assert_int_equal(pt_map(pt, 0, HPA, 4096, 0), -EINVAL);
	assert_int_equal(pt_map(pt, 0, HPA, 4096, PT_SNOOP), -EINVAL);
}

static void test_ept_entries(void **state)
{
	const struct pt *pt = pt_new(PT_EPT, 4);
	uint64_t pml4e, pdpte, pde;

	(void)state;
	assert_int_equal(pt_map(pt, 0x018140e09000ull, HPA, 4096, PT_R | PT_W | PT_X), 0);
	pml4e = entry(pt->root, 3);
	pdpte = entry(pml4e, 5);
	pde = entry(pdpte, 7);
	assert_int_equal(entry(pde, 9), HPA | 0x37);		/* RWX, write-back */
	assert_int_equal(pml4e & 0xfff0000000000fffull, 0x0010000000000007ull);
	assert_int_equal(pt_map(pt, 0x018140e0a000ull, PHYS_MMIO, 4096, PT_R | PT_W | PT_UC), 0);
	assert_int_equal(entry(pde, 10), PHYS_MMIO | 0x03);	/* uncached is type 0 */
	assert_int_equal(pt_map(pt, 0x018141000000ull, HPA, PHYS_2M, PT_R), 0);
	assert_int_equal(entry(pdpte, 8), HPA | 0xb1);
	assert_int_equal(pt_map(pt, 0x018180000000ull, 0x010040000000ull, PHYS_1G, PT_R | PT_X), 0);
	assert_int_equal(entry(pml4e, 6), 0x0100400000b5ull);
	assert_int_equal(pt_map(pt, 0, HPA, 4096, PT_W), -EINVAL);	/* a misconfiguration */
}

/* x86-64 long mode, VT-d 9.7: P 0, R/W 1, U/S 2, PWT 3, PCD 4, A 5, D 6, PS 7, XD 63. */
static void test_x86_entries(void **state)
{
	const struct pt *pt = pt_new(PT_X86, 4);
	uint64_t pml4e, pdpte, pde;
	struct pt_entry e;

	(void)state;
	assert_int_equal(pt_map(pt, 0x018140e09000ull, HPA, 4096, PT_R | PT_W), 0);
	pml4e = entry(pt->root, 3);
	pdpte = entry(pml4e, 5);
	pde = entry(pdpte, 7);
	assert_int_equal(entry(pde, 9), HPA | 0x8000000000000007ull);
	assert_int_equal(pml4e & 0xfff0000000000fffull, 0x0010000000000007ull);
	assert_int_equal(pt_map(pt, 0x018140e0a000ull, HPA, 4096, PT_R | PT_X), 0);
	assert_int_equal(entry(pde, 10), HPA | 0x5);
	assert_int_equal(pt_map(pt, 0x018141000000ull, HPA, PHYS_2M, PT_R | PT_W | PT_X), 0);
	assert_int_equal(entry(pdpte, 8), HPA | 0x87);
	assert_int_equal(pt_map(pt, 0, HPA, 4096, PT_W), -EINVAL);
	assert_int_equal(pt_decode(PT_X86, HPA | 0x3, 0, 0, &e), 0);
	assert_int_equal(e.prot, 0);			/* a supervisor page */
	assert_int_equal(pt_decode(PT_X86, HPA | 0x87, 3, 0, &e), -EPROTO); /* PS of a PML4E */
	assert_int_equal(pt_decode(PT_X86, HPA | 0x2087, 1, 0, &e), -EPROTO);
	assert_int_equal(pt_decode(PT_X86, HPA | 0x1087, 1, 3, &e), 0);	/* bit 12 is PAT */
	assert_true(e.leaf);
	assert_int_equal(e.address, HPA);
	assert_int_equal(e.accessed, HPA | 0x10a7);
	assert_int_equal(e.written, HPA | 0x10e7);
	assert_int_equal(pt_decode(PT_X86, HPA | 0x7, 2, 3, &e), 0);
	assert_false(e.leaf);
	assert_int_equal(e.written, HPA | 0x27);	/* no D above a leaf */
	assert_int_equal(pt_decode(PT_X86, HPA | 0x6, 0, 3, &e), -ENOENT);
}

/* AMD IOMMU 2.2.3: PR 0, A 5, D 6, next level 11:9, FC 60, IR 61, IW 62. */
static void test_amd_entries(void **state)
{
	const struct pt *pt = pt_new(PT_AMD_V1, 4);
	uint64_t top, third, second;
	struct pt_entry e;

	(void)state;
	assert_int_equal(pt_map(pt, 0x018140e09000ull, HPA, 4096, PT_R | PT_W), 0);
	top = entry(pt->root, 3);
	third = entry(top, 5);
	second = entry(third, 7);
	assert_int_equal(top & 0xfff0000000000fffull, 0x6000000000000601ull);
	assert_int_equal(third & 0xfff0000000000fffull, 0x6000000000000401ull);
	assert_int_equal(second & 0xfff0000000000fffull, 0x6000000000000201ull);
	assert_int_equal(entry(second, 9), HPA | 0x6000000000000001ull);
	assert_int_equal(pt_map(pt, 0x018140e0a000ull, HPA, 4096, PT_R | PT_SNOOP), 0);
	assert_int_equal(entry(second, 10), HPA | 0x3000000000000001ull);
	assert_int_equal(pt_map(pt, 0x018141000000ull, HPA, PHYS_2M, PT_W), 0);
	assert_int_equal(entry(third, 8), HPA | 0x4000000000000001ull);
	/* the next level of an entry is the level below it, or none */
	assert_int_equal(pt_decode(PT_AMD_V1, HPA | 0x6000000000000401ull, 1, 0, &e), -EPROTO);
	assert_int_equal(pt_decode(PT_AMD_V1, HPA | 0x6000000000000201ull, 1, 1, &e), 0);
	assert_false(e.leaf);
	assert_int_equal(e.accessed, HPA | 0x6000000000000221ull);
	assert_int_equal(pt_decode(PT_AMD_V1, HPA | 0x6000000000000001ull, 0, 3, &e), 0);
	assert_int_equal(e.written, HPA | 0x6000000000000061ull);
}

/* Arm ARM D8.3: stage 1 AttrIndx 4:2, AP 7:6, SH 9:8, AF 10, nG 11, DBM 51, PXN 53, UXN 54; stage 2
 * MemAttr 5:2, S2AP 7:6, XN 54. */
static void test_arm_entries(void **state)
{
	const uint64_t hpa = HPA & 0x0000ffffffffffffull;
	const struct pt *s1 = pt_new(PT_ARM_S1, 4), *s2 = pt_new(PT_ARM_S2, 3);
	uint64_t table;
	struct pt_entry e;

	(void)state;
	assert_int_equal(pt_map(s1, 0x018140e09000ull, hpa, 4096, PT_R | PT_W), 0);
	table = entry(s1->root, 3);
	assert_int_equal(table & 0xfff0000000000fffull, 0x7);	/* one entry, counted in 11:2 */
	table = entry(entry(table & 0xfffffffff000ull, 5) & 0xfffffffff000ull, 7);
	assert_int_equal(entry(table & 0xfffffffff000ull, 9), hpa | 0x0060000000000f47ull);
	assert_int_equal(pt_map(s1, 0x018140e0a000ull, hpa, 4096, PT_R | PT_UC), 0);
	assert_int_equal(entry(table & 0xfffffffff000ull, 10), hpa | 0x0060000000000fcbull);
	assert_int_equal(pt_map(s2, 0x40000000ull, 0x010040000000ull, PHYS_1G, PT_R | PT_W), 0);
	assert_int_equal(entry(s2->root, 1), 0x010040000000ull | 0x00400000000007fdull);
	assert_int_equal(pt_map(s2, 0, 1ull << 48, 4096, PT_R), -EINVAL);
	/* not accessed: a fault, unless hardware may say that it is now; DBM: writable, clean */
	assert_int_equal(pt_decode(PT_ARM_S1, hpa | 0xc3, 0, 0, &e), -EACCES);
	assert_int_equal(pt_decode(PT_ARM_S1, hpa | 0x00080000000000c3ull, 0, 3, &e), 0);
	assert_int_equal(e.prot & (PT_R | PT_W), PT_R | PT_W);
	assert_int_equal(e.accessed, hpa | 0x00080000000004c3ull);
	assert_int_equal(e.written, hpa | 0x0008000000000443ull);
	assert_int_equal(pt_decode(PT_ARM_S1, hpa | 0x00080000000004c3ull, 0, 0, &e), 0);
	assert_int_equal(e.prot & (PT_R | PT_W), PT_R);
	assert_int_equal(pt_decode(PT_ARM_S1, hpa | 0x401, 0, 0, &e), -EPROTO); /* no blocks there */
	assert_int_equal(pt_decode(PT_ARM_S1, hpa | 0x401, 3, 0, &e), -EPROTO);
	assert_int_equal(pt_decode(PT_ARM_S2, hpa | 0x00080000000004ffull, 0, 3, &e), 0);
	assert_int_equal(pt_decode(PT_ARM_S2, hpa | 0x000800000000047full, 0, 3, &e), 0);
	assert_int_equal(e.written, hpa | 0x00080000000004ffull);
}

static void test_arguments(void **state)
{
	const struct pt *pt = pt_new(PT_VTD_SS, 4), *five = pt_new(PT_VTD_SS, 5);
	struct pt *bad = image_alloc(sizeof(*bad), IMAGE_TYPE_IOMMU_DOMAIN);
	struct pt_leaf leaf;

	(void)state;
	assert_int_equal(pt_init(bad, PT_VTD_SS, 3), -EINVAL);
	assert_int_equal(pt_init(bad, PT_EPT, 5), -EINVAL);
	assert_int_equal(pt_init(bad, PT_FORMAT_MAX, 4), -EINVAL);
	assert_int_equal(pt_map(pt, 1, HPA, 4096, PT_R), -EINVAL);
	assert_int_equal(pt_map(pt, 0, HPA + 1, 4096, PT_R), -EINVAL);
	assert_int_equal(pt_map(pt, 0, HPA, 4095, PT_R), -EINVAL);
	assert_int_equal(pt_map(pt, 0, HPA, 0, PT_R), -EINVAL);
	assert_int_equal(pt_map(pt, 1ull << 48, HPA, 4096, PT_R), -EINVAL);
	assert_int_equal(pt_map(pt, (1ull << 48) - 4096, HPA, 8192, PT_R), -EINVAL);
	assert_int_equal(pt_map(pt, (1ull << 48) - 4096, HPA, 4096, PT_R), 0);
	assert_int_equal(pt_walk(pt, (1ull << 48) - 1, &leaf), 0);
	assert_int_equal(pt_map(pt, 0, (1ull << 52) - 4096, 8192, PT_R), -EINVAL);
	assert_int_equal(pt_map(five, 1ull << 56, HPA, 4096, PT_R), 0);
	assert_int_equal(pt_walk(five, 1ull << 56, &leaf), 0);
	assert_int_equal(leaf.reads, 5);
	assert_int_equal(pt_walk(five, 1ull << 57, &leaf), -ENOENT);
	assert_int_equal(pt_walk(pt, 1ull << 48, &leaf), -ENOENT);
	assert_int_equal(pt_page_sizes(PT_EPT), 0x40201000);
	assert_int_equal(pt_unmap(pt, 0x800, 4096), 0);
	assert_int_equal(pt_unmap(pt, 0, 1ull << 60), 4096);	/* clipped to what there is */
}

static void test_walk(void **state)
{
	const struct pt *pt = pt_new(PT_VTD_SS, 4);
	struct pt_leaf leaf;

	(void)state;
	assert_int_equal(pt_map(pt, 0x40200000, HPA, PHYS_2M + 4096, PT_R | PT_W), 0);
	assert_int_equal(pt_walk(pt, 0x402fffff, &leaf), 0);
	assert_int_equal(leaf.address, 0x40200000);
	assert_int_equal(leaf.hpa, HPA);
	assert_int_equal(leaf.size, PHYS_2M);
	assert_int_equal(leaf.prot, PT_R | PT_W);
	assert_int_equal(leaf.reads, 3);
	assert_int_equal(pt_walk(pt, 0x40400fff, &leaf), 0);
	assert_int_equal(leaf.address, 0x40400000);
	assert_int_equal(leaf.hpa, HPA + PHYS_2M);
	assert_int_equal(leaf.size, 4096);
	assert_int_equal(leaf.reads, 4);
	assert_int_equal(pt_walk(pt, 0x40401000, &leaf), -ENOENT);
	assert_int_equal(pt_walk(pt, 0x401fffff, &leaf), -ENOENT);
	assert_int_equal(pt_next_mapped(pt, 0), 0x40200000);
	assert_int_equal(pt_next_mapped(pt, 0x40345000), 0x40345000);
	assert_int_equal(pt_next_mapped(pt, 0x40401000), UINT64_MAX);
	/* a table somebody wrote over leads nowhere rather than astray */
	*(uint64_t *)image_log(phys_ram(pt->root, 8), 8) = 0x000ffffffff00003ull;
	assert_int_equal(pt_walk(pt, 0x40400fff, &leaf), -ENOENT);
}

static void test_split_and_free(void **state)
{
	const struct pt *pt = pt_new(PT_EPT, 4);
	uint64_t live = image_live(IMAGE_TYPE_PT_PAGE);
	struct pt_leaf leaf;

	(void)state;
	assert_int_equal(pt_map(pt, 0x80000000, 0x010080000000ull, PHYS_1G, PT_R | PT_W | PT_UC),
			 0);
	assert_int_equal(pt->pages, 2);
	assert_int_equal(pt_unmap(pt, 0x80201000, 0x2000), 0x2000);
	assert_int_equal(pt->pages, 4);				/* 1 GiB to 2 MiB to 4 KiB */
	assert_int_equal(pt_walk(pt, 0x80200fff, &leaf), 0);
	assert_int_equal(leaf.size, 4096);
	assert_int_equal(leaf.hpa, 0x010080200000ull);
	assert_int_equal(leaf.prot, PT_R | PT_W | PT_UC);	/* properties survive a split */
	assert_int_equal(pt_walk(pt, 0x80201000, &leaf), -ENOENT);
	assert_int_equal(pt_walk(pt, 0x80203000, &leaf), 0);
	assert_int_equal(leaf.hpa, 0x010080203000ull);
	assert_int_equal(pt_walk(pt, 0x80400000, &leaf), 0);
	assert_int_equal(leaf.size, PHYS_2M);
	assert_int_equal(pt_unmap(pt, 0x80200000, PHYS_2M), PHYS_2M - 0x2000);
	assert_int_equal(pt->pages, 3);				/* the empty table went */
	assert_int_equal(pt_unmap(pt, 0, 1ull << 48), PHYS_1G - PHYS_2M);
	assert_int_equal(pt->pages, 1);
	image_commit();
	assert_int_equal(image_live(IMAGE_TYPE_PT_PAGE), live);
	pt_destroy(pt);
	image_commit();
	assert_int_equal(image_live(IMAGE_TYPE_PT_PAGE), live - 1);
	assert_int_equal(pt_walk(pt, 0x80200000, &leaf), -ENOENT);
}

static void test_map_all_or_nothing(void **state)
{
	const struct pt *pt = pt_new(PT_VTD_SS, 4);
	struct pt_leaf leaf;

	(void)state;
	assert_int_equal(pt_map(pt, 0x40600000, HPA, 4096, PT_R), 0);
	assert_int_equal(pt->pages, 4);
	assert_int_equal(pt_map(pt, 0x3ff00000, HPA, 0x900000, PT_R), -EADDRINUSE);
	assert_int_equal(pt->pages, 4);
	assert_int_equal(pt_next_mapped(pt, 0), 0x40600000);
	assert_int_equal(pt_map(pt, 0x40000000, 0x010000000000ull, PHYS_1G, PT_R), -EADDRINUSE);
	assert_int_equal(pt_unmap(pt, 0x40600000, 4096), 4096);
	assert_int_equal(pt->pages, 1);
	for (uint64_t n = 1; n <= 5; n++) {	/* two pages around 1 GiB take 5 tables */
		image_fail_nth(n);
		assert_int_equal(pt_map(pt, 0x3ffff000, HPA, 8192, PT_R), -ENOMEM);
		assert_int_equal(pt->pages, 1);
		assert_int_equal(pt_walk(pt, 0x3ffff000, &leaf), -ENOENT);
	}
	image_fail_nth(6);
	assert_int_equal(pt_map(pt, 0x3ffff000, HPA, 8192, PT_R), 0);
	image_fail_nth(0);
	assert_int_equal(pt->pages, 6);
	assert_int_equal(pt_unmap(pt, 0x3ffff000, 8192), 8192);
	assert_int_equal(pt_map(pt, 0x40000000, 0x010000000000ull, PHYS_1G, PT_R), 0);
	image_fail_nth(1);
	assert_int_equal(pt_unmap(pt, 0x40000000, 4096),
			 PHYS_1G); /* no memory to split: all goes */
	image_fail_nth(0);
	assert_int_equal(pt_next_mapped(pt, 0), UINT64_MAX);
}

/* -- against a flat model -------------------------------------------------------------------- */

#define BASE (512 * PHYS_1G - PHYS_1G)	/* three GiB around a 512 GiB boundary */
#define PAGES (3u << 18)

static uint64_t *flat;			/* hpa | prot of each page; 0: not mapped */

static void check_page(const struct pt *pt, unsigned int page)
{
	uint64_t address = BASE + page * 4096ull;
	struct pt_leaf leaf;

	if (!flat[page]) {
		assert_int_equal(pt_walk(pt, address + 77, &leaf), -ENOENT);
		return;
	}
	assert_int_equal(pt_walk(pt, address + 77, &leaf), 0);
	assert_int_equal(leaf.hpa + (address - leaf.address), flat[page] & ~0xfffull);
	assert_int_equal(leaf.prot, flat[page] & 0xfff);
}

static void random_map(const struct pt *pt, unsigned int first, unsigned int count,
		       unsigned int seed)
{
	uint64_t hpa =
		PHYS_ARENA + (seed % 8 ? (seed & 0xffff) * 4096ull
				       : (seed & 0x1f) * PHYS_1G + first * 4096ull % PHYS_1G);
	uint8_t prot = seed & 0x10000 ? PT_R | PT_W : PT_R;
	bool free_all = true;

	for (unsigned int i = first; i < first + count; i++)
		free_all = free_all && !flat[i];
	if (pt->format == PT_EPT || pt->format == PT_ARM_S2)
		prot |= PT_X;
	assert_int_equal(pt_map(pt, BASE + first * 4096ull, hpa, count * 4096ull, prot),
			 free_all ? 0 : -EADDRINUSE);
	for (unsigned int i = 0; free_all && i < count; i++)
		flat[first + i] = (hpa + i * 4096ull) | prot;
}

static void random_unmap(const struct pt *pt, unsigned int first, unsigned int count)
{
	uint64_t bytes = 0;

	for (unsigned int i = first; i < first + count; i++) {
		bytes += flat[i] ? 4096 : 0;
		flat[i] = 0;
	}
	assert_int_equal(pt_unmap(pt, BASE + first * 4096ull, count * 4096ull), bytes);
}

static void random_run(enum pt_format format, unsigned int seed)
{
	static const unsigned int sizes[] = { 1, 3, 600, 512, 5000, 1u << 18 };
	const struct pt *pt = pt_new(format, 4);

	flat = calloc(PAGES, sizeof(*flat));
	for (unsigned int round = 0; round < 400; round++) {
		unsigned int size = sizes[(unsigned int)rand_r(&seed) % 6];
		unsigned int first = (unsigned int)rand_r(&seed) % PAGES, next = 0;
		unsigned int count = 1 + (unsigned int)rand_r(&seed) % size;

		if (rand_r(&seed) % 2)	/* aligned, so that large leaves get a chance */
			first &= ~(size >= 1u << 18 ? (1u << 18) - 1 : 511u), count = size;
		count = count < PAGES - first ? count : PAGES - first;
		if (rand_r(&seed) % 2)
			random_map(pt, first, count, (unsigned int)rand_r(&seed));
		else
			random_unmap(pt, first, count);
		for (unsigned int i = 0; i < 200; i++)
			check_page(pt, (unsigned int)rand_r(&seed) % PAGES);
		check_page(pt, first);
		check_page(pt, first + count - 1);
		while (next < PAGES && !flat[next])
			next++;
		assert_int_equal(pt_next_mapped(pt, BASE),
				 next < PAGES ? BASE + next * 4096ull : UINT64_MAX);
		image_commit();
	}
	random_unmap(pt, 0, PAGES);
	assert_int_equal(pt->pages, 1);
	pt_destroy(pt);
	free(flat);
}

static void test_random_vtd(void **state)
{
	(void)state;
	for (unsigned int seed = 1; seed < 4; seed++)
		random_run(PT_VTD_SS, seed);
}

static void test_random_ept(void **state)
{
	(void)state;
	random_run(PT_EPT, 9);
}

static void test_random_others(void **state)
{
	(void)state;
	random_run(PT_X86, 10);
	random_run(PT_AMD_V1, 11);
	random_run(PT_ARM_S1, 12);
	random_run(PT_ARM_S2, 13);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_vtd_entries, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_ept_entries, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_x86_entries, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_amd_entries, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_arm_entries, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_arguments, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_walk, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_split_and_free, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_map_all_or_nothing, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_random_vtd, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_random_ept, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_random_others, machine_up, machine_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
