/* SPDX-License-Identifier: BSD-2-Clause */
/* Virtual devices: a TDI assigned to a Realm. */
#include "firmware/cca/internal.h"

const struct cca_vdev *vdev_of(uint64_t granule)
{
	const struct cca_vdev *vdev = rmm()->vdevs;

	while (vdev && vdev->granule != granule)
		vdev = vdev->next;
	return vdev;
}

const struct cca_vdev *vdev_of_realm(const struct cca_realm *realm, uint64_t vdev_id)
{
	const struct cca_vdev *vdev = rmm()->vdevs;

	while (vdev && (vdev->realm != realm || vdev->vdev_id != vdev_id))
		vdev = vdev->next;
	return vdev;
}

bool vdev_has_range(const struct cca_vdev *vdev, uint64_t base, uint64_t len)
{
	for (uint32_t i = 0; i < vdev->range_count; i++)
		if (base >= vdev->ranges[i].base && base + len <= vdev->ranges[i].top)
			return true;
	return false;
}

const struct cca_vdev *vdev_at(uint64_t hpa)
{
	const struct cca_vdev *vdev = rmm()->vdevs;

	while (vdev && !vdev_has_range(vdev, hpa, PHYS_PAGE))
		vdev = vdev->next;
	return vdev;
}

void vdev_dma_set(const struct cca_vdev *vdev, bool on)
{
	if (vdev->dma == on)
		return;
	vdev_write(vdev)->dma = on;
	smmu_ste_set(vdev->rid, vdev->realm, on);
}

/* What was attested holds for one lock. */
void vdev_state_set(const struct cca_vdev *vdev, enum vdev_state state)
{
	struct cca_vdev *w = vdev_write(vdev);

	if (vdev->state == state)
		return;
	TRACE_STATE(LANE_FIRMWARE, "VDEV", A("vdev", vdev->granule), A("rid", vdev->rid),
		    A("from", vdev->state), A("to", state), A("lock", vdev->lock_nonce));
	w->state = (uint8_t)state;
	if (state != VDEV_LOCKED)
		memset(w->nonce, 0, sizeof(w->nonce));
	if (state == VDEV_ERROR && !mutant(MUTANT_STE_OUTLIVES))
		vdev_dma_set(vdev, false);
}

/* -- life ---------------------------------------------------------------------------------------------- */

static bool ranges_read(const uint8_t *params, struct cca_vdev *vdev)
{
	uint64_t count = page_u64(params, VDEV_PARAM_RANGES);

	if (count > VDEV_RANGES)
		return false;
	for (unsigned int i = 0; i < count; i++) {
		uint64_t base = page_u64(params, VDEV_PARAM_RANGE + 16 * i);
		uint64_t top = page_u64(params, VDEV_PARAM_RANGE + 16 * i + 8);

		if (!granule_aligned(base) || !granule_aligned(top) || base >= top ||
		    !phys_is_mmio(base) || !phys_is_mmio(top - 1))
			return false;
		vdev->ranges[i] = (struct cca_range){ base, top };
	}
	vdev->range_count = (uint32_t)count;
	return true;
}

/* C7: no page is two VDEVs'. */
static bool ranges_taken(const struct cca_vdev *vdev)
{
	if (mutant(MUTANT_RANGES_OVERLAP))
		return false;
	for (const struct cca_vdev *other = rmm()->vdevs; other; other = other->next)
		for (uint32_t i = 0; i < other->range_count; i++)
			for (uint32_t j = 0; j < vdev->range_count; j++)
				if (vdev->ranges[j].base < other->ranges[i].top &&
				    other->ranges[i].base < vdev->ranges[j].top)
					return true;
	return false;
}

