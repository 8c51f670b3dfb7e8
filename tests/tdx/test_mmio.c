/* SPDX-License-Identifier: BSD-2-Clause */
/* Private MMIO: who owns a page, each check of MAP and ACCEPT in order, and the leaf's states. */
#include "tdx/rig.h"

#define GPA 0xe0000000ull
#define GPA_2M 0xe0800000ull

int main(void);

static uint64_t map(uint64_t gpa, unsigned int level, uint64_t hpa)
{
	return CALL(TDX_MMIO_MAP, .rcx = tdx_map(gpa, level), .rdx = rig.tdr, .r8 = hpa);
}

static enum sept_state state_at(uint64_t gpa)
{
	unsigned int level;
	uint64_t hpa;

	return tdx_sept_state(rig.tdr, gpa, &hpa, &level);
}

static uint64_t mapped_pages(void)
{
	struct tdx_tdi_view view;

	assert_int_equal(tdx_tdi_view(RIG_VF, &view), 0);
	return view.mmio_pages;
}

static void with_tdi(void)
{
	rig_function_on();
	rig_iommu();
	rig_td();
	rig_stream();
	rig_tdi();
	rig_tables(GPA, 0);
}

static const struct vcpu_hw *bound(void)
{
	with_tdi();
	assert_tdx(rig_own(0, 0, 4 * PHYS_PAGE, RIG_VF), TDX_SUCCESS);
	assert_tdx(rig_bind(), TDX_SUCCESS);
	return rig_vcpu();
}

static void mmiomt_has_one_owner_a_page(void **state)
{
	uint64_t region, page = rig_page(), got;
	struct tdx_args args;

	(void)state;
	with_tdi();
	region = rig_bar(0) & ~(PHYS_2M - 1);
	assert_tdx(CALL(TDX_MMIOMT_SET, .rcx = rig_bar(0), .rdx = RIG_VF), TDX_MMIO_NOT_SET);
	assert_tdx(CALL(TDX_MMIOMT_ADD, .rcx = region + PHYS_PAGE, .rdx = page),
		   TDX_OPERAND_INVALID);
	assert_tdx(CALL(TDX_MMIOMT_ADD, .rcx = rig.big, .rdx = page), TDX_OPERAND_INVALID);
	assert_tdx(CALL(TDX_MMIOMT_ADD, .rcx = region, .rdx = page), TDX_SUCCESS);
	assert_tdx(CALL(TDX_MMIOMT_ADD, .rcx = region, .rdx = rig_page()),
		   TDX_PAGE_METADATA_INCORRECT);
	assert_tdx(CALL(TDX_MMIOMT_SET, .rcx = rig_bar(0), .rdx = RIG_PF), TDX_TDI_NOT_PRESENT);
	assert_tdx(CALL(TDX_MMIOMT_SET, .rcx = rig_bar(0), .rdx = RIG_VF), TDX_SUCCESS);
	assert_tdx(CALL(TDX_MMIOMT_SET, .rcx = rig_bar(0), .rdx = RIG_VF), TDX_MMIO_ALREADY_OWNED);
	assert_int_equal(tdx_mmio_owner(rig_bar(0)), RIG_VF);
	assert_int_equal(tdx_mmio_owner(rig_bar(0) + PHYS_PAGE), 0);
	assert_tdx(CALL(TDX_MMIOMT_REMOVE, .rcx = region), TDX_TDI_HAS_OWNED_MMIO);
	assert_tdx(map(GPA, 0, rig_bar(0)), TDX_SUCCESS);
	args = (struct tdx_args){ .rcx = rig_bar(0) };
	assert_tdx(tdx_seamcall(LANE_TSM, TDX_MMIOMT_RD, &args), TDX_SUCCESS);
	assert_int_equal(args.rcx, RIG_VF);
	assert_int_equal(args.rdx, 1);
	assert_tdx(CALL(TDX_MMIOMT_SET, .rcx = rig_bar(0), .rdx = 0), TDX_MMIO_STILL_MAPPED);
	assert_tdx(CALL(TDX_MMIO_BLOCK, .rcx = tdx_map(GPA, 0), .rdx = rig.tdr), TDX_SUCCESS);
	assert_tdx(CALL(TDX_MEM_TRACK, .rcx = rig.tdr), TDX_SUCCESS);
	rig_invalidate(TDX_INV_IOTLB, rig.tdr);
	assert_tdx(CALL(TDX_MMIO_UNMAP, .rcx = tdx_map(GPA, 0), .rdx = rig.tdr), TDX_SUCCESS);
	assert_tdx(CALL(TDX_MMIOMT_SET, .rcx = rig_bar(0), .rdx = 0), TDX_SUCCESS);
	assert_tdx(rig_call_out(TDX_MMIOMT_REMOVE, (struct tdx_args){ .rcx = region }, &got),
		   TDX_SUCCESS);
	assert_int_equal(got, page);
	assert_int_equal(phys_owner(page), 0);
}

