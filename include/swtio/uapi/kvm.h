/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The part of the KVM ABI (Linux 7.2, x86-64) that a confidential VM needs. Numbers, names and
 * layouts are Linux's; what Linux lacks stands at the end, with a version of its own. A test
 * compares the first part with the kernel's header.
 */
#ifndef SWTIO_UAPI_KVM_H
#define SWTIO_UAPI_KVM_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define KVMIO 0xAE
#define KVM_API_VERSION 12

/* -- /dev/kvm -- */
#define KVM_GET_API_VERSION _IO(KVMIO, 0x00)
#define KVM_CREATE_VM _IO(KVMIO, 0x01)			/* KVM_X86_*_VM; returns a descriptor */
#define KVM_CHECK_EXTENSION _IO(KVMIO, 0x03)		/* on a VM too */
#define KVM_GET_VCPU_MMAP_SIZE _IO(KVMIO, 0x04)

#define KVM_X86_DEFAULT_VM 0
#define KVM_X86_SNP_VM 4
#define KVM_X86_TDX_VM 5
#define KVM_VM_TYPE_ARM_REALM 0x100	/* an extension here: of arm64, proposed */

#define KVM_CAP_USER_MEMORY 3
#define KVM_CAP_NR_VCPUS 9
#define KVM_CAP_NR_MEMSLOTS 10
#define KVM_CAP_DESTROY_MEMORY_REGION_WORKS 21
#define KVM_CAP_IRQFD 32
#define KVM_CAP_MAX_VCPUS 66
#define KVM_CAP_DEVICE_CTRL 89
#define KVM_CAP_ENABLE_CAP_VM 98
#define KVM_CAP_CHECK_EXTENSION_VM 105
#define KVM_CAP_MAX_VCPU_ID 128
#define KVM_CAP_IMMEDIATE_EXIT 136
#define KVM_CAP_EXIT_HYPERCALL 201
#define KVM_CAP_USER_MEMORY2 231
#define KVM_CAP_MEMORY_FAULT_INFO 232
#define KVM_CAP_MEMORY_ATTRIBUTES 233
#define KVM_CAP_GUEST_MEMFD 234
#define KVM_CAP_VM_TYPES 235
#define KVM_CAP_GUEST_MEMFD_FLAGS 244

/* -- a VM -- */
struct kvm_userspace_memory_region {
	__u32 slot;
	__u32 flags;
	__u64 guest_phys_addr;
	__u64 memory_size;
	__u64 userspace_addr;
};

struct kvm_userspace_memory_region2 {
	__u32 slot;			/* 31:16 address space, 15:0 number */
	__u32 flags;			/* KVM_MEM_* */
	__u64 guest_phys_addr;
	__u64 memory_size;		/* bytes; 0 deletes the slot */
	__u64 userspace_addr;
	__u64 guest_memfd_offset;
	__u32 guest_memfd;
	__u32 pad1;
	__u64 pad2[14];
};

#define KVM_MEM_LOG_DIRTY_PAGES (1UL << 0)
#define KVM_MEM_READONLY (1UL << 1)
#define KVM_MEM_GUEST_MEMFD (1UL << 2)

struct kvm_irqfd {
	__u32 fd;
	__u32 gsi;
	__u32 flags;
	__u32 resamplefd;
	__u8 pad[16];
};
#define KVM_IRQFD_FLAG_DEASSIGN (1 << 0)
#define KVM_IRQFD_FLAG_RESAMPLE (1 << 1)

struct kvm_enable_cap {
	__u32 cap;
	__u32 flags;
	__u64 args[4];
	__u8 pad[64];
};

struct kvm_memory_attributes {
	__u64 address;
	__u64 size;
	__u64 attributes;
	__u64 flags;
};
#define KVM_MEMORY_ATTRIBUTE_PRIVATE (1ULL << 3)

