/* SPDX-License-Identifier: BSD-2-Clause */
/* The PCI core: names, sysfs, DOE, IDE registers. */
#include "hardware/doe.h"
#include "hardware/ide.h"
#include "host.h"

#define SYS "/sys/bus/pci/devices/0000:01:00.0/"

static void names(void **state)
{
	static const struct { const char *text; int rc; uint16_t rid;
	} rows[] = {
		{ "0000:01:00.0", 0, 0x0100 },	 { "0000:00:01.0", 0, 0x0008 },
		{ "0000:ff:1f.7", 0, 0xffff },	 { "0001:01:00.0", -EINVAL, 0 },
		{ "0000:01:20.0", -EINVAL, 0 },	 { "0000:01:00.8", -EINVAL, 0 },
		{ "01:00.0", -EINVAL, 0 },	 { "0000:1:0.0", -EINVAL, 0 },
		{ "0000:01:00.0x", -EINVAL, 0 }, { "", -EINVAL, 0 },
	};
	char name[13];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint16_t rid = 0;

		assert_int_equal(pci_parse(rows[i].text, &rid), rows[i].rc);
		if (rows[i].rc)
			continue;
		assert_int_equal(rid, rows[i].rid);
		pci_name(rid, name);
		assert_string_equal(name, rows[i].text);
	}
}

static int read_text(const char *path, char *text, size_t len)
{
	int fd = sys_open(host.vmm, path, O_RDONLY);
	ssize_t n = fd < 0 ? fd : sys_read(host.vmm, fd, text, len - 1);

	if (fd >= 0)
		sys_close(host.vmm, fd);
	if (n >= 0)
		text[n] = '\0';
	return (int)n;
}

static int write_text(const char *path, const char *text)
{
	int fd = sys_open(host.vmm, path, O_WRONLY);
	ssize_t n = fd < 0 ? fd : sys_write(host.vmm, fd, text, strlen(text));

	if (fd >= 0)
		sys_close(host.vmm, fd);
	return n > 0 ? 0 : (int)n;
}

/* Paths and texts as a 7.2 host gives them. */
static void sysfs_attributes(void **state)
{
	static const struct { const char *name, *text;
	} rows[] = {
		{ SYS "vendor", "0x1d10\n" },
		{ SYS "device", "0x7e10\n" },
		{ SYS "class", "0x088000\n" },
		{ SYS "revision", "0x01\n" },
		{ SYS "numa_node", "-1\n" },
		{ SYS "vfio-dev/vfio0/dev", "511:0\n" },
		{ SYS "tsm/connect", "\n" },
		{ SYS "tsm/bound", "\n" },
		{ SYS "authenticated", "\n" },
		{ "/sys/bus/pci/devices/0000:01:00.1/vendor", "0x1d10\n" },
		{ "/sys/bus/pci/devices/0000:01:00.1/device", "0x7e11\n" },
		{ "/sys/bus/pci/devices/0000:01:00.1/vfio-dev/vfio1/dev", "511:1\n" },
	};
	char text[8192] = "";

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_true(read_text(rows[i].name, text, sizeof(text)) > 0);
		assert_string_equal(text, rows[i].text);
	}
	assert_int_equal(read_text(SYS "config", text, sizeof(text)), 4096);
	assert_memory_equal(text, "\x10\x1d\x10\x7e", 4);
	assert_int_equal(read_text(SYS "resource", text, sizeof(text)), 13 * 57);
	assert_int_equal(read_text(SYS "nothing", text, sizeof(text)), -ENOENT);
	assert_int_equal(read_text(SYS "vfio-dev/vfio1/dev", text, sizeof(text)), -ENOENT);
	assert_int_equal(read_text("/sys/bus/pci/devices/0000:02:00.0/vendor", text, sizeof(text)),
			 -ENOENT);
	/* connect and disconnect are of physical function 0 only; a port has no group at all */
	assert_int_equal(
		read_text("/sys/bus/pci/devices/0000:01:00.1/tsm/connect", text, sizeof(text)),
		-ENOENT);
	assert_int_equal(
		read_text("/sys/bus/pci/devices/0000:00:01.0/tsm/connect", text, sizeof(text)),
		-ENOENT);
	assert_int_equal(pci_sysfs_read(SYS "reset", text, sizeof(text)), -EACCES);
	assert_int_equal(pci_sysfs_read(SYS "tsm/disconnect", text, sizeof(text)), -EACCES);
	assert_int_equal(pci_sysfs_read(SYS "driver", text, sizeof(text)), -EISDIR);
}

