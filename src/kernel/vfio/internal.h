/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of VFIO share: the device, an open of it, and the few things all must agree on. */
#ifndef SWTIO_KERNEL_VFIO_INTERNAL_H
#define SWTIO_KERNEL_VFIO_INTERNAL_H

#include <linux/pci_regs.h>
#include <string.h>

#include "kernel/iommufd/iommufd.h"
#include "kernel/kvm/kvm.h"
#include "kernel/tsm/tsm.h"
#include "kernel/vfio/vfio.h"
#include "swtio/uapi/tsm.h"
#include "swtio/uapi/vfio.h"

#define VFIO_DEVICES 256u
#define VFIO_OFFSET_SHIFT 40		/* region index is in the offset above this bit */
#define VFIO_OFFSET_MASK ((1ull << VFIO_OFFSET_SHIFT) - 1)
#define VFIO_CONFIG_SIZE PCI_CFG_SPACE_EXP_SIZE

struct vfio_irqs {			/* one interrupt index in use */
	uint32_t count;
	struct event_ref trigger[];
};

enum vfio_tsm_state {
	VFIO_SHARED,			/* the host may use every page */
	VFIO_LOCKING,			/* from BINDING: no page, for the layout is not known */
	VFIO_LOCKED,			/* from BOUND: pages that are not TEE memory */
	VFIO_UNLOCKING,			/* from UNBIND to UNBOUND */
	VFIO_KEPT			/* as SHARED, and what is private waits for the next bind */
};

/* An IOMMU group that a client opened. Its devices are then reached through it alone. */
struct vfio_group {
	const struct vfio_group *next;
	uint16_t number;
	uint32_t users;			/* devices opened through it */
	const struct file *file;	/* the one open; NULL: only devices are left */
	/* At most one of the two: what its devices' DMA goes through. Referenced. */
	const struct file *container, *iommufd;
};

#define VFIO_TOKEN 16u			/* bytes of a UUID */

struct vfio_device {
	const struct pci_dev *pdev;
	uint32_t number;		/* vfioN */
	const struct vfio_file *opener;	/* the open that is bound; one at a time */
	const struct vfio_device *pf;	/* of a VF that was enabled while vfio-pci had its PF */
	uint8_t token[VFIO_TOKEN];	/* of a PF: who knows it may have the VFs */
	uint32_t token_users;		/* VFs in use by it */
	bool uses_token;		/* counted there */
	const struct kvm *kvm;		/* reference on its file held */
	struct klock memory_lock;	/* writer: decode, reset and revoke; readers: accesses */
	const struct dmabuf *dmabufs;	/* exported, by struct dmabuf's next. Under memory_lock */
	/* being revoked, a reference on its file; under memory_lock */
	const struct dmabuf *held;
	uint8_t tsm_state;		/* enum vfio_tsm_state */
	uint8_t mapped;			/* BARs that client processes mapped, a bit each */
	bool low_power;			/* the client asked for it, and gave up access */
	uint8_t irq_type;		/* enum vfio_irq_type */
	bool intx_masked;
	const struct vfio_irqs *irqs;	/* NULL: none in use */
	struct event_ref err, req, unmask, wakeup;
	uint32_t real_bar[FUNCTION_BARS];	/* to tell, and mend, a reset behind our back */
	uint8_t config[VFIO_CONFIG_SIZE];	/* what the client sees where `virt` says so */
	uint8_t virt[VFIO_CONFIG_SIZE];		/* bits served from config[] */
	uint8_t write[VFIO_CONFIG_SIZE];	/* bits the client may change */
};

enum vfio_irq_type { VFIO_IRQ_NONE, VFIO_IRQ_INTX, VFIO_IRQ_MSI, VFIO_IRQ_MSIX };

struct vfio_pasid {
	uint32_t pasid;
	const struct vfio_pasid *next;
};

struct vfio_file {			/* one open of the cdev */
	const struct vfio_device *vdev;
	const struct file *file;
	const struct vfio_group *group;	/* opened through it; NULL: by its own node */
	bool bound;			/* BIND_IOMMUFD succeeded: everything else is allowed */
	const struct kvm *kvm; /* KVM's word; no reference: KVM takes it back before it goes */
	const struct file *iommufd;
	const struct iommufd_device *idev;
	uint32_t devid;
	const struct vfio_pasid *pasids;	/* attached ones */
};

/* device.c */
int vfio_device_enable(const struct vfio_device *vdev);
void vfio_device_disable(const struct vfio_device *vdev);
long vfio_get_info(const struct vfio_file *vfile, uint64_t arg);

/* bind.c */
long vfio_bind(const struct vfio_file *vfile, uint64_t arg);
long vfio_attach(const struct vfio_file *vfile, uint64_t arg);
long vfio_detach(const struct vfio_file *vfile, uint64_t arg);
void vfio_unbind(const struct vfio_file *vfile);
/* Takes the device for this open: ownership of its DMA by the iommufd (a reference on it is taken),
 * then the device itself. What fails is undone. */
int vfio_open_device(const struct vfio_file *vfile, const struct file *iommufd);

/* ioasid.c */
long vfio_ioasid_bind(const struct vfio_file *vfile, uint64_t arg);
long vfio_ioasid_attach(const struct vfio_file *vfile, uint64_t arg);
long vfio_ioasid_detach(const struct vfio_file *vfile, uint64_t arg);

