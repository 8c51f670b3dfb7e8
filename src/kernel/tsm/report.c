/* SPDX-License-Identifier: BSD-2-Clause */
/* Which pages of a function are TEE memory, as the TDISP device interface report has them (PCIe 6.x
 * 11.3.11). The report is hostile input. */
#include <string.h>

#include "hardware/phys.h"
#include "kernel/tsm/internal.h"
#include "spdm/pcisig.h"

#define REPORT_HEADER 16u
#define REPORT_RANGE 16u

struct layout { struct tsm_range *ranges; unsigned int count; };

static int layout_add(struct layout *layout, unsigned int bar, bool tee, uint64_t offset,
		      uint64_t len)
{
	struct tsm_range *last = layout->count ? &layout->ranges[layout->count - 1] : NULL;

	if (!len)
		return 0;
	if (last && last->bar == bar && last->tee == tee && last->offset + last->len == offset) {
		last->len += len;
		return 0;
	}
	if (layout->count == TSM_RANGES)
		return -EPROTO;
	layout->ranges[layout->count++] =
		(struct tsm_range){ .bar = (uint8_t)bar, .tee = tee, .offset = offset, .len = len };
	return 0;
}

struct report_range { uint64_t offset, len; unsigned int bar; bool tee; };

/* One range, which must lie in the BAR it names. We lock with a reporting offset of 0, so that
 * pages are reported where they are. */
static int range_read(struct reader *report, const struct function *fn, struct report_range *range)
{
	uint64_t first = get_le64(report), pages = get_le32(report), start, end;
	uint16_t attributes = get_le16(report), id = get_le16(report);

	if (report->bad || id >= FUNCTION_BARS || !fn->bar[id].size || !pages || first >> 40)
		return -EPROTO;
	start = first * PHYS_PAGE;
	end = start + pages * PHYS_PAGE;
	if (start < fn->bar[id].hpa || end > fn->bar[id].hpa + fn->bar[id].size)
		return -EPROTO;
	range->bar = id;
	range->offset = start - fn->bar[id].hpa;
	range->len = end - start;
	range->tee = !(attributes &
		       (TDISP_RANGE_NON_TEE | TDISP_RANGE_MSIX_TABLE | TDISP_RANGE_MSIX_PBA));
	return 0;
}

/* Shared up to (bar, offset): what of the function's BARs the report did not name. */
static int layout_fill(struct layout *layout, const struct function *fn, unsigned int *bar,
		       uint64_t *at, unsigned int to_bar, uint64_t to)
{
	bool tee = mutant(MUTANT_PRIVATE_MSIX);
	int rc = 0;

	for (; !rc && *bar < to_bar; (*bar)++, *at = 0)
		if (fn->bar[*bar].size >= PHYS_PAGE)
			rc = layout_add(layout, *bar, tee, *at, fn->bar[*bar].size - *at);
	if (!rc && to_bar < FUNCTION_BARS)
		rc = layout_add(layout, to_bar, tee, *at, to - *at);
	return rc;
}

static int layout_parse(struct reader *report, const struct function *fn, struct layout *layout)
{
	unsigned int bar = 0;
	uint64_t at = 0;
	uint32_t count;
	int rc = 0;

	get_bytes(report, REPORT_HEADER - 4);
	count = get_le32(report);
	if (report->bad || count > reader_left(report) / REPORT_RANGE)
		return -EPROTO;
	for (uint32_t i = 0; !rc && i < count; i++) {
		struct report_range range;

		rc = range_read(report, fn, &range);
		/* Ascending, and no page twice: else an index would not mean one thing (X8). */
		if (!rc && (range.bar < bar || (range.bar == bar && range.offset < at)))
			rc = -EPROTO;
		if (!rc)
			rc = layout_fill(layout, fn, &bar, &at, range.bar, range.offset);
		if (!rc)
			rc = layout_add(layout, range.bar, range.tee, range.offset, range.len);
		at = range.offset + range.len;
	}
	return rc ? rc : layout_fill(layout, fn, &bar, &at, FUNCTION_BARS, 0);
}

int tsm_report_layout(const struct pci_dev *pdev, const uint8_t *report, size_t len)
{
	const struct function *fn = function_find(pdev->rid);
	const struct pci_tsm *tsm = pci_tsm_of(pdev);
	struct tsm_range ranges[TSM_RANGES] = { 0 };
	struct layout layout = { .ranges = ranges };
	struct reader r = reader_of(report, len);
	struct pci_tsm *w;
	int rc = fn ? layout_parse(&r, fn, &layout) : -ENXIO;

	if (rc)
		return rc;
	/* What stayed mapped since the last bind must be what is mapped now. */
	if (tsm->kept && (layout.count != tsm->range_count ||
			  memcmp(tsm->ranges, ranges, layout.count * sizeof(ranges[0]))))
		return -EPROTO;
	w = image_write(tsm);
	memcpy(w->ranges, ranges, layout.count * sizeof(ranges[0]));
	w->range_count = layout.count;
	return 0;
}
