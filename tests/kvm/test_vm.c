/* SPDX-License-Identifier: BSD-2-Clause */
/* /dev/kvm and a VM's ioctls: what Linux 7.2 answers, errno by errno. */
#include "rig.h"

static void R4_3_api_version_and_types(void **state)
{
	const struct rig *rig = *state;

	assert_int_equal(sys_ioctl(rig->task, rig->kvm, KVM_GET_API_VERSION, 0), 12);
	assert_int_equal(sys_ioctl(rig->task, rig->kvm, KVM_CHECK_EXTENSION, KVM_CAP_VM_TYPES),
			 1 | 1 << 5);
	assert_int_equal(sys_ioctl(rig->task, rig->kvm, KVM_CREATE_VM, 3), -EINVAL);
	assert_int_equal(sys_ioctl(rig->task, rig->kvm, KVM_GET_VCPU_MMAP_SIZE, 0), 3 * 4096);
	assert_int_equal(sys_ioctl(rig->task, rig->kvm, _IO('X', 1), 0), -ENOTTY);
}

static void R4_3_slots_refused_as_linux_does(void **state)
{
	struct rig *rig = *state;
	uint64_t a;

	rig_ordinary_vm(rig);
	rig_ram(rig);
	a = rig->ram_address;
	assert_int_equal(rig_region2(rig, 0, 0, 0, 0x1001, a, -1, 0), -EINVAL);
	assert_int_equal(rig_region2(rig, 0, 0, 0x10, 0x1000, a, -1, 0), -EINVAL);
	assert_int_equal(rig_region2(rig, 0, 0, 0, 0x1000, a + 1, -1, 0), -EINVAL);
	assert_int_equal(rig_region2(rig, 0, 1u << 4, 0, 0x1000, a, -1, 0), -EINVAL);
	assert_int_equal(rig_region2(rig, 600, 0, 0, 0x1000, a, -1, 0), -EINVAL);
	assert_int_equal(rig_region2(rig, 0, 0, UINT64_MAX - 0xfff, 0x2000, a, -1, 0), -EINVAL);
	/* nothing to delete */
	assert_int_equal(rig_region2(rig, 0, 0, 0, 0, a, -1, 0), -EINVAL);
	assert_int_equal(rig_region2(rig, 0, 0, 0, 0x4000, a, -1, 0), 0);
	assert_int_equal(rig_region2(rig, 1, 0, 0x3000, 0x1000, a, -1, 0), -EEXIST);
	assert_int_equal(rig_region2(rig, 0, 0, 0, 0x8000, a, -1, 0), -EINVAL);	/* cannot grow */
	assert_int_equal(rig_region2(rig, 0, 0, 0x10000, 0x4000, a, -1, 0), 0);	/* can move */
	assert_int_equal(rig_region2(rig, 1, 0, 0x3000, 0x1000, a, -1, 0), 0);
	assert_int_equal(rig_region2(rig, 0, KVM_MEM_READONLY, 0x10000, 0x4000, a, -1, 0), -EINVAL);
	assert_int_equal(rig_region2(rig, 0, 0, 0, 0, 0, -1, 0), 0);
	assert_int_equal(rig_region2(rig, 0, 0, 0, 0, 0, -1, 0), -EINVAL);
}

