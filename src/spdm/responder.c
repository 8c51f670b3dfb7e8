/* SPDX-License-Identifier: BSD-2-Clause */
/* The responder's engine: one table of requests, and where and when each may come. */
#include "spdm/responder.h"

#include "image/image.h"

#include <errno.h>
#include <openssl/err.h>

enum { RSP_CLEAR = 1, RSP_HANDSHAKE = 2, RSP_SESSION = 4 };
/* What a request does to transcripts other than its own. */
enum { RSP_DROPS_CHALLENGE = 1, RSP_KEEPS_MEASURE = 2 };

static const struct rsp_row {
	uint8_t code;
	uint8_t connection; /* enum spdm_connection it needs; SPDM_CONNECTIONS: any */
	uint8_t where;
	uint8_t effects;
	int (*handle)(struct rsp_call *call);
} requests[] = {
	{SPDM_GET_VERSION, SPDM_CONNECTIONS, RSP_CLEAR, 0, rsp_version},
	{SPDM_GET_CAPABILITIES, SPDM_AT_VERSION, RSP_CLEAR, 0, rsp_capabilities},
	{SPDM_NEGOTIATE_ALGORITHMS, SPDM_AT_CAPABILITIES, RSP_CLEAR, 0, rsp_algorithms},
	{SPDM_GET_DIGESTS, SPDM_AT_ALGORITHMS, RSP_CLEAR | RSP_SESSION, 0, rsp_digests},
	{SPDM_GET_CERTIFICATE, SPDM_AT_ALGORITHMS, RSP_CLEAR | RSP_SESSION, 0, rsp_certificate},
	{SPDM_CHALLENGE, SPDM_AT_ALGORITHMS, RSP_CLEAR, 0, rsp_challenge},
	{SPDM_GET_MEASUREMENTS, SPDM_AT_ALGORITHMS, RSP_CLEAR | RSP_SESSION,
		RSP_DROPS_CHALLENGE | RSP_KEEPS_MEASURE, rsp_measurements},
	{SPDM_KEY_EXCHANGE, SPDM_AT_ALGORITHMS, RSP_CLEAR, RSP_DROPS_CHALLENGE, rsp_key_exchange},
	{SPDM_FINISH, SPDM_AT_ALGORITHMS, RSP_CLEAR | RSP_HANDSHAKE, RSP_DROPS_CHALLENGE,
		rsp_finish},
	{SPDM_HEARTBEAT, SPDM_AT_ALGORITHMS, RSP_SESSION, RSP_DROPS_CHALLENGE, rsp_heartbeat},
	{SPDM_KEY_UPDATE, SPDM_AT_ALGORITHMS, RSP_SESSION, RSP_DROPS_CHALLENGE, rsp_key_update},
	{SPDM_END_SESSION, SPDM_AT_ALGORITHMS, RSP_SESSION, RSP_DROPS_CHALLENGE, rsp_end},
	{SPDM_VENDOR_DEFINED_REQUEST, SPDM_AT_ALGORITHMS, RSP_SESSION, 0, rsp_vendor},
};

size_t spdm_responder_size(void)
{
	return sizeof(struct spdm_responder);
}

void spdm_responder_init(struct spdm_responder *ctx)
{
	memset(ctx, 0, sizeof(*ctx));
	ctx->offer = spdm_offer_all;
}

void spdm_responder_allow_clear_handshake(struct spdm_responder *ctx, bool allow)
{
	ctx->allow_clear = allow;
}

void spdm_responder_offer(struct spdm_responder *ctx, const struct spdm_offer *offer)
{
	ctx->offer = *offer;
}

void rsp_session_end(struct spdm_responder *ctx, const struct spdm_responder_ops *ops, void *owner)
{
	uint32_t id = spdm_responder_session_id(ctx);

	spdm_session_end(&ctx->session);
	if (id && ops && ops->session_ended)
		ops->session_ended(owner, id);
}

