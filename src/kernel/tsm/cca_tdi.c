/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Binding a function to a Realm. A bind goes down the table of steps, an unbind goes up from wherever
 * the bind came to: VFIO lets its private dma-bufs go first (KVM unmaps the device memory), since the
 * RMM does not unlock what is mapped; then the TDI is stopped and its stream gets new keys; then the
 * VDEV and its granules go. Each undoing asks what is there.
 */
#include <string.h>

#include "kernel/kvm/kvm.h"
#include "kernel/tsm/cca_link.h"
#include "kernel/vfio/vfio.h"

#define UNLOCK_TRIES 4u

const struct cca_tdi *cca_tdi_of(const struct pci_dev *pdev)
{
	return pci_tsm_of(pdev) ? pci_tsm_of(pdev)->tdi_driver : NULL;
}

static const struct cca_link *link_of(const struct pci_dev *pdev)
{
	return cca_link_of(pdev->tsm);
}

static struct smc_args operands(const struct pci_dev *pdev)
{
	const struct cca_tdi *tdi = cca_tdi_of(pdev);

	return (struct smc_args){ .x = { 0, tdi->rd, link_of(pdev)->pdev[CCA_EP], tdi->vdev } };
}

int cca_tdi_op(const struct pci_dev *pdev, enum rmi_command command, uint64_t *status)
{
	struct smc_args args = operands(pdev);
	uint64_t result = cca_host_call(LANE_TSM, command, &args);

	if (status)
		*status = result;
	return result ? cca_host_errno(result) :
			cca_worker_run(pdev->tsm, &cca_tdi_of(pdev)->worker);
}

static enum vdev_state vdev_state(const struct pci_dev *pdev)
{
	struct smc_args args = operands(pdev);

	return cca_host_call(LANE_TSM, RMI_VDEV_GET_STATE, &args) ? VDEV_ERROR :
								    (enum vdev_state)args.x[1];
}

static bool span_has(const struct cca_tdi *tdi, uint64_t hpa)
{
	for (uint32_t i = 0; i < tdi->tee.count; i++)
		if (hpa - tdi->tee.span[i].hpa < tdi->tee.span[i].len)
			return true;
	return false;
}

uint64_t cca_vdev_of(uint64_t hpa, uint64_t *pdev_granule)
{
	uint16_t rid = 0;

	for (const struct pci_dev *pdev = pci_dev_next(&rid); pdev;
	     rid++, pdev = pci_dev_next(&rid)) {
		const struct cca_tdi *tdi = cca_tdi_of(pdev);

		if (!tdi || !span_has(tdi, hpa))
			continue;
		*pdev_granule = link_of(pdev)->pdev[CCA_EP];
		return tdi->vdev;
	}
	return 0;
}

/* -- granules ----------------------------------------------------------------------------------------- */

static int granules_make(const struct pci_dev *pdev)
{
	const struct cca_tdi *tdi = cca_tdi_of(pdev);
	int rc = 0;

	for (uint32_t i = 0; !rc && i < tdi->tee.count; i++)
		rc = cca_delegate(LANE_TSM, tdi->tee.span[i].hpa, tdi->tee.span[i].len);
	return rc;
}

/* Runs of what is delegated. */
static int granules_unmake(const struct pci_dev *pdev)
{
	const struct cca_tdi *tdi = cca_tdi_of(pdev);
	int rc = 0;

	for (uint32_t i = 0; !rc && i < tdi->tee.count; i++) {
		uint64_t at = tdi->tee.span[i].hpa, end = at + tdi->tee.span[i].len, from;

		while (!rc && at < end) {
			for (from = at; at < end && granule_state(at) == GRANULE_DELEGATED;)
				at += PHYS_PAGE;
			if (at > from)
				rc = cca_undelegate(LANE_TSM, from, at - from);
			else if (granule_state(at) != GRANULE_UNDELEGATED)
				rc = -EBUSY;
			else
				at += PHYS_PAGE;
		}
	}
	return rc;
}

/* -- the VDEV ------------------------------------------------------------------------------------------- */

