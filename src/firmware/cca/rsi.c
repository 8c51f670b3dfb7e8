/* SPDX-License-Identifier: BSD-2-Clause */
/* The Realm's gate: what it may ask, believe and agree to. */
#include "firmware/cca/internal.h"

struct rsi_call {
	const struct vcpu_hw *vcpu;
	const struct cca_rec *rec;
	struct smc_args *args;
	bool exits;
};

struct rsi_row {
	uint32_t command;
	uint64_t (*handler)(struct rsi_call *call);
	const char *args[CCA_TRACED];
	bool of_vdev;			/* x1 names one */
};

#define HOST_CALL_GPRS 8u
#define RIPAS_CHANGE_DESTROYED 1ull

/* -- asking the host -------------------------------------------------------------------------------- */

static struct rec_pending *pending_write(const struct rsi_call *call)
{
	return image_write(&call->rec->pending);
}

static void leave(struct rsi_call *call, enum rmi_exit reason, const uint64_t args[6], uint64_t data)
{
	struct vcpu_hw *vcpu = image_write(call->vcpu);

	vcpu->exit = (struct cpu_exit_info){ .reason = CPU_EXIT_VMCALL, .fn = reason, .data = data };
	memcpy(vcpu->exit.args, args, sizeof(vcpu->exit.args));
	rec_write(call->rec)->entered = false;
	call->exits = true;
}

/* No memory at an IPA the RMM must write to: the host has to put some there. */
static uint64_t data_abort(struct rsi_call *call, uint64_t ipa, size_t len)
{
	struct vcpu_hw *vcpu = image_write(call->vcpu);

	vcpu->exit = (struct cpu_exit_info){ .reason = CPU_EXIT_EPT_VIOLATION, .gpa = ipa,
					     .len = (uint32_t)len, .write = true, .is_private = true };
	call->exits = true;
	return RSI_INCOMPLETE;
}

/* The answer to a range request: how far the host came, and whether it rejected the rest. */
static uint64_t range_answer(struct rsi_call *call)
{
	const struct rec_pending *asked = &call->rec->pending;

	call->args->x[1] = asked->at;
	call->args->x[2] = asked->rejected;
	*pending_write(call) = (struct rec_pending){ 0 };
	return RSI_SUCCESS;
}

static bool answered(const struct rsi_call *call, enum rsi_command command)
{
	return call->rec->pending.command == command && call->rec->pending.answered;
}

static bool ipa_range_ok(uint64_t base, uint64_t top)
{
	return granule_aligned(base) && granule_aligned(top) && base < top && top <= CCA_UNPROTECTED;
}

/* -- memory ------------------------------------------------------------------------------------------ */

static uint64_t ipa_state_set(struct rsi_call *call)
{
	const struct smc_args *args = call->args;
	uint64_t exit_args[6] = { args->x[1], args->x[2], args->x[3] };

	if (answered(call, RSI_IPA_STATE_SET))
		return range_answer(call);
	if (!ipa_range_ok(args->x[1], args->x[2]) ||
	    (args->x[3] != RIPAS_EMPTY && args->x[3] != RIPAS_RAM))
		return RSI_ERROR_INPUT;
	*pending_write(call) = (struct rec_pending){
		.command = RSI_IPA_STATE_SET, .base = args->x[1], .top = args->x[2],
		.at = args->x[1], .ripas = (uint8_t)args->x[3],
		.change_destroyed = args->x[4] & RIPAS_CHANGE_DESTROYED };
	leave(call, RMI_EXIT_RIPAS_CHANGE, exit_args, 0);
	return RSI_SUCCESS;
}

static uint64_t ipa_state_get(struct rsi_call *call)
{
	struct rtt_ref ref;

	if (call->args->x[1] >= CCA_UNPROTECTED || !granule_aligned(call->args->x[1]) ||
	    !rtt_walk(call->rec->realm->rtt, call->args->x[1], RTT_LEAF_LEVEL, &ref))
		return RSI_ERROR_INPUT;
	call->args->x[1] = rtt_ripas(ref.entry);
	return RSI_SUCCESS;
}

