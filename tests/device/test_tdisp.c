/* SPDX-License-Identifier: BSD-2-Clause */
/* TDISP messages and the state machine, PCIe 6.x 11.3 and 11.4. */
#include "rig.h"

/* -- R1.4: which request is legal where, and where it leads ----------------------------------- */

#define U TDISP_UNLOCKED
#define L TDISP_LOCKED
#define R TDISP_RUN
#define E TDISP_ERROR_STATE
#define BAD_STATE TDISP_INVALID_INTERFACE_STATE
#define BAD_REQUEST TDISP_INVALID_REQUEST
#define UNSUPPORTED TDISP_UNSUPPORTED_REQUEST

struct transition { uint8_t code; struct { int error, next; } in[4]; };

/* Columns: CONFIG_UNLOCKED, CONFIG_LOCKED, RUN, ERROR. P2P and SET_MMIO_ATTRIBUTE carry contents
 * that are invalid, so that RUN, where they are legal, answers INVALID_REQUEST. */
static const struct transition transitions[] = {
	{ TDISP_GET_VERSION, { { 0, U }, { 0, L }, { 0, R }, { 0, E } } },
	{ TDISP_GET_CAPABILITIES, { { 0, U }, { 0, L }, { 0, R }, { 0, E } } },
	{ TDISP_LOCK, { { 0, L }, { BAD_STATE, L }, { BAD_STATE, R }, { BAD_STATE, E } } },
	{ TDISP_GET_REPORT, { { BAD_STATE, U }, { 0, L }, { 0, R }, { BAD_STATE, E } } },
	{ TDISP_GET_STATE, { { 0, U }, { 0, L }, { 0, R }, { 0, E } } },
	{ TDISP_START, { { BAD_STATE, U }, { 0, R }, { BAD_STATE, R }, { BAD_STATE, E } } },
	{ TDISP_STOP, { { 0, U }, { 0, U }, { 0, U }, { 0, U } } },
	{ TDISP_BIND_P2P,
		{ { BAD_STATE, U }, { BAD_STATE, L }, { BAD_REQUEST, R }, { BAD_STATE, E } } },
	{ TDISP_UNBIND_P2P,
		{ { BAD_STATE, U }, { BAD_STATE, L }, { BAD_REQUEST, R }, { BAD_STATE, E } } },
	{ TDISP_SET_MMIO_ATTRIBUTE,
		{ { BAD_STATE, U }, { BAD_STATE, L }, { BAD_REQUEST, R }, { BAD_STATE, E } } },
	{ TDISP_VDM, { { UNSUPPORTED, U }, { UNSUPPORTED, L },
			    { UNSUPPORTED, R }, { UNSUPPORTED, E } } },
};

static size_t body_of(uint16_t rid, uint8_t code, uint8_t body[64])
{
	static const struct { uint8_t code; size_t len; } lengths[] = {
		{ TDISP_GET_CAPABILITIES, 4 }, { TDISP_LOCK, 20 }, { TDISP_GET_REPORT, 4 },
		{ TDISP_START, 32 }, { TDISP_BIND_P2P, 1 }, { TDISP_UNBIND_P2P, 1 },
		{ TDISP_SET_MMIO_ATTRIBUTE, 16 },
	};

	memset(body, 0, 64);
	if (code == TDISP_LOCK)
		body[2] = STREAM;
	if (code == TDISP_GET_REPORT)
		body[2] = body[3] = 0xff;
	if (code == TDISP_START)
		memcpy(body, dsm_tdi(dsm_of(rid), rid)->nonce, 32);
	for (size_t i = 0; i < ARRAY_LEN(lengths); i++)
		if (lengths[i].code == code)
			return lengths[i].len;
	return 0;
}

static void every_request_in(uint16_t rid, int state)
{
	for (size_t i = 0; i < ARRAY_LEN(transitions); i++) {
		const struct transition *t = &transitions[i];
		uint8_t body[64];
		size_t len;

		tdi_to(rid, state, 0);
		len = body_of(rid, t->code, body);
		assert_int_equal(tdisp_send(rid, SESSION, t->code, body, len), t->in[state].error);
		assert_int_equal(tdi_state(rid), t->in[state].next);
		assert_int_equal(tdisp_send(rid, SESSION, TDISP_STOP, NULL, 0), 0);
	}
}

