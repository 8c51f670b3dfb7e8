/* SPDX-License-Identifier: BSD-2-Clause */
/* A Realm, as its VMM makes and answers it: ACTIVATE, and the RHI_DA calls. What the VMM only passes on
 * it answers here; what it has to act on waits for the verb that does. */
#include <stddef.h>
#include <stdlib.h>

#include "swtio/uapi/kvm.h"
#include "swtio/uapi/rhi.h"
#include "swtio/uapi/tsm.h"
#include "vmm/internal.h"

#define OBJECT_MAX VMM_ANSWER_MAX

static long realm_finalize(const struct vmm_call *call)
{
	struct kvm_arm_rmi_cmd cmd = { .id = KVM_ARM_RMI_REALM_ACTIVATE };

	return vmm_ioctl(call, call->vmm->vm, KVM_MEMORY_ENCRYPT_OP, &cmd);
}

/* The device of a vDEVICE id; NULL: none. */
static const struct vmm_device *device_of(const struct vmm *vmm, uint64_t vbdf)
{
	for (unsigned int i = 0; i < VMM_DEVICES; i++)
		if (vmm->device[i].vdevice && vmm->device[i].vbdf == vbdf)
			return &vmm->device[i];
	return NULL;
}

/* An object of the host's cache into `out`, OBJECT_MAX bytes; its length, or -errno. */
static int64_t object_fetch(struct vmm *vmm, const struct vmm_sys *sys,
			    const struct vmm_device *device, uint64_t object, uint8_t *out)
{
	const struct vmm_call call = { .vmm = vmm, .sys = sys };
	uint8_t body[4];
	const struct vmm_ask ask = { VMM_REQUEST_OBJECT, body, sizeof(body) };

	vmm_put32(body, (uint32_t)object);
	return vmm_uapi(vmm)->request(&call, device, &ask, out, OBJECT_MAX);
}

static uint64_t object_answer(struct vmm *vmm, const struct vmm_sys *sys, struct kvm_run *run)
{
	const struct vmm_device *device = device_of(vmm, run->hypercall.args[0]);
	uint64_t object = run->hypercall.args[1], offset = run->hypercall.args[2];
	uint64_t gpa = run->hypercall.args[3] & ~VMM_SHARED_BIT, len = run->hypercall.args[4];
	uint8_t *bytes;
	int64_t size;

	if (!device)
		return RHI_BAD_VDEV;
	if (!object || object >= RHI_OBJECTS)
		return RHI_BAD_OBJECT;
	bytes = calloc(1, OBJECT_MAX);
	size = bytes ? object_fetch(vmm, sys, device, object, bytes) : -ENOMEM;
	if (size < 0 || run->hypercall.nr == RHI_DA_OBJECT_SIZE) {
		run->hypercall.args[0] = size < 0 ? 0 : (uint64_t)size;
		free(bytes);
		return size < 0 ? RHI_DEVICE : size ? RHI_OK : RHI_NO_DATA;
	}
	len = offset > (uint64_t)size ? 0 : len < (uint64_t)size - offset ? len : (uint64_t)size - offset;
	if (gpa >= vmm->ram_size || len > vmm->ram_size - gpa ||
	    sys->store(sys->ctx, vmm->ram_address + gpa, bytes + (len ? offset : 0), len))
		len = UINT64_MAX;
	free(bytes);
	run->hypercall.args[0] = len == UINT64_MAX ? 0 : len;
	return len == UINT64_MAX ? RHI_ACCESS : len ? RHI_OK : RHI_BAD_OFFSET;
}

/* What the VMM has to act on, by the numbers of `exit`: 1 lock, 2 unlock, 3 report, 4 run,
 * 5 measurements; 0: it answers at once. */
static unsigned int operation(const struct kvm_run *run)
{
	static const unsigned int states[] = { [RHI_TDI_UNLOCKED] = 2, [RHI_TDI_LOCKED] = 1,
					       [RHI_TDI_RUN] = 4 };

	switch (run->hypercall.nr) {
	case RHI_DA_SET_TDI_STATE:
		return run->hypercall.args[1] <= RHI_TDI_RUN ? states[run->hypercall.args[1]] : 0;
	case RHI_DA_GET_INTERFACE_REPORT: return 3;
	case RHI_DA_GET_MEASUREMENTS: return 5;
	default: return 0;
	}
}

