/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The device security manager: DOE objects in, SPDM answers out, and the events that concern every
 * TDI of the device at once (session ended, stream insecure, conventional reset).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "device/dsm.h"
#include "image/mutant.h"
#include "hardware/doe.h"
#include "trace/trace.h"

#define DOE_HEADER 8u
#define DOE_VENDOR_PCISIG 1u

/* What the callbacks of one message need; lives on the stack of dsm_doe_object(). */
struct visit { const struct dsm *dsm; bool vendor; };

const struct dsm *dsm_first(void)
{
	const struct device_root *root = image_root(IMAGE_ROOT_DEVICE);

	return root ? root->first : NULL;
}

const struct dsm *dsm_of(uint16_t rid)
{
	for (const struct dsm *dsm = dsm_first(); dsm; dsm = dsm->next)
		if (rid >= dsm->rid && rid <= dsm->rid + DSM_MAX_VFS)
			return dsm;
	return NULL;
}

const struct tdi *dsm_tdi(const struct dsm *dsm, uint16_t rid)
{
	for (const struct tdi *tdi = dsm->tdis; tdi; tdi = tdi->next)
		if (tdi->rid == rid && (tdi->state != TDISP_UNLOCKED || function_find(rid)))
			return tdi;
	return NULL;
}

int dsm_tdi_add(const struct dsm *dsm, uint16_t rid, const struct tdi **out)
{
	struct tdi *tdi;

	/* A TDI outlives its VF: what was locked when the VF went stays to be stopped. */
	for (const struct tdi *old = dsm->tdis; old; old = old->next)
		if (old->rid == rid) {
			*out = old;
			return 0;
		}
	tdi = image_alloc(sizeof(*tdi), IMAGE_TYPE_TDI);
	if (!tdi)
		return -ENOMEM;
	tdi->dsm = dsm;
	tdi->rid = rid;
	tdi->next = dsm->tdis;
	*(const struct tdi **)image_write(&dsm->tdis) = tdi;
	*out = tdi;
	return 0;
}

int dsm_create(const struct function *pf)
{
	const struct device_root *root = image_root(IMAGE_ROOT_DEVICE);
	struct spdm_responder *responder;
	struct dsm *dsm;
	int rc;

	if (!root)
		return -ENODEV;
	dsm = image_alloc(sizeof(*dsm), IMAGE_TYPE_DSM);
	responder = image_alloc(spdm_responder_size(), IMAGE_TYPE_SPDM);
	if (!dsm || !responder) {
		rc = -ENOMEM;
		goto free;
	}
	dsm->rid = pf->rid;
	dsm->root_port = pf->root_port;
	dsm->responder = responder;
	spdm_responder_init(responder);
	rc = identity_make(dsm);
	if (rc)
		goto free;
	dsm->next = root->first;
	*(const struct dsm **)image_write(&root->first) = dsm;
	return 0;
free:
	image_free(responder);
	image_free(dsm);
	return rc;
}

/* -- SPDM ------------------------------------------------------------------------------------- */

static int on_vendor(void *owner, uint32_t session, uint8_t protocol, const uint8_t *body,
	size_t len, uint8_t *reply, size_t cap)
{
	struct visit *visit = owner;

	visit->vendor = true;
	if (protocol == PCISIG_IDE_KM)
		return ide_km_handle(visit->dsm, session, body, len, reply, cap);
	if (protocol == PCISIG_TDISP)
		return tdisp_handle(visit->dsm, session, body, len, reply, cap);
	return -EOPNOTSUPP;
}

/* TDIs first, so that their cause is the session and not the stream it takes along. */
void dsm_session_end(const struct dsm *dsm, uint32_t session)
{
	for (const struct tdi *tdi = dsm->tdis; tdi; tdi = tdi->next)
		if (tdi->session == session || dsm->key_session == session)
			tdi_break(tdi, TDI_CAUSE_SESSION);
	ide_km_session_ended(dsm, session);
	TRACE_STATE(
		LANE_DEVICE, "SPDM session", A("rid", dsm->rid), A("session", session), A("to", 0));
}

static void on_session_ended(void *owner, uint32_t session)
{
	const struct visit *visit = owner;

	dsm_session_end(visit->dsm, session);
}

static const struct spdm_responder_ops responder_ops = {
	.vendor = on_vendor,
	.session_ended = on_session_ended,
};

static const struct { uint8_t code; const char *name; } spdm_names[] = {
	{ 0x84, "GET_VERSION" }, { 0xe1, "GET_CAPABILITIES" }, { 0xe3, "NEGOTIATE_ALGORITHMS" },
	{ 0x81, "GET_DIGESTS" }, { 0x82, "GET_CERTIFICATE" }, { 0x83, "CHALLENGE" },
	{ 0xe0, "GET_MEASUREMENTS" }, { 0xe4, "KEY_EXCHANGE" }, { 0xe5, "FINISH" },
	{ 0xe8, "HEARTBEAT" }, { 0xe9, "KEY_UPDATE" }, { 0xec, "END_SESSION" },
	{ 0xfe, "VENDOR_DEFINED" },
};

static struct trace_call visit_trace(const struct dsm *dsm, const struct spdm_wire *in)
{
	char name[TRACE_NAME] = "SPDM secured message";

