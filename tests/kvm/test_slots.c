/* SPDX-License-Identifier: BSD-2-Clause */
/* Memslots made of dma-bufs, and the second stages behind them, driven by a guest that is this
 * file. */
#include "device.h"

#include "hardware/pt.h"
#include "device/engine.h"
#include "swtio/uapi/ghci.h"
#include "image/klock.h"

/* -- the guest: one access, repeated until it is through -------------------------------------- */

static struct { bool armed, write; uint64_t gpa, value; int rc; } access_wanted;
static uint64_t accept_wanted, accept_status;
static struct tdx_args accept_args;
static enum tdcall_leaf accept_leaf;

void guest_run(const struct vcpu_hw *vcpu);
void guest_run(const struct vcpu_hw *vcpu)
{
	struct cpu_exit_info *exit;
	uint32_t word = (uint32_t)access_wanted.value;
	bool exits = false;

	if (accept_wanted) {
		struct tdx_args args = accept_args;

		accept_status = tdx_tdcall(vcpu, accept_leaf, &args, &exits);
		if (exits) {
			accept_args.rcx = args.rcx;	/* how far it came */
			accept_args.r9 = args.r9;
			return;
		}
		accept_wanted = 0;
	}
	if (access_wanted.armed) {
		access_wanted.rc = access_wanted.write ?
					   cpu_guest_write(vcpu, access_wanted.gpa, &word, 4) :
					   cpu_guest_read(vcpu, access_wanted.gpa, &word, 4);
		if (access_wanted.rc == -EAGAIN)
			return;
		access_wanted.value = word;
		access_wanted.armed = false;
	}
	exit = image_write(&vcpu->exit);
	exit->reason = CPU_EXIT_IDLE;
}

/* KVM_RUN until the guest's access is through (0), refused by the device (-EIO), or KVM_RUN
 * fails. */
static long guest_access(const struct rig *rig, uint64_t gpa, bool write, uint64_t *value)
{
	long rc;

	access_wanted.armed = true;
	access_wanted.write = write;
	access_wanted.gpa = gpa;
	access_wanted.value = value ? *value : 0;
	rc = sys_ioctl(rig->task, rig->vcpu, KVM_RUN, 0);
	if (value)
		*value = access_wanted.value;
	return rc ? rc : access_wanted.rc;
}

static long guest_tdcall(const struct rig *rig, enum tdcall_leaf leaf, struct tdx_args args)
{
	long rc;

	accept_wanted = 1;
	accept_leaf = leaf;
	accept_args = args;
	rc = sys_ioctl(rig->task, rig->vcpu, KVM_RUN, 0);
	accept_wanted = 0;
	return rc ? rc : accept_status ? -EACCES : 0;
}

#define SHARED(gpa) ((gpa) | TDX_SHARED_BIT)

/* -- fixture ---------------------------------------------------------------------------------- */

static struct dev dev;

static int td_with_device(void **state)
{
	struct rig *rig;

	access_wanted.armed = false;
	accept_wanted = 0;
	if (rig_start(state))
		return -1;
	rig = *state;
	if (sysfs_text(rig, "/sys/bus/pci/devices/0000:01:00.0/tsm/connect", "tsm0"))
		return -1;
	rig_td(rig);
	dev_open(rig, &dev, "/dev/vfio/devices/vfio0");
	dev_vdevice(rig, &dev);
	rig_ok(rig_tdx(rig, rig->vm, KVM_TDX_FINALIZE_VM, 0, NULL));
	return 0;
}

static uint64_t bar_hpa(unsigned int bar)
{
	return function_find(PF)->bar[bar].hpa;
}

static bool shared_leaf(const struct rig *rig, uint64_t gpa, struct pt_leaf *leaf)
{
	return !pt_walk(kvm_vcpu_hw(rig_kvm(rig), 0)->ept, gpa, leaf);
}

/* -- checks of a slot (R2.4) ------------------------------------------------------------------ */

