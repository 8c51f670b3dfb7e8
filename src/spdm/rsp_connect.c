/* SPDX-License-Identifier: BSD-2-Clause */
/* VERSION, CAPABILITIES, ALGORITHMS, DIGESTS, CERTIFICATE. */
#include "spdm/responder.h"

#include <errno.h>

#define SLOTS 1u /* slot 0 is the only one */
#define SLOT_MASK 0x0fu
#define SLOT_SIZE_REQUESTED 1u

int rsp_version(struct rsp_call *call)
{
	if (!rsp_call_end(call))
		return SPDM_ERROR_INVALID_REQUEST;
	rsp_connection_reset(call->ctx, call->ops, call->owner);
	rsp_header(call, SPDM_VERSION, 0, 0);
	put_u8(&call->w, 0);
	put_u8(&call->w, (uint8_t)__builtin_popcount(call->ctx->offer.versions));
	for (unsigned int id = 0; id < SPDM_VERSIONS; id++)
		if (call->ctx->offer.versions >> id & 1)
			put_le16(&call->w, spdm_version_row(id)->entry);
	call->ctx->connection = SPDM_AT_VERSION;
	return rsp_note(call, SPDM_PART_VCA);
}

/* Flags that make no sense without others (DSP0274 1.2, Requester flag fields). */
static bool flags_consistent(uint32_t flags)
{
	static const struct {
		uint32_t with, needs;
	} rules[] = {
		{SPDM_CAP_KEY_EX, SPDM_CAP_ENCRYPT | SPDM_CAP_MAC},
		{SPDM_CAP_CLEAR_HANDSHAKE, SPDM_CAP_KEY_EX},
	};

	for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++)
		if ((flags & rules[i].with) && !(flags & rules[i].needs))
			return false;
	return true;
}

int rsp_capabilities(struct rsp_call *call)
{
	struct spdm_responder *ctx = call->ctx;
	uint32_t flags, transfer, most;

	get_le32(&call->r); /* reserved, CTExponent, reserved */
	flags = get_le32(&call->r);
	transfer = get_le32(&call->r);
	most = get_le32(&call->r);
	if (!rsp_call_end(call) || transfer < SPDM_MIN_TRANSFER || most < transfer ||
		(!(flags & SPDM_CAP_CHUNK) && most != transfer) || !flags_consistent(flags))
		return SPDM_ERROR_INVALID_REQUEST;
	ctx->transcript.suite.version =
		(uint8_t)spdm_version_of(call->version, ctx->offer.versions);
	ctx->peer_flags = flags;
	ctx->peer_transfer = transfer;
	rsp_header(call, SPDM_CAPABILITIES, 0, 0);
	put_u8(&call->w, 0);
	put_u8(&call->w, SPDM_CT_EXPONENT);
	put_le16(&call->w, 0);
	put_le32(&call->w, SPDM_CAPS_RESPONDER | (ctx->allow_clear ? SPDM_CAP_CLEAR_HANDSHAKE : 0));
	put_le32(&call->w, SPDM_MAX_MESSAGE);
	put_le32(&call->w, SPDM_MAX_MESSAGE);
	ctx->connection = SPDM_AT_CAPABILITIES;
	return rsp_note(call, SPDM_PART_VCA);
}

static const struct {
	uint8_t type;
	uint16_t ours; /* DHE's depends on what is offered */
	bool for_exchange;
} tables[] = {
	{SPDM_TABLE_DHE, 0xffff, true},
	{SPDM_TABLE_AEAD, SPDM_AEAD_AES256GCM, true},
	{SPDM_TABLE_REQ_ASYM, 0, false}, /* no mutual authentication */
	{SPDM_TABLE_SCHEDULE, SPDM_SCHEDULE_SPDM, true},
};
#define TABLES (sizeof(tables) / sizeof(*tables))
#define TABLE_SIZE 4u
#define ALGORITHMS_SIZE 36u
#define NEGOTIATE_MAX 128u /* bytes a requester may send */

struct offer {
	size_t length;
	uint8_t spec, opaque;
	uint32_t asym, hash;
	bool seen[TABLES];
	uint16_t table[TABLES]; /* what both have */
};

