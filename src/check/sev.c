/* SPDX-License-Identifier: BSD-2-Clause */
/* A1-A16: what SEV-TIO promises. */
#include <stdio.h>
#include <string.h>

#include "check/ghost.h"
#include "device/device.h"
#include "firmware/sev/operands.h"
#include "firmware/sev/sev.h"
#include "hardware/iommu.h"
#include "kernel/pci/pci.h"
#include "kernel/tsm/tsm.h"

#define RMP_NOW 1u			/* bits of RMPUPDATE's `validated`: after it, and before */
#define RMP_BEFORE 2u

/* -- what is remembered ------------------------------------------------------------------------- */

static const struct ghost_sev_tdi *tdi_find(uint16_t rid)
{
	const struct ghost_sev *sev = &ghost_root()->sev;

	for (unsigned int i = 0; rid && i < GHOST_TDIS; i++)
		if (sev->tdi[i].rid == rid)
			return &sev->tdi[i];
	return NULL;
}

static struct ghost_sev_tdi *tdi_write(uint16_t rid)
{
	const struct ghost_sev_tdi *tdi = tdi_find(rid);
	const struct ghost_sev *sev = &ghost_root()->sev;

	for (unsigned int i = 0; !tdi && i < GHOST_TDIS; i++)
		if (!sev->tdi[i].rid)
			tdi = &sev->tdi[i];
	if (tdi && !tdi->rid) {
		struct ghost_sev_tdi *w = image_write(tdi);

		*w = (struct ghost_sev_tdi){ .rid = rid };
	}
	return tdi ? image_write(tdi) : NULL;
}

static const struct ghost_sev_dev *dev_find(uint16_t rid)
{
	const struct ghost_sev *sev = &ghost_root()->sev;

	for (unsigned int i = 0; rid && i < GHOST_STREAMS; i++)
		if (sev->dev[i].rid == rid)
			return &sev->dev[i];
	return NULL;
}

static struct ghost_sev_dev *dev_write(uint16_t rid)
{
	const struct ghost_sev_dev *dev = dev_find(rid);
	const struct ghost_sev *sev = &ghost_root()->sev;

	for (unsigned int i = 0; !dev && i < GHOST_STREAMS; i++)
		if (!sev->dev[i].rid)
			dev = &sev->dev[i];
	if (dev && !dev->rid) {
		struct ghost_sev_dev *w = image_write(dev);

		*w = (struct ghost_sev_dev){ .rid = rid };
	}
	return dev ? image_write(dev) : NULL;
}

static bool command(const struct trace_event *event)
{
	return event->kind == TRACE_KIND_CALL && event->to == LANE_FIRMWARE;
}

static bool state_is(const struct trace_event *event, const char *name)
{
	return event->kind == TRACE_KIND_STATE && event_is(event, name);
}

static void dev_event(const struct trace_event *event)
{
	uint16_t rid = (uint16_t)event_arg(event, "dev");
	struct ghost_sev_dev *dev;

	if (event_is(event, "TIO_DEV_CREATE") && !event->result)
		rid = (uint16_t)event_arg(event, "rid");
	dev = rid ? dev_write(rid) : NULL;
	if (!dev)
		return;
	if (event->result == SEV_SPDM_REQUEST) {
		dev->digest = event_arg(event, "digest");
		snprintf(dev->command, sizeof(dev->command), "%s", event->name);
	} else if (event_is(event, dev->command) || event_arg(event, "flags") & SEV_FORCE) {
		dev->command[0] = '\0';
	}
	if (event->result)
		return;
	if (event_is(event, "TIO_DEV_CONNECT"))
		dev->connected = true;
	else if (event_is(event, "TIO_DEV_DISCONNECT"))
		dev->connected = false;
	else if (event_is(event, "TIO_TDI_CREATE"))
		dev->tdis++;
	else if (event_is(event, "TIO_TDI_RECLAIM"))
		dev->tdis -= dev->tdis != 0;
	else if (event_is(event, "TIO_DEV_RECLAIM"))
		dev->rid = 0;
}

static void fence_event(const struct trace_event *event)
{
	uint64_t bit = 1ull << (event_arg(event, "asid") & 63);
	struct ghost_sev *w = image_write(&ghost_root()->sev);

	w->fenced = event_arg(event, "dma") ? w->fenced | bit : w->fenced & ~bit;
}

