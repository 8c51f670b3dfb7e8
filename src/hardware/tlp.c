/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TLPs: routing, and what each station on the way may refuse. Downstream: decode, IDE, the device's
 * own rules. Upstream: bus mastering, IDE, the IOMMU, the owner of the memory.
 */
#include "hardware/bar_file.h"
#include "hardware/hardware.h"
#include "hardware/ide.h"
#include "hardware/iommu.h"
#include "hardware/phys_state.h"
#include "hardware/platform.h"
#include "image/mutant.h"
#include "trace/trace.h"

#include <errno.h>


const char *tlp_status_name(enum tlp_status status)
{
	static const char *const names[] = {
		[TLP_SC] = "SC", [TLP_UR] = "UR", [TLP_CA] = "CA", [TLP_BLOCKED] = "BLOCKED",
		[TLP_INSECURE] = "INSECURE",
	};

	return (unsigned int)status < sizeof(names) / sizeof(names[0]) ? names[status] : "?";
}

static bool tlp_reads(const struct tlp *tlp)
{
	return tlp->type == TLP_MEM_READ || tlp->type == TLP_CFG_READ;
}

/* The one event of a refused TLP; a refused read completes with ones. */
static enum tlp_status refused(const struct tlp *tlp, enum tlp_status status, bool upstream)
{
	enum lane from = upstream ? LANE_DEVICE : LANE_HARDWARE,
		  to = upstream ? LANE_HARDWARE : LANE_DEVICE;
	struct trace_call call;

	call = TRACE_CALL(from, to, tlp_reads(tlp) ? "TLP read" : "TLP write", A("rid", tlp->rid),
			  A("address", tlp->address), A("len", tlp->len), A("t", tlp->t),
			  A("stream", tlp->stream));
	trace_return_as(&call, TRACE_RESULT_TLP, status, tlp_status_name(status));
	++*image_counter(IMAGE_COUNTER_TLP_REFUSED);
	if (tlp_reads(tlp) && tlp->data)
		memset(tlp->data, 0xff, tlp->len);
	return status;
}

/* A link between a root port and fn: on which stream, and does it pass? A function below no root
 * port is part of the root complex, where there is nothing to protect. */
static enum tlp_status link_pass(const struct function *fn, bool t, bool read, bool upstream,
				 uint16_t *stream)
{
	enum ide_sub_stream sub = read ? IDE_NPR : IDE_PR;

	if (fn->root_port == fn->rid) {
		*stream = TLP_NO_STREAM;
		return TLP_SC;
	}
	if (*stream == TLP_NO_STREAM)
		return t ? TLP_INSECURE : TLP_SC;
	if (!t && !(ide_secure(fn->root_port, (uint8_t)*stream) &&
		    ide_secure(fn->rid, (uint8_t)*stream))) {
		*stream = TLP_NO_STREAM;
		return TLP_SC;
	}
	if (!ide_pass(fn->root_port, fn->rid, *stream, sub, upstream) ||
	    (read && !ide_pass(fn->root_port, fn->rid, *stream, IDE_CPL, !upstream)))
		return TLP_INSECURE;
	return TLP_SC;
}

/* -- downstream ------------------------------------------------------------------------------ */

static enum tlp_status bar_access(const struct function_bar *bar, uint64_t offset, struct tlp *tlp)
{
	if (tlp_reads(tlp))
		memcpy(tlp->data, bar_memory(bar) + offset, tlp->len);
	else
		memcpy(bar_memory_write(bar, offset, tlp->len), tlp->data, tlp->len);
	return TLP_SC;
}

static enum tlp_status mmio_route(struct tlp *tlp)
{
	const struct function_ops *ops;
	const struct function *fn;
	enum tlp_status status;
	unsigned int bar;
	uint64_t offset;

