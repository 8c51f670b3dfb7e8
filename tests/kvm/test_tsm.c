/* SPDX-License-Identifier: BSD-2-Clause */
/* The TSM core with the TDX driver: connect, bind, requests, unbind, and what is left after
 * faults and kills. VFIO has no opener here; the MMIO is only owned, never mapped. */
#include "rig.h"

#include "hardware/doe.h"
#include "hardware/ide.h"
#include "image/klock.h"
#include "kernel/tsm/internal.h"

#define PF 0x0100
#define VF 0x0101

static const struct pci_dev *pdev_of(uint16_t rid)
{
	const struct pci_dev *pdev = pci_dev_find(rid);

	assert_non_null(pdev);
	return pdev;
}

static long sysfs_write(const struct rig *rig, const char *path, const char *text)
{
	int fd = sys_open(rig->task, path, O_WRONLY);
	long rc;

	if (fd < 0)
		return fd;
	rc = sys_write(rig->task, fd, text, strlen(text));
	sys_close(rig->task, fd);
	return rc < 0 ? rc : 0;
}

#define CONNECT "/sys/bus/pci/devices/0000:01:00.0/tsm/connect"
#define DISCONNECT "/sys/bus/pci/devices/0000:01:00.0/tsm/disconnect"

struct tsm_call {
	const struct task *task;
	const struct pci_dev *pdev;
	const struct kvm *kvm;
	uint32_t id;
	enum tsm_scope scope;
	uint32_t request;
	uint8_t out[16384];
	size_t out_len;
	uint64_t code;
};

static long do_bind(void *arg)
{
	struct tsm_call *call = arg;

	current_task_set(call->task);
	return pci_tsm_bind(call->pdev, call->kvm, call->id);
}

static long do_unbind(void *arg)
{
	struct tsm_call *call = arg;

	current_task_set(call->task);
	pci_tsm_unbind(call->pdev);
	return 0;
}

static long do_request(void *arg)
{
	struct tsm_call *call = arg;
	uint8_t in[4];
	struct writer w = writer_of(in, sizeof(in));

	current_task_set(call->task);
	put_le32(&w, call->request);
	return pci_tsm_guest_req(call->pdev, call->scope, in, sizeof(in), call->out, call->out_len,
				 &call->code);
}

static long tsm_bind(const struct rig *rig, uint16_t rid, const struct kvm *kvm)
{
	struct tsm_call call = { .task = rig->task, .pdev = pdev_of(rid), .kvm = kvm, .id = 8 };

	return image_call(do_bind, &call);
}

static void tsm_unbind(const struct rig *rig, uint16_t rid)
{
	struct tsm_call call = { .task = rig->task, .pdev = pdev_of(rid) };

	assert_int_equal(image_call(do_unbind, &call), 0);
}

static long tsm_ask(const struct rig *rig, uint16_t rid, uint32_t request, enum tsm_scope scope,
			struct tsm_call *call)
{
	*call = (struct tsm_call){ .task = rig->task,
				   .pdev = pdev_of(rid),
				   .request = request,
				   .scope = scope,
				   .out_len = sizeof(call->out) };
	return image_call(do_request, call);
}

static enum tdisp_state tdi_state(uint16_t rid)
{
	struct tdi_view view;

	assert_int_equal(device_tdi_view(rid, &view), 0);
	return view.state;
}

static int connected_td(void **state)
{
	struct rig *rig;

	if (rig_start(state))
		return -1;
	rig = *state;
	rig_td(rig);
	rig_ok(rig_tdx(rig, rig->vm, KVM_TDX_FINALIZE_VM, 0, NULL));
	return (int)sysfs_write(rig, CONNECT, "tsm0");
}

/* What the module and the kernel have of devices: nothing, but a link if one is up. */
struct left { uint64_t tdx, pages, tsm; };

static struct left left_now(void)
{
	return (struct left){ image_live(IMAGE_TYPE_TDX), image_live(IMAGE_TYPE_TDX_PAGE),
			      image_live(IMAGE_TYPE_TSM) };
}

static void assert_left(struct left was)
{
	struct left now = left_now();

	assert_int_equal(now.tdx, was.tdx);
	assert_int_equal(now.pages, was.pages);
	assert_int_equal(now.tsm, was.tsm);
}