	if (in->doe_type == DOE_TYPE_CMA) {
		uint8_t code = in->len > 1 ? in->data[1] : 0;

		snprintf(name, sizeof(name), "SPDM 0x%02x", code);
		for (size_t i = 0; i < sizeof(spdm_names) / sizeof(spdm_names[0]); i++)
			if (spdm_names[i].code == code)
				snprintf(name, sizeof(name), "SPDM %s", spdm_names[i].name);
	}
	return TRACE_CALL(LANE_FIRMWARE, LANE_DEVICE, name, A("rid", dsm->rid), A("len", in->len));
}

/* An injected want of time goes to the responder, which knows which requests may be put off. */
static void put_off_inject(const struct dsm *dsm)
{
	const struct tdi *tdi = dsm_tdi(dsm, dsm->rid);
	uint32_t busy = tdi ? tdi->faults[DEVICE_FAULT_SPDM_BUSY] : 0;
	uint32_t not_ready = tdi ? tdi->faults[DEVICE_FAULT_SPDM_NOT_READY] : 0;

	if (!busy && !not_ready)
		return;
	spdm_responder_put_off(image_log(dsm->responder, spdm_responder_size()),
		busy < UINT8_MAX ? (uint8_t)busy : UINT8_MAX,
		not_ready < UINT8_MAX ? (uint8_t)not_ready : UINT8_MAX);
	tdi_write(tdi)->faults[DEVICE_FAULT_SPDM_BUSY] = 0;
	tdi_write(tdi)->faults[DEVICE_FAULT_SPDM_NOT_READY] = 0;
}

/* What is inside a record only the responder knows: IDE_KM and TDISP requests are traced where they
 * are handled, anything else as a secured message. */
static int visit_handle(struct visit *visit, const struct spdm_wire *in, struct spdm_wire *out)
{
	const struct dsm *dsm = visit->dsm;
	bool clear = in->doe_type == DOE_TYPE_CMA;
	struct spdm_measurement measurements[DSM_MEASUREMENTS];
	struct spdm_identity identity;
	struct trace_call call;
	int rc;

	put_off_inject(dsm);
	identity_get(dsm, &identity, measurements);
	if (clear)
		call = visit_trace(dsm, in);
	rc = spdm_responder_handle(image_log(dsm->responder, spdm_responder_size()), &identity,
		&responder_ops, visit, in, out);
	if (!clear && visit->vendor)
		return rc;
	if (!clear)
		call = visit_trace(dsm, in);
	trace_return(&call, rc, rc ? "no answer" : "");
	return rc;
}

static int wire_in(const uint8_t *req, size_t len, struct spdm_wire *in)
{
	struct reader r = reader_of(req, len);
	uint16_t vendor = get_le16(&r);

	in->doe_type = get_u8(&r);
	get_u8(&r);
	get_le32(&r);
	in->len = reader_left(&r);
	if (in->doe_type == DOE_TYPE_CMA && in->len > sizeof(in->data))
		in->len = sizeof(in->data); /* enough to be told that it is too large */
	if (r.bad || vendor != DOE_VENDOR_PCISIG || in->len > sizeof(in->data))
		return -ENOMSG;
	if (in->doe_type != DOE_TYPE_CMA && in->doe_type != DOE_TYPE_SECURED)
		return -ENOMSG;
	get_copy(&r, in->data, in->len);
	return 0;
}

static int wire_out(const struct spdm_wire *out, uint8_t *rsp, size_t cap, size_t *rsp_len)
{
	size_t padded = (out->len + 3) & ~(size_t)3;
	struct writer w = writer_of(rsp, cap);

	put_le16(&w, DOE_VENDOR_PCISIG);
	put_u8(&w, out->doe_type);
	put_u8(&w, 0);
	put_le32(&w, (uint32_t)((DOE_HEADER + padded) / 4));
	put_bytes(&w, out->data, out->len);
	put_space(&w, padded - out->len);
	if (w.bad)
		return -ENOMSG;
	*rsp_len = w.at;
	return 0;
}

int dsm_doe_object(const struct function *fn, const uint8_t *req, size_t len, uint8_t *rsp,
	size_t cap, size_t *rsp_len)
{
	const struct dsm *dsm = dsm_of(fn->rid);
	struct visit visit = { .dsm = dsm };
	struct spdm_wire in, out;

	if (!dsm || wire_in(req, len, &in) || visit_handle(&visit, &in, &out))
		return -ENOMSG;
	return wire_out(&out, rsp, cap, rsp_len);
}

/* -- events of the whole device --------------------------------------------------------------- */

void dsm_session_drop(const struct dsm *dsm)
{
	struct visit visit = { .dsm = dsm };

	spdm_responder_reset(
		image_log(dsm->responder, spdm_responder_size()), &responder_ops, &visit);
}

void dsm_stream_changed(const struct function *fn, uint16_t stream, bool secure)
{
	const struct dsm *dsm = dsm_of(fn->rid);

	if (!dsm || secure || mutant(MUTANT_IGNORE_INSECURE))
		return;
	for (const struct tdi *tdi = dsm->tdis; tdi; tdi = tdi->next)
		if (tdi_stream_bound(tdi, stream))
			tdi_break(tdi, TDI_CAUSE_INSECURE);
	ide_km_stream_lost(dsm, stream);
}

void dsm_reset(const struct dsm *dsm)
{
	for (const struct tdi *tdi = dsm->tdis; tdi; tdi = tdi->next)
		tdi_stop(tdi);
	dsm_session_drop(dsm);
	ide_km_reset(dsm);
}
