/* SPDX-License-Identifier: BSD-2-Clause */
/* What a VDEV's operations say to its TDI, PCIe 6.x 11.3. */
#include "firmware/cca/internal.h"

static enum talk_end tdisp_send(struct talk *talk, unsigned int next, uint8_t code,
				const void *payload, size_t len)
{
	uint8_t body[TDISP_REQUEST_MAX];
	struct writer w = writer_of(body, sizeof(body));

	tdisp_request_put(&w, code, talk->vdev->rid, payload, len);
	return talk_vendor(talk, next, PCISIG_TDISP, body, w.at);
}

/* Goes on with the next step at once. */
static enum talk_end then(struct talk *talk)
{
	talk->next = talk->step + 1;
	return TALK_AGAIN;
}

/* The payload of a good answer, at least min bytes; NULL and how the step ends otherwise. Steps send
 * and take in turns, so that a device that is busy is asked again by the step before. */
static const uint8_t *tdisp_reply(struct talk *talk, uint8_t code, size_t min, size_t *len,
				  enum talk_end *end)
{
	uint32_t error;
	const uint8_t *payload = tdisp_reply_take(talk->reply, talk->reply_len, code,
						  talk->vdev->rid, min, len, &error);

	*end = error == TDISP_BUSY ? TALK_WAIT : TALK_FAILED;
	if (error == TDISP_BUSY)
		talk->next = talk->step - 1;
	return payload;
}

/* -- INIT -------------------------------------------------------------------------------------------- */

static enum talk_end version_take(struct talk *talk)
{
	enum talk_end end;
	size_t len;
	const uint8_t *payload = tdisp_reply(talk, TDISP_GET_VERSION, 1, &len, &end);

	if (!payload)
		return end;
	return tdisp_speaks_10(payload, len) ? then(talk) : TALK_FAILED;
}

static enum talk_end capabilities_take(struct talk *talk)
{
	enum talk_end end;
	size_t len;
	const uint8_t *payload = tdisp_reply(talk, TDISP_GET_CAPABILITIES, TDISP_CAPABILITIES_LEN,
					     &len, &end);

	if (!payload)
		return end;
	vdev_write(talk->vdev)->lock_flags = tdisp_lock_flags(payload, len);
	return then(talk);
}

/* Somebody may have left it locked. */
static enum talk_end first_state_take(struct talk *talk)
{
	enum talk_end end;
	size_t len;
	const uint8_t *state = tdisp_reply(talk, TDISP_GET_STATE, 1, &len, &end);

	if (!state)
		return end;
	if (*state != TDISP_UNLOCKED)
		return then(talk);
	vdev_state_set(talk->vdev, VDEV_UNLOCKED);
	return TALK_DONE;
}

static enum talk_end init_step(struct talk *talk)
{
	static const uint8_t tsm_caps[4];
	enum talk_end end;
	size_t len;

	switch (talk->step) {
	case 0: return tdisp_send(talk, 1, TDISP_GET_VERSION, NULL, 0);
	case 1: return version_take(talk);
	case 2: return tdisp_send(talk, 3, TDISP_GET_CAPABILITIES, tsm_caps, sizeof(tsm_caps));
	case 3: return capabilities_take(talk);
	case 4: return tdisp_send(talk, 5, TDISP_GET_STATE, NULL, 0);
	case 5: return first_state_take(talk);
	case 6: return tdisp_send(talk, 7, TDISP_STOP, NULL, 0);
	default:
		if (!tdisp_reply(talk, TDISP_STOP, 0, &len, &end))
			return end;
		vdev_state_set(talk->vdev, VDEV_UNLOCKED);
		return TALK_DONE;
	}
}

/* -- LOCK, START, UNLOCK ------------------------------------------------------------------------------- */

/* With all we know that the device can do, but MSI-X; addresses are reported as they are. */
static enum talk_end lock_send(struct talk *talk)
{
	const struct cca_stream *stream = stream_of_pdev(talk->pdev);
	uint8_t body[20];
	struct writer w = writer_of(body, sizeof(body));

	if (!stream || !ide_secure(stream->rp->rid, stream->id))
		return TALK_FAILED;
	tdisp_lock_put(&w,
		       talk->vdev->lock_flags & (TDISP_LOCK_NO_FW_UPDATE | TDISP_LOCK_ALL_REDIRECT),
		       stream->id, 0, 0);
	return tdisp_send(talk, 1, TDISP_LOCK, body, w.at);
}

static enum talk_end lock_take(struct talk *talk)
{
	enum talk_end end;
	size_t len;
	const uint8_t *nonce = tdisp_reply(talk, TDISP_LOCK, TDISP_NONCE, &len, &end);

	if (!nonce)
		return end;
	memcpy(vdev_write(talk->vdev)->nonce, nonce, TDISP_NONCE);
	return then(talk);
}