/* Every refusal of MAP, each with all earlier checks satisfied. */
static void R4_6_map_checks_in_order(void **state)
{
	uint64_t params = rig_page(), tdr = rig_page();
	const struct { uint64_t gpa; unsigned int level; uint64_t offset, status; } rows[] = {
		{ GPA | TDX_SHARED_BIT, 0, 0, TDX_OPERAND_INVALID },
		{ GPA + 8, 0, 0, TDX_OPERAND_INVALID },
		{ GPA, 2, 0, TDX_OPERAND_INVALID },
		{ GPA + PHYS_PAGE, 1, 0, TDX_OPERAND_INVALID },
		{ GPA + PHYS_1G, 0, 0, TDX_EPT_WALK_FAILED },
		{ GPA, 1, 0, TDX_EPT_ENTRY_STATE_INCORRECT },	/* a table is there */
		{ GPA, 0, 8, TDX_OPERAND_INVALID },
		{ GPA, 0, 5 * PHYS_PAGE, TDX_MMIO_NOT_SET },
		{ GPA, 0, 0, TDX_SUCCESS },
		{ GPA, 0, PHYS_PAGE, TDX_EPT_ENTRY_STATE_INCORRECT },
		{ GPA + PHYS_PAGE, 0, 0, TDX_MMIO_ALREADY_MAPPED },
	};

	(void)state;
	with_tdi();
	assert_tdx(rig_own(0, 0, 2 * PHYS_PAGE, RIG_VF), TDX_SUCCESS);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_tdx(map(rows[i].gpa, rows[i].level, rig_bar(0) + rows[i].offset),
			   rows[i].status);
	assert_tdx(map(GPA + PHYS_PAGE, 0, rig.big), TDX_OPERAND_INVALID);	/* RAM */
	/* Another TD, with a table of its own, must not get it. */
	rig.tdr = tdr;
	assert_tdx(CALL(TDX_MNG_CREATE, .rcx = tdr, .rdx = 9), TDX_SUCCESS);
	assert_tdx(CALL(TDX_MNG_KEY_CONFIG, .rcx = tdr), TDX_SUCCESS);
	for (unsigned int i = 0; i < TDX_TDCS_PAGES; i++)
		assert_tdx(CALL(TDX_MNG_ADDCX, .rcx = rig_page(), .rdx = tdr), TDX_SUCCESS);
	assert_tdx(map(GPA, 0, rig_bar(0) + PHYS_PAGE), TDX_TD_NOT_INITIALIZED);
	assert_tdx(CALL(TDX_MNG_INIT, .rcx = tdr, .rdx = params), TDX_SUCCESS);
	rig_tables(GPA, 0);
	assert_tdx(map(GPA, 0, rig_bar(0) + PHYS_PAGE), TDX_MMIO_TDI_OWNER_MISMATCH);
	/* A TD that was not made for it has no TDI at all. */
	assert_tdx(CALL(TDX_DEVIFMT_ADD, .rcx = RIG_PF, .rdx = rig_page()), TDX_SUCCESS);
	assert_tdx(CALL(TDX_TDI_CREATE, .rcx = RIG_PF, .rdx = tdr, .r8 = rig.stream,
			.r9 = rig_list(2)),
		   TDX_OPERAND_INVALID);
}

