/* SPDX-License-Identifier: BSD-2-Clause */
/* T1-T16: what TDX Connect promises. */
#include <stdio.h>
#include <string.h>

#include "check/ghost.h"
#include "device/device.h"
#include "hardware/ide.h"
#include "kernel/kvm/kvm.h"
#include "kernel/pci/pci.h"
#include "kernel/tsm/tsm.h"

static bool tdi_live(uint8_t state)
{
	return state == TDISP_LOCKED || state == TDISP_RUN;
}

static bool stream_blocked(void)
{
	const struct ghost *ghost = ghost_root();

	for (unsigned int i = 0; i < GHOST_STREAMS; i++)
		if (ghost->stream[i].used && ghost->stream[i].blocked)
			return true;
	return false;
}

/* -- T1: pages the TDISP report calls TEE memory, while the TDI is LOCKED or RUN ---------------- */

/* The first TEE page of a LOCKED or RUN TDI inside [hpa, +len), as (bar, offset); NULL: none. */
static const struct function *tee_page(uint64_t hpa, uint64_t len, unsigned int *bar, uint64_t *offset)
{
	struct tdi_view view;

	for (uint64_t at = hpa; at < hpa + len; at += PHYS_PAGE) {
		const struct function *fn = function_at(at, bar, offset);
		int attributes;

		if (!fn || device_tdi_view(fn->rid, &view) || !tdi_live((uint8_t)view.state))
			continue;
		attributes = device_mmio_attributes(fn->rid, *bar, *offset);
		if (attributes >= 0 && !(attributes & TDISP_RANGE_NON_TEE))
			return fn;
	}
	return NULL;
}

static bool ept_hides(const struct pt *ept, char *why, size_t len)
{
	uint64_t at = 0, offset;
	struct pt_leaf leaf;
	unsigned int bar;

	while ((at = pt_next_mapped(ept, at)) != UINT64_MAX && !pt_walk(ept, at, &leaf)) {
		uint64_t start = leaf.hpa & ~(leaf.size - 1);
		const struct function *fn = phys_is_mmio(start) ? tee_page(start, leaf.size, &bar, &offset) : NULL;

		if (fn) {
			snprintf(why, len, "the shared EPT maps BAR%u+%#llx of %02x:%02x.%x", bar,
				 (unsigned long long)offset, fn->rid >> 8, fn->rid >> 3 & 31, fn->rid & 7);
			return false;
		}
		at = (leaf.address & ~(leaf.size - 1)) + leaf.size;
	}
	return true;
}

static bool t1(char *why, size_t len)
{
	uint16_t rid = 0;

	for (const struct pci_dev *pdev; (pdev = pci_dev_next(&rid)); rid++) {
		const struct kvm *kvm = pci_tsm_kvm(pdev);
		const struct vcpu_hw *vcpu = kvm ? kvm_vcpu_hw(kvm, 0) : NULL;

		if (vcpu && vcpu->ept && !ept_hides(vcpu->ept, why, len))
			return false;
	}
	return true;
}

/* -- T2, T3: the end of an MMIO leaf ------------------------------------------------------------ */

static bool mmio_unmapped(const struct trace_event *event)
{
	return event->kind == TRACE_KIND_STATE && event_is(event, "S-EPT") &&
	       event_arg(event, "from") >= SEPT_MMIO_PENDING && event_arg(event, "to") == SEPT_FREE;
}

static bool t2(const struct trace_event *event, char *why, size_t len)
{
	const struct ghost_tdi *tdi;

	if (!mmio_unmapped(event))
		return true;
	tdi = ghost_tdi_find(ghost_rid_of(event_arg(event, "hpa")));
	if (!tdi || tdi->state == TDISP_UNLOCKED || stream_blocked())
		return true;
	snprintf(why, len, "GPA %#llx was unmapped while the TDI is in state %u",
		 (unsigned long long)event_arg(event, "gpa"), tdi->state);
	return false;
}

