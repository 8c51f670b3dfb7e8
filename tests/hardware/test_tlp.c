/* SPDX-License-Identifier: BSD-2-Clause */
/* Which TLP gets through, up and down, and what one that does not leaves behind. */
#include "machine.h"

#define GPA 0x5000ull
#define TEE 11u

static const uint8_t *ram;
static uint8_t buffer[3 * 4096];

/* GPA leads to one page of RAM, by the host's tables for T=0 and the trusted ones for T=1. */
static void dma_setup(void)
{
	struct pt *pt = image_alloc(sizeof(*pt), IMAGE_TYPE_IOMMU_DOMAIN);

	ram = ram_page();
	assert_int_equal(pt_init(pt, PT_VTD_SS, 4), 0);
	assert_int_equal(pt_map(pt, GPA, phys_of(ram), 4096, PT_R | PT_W), 0);
	assert_int_equal(iommu_context_set(EP, TLP_NO_PASID, IOMMU_SECOND_STAGE, pt, 1), 0);
	trusted_root = 0x010000100000ull, trusted_gpa = GPA, trusted_hpa = phys_of(ram),
	trusted_owner = TEE;
	assert_int_equal(iommu_trusted_set(EP, trusted_root, TEE, true), 0);
}

static enum tlp_status dma(bool write, bool t, uint64_t address, uint64_t len)
{
	struct tlp tlp = { .type = write ? TLP_MEM_WRITE : TLP_MEM_READ,
			   .rid = EP,
			   .t = t,
			   .stream = TLP_NO_STREAM,
			   .pasid = TLP_NO_PASID,
			   .address = address,
			   .len = len,
			   .data = buffer };

	return tlp_dma(&tlp);
}

enum link { LINK_PLAIN, LINK_SECURE, LINK_MISKEYED, LINK_INSECURE, LINKS };

static void link_setup(enum link link)
{
	if (link == LINK_SECURE)
		stream_up(5);
	if (link == LINK_INSECURE)
		stream_registers(5, true);
	if (link != LINK_MISKEYED)
		return;
	stream_registers(5, true);
	keys_program(EP, 5, 0, 1);
	keys_program(RP, 5, 0, 2);
	keys_go(EP, 5, 0);
	keys_go(RP, 5, 0);
}

/* By link, T, owner of the page (host, this TEE, another): what must become of the request. */
static const enum tlp_status matrix[LINKS][2][3] = {
	[LINK_PLAIN] = { { TLP_SC, TLP_CA, TLP_CA }, { TLP_INSECURE, TLP_INSECURE, TLP_INSECURE } },
	[LINK_SECURE] = { { TLP_SC, TLP_CA, TLP_CA }, { TLP_SC, TLP_SC, TLP_CA } },
	[LINK_MISKEYED] = { { TLP_INSECURE, TLP_INSECURE, TLP_INSECURE },
			    { TLP_INSECURE, TLP_INSECURE, TLP_INSECURE } },
	[LINK_INSECURE] = { { TLP_SC, TLP_CA, TLP_CA },
			    { TLP_INSECURE, TLP_INSECURE, TLP_INSECURE } },
};
static const uint32_t owners[3] = { 0, TEE, 12 };

static void matrix_try(enum link link, bool t, unsigned int owner, bool write, bool master)
{
	enum tlp_status expected = master ? matrix[link][t][owner] : TLP_UR;
	uint64_t refused = *image_counter(IMAGE_COUNTER_TLP_REFUSED);

	machine_up(NULL);
	dma_setup();
	link_setup(link);
	if (!master)
		config_write(EP, 0x04, 2, 0x0002);
	memset(image_bulk_write(ram, 4096), 0x11, 4096);
	assert_int_equal(phys_owner_set(phys_of(ram), 4096, owners[owner]), 0);
	memset(buffer, 0x22, sizeof(buffer));
	refused = *image_counter(IMAGE_COUNTER_TLP_REFUSED);
	assert_int_equal(dma(write, t, GPA + 8, 16), expected);
	if (write) {
		assert_int_equal(ram[8], expected == TLP_SC ? 0x22 : 0x11);
		assert_int_equal(ram[24], 0x11);
	} else {
		assert_int_equal(buffer[0], expected == TLP_SC ? 0x11 : 0xff);
		assert_int_equal(buffer[16], 0x22);
	}
	assert_int_equal(*image_counter(IMAGE_COUNTER_TLP_REFUSED) - refused, expected != TLP_SC);
	machine_down(NULL);
}

