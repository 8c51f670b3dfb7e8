/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory and who owns it. Ownership is kept by page under 2 MiB blocks under 1 GiB tables; a block
 * of one owner has no pages array, and what belongs to the host throughout takes no memory.
 */
#include "hardware/phys_state.h"

#include <errno.h>

#define BLOCK_PAGES 512u
#define BLOCK_SHIFT 21
#define GIB_BLOCKS 512u
#define GIB_SHIFT 30

struct owner_block {
	const uint32_t *pages;		/* owner of each, or NULL */
	uint32_t owner;			/* of all, without pages */
	uint32_t owned;			/* pages with an owner other than 0 */
};

struct owner_gib {
	uint32_t used;			/* blocks with an owned page */
	struct owner_block block[GIB_BLOCKS];
};

int phys_power_on(void)
{
	const struct phys_state *phys;
	int rc = hw_root_create();

	if (rc || hw_root()->phys)
		return rc;
	phys = image_alloc(sizeof(*phys), IMAGE_TYPE_PHYS);
	if (!phys)
		return -ENOMEM;
	hw_set(&hw_root()->phys, phys);
	return 0;
}

/* -- owners ---------------------------------------------------------------------------------- */

/* Where the owner of a page is kept: RAM of the image, then MMIO; OWNER_SPAN: nowhere. */
static uint64_t owner_offset(uint64_t hpa)
{
	uint64_t offset = hpa - PHYS_ARENA;

	if (phys_is_mmio(hpa))
		return IMAGE_SPAN + (hpa - PHYS_MMIO);
	return offset < IMAGE_SPAN ? offset : OWNER_SPAN;
}

static const struct owner_gib *gib_of(uint64_t offset)
{
	const struct phys_state *phys = phys_state();

	return phys ? phys->gib[offset >> GIB_SHIFT] : NULL;
}

uint32_t phys_owner(uint64_t hpa)
{
	uint64_t offset = owner_offset(hpa);
	const struct owner_gib *gib = offset < OWNER_SPAN ? gib_of(offset) : NULL;
	const struct owner_block *block;

	if (!gib)
		return 0;
	block = &gib->block[offset >> BLOCK_SHIFT & (GIB_BLOCKS - 1)];
	return block->pages ? block->pages[offset / PHYS_PAGE % BLOCK_PAGES] : block->owner;
}

/* How many of the bytes at hpa have the owner of the first; at most len. */
static uint64_t owner_run(uint64_t hpa, uint64_t len)
{
	uint32_t owner = phys_owner(hpa);
	uint64_t at = hpa, end = hpa + len;

	while (at < end && phys_owner(at) == owner) {
		uint64_t offset = owner_offset(at);
		const struct owner_gib *gib = offset < OWNER_SPAN ? gib_of(offset) : NULL;
		uint64_t step = PHYS_1G;

		if (gib)
			step = gib->block[offset >> BLOCK_SHIFT & (GIB_BLOCKS - 1)].pages
				       ? PHYS_PAGE
				       : PHYS_2M;
		at = (at | (step - 1)) + 1;
	}
	return at < end ? at - hpa : len;
}

static const struct owner_gib *gib_make(uint64_t offset)
{
	const struct owner_gib *gib = gib_of(offset);

	if (gib)
		return gib;
	gib = image_alloc(sizeof(*gib), IMAGE_TYPE_PHYS);
	if (gib)
		hw_set(&phys_state()->gib[offset >> GIB_SHIFT], gib);
	return gib;
}

/* Gives a block an array of pages, so that a part of it can be set. */
static int block_open(uint64_t offset)
{
	const struct owner_gib *gib = gib_make(offset);
	const struct owner_block *block =
		gib ? &gib->block[offset >> BLOCK_SHIFT & (GIB_BLOCKS - 1)] : NULL;
	uint32_t *pages;

	if (!gib)
		return -ENOMEM;
	if (block->pages)
		return 0;
	pages = image_alloc(BLOCK_PAGES * sizeof(*pages), IMAGE_TYPE_PHYS);
	if (!pages)
		return -ENOMEM;
	for (unsigned int i = 0; i < BLOCK_PAGES; i++)
		pages[i] = block->owner;
	hw_set(&block->pages, (const uint32_t *)pages);
	return 0;
}

