/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of this room share among themselves: the root object, config space accessors, and
 * the numbers of the PCI registers they act on (PCIe 6.x chapter 7).
 */
#ifndef SWTIO_HARDWARE_HARDWARE_H
#define SWTIO_HARDWARE_HARDWARE_H

#include "hardware/function.h"
#include "hardware/phys.h"
#include "image/bytes.h"

#define PCI_COMMAND 0x04
#define PCI_COMMAND_MEMORY 0x0002u
#define PCI_COMMAND_MASTER 0x0004u
#define PCI_STATUS 0x06
#define PCI_STATUS_CAP_LIST 0x0010u
#define PCI_HEADER_TYPE 0x0e
#define PCI_HEADER_BRIDGE 0x01
#define PCI_BAR0 0x10
#define PCI_BAR_64 0x04u
#define PCI_BAR_PREFETCH 0x08u
#define PCI_CAP_POINTER 0x34
#define PCI_BRIDGE_CONTROL 0x3e
#define PCI_BRIDGE_BUS_RESET 0x0040u

#define PCI_CAP_ID_PM 0x01
#define PCI_CAP_ID_MSI 0x05
#define PCI_CAP_ID_EXP 0x10
#define PCI_CAP_ID_MSIX 0x11
#define PCI_PM_CONTROL 0x04
#define PCI_PM_STATE 0x0003u
#define PCI_PM_NO_SOFT_RESET 0x0008u
#define PCI_EXP_DEVCTL 0x08
#define PCI_EXP_DEVCTL_FLR 0x8000u

#define PCI_EXT_CAP_ID_ATS 0x0f
#define PCI_EXT_CAP_ID_SRIOV 0x10
#define PCI_EXT_CAP_ID_PASID 0x1b
#define PCI_EXT_CAP_ID_DOE 0x2e
#define PCI_EXT_CAP_ID_IDE 0x30
#define PCI_SRIOV_CTRL 0x08
#define PCI_SRIOV_CTRL_VFE 0x0001u
#define PCI_SRIOV_CTRL_MSE 0x0008u
#define PCI_SRIOV_INITIAL_VF 0x0c
#define PCI_SRIOV_TOTAL_VF 0x0e
#define PCI_SRIOV_NUM_VF 0x10
#define PCI_SRIOV_VF_OFFSET 0x14
#define PCI_SRIOV_VF_STRIDE 0x16
#define PCI_SRIOV_VF_DID 0x1a
#define PCI_SRIOV_SUP_PGSIZE 0x1c
#define PCI_SRIOV_SYS_PGSIZE 0x20
#define PCI_SRIOV_BAR0 0x24
#define PCI_SRIOV_LEN 0x40

/* A window of the MMIO space somebody answers at. Sorted by base. */
struct hw_window {
	uint64_t base, end;
	uint16_t rid;
	uint8_t bar;
};

struct hw_bus {
	const struct function *fn[256];	/* by device and function number */
};

struct hw_root {
	const struct hw_bus *bus[256];
	const struct hw_window *windows;
	uint32_t window_room, window_count;
	uint32_t functions;
	const struct phys_state *phys;
	const void *rmp;		/* SEV: rmp.c */
	const struct flight *flights;	/* posted writes on their way: tlp.c */
};

int hw_root_create(void);		/* once; 0 or -ENOMEM */
static inline const struct hw_root *hw_root(void)
{
	return image_root(IMAGE_ROOT_HARDWARE);
}

/* Any function on the bus, absent ones too. */
const struct function *function_slot(uint16_t rid);
/* The first with rid >= *at, which is updated; for (at = 0; (fn = ...(&at)); at++) visits all. */
const struct function *function_slot_next(uint32_t *at);
bool function_is_bridge(const struct function *fn);
bool function_below(const struct function *fn, const struct function *port);
void function_present_update(const struct function *fn);

/* Writes one scalar field of an image object through the log. */
#define hw_set(field, value)                                                                     \
	do {                                                                                     \
		__typeof__(*(field)) hw_new = (value);                                           \
		memcpy(image_log((field), sizeof(hw_new)), &hw_new, sizeof(hw_new));             \
	} while (0)

/* Config space bytes as hardware reads them: no side effects, no bounds but the caller's. */
uint32_t config_get(const struct function *fn, unsigned int offset, unsigned int size);
void config_put(const struct function *fn, unsigned int offset, unsigned int size, uint32_t value);
/* A request's write: masks and write-1-to-clear. */
void config_merge(const struct function *fn, unsigned int offset, unsigned int size,
		  uint32_t value);
void config_reset(const struct function *fn, enum function_reset kind);

/* BARs: recomputes what fn (and its VFs) answers at, tells the kernel when that moved. */
void decode_update(const struct function *fn);
int decode_reserve(uint32_t functions);	/* room for the windows of so many functions */
bool function_powered(const struct function *fn);	/* D0 and out of reset */
bool function_is_vf(const struct function *fn);

/* After VF Enable or NumVFs changed; VFs that end are reset as `kind` says. */
void sriov_update(const struct function *pf, enum function_reset kind);
void doe_free(const struct function *fn);
void ide_free(const struct function *fn);
/* The function of this one's device that holds the IDE capability, or NULL. */
const struct function *ide_port(const struct function *fn);

#endif
