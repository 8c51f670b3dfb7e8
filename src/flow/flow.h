/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The flow language (docs/flow.md): actors, steps, expectations on results. A parsed flow lives in
 * the image with its program counter and variables, so that a run can be saved at any step and
 * finished by another process.
 */
#ifndef SWTIO_FLOW_FLOW_H
#define SWTIO_FLOW_FLOW_H

#include "image/image.h"
#include "image/mutant.h"

#define FLOW_WORD 24u
#define FLOW_TEXT 96u
#define FLOW_ARGS 8u

enum flow_actor { FLOW_ADMIN, FLOW_VMM, FLOW_GUEST, FLOW_ADVERSARY, FLOW_PROBE, FLOW_ACTORS };

struct flow_arg { char key[FLOW_WORD]; char value[FLOW_TEXT]; };	/* key "" for a bare word */

enum flow_expect { EXPECT_OK, EXPECT_ERRNO, EXPECT_STATUS, EXPECT_VALUE, EXPECT_ANY };

struct flow_action {
	uint32_t line;			/* of its file, from 1 */
	uint32_t step;			/* its step's number */
	uint8_t actor;			/* enum flow_actor */
	uint8_t instance;		/* vmm2, guest2: 1 */
	uint8_t nargs;
	uint8_t expect;			/* enum flow_expect */
	uint8_t during;			/* enum image_wait: runs inside the action before it; 0: on its own */
	uint8_t unchanged;		/* the platform's state must be as before */
	uint8_t file;			/* which of the files: 0 the flow itself */
	uint16_t during_count;		/* at the n-th such wait */
	int64_t expect_value;		/* errno (positive), or value */
	char expect_text[64];		/* status or state name */
	char verb[FLOW_WORD];
	char var[FLOW_WORD];		/* "-> name": where the result goes; "" nowhere */
	struct flow_arg args[FLOW_ARGS];
};

/* The parts of a life cycle that every platform has: like phases stand side by side in a comparison. */
enum flow_phase {
	PHASE_NONE, PHASE_CONNECT, PHASE_SETUP, PHASE_SHARED, PHASE_BIND, PHASE_ATTEST, PHASE_ACCEPT,
	PHASE_START, PHASE_WORK, PHASE_UNBIND, PHASE_SHARED_AGAIN, PHASE_END, PHASE_MAX
};
const char *flow_phase_name(uint8_t phase);	/* "bind"; "" for PHASE_NONE */

struct flow_step {
	uint32_t number;
	uint32_t first, count;		/* actions [first, first + count) */
	uint8_t phase;			/* enum flow_phase */
	char title[64];
};

struct flow_error { uint32_t line; char file[64]; char text[160]; };	/* file: an included one, or "" */

struct flow_settings {			/* what the head of a flow says about the machine */
	char title[96];
	char platform[16];
	uint64_t seed;
	uint8_t policy;			/* enum bound_policy */
	uint8_t uapi;			/* enum tsm_uapi */
	uint8_t sept;			/* enum sept_policy */
	bool private_for_life;
	struct mutant_set mutants;
};

/* Makes a machine (image, hardware, firmware, devices, kernel) and loads the flow into it. The text,
 * and the files it includes, are hostile input. path: the file it is from, or NULL, and then it may
 * not include any. 0, or -errno with *error filled. */
int flow_start(const char *text, const char *path, struct flow_error *error);
/* A mutant of the host on top of those the flow names; before flow_start. */
int flow_mutant_add(const char *name);
/* The proposal for bind and guest requests that is spoken, whatever the flow says; before flow_start.
 * 0, or -EINVAL: none of that name. */
int flow_uapi_set(const char *name);

/* The next action; 1: there was one, 0: the flow is at its end, -errno: cannot go on. */
int flow_next(void);
int flow_run_step(void);		/* all actions of the next step: as flow_next() */

/* Back to the first action of a step, with no variable set and no failure noted; what the actors own is
 * theirs to keep or lose. 0, or -ENOENT: no such step. */
int flow_rewind(uint32_t step);
/* The VMM dies, as by SIGKILL: all it had is closed. */
void flow_vmm_kill(unsigned int instance);

struct flow_failure { uint32_t line, step; char text[200]; };
struct flow_state {
	struct flow_settings settings;
	uint32_t step;			/* that will run next; 0 at the end */
	uint32_t steps, actions, done;	/* totals, and actions done */
	uint32_t failures;
	struct flow_failure first;	/* the first expectation that did not hold */
};
void flow_state(struct flow_state *state);
const struct flow_step *flow_step_find(uint32_t number);
const struct flow_step *flow_steps(uint32_t *count);	/* all of them, ascending */
bool flow_loaded(void);

#endif
