/* SPDX-License-Identifier: BSD-2-Clause */
#include "wire/decode_fields.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define SHOWN 16u /* bytes of a longer field */

/* DSP0274, chapter "SPDM messages"; header fields param1 and param2 are read here too. */
static const struct decode_row spdm[] = {
	{0x84, "GET_VERSION", "-:2"},
	{0x04, "VERSION", "-:3 entries:1 versions:*"},
	{0xe1, "GET_CAPABILITIES", "-:3 ct_exponent:1 -:2 flags:4 data_transfer_size:4 max_message:4"},
	{0x61, "CAPABILITIES", "-:3 ct_exponent:1 -:2 flags:4 data_transfer_size:4 max_message:4"},
	{0xe3, "NEGOTIATE_ALGORITHMS",
		"tables:1 -:1 length:2 measurement_spec:1 other_params:1 base_asym:4 base_hash:4 -:12b "
		"-:4 algorithms:*"},
	{0x63, "ALGORITHMS",
		"tables:1 -:1 length:2 measurement_spec:1 other_params:1 measurement_hash:4 "
		"base_asym:4 base_hash:4 -:12b -:4 algorithms:*"},
	{0x81, "GET_DIGESTS", "-:2"},
	{0x01, "DIGESTS", "supported_slots:1 slots:1 digest:H more:*"},
	{0x82, "GET_CERTIFICATE", "slot:1 attributes:1 offset:2 length:2"},
	{0x02, "CERTIFICATE", "slot:1 attributes:1 portion:2 remainder:2 chain:*"},
	{0x83, "CHALLENGE", "slot:1 summary:1 nonce:32b context:8b?3"},
	{0x03, "CHALLENGE_AUTH",
		"slot:1 slots:1 chain_hash:H nonce:32b summary:H?s opaque:L2 context:8b?3 signature:S"},
	{0xe0, "GET_MEASUREMENTS", "attributes:1 operation:1 nonce:32b?g slot:1?g context:8b?3"},
	{0x60, "MEASUREMENTS",
		"total:1 slot:1 blocks:1 record:L3 nonce:32b opaque:L2 context:8b?3 signature:S?g"},
	{0xe4, "KEY_EXCHANGE",
		"summary:1 slot:1 session:2 policy:1 -:1 random:32b exchange:D opaque:L2"},
	{0x64, "KEY_EXCHANGE_RSP",
		"heartbeat:1 -:1 session:2 mutual_auth:1 slot:1 random:32b exchange:D summary:H?s "
		"opaque:L2 signature:S verify:*"},
	{0xe5, "FINISH", "signed:1 slot:1 verify:*"},
	{0x65, "FINISH_RSP", "-:2 verify:*"},
	{0xe8, "HEARTBEAT", "-:2"},
	{0x68, "HEARTBEAT_ACK", "-:2"},
	{0xe9, "KEY_UPDATE", "operation:1 tag:1"},
	{0x69, "KEY_UPDATE_ACK", "operation:1 tag:1"},
	{0xec, "END_SESSION", "attributes:1 -:1"},
	{0x6c, "END_SESSION_ACK", "-:2"},
	{0xff, "RESPOND_IF_READY", "request:1 token:1"},
	{0xfe, "VENDOR_DEFINED_REQUEST", "-:2"},
	{0x7e, "VENDOR_DEFINED_RESPONSE", "-:2"},
	{0x7f, "ERROR", "error:1 data:1 more:*"},
};

/* PCIe 6.x 11.3, behind the 16-byte header. */
static const struct decode_row tdisp[] = {
	{0x81, "GET_TDISP_VERSION", ""},
	{0x01, "TDISP_VERSION", "entries:1 versions:*"},
	{0x82, "GET_TDISP_CAPABILITIES", "tsm_caps:4"},
	{0x02, "TDISP_CAPABILITIES",
		"dsm_caps:4 requests:16b lock_flags:2 -:3 address_width:1 requests_this:1 "
		"requests_all:1"},
	{0x83, "LOCK_INTERFACE_REQUEST",
		"flags:2 default_stream:1 -:1 reporting_offset:8 p2p_mask:8"},
	{0x03, "LOCK_INTERFACE_RESPONSE", "nonce:32b"},
	{0x84, "GET_DEVICE_INTERFACE_REPORT", "offset:2 length:2"},
	{0x04, "DEVICE_INTERFACE_REPORT", "portion:2 remainder:2 report:*"},
	{0x85, "GET_DEVICE_INTERFACE_STATE", ""},
	{0x05, "DEVICE_INTERFACE_STATE", "tdi_state:1"},
	{0x86, "START_INTERFACE_REQUEST", "nonce:32b"},
	{0x06, "START_INTERFACE_RESPONSE", ""},
	{0x87, "STOP_INTERFACE_REQUEST", ""},
	{0x07, "STOP_INTERFACE_RESPONSE", ""},
	{0x88, "BIND_P2P_STREAM_REQUEST", "stream:1"},
	{0x08, "BIND_P2P_STREAM_RESPONSE", ""},
	{0x89, "UNBIND_P2P_STREAM_REQUEST", "stream:1"},
	{0x09, "UNBIND_P2P_STREAM_RESPONSE", ""},
	{0x8a, "SET_MMIO_ATTRIBUTE_REQUEST", "first_page:8 pages:4 attributes:2 range_id:2"},
	{0x0a, "SET_MMIO_ATTRIBUTE_RESPONSE", ""},
	{0x8b, "VDM_REQUEST", "registry:1 data:*"},
	{0x0b, "VDM_RESPONSE", "registry:1 data:*"},
	{0x7f, "TDISP_ERROR", "error:4 data:4 more:*"},
};

