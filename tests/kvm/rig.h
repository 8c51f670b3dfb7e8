/* SPDX-License-Identifier: BSD-2-Clause */
/* A whole machine and one process in it, for the tests of KVM and the TSM. */
#ifndef SWTIO_TESTS_KVM_RIG_H
#define SWTIO_TESTS_KVM_RIG_H

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "device/device.h"
#include "firmware/tdx/operands.h"
#include "firmware/tdx/tdx.h"
#include "flow/parse.h"
#include "kernel/kvm/kvm.h"
#include "kernel/syscall.h"
#include "swtio/uapi/kvm.h"

#define RIG_RAM (16ull << 20)

struct rig {
	const struct task *task;
	int kvm, vm, vcpu, gmem, ram;
	uint64_t ram_address, run_address;
};

static inline int rig_ok(long rc)
{
	assert_true(rc >= 0);
	return (int)rc;
}

static inline int rig_start(void **state)
{
	static struct rig rig;
	const struct flow_settings settings = { 0 };
	struct image_opts opts = { .size = sizeof(opts), .seed = 1 };

	rig = (struct rig){ .kvm = -1, .vm = -1, .vcpu = -1, .gmem = -1, .ram = -1 };
	if (image_create(&opts))
		return -1;
	image_enter();
	if (machine_power_on(&settings))
		return -1;
	rig.task = task_create("vmm", 0);
	image_leave();
	rig.kvm = sys_open(rig.task, "/dev/kvm", O_RDWR);
	*state = &rig;
	return rig.kvm < 0;
}

static inline int rig_stop(void **state)
{
	struct rig *rig = *state;

	image_enter();
	if (task_find(rig->task->id))
		task_exit(rig->task);
	image_leave();
	image_wait_hook(NULL, NULL);
	image_detach();
	return 0;
}

static inline long rig_ioctl(const struct rig *rig, int fd, unsigned int cmd, const void *arg)
{
	return sys_ioctl(rig->task, fd, cmd, (uint64_t)(uintptr_t)arg);
}

static inline long rig_region2(const struct rig *rig, uint32_t slot, uint32_t flags, uint64_t gpa,
			       uint64_t size, uint64_t user, int fd, uint64_t offset)
{
	struct kvm_userspace_memory_region2 region = {
		.slot = slot, .flags = flags, .guest_phys_addr = gpa, .memory_size = size,
		.userspace_addr = user, .guest_memfd = (uint32_t)fd, .guest_memfd_offset = offset };

	return rig_ioctl(rig, rig->vm, KVM_SET_USER_MEMORY_REGION2, &region);
}

static inline long rig_attributes(const struct rig *rig, uint64_t gpa, uint64_t size,
				  bool is_private)
{
	struct kvm_memory_attributes attributes = { .address = gpa, .size = size,
		.attributes = is_private ? KVM_MEMORY_ATTRIBUTE_PRIVATE : 0 };

	return rig_ioctl(rig, rig->vm, KVM_SET_MEMORY_ATTRIBUTES, &attributes);
}

static inline long rig_tdx(const struct rig *rig, int fd, uint32_t id, uint64_t data,
			   uint64_t *hw_error)
{
	struct kvm_tdx_cmd cmd = { .id = id, .data = data };
	long rc = rig_ioctl(rig, fd, KVM_MEMORY_ENCRYPT_OP, &cmd);

	if (hw_error)
		*hw_error = cmd.hw_error;
	return rc;
}

static inline void rig_ram(struct rig *rig)
{
	rig->ram = rig_ok(sys_memfd_create(rig->task, "ram", 0));
	rig_ok(sys_ftruncate(rig->task, rig->ram, RIG_RAM));
	rig_ok(sys_mmap(rig->task, RIG_RAM, PROT_READ | PROT_WRITE, MAP_SHARED, rig->ram, 0,
			&rig->ram_address));
}

static inline void rig_ordinary_vm(struct rig *rig)
{
	rig->vm = rig_ok(sys_ioctl(rig->task, rig->kvm, KVM_CREATE_VM, KVM_X86_DEFAULT_VM));
}

/* A TD with one vCPU, RAM at 0 (shared memory below, private above, private by attribute). */
static inline void rig_td(struct rig *rig)
{
	struct kvm_tdx_init_vm init = { .xfam = 0xe7 };
	struct kvm_create_guest_memfd gmem = { .size = RIG_RAM };

	rig->vm = rig_ok(sys_ioctl(rig->task, rig->kvm, KVM_CREATE_VM, KVM_X86_TDX_VM));
	rig_ok(rig_tdx(rig, rig->vm, KVM_TDX_INIT_VM, (uint64_t)(uintptr_t)&init, NULL));
	rig_ram(rig);
	rig->gmem = rig_ok(rig_ioctl(rig, rig->vm, KVM_CREATE_GUEST_MEMFD, &gmem));
	rig_ok(rig_region2(rig, 0, KVM_MEM_GUEST_MEMFD, 0, RIG_RAM, rig->ram_address, rig->gmem,
			   0));
	rig->vcpu = rig_ok(sys_ioctl(rig->task, rig->vm, KVM_CREATE_VCPU, 0));
	rig_ok(rig_tdx(rig, rig->vcpu, KVM_TDX_INIT_VCPU, 0, NULL));
	rig_ok(sys_mmap(rig->task, sizeof(struct kvm_run), PROT_READ | PROT_WRITE, MAP_SHARED,
			rig->vcpu, 0, &rig->run_address));
}

static inline const struct kvm *rig_kvm(const struct rig *rig)
{
	return kvm_of_file(rig->task->fds[rig->vm]);
}

static inline struct kvm_run rig_run_page(const struct rig *rig)
{
	struct kvm_run run;

	assert_int_equal(sys_load(rig->task, rig->run_address, &run, sizeof(run)), 0);
	return run;
}

#endif
