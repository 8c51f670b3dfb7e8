/* SPDX-License-Identifier: BSD-2-Clause */
/* Which pages of a function are TEE memory as the host offers them: BARs without MSI-X. What of them
 * the device reports is another matter (report.c). */
#include "hardware/phys.h"
#include "kernel/kernel.h"
#include "kernel/tsm/internal.h"

#define MSIX_TABLE_REG 4u
#define MSIX_PBA_REG 8u
#define MSIX_ENTRY 16u

struct hole { uint64_t start, end; };

/* The MSI-X table (which 0) or PBA (1) of a function within a BAR, in whole pages; empty
 * otherwise. */
static struct hole msix_hole(const struct function *fn, unsigned int bar, unsigned int which)
{
	uint32_t vectors, reg;
	uint64_t start, len;

	if (!fn->cap_msix || mutant(MUTANT_PRIVATE_MSIX))
		return (struct hole){ 0, 0 };
	vectors = (config_read(fn->rid, fn->cap_msix + 2, 2) & 0x7ff) + 1;
	reg = config_read(fn->rid, fn->cap_msix + (which ? MSIX_PBA_REG : MSIX_TABLE_REG), 4);
	if ((reg & 7) != bar)
		return (struct hole){ 0, 0 };
	start = reg & ~7u;
	len = which ? (vectors + 63) / 64 * 8 : (uint64_t)vectors * MSIX_ENTRY;
	return (struct hole){ start & ~(uint64_t)(PHYS_PAGE - 1),
			      (start + len + PHYS_PAGE - 1) & ~(uint64_t)(PHYS_PAGE - 1) };
}

static int tee_add(struct tsm_tee *tee, uint64_t hpa, uint64_t len)
{
	if (!len)
		return 0;
	if (tee->count == TSM_TEE_SPANS)
		return -ENOSPC;
	tee->span[tee->count++] = (struct tsm_span){ hpa, len };
	return 0;
}

static int tee_bar(const struct function *fn, unsigned int bar, struct tsm_tee *tee)
{
	struct hole holes[2] = { msix_hole(fn, bar, 0), msix_hole(fn, bar, 1) };
	uint64_t at = 0, size = fn->bar[bar].size;
	int rc;

	if (holes[1].end && (!holes[0].end || holes[1].start < holes[0].start)) {
		struct hole first = holes[1];

		holes[1] = holes[0];
		holes[0] = first;
	}
	for (unsigned int i = 0; i < 2; i++) {
		if (!holes[i].end || holes[i].start >= size)
			continue;
		if (holes[i].start > at) {
			rc = tee_add(tee, fn->bar[bar].hpa + at, holes[i].start - at);
			if (rc)
				return rc;
		}
		at = holes[i].end > at ? holes[i].end : at;
	}
	return at < size ? tee_add(tee, fn->bar[bar].hpa + at, size - at) : 0;
}

int tsm_tee_spans(const struct pci_dev *pdev, struct tsm_tee *tee)
{
	const struct function *fn = function_find(pdev->rid);
	int rc = 0;

	tee->count = 0;
	if (!fn)
		return -ENXIO;
	for (unsigned int bar = 0; !rc && bar < FUNCTION_BARS; bar++)
		if (fn->bar[bar].size >= PHYS_PAGE && fn->bar[bar].hpa)
			rc = tee_bar(fn, bar, tee);
	return rc;
}