/* One table of the offer: false when it is malformed or out of order. */
static bool table_parse(struct reader *r, struct offer *offer, uint8_t *last)
{
	uint8_t type = get_u8(r), count = get_u8(r);
	uint16_t fixed = get_le16(r);

	get_bytes(r, (count & 0xfu) * 4);
	if (r->bad || type <= *last || count >> 4 != SPDM_TABLE_COUNT >> 4)
		return false;
	*last = type;
	for (size_t i = 0; i < TABLES; i++) {
		if (tables[i].type != type)
			continue;
		offer->seen[i] = true;
		offer->table[i] = fixed & tables[i].ours;
	}
	return true;
}

static bool offer_parse(struct rsp_call *call, struct offer *offer)
{
	struct reader *r = &call->r;
	unsigned int external;
	uint8_t last = 0;

	offer->length = get_le16(r);
	offer->spec = get_u8(r);
	offer->opaque = get_u8(r);
	offer->asym = get_le32(r);
	offer->hash = get_le32(r);
	get_bytes(r, 12);
	external = get_u8(r);
	external += get_u8(r);
	get_le16(r);
	get_bytes(r, external * 4);
	for (unsigned int i = 0; i < call->param1; i++)
		if (!table_parse(r, offer, &last))
			return false;
	return rsp_call_end(call) && offer->length == r->at && r->at <= NEGOTIATE_MAX;
}

static void algorithms_put(struct rsp_call *call, const struct offer *offer, bool measures)
{
	const struct spdm_suite *suite = &call->ctx->transcript.suite;
	struct writer *w = &call->w;
	size_t count = 0;

	for (size_t i = 0; i < TABLES; i++)
		count += offer->seen[i];
	rsp_header(call, SPDM_ALGORITHMS, (uint8_t)count, 0);
	put_le16(w, (uint16_t)(ALGORITHMS_SIZE + TABLE_SIZE * count));
	put_u8(w, measures ? SPDM_MEAS_SPEC_DMTF : 0);
	put_u8(w, offer->opaque & SPDM_OPAQUE_FMT1);
	put_le32(w, measures ? SPDM_MEAS_HASH_SHA384 : 0);
	put_le32(w, spdm_curve_row(suite->asym)->asym_bit);
	put_le32(w, spdm_hash_row(suite->hash)->bit);
	put_space(w, 16); /* reserved; no external algorithms */
	for (size_t i = 0; i < TABLES; i++) {
		if (!offer->seen[i])
			continue;
		put_u8(w, tables[i].type);
		put_u8(w, SPDM_TABLE_COUNT);
		put_le16(w, offer->table[i]);
	}
}

/* The signature's algorithm is that of our key; of the rest the first we like that is offered. */
static bool suite_choose(struct rsp_call *call, struct offer *offer)
{
	const struct spdm_offer *ours = &call->ctx->offer;
	struct spdm_suite *suite = &call->ctx->transcript.suite;
	int curve = spdm_key_curve(call->identity->key, call->identity->key_len);
	int asym = curve < 0 ? -1
			     : spdm_asym_choose(offer->asym, ours->asyms & (uint8_t)(1u << curve));
	int hash = spdm_hash_choose(offer->hash, ours->hashes);
	int dhe = spdm_dhe_choose(offer->table[0], ours->dhes);

	if (asym < 0 || hash < 0)
		return false;
	suite->asym = (uint8_t)asym;
	suite->hash = (uint8_t)hash;
	if (dhe >= 0)
		suite->dhe = (uint8_t)dhe;
	offer->table[0] = dhe < 0 ? 0 : spdm_curve_row((unsigned int)dhe)->dhe_bit;
	return true;
}