/* token.c. uuid NULL: none given. 0, -EACCES, -EINVAL. */
int vfio_token_check(const struct vfio_device *vdev, const uint8_t *uuid);
int vfio_uuid_parse(const char *text, uint8_t uuid[VFIO_TOKEN]);	/* 0 or -EINVAL */
long vfio_feature_token(const struct vfio_device *vdev, uint32_t flags, uint64_t data, size_t len);
void vfio_token_use(const struct vfio_device *vdev, bool on);	/* the VF is opened, or closed */

/* group.c, container.c */
struct vfio_root {
	uint32_t count;
	const struct vfio_device *device[VFIO_DEVICES];
	const struct vfio_group *groups;
};
static inline const struct vfio_root *vfio_root(void)
{
	return image_root(IMAGE_ROOT_VFIO);
}
const struct vfio_group *vfio_group_find(uint16_t number);	/* NULL: nobody has it */
void vfio_group_user_put(const struct vfio_group *group);	/* a device of it was closed */
/* The iommufd context behind a container, whose IOAS of the type 1 calls is there; NULL: no
 * SET_IOMMU yet. */
const struct file *vfio_container_iommufd(const struct file *container);
void vfio_container_groups(const struct file *container, int n);	/* so many more have it */

/* memory.c: decode, access and revocation */
int vfio_memory_lock(const struct vfio_device *vdev, enum klock_mode mode);
void vfio_memory_unlock(const struct vfio_device *vdev, enum klock_mode mode);
bool vfio_memory_enabled(const struct vfio_device *vdev);
/* May the host touch these bytes of a BAR: not TEE memory of a bound device, nor of one that is
 * private for its whole life. */
bool vfio_host_may(const struct vfio_device *vdev, unsigned int bar, uint64_t offset, uint64_t len);
bool vfio_is_shared(const struct vfio_device *vdev);	/* the host may use every page */
bool vfio_is_tee(const struct vfio_device *vdev, unsigned int bar, uint64_t offset, uint64_t len);
/* Mappings and dma-bufs follow the state: revoked all (memory_off), or each as it may be now. */
void vfio_memory_off(const struct vfio_device *vdev);
void vfio_memory_update(const struct vfio_device *vdev);

/* region.c */
long vfio_get_region_info(const struct vfio_file *vfile, uint64_t arg);
ssize_t vfio_file_read(const struct file *file, uint64_t to, size_t len, uint64_t position);
ssize_t vfio_file_write(const struct file *file, uint64_t from, size_t len, uint64_t position);
int vfio_file_mmap(const struct file *file, struct mmap_request *request);
int vfio_file_access(const struct file *file, uint64_t offset, void *data, uint64_t len,
		     bool write);

/* config.c: bytes, or -errno */
int vfio_config_init(const struct vfio_device *vdev);
ssize_t vfio_config_read(const struct vfio_device *vdev, uint64_t to, size_t len, uint64_t offset);
ssize_t vfio_config_write(const struct vfio_device *vdev, uint64_t from, size_t len,
			  uint64_t offset);
uint32_t vfio_config_virtual(const struct vfio_device *vdev, unsigned int offset,
			     unsigned int size);
void vfio_config_virtual_set(const struct vfio_device *vdev, unsigned int offset, unsigned int size,
			     uint32_t value);
/* Special registers (config_special.c): before a read refreshes config[]; a write's effects. */
void vfio_config_refresh(const struct vfio_device *vdev, unsigned int offset, unsigned int size);
int vfio_config_special_write(const struct vfio_device *vdev, unsigned int offset,
			      unsigned int size, uint32_t value, bool *done);
void vfio_config_default_write(const struct vfio_device *vdev, unsigned int offset,
			       unsigned int size, uint32_t value);

/* irq.c */
long vfio_get_irq_info(const struct vfio_file *vfile, uint64_t arg);
long vfio_set_irqs(const struct vfio_file *vfile, uint64_t arg);
void vfio_irqs_off(const struct vfio_device *vdev);
unsigned int vfio_irq_count(const struct vfio_device *vdev, unsigned int index);

long vfio_ioeventfd(const struct vfio_file *vfile, uint64_t arg);

/* reset.c */
long vfio_reset(const struct vfio_file *vfile, uint64_t arg);
long vfio_tsm_bind(const struct vfio_file *vfile, uint64_t arg);	/* tsm.c */
long vfio_tsm_unbind(const struct vfio_file *vfile, uint64_t arg);
long vfio_hot_reset_info(const struct vfio_file *vfile, uint64_t arg);
long vfio_hot_reset(const struct vfio_file *vfile, uint64_t arg);
/* The memory_lock is held for writing. */
int vfio_reset_locked(const struct vfio_device *vdev);

/* feature.c, export.c */
long vfio_feature(const struct vfio_file *vfile, uint64_t arg);
int vfio_feature_check(uint32_t flags, size_t len, uint32_t supported, size_t least); /* 1: go on */
long vfio_feature_dma_buf(const struct vfio_device *vdev, uint32_t flags, uint64_t data,
			  size_t len);
long vfio_feature_layout(const struct vfio_device *vdev, uint32_t flags, uint64_t data, size_t len);
void vfio_low_power_exit(const struct vfio_device *vdev);

/* Holds the buffer that is being revoked, instead of the one before; NULL lets go. The device knows
 * it, so that the reference of a process that died in the revoke is found by the next one. */
void vfio_dmabuf_hold(const struct vfio_device *vdev, const struct dmabuf *buf);

#endif
