/* SPDX-License-Identifier: BSD-2-Clause */
#include "firmware/tdisp.h"

#include <errno.h>

#include "hardware/phys.h"

#define REPORT_ALL 0xffffu
#define REPORT_FIXED 12u	/* interface info, MSI-X, LNR and TPH controls: the guest's to judge */

void tdisp_request_put(struct writer *w, uint8_t code, uint32_t func, const void *payload,
		       size_t len)
{
	put_u8(w, TDISP_VERSION_10);
	put_u8(w, code);
	put_le16(w, 0);
	put_le32(w, func);
	put_le64(w, 0);
	put_bytes(w, payload, len);
}

void tdisp_lock_put(struct writer *w, uint16_t flags, uint8_t stream, uint64_t reporting_offset,
		    uint64_t p2p_mask)
{
	put_le16(w, flags);
	put_u8(w, stream);
	put_u8(w, 0);
	put_le64(w, reporting_offset);
	put_le64(w, p2p_mask);
}

void tdisp_report_put(struct writer *w, size_t offset)
{
	put_le16(w, (uint16_t)offset);
	put_le16(w, REPORT_ALL);
}

bool tdisp_speaks_10(const uint8_t *payload, size_t len)
{
	return len && memchr(payload + 1, TDISP_VERSION_10, payload[0] < len ? payload[0] : len - 1);
}

uint16_t tdisp_lock_flags(const uint8_t *payload, size_t len)
{
	struct reader r = reader_of(payload, len);

	get_bytes(&r, 20);	/* DSM capabilities, messages supported */
	return get_le16(&r);
}

const uint8_t *tdisp_reply_take(const uint8_t *reply, size_t reply_len, uint8_t code,
				uint32_t func, size_t min, size_t *len, uint32_t *error)
{
	struct reader r = reader_of(reply, reply_len);
	uint8_t version = get_u8(&r), type = get_u8(&r);

	*error = TDISP_OK;
	get_le16(&r);
	if (version != TDISP_VERSION_10 || get_le32(&r) != func)
		return NULL;
	get_le64(&r);
	if (type == TDISP_ERROR) {
		*error = get_le32(&r);
		if (r.bad)
			*error = TDISP_OK;
		return NULL;
	}
	*len = reader_left(&r);
	return r.bad || type != code - 0x80 || *len < min ? NULL : reply + TDISP_HEADER;
}

const uint8_t *tdisp_report_portion(const uint8_t *payload, size_t len, size_t before, size_t max,
				    size_t *portion, size_t *remainder)
{
	struct reader r = reader_of(payload, len);
	const uint8_t *bytes;

	*portion = get_le16(&r);
	*remainder = get_le16(&r);
	bytes = get_bytes(&r, *portion);
	return *portion && before + *portion + *remainder <= max ? bytes : NULL;
}

static bool range_read(struct reader *r, uint64_t reporting_offset, struct tdi_range *range)
{
	uint64_t first = get_le64(r);

	range->pages = get_le32(r);
	range->attributes = get_le16(r);
	range->id = get_le16(r);
	range->hpa = (first << 12) - reporting_offset;
	return !r->bad && first <= UINT64_MAX >> 12 && range->pages && range->hpa < PHYS_END &&
	       range->pages <= (PHYS_END - range->hpa) / PHYS_PAGE;
}

static bool ranges_overlap(const struct tdi_range *a, const struct tdi_range *b)
{
	return a->hpa < b->hpa + (uint64_t)b->pages * PHYS_PAGE &&
	       b->hpa < a->hpa + (uint64_t)a->pages * PHYS_PAGE;
}

int tdisp_report_ranges(const uint8_t *report, size_t len, uint64_t reporting_offset,
			struct tdi_range *ranges, unsigned int max)
{
	struct reader r = reader_of(report, len);
	uint32_t count;

	get_bytes(&r, REPORT_FIXED);
	count = get_le32(&r);
	if (r.bad || count > max)
		return -EPROTO;
	for (uint32_t i = 0; i < count; i++) {
		if (!range_read(&r, reporting_offset, &ranges[i]))
			return -EPROTO;
		for (uint32_t before = 0; before < i; before++)
			if (ranges_overlap(&ranges[before], &ranges[i]))
				return -EPROTO;
	}
	if (get_le32(&r) != reader_left(&r) || r.bad)
		return -EPROTO;
	return (int)count;
}