static bool t3(const struct trace_event *event, char *why, size_t len)
{
	const struct ghost *ghost = ghost_root();
	const struct ghost_leaf *leaf;

	if (!mmio_unmapped(event))
		return true;
	leaf = ghost_leaf_find(event_arg(event, "tdr"), event_arg(event, "gpa"));
	if (leaf && leaf->state == SEPT_MMIO_BLOCKED && ghost->tracked_at > leaf->blocked_at &&
	    ghost->invalidated_at > leaf->blocked_at)
		return true;
	snprintf(why, len, "GPA %#llx was unmapped without block, track and invalidation before it",
		 (unsigned long long)event_arg(event, "gpa"));
	return false;
}

/* -- T4, T10, T11: nothing goes before what depends on it ---------------------------------------- */

static bool t4(const struct trace_event *event, char *why, size_t len)
{
	const struct ghost *ghost = ghost_root();
	const struct ghost_tdi *tdi;
	uint16_t rid;

	if (!event_done(event, "TDH.TDI.REMOVE"))
		return true;
	rid = (uint16_t)event_arg(event, "func");
	tdi = ghost_tdi_find(rid);
	for (unsigned int i = 0; i < GHOST_LEAVES; i++)
		if (ghost->leaf[i].state && ghost_rid_of(ghost->leaf[i].hpa) == rid) {
			snprintf(why, len, "a TDI was removed while GPA %#llx maps its MMIO",
				 (unsigned long long)ghost->leaf[i].gpa);
			return false;
		}
	return !tdi || tdi->dmar == DMAR_FREE;
}

static bool t10(const struct trace_event *event, char *why, size_t len)
{
	const struct ghost *ghost = ghost_root();

	(void)why, (void)len;
	if (event_done(event, "TDH.IDE.STREAM.DELETE"))
		for (unsigned int i = 0; i < GHOST_TDIS; i++)
			if (ghost->tdi[i].present)
				return false;
	if (event_done(event, "TDH.SPDM.DELETE"))
		for (unsigned int i = 0; i < GHOST_STREAMS; i++)
			if (ghost->stream[i].used)
				return false;
	return true;
}

static bool t11(const struct trace_event *event, char *why, size_t len)
{
	struct tdx_tdi_view view;

	(void)why, (void)len;
	if (!event_done(event, "TDH.MNG.VPFLUSHDONE"))
		return true;
	for (unsigned int i = 0; i < GHOST_TDIS; i++)
		if (ghost_root()->tdi[i].present && !tdx_tdi_view(ghost_root()->tdi[i].rid, &view) &&
		    view.tdr == event_arg(event, "tdr"))
			return false;
	return true;
}

/* -- T5, T6: only the guest accepts --------------------------------------------------------------- */

static bool t5(const struct trace_event *event, char *why, size_t len)
{
	(void)why, (void)len;
	if (event->kind != TRACE_KIND_STATE || !event_is(event, "DMAR") || event_arg(event, "level") != 3 ||
	    event_arg(event, "to") != DMAR_PRESENT)
		return true;
	return ghost_enclosing(event, "TDG.DMAR.ACCEPT") != NULL;
}

static bool t6(const struct trace_event *event, char *why, size_t len)
{
	unsigned int bar;
	uint64_t offset;
	const struct function *fn;

	if (event->kind != TRACE_KIND_STATE || !event_is(event, "S-EPT") ||
	    event_arg(event, "to") != SEPT_MMIO_MAPPED)
		return true;
	if (!ghost_enclosing(event, "TDG.MMIO.ACCEPT")) {
		snprintf(why, len, "GPA %#llx became accepted without the guest's word",
			 (unsigned long long)event_arg(event, "gpa"));
		return false;
	}
	fn = function_at(event_arg(event, "hpa"), &bar, &offset);
	return fn && device_mmio_attributes(fn->rid, bar, offset) >= 0;
}

/* -- T7, T15: RUN is what the guest authorised in this session -------------------------------------- */

