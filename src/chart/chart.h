/* SPDX-License-Identifier: BSD-2-Clause */
/* Sequence charts of the trace. */
#ifndef SWTIO_CHART_CHART_H
#define SWTIO_CHART_CHART_H

#include <stdio.h>

#include "trace/trace.h"

struct chart_options {
	bool all_lanes;			/* hardware, firmware and device too */
	bool legend;
	bool colour;
	unsigned int columns;		/* width; 0: 100 */
	unsigned int max_depth;		/* nesting shown; 0: all */
	uint32_t first_step, last_step;	/* 0: no bound */
	/* The title of a step, NULL for none. */
	const char *(*step_title)(uint32_t step);
};
const char *chart_legend(unsigned int line);	/* what the words mean; NULL after the last line */
int chart_text(FILE *out, const struct chart_options *options);
int chart_json(FILE *out);

#endif
