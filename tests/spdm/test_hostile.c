/* SPDX-License-Identifier: BSD-2-Clause */
/* A host that owns the wire: it may deny a session, and never change one. */
#include "pair.h"

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif
#ifndef RUNNING_ON_VALGRIND
#define RUNNING_ON_VALGRIND 0
#endif

/* valgrind makes curves thirty times slower: there, a sample. */
#define STRIDE (RUNNING_ON_VALGRIND ? 37u : 1u)
#define FUZZ_ROUNDS (RUNNING_ON_VALGRIND ? 60 : 1200)
#define FUZZ_RECORDS (RUNNING_ON_VALGRIND ? 500 : 20000)

static int setup(void **state)
{
	struct pair *pair = calloc(1, sizeof(*pair));

	if (!pair)
		return -1;
	pair_setup(pair, 777);
	*state = pair;
	return 0;
}

static int teardown(void **state)
{
	free(*state);
	pair_teardown();
	return 0;
}

static uint64_t dice_state;

static uint32_t dice(uint32_t below)
{
	dice_state = dice_state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(dice_state >> 33) % below;
}

/* Goes on from a request or an answer that was tampered with: the last word of the requester. */
static int go_on(
	struct pair *pair, struct spdm_wire *request, struct spdm_wire *answer, bool at_request)
{
	int rc = 1;

	while (rc == 1) {
		if (at_request && pair_answer(pair, request, answer))
			return -ETIMEDOUT;
		at_request = true;
		rc = spdm_requester_next(&pair->q, answer, request);
	}
	return rc;
}

/* GET_CERTIFICATE's length is advice that no signature covers: what is asked for in other portions
 * is the same chain, checked by its hash. Nor are reserved bits of it and of GET_DIGESTS covered,
 * which are not looked at. */
static bool is_advice(const struct spdm_wire *wire, size_t at)
{
	if (wire->data[1] == SPDM_GET_DIGESTS)
		return at == 2 || at == 3;
	return wire->data[1] == SPDM_GET_CERTIFICATE &&
	       (at == 2 || at == 3 || at == 6 || at == 7);
}

/* Flips one bit of every byte of one message, from the same state each time. */
static void tamper_message(
	struct pair *pair, const struct pair *before, const struct spdm_wire *wire, bool is_request)
{
	struct spdm_wire request, answer;

	for (size_t at = dice(STRIDE); at <= wire->len; at += STRIDE) {
		struct spdm_wire *bad = is_request ? &request : &answer;
		int rc;

		memcpy(&pair->q, &before->q, sizeof(pair->q));
		memcpy(&pair->p, &before->p, sizeof(pair->p));
		*bad = *wire;
		if (at == wire->len)
			bad->doe_type ^= 3;
		else
			bad->data[at] ^= (uint8_t)(1u << dice(8));
		rc = go_on(pair, &request, &answer, is_request);
		if (is_advice(wire, at) && !rc)
			continue;
		assert_true(rc < 0);
		assert_false(spdm_requester_session(&pair->q));
		if (is_request)
			assert_int_equal(spdm_responder_session_id(&pair->p), 0);
	}
}

/* Every message of a connection from number `from` on. */
static void tamper_connect(struct pair *pair, unsigned int from)
{
	struct pair *before = malloc(sizeof(*before));
	struct spdm_wire request, answer;
	unsigned int message = 0;
	int rc;

	dice_state = 1;
	assert_non_null(before);
	assert_int_equal(spdm_requester_start(&pair->q, SPDM_OP_CONNECT), 0);
	rc = spdm_requester_next(&pair->q, NULL, &request);
	while (rc == 1) {
		memcpy(before, pair, sizeof(*before));
		if (message++ >= from)
			tamper_message(pair, before, &request, true);
		memcpy(pair, before, sizeof(*before));
		assert_int_equal(pair_answer(pair, &request, &answer), 0);
		memcpy(before, pair, sizeof(*before));
		if (message++ >= from)
			tamper_message(pair, before, &answer, false);
		memcpy(pair, before, sizeof(*before));
		rc = spdm_requester_next(&pair->q, &answer, &request);
	}
	assert_int_equal(rc, 0);
	assert_true(spdm_requester_session(&pair->q));
	free(before);
}

