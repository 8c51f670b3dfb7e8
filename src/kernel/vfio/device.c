/* SPDX-License-Identifier: BSD-2-Clause */
/* vfio-pci devices and their nodes: probe, open, the table of ioctls, enable and disable. */
#include "kernel/vfio/internal.h"
#include "swtio/uapi/ioasid.h"

/* The node's number is a device's for good. */
static struct vfio_device *device_make(const struct pci_dev *pdev)
{
	const struct vfio_root *root = vfio_root();
	struct vfio_device *vdev;
	struct vfio_root *w;

	for (uint32_t i = 0; i < root->count; i++)
		if (root->device[i]->pdev == pdev)
			return image_write(root->device[i]);
	if (root->count == VFIO_DEVICES)
		return NULL;
	vdev = image_alloc(sizeof(*vdev), IMAGE_TYPE_VFIO_DEVICE);
	if (!vdev)
		return NULL;
	vdev->pdev = pdev;
	vdev->number = root->count;
	w = image_write(root);
	w->device[w->count++] = vdev;
	return vdev;
}

int vfio_probe(const struct pci_dev *pdev)
{
	struct vfio_device *vdev;
	struct pci_dev *wp;

	if (pdev->vfio || pdev->is_bridge)
		return 0;
	vdev = device_make(pdev);
	if (!vdev)
		return -ENOMEM;
	vdev->pf = NULL;
	image_random(vdev->token, sizeof(vdev->token));
	wp = image_write(pdev);
	wp->vfio = vdev;
	return 0;
}

int vfio_remove(const struct pci_dev *pdev)
{
	const struct vfio_device *vdev = pdev->vfio;
	struct pci_dev *w;

	if (vdev->opener) {
		vfio_device_request(vdev);
		return -EBUSY;
	}
	w = image_write(pdev);
	w->vfio = NULL;
	return 0;
}

/* Had it once, and an administrator took it away. */
static bool was_removed(const struct pci_dev *pdev)
{
	const struct vfio_root *root = vfio_root();

	for (uint32_t i = 0; i < root->count; i++)
		if (root->device[i]->pdev == pdev)
			return !pdev->vfio;
	return false;
}

int vfio_power_on(void)
{
	const struct pci_dev *pdev;
	uint16_t rid = 0;
	int rc;

	if (!vfio_root()) {
		const struct vfio_root *root = image_alloc(sizeof(*root), IMAGE_TYPE_ROOT);

		if (!root)
			return -ENOMEM;
		image_root_set(IMAGE_ROOT_VFIO, root);
	}
	while ((pdev = pci_dev_next(&rid))) {
		rc = was_removed(pdev) ? 0 : vfio_probe(pdev);
		if (rc)
			return rc;
		if (rid++ == UINT16_MAX)
			break;
	}
	return 0;
}

void vfio_sriov_enabled(const struct pci_dev *pdev)
{
	const struct pci_dev *vf;

	for (uint16_t rid = 0; (vf = pci_dev_next(&rid)); rid++) {
		const struct vfio_device *vdev = vf->vfio;
		struct vfio_device *w;

		if (!vf->is_virtfn || vf->pf_rid != pdev->rid || !vdev)
			continue;
		w = image_write(vdev);
		w->pf = pdev->vfio;
	}
}

const struct vfio_device *vfio_device_of(const struct pci_dev *pdev)
{
	return pdev->vfio;
}

const struct vfio_device *vfio_device_of_file(const struct file *file)
{
	const struct vfio_file *vfile = file->priv;

	return file->type == FILE_VFIO_DEVICE ? vfile->vdev : NULL;
}

const struct pci_dev *vfio_device_pdev(const struct vfio_device *vdev)
{
	return vdev->pdev;
}

uint32_t vfio_device_number(const struct vfio_device *vdev)
{
	return vdev->number;
}

const struct kvm *vfio_device_kvm(const struct vfio_device *vdev)
{
	return vdev ? vdev->kvm : NULL;
}

