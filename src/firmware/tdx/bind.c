/* SPDX-License-Identifier: BSD-2-Clause */
/* The TDISP conversations with a TDI that the host may ask for: bind to stop. */
#include "firmware/tdx/internal.h"
#include "image/mutant.h"

#define PAGES_A_CALL 512u		/* of a report, before BIND lets the host breathe */

/* The answer to a request that may have changed the TDI: from here on we know again. */
static const uint8_t *reply_of(struct dialog *dialog, uint8_t code, const struct tdx_tdi *tdi,
			       size_t min, size_t *len, uint64_t *status)
{
	const uint8_t *payload = tdisp_reply(dialog, code, tdi->func_id, min, len, status);

	tdi_write(tdi)->uncertain = false;
	return payload;
}

static uint64_t bind_lock(struct dialog *dialog, const struct tdx_tdi *tdi)
{
	const struct tdx_args *args = dialog->args;
	uint8_t body[20];
	struct writer w = writer_of(body, sizeof(body));

	tdi_write(tdi)->reporting_offset = args->r12;
	tdi_write(tdi)->uncertain = true;
	tdisp_lock_put(&w, (uint16_t)args->rdx, tdi->stream->id, args->r12, args->r13);
	return tdisp_send(dialog, dialog->step + 1, TDISP_LOCK, tdi->func_id, body, w.at);
}

static uint64_t report_ask(struct dialog *dialog, unsigned int next, const struct tdx_tdi *tdi,
			   uint32_t from)
{
	uint8_t body[4];
	struct writer w = writer_of(body, sizeof(body));

	tdisp_report_put(&w, from);
	return tdisp_send(dialog, next, TDISP_GET_REPORT, tdi->func_id, body, w.at);
}

static uint64_t bind_version(struct dialog *dialog, const struct tdx_tdi *tdi)
{
	static const uint8_t tsm_caps[4];
	uint64_t status;
	size_t len;
	const uint8_t *payload =
		tdisp_reply(dialog, TDISP_GET_VERSION, tdi->func_id, 1, &len, &status);

	if (!payload)
		return status;
	if (!tdisp_speaks_10(payload, len))
		return TDX_SPDM_PROTOCOL_ERROR;
	return tdisp_send(dialog, dialog->step + 1, TDISP_GET_CAPABILITIES, tdi->func_id, tsm_caps,
			  sizeof(tsm_caps));
}

static uint64_t bind_capabilities(struct dialog *dialog, const struct tdx_tdi *tdi)
{
	uint64_t status;
	size_t len;
	const uint8_t *payload =
		tdisp_reply(dialog, TDISP_GET_CAPABILITIES, tdi->func_id, TDISP_CAPABILITIES_LEN,
			    &len, &status);

	if (!payload)
		return status;
	if (dialog->args->rdx & ~(uint64_t)tdisp_lock_flags(payload, len))
		return tdx_invalid(TDX_RDX);
	return bind_lock(dialog, tdi);
}

static uint64_t bind_locked(struct dialog *dialog, const struct tdx_tdi *tdi)
{
	uint64_t status;
	size_t len;
	const uint8_t *nonce = reply_of(dialog, TDISP_LOCK, tdi, TDISP_NONCE, &len, &status);

	if (!nonce)
		return status;
	tdi_state_set(tdi, TDISP_LOCKED);
	memcpy(tdi_write(tdi)->nonce, nonce, TDISP_NONCE);
	return tdisp_send(dialog, dialog->step + 1, TDISP_GET_STATE, tdi->func_id, NULL, 0);
}

static uint64_t bind_state(struct dialog *dialog, const struct tdx_tdi *tdi)
{
	uint64_t status;
	size_t len;
	const uint8_t *state = tdisp_reply(dialog, TDISP_GET_STATE, tdi->func_id, 1, &len, &status);

	if (!state)
		return status;
	if (*state != TDISP_LOCKED) {
		tdi_state_set(tdi, TDISP_ERROR_STATE);
		return TDX_TDI_TDISP_INVALID_STATE;
	}
	tdi_write(tdi)->report_len = 0;
	return report_ask(dialog, dialog->step + 1, tdi, 0);
}

