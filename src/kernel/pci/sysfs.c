/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sysfs, as far as clients of the PCI core read it: one table of attributes of a device, and the
 * few directories around them. '@' in an attribute's name stands for the device's vfioN.
 */
#include <fcntl.h>

#include <xxhash.h>

#include "kernel/pci/internal.h"
#include "kernel/tsm/tsm.h"
#include "kernel/fault.h"
#include "kernel/vfio/vfio.h"

#define SYSFS_DEVICES "/sys/bus/pci/devices"
#define SYSFS_GROUPS "/sys/kernel/iommu_groups"
#define TSM_NAME "tsm0"
#define NAME_MAX_LEN 64u

enum attr_kind { ATTR_FILE, ATTR_LINK };

struct attr {
	const char *name;
	enum attr_kind kind;
	int (*show)(const struct pci_dev *pdev, char *text, size_t len); /* NULL: write-only */
	int (*store)(const struct pci_dev *pdev, const char *text); /* NULL: read-only */
	bool (*visible)(const struct pci_dev *pdev);				/* NULL: always */
};

/* -- what attributes show ---------------------------------------------------------------------- */

static int show_hex(char *text, size_t len, unsigned int digits, uint32_t value)
{
	return snprintf(text, len, "0x%0*x\n", (int)digits, value);
}

/* A VF's own ids read as ones: they are its PF's and the SR-IOV capability's. */
static uint32_t id_of(const struct pci_dev *pdev, unsigned int reg)
{
	const struct pci_dev *pf = pci_dev_find(pdev->pf_rid);

	if (!pdev->is_virtfn || !pf)
		return config_read(pdev->rid, reg, 2);
	if (reg == PCI_DEVICE_ID && pf->cap_sriov)
		return config_read(pf->rid, pf->cap_sriov + PCI_SRIOV_VF_DID, 2);
	return config_read(pf->rid, reg, 2);
}

static int show_vendor(const struct pci_dev *pdev, char *text, size_t len)
{
	return show_hex(text, len, 4, id_of(pdev, PCI_VENDOR_ID));
}

static int show_device(const struct pci_dev *pdev, char *text, size_t len)
{
	return show_hex(text, len, 4, id_of(pdev, PCI_DEVICE_ID));
}

static int show_subsystem_vendor(const struct pci_dev *pdev, char *text, size_t len)
{
	return show_hex(text, len, 4, config_read(pdev->rid, PCI_SUBSYSTEM_VENDOR_ID, 2));
}

static int show_subsystem_device(const struct pci_dev *pdev, char *text, size_t len)
{
	return show_hex(text, len, 4, config_read(pdev->rid, PCI_SUBSYSTEM_ID, 2));
}

static int show_class(const struct pci_dev *pdev, char *text, size_t len)
{
	return show_hex(text, len, 6, config_read(pdev->rid, PCI_CLASS_REVISION, 4) >> 8);
}

static int show_revision(const struct pci_dev *pdev, char *text, size_t len)
{
	return show_hex(text, len, 2, config_read(pdev->rid, PCI_REVISION_ID, 1));
}

static int show_numa_node(const struct pci_dev *pdev, char *text, size_t len)
{
	(void)pdev;
	return snprintf(text, len, "-1\n");
}

static int show_irq(const struct pci_dev *pdev, char *text, size_t len)
{
	(void)pdev;
	return snprintf(text, len, "0\n");
}

static int show_enable(const struct pci_dev *pdev, char *text, size_t len)
{
	bool on = config_read(pdev->rid, PCI_COMMAND, 2) & PCI_COMMAND_MEMORY;

	return snprintf(text, len, "%d\n", on || pdev->is_virtfn);
}

static int show_config(const struct pci_dev *pdev, char *text, size_t len)
{
	struct writer w =
		writer_of(text, len < PCI_CFG_SPACE_EXP_SIZE ? len : PCI_CFG_SPACE_EXP_SIZE);

	while (!w.bad && w.at < w.cap)
		put_le32(&w, config_read(pdev->rid, (unsigned int)w.at, 4));
	return (int)w.at;
}

