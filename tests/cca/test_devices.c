/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PDEVs, streams in lock-step and VDEVs (R3.2, R3.5, R4.6): which command is taken in which state, who
 * waits for whom, what an abort does, and what a mapping must be of.
 */
#include "cca/rig.h"

#define IPA 0x40000000ull

int main(void);

static void pdev_states(void **state)
{
	uint64_t key = rig_page();

	(void)state;
	rig_worker(&rig.ep);
	rig.ep.pdev = rig_granule();
	assert_rmi(CALL(PDEV_CREATE, rig_page(), rig_pdev_params(RIG_PF, true)), ERROR_INPUT);
	assert_rmi(CALL(PDEV_CREATE, rig.ep.pdev, rig_pdev_params(0xff00, true)), ERROR_INPUT);
	assert_rmi(CALL(PDEV_CREATE, rig.ep.pdev, rig_pdev_params(RIG_PF, true)), SUCCESS);
	assert_int_equal(rig_pdev_state(&rig.ep), PDEV_NEW);
	assert_rmi(CALL(PDEV_CREATE, rig_granule(), rig_pdev_params(RIG_PF, true)), ERROR_DEVICE);
	assert_rmi(CALL(PDEV_SET_PUBKEY, rig.ep.pdev, key), ERROR_DEVICE);	/* not asked for yet */
	assert_rmi(CALL(PDEV_DESTROY, rig.ep.pdev), ERROR_DEVICE);
	assert_rmi(CALL(PDEV_COMMUNICATE, rig.ep.pdev, rig.ep.pdev), ERROR_INPUT);
	assert_rmi(rig_talk(&rig.ep), SUCCESS);
	assert_int_equal(rig_pdev_state(&rig.ep), PDEV_NEEDS_KEY);
	assert_true(rig.chain_len > 0);
	assert_rmi(CALL(PDEV_COMMUNICATE, rig.ep.pdev, rig.ep.page), ERROR_DEVICE);	/* nothing begun */
	assert_rmi(CALL(PDEV_SET_PUBKEY, rig.ep.pdev, key), ERROR_INPUT);	/* no key in it */
	key = rig_key();
	rig_poke(key + PUBKEY_ALGORITHM, 7);
	assert_rmi(CALL(PDEV_SET_PUBKEY, rig.ep.pdev, key), ERROR_INPUT);
	rig_poke(key + PUBKEY_ALGORITHM, PUBKEY_ECDSA_P384);
	assert_rmi(CALL(PDEV_SET_PUBKEY, rig.ep.pdev, key), SUCCESS);
	assert_int_equal(rig_pdev_state(&rig.ep), PDEV_HAS_KEY);
	assert_rmi(rig_talk(&rig.ep), SUCCESS);
	assert_int_equal(rig_pdev_state(&rig.ep), PDEV_READY);
	assert_rmi(CALL(PDEV_STOP, rig.ep.pdev), SUCCESS);
	assert_rmi(CALL(PDEV_STOP, rig.ep.pdev), ERROR_DEVICE);
	assert_rmi(rig_talk(&rig.ep), SUCCESS);
	assert_int_equal(rig_pdev_state(&rig.ep), PDEV_STOPPED);
	assert_rmi(CALL(PDEV_DESTROY, rig.ep.pdev), SUCCESS);
	assert_int_equal(granule_state(rig.ep.pdev), GRANULE_DELEGATED);
}

