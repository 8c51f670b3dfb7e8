/* SPDX-License-Identifier: BSD-2-Clause */
/* Scripts: posting, running, and what they leave behind. */
#include "guest/internal.h"

#include <stdio.h>

#define POLL_NS 10000000ull	/* what a guest sleeps between two looks */
#define FAULTS_MAX 4u		/* a violation that the VMM does not cure */

/* What the reference VMM does by default: 256 MiB of RAM, the last 32 shared; BARs from 3.5 GiB. */
static const struct guest_place default_place = {
	.func = 0x101, .bdf = 0x8, .bar = { [0] = 0xe0000000, [2] = 0xe0800000 },
	.buffer = 0x0e000000, .scratch = 0x1000,
};

static const struct guest *guest_find(uint32_t vm)
{
	const struct guest *guest = image_root(IMAGE_ROOT_GUEST);

	while (guest && guest->vm != vm)
		guest = guest->next;
	return guest;
}

int guest_create(uint32_t vm)
{
	struct guest *guest;

	if (guest_find(vm))
		return -EEXIST;
	guest = image_alloc(sizeof(*guest), IMAGE_TYPE_GUEST);
	if (!guest)
		return -ENOMEM;
	guest->vm = vm;
	guest->place = default_place;
	guest->next = image_root(IMAGE_ROOT_GUEST);
	image_root_set(IMAGE_ROOT_GUEST, guest);
	return 0;
}

void guest_destroy(uint32_t vm)
{
	const struct guest *gone = guest_find(vm), *before = image_root(IMAGE_ROOT_GUEST);

	if (!gone)
		return;
	if (before == gone) {
		image_root_set(IMAGE_ROOT_GUEST, gone->next);
	} else {
		while (before->next != gone)
			before = before->next;
		*(const struct guest **)image_write(&before->next) = gone->next;
	}
	image_free(gone);
}

void guest_gone(uint32_t vm)
{
	guest_destroy(vm);
}

/* -- arguments and values -------------------------------------------------------------------- */
static bool key_taken(const char *keys, const char *key)
{
	size_t len = strnlen(key, sizeof(((struct guest_arg *)0)->key));

	for (const char *p = keys; len && (p = strstr(p, key)); p++)
		if ((p == keys || p[-1] == ' ') && (p[len] == ' ' || !p[len]))
			return true;
	return false;
}

static bool verb_ok(const struct guest_verb *verb)
{
	const struct guest_verb_row *row;

	if (verb->nargs > GUEST_VERB_ARGS || !memchr(verb->name, 0, sizeof(verb->name)))
		return false;
	row = guest_verb_find(verb->name);
	for (unsigned int i = 0; row && i < verb->nargs; i++)
		if (!memchr(verb->args[i].key, 0, sizeof(verb->args[i].key)) ||
		    !key_taken(row->keys, verb->args[i].key))
			return false;
	return row;
}

bool guest_arg(const struct guest_call *call, const char *key, uint64_t *value)
{
	for (unsigned int i = 0; i < call->verb->nargs; i++)
		if (!strcmp(call->verb->args[i].key, key)) {
			*value = call->verb->args[i].value;
			return true;
		}
	return false;
}

uint64_t guest_arg_or(const struct guest_call *call, const char *key, uint64_t otherwise)
{
	guest_arg(call, key, &otherwise);
	return otherwise;
}

int guest_leave(const struct guest_call *call, const char *name, uint64_t value)
{
	for (unsigned int i = 0; i < GUEST_VALUES; i++) {
		const char *known = call->guest->values[i].name;

		if (*known && strcmp(known, name))
			continue;
		if (!*known)
			snprintf(image_log(known, sizeof(call->guest->values[i].name)),
				 sizeof(call->guest->values[i].name), "%s", name);
		*(uint64_t *)image_write(&call->guest->values[i].value) = value;
		return 0;
	}
	return -ENOSPC;
}

uint64_t guest_value(uint32_t vm, const char *name, bool *found)
{
	const struct guest *guest = guest_find(vm);

	for (unsigned int i = 0; guest && *name && i < GUEST_VALUES; i++)
		if (!strcmp(guest->values[i].name, name)) {
			*found = true;
			return guest->values[i].value;
		}
	*found = false;
	return 0;
}

/* -- places ---------------------------------------------------------------------------------- */
static struct guest_progress_state *now_write(const struct guest_call *call)
{
	return image_write(&call->guest->now);
}

void guest_phase(const struct guest_call *call, unsigned int phase)
{
	struct guest_progress_state *now = now_write(call);

	now->phase = (uint8_t)phase;
	now->at = 0;
	now->polls = 0;
}

