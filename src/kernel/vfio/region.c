/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Regions: what there is, and access to it. A BAR's memory can be mapped, and so can registers whose
 * model says that its drivers do so: each load and store then traps into vfio_file_access().
 * Other registers are reached by read and write only.
 *
 * A BAR access answers -EIO while memory decode is off, as Linux does, and -EBUSY for pages that
 * are a TVM's (or will be: private_for_life).
 */
#include <sys/mman.h>

#include "hardware/bar_file.h"
#include "hardware/cpu.h"
#include "kernel/vfio/internal.h"

#define BOUNCE 4096u

/* -- GET_REGION_INFO --------------------------------------------------------------------------- */

static bool bar_mappable(const struct function_bar *bar)
{
	return bar && (bar->memory || bar->trapped);
}

/* As Linux has it: the MSI-X table may be mapped with the rest, since what is written there can hurt
 * nobody else; a capability says so. */
static void region_fill(const struct vfio_device *vdev, struct vfio_region_info *info)
{
	const struct function_bar *bar = pci_bar(vdev->pdev, info->index);
	uint64_t first, end;

	info->offset = (uint64_t)info->index << VFIO_OFFSET_SHIFT;
	if (info->index == VFIO_PCI_CONFIG_REGION_INDEX) {
		info->size = VFIO_CONFIG_SIZE;
		info->flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
		return;
	}
	if (!bar)
		return;
	info->size = bar->size;
	info->flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
	if (!bar_mappable(bar))
		return;
	info->flags |= VFIO_REGION_INFO_FLAG_MMAP;
	pci_msix_table(vdev->pdev, info->index, &first, &end);
	if (end)
		info->flags |= VFIO_REGION_INFO_FLAG_CAPS;
}

static int caps_put(uint64_t arg, struct vfio_region_info *info)
{
	uint8_t bytes[sizeof(struct vfio_info_cap_header)];
	struct writer w = writer_of(bytes, sizeof(bytes));

	if (!(info->flags & VFIO_REGION_INFO_FLAG_CAPS))
		return 0;
	if (info->argsz < sizeof(*info) + sizeof(bytes)) {
		info->argsz = sizeof(*info) + sizeof(bytes);
		return 0;
	}
	put_le16(&w, VFIO_REGION_INFO_CAP_MSIX_MAPPABLE);
	put_le16(&w, 1);
	put_le32(&w, 0);
	info->cap_offset = sizeof(*info);
	return copy_to_user(arg + sizeof(*info), bytes, sizeof(bytes));
}

long vfio_get_region_info(const struct vfio_file *vfile, uint64_t arg)
{
	struct vfio_region_info info, in;

	if (copy_from_user(&in, arg, sizeof(in)))
		return -EFAULT;
	if (in.argsz < sizeof(in))
		return -EINVAL;
	/* No device here is a VGA. */
	if (in.index >= VFIO_PCI_VGA_REGION_INDEX)
		return -EINVAL;
	info = (struct vfio_region_info){ .argsz = in.argsz, .index = in.index };
	region_fill(vfile->vdev, &info);
	if (caps_put(arg, &info))
		return -EFAULT;
	return copy_to_user(arg, &info, sizeof(info)) ? -EFAULT : 0;
}

/* -- BAR accesses ------------------------------------------------------------------------------ */

struct bar_access {
	const struct vfio_device *vdev;
	const struct function_bar *bar;
	unsigned int index;
	uint64_t msix_first, msix_end;	/* reads as ones, writes are dropped */
	bool write;
};

static bool in_msix(const struct bar_access *a, uint64_t at)
{
	return at >= a->msix_first && at < a->msix_end;
}

/* Registers by the widest aligned access, memory by the page. */
static uint64_t piece_len(const struct bar_access *a, uint64_t at, uint64_t len)
{
	uint64_t n = a->bar->memory ? BOUNCE - at % BOUNCE : 8;

	if (at < a->msix_first && n > a->msix_first - at)
		n = a->msix_first - at;
	else if (in_msix(a, at) && n > a->msix_end - at)
		n = a->msix_end - at;
	if (a->bar->memory)
		return n < len ? n : len;
	while (n & (n - 1))
		n &= n - 1;
	while (at % n || n > len)
		n /= 2;
	return n;
}

/* A function that refuses gives ones and drops writes; a CPU learns no more than that. */
static void piece_do(const struct bar_access *a, uint64_t at, uint8_t *bytes, uint64_t len)
{
	if (in_msix(a, at)) {
		if (!a->write)
			memset(bytes, 0xff, len);
	} else if (a->write) {
		cpu_host_write(a->bar->hpa + at, bytes, len);
	} else if (cpu_host_read(a->bar->hpa + at, bytes, len)) {
		memset(bytes, 0xff, len);
	}
}

static ssize_t bar_run(const struct bar_access *a, uint64_t user, uint64_t at, uint64_t len)
{
	uint8_t bytes[BOUNCE];
	uint64_t done = 0;

	while (done < len) {
		uint64_t n = piece_len(a, at + done, len - done);

		if (a->write && copy_from_user(bytes, user + done, n))
			return -EFAULT;
		piece_do(a, at + done, bytes, n);
		if (!a->write && copy_to_user(user + done, bytes, n))
			return -EFAULT;
		done += n;
	}
	return (ssize_t)done;
}

static int bar_check(const struct bar_access *a, uint64_t at, uint64_t len)
{
	if (!vfio_memory_enabled(a->vdev))
		return -EIO;
	return vfio_host_may(a->vdev, a->index, at, len) ? 0 : -EBUSY;
}

