/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * R5.2: two spaces without nesting. The VMM emulates an IOMMU: on each invalidation that the guest
 * makes it walks the guest's table and brings the shadow mappings of giova_ioasid up to date.
 */
#include "tables.h"

static int ioasid_fd, gpa_ioasid, giova_ioasid, device_fd1, device_fd2;
static const struct guest_format *const format = &guest_formats[0];

/* The vIOMMU: the guest said that this page of its table has changed. */
static void viommu_invalidation(uint64_t root, uint64_t giova)
{
	uint64_t e = *table_entry(format, root, giova);

	dma_unmap(ioasid_fd, giova_ioasid, giova, PAGE);
	if (e & 1)
		MUST(!dma_map(ioasid_fd, giova_ioasid, giova,
			      HVA + (e & 0x000ffffffffff000ull), PAGE, 0));
}

static void before_boot(void)
{
	/* Attach dev1 and dev2 to gpa_ioasid */
	gpa_ioasid = ioctl(ioasid_fd, IOASID_ALLOC);
	MUST(!ioasid_attach(device_fd1, gpa_ioasid));
	MUST(!ioasid_attach(device_fd2, gpa_ioasid));
	/* Setup GPA mapping */
	MUST(!dma_map(ioasid_fd, gpa_ioasid, 0, HVA, GUEST_SIZE, 0));
}

/* After boot, guest enables an GIOVA space for dev2 */
static void after_boot(void)
{
	giova_ioasid = ioctl(ioasid_fd, IOASID_ALLOC);
	/* First detach dev2 from previous address space */
	MUST(!ioasid_detach(device_fd2, gpa_ioasid));
	dma_faults(device_fd2, NO_PASID, 0x1000, 0x3000);	/* the window: it reaches nothing */
	/* Then attach dev2 to the new address space */
	MUST(!ioasid_attach(device_fd2, giova_ioasid));
	dma_faults(device_fd2, NO_PASID, 0x2000, 0x3000);
}

static void shadow(void)
{
	uint64_t root = table_new();

	/* GIOVA (0x2000) -> GPA (0x1000) -> HVA (0x40001000), and another for the other end */
	table_map(format, root, 0x2000, 0x1000);
	viommu_invalidation(root, 0x2000);
	table_map(format, root, 0x7000, 0x4000);
	viommu_invalidation(root, 0x7000);
	dma_proves(device_fd2, NO_PASID, 0x2000, gpa_to_hva(0x1000), 0x7000, gpa_to_hva(0x4000));
	dma_proves(device_fd1, NO_PASID, 0x1000, gpa_to_hva(0x1000), 0x4000, gpa_to_hva(0x4000));
	SAY("dev2 in giova, dev1 still in gpa; bytes at GIOVA 0x7000 are those of GIOVA 0x2000");

	/* The guest moves a page: nothing changes until it says so, and then the shadow follows. */
	table_map(format, root, 0x7000, 0x5000);
	dma_proves(device_fd2, NO_PASID, 0x2000, gpa_to_hva(0x1000), 0x7000, gpa_to_hva(0x4000));
	viommu_invalidation(root, 0x7000);
	dma_proves(device_fd2, NO_PASID, 0x2000, gpa_to_hva(0x1000), 0x7000, gpa_to_hva(0x5000));
	*table_entry(format, root, 0x7000) = 0;
	viommu_invalidation(root, 0x7000);
	dma_faults(device_fd2, NO_PASID, 0x2000, 0x7000);
}

static void what_is_refused(void)
{
	struct ioasid_memory mem_info = { .vaddr = HVA, .size = GUEST_SIZE };

	REFUSED(EEXIST, ioctl(ioasid_fd, IOASID_REGISTER_MEMORY, &mem_info));
	REFUSED(EBUSY, ioctl(ioasid_fd, IOASID_UNREGISTER_MEMORY, &mem_info));
	mem_info.size = PAGE;
	REFUSED(ENOENT, ioctl(ioasid_fd, IOASID_UNREGISTER_MEMORY, &mem_info));
	mem_info.vaddr = HVA + 1;
	REFUSED(EINVAL, ioctl(ioasid_fd, IOASID_REGISTER_MEMORY, &mem_info));
	REFUSED(ENOENT, ioasid_detach(device_fd2, gpa_ioasid));
	REFUSED(EEXIST, dma_map(ioasid_fd, giova_ioasid, 0x2000, HVA, PAGE, 0));
	REFUSED(EINVAL, invalidate(ioasid_fd, giova_ioasid, 0, 0));	/* it has no guest table */
}

int main(void)
{
	struct ioasid_memory mem_info = { .vaddr = HVA, .size = GUEST_SIZE };
	uint64_t locked;
	int label;

	ioasid_fd = open("/dev/ioasid", O_RDWR | O_CLOEXEC);
	MUST(ioasid_fd >= 0);
	guest_memory();
	device_fd1 = device_bind(DEV1, ioasid_fd, &label);
	device_fd2 = device_bind(DEV2, ioasid_fd, &label);
	/* pre-register the virtual address range for accounting */
	locked = locked_pages(ioasid_fd);
	MUST(!ioctl(ioasid_fd, IOASID_REGISTER_MEMORY, &mem_info));
	MUST(locked_pages(ioasid_fd) == locked + GUEST_SIZE / PAGE);
	before_boot();
	after_boot();
	shadow();
	/* Registered once, mapped in two spaces, counted once. */
	MUST(locked_pages(ioasid_fd) == locked + GUEST_SIZE / PAGE);
	what_is_refused();

	MUST(!dma_unmap(ioasid_fd, giova_ioasid, 0x2000, PAGE));
	MUST(!dma_unmap(ioasid_fd, gpa_ioasid, 0, GUEST_SIZE));
	MUST(!ioctl(ioasid_fd, IOASID_UNREGISTER_MEMORY, &mem_info));
	MUST(locked_pages(ioasid_fd) == locked);
	return 0;
}
