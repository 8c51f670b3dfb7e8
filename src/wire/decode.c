/* SPDX-License-Identifier: BSD-2-Clause */
#include "wire/decode.h"

#include "spdm/pcisig.h"
#include "spdm/spdm.h"
#include "wire/decode_fields.h"

#include <stdlib.h>

#define DOE_VENDOR_PCISIG 1u
#define DOE_TYPES 3u
#define SEQUENCES 16u		/* records of a direction that a capture may have missed */
#define VENDOR_STANDARD_PCISIG 3u

/* One set of keys of one direction of one session; a session has several in its life. */
struct decode_key {
	uint32_t session;
	bool requester;
	uint8_t key[32], iv[12];
	uint64_t sequence;
};

struct decode {
	struct decode_sink sink;
	struct decode_stats stats;
	struct decode_sizes sizes;
	unsigned int keys;
	struct decode_key key[DECODE_KEYS];
};

struct decode *decode_new(const struct decode_sink *sink)
{
	struct decode *decode = calloc(1, sizeof(*decode));

	if (!decode)
		return NULL;
	decode->sink = *sink;
	decode->sizes = (struct decode_sizes){.hash = 48, .exchange = 96, .signature = 96};
	return decode;
}

void decode_free(struct decode *decode)
{
	if (!decode)
		return;
	explicit_bzero(decode, sizeof(*decode));
	free(decode);
}

void decode_stats(const struct decode *decode, struct decode_stats *stats)
{
	*stats = decode->stats;
}

static bool hex_read(const char *hex, uint8_t *out, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned int byte;

		if (sscanf(hex + 2 * i, "%2x", &byte) != 1)
			return false;
		out[i] = (uint8_t)byte;
	}
	return true;
}

/* The same keys come twice when both ends write into one log. */
static bool key_known(const struct decode *decode, const struct decode_key *key)
{
	for (unsigned int i = 0; i < decode->keys; i++)
		if (!memcmp(decode->key[i].key, key->key, sizeof(key->key)) &&
			decode->key[i].session == key->session)
			return true;
	return false;
}

static bool key_line(struct decode *decode, const char *line)
{
	struct decode_key key = {0};
	char side[12], key_hex[65], iv_hex[25];

	if (sscanf(line, "KEYS session=%8x side=%11s key=%64s iv=%24s", &key.session, side, key_hex,
		    iv_hex) != 4 ||
		!hex_read(key_hex, key.key, sizeof(key.key)) ||
		!hex_read(iv_hex, key.iv, sizeof(key.iv)))
		return false;
	key.requester = !strcmp(side, "requester");
	if (!key_known(decode, &key) && decode->keys < DECODE_KEYS)
		decode->key[decode->keys++] = key;
	return true;
}

unsigned int decode_keylog(struct decode *decode, FILE *file)
{
	char line[512];
	unsigned int number = 0;

	while (fgets(line, sizeof(line), file)) {
		number++;
		if (line[0] == '#' || line[0] == '\n' || !strncmp(line, "DHE ", 4))
			continue;
		if (!key_line(decode, line))
			return number;
	}
	return 0;
}

/* -- what is said to the sink ------------------------------------------------------------------ */

static void layer(struct decode *decode, const char *name)
{
	decode->sink.layer(decode->sink.arg, name);
}

static void field(struct decode *decode, const char *name, const char *value)
{
	decode->sink.field(decode->sink.arg, name, value);
}

static void field_hex(struct decode *decode, const char *name, uint32_t value, int digits)
{
	char text[16];

	snprintf(text, sizeof(text), "%0*x", digits, value);
	field(decode, name, text);
}

static void malformed(struct decode *decode, const char *what)
{
	decode->stats.malformed++;
	field(decode, "malformed", what);
}

static void row_show(
	struct decode *decode, const char *protocol, const struct decode_row *row, uint8_t code)
{
	char name[64];