static void test_R3_5_dma_matrix(void **state)
{
	(void)state;
	machine_down(NULL);
	for (unsigned int link = 0; link < LINKS; link++)
		for (unsigned int owner = 0; owner < 3; owner++)
			for (unsigned int bits = 0; bits < 8; bits++)
				matrix_try(link, bits & 1, owner, bits & 2, bits & 4);
	machine_up(NULL);
}

static void test_R3_5_refusal_is_traced(void **state)
{
	const struct trace_event *event;
	uint64_t next;

	(void)state;
	dma_setup();
	next = trace_next();
	assert_int_equal(dma(false, false, GPA, 4), TLP_SC);
	assert_int_equal(trace_next(), next);			/* a good one is no event */
	assert_int_equal(dma(true, false, 0x9000, 4), TLP_BLOCKED);
	assert_int_equal(trace_next(), next + 1);
	event = trace_get(next);
	assert_int_equal(event->from, LANE_DEVICE);
	assert_int_equal(event->to, LANE_HARDWARE);
	assert_int_equal(event->result, TLP_BLOCKED);
	assert_int_equal(event->result_kind, TRACE_RESULT_TLP);
	assert_string_equal(event->text, "BLOCKED");
	assert_int_equal(trace_arg_value(event, "address", 0), 0x9000);
	assert_int_equal(seen.faults, 1);
}

static void test_dma_of_absent_or_sleeping(void **state)
{
	(void)state;
	dma_setup();
	config_write(EP, 0x44, 2, 3);
	assert_int_equal(dma(false, false, GPA, 4), TLP_UR);
	config_write(EP, 0x44, 2, 0);
	config_write(EP, 0x04, 2, 0x0006);
	assert_int_equal(dma(false, false, GPA, 4), TLP_SC);
	function_surprise_remove(ep);
	assert_int_equal(dma(false, false, GPA, 4), TLP_UR);
}

static void test_dma_copy_runs(void **state)
{
	struct pt *pt = image_alloc(sizeof(*pt), IMAGE_TYPE_IOMMU_DOMAIN);
	const uint8_t *pages = image_bulk_alloc(16 * 4096, IMAGE_TYPE_RAM);
	uint64_t hpa = phys_of(pages), done, run, where, next;
	struct tlp tlp = { .type = TLP_MEM_WRITE,
			   .rid = EP,
			   .stream = TLP_NO_STREAM,
			   .pasid = TLP_NO_PASID,
			   .address = 0x10000 + 100,
			   .len = sizeof(buffer),
			   .data = buffer };
	const void *memory;

	(void)state;
	assert_int_equal(pt_init(pt, PT_VTD_SS, 4), 0);
	assert_int_equal(pt_map(pt, 0x10000, hpa, 0x2000, PT_R | PT_W), 0);
	assert_int_equal(pt_map(pt, 0x12000, hpa + 0x5000, 0x1000, PT_R | PT_W), 0);
	assert_int_equal(pt_map(pt, 0x13000, hpa + 0x3000, 0x1000, PT_R), 0);
	assert_int_equal(iommu_context_set(EP, TLP_NO_PASID, IOMMU_SECOND_STAGE, pt, 1), 0);
	for (unsigned int i = 0; i < sizeof(buffer); i++)
		buffer[i] = (uint8_t)(i / 16);
	/* two contiguous pages, then elsewhere */
	assert_int_equal(tlp_dma_map(&tlp, &run, &memory, &where), TLP_SC);
	assert_int_equal(run, 0x2000 - 100);
	assert_int_equal(where, hpa + 100);
	assert_ptr_equal(memory, pages + 100);
	next = trace_next();
	/* 100 bytes reach into the read-only page: all before it is there */
	assert_int_equal(tlp_dma_copy(&tlp, &done), TLP_BLOCKED);
	assert_int_equal(done, 0x3000 - 100);
	assert_int_equal(trace_next(), next + 1);
	assert_memory_equal(pages + 100, buffer, 0x2000 - 100);
	assert_memory_equal(pages + 0x5000, buffer + 0x2000 - 100, 0x1000);
	assert_int_equal(pages[0x3000], 0);
	assert_int_equal(seen.faults, 1);
	assert_int_equal(seen.fault_address, 0x13000);
	/* and back */
	memset(buffer, 0, sizeof(buffer));
	tlp.type = TLP_MEM_READ;
	assert_int_equal(tlp_dma_copy(&tlp, &done), TLP_SC);
	assert_int_equal(done, sizeof(buffer));
	assert_int_equal(buffer[160], 10);
	assert_int_equal(buffer[0x2fff - 100], (0x2fff - 100) / 16 % 256);
	assert_int_equal(buffer[0x3000 - 100], 0);		/* what the page behind holds */
	/* a look ahead over the end of what is mapped is no fault */
	seen.faults = 0;
	tlp.address = 0x13000;
	tlp.len = 0x2000;
	assert_int_equal(tlp_dma_map(&tlp, &run, &memory, &where), TLP_SC);
	assert_int_equal(run, 0x1000);
	assert_int_equal(seen.faults, 0);
}

