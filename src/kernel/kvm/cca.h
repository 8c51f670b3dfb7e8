/* SPDX-License-Identifier: BSD-2-Clause */
/* KVM's part of Arm CCA: a Realm and its RECs, and the RTT. */
#ifndef SWTIO_KERNEL_KVM_CCA_H
#define SWTIO_KERNEL_KVM_CCA_H

#include "kernel/kvm/internal.h"
#include "kernel/tsm/cca_host.h"

struct rtt_table { const struct rtt_table *next; uint64_t granule, ipa; uint8_t level; };

struct kvm_cca {
	uint64_t rd, rtt;		/* granules; 0: none */
	bool active;
	const uint8_t *params;		/* a page for parameters */
	const struct rtt_table *tables;	/* under the top one; mmu_lock */
};

struct kvm_cca_vcpu {
	uint64_t rec;			/* granule */
	const uint8_t *run;		/* REC_ENTER's page */
	bool host_call;			/* the client answers the Realm's call at the next run */
	uint64_t reject;		/* flags of the next REC_ENTER */
};

static inline const struct kvm_cca *kvm_cca(const struct kvm *kvm) { return kvm->platform; }

uint64_t cca_call(enum rmi_command command, const struct smc_args *args, uint64_t *x1);

/* -- cca_rtt.c -- */
int cca_private_map(const struct kvm *kvm, const struct pt_leaf *leaf);
int cca_private_unmap(const struct kvm *kvm, uint64_t gpa, uint64_t end);
int cca_shared_mapped(const struct kvm *kvm, uint64_t gpa);
int cca_shared_unmapping(const struct kvm *kvm, uint64_t gpa, uint64_t len);
/* The next table down at an IPA where the RMM's walk stopped above what is wanted. mmu_lock held. */
int cca_rtt_deepen(const struct kvm *kvm, uint64_t ipa, unsigned int stopped_at);
void cca_rtt_reclaim(const struct kvm *kvm);

/* -- cca_exit.c -- */
int cca_enter(const struct kvm_vcpu *vcpu);
int cca_vmcall(const struct kvm_vcpu *vcpu);

#endif
