/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The IOMMU: VT-d scalable mode as far as second-stage translation goes, its IOTLB, and the trusted
 * half that TDX Connect adds (DMAR tables only firmware writes). T=0 requests take the host's
 * context entry, T=1 requests the trusted one. Faults go up through kernel_iommu_fault().
 */
#ifndef SWTIO_HARDWARE_IOMMU_H
#define SWTIO_HARDWARE_IOMMU_H

#include "hardware/function.h"
#include "hardware/pt.h"

int iommu_power_on(void);

/* Capability registers as GET_HW_INFO reports them (VT-d 11.4.2, 11.4.3). */
uint64_t iommu_cap(void);
uint64_t iommu_ecap(void);

enum iommu_mode { IOMMU_BLOCK, IOMMU_IDENTITY, IOMMU_SECOND_STAGE };

/* Host-owned context of (rid, pasid); pasid TLP_NO_PASID is the requests without PASID. `did` names
 * the domain in the IOTLB. 0 or -ENOMEM. */
int iommu_context_set(uint16_t rid, uint32_t pasid, enum iommu_mode mode, const struct pt *pt,
		      uint16_t did);
int iommu_did_alloc(void);			/* > 0, or -ENOSPC */
void iommu_did_free(int did);
/* Invalidation waits out accesses in flight before it returns. last inclusive. */
void iommu_iotlb_flush(uint16_t did, uint64_t first, uint64_t last);
void iommu_iotlb_flush_all(void);

/* Trusted context: firmware only. `root` is what trusted_walk() walks (the S-EPT's top page,
 * or a platform's own). A zero root disables it. 0 or -ENOMEM. */
int iommu_trusted_set(uint16_t rid, uint64_t root, uint32_t owner, bool present);
uint64_t iommu_trusted_epoch(void);		/* completed trusted IOTLB invalidations */
void iommu_trusted_flush(uint16_t rid);

/* How this platform walks a trusted second stage: 0, -ENOENT absent or not mapped, -EACCES an abort
 * that the guest itself takes (no exit). *owner says who
 * asks (a vCPU's or a TDI's owner number), and then whose memory it is. */
int trusted_walk(uint64_t root, uint64_t gpa, struct pt_leaf *leaf, uint32_t *owner);
/* ... of which TDX's is defined by the module, which knows the state bits of its leaves. */
int tdx_trusted_walk(uint64_t root, uint64_t gpa, struct pt_leaf *leaf, uint32_t *owner);

struct iommu_stats { uint64_t hits, misses, faults, walk_reads; };
void iommu_stats(struct iommu_stats *stats);

/* As iommu_translate(), for an address that is not accessed yet: a refusal is no fault. */
bool iommu_foresee(const struct tlp *tlp, struct pt_leaf *leaf, uint32_t *owner);
/* Translation proper: used by tlp.c. TLP_SC or TLP_BLOCKED. */
enum tlp_status iommu_translate(const struct tlp *tlp, struct pt_leaf *leaf, uint32_t *owner);

#endif
