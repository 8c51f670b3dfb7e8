/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The TDISP responder, PCIe 6.x 11.3: message codec, and in which TDI states each request is legal.
 * Checks come in the order version, length, request known, interface, state, contents; a request
 * that fails one of them changes nothing.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "device/dsm.h"
#include "image/mutant.h"
#include "trace/trace.h"

#define IN(state) (1u << (state))
#define ANY (IN(TDISP_UNLOCKED) | IN(TDISP_LOCKED) | IN(TDISP_RUN) | IN(TDISP_ERROR_STATE))

#define FUNCTION_SEGMENT_VALID (1u << 24)
#define FUNCTION_RESERVED 0xfe000000u
#define EMU_RID 0xbeefu		/* the one FUNCTION_ID that DMTF's requester knows */

#define DSM_ADDR_WIDTH 52u
#define DSM_NUM_REQUESTS 1u	/* one request outstanding, for this TDI and for all */
#define LOCK_FLAGS_SUPPORTED \
	(TDISP_LOCK_NO_FW_UPDATE | TDISP_LOCK_CACHE_LINE_128 | TDISP_LOCK_MSIX | \
	 TDISP_LOCK_BIND_P2P | TDISP_LOCK_ALL_REDIRECT)
/* Codes 0x81..0x8a, bit n is 0x80 + n; no VDM: this device has no vendor protocol. */
#define REQUESTS_SUPPORTED 0x07feu

struct request {
	const struct dsm *dsm;
	const struct tdi *tdi;
	uint32_t session;
	struct reader body;
	struct writer reply;	/* positioned after the header */
};

static enum tdisp_error handle_version(struct request *rq)
{
	put_u8(&rq->reply, 1);
	put_u8(&rq->reply, TDISP_VERSION_10);
	return TDISP_OK;
}

static enum tdisp_error handle_capabilities(struct request *rq)
{
	uint32_t requests = REQUESTS_SUPPORTED;
	struct writer *w = &rq->reply;

	if (rq->dsm->quirks & QUIRK_REQ_MSGS_FROM_BIT0)
		requests >>= 1;
	put_le32(w, 0);			/* DSM_CAPS: all reserved */
	put_le32(w, requests);
	put_space(w, 12);
	put_le16(w, LOCK_FLAGS_SUPPORTED);
	put_space(w, 3);
	put_u8(w, DSM_ADDR_WIDTH);
	put_u8(w, DSM_NUM_REQUESTS);
	put_u8(w, DSM_NUM_REQUESTS);
	return TDISP_OK;
}

static enum tdisp_error handle_lock(struct request *rq)
{
	struct tdi_lock lock;
	enum tdisp_error error;

	lock.flags = get_le16(&rq->body);
	lock.stream = get_u8(&rq->body);
	get_u8(&rq->body);
	lock.reporting_offset = get_le64(&rq->body);
	lock.p2p_mask = get_le64(&rq->body);
	if (lock.flags & ~LOCK_FLAGS_SUPPORTED)
		return TDISP_INVALID_REQUEST;
	error = tdi_lock(rq->tdi, rq->session, &lock);
	if (!error)
		put_bytes(&rq->reply, rq->tdi->nonce, TDISP_NONCE);
	return error;
}

static enum tdisp_error handle_report(struct request *rq)
{
	const struct tdi *tdi = rq->tdi;
	uint32_t offset = get_le16(&rq->body), length = get_le16(&rq->body);
	uint8_t report[TDI_REPORT_MAX];
	uint32_t left, room;

	if (offset >= tdi->report_len || !length)
		return TDISP_INVALID_REQUEST;
	left = tdi->report_len - offset;
	room = (uint32_t)(rq->reply.cap - rq->reply.at - 4);
	if (length > left)
		length = left;
	if (length > room)
		length = room;
	memcpy(report, tdi->report, tdi->report_len);
	/* The lie is the same in every portion of one report. */
	for (int fault = 0; fault < DEVICE_FAULT_MAX; fault++)
		if (tdi->faults[fault] && report_lie(report, tdi->report_len, fault) &&
			length == left)
			tdi_fault_take(tdi, fault);
	put_le16(&rq->reply, (uint16_t)length);
	put_le16(&rq->reply, (uint16_t)(left - length));
	put_bytes(&rq->reply, report + offset, length);
	return TDISP_OK;
}

static enum tdisp_error handle_state(struct request *rq)
{
	put_u8(&rq->reply, rq->tdi->state);
	return TDISP_OK;
}

static enum tdisp_error handle_start(struct request *rq)
{
	uint8_t nonce[TDISP_NONCE];

	get_copy(&rq->body, nonce, sizeof(nonce));
	return tdi_start(rq->tdi, nonce);
}

