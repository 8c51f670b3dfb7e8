/* SPDX-License-Identifier: BSD-2-Clause */
/* Connections, message by message, and what the two contexts are. */
#include "pair.h"

static int setup(void **state)
{
	struct pair *pair = calloc(1, sizeof(*pair));

	if (!pair)
		return -1;
	pair_setup(pair, 2026);
	*state = pair;
	return 0;
}

static int teardown(void **state)
{
	free(*state);
	pair_teardown();
	return 0;
}

/* Codes and places of a connection, in the order of DSP0274. */
static void connect_messages(void **state)
{
	static const uint8_t codes[] = {
		0x84, 0x04, 0xe1, 0x61, 0xe3, 0x63, 0x81, 0x01, 0x82, 0x02, 0xe4, 0x64};
	static const uint8_t version_request[] = {0x10, 0x84, 0, 0};
	static const uint8_t version[] = {0x10, 0x04, 0, 0, 0, 1, 0x00, 0x12};
	struct pair *pair = *state;

	pair_connect(pair);
	assert_int_equal(pair->messages, sizeof(codes) + 2);
	for (size_t i = 0; i < sizeof(codes); i++) {
		assert_int_equal(pair->log[i].doe_type, SPDM_DOE_CLEAR);
		assert_int_equal(pair->log[i].data[1], codes[i]);
	}
	assert_memory_equal(pair->log[0].data, version_request, sizeof(version_request));
	assert_memory_equal(pair->log[1].data, version, sizeof(version));
	assert_int_equal(pair->log[2].len, 20);
	assert_int_equal(pair->log[4].len, 44);
	assert_int_equal(pair->log[5].len, 48);
	assert_int_equal(pair->log[7].len, 4 + 48);
	assert_int_equal(pair->log[10].len, 8 + 32 + 96 + 2 + 20);
	assert_int_equal(pair->log[11].len, 8 + 32 + 96 + 48 + 2 + 12 + 96 + 48);
	for (size_t i = 12; i < 14; i++)
		assert_int_equal(pair->log[i].doe_type, SPDM_DOE_SECURED);
	assert_int_equal(pair->log[12].len, 6 + 2 + 52 + 16);
	assert_int_equal(pair->log[13].len, 6 + 2 + 4 + 16);
}

static void responder_offers(void **state)
{
	struct pair *pair = *state;
	struct reader r;

	pair_connect(pair);
	r = reader_of(pair->log[3].data + 8, 12);
	assert_int_equal(
		get_le32(&r), 0x62f6); /* CERT CHAL MEAS_SIG FRESH ENCRYPT MAC KEY_EX HBEAT UPD */
	assert_int_equal(get_le32(&r), 0x1200);
	r = reader_of(pair->log[5].data, 48);
	get_bytes(&r, 6);
	assert_int_equal(get_u8(&r), 1);      /* DMTF */
	assert_int_equal(get_u8(&r), 2);      /* opaque format 1 */
	assert_int_equal(get_le32(&r), 4);    /* measurements by SHA-384 */
	assert_int_equal(get_le32(&r), 0x80); /* ECDSA P-384 */
	assert_int_equal(get_le32(&r), 2);    /* SHA-384 */
	assert_memory_equal(
		pair->log[5].data + 36, "\x02\x20\x10\x00\x03\x20\x02\x00\x05\x20\x01\x00", 12);
}

static void chain_blob(void **state)
{
	struct pair *pair = *state;
	uint8_t digest[SPDM_HASH];
	const uint8_t *blob;
	size_t len;

	pair_connect(pair);
	blob = spdm_requester_chain(&pair->q, &len);
	assert_int_equal(len, 52 + pair->chain_len);
	assert_int_equal(blob[0] | blob[1] << 8, len);
	assert_int_equal(blob[2] | blob[3], 0);
	spdm_requester_digest(pair->anchor, pair->anchor_len, digest);
	assert_memory_equal(blob + 4, digest, SPDM_HASH);
	assert_memory_equal(blob + 52, pair->chain, pair->chain_len);
	spdm_requester_digest(blob, len, digest);
	assert_memory_equal(pair->log[7].data + 4, digest, SPDM_HASH);
}

static void challenge(void **state)
{
	struct pair *pair = *state;

	assert_int_equal(pair_do(pair, SPDM_OP_CHALLENGE), 0);
	assert_int_equal(pair->log[pair->messages - 1].data[1], SPDM_CHALLENGE_AUTH);
	assert_false(spdm_requester_session(&pair->q));
	assert_int_equal(spdm_responder_session_id(&pair->p), 0);
}

