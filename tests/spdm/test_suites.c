/* SPDX-License-Identifier: BSD-2-Clause */
/* Every version and algorithm with every other, and what 1.3 changed in the messages. */
#include "pair.h"

static int with_pair(void **state, enum spdm_curve_id curve)
{
	struct pair *pair = calloc(1, sizeof(*pair));

	if (!pair)
		return -1;
	pair_setup_with(pair, 13, curve);
	spdm_responder_offer(&pair->p, &spdm_offer_all);
	*state = pair;
	return 0;
}

static int setup(void **state)
{
	return with_pair(state, SPDM_P384);
}

static int setup_p256(void **state)
{
	return with_pair(state, SPDM_P256);
}

static int teardown(void **state)
{
	free(*state);
	pair_teardown();
	return 0;
}

static void vendor_once(struct pair *pair)
{
	assert_int_equal(spdm_requester_vendor(&pair->q, 1, "abc", 3), 0);
	assert_int_equal(pair_run(pair), 0);
}

static void measure_all_ways(struct pair *pair)
{
	for (int sign = 0; sign < 2; sign++) {
		spdm_requester_measure(&pair->q, 0xff, sign);
		assert_int_equal(pair_do(pair, SPDM_OP_MEASURE), 0);
		assert_int_equal(spdm_requester_measurement_count(&pair->q), 3);
	}
}

static void play(struct pair *pair, const struct spdm_offer *offer, bool clear)
{
	struct spdm_agreement agreed;

	spdm_requester_offer(&pair->q, offer);
	spdm_requester_allow_clear_handshake(&pair->q, clear);
	spdm_responder_allow_clear_handshake(&pair->p, clear);
	pair->messages = 0;
	assert_int_equal(pair_do(pair, SPDM_OP_CHALLENGE), 0);
	measure_all_ways(pair);
	pair_connect(pair);
	spdm_requester_agreement(&pair->q, &agreed);
	assert_int_equal(1 << agreed.version, offer->versions);
	assert_int_equal(1 << agreed.hash, offer->hashes);
	assert_int_equal(1 << agreed.dhe, offer->dhes);
	assert_int_equal(agreed.asym, pair->curve);
	measure_all_ways(pair);
	vendor_once(pair);
	assert_int_equal(pair_do(pair, SPDM_OP_KEY_UPDATE), 0);
	assert_int_equal(pair_do(pair, SPDM_OP_SESSION), 0);
	assert_int_equal(pair_do(pair, SPDM_OP_HEARTBEAT), 0);
	vendor_once(pair);
	assert_int_equal(pair_do(pair, SPDM_OP_END), 0);
}

static void every_suite(void **state)
{
	for (uint8_t version = 1; version < 1 << SPDM_VERSIONS; version = (uint8_t)(version << 1))
		for (uint8_t hash = 1; hash < 1 << SPDM_HASHES; hash = (uint8_t)(hash << 1))
			for (uint8_t dhe = 1; dhe < 1 << SPDM_CURVES; dhe = (uint8_t)(dhe << 1))
				for (int clear = 0; clear < 2; clear++) {
					const struct spdm_offer offer = {version, hash, 0xff, dhe};

					play(*state, &offer, clear);
				}
}

/* The best of both: 1.3, SHA-384 and secp384r1 unless one end does not want them. */
static void choice(void **state)
{
	static const struct {
		struct spdm_offer requester, responder;
		struct spdm_agreement agreed; /* or failure, when its version is 0xff */
	} cases[] = {
		{{3, 3, 3, 3}, {3, 3, 3, 3}, {SPDM_V13, SPDM_SHA384, SPDM_P384, SPDM_P384, 0}},
		{{1, 3, 3, 3}, {3, 3, 3, 3}, {SPDM_V12, SPDM_SHA384, SPDM_P384, SPDM_P384, 0}},
		{{3, 3, 3, 3}, {1, 2, 3, 2}, {SPDM_V12, SPDM_SHA256, SPDM_P384, SPDM_P256, 0}},
		{{3, 2, 1, 3}, {2, 3, 3, 3}, {SPDM_V13, SPDM_SHA256, SPDM_P384, SPDM_P384, 0}},
		{{1, 3, 3, 3}, {2, 3, 3, 3}, {0xff, 0, 0, 0, 0}},
		{{3, 1, 3, 3}, {3, 2, 3, 3}, {0xff, 0, 0, 0, 0}},
		{{3, 3, 2, 3}, {3, 3, 3, 3}, {0xff, 0, 0, 0, 0}}, /* the key is on P-384 */
		{{3, 3, 3, 1}, {3, 3, 3, 2}, {0xff, 0, 0, 0, 0}},
	};
	struct pair *pair = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct spdm_agreement agreed;
		int rc;

		spdm_requester_offer(&pair->q, &cases[i].requester);
		spdm_responder_offer(&pair->p, &cases[i].responder);
		rc = pair_do(pair, SPDM_OP_CONNECT);
		if (cases[i].agreed.version == 0xff) {
			assert_true(rc == -EPROTO || rc == -EREMOTEIO);
			continue;
		}
		assert_int_equal(rc, 0);
		spdm_requester_agreement(&pair->q, &agreed);
		assert_memory_equal(&agreed, &cases[i].agreed, 4);
	}
}

