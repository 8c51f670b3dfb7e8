/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The engine's jobs. Every run of bytes asks anew whether the function may still master the bus and
 * with which T: a TDI that leaves RUN in the middle of a job stops there.
 */
#include <errno.h>

#include <linux/pci_regs.h>
#include <xxhash.h>

#include "device/dsm.h"
#include "hardware/bar_file.h"
#include "hardware/iommu.h"
#include "trace/trace.h"

#define BOUNCE 16384u
#define FILL_BUFFER (1u << 20)	/* one traced write each */

struct job {
	const struct engine *engine;
	enum dma_mode mode;
	uint64_t done, end;	/* where it stops for now: its end, or that of a step */
	bool pages;		/* asks for translations first, and for pages where there is none */
	struct iommu_page_request wants;	/* prot 0: nothing */
};

/* VFs share the PF's PASID and page request capabilities. */
static const struct function *pf_of(const struct engine *engine)
{
	const struct function *fn = function_find(engine->rid);

	return fn ? function_find(fn->pf_rid) : NULL;
}

static bool pages_enabled(const struct engine *engine)
{
	const struct function *fn = function_find(engine->rid), *pf = pf_of(engine);
	unsigned int pri = pf ? function_find_ext_cap(pf, PCI_EXT_CAP_ID_PRI) : 0;

	return pri && fn->cap_ats &&
	       (function_config(fn, fn->cap_ats + PCI_ATS_CTRL, 2) & PCI_ATS_CTRL_ENABLE) &&
	       (function_config(pf, pri + PCI_PRI_CTRL, 2) & PCI_PRI_CTRL_ENABLE);
}

/* Every page of the request translates; else the first that does not is what the job wants. */
static bool job_translates(struct job *job, const struct tlp *tlp)
{
	struct tlp at = *tlp;
	uint64_t run;

	for (; at.len; at.address += run, at.len -= run) {
		if (tlp_translates(&at, &run))
			continue;
		job->wants = (struct iommu_page_request){
			.rid = at.rid, .pasid = at.pasid, .address = at.address & ~0xfffull,
			.prot = at.type == TLP_MEM_READ ? PT_R : PT_W, .last = true };
		return false;
	}
	return true;
}

static bool job_tlp(struct job *job, struct tlp *tlp, enum tlp_type type, uint64_t address,
		    uint64_t len)
{
	const struct engine *engine = job->engine;

	if (engine_dma_mode(engine) != job->mode)
		return false;
	*tlp = (struct tlp){ .type = type, .rid = engine->rid, .t = job->mode == DMA_T1,
		.stream = TLP_NO_STREAM, .pasid = engine->pasid, .address = address, .len = len };
	return !job->pages || job->mode != DMA_T0 || job_translates(job, tlp);
}

static bool job_read(struct job *job, uint64_t address, void *data, uint64_t len)
{
	uint64_t done = 0;
	struct tlp tlp;

	if (!job_tlp(job, &tlp, TLP_MEM_READ, address, len))
		return false;
	tlp.data = data;
	return tlp_dma_copy(&tlp, &done) == TLP_SC;
}

/* A job that goes by steps leaves its last write on its way. */
static bool job_write(struct job *job, uint64_t address, const void *from, uint64_t len)
{
	bool slow = job->engine->step, ok = true;
	struct tlp tlp;

	if (!job_tlp(job, &tlp, TLP_MEM_WRITE, address, len))
		return false;
	for (uint64_t done = 0; ok && tlp.len; tlp.address += done, tlp.len -= done) {
		tlp.from = (const uint8_t *)from + (len - tlp.len);
		ok = (slow ? tlp_dma_post : tlp_dma_copy)(&tlp, &done) == TLP_SC;
		job->done += done;
	}
	return ok;
}

/* The next readable run at an address: in place, or through the buffer where there is no memory. It
 * is a page at a time that is asked for, so that what was asked for is what is read next. */
