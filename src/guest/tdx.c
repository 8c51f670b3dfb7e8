/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest TSM of a TD: what it asks the TDX module, believes, accepts and lets start. */
#include "guest/tdx.h"

#include <stdio.h>

int guest_tdcall(const struct guest_call *call, enum tdcall_leaf leaf, struct tdx_args *args)
{
	bool exits;
	uint64_t status = tdx_tdcall(call->vcpu, leaf, args, &exits);

	if (exits && tdx_class(status) == TDX_INTERRUPTED_RESUMABLE)
		return -EAGAIN;
	if (!tdx_class(status))
		return 0;
	return guest_refused(call, status, tdx_status_name(status));
}

static int tdx_page_accept(const struct guest_call *call, uint64_t gpa, unsigned int level,
			   bool *already)
{
	struct tdx_args args = { .rcx = tdx_map(gpa, level) };
	int rc = guest_tdcall(call, TDG_MEM_PAGE_ACCEPT, &args);

	*already = rc == -EACCES &&
		   tdx_class(call->guest->outcome.status) == TDX_PAGE_ALREADY_ACCEPTED;
	return rc;
}

/* VMCALL<MapGPA>; the exit's answer decides. */
static int64_t tdx_map_gpa(const struct guest_call *call, uint64_t gpa, uint64_t len, bool shared)
{
	struct tdx_args args = { .r11 = GHCI_VMCALL_MAPGPA, .r13 = len,
				 .r12 = gpa | (shared ? guest_shared_bit(call->vcpu) : 0) };
	int rc;

	if (call->guest->now.phase)
		return call->vcpu->exit.ret[0] ? -EIO : 0;
	rc = guest_tdcall(call, TDG_VP_VMCALL, &args);
	guest_phase(call, 1);
	return rc ? rc : -EAGAIN;
}

/* -- attestation ----------------------------------------------------------------------------- */
static int digest_read(const struct guest_call *call, enum tdx_tdi_field field,
		       uint8_t digest[SPDM_HASH])
{
	uint64_t scratch = call->guest->place.scratch;
	struct tdx_args args = { .rcx = call->guest->place.func, .rdx = field, .r8 = scratch };
	int rc = guest_accept(call, scratch, 1, 0);

	if (!rc)
		rc = guest_tdcall(call, TDG_TDI_RD, &args);
	return rc ? rc : guest_read(call, scratch, false, digest, SPDM_HASH);
}

/* Certificates and measurements, as the module had them when it made the digest. */
static int dev_info_digest(const struct guest *guest, uint8_t digest[SPDM_HASH])
{
	uint8_t bytes[2 * GUEST_INFO + 8];
	struct writer w = writer_of(bytes, sizeof(bytes));

	for (unsigned int i = 0; i < 2; i++) {
		put_le32(&w, guest->info_len[i]);
		put_bytes(&w, guest->info[i], guest->info_len[i]);
	}
	return w.bad ? -EPROTO : spdm_requester_digest(bytes, w.at, digest);
}

static int64_t stage_attest(const struct guest_call *call)
{
	const struct guest *guest = call->guest;
	uint8_t told[SPDM_HASH], made[SPDM_HASH];
	int rc = digest_read(call, TDX_TDI_REPORT_DIGEST, told);

	if (!rc)
		rc = spdm_requester_digest(guest->report, guest->report_len, made);
	if (rc)
		return rc;
	if (memcmp(told, made, SPDM_HASH))
		return -EBADMSG;
	if (!guest->info_len[0] || !guest->info_len[1])
		return 0;	/* the device's own identity was not asked for */
	rc = digest_read(call, TDX_TDI_DEV_INFO_DIGEST, told);
	if (!rc)
		rc = dev_info_digest(guest, made);
	return rc ? rc : memcmp(told, made, SPDM_HASH) ? -EBADMSG : 0;
}

/* -- state ----------------------------------------------------------------------------------- */
static int tdi_field(const struct guest_call *call, enum tdx_tdi_field field, uint64_t *value)
{
	struct tdx_args args = { .rcx = call->guest->place.func, .rdx = field };
	int rc = guest_tdcall(call, TDG_TDI_RD, &args);

	*value = args.r8;
	return rc;
}

static int64_t stage_tdi_state(const struct guest_call *call)
{
	uint64_t state;
	int rc = tdi_field(call, TDX_TDI_TDISP_STATE, &state);

	if (rc)
		return rc;
	guest_leave(call, "state", state);
	return (int64_t)state;
}

static int64_t stage_must_be_locked(const struct guest_call *call)
{
	int64_t state = stage_tdi_state(call);

	return state < 0 || state == TDISP_LOCKED ? state : -EPROTO;
}

