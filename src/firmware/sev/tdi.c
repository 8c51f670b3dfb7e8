/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TDIs: created, bound to a guest, unbound, reclaimed. An unbind takes the guest's things from the
 * TDI whatever the host did before: the order of the rest is the host's, and hardware's to judge.
 */
#include "firmware/sev/internal.h"


const struct sev_tdi *sev_tdi_of(uint64_t sla)
{
	uint64_t ctx = sev_sla_page(sla);
	const struct sev_tdi *tdi = sev_psp() && ctx ? sev_psp()->tdis : NULL;

	while (tdi && tdi->ctx != ctx)
		tdi = tdi->next;
	return tdi;
}

const struct sev_tdi *sev_tdi_of_rid(uint16_t rid)
{
	const struct sev_tdi *tdi = sev_psp() ? sev_psp()->tdis : NULL;

	while (tdi && tdi->rid != rid)
		tdi = tdi->next;
	return tdi;
}

void sev_tdi_state_set(const struct sev_tdi *tdi, enum tdisp_state state)
{
	struct sev_tdi *w = sev_tdi_write(tdi);

	w->tdisp_state = (uint8_t)state;
	w->uncertain = false;
}

static enum sev_status tdi_create(const struct call *call)
{
	const struct sev_device *dev = sev_device_of(call->args.dev_ctx);
	struct sev_tdi *tdi;

	if (!dev)
		return SEV_INVALID_ADDRESS;
	if (!dev->connected)
		return SEV_DEV_INVALID_STATE;
	if (!sev_page_free(sev_sla_page(call->args.tdi_ctx)))
		return SEV_INVALID_PAGE_STATE;
	if (!call->args.rid || sev_tdi_of_rid(call->args.rid))
		return SEV_INVALID_PARAM;
	tdi = image_alloc(sizeof(*tdi), IMAGE_TYPE_SEV);
	if (!tdi)
		return SEV_NO_MEMORY;
	tdi->ctx = sev_sla_page(call->args.tdi_ctx);
	tdi->dev = dev;
	tdi->rid = call->args.rid;
	tdi->next = sev_psp()->tdis;
	sev_psp_write()->tdis = tdi;
	sev_dev_write(dev)->tdis++;
	return SEV_SUCCESS;
}

/* Only when the device said UNLOCKED; with FORCE also when it can say nothing any more. */
static enum sev_status tdi_reclaim(const struct call *call)
{
	const struct sev_tdi *tdi = sev_tdi_of(call->args.tdi_ctx);
	const struct sev_tdi *const *link = &sev_psp()->tdis;
	bool force = call->args.flags & SEV_FORCE, unlocked;

	if (!tdi || tdi->dev != sev_device_of(call->args.dev_ctx))
		return SEV_INVALID_ADDRESS;
	unlocked = tdi->tdisp_state == TDISP_UNLOCKED && !tdi->uncertain;
	if ((tdi->guest || !unlocked) && mutant(MUTANT_RECLAIM_EARLY))
		return SEV_SUCCESS;	/* the page goes, and what is in it is still used */
	if (tdi->guest)
		return SEV_TDI_BOUND;
	if (tdi->dev->op.command && tdi->dev->op.tdi_ctx == call->args.tdi_ctx)
		return SEV_DEV_BUSY;
	if (!unlocked && !(force && !spdm_requester_session(tdi->dev->requester)))
		return SEV_TDI_INVALID_STATE;
	while (*link != tdi)
		link = &(*link)->next;
	sev_link_set(link, tdi->next);
	sev_dev_write(tdi->dev)->tdis--;
	sev_page_release(tdi->ctx);
	image_free(tdi);
	return SEV_SUCCESS;
}

/* -- bind ------------------------------------------------------------------------------------ */

static enum sev_status report_ask(struct dialog *dialog, unsigned int next, uint32_t from)
{
	uint8_t body[4];
	struct writer w = writer_of(body, sizeof(body));

	tdisp_report_put(&w, from);
	return sev_tdisp_send(dialog, next, TDISP_GET_REPORT, body, w.at);
}

static enum sev_status bind_begin(struct dialog *dialog)
{
	return sev_tdisp_send(dialog, 1, TDISP_GET_VERSION, NULL, 0);
}

static enum sev_status bind_version(struct dialog *dialog)
{
	static const uint8_t tsm_caps[4];
	enum sev_status status;
	size_t len;
	const uint8_t *payload = sev_tdisp_reply(dialog, TDISP_GET_VERSION, 1, &len, &status);

	if (!payload)
		return status;
	if (!tdisp_speaks_10(payload, len))
		return SEV_SPDM_ERROR;
	return sev_tdisp_send(dialog, 2, TDISP_GET_CAPABILITIES, tsm_caps,
			      sizeof(tsm_caps));
}

