/* SPDX-License-Identifier: BSD-2-Clause */
/* Realms and their vCPUs. */
#include "firmware/cca/internal.h"

const struct cca_realm *realm_of(uint64_t rd)
{
	const struct cca_realm *realm = rmm()->realms;

	while (realm && realm->rd != rd)
		realm = realm->next;
	return realm;
}

const struct cca_rec *rec_of(uint64_t granule)
{
	for (const struct cca_realm *realm = rmm()->realms; realm; realm = realm->next)
		for (const struct cca_rec *rec = realm->recs; rec; rec = rec->next)
			if (rec->granule == granule)
				return rec;
	return NULL;
}

void realm_invalidate(const struct cca_realm *realm)
{
	for (const struct cca_vdev *vdev = rmm()->vdevs; vdev; vdev = vdev->next)
		if (vdev->realm == realm && vdev->dma)
			iommu_trusted_flush(vdev->rid);
}

/* Where a Realm's memory at an IPA is, in one granule. */
static uint64_t realm_hpa(const struct cca_realm *realm, uint64_t ipa, size_t len)
{
	struct pt_leaf leaf;
	uint32_t owner = GRANULE_DATA;

	if (ipa >= CCA_UNPROTECTED || ipa % PHYS_PAGE + len > PHYS_PAGE ||
	    cca_trusted_walk(realm->rtt, ipa, &leaf, &owner) || owner != GRANULE_DATA)
		return 0;
	return leaf.hpa + (ipa - leaf.address);
}

bool realm_read(const struct cca_realm *realm, uint64_t ipa, void *to, size_t len)
{
	uint64_t hpa = realm_hpa(realm, ipa, len);

	return hpa && !phys_read(hpa, to, len, GRANULE_DATA);
}

bool realm_store(const struct cca_realm *realm, uint64_t ipa, const void *from, size_t len)
{
	uint64_t hpa = realm_hpa(realm, ipa, len);

	return hpa && !phys_write(hpa, from, len, GRANULE_DATA);
}

/* -- life --------------------------------------------------------------------------------------- */

static uint64_t realm_create(struct smc_args *args)
{
	uint8_t params[PHYS_PAGE];
	struct cca_realm *realm;
	uint64_t status, rtt;

	if (!host_page_read(args->x[2], params))
		return RMI_ERROR_INPUT;
	rtt = page_u64(params, REALM_PARAM_RTT_BASE);
	realm = cca_alloc(sizeof(*realm));
	if (!realm)
		return CCA_NO_MEMORY;
	status = rtt == args->x[1] ? RMI_ERROR_INPUT : granule_take(args->x[1], PHYS_PAGE, GRANULE_RD);
	if (!status) {
		status = granule_take(rtt, PHYS_PAGE, GRANULE_RTT);
		if (status)
			granule_set(args->x[1], PHYS_PAGE, GRANULE_DELEGATED);
	}
	if (status) {
		image_free(realm);
		return status;
	}
	realm->rd = args->x[1];
	realm->rtt = rtt;
	realm->vmid = rmm_write()->next_vmid++;
	realm->next = rmm()->realms;
	rmm_write()->realms = realm;
	return RMI_SUCCESS;
}

static uint64_t realm_activate(struct smc_args *args)
{
	const struct cca_realm *realm = realm_of(args->x[1]);

	if (!realm)
		return RMI_ERROR_INPUT;
	if (realm->state != REALM_NEW)
		return RMI_ERROR_REALM;
	realm_write(realm)->state = REALM_ACTIVE;
	return RMI_SUCCESS;
}