/* A key that is not the device's: its signature does not verify, and there is no session. */
static void R3_5_wrong_key(void **state)
{
	uint64_t key;

	(void)state;
	rig_worker(&rig.ep);
	rig.ep.pdev = rig_granule();
	assert_rmi(CALL(PDEV_CREATE, rig.ep.pdev, rig_pdev_params(RIG_PF, true)), SUCCESS);
	assert_rmi(rig_talk(&rig.ep), SUCCESS);
	/* The curve's generator is a point, and nobody's key here. */
	static const uint8_t g[96] = {
		0xaa, 0x87, 0xca, 0x22, 0xbe, 0x8b, 0x05, 0x37, 0x8e, 0xb1, 0xc7, 0x1e, 0xf3, 0x20,
		0xad, 0x74, 0x6e, 0x1d, 0x3b, 0x62, 0x8b, 0xa7, 0x9b, 0x98, 0x59, 0xf7, 0x41, 0xe0,
		0x82, 0x54, 0x2a, 0x38, 0x55, 0x02, 0xf2, 0x5d, 0xbf, 0x55, 0x29, 0x6c, 0x3a, 0x54,
		0x5e, 0x38, 0x72, 0x76, 0x0a, 0xb7, 0x36, 0x17, 0xde, 0x4a, 0x96, 0x26, 0x2c, 0x6f,
		0x5d, 0x9e, 0x98, 0xbf, 0x92, 0x92, 0xdc, 0x29, 0xf8, 0xf4, 0x1d, 0xbd, 0x28, 0x9a,
		0x14, 0x7c, 0xe9, 0xda, 0x31, 0x13, 0xb5, 0xf0, 0xb8, 0xc0, 0x0a, 0x60, 0xb1, 0xce,
		0x1d, 0x7e, 0x81, 0x9d, 0x7a, 0x43, 0x1d, 0x7c, 0x90, 0xea, 0x0e, 0x5f,
	};
	key = rig_key();
	assert_int_equal(phys_write(key, g, sizeof(g), 0), 0);
	assert_rmi(CALL(PDEV_SET_PUBKEY, rig.ep.pdev, key), SUCCESS);
	assert_rmi(rig_talk(&rig.ep), ERROR_DEVICE);
	assert_int_equal(rig_pdev_state(&rig.ep), PDEV_ERROR);
}

/* Each end waits for the other at the named points; keys are secure only when both are through. */
static void R3_5_lock_step(void **state)
{
	unsigned int carried;

	(void)state;
	rig_pdevs();
	rig_stream_connect();
	carried = rig.requests;
	assert_rmi(rig_talk(&rig.ep), SUCCESS);		/* the endpoint first: there are no keys yet */
	assert_true(rig.ep.waits);
	assert_int_equal(rig.requests, carried);
	assert_rmi(CALL(PDEV_STREAM_COMPLETE, rig.stream), ERROR_DEVICE);
	assert_rmi(rig_talk(&rig.rp), SUCCESS);		/* keys made; now the endpoint must be told */
	assert_true(rig.rp.waits);
	assert_rmi(rig_talk(&rig.rp), SUCCESS);
	assert_true(rig.rp.waits);
	assert_rmi(rig_talk(&rig.ep), SUCCESS);		/* six KEY_PROG, three K_SET_GO */
	assert_true(rig.ep.waits);
	assert_int_equal(rig.requests, carried + 9);
	assert_false(ide_secure(RIG_PORT, RIG_STREAM));
	assert_rmi(rig_talk(&rig.rp), SUCCESS);
	assert_true(rig.rp.idle);
	assert_rmi(rig_talk(&rig.ep), SUCCESS);
	assert_true(rig.ep.idle);
	assert_int_equal(rig.requests, carried + 12);
	assert_rmi(CALL(PDEV_STREAM_COMPLETE, rig.stream), ERROR_DEVICE);	/* not enabled */
	rig_stream_registers(true);
	assert_rmi(CALL(PDEV_STREAM_COMPLETE, rig.stream), SUCCESS);
	assert_true(ide_secure(RIG_PORT, RIG_STREAM));
	assert_rmi(CALL(PDEV_STOP, rig.ep.pdev), ERROR_DEVICE);			/* a stream is left */
	assert_rmi(CALL(PDEV_STREAM_CONNECT, rig_stream_params()), ERROR_DEVICE);
	rig_stream_op(RMI_PDEV_STREAM_DISCONNECT);
	assert_rmi(CALL(PDEV_STREAM_COMPLETE, rig.stream), ERROR_INPUT);	/* gone */
}

