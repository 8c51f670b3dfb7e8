/* SPDX-License-Identifier: BSD-2-Clause */
/* The RTT from the host's side: tables, memory, device memory and the unprotected half, by RMI. */
#include <string.h>

#include "kernel/kvm/cca.h"

#define RTT_LEAF 3u			/* level of 4 KiB entries */

static uint64_t level_span(unsigned int level)
{
	return (uint64_t)PHYS_PAGE << (9 * (RTT_LEAF - level));
}

static unsigned int level_of(uint64_t size)
{
	return size >= PHYS_2M ? RTT_LEAF - 1 : RTT_LEAF;
}

static uint64_t oaddr(uint64_t hpa, uint64_t size)
{
	return hpa | (size >= PHYS_2M ? OADDR_2M : 0);
}

/* -- tables ------------------------------------------------------------------------------------------ */

/* In the list before the RMM has it: a granule that was not taken is freed again. */
static const struct rtt_table *table_new(const struct kvm_cca *realm, uint64_t ipa, unsigned int level)
{
	struct rtt_table *table = image_alloc(sizeof(*table), IMAGE_TYPE_KVM_TD);
	struct kvm_cca *w = image_write(realm);

	if (!table)
		return NULL;
	table->ipa = ipa;
	table->level = (uint8_t)level;
	table->next = realm->tables;
	w->tables = table;
	return table;
}

int cca_rtt_deepen(const struct kvm *kvm, uint64_t ipa, unsigned int stopped_at)
{
	const struct kvm_cca *realm = kvm_cca(kvm);
	const struct rtt_table *table;
	struct smc_args args;

	if (stopped_at >= RTT_LEAF)
		return -EBUSY;
	ipa &= ~(level_span(stopped_at) - 1);
	table = table_new(realm, ipa, stopped_at + 1);
	if (!table || cca_granule_make(LANE_KVM, &table->granule))
		return -ENOMEM;
	args = (struct smc_args){ .x = { 0, realm->rd, table->granule, ipa, stopped_at + 1 } };
	return cca_host_errno(cca_call(RMI_RTT_CREATE, &args, NULL));
}

/* Makes a call that walks an RTT to `level`, with the tables it finds missing on the way. */
static uint64_t walk_call(const struct kvm *kvm, enum rmi_command command,
			  const struct smc_args *args, uint64_t ipa, unsigned int level)
{
	for (;;) {
		uint64_t result = cca_call(command, args, NULL);

		if (rmi_status(result) != RMI_ERROR_RTT || rmi_index(result) >= level ||
		    cca_rtt_deepen(kvm, ipa, rmi_index(result)))
			return result;
	}
}

/* -- private leaves ------------------------------------------------------------------------------------ */

static uint64_t data_map(const struct kvm *kvm, const struct pt_leaf *leaf, uint64_t size)
{
	struct smc_args args = { .x = { 0, kvm_cca(kvm)->rd, leaf->address,
					leaf->address + leaf->size, RMI_ADDR_SINGLE,
					oaddr(leaf->hpa, size) } };

	return walk_call(kvm, RMI_RTT_DATA_MAP, &args, leaf->address, level_of(size));
}

static int map_ram(const struct kvm *kvm, const struct pt_leaf *leaf)
{
	uint64_t result;
	int rc;

	/* It is there already: a fault that raced, or one whose process died behind the call. */
	if (granule_state(leaf->hpa) == GRANULE_DATA)
		return 0;
	if (granule_state(leaf->hpa) == GRANULE_UNDELEGATED) {
		rc = cca_delegate(LANE_KVM, leaf->hpa, leaf->size);
		if (rc)
			return rc;
	}
	result = data_map(kvm, leaf, leaf->size);
	/* A part of the 2 MiB has a table of its own: page by page, then. */
	if (rmi_status(result) == RMI_ERROR_RTT && leaf->size > PHYS_PAGE)
		result = data_map(kvm, leaf, PHYS_PAGE);
	if (result)
		cca_undelegate(LANE_KVM, leaf->hpa, leaf->size);
	return cca_host_errno(result);
}

static int map_device(const struct kvm *kvm, const struct pt_leaf *leaf)
{
	uint64_t pdev, vdev = cca_vdev_of(leaf->hpa, &pdev);
	struct smc_args args = { .x = { 0, kvm_cca(kvm)->rd, vdev, leaf->address,
					leaf->address + leaf->size, RMI_ADDR_SINGLE,
					oaddr(leaf->hpa, leaf->size) } };
	uint64_t result;

	if (granule_state(leaf->hpa) == GRANULE_DEV)
		return 0;
	result = walk_call(kvm, RMI_RTT_DEV_MAP, &args, leaf->address, level_of(leaf->size));
	/* Not this Realm's, or not to be had now: for the client, a fault it has to solve. */
	return result ? (rmi_status(result) == RMI_BUSY ? -EBUSY : -EFAULT) : 0;
}

int cca_private_map(const struct kvm *kvm, const struct pt_leaf *leaf)
{
	return phys_is_mmio(leaf->hpa) ? map_device(kvm, leaf) : map_ram(kvm, leaf);
}

