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

/* -- steps of a link ----------------------------------------------------------------------------
 * make: 0 or -errno. unmake: holds also when make did not happen, or happened half way; refused
 * while a function of the DSM is still stuck on the link.
 */
static int host_make(const struct pci_tsm *tsm, const struct sev_link *link)
{
	enum sev_status status;

	(void)tsm, (void)link;
	return sev_host_init(LANE_TSM, &status);
}

static int host_unmake(const struct pci_tsm *tsm, const struct sev_link *link)
{
	/* SNP and TIO stay on: other links and guests rely on them. */
	(void)tsm, (void)link;
	return 0;
}

static int buffers_make(const struct pci_tsm *tsm, const struct sev_link *link)
{
	int rc = sev_buffer_grow(link, SEV_REQUEST, SEV_MESSAGE_SIZE);

	(void)tsm;
	if (!rc)
		rc = sev_buffer_grow(link, SEV_RESPONSE, SEV_MESSAGE_SIZE);
	if (!rc)
		rc = sev_buffer_grow(link, SEV_SCRATCH, FIRST_SCRATCH);
	return rc ? rc : sev_buffer_grow(link, SEV_OUTPUT, FIRST_SCRATCH);
}

static int buffers_unmake(const struct pci_tsm *tsm, const struct sev_link *link)
{
	(void)tsm;
	sev_buffers_free(link);
	return 0;
}

static int device_make(const struct pci_tsm *tsm, const struct sev_link *link)
{
	const struct function *fn = function_find(tsm->pdev->rid);
	struct sev_link *w = image_write(link);
	struct sev_command args;

	w->dev_ctx = sev_firmware_page(LANE_TSM);
	if (!fn || !w->dev_ctx)
		return fn ? -ENOMEM : -ENXIO;
	args = (struct sev_command){ .dev_ctx = w->dev_ctx, .rid = tsm->pdev->rid,
				     .root_port = fn->root_port };
	return sev_host_errno(sev_host_command(LANE_TSM, SEV_CMD_TIO_DEV_CREATE, &args));
}

