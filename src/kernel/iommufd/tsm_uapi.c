/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The facades: what was proposed for the calls that bind a TDI and carry a guest's request, one row
 * each, over the same objects. A new proposal is a row here, its structures in uapi/tsm.h, and a
 * row of the VMM's (vmm/uapi.c).
 */
#include <string.h>

#include "hardware/platform.h"
#include "kernel/iommufd/table.h"
#include "kernel/tsm/tsm.h"

/* The operations of the newer layout, by what they may change. */
static const uint8_t op_scope[] = {
	[IOMMU_VDEVICE_TSM_REQ_READ] = TSM_SCOPE_INFO,
	[IOMMU_VDEVICE_TSM_REQ_REGEN] = TSM_SCOPE_INFO,
	[IOMMU_VDEVICE_TSM_REQ_INFO] = TSM_SCOPE_INFO,
	[IOMMU_VDEVICE_TSM_REQ_VALIDATE_MMIO] = TSM_SCOPE_STATE_CHANGE,
	[IOMMU_VDEVICE_TSM_REQ_SET_STATE] = TSM_SCOPE_STATE_CHANGE,
	[IOMMU_VDEVICE_TSM_REQ_SEV_ENABLE_DMA] = TSM_SCOPE_STATE_CHANGE,
	[IOMMU_VDEVICE_TSM_REQ_SEV_DISABLE_DMA] = TSM_SCOPE_STATE_CHANGE,
};

static const uint32_t request_archs[PLATFORMS] = {
	[PLATFORM_TDX] = IOMMU_VDEVICE_TSM_ARCH_TDX,
	[PLATFORM_SEV] = IOMMU_VDEVICE_TSM_ARCH_SEV,
	[PLATFORM_CCA] = IOMMU_VDEVICE_TSM_ARCH_CCA,
};

static int decode_v5(const void *from, struct guest_request *request)
{
	const struct iommu_vdevice_tsm_req *args = from;

	if (args->__reserved)
		return -EOPNOTSUPP;
	*request = (struct guest_request){ .vdevice_id = args->vdevice_id, .scope = args->scope,
					 .req_len = args->req_len, .resp_len = args->resp_len,
					 .req = args->req_uptr, .resp = args->resp_uptr };
	return 0;
}

static int decode_2026_06(const void *from, struct guest_request *request)
{
	const struct iommu_vdevice_tsm_req_2026_06 *args = from;

	if (!args->op || args->op >= sizeof(op_scope))
		return -EOPNOTSUPP;
	if (args->op >= IOMMU_VDEVICE_TSM_REQ_SEV_ENABLE_DMA && machine_platform() != PLATFORM_SEV)
		return -EOPNOTSUPP;
	if (args->tvm_arch != request_archs[machine_platform()])
		return -EINVAL;
	*request = (struct guest_request){ .vdevice_id = args->vdevice_id,
					 .scope = op_scope[args->op],
					 .req_len = args->req_len, .resp_len = args->resp_len,
					 .req = args->req_uptr, .resp = args->resp_uptr };
	return 0;
}

static void tell_2026_06(void *to, const struct guest_request *request)
{
	struct iommu_vdevice_tsm_req_2026_06 *args = to;

	args->tsm_code = request->tsm_code;
}

static const struct row op_in_iommufd =
	COMMAND(IOMMU_VDEVICE_TSM_OP, "VDEVICE_TSM_OP", iommu_vdevice_tsm_op, vdevice_id,
		iommufd_ioctl_tsm_op, NEED_EXTENSIONS,
		T(iommu_vdevice_tsm_op, vdevice_id, "vdevice"),
		T(iommu_vdevice_tsm_op, type, "type"));
static const struct row req_v5 =
	COMMAND(IOMMU_VDEVICE_TSM_REQ, "VDEVICE_TSM_REQ", iommu_vdevice_tsm_req, resp_uptr,
		iommufd_ioctl_tsm_req, NEED_EXTENSIONS,
		T(iommu_vdevice_tsm_req, vdevice_id, "vdevice"),
		T(iommu_vdevice_tsm_req, scope, "scope"));
static const struct row req_2026_06 =
	COMMAND(IOMMU_VDEVICE_TSM_REQ, "VDEVICE_TSM_REQ", iommu_vdevice_tsm_req_2026_06, tsm_code,
		iommufd_ioctl_tsm_req, NEED_EXTENSIONS,
		T(iommu_vdevice_tsm_req_2026_06, vdevice_id, "vdevice"),
		T(iommu_vdevice_tsm_req_2026_06, op, "op"),
		T(iommu_vdevice_tsm_req_2026_06, tvm_arch, "arch"));
static const struct row nothing;

static const struct facade {
	const char *name;
	const struct row *op, *request;
	int (*decode)(const void *args, struct guest_request *request);
	void (*tell)(void *args, const struct guest_request *request);
	bool bind_in_vfio;
} facades[TSM_UAPIS] = {
	[TSM_UAPI_V5] = { "v5", &op_in_iommufd, &req_v5, decode_v5, NULL, false },
	[TSM_UAPI_2026_06] = { "2026-06", &op_in_iommufd, &req_2026_06, decode_2026_06,
			       tell_2026_06, false },
	/* bind is VFIO's, as the other school has it; requests as in v5 */
	[TSM_UAPI_VFIO] = { "vfio", &nothing, &req_v5, decode_v5, NULL, true },
};

static const struct facade *chosen(void)
{
	return &facades[kernel_options()->tsm_uapi];
}

const char *tsm_uapi_name(unsigned int uapi)
{
	return uapi < TSM_UAPIS ? facades[uapi].name : NULL;
}

int tsm_uapi_find(const char *name)
{
	for (unsigned int i = 0; i < TSM_UAPIS; i++)
		if (!strcmp(facades[i].name, name))
			return (int)i;
	return -EINVAL;
}

bool tsm_uapi_bind_in_vfio(void)
{
	return chosen()->bind_in_vfio;
}

const struct row *iommufd_tsm_row(unsigned int nr)
{
	return nr == IOMMUFD_CMD_VDEVICE_TSM_OP ? chosen()->op : chosen()->request;
}

int iommufd_tsm_request_decode(const void *args, struct guest_request *request)
{
	return chosen()->decode(args, request);
}

bool iommufd_tsm_request_tell(void *args, const struct guest_request *request)
{
	if (!chosen()->tell)
		return false;
	chosen()->tell(args, request);
	return true;
}
