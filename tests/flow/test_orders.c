/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * R3.3: tear-down in every order. From the end of each phase of a life cycle: all orders of closing the
 * iommufd, the function, the shared and the private dma-bufs and KVM, and of destroying the vDEVICE;
 * a death of the VMM at every step; a close while a bind waits for the device; a guest's access
 * while a revoke waits for the importers. The end is always that nothing is mapped, no object is
 * left, the TDI is unlocked, nothing is quarantined, and another VM can use the device.
 *
 * SWTIO_FLOW names the flow; SWTIO_ORDERS how many of the 720 orders are taken from each phase (default
 * 90, evenly apart). The first of each phase is followed by a whole life of another VM.
 */
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
#include "flow/parse.h"
#include "kernel/pci/pci.h"
#include "kernel/tsm/tsm.h"

#define VF 0x101
#define ACTS 6u
#define ORDERS 720u			/* 6! */

static uint64_t baseline[IMAGE_TYPE_MAX];
static unsigned int orders_taken = 90;

/* What a VMM can let go of; what is not open is not there to close, and that is fine. */
static const struct { const char *verb, *key, *value; } acts[ACTS] = {
	{ "close-iommu", NULL, NULL },
	{ "close-device", NULL, NULL },
	{ "dmabuf-close", "kind", "shared" },
	{ "dmabuf-close", "kind", "private" },
	{ "close-kvm", NULL, NULL },
	{ "destroy", "what", "vdevice" },
};

static struct flow_action action_of(enum flow_actor actor, const char *verb)
{
	struct flow_action action = { .actor = (uint8_t)actor };

	strcpy(action.verb, verb);
	return action;
}

static void action_arg(struct flow_action *action, const char *key, const char *value)
{
	struct flow_arg *arg = &action->args[action->nargs++];

	strcpy(arg->key, key);
	strcpy(arg->value, value);
}

static int64_t act(unsigned int which)
{
	struct flow_action action = action_of(FLOW_VMM, acts[which].verb);
	struct flow_result result = { 0 };

	if (acts[which].key)
		action_arg(&action, acts[which].key, acts[which].value);
	if (strcmp(acts[which].verb, "dmabuf-close")) {
		flow_vmm_run(&action, &result);
		return result.rc;
	}
	action_arg(&action, "bar", "0");
	flow_vmm_run(&action, &result);
	strcpy(action.args[1].value, "2");
	flow_vmm_run(&action, &result);
	return result.rc;
}

/* -- where in its life the VMM is --------------------------------------------------------------- */

static uint32_t phase_first(uint8_t phase)	/* its first step; 0: the flow has none */
{
	uint32_t count;
	const struct flow_step *steps = flow_steps(&count);

	for (uint32_t i = 0; i < count; i++)
		if (steps[i].phase == phase)
			return steps[i].number;
	return 0;
}

static uint32_t now(void)
{
	struct flow_state flow;

	flow_state(&flow);
	return flow.step;
}

static void play_to(uint32_t step)
{
	struct flow_state flow;

	while (now() && now() < step)
		assert_int_equal(flow_run_step(), 1);
	flow_state(&flow);
	if (flow.failures)
		fail_msg("%s", flow.first.text);
}

/* A life without the large transfer, from an open function to a running TDI, and its end. */
static void whole_life(void)
{
	assert_int_equal(flow_rewind(phase_first(PHASE_SETUP)), 0);
	play_to(phase_first(PHASE_WORK));
	flow_vmm_kill(0);
}

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
	replace(text, "pages=32768", "pages=512");
	replace(text, "=64M", "=1M");
	replace(text, "=80M", "=17M");
	replace(text, "shared=1M", "shared=64M");
}

static int setup(void **state)
{
	const char *path = getenv("SWTIO_FLOW"), *count = getenv("SWTIO_ORDERS");
	static char text[1 << 18];
	FILE *file = path ? fopen(path, "r") : NULL;
	struct flow_error error;

	(void)state;
	if (!file || !fread(text, 1, sizeof(text) - 1, file))
		return -1;
	fclose(file);
	if (count && atoi(count) > 0 && atoi(count) <= (int)ORDERS)
		orders_taken = (unsigned int)atoi(count);
	workload_cut(text);
	if (flow_start(text, path, &error))
		return -1;
	play_to(phase_first(PHASE_SETUP));
	whole_life();		/* makes what stays: the actors' objects, tables that only grow */
	for (unsigned int type = 1; type < IMAGE_TYPE_MAX; type++)
		baseline[type] = image_live((enum image_type)type);
	return flow_rewind(phase_first(PHASE_SETUP));
}

/* -- the end ------------------------------------------------------------------------------------ */