void rsp_connection_reset(
	struct spdm_responder *ctx, const struct spdm_responder_ops *ops, void *owner)
{
	for (int part = 0; part < SPDM_PARTS; part++)
		spdm_transcript_reset(&ctx->transcript, (enum spdm_transcript_part)part);
	ctx->connection = SPDM_AT_START;
	ctx->can_exchange = false;
	ctx->can_measure = false;
	ctx->peer_flags = 0;
	ctx->peer_transfer = 0;
	ctx->transcript.suite = (struct spdm_suite){0};
	do
		rsp_session_end(ctx, ops, owner);
	while (spdm_session_use_phase(&ctx->session, ctx->parked, SPDM_PHASE_OPEN) ||
		spdm_session_use_phase(&ctx->session, ctx->parked, SPDM_PHASE_HANDSHAKE));
}

void spdm_responder_reset(
	struct spdm_responder *ctx, const struct spdm_responder_ops *ops, void *owner)
{
	bool lost = ctx->connection != SPDM_AT_START;

	rsp_connection_reset(ctx, ops, owner);
	if (lost)
		ctx->connection = SPDM_AT_LOST;
}

uint32_t spdm_responder_session_id(const struct spdm_responder *ctx)
{
	return ctx->session.phase == SPDM_PHASE_OPEN ? ctx->session.id : 0;
}

size_t rsp_most(const struct spdm_responder *ctx)
{
	return ctx->peer_transfer && ctx->peer_transfer < SPDM_MAX_MESSAGE ? ctx->peer_transfer
									   : SPDM_MAX_MESSAGE;
}

/* An image may come from a file of somebody else's making. */
static bool context_sane(const struct spdm_responder *ctx)
{
	return ctx->connection < SPDM_CONNECTIONS && ctx->put_off_len <= sizeof(ctx->put_off) &&
	       spdm_sessions_sane(&ctx->session, ctx->parked) &&
	       spdm_transcript_sane(&ctx->transcript);
}

static const struct rsp_row *request_row(uint8_t code)
{
	for (size_t i = 0; i < sizeof(requests) / sizeof(*requests); i++)
		if (requests[i].code == code)
			return &requests[i];
	return NULL;
}

static void error_put(struct rsp_call *call, uint8_t error, uint8_t data, uint8_t version)
{
	call->w.at = 0;
	call->w.bad = false;
	put_u8(&call->w, version);
	put_u8(&call->w, SPDM_ERROR);
	put_u8(&call->w, error);
	put_u8(&call->w, data);
}

/* The version is the requester's choice with GET_CAPABILITIES, and stands from then on. */
static bool version_fits(const struct spdm_responder *ctx, uint8_t code, uint8_t version)
{
	if (code == SPDM_GET_VERSION)
		return version == SPDM_VERSION_10;
	if (ctx->connection < SPDM_AT_CAPABILITIES)
		return spdm_version_of(version, ctx->offer.versions) >= 0;
	return version == spdm_suite_header(&ctx->transcript.suite);
}

/* Whether a request may come now and here: 0 or an SPDM error code. */
static int request_admit(const struct rsp_call *call, const struct rsp_row *row, uint8_t version)
{
	const struct spdm_session *s = &call->ctx->session;
	uint8_t here = RSP_CLEAR;

	if (call->ctx->connection == SPDM_AT_LOST && row->code != SPDM_GET_VERSION)
		return SPDM_ERROR_REQUEST_RESYNCH;
	if (!version_fits(call->ctx, row->code, version))
		return SPDM_ERROR_VERSION_MISMATCH;
	if (call->secured)
		here = s->phase == SPDM_PHASE_OPEN ? RSP_SESSION : RSP_HANDSHAKE;
	if (row->connection != SPDM_CONNECTIONS && row->connection != call->ctx->connection)
		return SPDM_ERROR_UNEXPECTED_REQUEST;
	if (!(row->where & here))
		return call->secured ? SPDM_ERROR_UNEXPECTED_REQUEST : SPDM_ERROR_SESSION_REQUIRED;
	if (s->updating && call->secured && row->code != SPDM_KEY_UPDATE)
		return SPDM_ERROR_UNEXPECTED_REQUEST;
	return 0;
}

/* Errors bear the version agreed on; before there is one, the request's, if we have it. */
static uint8_t error_version(const struct rsp_call *call, uint8_t version, uint8_t code)
{
	if (code == SPDM_GET_VERSION)
		return SPDM_VERSION_10;
	if (call->ctx->connection >= SPDM_AT_CAPABILITIES)
		return spdm_suite_header(&call->ctx->transcript.suite);
	return spdm_version_of(version, call->ctx->offer.versions) >= 0 ? version : SPDM_VERSION_10;
}

