/* SPDX-License-Identifier: BSD-2-Clause */
/* A descriptor of /dev/iommu is one: what dup, fork, exec and messages do to others they do to it.
 * Runs on Linux too. Called with "inherited FD IOAS" it is the program that an exec ends in. */
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "client.h"

extern char **environ;

static int test_dup(void)
{
	int fd = iommu_open(), copy, other;
	uint32_t ioas = ioas_alloc(fd);

	CHECK(ioas);
	copy = dup(fd);
	CHECK(copy >= 0 && ioas_there(copy, ioas));
	other = fcntl(fd, F_DUPFD_CLOEXEC, 100);
	CHECK(other >= 100 && ioas_there(other, ioas) && fcntl(other, F_GETFD) == FD_CLOEXEC);
	CHECK(!close(fd) && !close(copy));
	CHECK(ioas_there(other, ioas));
	CHECK(!close(other));
	CHECK(close(other) == -1 && errno == EBADF);
	CHECK(ioctl(other, IOMMU_IOAS_ALLOC, NULL) == -1 && errno == EBADF);
	return 0;
}

/* dup2 over a live one closes that one; over itself nothing. */
static int test_dup_over(void)
{
	int one = iommu_open(), two = iommu_open(), plain = open("/dev/null", O_RDWR);
	uint32_t first, second;

	first = ioas_alloc(one);
	CHECK(first && ioas_alloc(two) && (second = ioas_alloc(two)));
	CHECK(!ioas_there(one, second));
	CHECK(dup2(two, one) == one && ioas_there(one, second));
	CHECK(dup2(one, one) == one && ioas_there(one, second));
	CHECK(dup3(plain, one, O_CLOEXEC) == one);
	CHECK(ioctl(one, IOMMU_DESTROY, NULL) == -1 && errno == ENOTTY);
	CHECK(write(one, "x", 1) == 1);
	CHECK(dup2(two, plain) == plain && ioas_there(plain, second));
	return 0;
}

static int test_fork(void)
{
	int fd = iommu_open(), made[2];
	uint32_t ioas = ioas_alloc(fd), more = 0;
	pid_t child;

	CHECK(ioas && !pipe(made));
	child = fork();
	if (!child) {
		more = ioas_there(fd, ioas) ? ioas_alloc(fd) : 0;
		_exit(write(made[1], &more, sizeof(more)) != sizeof(more) || close(fd));
	}
	CHECK(wait_code(child) == 0 && read(made[0], &more, sizeof(more)) == sizeof(more));
	CHECK(more && more != ioas && ioas_there(fd, more) && ioas_there(fd, ioas));
	return 0;
}

static int inherited(int argc, char **argv)
{
	int fd = atoi(argv[2]);
	uint32_t ioas = (uint32_t)atoi(argv[3]);
	char byte;

	CHECK(argc == 4 && read(fd, &byte, 1) == -1 && errno == EINVAL);
	CHECK(ioas_there(fd, ioas) && !destroy(fd, ioas));
	return 0;
}

static char self[4096];

static int through(bool spawn, char *const envp[])
{
	int fd = open("/dev/iommu", O_RDWR);
	uint32_t ioas = ioas_alloc(fd);
	char number[12], id[12];
	char *const argv[] = {self, (char[]){"inherited"}, number, id, NULL};
	pid_t child = -1;

	CHECK(ioas);
	snprintf(number, sizeof(number), "%d", fd);
	snprintf(id, sizeof(id), "%u", ioas);
	if (spawn)
		CHECK(!posix_spawn(&child, self, NULL, NULL, argv, envp));
	else
		child = fork();
	if (!child) {
		execve(self, argv, envp);
		_exit(99);
	}
	CHECK(wait_code(child) == 0);
	CHECK(!ioas_there(fd, ioas) && ioas_alloc(fd));
	return 0;
}

static int test_exec(void)
{
	return through(false, environ);
}
static int test_spawn(void)
{
	return through(true, environ);
}

