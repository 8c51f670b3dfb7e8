/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's gate: what a TD may ask, believe and accept. */
#include "firmware/tdx/internal.h"
#include "image/mutant.h"

struct tdcall {
	const struct vcpu_hw *vcpu;
	const struct tdx_td *td;
	struct tdx_args *args;
	bool exits;
};

struct tdcall_row {
	uint16_t leaf;
	uint64_t (*handler)(struct tdcall *call);
	const char *args[TDX_TRACED];	/* rcx, rdx, r8, r9 in the trace */
};

/* No leaf at a private GPA: the VMM must provide one, then the guest asks again. */
static uint64_t ept_violation(struct tdcall *call, uint64_t gpa, uint64_t len)
{
	struct vcpu_hw *vcpu = image_write(call->vcpu);

	vcpu->exit = (struct cpu_exit_info){ .reason = CPU_EXIT_EPT_VIOLATION, .gpa = gpa,
		.len = (uint32_t)len, .is_private = true };
	call->exits = true;
	return TDX_INTERRUPTED_RESUMABLE;
}

static uint64_t vp_vmcall(struct tdcall *call)
{
	const struct tdx_args *args = call->args;
	struct vcpu_hw *vcpu = image_write(call->vcpu);

	if (args->r10)
		return tdx_invalid(TDX_R10);
	vcpu->exit = (struct cpu_exit_info){ .reason = CPU_EXIT_VMCALL, .fn = args->r11,
		.args = { args->r12, args->r13, args->r14, args->r15 } };
	call->exits = true;
	return TDX_SUCCESS;
}

static uint64_t vp_info(struct tdcall *call)
{
	call->args->rcx = 48;
	call->args->rdx = call->td->attributes;
	call->args->r8 = call->td->number;
	return TDX_SUCCESS;
}

static uint64_t vm_rd(struct tdcall *call)
{
	switch (call->args->rdx) {
	case TDX_VM_ATTRIBUTES:
		call->args->r8 = call->td->attributes;
		return TDX_SUCCESS;
	case TDX_VM_CONFIG_FLAGS:
		call->args->r8 = call->td->config_flags;
		return TDX_SUCCESS;
	default:
		return tdx_invalid(TDX_RDX);
	}
}

static uint64_t mem_page_accept(struct tdcall *call)
{
	struct sept_ref ref;
	unsigned int level;
	uint64_t gpa, hpa;
	uint64_t status = sept_operand(call->args->rcx, 0, 1, &gpa, &level);

	if (status)
		return status;
	if (sept_find_leaf(call->td, gpa, &ref) || !ref.entry)
		return ept_violation(call, gpa, sept_level_size(level));
	switch (sept_entry_state(ref.entry)) {
	case SEPT_MAPPED:
		return TDX_PAGE_ALREADY_ACCEPTED | TDX_RCX;
	case SEPT_PENDING:
		break;
	default:
		return ept_violation(call, gpa, sept_level_size(level));
	}
	if (ref.level != level)
		return TDX_PAGE_SIZE_MISMATCH | TDX_RCX;
	hpa = sept_entry_hpa(ref.entry, level);
	phys_clear(hpa, sept_level_size(level), td_owner(call->td), true);
	sept_leaf_set(call->td, &ref, hpa, SEPT_MAPPED);
	return TDX_SUCCESS;
}

/* -- TDIs ------------------------------------------------------------------------------------ */
static const struct tdx_tdi *own_tdi(struct tdcall *call, uint64_t func_id, uint64_t *status)
{
	const struct tdx_tdi *tdi = tdi_of(func_id);

	*status = TDX_TDI_NOT_PRESENT;
	return tdi && tdi->td == call->td ? tdi : NULL;
}

/* Locked or running, under a bind whose report the module has: else nothing can be accepted. */
static const struct tdx_tdi *bound_tdi(struct tdcall *call, uint64_t func_id, uint64_t *status)
{
	const struct tdx_tdi *tdi = own_tdi(call, func_id, status);

	if (tdi && !tdi->bound) {
		*status = TDX_TDI_INVALID_STATE;
		return NULL;
	}
	return tdi;
}

