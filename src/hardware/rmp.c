/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The RMP, sparse: entries under 2 MiB regions under 1 GiB tables, for RAM of the image and for
 * MMIO. A region that belongs to the hypervisor throughout takes no memory. Who owns a page the memory
 * controller is told as well (hardware/phys.h).
 */
#include "hardware/cpu.h"
#include "hardware/hardware.h"
#include "hardware/iommu.h"
#include "hardware/platform.h"
#include "hardware/rmp.h"
#include "image/mutant.h"

#include <errno.h>

#define ENTRIES 512u
#define REGION_SHIFT 21
#define GIB_SHIFT 30
#define RAM_GIBS (IMAGE_SPAN >> GIB_SHIFT)
#define MMIO_GIBS ((PHYS_MMIO_END - PHYS_MMIO) >> GIB_SHIFT)

struct rmp_region {
	uint32_t used;			/* entries that are not all zero */
	struct rmp_entry entry[ENTRIES];	/* large: only the first counts */
};

struct rmp_gib { const struct rmp_region *region[ENTRIES]; };

struct rmp_table {
	const struct rmp_gib *ram[RAM_GIBS], *mmio[MMIO_GIBS];
	struct rmp_fence fence[RMP_ASID_MAX + 1];
};

static const struct rmp_table *rmp_table(void)
{
	return hw_root() ? hw_root()->rmp : NULL;
}

static const struct rmp_table *rmp_make(void)
{
	if (!rmp_table()) {
		const struct rmp_table *table = image_alloc(sizeof(*table), IMAGE_TYPE_PHYS);

		hw_set(&hw_root()->rmp, (const void *)table);
	}
	return rmp_table();
}

/* The slot of the GiB an address is in; NULL: no memory of this host. */
static const struct rmp_gib *const *gib_slot(const struct rmp_table *table, uint64_t hpa)
{
	if (!table)
		return NULL;
	if (hpa - PHYS_ARENA < IMAGE_SPAN)
		return &table->ram[(hpa - PHYS_ARENA) >> GIB_SHIFT];
	return phys_is_mmio(hpa) ? &table->mmio[(hpa - PHYS_MMIO) >> GIB_SHIFT] : NULL;
}

static const struct rmp_region *region_of(uint64_t hpa)
{
	const struct rmp_gib *const *slot = gib_slot(rmp_table(), hpa);

	return slot && *slot ? (*slot)->region[hpa >> REGION_SHIFT & (ENTRIES - 1)] : NULL;
}

static const struct rmp_region *region_make(uint64_t hpa)
{
	const struct rmp_gib *const *slot = gib_slot(rmp_make(), hpa);
	const struct rmp_region *const *region;

	if (!slot)
		return NULL;
	if (!*slot)
		hw_set(slot, (const struct rmp_gib *)image_alloc(sizeof(**slot), IMAGE_TYPE_PHYS));
	if (!*slot)
		return NULL;
	region = &(*slot)->region[hpa >> REGION_SHIFT & (ENTRIES - 1)];
	if (!*region)
		hw_set(region, (const struct rmp_region *)image_alloc(sizeof(**region),
								      IMAGE_TYPE_PHYS));
	return *region;
}

/* What is the hypervisor's throughout is forgotten, so that nothing is left of a guest. */
static void region_settle(uint64_t hpa)
{
	const struct rmp_gib *const *slot = gib_slot(rmp_table(), hpa);
	const struct rmp_region *region = region_of(hpa);

	if (!region || region->used)
		return;
	hw_set(&(*slot)->region[hpa >> REGION_SHIFT & (ENTRIES - 1)], NULL);
	image_free(region);
	for (unsigned int i = 0; i < ENTRIES; i++)
		if ((*slot)->region[i])
			return;
	image_free(*slot);
	hw_set(slot, NULL);
}

static const struct rmp_entry *entry_of(const struct rmp_region *region, uint64_t hpa)
{
	return &region->entry[region->entry[0].large ? 0 : hpa / PHYS_PAGE % ENTRIES];
}

struct rmp_entry rmp_read(uint64_t hpa)
{
	const struct rmp_region *region = region_of(hpa);
	struct rmp_entry entry = region ? *entry_of(region, hpa) : (struct rmp_entry){ 0 };

