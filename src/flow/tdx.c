/* SPDX-License-Identifier: BSD-2-Clause */
/* What a flow may ask of the TDX module, and what a bad host may ask it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "firmware/tdx/tdx.h"
#include "flow/parse.h"

static const char *const sept_states[] = { "FREE", "MAPPED", "PENDING", "BLOCKED", "MMIO_PENDING",
	"MMIO_MAPPED", "MMIO_BLOCKED" };
static const char *const dmar_states[] = { "FREE", "PENDING", "PRESENT", "BLOCKED" };

/* sept gpa= [vm=]: the leaf's state in the VM's S-EPT. */
static void probe_sept(const struct flow_action *action, struct flow_result *result)
{
	uint64_t gpa, hpa, tdr = 0;
	unsigned int level;
	struct tdx_tdi_view view;

	if (!flow_arg_number(action, "gpa", &gpa)) {
		result->rc = -EDOM;
		return;
	}
	if (!tdx_tdi_view(flow_rid(action), &view))
		tdr = view.tdr;
	flow_arg_number(action, "tdr", &tdr);
	flow_result_text(result, tdr ? sept_states[tdx_sept_state(tdr, gpa, &hpa, &level)] : "FREE");
}

static void probe_dmar(const struct flow_action *action, struct flow_result *result)
{
	struct tdx_tdi_view view;

	flow_result_text(result,
		tdx_tdi_view(flow_rid(action), &view) ? "FREE" : dmar_states[view.dmar & 3]);
}

/* owned: pages of the function's MMIO mapped in an S-EPT; -ENOENT when there is no TDI. */
static void probe_mmio_pages(const struct flow_action *action, struct flow_result *result)
{
	struct tdx_tdi_view view;
	int rc = tdx_tdi_view(flow_rid(action), &view);

	result->rc = rc ? rc : (int64_t)view.mmio_pages;
}

static void probe_session(const struct flow_action *action, struct flow_result *result)
{
	struct tdx_tdi_view view;
	int rc = tdx_tdi_view(flow_rid(action), &view);

	result->rc = rc ? rc : (int64_t)view.bind_session;
}

/* tdr: the root page of the TD that has the TDI, as SEAMCALLs name it. */
static void probe_tdr(const struct flow_action *action, struct flow_result *result)
{
	struct tdx_tdi_view view;
	int rc = tdx_tdi_view(flow_rid(action), &view);

	result->rc = rc ? rc : (int64_t)view.tdr;
}

const struct flow_verb flow_tdx_probes[] = {
	{ "sept", probe_sept },
	{ "dmar", probe_dmar },
	{ "mmio-pages", probe_mmio_pages },
	{ "session", probe_session },
	{ "tdr", probe_tdr },
	{ NULL, NULL },
};

/* seamcall leaf= rcx= ...: a call the host's driver would not make now. */
static void act_seamcall(const struct flow_action *action, struct flow_result *result)
{
	struct tdx_args args = {
		.rcx = flow_arg_or(action, "rcx", 0), .rdx = flow_arg_or(action, "rdx", 0),
		.r8 = flow_arg_or(action, "r8", 0), .r9 = flow_arg_or(action, "r9", 0),
		.r10 = flow_arg_or(action, "r10", 0),
	};
	const char *name = flow_arg_text(action, "leaf");
	uint64_t status;

	for (uint64_t leaf = 0; name && leaf < 0x1000; leaf++) {
		const char *known = tdx_leaf_name(leaf);

		if (!known || strcmp(known, name))
			continue;
		status = tdx_seamcall(LANE_ADVERSARY, (enum tdx_leaf)leaf, &args);
		snprintf(result->text, sizeof(result->text), "%s", tdx_status_name(status));
		result->rc = tdx_class(status) >> 63 ? -EIO : 0;
		return;
	}
	result->rc = -EDOM;
}

/* inject-tdx leaf= status= count=: the module's next answers. */
static void inject_tdx(const struct flow_action *action, struct flow_result *result)
{
	static const struct { const char *name; uint64_t status; } statuses[] = {
#define TDX_STATUS(id, code, name) { name, (uint64_t)(code) << 32 },
#include "firmware/tdx/status.def"
#undef TDX_STATUS
	};
	const char *leaf_name = flow_arg_text(action, "leaf"),
		   *status = flow_arg_text(action, "status");

	result->rc = -EDOM;
	for (uint64_t leaf = 0; leaf_name && status && leaf < 0x1000; leaf++) {
		const char *known = tdx_leaf_name(leaf);

		if (!known || strcmp(known, leaf_name))
			continue;
		for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
			if (!strcmp(statuses[i].name, status))
				result->rc = tdx_inject((enum tdx_leaf)leaf, statuses[i].status,
					(unsigned int)flow_arg_or(action, "count", 1));
	}
}

BELOW(act_seamcall)
BELOW(inject_tdx)

const struct flow_verb flow_tdx_acts[] = {
	{ "seamcall", act_seamcall_below },
	{ "inject-tdx", inject_tdx_below },
	{ NULL, NULL },
};
