/* SPDX-License-Identifier: BSD-2-Clause */
/* The CPU's accesses: the host's by host-physical address, a guest's through its tables. */
#include "hardware/cpu.h"
#include "hardware/hardware.h"
#include "hardware/iommu.h"
#include "hardware/platform.h"

#include <errno.h>

/* One access within a page to what is at an HPA. */
static int access_hpa(uint64_t hpa, uint8_t *data, uint64_t len, bool write, bool t, uint32_t owner)
{
	struct tlp tlp = { .type = write ? TLP_MEM_WRITE : TLP_MEM_READ,
			   .t = t,
			   .stream = TLP_NO_STREAM,
			   .pasid = TLP_NO_PASID,
			   .address = hpa,
			   .len = len,
			   .data = data };

	if (phys_is_mmio(hpa)) {
		if (phys_owned_by_other(hpa, owner)) {
			if (!write)
				memset(data, 0xff, len);
			return -EACCES;
		}
		return tlp_mmio(&tlp) == TLP_SC ? 0 : -EIO;
	}
	return write ? phys_write(hpa, data, len, owner) : phys_read(hpa, data, len, owner);
}

static int host_access(uint64_t hpa, uint8_t *data, uint64_t len, bool write)
{
	int result = 0;

	if (!phys_is_mmio(hpa))
		return access_hpa(hpa, data, len, write, false,
				  write ? 0 : platform_host_reader(hpa));
	for (uint64_t run; len; hpa += run, data += run, len -= run) {
		int rc;

		run = PHYS_PAGE - hpa % PHYS_PAGE;
		run = run < len ? run : len;
		rc = access_hpa(hpa, data, run, write, false, 0);
		result = result ? result : rc;
	}
	return result;
}

int cpu_host_read(uint64_t hpa, void *to, uint64_t len)
{
	return host_access(hpa, to, len, false);
}

int cpu_host_write(uint64_t hpa, const void *from, uint64_t len)
{
	return host_access(hpa, (uint8_t *)(uintptr_t)from, len, true);	/* only read */
}

/* -- a guest --------------------------------------------------------------------------------- */

struct guest_access {
	uint64_t gpa;		/* without the SHARED bit */
	uint8_t *data;
	uint32_t len;		/* within a page */
	bool write, is_private;
};

static uint64_t shared_bit(const struct vcpu_hw *vcpu)
{
	return vcpu->tee_owner && vcpu->gpa_bits ? 1ull << (vcpu->gpa_bits - 1) : 0;
}

static int leave(const struct vcpu_hw *vcpu, const struct guest_access *a)
{
	struct cpu_exit_info *exit = image_write(&vcpu->exit);

	*exit = (struct cpu_exit_info){ .reason = CPU_EXIT_EPT_VIOLATION,
					.gpa = a->gpa,
					.len = a->len,
					.write = a->write,
					.is_private = a->is_private };
	if (a->write) {
		struct reader r = reader_of(a->data, a->len < 8 ? a->len : 8);

		exit->data = get_le(&r, r.len);
	}
	return -EAGAIN;
}

/* KVM emulated this very access since the exit it caused. */
static bool emulated(const struct vcpu_hw *vcpu, const struct guest_access *a)
{
	const struct cpu_exit_info *exit = &vcpu->exit;
	struct writer w;

	if (exit->reason != CPU_EXIT_MMIO || exit->gpa != a->gpa || exit->len != a->len ||
	    exit->write != a->write)
		return false;
	if (!a->write) {
		w = writer_of(a->data, a->len);
		put_le(&w, exit->data, a->len < 8 ? a->len : 8);
	}
	hw_set(&vcpu->exit.reason, CPU_EXIT_NONE);
	return true;
}

static int guest_page(const struct vcpu_hw *vcpu, const struct guest_access *a)
{
	struct pt_leaf leaf;
	uint32_t owner = a->is_private ? vcpu->tee_owner : 0;
	uint64_t gpa = a->gpa;
	int rc = -ENOENT;

	if (emulated(vcpu, a))
		return 0;
	if (a->is_private)
		rc = trusted_walk(vcpu->tee_root, a->gpa, &leaf, &owner);
	else if (vcpu->ept)
		rc = pt_walk(vcpu->ept, a->gpa, &leaf);
	else if (shared_bit(vcpu))
		rc = trusted_walk(vcpu->tee_root, gpa |= shared_bit(vcpu), &leaf, &owner);
	if (rc == -EACCES) {
		if (!a->write)
			memset(a->data, 0xff, a->len);
		return -EIO;
	}
	if (rc || !(leaf.prot & (a->write ? PT_W : PT_R)))
		return leave(vcpu, a);
	rc = access_hpa(leaf.hpa + (gpa - leaf.address), a->data, a->len, a->write,
			a->is_private, owner);
	return rc ? -EIO : 0;
}

static int guest_access(const struct vcpu_hw *vcpu, uint64_t gpa, uint8_t *data, uint64_t len,
			bool write)
{
	uint64_t shared = shared_bit(vcpu);
	struct guest_access a = { .gpa = gpa & ~shared, .data = data, .write = write,
				  .is_private = shared && !(gpa & shared) };
	int result = 0;

	for (; len; a.gpa += a.len, a.data += a.len, len -= a.len) {
		uint64_t page = PHYS_PAGE - a.gpa % PHYS_PAGE;
		int rc;

		a.len = (uint32_t)(page < len ? page : len);
		rc = guest_page(vcpu, &a);
		if (rc == -EAGAIN)
			return rc;
		result = result ? result : rc;
	}
	return result;
}

int cpu_guest_read(const struct vcpu_hw *vcpu, uint64_t gpa, void *to, uint64_t len)
{
	return guest_access(vcpu, gpa, to, len, false);
}

int cpu_guest_write(const struct vcpu_hw *vcpu, uint64_t gpa, const void *from, uint64_t len)
{
	return guest_access(vcpu, gpa, (uint8_t *)(uintptr_t)from, len, true);	/* only read */
}
