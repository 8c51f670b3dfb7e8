/* SPDX-License-Identifier: BSD-2-Clause */
/* The TSM core. Nothing here knows a platform; its driver is a row of tsm_drivers[]. */
#include <string.h>

#include "hardware/platform.h"
#include "kernel/kvm/kvm.h"
#include "kernel/tsm/internal.h"
#include "kernel/vfio/vfio.h"

#define DEVCAP_TEE (1u << 30)
#define PCIE_DEVCAP 4u

struct tsm_root {
	/* pci_tsm_rwsem: connect and disconnect write, the rest read */
	struct klock rwsem;
	const void *platform;		/* the driver's own */
};

static const struct pci_tsm_ops *const tsm_drivers[PLATFORMS] = {
	[PLATFORM_TDX] = &tdx_tsm_ops,
	[PLATFORM_SEV] = &sev_tsm_ops,
	[PLATFORM_CCA] = &cca_tsm_ops,
};

static const struct tsm_root *tsm_root(void)
{
	return image_root(IMAGE_ROOT_TSM);
}

const struct pci_tsm_ops *tsm_ops(void)
{
	return tsm_drivers[machine_platform()];
}

const void *tsm_platform(void)
{
	return tsm_root() ? tsm_root()->platform : NULL;
}

void tsm_platform_set(const void *platform)
{
	struct tsm_root *w = image_write(tsm_root());

	w->platform = platform;
}

int tsm_power_on(void)
{
	struct tsm_root *root = image_alloc(sizeof(*root), IMAGE_TYPE_ROOT);

	if (!root)
		return -ENOMEM;
	image_root_set(IMAGE_ROOT_TSM, root);
	return 0;
}

/* -- contexts --------------------------------------------------------------------------------- */

const struct pci_tsm *pci_tsm_of(const struct pci_dev *pdev)
{
	return pdev ? pdev->tsm : NULL;
}

const struct pci_tsm *pci_tsm_dsm(const struct pci_tsm *tsm)
{
	return pci_tsm_of(tsm->dsm);
}

/* The function whose mailbox reaches the DSM: function 0 of the device, of the PF for a VF. */
static const struct pci_dev *dsm_of(const struct pci_dev *pdev)
{
	const struct function *fn = function_find(pdev->rid);
	uint16_t rid = fn ? fn->pf_rid : pdev->rid;

	return pci_dev_find(rid & (uint16_t)~7u);
}

static bool tee_capable(const struct pci_dev *pdev)
{
	const struct function *fn = function_find(pdev->rid);

	return fn && fn->cap_pcie &&
	       config_read(fn->rid, fn->cap_pcie + PCIE_DEVCAP, 4) & DEVCAP_TEE;
}

static bool dsm_capable(const struct pci_dev *pdev)
{
	const struct function *fn = function_find(pdev->rid);

	return fn && fn->cap_doe && dsm_of(pdev) == pdev && (fn->cap_ide || tee_capable(pdev));
}

static int context_create(const struct pci_dev *pdev, const struct pci_dev *dsm)
{
	const struct function *fn = function_find(pdev->rid);
	struct pci_dev *w;
	struct pci_tsm *tsm;

	if (pdev->tsm)
		return 0;
	if (!fn || !fn->model)
		return -ENXIO;
	tsm = image_alloc(sizeof(*tsm), IMAGE_TYPE_TSM);
	if (!tsm)
		return -ENOMEM;
	tsm->pdev = pdev;
	tsm->dsm = dsm;
	w = image_write(pdev);
	w->tsm = tsm;
	return 0;
}

/* A quarantined function keeps its context: it holds the cause, and what is left to undo. */
static void context_destroy(const struct pci_dev *pdev)
{
	const struct pci_tsm *tsm = pci_tsm_of(pdev);
	struct pci_dev *w;

	if (!tsm || tsm->tdi != TSM_TDI_NONE || tsm->cause[0])
		return;
	w = image_write(pdev);
	w->tsm = NULL;
	image_free(tsm);
}

