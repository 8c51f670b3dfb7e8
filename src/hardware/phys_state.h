/* SPDX-License-Identifier: BSD-2-Clause */
/* Physical memory's state, for phys.c and phys_client.c; and what tlp.c needs of it. */
#ifndef SWTIO_HARDWARE_PHYS_STATE_H
#define SWTIO_HARDWARE_PHYS_STATE_H

#include "hardware/hardware.h"

struct owner_gib;
#define OWNER_SPAN (IMAGE_SPAN + (PHYS_MMIO_END - PHYS_MMIO))	/* of the owner map */

struct client_window {		/* 1 GiB of a client's addresses */
	uint32_t owner;		/* 0: free */
	uint64_t number;	/* address >> 30 */
};

struct phys_state {
	const struct owner_gib *gib[OWNER_SPAN >> 30];
	const struct client_window *windows;
	uint32_t window_room, window_count;
};

static inline const struct phys_state *phys_state(void)
{
	const struct hw_root *root = hw_root();

	return root ? root->phys : NULL;
}

/* RAM from phys_ram() as something to write to. */
void *phys_ram_write(const void *ram, uint64_t len);
/* The first stretch of [hpa, +len) that has one owner and lies in one piece: 0, or why an access in
 * the name of `owner` is refused there (-EFAULT, -EACCES). *run > 0 bytes either way. */
int phys_piece(uint64_t hpa, uint64_t len, uint32_t owner, bool write, uint64_t *run,
	       const void **ram);

#endif
