/* SPDX-License-Identifier: BSD-2-Clause */
/* KEY_EXCHANGE_RSP, FINISH_RSP, and what is answered in a session. */
#include "spdm/responder.h"

#include <errno.h>

#define HEARTBEAT_PERIOD 0 /* never ends a session for want of heartbeats */
#define FINISH_SIGNED 1	   /* request attribute, of mutual authentication: we ask for none */

struct exchange {
	uint16_t session;
	const uint8_t *peer;
	uint16_t version; /* of secured messages */
	uint8_t scalar[SPDM_SCALAR], point[SPDM_DHE];
};

/* There is one transcript for handshakes: they come one after the other. */
static bool handshake_under_way(struct spdm_responder *ctx)
{
	return spdm_session_use_phase(&ctx->session, ctx->parked, SPDM_PHASE_HANDSHAKE);
}

/* 0 or an SPDM error code. */
static int exchange_parse(struct rsp_call *call, struct exchange *x)
{
	struct spdm_responder *ctx = call->ctx;
	const uint8_t *opaque;
	size_t opaque_len;
	uint8_t policy;

	x->session = get_le16(&call->r);
	policy = get_u8(&call->r);
	get_u8(&call->r);
	get_bytes(&call->r, SPDM_NONCE);
	x->peer = get_bytes(&call->r, spdm_suite_exchange(&ctx->transcript.suite));
	opaque_len = get_le16(&call->r);
	opaque = get_bytes(&call->r, opaque_len);
	if (!rsp_call_end(call) || opaque_len > SPDM_OPAQUE_MAX || call->param2)
		return SPDM_ERROR_INVALID_REQUEST;
	if (ctx->transcript.suite.version >= SPDM_V13 && (policy & SPDM_POLICY_EVENT_ALL))
		return SPDM_ERROR_INVALID_REQUEST; /* there are no events */
	if (!ctx->can_exchange)
		return SPDM_ERROR_UNEXPECTED_REQUEST;
	if (handshake_under_way(ctx) ||
		!spdm_session_use_phase(&ctx->session, ctx->parked, SPDM_PHASE_NONE))
		return SPDM_ERROR_SESSION_LIMIT;
	x->version = spdm_opaque_version(opaque, opaque_len, SPDM_SECURED_SUPPORTED);
	return x->version ? 0 : SPDM_ERROR_INVALID_REQUEST;
}

/* KEY_EXCHANGE_RSP up to what is signed. */
static int exchange_put(struct rsp_call *call, struct exchange *x)
{
	struct spdm_responder *ctx = call->ctx;
	uint8_t random[SPDM_NONCE], opaque[SPDM_OPAQUE_ROOM];
	struct writer o = writer_of(opaque, sizeof(opaque));
	int rc;

	if (spdm_random(random, sizeof(random)) ||
		spdm_ecdh_make(ctx->transcript.suite.dhe, x->scalar, x->point))
		return SPDM_ERROR_UNSPECIFIED;
	if (!++ctx->next_session)
		ctx->next_session = 1;
	rsp_header(call, SPDM_KEY_EXCHANGE_RSP, HEARTBEAT_PERIOD, 0);
	put_le16(&call->w, ctx->next_session);
	put_le16(&call->w, 0); /* no mutual authentication, no slot */
	put_bytes(&call->w, random, sizeof(random));
	put_bytes(&call->w, x->point, spdm_suite_exchange(&ctx->transcript.suite));
	rc = rsp_summary_put(call, call->param1);
	spdm_opaque_put_selection(&o, x->version);
	put_le16(&call->w, (uint16_t)o.at);
	put_bytes(&call->w, opaque, o.at);
	return rc;
}