void pci_tsm_quarantine(const struct pci_dev *pdev, const char *cause)
{
	const struct pci_tsm *tsm = pci_tsm_of(pdev);
	char *w;

	if (tsm->cause[0])
		return;
	w = image_log(tsm->cause, sizeof(tsm->cause));
	strncpy(w, cause, sizeof(tsm->cause) - 1);
	trace_note(LANE_TSM, LANE_TSM, "quarantine", cause);
}

bool pci_tsm_quarantined(const struct pci_dev *pdev, const char **cause)
{
	const struct pci_tsm *tsm = pci_tsm_of(pdev);

	if (!tsm || !tsm->cause[0])
		return false;
	if (cause)
		*cause = tsm->cause;
	return true;
}

/* -- locks ------------------------------------------------------------------------------------ */

static void unbind_wanted(const struct pci_dev *dsm);

static int tsm_lock(enum klock_mode mode)
{
	return klock_acquire(&tsm_root()->rwsem, KLOCK_TSM_RWSEM, mode);
}

static void tsm_unlock(enum klock_mode mode)
{
	klock_release(&tsm_root()->rwsem, mode);
}

static int dsm_lock(const struct pci_tsm *tsm)
{
	return klock_acquire(&pci_tsm_dsm(tsm)->lock, KLOCK_DSM, KLOCK_WRITE);
}

static void dsm_unlock(const struct pci_tsm *tsm)
{
	const struct pci_dev *dsm = tsm->dsm;

	unbind_wanted(dsm);
	klock_release(&pci_tsm_of(dsm)->lock, KLOCK_WRITE);
}

/* Both locks for an operation on a function; on success the caller calls function_unlock(). */
static int function_lock(const struct pci_dev *pdev)
{
	int rc = tsm_lock(KLOCK_READ);

	if (rc)
		return rc;
	rc = pci_tsm_of(pdev) && pci_tsm_dsm(pdev->tsm) ? dsm_lock(pdev->tsm) : -ENXIO;
	if (rc)
		tsm_unlock(KLOCK_READ);
	return rc;
}

static void function_unlock(const struct pci_dev *pdev)
{
	dsm_unlock(pdev->tsm);
	tsm_unlock(KLOCK_READ);
}

/* -- bind and unbind -------------------------------------------------------------------------- */

/* The kvm reference, moved out of the context: the caller puts it once the locks are gone. */
static const struct kvm *tdi_forget(const struct pci_tsm *tsm)
{
	const struct kvm *kvm = tsm->kvm;
	struct pci_tsm *w = image_write(tsm);

	w->tdi = TSM_TDI_NONE;
	w->kvm = NULL;
	w->tdi_id = 0;
	w->range_count = 0;
	w->unbind_wanted = false;
	w->kept = false;
	return kvm;
}

/* VFIO gets its MMIO back, but not while it is not known what the TDI would do with it. */
static void vfio_release(const struct pci_dev *pdev)
{
	const struct pci_tsm *tsm = pdev->tsm;
	struct pci_tsm *w = image_write(tsm);

	w->vfio_waits = tsm->cause[0];
	if (!tsm->cause[0])
		vfio_tsm_event(pdev, VFIO_TSM_UNBOUND);
}

/* Takes down whatever a bind did or may have done. Locks held. Answers the VM to let go of; NULL
 * when there was none, or when something of it is left with the firmware: then the function is
 * quarantined. */
static const struct kvm *tdi_unwind(const struct pci_dev *pdev)
{
	const struct pci_tsm *tsm = pdev->tsm;
	struct pci_tsm *w;

	if (tsm->tdi == TSM_TDI_NONE)
		return NULL;
	w = image_write(tsm);
	w->tdi = TSM_TDI_UNBINDING;
	if (tsm_tdi_unmake(pdev))
		return NULL;
	vfio_release(pdev);
	TRACE_STATE(LANE_TSM, "tdi unbound", A("rid", pdev->rid));
	return tdi_forget(tsm);
}

