/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The device-configuration checks of LOCK, PCIe 6.x 11.3.8: phantom functions off, BARs of PF, VFs
 * and ROM disjoint, a legal VF system page size. This device has no resizable BAR, TPH or LN
 * capability whose settings could be illegal.
 */
#include <linux/pci_regs.h>

#include "device/dsm.h"

#define SPACES_MAX (3 * FUNCTION_BARS)

struct space { uint64_t base, size; };

static unsigned int spaces_of_bars(const struct function *fn, struct space *out)
{
	unsigned int n = 0;

	for (unsigned int bar = 0; bar < FUNCTION_BARS; bar++)
		if (fn->bar[bar].size)
			out[n++] = (struct space){
				function_bar_address(fn, bar), fn->bar[bar].size };
	return n;
}

/* All enabled VFs' BARs together are one space a BAR, behind the PF's VF BAR registers. */
static unsigned int spaces_of_vfs(const struct function *pf, struct space *out)
{
	const struct function *vf = pf->vf_count ? function_find((uint16_t)(pf->rid + 1)) : NULL;
	unsigned int n = 0;

	for (unsigned int bar = 0; vf && bar < FUNCTION_BARS; bar++)
		if (vf->bar[bar].size)
			out[n++] = (struct space){ function_bar_address(vf, bar),
				vf->bar[bar].size * pf->vf_count };
	return n;
}

static bool spaces_disjoint(const struct space *space, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		for (unsigned int j = i + 1; j < n; j++)
			if (space[i].base < space[j].base + space[j].size &&
			    space[j].base < space[i].base + space[i].size)
				return false;
	return true;
}

/* One bit, and one of those supported (PCIe 6.x 9.3.3.12). */
static bool page_size_ok(const struct function *pf)
{
	uint32_t supported, system;

	if (!pf->cap_sriov)
		return true;
	supported = function_config(pf, pf->cap_sriov + PCI_SRIOV_SUP_PGSIZE, 4);
	system = function_config(pf, pf->cap_sriov + PCI_SRIOV_SYS_PGSIZE, 4);
	return system && !(system & (system - 1)) && (system & supported);
}

bool lock_configuration_ok(const struct function *fn)
{
	const struct function *pf = function_find(fn->pf_rid);
	struct space space[SPACES_MAX];
	unsigned int n;

	if (!pf)
		return false;
	if (function_config(fn, fn->cap_pcie + PCI_EXP_DEVCTL, 2) & PCI_EXP_DEVCTL_PHANTOM)
		return false;
	n = spaces_of_bars(pf, space);
	n += spaces_of_vfs(pf, space + n);
	return spaces_disjoint(space, n) && page_size_ok(pf);
}
