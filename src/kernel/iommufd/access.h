/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Accesses: what is no device but uses an IOAS all the same reads and writes it, or pins pages of
 * it. The mock hardware's clients do; emulated devices are the ones in Linux.
 */
#ifndef SWTIO_KERNEL_IOMMUFD_ACCESS_H
#define SWTIO_KERNEL_IOMMUFD_ACCESS_H

#include "kernel/iommufd/private.h"

/* INTERNAL: of an object of the context, which does not hold the context open. */
enum iommufd_access_owner { IOMMUFD_ACCESS_MOCK, IOMMUFD_ACCESS_INTERNAL, IOMMUFD_ACCESS_OWNERS };

struct iommufd_access_ops {
	/* [iova, last] is being unmapped, or the IOAS changes: unpin what is pinned there. */
	void (*unmap)(const void *owner, uint64_t iova, uint64_t last);
};
extern const struct iommufd_access_ops iommufd_mock_access_ops;

struct iommufd_access {
	struct idobject obj;
	const struct iommufd_ctx *ctx;
	const struct iommufd_ioas *ioas;	/* one of its users, or NULL */
	const struct iommufd_access *ioas_next;
	const void *owner;
	uint8_t kind;			/* enum iommufd_access_owner */
	bool pins;			/* may pin: IOVAs are then as fine as pages */
};

/* Its id is reserved: finalize it, or fail. NULL: no memory. */
struct iommufd_access *iommufd_access_create(const struct iommufd_ctx *ctx,
					     enum iommufd_access_owner kind, const void *owner,
					     bool pins);
void iommufd_access_end(const struct iommufd_access *access);	/* everything is unpinned */
/* From whatever IOAS to another, or to none (NULL). 0, -EADDRINUSE. */
int iommufd_access_change(const struct iommufd_access *access, const struct iommufd_ioas *ioas);
/* Every page of [iova, +len) is pinned. 0, -EINVAL, -EOVERFLOW, -ENOENT a part is not mapped,
 * -EPERM not mapped for that, or as mapping fails. */
int iommufd_access_pin(const struct iommufd_access *access, uint64_t iova, uint64_t len,
		       bool write);
void iommufd_access_unpin(const struct iommufd_access *access, uint64_t iova, uint64_t len);
/* Of what is pinned: the page at an IOVA, *run physically contiguous bytes from there. */
uint64_t iommufd_access_hpa(const struct iommufd_access *access, uint64_t iova, uint64_t *run);
/* Copies between the IOAS and data; how: IOPT_WRITE, IOPT_WHOLE. Errors as iommufd_access_pin(). */
int iommufd_access_rw(const struct iommufd_access *access, uint64_t iova, void *data, uint64_t len,
		      unsigned int how);
/* Tells every access of the IOAS that [iova, last] goes. */
void iommufd_access_notify(const struct iommufd_ioas *ioas, uint64_t iova, uint64_t last);

#endif
