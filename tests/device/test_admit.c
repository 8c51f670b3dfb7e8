/* SPDX-License-Identifier: BSD-2-Clause */
/* TDISP's completer rules, PCIe 6.x 11.2.1: which MMIO TLPs a function serves. R3.5, R4.4. */
#include "rig.h"

enum page { TEE, TABLE, PBA, TEE_AFTER, BAR2, PAGES };

static const struct { unsigned int bar; uint64_t offset; } pages[PAGES] = {
	[TEE] = { 0, 0x0ff8 }, [TABLE] = { 0, 0x4000 }, [PBA] = { 0, 0x5000 },
	[TEE_AFTER] = { 0, 0x6000 }, [BAR2] = { 2, 0x1ffff8 },
};

static enum tlp_status access_as(
	uint16_t rid, unsigned int bar, uint64_t offset, uint64_t len, bool t, uint16_t stream)
{
	const struct function *fn = function_find(rid);
	uint8_t data[8192];
	struct tlp tlp = { .type = TLP_MEM_READ,
		.t = t,
		.stream = stream,
		.pasid = TLP_NO_PASID,
		.len = len,
		.data = data };

	return function_model_ops(fn->model)->admit(fn, bar, offset, &tlp);
}

struct rule { int state; bool msix_locked, t; uint16_t stream; enum tlp_status at[PAGES]; };

#define OK TLP_SC
#define NO TLP_UR
#define NONE TLP_NO_STREAM
static const struct rule rules[] = {
	/*                                             TEE table PBA TEE BAR2 */
	{ TDISP_UNLOCKED, false, false, NONE,		{ OK, OK, OK, OK, OK } },
	{ TDISP_UNLOCKED, false, true, STREAM,		{ NO, NO, NO, NO, NO } },
	{ TDISP_LOCKED, false, false, NONE,		{ NO, OK, OK, NO, NO } },
	{ TDISP_LOCKED, false, true, STREAM,		{ NO, OK, OK, NO, NO } },
	{ TDISP_LOCKED, true, false, NONE,		{ NO, NO, NO, NO, NO } },
	{ TDISP_LOCKED, true, true, STREAM,		{ NO, NO, NO, NO, NO } },
	{ TDISP_RUN, false, false, NONE,		{ NO, OK, OK, NO, NO } },
	{ TDISP_RUN, false, false, STREAM,		{ NO, OK, OK, NO, NO } },
	{ TDISP_RUN, false, true, STREAM,		{ OK, OK, OK, OK, OK } },
	{ TDISP_RUN, false, true, STREAM + 1,		{ NO, OK, OK, NO, NO } },
	{ TDISP_RUN, false, true, NONE,			{ NO, OK, OK, NO, NO } },
	{ TDISP_RUN, true, false, STREAM,		{ NO, NO, NO, NO, NO } },
	{ TDISP_RUN, true, true, STREAM,		{ OK, OK, OK, OK, OK } },
	{ TDISP_RUN, true, true, STREAM + 1,		{ NO, NO, NO, NO, NO } },
	{ TDISP_ERROR_STATE, false, false, NONE,	{ NO, OK, OK, NO, NO } },
	{ TDISP_ERROR_STATE, false, true, STREAM,	{ NO, OK, OK, NO, NO } },
	{ TDISP_ERROR_STATE, true, true, STREAM,	{ NO, NO, NO, NO, NO } },
};

static void R4_4_tee_ranges_by_state_t_and_stream(void **state)
{
	static const uint16_t rids[] = { PF, VF };

	(void)state;
	rig_stream();
	for (size_t i = 0; i < 2 * ARRAY_LEN(rules); i++) {
		const struct rule *r = &rules[i / 2];
		uint16_t rid = rids[i % 2];

		tdi_to(rid, r->state, r->msix_locked ? TDISP_LOCK_MSIX : 0);
		for (unsigned int p = 0; p < PAGES; p++) {
			enum tlp_status got =
				access_as(rid, pages[p].bar, pages[p].offset, 8, r->t, r->stream);

			if (got != r->at[p])
				print_error("rule %zu, page %u\n", i / 2, p);
			assert_int_equal(got, r->at[p]);
		}
		assert_int_equal(tdisp_send(rid, SESSION, TDISP_STOP, NULL, 0), 0);
	}
}

