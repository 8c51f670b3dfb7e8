/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The IOMMU. Contexts are looked up by requester id; translations are cached in the IOTLB. Every
 * entry carries the generation of its domain, so that an invalidation of the domain is one
 * increment, whatever it covers.
 */
#include "hardware/iommu_state.h"
#include "hardware/platform.h"

#include <errno.h>

struct iommu_stats iommu_statistics;

int iommu_power_on(void)
{
	struct iommu *mmu;

	if (iommu())
		return 0;
	mmu = image_alloc(sizeof(*mmu), IMAGE_TYPE_IOMMU_DOMAIN);
	if (!mmu)
		return -ENOMEM;
	mmu->all_generation = 1;
	image_root_set(IMAGE_ROOT_IOMMU, mmu);
	return 0;
}

/* VT-d 11.4.2: what of it this model has. */
uint64_t iommu_cap(void)
{
	return 4ull			/* ND: 4096 domains */
	       | 0xcull << 8		/* SAGAW: 4 and 5 levels */
	       | 56ull << 16		/* MGAW: 57 bits */
	       | 3ull << 34		/* SSLPS: 2 MiB and 1 GiB */
	       | 1ull << 39		/* PSI */
	       | 18ull << 48		/* MAMV */
	       | 3ull << 54;		/* DWD, DRD */
}

/* VT-d 11.4.3. */
uint64_t iommu_ecap(void)
{
	return 1ull			/* C: walks are coherent */
	       | 1ull << 1		/* QI */
	       | 3ull << 3		/* IR, EIM */
	       | 1ull << 7		/* SC */
	       | 19ull << 35		/* PSS: 20 bits */
	       | 1ull << 40		/* PASID */
	       | 1ull << 43		/* SMTS */
	       | 1ull << 45		/* SSADS */
	       | 1ull << 46;		/* SSTS */
}

/* AMD 48882, 3.4.2; bit 1 of the second says SEV-TIO (?). */
uint64_t iommu_efr(unsigned int n)
{
	return n ? 1ull << 1
		 : 1ull			/* PREF */
		   | 1ull << 1		/* PPR */
		   | 1ull << 2		/* XT */
		   | 1ull << 3		/* NX */
		   | 1ull << 4		/* GT: guest tables, up to 5 levels and 3 of PASIDs */
		   | 1ull << 6		/* IA */
		   | 1ull << 10		/* HATS: host tables of 5 levels */
		   | 1ull << 12		/* GATS */
		   | 2ull << 14		/* GLX */
		   | 19ull << 32	/* PASmax: 20 bits */
		   | IOMMU_EFR_HD | 1ull << 63;	/* SNP */
}

/* -- contexts -------------------------------------------------------------------------------- */

const struct iommu_requester *iommu_requester_find(uint16_t rid)
{
	const struct iommu *mmu = iommu();
	const struct iommu_bus *bus = mmu ? mmu->bus[rid >> 8] : NULL;

	return bus ? &bus->requester[rid & 0xff] : NULL;
}

const struct iommu_requester *iommu_requester_get(uint16_t rid)
{
	const struct iommu *mmu = iommu();
	const struct iommu_bus *bus;

	if (!mmu)
		return NULL;
	bus = mmu->bus[rid >> 8];
	if (!bus) {
		bus = image_alloc(sizeof(*bus), IMAGE_TYPE_IOMMU_DOMAIN);
		if (!bus)
			return NULL;
		hw_set(&mmu->bus[rid >> 8], bus);
	}
	return &bus->requester[rid & 0xff];
}

static const struct iommu_pasid *pasid_find(const struct iommu_requester *r, uint32_t pasid)
{
	const struct iommu_pasid *p = r->pasids;

	while (p && p->pasid != pasid)
		p = p->next;
	return p;
}

