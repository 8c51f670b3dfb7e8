/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stories side by side. Each is cut into runs of steps of one phase, and each run reduced to its acts.
 * Runs are laid into sections, and the acts of a section into rows, both by one rule: every story's own
 * order is kept, with like things beside each other wherever the orders allow it. What does not fit is
 * what the platforms disagree on.
 */
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "chart/chart.h"
#include "chart/story.h"

#define LABEL 26u			/* columns of an act's name */
#define ACTS_MAX 512u			/* of one story */

struct step_act {			/* or a run of steps */
	const char *name;
	struct compare_cell cell;
	uint8_t phase;
	uint32_t step, last;		/* the first of them and the last */
};

struct line {				/* one story as acts, or as runs */
	struct step_act act[ACTS_MAX];
	unsigned int n;
	unsigned int at, end;		/* what of it is laid out */
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
							  step->number, step->number };
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

static void line_runs(struct line *line, const struct story *story)
{
	for (unsigned int i = 0; i < story->step_count; i++) {
		const struct story_step *step = &story->steps[i];
		struct step_act *last = line->n ? &line->act[line->n - 1] : NULL;

		if (last && last->phase == step->phase)
			last->last = step->number;
		else if (line->n < ACTS_MAX)
			line->act[line->n++] = (struct step_act){
				step->phase_name ? step->phase_name : "", { NULL, 0 },
				step->phase, step->number, step->number };
	}
}

/* Whether this is still to come, after the line's head. */
static bool comes_later(const struct line *line, const char *name)
{
	for (unsigned int i = line->at + 1; i < line->end; i++)
		if (!strcmp(line->act[i].name, name))
			return true;
	return false;
}

/* What stands at the head of what is still to lay down, NULL at its end. */
static const char *head_name(const struct line *line)
{
	return line->at < line->end ? line->act[line->at].name : NULL;
}

static bool head_is(const struct line *line, const char *name)
{
	return head_name(line) && !strcmp(head_name(line), name);
}

/* The head to lay down next: one that the fewest lines have still to come, so that they can share it
 * then; and of those the one that most lines have at their head. */
static const char *choose(const struct line *lines, unsigned int count)
{
	const char *best = NULL;
	int most = 0;

	for (unsigned int i = 0; i < count; i++) {
		const char *name = head_name(&lines[i]);
		int score = 0;

		for (unsigned int j = 0; name && j < count; j++)
			score += head_is(&lines[j], name)	? 1
				 : comes_later(&lines[j], name) ? -(int)COMPARE_MAX
								: 0;
		if (name && (score > most || !best)) {
			most = score;
			best = name;
		}
	}
	return best;
}

static int compare_sections(const struct story *stories, unsigned int count,
			    struct compare_section **sections)
{
	struct line *lines = calloc(count, sizeof(*lines));
	const char *name;
	int n = 0;

	*sections = calloc(COMPARE_MAX * ACTS_MAX, sizeof(**sections));
	if (!lines || !*sections || count > COMPARE_MAX) {
		free(lines);
		return -ENOMEM;
	}
	for (unsigned int i = 0; i < count; i++) {
		line_runs(&lines[i], &stories[i]);
		lines[i].end = lines[i].n;
	}
	while ((name = choose(lines, count)) != NULL) {
		struct compare_section *section = &(*sections)[n++];

		section->name = name;
		section->all = true;
		for (unsigned int i = 0; i < count; i++) {
			const struct step_act *head = &lines[i].act[lines[i].at];

			if (!head_is(&lines[i], name)) {
				section->all = false;
				continue;
			}
			section->phase = head->phase;
			section->first[i] = head->step;
			section->last[i] = head->last;
			lines[i].at++;
		}
	}
	free(lines);
	return n;
}

static void section_open(struct line *line, uint32_t first, uint32_t last)
{
	for (line->at = 0; line->at < line->n && line->act[line->at].step < first;)
		line->at++;
	for (line->end = line->at; first && line->end < line->n && line->act[line->end].step <= last;)
		line->end++;
}

