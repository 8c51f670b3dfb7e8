/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * R3.3: processes killed for real, at random, inside kernel calls. A child plays the VMM's life on the
 * shared image and dies by SIGKILL; the parent takes the lock over, closes what the dead process had,
 * and the image verifies, nothing leaks, the device is unlocked and can be used again.
 * SWTIO_FLOW names the life cycle, SWTIO_KILLS how many die in it (default 100), each
 * somewhere after a step that is as likely as any other.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "device/device.h"
#include "hardware/platform.h"
#include "image/arena.h"
#include "life.h"
#include "trace/trace.h"

static long life_ns;			/* how long a life takes here and now */

static long now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000 + now.tv_nsec;
}

static int setup(void **state)
{
	(void)state;
	if (life_start())
		return -1;
	life_ns = now_ns();
	while (flow_run_step() > 0 && life_now() != life_first(PHASE_END))
		;
	life_ns = now_ns() - life_ns;
	life_rewind();
	return 0;
}

/* Lives of VMs, one after another, until the process is killed. */
static void child_life(void)
{
	for (;;) {
		while (flow_run_step() > 0 && life_now() != life_first(PHASE_END))
			;
		flow_vmm_kill(0);
		flow_rewind(life_first(PHASE_SETUP));
	}
}

/* Any step of the VMM's life, as likely as any other. */
static uint32_t step_of_life(unsigned int *seed)
{
	uint32_t count, first, end;
	const struct flow_step *steps = flow_steps(&count);

	for (first = 0; steps[first].phase < PHASE_SETUP; first++)
		;
	for (end = first; end < count && steps[end].phase != PHASE_END; end++)
		;
	return steps[first + (uint32_t)rand_r(seed) % (end - first)].number;
}

/* True when it died inside a call. */
static bool kill_one(unsigned int *seed)
{
	struct timespec nap = { .tv_nsec = rand_r(seed) % (life_ns / 4) };
	pid_t child;

	life_play_to(step_of_life(seed));
	child = fork();

	if (!child) {
		child_life();
		_exit(0);
	}
	assert_true(child > 0);
	nanosleep(&nap, NULL);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	return journal_dirty();
}

static void print_phases(const unsigned int in_phase[PHASE_MAX])
{
	for (uint8_t phase = PHASE_SETUP; phase < PHASE_END; phase++)
		if (life_first(phase))
			print_message("  %-14s %u\n", flow_phase_name(phase), in_phase[phase]);
}

static void test_r3_3_real_kills_leave_nothing(void **state)
{
	const char *count = getenv("SWTIO_KILLS");
	unsigned int kills = count ? (unsigned int)atoi(count) : 100, seed = 7, inside = 0;
	unsigned int in_phase[PHASE_MAX] = { 0 };
	char what[40];

	(void)state;
	for (unsigned int round = 0; round < kills; round++) {
		uint64_t killed_at;

		inside += kill_one(&seed);
		killed_at = trace_next();
		in_phase[life_phase(life_now())]++;
		flow_vmm_kill(0);
		snprintf(what, sizeof(what), "round %u", round);
		life_assert_clean(what, killed_at);
		if (round % 50 == 49)
			life_whole();
		life_rewind();
	}
	print_message("%u killed, %u of them inside a call; none leaked. By phase:\n", kills, inside);
	print_phases(in_phase);
	assert_true(inside > 0);
}

/* -- at a chosen wait ------------------------------------------------------------------------- */

static unsigned int waits_left;

static void die_at_wait(enum image_wait point, void *arg)
{
	(void)arg;
	if (point == IMAGE_WAIT_DOE && !--waits_left)
		raise(SIGKILL);
}

/* A child that dies at the n-th wait for the device in its bind; false: there are not so many. */
static bool bind_killed(unsigned int nth)
{
	const struct flow_action bind = life_action(FLOW_VMM, "tsm-bind");
	pid_t child = fork();
	int status = 0;

	if (!child) {
		uint32_t step = life_step_of(bind.verb);
		struct flow_result result = { 0 };

		while (life_now() < step)
			flow_run_step();
		waits_left = nth;
		image_wait_hook(die_at_wait, NULL);
		flow_vmm_run(&bind, &result);
		_exit(result.rc < 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WIFEXITED(status))
		assert_int_equal(WEXITSTATUS(status), 0);
	return WIFSIGNALED(status);
}

/* Where an event of that name is, from seq on; 0: nowhere. */
static uint64_t event_after(uint64_t seq, const char *name)
{
	for (; seq && seq < trace_next(); seq++)
		if (trace_get(seq) && !strcmp(trace_get(seq)->name, name))
			return seq;
	return 0;
}

static uint8_t tdi_state(void)
{
	struct tdi_view view;

	assert_int_equal(device_tdi_view(LIFE_VF, &view), 0);
	return (uint8_t)view.state;
}

/* It was told LOCK and nobody has heard: take the answer, ask, then STOP. The PSP brings the command it is
 * in to its end, and is asked after the STOP. */
static void assert_maybe_done(uint64_t killed_at)
{
	static const char *const ask_stop[PLATFORMS][2] = {
		[PLATFORM_TDX] = { "TDISP GET_DEVICE_INTERFACE_STATE", "TDISP STOP_INTERFACE" },
		[PLATFORM_SEV] = { "TDISP STOP_INTERFACE", "TDISP GET_DEVICE_INTERFACE_STATE" },
		[PLATFORM_CCA] = { "TDISP GET_DEVICE_INTERFACE_STATE", "TDISP STOP_INTERFACE" },
	};
	const char *const *events = ask_stop[machine_platform()];
	uint64_t seq = event_after(killed_at, "DOE answer");

	for (unsigned int i = 0; i < 2; i++)
		seq = event_after(seq, events[i]);
	assert_true(seq);
}

static void test_r3_3_killed_between_lock_and_its_answer(void **state)
{
	unsigned int nth = 1, locked = 0;
	char what[40];

	(void)state;
	for (; bind_killed(nth); nth++) {
		uint64_t killed_at = trace_next();
		bool first = tdi_state() == TDISP_LOCKED && !locked;

		flow_vmm_kill(0);
		if (first)
			assert_maybe_done(killed_at);
		locked += first;
		snprintf(what, sizeof(what), "wait %u of a bind", nth);
		life_assert_clean(what, killed_at);
		life_rewind();
	}
	print_message("%u killed, one at each wait of a bind; none leaked\n", nth - 1);
	assert_true(locked);
	flow_vmm_kill(0);
	life_assert_clean("no wait of a bind", trace_next());
	life_rewind();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_r3_3_killed_between_lock_and_its_answer),
		cmocka_unit_test(test_r3_3_real_kills_leave_nothing),
	};

	return cmocka_run_group_tests_name("kills", tests, setup, NULL);
}
