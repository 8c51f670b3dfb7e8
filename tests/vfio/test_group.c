/* SPDX-License-Identifier: BSD-2-Clause */
/* Groups, the two kinds of container, VF tokens, and drivers that are bound and unbound. What Linux
 * answers to their errors is in answers.txt; here is what that cannot ask. */
#include "host.h"

#include <errno.h>
#include <string.h>

#include "image/bytes.h"
#include "kernel/pci/pci.h"
#include "swtio/uapi/vfio_type1.h"

#define PF_NAME "0000:01:00.0"
#define VF_NAME "0000:01:00.1"
#define DEVICES "/sys/bus/pci/devices/"
#define DRIVER "/sys/bus/pci/drivers/vfio-pci/"
#define TOKEN "52ac9bff-3a88-4fbd-901a-0d767c3b6c97"
#define OTHER "88594674-90a0-47a9-aea8-9d9b352ac08a"

static int open_(const char *path) { return sys_open(host.vmm, path, O_RDWR); }
static void close_(int fd) { assert_int_equal(sys_close(host.vmm, fd), 0); }

static int group_open_of(uint16_t rid)
{
	char path[32];

	snprintf(path, sizeof(path), "/dev/vfio/%u", pci_dev_find(rid)->group);
	return open_(path);
}

static long call(int fd, unsigned int cmd, uint64_t arg)
{
	return sys_ioctl(host.vmm, fd, cmd, arg);
}

static long get_device(int group, const char *name)
{
	return call(group, VFIO_GROUP_GET_DEVICE_FD, (uint64_t)(uintptr_t)name);
}

static long set_container(int group, int container)
{
	return call(group, VFIO_GROUP_SET_CONTAINER, (uint64_t)(uintptr_t)&container);
}

static int write_text(const char *path, const char *text)
{
	int rc;

	image_enter();
	rc = pci_sysfs_write(path, text, strlen(text));
	image_leave();
	return rc;
}

static int boot_type1(void **state)
{
	boot(state);
	options((struct kernel_options){ .type1 = true });
	return 0;
}

/* -- groups and iommufd ------------------------------------------------------------------------ */

static void a_device_is_reached_one_way_at_a_time(void **state)
{
	int iommufd = open_("/dev/iommu"), node = open_("/dev/vfio/devices/vfio0"), group;

	(void)state;
	assert_int_equal(bind_(node, iommufd, NULL), 0);
	assert_int_equal(group_open_of(PF), -EBUSY);
	close_(node);
	group = group_open_of(PF);
	assert_true(group >= 0);
	assert_int_equal(group_open_of(PF), -EBUSY);
	node = open_("/dev/vfio/devices/vfio0");
	assert_int_equal(bind_(node, iommufd, NULL), -EBUSY);
	assert_int_equal(open_("/dev/vfio/77"), -ENOENT);
	assert_int_equal(open_("/dev/vfio/01"), -ENOENT);
	close_(group);
	assert_int_equal(bind_(node, iommufd, NULL), 0);
}

/* R3.3: whatever is closed first, all can be had again afterwards. */
static void R3_3_every_order_of_closing_frees_all(void **state)
{
	static const uint8_t orders[][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 },
					     { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };

	(void)state;
	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		int fds[] = { open_("/dev/vfio/vfio"), group_open_of(PF), -1 };

		assert_true(fds[0] >= 0 && fds[1] >= 0);
		assert_int_equal(set_container(fds[1], fds[0]), 0);
		if (kernel_options()->type1)
			assert_int_equal(call(fds[0], VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU), 0);
		fds[2] = (int)get_device(fds[1], PF_NAME);
		assert_true(fds[2] >= 0);
		for (int n = 0; n < 3; n++)
			close_(fds[orders[i][n]]);
		/* The node may be bound again: nothing of the group is left. */
		fds[0] = open_("/dev/iommu");
		fds[1] = open_("/dev/vfio/devices/vfio0");
		assert_int_equal(bind_(fds[1], fds[0], NULL), 0);
		close_(fds[1]);
		close_(fds[0]);
	}
}

