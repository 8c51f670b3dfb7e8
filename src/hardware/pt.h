/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Page tables in hardware formats. A format is a handful of inline primitives (pt_fmt_*.h); the
 * algorithms (pt_algo.h) are written once and compiled for each format. Table pages are RAM of the
 * image, so that walkers read what the hardware would read.
 */
#ifndef SWTIO_HARDWARE_PT_H
#define SWTIO_HARDWARE_PT_H

#include "hardware/phys.h"

enum pt_format {
	PT_VTD_SS,		/* VT-d second stage, 4 or 5 levels */
	PT_EPT,			/* EPT, 4 levels: same shape, other permission bits */
	PT_MOCK,		/* of the mock IOMMU: pages of 2 KiB */
	PT_X86,			/* VT-d first stage and AMD guest tables, 4 or 5 levels */
	PT_AMD_V1,		/* AMD host tables, 3 to 5 levels */
	PT_ARM_S1,		/* VMSAv8-64 stage 1, 4 KiB granule, 3 or 4 levels */
	PT_ARM_S2,		/* stage 2, likewise */
	PT_FORMAT_MAX
};

/* Properties of a mapping. PT_TRACK: hardware notes writes, in formats where that is said per leaf. */
enum { PT_R = 1, PT_W = 2, PT_X = 4, PT_UC = 8, PT_SNOOP = 16, PT_TRACK = 32 };

struct pt {			/* embed; in the image */
	uint8_t format;		/* enum pt_format */
	uint8_t levels;
	uint8_t leaf_level_max;	/* no larger leaves than this level's; pt_init(): the format's */
	bool tracks;		/* what is mapped is PT_TRACK */
	uint64_t root;		/* HPA of the top table */
	uint64_t pages;		/* table pages in use */
};

struct pt_leaf {
	uint64_t address;	/* first I/O or guest address the leaf covers */
	uint64_t hpa;		/* where it goes */
	uint64_t size;		/* 4 KiB, 2 MiB or 1 GiB */
	uint8_t prot;
	uint8_t reads;		/* memory reads the walk took */
};

/* An entry as hardware meets it in memory that somebody else writes. `accessed` and `written` are
 * what it writes back after a read and after a write, where that differs. */
enum { PT_UPDATE_ACCESSED = 1, PT_UPDATE_DIRTY = 2 };
struct pt_entry {
	uint64_t address;	/* of the table or of the leaf */
	uint64_t accessed, written;
	uint8_t prot;		/* of the leaf, or what the table lets through */
	bool leaf;
};
/* Levels from 0, where leaves are 4 KiB. 0, -ENOENT not present, -EPROTO reserved bits or an
 * illegal leaf, -EACCES not accessed before and hardware may not say that it is now. */
int pt_decode(enum pt_format format, uint64_t e, unsigned int level, unsigned int updates,
	      struct pt_entry *entry);

/* 0, -EINVAL no such format or number of levels, -ENOMEM. */
int pt_init(const struct pt *pt, enum pt_format format, unsigned int levels);
void pt_destroy(const struct pt *pt);
/* Maps [address, +len) to contiguous hpa with the largest leaves that fit; all or nothing.
 * 0, -EINVAL unaligned or out of range, -EADDRINUSE something is there, -ENOMEM. */
int pt_map(const struct pt *pt, uint64_t address, uint64_t hpa, uint64_t len, uint8_t prot);
/* Unmaps what is there, splitting large leaves at the ends; returns bytes that were mapped. When
 * memory for a split is out, the whole leaf goes: never is anything left mapped that was to go. */
uint64_t pt_unmap(const struct pt *pt, uint64_t address, uint64_t len);
int pt_walk(const struct pt *pt, uint64_t address, struct pt_leaf *leaf);	/* 0 or -ENOENT */
/* The walk a device does: from a root HPA, reading memory. */
int pt_walk_root(enum pt_format format, uint64_t root, unsigned int levels, uint64_t address,
		 struct pt_leaf *leaf);
uint64_t pt_next_mapped(const struct pt *pt, uint64_t address);	/* UINT64_MAX: none */
uint64_t pt_page_sizes(enum pt_format format);	/* bitmap of sizes */
uint64_t pt_page(const struct pt *pt);		/* the smallest of them */

/* Dirty leaves of a range, in order: fn hears of the part of each that lies in the range. */
struct pt_dirty {
	bool clear;
	void (*fn)(void *arg, uint64_t first, uint64_t last);	/* NULL: nobody asks */
	void *arg;
};
void pt_dirty_read(const struct pt *pt, uint64_t first, uint64_t last,
		   const struct pt_dirty *dirty);
/* What hardware that keeps accessed and dirty bits does at a request, if the tables permit it. */
void pt_mark(enum pt_format format, uint64_t root, unsigned int levels, uint64_t address,
	     bool write);

#endif
