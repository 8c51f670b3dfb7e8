/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stories side by side. Each is reduced to its acts, phase by phase; the acts of a phase are laid
 * into rows that keep every story's own order, with like acts in one row wherever the orders allow
 * it. What does not fit into one row is what the platforms disagree on.
 */
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "chart/chart.h"
#include "chart/story.h"

#define LABEL 26u			/* columns of an act's name */
#define ACTS_MAX 512u			/* of one story */

struct step_act {
	const char *name;
	struct compare_cell cell;
	uint8_t phase;
	const char *phase_name;
};

struct line {				/* one story as acts */
	struct step_act act[ACTS_MAX];
	unsigned int n;
	unsigned int at, end;		/* of the phase that is laid out */
};

static bool seen(const struct line *line, const char *name)
{
	for (unsigned int i = 0; i < line->n; i++)
		if (!strcmp(line->act[i].name, name))
			return true;
	return false;
}

/* The row an act counts in already: the last one, or another of the same step, as in a loop. */
static struct step_act *same_row(
	struct line *line, const char *name, const struct story_step *step)
{
	for (unsigned int i = line->n; i--;) {
		struct step_act *row = &line->act[i];

		if (!strcmp(row->name, name) && row->phase == step->phase &&
		    (i == line->n - 1 || row->cell.event->step == step->number))
			return row;
		if (row->phase != step->phase)
			break;
	}
	return NULL;
}

/* What an event is called in a row, "" when it has none; once: only its first time counts. */
static const char *row_name(const struct trace_event *event, enum compare_view view, bool *once)
{
	const struct act *act = act_of(event);

	*once = act && act->once;
	if (view == COMPARE_ACTS)
		return act ? act->name : "";
	if (event->from != LANE_VMM || event->kind != TRACE_KIND_CALL)
		return "";
	return act ? act->name : event->name;
}

static void line_add(struct line *line, const struct trace_event *event,
		     const struct story_step *step, enum compare_view view)
{
	bool once;
	const char *name = row_name(event, view, &once);
	struct step_act *row = *name ? same_row(line, name, step) : NULL;

	if (row)
		row->cell.count++;
	else if (*name && !(once && seen(line, name)) && line->n < ACTS_MAX)
		line->act[line->n++] = (struct step_act){ name, { event, 1 }, step->phase,
			step->phase_name };
}

static void line_fill(struct line *line, const struct story *story, enum compare_view view)
{
	for (unsigned int i = 0; i < story->event_count; i++) {
		const struct trace_event *event = &story->events[i];
		const struct story_step *step = story_step_find(story, event->step);

		if (step && step->phase)
			line_add(line, event, step, view);
	}
}

/* Whether this act is still to come in the phase, after the line's head. */
static bool comes_later(const struct line *line, const char *name)
{
	for (unsigned int i = line->at + 1; i < line->end; i++)
		if (!strcmp(line->act[i].name, name))
			return true;
	return false;
}

/* What stands at the head of what is still to lay down, "" at the end of the phase. */
static const char *head_name(const struct line *line)
{
	return line->at < line->end ? line->act[line->at].name : "";
}

/* The head to lay down next: one that most lines have at their head and none has to come. */
static const char *choose_act(const struct line *lines, unsigned int count)
{
	const char *best = NULL;
	int most = -1;

	for (unsigned int i = 0; i < count; i++) {
		const char *name = head_name(&lines[i]);
		int score = 0;

		for (unsigned int j = 0; *name && j < count; j++)
			score += !strcmp(head_name(&lines[j]), name)   ? 4
				 : comes_later(&lines[j], name) ? -2
								: 0;
		if (*name && (score > most || !best)) {
			most = score;
			best = name;
		}
	}
	return best;
}

static unsigned int lay_phase(
	struct line *lines, unsigned int count, uint8_t phase, struct compare_row *rows)
{
	unsigned int n = 0;
	const char *name;

	for (unsigned int i = 0; i < count; i++) {
		for (lines[i].at = 0; lines[i].at < lines[i].n; lines[i].at++)
			if (lines[i].act[lines[i].at].phase == phase)
				break;
		for (lines[i].end = lines[i].at; lines[i].end < lines[i].n; lines[i].end++)
			if (lines[i].act[lines[i].end].phase != phase)
				break;
	}
	while ((name = choose_act(lines, count)) != NULL) {
		struct compare_row *row = &rows[n++];

		*row = (struct compare_row){ .phase = phase, .name = name };
		for (unsigned int i = 0; i < count; i++) {
			const struct step_act *head = &lines[i].act[lines[i].at];

			if (strcmp(head_name(&lines[i]), name))
				continue;
			row->cell[i] = head->cell;
			row->phase_name = head->phase_name;
			lines[i].at++;
		}
	}
	return n;
}

static void mark_row(const struct line *lines, unsigned int count, struct compare_row *row)
{
	row->mark = COMPARE_SAME;
	for (unsigned int i = 0; i < count; i++) {
		if (row->cell[i].event)
			continue;
		if (!seen(&lines[i], row->name)) {
			row->mark = COMPARE_MISSING;
			return;
		}
		row->mark = COMPARE_ORDER;
	}
}

int compare_rows(const struct story *stories, unsigned int count, enum compare_view view,
		 struct compare_row **rows)
{
	struct line *lines = calloc(count, sizeof(*lines));
	unsigned int n = 0, phases = 0;

