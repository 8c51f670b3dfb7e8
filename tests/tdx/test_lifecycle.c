/* SPDX-License-Identifier: BSD-2-Clause */
/* The whole TDX Connect life cycle of one TDI, and every wrong order on the way. */
#include "tdx/rig.h"

#include <xxhash.h>

#define GPA_RAM 0x10000ull
#define GPA_BAR 0xe0000000ull
#define BAR_PAGES 4u		/* of BAR0 before the MSI-X table: range 0 of the report */
#define FUNC_RANGE 0u

int main(void);

/* From power-on to LOCKED, with its MMIO and its DMAR leaf waiting for the guest. */
static const struct vcpu_hw *bring_up(void)
{
	const struct vcpu_hw *vcpu;

	rig_function_on();
	rig_iommu();
	rig_td();
	rig_stream();
	rig_tdi();
	vcpu = rig_vcpu();
	assert_tdx(rig_own(0, 0, BAR_PAGES * PHYS_PAGE, RIG_VF), TDX_SUCCESS);
	rig_dmar_add();
	assert_tdx(rig_bind(), TDX_SUCCESS);
	rig_tables(GPA_BAR, 0);
	for (unsigned int i = 0; i < BAR_PAGES; i++)
		assert_tdx(CALL(TDX_MMIO_MAP, .rcx = tdx_map(GPA_BAR + i * PHYS_PAGE, 0),
				.rdx = rig.tdr, .r8 = rig_bar(0) + i * PHYS_PAGE),
			   TDX_SUCCESS);
	return vcpu;
}

static void guest_accepts(const struct vcpu_hw *vcpu)
{
	assert_tdx(TDCALL(vcpu, TDG_MMIO_ACCEPT, .rcx = tdx_map(GPA_BAR, 0), .rdx = FUNC_RANGE,
			  .r8 = RIG_VF, .r9 = BAR_PAGES),
		   TDX_SUCCESS);
	assert_tdx(TDCALL(vcpu, TDG_DMAR_ACCEPT, .rcx = RIG_VF), TDX_SUCCESS);
}

static void start(const struct vcpu_hw *vcpu)
{
	assert_tdx(TDCALL(vcpu, TDG_TDI_START, .rcx = RIG_VF,
			  .rdx = rig_tdi_rd(vcpu, TDX_TDI_BIND_SESSION)),
		   TDX_SUCCESS);
	assert_tdx(TALK(TDX_TDI_START, .rcx = RIG_VF), TDX_SUCCESS);
	assert_int_equal(rig_tdi_rd(vcpu, TDX_TDI_TDISP_STATE), TDISP_RUN);
}

static const struct vcpu_hw *running(void)
{
	const struct vcpu_hw *vcpu = bring_up();

	guest_accepts(vcpu);
	start(vcpu);
	return vcpu;
}

/* -- the device as the guest uses it --------------------------------------------------------- */
static void reg_write(const struct vcpu_hw *vcpu, uint64_t reg, uint64_t value, unsigned int len)
{
	uint8_t bytes[8];
	struct writer w = writer_of(bytes, sizeof(bytes));

	put_le(&w, value, len);
	assert_int_equal(cpu_guest_write(vcpu, GPA_BAR + reg, bytes, len), 0);
}

static uint64_t reg_read(const struct vcpu_hw *vcpu, uint64_t reg, unsigned int len)
{
	uint8_t bytes[8];
	struct reader r = reader_of(bytes, len);

	assert_int_equal(cpu_guest_read(vcpu, GPA_BAR + reg, bytes, len), 0);
	return get_le(&r, len);
}

/* The engine's checksum over [gpa, +len); its status register. */
static uint64_t checksum(const struct vcpu_hw *vcpu, uint64_t gpa, uint32_t len, uint64_t *sum)
{
	reg_write(vcpu, ENGINE_OP, ENGINE_CHECKSUM, 4);
	reg_write(vcpu, ENGINE_SRC, gpa, 8);
	reg_write(vcpu, ENGINE_LEN, len, 4);
	reg_write(vcpu, ENGINE_CONTROL, 1, 4);
	*sum = reg_read(vcpu, ENGINE_SUM, 8);
	return reg_read(vcpu, ENGINE_STATUS, 4);
}