/* Signature, handshake keys, verify data. */
static int exchange_prove(struct rsp_call *call, const struct exchange *x)
{
	struct spdm_responder *ctx = call->ctx;
	struct spdm_transcript *t = &ctx->transcript;
	size_t signature = spdm_suite_signature(&t->suite), hash = spdm_suite_hash(&t->suite);
	uint8_t shared[SPDM_SCALAR], verify[SPDM_HASH];
	int rc;

	spdm_transcript_reset(t, SPDM_PART_KEYS);
	if (rsp_chain_hash(call, t->chain_hash))
		return SPDM_ERROR_UNSPECIFIED;
	rc = rsp_note(call, SPDM_PART_KEYS);
	if (!rc)
		rc = rsp_sign_put(call, SPDM_SIGN_KEY_EXCHANGE, SPDM_PART_KEYS);
	if (rc || call->w.bad)
		return rc ? rc : SPDM_ERROR_RESPONSE_TOO_LARGE;
	spdm_transcript_add(t, SPDM_PART_KEYS, call->w.p + call->w.at - signature, signature);
	rc = spdm_ecdh_derive(t->suite.dhe, x->scalar, x->point, x->peer, shared);
	if (rc)
		return rc == -EBADMSG ? SPDM_ERROR_INVALID_REQUEST : SPDM_ERROR_UNSPECIFIED;
	ctx->session.id = (uint32_t)ctx->next_session << 16 | x->session;
	rc = spdm_session_handshake(&ctx->session, t, shared);
	spdm_cleanse(shared, sizeof(shared));
	if (!rc && !ctx->session.in_clear) {
		rc = spdm_session_finished(&ctx->session, t, SPDM_SIDE_RESPONDER, verify);
		put_bytes(&call->w, verify, hash);
		spdm_transcript_add(t, SPDM_PART_KEYS, verify, hash);
	}
	return rc ? SPDM_ERROR_UNSPECIFIED : call->w.bad ? SPDM_ERROR_RESPONSE_TOO_LARGE : 0;
}

int rsp_key_exchange(struct rsp_call *call)
{
	struct spdm_responder *ctx = call->ctx;
	struct exchange x = {0};
	int rc = exchange_parse(call, &x);

	if (rc)
		return rc;
	ctx->session.in_clear = ctx->allow_clear && (ctx->peer_flags & SPDM_CAP_CLEAR_HANDSHAKE);
	rc = exchange_put(call, &x);
	if (!rc)
		rc = exchange_prove(call, &x);
	spdm_cleanse(x.scalar, sizeof(x.scalar));
	if (rc) {
		spdm_session_end(&ctx->session);
		return rc;
	}
	ctx->session.phase = SPDM_PHASE_HANDSHAKE;
	return 0;
}

/* A FINISH of the wrong form does no harm, one with the wrong HMAC ends the handshake. */
static int finish_check(struct rsp_call *call)
{
	struct spdm_responder *ctx = call->ctx;
	struct spdm_transcript *t = &ctx->transcript;
	uint8_t expected[SPDM_HASH];
	size_t header = call->r.at;
	size_t hash = spdm_suite_hash(&t->suite);
	const uint8_t *verify = get_bytes(&call->r, hash);

	if (!rsp_call_end(call) || (call->param1 & FINISH_SIGNED))
		return SPDM_ERROR_INVALID_REQUEST;
	spdm_transcript_add(t, SPDM_PART_KEYS, call->r.p, header);
	if (spdm_session_finished(&ctx->session, t, SPDM_SIDE_REQUESTER, expected))
		return SPDM_ERROR_UNSPECIFIED;
	if (!spdm_equal(verify, expected, hash))
		return SPDM_ERROR_DECRYPT;
	spdm_transcript_add(t, SPDM_PART_KEYS, verify, hash);
	return 0;
}