static enum tdisp_error handle_stop(struct request *rq)
{
	if (rq->tdi->state == TDISP_UNLOCKED && (rq->dsm->quirks & QUIRK_STOP_UNLOCKED_ERROR))
		return TDISP_INVALID_INTERFACE_STATE;
	tdi_stop(rq->tdi);
	return TDISP_OK;
}

static enum tdisp_error handle_p2p_bind(struct request *rq)
{
	return tdi_p2p_bind(rq->tdi, get_u8(&rq->body));
}

static enum tdisp_error handle_p2p_unbind(struct request *rq)
{
	return tdi_p2p_unbind(rq->tdi, get_u8(&rq->body));
}

static enum tdisp_error handle_set_attribute(struct request *rq)
{
	uint64_t first = get_le64(&rq->body);
	uint32_t pages = get_le32(&rq->body);
	uint16_t attributes = get_le16(&rq->body);

	return report_set_attribute(rq->tdi, first, pages, attributes, get_le16(&rq->body));
}

struct request_type {
	const char *name;
	uint16_t states;		/* legal in */
	uint16_t length;		/* of the body after the header */
	enum tdisp_error (*handle)(struct request *rq);
};

static const struct request_type request_types[] = {
	[TDISP_GET_VERSION - 0x81] = { "GET_TDISP_VERSION", ANY, 0, handle_version },
	[TDISP_GET_CAPABILITIES - 0x81] = { "GET_TDISP_CAPABILITIES", ANY, 4, handle_capabilities },
	[TDISP_LOCK - 0x81] = { "LOCK_INTERFACE", IN(TDISP_UNLOCKED), 20, handle_lock },
	[TDISP_GET_REPORT - 0x81] = { "GET_DEVICE_INTERFACE_REPORT",
		IN(TDISP_LOCKED) | IN(TDISP_RUN), 4, handle_report },
	[TDISP_GET_STATE - 0x81] = { "GET_DEVICE_INTERFACE_STATE", ANY, 0, handle_state },
	[TDISP_START - 0x81] = { "START_INTERFACE", IN(TDISP_LOCKED), TDISP_NONCE, handle_start },
	[TDISP_STOP - 0x81] = { "STOP_INTERFACE", ANY, 0, handle_stop },
	[TDISP_BIND_P2P - 0x81] = { "BIND_P2P_STREAM", IN(TDISP_RUN), 1, handle_p2p_bind },
	[TDISP_UNBIND_P2P - 0x81] = { "UNBIND_P2P_STREAM", IN(TDISP_RUN), 1, handle_p2p_unbind },
	[TDISP_SET_MMIO_ATTRIBUTE - 0x81] = { "SET_MMIO_ATTRIBUTE", IN(TDISP_RUN), 16,
		handle_set_attribute },
};

static const struct request_type *request_type(uint8_t code)
{
	unsigned int index = code - 0x81u;

	if (index >= sizeof(request_types) / sizeof(request_types[0]))
		return NULL;
	return &request_types[index];
}

static const struct { enum tdisp_error error; const char *name; } error_names[] = {
	{ TDISP_OK, "" },
	{ TDISP_INVALID_REQUEST, "INVALID_REQUEST" },
	{ TDISP_BUSY, "BUSY" },
	{ TDISP_INVALID_INTERFACE_STATE, "INVALID_INTERFACE_STATE" },
	{ TDISP_UNSPECIFIED, "UNSPECIFIED" },
	{ TDISP_UNSUPPORTED_REQUEST, "UNSUPPORTED_REQUEST" },
	{ TDISP_VERSION_MISMATCH, "VERSION_MISMATCH" },
	{ TDISP_VENDOR_SPECIFIC, "VENDOR_SPECIFIC_ERROR" },
	{ TDISP_INVALID_INTERFACE, "INVALID_INTERFACE" },
	{ TDISP_INVALID_NONCE, "INVALID_NONCE" },
	{ TDISP_INSUFFICIENT_ENTROPY, "INSUFFICIENT_ENTROPY" },
	{ TDISP_INVALID_DEVICE_CONFIGURATION, "INVALID_DEVICE_CONFIGURATION" },
};

const char *tdisp_error_name(enum tdisp_error error)
{
	for (size_t i = 0; i < sizeof(error_names) / sizeof(error_names[0]); i++)
		if (error_names[i].error == error)
			return error_names[i].name;
	return "?";
}

