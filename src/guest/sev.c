/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest TSM of an SNP guest: what it asks the VMM by GHCB exits, and the PSP by sealed messages
 * that the VMM carries. What comes from the host is only data until a digest in a sealed answer
 * confirms it.
 */
#include "firmware/sev/operands.h"
#include "guest/internal.h"
#include "hardware/rmp.h"
#include "image/mutant.h"
#include "swtio/uapi/ghcb.h"

/* In the shared buffer: request page, response page, then the host's own area. */
#define RESPONSE_OFFSET PHYS_PAGE
#define AREA_OFFSET (2 * PHYS_PAGE)
#define AREA_PAGES 12u

/* -- exits ----------------------------------------------------------------------------------- */

static int64_t vmgexit(const struct guest_call *call, const char *name, uint64_t code,
		       const uint64_t args[6])
{
	struct cpu_exit_info *exit = image_write(&call->vcpu->exit);

	if (!call->vcpu->tee_owner)
		return -EOPNOTSUPP;
	*exit = (struct cpu_exit_info){ .reason = CPU_EXIT_VMCALL, .fn = code };
	memcpy(exit->args, args, sizeof(exit->args));
	TRACE_EVENT(LANE_GUEST_TSM, LANE_KVM, name, A("info1", args[0]), A("info2", args[1]));
	return -EAGAIN;
}

/* What the exit was answered with: 0 or -errno. */
static int64_t exit_answer(const struct guest_call *call)
{
	uint64_t ret = call->vcpu->exit.ret[0];

	if (!ret)
		return 0;
	return ret < GHCB_RET_UNSUPPORTED ? -(int64_t)ret : -EIO;
}

static int64_t tio_op(const struct guest_call *call, uint64_t op)
{
	static const char *const names[GHCB_TIO_OPS] = { "GHCB TIO_OP BIND", "GHCB TIO_OP UNBIND",
							 "GHCB TIO_OP RUN", "GHCB TIO_OP STOP" };
	const uint64_t args[6] = { op << 32 | call->guest->place.bdf };

	if (call->guest->now.phase)
		return exit_answer(call);
	guest_phase(call, 1);
	return vmgexit(call, op < GHCB_TIO_OPS ? names[op] : "GHCB TIO_OP", GHCB_EXIT_TIO_OP, args);
}

static int64_t stage_tio_op(const struct guest_call *call)
{
	return tio_op(call, guest_arg_or(call, "op", GHCB_TIO_BIND));
}

#define TIO_STAGE(name, op) \
	static int64_t stage_tio_##name(const struct guest_call *call) { return tio_op(call, op); }
TIO_STAGE(bind, GHCB_TIO_BIND)
TIO_STAGE(unbind, GHCB_TIO_UNBIND)
TIO_STAGE(run, GHCB_TIO_RUN)
TIO_STAGE(stop, GHCB_TIO_STOP)

/* -- private memory -------------------------------------------------------------------------- */

/* Nothing is there yet: the access that would say so to KVM. */
static int npf(const struct guest_call *call, uint64_t gpa, uint64_t len)
{
	struct cpu_exit_info *exit = image_write(&call->vcpu->exit);

	*exit = (struct cpu_exit_info){ .reason = CPU_EXIT_EPT_VIOLATION, .gpa = gpa,
					.len = (uint32_t)len, .write = true, .is_private = true };
	return -EAGAIN;
}

static int sev_page_accept(const struct guest_call *call, uint64_t gpa, unsigned int level,
			   bool *already)
{
	int rc = rmp_pvalidate(call->vcpu, gpa, level, true);

	/* It is part of a larger page, which was accepted as such. */
	if (rc == -EDOM && !level)
		rc = rmp_pvalidate(call->vcpu, gpa & ~(PHYS_2M - 1), 1, true);
	*already = rc == 1;
	if (rc == -EAGAIN)
		return npf(call, gpa, (uint64_t)PHYS_PAGE << (9 * level));
	if (!rc)
		return 0;
	return guest_refused(call, (uint64_t)rc, rc == 1 ? "PVALIDATE_NO_CHANGE" :
						 rc == -EDOM ? "PVALIDATE_FAIL_SIZEMISMATCH" :
							       "PVALIDATE_FAIL_INPUT");
}