int vfio_device_set_kvm(const struct file *file, const struct kvm *kvm)
{
	const struct vfio_file *vfile = file->priv;
	struct vfio_file *w;

	if (file->type != FILE_VFIO_DEVICE)
		return -EINVAL;
	w = image_write(vfile);
	w->kvm = kvm;
	if (kvm && vfile->bound && !vfile->vdev->kvm) {
		struct vfio_device *wd = image_write(vfile->vdev);

		kvm_file_get(kvm_file(kvm));
		wd->kvm = kvm;
	}
	return 0;
}

/* -- enable and disable ------------------------------------------------------------------------ */

static void command_change(const struct pci_dev *pdev, uint32_t clear, uint32_t set)
{
	uint32_t old = config_read(pdev->rid, PCI_COMMAND, 2);

	if (((old & ~clear) | set) != old)
		config_write(pdev->rid, PCI_COMMAND, 2, (old & ~clear) | set);
}

/* A fresh device: decoding, not mastering, reset if it can be; as in Linux one that cannot is
 * opened all the same. */
int vfio_device_enable(const struct vfio_device *vdev)
{
	const struct pci_dev *pdev = vdev->pdev;

	command_change(pdev, PCI_COMMAND_MASTER, PCI_COMMAND_MEMORY);
	pci_reset_function(pdev);
	return vfio_config_init(vdev);
}

void vfio_device_disable(const struct vfio_device *vdev)
{
	const struct pci_dev *pdev = vdev->pdev;

	vfio_irqs_off(vdev);
	if (!function_find(pdev->rid))
		return;
	command_change(pdev, PCI_COMMAND_MASTER, 0);
	pci_reset_function(pdev);
	command_change(pdev, PCI_COMMAND_MEMORY, 0);
}

/* -- GET_INFO ---------------------------------------------------------------------------------- */

long vfio_get_info(const struct vfio_file *vfile, uint64_t arg)
{
	const size_t least = offsetof(struct vfio_device_info, cap_offset);
	struct vfio_device_info info = { 0 };
	size_t n;

	if (copy_from_user(&info, arg, least))
		return -EFAULT;
	if (info.argsz < least)
		return -EINVAL;
	n = info.argsz < sizeof(info) ? info.argsz : sizeof(info);
	info.flags = VFIO_DEVICE_FLAGS_PCI |
		     (pci_can_flr(vfile->vdev->pdev) ? VFIO_DEVICE_FLAGS_RESET : 0);
	info.num_regions = VFIO_PCI_NUM_REGIONS;
	info.num_irqs = VFIO_PCI_NUM_IRQS;
	info.cap_offset = 0;
	return copy_to_user(arg, &info, n) ? -EFAULT : 0;
}

/* -- the node ---------------------------------------------------------------------------------- */

int vfio_device_open(const char *path, int flags, const struct file **file)
{
	const struct vfio_root *root = vfio_root();
	struct vfio_file *vfile;
	unsigned int number;
	char again[40];

	(void)flags;
	if (sscanf(path, "/dev/vfio/devices/vfio%u", &number) != 1)
		return -ENOENT;
	snprintf(again, sizeof(again), "/dev/vfio/devices/vfio%u", number);
	if (strcmp(path, again) || !root || number >= root->count ||
	    root->device[number]->pdev->vfio != root->device[number])
		return -ENOENT;
	if (!function_find(root->device[number]->pdev->rid))
		return -ENODEV;
	vfile = image_alloc(sizeof(*vfile), IMAGE_TYPE_VFIO_FILE);
	if (!vfile)
		return -ENOMEM;
	vfile->vdev = root->device[number];
	vfile->file = file_create(FILE_VFIO_DEVICE, vfile, path);
	*file = vfile->file;
	return *file ? 0 : -ENOMEM;
}

