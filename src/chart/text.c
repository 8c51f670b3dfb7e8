/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sequence chart as text: a column a lane, an arrow a call, the words at the right. Calls that
 * repeat the one before them are counted rather than drawn again.
 */
#include <stdlib.h>
#include <string.h>

#include "chart/rows.h"

#define LEFT 5u				/* room for the step's number */
#define PITCH 7u			/* columns a lane takes */
#define WIDTH_MAX 240u

struct canvas {
	FILE *out;
	const struct chart_options *options;
	enum lane lanes[LANE_MAX];
	unsigned int count;
	unsigned int columns;
	uint32_t step;			/* whose title was printed last */
};

static const char *const legend[] = {
	"Guest    the guest's kernel and its driver      GstTSM   the guest kernel's TSM driver",
	"VMM      the user-space process                 KVM      runs the guest, has its page tables",
	"VFIO     keeps BARs, config space and DOE       IOMMU    IOMMUFD of the host kernel",
	"hstTSM   the host kernel's TSM core and driver  Firmw.   TDX module, PSP or RMM (PCIe: the TSM)",
	"Device   the device's security manager (DSM) and its TDIs. TDI: the interface that is assigned;",
	"         UNLOCKED, LOCKED, RUN, ERROR are its states. T=1: a TLP from or to a TEE.",
	"--> call, and its result;  ~~> event going up;  * state change;  (x3) three in a row;  !! refused",
};

const char *chart_legend(unsigned int line)
{
	return line < sizeof(legend) / sizeof(legend[0]) ? legend[line] : NULL;
}

/* /dev/ioasid is an extension: its lane is there when somebody called it. */
static bool ioasid_used(void)
{
	for (uint64_t seq = trace_first(); seq < trace_next(); seq++) {
		const struct trace_event *event = trace_get(seq);

		if (event && (event->from == LANE_IOASID || event->to == LANE_IOASID))
			return true;
	}
	return false;
}

static void lanes_choose(struct canvas *canvas)
{
	static const enum lane seed[] = { LANE_GUEST, LANE_GUEST_TSM, LANE_VMM, LANE_VFIO,
		LANE_IOASID, LANE_IOMMUFD, LANE_TSM, LANE_KVM, LANE_FIRMWARE, LANE_DEVICE };

	for (size_t i = 0; i < sizeof(seed) / sizeof(seed[0]); i++) {
		if (seed[i] == LANE_IOASID && !ioasid_used())
			continue;
		if (canvas->options->all_lanes || seed[i] < LANE_FIRMWARE)
			canvas->lanes[canvas->count++] = seed[i];
	}
}

/* The column of a lane's line; 0: not shown. Admin and adversary come in from the left edge. */
static unsigned int lane_column(const struct canvas *canvas, uint8_t lane)
{
	if (lane == LANE_ADMIN || lane == LANE_ADVERSARY)
		return LEFT;
	for (unsigned int i = 0; i < canvas->count; i++)
		if (canvas->lanes[i] == lane)
			return LEFT + i * PITCH + 3;
	return 0;
}

static unsigned int lanes_end(const struct canvas *canvas)
{
	return LEFT + canvas->count * PITCH;
}

static void print_heading(const struct canvas *canvas)
{
	fprintf(canvas->out, "%*s", (int)LEFT, "");
	for (unsigned int i = 0; i < canvas->count; i++)
		fprintf(canvas->out, " %-*s", (int)PITCH - 1, chart_lane_name(canvas->lanes[i]));
	fputc('\n', canvas->out);
}

static bool shown(const struct canvas *canvas, const struct trace_event *event)
{
	const struct chart_options *options = canvas->options;

	if (options->first_step && event->step < options->first_step)
		return false;
	if (options->last_step && event->step > options->last_step)
		return false;
	if (options->max_depth && event->depth >= options->max_depth)
		return false;
	return lane_column(canvas, event->from) && lane_column(canvas, event->to);
}

