/* SPDX-License-Identifier: BSD-2-Clause */
/* What each step says to the device, and what it takes for an answer. */
#include "wire/tsm_steps.h"

#include <errno.h>
#include <stdio.h>

#define BODY_MAX 64u
#define SLOTS 6u		/* of a key set: PR, NPR, CPL received, then sent */
#define PORTION 0x40u		/* of the report, asked at once */
#define DOE_TYPES 7		/* discovery, SPDM, secured SPDM */
#define RANGE_BYTES 16u
#define PAGE_SHIFT 12

int tsm_discover(struct tsm *tsm)
{
	int types = wire_link_discover(tsm->link);

	if (types < 0)
		return tsm_fail(tsm, types, "DOE discovery: %s",
			types == -ETIMEDOUT ? "no answer in time" : "no DOE mailbox answers");
	tsm->result->doe_types = types;
	if ((types & DOE_TYPES) != DOE_TYPES)
		return tsm_fail(tsm, -EPROTO, "DOE discovery: SPDM or secured SPDM is not there");
	return 0;
}

int tsm_connect(struct tsm *tsm)
{
	int rc = tsm_operation(tsm, SPDM_OP_CONNECT, "connect");

	spdm_requester_agreement(tsm->requester, &tsm->result->agreed);
	tsm->result->session = spdm_requester_session_id(tsm->requester);
	return rc;
}

/* A device without measurements is none for TEE-IO, but others may still be looked at. */
int tsm_attest(struct tsm *tsm)
{
	int rc = tsm_operation(tsm, SPDM_OP_MEASURE, "GET_MEASUREMENTS");

	return rc == -EOPNOTSUPP ? 0 : rc;
}

/* -- IDE_KM ------------------------------------------------------------------------------------ */

static int km_query(struct tsm *tsm)
{
	uint8_t body[BODY_MAX];
	struct writer w = writer_of(body, sizeof(body));
	struct tsm_result *result = tsm->result;
	struct reader r;
	uint8_t object;
	int rc;

	put_u8(&w, IDE_KM_QUERY);
	put_u8(&w, 0);
	put_u8(&w, tsm->options->port_index);
	rc = tsm_vendor(tsm, PCISIG_IDE_KM, &w, &r, "IDE_KM QUERY");
	if (rc)
		return rc;
	object = get_u8(&r);
	get_le16(&r);
	result->device_function = get_u8(&r);
	result->bus = get_u8(&r);
	result->segment = get_u8(&r);
	result->max_port = get_u8(&r);
	result->ide_dwords = (uint32_t)(reader_left(&r) / 4);
	result->ide_capability = get_le32(&r);
	if (r.bad || object != IDE_KM_QUERY_RESP)
		return tsm_fail(tsm, -EBADMSG, "IDE_KM QUERY: the answer is malformed");
	return 0;
}

/* The stream and slot fields that all but QUERY have: bytes 3 to 6 of message and answer. */
static uint8_t slot_code(unsigned int slot)
{
	return (uint8_t)((slot / 3) << 1 | (slot % 3) << 4);
}

static int km_slot(struct tsm *tsm, uint8_t object, unsigned int slot, const char *what)
{
	uint8_t expected = object == IDE_KM_KEY_PROG ? IDE_KM_KP_ACK : IDE_KM_K_GOSTOP_ACK;
	uint8_t body[BODY_MAX], key[32], status;
	struct writer w = writer_of(body, sizeof(body));
	const uint8_t *ack;
	struct reader r;
	int rc;

	put_u8(&w, object);
	put_le16(&w, 0);
	put_u8(&w, tsm->options->stream);
	put_u8(&w, 0);
	put_u8(&w, slot_code(slot));
	put_u8(&w, tsm->options->port_index);
	if (object == IDE_KM_KEY_PROG) {
		rc = spdm_random(key, sizeof(key));
		if (rc)
			return tsm_fail(tsm, rc, "%s: no random numbers", what);
		put_bytes(&w, key, sizeof(key));
		put_le64(&w, 1); /* the initial invocation field */
	}
	rc = tsm_vendor(tsm, PCISIG_IDE_KM, &w, &r, what);
	explicit_bzero(key, sizeof(key));
	explicit_bzero(body, sizeof(body));
	if (rc)
		return rc;
	ack = get_bytes(&r, 7);
	if (!ack || ack[0] != expected || ack[3] != tsm->options->stream ||
		ack[5] != slot_code(slot) || ack[6] != tsm->options->port_index)
		return tsm_fail(tsm, -EBADMSG, "%s: the answer is not to this request", what);
	status = object == IDE_KM_KEY_PROG ? ack[4] : 0;
	return status ? tsm_fail(tsm, -EREMOTEIO, "%s: KP_ACK status %u", what, status) : 0;
}

int tsm_keys(struct tsm *tsm)
{
	int rc = km_query(tsm);

	for (unsigned int slot = 0; slot < SLOTS && !rc; slot++)
		rc = km_slot(tsm, IDE_KM_KEY_PROG, slot, "IDE_KM KEY_PROG");
	for (unsigned int slot = 0; slot < SLOTS && !rc; slot++)
		rc = km_slot(tsm, IDE_KM_K_SET_GO, slot, "IDE_KM K_SET_GO");
	return rc;
}

