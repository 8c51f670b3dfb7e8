/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Message by message: every length but the right one is refused, at both ends, in the clear and in
 * a session; reserved bits are ignored, as DSP0274 asks of a reader; each code of ERROR is given
 * where it belongs.
 */
#include "pair.h"

/* A conversation with every message of ours, and how both ends stood before each. */
#define STEPS 32

struct step {
	struct spdm_requester q;
	struct spdm_responder p;
	struct spdm_wire request, answer;
	uint8_t plain[2][SPDM_MAX_MESSAGE]; /* request and answer, opened */
	size_t plain_len[2];
};

struct talk {
	struct pair pair;
	unsigned int steps;
	struct step step[STEPS];
};

static void plain_keep(
	struct step *step, int which, const struct spdm_wire *wire, const struct spdm_keys *sender)
{
	struct spdm_keys keys = *sender;

	if (wire->doe_type == SPDM_DOE_CLEAR) {
		memcpy(step->plain[which], wire->data, wire->len);
		step->plain_len[which] = wire->len;
		return;
	}
	assert_int_equal(spdm_record_open(
				 &keys, wire, step->plain[which], &step->plain_len[which]),
		0);
}

static void talk_on(struct talk *talk, enum spdm_op op)
{
	struct pair *pair = &talk->pair;
	struct spdm_wire next;
	int rc;

	if (op == SPDM_OP_VENDOR)
		assert_int_equal(spdm_requester_vendor(&pair->q, 1, "abcde", 5), 0);
	else
		assert_int_equal(spdm_requester_start(&pair->q, op), 0);
	rc = spdm_requester_next(&pair->q, NULL, &next);
	while (rc == 1) {
		struct step *step = &talk->step[talk->steps++];
		struct spdm_keys keys = pair->p.session.keys[SPDM_SIDE_REQUESTER];

		assert_in_range(talk->steps, 1, STEPS);
		step->request = next;
		step->p = pair->p;
		plain_keep(step, 0, &next, &keys);
		assert_int_equal(pair_answer(pair, &step->request, &step->answer), 0);
		step->q = pair->q;
		plain_keep(step, 1, &step->answer, &pair->q.session.keys[SPDM_SIDE_RESPONDER]);
		rc = spdm_requester_next(&pair->q, &step->answer, &next);
	}
	assert_int_equal(rc, 0);
}

static int setup(void **state)
{
	static const enum spdm_op ops[] = {SPDM_OP_CHALLENGE, SPDM_OP_MEASURE, SPDM_OP_CONNECT,
		SPDM_OP_MEASURE, SPDM_OP_VENDOR, SPDM_OP_HEARTBEAT, SPDM_OP_KEY_UPDATE, SPDM_OP_END};
	struct talk *talk = calloc(1, sizeof(*talk));

	assert_non_null(talk);
	pair_setup(&talk->pair, 2727);
	for (size_t i = 0; i < sizeof(ops) / sizeof(*ops); i++)
		talk_on(talk, ops[i]);
	*state = talk;
	return 0;
}

static int teardown(void **state)
{
	free(*state);
	pair_teardown();
	return 0;
}

/* The same plain request, changed, to the responder as it stood: the answer's plain bytes. */
static size_t ask(
	struct talk *talk, const struct step *step, const uint8_t *plain, size_t len, uint8_t *answer)
{
	struct pair *pair = &talk->pair;
	struct spdm_keys request_keys, answer_keys;
	struct spdm_wire in, out;
	size_t answer_len = 0;

	pair->p = step->p;
	request_keys = pair->p.session.keys[SPDM_SIDE_REQUESTER];
	answer_keys = pair->p.session.keys[SPDM_SIDE_RESPONDER];
	if (step->request.doe_type == SPDM_DOE_CLEAR)
		in = wire_clear(plain, len);
	else
		assert_int_equal(spdm_record_seal(
					 &request_keys, pair->p.session.id, plain, len, &in),
			0);
	assert_int_equal(pair_answer(pair, &in, &out), 0);
	if (out.doe_type == SPDM_DOE_CLEAR) {
		memcpy(answer, out.data, out.len);
		return out.len;
	}
	assert_int_equal(spdm_record_open(&answer_keys, &out, answer, &answer_len), 0);
	return answer_len;
}

