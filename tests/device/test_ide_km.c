/* SPDX-License-Identifier: BSD-2-Clause */
/* IDE_KM, PCIe 6.x 6.33.3. Case numbers are those of Intel's tee-io-validator. */
#include "rig.h"

#define K0_RX_PR 0x00

static void query_copies_the_capability(void **state)
{
	static const uint8_t query[3] = { IDE_KM_QUERY, 0, 0 },
			     head[7] = { IDE_KM_QUERY_RESP, 0, 0, 0x00, 0x01, 0, 0 };
	const unsigned int dws = 2 + DSM_STREAMS * (20 + 12 * DSM_STREAM_ASSOC) / 4;
	uint8_t reply[4096];
	struct reader r;

	(void)state;
	assert_int_equal(
		ide_km_handle(dsm_of(PF), SESSION, query, 3, reply, sizeof(reply)), 7 + 4 * dws);
	assert_memory_equal(reply, head, 7);
	r = reader_of(reply + 7, 4 * dws);
	for (unsigned int i = 0; i < dws; i++)
		assert_int_equal(
			get_le32(&r), config_read(PF, function_find(PF)->cap_ide + 4 + 4 * i, 4));
	/* Selective IDE, IDE_KM, AES-GCM-256 with a 96-bit MAC. */
	assert_int_equal(reply[7] & 0x42, 0x42);
	assert_int_equal(
		ide_km_handle(dsm_of(PF), SESSION, query, 2, reply, sizeof(reply)), -ENOMSG);
	assert_int_equal(ide_km_handle(dsm_of(PF), SESSION, query, 3, reply, 20), -ENOMSG);
	assert_int_equal(ide_km_handle(dsm_of(PF), 0, query, 3, reply, sizeof(reply)), -ENOMSG);
}

static void case_2_1_every_slot_is_programmed(void **state)
{
	(void)state;
	ide_registers(PF, 0, STREAM, PORT, PORT, IDE_DEFAULT);
	assert_false(ide_keys_programmed(PF, STREAM));
	km_key_set(SESSION, STREAM, 0);
	km_key_set(SESSION, STREAM, 1);
	assert_true(ide_keys_programmed(PF, STREAM));
}

static void case_2_2_length(void **state)
{
	uint8_t m[48] = { IDE_KM_KEY_PROG, 0, 0, STREAM, 0, K0_RX_PR, 0, [43] = 1 }, reply[64];

	(void)state;
	ide_registers(PF, 0, STREAM, PORT, PORT, IDE_DEFAULT);
	for (size_t len = 7; len <= sizeof(m); len++) {
		assert_int_equal(
			ide_km_handle(dsm_of(PF), SESSION, m, len, reply, sizeof(reply)), 7);
		assert_int_equal(reply[0], IDE_KM_KP_ACK);
		assert_int_equal(reply[4], len == 47 ? IDE_KM_OK : IDE_KM_BAD_LENGTH);
	}
}

static void case_2_3_to_2_6_values(void **state)
{
	uint8_t m[47] = { IDE_KM_KEY_PROG, 0, 0, STREAM, 0, K0_RX_PR, 0 }, reply[64];

	(void)state;
	ide_registers(PF, 0, STREAM, PORT, PORT, IDE_DEFAULT);
	for (unsigned int port = 1; port < 256; port++)
		assert_int_equal(
			km_prog(SESSION, STREAM, K0_RX_PR, (uint8_t)port), IDE_KM_BAD_PORT);
	for (unsigned int sub = 3; sub < 16; sub++)
		assert_int_equal(
			km_prog(SESSION, STREAM, (uint8_t)(sub << 4), 0), IDE_KM_BAD_VALUE);
	assert_int_equal(km_prog(SESSION, STREAM, 0x04, 0), IDE_KM_BAD_VALUE);
	assert_int_equal(km_prog(SESSION, STREAM, 0x08, 0), IDE_KM_BAD_VALUE);
	assert_int_equal(km_prog(SESSION, 99, K0_RX_PR, 0), IDE_KM_BAD_VALUE);
	for (unsigned int ifv = 0; ifv < 256; ifv++) {
		m[43] = (uint8_t)ifv;
		assert_int_equal(ide_km_handle(dsm_of(PF), SESSION, m, 47, reply, 64), 7);
		assert_int_equal(reply[4], ifv == 1 ? IDE_KM_OK : IDE_KM_BAD_VALUE);
	}
	m[43] = 1;
	m[46] = 1;
	ide_km_handle(dsm_of(PF), SESSION, m, 47, reply, 64);
	assert_int_equal(reply[4], IDE_KM_BAD_VALUE);
}

