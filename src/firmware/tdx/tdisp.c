/* SPDX-License-Identifier: BSD-2-Clause */
/* TDISP in the module's dialogues, and the device interface report as it keeps it: its bytes for the
 * digest, and which host page each page of it is, for TDG.MMIO.ACCEPT. */
#include "firmware/tdx/internal.h"

uint64_t tdisp_send(struct dialog *dialog, unsigned int next, uint8_t code, uint32_t func_id,
		    const void *payload, size_t len)
{
	uint8_t body[TDISP_REQUEST_MAX];
	struct writer w = writer_of(body, sizeof(body));

	tdisp_request_put(&w, code, func_id, payload, len);
	return dialog_vendor(dialog, next, PCISIG_TDISP, body, w.at);
}

const uint8_t *tdisp_reply(struct dialog *dialog, uint8_t code, uint32_t func_id, size_t min,
			   size_t *len, uint64_t *status)
{
	uint32_t error;
	const uint8_t *payload = tdisp_reply_take(dialog->reply, dialog->reply_len, code, func_id,
						  min, len, &error);

	*status = payload				  ? TDX_SUCCESS :
		  error == TDISP_BUSY			  ? TDX_OPERAND_BUSY :
		  error == TDISP_INVALID_INTERFACE_STATE ? TDX_TDI_TDISP_INVALID_STATE :
							    TDX_SPDM_PROTOCOL_ERROR;
	if (error != TDISP_OK && error != TDISP_BUSY)
		dialog->args->rcx = error;
	return payload;
}

uint64_t report_add(const struct tdx_tdi *tdi, const uint8_t *payload, size_t len)
{
	size_t portion, remainder;
	const uint8_t *bytes = tdisp_report_portion(payload, len, tdi->report_len, TDI_REPORT_MAX,
						    &portion, &remainder);

	if (!bytes)
		return TDX_SPDM_PROTOCOL_ERROR;
	memcpy(tdi_write(tdi)->report + tdi->report_len, bytes, portion);
	tdi_write(tdi)->report_len += (uint32_t)portion;
	return remainder ? TDX_INTERRUPTED_RESUMABLE : TDX_SUCCESS;
}

uint64_t report_parse(const struct tdx_tdi *tdi)
{
	struct tdx_tdi *w = tdi_write(tdi);
	int count = tdisp_report_ranges(tdi->report, tdi->report_len, tdi->reporting_offset,
					w->ranges, TDI_RANGES);

	if (count < 0)
		return TDX_SPDM_PROTOCOL_ERROR;
	w->range_count = (uint16_t)count;
	w->pages_total = 0;
	for (int i = 0; i < count; i++)
		w->pages_total += w->ranges[i].pages;
	return spdm_requester_digest(tdi->report, tdi->report_len, w->report_digest) ?
		       TDX_NO_MEMORY :
		       TDX_SUCCESS;
}
