/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SPDM 1.2 and 1.3 (DSP0274), secured messages (DSP0277) over DOE: both ends. A context is plain
 * bytes that its owner keeps in the image (no pointer, no libcrypto object inside); libcrypto is
 * used through a library context of our own whose random numbers come from image_random().
 *
 * Used by firmware (requester) and device (responder); this room knows neither.
 */
#ifndef SWTIO_SPDM_SPDM_H
#define SWTIO_SPDM_SPDM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SPDM_MAX_MESSAGE 4608u		/* DataTransferSize 0x1200 */
#define SPDM_MAX_WIRE (SPDM_MAX_MESSAGE + 24)	/* with session id, lengths and tag of a record */
/* Room for the longest; SHA-256 and P-256 take less. */
#define SPDM_HASH 48u			/* SHA-384 */
#define SPDM_SIG 96u			/* ECDSA P-384, r||s */
#define SPDM_DHE 96u			/* secp384r1, X||Y */
#define SPDM_SESSIONS 4u		/* of one connection at once */

enum spdm_version_id { SPDM_V12, SPDM_V13, SPDM_VERSIONS };
enum spdm_hash_id { SPDM_SHA384, SPDM_SHA256, SPDM_HASHES };
enum spdm_curve_id { SPDM_P384, SPDM_P256, SPDM_CURVES };
/* What an end is willing to agree on: a bit (1 << id) each. All of it after init. */
struct spdm_offer { uint8_t versions, hashes, asyms, dhes; };
extern const struct spdm_offer spdm_offer_all;
/* What was agreed on, as ids of above. */
struct spdm_agreement { uint8_t version, hash, asym, dhe; uint32_t peer_flags; };

struct spdm_requester;		/* opaque, spdm_requester_size() bytes, no pointers inside */
struct spdm_responder;
size_t spdm_requester_size(void);
size_t spdm_responder_size(void);

/* One message ready to go to, or come from, the wire: DOE object type 1 (clear) or 2 (secured). */
struct spdm_wire { uint8_t doe_type; size_t len; uint8_t data[SPDM_MAX_WIRE]; };

/* -- requester: a step machine. Each operation is started, then _next() yields messages to send and
 * takes the answers until it is done. All state is in the context, so it may be left at any message
 * and taken up by another process. */
enum spdm_op {
	SPDM_OP_NONE,
	SPDM_OP_CONNECT,	/* GET_VERSION .. certificates .. KEY_EXCHANGE, FINISH */
	SPDM_OP_MEASURE,	/* GET_MEASUREMENTS, in the session if there is one */
	SPDM_OP_VENDOR,		/* one PCI-SIG vendor-defined request; by spdm_requester_vendor() */
	SPDM_OP_HEARTBEAT,
	SPDM_OP_KEY_UPDATE,
	SPDM_OP_END,		/* END_SESSION */
	SPDM_OP_CHALLENGE,	/* GET_VERSION .. certificates, CHALLENGE; no session */
	SPDM_OP_SESSION,	/* KEY_EXCHANGE, FINISH: one session more on the connection */
	SPDM_OP_IDENTIFY,	/* GET_VERSION .. certificates, which somebody else verifies */
	SPDM_OP_MAX
};
/* An anchor longer than 2048 bytes is none: no chain will verify. */
void spdm_requester_init(struct spdm_requester *ctx, const uint8_t *trust_anchor_der, size_t len);
/* Without an anchor: take the self-signed root the chain brings along. For a requester whose user
 * judges the chain himself, as a TD judges what the TDX module passes on. */
void spdm_requester_trust_own_root(struct spdm_requester *ctx, bool trust);
/* The key, X || Y, by which signatures are verified from now on, whatever the chain says. For a
 * requester whose user has verified the chain (chain.h). 0, or -EINVAL: it does not fit what was
 * agreed on. */
int spdm_requester_peer_key(struct spdm_requester *ctx, const uint8_t *point, size_t len);
/* Both ends' choice to offer HANDSHAKE_IN_THE_CLEAR: FINISH travels unencrypted when both do. Off
 * after init. */
