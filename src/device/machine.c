/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Building machines: config space of a root port, a DMA engine and its VFs, from tables; then what
 * a power-on enumeration does (bus numbers, BARs, VF Enable). MMIO is cut into 64 MiB a bus:
 *
 *	+0 MiB   PF BAR2	+2 MiB   VF BAR2, one after the other
 *	+32 MiB  PF BAR0	+33 MiB  VF BAR0
 */
#include <errno.h>
#include <string.h>

#include <linux/pci_regs.h>

#include "device/dsm.h"
#include "device/ioat.h"
#include "hardware/doe.h"
#include "hardware/phys.h"

#define MACHINE_BUSES 31u
#define BUS_WINDOW (64ull << 20)
#define PF_BAR2 0ull
#define VF_BAR2 (2ull << 20)
#define PF_BAR0 (32ull << 20)
#define VF_BAR0 (33ull << 20)

#define ROOT_PORT_DEVICE 0x7e01
#define EXP_LEN 0x3c
#define DEVCAP_TEE_IO 0x40000000u	/* PCIe 6.x 7.5.3.3 */
#define DEVCAP_PHANTOM_1 0x8u
#define DEVCAP2_TAG10 0x30000u		/* completer and requester */
#define LINK_GEN5_X16 0x105u

struct config_row { uint8_t at, size; uint32_t value, writable; };

static const struct config_row endpoint_header[] = {
	{ PCI_VENDOR_ID, 2, ENGINE_VENDOR, 0 },
	{ PCI_DEVICE_ID, 2, ENGINE_DEVICE, 0 },
	{ PCI_COMMAND, 2, 0, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_PARITY |
		PCI_COMMAND_SERR | PCI_COMMAND_INTX_DISABLE },
	{ PCI_CLASS_REVISION, 4, ENGINE_CLASS << 8 | 1, 0 },
	{ PCI_CACHE_LINE_SIZE, 1, 0, 0xff },
	{ PCI_SUBSYSTEM_VENDOR_ID, 2, ENGINE_VENDOR, 0 },
	{ PCI_SUBSYSTEM_ID, 2, 1, 0 },
	{ PCI_INTERRUPT_LINE, 1, 0, 0xff },
};

/* A VF has neither ids nor Memory Space Enable of its own (PCIe 6.x 9.3.4.1). */
static const struct config_row vf_header[] = {
	{ PCI_VENDOR_ID, 4, 0xffffffff, 0 },
	{ PCI_COMMAND, 2, 0, PCI_COMMAND_MASTER },
	{ PCI_CLASS_REVISION, 4, ENGINE_CLASS << 8 | 1, 0 },
	{ PCI_SUBSYSTEM_VENDOR_ID, 2, ENGINE_VENDOR, 0 },
	{ PCI_SUBSYSTEM_ID, 2, 1, 0 },
};

static const struct config_row port_header[] = {
	{ PCI_VENDOR_ID, 2, ENGINE_VENDOR, 0 },
	{ PCI_DEVICE_ID, 2, ROOT_PORT_DEVICE, 0 },
	{ PCI_COMMAND, 2, 0, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_PARITY |
		PCI_COMMAND_SERR | PCI_COMMAND_INTX_DISABLE },
	{ PCI_CLASS_REVISION, 4, 0x06040001, 0 },
	{ PCI_HEADER_TYPE, 1, PCI_HEADER_TYPE_BRIDGE, 0 },
	{ PCI_PRIMARY_BUS, 4, 0, 0x00ffffff },
	{ PCI_MEMORY_BASE, 4, 0x0000fff0, 0xfff0fff0 },
	{ PCI_PREF_MEMORY_BASE, 4, 0x0001fff1, 0xfff0fff0 },
	{ PCI_PREF_BASE_UPPER32, 4, 0, 0xffffffff },
	{ PCI_PREF_LIMIT_UPPER32, 4, 0, 0xffffffff },
	{ PCI_BRIDGE_CONTROL, 2, 0, 0x005f },
};

