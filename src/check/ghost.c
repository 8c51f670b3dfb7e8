/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <string.h>

#include "check/ghost.h"
#include "hardware/function.h"

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

const struct ghost_page *ghost_page_find(uint64_t hpa)
{
	const struct ghost *ghost = ghost_root();

	for (unsigned int i = 0; i < GHOST_PAGES; i++)
		if (ghost->page[i].func && ghost->page[i].hpa == hpa)
			return &ghost->page[i];
	return NULL;
}

uint16_t ghost_rid_of(uint64_t hpa)
{
	unsigned int bar;
	uint64_t offset;
	const struct function *fn = function_at(hpa, &bar, &offset);

	return fn ? fn->rid : 0;
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

/* -- taking events in --------------------------------------------------------------------------- */

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
	w->reset_at = 0;
	if (w->state == TDISP_LOCKED)
		w->locked_at = event->seq;
}

static void page_event(const struct trace_event *event)
{
	uint64_t hpa = event_arg(event, "hpa");
	const struct ghost_page *page = ghost_page_find(hpa);
	const struct ghost *ghost = ghost_root();
	struct ghost_page *w;

	for (unsigned int i = 0; !page && i < GHOST_PAGES; i++)
		if (!ghost->page[i].func)
			page = &ghost->page[i];
	if (!page)
		return;
	w = image_write(page);
	w->hpa = hpa;
	w->func = event_arg(event, "to");
}

static void stream_event(const struct trace_event *event, bool used, bool blocked)
{
	uint64_t handle = event_arg(event, "stream");
	const struct ghost *ghost = ghost_root();
	struct ghost_stream *w;

	if (handle >= GHOST_STREAMS)
		return;
	w = image_write(&ghost->stream[handle]);
	*w = (struct ghost_stream){ .used = used, .blocked = blocked, .handle = handle };
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

static void module_event(const struct trace_event *event)
{
	struct ghost_tdi *tdi = NULL;

	if (event_arg(event, "func"))
		tdi = tdi_write((uint16_t)event_arg(event, "func"));
	if (event_is(event, "TDH.MEM.TRACK"))
		ghost_write()->tracked_at = event->seq;
	else if (event_is(event, "TDH.IQ.INV.PROCESS"))
		ghost_write()->invalidated_at = event->seq;
	else if (event_is(event, "TDH.IDE.STREAM.BLOCK"))
		stream_event(event, true, true);
	else if (event_is(event, "TDH.IDE.STREAM.DELETE"))
		stream_event(event, false, false);
	else if (tdi && event_is(event, "TDH.TDI.CREATE"))
		tdi->present = true;
	else if (tdi && event_is(event, "TDH.TDI.REMOVE"))
		tdi->present = false;
	else if (tdi && event_is(event, "TDG.TDI.START"))
		tdi->authorised_at = event->seq;
}

void ghost_event(const struct trace_event *event)
{
	struct ghost_tdi *tdi;

	if (event->kind == TRACE_KIND_CALL) {
		if (event->to == LANE_FIRMWARE && event->result == 0)
			module_event(event);
		return;
	}
	if (event_is(event, "S-EPT"))
		leaf_event(event);
	else if (event_is(event, "TDI") && event->from == LANE_DEVICE)
		tdi_event(event);
	else if (event_is(event, "MMIOMT"))
		page_event(event);
	else if (event_is(event, "DMAR"))
		dmar_event(event);
	else if ((event_is(event, "tdi bound") || event_is(event, "tdi unbound")) &&
		 (tdi = tdi_write((uint16_t)event_arg(event, "rid"))))
		tdi->bound = event_is(event, "tdi bound");
	else if ((event_is(event, "FLR") || event_is(event, "hot reset")) &&
		 (tdi = tdi_write((uint16_t)event_arg(event, "rid"))) &&
		 (tdi->state == TDISP_LOCKED || tdi->state == TDISP_RUN))
		tdi->reset_at = event->seq;
}
