/* SPDX-License-Identifier: BSD-2-Clause */
/* The DMA engine as a driver sees it, and TDISP's requester rules (PCIe 6.x 11.2.2). */
#include <xxhash.h>

#include "rig.h"

#define RAM_LEN (8u << 20)
#define TEE_OWNER 5u
#define MSI_ADDRESS 0xfee01000u

static uint8_t *ram;		/* shared and private halves */
static uint64_t ram_hpa;
static struct { unsigned int count; uint16_t rid; uint64_t address; uint32_t data; } msi;
static uint64_t break_at;	/* walking this address breaks the PF's TDI */

/* The kernel's end of an interrupt, and the firmware's of a trusted walk: guest-physical is
 * host-physical, everything belongs to one TEE. */
void kernel_interrupt(uint16_t rid, uint64_t address, uint32_t data)
{
	msi.count++;
	msi.rid = rid;
	msi.address = address;
	msi.data = data;
}

int trusted_walk(uint64_t root, uint64_t gpa, struct pt_leaf *leaf, uint32_t *owner)
{
	*leaf = (struct pt_leaf){ .address = gpa & ~0xfffull, .hpa = gpa & ~0xfffull, .size = 4096,
		.prot = PT_R | PT_W };
	*owner = TEE_OWNER;
	if (break_at && gpa == break_at)
		device_inject(PF, DEVICE_FAULT_INTEGRITY, 1);
	return root == 0x1000 ? 0 : -ENOENT;
}

static int engine_up(void **state)
{
	if (rig_up(state))
		return -1;
	memset(&msi, 0, sizeof(msi));
	break_at = 0;
	ram = image_bulk_alloc(RAM_LEN, IMAGE_TYPE_RAM);
	if (!ram)
		return -1;
	ram_hpa = phys_of(ram);
	for (uint16_t rid = PF; rid <= VF; rid++) {
		iommu_context_set(
			rid, TLP_NO_PASID, IOMMU_IDENTITY, NULL, (uint16_t)iommu_did_alloc());
		iommu_trusted_set(rid, 0x1000, TEE_OWNER, true);
	}
	config_write(PF, 4, 2, 0x6);
	config_write(VF, 4, 2, 0x4);
	for (uint32_t i = 0; i < RAM_LEN; i++)
		ram[i] = (uint8_t)(i * 7 + i / 256);
	return 0;
}

static enum tlp_status mmio(
	uint16_t rid, uint64_t offset, void *data, uint64_t len, bool write, bool t)
{
	struct tlp tlp = { .type = write ? TLP_MEM_WRITE : TLP_MEM_READ,
		.t = t,
		.pasid = TLP_NO_PASID,
		.address = function_find(rid)->bar[0].hpa + offset,
		.len = len,
		.data = data };

	return tlp_mmio(&tlp);
}

static uint64_t reg_get(uint16_t rid, uint64_t offset, uint64_t len)
{
	bool t = tdi_state(rid) == TDISP_RUN;
	uint64_t value = 0;

	assert_int_equal(mmio(rid, offset, &value, len, false, t), TLP_SC);
	return value;
}

static void reg_set(uint16_t rid, uint64_t offset, uint64_t value, uint64_t len)
{
	assert_int_equal(mmio(rid, offset, &value, len, true, tdi_state(rid) == TDISP_RUN), TLP_SC);
}

static void job_registers(uint16_t rid, uint32_t op, uint64_t src, uint64_t dst, uint32_t len)
{
	reg_set(rid, ENGINE_OP, op, 4);
	reg_set(rid, ENGINE_SRC, src, 8);
	reg_set(rid, ENGINE_DST, dst, 8);
	reg_set(rid, ENGINE_LEN, len, 4);
}

/* Returns the status register. */
static uint32_t job(uint16_t rid, uint32_t op, uint64_t src, uint64_t dst, uint32_t len)
{
	job_registers(rid, op, src, dst, len);
	reg_set(rid, ENGINE_CONTROL, 1, 4);
	return (uint32_t)reg_get(rid, ENGINE_STATUS, 4);
}

