/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each platform's host writes its tables as its own hardware reads them (R3.1, R4.3): what a device's
 * address space and a VM's memory look like in bytes, and that DMA and the CPU go through them.
 */
#include "machine.h"
#include "hardware/platform.h"

#define IOVA 0x40005000ull
#define IOVA_READ_ONLY 0x40006000ull
#define IOVA_LARGE 0x40200000ull
#define ADDRESS 0x000ffffffffff000ull

struct row {
	enum platform platform;
	/* of the device's address space, by the manual; to be added to the address */
	uint64_t dma, dma_read_only, dma_large;
	/* of the VM's memory: RAM, and MMIO, which is not cached */
	uint64_t ram, mmio;
};

static const struct row rows[] = {
	/* VT-d 9.10: R, W, PS. SDM volume 3, 29.3.2: RWX and write-back; RW and uncached. */
	{ PLATFORM_TDX, 0x3, 0x1, 0x83, 0x37, 0x3 },
	/* AMD IOMMU 2.2.3: PR, IR, IW. APM volume 2, 5.3: P, W, U; PWT, PCD and NX as well. */
	{ PLATFORM_SEV, 0x6000000000000001, 0x2000000000000001, 0x6000000000000001, 0x7,
	  0x800000000000001f },
	/* Arm ARM D8.3.2: page or block, write-back, S2AP, inner shareable, AF, XN; device nGnRE. */
	{ PLATFORM_CCA, 0x00400000000007ff, 0x004000000000077f, 0x00400000000007fd, 0x7ff,
	  0x00400000000004c7 },
};

/* Entry at `level` (0: 4 KiB) on the way to address, read by hand. */
static uint64_t entry_at(uint64_t table, unsigned int levels, uint64_t address, unsigned int level)
{
	const uint64_t *entry = NULL;

	while (levels-- > level) {
		entry = phys_ram(table + 8 * (address >> (12 + 9 * levels) & 511), sizeof(*entry));
		assert_non_null(entry);
		table = le64toh(*entry) & ADDRESS;
	}
	return le64toh(*entry);
}

static enum tlp_status dma(uint64_t address, bool write, void *data)
{
	struct tlp tlp = { .type = write ? TLP_MEM_WRITE : TLP_MEM_READ, .rid = EP,
			   .stream = TLP_NO_STREAM, .pasid = TLP_NO_PASID, .address = address,
			   .len = 8, .data = data };

	return tlp_dma(&tlp);
}

static void device_goes_through(const struct row *row)
{
	const struct platform_tables *tables = platform_tables();
	struct pt *pt = image_alloc(sizeof(*pt), IMAGE_TYPE_IOMMU_DOMAIN);
	const uint8_t *ram = image_bulk_alloc(2 * PHYS_PAGE, IMAGE_TYPE_RAM);
	uint64_t hpa = phys_of(ram), large = PHYS_ARENA + (64ull << 20);
	char data[9] = "", out[] = "to host!";

	assert_int_equal(pt_init(pt, (enum pt_format)tables->iommu, tables->iommu_levels), 0);
	assert_int_equal(pt_map(pt, IOVA, hpa, PHYS_PAGE, PT_R | PT_W), 0);
	assert_int_equal(pt_map(pt, IOVA_READ_ONLY, hpa + PHYS_PAGE, PHYS_PAGE, PT_R), 0);
	assert_int_equal(pt_map(pt, IOVA_LARGE, large, PHYS_2M, PT_R | PT_W), 0);
	assert_int_equal(entry_at(pt->root, pt->levels, IOVA, 0), hpa | row->dma);
	assert_int_equal(entry_at(pt->root, pt->levels, IOVA_READ_ONLY, 0),
			 (hpa + PHYS_PAGE) | row->dma_read_only);
	assert_int_equal(entry_at(pt->root, pt->levels, IOVA_LARGE, 1), large | row->dma_large);
	assert_int_equal(iommu_context_set(EP, TLP_NO_PASID, IOMMU_SECOND_STAGE, pt, 1), 0);
	assert_int_equal(dma(IOVA + 0x10, true, out), TLP_SC);
	assert_memory_equal(ram + 0x10, out, 8);
	memcpy(image_bulk_write(ram + PHYS_PAGE, 8), "of host!", 8);
	assert_int_equal(dma(IOVA_READ_ONLY, false, data), TLP_SC);
	assert_string_equal(data, "of host!");
	assert_int_equal(dma(IOVA_READ_ONLY, true, out), TLP_BLOCKED);
	assert_memory_equal(ram + PHYS_PAGE, "of host!", 8);
	assert_int_equal(dma(IOVA_READ_ONLY + PHYS_PAGE, false, data), TLP_BLOCKED);
}

static void cpu_goes_through(const struct row *row)
{
	const struct platform_tables *tables = platform_tables();
	struct pt *pt = image_alloc(sizeof(*pt), IMAGE_TYPE_KVM);
	struct vcpu_hw *vcpu = image_alloc(sizeof(*vcpu), IMAGE_TYPE_KVM_VCPU);
	const uint8_t *ram = image_bulk_alloc(PHYS_PAGE, IMAGE_TYPE_RAM);
	uint8_t data[4];

	assert_int_equal(pt_init(pt, (enum pt_format)tables->cpu, tables->cpu_levels), 0);
	assert_int_equal(pt_map(pt, 0x5000, phys_of(ram), PHYS_PAGE, PT_R | PT_W | PT_X), 0);
	assert_int_equal(pt_map(pt, 0x7000, BAR0, PHYS_PAGE, PT_R | PT_W | PT_UC), 0);
	assert_int_equal(entry_at(pt->root, pt->levels, 0x5000, 0), phys_of(ram) | row->ram);
	assert_int_equal(entry_at(pt->root, pt->levels, 0x7000, 0), BAR0 | row->mmio);
	vcpu->ept = pt;
	vcpu->gpa_bits = 48;
	assert_int_equal(cpu_guest_write(vcpu, 0x5010, "1234", 4), 0);
	assert_memory_equal(ram + 0x10, "1234", 4);
	assert_int_equal(cpu_guest_read(vcpu, 0x7020, data, 4), 0);
	assert_int_equal(data[0], 0x20);
	assert_int_equal(cpu_guest_read(vcpu, 0x6000, data, 4), -EAGAIN);
}

static void R3_1_R4_3_tables_of_each_platform(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		machine_platform_set(rows[i].platform);
		iommu_iotlb_flush_all();
		device_goes_through(&rows[i]);
		cpu_goes_through(&rows[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(R3_1_R4_3_tables_of_each_platform, machine_up,
						machine_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
