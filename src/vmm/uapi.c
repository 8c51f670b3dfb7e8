/* SPDX-License-Identifier: BSD-2-Clause */
/* What was proposed for bind and guest requests, as a VMM speaks it; a row each. */
#include "swtio/uapi/tsm.h"
#include "vmm/internal.h"

static int64_t bind_iommufd(
	const struct vmm_call *call, const struct vmm_device *device, bool bind)
{
	struct iommu_vdevice_tsm_op cmd = {
		.size = sizeof(cmd),
		.type = bind ? IOMMU_VDEVICE_TSM_BIND : IOMMU_VDEVICE_TSM_UNBIND,
		.vdevice_id = device->vdevice,
	};

	return vmm_ioctl(call, call->vmm->iommu, IOMMU_VDEVICE_TSM_OP, &cmd);
}

static int64_t bind_vfio(const struct vmm_call *call, const struct vmm_device *device, bool bind)
{
	struct vfio_device_tsm cmd = { .argsz = sizeof(cmd) };

	return vmm_ioctl(call, device->fd, bind ? VFIO_DEVICE_TSM_BIND : VFIO_DEVICE_TSM_UNBIND,
			 &cmd);
}

static bool changes_state(enum vmm_request op)
{
	return op == VMM_REQUEST_START || op == VMM_REQUEST_MESSAGE || op == VMM_REQUEST_STOP;
}

/* The command carries `in` and is answered in a buffer of len bytes; bytes of the answer. */
static int64_t request_send(const struct vmm_call *call, const struct vmm_ask *ask,
			    uint8_t in[4 + VMM_BODY_MAX], void *cmd, uint32_t len)
{
	long left;

	if (ask->len > VMM_BODY_MAX)
		return -EMSGSIZE;
	vmm_put32(in, ask->op);
	if (ask->len)
		memcpy(in + 4, ask->body, ask->len);
	left = vmm_ioctl(call, call->vmm->iommu, IOMMU_VDEVICE_TSM_REQ, cmd);
	return left < 0 ? left : (int64_t)len - left;
}

static int64_t request_v5(const struct vmm_call *call, const struct vmm_device *device,
			  const struct vmm_ask *ask, uint8_t *out, uint32_t len)
{
	uint8_t in[4 + VMM_BODY_MAX];
	struct iommu_vdevice_tsm_req cmd = {
		.size = sizeof(cmd),
		.vdevice_id = device->vdevice,
		.scope = changes_state(ask->op) ? IOMMU_VDEVICE_TSM_SCOPE_STATE_CHANGE
						: IOMMU_VDEVICE_TSM_SCOPE_INFO,
		.req_len = 4 + ask->len,
		.resp_len = len,
		.req_uptr = (uint64_t)(uintptr_t)in,
		.resp_uptr = (uint64_t)(uintptr_t)out,
	};

	return request_send(call, ask, in, &cmd, len);
}

static uint32_t arch_of(const struct vmm *vmm)
{
	static const struct { uint32_t viommu, arch; } archs[] = {
		{ IOMMU_VIOMMU_TYPE_TDX, IOMMU_VDEVICE_TSM_ARCH_TDX },
		{ IOMMU_VIOMMU_TYPE_SEV, IOMMU_VDEVICE_TSM_ARCH_SEV },
		{ IOMMU_VIOMMU_TYPE_CCA, IOMMU_VDEVICE_TSM_ARCH_CCA },
	};
	const struct vmm_platform *platform = vmm_platform(vmm);

	for (size_t i = 0; platform && i < sizeof(archs) / sizeof(archs[0]); i++)
		if (archs[i].viommu == platform->viommu_type)
			return archs[i].arch;
	return 0;
}

static int64_t request_2026_06(const struct vmm_call *call, const struct vmm_device *device,
			       const struct vmm_ask *ask, uint8_t *out, uint32_t len)
{
	static const uint32_t ops[] = {
		[VMM_REQUEST_REPORT] = IOMMU_VDEVICE_TSM_REQ_READ,
		[VMM_REQUEST_MEASUREMENTS] = IOMMU_VDEVICE_TSM_REQ_READ,
		[VMM_REQUEST_CERTIFICATES] = IOMMU_VDEVICE_TSM_REQ_READ,
		[VMM_REQUEST_START] = IOMMU_VDEVICE_TSM_REQ_SET_STATE,
		[VMM_REQUEST_STATE] = IOMMU_VDEVICE_TSM_REQ_INFO,
		[VMM_REQUEST_MESSAGE] = IOMMU_VDEVICE_TSM_REQ_VALIDATE_MMIO,
		[VMM_REQUEST_STOP] = IOMMU_VDEVICE_TSM_REQ_SET_STATE,
		[VMM_REQUEST_OBJECT] = IOMMU_VDEVICE_TSM_REQ_READ,
	};
	uint8_t in[4 + VMM_BODY_MAX];
	struct iommu_vdevice_tsm_req_2026_06 cmd = {
		.size = sizeof(cmd),
		.vdevice_id = device->vdevice,
		.op = ops[ask->op],
		.tvm_arch = arch_of(call->vmm),
		.req_len = 4 + ask->len,
		.resp_len = len,
		.req_uptr = (uint64_t)(uintptr_t)in,
		.resp_uptr = (uint64_t)(uintptr_t)out,
	};

	return request_send(call, ask, in, &cmd, len);
}

static const struct vmm_uapi uapis[] = {
	{ "v5", bind_iommufd, request_v5 },
	{ "2026-06", bind_iommufd, request_2026_06 },
	{ "vfio", bind_vfio, request_v5 },
};
#define UAPIS (sizeof(uapis) / sizeof(uapis[0]))

int vmm_uapi_find(const char *name)
{
	for (size_t i = 0; i < UAPIS; i++)
		if (!strcmp(uapis[i].name, name))
			return (int)i;
	return -EINVAL;
}

const struct vmm_uapi *vmm_uapi(const struct vmm *vmm)
{
	return &uapis[vmm->uapi < UAPIS ? vmm->uapi : 0];
}