void guest_at(const struct guest_call *call, uint64_t at)
{
	now_write(call)->at = at;
}

void guest_part(const struct guest_call *call, uint16_t part)
{
	guest_phase(call, 0);
	now_write(call)->part = part;
}

int64_t guest_idle(const struct guest_call *call)
{
	struct vcpu_hw *vcpu = image_write(call->vcpu);

	image_clock_advance(POLL_NS);
	now_write(call)->polls++;
	vcpu->exit.reason = CPU_EXIT_IDLE;
	return -EAGAIN;
}

uint64_t guest_shared_bit(const struct vcpu_hw *vcpu)
{
	return vcpu->tee_owner && vcpu->gpa_bits ? 1ull << (vcpu->gpa_bits - 1) : 0;
}

/* -- running --------------------------------------------------------------------------------- */
int guest_post(uint32_t vm, const struct guest_verb *verb)
{
	const struct guest *guest;
	int rc;

	if (!verb_ok(verb))
		return -EINVAL;
	rc = guest_find(vm) ? 0 : guest_create(vm);
	if (rc)
		return rc;
	guest = guest_find(vm);
	if (guest->tail - guest->head == GUEST_QUEUE)
		return -ENOSPC;
	*(struct guest_verb *)image_write(&guest->queue[guest->tail % GUEST_QUEUE]) = *verb;
	*(uint32_t *)image_write(&guest->tail) = guest->tail + 1;
	return 0;
}

enum guest_progress guest_progress(uint32_t vm, int64_t *result, uint64_t *status, char *text,
				   size_t len)
{
	const struct guest *guest = guest_find(vm);

	if (!guest || !guest->tail)
		return GUEST_IDLE;
	if (guest->head != guest->tail)
		return GUEST_RUNNING;
	*result = guest->outcome.result;
	*status = guest->outcome.status;
	snprintf(text, len, "%s", guest->outcome.text);
	return GUEST_DONE;
}

/* An exit at one address again and again: what a real guest gets as #VE, or would hang on. */
static bool stuck(const struct guest_call *call)
{
	const struct cpu_exit_info *exit = &call->vcpu->exit;
	struct guest_progress_state *now = now_write(call);
	bool same = exit->reason == CPU_EXIT_EPT_VIOLATION && now->faults &&
		    now->fault_gpa == exit->gpa;

	if (exit->reason != CPU_EXIT_EPT_VIOLATION) {
		now->faults = 0;
		return false;
	}
	now->faults = (uint8_t)(same ? now->faults + 1 : 1);
	now->fault_gpa = exit->gpa;
	return now->faults > FAULTS_MAX;
}

static void verb_ends(const struct guest_call *call, int64_t result)
{
	struct guest_outcome *outcome = image_write(&call->guest->outcome);

	outcome->result = result;
	if (!outcome->text[0] && result < 0)
		snprintf(outcome->text, sizeof(outcome->text), "%s", strerrorname_np((int)-result));
	*(uint32_t *)image_write(&call->guest->head) = call->guest->head + 1;
	*now_write(call) = (struct guest_progress_state){ 0 };
}

static void verb_begins(const struct guest_call *call)
{
	trace_note(LANE_GUEST, LANE_GUEST, call->verb->name, NULL);
	memset(image_write(&call->guest->outcome), 0, sizeof(call->guest->outcome));
	now_write(call)->stage = 1;
}

/* Runs the verb's stages until one must wait; `now.stage` counts from 1 while a verb runs. */
static int64_t stages_run(const struct guest_call *call)
{
	const struct guest_verb_row *row = guest_verb_find(call->verb->name);
	int64_t result = 0;

	while (call->guest->now.stage <= sizeof(row->stages) / sizeof(row->stages[0]) &&
	       row->stages[call->guest->now.stage - 1]) {
		result = row->stages[call->guest->now.stage - 1](call);
		if (result < 0)
			return result;
		now_write(call)->stage++;
		guest_part(call, 0);
	}
	return result;
}

void guest_run(const struct vcpu_hw *vcpu)
{
	const struct guest *guest = guest_find(vcpu->vm);
	struct guest_call call = { .vcpu = vcpu, .guest = guest };
	struct vcpu_hw *w;
	int64_t result;

	if (guest && guest->head != guest->tail) {
		call.verb = &guest->queue[guest->head % GUEST_QUEUE];
		if (!guest->now.stage)
			verb_begins(&call);
		result = stages_run(&call);
		if (result == -EAGAIN && !stuck(&call))
			return;
		verb_ends(&call, result == -EAGAIN ? -EFAULT : result);
	}
	w = image_write(vcpu);
	w->exit.reason = CPU_EXIT_IDLE;
}