/* The whole block belongs to `owner` already. */
static bool block_is(uint64_t offset, uint32_t owner)
{
	const struct owner_gib *gib = gib_of(offset);
	const struct owner_block *block =
		gib ? &gib->block[offset >> BLOCK_SHIFT & (GIB_BLOCKS - 1)] : NULL;

	return block ? !block->pages && block->owner == owner : !owner;
}

/* Everything that can fail, for [offset, end). */
static int owner_prepare(uint64_t offset, uint64_t end, uint32_t owner)
{
	for (uint64_t at = offset; at < end; at = (at | (PHYS_2M - 1)) + 1) {
		bool whole = !(at % PHYS_2M) && end - at >= PHYS_2M;
		int rc = 0;

		if (!block_is(at, owner))
			rc = whole ? (gib_make(at) ? 0 : -ENOMEM) : block_open(at);
		if (rc)
			return rc;
	}
	return 0;
}

static void block_set(const struct owner_gib *gib, const struct owner_block *block,
		      unsigned int first, unsigned int count, uint32_t owner)
{
	uint32_t owned = block->owned, *pages;
	bool was = owned;

	if (count == BLOCK_PAGES) {
		owned = owner ? BLOCK_PAGES : 0;
	} else {
		pages = image_log(block->pages + first, count * sizeof(*pages));
		for (unsigned int i = 0; i < count; i++) {
			owned += !!owner - !!pages[i];
			pages[i] = owner;
		}
	}
	if (count == BLOCK_PAGES || !owned) {
		image_free(block->pages);
		hw_set(&block->pages, NULL);
		hw_set(&block->owner, owned ? owner : 0);
	}
	hw_set(&block->owned, owned);
	if (was != !!owned)
		hw_set(&gib->used, gib->used + !!owned - was);
}

int phys_owner_set(uint64_t hpa, uint64_t len, uint32_t owner)
{
	uint64_t offset = owner_offset(hpa), end = offset + len;
	uint64_t limit = phys_is_mmio(hpa) ? OWNER_SPAN : IMAGE_SPAN;
	int rc;

	if (!phys_state() || offset >= limit || len > limit - offset || (hpa | len) % PHYS_PAGE)
		return -EINVAL;
	rc = owner_prepare(offset, end, owner);
	if (rc)
		return rc;
	for (uint64_t at = offset, next; at < end; at = next) {
		const struct owner_gib *gib = gib_of(at);
		unsigned int first = at / PHYS_PAGE % BLOCK_PAGES;

		next = (at | (PHYS_2M - 1)) + 1;
		next = next < end ? next : end;
		if (block_is(at, owner))
			continue;
		block_set(gib, &gib->block[at >> BLOCK_SHIFT & (GIB_BLOCKS - 1)], first,
			  (unsigned int)((next - at) / PHYS_PAGE), owner);
		if (!gib->used) {
			hw_set(&phys_state()->gib[at >> GIB_SHIFT], NULL);
			image_free(gib);
		}
	}
	return 0;
}

/* -- accesses -------------------------------------------------------------------------------- */

/* What of the image is memory of the simulated host. The rest keeps the simulation itself, and no
 * address leads there, however wrong a host's tables are. Tables are there to be read: whoever
 * could write over one would have the host's own map and unmap write anywhere. */
enum host_memory { MEMORY_NONE, MEMORY_READ, MEMORY_WRITE };
static const uint8_t host_memory[IMAGE_TYPE_MAX] = {
	[IMAGE_TYPE_RAM] = MEMORY_WRITE,
	[IMAGE_TYPE_GUEST_MEMFD] = MEMORY_WRITE,
	[IMAGE_TYPE_KVM_VCPU] = MEMORY_WRITE,
	[IMAGE_TYPE_TDX_PAGE] = MEMORY_WRITE,
	[IMAGE_TYPE_SEV_PAGE] = MEMORY_WRITE,
	[IMAGE_TYPE_CCA_PAGE] = MEMORY_WRITE,
	[IMAGE_TYPE_PT_PAGE] = MEMORY_READ,
};

