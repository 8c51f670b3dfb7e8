/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Resets. A function-level reset leaves the IDE registers and keys of the port alone; a
 * conventional one (hot, power) takes them too, and reaches everything below a bridge. A reset of a
 * PF ends its VFs, since it clears VF Enable.
 */
#include "hardware/doe.h"
#include "hardware/hardware.h"
#include "hardware/ide.h"
#include "trace/trace.h"

static const char *const reset_names[] = {
	[RESET_FLR] = "FLR", [RESET_HOT] = "hot reset", [RESET_POWER] = "power reset",
};

void config_reset(const struct function *fn, enum function_reset kind)
{
	unsigned int keep = kind == RESET_FLR && fn->cap_ide ? fn->cap_ide : FUNCTION_CONFIG_SIZE;
	unsigned int next = FUNCTION_CONFIG_SIZE;

	if (keep < FUNCTION_CONFIG_SIZE) {
		next = config_get(fn, keep, 4) >> 20;
		next = next > keep ? next : fn->ext_cap_end;
	}
	memcpy(image_log(fn->config, keep), fn->initial, keep);
	if (next < FUNCTION_CONFIG_SIZE)
		memcpy(image_log(fn->config + next, FUNCTION_CONFIG_SIZE - next),
		       fn->initial + next, FUNCTION_CONFIG_SIZE - next);
}

static void reset_one(const struct function *fn, enum function_reset kind)
{
	const struct function_ops *ops = function_model_ops(fn->model);

	TRACE_EVENT(LANE_HARDWARE, LANE_DEVICE, reset_names[kind], A("rid", fn->rid));
	tlp_arrive(fn->rid);
	doe_reset(fn);
	if (kind != RESET_FLR)
		ide_reset(fn);
	config_reset(fn, kind);
	decode_update(fn);
	if (ops && ops->reset)
		ops->reset(fn, kind);
	if (fn->cap_sriov)
		sriov_update(fn, kind);
}

static bool reset_reaches(const struct function *fn, const struct function *target,
			  enum function_reset kind)
{
	return kind != RESET_FLR && function_is_bridge(target) && function_below(fn, target);
}

void function_reset(const struct function *fn, enum function_reset kind)
{
	const struct function *below;

	for (uint32_t at = 0; (below = function_slot_next(&at)); at++) {
		if (below->present && reset_reaches(below, fn, kind))
			reset_one(below, kind);
	}
	if (kind == RESET_FLR || !function_is_bridge(fn))
		reset_one(fn, kind);
}