static void go_and_stop(void **state)
{
	(void)state;
	ide_registers(PF, 0, STREAM, PORT, PORT, IDE_DEFAULT);
	/* 3.x: nothing to go with, malformed ones: no acknowledgement. */
	assert_int_equal(km_go_stop(SESSION, IDE_KM_K_SET_GO, STREAM, K0_RX_PR, 0), -ENOMSG);
	assert_int_equal(km_prog(SESSION, STREAM, K0_RX_PR, 0), IDE_KM_OK);
	assert_int_equal(km_go_stop(SESSION, IDE_KM_K_SET_GO, STREAM, K0_RX_PR, 1), -ENOMSG);
	assert_int_equal(km_go_stop(SESSION, IDE_KM_K_SET_GO, STREAM, 0x30, 0), -ENOMSG);
	assert_int_equal(km_go_stop(SESSION, IDE_KM_K_SET_GO, 99, K0_RX_PR, 0), -ENOMSG);
	assert_int_equal(km_go_stop(SESSION, IDE_KM_K_SET_GO, STREAM, K0_RX_PR, 0), 0);
	assert_int_equal(km_go_stop(SESSION, IDE_KM_K_SET_STOP, STREAM, K0_RX_PR, 0), 0);
	assert_int_equal(dsm_of(PF)->key_session, 0);
	assert_int_equal(km_go_stop(SESSION, IDE_KM_K_SET_GO, STREAM, K0_RX_PR, 0), -ENOMSG);
	assert_int_equal(km_go_stop(SESSION, IDE_KM_K_SET_STOP, STREAM, K0_RX_PR, 0), 0);
	assert_int_equal(km_go_stop(SESSION, IDE_KM_K_SET_STOP, 99, K0_RX_PR, 0), -ENOMSG);
}

static void refresh_goes_to_the_other_key_set(void **state)
{
	(void)state;
	rig_stream();
	tdi_to(PF, TDISP_RUN, 0);
	assert_int_equal(km_prog(SESSION, STREAM, K0_RX_PR, 0), IDE_KM_FAILED);	/* in use */
	km_key_set(SESSION, STREAM, 1);
	port_keys(STREAM, 1);
	km_go_set(SESSION, STREAM, 1);
	assert_true(ide_secure(PF, STREAM));
	assert_int_equal(tdi_state(PF), TDISP_RUN);
}

/* 5.1, 5.2; PCIe: a stream's keys come from one session. */
static void another_session_is_discarded_until_the_first_ends(void **state)
{
	static const uint8_t query[3] = { IDE_KM_QUERY, 0, 0 };
	uint8_t reply[4096];

	(void)state;
	rig_stream();
	tdi_to(PF, TDISP_RUN, 0);
	assert_int_equal(
		ide_km_handle(dsm_of(PF), SESSION + 1, query, 3, reply, sizeof(reply)), -ENOMSG);
	assert_int_equal(km_prog(SESSION + 1, STREAM, slot_code(1, 0, 0), 0), -ENOMSG);
	assert_int_equal(km_go_stop(SESSION + 1, IDE_KM_K_SET_STOP, STREAM, K0_RX_PR, 0), -ENOMSG);
	assert_int_equal(tdi_state(PF), TDISP_RUN);
	dsm_session_end(dsm_of(PF), SESSION);
	assert_true(ide_km_handle(dsm_of(PF), SESSION + 1, query, 3, reply, sizeof(reply)) > 7);
	assert_int_equal(km_prog(SESSION + 1, STREAM, K0_RX_PR, 0), IDE_KM_OK);
	assert_int_equal(km_prog(SESSION, STREAM, K0_RX_PR, 0), -ENOMSG);
}

static void stopping_the_active_set_breaks_the_tdi(void **state)
{
	(void)state;
	rig_stream();
	tdi_to(PF, TDISP_RUN, 0);
	assert_int_equal(km_go_stop(SESSION, IDE_KM_K_SET_STOP, STREAM, K0_RX_PR, 0), 0);
	assert_int_equal(tdi_state(PF), TDISP_ERROR_STATE);
	assert_string_equal(tdi_cause(PF), "bound IDE stream insecure");
	for (unsigned int i = 1; i < 6; i++)
		assert_int_equal(km_go_stop(SESSION, IDE_KM_K_SET_STOP, STREAM,
					 slot_code(0, i / 3, i % 3), 0),
			0);
	assert_int_equal(dsm_of(PF)->key_session, 0);
}

