/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * R3.3: processes killed for real, at random, inside kernel calls. A child plays the VMM's life on the
 * shared image and dies by SIGKILL; the parent takes the lock over, closes what the dead process had,
 * and the image verifies, nothing leaks, the device is unlocked and can be used again.
 * SWTIO_KILLS sets how many die (default 150).
 */
#include <setjmp.h>
#include <signal.h>
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

#include "check/check.h"
#include "device/device.h"
#include "flow/parse.h"
#include "image/arena.h"
#include "kernel/pci/pci.h"
#include "kernel/tsm/tsm.h"

#define VF 0x101
#define FIRST_STEP 2u		/* after connect */
#define BIND_STEP 18u

static uint64_t killed_at;
static uint64_t baseline[IMAGE_TYPE_MAX];

static char text[1 << 18];

/* The large transfer and the end of the flow are not what is tested here. */
static void workload_cut(void)
{
	char *from = strstr(text, "\nstep 32"), *to = from ? strstr(from + 1, "\nstep ") : NULL;
	char *end;

	if (to)
		memmove(from, to, strlen(to) + 1);
	end = strstr(text, "\nstep 52");
	if (end)
		end[1] = '\0';
}

static int setup(void **state)
{
	const char *path = getenv("SWTIO_FLOW");
	FILE *file = path ? fopen(path, "r") : NULL;
	struct flow_error error;

	(void)state;
	if (!file || !fread(text, 1, sizeof(text) - 1, file))
		return -1;
	fclose(file);
	workload_cut();
	if (flow_start(text, NULL, &error) || flow_run_step() != 1)
		return -1;
	/* One life makes what stays: the objects of the actors, tables that only grow. */
	while (flow_run_step() > 0)
		;
	flow_vmm_kill(0);
	for (unsigned int type = 1; type < IMAGE_TYPE_MAX; type++)
		baseline[type] = image_live((enum image_type)type);
	return flow_rewind(FIRST_STEP);
}

static void child_life(void)
{
	for (;;) {
		while (flow_run_step() > 0)
			;
		flow_rewind(FIRST_STEP);
	}
}

/* True when it died inside a call. */
static bool kill_one(unsigned int *seed)
{
	struct timespec nap = { .tv_nsec = rand_r(seed) % 9000000 };
	pid_t child = fork();

	if (!child) {
		child_life();
		_exit(0);
	}
	assert_true(child > 0);
	nanosleep(&nap, NULL);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	killed_at = trace_next();
	return journal_dirty();
}

/* What the process did last, and what its end did about it. */
static void story_show(void)
{
	uint64_t seq = killed_at > 12 ? killed_at - 12 : 1;
	const struct trace_event *event;
	const struct file *file;

	for (; seq < trace_next(); seq++) {
		if (seq == killed_at)
			print_message("-- killed --\n");
		event = trace_get(seq);
		if (event)
			print_message("%s -> %s: %s %s %#llx\n", lane_name(event->from),
				      lane_name(event->to), event->name, event->text,
				      (unsigned long long)event->result);
	}
	for (uint32_t id = 1; (file = file_next(&id)); id++)
		print_message("left: %s, %u references\n", file->path, file->refs);
}

static void assert_clean(unsigned int round)
{
	const struct pci_dev *pdev;
	const char *cause = NULL;
	struct tdi_view view;
	char why[200] = "";

	assert_int_equal(image_enter(), 0);
	if (image_verify(why, sizeof(why)))
		fail_msg("round %u: %s", round, why);
	for (unsigned int type = 1; type < IMAGE_TYPE_MAX; type++)
		if (image_live((enum image_type)type) > baseline[type]) {
			story_show();
			fail_msg("round %u: %s: %llu live, %llu before", round,
				 image_type_name((enum image_type)type),
				 (unsigned long long)image_live((enum image_type)type),
				 (unsigned long long)baseline[type]);
		}
	pdev = pci_dev_find(VF);
	assert_non_null(pdev);
	if (pci_tsm_quarantined(pdev, &cause))
		fail_msg("round %u: quarantined: %s", round, cause);
	assert_false(pci_tsm_bound(pdev));
	assert_int_equal(device_tdi_view(VF, &view), 0);
	assert_int_equal(view.state, TDISP_UNLOCKED);
	image_leave();
}

static void test_r3_3_real_kills_leave_nothing(void **state)
{
	const char *count = getenv("SWTIO_KILLS");
	unsigned int kills = count ? (unsigned int)atoi(count) : 150, seed = 7, inside = 0;
	struct flow_state flow;

	(void)state;
	for (unsigned int round = 0; round < kills; round++) {
		inside += kill_one(&seed);
		flow_vmm_kill(0);
		assert_clean(round);
		assert_int_equal(flow_rewind(FIRST_STEP), 0);
		if (round % 50 != 49)
			continue;
		while (flow_run_step() > 0)
			;
		flow_state(&flow);
		if (flow.failures)
			fail_msg("round %u: the next VM cannot use the device: %s", round, flow.first.text);
		flow_vmm_kill(0);
		assert_int_equal(flow_rewind(FIRST_STEP), 0);
	}
	print_message("%u of %u were killed inside a call\n", inside, kills);
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
	const struct flow_action bind = { .actor = FLOW_VMM, .verb = "tsm-bind" };
	pid_t child = fork();
	int status = 0;

	if (!child) {
		struct flow_result result = { 0 };
		struct flow_state flow;

		for (flow_state(&flow); flow.step < BIND_STEP; flow_state(&flow))
			flow_run_step();
		waits_left = nth;
		image_wait_hook(die_at_wait, NULL);
		flow_vmm_run(&bind, &result);
		_exit(result.rc < 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	killed_at = trace_next();
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

	assert_int_equal(device_tdi_view(VF, &view), 0);
	return (uint8_t)view.state;
}

static void test_r3_3_killed_between_lock_and_its_answer(void **state)
{
	unsigned int nth = 1, locked_at = 0;
	uint64_t seq;

	(void)state;
	for (; bind_killed(nth); nth++) {
		bool locked = tdi_state() == TDISP_LOCKED;

		flow_vmm_kill(0);
		if (locked && !locked_at) {
			/* It was told LOCK and nobody has heard: take the answer, ask, then STOP. */
			locked_at = nth;
			seq = event_after(killed_at, "DOE answer");
			seq = event_after(seq, "TDISP GET_DEVICE_INTERFACE_STATE");
			seq = event_after(seq, "TDISP STOP_INTERFACE");
			assert_true(seq);
		}
		assert_clean(nth);
		assert_int_equal(flow_rewind(FIRST_STEP), 0);
	}
	assert_true(locked_at);
	flow_vmm_kill(0);
	assert_clean(nth);
	assert_int_equal(flow_rewind(FIRST_STEP), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_r3_3_killed_between_lock_and_its_answer),
		cmocka_unit_test(test_r3_3_real_kills_leave_nothing),
	};

	return cmocka_run_group_tests_name("kills", tests, setup, NULL);
}
