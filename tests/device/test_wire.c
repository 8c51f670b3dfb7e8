/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The device as a host's firmware meets it: DOE registers in config space, SPDM with real
 * cryptography, IDE_KM and TDISP inside the session.
 */
#include <stdlib.h>

#include "hardware/doe.h"
#include "rig.h"

static struct spdm_requester *requester;

static int wire_up(void **state)
{
	const uint8_t *anchor;
	size_t len;

	if (rig_up(state))
		return -1;
	anchor = device_trust_anchor(VF, &len);
	requester = calloc(1, spdm_requester_size());
	if (!anchor || !requester)
		return -1;
	spdm_requester_init(requester, anchor, len);
	return 0;
}

static int wire_down(void **state)
{
	free(requester);
	return rig_down(state);
}

/* One object through the mailbox of PCIe 6.x 6.30; bytes of the answer, 0: none came. */
static size_t doe_exchange(const uint8_t *req, size_t len, uint8_t *rsp, size_t cap)
{
	unsigned int doe = function_find(PF)->cap_doe;
	struct reader r = reader_of(req, len);
	struct writer w = writer_of(rsp, cap);

	while (reader_left(&r))
		config_write(PF, doe + 0x10, 4, get_le32(&r));
	config_write(PF, doe + 0x08, 4, 0x80000000);
	assert_int_equal(config_read(PF, doe + 0x0c, 4) & 5, 0);
	while (config_read(PF, doe + 0x0c, 4) & 0x80000000) {
		put_le32(&w, config_read(PF, doe + 0x14, 4));
		config_write(PF, doe + 0x14, 4, 0);
	}
	assert_false(w.bad);
	return w.at;
}

static bool wire_exchange(const struct spdm_wire *out, struct spdm_wire *in)
{
	uint8_t req[SPDM_MAX_MESSAGE + 16], rsp[SPDM_MAX_MESSAGE + 16];
	struct writer w = writer_of(req, sizeof(req));
	size_t padded = (out->len + 3) & ~(size_t)3, len;

	put_le16(&w, 1);
	put_le16(&w, out->doe_type);
	put_le32(&w, (uint32_t)(padded + 8) / 4);
	put_bytes(&w, out->data, out->len);
	put_space(&w, padded - out->len);
	len = doe_exchange(req, w.at, rsp, sizeof(rsp));
	if (len <= 8)
		return false;
	in->doe_type = rsp[2];
	in->len = len - 8;
	memcpy(in->data, rsp + 8, in->len);
	return true;
}

static int run(void)
{
	struct spdm_wire out, in;
	int rc = spdm_requester_next(requester, NULL, &out);

	while (rc == 1) {
		if (!wire_exchange(&out, &in))
			return -ENOMSG;
		rc = spdm_requester_next(requester, &in, &out);
	}
	return rc;
}

static int operate(enum spdm_op op)
{
	int rc = spdm_requester_start(requester, op);

	return rc ? rc : run();
}

static int vendor(
	uint8_t protocol, const void *body, size_t len, const uint8_t **reply, size_t *reply_len)
{
	int rc = spdm_requester_vendor(requester, protocol, body, len);

	if (!rc)
		rc = run();
	*reply = rc ? NULL : spdm_requester_vendor_reply(requester, reply_len);
	return rc;
}

static void key_set_over_the_wire(void)
{
	const uint8_t *reply;
	size_t len;

	ide_registers(PF, 0, STREAM, PORT, PORT, IDE_DEFAULT);
	for (unsigned int i = 0; i < 6; i++) {
		uint8_t prog[47] = {
			IDE_KM_KEY_PROG, 0, 0, STREAM, 0, slot_code(0, i / 3, i % 3), 0, [43] = 1 };
		const uint8_t go[7] = { IDE_KM_K_SET_GO, 0, 0, STREAM, 0, prog[5], 0 };

		assert_int_equal(vendor(PCISIG_IDE_KM, prog, sizeof(prog), &reply, &len), 0);
		assert_int_equal(reply[4], IDE_KM_OK);
		assert_int_equal(vendor(PCISIG_IDE_KM, go, sizeof(go), &reply, &len), 0);
		assert_int_equal(reply[0], IDE_KM_K_GOSTOP_ACK);
	}
}

/* The response's type byte. */
static uint8_t tdisp_over_the_wire(uint16_t rid, uint8_t code, const uint8_t *body, size_t body_len,
				   uint8_t nonce[32])
{
	uint8_t m[64] = { TDISP_VERSION_10, code, 0, 0, (uint8_t)rid, (uint8_t)(rid >> 8) };
	const uint8_t *reply;
	size_t len;

	if (body_len)
		memcpy(m + 16, body, body_len);
	assert_int_equal(vendor(PCISIG_TDISP, m, 16 + body_len, &reply, &len), 0);
	assert_true(len >= 16);
	if (nonce && len >= 48)
		memcpy(nonce, reply + 16, 32);
	return reply[1];
}