static ssize_t bar_access(const struct vfio_device *vdev, unsigned int index, uint64_t user,
			  uint64_t at, size_t len, bool write)
{
	struct bar_access a = {
		.vdev = vdev, .bar = pci_bar(vdev->pdev, index), .index = index, .write = write
	};
	ssize_t rc;

	if (!a.bar || at >= a.bar->size)
		return -EINVAL;
	if (len > a.bar->size - at)
		len = a.bar->size - at;
	pci_msix_table(vdev->pdev, index, &a.msix_first, &a.msix_end);
	rc = vfio_memory_lock(vdev, KLOCK_READ);
	if (rc)
		return rc;
	rc = bar_check(&a, at, len);
	if (!rc)
		rc = bar_run(&a, user, at, len);
	vfio_memory_unlock(vdev, KLOCK_READ);
	return rc;
}

/* -- the file's operations --------------------------------------------------------------------- */

static ssize_t region_access(const struct file *file, uint64_t user, size_t len, uint64_t position,
			     bool write)
{
	const struct vfio_file *vfile = file->priv;
	uint64_t index = position >> VFIO_OFFSET_SHIFT, at = position & VFIO_OFFSET_MASK;

	if (!vfile->bound || index >= VFIO_PCI_VGA_REGION_INDEX)
		return -EINVAL;
	if (!len)
		return 0;
	if (index == VFIO_PCI_CONFIG_REGION_INDEX)
		return write ? vfio_config_write(vfile->vdev, user, len, at) :
			       vfio_config_read(vfile->vdev, user, len, at);
	return bar_access(vfile->vdev, (unsigned int)index, user, at, len, write);
}

static const char *region_name(uint64_t index, bool write)
{
	static const char *const names[][2] = {
		{ "read BAR0", "write BAR0" }, { "read BAR1", "write BAR1" },
		{ "read BAR2", "write BAR2" }, { "read BAR3", "write BAR3" },
		{ "read BAR4", "write BAR4" }, { "read BAR5", "write BAR5" },
		{ "read ROM", "write ROM" },   { "read config", "write config" },
	};

	return index < sizeof(names) / sizeof(names[0]) ? names[index][write] : "access";
}

static ssize_t traced_access(const struct file *file, uint64_t user, size_t len, uint64_t position,
			     bool write)
{
	struct trace_call call =
		TRACE_CALL((enum lane)current_task()->lane, LANE_VFIO,
			   region_name(position >> VFIO_OFFSET_SHIFT, write),
			   A("offset", position & VFIO_OFFSET_MASK), A("len", len));
	ssize_t rc = region_access(file, user, len, position, write);

	trace_return(&call, rc, NULL);
	return rc;
}

ssize_t vfio_file_read(const struct file *file, uint64_t to, size_t len, uint64_t position)
{
	return traced_access(file, to, len, position, false);
}

ssize_t vfio_file_write(const struct file *file, uint64_t from, size_t len, uint64_t position)
{
	return traced_access(file, from, len, position, true);
}

static int region_mmap(const struct vfio_file *vfile, struct mmap_request *request)
{
	const struct vfio_device *vdev = vfile->vdev;
	uint64_t index = request->offset >> VFIO_OFFSET_SHIFT;
	uint64_t at = request->offset & VFIO_OFFSET_MASK;
	const struct function_bar *bar;

	if (!vfile->bound || !(request->flags & MAP_SHARED) || index >= VFIO_PCI_ROM_REGION_INDEX)
		return -EINVAL;
	bar = pci_bar(vdev->pdev, (unsigned int)index);
	if (!bar_mappable(bar) || at > bar->size || request->len > bar->size - at)
		return -EINVAL;
	if (!vfio_host_may(vdev, (unsigned int)index, at, request->len))
		return -EBUSY;
	if (bar->memory)
		request->memory = (const uint8_t *)bar->memory + at;
	request->bar_file = bar->file;
	request->trapped = !bar->memory;
	request->hpa = bar->hpa + at;
	request->revoked = !vfio_memory_enabled(vdev) || vdev->low_power;
	return 0;
}

/* What a client process maps of a BAR's memory is a file, which has the bytes while they may be
 * reached. */
static void client_maps(const struct vfio_device *vdev, unsigned int index, bool revoked)
{
	struct vfio_device *w = image_write(vdev);

	w->mapped |= (uint8_t)(1u << index);
	if (!revoked)
		bar_file_use(pci_bar(vdev->pdev, index), true);
}

/* The device's refusal is no fault for a CPU: a load gives ones, a store is lost. */
int vfio_file_access(const struct file *file, uint64_t offset, void *data, uint64_t len, bool write)
{
	const struct vfio_file *vfile = file->priv;
	struct mmap_request request = { .offset = offset, .len = len, .flags = MAP_SHARED };
	int rc = vfio_memory_lock(vfile->vdev, KLOCK_READ);

	if (rc)
		return -ENXIO;
	rc = region_mmap(vfile, &request);
	if (rc || request.revoked)
		rc = -ENXIO;
	else if (write)
		cpu_host_write(request.hpa, data, len);
	else if (cpu_host_read(request.hpa, data, len))
		memset(data, 0xff, len);
	vfio_memory_unlock(vfile->vdev, KLOCK_READ);
	return rc;
}

int vfio_file_mmap(const struct file *file, struct mmap_request *request)
{
	struct trace_call call = TRACE_CALL((enum lane)current_task()->lane, LANE_VFIO, "mmap",
					    A("offset", request->offset), A("len", request->len));
	const struct vfio_file *vfile = file->priv;
	int rc = region_mmap(vfile, request);

	if (!rc && request->bar_file && current_task()->pid)
		client_maps(vfile->vdev, (unsigned int)(request->offset >> VFIO_OFFSET_SHIFT),
			    request->revoked);
	trace_return(&call, rc, NULL);
	return rc;
}