static void R2_4_slot_kind_range_and_vm_are_checked(void **state)
{
	struct rig *rig = *state, other = *rig;
	int ordinary = rig_ok(dev_dmabuf(rig, &dev, 2, 0, 0, 0x200000));
	int shared = rig_ok(dev_dmabuf(rig, &dev, 2, VFIO_DMA_BUF_KIND_SHARED, 0, 0x10000));

	assert_int_equal(slot_dmabuf(rig, 5, false, BAR_GPA, 0x200000, 99, 0), -EBADF);
	assert_int_equal(slot_dmabuf(rig, 5, false, BAR_GPA, 0x200000, rig->ram, 0), -EINVAL);
	/* Not of that kind. */
	assert_int_equal(slot_dmabuf(rig, 5, true, BAR_GPA, 0x200000, ordinary, 0), -EINVAL);
	assert_int_equal(slot_dmabuf(rig, 5, true, BAR_GPA, 0x10000, shared, 0), -EINVAL);
	/* Not inside. */
	assert_int_equal(slot_dmabuf(rig, 5, false, BAR_GPA, 0x200000, ordinary, 0x1000), -EINVAL);
	assert_int_equal(slot_dmabuf(rig, 5, false, BAR_GPA, 0x1000, ordinary, 0x200000), -EINVAL);
	assert_int_equal(slot_dmabuf(rig, 5, false, BAR_GPA, 0x1000, ordinary, UINT64_MAX - 0xfff),
			 -EINVAL);
	assert_int_equal(slot_dmabuf(rig, 5, false, BAR_GPA, 0x1000, ordinary, 0x800), -EINVAL);
	/* Flags that do not go together; an address that would not be used. */
	assert_int_equal(rig_region2(rig, 5, KVM_MEM_DMABUF | KVM_MEM_READONLY, BAR_GPA, 0x1000, 0,
				     ordinary, 0),
			 -EINVAL);
	assert_int_equal(rig_region2(rig, 5, KVM_MEM_DMABUF | KVM_MEM_GUEST_MEMFD, BAR_GPA, 0x1000,
				     0, ordinary, 0),
			 -EINVAL);
	assert_int_equal(rig_region2(rig, 5, KVM_MEM_DMABUF_PRIVATE, BAR_GPA, 0x1000, 0, ordinary,
				     0),
			 -EINVAL);
	assert_int_equal(rig_region2(rig, 5, KVM_MEM_DMABUF, BAR_GPA, 0x1000, 0x1000, ordinary, 0),
			 -EINVAL);
	/* A foreign VM. */
	other.vm = rig_ok(sys_ioctl(rig->task, rig->kvm, KVM_CREATE_VM, KVM_X86_TDX_VM));
	assert_int_equal(slot_dmabuf(&other, 5, false, BAR_GPA, 0x200000, ordinary, 0), -EPERM);
	/* Revoked: memory decode is off. */
	dev_memory(rig, &dev, false);
	assert_int_equal(slot_dmabuf(rig, 5, false, BAR_GPA, 0x200000, ordinary, 0), -ENODEV);
	dev_memory(rig, &dev, true);
	assert_int_equal(slot_dmabuf(rig, 5, false, BAR_GPA, 0x200000, ordinary, 0), 0);
	assert_int_equal(slot_dmabuf(rig, 6, false, BAR_GPA + 0x400000, 0x8000, shared, 0x8000), 0);
	assert_int_equal(slot_dmabuf(rig, 7, false, BAR_GPA + 0x1000, 0x1000, shared, 0), -EEXIST);
	assert_int_equal(slot_dmabuf(rig, 5, false, BAR_GPA + 0x8000000, 0x200000, ordinary, 0),
			 -EINVAL);
}

static void R2_4_strict_mode_answers_as_linux(void **state)
{
	struct rig *rig = *state;
	int buf = rig_ok(dev_dmabuf(rig, &dev, 2, 0, 0, 0x200000));
	struct kernel_options strict = *kernel_options();

	strict.extensions = false;
	image_enter();
	kernel_options_set(&strict);
	image_leave();
	assert_int_equal(slot_dmabuf(rig, 5, false, BAR_GPA, 0x200000, buf, 0), -EINVAL);
	assert_int_equal(sys_ioctl(rig->task, rig->vm, KVM_CHECK_EXTENSION, KVM_CAP_SWTIO), 0);
}

static void R4_5_group_files_are_checked_as_linux_does(void **state)
{
	struct rig *rig = *state;
	int32_t fd = dev.vfio;
	struct kvm_create_device again = { .type = KVM_DEV_TYPE_VFIO };
	struct kvm_device_attr attr = { .group = 1,
					.attr = KVM_DEV_VFIO_FILE_ADD,
					.addr = (uintptr_t)&fd };

	assert_int_equal(rig_ioctl(rig, rig->vm, KVM_CREATE_DEVICE, &again), -EBUSY);
	again.type = 1;
	assert_int_equal(rig_ioctl(rig, rig->vm, KVM_CREATE_DEVICE, &again), -ENODEV);
	assert_int_equal(rig_ioctl(rig, dev.group, KVM_SET_DEVICE_ATTR, &attr), -EEXIST);
	fd = 99;
	assert_int_equal(rig_ioctl(rig, dev.group, KVM_SET_DEVICE_ATTR, &attr), -EBADF);
	fd = rig->ram;
	assert_int_equal(rig_ioctl(rig, dev.group, KVM_SET_DEVICE_ATTR, &attr), -EINVAL);
	attr.attr = KVM_DEV_VFIO_FILE_DEL;
	assert_int_equal(rig_ioctl(rig, dev.group, KVM_SET_DEVICE_ATTR, &attr), -ENOENT);
	attr.addr = 8;
	assert_int_equal(rig_ioctl(rig, dev.group, KVM_SET_DEVICE_ATTR, &attr), -EFAULT);
	attr.attr = 7;
	assert_int_equal(rig_ioctl(rig, dev.group, KVM_SET_DEVICE_ATTR, &attr), -ENXIO);
	assert_int_equal(rig_ioctl(rig, dev.group, KVM_HAS_DEVICE_ATTR, &attr), -ENXIO);
}