static void requests_of_every_length(void **state)
{
	static uint8_t answer[SPDM_MAX_MESSAGE], plain[SPDM_MAX_MESSAGE];
	struct talk *talk = *state;

	for (unsigned int i = 0; i < talk->steps; i++) {
		const struct step *step = &talk->step[i];
		size_t len = step->plain_len[0];
		size_t padding = step->request.doe_type == SPDM_DOE_CLEAR ? SPDM_PADDING : 0;

		memset(plain, 0, sizeof(plain));
		memcpy(plain, step->plain[0], len);
		for (size_t n = 0; n <= len + 8; n++) {
			if (n >= len && n <= len + padding)
				continue;
			assert_int_equal(ask(talk, step, plain, n, answer), 4);
			assert_int_equal(answer[1], SPDM_ERROR);
			assert_int_equal(answer[2], SPDM_ERROR_INVALID_REQUEST);
		}
	}
}

/* The same plain answer, changed, to the requester as it stood: what it says. */
static int tell(const struct step *step, const uint8_t *plain, size_t len)
{
	static struct spdm_requester q;
	struct spdm_wire in, next;
	struct spdm_keys keys;

	q = step->q;
	keys = q.session.keys[SPDM_SIDE_RESPONDER];
	if (step->answer.doe_type == SPDM_DOE_CLEAR)
		in = wire_clear(plain, len);
	else
		assert_int_equal(spdm_record_seal(&keys, q.session.id, plain, len, &in), 0);
	return spdm_requester_next(&q, &in, &next);
}

static void answers_of_every_length(void **state)
{
	static uint8_t plain[SPDM_MAX_MESSAGE];
	struct talk *talk = *state;

	for (unsigned int i = 0; i < talk->steps; i++) {
		const struct step *step = &talk->step[i];
		size_t len = step->plain_len[1];
		size_t padding = step->answer.doe_type == SPDM_DOE_CLEAR ? SPDM_PADDING : 0;
		int rc;

		memset(plain, 0, sizeof(plain));
		memcpy(plain, step->plain[1], len);
		assert_true(tell(step, plain, len) >= 0);
		for (size_t n = 0; n <= len + 8; n++) {
			if (n >= len && n <= len + padding)
				continue;
			rc = tell(step, plain, n);
			assert_true(rc == -EBADMSG || rc == -EPROTO);
		}
	}
}

/* Of DSP0274 1.2. FINISH and what is signed have none here: each of their bits is authenticated. */
struct reserved {
	uint8_t code;
	uint8_t at, mask;
};

