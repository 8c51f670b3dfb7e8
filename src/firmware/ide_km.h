/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IDE_KM as every platform's firmware speaks it (PCIe 6.x 6.33.3): keys of one selective stream,
 * traffic class 0. Slots go in the order Rx then Tx, as the device sees them; the root port is the
 * other end of each.
 */
#ifndef SWTIO_FIRMWARE_IDE_KM_H
#define SWTIO_FIRMWARE_IDE_KM_H

#include "hardware/ide.h"
#include "image/bytes.h"

#define KM_SLOTS 6u			/* of a key set */
#define KM_KEY 32u
#define KM_REQUEST_MAX 64u

struct km_stream {
	uint16_t root_port;
	uint8_t id;			/* on the wire */
	unsigned int set;		/* the key set in use */
};
struct km_slot {
	uint8_t object;
	unsigned int set;
	enum ide_direction dir;		/* the device's */
	enum ide_sub_stream sub;
};

/* Slot `n` of a key set. */
struct km_slot km_slot_of(uint8_t object, unsigned int set, unsigned int n);
/* A request for the slot; a key goes with KEY_PROG only. */
void km_request_put(struct writer *w, uint8_t stream, const struct km_slot *slot,
		    const uint8_t key[KM_KEY]);
/* Whether the reply is the slot's; then *status is what a KP_ACK says, IDE_KM_OK otherwise. */
bool km_acked(struct reader reply, uint8_t stream, const struct km_slot *slot, uint8_t *status);
/* A new key, which the root port takes at once. 0, -ENOMEM no random bytes, -EIO the root port. */
int km_program(const struct km_stream *stream, const struct km_slot *slot, uint8_t key[KM_KEY]);
/* The root port follows K_SET_GO and K_SET_STOP; 0 or -EIO. */
int km_root_port(const struct km_stream *stream, const struct km_slot *slot);
/* No key of either set is left in the root port. */
void km_keys_drop(const struct km_stream *stream);

/* A plan is phases of one message a slot, ended by an object of 0. */
struct km_phase { uint8_t object; bool other_set; };
extern const struct km_phase km_plan_setup[], km_plan_refresh[], km_plan_stop[];
/* Message `n` of a plan, after the answer to the one before: 1 it is in *request, 0 the plan is
 * done; -EPROTO a wrong answer, -EREMOTEIO a refusal (its code in *refusal), -EIO the root port
 * refused, -ENOMEM. */
int km_turn(const struct km_stream *stream, const struct km_phase *plan, unsigned int n,
	    struct reader reply, struct writer *request, uint8_t *refusal);

#endif
