/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Dialogues with a device: the PSP answers SPDM_REQUEST, the host carries the message and gives the
 * very same command again, with the answer in the response buffer. What a dialogue has learnt is
 * kept as it goes: a device's answer cannot be refused afterwards.
 */
#include "firmware/sev/internal.h"
#include "hardware/doe.h"

static struct sev_operation *op_write(const struct sev_device *dev)
{
	return image_write(&dev->op);
}

struct spdm_requester *sev_requester_write(const struct sev_device *dev)
{
	return image_log(dev->requester, spdm_requester_size());
}

bool sev_dialog_begins(const struct sev_device *dev, const struct call *call)
{
	return dev->op.command != call->id || dev->op.tdi_ctx != call->args.tdi_ctx;
}

static enum sev_status op_end(const struct sev_device *dev, enum sev_status status)
{
	*op_write(dev) = (struct sev_operation){ 0 };
	return status;
}

static enum sev_status session_end(const struct sev_device *dev)
{
	spdm_requester_init(sev_requester_write(dev), NULL, 0);
	sev_session_lost(dev);
	return op_end(dev, SEV_SPDM_ERROR);
}

void sev_dialog_drop(const struct sev_device *dev)
{
	if (dev->op.command && dev->op.awaiting)
		session_end(dev);
	else if (dev->op.command)
		op_end(dev, SEV_SUCCESS);
}

static enum sev_status request_give(const struct sev_device *dev, const struct call *call)
{
	enum sev_status status = sev_object_put(call->args.spdm.request, SEV_OBJECT_REQUEST,
						dev->out->doe_type, dev->out->data, dev->out->len);

	return status ? status : SEV_SPDM_REQUEST;
}

/* Asks the SPDM requester what comes next: 1 a message, 0 nothing more. */
static int requester_turn(const struct sev_device *dev, const struct call *call,
			  const struct spdm_wire *in)
{
	int rc = spdm_requester_next(sev_requester_write(dev), in, image_write(dev->out));
	struct sev_operation *op = op_write(dev);

	op->awaiting = rc > 0;
	memcpy(op->digest, call->digest, sizeof(op->digest));
	return rc;
}

/* An SPDM failure. The peer's plain ERROR answer leaves a session that was there alone. */
static enum sev_status requester_failed(const struct sev_device *dev, int rc)
{
	if (rc == -EREMOTEIO && spdm_requester_session(dev->requester))
		return op_end(dev, SEV_SPDM_ERROR);
	return session_end(dev);
}

/* The device's answer from the host's buffer: 1 there it is, 0 not yet, -EPROTO no such thing. */
static int response_take(const struct call *call, struct spdm_wire *in)
{
	uint8_t header[SEV_BUFFER_HEADER + SEV_OBJECT_HEADER];
	struct reader r = reader_of(header, sizeof(header));
	uint32_t payload, id, len;

	if (!sev_sla_room(call->args.spdm.response, false) ||
	    !sev_sla_read(call->args.spdm.response, 0, header, sizeof(header)))
		return -EPROTO;
	get_le32(&r);
	payload = get_le32(&r);
	get_bytes(&r, SEV_BUFFER_HEADER - 8);
	id = get_le32(&r);
	len = get_le32(&r);
	get_le16(&r);
	in->doe_type = get_u8(&r);
	if (!payload)
		return 0;
	if (payload % SEV_PAYLOAD_UNIT || id != SEV_OBJECT_RESPONSE || len > payload ||
	    len < SEV_OBJECT_HEADER || len - SEV_OBJECT_HEADER > sizeof(in->data) ||
	    (in->doe_type != DOE_TYPE_CMA && in->doe_type != DOE_TYPE_SECURED))
		return -EPROTO;
	in->len = len - SEV_OBJECT_HEADER;
	return sev_sla_read(call->args.spdm.response, sizeof(header), in->data, in->len) ?
		       1 :
		       -EPROTO;
}

bool sev_dialog_silent(const struct sev_device *dev, const struct call *call)
{
	struct spdm_wire in;

	return dev->op.awaiting && !memcmp(dev->op.digest, call->digest, sizeof(call->digest)) &&
	       !response_take(call, &in);
}

static enum sev_status steps_run(struct dialog *dialog, dialog_step step)
{
	const struct sev_device *dev = dialog->dev;

	for (;;) {
		enum sev_status status;
		int rc;

		dialog->step = dialog->next = dev->op.step;
		dialog->reply = spdm_requester_vendor_reply(dev->requester, &dialog->reply_len);
		status = step(dialog);
		op_write(dev)->step = (uint16_t)dialog->next;
		if (status == SEV_EXPAND_BUFFER)
			return status;
		if (status != SEV_SPDM_REQUEST)
			return op_end(dev, status);
		rc = requester_turn(dev, dialog->call, NULL);
		if (rc > 0)
			return request_give(dev, dialog->call);
		if (rc < 0)
			return requester_failed(dev, rc);
	}
}

static enum sev_status response_feed(struct dialog *dialog, dialog_step step)
{
	struct spdm_wire in;
	int rc = response_take(dialog->call, &in);

	if (rc < 0)
		return SEV_INVALID_ADDRESS;
	if (!rc)
		return request_give(dialog->dev, dialog->call);
	rc = requester_turn(dialog->dev, dialog->call, &in);
	if (rc > 0)
		return request_give(dialog->dev, dialog->call);
	if (rc < 0)
		return requester_failed(dialog->dev, rc);
	return steps_run(dialog, step);
}

enum sev_status sev_dialog_run(const struct sev_device *dev, const struct call *call,
			       dialog_step step)
{
	struct dialog dialog = { .dev = dev, .call = call,
				 .tdi = sev_tdi_of(call->args.tdi_ctx) };
	bool changed = dev->op.awaiting &&
		       memcmp(dev->op.digest, call->digest, sizeof(call->digest));

	if (dev->op.command && dev->op.command != call->id)
		return SEV_DEV_BUSY;
	if (dev->op.command &&
	    (dev->op.tdi_ctx != call->args.tdi_ctx || (changed && !mutant(MUTANT_REISSUE_ANY))))
		return SEV_COMMAND_CHANGED;
	if (!sev_sla_room(call->args.spdm.request, true) ||
	    !sev_sla_room(call->args.spdm.response, false) ||
	    !sev_sla_room(call->args.spdm.scratch, true))
		return SEV_INVALID_ADDRESS;
	if (!dev->op.command)
		*op_write(dev) = (struct sev_operation){ .command = (uint16_t)call->id,
							 .tdi_ctx = call->args.tdi_ctx };
	return dev->op.awaiting ? response_feed(&dialog, step) : steps_run(&dialog, step);
}

enum sev_status sev_dialog_vendor(struct dialog *dialog, unsigned int next, uint8_t protocol,
				  const void *body, size_t len)
{
	dialog->next = next;
	if (spdm_requester_vendor(sev_requester_write(dialog->dev), protocol, body, len))
		return SEV_DEV_INVALID_STATE;
	return SEV_SPDM_REQUEST;
}

enum sev_status sev_dialog_spdm(struct dialog *dialog, unsigned int next, enum spdm_op op)
{
	dialog->next = next;
	if (spdm_requester_start(sev_requester_write(dialog->dev), op))
		return SEV_DEV_INVALID_STATE;
	return SEV_SPDM_REQUEST;
}
