/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Resets. The core saves the registers a reset takes and puts them back, as Linux does around every
 * reset it offers. A bound device is reset only when the policy lets the reset break the binding.
 */
#include "kernel/pci/internal.h"
#include "kernel/tsm/tsm.h"
#include "kernel/vfio/vfio.h"

#define FLR_WAIT 100000000ull		/* ns, PCIe 6.x 6.6.2 */
#define SBR_HOLD 2000000ull
#define SBR_WAIT 100000000ull

static void read_dwords(uint16_t rid, unsigned int at, uint32_t *to, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		to[i] = config_read(rid, at + 4 * i, 4);
}

static void write_dwords(uint16_t rid, unsigned int at, const uint32_t *from, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		config_write(rid, at + 4 * i, 4, from[i]);
}

void pci_state_save(const struct pci_dev *pdev)
{
	struct pci_saved *saved = image_write(&pdev->saved);
	uint16_t rid = pdev->rid;

	saved->command = (uint16_t)config_read(rid, PCI_COMMAND, 2);
	saved->cache_line = (uint8_t)config_read(rid, PCI_CACHE_LINE_SIZE, 1);
	saved->latency = (uint8_t)config_read(rid, PCI_LATENCY_TIMER, 1);
	saved->irq_line = (uint8_t)config_read(rid, PCI_INTERRUPT_LINE, 1);
	read_dwords(rid, PCI_BASE_ADDRESS_0, saved->bar, 6);
	if (pdev->cap_pcie) {
		saved->devctl = (uint16_t)config_read(rid, pdev->cap_pcie + PCI_EXP_DEVCTL, 2);
		saved->devctl2 = (uint16_t)config_read(rid, pdev->cap_pcie + PCI_EXP_DEVCTL2, 2);
	}
	if (pdev->cap_sriov) {
		saved->vf_ctrl = (uint16_t)config_read(rid, pdev->cap_sriov + PCI_SRIOV_CTRL, 2);
		saved->vf_count = (uint16_t)config_read(rid, pdev->cap_sriov + PCI_SRIOV_NUM_VF, 2);
		saved->vf_page_size = config_read(rid, pdev->cap_sriov + PCI_SRIOV_SYS_PGSIZE, 4);
		read_dwords(rid, pdev->cap_sriov + PCI_SRIOV_BAR, saved->vf_bar, 6);
	}
}

/* Decode comes last but for MSI-X, whose table is behind it. */
void pci_state_restore(const struct pci_dev *pdev)
{
	const struct pci_saved *saved = &pdev->saved;
	uint16_t rid = pdev->rid;

	if (pdev->cap_pcie) {
		config_write(rid, pdev->cap_pcie + PCI_EXP_DEVCTL, 2,
			     saved->devctl & ~(uint32_t)PCI_EXP_DEVCTL_BCR_FLR);
		config_write(rid, pdev->cap_pcie + PCI_EXP_DEVCTL2, 2, saved->devctl2);
	}
	config_write(rid, PCI_CACHE_LINE_SIZE, 1, saved->cache_line);
	config_write(rid, PCI_LATENCY_TIMER, 1, saved->latency);
	config_write(rid, PCI_INTERRUPT_LINE, 1, saved->irq_line);
	write_dwords(rid, PCI_BASE_ADDRESS_0, saved->bar, 6);
	config_write(rid, PCI_COMMAND, 2, saved->command);
	if (pdev->cap_sriov) {
		config_write(rid, pdev->cap_sriov + PCI_SRIOV_SYS_PGSIZE, 4, saved->vf_page_size);
		write_dwords(rid, pdev->cap_sriov + PCI_SRIOV_BAR, saved->vf_bar, 6);
		config_write(rid, pdev->cap_sriov + PCI_SRIOV_NUM_VF, 2, saved->vf_count);
		config_write(rid, pdev->cap_sriov + PCI_SRIOV_CTRL, 2, saved->vf_ctrl);
	}
	if (pdev->pasid_on)
		pci_pasid_enable(pdev);
	if (pdev->requests_on)
		pci_page_requests_enable(pdev);
	pci_msi_restore(pdev);
}

