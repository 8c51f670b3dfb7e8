/* SPDX-License-Identifier: BSD-2-Clause */
/* The life of a TD, and who owns its pages meanwhile. */
#include "tdx/rig.h"

int main(void);

static void td_leaves_refuse_out_of_order(void **state)
{
	const struct { enum tdx_leaf leaf; struct tdx_args args; uint64_t status;
	} early[] = {
		{ TDX_MNG_KEY_CONFIG, { .rcx = 0x1000 }, TDX_PAGE_METADATA_INCORRECT },
		{ TDX_MNG_CREATE, { .rcx = rig_page(), .rdx = 0 }, TDX_OPERAND_INVALID },
		{ TDX_MNG_CREATE,
		  { .rcx = rig_page(), .rdx = TDX_HKID_MAX + 1 },
		  TDX_OPERAND_INVALID },
		{ TDX_MNG_CREATE, { .rcx = rig_page() + 8, .rdx = 1 }, TDX_OPERAND_INVALID },
		{ TDX_MNG_CREATE, { .rcx = PHYS_MMIO, .rdx = 1 }, TDX_OPERAND_INVALID },
		{ TDX_MNG_CREATE, { .rcx = rig.tdr, .rdx = 1 }, TDX_OPERAND_INVALID },
	};
	uint64_t number, page = rig_page(), params = rig_page();

	(void)state;
	for (size_t i = 0; i < sizeof(early) / sizeof(early[0]); i++)
		assert_tdx(rig_call(early[i].leaf, early[i].args), early[i].status);
	rig.tdr = rig_page();
	assert_tdx(rig_call_out(TDX_MNG_CREATE, (struct tdx_args){ .rcx = rig.tdr, .rdx = 1 },
				&number),
		   TDX_SUCCESS);
	assert_int_equal(phys_owner(rig.tdr), number * 2 + 1);
	assert_tdx(CALL(TDX_MNG_CREATE, .rcx = page, .rdx = 1), TDX_OPERAND_BUSY);
	assert_tdx(CALL(TDX_MNG_CREATE, .rcx = rig.tdr, .rdx = 2), TDX_PAGE_METADATA_INCORRECT);
	assert_tdx(CALL(TDX_MNG_ADDCX, .rcx = page, .rdx = rig.tdr), TDX_TD_NOT_INITIALIZED);
	assert_tdx(CALL(TDX_MNG_KEY_CONFIG, .rcx = rig.tdr), TDX_SUCCESS);
	assert_tdx(CALL(TDX_MNG_KEY_CONFIG, .rcx = rig.tdr), TDX_OPERAND_INVALID);
	assert_tdx(CALL(TDX_MNG_INIT, .rcx = rig.tdr, .rdx = params), TDX_TD_NOT_INITIALIZED);
	for (unsigned int i = 0; i < TDX_TDCS_PAGES; i++)
		assert_tdx(CALL(TDX_MNG_ADDCX, .rcx = rig_page(), .rdx = rig.tdr), TDX_SUCCESS);
	assert_tdx(CALL(TDX_MNG_ADDCX, .rcx = page, .rdx = rig.tdr), TDX_OPERAND_INVALID);
	assert_tdx(CALL(TDX_MR_FINALIZE, .rcx = rig.tdr), TDX_TD_NOT_INITIALIZED);
	rig_poke(params + TDX_PARAMS_CONFIG_FLAGS, 1);
	assert_tdx(CALL(TDX_MNG_INIT, .rcx = rig.tdr, .rdx = params), TDX_OPERAND_INVALID);
	rig_poke(params + TDX_PARAMS_CONFIG_FLAGS, 0);
	assert_tdx(CALL(TDX_MNG_INIT, .rcx = rig.tdr, .rdx = params), TDX_SUCCESS);
	assert_tdx(CALL(TDX_VP_INIT, .rcx = page), TDX_PAGE_METADATA_INCORRECT);
	assert_tdx(CALL(TDX_MR_FINALIZE, .rcx = rig.tdr), TDX_SUCCESS);
	assert_tdx(CALL(TDX_MR_FINALIZE, .rcx = rig.tdr), TDX_OPERAND_INVALID);
	assert_tdx(CALL(TDX_VP_CREATE, .rcx = page, .rdx = rig.tdr), TDX_OPERAND_INVALID);
}

