/* SPDX-License-Identifier: BSD-2-Clause */
/* Misbehaviour on demand: faults by name, and the quirks of published peers. */
#include <errno.h>
#include <string.h>

#include "device/dsm.h"

#define IDE_DEFAULT_STREAM (1u << 22)	/* of a selective stream's control register */

static void inject_session(const struct tdi *tdi)
{
	dsm_session_drop(tdi->dsm);
}

static void inject_insecure(const struct tdi *tdi)
{
	bool bound = tdi->state == TDISP_LOCKED || tdi->state == TDISP_RUN;
	int stream = bound ? tdi->stream : ide_default_stream(tdi->dsm->rid);

	if (stream >= 0)
		ide_fail(tdi->dsm->rid, (uint8_t)stream);
}

/* A locked engine takes no MMIO that could start it: the rogue transfer is its last job again. */
static void inject_early(const struct tdi *tdi)
{
	const struct engine *engine = engine_of(tdi->rid);

	if (engine && (tdi->state == TDISP_LOCKED || tdi->state == TDISP_ERROR_STATE))
		engine_run(engine);
}

static void inject_integrity(const struct tdi *tdi)
{
	tdi_break(tdi, TDI_CAUSE_INTEGRITY);
}

/* Debug access opens the device: all of it stops being trusted at once. */
static void inject_debug(const struct tdi *tdi)
{
	const struct dsm *dsm = tdi->dsm;

	for (const struct tdi *each = dsm->tdis; each; each = each->next)
		tdi_break(each, TDI_CAUSE_DEBUG);
	dsm_session_drop(dsm);
	ide_km_reset(dsm);
}

static void inject_nonce(const struct tdi *tdi)
{
	if (tdi->nonce_live)
		tdi_write(tdi)->nonce[0] ^= 1;
}

static const struct {
	const char *name;
	bool counted;			/* waits for an occasion; else happens now */
	void (*now)(const struct tdi *tdi);
} faults[DEVICE_FAULT_MAX] = {
	[DEVICE_FAULT_NO_ENTROPY] = { "no-entropy", true, NULL },
	[DEVICE_FAULT_END_SESSION] = { "end-session", false, inject_session },
	[DEVICE_FAULT_INSECURE] = { "insecure", false, inject_insecure },
	[DEVICE_FAULT_LIE_REPORT] = { "lie-report", true, NULL },
	[DEVICE_FAULT_TDISP_BUSY] = { "tdisp-busy", true, NULL },
	[DEVICE_FAULT_DMA_T0] = { "dma-t0", true, NULL },
	[DEVICE_FAULT_DMA_T1_EARLY] = { "dma-t1-early", true, inject_early },
	[DEVICE_FAULT_INTEGRITY] = { "integrity", false, inject_integrity },
	[DEVICE_FAULT_DEBUG_UNLOCK] = { "debug-unlock", false, inject_debug },
	[DEVICE_FAULT_NEW_NONCE] = { "new-nonce", false, inject_nonce },
	[DEVICE_FAULT_SPDM_BUSY] = { "spdm-busy", true, NULL },
	[DEVICE_FAULT_SPDM_NOT_READY] = { "spdm-not-ready", true, NULL },
	[DEVICE_FAULT_LIE_PAGES] = { "lie-pages", true, NULL },
	[DEVICE_FAULT_LIE_ID] = { "lie-id", true, NULL },
	[DEVICE_FAULT_LIE_OVERLAP] = { "lie-overlap", true, NULL },
	[DEVICE_FAULT_LIE_RANGES] = { "lie-ranges", true, NULL },
};

static const struct { const char *name; enum device_quirk bit; } quirks[] = {
	{ "emu-function-id", QUIRK_EMU_FUNCTION_ID },
	{ "any-port", QUIRK_ANY_PORT },
	{ "lock-any-stream", QUIRK_LOCK_ANY_STREAM },
	{ "stop-unlocked-error", QUIRK_STOP_UNLOCKED_ERROR },
	{ "req-msgs-from-bit0", QUIRK_REQ_MSGS_FROM_BIT0 },
	{ "offset-in-pages", QUIRK_OFFSET_IN_PAGES },
};

int device_fault_by_name(const char *name)
{
	for (int i = 0; i < DEVICE_FAULT_MAX; i++)
		if (!strcmp(faults[i].name, name))
			return i;
	return -EINVAL;
}

static const struct tdi *tdi_of(uint16_t rid)
{
	const struct dsm *dsm = dsm_of(rid);

	return dsm ? dsm_tdi(dsm, rid) : NULL;
}

int device_inject(uint16_t rid, enum device_fault fault, unsigned int count)
{
	const struct tdi *tdi = tdi_of(rid);

	if (fault >= DEVICE_FAULT_MAX)
		return -EINVAL;
	if (!tdi)
		return -ENOENT;
	if (faults[fault].counted)
		tdi_write(tdi)->faults[fault] = count;
	if (faults[fault].now && count)
		faults[fault].now(tdi);
	return 0;
}

int device_firmware_update(uint16_t rid)
{
	const struct tdi *tdi = tdi_of(rid);
	const struct dsm *dsm;

	if (!tdi)
		return -ENOENT;
	dsm = tdi->dsm;
	for (const struct tdi *each = dsm->tdis; each; each = each->next)
		if (each->state != TDISP_UNLOCKED && (each->lock_flags & TDISP_LOCK_NO_FW_UPDATE))
			return -EACCES;
	*(uint32_t *)image_write(&dsm->firmware) = dsm->firmware + 1;
	return identity_measure(dsm);
}

int device_quirk_set(uint16_t rid, const char *name, bool on)
{
	const struct dsm *dsm = dsm_of(rid);
	uint32_t *w;

	if (!dsm)
		return -ENOENT;
	for (size_t i = 0; i < sizeof(quirks) / sizeof(quirks[0]); i++) {
		if (strcmp(quirks[i].name, name))
			continue;
		w = image_write(&dsm->quirks);
		*w = on ? *w | quirks[i].bit : *w & ~(uint32_t)quirks[i].bit;
		return 0;
	}
	return -EINVAL;
}

int device_alias_set(uint16_t rid, uint16_t alias)
{
	const struct dsm *dsm = dsm_of(rid);

	if (!dsm)
		return -ENOENT;
	*(uint16_t *)image_write(&dsm->alias) = alias;
	return 0;
}

int device_stream_default(uint16_t rid, uint8_t stream)
{
	const struct dsm *dsm = dsm_of(rid);
	const struct function *fn = dsm ? function_find(dsm->rid) : NULL;
	unsigned int at;

	if (!fn)
		return -ENOENT;
	at = IDE_SEL_BASE(fn->cap_ide, 0);
	config_write(dsm->rid, at + 0x0c, 4, 0x00ffff00);	/* RID association: all of them */
	config_write(dsm->rid, at + 0x10, 4, 1);
	config_write(dsm->rid, at + 0x04, 4, (uint32_t)stream << 24 | IDE_DEFAULT_STREAM);
	return 0;
}
