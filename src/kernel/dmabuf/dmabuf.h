/* SPDX-License-Identifier: BSD-2-Clause */
/* dma-buf: exporter is VFIO; importers are IOMMUFD (IOAS_MAP_FILE) and KVM (memslots). */
#ifndef SWTIO_KERNEL_DMABUF_H
#define SWTIO_KERNEL_DMABUF_H

#include "kernel/kernel.h"

enum dmabuf_kind { DMABUF_ORDINARY, DMABUF_SHARED, DMABUF_PRIVATE };
#define DMABUF_RANGES 16u

struct dmabuf {
	const struct file *file;
	uint16_t rid;			/* the exporting function */
	uint8_t bar;
	uint8_t kind;			/* enum dmabuf_kind: what the whole of it is */
	bool revoked;
	bool dead;			/* exporter closed: never comes back */
	const void *exporter;		/* struct vfio_device, NULL once gone */
	const void *memory;		/* of a mock exporter: the buffer's own, in bulk */
	uint64_t size;
	uint32_t range_count;
	struct { uint64_t bar_offset, len, hpa; } range[DMABUF_RANGES];
	struct klock resv;
	const void *attachments;	/* list head of struct dmabuf_attach */
	const void *next;		/* of the exporter's list */
};

enum dmabuf_importer { DMABUF_IMPORTER_IOMMUFD, DMABUF_IMPORTER_KVM, DMABUF_IMPORTER_MAX };

struct dmabuf_importer_ops {		/* static; table in dmabuf.c, rows defined by the rooms */
	/* The pages are going: drop every mapping now. May wait. resv is held. */
	void (*invalidate)(const void *importer, const struct dmabuf *buf);
};
extern const struct dmabuf_importer_ops iommufd_dmabuf_importer, kvm_dmabuf_importer;

const struct dmabuf *dmabuf_of_file(const struct file *file);		/* NULL: some other file */
/* New dma-buf and its file (refs 1), or NULL. Ranges as struct dmabuf's. */
const struct dmabuf *dmabuf_create(const struct dmabuf *template);
/* 0, -ENODEV revoked or dead, -ENOMEM. The importer's object must outlive the attachment. */
int dmabuf_attach(const struct dmabuf *buf, enum dmabuf_importer type, const void *importer);
void dmabuf_detach(const struct dmabuf *buf, enum dmabuf_importer type, const void *importer);
/* PFN query (R4.1): hpa and how many contiguous bytes, largest page order that fits; no DMA
 * mapping. 0, -ENODEV revoked, -ERANGE. */
int dmabuf_pfn(const struct dmabuf *buf, uint64_t offset, uint64_t *hpa, uint64_t *run,
	       unsigned int *order);
/* Sanity data for importers (R2.4, R2.6, R4.5): who provides it and what it is. */
struct dmabuf_provider { uint16_t rid; uint8_t bar; enum dmabuf_kind kind; const void *kvm; };
int dmabuf_provider(const struct dmabuf *buf, struct dmabuf_provider *provider);
/* Exporter side: revoke tells and waits for importers; restore lets new attaches in. */
void dmabuf_revoke(const struct dmabuf *buf);
void dmabuf_restore(const struct dmabuf *buf);
bool dmabuf_quiet(const struct dmabuf *buf);	/* revoked, and no importer has anything mapped */
void dmabuf_exporter_gone(const struct dmabuf *buf);

#endif
