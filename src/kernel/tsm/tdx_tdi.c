/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Binding a function to a TD. A bind goes down the table of steps, an unbind goes up from wherever
 * the bind came to: the TDI is stopped first, then VFIO lets its private dma-bufs go (KVM unmaps
 * the MMIO), then trusted DMA, then ownership, then the TDI itself. Each undoing asks what is
 * there.
 *
 * Where MMIO is always mapped, an unbind leaves the TDI, its ownership and the S-EPT's leaves to the
 * next bind. The module knows no way from an accepted leaf to one that waits for the guest but
 * block, track, unmap and map, and what one bind was accepted for must not hold in the next.
 */
#include <string.h>

#include "kernel/iommufd/iommufd.h"
#include "kernel/kvm/kvm.h"
#include "kernel/tsm/tdx_link.h"
#include "kernel/vfio/vfio.h"

#define STOP_TRIES 3u

static const struct tdx_tdi *tdi_of(const struct pci_dev *pdev)
{
	return pci_tsm_of(pdev)->tdi_driver;
}

static const struct tdx_link *link_of(const struct pci_dev *pdev)
{
	return tdx_link_of(pdev->tsm);
}

/* A page for a table that several functions share. The module takes it at the next call, or not:
 * until that is seen, the TDI remembers it. */
static uint64_t loose_page(const struct tdx_tdi *tdi)
{
	struct tdx_tdi *w = image_write(tdi);

	if (!w->loose_page)
		w->loose_page = tdx_page_alloc();
	return w->loose_page;
}

static void loose_page_settle(const struct tdx_tdi *tdi)
{
	struct tdx_tdi *w = image_write(tdi);

	tdx_page_free(w->loose_page);
	w->loose_page = 0;
}

/* -- metadata --------------------------------------------------------------------------------- */

static int metadata_make(const struct pci_dev *pdev)
{
	const struct tdx_tdi *tdi = tdi_of(pdev);
	struct tdx_args args;

	if (tdx_pages_alloc(&tdi->metadata_page, 1))
		return -ENOMEM;
	args = (struct tdx_args){ .rcx = tdx_func_id(pdev), .rdx = tdi->metadata_page };
	return tdx_host_errno(tdx_host_call(LANE_TSM, TDX_DEVIFMT_ADD, &args));
}

static int metadata_unmake(const struct pci_dev *pdev)
{
	const struct tdx_tdi *tdi = tdi_of(pdev);
	struct tdx_args args = { .rcx = tdx_func_id(pdev) };
	int rc = 0;

	if (mutant(MUTANT_FORGET_REMOVE))
		return 0;
	if (phys_owner(tdi->metadata_page))
		rc = tdx_host_errno(tdx_host_call(LANE_TSM, TDX_DEVIFMT_REMOVE, &args));
	if (!rc)
		tdx_pages_free(&tdi->metadata_page, 1);
	return rc;
}

/* -- the TDI ---------------------------------------------------------------------------------- */

static int tdi_make(const struct pci_dev *pdev)
{
	const struct tdx_tdi *tdi = tdi_of(pdev);
	const struct tdx_link *link = link_of(pdev);
	struct tdx_args args;

	if (tdx_pages_alloc(tdi->pages, TDX_TDI_PAGES))
		return -ENOMEM;
	args = (struct tdx_args){ .rcx = tdx_func_id(pdev),
				  .rdx = tdi->tdr,
				  .r8 = link->stream_handle,
				  .r9 = tdx_list_of(link, tdi->pages, TDX_TDI_PAGES) };
	return tdx_host_errno(tdx_host_call(LANE_TSM, TDX_TDI_CREATE, &args));
}

static int tdi_unmake(const struct pci_dev *pdev)
{
	const struct tdx_tdi *tdi = tdi_of(pdev);
	struct tdx_args args = { .rcx = tdx_func_id(pdev) };
	int rc = 0;

	if (mutant(MUTANT_FORGET_REMOVE))
		return 0;
	if (phys_owner(tdi->pages[0]))
		rc = tdx_host_errno(tdx_host_call(LANE_TSM, TDX_TDI_REMOVE, &args));
	if (!rc)
		tdx_pages_free(tdi->pages, TDX_TDI_PAGES);
	return rc;
}

/* -- who owns the MMIO ------------------------------------------------------------------------ */

