/* SPDX-License-Identifier: BSD-2-Clause */
/* The cdev: what Linux 7.2 answers, errno by errno. */
#include "host.h"

/* Everything but BIND is EINVAL before BIND. */
static void before_bind_all_is_einval(void **state)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };
	uint32_t value;
	uint64_t at;
	int dev = sys_open(host.vmm, "/dev/vfio/devices/vfio0", O_RDWR);

	(void)state;
	assert_true(dev >= 0);
	assert_int_equal(ioctl_(dev, VFIO_DEVICE_GET_INFO, &info), -EINVAL);
	assert_int_equal(ioctl_(dev, VFIO_DEVICE_RESET, NULL), -EINVAL);
	assert_int_equal(ioctl_(dev, 0x3bff, NULL), -EINVAL);
	assert_int_equal(sys_pread(host.vmm, dev, &value, 4, CONFIG), -EINVAL);
	assert_int_equal(sys_mmap(host.vmm, 4096, PROT_READ, MAP_SHARED, dev, BAR2, &at), -EINVAL);
	assert_int_equal(sys_open(host.vmm, "/dev/vfio/devices/vfio99", O_RDWR), -ENOENT);
}

static void bind_errors(void **state)
{
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind) };
	struct {
		struct vfio_device_bind_iommufd bind;
		uint64_t tail;
	} longer = { .bind.argsz = sizeof(longer) };
	int dev = sys_open(host.vmm, "/dev/vfio/devices/vfio0", O_RDWR);
	int other = sys_open(host.vmm, "/dev/vfio/devices/vfio0", O_RDWR);
	int iommufd = sys_open(host.vmm, "/dev/iommu", O_RDWR);
	uint32_t devid;

	(void)state;
	assert_int_equal(ioctl_(dev, VFIO_DEVICE_BIND_IOMMUFD, NULL), -EFAULT);
	bind.argsz = 15;
	assert_int_equal(ioctl_(dev, VFIO_DEVICE_BIND_IOMMUFD, &bind), -EINVAL);
	longer.tail = 1;
	longer.bind.iommufd = iommufd;
	assert_int_equal(ioctl_(dev, VFIO_DEVICE_BIND_IOMMUFD, &longer), -E2BIG);
	assert_int_equal(bind_(dev, -1, NULL), -EINVAL);
	bind = (struct vfio_device_bind_iommufd) { .argsz = sizeof(bind),
						   .flags = 2,
						   .iommufd = iommufd };
	assert_int_equal(ioctl_(dev, VFIO_DEVICE_BIND_IOMMUFD, &bind), -EINVAL);
	assert_int_equal(bind_(dev, 99, NULL), -EBADF);
	assert_int_equal(bind_(dev, dev, NULL), -EBADFD);
	assert_int_equal(bind_(dev, iommufd, &devid), 0);
	assert_true(devid > 0);
	assert_int_equal(bind_(dev, iommufd, NULL), -EINVAL);
	assert_int_equal(bind_(other, iommufd, NULL), -EINVAL);
	/* and free again when the one that has it goes */
	assert_int_equal(sys_close(host.vmm, dev), 0);
	assert_int_equal(bind_(other, iommufd, NULL), 0);
}

static void info_and_unknown_ioctls(void **state)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };

	(void)state;
	assert_int_equal(ioctl_(host.dev, VFIO_DEVICE_GET_INFO, &info), 0);
	assert_int_equal(info.flags, VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET);
	assert_int_equal(info.num_regions, 9);
	assert_int_equal(info.num_irqs, 5);
	info.argsz = 15;
	assert_int_equal(ioctl_(host.dev, VFIO_DEVICE_GET_INFO, &info), -EINVAL);
	assert_int_equal(ioctl_(host.dev, VFIO_DEVICE_GET_INFO, NULL), -EFAULT);
	assert_int_equal(ioctl_(host.dev, 0x3bff, &info), -ENOTTY);
}

static struct vfio_region_info region(uint32_t index)
{
	struct vfio_region_info info = { .argsz = sizeof(info), .index = index };