	tlp->stream = TLP_NO_STREAM;
	fn = function_at(tlp->address, &bar, &offset);
	if (!fn || tlp->len > fn->bar[bar].size - offset)
		return TLP_UR;
	tlp->stream = ide_stream_down(fn, tlp->address);
	status = link_pass(fn, tlp->t, tlp_reads(tlp), false, &tlp->stream);
	if (status != TLP_SC)
		return status;
	ops = function_model_ops(fn->model);
	if (ops && ops->admit)
		status = ops->admit(fn, bar, offset, tlp);
	if (status != TLP_SC)
		return status;
	if (tlp_reads(tlp))
		tlp_arrive(fn->rid);
	if (fn->bar[bar].memory)
		return bar_access(&fn->bar[bar], offset, tlp);
	return ops && ops->mmio ? ops->mmio(fn, bar, offset, tlp) : TLP_UR;
}

static void private_shown(const struct tlp *tlp)
{
	struct reader r = reader_of(tlp->data, tlp->len);

	TRACE_EVENT(LANE_HARDWARE, LANE_KVM, "MMIO seen", A("address", tlp->address),
		    A("len", tlp->len), A("t", tlp->t), A("data", get_u8(&r)));
}

enum tlp_status tlp_mmio(struct tlp *tlp)
{
	enum tlp_status status;

	image_commit();
	status = mmio_route(tlp);
	if (status != TLP_SC)
		refused(tlp, status, false);
	else if (tlp->t && mutant(MUTANT_LOG_PRIVATE_DATA))
		private_shown(tlp);
	image_commit();
	return status;
}

/* -- upstream -------------------------------------------------------------------------------- */

/* May this function send this request at all, and on which stream? */
static enum tlp_status dma_gate(const struct tlp *tlp, uint16_t *stream)
{
	const struct function *fn = function_find(tlp->rid);
	enum tlp_status status;

	*stream = TLP_NO_STREAM;
	if (!fn || !function_powered(fn) || !(config_get(fn, PCI_COMMAND, 2) & PCI_COMMAND_MASTER))
		return TLP_UR;
	*stream = ide_stream_up(fn, tlp->address);
	status = link_pass(fn, tlp->t, tlp_reads(tlp), true, stream);
	if (status == TLP_INSECURE && tlp->t)
		iommu_insecure(tlp->rid);
	return status;
}

/* A run of addresses that goes to one stretch of RAM, or of MMIO (ram NULL). */
struct dma_run {
	uint64_t hpa, len;
	const void *ram;
	uint32_t owner;
};

static enum tlp_status run_check(struct dma_run *run, bool write)
{
	if (phys_is_mmio(run->hpa)) {
		run->ram = NULL;
		return phys_owned_by_other(run->hpa, run->owner) ? TLP_CA : TLP_SC;
	}
	switch (phys_piece(run->hpa, run->len, run->owner, write, &run->len, &run->ram)) {
	case 0:
		return TLP_SC;
	case -EACCES:
		return TLP_CA;
	default:
		return TLP_UR;
	}
}

/* The longest run at tlp->address, at most tlp->len. Only its first page is accessed for sure, so
 * that what follows may be out of bounds without being a fault. */
static enum tlp_status run_find(const struct tlp *tlp, struct dma_run *run)
{
	struct tlp at = *tlp;
	uint64_t left = tlp->len, chunk;
	uint32_t next_owner;
	struct pt_leaf leaf;
	enum tlp_status status = iommu_translate(tlp, &leaf, &run->owner);

	if (status != TLP_SC)
		return status;
	run->hpa = leaf.hpa + (at.address - leaf.address);
	run->len = 0;
	do {
		chunk = leaf.size - (at.address - leaf.address);
		chunk = chunk < left ? chunk : left;
		run->len += chunk;
		at.address += chunk;
		left -= chunk;
	} while (left && iommu_foresee(&at, &leaf, &next_owner) && next_owner == run->owner &&
		 leaf.hpa + (at.address - leaf.address) == run->hpa + run->len);
	return run_check(run, !tlp_reads(tlp));
}

static enum tlp_status run_move(const struct tlp *tlp, const struct dma_run *run, uint8_t *data)
{
	struct tlp peer = { .type = tlp->type, .rid = tlp->rid, .t = tlp->t, .pasid = tlp->pasid,
			    .address = run->hpa, .len = run->len, .data = data };

	if (!run->ram)
		return mmio_route(&peer);
	if (tlp_reads(tlp))
		memcpy(data, run->ram, run->len);
	else
		memcpy(phys_ram_write(run->ram, run->len), data, run->len);
	return TLP_SC;
}

