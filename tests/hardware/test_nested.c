/* SPDX-License-Identifier: BSD-2-Clause */
/* R5.4, R5.6, R5.7: two-dimensional walks, PASID tables, what stays cached, page requests. */
#include "guest_tables.h"

#define ADDRESS 0x0000008040201000ull	/* index 1 at each level */
#define HPA_OF(gpa) (phys_of(guest_ram) + ((gpa) - GPA))

static uint64_t simple(const struct guest_format *f, uint64_t *target)
{
	uint64_t root;
	struct iommu_nested set;

	guest_up(f == &guest_arm ? PT_ARM_S2 : PT_VTD_SS);
	root = guest_page();
	*target = guest_page();
	guest_map(f, root, ADDRESS, *target);
	set = nested_of(f->tables, root);
	assert_int_equal(iommu_nested_set(EP, TLP_NO_PASID, &set), 0);
	return root;
}

static struct iommu_stats count(uint64_t address, uint64_t want)
{
	struct iommu_stats before;

	iommu_stats(&before);
	assert_int_equal(reach(EP, TLP_NO_PASID, address, false), want);
	return reads_since(&before);
}

/* 4 * (4 + 1) for the tables, 4 for the page; root, context, PASID directory and entry of VT-d, or
 * the stream table entry and one descriptor of the SMMU, apart. */
static void textbook(const struct guest_format *f, unsigned int context, unsigned int pasid)
{
	struct iommu_stats n;
	uint64_t target;

	simple(f, &target);
	iommu_caches_enable(false);
	for (unsigned int i = 0; i < 2; i++) {
		n = count(ADDRESS + 0x123, HPA_OF(target) + 0x123);
		assert_int_equal(n.walk_reads, 24);
		assert_int_equal(n.context_reads, context);
		assert_int_equal(n.pasid_reads, pasid);
	}
	iommu_caches_enable(true);
	assert_int_equal(count(ADDRESS, HPA_OF(target)).walk_reads, 24);
	n = count(ADDRESS + 8, HPA_OF(target) + 8);
	assert_int_equal(n.walk_reads + n.context_reads + n.pasid_reads, 0);
	assert_int_equal(n.hits, 1);
}

static void test_reads(void **state)
{
	(void)state;
	textbook(&guest_x86, 2, 2);
	iommu_context_set(EP, TLP_NO_PASID, IOMMU_BLOCK, NULL, 0);
	iommu_iotlb_flush_all();
	textbook(&guest_arm, 1, 1);
}

/* With the upper tables cached, a neighbour takes one read of the last table and a second stage. */
static void test_structure_caches(void **state)
{
	uint64_t target, root, second, third;

	(void)state;
	root = simple(&guest_x86, &target);
	second = guest_page();
	third = guest_page();
	guest_map(&guest_x86, root, ADDRESS + 4096, second);
	guest_map(&guest_x86, root, ADDRESS + PHYS_2M, third);
	count(ADDRESS, HPA_OF(target));
	assert_int_equal(count(ADDRESS + 4096, HPA_OF(second)).walk_reads, 1 + 4);
	/* one table lower is new: its entry above, itself (4 + 1), the page */
	assert_int_equal(count(ADDRESS + PHYS_2M, HPA_OF(third)).walk_reads, 1 + 4 + 1 + 4);
	/* the second stage knows the page already */
	guest_map(&guest_x86, root, ADDRESS + 8192, second);
	assert_int_equal(count(ADDRESS + 8192, HPA_OF(second)).walk_reads, 1);
}

