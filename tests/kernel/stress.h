/* SPDX-License-Identifier: BSD-2-Clause */
/* A whole machine and clients of it that run at the same time. Their checks end the process, since
 * cmocka's may be made on its own thread only. */
#ifndef SWTIO_TESTS_IOMMUFD_STRESS_H
#define SWTIO_TESTS_IOMMUFD_STRESS_H

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <cmocka.h>

#include "check/check.h"
#include "flow/machine.h"
#include "kernel/iommufd/private.h"
#include "kernel/syscall.h"
#include "swtio/uapi/vfio.h"

#define STRESS_VFIO0 0x0100u	/* requester ids of vfio0 and vfio1 */
#define STRESS_VFIO1 0x0101u

#define must(what)                                                                                 \
	do {                                                                                       \
		if (!(what)) {                                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what);                 \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* $SWTIO_STRESS_SECONDS, how long such a test runs. */
static inline double stress_seconds(double usual)
{
	const char *asked = getenv("SWTIO_STRESS_SECONDS");

	return asked ? strtod(asked, NULL) : usual;
}

static inline double stress_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static inline uint32_t stress_roll(uint32_t *seed, uint32_t n)
{
	*seed = *seed * 1664525u + 1013904223u;
	return (*seed >> 8) % n;
}

static inline int stress_machine(void **state)
{
	const struct image_opts opts = { .size = sizeof(opts), .seed = 1 };
	const struct kernel_options options = { .mock = true };
	int rc = image_create(&opts);

	(void)state;
	if (rc)
		return rc;
	image_enter();
	rc = machine_boot(PLATFORM_TDX, &options);
	image_leave();
	return rc;
}

static inline int stress_machine_off(void **state)
{
	(void)state;
	image_detach();
	return 0;
}

static inline const struct task *stress_task(const char *name)
{
	const struct task *task;

	must(!image_enter());
	task = task_create(name, 0);
	image_leave();
	must(task);
	return task;
}

static inline uint32_t stress_ioas(const struct task *task, int iommufd)
{
	struct iommu_ioas_alloc args = { .size = sizeof(args) };

	must(!sys_ioctl(task, iommufd, IOMMU_IOAS_ALLOC, (uintptr_t)&args));
	return args.out_ioas_id;
}

static inline long stress_map(const struct task *task, int iommufd, uint32_t ioas, uint64_t va,
			      uint64_t len, uint64_t iova)
{
	struct iommu_ioas_map args = { .size = sizeof(args),
				       .flags = IOMMU_IOAS_MAP_FIXED_IOVA |
						IOMMU_IOAS_MAP_READABLE |
						IOMMU_IOAS_MAP_WRITEABLE,
				       .ioas_id = ioas,
				       .user_va = va,
				       .length = len,
				       .iova = iova };

	return sys_ioctl(task, iommufd, IOMMU_IOAS_MAP, (uintptr_t)&args);
}

static inline long stress_unmap(const struct task *task, int iommufd, uint32_t ioas, uint64_t iova,
				uint64_t len)
{
	struct iommu_ioas_unmap args = { .size = sizeof(args), .ioas_id = ioas, .iova = iova,
					 .length = len };

	return sys_ioctl(task, iommufd, IOMMU_IOAS_UNMAP, (uintptr_t)&args);
}

static inline long stress_bind(const struct task *task, int device, int iommufd)
{
	struct vfio_device_bind_iommufd args = { .argsz = sizeof(args), .iommufd = iommufd };

	return sys_ioctl(task, device, VFIO_DEVICE_BIND_IOMMUFD, (uintptr_t)&args);
}

static inline long stress_attach(const struct task *task, int device, uint32_t pt_id)
{
	struct vfio_device_attach_iommufd_pt args = { .argsz = sizeof(args), .pt_id = pt_id };

	return sys_ioctl(task, device, VFIO_DEVICE_ATTACH_IOMMUFD_PT, (uintptr_t)&args);
}

static inline long stress_detach(const struct task *task, int device)
{
	struct vfio_device_detach_iommufd_pt args = { .argsz = sizeof(args) };

	return sys_ioctl(task, device, VFIO_DEVICE_DETACH_IOMMUFD_PT, (uintptr_t)&args);
}

static inline uint64_t stress_memory(const struct task *task, uint64_t len)
{
	uint64_t at;

	must(!sys_mmap(task, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0, &at));
	return at;
}

/* The image is whole, every lock was let go, every invariant holds. Inside image_enter(). */
static inline void stress_whole(void)
{
	struct check_violation violation;
	char why[200] = "";

	if (image_verify(why, sizeof(why)) || klock_findings(why, sizeof(why))) {
		fprintf(stderr, "%s\n", why);
		abort();
	}
	check_run();
	if (check_violations(&violation, 1)) {
		fprintf(stderr, "%s: %s\n", violation.id, violation.why);
		abort();
	}
}

#endif