static enum sev_status bind_capabilities(struct dialog *dialog)
{
	enum sev_status status;
	size_t len;
	const uint8_t *payload = sev_tdisp_reply(dialog, TDISP_GET_CAPABILITIES, TDISP_CAPABILITIES_LEN,
						 &len, &status);
	uint8_t body[20];
	struct writer w = writer_of(body, sizeof(body));

	if (!payload)
		return status;
	if (dialog->call->args.lock_flags & ~tdisp_lock_flags(payload, len))
		return SEV_INVALID_PARAM;
	sev_tdi_write(dialog->tdi)->uncertain = true;
	/* pages are reported where they are */
	tdisp_lock_put(&w, dialog->call->args.lock_flags, dialog->dev->stream, 0, 0);
	return sev_tdisp_send(dialog, 3, TDISP_LOCK, body, w.at);
}

static enum sev_status bind_locked(struct dialog *dialog)
{
	enum sev_status status;
	size_t len;
	const uint8_t *nonce = sev_tdisp_reply(dialog, TDISP_LOCK, TDISP_NONCE, &len, &status);

	if (!nonce)
		return status;
	sev_tdi_state_set(dialog->tdi, TDISP_LOCKED);
	memcpy(sev_tdi_write(dialog->tdi)->nonce, nonce, TDISP_NONCE);
	sev_tdi_write(dialog->tdi)->lock_flags = dialog->call->args.lock_flags;
	sev_tdi_write(dialog->tdi)->report_len = 0;
	return report_ask(dialog, 4, 0);
}

static void bind_done(const struct sev_tdi *tdi, const struct sev_guest *guest, uint16_t guest_rid)
{
	struct sev_tdi *w = sev_tdi_write(tdi);

	w->guest = guest;
	w->guest_rid = guest_rid;
	w->id = sev_psp()->next_tdi;
	if (!mutant(MUTANT_TDI_ID_REUSE))
		sev_psp_write()->next_tdi++;
	sev_guest_write(guest)->tdis++;
	TRACE_STATE(LANE_FIRMWARE, "TDI bind", A("rid", tdi->rid), A("asid", guest->asid),
		    A("id", w->id));
	if (mutant(MUTANT_SDTE_AT_BIND)) {
		const struct iommu_sdte sdte = { .valid = true, .asid = guest->asid };

		iommu_sdte_set(tdi->rid, &sdte);
		TRACE_STATE(LANE_FIRMWARE, "sDTE", A("rid", tdi->rid), A("asid", guest->asid),
			    A("to", 1));
	}
}

static enum sev_status bind_report(struct dialog *dialog)
{
	const struct sev_tdi *tdi = dialog->tdi;
	enum sev_status status;
	bool more = false;
	size_t len;
	const uint8_t *payload = sev_tdisp_reply(dialog, TDISP_GET_REPORT, 4, &len, &status);

	if (!payload)
		return status;
	status = sev_report_add(tdi, payload, len, &more);
	if (!status && more)
		return report_ask(dialog, 4, tdi->report_len);
	if (!status)
		status = sev_report_parse(tdi);
	if (status)
		return status;
	bind_done(tdi, sev_guest_of(dialog->call->args.gctx), dialog->call->args.guest_rid);
	dialog->next = 5;
	return sev_object_put(dialog->call->args.spdm.output, SEV_OBJECT_REPORT, 0, tdi->report,
			      tdi->report_len);
}

/* Again, after the host made room. */
static enum sev_status bind_output(struct dialog *dialog)
{
	return sev_object_put(dialog->call->args.spdm.output, SEV_OBJECT_REPORT, 0,
			      dialog->tdi->report, dialog->tdi->report_len);
}

static enum sev_status bind_step(struct dialog *dialog)
{
	static enum sev_status (*const steps[])(struct dialog *dialog) = {
		bind_begin, bind_version, bind_capabilities, bind_locked, bind_report, bind_output,
	};

	return steps[dialog->step](dialog);
}

static enum sev_status run_step(struct dialog *dialog)
{
	const struct sev_tdi *tdi = dialog->tdi;
	enum sev_status status;
	size_t len;

	if (!dialog->step) {
		sev_tdi_write(tdi)->uncertain = true;
		return sev_tdisp_send(dialog, 1, TDISP_START, tdi->nonce, TDISP_NONCE);
	}
	if (sev_tdisp_reply(dialog, TDISP_START, 0, &len, &status))
		sev_tdi_state_set(tdi, TDISP_RUN);
	return status;
}

static bool stream_secure(const struct sev_device *dev)
{
	return dev->keyed && ide_secure(dev->root_port, dev->stream);
}

static enum sev_status bind_check(const struct call *call, const struct sev_tdi *tdi)
{
	const struct sev_guest *guest = sev_guest_of(call->args.gctx);
	bool run = call->args.run_flags & SEV_RUN;

