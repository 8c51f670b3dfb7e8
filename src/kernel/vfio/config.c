/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Config space as a client sees it. Every bit is one of: the hardware's and read-only, the
 * hardware's and writable, or virtual: kept in config[], writable or not. Which is said by one
 * table of the registers that differ from "the hardware's, read-only"; capabilities not in the
 * table of known ones are taken out of the lists. DOE and IDE are the host's: their registers read
 * as zero, and only with extensions do the lists have them at all.
 */
#include "kernel/vfio/internal.h"

#define CAP_HEADER 0
#define ALL 0xffffffffu

/* -- the tables -------------------------------------------------------------------------------- */

/* Known capabilities: they stay in the list. */
static const uint8_t known_caps[] = {
	PCI_CAP_ID_PM,	  PCI_CAP_ID_VPD, PCI_CAP_ID_MSI,  PCI_CAP_ID_VNDR,
	PCI_CAP_ID_SSVID, PCI_CAP_ID_EXP, PCI_CAP_ID_MSIX, PCI_CAP_ID_AF,
};
static const uint16_t known_ext_caps[] = {
	PCI_EXT_CAP_ID_ERR,   PCI_EXT_CAP_ID_VC,  PCI_EXT_CAP_ID_DSN, PCI_EXT_CAP_ID_PWR,
	PCI_EXT_CAP_ID_VNDR,  PCI_EXT_CAP_ID_ACS, PCI_EXT_CAP_ID_ARI, PCI_EXT_CAP_ID_ATS,
	PCI_EXT_CAP_ID_SRIOV, PCI_EXT_CAP_ID_PRI, PCI_EXT_CAP_ID_LTR, PCI_EXT_CAP_ID_SECPCI,
	PCI_EXT_CAP_ID_DVSEC,
};

struct rule {
	uint8_t cap;			/* CAP_HEADER or a capability's id */
	uint8_t reg, size;
	uint32_t virt, write;
};

static const struct rule rules[] = {
	{ CAP_HEADER, PCI_VENDOR_ID, 4, ALL, 0 },
	{ CAP_HEADER, PCI_COMMAND, 2, PCI_COMMAND_INTX_DISABLE, ALL },
	{ CAP_HEADER, PCI_STATUS, 2, PCI_STATUS_CAP_LIST, ALL },
	{ CAP_HEADER, PCI_CACHE_LINE_SIZE, 2, 0, ALL },		/* and the latency timer */
	{ CAP_HEADER, PCI_BIST, 1, 0, ALL },
	{ CAP_HEADER, PCI_BASE_ADDRESS_0, 4, ALL, ALL },
	{ CAP_HEADER, PCI_BASE_ADDRESS_1, 4, ALL, ALL },
	{ CAP_HEADER, PCI_BASE_ADDRESS_2, 4, ALL, ALL },
	{ CAP_HEADER, PCI_BASE_ADDRESS_3, 4, ALL, ALL },
	{ CAP_HEADER, PCI_BASE_ADDRESS_4, 4, ALL, ALL },
	{ CAP_HEADER, PCI_BASE_ADDRESS_5, 4, ALL, ALL },
	{ CAP_HEADER, PCI_ROM_ADDRESS, 4, ALL, ALL },
	{ CAP_HEADER, PCI_CAPABILITY_LIST, 1, ALL, 0 },
	{ CAP_HEADER, PCI_INTERRUPT_LINE, 1, ALL, ALL },
	{ CAP_HEADER, PCI_INTERRUPT_PIN, 1, ALL, 0 },
	{ PCI_CAP_ID_PM, PCI_PM_PMC, 2, PCI_PM_CAP_PME_MASK, 0 },
	{ PCI_CAP_ID_PM, PCI_PM_CTRL, 4, 0,
	  ~(uint32_t)(PCI_PM_CTRL_PME_ENABLE | PCI_PM_CTRL_PME_STATUS | PCI_PM_CTRL_STATE_MASK) },
	{ PCI_CAP_ID_MSI, PCI_MSI_FLAGS, 2, ALL, PCI_MSI_FLAGS_ENABLE | PCI_MSI_FLAGS_QSIZE },
	{ PCI_CAP_ID_MSI, PCI_MSI_ADDRESS_LO, 4, ALL, ALL },
	{ PCI_CAP_ID_MSI, PCI_MSI_ADDRESS_HI, 4, ALL, ALL },
	{ PCI_CAP_ID_MSI, PCI_MSI_DATA_64, 2, ALL, ALL },
	/* What could mislead the IOMMU or break other traffic stays the host's. */
	{ PCI_CAP_ID_EXP, PCI_EXP_DEVCTL, 2, PCI_EXP_DEVCTL_BCR_FLR | PCI_EXP_DEVCTL_PAYLOAD,
	  ~(uint32_t)PCI_EXP_DEVCTL_PHANTOM },
	{ PCI_CAP_ID_EXP, PCI_EXP_DEVCTL2, 2, 0, ~(uint32_t)PCI_EXP_DEVCTL2_ARI },
};

