/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * R6.2, R5.4: nesting on an SMMUv3 as Linux 7.2's driver has it: STE fields, vIOMMU, commands, events.
 * Tables, commands and records are made by hand from IHI 0070: 5.2, 5.4, 4.3, 4.4, 7.3.
 */
#include "setup.h"

#include "hardware/platform.h"

#define GPA 0x40000000ull		/* the guest's memory */
#define GUEST_LEN 0x100000ull
#define CDS GPA				/* its table of context descriptors */
#define ROOT (GPA + 0x10000)		/* of page tables: 4 levels, a page each */
#define TARGET (GPA + 0x80000)
#define OTHER (GPA + 0x81000)
#define ADDRESS 0x0000008040201000ull	/* index 1 at each level */
#define VSID 0x5ull
#define ASID 7ull
#define DEVICE 2u

#define STE_V 1ull
#define STE_CONFIG(config) ((uint64_t)(config) << 1)
#define STE_TABLE (STE_V | STE_CONFIG(5) | CDS)
#define STE_CDMAX(bits) ((uint64_t)(bits) << 59)
#define DSS_BYPASS 1ull
#define DSS_ENTRY0 2ull
#define EATS(mode) ((uint64_t)(mode) << 28)

static int fd;
static uint32_t ioas, device, parent, viommu;
static const struct iommufd_device *idev;
static uint64_t memory;			/* the client's address of the guest's memory */

static void guest_put(uint64_t gpa, uint64_t word)
{
	assert_int_equal(sys_store(task, memory + (gpa - GPA), &word, sizeof(word)), 0);
}

static uint64_t hpa(uint64_t gpa)
{
	uint64_t run, found;

	assert_int_equal(image_enter(), 0);
	found = user_page(task, memory + (gpa - GPA), 1, false, &run);
	image_leave();
	return found;
}

static long hwpt_alloc(uint32_t pt, uint32_t flags, const uint64_t *ste)
{
	struct iommu_hwpt_alloc args = { .size = sizeof(args), .dev_id = device, .pt_id = pt,
					 .flags = flags };
	long rc;

	if (ste) {
		args.data_type = IOMMU_HWPT_DATA_ARM_SMMUV3;
		args.data_len = 16;
		args.data_uptr = (uintptr_t)ste;
	}
	rc = sys_ioctl(task, fd, IOMMU_HWPT_ALLOC, (uintptr_t)&args);
	return rc ? rc : (long)args.out_hwpt_id;
}

static long nested_alloc(uint64_t ste0, uint64_t ste1)
{
	const uint64_t ste[2] = { ste0, ste1 };

	return hwpt_alloc(viommu, 0, ste);
}

static long attach(long hwpt)
{
	uint32_t id = (uint32_t)hwpt;

	return attach_device(idev, TLP_NO_PASID, &id);
}

static uint32_t vdevice_alloc(void)
{
	struct iommu_vdevice_alloc args = { .size = sizeof(args), .viommu_id = viommu,
					    .dev_id = device, .virt_id = VSID };

	assert_int_equal(sys_ioctl(task, fd, IOMMU_VDEVICE_ALLOC, (uintptr_t)&args), 0);
	return args.out_vdevice_id;
}

/* A descriptor (5.4): T0SZ 16, TG0 4 KiB, V, EPD1, AA64, ASID; the table. */
static void cd_make(unsigned int index, uint64_t root)
{
	uint64_t at = CDS + 64 * index;

	guest_put(at, 16 | 1ull << 30 | 1ull << 31 | 1ull << 41 | ASID << 48);
	guest_put(at + 8, root);
}

/* Where the entry of ADDRESS's page is; three tables above it. */
static uint64_t leaf(uint64_t root)
{
	for (unsigned int level = 0; level < 3; level++)
		guest_put(root + level * 0x1000 + 8, (root + (level + 1) * 0x1000) | 3);
	return root + 0x3000 + 8;
}