static void test_stale_until_flushed(void **state)
{
	uint64_t target, root, other, slot;

	(void)state;
	root = simple(&guest_x86, &target);
	other = guest_page();
	guest_map(&guest_x86, root, ADDRESS + 4096, other);
	count(ADDRESS, HPA_OF(target));
	count(ADDRESS + 4096, HPA_OF(other));
	slot = guest_slot(&guest_x86, root, 4, ADDRESS, 0);
	*guest_word(slot) = 0;
	*guest_word(slot + 8) = 0;
	assert_int_equal(reach(EP, TLP_NO_PASID, ADDRESS, true), HPA_OF(target));
	iommu_nested_flush(CHILD_DID, 0, ADDRESS, ADDRESS + 4095, true);
	assert_int_equal(reach(EP, TLP_NO_PASID, ADDRESS, false), 0);
	assert_int_equal(seen.reason, 0x71);
	assert_int_equal(reach(EP, TLP_NO_PASID, ADDRESS + 4096, false), HPA_OF(other));
	iommu_nested_flush(CHILD_DID, 5, 0, UINT64_MAX, false);	/* another PASID's */
	assert_int_equal(reach(EP, TLP_NO_PASID, ADDRESS + 4096, false), HPA_OF(other));
	iommu_nested_flush(CHILD_DID, 0, 0, UINT64_MAX, false);
	assert_int_equal(reach(EP, TLP_NO_PASID, ADDRESS + 4096, false), 0);
	/* a table that moved: leaf-only flushes leave its old place cached */
	guest_map(&guest_x86, root, ADDRESS, target);
	count(ADDRESS, HPA_OF(target));
	*guest_word(guest_slot(&guest_x86, root, 4, ADDRESS, 1)) = 0;
	iommu_nested_flush(CHILD_DID, 0, ADDRESS, ADDRESS, true);
	assert_int_equal(reach(EP, TLP_NO_PASID, ADDRESS, false), HPA_OF(target));
	iommu_nested_flush(CHILD_DID, 0, ADDRESS, ADDRESS, false);
	assert_int_equal(reach(EP, TLP_NO_PASID, ADDRESS, false), 0);
}

/* What the second stage takes back is gone at once: its flush is of its own domain. */
static void test_second_stage(void **state)
{
	uint64_t target, root;

	(void)state;
	root = simple(&guest_x86, &target);
	count(ADDRESS, HPA_OF(target));
	pt_unmap(parent, target, 4096);
	iommu_iotlb_flush(PARENT_DID, target, target + 4095);
	assert_int_equal(reach(EP, TLP_NO_PASID, ADDRESS, false), 0);
	assert_int_equal(seen.reason, 0x79);
	assert_int_equal(pt_map(parent, target, HPA_OF(target), 4096, PT_R), 0);
	assert_int_equal(reach(EP, TLP_NO_PASID, ADDRESS, false), HPA_OF(target));
	assert_int_equal(reach(EP, TLP_NO_PASID, ADDRESS, true), 0);
	assert_int_equal(seen.reason, 0x79);
	pt_unmap(parent, root, 4096);
	iommu_iotlb_flush(PARENT_DID, root, root + 4095);
	assert_int_equal(reach(EP, TLP_NO_PASID, ADDRESS, false), 0);
	assert_int_equal(seen.reason, 0x70);
	assert_int_equal(reach(EP, TLP_NO_PASID, 1ull << 47, false), 0);
	assert_int_equal(seen.reason, 0x80);
}

static void test_accessed_dirty(void **state)
{
	uint64_t target, root, slot, top;

	(void)state;
	root = simple(&guest_x86, &target);
	slot = guest_slot(&guest_x86, root, 4, ADDRESS, 0);
	top = guest_slot(&guest_x86, root, 4, ADDRESS, 3);
	*guest_word(slot) = target | 0x7;
	assert_int_equal(*guest_word(top) & 0xfff, 0x7);
	assert_int_equal(reach(EP, TLP_NO_PASID, ADDRESS, false), HPA_OF(target));
	assert_int_equal(*guest_word(slot), target | 0x27);	/* A, not D */
	assert_int_equal(*guest_word(top) & 0xfff, 0x27);
	assert_int_equal(reach(EP, TLP_NO_PASID, ADDRESS, true), HPA_OF(target));
	assert_int_equal(*guest_word(slot), target | 0x67);
	/* read-only to the device, writable to nobody: no D, and no more than a fault */
	*guest_word(slot) = target | 0x25;
	iommu_nested_flush(CHILD_DID, 0, ADDRESS, ADDRESS, true);
	assert_int_equal(reach(EP, TLP_NO_PASID, ADDRESS, true), 0);
	assert_int_equal(seen.reason, 0x85);
	assert_int_equal(*guest_word(slot), target | 0x25);
	*guest_word(slot) = target | 0x23;			/* a supervisor page */
	assert_int_equal(reach(EP, TLP_NO_PASID, ADDRESS, false), 0);
	assert_int_equal(seen.reason, 0x86);
	*guest_word(guest_slot(&guest_x86, root, 4, ADDRESS, 1)) |= 0x80; /* a leaf, misaligned */
	iommu_nested_flush(CHILD_DID, 0, ADDRESS, ADDRESS, false);
	assert_int_equal(reach(EP, TLP_NO_PASID, ADDRESS, false), 0);
	assert_int_equal(seen.reason, 0x72);
}

