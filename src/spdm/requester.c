/* SPDX-License-Identifier: BSD-2-Clause */
/* The requester's engine: one table of steps, one of operations. */
#include "spdm/requester.h"

#include "image/image.h"

#include <errno.h>

#define TRIES 16u	 /* of one request, with a device that is not ready */
#define BUSY_EXPONENT 10 /* 1 ms, roughly */
#define DELAY_EXPONENT_MAX 20
#include <openssl/err.h>

enum req_where { REQ_IN_CLEAR, REQ_IN_SESSION, REQ_IN_EITHER, REQ_IN_HANDSHAKE };

static const struct req_row {
	uint8_t response;
	uint8_t where; /* enum req_where */
	int (*build)(struct spdm_requester *ctx, struct writer *w);
	int (*take)(struct spdm_requester *ctx, struct req_answer *a);
} steps[REQ_STEPS] = {
#define STEP(id, code, name, in)                                                                   \
	[REQ_##id] = {SPDM_##code, REQ_IN_##in, req_##name##_build, req_##name##_take}
	STEP(VERSION, VERSION, version, CLEAR),
	STEP(CAPABILITIES, CAPABILITIES, capabilities, CLEAR),
	STEP(ALGORITHMS, ALGORITHMS, algorithms, CLEAR),
	STEP(DIGESTS, DIGESTS, digests, CLEAR),
	STEP(CERTIFICATE, CERTIFICATE, certificate, CLEAR),
	STEP(CHALLENGE, CHALLENGE_AUTH, challenge, CLEAR),
	STEP(KEY_EXCHANGE, KEY_EXCHANGE_RSP, key_exchange, CLEAR),
	STEP(FINISH, FINISH_RSP, finish, HANDSHAKE),
	STEP(MEASURE, MEASUREMENTS, measure, EITHER),
	STEP(VENDOR, VENDOR_DEFINED_RESPONSE, vendor, SESSION),
	STEP(HEARTBEAT, HEARTBEAT_ACK, heartbeat, SESSION),
	STEP(KEY_UPDATE, KEY_UPDATE_ACK, key_update, SESSION),
	STEP(KEY_VERIFY, KEY_UPDATE_ACK, key_verify, SESSION),
	STEP(END, END_SESSION_ACK, end, SESSION),
#undef STEP
};

enum req_need { REQ_NEEDS_NOTHING, REQ_NEEDS_CONNECTION, REQ_NEEDS_CHAIN, REQ_NEEDS_SESSION };

static const struct {
	uint8_t step, need;
	uint32_t caps;
} operations[SPDM_OP_MAX] = {
	[SPDM_OP_CONNECT] = {REQ_VERSION, REQ_NEEDS_NOTHING},
	[SPDM_OP_CHALLENGE] = {REQ_VERSION, REQ_NEEDS_NOTHING},
	[SPDM_OP_MEASURE] = {REQ_MEASURE, REQ_NEEDS_CONNECTION, SPDM_CAP_MEAS_SIG},
	[SPDM_OP_HEARTBEAT] = {REQ_HEARTBEAT, REQ_NEEDS_SESSION, SPDM_CAP_HBEAT},
	[SPDM_OP_KEY_UPDATE] = {REQ_KEY_UPDATE, REQ_NEEDS_SESSION, SPDM_CAP_KEY_UPD},
	[SPDM_OP_END] = {REQ_END, REQ_NEEDS_SESSION},
	[SPDM_OP_IDENTIFY] = {REQ_VERSION, REQ_NEEDS_NOTHING},
	[SPDM_OP_SESSION] = {REQ_KEY_EXCHANGE, REQ_NEEDS_CHAIN, SPDM_CAPS_SESSION},
};

size_t spdm_requester_size(void)
{
	return sizeof(struct spdm_requester);
}

void spdm_requester_init(struct spdm_requester *ctx, const uint8_t *trust_anchor_der, size_t len)
{
	memset(ctx, 0, sizeof(*ctx));
	ctx->offer = spdm_offer_all;
	ctx->portion = SPDM_MAX_MESSAGE - SPDM_CERTIFICATE_HEADER;
	spdm_requester_measure(ctx, SPDM_MEASURE_ALL, true);
	if (!trust_anchor_der || len > sizeof(ctx->anchor))
		return;
	memcpy(ctx->anchor, trust_anchor_der, len);
	ctx->anchor_len = (uint32_t)len;
}

void spdm_requester_allow_clear_handshake(struct spdm_requester *ctx, bool allow)
{
	ctx->allow_clear = allow;
}

void spdm_requester_trust_own_root(struct spdm_requester *ctx, bool trust)
{
	ctx->own_root = trust;
}

void spdm_requester_measure(struct spdm_requester *ctx, uint8_t operation, bool sign)
{
	ctx->measure_op = operation;
	ctx->measure_sign = sign;
}

/* An image may come from a file of somebody else's making. */
static bool context_sane(const struct spdm_requester *ctx)
{
	return ctx->step < REQ_STEPS && ctx->anchor_len <= sizeof(ctx->anchor) &&
	       ctx->chain_len <= sizeof(ctx->chain) && ctx->message_len <= sizeof(ctx->message) &&
	       ctx->record_len <= sizeof(ctx->record) && spdm_sessions_sane(&ctx->session, ctx->parked) &&
	       spdm_transcript_sane(&ctx->transcript);
}

void spdm_requester_offer(struct spdm_requester *ctx, const struct spdm_offer *offer)
{
	ctx->offer = *offer;
}

void spdm_requester_agreement(const struct spdm_requester *ctx, struct spdm_agreement *agreed)
{
	const struct spdm_suite *suite = &ctx->transcript.suite;

	*agreed = (struct spdm_agreement){0};
	if (ctx->connected)
		*agreed = (struct spdm_agreement){
			suite->version, suite->hash, suite->asym, suite->dhe, ctx->peer_flags};
}

int spdm_requester_use(struct spdm_requester *ctx, uint32_t session)
{
	if (!context_sane(ctx) || ctx->step != REQ_DONE)
		return -EINVAL;
	return spdm_session_use(&ctx->session, ctx->parked, session) ? 0 : -ENOENT;
}

void req_sessions_end(struct spdm_requester *ctx)
{
	spdm_session_end(&ctx->session);
	for (unsigned int i = 0; i < SPDM_SESSIONS - 1; i++)
		spdm_session_end(&ctx->parked[i]);
}

static bool step_secured(const struct spdm_requester *ctx)
{
	switch ((enum req_where)steps[ctx->step].where) {
	case REQ_IN_SESSION:
		return true;
	case REQ_IN_EITHER:
		return ctx->session.phase == SPDM_PHASE_OPEN;
	case REQ_IN_HANDSHAKE:
		return !ctx->session.in_clear;
	case REQ_IN_CLEAR:
		break;
	}
	return false;
}

static void operation_drop(struct spdm_requester *ctx)
{
	if (ctx->sent && step_secured(ctx))
		spdm_session_end(&ctx->session);
	ctx->step = REQ_DONE;
	ctx->sent = false;
	ctx->tries = 0;
	ctx->waiting = false;
}

int spdm_requester_start(struct spdm_requester *ctx, enum spdm_op op)
{
	if (op >= SPDM_OP_MAX || !operations[op].step || !context_sane(ctx))
		return -EINVAL;
	operation_drop(ctx);
	if ((operations[op].need >= REQ_NEEDS_CONNECTION && !ctx->connected) ||
		(operations[op].need == REQ_NEEDS_CHAIN && !ctx->chain_good) ||
		(operations[op].need == REQ_NEEDS_SESSION && ctx->session.phase != SPDM_PHASE_OPEN))
		return -EINVAL;
	if ((ctx->peer_flags & operations[op].caps) != operations[op].caps)
		return -EOPNOTSUPP;
	if (op == SPDM_OP_SESSION &&
		!spdm_session_use_phase(&ctx->session, ctx->parked, SPDM_PHASE_NONE))
		return -ENOSPC;
	ctx->op = (uint8_t)op;
	ctx->step = operations[op].step;
	ctx->error = 0;
	return 0;
}

int spdm_requester_vendor(
	struct spdm_requester *ctx, uint8_t protocol, const void *body, size_t len)
{
	size_t most = ctx->peer_transfer < SPDM_MAX_MESSAGE ? ctx->peer_transfer : SPDM_MAX_MESSAGE;

	if (!context_sane(ctx))
		return -EINVAL;
	operation_drop(ctx);
	if (ctx->session.phase != SPDM_PHASE_OPEN || most < SPDM_VENDOR_HEADER + 1 ||
		len > most - SPDM_VENDOR_HEADER - 1)
		return -EINVAL;
	if (len)
		memcpy(ctx->message, body, len);
	ctx->message_len = (uint32_t)len;
	ctx->vendor_protocol = protocol;
	ctx->op = SPDM_OP_VENDOR;
	ctx->step = REQ_VENDOR;
	ctx->error = 0;
	return 0;
}

/* While the keys are being updated the device may still refuse under the old ones. */
static int record_open(
	struct spdm_session *s, const struct spdm_wire *in, uint8_t *plain, size_t *len)
{
	uint32_t session;
	int rc = spdm_record_session(in, &session);

	if (rc || session != s->id)
		return -EBADMSG;
	rc = spdm_record_open(&s->keys[SPDM_SIDE_RESPONDER], in, plain, len);
	if (rc != -EACCES || !s->old.valid)
		return rc;
	rc = spdm_record_open(&s->old, in, plain, len);
	if (!rc && (*len < 2 || plain[1] != SPDM_ERROR))
		return -EACCES;
	if (!rc) {
		s->keys[SPDM_SIDE_RESPONDER] = s->old;
		spdm_cleanse(&s->old, sizeof(s->old));
	}
	return rc;
}

/* A device may put us off: 1, the same step again; or -EREMOTEIO. What it was busy for is not part
 * of the transcript, what it will answer later is. */
static int answer_error(struct spdm_requester *ctx, struct req_answer *a, bool authentic)
{
	uint8_t exponent, code, token;

	ctx->error = a->param1;
	if ((a->secured && !authentic) || ctx->tries >= TRIES)
		return -EREMOTEIO;
	if (a->param1 == SPDM_ERROR_BUSY) {
		memcpy(ctx->transcript.len, ctx->before, sizeof(ctx->before));
		ctx->delay = BUSY_EXPONENT;
		ctx->tries++;
		return 1;
	}
	exponent = get_u8(&a->r);
	code = get_u8(&a->r);
	token = get_u8(&a->r);
	get_u8(&a->r);
	if (a->param1 != SPDM_ERROR_RESPONSE_NOT_READY || !req_answer_end(a) ||
		code != ctx->sent_code || ctx->session.old.valid)
		return -EREMOTEIO;
	ctx->delay = exponent < DELAY_EXPONENT_MAX ? exponent : DELAY_EXPONENT_MAX;
	ctx->token = token;
	ctx->waiting = true;
	ctx->tries++;
	return 1;
}

/* Reads the header: 0, or the reason why this is not the answer; 1: the step again. */
static int answer_header(
	struct spdm_requester *ctx, struct req_answer *a, uint8_t expected, bool authentic)
{
	uint8_t version = get_u8(&a->r), code = get_u8(&a->r);

	a->param1 = get_u8(&a->r);
	a->param2 = get_u8(&a->r);
	if (a->r.bad)
		return -EBADMSG;
	if (code == SPDM_ERROR)
		return answer_error(ctx, a, authentic);
	if (code != expected)
		return -EPROTO;
	return version == (code == SPDM_VERSION ? SPDM_VERSION_10
						: spdm_suite_header(&ctx->transcript.suite))
		       ? 0
		       : -EPROTO;
}

/* Takes one answer; *authentic tells whether it came through the session. */
static int answer_take(struct spdm_requester *ctx, const struct spdm_wire *in, bool *authentic)
{
	const struct req_row *row = &steps[ctx->step];
	bool secured = step_secured(ctx);
	uint8_t plain[SPDM_MAX_MESSAGE];
	struct req_answer a = {.r = reader_of(in->data, in->len), .secured = secured};
	size_t len;
	int rc;

	if (in->len > sizeof(in->data))
		return -EBADMSG;
	if (secured && in->doe_type == SPDM_DOE_SECURED) {
		rc = record_open(&ctx->session, in, plain, &len);
		if (rc)
			return rc;
		*authentic = true;
		a.r = reader_of(plain, len);
	} else if (in->doe_type != SPDM_DOE_CLEAR) {
		return -EPROTO;
	}
	rc = answer_header(ctx, &a, row->response, *authentic);
	if (rc == 1) {
		spdm_cleanse(plain, sizeof(plain));
		return 0;
	}
	ctx->tries = 0;
	if (!rc && secured && !*authentic)
		rc = -EPROTO;
	if (!rc)
		rc = row->take(ctx, &a);
	spdm_cleanse(plain, sizeof(plain));
	if (rc < 0)
		return rc;
	ctx->step = (uint8_t)rc;
	return 0;
}

/* The step's request, or the question whether the answer to it is ready by now. */
static int request_build(struct spdm_requester *ctx, struct writer *w)
{
	int rc;

	if (ctx->waiting) {
		ctx->waiting = false;
		req_header(ctx, w, SPDM_RESPOND_IF_READY, ctx->sent_code, ctx->token);
		return 0;
	}
	memcpy(ctx->before, ctx->transcript.len, sizeof(ctx->before));
	rc = steps[ctx->step].build(ctx, w);
	ctx->sent_code = !rc && w->at > 1 ? w->p[1] : 0;
	return rc;
}

static int request_send(struct spdm_requester *ctx, struct spdm_wire *out)
{
	bool secured = step_secured(ctx);
	uint8_t plain[SPDM_MAX_MESSAGE];
	struct writer w = writer_of(plain, sizeof(plain));
	int rc;

	if (ctx->step != REQ_MEASURE)
		spdm_transcript_reset(&ctx->transcript, SPDM_PART_MEASURE);
	rc = request_build(ctx, &w);
	if (!rc && w.bad)
		rc = -EMSGSIZE;
	if (rc)
		return rc;
	if (secured) {
		rc = spdm_record_seal(
			&ctx->session.keys[SPDM_SIDE_REQUESTER], ctx->session.id, plain, w.at, out);
		spdm_cleanse(plain, w.at);
	} else {
		memcpy(out->data, plain, w.at);
		out->len = w.at;
		out->doe_type = SPDM_DOE_CLEAR;
	}
	ctx->sent = !rc;
	return rc ? rc : 1;
}

/* Whether both ends still have the session, with the same keys and sequence numbers. */
static bool session_survives(const struct spdm_requester *ctx, int rc, bool authentic)
{
	const struct spdm_session *s = &ctx->session;

	if (s->phase == SPDM_PHASE_HANDSHAKE || ctx->step == REQ_KEY_VERIFY)
		return false;
	if (ctx->step == REQ_KEY_UPDATE && (rc != -EREMOTEIO || s->old.valid))
		return false;
	return !step_secured(ctx) || (authentic && ctx->error != SPDM_ERROR_DECRYPT &&
					     ctx->error != SPDM_ERROR_INVALID_SESSION);
}

static void operation_fail(struct spdm_requester *ctx, int rc, bool authentic)
{
	if (!session_survives(ctx, rc, authentic))
		spdm_session_end(&ctx->session);
	if (ctx->step == REQ_MEASURE)
		spdm_transcript_reset(&ctx->transcript, SPDM_PART_MEASURE);
	spdm_cleanse(ctx->scalar, sizeof(ctx->scalar));
	ctx->step = REQ_DONE;
	ctx->sent = false;
}

int spdm_requester_next(
	struct spdm_requester *ctx, const struct spdm_wire *in, struct spdm_wire *out)
{
	bool authentic = false;
	int rc = 0;

	if (!image_present())
		return -ENODEV;
	if (!context_sane(ctx))
		return -EUCLEAN;
	if (ctx->step == REQ_DONE || !in == !!ctx->sent)
		return -EINVAL;
	ctx->delay = 0;
	ERR_set_mark();
	if (in)
		rc = answer_take(ctx, in, &authentic);
	if (!rc) {
		ctx->sent = false;
		if (ctx->step != REQ_DONE)
			rc = request_send(ctx, out);
	}
	ERR_pop_to_mark();
	if (rc < 0)
		operation_fail(ctx, rc, authentic);
	return rc;
}

/* What the chain must end at: the anchor, or the first certificate of the chain itself. */
static const uint8_t *root_of(const struct spdm_requester *ctx, size_t *len)
{
	size_t head = SPDM_CHAIN_HEADER + spdm_suite_hash(&ctx->transcript.suite);

	*len = ctx->anchor_len;
	if (!ctx->own_root || ctx->anchor_len || ctx->chain_len <= head)
		return ctx->anchor;
	*len = spdm_certificate_size(ctx->chain + head, ctx->chain_len - head);
	return ctx->chain + head;
}

int spdm_requester_peer_key(struct spdm_requester *ctx, const uint8_t *point, size_t len)
{
	EVP_PKEY *key = NULL;

	if (ctx->connected && ctx->chain_len &&
		len == 2 * spdm_curve_row(ctx->transcript.suite.asym)->size)
		key = spdm_point_key(ctx->transcript.suite.asym, point);
	if (!key)
		return -EINVAL;
	EVP_PKEY_free(key);
	memcpy(ctx->peer_key, point, len);
	ctx->has_key = ctx->chain_good = true;
	return 0;
}

int req_chain_verify(const struct spdm_requester *ctx, EVP_PKEY **leaf)
{
	size_t len;
	const uint8_t *root = root_of(ctx, &len);

	return spdm_chain_verify(
		&ctx->transcript.suite, root, len, ctx->chain, ctx->chain_len, leaf);
}

int req_signature_check(const struct spdm_requester *ctx, enum spdm_purpose purpose,
	enum spdm_transcript_part part, const uint8_t *signature)
{
	uint8_t hash[SPDM_HASH];
	EVP_PKEY *key = NULL;
	int rc = 0;

	if (ctx->has_key)
		key = spdm_point_key(ctx->transcript.suite.asym, ctx->peer_key);
	else
		rc = req_chain_verify(ctx, &key);
	if (rc || !key)
		return rc ? rc : -EIO;
	rc = spdm_transcript_hash(&ctx->transcript, part, hash);
	if (!rc)
		rc = spdm_verify(&ctx->transcript.suite, key, purpose, hash, signature);
	EVP_PKEY_free(key);
	return rc;
}

uint32_t spdm_requester_delay(const struct spdm_requester *ctx)
{
	return ctx->delay && ctx->delay <= DELAY_EXPONENT_MAX ? 1u << ctx->delay : 0;
}

uint8_t spdm_requester_error(const struct spdm_requester *ctx)
{
	return ctx->error;
}

bool spdm_requester_session(const struct spdm_requester *ctx)
{
	return ctx->session.phase == SPDM_PHASE_OPEN;
}

uint32_t spdm_requester_session_id(const struct spdm_requester *ctx)
{
	return ctx->session.phase == SPDM_PHASE_OPEN ? ctx->session.id : 0;
}

const uint8_t *spdm_requester_vendor_reply(const struct spdm_requester *ctx, size_t *len)
{
	*len = ctx->message_len;
	return ctx->message;
}

const uint8_t *spdm_requester_chain(const struct spdm_requester *ctx, size_t *len)
{
	*len = ctx->chain_len;
	return ctx->chain;
}

const uint8_t *spdm_requester_measurements(const struct spdm_requester *ctx, size_t *len)
{
	*len = ctx->record_len;
	return ctx->record;
}

uint8_t spdm_requester_measurement_count(const struct spdm_requester *ctx)
{
	return ctx->measure_count;
}
