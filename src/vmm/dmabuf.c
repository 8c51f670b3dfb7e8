/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * BARs as dma-bufs, and dma-bufs as memslots. A BAR has at most one shared and one private buffer;
 * its fragments become slots of their own, since a slot has no holes. MSI-X pages are in neither: the
 * VMM emulates them.
 */
#include <fcntl.h>
#include <stdlib.h>

#include "swtio/uapi/iommufd.h"
#include "swtio/uapi/kvm.h"
#include "swtio/uapi/vfio.h"
#include "vmm/internal.h"

#define PAGE 4096ull
#define RANGES 8u
#define CAP_MSIX 0x11u
#define CONFIG_OFFSET ((uint64_t)VFIO_PCI_CONFIG_REGION_INDEX << 40)

struct span { uint64_t offset, len; };
struct spans { unsigned int n; struct span span[RANGES]; };

static uint32_t config_get(
	const struct vmm_call *call, const struct vmm_device *device, uint32_t at, uint32_t size)
{
	uint32_t value = 0;

	call->sys->pread(call->sys->ctx, device->fd, &value, size, CONFIG_OFFSET + at);
	return value;
}

static uint32_t msix_cap(const struct vmm_call *call, const struct vmm_device *device)
{
	uint32_t at = config_get(call, device, 0x34, 1) & 0xfc;

	for (unsigned int steps = 0; at && steps < 48; steps++) {
		if (config_get(call, device, at, 1) == CAP_MSIX)
			return at;
		at = config_get(call, device, at + 1, 1) & 0xfc;
	}
	return 0;
}

/* Takes [offset, +len) out of the spans. */
static void spans_cut(struct spans *spans, uint64_t offset, uint64_t len)
{
	struct spans out = { 0 };

	for (unsigned int i = 0; i < spans->n; i++) {
		uint64_t start = spans->span[i].offset, end = start + spans->span[i].len;
		uint64_t left = offset < end ? offset : end,
			 right = offset + len > start ? offset + len : start;

		if (left > start && out.n < RANGES)
			out.span[out.n++] = (struct span){ start, left - start };
		if (right < end && out.n < RANGES)
			out.span[out.n++] = (struct span){ right, end - right };
	}
	*spans = out;
}

static void msix_cut(const struct vmm_call *call, const struct vmm_device *device, unsigned int bar,
		     struct spans *spans)
{
	uint32_t cap = msix_cap(call, device), vectors, table, pba;

	if (!cap)
		return;
	vectors = (config_get(call, device, cap + 2, 2) & 0x7ff) + 1;
	table = config_get(call, device, cap + 4, 4);
	pba = config_get(call, device, cap + 8, 4);
	if ((table & 7) == bar)
		spans_cut(spans, table & ~7u & ~(uint32_t)(PAGE - 1),
			(vectors * 16 + PAGE - 1) & ~(PAGE - 1));
	if ((pba & 7) == bar)
		spans_cut(spans, pba & ~7u & ~(uint32_t)(PAGE - 1), PAGE);
}

/* What VFIO says is of this kind now. */
static int64_t layout_query(const struct vmm_call *call, const struct vmm_device *device,
	unsigned int bar, uint32_t kind, struct spans *spans)
{
	struct {
		struct vfio_device_feature feature;
		struct vfio_device_feature_swtio_layout layout;
		struct vfio_region_dma_range range[RANGES];
	} cmd = {
		.feature = { .argsz = sizeof(cmd),
			     .flags = VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_SWTIO_LAYOUT },
		.layout = { .region_index = bar, .kind = kind, .nr_ranges = RANGES },
	};
	long rc = vmm_ioctl(call, device->fd, VFIO_DEVICE_FEATURE, &cmd);

	spans->n = 0;
	for (unsigned int i = 0; !rc && i < cmd.layout.nr_ranges && i < RANGES; i++)
		spans->span[spans->n++] = (struct span){ cmd.range[i].offset, cmd.range[i].length };
	return rc;
}

