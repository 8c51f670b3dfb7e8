/* SPDX-License-Identifier: BSD-2-Clause */
/* GET_VERSION, GET_CAPABILITIES, NEGOTIATE_ALGORITHMS, GET_DIGESTS, GET_CERTIFICATE. */
#include "spdm/requester.h"

#include <errno.h>

/* Requests of the negotiation are part of the transcript as they leave. */
static int vca_note(struct spdm_requester *ctx, const struct writer *w)
{
	spdm_transcript_add(&ctx->transcript, SPDM_PART_VCA, w->p, w->at);
	return 0;
}

int req_version_build(struct spdm_requester *ctx, struct writer *w)
{
	for (int part = 0; part < SPDM_PARTS; part++)
		spdm_transcript_reset(&ctx->transcript, (enum spdm_transcript_part)part);
	req_sessions_end(ctx);
	ctx->connected = false;
	ctx->chain_good = false;
	ctx->transcript.suite = (struct spdm_suite){0};
	ctx->chain_len = 0;
	ctx->peer_flags = 0;
	ctx->peer_transfer = 0;
	req_header(ctx, w, SPDM_GET_VERSION, 0, 0);
	return vca_note(ctx, w);
}

int req_version_take(struct spdm_requester *ctx, struct req_answer *a)
{
	int best = -1;
	unsigned int count;

	get_u8(&a->r);
	count = get_u8(&a->r);
	for (unsigned int i = 0; i < count; i++) {
		int id = spdm_version_of((uint8_t)(get_le16(&a->r) >> 8), ctx->offer.versions);

		if (id > best)
			best = id;
	}
	if (!req_answer_end(a))
		return -EBADMSG;
	if (best < 0)
		return -EPROTO;
	ctx->transcript.suite.version = (uint8_t)best;
	req_answer_note(ctx, a, SPDM_PART_VCA);
	return REQ_CAPABILITIES;
}

int req_capabilities_build(struct spdm_requester *ctx, struct writer *w)
{
	req_header(ctx, w, SPDM_GET_CAPABILITIES, 0, 0);
	put_u8(w, 0);
	put_u8(w, SPDM_CT_EXPONENT);
	put_le16(w, 0);
	put_le32(w, SPDM_CAPS_REQUESTER | (ctx->allow_clear ? SPDM_CAP_CLEAR_HANDSHAKE : 0));
	put_le32(w, SPDM_MAX_MESSAGE);
	put_le32(w, SPDM_MAX_MESSAGE);
	return vca_note(ctx, w);
}

int req_capabilities_take(struct spdm_requester *ctx, struct req_answer *a)
{
	const uint32_t needed =
		SPDM_CAP_CERT | (ctx->op == SPDM_OP_CHALLENGE ? SPDM_CAP_CHAL : SPDM_CAPS_SESSION);
	uint32_t most;

	get_le32(&a->r); /* reserved, CTExponent, reserved */
	ctx->peer_flags = get_le32(&a->r);
	ctx->peer_transfer = get_le32(&a->r);
	most = get_le32(&a->r);
	if (!req_answer_end(a))
		return -EBADMSG;
	if ((ctx->peer_flags & needed) != needed || ctx->peer_transfer < SPDM_MIN_TRANSFER ||
		most < ctx->peer_transfer)
		return -EPROTO;
	req_answer_note(ctx, a, SPDM_PART_VCA);
	return REQ_ALGORITHMS;
}

/* DHE's depends on what is offered. */
static const struct {
	uint8_t type;
	uint16_t algorithms;
} tables[] = {
	{SPDM_TABLE_DHE, 0},
	{SPDM_TABLE_AEAD, SPDM_AEAD_AES256GCM},
	{SPDM_TABLE_SCHEDULE, SPDM_SCHEDULE_SPDM},
};
#define TABLES (sizeof(tables) / sizeof(*tables))
#define NEGOTIATE_SIZE 32u
#define ALGORITHMS_SIZE 36u
#define TABLE_SIZE 4u

int req_algorithms_build(struct spdm_requester *ctx, struct writer *w)
{
	req_header(ctx, w, SPDM_NEGOTIATE_ALGORITHMS, TABLES, 0);
	put_le16(w, NEGOTIATE_SIZE + TABLE_SIZE * TABLES);
	put_u8(w, SPDM_MEAS_SPEC_DMTF);
	put_u8(w, SPDM_OPAQUE_FMT1);
	put_le32(w, spdm_offer_asyms(ctx->offer.asyms));
	put_le32(w, spdm_offer_hashes(ctx->offer.hashes));
	put_space(w, 16); /* reserved; no external algorithms */
	for (size_t i = 0; i < TABLES; i++) {
		put_u8(w, tables[i].type);
		put_u8(w, SPDM_TABLE_COUNT);
		put_le16(w, tables[i].type == SPDM_TABLE_DHE ? spdm_offer_dhes(ctx->offer.dhes)
							     : tables[i].algorithms);
	}
	return vca_note(ctx, w);
}

