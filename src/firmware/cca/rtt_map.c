/* SPDX-License-Identifier: BSD-2-Clause */
/* What goes into an RTT and out of it: memory, device memory, the host's pages, and the Realm's say. */
#include "firmware/cca/internal.h"

/* One pass over a range, an entry at a time. */
struct map_job {
	const struct cca_realm *realm;
	const struct cca_vdev *vdev;
	const struct cca_rec *rec;
	uint64_t base, top;
	uint64_t oaddr;			/* of base */
	unsigned int level;		/* of the entries a map makes */
};
typedef uint64_t (*map_fn)(const struct map_job *job, const struct rtt_ref *ref, uint64_t ipa);

static uint64_t job_check(const struct map_job *job, bool is_protected)
{
	if (!job->realm || !granule_aligned(job->base) || !granule_aligned(job->top) ||
	    job->base >= job->top)
		return RMI_ERROR_INPUT;
	if (is_protected ? job->top > CCA_UNPROTECTED :
			   job->base < CCA_UNPROTECTED || job->top > 2 * CCA_UNPROTECTED)
		return RMI_ERROR_INPUT;
	return RMI_SUCCESS;
}

/* Stops at the first entry that is refused, or that the range cuts; *reached says where. The refusal
 * counts only when it was the first. */
static uint64_t job_run(const struct map_job *job, map_fn fn, uint64_t *reached)
{
	uint64_t at = job->base, status = RMI_SUCCESS, size;

	while (!status && at < job->top) {
		struct rtt_ref ref;

		if (!rtt_walk(job->realm->rtt, at, job->level, &ref)) {
			status = RMI_ERROR_INPUT;
			break;
		}
		size = rtt_level_size(ref.level);
		if (at & (size - 1) || job->top - at < size)
			status = rtt_error(ref.level);
		else
			status = fn(job, &ref, at);
		if (!status)
			at += size;
	}
	realm_invalidate(job->realm);
	if (at != job->base)
		status = RMI_SUCCESS;
	*reached = status ? *reached : at;
	return status;
}

/* An OADDR operand: where it points, and the level of its entries. */
static uint64_t oaddr_set(struct map_job *job, uint64_t flags, uint64_t oaddr)
{
	uint64_t size = oaddr & 3;

	if ((flags & 3) != RMI_ADDR_SINGLE || size > OADDR_2M)
		return RMI_ERROR_INPUT;
	job->level = size == OADDR_2M ? RTT_LEAF_LEVEL - 1 : RTT_LEAF_LEVEL;
	job->oaddr = oaddr & ~(uint64_t)(PHYS_PAGE - 1);
	return job->oaddr & (rtt_level_size(job->level) - 1) ? RMI_ERROR_INPUT : RMI_SUCCESS;
}

/* A map needs the entry to be there at its level, and free. */
static uint64_t entry_free(const struct map_job *job, const struct rtt_ref *ref)
{
	return ref->level == job->level && rtt_hipas(ref->entry) == HIPAS_UNASSIGNED ?
		       RMI_SUCCESS :
		       rtt_error(ref->level);
}

static uint64_t target(const struct map_job *job, uint64_t ipa)
{
	return job->oaddr + (ipa - job->base);
}

/* -- memory ------------------------------------------------------------------------------------- */

static uint64_t data_map_entry(const struct map_job *job, const struct rtt_ref *ref, uint64_t ipa)
{
	uint64_t hpa = target(job, ipa), status = entry_free(job, ref);

	if (!status && phys_is_mmio(hpa))
		status = RMI_ERROR_INPUT;
	if (!status)
		status = granule_take(hpa, rtt_level_size(ref->level), GRANULE_DATA);
	if (!status)
		rtt_write(ref, rtt_entry(HIPAS_ASSIGNED, rtt_ripas(ref->entry), hpa, ref->level));
	return status;
}

static uint64_t data_map(struct smc_args *args)
{
	struct map_job job = { .realm = realm_of(args->x[1]), .base = args->x[2], .top = args->x[3] };
	uint64_t status = job_check(&job, true);

	if (!status)
		status = oaddr_set(&job, args->x[4], args->x[5]);
	return status ? status : job_run(&job, data_map_entry, &args->x[1]);
}