/* What is to be shared is rescinded first; then the page state change is asked for. */
static int64_t sev_map_gpa(const struct guest_call *call, uint64_t gpa, uint64_t len, bool shared)
{
	const uint64_t args[6] = { gpa | (shared ? RMP_VTOM : 0), len };

	if (call->guest->now.phase)
		return exit_answer(call);
	for (uint64_t at = gpa; shared && at < gpa + len; at += PHYS_PAGE)
		rmp_pvalidate(call->vcpu, at, 0, false);
	guest_phase(call, 1);
	return vmgexit(call, "GHCB PSC", GHCB_EXIT_PSC, args);
}

/* -- messages --------------------------------------------------------------------------------- */

struct exchange {
	uint8_t type;
	uint8_t request[SEV_MESSAGE_MAX];
	size_t len;
	uint64_t blobs;			/* GHCB_TIO_*: what the host shall hand out as well */
};

enum { MESSAGE_WRITE, MESSAGE_EXIT, MESSAGE_READ, MESSAGE_PHASES };

static int key_read(const struct guest_call *call, uint8_t key[32])
{
	return guest_read(call, GHCB_SECRETS_GPA + SEV_SECRETS_VMPCK0, false, key, 32);
}

static int64_t message_write(const struct guest_call *call, const struct exchange *exchange)
{
	uint8_t message[SEV_MESSAGE_HEADER + SEV_MESSAGE_MAX], key[32];
	int len, rc = key_read(call, key);

	if (rc)
		return rc;
	len = sev_message_seal(key, call->guest->sequence + 1, exchange->type, exchange->request,
			       exchange->len, message, sizeof(message));
	return len < 0 ? len :
			 guest_write(call, call->guest->place.buffer, true, message, (uint64_t)len);
}

/* The answer's payload behind the function's id; the status of it. */
static int64_t message_read(const struct guest_call *call, const struct exchange *exchange,
			    uint8_t payload[SEV_MESSAGE_MAX], struct reader *answer)
{
	uint8_t message[SEV_MESSAGE_HEADER + SEV_MESSAGE_MAX], key[32], type = 0;
	int64_t rc = exit_answer(call);
	int len;

	if (!rc)
		rc = key_read(call, key);
	if (!rc)
		rc = guest_read(call, call->guest->place.buffer + RESPONSE_OFFSET, true, message,
				sizeof(message));
	if (rc)
		return rc;
	len = sev_message_open(key, call->guest->sequence + 2, message, sizeof(message), &type,
			       payload, SEV_MESSAGE_MAX);
	if (len < 0)
		return -EBADMSG;
	*(uint64_t *)image_write(&call->guest->sequence) = call->guest->sequence + 2;
	*answer = reader_of(payload, (size_t)len);
	get_bytes(answer, 8);
	return type == exchange->type + 1 ? 0 : -EBADMSG;
}

/* One exchange, from the phase `first` on: 1 when *answer is there, 0 not yet, or as a stage. The
 * caller moves to the next phase. */
static int64_t exchange_run(const struct guest_call *call, unsigned int first,
			    const struct exchange *exchange, uint8_t payload[SEV_MESSAGE_MAX],
			    struct reader *answer)
{
	uint64_t buffer = call->guest->place.buffer;
	const uint64_t args[6] = { buffer, buffer + RESPONSE_OFFSET, buffer + AREA_OFFSET,
				   AREA_PAGES, call->guest->place.bdf, exchange->blobs };
	int64_t rc;

	switch (call->guest->now.phase - first) {
	case MESSAGE_WRITE:
		rc = message_write(call, exchange);
		if (!rc)
			guest_phase(call, first + MESSAGE_EXIT);
		return rc;
	case MESSAGE_EXIT:
		guest_phase(call, first + MESSAGE_READ);
		return vmgexit(call, "GHCB TIO_GUEST_REQUEST", GHCB_EXIT_TIO_GUEST_REQUEST, args);
	default:
		rc = message_read(call, exchange, payload, answer);
		return rc ? rc : 1;
	}
}

static struct writer exchange_begin(const struct guest_call *call, struct exchange *exchange,
				    uint8_t type)
{
	struct writer w = writer_of(exchange->request, sizeof(exchange->request));

	exchange->type = type;
	exchange->blobs = 0;
	put_le64(&w, call->guest->place.bdf);
	return w;
}

/* A whole exchange that is one stage's only one; 0 with the status, or as a stage. */
static int64_t exchange_only(const struct guest_call *call, const struct exchange *exchange,
			     uint8_t payload[SEV_MESSAGE_MAX], struct reader *answer)
{
	int64_t rc;

	do
		rc = exchange_run(call, 0, exchange, payload, answer);
	while (!rc);
	return rc > 0 ? 0 : rc;
}

