/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A small machine for this room's tests: root port 00:01.0, below it 01:00.0 with BAR0 (registers
 * of the model), BAR2 (memory), DOE and IDE, and two VFs 01:00.1 and 01:00.2. The model is the
 * tests'.
 */
#ifndef TESTS_HARDWARE_MACHINE_H
#define TESTS_HARDWARE_MACHINE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <cmocka.h>

#include "hardware/cpu.h"
#include "hardware/doe.h"
#include "hardware/ide.h"
#include "hardware/iommu.h"
#include "hardware/phys.h"
#include "image/bytes.h"
#include "trace/trace.h"

#define RP 0x0008
#define EP 0x0100
#define VF1 0x0101
#define VF2 0x0102
#define MODEL 0x7001
#define BAR0 (PHYS_MMIO + 0x01000000ull)
#define BAR2 (PHYS_MMIO + 0x02000000ull)
#define VF_BAR0 (PHYS_MMIO + 0x03000000ull)
#define UNUSED __attribute__((unused))

/* What the model saw, and how it answers. */
static struct seen {
	unsigned int written, resets, streams, mmio;
	unsigned int offset, size;
	uint32_t old, new;
	enum function_reset reset;
	uint16_t reset_rid, stream;
	bool secure, t;
	unsigned int moved, interrupts, faults, reason;
	uint32_t msi_data;
	uint64_t fault_address;
	bool fault_t, fault_write;
	unsigned int responses, response_code;
	uint16_t response_group;
} seen;
static enum tlp_status admit_answer;
static int doe_rc;

static void model_written(const struct function *fn, unsigned int offset, unsigned int size,
			  uint32_t old, uint32_t new)
{
	(void)fn;
	seen.written++;
	seen.offset = offset;
	seen.size = size;
	seen.old = old;
	seen.new = new;
}

static void model_reset(const struct function *fn, enum function_reset kind)
{
	seen.resets++;
	seen.reset = kind;
	seen.reset_rid = fn->rid;
}

static void model_stream(const struct function *fn, uint16_t stream, bool secure)
{
	(void)fn;
	seen.streams++;
	seen.stream = stream;
	seen.secure = secure;
}

static enum tlp_status model_admit(const struct function *fn, unsigned int bar, uint64_t offset,
				   const struct tlp *tlp)
{
	(void)fn, (void)bar, (void)offset, (void)tlp;
	return admit_answer;
}

/* Reads give bar << 24 | offset. */
static enum tlp_status model_mmio(const struct function *fn, unsigned int bar, uint64_t offset,
				  struct tlp *tlp)
{
	struct writer w = writer_of(tlp->data, tlp->len);

	(void)fn;
	seen.mmio++;
	seen.t = tlp->t;
	seen.stream = tlp->stream;
	if (tlp->type == TLP_MEM_READ)
		put_le(&w, bar << 24 | offset, tlp->len);
	return TLP_SC;
}

/* The object comes back with its last byte turned over. */
static int model_doe(const struct function *fn, const uint8_t *req, size_t len, uint8_t *rsp,
		     size_t cap, size_t *rsp_len)
{
	(void)fn;
	if (doe_rc || len > cap)
		return doe_rc;
	memcpy(rsp, req, len);
	rsp[len - 1] ^= 0xff;
	*rsp_len = len;
	return 0;
}

static void model_page_response(const struct function *fn, uint32_t pasid, uint16_t group,
				unsigned int code)
{
	(void)fn, (void)pasid;
	seen.responses++;
	seen.response_group = group;
	seen.response_code = code;
}

static const uint8_t model_types[] = { DOE_TYPE_CMA, DOE_TYPE_SECURED, 0 };

const struct function_ops *function_model_ops(uint16_t model)
{
	static const struct function_ops ops = {
		.name = "test",
		.mmio = model_mmio,
		.admit = model_admit,
		.config_written = model_written,
		.doe_object = model_doe,
		.reset = model_reset,
		.stream_changed = model_stream,
		.page_response = model_page_response,
		.doe_types = model_types,
	};

	return model == MODEL ? &ops : NULL;
}

