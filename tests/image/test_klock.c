/* SPDX-License-Identifier: BSD-2-Clause */
/* Modelled locks: who may have them, in which order, and what can never end. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "image/klock.h"

struct locks {
	struct klock a, b, memory, mmu;
	uint64_t steps;
};

static int locks_up(void **state)
{
	struct image_opts opts = { .size = sizeof(opts) };

	(void)state;
	if (image_create(&opts))
		return -1;
	image_root_set(IMAGE_ROOT_FLOW, image_alloc(sizeof(struct locks), IMAGE_TYPE_BYTES));
	klock_set_task(1);
	return 0;
}

static int locks_down(void **state)
{
	(void)state;
	klock_set_task(0);
	image_detach();
	return 0;
}

static const struct locks *locks(void)
{
	return image_root(IMAGE_ROOT_FLOW);
}

static uint32_t findings(const char *word)
{
	char text[256];
	uint32_t count = klock_findings(text, sizeof(text));

	if (word)
		assert_non_null(strstr(text, word));
	return count;
}

static void readers_share_and_writers_do_not(void **state)
{
	(void)state;
	assert_int_equal(klock_try(&locks()->a, KLOCK_DSM, KLOCK_READ), 0);
	klock_set_task(2);
	assert_false(klock_held(&locks()->a));
	assert_int_equal(klock_try(&locks()->a, KLOCK_DSM, KLOCK_READ), 0);
	assert_int_equal(klock_try(&locks()->a, KLOCK_DSM, KLOCK_WRITE), -EBUSY);
	klock_release(&locks()->a, KLOCK_READ);
	klock_set_task(1);
	assert_true(klock_held(&locks()->a));
	klock_release(&locks()->a, KLOCK_READ);
	assert_int_equal(klock_try(&locks()->a, KLOCK_DSM, KLOCK_WRITE), 0);
	assert_image_whole();
	klock_set_task(2);
	assert_int_equal(klock_try(&locks()->a, KLOCK_DSM, KLOCK_READ), -EBUSY);
	assert_int_equal(klock_try(&locks()->a, KLOCK_DSM, KLOCK_WRITE), -EBUSY);
	klock_release_all(1);
	assert_int_equal(klock_try(&locks()->a, KLOCK_DSM, KLOCK_WRITE), 0);
	klock_release(&locks()->a, KLOCK_WRITE);
	assert_int_equal(findings(NULL), 0);
	klock_release(&locks()->a, KLOCK_WRITE);
	assert_int_equal(findings("does not hold"), 1);
}

static long in_order(void *arg)
{
	(void)arg;
	if (klock_acquire(&locks()->a, KLOCK_TSM_RWSEM, KLOCK_READ) ||
	    klock_acquire(&locks()->memory, KLOCK_MEMORY, KLOCK_WRITE) ||
	    klock_acquire(&locks()->mmu, KLOCK_MMU, KLOCK_WRITE))
		return -EIO;
	klock_release(&locks()->mmu, KLOCK_WRITE);
	klock_release(&locks()->memory, KLOCK_WRITE);
	klock_release(&locks()->a, KLOCK_READ);
	return 0;
}

static long out_of_order(void *arg)
{
	(void)arg;
	klock_acquire(&locks()->mmu, KLOCK_MMU, KLOCK_WRITE);
	klock_acquire(&locks()->memory, KLOCK_MEMORY, KLOCK_WRITE);
	klock_release(&locks()->memory, KLOCK_WRITE);
	klock_release(&locks()->mmu, KLOCK_WRITE);
	return -EIO;
}

static void the_order_is_that_of_the_enum(void **state)
{
	(void)state;
	assert_int_equal(image_call(in_order, NULL), 0);
	assert_int_equal(findings(NULL), 0);
	/* The finding stays although the call fails. */
	assert_int_equal(image_call(out_of_order, NULL), -EIO);
	assert_int_equal(findings("takes memory_lock while it holds mmu_lock"), 1);
}

static long twice(void *arg)
{
	int rc;

	(void)arg;
	klock_acquire(&locks()->a, KLOCK_DSM, KLOCK_WRITE);
	rc = klock_acquire(&locks()->a, KLOCK_DSM, KLOCK_WRITE);
	klock_release(&locks()->a, KLOCK_WRITE);
	return rc;
}

static void a_lock_is_not_recursive(void **state)
{
	(void)state;
	assert_int_equal(image_call(twice, NULL), -EDEADLK);
	assert_int_equal(findings("deadlock"), 1);
	assert_int_equal(klock_try(&locks()->a, KLOCK_DSM, KLOCK_WRITE), 0);
	klock_release_all(1);
}

static long keep_and_return(void *arg)
{
	return klock_acquire(&locks()->a, KLOCK_DSM, KLOCK_WRITE) ? -EIO : arg ? -EPERM : 0;
}

/* Taken before a commit, given back after it, and then the call fails: the lock is free. */
static long release_then_fail(void *arg)
{
	(void)arg;
	klock_acquire(&locks()->a, KLOCK_DSM, KLOCK_WRITE);
	image_commit();
	klock_release(&locks()->a, KLOCK_WRITE);
	return -EIO;
}

static long take_and_be_killed(void *arg)
{
	(void)arg;
	klock_acquire(&locks()->a, KLOCK_DSM, KLOCK_WRITE);
	klock_acquire(&locks()->b, KLOCK_DSM, KLOCK_READ);
	image_commit();
	image_call_abort(-EINTR);
}