static void R1_4_every_request_in_every_state(void **state)
{
	static const uint16_t rids[] = { PF, VF };

	(void)state;
	rig_stream();
	for (size_t i = 0; i < ARRAY_LEN(rids); i++)
		for (int s = TDISP_UNLOCKED; s <= TDISP_ERROR_STATE; s++)
			every_request_in(rids[i], s);
}

static void state_changes_are_traced_with_their_cause(void **state)
{
	const struct trace_event *e = NULL;

	(void)state;
	rig_stream();
	tdi_to(PF, TDISP_RUN, 0);
	config_write(PF, 4, 2, 4);	/* Memory Space was never enabled; Bus Master is now */
	config_write(PF, 4, 2, 0);
	for (uint64_t seq = trace_first(); seq < trace_next(); seq++) {
		const struct trace_event *each = trace_get(seq);

		if (each && each->kind == TRACE_KIND_STATE && !strcmp(each->name, "TDI"))
			e = each;
	}
	assert_non_null(e);
	assert_int_equal(trace_arg_value(e, "rid", 0), PF);
	assert_int_equal(trace_arg_value(e, "from", 9), TDISP_RUN);
	assert_int_equal(trace_arg_value(e, "to", 9), TDISP_ERROR_STATE);
	assert_int_equal(trace_arg_value(e, "cause", 0), TDI_CAUSE_BME);
}

static void requests_are_traced_with_their_error(void **state)
{
	const struct trace_event *e;

	(void)state;
	rig_stream();
	assert_int_equal(
		tdisp_send(PF, SESSION, TDISP_START, (const uint8_t[32]){ 0 }, 32), BAD_STATE);
	e = trace_get(trace_next() - 1);
	assert_string_equal(e->name, "TDISP START_INTERFACE");
	assert_int_equal(e->from, LANE_FIRMWARE);
	assert_int_equal(e->to, LANE_DEVICE);
	assert_int_equal(e->result_kind, TRACE_RESULT_TDISP);
	assert_int_equal(e->result, BAD_STATE);
	assert_string_equal(e->text, "INVALID_INTERFACE_STATE");
}

/* -- nonce ------------------------------------------------------------------------------------ */

static void nonce_is_fresh_single_use_and_dies_with_locked(void **state)
{
	uint8_t first[32], second[32], wrong[32];

	(void)state;
	rig_stream();
	assert_int_equal(tdisp_lock(PF, 0), 0);
	memcpy(first, tdisp_reply + 16, 32);
	memcpy(wrong, first, 32);
	wrong[31] ^= 1;
	assert_int_equal(tdisp_send(PF, SESSION, TDISP_START, wrong, 32), TDISP_INVALID_NONCE);
	assert_int_equal(tdi_state(PF), TDISP_LOCKED);
	assert_int_equal(tdisp_send(PF, SESSION, TDISP_STOP, NULL, 0), 0);
	assert_int_equal(tdisp_lock(PF, 0), 0);
	memcpy(second, tdisp_reply + 16, 32);
	assert_memory_not_equal(first, second, 32);
	assert_int_equal(tdisp_send(PF, SESSION, TDISP_START, first, 32), TDISP_INVALID_NONCE);
	assert_int_equal(tdisp_send(PF, SESSION, TDISP_START, second, 32), 0);
	/* Consumed: nothing of it is left, and a START of zeroes does not match. */
	assert_false(dsm_tdi(dsm_of(PF), PF)->nonce_live);
	assert_int_equal(tdisp_send(PF, SESSION, TDISP_STOP, NULL, 0), 0);
	assert_memory_equal(dsm_tdi(dsm_of(PF), PF)->nonce, (const uint8_t[32]){ 0 }, 32);
}

/* -- LOCK checks ------------------------------------------------------------------------------ */

