/* SPDX-License-Identifier: BSD-2-Clause */
/* What the two ends do in a session, and measurements. */
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

/* DSP0274: the summary of all is the hash of all blocks, that of the TCB of those of type 0. */
static void measurement_summaries(void **state)
{
	struct pair *pair = *state;
	uint8_t digest[SPDM_HASH], request[8 + 32 + 96 + 2 + 20];
	const uint8_t *blocks;
	struct spdm_wire in, out;
	size_t len;

	pair_connect(pair);
	memcpy(request, pair->log[10].data, sizeof(request));
	assert_int_equal(pair_do(pair, SPDM_OP_MEASURE), 0);
	blocks = spdm_requester_measurements(&pair->q, &len);
	spdm_requester_digest(blocks, len, digest);
	assert_memory_equal(pair->log[11].data + 136, digest, SPDM_HASH);
	assert_int_equal(pair_do(pair, SPDM_OP_END), 0);
	request[2] = 1;
	in = wire_clear(request, sizeof(request));
	assert_int_equal(pair_answer(pair, &in, &out), 0);
	spdm_requester_digest(blocks, 4 + 3 + SPDM_HASH, digest); /* block 1 is the only ROM */
	assert_memory_equal(out.data + 136, digest, SPDM_HASH);
	spdm_responder_reset(&pair->p, NULL, NULL);
	pair_connect(pair);
	assert_int_equal(pair_do(pair, SPDM_OP_END), 0);
	request[2] = 0;
	in = wire_clear(request, sizeof(request));
	assert_int_equal(pair_answer(pair, &in, &out), 0);
	assert_int_equal(out.len, 8 + 32 + 96 + 2 + 12 + 96 + 48);
	spdm_responder_reset(&pair->p, NULL, NULL);
	pair_connect(pair);
	assert_int_equal(pair_do(pair, SPDM_OP_END), 0);
	request[2] = 2;
	in = wire_clear(request, sizeof(request));
	assert_int_equal(pair_answer(pair, &in, &out), 0);
	assert_spdm_error(&out, SPDM_ERROR_INVALID_REQUEST);
}

static void vendor_messages(void **state)
{
	struct pair *pair = *state;
	static uint8_t body[SPDM_MAX_MESSAGE];
	const uint8_t *reply;
	size_t len;

	assert_int_equal(spdm_requester_vendor(&pair->q, 1, "x", 1), -EINVAL);
	pair_connect(pair);
	for (size_t n = 0; n <= SPDM_MAX_MESSAGE - 12; n = n ? n * 7 : 1) {
		memset(body, (int)n, sizeof(body));
		assert_int_equal(spdm_requester_vendor(&pair->q, 1, body, n), 0);
		assert_int_equal(pair_run(pair), 0);
		reply = spdm_requester_vendor_reply(&pair->q, &len);
		assert_int_equal(len, n);
		for (size_t i = 0; i < len; i++)
			assert_int_equal(reply[i], body[i] ^ 0xff);
	}
	assert_int_equal(spdm_requester_vendor(&pair->q, 0, body, SPDM_MAX_MESSAGE - 12), 0);
	assert_int_equal(pair_run(pair), 0);
	assert_int_equal(spdm_requester_vendor(&pair->q, 0, body, SPDM_MAX_MESSAGE - 11), -EINVAL);
}

/* The frame of an IDE_KM QUERY as captured from DMTF's emulator: a record of 33 bytes behind its
 * header, and 15 bytes of SPDM inside. */
static void vendor_frame(void **state)
{
	static const uint8_t frame[] = {0x12, 0xfe, 0, 0, 3, 0, 2, 1, 0, 4, 0, 0, 0, 0, 1};
	struct pair *pair = *state;
	uint8_t plain[SPDM_MAX_MESSAGE];
	struct spdm_keys keys;
	struct spdm_wire wire;
	size_t len;

	pair_connect(pair);
	keys = pair->q.session.keys[SPDM_SIDE_REQUESTER];
	assert_int_equal(spdm_requester_vendor(&pair->q, 0, "\0\0\1", 3), 0);
	assert_int_equal(spdm_requester_next(&pair->q, NULL, &wire), 1);
	assert_int_equal(wire.len, 6 + 33);
	assert_int_equal(wire.data[4], 0x21);
	assert_int_equal(spdm_record_open(&keys, &wire, plain, &len), 0);
	assert_int_equal(len, sizeof(frame));
	assert_memory_equal(plain, frame, len);
}