	if (!guest || guest->state != GUEST_RUNNING || !guest->asid)
		return SEV_INVALID_GUEST_STATE;
	if (!stream_secure(tdi->dev))
		return SEV_STREAM_NOT_SECURE;
	if (run)
		return tdi->guest == guest && tdi->tdisp_state == TDISP_LOCKED && !tdi->uncertain ?
			       SEV_SUCCESS :
			       SEV_TDI_INVALID_STATE;
	if (tdi->guest)
		return SEV_TDI_BOUND;
	return tdi->tdisp_state == TDISP_UNLOCKED && !tdi->uncertain ? SEV_SUCCESS :
								       SEV_TDI_INVALID_STATE;
}

/* With the run flag the TDI is bound already and goes from LOCKED to RUN. */
static enum sev_status tdi_bind(const struct call *call)
{
	const struct sev_tdi *tdi = sev_tdi_of(call->args.tdi_ctx);
	enum sev_status status = SEV_SUCCESS;

	if (!tdi || tdi->dev != sev_device_of(call->args.dev_ctx))
		return SEV_INVALID_ADDRESS;
	if (!tdi->dev->op.command)
		status = bind_check(call, tdi);
	if (status)
		return status;
	return sev_dialog_run(tdi->dev, call,
			      call->args.run_flags & SEV_RUN ? run_step : bind_step);
}

/* -- unbind ---------------------------------------------------------------------------------- */

static void range_release(const struct tdi_range *range, uint16_t asid)
{
	uint64_t first = 0, run = 0;

	for (uint32_t i = 0; i < range->pages; i++) {
		uint64_t hpa = range->hpa + (uint64_t)i * PHYS_PAGE;
		struct rmp_entry entry = rmp_read(hpa);

		if (!entry.assigned || entry.asid != asid)
			continue;
		if (entry.validated && !run++)
			first = hpa;
		rmp_validated_set(hpa, false, false);
	}
	if (run)
		TRACE_STATE(LANE_FIRMWARE, "RMP validated", A("hpa", first), A("pages", run),
			    A("asid", asid), A("to", 0));
}

void sev_tdi_release(const struct sev_tdi *tdi)
{
	const struct iommu_sdte off = { 0 };
	struct sev_tdi *w;

	if (!tdi->guest)
		return;
	if (iommu_sdte(tdi->rid).valid && !mutant(MUTANT_SDTE_OUTLIVES_UNBIND)) {
		iommu_sdte_set(tdi->rid, &off);
		TRACE_STATE(LANE_FIRMWARE, "sDTE", A("rid", tdi->rid), A("asid", tdi->guest->asid),
			    A("to", 0));
	}
	for (unsigned int i = 0; i < tdi->range_count; i++)
		range_release(&tdi->ranges[i], tdi->guest->asid);
	sev_guest_write(tdi->guest)->tdis--;
	w = sev_tdi_write(tdi);
	w->guest = NULL;
	w->validated = 0;
	TRACE_STATE(LANE_FIRMWARE, "TDI unbind", A("rid", tdi->rid));
}

static enum sev_status unbind_step(struct dialog *dialog)
{
	const struct sev_tdi *tdi = dialog->tdi;
	enum sev_status status;
	size_t len;

	if (!dialog->step)
		return sev_tdisp_send(dialog, 1, TDISP_STOP, NULL, 0);
	if (!sev_tdisp_reply(dialog, TDISP_STOP, 0, &len, &status))
		return status;
	sev_tdi_state_set(tdi, TDISP_UNLOCKED);
	sev_tdi_release(tdi);
	return SEV_SUCCESS;
}

/* A device that can not be told, or does not listen: its stream is cut, the guest's things go. */
static enum sev_status unbind_deaf(const struct sev_tdi *tdi)
{
	sev_keys_drop(tdi->dev);
	if (tdi->tdisp_state != TDISP_UNLOCKED || tdi->uncertain)
		sev_tdi_state_set(tdi, TDISP_ERROR_STATE);
	sev_tdi_release(tdi);
	return SEV_SUCCESS;
}

/*
 * STOP, and nothing of the guest is left with the TDI. With FORCE an operation under way is dropped
 * first, a forced STOP too that stays without an answer; and without a session nothing can be said to
 * the device any more: then its stream is cut, and only TDI_STATUS tells what is known of it.
 */
static enum sev_status tdi_unbind(const struct call *call)
{
	const struct sev_tdi *tdi = sev_tdi_of(call->args.tdi_ctx);
	bool force = call->args.flags & SEV_FORCE;
	enum sev_status status;

