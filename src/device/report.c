/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The device interface report, PCIe 6.x 11.3.11: what the guest is told, and attests. Ranges stand
 * in ascending BAR order; MSI-X pages are there only when MSI-X is locked.
 */
#include <errno.h>
#include <string.h>

#include <linux/pci_regs.h>

#include "device/dsm.h"

#define REPORT_HEAD 16u		/* up to the first range */
#define REPORT_RANGE 16u
#define RANGE_PAGES 8u		/* in a range */
#define RANGE_ID 14u

enum {
	INFO_NO_FW_UPDATE = 1,
	INFO_DMA_NO_PASID = 2,
	INFO_DMA_PASID = 4,
	INFO_ATS = 8,
	INFO_PRS = 16
};
#define MSIX_ATTRIBUTES (TDISP_RANGE_MSIX_TABLE | TDISP_RANGE_MSIX_PBA)

static const struct mmio_range engine_ranges[] = {
	{ .bar = 0, .first = 0, .pages = ENGINE_MSIX_TABLE / 4096 },
	{ .bar = 0,
		.first = ENGINE_MSIX_TABLE / 4096,
		.pages = 1,
		.attributes = TDISP_RANGE_MSIX_TABLE },
	{ .bar = 0,
		.first = ENGINE_MSIX_PBA / 4096,
		.pages = 1,
		.attributes = TDISP_RANGE_MSIX_PBA },
	{ .bar = 0,
		.first = ENGINE_MSIX_PBA / 4096 + 1,
		.pages = ENGINE_PAGES0 - ENGINE_MSIX_PBA / 4096 - 1 },
	{ .bar = 2, .first = 0, .pages = ENGINE_PAGES2, .attributes = TDISP_RANGE_UPDATABLE },
};
#define ENGINE_RANGES (sizeof(engine_ranges) / sizeof(engine_ranges[0]))

static const char device_info[] = "swtio dma engine";	/* sent without its terminator */

static bool range_listed(const struct mmio_range *range, uint16_t lock_flags)
{
	return !(range->attributes & MSIX_ATTRIBUTES) || (lock_flags & TDISP_LOCK_MSIX);
}

/* From the registers, not from the decoder: what a report says must not depend on MSE. A VF's
 * BAR is its slice of the PF's VF BAR. */
uint64_t function_bar_address(const struct function *fn, unsigned int bar)
{
	const struct function *pf = fn;
	unsigned int at = PCI_BASE_ADDRESS_0;
	uint64_t address;

	if (fn->pf_rid != fn->rid) {
		pf = function_find(fn->pf_rid);
		if (!pf || !pf->cap_sriov)
			return 0;
		at = pf->cap_sriov + PCI_SRIOV_BAR;
	}
	address = function_config(pf, at + 4 * bar, 4) & ~0xfu;
	if (fn->bar[bar].is64)
		address |= (uint64_t)function_config(pf, at + 4 * bar + 4, 4) << 32;
	if (pf != fn)
		address += fn->bar[bar].size * (fn->rid - pf->rid - 1u);
	return address;
}

static uint64_t range_first_page(const struct tdi *tdi, const struct function *fn,
				 const struct mmio_range *range)
{
	uint64_t address = function_bar_address(fn, range->bar) + (uint64_t)range->first * 4096;

	if (tdi->dsm->quirks & QUIRK_OFFSET_IN_PAGES)
		return (address >> 12) + tdi->reporting_offset;
	return (address + tdi->reporting_offset) >> 12;
}

static uint16_t report_info(const struct tdi *tdi, const struct function *fn)
{
	uint16_t info = INFO_DMA_NO_PASID;
	unsigned int pri = function_find_ext_cap(fn, PCI_EXT_CAP_ID_PRI);

	if (tdi->lock_flags & TDISP_LOCK_NO_FW_UPDATE)
		info |= INFO_NO_FW_UPDATE;
	if (fn->cap_pasid &&
		(function_config(fn, fn->cap_pasid + PCI_PASID_CTRL, 2) & PCI_PASID_CTRL_ENABLE))
		info |= INFO_DMA_PASID;
	if (fn->cap_ats &&
		(function_config(fn, fn->cap_ats + PCI_ATS_CTRL, 2) & PCI_ATS_CTRL_ENABLE))
		info |= INFO_ATS;
	if (pri && (function_config(fn, pri + PCI_PRI_CTRL, 2) & PCI_PRI_CTRL_ENABLE))
		info |= INFO_PRS;
	return info;
}

int report_make(const struct tdi *tdi, const struct function *fn, uint8_t *out, size_t cap)
{
	struct writer w = writer_of(out, cap);
	uint32_t count = 0;

	for (size_t i = 0; i < ENGINE_RANGES; i++)
		count += range_listed(&engine_ranges[i], tdi->lock_flags);
	put_le16(&w, report_info(tdi, fn));
	put_le16(&w, 0);
	put_le16(&w, tdi->lock_flags & TDISP_LOCK_MSIX ?
		(uint16_t)function_config(fn, fn->cap_msix + PCI_MSIX_FLAGS, 2) : 0);
	put_le16(&w, 0);	/* no LN requester */
	put_le32(&w, 0);	/* no TPH */
	put_le32(&w, count);
	for (size_t i = 0; i < ENGINE_RANGES; i++) {
		const struct mmio_range *range = &engine_ranges[i];

		if (!range_listed(range, tdi->lock_flags))
			continue;
		put_le64(&w, range_first_page(tdi, fn, range));
		put_le32(&w, range->pages);
		put_le16(&w, range->attributes);
		put_le16(&w, range->bar);
	}
	put_le32(&w, sizeof(device_info) - 1);
	put_bytes(&w, device_info, sizeof(device_info) - 1);
	return w.bad ? -ENOSPC : (int)w.at;
}

