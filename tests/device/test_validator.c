/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The 22 TDISP and 18 IDE_KM cases of Intel's tee-io-validator, by its numbers, against a strict
 * device. Each was written from the case's description; what a case asserts about every answer
 * (length, version, interface id, echo) rig.h asserts for all. The one on which the specification
 * says otherwise, TDISP 2.1, is asserted both ways (docs/wire.md). R6.4
 */
#include "rig.h"

/* As the validator's setup: a stream with register and keys, of the session. */
static int keyed(void **state)
{
	if (rig_up(state))
		return -1;
	rig_stream();
	return 0;
}

/* Registers only: IDE_KM's cases bring their own keys. */
static int unkeyed(void **state)
{
	if (rig_up(state))
		return -1;
	ide_registers(PF, 0, STREAM, PORT, PORT, IDE_DEFAULT);
	return 0;
}

static void assert_state(uint8_t expected)
{
	assert_int_equal(tdisp_send(PF, SESSION, TDISP_GET_STATE, NULL, 0), 0);
	assert_int_equal(tdisp_reply_len, 17);
	assert_int_equal(tdisp_reply[16], expected);
}

static uint16_t flags_supported(void)
{
	static const uint8_t caps[4];
	struct reader r;

	assert_int_equal(tdisp_send(PF, SESSION, TDISP_GET_CAPABILITIES, caps, 4), 0);
	r = reader_of(tdisp_reply + 36, 2);
	return get_le16(&r);
}

static void lock_all(uint8_t nonce[32])
{
	assert_int_equal(tdisp_lock(PF, flags_supported()), 0);
	assert_int_equal(tdisp_reply_len, 16 + 32);
	memcpy(nonce, tdisp_reply + 16, 32);
}

static void run_all(uint8_t nonce[32])
{
	lock_all(nonce);
	assert_int_equal(tdisp_send(PF, SESSION, TDISP_START, nonce, 32), 0);
	assert_int_equal(tdisp_reply_len, 16);
}

static int stop(void)
{
	return tdisp_send(PF, SESSION, TDISP_STOP, NULL, 0);
}

/* -- TDISP ------------------------------------------------------------------------------------- */

static void tdisp_1_1(void **state)
{
	(void)state;
	assert_int_equal(tdisp_send(PF, SESSION, TDISP_GET_VERSION, NULL, 0), 0);
	assert_int_equal(tdisp_reply_len, 18);
	assert_int_equal(tdisp_reply[16], 1);
	assert_int_equal(tdisp_reply[17], 0x10);
}

/* The case wants bits 0 to 6 of REQ_MSGS_SUPPORTED. PCIe 6.x 11.3.9 has bit n stand for code 0x80 + n,
 * so that 0xfe is the least; the quirk req-msgs-from-bit0 gives the case what it wants. */
static void tdisp_2_1(void **state)
{
	static const uint8_t caps[4];

	(void)state;
	for (int quirk = 0; quirk < 2; quirk++) {
		struct reader r;
		uint16_t requests;

		assert_int_equal(device_quirk_set(PF, "req-msgs-from-bit0", quirk), 0);
		assert_int_equal(tdisp_send(PF, SESSION, TDISP_GET_CAPABILITIES, caps, 4), 0);
		assert_int_equal(tdisp_reply_len, 44);
		r = reader_of(tdisp_reply + 16, 28);
		assert_int_equal(get_le32(&r), 0);
		requests = get_le16(&r);
		assert_int_equal(requests & 0xf800, 0);
		assert_int_equal(requests & (quirk ? 0x7f : 0xfe), quirk ? 0x7f : 0xfe);
		for (int i = 2; i < 16; i++)
			assert_int_equal(get_u8(&r), 0);
		assert_int_equal(get_le16(&r) & 0xffe0, 0);
		assert_int_equal(get_le24(&r), 0);
		assert_in_range(get_u8(&r), 52, 64);
		assert_in_range(get_u8(&r), 1, 255);
		assert_in_range(get_u8(&r), 1, 255);
	}
}

