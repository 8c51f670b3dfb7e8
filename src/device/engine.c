/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The DMA engine: its registers, and which TLPs it takes (PCIe 6.x 11.2.1). A job runs to its end
 * inside the write that starts it, unless ENGINE_STEP lets it go on by steps; transfer.c moves the
 * bytes.
 */
#include <string.h>

#include <linux/pci_regs.h>

#include "device/dsm.h"
#include "hardware/bar_file.h"
#include "image/mutant.h"

enum { CONTROL_START = 1, CONTROL_RESET = 2, CONTROL_STEP = 4 };
#define ENGINE_ID_VALUE 0x54494f31u

/* Registers of BAR0's first page, a row a 32-bit half. */
static const struct engine_reg { uint16_t at, field; bool writable; } regs[] = {
#define REG(at, member, writable) { at, offsetof(struct engine, member), writable }
#define REG64(at, member, writable) REG(at, member, writable), \
	{ (at) + 4, offsetof(struct engine, member) + 4, writable }
	REG(ENGINE_STATUS, status, false),
	REG(ENGINE_OP, op, true),
	REG64(ENGINE_SRC, src, true),
	REG64(ENGINE_DST, dst, true),
	REG(ENGINE_LEN, len, true),
	REG(ENGINE_VECTOR, vector, true),
	REG64(ENGINE_DONE, done, false),
	REG64(ENGINE_SUM, sum, false),
	REG(ENGINE_PASID, pasid, true),
	REG(ENGINE_STEP, step, true),
	REG(ENGINE_SCRATCH, scratch, true),
#undef REG64
#undef REG
};

const struct engine *engine_of(uint16_t rid)
{
	const struct function *fn = function_find(rid);

	if (!fn || (fn->model != MODEL_DMA_ENGINE && fn->model != MODEL_DMA_ENGINE_VF))
		return NULL;
	return fn->state;
}

static const struct engine_reg *reg_find(uint64_t at)
{
	for (size_t i = 0; i < sizeof(regs) / sizeof(regs[0]); i++)
		if (regs[i].at == at)
			return &regs[i];
	return NULL;
}

static uint32_t reg_read(const struct engine *engine, uint64_t at)
{
	const struct engine_reg *reg = reg_find(at);
	uint32_t value;

	if (at >= ENGINE_MSIX_TABLE)
		return msix_read(&engine->msix, at - ENGINE_MSIX_TABLE);
	if (at == ENGINE_ID)
		return ENGINE_ID_VALUE;
	if (!reg)
		return 0;
	memcpy(&value, (const uint8_t *)engine + reg->field, sizeof(value));
	return value;
}

static void control_write(const struct engine *engine, uint32_t value)
{
	if (value & CONTROL_RESET)
		engine_clear(engine);
	if (value & CONTROL_START)
		engine_run(engine);
	if (value & CONTROL_STEP)
		engine_step(engine);
}

static void reg_write(const struct engine *engine, uint64_t at, uint32_t value, uint32_t mask)
{
	const struct engine_reg *reg = reg_find(at);

	if (at >= ENGINE_MSIX_TABLE) {
		msix_write(&engine->msix, at - ENGINE_MSIX_TABLE, value, mask);
	} else if (at == ENGINE_CONTROL) {
		control_write(engine, value & mask);
	} else if (reg && reg->writable) {
		uint32_t merged = (reg_read(engine, at) & ~mask) | (value & mask);

		memcpy(image_log((const uint8_t *)engine + reg->field, 4), &merged, 4);
	}
}

enum tlp_status engine_mmio(
	const struct function *fn, unsigned int bar, uint64_t offset, struct tlp *tlp)
{
	const struct engine *engine = fn->state;
	uint8_t *data = tlp->data;

	if (bar || !engine || offset >= ENGINE_BAR0_SIZE || tlp->len > ENGINE_BAR0_SIZE - offset)
		return TLP_UR;
	for (uint64_t at = 0; at < tlp->len;) {
		unsigned int low = (unsigned int)((offset + at) & 3);
		unsigned int n = (unsigned int)(tlp->len - at < 4 - low ? tlp->len - at : 4 - low);
		uint64_t reg = offset + at - low;
		uint32_t value = 0, mask = 0;

		if (tlp->type == TLP_MEM_READ) {
			value = reg_read(engine, reg) >> 8 * low;
			memcpy(data + at, &value, n);
		} else {
			memcpy(&value, data + at, n);
			memset(&mask, 0xff, n);
			reg_write(engine, reg, value << 8 * low, mask << 8 * low);
		}
		at += n;
	}
	return TLP_SC;
}