/* -- shared mappings -------------------------------------------------------------------------- */

static void R4_3_faults_fill_the_ept_lazily(void **state)
{
	struct rig *rig = *state;
	int bar0 = rig_ok(dev_dmabuf(rig, &dev, 0, 0, 0, 0x10000));
	int bar2 = rig_ok(dev_dmabuf(rig, &dev, 2, 0, 0, 0x200000));
	struct pt_leaf leaf;
	uint64_t value = 0;

	assert_int_equal(slot_dmabuf(rig, 5, false, BAR_GPA, 0x10000, bar0, 0), 0);
	assert_int_equal(slot_dmabuf(rig, 6, false, BAR_GPA + 0x10000000, 0x200000, bar2, 0), 0);
	assert_false(shared_leaf(rig, BAR_GPA, &leaf));
	assert_int_equal(guest_access(rig, SHARED(BAR_GPA + ENGINE_ID), false, &value), 0);
	assert_int_equal(value, 0x54494f31);
	assert_true(shared_leaf(rig, BAR_GPA, &leaf));
	assert_int_equal(leaf.size, 0x1000);		/* 64 KiB: no larger leaf fits */
	assert_true(leaf.hpa == bar_hpa(0));
	assert_false(shared_leaf(rig, BAR_GPA + 0x1000, &leaf));
	value = 0x1234;
	assert_int_equal(guest_access(rig, SHARED(BAR_GPA + 0x10000000 + 0x5008), true, &value), 0);
	assert_true(shared_leaf(rig, BAR_GPA + 0x10000000 + 0x100000, &leaf));
	assert_int_equal(leaf.size, 0x200000);		/* aligned at both ends */
	assert_true(leaf.hpa == bar_hpa(2));
	assert_true(kvm_shared_maps(rig_kvm(rig), bar_hpa(2) + 0x1fffff));
	value = 0;
	assert_int_equal(guest_access(rig, SHARED(BAR_GPA + 0x10000000 + 0x5008), false, &value),
			 0);
	assert_int_equal(value, 0x1234);
	/* Deleting the slot takes the mapping. */
	assert_int_equal(rig_region2(rig, 6, 0, 0, 0, 0, -1, 0), 0);
	assert_false(kvm_shared_maps(rig_kvm(rig), bar_hpa(2)));
}

static void R4_3_misaligned_slot_is_mapped_by_4k(void **state)
{
	struct rig *rig = *state;
	int bar2 = rig_ok(dev_dmabuf(rig, &dev, 2, 0, 0, 0x200000));
	struct pt_leaf leaf;
	uint64_t value = 0;

	assert_int_equal(slot_dmabuf(rig, 6, false, BAR_GPA + 0x1000, 0x200000, bar2, 0), 0);
	assert_int_equal(guest_access(rig, SHARED(BAR_GPA + 0x3000), false, &value), 0);
	assert_true(shared_leaf(rig, BAR_GPA + 0x3000, &leaf));
	assert_int_equal(leaf.size, 0x1000);
	assert_true(leaf.hpa == bar_hpa(2) + 0x2000);
}

static void R4_6_mmio_is_mapped_uncached(void **state)
{
	struct rig *rig = *state;
	int bar2 = rig_ok(dev_dmabuf(rig, &dev, 2, 0, 0, 0x200000));
	struct pt_leaf leaf;
	uint64_t value = 0;

	assert_int_equal(slot_dmabuf(rig, 6, false, BAR_GPA, 0x200000, bar2, 0), 0);
	assert_int_equal(guest_access(rig, SHARED(BAR_GPA), false, &value), 0);
	assert_true(shared_leaf(rig, BAR_GPA, &leaf));
	assert_true(leaf.prot & PT_UC);
	assert_false(leaf.prot & PT_X);
	assert_int_equal(guest_access(rig, SHARED(0x2000), false, &value), 0);
	assert_true(shared_leaf(rig, 0x2000, &leaf));
	assert_false(leaf.prot & PT_UC);		/* RAM is not */
}

