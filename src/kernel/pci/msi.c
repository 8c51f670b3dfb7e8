/* SPDX-License-Identifier: BSD-2-Clause */
/* Message interrupts of a device: its MSI or MSI-X registers, programmed by the host alone. */
#include "hardware/cpu.h"
#include "kernel/pci/internal.h"

#define PAGE_DOWN(x) ((x) & ~(uint64_t)4095)
#define PAGE_UP(x) PAGE_DOWN((x) + 4095)

unsigned int pci_msi_vectors(const struct pci_dev *pdev, enum pci_msi mode)
{
	uint32_t flags;

	if (mode == PCI_MSI_MSIX && pdev->cap_msix) {
		flags = config_read(pdev->rid, pdev->cap_msix + PCI_MSIX_FLAGS, 2);
		return (flags & PCI_MSIX_FLAGS_QSIZE) + 1;
	}
	if (mode != PCI_MSI_MSI || !pdev->cap_msi)
		return 0;
	flags = config_read(pdev->rid, pdev->cap_msi + PCI_MSI_FLAGS, 2);
	return 1u << ((flags & PCI_MSI_FLAGS_QMASK) >> 1);
}

bool pci_msix_pages(const struct pci_dev *pdev, unsigned int bar, uint64_t *first, uint64_t *end)
{
	uint64_t vectors = pci_msi_vectors(pdev, PCI_MSI_MSIX);
	const struct { unsigned int reg; uint64_t len; } parts[] = {
		{ PCI_MSIX_TABLE, vectors * PCI_MSIX_ENTRY_SIZE },
		{ PCI_MSIX_PBA, (vectors + 63) / 64 * 8 },
	};

	*first = UINT64_MAX;
	*end = 0;
	for (size_t i = 0; vectors && i < 2; i++) {
		uint32_t place = config_read(pdev->rid, pdev->cap_msix + parts[i].reg, 4);
		uint64_t from = PAGE_DOWN(place & PCI_MSIX_TABLE_OFFSET);
		uint64_t to = PAGE_UP((uint64_t)(place & PCI_MSIX_TABLE_OFFSET) + parts[i].len);

		if ((place & PCI_MSIX_TABLE_BIR) != bar)
			continue;
		*first = from < *first ? from : *first;
		*end = to > *end ? to : *end;
	}
	return *end > 0;
}

void pci_msix_table(const struct pci_dev *pdev, unsigned int bar, uint64_t *first, uint64_t *end)
{
	uint64_t vectors = pci_msi_vectors(pdev, PCI_MSI_MSIX);
	uint32_t place = vectors ? config_read(pdev->rid, pdev->cap_msix + PCI_MSIX_TABLE, 4) : 0;

	*first = *end = 0;
	if (!vectors || (place & PCI_MSIX_TABLE_BIR) != bar)
		return;
	*first = place & PCI_MSIX_TABLE_OFFSET;
	*end = *first + vectors * PCI_MSIX_ENTRY_SIZE;
}

static void msix_entry(const struct pci_dev *pdev, unsigned int vector, bool on)
{
	uint32_t place = config_read(pdev->rid, pdev->cap_msix + PCI_MSIX_TABLE, 4);
	const struct function_bar *bar = pci_bar(pdev, place & PCI_MSIX_TABLE_BIR);
	const uint32_t entry[] = { on ? pci_msi_address() : 0, 0, on ? vector : 0, on ? 0 : 1 };
	uint64_t at = (place & PCI_MSIX_TABLE_OFFSET) + (uint64_t)vector * PCI_MSIX_ENTRY_SIZE;

	if (!bar || at + PCI_MSIX_ENTRY_SIZE > bar->size)
		return;
	/* A locked table refuses (LOCK_MSIX); nothing is to be done about that here. */
	for (size_t i = 0; i < 4; i++)
		cpu_host_write(bar->hpa + at + 4 * i, &entry[i], 4);
}

static void msix_program(const struct pci_dev *pdev)
{
	unsigned int at = pdev->cap_msix + PCI_MSIX_FLAGS;
	uint32_t flags = config_read(pdev->rid, at, 2) & ~(uint32_t)PCI_MSIX_FLAGS_MASKALL;

	config_write(pdev->rid, at, 2, flags | PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	for (unsigned int i = 0; i < pdev->msi_count; i++)
		msix_entry(pdev, i, true);
	config_write(pdev->rid, at, 2, flags | PCI_MSIX_FLAGS_ENABLE);
}

static void msi_program(const struct pci_dev *pdev)
{
	uint16_t cap = pdev->cap_msi;
	uint32_t flags =
		config_read(pdev->rid, cap + PCI_MSI_FLAGS, 2) & ~(uint32_t)PCI_MSI_FLAGS_QSIZE;
	unsigned int order = 0;

	while (1u << order < pdev->msi_count)
		order++;
	config_write(pdev->rid, cap + PCI_MSI_ADDRESS_LO, 4, pci_msi_address());
	if (flags & PCI_MSI_FLAGS_64BIT)
		config_write(pdev->rid, cap + PCI_MSI_ADDRESS_HI, 4, 0);
	config_write(pdev->rid,
		     cap + (flags & PCI_MSI_FLAGS_64BIT ? PCI_MSI_DATA_64 : PCI_MSI_DATA_32), 2, 0);
	config_write(pdev->rid, cap + PCI_MSI_FLAGS, 2, flags | order << 4 | PCI_MSI_FLAGS_ENABLE);
}

void pci_msi_restore(const struct pci_dev *pdev)
{
	if (pdev->msi == PCI_MSI_MSIX)
		msix_program(pdev);
	else if (pdev->msi == PCI_MSI_MSI)
		msi_program(pdev);
}

int pci_msi_enable(const struct pci_dev *pdev, enum pci_msi mode, unsigned int count)
{
	struct pci_dev *w;

	if (pdev->msi != PCI_MSI_OFF || !count)
		return -EINVAL;
	if (count > pci_msi_vectors(pdev, mode))
		return -ENOSPC;
	w = image_write(pdev);
	w->msi = (uint8_t)mode;
	w->msi_count = (uint16_t)count;
	pci_msi_restore(pdev);
	return 0;
}

void pci_msi_disable(const struct pci_dev *pdev)
{
	bool msix = pdev->msi == PCI_MSI_MSIX;
	unsigned int at = msix ? pdev->cap_msix + PCI_MSIX_FLAGS : pdev->cap_msi + PCI_MSI_FLAGS;
	uint32_t enable = msix ? PCI_MSIX_FLAGS_ENABLE : PCI_MSI_FLAGS_ENABLE;
	struct pci_dev *w;

	if (pdev->msi == PCI_MSI_OFF)
		return;
	for (unsigned int i = 0; msix && i < pdev->msi_count; i++)
		msix_entry(pdev, i, false);
	config_write(pdev->rid, at, 2, config_read(pdev->rid, at, 2) & ~enable);
	w = image_write(pdev);
	w->msi = PCI_MSI_OFF;
	w->msi_count = 0;
}
