/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest TSM of a Realm: RSI calls, the host's services by RHI, and what it believes of them. */
#include "firmware/cca/cca.h"
#include "firmware/cca/operands.h"
#include "guest/internal.h"
#include "image/mutant.h"
#include "swtio/uapi/rhi.h"

#define HOST_CALL_GPRS 8u
#define PIECE 4096u			/* of an object, read at once */
#define INFO_OFFSET 512u		/* of the VDEV's information in the scratch page */

/* -- calls -------------------------------------------------------------------------------------------- */

/* An RSI call; a refusal is -EACCES with the status as the verb's outcome. */
static int rsi(const struct guest_call *call, enum rsi_command command, struct smc_args *args)
{
	bool exits;
	uint64_t result = cca_rsi(call->vcpu, command, args, &exits);

	if (exits)
		return -EAGAIN;
	return result ? guest_refused(call, result, rsi_status_name(result)) : 0;
}

static int rejected(const struct guest_call *call)
{
	return guest_refused(call, 1, "RSI_REJECT");
}

/* A service of the host: x0..x6 through a page of the Realm's own. */
static int host_call(const struct guest_call *call, uint64_t gprs[REC_GPRS])
{
	uint64_t ipa = call->guest->place.scratch;
	struct smc_args args = { .x = { 0, ipa } };
	uint8_t bytes[HOST_CALL_GPRS + 8 * REC_GPRS] = { 0 };
	struct writer w = writer_of(bytes + HOST_CALL_GPRS, 8 * REC_GPRS);
	struct reader r = reader_of(bytes + HOST_CALL_GPRS, 8 * REC_GPRS);
	int rc;

	for (unsigned int i = 0; i < REC_GPRS; i++)
		put_le64(&w, gprs[i]);
	rc = guest_write(call, ipa, false, bytes, sizeof(bytes));
	if (!rc)
		rc = rsi(call, RSI_HOST_CALL, &args);
	if (!rc)
		rc = guest_read(call, ipa, false, bytes, sizeof(bytes));
	for (unsigned int i = 0; !rc && i < REC_GPRS; i++)
		gprs[i] = get_le64(&r);
	return rc;
}

static int64_t rhi_result(uint64_t result)
{
	static const int errors[] = { [RHI_OK] = 0,		[RHI_INCOMPLETE] = EINPROGRESS,
				      [RHI_NO_DATA] = ENODATA,	[RHI_BAD_VDEV] = ENODEV,
				      [RHI_BAD_OBJECT] = ENOENT, [RHI_BAD_INPUT] = EINVAL,
				      [RHI_DEVICE] = EIO,	[RHI_BAD_OFFSET] = ERANGE,
				      [RHI_ACCESS] = EFAULT,	[RHI_BUSY] = EBUSY };

	return result < sizeof(errors) / sizeof(errors[0]) ? -errors[result] : -EOPNOTSUPP;
}

static uint64_t vdev_id(const struct guest_call *call)
{
	return guest_arg_or(call, "vdev", call->guest->place.bdf);
}

static int64_t rhi_simple(const struct guest_call *call, uint64_t fn, uint64_t x2)
{
	uint64_t gprs[REC_GPRS] = { fn, vdev_id(call), x2 };
	int rc = host_call(call, gprs);

	return rc ? rc : rhi_result(gprs[0]);
}

static int64_t stage_rhi_features(const struct guest_call *call)
{
	uint64_t gprs[REC_GPRS] = { RHI_DA_FEATURES };
	int rc = host_call(call, gprs);

	if (rc)
		return rc;
	return gprs[0] & RHI_FEATURE_DA && gprs[0] >> 32 == 0 ? (int64_t)gprs[0] : -EOPNOTSUPP;
}

static int64_t stage_rhi_lock(const struct guest_call *call)
{
	return rhi_simple(call, RHI_DA_SET_TDI_STATE, RHI_TDI_LOCKED);
}

static int64_t stage_rhi_run(const struct guest_call *call)
{
	return rhi_simple(call, RHI_DA_SET_TDI_STATE, RHI_TDI_RUN);
}