static bool kind_of(const struct vmm_call *call, unsigned int *kind, uint32_t *flag)
{
	const char *name = vmm_text(call, "kind");

	*kind = name && !strcmp(name, "private") ? VMM_PRIVATE : VMM_SHARED;
	*flag = *kind == VMM_PRIVATE ? VFIO_DMA_BUF_KIND_PRIVATE : VFIO_DMA_BUF_KIND_SHARED;
	return !name || *kind == VMM_PRIVATE || !strcmp(name, "shared");
}

/* dmabuf-open bar= kind=shared|private: result is the number of ranges; -ENOENT when there is none.
 * all=1 leaves the MSI-X pages in: what a careless VMM would ask for. */
static int64_t dmabuf_open(const struct vmm_call *call)
{
	struct vmm_device *device = vmm_device_of(call);
	struct vmm_bar *bar = vmm_bar_of(call);
	struct {
		struct vfio_device_feature feature;
		struct vfio_device_feature_dma_buf buf;
		struct vfio_region_dma_range range[RANGES];
	} cmd = { .feature = { .flags = VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_DMA_BUF } };
	struct spans spans = { 0 };
	unsigned int kind;
	uint32_t flag;
	int64_t rc;

	if (!bar || !kind_of(call, &kind, &flag))
		return -EDOM;
	cmd.buf.region_index = (uint32_t)(bar - device->bar);
	rc = layout_query(call, device, cmd.buf.region_index, flag, &spans);
	if (rc)
		return rc;
	if (vmm_arg_or(call, "all", 0))
		spans = (struct spans){ .n = 1, .span = { { 0, bar->size } } };
	else
		msix_cut(call, device, cmd.buf.region_index, &spans);
	if (!spans.n)
		return -ENOENT;
	for (unsigned int i = 0; i < spans.n; i++) {
		bar->range[kind][i].offset = cmd.range[i].offset = spans.span[i].offset;
		bar->range[kind][i].len = cmd.range[i].length = spans.span[i].len;
	}
	cmd.feature.argsz = sizeof(cmd);
	cmd.buf.open_flags = O_RDWR | O_CLOEXEC;
	cmd.buf.flags = flag;
	cmd.buf.nr_ranges = spans.n;
	rc = vmm_ioctl(call, device->fd, VFIO_DEVICE_FEATURE, &cmd);
	if (rc < 0)
		return rc;
	bar->dmabuf[kind] = (int)rc;
	bar->ranges[kind] = spans.n;
	return spans.n;
}

static int64_t dmabuf_close(const struct vmm_call *call)
{
	struct vmm_bar *bar = vmm_bar_of(call);
	unsigned int kind;
	uint32_t flag;

	if (!bar || !kind_of(call, &kind, &flag))
		return -EDOM;
	bar->ranges[kind] = 0;
	return vmm_close(call, &bar->dmabuf[kind]);
}

static long slot_set(const struct vmm_call *call, unsigned int number, const struct vmm_slot *slot,
	int fd, uint64_t offset)
{
	struct kvm_userspace_memory_region2 region = {
		.slot = number, .guest_phys_addr = slot->gpa, .memory_size = slot->len,
		.flags = KVM_MEM_DMABUF | (slot->is_private ? KVM_MEM_DMABUF_PRIVATE : 0),
		.guest_memfd = (uint32_t)fd, .guest_memfd_offset = offset,
	};

	return vmm_ioctl(call, call->vmm->vm, KVM_SET_USER_MEMORY_REGION2, &region);
}

static int64_t slots_del(const struct vmm_call *call, uint8_t device, uint8_t bar, bool is_private)
{
	int64_t first = 0;

	for (unsigned int i = 0; i < VMM_SLOTS; i++) {
		struct vmm_slot *slot = &call->vmm->slot[i];
		struct kvm_userspace_memory_region2 region = { .slot = i };
		long rc;

		if (!slot->used || !i || slot->device != device || slot->bar != bar ||
			slot->is_private != is_private)
			continue;
		region.guest_phys_addr = slot->gpa;
		rc = vmm_ioctl(call, call->vmm->vm, KVM_SET_USER_MEMORY_REGION2, &region);
		if (!rc)
			slot->used = false;
		else if (!first)
			first = rc;
	}
	return first;
}

