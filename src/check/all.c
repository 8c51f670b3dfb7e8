/* SPDX-License-Identifier: BSD-2-Clause */
/* X1-X10: what holds on every platform. */
#include <stdio.h>
#include <string.h>

#include "check/ghost.h"
#include "device/device.h"
#include "hardware/ide.h"
#include "hardware/platform.h"
#include "hardware/rmp.h"
#include "kernel/iommufd/iommufd.h"
#include "kernel/kvm/kvm.h"
#include "kernel/pci/pci.h"
#include "kernel/tsm/tsm.h"

static void name_of(uint16_t rid, char out[16])
{
	snprintf(out, 16, "%02x:%02x.%x", rid >> 8, rid >> 3 & 31, rid & 7);
}

/* Each function the kernel knows to be bound, or keeps what it was bound with; stops at the first for
 * which fn says no. */
static bool bound_all(
	bool (*fn)(const struct pci_dev *pdev, char *why, size_t len), char *why, size_t len)
{
	uint16_t rid = 0;

	for (const struct pci_dev *pdev; (pdev = pci_dev_next(&rid)); rid++)
		if ((pci_tsm_bound(pdev) || pci_tsm_kept(pdev)) && !fn(pdev, why, len))
			return false;
	return true;
}

static bool x1(char *why, size_t len)
{
	const struct ghost *ghost = ghost_root();

	for (unsigned int i = 0; i < GHOST_TDIS; i++) {
		const struct ghost_tdi *tdi = &ghost->tdi[i];
		char name[16];

		if (!tdi->rid || !tdi->reset_at || !tdi_live(tdi->state))
			continue;
		name_of(tdi->rid, name);
		snprintf(why, len, "%s was reset and its TDI is still in state %u", name,
			tdi->state);
		return false;
	}
	return true;
}

static bool x2_one(const struct pci_dev *pdev, char *why, size_t len)
{
	char name[16];

	if (iommufd_vdevice_exists(pdev))
		return true;
	name_of(pdev->rid, name);
	snprintf(why, len, "%s is bound and has no vdevice", name);
	return false;
}

static bool x2(char *why, size_t len)
{
	return bound_all(x2_one, why, len);
}

static bool x3_one(const struct pci_dev *pdev, char *why, size_t len)
{
	const struct kvm *kvm = pci_tsm_kvm(pdev);
	char name[16];

	if (ghost_vm_lives(kvm))
		return true;
	name_of(pdev->rid, name);
	snprintf(why, len, "%s is bound to a VM that is gone", name);
	return false;
}

static bool x3(char *why, size_t len)
{
	return bound_all(x3_one, why, len);
}

/* A mapping of a VFIO device file that still works, over TEE pages of a LOCKED or RUN TDI. */
static bool vma_hidden(const struct vma *vma, char *why, size_t len)
{
	struct tdi_view view;
	uint64_t offset;
	unsigned int bar;

	for (uint64_t at = 0; at < vma->len; at += PHYS_PAGE) {
		const struct function *fn = function_at(vma->hpa + at, &bar, &offset);
		int attributes;

		if (!fn || device_tdi_view(fn->rid, &view) || !tdi_live((uint8_t)view.state))
			continue;
		attributes = device_mmio_attributes(fn->rid, bar, offset);
		if (attributes < 0 || attributes & TDISP_RANGE_NON_TEE)
			continue;
		snprintf(why, len, "a process still has BAR%u+%#llx mapped", bar,
			(unsigned long long)offset);
		return false;
	}
	return true;
}

static bool x4(char *why, size_t len)
{
	const struct task *task;
	uint32_t index = 0;

	while ((task = task_next(&index)))
		for (unsigned int i = 0; i < TASK_VMAS; i++) {
			const struct vma *vma = &task->vmas[i];

			if (vma->len && vma->hpa && !vma->revoked && !vma_hidden(vma, why, len))
				return false;
		}
	return true;
}

/* When the TSM has unbound, the device is unlocked, gone, or quarantined with a cause. What a bind
 * that failed took down is X6's. */
static bool x5(const struct trace_event *event, char *why, size_t len)
{
	const struct ghost_tdi *tdi;
	const struct pci_dev *pdev;
	const char *cause = "";

	if (event->kind != TRACE_KIND_STATE || !event_is(event, "tdi unbound") ||
		ghost_enclosing(event, "tsm_bind"))
		return true;
	tdi = ghost_tdi_find((uint16_t)event_arg(event, "rid"));
	pdev = pci_dev_find((uint16_t)event_arg(event, "rid"));
	if (!tdi || !tdi_live(tdi->state) || !pdev ||
		(pci_tsm_quarantined(pdev, &cause) && cause[0]))
		return true;
	snprintf(why, len, "unbind left the TDI in state %u", tdi->state);
	return false;
}