/* AF, AP[1]: not privileged, writable; page. */
static uint64_t page(uint64_t gpa)
{
	return gpa | 0x443;
}

static int set_up(void **state)
{
	struct iommu_viommu_alloc args = { .size = sizeof(args), .type = IOMMU_VIOMMU_TYPE_ARM_SMMUV3 };

	host_up(state);
	machine_platform_set(PLATFORM_CCA);
	fd = iommu_open();
	ioas = ioas_alloc(fd);
	memory = user_memory(GUEST_LEN);
	device = (uint32_t)bind_device(fd, DEVICE, &idev);
	assert_int_equal(ioas_map(fd, ioas, memory, GUEST_LEN, GPA), 0);
	parent = (uint32_t)hwpt_alloc(ioas, IOMMU_HWPT_ALLOC_NEST_PARENT, NULL);
	args.dev_id = device;
	args.hwpt_id = parent;
	assert_int_equal(sys_ioctl(task, fd, IOMMU_VIOMMU_ALLOC, (uintptr_t)&args), 0);
	viommu = args.out_viommu_id;
	return 0;
}

static int tear_down(void **state)
{
	unbind_device(idev);
	sys_close(task, fd);
	assert_int_equal(image_live(IMAGE_TYPE_IOMMUFD_OBJ), 0);
	assert_int_equal(image_live(IMAGE_TYPE_IOMMUFD_EVENT), 0);
	return host_down(state);
}

/* -- what is accepted --------------------------------------------------------------------------- */

static void hw_info_is_the_registers(void **state)
{
	struct iommu_hw_info_arm_smmuv3 smmu = { 0 };
	struct iommu_hw_info args = { .size = sizeof(args), .dev_id = device,
				      .data_len = sizeof(smmu), .data_uptr = (uintptr_t)&smmu };

	(void)state;
	assert_int_equal(sys_ioctl(task, fd, IOMMU_GET_HW_INFO, (uintptr_t)&args), 0);
	assert_int_equal(args.out_data_type, IOMMU_HW_INFO_TYPE_ARM_SMMUV3);
	assert_int_equal(args.data_len, 40);
	assert_true(args.out_capabilities & IOMMU_HW_CAP_DIRTY_TRACKING);
	assert_int_equal(smmu.idr[0] & 0xf, 0xb);		/* both stages, AArch64 tables */
	assert_int_equal(smmu.idr[1] & 0x3f, 16);		/* a stream id is a requester id */
	assert_int_equal(smmu.idr[1] >> 6 & 0x1f, 20);
	assert_int_equal(smmu.idr[5] & 0x77, 0x15);		/* 48 bits out; 4 KiB granule */
	args.flags = IOMMU_HW_INFO_FLAG_INPUT_TYPE;
	args.in_data_type = IOMMU_HW_INFO_TYPE_TEGRA241_CMDQV;
	assert_int_equal(sys_ioctl(task, fd, IOMMU_GET_HW_INFO, (uintptr_t)&args), -EOPNOTSUPP);
}

/* Stage 1 for whoever maps; a parent is nothing else besides. */
static void hwpt_flags(void **state)
{
	const uint32_t parent_flag = IOMMU_HWPT_ALLOC_NEST_PARENT;

	(void)state;
	assert_true(hwpt_alloc(ioas, 0, NULL) > 0);
	assert_true(hwpt_alloc(ioas, IOMMU_HWPT_ALLOC_PASID, NULL) > 0);
	assert_true(hwpt_alloc(ioas, IOMMU_HWPT_ALLOC_DIRTY_TRACKING, NULL) > 0);
	assert_true(hwpt_alloc(ioas, IOMMU_HWPT_ALLOC_DIRTY_TRACKING | IOMMU_HWPT_ALLOC_PASID,
			       NULL) > 0);
	assert_int_equal(hwpt_alloc(ioas, parent_flag | IOMMU_HWPT_ALLOC_PASID, NULL), -EOPNOTSUPP);
	assert_int_equal(hwpt_alloc(ioas, parent_flag | IOMMU_HWPT_ALLOC_DIRTY_TRACKING, NULL),
			 -EOPNOTSUPP);
}

