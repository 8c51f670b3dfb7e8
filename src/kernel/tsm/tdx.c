/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The TDX Connect driver of the TSM core: the link to a DSM (SPDM session, IDE stream). Binding is
 * in tdx_tdi.c. Each link is made and unmade by one table of steps.
 */
#include <string.h>

#include "hardware/ide.h"
#include "kernel/tsm/tdx_link.h"

#define TDX_VTBAR 0xfed90000ull		/* registers of the one remapping unit */

struct tdx_host {			/* one a machine; hung at the TSM core's root */
	uint64_t iommu_page;
	uint64_t iommu;
	uint32_t users;			/* links that need the trusted IOMMU */
	bool ready;
};

static const struct tdx_host *tdx_host(void)
{
	return tsm_platform();
}

int tdx_host_iommu(void)
{
	const struct tdx_host *host = tdx_host();

	return host && host->ready ? (int)host->iommu : -ENODEV;
}

const struct tdx_link *tdx_link_of(const struct pci_tsm *tsm)
{
	const struct pci_tsm *dsm = pci_tsm_dsm(tsm);

	return dsm ? dsm->link_driver : NULL;
}

uint32_t tdx_func_id(const struct pci_dev *pdev)
{
	return pdev->rid;		/* segment 0, not marked valid */
}

/* -- steps of a link ----------------------------------------------------------------------- */

static int iommu_make(const struct pci_dev *pdev)
{
	const struct tdx_link *link = tdx_link_of(pdev->tsm);
	const struct tdx_host *host = tdx_host();
	struct tdx_host *w;
	struct tdx_args args;
	uint64_t status;

	if (!host) {
		w = image_alloc(sizeof(*w), IMAGE_TYPE_TSM);
		if (!w)
			return -ENOMEM;
		tsm_platform_set(w);
		host = w;
	}
	if (host->ready)
		return 0;
	w = image_write(host);
	if (!w->iommu_page)
		w->iommu_page = tdx_page_alloc();
	if (!w->iommu_page)
		return -ENOMEM;
	args = (struct tdx_args){ .rcx = TDX_VTBAR,
				  .rdx = tdx_list_of(link, &host->iommu_page, 1) };
	status = tdx_host_call(LANE_TSM, TDX_IOMMU_SETUP, &args);
	if (status)
		return tdx_host_errno(status);
	w = image_write(host);
	w->iommu = args.rcx;
	w->ready = true;
	return 0;
}

static int spdm_make(const struct pci_dev *pdev)
{
	const struct tdx_link *link = tdx_link_of(pdev->tsm);
	struct tdx_args args;
	struct tdx_link *w;
	uint64_t status;

	if (tdx_pages_alloc(link->spdm_pages, TDX_SPDM_PAGES))
		return -ENOMEM;
	args = (struct tdx_args){ .rcx = tdx_func_id(pdev),
				  .rdx = tdx_list_of(link, link->spdm_pages, TDX_SPDM_PAGES) };
	status = tdx_host_call(LANE_TSM, TDX_SPDM_CREATE, &args);
	if (status)
		return tdx_host_errno(status);
	w = image_write(link);
	w->spdm_id = args.rcx;
	return 0;
}

static int spdm_unmake(const struct pci_dev *pdev)
{
	const struct tdx_link *link = tdx_link_of(pdev->tsm);
	struct tdx_args args = { .rcx = link->spdm_id };

	uint64_t status = 0;

	if (phys_owner(link->spdm_pages[0]))
		status = tdx_host_call(LANE_TSM, TDX_SPDM_DELETE, &args);
	if (!status)
		tdx_pages_free(link->spdm_pages, TDX_SPDM_PAGES);
	return tdx_host_errno(status);
}

static int session_make(const struct pci_dev *pdev)
{
	const struct tdx_link *link = tdx_link_of(pdev->tsm);
	struct tdx_args args = { .rcx = link->spdm_id,
				 .r12 = tdx_list_of_blob(link, link->device_info) };
	uint64_t status = tdx_relay_run(pdev->tsm, TDX_SPDM_CONNECT, &args);
	struct tdx_link *w = image_write(link);

	w->device_info_len = args.r13 <= TDX_BLOB_SIZE ? (uint32_t)args.r13 : 0;
	return tdx_host_errno(status);
}

static int session_unmake(const struct pci_dev *pdev)
{
	const struct tdx_link *link = tdx_link_of(pdev->tsm);
	struct tdx_args args = { .rcx = link->spdm_id };

	if (phys_owner(link->spdm_pages[0]))
		tdx_relay_run(pdev->tsm, TDX_SPDM_DISCONNECT, &args);
	return 0;
}

/* The selective block of the root port that pci_ide_setup() gave to this stream; 0: none. */
static unsigned int root_port_block(uint16_t port, uint8_t stream, uint8_t *index)
{
	const struct function *fn = function_find(port);
	uint32_t cap = fn && fn->cap_ide ? config_read(port, fn->cap_ide + IDE_CAP, 4) : 0;
	unsigned int at, blocks = (cap >> 16 & 0xff) + 1;

	if (!(cap & 2))
		return 0;
	at = IDE_SEL_BASE(fn->cap_ide, cap & 1 ? (cap >> 13 & 7) + 1 : 0);
	for (unsigned int i = 0; i < blocks; i++) {
		if (config_read(port, at + 4, 4) >> 24 == stream) {
			*index = (uint8_t)i;
			return at;
		}
		at += 20 + 12 * (config_read(port, at, 4) & 0xf);
	}
	return 0;
}

