/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * x86-64 long-mode entries as an IOMMU walks them: VT-d first stage (VT-d 9.7 to 9.9) and AMD guest
 * tables below a GCR3 (AMD IOMMU 2.2.6). Requests are made with user privilege.
 */
#ifndef SWTIO_HARDWARE_PT_FMT_X86_H
#define SWTIO_HARDWARE_PT_FMT_X86_H

#include "hardware/pt.h"

#define FMT_PRESENT 0x0000000000000001ull
#define FMT_WRITE 0x0000000000000002ull
#define FMT_USER 0x0000000000000004ull
#define FMT_UNCACHED 0x0000000000000018ull	/* PWT and PCD: strong uncacheable */
#define FMT_ACCESSED 0x0000000000000020ull
#define FMT_DIRTY 0x0000000000000040ull
#define FMT_PAT 0x0000000000001000ull		/* of a large leaf, in what is address elsewhere */
#define FMT_NO_EXECUTE 0x8000000000000000ull
#define FMT_ADDRESS 0x000ffffffffff000ull
#define FMT_LEVELS_MIN 4u
#define FMT_LEVELS_MAX 5u

#include "hardware/pt_fmt_ps.h"

static inline bool fmt_present(uint64_t e)
{
	return e & FMT_PRESENT;
}

static inline bool fmt_prot_legal(uint8_t prot)
{
	return prot & PT_R;
}

static inline uint64_t fmt_leaf(uint64_t hpa, unsigned int level, uint8_t prot)
{
	return hpa | FMT_PRESENT | FMT_USER | (prot & PT_W ? FMT_WRITE : 0) |
	       (prot & PT_UC ? FMT_UNCACHED : 0) | (prot & PT_X ? 0 : FMT_NO_EXECUTE) |
	       (level ? FMT_PAGE_SIZE : 0);
}

static inline uint64_t fmt_table(uint64_t hpa, unsigned int level)
{
	(void)level;
	return hpa | FMT_PRESENT | FMT_WRITE | FMT_USER;
}

static inline uint8_t fmt_leaf_prot(uint64_t e)
{
	if (!(e & FMT_USER))
		return 0;
	return (uint8_t)(PT_R | (e & FMT_WRITE ? PT_W : 0) | (e & FMT_NO_EXECUTE ? 0 : PT_X) |
			 ((e & FMT_UNCACHED) == FMT_UNCACHED ? PT_UC : 0));
}

static inline uint8_t fmt_table_prot(uint64_t e)
{
	if (!(e & FMT_USER))
		return 0;
	return (uint8_t)(PT_R | PT_UC | PT_SNOOP | (e & FMT_WRITE ? PT_W : 0) |
			 (e & FMT_NO_EXECUTE ? 0 : PT_X));
}

#endif
