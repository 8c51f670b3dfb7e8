/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest for tests of nested translation: memory behind a second stage of 4 KiB leaves, and tables
 * that it builds itself, by hand from the formats' manuals.
 */
#ifndef TESTS_HARDWARE_GUEST_TABLES_H
#define TESTS_HARDWARE_GUEST_TABLES_H

#include "machine.h"

#define GPA 0x40000000ull
#define GPA_PAGES 512u
#define PARENT_DID 1
#define CHILD_DID 2

static uint8_t *guest_ram;		/* at GPA */
static const struct pt *parent;
static unsigned int guest_used;		/* pages that tables took */

static UNUSED void guest_up(enum pt_format format)
{
	struct pt *pt = image_alloc(sizeof(*pt), IMAGE_TYPE_IOMMU_DOMAIN);

	guest_ram = image_bulk_alloc(GPA_PAGES * PHYS_PAGE, IMAGE_TYPE_RAM);
	assert_non_null(guest_ram);
	image_bulk_write(guest_ram, GPA_PAGES * PHYS_PAGE);
	assert_int_equal(pt_init(pt, format, 4), 0);
	pt->leaf_level_max = 0;
	assert_int_equal(pt_map(pt, GPA, phys_of(guest_ram), GPA_PAGES * PHYS_PAGE, PT_R | PT_W),
			 0);
	parent = pt;
	guest_used = 0;
}

static UNUSED uint64_t guest_page(void)
{
	assert_true(guest_used < GPA_PAGES);
	return GPA + guest_used++ * PHYS_PAGE;
}

static UNUSED uint64_t *guest_word(uint64_t gpa)
{
	return (uint64_t *)(uintptr_t)(guest_ram + (gpa - GPA));
}

/* How each format says "table" and "page that may be written, by anybody, and was". */
struct guest_format {
	enum iommu_tables tables;
	uint64_t table, page, write_set, write_clear;
};
static const struct guest_format guest_x86 = { IOMMU_TABLES_VTD, 0x7, 0x67, 0x2, 0 },
				 guest_arm = { IOMMU_TABLES_SMMUV3, 0x3, 0x443, 0, 0x80 };

static UNUSED uint64_t guest_leaf(const struct guest_format *f, uint64_t gpa, bool write)
{
	return (gpa | f->page | (write ? 0 : f->write_clear)) & ~(write ? 0 : f->write_set);
}

/* Where the entry for `address` at `level` is, its tables made on the way. */
static UNUSED uint64_t guest_slot(const struct guest_format *f, uint64_t root, unsigned int levels,
				  uint64_t address, unsigned int level)
{
	uint64_t at = root;

	for (unsigned int l = levels - 1;; l--) {
		uint64_t slot = at + (address >> (12 + 9 * l) & 511) * 8;

		if (l == level)
			return slot;
		if (!*guest_word(slot))
			*guest_word(slot) = guest_page() | f->table;
		at = *guest_word(slot) & 0x0000fffffffff000ull;
	}
}

static UNUSED void guest_map(const struct guest_format *f, uint64_t root, uint64_t address,
			     uint64_t gpa)
{
	*guest_word(guest_slot(f, root, 4, address, 0)) = guest_leaf(f, gpa, true);
}

static UNUSED struct iommu_nested nested_of(enum iommu_tables tables, uint64_t root)
{
	return (struct iommu_nested){ .parent = parent, .root = root, .parent_did = PARENT_DID,
				      .did = CHILD_DID, .tables = (uint8_t)tables, .levels = 4 };
}

/* The HPA that a request reaches; 0: refused, with the reason in seen.reason. */
static UNUSED uint64_t reach(uint16_t rid, uint32_t pasid, uint64_t address, bool write)
{
	struct tlp tlp = { .type = write ? TLP_MEM_WRITE : TLP_MEM_READ, .rid = rid, .pasid = pasid,
			   .address = address, .len = 8 };
	struct pt_leaf leaf;
	uint32_t owner;

	if (iommu_translate(&tlp, &leaf, &owner) != TLP_SC)
		return 0;
	return leaf.hpa + (address - leaf.address);
}

static UNUSED struct iommu_stats reads_since(const struct iommu_stats *before)
{
	struct iommu_stats now;

	iommu_stats(&now);
	return (struct iommu_stats){ .hits = now.hits - before->hits,
				     .misses = now.misses - before->misses,
				     .walk_reads = now.walk_reads - before->walk_reads,
				     .context_reads = now.context_reads - before->context_reads,
				     .pasid_reads = now.pasid_reads - before->pasid_reads };
}

#endif