/* R2.6: what has passed the IOMMU arrives where it was sent to, and an invalidation waits for
 * it. */
static void test_R2_6_posted_writes(void **state)
{
	struct pt *pt = image_alloc(sizeof(*pt), IMAGE_TYPE_IOMMU_DOMAIN);
	const uint8_t *pages = image_bulk_alloc(2 * 4096, IMAGE_TYPE_RAM);
	struct tlp tlp = { .type = TLP_MEM_WRITE, .rid = EP, .stream = TLP_NO_STREAM,
			   .pasid = TLP_NO_PASID, .address = GPA, .len = 6000, .data = buffer };
	uint64_t done;

	(void)state;
	memset(buffer, 0x5a, sizeof(buffer));
	assert_int_equal(pt_init(pt, PT_VTD_SS, 4), 0);
	assert_int_equal(pt_map(pt, GPA, phys_of(pages), 8192, PT_R | PT_W), 0);
	assert_int_equal(iommu_context_set(EP, TLP_NO_PASID, IOMMU_SECOND_STAGE, pt, 1), 0);
	assert_int_equal(tlp_dma_post(&tlp, &done), TLP_SC);
	assert_int_equal(done, 4096);			/* a page at most */
	assert_int_equal(image_live(IMAGE_TYPE_FLIGHT), 1);
	memset(buffer, 0xa5, sizeof(buffer));		/* the device's own memory is free again */
	assert_int_equal(pages[0], 0);
	/* the next write pushes it */
	tlp.address = GPA + 4096;
	assert_int_equal(tlp_dma_post(&tlp, &done), TLP_SC);
	assert_int_equal(pages[0], 0x5a);
	assert_int_equal(pages[4095], 0x5a);
	assert_int_equal(pages[4096], 0);
	/* unmapped while it is on its way: it arrives before the invalidation is done, no other */
	assert_int_equal(pt_unmap(pt, GPA + 4096, 4096), 4096);
	assert_int_equal(pages[4096], 0);
	iommu_iotlb_flush(1, GPA + 4096, GPA + 8191);
	assert_int_equal(pages[4096], 0xa5);
	assert_int_equal(image_live(IMAGE_TYPE_FLIGHT), 0);
	assert_int_equal(tlp_dma_post(&tlp, &done), TLP_BLOCKED);
	assert_int_equal(done, 0);
	/* a page that became a TEE's on the way: the memory controller drops the write */
	tlp.address = GPA;
	assert_int_equal(tlp_dma_post(&tlp, &done), TLP_SC);
	assert_int_equal(phys_owner_set(phys_of(pages), 4096, TEE), 0);
	tlp_drain();
	assert_int_equal(pages[0], 0x5a);
	assert_int_equal(phys_owner_set(phys_of(pages), 4096, 0), 0);
	/* a context that goes, and a reset, wait as well; a dead function's write arrives all the
	 * same */
	assert_int_equal(tlp_dma_post(&tlp, &done), TLP_SC);
	assert_int_equal(iommu_context_set(EP, TLP_NO_PASID, IOMMU_BLOCK, NULL, 0), 0);
	assert_int_equal(pages[0], 0xa5);
	memset(buffer, 1, sizeof(buffer));
	assert_int_equal(iommu_context_set(EP, TLP_NO_PASID, IOMMU_SECOND_STAGE, pt, 1), 0);
	assert_int_equal(tlp_dma_post(&tlp, &done), TLP_SC);
	function_reset(ep, RESET_FLR);
	assert_int_equal(pages[0], 1);
	config_write(EP, 0x04, 2, 0x0006);
	memset(buffer, 2, sizeof(buffer));
	assert_int_equal(tlp_dma_post(&tlp, &done), TLP_SC);
	function_surprise_remove(ep);
	iommu_iotlb_flush_all();
	assert_int_equal(pages[0], 2);
}