static int64_t stage_rhi_unlock(const struct guest_call *call)
{
	return rhi_simple(call, RHI_DA_SET_TDI_STATE, RHI_TDI_UNLOCKED);
}

static int64_t stage_rhi_measurements(const struct guest_call *call)
{
	return rhi_simple(call, RHI_DA_GET_MEASUREMENTS, 0);
}

static int64_t stage_rhi_report(const struct guest_call *call)
{
	return rhi_simple(call, RHI_DA_GET_INTERFACE_REPORT, 0);
}

/* -- objects --------------------------------------------------------------------------------------------- */

/* Where the Realm keeps its copy. */
static bool object_place(const struct guest *guest, uint64_t object, const uint8_t **bytes,
			 const uint32_t **len, uint64_t *room)
{
	switch (object) {
	case RHI_CERTIFICATE:
	case RHI_MEASUREMENTS:
		*bytes = guest->info[object - 1];
		*len = &guest->info_len[object - 1];
		*room = GUEST_INFO;
		return true;
	case RHI_REPORT:
		*bytes = guest->report;
		*len = &guest->report_len;
		*room = GUEST_REPORT;
		return true;
	case RHI_VCA:
		*bytes = guest->vca;
		*len = &guest->vca_len;
		*room = GUEST_VCA;
		return true;
	default:
		return false;
	}
}

static int64_t object_size(const struct guest_call *call, uint64_t object)
{
	uint64_t gprs[REC_GPRS] = { RHI_DA_OBJECT_SIZE, vdev_id(call), object }, room;
	const uint32_t *len;
	const uint8_t *bytes;
	int64_t rc = host_call(call, gprs);

	if (!rc)
		rc = rhi_result(gprs[0]);
	if (rc)
		return rc;
	if (!object_place(call->guest, object, &bytes, &len, &room) || gprs[1] > room)
		return -EMSGSIZE;
	*(uint32_t *)image_write(len) = (uint32_t)gprs[1];
	guest_phase(call, 1);
	return 0;
}

/* One piece after another, through shared memory, each copied before it is looked at. */
static int64_t stage_rhi_read(const struct guest_call *call)
{
	uint64_t object = guest_arg_or(call, "which", RHI_CERTIFICATE), room;
	uint64_t buffer = call->guest->place.buffer;
	const uint32_t *len;
	const uint8_t *bytes;
	int64_t rc = 0;

	if (!object_place(call->guest, object, &bytes, &len, &room))
		return -EINVAL;
	if (!call->guest->now.phase)
		rc = object_size(call, object);
	while (!rc && call->guest->now.at < *len) {
		uint64_t at = call->guest->now.at, left = *len - at;
		uint64_t n = left < PIECE ? left : PIECE;
		uint64_t gprs[REC_GPRS] = { RHI_DA_OBJECT_READ, vdev_id(call), object, at,
					    buffer | guest_shared_bit(call->vcpu), n };

		rc = host_call(call, gprs);
		if (!rc)
			rc = rhi_result(gprs[0]);
		if (!rc && gprs[1] != n)
			rc = -EIO;
		if (!rc)
			rc = guest_read(call, buffer, true, image_log(bytes + at, n), n);
		if (!rc)
			guest_at(call, at + n);
	}
	return rc;
}

/* -- what the RMM says ------------------------------------------------------------------------------------ */

static uint64_t info_u64(const struct guest *guest, unsigned int offset)
{
	struct reader r = reader_of(guest->vdev_info + offset, 8);

	return get_le64(&r);
}

