/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * COMMUNICATE: the host carries the messages, the RMM says what is in them. What an exchange has
 * taught is committed as it goes: a device's answer cannot be refused afterwards. What is written
 * to the host's pages is undone with a call whose caller dies in it: the same answer is given again
 * then, and must still be there.
 */
#include "firmware/cca/internal.h"
#include "firmware/doe_object.h"
#include "hardware/doe.h"
#include "spdm/message.h"

#define RESPONSE_TIMEOUT_MS 1000u
#define BUSY_DELAY_US 10u

struct spdm_requester *pdev_requester_write(const struct cca_pdev *pdev)
{
	return image_log(pdev->requester, spdm_requester_size());
}

static void comm_traced(const struct cca_comm *comm, enum comm_state to)
{
	const struct cca_vdev *vdev = rmm()->vdevs;

	while (vdev && &vdev->comm != comm)
		vdev = vdev->next;
	if (vdev)
		TRACE_STATE(LANE_FIRMWARE, "VDEV comm", A("vdev", vdev->granule),
			    A("from", comm->state), A("to", to));
}

uint64_t comm_begin(const struct cca_comm *comm, enum comm_op op)
{
	struct cca_comm *w;

	if (comm->state != COMM_IDLE && !mutant(MUTANT_TWO_OPERATIONS))
		return RMI_ERROR_DEVICE;
	comm_traced(comm, COMM_PENDING);
	w = comm_write(comm);
	*w = (struct cca_comm){ .state = COMM_PENDING, .op = (uint8_t)op };
	return RMI_SUCCESS;
}

void comm_end(const struct cca_comm *comm, enum comm_state state)
{
	struct cca_comm *w = comm_write(comm);

	comm_traced(comm, state);
	*w = (struct cca_comm){ .state = (uint8_t)state };
}

/* -- what the host keeps -------------------------------------------------------------------------- */

void talk_cache(struct talk *talk, unsigned int object, bool begins, const void *bytes, size_t len)
{
	if (phys_table_write(talk->rsp, bytes, len, 0))
		return;
	talk->flags |= COMM_CACHE_RSP | (begins ? COMM_RSP_RESET : 0);
	talk->object = object;
	talk->rsp_cache_len = len;
}

static void vca_add(const struct cca_pdev *pdev, bool begins, const uint8_t *bytes, size_t len)
{
	struct cca_pdev *w = pdev_write(pdev);

	if (begins)
		w->vca_len = 0;
	if (len > VCA_MAX - w->vca_len)
		return;
	memcpy(w->vca + w->vca_len, bytes, len);
	w->vca_len += (uint32_t)len;
	spdm_requester_digest(w->vca, w->vca_len, w->digest[OBJECT_VCA]);
}

static bool code_in_vca(const struct spdm_wire *wire)
{
	uint8_t code = wire->len > 1 ? wire->data[1] & 0x7f : 0;

	return wire->doe_type == DOE_TYPE_CMA &&
	       (code == SPDM_VERSION || code == SPDM_CAPABILITIES || code == SPDM_ALGORITHMS);
}

/* Requests of the VCA are kept as they go out, but for the padding. */
static void request_note(struct talk *talk, const struct spdm_wire *out)
{
	if (!code_in_vca(out))
		return;
	talk->flags |= COMM_CACHE_REQ;
	talk->object = OBJECT_VCA;
	talk->req_cache_len = out->len;
	vca_add(talk->pdev, out->data[1] == SPDM_GET_VERSION, out->data, out->len);
	if (out->data[1] == SPDM_GET_VERSION)
		talk->flags |= COMM_RSP_RESET;
}

static void response_note(struct talk *talk, const struct spdm_wire *in)
{
	struct reader r = reader_of(in->data, in->len);
	const uint8_t *bytes;
	uint16_t portion;
	size_t chain;

	if (code_in_vca(in)) {
		vca_add(talk->pdev, false, in->data, in->len);
		talk_cache(talk, OBJECT_VCA, false, in->data, in->len);
	} else if (in->doe_type == DOE_TYPE_CMA && in->len > 1 && in->data[1] == SPDM_CERTIFICATE) {
		get_bytes(&r, 4);
		portion = get_le16(&r);
		get_le16(&r);
		bytes = get_bytes(&r, portion);
		spdm_requester_chain(talk->pdev->requester, &chain);
		if (bytes)
			talk_cache(talk, OBJECT_CERTIFICATE, chain == portion, bytes, portion);
	}
}

/* -- messages -------------------------------------------------------------------------------------- */

/* The request under way, into the host's buffer. */
static enum talk_end request_give(struct talk *talk)
{
	talk->reply_len = doe_object_give(talk->pdev->out, talk->req);
	return talk->reply_len ? TALK_SEND : TALK_FAILED;
}

/* Asks the SPDM requester what comes next. */
static enum talk_end requester_turn(struct talk *talk, const struct spdm_wire *in)
{
	const struct cca_pdev *pdev = talk->pdev;
	int rc = spdm_requester_next(pdev_requester_write(pdev), in, image_write(pdev->out));
	bool more = rc > 0;

	if (in && rc >= 0)
		response_note(talk, in);
	comm_write(talk->comm)->awaiting = more;
	pdev_write(pdev)->talking = more ? talk->comm : NULL;
	if (!more)
		return rc ? TALK_FAILED : TALK_AGAIN;
	request_note(talk, pdev->out);
	return request_give(talk);
}

enum talk_end talk_spdm(struct talk *talk, unsigned int next, enum spdm_op op)
{
	talk->next = next;
	return spdm_requester_start(pdev_requester_write(talk->pdev), op) ? TALK_FAILED :
									    requester_turn(talk, NULL);
}

