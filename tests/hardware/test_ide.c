/* SPDX-License-Identifier: BSD-2-Clause */
#include "machine.h"

static void test_register_layout(void **state)
{
	unsigned int cap = rp->cap_ide;

	(void)state;
	/* selective, IDE_KM, AES-GCM-256, 2 streams */
	assert_int_equal(config_read(RP, cap + 0x04, 4), 0x00010042);
	assert_int_equal(config_read(RP, cap + 0x08, 4), 0);
	assert_int_equal(config_read(RP, cap + 0x0c, 4), 2);	/* two address blocks */
	/* the second block is 20 + 2 * 12 further on */
	assert_int_equal(config_read(RP, cap + 0x0c + 44, 4), 2);
	config_write(RP, cap + 0x10, 4, 0xfffffffe);		/* control but enable */
	assert_int_equal(config_read(RP, cap + 0x10, 4), 0xff3fc000);
	config_write(EP, ep->cap_ide + 0x10u, 4, 0xfffffffe);
	assert_int_equal(config_read(EP, ep->cap_ide + 0x10u, 4),
			 0xff7fc000); /* default stream too */
	config_write(RP, cap + 0x14, 4, 0xffffffff);		/* status is read-only */
	assert_int_equal(config_read(RP, cap + 0x14, 4), 0);
	config_write(RP, cap + 0x18, 4, 0xffffffff);
	assert_int_equal(config_read(RP, cap + 0x18, 4), 0x00ffff00);
	config_write(RP, cap + 0x1c, 4, 0xffffffff);
	assert_int_equal(config_read(RP, cap + 0x1c, 4), 0xffffff01);
	config_write(RP, cap + 0x20, 4, 0xffffffff);
	assert_int_equal(config_read(RP, cap + 0x20, 4), 0xffffff01);
	config_write(RP, cap + 0x24, 4, 0xffffffff);
	assert_int_equal(config_read(RP, cap + 0x24, 4), 0xffffffff);
	assert_int_equal(ide_add(ep, 1, 1), 0);			/* has one already */
}

static void test_secure_needs_all(void **state)
{
	uint8_t key[32] = { 0 }, ifv[8] = { 0 };

	(void)state;
	stream_registers(5, true);
	keys_program(EP, 5, 0, 1);
	assert_false(ide_secure(EP, 5));
	for (unsigned int n = 0; n < 6; n++) {
		assert_false(ide_secure(EP, 5));
		assert_int_equal(config_read(EP, sel(ep, 8), 4), 0);
		assert_int_equal(ide_key_go(EP, 5, 0, n / 3, n % 3), 0);
	}
	assert_true(ide_secure(EP, 5));
	assert_int_equal(config_read(EP, sel(ep, 8), 4), 2);
	assert_int_equal(seen.streams, 3);			/* the PF and two VFs of the port */
	assert_true(seen.secure);
	assert_int_equal(seen.stream, 5);
	assert_false(ide_secure(RP, 5));			/* each port by itself */
	assert_int_equal(ide_key_program(EP, 5, 0, IDE_RX, IDE_PR, key, ifv), -EINVAL);	/* in use */
	config_write(EP, sel(ep, 4), 4, 0x05400000);		/* enable off */
	assert_false(ide_secure(EP, 5));
	assert_false(seen.secure);
	assert_false(ide_keys_programmed(EP, 5));		/* and the keys are gone */
	config_write(EP, sel(ep, 4), 4, 0x05400001);
	assert_false(ide_secure(EP, 5));
}

static void test_enable_last(void **state)
{
	(void)state;
	stream_registers(5, false);
	keys_program(EP, 5, 1, 1);
	keys_go(EP, 5, 1);
	assert_false(ide_secure(EP, 5));
	assert_true(ide_keys_programmed(EP, 5));
	stream_registers(5, true);
	assert_true(ide_secure(EP, 5));
}