	assert_int_equal(ioctl_(host.dev, VFIO_DEVICE_GET_REGION_INFO, &info), 0);
	return info;
}

static void regions(void **state)
{
	const uint32_t rw = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
	struct vfio_region_info info;

	(void)state;
	info = region(0);		/* registers: no mapping */
	assert_int_equal(info.size, ENGINE_BAR0_SIZE);
	assert_int_equal(info.flags, rw);
	assert_int_equal(info.offset, 0);
	info = region(1);
	assert_int_equal(info.size, 0);
	assert_int_equal(info.flags, 0);
	info = region(2);
	assert_int_equal(info.size, ENGINE_BAR2_SIZE);
	assert_int_equal(info.flags, rw | VFIO_REGION_INFO_FLAG_MMAP);
	assert_true(info.offset == 2ull << 40);
	info = region(VFIO_PCI_ROM_REGION_INDEX);
	assert_int_equal(info.size, 0);
	info = region(VFIO_PCI_CONFIG_REGION_INDEX);
	assert_int_equal(info.size, 4096);
	assert_int_equal(info.flags, rw);
	info.index = VFIO_PCI_VGA_REGION_INDEX;
	assert_int_equal(ioctl_(host.dev, VFIO_DEVICE_GET_REGION_INFO, &info), -EINVAL);
	info = (struct vfio_region_info){ .argsz = 31 };
	assert_int_equal(ioctl_(host.dev, VFIO_DEVICE_GET_REGION_INFO, &info), -EINVAL);
}

static void bar_accesses(void **state)
{
	uint32_t value = 0, wide[2] = { 0 };
	uint8_t bytes[8];

	(void)state;
	assert_int_equal(sys_pread(host.vmm, host.dev, &value, 4, BAR0 + ENGINE_ID), 4);
	assert_int_equal(value, 0x54494f31);
	value = 0x12345678;
	assert_int_equal(sys_pwrite(host.vmm, host.dev, &value, 4, BAR0 + ENGINE_SCRATCH), 4);
	value = 0;
	assert_int_equal(sys_pread(host.vmm, host.dev, &value, 4, BAR0 + ENGINE_SCRATCH), 4);
	assert_int_equal(value, 0x12345678);
	/* the MSI-X table is the host's: ones, and writes go nowhere */
	assert_int_equal(sys_pread(host.vmm, host.dev, wide, 8, BAR0 + ENGINE_MSIX_TABLE), 8);
	assert_int_equal(wide[0], UINT32_MAX);
	assert_int_equal(wide[1], UINT32_MAX);
	/* the end of a BAR shortens; beyond it there is nothing */
	assert_int_equal(sys_pread(host.vmm, host.dev, bytes, 8, BAR2 + ENGINE_BAR2_SIZE - 3), 3);
	assert_int_equal(sys_pread(host.vmm, host.dev, bytes, 8, BAR2 + ENGINE_BAR2_SIZE), -EINVAL);
	assert_int_equal(sys_pread(host.vmm, host.dev, bytes, 8, OFFSET(1)), -EINVAL);
	assert_int_equal(sys_pread(host.vmm, host.dev, bytes, 8, OFFSET(8)), -EINVAL);
	assert_int_equal(sys_pread(host.vmm, host.dev, NULL, 8, BAR2), -EFAULT);
}

static void irq_info(void **state)
{
	static const struct { uint32_t index, count, flags;
	} rows[] = {
		{ VFIO_PCI_INTX_IRQ_INDEX, 0, 7 },
		{ VFIO_PCI_MSIX_IRQ_INDEX, ENGINE_MSIX_VECTORS, 1 },
		{ VFIO_PCI_ERR_IRQ_INDEX, 1, 9 },
		{ VFIO_PCI_REQ_IRQ_INDEX, 1, 9 },
	};
	struct vfio_irq_info info = { .argsz = sizeof(info), .index = 5 };

	(void)state;
	assert_int_equal(ioctl_(host.dev, VFIO_DEVICE_GET_IRQ_INFO, &info), -EINVAL);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		info = (struct vfio_irq_info){ .argsz = sizeof(info), .index = rows[i].index };
		assert_int_equal(ioctl_(host.dev, VFIO_DEVICE_GET_IRQ_INFO, &info), 0);
		assert_int_equal(info.count, rows[i].count);
		assert_int_equal(info.flags, rows[i].flags);
	}
}