static void assert_clean(const char *what)
{
	const struct pci_dev *pdev = pci_dev_find(VF);
	const char *cause = NULL;
	struct tdi_view view;
	char why[200] = "";

	image_enter();
	if (image_verify(why, sizeof(why)))
		fail_msg("%s: %s", what, why);
	for (unsigned int type = 1; type < IMAGE_TYPE_MAX; type++)
		if (image_live((enum image_type)type) > baseline[type])
			fail_msg("%s: %s: %llu live, %llu before", what,
				 image_type_name((enum image_type)type),
				 (unsigned long long)image_live((enum image_type)type),
				 (unsigned long long)baseline[type]);
	assert_non_null(pdev);
	if (pci_tsm_quarantined(pdev, &cause))
		fail_msg("%s: quarantined: %s", what, cause);
	if (pci_tsm_bound(pdev))
		fail_msg("%s: still bound", what);
	assert_int_equal(device_tdi_view(VF, &view), 0);
	if (view.state != TDISP_UNLOCKED)
		fail_msg("%s: the TDI is in state %d", what, view.state);
	image_leave();
}

static uint64_t last_event(uint64_t from, const char *name)
{
	for (uint64_t seq = trace_next() - 1; seq >= from && seq; seq--)
		if (trace_get(seq) && !strcmp(trace_get(seq)->name, name))
			return seq;
	return 0;
}

/* Whatever order user space chose: secure mappings gone, then KVM let go, then the vDEVICE. */
static void assert_inner_order(const char *what, uint64_t from)
{
	uint64_t unbound = last_event(from, "tdi unbound"), let_go = last_event(from, "VM let go");
	uint64_t destroyed = last_event(from, "vDEVICE destroyed");

	if (!unbound)
		return;
	if (!let_go || !destroyed)
		fail_msg("%s: unbound, but the VM (%d) or the vDEVICE (%d) was not let go of", what,
			 let_go != 0, destroyed != 0);
	if (!(unbound < let_go && let_go < destroyed))
		fail_msg("%s: unbound at %llu, the VM let go at %llu, the vDEVICE at %llu", what,
			 (unsigned long long)unbound, (unsigned long long)let_go,
			 (unsigned long long)destroyed);
	if (check_run())
		fail_msg("%s: an invariant is violated", what);
}

/* -- every order -------------------------------------------------------------------------------- */

static void order_of(unsigned int number, unsigned int order[ACTS])
{
	unsigned int left[ACTS] = { 0, 1, 2, 3, 4, 5 };

	for (unsigned int i = 0, n = ACTS; i < ACTS; i++, n--) {
		unsigned int at = number % n;

		number /= n;
		order[i] = left[at];
		memmove(left + at, left + at + 1, (n - at - 1) * sizeof(left[0]));
	}
}

static void one_order(const char *phase, unsigned int number)
{
	unsigned int order[ACTS];
	uint64_t from = trace_next();
	char what[160];
	int n = snprintf(what, sizeof(what), "after %s:", phase);

	order_of(number, order);
	for (unsigned int i = 0; i < ACTS; i++) {
		n += snprintf(what + n, sizeof(what) - (size_t)n, " %s%s", acts[order[i]].verb,
			      !acts[order[i]].value                      ? ""
			      : strcmp(acts[order[i]].value, "private") ? "" : " private");
		act(order[i]);
	}
	assert_inner_order(what, from);
	flow_vmm_kill(0);
	assert_clean(what);
}

static unsigned int orders_from_here(const char *phase)
{
	image_mark mark = image_snapshot();

	assert_true(mark);
	for (unsigned int i = 0; i < orders_taken; i++) {
		one_order(phase, i * ORDERS / orders_taken);
		if (!i)
			whole_life();
		assert_int_equal(image_restore(mark), 0);
	}
	image_release(mark);
	return orders_taken;
}

static void test_r3_3_every_order(void **state)
{
	unsigned int orders = 0, phases = 0;

	(void)state;
	for (uint8_t phase = PHASE_SETUP; phase <= PHASE_SHARED_AGAIN; phase++) {
		uint32_t after = phase_first((uint8_t)(phase + 1));

		if (!phase_first(phase) || !after)
			continue;
		play_to(after);
		orders += orders_from_here(flow_phase_name(phase));
		phases++;
	}
	print_message("%u orders of letting go, from the ends of %u phases; none leaked\n", orders,
		      phases);
	assert_true(phases >= 8);
	flow_vmm_kill(0);
	assert_int_equal(flow_rewind(phase_first(PHASE_SETUP)), 0);
}

/* -- a death at every step ---------------------------------------------------------------------- */

static void test_r3_3_killed_at_every_step(void **state)
{
	unsigned int kills = 0;

	(void)state;
	for (; now() && now() < phase_first(PHASE_END); kills++) {
		image_mark mark = image_snapshot();
		char what[40];

		assert_true(mark);
		snprintf(what, sizeof(what), "killed before step %u", now());
		flow_vmm_kill(0);
		assert_clean(what);
		assert_int_equal(image_restore(mark), 0);
		image_release(mark);
		assert_int_equal(flow_run_step(), 1);
	}
	print_message("%u simulated kills, one before each step; none leaked\n", kills);
	flow_vmm_kill(0);
	assert_int_equal(flow_rewind(phase_first(PHASE_SETUP)), 0);
}