static void lock_needs_keys_of_this_session_on_the_default_stream(void **state)
{
	(void)state;
	assert_int_equal(tdisp_lock(PF, 0), TDISP_INVALID_REQUEST);	/* no stream at all */
	ide_registers(PF, 0, STREAM, PORT, PORT, IDE_DEFAULT);
	assert_int_equal(tdisp_lock(PF, 0), TDISP_INVALID_REQUEST);	/* no keys */
	for (unsigned int i = 0; i < 5; i++)
		assert_int_equal(
			km_prog(SESSION, STREAM, slot_code(0, i / 3, i % 3), 0), IDE_KM_OK);
	assert_int_equal(tdisp_lock(PF, 0), TDISP_INVALID_REQUEST);	/* five of six */
	assert_int_equal(km_prog(SESSION, STREAM, slot_code(1, 1, 2), 0), IDE_KM_OK);
	assert_int_equal(tdisp_lock(PF, 0), TDISP_INVALID_REQUEST); /* the sixth in the other set */
	assert_int_equal(km_prog(SESSION, STREAM, slot_code(0, 1, 2), 0), IDE_KM_OK);
	assert_int_equal(tdisp_lock_at(PF, SESSION + 1, 0, STREAM, 0), TDISP_INVALID_REQUEST);
	assert_int_equal(tdisp_lock_at(PF, SESSION, 0, STREAM + 1, 0), TDISP_INVALID_REQUEST);
	assert_int_equal(tdi_state(PF), TDISP_UNLOCKED);
	assert_int_equal(tdisp_lock(PF, 0), 0);
}

static void lock_refuses_a_stream_without_the_default_bit_or_off_tc0(void **state)
{
	(void)state;
	ide_registers(PF, 0, STREAM, PORT, PORT, 0);
	km_key_set(SESSION, STREAM, 0);
	assert_int_equal(tdisp_lock(PF, 0), TDISP_INVALID_REQUEST);
	ide_registers(PF, 0, STREAM, PORT, PORT, IDE_DEFAULT | 1u << 19);
	assert_int_equal(tdisp_lock(PF, 0), TDISP_INVALID_REQUEST);
	ide_registers(PF, 0, STREAM, PORT, PORT, IDE_DEFAULT);
	assert_int_equal(tdisp_lock(PF, 0), 0);
}

static void lock_refuses_a_bad_device_configuration(void **state)
{
	unsigned int devctl = function_find(PF)->cap_pcie + 8u;
	uint32_t bar2 = config_read(PF, 0x18, 4);

	(void)state;
	rig_stream();
	config_write(PF, devctl, 2, config_read(PF, devctl, 2) | 1u << 9);
	assert_int_equal(tdisp_lock(PF, 0), TDISP_INVALID_DEVICE_CONFIGURATION);
	config_write(PF, devctl, 2, config_read(PF, devctl, 2) & ~(1u << 9));
	config_write(PF, 0x18, 4, config_read(PF, 0x10, 4));	/* BAR2 over BAR0 */
	assert_int_equal(tdisp_lock(PF, 0), TDISP_INVALID_DEVICE_CONFIGURATION);
	assert_int_equal(tdisp_lock(VF, 0), TDISP_INVALID_DEVICE_CONFIGURATION);
	config_write(PF, 0x18, 4, bar2);
	config_write(PF, function_find(PF)->cap_sriov + 0x20u, 4, 0);	/* no VF system page size */
	assert_int_equal(tdisp_lock(PF, 0), TDISP_INVALID_DEVICE_CONFIGURATION);
	config_write(PF, function_find(PF)->cap_sriov + 0x20u, 4, 1);
	assert_int_equal(tdi_state(PF), TDISP_UNLOCKED);
	assert_int_equal(tdisp_lock(PF, 0), 0);
}