static void no_byte_of_a_connection_can_change(void **state)
{
	tamper_connect(*state, 0);
}

static void no_byte_of_a_clear_handshake_can_change(void **state)
{
	struct pair *pair = *state;

	spdm_requester_allow_clear_handshake(&pair->q, true);
	spdm_responder_allow_clear_handshake(&pair->p, true);
	tamper_connect(pair, 10);	/* what comes before is the same */
}

/* Signed answers outside a session: every byte of CHALLENGE_AUTH and MEASUREMENTS. */
static void no_byte_of_a_signed_answer_can_change(void **state)
{
	struct pair *pair = *state;
	struct spdm_requester *before = malloc(sizeof(*before));
	struct spdm_wire request, answer, bad, next;

	for (int round = 0; round < 2; round++) {
		int rc;

		assert_int_equal(
			spdm_requester_start(&pair->q, round ? SPDM_OP_MEASURE : SPDM_OP_CHALLENGE),
			0);
		rc = spdm_requester_next(&pair->q, NULL, &request);
		while (rc == 1) {
			assert_int_equal(pair_answer(pair, &request, &answer), 0);
			memcpy(before, &pair->q, sizeof(*before));
			rc = spdm_requester_next(&pair->q, &answer, &request);
		}
		assert_int_equal(rc, 0);
		for (size_t at = dice(STRIDE); at < answer.len; at += STRIDE) {
			memcpy(&pair->q, before, sizeof(*before));
			bad = answer;
			bad.data[at] ^= (uint8_t)(1u << dice(8));
			assert_true(spdm_requester_next(&pair->q, &bad, &next) < 0);
		}
		memcpy(&pair->q, before, sizeof(*before));
		assert_int_equal(spdm_requester_next(&pair->q, &answer, &next), 0);
	}
	free(before);
}

/* A device that signs, and cannot derive the keys, does not get a FINISH. */
static void verify_data_is_checked_first(void **state)
{
	struct pair *pair = *state;
	struct spdm_wire request, answer;

	for (size_t at = 0; at < SPDM_HASH; at++) {
		int rc;

		assert_int_equal(spdm_requester_start(&pair->q, SPDM_OP_CONNECT), 0);
		rc = spdm_requester_next(&pair->q, NULL, &request);
		while (rc == 1 && request.data[1] != SPDM_KEY_EXCHANGE) {
			assert_int_equal(pair_answer(pair, &request, &answer), 0);
			rc = spdm_requester_next(&pair->q, &answer, &request);
		}
		assert_int_equal(rc, 1);
		assert_int_equal(pair_answer(pair, &request, &answer), 0);
		answer.data[answer.len - SPDM_HASH + at] ^= 0x80;
		assert_int_equal(spdm_requester_next(&pair->q, &answer, &request), -EACCES);
		at += STRIDE - 1;
	}
}

/* A device that shows one chain and is challenged with another. */
static void challenged_with_another_chain(void **state)
{
	struct pair *pair = *state;
	struct spdm_wire request, answer;
	int rc;

	assert_int_equal(spdm_requester_start(&pair->q, SPDM_OP_CHALLENGE), 0);
	rc = spdm_requester_next(&pair->q, NULL, &request);
	while (rc == 1) {
		if (request.data[1] == SPDM_CHALLENGE)
			pair->identity.chain_len = pair->anchor_len;
		assert_int_equal(pair_answer(pair, &request, &answer), 0);
		rc = spdm_requester_next(&pair->q, &answer, &request);
	}
	assert_int_equal(rc, -EACCES);
}

static void tampered_records_end_the_session(void **state)
{
	struct pair *pair = *state;
	struct spdm_wire request, answer;

	pair_connect(pair);
	assert_int_equal(spdm_requester_vendor(&pair->q, 1, "abc", 3), 0);
	assert_int_equal(spdm_requester_next(&pair->q, NULL, &request), 1);
	request.data[9] ^= 1;
	assert_int_equal(pair_answer(pair, &request, &answer), 0);
	assert_spdm_error(&answer, SPDM_ERROR_DECRYPT);
	assert_int_equal(pair->ended, 1);
	assert_int_equal(spdm_requester_next(&pair->q, &answer, &request), -EREMOTEIO);
	assert_false(spdm_requester_session(&pair->q));

	pair_connect(pair);
	assert_int_equal(spdm_requester_vendor(&pair->q, 1, "abc", 3), 0);
	assert_int_equal(spdm_requester_next(&pair->q, NULL, &request), 1);
	assert_int_equal(pair_answer(pair, &request, &answer), 0);
	answer.data[9] ^= 1;
	assert_int_equal(spdm_requester_next(&pair->q, &answer, &request), -EACCES);
	assert_false(spdm_requester_session(&pair->q));
}