	*rows = calloc(COMPARE_MAX * ACTS_MAX, sizeof(**rows));
	if (!lines || !*rows || count > COMPARE_MAX) {
		free(lines);
		return -ENOMEM;
	}
	for (unsigned int i = 0; i < count; i++) {
		line_fill(&lines[i], &stories[i], view);
		for (unsigned int j = 0; j < stories[i].step_count; j++)
			if (stories[i].steps[j].phase >= phases)
				phases = stories[i].steps[j].phase + 1u;
	}
	for (unsigned int phase = 1; phase < phases; phase++)
		n += lay_phase(lines, count, (uint8_t)phase, *rows + n);
	for (unsigned int i = 0; i < n; i++)
		mark_row(lines, count, *rows + i);
	free(lines);
	return (int)n;
}

/* -- as text ------------------------------------------------------------------------------------ */

static const char *const mark_text[] = {
	[COMPARE_SAME] = " ",
	[COMPARE_ORDER] = "~",
	[COMPARE_MISSING] = "-",
};

static void print_cell(FILE *out, const struct compare_cell *cell, enum compare_view view,
		       unsigned int width)
{
	char text[96] = "";
	int n = 0;

	if (cell->event)
		n = snprintf(text, sizeof(text), "%3u %.40s", cell->event->step, cell->event->name);
	if (cell->count > 1)
		n += snprintf(text + n, sizeof(text) - (size_t)n, " x%u", cell->count);
	for (unsigned int i = 0; view == COMPARE_CALLS && cell->event && n < 64 &&
	     i < cell->event->nargs; i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, " %.8s=%#llx",
			      cell->event->args[i].key,
			      (unsigned long long)cell->event->args[i].value);
	fprintf(out, "%-*.*s ", (int)width, (int)width, text);
}

static void print_heading(FILE *out, const struct story *stories, unsigned int count,
			  unsigned int width)
{
	fprintf(out, "  %-*s", (int)LABEL, "");
	for (unsigned int i = 0; i < count; i++)
		fprintf(out, "%-*.*s ", (int)width, (int)width, stories[i].label);
	fputc('\n', out);
}

static void print_ends(FILE *out, const struct story *stories, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		const struct story *story = &stories[i];

		fprintf(out, "%-6s %s: %u steps, %u of %u invariants hold, %.1f ms%s%s\n",
			story->label, story->title, story->step_count, story->held,
			story->invariants, story->seconds * 1e3,
			story->ok ? "" : "; NOT AS WRITTEN ", story->failure);
	}
}

int compare_text(FILE *out, const struct story *stories, unsigned int count,
		 enum compare_view view, unsigned int columns, bool colour)
{
	struct compare_row *rows;
	int n = compare_rows(stories, count, view, &rows);
	unsigned int width = columns > LABEL + 2 + count * 12 ? (columns - LABEL - 2) / count - 1
							       : 11;
	uint8_t phase = 0;

	if (n < 0) {
		free(rows);
		return n;
	}
	print_heading(out, stories, count, width);
	for (int i = 0; i < n; i++) {
		const char *on = colour && rows[i].mark != COMPARE_SAME ? "\033[33m" : "";

		if (rows[i].phase != phase)
			fprintf(out, "%s\n", rows[i].phase_name);
		phase = rows[i].phase;
		fprintf(out, "%s%s %-*.*s", on, mark_text[rows[i].mark], (int)LABEL, (int)LABEL,
			rows[i].name);
		for (unsigned int j = 0; j < count; j++)
			print_cell(out, &rows[i].cell[j], view, width);
		fprintf(out, "%s\n", *on ? "\033[0m" : "");
	}
	fputs("\n~ all have it, in another order   - not every platform has it   "
	      "a cell: the step, and what it is called there\n\n", out);
	print_ends(out, stories, count);
	free(rows);
	return ferror(out) ? -EIO : 0;
}

static cJSON *row_json(const struct compare_row *row, const struct story *stories,
		       unsigned int count)
{
	static const char *const marks[] = { "same", "order", "missing" };
	cJSON *json = cJSON_CreateObject(), *cells;

	cJSON_AddStringToObject(json, "phase", row->phase_name);
	cJSON_AddStringToObject(json, "act", row->name);
	cJSON_AddStringToObject(json, "mark", marks[row->mark]);
	cells = cJSON_AddObjectToObject(json, "calls");
	for (unsigned int i = 0; i < count; i++) {
		const struct compare_cell *cell = &row->cell[i];
		cJSON *one = cell->event ? cJSON_AddObjectToObject(cells, stories[i].label)
					 : NULL;

		if (!one)
			continue;
		cJSON_AddNumberToObject(one, "step", cell->event->step);
		cJSON_AddStringToObject(one, "name", cell->event->name);
		cJSON_AddNumberToObject(one, "count", cell->count);
	}
	return json;
}

int compare_json(FILE *out, const struct story *stories, unsigned int count,
		 enum compare_view view)
{
	struct compare_row *rows;
	int n = compare_rows(stories, count, view, &rows);
	cJSON *list = cJSON_CreateArray();
	char *text;

	for (int i = 0; i < n; i++)
		cJSON_AddItemToArray(list, row_json(&rows[i], stories, count));
	text = n < 0 ? NULL : cJSON_Print(list);
	if (text)
		fprintf(out, "%s\n", text);
	free(text);
	cJSON_Delete(list);
	free(rows);
	return n < 0 ? n : !text || ferror(out) ? -EIO : 0;
}