static void R4_2_revoke_zaps_and_restore_maps_again(void **state)
{
	struct rig *rig = *state;
	int bar2 = rig_ok(dev_dmabuf(rig, &dev, 2, 0, 0, 0x200000));
	uint64_t value = 0;

	assert_int_equal(slot_dmabuf(rig, 6, false, BAR_GPA, 0x200000, bar2, 0), 0);
	assert_int_equal(guest_access(rig, SHARED(BAR_GPA), false, &value), 0);
	assert_true(kvm_shared_maps(rig_kvm(rig), bar_hpa(2)));
	dev_memory(rig, &dev, false);
	assert_false(kvm_shared_maps(rig_kvm(rig), bar_hpa(2)));
	assert_int_equal(guest_access(rig, SHARED(BAR_GPA), false, &value), -EFAULT);
	assert_int_equal(rig_run_page(rig).exit_reason, KVM_EXIT_MEMORY_FAULT);
	assert_int_equal(rig_run_page(rig).memory_fault.flags, 0);
	assert_true(rig_run_page(rig).memory_fault.gpa == BAR_GPA);
	dev_memory(rig, &dev, true);
	assert_int_equal(guest_access(rig, SHARED(BAR_GPA), false, &value), 0);
	/* The device goes for good: so do the mappings, and the slot stays harmless. */
	rig_ok(sys_close(rig->task, bar2));
	rig_ok(sys_close(rig->task, dev.group));
	rig_ok(sys_close(rig->task, dev.vfio));
	assert_false(kvm_shared_maps(rig_kvm(rig), bar_hpa(2)));
	assert_int_equal(guest_access(rig, SHARED(BAR_GPA), false, &value), -EFAULT);
	assert_int_equal(rig_region2(rig, 6, 0, 0, 0, 0, -1, 0), 0);
}

/* -- exits ------------------------------------------------------------------------------------ */

static void R6_7_exits_of_a_td(void **state)
{
	struct rig *rig = *state;
	struct kvm_run run;
	uint64_t value = 0;

	/* No slot: a shared access is emulated by user space, a private one is its fault to
	 * solve. */
	assert_int_equal(guest_access(rig, SHARED(0x80001004), false, NULL), -EAGAIN);
	run = rig_run_page(rig);
	assert_int_equal(run.exit_reason, KVM_EXIT_MMIO);
	assert_true(run.mmio.phys_addr == 0x80001004);
	assert_int_equal(run.mmio.len, 4);
	assert_int_equal(run.mmio.is_write, 0);
	memcpy(run.mmio.data, "\x78\x56\x34\x12", 4);
	assert_int_equal(sys_store(rig->task, rig->run_address, &run, sizeof(run)), 0);
	assert_int_equal(sys_ioctl(rig->task, rig->vcpu, KVM_RUN, 0), 0);
	assert_int_equal(access_wanted.value, 0x12345678);
	assert_int_equal(rig_run_page(rig).exit_reason, KVM_EXIT_HLT);
	assert_int_equal(guest_access(rig, 0x80001000, false, NULL), -EFAULT);
	run = rig_run_page(rig);
	assert_int_equal(run.exit_reason, KVM_EXIT_MEMORY_FAULT);
	assert_int_equal(run.memory_fault.flags, KVM_MEMORY_EXIT_FLAG_PRIVATE);
	assert_int_equal(run.memory_fault.size, 0x1000);
	/* Private access to what the attributes call shared, and the other way round. */
	assert_int_equal(guest_access(rig, 0x3000, false, NULL), -EFAULT);
	assert_int_equal(rig_run_page(rig).memory_fault.flags, KVM_MEMORY_EXIT_FLAG_PRIVATE);
	assert_int_equal(rig_attributes(rig, 0, RIG_RAM, true), 0);
	assert_int_equal(guest_access(rig, SHARED(0x3000), false, &value), -EFAULT);
	assert_int_equal(rig_run_page(rig).memory_fault.flags, 0);
	run.immediate_exit = 1;
	assert_int_equal(sys_store(rig->task, rig->run_address, &run, sizeof(run)), 0);
	assert_int_equal(sys_ioctl(rig->task, rig->vcpu, KVM_RUN, 0), -EINTR);
	assert_int_equal(rig_run_page(rig).exit_reason, KVM_EXIT_INTR);
}

static void R6_7_private_ram_is_added_accepted_and_given_back(void **state)
{
	struct rig *rig = *state;
	uint64_t value = 0xabcd, tdr = kvm_tdx_tdr(rig_kvm(rig)), hpa;
	unsigned int level;

	access_wanted.armed = false;
	assert_int_equal(rig_attributes(rig, 0x100000, 0x2000, true), 0);
	assert_int_equal(guest_tdcall(rig, TDG_MEM_PAGE_ACCEPT,
				      (struct tdx_args){ .rcx = 0x100000 }),
			 0);
	assert_int_equal(tdx_sept_state(tdr, 0x100000, &hpa, &level), SEPT_MAPPED);
	assert_int_equal(level, 0);
	assert_int_equal(phys_owner(hpa), kvm_vcpu_hw(rig_kvm(rig), 0)->tee_owner);
	assert_int_equal(guest_access(rig, 0x100008, true, &value), 0);
	/* Made shared again: the page is the host's and empty. */
	assert_int_equal(rig_attributes(rig, 0x100000, 0x2000, false), 0);
	assert_int_equal(tdx_sept_state(tdr, 0x100000, &hpa, &level), SEPT_FREE);
	assert_int_equal(guest_access(rig, SHARED(0x100008), false, &value), 0);
	assert_int_equal(value, 0);
}

