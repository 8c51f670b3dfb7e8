/* SPDX-License-Identifier: BSD-2-Clause */
/* CHALLENGE_AUTH, MEASUREMENTS, and the measurement summary of KEY_EXCHANGE_RSP. */
#include "spdm/responder.h"

#include <errno.h>

#define MEASURE_SLOT_MASK 0x0f
#define SLOT_0 1

int rsp_sign_put(struct rsp_call *call, enum spdm_purpose purpose, enum spdm_transcript_part part)
{
	const struct spdm_suite *suite = &call->ctx->transcript.suite;
	const struct spdm_identity *id = call->identity;
	uint8_t hash[SPDM_HASH], signature[SPDM_SIG];
	int rc = spdm_transcript_hash(&call->ctx->transcript, part, hash);

	if (!rc)
		rc = spdm_sign(suite, id->key, id->key_len, purpose, hash, signature);
	if (rc)
		return rc == -EMSGSIZE ? SPDM_ERROR_UNEXPECTED_REQUEST : SPDM_ERROR_UNSPECIFIED;
	put_bytes(&call->w, signature, spdm_suite_signature(suite));
	return 0;
}

void rsp_block_put(struct writer *w, const struct spdm_measurement *m)
{
	put_u8(w, m->index);
	put_u8(w, SPDM_MEAS_SPEC_DMTF);
	put_le16(w, (uint16_t)(3 + m->len));
	put_u8(w, m->type);
	put_le16(w, m->len);
	put_bytes(w, m->value, m->len);
}

int rsp_summary_put(struct rsp_call *call, uint8_t type)
{
	const struct spdm_suite *suite = &call->ctx->transcript.suite;
	const struct spdm_identity *id = call->identity;
	uint8_t blocks[SPDM_MAX_MESSAGE], digest[SPDM_HASH];
	struct writer w = writer_of(blocks, sizeof(blocks));

	if (type == SPDM_SUMMARY_NONE)
		return 0;
	if ((type != SPDM_SUMMARY_TCB && type != SPDM_SUMMARY_ALL) || !call->ctx->can_measure)
		return SPDM_ERROR_INVALID_REQUEST;
	for (size_t i = 0; i < id->measurement_count; i++)
		if (type == SPDM_SUMMARY_ALL ||
			(id->measurements[i].type & SPDM_MEAS_TYPE) == SPDM_MEAS_IMMUTABLE_ROM)
			rsp_block_put(&w, &id->measurements[i]);
	if (w.bad || spdm_hash(suite->hash, blocks, w.at, digest))
		return SPDM_ERROR_UNSPECIFIED;
	put_bytes(&call->w, digest, spdm_suite_hash(suite));
	return 0;
}

int rsp_challenge(struct rsp_call *call)
{
	struct spdm_transcript *t = &call->ctx->transcript;
	uint8_t nonce[SPDM_NONCE], digest[SPDM_HASH];
	size_t context_len = spdm_suite_context(&t->suite);
	const uint8_t *context;
	int rc;

	get_bytes(&call->r, SPDM_NONCE);
	context = get_bytes(&call->r, context_len);
	if (!rsp_call_end(call) || call->param1)
		return SPDM_ERROR_INVALID_REQUEST;
	if (rsp_chain_hash(call, digest) || spdm_random(nonce, sizeof(nonce)))
		return SPDM_ERROR_UNSPECIFIED;
	rsp_header(call, SPDM_CHALLENGE_AUTH, 0, SLOT_0);
	put_bytes(&call->w, digest, spdm_suite_hash(&t->suite));
	put_bytes(&call->w, nonce, sizeof(nonce));
	rc = rsp_summary_put(call, call->param2);
	put_le16(&call->w, 0); /* opaque data */
	put_bytes(&call->w, context, context_len);
	if (!rc)
		rc = rsp_note(call, SPDM_PART_CHAIN);
	if (rc)
		return rc;
	rc = rsp_sign_put(call, SPDM_SIGN_CHALLENGE, SPDM_PART_CHAIN);
	spdm_transcript_reset(t, SPDM_PART_CHAIN);
	return rc;
}

/* The blocks asked for: false when there is none of that index, or no room. */
static bool blocks_put(struct rsp_call *call, struct writer *w, unsigned int *count)
{
	const struct spdm_identity *id = call->identity;

	*count = 0;
	if (call->param2 == SPDM_MEASURE_COUNT)
		return true;
	for (size_t i = 0; i < id->measurement_count; i++) {
		if (call->param2 != SPDM_MEASURE_ALL && call->param2 != id->measurements[i].index)
			continue;
		rsp_block_put(w, &id->measurements[i]);
		(*count)++;
	}
	return *count || call->param2 == SPDM_MEASURE_ALL;
}

static int measurements_answer(struct rsp_call *call)
{
	bool sign = call->param1 & SPDM_MEASURE_SIGN;
	int rc;
	uint8_t nonce[SPDM_NONCE], blocks[SPDM_MAX_MESSAGE], slot = 0;
	struct writer w = writer_of(blocks, sizeof(blocks));
	size_t context_len = spdm_suite_context(&call->ctx->transcript.suite);
	const uint8_t *context;
	unsigned int count;

	if (sign) {
		get_bytes(&call->r, SPDM_NONCE);
		slot = get_u8(&call->r);
	}
	context = get_bytes(&call->r, context_len);
	/* The other attributes need no heed: raw values go as they are, and all is measured anew. */
	if (!rsp_call_end(call) || (slot & MEASURE_SLOT_MASK) || !call->ctx->can_measure ||
		!blocks_put(call, &w, &count))
		return SPDM_ERROR_INVALID_REQUEST;
	if (w.bad)
		return SPDM_ERROR_RESPONSE_TOO_LARGE;
	if (spdm_random(nonce, sizeof(nonce)))
		return SPDM_ERROR_UNSPECIFIED;
	rsp_header(call, SPDM_MEASUREMENTS,
		call->param2 == SPDM_MEASURE_COUNT ? (uint8_t)call->identity->measurement_count : 0,
		0);
	put_u8(&call->w, (uint8_t)count);
	put_le24(&call->w, (uint32_t)w.at);
	put_bytes(&call->w, blocks, w.at);
	put_bytes(&call->w, nonce, sizeof(nonce));
	put_le16(&call->w, 0); /* opaque data */
	put_bytes(&call->w, context, context_len);
	rc = rsp_note(call, SPDM_PART_MEASURE);
	if (rc)
		return rc;
	return sign ? rsp_sign_put(call, SPDM_SIGN_MEASUREMENTS, SPDM_PART_MEASURE) : 0;
}

int rsp_measurements(struct rsp_call *call)
{
	struct spdm_responder *ctx = call->ctx;
	uint32_t session = call->secured ? ctx->session.id : 0;
	int rc;

	if (session != ctx->measure_session)
		spdm_transcript_reset(&ctx->transcript, SPDM_PART_MEASURE);
	ctx->measure_session = session;
	rc = measurements_answer(call);
	if (rc || (call->param1 & SPDM_MEASURE_SIGN))
		spdm_transcript_reset(&ctx->transcript, SPDM_PART_MEASURE);
	return rc;
}