static void registers(void **state)
{
	uint8_t byte = 0xab;

	(void)state;
	assert_int_equal(reg_get(PF, ENGINE_ID, 4), 0x54494f31);
	assert_int_equal(reg_get(PF, ENGINE_VECTOR, 4), 0xffffffff);
	reg_set(PF, ENGINE_SRC, 0x1122334455667788, 8);
	assert_int_equal(reg_get(PF, ENGINE_SRC + 4, 4), 0x11223344);
	assert_int_equal(mmio(PF, ENGINE_SRC + 1, &byte, 1, true, false), TLP_SC);
	assert_true(reg_get(PF, ENGINE_SRC, 8) == 0x112233445566ab88);
	assert_int_equal(reg_get(PF, ENGINE_SRC + 1, 1), 0xab);
	reg_set(PF, ENGINE_SCRATCH, 0xdeadbeef, 4);
	reg_set(PF, ENGINE_ID, 0, 4);
	reg_set(PF, ENGINE_DONE, 5, 4);
	assert_int_equal(reg_get(PF, ENGINE_ID, 4), 0x54494f31);
	assert_int_equal(reg_get(PF, ENGINE_DONE, 8), 0);
	assert_int_equal(reg_get(PF, 0x8000, 4), 0);
	assert_int_equal(reg_get(VF, ENGINE_SCRATCH, 4), 0);	/* each function has its own */
	reg_set(PF, ENGINE_CONTROL, 2, 4);
	assert_int_equal(reg_get(PF, ENGINE_SCRATCH, 4), 0);
}

static void unlocked_jobs(void **state)
{
	/* First words of splitmix64 from seed 0, as published with the algorithm. */
	static const uint64_t splitmix[2] = { 0xe220a8397b1dcdafull, 0x6e789e6aa1b965f4ull };

	(void)state;
	assert_int_equal(job(PF, ENGINE_COPY, ram_hpa + 3, ram_hpa + (4u << 20), 3u << 20), 0);
	assert_int_equal(reg_get(PF, ENGINE_DONE, 8), 3u << 20);
	assert_memory_equal(ram + (4u << 20), ram + 3, 3u << 20);
	assert_int_equal(job(VF, ENGINE_CHECKSUM, ram_hpa + 1, 0, 1000001), 0);
	assert_true(reg_get(VF, ENGINE_SUM, 8) == XXH64(ram + 1, 1000001, 0));
	assert_int_equal(job(PF, ENGINE_FILL, 0, ram_hpa, 20), 0);
	assert_memory_equal(ram, splitmix, 16);
	/* Three MiB into a ring of two: the last MiB lies over the first. */
	assert_int_equal(job(PF, ENGINE_IN, ram_hpa, 5, 3u << 20), 0);
	assert_int_equal(job(PF, ENGINE_OUT, 5, ram_hpa + (4u << 20), 2u << 20), 0);
	assert_memory_equal(ram + (4u << 20), ram + (2u << 20), 1u << 20);
	assert_memory_equal(ram + (5u << 20), ram + (1u << 20), 1u << 20);
}

static void bad_jobs_end_in_error(void **state)
{
	(void)state;
	assert_int_equal(job(PF, 0, ram_hpa, ram_hpa, 4), ENGINE_STATUS_ERROR);
	assert_int_equal(job(PF, 99, ram_hpa, ram_hpa, 4), ENGINE_STATUS_ERROR);
	assert_int_equal(job(PF, ENGINE_COPY, ram_hpa, ram_hpa + 4096, (64u << 20) + 1),
		ENGINE_STATUS_ERROR);
	assert_int_equal(
		job(PF, ENGINE_COPY, 0x10, ram_hpa, 4), ENGINE_STATUS_ERROR); /* no such memory */
	assert_int_equal(reg_get(PF, ENGINE_DONE, 8), 0);
	assert_memory_equal(ram, ((const uint8_t[]){ 0, 7, 14, 21 }), 4);
	reg_set(PF, ENGINE_PASID, 7, 4);	/* the capability is off */
	assert_int_equal(job(PF, ENGINE_COPY, ram_hpa, ram_hpa + 4096, 4), ENGINE_STATUS_ERROR);
	reg_set(PF, ENGINE_PASID, 0xffffffff, 4);
	config_write(PF, 4, 2, 0x2);		/* no bus mastering */
	assert_int_equal(job(PF, ENGINE_COPY, ram_hpa, ram_hpa + 4096, 4), ENGINE_STATUS_ERROR);
	config_write(PF, 4, 2, 0x6);
	iommu_context_set(PF, TLP_NO_PASID, IOMMU_BLOCK, NULL, 0);
	assert_int_equal(job(PF, ENGINE_COPY, ram_hpa, ram_hpa + 4096, 4), ENGINE_STATUS_ERROR);
}

