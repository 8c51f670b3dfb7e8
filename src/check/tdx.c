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

static bool stream_blocked(void)
{
	const struct ghost *ghost = ghost_root();

	for (unsigned int i = 0; i < GHOST_STREAMS; i++)
		if (ghost->stream[i].used && ghost->stream[i].blocked)
			return true;
	return false;
}

/* -- T1: pages the TDISP report calls TEE memory, while the TDI is LOCKED or RUN ----------------
 */

/* The first TEE page of a LOCKED or RUN TDI inside [hpa, +len), as (bar, offset); NULL: none. */
static const struct function *tee_page(
	uint64_t hpa, uint64_t len, unsigned int *bar, uint64_t *offset)
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
		const struct function *fn =
			phys_is_mmio(start) ? tee_page(start, leaf.size, &bar, &offset) : NULL;

		if (fn) {
			snprintf(why, len, "the shared EPT maps BAR%u+%#llx of %02x:%02x.%x", bar,
				(unsigned long long)offset, fn->rid >> 8, fn->rid >> 3 & 31,
				fn->rid & 7);
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
		const struct vcpu_hw *vcpu = ghost_vm_lives(kvm) ? kvm_vcpu_hw(kvm, 0) : NULL;

		if (vcpu && vcpu->ept && !ept_hides(vcpu->ept, why, len))
			return false;
	}
	return true;
}

/* -- T2, T3: the end of an MMIO leaf ------------------------------------------------------------
 */

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

/* -- T4, T10, T11: nothing goes before what depends on it ----------------------------------------
 */

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
			if (ghost->tdi[i].present &&
				ghost->tdi[i].stream == event_arg(event, "stream"))
				return false;
	if (event_done(event, "TDH.SPDM.DELETE"))
		for (unsigned int i = 0; i < GHOST_STREAMS; i++)
			if (ghost->stream[i].used &&
				ghost->stream[i].spdm == event_arg(event, "spdm"))
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
		if (ghost_root()->tdi[i].present &&
			!tdx_tdi_view(ghost_root()->tdi[i].rid, &view) &&
			view.tdr == event_arg(event, "tdr"))
			return false;
	return true;
}

/* -- T5, T6: only the guest accepts ---------------------------------------------------------------
 */

static bool t5(const struct trace_event *event, char *why, size_t len)
{
	(void)why, (void)len;
	if (event->kind != TRACE_KIND_STATE || !event_is(event, "DMAR") ||
		event_arg(event, "level") != 3 || event_arg(event, "to") != DMAR_PRESENT)
		return true;
	return ghost_enclosing(event, "TDG.DMAR.ACCEPT") != NULL;
}

/* The guest's word holds for one bind: a page that was accepted for an earlier one is not. */
static bool t6_new_bind(const struct trace_event *event, char *why, size_t len)
{
	const struct ghost *ghost = ghost_root();
	uint16_t rid = (uint16_t)event_arg(event, "func");

	for (unsigned int i = 0; i < GHOST_LEAVES; i++) {
		const struct ghost_leaf *leaf = &ghost->leaf[i];

		if (leaf->state != SEPT_MMIO_MAPPED || ghost_rid_of(leaf->hpa) != rid)
			continue;
		snprintf(why, len, "GPA %#llx was accepted before this bind",
			(unsigned long long)leaf->gpa);
		return false;
	}
	return true;
}

static bool t6(const struct trace_event *event, char *why, size_t len)
{
	if (event->kind == TRACE_KIND_STATE && event_is(event, "TDI bind"))
		return t6_new_bind(event, why, len);
	if (event->kind != TRACE_KIND_STATE || !event_is(event, "S-EPT") ||
		event_arg(event, "to") != SEPT_MMIO_MAPPED ||
		ghost_enclosing(event, "TDG.MMIO.ACCEPT"))
		return true;
	snprintf(why, len, "GPA %#llx became accepted without the guest's word",
		(unsigned long long)event_arg(event, "gpa"));
	return false;
}

/* -- T7, T15: RUN is what the guest authorised in this session
 * -------------------------------------- */