/* Whoever sits between rewrites VERSION or the algorithms: the signature covers them. */
static void downgrade(void **state)
{
	static const struct {
		unsigned int message; /* of a connection: 0 GET_VERSION, 1 VERSION ... */
		size_t at;
		uint8_t value;
	} rewrites[] = {
		{1, 9, 0x12}, /* 1.3 becomes 1.2 a second time */
		{4, 12, 0x01}, /* NEGOTIATE_ALGORITHMS loses SHA-384 */
		{4, 34, 0x08}, /* and secp384r1 */
	};
	struct pair *pair = *state;

	for (size_t i = 0; i < sizeof(rewrites) / sizeof(*rewrites); i++) {
		struct spdm_wire wire, answer;
		unsigned int n = 0;
		int rc;

		assert_int_equal(spdm_requester_start(&pair->q, SPDM_OP_CONNECT), 0);
		rc = spdm_requester_next(&pair->q, NULL, &wire);
		while (rc == 1) {
			if (n++ == rewrites[i].message)
				wire.data[rewrites[i].at] = rewrites[i].value;
			assert_int_equal(pair_answer(pair, &wire, &answer), 0);
			if (n++ == rewrites[i].message)
				answer.data[rewrites[i].at] = rewrites[i].value;
			rc = spdm_requester_next(&pair->q, &answer, &wire);
		}
		assert_int_equal(rc, -EACCES);
		assert_false(spdm_requester_session(&pair->q));
	}
}

/* DSP0274 1.3: slots that there could be, the size of a slot, the requester's context. */
static void changes_of_13(void **state)
{
	static const uint8_t digests[4] = {0x13, SPDM_GET_DIGESTS};
	static const uint8_t size[8] = {0x13, SPDM_GET_CERTIFICATE, 0, 1};
	uint8_t challenge[44] = {0x13, SPDM_CHALLENGE}, measure[12] = {0x13, SPDM_GET_MEASUREMENTS};
	struct pair *pair = *state;
	struct spdm_wire in, out;

	pair_connect(pair);
	in = wire_clear(digests, sizeof(digests));
	assert_int_equal(pair_answer(pair, &in, &out), 0);
	assert_int_equal(out.data[2], 1);
	assert_int_equal(out.data[3], 1);
	in = wire_clear(size, sizeof(size));
	assert_int_equal(pair_answer(pair, &in, &out), 0);
	assert_int_equal(out.len, 8);
	assert_int_equal(out.data[4] | out.data[5], 0);
	assert_int_equal(out.data[6] | out.data[7] << 8, 52 + pair->chain_len);
	memcpy(challenge + 36, "context!", 8);
	in = wire_clear(challenge, sizeof(challenge));
	assert_int_equal(pair_answer(pair, &in, &out), 0);
	assert_int_equal(out.len, 4 + 48 + 32 + 2 + 8 + 96);
	assert_memory_equal(out.data + 86, "context!", 8);
	memcpy(measure + 4, "contexts", 8);
	in = wire_clear(measure, sizeof(measure));
	assert_int_equal(pair_answer(pair, &in, &out), 0);
	assert_int_equal(out.data[2], 3);
	assert_memory_equal(out.data + out.len - 8, "contexts", 8);
	in.len -= 8;
	assert_int_equal(pair_answer(pair, &in, &out), 0);
	assert_spdm_error(&out, SPDM_ERROR_INVALID_REQUEST);
	assert_int_equal(out.data[0], 0x13);
}

/* The version is settled by GET_CAPABILITIES: any other header is a mismatch from then on. */
static void version_stands(void **state)
{
	static const uint8_t versions[] = {0x10, 0x11, 0x12, 0x14, 0xff};
	struct pair *pair = *state;
	struct spdm_wire in, out;

	pair_connect(pair);
	for (size_t i = 0; i < sizeof(versions); i++) {
		const uint8_t digests[4] = {versions[i], SPDM_GET_DIGESTS};

		in = wire_clear(digests, sizeof(digests));
		assert_int_equal(pair_answer(pair, &in, &out), 0);
		assert_spdm_error(&out, SPDM_ERROR_VERSION_MISMATCH);
		assert_int_equal(out.data[0], 0x13);
	}
}

#define TEST(name, fn, up)                                                                         \
	{                                                                                          \
		"R6.4 " name, fn, up, teardown, NULL                                               \
	}
int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST("every version, hash and exchange with a P-384 key", every_suite, setup),
		TEST("every version, hash and exchange with a P-256 key", every_suite, setup_p256),
		TEST("what is chosen of what is offered", choice, setup),
		TEST("a downgrade on the way is noticed", downgrade, setup),
		TEST("what 1.3 added to the messages", changes_of_13, setup),
		TEST("the version agreed on stands", version_stands, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
