/* SPDX-License-Identifier: BSD-2-Clause */
/* Config space through the cdev: what is virtual, what is the hardware's, and what a write does. */
#include "host.h"

static void ids_are_not_writable(void **state)
{
	(void)state;
	assert_int_equal(config_get_(PCI_VENDOR_ID, 2), ENGINE_VENDOR);
	assert_int_equal(config_get_(PCI_DEVICE_ID, 2), ENGINE_DEVICE);
	assert_int_equal(config_put_(PCI_VENDOR_ID, 4, 0), 4);
	assert_int_equal(config_get_(PCI_VENDOR_ID, 4),
			 (uint32_t)ENGINE_DEVICE << 16 | ENGINE_VENDOR);
}

/* QEMU reads it whole, and wants all of it. */
static void whole_space_in_one_read(void **state)
{
	uint8_t bytes[4096] = { 0 };

	(void)state;
	assert_int_equal(sys_pread(host.vmm, host.dev, bytes, 4096, CONFIG), 4096);
	assert_int_equal(bytes[0] | bytes[1] << 8, ENGINE_VENDOR);
	assert_int_equal(sys_pread(host.vmm, host.dev, bytes, 2, CONFIG + 4095), -EFAULT);
	assert_int_equal(sys_pread(host.vmm, host.dev, bytes, 1, CONFIG + 4096), -EFAULT);
}

/* PCI 6.2.5.1: all ones read back as the size's mask and the type bits; nothing moves. */
static void bar_sizing_moves_nothing(void **state)
{
	uint64_t before = function_find(PF)->bar[2].hpa;

	(void)state;
	assert_int_equal(config_put_(PCI_BASE_ADDRESS_2, 4, 0xffffffff), 4);
	assert_int_equal(config_put_(PCI_BASE_ADDRESS_3, 4, 0xffffffff), 4);
	assert_int_equal(config_get_(PCI_BASE_ADDRESS_2, 4),
			 0xffe0000c); /* 2 MiB, 64 bit, prefetchable */
	assert_int_equal(config_get_(PCI_BASE_ADDRESS_3, 4), 0xffffffff);
	config_put_(PCI_BASE_ADDRESS_2, 4, 0xe0212345);
	assert_int_equal(config_get_(PCI_BASE_ADDRESS_2, 4), 0xe020000c);
	config_put_(PCI_BASE_ADDRESS_4, 4, 0xffffffff);
	assert_int_equal(config_get_(PCI_BASE_ADDRESS_4, 4), 0);
	config_put_(PCI_ROM_ADDRESS, 4, 0xfffffffe);
	assert_int_equal(config_get_(PCI_ROM_ADDRESS, 4), 0);
	assert_true(function_find(PF)->bar[2].hpa == before);
	assert_int_equal(config_read(PF, PCI_BASE_ADDRESS_2, 4) & ~0xfu, before & 0xffffffff);
}

/* Linux: decode off is EIO to read and write, SIGBUS to a mapping, and comes back. */
static void R4_2_memory_decode_off(void **state)
{
	uint32_t value = 7;
	uint64_t at;

	(void)state;
	assert_int_equal(
		sys_mmap(host.vmm, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, host.dev, BAR2, &at),
		0);
	assert_int_equal(sys_store(host.vmm, at + 4096, &value, 4), 0);
	assert_int_equal(config_put_(PCI_COMMAND, 2, 0), 2);
	assert_int_equal(sys_pread(host.vmm, host.dev, &value, 4, BAR0), -EIO);
	assert_int_equal(sys_pwrite(host.vmm, host.dev, &value, 4, BAR2), -EIO);
	assert_int_equal(sys_load(host.vmm, at, &value, 4), -ENXIO);
	assert_int_equal(config_put_(PCI_COMMAND, 2, PCI_COMMAND_MEMORY), 2);
	assert_int_equal(sys_load(host.vmm, at + 4096, &value, 4), 0);
	assert_int_equal(value, 7);
	/* a mapping made while it is off begins revoked */
	config_put_(PCI_COMMAND, 2, 0);
	assert_int_equal(sys_mmap(host.vmm, 4096, PROT_READ, MAP_SHARED, host.dev, BAR2, &at), 0);
	assert_int_equal(sys_load(host.vmm, at, &value, 4), -ENXIO);
}