static void assert_no_findings(void)
{
	char text[200] = "";

	if (klock_findings(text, sizeof(text)))
		fail_msg("%s", text);
}

static void R1_1_connect_makes_the_stream_secure(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(sysfs_write(rig, CONNECT, "nonsense"), -EINVAL);
	assert_int_equal(sysfs_write(rig, CONNECT, "tsm7"), -ENXIO);
	assert_int_equal(sysfs_write(rig, DISCONNECT, "tsm0"), -ENXIO);
	assert_int_equal(sysfs_write(rig, CONNECT, "tsm0\n"), 0);
	assert_int_equal(sysfs_write(rig, CONNECT, "tsm0"), -EBUSY);
	assert_true(pci_tsm_connected(pdev_of(PF)));
	assert_true(ide_default_stream(PF) >= 0);
	assert_true(ide_secure(PF, (uint8_t)ide_default_stream(PF)));
	assert_int_equal(sysfs_write(rig, DISCONNECT, "tsm1"), -EINVAL);
	assert_int_equal(sysfs_write(rig, DISCONNECT, "tsm0"), 0);
	assert_false(pci_tsm_connected(pdev_of(PF)));
	/* And again: the device is as before. */
	assert_int_equal(sysfs_write(rig, CONNECT, "tsm0"), 0);
	assert_int_equal(sysfs_write(rig, DISCONNECT, "tsm0"), 0);
	assert_no_findings();
}

static void R3_1_bind_locks_and_unbind_unlocks(void **state)
{
	struct rig *rig = *state;
	struct left was = left_now();
	struct tsm_range ranges[32];
	int n;

	assert_int_equal(tsm_bind(rig, VF, NULL), -EINVAL);
	assert_int_equal(tsm_bind(rig, VF, rig_kvm(rig)), 0);
	assert_true(pci_tsm_bound(pdev_of(VF)));
	assert_int_equal(tdi_state(VF), TDISP_LOCKED);
	assert_int_equal(tdi_state(PF), TDISP_UNLOCKED);
	assert_int_equal(tsm_bind(rig, VF, rig_kvm(rig)), 0);		/* the same VM again */
	n = pci_tsm_layout(pdev_of(VF), ranges, 32);
	assert_true(n > 0);
	tsm_unbind(rig, VF);
	assert_int_equal(tdi_state(VF), TDISP_UNLOCKED);
	assert_false(pci_tsm_bound(pdev_of(VF)));
	assert_int_equal(pci_tsm_layout(pdev_of(VF), ranges, 32), -ENXIO);
	tsm_unbind(rig, VF);						/* idempotent */
	assert_left(was);
	assert_no_findings();
}

/* BAR0 of the engine: one page of registers, MSI-X in pages 4 and 5, the rest; BAR2 whole. */
static void R2_3_layout_leaves_the_msix_pages_shared(void **state)
{
	static const struct tsm_range want[] = {
		{ 0, true, 0, 0x4000 }, { 0, false, 0x4000, 0x2000 }, { 0, true, 0x6000, 0xa000 },
		{ 2, true, 0, 0x200000 },
	};
	struct rig *rig = *state;
	struct tsm_range ranges[32];

	assert_int_equal(tsm_bind(rig, PF, rig_kvm(rig)), 0);
	assert_int_equal(pci_tsm_layout(pdev_of(PF), ranges, 32), 4);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(ranges[i].bar, want[i].bar);
		assert_int_equal(ranges[i].tee, want[i].tee);
		assert_int_equal(ranges[i].offset, want[i].offset);
		assert_int_equal(ranges[i].len, want[i].len);
	}
	/* The module gives the host's MSI-X pages to nobody (X10). */
	assert_int_equal(tdx_mmio_owner(function_find(PF)->bar[0].hpa + 0x4000), 0);
	assert_int_equal(tdx_mmio_owner(function_find(PF)->bar[0].hpa + 0x3000), PF);
	assert_int_equal(pci_tsm_layout(pdev_of(PF), ranges, 3), -ENOSPC);
}

