/* SPDX-License-Identifier: BSD-2-Clause */
/* Stories made by hand, so that what a comparison must say of them is known beforehand. */
#ifndef TESTS_CHART_STORIES_H
#define TESTS_CHART_STORIES_H

#include <stdlib.h>
#include <string.h>

#include "chart/story.h"

/* One step a phase, numbered as its phase. */
static inline struct story story_make(const char *label, unsigned int phases)
{
	static const char *const names[] = { "", "first", "second", "third" };
	struct story story = { .ok = true, .invariants = 1, .held = 1 };

	strcpy(story.label, label);
	strcpy(story.title, "made by hand");
	story.steps = calloc(phases, sizeof(*story.steps));
	story.events = calloc(64, sizeof(*story.events));
	story.step_count = phases;
	for (unsigned int i = 0; i < phases; i++)
		story.steps[i] = (struct story_step){ i + 1, (uint8_t)(i + 1), names[i + 1], "a step" };
	return story;
}

static inline struct trace_event *story_add(struct story *story, uint32_t step, const char *name)
{
	struct trace_event *event = &story->events[story->event_count++];

	event->seq = story->event_count;
	event->step = step;
	event->from = LANE_TSM;
	event->to = LANE_FIRMWARE;
	strncpy(event->name, name, sizeof(event->name) - 1);
	return event;
}

#endif
