/* SPDX-License-Identifier: BSD-2-Clause */
/* What formats have in common in which bit 7 marks a large leaf and a bit says that a leaf is
 * dirty. A format includes this after its constants. */
#ifndef SWTIO_HARDWARE_PT_FMT_PS_H
#define SWTIO_HARDWARE_PT_FMT_PS_H

#define FMT_PAGE_SIZE 0x0000000000000080ull	/* of a level above the lowest: a leaf */
#define FMT_WRITABLE_CLEAN 0ull			/* no bit says that hardware may make it writable */
#define FMT_NEEDS_ACCESSED false
#define FMT_COUNT_SHIFT 52
#ifndef FMT_PAT
#define FMT_PAT 0ull
#endif

static inline bool fmt_is_leaf(uint64_t e, unsigned int level)
{
	return !level || e & FMT_PAGE_SIZE;
}

static inline bool fmt_legal(uint64_t e, unsigned int level)
{
	uint64_t inside = FMT_ADDRESS & ((1ull << (12 + 9 * level)) - 1) & ~FMT_PAT;

	return !level || !(e & FMT_PAGE_SIZE) || (level <= 2 && !(e & inside));
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
