/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * R7.3: the same seed gives the same story, byte for byte; also when it was saved half way and ended by
 * another process, or went back by snapshots and forward again. A second process looks into a live host.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "chart/chart.h"
#include "flow/flow.h"
#include "image/arena.h"
#include "life.h"

#define STEPS_MAX 128u

struct story { char *text; size_t len; };

static struct story uninterrupted;
static const char *swtio;

static struct story story_now(void)
{
	struct story story = { 0 };
	FILE *out = open_memstream(&story.text, &story.len);

	assert_non_null(out);
	assert_int_equal(chart_json(out), 0);
	assert_int_equal(fclose(out), 0);
	return story;
}

static void story_same(struct story story)
{
	assert_int_equal(story.len, uninterrupted.len);
	assert_memory_equal(story.text, uninterrupted.text, story.len);
	free(story.text);
}

static void flow_up(void)
{
	struct flow_error error;

	assert_int_equal(flow_start(life_text(), getenv("SWTIO_FLOW"), &error), 0);
}

/* Up to and with that step; 0: all. */
static void play_to(uint32_t last)
{
	struct flow_state state;

	for (flow_state(&state); state.step && (!last || state.step <= last); flow_state(&state))
		assert_int_equal(flow_run_step(), 1);
	assert_int_equal(state.failures, 0);
}

/* To where the device is locked and looked at, and nothing is accepted yet. */
static void play_half(void)
{
	play_to(life_first(PHASE_ATTEST));
}

static int setup(void **state)
{
	(void)state;
	swtio = getenv("SWTIO_BIN");
	if (!swtio || !life_text())
		return -1;
	flow_up();
	play_to(0);
	uninterrupted = story_now();
	image_detach();
	return uninterrupted.len > 1000 ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	free(uninterrupted.text);
	return 0;
}

static int host_down(void **state)
{
	(void)state;
	if (image_present())
		image_detach();
	return 0;
}

/* Runs swtio; its exit code, and what it wrote to standard output. */
static int swtio_run(const char *const args[], struct story *out)
{
	int ends[2], status;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid = fork();
	if (!pid) {
		dup2(ends[1], STDOUT_FILENO);
		execv(swtio, (char **)(uintptr_t)args);	/* only read */
		_exit(127);
	}
	close(ends[1]);
	*out = (struct story){ .text = malloc(1 << 16) };
	while ((n = read(ends[0], out->text + out->len, 1 << 16)) > 0) {
		out->len += (size_t)n;
		out->text = realloc(out->text, out->len + (1 << 16));
		assert_non_null(out->text);
	}
	close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* -- replay ----------------------------------------------------------------------------------- */

static void test_r7_3_same_seed_same_trace(void **state)
{
	(void)state;
	flow_up();
	play_to(0);
	story_same(story_now());
}

static char saved[64];

static void save_half_way(void)
{
	int fd;

	snprintf(saved, sizeof(saved), "%s/swtio-replay-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	fd = mkstemp(saved);
	assert_true(fd >= 0);
	close(fd);
	flow_up();
	play_half();
	assert_int_equal(image_save(saved), 0);
	image_detach();
}

static void test_r7_3_another_process_ends_it(void **state)
{
	const char *args[] = { swtio, "run", "--trace", "--load", saved, NULL };
	struct story story;

	(void)state;
	save_half_way();
	assert_int_equal(swtio_run(args, &story), 0);
	unlink(saved);
	story_same(story);
}

static void test_r7_3_back_by_snapshots_and_forward_again(void **state)
{
	image_mark marks[STEPS_MAX];
	uint64_t hashes[STEPS_MAX], end;
	unsigned int n = 0;

	(void)state;
	flow_up();
	if (arena_mapped < IMAGE_SPAN)
		skip();		/* snapshots of all steps need room for what they keep */
	do {
		assert_true(n < STEPS_MAX);
		hashes[n] = image_hash();
		marks[n] = image_snapshot();
		assert_true(marks[n++]);
	} while (flow_run_step() > 0);
	end = image_hash();
	for (unsigned int i = n; i-- > 0;) {
		assert_int_equal(image_restore(marks[i]), 0);
		assert_int_equal(image_hash(), hashes[i]);
	}
	for (unsigned int i = 1; i < n; i++) {
		assert_int_equal(flow_run_step(), 1);
		assert_int_equal(image_hash(), hashes[i]);
	}
	assert_int_equal(flow_run_step(), 0);
	assert_int_equal(image_hash(), end);
	story_same(story_now());
}

/* -- looking in ------------------------------------------------------------------------------- */

static void test_r7_3_a_second_process_inspects_a_live_host(void **state)
{
	char pid[16];
	const char *args[] = { swtio, "inspect", "--verify", "--json", pid, NULL };
	struct story story;
	uint64_t hash;

	(void)state;
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	flow_up();
	play_half();
	hash = image_hash();
	assert_int_equal(swtio_run(args, &story), 0);
	story.text[story.len] = '\0';
	assert_non_null(strstr(story.text, "\"next_step\""));
	assert_non_null(strstr(story.text, "LOCKED"));
	free(story.text);
	assert_int_equal(image_hash(), hash);
	play_to(0);
	story_same(story_now());
}

static void ident_edit(void (*edit)(struct image_ident *ident))
{
	struct image_ident ident;
	int fd = open(saved, O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &ident, sizeof(ident), 0), sizeof(ident));
	edit(&ident);
	assert_int_equal(pwrite(fd, &ident, sizeof(ident), 0), sizeof(ident));
	close(fd);
}

static void layout_change(struct image_ident *ident)
{
	ident->layout ^= 1;
	ident->checksum = arena_ident_checksum(ident);
}

static void layout_change_back(struct image_ident *ident)
{
	layout_change(ident);
}

static void seed_flip(struct image_ident *ident)
{
	ident->seed ^= 1;	/* the checksum does not know */
}

static void test_r7_3_damaged_and_other_versions_are_refused(void **state)
{
	const char *args[] = { swtio, "run", "--load", saved, NULL };
	struct story story;

	(void)state;
	save_half_way();
	ident_edit(layout_change);
	assert_int_equal(image_load(saved), -EPROTO);
	assert_int_not_equal(swtio_run(args, &story), 0);
	assert_int_equal(story.len, 0);
	free(story.text);
	ident_edit(layout_change_back);
	ident_edit(seed_flip);
	assert_int_equal(image_load(saved), -EUCLEAN);
	ident_edit(seed_flip);
	assert_int_equal(image_load(saved), 0);
	image_detach();
	assert_int_equal(truncate(saved, IMAGE_PAGE), 0);
	assert_int_equal(image_load(saved), -EUCLEAN);
	unlink(saved);
}

int main(void)
{
#define HOST(fn) cmocka_unit_test_teardown(fn, host_down)
	const struct CMUnitTest tests[] = {
		HOST(test_r7_3_same_seed_same_trace),
		HOST(test_r7_3_another_process_ends_it),
		HOST(test_r7_3_back_by_snapshots_and_forward_again),
		HOST(test_r7_3_a_second_process_inspects_a_live_host),
		HOST(test_r7_3_damaged_and_other_versions_are_refused),
	};

	return cmocka_run_group_tests_name("replay", tests, setup, teardown);
}