/* -- the host's services ----------------------------------------------------------------------------- */

static uint64_t host_call(struct rsi_call *call)
{
	const struct cca_realm *realm = call->rec->realm;
	const struct rec_pending *asked = &call->rec->pending;
	uint64_t ipa = call->args->x[1], gprs[REC_GPRS];

	if (ipa % 256 || ipa >= CCA_UNPROTECTED)
		return RSI_ERROR_INPUT;
	if (!realm_read(realm, ipa + HOST_CALL_GPRS, gprs, sizeof(gprs)))
		return data_abort(call, ipa, PHYS_PAGE);
	if (answered(call, RSI_HOST_CALL)) {
		for (unsigned int i = 0; i < REC_GPRS; i++)
			gprs[i] = htole64(asked->gprs[i]);
		realm_store(realm, ipa + HOST_CALL_GPRS, gprs, sizeof(gprs));
		*pending_write(call) = (struct rec_pending){ 0 };
		return RSI_SUCCESS;
	}
	*pending_write(call) = (struct rec_pending){ .command = RSI_HOST_CALL };
	for (unsigned int i = 0; i < REC_GPRS; i++)
		gprs[i] = le64toh(gprs[i]);
	leave(call, RMI_EXIT_HOST_CALL, gprs + 1, gprs[0]);
	return RSI_SUCCESS;
}

/* -- devices ------------------------------------------------------------------------------------------ */

static const struct cca_vdev *own_vdev(const struct rsi_call *call)
{
	return vdev_of_realm(call->rec->realm, call->args->x[1]);
}

/* The three nonces of what the Realm has attested, against those of what is. */
static bool nonces_current(const struct cca_vdev *vdev, const uint64_t *nonces)
{
	return nonces[0] == vdev->lock_nonce && nonces[1] == vdev->meas_nonce &&
	       nonces[2] == vdev->report_nonce;
}

static uint64_t vdev_get_info(struct rsi_call *call)
{
	const struct cca_vdev *vdev = own_vdev(call);
	uint8_t info[VDEV_INFO_SIZE] = { 0 };
	struct writer w = writer_of(info, sizeof(info));

	if (!vdev || call->args->x[2] % VDEV_INFO_SIZE || call->args->x[2] >= CCA_UNPROTECTED)
		return RSI_ERROR_INPUT;
	put_le64(&w, vdev->state);
	put_le64(&w, vdev->lock_nonce);
	put_le64(&w, vdev->meas_nonce);
	put_le64(&w, vdev->report_nonce);
	memcpy(info + VDEV_INFO_DIGEST(OBJECT_CERTIFICATE), vdev->pdev->digest[OBJECT_CERTIFICATE],
	       SPDM_HASH);
	memcpy(info + VDEV_INFO_DIGEST(OBJECT_VCA), vdev->pdev->digest[OBJECT_VCA], SPDM_HASH);
	memcpy(info + VDEV_INFO_DIGEST(OBJECT_MEASUREMENTS), vdev->digest[OBJECT_MEASUREMENTS],
	       SPDM_HASH);
	memcpy(info + VDEV_INFO_DIGEST(OBJECT_REPORT), vdev->digest[OBJECT_REPORT], SPDM_HASH);
	memcpy(info + VDEV_INFO_PUBKEY, vdev->pdev->pubkey_digest, SPDM_HASH);
	if (!realm_store(call->rec->realm, call->args->x[2], info, sizeof(info)))
		return data_abort(call, call->args->x[2], sizeof(info));
	return RSI_SUCCESS;
}

