/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IDE streams, connected by their two ends in lock-step: the root port makes keys and takes them, the
 * endpoint is told them over IDE_KM, each waits for the other. The other operations have the same
 * shape.
 */
#include "firmware/cca/internal.h"

#define STREAM_IDS 256u

static const struct cca_stream *stream_of(uint64_t handle)
{
	const struct cca_stream *stream = rmm()->streams;

	while (stream && stream->handle != handle)
		stream = stream->next;
	return stream;
}

const struct cca_stream *stream_of_pdev(const struct cca_pdev *ep)
{
	const struct cca_stream *stream = rmm()->streams;

	while (stream && (stream->ep != ep || !stream->connected))
		stream = stream->next;
	return stream;
}

static void phase_set(const struct cca_stream *stream, enum stream_phase phase)
{
	TRACE_STATE(LANE_FIRMWARE, "stream", A("stream", stream->handle), A("op", stream->op),
		    A("from", stream->phase), A("to", phase));
	stream_write(stream)->phase = (uint8_t)phase;
}

/* -- keys ------------------------------------------------------------------------------------ */

/* What happens in an operation: which set is programmed and started, which is stopped. */
struct km_plan { bool programs, stops; };
static const struct km_plan km_plans[] = {
	[STREAM_CONNECT] = { .programs = true },
	[STREAM_DISCONNECT] = { .stops = true },
	[STREAM_REFRESH] = { .programs = true },
	[STREAM_PURGE] = { .stops = true },
};

/* A connect programs the first set, a refresh the idle one; a purge stops what a refresh left. */
static unsigned int set_of(const struct cca_stream *stream)
{
	bool other = stream->op == STREAM_REFRESH || stream->op == STREAM_PURGE;

	return other ? !stream->key_set : stream->key_set;
}

static struct km_stream km_stream_of(const struct cca_stream *stream)
{
	return (struct km_stream){ .root_port = stream->rp->rid, .id = stream->id,
				   .set = set_of(stream) };
}

void stream_keys_drop(const struct cca_stream *stream)
{
	struct km_stream km = km_stream_of(stream);

	km_keys_drop(&km);
}

/* -- the root port's turns -------------------------------------------------------------------------- */

static bool rp_program(const struct cca_stream *stream)
{
	struct km_stream km = km_stream_of(stream);
	struct cca_stream *w = stream_write(stream);

	for (unsigned int n = 0; n < KM_SLOTS; n++) {
		struct km_slot slot = km_slot_of(IDE_KM_KEY_PROG, km.set, n);

		if (km_program(&km, &slot, w->keys[n]))
			return false;
	}
	return true;
}

static bool rp_switch(const struct cca_stream *stream, bool on)
{
	struct km_stream km = km_stream_of(stream);

	for (unsigned int n = 0; n < KM_SLOTS; n++) {
		struct km_slot slot =
			km_slot_of(on ? IDE_KM_K_SET_GO : IDE_KM_K_SET_STOP, km.set, n);

		if (km_root_port(&km, &slot) && on)
			return false;
	}
	return true;
}

static enum talk_end rp_step(struct talk *talk)
{
	const struct cca_stream *stream = talk->pdev->stream;
	const struct km_plan *plan = &km_plans[stream->op];

	if (stream->phase == STREAM_START) {
		if (plan->programs && !rp_program(stream))
			return TALK_FAILED;
		phase_set(stream, STREAM_RP_READY);
	}
	if (stream->phase < STREAM_EP_READY)
		return TALK_STREAM_WAIT;
	if (!rp_switch(stream, plan->programs))
		return TALK_FAILED;
	phase_set(stream, STREAM_RP_CONNECTED);
	return TALK_DONE;
}

/* -- the endpoint's turns ---------------------------------------------------------------------------- */

static enum talk_end km_send(struct talk *talk, const struct km_slot *slot)
{
	const struct cca_stream *stream = talk->pdev->stream;
	uint8_t body[KM_REQUEST_MAX];
	struct writer w = writer_of(body, sizeof(body));

	km_request_put(&w, stream->id, slot, stream->keys[talk->step % KM_SLOTS]);
	return talk_vendor(talk, talk->step + 1, PCISIG_IDE_KM, body, w.at);
}

static bool acked(const struct talk *talk, const struct km_slot *slot)
{
	uint8_t status;

	return km_acked(reader_of(talk->reply, talk->reply_len), talk->pdev->stream->id, slot,
			&status) &&
	       status == IDE_KM_OK;
}

/* Message `n` of the endpoint; false: past the last. A programming plan has 6 KEY_PROG and 6 K_SET_GO,
 * of which the last three wait for the root port; a stopping one 6 K_SET_STOP. */