static void test_R3_5_run_stops_at_an_owner(void **state)
{
	struct tlp tlp = { .type = TLP_MEM_READ,
			   .rid = EP,
			   .stream = TLP_NO_STREAM,
			   .pasid = TLP_NO_PASID,
			   .len = 3 * 4096,
			   .data = buffer };
	const uint8_t *pages = image_bulk_alloc(3 * 4096, IMAGE_TYPE_RAM);
	uint64_t done;

	(void)state;
	memset(image_bulk_write(pages, 3 * 4096), 0x11, 3 * 4096);
	assert_int_equal(iommu_context_set(EP, TLP_NO_PASID, IOMMU_IDENTITY, NULL, 0), 0);
	assert_int_equal(phys_owner_set(phys_of(pages) + 4096, 4096, TEE), 0);
	tlp.address = phys_of(pages);
	memset(buffer, 0, sizeof(buffer));
	assert_int_equal(tlp_dma_copy(&tlp, &done), TLP_CA);
	assert_int_equal(done, 4096);
	assert_int_equal(buffer[4095], 0x11);
	assert_int_equal(buffer[4096], 0xff);
	assert_int_equal(buffer[8192], 0xff);
}

/* A shared mapping of a private page, right behind a private one: T=1 does not open it. */
static void test_R3_5_shared_mapping_of_private_page(void **state)
{
	const uint8_t *pages = image_bulk_alloc(2 * 4096, IMAGE_TYPE_RAM);

	(void)state;
	dma_setup();
	stream_up(5);
	trusted_hpa = phys_of(pages);
	trusted_shared = true;
	assert_int_equal(dma(false, true, GPA, 2 * 4096), TLP_SC);
	assert_int_equal(phys_owner_set(trusted_hpa, 2 * 4096, TEE), 0);
	memset(buffer, 0, sizeof(buffer));
	assert_int_equal(dma(true, true, GPA, 4096), TLP_SC);
	assert_int_equal(dma(true, true, GPA, 2 * 4096), TLP_CA);
	assert_int_equal(dma(false, true, GPA + 4096, 4), TLP_CA);
	assert_int_equal(buffer[0], 0xff);
}

static void test_interrupts(void **state)
{
	struct tlp tlp = { .type = TLP_MSI,
			   .rid = EP,
			   .stream = TLP_NO_STREAM,
			   .pasid = TLP_NO_PASID,
			   .address = 0xfee00000,
			   .len = 4,
			   .data = buffer };

	(void)state;
	memcpy(buffer, "\x31\x00\x00\x00", 4);
	assert_int_equal(tlp_dma(&tlp), TLP_SC);		/* without any context */
	assert_int_equal(seen.interrupts, 1);
	assert_int_equal(seen.msi_data, 0x31);
	assert_int_equal(dma(true, false, 0xfee00000, 4), TLP_SC);
	assert_int_equal(seen.interrupts, 2);
	assert_int_equal(dma(true, false, 0xfee00000, 8), TLP_UR);
	assert_int_equal(dma(false, false, 0xfee00000, 4), TLP_BLOCKED);
	tlp.address = 0x1000;
	assert_int_equal(tlp_dma(&tlp), TLP_UR);
	config_write(EP, 0x04, 2, 0x0002);
	tlp.address = 0xfee00000;
	assert_int_equal(tlp_dma(&tlp), TLP_UR);
	assert_int_equal(seen.interrupts, 2);
}

/* -- downstream ------------------------------------------------------------------------------ */

static enum tlp_status mmio(bool write, bool t, uint64_t hpa, uint64_t len)
{
	struct tlp tlp = { .type = write ? TLP_MEM_WRITE : TLP_MEM_READ,
			   .t = t,
			   .pasid = TLP_NO_PASID,
			   .address = hpa,
			   .len = len,
			   .data = buffer };

	return tlp_mmio(&tlp);
}

