/* SPDX-License-Identifier: BSD-2-Clause */
/* SPDM sessions: made, used and ended by the host's leave, but their secrets stay here. */
#include "firmware/tdx/internal.h"

const struct tdx_spdm *spdm_of(uint64_t id)
{
	const struct tdx_spdm *spdm = tdx_module()->spdms;

	while (spdm && spdm->id != id)
		spdm = spdm->next;
	return spdm;
}

static uint64_t spdm_create(struct tdx_args *args)
{
	struct spdm_requester *requester;
	struct tdx_spdm *spdm = NULL;
	struct spdm_wire *out = NULL;
	uint64_t status = TDX_NO_MEMORY;

	for (const struct tdx_spdm *other = tdx_module()->spdms; other; other = other->next)
		if (other->func_id == args->rcx)
			return TDX_SPDM_INVALID_STATE | TDX_RCX;
	if (!args->rcx || args->rcx > UINT32_MAX)
		return tdx_invalid(TDX_RCX);
	requester = image_alloc(spdm_requester_size(), IMAGE_TYPE_SPDM);
	if (requester)
		out = image_alloc(sizeof(*out), IMAGE_TYPE_SPDM);
	if (out)
		spdm = tdx_alloc(sizeof(*spdm));
	if (spdm)
		status = tdx_list_take(args->rdx, TDX_SPDM_PAGES, spdm->pages);
	if (status) {
		image_free(spdm);
		image_free(out);
		image_free(requester);
		return status | TDX_RDX;
	}
	spdm_requester_init(requester, NULL, 0);
	spdm->requester = requester;
	spdm->out = out;
	spdm->func_id = (uint32_t)args->rcx;
	spdm->id = tdx_module_write()->next_spdm++;
	spdm->next = tdx_module()->spdms;
	tdx_module_write()->spdms = spdm;
	args->rcx = spdm->id;
	return TDX_SUCCESS;
}

/* Chain and measurements, as the host hands them to the guest, which compares digests. */
static uint64_t dev_info_make(const struct tdx_spdm *spdm, struct tdx_args *args)
{
	size_t chain_len = 0, record_len = 0;
	const uint8_t *chain = spdm_requester_chain(spdm->requester, &chain_len);
	const uint8_t *record = spdm_requester_measurements(spdm->requester, &record_len);
	size_t total = 8 + chain_len + record_len;
	uint8_t *bytes = image_alloc(total, IMAGE_TYPE_BYTES);
	struct writer w = writer_of(bytes, total);

	if (!bytes)
		return TDX_NO_MEMORY;
	put_le32(&w, (uint32_t)chain_len);
	put_bytes(&w, chain, chain_len);
	put_le32(&w, (uint32_t)record_len);
	put_bytes(&w, record, record_len);
	if (spdm_requester_digest(bytes, total, spdm_write(spdm)->dev_info_digest)) {
		image_free(bytes);
		return TDX_NO_MEMORY;
	}
	image_free(spdm->dev_info);
	spdm_write(spdm)->dev_info = bytes;
	spdm_write(spdm)->dev_info_len = total;
	if (args->r12)
		tdx_list_write(args->r12, bytes, total);
	args->r13 = total;
	return TDX_SUCCESS;
}

static bool anchor_set(const struct tdx_spdm *spdm, uint64_t conf)
{
	uint8_t page[PHYS_PAGE];
	struct reader r = reader_of(page, sizeof(page));
	const uint8_t *anchor;
	uint16_t len;

	if (!conf) {
		spdm_requester_init(spdm_requester_write(spdm), NULL, 0);
		spdm_requester_trust_own_root(spdm_requester_write(spdm), true);
		return true;
	}
	if (phys_read(conf, page, sizeof(page), 0))
		return false;
	get_bytes(&r, TDX_CONF_ANCHOR_LEN);
	len = get_le16(&r);
	get_bytes(&r, TDX_CONF_ANCHOR - TDX_CONF_ANCHOR_LEN - 2);
	anchor = get_bytes(&r, len);
	if (!anchor)
		return false;
	spdm_requester_init(spdm_requester_write(spdm), anchor, len);
	spdm_requester_trust_own_root(spdm_requester_write(spdm), !len);
	return true;
}

static uint64_t connect_step(struct dialog *dialog)
{
	switch (dialog->step) {
	case 0:
		if (!anchor_set(dialog->spdm, dialog->args->rdx))
			return tdx_invalid(TDX_RDX);
		return dialog_spdm(dialog, 1, SPDM_OP_CONNECT);
	case 1:
		TRACE_STATE(LANE_FIRMWARE, "SPDM session", A("func", dialog->spdm->func_id),
			    A("from", 0),
			    A("to", spdm_requester_session_id(dialog->spdm->requester)));
		return dialog_spdm(dialog, 2, SPDM_OP_MEASURE);
	default:
		return dev_info_make(dialog->spdm, dialog->args);
	}
}