static void fill(const struct vcpu_hw *vcpu, uint64_t gpa, uint8_t bytes[PHYS_PAGE])
{
	for (unsigned int i = 0; i < PHYS_PAGE; i++)
		bytes[i] = (uint8_t)(i * 7 + 3);
	assert_int_equal(cpu_guest_write(vcpu, gpa, bytes, PHYS_PAGE), 0);
}

static void tear_down_mmio(void)
{
	for (unsigned int i = 0; i < BAR_PAGES; i++)
		assert_tdx(CALL(TDX_MMIO_BLOCK, .rcx = tdx_map(GPA_BAR + i * PHYS_PAGE, 0),
				.rdx = rig.tdr),
			   TDX_SUCCESS);
	assert_tdx(CALL(TDX_MEM_TRACK, .rcx = rig.tdr), TDX_SUCCESS);
	rig_invalidate(TDX_INV_IOTLB, rig.tdr);
	for (unsigned int i = 0; i < BAR_PAGES; i++)
		assert_tdx(CALL(TDX_MMIO_UNMAP, .rcx = tdx_map(GPA_BAR + i * PHYS_PAGE, 0),
				.rdx = rig.tdr),
			   TDX_SUCCESS);
}

static void tear_down_dmar(void)
{
	for (int level = TDX_DMAR_PASID; level >= TDX_DMAR_ROOT; level--) {
		uint64_t index = rig_dmar((enum tdx_dmar_level)level);

		assert_tdx(CALL(TDX_DMAR_BLOCK, .rcx = index), TDX_SUCCESS);
		rig_invalidate(TDX_INV_DMAR, index);
		assert_tdx(CALL(TDX_DMAR_REMOVE, .rcx = index), TDX_SUCCESS);
	}
}

static uint64_t unmap_one(void)
{
	return CALL(TDX_MMIO_UNMAP, .rcx = tdx_map(GPA_BAR, 0), .rdx = rig.tdr);
}

/* -- tests ----------------------------------------------------------------------------------- */
static void R1_4_device_runs_and_leaves(void **state)
{
	const struct vcpu_hw *vcpu = running();
	struct tdx_tdi_view view;
	uint8_t bytes[PHYS_PAGE];
	uint64_t hpa, sum;

	(void)state;
	hpa = rig_ram(vcpu, GPA_RAM);
	fill(vcpu, GPA_RAM, bytes);
	assert_int_equal(reg_read(vcpu, ENGINE_ID, 4), 0x54494f31);
	assert_int_equal(checksum(vcpu, GPA_RAM, PHYS_PAGE, &sum), ENGINE_STATUS_T1);
	assert_int_equal(sum, XXH64(bytes, PHYS_PAGE, 0));
	assert_int_equal(phys_read(hpa, bytes, PHYS_PAGE, 0), -EACCES);
	assert_tdx(TALK(TDX_TDI_STOP, .rcx = RIG_VF), TDX_SUCCESS);
	tear_down_mmio();
	tear_down_dmar();
	assert_tdx(rig_own(0, 0, BAR_PAGES * PHYS_PAGE, 0), TDX_SUCCESS);
	assert_tdx(CALL(TDX_TDI_REMOVE, .rcx = RIG_VF), TDX_SUCCESS);
	assert_int_equal(tdx_tdi_view(RIG_VF, &view), -ENOENT);
	assert_tdx(CALL(TDX_DEVIFMT_REMOVE, .rcx = RIG_VF), TDX_SUCCESS);
	assert_tdx(TALK(TDX_IDE_STREAM_KM, .rcx = rig.stream, .rdx = TDX_KM_STOP), TDX_SUCCESS);
	assert_false(ide_secure(RIG_PORT, RIG_STREAM));
	assert_tdx(CALL(TDX_IDE_STREAM_BLOCK, .rcx = rig.stream), TDX_SUCCESS);
	assert_tdx(CALL(TDX_IDE_STREAM_DELETE, .rcx = rig.stream), TDX_SUCCESS);
	assert_tdx(TALK(TDX_SPDM_DISCONNECT, .rcx = rig.spdm), TDX_SUCCESS);
	assert_tdx(CALL(TDX_SPDM_DELETE, .rcx = rig.spdm), TDX_SUCCESS);
	assert_tdx(CALL(TDX_IOMMU_CLEAR, .rcx = rig.iommu), TDX_SUCCESS);
}

