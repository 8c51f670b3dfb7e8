/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The CPU's side of memory: host accesses by HPA, and a virtual CPU's accesses by GPA through EPT
 * or the secure tables. A guest access that finds no mapping is an exit, not an error.
 */
#ifndef SWTIO_HARDWARE_CPU_H
#define SWTIO_HARDWARE_CPU_H

#include "hardware/tlp.h"
#include "hardware/pt.h"

/* The host touching RAM or MMIO (T=0): 0, -EACCES (TEE page), -EIO (device refused), -EFAULT. */
int cpu_host_read(uint64_t hpa, void *to, uint64_t len);
int cpu_host_write(uint64_t hpa, const void *from, uint64_t len);

/* Why a vCPU left the guest; filled by hardware and firmware, read by KVM. */
enum cpu_exit {
	CPU_EXIT_NONE,
	CPU_EXIT_IDLE,		/* guest has nothing to do: HLT */
	CPU_EXIT_EPT_VIOLATION,	/* gpa, write, is_private */
	CPU_EXIT_MMIO,		/* an emulated access: gpa, len, write, data */
	CPU_EXIT_VMCALL,	/* hypercall: fn and args, result in ret */
	CPU_EXIT_SHUTDOWN
};

struct cpu_exit_info {
	enum cpu_exit reason;
	uint64_t gpa;
	uint32_t len;
	bool write, is_private;
	uint64_t data;
	uint64_t fn, args[6];
	uint64_t ret[2];
};

/* In the image, one a vCPU; owned by KVM, used by firmware and guest. */
struct vcpu_hw {
	uint32_t vm;		/* KVM's number of the VM */
	uint32_t tee_owner;	/* phys owner number, 0: ordinary VM */
	uint64_t tdr;		/* TDX: HPA of the TD root page, else 0 */
	/* the shared (or only) second stage; KVM owns it. NULL: tee_root has both halves */
	const struct pt *ept;
	/* of the private second stage, for trusted_walk(): HPA of its top table (S-EPT, NPT, RTT) */
	uint64_t tee_root;
	uint8_t gpa_bits;	/* bit gpa_bits-1 of a GPA is SHARED: TDX's bit, vTOM, the unprotected half */
	uint64_t interrupts;	/* a bit per GSI: raised by KVM, taken by the guest */
	struct cpu_exit_info exit;
};

/* Guest memory accesses: RAM or MMIO by what the tables say; 0, -EAGAIN: exit filled, leave to KVM
 * and retry after; -EIO: the device or memory refused (reads give ones).
 *
 * An exit is an EPT violation with gpa, len, write, data and is_private; its gpa, as the addresses
 * in vcpu->ept, is without the SHARED bit. When it turns out to be an emulated device, KVM makes
 * the reason CPU_EXIT_MMIO and leaves what was read in data: the same access, retried, takes it. */
int cpu_guest_read(const struct vcpu_hw *vcpu, uint64_t gpa, void *to, uint64_t len);
int cpu_guest_write(const struct vcpu_hw *vcpu, uint64_t gpa, const void *from, uint64_t len);

/* The guest behind KVM_RUN; defined by the guest lane. Runs until an exit, left in vcpu->exit. */
void guest_run(const struct vcpu_hw *vcpu);
void guest_gone(uint32_t vm);	/* its VM was destroyed */

#endif
