/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A device bound to a TVM, as VFIO sees it: told by events, with the layout a TDISP report gave.
 * The TSM core is stood in for, so that every state can be held still; the whole flow is tested
 * elsewhere.
 */
#include "host.h"
#include "kernel/iommufd/iommufd.h"
#include "swtio/uapi/tsm.h"

/* BAR0: registers with the MSI-X structures in a hole that stays shared; BAR2: memory. */
static const struct tsm_range layout[] = {
	{ 0, true, 0, 0x4000 }, { 0, false, 0x4000, 0x2000 }, { 0, true, 0x6000, 0xa000 },
	{ 2, true, 0, 0x100000 }, { 2, false, 0x100000, 0x100000 },
};
static bool stand_in_busy, stand_in_unbind_called;

int pci_tsm_layout(const struct pci_dev *pdev, struct tsm_range *ranges, unsigned int max)
{
	assert_int_equal(pdev->rid, PF);
	assert_true(max >= 5);
	memcpy(ranges, layout, sizeof(layout));
	return 5;
}

bool pci_tsm_busy(const struct pci_dev *pdev)
{
	(void)pdev;
	return stand_in_busy;
}

static int event(enum vfio_tsm_event what)
{
	int rc;

	image_enter();
	rc = vfio_tsm_event(pci_dev_find(PF), what);
	image_leave();
	return rc;
}

void pci_tsm_unbind(const struct pci_dev *pdev)
{
	assert_int_equal(vfio_tsm_event(pdev, VFIO_TSM_UNBIND), 0);
	stand_in_busy = false;
	stand_in_unbind_called = true;
}

static void lock(void)
{
	assert_int_equal(event(VFIO_TSM_BINDING), 0);
	assert_int_equal(event(VFIO_TSM_BOUND), 0);
	stand_in_busy = true;
}

static void unlock(void)
{
	assert_int_equal(event(VFIO_TSM_UNBIND), 0);
	assert_int_equal(event(VFIO_TSM_UNBOUND), 0);
	stand_in_busy = false;
}

static ssize_t read4(uint64_t offset)
{
	uint32_t value;

	return sys_pread(host.vmm, host.dev, &value, 4, offset);
}

static int load4(uint64_t at)
{
	uint32_t value;

	return sys_load(host.vmm, at, &value, 4);
}

static uint64_t map(uint64_t offset, uint64_t len)
{
	uint64_t at = 0;

	assert_int_equal(
		sys_mmap(host.vmm, len, PROT_READ | PROT_WRITE, MAP_SHARED, host.dev, offset, &at),
		0);
	return at;
}

static int pfn_rc(long fd)
{
	uint64_t hpa, run;
	unsigned int order;

	return dmabuf_pfn(dmabuf_at(fd), 0, &hpa, &run, &order);
}

static void R4_4_tee_pages_are_out_of_the_hosts_reach(void **state)
{
	uint64_t tee = map(BAR2, 4096), shared = map(BAR2 + 0x100000, 4096),
		 both = map(BAR2 + 0xff000, 8192), at;

	(void)state;
	assert_int_equal(event(VFIO_TSM_BINDING), 0);
	/* the layout is not known yet: nothing may be reached */
	assert_int_equal(read4(BAR0 + ENGINE_MSIX_PBA), -EBUSY);
	assert_int_equal(load4(shared), -ENXIO);
	assert_int_equal(event(VFIO_TSM_BOUND), 0);
	assert_int_equal(read4(BAR0 + ENGINE_ID), -EBUSY);
	assert_int_equal(read4(BAR2), -EBUSY);
	assert_int_equal(read4(BAR0 + ENGINE_MSIX_PBA), 4);
	assert_int_equal(read4(BAR2 + 0x100000), 4);
	assert_int_equal(sys_pwrite(host.vmm, host.dev, &at, 8, BAR2 + 0xffffc),
			 -EBUSY); /* across the edge */
	assert_int_equal(load4(tee), -ENXIO);
	assert_int_equal(load4(shared), 0);
	assert_int_equal(load4(both), -ENXIO);
	assert_int_equal(sys_mmap(host.vmm, 4096, PROT_READ, MAP_SHARED, host.dev, BAR2, &at),
			 -EBUSY);
	assert_int_equal(
		sys_mmap(host.vmm, 4096, PROT_READ, MAP_SHARED, host.dev, BAR2 + 0x100000, &at), 0);
	/* until it is all over */
	assert_int_equal(event(VFIO_TSM_UNBIND), 0);
	assert_int_equal(read4(BAR0 + ENGINE_ID), -EBUSY);
	assert_int_equal(event(VFIO_TSM_UNBOUND), 0);
	assert_int_equal(read4(BAR0 + ENGINE_ID), 4);
	assert_int_equal(load4(tee), 0);
	assert_int_equal(load4(both), 0);
}

