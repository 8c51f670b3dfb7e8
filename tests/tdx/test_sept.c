/* SPDX-License-Identifier: BSD-2-Clause */
/* The secure EPT: tables, RAM leaves of both sizes, acceptance, and the walk. */
#include "tdx/rig.h"

#define GPA 0x10000ull
#define GPA_2M 0x40000000ull

int main(void);

static uint64_t aug(uint64_t gpa, unsigned int level, uint64_t hpa)
{
	return CALL(TDX_MEM_PAGE_AUG, .rcx = tdx_map(gpa, level), .rdx = rig.tdr, .r8 = hpa);
}

static enum sept_state state_at(uint64_t gpa, unsigned int *level)
{
	uint64_t hpa;

	return tdx_sept_state(rig.tdr, gpa, &hpa, level);
}

static void sept_add_wants_parents_first(void **state)
{
	struct tdx_args args = { .rcx = tdx_map(0, 1), .rdx = 0, .r8 = rig_page() };

	(void)state;
	rig_td();
	args.rdx = rig.tdr;
	assert_tdx(tdx_seamcall(LANE_KVM, TDX_MEM_SEPT_ADD, &args), TDX_EPT_WALK_FAILED);
	assert_int_equal(args.rcx, 0);			/* a free entry */
	assert_int_equal(args.rdx, 3);			/* of the top table */
	assert_tdx(CALL(TDX_MEM_SEPT_ADD, .rcx = tdx_map(0, 3), .rdx = rig.tdr, .r8 = rig.tdr),
		   TDX_PAGE_METADATA_INCORRECT);
	assert_tdx(CALL(TDX_MEM_SEPT_ADD, .rcx = tdx_map(0, 4), .rdx = rig.tdr, .r8 = rig_page()),
		   TDX_OPERAND_INVALID);
	assert_tdx(CALL(TDX_MEM_SEPT_ADD, .rcx = tdx_map(0, 0), .rdx = rig.tdr, .r8 = rig_page()),
		   TDX_OPERAND_INVALID);
	assert_tdx(
		CALL(TDX_MEM_SEPT_ADD, .rcx = tdx_map(0x1000, 3), .rdx = rig.tdr, .r8 = rig_page()),
		TDX_OPERAND_INVALID);
	assert_tdx(CALL(TDX_MEM_SEPT_ADD, .rcx = tdx_map(TDX_SHARED_BIT, 3), .rdx = rig.tdr,
			.r8 = rig_page()),
		   TDX_OPERAND_INVALID);
	rig_tables(GPA, 0);
	assert_tdx(CALL(TDX_MEM_SEPT_ADD, .rcx = tdx_map(0, 2), .rdx = rig.tdr, .r8 = rig_page()),
		   TDX_EPT_ENTRY_STATE_INCORRECT);
}

static void sept_remove_wants_an_empty_table(void **state)
{
	uint64_t page = rig_page(), got;
	struct tdx_args args;

	(void)state;
	rig_td();
	rig_tables(GPA, 1);
	assert_tdx(CALL(TDX_MEM_SEPT_ADD, .rcx = tdx_map(0, 1), .rdx = rig.tdr, .r8 = page),
		   TDX_SUCCESS);
	assert_tdx(aug(GPA, 0, rig_page()), TDX_SUCCESS);
	assert_tdx(CALL(TDX_MEM_SEPT_REMOVE, .rcx = tdx_map(0, 1), .rdx = rig.tdr),
		   TDX_EPT_ENTRY_STATE_INCORRECT);
	assert_tdx(CALL(TDX_MEM_RANGE_BLOCK, .rcx = tdx_map(GPA, 0), .rdx = rig.tdr), TDX_SUCCESS);
	assert_tdx(CALL(TDX_MEM_TRACK, .rcx = rig.tdr), TDX_SUCCESS);
	assert_tdx(CALL(TDX_MEM_PAGE_REMOVE, .rcx = tdx_map(GPA, 0), .rdx = rig.tdr), TDX_SUCCESS);
	args = (struct tdx_args){ .rcx = tdx_map(0, 1), .rdx = rig.tdr };
	assert_tdx(rig_call_out(TDX_MEM_SEPT_REMOVE, args, &got), TDX_SUCCESS);
	assert_int_equal(got, page);
	assert_int_equal(phys_owner(page), 0);
	assert_tdx(CALL(TDX_MEM_SEPT_REMOVE, .rcx = tdx_map(0, 1), .rdx = rig.tdr),
		   TDX_EPT_WALK_FAILED);
}