static void vendor_refusals(void **state)
{
	struct pair *pair = *state;

	pair_connect(pair);
	pair->vendor_answer = -EOPNOTSUPP;
	assert_int_equal(spdm_requester_vendor(&pair->q, 1, "x", 1), 0);
	assert_int_equal(pair_run(pair), -EREMOTEIO);
	assert_int_equal(spdm_requester_error(&pair->q), SPDM_ERROR_UNSUPPORTED_REQUEST);
	assert_true(spdm_requester_session(&pair->q));
	pair->vendor_answer = 0;
	assert_int_equal(spdm_requester_vendor(&pair->q, 1, "x", 1), 0);
	assert_int_equal(pair_run(pair), 0);
	pair->vendor_answer = -ENOMSG;
	assert_int_equal(spdm_requester_vendor(&pair->q, 1, "x", 1), 0);
	assert_int_equal(pair_run(pair), 1);
	/* No answer came: what starts next finds the session gone. */
	assert_int_equal(spdm_requester_vendor(&pair->q, 1, "x", 1), -EINVAL);
	assert_false(spdm_requester_session(&pair->q));
}

static void vendor_malformed(void **state)
{
	static const struct {
		uint8_t bytes[16];
		size_t len;
		uint8_t error;
	} cases[] = {
		{{0x12, 0xfe, 0, 0, 3, 0, 2, 1, 0, 0, 0}, 11, SPDM_ERROR_INVALID_REQUEST},
		{{0x12, 0xfe, 0, 0, 3, 0, 2, 1, 0, 2, 0, 1}, 12, SPDM_ERROR_INVALID_REQUEST},
		{{0x12, 0xfe, 0, 0, 3, 0, 2, 1, 0, 1, 0, 1, 0}, 13, SPDM_ERROR_INVALID_REQUEST},
		{{0x12, 0xfe, 0, 0, 3, 0, 2}, 7, SPDM_ERROR_INVALID_REQUEST},
		{{0x12, 0xfe, 0, 0, 1, 0, 2, 1, 0, 1, 0, 1}, 12, SPDM_ERROR_UNSUPPORTED_REQUEST},
		{{0x12, 0xfe, 0, 0, 3, 0, 2, 2, 0, 1, 0, 1}, 12, SPDM_ERROR_UNSUPPORTED_REQUEST},
		{{0x12, 0xfe, 0, 0, 3, 0, 4, 1, 0, 0, 0, 1, 0, 1}, 14,
			SPDM_ERROR_UNSUPPORTED_REQUEST},
		{{0x11, 0xfe, 0, 0, 3, 0, 2, 1, 0, 1, 0, 1}, 12, SPDM_ERROR_VERSION_MISMATCH},
		{{0x12, 0xe4, 0, 0}, 4, SPDM_ERROR_UNEXPECTED_REQUEST},
		{{0x12, 0x84, 0, 0}, 4, SPDM_ERROR_VERSION_MISMATCH},
		{{0x10, 0x84, 0, 0}, 4, SPDM_ERROR_UNEXPECTED_REQUEST},
		{{0x12, 0xe5, 0, 0}, 4, SPDM_ERROR_UNEXPECTED_REQUEST},
		{{0x12, 0x83, 0, 0}, 4, SPDM_ERROR_UNEXPECTED_REQUEST},
		{{0x12, 0xe6, 0, 0}, 4, SPDM_ERROR_UNSUPPORTED_REQUEST}, /* PSK_EXCHANGE */
		{{0x12, 0x61, 0, 0}, 4, SPDM_ERROR_UNSUPPORTED_REQUEST}, /* an answer */
		{{0x12, 0xe9, 4, 0}, 4, SPDM_ERROR_INVALID_REQUEST},
		{{0x12, 0xe9, 3, 0}, 4, SPDM_ERROR_UNEXPECTED_REQUEST},
		{{0x12}, 1, SPDM_ERROR_INVALID_REQUEST},
	};
	struct pair *pair = *state;
	uint8_t answer[SPDM_MAX_MESSAGE];
	size_t len;

	pair_connect(pair);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(pair_secured(pair, cases[i].bytes, cases[i].len, answer, &len), 0);
		assert_int_equal(len, 4);
		assert_int_equal(answer[1], SPDM_ERROR);
		assert_int_equal(answer[2], cases[i].error);
	}
	assert_int_equal(pair->vendor_calls, 0);
	assert_int_equal(pair_do(pair, SPDM_OP_HEARTBEAT), 0); /* the session took no harm */
}