static void R4_4_private_for_life(void **state)
{
	uint64_t at;

	(void)state;
	options((struct kernel_options){ .extensions = true, .private_for_life = true });
	assert_int_equal(read4(BAR0 + ENGINE_ID), -EBUSY);
	assert_int_equal(sys_mmap(host.vmm, 4096, PROT_READ, MAP_SHARED, host.dev, BAR2, &at),
			 -EBUSY);
	assert_int_equal(config_get_(PCI_VENDOR_ID, 2), ENGINE_VENDOR);
	assert_true(dma_buf_whole(2, VFIO_DMA_BUF_KIND_SHARED) >= 0);
	lock();
	unlock();
	assert_int_equal(read4(BAR0 + ENGINE_ID), -EBUSY);
}

static long layout_get(uint32_t region, uint32_t kind, uint32_t room,
		       struct vfio_region_dma_range *out)
{
	struct {
		struct vfio_device_feature feature;
		struct vfio_device_feature_swtio_layout layout;
		struct vfio_region_dma_range ranges[4];
	} arg = { .layout = { .region_index = region, .kind = kind, .nr_ranges = room } };
	const uint32_t flags = VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_SWTIO_LAYOUT;
	long rc = feature_(flags, &arg, sizeof(arg));

	if (rc && rc != -ENOSPC)
		return rc;
	memcpy(out, arg.ranges, sizeof(arg.ranges));
	return rc ? rc : (long)arg.layout.nr_ranges;
}

/* The client learns what is of which kind, MSI-X hole included. */
static void R2_2_R2_3_layout(void **state)
{
	struct vfio_region_dma_range out[4];

	(void)state;
	assert_int_equal(layout_get(0, VFIO_DMA_BUF_KIND_SHARED, 4, out), 1);
	assert_int_equal(out[0].length, ENGINE_BAR0_SIZE);
	assert_int_equal(layout_get(0, VFIO_DMA_BUF_KIND_PRIVATE, 4, out), 0);
	lock();
	assert_int_equal(layout_get(0, VFIO_DMA_BUF_KIND_PRIVATE, 4, out), 2);
	assert_int_equal(out[0].offset, 0);
	assert_int_equal(out[0].length, 0x4000);
	assert_int_equal(out[1].offset, 0x6000);
	assert_int_equal(out[1].length, 0xa000);
	assert_int_equal(layout_get(0, VFIO_DMA_BUF_KIND_SHARED, 4, out), 1);
	assert_int_equal(out[0].offset, 0x4000);
	assert_int_equal(out[0].length, 0x2000);
	assert_int_equal(layout_get(0, VFIO_DMA_BUF_KIND_PRIVATE, 1, out), -ENOSPC);
	assert_int_equal(layout_get(0, 3, 4, out), -EINVAL);
	assert_int_equal(layout_get(0, 0, 4, out), -EINVAL);
	assert_int_equal(layout_get(1, VFIO_DMA_BUF_KIND_SHARED, 4, out), -ENODEV);
}

