/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who may reach the BARs, and when: mappings of the host and exported dma-bufs follow memory
 * decode, resets, low power, and the binding to a TVM. memory_lock orders all of that; below it
 * come the reservations of the dma-bufs and whatever their importers take.
 */
#include "hardware/bar_file.h"
#include "kernel/vfio/internal.h"

#define LAYOUT_MAX 64u

int vfio_memory_lock(const struct vfio_device *vdev, enum klock_mode mode)
{
	return klock_acquire(&vdev->memory_lock, KLOCK_MEMORY, mode);
}

/* What happens under the lock reaches the device and commits; so must the lock's end, or the
 * rollback of a call that fails afterwards would bring it back. */
void vfio_memory_unlock(const struct vfio_device *vdev, enum klock_mode mode)
{
	klock_release(&vdev->memory_lock, mode);
	image_commit();
}

/* As the client sees it: the bit is always there for a VF, whose decode is its PF's. */
bool vfio_memory_enabled(const struct vfio_device *vdev)
{
	const struct pci_dev *pdev = vdev->pdev;
	uint32_t power = 0;

	if (pdev->cap_pm)
		power = config_read(pdev->rid, pdev->cap_pm + PCI_PM_CTRL, 2) &
			PCI_PM_CTRL_STATE_MASK;
	return vdev->opener && power < 3 &&
	       vfio_config_virtual(vdev, PCI_COMMAND, 2) & PCI_COMMAND_MEMORY;
}

/* -- TEE memory -------------------------------------------------------------------------------- */

bool vfio_is_shared(const struct vfio_device *vdev)
{
	return vdev->tsm_state == VFIO_SHARED || vdev->tsm_state == VFIO_KEPT;
}

/* While the layout is not known, everything is. */
bool vfio_is_tee(const struct vfio_device *vdev, unsigned int bar, uint64_t offset, uint64_t len)
{
	struct tsm_range ranges[LAYOUT_MAX];
	int count;

	if (vfio_is_shared(vdev))
		return false;
	if (vdev->tsm_state == VFIO_LOCKING)
		return true;
	count = pci_tsm_layout(vdev->pdev, ranges, LAYOUT_MAX);
	for (int i = 0; i < count; i++)
		if (ranges[i].bar == bar && ranges[i].tee &&
		    offset < ranges[i].offset + ranges[i].len && ranges[i].offset < offset + len)
			return true;
	return count <= 0;
}

bool vfio_host_may(const struct vfio_device *vdev, unsigned int bar, uint64_t offset, uint64_t len)
{
	if (kernel_options()->private_for_life && pci_is_tee(vdev->pdev))
		return false;
	return !vfio_is_tee(vdev, bar, offset, len);
}

/* -- mappings of the host ---------------------------------------------------------------------- */

static uint64_t bar_offset(unsigned int bar)
{
	return (uint64_t)bar << VFIO_OFFSET_SHIFT;
}

/* Mappings of client processes go with the file behind the BAR, all of them at once. */
static void client_may(const struct vfio_device *vdev, unsigned int bar, bool may)
{
	if (vdev->mapped >> bar & 1 && pci_bar(vdev->pdev, bar))
		bar_file_use(pci_bar(vdev->pdev, bar), may);
}

static void vmas_revoke(const struct vfio_device *vdev, unsigned int bar, uint64_t offset,
			uint64_t len)
{
	if (mutant(MUTANT_KEEP_USER_MAPPING))
		return;
	vma_revoke(vdev->opener->file, bar_offset(bar) + offset, len);
	client_may(vdev, bar, false);
}

static void vmas_off(const struct vfio_device *vdev)
{
	for (unsigned int bar = 0; vdev->opener && bar < FUNCTION_BARS; bar++)
		vmas_revoke(vdev, bar, 0, VFIO_OFFSET_MASK);
}

/* A mapping with one page the host may not touch stays away as a whole, and so does a BAR in client
 * processes. */
