/* SPDX-License-Identifier: BSD-2-Clause */
/* For plain client programs: named tests, each in a process of its own, run by the kernel that is
 * there. */
#ifndef SWTIO_TESTS_SHIM_CLIENT_H
#define SWTIO_TESTS_SHIM_CLIENT_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "swtio/uapi/iommufd.h"
#include "swtio/uapi/vfio.h"

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			printf("# %s:%d: %s (%s)\n", __FILE__, __LINE__, #condition,               \
				strerror(errno));                                                  \
			return 1;                                                                  \
		}                                                                                  \
	} while (0)

struct client_test {
	const char *name;
	int (*run)(void);
};

static inline int client_main(const struct client_test *tests, size_t n)
{
	int bad = 0;

	printf("1..%zu\n", n);
	for (size_t i = 0; i < n; i++) {
		int status = 0;
		pid_t child;

		fflush(stdout);
		child = fork();
		if (!child) {
			int rc = tests[i].run();

			fflush(stdout);
			_exit(rc);
		}
		waitpid(child, &status, 0);
		bad |= status;
		printf("%s %zu - %s\n", status ? "not ok" : "ok", i + 1, tests[i].name);
	}
	return bad != 0;
}

static inline int wait_code(pid_t child)
{
	int status;

	return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static inline int iommu_open(void)
{
	return open("/dev/iommu", O_RDWR | O_CLOEXEC);
}

static inline uint32_t ioas_alloc(int fd)
{
	struct iommu_ioas_alloc alloc = {.size = sizeof(alloc)};

	return ioctl(fd, IOMMU_IOAS_ALLOC, &alloc) ? 0 : alloc.out_ioas_id;
}

/* Is the object there? Looks without changing anything. */
static inline bool ioas_there(int fd, uint32_t id)
{
	struct iommu_ioas_iova_ranges ranges = {.size = sizeof(ranges), .ioas_id = id};

	return !ioctl(fd, IOMMU_IOAS_IOVA_RANGES, &ranges) || errno == EMSGSIZE;
}

static inline int destroy(int fd, uint32_t id)
{
	struct iommu_destroy call = {.size = sizeof(call), .id = id};

	return ioctl(fd, IOMMU_DESTROY, &call);
}

static inline int vfio_bound(int iommufd)
{
	struct vfio_device_bind_iommufd bind = {.argsz = sizeof(bind), .iommufd = iommufd};
	int dev = open("/dev/vfio/devices/vfio0", O_RDWR | O_CLOEXEC);

	if (dev >= 0 && ioctl(dev, VFIO_DEVICE_BIND_IOMMUFD, &bind)) {
		close(dev);
		return -1;
	}
	return dev;
}

#endif