/* -- two races ---------------------------------------------------------------------------------- */

static unsigned int waits_left, racing_act;
static enum image_wait racing_wait;
static bool raced;

static void close_in_wait(enum image_wait point, void *arg)
{
	(void)arg;
	if (raced || point != racing_wait || --waits_left)
		return;
	raced = true;
	act(racing_act);
}

/* The bind's call is cut off at its n-th wait by another thread's close; false: it has not so many. */
static bool bind_raced(unsigned int which, unsigned int nth)
{
	struct flow_action bind = action_of(FLOW_VMM, "tsm-bind");
	struct flow_result result = { 0 };

	racing_act = which;
	racing_wait = IMAGE_WAIT_DOE;
	waits_left = nth;
	raced = false;
	image_wait_hook(close_in_wait, NULL);
	flow_vmm_run(&bind, &result);
	image_wait_hook(NULL, NULL);
	return raced;
}

/* Up to where the guest has asked for the bind and the VMM has let go of what is shared. */
static void play_to_bind(void)
{
	uint32_t count;
	const struct flow_step *steps = flow_steps(&count);
	const struct flow_action *actions;

	for (uint32_t i = 0; i < count; i++) {
		actions = flow_actions(&steps[i]);
		for (uint32_t j = 0; j < steps[i].count; j++)
			if (!strcmp(actions[j].verb, "tsm-bind")) {
				play_to(steps[i].number);
				return;
			}
	}
	fail_msg("the flow has no tsm-bind");
}

static void test_r3_3_close_while_a_bind_is_in_flight(void **state)
{
	unsigned int races = 0;
	image_mark mark;

	(void)state;
	play_to_bind();
	mark = image_snapshot();
	assert_true(mark);
	for (unsigned int which = 0; which < ACTS; which++) {
		for (unsigned int nth = 1; bind_raced(which, nth); nth++, races++) {
			char what[80];

			snprintf(what, sizeof(what), "%s in wait %u of a bind", acts[which].verb, nth);
			flow_vmm_kill(0);
			assert_clean(what);
			assert_int_equal(image_restore(mark), 0);
		}
		assert_int_equal(image_restore(mark), 0);	/* the bind that had no such wait */
	}
	print_message("%u closes raced a bind; none leaked\n", races);
	assert_true(races >= 2 * ACTS);
	image_release(mark);
	flow_vmm_kill(0);
	assert_int_equal(flow_rewind(phase_first(PHASE_SETUP)), 0);
}

static void touch_in_revoke(enum image_wait point, void *arg)
{
	struct flow_action read = action_of(FLOW_GUEST, "mmio-read");
	struct flow_result result = { 0 };

	(void)arg;
	if (raced || point != IMAGE_WAIT_REVOKE || --waits_left)
		return;
	raced = true;
	action_arg(&read, "bar", "2");
	action_arg(&read, "offset", "4096");
	action_arg(&read, "len", "4");
	action_arg(&read, "t", "1");
	flow_guest_run(&read, &result);
}

/* What takes a private mapping away under a running guest. */
static const char *const takers[] = { "tsm-unbind", "close-device" };

static bool revoke_raced(const char *taker, unsigned int nth)
{
	struct flow_action take = action_of(FLOW_VMM, taker);
	struct flow_result result = { 0 };

	waits_left = nth;
	raced = false;
	image_wait_hook(touch_in_revoke, NULL);
	flow_vmm_run(&take, &result);
	image_wait_hook(NULL, NULL);
	return raced;
}

/* What the guest touches while its private mapping is being revoked must not come back under it. */
static void test_r3_3_guest_fault_while_a_revoke_waits(void **state)
{
	unsigned int races = 0;
	image_mark mark;

	(void)state;
	play_to(phase_first(PHASE_WORK));
	mark = image_snapshot();
	assert_true(mark);
	for (unsigned int i = 0; i < sizeof(takers) / sizeof(takers[0]); i++) {
		for (unsigned int nth = 1; revoke_raced(takers[i], nth); nth++, races++) {
			char what[80];

			snprintf(what, sizeof(what), "a guest's access in revoke %u of %s", nth,
				 takers[i]);
			flow_vmm_kill(0);
			assert_clean(what);
			assert_int_equal(image_restore(mark), 0);
		}
		assert_int_equal(image_restore(mark), 0);
	}
	print_message("%u accesses of the guest raced a revoke; none leaked\n", races);
	assert_true(races > 1);
	image_release(mark);
	flow_vmm_kill(0);
	assert_int_equal(flow_rewind(phase_first(PHASE_SETUP)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_r3_3_every_order),
		cmocka_unit_test(test_r3_3_killed_at_every_step),
		cmocka_unit_test(test_r3_3_close_while_a_bind_is_in_flight),
		cmocka_unit_test(test_r3_3_guest_fault_while_a_revoke_waits),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