static void vendor_outside_gets_no_answer(void **state)
{
	static const uint8_t vendor[] = {0x12, 0xfe, 0, 0, 3, 0, 2, 1, 0, 1, 0, 1};
	struct pair *pair = *state;
	struct spdm_wire in = wire_clear(vendor, sizeof(vendor)), out;

	assert_int_equal(pair_answer(pair, &in, &out), -ENOMSG);
	pair_connect(pair);
	assert_int_equal(pair_answer(pair, &in, &out), -ENOMSG);
	in.doe_type = 0;
	assert_int_equal(pair_answer(pair, &in, &out), -ENOMSG);
	assert_int_equal(pair->vendor_calls, 0);
	assert_int_equal(pair_do(pair, SPDM_OP_HEARTBEAT), 0);
}

static void end_session(void **state)
{
	static const uint8_t zeroes[sizeof(struct spdm_session)];
	struct pair *pair = *state;
	uint32_t id;

	pair_connect(pair);
	id = spdm_requester_session_id(&pair->q);
	assert_int_equal(pair_do(pair, SPDM_OP_END), 0);
	assert_int_equal(pair->ended, 1);
	assert_int_equal(pair->ended_session, id);
	assert_int_equal(spdm_responder_session_id(&pair->p), 0);
	assert_memory_equal(&pair->p.session, zeroes, sizeof(zeroes));
	assert_memory_equal(&pair->q.session, zeroes, sizeof(zeroes));
	assert_memory_equal(pair->q.scalar, zeroes, sizeof(pair->q.scalar));
	assert_int_equal(spdm_requester_start(&pair->q, SPDM_OP_HEARTBEAT), -EINVAL);
	assert_int_equal(spdm_requester_start(&pair->q, SPDM_OP_END), -EINVAL);
}

/* Every session has an id of its own, whatever ended the one before. */
static void session_ids_are_unique(void **state)
{
	struct pair *pair = *state;
	uint32_t ids[4];

	for (int i = 0; i < 4; i++) {
		pair_connect(pair);
		ids[i] = spdm_responder_session_id(&pair->p);
		assert_int_not_equal(ids[i] >> 16, 0);
		assert_int_not_equal(ids[i] & 0xffff, 0);
		for (int j = 0; j < i; j++)
			assert_int_not_equal(ids[i], ids[j]);
		if (i == 0)
			pair_do(pair, SPDM_OP_END);
		if (i == 1)
			spdm_responder_reset(&pair->p, &pair_ops, pair);
		if (i == 2)
			spdm_requester_init(&pair->q, pair->anchor, pair->anchor_len);
	}
	assert_int_equal(pair->ended, 3); /* the last start's GET_VERSION ended the third */
}

static void session_limit(void **state)
{
	struct pair *pair = *state;
	struct spdm_wire exchange, out;

	pair_connect(pair);
	exchange = pair->log[10];
	assert_int_equal(pair_answer(pair, &exchange, &out), 0);
	assert_int_equal(out.data[1], SPDM_KEY_EXCHANGE_RSP);
	assert_int_equal(pair_answer(pair, &exchange, &out), 0); /* one handshake at a time */
	assert_spdm_error(&out, SPDM_ERROR_SESSION_LIMIT);
	assert_int_equal(pair_do(pair, SPDM_OP_HEARTBEAT), 0);
	pair_connect(pair);
	for (unsigned int i = 1; i < SPDM_SESSIONS; i++)
		assert_int_equal(pair_do(pair, SPDM_OP_SESSION), 0);
	assert_int_equal(spdm_requester_start(&pair->q, SPDM_OP_SESSION), -ENOSPC);
	assert_int_equal(pair_answer(pair, &exchange, &out), 0);
	assert_spdm_error(&out, SPDM_ERROR_SESSION_LIMIT);
	assert_int_equal(pair_do(pair, SPDM_OP_END), 0);
	assert_int_equal(pair_answer(pair, &exchange, &out), 0);
	assert_int_equal(out.data[1], SPDM_KEY_EXCHANGE_RSP);
}

