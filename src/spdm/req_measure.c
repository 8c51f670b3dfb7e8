/* SPDX-License-Identifier: BSD-2-Clause */
/* CHALLENGE and GET_MEASUREMENTS. */
#include "spdm/requester.h"

#include <errno.h>

#define SLOT_MASK 0x0f

/* Our RequesterContext is zeroes, and comes back. */
static bool context_echoed(struct req_answer *a, const struct spdm_suite *suite)
{
	static const uint8_t zeroes[8];
	size_t len = spdm_suite_context(suite);
	const uint8_t *context = get_bytes(&a->r, len);

	return !len || (context && !memcmp(context, zeroes, len));
}

int req_challenge_build(struct spdm_requester *ctx, struct writer *w)
{
	uint8_t nonce[SPDM_NONCE];
	int rc = spdm_random(nonce, sizeof(nonce));

	req_header(ctx, w, SPDM_CHALLENGE, 0, SPDM_SUMMARY_NONE);
	put_bytes(w, nonce, sizeof(nonce));
	put_space(w, spdm_suite_context(&ctx->transcript.suite));
	spdm_transcript_add(&ctx->transcript, SPDM_PART_CHAIN, w->p, w->at);
	return rc;
}

int req_challenge_take(struct spdm_requester *ctx, struct req_answer *a)
{
	const struct spdm_suite *suite = &ctx->transcript.suite;
	size_t hash = spdm_suite_hash(suite);
	const uint8_t *chain_hash = get_bytes(&a->r, hash), *signature;
	size_t opaque_len, signed_len;
	bool echoed;
	int rc;

	get_bytes(&a->r, SPDM_NONCE);
	opaque_len = get_le16(&a->r);
	get_bytes(&a->r, opaque_len);
	echoed = context_echoed(a, suite);
	signed_len = a->r.at;
	signature = get_bytes(&a->r, spdm_suite_signature(suite));
	if (!req_answer_end(a) || opaque_len > SPDM_OPAQUE_MAX)
		return -EBADMSG;
	if (!echoed || a->param1 || !(a->param2 & 1))
		return -EPROTO;
	if (!spdm_equal(chain_hash, ctx->transcript.chain_hash, hash))
		return -EACCES;
	spdm_transcript_add(&ctx->transcript, SPDM_PART_CHAIN, a->r.p, signed_len);
	rc = req_signature_check(ctx, SPDM_SIGN_CHALLENGE, SPDM_PART_CHAIN, signature);
	spdm_transcript_reset(&ctx->transcript, SPDM_PART_CHAIN);
	return rc ? rc : REQ_DONE;
}

int req_measure_build(struct spdm_requester *ctx, struct writer *w)
{
	uint8_t nonce[SPDM_NONCE];
	int rc = 0;

	req_header(ctx, w, SPDM_GET_MEASUREMENTS, ctx->measure_sign ? SPDM_MEASURE_SIGN : 0,
		ctx->measure_op);
	if (ctx->measure_sign) {
		rc = spdm_random(nonce, sizeof(nonce));
		put_bytes(w, nonce, sizeof(nonce));
		put_u8(w, 0); /* slot */
	}
	put_space(w, spdm_suite_context(&ctx->transcript.suite));
	ctx->record_len = 0;
	ctx->measure_count = 0;
	spdm_transcript_add(&ctx->transcript, SPDM_PART_MEASURE, w->p, w->at);
	return rc;
}

/* Whether the record is `blocks` well-formed blocks, and those asked for. */
static bool record_fits(const uint8_t *record, size_t len, unsigned int blocks, uint8_t operation)
{
	struct reader r = reader_of(record, len);

	if (operation == SPDM_MEASURE_COUNT)
		return !blocks && !len;
	if (operation != SPDM_MEASURE_ALL && blocks != 1)
		return false;
	for (unsigned int i = 0; i < blocks && !r.bad; i++) {
		uint8_t index = get_u8(&r), spec = get_u8(&r);
		size_t size = get_le16(&r);
		struct reader value = reader_of(get_bytes(&r, size), size);

		if (r.bad || spec != SPDM_MEAS_SPEC_DMTF || !index ||
			(operation != SPDM_MEASURE_ALL && index != operation))
			return false;
		get_u8(&value);
		get_bytes(&value, get_le16(&value));
		if (value.bad || reader_left(&value))
			return false;
	}
	return !r.bad && !reader_left(&r);
}

int req_measure_take(struct spdm_requester *ctx, struct req_answer *a)
{
	struct spdm_transcript *t = &ctx->transcript;
	unsigned int blocks = get_u8(&a->r);
	size_t len = get_le24(&a->r), opaque_len, signed_len;
	const uint8_t *record = get_bytes(&a->r, len), *signature = NULL;
	bool echoed;
	int rc = 0;

	get_bytes(&a->r, SPDM_NONCE);
	opaque_len = get_le16(&a->r);
	get_bytes(&a->r, opaque_len);
	echoed = context_echoed(a, &t->suite);
	signed_len = a->r.at;
	if (ctx->measure_sign)
		signature = get_bytes(&a->r, spdm_suite_signature(&t->suite));
	if (!req_answer_end(a) || len > sizeof(ctx->record) || opaque_len > SPDM_OPAQUE_MAX)
		return -EBADMSG;
	if (!echoed || (a->param2 & SLOT_MASK) || !record_fits(record, len, blocks, ctx->measure_op))
		return -EPROTO;
	spdm_transcript_add(t, SPDM_PART_MEASURE, a->r.p, signed_len);
	if (signature) {
		rc = req_signature_check(ctx, SPDM_SIGN_MEASUREMENTS, SPDM_PART_MEASURE, signature);
		spdm_transcript_reset(t, SPDM_PART_MEASURE);
	}
	if (rc)
		return rc;
	memcpy(ctx->record, record, len);
	ctx->record_len = (uint32_t)len;
	ctx->measure_count = ctx->measure_op == SPDM_MEASURE_COUNT ? a->param1 : (uint8_t)blocks;
	return REQ_DONE;
}
