/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The reference VMM: what a VMM for confidential VMs with assigned devices does, and only by system
 * calls. It is written as verbs, one for each thing a VMM decides to do, so that a flow can order
 * them; the stand-alone program plays them in the usual order.
 *
 * struct vmm holds descriptors, ids and addresses only: it can be copied and saved.
 */
#ifndef SWTIO_VMM_VMM_H
#define SWTIO_VMM_VMM_H

#include <stdbool.h>

#include "vmm/sys.h"

#define VMM_DEVICES 2u
#define VMM_BARS 6u
#define VMM_SLOTS 16u
#define VMM_VECTORS 8u

enum { VMM_SHARED, VMM_PRIVATE, VMM_KINDS };

struct vmm_bar {
	uint64_t gpa, size;
	uint64_t mapping, mapping_len;	/* user address of an mmap, 0: none */
	uint64_t mapping_offset;	/* of the mapping in the BAR */
	int dmabuf[VMM_KINDS];		/* fd, -1: none */
	uint32_t ranges[VMM_KINDS];
	struct { uint64_t offset, len; } range[VMM_KINDS][8];
	bool in_ioas;
};

struct vmm_slot { bool used, is_private; uint8_t device, bar; uint64_t gpa, len; };

struct vmm_device {
	int fd;
	uint32_t devid, hwpt, attached, viommu, vdevice;
	uint64_t vbdf;
	struct vmm_bar bar[VMM_BARS];
	int irq[VMM_VECTORS];
};

struct vmm {
	int iommu, ioasid, fault_queue, kvm, vm, vcpu, vfio_dev;	/* descriptors; -1: not open */
	int ram, guest_memfd;
	uint64_t ram_size, ram_private;	/* bytes; the first ram_private of them are the guest's alone */
	uint64_t ram_address, run_address, ring_address;
	uint32_t ioas, parent_hwpt;
	uint32_t request_dev, request_pasid;	/* the page request that was read last */
	uint64_t request_addr;
	uint32_t calls;			/* ioctls since this was asked */
	uint32_t vm_type;		/* KVM_CREATE_VM's; 0: an ordinary VM */
	uint32_t uapi;			/* vmm_uapi_find()'s */
	struct vmm_slot slot[VMM_SLOTS];
	struct vmm_device device[VMM_DEVICES];
	/* the exit that waits for an answer */
	uint32_t exit_reason;
	uint64_t exit_op, exit_gpa, exit_size, exit_device, exit_args[6];
};

struct vmm_arg { const char *key; uint64_t value; const char *text; };
struct vmm_args { unsigned int n; const struct vmm_arg *arg; };

/* Result >= 0, or -errno. An unknown verb is -ENOSYS, a missing or wrong argument -EDOM. */
int64_t vmm_verb(
	struct vmm *vmm, const struct vmm_sys *sys, const char *verb, const struct vmm_args *args);
bool vmm_verb_known(const char *verb);
void vmm_init(struct vmm *vmm);
int vmm_uapi_find(const char *name);	/* a proposal for bind and guest requests, or -EINVAL */

/* Runs the vCPU until it leaves for a reason the VMM has no answer of its own for. Returns the
 * reason: VMM_EXIT_*, or -errno of KVM_RUN. */
enum { VMM_EXIT_IDLE, VMM_EXIT_GUEST, VMM_EXIT_MEMORY_FAULT, VMM_EXIT_SHUTDOWN, VMM_EXIT_OTHER };
int vmm_run(struct vmm *vmm, const struct vmm_sys *sys);

#endif
