/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * R6.2, R6.5, R6.6: what VFIO answers, one line a question. A plain client: it asks the first device that
 * has a reset and MSI-X and is no VF, so that the answers are the same on any Linux and on the
 * software host. answers.txt beside it is what Linux 7.2.13 said.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "swtio/uapi/iommufd.h"
#include "swtio/uapi/vfio.h"
#include "swtio/uapi/vfio_type1.h"

#define CONFIG_AT ((off_t)VFIO_PCI_CONFIG_REGION_INDEX << 40)

static int dev = -1, iommufd = -1;
static char bdf[16], node[64], group[40];

/* -- saying ------------------------------------------------------------------------------------ */

static const char *error_name(int error)
{
	const char *name = strerrorname_np(error);

	return name ? name : "?";
}

__attribute__((format(printf, 2, 3))) static void say(long result, const char *question, ...)
{
	int error = errno;
	va_list args;

	va_start(args, question);
	vprintf(question, args);
	va_end(args);
	if (result < 0)
		printf(": %s\n", error_name(error));
	else
		printf(": %ld\n", result);
}

/* -- which device ------------------------------------------------------------------------------ */

static int open_node(const char *name)
{
	int fd;

	snprintf(node, sizeof(node), "/dev/vfio/devices/%s", name);
	fd = open(node, O_RDWR);
	return fd;
}

static int bind_to(int fd, int to)
{
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind), .iommufd = to };

	return ioctl(fd, VFIO_DEVICE_BIND_IOMMUFD, &bind);
}

static unsigned int vectors(int fd, unsigned int index)
{
	struct vfio_irq_info info = { .argsz = sizeof(info), .index = index };

	return ioctl(fd, VFIO_DEVICE_GET_IRQ_INFO, &info) ? 0 : info.count;
}

static bool suits(int fd)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };
	int context = open("/dev/iommu", O_RDWR);
	bool yes = !bind_to(fd, context) && !ioctl(fd, VFIO_DEVICE_GET_INFO, &info) &&
		   info.flags & VFIO_DEVICE_FLAGS_RESET && vectors(fd, VFIO_PCI_MSIX_IRQ_INDEX);

	close(context);
	return yes;
}

static bool node_of(const char *device, char *name, size_t len)
{
	char path[300];
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/vfio-dev", device);
	dir = opendir(path);
	*name = '\0';
	while (dir && (entry = readdir(dir)))
		if (!strncmp(entry->d_name, "vfio", 4))
			snprintf(name, len, "%s", entry->d_name);
	if (dir)
		closedir(dir);
	return *name;
}

static bool choose(void)
{
	DIR *dir = opendir("/sys/bus/pci/devices");
	struct dirent *entry;
	char name[32], path[300], link[300];
	struct stat st;
	ssize_t n;
	bool found = false;

	while (dir && !found && (entry = readdir(dir))) {
		int fd;

		snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/physfn", entry->d_name);
		if (entry->d_name[0] == '.' || !stat(path, &st) ||
		    !node_of(entry->d_name, name, sizeof(name)))
			continue;
		fd = open_node(name);
		found = fd >= 0 && suits(fd);
		close(fd);
		snprintf(bdf, sizeof(bdf), "%.15s", entry->d_name);
	}
	if (dir)
		closedir(dir);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group", bdf);
	n = found ? readlink(path, link, sizeof(link) - 1) : -1;
	if (n < 0)
		return false;
	link[n] = '\0';
	snprintf(group, sizeof(group), "/dev/vfio/%.16s", strrchr(link, '/') + 1);
	return true;
}

/* -- before BIND, and BIND --------------------------------------------------------------------- */

static void ask_unbound(void)
{
	static const unsigned int numbers[] = {
		VFIO_DEVICE_ATTACH_IOMMUFD_PT, VFIO_DEVICE_DETACH_IOMMUFD_PT, VFIO_DEVICE_GET_INFO,
		VFIO_DEVICE_GET_REGION_INFO, VFIO_DEVICE_GET_IRQ_INFO, VFIO_DEVICE_SET_IRQS,
		VFIO_DEVICE_RESET, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, VFIO_DEVICE_PCI_HOT_RESET,
		VFIO_DEVICE_IOEVENTFD, VFIO_DEVICE_FEATURE, 0x3b40, 0x3bff, 0x12345678,
	};
	uint32_t word;

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		say(ioctl(dev, numbers[i], NULL), "unbound ioctl %#x", numbers[i]);
	say(pread(dev, &word, 4, CONFIG_AT), "unbound pread");
	say(pwrite(dev, &word, 4, CONFIG_AT), "unbound pwrite");
	say(mmap(NULL, 4096, PROT_READ, MAP_SHARED, dev, 0) == MAP_FAILED ? -1 : 0, "unbound mmap");
	say(lseek(dev, 0, SEEK_CUR), "lseek");
}

