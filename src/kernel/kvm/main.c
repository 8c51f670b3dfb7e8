/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * /dev/kvm and VM files. vCPU, guest_memfd and VFIO-device files hold a reference on their VM's
 * file, so a VM is destroyed after all of them; iommufd and the TSM core hold one while a device is
 * bound.
 */
#include <fcntl.h>
#include <string.h>

#include "hardware/platform.h"
#include "kernel/kvm/internal.h"
#include "swtio/uapi/ioasid.h"

struct kvm_root {
	uint32_t next_number;
};

static const struct kvm_platform ordinary = { .name = "ordinary" };

/* The ordinary kind of VM, and each machine's confidential one. */
static const struct kvm_kind { uint32_t type; const struct kvm_platform *platform; }
ordinary_kind = { KVM_X86_DEFAULT_VM, &ordinary },
confidential_kinds[PLATFORMS] = {
	[PLATFORM_TDX] = { KVM_X86_TDX_VM, &kvm_tdx_platform },
	[PLATFORM_SEV] = { KVM_X86_SNP_VM, &kvm_sev_platform },
	[PLATFORM_CCA] = { KVM_VM_TYPE_ARM_REALM, &kvm_cca_platform },
};

static const struct kvm_platform *platform_of_type(uint64_t type)
{
	const struct kvm_kind *kind = &confidential_kinds[machine_platform()];

	if (type == ordinary_kind.type)
		return ordinary_kind.platform;
	return kind->platform && kind->type == type ? kind->platform : NULL;
}

const struct kvm_platform *kvm_platform(const struct kvm *kvm)
{
	return platform_of_type(kvm->type);
}

/* -- what other rooms may ask ----------------------------------------------------------------- */

const struct kvm *kvm_of_file(const struct file *file)
{
	return file && file->type == FILE_KVM_VM ? file->priv : NULL;
}

const struct file *kvm_file(const struct kvm *kvm)
{
	return kvm->file;
}

void kvm_file_get(const struct file *vm)
{
	if (!mutant(MUTANT_NO_KVM_REFERENCE))
		file_get(vm);
}

void kvm_file_put(const struct file *vm)
{
	if (mutant(MUTANT_NO_KVM_REFERENCE) || (mutant(MUTANT_LEAK_ON_KVM_FIRST) && vm->refs == 1))
		return;
	file_put(vm);
}

uint32_t kvm_number(const struct kvm *kvm)
{
	return kvm->number;
}

bool kvm_is_confidential(const struct kvm *kvm)
{
	return kvm_platform(kvm)->private_memory;
}

const struct vcpu_hw *kvm_vcpu_hw(const struct kvm *kvm, unsigned int index)
{
	return index < KVM_VCPUS && kvm->vcpus[index] ? &kvm->vcpus[index]->hw : NULL;
}

/* -- capabilities ----------------------------------------------------------------------------- */

/* A bit a type; an extension's type has none. */
static int vm_types(void)
{
	const struct kvm_kind *kind = &confidential_kinds[machine_platform()];
	int types = 1 << ordinary_kind.type;

	return kind->platform && kind->type < 31 ? types | 1 << kind->type : types;
}

