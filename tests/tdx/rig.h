/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A host for the TDX module's tests: pages to donate, the relay loop over a real mailbox, and the
 * standard machine with its DMA engine. What it does is what a host driver must do, and no more.
 */
#ifndef SWTIO_TESTS_TDX_RIG_H
#define SWTIO_TESTS_TDX_RIG_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "device/device.h"
#include "device/engine.h"
#include "firmware/tdx/operands.h"
#include "firmware/tdx/tdx.h"
#include "firmware_host.h"
#include "hardware/cpu.h"
#include "hardware/doe.h"
#include "hardware/ide.h"
#include "hardware/iommu.h"
#include "image/bytes.h"
#include "spdm/pcisig.h"
#include "trace/trace.h"

#define RIG_PAGES 4096u
#define RIG_HKID 7u

static struct rig {
	uint64_t req, rsp, list, big;
	uint64_t tdr, sept, tdvpr;
	uint32_t td;
	uint64_t iommu, spdm, stream;
	uint64_t reporting_offset;
	unsigned int requests;		/* relayed so far */
	unsigned int resumed;
	int lose_at;			/* that many requests from now one is lost; -1: none */
} rig;

/* -- memory ---------------------------------------------------------------------------------- */
/* A LIST operand of n new pages. */
MAYBE_UNUSED static uint64_t rig_list(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		rig_poke(rig.list + 8 * i, rig_page());
	return tdx_list(rig.list, n);
}

/* -- calls ----------------------------------------------------------------------------------- */
MAYBE_UNUSED static uint64_t rig_call(enum tdx_leaf leaf, struct tdx_args args)
{
	return tdx_class(tdx_seamcall(LANE_TSM, leaf, &args));
}

#define CALL(leaf, ...) rig_call(leaf, (struct tdx_args){ __VA_ARGS__ })
#define assert_tdx(status, expected) \
	assert_string_equal(tdx_status_name(status), tdx_status_name(expected))

MAYBE_UNUSED static uint64_t rig_call_out(enum tdx_leaf leaf, struct tdx_args args, uint64_t *rcx)
{
	uint64_t status = tdx_class(tdx_seamcall(LANE_TSM, leaf, &args));

	*rcx = args.rcx;
	return status;
}

/* One object over function 0's mailbox; bytes of the answer, 0: none came. */
MAYBE_UNUSED static uint64_t rig_doe(uint64_t len)
{
	unsigned int cap = function_find(RIG_PF)->cap_doe;
	uint8_t object[TDX_MESSAGE_SIZE];
	struct reader r = reader_of(object, len);
	struct writer w = writer_of(object, sizeof(object));

	assert_int_equal(phys_read(rig.req, object, len, 0), 0);
	rig.requests++;
	if (rig.lose_at >= 0 && !rig.lose_at--)
		return 0;
	while (reader_left(&r))
		config_write(RIG_PF, cap + 0x10, 4, get_le32(&r));
	config_write(RIG_PF, cap + 0x08, 4, 1u << 31);
	if (!(config_read(RIG_PF, cap + 0x0c, 4) >> 31))
		return 0;
	while (config_read(RIG_PF, cap + 0x0c, 4) >> 31) {
		put_le32(&w, config_read(RIG_PF, cap + 0x14, 4));
		config_write(RIG_PF, cap + 0x14, 4, 0);
	}
	assert_false(w.bad);
	assert_int_equal(phys_write(rig.rsp, object, w.at, 0), 0);
	return w.at;
}

/* The loop of operands.h, to its end. */
MAYBE_UNUSED static uint64_t rig_relay(enum tdx_leaf leaf, struct tdx_args *args)
{
	args->r8 = rig.req;
	args->r9 = rig.rsp;
	args->r11 = 0;
	for (unsigned int rounds = 0; rounds < 300; rounds++) {
		uint64_t status = tdx_class(tdx_seamcall(LANE_TSM, leaf, args));

		if (status == TDX_INTERRUPTED_RESUMABLE) {
			rig.resumed++;
			continue;
		}
		if (status != TDX_SPDM_REQUEST)
			return status;
		args->r11 = rig_doe(args->r10);
		if (!args->r11)
			args->r11 = TDX_MESSAGE_LOST;
	}
	fail_msg("%s does not end", tdx_leaf_name(leaf));
	return 0;
}

