/* SPDX-License-Identifier: BSD-2-Clause */
/* What takes a locked TDI to ERROR, and what does not: PCIe 6.x 11.4, every cause. */
#include "rig.h"

enum where {
	HEADER,
	PCIE,
	PM,
	MSIX,
	MSIX_UNLOCKED,
	ATS,
	PASID,
	PRI,
	SRIOV,
	AER,
	IDE_BLOCK0,
	IDE_BLOCK1
};

struct cause_case {
	const char *what;
	uint16_t rid;
	enum where where;
	uint16_t at, size;
	uint32_t set, clear;	/* bits of the register */
	const char *pf, *vf;	/* cause, or NULL: still RUN */
};

static const struct cause_case cases[] = {
	/* 1: Command */
	{ "MSE", PF, HEADER, 0x04, 2, 0, 0x2, "Memory Space Enable cleared", NULL },
	{ "BME", PF, HEADER, 0x04, 2, 0, 0x4, "Bus Master Enable cleared", NULL },
	{ "BME of the VF", VF, HEADER, 0x04, 2, 0, 0x4, NULL, "Bus Master Enable cleared" },
	{ "SERR", PF, HEADER, 0x04, 2, 0x100, 0, NULL, NULL },
	{ "command unchanged", PF, HEADER, 0x04, 2, 0, 0, NULL, NULL },
	/* 2: BARs */
	{ "BAR0", PF, HEADER, 0x10, 4, 0x00400000, 0, "BAR changed", NULL },
	{ "BAR2 upper half", PF, HEADER, 0x1c, 4, 0x1, 0, "BAR changed", NULL },
	{ "BAR0, same value", PF, HEADER, 0x10, 4, 0, 0, NULL, NULL },
	/* 4: Device Control */
	{ "extended tag", PF, PCIE, 0x08, 2, 0x100, 0, "Device Control changed", NULL },
	{ "phantom", PF, PCIE, 0x08, 2, 0x200, 0, "Device Control changed", NULL },
	{ "no snoop, as one byte", PF, PCIE, 0x09, 1, 0, 0x8, "Device Control changed", NULL },
	{ "payload size", PF, PCIE, 0x08, 2, 0x20, 0, NULL, NULL },
	{ "10-bit tags", PF, PCIE, 0x28, 2, 0x1000, 0, "Device Control changed", NULL },
	{ "completion timeout", PF, PCIE, 0x28, 2, 0x1, 0, NULL, NULL },
	{ "link control", PF, PCIE, 0x10, 2, 0x40, 0, NULL, NULL },
	/* 5: power */
	{ "D3hot", PF, PM, 0x04, 2, 0x3, 0, "power state lost", "power state lost" },
	/* 6: MSI-X */
	{ "MSI-X enable, locked", PF, MSIX, 0x02, 2, 0x8000, 0, "locked MSI-X changed", NULL },
	{ "MSI-X mask of the VF, locked", VF, MSIX, 0x02, 2, 0x4000, 0, NULL,
		"locked MSI-X changed" },
	{ "MSI-X enable, not locked", PF, MSIX_UNLOCKED, 0x02, 2, 0x8000, 0, NULL, NULL },
	/* 7: capabilities */
	{ "PASID", PF, PASID, 0x06, 2, 0x1, 0, "PASID capability changed",
		"PASID capability changed" },
	{ "PRI", PF, PRI, 0x04, 2, 0x1, 0, "PRI capability changed", "PRI capability changed" },
	{ "VF page size", PF, SRIOV, 0x20, 4, 0, 0x1, "SR-IOV capability changed",
		"SR-IOV capability changed" },
	{ "ATS", PF, ATS, 0x06, 2, 0x8000, 0, NULL, NULL },
	{ "AER mask", PF, AER, 0x08, 4, 0x10, 0, NULL, NULL },
	/* 8: IDE */
	{ "stream control", PF, IDE_BLOCK0, 0x04, 4, 1u << 19, 0, "bound IDE stream reconfigured",
		"bound IDE stream reconfigured" },
	{ "stream id", PF, IDE_BLOCK0, 0x07, 1, 0x40, 0, "bound IDE stream insecure",
		"bound IDE stream insecure" },
	{ "stream enable", PF, IDE_BLOCK0, 0x04, 4, 0, 0x1, "bound IDE stream insecure",
		"bound IDE stream insecure" },
	{ "RID range", PF, IDE_BLOCK0, 0x0c, 4, 0x00ff0000, 0, "bound IDE stream reconfigured",
		"bound IDE stream reconfigured" },
	{ "address association", PF, IDE_BLOCK0, 0x14, 4, 0x00100001, 0,
		"bound IDE stream reconfigured", "bound IDE stream reconfigured" },
	{ "stream status", PF, IDE_BLOCK0, 0x08, 4, 0x80000000, 0, NULL, NULL },
	{ "another stream", PF, IDE_BLOCK1, 0x0c, 4, 0x100, 0, NULL, NULL },
};