/* Takes down what the next bind makes anew; false when everything has to go. Locks held. */
static bool tdi_rest(const struct pci_dev *pdev)
{
	const struct pci_tsm *tsm = pdev->tsm;
	struct pci_tsm *w;

	if (tsm->tdi == TSM_TDI_KEPT)
		return true;
	if (tsm->tdi != TSM_TDI_BOUND || !tsm_ops()->tdi->kept ||
	    kernel_options()->sept != SEPT_ALWAYS_MAPPED)
		return false;
	w = image_write(tsm);
	w->tdi = TSM_TDI_UNBINDING;
	w->kept = true;
	if (tsm_tdi_rest(pdev))
		return false;
	w = image_write(tsm);
	w->tdi = TSM_TDI_KEPT;
	vfio_tsm_event(pdev, VFIO_TSM_KEPT);
	TRACE_STATE(LANE_TSM, "tdi unbound", A("rid", pdev->rid), A("kept", 1));
	return true;
}

static void kvm_put(const struct kvm *kvm)
{
	if (!kvm)
		return;
	TRACE_STATE(LANE_TSM, "VM let go", A("vm", kvm_number(kvm)));
	kvm_file_put(kvm_file(kvm));
}

/* Unbinds that found the lock taken below them on the same stack and could not wait. */
static void unbind_wanted(const struct pci_dev *dsm)
{
	uint16_t rid = 0;

	for (const struct pci_dev *pdev = pci_dev_next(&rid); pdev;
	     rid++, pdev = pci_dev_next(&rid)) {
		const struct pci_tsm *tsm = pci_tsm_of(pdev);

		if (tsm && tsm->dsm == dsm && tsm->unbind_wanted)
			kvm_put(tdi_unwind(pdev));
	}
}

/* What must be so before a bind, or 1: bound to this very VM already. Locks held. */
static int bind_check(const struct pci_dev *pdev, const struct kvm *kvm)
{
	const struct pci_tsm *tsm = pdev->tsm;

	if (pci_tsm_dsm(tsm)->link != TSM_LINK_CONNECTED)
		return -EINVAL;
	if (tsm->cause[0])
		return -EIO;
	if (tsm->tdi == TSM_TDI_BOUND)
		return tsm->kvm == kvm ? 1 : -EBUSY;
	return tsm->tdi == TSM_TDI_KEPT && tsm->kvm != kvm ? -EBUSY : 0;
}

/* Nothing of another bind is left, and the VM is held; or what the last one kept is there. */
static int bind_clear(const struct pci_dev *pdev, const struct kvm *kvm,
		      const struct kvm **leaving)
{
	const struct pci_tsm *tsm = pdev->tsm;
	struct pci_tsm *w;

	if (tsm->tdi == TSM_TDI_KEPT)
		return 0;
	/* Left by a caller that died in bind or unbind. */
	*leaving = tdi_unwind(pdev);
	if (tsm->cause[0])
		return -EIO;
	kvm_file_get(kvm_file(kvm));
	w = image_write(tsm);
	w->kvm = kvm;
	return 0;
}

static int bind_locked(const struct pci_dev *pdev, const struct kvm *kvm, uint32_t tdi_id,
		       const struct kvm **leaving)
{
	const struct pci_tsm *tsm = pdev->tsm;
	struct pci_tsm *w;
	int rc = bind_check(pdev, kvm);

	if (rc)
		return rc < 0 ? rc : 0;
	rc = bind_clear(pdev, kvm, leaving);
	if (rc)
		return rc;
	w = image_write(tsm);
	w->tdi_id = tdi_id;
	w->tdi = TSM_TDI_BINDING;
	rc = tsm_tdi_make(pdev, kvm, tdi_id);
	if (rc) {
		kvm_put(*leaving);
		*leaving = tdi_unwind(pdev);
		return rc;
	}
	w = image_write(tsm);
	w->tdi = TSM_TDI_BOUND;
	TRACE_STATE(LANE_TSM, "tdi bound", A("rid", pdev->rid), A("vm", kvm_number(kvm)),
		    A("tdi", tdi_id));
	return 0;
}