static uint64_t spdm_connect(struct tdx_args *args)
{
	const struct tdx_spdm *spdm = spdm_of(args->rcx);

	if (!spdm)
		return tdx_invalid(TDX_RCX);
	if (!spdm->op.leaf && spdm_requester_session(spdm->requester))
		return TDX_SPDM_INVALID_STATE | TDX_RCX;
	if (args->rdx && !tdx_buffer_ok(args->rdx, PHYS_PAGE))
		return tdx_invalid(TDX_RDX);
	if (args->r12 && !tdx_list_ok(args->r12))
		return tdx_invalid(TDX_R12);
	return dialog_run(spdm, TDX_SPDM_CONNECT, args, connect_step);
}

static uint64_t mng_step(struct dialog *dialog)
{
	static const enum spdm_op ops[] = {
		[TDX_MNG_HEARTBEAT] = SPDM_OP_HEARTBEAT,
		[TDX_MNG_KEY_UPDATE] = SPDM_OP_KEY_UPDATE,
		[TDX_MNG_DEV_INFO] = SPDM_OP_MEASURE,
	};

	if (!dialog->step)
		return dialog_spdm(dialog, 1, ops[dialog->args->rdx]);
	if (dialog->args->rdx == TDX_MNG_DEV_INFO)
		return dev_info_make(dialog->spdm, dialog->args);
	return TDX_SUCCESS;
}

static uint64_t spdm_mng(struct tdx_args *args)
{
	const struct tdx_spdm *spdm = spdm_of(args->rcx);

	if (!spdm)
		return tdx_invalid(TDX_RCX);
	if (args->rdx > TDX_MNG_DEV_INFO)
		return tdx_invalid(TDX_RDX);
	if (!spdm_requester_session(spdm->requester))
		return TDX_SPDM_INVALID_STATE | TDX_RCX;
	if (args->r12 && !tdx_list_ok(args->r12))
		return tdx_invalid(TDX_R12);
	return dialog_run(spdm, TDX_SPDM_MNG, args, mng_step);
}

void session_lost(const struct tdx_spdm *spdm)
{
	for (const struct tdx_stream *stream = tdx_module()->streams; stream; stream = stream->next)
		if (stream->spdm == spdm && stream->keyed)
			stream_write(stream)->keyed = false;
	for (const struct tdx_tdi *tdi = tdx_module()->tdis; tdi; tdi = tdi->next)
		if (tdi->stream->spdm == spdm &&
		    (tdi->uncertain || tdi->tdisp_state != TDISP_UNLOCKED))
			tdi_state_set(tdi, TDISP_ERROR_STATE);
}

static uint64_t disconnect_step(struct dialog *dialog)
{
	if (!dialog->step)
		return dialog_spdm(dialog, 1, SPDM_OP_END);
	session_lost(dialog->spdm);
	return TDX_SUCCESS;
}

static uint64_t spdm_disconnect(struct tdx_args *args)
{
	const struct tdx_spdm *spdm = spdm_of(args->rcx);

	if (!spdm)
		return tdx_invalid(TDX_RCX);
	if (!spdm->op.leaf && !spdm_requester_session(spdm->requester))
		return TDX_SUCCESS;
	return dialog_run(spdm, TDX_SPDM_DISCONNECT, args, disconnect_step);
}

static uint64_t spdm_delete(struct tdx_args *args)
{
	const struct tdx_spdm *spdm = spdm_of(args->rcx);
	const struct tdx_spdm *const *link = &tdx_module()->spdms;

	if (!spdm)
		return tdx_invalid(TDX_RCX);
	if (spdm->op.leaf)
		return TDX_OPERAND_BUSY | TDX_RCX;
	if (spdm->streams)
		return TDX_SPDM_HAS_STREAMS | TDX_RCX;
	if (spdm_requester_session(spdm->requester))
		return TDX_SPDM_INVALID_STATE | TDX_RCX;
	while (*link != spdm)
		link = &(*link)->next;
	link_set(link, spdm->next);
	tdx_list_give(spdm->pages, TDX_SPDM_PAGES);
	image_free(spdm->dev_info);
	image_free(spdm->out);
	image_free(spdm->requester);
	image_free(spdm);
	return TDX_SUCCESS;
}

const struct tdx_leaf_row tdx_spdm_leaves[] = {
	{ TDX_SPDM_CREATE, spdm_create, { "func" } },
	{ TDX_SPDM_CONNECT, spdm_connect, { "spdm" } },
	{ TDX_SPDM_MNG, spdm_mng, { "spdm", "op" } },
	{ TDX_SPDM_DISCONNECT, spdm_disconnect, { "spdm" } },
	{ TDX_SPDM_DELETE, spdm_delete, { "spdm" } },
	{ 0 }
};