static const struct iommu_context *pasid_get(const struct iommu_requester *r, uint32_t pasid)
{
	const struct iommu_pasid *p = pasid_find(r, pasid);
	struct iommu_pasid *new;

	if (p)
		return &p->context;
	new = image_alloc(sizeof(*new), IMAGE_TYPE_IOMMU_DOMAIN);
	if (!new)
		return NULL;
	new->pasid = pasid;
	new->next = r->pasids;
	hw_set(&r->pasids, (const struct iommu_pasid *)new);
	return &new->context;
}

static void pasid_drop(const struct iommu_requester *r, uint32_t pasid)
{
	const struct iommu_pasid *const *link = &r->pasids, *p;

	while (*link && (*link)->pasid != pasid)
		link = &(*link)->next;
	p = *link;
	if (p) {
		hw_set(link, p->next);
		image_free(p);
	}
}

/* What a requester's caches hold of its contexts goes with the old one. */
int iommu_context_store(uint16_t rid, uint32_t pasid, const struct iommu_context *new)
{
	bool block = new->mode == IOMMU_BLOCK;
	const struct iommu_requester *r =
		block ? iommu_requester_find(rid) : iommu_requester_get(rid);
	const struct iommu_context *context;
	const struct iommu_nested_context *old;

	if (!r)
		return block ? 0 : -ENOMEM;
	if (block && pasid != TLP_NO_PASID && !pasid_find(r, pasid))
		return 0;
	context = pasid == TLP_NO_PASID ? &r->context : pasid_get(r, pasid);
	if (!context)
		return -ENOMEM;
	old = context->nested;
	iommu_pasid_flush(rid, old && old->set.pasid_levels ? IOMMU_ALL_PASIDS : pasid);
	image_free(old);
	if (block && pasid != TLP_NO_PASID)
		pasid_drop(r, pasid);
	else
		hw_set(context, *new);
	tlp_drain();
	return 0;
}

int iommu_context_set(uint16_t rid, uint32_t pasid, enum iommu_mode mode, const struct pt *pt,
		      uint16_t did)
{
	struct iommu_context new = { .mode = (uint8_t)mode, .did = did };

	if (did >= DIDS || mode > IOMMU_BAD_ENTRY || (mode == IOMMU_SECOND_STAGE && !pt))
		return -EINVAL;
	if (mode == IOMMU_SECOND_STAGE) {
		new.root = pt->root;
		new.format = pt->format;
		new.levels = pt->levels;
	}
	return iommu_context_store(rid, pasid, &new);
}

int iommu_did_alloc(void)
{
	const struct iommu *mmu = iommu();

	for (unsigned int did = 1; mmu && did < DIDS; did++) {
		if (mmu->did_used[did])
			continue;
		hw_set(&mmu->did_used[did], 1);
		return (int)did;
	}
	return -ENOSPC;
}

void iommu_did_free(int did)
{
	if (did <= 0 || did >= (int)DIDS)
		return;
	hw_set(&iommu()->did_used[did], 0);
	iommu_tracking_set((uint16_t)did, false);
}

void iommu_tracking_set(uint16_t did, bool on)
{
	const struct iommu *mmu = iommu();

	if (mmu && did < DIDS && mmu->tracks[did] != on)
		hw_set(&mmu->tracks[did], on);
}

void iommu_iotlb_flush(uint16_t did, uint64_t first, uint64_t last)
{
	const struct iommu *mmu = iommu();

	if (!mmu || did >= DIDS || first > last)
		return;
	hw_set(&mmu->generation[did], mmu->generation[did] + 1);
	tlp_drain();
}

void iommu_iotlb_flush_all(void)
{
	const struct iommu *mmu = iommu();

	if (!mmu)
		return;
	hw_set(&mmu->all_generation, mmu->all_generation + 1);
	tlp_drain();
}

void iommu_caches_enable(bool on)
{
	hw_set(&iommu()->uncached, !on);
	iommu_iotlb_flush_all();
}