void kernel_mmio_moved(uint16_t rid)
{
	(void)rid;
	seen.moved++;
}

void kernel_interrupt(uint16_t rid, uint64_t address, uint32_t data)
{
	(void)rid, (void)address;
	seen.interrupts++;
	seen.msi_data = data;
}

void kernel_iommu_fault(uint16_t rid, uint32_t pasid, bool t, uint64_t address, bool write,
			unsigned int reason)
{
	(void)rid, (void)pasid;
	seen.faults++;
	seen.reason = reason;
	seen.fault_address = address;
	seen.fault_t = t;
	seen.fault_write = write;
}

/* A trusted second stage for tests: one page, at trusted_gpa, and if trusted_shared the page behind
 * it, next to the first in memory too, as shared. */
static uint64_t trusted_root, trusted_gpa, trusted_hpa;
static uint32_t trusted_owner;
static bool trusted_shared;
static unsigned int trusted_walks;

int trusted_walk(uint64_t root, uint64_t gpa, struct pt_leaf *leaf, uint32_t *owner)
{
	uint64_t page = (gpa - trusted_gpa) / PHYS_PAGE;

	trusted_walks++;
	if (root != trusted_root || gpa < trusted_gpa || page > trusted_shared)
		return -ENOENT;
	*leaf = (struct pt_leaf){ .address = trusted_gpa + page * PHYS_PAGE,
				  .hpa = trusted_hpa + page * PHYS_PAGE,
				  .size = PHYS_PAGE,
				  .prot = PT_R | PT_W,
				  .reads = 4 };
	*owner = page ? 0 : trusted_owner;
	return 0;
}

static const struct function *ep, *rp;
static uint8_t *bar2;

static void machine_bar(uint16_t rid, unsigned int at, uint64_t hpa)
{
	config_write(rid, at, 4, (uint32_t)hpa);
	config_write(rid, at + 4, 4, (uint32_t)(hpa >> 32));
}

static void machine_endpoint(void)
{
	static const struct function_bar vf_bar[FUNCTION_BARS] = {
		{ .size = 0x4000, .is64 = true },
	};
	const struct function *vf;
	unsigned int cap;

	ep = function_add(EP, MODEL);
	assert_non_null(ep);
	config_set(ep, 0x00, 2, 0x1d10, 0);
	config_set(ep, 0x02, 2, 0x7e10, 0);
	config_set(ep, 0x04, 2, 0, 0x0547);
	bar2 = image_bulk_alloc(PHYS_2M, IMAGE_TYPE_RAM);
	assert_int_equal(function_add_bar(ep, 0, 0x10000, true, false, NULL), 0);
	assert_int_equal(function_add_bar(ep, 2, PHYS_2M, true, true, bar2), 0);
	cap = config_add_cap(ep, 0x01, 8);
	config_set(ep, cap + 4, 2, 0, 3);
	cap = config_add_cap(ep, 0x10, 0x3c);
	config_set(ep, cap + 8, 2, 0x2810, 0x7fff);
	assert_int_not_equal(doe_add(ep), 0);
	assert_int_not_equal(ide_add(ep, 2, 1), 0);
	assert_int_not_equal(function_add_sriov(ep, 2, 1, 1, 0x7e11, vf_bar), 0);
	function_place(ep, RP, EP);
	for (uint16_t rid = VF1; rid <= VF2; rid++) {
		vf = function_add(rid, MODEL);
		config_set(vf, 0x04, 2, 0, 0x0004);
		assert_int_equal(function_add_bar(vf, 0, 0x4000, true, false, NULL), 0);
		function_place(vf, RP, EP);
	}
}

