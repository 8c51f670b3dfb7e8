/* SPDX-License-Identifier: BSD-2-Clause */
/* What each model of function does: the one table hardware finds it by. */
#include <linux/pci_regs.h>

#include "device/dsm.h"
#include "hardware/doe.h"
#include "image/mutant.h"

static const uint8_t tee_doe_types[] = { DOE_TYPE_CMA, DOE_TYPE_SECURED, 0 };

static void engine_config_written(const struct function *fn, unsigned int offset, unsigned int size,
				  uint32_t old, uint32_t new)
{
	const struct engine *engine = fn->state;

	track_config_written(fn, offset, size, old, new);
	/* Unmasking the whole function lets pending messages go. */
	if (engine)
		msix_flush(&engine->msix);
}

/* FLR of a PF is one for its VFs. SPDM session and IDE survive it: a function is reset between two
 * owners without the platform connecting to the device anew. */
static void engine_flr(const struct function *fn, const struct dsm *dsm)
{
	for (const struct tdi *tdi = dsm->tdis; tdi; tdi = tdi->next) {
		if (tdi->rid == fn->rid)
			tdi_break(tdi, TDI_CAUSE_FLR);
		else if (fn->rid == dsm->rid)
			tdi_break(tdi, TDI_CAUSE_PF_FLR);
	}
}

static void engine_reset(const struct function *fn, enum function_reset kind)
{
	const struct dsm *dsm = dsm_of(fn->rid);
	const struct engine *engine = fn->state;

	if (!dsm || !engine)
		return;		/* reset while being built */
	if (kind == RESET_FLR && mutant(MUTANT_RESET_KEEPS_RUN))
		return;
	if (kind == RESET_FLR)
		engine_flr(fn, dsm);
	else if (fn->rid == dsm->rid)
		dsm_reset(dsm);
	else
		tdi_stop(engine->tdi);
	engine_clear(engine);
}

static const struct function_ops models[] = {
	[MODEL_ROOT_PORT] = {
		.name = "root port",
		.config_written = track_port_written,
	},
	[MODEL_DMA_ENGINE] = {
		.name = "DMA engine",
		.mmio = engine_mmio,
		.admit = engine_admit,
		.config_written = engine_config_written,
		.doe_object = dsm_doe_object,
		.reset = engine_reset,
		.stream_changed = dsm_stream_changed,
		.page_response = engine_page_response,
		.doe_types = tee_doe_types,
	},
	[MODEL_DMA_ENGINE_VF] = {
		.name = "DMA engine VF",
		.mmio = engine_mmio,
		.admit = engine_admit,
		.config_written = engine_config_written,
		.reset = engine_reset,
		.stream_changed = dsm_stream_changed,
		.page_response = engine_page_response,
	},
	[MODEL_IOAT] = {
		.name = "I/OAT DMA engine",
		.mmio = ioat_mmio,
		.config_written = ioat_config_written,
		.reset = ioat_reset,
	},
};

const struct function_ops *function_model_ops(uint16_t model)
{
	return model && model < sizeof(models) / sizeof(models[0]) ? &models[model] : NULL;
}
