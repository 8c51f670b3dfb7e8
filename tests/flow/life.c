/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "check/check.h"
#include "device/device.h"
#include "kernel/pci/pci.h"
#include "kernel/tsm/tsm.h"
#include "life.h"

#define STORY 40u			/* events before the one that matters */

static uint64_t baseline[IMAGE_TYPE_MAX];

/* -- the flow ----------------------------------------------------------------------------------- */

static void replace(char *text, const char *from, const char *to)
{
	size_t was = strlen(from), is = strlen(to);

	for (; (text = strstr(text, from)) != NULL; text += is) {
		memmove(text + is, text + was, strlen(text + was) + 1);
		memcpy(text, to, is);
	}
}

/* 64 MiB are moved elsewhere; what is written after a snapshot has to be copied, each time. */
static void workload_cut(char *text)
{
	replace(text, "pages=4096", "pages=512");
	replace(text, "dst=24M len=64M piece=8M", "dst=17M len=1M piece=512K");
}

char *life_text(void)
{
	static char text[1 << 18];
	const char *path = getenv("SWTIO_FLOW");
	FILE *file = path ? fopen(path, "r") : NULL;
	size_t n = file ? fread(text, 1, sizeof(text) - 1, file) : 0;

	if (file)
		fclose(file);
	text[n] = '\0';
	workload_cut(text);
	return n ? text : NULL;
}

int life_start(void)
{
	const char *text = life_text();
	struct flow_error error;

	if (!text || flow_start(text, getenv("SWTIO_FLOW"), &error))
		return -1;
	life_play_to(life_first(PHASE_SETUP));
	life_whole();
	for (unsigned int type = 1; type < IMAGE_TYPE_MAX; type++)
		baseline[type] = image_live((enum image_type)type);
	life_rewind();
	return 0;
}

/* -- where in its life the VMM is --------------------------------------------------------------- */

uint32_t life_now(void)
{
	struct flow_state flow;

	flow_state(&flow);
	return flow.step;
}

uint32_t life_first(uint8_t phase)
{
	uint32_t count;
	const struct flow_step *steps = flow_steps(&count);

	for (uint32_t i = 0; i < count; i++)
		if (steps[i].phase == phase)
			return steps[i].number;
	return 0;
}

uint8_t life_phase(uint32_t step)
{
	const struct flow_step *found = flow_step_find(step);

	return found ? found->phase : PHASE_NONE;
}

uint32_t life_step_of(const char *verb)
{
	uint32_t count;
	const struct flow_step *steps = flow_steps(&count);
	const struct flow_action *actions;

	for (uint32_t i = 0; i < count; i++) {
		actions = flow_actions(&steps[i]);
		for (uint32_t j = 0; j < steps[i].count; j++)
			if (!strcmp(actions[j].verb, verb))
				return steps[i].number;
	}
	fail_msg("the flow has no %s", verb);
	return 0;
}

void life_play_to(uint32_t step)
{
	struct flow_state flow;

	while (life_now() && life_now() < step)
		assert_int_equal(flow_run_step(), 1);
	flow_state(&flow);
	if (flow.failures)
		fail_msg("%s", flow.first.text);
}

void life_rewind(void)
{
	flow_vmm_kill(0);
	assert_int_equal(flow_rewind(life_first(PHASE_SETUP)), 0);
}

void life_whole(void)
{
	assert_int_equal(flow_rewind(life_first(PHASE_SETUP)), 0);
	life_play_to(life_first(PHASE_WORK));
	flow_vmm_kill(0);
}

struct flow_action life_action(enum flow_actor actor, const char *verb)
{
	struct flow_action action = { .actor = (uint8_t)actor };

	strcpy(action.verb, verb);
	return action;
}

void life_action_arg(struct flow_action *action, const char *key, const char *value)
{
	struct flow_arg *arg = &action->args[action->nargs++];

	strcpy(arg->key, key);
	strcpy(arg->value, value);
}

/* -- the end ------------------------------------------------------------------------------------ */

/* What was done around an event, and what is still open. */
static void story_show(uint64_t at)
{
	const struct trace_event *event;
	const struct file *file;

	for (uint64_t seq = at > STORY ? at - STORY : 1; seq < trace_next(); seq++) {
		event = trace_get(seq);
		if (seq == at)
			print_message("-- here --\n");
		if (event)
			print_message("%s -> %s: %s %s %#llx\n", lane_name(event->from),
				      lane_name(event->to), event->name, event->text,
				      (unsigned long long)event->result);
	}
	for (uint32_t id = 1; (file = file_next(&id)); id++)
		print_message("left: %s, %u references\n", file->path, file->refs);
}

__attribute__((noreturn, format(printf, 3, 4)))
static void unclean(const char *what, uint64_t at, const char *format, ...)
{
	char why[240];
	va_list args;

	va_start(args, format);
	vsnprintf(why, sizeof(why), format, args);
	va_end(args);
	story_show(at);
	fail_msg("%s: %s", what, why);
	abort();	/* fail_msg() does not return, and does not say so */
}

void life_assert_clean(const char *what, uint64_t at)
{
	const struct pci_dev *pdev = pci_dev_find(LIFE_VF);
	const char *cause = NULL;
	struct tdi_view view;
	char why[200] = "";

	assert_int_equal(image_enter(), 0);
	if (image_verify(why, sizeof(why)))
		unclean(what, at, "%s", why);
	for (unsigned int type = 1; type < IMAGE_TYPE_MAX; type++)
		if (image_live((enum image_type)type) > baseline[type])
			unclean(what, at, "%s: %llu live, %llu before",
				image_type_name((enum image_type)type),
				(unsigned long long)image_live((enum image_type)type),
				(unsigned long long)baseline[type]);
	assert_non_null(pdev);
	if (pci_tsm_quarantined(pdev, &cause))
		unclean(what, at, "quarantined: %s", cause);
	if (pci_tsm_bound(pdev))
		unclean(what, at, "still bound");
	assert_int_equal(device_tdi_view(LIFE_VF, &view), 0);
	if (view.state != TDISP_UNLOCKED)
		unclean(what, at, "the TDI is in state %d", view.state);
	image_leave();
}