static char *const nothing[] = {NULL};
static int test_exec_empty(void)
{
	return through(false, nothing);
}
static int test_spawn_empty(void)
{
	return through(true, nothing);
}

static int test_execl(void)
{
	int fd = open("/dev/iommu", O_RDWR);
	uint32_t ioas = ioas_alloc(fd);
	char number[12], id[12];
	pid_t child;

	snprintf(number, sizeof(number), "%d", fd);
	snprintf(id, sizeof(id), "%u", ioas);
	child = fork();
	if (!child) {
		clearenv();
		execl(self, self, "inherited", number, id, (char *)NULL);
		_exit(99);
	}
	CHECK(wait_code(child) == 0 && !ioas_there(fd, ioas));
	return 0;
}

static int cloexec_child(int fd)
{
	char number[12];
	pid_t child;

	snprintf(number, sizeof(number), "%d", fd);
	child = fork();
	if (!child) {
		execl(self, self, "inherited", number, "1", (char *)NULL);
		_exit(99);
	}
	return wait_code(child);
}

static int test_cloexec(void)
{
	int fd = iommu_open();

	CHECK(ioas_alloc(fd) == 1 && cloexec_child(fd) == 1);
	CHECK(!fcntl(fd, F_SETFD, 0) && cloexec_child(fd) == 0);
	return 0;
}

union control {
	char bytes[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

static int fd_send(int socket, int fd)
{
	union control control = {0};
	struct iovec iov = {(char[]){"x"}, 1};
	struct msghdr message = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&message);

	*c = (struct cmsghdr){.cmsg_level = SOL_SOCKET,
		.cmsg_type = SCM_RIGHTS,
		.cmsg_len = CMSG_LEN(sizeof(fd))};
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	return sendmsg(socket, &message, 0) == 1 ? 0 : -1;
}

static int fd_receive(int socket)
{
	union control control = {0};
	char byte;
	struct iovec iov = {&byte, 1};
	struct msghdr message = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes)};
	int fd = -1;

	if (recvmsg(socket, &message, 0) == 1 && CMSG_FIRSTHDR(&message))
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
	return fd;
}

/* The receiver was there before the sender opened anything; the sender is gone when it looks. */
static int test_message(void)
{
	int pair[2], fd, status;
	pid_t child;
	char byte;

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	child = fork();
	if (!child) {
		fd = iommu_open();
		_exit(ioas_alloc(fd) != 1 || fd_send(pair[1], fd) || close(fd));
	}
	CHECK(waitpid(child, &status, 0) == child && !status);
	fd = fd_receive(pair[0]);
	CHECK(fd >= 0 && read(fd, &byte, 1) == -1 && errno == EINVAL);
	CHECK(ioas_there(fd, 1) && !destroy(fd, 1) && !close(fd));
	return 0;
}

/* What a killed process had open is released: the device takes a new owner. */
static int test_kill(void)
{
	int ready[2], fd, dev;
	char byte;
	pid_t child;

	CHECK(!pipe(ready));
	child = fork();
	if (!child) {
		fd = iommu_open();
		dev = vfio_bound(fd);
		byte = dev >= 0;
		if (write(ready[1], &byte, 1) == 1)
			pause();
		_exit(1);
	}
	CHECK(read(ready[0], &byte, 1) == 1 && byte == 1);
	fd = iommu_open();
	CHECK(vfio_bound(fd) == -1);
	CHECK(!kill(child, SIGKILL) && wait_code(child) == -1);
	dev = vfio_bound(fd);
	CHECK(dev >= 0 && !close(dev));
	return 0;
}

/* The rule counts objects of this file, not of others (nor of the dead). */
static int test_fresh(void)
{
	struct iommu_option option = {.size = sizeof(option), .val64 = 1};
	int fd = iommu_open();
	pid_t child = fork();

	if (!child)
		_exit(!ioas_alloc(iommu_open()));
	CHECK(wait_code(child) == 0 && !ioctl(fd, IOMMU_OPTION, &option));
	CHECK(ioas_alloc(fd) == 1 && ioctl(fd, IOMMU_OPTION, &option) == -1 && errno == EBUSY);
	return 0;
}