static void mmap_errors(void **state)
{
	uint64_t at;

	(void)state;
	assert_int_equal(sys_mmap(host.vmm, 4096, PROT_READ, MAP_PRIVATE, host.dev, BAR2, &at),
			 -EINVAL);
	assert_int_equal(sys_mmap(host.vmm, 4096, PROT_READ, MAP_SHARED, host.dev, BAR0, &at),
			 -EINVAL);
	assert_int_equal(sys_mmap(host.vmm, 4096, PROT_READ, MAP_SHARED, host.dev, CONFIG, &at),
			 -EINVAL);
	assert_int_equal(sys_mmap(host.vmm, 4096, PROT_READ, MAP_SHARED, host.dev,
				  BAR2 + ENGINE_BAR2_SIZE, &at),
			 -EINVAL);
	assert_int_equal(
		sys_mmap(host.vmm, ENGINE_BAR2_SIZE, PROT_READ, MAP_SHARED, host.dev, BAR2, &at),
		0);
}

static unsigned int cap_at(uint8_t id)
{
	for (unsigned int at = config_get_(PCI_CAPABILITY_LIST, 1), left = 48; at && left; left--) {
		uint32_t header = config_get_(at, 2);

		if ((header & 0xff) == id)
			return at;
		at = header >> 8;
	}
	return 0;
}

static void capabilities_and_msix_control(void **state)
{
	unsigned int msix = cap_at(PCI_CAP_ID_MSIX), exp = cap_at(PCI_CAP_ID_EXP);
	uint32_t flags;

	(void)state;
	assert_int_equal(msix, function_find(PF)->cap_msix);
	assert_int_equal(exp, function_find(PF)->cap_pcie);
	flags = config_get_(msix + PCI_MSIX_FLAGS, 2);
	config_put_(msix + PCI_MSIX_FLAGS, 2, flags | PCI_MSIX_FLAGS_ENABLE);
	assert_int_equal(config_get_(msix + PCI_MSIX_FLAGS, 2), flags);
	assert_int_equal(config_read(PF, msix + PCI_MSIX_FLAGS, 2), flags);
}

/* How many of DOE and IDE the list has. */
static unsigned int doe_and_ide_listed(void)
{
	unsigned int at = 0x100, n = 0;

	for (int left = 480; at && left; left--) {
		uint32_t header = config_get_(at, 4);

		n += (header & 0xffff) == 0x2e || (header & 0xffff) == 0x30;
		at = header >> 20;
	}
	return n;
}

/* R3.6: the DOE mailbox and the IDE registers are the host's. R6.5: that they are there is seen
 * with extensions only. */
static void R3_6_doe_and_ide_are_hidden(void **state)
{
	const struct function *fn = function_find(PF);

	(void)state;
	assert_true(fn->cap_doe && fn->cap_ide);
	assert_int_equal(doe_and_ide_listed(), 2);
	options((struct kernel_options){ .extensions = false });
	assert_int_equal(sys_close(host.vmm, host.dev), 0);
	host.dev = sys_open(host.vmm, "/dev/vfio/devices/vfio0", O_RDWR);
	assert_int_equal(bind_(host.dev, host.iommufd, NULL), 0);
	assert_int_equal(doe_and_ide_listed(), 0);
	for (unsigned int reg = 4; reg < 0x18; reg += 4) {
		config_put_(fn->cap_doe + reg, 4, 0xffffffff);
		assert_int_equal(config_get_(fn->cap_doe + reg, 4), 0);
	}
	assert_int_equal(config_read(PF, fn->cap_doe + 0x0c, 4) & 1,
			 0); /* not busy: nothing arrived */
	assert_int_equal(config_get_(fn->cap_ide + 4, 4), 0);
}

static void flr_by_config(void **state)
{
	unsigned int devctl = function_find(PF)->cap_pcie + PCI_EXP_DEVCTL;
	uint32_t scratch = 5;

	(void)state;
	sys_pwrite(host.vmm, host.dev, &scratch, 4, BAR0 + ENGINE_SCRATCH);
	assert_int_equal(config_put_(devctl, 2, config_get_(devctl, 2) | PCI_EXP_DEVCTL_BCR_FLR),
			 2);
	assert_int_equal(config_get_(devctl, 2) & PCI_EXP_DEVCTL_BCR_FLR, 0);
	assert_int_equal(sys_pread(host.vmm, host.dev, &scratch, 4, BAR0 + ENGINE_SCRATCH), 4);
	assert_int_equal(scratch, 0);
}

