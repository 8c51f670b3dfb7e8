/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Drivers as an administrator sees them: /sys/bus/pci/drivers, and which of the two there are, the
 * root ports' and vfio-pci, has a device. All else is as on a Linux where vfio-pci was given the ids
 * of every endpoint.
 */
#include "kernel/pci/internal.h"
#include "kernel/vfio/vfio.h"

#define DRIVERS "/sys/bus/pci/drivers"
#define VFIO_PCI "vfio-pci"
#define PORT "pcieport"

const char *pci_driver_name(const struct pci_dev *pdev)
{
	return pdev->is_bridge ? PORT : pdev->vfio ? VFIO_PCI : NULL;
}

/* -- what writing does ------------------------------------------------------------------------- */

static const struct pci_dev *device_named(const char *text)
{
	uint16_t rid;

	return !pci_parse(text, &rid) && function_find(rid) ? pci_dev_find(rid) : NULL;
}

static bool matches(const struct pci_dev *pdev)
{
	return !pdev->is_bridge &&
	       (!*pdev->driver_override || !strcmp(pdev->driver_override, VFIO_PCI));
}

static int store_bind(const char *text)
{
	const struct pci_dev *pdev = device_named(text);

	if (!pdev || !matches(pdev))
		return -ENODEV;
	return pdev->vfio ? -EBUSY : vfio_probe(pdev);
}

/* Linux waits here for the client that has the device open, and asks it to let go. */
static int store_unbind(const char *text)
{
	const struct pci_dev *pdev = device_named(text);

	return pdev && pdev->vfio ? vfio_remove(pdev) : -ENODEV;
}

static int store_probe(const char *text)
{
	const struct pci_dev *pdev = device_named(text);

	if (!pdev)
		return -ENODEV;
	return pdev->vfio || !matches(pdev) ? 0 : vfio_probe(pdev);
}

static int store_rescan(const char *text)
{
	int rc = pci_rescan();

	(void)text;
	return rc ? rc : vfio_power_on();
}

static const struct {
	const char *path;
	int (*store)(const char *text);
} files[] = {
	{ "/sys/bus/pci/rescan", store_rescan },
	{ "/sys/bus/pci/drivers_probe", store_probe },
	{ DRIVERS "/" VFIO_PCI "/bind", store_bind },
	{ DRIVERS "/" VFIO_PCI "/unbind", store_unbind },
};

pci_bus_store *pci_bus_file(const char *path)
{
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (!strcmp(files[i].path, path))
			return files[i].store;
	return NULL;
}

/* -- the directory of a driver ----------------------------------------------------------------- */

const struct pci_dev *pci_driver_device(const char *path)
{
	const char *name = strrchr(path, '/');
	const struct pci_dev *pdev = name ? device_named(name + 1) : NULL;
	const char *driver = pdev ? pci_driver_name(pdev) : NULL;
	char again[64];

	if (!driver)
		return NULL;
	snprintf(again, sizeof(again), DRIVERS "/%s/%s", driver, name + 1);
	return strcmp(again, path) ? NULL : pdev;
}

bool pci_driver_directory(const char *path, const char **driver)
{
	static const char *const names[] = { VFIO_PCI, PORT };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		*driver = names[i];
		if (!strncmp(path, DRIVERS "/", sizeof(DRIVERS)) &&
		    !strcmp(path + sizeof(DRIVERS), names[i]))
			return true;
	}
	return false;
}