/* T=1 is for RUN alone. */
static bool trusted(const struct tdi *tdi)
{
	return tdi->state == TDISP_RUN ||
	       (tdi->state == TDISP_LOCKED && mutant(MUTANT_DMA_BEFORE_RUN));
}

/* One page. Unlocked, the function is an ordinary one. From LOCK on, what the report lists without
 * NON_TEE is TEE memory; what it does not list and what is NON_TEE is reached whatever T is. */
static enum tlp_status admit_page(const struct tdi *tdi, unsigned int bar, uint64_t page,
				  const struct tlp *tlp)
{
	int attributes;

	if (tdi->state == TDISP_UNLOCKED)
		return tlp->t ? TLP_UR : TLP_SC;
	attributes = report_attributes(tdi, tdi->lock_flags, bar, page);
	if (attributes < 0 || (attributes & TDISP_RANGE_NON_TEE))
		return TLP_SC;
	if (tlp->t && trusted(tdi) && tdi_stream_bound(tdi, tlp->stream))
		return TLP_SC;
	return TLP_UR;
}

enum tlp_status engine_admit(
	const struct function *fn, unsigned int bar, uint64_t offset, const struct tlp *tlp)
{
	const struct engine *engine = fn->state;

	if (!engine || !tlp->len || fn->in_reset)
		return TLP_UR;
	for (uint64_t page = offset / 4096; page <= (offset + tlp->len - 1) / 4096; page++) {
		enum tlp_status status = admit_page(engine->tdi, bar, page, tlp);

		if (status != TLP_SC)
			return status;
	}
	return TLP_SC;
}

/* Bus mastering is the ordinary rule, T and the TDI state are TDISP's. */
enum dma_mode engine_dma_mode(const struct engine *engine)
{
	const struct function *fn = function_find(engine->rid);
	const struct tdi *tdi = engine->tdi;

	if (!fn || !(function_config(fn, PCI_COMMAND, 2) & PCI_COMMAND_MASTER))
		return DMA_NONE;
	if (trusted(tdi))
		return tdi->faults[DEVICE_FAULT_DMA_T0] ? DMA_T0 : DMA_T1;
	if (tdi->faults[DEVICE_FAULT_DMA_T1_EARLY])
		return DMA_T1;
	return tdi->state == TDISP_UNLOCKED ? DMA_T0 : DMA_NONE;
}

void engine_stop(const struct engine *engine)
{
	struct engine *w = image_write(engine);

	tlp_arrive(engine->rid);
	w->status &= ~ENGINE_STATUS_BUSY;
	w->waits = false;
	w->msix.pending = 0;
}

/* Secrets: only pages that hold something are written, so that an unused BAR2 costs a read. */
static void memory_scrub(const struct function_bar *bar)
{
	static const uint8_t zero[4096];
	const uint8_t *memory = bar_memory(bar);
	bool ours = memory == bar->memory;

	for (uint32_t at = 0; memory && at < ENGINE_BAR2_SIZE; at += sizeof(zero))
		if ((!ours || image_bulk_written(memory + at, sizeof(zero))) &&
		    memcmp(memory + at, zero, sizeof(zero)))
			memset(bar_memory_write(bar, at, sizeof(zero)), 0, sizeof(zero));
}

void engine_clear(const struct engine *engine)
{
	const struct engine keep = *engine;

	tlp_arrive(keep.rid);
	*engine_write(engine) = (struct engine){ .tdi = keep.tdi,
		.bar2 = keep.bar2,
		.rid = keep.rid,
		.group = keep.group,
		.vector = ENGINE_NONE,
		.pasid = ENGINE_NONE,
		.msix = { .tdi = keep.tdi, .rid = keep.rid, .vectors = ENGINE_MSIX_VECTORS } };
	msix_clear(&engine->msix);
	memory_scrub(keep.bar2);
}