static uint64_t realm_destroy(struct smc_args *args)
{
	const struct cca_realm *realm = realm_of(args->x[1]);
	const struct cca_realm *const *link = &rmm()->realms;

	if (!realm)
		return RMI_ERROR_INPUT;
	if (realm->vdevs && mutant(MUTANT_REALM_BEFORE_VDEV))
		return RMI_SUCCESS;
	if (realm->recs || realm->vdevs || !rtt_empty(realm))
		return RMI_ERROR_REALM;
	while (*link != realm)
		link = &(*link)->next;
	link_set(link, realm->next);
	granule_set(realm->rtt, PHYS_PAGE, GRANULE_DELEGATED);
	granule_set(realm->rd, PHYS_PAGE, GRANULE_DELEGATED);
	image_free(realm);
	return RMI_SUCCESS;
}

/* -- RECs --------------------------------------------------------------------------------------- */

static uint64_t rec_create(struct smc_args *args)
{
	const struct cca_realm *realm = realm_of(args->x[1]);
	struct cca_rec *rec;
	uint64_t status;

	if (!realm)
		return RMI_ERROR_INPUT;
	if (realm->state != REALM_NEW)
		return RMI_ERROR_REALM;
	rec = cca_alloc(sizeof(*rec));
	if (!rec)
		return CCA_NO_MEMORY;
	status = granule_take(args->x[2], PHYS_PAGE, GRANULE_REC);
	if (status) {
		image_free(rec);
		return status;
	}
	rec->granule = args->x[2];
	rec->realm = realm;
	rec->next = realm->recs;
	realm_write(realm)->recs = rec;
	return RMI_SUCCESS;
}

static uint64_t rec_destroy(struct smc_args *args)
{
	const struct cca_rec *rec = rec_of(args->x[1]);
	const struct cca_rec *const *link;

	if (!rec)
		return RMI_ERROR_INPUT;
	link = &rec->realm->recs;
	while (*link != rec)
		link = &(*link)->next;
	link_set(link, rec->next);
	granule_set(rec->granule, PHYS_PAGE, GRANULE_DELEGATED);
	image_free(rec);
	return RMI_SUCCESS;
}

/* The host's answer to what the REC asked: what it did not do, it rejects. */
static void pending_answer(const struct cca_rec *rec, const uint8_t *run)
{
	struct rec_pending *w = image_write(&rec->pending);
	uint64_t flags = page_u64(run, REC_ENTER_FLAGS);

	if (!w->command || w->answered)
		return;
	w->answered = true;
	if (w->command == RSI_IPA_STATE_SET)
		w->rejected = flags & REC_ENTER_RIPAS_REJECT;
	else if (w->command == RSI_VDEV_VALIDATE_MAPPING)
		w->rejected = flags & REC_ENTER_DEV_MEM_REJECT;
	/* Neither done nor rejected: the Realm asks again. */
	if (w->command != RSI_HOST_CALL && !w->rejected && w->at == w->base)
		w->answered = false;
	if (w->rejected && mutant(MUTANT_REJECT_VALIDATES))
		ripas_reject_taken_for_consent(rec);
	for (unsigned int i = 0; i < REC_GPRS; i++)
		w->gprs[i] = page_u64(run, REC_ENTER_GPRS + 8 * i);
}

static uint64_t rec_enter(struct smc_args *args)
{
	const struct cca_rec *rec = rec_of(args->x[1]);
	uint8_t run[PHYS_PAGE];

	if (!rec || !host_page_read(args->x[2], run))
		return RMI_ERROR_INPUT;
	if (rec->realm->state != REALM_ACTIVE)
		return RMI_ERROR_REALM;
	pending_answer(rec, run);
	rec_write(rec)->entered = true;
	return RMI_SUCCESS;
}

const struct rmi_row cca_realm_rows[] = {
	{ RMI_REALM_CREATE, realm_create, { "rd" } },
	{ RMI_REALM_ACTIVATE, realm_activate, { "rd" } },
	{ RMI_REALM_DESTROY, realm_destroy, { "rd" } },
	{ RMI_REC_CREATE, rec_create, { "rd", "rec" } },
	{ RMI_REC_DESTROY, rec_destroy, { "rec" } },
	{ RMI_REC_ENTER, rec_enter, { "rec" } },
	{ 0 }
};
