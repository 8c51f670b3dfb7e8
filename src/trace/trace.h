/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The trace: one event per cross-lane call, in a ring in the image. Charts, invariants, coverage
 * and exports all read it. Events survive the rollback of the call that made them (a refused call
 * is part of the story) and go back only with a snapshot.
 *
 *	struct trace_call call = TRACE_CALL(LANE_TSM, LANE_FIRMWARE, "TDH.MMIO.MAP", A("gpa", gpa));
 *	...
 *	trace_return(&call, rc, NULL);
 *
 * An event's result is filled in when the call returns; until then it is TRACE_PENDING.
 */
#ifndef SWTIO_TRACE_TRACE_H
#define SWTIO_TRACE_TRACE_H

#include "image/image.h"

enum lane {
	LANE_GUEST, LANE_GUEST_TSM, LANE_VMM, LANE_VFIO, LANE_IOASID, LANE_IOMMUFD, LANE_TSM, LANE_KVM,
	LANE_FIRMWARE, LANE_HARDWARE, LANE_DEVICE, LANE_ADMIN, LANE_ADVERSARY, LANE_MAX
};
const char *lane_name(enum lane lane);	/* the chart's heading: "Guest TSM", "host TSM", "KVM" ... */

enum trace_kind {
	TRACE_KIND_CALL,	/* downward call with a result */
	TRACE_KIND_EVENT,	/* upward: interrupt, fault, exit, callback; or a state change */
	TRACE_KIND_STATE,	/* from == to: a TDI, stream, leaf changed state; invariants read these */
	TRACE_KIND_NOTE		/* a no-op made visible, a section title */
};

enum trace_result {
	TRACE_RESULT_ERRNO, TRACE_RESULT_TDX, TRACE_RESULT_TDISP, TRACE_RESULT_TLP,
	TRACE_RESULT_CODE,	/* a firmware's or guest request's code: 0 is success */
	TRACE_RESULT_MORE	/* a code that asks for something: neither success nor refusal */
};

#define TRACE_NAME 40
#define TRACE_KEY 16		/* so that an argument has no padding: it is copied into the image whole */
#define TRACE_ARGS 6
#define TRACE_PENDING INT64_MIN

struct trace_arg { char key[TRACE_KEY]; uint64_t value; };

struct trace_event {
	uint64_t seq;			/* from 1, never reused within a run */
	uint64_t clock;			/* ns */
	uint64_t end_clock;		/* when it returned */
	int64_t result;			/* -errno or >= 0, or a status of the kind below */
	uint32_t step;			/* the flow step it belongs to; 0: none */
	uint8_t from, to;		/* enum lane */
	uint8_t kind;			/* enum trace_kind */
	uint8_t result_kind;		/* enum trace_result */
	uint8_t depth;			/* nesting: 0 is what an actor did */
	uint8_t nargs;
	uint16_t pad;
	char name[TRACE_NAME];
	char text[TRACE_NAME];		/* the result in the field's words; "" if the number says it all */
	struct trace_arg args[TRACE_ARGS];
};

struct trace_call { uint64_t seq; };

int trace_power_on(uint32_t events);	/* ring size; 0 for the default */
struct trace_call trace_call(enum lane from, enum lane to, enum trace_kind kind, const char *name,
			     unsigned int nargs, const struct trace_arg *args);
void trace_return(const struct trace_call *call, int64_t result, const char *text);
void trace_return_as(const struct trace_call *call, enum trace_result kind, int64_t result,
		     const char *text);
void trace_arg_add(const struct trace_call *call, const char *key, uint64_t value);

#define A(k, v) { .key = k, .value = (uint64_t)(v) }
#define TRACE_ARGV(...) (const struct trace_arg[]){ __VA_ARGS__ }
#define TRACE_ARGN(...) (sizeof((const struct trace_arg[]){ __VA_ARGS__ }) / sizeof(struct trace_arg))
#define TRACE_CALL(from, to, name, ...) \
	trace_call((from), (to), TRACE_KIND_CALL, (name), TRACE_ARGN(__VA_ARGS__), TRACE_ARGV(__VA_ARGS__))
#define TRACE_CALL0(from, to, name) trace_call((from), (to), TRACE_KIND_CALL, (name), 0, NULL)
#define TRACE_EVENT(from, to, name, ...) \
	trace_event_done((from), (to), TRACE_KIND_EVENT, (name), TRACE_ARGN(__VA_ARGS__), TRACE_ARGV(__VA_ARGS__))
/* A state change: TRACE_STATE(LANE_DEVICE, "TDI", A("rid", rid), A("from", old), A("to", new)). */
#define TRACE_STATE(lane, name, ...) \
	trace_event_done((lane), (lane), TRACE_KIND_STATE, (name), TRACE_ARGN(__VA_ARGS__), TRACE_ARGV(__VA_ARGS__))
void trace_event_done(enum lane from, enum lane to, enum trace_kind kind, const char *name,
		      unsigned int nargs, const struct trace_arg *args);
void trace_note(enum lane from, enum lane to, const char *name, const char *text);

uint64_t trace_first(void);		/* lowest seq still in the ring */
uint64_t trace_next(void);		/* seq the next event will get */
const struct trace_event *trace_get(uint64_t seq);	/* NULL when not in the ring */
uint64_t trace_arg_value(const struct trace_event *event, const char *key, uint64_t otherwise);
void trace_set_enabled(bool on);	/* the explorer's choice; process-local */
/* Nesting of the calls on this process's stack; a call that was left by an abort restores it. */
uint8_t trace_depth(void);
void trace_depth_set(uint8_t depth);

#endif