/* A range command does as much as it can: again, from where it came to. */
static uint64_t unmap_call(const struct kvm *kvm, enum rmi_command command, uint64_t ipa, uint64_t end)
{
	uint64_t at = ipa, result = 0;

	while (!result && at < end) {
		struct smc_args args = { .x = { 0, kvm_cca(kvm)->rd, at, end } };

		result = cca_call(command, &args, &at);
	}
	return result;
}

static int leaf_unmap(const struct kvm *kvm, const struct pt_leaf *leaf)
{
	bool device = phys_is_mmio(leaf->hpa);
	enum granule_state mapped = device ? GRANULE_DEV : GRANULE_DATA;
	uint64_t result = 0;

	/* In the mirror and not there: its process died between the two. */
	if (granule_state(leaf->hpa) == mapped)
		result = unmap_call(kvm, device ? RMI_RTT_DEV_UNMAP : RMI_RTT_DATA_UNMAP,
				    leaf->address, leaf->address + leaf->size);
	if (result)
		return -EBUSY;
	/* Device granules are the TSM driver's to give back. */
	if (!device && granule_state(leaf->hpa) == GRANULE_DELEGATED)
		cca_undelegate(LANE_KVM, leaf->hpa, leaf->size);
	pt_unmap(&kvm->mirror, leaf->address, leaf->size);
	return 0;
}

int cca_private_unmap(const struct kvm *kvm, uint64_t gpa, uint64_t end)
{
	struct pt_leaf leaf;
	int rc = 0;

	while (!rc && kvm_mirror_next(kvm, &gpa, end, &leaf))
		rc = leaf_unmap(kvm, &leaf);
	return rc;
}

/* -- the unprotected half ---------------------------------------------------------------------------- */

int cca_shared_mapped(const struct kvm *kvm, uint64_t gpa)
{
	struct smc_args args;
	struct pt_leaf leaf;
	struct cca_rtt_view view;
	uint64_t ipa, result;

	if (pt_walk(&kvm->ept, gpa, &leaf))
		return 0;
	cca_rtt_view(kvm_cca(kvm)->rd, gpa | CCA_UNPROTECTED, &view);
	if (view.hipas == HIPAS_ASSIGNED_NS)
		return 0;
	ipa = leaf.address | CCA_UNPROTECTED;
	args = (struct smc_args){ .x = { 0, kvm_cca(kvm)->rd, ipa, ipa + leaf.size, RMI_ADDR_SINGLE,
					 oaddr(leaf.hpa, leaf.size) } };
	result = walk_call(kvm, RMI_RTT_UNPROT_MAP, &args, ipa, level_of(leaf.size));
	if (rmi_status(result) != RMI_ERROR_RTT || leaf.size == PHYS_PAGE)
		return cca_host_errno(result);
	/* A part of the 2 MiB has a table of its own: this page alone, then. */
	ipa = gpa | CCA_UNPROTECTED;
	args = (struct smc_args){ .x = { 0, kvm_cca(kvm)->rd, ipa, ipa + PHYS_PAGE, RMI_ADDR_SINGLE,
					 leaf.hpa + (gpa - leaf.address) } };
	return cca_host_errno(walk_call(kvm, RMI_RTT_UNPROT_MAP, &args, ipa, RTT_LEAF));
}

/* Whole entries: what of one is not to go is mapped again at the next access. */
int cca_shared_unmapping(const struct kvm *kvm, uint64_t gpa, uint64_t len)
{
	uint64_t at = pt_next_mapped(&kvm->ept, gpa), end = gpa + len;

	while (at < end) {
		struct cca_rtt_view view;
		uint64_t ipa = at | CCA_UNPROTECTED;

		cca_rtt_view(kvm_cca(kvm)->rd, ipa, &view);
		ipa &= ~(view.size - 1);
		if (view.hipas == HIPAS_ASSIGNED_NS &&
		    unmap_call(kvm, RMI_RTT_UNPROT_UNMAP, ipa, ipa + view.size))
			return -EBUSY;
		if (view.hipas != HIPAS_ASSIGNED_NS)
			view.size = PHYS_PAGE;
		at = pt_next_mapped(&kvm->ept, (at & ~(view.size - 1)) + view.size);
	}
	return 0;
}

/* -- teardown ------------------------------------------------------------------------------------------ */

static void table_destroy(const struct kvm_cca *realm, const struct rtt_table *table)
{
	const struct rtt_table *const *link = &realm->tables;
	const struct rtt_table **w;

	if (table->granule && granule_state(table->granule) == GRANULE_RTT)
		cca_call(RMI_RTT_DESTROY,
			 &(struct smc_args){ .x = { 0, realm->rd, table->ipa, table->level } }, NULL);
	cca_granule_free(LANE_KVM, table->granule, PHYS_PAGE);
	while (*link != table)
		link = &(*link)->next;
	w = image_write(link);
	*w = table->next;
	image_free(table);
}

/* Deepest tables first. */
void cca_rtt_reclaim(const struct kvm *kvm)
{
	const struct kvm_cca *realm = kvm_cca(kvm);

	cca_private_unmap(kvm, 0, CCA_UNPROTECTED);
	cca_shared_unmapping(kvm, 0, CCA_UNPROTECTED);
	for (unsigned int level = RTT_LEAF; level; level--)
		for (const struct rtt_table *table = realm->tables, *next; table; table = next) {
			next = table->next;
			if (table->level == level)
				table_destroy(realm, table);
		}
}