static void R4_3_guest_memfd(void **state)
{
	struct rig *rig = *state;
	struct kvm_create_guest_memfd create = { .size = 0x200000 };
	int gmem, other;

	rig->vm = rig_ok(sys_ioctl(rig->task, rig->kvm, KVM_CREATE_VM, KVM_X86_TDX_VM));
	rig_ram(rig);
	create.flags = GUEST_MEMFD_FLAG_INIT_SHARED;
	assert_int_equal(rig_ioctl(rig, rig->vm, KVM_CREATE_GUEST_MEMFD, &create), -EINVAL);
	create.flags = 0;
	create.size = 0x1001;
	assert_int_equal(rig_ioctl(rig, rig->vm, KVM_CREATE_GUEST_MEMFD, &create), -EINVAL);
	create.size = 0;
	assert_int_equal(rig_ioctl(rig, rig->vm, KVM_CREATE_GUEST_MEMFD, &create), -EINVAL);
	create.size = 0x200000;
	gmem = rig_ok(rig_ioctl(rig, rig->vm, KVM_CREATE_GUEST_MEMFD, &create));
	assert_int_equal(rig_region2(rig, 0, KVM_MEM_GUEST_MEMFD, 0, 0x400000, rig->ram_address,
				     gmem, 0),
			 -EINVAL);
	assert_int_equal(rig_region2(rig, 0, KVM_MEM_GUEST_MEMFD, 0, 0x1000, rig->ram_address, 77,
				     0),
			 -EBADF);
	assert_int_equal(rig_region2(rig, 0, KVM_MEM_GUEST_MEMFD, 0, 0x1000, rig->ram_address,
				     rig->ram, 0),
			 -EINVAL);
	assert_int_equal(rig_region2(rig, 0, KVM_MEM_GUEST_MEMFD | KVM_MEM_READONLY, 0, 0x1000,
				     rig->ram_address, gmem, 0), -EINVAL);
	assert_int_equal(rig_region2(rig, 0, KVM_MEM_GUEST_MEMFD, 0, 0x100000, rig->ram_address,
				     gmem, 0),
			 0);
	/* A page of a guest_memfd is in one slot only. */
	assert_int_equal(rig_region2(rig, 1, KVM_MEM_GUEST_MEMFD, 0x800000, 0x1000,
				     rig->ram_address, gmem, 0xff000),
			 -EINVAL);
	/* Immutable. */
	assert_int_equal(rig_region2(rig, 0, KVM_MEM_GUEST_MEMFD, 0x800000, 0x100000,
				     rig->ram_address, gmem, 0),
			 -EINVAL);
	other = rig_ok(sys_ioctl(rig->task, rig->kvm, KVM_CREATE_VM, KVM_X86_TDX_VM));
	rig->vm = other;
	assert_int_equal(rig_region2(rig, 0, KVM_MEM_GUEST_MEMFD, 0, 0x1000, rig->ram_address, gmem,
				     0x180000),
			 -EINVAL);
}

static void R4_3_attributes(void **state)
{
	struct rig *rig = *state;
	struct kvm_memory_attributes bad = { .address = 0, .size = 0x1000, .attributes = 1 };

	rig_ordinary_vm(rig);
	/* no private memory here */
	assert_int_equal(rig_attributes(rig, 0, 0x1000, true), -EINVAL);
	assert_int_equal(sys_ioctl(rig->task, rig->vm, KVM_CHECK_EXTENSION,
				   KVM_CAP_MEMORY_ATTRIBUTES),
			 0);
	rig->vm = rig_ok(sys_ioctl(rig->task, rig->kvm, KVM_CREATE_VM, KVM_X86_TDX_VM));
	assert_int_equal(sys_ioctl(rig->task, rig->vm, KVM_CHECK_EXTENSION,
				   KVM_CAP_MEMORY_ATTRIBUTES),
			 8);
	assert_int_equal(rig_attributes(rig, 0x10000, 0x4000, true), 0);
	assert_int_equal(rig_attributes(rig, 0x12000, 0x1000, false), 0);
	assert_int_equal(rig_attributes(rig, 0, 0, true), -EINVAL);
	assert_int_equal(rig_attributes(rig, 0x800, 0x1000, true), -EINVAL);
	assert_int_equal(rig_attributes(rig, UINT64_MAX - 0xfff, 0x2000, true), -EINVAL);
	assert_int_equal(rig_ioctl(rig, rig->vm, KVM_SET_MEMORY_ATTRIBUTES, &bad), -EINVAL);
}

static void R3_3_everything_of_a_vm_goes_with_it(void **state)
{
	struct rig *rig = *state;
	uint64_t live[IMAGE_TYPE_MAX];

	image_enter();
	for (int type = 0; type < IMAGE_TYPE_MAX; type++)
		live[type] = image_live((enum image_type)type);
	image_leave();
	rig_td(rig);
	rig_ok(rig_attributes(rig, 0, RIG_RAM, true));
	rig_ok(rig_tdx(rig, rig->vm, KVM_TDX_FINALIZE_VM, 0, NULL));
	/* In an order that keeps the VM alive through every other file of it. */
	rig_ok(sys_close(rig->task, rig->vm));
	rig_ok(sys_close(rig->task, rig->vcpu));
	rig_ok(sys_munmap(rig->task, rig->run_address, sizeof(struct kvm_run)));
	rig_ok(sys_close(rig->task, rig->gmem));
	rig_ok(sys_munmap(rig->task, rig->ram_address, RIG_RAM));
	rig_ok(sys_close(rig->task, rig->ram));
	image_enter();
	assert_int_equal(image_live(IMAGE_TYPE_KVM), 0);
	for (int type = IMAGE_TYPE_KVM; type <= IMAGE_TYPE_GUEST_MEMFD; type++)
		assert_int_equal(image_live((enum image_type)type), live[type]);
	assert_int_equal(image_live(IMAGE_TYPE_TDX), live[IMAGE_TYPE_TDX]);
	assert_int_equal(image_live(IMAGE_TYPE_TDX_PAGE), live[IMAGE_TYPE_TDX_PAGE]);
	assert_int_equal(image_live(IMAGE_TYPE_PT_PAGE), live[IMAGE_TYPE_PT_PAGE]);
	image_leave();
}