static unsigned int lay_section(struct line *lines, unsigned int count,
				const struct compare_section *section, struct compare_row *rows)
{
	unsigned int n = 0;
	const char *name;

	for (unsigned int i = 0; i < count; i++)
		section_open(&lines[i], section->first[i], section->last[i]);
	while ((name = choose(lines, count)) != NULL) {
		struct compare_row *row = &rows[n++];

		*row = (struct compare_row){ .section = section, .name = name };
		for (unsigned int i = 0; i < count; i++)
			if (head_is(&lines[i], name))
				row->cell[i] = lines[i].act[lines[i].at++].cell;
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

static int compare_rows(const struct story *stories, unsigned int count, enum compare_view view,
			const struct compare_section *sections, unsigned int section_count,
			struct compare_row **rows)
{
	struct line *lines = calloc(count, sizeof(*lines));
	unsigned int n = 0;

	*rows = calloc(COMPARE_MAX * ACTS_MAX, sizeof(**rows));
	if (!lines || !*rows || count > COMPARE_MAX) {
		free(lines);
		return -ENOMEM;
	}
	for (unsigned int i = 0; i < count; i++)
		line_fill(&lines[i], &stories[i], view);
	for (unsigned int i = 0; i < section_count; i++)
		if (sections[i].phase)
			n += lay_section(lines, count, &sections[i], *rows + n);
	for (unsigned int i = 0; i < n; i++)
		mark_row(lines, count, *rows + i);
	free(lines);
	return (int)n;
}

int compare_stories(const struct story *stories, unsigned int count, enum compare_view view,
		    struct comparison *comparison)
{
	int n = compare_sections(stories, count, &comparison->sections);

	comparison->rows = NULL;
	comparison->section_count = n < 0 ? 0 : (unsigned int)n;
	if (n >= 0)
		n = compare_rows(stories, count, view, comparison->sections,
				 comparison->section_count, &comparison->rows);
	comparison->row_count = n < 0 ? 0 : (unsigned int)n;
	if (n < 0)
		comparison_free(comparison);
	return n < 0 ? n : 0;
}

void comparison_free(struct comparison *comparison)
{
	free(comparison->sections);
	free(comparison->rows);
	*comparison = (struct comparison){ 0 };
}

void compare_section_title(const struct compare_section *section, const struct story *stories,
			   unsigned int count, char *title, size_t room)
{
	int n = snprintf(title, room, "%s", section->name);

	for (unsigned int i = 0; !section->all && i < count; i++)
		if (section->first[i] && n > 0 && (size_t)n < room)
			n += snprintf(title + n, room - (size_t)n, "%s%s",
				      strchr(title, ':') ? ", " : ": ", stories[i].label);
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

static void print_section(FILE *out, const struct compare_section *section,
			  const struct story *stories, unsigned int count)
{
	char title[128];

	compare_section_title(section, stories, count, title, sizeof(title));
	fprintf(out, "%s%s\n", title, section->all ? "" : "   (at another place than elsewhere)");
}

int compare_text(FILE *out, const struct story *stories, unsigned int count,
		 enum compare_view view, unsigned int columns, bool colour)
{
	struct comparison all;
	int rc = compare_stories(stories, count, view, &all);
	unsigned int width = columns > LABEL + 2 + count * 12 ? (columns - LABEL - 2) / count - 1
							       : 11;

	if (rc)
		return rc;
	print_heading(out, stories, count, width);
	for (unsigned int i = 0; i < all.row_count; i++) {
		const struct compare_row *row = &all.rows[i];
		const char *on = colour && row->mark != COMPARE_SAME ? "\033[33m" : "";

		if (!i || row->section != all.rows[i - 1].section)
			print_section(out, row->section, stories, count);
		fprintf(out, "%s%s %-*.*s", on, mark_text[row->mark], (int)LABEL, (int)LABEL,
			row->name);
		for (unsigned int j = 0; j < count; j++)
			print_cell(out, &row->cell[j], view, width);
		fprintf(out, "%s\n", *on ? "\033[0m" : "");
	}
	fputs("\n~ all have it, in another order   - not every platform has it   "
	      "a cell: the step, and what it is called there\n\n", out);
	print_ends(out, stories, count);
	comparison_free(&all);
	return ferror(out) ? -EIO : 0;
}

static cJSON *row_json(const struct compare_row *row, const struct story *stories,
		       unsigned int count)
{
	static const char *const marks[] = { "same", "order", "missing" };
	cJSON *json = cJSON_CreateObject(), *cells;

	cJSON_AddStringToObject(json, "phase", row->section->name);
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
	struct comparison all;
	int rc = compare_stories(stories, count, view, &all);
	cJSON *list = rc ? NULL : cJSON_CreateArray();
	char *text;

	if (rc)
		return rc;
	for (unsigned int i = 0; i < all.row_count; i++)
		cJSON_AddItemToArray(list, row_json(&all.rows[i], stories, count));
	text = cJSON_Print(list);
	if (text)
		fprintf(out, "%s\n", text);
	rc = !text || ferror(out) ? -EIO : 0;
	free(text);
	cJSON_Delete(list);
	comparison_free(&all);
	return rc;
}
