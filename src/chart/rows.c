/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <string.h>

#include "chart/rows.h"

static const char *const short_names[LANE_MAX] = {
	[LANE_GUEST] = "Guest",
	[LANE_GUEST_TSM] = "GstTSM",
	[LANE_VMM] = "VMM",
	[LANE_VFIO] = "VFIO",
	[LANE_IOASID] = "IOASID",
	[LANE_IOMMUFD] = "IOMMU",
	[LANE_TSM] = "hstTSM",
	[LANE_KVM] = "KVM",
	[LANE_FIRMWARE] = "Firmw.",
	[LANE_HARDWARE] = "Hardw.",
	[LANE_DEVICE] = "Device",
};

const char *chart_lane_name(enum lane lane)
{
	return lane < LANE_MAX && short_names[lane] ? short_names[lane] : "";
}

bool chart_failed(const struct trace_event *event)
{
	if (event->kind != TRACE_KIND_CALL || event->result == TRACE_PENDING)
		return false;
	switch (event->result_kind) {
	case TRACE_RESULT_TDX: return (uint64_t)event->result >> 63;
	case TRACE_RESULT_TDISP:
	case TRACE_RESULT_CODE:
	case TRACE_RESULT_TLP: return event->result != 0;
	default: return event->result < 0;
	}
}

void chart_result(const struct trace_event *event, char *text, size_t len)
{
	if (event->kind == TRACE_KIND_NOTE)
		snprintf(text, len, "%s%s", event->text[0] ? ": " : "", event->text);
	else if (event->kind != TRACE_KIND_CALL)
		text[0] = '\0';
	else if (event->result == TRACE_PENDING)
		snprintf(text, len, " (cut off)");
	else if (event->text[0])
		snprintf(text, len, " = %s", event->text);
	else if (event->result < 0 && strerrorname_np((int)-event->result))
		snprintf(text, len, " = %s", strerrorname_np((int)-event->result));
	else if (event->result > 0)
		snprintf(text, len, " = %lld", (long long)event->result);
	else
		text[0] = '\0';
}

void chart_label(
	const struct trace_event *event, unsigned int repeats, char *label, size_t room)
{
	char result[64], times[16] = "";
	size_t n, tail;

	chart_result(event, result, sizeof(result));
	if (repeats > 1)
		snprintf(times, sizeof(times), " (x%u)", repeats);
	tail = strlen(result) + strlen(times) + (chart_failed(event) ? 3 : 0);
	n = (size_t)snprintf(label, room, "%s", event->name);
	for (unsigned int i = 0; i < event->nargs && n < room; i++) {
		char arg[40];
		int len = snprintf(arg, sizeof(arg),
			event->args[i].value > 9 ? " %s=%#llx" : " %s=%llu", event->args[i].key,
			(unsigned long long)event->args[i].value);

		if (n + (size_t)len + tail >= room)
			break;
		memcpy(label + n, arg, (size_t)len + 1);
		n += (size_t)len;
	}
	if (n < room)
		snprintf(label + n, room - n, "%s%s%s", result, times, chart_failed(event) ? " !!" : "");
}

/* -- repetition ---------------------------------------------------------------------------------- */

static bool same_arrow(const struct trace_event *a, const struct trace_event *b)
{
	return a->from == b->from && a->to == b->to && a->kind == b->kind && a->step == b->step &&
	       a->result == b->result && !strcmp(a->name, b->name) && !strcmp(a->text, b->text);
}

#define PERIOD_MAX 8u
static bool same_block(const struct chart_rows *rows, unsigned int a, unsigned int b, unsigned int period)
{
	if (b + period > rows->n)
		return false;
	for (unsigned int i = 0; i < period; i++)
		if (!same_arrow(rows->event[a + i], rows->event[b + i]))
			return false;
	return true;
}

/* How often the block of `period` rows at `at` stands there in a row. */
static unsigned int block_repeats(const struct chart_rows *rows, unsigned int at, unsigned int period)
{
	unsigned int repeats = 1;

	while (same_block(rows, at, at + repeats * period, period))
		repeats++;
	return repeats;
}

unsigned int chart_fold(const struct chart_rows *rows, unsigned int at, unsigned int *repeats)
{
	unsigned int best = 1;

	*repeats = block_repeats(rows, at, 1);
	for (unsigned int period = 2; *repeats == 1 && period <= PERIOD_MAX; period++) {
		unsigned int n = block_repeats(rows, at, period);

		if (n < 3)
			continue;
		best = period;
		*repeats = n;
	}
	return best;
}