static const struct config_row endpoint_exp[] = {
	{ PCI_EXP_FLAGS, 2, 2 | PCI_EXP_TYPE_ENDPOINT << 4, 0 },
	{ PCI_EXP_DEVCAP, 4, PCI_EXP_DEVCAP_FLR | PCI_EXP_DEVCAP_RBER | PCI_EXP_DEVCAP_EXT_TAG |
		DEVCAP_PHANTOM_1 | DEVCAP_TEE_IO | 2, 0 },
	{ PCI_EXP_DEVCTL, 2, 0x2810, 0x7bef },
	{ PCI_EXP_LNKCAP, 4, LINK_GEN5_X16, 0 },
	{ PCI_EXP_LNKCTL, 2, 0, 0x01c3 },
	{ PCI_EXP_LNKSTA, 2, LINK_GEN5_X16, 0 },
	{ PCI_EXP_DEVCAP2, 4, DEVCAP2_TAG10 | 0x1f, 0 },
	{ PCI_EXP_DEVCTL2, 2, 0, 0x1fdf },
	{ PCI_EXP_LNKCAP2, 4, 0x3e, 0 },
	{ PCI_EXP_LNKCTL2, 2, 5, 0xf },
};

static const struct config_row vf_exp[] = {
	{ PCI_EXP_FLAGS, 2, 2 | PCI_EXP_TYPE_ENDPOINT << 4, 0 },
	{ PCI_EXP_DEVCAP, 4, PCI_EXP_DEVCAP_FLR | PCI_EXP_DEVCAP_RBER | PCI_EXP_DEVCAP_EXT_TAG |
		DEVCAP_TEE_IO | 2, 0 },
	{ PCI_EXP_LNKCAP, 4, LINK_GEN5_X16, 0 },
	{ PCI_EXP_DEVCAP2, 4, DEVCAP2_TAG10 | 0x1f, 0 },
};

static const struct config_row port_exp[] = {
	{ PCI_EXP_FLAGS, 2, 2 | PCI_EXP_TYPE_ROOT_PORT << 4, 0 },
	{ PCI_EXP_DEVCAP, 4, PCI_EXP_DEVCAP_RBER | PCI_EXP_DEVCAP_EXT_TAG | DEVCAP_TEE_IO | 2, 0 },
	{ PCI_EXP_DEVCTL, 2, 0x2010, 0x71ef },
	{ PCI_EXP_LNKCAP, 4, LINK_GEN5_X16, 0 },
	{ PCI_EXP_LNKCTL, 2, 0, 0x01f3 },
	{ PCI_EXP_LNKSTA, 2, LINK_GEN5_X16, 0 },
	{ PCI_EXP_DEVCAP2, 4, DEVCAP2_TAG10 | 0x1f, 0 },
	{ PCI_EXP_DEVCTL2, 2, 0, 0x1fdf },
};

static const struct config_row msix_rows[] = {
	{ PCI_MSIX_FLAGS, 2, ENGINE_MSIX_VECTORS - 1,
		PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL },
	{ PCI_MSIX_TABLE, 4, ENGINE_MSIX_TABLE, 0 }, /* BAR0 */
	{ PCI_MSIX_PBA, 4, ENGINE_MSIX_PBA, 0 },
};