static long check_extension(const struct kvm *kvm, uint64_t cap)
{
	static const struct {
		uint32_t cap;
		int value;
	} fixed[] = {
		{ KVM_CAP_USER_MEMORY, 1 }, { KVM_CAP_USER_MEMORY2, 1 },
		{ KVM_CAP_DESTROY_MEMORY_REGION_WORKS, 1 }, { KVM_CAP_NR_VCPUS, KVM_VCPUS },
		{ KVM_CAP_MAX_VCPUS, KVM_VCPUS }, { KVM_CAP_MAX_VCPU_ID, KVM_VCPUS },
		{ KVM_CAP_NR_MEMSLOTS, KVM_SLOTS }, { KVM_CAP_IRQFD, 1 },
		{ KVM_CAP_DEVICE_CTRL, 1 }, { KVM_CAP_ENABLE_CAP_VM, 1 },
		{ KVM_CAP_CHECK_EXTENSION_VM, 1 }, { KVM_CAP_IMMEDIATE_EXIT, 1 },
		{ KVM_CAP_EXIT_HYPERCALL, 1 << KVM_HC_MAP_GPA_RANGE },
		{ KVM_CAP_MEMORY_FAULT_INFO, 1 }, { KVM_CAP_GUEST_MEMFD, 1 },
	};

	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		if (fixed[i].cap == cap)
			return fixed[i].value;
	switch (cap) {
	case KVM_CAP_VM_TYPES:
		return vm_types();
	case KVM_CAP_SWTIO:
		return kernel_options()->extensions ? KVM_SWTIO_VERSION : 0;
	case KVM_CAP_SWTIO_VM:
		return kvm && kernel_options()->extensions ? (long)kvm->number : 0;
	case KVM_CAP_MEMORY_ATTRIBUTES:
		return !kvm || kvm_is_confidential(kvm) ? KVM_MEMORY_ATTRIBUTE_PRIVATE : 0;
	case KVM_CAP_GUEST_MEMFD_FLAGS:
		return kvm && kvm_is_confidential(kvm) ? GUEST_MEMFD_FLAG_MMAP :
			GUEST_MEMFD_FLAG_MMAP | GUEST_MEMFD_FLAG_INIT_SHARED;
	default:
		return 0;
	}
}

static long enable_cap(const struct kvm *kvm, uint64_t arg)
{
	struct kvm_enable_cap cap;
	struct kvm *w;

	if (copy_from_user(&cap, arg, sizeof(cap)))
		return -EFAULT;
	if (cap.flags || cap.cap != KVM_CAP_EXIT_HYPERCALL ||
	    cap.args[0] & ~(1ull << KVM_HC_MAP_GPA_RANGE))
		return -EINVAL;
	w = image_write(kvm);
	w->hypercall_exits = cap.args[0];
	return 0;
}

/* -- life of a VM ----------------------------------------------------------------------------- */

static uint32_t next_number(void)
{
	const struct kvm_root *root = image_root(IMAGE_ROOT_KVM);
	struct kvm_root *w;

	if (!root) {
		w = image_alloc(sizeof(*w), IMAGE_TYPE_ROOT);
		if (!w)
			return 0;
		image_root_set(IMAGE_ROOT_KVM, w);
		root = w;
	}
	w = image_write(root);
	return ++w->next_number;
}

static long create_vm(uint64_t type)
{
	const struct kvm_platform *platform = platform_of_type(type);
	const struct platform_tables *tables = platform_tables();
	const struct file *file;
	struct kvm *kvm;
	char name[32];
	int rc;

	if (!platform)
		return -EINVAL;
	kvm = image_alloc(sizeof(*kvm), IMAGE_TYPE_KVM);
	if (!kvm)
		return -ENOMEM;
	kvm->type = (uint32_t)type;
	kvm->number = next_number();
	if (!kvm->number)
		return -ENOMEM;
	rc = pt_init(&kvm->ept, (enum pt_format)tables->cpu, tables->cpu_levels);
	if (!rc && platform->private_memory)
		rc = pt_init(&kvm->mirror, (enum pt_format)tables->cpu, tables->cpu_levels);
	if (rc)
		return rc;
	if (platform->create) {
		rc = platform->create(kvm);
		if (rc)
			return rc;
	}
	snprintf(name, sizeof(name), "anon_inode:kvm-vm:%u", kvm->number);
	file = file_create(FILE_KVM_VM, kvm, name);
	if (!file)
		return -ENOMEM;
	kvm->file = file;
	return fd_install(file, O_CLOEXEC);
}