static void R4_6_map_refuses_a_blocked_stream(void **state)
{
	(void)state;
	with_tdi();
	assert_tdx(rig_own(0, 0, PHYS_PAGE, RIG_VF), TDX_SUCCESS);
	assert_tdx(CALL(TDX_IDE_STREAM_BLOCK, .rcx = rig.stream), TDX_SUCCESS);
	assert_tdx(map(GPA, 0, rig_bar(0)), TDX_IDE_STREAM_BLOCKED);
	assert_int_equal(mapped_pages(), 0);
	assert_tdx(rig_bind(), TDX_IDE_STREAM_BLOCKED);
}

static void R4_6_accept_checks_in_order(void **state)
{
	const struct vcpu_hw *vcpu = bound();
	const struct { uint64_t gpa, index, func, range, status; unsigned int level; } rows[] = {
		{ GPA | TDX_SHARED_BIT, 0, RIG_VF, 1, TDX_OPERAND_INVALID, 0 },
		{ GPA, 0, RIG_PF, 1, TDX_TDI_NOT_PRESENT, 0 },
		{ GPA, 99, RIG_VF, 1, TDX_MMIO_PAGE_NOT_IN_ASSOC_RANGE, 0 },
		{ GPA, 0, RIG_VF, 0, TDX_MMIO_PAGE_NOT_IN_ASSOC_RANGE, 0 },
		{ GPA, 0, RIG_VF, 5, TDX_MMIO_PAGE_NOT_IN_ASSOC_RANGE, 0 },
		{ GPA, 0, RIG_VF, 4ull << 32 | 1, TDX_MMIO_PAGE_NOT_IN_ASSOC_RANGE, 0 },
		{ GPA, 0, RIG_VF, 0xffffffffull << 32 | 1, TDX_MMIO_PAGE_NOT_IN_ASSOC_RANGE, 0 },
		{ GPA, 0, RIG_VF, 1, TDX_OPERAND_INVALID, 1 },		/* one page is not 2 MiB */
		{ GPA, 0, RIG_VF, 1ull << 32 | 1, TDX_MMIO_INVALID_HPA_OFFSET, 0 },
		{ GPA, 1, RIG_VF, 1, TDX_MMIO_INVALID_HPA_OFFSET, 0 },
		{ GPA, 0, RIG_VF, 1, TDX_SUCCESS, 0 },
		{ GPA, 0, RIG_VF, 1, TDX_PAGE_ALREADY_ACCEPTED, 0 },
	};

	(void)state;
	assert_tdx(map(GPA, 0, rig_bar(0)), TDX_SUCCESS);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_tdx(TDCALL(vcpu, TDG_MMIO_ACCEPT, .rcx = tdx_map(rows[i].gpa, rows[i].level),
				  .rdx = rows[i].index, .r8 = rows[i].func, .r9 = rows[i].range),
			   rows[i].status);
	assert_int_equal(state_at(GPA), SEPT_MMIO_MAPPED);
}

/* A guest that is told of RAM where its BAR should be does not take it for MMIO, nor back. */
static void R4_6_accept_keeps_ram_and_mmio_apart(void **state)
{
	const struct vcpu_hw *vcpu = bound();

	(void)state;
	assert_tdx(CALL(TDX_MEM_PAGE_AUG, .rcx = tdx_map(GPA, 0), .rdx = rig.tdr, .r8 = rig_page()),
		   TDX_SUCCESS);
	assert_tdx(TDCALL(vcpu, TDG_MMIO_ACCEPT, .rcx = tdx_map(GPA, 0), .r8 = RIG_VF, .r9 = 1),
		   TDX_EPT_ENTRY_STATE_INCORRECT);
	assert_tdx(map(GPA + PHYS_PAGE, 0, rig_bar(0) + PHYS_PAGE), TDX_SUCCESS);
	assert_tdx(TDCALL(vcpu, TDG_MEM_PAGE_ACCEPT, .rcx = tdx_map(GPA + PHYS_PAGE, 0)),
		   TDX_INTERRUPTED_RESUMABLE);
	assert_int_equal(state_at(GPA + PHYS_PAGE), SEPT_MMIO_PENDING);
}