static void R3_3_a_death_frees_all(void **state)
{
	int container = open_("/dev/vfio/vfio"), group = group_open_of(PF);
	const struct task *dead = host.vmm;

	(void)state;
	assert_int_equal(set_container(group, container), 0);
	if (kernel_options()->type1)
		assert_int_equal(call(container, VFIO_SET_IOMMU, VFIO_TYPE1_IOMMU), 0);
	assert_true(get_device(group, PF_NAME) >= 0);
	task_exit(dead);
	image_enter();
	host.vmm = task_create("vmm", 0);
	image_leave();
	group = group_open_of(PF);
	assert_true(group >= 0);
	container = open_("/dev/vfio/vfio");
	assert_int_equal(set_container(group, container), 0);
}

static void hot_reset_takes_groups_as_proof(void **state)
{
	struct { struct vfio_pci_hot_reset h; int32_t fd[2]; } reset = { .h = { .argsz = sizeof(reset) } };
	struct {
		struct vfio_pci_hot_reset_info i;
		struct vfio_pci_dependent_device d[4];
	} info = { .i = { .argsz = sizeof(info) } };
	int container = open_("/dev/vfio/vfio"), pf = group_open_of(PF), vf = group_open_of(VF), dev;

	(void)state;
	assert_int_equal(set_container(pf, container), 0);
	dev = (int)get_device(pf, PF_NAME);
	assert_true(dev >= 0);
	assert_int_equal(ioctl_(dev, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, &info), 0);
	assert_int_equal(info.i.count, 2);
	assert_int_equal(info.i.flags, 0);
	assert_int_equal(info.d[0].group_id, pci_dev_find(PF)->group);
	assert_int_equal(info.d[1].group_id, pci_dev_find(VF)->group);
	reset.fd[0] = pf;
	reset.h.count = 1;
	assert_int_equal(ioctl_(dev, VFIO_DEVICE_PCI_HOT_RESET, &reset), -EINVAL);
	reset.fd[1] = dev;
	reset.h.count = 2;
	assert_int_equal(ioctl_(dev, VFIO_DEVICE_PCI_HOT_RESET, &reset), -EINVAL);
	reset.fd[1] = vf;
	assert_int_equal(ioctl_(dev, VFIO_DEVICE_PCI_HOT_RESET, &reset), 0);
	reset.h.count = 3;
	assert_int_equal(ioctl_(dev, VFIO_DEVICE_PCI_HOT_RESET, &reset), -EINVAL);
}

/* -- the type 1 driver ------------------------------------------------------------------------- */

static int container_of_type(unsigned int type)
{
	int container = open_("/dev/vfio/vfio"), group = group_open_of(PF);

	assert_int_equal(call(container, VFIO_SET_IOMMU, type), -EINVAL);
	assert_int_equal(set_container(group, container), 0);
	assert_int_equal(call(container, VFIO_IOMMU_GET_INFO, 0), -EINVAL);
	assert_int_equal(get_device(group, PF_NAME), -EINVAL);
	assert_int_equal(call(container, VFIO_SET_IOMMU, 99), -ENODEV);
	assert_int_equal(call(container, VFIO_SET_IOMMU, type), 0);
	assert_int_equal(call(container, VFIO_SET_IOMMU, type), -EINVAL);
	host.dev = (int)get_device(group, PF_NAME);
	assert_true(host.dev >= 0);
	return container;
}

static long map(int container, uint64_t address, uint64_t iova, uint64_t size)
{
	struct vfio_iommu_type1_dma_map map = { sizeof(map), 3, address, iova, size };

	return ioctl_(container, VFIO_IOMMU_MAP_DMA, &map);
}

static long unmap(int container, uint64_t iova, uint64_t size)
{
	struct vfio_iommu_type1_dma_unmap unmap = { .argsz = sizeof(unmap), .iova = iova, .size = size };
	long rc = ioctl_(container, VFIO_IOMMU_UNMAP_DMA, &unmap);

	return rc ? rc : (long)unmap.size;
}

static uint64_t memory(uint64_t len)
{
	uint64_t at;

	assert_int_equal(sys_mmap(host.vmm, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
				  0, &at), 0);
	return at;
}

