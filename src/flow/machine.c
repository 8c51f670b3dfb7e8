/* SPDX-License-Identifier: BSD-2-Clause */
/* Power-on of the whole machine, and the hash that says whether an act changed the platform. */
#include <errno.h>
#include <xxhash.h>

#include "check/check.h"
#include "device/device.h"
#include "firmware/sev/sev.h"
#include "firmware/cca/cca.h"
#include "firmware/tdx/tdx.h"
#include "flow/machine.h"
#include "flow/parse.h"
#include "hardware/iommu.h"
#include "kernel/kernel.h"
#include "spdm/spdm.h"
#include "trace/capture.h"

/* The firmware of each platform there is. */
static int (*const firmwares[PLATFORMS])(void) = {
	[PLATFORM_TDX] = tdx_power_on,
	[PLATFORM_SEV] = sev_power_on,
	[PLATFORM_CCA] = cca_power_on,
};

static int firmware_power_on(void)
{
	return firmwares[machine_platform()]();
}

int machine_platform_find(const char *name)
{
	int platform = *name ? platform_by_name(name) : PLATFORM_TDX;

	return platform >= 0 && firmwares[platform] ? platform : -EINVAL;
}

int machine_boot(enum platform platform, const struct kernel_options *options)
{
	static int (*const rooms[])(void) = {
		phys_power_on,
		function_power_on,
		iommu_power_on,
		device_power_on,
		device_machine_default,
		firmware_power_on,
		kernel_power_on,
		check_power_on,
	};
	int rc = trace_power_on(0);

	machine_platform_set(platform);
	for (size_t i = 0; !rc && i < sizeof(rooms) / sizeof(rooms[0]); i++)
		rc = rooms[i]();
	return rc ? rc : kernel_options_set(options);
}

void machine_attached(void)
{
	bool secrets;

	image_enter();
	secrets = capture_ring_secrets();
	image_leave();
	if (secrets)
		spdm_keylog_set(capture_ring_secret);
}

int machine_power_on(const struct flow_settings *settings)
{
	const struct kernel_options options = {
		.extensions = true,
		.private_for_life = settings->private_for_life,
		.bound_policy = settings->policy,
		.tsm_uapi = settings->uapi,
		.sept = settings->sept,
	};
	int platform = machine_platform_find(settings->platform);

	if (platform < 0)
		return platform;
	mutants_plant(&settings->mutants);
	return machine_boot((enum platform)platform, &options);
}

static int hash_object(const void *object, void *arg)
{
	XXH3_state_t *state = arg;

	XXH3_64bits_update(state, object, image_sizeof(object));
	return 0;
}

uint64_t flow_platform_hash(void)
{
	static const enum image_type types[] = {
		IMAGE_TYPE_FUNCTION,
		IMAGE_TYPE_IDE,
		IMAGE_TYPE_IOMMU_DOMAIN,
		IMAGE_TYPE_TDI,
		IMAGE_TYPE_TDX,
		IMAGE_TYPE_SEV,
		IMAGE_TYPE_CCA,
		IMAGE_TYPE_IOMMUFD_OBJ,
		IMAGE_TYPE_IOPT_AREA,
		IMAGE_TYPE_VFIO_DEVICE,
		IMAGE_TYPE_DMABUF,
		IMAGE_TYPE_DMABUF_ATTACH,
		IMAGE_TYPE_KVM_SLOT,
		IMAGE_TYPE_TSM,
	};
	XXH3_state_t *state = XXH3_createState();
	uint64_t hash = 0;

	if (!state)
		return 0;
	XXH3_64bits_reset(state);
	image_enter();
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		image_each(types[i], hash_object, state);
	image_leave();
	hash = XXH3_64bits_digest(state);
	XXH3_freeState(state);
	return hash;
}