/* Intel's I/OAT with the ids of Skylake's, one channel: what Linux's ioatdma takes it for. */
static const struct config_row ioat_header[] = {
	{ PCI_VENDOR_ID, 2, IOAT_VENDOR, 0 },
	{ PCI_DEVICE_ID, 2, IOAT_DEVICE, 0 },
	{ PCI_COMMAND, 2, 0, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_PARITY |
		PCI_COMMAND_SERR | PCI_COMMAND_INTX_DISABLE },
	{ PCI_CLASS_REVISION, 4, ENGINE_CLASS << 8 | 7, 0 },
	{ PCI_CACHE_LINE_SIZE, 1, 0, 0xff },
	{ PCI_SUBSYSTEM_VENDOR_ID, 2, IOAT_VENDOR, 0 },
	{ PCI_INTERRUPT_LINE, 1, 0, 0xff },
};
static const struct config_row ioat_exp[] = {
	{ PCI_EXP_FLAGS, 2, 2 | PCI_EXP_TYPE_ENDPOINT << 4, 0 },
	{ PCI_EXP_DEVCAP, 4, PCI_EXP_DEVCAP_FLR | PCI_EXP_DEVCAP_RBER | 2, 0 },
	{ PCI_EXP_DEVCTL, 2, 0x2810, 0x78ef },
	{ PCI_EXP_LNKCAP, 4, LINK_GEN5_X16, 0 },
	{ PCI_EXP_LNKCTL, 2, 0, 0x01c3 },
	{ PCI_EXP_LNKSTA, 2, LINK_GEN5_X16, 0 },
	{ PCI_EXP_DEVCAP2, 4, 0x1f, 0 },
	{ PCI_EXP_DEVCTL2, 2, 0, 0x1fdf },
};
static const struct config_row ioat_msix[] = {
	{ PCI_MSIX_FLAGS, 2, IOAT_VECTORS - 1, PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL },
	{ PCI_MSIX_TABLE, 4, IOAT_MSIX_TABLE, 0 }, /* BAR0 */
	{ PCI_MSIX_PBA, 4, IOAT_MSIX_TABLE + MSIX_PBA, 0 },
};
static const struct config_row ioat_msi[] = {
	{ PCI_MSI_FLAGS, 2, PCI_MSI_FLAGS_64BIT, PCI_MSI_FLAGS_ENABLE | PCI_MSI_FLAGS_QSIZE },
	{ PCI_MSI_ADDRESS_LO, 4, 0, 0xfffffffc },
	{ PCI_MSI_ADDRESS_HI, 4, 0, 0xffffffff },
	{ PCI_MSI_DATA_64, 2, 0, 0xffff },
};

/* D3hot does not keep the function's state: No_Soft_Reset is clear. */
static const struct config_row pm_rows[] = {
	{ PCI_PM_PMC, 2, 3, 0 },
	{ PCI_PM_CTRL, 2, 0, PCI_PM_CTRL_STATE_MASK },
};

static const struct config_row aer_rows[] = {
	{ PCI_ERR_UNCOR_MASK, 4, 0, 0x07fff030 },
	{ PCI_ERR_UNCOR_SEVER, 4, 0x00462030, 0x07fff030 },
	{ PCI_ERR_COR_MASK, 4, 0x2000, 0xf1c1 },
};
static const struct config_row ats_rows[] = {
	{ PCI_ATS_CAP, 2, PCI_ATS_CAP_PAGE_ALIGNED, 0 },
	{ PCI_ATS_CTRL, 2, 0, PCI_ATS_CTRL_ENABLE | 0x1f },
};
static const struct config_row pasid_rows[] = {
	{ PCI_PASID_CAP, 2, 20 << 8, 0 },
	{ PCI_PASID_CTRL, 2, 0, PCI_PASID_CTRL_ENABLE },
};
static const struct config_row pri_rows[] = {
	{ PCI_PRI_CTRL, 2, 0, PCI_PRI_CTRL_ENABLE },
	{ PCI_PRI_STATUS, 2, PCI_PRI_STATUS_STOPPED | PCI_PRI_STATUS_PASID, 0 },
	{ PCI_PRI_MAX_REQ, 4, 1, 0 },
	{ PCI_PRI_ALLOC_REQ, 4, 0, ~0u },
};
static const struct config_row acs_rows[] = {
	{ PCI_ACS_CAP, 2, 0x1f, 0 },
	{ PCI_ACS_CTRL, 2, 0, 0x1f },
};

struct capability {
	uint16_t id;
	uint8_t version;	/* 0: not an extended capability */
	uint16_t len;
	const struct config_row *rows;
	size_t count;
};
#define ROWS(table) table, sizeof(table) / sizeof((table)[0])