bool pci_reset_blocked(const struct pci_dev *pdev)
{
	return pdev->reset_blocked && !pci_tsm_quarantined(pdev, NULL);
}

typedef bool (*affects)(const struct pci_dev *reset, const struct pci_dev *other);

static bool affects_flr(const struct pci_dev *reset, const struct pci_dev *other)
{
	return other == reset || (!reset->is_virtfn && other->pf_rid == reset->rid);
}

static bool affects_bus(const struct pci_dev *reset, const struct pci_dev *other)
{
	return !other->is_bridge && other->root_port == reset->root_port;
}

/* One walk of the devices a reset takes with it. */
static bool any_blocked(const struct pci_dev *reset, affects hits)
{
	const struct pci_root *root = pci_root();

	for (uint32_t i = 0; i < root->count; i++)
		if (pci_reset_blocked(root->dev[i]) && hits(reset, root->dev[i]))
			return true;
	return false;
}

bool pci_reset_allowed(const struct pci_dev *pdev)
{
	return !any_blocked(pdev, affects_flr);
}

static void each_affected(const struct pci_dev *reset, affects hits,
			  void (*fn)(const struct pci_dev *pdev))
{
	const struct pci_root *root = pci_root();

	for (uint32_t i = 0; i < root->count; i++)
		if (hits(reset, root->dev[i]) && function_find(root->dev[i]->rid))
			fn(root->dev[i]);
}

bool pci_can_flr(const struct pci_dev *pdev)
{
	return pdev->cap_pcie && function_find(pdev->rid) &&
	       config_read(pdev->rid, pdev->cap_pcie + PCI_EXP_DEVCAP, 4) & PCI_EXP_DEVCAP_FLR;
}

int pci_reset_function(const struct pci_dev *pdev)
{
	unsigned int devctl = pdev->cap_pcie + PCI_EXP_DEVCTL;

	if (any_blocked(pdev, affects_flr))
		return -EBUSY;
	if (!pci_can_flr(pdev))
		return -ENOTTY;
	each_affected(pdev, affects_flr, pci_state_save);
	config_write(pdev->rid, PCI_COMMAND, 2, PCI_COMMAND_INTX_DISABLE);
	config_write(pdev->rid, devctl, 2,
		     config_read(pdev->rid, devctl, 2) | PCI_EXP_DEVCTL_BCR_FLR);
	image_clock_advance(FLR_WAIT);
	/* The PF comes first, and with it its VFs are there again. */
	pci_state_restore(pdev);
	for (uint32_t i = 0; i < pci_root()->count; i++) {
		const struct pci_dev *vf = pci_root()->dev[i];

		if (vf != pdev && affects_flr(pdev, vf) && function_find(vf->rid))
			pci_state_restore(vf);
	}
	return 0;
}

int pci_reset_bus(const struct pci_dev *pdev)
{
	const struct pci_dev *port = pci_dev_find(pdev->root_port);
	uint32_t control;

	if (!port || !port->is_bridge || pdev->is_bridge)
		return -ENOTTY;
	if (any_blocked(pdev, affects_bus))
		return -EBUSY;
	each_affected(pdev, affects_bus, pci_state_save);
	control = config_read(port->rid, PCI_BRIDGE_CONTROL, 2);
	config_write(port->rid, PCI_BRIDGE_CONTROL, 2, control | PCI_BRIDGE_CTL_BUS_RESET);
	image_clock_advance(SBR_HOLD);
	config_write(port->rid, PCI_BRIDGE_CONTROL, 2,
		     control & ~(uint32_t)PCI_BRIDGE_CTL_BUS_RESET);
	image_clock_advance(SBR_WAIT);
	each_affected(pdev, affects_bus, pci_state_restore);
	each_affected(pdev, affects_bus, pci_tsm_reset_done);
	return 0;
}

int pci_error_recover(const struct pci_dev *pdev)
{
	if (pdev->vfio)
		vfio_device_error(vfio_device_of(pdev));
	return pci_reset_bus(pdev);
}