static uint64_t bind_report(struct dialog *dialog, const struct tdx_tdi *tdi)
{
	uint64_t status;
	size_t len;
	const uint8_t *payload =
		tdisp_reply(dialog, TDISP_GET_REPORT, tdi->func_id, 4, &len, &status);

	if (!payload)
		return status;
	status = report_add(tdi, payload, len);
	if (status == TDX_INTERRUPTED_RESUMABLE)
		return report_ask(dialog, dialog->step, tdi, tdi->report_len);
	if (!status)
		status = report_parse(tdi);
	tdi_write(tdi)->associated = 0;
	dialog->next = dialog->step + 1;
	return status ? status : TDX_INTERRUPTED_RESUMABLE;
}

/* The per-page associations, so many a call. */
static uint64_t bind_associate(struct dialog *dialog, const struct tdx_tdi *tdi)
{
	struct tdx_tdi *w = tdi_write(tdi);

	if (tdi->pages_total - tdi->associated > PAGES_A_CALL) {
		w->associated += PAGES_A_CALL;
		return TDX_INTERRUPTED_RESUMABLE;
	}
	w->associated = tdi->pages_total;
	w->bound = true;
	w->bind_session = tdx_module()->next_session;
	if (!mutant(MUTANT_SESSION_REUSE))
		tdx_module_write()->next_session++;
	TRACE_STATE(LANE_FIRMWARE, "TDI bind", A("func", tdi->func_id),
		    A("session", tdi->bind_session));
	dialog->args->rcx = tdi->bind_session;
	return TDX_SUCCESS;
}

static uint64_t bind_begin(struct dialog *dialog, const struct tdx_tdi *tdi)
{
	return tdisp_send(dialog, dialog->step + 1, TDISP_GET_VERSION, tdi->func_id, NULL, 0);
}

static uint64_t bind_step(struct dialog *dialog)
{
	static uint64_t (*const steps[])(struct dialog *dialog, const struct tdx_tdi *tdi) = {
		bind_begin, bind_version, bind_capabilities, bind_locked,
		bind_state, bind_report,  bind_associate,
	};

	return steps[dialog->step](dialog, tdi_of(dialog->args->rcx));
}

static uint64_t stream_check(const struct tdx_stream *stream)
{
	if (stream->blocked)
		return TDX_IDE_STREAM_BLOCKED;
	return stream->keyed && ide_secure(stream->root_port, stream->id)
		       ? TDX_SUCCESS
		       : TDX_IDE_STREAM_INVALID_STATE;
}

static uint64_t tdi_bind(struct tdx_args *args)
{
	const struct tdx_tdi *tdi = tdi_of(args->rcx);

	if (!tdi)
		return TDX_TDI_NOT_PRESENT | TDX_RCX;
	if (args->r12 % PHYS_PAGE)
		return tdx_invalid(TDX_R12);
	if (dialog_begins(tdi->stream->spdm, TDX_TDI_BIND, args)) {
		uint64_t status = stream_check(tdi->stream);

		if (status)
			return status;
		if (!tdi_is_unlocked(tdi))
			return TDX_TDI_TDISP_INVALID_STATE | TDX_RCX;
		if (args->rdx > UINT16_MAX)
			return tdx_invalid(TDX_RDX);
	}
	return dialog_run(tdi->stream->spdm, TDX_TDI_BIND, args, bind_step);
}

/* The device is asked again, so that the host cannot be handed what the module keeps for the guest
 * by mistake; the digest the guest compares with stays that of the bind. */
static uint64_t report_step(struct dialog *dialog)
{
	const struct tdx_tdi *tdi = tdi_of(dialog->args->rcx);
	const uint8_t *payload, *bytes;
	size_t len, portion;
	uint64_t status;
	struct reader r;

	if (!dialog->step)
		return report_ask(dialog, 1, tdi, 0);
	payload = tdisp_reply(dialog, TDISP_GET_REPORT, tdi->func_id, 4, &len, &status);
	if (!payload)
		return status;
	r = reader_of(payload, len);
	portion = get_le16(&r);
	status = get_le16(&r) ? TDX_SPDM_PROTOCOL_ERROR : TDX_SUCCESS;
	bytes = get_bytes(&r, portion);
	if (!bytes || status)
		return TDX_SPDM_PROTOCOL_ERROR;
	tdx_list_write(dialog->args->r12, bytes, portion);
	dialog->args->r13 = portion;
	return TDX_SUCCESS;
}