static void entries_are_checked(void **state)
{
	static const struct { uint64_t ste[2]; long expected; } rows[] = {
		{ { 0, 0 }, 0 },				/* not valid: whatever the rest */
		{ { STE_CONFIG(7), UINT64_MAX }, 0 },
		{ { STE_V, 0 }, 0 },				/* abort */
		{ { STE_V | STE_CONFIG(4), 0 }, 0 },		/* bypass */
		{ { STE_TABLE, EATS(1) | 0xff | 1ull << 27 }, 0 },
		{ { STE_TABLE | STE_CDMAX(31) | 3ull << 4, 0 }, 0 },	/* hardware's affair */
		{ { STE_V | STE_CONFIG(6), 0 }, -EIO },		/* a second stage of its own */
		{ { STE_V | STE_CONFIG(7), 0 }, -EIO },
		{ { STE_TABLE | 1ull << 52, 0 }, -EIO },
		{ { STE_TABLE, EATS(2) }, -EIO },
		{ { STE_TABLE, EATS(3) }, -EIO },
		{ { STE_TABLE, 1ull << 8 }, -EIO },
		{ { STE_TABLE, 1ull << 44 }, -EIO },
	};
	const uint64_t ste[2] = { STE_TABLE, 0 };
	struct iommu_hwpt_alloc args = { .size = sizeof(args), .dev_id = device, .pt_id = viommu,
					 .data_type = IOMMU_HWPT_DATA_ARM_SMMUV3, .data_len = 17,
					 .data_uptr = (uintptr_t)ste };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		long rc = nested_alloc(rows[i].ste[0], rows[i].ste[1]);

		assert_int_equal(rc < 0 ? rc : 0, rows[i].expected);
	}
	assert_int_equal(hwpt_alloc(viommu, IOMMU_HWPT_ALLOC_PASID, ste), -EOPNOTSUPP);
	assert_int_equal(hwpt_alloc(parent, 0, ste), -EOPNOTSUPP);	/* only through a vIOMMU */
	assert_int_equal(sys_ioctl(task, fd, IOMMU_HWPT_ALLOC, (uintptr_t)&args), -EINVAL);
	args.data_len = 8;
	assert_int_equal(sys_ioctl(task, fd, IOMMU_HWPT_ALLOC, (uintptr_t)&args), -EINVAL);
	args.data_len = 16;
	args.data_type = IOMMU_HWPT_DATA_VTD_S1;
	assert_int_equal(sys_ioctl(task, fd, IOMMU_HWPT_ALLOC, (uintptr_t)&args), -EINVAL);
	args.data_type = IOMMU_HWPT_DATA_ARM_SMMUV3;
	args.data_uptr = 8;
	assert_int_equal(sys_ioctl(task, fd, IOMMU_HWPT_ALLOC, (uintptr_t)&args), -EFAULT);
}

/* -- DMA ---------------------------------------------------------------------------------------- */

static void a_stream_needs_its_number_to_translate(void **state)
{
	long table = nested_alloc(STE_TABLE, 0), bypass = nested_alloc(STE_V | STE_CONFIG(4), 0);
	long abort = nested_alloc(0, 0);

	(void)state;
	assert_int_equal(attach(table), -ENOENT);
	assert_int_equal(attach(bypass), 0);
	assert_true(dma_target(DEVICE, TARGET, true) == hpa(TARGET));
	assert_int_equal(attach(abort), 0);
	assert_int_equal(dma_target(DEVICE, TARGET, true), 0);
	vdevice_alloc();
	assert_int_equal(attach(table), 0);
	assert_int_equal(destroy(fd, viommu), -EBUSY);
	assert_int_equal(destroy(fd, (uint32_t)table), -EBUSY);
}