/* Several sessions of one connection: each with its own keys, each ended by itself. */
static void several_sessions(void **state)
{
	struct pair *pair = *state;
	uint32_t ids[SPDM_SESSIONS];
	struct spdm_wire heartbeat, out;

	pair_connect(pair);
	for (unsigned int i = 0; i < SPDM_SESSIONS; i++) {
		if (i)
			assert_int_equal(pair_do(pair, SPDM_OP_SESSION), 0);
		ids[i] = spdm_requester_session_id(&pair->q);
		for (unsigned int k = 0; k < i; k++)
			assert_int_not_equal(ids[i], ids[k]);
	}
	for (unsigned int round = 0; round < 3; round++)
		for (unsigned int i = 0; i < SPDM_SESSIONS; i++) {
			assert_int_equal(spdm_requester_use(&pair->q, ids[i]), 0);
			assert_int_equal(pair_do(pair, round == 1 ? SPDM_OP_KEY_UPDATE
								  : SPDM_OP_HEARTBEAT), 0);
			assert_int_equal(spdm_responder_session_id(&pair->p), ids[i]);
		}
	heartbeat = pair->log[pair->messages - 2];
	heartbeat.data[0] ^= (uint8_t)(ids[3] ^ ids[0]); /* another session's number on it */
	heartbeat.data[2] ^= (uint8_t)((ids[3] ^ ids[0]) >> 16);
	assert_int_equal(pair_answer(pair, &heartbeat, &out), 0);
	assert_spdm_error(&out, SPDM_ERROR_DECRYPT);
	assert_int_equal(pair->ended, 1);
	assert_int_equal(pair->ended_session, ids[0]);
	assert_int_equal(spdm_requester_use(&pair->q, ids[2]), 0);
	assert_int_equal(pair_do(pair, SPDM_OP_END), 0);
	assert_int_equal(pair->ended_session, ids[2]);
	assert_int_equal(spdm_requester_use(&pair->q, ids[2]), -ENOENT);
	assert_int_equal(spdm_requester_use(&pair->q, ids[1]), 0);
	assert_int_equal(pair_do(pair, SPDM_OP_MEASURE), 0);
	spdm_responder_reset(&pair->p, &pair_ops, pair);
	assert_int_equal(pair->ended, SPDM_SESSIONS);
}

/* A device that wants time gets it, in every operation, and the transcripts still agree. */
static void device_wants_time(void **state)
{
	static const struct { uint8_t busy, not_ready; } wants[] = {{1, 0}, {0, 1}, {3, 2}, {0, 12}};
	struct pair *pair = *state;

	for (size_t i = 0; i < sizeof(wants) / sizeof(*wants); i++)
		for (int op = SPDM_OP_CONNECT; op < SPDM_OP_MAX; op++) {
			if (op == SPDM_OP_VENDOR || op == SPDM_OP_SESSION)
				continue;
			if (op != SPDM_OP_CONNECT && op != SPDM_OP_CHALLENGE)
				pair_connect(pair);
			spdm_responder_put_off(&pair->p, wants[i].busy, wants[i].not_ready);
			assert_int_equal(pair_do(pair, (enum spdm_op)op), 0);
			spdm_responder_put_off(&pair->p, 0, 0);
		}
	pair_connect(pair);
	spdm_responder_put_off(&pair->p, 200, 0); /* but not for ever */
	assert_int_equal(pair_do(pair, SPDM_OP_MEASURE), -EREMOTEIO);
	assert_int_equal(spdm_requester_error(&pair->q), SPDM_ERROR_BUSY);
	spdm_responder_put_off(&pair->p, 0, 0);
	assert_int_equal(pair_do(pair, SPDM_OP_MEASURE), 0);
}

