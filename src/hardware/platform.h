/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which platform the machine is. Decided at power-on and kept once, in the image: what differs by
 * platform is a row of a static table, indexed by it.
 */
#ifndef SWTIO_HARDWARE_PLATFORM_H
#define SWTIO_HARDWARE_PLATFORM_H

#include "image/image.h"

enum platform {
	PLATFORM_TDX,			/* Intel TDX Connect */
	PLATFORM_SEV,			/* AMD SEV-TIO */
	PLATFORM_CCA,			/* Arm CCA device assignment */
	PLATFORMS
};

static inline enum platform machine_platform(void)
{
	uint64_t platform = *image_counter(IMAGE_COUNTER_PLATFORM);

	return platform < PLATFORMS ? (enum platform)platform : PLATFORM_TDX;
}

static inline void machine_platform_set(enum platform platform)
{
	*image_counter(IMAGE_COUNTER_PLATFORM) = platform;
}

/* The formats (hardware/pt.h) of the tables that the host writes for itself: of a VM's memory, and of
 * a device's address space. */
struct platform_tables { uint8_t cpu, cpu_levels, iommu, iommu_levels; };
const struct platform_tables *platform_tables(void);

const char *platform_name(enum platform platform);	/* "tdx", as flows say it */
int platform_by_name(const char *name);			/* enum platform, or -EINVAL */

/* Where a write of a device is an interrupt message, before any translation. On Arm it is where the
 * kernel maps the doorbell of the interrupt controller in every address space. last inclusive. */
struct platform_range { uint64_t first, last; };
const struct platform_range *platform_msi(void);

/* In whose name the host reads RAM: SNP lets it look at firmware pages, though not write them. */
uint32_t platform_host_reader(uint64_t hpa);

#endif