static long invalidate(const void *commands, uint32_t len, uint32_t *num)
{
	struct iommu_hwpt_invalidate args = {
		.size = sizeof(args), .hwpt_id = viommu, .data_uptr = (uintptr_t)commands,
		.data_type = IOMMU_VIOMMU_INVALIDATE_DATA_ARM_SMMUV3, .entry_len = len,
		.entry_num = *num };
	long rc = sys_ioctl(task, fd, IOMMU_HWPT_INVALIDATE, (uintptr_t)&args);

	*num = args.entry_num;
	return rc;
}

static void command(uint64_t word0, uint64_t word1)
{
	const uint64_t cmd[2] = { word0, word1 };
	uint32_t num = 1;

	assert_int_equal(invalidate(cmd, sizeof(cmd), &num), 0);
	assert_int_equal(num, 1);
}

#define TLBI_VA(asid) (0x12 | 0xbadull << 32 | (uint64_t)(asid) << 48)	/* its VMID is ignored */
#define TLBI_ALL 0x30ull
#define CFGI_CD(ssid) (0x05 | (uint64_t)(ssid) << 12 | VSID << 32)

static void what_is_cached_stays_until_invalidated(void **state)
{
	uint64_t entry = leaf(ROOT);

	(void)state;
	vdevice_alloc();
	cd_make(0, ROOT);
	guest_put(entry, page(TARGET));
	assert_int_equal(attach(nested_alloc(STE_TABLE, 0)), 0);
	assert_true(dma_target(DEVICE, ADDRESS + 0x123, true) == hpa(TARGET) + 0x123);
	guest_put(entry, page(OTHER));
	assert_true(dma_target(DEVICE, ADDRESS, true) == hpa(TARGET));
	command(TLBI_VA(ASID + 1), ADDRESS);			/* another address space's */
	assert_true(dma_target(DEVICE, ADDRESS, true) == hpa(TARGET));
	command(TLBI_VA(ASID), ADDRESS - 0x1000);		/* another page */
	assert_true(dma_target(DEVICE, ADDRESS, true) == hpa(TARGET));
	command(TLBI_VA(ASID), ADDRESS | 1);			/* leaf only */
	assert_true(dma_target(DEVICE, ADDRESS, true) == hpa(OTHER));
	/* A range: TG 4 KiB, (NUM + 1) << SCALE pages from one page below. */
	guest_put(entry, page(TARGET));
	command(TLBI_VA(ASID) | 0ull << 12 | 1ull << 20, (ADDRESS - 0x1000) | 1ull << 10);
	assert_true(dma_target(DEVICE, ADDRESS, true) == hpa(TARGET));
	guest_put(entry, page(OTHER));
	command(0x13, ADDRESS);					/* of any ASID */
	assert_true(dma_target(DEVICE, ADDRESS, true) == hpa(OTHER));
	guest_put(entry, page(TARGET));
	command(0x11 | ASID << 48, 0);
	assert_true(dma_target(DEVICE, ADDRESS, true) == hpa(TARGET));
	guest_put(entry, page(OTHER));
	command(TLBI_ALL, 0);
	assert_true(dma_target(DEVICE, ADDRESS, true) == hpa(OTHER));
	/* A descriptor that leads elsewhere is looked at when CFGI_CD says so. */
	guest_put(leaf(ROOT + 0x10000), page(TARGET));
	cd_make(0, ROOT + 0x10000);
	command(TLBI_ALL, 0);
	assert_true(dma_target(DEVICE, ADDRESS, true) == hpa(OTHER));
	command(CFGI_CD(0), 0);
	command(TLBI_ALL, 0);
	assert_true(dma_target(DEVICE, ADDRESS, true) == hpa(TARGET));
	/* The second stage is the host's: what it takes back is gone at once. */
	assert_int_equal(ioas_unmap(fd, ioas, GPA, GUEST_LEN), GUEST_LEN);
	assert_int_equal(dma_target(DEVICE, ADDRESS, true), 0);
}

