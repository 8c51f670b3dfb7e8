/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the parser and the engine. */
#ifndef SWTIO_FLOW_PARSE_H
#define SWTIO_FLOW_PARSE_H

#include "flow/flow.h"

#define FLOW_STEPS_MAX 256u
#define FLOW_ACTIONS_MAX 1024u

struct flow_program {			/* process-local while parsing, then copied into the image */
	struct flow_settings settings;
	uint32_t steps, actions;
	struct flow_step step[FLOW_STEPS_MAX];
	struct flow_action action[FLOW_ACTIONS_MAX];
};

int flow_parse(const char *text, struct flow_program *program, struct flow_error *error);
int flow_number(const char *text, uint64_t *value);	/* decimal, hex, K M G, bus:dev.fn; 0 or -errno */
int flow_mutant_bit(const char *name, uint64_t *bits);
const char *flow_actor_name(uint8_t actor);

/* What an action came to. */
struct flow_result {
	int64_t rc;			/* >= 0, or -errno */
	char text[64];			/* a status or state in the field's words, "" */
};

/* One argument of an action, resolved ($variables too); false when it is not there or no number. */
bool flow_arg_number(const struct flow_action *action, const char *key, uint64_t *value);
const char *flow_arg_text(const struct flow_action *action, const char *key);	/* NULL: not there */

/* Verbs by actor: 0 known, -EINVAL. */
int flow_verb_check(const struct flow_action *action);

struct flow_verb {
	const char *name;
	void (*run)(const struct flow_action *action, struct flow_result *result);
};
extern const struct flow_verb flow_admin_verbs[], flow_adversary_verbs[], flow_probe_verbs[];

/* The simulated processes: admin and up to two VMMs. */
const struct task *flow_task(enum flow_actor actor, unsigned int instance);
void flow_task_kill(enum flow_actor actor, unsigned int instance);
bool flow_variable(const char *name, uint64_t *value);

struct vmm;
struct vmm *flow_vmm(unsigned int instance);	/* writable in this action; NULL: no memory */

/* The vmm and guest actors. */
void flow_vmm_run(const struct flow_action *action, struct flow_result *result);
void flow_guest_run(const struct flow_action *action, struct flow_result *result);
uint64_t flow_platform_hash(void);	/* hardware, firmware, device and kernel objects */

int machine_power_on(const struct flow_settings *settings);

#endif
