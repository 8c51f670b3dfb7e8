/* SPDX-License-Identifier: BSD-2-Clause */
/* VMSAv8-64 stage 1 (Arm ARM D8.3.1), as SMMUv3 walks it for an unprivileged stream. */
#ifndef SWTIO_HARDWARE_PT_FMT_ARM_S1_H
#define SWTIO_HARDWARE_PT_FMT_ARM_S1_H

#include "hardware/pt_fmt_arm.h"

#define FMT_MEMORY 0x0000000000000004ull	/* AttrIndx 1: write-back, as Linux sets up the MAIR */
#define FMT_DEVICE 0x0000000000000008ull	/* AttrIndx 2 */
#define FMT_ATTR_MASK 0x000000000000001cull
#define FMT_UNPRIVILEGED 0x0000000000000040ull	/* AP[1] */
#define FMT_READ_ONLY 0x0000000000000080ull	/* AP[2] */
#define FMT_NOT_GLOBAL 0x0000000000000800ull
#define FMT_NO_EXECUTE 0x0060000000000000ull	/* PXN, UXN */
#define FMT_UXN 0x0040000000000000ull
#define FMT_TABLE_UXN 0x1000000000000000ull
#define FMT_TABLE_PRIVILEGED 0x2000000000000000ull	/* APTable[0] */
#define FMT_TABLE_READ_ONLY 0x4000000000000000ull	/* APTable[1] */

static inline bool fmt_prot_legal(uint8_t prot)
{
	return prot & PT_R;
}

static inline uint64_t fmt_leaf(uint64_t hpa, unsigned int level, uint8_t prot)
{
	return hpa | fmt_type(level) | FMT_ACCESSED | FMT_NOT_GLOBAL | FMT_UNPRIVILEGED |
	       FMT_SHARED | (prot & PT_UC ? FMT_DEVICE : FMT_MEMORY) |
	       (prot & PT_W ? 0 : FMT_READ_ONLY) | (prot & PT_X ? 0 : FMT_NO_EXECUTE) |
	       fmt_dbm(prot);
}

static inline uint64_t fmt_table(uint64_t hpa, unsigned int level)
{
	(void)level;
	return hpa | FMT_VALID | FMT_TABLE;
}

static inline uint8_t fmt_leaf_prot(uint64_t e)
{
	if (!(e & FMT_UNPRIVILEGED))
		return 0;
	return (uint8_t)(PT_R | (e & FMT_READ_ONLY ? 0 : PT_W) | (e & FMT_UXN ? 0 : PT_X) |
			 ((e & FMT_ATTR_MASK) == FMT_DEVICE ? PT_UC : 0) |
			 (e & FMT_DBM ? PT_TRACK : 0));
}

static inline uint8_t fmt_table_prot(uint64_t e)
{
	if (e & FMT_TABLE_PRIVILEGED)
		return 0;
	return (uint8_t)(PT_R | PT_UC | PT_SNOOP | (e & FMT_TABLE_READ_ONLY ? 0 : PT_W) |
			 (e & FMT_TABLE_UXN ? 0 : PT_X));
}

/* With DBM, read-only means clean. */
static inline bool fmt_is_dirty(uint64_t e)
{
	return e & FMT_DBM && !(e & FMT_READ_ONLY);
}

static inline uint64_t fmt_written(uint64_t e)
{
	return e & FMT_DBM ? e & ~FMT_READ_ONLY : e;
}

static inline uint64_t fmt_cleaned(uint64_t e)
{
	return e | FMT_READ_ONLY;
}

#endif
