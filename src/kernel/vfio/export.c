/* SPDX-License-Identifier: BSD-2-Clause */
/* Exporting BARs as dma-bufs, ordinary ones as Linux has them and the two kinds of a bound device,
 * and telling a client which ranges are of which kind. */
#include <fcntl.h>

#include "kernel/vfio/internal.h"

#define LAYOUT_MAX 64u

static bool kind_of_flags(uint32_t flags, enum dmabuf_kind *kind)
{
	static const struct { uint32_t flags; enum dmabuf_kind kind; } kinds[] = {
		{ 0, DMABUF_ORDINARY }, { VFIO_DMA_BUF_KIND_SHARED, DMABUF_SHARED },
		{ VFIO_DMA_BUF_KIND_PRIVATE, DMABUF_PRIVATE },
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kinds[i].flags == flags && (!flags || kernel_options()->extensions)) {
			*kind = kinds[i].kind;
			return true;
		}
	return false;
}

/* -- layout ------------------------------------------------------------------------------------ */

/* The ranges of one kind in a BAR as they are now, adjacent ones joined; how many, or -errno. */
static int layout_of(const struct vfio_device *vdev, uint32_t bar, bool tee,
		     struct vfio_region_dma_range *out)
{
	const struct function_bar *size = pci_bar(vdev->pdev, bar);
	struct tsm_range ranges[LAYOUT_MAX];
	int n, count = 0;

	if (!size)
		return -ENODEV;
	if (vfio_is_shared(vdev)) {
		if (!tee)
			out[count++] = (struct vfio_region_dma_range){ 0, size->size };
		return count;
	}
	n = pci_tsm_layout(vdev->pdev, ranges, LAYOUT_MAX);
	for (int i = 0; i < n; i++) {
		if (ranges[i].bar != bar || ranges[i].tee != tee)
			continue;
		if (count && out[count - 1].offset + out[count - 1].length == ranges[i].offset)
			out[count - 1].length += ranges[i].len;
		else
			out[count++] = (struct vfio_region_dma_range){ ranges[i].offset,
								       ranges[i].len };
	}
	return n < 0 ? n : count;
}

long vfio_feature_layout(const struct vfio_device *vdev, uint32_t flags, uint64_t data, size_t len)
{
	struct vfio_region_dma_range ranges[LAYOUT_MAX];
	struct vfio_device_feature_swtio_layout layout;
	enum dmabuf_kind kind;
	uint32_t room;
	int rc = vfio_feature_check(flags, len, VFIO_DEVICE_FEATURE_GET, sizeof(layout));

	if (rc != 1)
		return rc;
	if (copy_from_user(&layout, data, sizeof(layout)))
		return -EFAULT;
	if (!kind_of_flags(layout.kind, &kind) || kind == DMABUF_ORDINARY)
		return -EINVAL;
	if (layout.nr_ranges > (len - sizeof(layout)) / sizeof(ranges[0]))
		return -EINVAL;
	rc = layout_of(vdev, layout.region_index, kind == DMABUF_PRIVATE, ranges);
	if (rc < 0)
		return rc;
	room = layout.nr_ranges;
	layout.version = SWTIO_VFIO_EXTENSION_VERSION;
	layout.nr_ranges = (uint32_t)rc;
	if (copy_to_user(data, &layout, sizeof(layout)))
		return -EFAULT;
	if (room < layout.nr_ranges)
		return -ENOSPC;
	data += sizeof(layout);
	return copy_to_user(data, ranges, layout.nr_ranges * sizeof(ranges[0])) ? -EFAULT : 0;
}

/* -- DMA_BUF ----------------------------------------------------------------------------------- */

/* In Linux's order: every range by itself and their sum, then the BAR's end. */
static int ranges_check(const struct vfio_region_dma_range *ranges, uint32_t count,
			uint64_t bar_size)
{
	uint64_t total = 0;

	for (uint32_t i = 0; i < count; i++) {
		if (!ranges[i].length || (ranges[i].offset | ranges[i].length) & (PHYS_PAGE - 1))
			return -EINVAL;
		if (__builtin_add_overflow(total, ranges[i].length, &total) || total >> 63)
			return -EINVAL;
	}
	for (uint32_t i = 0; i < count; i++) {
		uint64_t end;

		if (__builtin_add_overflow(ranges[i].offset, ranges[i].length, &end))
			return -EOVERFLOW;
		if (end > bar_size)
			return -EINVAL;
	}
	return 0;
}