/* A bind that failed may have locked the device: it must have looked, and unwound. */
static bool x6(char *why, size_t len)
{
	const struct ghost *ghost = ghost_root();
	const char *cause;
	char name[16];

	for (unsigned int i = 0; i < GHOST_TDIS; i++) {
		const struct ghost_tdi *tdi = &ghost->tdi[i];
		const struct pci_dev *pdev = tdi->rid ? pci_dev_find(tdi->rid) : NULL;

		if (!pdev || !tdi->bind_failed || !tdi_live(tdi->state) || pci_tsm_busy(pdev) ||
			pci_tsm_quarantined(pdev, &cause))
			continue;
		name_of(tdi->rid, name);
		snprintf(why, len, "bind of %s failed and left its TDI in state %u", name,
			tdi->state);
		return false;
	}
	return true;
}

/* Host lanes see addresses and lengths of T=1 traffic, never its bytes. */
static bool x7(const struct trace_event *event, char *why, size_t len)
{
	bool host = event->to == LANE_VMM || event->to == LANE_VFIO || event->to == LANE_IOMMUFD ||
		    event->to == LANE_TSM || event->to == LANE_KVM;

	if (!host || !event_arg(event, "t"))
		return true;
	for (unsigned int i = 0; i < event->nargs; i++)
		if (!strcmp(event->args[i].key, "data")) {
			snprintf(why, len, "'%s' carries T=1 data into the %s lane", event->name,
				lane_name((enum lane)event->to));
			return false;
		}
	return true;
}

/* The guest names a place in the report; the host chose the page. They must be the same page, and
 * TEE memory of the function whose TDI the guest named. */
static bool x8_tdx(const struct trace_event *event, char *why, size_t len)
{
	const struct trace_event *accept;
	uint64_t pages, hpa = event_arg(event, "hpa"), offset;
	const struct function *fn;
	unsigned int bar;
	int kind;

	if (event->kind != TRACE_KIND_STATE || !event_is(event, "S-EPT") ||
		event_arg(event, "to") != SEPT_MMIO_MAPPED)
		return true;
	accept = ghost_enclosing(event, "TDG.MMIO.ACCEPT");
	if (!accept)
		return true; /* T6 */
	pages = (event_arg(event, "gpa") - event_arg(accept, "gpa")) / PHYS_PAGE +
		(event_arg(accept, "pages") >> 32);
	fn = function_at(hpa, &bar, &offset);
	kind = fn ? device_mmio_attributes(fn->rid, bar, offset) : -1;
	if (kind >= 0 && !(kind & TDISP_RANGE_NON_TEE) &&
		fn->rid == (uint16_t)event_arg(accept, "func") &&
		ghost_reported(fn->rid, event_arg(accept, "index"), pages) == hpa)
		return true;
	snprintf(why, len, "GPA %#llx was accepted on a page its TDI does not report there",
		(unsigned long long)event_arg(event, "gpa"));
	return false;
}

/* On SEV the guest names a range's id: the PSP looks the page up. */
static bool x8_sev(const struct trace_event *event, char *why, size_t len)
{
	uint64_t hpa = event_arg(event, "hpa"), offset;
	unsigned int bar;

	if (event->kind != TRACE_KIND_STATE || !event_is(event, "RMP validated") ||
		!event_arg(event, "to"))
		return true;
	for (uint64_t i = 0; i < event_arg(event, "pages"); i++) {
		const struct function *fn = function_at(hpa + i * PHYS_PAGE, &bar, &offset);
		int kind = fn ? device_mmio_attributes(fn->rid, bar, offset) : -1;

		if (kind >= 0 && !(kind & TDISP_RANGE_NON_TEE) &&
			fn->rid == (uint16_t)event_arg(event, "rid"))
			continue;
		snprintf(why, len, "GPA %#llx was validated on a page its TDI does not report",
			(unsigned long long)(event_arg(event, "gpa") + i * PHYS_PAGE));
		return false;
	}
	return true;
}

static bool x8(const struct trace_event *event, char *why, size_t len)
{
	return machine_platform() == PLATFORM_SEV ? x8_sev(event, why, len) :
						    x8_tdx(event, why, len);
}

static bool x9(char *why, size_t len)
{
	struct tdi_view view;
	uint16_t rid = 0;
	char name[16];

	for (const struct function *fn; (fn = function_next(&rid)); rid++) {
		if (device_tdi_view(rid, &view) || !tdi_live((uint8_t)view.state) ||
			ide_secure(fn->pf_rid, view.stream))
			continue;
		name_of(rid, name);
		snprintf(why, len, "%s is in state %u on a stream that is not secure", name,
			(unsigned int)view.state);
		return false;
	}
	return true;
}

