/* SPDX-License-Identifier: BSD-2-Clause */
#include "machine.h"

#include <stdlib.h>

static const struct pt *domain(void)
{
	struct pt *pt = image_alloc(sizeof(*pt), IMAGE_TYPE_IOMMU_DOMAIN);

	assert_int_equal(pt_init(pt, PT_VTD_SS, 4), 0);
	return pt;
}

static enum tlp_status go(uint64_t address, bool write, struct pt_leaf *leaf)
{
	struct tlp tlp = { .type = write ? TLP_MEM_WRITE : TLP_MEM_READ,
			   .rid = EP,
			   .pasid = TLP_NO_PASID,
			   .address = address,
			   .len = 4 };
	uint32_t owner = 99;
	enum tlp_status status = iommu_translate(&tlp, leaf, &owner);

	if (status == TLP_SC)
		assert_int_equal(owner, 0);
	return status;
}

static void test_capabilities(void **state)
{
	uint64_t cap = iommu_cap(), ecap = iommu_ecap();

	(void)state;
	assert_int_equal(cap & 7, 4);				/* ND: 12 bits of domain id */
	assert_int_equal(cap >> 8 & 0x1f, 0x0c);		/* SAGAW: 48 and 57 bits */
	assert_int_equal(cap >> 16 & 0x3f, 56);			/* MGAW: 57 bits, minus 1 */
	assert_int_equal(cap >> 34 & 0xf, 3);			/* 2 MiB and 1 GiB */
	assert_int_equal(ecap >> 46 & 1, 1);			/* second stage */
	assert_int_equal(ecap >> 47 & 1, 0);			/* no first stage */
	assert_int_equal(ecap >> 43 & 1, 1);			/* scalable mode */
}

static void test_R3_5_no_context_no_dma(void **state)
{
	struct pt_leaf leaf;

	(void)state;
	assert_int_equal(go(0x1000, false, &leaf), TLP_BLOCKED);
	assert_int_equal(seen.faults, 1);
	assert_int_equal(seen.reason, 2);
	assert_int_equal(seen.fault_address, 0x1000);
	assert_false(seen.fault_write);
	assert_int_equal(iommu_context_set(EP, TLP_NO_PASID, IOMMU_IDENTITY, NULL, 0), 0);
	assert_int_equal(go(0x010012345678ull, true, &leaf), TLP_SC);
	assert_int_equal(leaf.hpa + (0x010012345678ull - leaf.address), 0x010012345678ull);
	assert_int_equal(go(PHYS_END, true, &leaf), TLP_BLOCKED);
	assert_int_equal(seen.reason, 4);
	assert_int_equal(iommu_context_set(EP, TLP_NO_PASID, IOMMU_BLOCK, NULL, 0), 0);
	assert_int_equal(go(0x1000, true, &leaf), TLP_BLOCKED);
	assert_true(seen.fault_write);
	assert_int_equal(iommu_context_set(EP, TLP_NO_PASID, IOMMU_SECOND_STAGE, NULL, 1), -EINVAL);
}

static void test_second_stage(void **state)
{
	const struct pt *pt = domain();
	struct pt_leaf leaf;

	(void)state;
	assert_int_equal(pt_map(pt, 0x5000, PHYS_ARENA + 0x7000, 4096, PT_R), 0);
	assert_int_equal(pt_map(pt, 0x6000, PHYS_ARENA + 0x9000, 4096, PT_R | PT_W), 0);
	assert_int_equal(iommu_context_set(EP, TLP_NO_PASID, IOMMU_SECOND_STAGE, pt, 1), 0);
	for (unsigned int twice = 0; twice < 2; twice++) { /* from memory, then from the IOTLB */
		assert_int_equal(go(0x5123, false, &leaf), TLP_SC);
		assert_int_equal(leaf.address, 0x5000);
		assert_int_equal(leaf.hpa, PHYS_ARENA + 0x7000);
		assert_int_equal(leaf.size, 4096);
		assert_int_equal(go(0x5123, true, &leaf), TLP_BLOCKED);
		assert_int_equal(seen.reason, 5);
		assert_int_equal(go(0x6123, true, &leaf), TLP_SC);
	}
	assert_int_equal(go(0x7000, false, &leaf), TLP_BLOCKED);
	assert_int_equal(seen.reason, 6);
	assert_int_equal(go(1ull << 48, false, &leaf), TLP_BLOCKED);
	assert_int_equal(seen.reason, 4);
}

