/* SPDX-License-Identifier: BSD-2-Clause */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/tsm.h"
#include "image/bytes.h"

#define CERTIFICATES 8u
#define DIGEST 48u

static const char *const versions[SPDM_VERSIONS] = { "1.2", "1.3" };
static const char *const hashes[SPDM_HASHES] = { "SHA-384", "SHA-256" };
static const unsigned int hash_sizes[SPDM_HASHES] = { 48, 32 };
static const char *const signatures[SPDM_CURVES] = { "ECDSA P-384", "ECDSA P-256" };
static const char *const exchanges[SPDM_CURVES] = { "secp384r1", "secp256r1" };
static const char *const states[] = { "CONFIG_UNLOCKED", "CONFIG_LOCKED", "RUN", "ERROR" };

/* DMTF measurement value types (DSP0274, table of DMTFSpecMeasurementValueType). */
static const char *const types[] = { "immutable ROM", "mutable firmware", "hardware configuration",
	"firmware configuration", "manifest", "device mode", "firmware version", "security version" };

static const struct { uint16_t bit; const char *name; } attributes[] = {
	{ TDISP_RANGE_MSIX_TABLE, "MSI-X table" }, { TDISP_RANGE_MSIX_PBA, "MSI-X PBA" },
	{ TDISP_RANGE_NON_TEE, "non-TEE" }, { TDISP_RANGE_UPDATABLE, "updatable" },
};

struct block { uint8_t index, type; const uint8_t *value; size_t len; };

/* The next measurement block of a record that the requester found well-formed; false: no more. */
static bool block_next(struct reader *r, struct block *block)
{
	block->index = get_u8(r);
	get_le24(r);		/* specification and size */
	block->type = get_u8(r);
	block->len = get_le16(r);
	block->value = get_bytes(r, block->len);
	return !r->bad;
}

static void hex_text(const uint8_t *bytes, size_t len, char *out, size_t cap)
{
	size_t at = 0;

	for (size_t i = 0; i < len && at + 3 < cap; i++)
		at += (size_t)snprintf(out + at, cap - at, "%02x", bytes[i]);
}

static const char *attributes_text(uint16_t bits, char out[64])
{
	size_t at = 0;

	out[0] = '\0';
	for (size_t i = 0; i < sizeof(attributes) / sizeof(*attributes); i++)
		if (bits & attributes[i].bit)
			at += (size_t)snprintf(out + at, 64 - at, "%s%s", at ? ", " : "", attributes[i].name);
	return at ? out : "TEE";
}

static unsigned int certificates(const struct spdm_requester *requester,
	const struct tsm_result *result, struct spdm_certificate_info info[CERTIFICATES])
{
	size_t len, head = 4 + hash_sizes[result->agreed.hash];
	const uint8_t *chain = spdm_requester_chain(requester, &len);
	int n = len > head ? spdm_chain_describe(chain + head, len - head, info, CERTIFICATES) : 0;

	return n > (int)CERTIFICATES ? CERTIFICATES : (unsigned int)n;
}

static void print_chain(const struct tsm_result *result, const struct spdm_requester *requester,
	const char *anchor)
{
	struct spdm_certificate_info info[CERTIFICATES];
	unsigned int n = certificates(requester, result, info);
	bool good = result->done >> TSM_CONNECT & 1;

	printf("certificates    %s%s\n", !good ? "not verified" : anchor ? "verified up to " :
	       "verified up to their own root, which nobody vouches for", good && anchor ? anchor : "");
	for (unsigned int i = 0; i < n; i++)
		printf("  %u  %s  %s..%s  %s\n", i, info[i].key, info[i].from, info[i].to, info[i].subject);
}