static const struct reserved in_requests[] = {
	{SPDM_GET_VERSION, 2, 0xff}, {SPDM_GET_VERSION, 3, 0xff},
	{SPDM_GET_CAPABILITIES, 2, 0xff}, {SPDM_GET_CAPABILITIES, 3, 0xff},
	{SPDM_GET_CAPABILITIES, 4, 0xff}, {SPDM_GET_CAPABILITIES, 6, 0xff},
	{SPDM_GET_CAPABILITIES, 7, 0xff}, {SPDM_GET_CAPABILITIES, 8, 0x39},
	{SPDM_GET_CAPABILITIES, 10, 0xfc}, {SPDM_GET_CAPABILITIES, 11, 0xff},
	{SPDM_NEGOTIATE_ALGORITHMS, 3, 0xff}, {SPDM_NEGOTIATE_ALGORITHMS, 6, 0xfe},
	{SPDM_NEGOTIATE_ALGORITHMS, 7, 0xf0}, {SPDM_NEGOTIATE_ALGORITHMS, 9, 0xf0},
	{SPDM_NEGOTIATE_ALGORITHMS, 10, 0xff}, {SPDM_NEGOTIATE_ALGORITHMS, 11, 0xff},
	{SPDM_NEGOTIATE_ALGORITHMS, 12, 0x80}, {SPDM_NEGOTIATE_ALGORITHMS, 13, 0xff},
	{SPDM_NEGOTIATE_ALGORITHMS, 15, 0xff}, {SPDM_NEGOTIATE_ALGORITHMS, 16, 0xff},
	{SPDM_NEGOTIATE_ALGORITHMS, 27, 0xff}, {SPDM_NEGOTIATE_ALGORITHMS, 30, 0xff},
	{SPDM_NEGOTIATE_ALGORITHMS, 31, 0xff}, {SPDM_NEGOTIATE_ALGORITHMS, 34, 0x80},
	{SPDM_NEGOTIATE_ALGORITHMS, 35, 0xff}, {SPDM_NEGOTIATE_ALGORITHMS, 39, 0xff},
	{SPDM_NEGOTIATE_ALGORITHMS, 43, 0xff},
	{SPDM_GET_DIGESTS, 2, 0xff}, {SPDM_GET_DIGESTS, 3, 0xff},
	{SPDM_GET_CERTIFICATE, 2, 0xf0}, {SPDM_GET_CERTIFICATE, 3, 0xff},
	{SPDM_GET_MEASUREMENTS, 2, 0xfc}, {SPDM_GET_MEASUREMENTS, 36, 0xf0},
	{SPDM_KEY_EXCHANGE, 6, 0xfe}, {SPDM_KEY_EXCHANGE, 7, 0xff},
	{SPDM_VENDOR_DEFINED_REQUEST, 2, 0xff}, {SPDM_VENDOR_DEFINED_REQUEST, 3, 0xff},
	{SPDM_HEARTBEAT, 2, 0xff}, {SPDM_HEARTBEAT, 3, 0xff},
	{SPDM_END_SESSION, 2, 0xfe}, {SPDM_END_SESSION, 3, 0xff},
};

static const struct reserved in_answers[] = {
	{SPDM_VERSION, 2, 0xff}, {SPDM_VERSION, 3, 0xff}, {SPDM_VERSION, 4, 0xff},
	{SPDM_CAPABILITIES, 2, 0xff}, {SPDM_CAPABILITIES, 3, 0xff}, {SPDM_CAPABILITIES, 4, 0xff},
	{SPDM_CAPABILITIES, 6, 0xff}, {SPDM_CAPABILITIES, 7, 0xff}, {SPDM_CAPABILITIES, 11, 0xff},
	{SPDM_ALGORITHMS, 3, 0xff}, {SPDM_ALGORITHMS, 20, 0xff}, {SPDM_ALGORITHMS, 31, 0xff},
	{SPDM_ALGORITHMS, 34, 0xff}, {SPDM_ALGORITHMS, 35, 0xff},
	{SPDM_VENDOR_DEFINED_RESPONSE, 2, 0xff}, {SPDM_VENDOR_DEFINED_RESPONSE, 3, 0xff},
	{SPDM_HEARTBEAT_ACK, 2, 0xff}, {SPDM_HEARTBEAT_ACK, 3, 0xff},
	{SPDM_END_SESSION_ACK, 2, 0xff}, {SPDM_END_SESSION_ACK, 3, 0xff},
};
#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* The first step whose request (0) or answer (1) has this code. */
static const struct step *step_of(const struct talk *talk, uint8_t code, int which)
{
	for (unsigned int i = 0; i < talk->steps; i++)
		if (talk->step[i].plain[which][1] == code)
			return &talk->step[i];
	fail_msg("no message 0x%02x", code);
	return NULL;
}

