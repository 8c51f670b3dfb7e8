/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * R5.3, R5.4, R6.1. Guest memory that is private and anonymous, with the guest's page table in it,
 * while the VMM moves, cuts, shrinks, grows and drops its view of it: devices go on reaching the
 * pages that were pinned, through both stages, and nobody dies of an address that is no more.
 */
#include "tables.h"

#define ELSEWHERE 0x7000000000ull
#define PART 0x400000ull		/* GPA of what moves by itself */
#define PART_LEN (2ull << 20)
#define DONTUNMAP 4			/* MREMAP_DONTUNMAP, which older headers lack */

static int ioasid_fd, device, merged_device;

static void map_at(uint64_t address, uint64_t len)
{
	MUST(mmap((void *)address, len, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == (void *)address);
}

/* A GPA space, a page table of the guest's in it, and a merged child: GIOVA 0x2000 is GPA 0x1000 in
 * both, 0x7000 is PART, 0x8000 the last page. */
static void set_up(void)
{
	const struct guest_format *format = &guest_formats[0];
	struct ioasid_table table = { .format = IOASID_FORMAT_VTD };
	const uint64_t to[][2] = { { 0x2000, 0x1000 }, { 0x7000, PART },
				   { 0x8000, GUEST_SIZE - PAGE } };
	int label, child;

	ioasid_fd = open("/dev/ioasid", O_RDWR | O_CLOEXEC);
	MUST(ioasid_fd >= 0);
	map_at(HVA, GUEST_SIZE);
	device = device_bind(DEV1, ioasid_fd, &label);
	merged_device = device_bind(DEV2, ioasid_fd, &label);
	table.ioasid = ioctl(ioasid_fd, IOASID_ALLOC_IOASID);
	MUST(!dma_map(ioasid_fd, table.ioasid, 0, HVA, GUEST_SIZE, 0));
	child = ioctl(ioasid_fd, IOASID_ALLOC_IOASID_NESTED, table.ioasid);
	table.addr = table_new();
	for (size_t i = 0; i < sizeof(to) / sizeof(to[0]); i++) {
		table_map(format, table.addr, to[i][0], to[i][1]);
		MUST(!dma_map(ioasid_fd, child, to[i][0], to[i][1], PAGE, 0));
	}
	MUST(!ioasid_attach(device, ioctl(ioasid_fd, IOASID_ALLOC_IOASID_PGTABLE, &table)));
	MUST(!ioasid_attach(merged_device, child));
}

/* Both devices copy from 0x2000 to `giova`, whose ends the program sees at `from` and `to`. */
static void both_reach(const char *when, void *from, uint64_t giova, void *to)
{
	dma_proves(device, NO_PASID, 0x2000, from, giova, to);
	dma_proves(merged_device, NO_PASID, 0x2000, from, giova, to);
	SAY("%s", when);
}

/* What the program does not see any more is written and read back all the same. */
static void both_go_on(const char *when, uint64_t giova)
{
	for (unsigned int i = 0; i < 2; i++) {
		int one = i ? merged_device : device;

		MUST(dma_copy(one, NO_PASID, 0x2000, giova, PAGE) == 0);
		MUST(dma_copy(one, NO_PASID, giova, 0x2000, PAGE) == 0);
	}
	SAY("%s", when);
}

static void move(uint64_t from, uint64_t from_len, uint64_t to, uint64_t len, int flags)
{
	MUST(mremap((void *)from, from_len, len, MREMAP_MAYMOVE | MREMAP_FIXED | flags,
		    (void *)to) == (void *)to);
}

int main(void)
{
	set_up();
	both_reach("at first", gpa_to_hva(0x1000), 0x7000, gpa_to_hva(PART));
	move(HVA, GUEST_SIZE, ELSEWHERE, GUEST_SIZE, 0);
	both_reach("moved", (void *)(ELSEWHERE + 0x1000), 0x7000, (void *)(ELSEWHERE + PART));
	map_at(HVA, GUEST_SIZE);		/* other memory in the old place */
	both_reach("something else is where it was", (void *)(ELSEWHERE + 0x1000), 0x7000,
		   (void *)(ELSEWHERE + PART));
	move(ELSEWHERE, GUEST_SIZE, HVA, GUEST_SIZE, 0);	/* over that */
	both_reach("moved back", gpa_to_hva(0x1000), 0x7000, gpa_to_hva(PART));
	move(HVA + PART, PART_LEN, ELSEWHERE, PART_LEN, 0);
	both_reach("a part moved", gpa_to_hva(0x1000), 0x7000, (void *)ELSEWHERE);
	move(ELSEWHERE, PART_LEN, HVA + PART, PART_LEN, 0);
	both_reach("and back", gpa_to_hva(0x1000), 0x7000, gpa_to_hva(PART));
	move(HVA + PART, PART_LEN, ELSEWHERE, PART_LEN, DONTUNMAP);
	both_reach("moved with its old place kept, empty", gpa_to_hva(0x1000), 0x7000,
		   (void *)ELSEWHERE);
	MUST(mremap((void *)HVA, GUEST_SIZE / 4, GUEST_SIZE / 8, 0) == (void *)HVA);
	both_reach("cut short", gpa_to_hva(0x1000), 0x7000, (void *)ELSEWHERE);
	MUST(!madvise((void *)ELSEWHERE, PART_LEN, MADV_DONTNEED));
	both_go_on("dropped", 0x7000);
	MUST(!munmap((void *)(HVA + GUEST_SIZE - PAGE), PAGE));
	both_go_on("a page unmapped", 0x8000);
	MUST(!munmap((void *)HVA, GUEST_SIZE) && !munmap((void *)ELSEWHERE, PART_LEN));
	both_go_on("all of it unmapped, page tables too", 0x7000);
	return 0;
}
