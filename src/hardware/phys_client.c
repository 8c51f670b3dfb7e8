/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory of client processes. The image gives each 1 GiB of a client's addresses a window of
 * host-physical ones; how a process gets at the bytes is its own table and not in the image.
 */
#include "hardware/phys_state.h"

#include <errno.h>
#include <stdlib.h>

#define WINDOW_SHIFT 30
#define WINDOWS_MAX ((PHYS_END - PHYS_CLIENT) >> WINDOW_SHIFT)

struct reach {			/* sorted by owner, then address; they do not overlap */
	uint32_t owner;
	uint64_t address, len;
	uint8_t *local;
};

static struct {
	struct reach *at;
	size_t count, room;
} reaches;			/* this process's */

static int windows_grow(const struct phys_state *phys)
{
	uint32_t room = phys->window_room ? phys->window_room * 2 : 16;
	struct client_window *larger;

	if (room > WINDOWS_MAX)
		return -ENOMEM;
	larger = image_alloc(room * sizeof(*larger), IMAGE_TYPE_PHYS);
	if (!larger)
		return -ENOMEM;
	if (phys->window_count)
		memcpy(larger, phys->windows, phys->window_count * sizeof(*larger));
	image_free(phys->windows);
	hw_set(&phys->windows, (const struct client_window *)larger);
	hw_set(&phys->window_room, room);
	return 0;
}

uint64_t phys_client(uint32_t owner, uint64_t address)
{
	const struct phys_state *phys = phys_state();
	uint64_t number = address >> WINDOW_SHIFT;
	uint32_t at, spare = UINT32_MAX;

	if (!phys || !owner)
		return 0;
	for (at = 0; at < phys->window_count; at++) {
		const struct client_window *w = &phys->windows[at];

		if (w->owner == owner && w->number == number)
			goto found;
		if (!w->owner && spare == UINT32_MAX)
			spare = at;
	}
	if (spare == UINT32_MAX) {
		if (phys->window_count == phys->window_room && windows_grow(phys))
			return 0;
		hw_set(&phys->window_count, phys->window_count + 1);
	} else {
		at = spare;
	}
	hw_set(&phys->windows[at], ((struct client_window){ owner, number }));
found:
	return PHYS_CLIENT + ((uint64_t)at << WINDOW_SHIFT) + (address & (PHYS_1G - 1));
}

void phys_client_forget(uint32_t owner)
{
	const struct phys_state *phys = phys_state();

	for (uint32_t i = 0; phys && i < phys->window_count; i++)
		if (owner && phys->windows[i].owner == owner)
			hw_set(&phys->windows[i], (struct client_window){ 0 });
}

/* -- this process's way to the bytes --------------------------------------------------------- */

