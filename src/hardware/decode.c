/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * BARs: their registers, and which window of the MMIO space each function answers at. Windows are
 * kept sorted; when software makes two overlap, the one with the higher base wins where it lies,
 * and what the lower one has beyond it is answered by nobody. PCIe leaves that case undefined.
 */
#include "hardware/hardware.h"

#include <errno.h>

int decode_reserve(uint32_t functions)
{
	const struct hw_root *root = hw_root();
	uint32_t room = root->window_room ? root->window_room : 8 * FUNCTION_BARS;
	struct hw_window *windows;

	if (functions * FUNCTION_BARS <= root->window_room)
		return 0;
	while (room < functions * FUNCTION_BARS)
		room *= 2;
	windows = image_alloc(room * sizeof(*windows), IMAGE_TYPE_FUNCTION);
	if (!windows)
		return -ENOMEM;
	if (root->windows)
		memcpy(windows, root->windows, root->window_count * sizeof(*windows));
	image_free(root->windows);
	hw_set(&root->windows, (const struct hw_window *)windows);
	hw_set(&root->window_room, room);
	return 0;
}

bool function_powered(const struct function *fn)
{
	return fn->present && !fn->in_reset &&
	       (!fn->cap_pm || !(config_get(fn, fn->cap_pm + PCI_PM_CONTROL, 2) & PCI_PM_STATE));
}

/* What the BAR register (or its 64-bit pair) at `at` says. */
static uint64_t bar_register(const struct function *fn, unsigned int at, bool is64)
{
	uint64_t base = config_get(fn, at, 4) & ~0xfull;

	return is64 ? base | (uint64_t)config_get(fn, at + 4, 4) << 32 : base;
}

static uint64_t vf_number(const struct function *vf, const struct function *pf)
{
	unsigned int offset = config_get(pf, pf->cap_sriov + PCI_SRIOV_VF_OFFSET, 2);
	unsigned int stride = config_get(pf, pf->cap_sriov + PCI_SRIOV_VF_STRIDE, 2);

	return ((uint64_t)vf->rid - pf->rid - offset) / (stride ? stride : 1);
}

static bool bar_place(const struct function *fn, unsigned int bar, uint64_t *hpa)
{
	const struct function *pf = function_slot(fn->pf_rid);
	const struct function_bar *b = &fn->bar[bar];
	bool on;

	if (!b->size)
		return false;
	if (!function_is_vf(fn)) {
		*hpa = bar_register(fn, PCI_BAR0 + 4 * bar, b->is64);
		on = config_get(fn, PCI_COMMAND, 2) & PCI_COMMAND_MEMORY;
	} else if (pf && pf->cap_sriov && fn->present) {
		*hpa = bar_register(pf, pf->cap_sriov + PCI_SRIOV_BAR0 + 4 * bar, b->is64) +
		       vf_number(fn, pf) * b->size;
		on = config_get(pf, pf->cap_sriov + PCI_SRIOV_CTRL, 2) & PCI_SRIOV_CTRL_MSE;
		on = on && function_powered(pf);
	} else {
		return false;
	}
	return on && function_powered(fn) && *hpa >= PHYS_MMIO && *hpa < PHYS_MMIO_END &&
	       b->size <= PHYS_MMIO_END - *hpa;
}

/* One function's BARs again from its registers; true when something moved. */
static bool bars_update(const struct function *fn)
{
	bool moved = false;

	for (unsigned int i = 0; i < FUNCTION_BARS; i++) {
		uint64_t hpa = fn->bar[i].hpa;
		bool decoded = bar_place(fn, i, &hpa);
		struct function_bar *b;

		if (hpa == fn->bar[i].hpa && decoded == fn->bar[i].decoded)
			continue;
		moved = moved || decoded || fn->bar[i].decoded;
		b = image_write(&fn->bar[i]);
		b->hpa = hpa;
		b->decoded = decoded;
	}
	return moved;
}

static void windows_insert(struct hw_window *w, uint32_t *count, const struct hw_window *new)
{
	uint32_t at = *count;

	for (; at && w[at - 1].base > new->base; at--)
		w[at] = w[at - 1];
	w[at] = *new;
	++*count;
}

static void windows_rebuild(void)
{
	const struct hw_root *root = hw_root();
	struct hw_window *w = image_log(root->windows, root->window_room * sizeof(*w));
	const struct function *fn;
	uint32_t count = 0;

	for (uint32_t at = 0; (fn = function_slot_next(&at)); at++) {
		for (unsigned int i = 0; i < FUNCTION_BARS; i++) {
			const struct function_bar *b = &fn->bar[i];
			struct hw_window new = { b->hpa, b->hpa + b->size, fn->rid, (uint8_t)i };

			if (b->decoded && count < root->window_room)
				windows_insert(w, &count, &new);
		}
	}
	hw_set(&root->window_count, count);
}

