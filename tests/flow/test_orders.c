/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * R3.3: tear-down in every order. From the end of each phase of a life cycle: all orders of closing the
 * iommufd, the function, the shared and the private dma-bufs and KVM, and of destroying the vDEVICE;
 * a death of the VMM at every step; a close while a bind waits for the device; a guest's access
 * while a revoke waits for the importers. The end is always that nothing is mapped, no object is
 * left, the TDI is unlocked, nothing is quarantined, and another VM can use the device.
 *
 * SWTIO_ORDERS says how many of the 720 orders are taken from each phase (default 60, from all over). The
 * first of each phase, and each death, is followed by a whole life of another VM.
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
#include "life.h"

#define ACTS 6u
#define ORDERS 720u			/* 6! */
#define STRIDE 187u			/* has no divisor in common with it: the first few are unlike */

static unsigned int orders_taken = 60;

/* What a VMM can let go of; what is not open is not there to close, and that is fine. */
static const struct { const char *verb, *key, *value; } acts[ACTS] = {
	{ "close-iommu", NULL, NULL },
	{ "close-device", NULL, NULL },
	{ "dmabuf-close", "kind", "shared" },
	{ "dmabuf-close", "kind", "private" },
	{ "close-kvm", NULL, NULL },
	{ "destroy", "what", "vdevice" },
};

static int64_t act(unsigned int which)
{
	struct flow_action action = life_action(FLOW_VMM, acts[which].verb);
	struct flow_result result = { 0 };

	if (acts[which].key)
		life_action_arg(&action, acts[which].key, acts[which].value);
	if (strcmp(acts[which].verb, "dmabuf-close")) {
		flow_vmm_run(&action, &result);
		return result.rc;
	}
	life_action_arg(&action, "bar", "0");
	flow_vmm_run(&action, &result);
	strcpy(action.args[1].value, "2");
	flow_vmm_run(&action, &result);
	return result.rc;
}

static int setup(void **state)
{
	const char *count = getenv("SWTIO_ORDERS");

	(void)state;
	if (count && atoi(count) > 0 && atoi(count) <= (int)ORDERS)
		orders_taken = (unsigned int)atoi(count);
	return life_start();
}

/* -- the order inside --------------------------------------------------------------------------- */

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
	life_assert_clean(what, from);
}

static unsigned int orders_from_here(const char *phase)
{
	image_mark mark = image_snapshot();

	assert_true(mark);
	for (unsigned int i = 0; i < orders_taken; i++) {
		one_order(phase, i * STRIDE % ORDERS);
		if (!i)
			life_whole();
		assert_int_equal(image_restore(mark), 0);
	}
	image_release(mark);
	return orders_taken;
}

/* The phases as the flow has them, which is not the same on each platform: the first and the last are the
 * machine's, not the VM's. */
static void test_r3_3_every_order(void **state)
{
	unsigned int orders = 0, phases = 0;
	uint32_t count;
	const struct flow_step *steps = flow_steps(&count);

	(void)state;
	for (uint32_t i = 0; i + 1 < count; i++) {
		if (steps[i].phase == steps[i + 1].phase || steps[i].phase < PHASE_SETUP)
			continue;
		life_play_to(steps[i + 1].number);
		orders += orders_from_here(flow_phase_name(steps[i].phase));
		phases++;
	}
	print_message("%u orders of letting go, from the ends of %u phases; none leaked\n", orders,
		      phases);
	assert_true(phases >= 8);
	life_rewind();
}

/* -- a death at every step ---------------------------------------------------------------------- */

static void test_r3_3_killed_at_every_step(void **state)
{
	unsigned int kills = 0;

	(void)state;
	for (; life_now() && life_now() < life_first(PHASE_END); kills++) {
		image_mark mark = image_snapshot();
		char what[40];

		assert_true(mark);
		snprintf(what, sizeof(what), "killed before step %u", life_now());
		flow_vmm_kill(0);
		life_assert_clean(what, trace_next());
		life_whole();
		assert_int_equal(image_restore(mark), 0);
		image_release(mark);
		assert_int_equal(flow_run_step(), 1);
	}
	print_message("%u simulated kills, one before each step; none leaked\n", kills);
	life_rewind();
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
	struct flow_action bind = life_action(FLOW_VMM, "tsm-bind");
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

static void test_r3_3_close_while_a_bind_is_in_flight(void **state)
{
	unsigned int races = 0;
	image_mark mark;

	(void)state;
	life_play_to(life_step_of("tsm-bind"));
	mark = image_snapshot();
	assert_true(mark);
	for (unsigned int which = 0; which < ACTS; which++) {
		for (unsigned int nth = 1; bind_raced(which, nth); nth++, races++) {
			char what[80];

			snprintf(what, sizeof(what), "%s in wait %u of a bind", acts[which].verb, nth);
			flow_vmm_kill(0);
			life_assert_clean(what, trace_next());
			assert_int_equal(image_restore(mark), 0);
		}
		assert_int_equal(image_restore(mark), 0);	/* the bind that had no such wait */
	}
	print_message("%u closes raced a bind; none leaked\n", races);
	assert_true(races >= 2 * ACTS);
	image_release(mark);
	life_rewind();
}

static void touch_in_revoke(enum image_wait point, void *arg)
{
	struct flow_action read = life_action(FLOW_GUEST, "mmio-read");
	struct flow_result result = { 0 };

	(void)arg;
	if (raced || point != IMAGE_WAIT_REVOKE || --waits_left)
		return;
	raced = true;
	life_action_arg(&read, "bar", "2");
	life_action_arg(&read, "offset", "4096");
	life_action_arg(&read, "len", "4");
	life_action_arg(&read, "t", "1");
	flow_guest_run(&read, &result);
}

/* What takes a private mapping away under a running guest. */
static const struct taker { const char *verb, *what; } takers[] = {
	{ "tsm-unbind", NULL }, { "close-device", NULL }, { "destroy", "vdevice" },
};

static bool revoke_raced(const struct taker *taker, unsigned int nth)
{
	struct flow_action take = life_action(FLOW_VMM, taker->verb);
	struct flow_result result = { 0 };

	if (taker->what)
		life_action_arg(&take, "what", taker->what);
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
	life_play_to(life_first(PHASE_WORK));
	mark = image_snapshot();
	assert_true(mark);
	for (unsigned int i = 0; i < sizeof(takers) / sizeof(takers[0]); i++) {
		for (unsigned int nth = 1; revoke_raced(&takers[i], nth); nth++, races++) {
			char what[80];

			snprintf(what, sizeof(what), "a guest's access in revoke %u of %s", nth,
				 takers[i].verb);
			flow_vmm_kill(0);
			life_assert_clean(what, trace_next());
			assert_int_equal(image_restore(mark), 0);
		}
		assert_int_equal(image_restore(mark), 0);
	}
	print_message("%u accesses of the guest raced a revoke; none leaked\n", races);
	assert_true(races > 1);
	image_release(mark);
	life_rewind();
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