static void records_cannot_be_replayed_or_reflected(void **state)
{
	struct pair *pair = *state;
	struct spdm_wire request, answer, old;
	unsigned int calls;

	for (int reflect = 0; reflect < 2; reflect++) {
		pair_connect(pair);
		assert_int_equal(spdm_requester_vendor(&pair->q, 1, "abc", 3), 0);
		assert_int_equal(spdm_requester_next(&pair->q, NULL, &request), 1);
		assert_int_equal(pair_answer(pair, &request, &answer), 0);
		old = answer;
		assert_int_equal(spdm_requester_next(&pair->q, &answer, &answer), 0);
		calls = pair->vendor_calls;
		assert_int_equal(pair_answer(pair, reflect ? &old : &request, &answer), 0);
		assert_spdm_error(&answer, SPDM_ERROR_DECRYPT);
		assert_int_equal(pair->vendor_calls, calls);
	}
}

/* A record for a session that is not there is refused, and does no harm to one that is. */
static void other_sessions_records(void **state)
{
	struct pair *pair = *state;
	struct spdm_wire request, answer;

	pair_connect(pair);
	assert_int_equal(spdm_requester_start(&pair->q, SPDM_OP_HEARTBEAT), 0);
	assert_int_equal(spdm_requester_next(&pair->q, NULL, &request), 1);
	request.data[0] ^= 1;
	assert_int_equal(pair_answer(pair, &request, &answer), 0);
	assert_spdm_error(&answer, SPDM_ERROR_INVALID_SESSION);
	request.len = 3;
	assert_int_equal(pair_answer(pair, &request, &answer), 0);
	assert_spdm_error(&answer, SPDM_ERROR_INVALID_SESSION);
	assert_int_not_equal(spdm_responder_session_id(&pair->p), 0);
	assert_int_equal(pair->ended, 0);
}

/* An answer in the clear is no answer in a session. */
static void clear_answers_in_a_session(void **state)
{
	struct pair *pair = *state;
	struct spdm_wire request, answer = wire_clear("\x12\x68\0\0", 4);

	pair_connect(pair);
	assert_int_equal(spdm_requester_start(&pair->q, SPDM_OP_HEARTBEAT), 0);
	assert_int_equal(spdm_requester_next(&pair->q, NULL, &request), 1);
	assert_int_equal(spdm_requester_next(&pair->q, &answer, &request), -EPROTO);
	assert_false(spdm_requester_session(&pair->q));
}

/* A device with another vendor's chain, or with the right chain and another key. */
static void wrong_anchor(void **state)
{
	struct pair *pair = *state, *other = calloc(1, sizeof(*other));

	assert_non_null(other);
	pair_setup(other, 888);
	spdm_requester_init(&pair->q, other->anchor, other->anchor_len);
	assert_int_equal(pair_do(pair, SPDM_OP_CONNECT), -EACCES);
	assert_false(spdm_requester_session(&pair->q));
	assert_int_equal(pair_do(pair, SPDM_OP_CHALLENGE), -EACCES);
	spdm_requester_init(&pair->q, NULL, 0);
	assert_int_equal(pair_do(pair, SPDM_OP_CONNECT), -EACCES);
	spdm_requester_init(&pair->q, pair->chain, SPDM_ANCHOR_MAX + 1);
	assert_int_equal(pair_do(pair, SPDM_OP_CONNECT), -EACCES);
	spdm_requester_init(&pair->q, pair->anchor, pair->anchor_len - 1);
	assert_int_equal(pair_do(pair, SPDM_OP_CONNECT), -EACCES);
	spdm_requester_init(&pair->q, pair->anchor, pair->anchor_len);
	pair_connect(pair);
	assert_int_equal(pair_do(pair, SPDM_OP_END), 0);
	pair->identity.key = other->key;
	pair->identity.key_len = other->key_len;
	assert_int_equal(pair_do(pair, SPDM_OP_CONNECT), -EACCES);
	assert_int_equal(pair_do(pair, SPDM_OP_CHALLENGE), -EACCES);
	free(other);
}