static void tdisp_3_1(void **state)
{
	uint8_t nonce[32];

	(void)state;
	lock_all(nonce);
	assert_state(TDISP_LOCKED);
}

static void tdisp_3_2(void **state)
{
	(void)state;
	assert_int_equal(tdisp_lock(PF, flags_supported()), TDISP_INVALID_REQUEST);
	assert_state(TDISP_UNLOCKED);
}

static void tdisp_3_3(void **state)
{
	uint8_t nonce[32];

	(void)state;
	lock_all(nonce);
	assert_int_equal(tdisp_lock(PF, flags_supported()), TDISP_INVALID_INTERFACE_STATE);
	assert_state(TDISP_LOCKED);
}

static void tdisp_3_4(void **state)
{
	uint8_t nonce[32];

	(void)state;
	run_all(nonce);
	assert_int_equal(tdisp_lock(PF, flags_supported()), TDISP_INVALID_INTERFACE_STATE);
	assert_state(TDISP_RUN);
}

static int report_ask(uint16_t offset, uint16_t length)
{
	uint8_t payload[4];
	struct writer w = writer_of(payload, sizeof(payload));

	put_le16(&w, offset);
	put_le16(&w, length);
	return tdisp_send(PF, SESSION, TDISP_GET_REPORT, payload, sizeof(payload));
}

/* The whole report, in portions of at most `length`. */
static size_t report_all(uint16_t length, uint8_t *report, size_t cap)
{
	size_t at = 0;
	uint16_t left;

	do {
		struct reader r;
		uint16_t portion;

		assert_int_equal(report_ask((uint16_t)at, length), 0);
		r = reader_of(tdisp_reply + 16, (size_t)tdisp_reply_len - 16);
		portion = get_le16(&r);
		left = get_le16(&r);
		assert_in_range(portion, 1, length);
		assert_int_equal(reader_left(&r), portion);
		assert_true(at + portion <= cap);
		get_copy(&r, report + at, portion);
		at += portion;
	} while (left);
	return at;
}

static void tdisp_4_1(void **state)
{
	uint8_t nonce[32], report[4096], portions[4096];
	size_t len;

	(void)state;
	lock_all(nonce);
	len = report_all(0x400, report, sizeof(report));
	assert_int_equal(report_all(7, portions, sizeof(portions)), len);
	assert_memory_equal(report, portions, len);
	assert_state(TDISP_LOCKED);
}

static void tdisp_4_2(void **state)
{
	uint8_t nonce[32], report[4096];

	(void)state;
	run_all(nonce);
	report_all(0x400, report, sizeof(report));
	assert_state(TDISP_RUN);
}

static void tdisp_4_3(void **state)
{
	uint8_t nonce[32];

	(void)state;
	lock_all(nonce);
	assert_int_equal(report_ask(0xffff, 1), TDISP_INVALID_REQUEST);
	assert_state(TDISP_LOCKED);
}

static void tdisp_4_4(void **state)
{
	(void)state;
	assert_int_equal(report_ask(0, 0x400), TDISP_INVALID_INTERFACE_STATE);
	assert_state(TDISP_UNLOCKED);
}

static void tdisp_4_5(void **state)
{
	uint8_t nonce[32], report[4096];
	struct reader r;
	uint32_t ranges;

	(void)state;
	lock_all(nonce);
	r = reader_of(report, report_all(0x400, report, sizeof(report)));
	assert_int_equal(get_le16(&r) & 0xffe0, 0);
	get_bytes(&r, 10);
	ranges = get_le32(&r);
	assert_in_range(ranges, 1, 64);
	for (uint32_t i = 0; i < ranges; i++) {
		get_bytes(&r, 12);
		assert_int_equal(get_le16(&r) & 0xfff0, 0);
		get_le16(&r);
	}
	get_bytes(&r, get_le32(&r));
	assert_false(r.bad);
	assert_int_equal(reader_left(&r), 0);
}

