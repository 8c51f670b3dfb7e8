/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The SEV-TIO driver of the TSM core: the link to a DSM (device context, SPDM session, IDE stream).
 * Binding is in sev_tdi.c. Each link is made and unmade by one table of steps.
 */
#include <string.h>

#include "kernel/tsm/sev_link.h"

#define TC0 1u
#define FIRST_SCRATCH PHYS_PAGE		/* the PSP says when it wants more */

const struct sev_link *sev_link_of(const struct pci_tsm *tsm)
{
	const struct pci_tsm *dsm = pci_tsm_dsm(tsm);

	return dsm ? dsm->link_driver : NULL;
}

/* -- steps of a link -------------------------------------------------------------------------- */

static int host_make(const struct pci_dev *pdev)
{
	(void)pdev;
	enum sev_status status;

	return sev_host_init(LANE_TSM, &status);
}

static int buffers_make(const struct pci_dev *pdev)
{
	const struct sev_link *link = sev_link_of(pdev->tsm);
	int rc = sev_buffer_grow(link, SEV_REQUEST, SEV_MESSAGE_SIZE);

	if (!rc)
		rc = sev_buffer_grow(link, SEV_RESPONSE, SEV_MESSAGE_SIZE);
	if (!rc)
		rc = sev_buffer_grow(link, SEV_SCRATCH, FIRST_SCRATCH);
	return rc ? rc : sev_buffer_grow(link, SEV_OUTPUT, FIRST_SCRATCH);
}

static int buffers_unmake(const struct pci_dev *pdev)
{
	const struct sev_link *link = sev_link_of(pdev->tsm);
	sev_buffers_free(link);
	return 0;
}

static int device_make(const struct pci_dev *pdev)
{
	const struct sev_link *link = sev_link_of(pdev->tsm);
	const struct function *fn = function_find(pdev->rid);
	struct sev_link *w = image_write(link);
	struct sev_command args;

	w->dev_ctx = sev_firmware_page(LANE_TSM);
	if (!fn || !w->dev_ctx)
		return fn ? -ENOMEM : -ENXIO;
	args = (struct sev_command){ .dev_ctx = w->dev_ctx, .rid = pdev->rid,
				     .root_port = fn->root_port };
	return sev_host_errno(sev_host_command(LANE_TSM, SEV_CMD_TIO_DEV_CREATE, &args));
}

static int device_unmake(const struct pci_dev *pdev)
{
	const struct sev_link *link = sev_link_of(pdev->tsm);
	const struct sev_command args = { .dev_ctx = link->dev_ctx };
	enum sev_status status;
	struct sev_link *w;

	if (!link->dev_ctx)
		return 0;
	status = sev_host_command(LANE_TSM, SEV_CMD_TIO_DEV_RECLAIM, &args);
	if (status && status != SEV_INVALID_ADDRESS)	/* ... there is no such context */
		return sev_host_errno(status);
	sev_firmware_page_free(LANE_TSM, link->dev_ctx);
	w = image_write(link);
	w->dev_ctx = 0;
	return 0;
}

static int connect_make(const struct pci_dev *pdev)
{
	const struct sev_link *link = sev_link_of(pdev->tsm);
	const struct sev_command args = { .dev_ctx = link->dev_ctx, .tc_mask = TC0,
					  .streams = { pci_tsm_of(pdev)->stream } };

	return sev_host_errno(sev_relay_run(pdev->tsm, SEV_CMD_TIO_DEV_CONNECT, &args));
}

static int connect_unmake(const struct pci_dev *pdev)
{
	const struct sev_link *link = sev_link_of(pdev->tsm);
	struct sev_command args = { .dev_ctx = link->dev_ctx };
	enum sev_status status = SEV_SPDM_ERROR;

	if (!link->dev_ctx)
		return 0;
	if (mutant(MUTANT_DEV_RECLAIM_EARLY))
		sev_host_command(LANE_TSM, SEV_CMD_TIO_DEV_RECLAIM, &args);
	if (!pci_tsm_of(pdev)->session_lost && !link->stuck)
		status = sev_relay_run(pdev->tsm, SEV_CMD_TIO_DEV_DISCONNECT, &args);
	if (!status || status == SEV_TDI_BOUND || status == SEV_INVALID_ADDRESS)
		return status == SEV_TDI_BOUND ? -EBUSY : 0;
	args.flags = SEV_FORCE;
	status = sev_relay_run(pdev->tsm, SEV_CMD_TIO_DEV_DISCONNECT, &args);
	return status == SEV_INVALID_ADDRESS ? 0 : sev_host_errno(status);
}

/* SNP and TIO stay on: other links and guests rely on them. */
static const struct tsm_step link_steps[] = {
	{ host_make, NULL, NULL },
	{ buffers_make, buffers_unmake, NULL },
	{ device_make, device_unmake, NULL },
	{ tsm_ide_make, tsm_ide_unmake, NULL },
	{ connect_make, connect_unmake, NULL },
	{ tsm_ide_enable, NULL, NULL },
};
static const struct tsm_steps steps = TSM_STEPS(link_steps);

/* -- the link's object ------------------------------------------------------------------------ */

static int link_alloc(const struct pci_dev *pdev)
{
	struct sev_link *link = image_alloc(sizeof(*link), IMAGE_TYPE_TSM);
	struct pci_tsm *w;

	if (!link)
		return -ENOMEM;
	link->lists = image_bulk_alloc((size_t)SEV_BUFFERS * PHYS_PAGE, IMAGE_TYPE_SEV_PAGE);
	link->message = image_bulk_alloc(2 * PHYS_PAGE, IMAGE_TYPE_SEV_PAGE);
	w = image_write(pci_tsm_of(pdev));
	w->link_driver = link;
	return link->lists && link->message ? 0 : -ENOMEM;
}

static void link_free(const struct pci_dev *pdev)
{
	const struct sev_link *link = pci_tsm_of(pdev)->link_driver;
	struct pci_tsm *w = image_write(pci_tsm_of(pdev));

	w->link_driver = NULL;
	image_bulk_free(link->lists);
	image_bulk_free(link->message);
	image_free(link);
}

static void link_abandon(const struct pci_dev *pdev)
{
	if (sev_link_of(pdev->tsm)->relay.state != RELAY_IDLE)
		sev_relay_abandon(pdev->tsm);
}

const struct pci_tsm_ops sev_tsm_ops = {
	.name = "sev",
	.link = &steps,
	.tdi = &sev_tdi_steps,
	.requests = &sev_requests,
	.link_alloc = link_alloc,
	.link_free = link_free,
	.tdi_alloc = sev_tdi_alloc,
	.tdi_free = sev_tdi_free,
	.finish = sev_tdi_finish,
	.abandon = link_abandon,
};
