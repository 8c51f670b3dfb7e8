/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <string.h>

#include "check/ghost.h"
#include "device/device.h"
#include "hardware/function.h"
#include "hardware/platform.h"

const struct ghost *ghost_root(void)
{
	return image_root(IMAGE_ROOT_CHECK);
}

struct ghost *ghost_write(void)
{
	return image_write(ghost_root());
}

int check_power_on(void)
{
	struct ghost *ghost = image_alloc(sizeof(*ghost), IMAGE_TYPE_CHECK);

	if (!ghost)
		return -ENOMEM;
	image_root_set(IMAGE_ROOT_CHECK, ghost);
	return 0;
}

const struct ghost_tdi *ghost_tdi_find(uint16_t rid)
{
	const struct ghost *ghost = ghost_root();

	for (unsigned int i = 0; rid && i < GHOST_TDIS; i++)
		if (ghost->tdi[i].rid == rid)
			return &ghost->tdi[i];
	return NULL;
}

static struct ghost_tdi *tdi_write(uint16_t rid)
{
	const struct ghost_tdi *tdi = ghost_tdi_find(rid);
	const struct ghost *ghost = ghost_root();
	struct ghost_tdi *w;

	if (tdi)
		return image_write(tdi);
	for (unsigned int i = 0; i < GHOST_TDIS; i++) {
		if (ghost->tdi[i].rid)
			continue;
		w = image_write(&ghost->tdi[i]);
		memset(w, 0, sizeof(*w));
		w->rid = rid;
		return w;
	}
	return NULL;
}

const struct ghost_leaf *ghost_leaf_find(uint64_t tdr, uint64_t gpa)
{
	const struct ghost *ghost = ghost_root();

	for (unsigned int i = 0; i < GHOST_LEAVES; i++)
		if (ghost->leaf[i].state && ghost->leaf[i].tdr == tdr && ghost->leaf[i].gpa == gpa)
			return &ghost->leaf[i];
	return NULL;
}

const struct ghost_range *ghost_range_next(const struct ghost_range *after, uint64_t hpa, uint64_t len)
{
	const struct ghost *ghost = ghost_root();
	const struct ghost_range *range = after ? after + 1 : ghost->range;

	for (; range < ghost->range + GHOST_RANGES; range++)
		if (range->hpa < hpa + len && hpa < range->hpa + range->len)
			return range;
	return NULL;
}

uint16_t ghost_rid_of(uint64_t hpa)
{
	unsigned int bar;
	uint64_t offset;
	const struct function *fn = function_at(hpa, &bar, &offset);

	return fn ? fn->rid : 0;
}

/* Ranges stand in the order of BARs: each is a run of listed pages that are of one kind. */
uint64_t ghost_reported(uint16_t rid, uint64_t index, uint64_t page)
{
	const struct function *fn = function_find(rid);
	uint64_t next = 0, at_page = 0;

	for (unsigned int bar = 0; fn && bar < FUNCTION_BARS; bar++) {
		int before = -1;

		for (uint64_t at = 0; at < fn->bar[bar].size; at += PHYS_PAGE) {
			int kind = device_mmio_attributes(rid, bar, at);

			if (kind >= 0)
				kind &= ~TDISP_RANGE_NON_TEE;
			if (kind >= 0 && kind != before) {
				next++;
				at_page = 0;
			}
			before = kind < 0 ? -1 : kind;
			if (kind >= 0 && next == index + 1 && at_page++ == page)
				return fn->bar[bar].hpa + at;
		}
	}
	return 0;
}

bool ghost_vm_lives(const struct kvm *kvm)
{
	return kvm && image_typeof(kvm) == IMAGE_TYPE_KVM;
}

const struct trace_event *ghost_enclosing(const struct trace_event *event, const char *name)
{
	unsigned int depth = event->depth;

	for (uint64_t seq = event->seq - 1; seq >= trace_first() && depth; seq--) {
		const struct trace_event *outer = trace_get(seq);

		if (!outer || outer->depth >= depth)
			continue;
		if (event_is(outer, name))
			return outer;
		depth = outer->depth;
	}
	return NULL;
}

/* -- taking events in ---------------------------------------------------------------------------
 */

static void leaf_event(const struct trace_event *event)
{
	uint64_t tdr = event_arg(event, "tdr"), gpa = event_arg(event, "gpa");
	uint8_t to = (uint8_t)event_arg(event, "to");
	const struct ghost_leaf *leaf = ghost_leaf_find(tdr, gpa);
	const struct ghost *ghost = ghost_root();
	struct ghost_leaf *w;

	if (!leaf && to < SEPT_MMIO_PENDING)
		return;
	for (unsigned int i = 0; !leaf && i < GHOST_LEAVES; i++)
		if (!ghost->leaf[i].state)
			leaf = &ghost->leaf[i];
	if (!leaf)
		return;
	w = image_write(leaf);
	w->tdr = tdr;
	w->gpa = gpa;
	w->hpa = event_arg(event, "hpa");
	w->state = to;
	if (to == SEPT_MMIO_BLOCKED)
		w->blocked_at = event->seq;
}

static void tdi_event(const struct trace_event *event)
{
	struct ghost_tdi *w = tdi_write((uint16_t)event_arg(event, "rid"));

	if (!w)
		return;
	w->state = (uint8_t)event_arg(event, "to");
	if (!tdi_live(w->state))
		w->reset_at = 0;
	if (w->state == TDISP_LOCKED)
		w->locked_at = event->seq;
}

