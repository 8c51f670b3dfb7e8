/* SPDX-License-Identifier: BSD-2-Clause */
/* TIO itself, and devices: contexts, SPDM sessions and IDE keys. The secrets of a session stay here;
 * what the device shows goes out, and its digests to the guest. */
#include "firmware/sev/internal.h"

#define TC0 1u
#define CERTIFICATES_SCRATCH 16384u	/* room to gather a chain in */
#define SPDM_ROOM 8192u			/* of a request or response buffer */

const struct sev_device *sev_device_of(uint64_t sla)
{
	uint64_t ctx = sev_sla_page(sla);
	const struct sev_device *dev = sev_psp() && ctx ? sev_psp()->devices : NULL;

	while (dev && dev->ctx != ctx)
		dev = dev->next;
	return dev;
}

static enum sev_status tio_status(const struct call *call)
{
	static const uint32_t sizes[] = { SPDM_ROOM, SPDM_ROOM, SPDM_ROOM, SPDM_ROOM, PHYS_PAGE,
		65536, PHYS_PAGE, 65536, SEV_CONTEXT_PAGES * PHYS_PAGE, SEV_CONTEXT_PAGES * PHYS_PAGE };
	uint8_t page[SEV_STATUS_SIZE];
	struct writer w = writer_of(page, sizeof(page));

	put_le32(&w, SEV_STATUS_SIZE);
	put_le32(&w, (sev_psp()->tio ? SEV_STATUS_TIO_EN : 0) |
			     (sev_psp()->tio_init ? SEV_STATUS_TIO_INIT : 0));
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		put_le32(&w, sizes[i]);
	put_u8(&w, 1);		/* DHE P-384, AES-256, ECDSA P-384, SHA-384 */
	put_u8(&w, 1);
	put_u8(&w, 2);
	put_u8(&w, 1);
	return phys_write(call->args.out, page, w.at, 0) ? SEV_INVALID_ADDRESS : SEV_SUCCESS;
}

static enum sev_status tio_init(const struct call *call)
{
	(void)call;
	if (!sev_psp()->tio)
		return SEV_INVALID_PLATFORM_STATE;
	if (sev_psp()->tio_init)
		return SEV_DEV_BUSY;
	sev_psp_write()->tio_init = true;
	return SEV_SUCCESS;
}

static bool device_known(uint16_t rid)
{
	for (const struct sev_device *dev = sev_psp()->devices; dev; dev = dev->next)
		if (dev->rid == rid)
			return true;
	return false;
}

static enum sev_status dev_create(const struct call *call)
{
	struct spdm_requester *requester;
	struct spdm_wire *out = NULL;
	struct sev_device *dev = NULL;

	if (!sev_psp()->tio_init)
		return SEV_INVALID_PLATFORM_STATE;
	if (!sev_page_free(sev_sla_page(call->args.dev_ctx)))
		return SEV_INVALID_PAGE_STATE;
	if (!call->args.rid || call->args.segment || device_known(call->args.rid))
		return SEV_INVALID_PARAM;
	requester = image_alloc(spdm_requester_size(), IMAGE_TYPE_SPDM);
	if (requester)
		out = image_alloc(sizeof(*out), IMAGE_TYPE_SPDM);
	if (out)
		dev = image_alloc(sizeof(*dev), IMAGE_TYPE_SEV);
	if (!dev) {
		image_free(out);
		image_free(requester);
		return SEV_NO_MEMORY;
	}
	spdm_requester_init(requester, NULL, 0);
	dev->requester = requester;
	dev->out = out;
	dev->ctx = sev_sla_page(call->args.dev_ctx);
	dev->rid = call->args.rid;
	dev->root_port = call->args.root_port;
	dev->next = sev_psp()->devices;
	sev_psp_write()->devices = dev;
	return SEV_SUCCESS;
}

static enum sev_status dev_reclaim(const struct call *call)
{
	const struct sev_device *dev = sev_device_of(call->args.dev_ctx);
	const struct sev_device *const *link = &sev_psp()->devices;

	if (!dev)
		return SEV_INVALID_ADDRESS;
	if ((dev->tdis || dev->connected || dev->op.command) && mutant(MUTANT_DEV_RECLAIM_EARLY))
		return SEV_SUCCESS;	/* the page goes, and what is in it is still used */
	if (dev->tdis || dev->connected || dev->op.command)
		return SEV_DEV_INVALID_STATE;
	while (*link != dev)
		link = &(*link)->next;
	sev_link_set(link, dev->next);
	sev_page_release(dev->ctx);
	image_free(dev->out);
	image_free(dev->requester);
	image_free(dev);
	return SEV_SUCCESS;
}