static void ask_bind(void)
{
	struct { struct vfio_device_bind_iommufd b; uint32_t tail[2]; } big = {
		.b = { .argsz = sizeof(big), .iommufd = iommufd }, .tail = { 0, 1 }
	};
	struct vfio_device_bind_iommufd bind = { .argsz = 12, .iommufd = iommufd };
	int null = open("/dev/null", O_RDWR), other;

	say(ioctl(dev, VFIO_DEVICE_BIND_IOMMUFD, NULL), "bind NULL");
	say(ioctl(dev, VFIO_DEVICE_BIND_IOMMUFD, &bind), "bind argsz 12");
	say(ioctl(dev, VFIO_DEVICE_BIND_IOMMUFD, &big), "bind tail not zero");
	bind.argsz = sizeof(bind);
	bind.flags = 2;
	say(ioctl(dev, VFIO_DEVICE_BIND_IOMMUFD, &bind), "bind flags 2");
	bind.flags = 0;
	bind.iommufd = -1;
	say(ioctl(dev, VFIO_DEVICE_BIND_IOMMUFD, &bind), "bind iommufd -1");
	bind.iommufd = 9999;
	say(ioctl(dev, VFIO_DEVICE_BIND_IOMMUFD, &bind), "bind iommufd not open");
	bind.iommufd = null;
	say(ioctl(dev, VFIO_DEVICE_BIND_IOMMUFD, &bind), "bind iommufd /dev/null");
	bind.iommufd = iommufd;
	bind.flags = VFIO_DEVICE_BIND_FLAG_TOKEN;
	say(ioctl(dev, VFIO_DEVICE_BIND_IOMMUFD, &bind), "bind token NULL");
	other = open(group, O_RDWR);
	say(other < 0 ? -1 : 0, "open group");
	bind.flags = 0;
	say(ioctl(dev, VFIO_DEVICE_BIND_IOMMUFD, &bind), "bind with the group open");
	say(open(group, O_RDWR) < 0 ? -1 : 0, "open group again");
	close(other);
	bind.argsz = 16;
	say(ioctl(dev, VFIO_DEVICE_BIND_IOMMUFD, &bind), "bind argsz 16");
	say(ioctl(dev, VFIO_DEVICE_BIND_IOMMUFD, &bind), "bind again");
	other = open(node, O_RDWR);
	say(other < 0 ? -1 : 0, "open node again");
	say(bind_to(other, iommufd), "bind the second open");
	close(other);
	say(open(group, O_RDWR) < 0 ? -1 : 0, "open group of a bound device");
	close(null);
}

/* -- information ------------------------------------------------------------------------------- */

static void ask_info(void)
{
	struct vfio_device_info info = { .argsz = 12 };

	say(ioctl(dev, VFIO_DEVICE_GET_INFO, NULL), "info NULL");
	say(ioctl(dev, VFIO_DEVICE_GET_INFO, &info), "info argsz 12");
	info.argsz = 16;
	info.cap_offset = 0xdead;
	say(ioctl(dev, VFIO_DEVICE_GET_INFO, &info), "info argsz 16");
	say(info.cap_offset, "  cap_offset untouched");
	info.argsz = sizeof(info);
	say(ioctl(dev, VFIO_DEVICE_GET_INFO, &info), "info");
	say(info.flags & 3, "  flags of reset and PCI");
	say(info.num_regions, "  regions");
	say(info.num_irqs, "  irqs");
}

static void ask_regions(void)
{
	struct vfio_region_info info = { .argsz = 28 };

	say(ioctl(dev, VFIO_DEVICE_GET_REGION_INFO, NULL), "region NULL");
	say(ioctl(dev, VFIO_DEVICE_GET_REGION_INFO, &info), "region argsz 28");
	for (unsigned int index = 0; index < 11; index++) {
		info = (struct vfio_region_info){ .argsz = sizeof(info), .index = index };
		say(ioctl(dev, VFIO_DEVICE_GET_REGION_INFO, &info), "region %u", index);
		if (index < 7)
			continue;
		say(info.flags, "  flags");
		say((long)(info.offset >> 40), "  offset >> 40");
		say(info.cap_offset, "  cap_offset");
	}
}

/* The MSI-X table's BAR: what the capability says, by argsz. */
static void ask_msix_region(void)
{
	struct { struct vfio_region_info r; uint32_t cap[2]; } info;
	unsigned int at = 0, pos;
	uint8_t id = 0, next = 0;
	uint32_t table;

	pread(dev, &next, 1, CONFIG_AT + 0x34);
	for (pos = next; pos; pos = next) {
		pread(dev, &id, 1, CONFIG_AT + pos);
		pread(dev, &next, 1, CONFIG_AT + pos + 1);
		if (id == 0x11)
			at = pos;
	}
	pread(dev, &table, 4, CONFIG_AT + at + 4);
	for (uint32_t argsz = sizeof(info.r); argsz <= sizeof(info); argsz += 8) {
		memset(&info, 0, sizeof(info));
		info.r.argsz = argsz;
		info.r.index = table & 7;
		say(ioctl(dev, VFIO_DEVICE_GET_REGION_INFO, &info), "MSI-X region argsz %u", argsz);
		say(info.r.argsz, "  argsz");
		say(info.r.flags, "  flags");
		say(info.r.cap_offset, "  cap_offset");
		say(info.cap[0], "  id, version");
	}
}