struct kvm_create_guest_memfd {
	__u64 size;
	__u64 flags;
	__u64 reserved[6];
};
#define GUEST_MEMFD_FLAG_MMAP (1ULL << 0)
#define GUEST_MEMFD_FLAG_INIT_SHARED (1ULL << 1)

struct kvm_create_device {
	__u32 type;
	__u32 fd;			/* out */
	__u32 flags;
};
#define KVM_CREATE_DEVICE_TEST 1
#define KVM_DEV_TYPE_VFIO 4

struct kvm_device_attr {
	__u32 flags;
	__u32 group;
	__u64 attr;
	__u64 addr;			/* user address of the attribute's data */
};
#define KVM_DEV_VFIO_FILE 1
#define KVM_DEV_VFIO_FILE_ADD 1
#define KVM_DEV_VFIO_FILE_DEL 2

#define KVM_CREATE_VCPU _IO(KVMIO, 0x41)
#define KVM_SET_USER_MEMORY_REGION _IOW(KVMIO, 0x46, struct kvm_userspace_memory_region)
#define KVM_SET_USER_MEMORY_REGION2 _IOW(KVMIO, 0x49, struct kvm_userspace_memory_region2)
#define KVM_IRQFD _IOW(KVMIO, 0x76, struct kvm_irqfd)
#define KVM_ENABLE_CAP _IOW(KVMIO, 0xa3, struct kvm_enable_cap)
#define KVM_MEMORY_ENCRYPT_OP _IOWR(KVMIO, 0xba, unsigned long)
#define KVM_SET_MEMORY_ATTRIBUTES _IOW(KVMIO, 0xd2, struct kvm_memory_attributes)
#define KVM_CREATE_GUEST_MEMFD _IOWR(KVMIO, 0xd4, struct kvm_create_guest_memfd)
#define KVM_CREATE_DEVICE _IOWR(KVMIO, 0xe0, struct kvm_create_device)
#define KVM_SET_DEVICE_ATTR _IOW(KVMIO, 0xe1, struct kvm_device_attr)
#define KVM_HAS_DEVICE_ATTR _IOW(KVMIO, 0xe3, struct kvm_device_attr)

/* -- TDX: KVM_MEMORY_ENCRYPT_OP takes a struct kvm_tdx_cmd, on the VM or on a vCPU -- */
struct kvm_cpuid_entry2 {
	__u32 function;
	__u32 index;
	__u32 flags;
	__u32 eax, ebx, ecx, edx;
	__u32 padding[3];
};

struct kvm_cpuid2 {
	__u32 nent;
	__u32 padding;
	struct kvm_cpuid_entry2 entries[];
};

enum kvm_tdx_cmd_id {
	KVM_TDX_CAPABILITIES = 0,
	KVM_TDX_INIT_VM,
	KVM_TDX_INIT_VCPU,		/* vCPU */
	KVM_TDX_INIT_MEM_REGION,	/* vCPU */
	KVM_TDX_FINALIZE_VM,
	KVM_TDX_GET_CPUID,		/* vCPU */
	KVM_TDX_CMD_NR_MAX,
};

struct kvm_tdx_cmd {
	__u32 id;
	__u32 flags;
	__u64 data;			/* immediate, or a user address */
	__u64 hw_error;			/* out: status of the SEAMCALL that failed */
};

struct kvm_tdx_capabilities {
	__u64 supported_attrs;
	__u64 supported_xfam;
	__u64 kernel_tdvmcallinfo_1_r11;
	__u64 user_tdvmcallinfo_1_r11;
	__u64 kernel_tdvmcallinfo_1_r12;
	__u64 user_tdvmcallinfo_1_r12;
	__u64 reserved[250];
	struct kvm_cpuid2 cpuid;
};

struct kvm_tdx_init_vm {
	__u64 attributes;
	__u64 xfam;
	__u64 mrconfigid[6];
	__u64 mrowner[6];
	__u64 mrownerconfig[6];
	__u64 reserved[12];
	struct kvm_cpuid2 cpuid;
};

