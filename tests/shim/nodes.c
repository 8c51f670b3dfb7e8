/* SPDX-License-Identifier: BSD-2-Clause */
/* Nodes, sysfs, mappings and eventfds as a client sees them; and what is not ours stays as it is.
 */
#include <setjmp.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "client.h"

#define DEVICE "/sys/bus/pci/devices/0000:01:00.0/"

static int text_of(const char *path, char *text, size_t len)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, text, len - 1);

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	return n > 0 ? 0 : -1;
}

static int test_stat(void)
{
	struct stat st, by_fd, at;
	struct statx stx;
	unsigned int number[2];
	char text[32];
	int fd;

	CHECK(!stat("/dev/iommu", &st) && S_ISCHR(st.st_mode) && st.st_rdev);
	fd = iommu_open();
	CHECK(!fstat(fd, &by_fd) && S_ISCHR(by_fd.st_mode) && by_fd.st_rdev == st.st_rdev);
	CHECK(!stat("/dev/vfio/devices/vfio0", &st) && S_ISCHR(st.st_mode));
	CHECK(!text_of(DEVICE "vfio-dev/vfio0/dev", text, sizeof(text)));
	CHECK(sscanf(text, "%u:%u", &number[0], &number[1]) == 2);
	CHECK(st.st_rdev == makedev(number[0], number[1]));
	fd = open("/dev/vfio/devices/vfio0", O_RDWR);
	CHECK(!fstat(fd, &by_fd) && S_ISCHR(by_fd.st_mode) && by_fd.st_rdev == st.st_rdev);
	CHECK(!fstatat(fd, "", &at, AT_EMPTY_PATH) && at.st_rdev == st.st_rdev);
	CHECK(!fstatat(AT_FDCWD, "/dev/vfio/devices/vfio0", &at, 0) && at.st_rdev == st.st_rdev);
	CHECK(!statx(AT_FDCWD, "/dev/vfio/devices/vfio0", 0, STATX_BASIC_STATS, &stx));
	CHECK(S_ISCHR(stx.stx_mode) &&
		makedev(stx.stx_rdev_major, stx.stx_rdev_minor) == st.st_rdev);
	CHECK(stat("/dev/vfio/devices/vfio99", &st) == -1 && errno == ENOENT);
	CHECK(open("/dev/vfio/devices/vfio99", O_RDWR) == -1 && errno == ENOENT);
	return 0;
}

static int test_access(void)
{
	CHECK(!access("/dev/iommu", F_OK) && !access("/dev/iommu", R_OK | W_OK));
	CHECK(access("/dev/iommu", X_OK) == -1 && errno == EACCES);
	CHECK(!faccessat(AT_FDCWD, "/dev/vfio/devices/vfio0", R_OK, 0));
	CHECK(access("/dev/iommux", F_OK) == -1 && errno == ENOENT);
	CHECK(open("/dev/iommu", O_RDWR | O_CREAT | O_EXCL, 0600) == -1 && errno == EEXIST);
	return 0;
}

static int test_sysfs(void)
{
	char text[4097], link[256];
	struct stat st;
	FILE *file = fopen(DEVICE "vendor", "r");
	ssize_t n;

	CHECK(file && fgets(text, sizeof(text), file) && !strncmp(text, "0x", 2));
	fclose(file);
	CHECK(!text_of(DEVICE "resource", text, sizeof(text)) && text[0] == '0');
	n = readlink(DEVICE "driver", link, sizeof(link) - 1);
	CHECK(n > 0 && n < (ssize_t)sizeof(link));
	link[n] = '\0';
	CHECK(!strcmp(strrchr(link, '/'), "/vfio-pci"));
	CHECK(readlink(DEVICE "driver", link, 3) == 3);
	CHECK(readlink("/dev/iommu", link, sizeof(link)) == -1 && errno == EINVAL);
	CHECK(!lstat(DEVICE "driver", &st) && S_ISLNK(st.st_mode));
	CHECK(!stat(DEVICE, &st) && S_ISDIR(st.st_mode));
	CHECK(!stat(DEVICE "vfio-dev", &st) && S_ISDIR(st.st_mode));
	CHECK(open(DEVICE "nothing", O_RDONLY) == -1 && errno == ENOENT);
	return 0;
}