static void dirty_seen(void *arg, uint64_t first, uint64_t last)
{
	uint64_t *pages = arg;

	pages[0]++;
	pages[1] = first;
	assert_int_equal(last, first + PHYS_PAGE - 1);
}

/* The second stage's own bits: of the page written to, and of the tables whose bits it took. */
static void test_second_stage_dirty(void **state)
{
	uint64_t target, dirty[2] = { 0 };
	const struct pt_dirty ask = { .clear = true, .fn = dirty_seen, .arg = dirty };

	(void)state;
	simple(&guest_x86, &target);
	iommu_tracking_set(PARENT_DID, true);
	assert_int_equal(reach(EP, TLP_NO_PASID, ADDRESS, false), HPA_OF(target));
	pt_dirty_read(parent, target, target + PHYS_PAGE - 1, &ask);
	assert_int_equal(dirty[0], 0);
	pt_dirty_read(parent, GPA, GPA + GPA_PAGES * PHYS_PAGE - 1, &ask);
	assert_int_equal(dirty[0], 4);
	assert_int_equal(reach(EP, TLP_NO_PASID, ADDRESS, true), HPA_OF(target));
	dirty[0] = 0;
	pt_dirty_read(parent, target, target + PHYS_PAGE - 1, &ask);
	assert_int_equal(dirty[0], 1);
	assert_int_equal(dirty[1], target);
}

/* -- PASID tables ----------------------------------------------------------------------------- */

static void vtd_entry(uint64_t directory, uint32_t pasid, uint64_t pgtt, uint64_t root)
{
	uint64_t *dir = guest_word(directory + (pasid >> 6) * 8), *e;

	if (!*dir)
		*dir = guest_page() | 1;
	e = guest_word((*dir & ~0xfffull) + (pasid & 63) * 64);
	e[0] = pgtt << 6 | 1;
	e[2] = root;
}

static void pasid_refused(uint32_t pasid, unsigned int reason)
{
	assert_int_equal(reach(EP, pasid, ADDRESS, false), 0);
	assert_int_equal(seen.reason, reason);
}

static void test_vtd_pasids(void **state)
{
	uint64_t directory, root, target;
	struct iommu_stats before, n;
	struct iommu_nested set;

	(void)state;
	guest_up(PT_VTD_SS);
	directory = guest_page();
	root = guest_page();
	target = guest_page();
	guest_map(&guest_x86, root, ADDRESS, target);
	vtd_entry(directory, 77, 1, root);
	vtd_entry(directory, 78, 2, root);		/* a second stage is not the guest's */
	vtd_entry(directory, 79, 4, 0);			/* pass-through: GPAs */
	vtd_entry(directory, 0, 1, root);
	set = nested_of(IOMMU_TABLES_VTD, directory);
	set.pasid_levels = 2;
	set.pasid_bits = 10;
	assert_int_equal(iommu_nested_set(EP, 3, &set), -EINVAL);
	assert_int_equal(iommu_nested_set(EP, TLP_NO_PASID, &set), 0);
	iommu_caches_enable(false);
	iommu_stats(&before);
	assert_int_equal(reach(EP, 77, ADDRESS, true), HPA_OF(target));
	n = reads_since(&before);
	assert_int_equal(n.context_reads, 2);		/* root and context entry */
	assert_int_equal(n.pasid_reads, 2 * (4 + 1));	/* directory and entry, each a GPA */
	assert_int_equal(n.walk_reads, 24);
	iommu_caches_enable(true);
	assert_int_equal(reach(EP, TLP_NO_PASID, ADDRESS, true), HPA_OF(target));
	assert_int_equal(reach(EP, 79, target, true), HPA_OF(target));
	pasid_refused(78, 0x5b);
	pasid_refused(80, 0x59);
	pasid_refused(64 * 5, 0x51);
	pasid_refused(1024, 0x46);
	/* the entry is cached until it is flushed, and what it led to until that is */
	assert_int_equal(reach(EP, 77, ADDRESS, true), HPA_OF(target));
	vtd_entry(directory, 77, 0, 0);
	assert_int_equal(reach(EP, 77, ADDRESS, true), HPA_OF(target));
	iommu_nested_flush(CHILD_DID, 77, 0, UINT64_MAX, false);
	assert_int_equal(reach(EP, 77, ADDRESS, true), HPA_OF(target));
	iommu_pasid_flush(EP, 77);
	pasid_refused(77, 0x5b);
	set.no_pasid = IOMMU_NO_PASID_FAULT;
	assert_int_equal(iommu_nested_set(EP, TLP_NO_PASID, &set), 0);
	pasid_refused(TLP_NO_PASID, 0x02);
	set.no_pasid = IOMMU_NO_PASID_BYPASS;
	assert_int_equal(iommu_nested_set(EP, TLP_NO_PASID, &set), 0);
	assert_int_equal(reach(EP, TLP_NO_PASID, target, false), HPA_OF(target));
}