static enum ripas ripas_after_unmap(enum ripas ripas)
{
	return ripas == RIPAS_RAM || ripas == RIPAS_DEV ? RIPAS_DESTROYED : ripas;
}

static uint64_t data_unmap_entry(const struct map_job *job, const struct rtt_ref *ref, uint64_t ipa)
{
	uint64_t size = rtt_level_size(ref->level);

	(void)job;
	(void)ipa;
	if (rtt_hipas(ref->entry) != HIPAS_ASSIGNED)
		return rtt_error(ref->level);
	granule_set(ref->entry & RTT_HPA & ~(size - 1), size, GRANULE_DELEGATED);
	rtt_write(ref, rtt_entry(HIPAS_UNASSIGNED, ripas_after_unmap(rtt_ripas(ref->entry)), 0,
				 ref->level));
	return RMI_SUCCESS;
}

static uint64_t unmap(struct smc_args *args, bool is_protected, map_fn fn)
{
	struct map_job job = { .realm = realm_of(args->x[1]), .base = args->x[2], .top = args->x[3],
			       .level = RTT_LEAF_LEVEL };
	uint64_t status = job_check(&job, is_protected);

	return status ? status : job_run(&job, fn, &args->x[1]);
}

static uint64_t data_unmap(struct smc_args *args)
{
	return unmap(args, true, data_unmap_entry);
}

/* -- device memory ------------------------------------------------------------------------------ */

static void dev_traced(const struct map_job *job, uint64_t ipa, uint64_t hpa, enum hipas hipas,
		       enum ripas from, enum ripas to)
{
	TRACE_STATE(LANE_FIRMWARE, "RTT", A("rd", job->realm->rd), A("ipa", ipa), A("hpa", hpa),
		    A("hipas", hipas), A("from", from), A("to", to));
}

static void mapped_add(const struct cca_vdev *vdev, int64_t granules)
{
	if (vdev)
		vdev_write(vdev)->mapped += (uint64_t)granules;
}

/* The bug of mapping what is no VDEV's is a wrong host's and the RMM's. */
static uint64_t dev_map_entry(const struct map_job *job, const struct rtt_ref *ref, uint64_t ipa)
{
	uint64_t hpa = target(job, ipa), size = rtt_level_size(ref->level);
	uint64_t status = entry_free(job, ref);
	enum ripas ripas = rtt_ripas(ref->entry);

	if (status)
		return status;
	if (!vdev_has_range(job->vdev, hpa, size) && !mutant(MUTANT_DEV_MAP_FOREIGN))
		return RMI_ERROR_DEVICE;
	status = granule_take(hpa, size, GRANULE_DEV);
	if (status)
		return status;
	rtt_write(ref, rtt_entry(HIPAS_ASSIGNED_DEV, ripas, hpa, ref->level));
	mapped_add(vdev_at(hpa), (int64_t)(size / PHYS_PAGE));
	dev_traced(job, ipa, hpa, HIPAS_ASSIGNED_DEV, ripas, ripas);
	return RMI_SUCCESS;
}

static uint64_t dev_map(struct smc_args *args)
{
	struct map_job job = { .realm = realm_of(args->x[1]), .vdev = vdev_of(args->x[2]),
			       .base = args->x[3], .top = args->x[4] };
	uint64_t status = job_check(&job, true);

	if (!status && (!job.vdev || job.vdev->realm != job.realm))
		status = RMI_ERROR_INPUT;
	if (!status)
		status = oaddr_set(&job, args->x[5], args->x[6]);
	if (!status && !phys_is_mmio(job.oaddr))
		status = RMI_ERROR_INPUT;
	return status ? status : job_run(&job, dev_map_entry, &args->x[1]);
}