static bool ep_message(const struct cca_stream *stream, unsigned int n, struct km_slot *slot)
{
	const struct km_plan *plan = &km_plans[stream->op];

	if (n >= (plan->programs ? 2 : 1) * KM_SLOTS)
		return false;
	*slot = km_slot_of(plan->stops  ? IDE_KM_K_SET_STOP :
			   n < KM_SLOTS ? IDE_KM_KEY_PROG :
					  IDE_KM_K_SET_GO,
			   set_of(stream), n % KM_SLOTS);
	return true;
}

static unsigned int ep_ready_after(const struct cca_stream *stream)
{
	return km_plans[stream->op].programs ? KM_SLOTS + IDE_SUB_STREAMS : KM_SLOTS;
}

static enum talk_end ep_step(struct talk *talk)
{
	const struct cca_stream *stream = talk->pdev->stream;
	struct km_slot slot;

	talk->next = talk->step;
	if (stream->phase < STREAM_RP_READY)
		return TALK_STREAM_WAIT;
	/* The answer to the message before, once. */
	if (talk->step && talk->reply_len && ep_message(stream, talk->step - 1, &slot) &&
	    !acked(talk, &slot))
		return TALK_FAILED;
	if (talk->step == ep_ready_after(stream)) {
		if (stream->phase < STREAM_EP_READY)
			phase_set(stream, STREAM_EP_READY);
		if (stream->phase < STREAM_RP_CONNECTED)
			return TALK_STREAM_WAIT;
	}
	if (ep_message(stream, talk->step, &slot))
		return km_send(talk, &slot);
	phase_set(stream, STREAM_DONE);
	return TALK_DONE;
}

enum talk_end stream_step(struct talk *talk)
{
	const struct cca_stream *stream = talk->pdev->stream;

	if (!stream || stream->aborted)
		return TALK_FAILED;
	return stream->rp == talk->pdev ? rp_step(talk) : ep_step(talk);
}

/* The peer that waits finds out at its next turn. */
void stream_abort(const struct cca_stream *stream)
{
	if (!stream || stream->aborted)
		return;
	stream_write(stream)->aborted = true;
	stream_keys_drop(stream);
	TRACE_STATE(LANE_FIRMWARE, "stream aborted", A("stream", stream->handle),
		    A("op", stream->op), A("from", stream->phase));
}

/* -- commands ----------------------------------------------------------------------------------------- */

static uint64_t op_begin(const struct cca_stream *stream, enum stream_op op)
{
	struct cca_stream *w;

	if (stream->busy || stream->rp->comm.state != COMM_IDLE ||
	    stream->ep->comm.state != COMM_IDLE)
		return RMI_ERROR_DEVICE;
	w = stream_write(stream);
	w->op = (uint8_t)op;
	w->phase = STREAM_START;
	w->busy = true;
	pdev_write(stream->rp)->stream = stream;
	pdev_write(stream->ep)->stream = stream;
	comm_begin(&stream->rp->comm, OP_STREAM);
	return comm_begin(&stream->ep->comm, OP_STREAM);
}

static bool stream_id_taken(const struct cca_pdev *rp, uint64_t id)
{
	for (const struct cca_stream *stream = rmm()->streams; stream; stream = stream->next)
		if (stream->rp == rp && stream->id == id)
			return true;
	return false;
}

static uint64_t stream_connect(struct smc_args *args)
{
	const struct cca_pdev *rp, *ep;
	uint8_t params[PHYS_PAGE];
	struct cca_stream *stream;
	const struct function *fn;
	uint64_t id;

	if (!host_page_read(args->x[1], params))
		return RMI_ERROR_INPUT;
	rp = pdev_of(page_u64(params, STREAM_PARAM_PDEV_1));
	ep = pdev_of(page_u64(params, STREAM_PARAM_PDEV_2));
	id = page_u64(params, STREAM_PARAM_IDE_SID);
	fn = ep ? function_find(ep->rid) : NULL;
	if (!rp || !ep || rp->spdm || !ep->spdm || id >= STREAM_IDS || !fn ||
	    fn->root_port != rp->rid || page_u64(params, STREAM_PARAM_TYPE) != STREAM_NCOH)
		return RMI_ERROR_INPUT;
	if (rp->state != PDEV_READY || ep->state != PDEV_READY || stream_id_taken(rp, id) ||
	    ep->streams || rp->comm.state != COMM_IDLE || ep->comm.state != COMM_IDLE)
		return RMI_ERROR_DEVICE;
	stream = cca_alloc(sizeof(*stream));
	if (!stream)
		return CCA_NO_MEMORY;
	stream->handle = rmm_write()->next_stream++;
	stream->rp = rp;
	stream->ep = ep;
	stream->id = (uint8_t)id;
	stream->next = rmm()->streams;
	rmm_write()->streams = stream;
	pdev_write(rp)->streams++;
	pdev_write(ep)->streams++;
	args->x[1] = stream->handle;
	return op_begin(stream, STREAM_CONNECT);
}