/* Moves all of a request; *done counts the bytes before a refusal. */
static enum tlp_status dma_move(const struct tlp *tlp, uint64_t *done)
{
	struct tlp at = *tlp;

	for (*done = 0; *done < tlp->len;) {
		struct dma_run run;
		enum tlp_status status = run_find(&at, &run);

		if (status == TLP_SC)
			status = run_move(&at, &run, (uint8_t *)tlp->data + *done);
		if (status != TLP_SC)
			return status;
		*done += run.len;
		at.address += run.len;
		at.len -= run.len;
	}
	return TLP_SC;
}

static bool in_msi_window(uint64_t address)
{
	const struct platform_range *window = platform_msi();

	return address >= window->first && address <= window->last;
}

/* An interrupt request: remapping is not modelled, the kernel gets what the device wrote. */
static bool is_interrupt(const struct tlp *tlp)
{
	return tlp->type == TLP_MSI || (tlp->type == TLP_MEM_WRITE && tlp->pasid == TLP_NO_PASID &&
					in_msi_window(tlp->address));
}

static enum tlp_status interrupt_raise(const struct tlp *tlp)
{
	struct reader r = reader_of(tlp->data, tlp->len);
	uint32_t data = get_le32(&r);

	if (r.bad || reader_left(&r) || !in_msi_window(tlp->address))
		return TLP_UR;
	kernel_interrupt(tlp->rid, tlp->address, data);
	return TLP_SC;
}

enum tlp_status tlp_dma(struct tlp *tlp)
{
	enum tlp_status status = dma_gate(tlp, &tlp->stream);
	uint64_t done = 0;

	if (status == TLP_SC)
		status = is_interrupt(tlp) ? interrupt_raise(tlp) : dma_move(tlp, &done);
	*image_counter(IMAGE_COUNTER_DMA_BYTES) += done;
	if (status != TLP_SC)
		refused(tlp, status, true);
	image_commit();
	return status;
}

enum tlp_status tlp_dma_map(const struct tlp *tlp, uint64_t *run, const void **ram, uint64_t *hpa)
{
	struct dma_run found = { 0 };
	struct tlp sent = *tlp;
	enum tlp_status status = tlp->len ? dma_gate(tlp, &sent.stream) : TLP_UR;

	sent.data = NULL;
	if (status == TLP_SC)
		status = run_find(&sent, &found);
	if (status != TLP_SC)
		return refused(&sent, status, true);
	*run = found.len;
	*ram = found.ram;
	*hpa = found.hpa;
	return TLP_SC;
}

bool tlp_translates(const struct tlp *tlp, uint64_t *run)
{
	uint64_t inside = PHYS_PAGE - tlp->address % PHYS_PAGE, left;
	struct tlp sent = *tlp;
	struct pt_leaf leaf;
	uint32_t owner;

	*run = inside < tlp->len ? inside : tlp->len;
	if (dma_gate(tlp, &sent.stream) != TLP_SC || !iommu_foresee(&sent, &leaf, &owner))
		return false;
	left = leaf.size - (tlp->address - leaf.address);
	*run = left < tlp->len ? left : tlp->len;
	return true;
}

enum tlp_status tlp_dma_copy(const struct tlp *tlp, uint64_t *done)
{
	struct tlp sent = *tlp;
	enum tlp_status status = dma_gate(tlp, &sent.stream);
	struct trace_call call;

	call = TRACE_CALL(LANE_DEVICE, LANE_HARDWARE, tlp_reads(tlp) ? "DMA read" : "DMA write",
			  A("rid", tlp->rid), A("address", tlp->address), A("len", tlp->len),
			  A("t", tlp->t), A("stream", sent.stream));
	*done = 0;
	if (status == TLP_SC)
		status = dma_move(&sent, done);
	*image_counter(IMAGE_COUNTER_DMA_BYTES) += *done;
	if (status != TLP_SC) {
		++*image_counter(IMAGE_COUNTER_TLP_REFUSED);
		if (tlp_reads(tlp))
			memset((uint8_t *)tlp->data + *done, 0xff, tlp->len - *done);
	}
	trace_return_as(&call, TRACE_RESULT_TLP, status, tlp_status_name(status));
	image_commit();
	return status;
}

