/* SPDX-License-Identifier: BSD-2-Clause */
/* The reverse map table (R3.5): what RMPUPDATE and PVALIDATE refuse, who may do what to a page in each
 * state, and the fences of an ASID. APM volume 2, 15.36. */
#include "sev/rig.h"

#define GPA 0x5000ull

int main(void);

static uint64_t bar(unsigned int page)
{
	return function_find(RIG_VF)->bar[0].hpa + (uint64_t)page * PHYS_PAGE;
}

static struct rmp_entry guest_page(uint64_t gpa)
{
	return (struct rmp_entry){ .assigned = true, .asid = RIG_ASID, .gpa = gpa };
}

static void R3_5_rmpupdate_refuses(void **state)
{
	static const struct {
		uint64_t offset, pages;
		struct rmp_entry entry;
		enum rmp_status status;
	} rows[] = {
		{ 0, 1, { .assigned = true, .asid = 1, .validated = true }, RMP_FAIL_INPUT },
		{ 0, 1, { .assigned = true, .asid = RMP_ASID_MAX + 1 }, RMP_FAIL_INPUT },
		{ 8, 1, { .assigned = true, .asid = 1 }, RMP_FAIL_INPUT },
		{ 0, 1, { .assigned = true, .asid = 1, .gpa = 0x800 }, RMP_FAIL_INPUT },
		{ PHYS_PAGE, 512, { .assigned = true, .asid = 1, .large = true }, RMP_FAIL_INPUT },
		{ 0, 511, { .assigned = true, .asid = 1, .large = true }, RMP_FAIL_INPUT },
		{ 0, 512, { .assigned = true, .asid = 1, .large = true }, RMP_OK },
		{ PHYS_PAGE, 1, { .assigned = true, .asid = 1 }, RMP_FAIL_OVERLAP },
		{ PHYS_PAGE, 1, { 0 }, RMP_FAIL_OVERLAP },
		{ PHYS_PAGE, 512, { 0 }, RMP_FAIL_OVERLAP },		/* not all of it */
		{ 0, 512, { 0 }, RMP_OK },
		{ 0, 1, { .assigned = true, .immutable = true }, RMP_OK },
		{ 0, 1, { 0 }, RMP_FAIL_PERMISSION },		/* the PSP's now */
		{ 0, 1, { .assigned = true, .asid = 1 }, RMP_FAIL_PERMISSION },
		{ 0, 2, { .assigned = true, .asid = 1 }, RMP_FAIL_PERMISSION },
	};
	const uint8_t *big = image_bulk_alloc(2 * PHYS_2M, IMAGE_TYPE_RAM);
	uint64_t hpa = (phys_of(big) + PHYS_2M - 1) & ~(PHYS_2M - 1);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_rmp(rmpupdate(LANE_KVM, hpa + rows[i].offset, rows[i].pages,
				     &rows[i].entry),
			   rows[i].status);
	assert_false(rmp_read(hpa + PHYS_PAGE).assigned);	/* a refusal changes nothing */
	rmp_immutable_clear(hpa);
	assert_rmp(rmpupdate(LANE_KVM, hpa, 1, &(struct rmp_entry){ 0 }), RMP_OK);
}

/* What the host, the firmware and the guest may do with a page, by its state. */
static void R3_5_who_reaches_a_page(void **state)
{
	const struct rmp_entry firmware = { .assigned = true }, shared = { 0 };
	const struct rmp_entry guest = guest_page(GPA);
	uint64_t hpa = rig_page();
	uint8_t data[4];

	(void)state;
	assert_int_equal(cpu_host_write(hpa, "host", 4), 0);
	assert_rmp(rmpupdate(LANE_KVM, hpa, 1, &firmware), RMP_OK);
	assert_int_equal(cpu_host_write(hpa, "evil", 4), -EACCES);
	assert_int_equal(cpu_host_read(hpa, data, 4), 0);	/* SNP protects integrity here */
	assert_memory_equal(data, "host", 4);
	assert_rmp(rmpupdate(LANE_KVM, hpa, 1, &guest), RMP_OK);
	assert_int_equal(rmp_read(hpa).gpa, GPA);
	assert_int_equal(cpu_host_write(hpa, "evil", 4), -EACCES);
	assert_int_equal(phys_read(hpa, data, 4, RMP_OWNER(RIG_ASID)), 0);
	assert_int_equal(phys_read(hpa, data, 4, RMP_OWNER(RIG_ASID + 1)), -EACCES);
	assert_rmp(rmpupdate(LANE_KVM, hpa, 1, &shared), RMP_OK);
	assert_int_equal(cpu_host_read(hpa, data, 4), 0);
	assert_memory_equal(data, "\0\0\0\0", 4);		/* and nothing of the guest's is left */
}