static uint64_t tdi_report(struct tdx_args *args)
{
	const struct tdx_tdi *tdi = tdi_of(args->rcx);

	if (!tdi)
		return TDX_TDI_NOT_PRESENT | TDX_RCX;
	if (!tdx_list_ok(args->r12))
		return tdx_invalid(TDX_R12);
	if (dialog_begins(tdi->stream->spdm, TDX_TDI_REPORT, args) && !tdi->bound)
		return TDX_TDI_INVALID_STATE | TDX_RCX;
	return dialog_run(tdi->stream->spdm, TDX_TDI_REPORT, args, report_step);
}

static uint64_t state_step(struct dialog *dialog)
{
	const struct tdx_tdi *tdi = tdi_of(dialog->args->rcx);
	const uint8_t *state;
	uint64_t status;
	size_t len;

	if (!dialog->step)
		return tdisp_send(dialog, 1, TDISP_GET_STATE, tdi->func_id, NULL, 0);
	state = tdisp_reply(dialog, TDISP_GET_STATE, tdi->func_id, 1, &len, &status);
	if (!state)
		return status;
	if (*state > TDISP_ERROR_STATE)
		return TDX_SPDM_PROTOCOL_ERROR;
	/* A lock or a start that is not known to be ours is worth nothing. */
	if ((*state == TDISP_LOCKED || *state == TDISP_RUN) && *state != tdi->tdisp_state)
		tdi_state_set(tdi, TDISP_ERROR_STATE);
	else
		tdi_state_set(tdi, (enum tdisp_state)*state);
	dialog->args->rcx = *state;
	dialog->args->rdx = tdi->bind_session;
	return TDX_SUCCESS;
}

static uint64_t tdi_state(struct tdx_args *args)
{
	const struct tdx_tdi *tdi = tdi_of(args->rcx);

	if (!tdi)
		return TDX_TDI_NOT_PRESENT | TDX_RCX;
	return dialog_run(tdi->stream->spdm, TDX_TDI_STATE, args, state_step);
}

static uint64_t start_step(struct dialog *dialog)
{
	const struct tdx_tdi *tdi = tdi_of(dialog->args->rcx);
	uint64_t status;
	size_t len;

	if (!dialog->step) {
		tdi_write(tdi)->uncertain = true;
		return tdisp_send(dialog, 1, TDISP_START, tdi->func_id, tdi->nonce, TDISP_NONCE);
	}
	if (reply_of(dialog, TDISP_START, tdi, 0, &len, &status))
		tdi_state_set(tdi, TDISP_RUN);
	return status;
}

static uint64_t tdi_start(struct tdx_args *args)
{
	const struct tdx_tdi *tdi = tdi_of(args->rcx);

	if (!tdi)
		return TDX_TDI_NOT_PRESENT | TDX_RCX;
	if (dialog_begins(tdi->stream->spdm, TDX_TDI_START, args)) {
		uint64_t status = stream_check(tdi->stream);

		if (status)
			return status;
		if (!tdi->bound || tdi->tdisp_state != TDISP_LOCKED || tdi->uncertain)
			return TDX_TDI_TDISP_INVALID_STATE | TDX_RCX;
		if (!tdi->authorised && !mutant(MUTANT_START_UNAUTHORISED))
			return TDX_TDI_NOT_AUTHORISED | TDX_RCX;
	}
	return dialog_run(tdi->stream->spdm, TDX_TDI_START, args, start_step);
}

static uint64_t stop_step(struct dialog *dialog)
{
	const struct tdx_tdi *tdi = tdi_of(dialog->args->rcx);
	uint64_t status;
	size_t len;

	if (!dialog->step)
		return tdisp_send(dialog, 1, TDISP_STOP, tdi->func_id, NULL, 0);
	if (tdisp_reply(dialog, TDISP_STOP, tdi->func_id, 0, &len, &status))
		tdi_state_set(tdi, TDISP_UNLOCKED);
	return status;
}

static uint64_t tdi_stop(struct tdx_args *args)
{
	const struct tdx_tdi *tdi = tdi_of(args->rcx);

	if (!tdi)
		return TDX_TDI_NOT_PRESENT | TDX_RCX;
	return dialog_run(tdi->stream->spdm, TDX_TDI_STOP, args, stop_step);
}

const struct tdx_leaf_row tdx_bind_leaves[] = {
	{ TDX_TDI_BIND, tdi_bind, { "func", "flags" } },
	{ TDX_TDI_REPORT, tdi_report, { "func" } },
	{ TDX_TDI_STATE, tdi_state, { "func" } },
	{ TDX_TDI_START, tdi_start, { "func" } },
	{ TDX_TDI_STOP, tdi_stop, { "func" } },
	{ 0 }
};
