/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the KVM room share. Lock order: slots_lock, then mmu_lock (image/klock.h). */
#ifndef SWTIO_KERNEL_KVM_INTERNAL_H
#define SWTIO_KERNEL_KVM_INTERNAL_H

#include "hardware/pt.h"
#include "kernel/dmabuf/dmabuf.h"
#include "kernel/kvm/kvm.h"
#include "swtio/uapi/kvm.h"

#define KVM_VCPUS 16u
#define KVM_SLOTS 512u			/* of the one address space */
#define KVM_GPA_BITS 48u		/* four levels; on TDX bit 47 is SHARED */
#define KVM_PAGE 4096ull
#define KVM_SLOT_MAX (((1ull << 31) - 1) * KVM_PAGE)

enum kvm_slot_kind { KVM_SLOT_USER, KVM_SLOT_GMEM, KVM_SLOT_DMABUF };

struct gmem {				/* a guest_memfd; holds a reference on its VM's file */
	const struct kvm *kvm;
	const struct file *file;
	uint64_t size;
	uint64_t flags;
	const uint8_t *memory;
};

struct kvm_slot {
	const struct kvm *kvm;
	const struct kvm_slot *next;	/* by id; slots_lock */
	uint32_t id, flags;
	uint64_t gpa, size, userspace_addr;
	uint32_t task;			/* whose addresses those are */
	uint8_t kind;			/* enum kvm_slot_kind */
	bool is_private;		/* KVM_SLOT_DMABUF: what the whole of it is */
	const struct gmem *gmem;	/* weak: the file's release clears it */
	const struct dmabuf *dmabuf;	/* a reference on its file */
	uint64_t offset;		/* in gmem or dmabuf */
};

struct kvm_range {			/* a private range of the attributes, [gpa, last] */
	const struct kvm_range *next;	/* ascending, disjoint, not touching */
	uint64_t gpa, last;
};

struct kvm_vcpu {
	const struct kvm *kvm;
	const struct file *file;
	uint32_t id;
	const struct kvm_run *run;	/* three pages of bulk memory, the client's mapping */
	/* enum kvm_pending: what the client answers at the next run */
	uint8_t pending;
	struct vcpu_hw hw;
	const void *platform;		/* kvm_platform's own */
};
enum kvm_pending { KVM_PENDING_NONE, KVM_PENDING_MMIO, KVM_PENDING_VMCALL, KVM_PENDING_HYPERCALL };

struct kvm_vfio_file { const struct kvm_vfio_file *next; const struct file *file; };
struct kvm_device {			/* KVM_DEV_TYPE_VFIO */
	const struct kvm *kvm;
	const struct file *file;
	const struct kvm_vfio_file *files;
};

#define KVM_GSIS 64u
struct irqfd {
	const struct irqfd *next;
	struct event_ref event;
	uint32_t gsi;
};

/* A guest's PASID and the host's that it goes to the device as. */
struct kvm_pasid {
	const struct kvm_pasid *next;
	uint32_t guest, host;
};

struct kvm {
	uint32_t number;
	uint32_t type;			/* KVM_X86_*_VM */
	const struct file *file;
	struct klock slots_lock;	/* slots, attributes */
	struct klock mmu_lock;		/* ept, mirror and what is behind them */
	const struct kvm_slot *slots;
	const struct kvm_range *private_ranges;
	const struct kvm_vcpu *vcpus[KVM_VCPUS];
	const struct kvm_device *device;
	const struct irqfd *irqfds;
	const struct kvm_pasid *pasids;	/* of the PASID translation */
	uint64_t hypercall_exits;	/* bit per KVM_HC_*, by KVM_CAP_EXIT_HYPERCALL */
	struct pt ept;			/* shared, or only, second stage */
	/* what KVM put into the private second stage, or was about to */
	struct pt mirror;
	const void *platform;		/* kvm_platform's own, freed with the VM */
};

/* A kind of VM: a row of kvm_platforms[] (main.c). Ordinary VMs have only NULLs. */
struct kvm_platform {
	const char *name;
	int (*create)(const struct kvm *kvm);
	/* Takes the private second stage, the vCPUs and the TEE down. May run again after a
	 * kill. */
	void (*destroy)(const struct kvm *kvm);
	long (*vm_op)(const struct kvm *kvm, uint64_t arg);		/* KVM_MEMORY_ENCRYPT_OP */
	int (*vcpu_create)(const struct kvm_vcpu *vcpu);
	long (*vcpu_op)(const struct kvm_vcpu *vcpu, uint64_t arg);
	int (*run_check)(const struct kvm_vcpu *vcpu);
	int (*enter)(const struct kvm_vcpu *vcpu);	/* before each entry; 0 or -errno */
	/* One private leaf. mmu_lock held; the leaf is in the mirror already. */
	int (*private_map)(const struct kvm *kvm, const struct pt_leaf *leaf);
	/* All private leaves in [gpa, end), each out of the mirror once it is unmapped. mmu_lock
	 * held. */
	int (*private_unmap)(const struct kvm *kvm, uint64_t gpa, uint64_t end);
	/* Trusted DMA walks the shared tables too: a leaf was mapped; some are about to go; they
	 * are gone. mmu_lock held. */
	int (*shared_mapped)(const struct kvm *kvm, uint64_t gpa);
	int (*shared_unmapping)(const struct kvm *kvm, uint64_t gpa, uint64_t len);
	void (*shared_unmapped)(const struct kvm *kvm);
	/* What the guest asks of the host (CPU_EXIT_VMCALL): 1 to go on in it, 0 or -errno to return
	 * to the client. What the client answered to a KVM_PENDING_VMCALL. */
	int (*vmcall)(const struct kvm_vcpu *vcpu);
	uint64_t (*vmcall_answer)(const struct kvm_run *run);
	bool fill_mmio;			/* private MMIO is mapped when its slot is made */
	bool private_memory;		/* has the PRIVATE attribute and guest_memfd of that kind */
	uint64_t shared_bit;		/* of a GPA, 0: none */
};
extern const struct kvm_platform kvm_tdx_platform, kvm_sev_platform, kvm_cca_platform;
const struct kvm_platform *kvm_platform(const struct kvm *kvm);

