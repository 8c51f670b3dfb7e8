/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The device interface report as the module keeps it: its bytes for the digest, and which host page
 * each page of it is, for TDG.MMIO.ACCEPT. Whether the ranges make sense to a driver is the guest's
 * question; here they must only be well formed.
 */
#include "firmware/tdx/internal.h"

uint64_t report_add(const struct tdx_tdi *tdi, const uint8_t *payload, size_t len)
{
	struct reader r = reader_of(payload, len);
	size_t portion = get_le16(&r), remainder = get_le16(&r);
	const uint8_t *bytes = get_bytes(&r, portion);

	if (!bytes || !portion || tdi->report_len + portion + remainder > TDI_REPORT_MAX)
		return TDX_SPDM_PROTOCOL_ERROR;
	memcpy(tdi_write(tdi)->report + tdi->report_len, bytes, portion);
	tdi_write(tdi)->report_len += (uint32_t)portion;
	return remainder ? TDX_INTERRUPTED_RESUMABLE : TDX_SUCCESS;
}

static bool range_read(struct reader *r, uint64_t reporting_offset, struct tdi_range *range)
{
	uint64_t first = get_le64(r);

	range->pages = get_le32(r);
	range->attributes = get_le16(r);
	range->id = get_le16(r);
	range->hpa = (first << 12) - reporting_offset;
	return !r->bad && range->pages && range->hpa < PHYS_END &&
	       range->pages <= (PHYS_END - range->hpa) / PHYS_PAGE;
}

static bool ranges_overlap(const struct tdi_range *a, const struct tdi_range *b)
{
	return a->hpa < b->hpa + (uint64_t)b->pages * PHYS_PAGE &&
	       b->hpa < a->hpa + (uint64_t)a->pages * PHYS_PAGE;
}

uint64_t report_parse(const struct tdx_tdi *tdi)
{
	struct reader r = reader_of(tdi->report, tdi->report_len);
	struct tdx_tdi *w = tdi_write(tdi);
	uint32_t count, info_len;

	get_bytes(&r, 12); /* interface info, MSI-X, LNR and TPH controls: the guest's to judge */
	count = get_le32(&r);
	if (r.bad || count > TDI_RANGES)
		return TDX_SPDM_PROTOCOL_ERROR;
	w->pages_total = 0;
	for (uint32_t i = 0; i < count; i++) {
		if (!range_read(&r, tdi->reporting_offset, &w->ranges[i]))
			return TDX_SPDM_PROTOCOL_ERROR;
		for (uint32_t j = 0; j < i; j++)
			if (ranges_overlap(&w->ranges[i], &w->ranges[j]))
				return TDX_SPDM_PROTOCOL_ERROR;
		w->pages_total += w->ranges[i].pages;
	}
	info_len = get_le32(&r);
	if (r.bad || info_len != reader_left(&r))
		return TDX_SPDM_PROTOCOL_ERROR;
	w->range_count = (uint16_t)count;
	return spdm_requester_digest(tdi->report, tdi->report_len, w->report_digest) ? TDX_NO_MEMORY
										     : TDX_SUCCESS;
}
