/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Arm CCA driver of the TSM core: the link to a DSM (two PDEVs, a session, a stream). Binding is
 * in cca_tdi.c. Each link is made and unmade by one table of steps.
 */
#include <string.h>

#include "hardware/smmu.h"
#include "kernel/tsm/cca_link.h"
#include "spdm/chain.h"

#define CCA_SMMU 0x2b400000ull		/* registers of the one SMMU */

struct cca_host {			/* one a machine; hung at the TSM core's root */
	uint64_t l1;			/* granule of the Realm stream table */
	uint64_t l2[SMMU_L1_ENTRIES];	/* granules of its second levels */
	bool active;
};

static const struct cca_host *cca_host(void)
{
	return tsm_platform();
}

const struct cca_link *cca_link_of(const struct pci_tsm *tsm)
{
	const struct pci_tsm *dsm = pci_tsm_dsm(tsm);

	return dsm ? dsm->link_driver : NULL;
}

static uint64_t call(enum rmi_command command, uint64_t x1, uint64_t x2)
{
	struct smc_args args = { .x = { 0, x1, x2 } };

	return cca_host_call(LANE_TSM, command, &args);
}

/* -- steps of a link -------------------------------------------------------------------------- */

static int host_make(void)
{
	struct cca_host *w;

	if (cca_host())
		return 0;
	w = image_alloc(sizeof(*w), IMAGE_TYPE_TSM);
	if (!w)
		return -ENOMEM;
	tsm_platform_set(w);
	return 0;
}

static int smmu_make(const struct pci_dev *pdev)
{
	unsigned int index = SMMU_L1_INDEX(pdev->rid) % SMMU_L1_ENTRIES;
	struct smc_args args;
	struct cca_host *w;
	uint64_t result;

	if (host_make() || cca_granule_make(LANE_TSM, &cca_host()->l1) ||
	    cca_granule_make(LANE_TSM, &cca_host()->l2[index]))
		return -ENOMEM;
	if (!cca_host()->active) {
		result = call(RMI_PSMMU_ACTIVATE, CCA_SMMU, cca_host()->l1);
		if (result)
			return cca_host_errno(result);
		w = image_write(cca_host());
		w->active = true;
	}
	args = (struct smc_args){ .x = { 0, CCA_SMMU, pdev->rid, cca_host()->l2[index] } };
	result = cca_host_call(LANE_TSM, RMI_PSMMU_ST_L2_CREATE, &args);
	/* A neighbour on the bus has brought it already. */
	return rmi_status(result) == RMI_ERROR_PSMMU_ST ? 0 : cca_host_errno(result);
}

static int pdev_make(const struct pci_dev *pdev, unsigned int end)
{
	const struct cca_link *link = cca_link_of(pdev->tsm);
	const struct function *fn = function_find(pdev->rid);
	const struct cca_worker *worker = &link->worker[end];
	uint8_t *params = cca_params(link);
	uint16_t rid = end == CCA_EP ? pdev->rid : fn->root_port;
	struct cca_link *w;
	uint64_t result;

	if (cca_granule_make(LANE_TSM, &link->pdev[end]) || cca_worker_make(worker))
		return -ENOMEM;
	w = image_write(link);
	w->worker[end].pdev = w->pdev[end];
	cca_param(params, PDEV_PARAM_FLAGS, end == CCA_EP ? PDEV_FLAG_SPDM : 0);
	cca_param(params, PDEV_PARAM_ID, rid);
	cca_param(params, PDEV_PARAM_ROUTING_ID, rid);
	/* The functions the device has: its own bus, as far as requester ids go. */
	cca_param(params, PDEV_PARAM_RID_BASE, rid);
	cca_param(params, PDEV_PARAM_RID_TOP, end == CCA_EP ? (rid | 0xffu) + 1 : rid + 1u);
	result = call(RMI_PDEV_CREATE, link->pdev[end], phys_of(link->params));
	return result ? cca_host_errno(result) : cca_worker_run(pdev->tsm, worker);
}