static int region_add(const struct tdx_tdi *tdi, uint64_t region)
{
	struct tdx_args args = { .rcx = region, .rdx = loose_page(tdi) };
	uint64_t status;

	if (!args.rdx)
		return -ENOMEM;
	status = tdx_host_call(LANE_TSM, TDX_MMIOMT_ADD, &args);
	loose_page_settle(tdi);
	/* A neighbour's BAR in the same 2 MiB has brought it already. */
	return tdx_class(status) == TDX_PAGE_METADATA_INCORRECT ? 0 : tdx_host_errno(status);
}

static void region_remove(uint64_t region)
{
	struct tdx_args args = { .rcx = region };

	/* Refused while another function owns a page in it: the last one out removes it. */
	if (!tdx_host_call(LANE_TSM, TDX_MMIOMT_REMOVE, &args))
		tdx_page_free(args.rcx);
}

static uint64_t mmio_set(uint64_t hpa, unsigned int level, uint32_t func)
{
	struct tdx_args args = { .rcx = tdx_map(hpa, level), .rdx = func };

	return tdx_host_call(LANE_TSM, TDX_MMIOMT_SET, &args);
}

static int range_make(const struct tdx_tdi *tdi, uint32_t func, uint64_t hpa, uint64_t len)
{
	uint64_t end = hpa + len, size;
	int rc;

	for (uint64_t at = hpa; at < end; at += size) {
		unsigned int level = !(at & (PHYS_2M - 1)) && end - at >= PHYS_2M;

		size = level ? PHYS_2M : PHYS_PAGE;
		rc = at == hpa || !(at & (PHYS_2M - 1)) ? region_add(tdi, at & ~(PHYS_2M - 1)) : 0;
		if (!rc)
			rc = tdx_host_errno(mmio_set(at, level, func));
		if (rc)
			return rc;
	}
	return 0;
}

static int mmio_make(const struct pci_dev *pdev)
{
	const struct tdx_tdi *tdi = tdi_of(pdev);
	int rc = 0;

	for (uint32_t i = 0; !rc && i < tdi->tee.count; i++)
		rc = range_make(tdi, tdx_func_id(pdev), tdi->tee.span[i].hpa, tdi->tee.span[i].len);
	return rc;
}

/* Gives up every page of the range this function owns, as the module says. */
static int range_unmake(uint32_t func, uint64_t hpa, uint64_t len)
{
	uint64_t end = hpa + len, size;
	int rc = 0;

	for (uint64_t at = hpa; at < end; at += size) {
		unsigned int level = !(at & (PHYS_2M - 1)) && end - at >= PHYS_2M;
		struct tdx_args args = { .rcx = at };
		uint64_t status = tdx_host_call(LANE_TSM, TDX_MMIOMT_RD, &args);

		size = level ? PHYS_2M : PHYS_PAGE;
		if (!status && args.rcx == func && func)
			status = mmio_set(at, level, 0);
		else
			status = 0;
		if (status && !rc)
			rc = tdx_host_errno(status);
	}
	for (uint64_t region = hpa & ~(PHYS_2M - 1); !rc && region < end; region += PHYS_2M)
		region_remove(region);
	return rc;
}

static int mmio_unmake(const struct pci_dev *pdev)
{
	const struct tdx_tdi *tdi = tdi_of(pdev);
	int rc = 0;

	if (mutant(MUTANT_REMOVE_WITH_MMIO))
		return 0;
	loose_page_settle(tdi);
	for (uint32_t i = 0; !rc && i < tdi->tee.count; i++)
		rc = range_unmake(tdx_func_id(pdev), tdi->tee.span[i].hpa, tdi->tee.span[i].len);
	return rc;
}

/* -- trusted DMA ------------------------------------------------------------------------------ */

static uint64_t dmar_index(const struct pci_dev *pdev, unsigned int level)
{
	return tdx_dmar_index((uint64_t)tdx_host_iommu(), pdev->rid, TDX_DMAR_RID_PASID,
			      (enum tdx_dmar_level)level);
}

static int dmar_state(const struct pci_dev *pdev, unsigned int level)
{
	struct tdx_args args = { .rcx = dmar_index(pdev, level) };

	return tdx_host_call(LANE_TSM, TDX_DMAR_READ, &args) ? DMAR_FREE : (int)args.rcx;
}