	if (!tdi || tdi->dev != sev_device_of(call->args.dev_ctx))
		return SEV_INVALID_ADDRESS;
	if (tdi->guest && tdi->guest != sev_guest_of(call->args.gctx))
		return SEV_INVALID_GUEST_STATE;
	if (force && (tdi->dev->op.command != SEV_CMD_TIO_TDI_UNBIND ||
		      sev_dialog_silent(tdi->dev, call)))
		sev_dialog_drop(tdi->dev);
	if (!tdi->dev->op.command && !spdm_requester_session(tdi->dev->requester))
		return force ? unbind_deaf(tdi) : SEV_SPDM_ERROR;
	status = sev_dialog_run(tdi->dev, call, unbind_step);
	return force && (status == SEV_SPDM_ERROR || status == SEV_TDI_INVALID_STATE) ?
		       unbind_deaf(tdi) :
		       status;
}

/* -- questions ------------------------------------------------------------------------------- */

static enum sev_status status_give(const struct call *call, const struct sev_tdi *tdi)
{
	uint8_t page[SEV_TDI_STATUS_SIZE] = { 0 };
	struct writer w = writer_of(page, sizeof(page));

	put_le32(&w, SEV_TDI_STATUS_SIZE);
	put_le32(&w, tdi->guest != NULL);
	put_u8(&w, tdi->tdisp_state);
	return phys_write(call->args.out, page, sizeof(page), 0) ? SEV_INVALID_ADDRESS :
								   SEV_SUCCESS;
}

static enum sev_status status_step(struct dialog *dialog)
{
	const struct sev_tdi *tdi = dialog->tdi;
	const uint8_t *state;
	enum sev_status status;
	size_t len;

	if (!dialog->step)
		return sev_tdisp_send(dialog, 1, TDISP_GET_STATE, NULL, 0);
	state = sev_tdisp_reply(dialog, TDISP_GET_STATE, 1, &len, &status);
	if (!state)
		return status;
	if (*state > TDISP_ERROR_STATE)
		return SEV_SPDM_ERROR;
	/* A lock or a start that is not known to be ours is worth nothing. */
	if ((*state == TDISP_LOCKED || *state == TDISP_RUN) && *state != tdi->tdisp_state)
		sev_tdi_state_set(tdi, TDISP_ERROR_STATE);
	else
		sev_tdi_state_set(tdi, (enum tdisp_state)*state);
	return status_give(dialog->call, tdi);
}

static enum sev_status tdi_status(const struct call *call)
{
	const struct sev_tdi *tdi = sev_tdi_of(call->args.tdi_ctx);

	if (!tdi || tdi->dev != sev_device_of(call->args.dev_ctx))
		return SEV_INVALID_ADDRESS;
	if (!tdi->dev->op.command && !spdm_requester_session(tdi->dev->requester))
		return status_give(call, tdi);
	return sev_dialog_run(tdi->dev, call, status_step);
}

static enum sev_status tdi_info(const struct call *call)
{
	const struct sev_tdi *tdi = sev_tdi_of(call->args.tdi_ctx);
	uint8_t page[SEV_TDI_INFO_SIZE];
	struct writer w = writer_of(page, sizeof(page));

	if (!tdi)
		return SEV_INVALID_ADDRESS;
	put_le32(&w, SEV_TDI_INFO_SIZE);
	put_le32(&w, tdi->guest != NULL);
	put_le16(&w, tdi->rid);
	put_le16(&w, tdi->guest_rid);
	put_le32(&w, tdi->guest ? tdi->guest->asid : 0);
	put_le64(&w, tdi->guest ? tdi->id : 0);
	return phys_write(call->args.out, page, sizeof(page), 0) ? SEV_INVALID_ADDRESS :
								   SEV_SUCCESS;
}

/* The report once more, as it was at the bind: the one the guest has the digest of. */
static enum sev_status tdi_report(const struct call *call)
{
	const struct sev_tdi *tdi = sev_tdi_of(call->args.tdi_ctx);

	if (!tdi)
		return SEV_INVALID_ADDRESS;
	if (!tdi->guest)
		return SEV_TDI_INVALID_STATE;
	return sev_object_put(call->args.spdm.output, SEV_OBJECT_REPORT, 0, tdi->report,
			      tdi->report_len);
}

const struct command_row sev_tdi_commands[] = {
	{ SEV_CMD_TIO_TDI_CREATE, tdi_create },
	{ SEV_CMD_TIO_TDI_RECLAIM, tdi_reclaim },
	{ SEV_CMD_TIO_TDI_BIND, tdi_bind },
	{ SEV_CMD_TIO_TDI_UNBIND, tdi_unbind },
	{ SEV_CMD_TIO_TDI_STATUS, tdi_status },
	{ SEV_CMD_TIO_TDI_INFO, tdi_info },
	{ SEV_CMD_TIO_TDI_REPORT, tdi_report },
	{ 0, NULL },
};
