/* SPDX-License-Identifier: BSD-2-Clause */
/* KVM, as far as a confidential VM needs it: what VFIO, the TSM core and the TDX driver may ask. */
#ifndef SWTIO_KERNEL_KVM_H
#define SWTIO_KERNEL_KVM_H

#include "hardware/cpu.h"
#include "kernel/kernel.h"

struct kvm;

const struct kvm *kvm_of_file(const struct file *file);	/* a VM's file; NULL: something else */
const struct file *kvm_file(const struct kvm *kvm);
/* The reference of a bound device's user (VFIO, iommufd, the TSM core) on a VM: it outlives them. */
void kvm_file_get(const struct file *vm);
void kvm_file_put(const struct file *vm);
uint32_t kvm_number(const struct kvm *kvm);
bool kvm_is_confidential(const struct kvm *kvm);
uint64_t kvm_tdx_tdr(const struct kvm *kvm);		/* TDX: HPA of the TDR, 0 otherwise */
/* SEV: HPA of the guest context page, 0 otherwise; and the ASID. */
uint64_t kvm_sev_gctx(const struct kvm *kvm);
uint16_t kvm_sev_asid(const struct kvm *kvm);
/* A page of a guest_memfd, at an offset: HPA and how far it goes on; 0: not such a file, or past its
 * end. For IOMMUFD, on platforms whose trusted DMA goes through the host's tables. */
uint64_t kvm_gmem_page(const struct file *file, uint64_t offset, uint64_t len, uint64_t *run);
uint64_t kvm_cca_rd(const struct kvm *kvm);		/* CCA: HPA of the RD, 0 otherwise */
const struct vcpu_hw *kvm_vcpu_hw(const struct kvm *kvm, unsigned int index);

/* Drops shared and private mappings of [gpa, +len) of the second stages. Private MMIO: BLOCK,
 * TRACK, invalidate, UNMAP; a firmware refusal comes back (-EBUSY) and nothing is lost. */
int kvm_zap(const struct kvm *kvm, uint64_t gpa, uint64_t len);
/* Makes sure no private mapping of MMIO [hpa, +len) is left: 0 when there is none, -EBUSY the
 * firmware refuses. For the TSM driver, after VFIO's revoke has had KVM drop them. */
int kvm_unmap_mmio(const struct kvm *kvm, uint64_t hpa, uint64_t len);
/* Private mappings of MMIO [hpa, +len) as they were before the guest accepted them: unmapped, and
 * mapped again. 0, -EBUSY the firmware refuses to unmap; what it refuses to map a fault asks for. */
int kvm_renew_mmio(const struct kvm *kvm, uint64_t hpa, uint64_t len);
/* Inspection for invariants: does the VM's shared table map this page? */
bool kvm_shared_maps(const struct kvm *kvm, uint64_t hpa);

#endif