static bool ranges_all(const struct vfio_device *vdev, const struct dmabuf *buf, bool tee)
{
	for (uint32_t i = 0; i < buf->range_count; i++) {
		uint64_t at = buf->range[i].bar_offset, end = at + buf->range[i].len;

		for (; at < end; at += PHYS_PAGE)
			if (vfio_is_tee(vdev, buf->bar, at, PHYS_PAGE) != tee)
				return false;
	}
	return true;
}

/* Is the kind the client says true of every page? */
static int kind_check(const struct vfio_device *vdev, const struct dmabuf *buf)
{
	if (buf->kind != DMABUF_ORDINARY && !vfio_is_shared(vdev) && vdev->tsm_state != VFIO_LOCKED)
		return -EBUSY;
	if (ranges_all(vdev, buf, buf->kind == DMABUF_PRIVATE))
		return 0;
	return buf->kind == DMABUF_ORDINARY ? -EBUSY : -EINVAL;
}

static int dmabuf_export(const struct vfio_device *vdev, struct dmabuf *template,
			 uint32_t open_flags)
{
	const struct dmabuf *buf;
	struct vfio_device *wd;
	struct dmabuf *w;
	int rc = kind_check(vdev, template);

	if (rc)
		return rc;
	template->revoked =
		template->kind != DMABUF_PRIVATE && (!vfio_memory_enabled(vdev) || vdev->low_power);
	buf = dmabuf_create(template);
	if (!buf)
		return -ENOMEM;
	w = image_write(buf);
	w->next = vdev->dmabufs;
	wd = image_write(vdev);
	wd->dmabufs = buf;
	return fd_install(buf->file, open_flags);
}

static int dma_buf_read(uint64_t data, struct vfio_device_feature_dma_buf *in,
			enum dmabuf_kind *kind)
{
	if (copy_from_user(in, data, sizeof(*in)))
		return -EFAULT;
	if (!in->nr_ranges || !kind_of_flags(in->flags, kind))
		return -EINVAL;
	if (in->region_index >= VFIO_PCI_ROM_REGION_INDEX)
		return -ENODEV;
	/* Linux takes as many as memory allows; a buffer here has so many. */
	return in->nr_ranges > DMABUF_RANGES ? -ENOMEM : 0;
}

long vfio_feature_dma_buf(const struct vfio_device *vdev, uint32_t flags, uint64_t data, size_t len)
{
	struct vfio_region_dma_range ranges[DMABUF_RANGES];
	struct vfio_device_feature_dma_buf in;
	struct dmabuf template = { 0 };
	const struct function_bar *bar;
	enum dmabuf_kind kind;
	int rc = vfio_feature_check(flags, len, VFIO_DEVICE_FEATURE_GET, sizeof(in));

	if (rc != 1)
		return rc;
	rc = dma_buf_read(data, &in, &kind);
	if (rc)
		return rc;
	if (copy_from_user(ranges, data + sizeof(in), in.nr_ranges * sizeof(ranges[0])))
		return -EFAULT;
	bar = pci_bar(vdev->pdev, in.region_index);
	rc = ranges_check(ranges, in.nr_ranges, bar ? bar->size : 0);
	if (rc)
		return rc;
	template = (struct dmabuf){ .rid = vdev->pdev->rid,
				     .bar = (uint8_t)in.region_index,
				     .kind = (uint8_t)kind,
				     .exporter = vdev,
				     .range_count = in.nr_ranges };
	for (uint32_t i = 0; i < in.nr_ranges; i++) {
		template.range[i].bar_offset = ranges[i].offset;
		template.range[i].len = ranges[i].length;
		template.range[i].hpa = bar->hpa + ranges[i].offset;
	}
	return dmabuf_export(vdev, &template, in.open_flags);
}
