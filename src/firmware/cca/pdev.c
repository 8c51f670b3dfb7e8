/* SPDX-License-Identifier: BSD-2-Clause */
/* Physical devices: root ports, which need no conversation, and endpoints with a DSM. */
#include "firmware/cca/internal.h"

const struct cca_pdev *pdev_of(uint64_t granule)
{
	const struct cca_pdev *pdev = rmm()->pdevs;

	while (pdev && pdev->granule != granule)
		pdev = pdev->next;
	return pdev;
}

void pdev_state_set(const struct cca_pdev *pdev, enum pdev_state state)
{
	if (pdev->state == state)
		return;
	TRACE_STATE(LANE_FIRMWARE, "PDEV", A("pdev", pdev->granule), A("rid", pdev->rid),
		    A("from", pdev->state), A("to", state));
	pdev_write(pdev)->state = (uint8_t)state;
}

/* Nobody can stop the TDIs any more: the streams die, and with them every T=1 access. */
void pdev_session_lost(const struct cca_pdev *pdev)
{
	spdm_requester_init(pdev_requester_write(pdev), NULL, 0);
	if (pdev->state != PDEV_STOPPED)
		pdev_state_set(pdev, PDEV_ERROR);
	for (const struct cca_stream *stream = rmm()->streams; stream; stream = stream->next)
		if (stream->ep == pdev)
			stream_keys_drop(stream);
	for (const struct cca_vdev *vdev = rmm()->vdevs; vdev; vdev = vdev->next)
		if (vdev->pdev == pdev && vdev->state != VDEV_NEW && vdev->state != VDEV_UNLOCKED)
			vdev_state_set(vdev, VDEV_ERROR);
}

/* -- life ------------------------------------------------------------------------------------------- */

static bool pdev_memory(struct cca_pdev *pdev)
{
	struct spdm_requester *requester = image_alloc(spdm_requester_size(), IMAGE_TYPE_SPDM);
	struct spdm_wire *out = requester ? image_alloc(sizeof(*out), IMAGE_TYPE_SPDM) : NULL;

	if (!out) {
		image_free(requester);
		return false;
	}
	spdm_requester_init(requester, NULL, 0);
	pdev->requester = requester;
	pdev->out = out;
	return true;
}

static void pdev_free(const struct cca_pdev *pdev)
{
	image_free(pdev->requester);
	image_free(pdev->out);
	image_free(pdev);
}

static uint64_t params_read(const uint8_t *params, struct cca_pdev *pdev)
{
	uint64_t routing = page_u64(params, PDEV_PARAM_ROUTING_ID);
	uint64_t base = page_u64(params, PDEV_PARAM_RID_BASE);
	uint64_t top = page_u64(params, PDEV_PARAM_RID_TOP);

	if (routing > UINT16_MAX || base > UINT16_MAX || top > UINT16_MAX + 1u || base >= top ||
	    !function_find((uint16_t)routing))
		return RMI_ERROR_INPUT;
	for (const struct cca_pdev *other = rmm()->pdevs; other; other = other->next)
		if (other->rid == routing)
			return RMI_ERROR_DEVICE;
	pdev->rid = (uint16_t)routing;
	pdev->rid_base = (uint16_t)base;
	pdev->rid_top = (uint32_t)top;
	pdev->spdm = page_u64(params, PDEV_PARAM_FLAGS) & PDEV_FLAG_SPDM;
	return RMI_SUCCESS;
}

static uint64_t pdev_create(struct smc_args *args)
{
	uint8_t params[PHYS_PAGE];
	struct cca_pdev *pdev;
	uint64_t status;

	if (!host_page_read(args->x[2], params))
		return RMI_ERROR_INPUT;
	pdev = cca_alloc(sizeof(*pdev));
	if (!pdev)
		return CCA_NO_MEMORY;
	status = pdev_memory(pdev) ? params_read(params, pdev) : CCA_NO_MEMORY;
	if (!status)
		status = granule_take(args->x[1], PHYS_PAGE, GRANULE_PDEV);
	if (status) {
		pdev_free(pdev);
		return status;
	}
	pdev->granule = args->x[1];
	pdev->next = rmm()->pdevs;
	rmm_write()->pdevs = pdev;
	return comm_begin(&pdev->comm, OP_IDENTIFY);
}

static uint64_t pdev_destroy(struct smc_args *args)
{
	const struct cca_pdev *pdev = pdev_of(args->x[1]);
	const struct cca_pdev *const *link = &rmm()->pdevs;

	if (!pdev)
		return RMI_ERROR_INPUT;
	if (pdev->state != PDEV_STOPPED || pdev->vdevs || pdev->streams)
		return RMI_ERROR_DEVICE;
	while (*link != pdev)
		link = &(*link)->next;
	link_set(link, pdev->next);
	granule_set(pdev->granule, PHYS_PAGE, GRANULE_DELEGATED);
	pdev_free(pdev);
	return RMI_SUCCESS;
}