static void R1_4_bind_errors(void **state)
{
	struct rig *rig = *state, other = *rig;

	assert_int_equal(sysfs_write(rig, DISCONNECT, "tsm0"), 0);
	assert_int_equal(tsm_bind(rig, VF, rig_kvm(rig)), -EINVAL);	/* not connected */
	assert_int_equal(sysfs_write(rig, CONNECT, "tsm0"), 0);
	rig_td(&other);
	assert_int_equal(tsm_bind(rig, VF, rig_kvm(rig)), 0);
	assert_int_equal(tsm_bind(rig, VF, rig_kvm(&other)), -EBUSY);
	/* Another function of the same DSM goes to another VM. */
	assert_int_equal(tsm_bind(rig, PF, rig_kvm(&other)), 0);
	assert_int_equal(tdi_state(PF), TDISP_LOCKED);
	/* Disconnecting unbinds all. */
	assert_int_equal(sysfs_write(rig, DISCONNECT, "tsm0"), 0);
	assert_int_equal(tdi_state(PF), TDISP_UNLOCKED);
	assert_int_equal(tdi_state(VF), TDISP_UNLOCKED);
	assert_false(pci_tsm_bound(pdev_of(VF)));
	assert_no_findings();
}

static void R1_5_guest_requests(void **state)
{
	struct rig *rig = *state;
	struct tsm_call call;
	struct reader report;
	long residue;

	assert_int_equal(tsm_ask(rig, VF, TSM_REQUEST_STATE, TSM_SCOPE_INFO, &call), -ENXIO);
	assert_int_equal(tsm_bind(rig, VF, rig_kvm(rig)), 0);
	assert_int_equal(tsm_ask(rig, VF, TSM_REQUEST_STATE, TSM_SCOPE_DEBUG_READ, &call),
			 -EINVAL);
	assert_int_equal(tsm_ask(rig, VF, 99, TSM_SCOPE_INFO, &call), -EINVAL);
	assert_int_equal(tsm_ask(rig, VF, TSM_REQUEST_STATE, TSM_SCOPE_INFO, &call),
			 sizeof(call.out) - 16);
	assert_int_equal(call.out[0], TDISP_LOCKED);
	residue = tsm_ask(rig, VF, TSM_REQUEST_REPORT, TSM_SCOPE_INFO, &call);
	assert_true(residue > 0 && residue < (long)sizeof(call.out) - 16);
	report = reader_of(call.out, sizeof(call.out) - (size_t)residue);
	get_bytes(&report, 12);
	assert_int_equal(get_le32(&report), 3);	/* ranges: BAR0 around MSI-X, BAR2 */
	residue = tsm_ask(rig, VF, TSM_REQUEST_CERTIFICATES, TSM_SCOPE_INFO, &call);
	assert_true(residue >= 0 && residue < (long)sizeof(call.out) - 100);
	residue = tsm_ask(rig, VF, TSM_REQUEST_MEASUREMENTS, TSM_SCOPE_INFO, &call);
	assert_true(residue >= 0 && residue < (long)sizeof(call.out));
	/* START changes state, and the guest has not authorised it. */
	assert_int_equal(tsm_ask(rig, VF, TSM_REQUEST_START, TSM_SCOPE_INFO, &call), -EPERM);
	assert_int_equal(tsm_ask(rig, VF, TSM_REQUEST_START, TSM_SCOPE_STATE_CHANGE, &call),
			 -EPERM);
	assert_true(tdx_class(call.code) == TDX_TDI_NOT_AUTHORISED);
	assert_int_equal(tdi_state(VF), TDISP_LOCKED);
}

/* -- faults ----------------------------------------------------------------------------------- */

/* Each SEAMCALL of a bind refused once: nothing is left, and the next bind works. */
static void R3_3_refused_bind_leaves_nothing(void **state)
{
	static const enum tdx_leaf leaves[] = { TDX_DEVIFMT_ADD, TDX_TDI_CREATE, TDX_MMIOMT_ADD,
						TDX_MMIOMT_SET,	 TDX_DMAR_ADD,	 TDX_TDI_BIND,
						TDX_TDI_REPORT };
	struct rig *rig = *state;
	struct left was = left_now();

	for (size_t i = 0; i < sizeof(leaves) / sizeof(leaves[0]); i++) {
		image_enter();
		tdx_inject(leaves[i], TDX_OPERAND_INVALID, 1);
		image_leave();
		assert_int_equal(tsm_bind(rig, VF, rig_kvm(rig)), -EINVAL);
		assert_int_equal(tdi_state(VF), TDISP_UNLOCKED);
		assert_left(was);
		assert_false(pci_tsm_quarantined(pdev_of(VF), NULL));
	}
	assert_int_equal(tsm_bind(rig, VF, rig_kvm(rig)), 0);
	tsm_unbind(rig, VF);
	assert_left(was);
}