/* -- posted writes on their way ---------------------------------------------------------------- */

/* At most one a function. Where it leads was decided when it passed the IOMMU; whose the memory is,
 * the memory controller asks when it arrives. */
struct flight {
	const struct flight *next;
	uint64_t hpa;
	uint32_t len, owner, pasid;
	uint16_t rid;
	bool t;
	uint8_t data[PHYS_PAGE];
};

static void arrive(const struct flight *const *link)
{
	const struct flight *flight = *link;
	struct tlp tlp = { .type = TLP_MEM_WRITE, .rid = flight->rid, .t = flight->t,
			   .stream = TLP_NO_STREAM, .pasid = flight->pasid,
			   .address = flight->hpa, .len = flight->len };
	struct dma_run run = { .hpa = flight->hpa, .len = flight->len, .owner = flight->owner };
	enum tlp_status status = run_check(&run, true);

	hw_set(link, flight->next);
	if (status == TLP_SC)	/* the data is only read */
		status = run_move(&tlp, &run, (uint8_t *)(uintptr_t)flight->data);
	if (status == TLP_SC)
		TRACE_EVENT(LANE_DEVICE, LANE_HARDWARE, "DMA write arrives", A("rid", tlp.rid),
			    A("hpa", tlp.address), A("len", tlp.len));
	else
		refused(&tlp, status, true);
	image_free(flight);
}

void tlp_arrive(uint16_t rid)
{
	const struct hw_root *root = hw_root();
	const struct flight *const *link = &root->flights;

	while (*link && (*link)->rid != rid)
		link = &(*link)->next;
	if (*link)
		arrive(link);
}

void tlp_drain(void)
{
	const struct hw_root *root = hw_root();

	while (root && root->flights)
		arrive(&root->flights);
}

/* Memory, or the memory behind a BAR. */
static bool run_slow(const struct dma_run *run)
{
	const struct function *fn;
	unsigned int bar;
	uint64_t offset;

	if (run->ram)
		return true;
	fn = function_at(run->hpa, &bar, &offset);
	return fn && fn->bar[bar].memory;
}

/* Without memory for it there is nothing slow about it. */
static enum tlp_status run_post(const struct tlp *tlp, const struct dma_run *run)
{
	struct flight *flight =
		run_slow(run) ? image_alloc(sizeof(*flight), IMAGE_TYPE_FLIGHT) : NULL;

	if (!flight)
		return run_move(tlp, run, tlp->data);
	flight->hpa = run->hpa;
	flight->len = (uint32_t)run->len;
	flight->owner = run->owner;
	flight->pasid = tlp->pasid;
	flight->rid = tlp->rid;
	flight->t = tlp->t;
	memcpy(flight->data, tlp->from, run->len);
	flight->next = hw_root()->flights;
	hw_set(&hw_root()->flights, (const struct flight *)flight);
	return TLP_SC;
}

enum tlp_status tlp_dma_post(const struct tlp *tlp, uint64_t *done)
{
	uint64_t page = PHYS_PAGE - tlp->address % PHYS_PAGE;
	struct tlp sent = *tlp;
	enum tlp_status status = dma_gate(tlp, &sent.stream);
	struct dma_run run = { 0 };
	struct trace_call call;

	tlp_arrive(tlp->rid);
	sent.len = tlp->len < page ? tlp->len : page;
	call = TRACE_CALL(LANE_DEVICE, LANE_HARDWARE, "DMA write posted", A("rid", tlp->rid),
			  A("address", tlp->address), A("len", sent.len), A("t", tlp->t),
			  A("stream", sent.stream));
	if (status == TLP_SC)
		status = run_find(&sent, &run);
	if (status == TLP_SC)
		status = run_post(&sent, &run);
	*done = status == TLP_SC ? run.len : 0;
	*image_counter(IMAGE_COUNTER_DMA_BYTES) += *done;
	*image_counter(IMAGE_COUNTER_TLP_REFUSED) += status != TLP_SC;
	trace_return_as(&call, TRACE_RESULT_TLP, status, tlp_status_name(status));
	image_commit();
	return status;
}
