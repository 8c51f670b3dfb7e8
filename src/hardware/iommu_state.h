/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The IOMMU's state, for iommu.c, iommu_nested.c, iommu_pasid.c and iommu_pri.c. Caches are part of
 * the image because a stale entry is part of the host's state. Nobody translates while an
 * invalidation runs: both happen under the image's lock.
 */
#ifndef SWTIO_HARDWARE_IOMMU_STATE_H
#define SWTIO_HARDWARE_IOMMU_STATE_H

#include "hardware/hardware.h"
#include "hardware/iommu.h"

#define DIDS 4096u			/* CAP.ND says 12 bits */
#define TLB_ENTRIES 1024u
#define STRUCTURE_ENTRIES 256u
#define CONFIG_ENTRIES 64u

/* Where a first stage begins, once the PASID table was read: tag is the PASID, or the ASID. */
struct iommu_stage1 {
	uint64_t root;		/* GPA */
	uint32_t tag;
	uint8_t format, levels, updates;
	bool bypass;		/* no first stage */
};

struct iommu_nested_context {
	struct iommu_nested set;
	struct iommu_stage1 stage1;	/* when there is no PASID table */
};

struct iommu_context {
	uint64_t root;
	const struct iommu_nested_context *nested;	/* or NULL */
	uint16_t did;
	uint8_t mode;		/* enum iommu_mode, or MODE_NESTED */
	uint8_t format, levels;
};
#define MODE_NESTED (IOMMU_BAD_ENTRY + 1)

struct iommu_pasid {
	const struct iommu_pasid *next;
	uint32_t pasid;
	struct iommu_context context;
};

struct iommu_requester {
	struct iommu_context context;
	const struct iommu_pasid *pasids;
	uint64_t root;		/* of the trusted second stage */
	uint32_t owner;
	uint32_t generation;	/* of its trusted entries */
	bool trusted;
	const struct iommu_sdte *sdte;	/* SEV; NULL: not valid */
	bool page_requests;
};

struct iommu_bus {
	struct iommu_requester requester[256];
};

/* Keys of cached translations: a domain, and of a first stage the tag; or a trusted requester. */
#define KEY_STAGE1 (1ull << 40)
#define KEY_TRUSTED (1ull << 41)
#define KEY_TAG_SHIFT 16
#define KEY_LEVEL_SHIFT 48

struct tlb_entry {
	uint64_t page;		/* address / 4 KiB */
	uint64_t hpa;		/* of the leaf; bits 4:0 properties, bits 11:6 log2 of its size */
	uint64_t key;
	uint32_t generation;
	uint32_t owner;
};
#define TLB_PROT 0x1fu
#define TLB_SIZE(hpa) (1ull << ((hpa) >> 6 & 0x3f))

/* A paging-structure cache entry: where a table of a first stage is, for a walk to begin there. */
struct structure_entry {
	uint64_t prefix;	/* of the addresses it serves */
	uint64_t key;		/* with the table's level above KEY_LEVEL_SHIFT */
	uint64_t table;		/* HPA; bits 4:0 what the tables above let through */
	uint32_t generation;
	uint32_t spare;
};
#define STRUCTURE_UPDATABLE 0x20u	/* of `table`: the second stage lets it be written */

/* What a PASID table said (PASID cache, configuration cache). */
struct config_entry {
	uint64_t key;		/* CONFIG_KEY(), 0: free */
	uint32_t generation;
	uint32_t spare;
	struct iommu_stage1 stage1;
};
#define CONFIG_KEY(rid, pasid) ((uint64_t)(pasid) << 16 | (rid) | 1ull << 63)

struct iommu {
	const struct iommu_bus *bus[256];
	uint64_t trusted_epoch;
	uint64_t realm_table;		/* of an SMMU: the Realm stream table's first level */
	uint32_t all_generation;	/* added to each domain's: invalidates everything */
	bool uncached;
	uint32_t generation[DIDS];
	uint8_t did_used[DIDS];
	bool tracks[DIDS];		/* second stages: accessed and dirty bits are kept */
	struct tlb_entry tlb[TLB_ENTRIES];
	struct tlb_entry stage2[TLB_ENTRIES];	/* of GPAs, for nested walks */
	struct structure_entry structures[STRUCTURE_ENTRIES];
	struct config_entry configs[CONFIG_ENTRIES];
};

extern struct iommu_stats iommu_statistics;	/* of this process: diagnostics, not host state */

static inline const struct iommu *iommu(void)
{
	return image_root(IMAGE_ROOT_IOMMU);
}

static inline unsigned int tlb_hash(uint64_t page, uint64_t key)
{
	return (page ^ page >> 18 ^ (key ^ key >> 32) * 0x9e3779b1u >> 16) & (TLB_ENTRIES - 1);
}

static inline const struct tlb_entry *tlb_slot(const struct iommu *mmu, uint64_t page, uint64_t key)
{
	return &mmu->tlb[tlb_hash(page, key)];
}

static inline bool tlb_holds(const struct tlb_entry *e, uint64_t page, uint64_t key,
			     uint32_t generation)
{
	return e->page == page && e->key == key && e->generation == generation;
}

static inline void tlb_leaf(const struct tlb_entry *e, struct pt_leaf *leaf)
{
	uint64_t size = TLB_SIZE(e->hpa);

	leaf->address = e->page << 12 & ~(size - 1);
	leaf->hpa = e->hpa & ~0xfffull;
	leaf->size = size;
	leaf->prot = e->hpa & TLB_PROT;
	leaf->reads = 0;
}

int iommu_context_store(uint16_t rid, uint32_t pasid, const struct iommu_context *context);
void iommu_tlb_fill(const struct tlb_entry *slot, uint64_t page, uint64_t key, uint32_t generation,
		    const struct pt_leaf *leaf, uint32_t owner);

const struct iommu_requester *iommu_requester_find(uint16_t rid);	/* NULL: never set up */
const struct iommu_requester *iommu_requester_get(uint16_t rid);	/* NULL: no memory */

/* All answer 0 or an enum iommu_reason. */
/* T=0, or what of a T=1 request goes through the host's tables: the context's, whatever it is. */
unsigned int iommu_translate_host(const struct iommu *mmu, const struct tlp *tlp,
				  const struct iommu_requester *r, struct pt_leaf *leaf);
unsigned int iommu_translate_sev(const struct iommu *mmu, const struct tlp *tlp,
				 const struct iommu_requester *r, struct pt_leaf *leaf,
				 uint32_t *owner);
unsigned int iommu_translate_nested(const struct iommu *mmu, const struct tlp *tlp,
				    const struct iommu_nested_context *context,
				    struct pt_leaf *leaf);
/* Through the second stage of a nested context; *reads grows by what it took. */
unsigned int iommu_stage2(const struct iommu *mmu, const struct iommu_nested *set, uint64_t gpa,
			  struct pt_leaf *leaf, uint64_t *reads);
/* `len` bytes of the guest's tables at gpa, within a page. */
unsigned int iommu_guest_read(const struct iommu *mmu, const struct iommu_nested *set, uint64_t gpa,
			      void *to, uint64_t len, uint64_t *reads);
unsigned int iommu_pasid_find(const struct iommu *mmu, const struct tlp *tlp,
			      const struct iommu_nested_context *context,
			      const struct iommu_stage1 **stage1);

/* SEV: a refused request of a function whose trusted DMA is on takes its whole guest's DMA away. */
void iommu_violation(const struct tlp *tlp, unsigned int reason);

#endif