static void R2_3_R2_4_kinds_are_checked_page_by_page(void **state)
{
	const uint64_t tee[2][2] = { { 0, 0x4000 }, { 0x6000, 0xa000 } },
		       hole[1][2] = { { 0x4000, 0x2000 } };
	const uint64_t across[1][2] = { { 0x3000, 0x2000 } };
	const uint32_t shared = VFIO_DMA_BUF_KIND_SHARED, private = VFIO_DMA_BUF_KIND_PRIVATE;
	struct dmabuf_provider provider;
	long fd;

	(void)state;
	assert_int_equal(dma_buf(0, private, 2, tee), -EINVAL);	/* nothing is private yet */
	lock();
	fd = dma_buf(0, private, 2, tee);
	assert_true(fd >= 0);
	assert_int_equal(pfn_rc(fd), 0);
	assert_int_equal(dmabuf_provider(dmabuf_at(fd), &provider), 0);
	assert_int_equal(provider.kind, DMABUF_PRIVATE);
	assert_true(dma_buf(0, shared, 1, hole) >= 0);
	assert_int_equal(dma_buf(0, private, 1, hole), -EINVAL);
	assert_int_equal(dma_buf(0, shared, 2, tee), -EINVAL);
	assert_int_equal(dma_buf(0, private, 1, across), -EINVAL);
	assert_int_equal(dma_buf(0, shared, 1, across), -EINVAL);
	assert_int_equal(dma_buf(0, shared | private, 1, hole), -EINVAL);
	/* no kind: as Linux has it, and then not over TEE pages */
	assert_int_equal(dma_buf(0, 0, 2, tee), -EBUSY);
	assert_true(dma_buf(0, 0, 1, hole) >= 0);
}

/* Shared buffers go before LOCK; private ones with the unbind, and never come back. */
static void R2_1_R2_2_buffers_follow_the_binding(void **state)
{
	const uint64_t page[1][2] = { { 0x100000, 0x1000 } };
	long whole = dma_buf_whole(2, VFIO_DMA_BUF_KIND_SHARED), upper = dma_buf(2, 0, 1, page),
	     private;

	(void)state;
	assert_int_equal(pfn_rc(whole), 0);
	assert_int_equal(event(VFIO_TSM_BINDING), 0);
	assert_int_equal(pfn_rc(whole), -ENODEV);
	assert_int_equal(pfn_rc(upper), -ENODEV);
	assert_int_equal(event(VFIO_TSM_BOUND), 0);
	assert_int_equal(pfn_rc(whole), -ENODEV);
	assert_int_equal(pfn_rc(upper), 0);
	private = dma_buf(2, VFIO_DMA_BUF_KIND_PRIVATE, 1,
			  (const uint64_t[1][2]) { { 0, 0x100000 } });
	assert_int_equal(pfn_rc(private), 0);
	assert_int_equal(event(VFIO_TSM_UNBIND), 0);
	assert_int_equal(pfn_rc(private), -ENODEV);
	assert_int_equal(pfn_rc(whole), -ENODEV);
	assert_int_equal(event(VFIO_TSM_UNBOUND), 0);
	assert_int_equal(pfn_rc(whole), 0);
	lock();
	assert_int_equal(pfn_rc(private), -ENODEV);
	assert_true(dmabuf_at(private)->dead);
	unlock();
}

/* A bind that fails after BINDING gives everything back. */
static void failed_bind_restores(void **state)
{
	uint64_t at = map(BAR2, 4096);
	long fd = dma_buf_whole(2, 0);

	(void)state;
	assert_int_equal(event(VFIO_TSM_BINDING), 0);
	assert_int_equal(event(VFIO_TSM_UNBOUND), 0);
	assert_int_equal(load4(at), 0);
	assert_int_equal(pfn_rc(fd), 0);
	assert_int_equal(event(VFIO_TSM_BOUND), -EINVAL);
	assert_int_equal(event(VFIO_TSM_UNBIND), 0);
	assert_int_equal(load4(at), 0);
}

static void policy(enum bound_policy wanted)
{
	options((struct kernel_options){ .extensions = true, .bound_policy = (uint8_t)wanted });
}

static int sysfs_store(const char *path, const char *data, size_t len, uint64_t offset)
{
	int rc;

	image_enter();
	rc = pci_sysfs_pwrite(path, data, len, offset);
	image_leave();
	return rc;
}

#define SYS "/sys/bus/pci/devices/0000:01:00.0/"

