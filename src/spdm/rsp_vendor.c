/* SPDX-License-Identifier: BSD-2-Clause */
/* VENDOR_DEFINED_RESPONSE: hands PCI-SIG protocols to the context's owner. */
#include "spdm/responder.h"

#include <errno.h>

static int owner_ask(struct rsp_call *call, uint8_t protocol, const uint8_t *body, size_t len)
{
	uint8_t reply[SPDM_MAX_MESSAGE];
	size_t cap = rsp_most(call->ctx) - SPDM_VENDOR_HEADER - 1;
	int n = -EOPNOTSUPP;

	if (call->ops && call->ops->vendor)
		n = call->ops->vendor(
			call->owner, call->ctx->session.id, protocol, body, len, reply, cap);
	if (n == -EOPNOTSUPP)
		return SPDM_ERROR_UNSUPPORTED_REQUEST;
	if (n == -ENOMSG)
		return -ENOMSG;
	if (n < 0 || (size_t)n > cap)
		return SPDM_ERROR_UNSPECIFIED;
	rsp_header(call, SPDM_VENDOR_DEFINED_RESPONSE, 0, 0);
	put_le16(&call->w, SPDM_STANDARD_PCISIG);
	put_u8(&call->w, 2); /* bytes of the vendor id */
	put_le16(&call->w, SPDM_VENDOR_PCISIG);
	put_le16(&call->w, (uint16_t)(1 + n));
	put_u8(&call->w, protocol);
	put_bytes(&call->w, reply, (size_t)n);
	return 0;
}

int rsp_vendor(struct rsp_call *call)
{
	uint16_t standard = get_le16(&call->r), vendor, payload;
	uint8_t vendor_len = get_u8(&call->r), protocol;
	const uint8_t *body;

	if (!call->r.bad && (standard != SPDM_STANDARD_PCISIG || vendor_len != 2))
		return SPDM_ERROR_UNSUPPORTED_REQUEST;
	vendor = get_le16(&call->r);
	if (!call->r.bad && vendor != SPDM_VENDOR_PCISIG)
		return SPDM_ERROR_UNSUPPORTED_REQUEST;
	payload = get_le16(&call->r);
	protocol = get_u8(&call->r);
	body = get_bytes(&call->r, payload ? payload - 1u : 0);
	if (!rsp_call_end(call) || !payload)
		return SPDM_ERROR_INVALID_REQUEST;
	return owner_ask(call, protocol, body, payload - 1u);
}