/* The page that an MSI-X register (table or PBA) names; 0: none, or locked. */
static uint64_t msix_page(const struct function *fn, unsigned int reg)
{
	uint32_t named = config_read(fn->rid, fn->cap_msix + reg, 4);
	unsigned int bar = named & 7;
	uint64_t offset = named & ~0xfffu;

	if (bar >= FUNCTION_BARS || !fn->bar[bar].size ||
		device_mmio_attributes(fn->rid, bar, offset) >= 0)
		return 0;
	return fn->bar[bar].hpa + offset;
}

static bool msix_in(const struct function *fn, uint64_t hpa, uint64_t size)
{
	return fn && fn->cap_msix &&
	       (msix_page(fn, 4) - hpa < size || msix_page(fn, 8) - hpa < size);
}

static int msix_leaf(uint64_t tdr, uint64_t gpa, uint64_t hpa, unsigned int level,
	enum sept_state state, void *arg)
{
	uint64_t offset;
	unsigned int bar;

	(void)tdr, (void)gpa, (void)state, (void)arg;
	return msix_in(function_at(hpa, &bar, &offset), hpa, level ? PHYS_2M : PHYS_PAGE);
}

/* Is a page of MSI-X a guest's in the RMP? */
static bool msix_in_rmp(void)
{
	uint16_t rid = 0;

	for (const struct function *fn; (fn = function_next(&rid)); rid++)
		if (fn->cap_msix &&
			(rmp_read(msix_page(fn, 4)).asid || rmp_read(msix_page(fn, 8)).asid))
			return true;
	return false;
}

static bool x10(char *why, size_t len)
{
	bool there = machine_platform() == PLATFORM_TDX ? tdx_sept_mmio_each(msix_leaf, NULL) :
			     machine_platform() == PLATFORM_SEV ? msix_in_rmp() :
								  false;

	if (there)
		snprintf(why, len, "a guest has an MSI-X page that is not locked as its own");
	return !there;
}

const struct check check_all[] = {
	{
		.id = "X1",
		.kind = CHECK_STATE,
		.sentence = "a reset of a bound device is refused, unbinds it, or breaks its TDI "
			    "to ERROR",
		.source = "R3.4",
		.mutant = "reset-keeps-run",
		.holds = x1,
	},
	{
		.id = "X2",
		.kind = CHECK_STATE,
		.sentence = "what is bound has a vDEVICE: destroying one unbinds first",
		.source = "R1.4",
		.mutant = "vdevice-forgets-unbind",
		.holds = x2,
	},
	{
		.id = "X3",
		.kind = CHECK_STATE,
		.sentence = "a VM outlives its bound devices",
		.source = "R3.3",
		.mutant = "no-kvm-reference",
		.holds = x3,
	},
	{
		.id = "X4",
		.kind = CHECK_STATE,
		.sentence = "no process has TEE pages mapped while their TDI is LOCKED or RUN",
		.source = "R4.4",
		.mutant = "keep-user-mapping",
		.holds = x4,
	},
	{
		.id = "X5",
		.kind = CHECK_HISTORY,
		.sentence = "unbind ends unlocked, or quarantined with a cause",
		.source = "R3.3",
		.mutant = "unbind-without-stop",
		.event = x5,
	},
	{
		.id = "X6",
		.kind = CHECK_STATE,
		.sentence = "a bind that failed leaves nothing locked",
		.source = "maybe-done rule",
		.mutant = "bind-error-forgets",
		.holds = x6,
	},
	{
		.id = "X7",
		.kind = CHECK_HISTORY,
		.sentence = "no host lane sees the bytes of T=1 traffic",
		.source = "R3.5",
		.mutant = "log-private-data",
		.event = x7,
	},
	{
		.id = "X8",
		.kind = CHECK_HISTORY,
		.sentence = "an accepted page is the one that its TDI reports at that place",
		.source = "PCIe 6.x 11.3.11, TDX Connect ABI, TDG.MMIO.ACCEPT",
		.mutant = "accept-unreported",
		.event = x8,
	},
	{
		.id = "X9",
		.kind = CHECK_STATE,
		.sentence = "a TDI on a stream that is not secure is in ERROR",
		.source = "PCIe 6.x chapter 11, transitions",
		.mutant = "ignore-insecure",
		.holds = x9,
	},
	{
		.id = "X10",
		.kind = CHECK_STATE,
		.sentence = "MSI-X pages are in no private slot unless locked",
		.source = "R2.5",
		.mutant = "private-msix",
		.holds = x10,
	},
};
const size_t check_all_count = sizeof(check_all) / sizeof(check_all[0]);
