/* SPDX-License-Identifier: BSD-2-Clause */
#include "machine.h"

#define TEE 11u
#define SHARED (1ull << 47)

static struct vcpu_hw *vcpu;
static const uint8_t *ram;

/* GPA 0x5000 and 0x6000 are RAM, 0x7000 is BAR0 of the device, 0x8000 read-only RAM. */
static void vcpu_setup(uint32_t owner)
{
	struct pt *ept = image_alloc(sizeof(*ept), IMAGE_TYPE_KVM);

	ram = image_bulk_alloc(4 * 4096, IMAGE_TYPE_RAM);
	vcpu = image_alloc(sizeof(*vcpu), IMAGE_TYPE_KVM_VCPU);
	assert_int_equal(pt_init(ept, PT_EPT, 4), 0);
	assert_int_equal(pt_map(ept, 0x5000, phys_of(ram), 0x2000, PT_R | PT_W | PT_X), 0);
	assert_int_equal(pt_map(ept, 0x7000, BAR0, 0x1000, PT_R | PT_W | PT_UC), 0);
	assert_int_equal(pt_map(ept, 0x8000, phys_of(ram) + 0x2000, 0x1000, PT_R), 0);
	vcpu->ept = ept;
	vcpu->tee_owner = owner;
	vcpu->gpa_bits = 48;
	vcpu->tee_root = 0x010000100000ull;
	trusted_root = vcpu->tee_root;
	trusted_gpa = 0x5000;
	trusted_hpa = phys_of(ram) + 0x3000;
	trusted_owner = owner;
}

static void test_host_accesses(void **state)
{
	uint8_t data[8];

	(void)state;
	vcpu_setup(0);
	assert_int_equal(cpu_host_write(phys_of(ram), "12345678", 8), 0);
	assert_int_equal(cpu_host_read(phys_of(ram) + 2, data, 4), 0);
	assert_memory_equal(data, "3456", 4);
	assert_int_equal(cpu_host_read(BAR0 + 0x20, data, 4), 0);
	assert_int_equal(data[0], 0x20);
	assert_int_equal(cpu_host_read(PHYS_MMIO, data, 4), -EIO);
	assert_int_equal(data[0], 0xff);
	assert_int_equal(cpu_host_read(0, data, 4), -EFAULT);
	assert_int_equal(phys_owner_set(phys_of(ram), 4096, TEE), 0);
	assert_int_equal(cpu_host_read(phys_of(ram), data, 4), -EACCES);
	assert_int_equal(cpu_host_write(phys_of(ram), "x", 1), -EACCES);
	assert_int_equal(ram[0], '1');
}

static void test_ordinary_guest(void **state)
{
	uint8_t data[8];

	(void)state;
	vcpu_setup(0);
	assert_int_equal(cpu_guest_write(vcpu, 0x5ffc, "12345678", 8), 0); /* over a page's end */
	assert_memory_equal(ram + 0xffc, "12345678", 8);
	assert_int_equal(cpu_guest_read(vcpu, 0x7010, data, 4), 0);
	assert_int_equal(data[0], 0x10);
	assert_false(seen.t);
	assert_int_equal(cpu_guest_read(vcpu, 0x9010, data, 4), -EAGAIN);
	assert_int_equal(vcpu->exit.reason, CPU_EXIT_EPT_VIOLATION);
	assert_int_equal(vcpu->exit.gpa, 0x9010);
	assert_int_equal(vcpu->exit.len, 4);
	assert_false(vcpu->exit.write);
	assert_false(vcpu->exit.is_private);
	assert_int_equal(cpu_guest_write(vcpu, 0x8010, "\x11\x22\x33\x44", 4),
			 -EAGAIN); /* read-only */
	assert_true(vcpu->exit.write);
	assert_int_equal(vcpu->exit.data, 0x44332211);
	assert_int_equal(cpu_guest_read(vcpu, 0x8010, data, 4), 0);
	admit_answer = TLP_UR;
	assert_int_equal(cpu_guest_read(vcpu, 0x7010, data, 4), -EIO);
	assert_int_equal(data[0], 0xff);
	image_log(&vcpu->ept, sizeof(vcpu->ept));
	vcpu->ept = NULL;
	assert_int_equal(cpu_guest_read(vcpu, 0x5000, data, 4), -EAGAIN);
}