/* RESPOND_IF_READY answers what was put off, once, and nothing else. */
static void respond_if_ready(void **state)
{
	static const uint8_t digests[4] = {0x12, SPDM_GET_DIGESTS};
	struct pair *pair = *state;
	uint8_t ask[4] = {0x12, SPDM_RESPOND_IF_READY, SPDM_GET_DIGESTS};
	struct spdm_wire in, out;

	pair_connect(pair);
	spdm_responder_put_off(&pair->p, 0, 1);
	in = wire_clear(digests, sizeof(digests));
	assert_int_equal(pair_answer(pair, &in, &out), 0);
	assert_int_equal(out.len, 8);
	assert_int_equal(out.data[2], SPDM_ERROR_RESPONSE_NOT_READY);
	assert_int_equal(out.data[5], SPDM_GET_DIGESTS);
	ask[3] = out.data[6];
	ask[2] = SPDM_CHALLENGE;
	in = wire_clear(ask, sizeof(ask));
	assert_int_equal(pair_answer(pair, &in, &out), 0);
	assert_spdm_error(&out, SPDM_ERROR_UNEXPECTED_REQUEST);
	ask[2] = SPDM_GET_DIGESTS;
	in = wire_clear(ask, sizeof(ask));
	assert_int_equal(pair_answer(pair, &in, &out), 0);
	assert_int_equal(out.data[1], SPDM_DIGESTS);
	assert_int_equal(pair_answer(pair, &in, &out), 0);
	assert_spdm_error(&out, SPDM_ERROR_UNEXPECTED_REQUEST);
}

/* What belongs into a session, said outside of one. */
static void session_required(void **state)
{
	static const uint8_t codes[] = {
		SPDM_FINISH, SPDM_HEARTBEAT, SPDM_KEY_UPDATE, SPDM_END_SESSION};
	struct pair *pair = *state;
	uint8_t request[4 + SPDM_HASH] = {0x12};
	struct spdm_wire in, out;

	for (int connected = 0; connected < 2; connected++) {
		if (connected)
			pair_connect(pair);
		for (size_t i = 0; i < sizeof(codes); i++) {
			request[1] = codes[i];
			in = wire_clear(request, codes[i] == SPDM_FINISH ? sizeof(request) : 4);
			assert_int_equal(pair_answer(pair, &in, &out), 0);
			assert_spdm_error(&out, connected ? SPDM_ERROR_SESSION_REQUIRED
							  : SPDM_ERROR_UNEXPECTED_REQUEST);
		}
	}
	assert_int_equal(pair_do(pair, SPDM_OP_HEARTBEAT), 0);
}

/* A FINISH of the wrong form is refused and forgotten; the right one still opens the session. */
static void malformed_finish(void **state)
{
	static const uint8_t finish[] = {0x12, 0xe5, 0, 0, 1, 2, 3};
	struct pair *pair = *state;
	struct spdm_wire request, answer;
	uint8_t plain[SPDM_MAX_MESSAGE];
	struct spdm_session handshake;
	size_t len;
	int rc;

	assert_int_equal(spdm_requester_start(&pair->q, SPDM_OP_CONNECT), 0);
	rc = spdm_requester_next(&pair->q, NULL, &request);
	while (rc == 1 && pair->q.session.phase != SPDM_PHASE_HANDSHAKE) {
		assert_int_equal(pair_answer(pair, &request, &answer), 0);
		rc = spdm_requester_next(&pair->q, &answer, &request);
	}
	handshake = pair->p.session;
	assert_int_equal(spdm_record_seal(&handshake.keys[SPDM_SIDE_REQUESTER], handshake.id,
				 finish, sizeof(finish), &answer),
		0);
	assert_int_equal(pair_answer(pair, &answer, &answer), 0);
	assert_int_equal(
		spdm_record_open(&handshake.keys[SPDM_SIDE_RESPONDER], &answer, plain, &len), 0);
	assert_int_equal(plain[2], SPDM_ERROR_INVALID_REQUEST);
	pair->p.session.keys[SPDM_SIDE_REQUESTER].sequence = 0; /* the requester knows of nothing */
	pair->p.session.keys[SPDM_SIDE_RESPONDER].sequence = 0;
	assert_int_equal(pair_answer(pair, &request, &answer), 0);
	assert_int_equal(spdm_requester_next(&pair->q, &answer, &request), 0);
	assert_int_equal(pair_do(pair, SPDM_OP_HEARTBEAT), 0);
}