/* R3.4: blocked by VFIO and by the PCI core, whichever way it comes. */
static void R3_4_blocked(void **state)
{
	unsigned int devctl = function_find(PF)->cap_pcie + PCI_EXP_DEVCTL;
	const uint32_t on = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	struct vfio_pci_hot_reset reset = { .argsz = sizeof(reset) };
	uint32_t scratch;
	int rc;

	(void)state;
	policy(BOUND_BLOCKED);
	config_put_(PCI_COMMAND, 2, on);
	sys_pwrite(host.vmm, host.dev, &(uint32_t){ 5 }, 4, BAR0 + ENGINE_SCRATCH);
	lock();
	assert_int_equal(config_put_(PCI_COMMAND, 2, PCI_COMMAND_MASTER), -EBUSY);
	assert_int_equal(config_put_(PCI_COMMAND, 2, PCI_COMMAND_MEMORY), -EBUSY);
	assert_int_equal(config_put_(PCI_COMMAND, 1, 0), -EBUSY);
	assert_int_equal(config_put_(PCI_COMMAND, 2, on | PCI_COMMAND_SERR),
			 2); /* other bits are free */
	assert_int_equal(config_put_(PCI_BASE_ADDRESS_2, 4, 0xffffffff), -EBUSY);
	assert_int_equal(config_put_(devctl, 2, config_get_(devctl, 2) | PCI_EXP_DEVCTL_BCR_FLR),
			 -EBUSY);
	assert_int_equal(config_put_(devctl, 2, config_get_(devctl, 2) ^ PCI_EXP_DEVCTL_NOSNOOP_EN),
			 -EBUSY);
	assert_int_equal(ioctl_(host.dev, VFIO_DEVICE_RESET, NULL), -EBUSY);
	assert_int_equal(ioctl_(host.dev, VFIO_DEVICE_PCI_HOT_RESET, &reset), -EBUSY);
	assert_int_equal(sysfs_store(SYS "reset", "1\n", 2, 0), -EBUSY);
	assert_int_equal(sysfs_store(SYS "config", "\0\0", 2, PCI_COMMAND), -EBUSY);
	assert_int_equal(sysfs_store(SYS "config", "\xff\xff\xff\xff", 4, PCI_BASE_ADDRESS_2),
			 -EBUSY);
	assert_int_equal(sysfs_store(SYS "sriov_numvfs", "0\n", 2, 0), -EBUSY);
	image_enter();
	rc = pci_error_recover(pci_dev_find(PF));	/* AER and slot reset come this way */
	image_leave();
	assert_int_equal(rc, -EBUSY);
	/* a VF's reset is its own affair; its PF's would hit it */
	unlock();
	assert_int_equal(sys_pread(host.vmm, host.dev, &scratch, 4, BAR0 + ENGINE_SCRATCH), 4);
	assert_int_equal(scratch, 5);			/* nothing reached the device */
	assert_int_equal(ioctl_(host.dev, VFIO_DEVICE_RESET, NULL), 0);
}