/* slot-add bar= kind= [as=private|shared]: one slot a fragment; `as` lies about the kind. */
static int64_t slot_add(const struct vmm_call *call)
{
	struct vmm_device *device = vmm_device_of(call);
	struct vmm_bar *bar = vmm_bar_of(call);
	const char *as = vmm_text(call, "as");
	unsigned int kind;
	uint64_t offset = 0;
	uint32_t flag;
	long rc = 0;

	if (!bar || !kind_of(call, &kind, &flag))
		return -EDOM;
	for (unsigned int i = 0; i < bar->ranges[kind] && !rc; i++) {
		int number = vmm_slot_find(call->vmm);
		struct vmm_slot slot = {
			.used = true,
			.is_private = as ? !strcmp(as, "private") : kind == VMM_PRIVATE,
			.device = (uint8_t)(device - call->vmm->device),
			.bar = (uint8_t)(bar - device->bar),
			.gpa = bar->gpa + bar->range[kind][i].offset,
			.len = bar->range[kind][i].len,
		};

		if (number < 0)
			return number;
		rc = slot_set(call, (unsigned int)number, &slot, bar->dmabuf[kind], offset);
		if (!rc)
			call->vmm->slot[number] = slot;
		offset += slot.len;
	}
	return rc;
}

static int64_t slot_del(const struct vmm_call *call)
{
	struct vmm_device *device = vmm_device_of(call);
	struct vmm_bar *bar = vmm_bar_of(call);
	unsigned int kind;
	uint32_t flag;

	if (!bar || !kind_of(call, &kind, &flag))
		return -EDOM;
	return slots_del(call, (uint8_t)(device - call->vmm->device), (uint8_t)(bar - device->bar),
			 kind == VMM_PRIVATE);
}

/* ioas-map-bar bar= kind=: for peer-to-peer; each fragment at its GPA. */
static int64_t ioas_map_bar(const struct vmm_call *call)
{
	struct vmm_bar *bar = vmm_bar_of(call);
	unsigned int kind;
	uint64_t start = 0;
	uint32_t flag;
	long rc = 0;

	if (!bar || !kind_of(call, &kind, &flag))
		return -EDOM;
	for (unsigned int i = 0; i < bar->ranges[kind] && !rc; i++) {
		struct iommu_ioas_map_file cmd = {
			.size = sizeof(cmd),
			.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_WRITEABLE |
				 IOMMU_IOAS_MAP_READABLE,
			.ioas_id = call->vmm->ioas,
			.fd = bar->dmabuf[kind],
			.start = start,
			.length = bar->range[kind][i].len,
			.iova = bar->gpa + bar->range[kind][i].offset,
		};

		rc = vmm_ioctl(call, call->vmm->iommu, IOMMU_IOAS_MAP_FILE, &cmd);
		start += cmd.length;
	}
	return rc;
}

static int64_t ioas_unmap_bar(const struct vmm_call *call)
{
	struct vmm_bar *bar = vmm_bar_of(call);
	struct iommu_ioas_unmap cmd = { .size = sizeof(cmd), .ioas_id = call->vmm->ioas };

	if (!bar)
		return -EDOM;
	cmd.iova = bar->gpa;
	cmd.length = bar->size;
	return vmm_ioctl(call, call->vmm->iommu, IOMMU_IOAS_UNMAP, &cmd);
}

const struct vmm_verb vmm_dmabuf_verbs[] = {
	{ "dmabuf-open", dmabuf_open },
	{ "dmabuf-close", dmabuf_close },
	{ "slot-add", slot_add },
	{ "slot-del", slot_del },
	{ "ioas-map-bar", ioas_map_bar },
	{ "ioas-unmap-bar", ioas_unmap_bar },
	{ NULL, NULL },
};
