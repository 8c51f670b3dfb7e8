/* SPDX-License-Identifier: BSD-2-Clause */
/* Paths: which room opens what. */
#include <fnmatch.h>
#include <fcntl.h>
#include <string.h>

#include "kernel/core.h"
#include "kernel/fault.h"
#include "kernel/pci/pci.h"
#include "kernel/syscall.h"
#include "kernel/vfio/mdev.h"
#include "kernel/vfio/vfio.h"

#define SYSFS_TEXT 4096u

#define MISC_MAJOR 10u
#define IOMMU_MINOR 261u	/* dynamic in Linux */
#define IOASID_MINOR 260u	/* dynamic, and ours */
#define VFIO_MDEV_MINOR 4095u
#define KVM_MINOR 232u
#define VFIO_MINOR 196u
#define VFIO_GROUP_MAJOR 510u	/* dynamic in Linux */

static bool kvm_there(void)
{
	return kernel_options()->kvm;
}

static bool ioasid_there(void)
{
	return kernel_options()->extensions;
}

static bool never(void)
{
	return false;		/* no device node */
}

static uint32_t device_number(const struct pci_dev *pdev)
{
	return vfio_device_number(vfio_device_of(pdev));
}

static uint32_t group_number(const struct pci_dev *pdev)
{
	return pdev->group;
}

static const struct path_entry paths[] = {
	{ "/proc/self/task/*/fail-nth", fault_nth_open, 0, 0, never, NULL },
	{ "/dev/iommu", iommufd_open, MISC_MAJOR, IOMMU_MINOR, NULL, NULL },
	{ "/dev/ioasid", ioasid_open, MISC_MAJOR, IOASID_MINOR, ioasid_there, NULL },
	{ "/dev/kvm", kvm_open, MISC_MAJOR, KVM_MINOR, kvm_there, NULL },
	{ VFIO_MDEV_PATH, vfio_mdev_open, VFIO_MAJOR, VFIO_MDEV_MINOR, ioasid_there, NULL },
	{ "/dev/vfio/devices/vfio*", vfio_device_open, VFIO_MAJOR, 0, NULL, device_number },
	{ "/dev/vfio/vfio", vfio_container_open, MISC_MAJOR, VFIO_MINOR, NULL, NULL },
	{ "/dev/vfio/*", vfio_group_open, VFIO_GROUP_MAJOR, 0, NULL, group_number },
};

int path_open(const char *path, int flags, const struct file **file)
{
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		if (!fnmatch(paths[i].pattern, path, FNM_PATHNAME))
			return paths[i].open(path, flags, file);
	if (!strncmp(path, "/sys/", 5))
		return sysfs_open(path, flags, file);
	return -ENOENT;
}

/* A node for each device bound to vfio-pci. */
static void device_nodes(const struct path_entry *entry,
			 void (*each)(const struct path_node *node, void *arg), void *arg)
{
	struct path_node node = { .major = entry->major };
	const struct pci_dev *pdev;
	uint16_t rid = 0;

	for (; (pdev = pci_dev_next(&rid)); rid++) {
		if (!pdev->vfio)
			continue;
		node.minor = entry->number(pdev);
		snprintf(node.path, sizeof(node.path), "%.*s%u",
			 (int)strcspn(entry->pattern, "*"), entry->pattern, node.minor);
		each(&node, arg);
	}
}

void path_nodes(void (*each)(const struct path_node *node, void *arg), void *arg)
{
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct path_node node = { .major = paths[i].major, .minor = paths[i].minor };

		if (paths[i].there && !paths[i].there())
			continue;
		if (paths[i].number) {
			device_nodes(&paths[i], each, arg);
			continue;
		}
		snprintf(node.path, sizeof(node.path), "%s", paths[i].pattern);
		each(&node, arg);
	}
}

int file_open(const struct task *task, const char *path, int flags, const struct file **file)
{
	const struct task *before = current_task();
	int rc;

	current_task_set(task);
	rc = path_open(path, flags, file);
	current_task_set(before);
	return rc;
}

/* -- sysfs: text files; a read shows what is true now, a write acts at once -------------------- */

struct sysfs_file { char path[256]; };

int sysfs_open(const char *path, int flags, const struct file **file)
{
	char text[SYSFS_TEXT];
	struct sysfs_file *sysfs;
	int rc = pci_sysfs_read(path, text, sizeof(text));

	if (rc < 0 && !((flags & O_ACCMODE) == O_WRONLY && rc == -EACCES))
		return rc;
	if (strlen(path) >= sizeof(sysfs->path))
		return -ENAMETOOLONG;
	sysfs = image_alloc(sizeof(*sysfs), IMAGE_TYPE_BYTES);
	if (!sysfs)
		return -ENOMEM;
	strncpy(sysfs->path, path, sizeof(sysfs->path) - 1);
	*file = file_create(FILE_SYSFS, sysfs, path);
	return *file ? 0 : -ENOMEM;
}

static ssize_t sysfs_read(const struct file *file, uint64_t to, size_t len, uint64_t position)
{
	const struct sysfs_file *sysfs = file->priv;
	char text[SYSFS_TEXT];
	int n = pci_sysfs_read(sysfs->path, text, sizeof(text));

	if (n < 0)
		return n == -EACCES ? -EIO : n;
	if (position >= (uint64_t)n)
		return 0;
	if (len > (uint64_t)n - position)
		len = (uint64_t)n - position;
	return copy_to_user(to, text + position, len) ? -EFAULT : (ssize_t)len;
}

static ssize_t sysfs_write(const struct file *file, uint64_t from, size_t len, uint64_t position)
{
	const struct sysfs_file *sysfs = file->priv;
	char text[SYSFS_TEXT];
	int rc;

	if (len > sizeof(text))
		len = sizeof(text);
	if (copy_from_user(text, from, len))
		return -EFAULT;
	rc = pci_sysfs_pwrite(sysfs->path, text, len, position);
	return rc < 0 ? rc : (ssize_t)len;
}

static void sysfs_release(const struct file *file)
{
	image_free(file->priv);
}

const struct file_ops sysfs_file_ops = {
	.name = "sysfs",
	.read = sysfs_read,
	.write = sysfs_write,
	.release = sysfs_release,
};
