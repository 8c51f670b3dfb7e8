/* SPDX-License-Identifier: BSD-2-Clause */
/* A simulated host for the tests of /dev/iommu: memory, IOMMU, one task, and PCI devices that exist
 * as far as iommufd looks at them. */
#ifndef SWTIO_TESTS_IOMMUFD_SETUP_H
#define SWTIO_TESTS_IOMMUFD_SETUP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "kernel/core.h"
#include "kernel/iommufd/private.h"
#include "kernel/syscall.h"

#define DEVICES 4u

extern const struct task *task;
extern const struct pci_dev *devices[DEVICES];	/* rids 0x100, 0x108, ...; 0 and 1 share a group */

int host_up(void **state);		/* cmocka set-up and tear-down */
int host_down(void **state);
void host_options(bool extensions, bool mock);

int iommu_open(void);
/* A structured ioctl: its result or -errno; the structure is updated. */
#define CALL(fd, number, type, ...)                                                                \
	sys_ioctl(task, fd, number,                                                                \
		  (uintptr_t) & (struct type){ .size = sizeof(struct type), __VA_ARGS__ })
#define RW (IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE)

uint32_t ioas_alloc(int fd);
long ioas_map(int fd, uint32_t ioas, uint64_t va, uint64_t len, uint64_t iova);	/* fixed, RW */
long ioas_unmap(int fd, uint32_t ioas, uint64_t iova, uint64_t len); /* bytes or -errno */
long destroy(int fd, uint32_t id);
uint64_t user_memory(uint64_t len);	/* anonymous, of the task */

/* As VFIO would, each as a call of its own. */
long bind_device(int fd, unsigned int device, const struct iommufd_device **idev);
long attach_device(const struct iommufd_device *idev, uint32_t pasid, uint32_t *pt_id);
void detach_device(const struct iommufd_device *idev, uint32_t pasid);
void unbind_device(const struct iommufd_device *idev);

/* Where a device's DMA at iova ends: the HPA, or 0 when it is refused. */
uint64_t dma_target(unsigned int device, uint64_t iova, bool write);
uint64_t dma_target_pasid(unsigned int device, uint32_t pasid, uint64_t iova, bool write);

#endif
