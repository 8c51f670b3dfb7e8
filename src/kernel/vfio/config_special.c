/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Registers whose writes mean something to VFIO: decode and its revocations, BAR sizing, resets,
 * power. The bits a locked TDI watches (PCIe 6.x 11.2.6) are refused with -EBUSY while the policy
 * keeps a bound device as it is; otherwise they go through and the device goes to ERROR.
 */
#include "kernel/vfio/internal.h"

#define BARS_END (PCI_BASE_ADDRESS_0 + 4 * FUNCTION_BARS)

static bool touches(unsigned int offset, unsigned int size, unsigned int reg, unsigned int len)
{
	return offset < reg + len && reg < offset + size;
}

/* The value a register will have: what the client sees now, with the written bytes over it. */
static uint32_t merged(unsigned int reg, unsigned int len, uint32_t now,
		       unsigned int offset, unsigned int size, uint32_t value)
{
	for (unsigned int i = 0; i < len; i++) {
		unsigned int at = reg + i;

		if (at < offset || at >= offset + size)
			continue;
		now &= ~(0xffu << 8 * i);
		now |= (value >> 8 * (at - offset) & 0xff) << 8 * i;
	}
	return now;
}

/* -- BARs: only the client's copy moves -------------------------------------------------------- */

static uint32_t bar_mask(const struct vfio_device *vdev, unsigned int i, uint32_t *flags)
{
	const struct function_bar *bar = pci_bar(vdev->pdev, i);
	const struct function_bar *below = i ? pci_bar(vdev->pdev, i - 1) : NULL;

	*flags = 0;
	if (bar) {
		*flags = (bar->is64 ? PCI_BASE_ADDRESS_MEM_TYPE_64 : 0u) |
			 (bar->prefetch ? PCI_BASE_ADDRESS_MEM_PREFETCH : 0u);
		return (uint32_t)~(bar->size - 1);
	}
	return below && below->is64 ? (uint32_t)(~(below->size - 1) >> 32) : 0;
}

void vfio_config_refresh(const struct vfio_device *vdev, unsigned int offset, unsigned int size)
{
	for (unsigned int i = 0; i < FUNCTION_BARS; i++) {
		unsigned int at = PCI_BASE_ADDRESS_0 + 4 * i;
		uint32_t flags, now, mask;

		if (!touches(offset, size, at, 4))
			continue;
		mask = bar_mask(vdev, i, &flags);
		now = vfio_config_virtual(vdev, at, 4);
		if (((now & mask) | flags) != now)
			vfio_config_virtual_set(vdev, at, 4, (now & mask) | flags);
	}
	/* No device here has an expansion ROM. */
	if (touches(offset, size, PCI_ROM_ADDRESS, 4) &&
	    vfio_config_virtual(vdev, PCI_ROM_ADDRESS, 4))
		vfio_config_virtual_set(vdev, PCI_ROM_ADDRESS, 4, 0);
}

/* -- Command ----------------------------------------------------------------------------------- */

/* Decode is on for the client and off for the device: something reset it behind our back. */
static void bars_mend(const struct vfio_device *vdev)
{
	for (unsigned int i = 0; i < FUNCTION_BARS; i++)
		config_write(vdev->pdev->rid, PCI_BASE_ADDRESS_0 + 4 * i, 4, vdev->real_bar[i]);
}

static int command_write(const struct vfio_device *vdev, unsigned int offset, unsigned int size,
			 uint32_t value)
{
	const struct pci_dev *pdev = vdev->pdev;
	uint32_t real = config_read(pdev->rid, PCI_COMMAND, 2);
	uint32_t virt = vfio_config_virtual(vdev, PCI_COMMAND, 2);
	uint32_t now = (real & ~PCI_COMMAND_MEMORY) | (virt & PCI_COMMAND_MEMORY);
	uint32_t next = merged(PCI_COMMAND, 2, now, offset, size, value);
	int rc = vfio_memory_lock(vdev, KLOCK_WRITE);

	if (rc)
		return rc;
	if (!(next & PCI_COMMAND_MEMORY))
		vfio_memory_off(vdev);
	else if (virt & PCI_COMMAND_MEMORY && !(real & PCI_COMMAND_MEMORY) && !pdev->is_virtfn)
		bars_mend(vdev);
	vfio_config_default_write(vdev, offset, size, value);
	virt = vfio_config_virtual(vdev, PCI_COMMAND, 2) & ~(uint32_t)PCI_COMMAND_MEMORY;
	vfio_config_virtual_set(vdev, PCI_COMMAND, 2, virt | (next & PCI_COMMAND_MEMORY));
	vfio_memory_update(vdev);
	vfio_memory_unlock(vdev, KLOCK_WRITE);
	return 0;
}

/* -- PCI Express: FLR -------------------------------------------------------------------------- */

static int devctl_write(const struct vfio_device *vdev, unsigned int offset, unsigned int size,
			uint32_t value)
{
	unsigned int at = vdev->pdev->cap_pcie + PCI_EXP_DEVCTL;
	uint32_t asked = merged(at, 2, 0, offset, size, value), shadow;
	int rc;

	vfio_config_default_write(vdev, offset, size, value);
	shadow = vfio_config_virtual(vdev, at, 2) & ~(uint32_t)PCI_EXP_DEVCTL_BCR_FLR;
	vfio_config_virtual_set(vdev, at, 2, shadow);
	if (!(asked & PCI_EXP_DEVCTL_BCR_FLR) || !pci_can_flr(vdev->pdev))
		return 0;
	rc = vfio_memory_lock(vdev, KLOCK_WRITE);
	if (rc)
		return rc;
	/* As to a driver that writes the bit: whether it worked shows in the device. */
	vfio_reset_locked(vdev);
	vfio_memory_unlock(vdev, KLOCK_WRITE);
	return 0;
}