	if (entry.large)
		entry.gpa += hpa & (PHYS_2M - 1) & ~(uint64_t)(PHYS_PAGE - 1);
	return entry;
}

static bool entry_used(const struct rmp_entry *entry)
{
	return entry->assigned || entry->lost;
}

static void entry_write(const struct rmp_region *region, const struct rmp_entry *entry,
			const struct rmp_entry *state)
{
	int change = entry_used(state) - entry_used(entry);

	if (change)
		hw_set(&region->used, region->used + (uint32_t)change);
	hw_set(entry, *state);
}

/* -- RMPUPDATE ------------------------------------------------------------------------------- */

const char *rmp_status_name(enum rmp_status status)
{
	static const char *const names[] = {
		[RMP_OK] = "RMP_OK", [RMP_FAIL_INPUT] = "RMP_FAIL_INPUT",
		[RMP_FAIL_PERMISSION] = "RMP_FAIL_PERMISSION", [RMP_FAIL_INUSE] = "RMP_FAIL_INUSE",
		[RMP_FAIL_OVERLAP] = "RMP_FAIL_OVERLAP", [RMP_NO_MEMORY] = "RMP_NO_MEMORY",
	};

	return (unsigned int)status < sizeof(names) / sizeof(names[0]) ? names[status] : "?";
}

static uint32_t owner_of(const struct rmp_entry *state)
{
	if (!state->assigned)
		return 0;
	return state->asid ? RMP_OWNER(state->asid) : RMP_OWNER_FIRMWARE;
}

/* What is large is changed as one, or page by page but all of it. */
static bool overlaps(const struct rmp_region *region, uint64_t at, uint64_t hpa, uint64_t pages)
{
	uint64_t first = at & ~(PHYS_2M - 1);

	return region->entry[0].large &&
	       (first < hpa || first + PHYS_2M > hpa + pages * PHYS_PAGE);
}

static enum rmp_status update_check(uint64_t hpa, uint64_t pages, const struct rmp_entry *state)
{
	if (state->validated || state->asid > RMP_ASID_MAX ||
	    (hpa | state->gpa) % (state->large ? PHYS_2M : PHYS_PAGE) ||
	    (state->large && pages != ENTRIES))
		return RMP_FAIL_INPUT;
	for (uint64_t at = hpa; at < hpa + pages * PHYS_PAGE; at += PHYS_PAGE) {
		const struct rmp_region *region = region_of(at);

		if (!region)
			continue;
		if (overlaps(region, at, hpa, pages))
			return RMP_FAIL_OVERLAP;
		if (entry_of(region, at)->immutable)
			return RMP_FAIL_PERMISSION;
	}
	return RMP_OK;
}

/* RAM that leaves a guest or the firmware holds nothing of theirs; what enters keeps its bytes. */
static enum rmp_status owner_change(uint64_t hpa, uint64_t len, uint32_t owner)
{
	for (uint64_t at = hpa; !owner && !phys_is_mmio(hpa) && at < hpa + len; at += PHYS_PAGE)
		if (phys_owner(at))
			phys_clear(at, PHYS_PAGE, phys_owner(at), false);
	if (mutant(MUTANT_FIRMWARE_PAGE_WRITABLE) && owner == RMP_OWNER_FIRMWARE)
		owner = 0;
	return phys_owner_set(hpa, len, owner) ? RMP_NO_MEMORY : RMP_OK;
}

/* What was large and is no more is the host's in between: all of it changes, which was checked. */
static enum rmp_status owners_change(uint64_t hpa, uint64_t pages, const struct rmp_entry *state)
{
	uint64_t at = hpa & ~(PHYS_2M - 1), end = hpa + pages * PHYS_PAGE;

	for (; !state->large && at < end; at += PHYS_2M) {
		const struct rmp_region *region = region_of(at);

		if (region && region->entry[0].large)
			owner_change(at, PHYS_2M, 0);
	}
	return owner_change(hpa, pages * PHYS_PAGE, owner_of(state));
}

/* One entry; *validated when it was. */
static enum rmp_status update_entry(uint64_t hpa, const struct rmp_entry *state, bool *validated)
{
	const struct rmp_region *region = state->assigned ? region_make(hpa) : region_of(hpa);
	struct rmp_entry old, new = *state;

