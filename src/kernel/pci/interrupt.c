/* SPDX-License-Identifier: BSD-2-Clause */
/* What the hardware tells the kernel. These run inside a device's or a guest's action: they may
 * note and signal, never wait or touch the device. */
#include "kernel/iommufd/iommufd.h"
#include "kernel/pci/internal.h"
#include "kernel/vfio/vfio.h"

void kernel_interrupt(uint16_t rid, uint64_t address, uint32_t data)
{
	const struct pci_dev *pdev = pci_dev_find(rid);

	TRACE_EVENT(LANE_HARDWARE, LANE_VFIO, "MSI", A("rid", rid), A("vector", data));
	/* A stray message, or one no driver asked for, is dropped as the remapping would. */
	if (!pdev || !pdev->vfio || address != pci_msi_address() || data >= pdev->msi_count)
		return;
	vfio_device_interrupt(vfio_device_of(pdev), data);
}

void kernel_iommu_fault(uint16_t rid, uint32_t pasid, bool t, uint64_t address, bool write,
			unsigned int reason)
{
	const struct iommufd_dma_fault fault = { address, pasid, reason, write };
	const struct pci_dev *pdev = pci_dev_find(rid);

	TRACE_EVENT(LANE_HARDWARE, LANE_IOMMUFD, "DMA fault", A("rid", rid), A("pasid", pasid),
		    A("t", t), A("address", address), A("write", write), A("reason", reason));
	if (pdev && !t)
		iommufd_dma_refused(pdev, &fault);
}

/* The mappings that point at the old place find nothing there: the routing decides, not we. */
void kernel_mmio_moved(uint16_t rid)
{
	TRACE_EVENT(LANE_HARDWARE, LANE_VFIO, "MMIO moved", A("rid", rid));
}