/* FREE -AUG-> PENDING -ACCEPT-> MAPPED -BLOCK-> BLOCKED -TRACK, REMOVE-> FREE; all else refused. */
static void R4_6_ram_leaf_states(void **state)
{
	const struct vcpu_hw *vcpu;
	unsigned int level;
	uint64_t hpa = rig_page();

	(void)state;
	rig_td();
	vcpu = rig_vcpu();
	rig_tables(GPA, 0);
	assert_tdx(CALL(TDX_MEM_RANGE_BLOCK, .rcx = tdx_map(GPA, 0), .rdx = rig.tdr),
		   TDX_EPT_ENTRY_STATE_INCORRECT);
	assert_tdx(CALL(TDX_MEM_PAGE_REMOVE, .rcx = tdx_map(GPA, 0), .rdx = rig.tdr),
		   TDX_GPA_RANGE_NOT_BLOCKED);
	assert_tdx(aug(GPA, 0, hpa), TDX_SUCCESS);
	assert_int_equal(state_at(GPA, &level), SEPT_PENDING);
	assert_tdx(aug(GPA, 0, rig_page()), TDX_EPT_ENTRY_STATE_INCORRECT);
	assert_tdx(TDCALL(vcpu, TDG_MEM_PAGE_ACCEPT, .rcx = tdx_map(GPA, 0)), TDX_SUCCESS);
	assert_int_equal(state_at(GPA, &level), SEPT_MAPPED);
	assert_tdx(TDCALL(vcpu, TDG_MEM_PAGE_ACCEPT, .rcx = tdx_map(GPA, 0)),
		   TDX_PAGE_ALREADY_ACCEPTED);
	assert_tdx(CALL(TDX_MMIO_BLOCK, .rcx = tdx_map(GPA, 0), .rdx = rig.tdr),
		   TDX_EPT_ENTRY_STATE_INCORRECT);
	assert_tdx(CALL(TDX_MEM_RANGE_BLOCK, .rcx = tdx_map(GPA, 0), .rdx = rig.tdr), TDX_SUCCESS);
	assert_int_equal(state_at(GPA, &level), SEPT_BLOCKED);
	assert_tdx(CALL(TDX_MEM_RANGE_BLOCK, .rcx = tdx_map(GPA, 0), .rdx = rig.tdr),
		   TDX_EPT_ENTRY_STATE_INCORRECT);
	assert_tdx(CALL(TDX_MEM_PAGE_REMOVE, .rcx = tdx_map(GPA, 0), .rdx = rig.tdr),
		   TDX_TLB_TRACKING_NOT_DONE);
	assert_tdx(CALL(TDX_MEM_TRACK, .rcx = rig.tdr), TDX_SUCCESS);
	assert_tdx(CALL(TDX_MEM_PAGE_REMOVE, .rcx = tdx_map(GPA, 0), .rdx = rig.tdr), TDX_SUCCESS);
	assert_int_equal(state_at(GPA, &level), SEPT_FREE);
	assert_int_equal(phys_owner(hpa), 0);
}