static void a_table_of_descriptors_serves_pasids(void **state)
{
	(void)state;
	vdevice_alloc();
	cd_make(0, ROOT);
	cd_make(3, ROOT + 0x10000);
	guest_put(leaf(ROOT), page(TARGET));
	guest_put(leaf(ROOT + 0x10000), page(OTHER));
	assert_int_equal(attach(nested_alloc(STE_TABLE | STE_CDMAX(4), DSS_ENTRY0)), 0);
	assert_true(dma_target(DEVICE, ADDRESS, true) == hpa(TARGET));
	assert_true(dma_target_pasid(DEVICE, 3, ADDRESS, true) == hpa(TARGET)); /* one ASID: cached */
	command(TLBI_ALL, 0);
	assert_true(dma_target_pasid(DEVICE, 3, ADDRESS, true) == hpa(OTHER));
	assert_int_equal(dma_target_pasid(DEVICE, 2, ADDRESS, true), 0);
	assert_int_equal(dma_target_pasid(DEVICE, 16, ADDRESS, true), 0);
	assert_int_equal(attach(nested_alloc(STE_TABLE | STE_CDMAX(4), DSS_BYPASS)), 0);
	assert_true(dma_target(DEVICE, TARGET, true) == hpa(TARGET));
	assert_int_equal(attach(nested_alloc(STE_TABLE | STE_CDMAX(4), 0)), 0);
	assert_int_equal(dma_target(DEVICE, TARGET, true), 0);
	assert_true(dma_target_pasid(DEVICE, 3, ADDRESS, true) == hpa(OTHER));
}

/* -- commands ----------------------------------------------------------------------------------- */

static void commands_are_checked(void **state)
{
	const uint64_t longer[3] = { TLBI_ALL, 0, 1 };
	uint64_t cmds[3][2] = { { CFGI_CD(0), 0 }, { CFGI_CD(0), 0 }, { 0x04, 0 } };
	uint32_t vdevice = vdevice_alloc(), num = 0;

	(void)state;
	assert_int_equal(invalidate(cmds, 16, &num), -EINVAL);		/* none at all */
	num = 3;
	assert_int_equal(invalidate(cmds, 16, &num), -EIO);		/* CFGI_ALL: not a guest's */
	assert_int_equal(num, 2);
	cmds[2][0] = 0x46;						/* CMD_SYNC */
	num = 3;
	assert_int_equal(invalidate(cmds, 16, &num), -EIO);
	cmds[0][0] = 0x06 | (VSID + 1) << 32;				/* no such stream */
	num = 2;
	assert_int_equal(invalidate(cmds, 16, &num), -EIO);
	assert_int_equal(num, 0);
	cmds[0][0] = 0x40 | VSID << 32;					/* ATC_INV */
	num = 1;
	assert_int_equal(invalidate(cmds, 8, &num), 0);			/* the rest is zero */
	num = 1;
	assert_int_equal(invalidate(longer, 24, &num), -E2BIG);
	assert_int_equal(num, 0);
	num = 2;
	assert_int_equal(invalidate((void *)(uintptr_t)16, 16, &num), -EFAULT);
	assert_int_equal(destroy(fd, vdevice), 0);
	num = 1;
	assert_int_equal(invalidate(cmds, 16, &num), -EIO);
	num = 1;
	cmds[0][0] = TLBI_ALL;
	assert_int_equal(invalidate(cmds, 16, &num), 0);
	/* An HWPT is no place for them. */
	viommu = (uint32_t)nested_alloc(0, 0);
	num = 1;
	assert_int_equal(invalidate(cmds, 16, &num), -EOPNOTSUPP);
}

