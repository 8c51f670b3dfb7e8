/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest TSM's own decisions: what it believes, accepts and lets start. */
#include "guest/internal.h"

/* -- report ---------------------------------------------------------------------------------- */
static bool range_read(struct reader *r, struct guest_range *range)
{
	range->first = get_le64(r);
	range->pages = get_le32(r);
	range->attributes = get_le16(r);
	range->bar = get_le16(r);
	return !r->bad && range->pages && range->bar < GUEST_BARS;
}

/* Ranges stand in ascending BAR order, and within a BAR by address: TDX names them by their index,
 * so an order that lies would put a page where another one belongs. */
static bool in_order(const struct guest_range *before, const struct guest_range *range)
{
	if (before->bar != range->bar)
		return before->bar < range->bar;
	return before->first + before->pages <= range->first;
}

static int report_ranges(const struct guest *guest, struct guest_range *ranges, uint32_t *count)
{
	struct reader r = reader_of(guest->report, guest->report_len);

	get_bytes(&r, 12);
	*count = get_le32(&r);
	if (r.bad || *count > GUEST_RANGES)
		return -EPROTO;
	for (uint32_t i = 0; i < *count; i++)
		if (!range_read(&r, &ranges[i]) || (i && !in_order(&ranges[i - 1], &ranges[i])))
			return -EPROTO;
	if (get_le32(&r) != reader_left(&r) || r.bad)
		return -EPROTO;
	return 0;
}

int64_t stage_report_parse(const struct guest_call *call)
{
	struct guest_range ranges[GUEST_RANGES] = { 0 };
	uint64_t pages = 0;
	uint32_t count;
	int rc = report_ranges(call->guest, ranges, &count);

	if (rc)
		return rc;
	memcpy(image_write(&call->guest->ranges), ranges, sizeof(ranges));
	*(uint32_t *)image_write(&call->guest->range_count) = count;
	for (uint32_t i = 0; i < count; i++)
		pages += ranges[i].pages;
	guest_leave(call, "ranges", count);
	guest_leave(call, "pages", pages);
	return count;
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

int64_t stage_attest(const struct guest_call *call)
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

int64_t stage_tdi_state(const struct guest_call *call)
{
	uint64_t state;
	int rc = tdi_field(call, TDX_TDI_TDISP_STATE, &state);

	if (rc)
		return rc;
	guest_leave(call, "state", state);
	return (int64_t)state;
}

int64_t stage_must_be_locked(const struct guest_call *call)
{
	int64_t state = stage_tdi_state(call);

	return state < 0 || state == TDISP_LOCKED ? state : -EPROTO;
}

int64_t stage_tdi_start(const struct guest_call *call)
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

int64_t stage_dmar_accept(const struct guest_call *call)
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

/* A range's place in its BAR: relative to the BAR's first range, which starts it. */
static uint64_t range_offset(const struct guest *guest, uint32_t index)
{
	uint32_t first = index;

	while (first && guest->ranges[first - 1].bar == guest->ranges[index].bar)
		first--;
	return guest->ranges[index].first - guest->ranges[first].first;
}

static unsigned int range_level(uint64_t gpa, uint64_t pages)
{
	return gpa % PHYS_2M == 0 && pages % (PHYS_2M / PHYS_PAGE) == 0 ? 1 : 0;
}

/* The host chooses the leaf size: a mismatch says it was the other one. */
static int accept_any_level(const struct guest_call *call, uint64_t gpa, uint32_t index,
			    uint64_t pages)
{
	uint64_t done = call->guest->now.at;
	unsigned int level = range_level(gpa + done * PHYS_PAGE, pages - done);
	int rc = accept_range(call, gpa, level, index, 0, pages);

	if (level && rc == -EACCES &&
	    tdx_class(call->guest->outcome.status) == TDX_PAGE_SIZE_MISMATCH) {
		memset(image_write(&call->guest->outcome), 0, sizeof(call->guest->outcome));
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
			call, guest->place.bar[range->bar] + range_offset(guest, i) * PHYS_PAGE, i,
			range->pages);
		if (rc)
			return rc;
		guest_phase(call, i + 1);
	}
	return guest->range_count ? (int64_t)accepted : -ENODATA;
}

int64_t stage_mmio_accept(const struct guest_call *call)
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