static uint64_t validate_mapping(struct rsi_call *call)
{
	const struct smc_args *args = call->args;
	const struct cca_vdev *vdev = own_vdev(call);
	uint64_t exit_args[6] = { args->x[2], args->x[3], args->x[4], args->x[1] };

	if (answered(call, RSI_VDEV_VALIDATE_MAPPING))
		return range_answer(call);
	if (!vdev || !ipa_range_ok(args->x[2], args->x[3]) || !granule_aligned(args->x[4]))
		return RSI_ERROR_INPUT;
	if (vdev->state != VDEV_LOCKED && vdev->state != VDEV_STARTED)
		return RSI_ERROR_STATE;
	if (!nonces_current(vdev, &args->x[6]) && !mutant(MUTANT_STALE_VALIDATE))
		return RSI_ERROR_DEVICE;
	*pending_write(call) = (struct rec_pending){
		.command = RSI_VDEV_VALIDATE_MAPPING, .vdev = vdev, .base = args->x[2],
		.top = args->x[3], .at = args->x[2], .pa = args->x[4] };
	leave(call, RMI_EXIT_VDEV_VALIDATE_MAPPING, exit_args, 0);
	return RSI_SUCCESS;
}

static uint64_t dma_enable(struct rsi_call *call)
{
	const struct cca_vdev *vdev = own_vdev(call);

	if (!vdev || call->args->x[2] || call->args->x[3])
		return RSI_ERROR_INPUT;
	if (vdev->state != VDEV_STARTED && !mutant(MUTANT_STALE_DMA))
		return RSI_ERROR_STATE;
	if (!nonces_current(vdev, &call->args->x[4]) && !mutant(MUTANT_STALE_DMA))
		return RSI_ERROR_DEVICE;
	vdev_dma_set(vdev, true);
	return RSI_SUCCESS;
}

static uint64_t dma_disable(struct rsi_call *call)
{
	const struct cca_vdev *vdev = own_vdev(call);

	if (!vdev)
		return RSI_ERROR_INPUT;
	vdev_dma_set(vdev, false);
	return RSI_SUCCESS;
}

/* -- the gate ------------------------------------------------------------------------------------------- */

static const struct rsi_row rows[] = {
	{ RSI_IPA_STATE_SET, ipa_state_set, { "base", "top", "ripas" } },
	{ RSI_IPA_STATE_GET, ipa_state_get, { "ipa" } },
	{ RSI_HOST_CALL, host_call, { "ipa" } },
	{ RSI_VDEV_GET_INFO, vdev_get_info, { "vdev", "ipa" }, true },
	{ RSI_VDEV_VALIDATE_MAPPING, validate_mapping, { NULL, "base", NULL, "pa", NULL, "lock", "meas", "report" }, true },
	{ RSI_VDEV_DMA_ENABLE, dma_enable, { "vdev", NULL, NULL, "lock", "meas", "report" }, true },
	{ RSI_VDEV_DMA_DISABLE, dma_disable, { "vdev" }, true },
};

static const struct rsi_row *row_find(enum rsi_command command)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].command == command)
			return &rows[i];
	return NULL;
}

uint64_t cca_rsi(const struct vcpu_hw *vcpu, enum rsi_command command, struct smc_args *args,
		 bool *exits)
{
	const struct rsi_row *row = row_find(command);
	struct rsi_call call = { .vcpu = vcpu, .rec = rmm() ? rec_of(vcpu->tdr) : NULL, .args = args };
	struct trace_arg named[TRACE_ARGS] = { 0 };
	const char *name = rsi_command_name(command);
	const struct cca_vdev *vdev = NULL;
	struct trace_call event;
	uint64_t result;

	image_commit();
	event = trace_call(LANE_GUEST_TSM, LANE_FIRMWARE, TRACE_KIND_CALL, name ? name : "RSI_?",
			   row ? cca_trace_operands(row->args, args, named) : 0, named);
	if (row && row->of_vdev && call.rec)
		vdev = own_vdev(&call);
	if (!row)
		result = RSI_ERROR_UNKNOWN;
	else if (!call.rec || !call.rec->entered)
		result = RSI_ERROR_STATE;
	else
		result = row->handler(&call);
	*exits = call.exits;
	if (vdev)
		trace_arg_add(&event, "rid", vdev->rid);
	trace_return_as(&event, TRACE_RESULT_CODE, (int64_t)result,
			call.exits ? "exit" : rsi_status_name(result));
	image_keep();
	return result;
}