int pci_tsm_bind(const struct pci_dev *pdev, const struct kvm *kvm, uint32_t tdi_id)
{
	struct trace_call call = TRACE_CALL(LANE_IOMMUFD, LANE_TSM, "tsm_bind", A("rid", pdev->rid),
					    A("vm", kvm ? kvm_number(kvm) : 0), A("tdi", tdi_id));
	const struct kvm *leaving = NULL;
	int rc = kvm ? function_lock(pdev) : -EINVAL;

	if (!rc) {
		rc = bind_locked(pdev, kvm, tdi_id, &leaving);
		function_unlock(pdev);
		kvm_put(leaving);
		/* The caller's failure must not bring back what was just taken down. */
		image_commit();
	} else if (rc == -ENXIO) {
		rc = -EINVAL;		/* no context: not connected */
	}
	trace_return(&call, rc, NULL);
	return rc;
}

/* Whether something is kept for the next bind; nothing is when `all` has to go. */
static bool unbind(const struct pci_dev *pdev, bool all)
{
	const struct pci_tsm *tsm = pci_tsm_of(pdev);
	struct trace_call call;
	bool kept = false;
	struct pci_tsm *w;
	int rc;

	if (!tsm || tsm->tdi == TSM_TDI_NONE)
		return false;
	call = TRACE_CALL(LANE_IOMMUFD, LANE_TSM, "tsm_unbind", A("rid", pdev->rid));
	rc = function_lock(pdev);
	if (rc) {
		w = image_write(tsm);
		w->unbind_wanted = true;
	} else {
		const struct kvm *leaving = NULL;

		kept = !all && tdi_rest(pdev);
		if (!kept)
			leaving = tdi_unwind(pdev);
		function_unlock(pdev);
		kvm_put(leaving);
	}
	image_commit();
	trace_return(&call, rc, NULL);
	return kept;
}

void pci_tsm_unbind(const struct pci_dev *pdev)
{
	unbind(pdev, true);
}

bool pci_tsm_rest(const struct pci_dev *pdev)
{
	return unbind(pdev, false);
}

ssize_t pci_tsm_guest_req(const struct pci_dev *pdev, enum tsm_scope scope, const uint8_t *in,
			  size_t in_len, uint8_t *out, size_t out_len, uint64_t *tsm_code)
{
	struct trace_call call =
		TRACE_CALL(LANE_IOMMUFD, LANE_TSM, "tsm_guest_req", A("rid", pdev->rid),
			   A("scope", scope), A("in", in_len), A("out", out_len));
	const struct pci_tsm *tsm;
	ssize_t rc;

	*tsm_code = 0;
	rc = scope > TSM_SCOPE_STATE_CHANGE ? -EINVAL : function_lock(pdev);
	if (!rc) {
		tsm = pdev->tsm;
		rc = tsm->tdi == TSM_TDI_BOUND ?
			     tsm_request(pdev, scope, in, in_len, out, out_len, tsm_code) :
			     -ENXIO;
		function_unlock(pdev);
	}
	trace_return(&call, rc, NULL);
	return rc;
}

/* -- connect and disconnect ------------------------------------------------------------------- */

static int name_parse(const char *name, unsigned int *number)
{
	char end;
	int n = sscanf(name, "tsm%u%c", number, &end);

	return n == 1 || (n == 2 && end == '\n') ? 0 : -EINVAL;
}