static unsigned int base_of(const struct cause_case *c)
{
	const struct function *fn = function_find(c->rid);

	switch (c->where) {
	case PCIE:
		return fn->cap_pcie;
	case PM:
		return fn->cap_pm;
	case MSIX:
	case MSIX_UNLOCKED:
		return fn->cap_msix;
	case ATS:
		return fn->cap_ats;
	case PASID:
		return fn->cap_pasid;
	case PRI:
		return function_find_ext_cap(fn, 0x13);
	case SRIOV:
		return fn->cap_sriov;
	case AER:
		return function_find_ext_cap(fn, 0x01);
	case IDE_BLOCK0:
		return rig_block(c->rid, 0);
	case IDE_BLOCK1:
		return rig_block(c->rid, 1);
	default:
		return 0;
	}
}

static void expect(const char *what, uint16_t rid, const char *cause)
{
	int want = cause ? TDISP_ERROR_STATE : TDISP_RUN;

	if (tdi_state(rid) != want || strcmp(tdi_cause(rid), cause ? cause : ""))
		print_error("%s: %04x is %d, \"%s\"\n", what, rid, tdi_state(rid), tdi_cause(rid));
	assert_int_equal(tdi_state(rid), want);
	assert_string_equal(tdi_cause(rid), cause ? cause : "");
}

static void both_run(uint16_t flags)
{
	config_write(PF, 0x04, 2, 0x6);
	config_write(VF, 0x04, 2, 0x4);
	rig_stream();
	tdi_to(PF, TDISP_RUN, flags);
	tdi_to(VF, TDISP_RUN, flags);
}

static void R3_4_config_writes_that_break_a_tdi(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct cause_case *c = &cases[i];
		unsigned int at;
		uint32_t old;

		if (i) {	/* the first machine is the fixture's */
			rig_down(state);
			assert_int_equal(rig_up(state), 0);
		}
		both_run(c->where == MSIX ? TDISP_LOCK_MSIX : 0);
		at = base_of(c) + c->at;
		old = config_read(c->rid, at, c->size);
		config_write(c->rid, at, c->size, (old | c->set) & ~c->clear);
		/* The write completes in any case. */
		if (c->pf || c->vf)
			assert_int_not_equal(config_read(c->rid, at, c->size), old);
		expect(c->what, PF, c->pf);
		expect(c->what, VF, c->vf);
		assert_int_equal(tdisp_send(PF, SESSION, TDISP_STOP, NULL, 0), 0);
		assert_int_equal(tdisp_send(VF, SESSION, TDISP_STOP, NULL, 0), 0);
		assert_int_equal(tdi_state(PF), TDISP_UNLOCKED);
	}
}

/* Capabilities this device does not have, put there to prove their rows. */
static const struct { bool ext; uint16_t id, at; bool vf; const char *cause; } other_caps[] = {
	{ false, 0x14, 4, true, "Enhanced Allocation changed" },
	{ true, 0x0e, 6, true, "ARI capability changed" },
	{ true, 0x15, 8, false, "Resizable BAR changed" },
	{ true, 0x24, 8, true, "VF Resizable BAR changed" },
	{ true, 0x12, 6, true, "Multicast capability changed" },
	{ true, 0x2f, 8, false, "Device Control changed" },
};

static void R3_4_capabilities_of_other_devices(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(other_caps); i++) {
		const struct function *pf;
		unsigned int at;

		if (i) {
			rig_down(state);
			assert_int_equal(rig_up(state), 0);
		}
		pf = function_find(PF);
		at = other_caps[i].ext ? config_add_ext_cap(pf, other_caps[i].id, 1, 0x10) :
			config_add_cap(pf, (uint8_t)other_caps[i].id, 0x10);
		assert_int_not_equal(at, 0);
		config_set(pf, at + other_caps[i].at, 2, 0, 0xffff);
		both_run(0);
		config_write(PF, at + other_caps[i].at, 2, 0x4);
		expect(other_caps[i].cause, PF, other_caps[i].cause);
		expect(other_caps[i].cause, VF, other_caps[i].vf ? other_caps[i].cause : NULL);
	}
}