static const void *job_look(struct job *job, uint64_t address, uint64_t *len, void *bounce)
{
	const void *ram;
	struct tlp tlp;
	uint64_t hpa;

	if (job->pages && *len > 4096 - address % 4096)
		*len = 4096 - address % 4096;
	if (!job_tlp(job, &tlp, TLP_MEM_READ, address, *len) ||
	    tlp_dma_map(&tlp, len, &ram, &hpa) != TLP_SC || !*len)
		return NULL;
	if (ram)
		return ram;
	*len = *len < BOUNCE ? *len : BOUNCE;
	return job_read(job, address, bounce, *len) ? bounce : NULL;
}

static bool run_copy(struct job *job)
{
	const struct engine *e = job->engine;
	uint8_t bounce[BOUNCE];

	while (job->done < job->end) {
		uint64_t run = job->end - job->done;
		const void *from = job_look(job, e->src + job->done, &run, bounce);

		if (!from || !job_write(job, e->dst + job->done, from, run))
			return false;
	}
	return true;
}

/* BAR2 is a ring for IN and OUT: where its next piece is, and how long at most. */
static uint64_t bar2_piece(const struct job *job, uint64_t inside, uint64_t *len)
{
	uint64_t at = (inside + job->done) % ENGINE_BAR2_SIZE, left = job->end - job->done;

	*len = left < ENGINE_BAR2_SIZE - at ? left : ENGINE_BAR2_SIZE - at;
	return at;
}

static bool run_in(struct job *job)
{
	const struct engine *e = job->engine;

	while (job->done < job->end) {
		uint64_t len, at = bar2_piece(job, e->dst, &len);

		if (!job_read(job, e->src + job->done, bar_memory_write(e->bar2, at, len), len))
			return false;
		job->done += len;
	}
	return true;
}

static bool run_out(struct job *job)
{
	const struct engine *e = job->engine;

	while (job->done < job->end) {
		uint64_t len, at = bar2_piece(job, e->src, &len);

		if (!job_write(job, e->dst + job->done, bar_memory(e->bar2) + at, len))
			return false;
	}
	return true;
}

