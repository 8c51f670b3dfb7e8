/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the text and the drawn chart have in common: lanes, the words of an arrow, and repetition.
 */
#ifndef SWTIO_CHART_ROWS_H
#define SWTIO_CHART_ROWS_H

#include "chart/chart.h"

struct chart_rows { const struct trace_event **event; unsigned int n; };

const char *chart_lane_name(enum lane lane);		/* short: a column's heading */
bool chart_failed(const struct trace_event *event);	/* a call that was refused */
/* The result with " = " before it, or "". */
void chart_result(const struct trace_event *event, char *text, size_t len);
/* Name, then as many arguments as fit, then the result, which always does. */
void chart_label(
	const struct trace_event *event, unsigned int repeats, char *label, size_t room);
/* The period at `at` that saves most rows: 1 for a plain repetition, more for a loop's body; and
 * how often it stands there. */
unsigned int chart_fold(const struct chart_rows *rows, unsigned int at, unsigned int *repeats);

#endif