static void tdisp_5_1(void **state)
{
	(void)state;
	assert_state(TDISP_UNLOCKED);
}

static void tdisp_5_2(void **state)
{
	uint8_t nonce[32];

	(void)state;
	lock_all(nonce);
	assert_state(TDISP_LOCKED);
}

static void tdisp_5_3(void **state)
{
	uint8_t nonce[32];

	(void)state;
	run_all(nonce);
	assert_state(TDISP_RUN);
}

static void tdisp_5_4(void **state)
{
	uint8_t nonce[32];

	(void)state;
	run_all(nonce);
	assert_int_equal(stop(), 0);
	assert_state(TDISP_UNLOCKED);
}

static void tdisp_6_1(void **state)
{
	uint8_t nonce[32];

	(void)state;
	run_all(nonce);
	assert_state(TDISP_RUN);
}

static void tdisp_6_2(void **state)
{
	uint8_t nonce[32];

	(void)state;
	lock_all(nonce);
	for (int i = 0; i < 32; i++)
		nonce[i] = (uint8_t)~nonce[i];
	assert_int_equal(tdisp_send(PF, SESSION, TDISP_START, nonce, 32), TDISP_INVALID_NONCE);
	assert_state(TDISP_LOCKED);
}

static void tdisp_6_3(void **state)
{
	uint8_t nonce[32];

	(void)state;
	lock_all(nonce);
	assert_int_equal(stop(), 0);
	assert_int_equal(
		tdisp_send(PF, SESSION, TDISP_START, nonce, 32), TDISP_INVALID_INTERFACE_STATE);
	assert_state(TDISP_UNLOCKED);
}

static void tdisp_6_4(void **state)
{
	uint8_t nonce[32];

	(void)state;
	run_all(nonce);
	assert_int_equal(
		tdisp_send(PF, SESSION, TDISP_START, nonce, 32), TDISP_INVALID_INTERFACE_STATE);
	assert_state(TDISP_RUN);
}

static void tdisp_7_1(void **state)
{
	uint8_t nonce[32];

	(void)state;
	run_all(nonce);
	assert_int_equal(stop(), 0);
	assert_int_equal(tdisp_reply_len, 16);
	assert_state(TDISP_UNLOCKED);
}

static void tdisp_7_2(void **state)
{
	uint8_t nonce[32];

	(void)state;
	lock_all(nonce);
	assert_int_equal(stop(), 0);
	assert_state(TDISP_UNLOCKED);
}

static void tdisp_7_3(void **state)
{
	(void)state;
	assert_int_equal(stop(), 0);
	assert_state(TDISP_UNLOCKED);
}

/* -- IDE_KM ------------------------------------------------------------------------------------ */

static uint8_t km_reply[4096];

static int km(uint32_t session, const uint8_t *message, size_t len)
{
	return ide_km_handle(dsm_of(PF), session, message, len, km_reply, sizeof(km_reply));
}

/* The answer's length; who and what the port is are checked. */
static void assert_query(uint32_t session, uint8_t port)
{
	const uint8_t message[3] = { IDE_KM_QUERY, 0, port };
	int len = km(session, message, sizeof(message));

	assert_in_range(len, 7 + 8, 7 + 74 * 4);
	assert_int_equal((len - 7) % 4, 0);
	assert_int_equal(km_reply[0], IDE_KM_QUERY_RESP);
	assert_int_equal(km_reply[2], port);
	assert_int_equal(km_reply[3], PF & 0xff);
	assert_int_equal(km_reply[4], PF >> 8);
	assert_int_equal(km_reply[5], 0);
	assert_in_range(km_reply[6], port, 255);
}