/* Calls fn for the other functions of a DSM, last first. */
static void each_subfunction(const struct pci_dev *dsm, void (*fn)(const struct pci_dev *pdev))
{
	uint16_t rids[64], rid = 0;
	unsigned int n = 0;

	for (const struct pci_dev *pdev = pci_dev_next(&rid); pdev && n < 64;
	     rid++, pdev = pci_dev_next(&rid))
		if (pdev != dsm && dsm_of(pdev) == dsm)
			rids[n++] = pdev->rid;
	while (n--)
		fn(pci_dev_find(rids[n]));
}

static void subfunction_probe(const struct pci_dev *pdev)
{
	/* a function without a context just cannot be bound */
	context_create(pdev, dsm_of(pdev));
}

static void subfunction_unbind(const struct pci_dev *pdev)
{
	if (pdev->tsm)
		kvm_put(tdi_unwind(pdev));
}

/* Everything of a link, however far its making came. Write lock held. */
static void link_destroy(const struct pci_dev *pdev)
{
	const struct pci_tsm *tsm = pdev->tsm;
	struct pci_tsm *w;

	if (dsm_lock(tsm))
		return;
	each_subfunction(pdev, subfunction_unbind);
	kvm_put(tdi_unwind(pdev));
	w = image_write(tsm);
	w->link = TSM_LINK_DISCONNECTING;
	if (!tsm_link_unmake(pdev)) {
		w = image_write(tsm);
		w->link = TSM_LINK_NONE;
	}
	dsm_unlock(tsm);
	if (tsm->link != TSM_LINK_NONE)
		return;			/* a quarantined function is stuck on it: until its reset */
	each_subfunction(pdev, context_destroy);
	context_destroy(pdev);
}

static int connect_locked(const struct pci_dev *pdev, unsigned int number)
{
	const struct pci_tsm *tsm = pci_tsm_of(pdev);
	struct pci_tsm *w;
	int rc;

	if (tsm && tsm->link == TSM_LINK_CONNECTED)
		return -EBUSY;
	if (number || !dsm_capable(pdev))
		return -ENXIO;
	if (tsm && tsm->link != TSM_LINK_NONE)
		/* left by a caller that died in connect, or stuck */
		link_destroy(pdev);
	tsm = pci_tsm_of(pdev);
	if (tsm && tsm->link != TSM_LINK_NONE)
		return -EBUSY;
	rc = context_create(pdev, pdev);
	if (rc)
		return rc == -ENOMEM ? rc : -ENXIO;
	tsm = pdev->tsm;
	rc = dsm_lock(tsm);
	if (rc)
		return rc;
	w = image_write(tsm);
	w->link = TSM_LINK_CONNECTING;
	rc = tsm_link_make(pdev);
	w = image_write(tsm);
	if (!rc)
		w->link = TSM_LINK_CONNECTED;
	dsm_unlock(tsm);
	if (rc)
		link_destroy(pdev);
	else if (tee_capable(pdev))
		each_subfunction(pdev, subfunction_probe);
	return rc;
}

int pci_tsm_connect(const struct pci_dev *pdev, const char *tsm_name)
{
	struct trace_call call =
		TRACE_CALL(LANE_ADMIN, LANE_TSM, "tsm connect", A("rid", pdev->rid));
	unsigned int number = 0;
	int rc = name_parse(tsm_name, &number);

	if (!rc)
		rc = tsm_lock(KLOCK_WRITE);
	if (!rc) {
		rc = connect_locked(pdev, number);
		tsm_unlock(KLOCK_WRITE);
		image_commit();
	}
	trace_return(&call, rc, NULL);
	return rc;
}

