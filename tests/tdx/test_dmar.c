/* SPDX-License-Identifier: BSD-2-Clause */
/* Trusted DMA-remapping entries: levels, states, invalidation. */
#include "tdx/rig.h"

int main(void);

static uint64_t add(enum tdx_dmar_level level)
{
	return level == TDX_DMAR_PASID ?
		CALL(TDX_DMAR_ADD, .rcx = rig_dmar(level), .rdx = rig.tdr, .r9 = RIG_VF) :
		CALL(TDX_DMAR_ADD, .rcx = rig_dmar(level), .r8 = rig_page());
}

static enum dmar_state read_state(enum tdx_dmar_level level, uint64_t *rest)
{
	struct tdx_args args = { .rcx = rig_dmar(level) };

	assert_tdx(tdx_seamcall(LANE_TSM, TDX_DMAR_READ, &args), TDX_SUCCESS);
	*rest = args.rdx;
	return (enum dmar_state)args.rcx;
}

static void with_tdi(void)
{
	rig_function_on();
	rig_td();
	rig_stream();
	rig_tdi();
}

static void tables_are_built_from_the_root(void **state)
{
	uint64_t rest;

	(void)state;
	with_tdi();
	assert_tdx(CALL(TDX_DMAR_ADD, .rcx = tdx_dmar_index(1, RIG_VF, 0, TDX_DMAR_ROOT),
			.r8 = rig_page()),
		   TDX_OPERAND_INVALID);
	rig_iommu();
	for (unsigned int level = TDX_DMAR_CONTEXT; level < TDX_DMAR_LEVELS; level++)
		assert_tdx(add((enum tdx_dmar_level)level), TDX_DMAR_INVALID_STATE);
	assert_tdx(CALL(TDX_DMAR_ADD, .rcx = rig_dmar(TDX_DMAR_ROOT), .r8 = rig.tdr),
		   TDX_PAGE_METADATA_INCORRECT);
	rig_dmar_add();
	assert_tdx(add(TDX_DMAR_ROOT), TDX_DMAR_INVALID_STATE);
	assert_tdx(add(TDX_DMAR_PASID), TDX_DMAR_INVALID_STATE);
	assert_int_equal(read_state(TDX_DMAR_ROOT, &rest), DMAR_PRESENT);
	assert_int_equal(rest, 1);
	assert_int_equal(read_state(TDX_DMAR_PASID, &rest), DMAR_PENDING);
	assert_int_equal(rest, rig.tdr);
	/* The root is the bus's: another function of it shares it. */
	assert_tdx(CALL(TDX_DMAR_ADD, .rcx = tdx_dmar_index(rig.iommu, RIG_PF, 0, TDX_DMAR_ROOT),
			.r8 = rig_page()),
		   TDX_DMAR_INVALID_STATE);
	assert_tdx(CALL(TDX_DMAR_ADD, .rcx = tdx_dmar_index(rig.iommu, RIG_PF, 0, TDX_DMAR_CONTEXT),
			.r8 = rig_page()),
		   TDX_SUCCESS);
	assert_int_equal(read_state(TDX_DMAR_ROOT, &rest), DMAR_PRESENT);
	assert_int_equal(rest, 2);
	assert_tdx(CALL(TDX_IOMMU_CLEAR, .rcx = rig.iommu), TDX_DMAR_HAS_CHILDREN);
}

static void leaf_is_its_tdis(void **state)
{
	(void)state;
	with_tdi();
	rig_iommu();
	for (unsigned int level = TDX_DMAR_ROOT; level < TDX_DMAR_PASID; level++)
		assert_tdx(add((enum tdx_dmar_level)level), TDX_SUCCESS);
	assert_tdx(
		CALL(TDX_DMAR_ADD, .rcx = rig_dmar(TDX_DMAR_PASID), .rdx = rig.tdr, .r9 = RIG_PF),
		TDX_TDI_NOT_PRESENT);
	assert_tdx(CALL(TDX_DMAR_ADD, .rcx = rig_dmar(TDX_DMAR_PASID), .rdx = rig.tdr + PHYS_PAGE,
			.r9 = RIG_VF),
		   TDX_OPERAND_INVALID);
	assert_tdx(CALL(TDX_DMAR_ADD, .rcx = tdx_dmar_index(rig.iommu, RIG_VF, 3, TDX_DMAR_PASID),
			.rdx = rig.tdr, .r9 = RIG_VF),
		   TDX_OPERAND_INVALID);
	assert_tdx(add(TDX_DMAR_PASID), TDX_SUCCESS);
}

