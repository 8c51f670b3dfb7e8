/* SPDX-License-Identifier: BSD-2-Clause */
/* X1-X10: what holds on every platform. */
#include <stdio.h>
#include <string.h>

#include "check/ghost.h"
#include "device/device.h"
#include "hardware/ide.h"
#include "kernel/iommufd/iommufd.h"
#include "kernel/kvm/kvm.h"
#include "kernel/pci/pci.h"
#include "kernel/tsm/tsm.h"

static bool tdi_live(uint8_t state)
{
	return state == TDISP_LOCKED || state == TDISP_RUN;
}

static void name_of(uint16_t rid, char out[16])
{
	snprintf(out, 16, "%02x:%02x.%x", rid >> 8, rid >> 3 & 31, rid & 7);
}

/* Each function the kernel knows to be bound; stops at the first for which fn says no. */
static bool bound_all(bool (*fn)(const struct pci_dev *pdev, char *why, size_t len), char *why, size_t len)
{
	uint16_t rid = 0;

	for (const struct pci_dev *pdev; (pdev = pci_dev_next(&rid)); rid++)
		if (pci_tsm_bound(pdev) && !fn(pdev, why, len))
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
		snprintf(why, len, "%s was reset and its TDI is still in state %u", name, tdi->state);
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

	if (kvm && kvm_file(kvm) && kvm_file(kvm)->refs)
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
		snprintf(why, len, "a process still has BAR%u+%#llx mapped", bar, (unsigned long long)offset);
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

/* After the TSM's unbind returned, the device is unlocked, gone, or quarantined with a cause. */
static bool x5(const struct trace_event *event, char *why, size_t len)
{
	const struct ghost_tdi *tdi;
	const struct pci_dev *pdev;
	const char *cause = "";

	if (event->kind != TRACE_KIND_STATE || !event_is(event, "tdi unbound"))
		return true;
	tdi = ghost_tdi_find((uint16_t)event_arg(event, "rid"));
	pdev = pci_dev_find((uint16_t)event_arg(event, "rid"));
	if (!tdi || !tdi_live(tdi->state) || !pdev || (pci_tsm_quarantined(pdev, &cause) && cause[0]))
		return true;
	snprintf(why, len, "unbind left the TDI in state %u", tdi->state);
	return false;
}

/* A bind that failed may have locked the device: it must have looked, and unwound. */
static bool x6(const struct trace_event *event, char *why, size_t len)
{
	const struct ghost_tdi *tdi;
	const struct pci_dev *pdev;
	const char *cause;

	if (event->kind != TRACE_KIND_CALL || !event_is(event, "tsm_bind") || event->result >= 0 ||
	    event->result == TRACE_PENDING)
		return true;
	pdev = pci_dev_find((uint16_t)event_arg(event, "rid"));
	tdi = ghost_tdi_find((uint16_t)event_arg(event, "rid"));
	if (!tdi || !pdev || tdi->bound || pci_tsm_bound(pdev) || pci_tsm_quarantined(pdev, &cause))
		return true;
	if (!tdi_live(tdi->state))
		return true;
	snprintf(why, len, "bind failed and left the TDI in state %u", tdi->state);
	return false;
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

/* An accepted page is what its GPA's range in the report says: the same function's TEE memory. */
static bool x8(const struct trace_event *event, char *why, size_t len)
{
	unsigned int bar;
	uint64_t offset;
	const struct function *fn;
	const struct ghost_page *page;

	if (event->kind != TRACE_KIND_STATE || !event_is(event, "S-EPT") ||
	    event_arg(event, "to") != SEPT_MMIO_MAPPED)
		return true;
	fn = function_at(event_arg(event, "hpa"), &bar, &offset);
	page = ghost_page_find(event_arg(event, "hpa"));
	if (fn && page && (page->func & 0xffff) == fn->rid)
		return true;
	snprintf(why, len, "GPA %#llx was accepted on a page its TDI does not report",
		 (unsigned long long)event_arg(event, "gpa"));
	return false;
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

/* Is the page that an MSI-X register (table or PBA) names in [hpa, +size), and not locked? */
static bool msix_page_in(const struct function *fn, uint32_t named, uint64_t hpa, uint64_t size)
{
	unsigned int bar = named & 7;
	uint64_t offset = named & ~0xfffu, page;

	if (bar >= FUNCTION_BARS || !fn->bar[bar].size)
		return false;
	page = fn->bar[bar].hpa + offset;
	return page >= hpa && page < hpa + size && device_mmio_attributes(fn->rid, bar, offset) < 0;
}

static int msix_leaf(uint64_t tdr, uint64_t gpa, uint64_t hpa, unsigned int level, enum sept_state state, void *arg)
{
	uint64_t size = level ? PHYS_2M : PHYS_PAGE, offset;
	unsigned int bar;
	const struct function *fn = function_at(hpa, &bar, &offset);

	(void)tdr, (void)gpa, (void)state, (void)arg;
	if (!fn || !fn->cap_msix)
		return 0;
	return msix_page_in(fn, config_read(fn->rid, fn->cap_msix + 4u, 4), hpa, size) ||
	       msix_page_in(fn, config_read(fn->rid, fn->cap_msix + 8u, 4), hpa, size);
}

static bool x10(char *why, size_t len)
{
	if (!tdx_sept_mmio_each(msix_leaf, NULL))
		return true;
	snprintf(why, len, "an S-EPT maps an MSI-X page that is not locked");
	return false;
}

const struct check check_all[] = {
	{ "X1", CHECK_STATE, "a reset of a bound device is refused, unbinds it, or breaks its TDI to ERROR", "R3.4",
	  "reset-keeps-run", x1, NULL },
	{ "X2", CHECK_STATE, "what is bound has a vdevice: destroying one unbinds first", "R1.4", "vdevice-forgets-unbind", x2, NULL },
	{ "X3", CHECK_STATE, "a VM outlives its bound devices", "R3.3", "no-kvm-reference", x3, NULL },
	{ "X4", CHECK_STATE, "no process has TEE pages mapped while their TDI is LOCKED or RUN", "R4.4", "keep-user-mapping", x4,
	  NULL },
	{ "X5", CHECK_HISTORY, "unbind ends unlocked, or quarantined with a cause", "R3.3", "unbind-without-stop", NULL, x5 },
	{ "X6", CHECK_HISTORY, "a bind that failed leaves nothing locked", "maybe-done rule", "bind-error-forgets", NULL, x6 },
	{ "X7", CHECK_HISTORY, "no host lane sees the bytes of T=1 traffic", "R3.5", "log-private-data", NULL, x7 },
	{ "X8", CHECK_HISTORY, "an accepted page is one that its TDI reports", "TDISP report rules", "accept-unreported", NULL, x8 },
	{ "X9", CHECK_STATE, "a TDI on a stream that is not secure is in ERROR", "PCIe 6.x chapter 11, transitions", "ignore-insecure", x9,
	  NULL },
	{ "X10", CHECK_STATE, "MSI-X pages are in no private slot unless locked", "R2.5", "private-msix", x10, NULL },
};
const size_t check_all_count = sizeof(check_all) / sizeof(check_all[0]);