static struct iommu_page_request asked;
static unsigned int asked_count;

void kernel_page_request(const struct iommu_page_request *request)
{
	asked = *request;
	asked_count++;
}

static void pages_on(void)
{
	unsigned int pri = function_find_ext_cap(function_find(PF), 0x13);

	config_write(PF, function_find(PF)->cap_ats + 6u, 2, 0x8000);
	config_write(PF, pri + 4, 2, 1);
	assert_int_equal(iommu_page_requests_enable(PF, true), 0);
}

static unsigned int answer(const struct pt *pt, enum iommu_response code)
{
	if (code == IOMMU_PAGE_SUCCESS)
		assert_int_equal(pt_map(pt, asked.address, ram_hpa + asked.address, 4096,
					PT_R | PT_W), 0);
	assert_int_equal(iommu_page_response(PF, asked.pasid, asked.group, code), 0);
	return engine_of(PF)->status;
}

/* R5.6: with page requests on, a job waits where a page is missing, and goes on from there. */
static void R5_6_a_job_waits_for_its_pages(void **state)
{
	struct pt *pt = image_alloc(sizeof(*pt), IMAGE_TYPE_IOMMU_DOMAIN);

	(void)state;
	assert_int_equal(pt_init(pt, PT_VTD_SS, 4), 0);
	assert_int_equal(iommu_context_set(PF, TLP_NO_PASID, IOMMU_SECOND_STAGE, pt, 1), 0);
	pages_on();
	for (unsigned int i = 0; i < 8192; i++)
		ram[i] = (uint8_t)(i * 7);
	memset(ram + 0x10000, 0, 8192);
	asked_count = 0;
	assert_int_equal(job(PF, ENGINE_COPY, 0, 0x10000, 8192), ENGINE_STATUS_BUSY);
	assert_int_equal(asked_count, 1);
	assert_int_equal(asked.address, 0);
	assert_int_equal(asked.prot, PT_R);
	assert_true(asked.last);
	iommu_page_response(PF, asked.pasid, (uint16_t)(asked.group + 1), IOMMU_PAGE_SUCCESS);
	assert_int_equal(engine_of(PF)->status, ENGINE_STATUS_BUSY);	/* not this one's */
	assert_int_equal(answer(pt, IOMMU_PAGE_SUCCESS), ENGINE_STATUS_BUSY);
	assert_int_equal(asked.address, 0x10000);
	assert_int_equal(asked.prot, PT_W);
	assert_int_equal(answer(pt, IOMMU_PAGE_SUCCESS), ENGINE_STATUS_BUSY);
	assert_memory_equal(ram, ram + 0x10000, 4096);
	assert_int_equal(asked.address, 4096);
	assert_int_equal(answer(pt, IOMMU_PAGE_SUCCESS), ENGINE_STATUS_BUSY);
	assert_int_equal(answer(pt, IOMMU_PAGE_SUCCESS), 0);
	assert_memory_equal(ram, ram + 0x10000, 8192);
	assert_int_equal(reg_get(PF, ENGINE_DONE, 8), 8192);
	assert_int_equal(asked_count, 4);
	/* refused: the job fails; reset: what comes later is of no job */
	assert_int_equal(job(PF, ENGINE_COPY, 0x20000, 0, 4096), ENGINE_STATUS_BUSY);
	assert_int_equal(answer(pt, IOMMU_PAGE_INVALID), ENGINE_STATUS_ERROR);
	assert_int_equal(job(PF, ENGINE_COPY, 0x20000, 0, 4096), ENGINE_STATUS_BUSY);
	reg_set(PF, ENGINE_CONTROL, 2, 4);
	assert_int_equal(answer(pt, IOMMU_PAGE_FAILURE), 0);
	iommu_page_requests_enable(PF, false);		/* answered at once: invalid */
	assert_int_equal(job(PF, ENGINE_COPY, 0x30000, 0, 4096), ENGINE_STATUS_ERROR);
}

