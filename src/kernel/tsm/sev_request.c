/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest requests on SEV: what the guest asks of the TSM through the VMM, its sealed messages to the
 * PSP among it. */
#include <string.h>

#include "hardware/cpu.h"
#include "kernel/tsm/sev_link.h"

static int request_report(struct tsm_request_call *call)
{
	const struct sev_tdi_binding *binding = pci_tsm_of(call->pdev)->tdi_driver;

	return tsm_answer(call, binding->report, binding->report_len);
}

/* A command that may talk to the device; 0 or -errno. */
static int request_command(struct tsm_request_call *call, enum sev_command_id id,
			   const struct sev_command *args)
{
	enum sev_status status = sev_relay_run(call->pdev->tsm, id, args);

	call->status = status;
	return sev_host_errno(status);
}

/* What a command leaves in the output buffer. */
static int request_output(struct tsm_request_call *call, enum sev_command_id id)
{
	const struct sev_command args = sev_tdi_args(call->pdev);
	uint8_t blob[SEV_BLOB_MAX];
	ssize_t len;
	int rc;

	rc = request_command(call, id, &args);
	if (rc)
		return rc;
	len = sev_output_read(sev_link_of(call->pdev->tsm), blob, sizeof(blob));
	return len < 0 ? (int)len : tsm_answer(call, blob, (size_t)len);
}

static int request_certificates(struct tsm_request_call *call)
{
	return request_output(call, SEV_CMD_TIO_DEV_CERTIFICATES);
}

static int request_measurements(struct tsm_request_call *call)
{
	return request_output(call, SEV_CMD_TIO_DEV_MEASUREMENTS);
}

static int request_start(struct tsm_request_call *call)
{
	struct sev_command args = sev_tdi_args(call->pdev);

	args.run_flags = SEV_RUN;
	return request_command(call, SEV_CMD_TIO_TDI_BIND, &args);
}

/* STOP while the bind stays on the host's books: the later unbind finds it done. */
static int request_stop(struct tsm_request_call *call)
{
	const struct sev_command args = sev_tdi_args(call->pdev);

	return request_command(call, SEV_CMD_TIO_TDI_UNBIND, &args);
}

/* u32 TDISP state, u32 0, u64 0. */
static int request_state(struct tsm_request_call *call)
{
	struct sev_command args = sev_tdi_args(call->pdev);
	uint8_t page[SEV_TDI_STATUS_SIZE] = { 0 };
	struct reader r = reader_of(page, sizeof(page));
	int rc;

	args.out = sev_host_page();
	rc = request_command(call, SEV_CMD_TIO_TDI_STATUS, &args);
	if (rc)
		return rc;
	cpu_host_read(args.out, page, sizeof(page));
	get_le64(&r);
	return tsm_answer_state(call, get_u8(&r), 0);
}

/* A sealed message and its sealed answer: nobody on the way can read or change them. */
static int request_message(struct tsm_request_call *call)
{
	const uint8_t *page = sev_link_of(call->pdev->tsm)->message;
	struct sev_command args = sev_tdi_args(call->pdev);
	size_t len = reader_left(&call->in);
	struct reader r;
	uint16_t payload;
	int rc;

	if (!len || len > PHYS_PAGE)
		return -EINVAL;
	memset(image_bulk_write(page, 2 * PHYS_PAGE), 0, 2 * PHYS_PAGE);
	get_copy(&call->in, image_bulk_write(page, len), len);
	args.in = phys_of(page);
	args.out = phys_of(page + PHYS_PAGE);
	rc = request_command(call, SEV_CMD_TIO_GUEST_REQUEST, &args);
	if (rc)
		return rc;
	r = reader_of(page + PHYS_PAGE, PHYS_PAGE);
	get_bytes(&r, SEV_MESSAGE_AAD + 6);
	payload = get_le16(&r);
	if (payload > SEV_MESSAGE_MAX)
		return -EPROTO;
	return tsm_answer(call, page + PHYS_PAGE, SEV_MESSAGE_HEADER + (size_t)payload);
}

static const struct tsm_request_row requests[] = {
	{ TSM_REQUEST_REPORT, TSM_SCOPE_INFO, request_report },
	{ TSM_REQUEST_MEASUREMENTS, TSM_SCOPE_INFO, request_measurements },
	{ TSM_REQUEST_CERTIFICATES, TSM_SCOPE_INFO, request_certificates },
	{ TSM_REQUEST_START, TSM_SCOPE_STATE_CHANGE, request_start },
	{ TSM_REQUEST_STATE, TSM_SCOPE_INFO, request_state },
	{ TSM_REQUEST_STOP, TSM_SCOPE_STATE_CHANGE, request_stop },
	{ TSM_REQUEST_MESSAGE, TSM_SCOPE_STATE_CHANGE, request_message },
};
const struct tsm_requests sev_requests = TSM_REQUESTS(requests);