void spdm_requester_allow_clear_handshake(struct spdm_requester *ctx, bool allow);
void spdm_requester_offer(struct spdm_requester *ctx, const struct spdm_offer *offer);
/* What the peer chose; all zero before there is a connection. */
void spdm_requester_agreement(const struct spdm_requester *ctx, struct spdm_agreement *agreed);
/* Of several sessions the one that operations are in from now on; 0, or -ENOENT. */
int spdm_requester_use(struct spdm_requester *ctx, uint32_t session);
/* 0; -EINVAL: it needs a session, or (MEASURE, SESSION) a connection; -EOPNOTSUPP: the device lacks
 * it; -ENOSPC: SPDM_SESSIONS of them are open. What
 * was under way is dropped; a session with it, when an answer in it was outstanding (the two ends
 * no longer agree on sequence numbers). */
int spdm_requester_start(struct spdm_requester *ctx, enum spdm_op op);
/* What SPDM_OP_MEASURE asks: 0 the count, 1..0xfe one index, 0xff all (as after init); signed (as
 * after init) or not. */
void spdm_requester_measure(struct spdm_requester *ctx, uint8_t operation, bool sign);
/* Starts SPDM_OP_VENDOR with a protocol id (0 IDE_KM, 1 TDISP) and body; 0 or -EINVAL (no session,
 * too long). */
int spdm_requester_vendor(struct spdm_requester *ctx, uint8_t protocol, const void *body,
			  size_t len);
/* Feeds `in` (NULL at the first call of an operation) and returns 1: send *out, 0: the operation
 * is done, or -EPROTO/-EBADMSG (malformed), -EACCES (signature, chain or MAC wrong), -EREMOTEIO
 * (SPDM ERROR; code in spdm_requester_error), -EINVAL (no operation, or `in` out of turn), -ENODEV
 * (no image), -EIO (libcrypto), -EUCLEAN (damaged context). An error ends the operation; the
 * session outlives it only when the failing answer was authentic. */
int spdm_requester_next(struct spdm_requester *ctx, const struct spdm_wire *in,
			struct spdm_wire *out);
/* Microseconds to wait before what _next() gave is sent, when the device asked for time (Busy,
 * ResponseNotReady); it is asked again a bounded number of times. 0: none. */
uint32_t spdm_requester_delay(const struct spdm_requester *ctx);
uint8_t spdm_requester_error(const struct spdm_requester *ctx);
bool spdm_requester_session(const struct spdm_requester *ctx);
uint32_t spdm_requester_session_id(const struct spdm_requester *ctx);
/* Results of finished operations, pointers into the context: the vendor reply behind its protocol
 * id, the SPDM chain blob, the measurement blocks. */
const uint8_t *spdm_requester_vendor_reply(const struct spdm_requester *ctx, size_t *len);
const uint8_t *spdm_requester_chain(const struct spdm_requester *ctx, size_t *len);
const uint8_t *spdm_requester_measurements(const struct spdm_requester *ctx, size_t *len);
uint8_t spdm_requester_measurement_count(const struct spdm_requester *ctx);
int spdm_requester_digest(const uint8_t *data, size_t len, uint8_t out[SPDM_HASH]);
/* Random numbers for a requester's own keys (IDE keys), from libcrypto over image_random(). */
int spdm_random(void *buf, size_t len);

/* -- responder ------------------------------------------------------------------------------- */
struct spdm_measurement { uint8_t index, type; uint16_t len; const uint8_t *value; };
struct spdm_identity {		/* what the device owns; the bytes outlive the context's use */
	const uint8_t *chain;	/* DER certificates root..leaf */
	size_t chain_len;
	const uint8_t *key;	/* leaf private key, DER (SEC1 or PKCS#8) */
	size_t key_len;
	const struct spdm_measurement *measurements;
	size_t measurement_count;
};
struct spdm_responder_ops {	/* static table of the owner */
	/* A PCI-SIG vendor-defined request in session `session`; body after the protocol id.
	 * Returns the reply's length (>= 0), or -ENOMSG: no answer, or -EOPNOTSUPP: SPDM ERROR
	 * unsupported. */
	int (*vendor)(void *owner, uint32_t session, uint8_t protocol, const uint8_t *body,
		      size_t len, uint8_t *reply, size_t cap);
	void (*session_ended)(void *owner, uint32_t session);
};
void spdm_responder_init(struct spdm_responder *ctx);
void spdm_responder_allow_clear_handshake(struct spdm_responder *ctx, bool allow);
/* From the next GET_VERSION on. The signature algorithm is the one of the identity's key. */
void spdm_responder_offer(struct spdm_responder *ctx, const struct spdm_offer *offer);
/* Puts requests off: the next `busy` get ERROR Busy, then the next `not_ready` ResponseNotReady, to
 * be asked for with RESPOND_IF_READY. Those of the negotiation are answered at once. */