/* Start, last address and flags of six BARs; then the ROM and six VF BARs, which we give none. */
static int show_resource(const struct pci_dev *pdev, char *text, size_t len)
{
	size_t at = 0;

	for (unsigned int i = 0; i < 13; i++) {
		const struct function_bar *bar = pci_bar(pdev, i);
		unsigned long long first = bar ? bar->hpa : 0, flags = 0;
		unsigned long long last = bar ? bar->hpa + bar->size - 1 : 0;

		/* IORESOURCE_MEM, SIZEALIGN, MEM_64, PREFETCH and the BAR's own low bits */
		if (bar)
			flags = 0x40200u | (bar->is64 ? 0x100004u : 0) |
				(bar->prefetch ? 0x2008u : 0);
		at += (size_t)snprintf(text + at, len - at, "0x%016llx 0x%016llx 0x%016llx\n",
				       first, last, flags);
		if (at >= len)
			return -ENOSPC;
	}
	return (int)at;
}

static int show_modalias(const struct pci_dev *pdev, char *text, size_t len)
{
	uint32_t class = config_read(pdev->rid, PCI_CLASS_REVISION, 4) >> 8;

	return snprintf(text, len, "pci:v%08Xd%08Xsv%08Xsd%08Xbc%02Xsc%02Xi%02X\n",
			id_of(pdev, PCI_VENDOR_ID), id_of(pdev, PCI_DEVICE_ID),
			config_read(pdev->rid, PCI_SUBSYSTEM_VENDOR_ID, 2),
			config_read(pdev->rid, PCI_SUBSYSTEM_ID, 2), class >> 16, class >> 8 & 0xff,
			class & 0xff);
}

static int show_uevent(const struct pci_dev *pdev, char *text, size_t len)
{
	char bdf[13], modalias[80];

	pci_name(pdev->rid, bdf);
	show_modalias(pdev, modalias, sizeof(modalias));
	return snprintf(
		text, len,
		"%sPCI_CLASS=%X\nPCI_ID=%04X:%04X\nPCI_SUBSYS_ID=%04X:%04X\nPCI_SLOT_NAME=%s\n"
		"MODALIAS=%s",
		pdev->vfio ? "DRIVER=vfio-pci\n" : "",
		config_read(pdev->rid, PCI_CLASS_REVISION, 4) >> 8, id_of(pdev, PCI_VENDOR_ID),
		id_of(pdev, PCI_DEVICE_ID), config_read(pdev->rid, PCI_SUBSYSTEM_VENDOR_ID, 2),
		config_read(pdev->rid, PCI_SUBSYSTEM_ID, 2), bdf, modalias);
}

static int show_sriov_total(const struct pci_dev *pdev, char *text, size_t len)
{
	return snprintf(text, len, "%u\n",
			config_read(pdev->rid, pdev->cap_sriov + PCI_SRIOV_TOTAL_VF, 2));
}

static int show_sriov_count(const struct pci_dev *pdev, char *text, size_t len)
{
	bool on = config_read(pdev->rid, pdev->cap_sriov + PCI_SRIOV_CTRL, 2) & PCI_SRIOV_CTRL_VFE;

	return snprintf(text, len, "%u\n",
			on ? config_read(pdev->rid, pdev->cap_sriov + PCI_SRIOV_NUM_VF, 2) : 0);
}

static int show_vfio_dev(const struct pci_dev *pdev, char *text, size_t len)
{
	return snprintf(text, len, "%u:%u\n", VFIO_MAJOR, vfio_device_number(vfio_device_of(pdev)));
}

static int show_name_if(bool on, const char *name, char *text, size_t len)
{
	return snprintf(text, len, "%s\n", on ? name : "");
}

static int show_connect(const struct pci_dev *pdev, char *text, size_t len)
{
	return show_name_if(pci_tsm_connected(pdev), TSM_NAME, text, len);
}

static int show_bound(const struct pci_dev *pdev, char *text, size_t len)
{
	return show_name_if(pci_tsm_bound(pdev), TSM_NAME, text, len);
}

