/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * R5.3: nesting in software. The kernel merges GIOVA -> GPA with GPA -> memory, through the parent
 * and not through this process, and keeps the merge right when either side changes.
 */
#include "example.h"

static int ioasid_fd, gpa_ioasid, giova_ioasid, device_fd1, device_fd2;

static void before_boot(void)
{
	gpa_ioasid = ioctl(ioasid_fd, IOASID_ALLOC);
	MUST(!ioasid_attach(device_fd1, gpa_ioasid));
	MUST(!ioasid_attach(device_fd2, gpa_ioasid));
	MUST(!dma_map(ioasid_fd, gpa_ioasid, 0, HVA, GUEST_SIZE / 2, 0));
	MUST(!dma_map(ioasid_fd, gpa_ioasid, GUEST_SIZE / 2, HVA + GUEST_SIZE / 2, GUEST_SIZE / 2,
		      0));
}

static void after_boots(void)
{
	uint64_t locked = locked_pages(ioasid_fd);

	/* Make GIOVA space nested on GPA space */
	giova_ioasid = ioctl(ioasid_fd, IOASID_CREATE_NESTING, gpa_ioasid);
	MUST(giova_ioasid > 0);
	/* Attach dev2 to the new address space (child); dev2 is still attached to the parent, and
	 * what it can reach goes from the one to the other with nothing in between */
	MUST(!ioasid_attach(device_fd2, giova_ioasid));
	dma_faults(device_fd2, NO_PASID, 0x2000, 0x7000);
	/* GIOVA -> GPA, merged by the kernel with GPA -> HVA */
	MUST(!dma_map(ioasid_fd, giova_ioasid, 0x2000, 0x1000, PAGE, 0));
	MUST(!dma_map(ioasid_fd, giova_ioasid, 0x7000, 0x4000, PAGE, 0));
	dma_proves(device_fd2, NO_PASID, 0x2000, gpa_to_hva(0x1000), 0x7000, gpa_to_hva(0x4000));
	dma_proves(device_fd1, NO_PASID, 0x1000, gpa_to_hva(0x1000), 0x4000, gpa_to_hva(0x4000));
	MUST(locked_pages(ioasid_fd) == locked);
	SAY("merged: GIOVA 0x2000 is GPA 0x1000; the child has locked nothing");
}

/* No address of this process is involved: its view of the memory may move, and go. */
static void without_a_view(int memory)
{
	uint8_t *view = mmap(NULL, GUEST_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
	MUST(view != MAP_FAILED && !munmap(gpa_to_hva(0), GUEST_SIZE));
	dma_proves(device_fd2, NO_PASID, 0x2000, view + 0x1000, 0x7000, view + 0x4000);
	MUST(!munmap(view, GUEST_SIZE));
	MUST(dma_copy(device_fd2, NO_PASID, 0x7000, 0x2000, PAGE) == 0);
	MUST(mmap((void *)HVA, GUEST_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED_NOREPLACE,
		  memory, 0) == (void *)HVA);
	SAY("it survives the VMM moving its own view, and having none");
}

/* The parent changes under the child: unmapped, mapped to elsewhere, made read-only. */
static void parent_changes(void)
{
	MUST(!dma_unmap(ioasid_fd, gpa_ioasid, 0, GUEST_SIZE / 2));
	dma_faults(device_fd2, NO_PASID, 0x2000, 0x7000);
	MUST(!dma_map(ioasid_fd, gpa_ioasid, 0, HVA + 0x100000, GUEST_SIZE / 4, 0));
	dma_proves(device_fd2, NO_PASID, 0x2000, gpa_to_hva(0x101000), 0x7000,
		   gpa_to_hva(0x104000));
	MUST(!dma_unmap(ioasid_fd, gpa_ioasid, 0, GUEST_SIZE / 4));
	MUST(!dma_map(ioasid_fd, gpa_ioasid, 0, HVA + 0x100000, 0x3000, 0));
	MUST(!dma_map(ioasid_fd, gpa_ioasid, 0x3000, HVA + 0x103000, 0x3000, IOASID_DMA_READ));
	dma_faults(device_fd2, NO_PASID, 0x2000, 0x7000);
	MUST(!dma_map(ioasid_fd, giova_ioasid, 0x9000, 0x2000, PAGE, 0));
	dma_proves(device_fd2, NO_PASID, 0x7000, gpa_to_hva(0x104000), 0x9000,
		   gpa_to_hva(0x102000));
	SAY("the merge follows the parent: unmap, remap, permission");
}

static void what_is_refused(void)
{
	REFUSED(ENOENT, ioctl(ioasid_fd, IOASID_CREATE_NESTING, 999));
	/* not nested twice */
	REFUSED(EINVAL, ioctl(ioasid_fd, IOASID_CREATE_NESTING, giova_ioasid));
	REFUSED(EEXIST, dma_map(ioasid_fd, giova_ioasid, 0x2000, 0x3000, PAGE, 0));
	REFUSED(EINVAL, dma_map(ioasid_fd, giova_ioasid, 0x20001, 0x3000, PAGE, 0));
	REFUSED(EOVERFLOW, dma_map(ioasid_fd, giova_ioasid, 0x20000, -PAGE, 2 * PAGE, 0));
	REFUSED(EBUSY, ioctl(ioasid_fd, IOASID_FREE, gpa_ioasid));	/* it has a child */
	REFUSED(EBUSY, ioctl(ioasid_fd, IOASID_FREE, giova_ioasid));	/* a device is attached */
}

/* A mapping to a GPA that is not there yet becomes one when it is. */
static void child_first(void)
{
	int other = ioctl(ioasid_fd, IOASID_ALLOC_IOASID_NESTED, gpa_ioasid);
	MUST(!dma_map(ioasid_fd, other, 0, 0x300000, 2 * PAGE, 0));
	MUST(!ioasid_attach(device_fd2, other));
	dma_faults(device_fd2, NO_PASID, 0, PAGE);
	MUST(!dma_map(ioasid_fd, gpa_ioasid, 0x300000, HVA + 0x200000, 2 * PAGE, 0));
	dma_proves(device_fd2, NO_PASID, 0, gpa_to_hva(0x200000), PAGE, gpa_to_hva(0x201000));
}

int main(void)
{
	int memory, label;

	ioasid_fd = open("/dev/ioasid", O_RDWR | O_CLOEXEC);
	MUST(ioasid_fd >= 0);
	memory = guest_memory();
	device_fd1 = device_bind(DEV1, ioasid_fd, &label);
	device_fd2 = device_bind(DEV2, ioasid_fd, &label);
	before_boot();
	after_boots();
	without_a_view(memory);
	parent_changes();
	what_is_refused();
	child_first();
	MUST(!ioctl(ioasid_fd, IOASID_FREE, giova_ioasid));
	return 0;
}