/* Each check of UNMAP in turn: blocked, tracked, invalidated, stopped. */
static void R3_2_mmio_unmap_needs_stop(void **state)
{
	(void)state;
	running();
	assert_tdx(unmap_one(), TDX_GPA_RANGE_NOT_BLOCKED);
	assert_tdx(CALL(TDX_MMIO_BLOCK, .rcx = tdx_map(GPA_BAR, 0), .rdx = rig.tdr), TDX_SUCCESS);
	assert_tdx(unmap_one(), TDX_TLB_TRACKING_NOT_DONE);
	assert_tdx(CALL(TDX_MEM_TRACK, .rcx = rig.tdr), TDX_SUCCESS);
	assert_tdx(unmap_one(), TDX_TLB_TRACKING_NOT_DONE);
	rig_invalidate(TDX_INV_IOTLB, rig.tdr);
	assert_tdx(unmap_one(), TDX_TDI_TDISP_INVALID_STATE);
	assert_tdx(TALK(TDX_TDI_STOP, .rcx = RIG_VF), TDX_SUCCESS);
	assert_tdx(unmap_one(), TDX_SUCCESS);
}

/* An invalidation asked for before the block does not count, also when it completes after. */
static void R3_2_early_invalidation_does_not_count(void **state)
{
	(void)state;
	running();
	assert_tdx(TALK(TDX_TDI_STOP, .rcx = RIG_VF), TDX_SUCCESS);
	assert_tdx(CALL(TDX_IQ_INV_REQUEST, .rcx = rig.iommu, .rdx = TDX_INV_IOTLB, .r8 = rig.tdr),
		   TDX_SUCCESS);
	assert_tdx(CALL(TDX_MMIO_BLOCK, .rcx = tdx_map(GPA_BAR, 0), .rdx = rig.tdr), TDX_SUCCESS);
	assert_tdx(CALL(TDX_MEM_TRACK, .rcx = rig.tdr), TDX_SUCCESS);
	assert_tdx(CALL(TDX_IQ_INV_PROCESS, .rcx = rig.iommu), TDX_SUCCESS);
	assert_tdx(unmap_one(), TDX_TLB_TRACKING_NOT_DONE);
	rig_invalidate(TDX_INV_IOTLB, rig.tdr);
	assert_tdx(unmap_one(), TDX_SUCCESS);
}

/* The other way out: a dead stream. The device cannot be trusted, so nothing of it is needed. */
static void R3_2_blocked_stream_frees_without_stop(void **state)
{
	struct tdx_tdi_view view;

	(void)state;
	running();
	assert_tdx(CALL(TDX_IDE_STREAM_BLOCK, .rcx = rig.stream), TDX_SUCCESS);
	assert_false(ide_secure(RIG_PORT, RIG_STREAM));
	tear_down_mmio();
	tear_down_dmar();
	assert_tdx(rig_own(0, 0, BAR_PAGES * PHYS_PAGE, 0), TDX_SUCCESS);
	assert_int_equal(tdx_tdi_view(RIG_VF, &view), 0);
	assert_int_equal(view.tdisp_state, TDISP_RUN);
	assert_tdx(CALL(TDX_TDI_REMOVE, .rcx = RIG_VF), TDX_SUCCESS);
}

