/* SPDX-License-Identifier: BSD-2-Clause */
/* The keys of a device's stream: IDE_KM, step by step. TIO connects traffic class 0 alone. */
#include "firmware/ide_km.h"
#include "firmware/sev/internal.h"

static const struct km_phase *const plans[] = { [SEV_KEYS_SETUP] = km_plan_setup,
						[SEV_KEYS_ROLL] = km_plan_refresh };
static const struct { int error; enum sev_status status; } refusals[] = {
	{ -ENOMEM, SEV_NO_MEMORY }, { -EIO, SEV_STREAM_NOT_SECURE }, { -EPROTO, SEV_SPDM_ERROR },
	{ -EREMOTEIO, SEV_SPDM_ERROR }, { 0, SEV_SUCCESS },
};

static struct km_stream stream_of(const struct sev_device *dev)
{
	return (struct km_stream){ .root_port = dev->root_port, .id = dev->stream,
				   .set = dev->key_set };
}

static enum sev_status status_of(int error)
{
	unsigned int i = 0;

	while (refusals[i].error && refusals[i].error != error)
		i++;
	return refusals[i].status;
}

enum sev_status sev_keys_step(struct dialog *dialog, enum sev_plan plan, unsigned int first,
			      bool *done)
{
	const struct sev_device *dev = dialog->dev;
	struct km_stream stream = stream_of(dev);
	uint8_t body[KM_REQUEST_MAX], refusal;
	struct writer w = writer_of(body, sizeof(body));
	int rc = km_turn(&stream, plans[plan], dialog->step - first,
			 reader_of(dialog->reply, dialog->reply_len), &w, &refusal);
	struct sev_device *written;

	*done = false;
	if (rc > 0)
		return sev_dialog_vendor(dialog, dialog->step + 1, PCISIG_IDE_KM, body, w.at);
	if (rc)
		return status_of(rc);
	written = sev_dev_write(dev);
	written->keyed = true;
	if (plan == SEV_KEYS_ROLL)
		written->key_set = !written->key_set;
	TRACE_STATE(LANE_FIRMWARE, "IDE keys", A("stream", dev->stream), A("op", plan), A("to", 1),
		    A("set", dev->key_set));
	*done = true;
	return SEV_SUCCESS;
}

void sev_keys_drop(const struct sev_device *dev)
{
	struct km_stream stream = stream_of(dev);

	km_keys_drop(&stream);
}