static void ask_irqs(void)
{
	struct vfio_irq_info info = { .argsz = 12 };

	say(ioctl(dev, VFIO_DEVICE_GET_IRQ_INFO, NULL), "irq NULL");
	say(ioctl(dev, VFIO_DEVICE_GET_IRQ_INFO, &info), "irq argsz 12");
	for (unsigned int index = 0; index < 7; index++) {
		info = (struct vfio_irq_info){ .argsz = sizeof(info), .index = index };
		say(ioctl(dev, VFIO_DEVICE_GET_IRQ_INFO, &info), "irq %u", index);
		say(info.flags, "  flags");
		if (index > 2)
			say(info.count, "  count");
	}
}

/* -- SET_IRQS ---------------------------------------------------------------------------------- */

struct irq_call { struct vfio_irq_set s; int32_t fd[8]; };

static int set_irqs(uint32_t flags, uint32_t index, uint32_t start, uint32_t count, ...)
{
	struct irq_call call = { .s = { .argsz = sizeof(call), .flags = flags, .index = index,
					 .start = start, .count = count } };
	va_list args;

	va_start(args, count);
	for (uint32_t i = 0; i < count && i < 8 && !(flags & VFIO_IRQ_SET_DATA_NONE); i++) {
		call.fd[i] = va_arg(args, int);
		if (flags & VFIO_IRQ_SET_DATA_BOOL)
			((uint8_t *)call.fd)[i] = (uint8_t)call.fd[i];
	}
	va_end(args);
	return ioctl(dev, VFIO_DEVICE_SET_IRQS, &call);
}

static long fired(int fd)
{
	struct pollfd p = { fd, POLLIN, 0 };
	uint64_t n = 0;

	if (poll(&p, 1, 0) == 1 && read(fd, &n, sizeof(n)) != sizeof(n))
		return -1;
	return (long)n;
}

#define NONE VFIO_IRQ_SET_DATA_NONE
#define BOOL VFIO_IRQ_SET_DATA_BOOL
#define EVENT VFIO_IRQ_SET_DATA_EVENTFD
#define TRIGGER VFIO_IRQ_SET_ACTION_TRIGGER
#define MASK VFIO_IRQ_SET_ACTION_MASK
#define UNMASK VFIO_IRQ_SET_ACTION_UNMASK
#define MSIX VFIO_PCI_MSIX_IRQ_INDEX
#define Q(call) say(call, "%s", #call)

static void ask_set_irqs(void)
{
	int e = eventfd(0, EFD_CLOEXEC), n = (int)vectors(dev, MSIX), null = open("/dev/null", O_RDWR);
	struct vfio_irq_set small = { .argsz = 16 };

	Q(ioctl(dev, VFIO_DEVICE_SET_IRQS, NULL));
	Q(ioctl(dev, VFIO_DEVICE_SET_IRQS, &small));
	Q(set_irqs(0, MSIX, 0, 0));
	Q(set_irqs(TRIGGER, MSIX, 0, 0));
	Q(set_irqs(NONE | BOOL | TRIGGER, MSIX, 0, 0));
	Q(set_irqs(NONE | TRIGGER | MASK, MSIX, 0, 0));
	Q(set_irqs(NONE, MSIX, 0, 0));
	Q(set_irqs(NONE | TRIGGER | 0x100, MSIX, 0, 0));
	Q(set_irqs(NONE | TRIGGER, 9, 0, 0));
	Q(set_irqs(NONE | MASK, MSIX, 0, 1));
	Q(set_irqs(NONE | UNMASK, MSIX, 0, 1));
	Q(set_irqs(NONE | TRIGGER, MSIX, 0, 0));
	Q(set_irqs(NONE | TRIGGER, MSIX, 0, 1));
	Q(set_irqs(NONE | TRIGGER, MSIX, (uint32_t)n, 0));
	Q(set_irqs(EVENT | TRIGGER, MSIX, 0, (uint32_t)n + 1, e));
	Q(set_irqs(EVENT | TRIGGER, MSIX, 0, UINT32_MAX, e));
	Q(set_irqs(EVENT | TRIGGER, MSIX, 0, 1, 9999));
	Q(set_irqs(EVENT | TRIGGER, MSIX, 0, 1, null));
	Q(set_irqs(EVENT | TRIGGER, MSIX, 0, 1, e));
	Q(set_irqs(NONE | TRIGGER, MSIX, 0, 1));
	Q(fired(e));
	Q(set_irqs(BOOL | TRIGGER, MSIX, 0, 1, 0));
	Q(fired(e));
	Q(set_irqs(BOOL | TRIGGER, MSIX, 0, 1, 1));
	Q(fired(e));
	Q(set_irqs(EVENT | TRIGGER, MSIX, 0, 1, -2));
	Q(set_irqs(NONE | TRIGGER, MSIX, 0, 1));
	Q(fired(e));
	Q(set_irqs(EVENT | TRIGGER, MSIX, 0, 1, -1));
	Q(set_irqs(NONE | TRIGGER, MSIX, 0, 1));
	Q(fired(e));
	Q(set_irqs(EVENT | TRIGGER, VFIO_PCI_INTX_IRQ_INDEX, 0, 1, e));
	Q(set_irqs(NONE | TRIGGER, VFIO_PCI_MSI_IRQ_INDEX, 0, 0));
	Q(set_irqs(NONE | TRIGGER, MSIX, 0, 0));
	Q(set_irqs(NONE | TRIGGER, MSIX, 0, 0));
	for (uint32_t index = VFIO_PCI_ERR_IRQ_INDEX; index <= VFIO_PCI_REQ_IRQ_INDEX; index++) {
		Q(set_irqs(NONE | TRIGGER, index, 0, 0));
		Q(set_irqs(NONE | TRIGGER, index, 0, 1));
		Q(set_irqs(NONE | MASK, index, 0, 1));
		Q(set_irqs(EVENT | TRIGGER, index, 0, 1, 9999));
		Q(set_irqs(EVENT | TRIGGER, index, 0, 1, e));
		Q(set_irqs(EVENT | TRIGGER, index, 1, 1, e));
		Q(set_irqs(NONE | TRIGGER, index, 0, 1));
		Q(fired(e));
		Q(set_irqs(BOOL | TRIGGER, index, 0, 1, 1));
		Q(fired(e));
		Q(set_irqs(BOOL | TRIGGER, index, 0, 1, 0));
		Q(fired(e));
		Q(set_irqs(EVENT | TRIGGER, index, 0, 1, -1));
		Q(set_irqs(NONE | TRIGGER, index, 0, 1));
		Q(set_irqs(BOOL | TRIGGER, index, 0, 1, 1));
	}
	close(null);
	close(e);
}

