/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VFIO's part of a bind and an unbind (seeds 3: VFIO keeps the device, and is told). The callers
 * hold the TSM's locks; memory_lock comes after them, so nothing here may call back into the TSM.
 */
#include "kernel/vfio/internal.h"

static void state_set(const struct vfio_device *vdev, enum vfio_tsm_state state)
{
	struct vfio_device *w = image_write(vdev);

	w->tsm_state = (uint8_t)state;
}

static void reset_blocked_set(const struct vfio_device *vdev, bool blocked)
{
	struct pci_dev *w = image_write(vdev->pdev);

	w->reset_blocked = blocked;
}

/* Nothing of the host may be left when LOCK goes out; the layout is known only afterwards. */
static int event_binding(const struct vfio_device *vdev)
{
	if (!vdev->opener)
		return -ENODEV;
	if (!vfio_is_shared(vdev))
		return vdev->tsm_state == VFIO_LOCKING ? 0 : -EBUSY;
	state_set(vdev, VFIO_LOCKING);
	reset_blocked_set(vdev, kernel_options()->bound_policy == BOUND_BLOCKED);
	if (!mutant(MUTANT_KEEP_SHARED_MAPPING))
		vfio_memory_off(vdev);
	return 0;
}

static int event_bound(const struct vfio_device *vdev)
{
	if (vdev->tsm_state != VFIO_LOCKING)
		return vdev->tsm_state == VFIO_LOCKED ? 0 : -EINVAL;
	state_set(vdev, VFIO_LOCKED);
	if (!mutant(MUTANT_KEEP_SHARED_MAPPING))
		vfio_memory_update(vdev);
	return 0;
}

static int event_unbind(const struct vfio_device *vdev)
{
	if (vdev->tsm_state == VFIO_SHARED)
		return 0;
	state_set(vdev, VFIO_UNLOCKING);
	reset_blocked_set(vdev, false);
	vfio_memory_update(vdev);
	return 0;
}

static int event_unbound(const struct vfio_device *vdev)
{
	reset_blocked_set(vdev, false);
	if (vdev->tsm_state == VFIO_SHARED)
		return 0;
	state_set(vdev, VFIO_SHARED);
	vfio_memory_update(vdev);
	return 0;
}

/* The TDI is unlocked and its pages wait in the guest's tables for the next bind: no one can use them
 * there, and so the host may. */
static int event_kept(const struct vfio_device *vdev)
{
	reset_blocked_set(vdev, false);
	state_set(vdev, VFIO_KEPT);
	vfio_memory_update(vdev);
	return 0;
}

static const struct {
	const char *name;
	enum lane from;
	int (*run)(const struct vfio_device *vdev);
} events[] = {
	[VFIO_TSM_BINDING] = { "tsm binding: host access off", LANE_IOMMUFD, event_binding },
	[VFIO_TSM_BOUND] = { "tsm bound: layout known", LANE_IOMMUFD, event_bound },
	[VFIO_TSM_UNBIND] = { "tsm unbind: disable MMIO", LANE_TSM, event_unbind },
	[VFIO_TSM_UNBOUND] = { "tsm unbound: recover MMIO", LANE_TSM, event_unbound },
	[VFIO_TSM_KEPT] = { "tsm unbound: private MMIO stays", LANE_TSM, event_kept },
};

int vfio_tsm_event(const struct pci_dev *pdev, enum vfio_tsm_event event)
{
	const struct vfio_device *vdev = pdev->vfio;
	struct trace_call call;
	int rc;

	if (!vdev || (unsigned int)event >= sizeof(events) / sizeof(events[0]))
		return -EINVAL;
	call = TRACE_CALL(events[event].from, LANE_VFIO, events[event].name, A("rid", pdev->rid));
	rc = vfio_memory_lock(vdev, KLOCK_WRITE);
	if (!rc) {
		rc = events[event].run(vdev);
		vfio_memory_unlock(vdev, KLOCK_WRITE);
	}
	trace_return(&call, rc, NULL);
	return rc;
}

/* -- bind asked of VFIO, where that facade is spoken -------------------------------------------- */

static long tsm_ask(const struct vfio_file *vfile, uint64_t arg, bool bind)
{
	struct vfio_device_tsm cmd;

	if (!kernel_options()->extensions || !tsm_uapi_bind_in_vfio())
		return -ENOTTY;
	if (copy_from_user(&cmd, arg, sizeof(cmd)))
		return -EFAULT;
	if (cmd.argsz < sizeof(cmd) || cmd.flags)
		return -EINVAL;
	return vfile->idev ? iommufd_device_tsm(vfile->idev, bind) : -ENODEV;
}

long vfio_tsm_bind(const struct vfio_file *vfile, uint64_t arg)
{
	return tsm_ask(vfile, arg, true);
}

long vfio_tsm_unbind(const struct vfio_file *vfile, uint64_t arg)
{
	return tsm_ask(vfile, arg, false);
}
