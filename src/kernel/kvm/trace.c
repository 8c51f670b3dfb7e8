/* SPDX-License-Identifier: BSD-2-Clause */
/* The gate of the KVM lane for the trace: one event an ioctl, under its name. */
#include "kernel/kvm/internal.h"
#include "swtio/uapi/kvm.h"

static const struct { unsigned int cmd; const char *name; } names[] = {
	{ KVM_CREATE_VM, "KVM_CREATE_VM" },
	{ KVM_CREATE_VCPU, "KVM_CREATE_VCPU" },
	{ KVM_SET_USER_MEMORY_REGION, "KVM_SET_USER_MEMORY_REGION" },
	{ KVM_SET_USER_MEMORY_REGION2, "KVM_SET_USER_MEMORY_REGION2" },
	{ KVM_SET_MEMORY_ATTRIBUTES, "KVM_SET_MEMORY_ATTRIBUTES" },
	{ KVM_CREATE_GUEST_MEMFD, "KVM_CREATE_GUEST_MEMFD" },
	{ KVM_CREATE_DEVICE, "KVM_CREATE_DEVICE" },
	{ KVM_SET_DEVICE_ATTR, "KVM_SET_DEVICE_ATTR" },
	{ KVM_IRQFD, "KVM_IRQFD" },
	{ KVM_MEMORY_ENCRYPT_OP, "KVM_MEMORY_ENCRYPT_OP" },
	{ KVM_RUN, "KVM_RUN" },
};

static const char *name_of(unsigned int cmd)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].cmd == cmd)
			return names[i].name;
	return NULL;
}

static void slot_args(const struct trace_call *call, uint64_t arg)
{
	struct kvm_userspace_memory_region region;

	if (copy_from_user(&region, arg, sizeof(region)))
		return;
	trace_arg_add(call, "slot", region.slot);
	trace_arg_add(call, "gpa", region.guest_phys_addr);
	trace_arg_add(call, "size", region.memory_size);
	trace_arg_add(call, "flags", region.flags);
}

long kvm_ioctl_traced(kvm_ioctl_fn fn, const struct file *file, unsigned int cmd, uint64_t arg)
{
	const struct task *task = current_task();
	const char *name = name_of(cmd);
	struct trace_call call;
	long rc;

	if (!name)
		return fn(file, cmd, arg);
	call = TRACE_CALL0(task ? (enum lane)task->lane : LANE_VMM, LANE_KVM, name);
	if (cmd == KVM_SET_USER_MEMORY_REGION || cmd == KVM_SET_USER_MEMORY_REGION2)
		slot_args(&call, arg);
	rc = fn(file, cmd, arg);
	trace_return(&call, rc, NULL);
	return rc;
}