static void R3_2_tdi_remove_comes_last(void **state)
{
	(void)state;
	running();
	assert_tdx(CALL(TDX_TDI_REMOVE, .rcx = RIG_VF), TDX_TDI_INVALID_STATE);
	assert_tdx(TALK(TDX_TDI_STOP, .rcx = RIG_VF), TDX_SUCCESS);
	assert_tdx(CALL(TDX_TDI_REMOVE, .rcx = RIG_VF), TDX_TDI_HAS_MAPPED_DMA);
	tear_down_dmar();
	assert_tdx(CALL(TDX_TDI_REMOVE, .rcx = RIG_VF), TDX_TDI_HAS_MAPPED_MMIO);
	tear_down_mmio();
	assert_tdx(CALL(TDX_TDI_REMOVE, .rcx = RIG_VF), TDX_TDI_HAS_OWNED_MMIO);
	assert_tdx(CALL(TDX_DEVIFMT_REMOVE, .rcx = RIG_VF), TDX_TDI_ALREADY_EXISTS);
	assert_tdx(CALL(TDX_MNG_VPFLUSHDONE, .rcx = rig.tdr), TDX_TD_HAS_TDIS);
	assert_tdx(CALL(TDX_IDE_STREAM_DELETE, .rcx = rig.stream), TDX_IDE_STREAM_NOT_BLOCKED);
	assert_tdx(CALL(TDX_SPDM_DELETE, .rcx = rig.spdm), TDX_SPDM_HAS_STREAMS);
	assert_tdx(CALL(TDX_IDE_STREAM_BLOCK, .rcx = rig.stream), TDX_SUCCESS);
	assert_tdx(CALL(TDX_IDE_STREAM_DELETE, .rcx = rig.stream), TDX_IDE_STREAM_HAS_TDI);
	assert_tdx(rig_own(0, 0, BAR_PAGES * PHYS_PAGE, 0), TDX_SUCCESS);
	assert_tdx(CALL(TDX_TDI_REMOVE, .rcx = RIG_VF), TDX_SUCCESS);
	assert_tdx(CALL(TDX_TDI_REMOVE, .rcx = RIG_VF), TDX_TDI_NOT_PRESENT);
}

/* Only the guest starts a TDI, for the bind it saw. */
static void R1_4_start_needs_the_guest(void **state)
{
	const struct vcpu_hw *vcpu = bring_up();
	uint64_t first = rig_tdi_rd(vcpu, TDX_TDI_BIND_SESSION);

	(void)state;
	assert_tdx(TALK(TDX_TDI_START, .rcx = RIG_VF), TDX_TDI_NOT_AUTHORISED);
	assert_tdx(TDCALL(vcpu, TDG_TDI_START, .rcx = RIG_VF, .rdx = first + 1),
		   TDX_TDI_BIND_SESSION_MISMATCH);
	assert_tdx(TDCALL(vcpu, TDG_TDI_START, .rcx = RIG_VF, .rdx = first), TDX_SUCCESS);
	assert_tdx(TALK(TDX_TDI_STOP, .rcx = RIG_VF), TDX_SUCCESS);
	assert_tdx(TALK(TDX_TDI_START, .rcx = RIG_VF), TDX_TDI_TDISP_INVALID_STATE);
	assert_tdx(TDCALL(vcpu, TDG_TDI_START, .rcx = RIG_VF, .rdx = first), TDX_TDI_INVALID_STATE);
	assert_tdx(rig_bind(), TDX_SUCCESS);
	assert_true(rig_tdi_rd(vcpu, TDX_TDI_BIND_SESSION) > first);
	assert_tdx(TDCALL(vcpu, TDG_TDI_START, .rcx = RIG_VF, .rdx = first),
		   TDX_TDI_BIND_SESSION_MISMATCH);
	assert_tdx(TALK(TDX_TDI_START, .rcx = RIG_VF), TDX_TDI_NOT_AUTHORISED);
	start(vcpu);
	assert_tdx(rig_bind(), TDX_TDI_TDISP_INVALID_STATE);
}