static void reserved_bits_of_requests(void **state)
{
	static uint8_t answer[SPDM_MAX_MESSAGE], plain[SPDM_MAX_MESSAGE];
	struct talk *talk = *state;

	for (size_t i = 0; i < COUNT(in_requests); i++) {
		const struct reserved *field = &in_requests[i];
		const struct step *step = step_of(talk, field->code, 0);

		for (unsigned int bit = 0; bit < 8; bit++) {
			if (!(field->mask >> bit & 1))
				continue;
			memcpy(plain, step->plain[0], step->plain_len[0]);
			plain[field->at] ^= (uint8_t)(1u << bit);
			ask(talk, step, plain, step->plain_len[0], answer);
			if (answer[1] != (field->code & 0x7f))
				fail_msg("0x%02x, byte %u, bit %u: error 0x%02x", field->code,
					field->at, bit, answer[2]);
		}
	}
}

static void reserved_bits_of_answers(void **state)
{
	static uint8_t plain[SPDM_MAX_MESSAGE];
	struct talk *talk = *state;

	for (size_t i = 0; i < COUNT(in_answers); i++) {
		const struct reserved *field = &in_answers[i];
		const struct step *step = step_of(talk, field->code, 1);

		for (unsigned int bit = 0; bit < 8; bit++) {
			if (!(field->mask >> bit & 1))
				continue;
			memcpy(plain, step->plain[1], step->plain_len[1]);
			plain[field->at] ^= (uint8_t)(1u << bit);
			if (tell(step, plain, step->plain_len[1]) < 0)
				fail_msg("0x%02x, byte %u, bit %u", field->code, field->at, bit);
		}
	}
}

/* What no signature covers when a session follows is not left unlooked at. */
static void unsigned_answers_are_looked_at(void **state)
{
	static const struct reserved fields[] = {{SPDM_DIGESTS, 2, 0xff}, {SPDM_DIGESTS, 3, 0x01},
		{SPDM_CERTIFICATE, 2, 0xff}, {SPDM_CERTIFICATE, 3, 0xff}};
	static uint8_t plain[SPDM_MAX_MESSAGE];
	struct talk *talk = *state;

	for (size_t i = 0; i < COUNT(fields); i++) {
		const struct step *step = step_of(talk, fields[i].code, 1);

		for (unsigned int bit = 0; bit < 8; bit++) {
			if (!(fields[i].mask >> bit & 1))
				continue;
			memcpy(plain, step->plain[1], step->plain_len[1]);
			plain[fields[i].at] ^= (uint8_t)(1u << bit);
			assert_true(tell(step, plain, step->plain_len[1]) < 0);
		}
	}
}

/* -- codes of ERROR that have no place elsewhere in these tests ----------------------------------- */

static uint8_t error_of(struct pair *pair, const void *bytes, size_t len)
{
	struct spdm_wire in = wire_clear(bytes, len), out;

	in.len = len;
	assert_int_equal(pair_answer(pair, &in, &out), 0);
	return out.data[1] == SPDM_ERROR ? out.data[2] : 0;
}

static void request_too_large(void **state)
{
	static uint8_t request[SPDM_MAX_WIRE] = {0x12, SPDM_GET_DIGESTS};
	struct pair *pair = &((struct talk *)*state)->pair;

	for (size_t len = SPDM_MAX_MESSAGE - 4; len <= SPDM_MAX_WIRE; len++)
		assert_int_equal(error_of(pair, request, len),
			len > SPDM_MAX_MESSAGE + SPDM_PADDING ? SPDM_ERROR_REQUEST_TOO_LARGE
							      : SPDM_ERROR_INVALID_REQUEST);
	assert_int_equal(error_of(pair, request, 4), 0); /* and the connection stands */
}

