/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The engine's jobs. Every run of bytes asks anew whether the function may still master the bus and
 * with which T: a TDI that leaves RUN in the middle of a job stops there.
 */
#include <string.h>

#include <linux/pci_regs.h>
#include <xxhash.h>

#include "device/dsm.h"

#define BOUNCE 16384u

struct job {
	const struct engine *engine;
	enum dma_mode mode;
	uint64_t done;
};

static bool job_tlp(const struct job *job, struct tlp *tlp, enum tlp_type type, uint64_t address,
		    void *data, uint64_t len)
{
	const struct engine *engine = job->engine;
	const struct function *fn = function_find(engine->rid);

	if (!fn || engine_dma_mode(engine) != job->mode)
		return false;
	*tlp = (struct tlp){ .type = type, .rid = engine->rid, .t = job->mode == DMA_T1,
		.pasid = engine->pasid, .address = address, .len = len, .data = data };
	tlp->stream = tlp->t ? engine->tdi->stream : ide_stream_up(fn, address);
	return true;
}

static bool job_move(const struct job *job, enum tlp_type type, uint64_t address, void *data, uint64_t len)
{
	uint64_t done = 0;
	struct tlp tlp;

	return job_tlp(job, &tlp, type, address, data, len) &&
	       tlp_dma_copy(&tlp, &done) == TLP_SC && done == len;
}

/* Contiguous run behind a DMA address; *ram is NULL where there is no host memory to point at. */
static bool job_map(const struct job *job, enum tlp_type type, uint64_t address, uint64_t len,
		    uint64_t *run, const void **ram)
{
	struct tlp tlp;
	uint64_t hpa;

	return job_tlp(job, &tlp, type, address, NULL, len) &&
	       tlp_dma_map(&tlp, run, ram, &hpa) == TLP_SC && *run;
}

/* Straight into the destination's memory where that is memory of the image, else through a buffer. */
static bool run_copy(struct job *job)
{
	const struct engine *e = job->engine;
	uint8_t bounce[BOUNCE];

	while (job->done < e->len) {
		uint64_t left = e->len - job->done, run;
		const void *ram;

		if (!job_map(job, TLP_MEM_WRITE, e->dst + job->done, left, &run, &ram))
			return false;
		if (ram && image_contains(ram, run)) {
			if (!job_move(job, TLP_MEM_READ, e->src + job->done, image_bulk_write(ram, run), run))
				return false;
		} else {
			run = run < BOUNCE ? run : BOUNCE;
			if (!job_move(job, TLP_MEM_READ, e->src + job->done, bounce, run) ||
			    !job_move(job, TLP_MEM_WRITE, e->dst + job->done, bounce, run))
				return false;
		}
		job->done += run;
	}
	return true;
}

/* BAR2 is a ring for IN and OUT. */
static bool run_bar2(struct job *job, enum tlp_type type, uint64_t address, uint64_t inside)
{
	const struct engine *e = job->engine;

	while (job->done < e->len) {
		uint64_t at = (inside + job->done) % ENGINE_BAR2_SIZE, left = e->len - job->done;
		uint64_t run = left < ENGINE_BAR2_SIZE - at ? left : ENGINE_BAR2_SIZE - at;
		void *memory = image_bulk_write((const uint8_t *)e->memory + at, run);

		if (!job_move(job, type, address + job->done, memory, run))
			return false;
		job->done += run;
	}
	return true;
}

static bool run_in(struct job *job)
{
	return run_bar2(job, TLP_MEM_READ, job->engine->src, job->engine->dst);
}

static bool run_out(struct job *job)
{
	return run_bar2(job, TLP_MEM_WRITE, job->engine->dst, job->engine->src);
}

static bool checksum_runs(struct job *job, XXH64_state_t *state)
{
	const struct engine *e = job->engine;
	uint8_t bounce[BOUNCE];

	while (job->done < e->len) {
		uint64_t run;
		const void *ram;

		if (!job_map(job, TLP_MEM_READ, e->src + job->done, e->len - job->done, &run, &ram))
			return false;
		if (!ram) {
			run = run < BOUNCE ? run : BOUNCE;
			if (!job_move(job, TLP_MEM_READ, e->src + job->done, bounce, run))
				return false;
		}
		XXH64_update(state, ram ? ram : bounce, run);
		job->done += run;
	}
	return true;
}

static bool run_checksum(struct job *job)
{
	XXH64_state_t *state = XXH64_createState();
	bool ok;

	if (!state)
		return false;
	XXH64_reset(state, 0);
	ok = checksum_runs(job, state);
	if (ok)
		engine_write(job->engine)->sum = XXH64_digest(state);
	XXH64_freeState(state);
	return ok;
}

static uint64_t splitmix64(uint64_t *seed)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static bool run_fill(struct job *job)
{
	const struct engine *e = job->engine;
	uint64_t seed = e->src, words[BOUNCE / 8];

	while (job->done < e->len) {
		uint64_t left = e->len - job->done, run = left < BOUNCE ? left : BOUNCE;

		for (uint64_t i = 0; i < (run + 7) / 8; i++)
			words[i] = splitmix64(&seed);
		if (!job_move(job, TLP_MEM_WRITE, e->dst + job->done, words, run))
			return false;
		job->done += run;
	}
	return true;
}

static bool (*const jobs[])(struct job *job) = {
	[ENGINE_COPY] = run_copy,
	[ENGINE_IN] = run_in,
	[ENGINE_OUT] = run_out,
	[ENGINE_CHECKSUM] = run_checksum,
	[ENGINE_FILL] = run_fill,
};

static bool pasid_ok(const struct engine *engine)
{
	const struct function *fn = function_find(engine->rid);
	const struct function *pf = fn ? function_find(fn->pf_rid) : NULL;	/* VFs share its capability */

	if (engine->pasid == ENGINE_NONE)
		return true;
	return pf && pf->cap_pasid && engine->pasid < 1u << 20 &&
	       (function_config(pf, pf->cap_pasid + PCI_PASID_CTRL, 2) & PCI_PASID_CTRL_ENABLE);
}

void engine_run(const struct engine *engine)
{
	struct job job = { .engine = engine, .mode = engine_dma_mode(engine) };
	bool known = engine->op < sizeof(jobs) / sizeof(jobs[0]) && jobs[engine->op];
	uint32_t vector = engine->vector;
	struct engine *w = image_write(engine);
	bool ok = false;

	if (w->status & ENGINE_STATUS_BUSY)
		return;		/* a peer-to-peer job that writes its own start bit */
	w->status = ENGINE_STATUS_BUSY;
	w->done = 0;
	if (known && job.mode != DMA_NONE && engine->len <= ENGINE_MAX_LEN && pasid_ok(engine))
		ok = jobs[engine->op](&job);
	tdi_fault_take(engine->tdi, engine->tdi->state == TDISP_RUN ? DEVICE_FAULT_DMA_T0 :
		DEVICE_FAULT_DMA_T1_EARLY);
	if (!(engine->status & ENGINE_STATUS_BUSY))
		return;		/* stopped on the way: LOCK, STOP or reset took the job with it */
	w = image_write(engine);
	w->done = job.done;
	w->status = (ok ? 0 : ENGINE_STATUS_ERROR) | (job.mode == DMA_T1 ? ENGINE_STATUS_T1 : 0);
	msix_raise(engine, vector);
}