static void R6_2_v2_never_cuts_a_mapping(void **state)
{
	int container = container_of_type(VFIO_TYPE1v2_IOMMU);
	uint64_t at = memory(0x4000);

	(void)state;
	assert_int_equal(map(container, at, 0x10000, 0x4000), 0);
	assert_int_equal(map(container, at, 0x12000, 0x1000), -EEXIST);
	assert_int_equal(map(container, at, 0xfee00000, 0x1000), -EINVAL);
	assert_int_equal(map(container, at, 0x20001, 0x1000), -EINVAL);
	assert_int_equal(map(container, at, 0x20000, 0), -EINVAL);
	assert_int_equal(map(container, at, -0x1000ull, 0x2000), -EOVERFLOW);
	assert_int_equal(unmap(container, 0x10000, 0x1000), -EINVAL);
	assert_int_equal(unmap(container, 0x13000, 0x4000), -EINVAL);
	assert_int_equal(unmap(container, 0x30000, 0x4000), 0);
	assert_int_equal(unmap(container, 0xf000, 0x6000), 0x4000);
}

static void R6_2_v1_takes_the_whole_of_it_or_nothing(void **state)
{
	int container = container_of_type(VFIO_TYPE1_IOMMU);
	uint64_t at = memory(0x4000);

	(void)state;
	assert_int_equal(map(container, at, 0x10000, 0x4000), 0);
	assert_int_equal(unmap(container, 0x11000, 0x1000), 0);
	assert_int_equal(unmap(container, 0x10000, 0x1000), 0x4000);
}

/* Whatever devices reach counts as written to, as in the type 1 driver. */
static void R6_2_all_that_is_mapped_is_dirty(void **state)
{
	int container = container_of_type(VFIO_TYPE1v2_IOMMU);
	__u64 bits[2] = { 0 };
	struct {
		struct vfio_iommu_type1_dirty_bitmap head;
		struct vfio_iommu_type1_dirty_bitmap_get get;
	} ask = { .head = { sizeof(ask), VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP },
		  .get = { 0x10000, 0x40000, { 0x1000, 8, bits } } };
	struct {
		struct vfio_iommu_type1_dma_unmap head;
		struct vfio_bitmap bitmap;
	} take = { .head = { sizeof(take), VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP, 0x12000, 0x4000 },
		   .bitmap = { 0x1000, 8, bits } };

	(void)state;
	assert_int_equal(map(container, memory(0x4000), 0x12000, 0x4000), 0);
	assert_int_equal(map(container, memory(0x1000), 0x4f000, 0x1000), 0);
	assert_int_equal(ioctl_(container, VFIO_IOMMU_DIRTY_PAGES, &ask), -EINVAL);	/* not on */
	assert_int_equal(ioctl_(container, VFIO_IOMMU_UNMAP_DMA, &take), -EINVAL);
	ask.head.flags = 3;
	assert_int_equal(ioctl_(container, VFIO_IOMMU_DIRTY_PAGES, &ask), -EINVAL);
	ask.head.flags = VFIO_IOMMU_DIRTY_PAGES_FLAG_START;
	assert_int_equal(ioctl_(container, VFIO_IOMMU_DIRTY_PAGES, &ask), 0);
	ask.head.flags = VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP;
	assert_int_equal(ioctl_(container, VFIO_IOMMU_DIRTY_PAGES, &ask), 0);
	assert_true(bits[0] == (0xfull << 2 | 1ull << 63));
	ask.get.size += 0x1000;				/* a bit more than the bitmap has */
	assert_int_equal(ioctl_(container, VFIO_IOMMU_DIRTY_PAGES, &ask), -EINVAL);
	ask.get.size = 0x3000;				/* cuts a mapping */
	assert_int_equal(ioctl_(container, VFIO_IOMMU_DIRTY_PAGES, &ask), -EINVAL);
	ask.get.bitmap.pgsize = 0x2000;
	ask.get.size = 0x40000;
	assert_int_equal(ioctl_(container, VFIO_IOMMU_DIRTY_PAGES, &ask), -EINVAL);
	bits[0] = 0;
	assert_int_equal(ioctl_(container, VFIO_IOMMU_UNMAP_DMA, &take), 0);
	assert_true(bits[0] == 0xf && take.head.size == 0x4000);
	ask.head.flags = VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP;
	assert_int_equal(ioctl_(container, VFIO_IOMMU_DIRTY_PAGES, &ask), 0);
	ask.head.argsz = 7;
	assert_int_equal(ioctl_(container, VFIO_IOMMU_DIRTY_PAGES, &ask), -EINVAL);
}