static const struct capability engine_caps[] = {
	{ PCI_CAP_ID_PM, 0, PCI_PM_SIZEOF, ROWS(pm_rows) },
	{ PCI_CAP_ID_EXP, 0, EXP_LEN, ROWS(endpoint_exp) },
	{ PCI_CAP_ID_MSIX, 0, PCI_CAP_MSIX_SIZEOF, ROWS(msix_rows) },
	{ PCI_EXT_CAP_ID_ERR, 2, PCI_ERR_ROOT_COMMAND, ROWS(aer_rows) },
	{ PCI_EXT_CAP_ID_ATS, 1, PCI_EXT_CAP_ATS_SIZEOF, ROWS(ats_rows) },
	{ PCI_EXT_CAP_ID_PASID, 1, PCI_EXT_CAP_PASID_SIZEOF, ROWS(pasid_rows) },
};

/* The newest, behind all others, so that those stay where scripts expect them. */
static const struct capability engine_last_caps[] = {
	{ PCI_EXT_CAP_ID_PRI, 1, PCI_EXT_CAP_PRI_SIZEOF, ROWS(pri_rows) },
};

static const struct capability vf_caps[] = {
	{ PCI_CAP_ID_EXP, 0, EXP_LEN, ROWS(vf_exp) },
	{ PCI_CAP_ID_MSIX, 0, PCI_CAP_MSIX_SIZEOF, ROWS(msix_rows) },
	{ PCI_EXT_CAP_ID_ATS, 1, PCI_EXT_CAP_ATS_SIZEOF, ROWS(ats_rows) },
};

static const struct capability ioat_caps[] = {
	{ PCI_CAP_ID_PM, 0, PCI_PM_SIZEOF, ROWS(pm_rows) },
	{ PCI_CAP_ID_MSI, 0, PCI_MSI_DATA_64 + 2, ROWS(ioat_msi) },
	{ PCI_CAP_ID_MSIX, 0, PCI_CAP_MSIX_SIZEOF, ROWS(ioat_msix) },
	{ PCI_CAP_ID_EXP, 0, EXP_LEN, ROWS(ioat_exp) },
	{ PCI_EXT_CAP_ID_ERR, 2, PCI_ERR_ROOT_COMMAND, ROWS(aer_rows) },
};

static const struct capability port_caps[] = {
	{ PCI_CAP_ID_PM, 0, PCI_PM_SIZEOF, ROWS(pm_rows) },
	{ PCI_CAP_ID_EXP, 0, EXP_LEN, ROWS(port_exp) },
	{ PCI_EXT_CAP_ID_ERR, 2, PCI_ERR_ROOT_COMMAND, ROWS(aer_rows) },
	{ PCI_EXT_CAP_ID_ACS, 1, 8, ROWS(acs_rows) },
};

static void rows_set(
	const struct function *fn, unsigned int base, const struct config_row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		config_set(fn, base + rows[i].at, rows[i].size, rows[i].value, rows[i].writable);
}

static int caps_add(const struct function *fn, const struct capability *caps, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		unsigned int at = caps[i].version ?
			config_add_ext_cap(fn, caps[i].id, caps[i].version, caps[i].len) :
			config_add_cap(fn, (uint8_t)caps[i].id, caps[i].len);

		if (!at)
			return -ENOSPC;
		rows_set(fn, at, caps[i].rows, caps[i].count);
	}
	return 0;
}

static int port_add(uint16_t rid)
{
	const struct function *fn = function_add(rid, MODEL_ROOT_PORT);
	int rc;

	if (!fn)
		return -ENOMEM;
	rows_set(fn, 0, ROWS(port_header));
	rc = caps_add(fn, ROWS(port_caps));
	if (rc)
		return rc;
	return ide_add(fn, DSM_STREAMS, DSM_STREAM_ASSOC) ? 0 : -ENOMEM;
}