static uint64_t pdev_state(const struct cca_link *link, unsigned int end)
{
	struct smc_args args = { .x = { 0, link->pdev[end] } };

	return cca_host_call(LANE_TSM, RMI_PDEV_GET_STATE, &args) ? PDEV_ERROR : args.x[1];
}

static int pdev_unmake(const struct pci_dev *pdev, unsigned int end)
{
	const struct cca_link *link = cca_link_of(pdev->tsm);
	uint64_t granule = link->pdev[end], result = 0;

	if (granule && granule_state(granule) == GRANULE_PDEV) {
		call(RMI_PDEV_ABORT, granule, 0);
		if (pdev_state(link, end) != PDEV_STOPPED && !call(RMI_PDEV_STOP, granule, 0))
			cca_worker_run(pdev->tsm, &link->worker[end]);
		result = call(RMI_PDEV_DESTROY, granule, 0);
	}
	if (result)
		return cca_host_errno(result);
	cca_granule_free(LANE_TSM, granule, PHYS_PAGE);
	((struct cca_link *)image_write(link))->pdev[end] = 0;
	cca_worker_free(&link->worker[end]);
	return 0;
}

static int root_port_make(const struct pci_dev *pdev)
{
	const struct function *fn = function_find(pdev->rid);

	return fn && fn->root_port ? pdev_make(pdev, CCA_RP) : -ENXIO;
}

static int root_port_unmake(const struct pci_dev *pdev)
{
	return pdev_unmake(pdev, CCA_RP);
}

static int endpoint_make(const struct pci_dev *pdev)
{
	return pdev_make(pdev, CCA_EP);
}

static int endpoint_unmake(const struct pci_dev *pdev)
{
	return pdev_unmake(pdev, CCA_EP);
}

/* The chain is the host's to verify; the RMM wants the key it leads to. */
static int key_make(const struct pci_dev *pdev)
{
	const struct cca_link *link = cca_link_of(pdev->tsm);
	const struct cca_object *chain = &link->object[OBJECT_CERTIFICATE];
	uint8_t key[SPDM_KEY_POINT];
	uint8_t *params;
	uint64_t result;
	int len = spdm_chain_key(chain->bytes, chain->len, key);

	if (len < 0)
		return -EACCES;
	params = cca_params(link);
	memcpy(params + PUBKEY_BYTES, key, (size_t)len);
	cca_param(params, PUBKEY_LEN, (uint64_t)len);
	cca_param(params, PUBKEY_ALGORITHM, PUBKEY_ECDSA_P384);
	result = call(RMI_PDEV_SET_PUBKEY, link->pdev[CCA_EP], phys_of(link->params));
	return result ? cca_host_errno(result) : cca_worker_run(pdev->tsm, &link->worker[CCA_EP]);
}

static int stream_settle(const struct cca_link *link)
{
	struct smc_args args = { .x = { 0, link->stream } };
	uint64_t result = cca_host_call(LANE_TSM, RMI_PDEV_STREAM_COMPLETE, &args);

	if (!result && !args.x[1])
		((struct cca_link *)image_write(link))->stream = 0;
	return cca_host_errno(result);
}

int cca_stream_op(const struct pci_tsm *tsm, enum rmi_command command)
{
	const struct cca_link *link = cca_link_of(tsm);
	uint64_t result = call(command, link->stream, 0);
	int rc = result ? cca_host_errno(result) : cca_workers_run(tsm), done;

	done = stream_settle(link);
	return rc ? rc : done;
}