static void nonces_traced(const struct cca_vdev *vdev)
{
	TRACE_STATE(LANE_FIRMWARE, "VDEV nonces", A("vdev", vdev->granule), A("rid", vdev->rid),
		    A("lock", vdev->lock_nonce), A("meas", vdev->meas_nonce),
		    A("report", vdev->report_nonce));
}

static enum talk_end locked_take(struct talk *talk)
{
	enum talk_end end;
	size_t len;
	const uint8_t *state = tdisp_reply(talk, TDISP_GET_STATE, 1, &len, &end);
	struct cca_vdev *w = vdev_write(talk->vdev);

	if (!state)
		return end;
	if (*state != TDISP_LOCKED)
		return TALK_FAILED;
	w->lock_nonce = mutant(MUTANT_NONCE_STAYS) ? 1 : cca_nonce();
	nonces_traced(talk->vdev);
	vdev_state_set(talk->vdev, VDEV_LOCKED);
	return TALK_DONE;
}

static enum talk_end lock_step(struct talk *talk)
{
	switch (talk->step) {
	case 0: return lock_send(talk);
	case 1: return lock_take(talk);
	case 2: return tdisp_send(talk, 3, TDISP_GET_STATE, NULL, 0);
	default: return locked_take(talk);
	}
}

static enum talk_end start_step(struct talk *talk)
{
	enum talk_end end;
	size_t len;

	if (!talk->step)
		return tdisp_send(talk, 1, TDISP_START, talk->vdev->nonce, TDISP_NONCE);
	if (!tdisp_reply(talk, TDISP_START, 0, &len, &end))
		return end;
	vdev_state_set(talk->vdev, VDEV_STARTED);
	return TALK_DONE;
}

/* The keys under which the Realm's data travelled go before the next owner comes. */
static enum talk_end unlock_step(struct talk *talk)
{
	enum talk_end end;
	size_t len;

	if (!talk->step)
		return tdisp_send(talk, 1, TDISP_STOP, NULL, 0);
	if (!tdisp_reply(talk, TDISP_STOP, 0, &len, &end))
		return end;
	if (mutant(MUTANT_STE_OUTLIVES))
		vdev_dma_set(talk->vdev, false);
	vdev_state_set(talk->vdev, mutant(MUTANT_SKIP_KROU) ? VDEV_UNLOCKED : VDEV_KEY_REFRESH);
	return TALK_DONE;
}

/* -- evidence ------------------------------------------------------------------------------------------- */

static enum talk_end measure_step(struct talk *talk)
{
	const uint8_t *record;
	struct cca_vdev *w;
	size_t len;

	if (!talk->step)
		return talk_spdm(talk, 1, SPDM_OP_MEASURE);
	record = spdm_requester_measurements(talk->pdev->requester, &len);
	talk_cache(talk, OBJECT_MEASUREMENTS, true, record, len);
	w = vdev_write(talk->vdev);
	w->meas_nonce = cca_nonce();
	nonces_traced(talk->vdev);
	return spdm_requester_digest(record, len, w->digest[OBJECT_MEASUREMENTS]) ? TALK_FAILED :
										     TALK_DONE;
}

static enum talk_end report_ask(struct talk *talk, uint32_t from)
{
	uint8_t body[4];
	struct writer w = writer_of(body, sizeof(body));

	tdisp_report_put(&w, from);
	return tdisp_send(talk, 1, TDISP_GET_REPORT, body, w.at);
}

static enum talk_end report_step(struct talk *talk)
{
	const struct cca_vdev *vdev = talk->vdev;
	struct cca_vdev *w = vdev_write(vdev);
	size_t len, portion, remainder;
	const uint8_t *payload;
	enum talk_end end;

	if (!talk->step) {
		w->report_len = 0;
		return report_ask(talk, 0);
	}
	payload = tdisp_reply(talk, TDISP_GET_REPORT, 4, &len, &end);
	if (!payload)
		return end;
	payload = tdisp_report_portion(payload, len, w->report_len, sizeof(w->report), &portion,
				       &remainder);
	if (!payload)
		return TALK_FAILED;
	memcpy(w->report + w->report_len, payload, portion);
	w->report_len += (uint32_t)portion;
	talk_cache(talk, OBJECT_REPORT, w->report_len == portion, payload, portion);
	if (remainder)
		return report_ask(talk, w->report_len);
	w->report_nonce = cca_nonce();
	nonces_traced(vdev);
	return spdm_requester_digest(w->report, w->report_len, w->digest[OBJECT_REPORT]) ?
		       TALK_FAILED :
		       TALK_DONE;
}

enum talk_end vdev_step(struct talk *talk)
{
	static enum talk_end (*const steps[])(struct talk *talk) = {
		[OP_INIT] = init_step,	   [OP_LOCK] = lock_step,   [OP_MEASURE] = measure_step,
		[OP_REPORT] = report_step, [OP_START] = start_step, [OP_UNLOCK] = unlock_step,
	};

	return steps[talk->comm->op](talk);
}
