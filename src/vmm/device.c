/* SPDX-License-Identifier: BSD-2-Clause */
/* The assigned device: descriptor, attachment, BARs, config space, interrupts. */
#include <fcntl.h>
#include <stddef.h>
#include <sys/mman.h>

#include "swtio/uapi/kvm.h"
#include "swtio/uapi/vfio.h"
#include "vmm/internal.h"

#define BAR_GPA_BASE 0xe0000000ull		/* device n's BARs: 64 MiB each from here, 4 MiB a BAR */
#define BAR_GPA_DEVICE 0x4000000ull
#define BAR_GPA_BAR 0x400000ull

static int64_t region_query(
	const struct vmm_call *call, struct vmm_device *device, unsigned int bar)
{
	struct vfio_region_info info = { .argsz = sizeof(info), .index = bar };
	long rc = vmm_ioctl(call, device->fd, VFIO_DEVICE_GET_REGION_INFO, &info);

	device->bar[bar].size = rc ? 0 : info.size;
	device->bar[bar].gpa = BAR_GPA_BASE +
			       (uint64_t)(device - call->vmm->device) * BAR_GPA_DEVICE +
			       bar * BAR_GPA_BAR;
	return rc;
}

/* open-device path= [dev=] */
static int64_t open_device(const struct vmm_call *call)
{
	struct vmm_device *device = vmm_device_of(call);
	const char *path = vmm_text(call, "path");

	if (!device || !path)
		return -EDOM;
	device->fd = call->sys->open(call->sys->ctx, path, O_RDWR | O_CLOEXEC);
	return device->fd < 0 ? device->fd : 0;
}

/* bind-iommufd [dev=]: the device becomes this context's, and shows its BARs. */
static int64_t bind_iommufd(const struct vmm_call *call)
{
	struct vmm_device *device = vmm_device_of(call);
	struct vfio_device_bind_iommufd cmd = { .argsz = sizeof(cmd), .iommufd = call->vmm->iommu };
	long rc;

	if (!device)
		return -EDOM;
	rc = vmm_ioctl(call, device->fd, VFIO_DEVICE_BIND_IOMMUFD, &cmd);
	if (rc)
		return rc;
	device->devid = cmd.out_devid;
	for (unsigned int bar = 0; bar < VMM_BARS && !rc; bar++)
		rc = region_query(call, device, bar);
	return rc;
}

/* attach [pt=] [pasid=] [dev=] */
static int64_t attach(const struct vmm_call *call)
{
	struct vmm_device *device = vmm_device_of(call);
	struct vfio_device_attach_iommufd_pt cmd = {
		.argsz = offsetof(struct vfio_device_attach_iommufd_pt, pasid)
	};
	uint64_t pasid;
	bool of_pasid = vmm_arg(call, "pasid", &pasid);
	long rc;

	if (!device)
		return -EDOM;
	cmd.pt_id = (uint32_t)vmm_arg_or(call, "pt", device->hwpt ? device->hwpt : call->vmm->ioas);
	if (of_pasid) {
		cmd.argsz = sizeof(cmd);
		cmd.flags = VFIO_DEVICE_ATTACH_PASID;
		cmd.pasid = (uint32_t)pasid;
	}
	rc = vmm_ioctl(call, device->fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &cmd);
	if (!rc && !of_pasid)
		device->attached = cmd.pt_id;
	return rc;
}

/* detach [pasid=] [dev=] */
static int64_t detach(const struct vmm_call *call)
{
	struct vmm_device *device = vmm_device_of(call);
	struct vfio_device_detach_iommufd_pt cmd = {
		.argsz = offsetof(struct vfio_device_detach_iommufd_pt, pasid)
	};
	uint64_t pasid;

	if (!device)
		return -EDOM;
	if (vmm_arg(call, "pasid", &pasid)) {
		cmd.argsz = sizeof(cmd);
		cmd.flags = VFIO_DEVICE_DETACH_PASID;
		cmd.pasid = (uint32_t)pasid;
	} else {
		device->attached = 0;
	}
	return vmm_ioctl(call, device->fd, VFIO_DEVICE_DETACH_IOMMUFD_PT, &cmd);
}

static int64_t device_reset(const struct vmm_call *call)
{
	struct vmm_device *device = vmm_device_of(call);

	return device ? vmm_ioctl(call, device->fd, VFIO_DEVICE_RESET, NULL) : -EDOM;
}

/* hot-reset [dev=]: of the whole bus, which all has to be this VMM's. */
static int64_t hot_reset(const struct vmm_call *call)
{
	struct vmm_device *device = vmm_device_of(call);
	struct vfio_pci_hot_reset cmd = { .argsz = sizeof(cmd) };

	return device ? vmm_ioctl(call, device->fd, VFIO_DEVICE_PCI_HOT_RESET, &cmd) : -EDOM;
}

static int64_t close_device(const struct vmm_call *call)
{
	struct vmm_device *device = vmm_device_of(call);

	return device ? vmm_close(call, &device->fd) : -EDOM;
}

/* -- registers ---------------------------------------------------------------------------------- */

#define REGION_OFFSET(index) ((uint64_t)(index) << 40)

static int64_t region_access(const struct vmm_call *call, uint64_t region, bool write)
{
	struct vmm_device *device = vmm_device_of(call);
	uint64_t offset = vmm_arg_or(call, "offset", 0), size = vmm_arg_or(call, "size", 4);
	uint64_t value = vmm_arg_or(call, "value", 0);
	ssize_t n;

	if (!device || size > sizeof(value))
		return -EDOM;
	offset += REGION_OFFSET(region);
	n = write ? call->sys->pwrite(call->sys->ctx, device->fd, &value, size, offset) :
		    call->sys->pread(call->sys->ctx, device->fd, &value, size, offset);
	if (n < 0)
		return n;
	return write ? 0 : (int64_t)(value & (size < 8 ? (1ull << (8 * size)) - 1 : UINT64_MAX));
}