int tsm_unkey(struct tsm *tsm)
{
	int rc = 0;

	for (unsigned int slot = 0; slot < SLOTS && !rc; slot++)
		rc = km_slot(tsm, IDE_KM_K_SET_STOP, slot, "IDE_KM K_SET_STOP");
	return rc;
}

/* -- TDISP ------------------------------------------------------------------------------------- */

/* Sends a request with its payload; r is then at the payload of the answer. */
static int tdisp(struct tsm *tsm, uint8_t code, const void *payload, size_t len, struct reader *r,
	const char *what)
{
	uint8_t body[TDISP_HEADER + BODY_MAX], version, type;
	struct writer w = writer_of(body, sizeof(body));
	uint32_t function;
	int rc;

	put_u8(&w, TDISP_VERSION_10);
	put_u8(&w, code);
	put_le16(&w, 0);
	put_le32(&w, tsm->options->function_id);
	put_le64(&w, 0);
	put_bytes(&w, payload, len);
	rc = tsm_vendor(tsm, PCISIG_TDISP, &w, r, what);
	if (rc)
		return rc;
	version = get_u8(r);
	type = get_u8(r);
	get_le16(r);
	function = get_le32(r);
	get_le64(r);
	if (r->bad || version != TDISP_VERSION_10 || function != tsm->options->function_id)
		return tsm_fail(tsm, -EBADMSG, "%s: the answer is for another interface", what);
	if (type == TDISP_ERROR)
		return tsm_fail(tsm, -EREMOTEIO, "%s: TDISP error 0x%03x", what, get_le32(r));
	if (type != code - 0x80)
		return tsm_fail(tsm, -EBADMSG, "%s: the answer is of type 0x%02x", what, type);
	return 0;
}

static int state_ask(struct tsm *tsm)
{
	struct reader r;
	int rc = tdisp(tsm, TDISP_GET_STATE, NULL, 0, &r, "GET_DEVICE_INTERFACE_STATE");

	if (rc)
		return rc;
	tsm->result->state = get_u8(&r);
	return r.bad ? tsm_fail(tsm, -EBADMSG, "GET_DEVICE_INTERFACE_STATE: malformed") : 0;
}

static int state_is(struct tsm *tsm, uint8_t expected)
{
	int rc = state_ask(tsm);

	if (rc)
		return rc;
	if (tsm->result->state != expected)
		return tsm_fail(tsm, -EPROTO, "the interface is in state %u and should be in %u",
			tsm->result->state, expected);
	return 0;
}

static int tdisp_hello(struct tsm *tsm)
{
	static const uint8_t caps[4];
	struct tsm_result *result = tsm->result;
	struct reader r;
	bool known = false;
	int rc = tdisp(tsm, TDISP_GET_VERSION, NULL, 0, &r, "GET_TDISP_VERSION");

	if (rc)
		return rc;
	result->versions = get_u8(&r);
	for (unsigned int i = 0; i < result->versions; i++)
		known |= get_u8(&r) == TDISP_VERSION_10;
	if (r.bad || !known)
		return tsm_fail(tsm, -EPROTO, "GET_TDISP_VERSION: 1.0 is not there");
	rc = tdisp(tsm, TDISP_GET_CAPABILITIES, caps, 4, &r, "GET_TDISP_CAPABILITIES");
	if (rc)
		return rc;
	get_le32(&r);
	get_copy(&r, result->requests_supported, sizeof(result->requests_supported));
	result->lock_flags_supported = get_le16(&r);
	get_bytes(&r, 3);
	result->address_width = get_u8(&r);
	result->requests_this = get_u8(&r);
	result->requests_all = get_u8(&r);
	return r.bad ? tsm_fail(tsm, -EBADMSG, "GET_TDISP_CAPABILITIES: malformed") : 0;
}

/* Who was here before may have been cut off: what is locked or in ERROR is stopped first. */
static int leftover_stop(struct tsm *tsm)
{
	int rc = state_ask(tsm);

	return rc || tsm->result->state == TDISP_UNLOCKED ? rc : tsm_stop(tsm);
}

int tsm_lock(struct tsm *tsm)
{
	const struct tsm_options *options = tsm->options;
	uint8_t payload[20];
	struct writer w = writer_of(payload, sizeof(payload));
	struct reader r;
	int rc = tdisp_hello(tsm);

	if (!rc)
		rc = leftover_stop(tsm);
	if (rc)
		return rc;
	put_le16(&w, options->lock_flags & tsm->result->lock_flags_supported);
	put_u8(&w, options->stream);
	put_u8(&w, 0);
	put_le64(&w, options->reporting_offset);
	put_le64(&w, 0);
	rc = tdisp(tsm, TDISP_LOCK, payload, w.at, &r, "LOCK_INTERFACE");
	if (rc)
		return rc;
	get_copy(&r, tsm->result->nonce, TDISP_NONCE);
	tsm->result->done |= 1u << TSM_LOCK; /* whatever comes, it is to be stopped */
	if (r.bad)
		return tsm_fail(tsm, -EBADMSG, "LOCK_INTERFACE: no nonce in the answer");
	return state_is(tsm, TDISP_LOCKED);
}