/* FREE -ADD-> PENDING -ACCEPT-> PRESENT -BLOCK-> BLOCKED -invalidate, REMOVE-> FREE. */
static void R3_5_leaf_states(void **state)
{
	const struct vcpu_hw *vcpu;
	uint64_t rest;

	(void)state;
	with_tdi();
	rig_iommu();
	rig_dmar_add();
	vcpu = rig_vcpu();
	assert_tdx(CALL(TDX_DMAR_REMOVE, .rcx = rig_dmar(TDX_DMAR_PASID)), TDX_DMAR_INVALID_STATE);
	assert_tdx(TDCALL(vcpu, TDG_DMAR_ACCEPT, .rcx = RIG_VF),
		   TDX_TDI_INVALID_STATE); /* not bound */
	assert_tdx(rig_bind(), TDX_SUCCESS);
	assert_tdx(TDCALL(vcpu, TDG_DMAR_ACCEPT, .rcx = RIG_VF, .rdx = 1), TDX_OPERAND_INVALID);
	assert_tdx(TDCALL(vcpu, TDG_DMAR_ACCEPT, .rcx = RIG_VF), TDX_SUCCESS);
	assert_int_equal(read_state(TDX_DMAR_PASID, &rest), DMAR_PRESENT);
	assert_tdx(TDCALL(vcpu, TDG_DMAR_ACCEPT, .rcx = RIG_VF), TDX_DMAR_INVALID_MAPPING_STATE);
	assert_tdx(CALL(TDX_DMAR_BLOCK, .rcx = rig_dmar(TDX_DMAR_PASID_DIR)),
		   TDX_DMAR_HAS_CHILDREN);
	assert_tdx(CALL(TDX_DMAR_BLOCK, .rcx = rig_dmar(TDX_DMAR_PASID)), TDX_SUCCESS);
	assert_tdx(CALL(TDX_DMAR_BLOCK, .rcx = rig_dmar(TDX_DMAR_PASID)), TDX_DMAR_INVALID_STATE);
	assert_tdx(TDCALL(vcpu, TDG_DMAR_ACCEPT, .rcx = RIG_VF), TDX_DMAR_INVALID_MAPPING_STATE);
	assert_tdx(CALL(TDX_DMAR_REMOVE, .rcx = rig_dmar(TDX_DMAR_PASID)), TDX_IQ_INV_PENDING);
	rig_invalidate(TDX_INV_IOTLB, rig.tdr);		/* the wrong kind */
	assert_tdx(CALL(TDX_DMAR_REMOVE, .rcx = rig_dmar(TDX_DMAR_PASID)), TDX_IQ_INV_PENDING);
	rig_invalidate(TDX_INV_DMAR, rig_dmar(TDX_DMAR_PASID));
	assert_tdx(CALL(TDX_DMAR_REMOVE, .rcx = rig_dmar(TDX_DMAR_PASID)), TDX_SUCCESS);
	assert_int_equal(read_state(TDX_DMAR_PASID, &rest), DMAR_FREE);
}

/* One invalidation of the root covers all that was blocked below it before; pages come back. */
static void one_invalidation_covers_the_tree(void **state)
{
	uint64_t page;

	(void)state;
	with_tdi();
	rig_iommu();
	rig_dmar_add();
	for (int level = TDX_DMAR_PASID; level >= TDX_DMAR_ROOT; level--) {
		uint64_t status = CALL(TDX_DMAR_BLOCK, .rcx = rig_dmar((enum tdx_dmar_level)level));

		assert_tdx(status, level == TDX_DMAR_PASID ? TDX_SUCCESS : TDX_DMAR_HAS_CHILDREN);
	}
	rig_invalidate(TDX_INV_DMAR, rig_dmar(TDX_DMAR_ROOT));
	assert_tdx(CALL(TDX_DMAR_REMOVE, .rcx = rig_dmar(TDX_DMAR_PASID)), TDX_SUCCESS);
	assert_tdx(CALL(TDX_DMAR_BLOCK, .rcx = rig_dmar(TDX_DMAR_PASID_DIR)), TDX_SUCCESS);
	rig_invalidate(TDX_INV_DMAR, rig_dmar(TDX_DMAR_ROOT));
	assert_tdx(rig_call_out(TDX_DMAR_REMOVE,
				(struct tdx_args){ .rcx = rig_dmar(TDX_DMAR_PASID_DIR) }, &page),
		   TDX_SUCCESS);
	assert_int_not_equal(page, 0);
	assert_int_equal(phys_owner(page), 0);
}