/* A write to an attribute acts, by descriptor and by stream. */
static int test_sysfs_write(void)
{
	char text[32];
	int fd = open(DEVICE "tsm/connect", O_WRONLY);
	FILE *file;

	CHECK(fd >= 0 && write(fd, "no-such-tsm\n", 12) == -1);
	CHECK(write(fd, "tsm0\n", 5) == 5 && !close(fd));
	CHECK(!text_of(DEVICE "tsm/connect", text, sizeof(text)) && !strcmp(text, "tsm0\n"));
	file = fopen(DEVICE "tsm/disconnect", "w");
	CHECK(file && fputs("tsm0\n", file) >= 0 && !fclose(file));
	CHECK(!text_of(DEVICE "tsm/connect", text, sizeof(text)) && !strcmp(text, "\n"));
	return 0;
}

/* Files of others: contents, positions, ioctls, identity. */
static int test_foreign(void)
{
	char name[] = "/tmp/swtio-foreign-XXXXXX", text[8] = "";
	struct iommu_destroy call = {.size = sizeof(call), .id = 1};
	struct stat st;
	int fd = mkstemp(name), host = iommu_open(), n = -1, ends[2];

	CHECK(fd >= 0 && !unlink(name) && ioas_alloc(host) == 1);
	CHECK(write(fd, "abcdef", 6) == 6 && lseek(fd, 2, SEEK_SET) == 2);
	CHECK(read(fd, text, 2) == 2 && !strcmp(text, "cd") && lseek(fd, 0, SEEK_CUR) == 4);
	CHECK(pread(fd, text, 1, 0) == 1 && text[0] == 'a' && lseek(fd, 0, SEEK_CUR) == 4);
	CHECK(!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size == 6);
	CHECK(ioctl(fd, IOMMU_DESTROY, &call) == -1 && errno == ENOTTY);
	CHECK(!pipe(ends) && write(ends[1], "xyz", 3) == 3 && !ioctl(ends[0], FIONREAD, &n) &&
		n == 3);
	CHECK(!ioctl(host, FIOCLEX) && fcntl(host, F_GETFD) == FD_CLOEXEC);
	CHECK(!ioctl(host, FIONCLEX) && fcntl(host, F_GETFD) == 0);
	errno = 7;
	CHECK(!destroy(host, 1) && errno == 7);
	CHECK(!stat("/dev/null", &st) && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3));
	return 0;
}

static int test_eventfd(void)
{
	struct {
		struct vfio_irq_set set;
		int32_t fd;
	} irqs = {
		.set = {.argsz = sizeof(irqs),
			.index = VFIO_PCI_MSIX_IRQ_INDEX,
			.count = 1,
			.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER},
		.fd = eventfd(0, EFD_NONBLOCK),
	};
	struct {
		struct vfio_irq_set set;
		uint8_t on;
	} fire = {
		.set = {.argsz = sizeof(fire.set) + 1,
			.index = VFIO_PCI_MSIX_IRQ_INDEX,
			.count = 1,
			.flags = VFIO_IRQ_SET_DATA_BOOL | VFIO_IRQ_SET_ACTION_TRIGGER},
		.on = 1,
	};
	int fd = iommu_open(), dev = vfio_bound(fd), mine = irqs.fd;
	uint64_t n;
	pid_t child;

	CHECK(dev >= 0 && mine >= 0);
	irqs.fd = fd;
	CHECK(ioctl(dev, VFIO_DEVICE_SET_IRQS, &irqs) == -1 && errno == EINVAL);
	irqs.fd = 999;
	CHECK(ioctl(dev, VFIO_DEVICE_SET_IRQS, &irqs) == -1 && errno == EBADF);
	irqs.fd = mine;
	CHECK(!ioctl(dev, VFIO_DEVICE_SET_IRQS, &irqs));
	CHECK(read(mine, &n, sizeof(n)) == -1 && errno == EAGAIN);
	CHECK(!ioctl(dev, VFIO_DEVICE_SET_IRQS, &fire));
	CHECK(read(mine, &n, sizeof(n)) == sizeof(n) && n == 1);
	fire.on = 0;
	CHECK(!ioctl(dev, VFIO_DEVICE_SET_IRQS, &fire) && read(mine, &n, sizeof(n)) == -1);
	fire.on = 1;
	child = fork();
	if (!child)
		_exit(ioctl(dev, VFIO_DEVICE_SET_IRQS, &fire) != 0);
	CHECK(wait_code(child) == 0 && read(mine, &n, sizeof(n)) == sizeof(n) && n == 1);
	return 0;
}