/* -- answers that take their time ------------------------------------------------------------ */

void spdm_responder_put_off(struct spdm_responder *ctx, uint8_t busy, uint8_t not_ready)
{
	ctx->busy = busy;
	ctx->not_ready = not_ready;
}

/* Whether this request is put off: 0, or the SPDM error code that says so. Any request but the one
 * that asks for it makes us forget an earlier one. */
static int put_off(struct rsp_call *call, const struct rsp_row *row)
{
	struct spdm_responder *ctx = call->ctx;

	ctx->put_off_len = 0;
	if (row->connection != SPDM_AT_ALGORITHMS || row->code == SPDM_KEY_UPDATE)
		return 0;
	if (ctx->busy) {
		ctx->busy--;
		return SPDM_ERROR_BUSY;
	}
	if (!ctx->not_ready || call->r.len > sizeof(ctx->put_off))
		return 0;
	ctx->not_ready--;
	ctx->token++;
	ctx->put_off_session = call->secured ? ctx->session.id : 0;
	ctx->put_off_len = (uint32_t)call->r.len;
	memcpy(ctx->put_off, call->r.p, call->r.len);
	return SPDM_ERROR_RESPONSE_NOT_READY;
}

/* The request put off becomes the one that is handled: 0 or an SPDM error code. */
static int put_off_resume(struct rsp_call *call, uint8_t version)
{
	struct spdm_responder *ctx = call->ctx;

	if (version != spdm_suite_header(&ctx->transcript.suite))
		return SPDM_ERROR_VERSION_MISMATCH;
	if (!rsp_call_end(call) || !ctx->put_off_len || call->param1 != ctx->put_off[1] ||
		call->param2 != ctx->token ||
		ctx->put_off_session != (call->secured ? ctx->session.id : 0))
		return SPDM_ERROR_UNEXPECTED_REQUEST;
	call->r = reader_of(call->put_off, ctx->put_off_len);
	memcpy(call->put_off, ctx->put_off, ctx->put_off_len);
	ctx->put_off_len = 0;
	return 0;
}

static void not_ready_put(struct rsp_call *call, uint8_t code)
{
	put_u8(&call->w, SPDM_RDT_EXPONENT);
	put_u8(&call->w, code);
	put_u8(&call->w, call->ctx->token);
	put_u8(&call->w, SPDM_RDT_MULTIPLE);
}

/* One plain request to one plain answer. 0 or -ENOMSG. */
static int request_handle(struct rsp_call *call)
{
	struct spdm_transcript *t = &call->ctx->transcript;
	uint8_t version = get_u8(&call->r), code = get_u8(&call->r);
	const struct rsp_row *row = request_row(code);
	int rc;

	call->version = version;
	call->param1 = get_u8(&call->r);
	call->param2 = get_u8(&call->r);
	if (!call->r.bad && code == SPDM_VENDOR_DEFINED_REQUEST && !call->secured)
		return -ENOMSG;
	if (!row || !(row->effects & RSP_KEEPS_MEASURE))
		spdm_transcript_reset(t, SPDM_PART_MEASURE);
	if (code == SPDM_RESPOND_IF_READY && !call->r.bad) {
		rc = put_off_resume(call, version);
		if (!rc)
			return request_handle(call);
	} else if (call->r.bad)
		rc = SPDM_ERROR_INVALID_REQUEST;
	else if (call->r.len > SPDM_MAX_MESSAGE + SPDM_PADDING)
		rc = SPDM_ERROR_REQUEST_TOO_LARGE;
	else if (!row)
		rc = SPDM_ERROR_UNSUPPORTED_REQUEST;
	else
		rc = request_admit(call, row, version);
	if (!rc)
		rc = put_off(call, row);
	if (!rc) {
		if (row->effects & RSP_DROPS_CHALLENGE)
			spdm_transcript_reset(t, SPDM_PART_CHAIN);
		rc = row->handle(call);
	}
	if (rc < 0)
		return -ENOMSG;
	if (!rc && call->w.bad)
		rc = SPDM_ERROR_RESPONSE_TOO_LARGE;
	if (rc)
		error_put(call, (uint8_t)rc, rc == SPDM_ERROR_UNSUPPORTED_REQUEST ? code : 0,
			error_version(call, version, code));
	if (rc == SPDM_ERROR_RESPONSE_NOT_READY)
		not_ready_put(call, code);
	return 0;
}