/* Accepting goes as far as the host has mapped, and on from there. */
static void R4_6_accept_resumes_after_an_exit(void **state)
{
	const struct vcpu_hw *vcpu = bound();
	struct tdx_args args = { .rcx = tdx_map(GPA, 0), .r8 = RIG_VF, .r9 = 3 };
	bool exits;

	(void)state;
	assert_tdx(map(GPA, 0, rig_bar(0)), TDX_SUCCESS);
	assert_tdx(tdx_tdcall(vcpu, TDG_MMIO_ACCEPT, &args, &exits), TDX_INTERRUPTED_RESUMABLE);
	assert_true(exits);
	assert_int_equal(vcpu->exit.gpa, GPA + PHYS_PAGE);
	assert_int_equal(args.r9, 1ull << 32 | 2);
	for (unsigned int i = 1; i < 3; i++)
		assert_tdx(map(GPA + i * PHYS_PAGE, 0, rig_bar(0) + i * PHYS_PAGE), TDX_SUCCESS);
	assert_tdx(tdx_tdcall(vcpu, TDG_MMIO_ACCEPT, &args, &exits), TDX_SUCCESS);
	assert_false(exits);
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(state_at(GPA + i * PHYS_PAGE), SEPT_MMIO_MAPPED);
}

/* FREE -MAP-> PENDING -ACCEPT-> MAPPED -BLOCK-> BLOCKED -> FREE; PENDING may be blocked, too. */
static void R4_6_mmio_leaf_states(void **state)
{
	const struct vcpu_hw *vcpu = bound();
	struct pt_leaf leaf;
	uint32_t owner;

	(void)state;
	assert_tdx(CALL(TDX_MMIO_BLOCK, .rcx = tdx_map(GPA, 0), .rdx = rig.tdr),
		   TDX_EPT_ENTRY_STATE_INCORRECT);
	assert_tdx(map(GPA, 0, rig_bar(0)), TDX_SUCCESS);
	assert_int_equal(state_at(GPA), SEPT_MMIO_PENDING);
	assert_int_equal(trusted_walk(rig.sept, GPA, &leaf, &owner), -ENOENT);
	assert_tdx(CALL(TDX_MEM_RANGE_BLOCK, .rcx = tdx_map(GPA, 0), .rdx = rig.tdr),
		   TDX_EPT_ENTRY_STATE_INCORRECT);
	assert_tdx(TDCALL(vcpu, TDG_MMIO_ACCEPT, .rcx = tdx_map(GPA, 0), .r8 = RIG_VF, .r9 = 1),
		   TDX_SUCCESS);
	assert_int_equal(trusted_walk(rig.sept, GPA, &leaf, &owner), 0);
	assert_int_equal(leaf.hpa, rig_bar(0));
	assert_int_equal(leaf.prot, PT_R | PT_W | PT_UC);
	assert_tdx(CALL(TDX_MMIO_BLOCK, .rcx = tdx_map(GPA, 0), .rdx = rig.tdr), TDX_SUCCESS);
	assert_int_equal(state_at(GPA), SEPT_MMIO_BLOCKED);
	assert_int_equal(trusted_walk(rig.sept, GPA, &leaf, &owner), -ENOENT);
	assert_tdx(CALL(TDX_MMIO_BLOCK, .rcx = tdx_map(GPA, 0), .rdx = rig.tdr),
		   TDX_EPT_ENTRY_STATE_INCORRECT);
	assert_tdx(TDCALL(vcpu, TDG_MMIO_ACCEPT, .rcx = tdx_map(GPA, 0), .r8 = RIG_VF, .r9 = 1),
		   TDX_INTERRUPTED_RESUMABLE);
	assert_tdx(CALL(TDX_MEM_PAGE_REMOVE, .rcx = tdx_map(GPA, 0), .rdx = rig.tdr),
		   TDX_GPA_RANGE_NOT_BLOCKED);
	assert_tdx(map(GPA + PHYS_PAGE, 0, rig_bar(0) + PHYS_PAGE), TDX_SUCCESS);
	assert_tdx(CALL(TDX_MMIO_BLOCK, .rcx = tdx_map(GPA + PHYS_PAGE, 0), .rdx = rig.tdr),
		   TDX_SUCCESS);
	assert_int_equal(mapped_pages(), 2);
}