/* -- the shadow -------------------------------------------------------------------------------- */

static uint32_t bytes_get(const uint8_t *bytes, unsigned int offset, unsigned int size)
{
	struct reader r = reader_of(bytes + offset, size);

	return (uint32_t)get_le(&r, size);
}

static void bytes_put(const uint8_t *bytes, unsigned int offset, unsigned int size, uint32_t value)
{
	struct writer w = writer_of(image_log(bytes + offset, size), size);

	put_le(&w, value, size);
}

uint32_t vfio_config_virtual(const struct vfio_device *vdev, unsigned int offset, unsigned int size)
{
	return bytes_get(vdev->config, offset, size);
}

void vfio_config_virtual_set(const struct vfio_device *vdev, unsigned int offset, unsigned int size,
			     uint32_t value)
{
	bytes_put(vdev->config, offset, size, value);
}

static void rule_set(const struct vfio_device *vdev, unsigned int offset, unsigned int size,
		     uint32_t virt, uint32_t write)
{
	bytes_put(vdev->virt, offset, size, virt);
	bytes_put(vdev->write, offset, size, write);
}

static void rules_apply(const struct vfio_device *vdev, uint8_t cap, unsigned int base,
			unsigned int len)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (rules[i].cap == cap && rules[i].reg + rules[i].size <= len)
			rule_set(vdev, base + rules[i].reg, rules[i].size, rules[i].virt,
				 rules[i].write);
}

/* -- capability lists -------------------------------------------------------------------------- */

static bool cap_known(uint8_t id)
{
	return memchr(known_caps, id, sizeof(known_caps));
}

static bool ext_cap_known(uint16_t id)
{
	for (size_t i = 0; i < sizeof(known_ext_caps) / sizeof(known_ext_caps[0]); i++)
		if (known_ext_caps[i] == id)
			return true;
	return false;
}

/* Only MSI comes in lengths that matter here: without 64-bit addresses it ends earlier. */
static unsigned int cap_len(uint16_t rid, uint8_t id, unsigned int at)
{
	bool short_msi = id == PCI_CAP_ID_MSI &&
			 !(config_read(rid, at + PCI_MSI_FLAGS, 2) & PCI_MSI_FLAGS_64BIT);

	return short_msi ? PCI_MSI_DATA_32 + 2 : PCI_CFG_SPACE_SIZE - at;
}

/* Registers of a known capability are the hardware's, read-only, where no rule says otherwise; the
 * list's links are virtual, so that the unknown can be left out of it. */
static void caps_init(const struct vfio_device *vdev)
{
	uint16_t rid = vdev->pdev->rid;
	uint32_t at = config_read(rid, PCI_CAPABILITY_LIST, 1) & ~3u;
	unsigned int link = PCI_CAPABILITY_LIST;

	bytes_put(vdev->config, link, 1, 0);
	for (int left = 48; at >= PCI_STD_HEADER_SIZEOF && left; left--) {
		uint32_t header = config_read(rid, at, 2);

		if (cap_known((uint8_t)header)) {
			bytes_put(vdev->config, link, 1, at);
			link = at + PCI_CAP_LIST_NEXT;
			rule_set(vdev, at, 2, 0xff00, 0);
			bytes_put(vdev->config, link, 1, 0);
			rules_apply(vdev, (uint8_t)header, at, cap_len(rid, (uint8_t)header, at));
		}
		at = header >> 8 & 0xfc;
	}
}

