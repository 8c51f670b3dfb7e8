/* SPDX-License-Identifier: BSD-2-Clause */
/* What the guest TSM makes of a TDISP device interface report, on every platform. */
#include "guest/internal.h"

/* -- report ---------------------------------------------------------------------------------- */
static bool range_read(struct reader *r, struct guest_range *range)
{
	range->first = get_le64(r);
	range->pages = get_le32(r);
	range->attributes = get_le16(r);
	range->bar = get_le16(r);
	return !r->bad && range->pages && range->bar < GUEST_BARS;
}

/* Ranges stand in ascending BAR order, and within a BAR by address: TDX names them by their index,
 * so an order that lies would put a page where another one belongs. */
static bool in_order(const struct guest_range *before, const struct guest_range *range)
{
	if (before->bar != range->bar)
		return before->bar < range->bar;
	return before->first + before->pages <= range->first;
}

static int report_ranges(const struct guest *guest, struct guest_range *ranges, uint32_t *count)
{
	struct reader r = reader_of(guest->report, guest->report_len);

	get_bytes(&r, 12);
	*count = get_le32(&r);
	if (r.bad || *count > GUEST_RANGES)
		return -EPROTO;
	for (uint32_t i = 0; i < *count; i++)
		if (!range_read(&r, &ranges[i]) || (i && !in_order(&ranges[i - 1], &ranges[i])))
			return -EPROTO;
	if (get_le32(&r) != reader_left(&r) || r.bad)
		return -EPROTO;
	return 0;
}

int64_t stage_report_parse(const struct guest_call *call)
{
	struct guest_range ranges[GUEST_RANGES] = { 0 };
	uint64_t pages = 0;
	uint32_t count;
	int rc = report_ranges(call->guest, ranges, &count);

	if (rc)
		return rc;
	memcpy(image_write(&call->guest->ranges), ranges, sizeof(ranges));
	*(uint32_t *)image_write(&call->guest->range_count) = count;
	for (uint32_t i = 0; i < count; i++)
		pages += ranges[i].pages;
	guest_leave(call, "ranges", count);
	guest_leave(call, "pages", pages);
	return count;
}

/* A range's place in its BAR: relative to the BAR's first range, which starts it. */
uint64_t guest_range_offset(const struct guest *guest, uint32_t index)
{
	uint32_t first = index;

	while (first && guest->ranges[first - 1].bar == guest->ranges[index].bar)
		first--;
	return guest->ranges[index].first - guest->ranges[first].first;
}

unsigned int guest_range_level(uint64_t gpa, uint64_t pages)
{
	return gpa % PHYS_2M == 0 && pages % (PHYS_2M / PHYS_PAGE) == 0 ? 1 : 0;
}