static void request_resynch(void **state)
{
	static const uint8_t digests[] = {0x12, SPDM_GET_DIGESTS, 0, 0};
	struct pair *pair = &((struct talk *)*state)->pair;

	assert_int_equal(error_of(pair, digests, sizeof(digests)), 0);
	spdm_responder_reset(&pair->p, NULL, NULL);
	for (int i = 0; i < 2; i++)
		assert_int_equal(
			error_of(pair, digests, sizeof(digests)), SPDM_ERROR_REQUEST_RESYNCH);
	assert_int_equal(error_of(pair, "\x10\x84\0\0", 4), 0);
	assert_int_equal(error_of(pair, digests, sizeof(digests)), SPDM_ERROR_UNEXPECTED_REQUEST);
	spdm_responder_init(&pair->p); /* one that never heard of anybody has lost nothing */
	assert_int_equal(error_of(pair, digests, sizeof(digests)), SPDM_ERROR_UNEXPECTED_REQUEST);
	assert_int_equal(pair_do(pair, SPDM_OP_CONNECT), 0);
}

/* What is not there says so by the code of the request, and harms nothing. */
static void unsupported_requests(void **state)
{
	static const uint8_t codes[] = {0x85 /* CHUNK_SEND */, 0x86 /* CHUNK_GET */,
		0x87 /* GET_ENDPOINT_INFO */, 0xe6 /* PSK_EXCHANGE */, 0xe7 /* PSK_FINISH */,
		0xea /* GET_ENCAPSULATED_REQUEST */, 0xeb /* DELIVER_ENCAPSULATED_RESPONSE */,
		0xed /* GET_CSR */, 0xee /* SET_CERTIFICATE */, 0xef /* GET_MEASUREMENT_EXTENSION_LOG */,
		0xf0 /* SUBSCRIBE_EVENT_TYPES */, 0xf1 /* SEND_EVENT */, 0xfc /* GET_KEY_PAIR_INFO */,
		0xfd /* SET_KEY_PAIR_INFO */, 0x00, 0x7f};
	struct pair *pair = &((struct talk *)*state)->pair;

	for (size_t i = 0; i < sizeof(codes); i++) {
		const uint8_t request[16] = {0x12, codes[i]};
		struct spdm_wire in = wire_clear(request, sizeof(request)), out;

		assert_int_equal(pair_answer(pair, &in, &out), 0);
		assert_spdm_error(&out, SPDM_ERROR_UNSUPPORTED_REQUEST);
		assert_int_equal(out.data[3], codes[i]);
	}
	assert_int_equal(error_of(pair, "\x12\x81\0\0", 4), 0);
}

/* Slots of certificates other than 0 are empty. */
static void other_slots(void **state)
{
	static uint8_t answer[SPDM_MAX_MESSAGE], plain[SPDM_MAX_MESSAGE];
	static const struct reserved slots[] = {{SPDM_GET_CERTIFICATE, 2, 0}, {SPDM_CHALLENGE, 2, 0},
		{SPDM_GET_MEASUREMENTS, 36, 0}, {SPDM_KEY_EXCHANGE, 3, 0}};
	struct talk *talk = *state;

	for (size_t i = 0; i < COUNT(slots); i++)
		for (uint8_t slot = 1; slot < 8; slot++) {
			const struct step *step = step_of(talk, slots[i].code, 0);

			memcpy(plain, step->plain[0], step->plain_len[0]);
			plain[slots[i].at] = slot;
			ask(talk, step, plain, step->plain_len[0], answer);
			assert_int_equal(answer[1], SPDM_ERROR);
			assert_int_equal(answer[2], SPDM_ERROR_INVALID_REQUEST);
		}
}

/* A requester of 1.4 finds 1.2 and 1.3 in VERSION and takes one of them; 1.4 itself is refused. */
static void version_1_4(void **state)
{
	static const uint8_t version[] = {0x10, 0x04, 0, 0, 0, 2, 0x00, 0x12, 0x00, 0x13};
	static const uint8_t caps[20] = {0x14, SPDM_GET_CAPABILITIES};
	struct pair *pair = &((struct talk *)*state)->pair;
	struct spdm_wire in = wire_clear("\x10\x84\0\0", 4), out;

	spdm_responder_offer(&pair->p, &spdm_offer_all);
	assert_int_equal(pair_answer(pair, &in, &out), 0);
	assert_int_equal(out.len, sizeof(version));
	assert_memory_equal(out.data, version, sizeof(version));
	assert_int_equal(error_of(pair, caps, sizeof(caps)), SPDM_ERROR_VERSION_MISMATCH);
}

