/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The descriptor of a fault queue: poll, select and epoll, in whichever process; and that of a file
 * without poll, which epoll refuses. A mock device raises the faults, so this runs under --mock and
 * on a Linux built with IOMMUFD_TEST.
 */
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "client.h"

/* IOMMU_TEST_CMD of Linux 7.2's iommufd_test.h, as far as it is wanted here. */
#define IOMMU_TEST_CMD _IO(';', 0xa0)
#define MOCK_DOMAIN 2
#define MOCK_DOMAIN_REPLACE 10
#define TRIGGER_IOPF 15
#define FAULT_ID_VALID 4

struct test_cmd {
	uint32_t size, op, id, reserved, a[4];
	uint64_t addr;
	uint8_t rest[32];
};

struct rig {
	int fd, fault;
	uint32_t device, stdev;
};

static int rig_make(struct rig *rig)
{
	struct test_cmd mock = {.size = sizeof(mock), .op = MOCK_DOMAIN};
	struct test_cmd replace = {.size = sizeof(replace), .op = MOCK_DOMAIN_REPLACE};
	struct iommu_fault_alloc fault = {.size = sizeof(fault)};
	struct iommu_hwpt_alloc hwpt = {.size = sizeof(hwpt), .flags = FAULT_ID_VALID};

	rig->fd = iommu_open();
	mock.id = hwpt.pt_id = ioas_alloc(rig->fd);
	CHECK(!ioctl(rig->fd, IOMMU_TEST_CMD, &mock));
	rig->stdev = mock.a[0];
	rig->device = hwpt.dev_id = mock.a[2];
	CHECK(!ioctl(rig->fd, IOMMU_FAULT_QUEUE_ALLOC, &fault));
	rig->fault = (int)fault.out_fault_fd;
	hwpt.fault_id = fault.out_fault_id;
	CHECK(!ioctl(rig->fd, IOMMU_HWPT_ALLOC, &hwpt));
	replace.id = rig->stdev;
	replace.a[0] = hwpt.out_hwpt_id;
	CHECK(!ioctl(rig->fd, IOMMU_TEST_CMD, &replace));
	return 0;
}

static int trigger(const struct rig *rig)
{
	struct test_cmd cmd = {.size = sizeof(cmd),
		.op = TRIGGER_IOPF,
		.a = {rig->device, 0, 1, 1},
		.addr = 0xdead000};

	return ioctl(rig->fd, IOMMU_TEST_CMD, &cmd);
}

static short polled(int fd)
{
	struct pollfd one = {.fd = fd, .events = POLLIN | POLLOUT};

	return poll(&one, 1, 0) < 0 ? -1 : one.revents;
}

static int answer(int fd)
{
	struct iommu_hwpt_pgfault fault;
	struct iommu_hwpt_page_response response = {.code = IOMMUFD_PAGE_RESP_SUCCESS};

	CHECK(read(fd, &fault, sizeof(fault)) == sizeof(fault) && fault.addr == 0xdead000);
	response.cookie = fault.cookie;
	CHECK(write(fd, &response, sizeof(response)) == sizeof(response));
	return 0;
}

static int test_poll(void)
{
	struct rig rig;
	struct iommu_hwpt_pgfault fault;

	CHECK(!rig_make(&rig) && polled(rig.fault) == POLLOUT);
	CHECK(read(rig.fault, &fault, sizeof(fault)) == 0);
	CHECK(!trigger(&rig) && polled(rig.fault) == (POLLIN | POLLOUT));
	CHECK(!trigger(&rig) && polled(rig.fault) == (POLLIN | POLLOUT));
	CHECK(!answer(rig.fault) && polled(rig.fault) == (POLLIN | POLLOUT));
	CHECK(!answer(rig.fault) && polled(rig.fault) == POLLOUT);
	CHECK(lseek(rig.fault, 0, SEEK_SET) == -1 && errno == ESPIPE);
	CHECK(ioctl(rig.fault, IOMMU_DESTROY, NULL) == -1 && errno == ENOTTY);
	return 0;
}