static int test_close_range(void)
{
	int fd = iommu_open(), dev = vfio_bound(fd);

	CHECK(dev >= 0 && !close_range((unsigned int)dev, (unsigned int)dev, 0));
	CHECK(fcntl(dev, F_GETFD) == -1 && (dev = vfio_bound(fd)) >= 0);
	return 0;
}

static int test_vectors(void)
{
	uint8_t byte[2] = {0};
	struct iovec iov[2] = {{&byte[0], 1}, {&byte[1], 1}};
	uint16_t vendor;
	int fd = iommu_open(), dev = vfio_bound(fd);
	const off_t config = (off_t)VFIO_PCI_CONFIG_REGION_INDEX << 40;

	CHECK(dev >= 0 && pread(dev, &vendor, 2, config) == 2 && vendor != 0xffff);
	CHECK(preadv(dev, iov, 2, config) == 2);
	CHECK(byte[0] == (vendor & 0xff) && byte[1] == vendor >> 8);
	CHECK(lseek(dev, 0, SEEK_SET) == -1 && errno == ESPIPE);
	CHECK(lseek(fd, 7, SEEK_SET) == -1 && errno == ESPIPE && ioas_alloc(fd));
	return 0;
}

/* What /proc says of a descriptor, and opening it again: another open file. */
static int test_proc(void)
{
	char path[40], text[256], line[256];
	int fd = iommu_open(), again;
	uint32_t ioas = ioas_alloc(fd);
	bool locks = false, at_start = false;
	ssize_t n;
	FILE *info;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, text, sizeof(text) - 1);
	CHECK(n > 0);
	text[n] = '\0';
	CHECK(!strcmp(text, "/dev/iommu"));
	again = open(path, O_RDWR | O_CLOEXEC);
	CHECK(again >= 0 && !ioas_there(again, ioas) && ioas_there(fd, ioas) && !close(again));
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	info = fopen(path, "r");
	CHECK(info);
	while (fgets(line, sizeof(line), info)) {
		locks |= !strncmp(line, "lock:", 5);
		at_start |= !strcmp(line, "pos:\t0\n");
	}
	CHECK(at_start && !locks && !fclose(info));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", open("/dev/null", O_RDONLY));
	CHECK(readlink(path, text, sizeof(text)) == 9 && !strncmp(text, "/dev/null", 9));
	return 0;
}

int main(int argc, char **argv)
{
	static const struct client_test tests[] = {
		{"R6.1 dup and F_DUPFD share one file", test_dup},
		{"R6.1 dup2 and dup3 close what was there", test_dup_over},
		{"R6.1 fork shares files and their state", test_fork},
		{"R6.1 a descriptor lives over an exec", test_exec},
		{"R6.1 and over a posix_spawn", test_spawn},
		{"R6.1 also into an empty environment", test_exec_empty},
		{"R6.1 also by posix_spawn", test_spawn_empty},
		{"R6.1 execl after clearenv", test_execl},
		{"R6.1 close on exec closes", test_cloexec},
		{"R6.1 a descriptor by message outlives its sender", test_message},
		{"R6.1 SIGKILL releases what was open", test_kill},
		{"R6.1 a file is fresh whatever others left", test_fresh},
		{"R6.1 close_range is a close", test_close_range},
		{"R6.1 vectored reads, no seeking", test_vectors},
		{"R6.1 what /proc says of a descriptor", test_proc},
	};
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n < 0)
		return 1;
	if (argc > 1 && !strcmp(argv[1], "inherited"))
		return inherited(argc, argv);
	if (access("/dev/iommu", R_OK) || access("/dev/vfio/devices/vfio0", R_OK))
		return 77;
	return client_main(tests, sizeof(tests) / sizeof(tests[0]));
}