/* The DSM of a device is on function 0 of its PF. */
static int show_dsm(const struct pci_dev *pdev, char *text, size_t len)
{
	char bdf[13];

	pci_name(pdev->pf_rid & 0xfff8, bdf);
	return show_name_if(pdev->tsm, bdf, text, len);
}

static int show_driver(const struct pci_dev *pdev, char *text, size_t len)
{
	return snprintf(text, len, "../../../../bus/pci/drivers/%s", pci_driver_name(pdev));
}

static int show_subsystem(const struct pci_dev *pdev, char *text, size_t len)
{
	(void)pdev;
	return snprintf(text, len, "../../../../bus/pci");
}

static int show_group(const struct pci_dev *pdev, char *text, size_t len)
{
	return snprintf(text, len, "../../../../kernel/iommu_groups/%u", pdev->group);
}

/* The n-th VF of a PF that is enabled now, or NULL. */
static const struct pci_dev *virtfn(const struct pci_dev *pdev, unsigned int n)
{
	const struct pci_dev *vf;

	for (uint16_t rid = 0; (vf = pci_dev_next(&rid)); rid++)
		if (vf->is_virtfn && vf->pf_rid == pdev->rid && function_find(rid) && !n--)
			return vf;
	return NULL;
}

static int show_sibling(uint16_t rid, char *text, size_t len)
{
	char bdf[13];

	pci_name(rid, bdf);
	return snprintf(text, len, "../%s", bdf);
}

static int show_physfn(const struct pci_dev *pdev, char *text, size_t len)
{
	return show_sibling(pdev->pf_rid, text, len);
}

#define VIRTFN(n)                                                                                 \
	static bool has_virtfn##n(const struct pci_dev *pdev)                                     \
	{                                                                                         \
		return virtfn(pdev, n);                                                           \
	}                                                                                         \
	static int show_virtfn##n(const struct pci_dev *pdev, char *text, size_t len)             \
	{                                                                                         \
		return show_sibling(virtfn(pdev, n)->rid, text, len);                             \
	}
VIRTFN(0) VIRTFN(1) VIRTFN(2) VIRTFN(3) VIRTFN(4) VIRTFN(5) VIRTFN(6)

static int show_override(const struct pci_dev *pdev, char *text, size_t len)
{
	return snprintf(text, len, "%s\n",
			*pdev->driver_override ? pdev->driver_override : "(null)");
}

/* -- what writing does ------------------------------------------------------------------------- */

static int store_reset(const struct pci_dev *pdev, const char *text)
{
	return strcmp(text, "1") ? -EINVAL : pci_reset_function(pdev);
}

static int store_connect(const struct pci_dev *pdev, const char *text)
{
	return pci_tsm_connect(pdev, text);
}

static int store_disconnect(const struct pci_dev *pdev, const char *text)
{
	return pci_tsm_disconnect(pdev, text);
}

/* An empty line takes it away. */
static int store_override(const struct pci_dev *pdev, const char *text)
{
	struct pci_dev *w = image_write(pdev);

	if (strlen(text) >= sizeof(w->driver_override))
		return -EINVAL;
	strcpy(w->driver_override, text);
	return 0;
}

/* As Linux: from none to some, or from some to none. */
static int store_sriov_count(const struct pci_dev *pdev, const char *text)
{
	unsigned int ctrl_at = pdev->cap_sriov + PCI_SRIOV_CTRL;
	uint32_t ctrl = config_read(pdev->rid, ctrl_at, 2);
	const uint32_t on = PCI_SRIOV_CTRL_VFE | PCI_SRIOV_CTRL_MSE;
	char *end;
	unsigned long count = strtoul(text, &end, 10);
	int rc;

	if (end == text || *end)
		return -EINVAL;
	if (count > config_read(pdev->rid, pdev->cap_sriov + PCI_SRIOV_TOTAL_VF, 2))
		return -ERANGE;
	if (count && ctrl & PCI_SRIOV_CTRL_VFE)
		return -EBUSY;
	if (!pci_reset_allowed(pdev))	/* the VFs that would go are what may be bound */
		return -EBUSY;
	if (!count) {
		config_write(pdev->rid, ctrl_at, 2, ctrl & ~on);
		return 0;
	}
	config_write(pdev->rid, pdev->cap_sriov + PCI_SRIOV_NUM_VF, 2, (uint32_t)count);
	config_write(pdev->rid, ctrl_at, 2, ctrl | on);
	rc = pci_rescan();
	if (!rc)
		rc = vfio_power_on();
	if (!rc)
		vfio_sriov_enabled(pdev);
	return rc;
}

