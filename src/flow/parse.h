/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the parser and the engine. */
#ifndef SWTIO_FLOW_PARSE_H
#define SWTIO_FLOW_PARSE_H

#include "flow/flow.h"

#define FLOW_STEPS_MAX 256u
#define FLOW_ACTIONS_MAX 1024u
#define FLOW_FILES_MAX 8u
#define FLOW_PATH 192u

struct flow_file { char name[64]; };	/* from the top of the tree; "" for the flow itself */

struct flow_program {			/* process-local while parsing, then copied into the image */
	struct flow_settings settings;
	uint32_t steps, actions, files;
	struct flow_file file[FLOW_FILES_MAX];
	struct flow_step step[FLOW_STEPS_MAX];
	struct flow_action action[FLOW_ACTIONS_MAX];
};

/* path: where the text is from, which is what an `include` is relative to; NULL: it may have none. */
int flow_parse(const char *text, const char *path, struct flow_program *program, struct flow_error *error);

/*
 * Files that a flow includes. They lie in the tree of the flow: below the closest folder called
 * "flows" above it, or below its own folder when there is none.
 */
struct flow_tree {
	int root;			/* descriptor of the tree's top folder; -1: nothing may be included */
	char path[FLOW_PATH];		/* of the flow, relative to it */
};
void flow_tree_open(const char *path, struct flow_tree *tree);
void flow_tree_close(struct flow_tree *tree);
/* The path, from the top of the tree, of what `name` means in the file `from`. 0, -EINVAL absolute,
 * -EXDEV out of the tree, -ENAMETOOLONG. */
int flow_tree_resolve(const char *from, const char *name, char path[FLOW_PATH]);
/* The text of a file, the caller's to free. 0, -ENOENT, -ELOOP a symbolic link, -EINVAL no plain
 * file, -EFBIG, -ENOMEM. */
int flow_tree_read(const struct flow_tree *tree, const char *path, char **text);
int flow_number(const char *text, uint64_t *value);	/* decimal, hex, K M G, bus:dev.fn; 0 or -errno */
int flow_mutant_find(const char *name, struct mutant_set *set);
const char *flow_actor_name(uint8_t actor);

/* What an action came to. */
struct flow_result {
	int64_t rc;			/* >= 0, or -errno */
	char text[64];			/* a status or state in the field's words, "" */
};

/* One argument of an action, resolved ($variables too); false when it is not there or no number. */
bool flow_arg_number(const struct flow_action *action, const char *key, uint64_t *value);
uint64_t flow_arg_or(const struct flow_action *action, const char *key, uint64_t otherwise);
const char *flow_arg_text(const struct flow_action *action, const char *key);	/* NULL: not there */

const struct flow_action *flow_actions(const struct flow_step *step);	/* step->count of them */

/* Verbs by actor: 0 known, -EINVAL. */
int flow_verb_check(const struct flow_action *action);

struct flow_verb {
	const char *name;
	void (*run)(const struct flow_action *action, struct flow_result *result);
};
extern const struct flow_verb flow_admin_verbs[], flow_adversary_verbs[], flow_probe_verbs[];
/* ... and each platform's own (tdx.c, sev.c, cca.c) */
extern const struct flow_verb flow_cca_acts[], flow_cca_probes[];
extern const struct flow_verb flow_tdx_acts[], flow_tdx_probes[], flow_sev_acts[], flow_sev_probes[];
/* Of admin, adversary or probe; NULL: it has none of that name. */
const struct flow_verb *flow_verb_find(uint8_t actor, const char *name);
uint16_t flow_rid(const struct flow_action *action);	/* rid=, or the first VF */
void flow_result_text(struct flow_result *result, const char *text);

/* A verb that reaches below the system calls holds the image's lock as the kernel would. */
#define BELOW(name) \
	static void name##_below(const struct flow_action *action, struct flow_result *result) \
	{ \
		image_enter(); \
		name(action, result); \
		image_leave(); \
	}

/* The simulated processes: admin and up to two VMMs. */
const struct task *flow_task(enum flow_actor actor, unsigned int instance);
void flow_task_kill(enum flow_actor actor, unsigned int instance);
bool flow_variable(const char *name, uint64_t *value);
/* How many objects of each type there are now is kept; what there is of one beyond that. */
void flow_live_mark(void);
uint64_t flow_live_more(enum image_type type);

struct vmm;
struct vmm *flow_vmm(unsigned int instance);	/* writable in this action; NULL: no memory */

/* The vmm and guest actors. */
void flow_vmm_run(const struct flow_action *action, struct flow_result *result);
void flow_guest_run(const struct flow_action *action, struct flow_result *result);
uint64_t flow_platform_hash(void);	/* hardware, firmware, device and kernel objects */

int machine_power_on(const struct flow_settings *settings);

#endif