static bool checksum_runs(struct job *job, XXH64_state_t *state)
{
	const struct engine *e = job->engine;
	uint8_t bounce[BOUNCE];

	while (job->done < job->end) {
		uint64_t run = job->end - job->done;
		const void *from = job_look(job, e->src + job->done, &run, bounce);

		if (!from)
			return false;
		XXH64_update(state, from, run);
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
	job->done = 0;		/* the sum of what was read before a page was asked for is lost */
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
	static uint64_t words[FILL_BUFFER / 8];	/* of this process; used up before anything waits */
	uint64_t seed = e->src + job->done / 8 * 0x9e3779b97f4a7c15ull;

	while (job->done < job->end) {
		uint64_t left = job->end - job->done, run = left < FILL_BUFFER ? left : FILL_BUFFER;

		for (uint64_t i = 0; i < (run + 7) / 8; i++)
			words[i] = splitmix64(&seed);
		if (!job_write(job, e->dst + job->done, words, run))
			return false;
	}
	return true;
}

static const struct { const char *name; bool (*run)(struct job *job); bool steps; } jobs[] = {
	[ENGINE_COPY] = { "engine COPY", run_copy, true },
	[ENGINE_IN] = { "engine IN", run_in, false },
	[ENGINE_OUT] = { "engine OUT", run_out, true },
	[ENGINE_CHECKSUM] = { "engine CHECKSUM", run_checksum, false },
	[ENGINE_FILL] = { "engine FILL", run_fill, true },
};

static bool pasid_ok(const struct engine *engine)
{
	const struct function *pf = pf_of(engine);

	if (engine->pasid == ENGINE_NONE)
		return true;
	return pf && pf->cap_pasid && engine->pasid < 1u << 20 &&
	       (function_config(pf, pf->cap_pasid + PCI_PASID_CTRL, 2) & PCI_PASID_CTRL_ENABLE);
}

static bool job_legal(const struct job *job)
{
	const struct engine *e = job->engine;

	return job->mode != DMA_NONE && e->op < sizeof(jobs) / sizeof(jobs[0]) && jobs[e->op].run &&
	       e->len <= ENGINE_MAX_LEN && pasid_ok(e);
}

static bool job_run(struct job *job)
{
	const struct engine *e = job->engine;
	uint64_t step = (e->step + 7ull) & ~7ull, left = e->len - job->done;
	struct trace_call call;
	bool ok;

	job->end = e->len;
	if (step && jobs[e->op].steps && left > step)
		job->end = job->done + step;
	call = TRACE_CALL(LANE_DEVICE, LANE_HARDWARE, jobs[e->op].name, A("rid", e->rid),
		A("t", job->mode == DMA_T1), A("src", e->src), A("dst", e->dst), A("len", e->len),
		A("state", e->tdi->state));
	ok = jobs[e->op].run(job);
	trace_return(&call, ok ? 0 : -EIO, "");
	return ok;
}

static void job_end(const struct engine *engine, const struct job *job, bool ok)
{
	uint32_t vector = engine->vector;
	struct engine *w = engine_write(engine);

	tlp_arrive(engine->rid);
	w->done = job->done;
	w->status = (ok ? 0 : ENGINE_STATUS_ERROR) | (job->mode == DMA_T1 ? ENGINE_STATUS_T1 : 0);
	msix_raise(&engine->msix, vector);
}

/* The job stops where it is and goes on, from there, when its page request is answered. */
static void job_wait(const struct engine *engine, struct job *job)
{
	struct engine *w = engine_write(engine);

	w->done = job->done;
	w->waits = true;
	w->group = (uint16_t)((w->group + 1) & 0x1ff);	/* 9 bits, PCIe 6.x 10.4.1 */
	job->wants.group = w->group;
	iommu_page_request(&job->wants);
}

static void job_go(const struct engine *engine, struct job *job)
{
	bool ok = job_legal(job) && job_run(job);

	tdi_fault_take(engine->tdi, engine->tdi->state == TDISP_RUN ? DEVICE_FAULT_DMA_T0 :
		DEVICE_FAULT_DMA_T1_EARLY);
	if (!(engine->status & ENGINE_STATUS_BUSY))
		return;		/* stopped on the way: LOCK, STOP or reset took the job with it */
	if (!ok && job->wants.prot)
		job_wait(engine, job);
	else if (ok && job->done < engine->len)
		engine_write(engine)->done = job->done;
	else
		job_end(engine, job, ok);
}

void engine_run(const struct engine *engine)
{
	struct job job = { .engine = engine, .mode = engine_dma_mode(engine),
			   .pages = pages_enabled(engine) };
	struct engine *w = engine_write(engine);

	if (w->status & ENGINE_STATUS_BUSY)
		return;		/* a peer-to-peer job that writes its own start bit */
	w->status = ENGINE_STATUS_BUSY;
	w->done = 0;
	job_go(engine, &job);
}

/* Of a job that has stopped somewhere. */
static struct job job_again(const struct engine *engine)
{
	return (struct job){ .engine = engine, .mode = engine_dma_mode(engine),
			     .done = engine->done, .pages = pages_enabled(engine) };
}

void engine_step(const struct engine *engine)
{
	struct job job = job_again(engine);

	if (engine->status & ENGINE_STATUS_BUSY && !engine->waits)
		job_go(engine, &job);
}

void engine_page_response(
	const struct function *fn, uint32_t pasid, uint16_t group, unsigned int code)
{
	const struct engine *engine = fn->state;
	struct engine *w;
	struct job job;

	if (!engine || !engine->waits || engine->group != group || engine->pasid != pasid)
		return;		/* to a job that is no more */
	job = job_again(engine);
	w = engine_write(engine);
	w->waits = false;
	if (code == IOMMU_PAGE_SUCCESS)
		job_go(engine, &job);
	else
		job_end(engine, &job, false);
}
