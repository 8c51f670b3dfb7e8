/* SPDX-License-Identifier: BSD-2-Clause */
/* What a function does with an IOMMU that knows more than addresses: PASIDs (PCIe 6.x 6.20),
 * translation requests and page requests (10.2, 10.4). */
#include <linux/pci_regs.h>

#include "hardware/function.h"
#include "kernel/pci/pci.h"

static void bit_set(uint16_t rid, unsigned int at, uint32_t bit)
{
	uint32_t old = config_read(rid, at, 2);

	if (!(old & bit))
		config_write(rid, at, 2, old | bit);
}

int pci_pasid_enable(const struct pci_dev *pdev)
{
	uint16_t cap = pci_find_ext_cap(pdev->pf_rid, PCI_EXT_CAP_ID_PASID);
	struct pci_dev *w;

	if (!cap)
		return -ENODEV;
	bit_set(pdev->pf_rid, cap + PCI_PASID_CTRL, PCI_PASID_CTRL_ENABLE);
	w = image_write(pdev);
	w->pasid_on = true;
	return 0;
}

int pci_page_requests_enable(const struct pci_dev *pdev)
{
	uint16_t ats = pci_find_ext_cap(pdev->rid, PCI_EXT_CAP_ID_ATS);
	uint16_t pri = pci_find_ext_cap(pdev->pf_rid, PCI_EXT_CAP_ID_PRI);
	struct pci_dev *w;

	if (!ats || !pri)
		return -ENODEV;
	bit_set(pdev->rid, ats + PCI_ATS_CTRL, PCI_ATS_CTRL_ENABLE);
	bit_set(pdev->pf_rid, pri + PCI_PRI_CTRL, PCI_PRI_CTRL_ENABLE);
	w = image_write(pdev);
	w->requests_on = true;
	return 0;
}