/* The engine behind a function: BARs, its own state, its TDI. */
static int engine_add(const struct function *fn, const struct dsm *dsm)
{
	const void *memory = image_bulk_alloc(ENGINE_BAR2_SIZE, IMAGE_TYPE_DEVICE_MODEL);
	struct engine *engine = image_alloc(sizeof(*engine), IMAGE_TYPE_DEVICE_MODEL);
	int rc;

	if (!memory || !engine) {
		rc = -ENOMEM;
		goto free;
	}
	engine->rid = fn->rid;
	engine->bar2 = &fn->bar[2];
	rc = dsm_tdi_add(dsm, fn->rid, &engine->tdi);
	if (!rc)
		rc = function_add_bar(fn, 0, ENGINE_BAR0_SIZE, true, false, NULL);
	if (!rc)
		rc = function_add_bar(fn, 2, ENGINE_BAR2_SIZE, true, true, memory);
	if (rc)
		goto free;
	engine_clear(engine);
	function_set_state(fn, engine);
	return 0;
free:
	image_free(engine);
	if (memory)
		image_bulk_free(memory);
	return rc;
}

static int vf_add(const struct function *pf, const struct dsm *dsm, unsigned int index)
{
	const struct function *vf =
		function_add((uint16_t)(pf->rid + 1 + index), MODEL_DMA_ENGINE_VF);
	int rc;

	if (!vf)
		return -ENOMEM;
	function_place(vf, pf->root_port, pf->rid);
	rows_set(vf, 0, ROWS(vf_header));
	rc = caps_add(vf, ROWS(vf_caps));
	return rc ? rc : engine_add(vf, dsm);
}

static int pf_add(uint16_t rid, uint16_t port, unsigned int vfs)
{
	static const struct function_bar vf_bars[FUNCTION_BARS] = {
		[0] = { .size = ENGINE_BAR0_SIZE, .is64 = true },
		[2] = { .size = ENGINE_BAR2_SIZE, .is64 = true, .prefetch = true },
	};
	const struct function *pf = function_add(rid, MODEL_DMA_ENGINE);
	int rc;

	if (!pf)
		return -ENOMEM;
	function_place(pf, port, rid);
	rows_set(pf, 0, ROWS(endpoint_header));
	rc = caps_add(pf, ROWS(engine_caps));
	if (rc)
		return rc;
	if ((vfs && !function_add_sriov(pf, (uint16_t)vfs, 1, 1, ENGINE_DEVICE_VF, vf_bars)) ||
	    !doe_add(pf) || !ide_add(pf, DSM_STREAMS, DSM_STREAM_ASSOC) ||
	    caps_add(pf, ROWS(engine_last_caps)))
		return -ENOMEM;
	rc = dsm_create(pf);
	if (!rc)
		rc = engine_add(pf, dsm_of(rid));
	for (unsigned int i = 0; !rc && i < vfs; i++)
		rc = vf_add(pf, dsm_of(rid), i);
	return rc;
}

static int ioat_function_add(uint16_t rid, uint16_t port)
{
	const struct function *fn = function_add(rid, MODEL_IOAT);
	int rc;

	if (!fn)
		return -ENOMEM;
	function_place(fn, port, rid);
	rows_set(fn, 0, ROWS(ioat_header));
	rc = caps_add(fn, ROWS(ioat_caps));
	return rc ? rc : ioat_add(fn);
}

/* Config requests commit: nothing is enumerated before everything is built. */
static void port_enumerate(uint16_t rid, uint8_t bus)
{
	uint64_t base = PHYS_MMIO + (bus - 1u) * BUS_WINDOW, last = base + BUS_WINDOW - 1;

	config_write(rid, PCI_PRIMARY_BUS, 4, (uint32_t)bus << 16 | (uint32_t)bus << 8);
	config_write(rid, PCI_PREF_MEMORY_BASE, 4,
		(uint32_t)(last >> 16 & 0xfff0) << 16 | (uint32_t)(base >> 16 & 0xfff0));
	config_write(rid, PCI_PREF_BASE_UPPER32, 4, (uint32_t)(base >> 32));
	config_write(rid, PCI_PREF_LIMIT_UPPER32, 4, (uint32_t)(last >> 32));
}