static void R6_2_it_maps_a_bar_where_iommufd_refuses(void **state)
{
	int container = container_of_type(VFIO_TYPE1v2_IOMMU), iommufd = open_("/dev/iommu");
	struct iommu_ioas_map native = { .size = sizeof(native), .flags = 7, .length = 0x1000 };
	uint64_t bar;

	(void)state;
	assert_int_equal(sys_mmap(host.vmm, 0x2000, PROT_READ | PROT_WRITE, MAP_SHARED, host.dev, BAR2,
				  &bar), 0);
	assert_int_equal(map(container, bar, 0x10000, 0x2000), 0);
	assert_int_equal(unmap(container, 0x10000, 0x2000), 0x2000);
	host.iommufd = iommufd;
	native.ioas_id = ioas_alloc();
	native.user_va = bar;
	native.iova = 0x10000;
	/* With no device attached nothing is looked at yet: the refusal comes with the first one. */
	if (!ioctl_(iommufd, IOMMU_IOAS_MAP, &native)) {
		struct vfio_device_attach_iommufd_pt attach = { sizeof(attach), 0, native.ioas_id, 0 };
		int vf = open_("/dev/vfio/devices/vfio1");

		assert_int_equal(bind_(vf, iommufd, NULL), 0);
		assert_int_equal(ioctl_(vf, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach), -EFAULT);
	}
}

static void R6_2_it_tells_what_is_left(void **state)
{
	int container = container_of_type(VFIO_TYPE1v2_IOMMU);
	struct { struct vfio_iommu_type1_info i; uint8_t caps[512]; } info = { .i = { .argsz = 24 } };
	struct reader r;

	(void)state;
	assert_int_equal(ioctl_(container, VFIO_IOMMU_GET_INFO, &info), 0);
	assert_int_equal(info.i.cap_offset, 0);
	assert_true(info.i.argsz > 24);
	assert_int_equal(ioctl_(container, VFIO_IOMMU_GET_INFO, &info), 0);
	assert_int_equal(info.i.cap_offset, 24);
	r = reader_of(info.caps + 32, 12);
	assert_int_equal(get_le16(&r), VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL);
	get_le16(&r);
	get_le32(&r);
	assert_int_equal(get_le32(&r), 65535);
}

/* -- VF tokens --------------------------------------------------------------------------------- */

static long bind_token(int dev, const char *hex)
{
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind), .iommufd = host.iommufd };
	uint8_t token[16];

	for (unsigned int i = 0; hex && i < sizeof(token); i++)
		token[i] = (uint8_t)hex[i];
	bind.flags = hex ? VFIO_DEVICE_BIND_FLAG_TOKEN : 0;
	bind.token_uuid_ptr = (uintptr_t)token;
	return ioctl_(dev, VFIO_DEVICE_BIND_IOMMUFD, &bind);
}

/* A VF of a PF that another client has: its owner says who may have it. */
static void R6_2_a_vf_is_had_by_who_knows_the_token(void **state)
{
	static const char mine[] = "0123456789abcdef", yours[] = "fedcba9876543210";
	int pf = open_("/dev/vfio/devices/vfio0"), vf = open_("/dev/vfio/devices/vfio1"), again;

	(void)state;
	host.iommufd = open_("/dev/iommu");
	/* It was there before vfio-pci had its PF: there is nobody to ask. */
	assert_int_equal(bind_token(vf, mine), -EINVAL);
	assert_int_equal(write_text(DEVICES PF_NAME "/sriov_numvfs", "0\n"), 0);
	assert_int_equal(write_text(DEVICES PF_NAME "/sriov_numvfs", "1\n"), 0);
	assert_int_equal(bind_token(pf, mine), 0);
	assert_int_equal(bind_token(vf, NULL), -EACCES);
	assert_int_equal(bind_token(vf, yours), -EACCES);
	assert_int_equal(bind_token(vf, mine), 0);
	/* In use, it guards the PF too. */
	close_(pf);
	again = open_("/dev/vfio/devices/vfio0");
	assert_int_equal(bind_token(again, NULL), -EACCES);
	assert_int_equal(bind_token(again, yours), -EACCES);
	close_(vf);
	assert_int_equal(bind_token(again, yours), 0);
}

