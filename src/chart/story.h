/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A run that is over, outside the image: its steps, its events and what became of it. Several can
 * be held at once, which is what a comparison needs; the image they come from may be gone.
 */
#ifndef SWTIO_CHART_STORY_H
#define SWTIO_CHART_STORY_H

#include <stdio.h>

#include "trace/trace.h"

#define STORY_VIOLATIONS 16u

struct story_step {
	uint32_t number;
	uint8_t phase;			/* like phases have like numbers; 0: none */
	const char *phase_name;		/* static */
	char title[64];
};

struct story_violation { char id[8]; uint32_t step; char why[160]; };

struct story {
	char title[96];
	char label[24];			/* heads its column: the platform */
	struct story_step *steps;
	unsigned int step_count;
	struct trace_event *events;	/* ascending, those that were still in the ring */
	unsigned int event_count;
	unsigned int invariants, held;
	struct story_violation violation[STORY_VIOLATIONS];
	unsigned int violations;
	char failure[200];		/* the first expectation that did not hold; "" */
	bool ok;
	double seconds;			/* how long the run took */
};

/* Copies the events of the present image, and makes room for `steps` steps, which are the
 * caller's to fill. 0 or -ENOMEM; story_free() in any case. */
int story_take(struct story *story, unsigned int steps);
void story_free(struct story *story);
const struct story_step *story_step_find(const struct story *story, uint32_t number);	/* or NULL */

/* -- acts: what the platforms call differently (acts.c) ---------------------------------------- */
struct act {
	const char *name;		/* "device: STOP" */
	bool once;			/* only the first time counts */
};
const struct act *act_of(const struct trace_event *event);	/* NULL: nothing of the kind */

/* What the rows of a comparison are. */
enum compare_view {
	COMPARE_ACTS,			/* acts, whoever does them */
	COMPARE_CALLS			/* system calls of the VMM, by act or else by name */
};

/* -- side by side (compare.c) ------------------------------------------------------------------ */
#define COMPARE_MAX 4u

struct compare_cell {
	const struct trace_event *event;	/* the first of `count`; NULL: empty */
	unsigned int count;
};
enum compare_mark {
	COMPARE_SAME,			/* all have it, in this order */
	COMPARE_ORDER,			/* all have it, but not at the same place */
	COMPARE_MISSING			/* some do without */
};
/* What stands beside each other: of each story the steps of one run of the phase. */
struct compare_section {
	uint8_t phase;
	const char *name;		/* the phase's */
	uint32_t first[COMPARE_MAX], last[COMPARE_MAX];	/* steps, inclusive; 0: not in it */
	bool all;			/* every story is */
};
struct compare_row {
	const struct compare_section *section;
	const char *name;		/* the act's, or the call's; as long-lived as the stories */
	uint8_t mark;			/* enum compare_mark */
	struct compare_cell cell[COMPARE_MAX];
};
struct comparison {
	struct compare_section *sections;
	struct compare_row *rows;
	unsigned int section_count, row_count;
};
/* Sections and rows in an order that keeps each story's own. 0, or -ENOMEM; comparison_free()
 * afterwards. */
int compare_stories(const struct story *stories, unsigned int count, enum compare_view view,
		    struct comparison *comparison);
void comparison_free(struct comparison *comparison);
/* The phase's name, and whose it is when it is not all stories'. */
void compare_section_title(const struct compare_section *section, const struct story *stories,
			   unsigned int count, char *title, size_t room);
int compare_text(FILE *out, const struct story *stories, unsigned int count,
		 enum compare_view view, unsigned int columns, bool colour);
int compare_json(FILE *out, const struct story *stories, unsigned int count,
		 enum compare_view view);

/* -- drawn (svg.c, page.c) ---------------------------------------------------------------------- */
/* Steps [first, last] of a story as an <svg>. */
int story_svg(FILE *out, const struct story *story, uint32_t first, uint32_t last,
	      unsigned int pitch);
/* One self-contained page; several stories side by side. 0, or -EIO, -ENOMEM. */
int story_page(FILE *out, const struct story *stories, unsigned int count, enum compare_view view);
/* Text for HTML or SVG, markup escaped. */
void story_escape(FILE *out, const char *text);

#endif
