/* SPDX-License-Identifier: BSD-2-Clause */
#include "firmware/ide_km.h"

#include <errno.h>

#include "spdm/pcisig.h"
#include "spdm/spdm.h"

#define KM_PORT 0u			/* port index of function 0 */

static const uint8_t first_ifv[8] = { 1 };

const struct km_phase km_plan_setup[] = { { IDE_KM_KEY_PROG }, { IDE_KM_K_SET_GO }, { 0 } };
const struct km_phase km_plan_refresh[] = {
	{ IDE_KM_KEY_PROG, true }, { IDE_KM_K_SET_GO, true }, { IDE_KM_K_SET_STOP }, { 0 }
};
const struct km_phase km_plan_stop[] = { { IDE_KM_K_SET_STOP }, { 0 } };

struct km_slot km_slot_of(uint8_t object, unsigned int set, unsigned int n)
{
	return (struct km_slot){ .object = object, .set = set,
				 .dir = n >= IDE_SUB_STREAMS ? IDE_TX : IDE_RX,
				 .sub = (enum ide_sub_stream)(n % IDE_SUB_STREAMS) };
}

static enum ide_direction other_end(enum ide_direction dir)
{
	return dir == IDE_RX ? IDE_TX : IDE_RX;
}

static uint8_t slot_code(const struct km_slot *slot)
{
	return (uint8_t)(slot->set | (unsigned int)slot->dir << 1 | (unsigned int)slot->sub << 4);
}

void km_request_put(struct writer *w, uint8_t stream, const struct km_slot *slot,
		    const uint8_t key[KM_KEY])
{
	put_u8(w, slot->object);
	put_le16(w, 0);
	put_u8(w, stream);
	put_u8(w, 0);
	put_u8(w, slot_code(slot));
	put_u8(w, KM_PORT);
	if (slot->object != IDE_KM_KEY_PROG)
		return;
	put_bytes(w, key, KM_KEY);
	put_bytes(w, first_ifv, sizeof(first_ifv));
}

bool km_acked(struct reader reply, uint8_t stream, const struct km_slot *slot, uint8_t *status)
{
	bool programs = slot->object == IDE_KM_KEY_PROG;
	uint8_t object = get_u8(&reply), id, code, said;

	get_le16(&reply);
	id = get_u8(&reply);
	said = get_u8(&reply);
	code = get_u8(&reply);
	*status = programs ? said : IDE_KM_OK;
	return !reply.bad && object == (programs ? IDE_KM_KP_ACK : IDE_KM_K_GOSTOP_ACK) &&
	       id == stream && code == slot_code(slot);
}

int km_program(const struct km_stream *stream, const struct km_slot *slot, uint8_t key[KM_KEY])
{
	if (spdm_random(key, KM_KEY))
		return -ENOMEM;
	return ide_key_program(stream->root_port, stream->id, slot->set, other_end(slot->dir),
			       slot->sub, key, first_ifv) ? -EIO : 0;
}

int km_root_port(const struct km_stream *stream, const struct km_slot *slot)
{
	enum ide_direction dir = other_end(slot->dir);
	int rc = 0;

	if (slot->object == IDE_KM_K_SET_GO)
		rc = ide_key_go(stream->root_port, stream->id, slot->set, dir, slot->sub);
	else if (slot->object == IDE_KM_K_SET_STOP)
		rc = ide_key_stop(stream->root_port, stream->id, slot->set, dir, slot->sub);
	return rc ? -EIO : 0;
}

void km_keys_drop(const struct km_stream *stream)
{
	for (unsigned int set = 0; set < 2; set++)
		for (unsigned int n = 0; n < KM_SLOTS; n++) {
			struct km_slot slot = km_slot_of(IDE_KM_K_SET_STOP, set, n);

			km_root_port(stream, &slot);
		}
}

/* Slot of message `n`; false: past the plan's end. */
static bool plan_slot(const struct km_stream *stream, const struct km_phase *plan, unsigned int n,
		      struct km_slot *slot)
{
	const struct km_phase *phase = &plan[n / KM_SLOTS];

	if (!phase->object)
		return false;
	*slot = km_slot_of(phase->object, phase->other_set ? !stream->set : stream->set,
			   n % KM_SLOTS);
	return true;
}

int km_turn(const struct km_stream *stream, const struct km_phase *plan, unsigned int n,
	    struct reader reply, struct writer *request, uint8_t *refusal)
{
	uint8_t key[KM_KEY];
	struct km_slot slot;
	int rc = 0;

	if (n && plan_slot(stream, plan, n - 1, &slot)) {
		if (!km_acked(reply, stream->id, &slot, refusal))
			return -EPROTO;
		rc = *refusal == IDE_KM_OK ? km_root_port(stream, &slot) : -EREMOTEIO;
	}
	if (rc || !plan_slot(stream, plan, n, &slot))
		return rc;
	if (slot.object == IDE_KM_KEY_PROG)
		rc = km_program(stream, &slot, key);
	if (rc)
		return rc;
	km_request_put(request, stream->id, &slot, key);
	return 1;
}
