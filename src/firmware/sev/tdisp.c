/* SPDX-License-Identifier: BSD-2-Clause */
/* TDISP in the PSP's dialogues, and the device interface report as it keeps it: its bytes for the
 * digest, and which host page each page of it is. */
#include "firmware/sev/internal.h"

enum sev_status sev_tdisp_send(struct dialog *dialog, unsigned int next, uint8_t code,
			       const void *payload, size_t len)
{
	uint8_t body[TDISP_REQUEST_MAX];
	struct writer w = writer_of(body, sizeof(body));

	tdisp_request_put(&w, code, dialog->tdi->rid, payload, len);
	return sev_dialog_vendor(dialog, next, PCISIG_TDISP, body, w.at);
}

const uint8_t *sev_tdisp_reply(struct dialog *dialog, uint8_t code, size_t min, size_t *len,
			       enum sev_status *status)
{
	uint32_t error;
	const uint8_t *payload = tdisp_reply_take(dialog->reply, dialog->reply_len, code,
						  dialog->tdi->rid, min, len, &error);

	*status = payload				  ? SEV_SUCCESS :
		  error == TDISP_INVALID_INTERFACE_STATE ? SEV_TDI_INVALID_STATE :
							    SEV_SPDM_ERROR;
	return payload;
}

enum sev_status sev_report_add(const struct sev_tdi *tdi, const uint8_t *payload, size_t len,
			       bool *more)
{
	size_t portion, remainder;
	const uint8_t *bytes = tdisp_report_portion(payload, len, tdi->report_len, TDI_REPORT_MAX,
						    &portion, &remainder);
	struct sev_tdi *w;

	if (!bytes)
		return SEV_SPDM_ERROR;
	w = sev_tdi_write(tdi);
	memcpy(w->report + w->report_len, bytes, portion);
	w->report_len += (uint32_t)portion;
	*more = remainder;
	return SEV_SUCCESS;
}

enum sev_status sev_report_parse(const struct sev_tdi *tdi)
{
	struct sev_tdi *w = sev_tdi_write(tdi);
	int count = tdisp_report_ranges(tdi->report, tdi->report_len, 0, w->ranges, TDI_RANGES);

	if (count < 0)
		return SEV_SPDM_ERROR;
	w->range_count = (uint16_t)count;
	return spdm_requester_digest(w->report, w->report_len, w->report_digest) ? SEV_NO_MEMORY :
										   SEV_SUCCESS;
}
