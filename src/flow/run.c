/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The engine: runs the actions as written, judges results against expectations, and lets other
 * actors in at the wait points an action passes. Everything it must remember between actions is in
 * the image; what belongs to one running action is on this process's stack.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check/check.h"
#include "flow/parse.h"
#include "kernel/kernel.h"
#include "kernel/syscall.h"
#include "vmm/vmm.h"

#define VARS 48u
#define INSTANCES 2u

struct flow_variable { char name[FLOW_WORD]; uint64_t value; };

struct flow_image {			/* in the image */
	struct flow_settings settings;
	uint32_t steps, actions;
	const struct flow_step *step;
	const struct flow_action *action;
	uint32_t at;			/* the next action */
	uint32_t files;
	struct flow_file file[FLOW_FILES_MAX];
	uint64_t live[IMAGE_TYPE_MAX];	/* objects of each type at the last mark */
	uint32_t failures;
	struct flow_failure first;
	const struct task *task[FLOW_ACTORS][INSTANCES];
	const struct vmm *vmm[INSTANCES];
	struct flow_variable var[VARS];
};

/* The action that runs now, for the wait hook; nested actions stack up. */
struct running {
	const struct flow_action *action;
	uint32_t next;			/* first action after it that may be a `during` */
	uint32_t seen[IMAGE_WAIT_MAX];
	uint64_t done;			/* bit i: the i-th following `during` action was run */
	bool killed;			/* its actor was killed while it waited */
	struct running *outer;
};
static struct running *running;
static struct mutant_set extra_mutants;
static int extra_uapi = -1;

static const struct flow_image *flow_root(void)
{
	return image_present() ? image_root(IMAGE_ROOT_FLOW) : NULL;
}

bool flow_loaded(void)
{
	return flow_root() != NULL;
}

int flow_uapi_set(const char *name)
{
	extra_uapi = tsm_uapi_find(name);
	return extra_uapi < 0 ? extra_uapi : 0;
}

int flow_mutant_add(const char *name)
{
	return flow_mutant_find(name, &extra_mutants);
}

__attribute__((format(printf, 2, 3)))
static void flow_fail(const struct flow_action *action, const char *format, ...)
{
	struct flow_image *root = image_write(flow_root());
	va_list args;
	int n;

	if (root->failures++)
		return;
	root->first.line = action->line;
	root->first.step = action->step;
	va_start(args, format);
	n = snprintf(root->first.text, sizeof(root->first.text), "%s%sline %u: ", root->file[action->file].name,
		     action->file ? ", " : "", action->line);
	vsnprintf(root->first.text + n, sizeof(root->first.text) - (size_t)n, format, args);
	va_end(args);
}

/* -- variables, arguments --------------------------------------------------------------------- */

bool flow_variable(const char *name, uint64_t *value)
{
	const struct flow_image *root = flow_root();

	for (unsigned int i = 0; i < VARS; i++)
		if (!strcmp(root->var[i].name, name)) {
			*value = root->var[i].value;
			return true;
		}
	return false;
}

void flow_live_mark(void)
{
	uint64_t *live = image_log(flow_root()->live, sizeof(flow_root()->live));

	for (unsigned int type = 1; type < IMAGE_TYPE_MAX; type++)
		live[type] = image_live((enum image_type)type);
}

uint64_t flow_live_more(enum image_type type)
{
	uint64_t live = image_live(type), then = flow_root()->live[type];

	return live > then ? live - then : 0;
}

static int variable_set(const char *name, uint64_t value)
{
	const struct flow_image *root = flow_root();

	for (unsigned int i = 0; i < VARS; i++) {
		struct flow_variable *var;

		if (root->var[i].name[0] && strcmp(root->var[i].name, name))
			continue;
		var = image_write(&root->var[i]);
		snprintf(var->name, sizeof(var->name), "%s", name);
		var->value = value;
		return 0;
	}
	return -ENOSPC;
}

