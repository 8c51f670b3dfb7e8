/* SPDX-License-Identifier: BSD-2-Clause */
/* Realm translation tables: their walk, their tables, and what a Realm thinks of its addresses. */
#include "firmware/cca/internal.h"

static unsigned int level_shift(unsigned int level)
{
	return 12 + 9 * (RTT_LEAF_LEVEL - level);
}

/* The hardware uses what is mapped and what the Realm agrees to. */
static bool entry_valid(enum hipas hipas, enum ripas ripas)
{
	switch (hipas) {
	case HIPAS_ASSIGNED: return ripas == RIPAS_RAM;
	case HIPAS_ASSIGNED_DEV: return ripas == RIPAS_DEV;
	case HIPAS_TABLE:
	case HIPAS_ASSIGNED_NS: return true;
	default: return false;
	}
}

uint64_t rtt_entry(enum hipas hipas, enum ripas ripas, uint64_t hpa, unsigned int level)
{
	bool low = hipas == HIPAS_TABLE || level == RTT_LEAF_LEVEL;

	return (hpa & RTT_HPA) | (entry_valid(hipas, ripas) ? RTT_VALID : 0) |
	       (hipas != HIPAS_UNASSIGNED && low ? RTT_PAGE : 0) |
	       (hipas == HIPAS_ASSIGNED_NS ? RTT_NS : 0) | (uint64_t)ripas << RTT_RIPAS_SHIFT |
	       (uint64_t)hipas << RTT_HIPAS_SHIFT;
}

static bool entry_read(uint64_t table, uint64_t index, uint64_t *entry)
{
	const uint64_t *entries = phys_ram(table, PHYS_PAGE);

	if (!entries)
		return false;
	*entry = le64toh(entries[index]);
	return true;
}

bool rtt_walk(uint64_t root, uint64_t ipa, unsigned int level, struct rtt_ref *ref)
{
	uint64_t table = root;

	if (ipa >> level_shift(0) >= RTT_ENTRIES)
		return false;
	for (unsigned int at = 0;; at++) {
		*ref = (struct rtt_ref){ .table = table, .level = at,
					 .index = ipa >> level_shift(at) & (RTT_ENTRIES - 1) };
		if (!entry_read(table, ref->index, &ref->entry))
			return false;
		if (at == level || rtt_hipas(ref->entry) != HIPAS_TABLE)
			return true;
		table = ref->entry & RTT_HPA;
	}
}

void rtt_write(const struct rtt_ref *ref, uint64_t entry)
{
	uint64_t bytes = htole64(entry);

	phys_table_write(ref->table + 8 * ref->index, &bytes, sizeof(bytes), GRANULE_RTT);
}

int cca_trusted_walk(uint64_t root, uint64_t ipa, struct pt_leaf *leaf, uint32_t *owner)
{
	struct rtt_ref ref;
	uint64_t size;

	if (!root || !rtt_walk(root, ipa, RTT_LEAF_LEVEL, &ref))
		return -ENOENT;
	if (!(ref.entry & RTT_VALID) || rtt_hipas(ref.entry) == HIPAS_TABLE)
		return ipa < CCA_UNPROTECTED && rtt_ripas(ref.entry) == RIPAS_EMPTY ? -EACCES
										     : -ENOENT;
	size = rtt_level_size(ref.level);
	*leaf = (struct pt_leaf){ .address = ipa & ~(size - 1), .hpa = ref.entry & RTT_HPA & ~(size - 1),
				  .size = size, .prot = PT_R | PT_W, .reads = (uint8_t)(ref.level + 1) };
	*owner = rtt_hipas(ref.entry) == HIPAS_ASSIGNED_NS  ? GRANULE_UNDELEGATED :
		 rtt_hipas(ref.entry) == HIPAS_ASSIGNED_DEV ? GRANULE_DEV :
							      GRANULE_DATA;
	return 0;
}

void cca_rtt_view(uint64_t rd, uint64_t ipa, struct cca_rtt_view *view)
{
	const struct cca_realm *realm = rmm() ? realm_of(rd) : NULL;
	struct rtt_ref ref;

	*view = (struct cca_rtt_view){ 0 };
	if (!realm || !rtt_walk(realm->rtt, ipa, RTT_LEAF_LEVEL, &ref))
		return;
	view->hipas = rtt_hipas(ref.entry);
	view->ripas = rtt_ripas(ref.entry);
	view->size = rtt_level_size(ref.level);
	view->hpa = ref.entry & RTT_HPA & ~(view->size - 1);
}