/* -- connect --------------------------------------------------------------------------------- */

static enum sev_status digests_take(const struct sev_device *dev)
{
	size_t chain_len = 0, record_len = 0;
	const uint8_t *chain = spdm_requester_chain(dev->requester, &chain_len);
	const uint8_t *record = spdm_requester_measurements(dev->requester, &record_len);
	struct sev_device *w = sev_dev_write(dev);

	w->known = chain_len && record_len;
	return spdm_requester_digest(chain, chain_len, w->certificates) ||
			       spdm_requester_digest(record, record_len, w->measurements) ?
		       SEV_NO_MEMORY :
		       SEV_SUCCESS;
}

/* The scratch buffer must have room for a chain: the host grows it, and the command goes on. */
static enum sev_status scratch_check(const struct call *call)
{
	uint8_t wanted[8] = { 0 };
	struct writer w = writer_of(wanted, sizeof(wanted));

	if (sev_sla_room(call->args.spdm.scratch, true) >= CERTIFICATES_SCRATCH)
		return SEV_SUCCESS;
	put_le32(&w, CERTIFICATES_SCRATCH);
	return sev_sla_write(call->args.spdm.scratch, 0, wanted, sizeof(wanted)) ?
		       SEV_EXPAND_BUFFER :
		       SEV_INVALID_ADDRESS;
}

static enum sev_status connect_step(struct dialog *dialog)
{
	const struct sev_device *dev = dialog->dev;
	enum sev_status status;
	struct sev_device *w;
	bool done;

	switch (dialog->step) {
	case 0:
		status = scratch_check(dialog->call);
		if (status)
			return status;
		spdm_requester_init(sev_requester_write(dev), NULL, 0);
		spdm_requester_trust_own_root(sev_requester_write(dev), true);
		return sev_dialog_spdm(dialog, 1, SPDM_OP_CONNECT);
	case 1:
		TRACE_STATE(LANE_FIRMWARE, "SPDM session", A("func", dev->rid), A("from", 0),
			    A("to", spdm_requester_session_id(dev->requester)));
		return sev_dialog_spdm(dialog, 2, SPDM_OP_MEASURE);
	case 2:
		status = digests_take(dev);
		if (status)
			return status;
		break;
	default:
		break;
	}
	status = sev_keys_step(dialog, SEV_KEYS_SETUP, 2, &done);
	if (done) {
		w = sev_dev_write(dev);
		w->connected = true;
	}
	return status;
}

static enum sev_status dev_connect(const struct call *call)
{
	const struct sev_device *dev = sev_device_of(call->args.dev_ctx);

	if (!dev)
		return SEV_INVALID_ADDRESS;
	if (sev_dialog_begins(dev, call) && !dev->op.command) {
		if (dev->connected || spdm_requester_session(dev->requester))
			return SEV_DEV_INVALID_STATE;
		if (call->args.tc_mask != TC0 || call->args.slot)
			return SEV_INVALID_PARAM;
		sev_dev_write(dev)->stream = call->args.streams[0];
	}
	return sev_dialog_run(dev, call, connect_step);
}

static enum sev_status roll_step(struct dialog *dialog)
{
	bool done;

	return sev_keys_step(dialog, SEV_KEYS_ROLL, 0, &done);
}

static enum sev_status roll_key(const struct call *call)
{
	const struct sev_device *dev = sev_device_of(call->args.dev_ctx);

	if (!dev)
		return SEV_INVALID_ADDRESS;
	if (sev_dialog_begins(dev, call) && !dev->op.command && !dev->keyed)
		return SEV_DEV_INVALID_STATE;
	return sev_dialog_run(dev, call, roll_step);
}

/* -- disconnect ------------------------------------------------------------------------------ */

void sev_session_lost(const struct sev_device *dev)
{
	sev_dev_write(dev)->keyed = false;
	for (const struct sev_tdi *tdi = sev_psp()->tdis; tdi; tdi = tdi->next)
		if (tdi->dev == dev && (tdi->uncertain || tdi->tdisp_state != TDISP_UNLOCKED))
			sev_tdi_state_set(tdi, TDISP_ERROR_STATE);
}

