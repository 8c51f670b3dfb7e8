/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest requests on SEV: what the guest asks of the TSM through the VMM, its sealed messages to the
 * PSP among it. */
#include <string.h>

#include "hardware/cpu.h"
#include "kernel/tsm/sev_link.h"

struct request {
	const struct pci_dev *pdev;
	const struct sev_link *link;
	const struct sev_tdi_binding *binding;
	struct reader in;		/* behind the operation */
	struct writer out;
	enum sev_status status;
};

static int answer(struct request *request, const void *bytes, size_t len)
{
	put_bytes(&request->out, bytes, len);
	return request->out.bad ? -EMSGSIZE : 0;
}

static int request_report(struct request *request)
{
	return answer(request, request->binding->report, request->binding->report_len);
}

/* What a command leaves in the output buffer. */
static int request_output(struct request *request, enum sev_command_id id)
{
	const struct sev_command args = sev_tdi_args(request->pdev);
	uint8_t blob[SEV_BLOB_MAX];
	ssize_t len;

	request->status = sev_relay_run(request->pdev->tsm, id, &args);
	if (request->status)
		return sev_host_errno(request->status);
	len = sev_output_read(request->link, blob, sizeof(blob));
	return len < 0 ? (int)len : answer(request, blob, (size_t)len);
}

static int request_certificates(struct request *request)
{
	return request_output(request, SEV_CMD_TIO_DEV_CERTIFICATES);
}

static int request_measurements(struct request *request)
{
	return request_output(request, SEV_CMD_TIO_DEV_MEASUREMENTS);
}

static int request_start(struct request *request)
{
	struct sev_command args = sev_tdi_args(request->pdev);

	args.run_flags = SEV_RUN;
	request->status = sev_relay_run(request->pdev->tsm, SEV_CMD_TIO_TDI_BIND, &args);
	return sev_host_errno(request->status);
}

/* STOP while the bind stays on the host's books: the later unbind finds it done. */
static int request_stop(struct request *request)
{
	const struct sev_command args = sev_tdi_args(request->pdev);

	request->status = sev_relay_run(request->pdev->tsm, SEV_CMD_TIO_TDI_UNBIND, &args);
	return sev_host_errno(request->status);
}

/* u32 TDISP state, u32 0, u64 0. */
static int request_state(struct request *request)
{
	struct sev_command args = sev_tdi_args(request->pdev);
	uint8_t page[SEV_TDI_STATUS_SIZE] = { 0 };
	struct reader r = reader_of(page, sizeof(page));

	args.out = sev_host_page();
	request->status = sev_relay_run(request->pdev->tsm, SEV_CMD_TIO_TDI_STATUS, &args);
	if (request->status)
		return sev_host_errno(request->status);
	cpu_host_read(args.out, page, sizeof(page));
	get_le64(&r);
	put_le64(&request->out, get_u8(&r));
	put_le64(&request->out, 0);
	return request->out.bad ? -EMSGSIZE : 0;
}

/* A sealed message and its sealed answer: nobody on the way can read or change them. */
static int request_message(struct request *request)
{
	const uint8_t *page = request->link->message;
	struct sev_command args = sev_tdi_args(request->pdev);
	size_t len = reader_left(&request->in);
	struct reader r;
	uint16_t payload;

	if (!len || len > PHYS_PAGE)
		return -EINVAL;
	memset(image_bulk_write(page, 2 * PHYS_PAGE), 0, 2 * PHYS_PAGE);
	get_copy(&request->in, image_bulk_write(page, len), len);
	args.in = phys_of(page);
	args.out = phys_of(page + PHYS_PAGE);
	request->status = sev_relay_run(request->pdev->tsm, SEV_CMD_TIO_GUEST_REQUEST, &args);
	if (request->status)
		return sev_host_errno(request->status);
	r = reader_of(page + PHYS_PAGE, PHYS_PAGE);
	get_bytes(&r, SEV_MESSAGE_AAD + 6);
	payload = get_le16(&r);
	if (payload > SEV_MESSAGE_MAX)
		return -EPROTO;
	return answer(request, page + PHYS_PAGE, SEV_MESSAGE_HEADER + (size_t)payload);
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
	{ TSM_REQUEST_STOP, TSM_SCOPE_STATE_CHANGE, request_stop },
	{ TSM_REQUEST_MESSAGE, TSM_SCOPE_STATE_CHANGE, request_message },
};

ssize_t sev_guest_req(const struct pci_dev *pdev, enum tsm_scope scope, const uint8_t *in,
		      size_t in_len, uint8_t *out, size_t out_len, uint64_t *tsm_code)
{
	struct request request = { .pdev = pdev,
				   .link = sev_link_of(pdev->tsm),
				   .binding = pci_tsm_of(pdev)->tdi_driver,
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