MAYBE_UNUSED static uint64_t rig_talk(enum tdx_leaf leaf, struct tdx_args args)
{
	return rig_relay(leaf, &args);
}

#define TALK(leaf, ...) rig_talk(leaf, (struct tdx_args){ __VA_ARGS__ })

/* -- building up ----------------------------------------------------------------------------- */
MAYBE_UNUSED static int rig_setup(void **state)
{
	static const struct image_opts opts = { .size = sizeof(opts), .seed = 1 };
	static int (*const rooms[])(void) = {
		phys_power_on,	 function_power_on,	 iommu_power_on,
		device_power_on, device_machine_default, tdx_power_on,
	};

	(void)state;
	assert_int_equal(image_create(&opts), 0);
	assert_int_equal(trace_power_on(0), 0);
	for (size_t i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++)
		assert_int_equal(rooms[i](), 0);
	rig = (struct rig){ .lose_at = -1 };
	rig_pool_make(RIG_PAGES);
	rig.big = rig_pages(512);	/* 2 MiB aligned, as the pool is */
	rig.req = rig_pages(TDX_MESSAGE_SIZE / PHYS_PAGE);
	rig.rsp = rig_pages(TDX_MESSAGE_SIZE / PHYS_PAGE);
	rig.list = rig_page();
	return 0;
}

MAYBE_UNUSED static int rig_teardown(void **state)
{
	(void)state;
	image_detach();
	return 0;
}

MAYBE_UNUSED static void rig_td_keyed(void)
{
	uint64_t number;

	rig.tdr = rig_page();
	assert_tdx(rig_call_out(TDX_MNG_CREATE,
				(struct tdx_args){ .rcx = rig.tdr, .rdx = RIG_HKID + rig.td },
				&number),
		   TDX_SUCCESS);
	rig.td = (uint32_t)number;
	assert_tdx(CALL(TDX_MNG_KEY_CONFIG, .rcx = rig.tdr), TDX_SUCCESS);
	for (unsigned int i = 0; i < TDX_TDCS_PAGES; i++)
		assert_tdx(CALL(TDX_MNG_ADDCX, .rcx = rig_page(), .rdx = rig.tdr), TDX_SUCCESS);
}

MAYBE_UNUSED static void rig_td_init(void)
{
	uint64_t params = rig_page();

	rig_td_keyed();
	rig_poke(params + TDX_PARAMS_CONFIG_FLAGS, TDX_CONFIG_CONNECT);
	assert_tdx(rig_call_out(TDX_MNG_INIT, (struct tdx_args){ .rcx = rig.tdr, .rdx = params },
				&rig.sept),
		   TDX_SUCCESS);
	rig.tdvpr = rig_page();
	assert_tdx(CALL(TDX_VP_CREATE, .rcx = rig.tdvpr, .rdx = rig.tdr), TDX_SUCCESS);
	assert_tdx(CALL(TDX_VP_ADDCX, .rcx = rig_page(), .rdx = rig.tdvpr), TDX_SUCCESS);
	assert_tdx(CALL(TDX_VP_INIT, .rcx = rig.tdvpr), TDX_SUCCESS);
}

MAYBE_UNUSED static void rig_td(void)
{
	rig_td_init();
	assert_tdx(CALL(TDX_MR_FINALIZE, .rcx = rig.tdr), TDX_SUCCESS);
}

/* Tables down to leaves of `level` at gpa. */
MAYBE_UNUSED static void rig_tables(uint64_t gpa, unsigned int level)
{
	for (unsigned int at = 3; at > level; at--) {
		uint64_t base = gpa & ~((4096ull << (9 * at)) - 1), page = rig_page();
		uint64_t status = CALL(TDX_MEM_SEPT_ADD, .rcx = tdx_map(base, at), .rdx = rig.tdr,
				       .r8 = page);

		assert_true(status == TDX_SUCCESS || status == TDX_EPT_ENTRY_STATE_INCORRECT);
	}
}

MAYBE_UNUSED static void rig_connect(void)
{
	struct tdx_args args = { .rcx = RIG_PF, .rdx = rig_list(TDX_SPDM_PAGES) };

	assert_tdx(rig_call_out(TDX_SPDM_CREATE, args, &rig.spdm), TDX_SUCCESS);
	assert_tdx(TALK(TDX_SPDM_CONNECT, .rcx = rig.spdm), TDX_SUCCESS);
}