int iommu_trusted_set(uint16_t rid, uint64_t root, uint32_t owner, bool present)
{
	const struct iommu_requester *r = iommu_requester_get(rid);
	struct iommu_requester *w;

	if (!r)
		return -ENOMEM;
	w = image_write(r);
	w->root = root;
	w->owner = owner;
	w->trusted = present && root;
	tlp_drain();
	return 0;
}

void iommu_realm_table_set(uint64_t l1)
{
	if (iommu())
		hw_set(&iommu()->realm_table, l1);
}

uint64_t iommu_realm_table(void)
{
	return iommu() ? iommu()->realm_table : 0;
}

uint64_t iommu_trusted_epoch(void)
{
	const struct iommu *mmu = iommu();

	return mmu ? mmu->trusted_epoch : 0;
}

void iommu_trusted_flush(uint16_t rid)
{
	const struct iommu_requester *r = iommu_requester_find(rid);
	const struct iommu *mmu = iommu();

	if (r)
		hw_set(&r->generation, r->generation + 1);
	if (mmu)
		hw_set(&mmu->trusted_epoch, mmu->trusted_epoch + 1);
	tlp_drain();
}

void iommu_stats(struct iommu_stats *stats)
{
	*stats = iommu_statistics;
}

/* -- translation ----------------------------------------------------------------------------- */

void iommu_tlb_fill(const struct tlb_entry *slot, uint64_t page, uint64_t key, uint32_t generation,
		    const struct pt_leaf *leaf, uint32_t owner)
{
	struct tlb_entry *e;

	if (iommu()->uncached)
		return;
	e = image_write(slot);

	e->page = page;
	e->hpa = leaf->hpa | (leaf->prot & TLB_PROT) | (uint64_t)__builtin_ctzll(leaf->size) << 6;
	e->key = key;
	e->generation = generation;
	e->owner = owner;
}

/* An unmapped address and a missing permission are the same to second-stage translation. */
static inline unsigned int denied(const struct tlp *tlp)
{
	return tlp->type == TLP_MEM_READ ? FAULT_READ : FAULT_WRITE;
}

static inline unsigned int permit(const struct tlp *tlp, const struct pt_leaf *leaf)
{
	return leaf->prot & (tlp->type == TLP_MEM_READ ? PT_R : PT_W) ? 0 : denied(tlp);
}

/* What is cached of a leaf that hardware has not seen written to must not let a write pass. */
static unsigned int walk_host(const struct iommu *mmu, const struct tlp *tlp,
			      const struct iommu_context *context, const struct tlb_entry *slot,
			      struct pt_leaf *leaf)
{
	uint32_t generation = mmu->generation[context->did] + mmu->all_generation;
	bool write = tlp->type != TLP_MEM_READ, tracks = mmu->tracks[context->did];

	iommu_statistics.misses++;
	if (tlp->address >> (12 + 9 * context->levels))
		return FAULT_ADDRESS_WIDTH;
	if (tracks)
		pt_mark((enum pt_format)context->format, context->root, context->levels,
			tlp->address, write);
	if (pt_walk_root((enum pt_format)context->format, context->root, context->levels,
			 tlp->address, leaf))
		return denied(tlp);
	iommu_statistics.walk_reads += leaf->reads;
	if (tracks && !write)
		leaf->prot &= (uint8_t)~PT_W;
	iommu_tlb_fill(slot, tlp->address >> 12, context->did, generation, leaf, 0);
	return permit(tlp, leaf);
}

