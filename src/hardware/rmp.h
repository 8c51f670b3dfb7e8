/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The reverse map table of SEV-SNP (APM volume 2, 15.36): for each page of memory and MMIO who has
 * it, and at which guest address. The hypervisor changes entries by RMPUPDATE, a guest by PVALIDATE,
 * the PSP as it likes; every access of CPU and device is held against them. Also what SEV-TIO adds
 * in hardware: the fences of an ASID.
 *
 * Marked (?): no public source says how IMMUTABLE changes with validation. Here the hypervisor sets
 * it, validation clears it, and only the PSP gives a page without it back.
 */
#ifndef SWTIO_HARDWARE_RMP_H
#define SWTIO_HARDWARE_RMP_H

#include "hardware/pt.h"
#include "trace/trace.h"

#define RMP_ASID_MAX 63u
#define RMP_OWNER_FIRMWARE 1u		/* phys owner of a firmware page */
#define RMP_OWNER(asid) (0x100u + (asid))	/* ... of a guest's */
#define RMP_ASID_OF(owner) ((owner) > 0x100u ? (owner) - 0x100u : 0u)
#define RMP_VTOM (1ull << 47)		/* addresses from here on are shared */

struct rmp_entry {
	uint64_t gpa;
	uint16_t asid;			/* 0 while assigned: a firmware page */
	uint16_t lost;			/* ASID of the guest that had this MMIO page validated */
	bool assigned, validated, immutable;
	bool large;			/* one entry for 2 MiB */
};

/* The entry of a page; all zero: the hypervisor's. */
struct rmp_entry rmp_read(uint64_t hpa);

/* RMPUPDATE of pages 4 KiB pages (one entry each, or one of 2 MiB with `large`), by the host; traced
 * from that lane. What was validated no longer is. A page not assigned any more is zeroed. */
enum rmp_status { RMP_OK, RMP_FAIL_INPUT, RMP_FAIL_PERMISSION, RMP_FAIL_INUSE, RMP_FAIL_OVERLAP,
	RMP_NO_MEMORY };
enum rmp_status rmpupdate(enum lane from, uint64_t hpa, uint64_t pages,
			  const struct rmp_entry *state);
const char *rmp_status_name(enum rmp_status status);

/* The PSP's own way to an entry. Logged, not traced. */
void rmp_validated_set(uint64_t hpa, bool validated, bool immutable);
void rmp_immutable_clear(uint64_t hpa);

struct vcpu_hw;
/* PVALIDATE: 0, -EAGAIN an exit (nothing is mapped there), 1 no change (CF), -EINVAL
 * FAIL_INPUT, -EDOM FAIL_SIZEMISMATCH. */
int rmp_pvalidate(const struct vcpu_hw *vcpu, uint64_t gpa, unsigned int level, bool validate);

/* The walk of a vCPU's private access: the nested table, then the RMP. As trusted_walk(); -EACCES:
 * the ASID's MMIO is fenced. */
int rmp_trusted_walk(uint64_t root, uint64_t gpa, struct pt_leaf *leaf, uint32_t *owner);
/* Does a leaf that a guest's trusted DMA found lead to the guest's own page at that address? Cuts
 * the leaf down to what one entry says. */
bool rmp_dma_admits(struct pt_leaf *leaf, uint64_t address, uint16_t asid);

/* -- fences of an ASID ----------------------------------------------------------------------- */
enum rmp_fence_dma { RMP_DMA_FREE = 0, RMP_DMA_ERROR = 1, RMP_DMA_DEFAULT = 3 };
enum rmp_fence_mmio { RMP_MMIO_FREE = 0, RMP_MMIO_FENCED = 3 };
struct rmp_fence { uint8_t dma, mmio; uint16_t rid; };	/* rid: who violated */
const struct rmp_fence *rmp_fence(uint16_t asid);
void rmp_fence_raise(uint16_t asid, uint16_t rid, bool mmio);
void rmp_fence_clear(uint16_t asid);

#endif
