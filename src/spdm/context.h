/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The contexts of both ends and what they are made of: plain bytes, since they live in the image.
 * libcrypto's running hashes are not, so transcripts are kept as the messages themselves.
 */
#ifndef SWTIO_SPDM_CONTEXT_H
#define SWTIO_SPDM_CONTEXT_H

#include "image/bytes.h"
#include "spdm/crypto.h"
#include "spdm/message.h"
#include "spdm/spdm.h"

#define SPDM_CHAIN_MAX 6144u		/* longest chain blob, ours or the peer's */
#define SPDM_ANCHOR_MAX 2048u
#define SPDM_CHAIN_HEADER 4u		/* and the hash of the root */
#define SPDM_RECORD_HEADER 6u		/* session id, length: the associated data */
#define SPDM_RECORD_LENGTH 2u		/* of the application data, inside */
#define SPDM_PADDING 3u			/* zero bytes DOE may add behind an object */

/* -- transcripts (transcript.c) -------------------------------------------------------------- */
enum spdm_transcript_part {
	SPDM_PART_VCA,		/* version, capabilities, algorithms */
	SPDM_PART_CHAIN,	/* M1 after VCA: digests, certificates, then challenge */
	SPDM_PART_MEASURE,	/* L1 after VCA */
	SPDM_PART_KEYS,		/* TH after VCA and chain hash: key exchange, finish */
	SPDM_PARTS
};

struct spdm_transcript {
	struct spdm_suite suite;	/* of the connection */
	uint32_t len[SPDM_PARTS];	/* above the capacity: overflowed, until reset */
	uint8_t chain_hash[SPDM_HASH];
	uint8_t vca[1024];
	uint8_t attest[6144];		/* CHAIN or MEASURE: each forgets the other */
	uint8_t keys[3072];
};

bool spdm_transcript_sane(const struct spdm_transcript *t);
void spdm_transcript_reset(struct spdm_transcript *t, enum spdm_transcript_part part);
void spdm_transcript_add(struct spdm_transcript *t, enum spdm_transcript_part part,
			 const void *data, size_t len);
/* The hash of VCA, the chain hash when part is KEYS, and part; -EMSGSIZE when it overflowed. */
int spdm_transcript_hash(const struct spdm_transcript *t, enum spdm_transcript_part part,
			 uint8_t out[SPDM_HASH]);

/* -- sessions (session.c) -------------------------------------------------------------------- */
enum spdm_phase { SPDM_PHASE_NONE, SPDM_PHASE_HANDSHAKE, SPDM_PHASE_OPEN, SPDM_PHASES };
enum spdm_side { SPDM_SIDE_REQUESTER, SPDM_SIDE_RESPONDER, SPDM_SIDES };

struct spdm_keys {			/* of one direction */
	uint64_t sequence;		/* of the next record */
	uint8_t secret[SPDM_HASH];
	uint8_t key[SPDM_KEY];
	uint8_t iv[SPDM_IV];
	uint32_t valid;
};

struct spdm_session {
	struct spdm_suite suite;
	uint32_t id;			/* responder's half << 16 | requester's */
	uint8_t phase;			/* enum spdm_phase */
	uint8_t in_clear;		/* FINISH travels outside the session */
	uint8_t updating;		/* KEY_UPDATE operation awaiting its VERIFY_NEW_KEY */
	uint8_t update_tag;
	uint8_t handshake_secret[SPDM_HASH];
	uint8_t finished[SPDM_SIDES][SPDM_HASH];
	struct spdm_keys keys[SPDM_SIDES];	/* by the side that sends with them */
	struct spdm_keys old;		/* of the receiving direction, while updating */
};

/* After the signature of KEY_EXCHANGE_RSP is in the transcript: handshake keys. */
int spdm_session_handshake(struct spdm_session *s, const struct spdm_transcript *t,
			   const uint8_t shared[SPDM_SCALAR]);
/* The HMAC of the transcript so far with one side's finished key. */
int spdm_session_finished(const struct spdm_session *s, const struct spdm_transcript *t,
			  enum spdm_side side, uint8_t out[SPDM_HASH]);
/* After FINISH_RSP is in the transcript: application keys; the handshake's secrets are gone. */
int spdm_session_open(struct spdm_session *s, const struct spdm_transcript *t);
int spdm_session_update(struct spdm_session *s, enum spdm_side side);
void spdm_session_end(struct spdm_session *s);
bool spdm_sessions_sane(const struct spdm_session *used,
			const struct spdm_session parked[SPDM_SESSIONS - 1]);
/* Of the session in use and the parked ones: takes into use the one named, or the first of a phase,
 * in exchange for the other; false: there is none. */