/* A KEY_PROG of any length and contents; its status, the rest of the answer is an echo. */
static int key_prog(uint8_t stream, uint8_t slot, uint8_t port, uint8_t ifv, size_t len)
{
	uint8_t m[64] = { IDE_KM_KEY_PROG, 0, 0, stream, 0, slot, port };

	memset(m + 7, 0x5a, 32);
	m[39] = ifv;
	assert_int_equal(km(SESSION, m, len), 7);
	assert_int_equal(km_reply[0], IDE_KM_KP_ACK);
	assert_int_equal(km_reply[3], stream);
	assert_int_equal(km_reply[5], slot);
	assert_int_equal(km_reply[6], port);
	return km_reply[4];
}

#define EACH_SLOT(slot, set)                                                                       \
	for (uint8_t i_ = 0, slot = slot_code(set, 0, 0); i_ < 6;                                  \
		i_++, slot = slot_code(set, i_ / 3, i_ % 3))

static void ide_1_1(void **state)
{
	(void)state;
	assert_query(SESSION, 0);
}

/* A device of one port has no other; with any-port it has eight names. */
static void ide_1_2(void **state)
{
	(void)state;
	assert_query(SESSION, 0);
	assert_int_equal(km_reply[6], 0);
	assert_int_equal(device_quirk_set(PF, "any-port", true), 0);
	for (uint8_t port = 1; port <= 7; port++)
		assert_query(SESSION, port);
}

static void ide_2_1(void **state)
{
	(void)state;
	for (unsigned int set = 0; set < 2; set++)
		EACH_SLOT(slot, set)
			assert_int_equal(key_prog(STREAM, slot, 0, 1, 47), IDE_KM_OK);
}

static void ide_2_2(void **state)
{
	(void)state;
	for (unsigned int set = 0; set < 2; set++)
		EACH_SLOT(slot, set) {
			assert_int_equal(key_prog(STREAM, slot, 0, 1, 46), IDE_KM_BAD_LENGTH);
			assert_int_equal(key_prog(STREAM, slot, 0, 1, 48), IDE_KM_BAD_LENGTH);
		}
	assert_false(ide_keys_programmed(PF, STREAM));
}

static void ide_2_3(void **state)
{
	static const uint8_t ports[] = { 1, 2, 7, 8, 0x80, 0xff };

	(void)state;
	for (size_t i = 0; i < sizeof(ports); i++)
		EACH_SLOT(slot, 0)
			assert_int_equal(key_prog(STREAM, slot, ports[i], 1, 47), IDE_KM_BAD_PORT);
	assert_false(ide_keys_programmed(PF, STREAM));
}

static void ide_2_4(void **state)
{
	(void)state;
	for (unsigned int sub = 3; sub < 16; sub++)
		for (unsigned int low = 0; low < 4; low++)
			assert_int_equal(key_prog(STREAM, (uint8_t)(sub << 4 | low), 0, 1, 47),
				IDE_KM_BAD_VALUE);
}

static void ide_2_5(void **state)
{
	static const uint8_t ifvs[] = { 0, 2, 0x10, 0xff };

	(void)state;
	for (size_t i = 0; i < sizeof(ifvs); i++)
		EACH_SLOT(slot, 0)
			assert_int_equal(key_prog(STREAM, slot, 0, ifvs[i], 47), IDE_KM_BAD_VALUE);
}

static void ide_2_6(void **state)
{
	(void)state;
	for (unsigned int stream = 2; stream < 256; stream += 7)
		EACH_SLOT(slot, 0)
			assert_int_equal(
				key_prog((uint8_t)stream, slot, 0, 1, 47), IDE_KM_BAD_VALUE);
}

static void assert_acked(uint8_t object, unsigned int set)
{
	EACH_SLOT(slot, set)
		assert_int_equal(km_go_stop(SESSION, object, STREAM, slot, 0), 0);
}

static void go(unsigned int set)
{
	km_key_set(SESSION, STREAM, set);
	assert_acked(IDE_KM_K_SET_GO, set);
}