struct kvm_tdx_init_mem_region {
	__u64 source_addr;
	__u64 gpa;
	__u64 nr_pages;
};
#define KVM_TDX_MEASURE_MEMORY_REGION (1ULL << 0)

/* -- SEV-SNP: KVM_MEMORY_ENCRYPT_OP takes a struct kvm_sev_cmd, on the VM -- */
#define KVM_SEV_INIT2 22
#define KVM_SEV_SNP_LAUNCH_START 100
#define KVM_SEV_SNP_LAUNCH_UPDATE 101
#define KVM_SEV_SNP_LAUNCH_FINISH 102

struct kvm_sev_cmd {
	__u32 id;
	__u32 pad0;
	__u64 data;			/* a user address */
	__u32 error;			/* out: the PSP's status */
	__u32 sev_fd;			/* /dev/sev; not looked at here */
};

struct kvm_sev_init {
	__u64 vmsa_features;
	__u32 flags;
	__u16 ghcb_version;
	__u16 pad1;
	__u32 pad2[8];
};

struct kvm_sev_snp_launch_start {
	__u64 policy;
	__u8 gosvw[16];
	__u16 flags;
	__u8 pad0[6];
	__u64 pad1[4];
};

#define KVM_SEV_SNP_PAGE_TYPE_NORMAL 0x1
#define KVM_SEV_SNP_PAGE_TYPE_ZERO 0x3
#define KVM_SEV_SNP_PAGE_TYPE_UNMEASURED 0x4
#define KVM_SEV_SNP_PAGE_TYPE_SECRETS 0x5

struct kvm_sev_snp_launch_update {
	__u64 gfn_start;
	__u64 uaddr;			/* ZERO and SECRETS: not looked at */
	__u64 len;
	__u8 type;
	__u8 pad0;
	__u16 flags;
	__u32 pad1;
	__u64 pad2[4];
};

struct kvm_sev_snp_launch_finish {
	__u64 id_block_uaddr;
	__u64 id_auth_uaddr;
	__u8 id_block_en;
	__u8 auth_key_en;
	__u8 vcek_disabled;
	__u8 host_data[32];
	__u8 pad0[3];
	__u16 flags;
	__u64 pad1[4];
};

/* -- a vCPU -- */
#define KVM_RUN _IO(KVMIO, 0x80)

#define KVM_EXIT_UNKNOWN 0
#define KVM_EXIT_HYPERCALL 3
#define KVM_EXIT_HLT 5
#define KVM_EXIT_MMIO 6
#define KVM_EXIT_SHUTDOWN 8
#define KVM_EXIT_INTR 10
#define KVM_EXIT_INTERNAL_ERROR 17
#define KVM_EXIT_MEMORY_FAULT 39
#define KVM_EXIT_TDX 40

#define KVM_HC_MAP_GPA_RANGE 12
#define KVM_MAP_GPA_RANGE_ENCRYPTED (1 << 4)
#define KVM_MAP_GPA_RANGE_DECRYPTED (0 << 4)
#define KVM_MEMORY_EXIT_FLAG_PRIVATE (1ULL << 3)

struct kvm_run {			/* at offset 0 of a vCPU's mapping */
	__u8 request_interrupt_window;
	__u8 immediate_exit;
	__u8 padding1[6];
	__u32 exit_reason;
	__u8 ready_for_interrupt_injection;
	__u8 if_flag;
	__u16 flags;
	__u64 cr8;
	__u64 apic_base;
	union {
		struct {
			__u64 hardware_exit_reason;
		} hw;
		struct {
			__u64 phys_addr;
			__u8 data[8];
			__u32 len;
			__u8 is_write;
		} mmio;
		struct {
			__u64 nr;
			__u64 args[6];
			__u64 ret;
			union {
				__u32 longmode;
				__u64 flags;
			};
		} hypercall;
		struct {
			__u32 suberror;
			__u32 ndata;
			__u64 data[16];
		} internal;
		struct {
			__u64 flags;
			__u64 gpa;
			__u64 size;
		} memory_fault;
		struct {
			__u64 flags;
			__u64 nr;
			union {
				struct {
					__u64 ret;
					__u64 data[5];
				} unknown;
			};
		} tdx;
		struct {		/* KVM_EXIT_SNP_TIO, an extension */
			__u64 nr;
			__u64 args[6];
			__u64 ret;
		} snp_tio;
		char padding[256];
	};
	__u64 kvm_valid_regs;
	__u64 kvm_dirty_regs;
	union {
		char padding[2048];
	} s;
};