/* A batch that ends in a bad command reaches no hardware, and counts all the same. */
static void a_batch_is_all_or_nothing(void **state)
{
	uint64_t cmds[65][2] = { { 0 } }, entry = leaf(ROOT);
	uint32_t num = 2;

	(void)state;
	vdevice_alloc();
	cd_make(0, ROOT);
	guest_put(entry, page(TARGET));
	assert_int_equal(attach(nested_alloc(STE_TABLE, 0)), 0);
	assert_true(dma_target(DEVICE, ADDRESS, true) == hpa(TARGET));
	guest_put(entry, page(OTHER));
	for (unsigned int i = 0; i < 65; i++)
		cmds[i][0] = i < 64 ? TLBI_ALL : 0xff;
	cmds[1][0] = 0xff;
	assert_int_equal(invalidate(cmds, 16, &num), -EIO);
	assert_int_equal(num, 1);
	assert_true(dma_target(DEVICE, ADDRESS, true) == hpa(TARGET));
	cmds[1][0] = TLBI_ALL;
	num = 65;						/* 63 go first */
	assert_int_equal(invalidate(cmds, 16, &num), -EIO);
	assert_int_equal(num, 64);
	assert_true(dma_target(DEVICE, ADDRESS, true) == hpa(OTHER));
}

/* -- events ------------------------------------------------------------------------------------- */

static int veventq_alloc(void)
{
	struct iommu_veventq_alloc args = { .size = sizeof(args), .viommu_id = viommu,
					    .type = IOMMU_VEVENTQ_TYPE_ARM_SMMUV3,
					    .veventq_depth = 4 };

	assert_int_equal(sys_ioctl(task, fd, IOMMU_VEVENTQ_ALLOC, (uintptr_t)&args), 0);
	return (int)args.out_veventq_fd;
}

struct event { uint32_t flags, sequence; uint64_t words[4]; };

static void event_is(int queue, uint64_t word0, uint64_t word1, uint64_t word2)
{
	struct event event = { 0 };

	assert_int_equal(sys_read(task, queue, &event, sizeof(event)), sizeof(event));
	assert_true(event.words[0] == (word0 | VSID << 32));
	assert_true(event.words[1] == word1);
	assert_true(event.words[2] == word2);
	assert_true(event.words[3] == 0);
}

#define READ (1ull << 35)
#define CLASS_IN (2ull << 40)
#define SSID(pasid) (1ull << 11 | (uint64_t)(pasid) << 12)

static void the_guest_hears_of_its_own_faults(void **state)
{
	int queue = veventq_alloc();
	uint64_t entry = leaf(ROOT);
	struct event none;

	(void)state;
	vdevice_alloc();
	assert_int_equal(attach(nested_alloc(0, 0)), 0);	/* abort: nothing is said */
	assert_int_equal(dma_target(DEVICE, ADDRESS, true), 0);
	assert_int_equal(sys_read(task, queue, &none, sizeof(none)), 0);
	assert_int_equal(attach(nested_alloc(STE_TABLE | STE_CDMAX(4), DSS_ENTRY0)), 0);
	assert_int_equal(dma_target(DEVICE, ADDRESS, true), 0);
	event_is(queue, 0x0a, 0, 0);				/* C_BAD_CD */
	assert_int_equal(dma_target_pasid(DEVICE, 16, ADDRESS, true), 0);
	event_is(queue, 0x08 | SSID(16), 0, 0);			/* C_BAD_SUBSTREAMID */
	cd_make(0, ROOT);
	assert_int_equal(dma_target(DEVICE, ADDRESS + 8, false), 0);
	event_is(queue, 0x10, READ | CLASS_IN, ADDRESS + 8);	/* F_TRANSLATION */
	guest_put(entry, page(TARGET) & ~0x400ull);
	assert_int_equal(dma_target(DEVICE, ADDRESS, true), 0);
	event_is(queue, 0x12, CLASS_IN, ADDRESS);		/* F_ACCESS */
	guest_put(entry, page(TARGET) | 0x80);
	assert_int_equal(dma_target(DEVICE, ADDRESS, true), 0);
	event_is(queue, 0x13, CLASS_IN, ADDRESS);		/* F_PERMISSION */
	/* Where the second stage refuses it is the host's affair. */
	guest_put(entry, page(GPA + GUEST_LEN));
	assert_int_equal(dma_target(DEVICE, ADDRESS, true), 0);
	assert_int_equal(sys_read(task, queue, &none, sizeof(none)), 0);
	assert_int_equal(attach(nested_alloc(STE_TABLE | STE_CDMAX(4), 0)), 0);
	assert_int_equal(dma_target(DEVICE, ADDRESS, true), 0);
	event_is(queue, 0x06, 0, 0);				/* F_STREAM_DISABLED */
	assert_int_equal(attach(nested_alloc(STE_TABLE | STE_CDMAX(31), 0)), 0);
	assert_int_equal(dma_target(DEVICE, ADDRESS, true), 0);
	event_is(queue, 0x04, 0, 0);				/* C_BAD_STE */
	sys_close(task, queue);
}