static void test_key_errors(void **state)
{
	uint8_t key[32] = { 0 }, ifv[8] = { 0 };

	(void)state;
	stream_registers(5, true);
	assert_int_equal(ide_key_program(EP, 6, 0, IDE_RX, IDE_PR, key, ifv), -ENOENT);
	assert_int_equal(ide_key_program(0x0500, 5, 0, IDE_RX, IDE_PR, key, ifv), -ENOENT);
	assert_int_equal(ide_key_program(EP, 5, 2, IDE_RX, IDE_PR, key, ifv), -EINVAL);
	assert_int_equal(ide_key_program(EP, 5, 0, IDE_RX, IDE_SUB_STREAMS, key, ifv), -EINVAL);
	assert_int_equal(ide_key_go(EP, 5, 0, IDE_RX, IDE_PR), -EINVAL);	/* no key */
	assert_int_equal(ide_key_stop(EP, 5, 0, IDE_RX, IDE_PR), 0);
	keys_program(EP, 5, 0, 1);
	assert_true(ide_keys_programmed(EP, 5));
	assert_int_equal(ide_key_stop(EP, 5, 0, IDE_TX, IDE_CPL), 0);
	assert_false(ide_keys_programmed(EP, 5));
	keys_program(EP, 5, 1, 1);				/* the whole of the other set */
	assert_true(ide_keys_programmed(EP, 5));
}

static void test_stop_makes_insecure(void **state)
{
	(void)state;
	stream_up(5);
	assert_int_equal(ide_key_stop(RP, 5, 0, IDE_TX, IDE_CPL), 0);
	assert_false(ide_secure(RP, 5));
	assert_int_equal(config_read(RP, sel(rp, 8), 4), 0);
	assert_int_equal(ide_key_go(RP, 5, 0, IDE_TX, IDE_PR), -EINVAL);	/* all keys went */
}

static void test_R3_5_keys_decide(void **state)
{
	(void)state;
	stream_up(5);
	for (unsigned int sub = 0; sub < IDE_SUB_STREAMS; sub++) {
		assert_true(ide_pass(RP, EP, 5, sub, true));
		assert_true(ide_pass(RP, EP, 5, sub, false));
	}
	assert_true(ide_pass(RP, VF1, 5, IDE_PR, true));	/* a VF uses its device's port */
	assert_false(ide_pass(RP, EP, 6, IDE_PR, true));
	assert_true(ide_secure(EP, 5));
}

static void test_R3_5_wrong_keys_fail_the_stream(void **state)
{
	(void)state;
	stream_registers(5, true);
	keys_program(EP, 5, 0, 1);
	keys_program(RP, 5, 0, 2);
	keys_go(EP, 5, 0);
	keys_go(RP, 5, 0);
	assert_true(ide_secure(EP, 5));				/* nobody knows yet */
	assert_true(ide_secure(RP, 5));
	memset(&seen, 0, sizeof(seen));
	assert_false(ide_pass(RP, EP, 5, IDE_PR, true));
	assert_false(ide_secure(EP, 5));
	assert_false(ide_secure(RP, 5));
	assert_int_equal(seen.streams, 3);
	assert_false(seen.secure);
	assert_int_equal(config_read(RP, sel(rp, 8), 4), 0x80000000);	/* IDE Fail received */
	config_write(RP, sel(rp, 8), 4, 0x80000000);
	assert_int_equal(config_read(RP, sel(rp, 8), 4), 0);
}

static void test_refresh(void **state)
{
	(void)state;
	stream_up(5);
	keys_program(EP, 5, 1, 90);
	keys_program(RP, 5, 1, 90);
	assert_true(ide_pass(RP, EP, 5, IDE_PR, true));
	for (unsigned int sub = 0; sub < IDE_SUB_STREAMS; sub++) {	/* receivers first */
		assert_int_equal(ide_key_go(RP, 5, 1, IDE_RX, sub), 0);
		assert_int_equal(ide_key_go(EP, 5, 1, IDE_RX, sub), 0);
	}
	assert_true(ide_pass(RP, EP, 5, IDE_PR, true));		/* the sender is on the old key */
	for (unsigned int sub = 0; sub < IDE_SUB_STREAMS; sub++) {
		assert_int_equal(ide_key_go(RP, 5, 1, IDE_TX, sub), 0);
		assert_int_equal(ide_key_go(EP, 5, 1, IDE_TX, sub), 0);
	}
	assert_true(ide_pass(RP, EP, 5, IDE_PR, true));
	assert_true(ide_secure(EP, 5));
	keys_program(EP, 5, 0, 120);				/* the old set is free again */
	assert_true(ide_pass(RP, EP, 5, IDE_PR, true));
}

