/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * R4.2, R6.1, R6.6: a client that has a BAR mapped gets SIGBUS from the moment memory decode is off, in
 * every process and in a stopped one too, and reaches it again when decode is on. A plain client of
 * the first VFIO device with a BAR that can be mapped: it says the same on Linux.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "swtio/uapi/iommufd.h"
#include "swtio/uapi/vfio.h"

#define CONFIG ((off_t)VFIO_PCI_CONFIG_REGION_INDEX << 40)
#define ENGINE 0x7e101d10u		/* our own device, whose BAR is memory */
#define WORD 0x12345678u

static sigjmp_buf caught;

static void fail(const char *what)
{
	fprintf(stderr, "FAIL: %s (%s)\n", what, strerror(errno));
	exit(1);
}

static void on_bus(int number)
{
	(void)number;
	siglongjmp(caught, 1);
}

/* False: SIGBUS. */
static bool reaches(volatile uint32_t *at)
{
	if (sigsetjmp(caught, 1))
		return false;
	(void)*at;
	return true;
}

static void command(int dev, uint16_t value)
{
	if (pwrite(dev, &value, 2, CONFIG + 4) != 2)
		fail("command register");
}

static int bound(const char *name, int iommufd)
{
	struct vfio_device_bind_iommufd bind = {.argsz = sizeof(bind), .iommufd = iommufd};
	char path[300];
	int dev;

	snprintf(path, sizeof(path), "/dev/vfio/devices/%s", name);
	dev = open(path, O_RDWR);
	if (dev >= 0 && !ioctl(dev, VFIO_DEVICE_BIND_IOMMUFD, &bind))
		return dev;
	close(dev);
	return -1;
}

static bool mappable(int dev, struct vfio_region_info *info)
{
	for (uint32_t i = 0; i < 6; i++) {
		*info = (struct vfio_region_info){.argsz = sizeof(*info), .index = i};
		if (!ioctl(dev, VFIO_DEVICE_GET_REGION_INFO, info) &&
			info->flags & VFIO_REGION_INFO_FLAG_MMAP)
			return true;
	}
	return false;
}

static int find(int iommufd, struct vfio_region_info *info)
{
	DIR *dir = opendir("/dev/vfio/devices");
	struct dirent *entry;
	int dev = -1;

	while (dir && dev < 0 && (entry = readdir(dir))) {
		dev = strncmp(entry->d_name, "vfio", 4) ? -1 : bound(entry->d_name, iommufd);
		if (dev >= 0 && !mappable(dev, info)) {
			close(dev);
			dev = -1;
		}
	}
	if (dir)
		closedir(dir);
	return dev;
}

/* A process that has it mapped and is stopped before the revoke. */
static pid_t stopped_reader(volatile uint32_t *bar)
{
	pid_t child = fork();
	int status;

	if (!child) {
		signal(SIGBUS, SIG_DFL);
		(void)*bar;
		raise(SIGSTOP);
		(void)*bar;
		_exit(0);
	}
	if (waitpid(child, &status, WUNTRACED) != child || !WIFSTOPPED(status))
		fail("the other process is stopped");
	return child;
}

static int ended(pid_t child)
{
	int status;

	kill(child, SIGCONT);
	if (waitpid(child, &status, 0) != child)
		fail("the other process ends");
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

int main(void)
{
	int iommufd = open("/dev/iommu", O_RDWR), dev;
	struct vfio_region_info info;
	volatile uint32_t *bar;
	uint32_t id = 0;
	pid_t child;

	dev = iommufd < 0 ? -1 : find(iommufd, &info);
	if (dev < 0) {
		fprintf(stderr, "skipped: no VFIO device with a BAR that can be mapped\n");
		return 77;
	}
	signal(SIGBUS, on_bus);
	pread(dev, &id, 4, CONFIG);
	command(dev, 2);
	bar = mmap(NULL, info.size, PROT_READ | PROT_WRITE, MAP_SHARED, dev, (off_t)info.offset);
	if (bar == MAP_FAILED)
		fail("mmap");
	if (!reaches(bar))
		fail("reached while decode is on");
	if (id == ENGINE)
		bar[1] = WORD;
	child = stopped_reader(bar);
	command(dev, 0);
	if (reaches(bar))
		fail("SIGBUS while decode is off");
	if (ended(child) != SIGBUS)
		fail("SIGBUS in another process, stopped at the time");
	command(dev, 2);
	if (!reaches(bar))
		fail("reached again");
	if (id == ENGINE && bar[1] != WORD)
		fail("what was written is still there");
	if (ioctl(dev, VFIO_DEVICE_RESET, NULL) == 0 && !reaches(bar))
		fail("reached after a reset");
	close(dev);
	munmap((void *)(uintptr_t)bar, info.size);
	puts("a BAR is taken from every process and given back");
	return 0;
}
