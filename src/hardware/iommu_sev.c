/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SEV-TIO's half of the IOMMU: secure device table entries. T=1 requests go through the table of the
 * host's ordinary entry; then the RMP decides in the name of the ASID. Nothing the RMP said is cached:
 * a page may be taken away at any time.
 */
#include "hardware/iommu_state.h"
#include "hardware/rmp.h"
#include "image/mutant.h"

#include <errno.h>

int iommu_sdte_set(uint16_t rid, const struct iommu_sdte *sdte)
{
	const struct iommu_requester *r = iommu_requester_get(rid);
	struct iommu_sdte *w;

	if (!r)
		return -ENOMEM;
	if (!r->sdte && sdte->valid) {
		w = image_alloc(sizeof(*w), IMAGE_TYPE_IOMMU_DOMAIN);
		if (!w)
			return -ENOMEM;
		hw_set(&r->sdte, (const struct iommu_sdte *)w);
	}
	if (r->sdte && sdte->valid) {
		hw_set(r->sdte, *sdte);
	} else if (r->sdte) {
		image_free(r->sdte);
		hw_set(&r->sdte, NULL);
	}
	iommu_trusted_flush(rid);
	return 0;
}

struct iommu_sdte iommu_sdte(uint16_t rid)
{
	const struct iommu_requester *r = iommu_requester_find(rid);

	return r && r->sdte ? *r->sdte : (struct iommu_sdte){ 0 };
}

static unsigned int denied(const struct tlp *tlp)
{
	return tlp->type == TLP_MEM_READ ? FAULT_READ : FAULT_WRITE;
}

unsigned int iommu_translate_sev(const struct iommu *mmu, const struct tlp *tlp,
				 const struct iommu_requester *r, struct pt_leaf *leaf,
				 uint32_t *owner)
{
	const struct iommu_sdte *sdte = r ? r->sdte : NULL;
	unsigned int reason;
	bool shared;

	if (!sdte && mutant(MUTANT_SDTE_IGNORED))
		return iommu_translate_host(mmu, tlp, r, leaf);
	if (!sdte || !sdte->valid)
		return FAULT_NO_CONTEXT;
	if (rmp_fence(sdte->asid)->dma && !mutant(MUTANT_IGNORE_FENCE))
		return FAULT_FENCED;
	shared = sdte->vtom_en && tlp->address >= sdte->vtom;
	reason = iommu_translate_host(mmu, tlp, r, leaf);
	if (reason)
		return reason;
	*owner = shared ? 0 : RMP_OWNER(sdte->asid);
	if (!(tlp->type == TLP_MEM_READ ? sdte->read : sdte->write))
		return denied(tlp);
	return rmp_dma_admits(leaf, tlp->address, shared ? 0 : sdte->asid) ? 0 : denied(tlp);
}

void iommu_violation(const struct tlp *tlp, unsigned int reason)
{
	struct iommu_sdte sdte = iommu_sdte(tlp->rid);

	if (tlp->t && sdte.valid && reason != FAULT_FENCED)
		rmp_fence_raise(sdte.asid, tlp->rid, false);
}

void iommu_insecure(uint16_t rid)
{
	struct iommu_sdte sdte = iommu_sdte(rid);

	if (sdte.valid)
		rmp_fence_raise(sdte.asid, rid, false);
}
