/* SPDX-License-Identifier: BSD-2-Clause */
/* The Realm stream table of the SMMU: two levels in delegated granules, whose STEs only the RMM writes. */
#include "firmware/cca/internal.h"

static uint64_t smmu_activate(struct smc_args *args)
{
	uint64_t status;
	struct cca_smmu *w;

	if (!granule_aligned(args->x[1]) || rmm()->smmu.active)
		return rmm()->smmu.active ? RMI_ERROR_DEVICE : RMI_ERROR_INPUT;
	status = granule_take(args->x[2], PHYS_PAGE, GRANULE_PSMMU_ST);
	if (status)
		return status;
	w = image_write(&rmm()->smmu);
	*w = (struct cca_smmu){ .active = true, .base = args->x[1], .l1 = args->x[2] };
	smmu_realm_table_set(w->l1);
	return RMI_SUCCESS;
}

static bool smmu_is(uint64_t base)
{
	return rmm()->smmu.active && rmm()->smmu.base == base;
}

static uint64_t smmu_deactivate(struct smc_args *args)
{
	struct cca_smmu *w;

	if (!smmu_is(args->x[1]))
		return RMI_ERROR_INPUT;
	for (unsigned int i = 0; i < SMMU_L1_ENTRIES; i++)
		if (rmm()->smmu.l2[i])
			return RMI_ERROR_PSMMU_ST;
	smmu_realm_table_set(0);
	granule_set(rmm()->smmu.l1, PHYS_PAGE, GRANULE_DELEGATED);
	w = image_write(&rmm()->smmu);
	*w = (struct cca_smmu){ 0 };
	return RMI_SUCCESS;
}

static uint64_t st_l2_create(struct smc_args *args)
{
	unsigned int index = SMMU_L1_INDEX(args->x[2]);
	uint64_t status, entry;
	uint64_t *w;

	if (!smmu_is(args->x[1]) || args->x[2] >= SMMU_SIDS)
		return RMI_ERROR_INPUT;
	if (rmm()->smmu.l2[index])
		return RMI_ERROR_PSMMU_ST;
	status = granule_take(args->x[3], PHYS_PAGE, GRANULE_PSMMU_ST);
	if (status)
		return status;
	w = image_write(&rmm()->smmu.l2[index]);
	*w = args->x[3];
	entry = htole64(smmu_l1_entry(args->x[3]));
	phys_table_write(rmm()->smmu.l1 + 8 * index, &entry, sizeof(entry), GRANULE_PSMMU_ST);
	return RMI_SUCCESS;
}

static uint64_t st_l2_destroy(struct smc_args *args)
{
	unsigned int index = SMMU_L1_INDEX(args->x[2]);
	static const uint64_t none;
	uint64_t l2, *w;

	if (!smmu_is(args->x[1]) || args->x[2] >= SMMU_SIDS || !rmm()->smmu.l2[index])
		return RMI_ERROR_INPUT;
	for (const struct cca_vdev *vdev = rmm()->vdevs; vdev; vdev = vdev->next)
		if (SMMU_L1_INDEX(vdev->rid) == index)
			return RMI_ERROR_PSMMU_ST;
	l2 = rmm()->smmu.l2[index];
	phys_table_write(rmm()->smmu.l1 + 8 * index, &none, sizeof(none), GRANULE_PSMMU_ST);
	w = image_write(&rmm()->smmu.l2[index]);
	*w = 0;
	granule_set(l2, PHYS_PAGE, GRANULE_DELEGATED);
	args->x[1] = l2;
	return RMI_SUCCESS;
}

bool smmu_ready(uint16_t sid)
{
	return sid < SMMU_SIDS && rmm()->smmu.active && rmm()->smmu.l2[SMMU_L1_INDEX(sid)];
}

/* Written, then CFGI_STE: from here on the SMMU goes by it. Stale translations go with a TLBI. */
void smmu_ste_set(uint16_t sid, const struct cca_realm *realm, bool valid)
{
	uint8_t ste[SMMU_STE_SIZE] = { 0 };
	uint64_t l2 = smmu_ready(sid) ? rmm()->smmu.l2[SMMU_L1_INDEX(sid)] : 0;

	if (!l2)
		return;
	if (valid)
		smmu_ste_make(ste, realm->rtt, realm->vmid);
	phys_table_write(l2 + (uint64_t)SMMU_L2_INDEX(sid) * SMMU_STE_SIZE, ste, sizeof(ste),
			 GRANULE_PSMMU_ST);
	TRACE_STATE(LANE_FIRMWARE, "STE", A("rid", sid), A("rd", realm->rd), A("to", valid));
	smmu_cfgi_ste(sid);
	iommu_trusted_flush(sid);
}

const struct rmi_row cca_smmu_rows[] = {
	{ RMI_PSMMU_ACTIVATE, smmu_activate, { "base", "l1" } },
	{ RMI_PSMMU_DEACTIVATE, smmu_deactivate, { "base" } },
	{ RMI_PSMMU_ST_L2_CREATE, st_l2_create, { "base", "sid", "l2" } },
	{ RMI_PSMMU_ST_L2_DESTROY, st_l2_destroy, { "base", "sid" } },
	{ 0 }
};