static int64_t bar_read(const struct vmm_call *call)
{
	return region_access(call, vmm_arg_or(call, "bar", 0), false);
}

static int64_t bar_write(const struct vmm_call *call)
{
	return region_access(call, vmm_arg_or(call, "bar", 0), true);
}

static int64_t config_read(const struct vmm_call *call)
{
	return region_access(call, VFIO_PCI_CONFIG_REGION_INDEX, false);
}

static int64_t config_write(const struct vmm_call *call)
{
	return region_access(call, VFIO_PCI_CONFIG_REGION_INDEX, true);
}

/* mmap-bar bar= [offset=] [length=] */
static int64_t mmap_bar(const struct vmm_call *call)
{
	struct vmm_device *device = vmm_device_of(call);
	struct vmm_bar *bar = vmm_bar_of(call);
	int rc;

	if (!bar)
		return -EDOM;
	bar->mapping_offset = vmm_arg_or(call, "offset", 0);
	bar->mapping_len = vmm_arg_or(call, "length", bar->size);
	rc = call->sys->mmap(call->sys->ctx, bar->mapping_len, PROT_READ | PROT_WRITE, MAP_SHARED,
		device->fd, REGION_OFFSET(bar - device->bar) + bar->mapping_offset, &bar->mapping);
	if (rc)
		bar->mapping = 0;
	return rc;
}

static int64_t munmap_bar(const struct vmm_call *call)
{
	struct vmm_bar *bar = vmm_bar_of(call);
	int rc;

	if (!bar || !bar->mapping)
		return -EDOM;
	rc = call->sys->munmap(call->sys->ctx, bar->mapping, bar->mapping_len);
	bar->mapping = 0;
	return rc;
}

/* load bar= offset= / store bar= offset= value=: through the mapping; ENXIO is SIGBUS. */
static int64_t mapping_access(const struct vmm_call *call, bool write)
{
	struct vmm_bar *bar = vmm_bar_of(call);
	uint64_t offset = vmm_arg_or(call, "offset", 0);
	uint32_t value = (uint32_t)vmm_arg_or(call, "value", 0);
	int rc;

	if (!bar || !bar->mapping)
		return -EDOM;
	rc = write ? call->sys->store(call->sys->ctx, bar->mapping + offset, &value, sizeof(value))
		   : call->sys->load(call->sys->ctx, bar->mapping + offset, &value, sizeof(value));
	if (rc)
		return rc;
	return write ? 0 : (int64_t)value;
}

static int64_t load(const struct vmm_call *call)
{
	return mapping_access(call, false);
}

static int64_t store(const struct vmm_call *call)
{
	return mapping_access(call, true);
}

/* -- interrupts --------------------------------------------------------------------------------- */

static int64_t irq_route(
	const struct vmm_call *call, struct vmm_device *device, unsigned int vector)
{
	struct kvm_irqfd irqfd = { .gsi = vector };

	device->irq[vector] = call->sys->eventfd(call->sys->ctx);
	if (device->irq[vector] < 0)
		return device->irq[vector];
	irqfd.fd = (uint32_t)device->irq[vector];
	return vmm_ioctl(call, call->vmm->vm, KVM_IRQFD, &irqfd);
}

/* irq-setup [vectors=] dev=: MSI-X vector n raises the guest's interrupt n. */
static int64_t irq_setup(const struct vmm_call *call)
{
	struct { struct vfio_irq_set set; int32_t fd[VMM_VECTORS]; } cmd = {
		.set = { .flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
			 .index = VFIO_PCI_MSIX_IRQ_INDEX },
	};
	struct vmm_device *device = vmm_device_of(call);
	uint64_t vectors = vmm_arg_or(call, "vectors", VMM_VECTORS);
	int64_t rc = 0;

	if (!device || !vectors || vectors > VMM_VECTORS)
		return -EDOM;
	for (unsigned int i = 0; i < vectors && !rc; i++) {
		rc = irq_route(call, device, i);
		cmd.fd[i] = device->irq[i];
	}
	if (rc)
		return rc;
	cmd.set.argsz = (uint32_t)(sizeof(cmd.set) + vectors * sizeof(cmd.fd[0]));
	cmd.set.count = (uint32_t)vectors;
	return vmm_ioctl(call, device->fd, VFIO_DEVICE_SET_IRQS, &cmd);
}

/* The guest's MSI-X table is the VMM's to emulate: interrupts are routed by irq-setup, so a read
 * gives an unused vector's default and a write is taken and dropped. */
void vmm_msix_access(struct vmm *vmm, uint64_t gpa, void *data, uint32_t len, bool write)
{
	(void)vmm, (void)gpa;
	if (!write)
		memset(data, 0, len <= 8 ? len : 8);
}

const struct vmm_verb vmm_device_verbs[] = {
	{ "open-device", open_device },
	{ "bind-iommufd", bind_iommufd },
	{ "attach", attach },
	{ "detach", detach },
	{ "reset", device_reset },
	{ "hot-reset", hot_reset },
	{ "close-device", close_device },
	{ "bar-read", bar_read },
	{ "bar-write", bar_write },
	{ "config-read", config_read },
	{ "config-write", config_write },
	{ "mmap-bar", mmap_bar },
	{ "munmap-bar", munmap_bar },
	{ "load", load },
	{ "store", store },
	{ "irq-setup", irq_setup },
	{ NULL, NULL },
};
