/* SPDX-License-Identifier: BSD-2-Clause */
/* The bus: which functions there are, present or not, and what is below what. */
#include "hardware/doe.h"
#include "hardware/hardware.h"
#include "hardware/ide.h"
#include "trace/trace.h"

#include <errno.h>

int hw_root_create(void)
{
	const struct hw_root *root = hw_root();

	if (root)
		return 0;
	root = image_alloc(sizeof(*root), IMAGE_TYPE_ROOT);
	if (!root)
		return -ENOMEM;
	image_root_set(IMAGE_ROOT_HARDWARE, root);
	return 0;
}

int function_power_on(void)
{
	return hw_root_create();
}

const struct function *function_slot(uint16_t rid)
{
	const struct hw_root *root = hw_root();
	const struct hw_bus *bus = root ? root->bus[rid >> 8] : NULL;

	return bus ? bus->fn[rid & 0xff] : NULL;
}

const struct function *function_slot_next(uint32_t *at)
{
	const struct hw_root *root = hw_root();

	for (; root && *at <= UINT16_MAX; ++*at) {
		const struct hw_bus *bus = root->bus[*at >> 8];

		if (!bus)
			*at |= 0xff;
		else if (bus->fn[*at & 0xff])
			return bus->fn[*at & 0xff];
	}
	return NULL;
}

static bool function_answers(const struct function *fn)
{
	return fn->present && !fn->in_reset;
}

const struct function *function_find(uint16_t rid)
{
	const struct function *fn = function_slot(rid);

	return fn && function_answers(fn) ? fn : NULL;
}

const struct function *function_next(uint16_t *rid)
{
	const struct function *fn;
	uint32_t at = *rid;

	while ((fn = function_slot_next(&at)) && !function_answers(fn))
		at++;
	if (fn)
		*rid = fn->rid;
	return fn;
}

static const struct hw_bus *bus_get(const struct hw_root *root, unsigned int number)
{
	const struct hw_bus *bus = root->bus[number];

	if (bus)
		return bus;
	bus = image_alloc(sizeof(*bus), IMAGE_TYPE_FUNCTION);
	if (bus)
		hw_set(&root->bus[number], bus);
	return bus;
}

const struct function *function_add(uint16_t rid, uint16_t model)
{
	const struct hw_root *root = hw_root();
	const struct hw_bus *bus;
	struct function *fn;

	if (!root || function_slot(rid))
		return NULL;
	bus = bus_get(root, rid >> 8);
	if (!bus || decode_reserve(root->functions + 1))
		return NULL;
	fn = image_alloc(sizeof(*fn), IMAGE_TYPE_FUNCTION);
	if (!fn)
		return NULL;
	fn->rid = fn->pf_rid = fn->root_port = rid;
	fn->model = model;
	fn->plugged = fn->present = true;
	fn->cap_end = 0x40;
	fn->ext_cap_end = 0x100;
	hw_set(&bus->fn[rid & 0xff], fn);
	hw_set(&root->functions, root->functions + 1);
	return fn;
}

void function_remove(const struct function *fn)
{
	const struct hw_root *root = hw_root();

	if (!fn || function_slot(fn->rid) != fn)
		return;
	hw_set(&fn->plugged, false);
	function_present_update(fn);
	hw_set(&root->bus[fn->rid >> 8]->fn[fn->rid & 0xff], NULL);
	hw_set(&root->functions, root->functions - 1);
	doe_free(fn);
	ide_free(fn);
	image_free(fn);
}

void function_set_state(const struct function *fn, const void *state)
{
	hw_set(&fn->state, state);
}

bool function_is_vf(const struct function *fn)
{
	return fn->pf_rid != fn->rid;
}

bool function_is_bridge(const struct function *fn)
{
	return (fn->config[PCI_HEADER_TYPE] & 0x7f) == PCI_HEADER_BRIDGE;
}

bool function_below(const struct function *fn, const struct function *port)
{
	return fn != port && fn->root_port == port->rid;
}

void function_place(const struct function *fn, uint16_t root_port, uint16_t pf_rid)
{
	hw_set(&fn->root_port, root_port);
	hw_set(&fn->pf_rid, pf_rid);
	function_present_update(fn);
}

/* Which VF of its PF this is, or -1: not one that the PF has enabled. */
static int vf_index(const struct function *vf, const struct function *pf)
{
	unsigned int offset = config_get(pf, pf->cap_sriov + PCI_SRIOV_VF_OFFSET, 2);
	unsigned int stride = config_get(pf, pf->cap_sriov + PCI_SRIOV_VF_STRIDE, 2);
	int distance = (int)vf->rid - (int)pf->rid - (int)offset;

	if (distance < 0 || (stride ? (unsigned int)distance % stride : (unsigned int)distance))
		return -1;
	distance = stride ? distance / (int)stride : 0;
	return distance < pf->vf_count ? distance : -1;
}

static bool vf_enabled(const struct function *vf)
{
	const struct function *pf = function_slot(vf->pf_rid);

	return pf && pf->plugged && pf->cap_sriov && vf_index(vf, pf) >= 0;
}

void function_present_update(const struct function *fn)
{
	bool present = fn->plugged && (!function_is_vf(fn) || vf_enabled(fn));

	if (present != fn->present)
		hw_set(&fn->present, present);
	decode_update(fn);
}

/* PCIe 9.3.3: VF Enable brings VFs into being, fresh; clearing it ends them. */
void sriov_update(const struct function *pf, enum function_reset kind)
{
	uint32_t ctrl = config_get(pf, pf->cap_sriov + PCI_SRIOV_CTRL, 2);
	uint32_t wanted = config_get(pf, pf->cap_sriov + PCI_SRIOV_NUM_VF, 2);
	uint32_t total = config_get(pf, pf->cap_sriov + PCI_SRIOV_TOTAL_VF, 2);
	const struct function *vf;

	if (!(ctrl & PCI_SRIOV_CTRL_VFE))
		wanted = 0;
	if (wanted > total)
		wanted = total;
	if (pf->vf_count != wanted)
		hw_set(&pf->vf_count, (uint16_t)wanted);
	for (uint32_t at = 0; (vf = function_slot_next(&at)); at++) {
		bool was = vf->present;

		if (vf != pf && vf->pf_rid == pf->rid) {
			if (was && !vf_enabled(vf))
				function_reset(vf, kind);
			function_present_update(vf);
			if (!was && vf->present)
				function_reset(vf, RESET_FLR);
		}
	}
}

/* The link goes down with the device: streams over it end on the other side too. */
void function_surprise_remove(const struct function *fn)
{
	const struct function *other;

	TRACE_EVENT(LANE_HARDWARE, LANE_DEVICE, "surprise removal", A("rid", fn->rid));
	ide_reset(fn);
	hw_set(&fn->plugged, false);
	function_present_update(fn);
	for (uint32_t at = 0; (other = function_slot_next(&at)); at++) {
		if (other != fn && other->pf_rid == fn->rid)
			function_present_update(other);
	}
}

void function_plug(const struct function *fn)
{
	TRACE_EVENT(LANE_HARDWARE, LANE_DEVICE, "plug", A("rid", fn->rid));
	hw_set(&fn->plugged, true);
	function_present_update(fn);
	function_reset(fn, RESET_POWER);
}