static const struct vcpu_hw *vcpu_of(uint64_t hpa)
{
	struct vcpu_hw *vcpu = image_alloc(sizeof(*vcpu), IMAGE_TYPE_KVM_VCPU);
	struct pt *npt = image_alloc(sizeof(*npt), IMAGE_TYPE_KVM);

	assert_int_equal(pt_init(npt, PT_X86, 4), 0);
	assert_int_equal(pt_map(npt, GPA, hpa, PHYS_PAGE, PT_R | PT_W | PT_X), 0);
	assert_int_equal(pt_map(npt, GPA + PHYS_PAGE, bar(0), PHYS_PAGE, PT_R | PT_W | PT_UC), 0);
	vcpu->tee_owner = RMP_OWNER(RIG_ASID);
	vcpu->tee_root = npt->root;
	vcpu->gpa_bits = 48;
	return vcpu;
}

static void R3_5_pvalidate(void **state)
{
	uint64_t hpa = rig_page();
	const struct vcpu_hw *vcpu = vcpu_of(hpa);
	struct rmp_entry entry = guest_page(GPA);
	uint32_t owner = RMP_OWNER(RIG_ASID);
	struct pt_leaf leaf;

	(void)state;
	assert_int_equal(rmp_pvalidate(vcpu, GPA + 8, 0, true), -EINVAL);
	assert_int_equal(rmp_pvalidate(vcpu, GPA, 2, true), -EINVAL);
	assert_int_equal(rmp_pvalidate(vcpu, GPA, 0, true), -EAGAIN);		/* not assigned */
	assert_int_equal(rmp_pvalidate(vcpu, 0x9000, 0, true), -EAGAIN);	/* not mapped */
	entry.gpa = GPA + PHYS_PAGE;
	assert_rmp(rmpupdate(LANE_KVM, hpa, 1, &entry), RMP_OK);
	assert_int_equal(rmp_pvalidate(vcpu, GPA, 0, true), -EAGAIN);		/* of another GPA */
	entry = (struct rmp_entry){ .assigned = true, .asid = RIG_ASID + 1, .gpa = GPA };
	assert_rmp(rmpupdate(LANE_KVM, hpa, 1, &entry), RMP_OK);
	assert_int_equal(rmp_pvalidate(vcpu, GPA, 0, true), -EAGAIN);		/* another guest's */
	entry.asid = RIG_ASID;
	assert_rmp(rmpupdate(LANE_KVM, hpa, 1, &entry), RMP_OK);
	assert_int_equal(rmp_trusted_walk(vcpu->tee_root, GPA, &leaf, &owner), -ENOENT);
	assert_int_equal(rmp_pvalidate(vcpu, GPA, 0, true), 0);
	assert_int_equal(rmp_pvalidate(vcpu, GPA, 0, true), 1);			/* no change */
	assert_int_equal(rmp_trusted_walk(vcpu->tee_root, GPA, &leaf, &owner), 0);
	assert_int_equal(leaf.hpa, hpa);
	assert_rmp(rmpupdate(LANE_KVM, hpa, 1, &entry), RMP_OK);
	assert_false(rmp_read(hpa).validated);		/* RMPUPDATE takes it back */
	assert_int_equal(rmp_trusted_walk(vcpu->tee_root, GPA, &leaf, &owner), -ENOENT);
	entry.gpa = GPA + PHYS_PAGE;
	assert_rmp(rmpupdate(LANE_KVM, bar(0), 1, &entry), RMP_OK);
	assert_int_equal(rmp_pvalidate(vcpu, GPA + PHYS_PAGE, 0, true), -EAGAIN); /* MMIO: the PSP's */
}

