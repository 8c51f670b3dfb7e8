/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Message interrupts: MSI-X table, pending bits, and the messages; MSI where a model has that too
 * and it is what software enabled. T of a message follows PCIe 6.x 11.2.2: with T=1 only in RUN and
 * from a locked table; without it in RUN, LOCKED and UNLOCKED; none from ERROR.
 */
#include <string.h>

#include <linux/pci_regs.h>

#include "device/dsm.h"

#define ENTRY_SIZE 16u

static uint32_t flags_of(const struct function *fn, uint16_t cap, unsigned int reg)
{
	return fn && cap ? function_config(fn, cap + reg, 2) : 0;
}

static uint32_t msix_flags(const struct msix *msix)
{
	const struct function *fn = function_find(msix->rid);

	return fn ? flags_of(fn, fn->cap_msix, PCI_MSIX_FLAGS) : 0;
}

uint32_t msix_read(const struct msix *msix, uint64_t at)
{
	const struct msix_entry *entry;

	if (at == MSIX_PBA)
		return msix->pending;
	if (at >= (uint64_t)msix->vectors * ENTRY_SIZE)
		return 0;
	entry = &msix->entry[at / ENTRY_SIZE];
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

void msix_write(const struct msix *msix, uint64_t at, uint32_t value, uint32_t mask)
{
	uint32_t merged = (msix_read(msix, at) & ~mask) | (value & mask);
	struct msix_entry *entry;

	if (at >= (uint64_t)msix->vectors * ENTRY_SIZE)
		return;		/* the PBA is read-only */
	entry = image_write(&msix->entry[at / ENTRY_SIZE]);
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
		msix_flush(msix);
	}
}

static void message_send(const struct msix *msix, uint64_t address, uint32_t data)
{
	const struct tdi *tdi = msix->tdi;
	struct tlp tlp = {
		.type = TLP_MSI,
		.rid = msix->rid,
		.t = tdi && tdi->state == TDISP_RUN && (tdi->lock_flags & TDISP_LOCK_MSIX),
		.stream = TLP_NO_STREAM,
		.pasid = TLP_NO_PASID,
		.address = address,
		.len = sizeof(data),
		.data = &data,
	};

	if (!tdi || tdi->state != TDISP_ERROR_STATE)
		tlp_dma(&tlp);
}

static void pending_set(const struct msix *msix, uint32_t pending)
{
	uint32_t *w = image_write(&msix->pending);

	*w = pending;
}

void msix_flush(const struct msix *msix)
{
	uint32_t flags = msix_flags(msix);

	if (!(flags & PCI_MSIX_FLAGS_ENABLE) || flags & PCI_MSIX_FLAGS_MASKALL)
		return;
	for (unsigned int v = 0; msix->pending && v < msix->vectors; v++) {
		const struct msix_entry *entry = &msix->entry[v];

		if (!(msix->pending >> v & 1) || (entry->control & PCI_MSIX_ENTRY_CTRL_MASKBIT))
			continue;
		pending_set(msix, msix->pending & ~(1u << v));
		message_send(msix, entry->address, entry->data);
	}
}

static void msi_send(const struct msix *msix, const struct function *fn)
{
	uint32_t flags = flags_of(fn, fn->cap_msi, PCI_MSI_FLAGS);
	bool wide = flags & PCI_MSI_FLAGS_64BIT;
	uint64_t address = function_config(fn, fn->cap_msi + PCI_MSI_ADDRESS_LO, 4);

	if (wide)
		address |= (uint64_t)function_config(fn, fn->cap_msi + PCI_MSI_ADDRESS_HI, 4) << 32;
	message_send(msix, address,
		function_config(fn, fn->cap_msi + (wide ? PCI_MSI_DATA_64 : PCI_MSI_DATA_32), 2));
}

void msix_raise(const struct msix *msix, uint32_t vector)
{
	const struct function *fn = function_find(msix->rid);

	if (vector >= msix->vectors || !fn)
		return;
	if (msix_flags(msix) & PCI_MSIX_FLAGS_ENABLE) {
		pending_set(msix, msix->pending | 1u << vector);
		msix_flush(msix);
	} else if (flags_of(fn, fn->cap_msi, PCI_MSI_FLAGS) & PCI_MSI_FLAGS_ENABLE) {
		msi_send(msix, fn);
	}
}

/* As after reset: every vector masked. */
void msix_clear(const struct msix *msix)
{
	struct msix *w = image_write(msix);

	memset(w->entry, 0, sizeof(w->entry));
	for (unsigned int v = 0; v < w->vectors; v++)
		w->entry[v].control = PCI_MSIX_ENTRY_CTRL_MASKBIT;
	w->pending = 0;
}