/* -- features ---------------------------------------------------------------------------------- */

struct feature { struct vfio_device_feature f; uint64_t data[6]; };

static int feature(uint32_t flags, uint32_t len)
{
	struct feature f = { .f = { .argsz = (uint32_t)sizeof(f.f) + len, .flags = flags } };

	return ioctl(dev, VFIO_DEVICE_FEATURE, &f);
}

#define GET VFIO_DEVICE_FEATURE_GET
#define SET VFIO_DEVICE_FEATURE_SET
#define PROBE VFIO_DEVICE_FEATURE_PROBE

static void ask_features(void)
{
	struct vfio_device_feature small = { .argsz = 4 };

	Q(ioctl(dev, VFIO_DEVICE_FEATURE, NULL));
	Q(ioctl(dev, VFIO_DEVICE_FEATURE, &small));
	Q(feature(0, 0));
	Q(feature(1u << 19 | GET | 11, 40));
	Q(feature(GET | SET | 3, 0));
	for (uint32_t n = 0; n < 16; n++) {
		say(feature(PROBE | n, 0), "feature %u PROBE", n);
		say(feature(PROBE | GET | n, 0), "feature %u PROBE GET", n);
		say(feature(PROBE | SET | n, 0), "feature %u PROBE SET", n);
		say(feature(PROBE | GET | SET | n, 0), "feature %u PROBE GET SET", n);
		say(feature(n, 48), "feature %u neither", n);
		say(feature(GET | n, 0), "feature %u GET, no data", n);
		if (n != 3 && n != 5)
			say(feature(SET | n, 0), "feature %u SET, no data", n);
	}
}