const char *flow_arg_text(const struct flow_action *action, const char *key)
{
	for (unsigned int i = 0; i < action->nargs; i++)
		if (!strcmp(action->args[i].key, key))
			return action->args[i].value;
	return NULL;
}

bool flow_arg_number(const struct flow_action *action, const char *key, uint64_t *value)
{
	const char *text = flow_arg_text(action, key);

	if (!text)
		return false;
	if (*text == '$')
		return flow_variable(text + 1, value);
	return !flow_number(text, value);
}

uint64_t flow_arg_or(const struct flow_action *action, const char *key, uint64_t otherwise)
{
	uint64_t value = otherwise;

	flow_arg_number(action, key, &value);
	return value;
}

/* -- actors ------------------------------------------------------------------------------------ */

const struct task *flow_task(enum flow_actor actor, unsigned int instance)
{
	static const enum lane lanes[FLOW_ACTORS] = {
		[FLOW_ADMIN] = LANE_ADMIN, [FLOW_VMM] = LANE_VMM, [FLOW_ADVERSARY] = LANE_ADVERSARY,
	};
	const struct flow_image *root = flow_root();
	const struct task **slot;
	struct task *w;
	char name[16];

	if (root->task[actor][instance])
		return root->task[actor][instance];
	snprintf(name, sizeof(name), "%s%s", flow_actor_name((uint8_t)actor), instance ? "2" : "");
	slot = image_write(&root->task[actor][instance]);
	*slot = task_create(name, 0);
	if (*slot) {
		w = image_write(*slot);
		w->lane = (uint8_t)lanes[actor];
	}
	return *slot;
}

static bool task_lives(const struct task *task)
{
	const struct task *each;
	uint32_t index = 0;

	while ((each = task_next(&index)))
		if (each == task)
			return true;
	return false;
}

void flow_task_kill(enum flow_actor actor, unsigned int instance)
{
	const struct flow_image *root = flow_root();
	const struct task *task = root->task[actor][instance];
	const struct task **slot;
	struct running *r;

	if (!task)
		return;
	/* A task inside a call dies at its wait point: the outer call is left first (flow_wait). */
	for (r = running; r; r = r->outer)
		if (r->outer && r->outer->action->instance == instance) {
			r->outer->killed = true;
			return;
		}
	/* In this order: an exit that is itself cut short goes on here. */
	if (task_lives(task))
		task_exit(task);
	slot = image_write(&root->task[actor][instance]);
	*slot = NULL;
	if (actor == FLOW_VMM && root->vmm[instance])
		vmm_init(image_write(root->vmm[instance]));
}

struct vmm *flow_vmm(unsigned int instance)
{
	const struct flow_image *root = flow_root();
	const struct vmm **slot;
	struct vmm *vmm;

	if (root->vmm[instance])
		return image_write(root->vmm[instance]);
	vmm = image_alloc(sizeof(*vmm), IMAGE_TYPE_VMM);
	if (!vmm)
		return NULL;
	vmm_init(vmm);
	vmm->uapi = (uint32_t)vmm_uapi_find(tsm_uapi_name(root->settings.uapi));
	slot = image_write(&root->vmm[instance]);
	*slot = vmm;
	return vmm;
}

static void dispatch(const struct flow_action *action, struct flow_result *result)
{
	const struct flow_verb *verb;

	memset(result, 0, sizeof(*result));
	if (action->actor == FLOW_VMM) {
		flow_vmm_run(action, result);
	} else if (action->actor == FLOW_GUEST) {
		flow_guest_run(action, result);
	} else {
		verb = flow_verb_find(action->actor, action->verb);
		if (verb)
			verb->run(action, result);
		else
			result->rc = -ENOSYS;
	}
}

/* -- expectations ------------------------------------------------------------------------------ */

