/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Host-physical memory. An address (HPA) names a page by identity: one address a page, whatever its
 * names, below 2^52.
 *
 *	arena window	PHYS_ARENA + offset in the image: guest RAM, page tables, all host RAM
 *	MMIO window	PHYS_MMIO..: BARs, assigned by the power-on enumeration or the OS
 *	client windows	PHYS_CLIENT..: 1 GiB each, pages of a client process, by (owner, address)
 *
 * The memory controller also knows, for each page of RAM and MMIO, which TEE owns it (the platform's
 * PAMT, RMP or GPT says so). That is what stops host CPU accesses and T=0 DMA; see phys_read().
 */
#ifndef SWTIO_HARDWARE_PHYS_H
#define SWTIO_HARDWARE_PHYS_H

#include "image/image.h"

#define PHYS_MMIO	0x002000000000ull	/* 64 GiB of BARs */
#define PHYS_MMIO_END	0x003000000000ull
#define PHYS_ARENA	0x010000000000ull	/* HPA = PHYS_ARENA + (pointer - IMAGE_BASE) */
#define PHYS_ARENA_END	(PHYS_ARENA + IMAGE_SPAN)
#define PHYS_CLIENT	0x100000000000ull
#define PHYS_END	(1ull << 52)
#define PHYS_PAGE	4096u
#define PHYS_2M		(2ull << 20)
#define PHYS_1G		(1ull << 30)

static inline uint64_t phys_of(const void *p)	/* p in the image */
{
	return PHYS_ARENA + ((uint64_t)(uintptr_t)p - IMAGE_BASE);
}

static inline bool phys_is_mmio(uint64_t hpa)
{
	return hpa >= PHYS_MMIO && hpa < PHYS_MMIO_END;
}

int phys_power_on(void);

/* RAM behind [hpa, hpa+len) as a pointer in this process, or NULL (MMIO, hole, other process).
 * Inline, since every step of every walk asks. */
const void *phys_client_ram(uint64_t hpa, uint64_t len);
static inline const void *phys_ram(uint64_t hpa, uint64_t len)
{
	uint64_t offset = hpa - PHYS_ARENA;
	const void *p = (const void *)(uintptr_t)(IMAGE_BASE + offset);

	if (offset >= IMAGE_SPAN)
		return phys_client_ram(hpa, len);
	return image_contains(p, len) ? p : NULL;
}

/* Who owns a page of RAM or MMIO: 0 the host, else a TEE's owner number (TDX: TD id << 1 | 1 for TD control
 * pages of the module, even for TD private memory; the firmware lane decides). */
int phys_owner_set(uint64_t hpa, uint64_t len, uint32_t owner);	/* 0, -EINVAL, -ENOMEM */
uint32_t phys_owner(uint64_t hpa);
/* What is not owned is there for all. */
static inline bool phys_owned_by_other(uint64_t hpa, uint32_t owner)
{
	uint32_t holder = phys_owner(hpa);

	return holder && holder != owner;
}

/* A CPU or device access to RAM in the name of `owner` (0: host or T=0). 0; -EFAULT not RAM of the
 * simulated host (freed, MMIO, the simulation's own, and for writes page tables);
 * -EACCES the page belongs to somebody else: reads give ones, writes are dropped. */
int phys_read(uint64_t hpa, void *to, uint64_t len, uint32_t owner);
int phys_write(uint64_t hpa, const void *from, uint64_t len, uint32_t owner);
/* As phys_write(), and undone with the call: for what firmware keeps in pages donated to it. */
int phys_table_write(uint64_t hpa, const void *from, uint64_t len, uint32_t owner);
/* Writes zeroes, undone with the call if `logged`. What was never written is not touched. */
int phys_clear(uint64_t hpa, uint64_t len, uint32_t owner, bool logged);
int phys_probe(uint64_t hpa, uint64_t len, uint32_t owner);	/* what phys_read() would answer */

/* Client memory, for `swtio exec`: the HPA of the page at `address` of `owner` (a task id or file
 * id), allocating a window on first use; 0 when out of memory. */
uint64_t phys_client(uint32_t owner, uint64_t address);
void phys_client_forget(uint32_t owner);
/* Process-local: this process reaches [address, +len) of owner at `local`, until told otherwise.
 * Whole pages; local NULL takes it away. 0, -EINVAL, -ENOMEM. */
int phys_client_reach(uint32_t owner, uint64_t address, uint64_t len, void *local);
bool phys_client_here(uint64_t hpa, uint64_t len);	/* reached already, as phys_ram() would */
/* The first thing reached by way of [local, +len) of this process: whose, and which part of it. */
struct phys_reach { uint32_t owner; uint64_t address, len; void *local; };
bool phys_client_by_way_of(const void *local, uint64_t len, struct phys_reach *found);
void phys_client_unreach(uint32_t below);		/* everything of owners below this one */
/* Upward: an access found that this process does not reach a client's memory. True: it does now. */
bool kernel_client_reach(uint32_t owner, uint64_t address);

#endif
