/* SPDX-License-Identifier: BSD-2-Clause */
/* Granules and RTTs (R3.2, R3.5): who may have a page in each state, and each refusal of the tables. */
#include "cca/rig.h"

#define IPA 0x40000000ull

int main(void);

static void R3_5_delegation(void **state)
{
	uint64_t hpa = rig_pages(4), x1;
	uint8_t byte;

	(void)state;
	assert_rmi(CALL(GRANULE_RANGE_DELEGATE, hpa + 8, hpa + PHYS_PAGE), ERROR_INPUT);
	assert_rmi(CALL(GRANULE_RANGE_DELEGATE, hpa, hpa), ERROR_INPUT);
	assert_rmi(CALL(GRANULE_RANGE_DELEGATE, hpa + PHYS_PAGE, hpa), ERROR_INPUT);
	assert_rmi(CALL(GRANULE_RANGE_UNDELEGATE, hpa, hpa + PHYS_PAGE), ERROR_GRANULE);
	assert_int_equal(cpu_host_write(hpa, "x", 1), 0);
	assert_rmi(CALL(GRANULE_RANGE_DELEGATE, hpa + 2 * PHYS_PAGE, hpa + 3 * PHYS_PAGE), SUCCESS);
	/* As far as it comes: to the one that is delegated already. */
	assert_rmi(rig_call_out(RMI_GRANULE_RANGE_DELEGATE,
				(struct smc_args){ .x = { 0, hpa, hpa + 4 * PHYS_PAGE } }, &x1),
		   SUCCESS);
	assert_true(x1 == hpa + 2 * PHYS_PAGE);
	assert_rmi(rig_call_out(RMI_GRANULE_RANGE_DELEGATE,
				(struct smc_args){ .x = { 0, x1, hpa + 4 * PHYS_PAGE } }, &x1),
		   ERROR_GRANULE);
	assert_true(x1 == hpa + 2 * PHYS_PAGE);
	assert_int_equal(cpu_host_write(hpa, "y", 1), -EACCES);		/* a granule protection fault */
	assert_int_equal(cpu_host_read(hpa, &byte, 1), -EACCES);
	assert_rmi(CALL(GRANULE_RANGE_UNDELEGATE, hpa, hpa + PHYS_PAGE), SUCCESS);
	assert_int_equal(cpu_host_read(hpa, &byte, 1), 0);
	assert_int_equal(byte, 0);					/* wiped on the way */
}

static void realm_states(void **state)
{
	uint64_t rd = rig_granule(), rtt = rig_granule(), params = rig_page(), run = rig_page();

	(void)state;
	rig_poke(params + REALM_PARAM_RTT_BASE, rd);
	assert_rmi(CALL(REALM_CREATE, rd, params), ERROR_INPUT);	/* one granule for both */
	rig_poke(params + REALM_PARAM_RTT_BASE, rig_page());
	assert_rmi(CALL(REALM_CREATE, rd, params), ERROR_INPUT);	/* not delegated */
	assert_int_equal(granule_state(rd), GRANULE_DELEGATED);		/* and nothing changed */
	assert_rmi(CALL(REALM_CREATE, rd, rtt), ERROR_INPUT);		/* parameters not the host's */
	rig_poke(params + REALM_PARAM_RTT_BASE, rtt);
	assert_rmi(CALL(REALM_CREATE, rd, params), SUCCESS);
	assert_int_equal(granule_state(rd), GRANULE_RD);
	assert_int_equal(granule_state(rtt), GRANULE_RTT);
	assert_rmi(CALL(REALM_CREATE, rd, params), ERROR_INPUT);
	assert_rmi(CALL(GRANULE_RANGE_UNDELEGATE, rd, rd + PHYS_PAGE), ERROR_GRANULE);
	rig.rec = rig_granule();
	assert_rmi(CALL(REC_CREATE, rd, rig.rec), SUCCESS);
	assert_rmi(CALL(REC_ENTER, rig.rec, run), ERROR_REALM);		/* not active */
	assert_rmi(CALL(REALM_ACTIVATE, rd), SUCCESS);
	assert_rmi(CALL(REALM_ACTIVATE, rd), ERROR_REALM);
	assert_rmi(CALL(REC_CREATE, rd, rig_granule()), ERROR_REALM);	/* too late */
	assert_rmi(CALL(REC_ENTER, rig.rec, run), SUCCESS);
	assert_rmi(CALL(REC_ENTER, rig.rec, rtt), ERROR_INPUT);
	assert_rmi(CALL(REALM_DESTROY, rd), ERROR_REALM);		/* a REC is left */
	assert_rmi(CALL(REC_DESTROY, rig.rec), SUCCESS);
	assert_rmi(CALL(REC_DESTROY, rig.rec), ERROR_INPUT);
	assert_rmi(CALL(REALM_DESTROY, rd), SUCCESS);
	assert_rmi(CALL(REALM_DESTROY, rd), ERROR_INPUT);
	assert_int_equal(granule_state(rtt), GRANULE_DELEGATED);
}

