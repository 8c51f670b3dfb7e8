/* SPDX-License-Identifier: BSD-2-Clause */
/* Tasks, files and user memory: what every room of the kernel stands on. */
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "flow/machine.h"
#include "kernel/syscall.h"

static const struct task *task;

static int setup(void **state)
{
	const struct image_opts opts = { .size = sizeof(opts), .seed = 3 };
	const struct kernel_options options = { .extensions = true };

	(void)state;
	if (image_create(&opts) || image_enter() || machine_boot(PLATFORM_TDX, &options))
		return -1;
	task = task_create("test", 0);
	image_leave();
	return task ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	image_detach();
	return 0;
}

static void test_memfd_pages_have_one_identity(void **state)
{
	uint64_t a, b, run;
	uint32_t word = 0;
	int fd;

	(void)state;
	fd = sys_memfd_create(task, "m", 0);
	assert_int_equal(sys_write(task, fd, "", 0), 0);	/* while there is no memory */
	assert_true(fd >= 0);
	assert_int_equal(sys_ftruncate(task, fd, 3 << 20), 0);
	assert_int_equal(sys_ftruncate(task, fd, 1 << 20), -EINVAL);
	assert_int_equal(sys_mmap(task, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0, &a), 0);
	assert_int_equal(sys_mmap(task, 1 << 20, PROT_READ, MAP_SHARED, fd, 4096, &b), 0);
	assert_true(a != b);
	word = 0x12345678;
	assert_int_equal(sys_store(task, a + 8192, &word, 4), 0);
	word = 0;
	assert_int_equal(sys_load(task, b + 4096, &word, 4), 0);
	assert_int_equal(word, 0x12345678);
	assert_int_equal(sys_store(task, b, &word, 4), -EFAULT);	/* read-only */
	assert_true(user_page(task, a + 8192, 4096, false, &run) == user_page(task, b + 4096, 4096, false, &run));
	assert_int_equal(user_page(task, b, 4096, true, &run), 0);
	assert_int_equal(sys_munmap(task, a, 1 << 20), 0);
	assert_int_equal(sys_load(task, a, &word, 4), -EFAULT);
	assert_int_equal(sys_munmap(task, b, 1 << 20), 0);
	assert_int_equal(sys_close(task, fd), 0);
	assert_int_equal(sys_close(task, fd), -EBADF);
	assert_int_equal(image_live(IMAGE_TYPE_MEMFD), 0);
}

static void test_eventfd_counts(void **state)
{
	struct event_ref ref;
	uint64_t value = 5;
	int fd, copy;

	(void)state;
	fd = sys_eventfd(task, 2, 0);
	copy = sys_dup(task, fd);
	assert_int_equal(sys_write(task, copy, &value, 8), 8);
	assert_int_equal(sys_read(task, fd, &value, 8), 8);
	assert_int_equal(value, 7);
	assert_int_equal(sys_read(task, fd, &value, 8), -EAGAIN);
	assert_int_equal(sys_poll(task, fd) & POLLIN, 0);
	image_enter();
	current_task_set(task);
	assert_int_equal(event_ref_get(fd, &ref), 0);
	image_leave();
	sys_close(task, fd);
	sys_close(task, copy);
	image_enter();
	event_signal(&ref);
	event_ref_put(&ref);
	current_task_set(NULL);
	image_leave();
	assert_int_equal(image_live(IMAGE_TYPE_EVENTFD), 0);
}

/* A user pointer that leads nowhere is EFAULT, and the call leaves nothing behind. */
static void test_bad_pointers_are_efault(void **state)
{
	uint64_t hash;
	int fd = sys_eventfd(task, 1, 0);

	(void)state;
	hash = image_hash();
	assert_int_equal(sys_read(task, fd, NULL, 8), -EFAULT);
	assert_int_equal(sys_read(task, fd, (void *)(uintptr_t)0xdead0000, 8), -EFAULT);
	assert_int_equal(sys_write(task, fd, (void *)(uintptr_t)(IMAGE_BASE + 4096), 8), -EFAULT);
	assert_true(image_hash() == hash);
	sys_close(task, fd);
}

static void test_extension_rule(void **state)
{
	uint8_t from[16] = { 1, 2, 3, 4 }, to[8];

	(void)state;
	assert_int_equal(copy_struct_from_user(to, 8, (uintptr_t)from, 16), 0);
	from[15] = 1;
	assert_int_equal(copy_struct_from_user(to, 8, (uintptr_t)from, 16), -E2BIG);
	memset(to, 0xff, sizeof(to));
	assert_int_equal(copy_struct_from_user(to, 8, (uintptr_t)from, 3), 0);
	assert_memory_equal(to, "\1\2\3\0\0\0\0\0", 8);
	assert_int_equal(copy_struct_from_user(to, 8, 8, 16), -EFAULT);
}

static void test_r3_3_exit_closes_everything(void **state)
{
	const struct task *other;
	uint64_t at;
	int fd;

	(void)state;
	image_enter();
	other = task_create("other", 0);
	image_leave();
	fd = sys_memfd_create(other, "m", 0);
	assert_int_equal(sys_ftruncate(other, fd, 8192), 0);
	assert_int_equal(sys_mmap(other, 8192, PROT_READ, MAP_SHARED, fd, 0, &at), 0);
	assert_int_equal(sys_mmap(other, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0, &at), 0);
	assert_true(sys_eventfd(other, 0, 0) >= 0);
	assert_true(sys_open(other, "/dev/iommu", O_RDWR) >= 0);
	task_exit(other);
	assert_int_equal(image_live(IMAGE_TYPE_FILE), 0);
	assert_int_equal(image_live(IMAGE_TYPE_MEMFD), 0);
	assert_int_equal(image_live(IMAGE_TYPE_EVENTFD), 0);
	assert_int_equal(image_live(IMAGE_TYPE_IOMMUFD), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memfd_pages_have_one_identity),
		cmocka_unit_test(test_eventfd_counts),
		cmocka_unit_test(test_bad_pointers_are_efault),
		cmocka_unit_test(test_extension_rule),
		cmocka_unit_test(test_r3_3_exit_closes_everything),
	};

	return cmocka_run_group_tests_name("system calls", tests, setup, teardown);
}
