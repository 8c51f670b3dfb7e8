/* SPDX-License-Identifier: BSD-2-Clause */
/* C1-C16: Arm CCA device assignment. */
#include <stdio.h>
#include <string.h>

#include "check/ghost.h"
#include "firmware/cca/cca.h"
#include "firmware/cca/operands.h"
#include "kernel/tsm/cca_link.h"
#include "spdm/spdm.h"

static bool state_event(const struct trace_event *event, const char *name)
{
	return event->kind == TRACE_KIND_STATE && event_is(event, name);
}

/* -- C1, C2: before a TDI is unlocked --------------------------------------------------------------- */

static bool c1(const struct trace_event *event, char *why, size_t len)
{
	const struct ghost_vdev *vdev;

	if (!event_done(event, "RMI_VDEV_UNLOCK"))
		return true;
	vdev = ghost_vdev_find(event_arg(event, "vdev"));
	if (!vdev || vdev->mapped <= 0)
		return true;
	snprintf(why, len, "UNLOCK with %lld granules of the VDEV mapped", (long long)vdev->mapped);
	return false;
}

static bool c2(const struct trace_event *event, char *why, size_t len)
{
	const struct ghost_vdev *vdev;

	(void)why, (void)len;
	if (event->kind != TRACE_KIND_CALL || event->to != LANE_DEVICE ||
	    strncmp(event->name, "TDISP STOP", 10))
		return true;
	vdev = ghost_vdev_of_rid((uint16_t)event_arg(event, "rid"));
	return !vdev || !vdev->ste;
}

/* -- C3, C4, C11: nonces ----------------------------------------------------------------------------- */

static bool nonces_current(const struct trace_event *event, const struct ghost_vdev *vdev)
{
	return event_arg(event, "lock") == vdev->lock && event_arg(event, "meas") == vdev->meas &&
	       event_arg(event, "report") == vdev->report;
}

static bool c3(const struct trace_event *event, char *why, size_t len)
{
	const struct ghost_vdev *vdev;

	if (!event_done(event, "RSI_VDEV_DMA_ENABLE"))
		return true;
	vdev = ghost_vdev_of_rid((uint16_t)event_arg(event, "rid"));
	if (vdev && vdev->state == VDEV_STARTED && nonces_current(event, vdev))
		return true;
	snprintf(why, len, "DMA was enabled in VDEV state %u, or by old nonces",
		vdev ? vdev->state : 0u);
	return false;
}

/* The call that was taken up, which leaves to the host; what it is answered later is another matter. */
static bool c4(const struct trace_event *event, char *why, size_t len)
{
	const struct ghost_vdev *vdev;

	if (!event_done(event, "RSI_VDEV_VALIDATE_MAPPING") || strcmp(event->text, "exit"))
		return true;
	vdev = ghost_vdev_of_rid((uint16_t)event_arg(event, "rid"));
	if (vdev && (vdev->state == VDEV_LOCKED || vdev->state == VDEV_STARTED) &&
	    nonces_current(event, vdev))
		return true;
	snprintf(why, len, "a mapping is validated in VDEV state %u, or by old nonces",
		vdev ? vdev->state : 0u);
	return false;
}

static bool c11(const struct trace_event *event, char *why, size_t len)
{
	const struct ghost_vdev *vdev;

	if (!state_event(event, "VDEV nonces"))
		return true;
	vdev = ghost_vdev_find(event_arg(event, "vdev"));
	if ((vdev && vdev->lock == event_arg(event, "lock")) ||
	    event_arg(event, "lock") > ghost_root()->lock_nonce)
		return true;
	snprintf(why, len, "lock nonce %llu came once more",
		(unsigned long long)event_arg(event, "lock"));
	return false;
}

/* -- C5, C6, C7: whose pages ------------------------------------------------------------------------- */

static bool c5(const struct trace_event *event, char *why, size_t len)
{
	const struct trace_event *call;
	const struct ghost_vdev *vdev;

	if (!state_event(event, "RTT") || event_arg(event, "hipas") != HIPAS_ASSIGNED_DEV)
		return true;
	call = ghost_enclosing(event, "RMI_RTT_DEV_MAP");
	if (!call)
		return true;
	vdev = ghost_vdev_find(event_arg(call, "vdev"));
	if (vdev && vdev->rid == ghost_rid_of(event_arg(event, "hpa")) &&
	    event_arg(event, "ipa") < CCA_UNPROTECTED)
		return true;
	snprintf(why, len, "page %#llx, which is not the VDEV's, was mapped for it",
		(unsigned long long)event_arg(event, "hpa"));
	return false;
}