static int vdev_make(const struct pci_dev *pdev)
{
	const struct cca_tdi *tdi = cca_tdi_of(pdev);
	const struct cca_link *link = link_of(pdev);
	uint8_t *params = cca_params(link);
	struct cca_worker *worker;
	struct smc_args args;
	uint64_t result;

	if (cca_granule_make(LANE_TSM, &tdi->vdev) || cca_worker_make(&tdi->worker))
		return -ENOMEM;
	worker = image_write(&tdi->worker);
	worker->is_vdev = true;
	worker->rd = tdi->rd;
	worker->pdev = link->pdev[CCA_EP];
	worker->vdev = tdi->vdev;
	cca_param(params, VDEV_PARAM_VDEV_ID, tdi->vdev_id);
	cca_param(params, VDEV_PARAM_TDI_ID, pdev->rid);
	cca_param(params, VDEV_PARAM_SID, pdev->rid);
	cca_param(params, VDEV_PARAM_RANGES, tdi->tee.count);
	for (uint32_t i = 0; i < tdi->tee.count && i < VDEV_RANGES; i++) {
		const struct tsm_span *span = &tdi->tee.span[i];

		cca_param(params, VDEV_PARAM_RANGE + 16 * i, span->hpa);
		cca_param(params, VDEV_PARAM_RANGE + 16 * i + 8, span->hpa + span->len);
	}
	args = operands(pdev);
	args.x[4] = phys_of(link->params);
	result = cca_host_call(LANE_TSM, RMI_VDEV_CREATE, &args);
	return result ? cca_host_errno(result) : cca_worker_run(pdev->tsm, &tdi->worker);
}

static int vdev_unmake(const struct pci_dev *pdev)
{
	const struct cca_tdi *tdi = cca_tdi_of(pdev);
	struct smc_args args = operands(pdev);
	uint64_t result = 0;

	if (tdi->vdev && granule_state(tdi->vdev) == GRANULE_VDEV)
		result = cca_host_call(LANE_TSM, RMI_VDEV_DESTROY, &args);
	if (result)
		return cca_host_errno(result);
	cca_granule_free(LANE_TSM, tdi->vdev, PHYS_PAGE);
	((struct cca_tdi *)image_write(tdi))->vdev = 0;
	cca_worker_free(&tdi->worker);
	return 0;
}

/* -- locked --------------------------------------------------------------------------------------------- */

static int lock_make(const struct pci_dev *pdev)
{
	return cca_tdi_op(pdev, RMI_VDEV_LOCK, NULL);
}

static bool session_alive(const struct pci_dev *pdev)
{
	struct smc_args args = { .x = { 0, link_of(pdev)->pdev[CCA_EP] } };

	return !cca_host_call(LANE_TSM, RMI_PDEV_GET_STATE, &args) && args.x[1] == PDEV_READY;
}

/* One step from where the VDEV is towards UNLOCKED; 1: another one is needed. */
static int unlock_step(const struct pci_dev *pdev)
{
	struct smc_args args = operands(pdev);
	bool alive = session_alive(pdev);
	uint64_t result;

	switch (vdev_state(pdev)) {
	case VDEV_NEW:
	case VDEV_UNLOCKED:
		return 0;
	case VDEV_KEY_REFRESH:
		cca_stream_op(pdev->tsm, RMI_PDEV_STREAM_KEY_REFRESH);
		return 1;
	case VDEV_KEY_PURGE:
		cca_stream_op(pdev->tsm, RMI_PDEV_STREAM_KEY_PURGE);
		return 1;
	default:
		result = cca_host_call(LANE_TSM, RMI_VDEV_UNLOCK, &args);
		if (result)
			return cca_host_errno(result);
		if (alive)		/* nothing is asked between: who dies there has asked nothing */
			cca_worker_run(pdev->tsm, &cca_tdi_of(pdev)->worker);
		return 1;
	}
}

/* An error means "maybe done": the state is read again before each try. When the session dies on the
 * way, the RMM drops the stream's keys, so that nothing comes through any more. */
