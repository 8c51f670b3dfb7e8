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

static int step_rc(uint64_t status)
{
	return tdx_host_errno(status);
}

/* -- steps of a link ----------------------------------------------------------------------------
 * make: 0 or -errno. unmake: holds also when make did not happen, or happened half way; refused
 * while a function of the DSM is still stuck on the link.
 */
static int iommu_make(const struct pci_tsm *tsm, const struct tdx_link *link)
{
	const struct tdx_host *host = tdx_host();
	struct tdx_host *w;
	struct tdx_args args;
	uint64_t status;

	(void)tsm;
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
		return step_rc(status);
	w = image_write(host);
	w->iommu = args.rcx;
	w->ready = true;
	return 0;
}

static int iommu_unmake(const struct pci_tsm *tsm, const struct tdx_link *link)
{
	/* The trusted IOMMU stays set up: other links, and TDs that had devices, rely on it. */
	(void)tsm;
	(void)link;
	return 0;
}

static int spdm_make(const struct pci_tsm *tsm, const struct tdx_link *link)
{
	struct tdx_args args;
	struct tdx_link *w;
	uint64_t status;

	if (tdx_pages_alloc(link->spdm_pages, TDX_SPDM_PAGES))
		return -ENOMEM;
	args = (struct tdx_args){ .rcx = tdx_func_id(tsm->pdev),
				  .rdx = tdx_list_of(link, link->spdm_pages, TDX_SPDM_PAGES) };
	status = tdx_host_call(LANE_TSM, TDX_SPDM_CREATE, &args);
	if (status)
		return step_rc(status);
	w = image_write(link);
	w->spdm_id = args.rcx;
	return 0;
}

static int spdm_unmake(const struct pci_tsm *tsm, const struct tdx_link *link)
{
	struct tdx_args args = { .rcx = link->spdm_id };

	uint64_t status = 0;

	(void)tsm;
	if (phys_owner(link->spdm_pages[0]))
		status = tdx_host_call(LANE_TSM, TDX_SPDM_DELETE, &args);
	if (!status)
		tdx_pages_free(link->spdm_pages, TDX_SPDM_PAGES);
	return step_rc(status);
}

static int session_make(const struct pci_tsm *tsm, const struct tdx_link *link)
{
	struct tdx_args args = { .rcx = link->spdm_id,
				 .r12 = tdx_list_of_blob(link, link->device_info) };
	uint64_t status = tdx_relay_run(tsm, TDX_SPDM_CONNECT, &args);
	struct tdx_link *w = image_write(link);

	w->device_info_len = args.r13 <= TDX_BLOB_SIZE ? (uint32_t)args.r13 : 0;
	return step_rc(status);
}

static int session_unmake(const struct pci_tsm *tsm, const struct tdx_link *link)
{
	struct tdx_args args = { .rcx = link->spdm_id };

	if (phys_owner(link->spdm_pages[0]))
		tdx_relay_run(tsm, TDX_SPDM_DISCONNECT, &args);
	return 0;
}

static int ide_make(const struct pci_tsm *tsm, const struct tdx_link *link)
{
	int id = pci_ide_stream_alloc(tsm->pdev);
	struct tdx_link *w;

	if (id < 0)
		return id;
	w = image_write(link);
	w->stream = (uint8_t)id;
	w->stream_taken = true;
	return pci_ide_setup(tsm->pdev, (uint8_t)id);
}