static bool c6(const struct trace_event *event, char *why, size_t len)
{
	if (!state_event(event, "device granule") || event_arg(event, "from") != GRANULE_DEV ||
	    event_arg(event, "to") != GRANULE_UNDELEGATED)
		return true;
	snprintf(why, len, "granule %#llx went back to the host while it was mapped",
		(unsigned long long)event_arg(event, "hpa"));
	return false;
}

struct ranges { struct { uint64_t base, top; } range[64]; unsigned int count; bool overlap; };

static int ranges_add(const struct cca_vdev_view *view, void *arg)
{
	struct ranges *all = arg;
	uint64_t base, top;

	for (unsigned int i = 0; !cca_vdev_range(view->rid, i, &base, &top) && all->count < 64; i++) {
		for (unsigned int j = 0; j < all->count; j++)
			all->overlap |= base < all->range[j].top && all->range[j].base < top;
		all->range[all->count].base = base;
		all->range[all->count++].top = top;
	}
	return 0;
}

static bool c7(char *why, size_t len)
{
	struct ranges all = { .count = 0 };

	(void)why, (void)len;
	cca_vdev_each(ranges_add, &all);
	return !all.overlap;
}

/* -- C8, C9, C14: what ends before what ---------------------------------------------------------------- */

static bool vdev_alive(uint64_t pdev, uint64_t rd)
{
	for (unsigned int i = 0; i < GHOST_VDEVS; i++) {
		const struct ghost_vdev *vdev = &ghost_root()->vdev[i];

		if (vdev->vdev && (!pdev || vdev->pdev == pdev) && (!rd || vdev->rd == rd))
			return true;
	}
	return false;
}

static bool c8(const struct trace_event *event, char *why, size_t len)
{
	(void)why, (void)len;
	if (!event_done(event, "RMI_PDEV_STOP") && !event_done(event, "RMI_PDEV_DESTROY"))
		return true;
	return !vdev_alive(event_arg(event, "pdev"), 0);
}

static bool c9(const struct trace_event *event, char *why, size_t len)
{
	(void)why, (void)len;
	return !state_event(event, "VDEV comm") || event_arg(event, "to") != COMM_PENDING ||
	       event_arg(event, "from") == COMM_IDLE;
}

static bool c14(const struct trace_event *event, char *why, size_t len)
{
	(void)why, (void)len;
	return !event_done(event, "RMI_REALM_DESTROY") || !vdev_alive(0, event_arg(event, "rd"));
}

/* -- C10: evidence ---------------------------------------------------------------------------------------- */

/* A device whose DMA the Realm has enabled is one it has attested: what the host keeps is what the RMM
 * has seen. */
static bool c10(char *why, size_t len)
{
	uint16_t rid = 0;

	for (const struct pci_dev *pdev; (pdev = pci_dev_next(&rid)); rid++) {
		const struct cca_tdi *tdi = pci_tsm_bound(pdev) ? cca_tdi_of(pdev) : NULL;
		const struct cca_object *report = tdi ? &tdi->object[OBJECT_REPORT] : NULL;
		const uint8_t *digest = cca_vdev_digest(rid, OBJECT_REPORT);
		struct cca_vdev_view view;
		uint8_t made[SPDM_HASH];

		if (!report || !digest || cca_vdev_view(rid, &view) || !view.dma)
			continue;
		if (!spdm_requester_digest(report->bytes, report->len, made) &&
		    memcmp(made, digest, SPDM_HASH)) {
			snprintf(why, len, "the Realm uses a device whose report is another one");
			return false;
		}
	}
	return true;
}

/* -- C12, C15: the Realm's word ----------------------------------------------------------------------------- */

static bool c12(const struct trace_event *event, char *why, size_t len)
{
	if (!state_event(event, "RTT") || event_arg(event, "to") != RIPAS_DEV ||
	    event_arg(event, "from") == RIPAS_DEV ||
	    ghost_enclosing(event, "RMI_RTT_DEV_VALIDATE"))
		return true;
	snprintf(why, len, "IPA %#llx became valid device memory, and was rejected",
		(unsigned long long)event_arg(event, "ipa"));
	return false;
}

static bool c15(const struct trace_event *event, char *why, size_t len)
{
	if (!state_event(event, "RTT") || event_arg(event, "hipas") != HIPAS_UNASSIGNED ||
	    event_arg(event, "from") != RIPAS_DEV || event_arg(event, "to") == RIPAS_DESTROYED)
		return true;
	snprintf(why, len, "IPA %#llx was valid, was unmapped, and is as if it had never been",
		(unsigned long long)event_arg(event, "ipa"));
	return false;
}