static void lock_without_entropy_and_busy(void **state)
{
	(void)state;
	rig_stream();
	assert_int_equal(device_inject(PF, DEVICE_FAULT_NO_ENTROPY, 1), 0);
	assert_int_equal(tdisp_lock(PF, 0), TDISP_INSUFFICIENT_ENTROPY);
	assert_int_equal(tdi_state(PF), TDISP_UNLOCKED);
	assert_int_equal(device_inject(PF, DEVICE_FAULT_TDISP_BUSY, 2), 0);
	assert_int_equal(tdisp_lock(PF, 0), TDISP_BUSY);
	assert_int_equal(tdisp_lock(PF, 0), TDISP_BUSY);
	assert_int_equal(tdisp_lock(PF, 0), 0);
}

/* -- codec ------------------------------------------------------------------------------------ */

static void capabilities_bytes(void **state)
{
	/* dsm_caps; codes 0x81..0x8a; 12 more; lock flags 0..4; reserved; 52 bits, 1, 1. */
	static const uint8_t expected[28] = {
		0, 0, 0, 0, 0xfe, 0x07, [20] = 0x1f, 0x00, 0, 0, 0, 52, 1, 1 };

	(void)state;
	assert_int_equal(
		tdisp_send(PF, SESSION, TDISP_GET_CAPABILITIES, (const uint8_t[4]){ 0 }, 4), 0);
	assert_int_equal(tdisp_reply_len, 16 + 28);
	assert_memory_equal(tdisp_reply + 16, expected, 28);
	assert_int_equal(tdisp_send(PF, SESSION, TDISP_GET_VERSION, NULL, 0), 0);
	assert_int_equal(tdisp_reply_len, 18);
	assert_memory_equal(tdisp_reply + 16, ((const uint8_t[2]){ 1, 0x10 }), 2);
	assert_int_equal(device_quirk_set(PF, "req-msgs-from-bit0", true), 0);
	assert_int_equal(
		tdisp_send(PF, SESSION, TDISP_GET_CAPABILITIES, (const uint8_t[4]){ 0 }, 4), 0);
	assert_memory_equal(tdisp_reply + 20, ((const uint8_t[2]){ 0xff, 0x03 }), 2);
}

struct malformed { const char *what; uint8_t m[24]; size_t len; int error; };