/* V, AA64, T0SZ 16; the tag is the ASID, which two PASIDs may share. */
static void cd_set(uint64_t at, uint16_t asid, uint64_t root)
{
	uint64_t *e = guest_word(at);

	e[0] = (uint64_t)asid << 48 | 1ull << 41 | 1ull << 31 | 16;
	e[1] = root;
}

static void test_smmu_cds(void **state)
{
	uint64_t l1, leaf, root, target;
	struct iommu_stats before;
	struct iommu_nested set;

	(void)state;
	guest_up(PT_ARM_S2);
	l1 = guest_page();
	leaf = guest_page();
	root = guest_page();
	target = guest_page();
	guest_map(&guest_arm, root, ADDRESS, target);
	*guest_word(l1 + 8) = leaf | 1;			/* substreams 64 to 127 */
	cd_set(leaf + 2 * 64, 9, root);
	cd_set(leaf + 3 * 64, 9, root);
	set = nested_of(IOMMU_TABLES_SMMUV3, l1);
	set.pasid_levels = 2;
	set.pasid_split = 6;
	set.pasid_bits = 8;
	assert_int_equal(iommu_nested_set(EP, TLP_NO_PASID, &set), 0);
	iommu_stats(&before);
	assert_int_equal(reach(EP, 66, ADDRESS, true), HPA_OF(target));
	assert_int_equal(reads_since(&before).pasid_reads, 2 * (4 + 1));
	assert_int_equal(reads_since(&before).context_reads, 1);
	assert_int_equal(reach(EP, 67, ADDRESS, true), HPA_OF(target));
	assert_int_equal(reads_since(&before).hits, 1);	/* one ASID */
	pasid_refused(68, 0x59);
	pasid_refused(1, 0x51);
	guest_word(leaf + 4 * 64)[0] = 1ull << 31 | 16;	/* AArch32 */
	pasid_refused(68, 0x5b);
	cd_set(leaf + 4 * 64, 10, root);
	*guest_word(guest_slot(&guest_arm, root, 4, ADDRESS, 0)) = target | 0x43;	/* no AF */
	pasid_refused(68, 0x101);
	guest_word(leaf + 4 * 64)[0] |= 1ull << 43;	/* HA, cached without */
	pasid_refused(68, 0x101);
	iommu_pasid_flush(EP, 68);
	assert_int_equal(reach(EP, 68, ADDRESS, true), HPA_OF(target));
	assert_int_equal(*guest_word(guest_slot(&guest_arm, root, 4, ADDRESS, 0)), target | 0x443);
	set.pasid_split = 7;
	assert_int_equal(iommu_nested_set(EP, TLP_NO_PASID, &set), -EINVAL);
}

