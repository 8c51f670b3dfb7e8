/* SPDX-License-Identifier: BSD-2-Clause */
/* Objects that one process sees and another writes down: the ring between them, full, wrapped, spoilt. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "image/image.h"
#include "trace/capture.h"

#define BIG 60000u
#define ROOM (8u << 20)
#define HEAD 24u	/* of a record */

static struct { unsigned int objects, secrets; uint64_t bytes; struct capture_head last; } seen;
static uint8_t big[CAPTURE_LONGEST], expected[BIG];
static char secret[300];

static void on_object(const struct capture_head *head, const uint8_t *object)
{
	seen.objects++;
	seen.bytes += head->len;
	seen.last = *head;
	if (head->len == BIG)
		assert_memory_equal(object, expected, BIG);
}

static void on_secret(const char *line)
{
	seen.secrets++;
	strncpy(secret, line, sizeof(secret) - 1);
}

static int drain(uint64_t *lost)
{
	static const struct capture_ring_ops ops = {on_object, on_secret};
	int rc;

	memset(&seen, 0, sizeof(seen));
	image_enter();
	rc = capture_ring_drain(&ops, lost);
	image_leave();
	return rc;
}

static int up(void **state)
{
	(void)state;
	assert_int_equal(image_create(NULL), 0);
	image_enter();
	assert_int_equal(capture_ring_power_on(true), 0);
	image_leave();
	for (unsigned int i = 0; i < BIG; i++)
		big[i] = expected[i] = (uint8_t)(i * 7 + 1);
	return 0;
}

static int down(void **state)
{
	(void)state;
	image_detach();
	return 0;
}

static long object_then_fail(void *arg)
{
	capture_object(0x101, true, arg, 16);
	return -EIO;
}

static void R6_4_what_a_failed_call_sent_is_captured(void **state)
{
	uint64_t lost;

	(void)state;
	assert_int_equal(image_call(object_then_fail, big), -EIO);
	assert_int_equal(drain(&lost), 0);
	assert_int_equal(seen.objects, 1);
	assert_int_equal(seen.last.rid, 0x101);
	assert_true(seen.last.to_device);
	assert_int_equal(seen.last.len, 16);
	assert_int_equal(drain(&lost), 0);
	assert_int_equal(seen.objects, 0);
}

/* Three times round the ring, and once more than it has room for. */
static void R6_4_the_ring_wraps_and_counts_what_is_lost(void **state)
{
	unsigned int room = ROOM / (BIG + HEAD);
	uint64_t lost;

	(void)state;
	for (unsigned int round = 0; round < 4; round++) {
		image_enter();
		for (unsigned int i = 0; i < room + (round == 3 ? 2 : 0); i++)
			capture_object(1, false, big, BIG);
		image_leave();
		assert_int_equal(drain(&lost), 0);
		assert_int_equal(seen.objects, room);
		assert_int_equal(lost, round == 3 ? 2 : 0);
	}
	image_enter();
	capture_object(1, false, big, CAPTURE_LONGEST);
	image_leave();
	assert_int_equal(drain(&lost), 0);
	assert_int_equal(seen.bytes, CAPTURE_LONGEST);
}

static void R6_4_other_processes_and_their_deaths(void **state)
{
	uint64_t lost;

	(void)state;
	for (int i = 0; i < 3; i++) {
		pid_t pid = fork();

		if (!pid) {
			image_enter();
			capture_object((uint16_t)i, true, big, BIG);
			_exit(0);	/* holding the lock */
		}
		assert_int_equal(waitpid(pid, NULL, 0), pid);
	}
	assert_int_equal(drain(&lost), 0);
	assert_int_equal(seen.objects, 3);
}

static const uint8_t *ring_of(void)
{
	return image_root(IMAGE_ROOT_CAPTURE);
}

static void R6_4_secrets_are_wiped_when_they_are_taken(void **state)
{
	uint64_t lost;

	(void)state;
	image_enter();
	assert_true(capture_ring_secrets());
	capture_ring_secret("KEYS session=1 key=5ec7e7\n");
	assert_non_null(memmem(ring_of(), 4096, "5ec7e7", 6));
	image_leave();
	assert_int_equal(drain(&lost), 0);
	assert_int_equal(seen.secrets, 1);
	assert_string_equal(secret, "KEYS session=1 key=5ec7e7\n");
	assert_null(memmem(ring_of(), 4096, "5ec7e7", 6));
}

/* Whatever a process makes of the ring, the writer of the capture says so and goes on. */
static void R6_4_a_spoilt_ring_is_told_apart(void **state)
{
	uint64_t lost;
	unsigned int spoilt = 0;

	(void)state;
	srandom(7);
	for (unsigned int i = 0; i < 20000; i++) {
		uint8_t *w;

		image_enter();
		capture_object(1, true, big, (size_t)random() % 300);
		w = image_bulk_write(ring_of(), 4096);
		/* head, tail or records; not what is wanted, which is the first process's word */
		w[random() % 3 ? random() % 16 : 32 + random() % 512] = (uint8_t)random();
		image_leave();
		spoilt += drain(&lost) == -EBADMSG;
	}
	assert_true(spoilt > 1000);
	image_enter();
	capture_object(9, true, big, 8);
	image_leave();
	assert_int_equal(drain(&lost), 0);
	assert_int_equal(seen.last.rid, 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(R6_4_what_a_failed_call_sent_is_captured, up, down),
		cmocka_unit_test_setup_teardown(R6_4_the_ring_wraps_and_counts_what_is_lost, up, down),
		cmocka_unit_test_setup_teardown(R6_4_other_processes_and_their_deaths, up, down),
		cmocka_unit_test_setup_teardown(R6_4_secrets_are_wiped_when_they_are_taken, up, down),
		cmocka_unit_test_setup_teardown(R6_4_a_spoilt_ring_is_told_apart, up, down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
