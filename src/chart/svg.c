/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A chart drawn: lanes down, an arrow a call, its words at the right. Each arrow can be pointed at
 * or tabbed to; its <title> then tells all that is known of the call.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "chart/rows.h"
#include "chart/story.h"

#define ROW 18u				/* pixels */
#define LABEL_WIDTH 330u
#define LABEL_CHARS 52u
#define MARGIN 10u

static const enum lane lanes[] = { LANE_GUEST, LANE_GUEST_TSM, LANE_VMM, LANE_VFIO, LANE_IOASID,
	LANE_IOMMUFD,	LANE_TSM, LANE_KVM, LANE_FIRMWARE, LANE_HARDWARE, LANE_DEVICE };
#define LANES (sizeof(lanes) / sizeof(lanes[0]))

struct drawing {
	FILE *out;
	const struct story *story;
	enum lane lane[LANES];
	unsigned int lane_count;
	unsigned int pitch, y;
	uint32_t first, last;		/* steps */
	uint32_t step;			/* whose title was drawn last */
};

void story_escape(FILE *out, const char *text)
{
	for (; *text; text++)
		switch (*text) {
		case '&': fputs("&amp;", out); break;
		case '<': fputs("&lt;", out); break;
		case '>': fputs("&gt;", out); break;
		case '"': fputs("&quot;", out); break;
		default: fputc((unsigned char)*text < ' ' ? ' ' : *text, out);
		}
}

static unsigned int lanes_width(const struct drawing *drawing)
{
	return MARGIN * 2 + drawing->lane_count * drawing->pitch;
}

/* Admin and adversary come in from the left edge. */
static unsigned int lane_x(const struct drawing *drawing, uint8_t lane)
{
	for (unsigned int i = 0; i < drawing->lane_count; i++)
		if (drawing->lane[i] == lane)
			return MARGIN + i * drawing->pitch + drawing->pitch / 2;
	return 2;
}

static void draw_step(struct drawing *drawing, const struct story_step *step)
{
	FILE *out = drawing->out;
	const char *bad = "";

	for (unsigned int i = 0; i < drawing->story->violations && i < STORY_VIOLATIONS; i++)
		if (drawing->story->violation[i].step == step->number)
			bad = " bad";
	fprintf(out, "<g class=\"s%s\"><rect x=\"0\" y=\"%u\" width=\"100%%\" height=\"%u\"/>"
		"<text x=\"4\" y=\"%u\">%u  ", bad, drawing->y, ROW, drawing->y + 13, step->number);
	story_escape(out, step->title);
	fputs("</text></g>\n", out);
	drawing->y += ROW;
}

static bool step_drawn(const struct drawing *drawing, uint32_t step)
{
	return step >= drawing->first && step <= drawing->last;
}

/* Titles up to this step's: a step without an arrow has one too. */
static void draw_steps(struct drawing *drawing, uint32_t through)
{
	const struct story *story = drawing->story;

	for (unsigned int i = 0; i < story->step_count; i++) {
		const struct story_step *step = &story->steps[i];

		if (step->number <= drawing->step || step->number > through ||
		    !step_drawn(drawing, step->number))
			continue;
		draw_step(drawing, step);
		drawing->step = step->number;
	}
}

static void draw_verdict(const struct drawing *drawing, const struct trace_event *event)
{
	const struct story *story = drawing->story;
	bool held = true;

	for (unsigned int i = 0; i < story->violations && i < STORY_VIOLATIONS; i++) {
		if (story->violation[i].step != event->step)
			continue;
		held = false;
		fprintf(drawing->out, "\nviolated in this step: %s ", story->violation[i].id);
		story_escape(drawing->out, story->violation[i].why);
	}
	if (held)
		fprintf(drawing->out, "\ninvariants: %u checked after this step, all hold",
			story->invariants);
}

/* All that is known of a call, a line each. */
static void draw_facts(
	const struct drawing *drawing, const struct trace_event *event, unsigned int repeats)
{
	FILE *out = drawing->out;
	const struct story_step *step = story_step_find(drawing->story, event->step);
	char result[64];

	fputs("<title>", out);
	story_escape(out, event->name);
	fprintf(out, "\n%s to %s, step %u", lane_name((enum lane)event->from),
		lane_name((enum lane)event->to), event->step);
	if (step) {
		fputs(": ", out);
		story_escape(out, step->title);
	}
	for (unsigned int i = 0; i < event->nargs; i++) {
		fputs("\n  ", out);
		story_escape(out, event->args[i].key);
		fprintf(out, " = %#llx", (unsigned long long)event->args[i].value);
	}
	chart_result(event, result, sizeof(result));
	fputs("\nresult", out);
	story_escape(out, result[0] ? result : " = 0");
	if (repeats > 1)
		fprintf(out, "\n%u times in a row; the first is told here", repeats);
	fprintf(out, "\nat %.3f us, for %.3f us of the host's clock", (double)event->clock / 1e3,
		(double)(event->end_clock - event->clock) / 1e3);
	draw_verdict(drawing, event);
	fputs("</title>", out);
}