/* -- lies --------------------------------------------------------------------------------------- */

static void lie_order(uint8_t *ranges, uint32_t count)
{
	uint8_t first[REPORT_RANGE];

	(void)count;
	memcpy(first, ranges, REPORT_RANGE);
	memmove(ranges, ranges + REPORT_RANGE, REPORT_RANGE);
	memcpy(ranges + REPORT_RANGE, first, REPORT_RANGE);
}

static void number_put(uint8_t *at, uint32_t value, size_t len)
{
	for (size_t i = 0; i < len; i++)
		at[i] = (uint8_t)(value >> 8 * i);
}

/* The last range reaches behind its BAR. */
static void lie_more_pages(uint8_t *ranges, uint32_t count)
{
	number_put(ranges + (count - 1) * REPORT_RANGE + RANGE_PAGES, 1u << 20, 4);
}

static void lie_id(uint8_t *ranges, uint32_t count)
{
	number_put(ranges + (count - 1) * REPORT_RANGE + RANGE_ID, 9, 2);
}

/* The second range begins where the first does. */
static void lie_overlap(uint8_t *ranges, uint32_t count)
{
	(void)count;
	memcpy(ranges + REPORT_RANGE, ranges, RANGE_PAGES);
}

/* A range more than there are. */
static void lie_more_ranges(uint8_t *ranges, uint32_t count)
{
	number_put(ranges - 4, count + 1, 4);
}

bool report_lie(uint8_t *report, size_t len, enum device_fault fault)
{
	static void (*const lies[DEVICE_FAULT_MAX])(uint8_t *ranges, uint32_t count) = {
		[DEVICE_FAULT_LIE_REPORT] = lie_order,
		[DEVICE_FAULT_LIE_PAGES] = lie_more_pages,
		[DEVICE_FAULT_LIE_ID] = lie_id,
		[DEVICE_FAULT_LIE_OVERLAP] = lie_overlap,
		[DEVICE_FAULT_LIE_RANGES] = lie_more_ranges,
	};
	struct reader r = reader_of(report + REPORT_HEAD - 4, 4);
	uint32_t count = get_le32(&r);

	if (!lies[fault])
		return false;
	if (count >= 2 && count <= (len - REPORT_HEAD) / REPORT_RANGE)
		lies[fault](report + REPORT_HEAD, count);
	return true;
}

int report_attributes(const struct tdi *tdi, uint16_t lock_flags, unsigned int bar, uint64_t page)
{
	for (size_t i = 0; i < ENGINE_RANGES; i++) {
		const struct mmio_range *range = &engine_ranges[i];
		int attributes = range->attributes;

		if (range->bar != bar || page < range->first || page >= range->first + range->pages)
			continue;
		if (!range_listed(range, lock_flags))
			return -ENOENT;
		if ((attributes & TDISP_RANGE_UPDATABLE) &&
			tdi->non_tee[page / 64] >> (page % 64) & 1)
			attributes |= TDISP_RANGE_NON_TEE;
		return attributes;
	}
	return -ENOENT;
}

/* Pages as in the report, so with the reporting offset; they must lie in one updatable range. */
enum tdisp_error report_set_attribute(const struct tdi *tdi, uint64_t first, uint32_t pages,
				      uint16_t attributes, uint16_t range_id)
{
	const struct function *fn = function_find(tdi->rid);
	bool non_tee = attributes & TDISP_RANGE_NON_TEE;

	for (size_t i = 0; fn && i < ENGINE_RANGES; i++) {
		const struct mmio_range *range = &engine_ranges[i];
		uint64_t at = first - range_first_page(tdi, fn, range);
		struct tdi *w;

		if (range->bar != range_id || !(range->attributes & TDISP_RANGE_UPDATABLE))
			continue;
		if (!pages || pages > range->pages || at > range->pages - pages)
			continue;
		w = image_write(tdi);
		for (uint64_t p = at; p < at + pages; p++) {
			uint64_t bit = 1ull << (p % 64);

			w->non_tee[p / 64] =
				non_tee ? w->non_tee[p / 64] | bit : w->non_tee[p / 64] & ~bit;
		}
		return TDISP_OK;
	}
	return TDISP_INVALID_REQUEST;
}

int device_mmio_attributes(uint16_t rid, unsigned int bar, uint64_t offset)
{
	const struct dsm *dsm = dsm_of(rid);
	const struct tdi *tdi = dsm ? dsm_tdi(dsm, rid) : NULL;

	return tdi ? report_attributes(tdi, tdi->lock_flags, bar, offset / 4096) : -ENOENT;
}