static uint64_t tdi_rd(struct tdcall *call)
{
	struct tdx_args *args = call->args;
	uint64_t status;
	const struct tdx_tdi *tdi = own_tdi(call, args->rcx, &status);
	const uint8_t *digest;

	if (!tdi)
		return status | TDX_RCX;
	if (args->rdx == TDX_TDI_TDISP_STATE) {
		args->r8 = tdi->uncertain ? TDISP_ERROR_STATE : tdi->tdisp_state;
		return TDX_SUCCESS;
	}
	if (!tdi->bound)
		return TDX_TDI_INVALID_STATE | TDX_RCX;
	switch (args->rdx) {
	case TDX_TDI_BIND_SESSION:
		args->r8 = tdi->bind_session;
		return TDX_SUCCESS;
	case TDX_TDI_REPORT_DIGEST:
		digest = tdi->report_digest;
		break;
	case TDX_TDI_DEV_INFO_DIGEST:
		digest = tdi->stream->spdm->dev_info_digest;
		break;
	default:
		return tdx_invalid(TDX_RDX);
	}
	if (!sept_private_write(call->td, args->r8, digest, SPDM_HASH))
		return tdx_invalid(TDX_R8);
	args->r8 = SPDM_HASH;
	return TDX_SUCCESS;
}

static uint64_t tdi_start(struct tdcall *call)
{
	uint64_t status;
	const struct tdx_tdi *tdi = bound_tdi(call, call->args->rcx, &status);

	if (!tdi)
		return status | TDX_RCX;
	if (call->args->rdx != tdi->bind_session)
		return TDX_TDI_BIND_SESSION_MISMATCH | TDX_RDX;
	if (tdi->tdisp_state != TDISP_LOCKED)
		return TDX_TDI_INVALID_STATE | TDX_RCX;
	TRACE_STATE(LANE_FIRMWARE, "TDI authorised", A("func", tdi->func_id),
		    A("session", tdi->bind_session));
	tdi_write(tdi)->authorised = true;
	return TDX_SUCCESS;
}

/* -- MMIO ------------------------------------------------------------------------------------ */
/* One leaf: is it pending, of this size, of this TDI, and the very page of the report? */
static uint64_t mmio_accept_leaf(struct tdcall *call, const struct tdx_tdi *tdi, uint64_t gpa,
				 unsigned int level, uint64_t hpa)
{
	struct sept_ref ref;
	enum sept_state state;
	uint64_t mapped;

	if (sept_find_leaf(call->td, gpa, &ref) || !ref.entry)
		return ept_violation(call, gpa, PHYS_PAGE);
	state = sept_entry_state(ref.entry);
	if (state == SEPT_MMIO_BLOCKED || state == SEPT_BLOCKED)
		return ept_violation(call, gpa, PHYS_PAGE);
	if (state != SEPT_MMIO_PENDING && state != SEPT_MMIO_MAPPED)
		return TDX_EPT_ENTRY_STATE_INCORRECT | TDX_RCX;
	if (ref.level != level)
		return TDX_PAGE_SIZE_MISMATCH | TDX_RCX;
	mapped = sept_entry_hpa(ref.entry, level);
	if ((uint32_t)mmiomt_entry(mapped) != tdi->func_id)
		return TDX_MMIO_TDI_OWNER_MISMATCH | TDX_RCX;
	if (mapped != hpa && !mutant(MUTANT_ACCEPT_UNREPORTED))
		return TDX_MMIO_INVALID_HPA_OFFSET | TDX_R9;
	if (state == SEPT_MMIO_MAPPED)
		return TDX_PAGE_ALREADY_ACCEPTED | TDX_RCX;
	sept_leaf_set(call->td, &ref, mapped, SEPT_MMIO_MAPPED);
	return TDX_SUCCESS;
}

static bool in_range(const struct tdi_range *range, uint64_t offset, uint64_t pages)
{
	return !(range->attributes & TDISP_RANGE_NON_TEE) && pages <= range->pages &&
	       offset <= range->pages - pages;
}