/* -- the host's own PASIDs ---------------------------------------------------------------------- */

static void one_table_of_contexts_a_stream(void **state)
{
	uint32_t id = (uint32_t)hwpt_alloc(ioas, IOMMU_HWPT_ALLOC_PASID, NULL), plain = id;

	(void)state;
	assert_int_equal(attach_device(idev, 9, &id), 0);
	assert_true(dma_target_pasid(DEVICE, 9, TARGET, true) == hpa(TARGET));
	assert_int_equal(attach_device(idev, TLP_NO_PASID, &plain), 0);
	assert_int_equal(attach(nested_alloc(0, 0)), -EINVAL);	/* not made for PASIDs */
	detach_device(idev, 9);
	assert_int_equal(attach(nested_alloc(0, 0)), 0);
	assert_int_equal(attach_device(idev, 9, &id), -EINVAL);
}

/* -- dirty tracking ----------------------------------------------------------------------------- */

/* Stage 1 with DBM: what is mapped is dirty until it was read once. */
static void writes_are_noted(void **state)
{
	uint32_t hwpt = (uint32_t)hwpt_alloc(ioas, IOMMU_HWPT_ALLOC_DIRTY_TRACKING, NULL);
	struct iommu_hwpt_set_dirty_tracking set = { .size = sizeof(set), .hwpt_id = hwpt,
						     .flags = IOMMU_HWPT_DIRTY_TRACKING_ENABLE };
	uint64_t bits = 0;
	struct iommu_hwpt_get_dirty_bitmap get = { .size = sizeof(get), .hwpt_id = hwpt,
						   .iova = TARGET, .length = 0x4000,
						   .page_size = 0x1000, .data = (uintptr_t)&bits };

	(void)state;
	assert_int_equal(attach((long)hwpt), 0);
	assert_int_equal(sys_ioctl(task, fd, IOMMU_HWPT_SET_DIRTY_TRACKING, (uintptr_t)&set), 0);
	assert_true(dma_target(DEVICE, TARGET + 0x1000, false));
	assert_int_equal(sys_ioctl(task, fd, IOMMU_HWPT_GET_DIRTY_BITMAP, (uintptr_t)&get), 0);
	assert_int_equal(bits, 0);
	assert_true(dma_target(DEVICE, TARGET + 0x1000, true) == hpa(TARGET + 0x1000));
	assert_int_equal(sys_ioctl(task, fd, IOMMU_HWPT_GET_DIRTY_BITMAP, (uintptr_t)&get), 0);
	assert_int_equal(bits, 2);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(hw_info_is_the_registers),
		CASE(hwpt_flags),
		CASE(entries_are_checked),
		CASE(a_stream_needs_its_number_to_translate),
		CASE(what_is_cached_stays_until_invalidated),
		CASE(a_table_of_descriptors_serves_pasids),
		CASE(commands_are_checked),
		CASE(a_batch_is_all_or_nothing),
		CASE(the_guest_hears_of_its_own_faults),
		CASE(one_table_of_contexts_a_stream),
		CASE(writes_are_noted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
