/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * R5.4, R5.8: nesting in hardware. The guest's page table, in the guest's memory and format, is
 * walked by the IOMMU, each of its addresses through the GPA space. What the IOMMU has cached stays
 * until the guest has it invalidated.
 */
#include "tables.h"

static int ioasid_fd, device_fd1, device_fd2, gpa_ioasid;

/* As the proposal has it, in its order. */
static int bind_pgtable(const struct guest_format *f, uint64_t giova_pgtable)
{
	struct ioasid_table bind_data = { .addr = giova_pgtable, .format = f->format };
	int giova_ioasid;

	/* Make GIOVA space nested on GPA space */
	giova_ioasid = ioctl(ioasid_fd, IOASID_CREATE_NESTING, gpa_ioasid);
	MUST(giova_ioasid > 0);
	/* Attach dev2 to the new address space (child); no table is bound yet */
	MUST(!ioasid_attach(device_fd2, giova_ioasid));
	dma_faults(device_fd2, NO_PASID, 0x2000, 0x7000);
	/* Bind guest I/O page table */
	table_map(f, giova_pgtable, 0x2000, 0x1000);
	table_map(f, giova_pgtable, 0x7000, 0x4000);
	bind_data.ioasid = giova_ioasid;
	MUST(!ioctl(ioasid_fd, IOASID_BIND_PGTABLE, &bind_data));
	dma_proves(device_fd2, NO_PASID, 0x2000, gpa_to_hva(0x1000), 0x7000, gpa_to_hva(0x4000));
	dma_proves(device_fd1, NO_PASID, 0x1000, gpa_to_hva(0x1000), 0x4000, gpa_to_hva(0x4000));
	SAY("%s: walked in the guest's memory", f->name);
	REFUSED(EBUSY, ioctl(ioasid_fd, IOASID_BIND_PGTABLE, &bind_data));
	bind_data.ioasid = gpa_ioasid;
	REFUSED(EINVAL, ioctl(ioasid_fd, IOASID_BIND_PGTABLE, &bind_data)); /* not nested */
	return giova_ioasid;
}

/* The guest changes its table, and only then says so. */
static void invalidations(const struct guest_format *f, int giova_ioasid, uint64_t giova_pgtable)
{
	table_map(f, giova_pgtable, 0x7000, 0x5000);
	dma_proves(device_fd2, NO_PASID, 0x2000, gpa_to_hva(0x1000), 0x7000, gpa_to_hva(0x4000));
	MUST(!invalidate(ioasid_fd, giova_ioasid, 0x7000, PAGE));
	dma_proves(device_fd2, NO_PASID, 0x2000, gpa_to_hva(0x1000), 0x7000, gpa_to_hva(0x5000));
	*table_entry(f, giova_pgtable, 0x7000) = 0;
	MUST(!invalidate(ioasid_fd, giova_ioasid, 0, 0));
	dma_faults(device_fd2, NO_PASID, 0x2000, 0x7000);
	/* A table that leads out of the guest leads nowhere. */
	table_map(f, giova_pgtable, 0x7000, GUEST_SIZE);
	dma_faults(device_fd2, NO_PASID, 0x2000, 0x7000);
	REFUSED(EINVAL, dma_map(ioasid_fd, giova_ioasid, 0x9000, 0, PAGE, 0));
	REFUSED(EINVAL, invalidate(ioasid_fd, giova_ioasid, -PAGE, 2 * PAGE));
}

/* As the reviewer asks: format and table at allocation, in one call. */
static int alloc_with_pgtable(const struct guest_format *f, uint64_t giova_pgtable)
{
	struct ioasid_table bind_data = { .ioasid = gpa_ioasid, .addr = giova_pgtable,
					  .format = f->format };
	int at_once;

	table_map(f, giova_pgtable, 0x7000, 0x6000);
	at_once = ioctl(ioasid_fd, IOASID_ALLOC_IOASID_PGTABLE, &bind_data);
	MUST(at_once > 0);
	MUST(!ioasid_attach(device_fd2, at_once));
	dma_proves(device_fd2, NO_PASID, 0x2000, gpa_to_hva(0x1000), 0x7000, gpa_to_hva(0x6000));
	bind_data.format = 77;
	REFUSED(EINVAL, ioctl(ioasid_fd, IOASID_ALLOC_IOASID_PGTABLE, &bind_data));
	bind_data.format = f->format;
	bind_data.addr += 8;
	REFUSED(EINVAL, ioctl(ioasid_fd, IOASID_ALLOC_IOASID_PGTABLE, &bind_data));
	bind_data.addr -= 8;
	bind_data.addr_width = 40;
	REFUSED(EINVAL, ioctl(ioasid_fd, IOASID_ALLOC_IOASID_PGTABLE, &bind_data));
	bind_data.ioasid = 999;
	REFUSED(ENOENT, ioctl(ioasid_fd, IOASID_ALLOC_IOASID_PGTABLE, &bind_data));
	return at_once;
}

static void both_ways(const struct guest_format *f)
{
	uint64_t giova_pgtable = table_new();
	int giova_ioasid, at_once;

	giova_ioasid = bind_pgtable(f, giova_pgtable);
	invalidations(f, giova_ioasid, giova_pgtable);
	at_once = alloc_with_pgtable(f, giova_pgtable);
	MUST(!ioctl(ioasid_fd, IOASID_FREE, giova_ioasid));
	MUST(!ioasid_attach(device_fd2, gpa_ioasid));
	MUST(!ioctl(ioasid_fd, IOASID_FREE, at_once));
}

int main(void)
{
	int label, formats;

	ioasid_fd = open("/dev/ioasid", O_RDWR | O_CLOEXEC);
	MUST(ioasid_fd >= 0);
	guest_memory();
	device_fd1 = device_bind(DEV1, ioasid_fd, &label);
	device_fd2 = device_bind(DEV2, ioasid_fd, &label);
	gpa_ioasid = ioctl(ioasid_fd, IOASID_ALLOC);
	MUST(!ioasid_attach(device_fd1, gpa_ioasid));
	MUST(!ioasid_attach(device_fd2, gpa_ioasid));
	MUST(!dma_map(ioasid_fd, gpa_ioasid, 0, HVA, GUEST_SIZE, 0));
	formats = ioctl(ioasid_fd, IOASID_CHECK_EXTENSION, IOASID_EXT_NESTING_HARDWARE);
	for (size_t i = 0; i < sizeof(guest_formats) / sizeof(guest_formats[0]); i++) {
		MUST(formats & 1 << guest_formats[i].format);
		both_ways(&guest_formats[i]);
	}
	return 0;
}