static void test_stale_until_flushed(void **state)
{
	const struct pt *pt = domain(), *other = domain();
	struct pt_leaf leaf;
	struct iommu_stats before, after;

	(void)state;
	assert_int_equal(pt_map(pt, 0x5000, PHYS_ARENA + 0x7000, 4096, PT_R), 0);
	assert_int_equal(pt_map(other, 0x5000, PHYS_ARENA + 0x8000, 4096, PT_R), 0);
	assert_int_equal(iommu_context_set(EP, TLP_NO_PASID, IOMMU_SECOND_STAGE, pt, 1), 0);
	assert_int_equal(go(0x5000, false, &leaf), TLP_SC);
	assert_int_equal(pt_unmap(pt, 0x5000, 4096), 4096);
	iommu_stats(&before);
	assert_int_equal(go(0x5000, false, &leaf), TLP_SC);	/* nobody invalidated */
	assert_int_equal(leaf.hpa, PHYS_ARENA + 0x7000);
	iommu_stats(&after);
	assert_int_equal(after.hits, before.hits + 1);
	assert_int_equal(after.walk_reads, before.walk_reads);
	iommu_iotlb_flush(2, 0, UINT64_MAX);			/* another domain's */
	assert_int_equal(go(0x5000, false, &leaf), TLP_SC);
	iommu_iotlb_flush(1, 0x5000, 0x5fff);
	assert_int_equal(go(0x5000, false, &leaf), TLP_BLOCKED);
	/* one requester, another domain: entries are the domain's */
	assert_int_equal(iommu_context_set(EP, TLP_NO_PASID, IOMMU_SECOND_STAGE, other, 2), 0);
	assert_int_equal(go(0x5000, false, &leaf), TLP_SC);
	assert_int_equal(leaf.hpa, PHYS_ARENA + 0x8000);
	assert_int_equal(pt_unmap(other, 0x5000, 4096), 4096);
	iommu_iotlb_flush_all();
	assert_int_equal(go(0x5000, false, &leaf), TLP_BLOCKED);
}

static void test_stale_is_state(void **state)
{
	const struct pt *pt = domain();
	struct pt_leaf leaf;
	image_mark mark;

	(void)state;
	assert_int_equal(pt_map(pt, 0x5000, PHYS_ARENA + 0x7000, 4096, PT_R), 0);
	assert_int_equal(iommu_context_set(EP, TLP_NO_PASID, IOMMU_SECOND_STAGE, pt, 1), 0);
	assert_int_equal(go(0x5000, false, &leaf), TLP_SC);
	image_commit();
	mark = image_snapshot();
	assert_int_not_equal(mark, 0);
	pt_unmap(pt, 0x5000, 4096);
	iommu_iotlb_flush(1, 0, UINT64_MAX);
	assert_int_equal(go(0x5000, false, &leaf), TLP_BLOCKED);
	image_commit();
	assert_int_equal(image_restore(mark), 0);
	assert_int_equal(go(0x5000, false, &leaf), TLP_SC);
	assert_int_equal(pt->pages, 4);
	pt_unmap(pt, 0x5000, 4096);
	assert_int_equal(go(0x5000, false, &leaf), TLP_SC); /* stale again, as it would have been */
	image_commit();
	image_release(mark);
}

static void test_large_leaf_in_iotlb(void **state)
{
	const struct pt *pt = domain();
	struct pt_leaf leaf;

	(void)state;
	assert_int_equal(pt_map(pt, PHYS_1G, PHYS_ARENA + PHYS_1G, PHYS_1G, PT_R), 0);
	assert_int_equal(iommu_context_set(EP, TLP_NO_PASID, IOMMU_SECOND_STAGE, pt, 1), 0);
	for (unsigned int twice = 0; twice < 2; twice++) {
		assert_int_equal(go(PHYS_1G + 0x12345678, false, &leaf), TLP_SC);
		assert_int_equal(leaf.address, PHYS_1G);
		assert_int_equal(leaf.hpa, PHYS_ARENA + PHYS_1G);
		assert_int_equal(leaf.size, PHYS_1G);
	}
}

static void test_pasids(void **state)
{
	const struct pt *pt = domain();
	struct tlp tlp = {
		.type = TLP_MEM_READ, .rid = EP, .pasid = 7, .address = 0x5000, .len = 4
	};
	struct pt_leaf leaf;
	uint32_t owner;

	(void)state;
	assert_int_equal(pt_map(pt, 0x5000, PHYS_ARENA + 0x7000, 4096, PT_R), 0);
	assert_int_equal(iommu_context_set(EP, 7, IOMMU_SECOND_STAGE, pt, 1), 0);
	assert_int_equal(iommu_translate(&tlp, &leaf, &owner), TLP_SC);
	assert_int_equal(go(0x5000, false, &leaf), TLP_BLOCKED);	/* without PASID */
	tlp.pasid = 8;
	assert_int_equal(iommu_translate(&tlp, &leaf, &owner), TLP_BLOCKED);
	tlp.pasid = 7;
	assert_int_equal(iommu_context_set(EP, 7, IOMMU_BLOCK, NULL, 0), 0);
	assert_int_equal(iommu_translate(&tlp, &leaf, &owner), TLP_BLOCKED);
}