static uint16_t status_of(struct reader *answer)
{
	uint16_t status = get_le16(answer);

	get_bytes(answer, 6);
	return status;
}

/* -- INFO ------------------------------------------------------------------------------------- */

/* One entry of what the host left in its area; the reading of it is one access. */
static int blob_read(const struct guest_call *call, uint32_t offset, uint32_t len, uint8_t *room,
		     size_t cap)
{
	if (len > cap || offset > AREA_PAGES * PHYS_PAGE || len > AREA_PAGES * PHYS_PAGE - offset)
		return -EMSGSIZE;
	return guest_read(call, call->guest->place.buffer + AREA_OFFSET + offset, true, room, len);
}

static int blobs_read(const struct guest_call *call)
{
	const struct guest *guest = call->guest;
	uint8_t table[8 * GHCB_TIO_ENTRY];
	struct reader r = reader_of(table, sizeof(table));
	int rc = guest_read(call, guest->place.buffer + AREA_OFFSET, true, table, sizeof(table));

	while (!rc && reader_left(&r)) {
		uint32_t what = get_le32(&r), offset = get_le32(&r), len = get_le32(&r);
		unsigned int which = what == GHCB_TIO_MEASUREMENTS;

		get_le32(&r);
		if (!what)
			break;
		if (what == GHCB_TIO_REPORT) {
			rc = blob_read(call, offset, len, image_log(guest->report, GUEST_REPORT),
				       GUEST_REPORT);
			*(uint32_t *)image_write(&guest->report_len) = rc ? 0 : len;
		} else {
			rc = blob_read(call, offset, len, image_log(guest->info[which], GUEST_INFO),
				       GUEST_INFO);
			*(uint32_t *)image_write(&guest->info_len[which]) = rc ? 0 : len;
		}
	}
	return rc;
}

static const char *const info_names[] = { "SEV_INFO_BOUND", "SEV_INFO_INVALID",
					  "SEV_INFO_UNBOUND" };

/* The id of this bind, the TDI's state, the digests: from the PSP. The rest: from the host. */
static int64_t info(const struct guest_call *call, uint64_t blobs)
{
	uint8_t payload[SEV_MESSAGE_MAX];
	struct exchange exchange;
	struct reader answer;
	uint64_t id;
	uint16_t status;
	uint32_t state;
	struct writer w = exchange_begin(call, &exchange, SEV_MSG_INFO_REQ);
	int64_t rc;

	exchange.len = w.at;
	exchange.blobs = blobs;
	rc = exchange_only(call, &exchange, payload, &answer);
	if (rc)
		return rc;
	status = status_of(&answer);
	id = get_le64(&answer);
	get_le32(&answer);
	state = get_le32(&answer);
	if (status)
		return guest_refused(call, status, status < 3 ? info_names[status] : "?");
	*(uint64_t *)image_write(&call->guest->tdi_id) = id;
	get_copy(&answer, image_log(call->guest->digest, sizeof(call->guest->digest)),
		 sizeof(call->guest->digest));
	guest_leave(call, "tdi-id", id);
	guest_leave(call, "state", state);
	return answer.bad ? -EBADMSG : (int64_t)state;
}

static int64_t stage_tdi_state(const struct guest_call *call)
{
	return info(call, 0);
}

static int64_t stage_tio_info(const struct guest_call *call)
{
	return info(call, guest_arg_or(call, "blobs", GHCB_TIO_CERTIFICATES |
							GHCB_TIO_MEASUREMENTS | GHCB_TIO_REPORT));
}

/* After an INFO: what the host left. */
static int64_t stage_blobs(const struct guest_call *call)
{
	return blobs_read(call);
}

static int64_t stage_must_be_locked(const struct guest_call *call)
{
	bool found;

	return guest_value(call->guest->vm, "state", &found) == TDISP_LOCKED ? TDISP_LOCKED :
									       -EPROTO;
}

/* -- attestation ------------------------------------------------------------------------------ */

static uint64_t digest_head(const uint8_t *digest)
{
	struct reader r = reader_of(digest, SEV_DIGEST);

	return get_le64(&r);
}

