/* SPDX-License-Identifier: BSD-2-Clause */
/* KEY_EXCHANGE and FINISH. */
#include "spdm/requester.h"

#include <errno.h>

#define POLICY_TERMINATE 0 /* the session ends when the device's firmware changes */

static uint8_t summary_type(const struct spdm_requester *ctx)
{
	return ctx->peer_flags & SPDM_CAP_MEAS_SIG ? SPDM_SUMMARY_ALL : SPDM_SUMMARY_NONE;
}

int req_key_exchange_build(struct spdm_requester *ctx, struct writer *w)
{
	uint8_t random[SPDM_NONCE], opaque[SPDM_OPAQUE_ROOM];
	struct writer o = writer_of(opaque, sizeof(opaque));
	int rc = spdm_random(random, sizeof(random));

	if (!rc)
		rc = spdm_ecdh_make(ctx->transcript.suite.dhe, ctx->scalar, ctx->point);
	if (rc)
		return rc;
	if (!++ctx->next_session)
		ctx->next_session = 1;
	spdm_opaque_put_supported(&o);
	req_header(ctx, w, SPDM_KEY_EXCHANGE, summary_type(ctx), 0);
	put_le16(w, ctx->next_session);
	put_u8(w, POLICY_TERMINATE);
	put_u8(w, 0);
	put_bytes(w, random, sizeof(random));
	put_bytes(w, ctx->point, spdm_suite_exchange(&ctx->transcript.suite));
	put_le16(w, (uint16_t)o.at);
	put_bytes(w, opaque, o.at);
	spdm_transcript_reset(&ctx->transcript, SPDM_PART_CHAIN);
	spdm_transcript_reset(&ctx->transcript, SPDM_PART_KEYS);
	spdm_transcript_add(&ctx->transcript, SPDM_PART_KEYS, w->p, w->at);
	return 0;
}

struct exchange_answer {
	uint16_t session;
	uint8_t mutual, slot;
	const uint8_t *point, *signature, *verify;
	size_t signed_len;
};

static int exchange_parse(
	const struct spdm_requester *ctx, struct req_answer *a, struct exchange_answer *x)
{
	const struct spdm_suite *suite = &ctx->transcript.suite;
	const uint8_t *opaque;
	size_t opaque_len;

	x->session = get_le16(&a->r);
	x->mutual = get_u8(&a->r);
	x->slot = get_u8(&a->r);
	get_bytes(&a->r, SPDM_NONCE);
	x->point = get_bytes(&a->r, spdm_suite_exchange(suite));
	if (summary_type(ctx) != SPDM_SUMMARY_NONE)
		get_bytes(&a->r, spdm_suite_hash(suite));
	opaque_len = get_le16(&a->r);
	opaque = get_bytes(&a->r, opaque_len);
	x->signed_len = a->r.at;
	x->signature = get_bytes(&a->r, spdm_suite_signature(suite));
	x->verify = ctx->session.in_clear ? NULL : get_bytes(&a->r, spdm_suite_hash(suite));
	if (!req_answer_end(a) || opaque_len > SPDM_OPAQUE_MAX)
		return -EBADMSG;
	if (x->mutual || x->slot ||
		!spdm_opaque_version(opaque, opaque_len, SPDM_SECURED_SELECTION))
		return -EPROTO;
	return 0;
}

/* The handshake's keys, and the device's proof that it has them. */
static int handshake_check(struct spdm_requester *ctx, const struct exchange_answer *x)
{
	struct spdm_transcript *t = &ctx->transcript;
	uint8_t shared[SPDM_SCALAR], verify[SPDM_HASH];
	size_t hash = spdm_suite_hash(&t->suite);
	int rc = spdm_ecdh_derive(t->suite.dhe, ctx->scalar, ctx->point, x->point, shared);

	if (!rc)
		rc = spdm_session_handshake(&ctx->session, t, shared);
	spdm_cleanse(shared, sizeof(shared));
	spdm_cleanse(ctx->scalar, sizeof(ctx->scalar));
	if (rc || !x->verify)
		return rc;
	rc = spdm_session_finished(&ctx->session, t, SPDM_SIDE_RESPONDER, verify);
	if (!rc && !spdm_equal(verify, x->verify, hash))
		rc = -EACCES;
	if (!rc)
		spdm_transcript_add(t, SPDM_PART_KEYS, x->verify, hash);
	return rc;
}

int req_key_exchange_take(struct spdm_requester *ctx, struct req_answer *a)
{
	struct spdm_transcript *t = &ctx->transcript;
	struct exchange_answer x;
	int rc;

	ctx->session.in_clear = ctx->allow_clear && (ctx->peer_flags & SPDM_CAP_CLEAR_HANDSHAKE);
	rc = exchange_parse(ctx, a, &x);
	if (rc)
		return rc;
	spdm_transcript_add(t, SPDM_PART_KEYS, a->r.p, x.signed_len);
	rc = req_signature_check(ctx, SPDM_SIGN_KEY_EXCHANGE, SPDM_PART_KEYS, x.signature);
	if (rc)
		return rc;
	spdm_transcript_add(
		t, SPDM_PART_KEYS, x.signature, spdm_suite_signature(&t->suite));
	ctx->session.phase = SPDM_PHASE_HANDSHAKE;
	ctx->session.id = (uint32_t)x.session << 16 | ctx->next_session;
	rc = handshake_check(ctx, &x);
	return rc ? rc : REQ_FINISH;
}

int req_finish_build(struct spdm_requester *ctx, struct writer *w)
{
	struct spdm_transcript *t = &ctx->transcript;
	uint8_t verify[SPDM_HASH];
	int rc;

	req_header(ctx, w, SPDM_FINISH, 0, 0);
	spdm_transcript_add(t, SPDM_PART_KEYS, w->p, w->at);
	rc = spdm_session_finished(&ctx->session, t, SPDM_SIDE_REQUESTER, verify);
	put_bytes(w, verify, spdm_suite_hash(&t->suite));
	spdm_transcript_add(t, SPDM_PART_KEYS, verify, spdm_suite_hash(&t->suite));
	return rc;
}

int req_finish_take(struct spdm_requester *ctx, struct req_answer *a)
{
	struct spdm_transcript *t = &ctx->transcript;
	size_t header = a->r.at;
	size_t hash = spdm_suite_hash(&t->suite);
	const uint8_t *verify = a->secured ? NULL : get_bytes(&a->r, hash);
	uint8_t expected[SPDM_HASH];
	int rc = 0;

	if (!req_answer_end(a))
		return -EBADMSG;
	spdm_transcript_add(t, SPDM_PART_KEYS, a->r.p, header);
	if (verify) {
		rc = spdm_session_finished(&ctx->session, t, SPDM_SIDE_RESPONDER, expected);
		if (!rc && !spdm_equal(verify, expected, hash))
			rc = -EACCES;
		spdm_transcript_add(t, SPDM_PART_KEYS, verify, hash);
	}
	if (!rc)
		rc = spdm_session_open(&ctx->session, t);
	return rc ? rc : REQ_DONE;
}