static void malformed_headers_are_refused(void **state)
{
	static const struct malformed cases[] = {
		{ "version 0x20", { 0x20, 0x85, 0, 0, 0, 1 }, 16, TDISP_VERSION_MISMATCH },
		{ "a response code", { 0x10, 0x05, 0, 0, 0, 1 }, 16, TDISP_UNSUPPORTED_REQUEST },
		{ "code 0x80", { 0x10, 0x80, 0, 0, 0, 1 }, 16, TDISP_UNSUPPORTED_REQUEST },
		{ "too long", { 0x10, 0x85, 0, 0, 0, 1 }, 17, TDISP_INVALID_REQUEST },
		{ "no whole header", { 0x10, 0x85, 0, 0, 0, 1 }, 15, TDISP_INVALID_REQUEST },
		{ "LOCK too short", { 0x10, 0x83, 0, 0, 0, 1 }, 20, TDISP_INVALID_REQUEST },
		{ "root port's id", { 0x10, 0x85, 0, 0, 8, 0 }, 16, TDISP_INVALID_INTERFACE },
		{ "a VF not enabled", { 0x10, 0x85, 0, 0, 2, 1 }, 16, TDISP_INVALID_INTERFACE },
		{ "segment without its valid bit", { 0x10, 0x85, 0, 0, 0, 1, 1 }, 16,
			TDISP_INVALID_INTERFACE },
		{ "other segment", { 0x10, 0x85, 0, 0, 0, 1, 1, 1 }, 16, TDISP_INVALID_INTERFACE },
		{ "reserved function id bits", { 0x10, 0x85, 0, 0, 0, 1, 0, 2 }, 16,
			TDISP_INVALID_INTERFACE },
		{ "reserved interface id bytes", { 0x10, 0x85, 0, 0, 0, 1, 0, 0, 1 }, 16,
			TDISP_INVALID_INTERFACE },
		{ "segment 0, valid", { 0x10, 0x85, 0, 0, 0, 1, 0, 1 }, 16, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t reply[64];
		int rc = tdisp_handle(
			dsm_of(PF), SESSION, cases[i].m, cases[i].len, reply, sizeof(reply));
		int error = rc == 24 && reply[1] == TDISP_ERROR ? reply[16] | reply[17] << 8 : 0;

		if (error != cases[i].error)
			print_error("%s\n", cases[i].what);
		assert_int_equal(error, cases[i].error);
		assert_int_equal(rc, error ? 24 : 17);
		if (error == TDISP_UNSUPPORTED_REQUEST)
			assert_int_equal(reply[20], cases[i].m[1]);
	}
}

static void emu_function_id_is_a_quirk(void **state)
{
	static const uint8_t m[16] = { 0x10, 0x85, 0, 0, 0xef, 0xbe };
	uint8_t reply[64];

	(void)state;
	assert_int_equal(tdisp_handle(dsm_of(PF), SESSION, m, 16, reply, 64), 24);
	assert_int_equal(device_quirk_set(PF, "emu-function-id", true), 0);
	assert_int_equal(tdisp_handle(dsm_of(PF), SESSION, m, 16, reply, 64), 17);
	assert_int_equal(reply[16], TDISP_UNLOCKED);
}

static void in_the_clear_there_is_no_answer(void **state)
{
	static const uint8_t m[16] = { 0x10, 0x87, 0, 0, 0, 1 };
	uint8_t reply[64];

	(void)state;
	rig_stream();
	tdi_to(PF, TDISP_RUN, 0);
	assert_int_equal(tdisp_handle(dsm_of(PF), 0, m, 16, reply, 64), -ENOMSG);
	assert_int_equal(tdi_state(PF), TDISP_RUN);
}

static void unknown_lock_flags_and_stop_quirk(void **state)
{
	(void)state;
	rig_stream();
	assert_int_equal(tdisp_lock(PF, 0x20), TDISP_INVALID_REQUEST);
	assert_int_equal(device_quirk_set(PF, "stop-unlocked-error", true), 0);
	assert_int_equal(tdisp_send(PF, SESSION, TDISP_STOP, NULL, 0), BAD_STATE);
	assert_int_equal(device_quirk_set(PF, "no-such-quirk", true), -EINVAL);
	assert_int_equal(device_quirk_set(0x0900, "any-port", true), -ENOENT);
}

/* Random bytes: an answer of sane length or none, and the state machine stays inside its states. */
static void fuzz_tdisp(void **state)
{
	uint8_t m[80], reply[256];

	(void)state;
	rig_stream();
	for (unsigned int i = 0; i < 20000; i++) {
		size_t len;
		int rc;

		image_random(m, sizeof(m));
		len = m[79] % 64;
		if (m[78] & 1)		/* often enough, get past the header checks */
			memcpy(m,
				((const uint8_t[]){ 0x10, (uint8_t)(0x81 + m[1] % 11), 0, 0,
					m[77] & 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }),
				16);
		rc = tdisp_handle(dsm_of(PF), SESSION, m, len, reply, sizeof(reply));
		assert_in_range(rc, 16, sizeof(reply));
		assert_in_range(tdi_state(PF), TDISP_UNLOCKED, TDISP_ERROR_STATE);
	}
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_up, rig_down)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(R1_4_every_request_in_every_state),
		T(state_changes_are_traced_with_their_cause),
		T(requests_are_traced_with_their_error),
		T(nonce_is_fresh_single_use_and_dies_with_locked),
		T(lock_needs_keys_of_this_session_on_the_default_stream),
		T(lock_refuses_a_stream_without_the_default_bit_or_off_tc0),
		T(lock_refuses_a_bad_device_configuration),
		T(lock_without_entropy_and_busy),
		T(capabilities_bytes),
		T(malformed_headers_are_refused),
		T(emu_function_id_is_a_quirk),
		T(in_the_clear_there_is_no_answer),
		T(unknown_lock_flags_and_stop_quirk),
		T(fuzz_tdisp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