static void kvm_vm_release(const struct file *file)
{
	const struct kvm *kvm = file->priv;
	const struct kvm_platform *platform = kvm_platform(kvm);

	guest_gone(kvm->number);
	kvm_irqfds_destroy(kvm);
	kvm_pasids_destroy(kvm);
	/* The TEE first: its teardown takes private pages in one go, rather than one by one. */
	if (platform->destroy)
		platform->destroy(kvm);
	kvm_slots_destroy(kvm);
	kvm_vcpus_destroy(kvm);
	image_free(kvm->platform);
	if (kvm->mirror.root)
		pt_destroy(&kvm->mirror);
	pt_destroy(&kvm->ept);
	image_free(kvm);
}

static long kvm_memory_encrypt_op(const struct kvm *kvm, uint64_t arg)
{
	const struct kvm_platform *platform = kvm_platform(kvm);

	return platform->vm_op ? platform->vm_op(kvm, arg) : -ENOTTY;
}

static long set_region1(const struct kvm *kvm, uint64_t arg)
{
	return kvm_set_region(kvm, arg, false);
}

static long set_region2(const struct kvm *kvm, uint64_t arg)
{
	return kvm_set_region(kvm, arg, true);
}

static const struct {
	unsigned int cmd;
	long (*handle)(const struct kvm *kvm, uint64_t arg);
} vm_ioctls[] = {
	{ KVM_CREATE_VCPU, kvm_create_vcpu },
	{ KVM_SET_USER_MEMORY_REGION, set_region1 },
	{ KVM_SET_USER_MEMORY_REGION2, set_region2 },
	{ KVM_SET_MEMORY_ATTRIBUTES, kvm_set_attributes },
	{ KVM_CREATE_GUEST_MEMFD, kvm_create_guest_memfd },
	{ KVM_CREATE_DEVICE, kvm_create_device },
	{ KVM_IRQFD, kvm_irqfd_set },
	{ KVM_ENABLE_CAP, enable_cap },
	{ KVM_MEMORY_ENCRYPT_OP, kvm_memory_encrypt_op },
	{ KVM_CHECK_EXTENSION, check_extension },
	{ KVM_MAP_PASID, kvm_map_pasid },
	{ KVM_UNMAP_PASID, kvm_unmap_pasid },
	{ KVM_ENQCMD, kvm_enqcmd },
};

static long kvm_vm_ioctl_run(const struct file *file, unsigned int cmd, uint64_t arg)
{
	for (size_t i = 0; i < sizeof(vm_ioctls) / sizeof(vm_ioctls[0]); i++)
		if (vm_ioctls[i].cmd == cmd)
			return vm_ioctls[i].handle(file->priv, arg);
	return -ENOTTY;
}

static long kvm_vm_ioctl(const struct file *file, unsigned int cmd, uint64_t arg)
{
	return kvm_ioctl_traced(kvm_vm_ioctl_run, file, cmd, arg);
}

const struct file_ops kvm_vm_file_ops = {
	.name = "kvm-vm",
	.ioctl = kvm_vm_ioctl,
	.release = kvm_vm_release,
};

/* -- /dev/kvm --------------------------------------------------------------------------------- */

static long kvm_ioctl_run(const struct file *file, unsigned int cmd, uint64_t arg)
{
	(void)file;
	switch (cmd) {
	case KVM_GET_API_VERSION:
		return arg ? -EINVAL : KVM_API_VERSION;
	case KVM_CREATE_VM:
		return create_vm(arg);
	case KVM_CHECK_EXTENSION:
		return check_extension(NULL, arg);
	case KVM_GET_VCPU_MMAP_SIZE:
		return arg ? -EINVAL : (long)(3 * KVM_PAGE);
	default:
		return -ENOTTY;
	}
}

static long kvm_ioctl(const struct file *file, unsigned int cmd, uint64_t arg)
{
	return kvm_ioctl_traced(kvm_ioctl_run, file, cmd, arg);
}

const struct file_ops kvm_file_ops = {
	.name = "kvm",
	.ioctl = kvm_ioctl,
};

int kvm_open(const char *path, int flags, const struct file **file)
{
	(void)flags;
	*file = file_create(FILE_KVM, NULL, path);
	return *file ? 0 : -ENOMEM;
}