/* -- tables ------------------------------------------------------------------------------------- */

/* The 512 entries a table begins with: what the one entry above it said. */
static void table_fill(uint64_t table, uint64_t above, unsigned int level)
{
	uint64_t entries[RTT_ENTRIES], size = rtt_level_size(level);
	enum hipas hipas = rtt_hipas(above);

	for (unsigned int i = 0; i < RTT_ENTRIES; i++) {
		uint64_t hpa = hipas == HIPAS_UNASSIGNED ? 0 : (above & RTT_HPA) + i * size;

		entries[i] = htole64(rtt_entry(hipas, rtt_ripas(above), hpa, level));
	}
	phys_table_write(table, entries, sizeof(entries), GRANULE_RTT);
}

static uint64_t rtt_create(struct smc_args *args)
{
	const struct cca_realm *realm = realm_of(args->x[1]);
	uint64_t level = args->x[4], status;
	struct rtt_ref ref;

	if (!realm || !level || level > RTT_LEAF_LEVEL ||
	    args->x[3] & (rtt_level_size((unsigned int)level - 1) - 1) ||
	    !rtt_walk(realm->rtt, args->x[3], (unsigned int)level - 1, &ref))
		return RMI_ERROR_INPUT;
	if (ref.level != level - 1 || rtt_hipas(ref.entry) == HIPAS_TABLE)
		return rtt_error(ref.level);
	status = granule_take(args->x[2], PHYS_PAGE, GRANULE_RTT);
	if (status)
		return status;
	table_fill(args->x[2], ref.entry, (unsigned int)level);
	rtt_write(&ref, rtt_entry(HIPAS_TABLE, RIPAS_EMPTY, args->x[2], ref.level));
	realm_write(realm)->tables++;
	return RMI_SUCCESS;
}

static bool table_live(uint64_t table)
{
	uint64_t entry;

	for (unsigned int i = 0; i < RTT_ENTRIES; i++)
		if (!entry_read(table, i, &entry) || rtt_hipas(entry) != HIPAS_UNASSIGNED)
			return true;
	return false;
}

/* The Realm may not find its pages fresh again where it had some: they are DESTROYED. */
static uint64_t rtt_destroy(struct smc_args *args)
{
	const struct cca_realm *realm = realm_of(args->x[1]);
	uint64_t level = args->x[3], ipa = args->x[2], table;
	struct rtt_ref ref;

	if (!realm || !level || level > RTT_LEAF_LEVEL ||
	    ipa & (rtt_level_size((unsigned int)level - 1) - 1) ||
	    !rtt_walk(realm->rtt, ipa, (unsigned int)level - 1, &ref))
		return RMI_ERROR_INPUT;
	if (ref.level != level - 1 || rtt_hipas(ref.entry) != HIPAS_TABLE)
		return rtt_error(ref.level);
	table = ref.entry & RTT_HPA;
	if (table_live(table))
		return rtt_error((unsigned int)level);
	rtt_write(&ref, rtt_entry(HIPAS_UNASSIGNED,
				  ipa < CCA_UNPROTECTED ? RIPAS_DESTROYED : RIPAS_EMPTY, 0,
				  ref.level));
	realm_write(realm)->tables--;
	granule_set(table, PHYS_PAGE, GRANULE_DELEGATED);
	realm_invalidate(realm);
	args->x[1] = table;
	return RMI_SUCCESS;
}

bool rtt_empty(const struct cca_realm *realm)
{
	return !realm->tables && !table_live(realm->rtt);
}

static uint64_t rtt_read_entry(struct smc_args *args)
{
	const struct cca_realm *realm = realm_of(args->x[1]);
	struct rtt_ref ref;

	if (!realm || args->x[3] > RTT_LEAF_LEVEL ||
	    !rtt_walk(realm->rtt, args->x[2], (unsigned int)args->x[3], &ref))
		return RMI_ERROR_INPUT;
	args->x[1] = ref.level;
	args->x[2] = rtt_hipas(ref.entry);
	args->x[3] = ref.entry & RTT_HPA;
	args->x[4] = rtt_ripas(ref.entry);
	return RMI_SUCCESS;
}

const struct rmi_row cca_rtt_rows[] = {
	{ RMI_RTT_CREATE, rtt_create, { "rd", "rtt", "ipa", "level" } },
	{ RMI_RTT_DESTROY, rtt_destroy, { "rd", "ipa", "level" } },
	{ RMI_RTT_READ_ENTRY, rtt_read_entry, { "rd", "ipa", "level" } },
	{ 0 }
};