static void test_mmio_routes(void **state)
{
	uint64_t refused = *image_counter(IMAGE_COUNTER_TLP_REFUSED);

	(void)state;
	assert_int_equal(mmio(false, false, BAR0 + 0x1234, 4), TLP_SC);
	assert_memory_equal(buffer, "\x34\x12\x00\x00", 4);	/* bar 0, offset 0x1234 */
	assert_false(seen.t);
	assert_int_equal(seen.stream, TLP_NO_STREAM);
	memcpy(buffer, "abcd", 4);
	assert_int_equal(mmio(true, false, BAR2 + 0x10, 4), TLP_SC);
	assert_memory_equal(bar2 + 0x10, "abcd", 4);
	assert_int_equal(mmio(false, false, BAR2 + 0x11, 2), TLP_SC);
	assert_memory_equal(buffer, "bc", 2);
	assert_int_equal(seen.mmio, 1);				/* memory is not the model's work */
	assert_int_equal(*image_counter(IMAGE_COUNTER_TLP_REFUSED), refused);
	assert_int_equal(mmio(false, false, BAR2 + PHYS_2M - 2, 4), TLP_UR);	/* over the end */
	assert_int_equal(buffer[0], 0xff);
	assert_int_equal(mmio(false, false, PHYS_MMIO, 4), TLP_UR);
	admit_answer = TLP_UR;
	memcpy(buffer, "efgh", 4);
	assert_int_equal(mmio(true, false, BAR2 + 0x10, 4), TLP_UR);
	assert_memory_equal(bar2 + 0x10, "abcd", 4);
	assert_int_equal(*image_counter(IMAGE_COUNTER_TLP_REFUSED), refused + 3);
	admit_answer = TLP_SC;
	config_write(EP, 0x04, 2, 0x0004);
	assert_int_equal(mmio(false, false, BAR0, 4), TLP_UR);
}

static void test_R3_5_mmio_stream(void **state)
{
	static const struct {
		enum link link;
		bool t;
		enum tlp_status status;
		uint16_t stream;
	} cases[] = {
		{ LINK_PLAIN, false, TLP_SC, TLP_NO_STREAM },
		{ LINK_PLAIN, true, TLP_INSECURE, 0 },
		{ LINK_SECURE, false, TLP_SC, 5 },
		{ LINK_SECURE, true, TLP_SC, 5 },
		{ LINK_INSECURE, false, TLP_SC, TLP_NO_STREAM },
		{ LINK_INSECURE, true, TLP_INSECURE, 0 },
		{ LINK_MISKEYED, false, TLP_INSECURE, 0 },
		{ LINK_MISKEYED, true, TLP_INSECURE, 0 },
	};

	(void)state;
	machine_down(NULL);
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		machine_up(NULL);
		link_setup(cases[i].link);
		memset(buffer, 0, sizeof(buffer));
		assert_int_equal(mmio(false, cases[i].t, BAR0, 4), cases[i].status);
		assert_int_equal(seen.mmio, cases[i].status == TLP_SC);
		if (cases[i].status == TLP_SC)
			assert_int_equal(seen.stream, cases[i].stream);
		else
			assert_int_equal(buffer[0], 0xff);
		machine_down(NULL);
	}
	machine_up(NULL);
}

static void test_R3_5_peer_to_peer(void **state)
{
	(void)state;
	assert_int_equal(iommu_context_set(EP, TLP_NO_PASID, IOMMU_IDENTITY, NULL, 0), 0);
	memcpy(buffer, "peer", 4);
	assert_int_equal(dma(true, false, BAR2 + 0x40, 4), TLP_SC);
	assert_memory_equal(bar2 + 0x40, "peer", 4);
	admit_answer = TLP_UR; /* its rules hold for peers as well */
	assert_int_equal(dma(false, false, BAR2 + 0x40, 4), TLP_UR);
	assert_int_equal(buffer[0], 0xff);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_R3_5_dma_matrix, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_R3_5_refusal_is_traced, machine_up,
						machine_down),
		cmocka_unit_test_setup_teardown(test_dma_of_absent_or_sleeping, machine_up,
						machine_down),
		cmocka_unit_test_setup_teardown(test_dma_copy_runs, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_R2_6_posted_writes, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_R3_5_run_stops_at_an_owner, machine_up,
						machine_down),
		cmocka_unit_test_setup_teardown(test_R3_5_shared_mapping_of_private_page,
						machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_interrupts, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_mmio_routes, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_R3_5_mmio_stream, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_R3_5_peer_to_peer, machine_up, machine_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