static bool as_expected(const struct flow_action *action, const struct flow_result *result)
{
	switch (action->expect) {
	case EXPECT_ANY: return true;
	case EXPECT_ERRNO: return result->rc == -action->expect_value;
	case EXPECT_VALUE: return result->rc == action->expect_value;
	case EXPECT_STATUS: return !strcmp(result->text, action->expect_text);
	default: return result->rc >= 0;
	}
}

static void result_text(const struct flow_result *result, char *text, size_t len)
{
	if (result->text[0])
		snprintf(text, len, "%s", result->text);
	else if (result->rc < 0)
		snprintf(text, len, "%s", strerrorname_np((int)-result->rc) ? strerrorname_np((int)-result->rc) : "?");
	else
		snprintf(text, len, "%#llx", (unsigned long long)result->rc);
}

static void judge(const struct flow_action *action, const struct flow_result *result)
{
	char text[80];

	result_text(result, text, sizeof(text));
	if (!as_expected(action, result)) {
		flow_fail(action, "%s %s was answered with %s, expected %s",
			  flow_actor_name(action->actor), action->verb, text,
			  action->expect_text[0] ? action->expect_text : "ok");
		return;
	}
	if (action->var[0] && variable_set(action->var, (uint64_t)result->rc))
		flow_fail(action, "more than %u variables", VARS);
}

/* -- running ----------------------------------------------------------------------------------- */

static void action_run(const struct flow_action *action, uint32_t index);

/* At a wait point of the running action: whoever was told to come in now does. */
static void flow_wait(enum image_wait point, void *arg)
{
	const struct flow_image *root = flow_root();
	struct running *now = running;

	(void)arg;
	if (!now)
		return;
	now->seen[point]++;
	for (uint32_t i = now->next; i < root->actions && root->action[i].during; i++) {
		const struct flow_action *action = &root->action[i];
		uint64_t bit = 1ull << ((i - now->next) & 63);

		if (action->during != point || action->during_count != now->seen[point] || now->done & bit)
			continue;
		now->done |= bit;
		action_run(action, i);
	}
	if (now->killed)
		image_call_abort(-EINTR);
}

static void during_check(const struct running *now)
{
	const struct flow_image *root = flow_root();

	for (uint32_t i = now->next; i < root->actions && root->action[i].during; i++)
		if (!(now->done >> ((i - now->next) & 63) & 1))
			flow_fail(&root->action[i], "wait point %s#%u was never reached",
				  image_wait_name(root->action[i].during),
				  root->action[i].during_count);
}

static void action_run(const struct flow_action *action, uint32_t index)
{
	struct running now = { .action = action, .next = index + 1, .outer = running };
	uint64_t before = action->unchanged ? flow_platform_hash() : 0;
	const struct task *task = current_task();
	struct flow_result result;

	*image_counter(IMAGE_COUNTER_STEP) = action->step;
	running = &now;
	dispatch(action, &result);
	running = now.outer;
	current_task_set(task);
	image_enter();
	if (now.killed)
		flow_task_kill(action->actor == FLOW_GUEST ? FLOW_VMM : action->actor, action->instance);
	judge(action, &result);
	if (!action->during)
		during_check(&now);
	if (action->unchanged && flow_platform_hash() != before)
		flow_fail(action, "%s %s changed the platform's state though it was refused",
			  flow_actor_name(action->actor), action->verb);
	image_leave();
}

int flow_next(void)
{
	const struct flow_image *root = flow_root();
	uint32_t at, *next;

	if (!root)
		return -ENOENT;
	at = root->at;
	if (at >= root->actions)
		return 0;
	image_wait_hook(flow_wait, NULL);
	image_enter();
	next = image_write(&root->at);
	do
		++*next;
	while (*next < root->actions && root->action[*next].during);
	image_leave();
	action_run(&root->action[at], at);
	image_enter();
	check_run();
	image_leave();
	return 1;
}

int flow_run_step(void)
{
	const struct flow_image *root = flow_root();
	uint32_t step;
	int rc;

	if (!root)
		return -ENOENT;
	if (root->at >= root->actions)
		return 0;
	step = root->action[root->at].step;
	do
		rc = flow_next();
	while (rc > 0 && root->at < root->actions && root->action[root->at].step == step);
	return rc;
}