static unsigned int ide_len(uint16_t rid, unsigned int at)
{
	uint32_t cap = config_read(rid, at + 4, 4);
	unsigned int len = 0x0c + (cap & 1 ? 8 * ((cap >> 13 & 7) + 1) : 0);

	for (unsigned int left = cap & 2 ? (cap >> 16 & 0xff) + 1 : 0;
	     left && at + len < VFIO_CONFIG_SIZE; left--)
		len += 20 + 12 * (config_read(rid, at + len, 4) & 0xf);
	return at + len < VFIO_CONFIG_SIZE ? len : VFIO_CONFIG_SIZE - at;
}

static void host_only(const struct vfio_device *vdev, unsigned int at, unsigned int len)
{
	memset(image_log(vdev->config + at, len), 0, len);
	memset(image_log(vdev->virt + at, len), 0xff, len);
	memset(image_log(vdev->write + at, len), 0, len);
}

/* The first extended capability cannot be left out: it stays, with no id. */
static void ext_caps_init(const struct vfio_device *vdev)
{
	const struct pci_dev *pdev = vdev->pdev;
	unsigned int at = PCI_CFG_SPACE_SIZE, last = 0;

	for (int left = 480; at >= PCI_CFG_SPACE_SIZE && left; left--) {
		uint32_t header = config_read(pdev->rid, at, 4);
		bool known = ext_cap_known(PCI_EXT_CAP_ID(header));

		if (!header || header == UINT32_MAX)
			break;
		if (at == pdev->cap_doe || at == pdev->cap_ide) {
			host_only(vdev, at, at == pdev->cap_doe ? 0x18 : ide_len(pdev->rid, at));
			known = kernel_options()->extensions;
		}
		if (known || at == PCI_CFG_SPACE_SIZE) {
			if (last)
				bytes_put(vdev->config, last, 4,
					  (bytes_get(vdev->config, last, 4) & 0xfffff) | at << 20);
			rule_set(vdev, at, 4, ALL, 0);
			bytes_put(vdev->config, at, 4, known ? header & 0xfffff : 0);
			last = at;
		}
		at = PCI_EXT_CAP_NEXT(header);
	}
}

/* -- making it --------------------------------------------------------------------------------- */

static void copy_hardware(const struct vfio_device *vdev)
{
	struct writer w =
		writer_of(image_log(vdev->config, sizeof(vdev->config)), sizeof(vdev->config));

	while (w.at < w.cap)
		put_le32(&w, config_read(vdev->pdev->rid, (unsigned int)w.at, 4));
}

/* A VF has neither ids nor a decode bit of its own. */
static void virtual_function_init(const struct vfio_device *vdev)
{
	const struct pci_dev *pf = pci_dev_find(vdev->pdev->pf_rid);

	bytes_put(vdev->config, PCI_VENDOR_ID, 2, config_read(pf->rid, PCI_VENDOR_ID, 2));
	if (pf->cap_sriov)
		bytes_put(vdev->config, PCI_DEVICE_ID, 2,
			  config_read(pf->rid, pf->cap_sriov + PCI_SRIOV_VF_DID, 2));
	bytes_put(vdev->config, PCI_INTERRUPT_PIN, 1, 0);
	bytes_put(vdev->config, PCI_COMMAND, 2,
		  bytes_get(vdev->config, PCI_COMMAND, 2) | PCI_COMMAND_MEMORY);
	bytes_put(vdev->virt, PCI_COMMAND, 2, PCI_COMMAND_INTX_DISABLE | PCI_COMMAND_MEMORY);
}

