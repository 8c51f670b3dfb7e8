/* SPDX-License-Identifier: BSD-2-Clause */
/* What a flow may ask of the PSP and the RMP, and what a bad host may do with them. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "firmware/sev/operands.h"
#include "firmware/sev/sev.h"
#include "flow/parse.h"
#include "hardware/cpu.h"
#include "hardware/iommu.h"
#include "kernel/kvm/kvm.h"
#include "kernel/tsm/sev_link.h"
#include "vmm/vmm.h"

static uint64_t page_of(const struct flow_action *action)
{
	const struct function *fn = function_find(flow_rid(action));
	uint64_t bar = flow_arg_or(action, "bar", 0), hpa;

	if (flow_arg_number(action, "hpa", &hpa))
		return hpa;
	return fn && bar < FUNCTION_BARS ? fn->bar[bar].hpa + flow_arg_or(action, "offset", 0) : 0;
}

/* -- probes ----------------------------------------------------------------------------------- */

/* rmp bar= offset= | hpa=: SHARED, FIRMWARE, ASSIGNED or VALIDATED. */
static void probe_rmp(const struct flow_action *action, struct flow_result *result)
{
	struct rmp_entry entry = rmp_read(page_of(action));

	flow_result_text(result, !entry.assigned ? "SHARED" :
				 !entry.asid	 ? "FIRMWARE" :
				 entry.validated ? "VALIDATED" :
						   "ASSIGNED");
}

static void probe_sdte(const struct flow_action *action, struct flow_result *result)
{
	flow_result_text(result, iommu_sdte(flow_rid(action)).valid ? "VALID" : "OFF");
}

static uint16_t asid_of(const struct flow_action *action)
{
	struct sev_tdi_view view;
	uint64_t asid = 0;

	if (!sev_tdi_view(flow_rid(action), &view))
		asid = view.asid;
	flow_arg_number(action, "asid", &asid);
	return (uint16_t)asid;
}

/* fence [asid=]: of the guest the TDI is bound to. */
static void probe_fence(const struct flow_action *action, struct flow_result *result)
{
	const struct rmp_fence *fence = rmp_fence(asid_of(action));

	flow_result_text(result, fence->dma && fence->mmio ? "BOTH" :
				 fence->dma		   ? "DMA" :
				 fence->mmio		   ? "MMIO" :
							     "NONE");
}

static void view_number(const struct flow_action *action, struct flow_result *result,
			size_t offset, size_t size)
{
	struct sev_tdi_view view;
	uint64_t value = 0;

	result->rc = sev_tdi_view(flow_rid(action), &view);
	if (result->rc)
		return;
	memcpy(&value, (const uint8_t *)&view + offset, size);
	result->rc = (int64_t)value;
}

#define VIEW_PROBE(name, member)                                                                   \
	static void probe_##name(const struct flow_action *action, struct flow_result *result)     \
	{                                                                                          \
		view_number(action, result, offsetof(struct sev_tdi_view, member),                 \
			    sizeof(((struct sev_tdi_view *)0)->member));                           \
	}
VIEW_PROBE(tdi_id, tdi_id)
VIEW_PROBE(asid, asid)
VIEW_PROBE(validated, validated)
VIEW_PROBE(tdi_ctx, ctx)

/* guest-page gpa=: the host page behind a private page of the first guest. */
static void probe_guest_page(const struct flow_action *action, struct flow_result *result)
{
	struct vmm *vmm = flow_vmm(action->instance);
	const struct task *task = flow_task(FLOW_VMM, action->instance);
	const struct file *file = task && vmm && vmm->vm >= 0 ? task->fds[vmm->vm] : NULL;
	const struct kvm *kvm = file ? kvm_of_file(file) : NULL;
	const struct vcpu_hw *vcpu = kvm ? kvm_vcpu_hw(kvm, 0) : NULL;
	uint64_t gpa = flow_arg_or(action, "gpa", 0);
	struct pt_leaf leaf;

	result->rc = -ENOENT;
	if (vcpu && !pt_walk_root(PT_X86, vcpu->tee_root, 4, gpa, &leaf))
		result->rc = (int64_t)(leaf.hpa + (gpa - leaf.address));
}