/* R2.6: by steps, each of which leaves its last page on its way; what it copies is the same. */
static void R2_6_a_job_by_steps(void **state)
{
	const uint32_t len = 3 * 4096 + 100;

	(void)state;
	memset(ram + (4u << 20), 0, 4 * 4096);
	reg_set(PF, ENGINE_STEP, 4096, 4);
	job_registers(PF, ENGINE_COPY, ram_hpa + 4, ram_hpa + (4u << 20), len);
	reg_set(PF, ENGINE_CONTROL, 1, 4);
	assert_int_equal(ram[4u << 20], 0);
	reg_set(PF, ENGINE_CONTROL, 4, 4);
	assert_memory_equal(ram + (4u << 20), ram + 4, 4096);
	assert_int_equal(ram[(4u << 20) + 4096], 0);
	/* a read of the device pushes its writes */
	assert_int_equal(reg_get(PF, ENGINE_STATUS, 4), ENGINE_STATUS_BUSY);
	assert_memory_equal(ram + (4u << 20), ram + 4, 8192);
	reg_set(PF, ENGINE_CONTROL, 4, 4);
	reg_set(PF, ENGINE_CONTROL, 4, 4);		/* the end of a job does as well */
	assert_memory_equal(ram + (4u << 20), ram + 4, len);
	assert_int_equal(engine_of(PF)->status, 0);
	assert_int_equal(image_live(IMAGE_TYPE_FLIGHT), 0);
	reg_set(PF, ENGINE_CONTROL, 4, 4);		/* no job: nothing */
	assert_int_equal(reg_get(PF, ENGINE_DONE, 8), len);
	/* a function that is locked in the middle has no write on its way any more, and no job */
	rig_stream();
	reg_set(PF, ENGINE_CONTROL, 1, 4);
	assert_int_equal(image_live(IMAGE_TYPE_FLIGHT), 1);
	tdi_to(PF, TDISP_LOCKED, 0);
	assert_int_equal(image_live(IMAGE_TYPE_FLIGHT), 0);
	assert_int_equal(engine_of(PF)->status & ENGINE_STATUS_BUSY, 0);
}

/* R1.4, T8: T=1 traffic only in RUN, none at all in LOCKED and ERROR. */
static void R1_4_dma_by_state(void **state)
{
	(void)state;
	rig_stream();
	assert_int_equal(phys_owner_set(ram_hpa, 4u << 20, TEE_OWNER), 0);
	/* Unlocked, an ordinary device: the TEE's memory refuses it. */
	assert_int_equal(
		job(PF, ENGINE_COPY, ram_hpa, ram_hpa + (4u << 20), 4096), ENGINE_STATUS_ERROR);
	assert_int_equal(job(PF, ENGINE_COPY, ram_hpa + (4u << 20), ram_hpa + (5u << 20), 4096), 0);
	tdi_to(PF, TDISP_LOCKED, 0);
	engine_run(engine_of(PF));
	assert_int_equal(engine_of(PF)->status, ENGINE_STATUS_ERROR);
	assert_int_equal(tdisp_send(PF, SESSION, TDISP_STOP, NULL, 0), 0);
	tdi_to(PF, TDISP_RUN, 0);
	assert_int_equal(
		job(PF, ENGINE_COPY, ram_hpa, ram_hpa + (1u << 20), 4096), ENGINE_STATUS_T1);
	assert_memory_equal(ram, ram + (1u << 20), 4096);
	device_inject(PF, DEVICE_FAULT_INTEGRITY, 1);
	engine_run(engine_of(PF));
	assert_int_equal(engine_of(PF)->status, ENGINE_STATUS_ERROR);
}