/* This device's ROM BAR and BIST are read-only: the tracker is told as if they were not. */
static void rom_bar_and_bist(void **state)
{
	const struct function_ops *ops = function_model_ops(function_find(PF)->model);

	(void)state;
	both_run(0);
	config_write(PF, 0x30, 4, 0xfffff801);
	config_write(PF, 0x0f, 1, 0x40);
	expect("read-only", PF, NULL);
	ops->config_written(function_find(PF), 0x30, 4, 0, 0x10000001);
	expect("ROM", PF, "Expansion ROM BAR changed");
	ops->config_written(function_find(VF), 0x0c, 4, 0, 0x40000000);
	expect("BIST", VF, "BIST changed");
}

static void R3_4_flr_goes_to_error_and_unbind_still_works(void **state)
{
	unsigned int devctl;

	(void)state;
	both_run(0);
	config_write(VF, function_find(VF)->cap_pcie + 8u, 2, 0x8000);
	expect("FLR of the VF", VF, "FLR");
	expect("FLR of the VF", PF, NULL);
	assert_int_equal(tdisp_send(VF, SESSION, TDISP_STOP, NULL, 0), 0);
	config_write(VF, 0x04, 2, 0x4);
	tdi_to(VF, TDISP_LOCKED, 0);
	devctl = function_find(PF)->cap_pcie + 8u;
	config_write(PF, devctl, 2, config_read(PF, devctl, 2) | 0x8000);
	expect("FLR of the PF", PF, "FLR");
	expect("FLR of the PF", VF, "FLR of the PF");
	assert_null(function_find(VF)); /* VF Enable is clear: the TDI outlives its function */
	assert_int_equal(tdisp_send(VF, SESSION, TDISP_GET_STATE, NULL, 0), 0);
	assert_int_equal(tdisp_reply[16], TDISP_ERROR_STATE);
	assert_int_equal(tdisp_send(VF, SESSION, TDISP_STOP, NULL, 0), 0);
	assert_int_equal(
		tdisp_send(VF, SESSION, TDISP_GET_STATE, NULL, 0), TDISP_INVALID_INTERFACE);
	assert_int_equal(tdisp_send(PF, SESSION, TDISP_STOP, NULL, 0), 0);
	assert_true(
		ide_km_keyed(dsm_of(PF), SESSION, STREAM)); /* FLR leaves session and IDE alone */
}

static void an_unlocked_tdi_is_free(void **state)
{
	(void)state;
	rig_stream();
	config_write(PF, 0x04, 2, 0x6);
	config_write(PF, 0x04, 2, 0);
	config_write(PF, 0x10, 4, 0xffffffff);
	function_reset(function_find(PF), RESET_FLR);
	assert_int_equal(tdi_state(PF), TDISP_UNLOCKED);
}

/* 8: the stream goes insecure; X9: and STOP still succeeds. */
static void X9_insecure_stream(void **state)
{
	(void)state;
	both_run(0);
	assert_int_equal(device_inject(PF, DEVICE_FAULT_INSECURE, 1), 0);
	expect("insecure", PF, "bound IDE stream insecure");
	expect("insecure", VF, "bound IDE stream insecure");
	assert_int_equal(tdisp_send(PF, SESSION, TDISP_STOP, NULL, 0), 0);
	assert_int_equal(tdisp_send(VF, SESSION, TDISP_STOP, NULL, 0), 0);
}

static void insecure_from_the_root_port(void **state)
{
	(void)state;
	both_run(0);
	ide_registers(PORT, 0, STREAM, PF, VF, 0);	/* the host clears Enable at its end */
	ide_fail(PORT, STREAM);
	expect("root port", PF, "bound IDE stream insecure");
}