static void reset_ends_the_session(void **state)
{
	struct pair *pair = *state;

	spdm_responder_reset(&pair->p, &pair_ops, pair);
	assert_int_equal(pair->ended, 0);
	pair_connect(pair);
	spdm_responder_reset(&pair->p, &pair_ops, pair);
	assert_int_equal(pair->ended, 1);
	assert_int_equal(pair_do(pair, SPDM_OP_HEARTBEAT), -EREMOTEIO);
	assert_int_equal(spdm_requester_error(&pair->q), SPDM_ERROR_INVALID_SESSION);
	assert_false(spdm_requester_session(&pair->q));
	pair_connect(pair);
}

static void key_update(void **state)
{
	struct pair *pair = *state;
	struct spdm_session before;

	pair_connect(pair);
	for (int i = 0; i < 3; i++) {
		before = pair->q.session;
		assert_int_equal(pair_do(pair, SPDM_OP_KEY_UPDATE), 0);
		for (int side = 0; side < 2; side++) {
			const struct spdm_keys *q = &pair->q.session.keys[side];
			const struct spdm_keys *p = &pair->p.session.keys[side];

			assert_memory_equal(q->secret, p->secret, SPDM_HASH);
			assert_memory_equal(q->key, p->key, SPDM_KEY);
			assert_int_equal(q->sequence, p->sequence);
			assert_memory_not_equal(q->key, before.keys[side].key, SPDM_KEY);
		}
		assert_int_equal(pair->p.session.updating, 0);
		assert_int_equal(pair->p.session.old.valid, 0);
		assert_int_equal(pair_do(pair, SPDM_OP_HEARTBEAT), 0);
	}
	/* UpdateAllKeys' ACK and VERIFY_NEW_KEY's: both under the new keys, from 0 on. */
	assert_int_equal(pair->q.session.keys[SPDM_SIDE_RESPONDER].sequence, 3);
	assert_int_equal(pair->q.session.keys[SPDM_SIDE_REQUESTER].sequence, 2);
}

/* UpdateKey, by hand: the responder's direction stays, and until VERIFY_NEW_KEY nothing but it, or
 * the same request again under the old key, is taken. */
static void key_update_single(void **state)
{
	static const uint8_t update[] = {0x12, 0xe9, 1, 0x42}, verify[] = {0x12, 0xe9, 3, 0x43};
	static const uint8_t heartbeat[] = {0x12, 0xe8, 0, 0};
	struct pair *pair = *state;
	struct spdm_session *s = &pair->q.session;
	uint8_t answer[SPDM_MAX_MESSAGE];
	struct spdm_keys fresh;
	size_t len;

	pair_connect(pair);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pair_secured(pair, update, 4, answer, &len), 0);
		assert_memory_equal(answer, "\x12\x69\x01\x42", 4);
	}
	assert_int_equal(pair_secured(pair, heartbeat, 4, answer, &len), 0);
	assert_int_equal(answer[2], SPDM_ERROR_UNEXPECTED_REQUEST);
	assert_int_equal(pair_secured(pair, verify, 4, answer, &len), 0);
	assert_int_equal(answer[2], SPDM_ERROR_UNEXPECTED_REQUEST); /* under the old key */
	fresh = pair->p.session.keys[SPDM_SIDE_RESPONDER];
	assert_int_equal(spdm_session_update(s, SPDM_SIDE_REQUESTER), 0);
	assert_int_equal(pair_secured(pair, verify, 4, answer, &len), 0);
	assert_memory_equal(answer, "\x12\x69\x03\x43", 4);
	assert_memory_equal(pair->p.session.keys[SPDM_SIDE_RESPONDER].key, fresh.key, SPDM_KEY);
	assert_int_equal(pair_secured(pair, heartbeat, 4, answer, &len), 0);
	assert_int_equal(answer[1], SPDM_HEARTBEAT_ACK);
}

static void old_key_dies_after_update(void **state)
{
	static const uint8_t heartbeat[] = {0x12, 0xe8, 0, 0};
	struct pair *pair = *state;
	struct spdm_keys old;
	struct spdm_wire request, answer;

	pair_connect(pair);
	old = pair->q.session.keys[SPDM_SIDE_REQUESTER];
	old.sequence++;
	assert_int_equal(pair_do(pair, SPDM_OP_KEY_UPDATE), 0);
	assert_int_equal(spdm_record_seal(&old, pair->q.session.id, heartbeat, 4, &request), 0);
	assert_int_equal(pair_answer(pair, &request, &answer), 0);
	assert_spdm_error(&answer, SPDM_ERROR_DECRYPT);
	assert_int_equal(pair->ended, 1);
}