static const struct vfio_ioctl {
	unsigned int cmd;
	const char *name;
	long (*run)(const struct vfio_file *vfile, uint64_t arg);
	bool extension;			/* Linux has no such call */
	bool node_only;			/* unknown where the device was opened through its group */
} ioctls[] = {
	{ VFIO_DEVICE_BIND_IOMMUFD, "VFIO_DEVICE_BIND_IOMMUFD", vfio_bind },
	{ VFIO_DEVICE_ATTACH_IOMMUFD_PT, "VFIO_DEVICE_ATTACH_IOMMUFD_PT", vfio_attach,
	  false, true },
	{ VFIO_DEVICE_DETACH_IOMMUFD_PT, "VFIO_DEVICE_DETACH_IOMMUFD_PT", vfio_detach,
	  false, true },
	{ VFIO_DEVICE_GET_INFO, "VFIO_DEVICE_GET_INFO", vfio_get_info },
	{ VFIO_DEVICE_GET_REGION_INFO, "VFIO_DEVICE_GET_REGION_INFO", vfio_get_region_info },
	{ VFIO_DEVICE_GET_IRQ_INFO, "VFIO_DEVICE_GET_IRQ_INFO", vfio_get_irq_info },
	{ VFIO_DEVICE_SET_IRQS, "VFIO_DEVICE_SET_IRQS", vfio_set_irqs },
	{ VFIO_DEVICE_RESET, "VFIO_DEVICE_RESET", vfio_reset },
	{ VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, "VFIO_DEVICE_GET_PCI_HOT_RESET_INFO",
	  vfio_hot_reset_info },
	{ VFIO_DEVICE_PCI_HOT_RESET, "VFIO_DEVICE_PCI_HOT_RESET", vfio_hot_reset },
	{ VFIO_DEVICE_IOEVENTFD, "VFIO_DEVICE_IOEVENTFD", vfio_ioeventfd },
	{ VFIO_DEVICE_FEATURE, "VFIO_DEVICE_FEATURE", vfio_feature },
	{ VFIO_DEVICE_TSM_BIND, "VFIO_DEVICE_TSM_BIND", vfio_tsm_bind },
	{ VFIO_DEVICE_TSM_UNBIND, "VFIO_DEVICE_TSM_UNBIND", vfio_tsm_unbind },
	{ VFIO_BIND_IOASID_FD, "VFIO_BIND_IOASID_FD", vfio_ioasid_bind, true },
	{ VFIO_ATTACH_IOASID, "VFIO_ATTACH_IOASID", vfio_ioasid_attach, true },
	{ VFIO_DETACH_IOASID, "VFIO_DETACH_IOASID", vfio_ioasid_detach, true },
};

static long vfio_file_ioctl(const struct file *file, unsigned int cmd, uint64_t arg)
{
	const struct vfio_file *vfile = file->priv;
	const struct vfio_ioctl *op = NULL;
	struct trace_call call;
	long rc;

	for (size_t i = 0; i < sizeof(ioctls) / sizeof(ioctls[0]); i++)
		if (ioctls[i].cmd == cmd && !(vfile->group && ioctls[i].node_only) &&
		    (!ioctls[i].extension || kernel_options()->extensions))
			op = &ioctls[i];
	if (!op && vfile->bound)
		return -ENOTTY;
	call = TRACE_CALL((enum lane)current_task()->lane, LANE_VFIO, op ? op->name : "ioctl",
			  A("rid", vfile->vdev->pdev->rid));
	rc = -EINVAL;
	if (op && (vfile->bound || cmd == VFIO_DEVICE_BIND_IOMMUFD ||
		   cmd == VFIO_BIND_IOASID_FD))
		rc = op->run(vfile, arg);
	trace_return(&call, rc, NULL);
	return rc;
}

static int vfio_file_fdinfo(const struct file *file, char *text, size_t len)
{
	const struct vfio_file *vfile = file->priv;
	char bdf[13];

	pci_name(vfile->vdev->pdev->rid, bdf);
	return snprintf(text, len, "vfio-device-syspath: /sys/bus/pci/devices/%s\n", bdf);
}

static void vfio_file_release(const struct file *file)
{
	const struct vfio_file *vfile = file->priv;

	if (vfile->vdev->opener == vfile)
		vfio_unbind(vfile);
	image_free(vfile);
}

const struct file_ops vfio_device_file_ops = {
	.name = "vfio-device",
	.ioctl = vfio_file_ioctl,
	.read = vfio_file_read,
	.write = vfio_file_write,
	.mmap = vfio_file_mmap,
	.access = vfio_file_access,
	.fdinfo = vfio_file_fdinfo,
	.release = vfio_file_release,
};
