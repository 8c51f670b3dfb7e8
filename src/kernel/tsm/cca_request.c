/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest requests on CCA: what a Realm asks of the TSM through RHI and the VMM. Measurements and report
 * are fetched anew, under a new nonce; what is cached is handed out as it is. */
#include <string.h>

#include "kernel/tsm/cca_link.h"

static int object_answer(struct tsm_request_call *call, const struct cca_object *object)
{
	return tsm_answer(call, object->bytes, object->len);
}

/* The bug of keeping another report than the RMM hashed. */
static void report_spoiled(const struct cca_object *report)
{
	if (mutant(MUTANT_DIGEST_OF_CACHE) && report->len)
		*(uint8_t *)image_bulk_write(report->bytes + report->len - 1, 1) ^= 1;
}

static int request_report(struct tsm_request_call *call)
{
	int rc = cca_tdi_op(call->pdev, RMI_VDEV_GET_INTERFACE_REPORT, &call->status);

	report_spoiled(&cca_tdi_of(call->pdev)->object[OBJECT_REPORT]);
	return rc ? rc : object_answer(call, &cca_tdi_of(call->pdev)->object[OBJECT_REPORT]);
}

static int request_measurements(struct tsm_request_call *call)
{
	int rc = cca_tdi_op(call->pdev, RMI_VDEV_GET_MEASUREMENTS, &call->status);

	return rc ? rc : object_answer(call, &cca_tdi_of(call->pdev)->object[OBJECT_MEASUREMENTS]);
}

static int request_certificates(struct tsm_request_call *call)
{
	return object_answer(call, &cca_link_of(call->pdev->tsm)->object[OBJECT_CERTIFICATE]);
}

/* u32 object: what the host keeps of it, as it is. */
static int request_object(struct tsm_request_call *call)
{
	uint32_t number = get_le32(&call->in);

	if (call->in.bad || !number || number >= OBJECTS)
		return -EINVAL;
	if (number == OBJECT_CERTIFICATE || number == OBJECT_VCA)
		return object_answer(call, &cca_link_of(call->pdev->tsm)->object[number]);
	return object_answer(call, &cca_tdi_of(call->pdev)->object[number]);
}

static int request_start(struct tsm_request_call *call)
{
	return cca_tdi_op(call->pdev, RMI_VDEV_START, &call->status);
}

/* u32 TDISP state as the RMM knows it, u32 enum vdev_state, u64 lock nonce: none of it is the host's. */
static int request_state(struct tsm_request_call *call)
{
	struct smc_args args = { .x = { 0, cca_tdi_of(call->pdev)->rd, cca_link_of(call->pdev->tsm)->pdev[CCA_EP],
					cca_tdi_of(call->pdev)->vdev } };
	static const uint8_t tdisp[] = {
		[VDEV_NEW] = TDISP_UNLOCKED, [VDEV_UNLOCKED] = TDISP_UNLOCKED,
		[VDEV_LOCKED] = TDISP_LOCKED, [VDEV_STARTED] = TDISP_RUN,
		[VDEV_ERROR] = TDISP_ERROR_STATE, [VDEV_KEY_REFRESH] = TDISP_UNLOCKED,
		[VDEV_KEY_PURGE] = TDISP_UNLOCKED,
	};

	call->status = cca_host_call(LANE_TSM, RMI_VDEV_GET_STATE, &args);
	if (call->status)
		return cca_host_errno(call->status);
	return tsm_answer_state(call, args.x[1] < sizeof(tdisp) ? tdisp[args.x[1]] : TDISP_ERROR_STATE,
				args.x[1]);
}

static const struct tsm_request_row requests[] = {
	{ TSM_REQUEST_REPORT, TSM_SCOPE_INFO, request_report },
	{ TSM_REQUEST_MEASUREMENTS, TSM_SCOPE_INFO, request_measurements },
	{ TSM_REQUEST_CERTIFICATES, TSM_SCOPE_INFO, request_certificates },
	{ TSM_REQUEST_OBJECT, TSM_SCOPE_INFO, request_object },
	{ TSM_REQUEST_START, TSM_SCOPE_STATE_CHANGE, request_start },
	{ TSM_REQUEST_STATE, TSM_SCOPE_INFO, request_state },
};
const struct tsm_requests cca_requests = TSM_REQUESTS(requests);
