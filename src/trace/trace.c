/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ring. Its head is an unlogged counter of the image and its memory is bulk, so that a failing
 * call's rollback leaves the events in place, while a snapshot takes both back.
 */
#include <errno.h>
#include <string.h>

#include "trace/trace.h"

#define DEFAULT_EVENTS (1u << 16)
#define WARM_EVENTS (1u << 10)	/* more than a short run writes */

struct trace_root {
	uint32_t events;			/* a power of two */
	const struct trace_event *ring;
};

static _Thread_local uint8_t depth;	/* nesting of the calls on this stack */
static bool disabled;

static const char *const lane_names[LANE_MAX] = {
	[LANE_GUEST] = "Guest",
	[LANE_GUEST_TSM] = "Guest TSM",
	[LANE_VMM] = "VMM",
	[LANE_VFIO] = "VFIO",
	[LANE_IOASID] = "IOASID",
	[LANE_IOMMUFD] = "IOMMUFD",
	[LANE_TSM] = "host TSM",
	[LANE_KVM] = "KVM",
	[LANE_FIRMWARE] = "firmware",
	[LANE_HARDWARE] = "hardware",
	[LANE_DEVICE] = "device",
	[LANE_ADMIN] = "admin",
	[LANE_ADVERSARY] = "adversary",
};

const char *lane_name(enum lane lane)
{
	return lane < LANE_MAX ? lane_names[lane] : "?";
}

int trace_power_on(uint32_t events)
{
	struct trace_root *root;

	if (!events)
		events = DEFAULT_EVENTS;
	if (events & (events - 1))
		return -EINVAL;
	root = image_alloc(sizeof(*root), IMAGE_TYPE_ROOT);
	if (!root)
		return -ENOMEM;
	root->events = events;
	root->ring =
		image_bulk_alloc((uint64_t)events * sizeof(struct trace_event), IMAGE_TYPE_TRACE);
	if (!root->ring)
		return -ENOMEM;
	if (events > WARM_EVENTS)
		image_warm(root->ring, WARM_EVENTS * sizeof(*root->ring));
	image_root_set(IMAGE_ROOT_TRACE, root);
	*image_counter(IMAGE_COUNTER_TRACE) = 0;
	return 0;
}

static const struct trace_root *trace_root(void)
{
	return image_present() ? image_root(IMAGE_ROOT_TRACE) : NULL;
}

void trace_set_enabled(bool on)
{
	disabled = !on;
}

uint8_t trace_depth(void)
{
	return depth;
}

void trace_depth_set(uint8_t to)
{
	depth = to;
}

uint64_t trace_next(void)
{
	return trace_root() ? *image_counter(IMAGE_COUNTER_TRACE) + 1 : 1;
}

uint64_t trace_first(void)
{
	const struct trace_root *root = trace_root();
	uint64_t next = trace_next();

	return root && next > root->events ? next - root->events : 1;
}

const struct trace_event *trace_get(uint64_t seq)
{
	const struct trace_root *root = trace_root();

	if (!root || seq < trace_first() || seq >= trace_next())
		return NULL;
	return &root->ring[(seq - 1) & (root->events - 1)];
}

uint64_t trace_arg_value(const struct trace_event *event, const char *key, uint64_t otherwise)
{
	for (unsigned int i = 0; i < event->nargs; i++)
		if (!strncmp(event->args[i].key, key, TRACE_KEY))
			return event->args[i].value;
	return otherwise;
}

static struct trace_event *event_write(uint64_t seq)
{
	const struct trace_event *event = trace_get(seq);

	return event ? image_bulk_write(event, sizeof(*event)) : NULL;
}

struct trace_call trace_call(enum lane from, enum lane to, enum trace_kind kind, const char *name,
			     unsigned int nargs, const struct trace_arg *args)
{
	struct trace_event *event;
	uint64_t seq;

	if (disabled || !trace_root())
		return (struct trace_call){ 0 };
	seq = ++*image_counter(IMAGE_COUNTER_TRACE);
	event = event_write(seq);
	memset(event, 0, sizeof(*event));
	event->seq = seq;
	event->clock = event->end_clock = image_clock();
	event->result = TRACE_PENDING;
	event->step = (uint32_t)*image_counter(IMAGE_COUNTER_STEP);
	event->from = (uint8_t)from;
	event->to = (uint8_t)to;
	event->kind = (uint8_t)kind;
	event->depth = depth++;
	event->nargs = (uint8_t)(nargs < TRACE_ARGS ? nargs : TRACE_ARGS);
	strncpy(event->name, name, TRACE_NAME - 1);
	if (event->nargs)
		memcpy(event->args, args, event->nargs * sizeof(args[0]));
	return (struct trace_call){ seq };
}

void trace_return_as(
	const struct trace_call *call, enum trace_result kind, int64_t result, const char *text)
{
	struct trace_event *event = call->seq ? event_write(call->seq) : NULL;

	if (!event)
		return;
	event->result = result;
	event->result_kind = (uint8_t)kind;
	event->end_clock = image_clock();
	if (text)
		strncpy(event->text, text, TRACE_NAME - 1);
	depth = event->depth;
}

void trace_return(const struct trace_call *call, int64_t result, const char *text)
{
	trace_return_as(call, TRACE_RESULT_ERRNO, result, text);
}

void trace_arg_add(const struct trace_call *call, const char *key, uint64_t value)
{
	struct trace_event *event = call->seq ? event_write(call->seq) : NULL;
	struct trace_arg *arg;

	if (!event || event->nargs >= TRACE_ARGS)
		return;
	arg = &event->args[event->nargs++];
	strncpy(arg->key, key, TRACE_KEY - 1);
	arg->value = value;
}

void trace_event_done(enum lane from, enum lane to, enum trace_kind kind, const char *name,
	unsigned int nargs, const struct trace_arg *args)
{
	struct trace_call call = trace_call(from, to, kind, name, nargs, args);

	trace_return(&call, 0, NULL);
}

void trace_note(enum lane from, enum lane to, const char *name, const char *text)
{
	struct trace_call call = trace_call(from, to, TRACE_KIND_NOTE, name, 0, NULL);

	trace_return(&call, 0, text);
}
