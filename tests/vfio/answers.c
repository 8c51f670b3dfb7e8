/* SPDX-License-Identifier: BSD-2-Clause */
/* R6.2, R6.5, R6.6: which device is asked, and in which order. See answers.h. */
#include "answers.h"

int dev = -1, iommufd = -1;
char bdf[16], node[64], group[40];

/* -- saying ------------------------------------------------------------------------------------ */

static const char *error_name(int error)
{
	const char *name = strerrorname_np(error);

	return name ? name : "?";
}

void say(long result, const char *question, ...)
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

int bind_to(int fd, int to)
{
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind), .iommufd = to };

	return ioctl(fd, VFIO_DEVICE_BIND_IOMMUFD, &bind);
}

unsigned int vectors(int fd, unsigned int index)
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