static void sysfs_writes(void **state)
{
	(void)state;
	assert_int_equal(write_text(SYS "vendor", "1\n"), -EACCES);
	assert_int_equal(write_text(SYS "reset", "2\n"), -EINVAL);
	assert_int_equal(write_text(SYS "reset", "1\n"), 0);
	assert_int_equal(write_text(SYS "tsm/connect", "tsm7\n"), -ENXIO);
	assert_int_equal(write_text(SYS "tsm/disconnect", "tsm0\n"), -ENXIO);
	assert_int_equal(write_text(SYS "sriov_numvfs", "99\n"), -ERANGE);
	assert_int_equal(write_text(SYS "sriov_numvfs", "1\n"), -EBUSY);
	assert_int_equal(write_text(SYS "sriov_numvfs", "0\n"), 0);
	assert_null(function_find(VF));
	assert_int_equal(write_text(SYS "sriov_numvfs", "1\n"), 0);
	assert_non_null(function_find(VF));
}

static bool lists(const char *path, const char *name)
{
	char text[4096], line[64];
	int n = pci_sysfs_list(path, text, sizeof(text));

	snprintf(line, sizeof(line), "%s\n", name);
	return n > 0 && strstr(text, line);
}

static void sysfs_directories(void **state)
{
	char text[256];

	(void)state;
	assert_true(lists("/sys/bus/pci/devices", "0000:01:00.1"));
	assert_true(lists("/sys/bus/pci/devices/0000:01:00.0", "tsm"));
	assert_true(lists("/sys/bus/pci/devices/0000:01:00.0/tsm", "connect"));
	assert_true(lists(SYS "vfio-dev", "vfio0"));
	assert_true(lists("/sys/class/tsm", "tsm0"));
	assert_int_equal(pci_sysfs_list(SYS "vendor", text, sizeof(text)), -ENOTDIR);
	assert_int_equal(pci_sysfs_list("/sys/bus/usb", text, sizeof(text)), -ENOENT);
	assert_int_equal(pci_sysfs_list(SYS, text, 8), -ENOSPC);
	assert_true(pci_sysfs_link(SYS "driver", text, sizeof(text)) > 0);
	assert_string_equal(text, "../../../../bus/pci/drivers/vfio-pci");
	assert_true(pci_sysfs_link(SYS "iommu_group", text, sizeof(text)) > 0);
	assert_int_equal(pci_sysfs_link(SYS "vendor", text, sizeof(text)), -EINVAL);
}

/* -- DOE --------------------------------------------------------------------------------------- */

struct exchange { uint8_t req[12], rsp[64]; size_t cap; int rc; };

static long exchange_run(void *arg)
{
	struct exchange *e = arg;

	e->rc = pci_doe(pci_dev_find(PF), LANE_TSM, e->req, sizeof(e->req), e->rsp, e->cap);
	return e->rc < 0 ? e->rc : 0;
}

/* A discovery object, PCIe 6.x 6.30.1.1, index 0: answers vendor 1, type 0, and what comes next. */
static int discover(uint8_t rsp[64])
{
	struct exchange e = { .req = { 1, 0, 0, 0, 3, 0, 0, 0 }, .cap = sizeof(e.rsp) };

	image_call(exchange_run, &e);
	memcpy(rsp, e.rsp, 64);
	return e.rc;
}

static void doe_discovery(void **state)
{
	/* the answer too, but for the next index */
	const uint8_t start[12] = { 1, 0, 0, 0, 3, 0, 0, 0, 1 };
	uint8_t rsp[64];

	(void)state;
	assert_int_equal(discover(rsp), 12);
	assert_memory_equal(rsp, start, 11);
	assert_true(traced_(LANE_HARDWARE, "DOE discovery"));
	/* a VF's mailbox is its PF's; a port has none */
	image_enter();
	assert_int_equal(pci_doe(pci_dev_find(VF), LANE_TSM, start, 12, rsp, sizeof(rsp)), 12);
	assert_int_equal(pci_doe(pci_dev_find(PORT), LANE_TSM, start, 12, rsp, sizeof(rsp)),
			 -ENXIO);
	assert_int_equal(pci_doe(pci_dev_find(PF), LANE_TSM, start, 10, rsp, sizeof(rsp)), -EINVAL);
	assert_int_equal(pci_doe(pci_dev_find(PF), LANE_TSM, start, 4, rsp, sizeof(rsp)), -EINVAL);
	assert_int_equal(pci_doe(pci_dev_find(PF), LANE_TSM, start, 12, rsp, 8),
			 -EIO); /* too small: drained */
	assert_int_equal(pci_doe(pci_dev_find(PF), LANE_TSM, start, 12, rsp, sizeof(rsp)), 12);
	image_leave();
}