/* R3.5: the platform stops a device that breaks the requester rules. */
static void R3_5_rogue_dma(void **state)
{
	(void)state;
	rig_stream();
	assert_int_equal(phys_owner_set(ram_hpa, 4u << 20, TEE_OWNER), 0);
	tdi_to(PF, TDISP_RUN, 0);
	assert_int_equal(device_inject(PF, DEVICE_FAULT_DMA_T0, 1), 0);
	assert_int_equal(
		job(PF, ENGINE_COPY, ram_hpa, ram_hpa + (1u << 20), 4096), ENGINE_STATUS_ERROR);
	assert_int_equal(
		job(PF, ENGINE_COPY, ram_hpa, ram_hpa + (1u << 20), 4096), ENGINE_STATUS_T1);
	device_inject(PF, DEVICE_FAULT_INTEGRITY, 1);
	iommu_trusted_set(PF, 0, 0, false);	/* firmware has no DMAR entry for it now */
	assert_int_equal(device_inject(PF, DEVICE_FAULT_DMA_T1_EARLY, 1), 0);
	assert_int_equal(engine_of(PF)->status, ENGINE_STATUS_ERROR | ENGINE_STATUS_T1);
	assert_int_equal(dsm_tdi(dsm_of(PF), PF)->faults[DEVICE_FAULT_DMA_T1_EARLY], 0);
}

/* A stream that fails in the middle: the TDI leaves RUN, the job stops where it is. */
static void job_stops_with_its_stream(void **state)
{
	(void)state;
	rig_stream();
	phys_owner_set(ram_hpa, 4u << 20, TEE_OWNER);
	tdi_to(PF, TDISP_RUN, 0);
	assert_int_equal(ide_key_stop(PORT, STREAM, 0, IDE_RX, IDE_PR), 0);
	reg_set(VF, ENGINE_SCRATCH, 1, 4);	/* unrelated: T=0 on the VF needs no stream */
	engine_write(engine_of(PF))->op = ENGINE_COPY;
	engine_write(engine_of(PF))->src = ram_hpa;
	engine_write(engine_of(PF))->dst = ram_hpa + 8192;
	engine_write(engine_of(PF))->len = 4096;
	engine_run(engine_of(PF));
	assert_true(engine_of(PF)->status & ENGINE_STATUS_ERROR);
	assert_int_equal(engine_of(PF)->done, 0);
}

/* The same from inside: the rest of the job does not happen, with or without T. */
static void R1_4_job_ends_when_the_tdi_leaves_run(void **state)
{
	uint8_t before[4096];

	(void)state;
	rig_stream();
	phys_owner_set(ram_hpa, 4u << 20, TEE_OWNER);
	tdi_to(PF, TDISP_RUN, 0);
	memcpy(before, ram + (2u << 20) - 4096, sizeof(before));
	break_at = ram_hpa + 0x10000;
	job_registers(PF, ENGINE_FILL, 1, ram_hpa, 2u << 20);
	reg_set(PF, ENGINE_CONTROL, 1, 4);
	assert_int_equal(tdi_state(PF), TDISP_ERROR_STATE);
	assert_memory_equal(before, ram + (2u << 20) - 4096, sizeof(before));
}

static void stop_and_reset_leave_no_secrets(void **state)
{
	static const uint8_t zero[4096];
	const uint8_t *bar2 = function_find(PF)->bar[2].memory;

	(void)state;
	rig_stream();
	phys_owner_set(ram_hpa, 4u << 20, TEE_OWNER);
	tdi_to(PF, TDISP_RUN, 0);
	assert_int_equal(job(PF, ENGINE_IN, ram_hpa, 0x1000, 4096), ENGINE_STATUS_T1);
	reg_set(PF, ENGINE_SCRATCH, 0x5ec7e7, 4);
	assert_memory_equal(bar2 + 0x1000, ram, 4096);
	device_inject(PF, DEVICE_FAULT_INTEGRITY, 1);
	assert_memory_equal(bar2 + 0x1000, ram, 4096); /* ERROR may keep data: nobody reaches it */
	assert_int_equal(tdisp_send(PF, SESSION, TDISP_STOP, NULL, 0), 0);
	assert_memory_equal(bar2 + 0x1000, zero, 4096);
	assert_int_equal(reg_get(PF, ENGINE_SCRATCH, 4), 0);
	assert_int_equal(job(PF, ENGINE_IN, ram_hpa + (4u << 20), 0x1000, 4096), 0);
	function_reset(function_find(PF), RESET_FLR);
	assert_memory_equal(bar2 + 0x1000, zero, 4096);
}

/* -- MSI-X ------------------------------------------------------------------------------------ */