static bool t7(const struct trace_event *event, char *why, size_t len)
{
	const struct ghost_tdi *tdi;

	(void)why, (void)len;
	if (event->kind != TRACE_KIND_STATE || event->from != LANE_DEVICE || !event_is(event, "TDI") ||
	    event_arg(event, "to") != TDISP_RUN)
		return true;
	tdi = ghost_tdi_find((uint16_t)event_arg(event, "rid"));
	return tdi && tdi->locked_at && tdi->authorised_at > tdi->locked_at &&
	       event_arg(event, "from") == TDISP_LOCKED;
}

static bool t15(const struct trace_event *event, char *why, size_t len)
{
	const struct ghost_tdi *tdi;
	struct ghost_tdi *w;
	uint64_t session;

	if (event->kind != TRACE_KIND_STATE || !event_is(event, "TDI bind"))
		return true;
	session = event_arg(event, "session");
	tdi = ghost_tdi_find((uint16_t)event_arg(event, "func"));
	if (!tdi)
		return true;
	if (session <= tdi->session) {
		snprintf(why, len, "bind session %llu follows %llu", (unsigned long long)session,
			 (unsigned long long)tdi->session);
		return false;
	}
	w = image_write(tdi);
	w->session = session;
	return true;
}

/* -- T8, T9: who reaches what ------------------------------------------------------------------------ */

/* A DMA with T=1 that was served. */
static bool t8(const struct trace_event *event, char *why, size_t len)
{
	const struct ghost_tdi *tdi;

	if (event->kind != TRACE_KIND_CALL || event->from != LANE_DEVICE || event->to != LANE_HARDWARE ||
	    event->result || !event_arg(event, "t"))
		return true;
	tdi = ghost_tdi_find((uint16_t)event_arg(event, "rid"));
	if (tdi && tdi->state == TDISP_RUN && tdi->dmar == DMAR_PRESENT &&
	    event_arg(event, "stream") != TLP_NO_STREAM)
		return true;
	snprintf(why, len, "DMA with T=1 was served: TDI state %u, DMAR state %u, stream %#llx",
		 tdi ? tdi->state : 0u, tdi ? tdi->dmar : 0u,
		 (unsigned long long)event_arg(event, "stream"));
	return false;
}

static bool t9(const struct trace_event *event, char *why, size_t len)
{
	const struct ghost_page *page;

	if (event->kind != TRACE_KIND_STATE || !event_is(event, "MMIOMT") || !event_arg(event, "to"))
		return true;
	page = ghost_page_find(event_arg(event, "hpa"));
	if (!page || !page->func)
		return true;
	snprintf(why, len, "page %#llx of TDI %#llx was given to TDI %#llx", (unsigned long long)page->hpa,
		 (unsigned long long)page->func, (unsigned long long)event_arg(event, "to"));
	return false;
}

/* -- T12, T13, T14 ------------------------------------------------------------------------------------- */

static bool t12(const struct trace_event *event, char *why, size_t len)
{
	static const char *const never[] = { "TDISP LOCK", "TDISP START", "TDISP GET_DEVICE_INTERFACE_REPORT",
					     "TDISP BIND_P2P", "TDISP UNBIND_P2P", "TDISP SET_MMIO" };
	const struct ghost_tdi *tdi;

	if (event->kind != TRACE_KIND_CALL || event->to != LANE_DEVICE || event->result)
		return true;
	tdi = ghost_tdi_find((uint16_t)event_arg(event, "rid"));
	if (!tdi || tdi->state != TDISP_ERROR_STATE)
		return true;
	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
		if (!strncmp(event->name, never[i], strlen(never[i]))) {
			snprintf(why, len, "%s succeeded in ERROR", event->name);
			return false;
		}
	return true;
}

