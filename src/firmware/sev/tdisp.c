/* SPDX-License-Identifier: BSD-2-Clause */
/* The requester's end of TDISP, PCIe 6.x 11.3, and the device interface report as the PSP keeps it:
 * its bytes for the digest, and which host page each page of it is. Whether the ranges make sense to
 * a driver is the guest's question. */
#include "firmware/sev/internal.h"

#define TDISP_BODY_MAX 256u

enum sev_status sev_tdisp_send(struct dialog *dialog, unsigned int next, uint8_t code, uint16_t rid,
			       const void *payload, size_t len)
{
	uint8_t body[TDISP_BODY_MAX];
	struct writer w = writer_of(body, sizeof(body));

	put_u8(&w, TDISP_VERSION_10);
	put_u8(&w, code);
	put_le16(&w, 0);
	put_le32(&w, rid);
	put_le64(&w, 0);
	put_bytes(&w, payload, len);
	return sev_dialog_vendor(dialog, next, PCISIG_TDISP, body, w.at);
}

const uint8_t *sev_tdisp_reply(struct dialog *dialog, uint8_t code, uint16_t rid, size_t min,
			       size_t *len, enum sev_status *status)
{
	struct reader r = reader_of(dialog->reply, dialog->reply_len);
	uint8_t version = get_u8(&r), type = get_u8(&r);

	*status = SEV_SPDM_ERROR;
	get_le16(&r);
	if (version != TDISP_VERSION_10 || get_le32(&r) != rid)
		return NULL;
	get_le64(&r);
	if (!r.bad && type == TDISP_ERROR && get_le32(&r) == TDISP_INVALID_INTERFACE_STATE)
		*status = SEV_TDI_INVALID_STATE;
	*len = reader_left(&r);
	if (r.bad || type != code - 0x80 || *len < min)
		return NULL;
	*status = SEV_SUCCESS;
	return dialog->reply + TDISP_HEADER;
}

enum sev_status sev_report_add(const struct sev_tdi *tdi, const uint8_t *payload, size_t len,
			       bool *more)
{
	struct reader r = reader_of(payload, len);
	size_t portion = get_le16(&r), remainder = get_le16(&r);
	const uint8_t *bytes = get_bytes(&r, portion);
	struct sev_tdi *w;

	if (!bytes || !portion || tdi->report_len + portion + remainder > TDI_REPORT_MAX)
		return SEV_SPDM_ERROR;
	w = sev_tdi_write(tdi);
	memcpy(w->report + w->report_len, bytes, portion);
	w->report_len += (uint32_t)portion;
	*more = remainder;
	return SEV_SUCCESS;
}

static bool range_read(struct reader *r, struct tdi_range *range)
{
	uint64_t first = get_le64(r);

	range->pages = get_le32(r);
	range->attributes = get_le16(r);
	range->id = get_le16(r);
	range->hpa = first << 12;
	return !r->bad && range->pages && first < PHYS_END >> 12 &&
	       range->pages <= (PHYS_END - range->hpa) / PHYS_PAGE;
}

static bool ranges_overlap(const struct tdi_range *a, const struct tdi_range *b)
{
	return a->hpa < b->hpa + (uint64_t)b->pages * PHYS_PAGE &&
	       b->hpa < a->hpa + (uint64_t)a->pages * PHYS_PAGE;
}

enum sev_status sev_report_parse(const struct sev_tdi *tdi)
{
	struct reader r = reader_of(tdi->report, tdi->report_len);
	struct sev_tdi *w = sev_tdi_write(tdi);
	uint32_t count, info_len;

	get_bytes(&r, 12);
	count = get_le32(&r);
	if (r.bad || count > TDI_RANGES)
		return SEV_SPDM_ERROR;
	for (uint32_t i = 0; i < count; i++) {
		if (!range_read(&r, &w->ranges[i]))
			return SEV_SPDM_ERROR;
		for (uint32_t before = 0; before < i; before++)
			if (ranges_overlap(&w->ranges[before], &w->ranges[i]))
				return SEV_SPDM_ERROR;
	}
	info_len = get_le32(&r);
	if (r.bad || info_len != reader_left(&r))
		return SEV_SPDM_ERROR;
	w->range_count = (uint16_t)count;
	return spdm_requester_digest(w->report, w->report_len, w->report_digest) ? SEV_NO_MEMORY :
										   SEV_SUCCESS;
}