static uint64_t params_check(const uint8_t *params, struct cca_vdev *vdev)
{
	uint64_t tdi = page_u64(params, VDEV_PARAM_TDI_ID), sid = page_u64(params, VDEV_PARAM_SID);

	if (tdi < vdev->pdev->rid_base || tdi >= vdev->pdev->rid_top || sid != tdi ||
	    !ranges_read(params, vdev) || !smmu_ready((uint16_t)tdi))
		return RMI_ERROR_INPUT;
	vdev->rid = (uint16_t)tdi;
	vdev->vdev_id = page_u64(params, VDEV_PARAM_VDEV_ID);
	for (const struct cca_vdev *other = rmm()->vdevs; other; other = other->next)
		if (other->rid == tdi ||
		    (other->realm == vdev->realm && other->vdev_id == vdev->vdev_id))
			return RMI_ERROR_DEVICE;
	return ranges_taken(vdev) ? RMI_ERROR_DEVICE : RMI_SUCCESS;
}

static uint64_t vdev_create(struct smc_args *args)
{
	const struct cca_realm *realm = realm_of(args->x[1]);
	const struct cca_pdev *pdev = pdev_of(args->x[2]);
	uint8_t params[PHYS_PAGE];
	struct cca_vdev *vdev;
	uint64_t status;

	if (!realm || !pdev || !host_page_read(args->x[4], params))
		return RMI_ERROR_INPUT;
	if (pdev->state != PDEV_READY || !stream_of_pdev(pdev))
		return RMI_ERROR_DEVICE;
	vdev = cca_alloc(sizeof(*vdev));
	if (!vdev)
		return CCA_NO_MEMORY;
	vdev->realm = realm;
	vdev->pdev = pdev;
	status = params_check(params, vdev);
	if (!status)
		status = granule_take(args->x[3], PHYS_PAGE, GRANULE_VDEV);
	if (status) {
		image_free(vdev);
		return status;
	}
	vdev->granule = args->x[3];
	vdev->next = rmm()->vdevs;
	rmm_write()->vdevs = vdev;
	realm_write(realm)->vdevs++;
	pdev_write(pdev)->vdevs++;
	return comm_begin(&vdev->comm, OP_INIT);
}

/* The VDEV that x1..x3 name together, or NULL. */
static const struct cca_vdev *operand(const struct smc_args *args)
{
	const struct cca_vdev *vdev = vdev_of(args->x[3]);

	return vdev && vdev->realm->rd == args->x[1] && vdev->pdev->granule == args->x[2] ? vdev :
											    NULL;
}

static uint64_t vdev_destroy(struct smc_args *args)
{
	const struct cca_vdev *vdev = operand(args);
	const struct cca_vdev *const *link = &rmm()->vdevs;

	if (!vdev)
		return RMI_ERROR_INPUT;
	if ((vdev->state != VDEV_NEW && vdev->state != VDEV_UNLOCKED &&
	     !mutant(MUTANT_UNBIND_WITHOUT_STOP) && !mutant(MUTANT_BIND_ERROR_FORGETS)) ||
	    vdev->dma || (vdev->comm.state != COMM_IDLE && vdev->state != VDEV_NEW))
		return RMI_ERROR_DEVICE;
	while (*link != vdev)
		link = &(*link)->next;
	link_set(link, vdev->next);
	if (vdev->pdev->talking == &vdev->comm)
		pdev_write(vdev->pdev)->talking = NULL;
	realm_write(vdev->realm)->vdevs--;
	pdev_write(vdev->pdev)->vdevs--;
	granule_set(vdev->granule, PHYS_PAGE, GRANULE_DELEGATED);
	image_free(vdev);
	return RMI_SUCCESS;
}

/* -- operations ------------------------------------------------------------------------------------------ */

static uint64_t begin(const struct cca_vdev *vdev, uint32_t states, enum comm_op op)
{
	if (!vdev)
		return RMI_ERROR_INPUT;
	if (!(states >> vdev->state & 1))
		return RMI_ERROR_DEVICE;
	return comm_begin(&vdev->comm, op);
}

#define IN(state) (1u << VDEV_##state)

static uint64_t vdev_lock(struct smc_args *args)
{
	return begin(operand(args), IN(UNLOCKED), OP_LOCK);
}