static long set_irqs(uint32_t index, uint32_t flags, uint32_t start, uint32_t count,
		     const int32_t *fds)
{
	struct { struct vfio_irq_set set; int32_t fds[16];
	} arg = { .set = { .argsz = sizeof(struct vfio_irq_set) + 4 * count,
			   .flags = flags,
			   .index = index,
			   .start = start,
			   .count = count } };

	for (uint32_t i = 0; fds && i < count; i++)
		arg.fds[i] = fds[i];
	return ioctl_(host.dev, VFIO_DEVICE_SET_IRQS, &arg);
}

#define EVENTFD (VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER)
#define FIRE (VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER)

static uint64_t events(int fd)
{
	uint64_t count = 0;
	ssize_t n = sys_read(host.vmm, fd, &count, 8);

	assert_true(n == 8 || n == -EAGAIN);
	return n == 8 ? count : 0;
}

static void msix_reaches_its_eventfd(void **state)
{
	int event = sys_eventfd(host.vmm, 0, 0), other = sys_eventfd(host.vmm, 0, 0);
	int32_t fds[9] = { other, event };
	uint32_t job[] = { ENGINE_FILL, 0 };

	(void)state;
	assert_int_equal(set_irqs(VFIO_PCI_MSIX_IRQ_INDEX, EVENTFD, 0, 9, fds), -EINVAL);
	assert_int_equal(set_irqs(VFIO_PCI_MSIX_IRQ_INDEX, EVENTFD, 0, 1, (int32_t[]) { 77 }),
			 -EBADF);
	assert_int_equal(set_irqs(VFIO_PCI_MSIX_IRQ_INDEX, EVENTFD, 0, 1, (int32_t[]) { host.dev }),
			 -EINVAL);
	assert_int_equal(set_irqs(VFIO_PCI_MSIX_IRQ_INDEX, EVENTFD, 0, 2, fds), 0);
	assert_int_equal(set_irqs(VFIO_PCI_MSIX_IRQ_INDEX, FIRE, 1, 1, NULL), 0);
	assert_int_equal(events(event), 1);
	assert_int_equal(events(other), 0);
	/* masks are not for message interrupts */
	assert_int_equal(set_irqs(VFIO_PCI_MSIX_IRQ_INDEX,
				  VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_MASK, 0, 1, NULL),
			 -ENOTTY);
	/* the device itself: an empty job, vector 1 at its end */
	job[1] = 1;
	config_put_(PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	sys_pwrite(host.vmm, host.dev, &job[0], 4, BAR0 + ENGINE_OP);
	sys_pwrite(host.vmm, host.dev, &job[1], 4, BAR0 + ENGINE_VECTOR);
	sys_pwrite(host.vmm, host.dev, &(uint32_t){ 1 }, 4, BAR0 + ENGINE_CONTROL);
	assert_int_equal(events(event), 1);
	assert_int_equal(events(other), 0);
	/* none: off, and a stray message goes nowhere */
	assert_int_equal(set_irqs(VFIO_PCI_MSIX_IRQ_INDEX, FIRE, 0, 0, NULL), 0);
	sys_pwrite(host.vmm, host.dev, &(uint32_t){ 1 }, 4, BAR0 + ENGINE_CONTROL);
	assert_int_equal(events(event), 0);
}

static void err_and_req_events(void **state)
{
	int event = sys_eventfd(host.vmm, 0, 0);
	const struct pci_dev *pdev = pci_dev_find(PF);

	(void)state;
	assert_int_equal(set_irqs(VFIO_PCI_ERR_IRQ_INDEX, EVENTFD, 0, 1, (int32_t[]){ event }), 0);
	assert_int_equal(set_irqs(VFIO_PCI_REQ_IRQ_INDEX, EVENTFD, 0, 1, (int32_t[]){ event }), 0);
	image_enter();
	vfio_device_error(vfio_device_of(pdev));
	vfio_device_request(vfio_device_of(pdev));
	image_leave();
	assert_int_equal(events(event), 2);
	assert_int_equal(set_irqs(VFIO_PCI_REQ_IRQ_INDEX, EVENTFD, 0, 1, (int32_t[]){ -1 }), 0);
	assert_int_equal(set_irqs(VFIO_PCI_INTX_IRQ_INDEX, EVENTFD, 0, 1, (int32_t[]) { event }),
			 -EINVAL);
}

static void feature_rules(void **state)
{
	struct { struct vfio_device_feature feature; uint8_t data[64]; } arg = { 0 };
	const uint32_t probe = VFIO_DEVICE_FEATURE_PROBE, get = VFIO_DEVICE_FEATURE_GET,
		       set = VFIO_DEVICE_FEATURE_SET;

	(void)state;
	assert_int_equal(feature_(1u << 19, &arg, sizeof(arg)), -EINVAL);
	assert_int_equal(feature_(get | set | 11, &arg, sizeof(arg)), -EINVAL);
	assert_int_equal(feature_(get | 11, &arg, 7), -EINVAL);
	assert_int_equal(feature_(11, &arg, sizeof(arg)), -EINVAL);
	assert_int_equal(feature_(probe | get | 11, &arg, sizeof(arg)), 0);
	assert_int_equal(feature_(probe | set | 11, &arg, sizeof(arg)), -EINVAL);
	assert_int_equal(feature_(probe | get | VFIO_DEVICE_FEATURE_MIGRATION, &arg, sizeof(arg)),
			 -ENOTTY);
	assert_int_equal(feature_(probe | get | 13, &arg, sizeof(arg)), -ENOTTY);
	assert_int_equal(
		feature_(probe | get | VFIO_DEVICE_FEATURE_SWTIO_LAYOUT, &arg, sizeof(arg)), 0);
	options((struct kernel_options){ 0 });		/* R6.5: an extension is a switch */
	assert_int_equal(
		feature_(probe | get | VFIO_DEVICE_FEATURE_SWTIO_LAYOUT, &arg, sizeof(arg)),
		-ENOTTY);
}

static void attach_detach(void **state)
{
	struct vfio_device_attach_iommufd_pt attach = { .argsz = 11, .pt_id = host.ioas };
	struct vfio_device_detach_iommufd_pt detach = { .argsz = 7 };

	(void)state;
	assert_int_equal(ioctl_(host.dev, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach), -EINVAL);
	attach.argsz = 12;
	attach.flags = 2;
	assert_int_equal(ioctl_(host.dev, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach), -EINVAL);
	attach.flags = 1;		/* PASID, and no room for one */
	assert_int_equal(ioctl_(host.dev, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach), -EINVAL);
	attach = (struct vfio_device_attach_iommufd_pt){ .argsz = 12, .pt_id = 4711 };
	assert_int_equal(ioctl_(host.dev, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach), -ENOENT);
	attach.pt_id = host.ioas;
	assert_int_equal(ioctl_(host.dev, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach), 0);
	assert_int_not_equal(attach.pt_id, host.ioas);	/* the HWPT made for it */
	assert_int_equal(ioctl_(host.dev, VFIO_DEVICE_DETACH_IOMMUFD_PT, &detach), -EINVAL);
	detach.argsz = 12;
	assert_int_equal(ioctl_(host.dev, VFIO_DEVICE_DETACH_IOMMUFD_PT, &detach), 0);
	assert_int_equal(ioctl_(host.dev, VFIO_DEVICE_DETACH_IOMMUFD_PT, &detach), 0);
}

static void hot_reset(void **state)
{
	struct {
		struct vfio_pci_hot_reset_info info;
		struct vfio_pci_dependent_device dev[8];
	} arg = { .info.argsz = sizeof(struct vfio_pci_hot_reset_info) };
	struct vfio_pci_hot_reset reset = { .argsz = sizeof(reset), .count = 1 };
	uint32_t scratch = 5;

	(void)state;
	assert_int_equal(ioctl_(host.dev, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, &arg), -ENOSPC);
	assert_int_equal(arg.info.count, 2);
	arg.info.argsz = sizeof(arg);
	assert_int_equal(ioctl_(host.dev, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, &arg), 0);
	assert_int_equal(arg.info.flags,
			 VFIO_PCI_HOT_RESET_FLAG_DEV_ID | VFIO_PCI_HOT_RESET_FLAG_DEV_ID_OWNED);
	assert_int_equal(arg.dev[0].devid, host.devid);
	assert_int_equal(arg.dev[0].bus, 1);
	assert_int_equal(arg.dev[1].devid, 0);
	assert_int_equal(arg.dev[1].devfn, 1);
	assert_int_equal(ioctl_(host.dev, VFIO_DEVICE_PCI_HOT_RESET, &reset), -EINVAL);
	sys_pwrite(host.vmm, host.dev, &scratch, 4, BAR0 + ENGINE_SCRATCH);
	reset.count = 0;
	assert_int_equal(ioctl_(host.dev, VFIO_DEVICE_PCI_HOT_RESET, &reset), 0);
	/* forgotten, but there again: BARs and decode were put back, VFs too */
	assert_int_equal(sys_pread(host.vmm, host.dev, &scratch, 4, BAR0 + ENGINE_SCRATCH), 4);
	assert_int_equal(scratch, 0);
	assert_non_null(function_find(VF));
}

static void reset_forgets(void **state)
{
	uint32_t scratch = 5;

	(void)state;
	sys_pwrite(host.vmm, host.dev, &scratch, 4, BAR0 + ENGINE_SCRATCH);
	assert_int_equal(ioctl_(host.dev, VFIO_DEVICE_RESET, NULL), 0);
	sys_pread(host.vmm, host.dev, &scratch, 4, BAR0 + ENGINE_SCRATCH);
	assert_int_equal(scratch, 0);
}

/* A killed client leaves a device that the next one can have, and no object behind. */
static void kill_frees_the_device(void **state)
{
	uint64_t dmabufs, at;
	int iommufd, dev;

	(void)state;
	assert_true(dma_buf_whole(2, 0) >= 0);
	assert_int_equal(sys_mmap(host.vmm, 4096, PROT_READ, MAP_SHARED, host.dev, BAR2, &at), 0);
	image_enter();
	task_exit(host.vmm);
	dmabufs = image_live(IMAGE_TYPE_DMABUF);
	host.vmm = task_create("next", 0);
	image_leave();
	assert_int_equal(dmabufs, 0);
	assert_int_equal(image_live(IMAGE_TYPE_VFIO_FILE), 0);
	iommufd = sys_open(host.vmm, "/dev/iommu", O_RDWR);
	dev = sys_open(host.vmm, "/dev/vfio/devices/vfio0", O_RDWR);
	assert_int_equal(bind_(dev, iommufd, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(before_bind_all_is_einval, boot, off),
		cmocka_unit_test_setup_teardown(bind_errors, boot, off),
		cmocka_unit_test_setup_teardown(info_and_unknown_ioctls, boot_bound, off),
		cmocka_unit_test_setup_teardown(regions, boot_bound, off),
		cmocka_unit_test_setup_teardown(bar_accesses, boot_bound, off),
		cmocka_unit_test_setup_teardown(irq_info, boot_bound, off),
		cmocka_unit_test_setup_teardown(msix_reaches_its_eventfd, boot_bound, off),
		cmocka_unit_test_setup_teardown(err_and_req_events, boot_bound, off),
		cmocka_unit_test_setup_teardown(feature_rules, boot_bound, off),
		cmocka_unit_test_setup_teardown(attach_detach, boot_bound, off),
		cmocka_unit_test_setup_teardown(hot_reset, boot_bound, off),
		cmocka_unit_test_setup_teardown(reset_forgets, boot_bound, off),
		cmocka_unit_test_setup_teardown(kill_frees_the_device, boot_bound, off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
