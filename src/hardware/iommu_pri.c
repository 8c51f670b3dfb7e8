/* SPDX-License-Identifier: BSD-2-Clause */
/* Page requests: from a device up, and responses down. What waits for an answer is the device's to
 * know; the IOMMU keeps nothing of it. */
#include "hardware/iommu_state.h"
#include "trace/trace.h"

#include <errno.h>

int iommu_page_requests_enable(uint16_t rid, bool on)
{
	const struct iommu_requester *r =
		on ? iommu_requester_get(rid) : iommu_requester_find(rid);

	if (!r)
		return on ? -ENOMEM : 0;
	hw_set(&r->page_requests, on);
	return 0;
}

void iommu_page_request(const struct iommu_page_request *request)
{
	const struct iommu_requester *r = iommu_requester_find(request->rid);

	TRACE_EVENT(LANE_DEVICE, LANE_HARDWARE, "page request", A("rid", request->rid),
		    A("pasid", request->pasid), A("address", request->address),
		    A("group", request->group), A("prot", request->prot), A("last", request->last));
	if (r && r->page_requests)
		kernel_page_request(request);
	else if (request->last)
		iommu_page_response(request->rid, request->pasid, request->group,
				    IOMMU_PAGE_INVALID);
}

int iommu_page_response(uint16_t rid, uint32_t pasid, uint16_t group, enum iommu_response code)
{
	const struct function *fn = function_find(rid);
	const struct function_ops *ops = fn ? function_model_ops(fn->model) : NULL;

	TRACE_EVENT(LANE_HARDWARE, LANE_DEVICE, "page response", A("rid", rid), A("pasid", pasid),
		    A("group", group), A("code", code));
	if (!ops || !ops->page_response)
		return -ENODEV;
	ops->page_response(fn, pasid, group, code);
	return 0;
}