static void print_measurements(const struct spdm_requester *requester)
{
	size_t len;
	const uint8_t *record = spdm_requester_measurements(requester, &len);
	struct reader r = reader_of(record, len);
	struct block block;
	char hex[2 * 64 + 8];

	printf("measurements    %u, signed\n", spdm_requester_measurement_count(requester));
	while (reader_left(&r) && block_next(&r, &block)) {
		hex_text(block.value, block.len > 64 ? 64 : block.len, hex, sizeof(hex));
		printf("  %u  %s%s  %s%s\n", block.index,
		       (block.type & 0x7f) < 8 ? types[block.type & 0x7f] : "?",
		       block.type & 0x80 ? ", raw" : "", hex, block.len > 64 ? "..." : "");
	}
}

static void print_interface(const struct tsm_result *result)
{
	const struct tsm_interface *in = &result->interface;
	char text[64];

	printf("interface       %u MMIO ranges, info 0x%x, MSI-X control 0x%x\n", in->ranges, in->info,
	       in->msix_control);
	for (uint32_t i = 0; i < in->ranges; i++)
		printf("  BAR %u  page 0x%llx  %u pages  %s\n", in->range[i].id,
		       (unsigned long long)in->range[i].first, in->range[i].pages,
		       attributes_text(in->range[i].attributes, text));
	if (in->device_info_len)
		printf("  device info  %u bytes\n", in->device_info_len);
}

void tsm_print(const struct tsm_result *result, const struct spdm_requester *requester,
	const char *anchor)
{
	const struct spdm_agreement *agreed = &result->agreed;

	if (agreed->peer_flags) {
		printf("SPDM            %s, %s, %s, %s, AES-256-GCM; capabilities 0x%x\n",
		       versions[agreed->version], hashes[agreed->hash], signatures[agreed->asym],
		       exchanges[agreed->dhe], agreed->peer_flags);
		print_chain(result, requester, anchor);
	}
	if (result->session)
		printf("session         0x%08x\n", result->session);
	if (result->done >> TSM_ATTEST & 1)
		print_measurements(requester);
	if (result->done >> TSM_KEYS & 1)
		printf("IDE             %02x:%02x.%x, port %u of %u, capability 0x%08x, %u register DWs\n",
		       result->bus, result->device_function >> 3, result->device_function & 7, 0u,
		       result->max_port, result->ide_capability, result->ide_dwords);
	if (result->done >> TSM_LOCK & 1)
		printf("TDISP           1.0, lock flags 0x%x, %u address bits\n", result->lock_flags_supported,
		       result->address_width);
	if (result->done >> TSM_REPORT & 1)
		print_interface(result);
	for (int step = 0; step < TSM_STEPS; step++)
		if (result->done >> step & 1 || step == result->failed)
			printf("%-15s %s\n", tsm_step_name((enum tsm_step)step),
			       step == result->failed ? "FAILED" : "ok");
	printf("%u requests in the session; the interface is in %s\n", result->requests,
	       result->state < 4 ? states[result->state] : "?");
	if (result->failed >= 0)
		fprintf(stderr, "swtio tsm: %s: %s\n", tsm_step_name((enum tsm_step)result->failed), result->why);
}

/* -- JSON ------------------------------------------------------------------------------------ */

static void json_hex(cJSON *to, const char *name, const uint8_t *bytes, size_t len)
{
	char *hex = malloc(2 * len + 4);

	if (!hex)
		return;
	hex[0] = '\0';
	hex_text(bytes, len, hex, 2 * len + 4);
	cJSON_AddStringToObject(to, name, hex);
	free(hex);
}

static void json_chain(cJSON *json, const struct tsm_result *result,
	const struct spdm_requester *requester, const char *anchor)
{
	struct spdm_certificate_info info[CERTIFICATES];
	unsigned int n = certificates(requester, result, info);
	cJSON *list = cJSON_AddArrayToObject(json, "certificates");

	for (unsigned int i = 0; i < n; i++) {
		cJSON *one = cJSON_CreateObject();

		cJSON_AddStringToObject(one, "subject", info[i].subject);
		cJSON_AddStringToObject(one, "issuer", info[i].issuer);
		cJSON_AddStringToObject(one, "not_before", info[i].from);
		cJSON_AddStringToObject(one, "not_after", info[i].to);
		cJSON_AddStringToObject(one, "key", info[i].key);
		cJSON_AddItemToArray(list, one);
	}
	cJSON_AddBoolToObject(json, "chain_verified", result->done >> TSM_CONNECT & 1);
	if (anchor)
		cJSON_AddStringToObject(json, "anchor", anchor);
}

