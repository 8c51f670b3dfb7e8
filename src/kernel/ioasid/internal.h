/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside the ioasid room. An open /dev/ioasid has an IOMMUFD context of its own, to which devices
 * are bound; a space is an IOAS, or a child of one, with at most one HWPT, made when a device is
 * first attached: before that nobody knows whose page tables they will be. Everything else is
 * asked of IOMMUFD's objects, never kept beside them.
 */
#ifndef SWTIO_KERNEL_IOASID_INTERNAL_H
#define SWTIO_KERNEL_IOASID_INTERNAL_H

#include "kernel/ioasid/ioasid.h"
#include "kernel/iommufd/private.h"
#include "swtio/uapi/ioasid.h"

struct ioasid_ctx {
	const struct file *file;
	const struct iommufd_ctx *iommufd;
	const struct idtable *spaces;
	const struct iommufd_ioas *registry;	/* registered memory, at its own addresses */
	const struct iommufd_fault *fault;	/* of every HWPT that is no parent */
	const void *ring;			/* struct ioasid_fault_ring, or NULL */
	uint64_t ring_size;
	uint32_t entries, head;			/* the client's copies are not believed */
	uint32_t serial;			/* of the last group that came into the ring */
	struct event_ref event;
};

struct ioasid {
	struct idobject obj;
	const struct ioasid_ctx *ctx;
	const struct ioasid *parent;
	const struct iommufd_ioas *ioas;	/* NULL: of kind PGTABLE or PASID_TABLE */
	const struct iommufd_hwpt *hwpt;	/* NULL: never attached */
	uint32_t children;
	uint8_t kind;				/* enum ioasid_kind */
	uint8_t format;				/* enum ioasid_format, 0: no table */
	struct iommu_nested stage1;		/* of a table, but for parent and domains */
};

#define IOASID_LAST UINT64_MAX

/* space.c */
const struct ioasid *ioasid_find(const struct ioasid_ctx *ctx, uint32_t id);	/* NULL: -ENOENT */
const struct ioasid *ioasid_of_hwpt(const struct ioasid_ctx *ctx, const struct iommufd_hwpt *hwpt);
long ioasid_alloc(const struct ioasid_ctx *ctx, void *args);
long ioasid_alloc_nested(const struct ioasid_ctx *ctx, void *args);
long ioasid_alloc_table(const struct ioasid_ctx *ctx, void *args);
long ioasid_alloc_pasid_table(const struct ioasid_ctx *ctx, void *args);
long ioasid_bind_table(const struct ioasid_ctx *ctx, void *args);
long ioasid_bind_pasid_table(const struct ioasid_ctx *ctx, void *args);
long ioasid_free(const struct ioasid_ctx *ctx, void *args);
void ioasid_free_all(const struct ioasid_ctx *ctx);
/* The space's HWPT, made now if there is none yet. 0, -ENOMEM, -EADDRINUSE, -EINVAL. */
int ioasid_hwpt(const struct ioasid *space, const struct iommufd_device *idev,
		const struct iommufd_hwpt **hwpt);

/* table.c: what a client says of a guest's table, checked: 0 or -EINVAL. */
int ioasid_table_check(const struct ioasid_table *table, bool pasids, struct iommu_nested *stage1);
unsigned int ioasid_table_formats(void);	/* bits by enum ioasid_format */
long ioasid_invalidate(const struct ioasid_ctx *ctx, void *args);

/* memory.c */
long ioasid_register(const struct ioasid_ctx *ctx, void *args);
long ioasid_unregister(const struct ioasid_ctx *ctx, void *args);
void ioasid_unregister_all(const struct ioasid_ctx *ctx);
long ioasid_dma_map(const struct ioasid_ctx *ctx, void *args);
long ioasid_dma_unmap(const struct ioasid_ctx *ctx, void *args);

/* device.c */
/* Calls fn for each attachment to the HWPT, until it answers an error. pasid: or TLP_NO_PASID. */
int ioasid_each_attached(const struct ioasid_ctx *ctx, const struct iommufd_hwpt *hwpt,
			 int (*fn)(const struct iommufd_device *idev, uint32_t pasid, void *arg),
			 void *arg);
uint32_t ioasid_attached_count(const struct ioasid *space);

/* fault.c */
long ioasid_fault_setup(const struct ioasid_ctx *ctx, void *args);
long ioasid_fault_respond(const struct ioasid_ctx *ctx, void *args);
int ioasid_mmap(const struct file *file, struct mmap_request *request);
void ioasid_fault_gone(const struct ioasid_ctx *ctx);

#endif