int vfio_config_init(const struct vfio_device *vdev)
{
	struct vfio_device *w = image_write(vdev);

	copy_hardware(vdev);
	/* Linux lets a client write bytes that belong to no capability; nothing good is there. */
	memset(w->virt, 0, sizeof(w->virt));
	memset(w->write, 0, sizeof(w->write));
	for (unsigned int i = 0; i < FUNCTION_BARS; i++)
		w->real_bar[i] = bytes_get(vdev->config, PCI_BASE_ADDRESS_0 + 4 * i, 4);
	rules_apply(vdev, CAP_HEADER, 0, PCI_STD_HEADER_SIZEOF);
	caps_init(vdev);
	ext_caps_init(vdev);
	if (vdev->pdev->is_virtfn)
		virtual_function_init(vdev);
	return 0;
}

/* -- access ------------------------------------------------------------------------------------ */

static unsigned int chunk_size(uint64_t offset, size_t left)
{
	if (left >= 4 && !(offset % 4))
		return 4;
	return left >= 2 && !(offset % 2) ? 2 : 1;
}

static uint32_t chunk_read(const struct vfio_device *vdev, unsigned int offset, unsigned int size)
{
	uint32_t virt = bytes_get(vdev->virt, offset, size);
	uint32_t full = size < 4 ? (1u << 8 * size) - 1 : ALL;
	uint32_t real = virt == full ? 0 : config_read(vdev->pdev->rid, offset, size);

	return (real & ~virt) | (bytes_get(vdev->config, offset, size) & virt);
}

ssize_t vfio_config_read(const struct vfio_device *vdev, uint64_t to, size_t len, uint64_t offset)
{
	size_t done = 0;

	if (offset >= VFIO_CONFIG_SIZE || len > VFIO_CONFIG_SIZE - offset)
		return -EFAULT;
	while (done < len) {
		unsigned int at = (unsigned int)(offset + done), size = chunk_size(at, len - done);
		uint8_t bytes[4];
		struct writer w = writer_of(bytes, size);

		vfio_config_refresh(vdev, at, size);
		put_le(&w, chunk_read(vdev, at, size), size);
		if (copy_to_user(to + done, bytes, size))
			return -EFAULT;
		done += size;
	}
	return (ssize_t)done;
}

void vfio_config_default_write(const struct vfio_device *vdev, unsigned int offset,
			       unsigned int size, uint32_t value)
{
	uint32_t write = bytes_get(vdev->write, offset, size);
	uint32_t virt = bytes_get(vdev->virt, offset, size);
	uint32_t shadow = bytes_get(vdev->config, offset, size);

	if (write & virt)
		bytes_put(vdev->config, offset, size,
			  (shadow & ~(write & virt)) | (value & write & virt));
	write &= ~virt;
	if (write) {
		uint32_t real = config_read(vdev->pdev->rid, offset, size);

		config_write(vdev->pdev->rid, offset, size, (real & ~write) | (value & write));
	}
}

static int chunk_write(const struct vfio_device *vdev, unsigned int offset, unsigned int size,
		       uint32_t value)
{
	bool done = false;
	int rc = vfio_config_special_write(vdev, offset, size, value, &done);

	if (!rc && !done)
		vfio_config_default_write(vdev, offset, size, value);
	return rc;
}

ssize_t vfio_config_write(const struct vfio_device *vdev, uint64_t from, size_t len,
			  uint64_t offset)
{
	size_t done = 0;

	if (offset >= VFIO_CONFIG_SIZE || len > VFIO_CONFIG_SIZE - offset)
		return -EFAULT;
	while (done < len) {
		unsigned int at = (unsigned int)(offset + done), size = chunk_size(at, len - done);
		uint8_t bytes[4];
		struct reader r = reader_of(bytes, size);
		int rc;

		if (copy_from_user(bytes, from + done, size))
			return -EFAULT;
		rc = chunk_write(vdev, at, size, (uint32_t)get_le(&r, size));
		if (rc)
			return rc;
		done += size;
	}
	return (ssize_t)done;
}