static int ide_unmake(const struct pci_tsm *tsm, const struct tdx_link *link)
{
	struct tdx_link *w;

	if (!link->stream_taken)
		return 0;
	pci_ide_disable(tsm->pdev, link->stream);
	pci_ide_stream_free(tsm->pdev, link->stream);
	w = image_write(link);
	w->stream_taken = false;
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

static int stream_make(const struct pci_tsm *tsm, const struct tdx_link *link)
{
	const struct function *fn = function_find(tsm->pdev->rid);
	uint16_t port = fn ? fn->root_port : 0;
	uint8_t index = 0;
	unsigned int at = root_port_block(port, link->stream, &index);
	struct tdx_args args;
	struct tdx_link *w;
	uint64_t status;

	if (!at)
		return -ENXIO;
	if (tdx_pages_alloc(link->ide_pages, TDX_IDE_PAGES))
		return -ENOMEM;
	args = (struct tdx_args){
		.rcx = tdx_stream_info(port, link->stream, index), .rdx = link->spdm_id,
		.r8 = tdx_list_of(link, link->ide_pages, TDX_IDE_PAGES),
		.r9 = config_read(port, at + 4, 4), .r10 = config_read(port, at + 12, 4),
		.r11 = config_read(port, at + 16, 4), .r12 = config_read(port, at + 20, 4),
		.r13 = config_read(port, at + 24, 4), .r14 = config_read(port, at + 28, 4),
	};
	status = tdx_host_call(LANE_TSM, TDX_IDE_STREAM_CREATE, &args);
	if (status)
		return step_rc(status);
	w = image_write(link);
	w->stream_handle = args.rcx;
	return 0;
}

static int stream_unmake(const struct pci_tsm *tsm, const struct tdx_link *link)
{
	struct tdx_args args = { .rcx = link->stream_handle };

	uint64_t status = 0;

	(void)tsm;
	if (phys_owner(link->ide_pages[0])) {
		/* refused when it is blocked already */
		tdx_host_call(LANE_TSM, TDX_IDE_STREAM_BLOCK, &args);
		args = (struct tdx_args){ .rcx = link->stream_handle };
		status = tdx_host_call(LANE_TSM, TDX_IDE_STREAM_DELETE, &args);
	}
	if (!status)
		tdx_pages_free(link->ide_pages, TDX_IDE_PAGES);
	return step_rc(status);
}

static int keys_make(const struct pci_tsm *tsm, const struct tdx_link *link)
{
	struct tdx_args args = { .rcx = link->stream_handle, .rdx = TDX_KM_SETUP };

	return step_rc(tdx_relay_run(tsm, TDX_IDE_STREAM_KM, &args));
}

static int keys_unmake(const struct pci_tsm *tsm, const struct tdx_link *link)
{
	struct tdx_args args = { .rcx = link->stream_handle, .rdx = TDX_KM_STOP };

	if (!link->session_lost && phys_owner(link->ide_pages[0]))
		tdx_relay_run(tsm, TDX_IDE_STREAM_KM, &args);
	return 0;
}

static int enable_make(const struct pci_tsm *tsm, const struct tdx_link *link)
{
	return pci_ide_enable(tsm->pdev, link->stream);
}

static int enable_unmake(const struct pci_tsm *tsm, const struct tdx_link *link)
{
	(void)tsm;
	(void)link;
	/* ide_unmake() disables: K_SET_STOP still needs the ports as they are */
	return 0;
}

static const struct {
	int (*make)(const struct pci_tsm *tsm, const struct tdx_link *link);
	int (*unmake)(const struct pci_tsm *tsm, const struct tdx_link *link);
} link_steps[] = {
	{ iommu_make, iommu_unmake }, { spdm_make, spdm_unmake }, { session_make, session_unmake },
	{ ide_make, ide_unmake }, { stream_make, stream_unmake }, { keys_make, keys_unmake },
	{ enable_make, enable_unmake },
};

static void link_phase(const struct pci_tsm *tsm, unsigned int phase)
{
	struct pci_tsm *w = image_write(tsm);

	w->link_phase = (uint16_t)phase;
	image_commit();
}

/* -- the link's object ------------------------------------------------------------------------ */

static int link_alloc(const struct pci_tsm *tsm)
{
	struct tdx_link *link = image_alloc(sizeof(*link), IMAGE_TYPE_TSM);
	struct pci_tsm *w;

	if (!link)
		return -ENOMEM;
	link->messages = image_bulk_alloc(2 * TDX_MESSAGE_SIZE, IMAGE_TYPE_TDX_PAGE);
	link->list = image_bulk_alloc(PHYS_PAGE, IMAGE_TYPE_TDX_PAGE);
	link->blob = image_bulk_alloc(TDX_BLOB_SIZE, IMAGE_TYPE_TDX_PAGE);
	link->device_info = image_bulk_alloc(TDX_BLOB_SIZE, IMAGE_TYPE_TDX_PAGE);
	w = image_write(tsm);
	w->link_driver = link;		/* disconnect frees what there is */
	return link->messages && link->list && link->blob && link->device_info ? 0 : -ENOMEM;
}

static void link_free(const struct pci_tsm *tsm)
{
	const struct tdx_link *link = tsm->link_driver;
	struct pci_tsm *w;

	if (!link)
		return;
	image_bulk_free(link->messages);
	image_bulk_free(link->list);
	image_bulk_free(link->blob);
	image_bulk_free(link->device_info);
	w = image_write(tsm);
	w->link_driver = NULL;
	image_free(link);
}

/* -- driver ----------------------------------------------------------------------------------- */

static int tdx_probe(const struct pci_dev *pdev)
{
	const struct function *fn = function_find(pdev->rid);

	return fn && fn->model ? 0 : -ENXIO;
}

static void tdx_remove(const struct pci_dev *pdev)
{
	(void)pdev;
}

static int tdx_connect(const struct pci_dev *pdev)
{
	const struct pci_tsm *tsm = pdev->tsm;
	int rc = link_alloc(tsm);

	for (unsigned int i = 0; !rc && i < sizeof(link_steps) / sizeof(link_steps[0]); i++) {
		link_phase(tsm, i + 1);
		rc = link_steps[i].make(tsm, tsm->link_driver);
	}
	return rc;
}

static void tdx_disconnect(const struct pci_dev *pdev)
{
	const struct pci_tsm *tsm = pdev->tsm;

	tdx_relay_abandon(tsm);
	while (tsm->link_phase) {
		if (link_steps[tsm->link_phase - 1].unmake(tsm, tsm->link_driver))
			return;
		link_phase(tsm, tsm->link_phase - 1u);
	}
	link_free(tsm);
}

static void tdx_reset(const struct pci_dev *pdev)
{
	const struct tdx_link *link = pci_tsm_of(pdev)->link_driver;
	struct tdx_link *w;

	if (!link)
		return;
	w = image_write(link);
	w->session_lost = true;
	w->was_reset = true;
}

const struct pci_tsm_ops tdx_tsm_ops = {
	.name = "tdx",
	.probe = tdx_probe,
	.remove = tdx_remove,
	.connect = tdx_connect,
	.disconnect = tdx_disconnect,
	.reset = tdx_reset,
	.bind = tdx_tdi_bind,
	.unbind = tdx_tdi_unbind,
	.guest_req = tdx_guest_req,
};