static bool t7(const struct trace_event *event, char *why, size_t len)
{
	const struct ghost_tdi *tdi;

	(void)why, (void)len;
	if (event->kind != TRACE_KIND_STATE || event->from != LANE_DEVICE ||
		!event_is(event, "TDI") || event_arg(event, "to") != TDISP_RUN)
		return true;
	tdi = ghost_tdi_find((uint16_t)event_arg(event, "rid"));
	return tdi && tdi->locked_at && tdi->authorised_at > tdi->locked_at;
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

/* -- T8, T9: who reaches what
 * ------------------------------------------------------------------------ */

/* A DMA with T=1 that was served. */
static bool t8(const struct trace_event *event, char *why, size_t len)
{
	const struct ghost_tdi *tdi;

	if (event->kind != TRACE_KIND_CALL || event->from != LANE_DEVICE ||
		event->to != LANE_HARDWARE || event->result || !event_arg(event, "t"))
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
	const struct ghost_range *range = NULL;
	uint64_t to = event_arg(event, "to");

	if (event->kind != TRACE_KIND_STATE || !event_is(event, "MMIOMT") || !to)
		return true;
	do
		range = ghost_range_next(range, event_arg(event, "hpa"),
			event_arg(event, "pages") * PHYS_PAGE);
	while (range && range->func == to);
	if (!range)
		return true;
	snprintf(why, len, "of %#llx on, pages of TDI %#llx were given to TDI %#llx",
		(unsigned long long)range->hpa, (unsigned long long)range->func,
		(unsigned long long)to);
	return false;
}

/* -- T12, T13, T14
 * ------------------------------------------------------------------------------------- */

static bool t12(const struct trace_event *event, char *why, size_t len)
{
	static const char *const never[] = {"TDISP LOCK", "TDISP START",
		"TDISP GET_DEVICE_INTERFACE_REPORT", "TDISP BIND_P2P", "TDISP UNBIND_P2P",
		"TDISP SET_MMIO"};
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

/* A function the host has unbound leaves nothing behind in the module (X5: nor in the device), but
 * what is kept for the vDEVICE it has (X2). */
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
		if (pci_tsm_kept(pdev) || tdx_tdi_view(tdi->rid, &view))
			continue;
		snprintf(why, len, "%02x:%02x.%x is not bound, yet the module has its TDI",
			tdi->rid >> 8, tdi->rid >> 3 & 31, tdi->rid & 7);
		return false;
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
	{
		.id = "T1",
		.kind = CHECK_STATE,
		.sentence = "no shared mapping of a TEE page while its TDI is LOCKED or RUN",
		.source = "R4.4, the chart's steps 17-48",
		.mutant = "keep-shared-mapping",
		.holds = t1,
	},
	{
		.id = "T2",
		.kind = CHECK_HISTORY,
		.sentence = "no private MMIO page leaves the S-EPT unless the TDI is UNLOCKED or "
			    "its stream blocked",
		.source = TDXC ", TDH.MMIO.UNMAP",
		.mutant = "unmap-before-stop",
		.event = t2,
	},
	{
		.id = "T3",
		.kind = CHECK_HISTORY,
		.sentence = "every unmap follows a block, a TLB epoch and an IOTLB invalidation",
		.source = TDXC ", TDH.MMIO.UNMAP",
		.mutant = "skip-track",
		.event = t3,
	},
	{
		.id = "T4",
		.kind = CHECK_HISTORY,
		.sentence = "a TDI is removed only without mapped MMIO and without a DMAR entry",
		.source = TDXC ", TDH.TDI.REMOVE",
		.mutant = "remove-with-mmio",
		.event = t4,
	},
	{
		.id = "T5",
		.kind = CHECK_HISTORY,
		.sentence = "a DMAR leaf becomes present by the guest's accept only",
		.source = TDXC ", TDG.DMAR.ACCEPT",
		.mutant = "dmar-self-accept",
		.event = t5,
	},
	{
		.id = "T6",
		.kind = CHECK_HISTORY,
		.sentence = "private MMIO becomes usable by the guest's accept only, for one bind",
		.source = TDXC ", TDG.MMIO.ACCEPT",
		.mutant = "mmio-self-accept",
		.event = t6,
	},
	{
		.id = "T7",
		.kind = CHECK_HISTORY,
		.sentence = "a TDI enters RUN only when the guest authorised this bind session",
		.source = TDXC ", TDG.TDI.START",
		.mutant = "start-unauthorised",
		.event = t7,
	},
	{
		.id = "T8",
		.kind = CHECK_HISTORY,
		.sentence = "T=1 DMA is served only in RUN, on a secure stream, with a present "
			    "DMAR entry",
		.source = PCIE ", TDISP rules",
		.mutant = "dma-before-run",
		.event = t8,
	},
	{
		.id = "T9",
		.kind = CHECK_HISTORY,
		.sentence = "an MMIO page belongs to at most one TDI",
		.source = TDXC ", TDH.MMIOMT.SET",
		.mutant = "mmiomt-steal",
		.event = t9,
	},
	{
		.id = "T10",
		.kind = CHECK_HISTORY,
		.sentence = "a stream goes after its TDIs, an SPDM session after its streams",
		.source = TDXC ", TDH.IDE.STREAM.DELETE",
		.mutant = "delete-stream-early",
		.event = t10,
	},
	{
		.id = "T11",
		.kind = CHECK_HISTORY,
		.sentence = "a TD is not torn down while it has TDIs",
		.source = TDXC ", TDH.MNG.VPFLUSHDONE",
		.mutant = "td-before-tdi",
		.event = t11,
	},
	{
		.id = "T12",
		.kind = CHECK_HISTORY,
		.sentence = "in ERROR a TDI answers GET_STATE and STOP only",
		.source = PCIE ", transitions",
		.mutant = "start-in-error",
		.event = t12,
	},
	{
		.id = "T13",
		.kind = CHECK_STATE,
		.sentence = "what is unbound the module has forgotten, unless it is kept for a vDEVICE",
		.source = "the chart's step 50",
		.mutant = "forget-remove",
		.holds = t13,
	},
	{
		.id = "T14",
		.kind = CHECK_PROGRESS,
		.sentence = "a revoke holds no lock that unbind needs",
		.source = "revoke and unbind lock order",
		.mutant = "unbind-in-memory-lock",
		.holds = t14,
	},
	{
		.id = "T15",
		.kind = CHECK_HISTORY,
		.sentence = "bind sessions strictly increase",
		.source = TDXC ", TDG.TDI.START",
		.mutant = "session-reuse",
		.event = t15,
	},
	{
		.id = "T16",
		.kind = CHECK_CONFLUENCE,
		.sentence = "closing descriptors in any order ends in the same state",
		.source = "R3.3",
		.mutant = "leak-on-kvm-first",
	},
};
const size_t check_tdx_count = sizeof(check_tdx) / sizeof(check_tdx[0]);