/* What was asked for before the block does not cover it, however late it is done. */
static void early_invalidation_does_not_count(void **state)
{
	uint64_t leaf;

	(void)state;
	with_tdi();
	rig_iommu();
	rig_dmar_add();
	leaf = rig_dmar(TDX_DMAR_PASID);
	assert_tdx(CALL(TDX_IQ_INV_REQUEST, .rcx = rig.iommu, .rdx = TDX_INV_DMAR, .r8 = leaf),
		   TDX_SUCCESS);
	assert_tdx(CALL(TDX_DMAR_BLOCK, .rcx = leaf), TDX_SUCCESS);
	assert_tdx(CALL(TDX_IQ_INV_PROCESS, .rcx = rig.iommu), TDX_SUCCESS);
	assert_tdx(CALL(TDX_DMAR_REMOVE, .rcx = leaf), TDX_IQ_INV_PENDING);
	rig_invalidate(TDX_INV_DMAR, leaf);
	assert_tdx(CALL(TDX_DMAR_REMOVE, .rcx = leaf), TDX_SUCCESS);
}

static void queue_says_when_more_is_pending(void **state)
{
	(void)state;
	with_tdi();
	rig_iommu();
	assert_tdx(CALL(TDX_IQ_INV_PROCESS, .rcx = rig.iommu), TDX_SUCCESS);
	assert_tdx(CALL(TDX_IQ_INV_REQUEST, .rcx = rig.iommu, .rdx = TDX_INV_IOTLB, .r8 = rig.tdr),
		   TDX_SUCCESS);
	assert_tdx(CALL(TDX_IQ_INV_REQUEST, .rcx = rig.iommu, .rdx = TDX_INV_IOTLB, .r8 = rig.tdr),
		   TDX_SUCCESS);
	assert_tdx(CALL(TDX_IQ_INV_PROCESS, .rcx = rig.iommu), TDX_IQ_INV_PENDING);
	assert_tdx(CALL(TDX_IQ_INV_PROCESS, .rcx = rig.iommu), TDX_SUCCESS);
	assert_tdx(CALL(TDX_IQ_INV_REQUEST, .rcx = rig.iommu + 1, .r8 = rig.tdr),
		   TDX_OPERAND_INVALID);
	assert_tdx(CALL(TDX_IQ_INV_REQUEST, .rcx = rig.iommu, .rdx = 2, .r8 = rig.tdr),
		   TDX_OPERAND_INVALID);
	assert_tdx(CALL(TDX_IQ_INV_REQUEST, .rcx = rig.iommu, .r8 = rig.tdr + 8),
		   TDX_OPERAND_INVALID);
	for (unsigned int i = 0; i < 64; i++)
		assert_tdx(CALL(TDX_IQ_INV_REQUEST, .rcx = rig.iommu, .r8 = rig.tdr), TDX_SUCCESS);
	assert_tdx(CALL(TDX_IQ_INV_REQUEST, .rcx = rig.iommu, .r8 = rig.tdr), TDX_OPERAND_BUSY);
}

#define LIFE(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIFE(tables_are_built_from_the_root),
		LIFE(leaf_is_its_tdis),
		LIFE(R3_5_leaf_states),
		LIFE(one_invalidation_covers_the_tree),
		LIFE(early_invalidation_does_not_count),
		LIFE(queue_says_when_more_is_pending),
	};

	return cmocka_run_group_tests_name("tdx dmar", tests, NULL, NULL);
}
