/* SPDX-License-Identifier: BSD-2-Clause */
#include "chart/story.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int story_take(struct story *story, unsigned int steps)
{
	uint64_t first = trace_first(), next = trace_next();

	story->steps = calloc(steps ? steps : 1, sizeof(*story->steps));
	story->events = calloc(next - first ? next - first : 1, sizeof(*story->events));
	if (!story->steps || !story->events)
		return -ENOMEM;
	story->step_count = steps;
	for (uint64_t seq = first; seq < next; seq++) {
		const struct trace_event *event = trace_get(seq);

		if (event)
			story->events[story->event_count++] = *event;
	}
	return 0;
}

void story_free(struct story *story)
{
	free(story->steps);
	free(story->events);
	memset(story, 0, sizeof(*story));
}

const struct story_step *story_step_find(const struct story *story, uint32_t number)
{
	for (unsigned int i = 0; i < story->step_count; i++)
		if (story->steps[i].number == number)
			return &story->steps[i];
	return NULL;
}