/* A valid mapping that goes without the Realm's word leaves a mark that only the Realm can take away. */
static uint64_t dev_unmap_entry(const struct map_job *job, const struct rtt_ref *ref, uint64_t ipa)
{
	uint64_t size = rtt_level_size(ref->level), hpa = ref->entry & RTT_HPA & ~(size - 1);
	enum ripas from = rtt_ripas(ref->entry), to = ripas_after_unmap(from);

	if (rtt_hipas(ref->entry) != HIPAS_ASSIGNED_DEV)
		return rtt_error(ref->level);
	if (mutant(MUTANT_UNMAP_FORGETS))
		to = from == RIPAS_DEV ? RIPAS_EMPTY : from;
	granule_set(hpa, size, GRANULE_DELEGATED);
	rtt_write(ref, rtt_entry(HIPAS_UNASSIGNED, to, 0, ref->level));
	mapped_add(vdev_at(hpa), -(int64_t)(size / PHYS_PAGE));
	dev_traced(job, ipa, hpa, HIPAS_UNASSIGNED, from, to);
	return RMI_SUCCESS;
}

static uint64_t dev_unmap(struct smc_args *args)
{
	return unmap(args, true, dev_unmap_entry);
}

/* The host put there what the Realm named: the very page, of the very device. */
static uint64_t dev_validate_entry(const struct map_job *job, const struct rtt_ref *ref, uint64_t ipa)
{
	const struct rec_pending *asked = &job->rec->pending;
	uint64_t size = rtt_level_size(ref->level), hpa = ref->entry & RTT_HPA & ~(size - 1);
	enum ripas from = rtt_ripas(ref->entry);

	if (rtt_hipas(ref->entry) != HIPAS_ASSIGNED_DEV || from == RIPAS_RAM)
		return rtt_error(ref->level);
	if (hpa != asked->pa + (ipa - asked->base) && !mutant(MUTANT_ACCEPT_UNREPORTED))
		return rtt_error(ref->level);
	rtt_write(ref, rtt_entry(HIPAS_ASSIGNED_DEV, RIPAS_DEV, hpa, ref->level));
	dev_traced(job, ipa, hpa, HIPAS_ASSIGNED_DEV, from, RIPAS_DEV);
	return RMI_SUCCESS;
}

static uint64_t dev_validate(struct smc_args *args)
{
	struct map_job job = { .realm = realm_of(args->x[1]), .rec = rec_of(args->x[2]),
			       .vdev = vdev_of(args->x[4]), .base = args->x[5], .top = args->x[6],
			       .level = RTT_LEAF_LEVEL };
	const struct rec_pending *asked = job.rec ? &job.rec->pending : NULL;
	uint64_t status = job_check(&job, true);

	if (status || !asked || job.rec->realm != job.realm || !job.vdev ||
	    job.vdev->pdev->granule != args->x[3])
		return status ? status : RMI_ERROR_INPUT;
	if (asked->command != RSI_VDEV_VALIDATE_MAPPING || asked->vdev != job.vdev ||
	    asked->at != job.base || job.top > asked->top)
		return RMI_ERROR_REC;
	status = job_run(&job, dev_validate_entry, &args->x[1]);
	if (!status)
		((struct rec_pending *)image_write(asked))->at = args->x[1];
	return status;
}

/* -- the host's own pages ----------------------------------------------------------------------- */

static uint64_t unprot_map_entry(const struct map_job *job, const struct rtt_ref *ref, uint64_t ipa)
{
	uint64_t status = entry_free(job, ref);

	if (!status)
		rtt_write(ref, rtt_entry(HIPAS_ASSIGNED_NS, RIPAS_EMPTY, target(job, ipa),
					 ref->level));
	return status;
}

static uint64_t unprot_map(struct smc_args *args)
{
	struct map_job job = { .realm = realm_of(args->x[1]), .base = args->x[2], .top = args->x[3] };
	uint64_t status = job_check(&job, false);

	if (!status)
		status = oaddr_set(&job, args->x[4], args->x[5]);
	return status ? status : job_run(&job, unprot_map_entry, &args->x[1]);
}