static void R4_6_two_mib_leaf(void **state)
{
	const struct vcpu_hw *vcpu;
	struct pt_leaf leaf;
	unsigned int level;
	uint32_t owner;

	(void)state;
	rig_td();
	vcpu = rig_vcpu();
	rig_tables(GPA_2M, 1);
	assert_tdx(aug(GPA_2M, 1, rig.big + PHYS_PAGE), TDX_OPERAND_INVALID);
	assert_tdx(aug(GPA_2M, 1, rig.big), TDX_SUCCESS);
	assert_int_equal(phys_owner(rig.big + 511 * PHYS_PAGE), rig.td * 2);
	assert_tdx(TDCALL(vcpu, TDG_MEM_PAGE_ACCEPT, .rcx = tdx_map(GPA_2M, 0)),
		   TDX_PAGE_SIZE_MISMATCH);
	assert_int_equal(trusted_walk(rig.sept, GPA_2M, &leaf, &owner), -ENOENT);
	assert_tdx(TDCALL(vcpu, TDG_MEM_PAGE_ACCEPT, .rcx = tdx_map(GPA_2M, 1)), TDX_SUCCESS);
	assert_int_equal(state_at(GPA_2M + 5 * PHYS_PAGE, &level), SEPT_MAPPED);
	assert_int_equal(level, 1);
	assert_int_equal(trusted_walk(rig.sept, GPA_2M + 0x123456, &leaf, &owner), 0);
	assert_int_equal(leaf.hpa, rig.big);
	assert_int_equal(leaf.size, PHYS_2M);
	assert_int_equal(leaf.address, GPA_2M);
	assert_int_equal(leaf.reads, 3);
	assert_int_equal(leaf.prot, PT_R | PT_W | PT_X);
	/* A table cannot go where the leaf is, nor a smaller page under it. */
	assert_tdx(
		CALL(TDX_MEM_SEPT_ADD, .rcx = tdx_map(GPA_2M, 1), .rdx = rig.tdr, .r8 = rig_page()),
		TDX_EPT_ENTRY_STATE_INCORRECT);
	assert_tdx(aug(GPA_2M, 0, rig_page()), TDX_EPT_WALK_FAILED);
}

/* What the host put into a page before does not reach the guest. */
static void accepted_pages_are_zero(void **state)
{
	const struct vcpu_hw *vcpu;
	uint64_t hpa = rig_page(), word = 1;

	(void)state;
	rig_poke(hpa, 0xdeadbeef);
	rig_td();
	vcpu = rig_vcpu();
	rig_tables(GPA, 0);
	assert_tdx(aug(GPA, 0, hpa), TDX_SUCCESS);
	assert_tdx(TDCALL(vcpu, TDG_MEM_PAGE_ACCEPT, .rcx = tdx_map(GPA, 0)), TDX_SUCCESS);
	assert_int_equal(cpu_guest_read(vcpu, GPA, &word, sizeof(word)), 0);
	assert_int_equal(word, 0);
}

static void page_add_carries_content_before_finalize(void **state)
{
	const struct vcpu_hw *vcpu;
	uint64_t source = rig_page(), word = 0;

	(void)state;
	rig_poke(source, 0x1234);
	rig_td_init();
	rig_tables(GPA, 0);
	assert_tdx(aug(GPA, 0, rig_page()), TDX_TD_NOT_INITIALIZED);
	assert_tdx(CALL(TDX_MEM_PAGE_ADD, .rcx = tdx_map(GPA, 0), .rdx = rig.tdr, .r8 = rig_page(),
			.r9 = source),
		   TDX_SUCCESS);
	assert_tdx(CALL(TDX_MR_FINALIZE, .rcx = rig.tdr), TDX_SUCCESS);
	assert_tdx(CALL(TDX_MEM_PAGE_ADD, .rcx = tdx_map(GPA + PHYS_PAGE, 0), .rdx = rig.tdr,
			.r8 = rig_page(), .r9 = source),
		   TDX_OPERAND_INVALID);
	vcpu = rig_vcpu();
	assert_int_equal(cpu_guest_read(vcpu, GPA, &word, sizeof(word)), 0);
	assert_int_equal(word, 0x1234);
}

