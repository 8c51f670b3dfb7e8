/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What both stages of the VMSAv8-64 descriptors have in common (Arm ARM D8.3), 4 KiB granule, 48
 * bits at most. Arm counts levels down to 3; here the lowest is 0. Hardware ignores bits 11:2 of a
 * descriptor that points to a table.
 */
#ifndef SWTIO_HARDWARE_PT_FMT_ARM_H
#define SWTIO_HARDWARE_PT_FMT_ARM_H

#include "hardware/pt.h"

#define FMT_VALID 0x0000000000000001ull
#define FMT_TABLE 0x0000000000000002ull		/* a table, or at the lowest level a page */
#define FMT_SHARED 0x0000000000000300ull	/* SH: inner shareable */
#define FMT_ACCESSED 0x0000000000000400ull	/* AF */
#define FMT_DBM 0x0008000000000000ull
#define FMT_ADDRESS 0x0000fffffffff000ull
#define FMT_WRITABLE_CLEAN FMT_DBM
#define FMT_NEEDS_ACCESSED true
#define FMT_COUNT_SHIFT 2
#define FMT_LEVELS_MIN 3u
#define FMT_LEVELS_MAX 4u

static inline bool fmt_present(uint64_t e)
{
	return e & FMT_VALID;
}

static inline bool fmt_is_leaf(uint64_t e, unsigned int level)
{
	return !level || !(e & FMT_TABLE);
}

static inline bool fmt_legal(uint64_t e, unsigned int level)
{
	uint64_t inside = FMT_ADDRESS & ((1ull << (12 + 9 * level)) - 1);

	return !level ? e & FMT_TABLE : e & FMT_TABLE || (level <= 2 && !(e & inside));
}

/* Only what may be written can become dirty. */
static inline uint64_t fmt_dbm(uint8_t prot)
{
	return prot & PT_TRACK && prot & PT_W ? FMT_DBM : 0;
}

static inline uint64_t fmt_type(unsigned int level)
{
	return FMT_VALID | (level ? 0 : FMT_TABLE);
}

#endif
