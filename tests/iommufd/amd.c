/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * R6.6: what a Linux with AMD's IOMMU says of it to a plain client: run on the software host and on a real
 * Linux 7.2 (in QEMU, whose IOMMU has neither SNP nor dirty bits: what follows from that is asked for).
 */
#include <sys/mman.h>

#include "../shim/client.h"

static const uint64_t dte[4];
static int fd, device;
static uint32_t dev_id, ioas;

/* A function that Linux can reset, which takes no time to speak of. */
static int bound(void)
{
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind) };
	struct iommu_ioas_alloc alloc = { .size = sizeof(alloc) };

	fd = open("/dev/iommu", O_RDWR);
	device = open("/dev/vfio/devices/vfio0", O_RDWR);
	bind.iommufd = fd;
	CHECK(fd >= 0 && device >= 0);
	CHECK(!ioctl(device, VFIO_DEVICE_BIND_IOMMUFD, &bind));
	CHECK(!ioctl(fd, IOMMU_IOAS_ALLOC, &alloc));
	dev_id = bind.out_devid;
	ioas = alloc.out_ioas_id;
	return 0;
}

static int hw_info(uint32_t type, struct iommu_hw_info *info, struct iommu_hw_info_amd *amd)
{
	*info = (struct iommu_hw_info){ .size = sizeof(*info), .dev_id = dev_id, .data_len = sizeof(*amd),
		.data_uptr = (uintptr_t)amd, .in_data_type = type,
		.flags = type ? IOMMU_HW_INFO_FLAG_INPUT_TYPE : 0 };
	return ioctl(fd, IOMMU_GET_HW_INFO, info) ? errno : 0;
}

/* errno, 0: made */
static int hwpt(uint32_t over, uint32_t flags, uint32_t data_type, uint32_t *id)
{
	struct iommu_hwpt_alloc alloc = { .size = sizeof(alloc), .flags = flags, .dev_id = dev_id,
		.pt_id = over, .data_type = data_type, .data_len = data_type ? sizeof(dte) : 0,
		.data_uptr = data_type ? (uintptr_t)dte : 0 };
	int rc = ioctl(fd, IOMMU_HWPT_ALLOC, &alloc) ? errno : 0;

	if (id)
		*id = alloc.out_hwpt_id;
	return rc;
}

static int registers(void)
{
	struct iommu_hw_info info;
	struct iommu_hw_info_amd amd;

	CHECK(!bound());
	CHECK(!hw_info(0, &info, &amd) && info.out_data_type == 4 && info.data_len == 16 && amd.efr);
	CHECK(!hw_info(IOMMU_HW_INFO_TYPE_AMD, &info, &amd) && info.out_data_type == 4);
	CHECK(info.out_max_pasid_log2 == 0);
	CHECK(!(info.out_capabilities & IOMMU_HW_CAP_DIRTY_TRACKING) == !(amd.efr >> 52 & 1));
	CHECK(hw_info(IOMMU_HW_INFO_TYPE_INTEL_VTD, &info, &amd) == EOPNOTSUPP);
	CHECK(hw_info(IOMMU_HW_INFO_TYPE_ARM_SMMUV3, &info, &amd) == EOPNOTSUPP);
	return 0;
}

/* With dirty bits tables of version 1 can be asked for, and are what a parent must be. */
static int tables(void)
{
	struct iommu_hw_info info;
	struct iommu_hw_info_amd amd;
	int with_dirty, flags;

	CHECK(!bound());
	CHECK(!hw_info(0, &info, &amd));
	with_dirty = amd.efr >> 52 & 1 ? 0 : EOPNOTSUPP;
	CHECK(!hwpt(ioas, 0, 0, NULL));
	for (flags = 1; flags < 4; flags++)	/* NEST_PARENT, DIRTY_TRACKING */
		CHECK(hwpt(ioas, (uint32_t)flags, 0, NULL) == with_dirty);
	for (flags = 0; flags < 4; flags++)
		CHECK(hwpt(ioas, IOMMU_HWPT_ALLOC_PASID | (uint32_t)flags, 0, NULL) == EOPNOTSUPP);
	CHECK(hwpt(ioas, 0, IOMMU_HWPT_DATA_AMD_GUEST, NULL) == EOPNOTSUPP);
	CHECK(hwpt(0, 0, IOMMU_HWPT_DATA_AMD_GUEST, NULL) == EINVAL);
	return 0;
}

static int viommus(void)
{
	struct iommu_viommu_alloc alloc = { .size = sizeof(alloc), .type = 77 };
	bool parents;
	uint32_t parent = 0;

	CHECK(!bound());
	parents = !hwpt(ioas, IOMMU_HWPT_ALLOC_NEST_PARENT, 0, &parent);
	alloc.dev_id = dev_id;
	alloc.hwpt_id = parent;
	if (!parents) {
		CHECK(ioctl(fd, IOMMU_VIOMMU_ALLOC, &alloc) && errno == ENOENT);
		return 0;
	}
	CHECK(!ioctl(fd, IOMMU_VIOMMU_ALLOC, &alloc));
	CHECK(hwpt(alloc.out_viommu_id, 0, IOMMU_HWPT_DATA_AMD_GUEST, NULL) == EOPNOTSUPP);
	CHECK(hwpt(parent, 0, IOMMU_HWPT_DATA_AMD_GUEST, NULL) == EOPNOTSUPP);
	alloc.type = 0;
	CHECK(ioctl(fd, IOMMU_VIOMMU_ALLOC, &alloc) && errno == EOPNOTSUPP);
	return 0;
}

static int map_at(uint64_t iova, void *memory)
{
	struct iommu_ioas_map map = { .size = sizeof(map), .ioas_id = ioas, .length = 4096, .iova = iova,
		.user_va = (uintptr_t)memory, .flags = IOMMU_IOAS_MAP_FIXED_IOVA |
			IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE };

	return ioctl(fd, IOMMU_IOAS_MAP, &map) ? errno : 0;
}

static int holes(void)
{
	struct iommu_iova_range ranges[8];
	struct iommu_ioas_iova_ranges args = { .size = sizeof(args), .num_iovas = 8,
		.allowed_iovas = (uintptr_t)ranges };
	struct vfio_device_attach_iommufd_pt attach = { .argsz = sizeof(attach) };
	void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(!bound() && memory != MAP_FAILED);
	attach.pt_id = args.ioas_id = ioas;
	CHECK(!ioctl(device, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach));
	CHECK(!ioctl(fd, IOMMU_IOAS_IOVA_RANGES, &args) && args.num_iovas == 3);
	CHECK(ranges[0].start == 0 && ranges[0].last == 0xfedfffff);
	CHECK(ranges[1].start == 0xfef00000 && ranges[1].last == 0xfcffffffff);
	CHECK(ranges[2].start == 0x10000000000);
	CHECK(map_at(0xfee00000, memory) == EINVAL && map_at(0xfd00000000, memory) == EINVAL);
	CHECK(map_at(0xfffffff000, memory) == EINVAL && !map_at(0x10000000000, memory));
	return 0;
}

int main(void)
{
	static const struct client_test tests[] = {
		{ "R6.2 the registers, and no other's", registers },
		{ "R6.2 which tables can be had", tables },
		{ "R6.2 vIOMMUs", viommus },
		{ "R6.2 the IOVAs of messages", holes },
	};

	return client_main(tests, sizeof(tests) / sizeof(tests[0]));
}