/* A guest that accepts what is not there leaves to the VMM. */
static void accept_without_page_is_an_exit(void **state)
{
	struct tdx_args args = { .rcx = tdx_map(GPA, 0) };
	const struct vcpu_hw *vcpu;
	bool exits;

	(void)state;
	rig_td();
	vcpu = rig_vcpu();
	assert_tdx(tdx_tdcall(vcpu, TDG_MEM_PAGE_ACCEPT, &args, &exits), TDX_INTERRUPTED_RESUMABLE);
	assert_true(exits);
	assert_int_equal(vcpu->exit.reason, CPU_EXIT_EPT_VIOLATION);
	assert_int_equal(vcpu->exit.gpa, GPA);
	assert_true(vcpu->exit.is_private);
}

/* The shared half is the host's own tables, and walks end with the host's rights. */
static void R3_5_shared_half_has_the_hosts_rights(void **state)
{
	uint64_t level3 = rig_page(), level2 = rig_page(), level1 = rig_page(), ram = rig_page();
	uint64_t gpa = TDX_SHARED_BIT | 0x3000;
	struct pt_leaf leaf;
	uint32_t owner = 1;

	(void)state;
	rig_td();
	rig_poke(level3, level2 | 7);
	rig_poke(level2, level1 | 7);
	rig_poke(level1 + 8 * 3, ram | 7 | 6 << 3);
	assert_int_equal(trusted_walk(rig.sept, gpa, &leaf, &owner), -ENOENT);
	assert_tdx(CALL(TDX_MEM_SHARED_SEPT_WR, .rcx = tdx_map(0, 3), .rdx = rig.tdr,
			.r8 = level3 | 7),
		   TDX_OPERAND_INVALID);
	assert_tdx(CALL(TDX_MEM_SHARED_SEPT_WR, .rcx = tdx_map(TDX_SHARED_BIT, 3), .rdx = rig.tdr,
			.r8 = rig.tdr | 7),
		   TDX_OPERAND_INVALID);
	assert_tdx(CALL(TDX_MEM_SHARED_SEPT_WR, .rcx = tdx_map(TDX_SHARED_BIT, 3), .rdx = rig.tdr,
			.r8 = level3 | 7),
		   TDX_SUCCESS);
	assert_int_equal(trusted_walk(rig.sept, gpa + 8, &leaf, &owner), 0);
	assert_int_equal(leaf.hpa, ram);
	assert_int_equal(leaf.address, gpa);
	assert_int_equal(owner, 0);
	assert_tdx(CALL(TDX_MEM_SHARED_SEPT_WR, .rcx = tdx_map(TDX_SHARED_BIT, 3), .rdx = rig.tdr),
		   TDX_SUCCESS);
	assert_int_equal(trusted_walk(rig.sept, gpa, &leaf, &owner), -ENOENT);
}

/* A root that is not a TD's top page is not walked: the host cannot make up tables. */
static void R3_5_forged_root_is_not_walked(void **state)
{
	uint64_t forged = rig_page();
	struct pt_leaf leaf;
	uint32_t owner;

	(void)state;
	rig_td();
	rig_poke(forged, forged | 7);
	assert_int_equal(trusted_walk(forged, 0, &leaf, &owner), -ENOENT);
	assert_int_equal(trusted_walk(0, 0, &leaf, &owner), -ENOENT);
}

#define LIFE(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIFE(sept_add_wants_parents_first),
		LIFE(sept_remove_wants_an_empty_table),
		LIFE(R4_6_ram_leaf_states),
		LIFE(R4_6_two_mib_leaf),
		LIFE(accepted_pages_are_zero),
		LIFE(page_add_carries_content_before_finalize),
		LIFE(accept_without_page_is_an_exit),
		LIFE(R3_5_shared_half_has_the_hosts_rights),
		LIFE(R3_5_forged_root_is_not_walked),
	};

	return cmocka_run_group_tests_name("tdx s-ept", tests, NULL, NULL);
}