/* A peer that never comes: the one that waits is released by an abort of the other, and both try again. */
static void R3_3_abort_releases(void **state)
{
	uint64_t connected = 9;

	(void)state;
	rig_pdevs();
	rig_stream_connect();
	assert_rmi(rig_talk(&rig.rp), SUCCESS);
	assert_true(rig.rp.waits);
	assert_rmi(CALL(PDEV_ABORT, rig.ep.pdev), SUCCESS);
	assert_rmi(rig_talk(&rig.rp), ERROR_DEVICE);
	assert_rmi(rig_call_out(RMI_PDEV_STREAM_COMPLETE,
				(struct smc_args){ .x = { 0, rig.stream } }, &connected),
		   SUCCESS);
	assert_int_equal(connected, 0);
	assert_false(ide_secure(RIG_PORT, RIG_STREAM));
}

static void vdev_creation(void **state)
{
	uint64_t granule = rig_granule(), good;

	(void)state;
	rig_realm();
	rig_pdevs();
	good = rig_vdev_params(0x18, rig_bar(0), rig_bar(4));
	assert_rmi(CALL(VDEV_CREATE, rig.rd, rig.ep.pdev, granule, good), ERROR_DEVICE); /* no stream */
	assert_rmi(CALL(PSMMU_ACTIVATE, RIG_SMMU, rig_granule()), SUCCESS);
	rig_stream_connect();
	rig_both();
	rig_stream_registers(true);
	assert_rmi(CALL(PDEV_STREAM_COMPLETE, rig.stream), SUCCESS);
	assert_rmi(CALL(VDEV_CREATE, rig.rd, rig.ep.pdev, granule, good), ERROR_INPUT);	/* no STE */
	assert_rmi(CALL(PSMMU_ST_L2_CREATE, RIG_SMMU, RIG_PF, rig_granule()), SUCCESS);
	assert_rmi(CALL(VDEV_CREATE, rig.rd, rig.ep.pdev, rig_page(), good), ERROR_INPUT);
	assert_rmi(CALL(VDEV_CREATE, rig.rd, rig.rp.pdev, granule, good), ERROR_DEVICE);
	assert_rmi(CALL(VDEV_CREATE, rig.rd, rig.ep.pdev, granule,
			rig_vdev_params(0x18, rig_bar(0) + 8, rig_bar(4))),
		   ERROR_INPUT);
	assert_rmi(CALL(VDEV_CREATE, rig.rd, rig.ep.pdev, granule,
			rig_vdev_params(0x18, rig_page(), rig_bar(4))),
		   ERROR_INPUT);
	assert_rmi(CALL(VDEV_CREATE, rig.rd, rig.ep.pdev, granule, good), SUCCESS);
	assert_rmi(CALL(VDEV_CREATE, rig.rd, rig.ep.pdev, rig_granule(), good), ERROR_DEVICE);
	assert_rmi(CALL(REALM_DESTROY, rig.rd), ERROR_REALM);
	assert_rmi(CALL(PDEV_STREAM_DISCONNECT, rig.stream), ERROR_DEVICE);
}

enum operation { LOCK, START, MEASURE, REPORT, UNLOCK, OPERATIONS };
static const enum rmi_command commands[OPERATIONS] = {
	RMI_VDEV_LOCK, RMI_VDEV_START, RMI_VDEV_GET_MEASUREMENTS, RMI_VDEV_GET_INTERFACE_REPORT,
	RMI_VDEV_UNLOCK
};

/* Refused as the row says, or begun: then carried to its end and the state checked. */
static uint64_t operate(enum operation operation)
{
	struct smc_args args = { .x = { 0, rig.rd, rig.ep.pdev, rig.vdev.vdev } };

	return cca_rmi(LANE_TSM, commands[operation], &args);
}