/* As long as the requester likes, in portions as small as it likes. */
static void certificate_portions(void **state)
{
	static const uint16_t portions[] = {1, 3, 47, 52, 1000, 0xffff};
	struct pair *pair = *state;

	for (size_t i = 0; i < sizeof(portions) / sizeof(*portions); i++) {
		pair->q.portion = portions[i];
		pair_connect(pair);
		assert_int_equal(pair->q.chain_len, 52 + pair->chain_len);
		pair->q.portion = portions[i] < 47 ? 47 : portions[i]; /* M1 has limits */
		assert_int_equal(pair_do(pair, SPDM_OP_CHALLENGE), 0);
	}
}

static void certificate_requests(void **state)
{
	struct pair *pair = *state;
	uint16_t total = (uint16_t)(52 + pair->chain_len);
	const struct {
		uint16_t offset, length, portion, remainder;
		uint8_t slot, error;
	} cases[] = {
		{0, 4, 4, (uint16_t)(total - 4), 0, 0},
		{4, 48, 48, (uint16_t)(total - 52), 0, 0},
		{(uint16_t)(total - 1), 0xffff, 1, 0, 0, 0},
		{total, 1, 0, 0, 0, SPDM_ERROR_INVALID_REQUEST},
		{0xffff, 0xffff, 0, 0, 0, SPDM_ERROR_INVALID_REQUEST},
		{0, 0, 0, 0, 0, SPDM_ERROR_INVALID_REQUEST},
		{0, 4, 0, 0, 1, SPDM_ERROR_INVALID_REQUEST},
	};

	pair_connect(pair);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint8_t request[8] = {0x12, 0x82, cases[i].slot};
		struct writer w = writer_of(request + 4, 4);
		struct spdm_wire in, out;
		struct reader r;

		put_le16(&w, cases[i].offset);
		put_le16(&w, cases[i].length);
		in = wire_clear(request, sizeof(request));
		assert_int_equal(pair_answer(pair, &in, &out), 0);
		if (cases[i].error) {
			assert_spdm_error(&out, cases[i].error);
			continue;
		}
		r = reader_of(out.data + 4, out.len - 4);
		assert_int_equal(get_le16(&r), cases[i].portion);
		assert_int_equal(get_le16(&r), cases[i].remainder);
		assert_int_equal(reader_left(&r), cases[i].portion);
	}
}

/* A requester that takes little gets little. */
static void small_transfer_size(void **state)
{
	static const uint8_t version[] = {0x10, 0x84, 0, 0};
	uint8_t caps[20] = {0x12, 0xe1, 0, 0, 0, 0, 0, 0, 0xc2, 2, 0, 0, 64, 0, 0, 0, 64, 0, 0, 0};
	uint8_t certificate[8] = {0x12, 0x82, 0, 0, 0, 0, 0xff, 0xff};
	struct pair *pair = *state;
	struct spdm_wire in, out, algorithms;

	pair_connect(pair);
	algorithms = pair->log[4];
	in = wire_clear(version, sizeof(version));
	assert_int_equal(pair_answer(pair, &in, &out), 0);
	in = wire_clear(caps, sizeof(caps));
	assert_int_equal(pair_answer(pair, &in, &out), 0);
	assert_int_equal(pair_answer(pair, &algorithms, &out), 0);
	assert_int_equal(out.data[1], SPDM_ALGORITHMS);
	in = wire_clear(certificate, sizeof(certificate));
	assert_int_equal(pair_answer(pair, &in, &out), 0);
	assert_int_equal(out.len, 64);
	assert_int_equal(pair_answer(pair, &pair->log[10], &out), 0);
	assert_spdm_error(&out, SPDM_ERROR_RESPONSE_TOO_LARGE);
	assert_int_equal(pair->p.session.phase, SPDM_PHASE_NONE);
}

static void capabilities_refused(void **state)
{
	static const struct {
		uint8_t at;
		uint32_t value;
	} cases[] = {
		{12, 41},
		{16, 4607},
		{16, 4609},
		{8, 0x200},
		{8, 0x8000},
	};
	struct pair *pair = *state;
	struct spdm_wire in, out;

	pair_connect(pair);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct writer w;

		assert_int_equal(pair_answer(pair, &pair->log[0], &out), 0);
		in = pair->log[2];
		w = writer_of(in.data + cases[i].at, 4);
		put_le32(&w, cases[i].value);
		assert_int_equal(pair_answer(pair, &in, &out), 0);
		assert_spdm_error(&out, SPDM_ERROR_INVALID_REQUEST);
		assert_int_equal(pair_answer(pair, &pair->log[4], &out), 0);
		assert_spdm_error(&out, SPDM_ERROR_UNEXPECTED_REQUEST);
	}
}