static void vmas_update(const struct vfio_device *vdev)
{
	struct tsm_range ranges[LAYOUT_MAX];
	bool tee[FUNCTION_BARS] = { false };
	int count = 0;

	if (!vfio_is_shared(vdev))
		count = pci_tsm_layout(vdev->pdev, ranges, LAYOUT_MAX);
	if (vdev->tsm_state == VFIO_LOCKING || (!vfio_is_shared(vdev) && count <= 0)) {
		vmas_off(vdev);
		return;
	}
	for (unsigned int bar = 0; bar < FUNCTION_BARS; bar++)
		vma_restore(vdev->opener->file, bar_offset(bar), VFIO_OFFSET_MASK);
	for (int i = 0; i < count; i++)
		if (ranges[i].tee && ranges[i].bar < FUNCTION_BARS) {
			tee[ranges[i].bar] = true;
			vmas_revoke(vdev, ranges[i].bar, ranges[i].offset, ranges[i].len);
		}
	for (unsigned int bar = 0; bar < FUNCTION_BARS; bar++)
		if (!tee[bar])
			client_may(vdev, bar, true);
}

/* -- dma-bufs ---------------------------------------------------------------------------------- */

static bool dmabuf_has_tee(const struct vfio_device *vdev, const struct dmabuf *buf)
{
	for (uint32_t i = 0; i < buf->range_count; i++)
		if (vfio_is_tee(vdev, buf->bar, buf->range[i].bar_offset, buf->range[i].len))
			return true;
	return false;
}

/* May importers map it now? A private one depends on the binding alone: in ERROR the secure mapping
 * may stay, for the device refuses what comes through it. `off`: a revoke of everything shared. */
static bool dmabuf_may(const struct vfio_device *vdev, const struct dmabuf *buf, bool off)
{
	if (buf->kind == DMABUF_PRIVATE)
		return vdev->tsm_state == VFIO_LOCKING || vdev->tsm_state == VFIO_LOCKED ||
			vdev->tsm_state == VFIO_KEPT;
	if (mutant(MUTANT_KEEP_SHARED_MAPPING) && !vfio_is_shared(vdev))
		return true;
	return !off && vfio_memory_enabled(vdev) && !vdev->low_power && !dmabuf_has_tee(vdev, buf);
}

/* A private buffer is of one binding, and of those that follow while it is kept. */
static void dmabuf_end(const struct dmabuf *buf)
{
	vfio_dmabuf_forget(buf);
	dmabuf_exporter_gone(buf);
}

void vfio_dmabuf_hold(const struct vfio_device *vdev, const struct dmabuf *buf)
{
	const struct dmabuf *before = vdev->held;
	struct vfio_device *w;

	if (before == buf)
		return;
	w = image_write(vdev);
	w->held = buf;
	if (buf)
		file_get(buf->file);
	if (before)
		file_put(before->file);
}

/* A revoke waits, and meanwhile buffers may come and go: begin again after each. */
static void dmabufs_revoke(const struct vfio_device *vdev, bool off)
{
	const struct dmabuf *buf;

	vfio_dmabuf_hold(vdev, NULL);
	buf = vdev->dmabufs;
	while (buf) {
		if (dmabuf_may(vdev, buf, off) ||
		    (dmabuf_quiet(buf) && buf->kind != DMABUF_PRIVATE)) {
			buf = buf->next;
			continue;
		}
		vfio_dmabuf_hold(vdev, buf);
		dmabuf_revoke(buf);
		if (buf->kind == DMABUF_PRIVATE && buf->exporter)
			dmabuf_end(buf);
		vfio_dmabuf_hold(vdev, NULL);
		buf = vdev->dmabufs;
	}
}

void vfio_dmabuf_forget(const struct dmabuf *buf)
{
	const struct vfio_device *vdev = buf->exporter;
	const struct dmabuf *at = vdev->dmabufs;

	if (at == buf) {
		struct vfio_device *w = image_write(vdev);

		w->dmabufs = buf->next;
		return;
	}
	while (at && at->next != buf)
		at = at->next;
	if (at) {
		struct dmabuf *w = image_write(at);

		w->next = buf->next;
	}
}

/* -- all of it --------------------------------------------------------------------------------- */

void vfio_memory_off(const struct vfio_device *vdev)
{
	vmas_off(vdev);
	dmabufs_revoke(vdev, true);
}

void vfio_memory_update(const struct vfio_device *vdev)
{
	if (!vdev->opener)
		return;
	dmabufs_revoke(vdev, false);
	if (!vfio_memory_enabled(vdev) || vdev->low_power) {
		vmas_off(vdev);
		return;
	}
	vmas_update(vdev);
	for (const struct dmabuf *buf = vdev->dmabufs; buf; buf = buf->next)
		if (buf->revoked && dmabuf_may(vdev, buf, false))
			dmabuf_restore(buf);
}