static int64_t stage_tdi_start(const struct guest_call *call)
{
	struct tdx_args args = { .rcx = call->guest->place.func };
	int rc;

	if (!guest_arg(call, "session", &args.rdx)) {
		rc = tdi_field(call, TDX_TDI_BIND_SESSION, &args.rdx);
		if (rc)
			return rc;
		guest_leave(call, "session", args.rdx);
	}
	return guest_tdcall(call, TDG_TDI_START, &args);
}

static int64_t stage_dmar_accept(const struct guest_call *call)
{
	struct tdx_args args = { .rcx = call->guest->place.func };

	return guest_tdcall(call, TDG_DMAR_ACCEPT, &args);
}

/* -- MMIO ------------------------------------------------------------------------------------ */
/* One range of the report, by the given operands or by where it belongs. `now.at` counts pages. */
static int accept_range(const struct guest_call *call, uint64_t gpa, unsigned int level,
			uint32_t index, uint64_t offset, uint64_t pages)
{
	uint64_t done = call->guest->now.at;
	struct tdx_args args = { .rcx = tdx_map(gpa + done * PHYS_PAGE, level), .rdx = index,
		.r8 = call->guest->place.func, .r9 = (offset + done) << 32 | (pages - done) };
	int rc = guest_tdcall(call, TDG_MMIO_ACCEPT, &args);

	guest_at(call, pages - (args.r9 & UINT32_MAX));	/* what was accepted stays so */
	return rc;
}

/* The host chooses the leaf size: a mismatch says it was the other one. */
static int accept_any_level(const struct guest_call *call, uint64_t gpa, uint32_t index,
			    uint64_t pages)
{
	uint64_t done = call->guest->now.at;
	unsigned int level = guest_range_level(gpa + done * PHYS_PAGE, pages - done);
	int rc = accept_range(call, gpa, level, index, 0, pages);

	if (level && rc == -EACCES &&
	    tdx_class(call->guest->outcome.status) == TDX_PAGE_SIZE_MISMATCH) {
		guest_refusal_forget(call);
		rc = accept_range(call, gpa, 0, index, 0, pages);
	}
	return rc;
}

static int64_t accept_all(const struct guest_call *call)
{
	const struct guest *guest = call->guest;
	uint64_t accepted = 0;

	for (uint32_t i = 0; i < guest->range_count; i++) {
		const struct guest_range *range = &guest->ranges[i];
		int rc;

		if (range->attributes & TDISP_RANGE_NON_TEE)
			continue;
		accepted += range->pages;
		if (i < guest->now.phase)
			continue;
		rc = accept_any_level(
			call, guest->place.bar[range->bar] + guest_range_offset(guest, i) * PHYS_PAGE, i,
			range->pages);
		if (rc)
			return rc;
		guest_phase(call, i + 1);
	}
	return guest->range_count ? (int64_t)accepted : -ENODATA;
}

static int64_t stage_mmio_accept(const struct guest_call *call)
{
	uint64_t index, pages;

	if (!guest_arg(call, "index", &index))
		return accept_all(call);
	pages = guest_arg_or(call, "pages",
			     index < GUEST_RANGES ? call->guest->ranges[index].pages : 1);
	return accept_range(call, guest_arg_or(call, "gpa", call->guest->place.bar[0]),
			    (unsigned int)guest_arg_or(call, "level", 0), (uint32_t)index,
			    guest_arg_or(call, "offset", 0), pages);
}

static const struct guest_verb_row verbs[] = {
	{ "tdcm", "op which", { stage_tdcm } },
	{ "tdcm-check", "", { stage_tdcm_check } },
	{ "tdcm-bind", "", { stage_tdcm_bind } },
	{ "tdcm-unbind", "", { stage_tdcm_unbind } },
	{ "tdcm-report", "", { stage_tdcm_report } },
	{ "tdcm-start", "", { stage_tdcm_start } },
	{ "tdcm-info", "which", { stage_tdcm_info } },
	{ "lock",
	  "",
	  { stage_tdcm_check, stage_tdcm_bind, stage_tdcm_report, stage_must_be_locked } },
	{ "attest", "", { stage_report_parse, stage_attest } },
	{ "mmio-accept", "index offset pages gpa level", { stage_mmio_accept } },
	{ "dmar-accept", "", { stage_dmar_accept } },
	{ "tdi-start", "session", { stage_tdi_start } },
	{ "tdi-state", "", { stage_tdi_state } },
	{ NULL, NULL, { NULL } },
};

const struct guest_platform guest_tdx = {
	.page_accept = tdx_page_accept,
	.map_gpa = tdx_map_gpa,
	.verbs = verbs,
};