static void ide_3_1(void **state)
{
	(void)state;
	go(0);
}

static void ide_3_2(void **state)
{
	(void)state;
	go(1);
}

static void ide_3_3(void **state)
{
	(void)state;
	go(0);
	go(1);
}

static void ide_3_4(void **state)
{
	(void)state;
	go(1);
	go(0);
}

static void ide_4_1(void **state)
{
	(void)state;
	go(0);
	assert_acked(IDE_KM_K_SET_STOP, 0);
}

static void ide_4_2(void **state)
{
	(void)state;
	go(1);
	assert_acked(IDE_KM_K_SET_STOP, 1);
}

static void ide_4_3(void **state)
{
	(void)state;
	go(0);
	go(1);
	assert_acked(IDE_KM_K_SET_STOP, 1);
}

static void ide_4_4(void **state)
{
	(void)state;
	go(1);
	go(0);
	assert_acked(IDE_KM_K_SET_STOP, 0);
}

#define OTHER_SESSION 0xabcd0002u

static void ide_5_1(void **state)
{
	static const uint8_t query[3] = { IDE_KM_QUERY };

	(void)state;
	km_key_set(SESSION, STREAM, 0);
	assert_int_equal(km(OTHER_SESSION, query, sizeof(query)), -ENOMSG);
	assert_int_equal(km_prog(OTHER_SESSION, STREAM, slot_code(1, 0, 0), 0), -ENOMSG);
	assert_true(ide_keys_programmed(PF, STREAM));
	assert_query(SESSION, 0);
}

static void ide_5_2(void **state)
{
	(void)state;
	km_key_set(SESSION, STREAM, 0);
	dsm_session_end(dsm_of(PF), SESSION);
	assert_query(OTHER_SESSION, 0);
	EACH_SLOT(slot, 0)
		assert_int_equal(km_prog(OTHER_SESSION, STREAM, slot, 0), IDE_KM_OK);
}

#define TDISP_CASE(n, m, up) { "R6.4 TDISP " #n "." #m, tdisp_##n##_##m, up, rig_down, NULL }
#define IDE_CASE(n, m) { "R6.4 IDE_KM " #n "." #m, ide_##n##_##m, unkeyed, rig_down, NULL }
int main(void)
{
	const struct CMUnitTest tests[] = {
		TDISP_CASE(1, 1, keyed), TDISP_CASE(2, 1, keyed), TDISP_CASE(3, 1, keyed),
		TDISP_CASE(3, 2, unkeyed), TDISP_CASE(3, 3, keyed), TDISP_CASE(3, 4, keyed),
		TDISP_CASE(4, 1, keyed), TDISP_CASE(4, 2, keyed), TDISP_CASE(4, 3, keyed),
		TDISP_CASE(4, 4, keyed), TDISP_CASE(4, 5, keyed), TDISP_CASE(5, 1, keyed),
		TDISP_CASE(5, 2, keyed), TDISP_CASE(5, 3, keyed), TDISP_CASE(5, 4, keyed),
		TDISP_CASE(6, 1, keyed), TDISP_CASE(6, 2, keyed), TDISP_CASE(6, 3, keyed),
		TDISP_CASE(6, 4, keyed), TDISP_CASE(7, 1, keyed), TDISP_CASE(7, 2, keyed),
		TDISP_CASE(7, 3, keyed), IDE_CASE(1, 1), IDE_CASE(1, 2), IDE_CASE(2, 1),
		IDE_CASE(2, 2), IDE_CASE(2, 3), IDE_CASE(2, 4), IDE_CASE(2, 5), IDE_CASE(2, 6),
		IDE_CASE(3, 1), IDE_CASE(3, 2), IDE_CASE(3, 3), IDE_CASE(3, 4), IDE_CASE(4, 1),
		IDE_CASE(4, 2), IDE_CASE(4, 3), IDE_CASE(4, 4), IDE_CASE(5, 1), IDE_CASE(5, 2),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