static void vector_set(uint16_t rid, unsigned int v, uint32_t data, uint32_t control)
{
	reg_set(rid, ENGINE_MSIX_TABLE + 16 * v, MSI_ADDRESS, 8);
	reg_set(rid, ENGINE_MSIX_TABLE + 16 * v + 8, data, 4);
	reg_set(rid, ENGINE_MSIX_TABLE + 16 * v + 12, control, 4);
}

static void msix_masks_and_pending(void **state)
{
	unsigned int flags = function_find(PF)->cap_msix + 2u;

	(void)state;
	assert_int_equal(
		reg_get(PF, ENGINE_MSIX_TABLE + 16 * 7 + 12, 4), 1); /* masked after reset */
	vector_set(PF, 2, 0x40, 0);		/* nobody raises this one */
	vector_set(PF, 3, 0x41, 0);
	reg_set(PF, ENGINE_VECTOR, 3, 4);
	job(PF, ENGINE_FILL, 1, ram_hpa, 8);
	assert_int_equal(msi.count, 0);			/* MSI-X is off */
	config_write(PF, flags, 2, 0xc000);		/* on, all masked */
	job(PF, ENGINE_FILL, 1, ram_hpa, 8);
	assert_int_equal(msi.count, 0);
	assert_int_equal(reg_get(PF, ENGINE_MSIX_PBA, 4), 8);
	config_write(PF, flags, 2, 0x8000);
	assert_int_equal(msi.count, 1);
	assert_int_equal(msi.rid, PF);
	assert_int_equal(msi.address, MSI_ADDRESS);
	assert_int_equal(msi.data, 0x41);
	assert_int_equal(reg_get(PF, ENGINE_MSIX_PBA, 4), 0);
	vector_set(PF, 3, 0x42, 1);
	job(PF, ENGINE_FILL, 1, ram_hpa, 8);
	assert_int_equal(msi.count, 1);
	reg_set(PF, ENGINE_MSIX_TABLE + 16 * 3 + 12, 0, 4);
	assert_int_equal(msi.count, 2);
	assert_int_equal(msi.data, 0x42);
	reg_set(PF, ENGINE_VECTOR, 8, 4);		/* no such vector */
	job(PF, ENGINE_FILL, 1, ram_hpa, 8);
	assert_int_equal(msi.count, 2);
}

static void msix_by_tdi_state(void **state)
{
	(void)state;
	rig_stream();
	phys_owner_set(ram_hpa, 4u << 20, TEE_OWNER);
	config_write(PF, function_find(PF)->cap_msix + 2u, 2, 0x8000);
	tdi_to(PF, TDISP_RUN, 0);
	vector_set(PF, 0, 7, 0);
	reg_set(PF, ENGINE_VECTOR, 0, 4);
	assert_int_equal(job(PF, ENGINE_FILL, 1, ram_hpa, 8), ENGINE_STATUS_T1);
	assert_int_equal(msi.count, 1);
	device_inject(PF, DEVICE_FAULT_INTEGRITY, 1);
	msix_raise(&engine_of(PF)->msix, 0);
	assert_int_equal(msi.count, 1);		/* nothing comes out of ERROR */
}

static void sixty_four_mebibytes(void **state)
{
	uint8_t *big = image_bulk_alloc(128u << 20, IMAGE_TYPE_RAM);

	(void)state;
	assert_non_null(big);
	assert_int_equal(job(PF, ENGINE_FILL, 42, phys_of(big), 64u << 20), 0);
	assert_int_equal(
		job(PF, ENGINE_COPY, phys_of(big), phys_of(big) + (64u << 20), 64u << 20), 0);
	assert_memory_equal(big, big + (64u << 20), 64u << 20);
}

#define T(f) cmocka_unit_test_setup_teardown(f, engine_up, rig_down)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(registers),
		T(unlocked_jobs),
		T(bad_jobs_end_in_error),
		T(R5_6_a_job_waits_for_its_pages),
		T(R2_6_a_job_by_steps),
		T(R1_4_dma_by_state),
		T(R3_5_rogue_dma),
		T(job_stops_with_its_stream),
		T(R1_4_job_ends_when_the_tdi_leaves_run),
		T(stop_and_reset_leave_no_secrets),
		T(msix_masks_and_pending),
		T(msix_by_tdi_state),
		T(sixty_four_mebibytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