/* The first reach that ends beyond (owner, address). */
static size_t reach_find(uint32_t owner, uint64_t address)
{
	size_t low = 0, high = reaches.count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		const struct reach *r = &reaches.at[middle];

		if (r->owner < owner || (r->owner == owner && r->address + r->len <= address))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int reaches_reserve(size_t more)
{
	size_t room = reaches.room ? reaches.room * 2 : 16;
	struct reach *larger;

	if (reaches.count + more <= reaches.room)
		return 0;
	larger = realloc(reaches.at, room * sizeof(*larger));
	if (!larger)
		return -ENOMEM;
	reaches.at = larger;
	reaches.room = room;
	return 0;
}

/* Puts one in at an index, or with NULL takes the one there out. */
static void reach_splice(size_t index, const struct reach *new)
{
	size_t tail = reaches.count - index - (new ? 0 : 1);

	memmove(&reaches.at[index + (new ? 1 : 0)], &reaches.at[index + (new ? 0 : 1)],
		tail * sizeof(*new));
	reaches.count += new ? 1 : (size_t)-1;
	if (new)
		reaches.at[index] = *new;
}

/* Cuts [address, +len) out of what is there. */
static void reach_cut(uint32_t owner, uint64_t address, uint64_t len)
{
	uint64_t end = address + len;
	size_t i = reach_find(owner, address);

	while (i < reaches.count && reaches.at[i].owner == owner && reaches.at[i].address < end) {
		struct reach old = reaches.at[i];
		uint64_t old_end = old.address + old.len;

		reach_splice(i, NULL);
		if (old.address < address)
			reach_splice(i++, &(struct reach){ owner, old.address,
							   address - old.address, old.local });
		if (old_end > end)
			reach_splice(i++, &(struct reach){ owner, end, old_end - end,
							   old.local + (end - old.address) });
	}
}

int phys_client_reach(uint32_t owner, uint64_t address, uint64_t len, void *local)
{
	struct reach new = { owner, address, len, local };

	if (!owner || !len || (address | len) % PHYS_PAGE || len > UINT64_MAX - address)
		return -EINVAL;
	if (reaches_reserve(2))
		return -ENOMEM;
	reach_cut(owner, address, len);
	if (local)
		reach_splice(reach_find(owner, address), &new);
	return 0;
}

void phys_client_unreach(uint32_t below)
{
	size_t kept = 0;

	for (size_t i = 0; i < reaches.count; i++)
		if (reaches.at[i].owner >= below)
			reaches.at[kept++] = reaches.at[i];
	reaches.count = kept;
}

bool phys_client_by_way_of(const void *local, uint64_t len, struct phys_reach *found)
{
	uint64_t start = (uintptr_t)local, end = start + len;

	for (size_t i = 0; i < reaches.count; i++) {
		const struct reach *r = &reaches.at[i];
		uint64_t from = (uintptr_t)r->local, to = from + r->len, at;

		if (from >= end || to <= start)
			continue;
		at = from > start ? from : start;
		*found = (struct phys_reach){ .owner = r->owner, .address = r->address + (at - from),
					      .len = (to < end ? to : end) - at,
					      .local = r->local + (at - from) };
		return true;
	}
	return false;
}

/* Whose memory it is, and where there; false: nobody's. */
static bool client_of(uint64_t hpa, uint64_t len, uint32_t *owner, uint64_t *address)
{
	const struct phys_state *phys = phys_state();
	uint64_t window = (hpa - PHYS_CLIENT) >> WINDOW_SHIFT;

	if (hpa < PHYS_CLIENT || !phys || window >= phys->window_count ||
	    len > PHYS_1G - (hpa & (PHYS_1G - 1)))
		return false;
	*owner = phys->windows[window].owner;
	*address = (phys->windows[window].number << WINDOW_SHIFT) + (hpa & (PHYS_1G - 1));
	return *owner;
}

static const void *reached(uint32_t owner, uint64_t address, uint64_t len)
{
	size_t i = reach_find(owner, address);
	const struct reach *r = &reaches.at[i];

	if (i == reaches.count || r->owner != owner || address < r->address ||
	    len > r->address + r->len - address)
		return NULL;
	return r->local + (address - r->address);
}

bool phys_client_here(uint64_t hpa, uint64_t len)
{
	uint64_t address;
	uint32_t owner;

	return client_of(hpa, len, &owner, &address) && reached(owner, address, len);
}

const void *phys_client_ram(uint64_t hpa, uint64_t len)
{
	const void *ram;
	uint64_t address;
	uint32_t owner;

	if (!client_of(hpa, len, &owner, &address))
		return NULL;
	ram = reached(owner, address, len);
	if (!ram && kernel_client_reach(owner, address))
		ram = reached(owner, address, len);
	return ram;
}

void *phys_ram_write(const void *ram, uint64_t len)
{
	if ((uintptr_t)ram - IMAGE_BASE < IMAGE_SPAN)
		return image_bulk_write(ram, len);
	return (void *)(uintptr_t)ram;	/* came from phys_client_reach() as writable */
}