static void test_amd_gcr3(void **state)
{
	uint64_t table, lower, root, target;
	struct iommu_stats before;
	struct iommu_nested set;

	(void)state;
	guest_up(PT_AMD_V1);
	table = guest_page();
	lower = guest_page();
	root = guest_page();
	target = guest_page();
	guest_map(&guest_x86, root, ADDRESS, target);
	*guest_word(table + 8) = lower | 1;		/* PASIDs 512 to 1023 */
	*guest_word(lower + 3 * 8) = root | 1;
	set = nested_of(IOMMU_TABLES_AMD, table);
	set.pasid_levels = 2;
	set.pasid_bits = 16;
	assert_int_equal(iommu_nested_set(EP, TLP_NO_PASID, &set), 0);
	iommu_caches_enable(false);
	iommu_stats(&before);
	assert_int_equal(reach(EP, 515, ADDRESS, true), HPA_OF(target));
	assert_int_equal(reads_since(&before).pasid_reads, 2 * (4 + 1));
	assert_int_equal(reads_since(&before).context_reads, 1);	/* device table entry */
	assert_int_equal(reads_since(&before).walk_reads, 24);
	pasid_refused(516, 0x59);
	pasid_refused(3, 0x51);
}

/* A host's own context for one PASID, and a nested one for another. */
static void test_one_pasid(void **state)
{
	uint64_t target, root;
	struct iommu_nested set;

	(void)state;
	root = simple(&guest_x86, &target);
	set = nested_of(IOMMU_TABLES_VTD, root);
	assert_int_equal(iommu_context_set(EP, TLP_NO_PASID, IOMMU_SECOND_STAGE, parent,
					   PARENT_DID), 0);
	assert_int_equal(iommu_nested_set(EP, 5, &set), 0);
	assert_int_equal(reach(EP, 5, ADDRESS, true), HPA_OF(target));
	assert_int_equal(reach(EP, TLP_NO_PASID, target, true), HPA_OF(target));
	pasid_refused(6, 0x02);
	assert_int_equal(iommu_context_set(EP, 5, IOMMU_BLOCK, NULL, 0), 0);
	pasid_refused(5, 0x02);
	set.levels = 3;
	assert_int_equal(iommu_nested_set(EP, 5, &set), -EINVAL);
	set = nested_of(IOMMU_TABLES_VTD, root + 8);
	assert_int_equal(iommu_nested_set(EP, 5, &set), -EINVAL);
	set = nested_of(IOMMU_TABLES_VTD, root);
	set.did = PARENT_DID;
	assert_int_equal(iommu_nested_set(EP, 5, &set), -EINVAL);
}

/* -- page requests ---------------------------------------------------------------------------- */

static struct iommu_page_request requested;
static unsigned int requests;

void kernel_page_request(const struct iommu_page_request *request)
{
	requested = *request;
	requests++;
}

static void test_page_requests(void **state)
{
	struct iommu_page_request r = { .rid = EP, .pasid = 5, .address = ADDRESS, .group = 3,
					.prot = PT_R | PT_W, .last = true };

	(void)state;
	requests = 0;
	seen.responses = 0;
	iommu_page_request(&r);				/* nobody takes them */
	assert_int_equal(requests, 0);
	assert_int_equal(seen.responses, 1);
	assert_int_equal(seen.response_code, IOMMU_PAGE_INVALID);
	assert_int_equal(iommu_page_requests_enable(EP, true), 0);
	iommu_page_request(&r);
	assert_int_equal(requests, 1);
	assert_int_equal(requested.group, 3);
	assert_int_equal(seen.responses, 1);
	assert_int_equal(iommu_page_response(EP, 5, 3, IOMMU_PAGE_SUCCESS), 0);
	assert_int_equal(seen.responses, 2);
	assert_int_equal(seen.response_group, 3);
	assert_int_equal(iommu_page_response(0x4200, 5, 3, IOMMU_PAGE_SUCCESS), -ENODEV);
	assert_int_equal(iommu_page_requests_enable(EP, false), 0);
	iommu_page_request(&r);
	assert_int_equal(requests, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_reads, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_structure_caches, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_stale_until_flushed, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_second_stage, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_accessed_dirty, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_second_stage_dirty, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_vtd_pasids, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_smmu_cds, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_amd_gcr3, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_one_pasid, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_page_requests, machine_up, machine_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