void spdm_responder_put_off(struct spdm_responder *ctx, uint8_t busy, uint8_t not_ready);
/* One request in, one answer out. 0, or -ENOMSG: answer nothing. Never fails on hostile input;
 * -ENODEV without an image, -EUCLEAN for a damaged context. A record in the session that is not
 * authentic ends the session, as DSP0277 asks. */
int spdm_responder_handle(struct spdm_responder *ctx, const struct spdm_identity *identity,
			  const struct spdm_responder_ops *ops, void *owner,
			  const struct spdm_wire *in, struct spdm_wire *out);
/* Conventional or function reset: connection and session are gone; session ids are not reused. */
void spdm_responder_reset(struct spdm_responder *ctx, const struct spdm_responder_ops *ops,
			  void *owner);
/* Of the session whose message came last; 0: none, or it is not open. */
uint32_t spdm_responder_session_id(const struct spdm_responder *ctx);

/* Who is told the secrets of sessions from now on, a line with its end each time keys change, or NULL:
 * nobody, as at first. Of this process. */
void spdm_keylog_set(void (*line)(const char *line));

/* Opens a record with keys that a key log has, as the sequence-th under them; 0 or -errno. */
int spdm_record_decode(const uint8_t key[32], const uint8_t iv[12], uint64_t sequence,
		       const struct spdm_wire *in, uint8_t message[SPDM_MAX_MESSAGE], size_t *len);

/* -- provisioning ----------------------------------------------------------------------------
 * With libcrypto's default context: no image is needed. */
struct spdm_file { const void *bytes; size_t len; };
struct spdm_identity_bytes {
	size_t chain_len, key_len;
	uint8_t chain[4096];	/* DER, root first */
	uint8_t key[512];	/* DER; the caller cleanses it */
};
/* A chain (PEM, root first or last; or DER, root first) and its leaf's key (PEM or DER). 0, or
 * -EINVAL and in `why` a sentence that says what is wrong with them. */
int spdm_identity_read(const struct spdm_file *chain, const struct spdm_file *key,
		       struct spdm_identity_bytes *out, char *why, size_t why_len);
/* The first certificate of a file, as DER: a trust anchor. *len in: capacity, out: length. 0 or
 * -EINVAL. */
int spdm_certificate_read(const struct spdm_file *file, uint8_t *der, size_t *len);
/* DER to PEM, for files; 0, -EINVAL, -ENOSPC. */
int spdm_chain_pem(const uint8_t *chain, size_t chain_len, char *out, size_t len);
int spdm_key_pem(const uint8_t *der, size_t der_len, char *out, size_t len);
struct spdm_certificate_info { char subject[128], issuer[128], from[16], to[16], key[24]; };
/* How many certificates there are; the first `room` are described. */
int spdm_chain_describe(const uint8_t *chain, size_t len, struct spdm_certificate_info *out,
			unsigned int room);

/* The DER length of the first certificate, or 0. */
size_t spdm_certificate_size(const uint8_t *der, size_t len);
/* Makes a chain (root, intermediate, leaf) and its leaf key with random numbers of the image; 0 or
 * -errno. Buffers are the caller's; *_len in: capacity, out: length. */
int spdm_make_identity(const char *name, enum spdm_curve_id curve, uint8_t *chain,
		       size_t *chain_len, uint8_t *key, size_t *key_len, uint8_t *anchor, size_t *anchor_len);

#endif
