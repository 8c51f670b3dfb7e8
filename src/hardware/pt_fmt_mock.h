/* SPDX-License-Identifier: BSD-2-Clause */
/* Paging entries of the mock IOMMU: the shape of VT-d's second stage with pages of 2 KiB, half of
 * a page of the CPU, so that tests see what alignment below that does. */
#ifndef SWTIO_HARDWARE_PT_FMT_MOCK_H
#define SWTIO_HARDWARE_PT_FMT_MOCK_H

#include "hardware/pt.h"

#define FMT_PAGE_SHIFT 11u
#define FMT_READ 0x0000000000000001ull
#define FMT_WRITE 0x0000000000000002ull
#define FMT_DIRTY 0x0000000000000200ull
#define FMT_ACCESSED 0ull
#define FMT_ADDRESS 0x000ffffffffff800ull
#define FMT_LEVELS_MIN 3u
#define FMT_LEVELS_MAX 3u

#include "hardware/pt_fmt_ps.h"

static inline bool fmt_present(uint64_t e)
{
	return e & (FMT_READ | FMT_WRITE);
}

static inline bool fmt_prot_legal(uint8_t prot)
{
	return prot & (PT_R | PT_W);
}

static inline uint64_t fmt_leaf(uint64_t hpa, unsigned int level, uint8_t prot)
{
	return hpa | (prot & PT_R ? FMT_READ : 0) | (prot & PT_W ? FMT_WRITE : 0) |
	       (level ? FMT_PAGE_SIZE : 0);
}

static inline uint64_t fmt_table(uint64_t hpa, unsigned int level)
{
	(void)level;
	return hpa | FMT_READ | FMT_WRITE;
}

static inline uint8_t fmt_leaf_prot(uint64_t e)
{
	return (uint8_t)((e & FMT_READ ? PT_R : 0) | (e & FMT_WRITE ? PT_W : 0));
}

static inline uint8_t fmt_table_prot(uint64_t e)
{
	(void)e;
	return PT_R | PT_W | PT_X | PT_UC | PT_SNOOP;
}

#endif