/* One TLP over two pages needs both. */
static void R3_5_straddling_accesses(void **state)
{
	(void)state;
	rig_stream();
	tdi_to(PF, TDISP_LOCKED, 0);
	assert_int_equal(access_as(PF, 0, 0x4000, 4096, false, NONE), TLP_SC);
	assert_int_equal(access_as(PF, 0, 0x3ffc, 8, false, NONE), TLP_UR);
	assert_int_equal(access_as(PF, 0, 0x5ffc, 8, false, NONE), TLP_UR);
	assert_int_equal(access_as(PF, 0, 0x4000, 0, false, NONE), TLP_UR);
}

/* A page that the guest turned into non-TEE memory is reached whatever T, as long as it is locked.
 */
static void updated_page_is_not_tee(void **state)
{
	uint8_t body[16] = { 0x01, 0, 0, 2, 0, 0, 0, 0, 1, 0, 0, 0, TDISP_RANGE_NON_TEE, 0, 2, 0 };

	(void)state;
	rig_stream();
	tdi_to(PF, TDISP_RUN, 0);
	assert_int_equal(access_as(PF, 2, 0x1000, 8, false, NONE), TLP_UR);
	assert_int_equal(tdisp_send(PF, SESSION, TDISP_SET_MMIO_ATTRIBUTE, body, 16), 0);
	assert_int_equal(access_as(PF, 2, 0x1000, 8, false, NONE), TLP_SC);
	assert_int_equal(access_as(PF, 2, 0x2000, 8, false, NONE), TLP_UR);
}

/* The PF's lock does not touch its VF, nor the other way round. */
static void pf_and_vf_are_apart(void **state)
{
	(void)state;
	rig_stream();
	tdi_to(VF, TDISP_RUN, 0);
	assert_int_equal(access_as(VF, 0, 0, 8, true, STREAM), TLP_SC);
	assert_int_equal(access_as(PF, 0, 0, 8, false, NONE), TLP_SC);
	assert_int_equal(access_as(PF, 0, 0, 8, true, STREAM), TLP_UR);
	tdi_to(PF, TDISP_LOCKED, 0);
	assert_int_equal(access_as(VF, 0, 0, 8, true, STREAM), TLP_SC);
	assert_int_equal(access_as(PF, 0, 0, 8, false, NONE), TLP_UR);
}

/* The same through the bus: a host kernel that maps what it should not gets ones. */
static void R4_4_a_bad_host_reads_ones(void **state)
{
	uint32_t value = 0, id;
	struct tlp tlp = { .type = TLP_MEM_READ, .pasid = TLP_NO_PASID, .len = 4, .data = &value };

	(void)state;
	config_write(PF, 4, 2, 0x6);
	rig_stream();
	tlp.address = function_find(PF)->bar[0].hpa + ENGINE_ID;
	assert_int_equal(tlp_mmio(&tlp), TLP_SC);
	assert_int_equal(value, 0x54494f31);
	id = value;
	tdi_to(PF, TDISP_RUN, 0);
	assert_int_equal(tlp_mmio(&tlp), TLP_UR);
	assert_int_equal(value, 0xffffffff);
	tlp.t = true;
	assert_int_equal(tlp_mmio(&tlp), TLP_SC);
	assert_int_equal(value, id);
	assert_int_equal(tdisp_send(PF, SESSION, TDISP_STOP, NULL, 0), 0);
	assert_int_equal(tlp_mmio(&tlp), TLP_UR);		/* T13 */
	tlp.t = false;
	assert_int_equal(tlp_mmio(&tlp), TLP_SC);
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_up, rig_down)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(R4_4_tee_ranges_by_state_t_and_stream),
		T(R3_5_straddling_accesses),
		T(updated_page_is_not_tee),
		T(pf_and_vf_are_apart),
		T(R4_4_a_bad_host_reads_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