static uint64_t vdev_start(struct smc_args *args)
{
	return begin(operand(args), IN(LOCKED), OP_START);
}

static uint64_t vdev_measurements(struct smc_args *args)
{
	return begin(operand(args), IN(UNLOCKED) | IN(LOCKED) | IN(STARTED), OP_MEASURE);
}

static uint64_t vdev_report(struct smc_args *args)
{
	return begin(operand(args), IN(LOCKED) | IN(STARTED), OP_REPORT);
}

/* The first granule of the VDEV's ranges that is in an RTT; 0: none. */
static uint64_t mapped_granule(const struct cca_vdev *vdev)
{
	for (uint32_t i = 0; vdev->mapped && i < vdev->range_count; i++)
		for (uint64_t at = vdev->ranges[i].base; at < vdev->ranges[i].top; at += PHYS_PAGE)
			if (granule_state(at) == GRANULE_DEV)
				return at;
	return 0;
}

static uint64_t vdev_unlock(struct smc_args *args)
{
	const struct cca_vdev *vdev = operand(args);
	uint64_t granule, status;

	if (!vdev)
		return RMI_ERROR_INPUT;
	if (!((IN(LOCKED) | IN(STARTED) | IN(ERROR)) >> vdev->state & 1))
		return RMI_ERROR_DEVICE;
	granule = mutant(MUTANT_UNLOCK_MAPPED) ? 0 : mapped_granule(vdev);
	if (granule) {
		args->x[1] = granule;
		return RMI_ERROR_GRANULE;
	}
	status = comm_begin(&vdev->comm, OP_UNLOCK);
	if (status)
		return status;
	if (!mutant(MUTANT_STE_OUTLIVES))
		vdev_dma_set(vdev, false);
	/* Without a session nobody can be told, and the dead stream lets nothing pass. */
	if (vdev->pdev->state != PDEV_READY) {
		comm_end(&vdev->comm, COMM_IDLE);
		vdev_state_set(vdev, VDEV_UNLOCKED);
	}
	return RMI_SUCCESS;
}

static uint64_t vdev_get_state(struct smc_args *args)
{
	const struct cca_vdev *vdev = operand(args);

	if (!vdev)
		return RMI_ERROR_INPUT;
	args->x[1] = vdev->state;
	return RMI_SUCCESS;
}

static uint64_t vdev_communicate(struct smc_args *args)
{
	const struct cca_vdev *vdev = operand(args);

	return vdev ? comm_run(vdev->pdev, vdev, args->x[4]) : RMI_ERROR_INPUT;
}

static uint64_t vdev_abort(struct smc_args *args)
{
	const struct cca_vdev *vdev = vdev_of(args->x[1]);

	if (!vdev)
		return RMI_ERROR_INPUT;
	comm_abort(vdev->pdev, vdev);
	return RMI_SUCCESS;
}

const struct rmi_row cca_vdev_rows[] = {
	{ RMI_VDEV_CREATE, vdev_create, { "rd", "pdev", "vdev" } },
	{ RMI_VDEV_DESTROY, vdev_destroy, { "rd", NULL, "vdev" } },
	{ RMI_VDEV_LOCK, vdev_lock, { NULL, NULL, "vdev" } },
	{ RMI_VDEV_START, vdev_start, { NULL, NULL, "vdev" } },
	{ RMI_VDEV_GET_MEASUREMENTS, vdev_measurements, { NULL, NULL, "vdev" } },
	{ RMI_VDEV_GET_INTERFACE_REPORT, vdev_report, { NULL, NULL, "vdev" } },
	{ RMI_VDEV_UNLOCK, vdev_unlock, { NULL, NULL, "vdev" } },
	{ RMI_VDEV_GET_STATE, vdev_get_state, { NULL, NULL, "vdev" } },
	{ RMI_VDEV_COMMUNICATE, vdev_communicate, { NULL, NULL, "vdev" } },
	{ RMI_VDEV_ABORT, vdev_abort, { "vdev" } },
	{ 0 }
};
