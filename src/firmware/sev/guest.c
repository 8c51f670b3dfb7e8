/* SPDX-License-Identifier: BSD-2-Clause */
/* GUEST_REQUEST: one message of a guest, sealed with a key that no host has, and its answer. And the
 * fences of a guest, which the host may look at and take away. */
#include "firmware/sev/internal.h"

/* The answer to one message; bytes, or 0. */
static size_t message_answer(const struct sev_tdi *tdi, const struct sev_guest *guest, uint8_t type,
			     const uint8_t *payload, size_t len, uint8_t out[SEV_MESSAGE_MAX])
{
	struct message message = { .guest = guest, .in = reader_of(payload, len),
				   .out = writer_of(out, SEV_MESSAGE_MAX) };
	uint16_t guest_rid = get_le16(&message.in);
	struct writer head = writer_of(out, 16);

	get_bytes(&message.in, 6);
	put_space(&message.out, 16);
	if (tdi->guest == guest && tdi->guest_rid == guest_rid)
		message.tdi = tdi;
	for (const struct message_row *row = sev_messages; row->handle; row++) {
		if (row->type != type || message.in.bad)
			continue;
		row->handle(&message);
		put_le16(&head, guest_rid);
		put_space(&head, 6);
		put_le16(&head, message.status);
		return message.in.bad || message.out.bad ? 0 : message.out.at;
	}
	return 0;
}

static enum sev_status guest_request(const struct call *call)
{
	const struct sev_tdi *tdi = sev_tdi_of(call->args.tdi_ctx);
	const struct sev_guest *guest = sev_guest_of(call->args.gctx);
	uint8_t page[PHYS_PAGE], payload[SEV_MESSAGE_MAX], answer[SEV_MESSAGE_MAX];
	uint8_t type = 0;
	size_t answered;
	int len;

	if (!tdi || !guest || guest->state != GUEST_RUNNING)
		return SEV_INVALID_GUEST_STATE;
	if (call->args.in % PHYS_PAGE || call->args.out % PHYS_PAGE ||
	    phys_read(call->args.in, page, sizeof(page), 0) || phys_owner(call->args.out))
		return SEV_INVALID_ADDRESS;
	len = sev_message_open(guest->vmpck, guest->sequence + 1, page, sizeof(page), &type, payload,
			       sizeof(payload));
	if (len < 0)
		return len == -EACCES ? SEV_BAD_MEASUREMENT : SEV_INVALID_PARAM;
	answered = message_answer(tdi, guest, type, payload, (size_t)len, answer);
	if (!answered)
		return SEV_INVALID_PARAM;
	len = sev_message_seal(guest->vmpck, guest->sequence + 2, (uint8_t)(type + 1), answer,
			       answered, page, sizeof(page));
	if (len < 0)
		return SEV_NO_MEMORY;
	sev_guest_write(guest)->sequence += 2;
	return phys_write(call->args.out, page, (uint64_t)len, 0) ? SEV_INVALID_ADDRESS :
								    SEV_SUCCESS;
}

/* -- fences ---------------------------------------------------------------------------------- */

static enum sev_status fence_status(const struct call *call)
{
	const struct rmp_fence *fence = rmp_fence((uint16_t)call->args.asid);
	uint8_t page[SEV_FENCE_STATUS_SIZE];
	struct writer w = writer_of(page, sizeof(page));

	if (!call->args.asid || call->args.asid > RMP_ASID_MAX)
		return SEV_INVALID_ASID;
	put_le32(&w, SEV_FENCE_STATUS_SIZE);
	put_le32(&w, fence->dma | (uint32_t)fence->mmio << 2);
	return phys_write(call->args.out, page, sizeof(page), 0) ? SEV_INVALID_ADDRESS :
								   SEV_SUCCESS;
}

/* Not while the TDI that violated is bound: it would do so again (?). */
static enum sev_status fence_clear(const struct call *call)
{
	const struct sev_guest *guest = sev_guest_of(call->args.gctx);
	const struct sev_tdi *tdi;

	if (!guest || !guest->asid || guest->asid != call->args.asid)
		return SEV_INVALID_ASID;
	tdi = sev_tdi_of_rid(rmp_fence(guest->asid)->rid);
	if (tdi && tdi->guest == guest)
		return SEV_TDI_BOUND;
	rmp_fence_clear(guest->asid);
	return SEV_SUCCESS;
}

const struct command_row sev_guest_commands[] = {
	{ SEV_CMD_TIO_GUEST_REQUEST, guest_request },
	{ SEV_CMD_TIO_ASID_FENCE_STATUS, fence_status },
	{ SEV_CMD_TIO_ASID_FENCE_CLEAR, fence_clear },
	{ 0, NULL },
};