static void test_R3_5_trusted(void **state)
{
	struct tlp tlp = { .type = TLP_MEM_READ, .rid = EP, .t = true, .pasid = TLP_NO_PASID,
			   .address = 0x5040, .len = 4 };
	struct pt_leaf leaf;
	uint32_t owner;
	uint64_t epoch = iommu_trusted_epoch();

	(void)state;
	/* the host's context does not serve T=1 */
	assert_int_equal(iommu_context_set(EP, TLP_NO_PASID, IOMMU_IDENTITY, NULL, 0), 0);
	assert_int_equal(iommu_translate(&tlp, &leaf, &owner), TLP_BLOCKED);
	assert_true(seen.fault_t);
	trusted_root = 0x010000100000ull, trusted_gpa = 0x5000, trusted_hpa = 0x010000200000ull,
	trusted_owner = 11;
	assert_int_equal(iommu_trusted_set(EP, trusted_root, 11, false), 0);
	assert_int_equal(iommu_translate(&tlp, &leaf, &owner), TLP_BLOCKED);
	assert_int_equal(iommu_trusted_set(EP, trusted_root, 11, true), 0);
	assert_int_equal(iommu_translate(&tlp, &leaf, &owner), TLP_SC);
	assert_int_equal(owner, 11);
	assert_int_equal(leaf.hpa, 0x010000200000ull);
	assert_int_equal(trusted_walks, 1);
	trusted_gpa = 0x9000;					/* unmapped, not invalidated */
	assert_int_equal(iommu_translate(&tlp, &leaf, &owner), TLP_SC);
	assert_int_equal(owner, 11);
	assert_int_equal(trusted_walks, 1);
	iommu_iotlb_flush(0, 0, UINT64_MAX); /* the host's flush is none of T=1's */
	assert_int_equal(iommu_translate(&tlp, &leaf, &owner), TLP_SC);
	iommu_trusted_flush(EP);
	assert_int_equal(iommu_trusted_epoch(), epoch + 1);
	assert_int_equal(iommu_translate(&tlp, &leaf, &owner), TLP_BLOCKED);
	assert_int_equal(iommu_trusted_set(EP, 0, 11, true), 0);	/* no root: off */
	trusted_root = 0;
	tlp.address = 0x9000;
	assert_int_equal(iommu_translate(&tlp, &leaf, &owner), TLP_BLOCKED);
	assert_int_equal(seen.reason, 2);
}

static void test_domain_ids(void **state)
{
	int first = iommu_did_alloc();

	(void)state;
	assert_true(first > 0);
	for (int i = 1; i < 4095; i++)
		assert_true(iommu_did_alloc() > 0);
	assert_int_equal(iommu_did_alloc(), -ENOSPC);
	iommu_did_free(77);
	assert_int_equal(iommu_did_alloc(), 77);
}

/* Two requesters, random maps, unmaps and flushes: a flushed IOTLB never disagrees with the tables.
 */
static void test_random(void **state)
{
	const struct pt *pt[2] = { domain(), domain() };
	uint64_t flat[2][512] = { 0 };
	unsigned int seed = 3;

	(void)state;
	assert_int_equal(iommu_context_set(EP, TLP_NO_PASID, IOMMU_SECOND_STAGE, pt[0], 1), 0);
	assert_int_equal(iommu_context_set(VF1, TLP_NO_PASID, IOMMU_SECOND_STAGE, pt[1], 2), 0);
	for (unsigned int round = 0; round < 20000; round++) {
		unsigned int d = (unsigned int)rand_r(&seed) % 2,
			     page = (unsigned int)rand_r(&seed) % 512;
		struct tlp tlp = { .type = TLP_MEM_READ, .rid = d ? VF1 : EP, .pasid = TLP_NO_PASID,
				   .address = page * 4096ull, .len = 4 };
		uint64_t hpa = PHYS_ARENA + ((uint64_t)rand_r(&seed) << 12);
		struct pt_leaf leaf;
		uint32_t owner;

		if (rand_r(&seed) % 3 == 0 && flat[d][page]) {
			assert_int_equal(pt_unmap(pt[d], page * 4096ull, 4096), 4096);
			iommu_iotlb_flush((uint16_t)(d + 1), page * 4096ull, page * 4096ull + 4095);
			flat[d][page] = 0;
		} else if (!flat[d][page]) {
			assert_int_equal(pt_map(pt[d], page * 4096ull, hpa, 4096, PT_R), 0);
			flat[d][page] = hpa;
		}
		page = (unsigned int)rand_r(&seed) % 512;
		tlp.address = page * 4096ull;
		assert_int_equal(iommu_translate(&tlp, &leaf, &owner),
				 flat[d][page] ? TLP_SC : TLP_BLOCKED);
		if (flat[d][page])
			assert_int_equal(leaf.hpa, flat[d][page]);
		image_commit();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_capabilities, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_R3_5_no_context_no_dma, machine_up,
						machine_down),
		cmocka_unit_test_setup_teardown(test_second_stage, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_stale_until_flushed, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_stale_is_state, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_large_leaf_in_iotlb, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_pasids, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_R3_5_trusted, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_domain_ids, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_random, machine_up, machine_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