static int unlock(const struct pci_dev *pdev)
{
	const struct cca_tdi *tdi = cca_tdi_of(pdev);
	bool was_alive = session_alive(pdev);
	int rc = 1;

	if (mutant(MUTANT_UNBIND_WITHOUT_STOP) || !tdi->vdev ||
	    granule_state(tdi->vdev) != GRANULE_VDEV || vdev_state(pdev) == VDEV_NEW ||
	    (vdev_state(pdev) == VDEV_UNLOCKED && was_alive))
		return 0;
	for (unsigned int i = 0; rc > 0 && i < UNLOCK_TRIES; i++)
		rc = unlock_step(pdev);
	if (!session_alive(pdev))
		tsm_session_lost(pdev);
	return rc > 0 ? -EIO : rc;
}

/* The private mappings: made by KVM when the Realm asks. */
static int let_go(const struct pci_dev *pdev)
{
	return tsm_mmio_let_go(pdev, &cca_tdi_of(pdev)->tee, "device memory not unmapped");
}

/* The bug of unlocking before the device memory is unmapped swaps two neighbours. */
static int lock_unmake(const struct pci_dev *pdev)
{
	return mutant(MUTANT_UNLOCK_MAPPED) ? let_go(pdev) : unlock(pdev);
}

static int mappings_unmake(const struct pci_dev *pdev)
{
	return mutant(MUTANT_UNLOCK_MAPPED) ? unlock(pdev) : let_go(pdev);
}

/* -- the report: what of the BARs is TEE memory, for VFIO ---------------------------------------------------- */

static int report_make(const struct pci_dev *pdev)
{
	const struct cca_tdi *tdi = cca_tdi_of(pdev);
	const struct cca_object *report = &tdi->object[OBJECT_REPORT];
	int rc = cca_tdi_op(pdev, RMI_VDEV_GET_INTERFACE_REPORT, NULL);

	return rc ? rc : tsm_report_layout(pdev, report->bytes, report->len);
}

/* -- the table ------------------------------------------------------------------------------------------------ */

static const struct tsm_step tdi_steps[] = {
	{ granules_make, granules_unmake, "device granules not undelegated" },
	{ vdev_make, vdev_unmake, "VDEV not destroyed" },
	{ lock_make, lock_unmake, "VDEV not unlocked" },
	{ NULL, mappings_unmake, NULL },
	{ report_make, NULL, NULL },
};
const struct tsm_steps cca_tdi_steps = TSM_STEPS(tdi_steps);

void cca_tdi_free(const struct pci_dev *pdev)
{
	const struct cca_tdi *tdi = cca_tdi_of(pdev);
	struct pci_tsm *w = image_write(pci_tsm_of(pdev));

	w->tdi_driver = NULL;
	for (unsigned int i = 0; i < OBJECTS; i++)
		image_bulk_free(tdi->object[i].bytes);
	image_free(tdi);
}

int cca_tdi_alloc(const struct pci_dev *pdev, const struct kvm *kvm, uint32_t tdi_id)
{
	struct cca_tdi *tdi;
	struct pci_tsm *w;

	if (!kvm_cca_rd(kvm))
		return -EINVAL;
	tdi = image_alloc(sizeof(*tdi), IMAGE_TYPE_TSM);
	if (!tdi)
		return -ENOMEM;
	w = image_write(pci_tsm_of(pdev));
	w->tdi_driver = tdi;
	tdi->rd = kvm_cca_rd(kvm);
	tdi->vdev_id = tdi_id;
	if (cca_object_make(&tdi->object[OBJECT_MEASUREMENTS]) ||
	    cca_object_make(&tdi->object[OBJECT_REPORT]))
		return -ENOMEM;
	return tsm_tee_spans(pdev, &tdi->tee);
}

void cca_tdi_finish(const struct pci_dev *pdev)
{
	const struct cca_worker *worker = &cca_tdi_of(pdev)->worker;

	if (pci_tsm_dsm(pdev->tsm)->session_lost)
		cca_workers_abandon(pdev->tsm, worker);
	else
		cca_workers_finish(pdev->tsm, worker);
}
