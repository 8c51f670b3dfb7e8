/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TDCM: the guest TSM's requests to the VMM through a shared buffer. The VMM is not trusted: an
 * answer's length is read once, and what it says is only data until the module confirms it.
 */
#include "guest/tdx.h"

#define POLLS_MAX 1000u		/* of 10 ms each */
#define BUFFER_SIZE 16384u

enum { TDCM_ASK, TDCM_CALL, TDCM_CALLED, TDCM_POLL, TDCM_DATA };

static int tdcm_ask(const struct guest_call *call, uint32_t op)
{
	uint8_t bytes[TDCM_HEADER + 4];
	struct writer w = writer_of(bytes, sizeof(bytes));
	int rc;

	put_le32(&w, op);
	put_le32(&w, TDCM_WAIT);
	put_le32(&w, 0);
	put_le32(&w, 4);
	put_le32(&w, (uint32_t)guest_arg_or(call, "which", 0));
	rc = guest_write(call, call->guest->place.buffer, true, bytes, sizeof(bytes));
	if (!rc)
		guest_phase(call, TDCM_CALL);
	return rc;
}

static int tdcm_call(const struct guest_call *call)
{
	const struct guest_place *place = &call->guest->place;
	struct tdx_args args = { .r11 = GHCI_VMCALL_TDCM, .r12 = place->bdf,
		.r13 = place->buffer | guest_shared_bit(call->vcpu), .r14 = BUFFER_SIZE };
	int rc;

	if (!call->vcpu->tdr)
		return -EOPNOTSUPP;
	guest_phase(call, TDCM_CALLED);
	rc = guest_tdcall(call, TDG_VP_VMCALL, &args);
	return rc ? rc : -EAGAIN;
}

static int64_t tdcm_poll(const struct guest_call *call)
{
	uint8_t bytes[TDCM_HEADER];
	struct reader r = reader_of(bytes, sizeof(bytes));
	uint32_t error;
	int rc = guest_read(call, call->guest->place.buffer, true, bytes, sizeof(bytes));

	if (rc)
		return rc;
	get_le32(&r);
	if (get_le32(&r) != TDCM_COMPLETED)
		return call->guest->now.polls < POLLS_MAX ? guest_idle(call) : -ETIMEDOUT;
	error = get_le32(&r);
	if (error)
		return error < 4096 ? -(int64_t)error : -EIO;
	guest_phase(call, TDCM_DATA);
	guest_at(call, get_le32(&r));	/* the one look at the length */
	return 0;
}

/* Where an answer goes, and how much of one there is room for. */
static uint8_t *answer_room(const struct guest_call *call, uint32_t op, size_t *cap, uint32_t **len)
{
	const struct guest *guest = call->guest;
	unsigned int which = guest_arg_or(call, "which", 0) ? 1 : 0;

	if (op == TDCM_GET_TDI_REPORT) {
		*cap = GUEST_REPORT;
		*len = image_write(&guest->report_len);
		return image_log(guest->report, GUEST_REPORT);
	}
	if (op == TDCM_GET_DEV_INFO) {
		*cap = GUEST_INFO;
		*len = image_write(&guest->info_len[which]);
		return image_log(guest->info[which], GUEST_INFO);
	}
	return NULL;
}

static int64_t tdcm_data(const struct guest_call *call, uint32_t op)
{
	uint64_t said = call->guest->now.at;
	uint32_t *len;
	size_t cap;
	uint8_t *room;
	int rc;

	if (said > BUFFER_SIZE - TDCM_HEADER)
		return -EPROTO;
	room = answer_room(call, op, &cap, &len);
	if (!room)
		return (int64_t)said;
	if (said > cap)
		return -EMSGSIZE;
	rc = guest_read(call, call->guest->place.buffer + TDCM_HEADER, true, room, said);
	if (rc)
		return rc;
	*len = (uint32_t)said;
	return (int64_t)said;
}

static int64_t tdcm(const struct guest_call *call, uint32_t op)
{
	int64_t rc = 0;

	while (!rc) {
		switch (call->guest->now.phase) {
		case TDCM_ASK:
			rc = tdcm_ask(call, op);
			break;
		case TDCM_CALL:
			rc = tdcm_call(call);
			break;
		case TDCM_CALLED:
			if (call->vcpu->exit.ret[0])
				return -EIO;
			guest_phase(call, TDCM_POLL);
			break;
		case TDCM_POLL:
			rc = tdcm_poll(call);
			break;
		default:
			return tdcm_data(call, op);
		}
	}
	return rc;
}

int64_t stage_tdcm(const struct guest_call *call)
{
	return tdcm(call, (uint32_t)guest_arg_or(call, "op", TDCM_CHECK_TEEIO));
}

#define TDCM_STAGE(name, op) \
	int64_t stage_tdcm_##name(const struct guest_call *call) { return tdcm(call, op); }
TDCM_STAGE(check, TDCM_CHECK_TEEIO)
TDCM_STAGE(bind, TDCM_BIND)
TDCM_STAGE(unbind, TDCM_UNBIND)
TDCM_STAGE(report, TDCM_GET_TDI_REPORT)
TDCM_STAGE(start, TDCM_START)
TDCM_STAGE(info, TDCM_GET_DEV_INFO)