/* Down again: flush, free the key, reclaim everything, the TDR last. Nothing of the TD is left. */
static void td_teardown_gives_all_pages_back(void **state)
{
	const struct vcpu_hw *vcpu;
	uint64_t objects = image_live(IMAGE_TYPE_TDX), hpa;
	unsigned int first = rig_pool.taken;

	(void)state;
	rig_td();
	vcpu = rig_vcpu();
	hpa = rig_ram(vcpu, 0x10000);
	assert_tdx(CALL(TDX_PHYMEM_PAGE_RECLAIM, .rcx = hpa), TDX_PAGE_METADATA_INCORRECT);
	assert_tdx(CALL(TDX_MNG_KEY_FREEID, .rcx = rig.tdr), TDX_TD_NOT_INITIALIZED);
	assert_tdx(CALL(TDX_MNG_VPFLUSHDONE, .rcx = rig.tdr), TDX_OPERAND_BUSY);
	assert_tdx(CALL(TDX_VP_FLUSH, .rcx = rig.tdvpr), TDX_SUCCESS);
	assert_tdx(CALL(TDX_MNG_VPFLUSHDONE, .rcx = rig.tdr), TDX_SUCCESS);
	assert_tdx(TDCALL(vcpu, TDG_VP_INFO, .rcx = 0), TDX_TD_NOT_INITIALIZED);
	assert_tdx(CALL(TDX_MNG_KEY_FREEID, .rcx = rig.tdr), TDX_SUCCESS);
	assert_tdx(CALL(TDX_PHYMEM_PAGE_RECLAIM, .rcx = rig.tdr), TDX_TD_ASSOCIATED_PAGES_EXIST);
	for (unsigned int i = first; i < rig_pool.taken; i++) {
		uint64_t page = phys_of(rig_pool.page) + (uint64_t)i * PHYS_PAGE;

		if (phys_owner(page) && page != rig.tdr)
			assert_tdx(CALL(TDX_PHYMEM_PAGE_RECLAIM, .rcx = page), TDX_SUCCESS);
		if (page != rig.tdr)
			assert_int_equal(phys_owner(page), 0);
	}
	assert_tdx(CALL(TDX_PHYMEM_PAGE_RECLAIM, .rcx = rig.tdr), TDX_SUCCESS);
	assert_tdx(CALL(TDX_PHYMEM_PAGE_RECLAIM, .rcx = rig.tdr), TDX_PAGE_METADATA_INCORRECT);
	assert_int_equal(image_live(IMAGE_TYPE_TDX), objects);
	assert_tdx(CALL(TDX_MNG_CREATE, .rcx = rig.tdr, .rdx = RIG_HKID), TDX_SUCCESS);
}

/* A host that gets a table back may write what it likes into it: no walk gets that far. */
static void R3_5_reclaimed_tables_are_not_walked(void **state)
{
	const struct vcpu_hw *vcpu;
	struct pt_leaf leaf;
	uint32_t owner;

	(void)state;
	rig_td();
	vcpu = rig_vcpu();
	rig_ram(vcpu, 0x10000);
	assert_int_equal(trusted_walk(rig.sept, 0x10000, &leaf, &owner), 0);
	assert_int_equal(owner, rig.td * 2);
	assert_tdx(CALL(TDX_VP_FLUSH, .rcx = rig.tdvpr), TDX_SUCCESS);
	assert_tdx(CALL(TDX_MNG_VPFLUSHDONE, .rcx = rig.tdr), TDX_SUCCESS);
	assert_tdx(CALL(TDX_MNG_KEY_FREEID, .rcx = rig.tdr), TDX_SUCCESS);
	assert_int_equal(trusted_walk(rig.sept, 0x10000, &leaf, &owner), -ENOENT);
}

static void donated_pages_are_out_of_the_hosts_reach(void **state)
{
	uint8_t byte = 1;

	(void)state;
	rig_td();
	assert_int_equal(phys_write(rig.tdr, &byte, 1, 0), -EACCES);
	assert_int_equal(phys_write(rig.sept, &byte, 1, 0), -EACCES);
	assert_int_equal(cpu_host_write(rig.tdvpr, &byte, 1), -EACCES);
}

/* A refused call changes nothing in the image but the trace. */
static void refusals_change_nothing(void **state)
{
	uint64_t page, hash;

	(void)state;
	rig_td();
	rig_tables(0x10000, 0);
	page = rig_page();
	image_commit();
	hash = image_hash();
	assert_tdx(
		CALL(TDX_MEM_PAGE_AUG, .rcx = tdx_map(0x10000, 0), .rdx = rig.tdr, .r8 = rig.tdr),
		TDX_PAGE_METADATA_INCORRECT);
	assert_tdx(
		CALL(TDX_MEM_PAGE_AUG, .rcx = tdx_map(0x40000000, 0), .rdx = rig.tdr, .r8 = page),
		TDX_EPT_WALK_FAILED);
	assert_tdx(CALL(TDX_TDI_CREATE, .rcx = RIG_VF, .rdx = rig.tdr), TDX_TDI_INVALID_METADATA);
	assert_tdx(CALL(TDX_DMAR_ADD, .rcx = 0), TDX_OPERAND_INVALID);
	assert_tdx(CALL(TDX_SPDM_CREATE, .rcx = RIG_PF, .rdx = tdx_list(rig.list, 3)),
		   TDX_OPERAND_INVALID);
	assert_int_equal(image_hash(), hash);
}

static void injected_faults_come_so_often(void **state)
{
	(void)state;
	rig_td();
	assert_int_equal(tdx_inject(TDX_MEM_TRACK, TDX_OPERAND_BUSY, 2), 0);
	assert_tdx(CALL(TDX_MEM_TRACK, .rcx = rig.tdr), TDX_OPERAND_BUSY);
	assert_tdx(CALL(TDX_MNG_KEY_CONFIG, .rcx = rig.tdr), TDX_OPERAND_INVALID);
	assert_tdx(CALL(TDX_MEM_TRACK, .rcx = rig.tdr), TDX_OPERAND_BUSY);
	assert_tdx(CALL(TDX_MEM_TRACK, .rcx = rig.tdr), TDX_SUCCESS);
	assert_int_equal(tdx_inject((enum tdx_leaf)9999, TDX_OPERAND_BUSY, 1), -EINVAL);
}

#define LIFE(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIFE(td_leaves_refuse_out_of_order),
		LIFE(td_teardown_gives_all_pages_back),
		LIFE(R3_5_reclaimed_tables_are_not_walked),
		LIFE(donated_pages_are_out_of_the_hosts_reach),
		LIFE(refusals_change_nothing),
		LIFE(injected_faults_come_so_often),
	};

	return cmocka_run_group_tests_name("tdx td", tests, NULL, NULL);
}
