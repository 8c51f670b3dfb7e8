/* SPDX-License-Identifier: BSD-2-Clause */
/* KVM's part of TDX: a TD and its vCPUs, and the secure EPT. */
#ifndef SWTIO_KERNEL_KVM_TDX_H
#define SWTIO_KERNEL_KVM_TDX_H

#include "kernel/kvm/internal.h"
#include "kernel/tsm/tdx_host.h"

#define TDX_XFAM_SUPPORTED 0xe7ull	/* x87, SSE, AVX, AVX-512 */
#define TDX_CPUID_MAX 256u

enum td_state { TD_NONE, TD_INITIALIZED, TD_RUNNABLE };
enum td_end { TD_ALIVE, TD_KEYLESS };	/* how far the teardown is */

struct kvm_tdx {
	uint8_t state;			/* enum td_state */
	uint8_t end;			/* enum td_end */
	uint8_t hkid;			/* 0: none */
	uint32_t number;		/* of the TD */
	uint64_t tdr;			/* page; 0: none */
	uint64_t tdcs[TDX_TDCS_PAGES];
	uint64_t sept_root;
	uint64_t scratch;		/* page of a call that runs, or died; 0: none */
	/* bit a 512 GiB part of the shared half that the module knows */
	uint64_t shared_tables;
	const struct sept_page *sept;	/* pages under the root; mmu_lock */
};

struct sept_page { const struct sept_page *next; uint64_t hpa, gpa; uint8_t level; };

struct kvm_tdx_vcpu {
	uint64_t tdvpr, tdcx;		/* pages */
	bool initialized;
};

static inline const struct kvm_tdx *kvm_tdx(const struct kvm *kvm) { return kvm->platform; }

void kvm_tdx_destroy(const struct kvm *kvm);	/* the TD; its object is as new */

/* -- tdx_vmcall.c -- */
int tdx_vmcall(const struct kvm_vcpu *vcpu);
uint64_t tdx_vmcall_answer(const struct kvm_run *run);

/* -- tdx_sept.c -- */
int tdx_private_map(const struct kvm *kvm, const struct pt_leaf *leaf);
int tdx_private_unmap(const struct kvm *kvm, uint64_t gpa, uint64_t end);
int tdx_shared_mapped(const struct kvm *kvm, uint64_t gpa);
int tdx_shared_unmapping(const struct kvm *kvm, uint64_t gpa, uint64_t len);
void tdx_shared_unmapped(const struct kvm *kvm);
/* The tables down to the level of a leaf. mmu_lock held. */
int tdx_sept_tables(const struct kvm *kvm, uint64_t gpa, unsigned int leaf_level, uint64_t *status);
void tdx_sept_reclaim(const struct kvm *kvm);	/* after KEY.FREEID: everything back to the host */
long tdx_init_mem_region(const struct kvm_vcpu *vcpu, const struct kvm_tdx_cmd *cmd,
			 uint64_t *status);
void tdx_reclaim(uint64_t hpa);
/* A page for the length of a call; what a dead call left is used again. 0: no memory. */
uint64_t tdx_scratch_get(const struct kvm *kvm);
void tdx_scratch_put(const struct kvm *kvm);
uint64_t kvm_tdx_call(enum tdx_leaf leaf, struct tdx_args args, uint64_t *result);

#endif