static void measurements(void **state)
{
	struct pair *pair = *state;
	const uint8_t *blocks;
	size_t len;

	assert_int_equal(spdm_requester_start(&pair->q, SPDM_OP_MEASURE), -EINVAL);
	for (int in_session = 0; in_session < 2; in_session++) {
		assert_int_equal(
			pair_do(pair, in_session ? SPDM_OP_CONNECT : SPDM_OP_CHALLENGE), 0);
		for (int sign = 0; sign < 2; sign++) {
			spdm_requester_measure(&pair->q, 0, sign);
			assert_int_equal(pair_do(pair, SPDM_OP_MEASURE), 0);
			assert_int_equal(spdm_requester_measurement_count(&pair->q), 3);
			spdm_requester_measure(&pair->q, 2, sign);
			assert_int_equal(pair_do(pair, SPDM_OP_MEASURE), 0);
			blocks = spdm_requester_measurements(&pair->q, &len);
			assert_int_equal(len, 7 + SPDM_HASH);
			assert_memory_equal(blocks, "\x02\x01\x33\x00\x01\x30\x00", 7);
			assert_memory_equal(blocks + 7, pair->values[1], SPDM_HASH);
			spdm_requester_measure(&pair->q, 0xff, sign);
			assert_int_equal(pair_do(pair, SPDM_OP_MEASURE), 0);
			blocks = spdm_requester_measurements(&pair->q, &len);
			assert_int_equal(spdm_requester_measurement_count(&pair->q), 3);
			assert_int_equal(len, 2 * (7 + SPDM_HASH) + 7 + 5);
			assert_memory_equal(
				blocks + 2 * (7 + SPDM_HASH), "\x03\x01\x08\x00\x84\x05\x00", 7);
		}
		spdm_requester_measure(&pair->q, 4, true);
		assert_int_equal(pair_do(pair, SPDM_OP_MEASURE), -EREMOTEIO);
		assert_int_equal(spdm_requester_error(&pair->q), SPDM_ERROR_INVALID_REQUEST);
		assert_int_equal(spdm_requester_session(&pair->q), in_session);
	}
}

/* One signature covers a whole run of unsigned measurements; any other request starts anew. */
static void measurement_runs(void **state)
{
	struct pair *pair = *state;

	pair_connect(pair);
	for (int other = 0; other < 2; other++) {
		spdm_requester_measure(&pair->q, 1, false);
		assert_int_equal(pair_do(pair, SPDM_OP_MEASURE), 0);
		if (other)
			assert_int_equal(pair_do(pair, SPDM_OP_HEARTBEAT), 0);
		spdm_requester_measure(&pair->q, 0xff, true);
		assert_int_equal(pair_do(pair, SPDM_OP_MEASURE), 0);
	}
	spdm_requester_measure(&pair->q, 1, false);
	assert_int_equal(pair_do(pair, SPDM_OP_MEASURE), 0);
	spdm_transcript_reset(&pair->q.transcript, SPDM_PART_MEASURE); /* one end forgets the run */
	spdm_requester_measure(&pair->q, 0xff, true);
	assert_int_equal(pair_do(pair, SPDM_OP_MEASURE), -EACCES);
}

/* Messages one behind the other. */
struct run {
	uint8_t bytes[8192];
	size_t len;
};

static void run_add(struct run *run, const struct spdm_wire *wire, size_t drop)
{
	memcpy(run->bytes + run->len, wire->data, wire->len - drop);
	run->len += wire->len - drop;
}

static void run_log(struct run *run, const struct pair *pair, unsigned int from, unsigned int to)
{
	for (unsigned int i = from; i < to; i++)
		run_add(run, &pair->log[i], 0);
}

static void assert_signed(const struct pair *pair, const struct run *run, enum spdm_purpose purpose,
	const uint8_t *signature)
{
	EVP_PKEY *leaf;
	uint8_t hash[SPDM_HASH];

	assert_int_equal(spdm_chain_verify(&pair->q.transcript.suite, pair->anchor,
				 pair->anchor_len, pair->q.chain, pair->q.chain_len, &leaf),
		0);
	spdm_requester_digest(run->bytes, run->len, hash);
	assert_int_equal(spdm_verify(&pair->q.transcript.suite, leaf, purpose, hash, signature), 0);
	EVP_PKEY_free(leaf);
}

