/* SPDX-License-Identifier: BSD-2-Clause */
/* The requester's step machine and the messages its rows are made of. Internal to this room. */
#ifndef SWTIO_SPDM_REQUESTER_H
#define SWTIO_SPDM_REQUESTER_H

#include "spdm/context.h"

enum req_step {
	REQ_DONE, REQ_VERSION, REQ_CAPABILITIES, REQ_ALGORITHMS, REQ_DIGESTS, REQ_CERTIFICATE,
	REQ_CHALLENGE, REQ_KEY_EXCHANGE, REQ_FINISH, REQ_MEASURE, REQ_VENDOR, REQ_HEARTBEAT,
	REQ_KEY_UPDATE, REQ_KEY_VERIFY, REQ_END, REQ_STEPS
};

/* An answer: header read, error answers sorted out, r at the body. */
struct req_answer {
	struct reader r;
	uint8_t param1, param2;
	bool secured;
};

/* The whole of a message was read, but for what DOE may pad it with. */
static inline bool req_answer_end(const struct req_answer *a)
{
	return !a->r.bad && reader_left(&a->r) <= (a->secured ? 0 : SPDM_PADDING);
}

/* Appends the answer up to where it was read. */
static inline void req_answer_note(struct spdm_requester *ctx, const struct req_answer *a,
				   enum spdm_transcript_part part)
{
	spdm_transcript_add(&ctx->transcript, part, a->r.p, a->r.at);
}

/* Ends the session in use and all others. */
void req_sessions_end(struct spdm_requester *ctx);
/* The key of the chain in the context, which the caller frees, if the chain is good. */
int req_chain_verify(const struct spdm_requester *ctx, EVP_PKEY **leaf);
/* A signature by that key over one transcript. */
int req_signature_check(const struct spdm_requester *ctx, enum spdm_purpose purpose,
			enum spdm_transcript_part part, const uint8_t *signature);

/* A step builds its request, and takes the answer: the next step, or -errno. */
#define REQ_STEP(name) \
	int req_##name##_build(struct spdm_requester *ctx, struct writer *w); \
	int req_##name##_take(struct spdm_requester *ctx, struct req_answer *a)
/* req_connect.c */
REQ_STEP(version);
REQ_STEP(capabilities);
REQ_STEP(algorithms);
REQ_STEP(digests);
REQ_STEP(certificate);
/* req_exchange.c */
REQ_STEP(key_exchange);
REQ_STEP(finish);
/* req_measure.c */
REQ_STEP(challenge);
REQ_STEP(measure);
/* req_session.c */
REQ_STEP(vendor);
REQ_STEP(heartbeat);
REQ_STEP(key_update);
REQ_STEP(key_verify);
REQ_STEP(end);
#undef REQ_STEP

/* Starts a request. */
static inline void req_header(const struct spdm_requester *ctx, struct writer *w, uint8_t code,
			      uint8_t param1, uint8_t param2)
{
	put_u8(w, code == SPDM_GET_VERSION ? SPDM_VERSION_10
					   : spdm_suite_header(&ctx->transcript.suite));
	put_u8(w, code);
	put_u8(w, param1);
	put_u8(w, param2);
}

#endif