/* What the specification has for each state (operands.h). */
static void R3_2_vdev_machine(void **state)
{
	static const struct { enum vdev_state in; bool takes[OPERATIONS]; } rows[] = {
		/*			LOCK   START  MEASURE REPORT UNLOCK */
		{ VDEV_UNLOCKED,	{ true,  false, true,  false, false } },
		{ VDEV_LOCKED,		{ false, true,  true,  true,  true } },
		{ VDEV_STARTED,		{ false, false, true,  true,  true } },
	};
	static const enum operation on[] = { LOCK, START, UNLOCK };

	(void)state;
	rig_vdev();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(rig_vdev_state(), rows[i].in);
		for (unsigned int op = 0; op < OPERATIONS; op++) {
			if (!rows[i].takes[op])
				assert_rmi(operate((enum operation)op), ERROR_DEVICE);
			else if (op == MEASURE || op == REPORT)
				assert_rmi(operate((enum operation)op) ?: rig_talk(&rig.vdev), SUCCESS);
			assert_int_equal(rig_vdev_state(), rows[i].in);
		}
		assert_rmi(operate(on[i]), SUCCESS);
		/* one at a time, and the host cannot leave in the middle */
		assert_rmi(operate(MEASURE), ERROR_DEVICE);
		if (rows[i].in == VDEV_UNLOCKED)
			assert_rmi(VDEV(VDEV_DESTROY), ERROR_DEVICE);
		assert_rmi(rig_talk(&rig.vdev), SUCCESS);
	}
	/* VDEV_KROU: new keys for the stream, and the old ones gone, before it is anybody else's */
	assert_int_equal(rig_vdev_state(), VDEV_KEY_REFRESH);
	assert_rmi(VDEV(VDEV_DESTROY), ERROR_DEVICE);
	assert_rmi(operate(LOCK), ERROR_DEVICE);
	rig_stream_op(RMI_PDEV_STREAM_KEY_REFRESH);
	assert_int_equal(rig_vdev_state(), VDEV_KEY_PURGE);
	rig_stream_op(RMI_PDEV_STREAM_KEY_PURGE);
	assert_int_equal(rig_vdev_state(), VDEV_UNLOCKED);
	assert_rmi(VDEV(VDEV_DESTROY), SUCCESS);
	assert_rmi(VDEV(VDEV_DESTROY), ERROR_INPUT);
	assert_int_equal(granule_state(rig.vdev.vdev), GRANULE_DELEGATED);
}

static void R3_5_nonces_of_a_lock(void **state)
{
	struct cca_vdev_view first, second;

	(void)state;
	rig_vdev();
	assert_rmi(operate(LOCK) ?: rig_talk(&rig.vdev), SUCCESS);
	assert_int_equal(cca_vdev_view(RIG_VF, &first), 0);
	assert_rmi(operate(REPORT) ?: rig_talk(&rig.vdev), SUCCESS);
	assert_int_equal(cca_vdev_view(RIG_VF, &second), 0);
	assert_true(second.report_nonce != first.report_nonce);
	assert_true(second.lock_nonce == first.lock_nonce);
	assert_rmi(operate(UNLOCK) ?: rig_talk(&rig.vdev), SUCCESS);
	rig_stream_op(RMI_PDEV_STREAM_KEY_REFRESH);
	rig_stream_op(RMI_PDEV_STREAM_KEY_PURGE);
	assert_rmi(operate(LOCK) ?: rig_talk(&rig.vdev), SUCCESS);
	assert_int_equal(cca_vdev_view(RIG_VF, &second), 0);
	assert_true(second.lock_nonce > first.lock_nonce);
}

static uint64_t dev_map(uint64_t ipa, uint64_t hpa)
{
	return CALL(RTT_DEV_MAP, rig.rd, rig.vdev.vdev, ipa, ipa + PHYS_PAGE, RMI_ADDR_SINGLE, hpa);
}