	if (!row) {
		snprintf(name, sizeof(name), "%s0x%02x", protocol, code);
		layer(decode, name);
		return;
	}
	snprintf(name, sizeof(name), "%s%s", protocol, row->name);
	layer(decode, name);
}

static void row_fields(struct decode *decode, const struct decode_row *row, struct reader *r)
{
	if (row && !decode_fields(row->fields, &decode->sizes, r, decode->sink.field,
			   decode->sink.arg))
		malformed(decode, "shorter than its fields");
}

/* -- IDE_KM and TDISP -------------------------------------------------------------------------- */

static void tdisp_decode(struct decode *decode, struct reader *r)
{
	uint8_t version = get_u8(r), code = get_u8(r);
	const struct decode_row *row = decode_tdisp_row(code);

	row_show(decode, "TDISP ", row, code);
	get_le16(r);
	field_hex(decode, "function", get_le32(r), 8);
	get_le64(r);
	if (r->bad || version != TDISP_VERSION_10) {
		malformed(decode, "no TDISP 1.0 header");
		return;
	}
	decode->stats.tdisp += code >= TDISP_GET_VERSION;
	row_fields(decode, row, r);
}

static void ide_km_decode(struct decode *decode, struct reader *r)
{
	uint8_t object = get_u8(r);
	const struct decode_row *row = decode_ide_km_row(object);

	row_show(decode, "IDE_KM ", row, object);
	decode->stats.ide_km += object == IDE_KM_QUERY || object == IDE_KM_KEY_PROG ||
				object == IDE_KM_K_SET_GO || object == IDE_KM_K_SET_STOP;
	row_fields(decode, row, r);
}

static void vendor_decode(struct decode *decode, struct reader *r)
{
	uint16_t standard = get_le16(r), payload;
	size_t vendor_len = get_u8(r);
	const uint8_t *vendor = get_bytes(r, vendor_len), *bytes;
	struct reader body;

	payload = get_le16(r);
	bytes = get_bytes(r, payload);
	field_hex(decode, "standard", standard, 4);
	if (r->bad || !payload) {
		malformed(decode, "its lengths do not fit");
		return;
	}
	if (standard != VENDOR_STANDARD_PCISIG || vendor_len != 2 || vendor[0] != 1 || vendor[1])
		return;
	body = reader_of(bytes + 1, payload - 1u);
	if (bytes[0] == PCISIG_IDE_KM)
		ide_km_decode(decode, &body);
	else if (bytes[0] == PCISIG_TDISP)
		tdisp_decode(decode, &body);
}

/* -- SPDM -------------------------------------------------------------------------------------- */

/* What later messages' sizes depend on. */
static void spdm_follow(struct decode *decode, const uint8_t *message, size_t len)
{
	struct decode_sizes *sizes = &decode->sizes;
	struct reader r = reader_of(message, len);
	uint8_t version = get_u8(&r), code = get_u8(&r), param1 = get_u8(&r), param2 = get_u8(&r);
	uint32_t asym, hash;

	if (version >= 0x12)
		sizes->v13 = version >= 0x13;
	if (code == 0xe4)
		sizes->summary = param1;
	if (code == 0x83)
		sizes->summary = param2;
	if (code == 0xe0)
		sizes->sign = param1 & 1;
	if (code != 0x63)
		return;
	get_bytes(&r, 8);
	asym = get_le32(&r);
	hash = get_le32(&r);
	get_bytes(&r, 16);
	sizes->signature = asym == 0x10 ? 64 : 96;
	sizes->hash = hash == 1 ? 32 : 48;
	while (param1-- && !r.bad) { /* the tables; the first is DHE's */
		uint8_t type = get_u8(&r);
		uint16_t chosen;

		get_u8(&r);
		chosen = get_le16(&r);
		if (type == 2)
			sizes->exchange = chosen == 8 ? 64 : 96;
	}
}