/* Address association: the whole MMIO window of the bus. */
MAYBE_UNUSED static void rig_window(uint64_t *base, uint64_t *limit)
{
	*base = UINT64_MAX;
	*limit = 0;
	for (uint16_t rid = RIG_PF; rid <= RIG_VF; rid++)
		for (unsigned int bar = 0; bar < FUNCTION_BARS; bar++) {
			const struct function_bar *b = &function_find(rid)->bar[bar];

			if (b->size && b->hpa < *base)
				*base = b->hpa;
			if (b->size && b->hpa + b->size - 1 > *limit)
				*limit = b->hpa + b->size - 1;
		}
}

MAYBE_UNUSED static struct tdx_args rig_stream_args(void)
{
	uint64_t base, limit;

	rig_window(&base, &limit);
	return (struct tdx_args){
		.rcx = tdx_stream_info(RIG_PORT, RIG_STREAM, 0),
		.rdx = rig.spdm,
		.r8 = rig_list(TDX_IDE_PAGES),
		.r9 = RIG_STREAM << 24,
		.r10 = 0x01ff00u,
		.r11 = 0x010000u | 1,
		.r12 = 1 | (base >> 20 & 0xfff) << 8 | (limit >> 20 & 0xfff) << 20,
		.r13 = limit >> 32,
		.r14 = base >> 32,
	};
}

MAYBE_UNUSED static void rig_stream_create(void)
{
	unsigned int ep = IDE_SEL_BASE(function_find(RIG_PF)->cap_ide, 0);

	assert_tdx(rig_call_out(TDX_IDE_STREAM_CREATE, rig_stream_args(), &rig.stream),
		   TDX_SUCCESS);
	config_write(RIG_PF, ep + 0x0c, 4, RIG_PORT << 8);
	config_write(RIG_PF, ep + 0x10, 4, RIG_PORT << 8 | 1);
	config_write(RIG_PF, ep + 0x04, 4, RIG_STREAM << 24 | 1u << 22);
}

MAYBE_UNUSED static void rig_stream_enable(void)
{
	unsigned int ep = IDE_SEL_BASE(function_find(RIG_PF)->cap_ide, 0);
	unsigned int rp = IDE_SEL_BASE(function_find(RIG_PORT)->cap_ide, 0);

	config_write(RIG_PF, ep + 0x04, 4, config_read(RIG_PF, ep + 0x04, 4) | 1);
	config_write(RIG_PORT, rp + 0x04, 4, config_read(RIG_PORT, rp + 0x04, 4) | 1);
}

MAYBE_UNUSED static void rig_stream(void)
{
	rig_connect();
	rig_stream_create();
	assert_tdx(TALK(TDX_IDE_STREAM_KM, .rcx = rig.stream, .rdx = TDX_KM_SETUP), TDX_SUCCESS);
	rig_stream_enable();
	assert_true(ide_secure(RIG_PF, RIG_STREAM));
	assert_true(ide_secure(RIG_PORT, RIG_STREAM));
}

MAYBE_UNUSED static void rig_tdi(void)
{
	assert_tdx(CALL(TDX_DEVIFMT_ADD, .rcx = RIG_VF, .rdx = rig_page()), TDX_SUCCESS);
	assert_tdx(CALL(TDX_TDI_CREATE, .rcx = RIG_VF, .rdx = rig.tdr, .r8 = rig.stream,
			.r9 = rig_list(TDX_TDI_PAGES)),
		   TDX_SUCCESS);
}

/* Memory decode and bus mastering on, as a host leaves a function it assigns. */
MAYBE_UNUSED static void rig_function_on(void)
{
	config_write(RIG_PF, 4, 2, 6);
	config_write(RIG_VF, 4, 2, 4);
}

MAYBE_UNUSED static uint64_t rig_bar(unsigned int bar)
{
	return function_find(RIG_VF)->bar[bar].hpa;
}