/* A page of MMIO taken from the guest that had it validated fences all MMIO of that guest. */
static void R3_2_mmio_fence(void **state)
{
	const struct vcpu_hw *vcpu = vcpu_of(rig_page());
	struct rmp_entry entry = guest_page(GPA + PHYS_PAGE);
	const struct rmp_entry shared = { 0 };
	uint32_t owner = RMP_OWNER(RIG_ASID);
	struct pt_leaf leaf;

	(void)state;
	assert_rmp(rmpupdate(LANE_KVM, bar(0), 1, &entry), RMP_OK);
	rmp_validated_set(bar(0), true, false);
	assert_int_equal(rmp_trusted_walk(vcpu->tee_root, GPA + PHYS_PAGE, &leaf, &owner), 0);
	assert_rmp(rmpupdate(LANE_KVM, bar(0), 1, &shared), RMP_OK);
	assert_int_equal(rmp_fence(RIG_ASID)->mmio, RMP_MMIO_FREE);	/* nobody has looked yet */
	assert_int_equal(rmp_trusted_walk(vcpu->tee_root, GPA + PHYS_PAGE, &leaf, &owner), -EACCES);
	assert_int_equal(rmp_fence(RIG_ASID)->mmio, RMP_MMIO_FENCED);
	assert_int_equal(rmp_fence(RIG_ASID + 1)->mmio, RMP_MMIO_FREE);
	assert_int_equal(rmp_fence(RIG_ASID)->dma, RMP_DMA_FREE);
	rmp_fence_clear(RIG_ASID);
	assert_int_equal(rmp_fence(RIG_ASID)->mmio, RMP_MMIO_FREE);
	assert_int_equal(rmp_trusted_walk(vcpu->tee_root, GPA + PHYS_PAGE, &leaf, &owner), -ENOENT);
	assert_int_equal(rmp_fence(RIG_ASID)->mmio, RMP_MMIO_FREE);	/* the old violation is over */
}

/* T=1 requests: the sDTE, then the host's table, then the RMP; a refusal fences the guest's DMA. */
static void R3_5_trusted_dma(void **state)
{
	uint64_t hpa = rig_page(), other = rig_page();
	struct pt *pt = image_alloc(sizeof(*pt), IMAGE_TYPE_IOMMU_DOMAIN);
	struct iommu_sdte sdte = { .valid = true, .read = true, .asid = RIG_ASID, .vtom_en = true,
				   .vtom = RMP_VTOM, .stream = RIG_STREAM };
	const struct rmp_entry entry = guest_page(GPA);
	struct tlp tlp = { .type = TLP_MEM_READ, .rid = RIG_VF, .t = true, .pasid = TLP_NO_PASID,
			   .address = GPA, .len = 4 };
	struct pt_leaf leaf;
	uint32_t owner;

	(void)state;
	assert_int_equal(pt_init(pt, PT_AMD_V1, 5), 0);
	assert_int_equal(pt_map(pt, GPA, hpa, PHYS_PAGE, PT_R | PT_W), 0);
	assert_int_equal(pt_map(pt, RMP_VTOM | GPA, other, PHYS_PAGE, PT_R | PT_W), 0);
	assert_int_equal(iommu_context_set(RIG_VF, TLP_NO_PASID, IOMMU_SECOND_STAGE, pt, 1), 0);
	assert_rmp(rmpupdate(LANE_KVM, hpa, 1, &entry), RMP_OK);
	rmp_validated_set(hpa, true, false);
	assert_int_equal(iommu_translate(&tlp, &leaf, &owner), TLP_BLOCKED);	/* no sDTE */
	assert_int_equal(rmp_fence(RIG_ASID)->dma, RMP_DMA_FREE);
	assert_int_equal(iommu_sdte_set(RIG_VF, &sdte), 0);
	assert_int_equal(iommu_translate(&tlp, &leaf, &owner), TLP_SC);
	assert_int_equal(leaf.hpa, hpa);
	assert_int_equal(owner, RMP_OWNER(RIG_ASID));
	tlp.address = RMP_VTOM | GPA;
	assert_int_equal(iommu_translate(&tlp, &leaf, &owner), TLP_SC);	/* shared from vTOM on */
	assert_int_equal(owner, 0);
	tlp.address = GPA;
	tlp.type = TLP_MEM_WRITE;
	assert_int_equal(iommu_translate(&tlp, &leaf, &owner), TLP_BLOCKED);	/* no IW */
	assert_int_equal(rmp_fence(RIG_ASID)->dma, RMP_DMA_ERROR);
	assert_int_equal(rmp_fence(RIG_ASID)->rid, RIG_VF);
	tlp.type = TLP_MEM_READ;
	assert_int_equal(iommu_translate(&tlp, &leaf, &owner), TLP_BLOCKED);	/* all of it */
	rmp_fence_clear(RIG_ASID);
	assert_int_equal(iommu_translate(&tlp, &leaf, &owner), TLP_SC);
	assert_rmp(rmpupdate(LANE_KVM, hpa, 1, &entry), RMP_OK);	/* no longer validated */
	assert_int_equal(iommu_translate(&tlp, &leaf, &owner), TLP_BLOCKED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(R3_5_rmpupdate_refuses), TEST(R3_5_who_reaches_a_page), TEST(R3_5_pvalidate),
		TEST(R3_2_mmio_fence), TEST(R3_5_trusted_dma),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