/* What the host handed out against the digest of what the device said. */
static int blob_check(const struct guest_call *call, unsigned int which, const uint8_t *blob,
		      size_t len)
{
	const uint8_t *told = call->guest->digest[which];
	uint8_t made[SEV_DIGEST];
	int rc = spdm_requester_digest(blob, len, made);
	bool same = !rc && !memcmp(told, made, SEV_DIGEST);

	if (rc || (!same && !mutant(MUTANT_ATTEST_BLIND)))
		return rc ? rc : -EBADMSG;
	TRACE_STATE(LANE_GUEST_TSM, "attested", A("what", which), A("told", digest_head(told)),
		    A("made", digest_head(made)));
	return 0;
}

static int64_t stage_attest(const struct guest_call *call)
{
	const struct guest *guest = call->guest;
	int rc = blob_check(call, 2, guest->report, guest->report_len);

	for (unsigned int which = 0; !rc && which < 2; which++)
		if (guest->info_len[which])
			rc = blob_check(call, which, guest->info[which], guest->info_len[which]);
	return rc;
}

/* -- MMIO ------------------------------------------------------------------------------------- */

static const char *const validate_names[] = {
	"SEV_MMIO_OK", "SEV_MMIO_INVALID_TDI", "SEV_MMIO_UNBOUND", "SEV_MMIO_NOT_ASSIGNED",
	"SEV_MMIO_NOT_IO", "SEV_MMIO_NOT_UNIFORM", "SEV_MMIO_NOT_IMMUTABLE",
	"SEV_MMIO_NOT_EXPECTED_GPA", "SEV_MMIO_NOT_REPORTED", "SEV_MMIO_OUT_OF_RANGE",
	"SEV_MMIO_NOT_4K",
};

struct piece { uint64_t gpa; uint32_t pages, offset; uint16_t range; };

static int64_t validate_piece(const struct guest_call *call, unsigned int first,
			      const struct piece *piece, bool validate)
{
	uint8_t payload[SEV_MESSAGE_MAX];
	struct exchange exchange;
	struct reader answer;
	uint16_t status;
	struct writer w = exchange_begin(call, &exchange, SEV_MSG_VALIDATE_REQ);
	int64_t rc;

	put_le64(&w, guest_arg_or(call, "id", call->guest->tdi_id));
	put_le64(&w, piece->gpa);
	put_le32(&w, piece->pages);
	put_le32(&w, piece->offset);
	put_u8(&w, validate);
	put_u8(&w, 0);
	put_le16(&w, piece->range);
	put_le32(&w, 0);
	exchange.len = w.at;
	do
		rc = exchange_run(call, first, &exchange, payload, &answer);
	while (!rc);
	if (rc < 0)
		return rc;
	status = status_of(&answer);
	if (status)
		return guest_refused(call, status, status < 11 ? validate_names[status] : "?");
	return get_u8(&answer);
}

/* Range i of the report where it belongs: offsets count from the BAR's first reported page. */
static struct piece piece_of(const struct guest *guest, uint32_t i)
{
	uint64_t pages = guest_range_offset(guest, i);

	return (struct piece){ .gpa = guest->place.bar[guest->ranges[i].bar] + pages * PHYS_PAGE,
			       .pages = guest->ranges[i].pages, .offset = (uint32_t)pages,
			       .range = guest->ranges[i].bar };
}

/* Every TEE range, a message each. */
static int64_t validate_all(const struct guest_call *call, bool validate)
{
	const struct guest *guest = call->guest;
	int64_t pages = 0;

	for (uint32_t i = 0; i < guest->range_count; i++) {
		struct piece piece = piece_of(guest, i);
		unsigned int first = i * MESSAGE_PHASES;
		int64_t rc;

		if (guest->ranges[i].attributes & TDISP_RANGE_NON_TEE)
			continue;
		pages += piece.pages;
		if (guest->now.phase >= first + MESSAGE_PHASES)
			continue;
		if (guest->now.phase < first)
			guest_phase(call, first);
		rc = validate_piece(call, first, &piece, validate);
		if (rc < 0)
			return rc;
		guest_phase(call, first + MESSAGE_PHASES);
	}
	return guest->range_count ? pages : -ENODATA;
}

static int64_t validate(const struct guest_call *call, bool on)
{
	struct piece piece;
	uint64_t range;

	if (!guest_arg(call, "range", &range))
		return validate_all(call, on);
	piece = (struct piece){ .gpa = guest_arg_or(call, "gpa", call->guest->place.bar[0]),
				.pages = (uint32_t)guest_arg_or(call, "pages", 1),
				.offset = (uint32_t)guest_arg_or(call, "offset", 0),
				.range = (uint16_t)range };
	return validate_piece(call, 0, &piece, on);
}