static void R6_7_guest_calls_reach_the_vmm(void **state)
{
	struct rig *rig = *state;
	struct kvm_enable_cap cap = { .cap = KVM_CAP_EXIT_HYPERCALL,
				      .args = { 1 << KVM_HC_MAP_GPA_RANGE } };
	struct kvm_run run;

	access_wanted.armed = false;
	accept_wanted = 1;
	accept_leaf = TDG_VP_VMCALL;
	accept_args = (struct tdx_args){
		.r11 = GHCI_VMCALL_TDCM, .r12 = 8, .r13 = SHARED(0x5000), .r14 = 4096
	};
	assert_int_equal(sys_ioctl(rig->task, rig->vcpu, KVM_RUN, 0), 0);
	run = rig_run_page(rig);
	assert_int_equal(run.exit_reason, KVM_EXIT_TDX);
	assert_int_equal(run.tdx.nr, GHCI_VMCALL_TDCM);
	assert_int_equal(run.tdx.unknown.data[0], 8);
	assert_true(run.tdx.unknown.data[1] == SHARED(0x5000));
	assert_true(run.tdx.unknown.ret == KVM_TDX_RET_UNSUPPORTED);
	run.tdx.unknown.ret = 7;
	assert_int_equal(sys_store(rig->task, rig->run_address, &run, sizeof(run)), 0);
	accept_wanted = 0;
	assert_int_equal(sys_ioctl(rig->task, rig->vcpu, KVM_RUN, 0), 0);
	assert_int_equal(kvm_vcpu_hw(rig_kvm(rig), 0)->exit.ret[0], 7);
	/* MapGPA is not passed on before user space asked for it. */
	accept_args = (struct tdx_args){ .r11 = GHCI_VMCALL_MAPGPA,
					 .r12 = SHARED(0x8000),
					 .r13 = 0x2000 };
	accept_wanted = 1;
	rig_ok(rig_ioctl(rig, rig->vm, KVM_ENABLE_CAP, &cap));
	assert_int_equal(sys_ioctl(rig->task, rig->vcpu, KVM_RUN, 0), 0);
	run = rig_run_page(rig);
	assert_int_equal(run.exit_reason, KVM_EXIT_HYPERCALL);
	assert_int_equal(run.hypercall.nr, KVM_HC_MAP_GPA_RANGE);
	assert_int_equal(run.hypercall.args[0], 0x8000);
	assert_int_equal(run.hypercall.args[1], 2);
	assert_int_equal(run.hypercall.args[2], KVM_MAP_GPA_RANGE_DECRYPTED);
	accept_wanted = 0;
}

static void R6_7_irqfd_wakes_the_guest(void **state)
{
	struct rig *rig = *state;
	int event = rig_ok(sys_eventfd(rig->task, 0, 0));
	struct kvm_irqfd irqfd = { .fd = (uint32_t)event, .gsi = 5 };
	uint64_t one = 1;

	rig_ok(rig_ioctl(rig, rig->vm, KVM_IRQFD, &irqfd));
	assert_int_equal(rig_ioctl(rig, rig->vm, KVM_IRQFD, &irqfd), -EBUSY);
	assert_int_equal(sys_ioctl(rig->task, rig->vcpu, KVM_RUN, 0), 0);
	assert_int_equal(kvm_vcpu_hw(rig_kvm(rig), 0)->interrupts, 0);
	rig_ok(sys_write(rig->task, event, &one, sizeof(one)));
	assert_int_equal(sys_ioctl(rig->task, rig->vcpu, KVM_RUN, 0), 0);
	assert_int_equal(kvm_vcpu_hw(rig_kvm(rig), 0)->interrupts, 1 << 5);
	irqfd.flags = KVM_IRQFD_FLAG_DEASSIGN;
	rig_ok(rig_ioctl(rig, rig->vm, KVM_IRQFD, &irqfd));
}

/* -- private MMIO: from bind to unbind -------------------------------------------------------- */

static long mmio_accept(const struct rig *rig, uint64_t gpa, unsigned int level, uint64_t index,
			uint64_t pages)
{
	return guest_tdcall(rig, TDG_MMIO_ACCEPT,
			    (struct tdx_args){ .rcx = tdx_map(gpa, level),
					       .rdx = index,
					       .r8 = PF,
					       .r9 = pages });
}