static void spdm_decode(struct decode *decode, const uint8_t *message, size_t len)
{
	struct reader r = reader_of(message, len);
	uint8_t version = get_u8(&r), code = get_u8(&r);
	const struct decode_row *row = decode_spdm_row(code);
	char text[8];

	row_show(decode, "", row, code);
	snprintf(text, sizeof(text), "%x.%x", version >> 4, version & 0xf);
	field(decode, "spdm", text);
	if (r.bad || len < 4) {
		malformed(decode, "no SPDM header");
		return;
	}
	spdm_follow(decode, message, len);
	row_fields(decode, row, &r);
	if (code == 0xfe || code == 0x7e)
		vendor_decode(decode, &r);
}

/* -- records ----------------------------------------------------------------------------------- */

static bool record_open(struct decode *decode, const struct spdm_wire *wire, uint32_t session,
	enum capture_direction direction)
{
	uint8_t message[SPDM_MAX_MESSAGE];
	size_t len;

	/* The newest keys first: they are the ones in use. */
	for (unsigned int i = decode->keys; i-- > 0;) {
		struct decode_key *key = &decode->key[i];

		if (key->session != session ||
			(direction != CAPTURE_UNKNOWN &&
				key->requester != (direction == CAPTURE_TO_DEVICE)))
			continue;
		for (uint64_t skip = 0; skip < SEQUENCES; skip++) {
			if (spdm_record_decode(key->key, key->iv, key->sequence + skip, wire, message,
				    &len))
				continue;
			key->sequence += skip + 1;
			spdm_decode(decode, message, len);
			explicit_bzero(message, sizeof(message));
			return true;
		}
	}
	return false;
}

static void secured_decode(
	struct decode *decode, struct reader *r, enum capture_direction direction)
{
	struct spdm_wire wire = {.doe_type = 2, .len = reader_left(r)};
	struct reader head;
	uint32_t session;

	layer(decode, "secured message");
	if (wire.len > sizeof(wire.data)) {
		malformed(decode, "longer than a record can be");
		return;
	}
	get_copy(r, wire.data, wire.len);
	head = reader_of(wire.data, wire.len);
	session = get_le32(&head);
	field_hex(decode, "session", session, 8);
	if (head.bad || get_le16(&head) > reader_left(&head)) {
		malformed(decode, "its length does not fit");
		return;
	}
	decode->stats.secured++;
	if (record_open(decode, &wire, session, direction))
		decode->stats.opened++;
	else
		field(decode, "ciphered", decode->keys ? "no key of the log opens it" : "no key log");
}

static void doe_decode(struct decode *decode, const struct capture_packet *packet)
{
	static const char *const types[DOE_TYPES] = {"DOE discovery", "DOE SPDM", "DOE secured SPDM"};
	struct reader r = reader_of(packet->bytes, packet->len);
	uint16_t vendor = get_le16(&r);
	uint8_t type = get_u8(&r);
	uint32_t dwords;

	get_u8(&r);
	dwords = get_le32(&r) & 0x3ffff;
	layer(decode, vendor == DOE_VENDOR_PCISIG && type < DOE_TYPES ? types[type] : "DOE");
	if (r.bad || (size_t)dwords * 4 != packet->len) {
		malformed(decode, "its length field is not its length");
		return;
	}
	if (vendor != DOE_VENDOR_PCISIG || type >= DOE_TYPES) {
		field_hex(decode, "vendor", vendor, 4);
		field_hex(decode, "type", type, 2);
	} else if (!type) {
		field_hex(decode, "data", get_le32(&r), 8);
	} else if (type == 1) {
		spdm_decode(decode, packet->bytes + r.at, reader_left(&r));
	} else {
		secured_decode(decode, &r, packet->direction);
	}
}

void decode_packet(struct decode *decode, unsigned int number, const struct capture_packet *packet)
{
	decode->stats.packets++;
	decode->sink.packet(decode->sink.arg, number, packet);
	doe_decode(decode, packet);
	decode->sink.end(decode->sink.arg);
}