static void R1_4_lock_and_run_over_doe(void **state)
{
	const uint8_t lock[20] = { 0, 0, STREAM };
	uint8_t nonce[32];

	(void)state;
	assert_int_equal(operate(SPDM_OP_CONNECT), 0);
	assert_int_equal(spdm_responder_session_id(dsm_of(PF)->responder),
		spdm_requester_session_id(requester));
	key_set_over_the_wire();
	assert_int_equal(
		tdisp_over_the_wire(VF, TDISP_LOCK, lock, sizeof(lock), nonce), TDISP_LOCK - 0x80);
	assert_int_equal(tdi_state(VF), TDISP_LOCKED);
	assert_int_equal(tdisp_over_the_wire(VF, TDISP_START, nonce, 32, NULL), TDISP_START - 0x80);
	assert_int_equal(tdi_state(VF), TDISP_RUN);
	assert_int_equal(tdi_state(PF), TDISP_UNLOCKED);
	assert_int_equal(operate(SPDM_OP_MEASURE), 0);
	assert_int_equal(operate(SPDM_OP_END), 0);
	assert_int_equal(tdi_state(VF), TDISP_ERROR_STATE);
	assert_string_equal(tdi_cause(VF), "SPDM session ended");
	/* A new session may stop it, and lock it again with new keys. */
	assert_int_equal(operate(SPDM_OP_CONNECT), 0);
	assert_int_equal(tdisp_over_the_wire(VF, TDISP_STOP, NULL, 0, NULL), TDISP_STOP - 0x80);
	assert_int_equal(
		tdisp_over_the_wire(VF, TDISP_LOCK, lock, sizeof(lock), NULL), TDISP_ERROR);
	key_set_over_the_wire();
	assert_int_equal(
		tdisp_over_the_wire(VF, TDISP_LOCK, lock, sizeof(lock), NULL), TDISP_LOCK - 0x80);
}

static void device_drops_its_session(void **state)
{
	(void)state;
	assert_int_equal(operate(SPDM_OP_CONNECT), 0);
	assert_int_equal(device_inject(PF, DEVICE_FAULT_END_SESSION, 1), 0);
	assert_int_equal(spdm_responder_session_id(dsm_of(PF)->responder), 0);
	assert_int_not_equal(operate(SPDM_OP_HEARTBEAT), 0);
}

/* TDISP in the clear: no TDISP answer and no effect. */
static void tdisp_in_the_clear(void **state)
{
	struct spdm_wire out = { .doe_type = DOE_TYPE_CMA,
				 .data = { 0x12, 0xfe, 0, 0, 3, 0, 2, 1, 0, 17, 0, 1,
					 TDISP_VERSION_10, TDISP_STOP, 0, 0, 0, 1 },
				 .len = 11 + 17 },
			 in;

	(void)state;
	assert_int_equal(operate(SPDM_OP_CONNECT), 0);
	if (wire_exchange(&out, &in))
		assert_int_not_equal(in.data[1], 0x7e);
	assert_int_equal(tdi_state(PF), TDISP_UNLOCKED);
}

static void hostile_objects_get_no_answer(void **state)
{
	uint8_t req[64], rsp[8192];

	(void)state;
	assert_int_equal(doe_exchange((const uint8_t[16]){ 1, 0, 3, 0, 4 }, 16, rsp, 8192), 0);
	assert_int_equal(doe_exchange((const uint8_t[16]){ 2, 0, 1, 0, 4 }, 16, rsp, 8192), 0);
	for (unsigned int i = 0; i < 2000; i++) {
		image_random(req, sizeof(req));
		memcpy(req, ((const uint8_t[8]){ 1, 0, (uint8_t)(1 + (i & 1)), 0, 16 }), 8);
		doe_exchange(req, sizeof(req), rsp, sizeof(rsp));
	}
	assert_int_equal(operate(SPDM_OP_CONNECT), 0);
}

/* R7.3: whatever the device did after a snapshot is undone, and happens again byte for byte. */
static void R7_3_device_state_is_all_in_the_image(void **state)
{
	const uint8_t lock[20] = { 0, 0, STREAM };
	uint8_t nonce[2][32], *before = malloc(spdm_requester_size());
	uint64_t hash = image_hash();
	image_mark mark = image_snapshot();

	(void)state;
	assert_non_null(before);
	assert_int_not_equal(mark, 0);
	memcpy(before, requester, spdm_requester_size());
	for (unsigned int i = 0; i < 2; i++) {
		memcpy(requester, before, spdm_requester_size());
		assert_int_equal(operate(SPDM_OP_CONNECT), 0);
		key_set_over_the_wire();
		assert_int_equal(tdisp_over_the_wire(PF, TDISP_LOCK, lock, sizeof(lock), nonce[i]),
			TDISP_LOCK - 0x80);
		device_inject(PF, DEVICE_FAULT_DEBUG_UNLOCK, 1);
		assert_int_not_equal(image_hash(), hash);
		assert_int_equal(image_restore(mark), 0);
		assert_int_equal(image_hash(), hash);
	}
	assert_memory_equal(nonce[0], nonce[1], 32);
	image_release(mark);
	free(before);
}

static void anchors_differ_by_device(void **state)
{
	const uint8_t *a, *b;
	size_t a_len, b_len;

	(void)state;
	assert_int_equal(device_add_engine(2, 0), 0);
	assert_int_equal(device_add_engine(2, 0), -EEXIST);
	assert_int_equal(device_add_engine(0, 0), -EINVAL);
	assert_int_equal(device_add_engine(3, 8), -EINVAL);
	a = device_trust_anchor(PF, &a_len);
	b = device_trust_anchor(0x0200, &b_len);
	assert_true(a_len != b_len || memcmp(a, b, a_len));
	assert_null(device_trust_anchor(0x0300, &a_len));
}

#define T(f) cmocka_unit_test_setup_teardown(f, wire_up, wire_down)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(R1_4_lock_and_run_over_doe),
		T(device_drops_its_session),
		T(tdisp_in_the_clear),
		T(hostile_objects_get_no_answer),
		T(R7_3_device_state_is_all_in_the_image),
		T(anchors_differ_by_device),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