static void draw_line(const struct drawing *drawing, const struct trace_event *event)
{
	unsigned int from = lane_x(drawing, event->from), to = lane_x(drawing, event->to);
	unsigned int y = drawing->y + ROW / 2;

	if (from == to)
		fprintf(drawing->out, "<circle cx=\"%u\" cy=\"%u\" r=\"3.5\"/>", from, y);
	else
		fprintf(drawing->out, "<path d=\"M%u %uH%u\" marker-end=\"url(#a)\"/>", from, y, to);
}

static void draw_event(
	struct drawing *drawing, const struct trace_event *event, unsigned int repeats)
{
	static const char *const classes[] = { "call", "event", "state", "note" };
	char label[LABEL_CHARS + 1];
	FILE *out = drawing->out;

	fprintf(out, "<g class=\"e %s%s\" tabindex=\"0\">", classes[event->kind & 3],
		chart_failed(event) ? " no" : "");
	draw_facts(drawing, event, repeats);
	fprintf(out, "<rect x=\"0\" y=\"%u\" width=\"100%%\" height=\"%u\"/>", drawing->y, ROW);
	draw_line(drawing, event);
	chart_label(event, repeats, label, sizeof(label));
	fprintf(out, "<text x=\"%u\" y=\"%u\">", lanes_width(drawing) + 4, drawing->y + 13);
	story_escape(out, label);
	fputs("</text></g>\n", out);
	drawing->y += ROW;
}

static void draw_rows(struct drawing *drawing, const struct chart_rows *rows)
{
	for (unsigned int at = 0; at < rows->n;) {
		unsigned int repeats, period = chart_fold(rows, at, &repeats);

		for (unsigned int i = 0; i < period; i++) {
			draw_steps(drawing, rows->event[at + i]->step);
			draw_event(drawing, rows->event[at + i], period == 1 ? repeats : 1);
		}
		if (period > 1) {
			fprintf(drawing->out, "<text class=\"again\" x=\"%u\" y=\"%u\">"
				"these %u rows %u times in all</text>\n",
				lanes_width(drawing) + 4, drawing->y + 13, period, repeats);
			drawing->y += ROW;
		}
		at += period * repeats;
	}
	draw_steps(drawing, UINT32_MAX);
}

static void draw_lanes(const struct drawing *drawing)
{
	for (unsigned int i = 0; i < drawing->lane_count; i++)
		fprintf(drawing->out,
			"<text class=\"lane\" x=\"%u\" y=\"12\">%s</text>"
			"<path class=\"lane\" d=\"M%u 16V%u\"/>\n",
			lane_x(drawing, (uint8_t)drawing->lane[i]), chart_lane_name(drawing->lane[i]),
			lane_x(drawing, (uint8_t)drawing->lane[i]), drawing->y);
}

/* /dev/ioasid is an extension: its lane is there when somebody called it. */
static void lanes_choose(struct drawing *drawing)
{
	bool ioasid = false;

	for (unsigned int i = 0; i < drawing->story->event_count; i++)
		ioasid |= drawing->story->events[i].to == LANE_IOASID ||
			  drawing->story->events[i].from == LANE_IOASID;
	for (unsigned int i = 0; i < LANES; i++)
		if (lanes[i] != LANE_IOASID || ioasid)
			drawing->lane[drawing->lane_count++] = lanes[i];
}

static int draw(struct drawing *drawing, struct chart_rows *rows)
{
	const struct story *story = drawing->story;
	char *body = NULL;
	size_t len;
	FILE *out = drawing->out;

	for (unsigned int i = 0; i < story->event_count; i++) {
		uint32_t step = story->events[i].step;

		if (step_drawn(drawing, step) && story_step_find(story, step))
			rows->event[rows->n++] = &story->events[i];
	}
	/* the height is known only when all is drawn */
	drawing->out = open_memstream(&body, &len);
	if (!drawing->out)
		return -ENOMEM;
	draw_rows(drawing, rows);
	fclose(drawing->out);
	drawing->out = out;
	fprintf(out, "<svg width=\"%u\" height=\"%u\" role=\"img\">\n",
		lanes_width(drawing) + LABEL_WIDTH, drawing->y + 4);
	draw_lanes(drawing);
	fwrite(body, 1, len, out);
	fputs("</svg>\n", out);
	free(body);
	return ferror(out) ? -EIO : 0;
}

int story_svg(FILE *out, const struct story *story, uint32_t first, uint32_t last,
	      unsigned int pitch)
{
	struct drawing drawing = { .out = out, .story = story, .pitch = pitch, .y = ROW,
				   .first = first, .last = last };
	struct chart_rows rows = { .event = calloc(story->event_count + 1, sizeof(*rows.event)) };
	int rc = -ENOMEM;

	lanes_choose(&drawing);
	if (rows.event)
		rc = draw(&drawing, &rows);
	free(rows.event);
	return rc;
}