/* -- C13, C16: streams ------------------------------------------------------------------------------------ */

static int waits(const struct cca_pdev_view *view, void *arg)
{
	(void)arg;
	return view->stream_wait;
}

/* Whoever worked on a stream is done by now: an end that still waits would wait for ever. */
static bool c13(char *why, size_t len)
{
	(void)why, (void)len;
	return !cca_pdev_each(waits, NULL);
}

static bool c16(const struct trace_event *event, char *why, size_t len)
{
	const struct ghost_vdev *vdev;
	uint64_t from = event_arg(event, "from");

	(void)why, (void)len;
	if (!state_event(event, "VDEV") || event_arg(event, "to") != VDEV_UNLOCKED ||
	    from == VDEV_NEW || from == VDEV_KEY_PURGE)
		return true;
	vdev = ghost_vdev_find(event_arg(event, "vdev"));
	return !vdev || !ghost_pdev_ready(vdev->pdev);
}

#define RMM "RMM 2.0 (DEN0137)"

const struct check check_cca[] = {
	{ "C1", CHECK_HISTORY, "a VDEV is unlocked only without a mapped device granule",
	  RMM ", RMI_VDEV_UNLOCK", "unlock-mapped", NULL, c1 },
	{ "C2", CHECK_HISTORY, "the STE is gone before the device is told to STOP",
	  RMM ", RMI_VDEV_UNLOCK", "ste-outlives", NULL, c2 },
	{ "C3", CHECK_HISTORY, "DMA is enabled in STARTED and by the three current nonces only",
	  RMM ", RSI_VDEV_DMA_ENABLE", "stale-dma", NULL, c3 },
	{ "C4", CHECK_HISTORY,
	  "a mapping is validated in LOCKED or STARTED and by current nonces only",
	  RMM ", RSI_VDEV_VALIDATE_MAPPING", "stale-validate", NULL, c4 },
	{ "C5", CHECK_HISTORY, "device memory is mapped for the VDEV it is of, and in the protected half",
	  RMM ", RMI_RTT_DEV_MAP", "dev-map-foreign", NULL, c5 },
	{ "C6", CHECK_HISTORY, "a granule goes back to the host only when it is not mapped",
	  RMM ", RMI_GRANULE_RANGE_UNDELEGATE", "undelegate-mapped", NULL, c6 },
	{ "C7", CHECK_STATE, "no page is in the address ranges of two VDEVs", RMM ", RMI_VDEV_CREATE",
	  "ranges-overlap", c7, NULL },
	{ "C8", CHECK_HISTORY, "a PDEV is stopped after its VDEVs are destroyed", RMM ", RMI_PDEV_STOP",
	  "pdev-before-vdev", NULL, c8 },
	{ "C9", CHECK_HISTORY, "a VDEV has at most one operation under way",
	  RMM ", RMI_VDEV_COMMUNICATE", "two-operations", NULL, c9 },
	{ "C10", CHECK_STATE, "what a Realm has attested is what the RMM has seen of the device",
	  RMM ", RSI_VDEV_GET_INFO", "digest-of-cache", c10, NULL },
	{ "C11", CHECK_HISTORY, "no lock nonce comes twice", RMM ", RMI_VDEV_LOCK", "nonce-stays", NULL,
	  c11 },
	{ "C12", CHECK_HISTORY, "a mapping the host rejects leaves the page what it was",
	  RMM ", RMI_REC_ENTER", "reject-validates", NULL, c12 },
	{ "C13", CHECK_PROGRESS, "an end of a stream that waits is released by the other one, or by abort",
	  RMM ", RMI_PDEV_COMMUNICATE", "forget-abort", c13, NULL },
	{ "C14", CHECK_HISTORY, "a Realm is destroyed after its VDEVs", RMM ", RMI_REALM_DESTROY",
	  "realm-before-vdev", NULL, c14 },
	{ "C15", CHECK_HISTORY, "what was valid and is unmapped behind the Realm's back is DESTROYED",
	  RMM ", RMI_RTT_DEV_UNMAP", "unmap-forgets", NULL, c15 },
	{ "C16", CHECK_HISTORY, "a VDEV is unlocked after its stream has new keys and the old are gone",
	  RMM ", VDEV_KROU", "skip-krou", NULL, c16 },
};
const size_t check_cca_count = sizeof(check_cca) / sizeof(check_cca[0]);
