/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * R5.5: guest SVA. A space of guest virtual addresses on one device, by a PASID of the guest's,
 * while the device itself stays in the GPA space and the other device in a GIOVA space; then one
 * space shared by two devices, each under a PASID of its own.
 */
#include "tables.h"

#define GPASID1 77u
#define GPASID2 78u

static const struct guest_format *const format = &guest_formats[0];
static int ioasid_fd, device_fd1, device_fd2, gpa_ioasid, giova_ioasid, gva_ioasid;
static uint64_t gva_pgtable1;

static int detach_pasid(int device, uint32_t ioasid, uint32_t pasid)
{
	struct vfio_ioasid_attach at_data = { .ioasid = ioasid, .flag = IOASID_ATTACH_USER_PASID,
					      .user_pasid = pasid };

	return ioctl(device, VFIO_DETACH_IOASID, &at_data);
}

/* Dev1 in gpa, dev2 in giova. */
static void before(void)
{
	gpa_ioasid = ioctl(ioasid_fd, IOASID_ALLOC);
	MUST(!ioasid_attach(device_fd1, gpa_ioasid));
	MUST(!dma_map(ioasid_fd, gpa_ioasid, 0, HVA, GUEST_SIZE, 0));
	giova_ioasid = ioctl(ioasid_fd, IOASID_CREATE_NESTING, gpa_ioasid);
	MUST(!dma_map(ioasid_fd, giova_ioasid, 0x2000, 0x1000, PAGE, 0));
	MUST(!dma_map(ioasid_fd, giova_ioasid, 0x7000, 0x4000, PAGE, 0));
	MUST(!ioasid_attach(device_fd2, giova_ioasid));
}

static void after_boots(void)
{
	struct ioasid_table bind_data = { .format = IOASID_FORMAT_VTD };

	/* Make GVA space nested on GPA space */
	gva_ioasid = ioctl(ioasid_fd, IOASID_CREATE_NESTING, gpa_ioasid);
	/* Attach dev1 to the new address space and specify vPASID */
	MUST(!ioasid_attach_pasid(device_fd1, gva_ioasid, GPASID1));
	dma_faults(device_fd1, GPASID1, 0x2000, 0x7000);	/* no table yet */
	/* Bind guest I/O page table */
	gva_pgtable1 = table_new();
	table_map(format, gva_pgtable1, 0x7f0000002000, 0x8000);
	table_map(format, gva_pgtable1, 0x7f0000007000, 0x9000);
	bind_data.ioasid = gva_ioasid;
	bind_data.addr = gva_pgtable1;
	MUST(!ioctl(ioasid_fd, IOASID_BIND_PGTABLE, &bind_data));
	dma_proves(device_fd1, GPASID1, 0x7f0000002000, gpa_to_hva(0x8000), 0x7f0000007000,
		   gpa_to_hva(0x9000));
	SAY("PASID %u of dev1 is in GVA", GPASID1);

	/* Dev1 without a PASID is still in gpa, dev2 in giova; neither knows the other's
	 * addresses. */
	dma_proves(device_fd1, NO_PASID, 0x1000, gpa_to_hva(0x1000), 0x4000, gpa_to_hva(0x4000));
	dma_proves(device_fd2, NO_PASID, 0x2000, gpa_to_hva(0x1000), 0x7000, gpa_to_hva(0x4000));
	dma_faults(device_fd1, GPASID2, 0x7f0000002000, 0x7f0000007000);
	dma_faults(device_fd1, NO_PASID, 0x7f0000002000, 0x7f0000007000);
}

/* The reviewer's question: different vPASIDs for the same IOASID. */
static void another_pasid(void)
{
	MUST(!ioasid_attach_pasid(device_fd2, gva_ioasid, GPASID2));
	dma_proves(device_fd2, GPASID2, 0x7f0000002000, gpa_to_hva(0x8000), 0x7f0000007000,
		   gpa_to_hva(0x9000));
	dma_faults(device_fd2, GPASID1, 0x7f0000002000, 0x7f0000007000);
	SAY("one space, dev1 by PASID %u and dev2 by PASID %u", GPASID1, GPASID2);
	/* One invalidation reaches what both have cached. */
	table_map(format, gva_pgtable1, 0x7f0000007000, 0xa000);
	MUST(!invalidate(ioasid_fd, gva_ioasid, 0x7f0000007000, PAGE));
	dma_proves(device_fd1, GPASID1, 0x7f0000002000, gpa_to_hva(0x8000), 0x7f0000007000,
		   gpa_to_hva(0xa000));
	dma_proves(device_fd2, GPASID2, 0x7f0000002000, gpa_to_hva(0x8000), 0x7f0000007000,
		   gpa_to_hva(0xa000));
}

static void what_is_refused(void)
{
	struct vfio_ioasid_attach detach = { .ioasid = gva_ioasid, .flag = 2 };

	REFUSED(EINVAL, ioasid_attach_pasid(device_fd1, gva_ioasid, 1 << 20));
	REFUSED(ENOENT, ioasid_attach_pasid(device_fd1, 999, GPASID1));
	REFUSED(EBUSY, ioctl(ioasid_fd, IOASID_FREE, gva_ioasid));
	REFUSED(EINVAL, ioctl(device_fd1, VFIO_DETACH_IOASID, &detach));
	REFUSED(ENOENT, detach_pasid(device_fd1, gva_ioasid, GPASID2));		/* dev2's */
	REFUSED(ENOENT, detach_pasid(device_fd1, giova_ioasid, GPASID1));	/* elsewhere */
}

/* A PASID moves to another space with nothing in between, and leaves by a detach. */
static void pasid_moves(void)
{
	int other = ioctl(ioasid_fd, IOASID_CREATE_NESTING, gpa_ioasid);
	MUST(!dma_map(ioasid_fd, other, 0, 0xb000, 2 * PAGE, 0));
	MUST(!ioasid_attach_pasid(device_fd1, other, GPASID1));
	dma_proves(device_fd1, GPASID1, 0, gpa_to_hva(0xb000), PAGE, gpa_to_hva(0xc000));
	MUST(!detach_pasid(device_fd1, other, GPASID1));
	dma_faults(device_fd1, GPASID1, 0, PAGE);
	dma_proves(device_fd1, NO_PASID, 0x1000, gpa_to_hva(0x1000), 0x4000, gpa_to_hva(0x4000));
}

int main(void)
{
	int label;

	ioasid_fd = open("/dev/ioasid", O_RDWR | O_CLOEXEC);
	MUST(ioasid_fd >= 0);
	guest_memory();
	device_fd1 = device_bind(DEV1, ioasid_fd, &label);
	device_fd2 = device_bind(DEV2, ioasid_fd, &label);
	before();
	after_boots();
	another_pasid();
	what_is_refused();
	pasid_moves();
	return 0;
}
