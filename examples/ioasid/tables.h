/* SPDX-License-Identifier: BSD-2-Clause */
/* A guest's own I/O page tables, which it builds in its own memory, in the three formats. */
#ifndef EXAMPLES_IOASID_TABLES_H
#define EXAMPLES_IOASID_TABLES_H

#include "example.h"

/* What an entry that points to a table says, and one that maps a page for reading and writing. */
struct guest_format {
	const char *name;
	uint32_t format;		/* enum ioasid_format */
	uint64_t table, page;
};
static const struct guest_format guest_formats[] = {
	{ "VT-d first stage", IOASID_FORMAT_VTD, 0x7, 0x7 },
	{ "SMMUv3 stage 1", IOASID_FORMAT_SMMUV3, 0x3, 0x443 },
	{ "AMD guest table", IOASID_FORMAT_AMD, 0x7, 0x7 },
};

static uint64_t table_next = 0x800000;	/* GPA of the next free table page */

static inline uint64_t table_new(void)
{
	uint64_t gpa = table_next;

	table_next += PAGE;
	memset(gpa_to_hva(gpa), 0, PAGE);
	return gpa;
}

/* The entry of the lowest table for an address; the tables on the way are made when missing. */
static inline uint64_t *table_entry(const struct guest_format *f, uint64_t root, uint64_t address)
{
	uint64_t at = root;

	for (int level = 3; level; level--) {
		uint64_t *e = (uint64_t *)gpa_to_hva(at) + (address >> (12 + 9 * level) & 511);

		if (!*e)
			*e = table_new() | f->table;
		at = *e & 0x0000fffffffff000ull;
	}
	return (uint64_t *)gpa_to_hva(at) + (address >> 12 & 511);
}

static inline void table_map(const struct guest_format *f, uint64_t root, uint64_t address,
			     uint64_t gpa)
{
	*table_entry(f, root, address) = gpa | f->page;
}

static inline int invalidate(int ioasid_fd, uint32_t ioasid, uint64_t addr, uint64_t size)
{
	struct ioasid_invalidate inv = { .ioasid = ioasid, .addr = addr, .size = size };

	return ioctl(ioasid_fd, IOASID_INVALIDATE_CACHE, &inv);
}

#endif