static void R6_2_a_token_comes_with_the_name_too(void **state)
{
	int container = open_("/dev/vfio/vfio"), group;

	(void)state;
	assert_int_equal(write_text(DEVICES PF_NAME "/sriov_numvfs", "0\n"), 0);
	assert_int_equal(write_text(DEVICES PF_NAME "/sriov_numvfs", "1\n"), 0);
	group = group_open_of(PF);
	assert_int_equal(set_container(group, container), 0);
	assert_int_equal(get_device(group, PF_NAME " vf_token=" TOKEN " vf_token=" TOKEN), -EINVAL);
	assert_true(get_device(group, PF_NAME " vf_token=" TOKEN) >= 0);
	group = group_open_of(VF);
	assert_int_equal(set_container(group, container), 0);
	assert_int_equal(get_device(group, VF_NAME), -EACCES);
	assert_int_equal(get_device(group, VF_NAME " vf_token=" OTHER), -EACCES);
	assert_true(get_device(group, VF_NAME "  vf_token=" TOKEN " ") >= 0);
}

/* -- drivers ----------------------------------------------------------------------------------- */

static void R6_1_a_driver_is_unbound_and_bound(void **state)
{
	char text[64] = "";
	int dev;

	(void)state;
	assert_int_equal(pci_sysfs_link(DRIVER PF_NAME, text, sizeof(text)), 26);
	assert_string_equal(text, "../../devices/" PF_NAME);
	assert_int_equal(pci_sysfs_read(DRIVER "bind", text, sizeof(text)), -EACCES);
	assert_int_equal(write_text(DRIVER "bind", PF_NAME), -EBUSY);
	assert_int_equal(write_text(DRIVER "bind", "0000:09:00.0"), -ENODEV);
	dev = open_("/dev/vfio/devices/vfio0");
	host.iommufd = open_("/dev/iommu");
	assert_int_equal(bind_(dev, host.iommufd, NULL), 0);
	assert_int_equal(write_text(DRIVER "unbind", PF_NAME), -EBUSY);
	close_(dev);
	assert_int_equal(write_text(DRIVER "unbind", PF_NAME "\n"), 0);
	assert_int_equal(write_text(DRIVER "unbind", PF_NAME), -ENODEV);
	assert_int_equal(open_("/dev/vfio/devices/vfio0"), -ENOENT);
	assert_int_equal(group_open_of(PF), -ENOENT);
	assert_int_equal(pci_sysfs_link(DEVICES PF_NAME "/driver", text, sizeof(text)), -ENOENT);
	assert_int_equal(write_text("/sys/bus/pci/rescan", "1"), 0);
	assert_int_equal(open_("/dev/vfio/devices/vfio0"), -ENOENT);
	assert_int_equal(write_text(DEVICES PF_NAME "/driver_override", "other\n"), 0);
	assert_int_equal(write_text(DRIVER "bind", PF_NAME), -ENODEV);
	assert_int_equal(write_text("/sys/bus/pci/drivers_probe", PF_NAME), 0);
	assert_int_equal(open_("/dev/vfio/devices/vfio0"), -ENOENT);
	assert_int_equal(write_text(DEVICES PF_NAME "/driver_override", "\n"), 0);
	assert_int_equal(write_text("/sys/bus/pci/drivers_probe", PF_NAME), 0);
	assert_true(open_("/dev/vfio/devices/vfio0") >= 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, boot, off)
#define TYPE1(name) cmocka_unit_test_setup_teardown(name, boot_type1, off)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_device_is_reached_one_way_at_a_time),
		TEST(R3_3_every_order_of_closing_frees_all),
		TYPE1(R3_3_every_order_of_closing_frees_all),
		TEST(R3_3_a_death_frees_all),
		TYPE1(R3_3_a_death_frees_all),
		TEST(hot_reset_takes_groups_as_proof),
		TYPE1(R6_2_v2_never_cuts_a_mapping),
		TYPE1(R6_2_v1_takes_the_whole_of_it_or_nothing),
		TYPE1(R6_2_all_that_is_mapped_is_dirty),
		TYPE1(R6_2_it_maps_a_bar_where_iommufd_refuses),
		TYPE1(R6_2_it_tells_what_is_left),
		TEST(R6_2_a_vf_is_had_by_who_knows_the_token),
		TEST(R6_2_a_token_comes_with_the_name_too),
		TEST(R6_1_a_driver_is_unbound_and_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