int rsp_finish(struct rsp_call *call)
{
	struct spdm_responder *ctx = call->ctx;
	struct spdm_session *s = &ctx->session;
	struct spdm_transcript *t = &ctx->transcript;
	uint8_t verify[SPDM_HASH];
	int rc;

	if (!call->secured && (!handshake_under_way(ctx) || !s->in_clear))
		return SPDM_ERROR_SESSION_REQUIRED;
	if (call->secured && s->in_clear)
		return SPDM_ERROR_UNEXPECTED_REQUEST;
	rc = finish_check(call);
	if (rc) {
		call->ends_session = rc != SPDM_ERROR_INVALID_REQUEST;
		return rc;
	}
	rsp_header(call, SPDM_FINISH_RSP, 0, 0);
	spdm_transcript_add(t, SPDM_PART_KEYS, call->w.p, call->w.at);
	if (s->in_clear) {
		rc = spdm_session_finished(s, t, SPDM_SIDE_RESPONDER, verify);
		put_bytes(&call->w, verify, spdm_suite_hash(&t->suite));
		spdm_transcript_add(t, SPDM_PART_KEYS, verify, spdm_suite_hash(&t->suite));
	} else {
		call->seal = s->keys[SPDM_SIDE_RESPONDER];
	}
	if (!rc)
		rc = spdm_session_open(s, t);
	call->ends_session = rc;
	return rc ? SPDM_ERROR_UNSPECIFIED : 0;
}

int rsp_heartbeat(struct rsp_call *call)
{
	if (!rsp_call_end(call))
		return SPDM_ERROR_INVALID_REQUEST;
	if (!(call->ctx->peer_flags & SPDM_CAP_HBEAT))
		return SPDM_ERROR_UNEXPECTED_REQUEST;
	rsp_header(call, SPDM_HEARTBEAT_ACK, 0, 0);
	return 0;
}

/* The first of an update: new keys at once, the requester's old ones kept until it has shown that
 * it has the new ones. Its repetition under old keys (the answer was lost) is just answered. */
static int update_begin(struct rsp_call *call)
{
	struct spdm_session *s = &call->ctx->session;
	int rc;

	if (s->updating)
		return call->old_keys && s->updating == call->param1 &&
				       s->update_tag == call->param2
			       ? 0
			       : SPDM_ERROR_UNEXPECTED_REQUEST;
	s->old = s->keys[SPDM_SIDE_REQUESTER];
	rc = spdm_session_update(s, SPDM_SIDE_REQUESTER);
	if (!rc && call->param1 == SPDM_KEY_UPDATE_ALL)
		rc = spdm_session_update(s, SPDM_SIDE_RESPONDER);
	s->updating = call->param1;
	s->update_tag = call->param2;
	call->ends_session = rc;
	return rc ? SPDM_ERROR_UNSPECIFIED : 0;
}

static int update_verify(struct rsp_call *call)
{
	struct spdm_session *s = &call->ctx->session;

	if (!s->updating || call->old_keys)
		return SPDM_ERROR_UNEXPECTED_REQUEST;
	s->updating = 0;
	spdm_cleanse(&s->old, sizeof(s->old));
	return 0;
}

int rsp_key_update(struct rsp_call *call)
{
	int rc = SPDM_ERROR_INVALID_REQUEST;

	if (!rsp_call_end(call))
		return SPDM_ERROR_INVALID_REQUEST;
	if (!(call->ctx->peer_flags & SPDM_CAP_KEY_UPD))
		return SPDM_ERROR_UNEXPECTED_REQUEST;
	if (call->param1 == SPDM_KEY_UPDATE_VERIFY)
		rc = update_verify(call);
	else if (call->param1 == SPDM_KEY_UPDATE_ONE || call->param1 == SPDM_KEY_UPDATE_ALL)
		rc = update_begin(call);
	if (rc)
		return rc;
	rsp_header(call, SPDM_KEY_UPDATE_ACK, call->param1, call->param2);
	return 0;
}

int rsp_end(struct rsp_call *call)
{
	if (!rsp_call_end(call))
		return SPDM_ERROR_INVALID_REQUEST;
	rsp_header(call, SPDM_END_SESSION_ACK, 0, 0);
	call->ends_session = true;
	return 0;
}