/* -- who has which attribute ------------------------------------------------------------------- */

static bool has_flr(const struct pci_dev *pdev) { return pci_can_flr(pdev); }
static bool has_sriov(const struct pci_dev *pdev) { return pdev->cap_sriov; }
static bool has_driver(const struct pci_dev *pdev) { return pci_driver_name(pdev); }
static bool is_virtfn(const struct pci_dev *pdev) { return pdev->is_virtfn; }
static bool has_vfio(const struct pci_dev *pdev) { return pdev->vfio; }

static bool is_pf0(const struct pci_dev *pdev)
{
	return !pdev->is_bridge && !pdev->is_virtfn && !(pdev->rid & 7) &&
	       (pci_is_tee(pdev) || pdev->cap_ide);
}

static bool has_tsm(const struct pci_dev *pdev)
{
	return image_root(IMAGE_ROOT_TSM) && (is_pf0(pdev) || pdev->tsm);
}

static bool has_connect(const struct pci_dev *pdev)
{
	return has_tsm(pdev) && is_pf0(pdev);
}

static bool has_bound(const struct pci_dev *pdev)
{
	const struct pci_dev *dsm = pci_dev_find(pdev->pf_rid & 0xfff8);

	return has_tsm(pdev) && dsm && pci_is_tee(dsm);
}

static bool has_dsm(const struct pci_dev *pdev)
{
	return has_connect(pdev) || has_bound(pdev);
}

static bool has_subordinate(const struct pci_dev *pdev)
{
	return pdev->is_bridge;
}

/* A bridge resets the whole bus below it. */
static int store_reset_subordinate(const struct pci_dev *bridge, const char *text)
{
	uint16_t rid = 0;

	if (strcmp(text, "1"))
		return -EINVAL;
	for (const struct pci_dev *pdev; (pdev = pci_dev_next(&rid)); rid++)
		if (!pdev->is_bridge && pdev->root_port == bridge->rid)
			return pci_reset_bus(pdev);
	return -ENOTTY;
}

static const struct attr attrs[] = {
	{ "authenticated", ATTR_FILE, show_connect, NULL, has_tsm },
	{ "class", ATTR_FILE, show_class },
	{ "config", ATTR_FILE, show_config },
	{ "device", ATTR_FILE, show_device },
	{ "driver", ATTR_LINK, show_driver, NULL, has_driver },
	{ "driver_override", ATTR_FILE, show_override, store_override },
	{ "enable", ATTR_FILE, show_enable },
	{ "iommu_group", ATTR_LINK, show_group },
	{ "irq", ATTR_FILE, show_irq },
	{ "modalias", ATTR_FILE, show_modalias },
	{ "numa_node", ATTR_FILE, show_numa_node },
	{ "physfn", ATTR_LINK, show_physfn, NULL, is_virtfn },
	{ "reset", ATTR_FILE, NULL, store_reset, has_flr },
	{ "reset_subordinate", ATTR_FILE, NULL, store_reset_subordinate, has_subordinate },
	{ "resource", ATTR_FILE, show_resource },
	{ "revision", ATTR_FILE, show_revision },
	{ "sriov_numvfs", ATTR_FILE, show_sriov_count, store_sriov_count, has_sriov },
	{ "sriov_totalvfs", ATTR_FILE, show_sriov_total, NULL, has_sriov },
	{ "subsystem", ATTR_LINK, show_subsystem },
	{ "subsystem_device", ATTR_FILE, show_subsystem_device },
	{ "subsystem_vendor", ATTR_FILE, show_subsystem_vendor },
	{ "tsm/bound", ATTR_FILE, show_bound, NULL, has_bound },
	{ "tsm/connect", ATTR_FILE, show_connect, store_connect, has_connect },
	{ "tsm/disconnect", ATTR_FILE, NULL, store_disconnect, has_connect },
	{ "tsm/dsm", ATTR_FILE, show_dsm, NULL, has_dsm },
	{ "uevent", ATTR_FILE, show_uevent },
	{ "vendor", ATTR_FILE, show_vendor },
	{ "vfio-dev/@/dev", ATTR_FILE, show_vfio_dev, NULL, has_vfio },
	{ "virtfn0", ATTR_LINK, show_virtfn0, NULL, has_virtfn0 },
	{ "virtfn1", ATTR_LINK, show_virtfn1, NULL, has_virtfn1 },
	{ "virtfn2", ATTR_LINK, show_virtfn2, NULL, has_virtfn2 },
	{ "virtfn3", ATTR_LINK, show_virtfn3, NULL, has_virtfn3 },
	{ "virtfn4", ATTR_LINK, show_virtfn4, NULL, has_virtfn4 },
	{ "virtfn5", ATTR_LINK, show_virtfn5, NULL, has_virtfn5 },
	{ "virtfn6", ATTR_LINK, show_virtfn6, NULL, has_virtfn6 },
};
#define ATTRS (sizeof(attrs) / sizeof(attrs[0]))