static unsigned int translate_trusted(const struct iommu *mmu, const struct tlp *tlp,
				      const struct iommu_requester *r, struct pt_leaf *leaf,
				      uint32_t *owner)
{
	uint64_t key = KEY_TRUSTED | tlp->rid;
	uint32_t generation;
	const struct tlb_entry *e = tlb_slot(mmu, tlp->address >> 12, key);

	if (!r || !r->trusted)
		return FAULT_NO_CONTEXT;
	generation = r->generation + mmu->all_generation;
	if (tlb_holds(e, tlp->address >> 12, key, generation)) {
		iommu_statistics.hits++;
		tlb_leaf(e, leaf);
		*owner = e->owner;
		return permit(tlp, leaf);
	}
	iommu_statistics.misses++;
	*owner = r->owner;
	if (trusted_walk(r->root, tlp->address, leaf, owner))
		return denied(tlp);
	iommu_statistics.walk_reads += leaf->reads;
	iommu_tlb_fill(e, tlp->address >> 12, key, generation, leaf, *owner);
	return permit(tlp, leaf);
}

static unsigned int identity(const struct tlp *tlp, struct pt_leaf *leaf)
{
	if (tlp->address >= PHYS_END)
		return FAULT_ADDRESS_WIDTH;
	leaf->address = leaf->hpa = tlp->address & ~(PHYS_1G - 1);
	leaf->size = PHYS_1G;
	leaf->prot = PT_R | PT_W;
	leaf->reads = 0;
	return 0;
}

/* All its PASIDs are the guest's: it has a table of them. */
static inline bool context_has_table(const struct iommu_context *context)
{
	return context->nested && context->nested->set.pasid_levels;
}

unsigned int iommu_translate_host(const struct iommu *mmu, const struct tlp *tlp,
				  const struct iommu_requester *r, struct pt_leaf *leaf)
{
	const struct iommu_context *context = r ? &r->context : NULL;
	const struct tlb_entry *e;
	uint32_t generation;

	if (r && tlp->pasid != TLP_NO_PASID && !context_has_table(context)) {
		const struct iommu_pasid *p = pasid_find(r, tlp->pasid);

		context = p ? &p->context : NULL;
	}
	if (!context || context->mode == IOMMU_BLOCK)
		return FAULT_NO_CONTEXT;
	if (context->nested)
		return iommu_translate_nested(mmu, tlp, context->nested, leaf);
	if (context->mode == IOMMU_BAD_ENTRY)
		return FAULT_BAD_ENTRY;
	if (context->mode == IOMMU_IDENTITY)
		return identity(tlp, leaf);
	generation = mmu->generation[context->did] + mmu->all_generation;
	e = tlb_slot(mmu, tlp->address >> 12, context->did);
	if (!tlb_holds(e, tlp->address >> 12, context->did, generation) ||
	    (mmu->tracks[context->did] && tlp->type != TLP_MEM_READ && !(e->hpa & PT_W)))
		return walk_host(mmu, tlp, context, e, leaf);
	iommu_statistics.hits++;
	tlb_leaf(e, leaf);
	return permit(tlp, leaf);
}

/* 0, or the reason of the fault. */
static inline unsigned int translate(const struct tlp *tlp, struct pt_leaf *leaf, uint32_t *owner)
{
	const struct iommu *mmu = iommu();
	const struct iommu_requester *r = iommu_requester_find(tlp->rid);

	*owner = 0;
	if (__builtin_expect(!tlp->t, 1))
		return iommu_translate_host(mmu, tlp, r, leaf);
	return machine_platform() == PLATFORM_SEV ? iommu_translate_sev(mmu, tlp, r, leaf, owner) :
						    translate_trusted(mmu, tlp, r, leaf, owner);
}

enum tlp_status iommu_translate(const struct tlp *tlp, struct pt_leaf *leaf, uint32_t *owner)
{
	unsigned int reason = translate(tlp, leaf, owner);

	if (__builtin_expect(!reason, 1))
		return TLP_SC;
	iommu_statistics.faults++;
	iommu_violation(tlp, reason);
	kernel_iommu_fault(tlp->rid, tlp->pasid, tlp->t, tlp->address, tlp->type != TLP_MEM_READ,
			   reason);
	return TLP_BLOCKED;
}

bool iommu_foresee(const struct tlp *tlp, struct pt_leaf *leaf, uint32_t *owner)
{
	return !translate(tlp, leaf, owner);
}
