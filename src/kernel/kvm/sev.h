/* SPDX-License-Identifier: BSD-2-Clause */
/* KVM's part of SEV-SNP: a guest, and its pages in the RMP. */
#ifndef SWTIO_KERNEL_KVM_SEV_H
#define SWTIO_KERNEL_KVM_SEV_H

#include "kernel/kvm/internal.h"
#include "kernel/tsm/sev_host.h"

enum snp_state { SNP_NONE, SNP_INITIALIZED, SNP_LAUNCHED, SNP_RUNNABLE };

struct kvm_sev {
	uint8_t state;			/* enum snp_state */
	uint16_t asid;			/* 0: none */
	uint64_t gctx;			/* firmware page; 0: none */
};

static inline const struct kvm_sev *kvm_sev(const struct kvm *kvm) { return kvm->platform; }

/* -- sev_rmp.c -- */
int sev_private_map(const struct kvm *kvm, const struct pt_leaf *leaf);
int sev_private_unmap(const struct kvm *kvm, uint64_t gpa, uint64_t end);
/* Everything the guest has in the RMP goes back to the host, after its end. */
void sev_rmp_reclaim(const struct kvm *kvm);
/* Pages the guest starts with; *status: the PSP's word. */
int sev_launch_pages(const struct kvm *kvm, const struct kvm_sev_snp_launch_update *update,
		     enum sev_status *status);

#endif
