/* SPDX-License-Identifier: BSD-2-Clause */
/* Requester and responder joined by a lossless wire, for the tests of this room. */
#ifndef SWTIO_TESTS_SPDM_PAIR_H
#define SWTIO_TESTS_SPDM_PAIR_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "image/image.h"
#include "spdm/context.h"

#define PAIR_LOG_MAX 128

struct pair {
	struct spdm_requester q;
	struct spdm_responder p;
	uint8_t chain[4096], key[1024], anchor[2048];
	size_t chain_len, key_len, anchor_len;
	enum spdm_curve_id curve;
	uint8_t values[3][SPDM_HASH];
	struct spdm_measurement measurements[3];
	struct spdm_identity identity;
	unsigned int vendor_calls, ended; /* what the responder's owner saw */
	uint32_t ended_session;
	int vendor_answer;     /* other than the echo, when negative */
	unsigned int messages; /* requests and answers logged */
	struct spdm_wire log[PAIR_LOG_MAX];
};

static int pair_vendor(void *owner, uint32_t session, uint8_t protocol, const uint8_t *body,
	size_t len, uint8_t *reply, size_t cap)
{
	struct pair *pair = owner;

	pair->vendor_calls++;
	assert_int_equal(session, spdm_responder_session_id(&pair->p));
	assert_in_range(protocol, 0, 1);
	if (pair->vendor_answer < 0)
		return pair->vendor_answer;
	assert_true(len <= cap);
	for (size_t i = 0; i < len; i++)
		reply[i] = body[i] ^ 0xff;
	return (int)len;
}

static void pair_ended(void *owner, uint32_t session)
{
	struct pair *pair = owner;

	pair->ended++;
	pair->ended_session = session;
}

static const struct spdm_responder_ops pair_ops = {pair_vendor, pair_ended};

/* The tests that write messages out write them in 1.2. */
static const struct spdm_offer pair_12 = {1 << SPDM_V12, 0xff, 0xff, 0xff};

static inline void pair_setup_with(struct pair *pair, uint64_t seed, enum spdm_curve_id curve)
{
	const struct image_opts opts = {.size = sizeof(opts), .seed = seed};
	static const uint8_t types[3] = {0x00, 0x01, 0x84};

	memset(pair, 0, sizeof(*pair));
	pair->curve = curve;
	image_detach(); /* a test may want a second pair, in an image of its own */
	assert_int_equal(image_create(&opts), 0);
	pair->chain_len = sizeof(pair->chain);
	pair->key_len = sizeof(pair->key);
	pair->anchor_len = sizeof(pair->anchor);
	assert_int_equal(spdm_make_identity("test device", pair->curve, pair->chain,
				 &pair->chain_len, pair->key, &pair->key_len, pair->anchor,
				 &pair->anchor_len),
		0);
	for (unsigned int i = 0; i < 3; i++) {
		memset(pair->values[i], (int)i + 1, SPDM_HASH);
		pair->measurements[i] = (struct spdm_measurement){.index = (uint8_t)(i + 1),
			.type = types[i],
			.len = i == 2 ? 5 : SPDM_HASH,
			.value = pair->values[i]};
	}
	pair->identity = (struct spdm_identity){.chain = pair->chain,
		.chain_len = pair->chain_len,
		.key = pair->key,
		.key_len = pair->key_len,
		.measurements = pair->measurements,
		.measurement_count = 3};
	spdm_requester_init(&pair->q, pair->anchor, pair->anchor_len);
	spdm_responder_init(&pair->p);
	spdm_responder_offer(&pair->p, &pair_12);
}

static inline void pair_setup(struct pair *pair, uint64_t seed)
{
	pair_setup_with(pair, seed, SPDM_P384);
}

static inline void pair_teardown(void)
{
	image_detach();
}

static inline void pair_log(struct pair *pair, const struct spdm_wire *wire)
{
	if (pair->messages < PAIR_LOG_MAX)
		pair->log[pair->messages++] = *wire;
}

static inline int pair_answer(struct pair *pair, const struct spdm_wire *in, struct spdm_wire *out)
{
	return spdm_responder_handle(&pair->p, &pair->identity, &pair_ops, pair, in, out);
}

/* Runs what was started to its end: what _next() said last, or 1 when an answer did not come. */
static inline int pair_run(struct pair *pair)
{
	struct spdm_wire request, answer;
	int rc = spdm_requester_next(&pair->q, NULL, &request);

	while (rc == 1) {
		pair_log(pair, &request);
		if (pair_answer(pair, &request, &answer))
			return 1;
		pair_log(pair, &answer);
		rc = spdm_requester_next(&pair->q, &answer, &request);
	}
	return rc;
}

static inline int pair_do(struct pair *pair, enum spdm_op op)
{
	int rc = spdm_requester_start(&pair->q, op);

	return rc ? rc : pair_run(pair);
}

static inline void pair_connect(struct pair *pair)
{
	assert_int_equal(pair_do(pair, SPDM_OP_CONNECT), 0);
	assert_int_not_equal(spdm_requester_session_id(&pair->q), 0);
	assert_int_equal(spdm_requester_session_id(&pair->q), spdm_responder_session_id(&pair->p));
}

/* One hand-made request in the clear. */
static inline struct spdm_wire wire_clear(const void *bytes, size_t len)
{
	struct spdm_wire wire = {.doe_type = SPDM_DOE_CLEAR, .len = len};

	memcpy(wire.data, bytes, len);
	return wire;
}

static inline void assert_spdm_error(const struct spdm_wire *wire, uint8_t code)
{
	assert_int_equal(wire->doe_type, SPDM_DOE_CLEAR);
	assert_int_equal(wire->len, 4);
	assert_int_equal(wire->data[1], SPDM_ERROR);
	assert_int_equal(wire->data[2], code);
}

/* A plain request sealed as the requester would, and the answer opened. */
static inline int pair_secured(
	struct pair *pair, const void *bytes, size_t len, uint8_t *answer, size_t *answer_len)
{
	struct spdm_session *s = &pair->q.session;
	struct spdm_wire request, sealed;

	assert_int_equal(
		spdm_record_seal(&s->keys[SPDM_SIDE_REQUESTER], s->id, bytes, len, &request), 0);
	if (pair_answer(pair, &request, &sealed))
		return -ENOMSG;
	assert_int_equal(sealed.doe_type, SPDM_DOE_SECURED);
	return spdm_record_open(&s->keys[SPDM_SIDE_RESPONDER], &sealed, answer, answer_len);
}

#endif