/* The attribute's path below the device, or false: this device has it not. */
static bool attr_path(const struct attr *attr, const struct pci_dev *pdev, char *out, size_t len)
{
	const char *at = strchr(attr->name, '@');

	if (!function_find(pdev->rid) || (attr->visible && !attr->visible(pdev)))
		return false;
	if (at)
		snprintf(out, len, "%.*svfio%u%s", (int)(at - attr->name), attr->name,
			 vfio_device_number(vfio_device_of(pdev)), at + 1);
	else
		snprintf(out, len, "%s", attr->name);
	return true;
}

/* -- paths ------------------------------------------------------------------------------------- */

struct place {
	const struct pci_dev *pdev;	/* NULL: not below a device */
	const char *rest;		/* below the device, "" for itself */
	const struct attr *attr;
};

static bool under(const char *path, const char *prefix, const char **rest)
{
	size_t n = strlen(prefix);

	if (strncmp(path, prefix, n) || (path[n] && path[n] != '/'))
		return false;
	for (path += n; *path == '/'; path++)
		;
	*rest = path;
	return true;
}

/* A device's directory may be reached through the bus or through its group. */
static const struct pci_dev *device_of(const char *path, const char **rest)
{
	const struct pci_dev *pdev;
	char bdf[13] = "";
	uint16_t rid;
	size_t n;

	if (!under(path, SYSFS_DEVICES, rest))
		return NULL;
	n = strcspn(*rest, "/");
	if (n != sizeof(bdf) - 1)
		return NULL;
	memcpy(bdf, *rest, n);
	if (pci_parse(bdf, &rid))
		return NULL;
	pdev = pci_dev_find(rid);
	for (*rest += n; **rest == '/'; ++*rest)
		;
	return pdev && function_find(rid) ? pdev : NULL;
}

static struct place place_of(const char *path)
{
	struct place place = { 0 };
	char name[NAME_MAX_LEN];

	place.pdev = device_of(path, &place.rest);
	for (size_t i = 0; place.pdev && i < ATTRS; i++)
		if (attr_path(&attrs[i], place.pdev, name, sizeof(name)) &&
		    !strcmp(name, place.rest))
			place.attr = &attrs[i];
	return place;
}

/* -- directories ------------------------------------------------------------------------------- */

struct names { char *text; size_t len, at; bool full; };

static void name_add(struct names *names, const char *name, size_t n)
{
	for (const char *line = names->text; line < names->text + names->at;) {
		const char *end = memchr(line, '\n', (size_t)(names->text + names->at - line));

		if ((size_t)(end - line) == n && !memcmp(line, name, n))
			return;
		line = end + 1;
	}
	if (n + 2 > names->len - names->at) {
		names->full = true;
		return;
	}
	memcpy(names->text + names->at, name, n);
	names->at += n;
	names->text[names->at++] = '\n';
	names->text[names->at] = '\0';
}

