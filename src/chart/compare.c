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
	const struct act *act;
	struct compare_cell cell;
	uint8_t phase;
	const char *phase_name;
};

struct line {				/* one story as acts */
	struct step_act act[ACTS_MAX];
	unsigned int n;
	unsigned int at, end;		/* of the phase that is laid out */
};

static bool seen(const struct line *line, const struct act *act)
{
	for (unsigned int i = 0; i < line->n; i++)
		if (line->act[i].act == act)
			return true;
	return false;
}

/* The row an act counts in already: the last one, or another of the same step, as in a loop. */
static struct step_act *same_row(
	struct line *line, const struct act *act, const struct story_step *step)
{
	for (unsigned int i = line->n; i--;) {
		struct step_act *row = &line->act[i];

		if (row->act == act && row->phase == step->phase &&
		    (i == line->n - 1 || row->cell.event->step == step->number))
			return row;
		if (row->phase != step->phase)
			break;
	}
	return NULL;
}

static void line_add(struct line *line, const struct act *act, const struct story_step *step,
		     const struct trace_event *event)
{
	struct step_act *row = same_row(line, act, step);

	if (row) {
		row->cell.count++;
		return;
	}
	if ((act->once && seen(line, act)) || line->n == ACTS_MAX)
		return;
	line->act[line->n++] = (struct step_act){ act, { event, 1 }, step->phase,
		step->phase_name };
}

static void line_fill(struct line *line, const struct story *story)
{
	for (unsigned int i = 0; i < story->event_count; i++) {
		const struct trace_event *event = &story->events[i];
		const struct story_step *step = story_step_find(story, event->step);
		const struct act *act = step && step->phase ? act_of(event) : NULL;

		if (act)
			line_add(line, act, step, event);
	}
}

/* Whether this act is still to come in the phase, after the line's head. */
static bool comes_later(const struct line *line, const struct act *act)
{
	for (unsigned int i = line->at + 1; i < line->end; i++)
		if (line->act[i].act == act)
			return true;
	return false;
}

/* The head to lay down next: one that most lines have at their head and none has to come. */
static const struct act *choose_act(const struct line *lines, unsigned int count)
{
	const struct act *best = NULL;
	int most = -1;

	for (unsigned int i = 0; i < count; i++) {
		const struct act *act = lines[i].at < lines[i].end ? lines[i].act[lines[i].at].act
								   : NULL;
		int score = 0;

		if (!act)
			continue;
		for (unsigned int j = 0; j < count; j++) {
			bool head = lines[j].at < lines[j].end &&
				    lines[j].act[lines[j].at].act == act;

			score += head ? 4 : comes_later(&lines[j], act) ? -2 : 0;
		}
		if (score > most || !best) {
			most = score;
			best = act;
		}
	}
	return best;
}

static unsigned int lay_phase(
	struct line *lines, unsigned int count, uint8_t phase, struct compare_row *rows)
{
	unsigned int n = 0;
	const struct act *act;

	for (unsigned int i = 0; i < count; i++) {
		for (lines[i].at = 0; lines[i].at < lines[i].n; lines[i].at++)
			if (lines[i].act[lines[i].at].phase == phase)
				break;
		for (lines[i].end = lines[i].at; lines[i].end < lines[i].n; lines[i].end++)
			if (lines[i].act[lines[i].end].phase != phase)
				break;
	}
	while ((act = choose_act(lines, count)) != NULL) {
		struct compare_row *row = &rows[n++];

		*row = (struct compare_row){ .phase = phase, .act = act };
		for (unsigned int i = 0; i < count; i++) {
			const struct step_act *head = &lines[i].act[lines[i].at];

			if (lines[i].at == lines[i].end || head->act != act)
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
		if (!seen(&lines[i], row->act)) {
			row->mark = COMPARE_MISSING;
			return;
		}
		row->mark = COMPARE_ORDER;
	}
}

int compare_rows(const struct story *stories, unsigned int count, struct compare_row **rows)
{
	struct line *lines = calloc(count, sizeof(*lines));
	unsigned int n = 0, phases = 0;

	*rows = calloc(COMPARE_MAX * ACTS_MAX, sizeof(**rows));
	if (!lines || !*rows || count > COMPARE_MAX) {
		free(lines);
		return -ENOMEM;
	}
	for (unsigned int i = 0; i < count; i++) {
		line_fill(&lines[i], &stories[i]);
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

static void print_cell(FILE *out, const struct compare_cell *cell, unsigned int width)
{
	char text[96] = "";
	int n = 0;

	if (cell->event)
		n = snprintf(text, sizeof(text), "%3u %.40s", cell->event->step, cell->event->name);
	if (cell->count > 1 && n > 0)
		snprintf(text + n, sizeof(text) - (size_t)n, " x%u", cell->count);
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

int compare_text(FILE *out, const struct story *stories, unsigned int count, unsigned int columns,
		 bool colour)
{
	struct compare_row *rows;
	int n = compare_rows(stories, count, &rows);
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
			rows[i].act->name);
		for (unsigned int j = 0; j < count; j++)
			print_cell(out, &rows[i].cell[j], width);
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
	cJSON_AddStringToObject(json, "act", row->act->name);
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

int compare_json(FILE *out, const struct story *stories, unsigned int count)
{
	struct compare_row *rows;
	int n = compare_rows(stories, count, &rows);
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