int flow_rewind(uint32_t number)
{
	const struct flow_step *step = flow_step_find(number);
	struct flow_image *root;

	if (!step)
		return -ENOENT;
	image_enter();
	root = image_write(flow_root());
	root->at = step->first;
	root->failures = 0;
	memset(root->var, 0, sizeof(root->var));
	image_leave();
	return 0;
}

void flow_vmm_kill(unsigned int instance)
{
	image_enter();
	flow_task_kill(FLOW_VMM, instance);
	image_leave();
}

/* -- start and state --------------------------------------------------------------------------- */

static int flow_store(const struct flow_program *program)
{
	struct flow_image *root = image_alloc(sizeof(*root), IMAGE_TYPE_FLOW);
	const void *steps = image_bulk_alloc(program->steps * sizeof(struct flow_step), IMAGE_TYPE_FLOW);
	const void *actions = image_bulk_alloc(program->actions * sizeof(struct flow_action), IMAGE_TYPE_FLOW);

	if (!root || !steps || !actions)
		return -ENOMEM;
	memcpy(image_bulk_write(steps, program->steps * sizeof(struct flow_step)), program->step,
	       program->steps * sizeof(struct flow_step));
	memcpy(image_bulk_write(actions, program->actions * sizeof(struct flow_action)), program->action,
	       program->actions * sizeof(struct flow_action));
	root->settings = program->settings;
	root->steps = program->steps;
	root->files = program->files;
	memcpy(root->file, program->file, sizeof(root->file));
	root->actions = program->actions;
	root->step = steps;
	root->action = actions;
	image_root_set(IMAGE_ROOT_FLOW, root);
	flow_live_mark();
	return 0;
}

int flow_start(const char *text, const char *path, struct flow_error *error)
{
	struct flow_program *program = calloc(1, sizeof(*program));
	struct image_opts opts = { .size = sizeof(opts) };
	int rc;

	memset(error, 0, sizeof(*error));
	if (!program)
		return -ENOMEM;
	rc = flow_parse(text, path, program, error);
	if (rc)
		goto out;
	opts.seed = program->settings.seed;
	for (unsigned int i = 0; i < MUTANT_WORDS; i++)
		program->settings.mutants.word[i] |= extra_mutants.word[i];
	if (extra_uapi >= 0)
		program->settings.uapi = (uint8_t)extra_uapi;
	rc = image_create(&opts);
	if (rc) {
		snprintf(error->text, sizeof(error->text), "no memory for the host image: %s", strerror(-rc));
		goto out;
	}
	image_enter();
	rc = machine_power_on(&program->settings);
	if (!rc)
		rc = flow_store(program);
	image_leave();
	if (rc) {
		snprintf(error->text, sizeof(error->text), "the machine does not start: %s", strerror(-rc));
		image_detach();
	}
out:
	free(program);
	return rc;
}

void flow_state(struct flow_state *state)
{
	const struct flow_image *root = flow_root();

	memset(state, 0, sizeof(*state));
	if (!root)
		return;
	state->settings = root->settings;
	state->steps = root->steps;
	state->actions = root->actions;
	state->done = root->at;
	state->step = root->at < root->actions ? root->action[root->at].step : 0;
	state->failures = root->failures;
	state->first = root->first;
}

const struct flow_step *flow_step_find(uint32_t number)
{
	const struct flow_image *root = flow_root();

	for (uint32_t i = 0; root && i < root->steps; i++)
		if (root->step[i].number == number)
			return &root->step[i];
	return NULL;
}

const struct flow_step *flow_steps(uint32_t *count)
{
	const struct flow_image *root = flow_root();

	*count = root ? root->steps : 0;
	return root ? root->step : NULL;
}

const struct flow_action *flow_actions(const struct flow_step *step)
{
	return &flow_root()->action[step->first];
}
