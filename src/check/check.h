/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Invariants, one table: an id (T.. TDX, A.. SEV, C.. CCA, X.. all), a sentence, its source, a
 * kind, the mutant it catches, and a predicate over the image and the trace. State checks look at
 * what is; history checks read the new events and keep ghost state in the image; progress checks
 * look at waits and locks; confluence holds over many runs and is driven by tests.
 */
#ifndef SWTIO_CHECK_CHECK_H
#define SWTIO_CHECK_CHECK_H

#include "image/image.h"
#include "trace/trace.h"

enum check_kind { CHECK_STATE, CHECK_HISTORY, CHECK_PROGRESS, CHECK_CONFLUENCE };
const char *check_kind_name(enum check_kind kind);

struct check {
	const char *id;
	enum check_kind kind;
	const char *sentence;
	const char *source;		/* where the rule comes from: spec section or discussion */
	const char *mutant;		/* the deliberate bug that it, and no other, catches */
	bool (*holds)(char *why, size_t len);	/* state, progress: true if it holds now */
	/* history: sees each new event once */
	bool (*event)(const struct trace_event *event, char *why, size_t len);
};
/* What holds on the machine there is: its platform's, then those of every platform. */
const struct check *check_table(size_t *count);
/* One platform's own, or (PLATFORMS) those of every platform; *count 0: none. */
const struct check *check_set(unsigned int platform, size_t *count);

int check_power_on(void);
/* Runs all that can be run now; returns how many new violations were recorded. */
unsigned int check_run(void);

struct check_violation { char id[8]; uint32_t step; uint64_t event; char why[160]; };
unsigned int check_violations(struct check_violation *out, unsigned int max);	/* total count */
unsigned int check_held(void);		/* invariants in the table that are not violated */

#endif