static void no_lock_outlives_its_call(void **state)
{
	(void)state;
	assert_int_equal(image_call(keep_and_return, NULL), 0);
	assert_int_equal(findings("returns with dsm"), 1);
	assert_int_equal(image_call(keep_and_return, state), -EPERM);
	assert_int_equal(image_call(release_then_fail, NULL), -EIO);
	assert_int_equal(image_call(take_and_be_killed, NULL), -EINTR);
	assert_int_equal(findings(NULL), 1);
	assert_int_equal(locks()->a.writer, 0);
	assert_int_equal(locks()->b.readers, 0);
	assert_image_whole();
}

static long holds_and_waits(void *arg)
{
	(void)arg;
	klock_acquire(&locks()->a, KLOCK_DSM, KLOCK_WRITE);
	image_wait(IMAGE_WAIT_DOE);
	klock_release(&locks()->a, KLOCK_WRITE);
	return 0;
}

static long wants(void *arg)
{
	(void)arg;
	return klock_acquire(&locks()->a, KLOCK_DSM, KLOCK_WRITE);
}

static void want_in_hook(enum image_wait point, void *arg)
{
	long *rc = arg;

	(void)point;
	klock_set_task(2);
	*rc = image_call(wants, NULL);
}

/* On one stack the call above cannot wait for the one below it: it is to be run again later. */
static void a_call_above_the_holder_is_sent_away(void **state)
{
	long rc = 0;

	(void)state;
	image_wait_hook(want_in_hook, &rc);
	assert_int_equal(image_call(holds_and_waits, NULL), 0);
	image_wait_hook(NULL, NULL);
	assert_int_equal(rc, -EAGAIN);
	assert_int_equal(klock_task(), 1);
	assert_int_equal(findings(NULL), 0);
}

/* -- two processes ---------------------------------------------------------------------------- */

static long step(void *arg)
{
	uint64_t *steps = image_write(&locks()->steps);

	(void)arg;
	++*steps;
	return 0;
}

static void until(uint64_t steps)
{
	while (__atomic_load_n(&locks()->steps, __ATOMIC_ACQUIRE) < steps)
		usleep(100);
}

static long first_a_then_b(void *arg)
{
	int rc;

	(void)arg;
	klock_acquire(&locks()->a, KLOCK_DSM, KLOCK_WRITE);
	step(NULL);
	while (locks()->steps < 2)
		image_wait(IMAGE_WAIT_USER);
	rc = klock_acquire(&locks()->b, KLOCK_DSM, KLOCK_WRITE);
	if (!rc)
		klock_release(&locks()->b, KLOCK_WRITE);
	klock_release(&locks()->a, KLOCK_WRITE);
	return rc;
}

static long first_b_then_a(void *arg)
{
	int rc;

	(void)arg;
	klock_acquire(&locks()->b, KLOCK_DSM, KLOCK_WRITE);
	step(NULL);
	while (locks()->steps < 2)
		image_wait(IMAGE_WAIT_USER);
	rc = klock_acquire(&locks()->a, KLOCK_DSM, KLOCK_WRITE);
	if (!rc)
		klock_release(&locks()->a, KLOCK_WRITE);
	klock_release(&locks()->b, KLOCK_WRITE);
	return rc;
}

static void doze(enum image_wait point, void *arg)
{
	(void)point;
	(void)arg;
	usleep(500);
}

static pid_t in_process(uint32_t task, long (*fn)(void *arg))
{
	pid_t pid = fork();

	if (!pid) {
		long rc;

		klock_set_task(task);
		image_wait_hook(doze, NULL);
		rc = image_call(fn, NULL);
		image_detach();
		_exit((int)-rc);
	}
	return pid;
}

static int result_of(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return -WEXITSTATUS(status);
}

static void a_cycle_of_waiters_is_a_finding(void **state)
{
	pid_t one, two;
	int first, second;

	(void)state;
	image_commit();
	one = in_process(1, first_a_then_b);
	two = in_process(2, first_b_then_a);
	first = result_of(one);
	second = result_of(two);
	/* One of them hears of it, and then the other gets what it waits for. */
	assert_int_equal(first + second, -EDEADLK);
	assert_int_equal(findings("deadlock"), 1);
	assert_int_equal(locks()->a.writer, 0);
	assert_int_equal(locks()->b.writer, 0);
	assert_image_whole();
}

static long take_and_pause(void *arg)
{
	(void)arg;
	klock_acquire(&locks()->a, KLOCK_DSM, KLOCK_WRITE);
	step(NULL);
	image_commit();
	while (locks()->steps)
		image_wait(IMAGE_WAIT_USER);
	return 0;
}

static void a_killed_holder_is_released_by_task(void **state)
{
	pid_t pid;
	int status;

	(void)state;
	image_commit();
	pid = in_process(7, take_and_pause);
	until(1);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	image_enter();
	assert_int_equal(klock_try(&locks()->a, KLOCK_DSM, KLOCK_WRITE), -EBUSY);
	klock_release_all(7);
	assert_int_equal(klock_try(&locks()->a, KLOCK_DSM, KLOCK_WRITE), 0);
	image_leave();
	assert_image_whole();
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, locks_up, locks_down)
	const struct CMUnitTest tests[] = {
		TEST(readers_share_and_writers_do_not),
		TEST(the_order_is_that_of_the_enum),
		TEST(a_lock_is_not_recursive),
		TEST(no_lock_outlives_its_call),
		TEST(a_call_above_the_holder_is_sent_away),
		TEST(a_cycle_of_waiters_is_a_finding),
		TEST(a_killed_holder_is_released_by_task),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