static void R4_6_device_memory(void **state)
{
	uint64_t x1 = 0, ram;
	struct cca_vdev_view view;

	(void)state;
	rig_vdev();
	ram = rig_granule();
	rig_tables(IPA, 3);
	assert_rmi(dev_map(IPA, rig_bar(0)), ERROR_INPUT);		/* not delegated */
	assert_rmi(CALL(GRANULE_RANGE_DELEGATE, rig_bar(0), rig_bar(5)), SUCCESS);
	assert_rmi(dev_map(IPA, rig_bar(4)), ERROR_DEVICE);		/* behind its ranges */
	assert_rmi(dev_map(IPA, ram), ERROR_INPUT);			/* no device memory */
	assert_rmi(dev_map(CCA_UNPROTECTED, rig_bar(0)), ERROR_INPUT);
	assert_rmi(dev_map(IPA, rig_bar(0)), SUCCESS);
	assert_int_equal(granule_state(rig_bar(0)), GRANULE_DEV);
	assert_rmi(dev_map(IPA, rig_bar(1)), ERROR_RTT);		/* taken */
	assert_rmi(dev_map(IPA + PHYS_PAGE, rig_bar(0)), ERROR_INPUT);	/* mapped elsewhere */
	assert_rmi(CALL(RTT_DEV_VALIDATE, rig.rd, rig.rec, rig.ep.pdev, rig.vdev.vdev, IPA,
			IPA + PHYS_PAGE),
		   ERROR_REC);						/* the Realm asked nothing */
	assert_rmi(CALL(GRANULE_RANGE_UNDELEGATE, rig_bar(0), rig_bar(1)), ERROR_GRANULE);
	assert_int_equal(cca_vdev_view(RIG_VF, &view), 0);
	assert_int_equal(view.mapped, 1);
	assert_rmi(operate(LOCK) ?: rig_talk(&rig.vdev), SUCCESS);
	/* C1: no unlock while a granule is mapped, and which one it is */
	assert_rmi(rig_call_out(RMI_VDEV_UNLOCK,
				(struct smc_args){ .x = { 0, rig.rd, rig.ep.pdev, rig.vdev.vdev } },
				&x1),
		   ERROR_GRANULE);
	assert_true(x1 == rig_bar(0));
	assert_int_equal(rig_vdev_state(), VDEV_LOCKED);
	assert_rmi(CALL(RTT_DEV_UNMAP, rig.rd, IPA, IPA + PHYS_PAGE), SUCCESS);
	assert_int_equal(granule_state(rig_bar(0)), GRANULE_DELEGATED);
	assert_rmi(operate(UNLOCK) ?: rig_talk(&rig.vdev), SUCCESS);
}

/* An operation given up leaves the VDEV in ERROR, out of which an unlock leads. */
static void R3_3_vdev_abort(void **state)
{
	(void)state;
	rig_vdev();
	assert_rmi(operate(LOCK), SUCCESS);
	assert_rmi(rig_turn(&rig.vdev), SUCCESS);
	assert_rmi(CALL(VDEV_ABORT, rig.vdev.vdev), SUCCESS);
	assert_int_equal(rig_vdev_state(), VDEV_ERROR);
	assert_rmi(operate(LOCK), ERROR_DEVICE);
	assert_rmi(VDEV(VDEV_DESTROY), ERROR_DEVICE);
	assert_rmi(operate(UNLOCK), SUCCESS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(pdev_states), TEST(R3_5_wrong_key), TEST(R3_5_lock_step),
		TEST(R3_3_abort_releases), TEST(vdev_creation), TEST(R3_2_vdev_machine),
		TEST(R3_5_nonces_of_a_lock), TEST(R4_6_device_memory), TEST(R3_3_vdev_abort),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
