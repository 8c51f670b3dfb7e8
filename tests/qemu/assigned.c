/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A user of the DMA engine through VFIO and iommufd, as anyone would write it: under `swtio exec`,
 * and on a Linux that has the engine, such as the guest of a QEMU it is assigned to. Registers by
 * read and write, BAR2 by a mapping, DMA to memory of its own, an MSI-X interrupt at the end.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "device/engine.h"
#include "swtio/uapi/iommufd.h"
#include "swtio/uapi/vfio.h"

#define COMMAND 0x04
#define MEMORY_AND_MASTER 6
#define IOVA 0x40000000ull
#define BYTES 0x10000u
#define VECTOR 3u
/* splitmix64, seed 42: its first output */
#define FIRST 0xbdd732262feb6e95ull

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			printf("# %s:%d: %s (%s)\n", __FILE__, __LINE__, #condition,               \
				strerror(errno));                                                  \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

static int device;
static off_t regs;

static uint32_t reg_read(unsigned int at)
{
	uint32_t value;

	CHECK(pread(device, &value, 4, regs + at) == 4);
	return value;
}

static void reg_write(unsigned int at, uint32_t value)
{
	CHECK(pwrite(device, &value, 4, regs + at) == 4);
}

static off_t region(unsigned int index, uint64_t *size)
{
	struct vfio_region_info info = {.argsz = sizeof(info), .index = index};

	CHECK(!ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &info));
	*size = info.size;
	return (off_t)info.offset;
}

/* The first VFIO device that says it is the engine; it and the iommufd are bound. */
static int device_find(int iommufd)
{
	DIR *dir = opendir("/dev/vfio/devices");
	struct dirent *entry;
	char path[300];
	uint64_t size;
	uint32_t ids;

	bool found = false;

	while (dir && !found && (entry = readdir(dir))) {
		struct vfio_device_bind_iommufd bind = {.argsz = sizeof(bind), .iommufd = iommufd};

		if (strncmp(entry->d_name, "vfio", 4))
			continue;
		snprintf(path, sizeof(path), "/dev/vfio/devices/%s", entry->d_name);
		device = open(path, O_RDWR | O_CLOEXEC);
		found = device >= 0 && !ioctl(device, VFIO_DEVICE_BIND_IOMMUFD, &bind) &&
			pread(device, &ids, 4, region(VFIO_PCI_CONFIG_REGION_INDEX, &size)) == 4 &&
			ids == ((uint32_t)ENGINE_DEVICE << 16 | ENGINE_VENDOR);
		if (!found && device >= 0)
			close(device);
	}
	if (dir)
		closedir(dir);
	return found ? 0 : -1;
}

static void run(uint32_t op, uint64_t src, uint64_t dst, int event)
{
	struct pollfd ended = {.fd = event, .events = POLLIN};
	uint64_t count;

	reg_write(ENGINE_OP, op);
	reg_write(ENGINE_SRC, (uint32_t)src);
	reg_write(ENGINE_SRC + 4, (uint32_t)(src >> 32));
	reg_write(ENGINE_DST, (uint32_t)dst);
	reg_write(ENGINE_DST + 4, (uint32_t)(dst >> 32));
	reg_write(ENGINE_LEN, BYTES);
	reg_write(ENGINE_VECTOR, VECTOR);
	reg_write(ENGINE_CONTROL, 1);
	CHECK(poll(&ended, 1, 10000) == 1);
	CHECK(read(event, &count, sizeof(count)) == sizeof(count) && count == 1);
	CHECK(!(reg_read(ENGINE_STATUS) & (ENGINE_STATUS_BUSY | ENGINE_STATUS_ERROR)));
	CHECK(reg_read(ENGINE_DONE) == BYTES);
}

static int interrupt(void)
{
	struct {
		struct vfio_irq_set set;
		int32_t fd[ENGINE_MSIX_VECTORS];
	} irqs = {.set = {.argsz = sizeof(irqs),
			  .index = VFIO_PCI_MSIX_IRQ_INDEX,
			  .count = ENGINE_MSIX_VECTORS,
			  .flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER}};
	int event = eventfd(0, EFD_CLOEXEC);

	for (unsigned int i = 0; i < ENGINE_MSIX_VECTORS; i++)
		irqs.fd[i] = i == VECTOR ? event : -1;
	CHECK(event >= 0 && !ioctl(device, VFIO_DEVICE_SET_IRQS, &irqs));
	return event;
}

/* Memory the device reaches, twice BYTES of it, from IOVA on. */
static uint8_t *memory(int iommufd)
{
	struct iommu_ioas_alloc ioas = {.size = sizeof(ioas)};
	struct vfio_device_attach_iommufd_pt attach = {.argsz = sizeof(attach)};
	struct iommu_ioas_map map = {.size = sizeof(map),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE |
			 IOMMU_IOAS_MAP_WRITEABLE,
		.length = 2 * BYTES,
		.iova = IOVA};
	void *at = mmap(NULL, map.length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(at != MAP_FAILED && !ioctl(iommufd, IOMMU_IOAS_ALLOC, &ioas));
	attach.pt_id = map.ioas_id = ioas.out_ioas_id;
	map.user_va = (uintptr_t)at;
	CHECK(!ioctl(device, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach));
	CHECK(!ioctl(iommufd, IOMMU_IOAS_MAP, &map));
	return at;
}

int main(void)
{
	int iommufd = open("/dev/iommu", O_RDWR | O_CLOEXEC), event;
	volatile uint64_t *bar2;
	uint8_t *buffer;
	uint64_t size, first;
	uint16_t command;
	off_t config;

	if (iommufd < 0 || device_find(iommufd)) {
		puts("skipped: no DMA engine with VFIO and iommufd here");
		return 77;
	}
	buffer = memory(iommufd);
	config = region(VFIO_PCI_CONFIG_REGION_INDEX, &size);
	CHECK(pread(device, &command, 2, config + COMMAND) == 2);
	command |= MEMORY_AND_MASTER;
	CHECK(pwrite(device, &command, 2, config + COMMAND) == 2);
	regs = region(0, &size);
	CHECK(reg_read(ENGINE_ID) == 0x54494f31);
	puts("ok 1 - R6.3 registers");

	bar2 = mmap(NULL, ENGINE_BAR2_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, device,
		region(2, &size));
	CHECK(size == ENGINE_BAR2_SIZE && bar2 != MAP_FAILED);
	bar2[77] = 0x1122334455667788;
	CHECK(pread(device, &first, 8, region(2, &size) + 77 * 8) == 8);
	CHECK(first == 0x1122334455667788);
	puts("ok 2 - R6.3 BAR2 by mapping and by read");

	event = interrupt();
	run(ENGINE_FILL, 42, IOVA, event);
	memcpy(&first, buffer, sizeof(first));
	CHECK(first == FIRST);
	run(ENGINE_COPY, IOVA, IOVA + BYTES, event);
	CHECK(!memcmp(buffer, buffer + BYTES, BYTES));
	puts("ok 3 - R6.3 DMA, with an interrupt at the end");

	reg_write(ENGINE_SRC, 0x1000);
	reg_write(ENGINE_SRC + 4, 0);
	reg_write(ENGINE_CONTROL, 1);
	CHECK(reg_read(ENGINE_STATUS) & ENGINE_STATUS_ERROR);
	puts("ok 4 - R6.3 DMA outside of what is mapped is refused");
	CHECK(!ioctl(device, VFIO_DEVICE_RESET));
	puts("1..4");
	return 0;
}