/* INTERFACE_ID: a TDI of this DSM, or NULL. */
static const struct tdi *interface_of(const struct dsm *dsm, const uint8_t id[12])
{
	struct reader r = reader_of(id, 12);
	uint32_t function = get_le32(&r);
	uint32_t segment = function >> 16 & 0xff;
	uint16_t rid = (uint16_t)function;
	const struct function *fn;

	if ((function & FUNCTION_RESERVED) || get_le64(&r))
		return NULL;
	if ((rid == EMU_RID && (dsm->quirks & QUIRK_EMU_FUNCTION_ID)) ||
		(dsm->alias && rid == dsm->alias))
		rid = dsm->rid;
	fn = function_find(dsm->rid);
	if (!fn || ((function & FUNCTION_SEGMENT_VALID) ? segment != fn->segment : segment))
		return NULL;
	return dsm_tdi(dsm, rid);
}

static enum tdisp_error request_check(
	struct request *rq, const struct request_type *type, bool version_ok)
{
	const struct tdi *tdi = rq->tdi;

	if (!version_ok)
		return TDISP_VERSION_MISMATCH;
	if (!type)
		return TDISP_UNSUPPORTED_REQUEST;
	if (reader_left(&rq->body) != type->length)
		return TDISP_INVALID_REQUEST;
	if (!tdi)
		return TDISP_INVALID_INTERFACE;
	/* A VF that was disabled while locked can still be asked about and stopped. */
	if (tdi_fault_take(tdi, DEVICE_FAULT_TDISP_BUSY))
		return TDISP_BUSY;
	if (tdi->state == TDISP_ERROR_STATE && mutant(MUTANT_START_IN_ERROR))
		return TDISP_OK;
	return type->states & IN(tdi->state) ? TDISP_OK : TDISP_INVALID_INTERFACE_STATE;
}

static struct trace_call request_trace(
	const struct request *rq, const struct request_type *type, uint8_t code)
{
	char name[TRACE_NAME];

	if (type)
		snprintf(name, sizeof(name), "TDISP %s", type->name);
	else
		snprintf(name, sizeof(name), "TDISP 0x%02x", code);
	return TRACE_CALL(LANE_FIRMWARE, LANE_DEVICE, name, A("rid", rq->tdi ? rq->tdi->rid : 0),
		A("session", rq->session), A("state", rq->tdi ? rq->tdi->state : 0));
}

static void reply_error(struct request *rq, enum tdisp_error error, uint8_t code)
{
	rq->reply.at = TDISP_HEADER;
	rq->reply.bad = false;
	rq->reply.p[1] = TDISP_ERROR;
	put_le32(&rq->reply, error);
	put_le32(&rq->reply, error == TDISP_UNSUPPORTED_REQUEST ? code : 0);
}

static int message_handle(const struct dsm *dsm, uint32_t session, const uint8_t *body, size_t len,
			  uint8_t *reply, size_t cap)
{
	struct request rq = { .dsm = dsm, .session = session, .body = reader_of(body, len),
		.reply = writer_of(reply, cap) };
	uint8_t version = get_u8(&rq.body), code = get_u8(&rq.body), id[12];
	const struct request_type *type = request_type(code);
	struct trace_call call;
	enum tdisp_error error;

	if (cap < TDISP_HEADER + 8)
		return -ENOMSG;
	get_le16(&rq.body);
	get_copy(&rq.body, id, sizeof(id));
	put_u8(&rq.reply, TDISP_VERSION_10);
	put_u8(&rq.reply, code & 0x7f);
	put_le16(&rq.reply, 0);
	put_bytes(&rq.reply, id, sizeof(id));
	rq.tdi = rq.body.bad ? NULL : interface_of(dsm, id);
	call = request_trace(&rq, type, code);
	error = rq.body.bad ? TDISP_INVALID_REQUEST
			    : request_check(&rq, type, version == TDISP_VERSION_10);
	if (!error)
		error = type->handle(&rq);
	if (!error && rq.reply.bad)
		error = TDISP_UNSPECIFIED;
	if (error)
		reply_error(&rq, error, code);
	trace_return_as(&call, TRACE_RESULT_TDISP, error, tdisp_error_name(error));
	return (int)rq.reply.at;
}

int tdisp_handle(const struct dsm *dsm, uint32_t session, const uint8_t *body, size_t len,
		 uint8_t *reply, size_t cap)
{
	return session ? message_handle(dsm, session, body, len, reply, cap) : -ENOMSG;
}

int device_tdisp_in_clear(uint16_t rid, const uint8_t *req, size_t len, uint8_t *rsp, size_t cap)
{
	const struct dsm *dsm = dsm_of(rid);
	uint8_t refused[TDISP_HEADER] = { 0 };

	if (!dsm)
		return -ENOENT;
	if (len < TDISP_HEADER)
		return -ENOMSG;
	if (req[1] == TDISP_GET_STATE)
		return message_handle(dsm, 0, req, len, rsp, cap);
	memcpy(refused, req, sizeof(refused));
	refused[1] = 0;		/* no request has this code: UNSUPPORTED_REQUEST */
	return message_handle(dsm, 0, refused, sizeof(refused), rsp, cap);
}