/* Portions as they come; what is left after each must fit what was left before. */
static int report_read(struct tsm *tsm)
{
	struct tsm_result *result = tsm->result;
	uint32_t total = 0;

	do {
		uint8_t payload[4];
		struct writer w = writer_of(payload, sizeof(payload));
		uint32_t portion, left;
		const uint8_t *bytes;
		struct reader r;
		int rc;

		put_le16(&w, (uint16_t)result->report_len);
		put_le16(&w, PORTION);
		rc = tdisp(tsm, TDISP_GET_REPORT, payload, 4, &r, "GET_DEVICE_INTERFACE_REPORT");
		if (rc)
			return rc;
		portion = get_le16(&r);
		left = get_le16(&r);
		bytes = get_bytes(&r, portion);
		if (!bytes || !portion || portion > PORTION ||
			result->report_len + portion + left > TSM_REPORT_MAX ||
			(total && total != result->report_len + portion + left))
			return tsm_fail(tsm, -EBADMSG, "the report's portions do not fit together");
		memcpy(result->report + result->report_len, bytes, portion);
		result->report_len += portion;
		total = result->report_len + left;
	} while (result->report_len < total);
	return 0;
}

int tsm_report(struct tsm *tsm)
{
	struct tsm_result *result = tsm->result;
	char why[160] = "";
	int rc = report_read(tsm);

	if (rc)
		return rc;
	rc = tsm_interface_parse(result->report, result->report_len,
		tsm->options->lock_flags & result->lock_flags_supported, &result->interface, why,
		sizeof(why));
	return rc ? tsm_fail(tsm, rc, "the interface report lies: %s", why) : 0;
}

int tsm_start(struct tsm *tsm)
{
	struct reader r;
	int rc = tdisp(tsm, TDISP_START, tsm->result->nonce, TDISP_NONCE, &r, "START_INTERFACE");

	return rc ? rc : state_is(tsm, TDISP_RUN);
}

int tsm_stop(struct tsm *tsm)
{
	struct reader r;
	int rc = tdisp(tsm, TDISP_STOP, NULL, 0, &r, "STOP_INTERFACE");

	return rc ? rc : state_is(tsm, TDISP_UNLOCKED);
}

int tsm_end(struct tsm *tsm)
{
	return tsm_operation(tsm, SPDM_OP_END, "END_SESSION");
}

/* -- the report -------------------------------------------------------------------------------- */

#define ATTRIBUTES 0x000fu /* that there are */

static const char *range_wrong(
	const struct tsm_interface *in, uint32_t i, uint16_t lock_flags)
{
	const struct tsm_range *range = &in->range[i];
	uint16_t msix = TDISP_RANGE_MSIX_TABLE | TDISP_RANGE_MSIX_PBA;

	if (!range->pages)
		return "an empty range";
	if (range->first > (UINT64_MAX >> PAGE_SHIFT) - range->pages + 1)
		return "a range past the end of the address space";
	if (range->attributes & ~ATTRIBUTES)
		return "a reserved attribute";
	if ((range->attributes & msix) && !(lock_flags & TDISP_LOCK_MSIX))
		return "MSI-X pages, which were not locked";
	if (range->id > 7)
		return "a range of a BAR that cannot be";
	if (i && (range->id < in->range[i - 1].id ||
			 (range->id == in->range[i - 1].id && range->first < in->range[i - 1].first)))
		return "ranges not in the order of their BARs and addresses";
	for (uint32_t k = 0; k < i; k++)
		if (range->first < in->range[k].first + in->range[k].pages &&
			in->range[k].first < range->first + range->pages)
			return "ranges that overlap";
	return NULL;
}

int tsm_interface_parse(const uint8_t *report, size_t len, uint16_t lock_flags,
	struct tsm_interface *out, char *why, size_t why_len)
{
	struct reader r = reader_of(report, len);
	const char *wrong = NULL;

	*out = (struct tsm_interface){.info = get_le16(&r)};
	get_le16(&r);
	out->msix_control = get_le16(&r);
	out->lnr_control = get_le16(&r);
	out->tph_control = get_le32(&r);
	out->ranges = get_le32(&r);
	if (r.bad || out->ranges > reader_left(&r) / RANGE_BYTES || out->ranges > TSM_RANGES)
		wrong = "more ranges than it has room for";
	for (uint32_t i = 0; !wrong && i < out->ranges; i++) {
		struct tsm_range *range = &out->range[i];

		range->first = get_le64(&r);
		range->pages = get_le32(&r);
		range->attributes = get_le16(&r);
		range->id = get_le16(&r);
		wrong = range_wrong(out, i, lock_flags);
	}
	if (!wrong) {
		out->device_info_len = get_le32(&r);
		out->device_info = get_bytes(&r, out->device_info_len);
		if (r.bad || reader_left(&r))
			wrong = "its length is not what its fields say";
	}
	if (wrong)
		snprintf(why, why_len, "%s", wrong);
	return wrong ? -EBADMSG : 0;
}