/* ---------------------------------------------------------------------------------------------
 * Extensions, which Linux 7.2 lacks. Version 1; KVM_CHECK_EXTENSION(KVM_CAP_SWTIO) answers it, and
 * 0 when they are off, as Linux would. Off, every flag below is EINVAL, as in Linux.
 *
 * A memslot backed by a dma-buf (KVM_SET_USER_MEMORY_REGION2): `guest_memfd` is the dma-buf's
 * descriptor and `guest_memfd_offset` the byte in it where the slot begins; userspace_addr is not
 * used and must be 0: the host never maps the pages. Slots are wholly shared, or with
 * KVM_MEM_DMABUF_PRIVATE wholly private, and so must the dma-buf be. Not with GUEST_MEMFD, READONLY
 * or LOG_DIRTY_PAGES. The slot follows the dma-buf: revoke drops the mappings, and until the buffer
 * is restored, guest accesses exit with KVM_EXIT_MEMORY_FAULT (-EFAULT).
 *	EBADF	no such descriptor
 *	EINVAL	not a dma-buf; offset unaligned or the range not inside it; PRIVATE on an ordinary
 *		VM; the buffer is of the other kind (a private slot needs a private buffer, a
 *		shared slot a shared or an ordinary one)
 *	EPERM	the exporting device belongs to another VM or, for a private buffer, to none
 *	ENODEV	revoked, or its exporter is closed
 */
#define KVM_SWTIO_VERSION 1
#define KVM_CAP_SWTIO 0x54494f00
#define KVM_CAP_SWTIO_VM 0x54494f01	/* on a VM: its number in traces and inspection */
#define KVM_MEM_DMABUF (1UL << 8)
#define KVM_MEM_DMABUF_PRIVATE (1UL << 9)

/*
 * TDG.VP.VMCALL<TDCM> (uapi/ghci.h) leaves KVM_RUN as KVM_EXIT_TDX with nr GHCI_VMCALL_TDCM and
 * unknown.data[0..3] = r12..r15. Before the next KVM_RUN the VMM writes unknown.ret, which the
 * guest gets in r10; it is preset to KVM_TDX_RET_UNSUPPORTED.
 */
#define KVM_TDX_RET_SUCCESS 0ULL
#define KVM_TDX_RET_INVALID 0x8000000000000000ULL
#define KVM_TDX_RET_UNSUPPORTED 0x8000000000000003ULL

/*
 * A GHCB exit of SEV-TIO (uapi/ghcb.h) leaves KVM_RUN with nr the exit code and args exit information
 * 1 and 2, RAX, RBX, RCX, RDX. Before the next KVM_RUN the VMM writes ret, the guest's exit
 * information 2; it is preset to GHCB_RET_UNSUPPORTED.
 */
#define KVM_EXIT_SNP_TIO 0x54494f01u
/* -- a Realm: KVM_MEMORY_ENCRYPT_OP on its VM takes this (an extension; Linux has no ABI yet) -- */
#define KVM_ARM_RMI_REALM_ACTIVATE 1
struct kvm_arm_rmi_cmd { __u32 id; __u32 pad; };

/*
 * A Realm's RSI_HOST_CALL leaves KVM_RUN with KVM_EXIT_HYPERCALL: nr is its x0, args x1..x6. Before the
 * next KVM_RUN the VMM writes ret, the guest's x0, and args, its x1..x6. ret is preset:
 */
#define SMCCC_RET_NOT_SUPPORTED (-1L)

#endif