/* Each fault is an error to the caller, and the next exchange works again. */
static void doe_faults(void **state)
{
	static const enum doe_fault faults[] = { DOE_FAULT_TIMEOUT, DOE_FAULT_TRUNCATE,
						 DOE_FAULT_ERROR };
	uint8_t rsp[64];

	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		uint64_t before = image_clock(), spent;

		image_enter();
		assert_int_equal(doe_inject(PF, faults[i], 1), 0);
		image_leave();
		assert_int_equal(discover(rsp), -EIO);
		spent = image_clock() - before;
		if (faults[i] == DOE_FAULT_TIMEOUT)	/* Linux gives an object one second */
			assert_in_range(spent, 1000000000, 1020000000);
		assert_int_equal(discover(rsp), 12);
	}
}

static int kills_left;

static void kill_at_doe(enum image_wait point, void *arg)
{
	(void)arg;
	if (point == IMAGE_WAIT_DOE && kills_left && kills_left-- == 1)
		image_call_abort(-EINTR);
}

/* A caller dies with its object in the mailbox: the next one clears it away. */
static void doe_after_a_kill(void **state)
{
	uint8_t rsp[64];

	(void)state;
	image_wait_hook(kill_at_doe, NULL);
	kills_left = 1;
	klock_set_task(77);
	assert_int_equal(discover(rsp), 0);	/* never came back */
	image_enter();
	klock_release_all(77);
	klock_set_task(78);
	image_leave();
	assert_int_equal(discover(rsp), 12);
	klock_set_task(0);
	image_wait_hook(NULL, NULL);
}

/* -- IDE --------------------------------------------------------------------------------------- */

static uint32_t ide_reg(uint16_t rid, unsigned int reg)
{
	uint16_t cap = function_find(rid)->cap_ide;
	uint32_t head = config_read(rid, cap + IDE_CAP, 4);
	unsigned int link = head & 1 ? (head >> 13 & 7) + 1 : 0;

	return config_read(rid, IDE_SEL_BASE(cap, link) + reg, 4);
}

/* Selective block 0 of either end; PF BAR2 is at the start of the bus's window, BAR0 32 MiB up. */
static void ide_registers(void **state)
{
	const struct pci_dev *pdev = pci_dev_find(PF);
	uint64_t base = function_find(PF)->bar[2].hpa;
	uint32_t reg;
	int id;

	(void)state;
	image_enter();
	id = pci_ide_stream_alloc(pdev);
	assert_int_equal(id, 0);
	assert_int_equal(pci_ide_setup(pdev, 0), 0);
	/* endpoint: default stream, matches the port's rid 0x0008; not enabled */
	assert_int_equal(ide_reg(PF, 0x04), 1u << 22);
	assert_int_equal(ide_reg(PF, 0x0c), 0x0008u << 8);
	assert_int_equal(ide_reg(PF, 0x10), 1 | 0x0008u << 8);
	/* port: rids 0x0100 to 0x0101, first address range valid and from BAR2 on */
	assert_int_equal(ide_reg(PORT, 0x04), 0);
	assert_int_equal(ide_reg(PORT, 0x0c), 0x0101u << 8);
	assert_int_equal(ide_reg(PORT, 0x10), 1 | 0x0100u << 8);
	reg = ide_reg(PORT, 0x14);
	assert_int_equal(reg & 1, 1);
	assert_int_equal(reg >> 8 & 0xfff, base >> 20 & 0xfff);
	assert_int_equal(ide_reg(PORT, 0x1c), base >> 32);
	/* no keys: enabled is not yet secure */
	assert_int_equal(pci_ide_enable(pdev, 0), -ENXIO);
	assert_int_equal(ide_reg(PF, 0x04) & 1, 1);
	pci_ide_disable(pdev, 0);
	assert_int_equal(ide_reg(PF, 0x04) & 1, 0);
	pci_ide_stream_free(pdev, 0);
	assert_int_equal(ide_reg(PF, 0x10), 0);
	assert_int_equal(pci_ide_stream_alloc(pdev), 0);
	while ((id = pci_ide_stream_alloc(pdev)) > 0)
		;
	assert_int_equal(id, -EBUSY);
	assert_int_equal(pci_ide_setup(pdev, 200), -ENXIO);
	image_leave();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(names, boot, off),
		cmocka_unit_test_setup_teardown(sysfs_attributes, boot, off),
		cmocka_unit_test_setup_teardown(sysfs_writes, boot, off),
		cmocka_unit_test_setup_teardown(sysfs_directories, boot, off),
		cmocka_unit_test_setup_teardown(doe_discovery, boot, off),
		cmocka_unit_test_setup_teardown(doe_faults, boot, off),
		cmocka_unit_test_setup_teardown(doe_after_a_kill, boot, off),
		cmocka_unit_test_setup_teardown(ide_registers, boot, off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