static uint64_t unprot_unmap_entry(const struct map_job *job, const struct rtt_ref *ref,
				   uint64_t ipa)
{
	(void)job;
	(void)ipa;
	if (rtt_hipas(ref->entry) != HIPAS_ASSIGNED_NS)
		return rtt_error(ref->level);
	rtt_write(ref, rtt_entry(HIPAS_UNASSIGNED, RIPAS_EMPTY, 0, ref->level));
	return RMI_SUCCESS;
}

static uint64_t unprot_unmap(struct smc_args *args)
{
	return unmap(args, false, unprot_unmap_entry);
}

/* -- RIPAS -------------------------------------------------------------------------------------- */

static uint64_t ripas_entry(const struct map_job *job, const struct rtt_ref *ref, uint64_t ipa)
{
	const struct rec_pending *asked = &job->rec->pending;
	enum hipas hipas = rtt_hipas(ref->entry);
	enum ripas from = rtt_ripas(ref->entry);
	uint64_t size = rtt_level_size(ref->level), hpa = ref->entry & RTT_HPA & ~(size - 1);

	if (hipas == HIPAS_TABLE || (hipas == HIPAS_ASSIGNED_DEV && asked->ripas == RIPAS_RAM) ||
	    (from == RIPAS_DESTROYED && !asked->change_destroyed))
		return rtt_error(ref->level);
	rtt_write(ref, rtt_entry(hipas, (enum ripas)asked->ripas, hpa, ref->level));
	if (hipas == HIPAS_ASSIGNED_DEV || from == RIPAS_DEV)
		dev_traced(job, ipa, hpa, hipas, from, (enum ripas)asked->ripas);
	return RMI_SUCCESS;
}

void ripas_reject_taken_for_consent(const struct cca_rec *rec)
{
	const struct map_job job = { .realm = rec->realm };
	struct rtt_ref ref;

	if (!rtt_walk(rec->realm->rtt, rec->pending.at, RTT_LEAF_LEVEL, &ref))
		return;
	dev_traced(&job, rec->pending.at, ref.entry & RTT_HPA, rtt_hipas(ref.entry),
		   rtt_ripas(ref.entry), RIPAS_DEV);
	rtt_write(&ref, rtt_entry(rtt_hipas(ref.entry), RIPAS_DEV, ref.entry & RTT_HPA, ref.level));
}

static uint64_t set_ripas(struct smc_args *args)
{
	struct map_job job = { .realm = realm_of(args->x[1]), .rec = rec_of(args->x[2]),
			       .base = args->x[3], .top = args->x[4], .level = RTT_LEAF_LEVEL };
	const struct rec_pending *asked = job.rec ? &job.rec->pending : NULL;
	uint64_t status = job_check(&job, true);

	if (status || !asked || job.rec->realm != job.realm)
		return status ? status : RMI_ERROR_INPUT;
	if (asked->command != RSI_IPA_STATE_SET || asked->at != job.base || job.top > asked->top)
		return RMI_ERROR_REC;
	status = job_run(&job, ripas_entry, &args->x[1]);
	if (!status)
		((struct rec_pending *)image_write(asked))->at = args->x[1];
	return status;
}

const struct rmi_row cca_map_rows[] = {
	{ RMI_RTT_DATA_MAP, data_map, { "rd", "base", "top", NULL, "oaddr" } },
	{ RMI_RTT_DATA_UNMAP, data_unmap, { "rd", "base", "top" } },
	{ RMI_RTT_DEV_MAP, dev_map, { "rd", "vdev", "base", "top" } },
	{ RMI_RTT_DEV_UNMAP, dev_unmap, { "rd", "base", "top" } },
	{ RMI_RTT_DEV_VALIDATE, dev_validate, { "rd", "rec", NULL, "vdev", "base" } },
	{ RMI_RTT_UNPROT_MAP, unprot_map, { "rd", "base", "top", NULL, "oaddr" } },
	{ RMI_RTT_UNPROT_UNMAP, unprot_unmap, { "rd", "base", "top" } },
	{ RMI_RTT_SET_RIPAS, set_ripas, { "rd", "rec", "base", "top" } },
	{ 0 }
};