static void test_refresh_sender_first_fails(void **state)
{
	(void)state;
	stream_up(5);
	keys_program(EP, 5, 1, 90);
	keys_program(RP, 5, 1, 90);
	assert_int_equal(ide_key_go(EP, 5, 1, IDE_TX, IDE_PR), 0);
	assert_false(ide_pass(RP, EP, 5, IDE_PR, true));
	assert_false(ide_secure(RP, 5));
}

static void test_fail(void **state)
{
	(void)state;
	stream_up(5);
	memset(&seen, 0, sizeof(seen));
	ide_fail(RP, 5);
	assert_false(ide_secure(RP, 5));
	assert_false(ide_secure(EP, 5));
	assert_int_equal(seen.streams, 3);
	assert_int_equal(config_read(EP, sel(ep, 8), 4), 0x80000000);
	assert_int_equal(config_read(RP, sel(rp, 8), 4), 0);
	assert_false(ide_keys_programmed(EP, 5));
	keys_program(EP, 5, 0, 1);				/* and up again */
	keys_go(EP, 5, 0);
	assert_true(ide_secure(EP, 5));
}

static void test_new_id_loses_keys(void **state)
{
	(void)state;
	stream_up(5);
	config_write(EP, sel(ep, 4), 4, 0x06400001);
	assert_int_equal(seen.new, 0x06400001);			/* the device's tracking sees it */
	assert_false(ide_secure(EP, 6));
	assert_false(ide_keys_programmed(EP, 6));
	assert_int_equal(config_read(EP, sel(ep, 8), 4), 0);
}

static void test_associations(void **state)
{
	(void)state;
	stream_registers(5, true);
	assert_int_equal(ide_stream_down(ep, PHYS_MMIO + 0x1000000), 5);
	assert_int_equal(ide_stream_down(ep, PHYS_MMIO + 0x30fffff), 5); /* limit is inclusive */
	assert_int_equal(ide_stream_down(ep, PHYS_MMIO + 0x3100000), TLP_NO_STREAM);
	assert_int_equal(ide_stream_down(ep, PHYS_MMIO + 0xffffff), TLP_NO_STREAM);
	assert_int_equal(ide_stream_down(ep, 0x1000000), TLP_NO_STREAM);
	config_write(RP, sel(rp, 0x0c), 4, 0x0000ff00);		/* RID limit below the device */
	assert_int_equal(ide_stream_down(ep, PHYS_MMIO + 0x1000000), TLP_NO_STREAM);
	assert_int_equal(ide_stream_up(ep, 0x1234), 5);		/* the default stream */
	config_write(EP, sel(ep, 0x20 + 4), 4, 0x07000001); /* block 1: stream 7 for 16 MiB on */
	config_write(EP, sel(ep, 0x20 + 0x14), 4, 0x01f01001);
	assert_int_equal(ide_stream_up(ep, 0x1000000), 7);
	assert_int_equal(ide_stream_up(ep, 0x1ffffff), 7);
	assert_int_equal(ide_stream_up(ep, 0x2000000), 5);
	config_write(EP, sel(ep, 4), 4, 0x05400000);		/* not enabled */
	assert_int_equal(ide_stream_up(ep, 0x2000000), TLP_NO_STREAM);
}

static void test_default_stream(void **state)
{
	(void)state;
	assert_int_equal(ide_default_stream(EP), -ENOENT);
	stream_registers(5, false);
	assert_int_equal(ide_default_stream(EP), 5);
	assert_int_equal(ide_default_stream(VF1), 5);
	assert_int_equal(ide_default_stream(RP), -ENOENT);
	config_write(EP, sel(ep, 4), 4, 0x05480000);		/* TC1 */
	assert_int_equal(ide_default_stream(EP), -ENOENT);
	stream_registers(5, false);
	config_write(EP, sel(ep, 0x20 + 4), 4, 0x06400000);	/* a second default */
	assert_int_equal(ide_default_stream(EP), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_register_layout, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_secure_needs_all, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_enable_last, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_key_errors, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_stop_makes_insecure, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_R3_5_keys_decide, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_R3_5_wrong_keys_fail_the_stream, machine_up,
						machine_down),
		cmocka_unit_test_setup_teardown(test_refresh, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_refresh_sender_first_fails, machine_up,
						machine_down),
		cmocka_unit_test_setup_teardown(test_fail, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_new_id_loses_keys, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_associations, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_default_stream, machine_up, machine_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