static void list_device(const struct pci_dev *pdev, const char *below, struct names *names)
{
	char name[NAME_MAX_LEN];
	const char *rest;

	for (size_t i = 0; i < ATTRS; i++)
		if (attr_path(&attrs[i], pdev, name, sizeof(name))) {
			rest = name;
			if (*below && !under(name, below, &rest))
				continue;
			name_add(names, rest, strcspn(rest, "/"));
		}
}

static void list_devices(struct names *names, int group)
{
	const struct pci_root *root = pci_root();

	for (uint32_t i = 0; i < root->count; i++) {
		char bdf[13], number[8];
		int n;

		if (!function_find(root->dev[i]->rid))
			continue;
		pci_name(root->dev[i]->rid, bdf);
		n = snprintf(number, sizeof(number), "%u", root->dev[i]->group);
		if (group == root->dev[i]->group || group == -1)
			name_add(names, bdf, strlen(bdf));
		else if (group == -2)
			name_add(names, number, (size_t)n);
	}
}

static bool list_group(const char *rest, struct names *names)
{
	char *end;
	long group = strtol(rest, &end, 10);

	if (!*rest) {
		list_devices(names, -2);
		return true;
	}
	if (end == rest || group < 0 || group > UINT16_MAX)
		return false;
	if (!*end)
		name_add(names, "devices", 7);
	else if (!strcmp(end, "/devices"))
		list_devices(names, (int)group);
	return names->at;
}

static void list_driver(const char *driver, struct names *names)
{
	const struct pci_dev *pdev;
	char bdf[13];

	if (!strcmp(driver, "vfio-pci")) {
		name_add(names, "bind", 4);
		name_add(names, "unbind", 6);
	}
	for (uint16_t rid = 0; (pdev = pci_dev_next(&rid)); rid++) {
		const char *has = pci_driver_name(pdev);

		pci_name(rid, bdf);
		if (has && !strcmp(has, driver) && function_find(rid))
			name_add(names, bdf, strlen(bdf));
	}
}

static bool list_other(const char *path, struct names *names)
{
	static const struct {
		const char *path, *names;
	} fixed[] = {
		{ "/sys", "bus\nclass\nkernel\n" }, { "/sys/bus", "pci\n" },
		{ "/sys/class", "tsm\n" }, { "/sys/bus/pci", "devices\ndrivers\ndrivers_probe\nrescan\n" },
		{ "/sys/bus/pci/drivers", "pcieport\nvfio-pci\n" },
		{ "/sys/kernel", "iommu_groups\n" }, { "/sys/class/tsm", TSM_NAME "\n" },
		{ "/sys/class/tsm/" TSM_NAME, "uevent\n" },
	};
	const char *rest, *driver;

	if (under(path, SYSFS_DEVICES, &rest) && !*rest) {
		list_devices(names, -1);
		return true;
	}
	if (pci_driver_directory(path, &driver)) {
		list_driver(driver, names);
		return true;
	}
	if (under(path, SYSFS_GROUPS, &rest))
		return list_group(rest, names);
	if (under(path, "/sys/kernel", &rest) && !*rest && kernel_options()->mock)
		name_add(names, "debug", 5);
	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		if (under(path, fixed[i].path, &rest) && !*rest) {
			for (const char *p = fixed[i].names; *p; p += strcspn(p, "\n") + 1)
				name_add(names, p, strcspn(p, "\n"));
			return true;
		}
	return false;
}

static bool is_debugfs(const char *path)
{
	const char *rest;

	return under(path, FAULT_DEBUGFS, &rest);
}

int pci_sysfs_list(const char *path, char *text, size_t len)
{
	struct place place = place_of(path);
	struct names names = { text, len, 0, false };

	if (!len)
		return -ENOSPC;
	*text = '\0';
	if (is_debugfs(path))
		return fault_list(path, text, len);
	if (place.attr)
		return -ENOTDIR;
	if (place.pdev)
		list_device(place.pdev, place.rest, &names);
	else if (!list_other(path, &names))
		return -ENOENT;
	if (names.full)
		return -ENOSPC;
	return names.at ? (int)names.at : -ENOENT;
}