/* The right root, and below it what does not belong. */
static void wrong_chains(void **state)
{
	struct pair *pair = *state, *other = calloc(1, sizeof(*other));
	uint8_t chain[3][4096];
	size_t root, middle, leaf;
	const struct {
		int order[4];
		int n;
	} cases[] = {
		{{0, 2}, 2},
		{{0, 2, 1}, 3},
		{{0, 1}, 2},
		{{0}, 1},
		{{0, 0, 1, 2}, 4},
		{{1, 2}, 2},
		{{0, 1, 2, 2}, 4},
	};

	root = spdm_certificate_size(pair->chain, pair->chain_len);
	middle = spdm_certificate_size(pair->chain + root, pair->chain_len - root);
	leaf = pair->chain_len - root - middle;
	memcpy(chain[0], pair->chain, root);
	memcpy(chain[1], pair->chain + root, middle);
	memcpy(chain[2], pair->chain + root + middle, leaf);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const size_t lens[3] = {root, middle, leaf};
		struct writer w = writer_of(pair->chain, sizeof(pair->chain));

		for (int n = 0; n < cases[i].n; n++)
			put_bytes(&w, chain[cases[i].order[n]], lens[cases[i].order[n]]);
		pair->identity.chain_len = w.at;
		assert_true(pair_do(pair, SPDM_OP_CONNECT) < 0);
		assert_false(spdm_requester_session(&pair->q));
	}
	pair_setup(other, 889); /* a foreign leaf below our root */
	memcpy(pair->chain + root + middle, other->chain + other->chain_len - leaf, leaf);
	memcpy(pair->chain, chain[0], root);
	memcpy(pair->chain + root, chain[1], middle);
	pair->identity.chain_len = root + middle + leaf;
	assert_true(pair_do(pair, SPDM_OP_CONNECT) < 0);
	free(other);
}

/* Without an anchor, whole chains of anybody's are taken when asked to, and still no others. */
static void own_root(void **state)
{
	struct pair *pair = *state;

	spdm_requester_init(&pair->q, NULL, 0);
	spdm_requester_trust_own_root(&pair->q, true);
	pair_connect(pair);
	assert_int_equal(pair_do(pair, SPDM_OP_END), 0);
	pair->chain[pair->chain_len - 1] ^= 1;
	assert_int_equal(pair_do(pair, SPDM_OP_CONNECT), -EACCES);
	pair->chain[pair->chain_len - 1] ^= 1;
	pair->identity.chain += pair->anchor_len; /* no root in it */
	pair->identity.chain_len -= pair->anchor_len;
	assert_int_equal(pair_do(pair, SPDM_OP_CONNECT), -EACCES);
}

static void mutate(struct spdm_wire *wire)
{
	unsigned int times = 1 + dice(4);

	switch (dice(5)) {
	case 0:
		wire->len = dice((uint32_t)wire->len + 1);
		return;
	case 1:
		wire->len += dice((uint32_t)(sizeof(wire->data) - wire->len) + 1);
		return;
	case 2:
		wire->len = dice(sizeof(wire->data) + 1);
		for (size_t i = 4; i < wire->len; i++)
			wire->data[i] = (uint8_t)dice(256);
		return;
	case 3:
		wire->doe_type = (uint8_t)dice(4);
		return;
	default:
		while (times-- && wire->len)
			wire->data[dice((uint32_t)wire->len)] = (uint8_t)dice(256);
	}
}

static void check_answer(const struct spdm_wire *answer)
{
	assert_in_range(answer->len, 4, sizeof(answer->data));
	assert_in_range(answer->doe_type, SPDM_DOE_CLEAR, SPDM_DOE_SECURED);
}

