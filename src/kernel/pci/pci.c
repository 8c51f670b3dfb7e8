/* SPDX-License-Identifier: BSD-2-Clause */
/* Enumeration: what is on the bus, found by config requests, and where its capabilities are. */
#include "kernel/pci/internal.h"

#ifndef PCI_EXT_CAP_ID_DOE
#define PCI_EXT_CAP_ID_DOE 0x2e
#endif
#ifndef PCI_EXT_CAP_ID_IDE
#define PCI_EXT_CAP_ID_IDE 0x30
#endif
#ifndef PCI_EXP_DEVCAP_TEE
#define PCI_EXP_DEVCAP_TEE 0x40000000
#endif

int pci_parse(const char *bdf, uint16_t *rid)
{
	unsigned int domain, bus, device, fn;
	char again[16];

	if (sscanf(bdf, "%4x:%2x:%2x.%1u", &domain, &bus, &device, &fn) != 4)
		return -EINVAL;
	if (domain || device > 31 || fn > 7)
		return -EINVAL;
	snprintf(again, sizeof(again), "%04x:%02x:%02x.%u", domain, bus, device, fn);
	if (strcmp(again, bdf))
		return -EINVAL;
	*rid = (uint16_t)(bus << 8 | device << 3 | fn);
	return 0;
}

void pci_name(uint16_t rid, char out[13])
{
	snprintf(out, 13, "0000:%02x:%02x.%u", rid >> 8 & 0xffu, rid >> 3 & 0x1fu, rid & 7u);
}

/* Both lists are a device's word: they may loop or point anywhere. */
uint16_t pci_find_cap(uint16_t rid, uint8_t id)
{
	uint32_t at = config_read(rid, PCI_CAPABILITY_LIST, 1) & ~3u;

	if (!(config_read(rid, PCI_STATUS, 2) & PCI_STATUS_CAP_LIST))
		return 0;
	for (int left = 48; at >= 0x40 && left; left--) {
		uint32_t header = config_read(rid, at, 2);

		if ((header & 0xff) == id)
			return (uint16_t)at;
		at = header >> 8 & 0xfc;
	}
	return 0;
}

uint16_t pci_find_ext_cap(uint16_t rid, uint16_t id)
{
	uint32_t at = PCI_CFG_SPACE_SIZE;

	for (int left = (PCI_CFG_SPACE_EXP_SIZE - PCI_CFG_SPACE_SIZE) / 8;
	     at >= PCI_CFG_SPACE_SIZE && left; left--) {
		uint32_t header = config_read(rid, at, 4);

		if (!header || header == UINT32_MAX)
			return 0;
		if (PCI_EXT_CAP_ID(header) == id)
			return (uint16_t)at;
		at = PCI_EXT_CAP_NEXT(header);
	}
	return 0;
}

static void dev_capabilities(struct pci_dev *pdev)
{
	pdev->cap_pcie = pci_find_cap(pdev->rid, PCI_CAP_ID_EXP);
	pdev->cap_pm = pci_find_cap(pdev->rid, PCI_CAP_ID_PM);
	pdev->cap_msi = pci_find_cap(pdev->rid, PCI_CAP_ID_MSI);
	pdev->cap_msix = pci_find_cap(pdev->rid, PCI_CAP_ID_MSIX);
	pdev->cap_doe = pci_find_ext_cap(pdev->rid, PCI_EXT_CAP_ID_DOE);
	pdev->cap_ide = pci_find_ext_cap(pdev->rid, PCI_EXT_CAP_ID_IDE);
	pdev->cap_sriov = pci_find_ext_cap(pdev->rid, PCI_EXT_CAP_ID_SRIOV);
}

/* Keeps the list in order of rid. */
static void dev_insert(const struct pci_dev *pdev)
{
	const struct pci_root *root = pci_root();
	struct pci_root *w = image_write(root);
	uint32_t at = root->count;

	for (; at && root->dev[at - 1]->rid > pdev->rid; at--)
		w->dev[at] = root->dev[at - 1];
	w->dev[at] = pdev;
	w->count++;
}

static int dev_add(const struct function *fn)
{
	const struct pci_root *root = pci_root();
	struct pci_root *w;
	struct pci_dev *pdev;

	if (root->count == PCI_DEVS)
		return -ENOMEM;
	pdev = image_alloc(sizeof(*pdev), IMAGE_TYPE_PCI_DEV);
	if (!pdev)
		return -ENOMEM;
	pdev->rid = fn->rid;
	pdev->pf_rid = fn->pf_rid;
	pdev->root_port = fn->root_port;
	pdev->is_virtfn = fn->pf_rid != fn->rid;
	pdev->is_bridge =
		(config_read(fn->rid, PCI_HEADER_TYPE, 1) & 0x7f) == PCI_HEADER_TYPE_BRIDGE;
	dev_capabilities(pdev);
	w = image_write(root);
	pdev->group = (uint16_t)w->groups++;
	dev_insert(pdev);
	return 0;
}

