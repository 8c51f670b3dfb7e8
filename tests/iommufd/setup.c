/* SPDX-License-Identifier: BSD-2-Clause */
#include "setup.h"

const struct task *task;
const struct pci_dev *devices[DEVICES];

/* Stand-ins for the PCI core and for VFIO's word about KVM. */
const struct pci_dev *pci_dev_next(uint16_t *rid)
{
	for (unsigned int i = 0; i < DEVICES; i++) {
		if (!devices[i] || devices[i]->rid < *rid)
			continue;
		*rid = devices[i]->rid;
		return devices[i];
	}
	return NULL;
}

const struct pci_dev *pci_dev_find(uint16_t rid)
{
	uint16_t found = rid;
	const struct pci_dev *pdev = pci_dev_next(&found);

	return pdev && pdev->rid == rid ? pdev : NULL;
}

static void devices_up(void)
{
	for (unsigned int i = 0; i < DEVICES; i++) {
		struct pci_dev *pdev = image_alloc(sizeof(*pdev), IMAGE_TYPE_PCI_DEV);

		pdev->rid = (uint16_t)(0x100 + 8 * i);
		pdev->group = (uint16_t)(i < 2 ? 0 : i);
		devices[i] = pdev;
	}
}

int host_up(void **state)
{
	const struct image_opts opts = { .size = sizeof(opts), .seed = 1, .limit = 4ull << 30 };

	(void)state;
	assert_int_equal(image_create(&opts), 0);
	assert_int_equal(image_enter(), 0);
	assert_int_equal(trace_power_on(1u << 12), 0);
	assert_int_equal(phys_power_on(), 0);
	assert_int_equal(function_power_on(), 0);
	assert_int_equal(iommu_power_on(), 0);
	assert_int_equal(kernel_core_power_on(), 0);
	devices_up();
	task = task_create("vmm", 0);
	assert_non_null(task);
	image_leave();
	return 0;
}

int host_down(void **state)
{
	(void)state;
	image_detach();
	return 0;
}

void host_options(bool extensions, bool mock)
{
	const struct kernel_options options = { .extensions = extensions, .mock = mock };

	assert_int_equal(image_enter(), 0);
	assert_int_equal(kernel_options_set(&options), 0);
	image_leave();
}

int iommu_open(void)
{
	int fd = sys_open(task, "/dev/iommu", 2);

	assert_true(fd >= 0);
	return fd;
}

uint32_t ioas_alloc(int fd)
{
	struct iommu_ioas_alloc args = { .size = sizeof(args) };

	assert_int_equal(sys_ioctl(task, fd, IOMMU_IOAS_ALLOC, (uintptr_t)&args), 0);
	return args.out_ioas_id;
}

long ioas_map(int fd, uint32_t ioas, uint64_t va, uint64_t len, uint64_t iova)
{
	return CALL(fd, IOMMU_IOAS_MAP, iommu_ioas_map, .flags = RW | IOMMU_IOAS_MAP_FIXED_IOVA,
		    .ioas_id = ioas, .user_va = va, .length = len, .iova = iova);
}

long ioas_unmap(int fd, uint32_t ioas, uint64_t iova, uint64_t len)
{
	struct iommu_ioas_unmap args = {
		.size = sizeof(args), .ioas_id = ioas, .iova = iova, .length = len
	};
	long rc = sys_ioctl(task, fd, IOMMU_IOAS_UNMAP, (uintptr_t)&args);

	return rc ? rc : (long)args.length;
}

long destroy(int fd, uint32_t id)
{
	return CALL(fd, IOMMU_DESTROY, iommu_destroy, .id = id);
}

uint64_t user_memory(uint64_t len)
{
	uint64_t address;

	assert_int_equal(sys_mmap(task, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
				  -1, 0, &address),
			 0);
	return address;
}

/* -- VFIO's calls ------------------------------------------------------------------------------ */

struct vfio_call {
	const struct iommufd_ctx *ctx;
	unsigned int device;
	const struct iommufd_device *idev;
	uint32_t id, pasid;
};

static long run(long (*fn)(void *arg), struct vfio_call *call)
{
	long rc;

	assert_int_equal(image_enter(), 0);
	current_task_set(task);
	rc = image_call(fn, call);
	current_task_set(NULL);
	image_leave();
	return rc;
}

static long do_bind(void *arg)
{
	struct vfio_call *call = arg;

	return iommufd_device_bind(call->ctx, devices[call->device], &call->idev, &call->id);
}

static long do_attach(void *arg)
{
	struct vfio_call *call = arg;

	return iommufd_device_attach(call->idev, call->pasid, &call->id);
}

static long do_detach(void *arg)
{
	struct vfio_call *call = arg;

	iommufd_device_detach(call->idev, call->pasid);
	return 0;
}

static long do_unbind(void *arg)
{
	struct vfio_call *call = arg;

	iommufd_device_unbind(call->idev);
	return 0;
}

long bind_device(int fd, unsigned int device, const struct iommufd_device **idev)
{
	struct vfio_call call = { .ctx = iommufd_ctx_of_file(task->fds[fd]), .device = device };
	long rc = run(do_bind, &call);

	*idev = call.idev;
	return rc ? rc : call.id;
}

long attach_device(const struct iommufd_device *idev, uint32_t pasid, uint32_t *pt_id)
{
	struct vfio_call call = { .idev = idev, .pasid = pasid, .id = *pt_id };
	long rc = run(do_attach, &call);

	*pt_id = call.id;
	return rc;
}

void detach_device(const struct iommufd_device *idev, uint32_t pasid)
{
	struct vfio_call call = { .idev = idev, .pasid = pasid };

	run(do_detach, &call);
}

void unbind_device(const struct iommufd_device *idev)
{
	struct vfio_call call = { .idev = idev };

	run(do_unbind, &call);
}

uint64_t dma_target(unsigned int device, uint64_t iova, bool write)
{
	return dma_target_pasid(device, TLP_NO_PASID, iova, write);
}

uint64_t dma_target_pasid(unsigned int device, uint32_t pasid, uint64_t iova, bool write)
{
	const struct tlp tlp = { .type = write ? TLP_MEM_WRITE : TLP_MEM_READ,
				 .rid = devices[device]->rid,
				 .stream = TLP_NO_STREAM,
				 .pasid = pasid,
				 .address = iova,
				 .len = 1 };
	struct pt_leaf leaf;
	uint32_t owner;

	if (iommu_translate(&tlp, &leaf, &owner) != TLP_SC)
		return 0;
	return leaf.hpa + (iova - leaf.address);
}