int rsp_algorithms(struct rsp_call *call)
{
	struct spdm_responder *ctx = call->ctx;
	struct offer offer = {0};
	bool exchange;
	int rc;

	if (!offer_parse(call, &offer) || !suite_choose(call, &offer))
		return SPDM_ERROR_INVALID_REQUEST;
	exchange = (offer.opaque & SPDM_OPAQUE_FMT1) &&
		   (ctx->peer_flags & SPDM_CAPS_SESSION) == SPDM_CAPS_SESSION;
	for (size_t i = 0; i < TABLES; i++)
		exchange = exchange && (!tables[i].for_exchange || offer.table[i]);
	algorithms_put(call, &offer, offer.spec & SPDM_MEAS_SPEC_DMTF);
	rc = rsp_note(call, SPDM_PART_VCA);
	if (rc)
		return rc;
	ctx->can_exchange = exchange;
	ctx->can_measure = offer.spec & SPDM_MEAS_SPEC_DMTF;
	ctx->connection = SPDM_AT_ALGORITHMS;
	return 0;
}

size_t rsp_chain_blob(
	const struct spdm_suite *suite, const struct spdm_identity *identity, uint8_t *out)
{
	size_t hash = spdm_suite_hash(suite);
	size_t root = spdm_certificate_size(identity->chain, identity->chain_len);
	struct writer w = writer_of(out, SPDM_CHAIN_MAX);
	uint8_t digest[SPDM_HASH];

	if (!root || root > identity->chain_len ||
		spdm_hash(suite->hash, identity->chain, root, digest))
		return 0;
	put_le16(&w, (uint16_t)(SPDM_CHAIN_HEADER + hash + identity->chain_len));
	put_le16(&w, 0);
	put_bytes(&w, digest, hash);
	put_bytes(&w, identity->chain, identity->chain_len);
	return w.bad ? 0 : w.at;
}

int rsp_chain_hash(const struct rsp_call *call, uint8_t out[SPDM_HASH])
{
	const struct spdm_suite *suite = &call->ctx->transcript.suite;
	uint8_t blob[SPDM_CHAIN_MAX];
	size_t len = rsp_chain_blob(suite, call->identity, blob);

	return len ? spdm_hash(suite->hash, blob, len, out) : -EINVAL;
}

int rsp_digests(struct rsp_call *call)
{
	const struct spdm_suite *suite = &call->ctx->transcript.suite;
	uint8_t digest[SPDM_HASH];

	if (!rsp_call_end(call))
		return SPDM_ERROR_INVALID_REQUEST;
	if (rsp_chain_hash(call, digest))
		return SPDM_ERROR_UNSPECIFIED;
	rsp_header(call, SPDM_DIGESTS, suite->version >= SPDM_V13 ? SLOTS : 0, SLOTS);
	put_bytes(&call->w, digest, spdm_suite_hash(suite));
	if (call->secured)
		return 0;
	spdm_transcript_reset(&call->ctx->transcript, SPDM_PART_CHAIN);
	return rsp_note(call, SPDM_PART_CHAIN);
}

int rsp_certificate(struct rsp_call *call)
{
	const struct spdm_suite *suite = &call->ctx->transcript.suite;
	size_t offset = get_le16(&call->r), length = get_le16(&call->r);
	size_t room = rsp_most(call->ctx) - SPDM_CERTIFICATE_HEADER, total;
	uint8_t blob[SPDM_CHAIN_MAX];
	bool size_asked;

	size_asked = suite->version >= SPDM_V13 && (call->param2 & SLOT_SIZE_REQUESTED);
	if (!rsp_call_end(call) || (call->param1 & SLOT_MASK) || (!length && !size_asked))
		return SPDM_ERROR_INVALID_REQUEST;
	total = rsp_chain_blob(suite, call->identity, blob);
	if (!total)
		return SPDM_ERROR_UNSPECIFIED;
	if (size_asked)
		offset = length = 0;
	if (offset >= total)
		return SPDM_ERROR_INVALID_REQUEST;
	if (length > room)
		length = room;
	if (length > total - offset)
		length = total - offset;
	rsp_header(call, SPDM_CERTIFICATE, 0, 0);
	put_le16(&call->w, (uint16_t)length);
	put_le16(&call->w, (uint16_t)(total - offset - length));
	put_bytes(&call->w, blob + offset, length);
	return call->secured ? 0 : rsp_note(call, SPDM_PART_CHAIN);
}