/* PCIe 6.x 6.33.3, behind the object id. A key is never shown: who has it needs no dump of it. */
static const struct decode_row ide_km[] = {
	{0, "QUERY", "-:1 port:1"},
	{1, "QUERY_RESP", "-:1 port:1 dev_func:1 bus:1 segment:1 max_port:1 registers:*"},
	{2, "KEY_PROG", "-:2 stream:1 -:1 sub_stream:1 port:1 -:32b ifv:8b"},
	{3, "KP_ACK", "-:2 stream:1 status:1 sub_stream:1 port:1"},
	{4, "K_SET_GO", "-:2 stream:1 -:1 sub_stream:1 port:1"},
	{5, "K_SET_STOP", "-:2 stream:1 -:1 sub_stream:1 port:1"},
	{6, "K_GOSTOP_ACK", "-:2 stream:1 -:1 sub_stream:1 port:1"},
};

static const struct decode_row *find(const struct decode_row *rows, size_t count, uint8_t code)
{
	for (size_t i = 0; i < count; i++)
		if (rows[i].code == code)
			return &rows[i];
	return NULL;
}

const struct decode_row *decode_spdm_row(uint8_t code)
{
	return find(spdm, sizeof(spdm) / sizeof(*spdm), code);
}

const struct decode_row *decode_tdisp_row(uint8_t code)
{
	return find(tdisp, sizeof(tdisp) / sizeof(*tdisp), code);
}

const struct decode_row *decode_ide_km_row(uint8_t object)
{
	return find(ide_km, sizeof(ide_km) / sizeof(*ide_km), object);
}

struct word { char name[24]; size_t size; bool number; };

static bool condition_holds(const char *condition, const struct decode_sizes *sizes)
{
	switch (condition ? condition[1] : 0) {
	case 's':
		return sizes->summary;
	case 'g':
		return sizes->sign;
	case '3':
		return sizes->v13;
	default:
		return true;
	}
}

/* One word of a row, and how many bytes it is here; false when the message ends within. */
static bool word_read(const char *text, size_t len, const struct decode_sizes *sizes,
	struct reader *r, struct word *word)
{
	char copy[48], *size, *condition;

	snprintf(copy, sizeof(copy), "%.*s", (int)len, text);
	size = strchr(copy, ':');
	*size++ = '\0';
	condition = strchr(size, '?');
	snprintf(word->name, sizeof(word->name), "%s", copy);
	word->number = false;
	if (!condition_holds(condition, sizes)) {
		word->name[0] = '-';
		word->size = 0;
		return true;
	}
	switch (size[0]) {
	case 'H':
		word->size = sizes->hash;
		break;
	case 'D':
		word->size = sizes->exchange;
		break;
	case 'S':
		word->size = sizes->signature;
		break;
	case 'L':
		word->size = (size_t)get_le(r, (size_t)(size[1] - '0'));
		break;
	case '*':
		word->size = reader_left(r);
		break;
	default:
		word->size = (size_t)strtoul(size, &size, 10);
		word->number = *size != 'b';
	}
	return !r->bad;
}

static void bytes_text(const uint8_t *bytes, size_t len, char *out, size_t cap)
{
	size_t at = 0;

	for (size_t i = 0; i < len && i < SHOWN; i++)
		at += (size_t)snprintf(out + at, cap - at, "%02x", bytes[i]);
	if (len > SHOWN)
		snprintf(out + at, cap - at, "..(%zu)", len);
}

bool decode_fields(const char *fields, const struct decode_sizes *sizes, struct reader *r,
	void (*emit)(void *arg, const char *name, const char *value), void *arg)
{
	while (*fields) {
		size_t len = strcspn(fields, " ");
		char value[64] = "";
		struct word word = { 0 };

		if (!word_read(fields, len, sizes, r, &word))
			return false;
		if (word.number) {
			uint64_t number = get_le(r, word.size);

			snprintf(value, sizeof(value), number < 10 ? "%" PRIu64 : "0x%" PRIx64, number);
		} else {
			bytes_text(get_bytes(r, word.size), r->bad ? 0 : word.size, value, sizeof(value));
		}
		if (r->bad)
			return false;
		if (word.name[0] != '-' && value[0])
			emit(arg, word.name, value);
		fields += len + (fields[len] == ' ');
	}
	return true;
}
