/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Binding a vDEVICE to its VM, unbinding it, and the guest's requests: the part of the TSM flow
 * that IOMMUFD conducts. It knows which device, VM and virtual id belong together; VFIO keeps the
 * MMIO, the TSM core does the rest. No PCI access is made here.
 *
 * A bind cannot be undone by the log, since firmware and device take part. vdev->tsm says what was
 * asked last and is committed before it is asked: whoever comes after a kill knows what to unwind.
 */
#include "kernel/iommufd/table.h"
#include "kernel/kvm/kvm.h"
#include "kernel/tsm/tsm.h"
#include "kernel/vfio/vfio.h"

static const struct iommufd_vdevice *vdevice_find(const struct iommufd_cmd *cmd, uint32_t id)
{
	return (const struct iommufd_vdevice *)iommufd_find(cmd->ctx, id, IOMMUFD_VDEVICE);
}

static void tsm_state_set(const struct iommufd_vdevice *vdev, enum iommufd_tsm state)
{
	static const char *const names[] = { "bind: none", "bind: asked", "bind: done",
					     "bind: ending", "bind: kept" };
	struct iommufd_vdevice *w = image_write(vdev);

	if (vdev->tsm == state)
		return;
	w->tsm = (uint8_t)state;
	w->trusted_dma = state == IOMMUFD_TSM_BOUND;
	image_commit();
	TRACE_STATE(LANE_IOMMUFD, names[state], A("vdevice", vdev->obj.id),
		    A("virt_id", vdev->virt_id));
}

/* Harmless when nothing was bound. The TSM core tells VFIO on the way. */
void iommufd_vdevice_unbind(const struct iommufd_vdevice *vdev)
{
	const struct pci_dev *pdev;

	if (!vdev->idev || vdev->tsm == IOMMUFD_TSM_NONE)
		return;
	pdev = vdev->idev->pdev;
	tsm_state_set(vdev, IOMMUFD_TSM_UNBINDING);
	pci_tsm_unbind(pdev);
	tsm_state_set(vdev, IOMMUFD_TSM_NONE);
}

/* The guest's word: the vDEVICE stays, and with it what the host keeps for the next bind. */
static void vdevice_rest(const struct iommufd_vdevice *vdev)
{
	bool kept;

	if (vdev->tsm == IOMMUFD_TSM_NONE)
		return;
	tsm_state_set(vdev, IOMMUFD_TSM_UNBINDING);
	kept = pci_tsm_rest(vdev->idev->pdev);
	tsm_state_set(vdev, kept ? IOMMUFD_TSM_KEPT : IOMMUFD_TSM_NONE);
}

/* The bind failed before or in the TSM. What the firmware may still hold stays out of reach. */
static void restore_shared(const struct pci_dev *pdev)
{
	if (pci_tsm_kept(pdev))
		pci_tsm_unbind(pdev);
	if (!pci_tsm_quarantined(pdev, NULL))
		vfio_tsm_event(pdev, VFIO_TSM_UNBOUND);
}

/*
 * The parts of a bind, each an event of its own: MMIO leaves the host's hands (VFIO), the vIOMMU
 * knows the vPCI function, T=1 translation, attestation and TDISP (the TSM), and VFIO learns the
 * layout of what was locked. VM page tables reach the MMIO later, when the VMM sets its memslots.
 */
static int bind_parts(const struct iommufd_vdevice *vdev, const struct kvm *kvm)
{
	const struct pci_dev *pdev = vdev->idev->pdev;
	int rc;

	trace_note(LANE_IOMMUFD, LANE_IOMMUFD, "vIOMMU knows the vPCI function",
		   "no-op: since VDEVICE_ALLOC");
	tsm_state_set(vdev, IOMMUFD_TSM_BINDING);
	rc = vfio_tsm_event(pdev, VFIO_TSM_BINDING);
	if (rc)
		goto forget;
	rc = pci_tsm_bind(pdev, kvm, (uint32_t)vdev->virt_id);
	if (rc)
		goto restore;
	rc = vfio_tsm_event(pdev, VFIO_TSM_BOUND);
	if (rc || !vdev->idev)
		goto unbind;
	tsm_state_set(vdev, IOMMUFD_TSM_BOUND);
	return 0;
unbind:
	pci_tsm_unbind(pdev);
	rc = rc ? rc : -ENOENT;
	goto forget;
restore:
	restore_shared(pdev);
forget:
	tsm_state_set(vdev, pci_tsm_kept(pdev) ? IOMMUFD_TSM_KEPT : IOMMUFD_TSM_NONE);
	return rc;
}

static int vdevice_bind(const struct iommufd_vdevice *vdev)
{
	const struct kvm *kvm = vdev->viommu->kvm ? kvm_of_file(vdev->viommu->kvm) : NULL;

	if (!kvm)
		return -ENODEV;
	if (vdev->tsm == IOMMUFD_TSM_BOUND && pci_tsm_bound(vdev->idev->pdev))
		return 0;
	/* In flight in another call (this one's hold is the second), or left by a killed one. */
	if (vdev->tsm != IOMMUFD_TSM_NONE && vdev->obj.waits > 2)
		return -EBUSY;
	if (!pci_tsm_kept(vdev->idev->pdev))
		iommufd_vdevice_unbind(vdev);
	return bind_parts(vdev, kvm);
}