/* A conversion of memory, as the Realm wants it. */
static uint64_t map_gpa(const struct vmm *vmm, const struct vmm_sys *sys, const struct kvm_run *run)
{
	struct kvm_memory_attributes attributes = {
		.address = run->hypercall.args[0],
		.size = run->hypercall.args[1] * 4096,
		.attributes = run->hypercall.args[2] & KVM_MAP_GPA_RANGE_ENCRYPTED ?
				      KVM_MEMORY_ATTRIBUTE_PRIVATE : 0,
	};

	return (uint64_t)sys->ioctl(sys->ctx, vmm->vm, KVM_SET_MEMORY_ATTRIBUTES, &attributes);
}

static int realm_exit(struct vmm *vmm, const struct vmm_sys *sys, struct kvm_run *run)
{
	if (run->exit_reason != KVM_EXIT_HYPERCALL)
		return VMM_EXIT_OTHER;
	vmm->exit_op = operation(run);
	if (vmm->exit_op && device_of(vmm, run->hypercall.args[0])) {
		vmm->exit_device = run->hypercall.args[0];
		vmm->exit_reason = VMM_EXIT_GUEST;
		return VMM_EXIT_GUEST;
	}
	switch (run->hypercall.nr) {
	case KVM_HC_MAP_GPA_RANGE: run->hypercall.ret = map_gpa(vmm, sys, run); break;
	case RHI_DA_FEATURES: run->hypercall.ret = RHI_FEATURE_DA; break;
	case RHI_DA_OBJECT_SIZE:
	case RHI_DA_OBJECT_READ: run->hypercall.ret = object_answer(vmm, sys, run); break;
	case RHI_DA_SET_TDI_STATE:
	case RHI_DA_GET_INTERFACE_REPORT:
	case RHI_DA_GET_MEASUREMENTS:
		run->hypercall.ret = vmm->exit_op ? RHI_BAD_VDEV : RHI_BAD_INPUT;
		break;
	default: break;			/* the preset answer: not supported */
	}
	return vmm_run_store(vmm, sys, run) ? -EFAULT : VMM_EXIT_IDLE;
}

/* Data the guest reads with OBJECT_READ, so that the answer is a result alone. */
static int realm_answer(const struct vmm_call *call, uint32_t error, const uint8_t *data, uint32_t len)
{
	uint64_t ret = error == EBUSY ? RHI_BUSY : error ? RHI_DEVICE : RHI_OK;
	uint64_t at = call->vmm->run_address + offsetof(struct kvm_run, hypercall.ret);

	(void)data;
	(void)len;
	return call->sys->store(call->sys->ctx, at, &ret, sizeof(ret));
}

/* Linux keeps a megabyte of I/O addresses for interrupt messages, below an SMMU: no DMA to the RAM
 * that the VM has there. */
#define MSI_FIRST 0x08000000ull
#define MSI_END 0x08100000ull

static long realm_ioas_map(const struct vmm_call *call)
{
	const struct vmm *vmm = call->vmm;
	uint64_t below = vmm->ram_size < MSI_FIRST ? vmm->ram_size : MSI_FIRST;
	uint64_t above = vmm->ram_size > MSI_END ? vmm->ram_size - MSI_END : 0;
	const struct vmm_piece pieces[] = { { vmm->ram, 0, below, 0 },
					    { vmm->ram, MSI_END, above, MSI_END } };

	return vmm_map_pieces(call, pieces, sizeof(pieces) / sizeof(pieces[0]));
}

const struct vmm_platform vmm_cca = {
	.name = "cca",
	.vm_type = KVM_VM_TYPE_ARM_REALM,
	.viommu_type = IOMMU_VIOMMU_TYPE_CCA,
	.finalize = realm_finalize,
	.exit = realm_exit,
	.answer = realm_answer,
	.ioas_map = realm_ioas_map,
};
