/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the examples share: a device of the standard machine with its DMA engine, guest memory, and
 * the words to say what must hold. The programs are plain clients: they include the uAPI and
 * nothing else, and run by `swtio exec --extensions -- PROGRAM`.
 */
#ifndef EXAMPLES_IOASID_EXAMPLE_H
#define EXAMPLES_IOASID_EXAMPLE_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "swtio/uapi/ioasid.h"
#include "swtio/uapi/iommufd.h"
#include "swtio/uapi/vfio.h"

#define DEV1 "/dev/vfio/devices/vfio0"	/* 0000:01:00.0, the engine */
#define DEV2 "/dev/vfio/devices/vfio1"	/* 0000:01:00.1, a VF of it */

#define HVA 0x40000000ull		/* the guest's memory in this process */
#define GUEST_SIZE (16ull << 20)
#define PAGE 4096ull

/* Ends the program, and says where, unless the condition holds. */
#define MUST(condition)                                                                            \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: %s (%s)\n", __FILE__, __LINE__, #condition,        \
				strerror(errno));                                                  \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

/* The call is refused with exactly this errno. */
#define REFUSED(error, call)                                                                       \
	do {                                                                                       \
		errno = 0;                                                                         \
		MUST((call) == -1);                                                                \
		MUST(errno == (error));                                                            \
	} while (0)

#define SAY(...) printf("# " __VA_ARGS__), putchar('\n')

/* -- guest memory ----------------------------------------------------------------------------- */

/* As a VMM keeps it, in a memfd; answers that, for more views of it. */
static inline int guest_memory(void)
{
	int fd = memfd_create("guest", MFD_CLOEXEC);

	MUST(fd >= 0 && !ftruncate(fd, GUEST_SIZE));
	MUST(mmap((void *)HVA, GUEST_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED_NOREPLACE,
		  fd, 0) == (void *)HVA);
	return fd;
}

static inline void *gpa_to_hva(uint64_t gpa)
{
	return (void *)(HVA + gpa);
}

static inline void fill(void *at, size_t len, unsigned int seed)
{
	for (size_t i = 0; i < len; i++)
		((uint8_t *)at)[i] = (uint8_t)(seed + i * 7 + i / 256);
}

/* -- the engine (docs/engine registers are those of src/device/engine.h) ---------------------- */

#define BAR0_OFFSET 0ull
#define CONFIG_OFFSET ((uint64_t)VFIO_PCI_CONFIG_REGION_INDEX << 40)
enum { STATUS = 0x04, CONTROL = 0x08, OP = 0x0c, SRC = 0x10, DST = 0x18, LEN = 0x20, PASID = 0x38,
       STEP = 0x3c };
enum { STATUS_BUSY = 1, STATUS_ERROR = 2 };
enum { CONTROL_START = 1, CONTROL_STEP = 4 };
#define NO_PASID 0xffffffffu

static inline uint32_t reg_get(int device, unsigned int at)
{
	uint32_t value = 0;

	MUST(pread(device, &value, 4, BAR0_OFFSET + at) == 4);
	return value;
}

static inline void reg_set(int device, unsigned int at, uint64_t value, size_t len)
{
	MUST(pwrite(device, &value, len, BAR0_OFFSET + at) == (ssize_t)len);
}

static inline void bus_master(int device)
{
	uint16_t command = 6;

	MUST(pwrite(device, &command, 2, CONFIG_OFFSET + 4) == 2);
}

/* Copies by the engine, addresses as the device's own; how it ended. */
static inline uint32_t dma_copy(int device, uint32_t pasid, uint64_t from, uint64_t to,
				uint32_t len)
{
	reg_set(device, OP, 1, 4);
	reg_set(device, SRC, from, 8);
	reg_set(device, DST, to, 8);
	reg_set(device, LEN, len, 4);
	reg_set(device, PASID, pasid, 4);
	reg_set(device, CONTROL, CONTROL_START, 4);
	return reg_get(device, STATUS);
}

/* The copy works, and the bytes are those of `at`: proof of where both addresses lead. */
static inline void dma_proves(int device, uint32_t pasid, uint64_t from, const void *at_from,
			      uint64_t to, const void *at_to)
{
	static unsigned int seed;

	fill((void *)(uintptr_t)at_from, PAGE, ++seed * 31);
	memset((void *)(uintptr_t)at_to, 0, PAGE);
	MUST(dma_copy(device, pasid, from, to, PAGE) == 0);
	MUST(!memcmp(at_from, at_to, PAGE));
}

static inline void dma_faults(int device, uint32_t pasid, uint64_t from, uint64_t to)
{
	MUST(dma_copy(device, pasid, from, to, 64) == STATUS_ERROR);
}

/* -- the calls, as the proposal writes them --------------------------------------------------- */

static inline int device_bind(const char *path, int ioasid_fd, int *label)
{
	int device = open(path, O_RDWR | O_CLOEXEC);

	MUST(device >= 0);
	*label = ioctl(device, VFIO_BIND_IOASID_FD, ioasid_fd);
	MUST(*label > 0);
	bus_master(device);
	return device;
}

static inline int ioasid_attach(int device, uint32_t ioasid)
{
	struct vfio_ioasid_attach at_data = { .ioasid = ioasid };

	return ioctl(device, VFIO_ATTACH_IOASID, &at_data);
}

static inline int ioasid_attach_pasid(int device, uint32_t ioasid, uint32_t pasid)
{
	struct vfio_ioasid_attach at_data = { .ioasid = ioasid, .flag = IOASID_ATTACH_USER_PASID,
					      .user_pasid = pasid };

	return ioctl(device, VFIO_ATTACH_IOASID, &at_data);
}

static inline int ioasid_detach(int device, uint32_t ioasid)
{
	struct vfio_ioasid_attach at_data = { .ioasid = ioasid };

	return ioctl(device, VFIO_DETACH_IOASID, &at_data);
}

static inline int dma_map(int ioasid_fd, uint32_t ioasid, uint64_t iova, uint64_t vaddr,
			  uint64_t size, uint32_t flags)
{
	struct ioasid_dma_map map = { .ioasid = ioasid, .flags = flags, .iova = iova,
				      .vaddr = vaddr, .size = size };

	return ioctl(ioasid_fd, IOASID_DMA_MAP, &map);
}

static inline int dma_unmap(int ioasid_fd, uint32_t ioasid, uint64_t iova, uint64_t size)
{
	struct ioasid_dma_unmap unmap = { .ioasid = ioasid, .iova = iova, .size = size };

	return ioctl(ioasid_fd, IOASID_DMA_UNMAP, &unmap);
}

static inline uint64_t locked_pages(int ioasid_fd)
{
	struct ioasid_info info = { 0 };

	MUST(!ioctl(ioasid_fd, IOASID_GET_INFO, &info));
	return info.locked_pages;
}

#endif