/* What a bad host or an unbound guest tries, the models stop. */
static void R3_5_isolation_does_not_need_a_good_host(void **state)
{
	const struct vcpu_hw *vcpu = running();
	uint8_t bytes[PHYS_PAGE];
	uint64_t sum, hpa;
	uint32_t id = 0;

	(void)state;
	hpa = rig_ram(vcpu, GPA_RAM);
	fill(vcpu, GPA_RAM, bytes);
	assert_int_equal(cpu_host_read(rig_bar(0), &id, 4), -EIO);
	assert_int_equal(cpu_host_write(hpa, bytes, 8), -EACCES);
	/* A page the guest has not accepted is not there for the device either. */
	rig_tables(GPA_RAM + PHYS_PAGE, 0);
	assert_tdx(CALL(TDX_MEM_PAGE_AUG, .rcx = tdx_map(GPA_RAM + PHYS_PAGE, 0), .rdx = rig.tdr,
			.r8 = rig_page()),
		   TDX_SUCCESS);
	assert_int_equal(checksum(vcpu, GPA_RAM + PHYS_PAGE, 64, &sum) & ENGINE_STATUS_ERROR,
			 ENGINE_STATUS_ERROR);
	/* Nor is a blocked leaf after the invalidation. */
	assert_int_equal(checksum(vcpu, GPA_RAM, 64, &sum), ENGINE_STATUS_T1);
	assert_tdx(CALL(TDX_MEM_RANGE_BLOCK, .rcx = tdx_map(GPA_RAM, 0), .rdx = rig.tdr),
		   TDX_SUCCESS);
	assert_tdx(CALL(TDX_MEM_TRACK, .rcx = rig.tdr), TDX_SUCCESS);
	assert_tdx(CALL(TDX_MEM_PAGE_REMOVE, .rcx = tdx_map(GPA_RAM, 0), .rdx = rig.tdr),
		   TDX_TLB_TRACKING_NOT_DONE);
	rig_invalidate(TDX_INV_IOTLB, rig.tdr);
	assert_int_equal(checksum(vcpu, GPA_RAM, 64, &sum) & ENGINE_STATUS_ERROR,
			 ENGINE_STATUS_ERROR);
	assert_tdx(CALL(TDX_MEM_PAGE_REMOVE, .rcx = tdx_map(GPA_RAM, 0), .rdx = rig.tdr),
		   TDX_SUCCESS);
	assert_int_equal(rig_peek(hpa, 0), 0);
}

/* Before START, and after DMAR.BLOCK, T=1 reaches nothing. */
static void R3_5_dma_needs_run_and_dmar(void **state)
{
	const struct vcpu_hw *vcpu = running();
	uint64_t sum;

	(void)state;
	rig_ram(vcpu, GPA_RAM);
	assert_int_equal(checksum(vcpu, GPA_RAM, 64, &sum), ENGINE_STATUS_T1);
	assert_tdx(CALL(TDX_DMAR_BLOCK, .rcx = rig_dmar(TDX_DMAR_PASID)), TDX_SUCCESS);
	rig_invalidate(TDX_INV_DMAR, rig_dmar(TDX_DMAR_PASID));
	assert_int_equal(checksum(vcpu, GPA_RAM, 64, &sum) & ENGINE_STATUS_ERROR,
			 ENGINE_STATUS_ERROR);
}