/* D3: mappings go, and come back with D0. */
static void R4_2_power_state(void **state)
{
	unsigned int pm = function_find(PF)->cap_pm;
	uint32_t value;
	uint64_t at;

	(void)state;
	if (!pm)
		skip();
	assert_int_equal(sys_mmap(host.vmm, 4096, PROT_READ, MAP_SHARED, host.dev, BAR2, &at), 0);
	config_put_(pm + PCI_PM_CTRL, 2, 3);
	assert_int_equal(sys_load(host.vmm, at, &value, 4), -ENXIO);
	assert_int_equal(sys_pread(host.vmm, host.dev, &value, 4, BAR0), -EIO);
	config_put_(pm + PCI_PM_CTRL, 2, 0);
	assert_int_equal(sys_load(host.vmm, at, &value, 4), 0);
}

static void R4_2_low_power_feature(void **state)
{
	struct vfio_device_feature feature;
	const uint32_t set = VFIO_DEVICE_FEATURE_SET;
	uint32_t value;
	uint64_t at;

	(void)state;
	assert_int_equal(sys_mmap(host.vmm, 4096, PROT_READ, MAP_SHARED, host.dev, BAR2, &at), 0);
	assert_int_equal(feature_(set | VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY, &feature, 8), 0);
	assert_int_equal(feature_(set | VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY, &feature, 8), -EINVAL);
	assert_int_equal(sys_load(host.vmm, at, &value, 4), -ENXIO);
	assert_int_equal(feature_(set | VFIO_DEVICE_FEATURE_LOW_POWER_EXIT, &feature, 8), 0);
	assert_int_equal(sys_load(host.vmm, at, &value, 4), 0);
}

/* A VF reads ones for its ids and has no decode bit: VFIO makes them up. */
static void virtual_function(void **state)
{
	uint32_t value = 0;
	int iommufd = sys_open(host.vmm, "/dev/iommu", O_RDWR);

	(void)state;
	host.dev = sys_open(host.vmm, "/dev/vfio/devices/vfio1", O_RDWR);
	assert_int_equal(bind_(host.dev, iommufd, NULL), 0);
	assert_int_equal(config_get_(PCI_VENDOR_ID, 4),
			 (uint32_t)ENGINE_DEVICE_VF << 16 | ENGINE_VENDOR);
	assert_int_equal(config_get_(PCI_COMMAND, 2) & PCI_COMMAND_MEMORY, PCI_COMMAND_MEMORY);
	assert_int_equal(sys_pread(host.vmm, host.dev, &value, 4, BAR0 + ENGINE_ID), 4);
	assert_int_equal(value, 0x54494f31);
	config_put_(PCI_COMMAND, 2, 0);
	assert_int_equal(sys_pread(host.vmm, host.dev, &value, 4, BAR0 + ENGINE_ID), -EIO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(ids_are_not_writable, boot_bound, off),
		cmocka_unit_test_setup_teardown(whole_space_in_one_read, boot_bound, off),
		cmocka_unit_test_setup_teardown(bar_sizing_moves_nothing, boot_bound, off),
		cmocka_unit_test_setup_teardown(R4_2_memory_decode_off, boot_bound, off),
		cmocka_unit_test_setup_teardown(mmap_errors, boot_bound, off),
		cmocka_unit_test_setup_teardown(capabilities_and_msix_control, boot_bound, off),
		cmocka_unit_test_setup_teardown(R3_6_doe_and_ide_are_hidden, boot_bound, off),
		cmocka_unit_test_setup_teardown(flr_by_config, boot_bound, off),
		cmocka_unit_test_setup_teardown(R4_2_power_state, boot_bound, off),
		cmocka_unit_test_setup_teardown(R4_2_low_power_feature, boot_bound, off),
		cmocka_unit_test_setup_teardown(virtual_function, boot, off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