/* What DSP0274 says each signature covers, put together here from the wire. */
static void transcripts_from_the_wire(void **state)
{
	struct pair *pair = *state;
	struct run vca = {.len = 0}, run;
	struct spdm_wire request, answer;

	assert_int_equal(pair_do(pair, SPDM_OP_CHALLENGE), 0);
	run_log(&vca, pair, 0, 6);
	run = vca; /* M1: VCA, digests, certificates, challenge */
	run_log(&run, pair, 6, 11);
	run_add(&run, &pair->log[11], SPDM_SIG);
	assert_signed(
		pair, &run, SPDM_SIGN_CHALLENGE, pair->log[11].data + pair->log[11].len - SPDM_SIG);
	request = pair->log[10]; /* a second challenge: only itself */
	assert_int_equal(pair_answer(pair, &request, &answer), 0);
	run = vca;
	run_add(&run, &request, 0);
	run_add(&run, &answer, SPDM_SIG);
	assert_signed(pair, &run, SPDM_SIGN_CHALLENGE, answer.data + answer.len - SPDM_SIG);

	spdm_requester_measure(&pair->q, 1, false);
	assert_int_equal(pair_do(pair, SPDM_OP_MEASURE), 0);
	spdm_requester_measure(&pair->q, 0xff, true);
	assert_int_equal(pair_do(pair, SPDM_OP_MEASURE), 0);
	run = vca; /* L1: VCA and the run of measurements */
	run_log(&run, pair, 12, 15);
	run_add(&run, &pair->log[15], SPDM_SIG);
	assert_signed(pair, &run, SPDM_SIGN_MEASUREMENTS,
		pair->log[15].data + pair->log[15].len - SPDM_SIG);

	pair->messages = 0;
	pair_connect(pair);
	run.len = 0; /* TH: VCA, hash of the chain, key exchange */
	run_log(&run, pair, 0, 6);
	memcpy(run.bytes + run.len, pair->log[7].data + 4, SPDM_HASH);
	run.len += SPDM_HASH;
	run_add(&run, &pair->log[10], 0);
	run_add(&run, &pair->log[11], SPDM_SIG + SPDM_HASH);
	assert_signed(pair, &run, SPDM_SIGN_KEY_EXCHANGE,
		pair->log[11].data + pair->log[11].len - SPDM_SIG - SPDM_HASH);
}

#define TEST(name, fn)                                                                             \
	{                                                                                          \
		name, fn, setup, teardown, NULL                                                    \
	}
int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST("R6.4 measurement summaries", measurement_summaries),
		TEST("R6.4 what each signature covers", transcripts_from_the_wire),
		TEST("R6.4 vendor messages of every length", vendor_messages),
		TEST("R6.4 the vendor frame is as captured", vendor_frame),
		TEST("R6.4 refused vendor messages", vendor_refusals),
		TEST("R6.4 malformed requests in a session", vendor_malformed),
		TEST("R3.5 vendor messages outside a session get no answer",
			vendor_outside_gets_no_answer),
		TEST("R6.4 END_SESSION leaves no secret", end_session),
		TEST("R6.4 session ids are unique", session_ids_are_unique),
		TEST("R6.4 no more sessions than there is room for", session_limit),
		TEST("R6.4 several sessions of one connection", several_sessions),
		TEST("R6.4 a device that wants time gets it", device_wants_time),
		TEST("R6.4 RESPOND_IF_READY", respond_if_ready),
		TEST("R6.4 what belongs into a session", session_required),
		TEST("R6.4 a malformed FINISH does no harm", malformed_finish),
		TEST("R3.4 a reset ends the session", reset_ends_the_session),
		TEST("R6.4 KEY_UPDATE of both directions", key_update),
		TEST("R6.4 KEY_UPDATE of one direction", key_update_single),
		TEST("R3.5 the old key is no good after KEY_UPDATE", old_key_dies_after_update),
		TEST("R6.4 measurements: count, one, all, signed or not, in and out of session",
			measurements),
		TEST("R6.4 one signature covers a run of measurements", measurement_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