/* T12: ERROR reaches the guest, and only STOP leads out. */
static void R3_4_error_is_seen_and_left_by_stop(void **state)
{
	const struct vcpu_hw *vcpu = running();
	struct tdx_args args = { .rcx = RIG_VF };
	uint64_t session = rig_tdi_rd(vcpu, TDX_TDI_BIND_SESSION);

	(void)state;
	config_write(RIG_VF, 4, 2, 0);		/* bus mastering off */
	assert_tdx(rig_relay(TDX_TDI_STATE, &args), TDX_SUCCESS);
	assert_int_equal(args.rcx, TDISP_ERROR_STATE);
	assert_int_equal(rig_tdi_rd(vcpu, TDX_TDI_TDISP_STATE), TDISP_ERROR_STATE);
	assert_tdx(TDCALL(vcpu, TDG_TDI_START, .rcx = RIG_VF, .rdx = session),
		   TDX_TDI_INVALID_STATE);
	assert_tdx(TDCALL(vcpu, TDG_DMAR_ACCEPT, .rcx = RIG_VF), TDX_TDI_INVALID_STATE);
	assert_tdx(rig_bind(), TDX_TDI_TDISP_INVALID_STATE);
	assert_tdx(TALK(TDX_TDI_START, .rcx = RIG_VF), TDX_TDI_TDISP_INVALID_STATE);
	assert_tdx(TALK(TDX_TDI_STOP, .rcx = RIG_VF), TDX_SUCCESS);
	assert_int_equal(rig_tdi_rd(vcpu, TDX_TDI_TDISP_STATE), TDISP_UNLOCKED);
	rig_function_on();
	assert_tdx(rig_bind(), TDX_SUCCESS);
}

/* A TDI belongs to one TD: another one's guest is told it is not there. */
static void R3_5_tdis_are_not_other_tds_business(void **state)
{
	uint64_t session = rig_tdi_rd(bring_up(), TDX_TDI_BIND_SESSION);
	const struct vcpu_hw *other;

	(void)state;
	rig_td();
	other = rig_vcpu();
	assert_tdx(TDCALL(other, TDG_TDI_RD, .rcx = RIG_VF, .rdx = TDX_TDI_TDISP_STATE),
		   TDX_TDI_NOT_PRESENT);
	assert_tdx(TDCALL(other, TDG_TDI_START, .rcx = RIG_VF, .rdx = session),
		   TDX_TDI_NOT_PRESENT);
	assert_tdx(TDCALL(other, TDG_DMAR_ACCEPT, .rcx = RIG_VF), TDX_TDI_NOT_PRESENT);
	assert_tdx(TDCALL(other, TDG_MMIO_ACCEPT, .rcx = tdx_map(GPA_BAR, 0), .r8 = RIG_VF,
			  .r9 = 1),
		   TDX_TDI_NOT_PRESENT);
	assert_tdx(TALK(TDX_TDI_START, .rcx = RIG_VF), TDX_TDI_NOT_AUTHORISED);
}

/* Keys may be refreshed under a running device, more than once: sets alternate. */
static void km_refresh_keeps_the_stream_secure(void **state)
{
	const struct vcpu_hw *vcpu = running();

	(void)state;
	for (unsigned int i = 0; i < 3; i++) {
		assert_tdx(TALK(TDX_IDE_STREAM_KM, .rcx = rig.stream, .rdx = TDX_KM_REFRESH),
			   TDX_SUCCESS);
		assert_true(ide_secure(RIG_PF, RIG_STREAM));
		assert_true(ide_secure(RIG_PORT, RIG_STREAM));
		assert_int_equal(reg_read(vcpu, ENGINE_ID, 4), 0x54494f31);
	}
}

#define LIFE(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIFE(R1_4_device_runs_and_leaves),
		LIFE(R3_2_mmio_unmap_needs_stop),
		LIFE(R3_2_early_invalidation_does_not_count),
		LIFE(R3_2_blocked_stream_frees_without_stop),
		LIFE(R3_2_tdi_remove_comes_last),
		LIFE(R1_4_start_needs_the_guest),
		LIFE(R3_5_isolation_does_not_need_a_good_host),
		LIFE(R3_5_dma_needs_run_and_dmar),
		LIFE(R3_4_error_is_seen_and_left_by_stop),
		LIFE(R3_5_tdis_are_not_other_tds_business),
		LIFE(km_refresh_keeps_the_stream_secure),
	};

	return cmocka_run_group_tests_name("tdx life cycle", tests, NULL, NULL);
}
