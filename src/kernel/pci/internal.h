/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the PCI core share. Register names are those of linux/pci_regs.h. */
#ifndef SWTIO_KERNEL_PCI_INTERNAL_H
#define SWTIO_KERNEL_PCI_INTERNAL_H

#include <linux/pci_regs.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/pci/pci.h"

#define PCI_DEVS 512u
#define PCI_STREAMS 255u		/* id 255 is reserved */

struct pci_stream {			/* by id; one host bridge */
	bool used;
	uint8_t ep_block, rp_block;	/* selective blocks taken at either end */
	uint16_t ep, rp;
};

struct pci_root {
	uint32_t count;
	uint32_t groups;
	const struct pci_dev *dev[PCI_DEVS];	/* ascending rid */
	struct pci_stream stream[PCI_STREAMS];
};

static inline const struct pci_root *pci_root(void)
{
	return image_root(IMAGE_ROOT_PCI);
}

void pci_msi_restore(const struct pci_dev *pdev);

/* drivers.c: the part of sysfs around the devices. */
const char *pci_driver_name(const struct pci_dev *pdev);	/* NULL: no driver has it */
typedef int pci_bus_store(const char *text);
pci_bus_store *pci_bus_file(const char *path);	/* what a write does; NULL: no such file */
/* A link in a driver's directory: the device it names, or NULL. */
const struct pci_dev *pci_driver_device(const char *path);
bool pci_driver_directory(const char *path, const char **driver);

#endif