/* Requests out of their order, on a fresh connection. */
static void order_of_requests(void **state)
{
	struct pair *pair = *state;
	struct spdm_wire out;

	pair_connect(pair);
	spdm_responder_reset(&pair->p, &pair_ops, pair);
	for (size_t stage = 0; stage < 6; stage += 2) {
		for (size_t i = 2; i < 12; i += 2) {
			if (i == stage)
				continue;
			assert_int_equal(pair_answer(pair, &pair->log[i], &out), 0);
			assert_spdm_error(&out, stage ? SPDM_ERROR_UNEXPECTED_REQUEST
						      : SPDM_ERROR_REQUEST_RESYNCH);
		}
		assert_int_equal(pair_answer(pair, &pair->log[stage], &out), 0);
		assert_int_equal(out.data[1], pair->log[stage + 1].data[1]);
	}
	assert_int_equal(pair_answer(pair, &pair->log[2], &out), 0);
	assert_spdm_error(&out, SPDM_ERROR_UNEXPECTED_REQUEST);
}

static void handshake_in_the_clear(void **state)
{
	struct pair *pair = *state;

	spdm_responder_allow_clear_handshake(&pair->p, true);
	pair_connect(pair); /* only one end offers it */
	assert_int_equal(pair->log[12].doe_type, SPDM_DOE_SECURED);
	spdm_requester_allow_clear_handshake(&pair->q, true);
	pair->messages = 0;
	pair_connect(pair);
	assert_int_equal(pair->log[11].len, 8 + 32 + 96 + 48 + 2 + 12 + 96);
	assert_int_equal(pair->log[12].doe_type, SPDM_DOE_CLEAR);
	assert_int_equal(pair->log[12].len, 4 + 48);
	assert_int_equal(pair->log[13].len, 4 + 48);
	assert_int_equal(pair_do(pair, SPDM_OP_MEASURE), 0);
	assert_int_equal(pair_do(pair, SPDM_OP_KEY_UPDATE), 0);
	assert_int_equal(pair_do(pair, SPDM_OP_END), 0);
}

/* DOE pads objects with up to three zero bytes. */
static void padding_is_taken(void **state)
{
	struct pair *pair = *state;
	struct spdm_wire request, answer;
	int rc;

	for (int op = SPDM_OP_CONNECT; op <= SPDM_OP_CHALLENGE; op++) {
		if (op == SPDM_OP_VENDOR) {
			assert_int_equal(spdm_requester_vendor(&pair->q, 1, "abc", 3), 0);
		} else {
			assert_int_equal(spdm_requester_start(&pair->q, (enum spdm_op)op), 0);
		}
		rc = spdm_requester_next(&pair->q, NULL, &request);
		while (rc == 1) {
			while (request.len % 4)
				request.data[request.len++] = 0;
			assert_int_equal(pair_answer(pair, &request, &answer), 0);
			while (answer.len % 4)
				answer.data[answer.len++] = 0;
			rc = spdm_requester_next(&pair->q, &answer, &request);
		}
		assert_int_equal(rc, 0);
	}
}

static void same_seed_same_bytes(void **state)
{
	struct pair *a = *state, *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	pair_teardown();
	for (int round = 0; round < 2; round++) {
		struct pair *pair = round ? b : a;

		pair_setup(pair, 5);
		pair_connect(pair);
		assert_int_equal(pair_do(pair, SPDM_OP_MEASURE), 0);
		assert_int_equal(pair_do(pair, SPDM_OP_KEY_UPDATE), 0);
		assert_int_equal(pair_do(pair, SPDM_OP_END), 0);
		assert_int_equal(pair_do(pair, SPDM_OP_CHALLENGE), 0);
		if (!round)
			pair_teardown();
	}
	assert_int_equal(a->messages, b->messages);
	for (unsigned int i = 0; i < a->messages; i++) {
		assert_int_equal(a->log[i].len, b->log[i].len);
		assert_memory_equal(a->log[i].data, b->log[i].data, a->log[i].len);
	}
	assert_memory_equal(&a->q, &b->q, sizeof(a->q));
	assert_memory_equal(&a->p, &b->p, sizeof(a->p));
	pair_teardown();
	pair_setup(b, 6);
	pair_connect(b);
	assert_memory_not_equal(a->log[10].data + 8, b->log[10].data + 8, 32);
	free(b);
}

