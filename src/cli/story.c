/* SPDX-License-Identifier: BSD-2-Clause */
/* From a flow that was played to a story that can be drawn and compared. */
#include <stdio.h>

#include "check/check.h"
#include "cli/cli.h"
#include "flow/flow.h"

static void take_steps(struct story *story)
{
	uint32_t count;
	const struct flow_step *steps = flow_steps(&count);

	for (uint32_t i = 0; i < count && i < story->step_count; i++) {
		story->steps[i] = (struct story_step){ .number = steps[i].number,
			.phase = steps[i].phase, .phase_name = flow_phase_name(steps[i].phase) };
		snprintf(story->steps[i].title, sizeof(story->steps[i].title), "%s",
			 steps[i].title);
	}
}

static void take_verdict(struct story *story, const struct flow_state *state)
{
	struct check_violation violation[STORY_VIOLATIONS];
	size_t table;

	check_table(&table);
	story->invariants = (unsigned int)table;
	story->held = check_held();
	story->violations = check_violations(violation, STORY_VIOLATIONS);
	for (unsigned int i = 0; i < story->violations && i < STORY_VIOLATIONS; i++) {
		struct story_violation *to = &story->violation[i];

		snprintf(to->id, sizeof(to->id), "%s", violation[i].id);
		snprintf(to->why, sizeof(to->why), "%s", violation[i].why);
		to->step = violation[i].step;
	}
	story->ok = !state->failures && !story->violations && state->done == state->actions;
	snprintf(story->failure, sizeof(story->failure), "%s", state->first.text);
}

int cli_story_take(struct story *story, const char *label, double seconds)
{
	struct flow_state state;

	flow_state(&state);
	if (story_take(story, state.steps))
		return cli_cannot("no memory for the story of a run");
	snprintf(story->title, sizeof(story->title), "%s", state.settings.title);
	snprintf(story->label, sizeof(story->label), "%s",
		 label ? label : state.settings.platform);
	story->seconds = seconds;
	take_steps(story);
	take_verdict(story, &state);
	return CLI_OK;
}

int cli_page_write(const char *path, const struct story *stories, unsigned int count,
		   enum compare_view view)
{
	FILE *out = fopen(path, "w");
	int rc;

	if (!out)
		return cli_cannot("%s: %m", path);
	rc = story_page(out, stories, count, view);
	if (fclose(out) || rc)
		return cli_cannot("%s: the page could not be written whole: %m", path);
	return CLI_OK;
}