/* Two processes and the device's own file see one BAR. */
static int test_bar(void)
{
	struct vfio_region_info info = {.argsz = sizeof(info), .index = 2};
	int fd = iommu_open(), dev = vfio_bound(fd), turn[2];
	volatile uint32_t *bar;
	uint32_t value = 0;
	pid_t child;

	CHECK(dev >= 0 && !ioctl(dev, VFIO_DEVICE_GET_REGION_INFO, &info));
	CHECK(info.flags & VFIO_REGION_INFO_FLAG_MMAP && info.size >= 0x1000);
	CHECK(mmap(NULL, 0x1000, PROT_READ, MAP_PRIVATE, dev, (off_t)info.offset) == MAP_FAILED &&
		errno == EINVAL);
	CHECK(!pipe(turn));
	child = fork();
	if (!child) {
		bar = mmap(NULL, info.size, PROT_READ | PROT_WRITE, MAP_SHARED, dev,
			(off_t)info.offset);
		if (bar == MAP_FAILED || read(turn[0], &value, 1) != 1 || bar[4] != 0x12345678)
			_exit(1);
		bar[5] = 0x9abcdef0;
		_exit(0);
	}
	bar = mmap(NULL, info.size, PROT_READ | PROT_WRITE, MAP_SHARED, dev, (off_t)info.offset);
	CHECK(bar != MAP_FAILED);
	bar[4] = 0x12345678;
	CHECK(write(turn[1], "x", 1) == 1 && wait_code(child) == 0 && bar[5] == 0x9abcdef0);
	CHECK(pread(dev, &value, 4, (off_t)info.offset + 16) == 4 && value == 0x12345678);
	value = 0x55aa55aa;
	CHECK(pwrite(dev, &value, 4, (off_t)info.offset + 24) == 4 && bar[6] == 0x55aa55aa);
	return 0;
}

static sigjmp_buf back;

static void jump(int number)
{
	siglongjmp(back, number);
}

/* A bad pointer is EFAULT, whatever the program does with its signals; its own faults are its own. */
static int test_bad_pointers(void)
{
	struct iommu_destroy *bad = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct iommu_ioas_alloc *edge = (void *)((char *)bad + 4096 - 4);
	volatile int *nowhere = (volatile int *)bad;
	int fd = iommu_open();
	sigset_t all;
	pid_t child;

	CHECK(ioctl(fd, IOMMU_DESTROY, NULL) == -1 && errno == EFAULT);
	CHECK(ioctl(fd, IOMMU_DESTROY, (void *)0xdead000000000000ul) == -1 && errno == EFAULT);
	CHECK(!munmap((char *)bad + 4096, 4096));
	CHECK(ioctl(fd, IOMMU_IOAS_ALLOC, edge) == -1 && (errno == EINVAL || errno == EFAULT));
	sigfillset(&all);
	CHECK(!sigprocmask(SIG_BLOCK, &all, NULL));
	CHECK(ioctl(fd, IOMMU_DESTROY, (void *)16) == -1 && errno == EFAULT);
	CHECK(!sigprocmask(SIG_UNBLOCK, &all, NULL));
	signal(SIGSEGV, jump);
	if (!sigsetjmp(back, 1)) {
		*nowhere = 1;
		return 1;
	}
	CHECK(ioctl(fd, IOMMU_DESTROY, (void *)16) == -1 && errno == EFAULT);
	child = fork();
	if (!child) {
		signal(SIGSEGV, SIG_DFL);
		*nowhere = 1;
		_exit(0);
	}
	CHECK(wait_code(child) == -1);
	child = fork();
	if (!child) {
		signal(SIGSEGV, SIG_DFL);
		raise(SIGSEGV);
		_exit(0);
	}
	CHECK(wait_code(child) == -1);
	return 0;
}

int main(void)
{
	static const struct client_test tests[] = {
		{"R6.1 stat of nodes, by path and by descriptor, says what sysfs says", test_stat},
		{"R6.1 access to nodes", test_access},
		{"R6.1 sysfs by read, stdio and readlink", test_sysfs},
		{"R6.1 writing sysfs connects and disconnects", test_sysfs_write},
		{"R6.1 files of others are as they were", test_foreign},
		{"R6.1 an interrupt signals a real eventfd, from another process too",
			test_eventfd},
		{"R6.1 BAR memory is one for all processes", test_bar},
		{"R6.1 bad pointers, and the program's own faults", test_bad_pointers},
	};

	if (access("/dev/iommu", R_OK) || access("/dev/vfio/devices/vfio0", R_OK))
		return 77;
	return client_main(tests, sizeof(tests) / sizeof(tests[0]));
}
