/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * R6.2, R3.3: processes that share one image play random calls on the same devices, and now and then
 * one is killed, wherever it is. Whoever comes next takes the lock over and what the dead one had is
 * closed; the image stays whole, the others go on, and in the end nothing is left.
 */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "image/arena.h"
#include "kernel/iommufd/mock/uapi.h"
#include "stress.h"

#define PROCESSES 4u
#define MEMORY (1ull << 20)
#define BASE 0x10000000ull
#define PAUSE 0.2		/* seconds between two deaths, at most */

struct client {
	const struct task *task;
	uint32_t seed;
	int iommufd, device;
	uint32_t spaces[2];
	uint64_t memory;
};

static void nap(uint32_t *seed, double most)
{
	struct timespec t = { .tv_nsec = 1000 * (long)stress_roll(seed, (uint32_t)(1e6 * most)) };

	nanosleep(&t, NULL);
}

static void client_open(struct client *c)
{
	static const char *const paths[] = { "/dev/vfio/devices/vfio0", "/dev/vfio/devices/vfio1" };

	c->iommufd = sys_open(c->task, "/dev/iommu", O_RDWR);
	must(c->iommufd >= 0);
	c->device = sys_open(c->task, paths[stress_roll(&c->seed, 2)], O_RDWR);
	for (unsigned int i = 0; i < 2; i++)
		c->spaces[i] = stress_ioas(c->task, c->iommufd);
	/* Another one may have it. */
	if (c->device >= 0 && stress_bind(c->task, c->device, c->iommufd)) {
		sys_close(c->task, c->device);
		c->device = -1;
	}
}

static void client_close(struct client *c)
{
	if (c->device >= 0)
		sys_close(c->task, c->device);
	sys_close(c->task, c->iommufd);
}

/* What it answers is not looked at: it may or may not be possible. */
static void client_call(struct client *c)
{
	uint32_t space = c->spaces[stress_roll(&c->seed, 2)];
	uint64_t page = stress_roll(&c->seed, MEMORY / PHYS_PAGE) * (uint64_t)PHYS_PAGE;
	uint64_t len = (1 + stress_roll(&c->seed, 8)) * (uint64_t)PHYS_PAGE;
	struct iommu_test_cmd mock = { .size = sizeof(mock), .op = IOMMU_TEST_OP_MOCK_DOMAIN,
				       .id = space };
	struct iommu_ioas_copy copy = { .size = sizeof(copy), .flags = IOMMU_IOAS_MAP_READABLE,
					.dst_ioas_id = c->spaces[0], .src_ioas_id = c->spaces[1],
					.length = len, .src_iova = BASE + page };

	switch (stress_roll(&c->seed, 16)) {
	case 0: stress_attach(c->task, c->device, space); break;
	case 1: stress_detach(c->task, c->device); break;
	case 2: sys_ioctl(c->task, c->iommufd, IOMMU_IOAS_COPY, (uintptr_t)&copy); break;
	case 3: stress_unmap(c->task, c->iommufd, space, 0, UINT64_MAX); break;
	case 4: sys_ioctl(c->task, c->device, VFIO_DEVICE_RESET, 0); break;
	case 5: sys_ioctl(c->task, c->iommufd, IOMMU_TEST_CMD, (uintptr_t)&mock); break;
	case 6: case 7: case 8:
		stress_unmap(c->task, c->iommufd, space, BASE + page, len);
		break;
	default:
		if (page + len <= MEMORY)
			stress_map(c->task, c->iommufd, space, c->memory + page, len, BASE + page);
	}
}

static _Noreturn void client_live(const struct task *task, uint32_t seed)
{
	struct client c = { .task = task, .seed = seed, .memory = stress_memory(task, MEMORY) };

	for (;;) {
		client_open(&c);
		for (uint32_t calls = stress_roll(&c.seed, 400); calls; calls--)
			client_call(&c);
		client_close(&c);
		nap(&c.seed, 0.001);	/* the lock is not fair */
	}
}

struct process {
	pid_t pid;
	const struct task *task;
};

static struct process process_start(uint32_t seed)
{
	struct process process = { .task = stress_task("process") };

	process.pid = fork();
	must(process.pid >= 0);
	if (!process.pid)
		client_live(process.task, seed);
	return process;
}

/* True: it died in a call. It is stopped first, so that this can be told. */
static bool process_kill(const struct process *process)
{
	bool inside;
	int status;

	must(!kill(process->pid, SIGSTOP));
	must(waitpid(process->pid, &status, WUNTRACED) == process->pid && WIFSTOPPED(status));
	inside = HEADER->lock.__data.__owner == process->pid;
	must(!kill(process->pid, SIGKILL));
	must(waitpid(process->pid, &status, 0) == process->pid);
	must(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	return inside;
}

static void process_reap(const struct process *process)
{
	must(!image_enter());
	task_exit(process->task);
	stress_whole();
	image_leave();
}

static void nothing_left(const uint64_t *before)
{
	for (unsigned int type = 1; type < IMAGE_TYPE_MAX; type++)
		if (image_live((enum image_type)type) > before[type])
			fail_msg("%s: %llu live, %llu before",
				 image_type_name((enum image_type)type),
				 (unsigned long long)image_live((enum image_type)type),
				 (unsigned long long)before[type]);
}

/* One life makes what stays: tables that only grow. */
static void life_measure(uint64_t *live)
{
	struct client c = { .task = stress_task("first"), .seed = 1 };

	c.memory = stress_memory(c.task, MEMORY);
	client_open(&c);
	for (unsigned int calls = 0; calls < 2000; calls++)
		client_call(&c);
	must(!image_enter());
	task_exit(c.task);
	image_leave();
	for (unsigned int type = 1; type < IMAGE_TYPE_MAX; type++)
		live[type] = image_live((enum image_type)type);
}

static void test_r6_2_processes_that_are_killed(void **state)
{
	static uint64_t before[IMAGE_TYPE_MAX];
	double until = stress_now() + stress_seconds(3);
	struct process processes[PROCESSES];
	unsigned int deaths = 0, inside = 0;
	uint32_t seed = 9;
	uint64_t calls;

	(void)state;
	life_measure(before);
	calls = HEADER->now.calls;
	for (unsigned int i = 0; i < PROCESSES; i++)
		processes[i] = process_start(i + 1);
	for (; stress_now() < until; deaths++) {
		unsigned int victim = stress_roll(&seed, PROCESSES);

		nap(&seed, PAUSE);
		inside += process_kill(&processes[victim]);
		process_reap(&processes[victim]);
		processes[victim] = process_start(deaths + 100);
	}
	for (unsigned int i = 0; i < PROCESSES; i++)
		process_kill(&processes[i]);
	for (unsigned int i = 0; i < PROCESSES; i++)
		process_reap(&processes[i]);
	print_message("%llu calls; %u of %u were killed inside one\n",
		      (unsigned long long)(HEADER->now.calls - calls), inside, deaths);
	nothing_left(before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_r6_2_processes_that_are_killed,
						stress_machine, stress_machine_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
