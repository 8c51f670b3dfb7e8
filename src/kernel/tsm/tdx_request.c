/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest requests on TDX: what the guest asks of the TSM through the VMM. */
#include <string.h>

#include "kernel/tsm/tdx_link.h"

struct request {
	const struct pci_dev *pdev;
	const struct tdx_link *link;
	const struct tdx_tdi *tdi;
	struct writer out;
	uint64_t status;
};

static int answer(struct request *request, const void *bytes, size_t len)
{
	put_bytes(&request->out, bytes, len);
	return request->out.bad ? -EMSGSIZE : 0;
}

static int request_report(struct request *request)
{
	return answer(request, request->tdi->report, request->tdi->report_len);
}

/* Device information is the certificate chain, then the measurement record, each after its
 * length. */
static int device_info(struct request *request, unsigned int which)
{
	struct reader info = reader_of(request->link->device_info, request->link->device_info_len);
	const uint8_t *bytes = NULL;
	uint32_t len = 0;

	for (unsigned int i = 0; i <= which; i++) {
		len = get_le32(&info);
		bytes = get_bytes(&info, len);
	}
	return info.bad ? -EIO : answer(request, bytes, len);
}

static int request_certificates(struct request *request)
{
	return device_info(request, 0);
}

static int request_measurements(struct request *request)
{
	return device_info(request, 1);
}

static int request_start(struct request *request)
{
	struct tdx_args args = { .rcx = tdx_func_id(request->pdev) };

	request->status = tdx_relay_run(request->pdev->tsm, TDX_TDI_START, &args);
	return tdx_host_errno(request->status);
}

/* u32 TDISP state, u32 0, u64 bind session. */
static int request_state(struct request *request)
{
	struct tdx_args args = { .rcx = tdx_func_id(request->pdev) };

	request->status = tdx_relay_run(request->pdev->tsm, TDX_TDI_STATE, &args);
	if (request->status)
		return tdx_host_errno(request->status);
	put_le64(&request->out, args.rcx);
	put_le64(&request->out, args.rdx);
	return request->out.bad ? -EMSGSIZE : 0;
}

static const struct {
	uint32_t operation;
	enum tsm_scope scope;
	int (*handle)(struct request *request);
} requests[] = {
	{ TSM_REQUEST_REPORT, TSM_SCOPE_INFO, request_report },
	{ TSM_REQUEST_MEASUREMENTS, TSM_SCOPE_INFO, request_measurements },
	{ TSM_REQUEST_CERTIFICATES, TSM_SCOPE_INFO, request_certificates },
	{ TSM_REQUEST_START, TSM_SCOPE_STATE_CHANGE, request_start },
	{ TSM_REQUEST_STATE, TSM_SCOPE_INFO, request_state },
};

ssize_t tdx_guest_req(const struct pci_dev *pdev, enum tsm_scope scope, const uint8_t *in,
		      size_t in_len, uint8_t *out, size_t out_len, uint64_t *tsm_code)
{
	struct request request = { .pdev = pdev,
				   .link = tdx_link_of(pdev->tsm),
				   .tdi = pci_tsm_of(pdev)->tdi_driver,
				   .out = writer_of(out, out_len) };
	struct reader reader = reader_of(in, in_len);
	uint32_t operation = get_le32(&reader);
	int rc = -EINVAL;

	for (size_t i = 0; !reader.bad && i < sizeof(requests) / sizeof(requests[0]); i++) {
		if (requests[i].operation != operation)
			continue;
		rc = scope < requests[i].scope ? -EPERM : requests[i].handle(&request);
	}
	*tsm_code = request.status;
	if (rc)
		return rc;
	return out_len ? (ssize_t)(out_len - request.out.at) : (ssize_t)reader_left(&reader);
}