static void R3_3_device_without_entropy(void **state)
{
	struct rig *rig = *state;
	struct left was = left_now();

	image_enter();
	device_inject(VF, DEVICE_FAULT_NO_ENTROPY, 1);
	image_leave();
	assert_true(tsm_bind(rig, VF, rig_kvm(rig)) < 0);
	assert_int_equal(tdi_state(VF), TDISP_UNLOCKED);
	assert_left(was);
	image_enter();
	device_inject(VF, DEVICE_FAULT_TDISP_BUSY, 2);
	image_leave();
	assert_int_equal(tsm_bind(rig, VF, rig_kvm(rig)), 0);
}

/* X8: ranges out of order are no layout. */
static void R3_3_lying_report_is_refused(void **state)
{
	struct rig *rig = *state;
	struct left was = left_now();

	image_enter();
	device_inject(VF, DEVICE_FAULT_LIE_REPORT, 4);
	image_leave();
	assert_true(tsm_bind(rig, VF, rig_kvm(rig)) < 0);
	assert_int_equal(tdi_state(VF), TDISP_UNLOCKED);
	assert_left(was);
}

/* A lost answer to STOP: nobody knows what the TDI is. Quarantine with a cause, until a reset. */
static void R3_3_lost_stop_is_a_quarantine_until_reset(void **state)
{
	struct rig *rig = *state;
	const char *cause = "";

	assert_int_equal(tsm_bind(rig, VF, rig_kvm(rig)), 0);
	image_enter();
	doe_inject(PF, DOE_FAULT_TIMEOUT, 8);
	image_leave();
	tsm_unbind(rig, VF);
	assert_true(pci_tsm_quarantined(pdev_of(VF), &cause));
	assert_true(strlen(cause) > 10);
	assert_false(pci_tsm_bound(pdev_of(VF)));
	assert_int_equal(tsm_bind(rig, VF, rig_kvm(rig)), -EIO);
	image_enter();
	doe_inject(PF, DOE_FAULT_NONE, 1);
	assert_int_equal(pci_reset_bus(pdev_of(PF)), 0);
	image_leave();
	assert_false(pci_tsm_quarantined(pdev_of(VF), NULL));
	assert_int_equal(sysfs_write(rig, DISCONNECT, "tsm0"), 0);
	assert_int_equal(sysfs_write(rig, CONNECT, "tsm0"), 0);
	assert_int_equal(tsm_bind(rig, VF, rig_kvm(rig)), 0);
	tsm_unbind(rig, VF);
	assert_int_equal(tdi_state(VF), TDISP_UNLOCKED);
}

/* X9: an insecure stream puts the TDI into ERROR; unbind succeeds all the same. */
static void R3_3_unbind_from_error(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(tsm_bind(rig, VF, rig_kvm(rig)), 0);
	image_enter();
	device_inject(VF, DEVICE_FAULT_INSECURE, 1);
	image_leave();
	assert_int_equal(tdi_state(VF), TDISP_ERROR_STATE);
	tsm_unbind(rig, VF);
	assert_int_equal(tdi_state(VF), TDISP_UNLOCKED);
	assert_false(pci_tsm_quarantined(pdev_of(VF), NULL));
}

/* -- kills ------------------------------------------------------------------------------------ */

static struct { unsigned int at, seen; } killer;

static void kill_hook(enum image_wait point, void *arg)
{
	(void)point;
	(void)arg;
	if (killer.seen++ == killer.at)
		image_call_abort(-EINTR);
}

/* A wait of the call under test, the process dies there; false: the call has fewer waits. */
static bool killed_at(const struct rig *rig, unsigned int wait, long (*fn)(void *arg),
		      struct tsm_call *call)
{
	killer.at = wait;
	killer.seen = 0;
	image_wait_hook(kill_hook, NULL);
	image_call(fn, call);
	image_wait_hook(NULL, NULL);
	image_enter();
	klock_release_all(rig->task->id);
	image_leave();
	return killer.seen > wait;
}

