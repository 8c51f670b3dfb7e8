/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Binding a function to an SNP guest. A bind goes down the table of steps, an unbind goes up from
 * wherever the bind came to: the PSP unbinds and says UNLOCKED, its context is reclaimed, the guest's
 * fence is looked at and cleared, and last of all VFIO lets its private dma-bufs go, so that KVM
 * makes the BAR's pages shared in the RMP. Each undoing asks what is there.
 */
#include <string.h>

#include "hardware/cpu.h"
#include "kernel/iommufd/iommufd.h"
#include "kernel/kvm/kvm.h"
#include "kernel/tsm/sev_link.h"
#include "kernel/vfio/vfio.h"

#define UNBIND_TRIES 3u
#define FENCED 0xfu			/* bits of ASID_FENCE_STATUS */

static const struct sev_tdi_binding *binding_of(const struct pci_dev *pdev)
{
	return pci_tsm_of(pdev)->tdi_driver;
}

struct sev_command sev_tdi_args(const struct pci_dev *pdev)
{
	const struct sev_tdi_binding *binding = binding_of(pdev);

	return (struct sev_command){ .dev_ctx = sev_link_of(pdev->tsm)->dev_ctx,
				     .tdi_ctx = binding->tdi_ctx, .gctx = binding->gctx,
				     .rid = pdev->rid, .guest_rid = binding->guest_rid,
				     .asid = binding->asid };
}

/* -- the private MMIO: made by KVM when its slots are, gone when VFIO revokes ------------------- */

static int mappings_make(const struct pci_dev *pdev)
{
	trace_note(LANE_TSM, LANE_KVM, "pages of the BARs enter the RMP",
		   "no-op: with their memslots");
	(void)pdev;
	return 0;
}

/* What the bound guest may have of the BARs: all of them. */
static int mappings_unmake(const struct pci_dev *pdev)
{
	const struct function *fn = function_find(pdev->rid);
	struct tsm_tee bars = { 0 };

	for (unsigned int bar = 0; fn && bar < FUNCTION_BARS; bar++)
		if (fn->bar[bar].size)
			bars.span[bars.count++] =
				(struct tsm_span){ fn->bar[bar].hpa, fn->bar[bar].size };
	return tsm_mmio_let_go(pdev, &bars, "private MMIO not shared again");
}

/* -- the fence of the guest ------------------------------------------------------------------- */

/* A fence another TDI of the guest's raised stays until that one goes. */
static int fence_unmake(const struct pci_dev *pdev)
{
	struct sev_command args = sev_tdi_args(pdev);
	uint8_t answer[SEV_FENCE_STATUS_SIZE] = { 0 };
	struct reader r = reader_of(answer, sizeof(answer));

	args.out = sev_host_page();
	if (sev_host_command(LANE_TSM, SEV_CMD_TIO_ASID_FENCE_STATUS, &args))
		return 0;
	cpu_host_read(args.out, answer, sizeof(answer));
	get_le32(&r);
	if (get_le32(&r) & FENCED)
		sev_host_command(LANE_TSM, SEV_CMD_TIO_ASID_FENCE_CLEAR, &args);
	return 0;
}

/* -- the context ------------------------------------------------------------------------------ */

static int context_make(const struct pci_dev *pdev)
{
	struct sev_tdi_binding *w = image_write(binding_of(pdev));
	struct sev_command args;

	w->tdi_ctx = sev_firmware_page(LANE_TSM);
	if (!w->tdi_ctx)
		return -ENOMEM;
	args = sev_tdi_args(pdev);
	return sev_host_errno(sev_host_command(LANE_TSM, SEV_CMD_TIO_TDI_CREATE, &args));
}

static int context_unmake(const struct pci_dev *pdev)
{
	const struct sev_tdi_binding *binding = binding_of(pdev);
	struct sev_command args = sev_tdi_args(pdev);
	struct sev_tdi_binding *w;
	enum sev_status status;

	if (!binding->tdi_ctx)
		return 0;
	args.flags = pci_tsm_dsm(pdev->tsm)->session_lost ? SEV_FORCE : 0;
	status = sev_host_command(LANE_TSM, SEV_CMD_TIO_TDI_RECLAIM, &args);
	if (status && status != SEV_INVALID_ADDRESS)	/* ... there is no such context */
		return sev_host_errno(status);
	sev_firmware_page_free(LANE_TSM, binding->tdi_ctx);
	w = image_write(binding);
	w->tdi_ctx = 0;
	return 0;
}

/* -- LOCK and STOP ---------------------------------------------------------------------------- */

static int lock_make(const struct pci_dev *pdev)
{
	const struct sev_command args = sev_tdi_args(pdev);
	enum sev_status status = sev_relay_run(pdev->tsm, SEV_CMD_TIO_TDI_BIND, &args);
	struct sev_tdi_binding *w;
	ssize_t len;

	if (status)
		return sev_host_errno(status);
	len = sev_output_read(sev_link_of(pdev->tsm),
			      image_bulk_write(binding_of(pdev)->report, SEV_BLOB_MAX),
			      SEV_BLOB_MAX);
	if (len < 0)
		return (int)len;
	w = image_write(binding_of(pdev));
	w->report_len = (uint32_t)len;
	return tsm_report_layout(pdev, w->report, w->report_len);
}

