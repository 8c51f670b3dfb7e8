/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IDE_KM with the device, and the keys of its root port (PCIe 6.x 6.33.3). Slots go in the order Rx
 * then Tx, as the device sees them; the root port is the other end of each. TIO connects traffic
 * class 0 alone, on one selective stream.
 */
#include "firmware/sev/internal.h"

#define KM_PORT 0u			/* port index of function 0 */
#define KM_SLOTS 6u			/* of a key set */

struct km_phase { uint8_t object; bool other_set; };
static const struct km_phase setup[] = { { IDE_KM_KEY_PROG }, { IDE_KM_K_SET_GO }, { 0 } };
static const struct km_phase roll[] = { { IDE_KM_KEY_PROG, true }, { IDE_KM_K_SET_GO, true },
					{ IDE_KM_K_SET_STOP }, { 0 } };
static const struct km_phase *const plans[] = { [SEV_KEYS_SETUP] = setup, [SEV_KEYS_ROLL] = roll };

struct km_slot {
	const struct sev_device *dev;
	uint8_t object;
	unsigned int set;
	enum ide_direction dir;		/* the device's */
	enum ide_sub_stream sub;
};

/* Slot `n` of a plan; false: past its end. */
static bool slot_of(const struct sev_device *dev, enum sev_plan plan, unsigned int n,
		    struct km_slot *slot)
{
	const struct km_phase *phase = &plans[plan][n / KM_SLOTS];

	if (!phase->object)
		return false;
	*slot = (struct km_slot){ .dev = dev, .object = phase->object,
				  .set = phase->other_set ? !dev->key_set : dev->key_set,
				  .dir = n % KM_SLOTS >= IDE_SUB_STREAMS ? IDE_TX : IDE_RX,
				  .sub = (enum ide_sub_stream)(n % IDE_SUB_STREAMS) };
	return true;
}

static enum ide_direction other_end(enum ide_direction dir)
{
	return dir == IDE_RX ? IDE_TX : IDE_RX;
}

static uint8_t slot_code(const struct km_slot *slot)
{
	return (uint8_t)(slot->set | (unsigned int)slot->dir << 1 | (unsigned int)slot->sub << 4);
}

static enum sev_status slot_send(struct dialog *dialog, unsigned int next,
				 const struct km_slot *slot)
{
	static const uint8_t ifv[8] = { 1 };
	const struct sev_device *dev = slot->dev;
	uint8_t body[64], key[32];
	struct writer w = writer_of(body, sizeof(body));

	put_u8(&w, slot->object);
	put_le16(&w, 0);
	put_u8(&w, dev->stream);
	put_u8(&w, 0);
	put_u8(&w, slot_code(slot));
	put_u8(&w, KM_PORT);
	if (slot->object == IDE_KM_KEY_PROG) {
		if (spdm_random(key, sizeof(key)))
			return SEV_NO_MEMORY;
		if (ide_key_program(dev->root_port, dev->stream, slot->set, other_end(slot->dir),
				    slot->sub, key, ifv))
			return SEV_STREAM_NOT_SECURE;
		put_bytes(&w, key, sizeof(key));
		put_bytes(&w, ifv, sizeof(ifv));
	}
	return sev_dialog_vendor(dialog, next, PCISIG_IDE_KM, body, w.at);
}

static enum sev_status slot_ack(struct dialog *dialog, const struct km_slot *slot)
{
	struct reader r = reader_of(dialog->reply, dialog->reply_len);
	uint8_t object = get_u8(&r), stream, status, code;
	uint8_t expected = slot->object == IDE_KM_KEY_PROG ? IDE_KM_KP_ACK : IDE_KM_K_GOSTOP_ACK;

	get_le16(&r);
	stream = get_u8(&r);
	status = get_u8(&r);
	code = get_u8(&r);
	if (r.bad || object != expected || stream != slot->dev->stream || code != slot_code(slot) ||
	    (expected == IDE_KM_KP_ACK && status != IDE_KM_OK))
		return SEV_SPDM_ERROR;
	return SEV_SUCCESS;
}

/* The device did its half; the root port follows at once. */
static enum sev_status root_port_follows(const struct km_slot *slot)
{
	const struct sev_device *dev = slot->dev;
	enum ide_direction dir = other_end(slot->dir);
	int rc = 0;

	if (slot->object == IDE_KM_K_SET_GO)
		rc = ide_key_go(dev->root_port, dev->stream, slot->set, dir, slot->sub);
	else if (slot->object == IDE_KM_K_SET_STOP)
		rc = ide_key_stop(dev->root_port, dev->stream, slot->set, dir, slot->sub);
	return rc ? SEV_STREAM_NOT_SECURE : SEV_SUCCESS;
}

enum sev_status sev_keys_step(struct dialog *dialog, enum sev_plan plan, unsigned int first,
			      bool *done)
{
	const struct sev_device *dev = dialog->dev;
	unsigned int n = dialog->step - first;
	enum sev_status status = SEV_SUCCESS;
	struct km_slot slot;
	struct sev_device *w;

	*done = false;
	if (n && slot_of(dev, plan, n - 1, &slot)) {
		status = slot_ack(dialog, &slot);
		if (!status)
			status = root_port_follows(&slot);
	}
	if (status)
		return status;
	if (slot_of(dev, plan, n, &slot))
		return slot_send(dialog, dialog->step + 1, &slot);
	w = sev_dev_write(dev);
	w->keyed = true;
	if (plan == SEV_KEYS_ROLL)
		w->key_set = !w->key_set;
	TRACE_STATE(LANE_FIRMWARE, "IDE keys", A("stream", dev->stream), A("op", plan), A("to", 1),
		    A("set", dev->key_set));
	*done = true;
	return SEV_SUCCESS;
}

void sev_keys_drop(const struct sev_device *dev)
{
	for (unsigned int set = 0; set < 2; set++)
		for (unsigned int n = 0; n < KM_SLOTS; n++)
			ide_key_stop(dev->root_port, dev->stream, set,
				     n >= IDE_SUB_STREAMS ? IDE_TX : IDE_RX,
				     (enum ide_sub_stream)(n % IDE_SUB_STREAMS));
}
