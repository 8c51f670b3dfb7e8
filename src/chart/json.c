/* SPDX-License-Identifier: BSD-2-Clause */
/* The trace as JSON, one event a line, so that a chart or a check elsewhere can read it. */
#include <cjson/cJSON.h>
#include <stdlib.h>

#include "chart/chart.h"

static const char *const kind_names[] = { "call", "event", "state", "note" };

static cJSON *event_json(const struct trace_event *event)
{
	cJSON *json = cJSON_CreateObject(), *args;
	char hex[32];

	cJSON_AddNumberToObject(json, "seq", (double)event->seq);
	cJSON_AddNumberToObject(json, "clock", (double)event->clock);
	cJSON_AddNumberToObject(json, "end", (double)event->end_clock);
	cJSON_AddNumberToObject(json, "step", event->step);
	cJSON_AddStringToObject(json, "from", lane_name((enum lane)event->from));
	cJSON_AddStringToObject(json, "to", lane_name((enum lane)event->to));
	cJSON_AddStringToObject(json, "kind", kind_names[event->kind & 3]);
	cJSON_AddNumberToObject(json, "depth", event->depth);
	cJSON_AddStringToObject(json, "name", event->name);
	if (event->result == TRACE_PENDING) {
		cJSON_AddNullToObject(json, "result");
	} else {
		/* 64-bit values do not fit a JSON number: they are text, in hex */
		snprintf(hex, sizeof(hex), "%#llx", (unsigned long long)event->result);
		if (event->result_kind == TRACE_RESULT_ERRNO)
			cJSON_AddNumberToObject(json, "result", (double)event->result);
		else
			cJSON_AddStringToObject(json, "result", hex);
	}
	if (event->text[0])
		cJSON_AddStringToObject(json, "text", event->text);
	args = cJSON_AddObjectToObject(json, "args");
	for (unsigned int i = 0; i < event->nargs; i++) {
		snprintf(hex, sizeof(hex), "%#llx", (unsigned long long)event->args[i].value);
		cJSON_AddStringToObject(args, event->args[i].key, hex);
	}
	return json;
}

int chart_json(FILE *out)
{
	for (uint64_t seq = trace_first(); seq < trace_next(); seq++) {
		const struct trace_event *event = trace_get(seq);
		cJSON *json = event ? event_json(event) : NULL;
		char *text = json ? cJSON_PrintUnformatted(json) : NULL;

		if (text)
			fprintf(out, "%s\n", text);
		free(text);
		cJSON_Delete(json);
	}
	return ferror(out) ? -1 : 0;
}
