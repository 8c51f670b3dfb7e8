/* SPDX-License-Identifier: BSD-2-Clause */
/* /dev/iommu: address spaces, page tables, the virtual IOMMU and its devices. */
#include <fcntl.h>
#include <sys/mman.h>

#include "swtio/uapi/iommufd.h"
#include "swtio/uapi/tsm.h"
#include "vmm/internal.h"

static int64_t open_iommu(const struct vmm_call *call)
{
	call->vmm->iommu = call->sys->open(call->sys->ctx, "/dev/iommu", O_RDWR | O_CLOEXEC);
	return call->vmm->iommu < 0 ? call->vmm->iommu : 0;
}

static int64_t close_iommu(const struct vmm_call *call)
{
	return vmm_close(call, &call->vmm->iommu);
}

static int64_t ioas_alloc(const struct vmm_call *call)
{
	struct iommu_ioas_alloc cmd = { .size = sizeof(cmd) };
	long rc = vmm_ioctl(call, call->vmm->iommu, IOMMU_IOAS_ALLOC, &cmd);

	if (!rc)
		call->vmm->ioas = cmd.out_ioas_id;
	return rc ? rc : cmd.out_ioas_id;
}

static long map_piece(const struct vmm_call *call, const struct vmm_piece *piece)
{
	struct iommu_ioas_map_file cmd = {
		.size = sizeof(cmd),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_WRITEABLE |
			 IOMMU_IOAS_MAP_READABLE,
		.ioas_id = call->vmm->ioas,
		.fd = piece->fd,
		.start = piece->start,
		.length = piece->length,
		.iova = piece->iova,
	};

	return vmm_ioctl(call, call->vmm->iommu, IOMMU_IOAS_MAP_FILE, &cmd);
}

long vmm_map_pieces(const struct vmm_call *call, const struct vmm_piece *pieces, size_t n)
{
	long rc = 0;

	for (size_t i = 0; !rc && i < n; i++)
		rc = pieces[i].length ? map_piece(call, &pieces[i]) : 0;
	return rc;
}

/* ioas-map [iova=] [start=] [length=]: the VM's RAM by its memfd; all of it at 0 by default, or as the
 * platform wants it. */
static int64_t ioas_map(const struct vmm_call *call)
{
	const struct vmm_platform *platform = vmm_platform(call->vmm);
	const struct vmm_piece ram = { call->vmm->ram, vmm_arg_or(call, "start", 0),
				       vmm_arg_or(call, "length", call->vmm->ram_size),
				       vmm_arg_or(call, "iova", 0) };

	if (!call->args->n && platform && platform->ioas_map)
		return platform->ioas_map(call);
	return map_piece(call, &ram);
}

/* ioas-copy from= iova= to=IOVA [length=]: what the IOAS `from` has at iova, into the one that was
 * allocated last: the pages are shared. */
static int64_t ioas_copy(const struct vmm_call *call)
{
	struct iommu_ioas_copy cmd = {
		.size = sizeof(cmd),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_WRITEABLE |
			 IOMMU_IOAS_MAP_READABLE,
		.dst_ioas_id = call->vmm->ioas,
		.src_ioas_id = (uint32_t)vmm_arg_or(call, "from", 0),
		.length = vmm_arg_or(call, "length", 4096),
		.dst_iova = vmm_arg_or(call, "to", 0),
		.src_iova = vmm_arg_or(call, "iova", 0),
	};

	return vmm_ioctl(call, call->vmm->iommu, IOMMU_IOAS_COPY, &cmd);
}

static int64_t ioas_unmap(const struct vmm_call *call)
{
	struct iommu_ioas_unmap cmd = {
		.size = sizeof(cmd),
		.ioas_id = call->vmm->ioas,
		.iova = vmm_arg_or(call, "iova", 0),
		.length = vmm_arg_or(call, "length", UINT64_MAX),
	};
	long rc = vmm_ioctl(call, call->vmm->iommu, IOMMU_IOAS_UNMAP, &cmd);

	return rc ? rc : (int64_t)cmd.length;
}