/* What still stands on the device has to go first. */
static uint64_t pdev_stop(struct smc_args *args)
{
	const struct cca_pdev *pdev = pdev_of(args->x[1]);

	if (!pdev)
		return RMI_ERROR_INPUT;
	if (((pdev->vdevs || pdev->streams) && !mutant(MUTANT_PDEV_BEFORE_VDEV)) ||
	    pdev->state == PDEV_STOPPING || pdev->state == PDEV_STOPPED)
		return RMI_ERROR_DEVICE;
	if (pdev->comm.state != COMM_IDLE)
		return RMI_ERROR_DEVICE;
	pdev_state_set(pdev, PDEV_STOPPING);
	return comm_begin(&pdev->comm, OP_STOP_PDEV);
}

static uint64_t set_pubkey(struct smc_args *args)
{
	const struct cca_pdev *pdev = pdev_of(args->x[1]);
	uint8_t params[PHYS_PAGE];
	uint64_t len;

	if (!pdev || !host_page_read(args->x[2], params))
		return RMI_ERROR_INPUT;
	if (pdev->state != PDEV_NEEDS_KEY)
		return RMI_ERROR_DEVICE;
	len = page_u64(params, PUBKEY_LEN);
	if (page_u64(params, PUBKEY_ALGORITHM) != PUBKEY_ECDSA_P384 || len != SPDM_DHE)
		return RMI_ERROR_INPUT;
	if (spdm_requester_peer_key(pdev_requester_write(pdev), params + PUBKEY_BYTES, len))
		return RMI_ERROR_INPUT;
	if (spdm_requester_digest(params + PUBKEY_BYTES, len, pdev_write(pdev)->pubkey_digest))
		return CCA_NO_MEMORY;
	pdev_state_set(pdev, PDEV_HAS_KEY);
	return comm_begin(&pdev->comm, OP_SESSION);
}

static uint64_t pdev_get_state(struct smc_args *args)
{
	const struct cca_pdev *pdev = pdev_of(args->x[1]);

	if (!pdev)
		return RMI_ERROR_INPUT;
	args->x[1] = pdev->state;
	return RMI_SUCCESS;
}

static uint64_t pdev_abort(struct smc_args *args)
{
	const struct cca_pdev *pdev = pdev_of(args->x[1]);

	if (!pdev)
		return RMI_ERROR_INPUT;
	comm_abort(pdev, NULL);
	return RMI_SUCCESS;
}

/* -- conversation ------------------------------------------------------------------------------------ */

static enum talk_end identify_step(struct talk *talk)
{
	const struct cca_pdev *pdev = talk->pdev;
	const uint8_t *chain;
	size_t len;

	if (!pdev->spdm) {
		pdev_state_set(pdev, PDEV_READY);
		return TALK_DONE;
	}
	if (!talk->step)
		return talk_spdm(talk, 1, SPDM_OP_IDENTIFY);
	chain = spdm_requester_chain(pdev->requester, &len);
	if (spdm_requester_digest(chain, len, pdev_write(pdev)->digest[OBJECT_CERTIFICATE]))
		return TALK_FAILED;
	pdev_state_set(pdev, PDEV_NEEDS_KEY);
	return TALK_DONE;
}

static enum talk_end session_step(struct talk *talk)
{
	if (!talk->step)
		return talk_spdm(talk, 1, SPDM_OP_SESSION);
	TRACE_STATE(LANE_FIRMWARE, "SPDM session", A("pdev", talk->pdev->granule), A("from", 0),
		    A("to", spdm_requester_session_id(talk->pdev->requester)));
	pdev_state_set(talk->pdev, PDEV_READY);
	return TALK_DONE;
}

/* Without a session there is nothing to say. */
static enum talk_end stop_step(struct talk *talk)
{
	if (!talk->step && spdm_requester_session(talk->pdev->requester))
		return talk_spdm(talk, 1, SPDM_OP_END);
	pdev_state_set(talk->pdev, PDEV_STOPPED);
	return TALK_DONE;
}

enum talk_end pdev_step(struct talk *talk)
{
	switch (talk->comm->op) {
	case OP_IDENTIFY: return identify_step(talk);
	case OP_SESSION: return session_step(talk);
	case OP_STOP_PDEV: return stop_step(talk);
	default: return TALK_FAILED;
	}
}

static uint64_t pdev_communicate(struct smc_args *args)
{
	const struct cca_pdev *pdev = pdev_of(args->x[1]);

	return pdev ? comm_run(pdev, NULL, args->x[2]) : RMI_ERROR_INPUT;
}

const struct rmi_row cca_pdev_rows[] = {
	{ RMI_PDEV_CREATE, pdev_create, { "pdev" } },
	{ RMI_PDEV_DESTROY, pdev_destroy, { "pdev" } },
	{ RMI_PDEV_STOP, pdev_stop, { "pdev" } },
	{ RMI_PDEV_SET_PUBKEY, set_pubkey, { "pdev" } },
	{ RMI_PDEV_GET_STATE, pdev_get_state, { "pdev" } },
	{ RMI_PDEV_ABORT, pdev_abort, { "pdev" } },
	{ RMI_PDEV_COMMUNICATE, pdev_communicate, { "pdev" } },
	{ 0 }
};