void ghost_sev_event(const struct trace_event *event)
{
	struct ghost_sev_tdi *tdi;

	if (command(event))
		dev_event(event);
	if (state_is(event, "ASID fence"))
		fence_event(event);
	if (!state_is(event, "TDI bind") && !state_is(event, "sDTE"))
		return;
	tdi = tdi_write((uint16_t)event_arg(event, "rid"));
	if (!tdi)
		return;
	if (event_is(event, "sDTE")) {
		tdi->sdte = event_arg(event, "to");
		return;
	}
	tdi->asid = (uint16_t)event_arg(event, "asid");
	tdi->id = event_arg(event, "id");
}

/* -- A1, A2, A6: pages of the guest ------------------------------------------------------------- */

static bool a1(const struct trace_event *event, char *why, size_t len)
{
	bool sealed = state_is(event, "RMP validated") && event_arg(event, "to") &&
		      !ghost_enclosing(event, "TIO_GUEST_REQUEST");
	bool updated = event_is(event, "RMPUPDATE") && event_arg(event, "validated") == RMP_NOW;

	if (!sealed && !updated)
		return true;
	snprintf(why, len, "page %#llx became validated without the guest's word",
		 (unsigned long long)event_arg(event, "hpa"));
	return false;
}

/* What the guest named is where it was validated. */
static bool a2(const struct trace_event *event, char *why, size_t len)
{
	if (!state_is(event, "RMP validated") || !event_arg(event, "to"))
		return true;
	for (uint64_t i = 0; i < event_arg(event, "pages"); i++) {
		struct rmp_entry entry = rmp_read(event_arg(event, "hpa") + i * PHYS_PAGE);

		/* taken away since, within the same action: nothing can be said */
		if (!entry.assigned ||
		    (entry.asid == event_arg(event, "asid") && !entry.large &&
		     entry.gpa == event_arg(event, "gpa") + i * PHYS_PAGE))
			continue;
		snprintf(why, len, "GPA %#llx was validated on a page that is at %#llx of ASID %u",
			 (unsigned long long)(event_arg(event, "gpa") + i * PHYS_PAGE),
			 (unsigned long long)entry.gpa, entry.asid);
		return false;
	}
	return true;
}

static bool a6(const struct trace_event *event, char *why, size_t len)
{
	if (!event_is(event, "RMPUPDATE") ||
	    event_arg(event, "validated") != (RMP_NOW | RMP_BEFORE))
		return true;
	snprintf(why, len, "page %#llx was given anew and stayed validated",
		 (unsigned long long)event_arg(event, "hpa"));
	return false;
}

/* -- A3, A4, A14: sDTEs --------------------------------------------------------------------------- */

static bool a3(char *why, size_t len)
{
	struct sev_tdi_view view;
	uint16_t rid = 0;

	for (const struct function *fn; (fn = function_next(&rid)); rid++) {
		struct iommu_sdte sdte = iommu_sdte(rid);

		if (!sdte.valid || (!sev_tdi_view(rid, &view) && view.bound && view.asid == sdte.asid))
			continue;
		snprintf(why, len, "%02x:%02x.%x has a valid sDTE and is not bound", rid >> 8,
			 rid >> 3 & 31, rid & 7);
		return false;
	}
	return true;
}

static bool a4(const struct trace_event *event, char *why, size_t len)
{
	(void)why, (void)len;
	return !state_is(event, "sDTE") || !event_arg(event, "to") ||
	       ghost_enclosing(event, "TIO_GUEST_REQUEST");
}

static bool dma_served(const struct trace_event *event)
{
	return event->kind == TRACE_KIND_CALL && event->from == LANE_DEVICE &&
	       event->to == LANE_HARDWARE && !event->result && event_arg(event, "t");
}

static bool a14(const struct trace_event *event, char *why, size_t len)
{
	const struct ghost_sev_tdi *tdi;

	if (!dma_served(event))
		return true;
	tdi = tdi_find((uint16_t)event_arg(event, "rid"));
	if (tdi && tdi->sdte)
		return true;
	snprintf(why, len, "DMA with T=1 was served without a valid sDTE");
	return false;
}

/* -- A5, A7, A8: the order of an end -------------------------------------------------------------- */

static bool a5(const struct trace_event *event, char *why, size_t len)
{
	const struct ghost_tdi *tdi;

	if (!event_is(event, "RMPUPDATE") || event->result || event_arg(event, "assigned") ||
	    !ghost_enclosing(event, "tsm_unbind"))
		return true;
	tdi = ghost_tdi_find(ghost_rid_of(event_arg(event, "hpa")));
	if (!tdi || !tdi_live(tdi->state))
		return true;
	snprintf(why, len, "page %#llx became shared while its TDI is in state %u",
		 (unsigned long long)event_arg(event, "hpa"), tdi->state);
	return false;
}