static uint64_t shorter(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* The stretch of host memory at hpa, at most len bytes; 0: none there. */
static uint64_t stretch(uint64_t hpa, uint64_t len, bool write, const void **ram)
{
	uint64_t page = shorter(len, PHYS_PAGE - hpa % PHYS_PAGE);
	enum image_type type;
	size_t bulk;

	if (hpa - PHYS_ARENA >= IMAGE_SPAN) {
		*ram = phys_ram(hpa, len);
		if (*ram)
			return len;
		*ram = phys_ram(hpa, page);
		return *ram ? page : 0;
	}
	*ram = phys_ram(hpa, page);
	bulk = *ram ? image_bulk_at(*ram, &type) : 0;
	return bulk && host_memory[type] >= (write ? MEMORY_WRITE : MEMORY_READ)
		       ? shorter(len, bulk)
		       : 0;
}

int phys_piece(uint64_t hpa, uint64_t len, uint32_t owner, bool write, uint64_t *run,
	       const void **ram)
{
	uint32_t holder = phys_owner(hpa);

	*run = stretch(hpa, len, write, ram);
	if (!*run) {
		*run = shorter(len, PHYS_PAGE - hpa % PHYS_PAGE);
		return -EFAULT;
	}
	*run = owner_run(hpa, *run);
	return !holder || holder == owner ? 0 : -EACCES;
}

enum access { ACCESS_READ, ACCESS_WRITE, ACCESS_WRITE_LOGGED };

static bool in_range(uint64_t hpa, uint64_t len)
{
	return hpa < PHYS_END && len <= PHYS_END - hpa;
}

static int access_ram(uint64_t hpa, uint8_t *data, uint64_t len, uint32_t owner, enum access access)
{
	int result = 0;

	for (uint64_t run; len; hpa += run, data += run, len -= run) {
		const void *ram;
		int rc = phys_piece(hpa, len, owner, access != ACCESS_READ, &run, &ram);

		if (!rc && access == ACCESS_WRITE_LOGGED && image_contains(ram, run))
			image_log(ram, run);
		if (!rc && access != ACCESS_READ)
			memcpy(phys_ram_write(ram, run), data, run);
		else if (!rc)
			memcpy(data, ram, run);
		else if (access == ACCESS_READ)
			memset(data, 0xff, run);
		result = result ? result : rc;
	}
	return result;
}

int phys_read(uint64_t hpa, void *to, uint64_t len, uint32_t owner)
{
	if (in_range(hpa, len))
		return access_ram(hpa, to, len, owner, ACCESS_READ);
	memset(to, 0xff, len);
	return -EFAULT;
}

/* The data of a write is only read. */
int phys_write(uint64_t hpa, const void *from, uint64_t len, uint32_t owner)
{
	return in_range(hpa, len)
		       ? access_ram(hpa, (uint8_t *)(uintptr_t)from, len, owner, ACCESS_WRITE)
		       : -EFAULT;
}

int phys_table_write(uint64_t hpa, const void *from, uint64_t len, uint32_t owner)
{
	return in_range(hpa, len)
		       ? access_ram(hpa, (uint8_t *)(uintptr_t)from, len, owner, ACCESS_WRITE_LOGGED)
		       : -EFAULT;
}

static void page_clear(const void *ram, uint64_t len, bool logged)
{
	bool ours = image_contains(ram, len);

	if (ours && !image_bulk_written(ram, len))
		return;
	if (ours && logged)
		image_log(ram, len);
	memset(phys_ram_write(ram, len), 0, len);
}

int phys_clear(uint64_t hpa, uint64_t len, uint32_t owner, bool logged)
{
	int result = 0;

	if (!in_range(hpa, len))
		return -EFAULT;
	for (uint64_t run; len; hpa += run, len -= run) {
		const void *ram;
		int rc = phys_piece(hpa, shorter(len, PHYS_PAGE - hpa % PHYS_PAGE), owner, true, &run, &ram);

		if (!rc)
			page_clear(ram, run, logged);
		result = result ? result : rc;
	}
	return result;
}

int phys_probe(uint64_t hpa, uint64_t len, uint32_t owner)
{
	int result = in_range(hpa, len) ? 0 : -EFAULT;

	for (uint64_t run; !result && len; hpa += run, len -= run) {
		const void *ram;

		result = phys_piece(hpa, len, owner, false, &run, &ram);
	}
	return result;
}
