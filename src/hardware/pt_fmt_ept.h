/* SPDX-License-Identifier: BSD-2-Clause */
/* EPT entries (Intel SDM volume 3, 29.3.2), 4 levels, without mode-based execute control. */
#ifndef SWTIO_HARDWARE_PT_FMT_EPT_H
#define SWTIO_HARDWARE_PT_FMT_EPT_H

#include "hardware/pt.h"

#define FMT_READ 0x0000000000000001ull
#define FMT_WRITE 0x0000000000000002ull
#define FMT_EXECUTE 0x0000000000000004ull
#define FMT_TYPE_WB 0x0000000000000030ull	/* memory type 6 in bits 5:3; 0 is uncached */
#define FMT_TYPE_MASK 0x0000000000000038ull
#define FMT_ACCESSED 0x0000000000000100ull
#define FMT_DIRTY 0x0000000000000200ull
#define FMT_ADDRESS 0x000ffffffffff000ull
#define FMT_LEVELS_MIN 4u
#define FMT_LEVELS_MAX 4u

#include "hardware/pt_fmt_ps.h"

static inline bool fmt_present(uint64_t e)
{
	return e & (FMT_READ | FMT_WRITE | FMT_EXECUTE);
}

/* Writable and not readable is a misconfiguration; execute-only is not offered. */
static inline bool fmt_prot_legal(uint8_t prot)
{
	return prot & PT_R;
}

static inline uint64_t fmt_leaf(uint64_t hpa, unsigned int level, uint8_t prot)
{
	return hpa | (prot & PT_R ? FMT_READ : 0) | (prot & PT_W ? FMT_WRITE : 0) |
	       (prot & PT_X ? FMT_EXECUTE : 0) | (prot & PT_UC ? 0 : FMT_TYPE_WB) |
	       (level ? FMT_PAGE_SIZE : 0);
}

static inline uint64_t fmt_table(uint64_t hpa, unsigned int level)
{
	(void)level;
	return hpa | FMT_READ | FMT_WRITE | FMT_EXECUTE;
}

static inline uint8_t fmt_leaf_prot(uint64_t e)
{
	return (uint8_t)((e & FMT_READ ? PT_R : 0) | (e & FMT_WRITE ? PT_W : 0) |
			 (e & FMT_EXECUTE ? PT_X : 0) | (e & FMT_TYPE_MASK ? 0 : PT_UC));
}

static inline uint8_t fmt_table_prot(uint64_t e)
{
	return (uint8_t)(PT_UC | PT_SNOOP | (e & FMT_READ ? PT_R : 0) | (e & FMT_WRITE ? PT_W : 0) |
			 (e & FMT_EXECUTE ? PT_X : 0));
}

#endif
