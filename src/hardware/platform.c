/* SPDX-License-Identifier: BSD-2-Clause */
/* Platforms by name, and which of them walks a trusted second stage. */
#include "hardware/platform.h"
#include "hardware/iommu.h"
#include "hardware/rmp.h"

#include <errno.h>
#include <string.h>

static const char *const names[PLATFORMS] = {
	[PLATFORM_TDX] = "tdx", [PLATFORM_SEV] = "sev", [PLATFORM_CCA] = "cca",
};

const char *platform_name(enum platform platform)
{
	return platform < PLATFORMS ? names[platform] : "?";
}

int platform_by_name(const char *name)
{
	for (int i = 0; i < PLATFORMS; i++)
		if (!strcmp(names[i], name))
			return i;
	return -EINVAL;
}

const struct platform_tables *platform_tables(void)
{
	static const struct platform_tables tables[PLATFORMS] = {
		[PLATFORM_TDX] = { PT_EPT, 4, PT_VTD_SS, 5 },
		[PLATFORM_SEV] = { PT_X86, 4, PT_AMD_V1, 5 },
		[PLATFORM_CCA] = { PT_ARM_S2, 4, PT_ARM_S2, 4 },
	};

	return &tables[machine_platform()];
}

int trusted_walk(uint64_t root, uint64_t gpa, struct pt_leaf *leaf, uint32_t *owner)
{
	static int (*const walks[PLATFORMS])(uint64_t root, uint64_t gpa, struct pt_leaf *leaf,
					     uint32_t *owner) = {
		[PLATFORM_TDX] = tdx_trusted_walk, [PLATFORM_SEV] = rmp_trusted_walk,
		[PLATFORM_CCA] = cca_trusted_walk,
	};
	enum platform platform = machine_platform();

	return walks[platform] ? walks[platform](root, gpa, leaf, owner) : -ENOENT;
}

const struct platform_range *platform_msi(void)
{
	static const struct platform_range ranges[PLATFORMS] = {
		[PLATFORM_TDX] = { 0xfee00000, 0xfeefffff },
		[PLATFORM_SEV] = { 0xfee00000, 0xfeefffff },
		[PLATFORM_CCA] = { 0x08000000, 0x080fffff },
	};

	return &ranges[machine_platform()];
}

uint32_t platform_host_reader(uint64_t hpa)
{
	bool firmware = machine_platform() == PLATFORM_SEV && phys_owner(hpa) == RMP_OWNER_FIRMWARE;

	return firmware ? RMP_OWNER_FIRMWARE : 0;
}