static void R3_5_tables(void **state)
{
	uint64_t result, table = rig_granule(), x1;

	(void)state;
	rig_realm();
	assert_rmi(CALL(RTT_CREATE, rig.rd, table, IPA, 0), ERROR_INPUT);
	assert_rmi(CALL(RTT_CREATE, rig.rd, table, IPA, 4), ERROR_INPUT);
	assert_rmi(CALL(RTT_CREATE, rig.rd, table, IPA + PHYS_PAGE, 3), ERROR_INPUT);
	result = CALL(RTT_CREATE, rig.rd, table, IPA, 3);	/* tables above are not there */
	assert_rmi(result, ERROR_RTT);
	assert_int_equal(rmi_index(result), 0);
	assert_rmi(CALL(RTT_CREATE, rig.rd, rig_page(), 0, 1), ERROR_INPUT);	/* not delegated */
	assert_rmi(CALL(RTT_CREATE, rig.rd, table, 0, 1), SUCCESS);
	result = CALL(RTT_CREATE, rig.rd, rig_granule(), 0, 1);			/* it is there */
	assert_rmi(result, ERROR_RTT);
	assert_int_equal(granule_state(table), GRANULE_RTT);
	rig_tables(IPA, 3);
	assert_rmi(CALL(REALM_DESTROY, rig.rd), ERROR_REALM);
	result = CALL(RTT_DESTROY, rig.rd, 0, 1);		/* there are tables in it */
	assert_rmi(result, ERROR_RTT);
	assert_int_equal(rmi_index(result), 1);
	assert_rmi(rig_call_out(RMI_RTT_DESTROY, (struct smc_args){ .x = { 0, rig.rd, IPA, 3 } }, &x1),
		   SUCCESS);
	assert_int_equal(granule_state(x1), GRANULE_DELEGATED);
}

static void R3_2_memory(void **state)
{
	uint64_t page = rig_granule(), foreign = rig_page(), result;
	struct cca_rtt_view view;

	(void)state;
	rig_realm();
	rig_tables(IPA, 3);
#define DATA_MAP(base, top, flags, oaddr) CALL(RTT_DATA_MAP, rig.rd, base, top, flags, oaddr)
	assert_rmi(DATA_MAP(IPA, IPA + PHYS_PAGE, 0, page), ERROR_INPUT);
	assert_rmi(DATA_MAP(IPA, IPA + PHYS_PAGE, RMI_ADDR_SINGLE, page | 2), ERROR_INPUT);
	assert_rmi(DATA_MAP(IPA, IPA + PHYS_PAGE, RMI_ADDR_SINGLE, foreign), ERROR_INPUT);
	assert_rmi(DATA_MAP(IPA, IPA + PHYS_PAGE, RMI_ADDR_SINGLE, rig_bar(0)), ERROR_INPUT);
	assert_rmi(DATA_MAP(CCA_UNPROTECTED, CCA_UNPROTECTED + PHYS_PAGE, RMI_ADDR_SINGLE, page),
		   ERROR_INPUT);
	result = DATA_MAP(1ull << 40, (1ull << 40) + PHYS_PAGE, RMI_ADDR_SINGLE, page);
	assert_rmi(result, ERROR_RTT);				/* no table there */
	assert_rmi(DATA_MAP(IPA, IPA + PHYS_PAGE, RMI_ADDR_SINGLE, page), SUCCESS);
	assert_int_equal(granule_state(page), GRANULE_DATA);
	result = DATA_MAP(IPA, IPA + PHYS_PAGE, RMI_ADDR_SINGLE, rig_granule());
	assert_rmi(result, ERROR_RTT);				/* taken */
	assert_int_equal(rmi_index(result), 3);
	cca_rtt_view(rig.rd, IPA, &view);
	assert_int_equal(view.hipas, HIPAS_ASSIGNED);
	assert_true(view.hpa == page);
	assert_rmi(CALL(GRANULE_RANGE_UNDELEGATE, page, page + PHYS_PAGE), ERROR_GRANULE);
	assert_rmi(CALL(RTT_DEV_UNMAP, rig.rd, IPA, IPA + PHYS_PAGE), ERROR_RTT);	/* not a device's */
	assert_rmi(CALL(RTT_DATA_UNMAP, rig.rd, IPA, IPA + PHYS_PAGE), SUCCESS);
	assert_rmi(CALL(RTT_DATA_UNMAP, rig.rd, IPA, IPA + PHYS_PAGE), ERROR_RTT);
	assert_int_equal(granule_state(page), GRANULE_DELEGATED);
#undef DATA_MAP
}

