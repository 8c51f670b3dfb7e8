/* SPDX-License-Identifier: BSD-2-Clause */
/* The SPDM requester: a real responder's answers up to one, and then the fuzzer's, or the real one
 * with the fuzzer's bytes laid over it. What was signed over and spoiled gives no
 * session. */
#include "pair.h"

static struct ends ends;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	pair_make();
	return 0;
}

/* Busy and ResponseNotReady only cost time: the request is repeated, and the real answer counts. */
static bool puts_off(const struct spdm_wire *reply)
{
	return reply->len >= 4 && reply->data[1] == SPDM_ERROR &&
	       (reply->data[2] == SPDM_ERROR_BUSY ||
		       reply->data[2] == SPDM_ERROR_RESPONSE_NOT_READY);
}

/* What the responder says is spoiled; true: it really was. */
static bool spoil(struct reader *r, uint8_t how, struct spdm_wire *reply)
{
	struct spdm_wire before = *reply;
	size_t at = get_le16(r), len = reader_left(r);

	if (how & 1) {
		reply->len = len < sizeof(reply->data) ? len : sizeof(reply->data);
		get_copy(r, reply->data, reply->len);
		reply->doe_type = how & 2 ? SPDM_DOE_SECURED : SPDM_DOE_CLEAR;
	} else {
		at %= reply->len;
		len = len < reply->len - at ? len : reply->len - at;
		get_copy(r, reply->data + at, len);
	}
	return reply->len != before.len || reply->doe_type != before.doe_type ||
	       memcmp(reply->data, before.data, before.len);
}

static void play(struct reader *r, bool in_session, enum spdm_op op)
{
	unsigned int when = get_u8(r) % 10;
	uint8_t how = get_u8(r);
	struct spdm_wire request, reply;
	bool spoiled = false;
	int rc;

	ends = in_session ? open : fresh;
	if (op == SPDM_OP_VENDOR ? spdm_requester_vendor(&ends.q, 1, "request", 7)
				 : spdm_requester_start(&ends.q, op))
		return;
	rc = spdm_requester_next(&ends.q, NULL, &request);
	for (unsigned int i = 0; rc == 1 && i < FUZZ_MESSAGES; i++) {
		if (answer(&ends, &request, &reply))
			return;
		if (i == when)
			spoiled = spoil(r, how, &reply) && !puts_off(&reply);
		rc = spdm_requester_next(&ends.q, &reply, &request);
	}
	fuzz_assert(rc <= 0);
	if (op == SPDM_OP_CONNECT && spoiled)
		fuzz_assert(rc || when == 3 || when == 4); /* which nobody signs, see req_digests_take */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct reader r = reader_of(data, len);
	uint8_t what = get_u8(&r);

	play(&r, what & 1, (enum spdm_op)((what >> 1) % SPDM_OP_MAX));
	fuzz_again();
	return 0;
}