int pci_tsm_disconnect(const struct pci_dev *pdev, const char *tsm_name)
{
	struct trace_call call =
		TRACE_CALL(LANE_ADMIN, LANE_TSM, "tsm disconnect", A("rid", pdev->rid));
	unsigned int number = 0;
	int rc = tsm_lock(KLOCK_WRITE);

	if (!rc) {
		const struct pci_tsm *tsm = pci_tsm_of(pdev);

		if (!tsm || tsm->link == TSM_LINK_NONE)
			rc = -ENXIO;
		else if (name_parse(tsm_name, &number) || number)
			rc = -EINVAL;
		else
			link_destroy(pdev);
		tsm_unlock(KLOCK_WRITE);
		image_commit();
	}
	trace_return(&call, rc, NULL);
	return rc;
}

void pci_tsm_destroy(const struct pci_dev *pdev)
{
	const struct pci_tsm *tsm = pci_tsm_of(pdev);

	if (!tsm || tsm_lock(KLOCK_WRITE))
		return;
	if (tsm->link != TSM_LINK_NONE) {
		link_destroy(pdev);
	} else if (pci_tsm_dsm(tsm) && !dsm_lock(tsm)) {
		const struct kvm *leaving = tdi_unwind(pdev);

		dsm_unlock(tsm);
		kvm_put(leaving);
		context_destroy(pdev);
	}
	tsm_unlock(KLOCK_WRITE);
	image_commit();
}

/* What a quarantine left undone, now that the device has forgotten everything. Locks held. */
static const struct kvm *quarantine_end(const struct pci_dev *pdev)
{
	const struct pci_tsm *tsm = pdev->tsm;
	const struct kvm *leaving;
	char *cause = image_log(tsm->cause, sizeof(tsm->cause));

	memset(cause, 0, sizeof(tsm->cause));
	leaving = tdi_unwind(pdev);
	if (tsm->vfio_waits)
		vfio_release(pdev);
	return leaving;
}

void pci_tsm_reset_done(const struct pci_dev *pdev)
{
	const struct pci_tsm *tsm = pci_tsm_of(pdev);
	struct pci_tsm *w;

	if (!tsm)
		return;
	if (tsm->link != TSM_LINK_NONE) {
		w = image_write(tsm);
		w->session_lost = w->was_reset = true;
	}
	if (tsm->cause[0] && !function_lock(pdev)) {
		const struct kvm *leaving = quarantine_end(pdev);

		function_unlock(pdev);
		kvm_put(leaving);
	}
	image_commit();
}

/* -- questions -------------------------------------------------------------------------------- */

bool pci_tsm_bound(const struct pci_dev *pdev)
{
	return pdev->tsm && pci_tsm_of(pdev)->tdi == TSM_TDI_BOUND;
}

bool pci_tsm_kept(const struct pci_dev *pdev)
{
	return pdev->tsm && pci_tsm_of(pdev)->tdi == TSM_TDI_KEPT;
}

bool pci_tsm_busy(const struct pci_dev *pdev)
{
	return pdev->tsm && pci_tsm_of(pdev)->tdi != TSM_TDI_NONE;
}

bool pci_tsm_connected(const struct pci_dev *pdev)
{
	return pdev->tsm && pci_tsm_of(pdev)->link == TSM_LINK_CONNECTED;
}

const struct kvm *pci_tsm_kvm(const struct pci_dev *pdev)
{
	return pci_tsm_busy(pdev) ? pci_tsm_of(pdev)->kvm : NULL;
}

const struct pci_dev *pci_tsm_dsm_dev(const struct pci_dev *pdev)
{
	return pdev->tsm ? pci_tsm_of(pdev)->dsm : NULL;
}

int pci_tsm_layout(const struct pci_dev *pdev, struct tsm_range *ranges, unsigned int max)
{
	const struct pci_tsm *tsm = pci_tsm_of(pdev);

	if (!tsm || !tsm->range_count)
		return -ENXIO;
	if (tsm->range_count > max)
		return -ENOSPC;
	memcpy(ranges, tsm->ranges, tsm->range_count * sizeof(*ranges));
	return (int)tsm->range_count;
}