static void R4_6_private_mmio_map_accept_block_track_unmap(void **state)
{
	struct rig *rig = *state;
	uint64_t tdr = kvm_tdx_tdr(rig_kvm(rig)), hpa, value = 0;
	unsigned int level;
	int bar0, bar2;

	assert_int_equal(dev_tsm(rig, &dev, IOMMU_VDEVICE_TSM_BIND), 0);
	assert_int_equal(dev_dmabuf(rig, &dev, 0, VFIO_DMA_BUF_KIND_PRIVATE, 0, 0x5000), -EINVAL);
	bar0 = rig_ok(dev_dmabuf(rig, &dev, 0, VFIO_DMA_BUF_KIND_PRIVATE, 0, 0x4000));
	bar2 = rig_ok(dev_dmabuf(rig, &dev, 2, VFIO_DMA_BUF_KIND_PRIVATE, 0, 0x200000));
	assert_int_equal(slot_dmabuf(rig, 5, false, BAR_GPA, 0x4000, bar0, 0), -EINVAL);
	assert_int_equal(slot_dmabuf(rig, 5, true, BAR_GPA, 0x4000, bar0, 0), 0);
	assert_int_equal(slot_dmabuf(rig, 6, true, BAR_GPA + 0x10000000, 0x200000, bar2, 0), 0);
	assert_int_equal(tdx_sept_state(tdr, BAR_GPA, &hpa, &level), SEPT_FREE);
	/* The guest's accept faults, KVM maps, the guest's accept goes through: 4 KiB, and 2
	 * MiB. */
	assert_int_equal(mmio_accept(rig, BAR_GPA, 0, 0, 4), 0);
	assert_int_equal(tdx_sept_state(tdr, BAR_GPA, &hpa, &level), SEPT_MMIO_MAPPED);
	assert_true(hpa == bar_hpa(0) && level == 0);
	assert_int_equal(mmio_accept(rig, BAR_GPA + 0x10000000, 1, 2, 512), 0);
	assert_int_equal(tdx_sept_state(tdr, BAR_GPA + 0x10000000, &hpa, &level), SEPT_MMIO_MAPPED);
	assert_true(hpa == bar_hpa(2) && level == 1);
	/* LOCKED: no TEE MMIO yet; and no access as shared at all. */
	assert_int_equal(guest_access(rig, BAR_GPA + ENGINE_ID, false, &value), -EIO);
	assert_int_equal(guest_access(rig, SHARED(BAR_GPA), false, &value), -EFAULT);
	assert_int_equal(dev_tsm(rig, &dev, IOMMU_VDEVICE_TSM_UNBIND), 0);
	assert_int_equal(tdx_sept_state(tdr, BAR_GPA, &hpa, &level), SEPT_FREE);
	assert_int_equal(tdx_sept_state(tdr, BAR_GPA + 0x10000000, &hpa, &level), SEPT_FREE);
	assert_int_equal(guest_access(rig, BAR_GPA, false, &value), -EFAULT);
	assert_false(pci_tsm_quarantined(pci_dev_find(PF), NULL));
	assert_int_equal(klock_findings((char[160]){ 0 }, 160), 0);
}

/* Closes in one of the 120 orders of five descriptors. */
static void close_in_order(const struct rig *rig, int buf, unsigned int code)
{
	int fds[5] = { buf, rig->vm, dev.vfio, dev.iommu, dev.group };

	for (unsigned int left = 5; left; code /= left, left--) {
		unsigned int pick = code % left;

		rig_ok(sys_close(rig->task, fds[pick]));
		fds[pick] = fds[left - 1];
	}
}

static void assert_all_gone(uint64_t tdx, uint64_t pages)
{
	static const enum image_type types[] = {
		IMAGE_TYPE_KVM, IMAGE_TYPE_KVM_VCPU, IMAGE_TYPE_KVM_TD, IMAGE_TYPE_KVM_SLOT,
		IMAGE_TYPE_KVM_DEVICE, IMAGE_TYPE_GUEST_MEMFD, IMAGE_TYPE_DMABUF,
		IMAGE_TYPE_DMABUF_ATTACH, IMAGE_TYPE_IOMMUFD, IMAGE_TYPE_IOMMUFD_OBJ,
	};
	struct tdi_view view;

	assert_int_equal(device_tdi_view(PF, &view), 0);
	assert_int_equal(view.state, TDISP_UNLOCKED);
	assert_false(pci_tsm_quarantined(pci_dev_find(PF), NULL));
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		assert_int_equal(image_live(types[i]), 0);
	assert_int_equal(image_live(IMAGE_TYPE_TDX), tdx);
	assert_int_equal(image_live(IMAGE_TYPE_TDX_PAGE), pages);
	assert_int_equal(klock_findings((char[160]){ 0 }, 160), 0);
}