	if (!region)
		return state->assigned ? RMP_NO_MEMORY : RMP_OK;
	old = *entry_of(region, hpa);
	*validated |= old.validated;
	if (old.large && !state->large)
		entry_write(region, &region->entry[0], &(struct rmp_entry){ 0 });
	if (phys_is_mmio(hpa))
		new.lost = old.validated ? old.asid : state->assigned ? 0 : old.lost;
	if (mutant(MUTANT_RMPUPDATE_KEEPS_VALIDATED) && state->assigned)
		new.validated = old.validated;
	if (mutant(MUTANT_RMP_SELF_VALIDATE) && state->assigned && phys_is_mmio(hpa))
		new.validated = true;
	entry_write(region, state->large ? &region->entry[0] :
					   &region->entry[hpa / PHYS_PAGE % ENTRIES], &new);
	region_settle(hpa);
	return RMP_OK;
}

enum rmp_status rmpupdate(enum lane from, uint64_t hpa, uint64_t pages,
			  const struct rmp_entry *state)
{
	struct trace_call call = TRACE_CALL(from, LANE_HARDWARE, "RMPUPDATE", A("hpa", hpa),
					    A("pages", pages), A("gpa", state->gpa),
					    A("asid", state->asid), A("assigned", state->assigned));
	enum rmp_status status = update_check(hpa, pages, state);
	struct rmp_entry at = *state;
	bool validated = false;

	if (!status)
		status = owners_change(hpa, pages, state);
	for (uint64_t i = 0; !status && i < (state->large ? 1 : pages); i++) {
		at.gpa = state->assigned ? state->gpa + i * PHYS_PAGE : 0;
		status = update_entry(hpa + i * PHYS_PAGE, &at, &validated);
	}
	if (!status) {
		trace_arg_add(&call, "validated", rmp_read(hpa).validated | (uint64_t)validated << 1);
		iommu_iotlb_flush_all();
	}
	trace_return_as(&call, TRACE_RESULT_CODE, status, rmp_status_name(status));
	return status;
}

/* -- PSP ------------------------------------------------------------------------------------- */

void rmp_validated_set(uint64_t hpa, bool validated, bool immutable)
{
	const struct rmp_region *region = region_of(hpa);
	struct rmp_entry new;

	if (!region)
		return;
	new = *entry_of(region, hpa);
	new.validated = validated;
	new.immutable = immutable;
	entry_write(region, entry_of(region, hpa), &new);
}

void rmp_immutable_clear(uint64_t hpa)
{
	rmp_validated_set(hpa, rmp_read(hpa).validated, false);
}

/* -- guest ----------------------------------------------------------------------------------- */

static bool entry_is(const struct rmp_entry *entry, uint16_t asid, uint64_t gpa)
{
	return entry->assigned && entry->asid == asid && asid && entry->gpa == gpa;
}

/* The nested tables are the host's; what they say is held against the RMP. */
static int nested_walk(uint64_t root, uint64_t gpa, struct pt_leaf *leaf)
{
	const struct platform_tables *tables = platform_tables();

	return pt_walk_root((enum pt_format)tables->cpu, root, tables->cpu_levels, gpa, leaf);
}

int rmp_pvalidate(const struct vcpu_hw *vcpu, uint64_t gpa, unsigned int level, bool validate)
{
	uint64_t size = (uint64_t)PHYS_PAGE << (9 * level);
	const struct rmp_region *region;
	struct rmp_entry entry, *w;
	struct pt_leaf leaf;

	if (level > 1 || gpa % size)
		return -EINVAL;
	if (nested_walk(vcpu->tee_root, gpa, &leaf))
		return -EAGAIN;
	leaf.hpa += gpa - leaf.address;
	region = region_of(leaf.hpa);
	entry = rmp_read(leaf.hpa);
	if (!region || !entry_is(&entry, (uint16_t)RMP_ASID_OF(vcpu->tee_owner), gpa) ||
	    phys_is_mmio(leaf.hpa))
		return -EAGAIN;
	if (entry.large != (level == 1))
		return -EDOM;
	if (entry.validated == validate)
		return 1;
	w = image_write(entry_of(region, leaf.hpa));
	w->validated = validate;
	return 0;
}