static void range_add(uint64_t hpa, uint64_t end, uint64_t func)
{
	const struct ghost *ghost = ghost_root();

	if (hpa >= end || !func)
		return;
	for (unsigned int i = 0; i < GHOST_RANGES; i++)
		if (!ghost->range[i].len) {
			*(struct ghost_range *)image_write(&ghost->range[i]) =
				(struct ghost_range){.hpa = hpa, .len = end - hpa, .func = func};
			return;
		}
}

/* What a range had of these pages it has no more. */
static void owner_event(const struct trace_event *event)
{
	uint64_t hpa = event_arg(event, "hpa"), len = event_arg(event, "pages") * PHYS_PAGE;
	const struct ghost_range *range = NULL;

	while ((range = ghost_range_next(range, hpa, len)) != NULL) {
		struct ghost_range was = *range;

		((struct ghost_range *)image_write(range))->len = 0;
		range_add(was.hpa, hpa, was.func);
		range_add(hpa + len, was.hpa + was.len, was.func);
	}
	range_add(hpa, hpa + len, event_arg(event, "to"));
}

static struct ghost_stream *stream_write(const struct trace_event *event)
{
	uint64_t handle = event_arg(event, "stream");

	return handle < GHOST_STREAMS ? image_write(&ghost_root()->stream[handle]) : NULL;
}

static void stream_made(const struct trace_event *event)
{
	struct ghost_stream *w = stream_write(event);

	if (w)
		*w = (struct ghost_stream){.used = true,
			.handle = event_arg(event, "stream"),
			.spdm = event_arg(event, "spdm")};
}

static void stream_changed(const struct trace_event *event, bool used)
{
	struct ghost_stream *w = stream_write(event);

	if (w)
		w->used = w->blocked = used;
}

static void dmar_event(const struct trace_event *event)
{
	struct ghost_tdi *w;

	/* level 3: the PASID entry, the leaf */
	if (event_arg(event, "level") != 3)
		return;
	w = tdi_write((uint16_t)event_arg(event, "rid"));
	if (w)
		w->dmar = (uint8_t)event_arg(event, "to");
}

static void tdi_made(const struct trace_event *event, struct ghost_tdi *tdi)
{
	tdi->present = true;
	tdi->stream = event_arg(event, "stream");
}

static void module_event(const struct trace_event *event)
{
	struct ghost_tdi *tdi = NULL;

	if (event_arg(event, "func"))
		tdi = tdi_write((uint16_t)event_arg(event, "func"));
	if (event_is(event, "TDH.MEM.TRACK"))
		*(uint64_t *)image_write(&ghost_root()->tracked_at) = event->seq;
	else if (event_is(event, "TDH.IQ.INV.PROCESS"))
		*(uint64_t *)image_write(&ghost_root()->invalidated_at) = event->seq;
	else if (event_is(event, "TDH.IDE.STREAM.BLOCK"))
		stream_changed(event, true);
	else if (event_is(event, "TDH.IDE.STREAM.DELETE"))
		stream_changed(event, false);
	else if (tdi && event_is(event, "TDH.TDI.CREATE"))
		tdi_made(event, tdi);
	else if (tdi && event_is(event, "TDH.TDI.REMOVE"))
		tdi->present = false;
	else if (tdi && event_is(event, "TDG.TDI.START"))
		tdi->authorised_at = event->seq;
}

/* What the host TSM says of a function, and what befalls it. */
static void host_event(const struct trace_event *event)
{
	bool bound = event_is(event, "tdi bound");
	struct ghost_tdi *tdi;

	if (!bound && !event_is(event, "tdi unbound") && !event_is(event, "FLR") &&
		!event_is(event, "hot reset"))
		return;
	tdi = tdi_write((uint16_t)event_arg(event, "rid"));
	if (!tdi)
		return;
	if (bound || event_is(event, "tdi unbound"))
		tdi->bound = bound;
	else if (tdi_live(tdi->state))
		tdi->reset_at = event->seq;
}

static void call_event(const struct trace_event *event)
{
	struct ghost_tdi *tdi;

	if (event->to == LANE_FIRMWARE && event->result == 0)
		module_event(event);
	if (!event_is(event, "tsm_bind"))
		return;
	tdi = tdi_write((uint16_t)event_arg(event, "rid"));
	if (tdi)
		tdi->bind_failed = event->result < 0 && event->result != TRACE_PENDING;
}

void ghost_event(const struct trace_event *event)
{
	if (machine_platform() == PLATFORM_SEV)
		ghost_sev_event(event);
	if (machine_platform() == PLATFORM_CCA)
		ghost_cca_event(event);
	if (event->kind == TRACE_KIND_CALL)
		call_event(event);
	else if (event_is(event, "S-EPT"))
		leaf_event(event);
	else if (event_is(event, "TDI") && event->from == LANE_DEVICE)
		tdi_event(event);
	else if (event_is(event, "MMIOMT"))
		owner_event(event);
	else if (event_is(event, "DMAR"))
		dmar_event(event);
	else if (event_is(event, "IDE stream made"))
		stream_made(event);
	else
		host_event(event);
}