/* BAR2 is 2 MiB: one leaf, which the guest must accept as such. */
static void R4_6_two_mib_mmio(void **state)
{
	const struct vcpu_hw *vcpu;

	(void)state;
	with_tdi();
	vcpu = rig_vcpu();
	rig_tables(GPA_2M, 1);
	assert_int_equal(rig_bar(2) % PHYS_2M, 0);
	assert_tdx(CALL(TDX_MMIOMT_ADD, .rcx = rig_bar(2), .rdx = rig_page()), TDX_SUCCESS);
	assert_tdx(CALL(TDX_MMIOMT_SET, .rcx = tdx_map(rig_bar(2), 1), .rdx = RIG_VF), TDX_SUCCESS);
	assert_tdx(map(GPA_2M, 1, rig_bar(2)), TDX_SUCCESS);
	assert_int_equal(mapped_pages(), 512);
	assert_tdx(rig_bind(), TDX_SUCCESS);
	/* Ranges 0 and 1 are BAR0 around the MSI-X pages; BAR2 is range 2. */
	assert_tdx(TDCALL(vcpu, TDG_MMIO_ACCEPT, .rcx = tdx_map(GPA_2M, 0), .rdx = 2, .r8 = RIG_VF,
			  .r9 = 1),
		   TDX_PAGE_SIZE_MISMATCH);
	assert_tdx(TDCALL(vcpu, TDG_MMIO_ACCEPT, .rcx = tdx_map(GPA_2M, 1), .rdx = 2, .r8 = RIG_VF,
			  .r9 = 512),
		   TDX_SUCCESS);
	assert_int_equal(state_at(GPA_2M), SEPT_MMIO_MAPPED);
}

/* With a reporting offset the report lies by that much; what can be accepted stays the same. */
static void R4_6_reporting_offset_does_not_move_pages(void **state)
{
	const struct vcpu_hw *vcpu;

	(void)state;
	with_tdi();
	vcpu = rig_vcpu();
	assert_tdx(rig_own(0, 0, PHYS_PAGE, RIG_VF), TDX_SUCCESS);
	assert_tdx(map(GPA, 0, rig_bar(0)), TDX_SUCCESS);
	assert_tdx(TALK(TDX_TDI_BIND, .rcx = RIG_VF, .r12 = 8), TDX_OPERAND_INVALID);
	rig.reporting_offset = 0ull - (17ull << 30);
	assert_tdx(rig_bind(), TDX_SUCCESS);
	assert_tdx(TDCALL(vcpu, TDG_MMIO_ACCEPT, .rcx = tdx_map(GPA, 0), .r8 = RIG_VF, .r9 = 1),
		   TDX_SUCCESS);
}

#define LIFE(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIFE(mmiomt_has_one_owner_a_page),
		LIFE(R4_6_map_checks_in_order),
		LIFE(R4_6_map_refuses_a_blocked_stream),
		LIFE(R4_6_accept_checks_in_order),
		LIFE(R4_6_accept_keeps_ram_and_mmio_apart),
		LIFE(R4_6_accept_resumes_after_an_exit),
		LIFE(R4_6_mmio_leaf_states),
		LIFE(R4_6_two_mib_mmio),
		LIFE(R4_6_reporting_offset_does_not_move_pages),
	};

	return cmocka_run_group_tests_name("tdx mmio", tests, NULL, NULL);
}
