/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The TDI state machine, PCIe 6.x 11.2 and 11.4. Messages enter through tdisp.c, hardware events
 * through track.c, dsm.c and models.c; all of them end in one of five calls here.
 */
#include <errno.h>
#include <string.h>

#include "device/dsm.h"
#include "image/mutant.h"
#include "trace/trace.h"

static const char *const cause_names[TDI_CAUSE_MAX] = {
	[TDI_CAUSE_NONE] = "",
	[TDI_CAUSE_MSE] = "Memory Space Enable cleared",
	[TDI_CAUSE_BME] = "Bus Master Enable cleared",
	[TDI_CAUSE_BAR] = "BAR changed",
	[TDI_CAUSE_ROM] = "Expansion ROM BAR changed",
	[TDI_CAUSE_BIST] = "BIST changed",
	[TDI_CAUSE_FLR] = "FLR",
	[TDI_CAUSE_PF_FLR] = "FLR of the PF",
	[TDI_CAUSE_DEVCTL] = "Device Control changed",
	[TDI_CAUSE_POWER] = "power state lost",
	[TDI_CAUSE_MSIX] = "locked MSI-X changed",
	[TDI_CAUSE_PASID] = "PASID capability changed",
	[TDI_CAUSE_PRI] = "PRI capability changed",
	[TDI_CAUSE_ARI] = "ARI capability changed",
	[TDI_CAUSE_EA] = "Enhanced Allocation changed",
	[TDI_CAUSE_REBAR] = "Resizable BAR changed",
	[TDI_CAUSE_VF_REBAR] = "VF Resizable BAR changed",
	[TDI_CAUSE_SRIOV] = "SR-IOV capability changed",
	[TDI_CAUSE_MULTICAST] = "Multicast capability changed",
	[TDI_CAUSE_IDE] = "bound IDE stream reconfigured",
	[TDI_CAUSE_INSECURE] = "bound IDE stream insecure",
	[TDI_CAUSE_SESSION] = "SPDM session ended",
	[TDI_CAUSE_RID] = "requester id changed",
	[TDI_CAUSE_INTEGRITY] = "integrity error",
	[TDI_CAUSE_DEBUG] = "debug unlocked",
};

const char *tdi_cause_name(enum tdi_cause cause)
{
	return cause < TDI_CAUSE_MAX ? cause_names[cause] : "";
}

const char *tdi_state_name(unsigned int state)
{
	static const char *const names[] = {
		[TDISP_UNLOCKED] = "CONFIG_UNLOCKED",
		[TDISP_LOCKED] = "CONFIG_LOCKED",
		[TDISP_RUN] = "RUN",
		[TDISP_ERROR_STATE] = "ERROR",
	};

	return state < sizeof(names) / sizeof(names[0]) ? names[state] : "?";
}

static void tdi_enter(const struct tdi *tdi, enum tdisp_state to, enum tdi_cause cause)
{
	struct tdi *w = image_write(tdi);
	enum tdisp_state from = (enum tdisp_state)w->state;

	w->state = (uint8_t)to;
	w->cause = (uint8_t)cause;
	if (to != TDISP_LOCKED && !(to == TDISP_ERROR_STATE && mutant(MUTANT_START_IN_ERROR))) {
		memset(w->nonce, 0, sizeof(w->nonce));
		w->nonce_live = false;
	}
	TRACE_STATE(LANE_DEVICE, "TDI", A("rid", w->rid), A("from", from), A("to", to),
		A("cause", cause), A("stream", w->stream), A("session", w->session));
}

bool tdi_fault_take(const struct tdi *tdi, enum device_fault fault)
{
	if (!tdi->faults[fault])
		return false;
	tdi_write(tdi)->faults[fault]--;
	return true;
}

bool tdi_stream_bound(const struct tdi *tdi, uint16_t stream)
{
	if (tdi->state != TDISP_LOCKED && tdi->state != TDISP_RUN)
		return false;
	if (tdi->stream == stream)
		return true;
	for (unsigned int i = 0; i < tdi->p2p_count; i++)
		if (tdi->p2p[i] == stream)
			return true;
	return false;
}