/* R3.4: or they go through, and it is the device that ends the binding; VFIO still unbinds. */
static void R3_4_breaks(void **state)
{
	uint64_t at;

	(void)state;
	policy(BOUND_BREAKS);
	config_put_(PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	at = map(BAR2 + 0x100000, 4096);
	lock();
	assert_int_equal(config_put_(PCI_COMMAND, 2, 0), 2);
	assert_int_equal(config_read(PF, PCI_COMMAND, 2) & PCI_COMMAND_MASTER, 0);
	assert_int_equal(load4(at), -ENXIO);
	assert_int_equal(config_put_(PCI_COMMAND, 2, PCI_COMMAND_MEMORY), 2);
	assert_int_equal(load4(at), 0);
	assert_int_equal(ioctl_(host.dev, VFIO_DEVICE_RESET, NULL), 0);
	assert_int_equal(read4(BAR2), -EBUSY);		/* in ERROR too the pages are the TVM's */
	unlock();
	assert_int_equal(read4(BAR2), 4);
}

/* X1, seeds 3: closing a bound device unbinds it first of all. */
static void close_unbinds_first(void **state)
{
	long fd;

	(void)state;
	lock();
	fd = dma_buf(2, VFIO_DMA_BUF_KIND_PRIVATE, 1, (const uint64_t[1][2]){ { 0, 0x100000 } });
	stand_in_unbind_called = false;
	assert_int_equal(sys_close(host.vmm, host.dev), 0);
	assert_true(stand_in_unbind_called);
	assert_true(dmabuf_at(fd)->dead);
	assert_false(pci_reset_blocked(pci_dev_find(PF)));
	host.dev = sys_open(host.vmm, "/dev/vfio/devices/vfio0", O_RDWR);
	assert_int_equal(bind_(host.dev, host.iommufd, NULL), 0);
	assert_int_equal(read4(BAR0 + ENGINE_ID), 4);
}

/* R3.6: VFIO hears of it by callback, and the trace says so. */
static void R3_6_told_by_callback(void **state)
{
	(void)state;
	lock();
	unlock();
	assert_true(traced_(LANE_VFIO, "tsm binding: host access off"));
	assert_true(traced_(LANE_VFIO, "tsm bound: layout known"));
	assert_true(traced_(LANE_VFIO, "tsm unbind: disable MMIO"));
	assert_true(traced_(LANE_VFIO, "tsm unbound: recover MMIO"));
}

/* The deliberate bug does what its name says, so that an invariant has something to catch. */
static void mutant_keep_shared_mapping(void **state)
{
	uint64_t at = map(BAR2, 4096);
	long fd = dma_buf_whole(2, 0);

	(void)state;
	mutant_plant(MUTANT_KEEP_SHARED_MAPPING);
	lock();
	assert_int_equal(load4(at), 0);
	assert_int_equal(pfn_rc(fd), 0);
	unlock();
}

static int off_in_order(void **state)
{
	char text[128];

	stand_in_busy = false;
	assert_int_equal(klock_findings(text, sizeof(text)), 0);
	return off(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, boot_bound, off_in_order)

/* R7.4: VFIO binds where that proposal is spoken, a vDEVICE of the function's given; nowhere else. */
static void R7_4_bind_asked_of_vfio(void **state)
{
	struct kernel_options options = *kernel_options();
	struct vfio_device_tsm cmd = { .argsz = sizeof(cmd) };

	(void)state;
	options.extensions = true;
	options.tsm_uapi = TSM_UAPI_V5;
	image_enter();
	assert_int_equal(kernel_options_set(&options), 0);
	image_leave();
	assert_int_equal(ioctl_(host.dev, VFIO_DEVICE_TSM_BIND, &cmd), -ENOTTY);
	options.tsm_uapi = TSM_UAPI_VFIO;
	image_enter();
	assert_int_equal(kernel_options_set(&options), 0);
	image_leave();
	assert_int_equal(ioctl_(host.dev, VFIO_DEVICE_TSM_BIND, &cmd), -ENODEV);
	cmd.flags = 1;
	assert_int_equal(ioctl_(host.dev, VFIO_DEVICE_TSM_BIND, &cmd), -EINVAL);
	cmd.flags = 0;
	cmd.argsz = 4;
	assert_int_equal(ioctl_(host.dev, VFIO_DEVICE_TSM_UNBIND, &cmd), -EINVAL);
	assert_int_equal(ioctl_(host.dev, VFIO_DEVICE_TSM_BIND, NULL), -EFAULT);
	options.extensions = false;
	image_enter();
	assert_int_equal(kernel_options_set(&options), 0);
	image_leave();
	assert_int_equal(ioctl_(host.dev, VFIO_DEVICE_TSM_BIND, &cmd), -ENOTTY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(R4_4_tee_pages_are_out_of_the_hosts_reach),
		TEST(R4_4_private_for_life),
		TEST(R2_2_R2_3_layout),
		TEST(R2_3_R2_4_kinds_are_checked_page_by_page),
		TEST(R2_1_R2_2_buffers_follow_the_binding),
		TEST(failed_bind_restores),
		TEST(R3_4_blocked),
		TEST(R3_4_breaks),
		TEST(close_unbinds_first),
		TEST(R3_6_told_by_callback),
		TEST(mutant_keep_shared_mapping),
		TEST(R7_4_bind_asked_of_vfio),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