BELOW(probe_guest_page)

const struct flow_verb flow_sev_probes[] = {
	{ "guest-page", probe_guest_page_below },
	{ "rmp", probe_rmp },
	{ "sdte", probe_sdte },
	{ "fence", probe_fence },
	{ "tdi-id", probe_tdi_id },
	{ "asid", probe_asid },
	{ "validated", probe_validated },
	{ "tdi-ctx", probe_tdi_ctx },
	{ NULL, NULL },
};

/* -- a bad host ------------------------------------------------------------------------------- */

/* psp command= [flags= lock= run= ...]: a command the driver would not give now, on the contexts it
 * has for the function. */
static void act_psp(const struct flow_action *action, struct flow_result *result)
{
	const struct pci_dev *pdev = pci_dev_find(flow_rid(action));
	const char *name = flow_arg_text(action, "command");
	int id = name ? sev_command_by_name(name) : -EINVAL;
	const struct sev_link *link = pdev && pdev->tsm ? sev_link_of(pdev->tsm) : NULL;
	struct sev_command args = { 0 };
	enum sev_status status;

	result->rc = -EDOM;
	if (id < 0 || !link)
		return;
	if (pci_tsm_of(pdev)->tdi_driver)
		args = sev_tdi_args(pdev);
	args.dev_ctx = link->dev_ctx;
	args.spdm = sev_link_buffers(link);
	args.flags = (uint32_t)flow_arg_or(action, "flags", 0);
	args.lock_flags = (uint16_t)flow_arg_or(action, "lock", 0);
	args.run_flags = (uint16_t)flow_arg_or(action, "run", 0);
	args.tdi_ctx = flow_arg_or(action, "tdi", args.tdi_ctx);
	args.gctx = flow_arg_or(action, "gctx", args.gctx);
	args.in = flow_arg_or(action, "in", phys_of(link->message));
	args.out = flow_arg_or(action, "out", phys_of(link->message + PHYS_PAGE));
	status = sev_host_command(LANE_ADVERSARY, (enum sev_command_id)id, &args);
	flow_result_text(result, sev_status_name(status));
	result->rc = status ? -EIO : 0;
}

/* rmpupdate bar= offset= pages= [assigned= asid= gpa= immutable= large=] */
static void act_rmpupdate(const struct flow_action *action, struct flow_result *result)
{
	const struct rmp_entry state = { .gpa = flow_arg_or(action, "gpa", 0),
					 .asid = (uint16_t)flow_arg_or(action, "asid", 0),
					 .assigned = flow_arg_or(action, "assigned", 0),
					 .immutable = flow_arg_or(action, "immutable", 0),
					 .large = flow_arg_or(action, "large", 0) };
	enum rmp_status status = rmpupdate(LANE_ADVERSARY, page_of(action),
					   flow_arg_or(action, "pages", 1), &state);

	flow_result_text(result, rmp_status_name(status));
	result->rc = status ? -EIO : 0;
}

/* write-page hpa= value=: a store to a page, whoever has it. */
static void act_write_page(const struct flow_action *action, struct flow_result *result)
{
	uint32_t value = (uint32_t)flow_arg_or(action, "value", 0);

	result->rc = cpu_host_write(page_of(action), &value, sizeof(value));
}

static void inject_psp(const struct flow_action *action, struct flow_result *result)
{
	const char *command = flow_arg_text(action, "command"),
		   *status = flow_arg_text(action, "status");
	int id = command ? sev_command_by_name(command) : -EINVAL;
	int code = status ? sev_status_by_name(status) : -EINVAL;

	result->rc = id < 0 || code < 0 ? -EDOM :
					  sev_inject((enum sev_command_id)id, (enum sev_status)code,
						     (unsigned int)flow_arg_or(action, "count", 1));
}

BELOW(act_psp)
BELOW(act_rmpupdate)
BELOW(act_write_page)
BELOW(inject_psp)

const struct flow_verb flow_sev_acts[] = {
	{ "psp", act_psp_below },
	{ "rmpupdate", act_rmpupdate_below },
	{ "write-page", act_write_page_below },
	{ "inject-psp", inject_psp_below },
	{ NULL, NULL },
};
