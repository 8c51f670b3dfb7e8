/* SPDX-License-Identifier: BSD-2-Clause */
/* Granules: whose they are, and what they are used for. The owner map is the granule table. */
#include "firmware/cca/internal.h"

bool granule_aligned(uint64_t hpa)
{
	return hpa % PHYS_PAGE == 0 && hpa < PHYS_END;
}

/* Memory there is at all: the host's RAM, or what may be a device's, whether it answers now or not. */
static bool granule_exists(uint64_t hpa)
{
	return phys_is_mmio(hpa) || phys_probe(hpa, 1, phys_owner(hpa)) == 0;
}

/* What a Realm wrote the next owner of the page shall not read, nor the Realm what the host left.
 * What becomes of a wipe that is undone matters where firmware keeps its own things only. */
bool granule_set(uint64_t hpa, uint64_t len, enum granule_state state)
{
	enum granule_state was = granule_state(hpa);
	const struct cca_vdev *vdev = phys_is_mmio(hpa) ? vdev_at(hpa) : NULL;

	if (phys_is_mmio(hpa))
		TRACE_STATE(LANE_FIRMWARE, "device granule", A("hpa", hpa), A("len", len),
			    A("from", was), A("to", state), A("vdev", vdev ? vdev->granule : 0));
	else if (state != GRANULE_DELEGATED)
		phys_clear(hpa, len, was, state > GRANULE_DEV);
	return !phys_owner_set(hpa, len, state);
}

uint64_t granule_take(uint64_t hpa, uint64_t len, enum granule_state to)
{
	if (!granule_aligned(hpa) || hpa % len)
		return RMI_ERROR_INPUT;
	for (uint64_t at = 0; at < len; at += PHYS_PAGE)
		if (granule_state(hpa + at) != GRANULE_DELEGATED)
			return RMI_ERROR_INPUT;
	return granule_set(hpa, len, to) ? RMI_SUCCESS : CCA_NO_MEMORY;
}

bool host_buffer_ok(uint64_t hpa, uint64_t len)
{
	for (uint64_t at = hpa; at < hpa + len; at += PHYS_PAGE)
		if (!granule_aligned(at) || phys_is_mmio(at) ||
		    granule_state(at) != GRANULE_UNDELEGATED || !granule_exists(at))
			return false;
	return true;
}

bool host_page_read(uint64_t hpa, uint8_t page[PHYS_PAGE])
{
	return host_buffer_ok(hpa, PHYS_PAGE) && !phys_read(hpa, page, PHYS_PAGE, 0);
}

static bool range_ok(const struct smc_args *args)
{
	return granule_aligned(args->x[1]) && granule_aligned(args->x[2]) &&
	       args->x[1] < args->x[2];
}

/* From x1 as far as all is in `from`. */
static uint64_t range_run(const struct smc_args *args, enum granule_state from)
{
	uint64_t at = args->x[1];

	while (at < args->x[2] && granule_state(at) == from && granule_exists(at) &&
	       phys_is_mmio(at) == phys_is_mmio(args->x[1]))
		at += PHYS_PAGE;
	return at;
}

static uint64_t range_move(struct smc_args *args, enum granule_state from, enum granule_state to)
{
	uint64_t base = args->x[1], end;

	if (!range_ok(args))
		return RMI_ERROR_INPUT;
	end = range_run(args, from);
	args->x[1] = end;
	if (end == base)
		return RMI_ERROR_GRANULE;
	return granule_set(base, end - base, to) ? RMI_SUCCESS : CCA_NO_MEMORY;
}

static uint64_t range_delegate(struct smc_args *args)
{
	return range_move(args, GRANULE_UNDELEGATED, GRANULE_DELEGATED);
}

static uint64_t range_undelegate(struct smc_args *args)
{
	enum granule_state from = GRANULE_DELEGATED;

	/* The bug of giving back what a Realm has mapped. */
	if (mutant(MUTANT_UNDELEGATE_MAPPED) && granule_state(args->x[1]) == GRANULE_DEV)
		from = GRANULE_DEV;
	return range_move(args, from, GRANULE_UNDELEGATED);
}

const struct rmi_row cca_granule_rows[] = {
	{ RMI_GRANULE_RANGE_DELEGATE, range_delegate, { "base", "top" } },
	{ RMI_GRANULE_RANGE_UNDELEGATE, range_undelegate, { "base", "top" } },
	{ 0 }
};