/* hwpt-alloc [flags=nest-parent bit by default] dev=: the page table all of RAM is in. */
static int64_t hwpt_alloc(const struct vmm_call *call)
{
	struct vmm_device *device = vmm_device_of(call);
	struct iommu_hwpt_alloc cmd = {
		.size = sizeof(cmd),
		.flags = (uint32_t)vmm_arg_or(call, "flags", IOMMU_HWPT_ALLOC_NEST_PARENT),
		.pt_id = call->vmm->ioas,
	};
	long rc;

	if (!device)
		return -EDOM;
	cmd.dev_id = device->devid;
	rc = vmm_ioctl(call, call->vmm->iommu, IOMMU_HWPT_ALLOC, &cmd);
	if (!rc)
		device->hwpt = call->vmm->parent_hwpt = cmd.out_hwpt_id;
	return rc ? rc : cmd.out_hwpt_id;
}

/* nested-alloc parent= addr= dev= [flags=] [fault=QUEUE] [type=]: a guest's page table, VT-d first
 * stage of 4 levels, whatever type says. */
static int64_t nested_alloc(const struct vmm_call *call)
{
	struct vmm_device *device = vmm_device_of(call);
	struct iommu_hwpt_vtd_s1 s1 = { .pgtbl_addr = vmm_arg_or(call, "addr", 0),
					.addr_width = (uint32_t)vmm_arg_or(call, "width", 48) };
	struct iommu_hwpt_alloc cmd = {
		.size = sizeof(cmd),
		.flags = (uint32_t)vmm_arg_or(call, "flags", 0),
		.pt_id = (uint32_t)vmm_arg_or(call, "parent", call->vmm->parent_hwpt),
		.data_type = (uint32_t)vmm_arg_or(call, "type", IOMMU_HWPT_DATA_VTD_S1),
		.data_len = sizeof(s1),
		.data_uptr = (uint64_t)(uintptr_t)&s1,
		.fault_id = (uint32_t)vmm_arg_or(call, "fault", 0),
	};
	long rc;

	if (!device)
		return -EDOM;
	if (cmd.fault_id)
		cmd.flags |= IOMMU_HWPT_FAULT_ID_VALID;
	cmd.dev_id = device->devid;
	rc = vmm_ioctl(call, call->vmm->iommu, IOMMU_HWPT_ALLOC, &cmd);
	return rc ? rc : cmd.out_hwpt_id;
}

/* nested-invalidate hwpt= addr= [pages=1] */
static int64_t nested_invalidate(const struct vmm_call *call)
{
	struct iommu_hwpt_vtd_s1_invalidate inv = { .addr = vmm_arg_or(call, "addr", 0),
						    .npages = vmm_arg_or(call, "pages", 1) };
	struct iommu_hwpt_invalidate cmd = {
		.size = sizeof(cmd),
		.hwpt_id = (uint32_t)vmm_arg_or(call, "hwpt", 0),
		.data_type = IOMMU_HWPT_INVALIDATE_DATA_VTD_S1,
		.data_uptr = (uint64_t)(uintptr_t)&inv,
		.entry_len = sizeof(inv),
		.entry_num = 1,
	};

	return vmm_ioctl(call, call->vmm->iommu, IOMMU_HWPT_INVALIDATE, &cmd);
}

/* -- page requests ----------------------------------------------------------------------------- */

static int64_t fault_queue(const struct vmm_call *call)
{
	struct iommu_fault_alloc cmd = { .size = sizeof(cmd) };
	long rc = vmm_ioctl(call, call->vmm->iommu, IOMMU_FAULT_QUEUE_ALLOC, &cmd);

	if (rc)
		return rc;
	call->vmm->fault_queue = (int)cmd.out_fault_fd;
	return cmd.out_fault_id;
}

/* queue-read: takes a page request: its cookie, or ENODATA. */
static int64_t queue_read(const struct vmm_call *call)
{
	struct iommu_hwpt_pgfault request = { 0 };
	ssize_t n = call->sys->pread(call->sys->ctx, call->vmm->fault_queue, &request,
				     sizeof(request), 0);

	if (n <= 0)
		return n ? n : -ENODATA;
	call->vmm->request_dev = request.dev_id;
	call->vmm->request_pasid = request.pasid;
	call->vmm->request_addr = request.addr;
	return request.cookie;
}