static void R3_5_unprotected_half(void **state)
{
	uint64_t ipa = CCA_UNPROTECTED | IPA, page = rig_page();
	uint32_t owner = 99;
	struct pt_leaf leaf;

	(void)state;
	rig_realm();
	rig_tables(ipa, 3);
	assert_rmi(CALL(RTT_UNPROT_MAP, rig.rd, IPA, IPA + PHYS_PAGE, RMI_ADDR_SINGLE, page),
		   ERROR_INPUT);
	assert_rmi(CALL(RTT_UNPROT_MAP, rig.rd, ipa, ipa + PHYS_PAGE, RMI_ADDR_SINGLE, page), SUCCESS);
	assert_int_equal(cca_trusted_walk(rig.rtt, ipa, &leaf, &owner), 0);
	assert_int_equal(owner, 0);				/* in the host's name, no more */
	assert_true(leaf.hpa == page);
	assert_int_equal(cca_trusted_walk(rig.rtt, IPA, &leaf, &owner), -EACCES);	/* RIPAS EMPTY */
	assert_rmi(CALL(RTT_UNPROT_UNMAP, rig.rd, ipa, ipa + PHYS_PAGE), SUCCESS);
	assert_rmi(CALL(RTT_UNPROT_UNMAP, rig.rd, ipa, ipa + PHYS_PAGE), ERROR_RTT);
}

static void R3_5_stream_table(void **state)
{
	uint64_t l1 = rig_granule(), l2 = rig_granule(), x1;

	(void)state;
	assert_rmi(CALL(PSMMU_ST_L2_CREATE, RIG_SMMU, RIG_PF, l2), ERROR_INPUT);
	assert_rmi(CALL(PSMMU_ACTIVATE, RIG_SMMU, rig_page()), ERROR_INPUT);
	assert_rmi(CALL(PSMMU_ACTIVATE, RIG_SMMU, l1), SUCCESS);
	assert_rmi(CALL(PSMMU_ACTIVATE, RIG_SMMU, rig_granule()), ERROR_DEVICE);
	assert_rmi(CALL(PSMMU_ST_L2_CREATE, RIG_SMMU + PHYS_PAGE, RIG_PF, l2), ERROR_INPUT);
	assert_rmi(CALL(PSMMU_ST_L2_CREATE, RIG_SMMU, 1u << 15, l2), ERROR_INPUT);
	assert_rmi(CALL(PSMMU_ST_L2_CREATE, RIG_SMMU, RIG_PF, l2), SUCCESS);
	assert_rmi(CALL(PSMMU_ST_L2_CREATE, RIG_SMMU, RIG_VF, rig_granule()), ERROR_PSMMU_ST);
	assert_int_equal(granule_state(l2), GRANULE_PSMMU_ST);
	/* IHI 0070 5.1: span 7 (64 entries) in 4:0, pointer above */
	assert_true(*(const uint64_t *)phys_ram(l1 + 8 * (RIG_PF >> 6), 8) == (l2 | 7));
	assert_rmi(CALL(PSMMU_DEACTIVATE, RIG_SMMU), ERROR_PSMMU_ST);
	assert_rmi(rig_call_out(RMI_PSMMU_ST_L2_DESTROY,
				(struct smc_args){ .x = { 0, RIG_SMMU, RIG_PF } }, &x1),
		   SUCCESS);
	assert_true(x1 == l2);
	assert_rmi(CALL(PSMMU_DEACTIVATE, RIG_SMMU), SUCCESS);
	assert_int_equal(granule_state(l1), GRANULE_DELEGATED);
}

static void commands(void **state)
{
	struct smc_args args = { .x = { 0 } };

	(void)state;
	assert_rmi(cca_rmi(LANE_TSM, (enum rmi_command)0xc4000001, &args), ERROR_NOT_SUPPORTED);
	assert_int_equal(RMI_GRANULE_RANGE_DELEGATE, 0xc40001f1);	/* DEN0137, RMM 2.0 */
	assert_int_equal(cca_inject(RMI_REALM_ACTIVATE, RMI_BUSY, 1), 0);
	rig.rd = 0;
	assert_rmi(CALL(REALM_ACTIVATE, 0), BUSY);
	assert_rmi(CALL(REALM_ACTIVATE, 0), ERROR_INPUT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(commands), TEST(R3_5_delegation), TEST(realm_states), TEST(R3_5_tables),
		TEST(R3_2_memory), TEST(R3_5_unprotected_half), TEST(R3_5_stream_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