static void clear_send(const struct rsp_call *call, struct spdm_wire *out)
{
	memcpy(out->data, call->w.p, call->w.at);
	out->len = call->w.at;
	out->doe_type = SPDM_DOE_CLEAR;
}

/* Opens a record into plain. 0, or an SPDM error code to be told in the clear. */
static int session_open(
	struct rsp_call *call, const struct spdm_wire *in, uint8_t *plain, size_t *len)
{
	struct spdm_session *s = &call->ctx->session;
	uint32_t id;
	int rc = spdm_record_session(in, &id);

	if (rc || !spdm_session_use(s, call->ctx->parked, id))
		return SPDM_ERROR_INVALID_SESSION;
	rc = spdm_record_open(&s->keys[SPDM_SIDE_REQUESTER], in, plain, len);
	if (rc == -EACCES && s->updating) {
		rc = spdm_record_open(&s->old, in, plain, len);
		call->old_keys = !rc;
	}
	if (!rc)
		return 0;
	rsp_session_end(call->ctx, call->ops, call->owner);
	return SPDM_ERROR_DECRYPT;
}

static int secured_handle(struct rsp_call *call, const struct spdm_wire *in, struct spdm_wire *out)
{
	struct spdm_session *s = &call->ctx->session;
	uint8_t plain[SPDM_MAX_MESSAGE];
	uint32_t id;
	size_t len = 0;
	int rc = session_open(call, in, plain, &len);

	if (rc) {
		error_put(call, (uint8_t)rc, 0, error_version(call, 0, 0));
		clear_send(call, out);
		return 0;
	}
	id = s->id;
	call->secured = true;
	call->r = reader_of(plain, len);
	rc = request_handle(call);
	spdm_cleanse(plain, sizeof(plain));
	if (!rc && (s->phase == SPDM_PHASE_NONE || s->id != id))
		rc = -ENOMSG; /* the owner ended the session while it answered */
	if (!rc && spdm_record_seal(call->seal.valid ? &call->seal : &s->keys[SPDM_SIDE_RESPONDER],
			   id, call->w.p, call->w.at, out))
		rc = -ENOMSG;
	spdm_cleanse(&call->seal, sizeof(call->seal));
	if (call->ends_session)
		rsp_session_end(call->ctx, call->ops, call->owner);
	return rc;
}

static int clear_handle(struct rsp_call *call, const struct spdm_wire *in, struct spdm_wire *out)
{
	uint8_t request[SPDM_MAX_WIRE]; /* in and out may be one buffer */
	int rc;

	memcpy(request, in->data, in->len);
	call->r = reader_of(request, in->len);
	rc = request_handle(call);
	if (!rc)
		clear_send(call, out);
	if (call->ends_session)
		rsp_session_end(call->ctx, call->ops, call->owner);
	return rc;
}

int spdm_responder_handle(struct spdm_responder *ctx, const struct spdm_identity *identity,
	const struct spdm_responder_ops *ops, void *owner, const struct spdm_wire *in,
	struct spdm_wire *out)
{
	uint8_t answer[SPDM_MAX_MESSAGE];
	struct rsp_call call = {.ctx = ctx, .identity = identity, .ops = ops, .owner = owner};
	int rc = -ENOMSG;

	if (!image_present())
		return -ENODEV;
	if (!context_sane(ctx))
		return -EUCLEAN;
	if (in->len > sizeof(in->data))
		return -ENOMSG;
	call.w = writer_of(answer, rsp_most(ctx));
	ERR_set_mark();
	if (in->doe_type == SPDM_DOE_CLEAR)
		rc = clear_handle(&call, in, out);
	else if (in->doe_type == SPDM_DOE_SECURED)
		rc = secured_handle(&call, in, out);
	ERR_pop_to_mark();
	spdm_cleanse(answer, sizeof(answer));
	return rc;
}
