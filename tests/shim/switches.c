/* SPDX-License-Identifier: BSD-2-Clause */
/* switches strict|extensions|real-kvm|our-kvm: what the host answers under each switch. */
#include <sys/stat.h>
#include <sys/syscall.h>

#include "client.h"
#include "swtio/uapi/kvm.h"
#include "swtio/uapi/tsm.h"

static int tsm_op(void)
{
	struct iommu_vdevice_tsm_op op = {
		.size = sizeof(op), .type = IOMMU_VDEVICE_TSM_BIND, .vdevice_id = 9};

	return ioctl(iommu_open(), IOMMU_VDEVICE_TSM_OP, &op) ? errno : 0;
}

static int strict(void)
{
	CHECK(tsm_op() == ENOTTY);
	return 0;
}

static int extensions(void)
{
	CHECK(tsm_op() == ENOENT);
	return 0;
}

/* Whatever the real kernel has there, it is not ours: a file of ours is in a memfd of swtio's, as
 * the bare system call says. */
static bool kvm_is_ours(int fd)
{
	char path[40], link[80];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = syscall(SYS_readlink, path, link, sizeof(link) - 1);
	return n > 0 && !strncmp(link, "/memfd:swtio", 12);
}

static int real_kvm(void)
{
	int fd = open("/dev/kvm", O_RDWR);

	CHECK(fd >= 0 || errno == ENOENT || errno == EACCES || errno == ENODEV || errno == ENXIO);
	CHECK(!kvm_is_ours(fd));
	return 0;
}

static int our_kvm(void)
{
	struct stat st;
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC), vm;

	CHECK(fd >= 0 && kvm_is_ours(fd));
	CHECK(ioctl(fd, KVM_GET_API_VERSION, 0) == 12);
	vm = ioctl(fd, KVM_CREATE_VM, 0);
	CHECK(vm >= 0 && kvm_is_ours(vm) && !close(vm));
	CHECK(!fstat(fd, &st) && S_ISCHR(st.st_mode));
	return 0;
}

int main(int argc, char **argv)
{
	static const struct client_test tests[] = {
		{"strict", strict},
		{"extensions", extensions},
		{"real-kvm", real_kvm},
		{"our-kvm", our_kvm},
	};

	for (size_t i = 0; argc == 2 && i < sizeof(tests) / sizeof(tests[0]); i++)
		if (!strcmp(tests[i].name, argv[1]))
			return tests[i].run();
	return 2;
}