static int stream_make(const struct pci_dev *pdev)
{
	const struct tdx_link *link = tdx_link_of(pdev->tsm);
	const struct function *fn = function_find(pdev->rid);
	uint16_t port = fn ? fn->root_port : 0;
	uint8_t index = 0;
	unsigned int at = root_port_block(port, pci_tsm_of(pdev)->stream, &index);
	struct tdx_args args;
	struct tdx_link *w;
	uint64_t status;

	if (!at)
		return -ENXIO;
	if (tdx_pages_alloc(link->ide_pages, TDX_IDE_PAGES))
		return -ENOMEM;
	args = (struct tdx_args){
		.rcx = tdx_stream_info(port, pci_tsm_of(pdev)->stream, index), .rdx = link->spdm_id,
		.r8 = tdx_list_of(link, link->ide_pages, TDX_IDE_PAGES),
		.r9 = config_read(port, at + 4, 4), .r10 = config_read(port, at + 12, 4),
		.r11 = config_read(port, at + 16, 4), .r12 = config_read(port, at + 20, 4),
		.r13 = config_read(port, at + 24, 4), .r14 = config_read(port, at + 28, 4),
	};
	status = tdx_host_call(LANE_TSM, TDX_IDE_STREAM_CREATE, &args);
	if (status)
		return tdx_host_errno(status);
	w = image_write(link);
	w->stream_handle = args.rcx;
	return 0;
}

static int stream_unmake(const struct pci_dev *pdev)
{
	const struct tdx_link *link = tdx_link_of(pdev->tsm);
	struct tdx_args args = { .rcx = link->stream_handle };

	uint64_t status = 0;

	if (phys_owner(link->ide_pages[0])) {
		/* refused when it is blocked already */
		tdx_host_call(LANE_TSM, TDX_IDE_STREAM_BLOCK, &args);
		args = (struct tdx_args){ .rcx = link->stream_handle };
		status = tdx_host_call(LANE_TSM, TDX_IDE_STREAM_DELETE, &args);
	}
	if (!status)
		tdx_pages_free(link->ide_pages, TDX_IDE_PAGES);
	return tdx_host_errno(status);
}

static int keys_make(const struct pci_dev *pdev)
{
	const struct tdx_link *link = tdx_link_of(pdev->tsm);
	struct tdx_args args = { .rcx = link->stream_handle, .rdx = TDX_KM_SETUP };

	return tdx_host_errno(tdx_relay_run(pdev->tsm, TDX_IDE_STREAM_KM, &args));
}

static int keys_unmake(const struct pci_dev *pdev)
{
	const struct tdx_link *link = tdx_link_of(pdev->tsm);
	struct tdx_args args = { .rcx = link->stream_handle, .rdx = TDX_KM_STOP };

	if (!pci_tsm_of(pdev)->session_lost && phys_owner(link->ide_pages[0]))
		tdx_relay_run(pdev->tsm, TDX_IDE_STREAM_KM, &args);
	return 0;
}

/* The trusted IOMMU stays set up: other links, and TDs that had devices, rely on it. */
static const struct tsm_step link_steps[] = {
	{ iommu_make, NULL, NULL },
	{ spdm_make, spdm_unmake, NULL },
	{ session_make, session_unmake, NULL },
	{ tsm_ide_make, tsm_ide_unmake, NULL },
	{ stream_make, stream_unmake, NULL },
	{ keys_make, keys_unmake, NULL },
	{ tsm_ide_enable, NULL, NULL },
};
static const struct tsm_steps steps = TSM_STEPS(link_steps);

/* -- the link's object ------------------------------------------------------------------------ */

static int link_alloc(const struct pci_dev *pdev)
{
	struct tdx_link *link = image_alloc(sizeof(*link), IMAGE_TYPE_TSM);
	struct pci_tsm *w;

	if (!link)
		return -ENOMEM;
	link->messages = image_bulk_alloc(2 * TDX_MESSAGE_SIZE, IMAGE_TYPE_TDX_PAGE);
	link->list = image_bulk_alloc(PHYS_PAGE, IMAGE_TYPE_TDX_PAGE);
	link->blob = image_bulk_alloc(TDX_BLOB_SIZE, IMAGE_TYPE_TDX_PAGE);
	link->device_info = image_bulk_alloc(TDX_BLOB_SIZE, IMAGE_TYPE_TDX_PAGE);
	w = image_write(pci_tsm_of(pdev));
	w->link_driver = link;
	return link->messages && link->list && link->blob && link->device_info ? 0 : -ENOMEM;
}

static void link_free(const struct pci_dev *pdev)
{
	const struct tdx_link *link = pci_tsm_of(pdev)->link_driver;
	struct pci_tsm *w = image_write(pci_tsm_of(pdev));

	w->link_driver = NULL;
	image_bulk_free(link->messages);
	image_bulk_free(link->list);
	image_bulk_free(link->blob);
	image_bulk_free(link->device_info);
	image_free(link);
}

static void link_abandon(const struct pci_dev *pdev)
{
	tdx_relay_abandon(pdev->tsm);
}

const struct pci_tsm_ops tdx_tsm_ops = {
	.name = "tdx",
	.link = &steps,
	.tdi = &tdx_tdi_steps,
	.requests = &tdx_requests,
	.link_alloc = link_alloc,
	.link_free = link_free,
	.tdi_alloc = tdx_tdi_alloc,
	.tdi_free = tdx_tdi_free,
	.finish = tdx_tdi_finish,
	.abandon = link_abandon,
};