void decode_update(const struct function *fn)
{
	const struct function *vf;
	bool moved = bars_update(fn), any = moved;

	if (moved)
		kernel_mmio_moved(fn->rid);
	for (uint32_t at = 0; fn->cap_sriov && (vf = function_slot_next(&at)); at++) {
		if (vf != fn && vf->pf_rid == fn->rid && bars_update(vf)) {
			any = true;
			kernel_mmio_moved(vf->rid);
		}
	}
	if (any)
		windows_rebuild();
}

const struct function *function_at(uint64_t hpa, unsigned int *bar, uint64_t *offset)
{
	const struct hw_root *root = hw_root();
	const struct function *fn;
	uint32_t low = 0, high = root ? root->window_count : 0;
	const struct hw_window *w;

	while (low < high) {	/* the last window with base <= hpa */
		uint32_t middle = (low + high) / 2;

		if (root->windows[middle].base <= hpa)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low)
		return NULL;
	w = &root->windows[low - 1];
	fn = hpa < w->end ? function_find(w->rid) : NULL;
	if (fn) {
		*bar = w->bar;
		*offset = hpa - w->base;
	}
	return fn;
}

static void bar_registers(const struct function *fn, unsigned int at, const struct function_bar *b)
{
	uint64_t mask = ~(b->size - 1);
	uint32_t type = (b->is64 ? PCI_BAR_64 : 0) | (b->prefetch ? PCI_BAR_PREFETCH : 0);

	config_set(fn, at, 4, type, (uint32_t)mask);
	if (b->is64)
		config_set(fn, at + 4, 4, 0, (uint32_t)(mask >> 32));
}

static bool bar_legal(const struct function_bar *b, unsigned int bar, unsigned int bars)
{
	if (bar >= bars || b->size < PHYS_PAGE || (b->size & (b->size - 1)))
		return false;
	return b->is64 ? bar + 1 < bars : b->size <= 1ull << 31;
}

int function_add_bar(const struct function *fn, unsigned int bar, uint64_t size, bool is64,
		     bool prefetch, const void *memory)
{
	struct function_bar b = {
		.size = size, .is64 = is64, .prefetch = prefetch, .memory = memory
	};

	if (!bar_legal(&b, bar, function_is_bridge(fn) ? 2 : FUNCTION_BARS) || fn->bar[bar].size)
		return -EINVAL;
	hw_set(&fn->bar[bar], b);
	if (!function_is_vf(fn))
		bar_registers(fn, PCI_BAR0 + 4 * bar, &b);
	decode_update(fn);
	return 0;
}

void function_trap_bar(const struct function *fn, unsigned int bar)
{
	hw_set(&fn->bar[bar].trapped, true);
}

unsigned int function_add_sriov(const struct function *pf, uint16_t total, uint16_t first_offset,
				uint16_t stride, uint16_t vf_device,
				const struct function_bar vf_bar[FUNCTION_BARS])
{
	unsigned int cap;

	for (unsigned int i = 0; i < FUNCTION_BARS; i++)
		if (vf_bar[i].size && !bar_legal(&vf_bar[i], i, FUNCTION_BARS))
			return 0;
	cap = config_add_ext_cap(pf, PCI_EXT_CAP_ID_SRIOV, 1, PCI_SRIOV_LEN);
	if (!cap)
		return 0;
	config_set(pf, cap + PCI_SRIOV_CTRL, 2, 0, PCI_SRIOV_CTRL_VFE | PCI_SRIOV_CTRL_MSE);
	config_set(pf, cap + PCI_SRIOV_INITIAL_VF, 2, total, 0);
	config_set(pf, cap + PCI_SRIOV_TOTAL_VF, 2, total, 0);
	config_set(pf, cap + PCI_SRIOV_NUM_VF, 2, 0, 0xffff);
	config_set(pf, cap + PCI_SRIOV_VF_OFFSET, 2, first_offset, 0);
	config_set(pf, cap + PCI_SRIOV_VF_STRIDE, 2, stride, 0);
	config_set(pf, cap + PCI_SRIOV_VF_DID, 2, vf_device, 0);
	config_set(pf, cap + PCI_SRIOV_SUP_PGSIZE, 4, 1, 0);	/* 4 KiB only */
	config_set(pf, cap + PCI_SRIOV_SYS_PGSIZE, 4, 1, 1);
	for (unsigned int i = 0; i < FUNCTION_BARS; i++)
		if (vf_bar[i].size)
			bar_registers(pf, cap + PCI_SRIOV_BAR0 + 4 * i, &vf_bar[i]);
	return cap;
}
