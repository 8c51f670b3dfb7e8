/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * R5.7: the guest's PASID table, both ways the thread weighs. The proposal's: the table is bound,
 * and each page table the guest makes is bound beside it, so that it can be invalidated and its
 * faults be told by its own IOASID. The reviewer's: one space of all PASIDs, whose faults say
 * (ioasid, label, pasid). The DMA is the same, the calls are counted.
 */
#include <sys/eventfd.h>

#include "tables.h"

#define GPASID1 5u
#define GPASID2 6u

static const struct guest_format *const format = &guest_formats[0];
static int ioasid_fd, calls;
static struct ioasid_fault_ring *ring;

#define COUNTED(call) (calls++, (call))

/* VT-d scalable mode: a directory of 64 entries a table, 64 bytes an entry; first stage. */
static void pasid_entry(uint64_t directory, uint32_t pasid, uint64_t pgtable)
{
	uint64_t *dir = (uint64_t *)gpa_to_hva(directory) + (pasid >> 6), *e;

	if (!*dir)
		*dir = table_new() | 1;
	e = (uint64_t *)gpa_to_hva((*dir & ~0xfffull) + (pasid & 63) * 64);
	e[2] = pgtable;
	e[0] = pgtable ? 1 << 6 | 1 : 0;
}

static int table_invalidate(uint32_t ioasid, uint32_t flags, uint32_t pasid)
{
	struct ioasid_invalidate inv = { .ioasid = ioasid, .flags = flags, .pasid = pasid };

	return ioctl(ioasid_fd, IOASID_INVALIDATE_CACHE, &inv);
}

static struct ioasid_fault fault_take(void)
{
	MUST(ring->head != ring->tail);
	return ring->fault[ring->tail++ % ring->entries];
}

static void fault_refuse(const struct ioasid_fault *fault)
{
	struct ioasid_fault_response response = { .ioasid = fault->ioasid, .cookie = fault->cookie,
						  .code = IOASID_RESPONSE_INVALID };

	MUST(!ioctl(ioasid_fd, IOASID_FAULT_RESPOND, &response));
}

static uint64_t pgtable_new(uint64_t to)
{
	uint64_t root = table_new();

	table_map(format, root, 0x2000, 0x1000);
	table_map(format, root, 0x7000, to);
	return root;
}

/* The proposal's way, in its order. */
static int bind_step_by_step(int device_fd1, int label, int gpa_ioasid, uint64_t directory)
{
	uint64_t gva_pgtable1 = pgtable_new(0x4000);
	struct ioasid_table bind_data = { .format = IOASID_FORMAT_VTD, .addr = directory,
					  .pasid_levels = 2, .pasid_bits = 10 };
	int pasidtbl_ioasid, gva_ioasid;
	struct ioasid_fault fault;

	calls = 0;
	pasidtbl_ioasid = COUNTED(ioctl(ioasid_fd, IOASID_CREATE_NESTING, gpa_ioasid));
	MUST(!COUNTED(ioasid_attach(device_fd1, pasidtbl_ioasid)));
	bind_data.ioasid = pasidtbl_ioasid;
	MUST(!COUNTED(ioctl(ioasid_fd, IOASID_BIND_PASID_TABLE, &bind_data)));
	/* vIOMMU detects a new GVA I/O space created */
	pasid_entry(directory, GPASID1, gva_pgtable1);
	gva_ioasid = COUNTED(ioctl(ioasid_fd, IOASID_CREATE_NESTING, gpa_ioasid));
	MUST(!COUNTED(ioasid_attach_pasid(device_fd1, gva_ioasid, GPASID1)));
	bind_data = (struct ioasid_table){ .ioasid = gva_ioasid, .format = IOASID_FORMAT_VTD,
					   .addr = gva_pgtable1 };
	MUST(!COUNTED(ioctl(ioasid_fd, IOASID_BIND_PGTABLE, &bind_data)));
	dma_proves(device_fd1, GPASID1, 0x2000, gpa_to_hva(0x1000), 0x7000, gpa_to_hva(0x4000));

	/* Invalidated by its own IOASID, and its faults are told by that. */
	table_map(format, gva_pgtable1, 0x7000, 0x5000);
	MUST(!invalidate(ioasid_fd, gva_ioasid, 0x7000, PAGE));
	dma_proves(device_fd1, GPASID1, 0x2000, gpa_to_hva(0x1000), 0x7000, gpa_to_hva(0x5000));
	MUST(dma_copy(device_fd1, GPASID1, 0x2000, 0x9000, PAGE) == STATUS_BUSY);
	fault = fault_take();
	MUST(fault.ioasid == (uint32_t)gva_ioasid && fault.label == (uint32_t)label);
	MUST(fault.flags & IOASID_FAULT_PASID && fault.pasid == GPASID1);
	fault_refuse(&fault);

	/* What is refused */
	REFUSED(EBUSY, ioctl(ioasid_fd, IOASID_BIND_PASID_TABLE, &bind_data));
	REFUSED(EINVAL, table_invalidate(gva_ioasid, IOASID_INV_PASID_TABLE, 0));
	REFUSED(EINVAL, ioasid_attach_pasid(device_fd1, gva_ioasid, 1 << 20));
	bind_data.ioasid = 999;
	REFUSED(ENOENT, ioctl(ioasid_fd, IOASID_BIND_PGTABLE, &bind_data));
	pasid_entry(directory, GPASID1, 0);
	MUST(!ioasid_attach(device_fd1, gpa_ioasid));
	return calls;
}