/* And a device of 1.4 that has 1.3 too is spoken to in 1.3, one that has nothing else is not. */
static void device_of_1_4(void **state)
{
	static const uint8_t both[] = {0x10, 0x04, 0, 0, 0, 3, 0x00, 0x14, 0x00, 0x12, 0x00, 0x13};
	static const uint8_t only[] = {0x10, 0x04, 0, 0, 0, 1, 0x00, 0x14};
	struct pair *pair = &((struct talk *)*state)->pair;
	struct spdm_wire wire, next;

	assert_int_equal(spdm_requester_start(&pair->q, SPDM_OP_CONNECT), 0);
	assert_int_equal(spdm_requester_next(&pair->q, NULL, &next), 1);
	wire = wire_clear(both, sizeof(both));
	assert_int_equal(spdm_requester_next(&pair->q, &wire, &next), 1);
	assert_int_equal(next.data[0], 0x13);
	assert_int_equal(spdm_requester_start(&pair->q, SPDM_OP_CONNECT), 0);
	assert_int_equal(spdm_requester_next(&pair->q, NULL, &next), 1);
	wire = wire_clear(only, sizeof(only));
	assert_int_equal(spdm_requester_next(&pair->q, &wire, &next), -EPROTO);
}

/* What 1.3 gave a meaning: new measurements are what one gets anyway, and there are no events. */
static void fields_of_1_3(void **state)
{
	struct talk *talk = *state;
	struct pair *pair = &talk->pair;
	static uint8_t answer[SPDM_MAX_MESSAGE], plain[SPDM_MAX_MESSAGE];
	const struct step *step;

	pair_teardown();
	pair_setup(pair, 2728);
	spdm_responder_offer(&pair->p, &spdm_offer_all);
	talk->steps = 0;
	talk_on(talk, SPDM_OP_CONNECT);
	talk_on(talk, SPDM_OP_MEASURE);
	step = step_of(talk, SPDM_GET_MEASUREMENTS, 0);
	memcpy(plain, step->plain[0], step->plain_len[0]);
	plain[2] |= 4; /* NewMeasurementRequested */
	ask(talk, step, plain, step->plain_len[0], answer);
	assert_int_equal(answer[1], SPDM_MEASUREMENTS);
	step = step_of(talk, SPDM_KEY_EXCHANGE, 0);
	memcpy(plain, step->plain[0], step->plain_len[0]);
	plain[6] |= 2; /* EventAllPolicy */
	ask(talk, step, plain, step->plain_len[0], answer);
	assert_int_equal(answer[1], SPDM_ERROR);
	assert_int_equal(answer[2], SPDM_ERROR_INVALID_REQUEST);
}

#define TEST(name, fn)                                                                             \
	{                                                                                          \
		name, fn, setup, teardown, NULL                                                    \
	}
int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST("R6.4 requests of every length but the right one", requests_of_every_length),
		TEST("R3.5 answers of every length but the right one", answers_of_every_length),
		TEST("R6.4 reserved bits of requests are ignored", reserved_bits_of_requests),
		TEST("R6.4 reserved bits of answers are ignored", reserved_bits_of_answers),
		TEST("R3.5 but not in what nobody signs", unsigned_answers_are_looked_at),
		TEST("R6.4 RequestTooLarge", request_too_large),
		TEST("R6.4 RequestResynch after a reset", request_resynch),
		TEST("R6.4 UnsupportedRequest names the request", unsupported_requests),
		TEST("R6.4 no slot but 0", other_slots),
		TEST("R6.4 a requester of 1.4", version_1_4),
		TEST("R6.4 a device of 1.4", device_of_1_4),
		TEST("R6.4 fields that came with 1.3", fields_of_1_3),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
