/* SPDX-License-Identifier: BSD-2-Clause */
/* What the history checks of Arm CCA remember: VDEVs, PDEVs and what is mapped of them. */
#include "check/ghost.h"
#include "firmware/cca/cca.h"

const struct ghost_vdev *ghost_vdev_find(uint64_t vdev)
{
	for (unsigned int i = 0; vdev && i < GHOST_VDEVS; i++)
		if (ghost_root()->vdev[i].vdev == vdev)
			return &ghost_root()->vdev[i];
	return NULL;
}

const struct ghost_vdev *ghost_vdev_of_rid(uint16_t rid)
{
	for (unsigned int i = 0; rid && i < GHOST_VDEVS; i++)
		if (ghost_root()->vdev[i].vdev && ghost_root()->vdev[i].rid == rid)
			return &ghost_root()->vdev[i];
	return NULL;
}

static struct ghost_vdev *vdev_write(uint64_t vdev)
{
	const struct ghost_vdev *found = ghost_vdev_find(vdev);
	struct ghost_vdev *w;

	if (found)
		return image_write(found);
	for (unsigned int i = 0; vdev && i < GHOST_VDEVS; i++) {
		if (ghost_root()->vdev[i].vdev)
			continue;
		w = image_write(&ghost_root()->vdev[i]);
		*w = (struct ghost_vdev){ .vdev = vdev };
		return w;
	}
	return NULL;
}

bool ghost_pdev_ready(uint64_t pdev)
{
	for (unsigned int i = 0; i < GHOST_VDEVS; i++)
		if (ghost_root()->pdev[i].pdev == pdev)
			return ghost_root()->pdev[i].state == PDEV_READY;
	return false;
}

static void pdev_event(const struct trace_event *event)
{
	uint64_t granule = event_arg(event, "pdev");
	struct ghost_pdev *w = NULL;

	for (unsigned int i = 0; !w && i < GHOST_VDEVS; i++)
		if (ghost_root()->pdev[i].pdev == granule)
			w = image_write(&ghost_root()->pdev[i]);
	for (unsigned int i = 0; !w && i < GHOST_VDEVS; i++)
		if (!ghost_root()->pdev[i].pdev)
			w = image_write(&ghost_root()->pdev[i]);
	if (w)
		*w = (struct ghost_pdev){ granule, (uint8_t)event_arg(event, "to") };
}

static void vdev_event(const struct trace_event *event)
{
	struct ghost_vdev *w = vdev_write(event_arg(event, "vdev"));

	if (!w)
		return;
	w->rid = (uint16_t)event_arg(event, "rid");
	w->state = (uint8_t)event_arg(event, "to");
}

static void nonces_event(const struct trace_event *event)
{
	struct ghost_vdev *w = vdev_write(event_arg(event, "vdev"));

	if (!w)
		return;
	w->lock = event_arg(event, "lock");
	w->meas = event_arg(event, "meas");
	w->report = event_arg(event, "report");
	if (w->lock > ghost_root()->lock_nonce)
		ghost_write()->lock_nonce = w->lock;
}

static void ste_event(const struct trace_event *event)
{
	const struct ghost_vdev *vdev = ghost_vdev_of_rid((uint16_t)event_arg(event, "rid"));

	if (vdev)
		((struct ghost_vdev *)image_write(vdev))->ste = event_arg(event, "to");
}

static void granule_event(const struct trace_event *event)
{
	const struct ghost_vdev *vdev = ghost_vdev_find(event_arg(event, "vdev"));
	int64_t granules = (int64_t)(event_arg(event, "len") / PHYS_PAGE);
	struct ghost_vdev *w;

	if (!vdev)
		return;
	w = image_write(vdev);
	if (event_arg(event, "to") == GRANULE_DEV)
		w->mapped += granules;
	else if (event_arg(event, "from") == GRANULE_DEV)
		w->mapped -= granules;
}

static void comm_event(const struct trace_event *event)
{
	struct ghost_vdev *w = vdev_write(event_arg(event, "vdev"));

	if (w)
		w->comm = (uint8_t)event_arg(event, "to");
}

static void call_event(const struct trace_event *event)
{
	struct ghost_vdev *w;

	if (event_done(event, "RMI_VDEV_CREATE")) {
		w = vdev_write(event_arg(event, "vdev"));
		if (!w)
			return;
		w->rd = event_arg(event, "rd");
		w->pdev = event_arg(event, "pdev");
	} else if (event_done(event, "RMI_VDEV_DESTROY")) {
		w = vdev_write(event_arg(event, "vdev"));
		if (w)
			*w = (struct ghost_vdev){ 0 };
	}
}

void ghost_cca_event(const struct trace_event *event)
{
	static const struct {
		const char *name;
		void (*take)(const struct trace_event *event);
	} states[] = {
		{ "VDEV", vdev_event },		    { "VDEV nonces", nonces_event },
		{ "VDEV comm", comm_event },	    { "PDEV", pdev_event },
		{ "STE", ste_event },		    { "device granule", granule_event },
	};

	if (event->kind == TRACE_KIND_CALL && event->to == LANE_FIRMWARE)
		call_event(event);
	if (event->kind != TRACE_KIND_STATE)
		return;
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		if (event_is(event, states[i].name))
			states[i].take(event);
}