/* The nonces are those of what was last looked at, which is what the Realm agrees to. */
static int64_t stage_vdev_info(const struct guest_call *call)
{
	uint64_t ipa = call->guest->place.scratch + INFO_OFFSET;
	struct smc_args args = { .x = { 0, vdev_id(call), ipa } };
	const struct guest *guest = call->guest;
	int rc = guest_accept(call, call->guest->place.scratch, 1, 0);

	if (!rc)
		rc = rsi(call, RSI_VDEV_GET_INFO, &args);
	if (!rc)
		rc = guest_read(call, ipa, false,
				image_log(guest->vdev_info, sizeof(guest->vdev_info)),
				sizeof(guest->vdev_info));
	if (rc)
		return rc;
	guest_leave(call, "lock", info_u64(guest, VDEV_INFO_LOCK_NONCE));
	guest_leave(call, "meas", info_u64(guest, VDEV_INFO_MEAS_NONCE));
	guest_leave(call, "report", info_u64(guest, VDEV_INFO_REPORT_NONCE));
	guest_leave(call, "state", info_u64(guest, VDEV_INFO_STATE));
	return (int64_t)info_u64(guest, VDEV_INFO_STATE);
}

static int digest_check(const struct guest *guest, unsigned int object)
{
	uint8_t made[SPDM_HASH];
	const uint32_t *len;
	const uint8_t *bytes;
	uint64_t room;

	if (!object_place(guest, object, &bytes, &len, &room))
		return -EINVAL;
	if (!*len)
		return -ENODATA;
	if (spdm_requester_digest(bytes, *len, made))
		return -ENOMEM;
	return memcmp(made, guest->vdev_info + VDEV_INFO_DIGEST(object), SPDM_HASH) ? -EBADMSG : 0;
}

/* What the host handed out, all of it, against what the RMM has seen of the device. */
static int64_t stage_attest(const struct guest_call *call)
{
	int rc = 0;

	for (unsigned int object = RHI_CERTIFICATE; !rc && object < RHI_OBJECTS; object++)
		rc = digest_check(call->guest, object);
	return rc == -EBADMSG && mutant(MUTANT_DIGEST_OF_CACHE) ? 0 : rc;
}

/* -- memory ------------------------------------------------------------------------------------------------ */

/* What the Realm wants an address to be. The host may do it in parts, or reject it. */
static int64_t ipa_state_set(const struct guest_call *call, uint64_t base, uint64_t top,
			     enum ripas ripas)
{
	while (base < top) {
		struct smc_args args = { .x = { 0, base, top, ripas, 1 } };
		int rc = rsi(call, RSI_IPA_STATE_SET, &args);

		if (rc)
			return rc;
		if (args.x[2] || args.x[1] <= base)
			return rejected(call);
		base = args.x[1];
	}
	return 0;
}

static int cca_page_accept(const struct guest_call *call, uint64_t gpa, unsigned int level,
			   bool *already)
{
	*already = false;
	return (int)ipa_state_set(call, gpa, gpa + ((uint64_t)PHYS_PAGE << (9 * level)), RIPAS_RAM);
}

static int64_t cca_map_gpa(const struct guest_call *call, uint64_t gpa, uint64_t len, bool shared)
{
	return ipa_state_set(call, gpa, gpa + len, shared ? RIPAS_EMPTY : RIPAS_RAM);
}

/* -- device memory ------------------------------------------------------------------------------------------ */

struct nonces { uint64_t lock, meas, report; };

static struct nonces nonces_of(const struct guest_call *call)
{
	const struct guest *guest = call->guest;

	return (struct nonces){
		guest_arg_or(call, "lock", info_u64(guest, VDEV_INFO_LOCK_NONCE)),
		guest_arg_or(call, "meas", info_u64(guest, VDEV_INFO_MEAS_NONCE)),
		guest_arg_or(call, "report", info_u64(guest, VDEV_INFO_REPORT_NONCE)),
	};
}

/* A range, page by page as far as the host maps it: `now.at` counts pages. */
static int64_t validate(const struct guest_call *call, uint64_t ipa, uint64_t pa, uint64_t pages)
{
	struct nonces n = nonces_of(call);

	while (call->guest->now.at < pages) {
		uint64_t done = call->guest->now.at * PHYS_PAGE;
		struct smc_args args = { .x = { 0, vdev_id(call), ipa + done,
						ipa + pages * PHYS_PAGE, pa + done, 0, n.lock,
						n.meas, n.report } };
		int rc = rsi(call, RSI_VDEV_VALIDATE_MAPPING, &args);

		if (rc)
			return rc;
		if (args.x[2] || args.x[1] <= ipa + done)
			return rejected(call);
		guest_at(call, (args.x[1] - ipa) / PHYS_PAGE);
	}
	return (int64_t)pages;
}