/* -- the three operations ---------------------------------------------------------------------- */

static bool is_directory(const char *path)
{
	char text[16384];

	return pci_sysfs_list(path, text, sizeof(text)) >= 0;
}

int pci_sysfs_read(const char *path, char *text, size_t len)
{
	struct place place = place_of(path);
	int rc;

	if (is_debugfs(path))
		return fault_read(path, text, len);
	if (!place.attr && pci_bus_file(path))
		return -EACCES;
	if (!place.attr && pci_driver_device(path))
		return -EISDIR;
	if (!place.attr && !strcmp(path, "/sys/class/tsm/" TSM_NAME "/uevent"))
		return 0;
	if (!place.attr)
		return is_directory(path) ? -EISDIR : -ENOENT;
	if (place.attr->kind == ATTR_LINK)
		return -EISDIR;
	if (!place.attr->show)
		return -EACCES;
	rc = place.attr->show(place.pdev, text, len);
	return rc >= 0 && (size_t)rc > len ? -ENOSPC : rc;
}

int pci_sysfs_link(const char *path, char *text, size_t len)
{
	struct place place = place_of(path);

	if (!place.attr && pci_driver_device(path))
		return snprintf(text, len, "../../devices/%s", strrchr(path, '/') + 1);
	if (!place.attr)
		return is_directory(path) ? -EINVAL : -ENOENT;
	return place.attr->kind == ATTR_LINK ? place.attr->show(place.pdev, text, len) : -EINVAL;
}

/* A file that a write may begin anywhere in: bytes, as setpci writes them. */
static int config_store(const struct pci_dev *pdev, const char *data, size_t len, uint64_t offset)
{
	struct reader r = reader_of(data, len);

	if (offset >= PCI_CFG_SPACE_EXP_SIZE)
		return -EFBIG;
	if (len > PCI_CFG_SPACE_EXP_SIZE - offset)
		r.len = PCI_CFG_SPACE_EXP_SIZE - offset;
	while (reader_left(&r)) {
		unsigned int at = (unsigned int)(offset + r.at), size = 4;
		int rc;

		while (at % size || size > reader_left(&r))
			size /= 2;
		rc = pci_config_write_user(pdev, at, size, (uint32_t)get_le(&r, size));
		if (rc)
			return rc;
	}
	return 0;
}

int pci_sysfs_pwrite(const char *path, const char *data, size_t len, uint64_t offset)
{
	struct place place = place_of(path);
	pci_bus_store *store = place.attr ? NULL : pci_bus_file(path);
	char text[NAME_MAX_LEN];

	if (is_debugfs(path))
		return fault_write(path, data, len);
	if (place.attr && !strcmp(place.attr->name, "config"))
		return config_store(place.pdev, data, len, offset);
	if (!place.attr && !store)
		return is_directory(path) ? -EISDIR : -ENOENT;
	if (place.attr && !place.attr->store)
		return -EACCES;
	if (!len || len > sizeof(text))
		return -EINVAL;
	if (data[len - 1] == '\n')
		len--;
	if (len >= sizeof(text))
		return -EINVAL;
	memcpy(text, data, len);
	text[len] = '\0';
	return store ? store(text) : place.attr->store(place.pdev, text);
}

int pci_sysfs_write(const char *path, const char *text, size_t len)
{
	return pci_sysfs_pwrite(path, text, len, 0);
}

uint64_t pci_sysfs_version(void)
{
	const struct pci_root *root = pci_root();
	uint64_t version = root->count;

	for (uint32_t i = 0; i < root->count; i++) {
		const struct pci_dev *pdev = root->dev[i];
		uint64_t row[] = { pdev->rid, pdev->group, pdev->is_virtfn, pdev->vfio != NULL,
				   pdev->tsm != NULL, function_find(pdev->rid) != NULL };

		version = XXH3_64bits_withSeed(row, sizeof(row), version);
	}
	return version;
}
