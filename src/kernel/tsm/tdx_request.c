/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest requests on TDX: what the guest asks of the TSM through the VMM. */
#include <string.h>

#include "kernel/tsm/tdx_link.h"

static int request_report(struct tsm_request_call *call)
{
	const struct tdx_tdi *tdi = pci_tsm_of(call->pdev)->tdi_driver;

	return tsm_answer(call, tdi->report, tdi->report_len);
}

/* Device information is the certificate chain, then the measurement record, each after its
 * length. */
static int device_info(struct tsm_request_call *call, unsigned int which)
{
	const struct tdx_link *link = tdx_link_of(call->pdev->tsm);
	struct reader info = reader_of(link->device_info, link->device_info_len);
	const uint8_t *bytes = NULL;
	uint32_t len = 0;

	for (unsigned int i = 0; i <= which; i++) {
		len = get_le32(&info);
		bytes = get_bytes(&info, len);
	}
	return info.bad ? -EIO : tsm_answer(call, bytes, len);
}

static int request_certificates(struct tsm_request_call *call)
{
	return device_info(call, 0);
}

static int request_measurements(struct tsm_request_call *call)
{
	return device_info(call, 1);
}

static int request_start(struct tsm_request_call *call)
{
	struct tdx_args args = { .rcx = tdx_func_id(call->pdev) };

	call->status = tdx_relay_run(call->pdev->tsm, TDX_TDI_START, &args);
	return tdx_host_errno(call->status);
}

/* u32 TDISP state, u32 0, u64 bind session. */
static int request_state(struct tsm_request_call *call)
{
	struct tdx_args args = { .rcx = tdx_func_id(call->pdev) };

	call->status = tdx_relay_run(call->pdev->tsm, TDX_TDI_STATE, &args);
	if (call->status)
		return tdx_host_errno(call->status);
	return tsm_answer_state(call, args.rcx, args.rdx);
}

static const struct tsm_request_row requests[] = {
	{ TSM_REQUEST_REPORT, TSM_SCOPE_INFO, request_report },
	{ TSM_REQUEST_MEASUREMENTS, TSM_SCOPE_INFO, request_measurements },
	{ TSM_REQUEST_CERTIFICATES, TSM_SCOPE_INFO, request_certificates },
	{ TSM_REQUEST_START, TSM_SCOPE_STATE_CHANGE, request_start },
	{ TSM_REQUEST_STATE, TSM_SCOPE_INFO, request_state },
};
const struct tsm_requests tdx_requests = TSM_REQUESTS(requests);