/* Nobody owns the port once its only stream went insecure: what had the keys is no longer asked. */
static void insecure_stream_frees_the_port(void **state)
{
	(void)state;
	rig_stream();
	ide_fail(PF, STREAM);
	assert_int_equal(dsm_of(PF)->key_session, 0);
	assert_int_equal(km_prog(SESSION + 1, STREAM, K0_RX_PR, 0), IDE_KM_OK);
}

static void port_quirk(void **state)
{
	(void)state;
	ide_registers(PF, 0, STREAM, PORT, PORT, IDE_DEFAULT);
	assert_int_equal(device_quirk_set(PF, "any-port", true), 0);
	assert_int_equal(km_prog(SESSION, STREAM, K0_RX_PR, 1), IDE_KM_OK);
	assert_int_equal(km_go_stop(SESSION, IDE_KM_K_SET_GO, STREAM, K0_RX_PR, 1), 0);
	assert_int_equal(km_prog(SESSION, STREAM, K0_RX_PR, 8), IDE_KM_BAD_PORT);
}

/* What DMTF's requester does, with the quirks it needs: stream 0, port 1, a K_SET_GO after each
 * single key, no IDE register ever written, all lock flags. */
static void R6_4_emulator_sequence(void **state)
{
	static const char *const quirks[] = { "emu-function-id", "any-port", "lock-any-stream" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(quirks); i++)
		assert_int_equal(device_quirk_set(PF, quirks[i], true), 0);
	for (unsigned int i = 0; i < 6; i++) {
		uint8_t slot = slot_code(0, i / 3, i % 3);

		assert_int_equal(km_prog(SESSION, 0, slot, 1), IDE_KM_OK);
		assert_int_equal(km_go_stop(SESSION, IDE_KM_K_SET_GO, 0, slot, 1), 0);
	}
	assert_int_equal(tdisp_send(0xbeef, SESSION, TDISP_GET_STATE, NULL, 0), 0);
	assert_int_equal(tdisp_lock_at(0xbeef, SESSION, 0x1f, 0, 0xd0000000), 0);
	assert_int_equal(tdisp_send(0xbeef, SESSION, TDISP_START,
		dsm_tdi(dsm_of(PF), PF)->nonce, TDISP_NONCE), 0);
	assert_int_equal(tdi_state(PF), TDISP_RUN);
	assert_int_equal(tdisp_send(0xbeef, SESSION, TDISP_STOP, NULL, 0), 0);
	for (unsigned int i = 0; i < 6; i++)
		assert_int_equal(km_go_stop(SESSION, IDE_KM_K_SET_STOP, 0,
			slot_code(0, i / 3, i % 3), 1), 0);
}

static void fuzz_ide_km(void **state)
{
	uint8_t m[64], reply[512];

	(void)state;
	ide_registers(PF, 0, STREAM, PORT, PORT, IDE_DEFAULT);
	for (unsigned int i = 0; i < 20000; i++) {
		int rc;

		image_random(m, sizeof(m));
		if (m[63] & 1) {
			memcpy(m, ((const uint8_t[]){ m[0] % 7, 0, 0, STREAM, 0, m[5] & 0x33, 0 }),
				7);
			memcpy(m + 39, ((const uint8_t[8]){ 1 }), 8);
		}
		rc = ide_km_handle(
			dsm_of(PF), SESSION, m, m[63] & 2 ? 47 : m[62] % 50, reply, sizeof(reply));
		assert_true(rc == -ENOMSG || (rc > 0 && rc <= (int)sizeof(reply)));
	}
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_up, rig_down)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(query_copies_the_capability),
		T(case_2_1_every_slot_is_programmed),
		T(case_2_2_length),
		T(case_2_3_to_2_6_values),
		T(go_and_stop),
		T(refresh_goes_to_the_other_key_set),
		T(another_session_is_discarded_until_the_first_ends),
		T(stopping_the_active_set_breaks_the_tdi),
		T(insecure_stream_frees_the_port),
		T(port_quirk),
		T(R6_4_emulator_sequence),
		T(fuzz_ide_km),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