/* Whole connections with mutations thrown in, at either end. */
static void fuzz_connections(void **state)
{
	struct pair *pair = *state;
	struct spdm_wire request, answer;
	unsigned int established = 0;

	dice_state = 12345;
	for (int round = 0; round < FUZZ_ROUNDS / 10; round++) {
		int rc;

		assert_int_equal(spdm_requester_start(&pair->q, SPDM_OP_CONNECT), 0);
		rc = spdm_requester_next(&pair->q, NULL, &request);
		while (rc == 1) {
			if (!dice(20))
				mutate(&request);
			if (pair_answer(pair, &request, &answer))
				break;
			check_answer(&answer);
			if (!dice(20))
				mutate(&answer);
			rc = spdm_requester_next(&pair->q, &answer, &request);
		}
		established += spdm_requester_session(&pair->q);
		assert_int_equal(rc == 0, spdm_requester_session(&pair->q));
	}
	assert_in_range(established, 1, FUZZ_ROUNDS / 10 - 1);
}

/* Mutated requests and answers, each from a recorded good state. */
static void fuzz_messages(void **state)
{
	struct pair *pair = *state, *before = malloc(sizeof(*before));
	struct spdm_wire request, answer, bad;
	int rc;

	dice_state = 54321;
	assert_int_equal(spdm_requester_start(&pair->q, SPDM_OP_CONNECT), 0);
	rc = spdm_requester_next(&pair->q, NULL, &request);
	while (rc == 1) {
		memcpy(before, pair, sizeof(*before));
		for (int i = 0; i < FUZZ_ROUNDS / 20; i++) {
			memcpy(&pair->p, &before->p, sizeof(pair->p));
			bad = request;
			mutate(&bad);
			if (!pair_answer(pair, &bad, &answer))
				check_answer(&answer);
		}
		memcpy(pair, before, sizeof(*before));
		assert_int_equal(pair_answer(pair, &request, &answer), 0);
		memcpy(before, pair, sizeof(*before));
		for (int i = 0; i < FUZZ_ROUNDS / 20; i++) {
			memcpy(&pair->q, &before->q, sizeof(pair->q));
			bad = answer;
			mutate(&bad);
			rc = spdm_requester_next(&pair->q, &bad, &request);
			assert_in_range(rc + 1000, 1000 - 200, 1001);
		}
		memcpy(pair, before, sizeof(*before));
		rc = spdm_requester_next(&pair->q, &answer, &request);
	}
	assert_int_equal(rc, 0);
	free(before);
}

/* A peer that has the keys and says anything at all inside the session. */
static void fuzz_inside_the_session(void **state)
{
	static const uint8_t codes[] = {0xfe, 0xe0, 0xe8, 0xe9, 0x81, 0x82, 0xe5, 0x84, 0xff};
	struct pair *pair = *state, *before = malloc(sizeof(*before));
	uint8_t message[SPDM_MAX_MESSAGE], answer[SPDM_MAX_MESSAGE];
	size_t len;

	dice_state = 999;
	pair_connect(pair);
	memcpy(before, pair, sizeof(*before));
	for (int i = 0; i < FUZZ_RECORDS; i++) {
		size_t n = dice(8) ? dice(64) : dice(sizeof(message) + 1);

		for (size_t at = 0; at < n; at++)
			message[at] = (uint8_t)dice(dice(2) ? 4 : 256);
		message[0] = dice(16) ? 0x12 : message[0];
		message[1] = dice(16) ? codes[dice(sizeof(codes))] : message[1];
		if (message[1] == 0xfe && dice(4))
			memcpy(message + 4, "\3\0\2\1\0", 5);
		memcpy(&pair->q, &before->q, sizeof(pair->q));
		memcpy(&pair->p, &before->p, sizeof(pair->p));
		if (!pair_secured(pair, message, n, answer, &len))
			assert_in_range(len, 4, SPDM_MAX_MESSAGE);
	}
	free(before);
}

