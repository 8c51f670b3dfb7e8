/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * AMD I/O page table entries, version 1 (AMD IOMMU 2.2.3). An entry says itself at which level the
 * table it points to is: 0 is a leaf. Levels are not skipped here, and leaves are of natural size.
 * No ten bits are left to software in an entry that points to a table, so entries are not counted.
 */
#ifndef SWTIO_HARDWARE_PT_FMT_AMD_V1_H
#define SWTIO_HARDWARE_PT_FMT_AMD_V1_H

#include "hardware/pt.h"

#define FMT_PRESENT 0x0000000000000001ull
#define FMT_ACCESSED 0x0000000000000020ull
#define FMT_DIRTY 0x0000000000000040ull
#define FMT_NEXT_LEVEL 0x0000000000000e00ull
#define FMT_NEXT_LEVEL_SHIFT 9
#define FMT_COHERENT 0x1000000000000000ull
#define FMT_READ 0x2000000000000000ull
#define FMT_WRITE 0x4000000000000000ull
#define FMT_ADDRESS 0x000ffffffffff000ull
#define FMT_WRITABLE_CLEAN 0ull
#define FMT_NEEDS_ACCESSED false
#define FMT_LEVELS_MIN 3u
#define FMT_LEVELS_MAX 5u	/* of 6: more than 57 bits no device has */

static inline bool fmt_present(uint64_t e)
{
	return e & FMT_PRESENT;
}

static inline bool fmt_is_leaf(uint64_t e, unsigned int level)
{
	return !level || !(e & FMT_NEXT_LEVEL);
}

static inline bool fmt_legal(uint64_t e, unsigned int level)
{
	uint64_t next = (e & FMT_NEXT_LEVEL) >> FMT_NEXT_LEVEL_SHIFT;
	uint64_t inside = FMT_ADDRESS & ((1ull << (12 + 9 * level)) - 1);

	return next ? next == level : level <= 2 && !(e & inside);
}

static inline bool fmt_prot_legal(uint8_t prot)
{
	return prot & (PT_R | PT_W);
}

static inline uint64_t fmt_leaf(uint64_t hpa, unsigned int level, uint8_t prot)
{
	(void)level;
	return hpa | FMT_PRESENT | (prot & PT_R ? FMT_READ : 0) | (prot & PT_W ? FMT_WRITE : 0) |
	       (prot & PT_SNOOP ? FMT_COHERENT : 0);
}

static inline uint64_t fmt_table(uint64_t hpa, unsigned int level)
{
	return hpa | FMT_PRESENT | FMT_READ | FMT_WRITE | (uint64_t)level << FMT_NEXT_LEVEL_SHIFT;
}

static inline uint8_t fmt_leaf_prot(uint64_t e)
{
	return (uint8_t)((e & FMT_READ ? PT_R : 0) | (e & FMT_WRITE ? PT_W : 0) |
			 (e & FMT_COHERENT ? PT_SNOOP : 0));
}

static inline uint8_t fmt_table_prot(uint64_t e)
{
	return (uint8_t)(PT_X | PT_UC | PT_SNOOP | (e & FMT_READ ? PT_R : 0) |
			 (e & FMT_WRITE ? PT_W : 0));
}

static inline bool fmt_is_dirty(uint64_t e)
{
	return e & FMT_DIRTY;
}

static inline uint64_t fmt_written(uint64_t e)
{
	return e | FMT_DIRTY;
}

static inline uint64_t fmt_cleaned(uint64_t e)
{
	return e & ~FMT_DIRTY;
}

#endif