/* Every order of close() ends with nothing mapped, nothing left, and the device as it was. */
static void R3_3_every_order_of_close(void **state)
{
	struct rig *rig = *state;
	uint64_t tdx, pages;
	image_mark mark;
	int buf;

	assert_int_equal(dev_tsm(rig, &dev, IOMMU_VDEVICE_TSM_BIND), 0);
	buf = rig_ok(dev_dmabuf(rig, &dev, 2, VFIO_DMA_BUF_KIND_PRIVATE, 0, 0x200000));
	assert_int_equal(slot_dmabuf(rig, 6, true, BAR_GPA, 0x200000, buf, 0), 0);
	assert_int_equal(mmio_accept(rig, BAR_GPA, 1, 2, 512), 0);
	rig_ok(sys_close(rig->task, rig->vcpu));
	rig_ok(sys_munmap(rig->task, rig->run_address, sizeof(struct kvm_run)));
	rig_ok(sys_close(rig->task, rig->gmem));
	mark = image_snapshot();
	assert_true(mark != 0);
	close_in_order(rig, buf, 0);
	tdx = image_live(IMAGE_TYPE_TDX);
	pages = image_live(IMAGE_TYPE_TDX_PAGE);
	for (unsigned int order = 0; order < 120; order++) {
		assert_int_equal(image_restore(mark), 0);
		close_in_order(rig, buf, order);
		assert_all_gone(tdx, pages);
	}
	image_release(mark);
}

/* -- kills ------------------------------------------------------------------------------------ */

static struct {
	unsigned int at, seen;
} killer;

static void kill_hook(enum image_wait point, void *arg)
{
	(void)point, (void)arg;
	if (killer.seen++ == killer.at)
		image_call_abort(-EINTR);
}

/* The process is in an ioctl and dies at a wait; then all it had is closed. False: fewer waits. */
static bool killed_in(const struct rig *rig, unsigned int wait, uint32_t type)
{
	killer.at = wait;
	killer.seen = 0;
	image_wait_hook(kill_hook, NULL);
	dev_tsm(rig, &dev, type);
	image_wait_hook(NULL, NULL);
	if (killer.seen <= wait)
		return false;
	image_enter();
	klock_release_all(rig->task->id);
	task_exit(rig->task);
	image_leave();
	return true;
}

static void kill_everywhere(const struct rig *rig, uint32_t type)
{
	image_mark mark = image_snapshot();
	uint64_t tdx, pages;
	unsigned int wait = 0;

	assert_true(mark != 0);
	image_enter();
	task_exit(rig->task);
	image_leave();
	tdx = image_live(IMAGE_TYPE_TDX);
	pages = image_live(IMAGE_TYPE_TDX_PAGE);
	for (;; wait++) {
		assert_int_equal(image_restore(mark), 0);
		if (!killed_in(rig, wait, type))
			break;
		assert_all_gone(tdx, pages);
	}
	assert_true(wait > 2);
	image_release(mark);
}

static void R3_3_killed_at_every_wait_in_the_bind_ioctl(void **state)
{
	kill_everywhere(*state, IOMMU_VDEVICE_TSM_BIND);
}

static void R3_3_killed_at_every_wait_in_the_unbind_ioctl(void **state)
{
	const struct rig *rig = *state;
	int buf;

	assert_int_equal(dev_tsm(rig, &dev, IOMMU_VDEVICE_TSM_BIND), 0);
	buf = rig_ok(dev_dmabuf(rig, &dev, 2, VFIO_DMA_BUF_KIND_PRIVATE, 0, 0x200000));
	assert_int_equal(slot_dmabuf(rig, 6, true, BAR_GPA, 0x200000, buf, 0), 0);
	assert_int_equal(mmio_accept(rig, BAR_GPA, 1, 2, 512), 0);
	/* Firmware that is busy gives more places to die at. */
	image_enter();
	tdx_inject(TDX_MMIO_BLOCK, TDX_OPERAND_BUSY, 2);
	tdx_inject(TDX_MMIO_UNMAP, TDX_OPERAND_BUSY, 2);
	tdx_inject(TDX_DMAR_BLOCK, TDX_OPERAND_BUSY, 2);
	tdx_inject(TDX_DMAR_REMOVE, TDX_OPERAND_BUSY, 2);
	tdx_inject(TDX_MMIOMT_SET, TDX_OPERAND_BUSY, 2);
	tdx_inject(TDX_TDI_REMOVE, TDX_OPERAND_BUSY, 2);
	image_leave();
	kill_everywhere(rig, IOMMU_VDEVICE_TSM_UNBIND);
}

