/* SPDX-License-Identifier: BSD-2-Clause */
/* VMSAv8-64 stage 2 (Arm ARM D8.3.2). A table restricts nothing below it. */
#ifndef SWTIO_HARDWARE_PT_FMT_ARM_S2_H
#define SWTIO_HARDWARE_PT_FMT_ARM_S2_H

#include "hardware/pt_fmt_arm.h"

#define FMT_MEMORY 0x000000000000003cull	/* MemAttr: write-back inside and out */
#define FMT_DEVICE 0x0000000000000004ull	/* MemAttr: device nGnRE */
#define FMT_ATTR_MASK 0x000000000000003cull
#define FMT_READ 0x0000000000000040ull		/* S2AP[0] */
#define FMT_WRITE 0x0000000000000080ull		/* S2AP[1] */
#define FMT_XN 0x0040000000000000ull

static inline bool fmt_prot_legal(uint8_t prot)
{
	return prot & (PT_R | PT_W);
}

static inline uint64_t fmt_leaf(uint64_t hpa, unsigned int level, uint8_t prot)
{
	return hpa | fmt_type(level) | FMT_ACCESSED | (prot & PT_R ? FMT_READ : 0) |
	       (prot & PT_W ? FMT_WRITE : 0) | (prot & PT_X ? 0 : FMT_XN) |
	       (prot & PT_UC ? FMT_DEVICE : FMT_MEMORY | FMT_SHARED) | fmt_dbm(prot);
}

static inline uint64_t fmt_table(uint64_t hpa, unsigned int level)
{
	(void)level;
	return hpa | FMT_VALID | FMT_TABLE;
}

static inline uint8_t fmt_leaf_prot(uint64_t e)
{
	return (uint8_t)((e & FMT_READ ? PT_R : 0) | (e & FMT_WRITE ? PT_W : 0) |
			 (e & FMT_XN ? 0 : PT_X) |
			 ((e & FMT_ATTR_MASK) == FMT_DEVICE ? PT_UC : 0) |
			 (e & FMT_DBM ? PT_TRACK : 0));
}

static inline uint8_t fmt_table_prot(uint64_t e)
{
	(void)e;
	return 0xff;
}

/* With DBM, not writable means clean. */
static inline bool fmt_is_dirty(uint64_t e)
{
	return e & FMT_DBM && e & FMT_WRITE;
}

static inline uint64_t fmt_written(uint64_t e)
{
	return e & FMT_DBM ? e | FMT_WRITE : e;
}

static inline uint64_t fmt_cleaned(uint64_t e)
{
	return e & ~FMT_WRITE;
}

#endif