static void R1_3_td_states(void **state)
{
	struct rig *rig = *state;
	struct kvm_tdx_init_vm init = { .xfam = 0xe7 };
	uint64_t status = 1;

	rig->vm = rig_ok(sys_ioctl(rig->task, rig->kvm, KVM_CREATE_VM, KVM_X86_TDX_VM));
	/* No vCPU before the TD is initialised, no second initialisation. */
	assert_int_equal(sys_ioctl(rig->task, rig->vm, KVM_CREATE_VCPU, 0), -EIO);
	assert_int_equal(rig_tdx(rig, rig->vm, KVM_TDX_FINALIZE_VM, 0, NULL), -EINVAL);
	init.xfam = 1ull << 63;
	assert_int_equal(rig_tdx(rig, rig->vm, KVM_TDX_INIT_VM, (uint64_t)(uintptr_t)&init, NULL),
			 -EINVAL);
	init.xfam = 0xe7;
	assert_int_equal(rig_tdx(rig, rig->vm, KVM_TDX_INIT_VM, (uint64_t)(uintptr_t)&init,
				 &status),
			 0);
	assert_int_equal(status, 0);
	assert_int_equal(rig_tdx(rig, rig->vm, KVM_TDX_INIT_VM, (uint64_t)(uintptr_t)&init, NULL),
			 -EINVAL);
	assert_true(kvm_tdx_tdr(rig_kvm(rig)) != 0);
	rig->vcpu = rig_ok(sys_ioctl(rig->task, rig->vm, KVM_CREATE_VCPU, 0));
	assert_int_equal(sys_ioctl(rig->task, rig->vm, KVM_CREATE_VCPU, 0), -EEXIST);
	assert_int_equal(sys_ioctl(rig->task, rig->vcpu, KVM_RUN, 0), -EINVAL);
	rig_ok(rig_tdx(rig, rig->vcpu, KVM_TDX_INIT_VCPU, 0, NULL));
	assert_int_equal(rig_tdx(rig, rig->vcpu, KVM_TDX_INIT_VCPU, 0, NULL), -EINVAL);
	assert_int_equal(sys_ioctl(rig->task, rig->vcpu, KVM_RUN, 0), -EINVAL);
	rig_ok(rig_tdx(rig, rig->vm, KVM_TDX_FINALIZE_VM, 0, NULL));
	assert_int_equal(rig_tdx(rig, rig->vm, KVM_TDX_FINALIZE_VM, 0, NULL), -EINVAL);
}

/* A refused SEAMCALL is told to user space with its status, and nothing of the TD is left. */
static void R3_3_refused_init_leaves_nothing(void **state)
{
	struct rig *rig = *state;
	struct kvm_tdx_init_vm init = { .xfam = 0xe7 };
	uint64_t pages, status = 0;

	rig->vm = rig_ok(sys_ioctl(rig->task, rig->kvm, KVM_CREATE_VM, KVM_X86_TDX_VM));
	image_enter();
	pages = image_live(IMAGE_TYPE_TDX_PAGE);
	tdx_inject(TDX_MNG_INIT, TDX_OPERAND_INVALID, 1);
	image_leave();
	assert_int_equal(rig_tdx(rig, rig->vm, KVM_TDX_INIT_VM, (uint64_t)(uintptr_t)&init,
				 &status),
			 -EINVAL);
	assert_true(status == TDX_OPERAND_INVALID);
	assert_int_equal(image_live(IMAGE_TYPE_TDX_PAGE), pages);
	/* BUSY is not an answer: it is asked again. */
	image_enter();
	tdx_inject(TDX_MNG_KEY_CONFIG, TDX_OPERAND_BUSY, 5);
	image_leave();
	assert_int_equal(rig_tdx(rig, rig->vm, KVM_TDX_INIT_VM, (uint64_t)(uintptr_t)&init,
				 &status),
			 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(R4_3_api_version_and_types, rig_start, rig_stop),
		cmocka_unit_test_setup_teardown(R4_3_slots_refused_as_linux_does, rig_start,
						rig_stop),
		cmocka_unit_test_setup_teardown(R4_3_guest_memfd, rig_start, rig_stop),
		cmocka_unit_test_setup_teardown(R4_3_attributes, rig_start, rig_stop),
		cmocka_unit_test_setup_teardown(R1_3_td_states, rig_start, rig_stop),
		cmocka_unit_test_setup_teardown(R3_3_everything_of_a_vm_goes_with_it, rig_start,
						rig_stop),
		cmocka_unit_test_setup_teardown(R3_3_refused_init_leaves_nothing, rig_start,
						rig_stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