/* -- power management -------------------------------------------------------------------------- */

static int power_write(const struct vfio_device *vdev, unsigned int offset, unsigned int size,
		       uint32_t value)
{
	unsigned int at = vdev->pdev->cap_pm + PCI_PM_CTRL;
	uint32_t now = config_read(vdev->pdev->rid, at, 2);
	uint32_t state = merged(at, 2, now, offset, size, value) & PCI_PM_CTRL_STATE_MASK;
	bool restore;
	int rc;

	vfio_config_default_write(vdev, offset, size, value);
	if (state == (now & PCI_PM_CTRL_STATE_MASK))
		return 0;
	rc = vfio_memory_lock(vdev, KLOCK_WRITE);
	if (rc)
		return rc;
	if (state)
		vfio_memory_off(vdev);
	/* On the way back from D3hot a function that does not keep its registers gets them from us. */
	restore = (now & PCI_PM_CTRL_STATE_MASK) == 3 && !state;
	if (state == 3)
		pci_state_save(vdev->pdev);
	now = config_read(vdev->pdev->rid, at, 2) &
	      ~(uint32_t)(PCI_PM_CTRL_STATE_MASK | PCI_PM_CTRL_PME_STATUS);
	config_write(vdev->pdev->rid, at, 2, now | state);
	if (restore)
		pci_state_restore(vdev->pdev);
	vfio_memory_update(vdev);
	vfio_memory_unlock(vdev, KLOCK_WRITE);
	return 0;
}

/* -- MSI: on and off is SET_IRQS's to do ------------------------------------------------------- */

static int msi_write(const struct vfio_device *vdev, unsigned int offset, unsigned int size,
		     uint32_t value)
{
	unsigned int at = vdev->pdev->cap_msi + PCI_MSI_FLAGS;
	uint32_t most = config_read(vdev->pdev->rid, at, 2) >> 1 & 7, flags;

	vfio_config_default_write(vdev, offset, size, value);
	flags = vfio_config_virtual(vdev, at, 2);
	if (vdev->irq_type != VFIO_IRQ_MSI)
		flags &= ~(uint32_t)PCI_MSI_FLAGS_ENABLE;
	if ((flags >> 4 & 7) > most)
		flags = (flags & ~(uint32_t)PCI_MSI_FLAGS_QSIZE) | most << 4;
	vfio_config_virtual_set(vdev, at, 2, flags);
	return 0;
}

/* -- the table --------------------------------------------------------------------------------- */

static const struct {
	uint16_t cap; /* where struct pci_dev has the capability's place; 0: the header */
	uint8_t reg, len;
	int (*write)(const struct vfio_device *vdev, unsigned int offset, unsigned int size,
		     uint32_t value);
} specials[] = {
	{ 0, PCI_COMMAND, 2, command_write },
	{ offsetof(struct pci_dev, cap_pcie), PCI_EXP_DEVCTL, 2, devctl_write },
	{ offsetof(struct pci_dev, cap_pm), PCI_PM_CTRL, 2, power_write },
	{ offsetof(struct pci_dev, cap_msi), PCI_MSI_FLAGS, 2, msi_write },
};

/* A client's view of the same bits: its BARs are copies, so a sizing write moves nothing, but to a
 * locked TDI's VMM it is as wrong as a real one. */
static bool breaks_tdi(const struct vfio_device *vdev, unsigned int offset, unsigned int size,
		       uint32_t value)
{
	if (touches(offset, size, PCI_BASE_ADDRESS_0, BARS_END - PCI_BASE_ADDRESS_0))
		return vfio_config_virtual(vdev, offset, size) != value;
	if (touches(offset, size, PCI_ROM_ADDRESS, 4))
		return false;
	if (vdev->pdev->is_virtfn && touches(offset, size, PCI_COMMAND, 2)) {
		uint32_t next = merged(PCI_COMMAND, 2, PCI_COMMAND_MEMORY, offset, size, value);

		if (!(next & PCI_COMMAND_MEMORY))
			return true;
	}
	return pci_config_breaks_tdi(vdev->pdev, offset, size, value);
}

int vfio_config_special_write(const struct vfio_device *vdev, unsigned int offset,
			      unsigned int size, uint32_t value, bool *done)
{
	if (vdev->tsm_state == VFIO_LOCKED && breaks_tdi(vdev, offset, size, value)) {
		bool blocked = pci_reset_blocked(vdev->pdev);

		if (blocked && !mutant(MUTANT_CONFIG_PASSES))
			return -EBUSY;
		TRACE_EVENT(LANE_VFIO, LANE_DEVICE, "config write breaks the TDI",
			    A("rid", vdev->pdev->rid), A("offset", offset), A("value", value),
			    A("blocked", blocked));
	} else if (pci_reset_blocked(vdev->pdev) && breaks_tdi(vdev, offset, size, value)) {
		return -EBUSY;
	}
	for (size_t i = 0; i < sizeof(specials) / sizeof(specials[0]); i++) {
		unsigned int base = specials[i].reg;
		uint16_t cap = 0;

		if (specials[i].cap) {
			memcpy(&cap, (const uint8_t *)vdev->pdev + specials[i].cap, sizeof(cap));
			if (!cap)
				continue;
		}
		base += cap;
		if (!touches(offset, size, base, specials[i].len))
			continue;
		*done = true;
		return specials[i].write(vdev, offset, size, value);
	}
	return 0;
}