static void R3_3_killed_at_every_wait_of_bind(void **state)
{
	struct rig *rig = *state;
	struct tsm_call call = {
		.task = rig->task, .pdev = pdev_of(VF), .kvm = rig_kvm(rig), .id = 8
	};
	struct left was = left_now();
	unsigned int wait = 0;

	while (killed_at(rig, wait++, do_bind, &call)) {
		assert_false(pci_tsm_bound(pdev_of(VF)));
		tsm_unbind(rig, VF);	/* as the release of its files does */
		assert_int_equal(tdi_state(VF), TDISP_UNLOCKED);
		assert_false(pci_tsm_quarantined(pdev_of(VF), NULL));
		assert_left(was);
	}
	assert_true(wait > 5);
	assert_true(pci_tsm_bound(pdev_of(VF)));
	assert_no_findings();
}

static void R3_3_killed_at_every_wait_of_unbind(void **state)
{
	struct rig *rig = *state;
	struct tsm_call call = { .task = rig->task, .pdev = pdev_of(VF) };
	struct left was = left_now();
	unsigned int wait = 0;
	bool more = true;

	for (; more; wait++) {
		assert_int_equal(tsm_bind(rig, VF, rig_kvm(rig)), 0);
		more = killed_at(rig, wait, do_unbind, &call);
		tsm_unbind(rig, VF);
		assert_int_equal(tdi_state(VF), TDISP_UNLOCKED);
		assert_false(pci_tsm_quarantined(pdev_of(VF), NULL));
		assert_left(was);
	}
	assert_true(wait > 2);
	assert_no_findings();
}

static long do_connect(void *arg)
{
	struct tsm_call *call = arg;

	current_task_set(call->task);
	return pci_tsm_connect(call->pdev, "tsm0");
}

static void R3_3_killed_at_every_wait_of_connect(void **state)
{
	struct rig *rig = *state;
	struct tsm_call call = { .task = rig->task, .pdev = pdev_of(PF) };
	unsigned int wait = 0, waits = 0;

	assert_int_equal(sysfs_write(rig, DISCONNECT, "tsm0"), 0);
	while (killed_at(rig, wait, do_connect, &call)) {
		assert_false(pci_tsm_connected(pdev_of(PF)));
		wait += 1 + wait / 4;		/* a few dozen of some hundred waits */
		waits++;
	}
	assert_true(waits > 5);
	assert_true(pci_tsm_connected(pdev_of(PF)));
	assert_int_equal(tsm_bind(rig, VF, rig_kvm(rig)), 0);
	tsm_unbind(rig, VF);
	assert_no_findings();
}

/* -- always mapped ---------------------------------------------------------------------------- */

static int always_mapped(void **state)
{
	struct kernel_options options;
	int rc = connected_td(state);

	options = *kernel_options();
	options.sept = SEPT_ALWAYS_MAPPED;
	image_enter();
	rc = rc ? rc : kernel_options_set(&options);
	image_leave();
	return rc;
}

static long do_rest(void *arg)
{
	struct tsm_call *call = arg;

	current_task_set(call->task);
	return pci_tsm_rest(call->pdev);
}

static bool tsm_rest(const struct rig *rig, uint16_t rid)
{
	struct tsm_call call = { .task = rig->task, .pdev = pdev_of(rid) };

	return image_call(do_rest, &call);
}

static void R7_4_what_is_kept_is_the_next_binds(void **state)
{
	struct rig *rig = *state, other = *rig;
	struct left was = left_now();
	struct pci_tsm *w;

	assert_false(tsm_rest(rig, VF));
	assert_int_equal(tsm_bind(rig, VF, rig_kvm(rig)), 0);
	assert_true(tsm_rest(rig, VF));
	assert_true(pci_tsm_kept(pdev_of(VF)));
	assert_false(pci_tsm_bound(pdev_of(VF)));
	assert_int_equal(tdi_state(VF), TDISP_UNLOCKED);
	assert_int_equal(tdx_mmio_owner(function_find(VF)->bar[0].hpa), VF);
	assert_true(tsm_rest(rig, VF));					/* idempotent */
	rig_td(&other);
	assert_int_equal(tsm_bind(rig, VF, rig_kvm(&other)), -EBUSY);
	assert_int_equal(tsm_bind(rig, VF, rig_kvm(rig)), 0);
	assert_int_equal(tdi_state(VF), TDISP_LOCKED);
	assert_true(tsm_rest(rig, VF));
	/* Another layout than what is mapped: nothing is bound, and nothing stays. */
	image_enter();
	w = image_write(pci_tsm_of(pdev_of(VF)));
	w->ranges[0].len += PHYS_PAGE;
	image_leave();
	assert_int_equal(tsm_bind(rig, VF, rig_kvm(rig)), -EPROTO);
	assert_int_equal(tdi_state(VF), TDISP_UNLOCKED);
	assert_false(pci_tsm_busy(pdev_of(VF)));
	assert_int_equal(left_now().tsm, was.tsm);
	assert_int_equal(tdx_mmio_owner(function_find(VF)->bar[0].hpa), 0);
	assert_no_findings();
}