int rmp_trusted_walk(uint64_t root, uint64_t gpa, struct pt_leaf *leaf, uint32_t *owner)
{
	uint16_t asid = (uint16_t)RMP_ASID_OF(*owner);
	struct rmp_entry entry;
	uint64_t hpa;

	if (gpa >= RMP_VTOM || nested_walk(root, gpa, leaf))
		return -ENOENT;
	hpa = leaf->hpa + (gpa - leaf->address);
	hpa &= ~(uint64_t)(PHYS_PAGE - 1);
	entry = rmp_read(hpa);
	if (phys_is_mmio(hpa) && entry.lost == asid && asid)
		rmp_fence_raise(asid, 0, true);
	if (phys_is_mmio(hpa) && rmp_fence(asid)->mmio && !mutant(MUTANT_IGNORE_FENCE))
		return -EACCES;
	if (!entry_is(&entry, asid, gpa & ~(uint64_t)(PHYS_PAGE - 1)) || !entry.validated)
		return -ENOENT;
	return 0;
}

bool rmp_dma_admits(struct pt_leaf *leaf, uint64_t address, uint16_t asid)
{
	uint64_t page = address & ~(uint64_t)(PHYS_PAGE - 1);
	uint64_t hpa = leaf->hpa + (page - leaf->address);
	struct rmp_entry entry = rmp_read(hpa);
	uint64_t size = entry.large ? PHYS_2M : PHYS_PAGE;

	if (leaf->size > size) {
		leaf->hpa = hpa & ~(size - 1);
		leaf->address = page & ~(size - 1);
		leaf->size = size;
	}
	if (!asid)
		return !entry.assigned;
	return entry_is(&entry, asid, page) && entry.validated;
}

/* -- fences ---------------------------------------------------------------------------------- */

const struct rmp_fence *rmp_fence(uint16_t asid)
{
	static const struct rmp_fence none;

	return rmp_table() && asid <= RMP_ASID_MAX ? &rmp_table()->fence[asid] : &none;
}

void rmp_fence_raise(uint16_t asid, uint16_t rid, bool mmio)
{
	const struct rmp_table *table = rmp_make();
	struct rmp_fence *w;

	if (!table || !asid || asid > RMP_ASID_MAX ||
	    (mmio ? table->fence[asid].mmio : table->fence[asid].dma))
		return;
	w = image_write(&table->fence[asid]);
	if (mmio)
		w->mmio = RMP_MMIO_FENCED;
	else
		w->dma = RMP_DMA_ERROR;
	w->rid = rid ? rid : w->rid;
	TRACE_STATE(LANE_HARDWARE, "ASID fence", A("asid", asid), A("rid", rid), A("dma", w->dma),
		    A("mmio", w->mmio));
}

/* Pages that were taken from the guest raise no fence any more. */
static void lost_forget(uint64_t base, uint16_t asid)
{
	const struct rmp_region *region = region_of(base);

	for (unsigned int i = 0; region && i < ENTRIES; i++) {
		struct rmp_entry entry = region->entry[i];

		if (entry.lost != asid)
			continue;
		entry.lost = 0;
		entry_write(region, &region->entry[i], &entry);
	}
	region_settle(base);
}

void rmp_fence_clear(uint16_t asid)
{
	struct rmp_fence *w;

	if (!rmp_table() || asid > RMP_ASID_MAX)
		return;
	for (unsigned int g = 0; g < MMIO_GIBS; g++)
		for (unsigned int r = 0; rmp_table()->mmio[g] && r < ENTRIES; r++)
			lost_forget(PHYS_MMIO + ((uint64_t)g << GIB_SHIFT) +
					    ((uint64_t)r << REGION_SHIFT), asid);
	if (!rmp_table()->fence[asid].dma && !rmp_table()->fence[asid].mmio)
		return;
	w = image_write(&rmp_table()->fence[asid]);
	*w = (struct rmp_fence){ 0 };
	TRACE_STATE(LANE_HARDWARE, "ASID fence", A("asid", asid), A("rid", 0), A("dma", 0),
		    A("mmio", 0));
}