static int stream_make(const struct pci_dev *pdev)
{
	const struct cca_link *link = cca_link_of(pdev->tsm);
	struct smc_args args = { .x = { 0, phys_of(link->params) } };
	uint8_t *params = cca_params(link);
	uint64_t result;
	int rc;

	cca_param(params, STREAM_PARAM_TYPE, STREAM_NCOH);
	cca_param(params, STREAM_PARAM_PDEV_1, link->pdev[CCA_RP]);
	cca_param(params, STREAM_PARAM_PDEV_2, link->pdev[CCA_EP]);
	cca_param(params, STREAM_PARAM_IDE_SID, pci_tsm_of(pdev)->stream);
	result = cca_host_call(LANE_TSM, RMI_PDEV_STREAM_CONNECT, &args);
	if (result)
		return cca_host_errno(result);
	((struct cca_link *)image_write(link))->stream = args.x[1];
	rc = cca_workers_run(pdev->tsm);
	if (!rc)
		rc = pci_ide_enable(pdev, pci_tsm_of(pdev)->stream);
	if (!rc)
		rc = stream_settle(link);
	return rc;
}

/* Both ends agree on the end, or, when they no longer talk, the RMM drops the keys alone. */
static int stream_unmake(const struct pci_dev *pdev)
{
	const struct cca_link *link = cca_link_of(pdev->tsm);

	if (!link->stream)
		return 0;
	if (mutant(MUTANT_FORGET_ABORT))
		return -EBUSY;
	/* one that was aborted half way ends here */
	if (!stream_settle(link) && !link->stream)
		return 0;
	if (cca_stream_op(pdev->tsm, RMI_PDEV_STREAM_DISCONNECT) && link->stream) {
		call(RMI_PDEV_ABORT, link->pdev[CCA_EP], 0);
		call(RMI_PDEV_ABORT, link->pdev[CCA_RP], 0);
		call(RMI_PDEV_STREAM_DISCONNECT, link->stream, 0);
		stream_settle(link);
	}
	return link->stream ? -EBUSY : 0;
}

/* The stream table stays: other links, and what they have bound, rely on it. */
static const struct tsm_step link_steps[] = {
	{ smmu_make, NULL, NULL },
	{ root_port_make, root_port_unmake, NULL },
	{ endpoint_make, endpoint_unmake, NULL },
	{ key_make, NULL, NULL },
	{ tsm_ide_make, tsm_ide_unmake, NULL },
	{ stream_make, stream_unmake, NULL },
};
static const struct tsm_steps steps = TSM_STEPS(link_steps);

/* -- the link's object ------------------------------------------------------------------------ */

static int link_alloc(const struct pci_dev *pdev)
{
	struct cca_link *link = image_alloc(sizeof(*link), IMAGE_TYPE_TSM);
	struct pci_tsm *w;

	if (!link)
		return -ENOMEM;
	link->params = image_bulk_alloc(PHYS_PAGE, IMAGE_TYPE_CCA_PAGE);
	w = image_write(pci_tsm_of(pdev));
	w->link_driver = link;
	if (!link->params || cca_object_make(&link->object[OBJECT_CERTIFICATE]) ||
	    cca_object_make(&link->object[OBJECT_VCA]))
		return -ENOMEM;
	return 0;
}

static void link_free(const struct pci_dev *pdev)
{
	const struct cca_link *link = pci_tsm_of(pdev)->link_driver;
	struct pci_tsm *w = image_write(pci_tsm_of(pdev));

	w->link_driver = NULL;
	for (unsigned int i = 0; i < OBJECTS; i++)
		image_bulk_free(link->object[i].bytes);
	image_bulk_free(link->params);
	image_free(link);
}

static void link_abandon(const struct pci_dev *pdev)
{
	cca_workers_abandon(pdev->tsm, NULL);
}

const struct pci_tsm_ops cca_tsm_ops = {
	.name = "cca",
	.link = &steps,
	.tdi = &cca_tdi_steps,
	.requests = &cca_requests,
	.link_alloc = link_alloc,
	.link_free = link_free,
	.tdi_alloc = cca_tdi_alloc,
	.tdi_free = cca_tdi_free,
	.finish = cca_tdi_finish,
	.abandon = link_abandon,
};