/* The reviewer's: the space of all PASIDs is allocated with its table. */
static int all_pasids(int device_fd1, int label, int gpa_ioasid, uint64_t directory)
{
	uint64_t pgtable1 = pgtable_new(0x4000), pgtable2 = pgtable_new(0x6000);
	struct ioasid_table table = { .ioasid = gpa_ioasid, .format = IOASID_FORMAT_VTD,
				      .addr = directory, .pasid_levels = 2, .pasid_bits = 10,
				      .flags = IOASID_TABLE_BYPASS };
	struct ioasid_fault fault;
	int all;

	calls = 0;
	all = COUNTED(ioctl(ioasid_fd, IOASID_ALLOC_IOASID_PASID_TABLE, &table));
	MUST(all > 0);
	MUST(!COUNTED(ioasid_attach(device_fd1, all)));
	pasid_entry(directory, GPASID1, pgtable1);
	pasid_entry(directory, GPASID2, pgtable2);
	dma_proves(device_fd1, GPASID1, 0x2000, gpa_to_hva(0x1000), 0x7000, gpa_to_hva(0x4000));
	dma_proves(device_fd1, GPASID2, 0x2000, gpa_to_hva(0x1000), 0x7000, gpa_to_hva(0x6000));
	dma_proves(device_fd1, NO_PASID, 0x1000, gpa_to_hva(0x1000), 0x3000, gpa_to_hva(0x3000));

	/* Faults say (ioasid, label, pasid): nothing had to be bound for that. */
	MUST(dma_copy(device_fd1, GPASID2, 0x2000, 0x9000, PAGE) == STATUS_BUSY);
	fault = fault_take();
	MUST(fault.ioasid == (uint32_t)all && fault.label == (uint32_t)label);
	MUST(fault.flags & IOASID_FAULT_PASID && fault.pasid == GPASID2);
	fault_refuse(&fault);

	/* An entry of the table is cached too, until it is invalidated, and with it what it led
	 * to. */
	pasid_entry(directory, GPASID2, pgtable1);
	dma_proves(device_fd1, GPASID2, 0x2000, gpa_to_hva(0x1000), 0x7000, gpa_to_hva(0x6000));
	MUST(!table_invalidate(all, IOASID_INV_PASID_TABLE | IOASID_INV_PASID, GPASID2));
	MUST(!table_invalidate(all, IOASID_INV_PASID, GPASID2));
	dma_proves(device_fd1, GPASID2, 0x2000, gpa_to_hva(0x1000), 0x7000, gpa_to_hva(0x4000));

	table.pasid_levels = 1;
	REFUSED(EINVAL, ioctl(ioasid_fd, IOASID_ALLOC_IOASID_PASID_TABLE, &table));
	table.pasid_levels = 2;
	table.pasid_bits = 21;
	REFUSED(EINVAL, ioctl(ioasid_fd, IOASID_ALLOC_IOASID_PASID_TABLE, &table));
	REFUSED(EINVAL, table_invalidate(all, 0, GPASID1));	/* a PASID without the flag */
	REFUSED(EINVAL, dma_map(ioasid_fd, all, 0, 0, PAGE, 0));
	return calls;
}

int main(void)
{
	int label, device_fd1, gpa_ioasid, bound, all;
	struct ioasid_fault_setup setup = { .entries = 16, .eventfd = -1 };

	ioasid_fd = open("/dev/ioasid", O_RDWR | O_CLOEXEC);
	MUST(ioasid_fd >= 0);
	guest_memory();
	device_fd1 = device_bind(DEV1, ioasid_fd, &label);
	gpa_ioasid = ioctl(ioasid_fd, IOASID_ALLOC);
	MUST(!ioasid_attach(device_fd1, gpa_ioasid));
	MUST(!dma_map(ioasid_fd, gpa_ioasid, 0, HVA, GUEST_SIZE, 0));
	MUST(!ioctl(ioasid_fd, IOASID_FAULT_SETUP, &setup));
	ring = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, ioasid_fd, 0);
	MUST(ring != MAP_FAILED);
	bound = bind_step_by_step(device_fd1, label, gpa_ioasid, table_new());
	all = all_pasids(device_fd1, label, gpa_ioasid, table_new());
	SAY("bound step by step: %d calls for one page table, and 3 more for each further one",
	    bound);
	SAY("space of all PASIDs: %d calls, whatever the guest puts into its table", all);
	MUST(bound == 6 && all == 2);
	return 0;
}
