/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * R6.2, R6.5, R6.6: what VFIO answers, one line a question, a file for each subject. A plain client: it
 * asks the first device that has a reset and MSI-X and is no VF, so that the answers are the same on
 * any Linux and on the software host. answers.txt beside it is what Linux 7.2.13 said.
 */
#ifndef SWTIO_TESTS_VFIO_ANSWERS_H
#define SWTIO_TESTS_VFIO_ANSWERS_H

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

/* The device, bound once ask_bind() has run, and the context; the device's names. */
extern int dev, iommufd;
extern char bdf[16], node[64], group[40];

__attribute__((format(printf, 2, 3))) void say(long result, const char *question, ...);
#define Q(call) say(call, "%s", #call)

/* What more than one subject asks with. */
int bind_to(int fd, int to);
int attach(uint32_t argsz, uint32_t flags, uint32_t pt, uint32_t pasid);
int detach(uint32_t argsz, uint32_t flags, uint32_t pasid);
unsigned int vectors(int fd, unsigned int index);
uint32_t a_bar(uint64_t *size);
int dma_buf(uint32_t argsz, uint32_t region, uint32_t flags, uint32_t count,
	    uint64_t offset, uint64_t len);
int set_irqs(uint32_t flags, uint32_t index, uint32_t start, uint32_t count, ...);
long fired(int fd);
#define NONE VFIO_IRQ_SET_DATA_NONE
#define BOOL VFIO_IRQ_SET_DATA_BOOL
#define EVENT VFIO_IRQ_SET_DATA_EVENTFD
#define TRIGGER VFIO_IRQ_SET_ACTION_TRIGGER
#define MASK VFIO_IRQ_SET_ACTION_MASK
#define UNMASK VFIO_IRQ_SET_ACTION_UNMASK
#define MSIX VFIO_PCI_MSIX_IRQ_INDEX
struct feature { struct vfio_device_feature f; uint64_t data[6]; };
int feature(uint32_t flags, uint32_t len);
#define GET VFIO_DEVICE_FEATURE_GET
#define SET VFIO_DEVICE_FEATURE_SET
#define PROBE VFIO_DEVICE_FEATURE_PROBE

/* The subjects; main() has their order. */
void ask_unbound(void), ask_bind(void), ask_info(void), ask_regions(void),
	ask_msix_region(void), ask_irqs(void), ask_set_irqs(void), ask_features(void),
	ask_dma_buf(void), ask_mmap(void), ask_access(void), ask_config(void), ask_low_power(void),
	ask_d3(void), ask_capabilities(void), ask_reset(void), ask_attach(void), ask_others(void),
	ask_group(void);

#endif