/* 9 */
static void session_end_takes_keys_and_tdis(void **state)
{
	(void)state;
	both_run(0);
	ide_km_session_ended(dsm_of(PF), SESSION + 1);
	expect("another session", PF, NULL);
	dsm_session_end(dsm_of(PF), SESSION);
	expect("session", PF, "SPDM session ended");
	expect("session", VF, "SPDM session ended");
	assert_false(ide_secure(PF, STREAM));
	assert_false(ide_keys_programmed(PF, STREAM));
	assert_int_equal(tdisp_send(PF, SESSION + 1, TDISP_STOP, NULL, 0), 0);
	assert_int_equal(tdisp_lock_at(PF, SESSION + 1, 0, STREAM, 0), TDISP_INVALID_REQUEST);
}

/* 10 */
static void bus_number_change(void **state)
{
	(void)state;
	both_run(0);
	config_write(PORT, 0x1a, 1, 0x20);	/* subordinate only */
	expect("subordinate", PF, NULL);
	config_write(PORT, 0x19, 1, 0x02);
	expect("secondary", PF, "requester id changed");
	expect("secondary", VF, "requester id changed");
}

/* 11, 12 */
static void integrity_debug_and_firmware_update(void **state)
{
	uint8_t before[SPDM_HASH];

	(void)state;
	both_run(0);
	memcpy(before, dsm_of(PF)->measurement[0], sizeof(before));
	assert_int_equal(device_firmware_update(PF), 0);
	assert_memory_not_equal(before, dsm_of(PF)->measurement[0], sizeof(before));
	expect("firmware update", PF, NULL);
	assert_int_equal(device_inject(PF, DEVICE_FAULT_INTEGRITY, 1), 0);
	expect("integrity", PF, "integrity error");
	expect("integrity", VF, NULL);
	assert_int_equal(tdisp_send(VF, SESSION, TDISP_STOP, NULL, 0), 0);
	tdi_to(VF, TDISP_LOCKED, TDISP_LOCK_NO_FW_UPDATE);
	assert_int_equal(device_firmware_update(PF), -EACCES);
	assert_int_equal(tdi_state(VF), TDISP_LOCKED);
	assert_int_equal(device_inject(VF, DEVICE_FAULT_DEBUG_UNLOCK, 1), 0);
	expect("debug", VF, "debug unlocked");
	assert_false(ide_secure(PF, STREAM));
	assert_int_equal(device_firmware_update(PORT), -ENOENT);
}

static void conventional_reset_unlocks_and_forgets(void **state)
{
	(void)state;
	both_run(0);
	function_reset(function_find(PORT), RESET_HOT);
	assert_int_equal(tdi_state(PF), TDISP_UNLOCKED);
	assert_false(ide_km_keyed(dsm_of(PF), SESSION, STREAM));
	assert_false(ide_keys_programmed(PF, STREAM));
	assert_int_equal(spdm_responder_session_id(dsm_of(PF)->responder), 0);
	assert_int_equal(dsm_of(PF)->key_session, 0);
}

/* From ERROR, nothing but asking and stopping: T12. */
static void T12_error_is_sticky(void **state)
{
	(void)state;
	both_run(0);
	config_write(PF, 0x04, 2, 0x4);
	config_write(PF, 0x04, 2, 0x6);
	config_write(PF, 0x04, 2, 0x2);
	expect("first cause stays", PF, "Memory Space Enable cleared");
	assert_int_equal(tdisp_lock(PF, 0), TDISP_INVALID_INTERFACE_STATE);
}

static void injections_by_name(void **state)
{
	(void)state;
	assert_int_equal(device_fault_by_name("no-entropy"), DEVICE_FAULT_NO_ENTROPY);
	assert_int_equal(device_fault_by_name("debug-unlock"), DEVICE_FAULT_DEBUG_UNLOCK);
	assert_int_equal(device_fault_by_name("nonsense"), -EINVAL);
	assert_int_equal(device_inject(PF, DEVICE_FAULT_MAX, 1), -EINVAL);
	assert_int_equal(device_inject(PORT, DEVICE_FAULT_NO_ENTROPY, 1), -ENOENT);
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_up, rig_down)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(R3_4_config_writes_that_break_a_tdi),
		T(R3_4_capabilities_of_other_devices),
		T(rom_bar_and_bist),
		T(R3_4_flr_goes_to_error_and_unbind_still_works),
		T(an_unlocked_tdi_is_free),
		T(X9_insecure_stream),
		T(insecure_from_the_root_port),
		T(session_end_takes_keys_and_tdis),
		T(bus_number_change),
		T(integrity_debug_and_firmware_update),
		T(conventional_reset_unlocks_and_forgets),
		T(T12_error_is_sticky),
		T(injections_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