bool spdm_session_use(struct spdm_session *used, struct spdm_session parked[SPDM_SESSIONS - 1],
		      uint32_t id);
bool spdm_session_use_phase(struct spdm_session *used,
			    struct spdm_session parked[SPDM_SESSIONS - 1], enum spdm_phase phase);

/* -- secured records (record.c) -------------------------------------------------------------- */
/* Seals message into *out and counts the sequence number on. */
int spdm_record_seal(struct spdm_keys *keys, uint32_t session, const uint8_t *message, size_t len,
		     struct spdm_wire *out);
/* The session a record names; -EBADMSG when it is too short to name one. */
int spdm_record_session(const struct spdm_wire *in, uint32_t *session);
/* Opens a record into message (SPDM_MAX_MESSAGE bytes). -EBADMSG malformed, -EACCES not authentic;
 * the sequence number counts on in success only. */
int spdm_record_open(struct spdm_keys *keys, const struct spdm_wire *in, uint8_t *message,
		     size_t *len);

/* -- secured-message opaque data (opaque.c) --------------------------------------------------- */
void spdm_opaque_put_supported(struct writer *w);
void spdm_opaque_put_selection(struct writer *w, uint16_t version);
/* The highest version of ours the peer offers, or, in a selection, has chosen; 0: none. */
uint16_t spdm_opaque_version(const uint8_t *opaque, size_t len, uint8_t element);

/* -- the two contexts ------------------------------------------------------------------------ */
struct spdm_requester {
	uint8_t op;			/* enum spdm_op */
	uint8_t step;			/* enum req_step: what is to be sent, or was sent */
	uint8_t sent;			/* the answer to `step` is outstanding */
	uint8_t error;			/* of the last SPDM ERROR */
	uint8_t connected;		/* algorithms are agreed on */
	uint8_t chain_good;		/* and the chain is here and verified */
	uint8_t own_root;		/* no anchor: the chain's own root will do */
	uint8_t has_key;		/* peer_key stands for the chain's */
	uint8_t allow_clear;		/* offers HANDSHAKE_IN_THE_CLEAR */
	uint8_t vendor_protocol;
	uint8_t measure_op, measure_sign, measure_count;
	uint8_t update_tag;
	struct spdm_offer offer;
	uint8_t tries;			/* of the step, that the device was not ready for */
	uint8_t waiting;		/* RESPOND_IF_READY is what goes next */
	uint8_t sent_code, token;	/* of what it is about */
	uint8_t delay;			/* exponent of the microseconds to wait first; 0: none */
	uint16_t next_session;		/* our half of the next session id */
	uint16_t portion;		/* certificate bytes asked at once */
	uint32_t peer_flags, peer_transfer;
	uint32_t anchor_len, chain_len, message_len, record_len;
	uint8_t scalar[SPDM_SCALAR], point[SPDM_DHE];
	uint8_t digest[SPDM_HASH];	/* of slot 0, as DIGESTS said */
	uint32_t before[SPDM_PARTS];	/* lengths of the transcript before the request */
	struct spdm_session session;	/* that operations are in */
	struct spdm_session parked[SPDM_SESSIONS - 1];
	uint8_t peer_key[SPDM_DHE];
	uint8_t anchor[SPDM_ANCHOR_MAX];
	uint8_t chain[SPDM_CHAIN_MAX];
	uint8_t message[SPDM_MAX_MESSAGE];	/* vendor body to send, then the reply's */
	uint8_t record[SPDM_MAX_MESSAGE];	/* measurement record */
	struct spdm_transcript transcript;
};

/* LOST: there was one, and a reset took it. */
enum spdm_connection {
	SPDM_AT_START, SPDM_AT_LOST, SPDM_AT_VERSION, SPDM_AT_CAPABILITIES, SPDM_AT_ALGORITHMS,
	SPDM_CONNECTIONS
};

struct spdm_responder {
	uint8_t connection;		/* enum spdm_connection: the last message of VCA answered */
	uint8_t allow_clear;
	uint8_t can_exchange;		/* what KEY_EXCHANGE needs was agreed on */
	uint8_t can_measure;
	struct spdm_offer offer;
	uint16_t next_session;
	uint16_t pad;
	uint32_t peer_flags, peer_transfer;
	uint8_t busy, not_ready;	/* so many requests more are put off */
	uint8_t token;			/* of the request put off last */
	uint32_t put_off_session;	/* where it came; 0: in the clear */
	uint32_t put_off_len;		/* 0: none */
	uint8_t put_off[SPDM_MAX_MESSAGE];
	uint32_t measure_session;	/* whose measurements the transcript holds; 0: outside */
	struct spdm_session session;	/* of the last message */
	struct spdm_session parked[SPDM_SESSIONS - 1];
	struct spdm_transcript transcript;
};

#endif