/* A function the host has unbound leaves nothing behind in the module. */
static bool t13(char *why, size_t len)
{
	const struct ghost *ghost = ghost_root();
	struct tdx_tdi_view view;
	const char *cause;

	for (unsigned int i = 0; i < GHOST_TDIS; i++) {
		const struct ghost_tdi *tdi = &ghost->tdi[i];
		const struct pci_dev *pdev = tdi->rid ? pci_dev_find(tdi->rid) : NULL;

		if (!pdev || tdi->bound || pci_tsm_bound(pdev) || pci_tsm_quarantined(pdev, &cause))
			continue;
		if (tdi_live(tdi->state) || !tdx_tdi_view(tdi->rid, &view)) {
			snprintf(why, len, "%02x:%02x.%x is not bound, yet %s", tdi->rid >> 8, tdi->rid >> 3 & 31,
				 tdi->rid & 7, tdi_live(tdi->state) ? "its TDI is locked" : "the module has its TDI");
			return false;
		}
	}
	return true;
}

static bool t14(char *why, size_t len)
{
	return klock_findings(why, len) == 0;
}

#define PCIE "PCIe 6.x chapter 11"
#define TDXC "TDX Connect ABI"

const struct check check_tdx[] = {
	{ "T1", CHECK_STATE, "no shared mapping of a TEE page while its TDI is LOCKED or RUN", "R4.4, the chart's steps 17-48",
	  "keep-shared-mapping", t1, NULL },
	{ "T2", CHECK_HISTORY, "no private MMIO page leaves the S-EPT unless the TDI is UNLOCKED or its stream blocked",
	  TDXC ", TDH.MMIO.UNMAP", "unmap-before-stop", NULL, t2 },
	{ "T3", CHECK_HISTORY, "every unmap follows a block, a TLB epoch and an IOTLB invalidation", TDXC ", TDH.MMIO.UNMAP",
	  "skip-track", NULL, t3 },
	{ "T4", CHECK_HISTORY, "a TDI is removed only without mapped MMIO and without a DMAR entry", TDXC ", TDH.TDI.REMOVE",
	  "remove-with-mmio", NULL, t4 },
	{ "T5", CHECK_HISTORY, "a DMAR leaf becomes present by the guest's accept only", TDXC ", TDG.DMAR.ACCEPT",
	  "dmar-self-accept", NULL, t5 },
	{ "T6", CHECK_HISTORY, "private MMIO becomes usable by the guest's accept of a reported page only",
	  TDXC ", TDG.MMIO.ACCEPT", "mmio-self-accept", NULL, t6 },
	{ "T7", CHECK_HISTORY, "a TDI enters RUN only when the guest authorised this bind session", TDXC ", TDG.TDI.START",
	  "start-unauthorised", NULL, t7 },
	{ "T8", CHECK_HISTORY, "T=1 DMA is served only in RUN, on a secure stream, with a present DMAR entry", PCIE ", TDISP rules",
	  "dma-before-run", NULL, t8 },
	{ "T9", CHECK_HISTORY, "a MMIO page belongs to at most one TDI", TDXC ", TDH.MMIOMT.SET", "mmiomt-steal", NULL, t9 },
	{ "T10", CHECK_HISTORY, "a stream goes after its TDIs, an SPDM session after its streams", TDXC ", TDH.IDE.STREAM.DELETE",
	  "delete-stream-early", NULL, t10 },
	{ "T11", CHECK_HISTORY, "a TD is not torn down while it has TDIs", TDXC ", TDH.MNG.VPFLUSHDONE", "td-before-tdi", NULL, t11 },
	{ "T12", CHECK_HISTORY, "in ERROR a TDI answers GET_STATE and STOP only", PCIE ", transitions", "start-in-error", NULL, t12 },
	{ "T13", CHECK_STATE, "what is unbound is unlocked, and the module has forgotten it", "the chart's step 50", "forget-remove",
	  t13, NULL },
	{ "T14", CHECK_PROGRESS, "a revoke holds no lock that unbind needs", "revoke and unbind lock order", "revoke-under-dsm", t14,
	  NULL },
	{ "T15", CHECK_HISTORY, "bind sessions strictly increase", TDXC ", TDG.TDI.START", "session-reuse", NULL, t15 },
	{ "T16", CHECK_CONFLUENCE, "closing descriptors in any order ends in the same state", "R3.3", "leak-on-kvm-first", NULL, NULL },
};
const size_t check_tdx_count = sizeof(check_tdx) / sizeof(check_tdx[0]);
