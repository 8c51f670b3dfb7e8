/* SPDX-License-Identifier: BSD-2-Clause */
/* One request on its way through the responder. Internal to this room. */
#ifndef SWTIO_SPDM_RESPONDER_H
#define SWTIO_SPDM_RESPONDER_H

#include "spdm/context.h"

struct rsp_call {
	uint8_t version;		/* of the request's header */
	struct spdm_responder *ctx;
	const struct spdm_identity *identity;
	const struct spdm_responder_ops *ops;
	void *owner;
	struct reader r;		/* the request, header read */
	struct writer w;		/* the answer, header to be written */
	uint8_t param1, param2;
	bool secured;			/* came in the session */
	bool old_keys;			/* under keys that KEY_UPDATE already replaced */
	bool ends_session;		/* once the answer is sealed */
	struct spdm_keys seal;		/* for the answer, when not the session's own */
	uint8_t put_off[SPDM_MAX_MESSAGE];	/* the request of earlier, taken up again */
};

/* Whole request read, but for what DOE may pad it with. */
static inline bool rsp_call_end(const struct rsp_call *call)
{
	return !call->r.bad && reader_left(&call->r) <= (call->secured ? 0 : SPDM_PADDING);
}

static inline void rsp_header(struct rsp_call *call, uint8_t code, uint8_t param1, uint8_t param2)
{
	put_u8(&call->w, code == SPDM_VERSION ? SPDM_VERSION_10
					      : spdm_suite_header(&call->ctx->transcript.suite));
	put_u8(&call->w, code);
	put_u8(&call->w, param1);
	put_u8(&call->w, param2);
}

/* Notes the request as far as read, and the answer as far as written; 0 or an SPDM error code. */
static inline int rsp_note(struct rsp_call *call, enum spdm_transcript_part part)
{
	if (call->w.bad)
		return SPDM_ERROR_RESPONSE_TOO_LARGE;
	spdm_transcript_add(&call->ctx->transcript, part, call->r.p, call->r.at);
	spdm_transcript_add(&call->ctx->transcript, part, call->w.p, call->w.at);
	return 0;
}

/* The most bytes an answer may have. */
size_t rsp_most(const struct spdm_responder *ctx);
/* Ends the session, telling the owner when it had been open. */
void rsp_session_end(struct spdm_responder *ctx, const struct spdm_responder_ops *ops, void *owner);
void rsp_connection_reset(struct spdm_responder *ctx, const struct spdm_responder_ops *ops,
			  void *owner);
/* The chain blob into out (SPDM_CHAIN_MAX bytes): its length, or 0; and its hash. */
size_t rsp_chain_blob(const struct spdm_suite *suite, const struct spdm_identity *identity,
		      uint8_t *out);
int rsp_chain_hash(const struct rsp_call *call, uint8_t out[SPDM_HASH]);
/* One measurement block, and the hash of those a summary type covers. */
void rsp_block_put(struct writer *w, const struct spdm_measurement *m);
int rsp_summary_put(struct rsp_call *call, uint8_t type);
/* Signs a transcript into the answer; 0 or an SPDM error code. */
int rsp_sign_put(struct rsp_call *call, enum spdm_purpose purpose, enum spdm_transcript_part part);

/* Handlers: 0, an SPDM error code, or -ENOMSG. */
int rsp_version(struct rsp_call *call);
int rsp_capabilities(struct rsp_call *call);
int rsp_algorithms(struct rsp_call *call);
int rsp_digests(struct rsp_call *call);
int rsp_certificate(struct rsp_call *call);
int rsp_challenge(struct rsp_call *call);
int rsp_measurements(struct rsp_call *call);
int rsp_key_exchange(struct rsp_call *call);
int rsp_finish(struct rsp_call *call);
int rsp_heartbeat(struct rsp_call *call);
int rsp_key_update(struct rsp_call *call);
int rsp_end(struct rsp_call *call);
int rsp_vendor(struct rsp_call *call);

#endif