/* The key and session items of LOCK, PCIe 6.x 11.3.8: default stream, keyed over this session. */
static bool lock_stream_ok(const struct tdi *tdi, uint32_t session, uint8_t stream)
{
	const struct dsm *dsm = tdi->dsm;

	if (!(dsm->quirks & QUIRK_LOCK_ANY_STREAM) && ide_default_stream(dsm->rid) != stream)
		return false;
	return ide_km_keyed(dsm, session, stream);
}

enum tdisp_error tdi_lock(const struct tdi *tdi, uint32_t session, const struct tdi_lock *lock)
{
	const struct function *fn = function_find(tdi->rid);
	const struct engine *engine = engine_of(tdi->rid);
	uint8_t nonce[TDISP_NONCE];
	struct tdi *w;
	int len;

	if (!fn || !engine)
		return TDISP_INVALID_INTERFACE;
	if (!lock_stream_ok(tdi, session, lock->stream))
		return TDISP_INVALID_REQUEST;
	if (!lock_configuration_ok(fn))
		return TDISP_INVALID_DEVICE_CONFIGURATION;
	if (tdi_fault_take(tdi, DEVICE_FAULT_NO_ENTROPY) || spdm_random(nonce, sizeof(nonce)))
		return TDISP_INSUFFICIENT_ENTROPY;
	engine_stop(engine);
	w = image_write(tdi);
	w->stream = lock->stream;
	w->lock_flags = lock->flags;
	w->session = session;
	w->reporting_offset = lock->reporting_offset;
	w->p2p_count = 0;
	memset(w->non_tee, 0, sizeof(w->non_tee));
	len = report_make(w, fn, w->report, sizeof(w->report));
	if (len < 0)
		return TDISP_UNSPECIFIED;
	w->report_len = (uint16_t)len;
	memcpy(w->nonce, nonce, sizeof(nonce));
	w->nonce_live = true;
	tdi_enter(tdi, TDISP_LOCKED, TDI_CAUSE_NONE);
	return TDISP_OK;
}

enum tdisp_error tdi_start(const struct tdi *tdi, const uint8_t nonce[TDISP_NONCE])
{
	uint8_t differs = 0;

	for (unsigned int i = 0; i < TDISP_NONCE; i++)
		differs = (uint8_t)(differs | (nonce[i] ^ tdi->nonce[i]));
	if (differs || !tdi->nonce_live)
		return TDISP_INVALID_NONCE;
	tdi_enter(tdi, TDISP_RUN, TDI_CAUSE_NONE);
	return TDISP_OK;
}

/* What a locked TDI held is gone before UNLOCKED is seen: work, secrets, nonce, peer streams. */
static void tdi_scrub(const struct tdi *tdi)
{
	const struct engine *engine = engine_of(tdi->rid);
	struct tdi *w = image_write(tdi);

	if (engine)
		engine_clear(engine);
	w->p2p_count = 0;
	w->report_len = 0;
	memset(w->report, 0, sizeof(w->report));
	memset(w->non_tee, 0, sizeof(w->non_tee));
	w->lock_flags = 0;
	w->reporting_offset = 0;
}

void tdi_stop(const struct tdi *tdi)
{
	struct tdi *w;

	if (tdi->state == TDISP_UNLOCKED)
		return;
	tdi_scrub(tdi);
	tdi_enter(tdi, TDISP_UNLOCKED, TDI_CAUSE_NONE);
	w = image_write(tdi);
	w->session = 0;
	w->stream = 0;
}

void tdi_break(const struct tdi *tdi, enum tdi_cause cause)
{
	const struct engine *engine;

	if (tdi->state != TDISP_LOCKED && tdi->state != TDISP_RUN)
		return;
	tdi_enter(tdi, TDISP_ERROR_STATE, cause);
	engine = engine_of(tdi->rid);
	if (engine)
		engine_stop(engine);
}

int device_tdi_view(uint16_t rid, struct tdi_view *view)
{
	const struct dsm *dsm = dsm_of(rid);
	const struct tdi *tdi = dsm ? dsm_tdi(dsm, rid) : NULL;

	if (!tdi)
		return -ENOENT;
	*view = (struct tdi_view){
		.rid = rid,
		.state = (enum tdisp_state)tdi->state,
		.stream = tdi->stream,
		.lock_flags = tdi->lock_flags,
		.session = tdi->session,
	};
	strncpy(view->error_cause, tdi_cause_name((enum tdi_cause)tdi->cause),
		sizeof(view->error_cause) - 1);
	return 0;
}