/* Likewise for the requester: a device that has the keys and answers anything. */
static void fuzz_answers_inside_the_session(void **state)
{
	static const struct {
		enum spdm_op op;
		uint8_t code;
	} ops[] = {
		{SPDM_OP_VENDOR, 0x7e},
		{SPDM_OP_MEASURE, 0x60},
		{SPDM_OP_HEARTBEAT, 0x68},
		{SPDM_OP_KEY_UPDATE, 0x69},
		{SPDM_OP_END, 0x6c},
	};
	struct pair *pair = *state, *before = malloc(sizeof(*before));
	uint8_t message[SPDM_MAX_MESSAGE];
	struct spdm_wire wire;

	dice_state = 4242;
	pair_connect(pair);
	memcpy(before, pair, sizeof(*before));
	for (int i = 0; i < FUZZ_RECORDS; i++) {
		size_t n = dice(8) ? dice(96) : dice(sizeof(message) + 1), which = dice(5);
		struct spdm_keys keys;

		memcpy(&pair->q, &before->q, sizeof(pair->q));
		for (size_t at = 0; at < n; at++)
			message[at] = (uint8_t)dice(dice(2) ? 4 : 256);
		message[0] = dice(16) ? 0x12 : message[0];
		message[1] = dice(16) ? ops[which].code : message[1];
		if (message[1] == 0x7e && dice(4))
			memcpy(message + 4, "\3\0\2\1\0", 5);
		spdm_requester_measure(&pair->q, dice(2) ? 0xff : 1, dice(2));
		if (ops[which].op == SPDM_OP_VENDOR)
			spdm_requester_vendor(&pair->q, 0, "x", 1);
		else
			spdm_requester_start(&pair->q, ops[which].op);
		assert_int_equal(spdm_requester_next(&pair->q, NULL, &wire), 1);
		keys = pair->q.session.keys[SPDM_SIDE_RESPONDER];
		spdm_record_seal(&keys, pair->q.session.id, message, n, &wire);
		assert_true(spdm_requester_next(&pair->q, &wire, &wire) <= 1);
	}
	free(before);
}

/* Opaque data and certificates of anybody's making, straight into their parsers. */
static void fuzz_parsers(void **state)
{
	struct pair *pair = *state;
	uint8_t blob[SPDM_CHAIN_MAX], opaque[64];
	const uint8_t *good;
	EVP_PKEY *leaf;
	size_t len, n;

	pair_connect(pair);
	good = spdm_requester_chain(&pair->q, &len);
	dice_state = 31337;
	for (int i = 0; i < FUZZ_ROUNDS; i++) {
		memcpy(blob, good, len);
		for (unsigned int times = 1 + dice(3); times; times--)
			blob[52 + dice((uint32_t)len - 52)] = (uint8_t)dice(256);
		n = dice(4) ? len : dice((uint32_t)len);
		if (n != len) {
			blob[0] = (uint8_t)n;
			blob[1] = (uint8_t)(n >> 8);
		}
		if (!memcmp(blob, good, len) && n == len)
			continue;
		assert_int_not_equal(
			spdm_chain_verify(&pair->q.transcript.suite, pair->anchor, pair->anchor_len, blob, n, &leaf), 0);
		for (size_t at = 0; at < sizeof(opaque); at++)
			opaque[at] = (uint8_t)dice(dice(2) ? 4 : 256);
		spdm_opaque_version(opaque, dice(sizeof(opaque) + 1), (uint8_t)dice(2));
	}
}

#define TEST(name, fn)                                                                             \
	{                                                                                          \
		name, fn, setup, teardown, NULL                                                    \
	}
int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST("R3.5 no byte of a connection can change", no_byte_of_a_connection_can_change),
		TEST("R3.5 nor of one with a clear handshake",
			no_byte_of_a_clear_handshake_can_change),
		TEST("R3.5 nor of a signed answer", no_byte_of_a_signed_answer_can_change),
		TEST("R3.5 verify data is checked before FINISH", verify_data_is_checked_first),
		TEST("R3.5 challenged with another chain", challenged_with_another_chain),
		TEST("R3.5 tampered records end the session", tampered_records_end_the_session),
		TEST("R3.5 no replay, no reflection", records_cannot_be_replayed_or_reflected),
		TEST("R3.5 another session's records do no harm", other_sessions_records),
		TEST("R3.5 a clear answer is none in a session", clear_answers_in_a_session),
		TEST("R3.5 the wrong anchor, the wrong key", wrong_anchor),
		TEST("R3.5 the wrong chain below the right root", wrong_chains),
		TEST("R3.5 a chain up to its own root", own_root),
		TEST("R3.5 fuzzed connections", fuzz_connections),
		TEST("R3.5 fuzzed messages", fuzz_messages),
		TEST("R3.5 fuzzed requests inside the session", fuzz_inside_the_session),
		TEST("R3.5 fuzzed answers inside the session", fuzz_answers_inside_the_session),
		TEST("R3.5 fuzzed certificates and opaque data", fuzz_parsers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