/* queue-last what=dev, pasid or addr: of what was taken last. */
static int64_t queue_last(const struct vmm_call *call)
{
	const struct vmm *vmm = call->vmm;
	const struct { const char *name; uint64_t value; } fields[] = {
		{ "dev", vmm->request_dev },
		{ "pasid", vmm->request_pasid },
		{ "addr", vmm->request_addr } };
	const char *what = vmm_text(call, "what");

	for (size_t i = 0; what && i < sizeof(fields) / sizeof(fields[0]); i++)
		if (!strcmp(fields[i].name, what))
			return (int64_t)fields[i].value;
	return -EDOM;
}

/* queue-respond cookie= code= */
static int64_t queue_respond(const struct vmm_call *call)
{
	const struct iommu_hwpt_page_response response = {
		.cookie = (uint32_t)vmm_arg_or(call, "cookie", 0),
		.code = (uint32_t)vmm_arg_or(call, "code", 0) };
	ssize_t n = call->sys->pwrite(call->sys->ctx, call->vmm->fault_queue, &response,
				      sizeof(response), 0);

	return n < 0 ? n : 0;
}

/* -- the virtual IOMMU ------------------------------------------------------------------------- */

static int64_t viommu_alloc(const struct vmm_call *call)
{
	struct vmm_device *device = vmm_device_of(call);
	const struct vmm_platform *platform = vmm_platform(call->vmm);
	struct iommu_viommu_alloc cmd = {
		.size = sizeof(cmd),
		.type = (uint32_t)vmm_arg_or(call, "type",
					     platform ? platform->viommu_type :
							IOMMU_VIOMMU_TYPE_TDX),
		.hwpt_id = call->vmm->parent_hwpt,
	};
	long rc;

	if (!device)
		return -EDOM;
	cmd.dev_id = device->devid;
	rc = vmm_ioctl(call, call->vmm->iommu, IOMMU_VIOMMU_ALLOC, &cmd);
	if (!rc)
		device->viommu = cmd.out_viommu_id;
	return rc ? rc : cmd.out_viommu_id;
}

/* vdevice-alloc vbdf= dev=: where the guest sees the function. */
static int64_t vdevice_alloc(const struct vmm_call *call)
{
	struct vmm_device *device = vmm_device_of(call);
	struct iommu_vdevice_alloc cmd = { .size = sizeof(cmd),
		.virt_id = vmm_arg_or(call, "vbdf", 0x10) };
	long rc;

	if (!device)
		return -EDOM;
	cmd.viommu_id = device->viommu;
	cmd.dev_id = device->devid;
	rc = vmm_ioctl(call, call->vmm->iommu, IOMMU_VDEVICE_ALLOC, &cmd);
	if (rc)
		return rc;
	device->vdevice = cmd.out_vdevice_id;
	device->vbdf = cmd.virt_id;
	return cmd.out_vdevice_id;
}

/* destroy id=|what=vdevice,viommu,hwpt,ioas dev= */
static int64_t destroy(const struct vmm_call *call)
{
	struct vmm_device *device = vmm_device_of(call);
	struct iommu_destroy cmd = { .size = sizeof(cmd),
		.id = (uint32_t)vmm_arg_or(call, "id", 0) };
	const char *what = vmm_text(call, "what");

	if (!device)
		return -EDOM;
	if (what)
		cmd.id = !strcmp(what, "vdevice")  ? device->vdevice
			 : !strcmp(what, "viommu") ? device->viommu
			 : !strcmp(what, "hwpt")   ? device->hwpt
						   : call->vmm->ioas;
	return vmm_ioctl(call, call->vmm->iommu, IOMMU_DESTROY, &cmd);
}

const struct vmm_verb vmm_iommu_verbs[] = {
	{ "open-iommu", open_iommu },
	{ "close-iommu", close_iommu },
	{ "ioas-alloc", ioas_alloc },
	{ "ioas-map", ioas_map },
	{ "ioas-copy", ioas_copy },
	{ "ioas-unmap", ioas_unmap },
	{ "hwpt-alloc", hwpt_alloc },
	{ "nested-alloc", nested_alloc },
	{ "nested-invalidate", nested_invalidate },
	{ "fault-queue", fault_queue },
	{ "queue-read", queue_read },
	{ "queue-last", queue_last },
	{ "queue-respond", queue_respond },
	{ "viommu-alloc", viommu_alloc },
	{ "vdevice-alloc", vdevice_alloc },
	{ "destroy", destroy },
	{ NULL, NULL },
};