static void R7_4_killed_at_every_wait_over_what_is_kept(void **state)
{
	struct rig *rig = *state;
	struct tsm_call call = {
		.task = rig->task, .pdev = pdev_of(VF), .kvm = rig_kvm(rig), .id = 8
	};
	struct left was = left_now();
	unsigned int wait = 0, waits = 0;
	bool rests = true, binds = true;

	for (; rests || binds; wait++) {
		assert_int_equal(tsm_bind(rig, VF, rig_kvm(rig)), 0);
		rests = killed_at(rig, wait, do_rest, &call);
		if (!rests)
			assert_true(pci_tsm_kept(pdev_of(VF)));
		if (!rests)
			binds = killed_at(rig, waits++, do_bind, &call);
		tsm_unbind(rig, VF);
		assert_int_equal(tdi_state(VF), TDISP_UNLOCKED);
		assert_false(pci_tsm_quarantined(pdev_of(VF), NULL));
		assert_left(was);
	}
	assert_true(wait >= waits + 2 && waits > 5);
	assert_no_findings();
}

/* X3: the VM outlives the bind, whatever its descriptors do. */
static void R3_3_vm_outlives_the_bind(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(tsm_bind(rig, VF, rig_kvm(rig)), 0);
	image_enter();
	task_exit(rig->task);
	image_leave();
	assert_int_equal(image_live(IMAGE_TYPE_KVM), 1);
	assert_non_null(pci_tsm_kvm(pdev_of(VF)));
	image_enter();
	pci_tsm_unbind(pdev_of(VF));
	image_leave();
	assert_int_equal(image_live(IMAGE_TYPE_KVM), 0);
	assert_int_equal(image_live(IMAGE_TYPE_KVM_TD), 0);
	assert_int_equal(tdi_state(VF), TDISP_UNLOCKED);
	*state = rig;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(R1_1_connect_makes_the_stream_secure, rig_start,
						rig_stop),
		cmocka_unit_test_setup_teardown(R3_1_bind_locks_and_unbind_unlocks, connected_td,
						rig_stop),
		cmocka_unit_test_setup_teardown(R2_3_layout_leaves_the_msix_pages_shared,
						connected_td, rig_stop),
		cmocka_unit_test_setup_teardown(R1_4_bind_errors, connected_td, rig_stop),
		cmocka_unit_test_setup_teardown(R1_5_guest_requests, connected_td, rig_stop),
		cmocka_unit_test_setup_teardown(R3_3_refused_bind_leaves_nothing, connected_td,
						rig_stop),
		cmocka_unit_test_setup_teardown(R3_3_device_without_entropy, connected_td,
						rig_stop),
		cmocka_unit_test_setup_teardown(R3_3_lying_report_is_refused, connected_td,
						rig_stop),
		cmocka_unit_test_setup_teardown(R3_3_lost_stop_is_a_quarantine_until_reset,
						connected_td, rig_stop),
		cmocka_unit_test_setup_teardown(R3_3_unbind_from_error, connected_td, rig_stop),
		cmocka_unit_test_setup_teardown(R3_3_killed_at_every_wait_of_bind, connected_td,
						rig_stop),
		cmocka_unit_test_setup_teardown(R3_3_killed_at_every_wait_of_unbind, connected_td,
						rig_stop),
		cmocka_unit_test_setup_teardown(R3_3_killed_at_every_wait_of_connect, connected_td,
						rig_stop),
		cmocka_unit_test_setup_teardown(R7_4_what_is_kept_is_the_next_binds,
						always_mapped, rig_stop),
		cmocka_unit_test_setup_teardown(R7_4_killed_at_every_wait_over_what_is_kept,
						always_mapped, rig_stop),
		cmocka_unit_test_setup_teardown(R3_3_vm_outlives_the_bind, connected_td, rig_stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
