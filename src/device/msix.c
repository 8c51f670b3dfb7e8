/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * MSI-X: table, pending bits, and the messages. T of a message follows PCIe 6.x 11.2.2: with T=1
 * only in RUN and from a locked table; without it in RUN, LOCKED and UNLOCKED; none from ERROR.
 */
#include <string.h>

#include <linux/pci_regs.h>

#include "device/dsm.h"

#define ENTRY_SIZE 16u

static bool function_masked(const struct function *fn)
{
	uint32_t flags = function_config(fn, fn->cap_msix + PCI_MSIX_FLAGS, 2);

	return !(flags & PCI_MSIX_FLAGS_ENABLE) || (flags & PCI_MSIX_FLAGS_MASKALL);
}

uint32_t msix_read(const struct engine *engine, uint64_t offset)
{
	const struct msix_entry *entry;
	uint64_t at = offset - ENGINE_MSIX_TABLE;

	if (offset == ENGINE_MSIX_PBA)
		return engine->pending;
	if (offset < ENGINE_MSIX_TABLE || at >= ENGINE_MSIX_VECTORS * ENTRY_SIZE)
		return 0;
	entry = &engine->msix[at / ENTRY_SIZE];
	switch (at % ENTRY_SIZE / 4) {
	case 0:
		return (uint32_t)entry->address;
	case 1:
		return (uint32_t)(entry->address >> 32);
	case 2:
		return entry->data;
	default:
		return entry->control;
	}
}

void msix_write(const struct engine *engine, uint64_t offset, uint32_t value, uint32_t mask)
{
	uint64_t at = offset - ENGINE_MSIX_TABLE;
	uint32_t merged = (msix_read(engine, offset) & ~mask) | (value & mask);
	struct msix_entry *entry;

	if (offset < ENGINE_MSIX_TABLE || at >= ENGINE_MSIX_VECTORS * ENTRY_SIZE)
		return;		/* the PBA is read-only */
	entry = image_write(&engine->msix[at / ENTRY_SIZE]);
	switch (at % ENTRY_SIZE / 4) {
	case 0:
		entry->address = (entry->address & ~0xffffffffull) | (merged & ~3u);
		break;
	case 1:
		entry->address = (entry->address & 0xffffffffu) | (uint64_t)merged << 32;
		break;
	case 2:
		entry->data = merged;
		break;
	default:
		entry->control = merged & PCI_MSIX_ENTRY_CTRL_MASKBIT;
		msix_flush(engine);
	}
}

static void msix_send(const struct engine *engine, const struct msix_entry *entry)
{
	const struct tdi *tdi = engine->tdi;
	uint32_t data = entry->data;
	struct tlp tlp = {
		.type = TLP_MSI,
		.rid = engine->rid,
		.t = tdi->state == TDISP_RUN && (tdi->lock_flags & TDISP_LOCK_MSIX),
		.stream = TLP_NO_STREAM,
		.pasid = TLP_NO_PASID,
		.address = entry->address,
		.len = sizeof(data),
		.data = &data,
	};

	if (tdi->state != TDISP_ERROR_STATE)
		tlp_dma(&tlp);
}

void msix_flush(const struct engine *engine)
{
	const struct function *fn = function_find(engine->rid);

	if (!fn || function_masked(fn))
		return;
	for (unsigned int v = 0; engine->pending && v < ENGINE_MSIX_VECTORS; v++) {
		if (!(engine->pending >> v & 1) ||
			(engine->msix[v].control & PCI_MSIX_ENTRY_CTRL_MASKBIT))
			continue;
		engine_write(engine)->pending &= ~(1u << v);
		msix_send(engine, &engine->msix[v]);
	}
}

void msix_raise(const struct engine *engine, uint32_t vector)
{
	const struct function *fn = function_find(engine->rid);

	if (vector >= ENGINE_MSIX_VECTORS || !fn ||
	    !(function_config(fn, fn->cap_msix + PCI_MSIX_FLAGS, 2) & PCI_MSIX_FLAGS_ENABLE))
		return;
	engine_write(engine)->pending |= 1u << vector;
	msix_flush(engine);
}

/* As after reset: every vector masked. */
void msix_clear(const struct engine *engine)
{
	struct engine *w = image_write(engine);

	memset(w->msix, 0, sizeof(w->msix));
	for (unsigned int v = 0; v < ENGINE_MSIX_VECTORS; v++)
		w->msix[v].control = PCI_MSIX_ENTRY_CTRL_MASKBIT;
	w->pending = 0;
}
