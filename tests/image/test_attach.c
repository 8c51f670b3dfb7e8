/* SPDX-License-Identifier: BSD-2-Clause */
/* One image, several processes: forked, and freshly executed with nothing but a path. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "churn.h"
#include "image/arena.h"

static const char *self;

static int image_up(void **state)
{
	struct image_opts opts = { .size = sizeof(opts), .seed = 9 };
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

/* What an executed process does: attach, change, read; its exit code says how it went. */
static int other_process(const char *path, const char *limit)
{
	struct rlimit most = { .rlim_cur = strtoull(limit, NULL, 0), .rlim_max = RLIM_INFINITY };

	if (most.rlim_cur)
		setrlimit(RLIMIT_AS, &most);
	if (image_attach_path(path))
		return 10;
	if (image_fd() != -1 || image_attach_path(path) != -EBUSY)
		return 11;
	churn_seed = 21;
	for (unsigned int i = 0; i < 100; i++)
		image_call(churn_call, NULL);
	if (image_verify(NULL, 0))
		return 12;
	image_detach();
	return 0;
}

static int run_other(const char *limit)
{
	char path[64];
	int status;
	pid_t pid;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)getpid(), image_fd());
	pid = fork();
	if (!pid) {
		execl(self, self, path, limit, (char *)NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void R7_3_an_executed_process_attaches(void **state)
{
	uint64_t was = churn_root()->before;

	(void)state;
	assert_int_equal(run_other("0"), 0);
	assert_true(churn_root()->before > was + 10);
	churn_check();
	assert_int_equal(image_call(churn_end, NULL), 0);
	churn_check_empty();
}

#if defined(__SANITIZE_ADDRESS__)
#define WITHOUT_LIMITS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITHOUT_LIMITS 1
#endif
#endif

/* One that can map little lowers the end of the arena for all, unless things are up there. */
static void a_process_with_little_room(void **state)
{
	const void *bulk;

	(void)state;
#ifdef WITHOUT_LIMITS
	skip();
#endif
	if (arena_mapped < IMAGE_SPAN)
		skip();		/* this process has little room itself */
	bulk = image_bulk_alloc(20ull << 30, IMAGE_TYPE_RAM);
	assert_non_null(bulk);
	assert_int_equal(run_other("0x500000000"), 10);
	image_bulk_free(bulk);
	assert_int_equal(run_other("0x500000000"), 0);
	assert_null(image_bulk_alloc(20ull << 30, IMAGE_TYPE_RAM));
	assert_non_null(image_bulk_alloc(10ull << 30, IMAGE_TYPE_RAM));
	assert_image_whole();
}

static void forked_processes_take_turns(void **state)
{
	pid_t pids[3];
	int status;

	(void)state;
	for (unsigned int i = 0; i < 3; i++) {
		pids[i] = fork();
		if (!pids[i]) {
			churn_seed = i;
			for (unsigned int call = 0; call < 400; call++)
				image_call(churn_call, NULL);
			image_detach();
			_exit(0);
		}
	}
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	churn_check();
	assert_int_equal(image_call(churn_end, NULL), 0);
	churn_check_empty();
}

static int attach_changed(const struct image_ident *ident)
{
	int fd = dup(image_fd()), rc;

	assert_int_equal(pwrite(fd, ident, sizeof(*ident), 0), sizeof(*ident));
	image_detach();
	rc = image_attach(fd);
	if (rc)
		assert_false(image_present());
	close(fd);
	return rc;
}

static void another_build_or_damage_is_refused(void **state)
{
	struct image_ident good = HEADER->ident, bad = good;
	static const struct { size_t at; int rc; } fields[] = {
		{ offsetof(struct image_ident, magic), -EPROTO },
		{ offsetof(struct image_ident, version), -EPROTO },
		{ offsetof(struct image_ident, layout), -EPROTO },
		{ offsetof(struct image_ident, header_size), -EUCLEAN },
		{ offsetof(struct image_ident, base), -EUCLEAN },
		{ offsetof(struct image_ident, span), -EUCLEAN },
		{ offsetof(struct image_ident, seed), -EUCLEAN },
		{ offsetof(struct image_ident, checksum), -EUCLEAN },
	};

	(void)state;
	assert_int_equal(attach_changed(&good), 0);
	for (unsigned int i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		struct image_opts opts = { .size = sizeof(opts) };

		image_detach();
		assert_int_equal(image_create(&opts), 0);
		bad = HEADER->ident;
		((uint8_t *)&bad)[fields[i].at] ^= 4;
		assert_int_equal(attach_changed(&bad), fields[i].rc);
	}
}

/* A file somebody may shorten would turn every access into a SIGBUS. */
static void other_files_are_refused(void **state)
{
	struct image_ident ident = HEADER->ident;
	int fd = memfd_create("unsealed", MFD_ALLOW_SEALING), zero = open("/dev/zero", O_RDWR);

	(void)state;
	image_detach();
	assert_int_equal(image_attach(-1), -EBADF);
	assert_int_equal(image_attach_path("/nonexistent"), -ENOENT);
	assert_int_equal(image_attach(zero), -EPROTO);
	assert_int_equal(image_attach(fd), -EPROTO);
	assert_int_equal(ftruncate(fd, (off_t)ident.span), 0);
	assert_int_equal(pwrite(fd, &ident, sizeof(ident), 0), sizeof(ident));
	assert_int_equal(image_attach(fd), -EPROTO);
	close(fd);
	close(zero);
}

static void the_type_of_each_object_has_a_name(void **state)
{
	(void)state;
	assert_string_equal(image_type_name(IMAGE_TYPE_IDTABLE), "id table");
	assert_string_equal(image_type_name(IMAGE_TYPE_MAX), "unknown");
	assert_int_equal(HEADER->ident.layout, image_layout_hash());
}

int main(int argc, char **argv)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, image_up, image_down)
	const struct CMUnitTest tests[] = {
		TEST(R7_3_an_executed_process_attaches),
		TEST(a_process_with_little_room),
		TEST(forked_processes_take_turns),
		TEST(another_build_or_damage_is_refused),
		TEST(other_files_are_refused),
		TEST(the_type_of_each_object_has_a_name),
	};

	if (argc == 3)
		return other_process(argv[1], argv[2]);
	self = argv[0];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