static uint64_t stream_disconnect(struct smc_args *args)
{
	const struct cca_stream *stream = stream_of(args->x[1]);

	if (!stream)
		return RMI_ERROR_INPUT;
	if (stream->ep->vdevs || (stream->busy && !stream->aborted))
		return RMI_ERROR_DEVICE;
	/* Nothing to agree on with a device that does not talk. */
	if (stream->aborted || stream->ep->state != PDEV_READY) {
		stream_abort(stream);
		stream_write(stream)->busy = true;
		stream_write(stream)->op = STREAM_DISCONNECT;
		return RMI_SUCCESS;
	}
	return op_begin(stream, STREAM_DISCONNECT);
}

static uint64_t stream_refresh(struct smc_args *args)
{
	const struct cca_stream *stream = stream_of(args->x[1]);

	if (!stream)
		return RMI_ERROR_INPUT;
	return stream->connected ? op_begin(stream, STREAM_REFRESH) : RMI_ERROR_DEVICE;
}

static uint64_t stream_purge(struct smc_args *args)
{
	const struct cca_stream *stream = stream_of(args->x[1]);

	if (!stream)
		return RMI_ERROR_INPUT;
	return stream->connected ? op_begin(stream, STREAM_PURGE) : RMI_ERROR_DEVICE;
}

static void stream_remove(const struct cca_stream *stream)
{
	const struct cca_stream *const *link = &rmm()->streams;

	while (*link != stream)
		link = &(*link)->next;
	link_set(link, stream->next);
	pdev_write(stream->rp)->streams--;
	pdev_write(stream->ep)->streams--;
	pdev_write(stream->rp)->stream = pdev_write(stream->ep)->stream = NULL;
	stream_keys_drop(stream);
	image_free(stream);
}

/* VDEVs that were locked over the old keys go on when the new ones are there, and the old ones gone. */
static void vdevs_advance(const struct cca_stream *stream, enum vdev_state from, enum vdev_state to)
{
	for (const struct cca_vdev *vdev = rmm()->vdevs; vdev; vdev = vdev->next)
		if (vdev->pdev == stream->ep && vdev->state == from)
			vdev_state_set(vdev, to);
}

static uint64_t op_complete(const struct cca_stream *stream)
{
	struct cca_stream *w = stream_write(stream);

	if (stream->op == STREAM_CONNECT && !ide_secure(stream->rp->rid, stream->id))
		return RMI_ERROR_DEVICE;
	w->connected = true;
	if (stream->op == STREAM_REFRESH) {
		w->key_set = !w->key_set;
		vdevs_advance(stream, VDEV_KEY_REFRESH, VDEV_KEY_PURGE);
	} else if (stream->op == STREAM_PURGE) {
		vdevs_advance(stream, VDEV_KEY_PURGE, VDEV_UNLOCKED);
	}
	w->busy = false;
	memset(w->keys, 0, sizeof(w->keys));
	TRACE_STATE(LANE_FIRMWARE, "stream complete", A("stream", stream->handle),
		    A("pdev", stream->ep->granule), A("op", stream->op));
	return RMI_SUCCESS;
}

static uint64_t stream_complete(struct smc_args *args)
{
	const struct cca_stream *stream = stream_of(args->x[1]);
	bool ends;

	if (!stream)
		return RMI_ERROR_INPUT;
	ends = stream->aborted || stream->op == STREAM_DISCONNECT;
	if (!stream->busy || stream->rp->comm.state != COMM_IDLE ||
	    stream->ep->comm.state != COMM_IDLE ||
	    (!stream->aborted && stream->phase != STREAM_DONE) || (ends && stream->ep->vdevs))
		return RMI_ERROR_DEVICE;
	args->x[1] = !ends;
	if (!ends)
		return op_complete(stream);
	stream_remove(stream);
	return RMI_SUCCESS;
}

const struct rmi_row cca_stream_rows[] = {
	{ RMI_PDEV_STREAM_CONNECT, stream_connect },
	{ RMI_PDEV_STREAM_DISCONNECT, stream_disconnect, { "stream" } },
	{ RMI_PDEV_STREAM_KEY_REFRESH, stream_refresh, { "stream" } },
	{ RMI_PDEV_STREAM_KEY_PURGE, stream_purge, { "stream" } },
	{ RMI_PDEV_STREAM_COMPLETE, stream_complete, { "stream" } },
	{ 0 }
};
