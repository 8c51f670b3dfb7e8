/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Processes killed at any instant: the next owner of the lock finds a whole image, with every call
 * done or not done. SWTIO_KILLS sets the number of rounds.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "churn.h"
#include "image/arena.h"

static unsigned int rounds(unsigned int usual)
{
	const char *asked = getenv("SWTIO_KILLS");

	return asked ? (unsigned int)strtoul(asked, NULL, 10) : usual;
}

static int image_up(void **state)
{
	struct image_opts opts = { .size = sizeof(opts), .seed = 3 };
	int rc = image_create(&opts);

	(void)state;
	return rc ? rc : (int)image_call(churn_start, NULL);
}

static int image_down(void **state)
{
	(void)state;
	image_detach();
	return 0;
}

static void calls_for_ever(void)
{
	for (;;)
		image_call(churn_call, NULL);
}

/* Calls under up to three snapshots, which are gone back to and forgotten at random. */
static void snapshots_for_ever(void)
{
	image_mark marks[3] = { 0 };

	for (;;) {
		image_mark *mark = &marks[churn_random(3)];

		for (uint64_t calls = churn_random(20); calls; calls--)
			image_call(churn_call, NULL);
		if (!*mark)
			*mark = image_snapshot();
		else if (churn_random(3))
			image_restore(*mark);
		else
			image_release(*mark), *mark = 0;
	}
}

/* True when it was killed inside a call. */
static bool kill_one(void (*work)(void), unsigned int round)
{
	struct timespec wait = { .tv_nsec = (long)churn_random(3000000) };
	pid_t pid = fork();
	bool inside;
	int status;

	assert_true(pid >= 0);
	if (!pid) {
		churn_seed = round;
		work();
		_exit(1);
	}
	nanosleep(&wait, NULL);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	inside = journal_dirty() || HEADER->restoring;
	churn_check();
	return inside;
}

static void a_call_cut_off_is_undone(void **state)
{
	unsigned int most = rounds(300), inside = 0;

	(void)state;
	churn_seed = 11;
	for (unsigned int i = 0; i < most; i++)
		inside += kill_one(calls_for_ever, i);
	print_message("%u of %u were killed inside a call\n", inside, most);
	assert_true(inside > 0);
	assert_int_equal(image_call(churn_end, NULL), 0);
	churn_check_empty();
}

static void a_restore_cut_off_is_finished(void **state)
{
	unsigned int most = rounds(100);

	(void)state;
	churn_seed = 12;
	for (unsigned int i = 0; i < most; i++) {
		kill_one(snapshots_for_ever, i);
		/* What the dead left can be gone back to, from the newest to the oldest. */
		while (HEADER->marks) {
			const struct mark *mark = HEADER->last_mark;

			while (!mark->live)
				mark = mark->before;
			assert_int_equal(image_restore(mark->id), 0);
			churn_check();
			image_release(mark->id);
		}
		assert_image_whole();
	}
	assert_int_equal(image_call(churn_end, NULL), 0);
	churn_check_empty();
}

static long kept_then(void *arg)
{
	uint64_t *w = image_log(image_root(IMAGE_ROOT_SHIM), sizeof(*w));

	w[0] = 1;
	image_keep();
	w = image_log(image_root(IMAGE_ROOT_SHIM), 2 * sizeof(*w));
	w[1] = 2;
	if (arg)
		raise(SIGKILL);
	return -EIO;
}

static void kept_words(uint64_t first, uint64_t second)
{
	const uint64_t *word = image_root(IMAGE_ROOT_SHIM);

	assert_int_equal(image_enter(), 0);
	assert_int_equal(word[0], first);
	assert_int_equal(word[1], second);
	image_leave();
	assert_image_whole();
}

static void kept_killed(void)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		image_call(kept_then, "die");
		_exit(1);
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	kept_words(0, 0);
}

/* A call that fails leaves what was kept; a process that dies takes it along, also after a rollback
 * and while a snapshot lives. */
static void what_is_kept_outlives_a_failure_but_no_death(void **state)
{
	image_mark mark;

	(void)state;
	assert_int_equal(image_enter(), 0);
	image_root_set(IMAGE_ROOT_SHIM, image_alloc(2 * sizeof(uint64_t), IMAGE_TYPE_BYTES));
	image_leave();
	kept_killed();
	mark = image_snapshot();
	assert_true(mark);
	kept_killed();
	assert_int_equal(image_call(kept_then, NULL), -EIO);
	kept_words(1, 0);
	assert_int_equal(image_restore(mark), 0);
	kept_words(0, 0);
	image_release(mark);
	assert_int_equal(image_call(kept_then, NULL), -EIO);
	kept_words(1, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			what_is_kept_outlives_a_failure_but_no_death, image_up, image_down),
		cmocka_unit_test_setup_teardown(a_call_cut_off_is_undone, image_up, image_down),
		cmocka_unit_test_setup_teardown(
			a_restore_cut_off_is_finished, image_up, image_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