static void bar_assign(uint16_t rid, unsigned int at, uint64_t address)
{
	config_write(rid, at, 4, (uint32_t)address);
	config_write(rid, at + 4, 4, (uint32_t)(address >> 32));
}

static void device_enumerate(const struct device_place *place)
{
	const struct function *fn = function_find(place->rid);
	uint64_t base = PHYS_MMIO + ((place->rid >> 8) - 1u) * BUS_WINDOW;
	unsigned int sriov = fn->cap_sriov;

	bar_assign(fn->rid, PCI_BASE_ADDRESS_0, base + PF_BAR0);
	if (fn->bar[2].size)
		bar_assign(fn->rid, PCI_BASE_ADDRESS_2, base + PF_BAR2);
	if (!place->vfs)
		return;
	bar_assign(fn->rid, sriov + PCI_SRIOV_BAR, base + VF_BAR0);
	bar_assign(fn->rid, sriov + PCI_SRIOV_BAR + 8, base + VF_BAR2);
	if (!place->numvfs)
		return;
	config_write(fn->rid, sriov + PCI_SRIOV_NUM_VF, 2, place->numvfs);
	config_write(fn->rid, sriov + PCI_SRIOV_CTRL, 2, PCI_SRIOV_CTRL_VFE | PCI_SRIOV_CTRL_MSE);
}

int device_add(const struct device_place *place)
{
	uint8_t bus = (uint8_t)(place->rid >> 8);
	uint16_t port = (uint16_t)(bus << 3);
	bool engine = place->model == MODEL_DMA_ENGINE;
	int rc;

	if (!bus || bus > MACHINE_BUSES || place->rid & 0xff ||
	    place->vfs > (engine ? DSM_MAX_VFS : 0) || place->numvfs > place->vfs ||
	    (!engine && place->model != MODEL_IOAT))
		return -EINVAL;
	if (function_find(place->rid) || function_find(port))
		return -EEXIST;
	rc = port_add(port);
	if (!rc)
		rc = engine ? pf_add(place->rid, port, place->vfs)
			    : ioat_function_add(place->rid, port);
	if (rc)
		return rc;
	port_enumerate(port, bus);
	device_enumerate(place);
	return 0;
}

int device_add_engine(uint8_t bus, unsigned int vfs)
{
	return device_add(&(struct device_place){ .rid = (uint16_t)(bus << 8),
		.model = MODEL_DMA_ENGINE, .vfs = (uint8_t)vfs, .numvfs = (uint8_t)vfs });
}

/* -- topology ---------------------------------------------------------------------------------- */

static const struct topology standard = {
	1, { { .rid = 0x100, .model = MODEL_DMA_ENGINE, .vfs = 1, .numvfs = 1 } }
};
static const struct topology *topology = &standard;

int device_model_by_name(const char *name)
{
	static const struct { const char *name; int model; } models[] = {
		{ "engine", MODEL_DMA_ENGINE },
		{ "ioat", MODEL_IOAT },
	};

	for (size_t i = 0; i < sizeof(models) / sizeof(models[0]); i++)
		if (!strcmp(models[i].name, name))
			return models[i].model;
	return -EINVAL;
}

void device_topology_set(const struct topology *new)
{
	topology = new ? new : &standard;
}

int device_machine_default(void)
{
	int rc = 0;

	for (unsigned int i = 0; !rc && i < topology->count; i++)
		rc = device_add(&topology->device[i]);
	return rc;
}

int device_power_on(void)
{
	const struct device_root *root = image_alloc(sizeof(*root), IMAGE_TYPE_ROOT);

	if (!root)
		return -ENOMEM;
	image_root_set(IMAGE_ROOT_DEVICE, root);
	return 0;
}