enum talk_end talk_vendor(struct talk *talk, unsigned int next, uint8_t protocol, const void *body,
			  size_t len)
{
	talk->next = next;
	if (spdm_requester_vendor(pdev_requester_write(talk->pdev), protocol, body, len))
		return TALK_FAILED;
	return requester_turn(talk, NULL);
}

/* -- running ----------------------------------------------------------------------------------------- */

static enum talk_end steps_run(struct talk *talk)
{
	enum talk_end end;

	do {
		talk->step = talk->next = talk->comm->step;
		talk->reply = spdm_requester_vendor_reply(talk->pdev->requester, &talk->reply_len);
		if (talk->vdev)
			end = vdev_step(talk);
		else if (talk->comm->op == OP_STREAM)
			end = stream_step(talk);
		else
			end = pdev_step(talk);
		if (end != TALK_DONE && end != TALK_FAILED)
			comm_write(talk->comm)->step = (uint16_t)talk->next;
	} while (end == TALK_AGAIN);
	return end;
}

static enum talk_end response_feed(struct talk *talk)
{
	enum talk_end end;
	struct spdm_wire in;

	if (talk->status == COMM_STATUS_NONE)
		return request_give(talk);
	if (talk->status != COMM_STATUS_RESPONSE || !doe_object_take(talk->rsp, talk->rsp_len, &in))
		return TALK_FAILED;
	end = requester_turn(talk, &in);
	return end == TALK_AGAIN ? steps_run(talk) : end;
}

/* An operation that failed leaves its device in ERROR; with the session, when that is lost. A device
 * that does not even end its session is stopped all the same. */
static void talk_failed(struct talk *talk)
{
	const struct cca_pdev *pdev = talk->pdev;
	enum pdev_state then = talk->comm->op == OP_STOP_PDEV ? PDEV_STOPPED : PDEV_ERROR;
	bool lost = talk->comm->awaiting || !spdm_requester_session(pdev->requester);

	if (talk->comm->op == OP_STREAM)
		stream_abort(pdev->stream);
	comm_end(talk->comm, COMM_IDLE);
	pdev_write(pdev)->talking = NULL;
	if (talk->vdev)
		vdev_state_set(talk->vdev, VDEV_ERROR);
	else if (pdev->spdm)
		pdev_state_set(pdev, then);
	if (lost && pdev->spdm)
		pdev_session_lost(pdev);
}

static uint64_t exit_write(const struct talk *talk, enum talk_end end)
{
	uint8_t out[COMM_TIMEOUT + 8 - COMM_FLAGS];
	struct writer w = writer_of(out, sizeof(out));
	uint64_t flags = talk->flags | (end == TALK_SEND ? COMM_SEND : 0) |
			 (end == TALK_WAIT ? COMM_WAIT : 0) |
			 (end == TALK_STREAM_WAIT ? COMM_STREAM_WAIT : 0);

	put_le64(&w, flags);
	put_le64(&w, DOE_OBJECT_HEADER);
	put_le64(&w, talk->req_cache_len);
	put_le64(&w, 0);
	put_le64(&w, talk->rsp_cache_len);
	put_le64(&w, talk->object);
	put_le64(&w, end == TALK_SEND && talk->pdev->out->doe_type == DOE_TYPE_SECURED);
	put_le64(&w, end == TALK_WAIT ? BUSY_DELAY_US : 0);
	put_le64(&w, end == TALK_SEND ? talk->reply_len : 0);
	put_le64(&w, RESPONSE_TIMEOUT_MS);
	return phys_table_write(talk->page + COMM_FLAGS, out, w.at, 0) ? RMI_ERROR_INPUT : RMI_SUCCESS;
}

static uint64_t talk_end(struct talk *talk, enum talk_end end)
{
	comm_write(talk->comm)->stream_wait = end == TALK_STREAM_WAIT;
	if (end == TALK_DONE)
		comm_end(talk->comm, COMM_IDLE);
	if (end == TALK_FAILED) {
		talk_failed(talk);
		return RMI_ERROR_DEVICE;
	}
	return exit_write(talk, end);
}

static bool talk_read(struct talk *talk, uint64_t page)
{
	uint8_t in[PHYS_PAGE];

	if (!host_page_read(page, in))
		return false;
	talk->page = page;
	talk->status = page_u64(in, COMM_STATUS);
	talk->req = page_u64(in, COMM_REQ_ADDR);
	talk->rsp = page_u64(in, COMM_RSP_ADDR);
	talk->rsp_len = page_u64(in, COMM_RSP_LEN);
	return host_buffer_ok(talk->req, COMM_BUFFER) && host_buffer_ok(talk->rsp, COMM_BUFFER);
}

uint64_t comm_run(const struct cca_pdev *pdev, const struct cca_vdev *vdev, uint64_t page)
{
	struct talk talk = { .pdev = pdev, .vdev = vdev, .comm = vdev ? &vdev->comm : &pdev->comm };

	if (!talk_read(&talk, page))
		return RMI_ERROR_INPUT;
	if (talk.comm->state != COMM_PENDING && talk.comm->state != COMM_ACTIVE)
		return RMI_ERROR_DEVICE;
	if (pdev->talking && pdev->talking != talk.comm)
		return RMI_BUSY;
	if (vdev && pdev->state != PDEV_READY)
		return talk_end(&talk, TALK_FAILED);
	comm_write(talk.comm)->state = COMM_ACTIVE;
	return talk_end(&talk, talk.comm->awaiting ? response_feed(&talk) : steps_run(&talk));
}

void comm_abort(const struct cca_pdev *pdev, const struct cca_vdev *vdev)
{
	struct talk talk = { .pdev = pdev, .vdev = vdev, .comm = vdev ? &vdev->comm : &pdev->comm };

	if (talk.comm->state != COMM_IDLE)
		talk_failed(&talk);
}
