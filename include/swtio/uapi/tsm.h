/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Extensions of /dev/iommu that Linux 7.2 does not have: binding a vDEVICE to its confidential VM
 * and guest requests to the TSM. ENOTTY (and EOPNOTSUPP for the vIOMMU type) unless extensions are
 * on. Several proposals exist; which one is spoken is a switch of the run.
 *
 * With extensions on, IOMMU_IOAS_MAP_FILE also takes dma-bufs of many ranges, and answers EACCES to
 * a private one: what belongs to a VM has no I/O address in a space of the host.
 *
 * Version 1 of this header.
 */
#ifndef SWTIO_UAPI_TSM_H
#define SWTIO_UAPI_TSM_H

#include "swtio/uapi/iommufd.h"

/* vIOMMU of a confidential VM: the top bit marks types that are ours. EOPNOTSUPP for another
 * platform's; ENODEV when no KVM has been told to the device (KVM_DEV_VFIO_FILE), EINVAL when that
 * VM is not a confidential one. It holds the VM's file. */
#define IOMMU_VIOMMU_TYPE_TDX 0x80000001u
#define IOMMU_VIOMMU_TYPE_SEV 0x80000002u
#define IOMMU_VIOMMU_TYPE_CCA 0x80000003u

#define IOMMUFD_CMD_VDEVICE_TSM_OP 0x95
#define IOMMUFD_CMD_VDEVICE_TSM_REQ 0x96

enum iommu_vdevice_tsm_op_type {
	IOMMU_VDEVICE_TSM_BIND = 1,
	IOMMU_VDEVICE_TSM_UNBIND = 2,
};

/* In order: EOPNOTSUPP flags or type; ENOENT; ENODEV the vIOMMU has no VM; then what the TSM says.
 * Binding what is bound, and unbinding what is not, is success. */
struct iommu_vdevice_tsm_op {
	__u32 size;
	__u32 type;
	__u32 flags;
	__u32 vdevice_id;
};
#define IOMMU_VDEVICE_TSM_OP _IO(IOMMUFD_TYPE, IOMMUFD_CMD_VDEVICE_TSM_OP)

enum iommu_vdevice_tsm_scope {		/* only the first two are granted */
	IOMMU_VDEVICE_TSM_SCOPE_INFO = 0,
	IOMMU_VDEVICE_TSM_SCOPE_STATE_CHANGE = 1,
	IOMMU_VDEVICE_TSM_SCOPE_DEBUG_READ = 2,
	IOMMU_VDEVICE_TSM_SCOPE_DEBUG_WRITE = 3,
};

#define IOMMU_VDEVICE_TSM_REQ_MAX 65536u	/* bytes of a request, and of an answer */

/*
 * One request of the guest. The ioctl's result is what was left unused of the answer's buffer.
 * EOPNOTSUPP reserved; EINVAL scope, lengths; ENOENT; ENXIO not bound; EFAULT; and the TSM's own.
 */
struct iommu_vdevice_tsm_req {		/* v5, May 2026 */
	__u32 size;
	__u32 vdevice_id;
	__u32 scope;
	__u32 req_len;
	__u32 resp_len;
	__u32 __reserved;
	__aligned_u64 req_uptr;
	__aligned_u64 resp_uptr;
};

enum iommu_vdevice_tsm_arch {
	IOMMU_VDEVICE_TSM_ARCH_CCA = 1,
	IOMMU_VDEVICE_TSM_ARCH_SEV = 2,
	IOMMU_VDEVICE_TSM_ARCH_TDX = 3,
};

enum iommu_vdevice_tsm_req_op {
	IOMMU_VDEVICE_TSM_REQ_READ = 1,
	IOMMU_VDEVICE_TSM_REQ_REGEN = 2,
	IOMMU_VDEVICE_TSM_REQ_INFO = 3,
	IOMMU_VDEVICE_TSM_REQ_VALIDATE_MMIO = 4,
	IOMMU_VDEVICE_TSM_REQ_SET_STATE = 5,
	IOMMU_VDEVICE_TSM_REQ_SEV_ENABLE_DMA = 6,
	IOMMU_VDEVICE_TSM_REQ_SEV_DISABLE_DMA = 7,
};

struct iommu_vdevice_tsm_req_2026_06 {
	__u32 size;
	__u32 vdevice_id;
	__u32 op;
	__u32 tvm_arch;
	__u32 req_len;
	__u32 resp_len;
	__aligned_u64 req_uptr;
	__aligned_u64 resp_uptr;
	__aligned_u64 tsm_code;		/* out, whatever the result: the firmware's own code */
};
#define IOMMU_VDEVICE_TSM_REQ _IO(IOMMUFD_TYPE, IOMMUFD_CMD_VDEVICE_TSM_REQ)

/*
 * Bind in VFIO: what the other school asks for. Spoken instead of IOMMU_VDEVICE_TSM_OP; the device
 * has to have a vDEVICE (ENODEV). EINVAL argsz or flags; else as there. The numbers are ours (?).
 */
struct vfio_device_tsm {
	__u32 argsz;
	__u32 flags;
};
#define VFIO_DEVICE_TSM_BIND _IO(';', 100 + 26)
#define VFIO_DEVICE_TSM_UNBIND _IO(';', 100 + 27)

#endif