static int test_select_epoll(void)
{
	struct epoll_event event = {.events = EPOLLIN}, got;
	struct timeval none = {0};
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct rig rig;
	fd_set set;

	CHECK(!rig_make(&rig));
	CHECK(!epoll_ctl(epoll, EPOLL_CTL_ADD, rig.fault, &event));
	CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, rig.fd, &event) == -1 && errno == EPERM);
	CHECK(epoll_wait(epoll, &got, 1, 0) == 0);
	CHECK(!trigger(&rig) && epoll_wait(epoll, &got, 1, 0) == 1 && got.events == EPOLLIN);
	FD_ZERO(&set);
	FD_SET(rig.fault, &set);
	CHECK(select(rig.fault + 1, &set, NULL, NULL, &none) == 1);
	CHECK(!answer(rig.fault) && epoll_wait(epoll, &got, 1, 0) == 0);
	FD_SET(rig.fault, &set);
	CHECK(select(rig.fault + 1, &set, NULL, NULL, &none) == 0);
	return 0;
}

/* A child waits in poll for the fault that its parent raises, and answers it. */
static int test_process(void)
{
	struct rig rig;
	pid_t child;

	CHECK(!rig_make(&rig));
	child = fork();
	if (!child) {
		struct pollfd one = {.fd = rig.fault, .events = POLLIN};

		_exit(poll(&one, 1, 10000) != 1 || answer(rig.fault));
	}
	usleep(20000);
	CHECK(!trigger(&rig) && wait_code(child) == 0 && polled(rig.fault) == POLLOUT);
	return 0;
}

/* dup shares the queue; the last close lets its object be destroyed. */
static int test_close(void)
{
	struct iommu_fault_alloc fault = {.size = sizeof(fault)};
	int fd = iommu_open(), copy;

	CHECK(!ioctl(fd, IOMMU_FAULT_QUEUE_ALLOC, &fault));
	copy = dup((int)fault.out_fault_fd);
	CHECK(copy >= 0 && destroy(fd, fault.out_fault_id) == -1 && errno == EBUSY);
	CHECK(!close((int)fault.out_fault_fd));
	CHECK(destroy(fd, fault.out_fault_id) == -1 && errno == EBUSY && polled(copy) == POLLOUT);
	CHECK(!close(copy) && !destroy(fd, fault.out_fault_id));
	return 0;
}

/* Taken out of another process, as a debugger or a supervisor does it. */
static int test_pidfd(void)
{
	struct rig rig;
	int ready[2], pidfd, fault, iommu;
	pid_t child;

	CHECK(!pipe(ready));
	child = fork();
	if (!child) {
		if (rig_make(&rig) || trigger(&rig) || write(ready[1], &rig, sizeof(rig)) < 0)
			_exit(1);
		pause();
	}
	close(ready[1]);
	CHECK(read(ready[0], &rig, sizeof(rig)) == sizeof(rig));
	pidfd = (int)syscall(SYS_pidfd_open, child, 0);
	fault = pidfd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, pidfd, rig.fault, 0);
	iommu = pidfd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, pidfd, rig.fd, 0);
	if (fault < 0 && (errno == EPERM || errno == ENOSYS)) {
		kill(child, SIGKILL);
		return 0;
	}
	CHECK(fault >= 0 && iommu >= 0 && polled(fault) == (POLLIN | POLLOUT));
	CHECK(!kill(child, SIGKILL) && wait_code(child) == -1);
	CHECK(!answer(fault) && ioas_alloc(iommu));
	return 0;
}

int main(void)
{
	static const struct client_test tests[] = {
		{"R6.1 poll of a fault queue", test_poll},
		{"R6.1 select and epoll, and epoll of what has no poll", test_select_epoll},
		{"R6.1 another process waits for it", test_process},
		{"R6.1 its last close", test_close},
		{"R6.1 by pidfd_getfd from a process that dies", test_pidfd},
	};
	struct test_cmd none = {.size = sizeof(none)};

	if (access("/dev/iommu", R_OK) ||
		(ioctl(iommu_open(), IOMMU_TEST_CMD, &none) == -1 && errno == ENOTTY)) {
		puts("skipped: no mock IOMMU here");
		return 77;
	}
	return client_main(tests, sizeof(tests) / sizeof(tests[0]));
}