static int dmar_level_unmake(const struct pci_dev *pdev, unsigned int level)
{
	struct tdx_args args = { .rcx = dmar_index(pdev, level) };
	int state = dmar_state(pdev, level);
	uint64_t status = 0;

	if (state == DMAR_FREE)
		return 0;
	if (state != DMAR_BLOCKED)
		status = tdx_host_call(LANE_TSM, TDX_DMAR_BLOCK, &args);
	if (tdx_class(status) == TDX_DMAR_HAS_CHILDREN)
		/* another function is below: the last one out takes it down */
		return 0;
	if (!status)
		status = tdx_host_invalidate(LANE_TSM, TDX_INV_DMAR, dmar_index(pdev, level));
	if (!status) {
		args = (struct tdx_args){ .rcx = dmar_index(pdev, level) };
		status = tdx_host_call(LANE_TSM, TDX_DMAR_REMOVE, &args);
	}
	if (!status && level != TDX_DMAR_PASID)
		tdx_page_free(args.rcx);
	return tdx_host_errno(status);
}

static int dmar_level_make(const struct pci_dev *pdev, const struct tdx_tdi *tdi,
			   unsigned int level)
{
	struct tdx_args args = { .rcx = dmar_index(pdev, level) };
	uint64_t status;
	int rc;

	/* Tables above the leaf are shared with other functions of the bus. One that is blocked was
	 * on its way out when its process died. */
	if (level != TDX_DMAR_PASID && dmar_state(pdev, level) == DMAR_PRESENT)
		return 0;
	rc = dmar_level_unmake(pdev, level);
	if (rc)
		return rc;
	if (level == TDX_DMAR_PASID) {
		args.rdx = tdi->tdr;
		args.r9 = tdx_func_id(pdev);
	} else {
		args.r8 = loose_page(tdi);
		if (!args.r8)
			return -ENOMEM;
	}
	status = tdx_host_call(LANE_TSM, TDX_DMAR_ADD, &args);
	loose_page_settle(tdi);
	return tdx_host_errno(status);
}

static int dmar_make(const struct pci_dev *pdev)
{
	const struct tdx_tdi *tdi = tdi_of(pdev);
	int rc = 0;

	for (unsigned int level = 0; !rc && level < TDX_DMAR_LEVELS; level++)
		rc = dmar_level_make(pdev, tdi, level);
	return rc;
}

static int dmar_unmake(const struct pci_dev *pdev)
{
	const struct tdx_tdi *tdi = tdi_of(pdev);
	int rc = 0;

	loose_page_settle(tdi);
	iommufd_trusted_dma_disable(pdev);
	for (unsigned int level = TDX_DMAR_LEVELS; !rc && level-- > 0;)
		rc = dmar_level_unmake(pdev, level);
	return rc;
}

/* -- LOCK and STOP ---------------------------------------------------------------------------- */

static int lock_make(const struct pci_dev *pdev)
{
	const struct tdx_tdi *tdi = tdi_of(pdev);
	struct tdx_args args = { .rcx = tdx_func_id(pdev) };
	uint64_t status = tdx_relay_run(pdev->tsm, TDX_TDI_BIND, &args);
	struct tdx_tdi *w;

	if (status)
		return tdx_host_errno(status);
	w = image_write(tdi);
	w->session = args.rcx;
	return 0;
}

/* The session is gone, and with it all that could be said to the device. The stream is cut, which
 * takes every TDI on it out of action and lets the module give up its pages. */
static void session_lost(const struct pci_dev *pdev)
{
	const struct tdx_link *link = link_of(pdev);
	struct tdx_args args = { .rcx = link->stream_handle };
	struct tdx_link *w;

	if (!link->stream_blocked) {
		tdx_relay_abandon(pdev->tsm);
		tdx_host_call(LANE_TSM, TDX_IDE_STREAM_BLOCK, &args);
		w = image_write(link);
		w->stream_blocked = true;
	}
	tsm_session_lost(pdev);
}

/* STOP, until the device says CONFIG_UNLOCKED. After a refusal the state is read again before the
 * next try: an error means "maybe done". */
static int stop(const struct pci_dev *pdev)
{
	if (!phys_owner(tdi_of(pdev)->pages[0]) || mutant(MUTANT_UNBIND_WITHOUT_STOP))
		return 0;		/* no TDI: bind never came this far */
	for (unsigned int i = 0; i < STOP_TRIES && !pci_tsm_dsm(pdev->tsm)->session_lost; i++) {
		struct tdx_args args = { .rcx = tdx_func_id(pdev) };
		uint64_t status = tdx_relay_run(pdev->tsm, TDX_TDI_STATE, &args);

		if (!status && args.rcx == TDISP_UNLOCKED)
			return 0;
		args = (struct tdx_args){ .rcx = tdx_func_id(pdev) };
		if (!tdx_relay_run(pdev->tsm, TDX_TDI_STOP, &args))
			return 0;
	}
	session_lost(pdev);
	return 0;
}