static int64_t stage_validate(const struct guest_call *call)
{
	return validate(call, true);
}

static int64_t stage_invalidate(const struct guest_call *call)
{
	return validate(call, false);
}

static int64_t stage_mmio_config(const struct guest_call *call)
{
	static const char *const names[] = { "SEV_CONFIG_OK", "SEV_CONFIG_INVALID_TDI",
		"SEV_CONFIG_UNBOUND", "SEV_CONFIG_NOT_REPORTED", "SEV_CONFIG_NOT_CHANGED" };
	uint8_t payload[SEV_MESSAGE_MAX];
	struct exchange exchange;
	struct reader answer;
	uint16_t status;
	struct writer w = exchange_begin(call, &exchange, SEV_MSG_CONFIG_REQ);
	int64_t rc;

	put_le64(&w, guest_arg_or(call, "id", call->guest->tdi_id));
	put_le16(&w, (uint16_t)guest_arg_or(call, "range", 0));
	put_u8(&w, guest_arg_or(call, "write", 0) != 0);
	put_u8(&w, guest_arg_or(call, "value", 0) != 0);
	put_le32(&w, 0);
	exchange.len = w.at;
	rc = exchange_only(call, &exchange, payload, &answer);
	if (rc)
		return rc;
	status = status_of(&answer);
	return status ? guest_refused(call, status, status < 5 ? names[status] : "?") :
			get_u8(&answer);
}

/* -- DMA -------------------------------------------------------------------------------------- */

static int64_t sdte(const struct guest_call *call, uint64_t flags, uint64_t vtom)
{
	static const char *const names[] = { "SEV_SDTE_OK", "SEV_SDTE_INVALID_TDI",
					     "SEV_SDTE_UNBOUND", "SEV_SDTE_RESERVED" };
	uint8_t payload[SEV_MESSAGE_MAX];
	struct exchange exchange;
	struct reader answer;
	uint16_t status;
	struct writer w = exchange_begin(call, &exchange, SEV_MSG_SDTE_REQ);
	int64_t rc;

	put_le64(&w, guest_arg_or(call, "id", call->guest->tdi_id));
	put_u8(&w, (uint8_t)guest_arg_or(call, "flags", flags));
	put_space(&w, 7);
	put_le64(&w, guest_arg_or(call, "vtom", vtom));
	exchange.len = w.at;
	rc = exchange_only(call, &exchange, payload, &answer);
	if (rc)
		return rc;
	status = status_of(&answer);
	return status ? guest_refused(call, status, status < 4 ? names[status] : "?") : 0;
}

static int64_t stage_dma_enable(const struct guest_call *call)
{
	return sdte(call, SEV_SDTE_V | SEV_SDTE_READ | SEV_SDTE_WRITE | SEV_SDTE_VTOM, RMP_VTOM);
}

static int64_t stage_dma_disable(const struct guest_call *call)
{
	return sdte(call, 0, 0);
}

static const struct guest_verb_row verbs[] = {
	{ "tio-op", "op", { stage_tio_op } },
	{ "tio-bind", "", { stage_tio_bind } },
	{ "tio-unbind", "", { stage_tio_unbind } },
	{ "tio-run", "", { stage_tio_run } },
	{ "tio-stop", "", { stage_tio_stop } },
	{ "tio-info", "blobs", { stage_tio_info, stage_blobs } },
	{ "lock", "", { stage_tio_bind, stage_tio_info, stage_blobs, stage_must_be_locked } },
	{ "attest", "", { stage_report_parse, stage_attest } },
	{ "mmio-validate", "range offset pages gpa id", { stage_validate } },
	{ "mmio-invalidate", "range offset pages gpa id", { stage_invalidate } },
	{ "mmio-config", "range write value id", { stage_mmio_config } },
	{ "dma-enable", "flags vtom id", { stage_dma_enable } },
	{ "dma-disable", "id", { stage_dma_disable } },
	{ "tdi-state", "", { stage_tdi_state } },
	{ NULL, NULL, { NULL } },
};

const struct guest_platform guest_sev = {
	.page_accept = sev_page_accept,
	.map_gpa = sev_map_gpa,
	.verbs = verbs,
};