static int device_unmake(const struct pci_tsm *tsm, const struct sev_link *link)
{
	const struct sev_command args = { .dev_ctx = link->dev_ctx };
	enum sev_status status;
	struct sev_link *w;

	(void)tsm;
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

static int ide_make(const struct pci_tsm *tsm, const struct sev_link *link)
{
	int id = pci_ide_stream_alloc(tsm->pdev);
	struct sev_link *w;

	if (id < 0)
		return id;
	w = image_write(link);
	w->stream = (uint8_t)id;
	w->stream_taken = true;
	return pci_ide_setup(tsm->pdev, (uint8_t)id);
}

static int ide_unmake(const struct pci_tsm *tsm, const struct sev_link *link)
{
	struct sev_link *w;

	if (!link->stream_taken)
		return 0;
	pci_ide_disable(tsm->pdev, link->stream);
	pci_ide_stream_free(tsm->pdev, link->stream);
	w = image_write(link);
	w->stream_taken = false;
	return 0;
}

static int connect_make(const struct pci_tsm *tsm, const struct sev_link *link)
{
	const struct sev_command args = { .dev_ctx = link->dev_ctx, .tc_mask = TC0,
					  .streams = { link->stream } };

	return sev_host_errno(sev_relay_run(tsm, SEV_CMD_TIO_DEV_CONNECT, &args));
}

static int connect_unmake(const struct pci_tsm *tsm, const struct sev_link *link)
{
	struct sev_command args = { .dev_ctx = link->dev_ctx };
	enum sev_status status = SEV_SPDM_ERROR;

	if (!link->dev_ctx)
		return 0;
	if (mutant(MUTANT_DEV_RECLAIM_EARLY))
		sev_host_command(LANE_TSM, SEV_CMD_TIO_DEV_RECLAIM, &args);
	if (!link->session_lost && !link->stuck)
		status = sev_relay_run(tsm, SEV_CMD_TIO_DEV_DISCONNECT, &args);
	if (!status || status == SEV_TDI_BOUND || status == SEV_INVALID_ADDRESS)
		return status == SEV_TDI_BOUND ? -EBUSY : 0;
	args.flags = SEV_FORCE;
	status = sev_relay_run(tsm, SEV_CMD_TIO_DEV_DISCONNECT, &args);
	return status == SEV_INVALID_ADDRESS ? 0 : sev_host_errno(status);
}

static int enable_make(const struct pci_tsm *tsm, const struct sev_link *link)
{
	return pci_ide_enable(tsm->pdev, link->stream);
}

static int enable_unmake(const struct pci_tsm *tsm, const struct sev_link *link)
{
	(void)tsm, (void)link;
	/* ide_unmake() disables: the session still goes over the ports as they are */
	return 0;
}

static const struct {
	int (*make)(const struct pci_tsm *tsm, const struct sev_link *link);
	int (*unmake)(const struct pci_tsm *tsm, const struct sev_link *link);
} link_steps[] = {
	{ host_make, host_unmake },	{ buffers_make, buffers_unmake },
	{ device_make, device_unmake }, { ide_make, ide_unmake },
	{ connect_make, connect_unmake }, { enable_make, enable_unmake },
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
	struct sev_link *link = image_alloc(sizeof(*link), IMAGE_TYPE_TSM);
	struct pci_tsm *w;

	if (!link)
		return -ENOMEM;
	link->lists = image_bulk_alloc((size_t)SEV_BUFFERS * PHYS_PAGE, IMAGE_TYPE_SEV_PAGE);
	link->message = image_bulk_alloc(2 * PHYS_PAGE, IMAGE_TYPE_SEV_PAGE);
	w = image_write(tsm);
	w->link_driver = link;		/* disconnect frees what there is */
	return link->lists && link->message ? 0 : -ENOMEM;
}

static void link_free(const struct pci_tsm *tsm)
{
	const struct sev_link *link = tsm->link_driver;
	struct pci_tsm *w;

	if (!link)
		return;
	image_bulk_free(link->lists);
	image_bulk_free(link->message);
	w = image_write(tsm);
	w->link_driver = NULL;
	image_free(link);
}

/* -- driver ----------------------------------------------------------------------------------- */

static int sev_probe(const struct pci_dev *pdev)
{
	const struct function *fn = function_find(pdev->rid);

	return fn && fn->model ? 0 : -ENXIO;
}

static void sev_remove(const struct pci_dev *pdev)
{
	(void)pdev;
}

static int sev_connect(const struct pci_dev *pdev)
{
	const struct pci_tsm *tsm = pdev->tsm;
	int rc = link_alloc(tsm);

	for (unsigned int i = 0; !rc && i < sizeof(link_steps) / sizeof(link_steps[0]); i++) {
		link_phase(tsm, i + 1);
		rc = link_steps[i].make(tsm, tsm->link_driver);
	}
	return rc;
}

static void sev_disconnect(const struct pci_dev *pdev)
{
	const struct pci_tsm *tsm = pdev->tsm;
	const struct sev_link *link = tsm->link_driver;

	if (link && link->relay.state != SEV_RELAY_IDLE)
		sev_relay_abandon(tsm);
	while (tsm->link_phase) {
		if (link_steps[tsm->link_phase - 1].unmake(tsm, tsm->link_driver))
			return;
		link_phase(tsm, tsm->link_phase - 1u);
	}
	link_free(tsm);
}

static void sev_reset(const struct pci_dev *pdev)
{
	const struct sev_link *link = pci_tsm_of(pdev)->link_driver;
	struct sev_link *w;

	if (!link)
		return;
	w = image_write(link);
	w->session_lost = true;
	w->was_reset = true;
}

const struct pci_tsm_ops sev_tsm_ops = {
	.name = "sev",
	.probe = sev_probe,
	.remove = sev_remove,
	.connect = sev_connect,
	.disconnect = sev_disconnect,
	.reset = sev_reset,
	.bind = sev_tdi_bind,
	.unbind = sev_tdi_unbind,
	.guest_req = sev_guest_req,
};