/* The TDISP state, as the PSP has it from the device; TDISP_ERROR_STATE when nobody knows. */
static enum tdisp_state tdi_state(const struct pci_dev *pdev)
{
	struct sev_command args = sev_tdi_args(pdev);
	uint8_t answer[SEV_TDI_STATUS_SIZE] = { 0 };
	struct reader r = reader_of(answer, sizeof(answer));
	uint8_t state;

	args.out = sev_host_page();
	if (sev_relay_run(pdev->tsm, SEV_CMD_TIO_TDI_STATUS, &args))
		return TDISP_ERROR_STATE;
	cpu_host_read(args.out, answer, sizeof(answer));
	get_le64(&r);
	state = get_u8(&r);
	return state <= TDISP_ERROR_STATE ? (enum tdisp_state)state : TDISP_ERROR_STATE;
}

/* The session is gone, and with it all that could be said to the device. The PSP takes from the TDI
 * what is the guest's. */
static void unbind_forced(const struct pci_dev *pdev)
{
	const struct sev_link *link = sev_link_of(pdev->tsm);
	struct sev_command args = sev_tdi_args(pdev);

	args.flags = SEV_FORCE;
	if (!sev_relay_run(pdev->tsm, SEV_CMD_TIO_TDI_UNBIND, &args) && !pci_tsm_dsm(pdev->tsm)->session_lost &&
	    tdi_state(pdev) == TDISP_UNLOCKED)
		return;
	/* Not even that: the link is of no use, and what the PSP knows of the TDI not either. */
	if (link->stuck)
		sev_relay_run(pdev->tsm, SEV_CMD_TIO_TDI_UNBIND, &args);
	tsm_session_lost(pdev);
}

/* Bugs of the host's that come before the unbind proper. */
static void unbind_mutants(const struct pci_dev *pdev)
{
	struct sev_command args = sev_tdi_args(pdev);

	if (mutant(MUTANT_SHARE_BEFORE_UNBIND))
		mappings_unmake(pdev);
	if (mutant(MUTANT_RECLAIM_EARLY) && args.tdi_ctx)
		sev_host_command(LANE_TSM, SEV_CMD_TIO_TDI_RECLAIM, &args);
}

/* UNBIND, until the PSP says UNLOCKED; FORCE when it does not. */
static int lock_unmake(const struct pci_dev *pdev)
{
	const struct pci_tsm *dsm = pci_tsm_dsm(pdev->tsm);
	const struct sev_link *link = dsm->link_driver;
	const struct sev_command args = sev_tdi_args(pdev);

	unbind_mutants(pdev);
	if (!binding_of(pdev)->tdi_ctx)
		return 0;		/* no TDI: bind never came this far */
	for (unsigned int i = 0; i < UNBIND_TRIES && !dsm->session_lost && !link->stuck; i++) {
		enum sev_status status = sev_relay_run(pdev->tsm, SEV_CMD_TIO_TDI_UNBIND, &args);

		if (status == SEV_INVALID_ADDRESS)
			return 0;	/* no such context: it was not made */
		if (!status && tdi_state(pdev) == TDISP_UNLOCKED)
			return 0;
	}
	if (mutant(MUTANT_NO_FORCE))
		return -EIO;
	unbind_forced(pdev);
	return 0;
}

/* -- the table -------------------------------------------------------------------------------- */

static const struct tsm_step tdi_steps[] = {
	{ mappings_make, mappings_unmake, NULL },
	{ NULL, fence_unmake, NULL },
	{ context_make, context_unmake, "TDI context not reclaimed" },
	{ lock_make, lock_unmake, "TDI not unbound" },
};
const struct tsm_steps sev_tdi_steps = TSM_STEPS(tdi_steps);

void sev_tdi_free(const struct pci_dev *pdev)
{
	const struct sev_tdi_binding *binding = binding_of(pdev);
	struct pci_tsm *w = image_write(pci_tsm_of(pdev));

	w->tdi_driver = NULL;
	image_bulk_free(binding->report);
	image_free(binding);
}

int sev_tdi_alloc(const struct pci_dev *pdev, const struct kvm *kvm, uint32_t tdi_id)
{
	struct sev_tdi_binding *binding;
	struct pci_tsm *w;

	if (!kvm_sev_gctx(kvm))
		return -EINVAL;
	if (sev_link_of(pdev->tsm)->stuck)
		return -ENXIO;
	binding = image_alloc(sizeof(*binding), IMAGE_TYPE_TSM);
	if (!binding)
		return -ENOMEM;
	w = image_write(pci_tsm_of(pdev));
	w->tdi_driver = binding;
	binding->gctx = kvm_sev_gctx(kvm);
	binding->asid = kvm_sev_asid(kvm);
	binding->guest_rid = (uint16_t)tdi_id;
	binding->report = image_bulk_alloc(SEV_BLOB_MAX, IMAGE_TYPE_SEV_PAGE);
	return binding->report ? 0 : -ENOMEM;
}

void sev_tdi_finish(const struct pci_dev *pdev)
{
	if (!pci_tsm_dsm(pdev->tsm)->session_lost)
		sev_relay_finish(pdev->tsm);
}