static int vdevice_op(const struct iommufd_vdevice *vdev, uint32_t type)
{
	if (type == IOMMU_VDEVICE_TSM_BIND)
		return vdevice_bind(vdev);
	vdevice_rest(vdev);
	return 0;
}

static int vdevice_op_held(
	const struct iommufd_ctx *ctx, const struct iommufd_vdevice *vdev, uint32_t type)
{
	int rc = iommufd_hold(ctx, &vdev->obj);

	if (rc)
		return rc;
	rc = vdevice_op(vdev, type);
	iommufd_drop(ctx, &vdev->obj);
	image_commit(); /* the hold, and what could not be undone, stay as they are */
	return rc;
}

int iommufd_ioctl_tsm_op(struct iommufd_cmd *cmd)
{
	const struct iommu_vdevice_tsm_op *args = cmd->args;
	const struct iommufd_vdevice *vdev;

	if (args->flags ||
	    (args->type != IOMMU_VDEVICE_TSM_BIND && args->type != IOMMU_VDEVICE_TSM_UNBIND))
		return -EOPNOTSUPP;
	vdev = vdevice_find(cmd, args->vdevice_id);
	return vdev ? vdevice_op_held(cmd->ctx, vdev, args->type) : -ENOENT;
}

int iommufd_device_tsm(const struct iommufd_device *idev, bool bind)
{
	return idev->vdevice ? vdevice_op_held(idev->ctx, idev->vdevice,
				       bind ? IOMMU_VDEVICE_TSM_BIND : IOMMU_VDEVICE_TSM_UNBIND)
			     : -ENODEV;
}

/* -- guest requests --------------------------------------------------------------------------- */

static ssize_t request_run(const struct iommufd_vdevice *vdev, struct guest_request *request)
{
	uint8_t in[IOMMU_VDEVICE_TSM_REQ_MAX], out[IOMMU_VDEVICE_TSM_REQ_MAX];
	ssize_t left;

	if (copy_from_user(in, request->req, request->req_len))
		return -EFAULT;
	left = pci_tsm_guest_req(vdev->idev->pdev, (enum tsm_scope)request->scope, in,
				 request->req_len, out, request->resp_len, &request->tsm_code);
	if (left < 0 || !request->resp_len)
		return left;
	if (left > (ssize_t)request->resp_len)
		return -EIO;
	return copy_to_user(request->resp, out, request->resp_len - (size_t)left) ? -EFAULT : left;
}

static ssize_t request_held(struct iommufd_cmd *cmd, struct guest_request *request)
{
	const struct iommufd_vdevice *vdev = vdevice_find(cmd, request->vdevice_id);
	ssize_t rc;

	if (request->scope > TSM_SCOPE_STATE_CHANGE || !request->req_len ||
	    request->req_len > IOMMU_VDEVICE_TSM_REQ_MAX ||
	    request->resp_len > IOMMU_VDEVICE_TSM_REQ_MAX)
		return -EINVAL;
	if (!vdev)
		return -ENOENT;
	rc = iommufd_hold(cmd->ctx, &vdev->obj);
	if (rc)
		return rc;
	rc = request_run(vdev, request);
	iommufd_drop(cmd->ctx, &vdev->obj);
	image_commit();
	return rc;
}

int iommufd_ioctl_tsm_req(struct iommufd_cmd *cmd)
{
	struct guest_request request = { 0 };
	ssize_t rc = iommufd_tsm_request_decode(cmd->args, &request);

	if (!rc)
		rc = request_held(cmd, &request);
	if (iommufd_tsm_request_tell(cmd->args, &request) &&
	    iommufd_respond(cmd, cmd->user_size))
		return -EFAULT;
	return (int)rc;
}

/* -- callbacks -------------------------------------------------------------------------------- */

static const struct iommufd_vdevice *vdevice_of(const struct pci_dev *pdev)
{
	const struct iommufd_device *idev = iommufd_device_of(pdev);

	return idev ? idev->vdevice : NULL;
}

bool iommufd_vdevice_exists(const struct pci_dev *pdev)
{
	return vdevice_of(pdev);
}

int iommufd_trusted_dma_disable(const struct pci_dev *pdev)
{
	const struct iommufd_vdevice *vdev = vdevice_of(pdev);
	struct trace_call call =
		TRACE_CALL(LANE_TSM, LANE_IOMMUFD, "disable trusted DMA", A("rid", pdev->rid));
	struct iommufd_vdevice *w;

	if (vdev) {
		w = image_write(vdev);
		w->trusted_dma = false;
	}
	trace_return(&call, vdev ? 0 : -ENODEV, NULL);
	return vdev ? 0 : -ENODEV;
}

void iommufd_tsm_gone(const struct pci_dev *pdev)
{
	const struct iommufd_vdevice *vdev = vdevice_of(pdev);

	TRACE_EVENT(LANE_TSM, LANE_IOMMUFD, "bind is gone", A("rid", pdev->rid));
	if (vdev)
		tsm_state_set(vdev, IOMMUFD_TSM_NONE);
}
