/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest's pages in the RMP. The nested table is KVM's own: `ept` has what lies above vTOM, `mirror`
 * what lies below; what a page of either may be used for, the RMP says. MMIO goes into the RMP by
 * 4 KiB, immutable, as MMIO_VALIDATE wants it.
 */
#include <string.h>

#include "kernel/kvm/sev.h"

static struct rmp_entry entry_of(const struct kvm *kvm, const struct pt_leaf *leaf)
{
	bool mmio = phys_is_mmio(leaf->hpa);

	return (struct rmp_entry){ .gpa = leaf->address, .asid = kvm_sev(kvm)->asid,
				   .assigned = true, .immutable = mmio,
				   .large = !mmio && leaf->size == PHYS_2M };
}

static bool has_already(const struct kvm *kvm, const struct pt_leaf *leaf)
{
	struct rmp_entry entry = rmp_read(leaf->hpa);

	return entry.assigned && entry.asid == kvm_sev(kvm)->asid && entry.gpa == leaf->address;
}

int sev_private_map(const struct kvm *kvm, const struct pt_leaf *leaf)
{
	struct rmp_entry entry = entry_of(kvm, leaf);

	/* It is there already: a process died between the RMP and what it wrote down. */
	if (has_already(kvm, leaf))
		return 0;
	switch (rmpupdate(LANE_KVM, leaf->hpa, leaf->size / PHYS_PAGE, &entry)) {
	case RMP_OK:
		return 0;
	case RMP_NO_MEMORY:
		return -ENOMEM;
	default:
		return -EFAULT;
	}
}

/* RMPUPDATE refuses a page that is immutable: only the PSP gives it back. */
int sev_private_unmap(const struct kvm *kvm, uint64_t gpa, uint64_t end)
{
	const struct rmp_entry shared = { 0 };
	struct pt_leaf leaf;

	while (kvm_mirror_next(kvm, &gpa, end, &leaf)) {
		if (has_already(kvm, &leaf) &&
		    rmpupdate(LANE_KVM, leaf.hpa, leaf.size / PHYS_PAGE, &shared))
			return -EBUSY;
		pt_unmap(&kvm->mirror, leaf.address, leaf.size);
	}
	return 0;
}

void sev_rmp_reclaim(const struct kvm *kvm)
{
	sev_private_unmap(kvm, 0, UINT64_MAX);
}

/* -- launch ----------------------------------------------------------------------------------- */

static int launch_page(const struct kvm *kvm, uint64_t gpa, uint64_t from, uint8_t type,
		       enum sev_status *status)
{
	const struct kvm_slot *slot = kvm_slot_at(kvm, gpa, true);
	uint64_t hpa = slot && slot->kind == KVM_SLOT_GMEM && kvm_gpa_private(kvm, gpa) ?
			       gmem_page(slot, gpa) :
			       0;
	struct pt_leaf leaf = { .address = gpa, .hpa = hpa, .size = PHYS_PAGE };
	const struct sev_command args = { .gctx = kvm_sev(kvm)->gctx, .in = hpa,
					  .page_type = type };
	int rc;

	if (!hpa)
		return -EFAULT;
	if ((type == KVM_SEV_SNP_PAGE_TYPE_NORMAL || type == KVM_SEV_SNP_PAGE_TYPE_UNMEASURED) &&
	    copy_from_user(image_bulk_write(phys_ram(hpa, PHYS_PAGE), PHYS_PAGE), from, PHYS_PAGE))
		return -EFAULT;
	rc = kvm_mirror_add(kvm, gpa, hpa, PHYS_PAGE, false);
	if (rc)
		return rc == -EADDRINUSE ? -EEXIST : rc;
	rc = sev_private_map(kvm, &leaf);
	if (rc)
		return rc;
	*status = sev_host_command(LANE_KVM, SEV_CMD_SNP_LAUNCH_UPDATE, &args);
	return sev_host_errno(*status);
}

int sev_launch_pages(const struct kvm *kvm, const struct kvm_sev_snp_launch_update *update,
		     enum sev_status *status)
{
	int rc = 0;

	for (uint64_t at = 0; !rc && at < update->len; at += PHYS_PAGE)
		rc = launch_page(kvm, update->gfn_start * KVM_PAGE + at, update->uaddr + at,
				 update->type, status);
	return rc;
}
