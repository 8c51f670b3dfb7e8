/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest requests: what the guest asks of the TSM through the VMM. A driver's table says what it
 * knows. */
#include "kernel/tsm/internal.h"

int tsm_answer(struct tsm_request_call *call, const void *bytes, size_t len)
{
	put_bytes(&call->out, bytes, len);
	return call->out.bad ? -EMSGSIZE : 0;
}

int tsm_answer_state(struct tsm_request_call *call, uint64_t tdisp, uint64_t more)
{
	put_le64(&call->out, tdisp);
	put_le64(&call->out, more);
	return call->out.bad ? -EMSGSIZE : 0;
}

ssize_t tsm_request(const struct pci_dev *pdev, enum tsm_scope scope, const uint8_t *in,
		    size_t in_len, uint8_t *out, size_t out_len, uint64_t *tsm_code)
{
	const struct tsm_requests *requests = tsm_ops()->requests;
	struct tsm_request_call call = { .pdev = pdev,
					 .in = reader_of(in, in_len),
					 .out = writer_of(out, out_len) };
	uint32_t operation = get_le32(&call.in);
	int rc = -EINVAL;

	for (unsigned int i = 0; !call.in.bad && i < requests->count; i++) {
		const struct tsm_request_row *row = &requests->row[i];

		if (row->operation != operation)
			continue;
		rc = scope < row->scope ? -EPERM : row->handle(&call);
		break;
	}
	*tsm_code = call.status;
	if (rc)
		return rc;
	return out_len ? (ssize_t)(out_len - call.out.at) : (ssize_t)reader_left(&call.in);
}