static enum sev_status disconnected(const struct sev_device *dev)
{
	sev_keys_drop(dev);
	sev_session_lost(dev);
	sev_dev_write(dev)->connected = false;
	return SEV_SUCCESS;
}

static enum sev_status disconnect_step(struct dialog *dialog)
{
	if (!dialog->step)
		return sev_dialog_spdm(dialog, 1, SPDM_OP_END);
	return disconnected(dialog->dev);
}

static bool any_bound(const struct sev_device *dev)
{
	for (const struct sev_tdi *tdi = sev_psp()->tdis; tdi; tdi = tdi->next)
		if (tdi->dev == dev && tdi->guest)
			return true;
	return false;
}

/* With FORCE the device is not asked: what is under way is dropped, the session with it. */
static enum sev_status dev_disconnect(const struct call *call)
{
	const struct sev_device *dev = sev_device_of(call->args.dev_ctx);

	if (!dev)
		return SEV_INVALID_ADDRESS;
	if (any_bound(dev))
		return SEV_TDI_BOUND;
	if (call->args.flags & SEV_FORCE) {
		sev_dialog_drop(dev);
		spdm_requester_init(sev_requester_write(dev), NULL, 0);
		return disconnected(dev);
	}
	if (!dev->op.command && !spdm_requester_session(dev->requester))
		return dev->connected ? disconnected(dev) : SEV_SUCCESS;
	return sev_dialog_run(dev, call, disconnect_step);
}

/* -- what a device is ------------------------------------------------------------------------ */

static enum sev_status dev_status(const struct call *call)
{
	const struct sev_device *dev = sev_device_of(call->args.dev_ctx);
	uint8_t page[SEV_DEV_STATUS_SIZE] = { 0 };
	struct writer w = writer_of(page, sizeof(page));

	if (!dev)
		return SEV_INVALID_ADDRESS;
	put_le32(&w, SEV_DEV_STATUS_SIZE);
	put_u8(&w, dev->connected);
	put_u8(&w, ide_secure(dev->root_port, dev->stream));
	return phys_write(call->args.out, page, sizeof(page), 0) ? SEV_INVALID_ADDRESS :
								   SEV_SUCCESS;
}

/* Measured anew, so that the guest's nonce of the moment means something. */
static enum sev_status measure_step(struct dialog *dialog)
{
	const uint8_t *record;
	enum sev_status status;
	size_t len;

	if (!dialog->step)
		return sev_dialog_spdm(dialog, 1, SPDM_OP_MEASURE);
	status = digests_take(dialog->dev);
	record = spdm_requester_measurements(dialog->dev->requester, &len);
	return status ? status :
			sev_object_put(dialog->call->args.spdm.output, SEV_OBJECT_MEASUREMENTS, 0,
				       record, len);
}

static enum sev_status dev_measurements(const struct call *call)
{
	const struct sev_device *dev = sev_device_of(call->args.dev_ctx);

	if (!dev)
		return SEV_INVALID_ADDRESS;
	if (!dev->op.command && !dev->connected)
		return SEV_DEV_INVALID_STATE;
	return sev_dialog_run(dev, call, measure_step);
}

static enum sev_status dev_certificates(const struct call *call)
{
	const struct sev_device *dev = sev_device_of(call->args.dev_ctx);
	const uint8_t *chain;
	size_t len;

	if (!dev)
		return SEV_INVALID_ADDRESS;
	if (!dev->connected)
		return SEV_DEV_INVALID_STATE;
	chain = spdm_requester_chain(dev->requester, &len);
	return sev_object_put(call->args.spdm.output, SEV_OBJECT_CERTIFICATES, 0, chain, len);
}

const struct command_row sev_device_commands[] = {
	{ SEV_CMD_TIO_STATUS, tio_status },
	{ SEV_CMD_TIO_INIT, tio_init },
	{ SEV_CMD_TIO_DEV_CREATE, dev_create },
	{ SEV_CMD_TIO_DEV_RECLAIM, dev_reclaim },
	{ SEV_CMD_TIO_DEV_CONNECT, dev_connect },
	{ SEV_CMD_TIO_ROLL_KEY, roll_key },
	{ SEV_CMD_TIO_DEV_DISCONNECT, dev_disconnect },
	{ SEV_CMD_TIO_DEV_STATUS, dev_status },
	{ SEV_CMD_TIO_DEV_MEASUREMENTS, dev_measurements },
	{ SEV_CMD_TIO_DEV_CERTIFICATES, dev_certificates },
	{ 0, NULL },
};