static void json_measurements(cJSON *json, const struct spdm_requester *requester)
{
	size_t len;
	const uint8_t *record = spdm_requester_measurements(requester, &len);
	struct reader r = reader_of(record, len);
	cJSON *list = cJSON_AddArrayToObject(json, "measurements");
	struct block block;

	while (reader_left(&r) && block_next(&r, &block)) {
		cJSON *one = cJSON_CreateObject();

		cJSON_AddNumberToObject(one, "index", block.index);
		cJSON_AddNumberToObject(one, "type", block.type & 0x7f);
		cJSON_AddBoolToObject(one, "raw", block.type & 0x80);
		json_hex(one, "value", block.value, block.len);
		cJSON_AddItemToArray(list, one);
	}
}

static void json_interface(cJSON *json, const struct tsm_result *result)
{
	const struct tsm_interface *in = &result->interface;
	cJSON *interface = cJSON_AddObjectToObject(json, "interface"), *list;

	cJSON_AddNumberToObject(interface, "info", in->info);
	cJSON_AddNumberToObject(interface, "msix_control", in->msix_control);
	list = cJSON_AddArrayToObject(interface, "ranges");
	for (uint32_t i = 0; i < in->ranges; i++) {
		cJSON *one = cJSON_CreateObject();

		cJSON_AddNumberToObject(one, "bar", in->range[i].id);
		cJSON_AddNumberToObject(one, "first_page", (double)in->range[i].first);
		cJSON_AddNumberToObject(one, "pages", in->range[i].pages);
		cJSON_AddNumberToObject(one, "attributes", in->range[i].attributes);
		cJSON_AddItemToArray(list, one);
	}
	json_hex(interface, "report", result->report, result->report_len);
}

static void json_steps(cJSON *json, const struct tsm_result *result)
{
	cJSON *list = cJSON_AddArrayToObject(json, "steps");

	for (int step = 0; step < TSM_STEPS; step++)
		if (result->done >> step & 1)
			cJSON_AddItemToArray(list, cJSON_CreateString(tsm_step_name((enum tsm_step)step)));
	cJSON_AddBoolToObject(json, "ok", result->failed < 0);
	if (result->failed < 0)
		return;
	cJSON_AddStringToObject(json, "failed", tsm_step_name((enum tsm_step)result->failed));
	cJSON_AddStringToObject(json, "why", result->why);
}

void tsm_print_json(const struct tsm_result *result, const struct spdm_requester *requester,
	const char *anchor)
{
	const struct spdm_agreement *agreed = &result->agreed;
	cJSON *json = cJSON_CreateObject();
	char *text;

	json_steps(json, result);
	cJSON_AddNumberToObject(json, "requests", result->requests);
	if (agreed->peer_flags) {
		cJSON_AddStringToObject(json, "version", versions[agreed->version]);
		cJSON_AddStringToObject(json, "hash", hashes[agreed->hash]);
		cJSON_AddStringToObject(json, "signature", signatures[agreed->asym]);
		cJSON_AddStringToObject(json, "exchange", exchanges[agreed->dhe]);
		cJSON_AddNumberToObject(json, "capabilities", agreed->peer_flags);
		json_chain(json, result, requester, anchor);
	}
	if (result->done >> TSM_ATTEST & 1)
		json_measurements(json, requester);
	if (result->done >> TSM_LOCK & 1)
		json_hex(json, "lock_nonce", result->nonce, TDISP_NONCE);
	if (result->done >> TSM_REPORT & 1)
		json_interface(json, result);
	cJSON_AddStringToObject(json, "state", result->state < 4 ? states[result->state] : "?");
	text = cJSON_Print(json);
	puts(text ? text : "{}");
	free(text);
	cJSON_Delete(json);
}