static bool range_is_tee(const struct guest_range *range)
{
	return !(range->attributes &
		 (TDISP_RANGE_NON_TEE | TDISP_RANGE_MSIX_TABLE | TDISP_RANGE_MSIX_PBA));
}

static uint64_t range_ipa(const struct guest *guest, uint32_t index)
{
	return guest->place.bar[guest->ranges[index].bar] +
	       guest_range_offset(guest, index) * PHYS_PAGE;
}

/* Every TEE range of the report in its place: first is a physical page, as the RMM locked it. */
static int64_t stage_mmio_accept(const struct guest_call *call)
{
	const struct guest *guest = call->guest;
	uint64_t accepted = 0, gpa;

	if (guest_arg(call, "gpa", &gpa))
		return validate(call, gpa, guest_arg_or(call, "pa", 0),
				guest_arg_or(call, "pages", 1));
	for (uint32_t i = 0; i < guest->range_count; i++) {
		const struct guest_range *range = &guest->ranges[i];
		int64_t rc;

		if (!range_is_tee(range))
			continue;
		accepted += range->pages;
		if (i < guest->now.phase)
			continue;
		rc = validate(call, range_ipa(guest, i), range->first * PHYS_PAGE, range->pages);
		if (rc < 0)
			return rc;
		guest_phase(call, i + 1);
	}
	return guest->range_count ? (int64_t)accepted : -ENODATA;
}

/* The driver is done: the addresses are nothing again, before the host takes the device back. */
static int64_t stage_mmio_release(const struct guest_call *call)
{
	const struct guest *guest = call->guest;

	for (uint32_t i = guest->now.phase; i < guest->range_count; i++) {
		const struct guest_range *range = &guest->ranges[i];
		int64_t rc = range_is_tee(range) ?
				     ipa_state_set(call, range_ipa(guest, i),
						   range_ipa(guest, i) + range->pages * PHYS_PAGE,
						   RIPAS_EMPTY) :
				     0;

		if (rc)
			return rc;
		guest_phase(call, i + 1);
	}
	return 0;
}

static int64_t stage_dma_enable(const struct guest_call *call)
{
	struct nonces n = nonces_of(call);
	struct smc_args args = { .x = { 0, vdev_id(call), 0, 0, n.lock, n.meas, n.report } };

	return rsi(call, RSI_VDEV_DMA_ENABLE, &args);
}

static int64_t stage_dma_disable(const struct guest_call *call)
{
	struct smc_args args = { .x = { 0, vdev_id(call) } };

	return rsi(call, RSI_VDEV_DMA_DISABLE, &args);
}

static const struct guest_verb_row verbs[] = {
	{ "rhi-features", "", { stage_rhi_features } },
	{ "rhi-lock", "vdev", { stage_rhi_lock } },
	{ "rhi-run", "vdev", { stage_rhi_run } },
	{ "rhi-unlock", "vdev", { stage_rhi_unlock } },
	{ "rhi-measurements", "vdev", { stage_rhi_measurements } },
	{ "rhi-report", "vdev", { stage_rhi_report } },
	{ "rhi-read", "which vdev", { stage_rhi_read } },
	{ "vdev-info", "vdev", { stage_vdev_info } },
	{ "attest", "vdev", { stage_vdev_info, stage_report_parse, stage_attest } },
	{ "mmio-accept", "gpa pa pages vdev lock meas report", { stage_mmio_accept } },
	{ "mmio-release", "", { stage_mmio_release } },
	{ "dma-enable", "vdev lock meas report", { stage_dma_enable } },
	{ "dma-disable", "vdev", { stage_dma_disable } },
	{ NULL, NULL, { NULL } },
};

const struct guest_platform guest_cca = {
	.page_accept = cca_page_accept,
	.map_gpa = cca_map_gpa,
	.verbs = verbs,
};