static uint64_t mmio_accept(struct tdcall *call)
{
	struct tdx_args *args = call->args;
	uint64_t offset = args->r9 >> 32, pages = args->r9 & UINT32_MAX;
	const struct tdi_range *range;
	const struct tdx_tdi *tdi;
	unsigned int level;
	uint64_t gpa, step;
	uint64_t status = sept_operand(args->rcx, 0, 1, &gpa, &level);

	if (status)
		return status;
	tdi = bound_tdi(call, args->r8, &status);
	if (!tdi)
		return status | TDX_R8;
	if (args->rdx >= tdi->range_count || !pages ||
	    !in_range(&tdi->ranges[args->rdx], offset, pages))
		return TDX_MMIO_PAGE_NOT_IN_ASSOC_RANGE | TDX_R9;
	range = &tdi->ranges[args->rdx];
	step = sept_level_size(level) / PHYS_PAGE;
	if (pages % step || gpa + pages * PHYS_PAGE > TDX_SHARED_BIT)
		return tdx_invalid(TDX_R9);
	while (pages) {
		status = mmio_accept_leaf(call, tdi, gpa, level, range->hpa + offset * PHYS_PAGE);
		if (status)
			break;
		gpa += step * PHYS_PAGE;
		offset += step;
		pages -= step;
	}
	args->rcx = gpa | level;
	args->r9 = offset << 32 | pages;
	return status;
}

static uint64_t dmar_accept(struct tdcall *call)
{
	uint64_t status;
	const struct tdx_tdi *tdi = bound_tdi(call, call->args->rcx, &status);
	const struct tdx_dmar *dmar;

	if (!tdi)
		return status | TDX_RCX;
	if (call->args->rdx)
		return tdx_invalid(TDX_RDX);
	dmar = dmar_leaf(tdi->func_id);
	if (!dmar || dmar->state != DMAR_PENDING)
		return TDX_DMAR_INVALID_MAPPING_STATE | TDX_RCX;
	if (iommu_trusted_set((uint16_t)tdi->func_id, call->td->sept->hpa, td_owner(call->td),
			      true))
		return TDX_NO_MEMORY;
	dmar_state_set(dmar, DMAR_PRESENT);
	return TDX_SUCCESS;
}

static const struct tdcall_row rows[] = {
	{ TDG_VP_VMCALL, vp_vmcall },
	{ TDG_VP_INFO, vp_info },
	{ TDG_MEM_PAGE_ACCEPT, mem_page_accept, { "gpa" } },
	{ TDG_VM_RD, vm_rd, { NULL, "field" } },
	{ TDG_TDI_RD, tdi_rd, { "func", "field" } },
	{ TDG_TDI_START, tdi_start, { "func", "session" } },
	{ TDG_MMIO_ACCEPT, mmio_accept, { "gpa", "index", "func", "pages" } },
	{ TDG_DMAR_ACCEPT, dmar_accept, { "func" } },
};

static const struct tdcall_row *row_find(enum tdcall_leaf leaf)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].leaf == leaf)
			return &rows[i];
	return NULL;
}

/* A VMCALL ends in KVM; the firmware only passes it on, and the trace shows it so. */
static struct trace_call call_traced(enum tdcall_leaf leaf, const struct tdcall_row *row,
				     const struct tdx_args *args)
{
	struct trace_arg named[TRACE_ARGS] = { 0 };

	if (leaf == TDG_VP_VMCALL)
		return TRACE_CALL(LANE_GUEST_TSM, LANE_KVM, "TDG.VP.VMCALL", A("fn", args->r11),
				  A("r12", args->r12), A("r13", args->r13), A("r14", args->r14));
	return trace_call(LANE_GUEST_TSM, LANE_FIRMWARE, TRACE_KIND_CALL, tdcall_leaf_name(leaf),
			  row ? tdx_trace_operands(row->args, args, named) : 0, named);
}

uint64_t tdx_tdcall(const struct vcpu_hw *vcpu, enum tdcall_leaf leaf, struct tdx_args *args,
		    bool *exits)
{
	const struct tdcall_row *row = row_find(leaf);
	struct tdcall call = { .vcpu = vcpu, .td = td_find(vcpu->tdr), .args = args };
	struct trace_call event;
	uint64_t status;

	image_commit();
	event = call_traced(leaf, row, args);
	if (!row)
		status = TDX_OPERAND_INVALID;
	else if (!call.td || call.td->state != TD_FINALIZED)
		status = TDX_TD_NOT_INITIALIZED;
	else
		status = row->handler(&call);
	*exits = call.exits;
	trace_return_as(&event, TRACE_RESULT_TDX, (int64_t)status, tdx_status_name(status));
	image_keep();
	return status;
}