/* The answered tables: one algorithm of those offered, each type once. */
static bool tables_fit(struct spdm_requester *ctx, struct reader *r, unsigned int count)
{
	if (count != TABLES)
		return false;
	for (size_t i = 0; i < TABLES; i++) {
		bool fits = get_u8(r) == tables[i].type && get_u8(r) == SPDM_TABLE_COUNT;
		uint16_t chosen = get_le16(r);
		int dhe = spdm_dhe_of(chosen, ctx->offer.dhes);

		if (tables[i].type == SPDM_TABLE_DHE && dhe >= 0)
			ctx->transcript.suite.dhe = (uint8_t)dhe;
		if (!fits ||
			(tables[i].type == SPDM_TABLE_DHE ? dhe < 0 : chosen != tables[i].algorithms))
			return false;
	}
	return true;
}

/* The hash of measurements is the device's choice, whatever was agreed on for the rest. */
int req_algorithms_take(struct spdm_requester *ctx, struct req_answer *a)
{
	size_t length = get_le16(&a->r);
	uint8_t spec = get_u8(&a->r), opaque = get_u8(&a->r);
	uint32_t meas_hash = get_le32(&a->r), asym = get_le32(&a->r), hash = get_le32(&a->r);
	int asym_id = spdm_asym_of(asym, ctx->offer.asyms);
	int hash_id = spdm_hash_of(hash, ctx->offer.hashes);
	uint16_t external;
	bool fits, measures = ctx->peer_flags & SPDM_CAP_MEAS_SIG;

	get_bytes(&a->r, 12);
	external = get_le16(&a->r);
	get_le16(&a->r);
	fits = tables_fit(ctx, &a->r, a->param1);
	if (fits && !req_answer_end(a))
		return -EBADMSG;
	if (!fits || length != ALGORITHMS_SIZE + TABLE_SIZE * TABLES || external ||
		asym_id < 0 || hash_id < 0 || opaque != SPDM_OPAQUE_FMT1 ||
		(measures && (spec != SPDM_MEAS_SPEC_DMTF || __builtin_popcount(meas_hash) != 1)))
		return -EPROTO;
	ctx->transcript.suite.asym = (uint8_t)asym_id;
	ctx->transcript.suite.hash = (uint8_t)hash_id;
	req_answer_note(ctx, a, SPDM_PART_VCA);
	ctx->connected = true;
	return REQ_DIGESTS;
}

int req_digests_build(struct spdm_requester *ctx, struct writer *w)
{
	req_header(ctx, w, SPDM_GET_DIGESTS, 0, 0);
	spdm_transcript_add(&ctx->transcript, SPDM_PART_CHAIN, w->p, w->at);
	return 0;
}

/* Slot 0's digest comes first. Neither this message nor CERTIFICATE is signed when a session
 * follows, so nothing in them may be left unlooked at. */
int req_digests_take(struct spdm_requester *ctx, struct req_answer *a)
{
	unsigned int slots = (unsigned int)__builtin_popcount(a->param2);
	size_t hash = spdm_suite_hash(&ctx->transcript.suite);
	uint8_t reserved = a->param1;

	if (ctx->transcript.suite.version >= SPDM_V13) /* the slots that there could be */
		reserved = a->param2 & (uint8_t)~a->param1;
	get_copy(&a->r, ctx->digest, hash);
	if (slots > 1)
		get_bytes(&a->r, (slots - 1) * hash);
	if (!req_answer_end(a))
		return -EBADMSG;
	if (!(a->param2 & 1) || reserved)
		return -EPROTO;
	req_answer_note(ctx, a, SPDM_PART_CHAIN);
	ctx->chain_len = 0;
	return REQ_CERTIFICATE;
}

int req_certificate_build(struct spdm_requester *ctx, struct writer *w)
{
	req_header(ctx, w, SPDM_GET_CERTIFICATE, 0, 0);
	put_le16(w, (uint16_t)ctx->chain_len);
	put_le16(w, ctx->portion);
	spdm_transcript_add(&ctx->transcript, SPDM_PART_CHAIN, w->p, w->at);
	return 0;
}

static int chain_complete(struct spdm_requester *ctx)
{
	struct spdm_transcript *t = &ctx->transcript;
	EVP_PKEY *leaf;
	int rc = spdm_hash(t->suite.hash, ctx->chain, ctx->chain_len, t->chain_hash);

	if (rc)
		return rc;
	if (!spdm_equal(t->chain_hash, ctx->digest, spdm_suite_hash(&t->suite)))
		return -EACCES;
	if (ctx->op == SPDM_OP_IDENTIFY)
		return REQ_DONE;
	rc = req_chain_verify(ctx, &leaf);
	if (rc)
		return rc;
	EVP_PKEY_free(leaf); /* the cache keeps it */
	ctx->chain_good = true;
	return ctx->op == SPDM_OP_CHALLENGE ? REQ_CHALLENGE : REQ_KEY_EXCHANGE;
}

int req_certificate_take(struct spdm_requester *ctx, struct req_answer *a)
{
	size_t portion = get_le16(&a->r), remainder = get_le16(&a->r);
	const uint8_t *bytes = get_bytes(&a->r, portion);

	if (!bytes || !req_answer_end(a))
		return -EBADMSG;
	if (a->param1 || a->param2 || !portion || portion > ctx->portion ||
		portion + remainder > sizeof(ctx->chain) - ctx->chain_len)
		return -EPROTO;
	memcpy(ctx->chain + ctx->chain_len, bytes, portion);
	ctx->chain_len += (uint32_t)portion;
	req_answer_note(ctx, a, SPDM_PART_CHAIN);
	return remainder ? REQ_CERTIFICATE : chain_complete(ctx);
}