static int dma_buf(uint32_t argsz, uint32_t region, uint32_t flags, uint32_t count, uint64_t offset,
		   uint64_t len)
{
	struct {
		struct vfio_device_feature f;
		uint32_t region, open_flags, flags, count;
		uint64_t offset, len, more[2];
	} f = { { argsz, GET | VFIO_DEVICE_FEATURE_DMA_BUF }, region, O_RDWR | O_CLOEXEC, flags, count,
		offset, len, { offset, len } };
	int fd = ioctl(dev, VFIO_DEVICE_FEATURE, &f);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

static uint32_t a_bar(uint64_t *size)
{
	for (uint32_t i = 0; i < 6; i++) {
		struct vfio_region_info info = { .argsz = sizeof(info), .index = i };

		ioctl(dev, VFIO_DEVICE_GET_REGION_INFO, &info);
		*size = info.size;
		if (info.flags & VFIO_REGION_INFO_FLAG_MMAP)
			return i;
	}
	return 6;
}

static void ask_dma_buf(void)
{
	uint64_t size;
	uint32_t bar = a_bar(&size);

	Q(dma_buf(16, bar, 0, 1, 0, 4096));
	Q(dma_buf(24, bar, 0, 0, 0, 4096));
	Q(dma_buf(24, bar, 1, 1, 0, 4096));
	Q(dma_buf(64, VFIO_PCI_CONFIG_REGION_INDEX, 0, 1, 0, 4096));
	Q(dma_buf(64, VFIO_PCI_ROM_REGION_INDEX, 0, 1, 0, 4096));
	Q(dma_buf(64, 1000, 0, 1, 0, 4096));
	Q(dma_buf(64, bar, 0, 1, 0, 0));
	Q(dma_buf(64, bar, 0, 1, 1, 4096));
	Q(dma_buf(64, bar, 0, 1, 0, 4095));
	Q(dma_buf(64, bar, 0, 1, 0, size * 2));
	Q(dma_buf(64, bar, 0, 1, size, 4096));
	Q(dma_buf(64, bar, 0, 1, -4096ull, 8192));
	Q(dma_buf(64, bar, 0, 2, 0, 1ull << 62));
	Q(dma_buf(64, bar, 0, 1, 0, 4096));
}

/* -- mmap, read, write ------------------------------------------------------------------------- */

static long map(uint64_t at, size_t len, int prot, int flags)
{
	void *p = mmap(NULL, len, prot, flags, dev, (off_t)at);

	if (p == MAP_FAILED)
		return -1;
	munmap(p, len);
	return 0;
}

static void ask_mmap(void)
{
	uint64_t size, bar = (uint64_t)a_bar(&size) << 40;
	const int rw = PROT_READ | PROT_WRITE;

	Q(map(bar, size, rw, MAP_SHARED));
	Q(map(bar, size, PROT_READ, MAP_SHARED));
	Q(map(bar, size, rw, MAP_PRIVATE));
	Q(map(bar, size + 4096, rw, MAP_SHARED));
	Q(map(bar + size, 4096, rw, MAP_SHARED));
	Q(map(bar + size - 4096, 4096, rw, MAP_SHARED));
	Q(map(6ull << 40, 4096, PROT_READ, MAP_SHARED));
	Q(map(7ull << 40, 4096, rw, MAP_SHARED));
	Q(map(8ull << 40, 4096, rw, MAP_SHARED));
	Q(map(20ull << 40, 4096, rw, MAP_SHARED));
}

static void ask_access(void)
{
	uint64_t size, bar = (uint64_t)a_bar(&size) << 40, word = 0;
	uint16_t command = 0;

	Q(pread(dev, &word, 0, (off_t)bar));
	Q(pread(dev, &word, 4, (off_t)bar));
	Q(pread(dev, &word, 8, (off_t)(bar + size - 4)));
	Q(pread(dev, &word, 4, (off_t)(bar + size)));
	Q(pread(dev, NULL, 4, (off_t)bar));
	Q(pread(dev, &word, 4, (off_t)(8ull << 40)));
	Q(pread(dev, &word, 4, (off_t)(9ull << 40)));
	Q(pread(dev, &word, 4, (off_t)(30ull << 40)));
	Q(pread(dev, &word, 4, CONFIG_AT + 4096));
	Q(pread(dev, &word, 4, CONFIG_AT + 4094));
	Q(pread(dev, &word, 8, CONFIG_AT + 0x33));
	Q(pread(dev, NULL, 4, CONFIG_AT));
	Q(pread(dev, &word, 4, CONFIG_AT + (1 << 20)));
	Q(pread(dev, &command, 2, CONFIG_AT + 4));
	say(command & 6, "command after BIND: memory and master");
	command = 0;
	Q(pwrite(dev, &command, 2, CONFIG_AT + 4));
	Q(pread(dev, &word, 4, (off_t)bar));
	Q(pwrite(dev, &word, 4, (off_t)(bar + size - 4)));
	Q(map(bar, 4096, PROT_READ, MAP_SHARED));
	Q(dma_buf(64, (uint32_t)(bar >> 40), 0, 1, 0, 4096));
	command = 0xffff;
	Q(pwrite(dev, &command, 2, CONFIG_AT + 4));
	Q(pread(dev, &command, 2, CONFIG_AT + 4));
	say(command & 6, "memory and master on");
	command = 2;
	Q(pwrite(dev, &command, 2, CONFIG_AT + 4));
	Q(pread(dev, &word, 4, (off_t)bar));
}

/* A sizing write moves nothing and reads back the size; ids and pin do not change. */
static void ask_config(void)
{
	struct vfio_region_info info = { .argsz = sizeof(info) };
	uint32_t before = 0, after = 0, ones = UINT32_MAX;
	bool sized = true;

	for (unsigned int i = 0; i < 6; i++) {
		info.index = i;
		ioctl(dev, VFIO_DEVICE_GET_REGION_INFO, &info);
		pread(dev, &before, 4, CONFIG_AT + 0x10 + 4 * i);
		pwrite(dev, &ones, 4, CONFIG_AT + 0x10 + 4 * i);
		pread(dev, &after, 4, CONFIG_AT + 0x10 + 4 * i);
		if (info.size && info.size < 1u << 30 && !(before & 1))
			sized = sized && (after & ~0xfu) == (uint32_t)-info.size;
		pwrite(dev, &before, 4, CONFIG_AT + 0x10 + 4 * i);
	}
	say(sized, "BARs are sized");
	pread(dev, &before, 4, CONFIG_AT);
	pwrite(dev, &ones, 4, CONFIG_AT);
	pread(dev, &after, 4, CONFIG_AT);
	say(before == after, "ids stay");
	pread(dev, &before, 4, CONFIG_AT + 0x3c);
	pwrite(dev, &ones, 4, CONFIG_AT + 0x3c);
	pread(dev, &after, 4, CONFIG_AT + 0x3c);
	say((after & 0xff) == 0xff, "interrupt line is the client's");
	say((after & 0xff00) == (before & 0xff00), "interrupt pin is not");
	pwrite(dev, &before, 4, CONFIG_AT + 0x3c);
	pread(dev, &before, 4, CONFIG_AT + 8);
	pwrite(dev, &ones, 4, CONFIG_AT + 8);
	pread(dev, &after, 4, CONFIG_AT + 8);
	say(before == after, "class stays");
	pwrite(dev, &ones, 2, CONFIG_AT + 0x0c);
	pread(dev, &after, 2, CONFIG_AT + 0x0c);
	say(after & 0xff, "cache line size");
}

/* -- power ------------------------------------------------------------------------------------- */

static unsigned int cap_at(uint8_t wanted)
{
	uint8_t at = 0, id = 0;

	pread(dev, &at, 1, CONFIG_AT + 0x34);
	while (at) {
		pread(dev, &id, 1, CONFIG_AT + at);
		if (id == wanted)
			break;
		pread(dev, &at, 1, CONFIG_AT + at + 1);
	}
	return at;
}

static long wakeup(uint32_t argsz, int fd, int32_t reserved)
{
	struct {
		struct vfio_device_feature f;
		int32_t fd, reserved;
	} f = { { argsz, SET | VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP }, fd, reserved };

	return ioctl(dev, VFIO_DEVICE_FEATURE, &f);
}

static void ask_low_power(void)
{
	uint64_t size, bar = (uint64_t)a_bar(&size) << 40, word = 0;
	int e = eventfd(0, EFD_CLOEXEC);

	Q(feature(SET | VFIO_DEVICE_FEATURE_LOW_POWER_EXIT, 0));
	Q(feature(SET | VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY, 0));
	Q(feature(SET | VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY, 0));
	Q(wakeup(16, e, 0));
	Q(feature(SET | VFIO_DEVICE_FEATURE_LOW_POWER_EXIT, 0));
	Q(feature(SET | VFIO_DEVICE_FEATURE_LOW_POWER_EXIT, 0));
	Q(pread(dev, &word, 4, (off_t)bar));
	Q(wakeup(12, e, 0));
	Q(wakeup(16, -1, 0));
	Q(wakeup(16, 9999, 0));
	Q(wakeup(16, iommufd, 0));
	Q(wakeup(16, e, 1));
	Q(feature(SET | VFIO_DEVICE_FEATURE_LOW_POWER_EXIT, 0));
	Q(wakeup(16, e, 0));
	Q(fired(e));
	Q(pread(dev, &word, 4, CONFIG_AT));
	Q(fired(e));
	Q(pread(dev, &word, 4, (off_t)bar));
	Q(fired(e));
	Q(feature(SET | VFIO_DEVICE_FEATURE_LOW_POWER_EXIT, 0));
	Q(pread(dev, &word, 4, (off_t)bar));
	close(e);
}

static void ask_d3(void)
{
	uint64_t size, bar = (uint64_t)a_bar(&size) << 40, word = 0;
	unsigned int pm = cap_at(1);
	uint16_t value = 3, command = 6;

	if (!pm)
		return;
	pwrite(dev, &command, 2, CONFIG_AT + 4);
	Q(pwrite(dev, &value, 2, CONFIG_AT + pm + 4));
	Q(pread(dev, &value, 2, CONFIG_AT + pm + 4));
	say(value & 3, "  power state");
	Q(pread(dev, &word, 4, (off_t)bar));
	Q(dma_buf(64, (uint32_t)(bar >> 40), 0, 1, 0, 4096));
	value = 0;
	Q(pwrite(dev, &value, 2, CONFIG_AT + pm + 4));
	Q(pread(dev, &value, 2, CONFIG_AT + pm + 4));
	say(value & 3, "  power state");
	Q(pread(dev, &command, 2, CONFIG_AT + 4));
	say(command & 6, "  memory and master");
	Q(pread(dev, &word, 4, (off_t)bar));
}

/* What a client may change of its capabilities. */
static void ask_capabilities(void)
{
	unsigned int msix = cap_at(0x11), exp = cap_at(0x10);
	uint32_t before = 0, after = 0, ones = UINT32_MAX;

	pread(dev, &before, 4, CONFIG_AT + msix);
	pwrite(dev, &ones, 4, CONFIG_AT + msix);
	pread(dev, &after, 4, CONFIG_AT + msix);
	say(before == after, "MSI-X control is the host's");
	pread(dev, &before, 4, CONFIG_AT + msix + 4);
	pwrite(dev, &ones, 4, CONFIG_AT + msix + 4);
	pread(dev, &after, 4, CONFIG_AT + msix + 4);
	say(before == after, "MSI-X table's place stays");
	pread(dev, &before, 4, CONFIG_AT + exp + 4);
	pwrite(dev, &ones, 4, CONFIG_AT + exp + 4);
	pread(dev, &after, 4, CONFIG_AT + exp + 4);
	say(before == after, "device capabilities stay");
	ones = 0x00ff;
	pread(dev, &before, 2, CONFIG_AT + exp + 8);
	pwrite(dev, &ones, 2, CONFIG_AT + exp + 8);
	pread(dev, &after, 2, CONFIG_AT + exp + 8);
	say(after & 0xef, "device control, after 0x00ff");
	pwrite(dev, &before, 2, CONFIG_AT + exp + 8);
}

/* -- reset, attach ----------------------------------------------------------------------------- */

static void ask_reset(void)
{
	struct { struct vfio_pci_hot_reset_info i; struct vfio_pci_dependent_device d[32]; } info = {
		.i = { .argsz = 8 }
	};
	struct vfio_pci_hot_reset reset = { .argsz = 8 };

	Q(ioctl(dev, VFIO_DEVICE_RESET, NULL));
	Q(ioctl(dev, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, NULL));
	Q(ioctl(dev, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, &info));
	info.i.argsz = sizeof(info.i);
	Q(ioctl(dev, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, &info));
	say(info.i.count, "  count");
	say(info.i.flags, "  flags");
	info.i.argsz = sizeof(info);
	Q(ioctl(dev, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, &info));
	say(info.i.count, "  count");
	say(info.i.flags, "  flags");
	Q(ioctl(dev, VFIO_DEVICE_PCI_HOT_RESET, NULL));
	Q(ioctl(dev, VFIO_DEVICE_PCI_HOT_RESET, &reset));
	reset.argsz = sizeof(reset);
	reset.flags = 1;
	Q(ioctl(dev, VFIO_DEVICE_PCI_HOT_RESET, &reset));
	reset.flags = 0;
	reset.count = 1;
	Q(ioctl(dev, VFIO_DEVICE_PCI_HOT_RESET, &reset));
}

static int attach(uint32_t argsz, uint32_t flags, uint32_t pt, uint32_t pasid)
{
	struct vfio_device_attach_iommufd_pt a = { argsz, flags, pt, pasid };

	return ioctl(dev, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &a);
}

static int detach(uint32_t argsz, uint32_t flags, uint32_t pasid)
{
	struct vfio_device_detach_iommufd_pt d = { argsz, flags, pasid };

	return ioctl(dev, VFIO_DEVICE_DETACH_IOMMUFD_PT, &d);
}

static void ask_attach(void)
{
	struct iommu_ioas_alloc ioas = { .size = sizeof(ioas) };
	struct iommu_destroy destroy = { .size = sizeof(destroy) };

	Q(ioctl(iommufd, IOMMU_IOAS_ALLOC, &ioas));
	Q(ioctl(dev, VFIO_DEVICE_ATTACH_IOMMUFD_PT, NULL));
	Q(attach(8, 0, ioas.out_ioas_id, 0));
	Q(attach(12, 2, ioas.out_ioas_id, 0));
	Q(attach(12, 0, 0, 0));
	Q(attach(12, 0, 9999, 0));
	Q(attach(12, VFIO_DEVICE_ATTACH_PASID, ioas.out_ioas_id, 0));
	Q(attach(16, 0, ioas.out_ioas_id, 77));
	Q(attach(12, 0, ioas.out_ioas_id, 0));
	destroy.id = ioas.out_ioas_id;
	Q(ioctl(iommufd, IOMMU_DESTROY, &destroy));
	Q(detach(8, 0, 0));
	Q(detach(12, 2, 0));
	Q(detach(8, VFIO_DEVICE_DETACH_PASID, 0));
	Q(ioctl(dev, VFIO_DEVICE_RESET, NULL));
	Q(detach(12, 0, 0));
	Q(detach(12, 0, 0));
	Q(ioctl(iommufd, IOMMU_DESTROY, &destroy));
}

static void ask_others(void)
{
	struct vfio_device_ioeventfd event = { .argsz = 8 };

	Q(ioctl(dev, VFIO_DEVICE_IOEVENTFD, NULL));
	Q(ioctl(dev, VFIO_DEVICE_IOEVENTFD, &event));
	event.argsz = sizeof(event);
	event.fd = -1;
	event.flags = 1u << 10;
	Q(ioctl(dev, VFIO_DEVICE_IOEVENTFD, &event));
	event.flags = 0;
	Q(ioctl(dev, VFIO_DEVICE_IOEVENTFD, &event));
	event.flags = 3;
	Q(ioctl(dev, VFIO_DEVICE_IOEVENTFD, &event));
	event.flags = 4;
	event.fd = -2;
	Q(ioctl(dev, VFIO_DEVICE_IOEVENTFD, &event));
	event.fd = -1;
	event.offset = 2;
	Q(ioctl(dev, VFIO_DEVICE_IOEVENTFD, &event));
	event.offset = CONFIG_AT;
	Q(ioctl(dev, VFIO_DEVICE_IOEVENTFD, &event));
	Q(ioctl(dev, 0x3b40, NULL));
	Q(ioctl(dev, 0x3bff, NULL));
	Q(ioctl(dev, VFIO_GROUP_GET_STATUS, NULL));
}

/* -- groups and the container that iommufd plays ----------------------------------------------- */

static void ask_container(int container)
{
	struct vfio_iommu_type1_dma_unmap unmap = { .argsz = sizeof(unmap), .size = 4096 };
	uint8_t info[1024] = { 24 };

	Q(ioctl(container, VFIO_GET_API_VERSION));
	for (unsigned long i = 0; i < 12; i++)
		say(ioctl(container, VFIO_CHECK_EXTENSION, i), "extension %lu", i);
	Q(ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU));
	Q(ioctl(container, VFIO_IOMMU_GET_INFO, info));
	Q(ioctl(container, VFIO_IOMMU_UNMAP_DMA, &unmap));
	Q(ioctl(container, 0x3b40, 0));
}