/* Memory decode and bus mastering are on at the end. */
static int machine_up(void **state)
{
	struct image_opts opts = { .size = sizeof(opts), .seed = 1 };

	(void)state;
	assert_int_equal(image_create(&opts), 0);
	assert_int_equal(trace_power_on(0), 0);
	assert_int_equal(phys_power_on(), 0);
	assert_int_equal(function_power_on(), 0);
	assert_int_equal(iommu_power_on(), 0);
	rp = function_add(RP, 0);
	config_set(rp, 0x0e, 1, 0x01, 0);
	config_set(rp, 0x3e, 2, 0, 0x0040);
	assert_int_not_equal(ide_add(rp, 2, 2), 0);
	machine_endpoint();
	machine_bar(EP, 0x10, BAR0);
	machine_bar(EP, 0x18, BAR2);
	machine_bar(EP, ep->cap_sriov + 0x24u, VF_BAR0);
	config_write(EP, 0x04, 2, 0x0006);
	memset(&seen, 0, sizeof(seen));
	admit_answer = TLP_SC;
	doe_rc = 0;
	trusted_root = trusted_walks = 0;
	trusted_shared = false;
	return 0;
}

static int machine_down(void **state)
{
	(void)state;
	image_detach();
	return 0;
}

/* -- IDE set-up, as the kernel and a TSM would do it ------------------------------------------- */

static UNUSED uint32_t sel(const struct function *fn, unsigned int reg)
{
	return fn->cap_ide + 0x0cu + reg;
}

/* Block 0 of both ends gets stream `id`: associations, then enable when asked. */
static UNUSED void stream_registers(uint8_t id, bool enable)
{
	uint32_t on = enable;

	config_write(RP, sel(rp, 0x0c), 4, 0x00010700);		/* RIDs up to 01:00.7 */
	config_write(RP, sel(rp, 0x10), 4, 0x00010001);		/* from 01:00.0 */
	config_write(RP, sel(rp, 0x14), 4, 0x03001001);		/* 0x1000000 to 0x30fffff: ...*/
	config_write(RP, sel(rp, 0x18), 4, (uint32_t)(PHYS_MMIO >> 32));
	config_write(RP, sel(rp, 0x1c), 4, (uint32_t)(PHYS_MMIO >> 32));
	config_write(RP, sel(rp, 0x04), 4, (uint32_t)id << 24 | on);
	config_write(EP, sel(ep, 0x04), 4, (uint32_t)id << 24 | 0x00400000 | on);
}

static UNUSED void key_of(uint8_t key[32], uint8_t seed)
{
	for (unsigned int i = 0; i < 32; i++)
		key[i] = (uint8_t)(seed + i);
}

/* Keys of one set at one port; a sub-stream's key is `seed` + its number + 16 for downstream. */
static UNUSED void keys_program(uint16_t rid, uint8_t id, unsigned int set, uint8_t seed)
{
	static const uint8_t ifv[8] = { 1 };

	for (unsigned int dir = IDE_RX; dir <= IDE_TX; dir++) {
		for (unsigned int sub = IDE_PR; sub < IDE_SUB_STREAMS; sub++) {
			bool downstream = (rid == RP) == (dir == IDE_TX);
			uint8_t key[32];

			key_of(key, (uint8_t)(seed + sub + (downstream ? 16 : 0)));
			assert_int_equal(ide_key_program(rid, id, set, dir, sub, key, ifv), 0);
		}
	}
}

static UNUSED void keys_go(uint16_t rid, uint8_t id, unsigned int set)
{
	for (unsigned int dir = IDE_RX; dir <= IDE_TX; dir++)
		for (unsigned int sub = IDE_PR; sub < IDE_SUB_STREAMS; sub++)
			assert_int_equal(ide_key_go(rid, id, set, dir, sub), 0);
}

static UNUSED void stream_up(uint8_t id)
{
	stream_registers(id, false);
	keys_program(EP, id, 0, 40);
	keys_program(RP, id, 0, 40);
	keys_go(EP, id, 0);
	keys_go(RP, id, 0);
	stream_registers(id, true);
}

static UNUSED const void *ram_page(void)
{
	void *p = image_bulk_alloc(PHYS_PAGE, IMAGE_TYPE_RAM);

	assert_non_null(p);
	return p;
}

#endif