static void draw_arrow(const struct canvas *canvas, const struct trace_event *event, char *row)
{
	unsigned int from = lane_column(canvas, event->from), to = lane_column(canvas, event->to);
	char dash = event->kind == TRACE_KIND_EVENT ? '~' : '-';

	for (unsigned int i = 0; i < canvas->count; i++)
		row[LEFT + i * PITCH + 3] = '|';
	if (from == to) {
		row[from] = event->kind == TRACE_KIND_NOTE ? 'o' : '*';
		return;
	}
	for (unsigned int x = (from < to ? from : to) + 1; x < (from < to ? to : from); x++)
		row[x] = dash;
	row[from < to ? to - 1 : to + 1] = from < to ? '>' : '<';
}

static void print_title(const struct canvas *canvas, uint32_t step)
{
	const char *title = canvas->options->step_title ? canvas->options->step_title(step) : NULL;
	unsigned int used;

	if (!title)
		return;
	fputs(canvas->options->colour ? "\033[1m" : "", canvas->out);
	used = (unsigned int)fprintf(canvas->out, "%3u  %.*s ", step,
				     canvas->columns > LEFT + 1 ? (int)(canvas->columns - LEFT - 1) : 0, title);
	for (; used < canvas->columns && used < lanes_end(canvas); used++)
		fputc('.', canvas->out);
	fputs(canvas->options->colour ? "\033[0m\n" : "\n", canvas->out);
}

/* Titles up to this step's: a step without a shown event has one too. */
static void print_step(struct canvas *canvas, uint32_t step)
{
	if (step < canvas->step)
		canvas->step = step - 1;
	if (canvas->step < canvas->options->first_step)
		canvas->step = canvas->options->first_step - 1;
	while (canvas->step < step)
		print_title(canvas, ++canvas->step);
}

static void print_event(
	struct canvas *canvas, const struct trace_event *event, unsigned int repeats)
{
	char row[WIDTH_MAX + 1], label[WIDTH_MAX];
	unsigned int end = lanes_end(canvas);
	const char *on = "", *off = "";

	print_step(canvas, event->step);
	memset(row, ' ', sizeof(row));
	row[end] = '\0';
	draw_arrow(canvas, event, row);
	chart_label(event, repeats, label, canvas->columns > end + 1 ? canvas->columns - end : 2);
	if (canvas->options->colour && (chart_failed(event) || event->kind != TRACE_KIND_CALL)) {
		on = chart_failed(event) ? "\033[31m" : "\033[2m";
		off = "\033[0m";
	}
	fprintf(canvas->out, "%s%s%s%s\n", row, on, label, off);
}

#define BATCH 65536u

static void print_rows(struct canvas *canvas, const struct chart_rows *rows)
{
	for (unsigned int at = 0; at < rows->n;) {
		unsigned int repeats, period = chart_fold(rows, at, &repeats);

		if (period == 1) {
			print_event(canvas, rows->event[at], repeats);
		} else {
			for (unsigned int i = 0; i < period; i++)
				print_event(canvas, rows->event[at + i], 1);
			fprintf(canvas->out, "%*s  ... these %u rows %u times in all\n",
				(int)lanes_end(canvas), "", period, repeats);
		}
		at += period * repeats;
	}
}

int chart_text(FILE *out, const struct chart_options *options)
{
	struct canvas canvas = { .out = out, .options = options };
	struct chart_rows rows = { .event = malloc(BATCH * sizeof(*rows.event)) };

	if (!rows.event)
		return -1;
	canvas.columns = options->columns ? options->columns : 100;
	if (canvas.columns > WIDTH_MAX)
		canvas.columns = WIDTH_MAX;
	lanes_choose(&canvas);
	if (options->legend)
		for (unsigned int i = 0; chart_legend(i); i++)
			fprintf(out, "%s\n", chart_legend(i));
	print_heading(&canvas);
	for (uint64_t seq = trace_first(); seq < trace_next(); seq++) {
		const struct trace_event *event = trace_get(seq);

		if (event && shown(&canvas, event))
			rows.event[rows.n++] = event;
		if (rows.n == BATCH) {
			print_rows(&canvas, &rows);
			rows.n = 0;
		}
	}
	print_rows(&canvas, &rows);
	print_heading(&canvas);
	free(rows.event);
	return ferror(out) ? -1 : 0;
}
