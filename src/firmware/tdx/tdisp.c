/* SPDX-License-Identifier: BSD-2-Clause */
/* The requester's end of TDISP, PCIe 6.x 11.3. */
#include "firmware/tdx/internal.h"

#define TDISP_BODY_MAX 256u

/* FUNCTION_ID and the rest of the INTERFACE_ID, which is reserved. */
static void header_put(struct writer *w, uint8_t code, uint32_t func_id)
{
	put_u8(w, TDISP_VERSION_10);
	put_u8(w, code);
	put_le16(w, 0);
	put_le32(w, func_id);
	put_le64(w, 0);
}

uint64_t tdisp_send(struct dialog *dialog, unsigned int next, uint8_t code, uint32_t func_id,
		    const void *payload, size_t len)
{
	uint8_t body[TDISP_BODY_MAX];
	struct writer w = writer_of(body, sizeof(body));

	header_put(&w, code, func_id);
	put_bytes(&w, payload, len);
	return dialog_vendor(dialog, next, PCISIG_TDISP, body, w.at);
}

static uint64_t error_status(struct dialog *dialog, struct reader *r)
{
	uint32_t error = get_le32(r);

	if (r->bad)
		return TDX_SPDM_PROTOCOL_ERROR;
	if (error == TDISP_BUSY)
		return TDX_OPERAND_BUSY;
	dialog->args->rcx = error;
	return error == TDISP_INVALID_INTERFACE_STATE ? TDX_TDI_TDISP_INVALID_STATE
						      : TDX_SPDM_PROTOCOL_ERROR;
}

const uint8_t *tdisp_reply(struct dialog *dialog, uint8_t code, uint32_t func_id, size_t min,
			   size_t *len, uint64_t *status)
{
	struct reader r = reader_of(dialog->reply, dialog->reply_len);
	uint8_t version = get_u8(&r), type = get_u8(&r);

	*status = TDX_SPDM_PROTOCOL_ERROR;
	get_le16(&r);
	if (version != TDISP_VERSION_10 || get_le32(&r) != func_id)
		return NULL;
	get_le64(&r);
	if (r.bad)
		return NULL;
	if (type == TDISP_ERROR) {
		*status = error_status(dialog, &r);
		return NULL;
	}
	*len = reader_left(&r);
	if (type != code - 0x80 || *len < min)
		return NULL;
	*status = TDX_SUCCESS;
	return dialog->reply + TDISP_HEADER;
}
