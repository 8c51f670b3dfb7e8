/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Dialogues with a device: the host carries the messages, the module says what is in them. What a
 * dialogue has learnt is committed as it goes: a device's answer cannot be refused afterwards.
 */
#include "firmware/doe_object.h"
#include "firmware/tdx/internal.h"

static struct tdx_operation *op_write(const struct tdx_spdm *spdm)
{
	return image_write(&spdm->op);
}

struct spdm_requester *spdm_requester_write(const struct tdx_spdm *spdm)
{
	return image_log(spdm->requester, spdm_requester_size());
}

static bool op_is(const struct tdx_spdm *spdm, enum tdx_leaf leaf, const struct tdx_args *args)
{
	return spdm->op.leaf == leaf && spdm->op.key == args->rcx && spdm->op.arg == args->rdx;
}

bool dialog_begins(const struct tdx_spdm *spdm, enum tdx_leaf leaf, const struct tdx_args *args)
{
	return !op_is(spdm, leaf, args);
}

/* How an operation ends, well or not. */
static uint64_t op_end(const struct tdx_spdm *spdm, uint64_t status)
{
	*op_write(spdm) = (struct tdx_operation){ 0 };
	return status;
}

static uint64_t session_end(const struct tdx_spdm *spdm, struct tdx_args *args)
{
	spdm_requester_init(spdm_requester_write(spdm), NULL, 0);
	session_lost(spdm);
	args->r10 = 0;
	return op_end(spdm, TDX_SPDM_PROTOCOL_ERROR);
}

/* The request under way, into the host's buffer. */
static uint64_t request_give(const struct tdx_spdm *spdm, struct tdx_args *args)
{
	args->r10 = doe_object_give(spdm->out, args->r8);
	return args->r10 ? TDX_SPDM_REQUEST : TDX_NO_MEMORY;
}

/* Asks the SPDM requester what comes next: 1 a message (already with the host), 0 nothing more. */
static int requester_turn(const struct tdx_spdm *spdm, const struct spdm_wire *in)
{
	int rc = spdm_requester_next(spdm_requester_write(spdm), in, image_write(spdm->out));

	op_write(spdm)->awaiting = rc > 0;
	return rc;
}

/* An SPDM failure. The peer's plain ERROR answer leaves a session that was there alone. */
static uint64_t requester_failed(const struct tdx_spdm *spdm, struct tdx_args *args, int rc)
{
	if (rc == -EREMOTEIO && spdm_requester_session(spdm->requester)) {
		args->rcx = spdm_requester_error(spdm->requester);
		return op_end(spdm, TDX_SPDM_PROTOCOL_ERROR);
	}
	return session_end(spdm, args);
}

static uint64_t steps_run(struct dialog *dialog, dialog_step step)
{
	const struct tdx_spdm *spdm = dialog->spdm;
	uint64_t status;

	for (;;) {
		int rc;

		dialog->step = dialog->next = spdm->op.step;
		dialog->reply = spdm_requester_vendor_reply(spdm->requester, &dialog->reply_len);
		status = step(dialog);
		op_write(spdm)->step = (uint16_t)dialog->next;
		if (status == TDX_INTERRUPTED_RESUMABLE)
			return status;
		if (status != TDX_SPDM_REQUEST)
			return op_end(spdm, status);
		rc = requester_turn(spdm, NULL);
		if (rc > 0)
			return request_give(spdm, dialog->args);
		if (rc < 0)
			return requester_failed(spdm, dialog->args, rc);
	}
}

static uint64_t response_feed(struct dialog *dialog, dialog_step step)
{
	struct tdx_args *args = dialog->args;
	struct spdm_wire in;
	int rc;

	if (args->r11 == TDX_MESSAGE_LOST)
		return session_end(dialog->spdm, args);
	if (!args->r11)
		return request_give(dialog->spdm, args);
	if (!doe_object_take(args->r9, args->r11, &in))
		return tdx_invalid(TDX_R9);
	rc = requester_turn(dialog->spdm, &in);
	if (rc > 0)
		return request_give(dialog->spdm, args);
	if (rc < 0)
		return requester_failed(dialog->spdm, args, rc);
	return steps_run(dialog, step);
}

uint64_t dialog_run(const struct tdx_spdm *spdm, enum tdx_leaf leaf, struct tdx_args *args,
		    dialog_step step)
{
	struct dialog dialog = { .spdm = spdm, .args = args };

	if (spdm->op.leaf && !op_is(spdm, leaf, args))
		return TDX_OPERAND_BUSY;
	if (!tdx_buffer_ok(args->r8, TDX_MESSAGE_SIZE))
		return tdx_invalid(TDX_R8);
	if (!tdx_buffer_ok(args->r9, TDX_MESSAGE_SIZE))
		return tdx_invalid(TDX_R9);
	if (!spdm->op.leaf)
		*op_write(spdm) = (struct tdx_operation){ .leaf = (uint16_t)leaf, .key = args->rcx,
			.arg = args->rdx };
	return spdm->op.awaiting ? response_feed(&dialog, step) : steps_run(&dialog, step);
}

uint64_t dialog_vendor(struct dialog *dialog, unsigned int next, uint8_t protocol, const void *body,
		       size_t len)
{
	dialog->next = next;
	if (spdm_requester_vendor(spdm_requester_write(dialog->spdm), protocol, body, len))
		return TDX_SPDM_INVALID_STATE;
	return TDX_SPDM_REQUEST;
}

uint64_t dialog_spdm(struct dialog *dialog, unsigned int next, enum spdm_op op)
{
	dialog->next = next;
	if (spdm_requester_start(spdm_requester_write(dialog->spdm), op))
		return TDX_SPDM_INVALID_STATE;
	return TDX_SPDM_REQUEST;
}
