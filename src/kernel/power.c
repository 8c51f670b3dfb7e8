/* SPDX-License-Identifier: BSD-2-Clause */
/* Boot of the kernel lane: rooms in the order they depend on one another. */
#include "kernel/core.h"
#include "kernel/tsm/tsm.h"
#include "kernel/vfio/vfio.h"

int kernel_power_on(void)
{
	static int (*const rooms[])(void) = {
		kernel_core_power_on, pci_power_on, tsm_power_on, vfio_power_on,
	};

	for (size_t i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++) {
		int rc = rooms[i]();

		if (rc)
			return rc;
	}
	return 0;
}