/* The private MMIO mappings: made by KVM at faults. */
static int let_go(const struct pci_dev *pdev)
{
	if (mutant(MUTANT_REMOVE_WITH_MMIO))
		return 0;
	return tsm_mmio_let_go(pdev, &tdi_of(pdev)->tee, "private MMIO not unmapped");
}

/* The same mappings, to be accepted anew. */
static int renew(const struct pci_dev *pdev)
{
	return tsm_mmio_renew(pdev, &tdi_of(pdev)->tee);
}

/* The bug of unmapping before the TDI is stopped swaps two neighbours. */
static bool swapped(void)
{
	return mutant(MUTANT_UNMAP_BEFORE_STOP) || mutant(MUTANT_STOP_LAST);
}

static int lock_unmake(const struct pci_dev *pdev)
{
	return swapped() ? let_go(pdev) : stop(pdev);
}

static int mappings_unmake(const struct pci_dev *pdev)
{
	return swapped() ? stop(pdev) : let_go(pdev);
}

static int report_make(const struct pci_dev *pdev)
{
	const struct tdx_tdi *tdi = tdi_of(pdev);
	const struct tdx_link *link = link_of(pdev);
	struct tdx_args args = { .rcx = tdx_func_id(pdev),
				 .r12 = tdx_list_of_blob(link, link->blob) };
	uint64_t status = tdx_relay_run(pdev->tsm, TDX_TDI_REPORT, &args);
	struct tdx_tdi *w;

	if (status)
		return tdx_host_errno(status);
	if (args.r13 > TDX_BLOB_SIZE)
		return -EPROTO;
	memcpy(image_bulk_write(tdi->report, args.r13), link->blob, args.r13);
	w = image_write(tdi);
	w->report_len = (uint32_t)args.r13;
	return tsm_report_layout(pdev, tdi->report, tdi->report_len);
}

/* -- the table -------------------------------------------------------------------------------- */

static const struct tsm_step tdi_steps[] = {
	{ metadata_make, metadata_unmake, "TDI metadata not removed" },
	{ tdi_make, tdi_unmake, "TDI not removed" },
	{ mmio_make, mmio_unmake, "MMIO ownership not given up" },
	{ dmar_make, dmar_unmake, "trusted DMA not removed" },
	{ NULL, mappings_unmake, NULL, renew },
	{ lock_make, lock_unmake, "TDI not stopped" },
	{ report_make, NULL, NULL },
};
#define TDI_KEPT 3u		/* metadata, TDI, ownership */
const struct tsm_steps tdx_tdi_steps = { tdi_steps, sizeof(tdi_steps) / sizeof(tdi_steps[0]),
					 TDI_KEPT };

void tdx_tdi_free(const struct pci_dev *pdev)
{
	const struct tdx_tdi *tdi = tdi_of(pdev);
	struct pci_tsm *w = image_write(pci_tsm_of(pdev));

	w->tdi_driver = NULL;
	image_bulk_free(tdi->report);
	image_free(tdi);
}

int tdx_tdi_alloc(const struct pci_dev *pdev, const struct kvm *kvm, uint32_t tdi_id)
{
	struct tdx_tdi *tdi;
	struct pci_tsm *w;

	(void)tdi_id;
	if (!kvm_tdx_tdr(kvm))
		return -EINVAL;
	tdi = image_alloc(sizeof(*tdi), IMAGE_TYPE_TSM);
	if (!tdi)
		return -ENOMEM;
	w = image_write(pci_tsm_of(pdev));
	w->tdi_driver = tdi;
	tdi->tdr = kvm_tdx_tdr(kvm);
	tdi->report = image_bulk_alloc(TDX_BLOB_SIZE, IMAGE_TYPE_TDX_PAGE);
	return tdi->report ? tsm_tee_spans(pdev, &tdi->tee) : -ENOMEM;
}

void tdx_tdi_finish(const struct pci_dev *pdev)
{
	if (!pci_tsm_dsm(pdev->tsm)->session_lost)
		tdx_relay_finish(pdev->tsm);
}
