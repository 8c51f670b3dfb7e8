/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * R5.5 on a mediated device: the guest's PASIDs are not those on the wire. The host has its own,
 * KVM translates the one into the other for ENQCMD, and a physical device is not to be reached that
 * way.
 */
#include "swtio/uapi/kvm.h"
#include "tables.h"

#define GPASID1 77u
#define MDEV "/dev/vfio/devices/mdev0"

static const struct guest_format *const format = &guest_formats[0];
static int ioasid_fd, vm, mdev, label, gpa_ioasid, gva_ioasid;

static int enqcmd(int device, uint32_t guest_pasid, uint64_t src, uint64_t dst)
{
	struct kvm_enqcmd command = { .device_fd = device, .guest_pasid = guest_pasid, .src = src,
				      .dst = dst, .len = PAGE };

	return ioctl(vm, KVM_ENQCMD, &command);
}

/* KVM_MAP_PASID or KVM_UNMAP_PASID for the space of guest virtual addresses. */
static int translation(unsigned long call, int fd, uint32_t guest_pasid)
{
	struct kvm_ioasid_pasid pa_data = { .ioasid_fd = fd, .ioasid = gva_ioasid,
					    .guest_pasid = guest_pasid };

	return ioctl(vm, call, &pa_data);
}

/* The same calls as for a physical device; its label matches a requester id and PASID. */
static void attach_by_pasid(void)
{
	struct ioasid_table table = { .format = IOASID_FORMAT_VTD };

	mdev = open(MDEV, O_RDWR | O_CLOEXEC);
	MUST(mdev >= 0);
	label = ioctl(mdev, VFIO_BIND_IOASID_FD, ioasid_fd);
	MUST(label > 0);
	gpa_ioasid = ioctl(ioasid_fd, IOASID_ALLOC);
	MUST(!dma_map(ioasid_fd, gpa_ioasid, 0, HVA, GUEST_SIZE, 0));
	MUST(!ioasid_attach(mdev, gpa_ioasid));
	dma_proves(mdev, NO_PASID, 0x1000, gpa_to_hva(0x1000), 0x4000, gpa_to_hva(0x4000));
	table.ioasid = gpa_ioasid;
	table.addr = table_new();
	table_map(format, table.addr, 0x2000, 0x1000);
	table_map(format, table.addr, 0x7000, 0x5000);
	gva_ioasid = ioctl(ioasid_fd, IOASID_ALLOC_IOASID_PGTABLE, &table);
	MUST(!ioasid_attach_pasid(mdev, gva_ioasid, GPASID1));
	dma_proves(mdev, GPASID1, 0x2000, gpa_to_hva(0x1000), 0x7000, gpa_to_hva(0x5000));
	dma_faults(mdev, GPASID1 + 1, 0x2000, 0x7000);
	SAY("mediated device, label %d: GVA by the guest's PASID %u", label, GPASID1);
}

/* dev1 is an ENQCMD-capable mdev: update the CPU's PASID translation through KVM */
static void enqcmd_by_kvm(void)
{
	REFUSED(ENOENT, enqcmd(mdev, GPASID1, 0x2000, 0x7000));
	MUST(!translation(KVM_MAP_PASID, ioasid_fd, GPASID1));
	memset(gpa_to_hva(0x5000), 0, PAGE);
	MUST(enqcmd(mdev, GPASID1, 0x2000, 0x7000) == 0);
	MUST(!memcmp(gpa_to_hva(0x1000), gpa_to_hva(0x5000), PAGE));
	SAY("ENQCMD with the guest's PASID %u reached GVA", GPASID1);
}

/* A fault is told with the guest's PASID, not with the one on the wire. */
static void fault_of_the_guests_pasid(void)
{
	struct ioasid_fault_setup setup = { .entries = 4, .eventfd = -1 };
	const struct ioasid_fault_ring *ring;

	MUST(!ioctl(ioasid_fd, IOASID_FAULT_SETUP, &setup));
	ring = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, ioasid_fd, 0);
	MUST(ring != MAP_FAILED);
	MUST(enqcmd(mdev, GPASID1, 0x2000, 0x9000) == STATUS_BUSY);
	MUST(ring->head == 1 && ring->fault[0].label == (uint32_t)label);
	MUST(ring->fault[0].flags & IOASID_FAULT_PASID && ring->fault[0].pasid == GPASID1);
	MUST(ring->fault[0].ioasid == (uint32_t)gva_ioasid);
}

static void what_is_refused(void)
{
	int label2, device_fd2 = device_bind(DEV2, ioasid_fd, &label2);

	REFUSED(EEXIST, translation(KVM_MAP_PASID, ioasid_fd, GPASID1));
	/* a physical device, and one that is attached by the PASID as well */
	REFUSED(EINVAL, enqcmd(device_fd2, GPASID1, 0x2000, 0x7000));
	MUST(!ioasid_attach_pasid(device_fd2, gva_ioasid, GPASID1 + 1));
	REFUSED(ENOENT, translation(KVM_MAP_PASID, ioasid_fd, GPASID1 + 1));
	REFUSED(EINVAL, translation(KVM_MAP_PASID, ioasid_fd, 1 << 20));
	REFUSED(ENOENT, translation(KVM_UNMAP_PASID, ioasid_fd, 5));
	REFUSED(EBADFD, translation(KVM_MAP_PASID, vm, 5));
	MUST(!translation(KVM_UNMAP_PASID, ioasid_fd, GPASID1));
	REFUSED(ENOENT, enqcmd(mdev, GPASID1, 0x2000, 0x7000));
	REFUSED(EINVAL, ioctl(mdev, VFIO_BIND_IOASID_FD, ioasid_fd));
}

int main(void)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	ioasid_fd = open("/dev/ioasid", O_RDWR | O_CLOEXEC);
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	MUST(ioasid_fd >= 0 && vm >= 0);
	close(kvm);
	guest_memory();
	attach_by_pasid();
	enqcmd_by_kvm();
	fault_of_the_guests_pasid();
	what_is_refused();
	return 0;
}