static void ask_group(void)
{
	struct vfio_group_status status = { .argsz = 4 };
	int g = open(group, O_RDWR), container = open("/dev/vfio/vfio", O_RDWR), fd = -1, null;
	char name[80];

	null = open("/dev/null", O_RDWR);
	say(g < 0 ? -1 : 0, "group open");
	say(container < 0 ? -1 : 0, "container open");
	ask_container(container);
	Q(ioctl(g, VFIO_GROUP_GET_STATUS, NULL));
	Q(ioctl(g, VFIO_GROUP_GET_STATUS, &status));
	status.argsz = sizeof(status);
	Q(ioctl(g, VFIO_GROUP_GET_STATUS, &status));
	say(status.flags, "  flags");
	Q(ioctl(g, 0x3b40, NULL));
	Q(ioctl(g, VFIO_DEVICE_GET_INFO, NULL));
	Q(ioctl(g, VFIO_GROUP_UNSET_CONTAINER));
	Q(ioctl(g, VFIO_GROUP_GET_DEVICE_FD, bdf));
	Q(ioctl(g, VFIO_GROUP_GET_DEVICE_FD, NULL));
	Q(ioctl(g, VFIO_GROUP_GET_DEVICE_FD, "0000:ff:1f.7"));
	Q(ioctl(g, VFIO_GROUP_SET_CONTAINER, NULL));
	Q(ioctl(g, VFIO_GROUP_SET_CONTAINER, &fd));
	fd = 9999;
	Q(ioctl(g, VFIO_GROUP_SET_CONTAINER, &fd));
	Q(ioctl(g, VFIO_GROUP_SET_CONTAINER, &null));
	Q(ioctl(g, VFIO_GROUP_SET_CONTAINER, &container));
	Q(ioctl(g, VFIO_GROUP_SET_CONTAINER, &container));
	Q(ioctl(g, VFIO_GROUP_GET_STATUS, &status));
	say(status.flags, "  flags");
	ask_container(container);
	snprintf(name, sizeof(name), "%s x", bdf);
	Q(ioctl(g, VFIO_GROUP_GET_DEVICE_FD, name));
	snprintf(name, sizeof(name), "%s vf_token=1", bdf);
	Q(ioctl(g, VFIO_GROUP_GET_DEVICE_FD, name));
	snprintf(name, sizeof(name), "%s0", bdf);
	Q(ioctl(g, VFIO_GROUP_GET_DEVICE_FD, name));
	snprintf(name, sizeof(name), "%s  ", bdf);
	dev = ioctl(g, VFIO_GROUP_GET_DEVICE_FD, name);
	say(dev < 0 ? -1 : 0, "get device");
	say(fcntl(dev, F_GETFD), "close on exec");
	Q(bind_to(dev, iommufd));
	Q(attach(12, 0, 1, 0));
	Q(detach(12, 0, 0));
	ask_info();
	ask_reset();
	Q(ioctl(g, VFIO_GROUP_UNSET_CONTAINER));
	Q(close(g));
	g = open(group, O_RDWR);
	say(g < 0 ? -1 : 0, "group open while its device is");
	Q(ioctl(g, VFIO_GROUP_GET_STATUS, &status));
	say(status.flags, "  flags");
	Q(close(dev));
	Q(ioctl(g, VFIO_GROUP_GET_STATUS, &status));
	say(status.flags, "  flags");
	close(g);
	g = open(group, O_RDWR);
	say(g < 0 ? -1 : 0, "group open after all");
	Q(ioctl(g, VFIO_GROUP_GET_STATUS, &status));
	say(status.flags, "  flags");
	close(g);
	close(container);
	close(null);
}

int main(void)
{
	struct stat st;

	if (stat("/dev/iommu", &st) || !choose()) {
		fprintf(stderr, "skipped: no VFIO device with a reset and MSI-X\n");
		return 77;
	}
	dev = open(node, O_RDWR);
	iommufd = open("/dev/iommu", O_RDWR);
	if (dev < 0 || iommufd < 0)
		return 1;
	ask_unbound();
	ask_bind();
	ask_info();
	ask_regions();
	ask_msix_region();
	ask_irqs();
	ask_set_irqs();
	ask_features();
	ask_dma_buf();
	ask_mmap();
	ask_config();
	ask_access();
	ask_low_power();
	ask_capabilities();
	ask_d3();
	ask_reset();
	ask_attach();
	ask_others();
	Q(close(dev));
	ask_group();
	close(iommufd);
	return 0;
}