static void test_emulated_device(void **state)
{
	uint8_t data[4] = { 0 };

	(void)state;
	vcpu_setup(0);
	assert_int_equal(cpu_guest_read(vcpu, 0x9010, data, 4), -EAGAIN);
	vcpu->exit.reason = CPU_EXIT_MMIO;			/* what KVM does with it */
	vcpu->exit.data = 0xddccbbaa;
	assert_int_equal(cpu_guest_read(vcpu, 0x9014, data, 4), -EAGAIN); /* not this access */
	vcpu->exit = (struct cpu_exit_info){
		.reason = CPU_EXIT_MMIO, .gpa = 0x9010, .len = 4, .data = 0xddccbbaa
	};
	assert_int_equal(cpu_guest_read(vcpu, 0x9010, data, 4), 0);
	assert_memory_equal(data, "\xaa\xbb\xcc\xdd", 4);
	assert_int_equal(cpu_guest_read(vcpu, 0x9010, data, 4), -EAGAIN);	/* once */
	assert_int_equal(cpu_guest_write(vcpu, 0x9010, data, 4), -EAGAIN);
	vcpu->exit.reason = CPU_EXIT_MMIO;
	assert_int_equal(cpu_guest_write(vcpu, 0x9010, data, 4), 0);
}

static void test_R3_5_private_memory(void **state)
{
	uint8_t data[4];

	(void)state;
	vcpu_setup(TEE);
	assert_int_equal(phys_owner_set(trusted_hpa, 4096, TEE), 0);
	assert_int_equal(cpu_guest_write(vcpu, 0x5000, "priv", 4), 0);
	assert_int_equal(cpu_guest_write(vcpu, 0x5000 | SHARED, "shar", 4), 0);
	assert_memory_equal(ram + 0x3000, "priv", 4);
	assert_memory_equal(ram, "shar", 4);
	assert_int_equal(cpu_guest_read(vcpu, 0x6000, data, 4), -EAGAIN); /* in the EPT only */
	assert_true(vcpu->exit.is_private);
	assert_int_equal(vcpu->exit.gpa, 0x6000);
	assert_int_equal(cpu_guest_read(vcpu, 0x9000 | SHARED, data, 4), -EAGAIN);
	assert_false(vcpu->exit.is_private);
	assert_int_equal(vcpu->exit.gpa, 0x9000);		/* without the bit */
	/* a page that became another TEE's gives ones */
	assert_int_equal(phys_owner_set(trusted_hpa, 4096, TEE + 1), 0);
	assert_int_equal(cpu_guest_read(vcpu, 0x5000, data, 4), -EIO);
	assert_int_equal(data[0], 0xff);
}

static void test_R3_5_owned_mmio(void **state)
{
	uint8_t data[4];

	(void)state;
	vcpu_setup(TEE);
	trusted_hpa = BAR0;
	stream_up(5);
	assert_int_equal(phys_owner_set(BAR0, 4096, TEE), 0);
	assert_int_equal(phys_owner_set(PHYS_MMIO_END - 4096, 8192, TEE), -EINVAL);
	assert_int_equal(cpu_host_read(BAR0 + 4, data, 4), -EACCES);
	assert_int_equal(data[0], 0xff);
	assert_int_equal(cpu_host_write(BAR0 + 4, data, 4), -EACCES);
	assert_int_equal(seen.mmio, 0);
	assert_int_equal(cpu_guest_read(vcpu, 0x5004, data, 4), 0);	/* its owner's */
	assert_int_equal(data[0], 4);
	assert_int_equal(phys_owner_set(BAR0, 4096, TEE + 1), 0);
	assert_int_equal(cpu_guest_read(vcpu, 0x5004, data, 4), -EIO);
	assert_int_equal(phys_owner_set(BAR0, 4096, 0), 0);
	assert_int_equal(cpu_host_read(BAR0 + 4, data, 4), 0);
}

static void test_R3_5_private_mmio_is_T1(void **state)
{
	uint8_t data[4];

	(void)state;
	vcpu_setup(TEE);
	trusted_hpa = BAR0;
	assert_int_equal(cpu_guest_read(vcpu, 0x5004, data, 4), -EIO);	/* no stream */
	assert_int_equal(seen.mmio, 0);
	stream_up(5);
	assert_int_equal(cpu_guest_read(vcpu, 0x5004, data, 4), 0);
	assert_true(seen.t);
	assert_int_equal(data[0], 4);
	assert_int_equal(cpu_guest_read(vcpu, 0x7004 | SHARED, data, 4), 0);
	assert_false(seen.t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_host_accesses, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_ordinary_guest, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_emulated_device, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_R3_5_private_memory, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_R3_5_owned_mmio, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_R3_5_private_mmio_is_T1, machine_up,
						machine_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