static bool a7(const struct trace_event *event, char *why, size_t len)
{
	const struct ghost_tdi *tdi;

	if (!event_done(event, "TIO_TDI_RECLAIM") || event_arg(event, "flags") & SEV_FORCE)
		return true;
	tdi = ghost_tdi_find((uint16_t)event_arg(event, "rid"));
	if (!tdi || tdi->state == TDISP_UNLOCKED)
		return true;
	snprintf(why, len, "a TDI was reclaimed in state %u", tdi->state);
	return false;
}

static bool a8(const struct trace_event *event, char *why, size_t len)
{
	const struct ghost_sev_dev *dev;

	if (!event_done(event, "TIO_DEV_RECLAIM"))
		return true;
	dev = dev_find((uint16_t)event_arg(event, "dev"));
	if (!dev || (!dev->connected && !dev->tdis))
		return true;
	snprintf(why, len, "a device was reclaimed with %u TDIs%s", dev->tdis,
		 dev->connected ? ", connected" : "");
	return false;
}

/* -- A9: fences ------------------------------------------------------------------------------------ */

static bool a9(const struct trace_event *event, char *why, size_t len)
{
	const struct ghost_sev_tdi *tdi;

	if (!dma_served(event))
		return true;
	tdi = tdi_find((uint16_t)event_arg(event, "rid"));
	if (!tdi || !(ghost_root()->sev.fenced >> (tdi->asid & 63) & 1))
		return true;
	snprintf(why, len, "DMA of ASID %u was served behind its fence", tdi->asid);
	return false;
}

/* -- A10, A11, A12, A13 ------------------------------------------------------------------------------ */

static bool a10(const struct trace_event *event, char *why, size_t len)
{
	const struct ghost_sev_dev *dev;

	if (!command(event) || (event->result && event->result != SEV_SPDM_REQUEST) ||
	    !event_arg(event, "digest") || event_arg(event, "flags") & SEV_FORCE)
		return true;
	dev = dev_find((uint16_t)event_arg(event, "dev"));
	if (!dev || !dev->command[0] || dev->digest == event_arg(event, "digest") ||
	    !event_is(event, dev->command))
		return true;
	snprintf(why, len, "%s went on with another command than was suspended", event->name);
	return false;
}

static bool a11(const struct trace_event *event, char *why, size_t len)
{
	(void)why, (void)len;
	return !state_is(event, "attested") ||
	       event_arg(event, "told") == event_arg(event, "made");
}

static bool a12(const struct trace_event *event, char *why, size_t len)
{
	const struct ghost_sev_tdi *tdi;

	if (!state_is(event, "TDI bind"))
		return true;
	tdi = tdi_find((uint16_t)event_arg(event, "rid"));
	if (!tdi || event_arg(event, "id") > tdi->id)
		return true;
	snprintf(why, len, "bind %llu follows bind %llu",
		 (unsigned long long)event_arg(event, "id"), (unsigned long long)tdi->id);
	return false;
}

/* Where the policy blocks them, no such write of a VMM gets through. */
static bool a13(const struct trace_event *event, char *why, size_t len)
{
	if (!event_is(event, "config write breaks the TDI") || !event_arg(event, "blocked"))
		return true;
	snprintf(why, len, "a write of %#llx to config offset %#llx broke a bound TDI",
		 (unsigned long long)event_arg(event, "value"),
		 (unsigned long long)event_arg(event, "offset"));
	return false;
}

/* -- A15, A16 ------------------------------------------------------------------------------------------ */

static bool a15(char *why, size_t len)
{
	const char *cause;
	uint16_t rid = 0;

	for (const struct pci_dev *pdev; (pdev = pci_dev_next(&rid)); rid++) {
		if (!pci_tsm_quarantined(pdev, &cause) || strcmp(cause, "TDI not unbound"))
			continue;
		snprintf(why, len, "%02x:%02x.%x: unbind gave up without FORCE", rid >> 8,
			 rid >> 3 & 31, rid & 7);
		return false;
	}
	return true;
}

static int context_open(uint64_t hpa, void *arg)
{
	(void)arg;
	return phys_owner(hpa) != RMP_OWNER_FIRMWARE;
}

static bool a16(char *why, size_t len)
{
	if (!sev_context_each(context_open, NULL))
		return true;
	snprintf(why, len, "a context page of the PSP is there for the host to write");
	return false;
}

