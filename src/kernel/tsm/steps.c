/* SPDX-License-Identifier: BSD-2-Clause */
/* Making and unmaking a link and a bound TDI: down the driver's table, and up again. */
#include "kernel/kvm/kvm.h"
#include "kernel/tsm/internal.h"
#include "kernel/vfio/vfio.h"

/* Where the number of the step under way stands. */
static void phase_set(const uint16_t *phase, unsigned int number)
{
	uint16_t *w = image_log(phase, sizeof(*phase));

	*w = (uint16_t)number;
	image_commit();
}

/* On from the step that *phase names, which is made. */
static int steps_make(const struct pci_dev *pdev, const struct tsm_steps *steps,
		      const uint16_t *phase)
{
	int rc = 0;

	for (unsigned int i = *phase; !rc && i < steps->count; i++) {
		phase_set(phase, i + 1);
		rc = steps->step[i].make ? steps->step[i].make(pdev) : 0;
	}
	return rc;
}

/* 0, or the refusal of the step that *phase then names. */
static int steps_unmake(const struct pci_dev *pdev, const struct tsm_steps *steps,
			const uint16_t *phase)
{
	while (*phase) {
		const struct tsm_step *step = &steps->step[*phase - 1];
		int rc = step->unmake ? step->unmake(pdev) : 0;

		if (rc)
			return rc;
		phase_set(phase, *phase - 1u);
	}
	return 0;
}

/* -- a link ----------------------------------------------------------------------------------- */

int tsm_link_make(const struct pci_dev *pdev)
{
	const struct pci_tsm *tsm = pdev->tsm;
	struct pci_tsm *w = image_write(tsm);
	int rc;

	w->session_lost = w->was_reset = false;
	rc = tsm_ops()->link_alloc(pdev);
	return rc ? rc : steps_make(pdev, tsm_ops()->link, &tsm->link_phase);
}

int tsm_link_unmake(const struct pci_dev *pdev)
{
	const struct pci_tsm *tsm = pdev->tsm;
	int rc;

	if (!tsm->link_driver)
		return 0;
	tsm_ops()->abandon(pdev);
	rc = steps_unmake(pdev, tsm_ops()->link, &tsm->link_phase);
	if (!rc)
		tsm_ops()->link_free(pdev);
	return rc;
}

int tsm_ide_make(const struct pci_dev *pdev)
{
	int id = pci_ide_stream_alloc(pdev);
	struct pci_tsm *w;

	if (id < 0)
		return id;
	w = image_write(pci_tsm_of(pdev));
	w->stream = (uint8_t)id;
	w->stream_taken = true;
	return pci_ide_setup(pdev, (uint8_t)id);
}

int tsm_ide_unmake(const struct pci_dev *pdev)
{
	const struct pci_tsm *tsm = pdev->tsm;
	struct pci_tsm *w;

	if (!tsm->stream_taken)
		return 0;
	pci_ide_disable(pdev, tsm->stream);
	pci_ide_stream_free(pdev, tsm->stream);
	w = image_write(tsm);
	w->stream_taken = false;
	return 0;
}

/* Undone by tsm_ide_unmake(): until then the session goes over the ports as they are. */
int tsm_ide_enable(const struct pci_dev *pdev)
{
	return pci_ide_enable(pdev, pci_tsm_of(pdev)->stream);
}

/* -- a bound TDI ------------------------------------------------------------------------------ */

/* The bug of forgetting the step that failed, and the one before it. */
static void failure_forgotten(const struct pci_tsm *tsm)
{
	if (mutant(MUTANT_BIND_ERROR_FORGETS))
		phase_set(&tsm->tdi_phase, tsm->tdi_phase > 2 ? tsm->tdi_phase - 2u : 0);
}

int tsm_tdi_make(const struct pci_dev *pdev, const struct kvm *kvm, uint32_t tdi_id)
{
	const struct pci_tsm *tsm = pdev->tsm;
	int rc;

	if (pci_tsm_dsm(tsm)->session_lost)
		return -ENXIO;
	rc = tsm->tdi_driver ? 0 : tsm_ops()->tdi_alloc(pdev, kvm, tdi_id);
	if (rc)
		return rc;
	rc = steps_make(pdev, tsm_ops()->tdi, &tsm->tdi_phase);
	if (rc)
		failure_forgotten(tsm);
	return rc;
}

int tsm_tdi_unmake(const struct pci_dev *pdev)
{
	const struct pci_tsm *tsm = pdev->tsm;
	int rc;

	if (!tsm->tdi_driver)
		return 0;
	tsm_ops()->finish(pdev);
	if (tsm->kept && tsm->tdi_phase)
		phase_set(&tsm->tdi_phase, tsm_ops()->tdi->count);
	rc = steps_unmake(pdev, tsm_ops()->tdi, &tsm->tdi_phase);
	if (!rc)
		tsm_ops()->tdi_free(pdev);
	else if (tsm_ops()->tdi->step[tsm->tdi_phase - 1].stuck)
		pci_tsm_quarantine(pdev, tsm_ops()->tdi->step[tsm->tdi_phase - 1].stuck);
	return rc;
}

int tsm_tdi_rest(const struct pci_dev *pdev)
{
	const struct tsm_steps *steps = tsm_ops()->tdi;
	const struct pci_tsm *tsm = pdev->tsm;
	int rc = 0;

	tsm_ops()->finish(pdev);
	while (!rc && tsm->tdi_phase > steps->kept) {
		const struct tsm_step *step = &steps->step[tsm->tdi_phase - 1];
		int (*undo)(const struct pci_dev *pdev) = step->rest ? step->rest : step->unmake;

		rc = undo ? undo(pdev) : 0;
		if (!rc)
			phase_set(&tsm->tdi_phase, tsm->tdi_phase - 1u);
	}
	/* Without a session, or in quarantine, there is no next bind. */
	if (!rc && (pci_tsm_dsm(tsm)->session_lost || tsm->cause[0]))
		rc = -ENXIO;
	return rc;
}

int tsm_mmio_renew(const struct pci_dev *pdev, const struct tsm_tee *tee)
{
	int rc = 0;

	for (uint32_t i = 0; !rc && i < tee->count; i++)
		rc = kvm_renew_mmio(pci_tsm_of(pdev)->kvm, tee->span[i].hpa, tee->span[i].len);
	return rc;
}

int tsm_mmio_let_go(const struct pci_dev *pdev, const struct tsm_tee *tee, const char *stuck)
{
	int rc = vfio_tsm_event(pdev, VFIO_TSM_UNBIND);

	for (uint32_t i = 0; !rc && i < tee->count; i++)
		rc = kvm_unmap_mmio(pci_tsm_of(pdev)->kvm, tee->span[i].hpa, tee->span[i].len);
	if (rc)
		pci_tsm_quarantine(pdev, stuck);
	return rc;
}

void tsm_session_lost(const struct pci_dev *pdev)
{
	const struct pci_tsm *dsm = pci_tsm_dsm(pdev->tsm);
	struct pci_tsm *w;

	if (!dsm->session_lost) {
		w = image_write(dsm);
		w->session_lost = true;
	}
	if (!dsm->was_reset)
		pci_tsm_quarantine(pdev,
				   "SPDM session lost while bound: state of the TDI not known");
}