int pci_rescan(void)
{
	const struct function *fn;
	uint16_t rid = 0;

	while ((fn = function_next(&rid))) {
		int rc = pci_dev_find(rid) ? 0 : dev_add(fn);

		if (rc)
			return rc;
		if (rid++ == UINT16_MAX)
			break;
	}
	return 0;
}

int pci_power_on(void)
{
	const struct pci_root *root = image_alloc(sizeof(*root), IMAGE_TYPE_ROOT);

	if (!root)
		return -ENOMEM;
	image_root_set(IMAGE_ROOT_PCI, root);
	return pci_rescan();
}

const struct pci_dev *pci_dev_next(uint16_t *rid)
{
	const struct pci_root *root = pci_root();

	for (uint32_t i = 0; root && i < root->count; i++)
		if (root->dev[i]->rid >= *rid) {
			*rid = root->dev[i]->rid;
			return root->dev[i];
		}
	return NULL;
}

const struct pci_dev *pci_dev_find(uint16_t rid)
{
	uint16_t at = rid;
	const struct pci_dev *pdev = pci_dev_next(&at);

	return pdev && at == rid ? pdev : NULL;
}

const struct function_bar *pci_bar(const struct pci_dev *pdev, unsigned int bar)
{
	const struct function *fn = function_find(pdev->rid);

	return fn && bar < FUNCTION_BARS && fn->bar[bar].size ? &fn->bar[bar] : NULL;
}

bool pci_is_tee(const struct pci_dev *pdev)
{
	return pdev->cap_pcie && !pdev->is_bridge &&
	       config_read(pdev->rid, pdev->cap_pcie + PCI_EXP_DEVCAP, 4) & PCI_EXP_DEVCAP_TEE;
}

/* -- config writes that end a binding ---------------------------------------------------------- */

/* Bits of the header or of a capability a locked TDI watches. clear: only clearing them counts. */
static const struct watched {
	uint16_t cap; /* offset in struct pci_dev of the capability's place; 0: header */
	uint16_t reg;
	uint16_t size;
	bool clear;
	uint32_t bits;
} watched[] = {
	{ 0, PCI_COMMAND, 2, true, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER },
	{ 0, PCI_BASE_ADDRESS_0, 4, false, UINT32_MAX },
	{ 0, PCI_BASE_ADDRESS_1, 4, false, UINT32_MAX },
	{ 0, PCI_BASE_ADDRESS_2, 4, false, UINT32_MAX },
	{ 0, PCI_BASE_ADDRESS_3, 4, false, UINT32_MAX },
	{ 0, PCI_BASE_ADDRESS_4, 4, false, UINT32_MAX },
	{ 0, PCI_BASE_ADDRESS_5, 4, false, UINT32_MAX },
	{ 0, PCI_ROM_ADDRESS, 4, false, UINT32_MAX },
	{ 0, PCI_BIST, 1, false, 0xff },
	{ offsetof(struct pci_dev, cap_pcie), PCI_EXP_DEVCTL, 2, false,
	  PCI_EXP_DEVCTL_EXT_TAG | PCI_EXP_DEVCTL_PHANTOM | PCI_EXP_DEVCTL_NOSNOOP_EN |
		  PCI_EXP_DEVCTL_BCR_FLR },
	{ offsetof(struct pci_dev, cap_pm), PCI_PM_CTRL, 2, false, PCI_PM_CTRL_STATE_MASK },
	{ offsetof(struct pci_dev, cap_sriov), PCI_SRIOV_CTRL, 2, false, UINT16_MAX },
	{ offsetof(struct pci_dev, cap_sriov), PCI_SRIOV_NUM_VF, 2, false, UINT16_MAX },
};

bool pci_config_breaks_tdi(const struct pci_dev *pdev, unsigned int offset, unsigned int size,
			   uint32_t value)
{
	uint32_t old = config_read(pdev->rid, offset, size);

	for (size_t i = 0; i < sizeof(watched) / sizeof(watched[0]); i++) {
		const struct watched *row = &watched[i];
		unsigned int base = row->reg;
		uint64_t bits, changed;
		uint16_t cap = 0;

		if (row->cap) {
			memcpy(&cap, (const uint8_t *)pdev + row->cap, sizeof(cap));
			if (!cap)
				continue;
		}
		base += cap;
		if (offset >= base + row->size || base >= offset + size)
			continue;
		bits = offset > base ? (uint64_t)row->bits >> 8 * (offset - base)
				     : (uint64_t)row->bits << 8 * (base - offset);
		changed = (old ^ value) & bits;
		if (changed & (row->clear ? old : UINT32_MAX))
			return true;
	}
	return false;
}

int pci_config_write_user(const struct pci_dev *pdev, unsigned int offset, unsigned int size,
			  uint32_t value)
{
	if (!size || size > 4 || (size & (size - 1)) || offset % size ||
	    offset + size > PCI_CFG_SPACE_EXP_SIZE)
		return -EINVAL;
	if (!function_find(pdev->rid))
		return -ENODEV;
	if (pci_reset_blocked(pdev) && pci_config_breaks_tdi(pdev, offset, size, value))
		return -EBUSY;
	config_write(pdev->rid, offset, size, value);
	return 0;
}