#define TIO "SEV-TIO firmware ABI"
#define SNP "APM volume 2, 15.36"

const struct check check_sev[] = {
	{
		.id = "A1",
		.kind = CHECK_HISTORY,
		.sentence = "MMIO becomes validated by the guest's message through the PSP only",
		.source = TIO ", MMIO_VALIDATE",
		.mutant = "rmp-self-validate",
		.event = a1,
	},
	{
		.id = "A2",
		.kind = CHECK_HISTORY,
		.sentence = "a validated page is this guest's, by 4 KiB, where the guest named it",
		.source = TIO ", MMIO_VALIDATE",
		.mutant = "validate-elsewhere",
		.event = a2,
	},
	{
		.id = "A3",
		.kind = CHECK_STATE,
		.sentence = "an sDTE is valid only while its TDI is bound to that guest",
		.source = TIO ", TDI_UNBIND",
		.mutant = "sdte-outlives-unbind",
		.holds = a3,
	},
	{
		.id = "A4",
		.kind = CHECK_HISTORY,
		.sentence = "an sDTE becomes valid at the guest's word only",
		.source = TIO ", SDTE_WRITE",
		.mutant = "sdte-at-bind",
		.event = a4,
	},
	{
		.id = "A5",
		.kind = CHECK_HISTORY,
		.sentence = "unbind makes no TEE page shared in the RMP while the TDI is LOCKED or RUN",
		.source = "the chart's order of an unbind",
		.mutant = "share-before-unbind",
		.event = a5,
	},
	{
		.id = "A6",
		.kind = CHECK_HISTORY,
		.sentence = "RMPUPDATE of a validated page takes the validation away",
		.source = SNP,
		.mutant = "rmpupdate-keeps-validated",
		.event = a6,
	},
	{
		.id = "A7",
		.kind = CHECK_HISTORY,
		.sentence = "a TDI is reclaimed only in UNLOCKED, or by FORCE",
		.source = TIO ", TDI_RECLAIM",
		.mutant = "reclaim-early",
		.event = a7,
	},
	{
		.id = "A8",
		.kind = CHECK_HISTORY,
		.sentence = "a device is reclaimed after its TDIs, and disconnected",
		.source = TIO ", DEV_RECLAIM",
		.mutant = "dev-reclaim-early",
		.event = a8,
	},
	{
		.id = "A9",
		.kind = CHECK_HISTORY,
		.sentence = "behind the fence of an ASID no DMA of it is served",
		.source = TIO ", ASID_FENCE_STATUS",
		.mutant = "ignore-fence",
		.event = a9,
	},
	{
		.id = "A10",
		.kind = CHECK_HISTORY,
		.sentence = "a suspended command goes on byte for byte as it was",
		.source = TIO ", SPDM_REQUEST",
		.mutant = "reissue-any",
		.event = a10,
	},
	{
		.id = "A11",
		.kind = CHECK_HISTORY,
		.sentence = "what the guest believes has the digest that the PSP told it",
		.source = TIO ", INFO",
		.mutant = "attest-blind",
		.event = a11,
	},
	{
		.id = "A12",
		.kind = CHECK_HISTORY,
		.sentence = "the ids of binds strictly increase",
		.source = TIO ", INFO",
		.mutant = "tdi-id-reuse",
		.event = a12,
	},
	{
		.id = "A13",
		.kind = CHECK_HISTORY,
		.sentence = "where the policy blocks it, no config write of the VMM breaks a bound TDI",
		.source = "R3.4",
		.mutant = "config-passes",
		.event = a13,
	},
	{
		.id = "A14",
		.kind = CHECK_HISTORY,
		.sentence = "DMA with T=1 is served only with a valid sDTE",
		.source = TIO ", SDTE_WRITE",
		.mutant = "sdte-ignored",
		.event = a14,
	},
	{
		.id = "A15",
		.kind = CHECK_PROGRESS,
		.sentence = "an unbind comes to its end, by FORCE where nothing else helps",
		.source = TIO ", TDI_UNBIND",
		.mutant = "no-force",
		.holds = a15,
	},
	{
		.id = "A16",
		.kind = CHECK_STATE,
		.sentence = "the PSP's context pages are out of the host's reach",
		.source = SNP,
		.mutant = "firmware-page-writable",
		.holds = a16,
	},
};
const size_t check_sev_count = sizeof(check_sev) / sizeof(check_sev[0]);