/* Contexts are plain bytes: moved elsewhere in the middle of a handshake, they go on. */
static void contexts_move(void **state)
{
	struct pair *pair = *state;
	struct spdm_requester *q = malloc(sizeof(*q));
	struct spdm_responder *p = malloc(sizeof(*p));
	struct spdm_wire request, answer;
	int rc;

	assert_int_equal(spdm_requester_size(), sizeof(*q));
	assert_int_equal(spdm_responder_size(), sizeof(*p));
	assert_int_equal(spdm_requester_start(&pair->q, SPDM_OP_CONNECT), 0);
	rc = spdm_requester_next(&pair->q, NULL, &request);
	while (rc == 1) {
		memcpy(p, &pair->p, sizeof(*p));
		memset(&pair->p, 0xee, sizeof(*p));
		rc = spdm_responder_handle(p, &pair->identity, &pair_ops, pair, &request, &answer);
		assert_int_equal(rc, 0);
		memcpy(&pair->p, p, sizeof(*p));
		memcpy(q, &pair->q, sizeof(*q));
		memset(&pair->q, 0xee, sizeof(*q));
		rc = spdm_requester_next(q, &answer, &answer); /* one buffer for both */
		request = answer;
		memcpy(&pair->q, q, sizeof(*q));
	}
	assert_int_equal(rc, 0);
	assert_true(spdm_requester_session(&pair->q));
	free(q);
	free(p);
}

static void out_of_turn(void **state)
{
	struct pair *pair = *state;
	struct spdm_wire wire, answer;

	assert_int_equal(spdm_requester_next(&pair->q, NULL, &wire), -EINVAL);
	assert_int_equal(spdm_requester_start(&pair->q, SPDM_OP_NONE), -EINVAL);
	assert_int_equal(spdm_requester_start(&pair->q, SPDM_OP_VENDOR), -EINVAL);
	assert_int_equal(spdm_requester_start(&pair->q, SPDM_OP_MAX), -EINVAL);
	assert_int_equal(spdm_requester_start(&pair->q, SPDM_OP_CONNECT), 0);
	assert_int_equal(spdm_requester_next(&pair->q, &wire, &wire), -EINVAL);
	assert_int_equal(spdm_requester_next(&pair->q, NULL, &wire), 1);
	assert_int_equal(spdm_requester_next(&pair->q, NULL, &wire), -EINVAL);
	image_detach();
	assert_int_equal(spdm_requester_next(&pair->q, &wire, &wire), -ENODEV);
	assert_int_equal(pair_answer(pair, &wire, &answer), -ENODEV);
}

/* An image may be a file of somebody else's making. */
static void damaged_contexts(void **state)
{
	struct pair *pair = *state;
	struct spdm_requester good = pair->q;
	struct spdm_wire wire;

	pair->q.chain_len = SPDM_CHAIN_MAX + 1;
	assert_int_equal(spdm_requester_next(&pair->q, NULL, &wire), -EUCLEAN);
	pair->q = good;
	pair->q.step = 200;
	assert_int_equal(spdm_requester_next(&pair->q, NULL, &wire), -EUCLEAN);
	pair->q = good;
	pair->q.transcript.len[SPDM_PART_KEYS] = UINT32_MAX;
	assert_int_equal(spdm_requester_start(&pair->q, SPDM_OP_CONNECT), -EINVAL);
	pair->p.connection = 9;
	wire = wire_clear("\x10\x84\0\0", 4);
	assert_int_equal(pair_answer(pair, &wire, &wire), -EUCLEAN);
}

#define TEST(name, fn)                                                                             \
	{                                                                                          \
		name, fn, setup, teardown, NULL                                                    \
	}
int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST("R6.4 a connection's messages", connect_messages),
		TEST("R6.4 what the responder offers", responder_offers),
		TEST("R6.4 the chain blob", chain_blob),
		TEST("R6.4 CHALLENGE", challenge),
		TEST("R6.4 certificates in portions of any length", certificate_portions),
		TEST("R6.4 GET_CERTIFICATE's bounds", certificate_requests),
		TEST("R6.4 a small DataTransferSize is respected", small_transfer_size),
		TEST("R6.4 capabilities that contradict themselves", capabilities_refused),
		TEST("R6.4 requests out of order", order_of_requests),
		TEST("R6.4 HANDSHAKE_IN_THE_CLEAR when both ends want it", handshake_in_the_clear),
		TEST("R6.4 DOE's padding is taken", padding_is_taken),
		TEST("R7.3 the same seed gives the same bytes", same_seed_same_bytes),
		TEST("R7.3 contexts move in the middle of a handshake", contexts_move),
		TEST("R7.3 calls out of turn", out_of_turn),
		TEST("R7.3 damaged contexts are refused", damaged_contexts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