/* -- a host that does it wrong: the module is the judge ---------------------------------------- */

static uint64_t trace_find(const char *name, uint64_t status)
{
	uint64_t found = 0;

	for (uint64_t seq = trace_first(); seq < trace_next(); seq++) {
		const struct trace_event *event = trace_get(seq);

		if (event && !strcmp(event->name, name) &&
		    tdx_class((uint64_t)event->result) == status)
			found++;
	}
	return found;
}

static void unbind_with_mutant(const struct rig *rig, enum mutant mutant_id)
{
	int buf;

	assert_int_equal(dev_tsm(rig, &dev, IOMMU_VDEVICE_TSM_BIND), 0);
	buf = rig_ok(dev_dmabuf(rig, &dev, 2, VFIO_DMA_BUF_KIND_PRIVATE, 0, 0x200000));
	assert_int_equal(slot_dmabuf(rig, 6, true, BAR_GPA, 0x200000, buf, 0), 0);
	assert_int_equal(mmio_accept(rig, BAR_GPA, 1, 2, 512), 0);
	mutant_plant(mutant_id);
	dev_tsm(rig, &dev, IOMMU_VDEVICE_TSM_UNBIND);
	mutants_clear();
}

static void R3_2_unmap_before_stop_is_refused(void **state)
{
	unbind_with_mutant(*state, MUTANT_STOP_LAST);
	assert_true(trace_find("TDH.MMIO.UNMAP", TDX_TDI_TDISP_INVALID_STATE) > 0);
	assert_int_equal(trace_find("TDH.MMIO.UNMAP", TDX_SUCCESS), 0);
	assert_true(pci_tsm_quarantined(pci_dev_find(PF), NULL));
}

static void R3_2_unmap_without_block_is_refused(void **state)
{
	unbind_with_mutant(*state, MUTANT_SKIP_BLOCK);
	assert_true(trace_find("TDH.MMIO.UNMAP", TDX_GPA_RANGE_NOT_BLOCKED) > 0);
	assert_int_equal(trace_find("TDH.MMIO.UNMAP", TDX_SUCCESS), 0);
}

static void R3_2_unmap_without_iotlb_invalidation_is_refused(void **state)
{
	unbind_with_mutant(*state, MUTANT_SKIP_IOTLB);
	assert_true(trace_find("TDH.MMIO.UNMAP", TDX_TLB_TRACKING_NOT_DONE) > 0);
	assert_int_equal(trace_find("TDH.MMIO.UNMAP", TDX_SUCCESS), 0);
}

/* What such a host left behind is put right by a reset. */
static void R3_3_reset_ends_a_stuck_unbind(void **state)
{
	const struct rig *rig = *state;
	uint64_t hpa;
	unsigned int level;

	unbind_with_mutant(rig, MUTANT_SKIP_IOTLB);
	assert_true(pci_tsm_quarantined(pci_dev_find(PF), NULL));
	assert_true(pci_tsm_busy(pci_dev_find(PF)));
	image_enter();
	assert_int_equal(pci_reset_bus(pci_dev_find(PF)), 0);
	image_leave();
	assert_false(pci_tsm_busy(pci_dev_find(PF)));
	assert_false(pci_tsm_quarantined(pci_dev_find(PF), NULL));
	assert_int_equal(tdx_sept_state(kvm_tdx_tdr(rig_kvm(rig)), BAR_GPA, &hpa, &level), SEPT_FREE);
	assert_int_equal(tdx_mmio_owner(bar_hpa(2)), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, td_with_device, rig_stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(R2_4_slot_kind_range_and_vm_are_checked),
		CASE(R2_4_strict_mode_answers_as_linux),
		CASE(R4_5_group_files_are_checked_as_linux_does),
		CASE(R4_3_faults_fill_the_ept_lazily),
		CASE(R4_3_misaligned_slot_is_mapped_by_4k),
		CASE(R4_6_mmio_is_mapped_uncached),
		CASE(R4_2_revoke_zaps_and_restore_maps_again),
		CASE(R6_7_exits_of_a_td),
		CASE(R6_7_private_ram_is_added_accepted_and_given_back),
		CASE(R6_7_guest_calls_reach_the_vmm),
		CASE(R6_7_irqfd_wakes_the_guest),
		CASE(R4_6_private_mmio_map_accept_block_track_unmap),
		CASE(R3_3_every_order_of_close),
		CASE(R3_3_killed_at_every_wait_in_the_bind_ioctl),
		CASE(R3_3_killed_at_every_wait_in_the_unbind_ioctl),
		CASE(R3_2_unmap_before_stop_is_refused),
		CASE(R3_2_unmap_without_block_is_refused),
		CASE(R3_2_unmap_without_iotlb_invalidation_is_refused),
		CASE(R3_3_reset_ends_a_stuck_unbind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
