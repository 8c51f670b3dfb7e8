/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest requests on CCA: what a Realm asks of the TSM through RHI and the VMM. Measurements and report
 * are fetched anew, under a new nonce; what is cached is handed out as it is. */
#include <string.h>

#include "kernel/tsm/cca_link.h"

struct request {
	const struct pci_dev *pdev;
	const struct cca_link *link;
	const struct cca_tdi *tdi;
	struct reader in;
	struct writer out;
	uint64_t status;
};

static int answer(struct request *request, const struct cca_object *object)
{
	put_bytes(&request->out, object->bytes, object->len);
	return request->out.bad ? -EMSGSIZE : 0;
}

/* The bug of keeping another report than the RMM hashed. */
static void report_spoiled(const struct cca_object *report)
{
	if (mutant(MUTANT_DIGEST_OF_CACHE) && report->len)
		*(uint8_t *)image_bulk_write(report->bytes + report->len - 1, 1) ^= 1;
}

static int request_report(struct request *request)
{
	int rc = cca_tdi_op(request->pdev, RMI_VDEV_GET_INTERFACE_REPORT, &request->status);

	report_spoiled(&request->tdi->object[OBJECT_REPORT]);
	return rc ? rc : answer(request, &request->tdi->object[OBJECT_REPORT]);
}

static int request_measurements(struct request *request)
{
	int rc = cca_tdi_op(request->pdev, RMI_VDEV_GET_MEASUREMENTS, &request->status);

	return rc ? rc : answer(request, &request->tdi->object[OBJECT_MEASUREMENTS]);
}

static int request_certificates(struct request *request)
{
	return answer(request, &request->link->object[OBJECT_CERTIFICATE]);
}

/* u32 object: what the host keeps of it, as it is. */
static int request_object(struct request *request)
{
	uint32_t number = get_le32(&request->in);

	if (request->in.bad || !number || number >= OBJECTS)
		return -EINVAL;
	if (number == OBJECT_CERTIFICATE || number == OBJECT_VCA)
		return answer(request, &request->link->object[number]);
	return answer(request, &request->tdi->object[number]);
}

static int request_start(struct request *request)
{
	return cca_tdi_op(request->pdev, RMI_VDEV_START, &request->status);
}

/* u32 TDISP state as the RMM knows it, u32 enum vdev_state, u64 lock nonce: none of it is the host's. */
static int request_state(struct request *request)
{
	struct smc_args args = { .x = { 0, request->tdi->rd, request->link->pdev[CCA_EP],
					request->tdi->vdev } };
	static const uint8_t tdisp[] = {
		[VDEV_NEW] = TDISP_UNLOCKED, [VDEV_UNLOCKED] = TDISP_UNLOCKED,
		[VDEV_LOCKED] = TDISP_LOCKED, [VDEV_STARTED] = TDISP_RUN,
		[VDEV_ERROR] = TDISP_ERROR_STATE, [VDEV_KEY_REFRESH] = TDISP_UNLOCKED,
		[VDEV_KEY_PURGE] = TDISP_UNLOCKED,
	};

	request->status = cca_host_call(LANE_TSM, RMI_VDEV_GET_STATE, &args);
	if (request->status)
		return cca_host_errno(request->status);
	put_le64(&request->out, args.x[1] < sizeof(tdisp) ? tdisp[args.x[1]] : TDISP_ERROR_STATE);
	put_le64(&request->out, args.x[1]);
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
	{ TSM_REQUEST_OBJECT, TSM_SCOPE_INFO, request_object },
	{ TSM_REQUEST_START, TSM_SCOPE_STATE_CHANGE, request_start },
	{ TSM_REQUEST_STATE, TSM_SCOPE_INFO, request_state },
};

ssize_t cca_guest_req(const struct pci_dev *pdev, enum tsm_scope scope, const uint8_t *in,
		      size_t in_len, uint8_t *out, size_t out_len, uint64_t *tsm_code)
{
	struct request request = { .pdev = pdev,
				   .link = cca_link_of(pdev->tsm),
				   .tdi = pci_tsm_of(pdev)->tdi_driver,
				   .in = reader_of(in, in_len),
				   .out = writer_of(out, out_len) };
	uint32_t operation = get_le32(&request.in);
	int rc = -EINVAL;

	for (size_t i = 0; !request.in.bad && i < sizeof(requests) / sizeof(requests[0]); i++) {
		if (requests[i].operation != operation)
			continue;
		rc = scope < requests[i].scope ? -EPERM : requests[i].handle(&request);
	}
	*tsm_code = request.status;
	if (rc)
		return rc;
	return out_len ? (ssize_t)(out_len - request.out.at) : (ssize_t)reader_left(&request.in);
}