/* -- slots.c -- */
long kvm_set_region(const struct kvm *kvm, uint64_t arg, bool second);
long kvm_set_attributes(const struct kvm *kvm, uint64_t arg);
bool kvm_gpa_private(const struct kvm *kvm, uint64_t gpa);
/* How far from gpa the attribute stays the same, at most len. */
uint64_t kvm_attribute_run(const struct kvm *kvm, uint64_t gpa, uint64_t len);
/* The slot at a GPA; of the two kinds of dma-buf that may lie there, the one for such an access. */
const struct kvm_slot *kvm_slot_at(const struct kvm *kvm, uint64_t gpa, bool is_private);
int kvm_slot_zap(const struct kvm_slot *slot);	/* what it maps: 0, -EBUSY refused */
void kvm_slots_destroy(const struct kvm *kvm);

/* -- gmem.c -- */
/* HPA, 0: no guest_memfd behind it */
uint64_t gmem_page(const struct kvm_slot *slot, uint64_t gpa);
long kvm_create_guest_memfd(const struct kvm *kvm, uint64_t arg);
const struct gmem *gmem_of_file(const struct file *file);

/* -- mmu.c -- */
enum kvm_fault { KVM_FAULT_MAPPED, KVM_FAULT_NO_SLOT };
/* Fills a second stage for one access: enum kvm_fault, or -EFAULT (client's to solve), -errno. */
/* Runs an ioctl of one of KVM's files as one event of the trace. */
typedef long (*kvm_ioctl_fn)(const struct file *file, unsigned int cmd, uint64_t arg);
long kvm_ioctl_traced(kvm_ioctl_fn fn, const struct file *file, unsigned int cmd, uint64_t arg);

int kvm_fault(const struct kvm *kvm, uint64_t gpa, uint64_t len, bool write, bool is_private);
/* The next leaf of the mirror that begins in [*gpa, end) or covers *gpa; *gpa moves behind it. */
bool kvm_mirror_next(const struct kvm *kvm, uint64_t *gpa, uint64_t end, struct pt_leaf *leaf);
/* A private leaf that is not behind a fault: KVM_TDX_INIT_MEM_REGION. mmu_lock held. */
int kvm_mirror_add(const struct kvm *kvm, uint64_t gpa, uint64_t hpa, uint64_t size, bool mmio);
/* Maps private pages that no access waits for; what cannot be mapped now is left to faults. */
void kvm_fill_private(const struct kvm *kvm, uint64_t gpa, uint64_t end);
int kvm_zap_shared(const struct kvm *kvm, uint64_t gpa, uint64_t len);
int kvm_zap_private(const struct kvm *kvm, uint64_t gpa, uint64_t len);

/* -- vcpu.c, vfio.c, irqfd.c -- */
/* Back to the client with a reason and its part of the run page; 0. */
int kvm_exit_ask(const struct kvm_vcpu *vcpu, uint32_t reason, const struct kvm_run *run,
		 enum kvm_pending pending);
/* ... with KVM_HC_MAP_GPA_RANGE: it decides on a conversion. */
int kvm_exit_map_gpa(const struct kvm_vcpu *vcpu, uint64_t gpa, uint64_t len, bool is_private);
long kvm_create_vcpu(const struct kvm *kvm, uint64_t id);
long kvm_create_device(const struct kvm *kvm, uint64_t arg);
long kvm_irqfd_set(const struct kvm *kvm, uint64_t arg);
void kvm_vcpus_destroy(const struct kvm *kvm);
/* Takes what the irqfds have and raises it on this vCPU; whether there was anything. */
bool kvm_irqfds_deliver(const struct kvm *kvm, const struct kvm_vcpu *vcpu);
void kvm_irqfds_destroy(const struct kvm *kvm);

/* pasid.c */
long kvm_map_pasid(const struct kvm *kvm, uint64_t arg);
long kvm_unmap_pasid(const struct kvm *kvm, uint64_t arg);
long kvm_enqcmd(const struct kvm *kvm, uint64_t arg);
void kvm_pasids_destroy(const struct kvm *kvm);

#endif