/* MMIOMT entries for [offset, +len) of a BAR of the VF. */
MAYBE_UNUSED static uint64_t rig_own(unsigned int bar, uint64_t offset, uint64_t len, uint64_t func)
{
	uint64_t status = TDX_SUCCESS;

	for (uint64_t at = rig_bar(bar) + offset; !status && at < rig_bar(bar) + offset + len;
	     at += PHYS_PAGE) {
		if (at % PHYS_2M == 0 || at == rig_bar(bar) + offset)
			CALL(TDX_MMIOMT_ADD, .rcx = at & ~(PHYS_2M - 1), .rdx = rig_page());
		status = CALL(TDX_MMIOMT_SET, .rcx = at, .rdx = func);
	}
	return status;
}

MAYBE_UNUSED static void rig_iommu(void)
{
	struct tdx_args args = { .rcx = 0xfed90000, .rdx = rig_list(1) };

	assert_tdx(rig_call_out(TDX_IOMMU_SETUP, args, &rig.iommu), TDX_SUCCESS);
}

MAYBE_UNUSED static uint64_t rig_dmar(enum tdx_dmar_level level)
{
	return tdx_dmar_index(rig.iommu, RIG_VF, 0, level);
}

MAYBE_UNUSED static void rig_dmar_add(void)
{
	for (unsigned int level = TDX_DMAR_ROOT; level < TDX_DMAR_PASID; level++)
		assert_tdx(CALL(TDX_DMAR_ADD, .rcx = rig_dmar(level), .r8 = rig_page()),
			   TDX_SUCCESS);
	assert_tdx(
		CALL(TDX_DMAR_ADD, .rcx = rig_dmar(TDX_DMAR_PASID), .rdx = rig.tdr, .r9 = RIG_VF),
		TDX_SUCCESS);
}

MAYBE_UNUSED static void rig_invalidate(enum tdx_inv type, uint64_t target)
{
	assert_tdx(CALL(TDX_IQ_INV_REQUEST, .rcx = rig.iommu, .rdx = type, .r8 = target),
		   TDX_SUCCESS);
	assert_tdx(CALL(TDX_IQ_INV_PROCESS, .rcx = rig.iommu), TDX_SUCCESS);
}

MAYBE_UNUSED static uint64_t rig_bind(void)
{
	return TALK(TDX_TDI_BIND, .rcx = RIG_VF, .rdx = TDISP_LOCK_NO_FW_UPDATE,
		    .r12 = rig.reporting_offset);
}

/* -- the guest's side ------------------------------------------------------------------------ */
MAYBE_UNUSED static const struct vcpu_hw *rig_vcpu(void)
{
	static const struct vcpu_hw *vcpu;
	struct vcpu_hw *w = image_alloc(sizeof(*w), IMAGE_TYPE_KVM_VCPU);

	assert_non_null(w);
	*w = (struct vcpu_hw){ .vm = 1, .tee_owner = rig.td * 2, .tdr = rig.tdr,
			       .tee_root = rig.sept, .gpa_bits = 48 };
	vcpu = w;
	return vcpu;
}

MAYBE_UNUSED static uint64_t rig_tdcall(const struct vcpu_hw *vcpu, enum tdcall_leaf leaf,
					struct tdx_args args)
{
	bool exits;

	return tdx_class(tdx_tdcall(vcpu, leaf, &args, &exits));
}

#define TDCALL(vcpu, leaf, ...) rig_tdcall(vcpu, leaf, (struct tdx_args){ __VA_ARGS__ })

MAYBE_UNUSED static uint64_t rig_tdi_rd(const struct vcpu_hw *vcpu, enum tdx_tdi_field field)
{
	struct tdx_args args = { .rcx = RIG_VF, .rdx = field };
	bool exits;

	assert_tdx(tdx_tdcall(vcpu, TDG_TDI_RD, &args, &exits), TDX_SUCCESS);
	return args.r8;
}

/* A page of private RAM the guest accepted. */
MAYBE_UNUSED static uint64_t rig_ram(const struct vcpu_hw *vcpu, uint64_t gpa)
{
	uint64_t hpa = rig_page();

	rig_tables(gpa, 0);
	assert_tdx(CALL(TDX_MEM_PAGE_AUG, .rcx = tdx_map(gpa, 0), .rdx = rig.tdr, .r8 = hpa),
		   TDX_SUCCESS);
	assert_tdx(TDCALL(vcpu, TDG_MEM_PAGE_ACCEPT, .rcx = tdx_map(gpa, 0)), TDX_SUCCESS);
	return hpa;
}

#endif
