/* SPDX-License-Identifier: BSD-2-Clause */
#include "machine.h"

#include <stdlib.h>

static void test_arena_window(void **state)
{
	const void *page = ram_page();
	uint64_t hpa = phys_of(page);

	(void)state;
	assert_int_equal(hpa, 0x010000000000ull + ((uintptr_t)page - 0x550000000000ull));
	assert_ptr_equal(phys_ram(hpa, 4096), page);
	assert_null(phys_ram(PHYS_MMIO, 4));
	assert_null(phys_ram(0, 4));
	assert_null(phys_ram(PHYS_ARENA_END - 4, 8));
	assert_null(phys_ram(UINT64_MAX, 1));
	assert_true(phys_is_mmio(0x002000000000ull));
	assert_false(phys_is_mmio(0x003000000000ull));
}

static void test_owner_map(void **state)
{
	uint64_t a = phys_of(image_bulk_alloc(6 * PHYS_2M, IMAGE_TYPE_RAM)),
		 base = (a | (PHYS_2M - 1)) + 1;
	uint64_t live = image_live(IMAGE_TYPE_PHYS);

	(void)state;
	assert_int_equal(phys_owner_set(base + 1, 4096, 7), -EINVAL);
	assert_int_equal(phys_owner_set(base, 100, 7), -EINVAL);
	assert_int_equal(phys_owner_set(PHYS_MMIO - 4096, 4096, 7), -EINVAL);
	assert_int_equal(phys_owner_set(PHYS_ARENA_END - 4096, 8192, 7), -EINVAL);
	assert_int_equal(phys_owner_set(base + 0x1ff000, 2 * PHYS_2M, 7),
			 0); /* part, whole, part */
	assert_int_equal(phys_owner(base + 0x1fe000), 0);
	assert_int_equal(phys_owner(base + 0x1ff000), 7);
	assert_int_equal(phys_owner(base + PHYS_2M), 7);
	assert_int_equal(phys_owner(base + 2 * PHYS_2M + 0x1fefff), 7);
	assert_int_equal(phys_owner(base + 2 * PHYS_2M + 0x1ff000), 0);
	assert_int_equal(phys_owner_set(base + PHYS_2M + 0x5000, 0x1000, 9), 0);	/* splits */
	assert_int_equal(phys_owner(base + PHYS_2M + 0x4000), 7);
	assert_int_equal(phys_owner(base + PHYS_2M + 0x5000), 9);
	assert_int_equal(phys_owner(base + PHYS_2M + 0x6000), 7);
	assert_int_equal(phys_owner_set(base, PHYS_2M + 0x100000, 0), 0);	/* by and by */
	assert_int_equal(phys_owner_set(base + PHYS_2M + 0x100000, 2 * PHYS_2M, 0), 0);
	assert_int_equal(phys_owner(base + PHYS_2M), 0);
	assert_int_equal(image_live(IMAGE_TYPE_PHYS), live);	/* the host's takes no memory */
}

static void test_owner_random(void **state)
{
	enum { PAGES = 4096 };
	uint64_t base = phys_of(image_bulk_alloc(PAGES * 4096ull, IMAGE_TYPE_RAM));
	uint32_t model[PAGES] = { 0 };
	unsigned int seed = 1;

	(void)state;
	for (unsigned int round = 0; round < 3000; round++) {
		unsigned int first = (unsigned int)rand_r(&seed) % PAGES;
		unsigned int count = 1 + (unsigned int)rand_r(&seed) % (round % 4 ? 20 : 2000);
		uint32_t owner = (uint32_t)rand_r(&seed) % 3;

		count = count < PAGES - first ? count : PAGES - first;
		assert_int_equal(phys_owner_set(base + first * 4096ull, count * 4096ull, owner), 0);
		for (unsigned int i = first; i < first + count; i++)
			model[i] = owner;
		for (unsigned int i = round % 7; i < PAGES; i += 7)
			assert_int_equal(phys_owner(base + i * 4096ull), model[i]);
	}
}

static void test_R3_5_owner_stops_accesses(void **state)
{
	const uint8_t *ram = image_bulk_alloc(3 * 4096, IMAGE_TYPE_RAM);
	uint64_t hpa = phys_of(ram);
	uint8_t data[4096 * 3], ones[4096];

	(void)state;
	memset(ones, 0xff, sizeof(ones));
	memset(image_bulk_write(ram, 3 * 4096), 0x11, 3 * 4096);
	assert_int_equal(phys_owner_set(hpa + 4096, 4096, 5), 0);
	assert_int_equal(phys_read(hpa, data, sizeof(data), 0), -EACCES);
	assert_int_equal(data[0], 0x11);
	assert_memory_equal(data + 4096, ones, 4096);
	assert_int_equal(data[2 * 4096], 0x11);
	memset(data, 0x22, sizeof(data));
	assert_int_equal(phys_write(hpa, data, sizeof(data), 0), -EACCES);
	assert_int_equal(ram[4095], 0x22);
	assert_int_equal(ram[4096], 0x11);	/* dropped */
	assert_int_equal(ram[8191], 0x11);
	assert_int_equal(ram[8192], 0x22);
	assert_int_equal(phys_write(hpa, data, sizeof(data), 5), 0);
	assert_int_equal(ram[4096], 0x22);
	assert_int_equal(phys_read(hpa + 4096, data, 8, 6), -EACCES);	/* another TEE */
	assert_int_equal(data[7], 0xff);
	assert_int_equal(phys_read(PHYS_MMIO, data, 4, 0), -EFAULT);
	assert_int_equal(phys_read(PHYS_END - 2, data, 4, 0), -EFAULT);
	assert_int_equal(phys_write(PHYS_MMIO, data, 4, 0), -EFAULT);
}

struct clear { uint64_t hpa; bool logged; };

static long clear_and_fail(void *arg)
{
	const struct clear *clear = arg;

	return phys_clear(clear->hpa, 3 * 4096, 5, clear->logged) ? -EACCES : -EIO;
}

static void test_clear(void **state)
{
	const uint8_t *ram = image_bulk_alloc(4 * 4096, IMAGE_TYPE_RAM);
	struct clear clear = { phys_of(ram), true };
	static const uint8_t zero[4096];

	(void)state;
	memset(image_bulk_write(ram, 4096), 0x11, 4096);
	memset(image_bulk_write(ram + 2 * 4096, 2 * 4096), 0x33, 2 * 4096);
	assert_int_equal(phys_clear(clear.hpa + 4096, 4096, 0, true), 0);
	assert_false(image_bulk_written(ram + 4096, 4096));	/* was zero */
	assert_int_equal(phys_owner_set(clear.hpa, 3 * 4096, 5), 0);
	assert_int_equal(phys_clear(clear.hpa, 4 * 4096, 6, true), -EACCES);
	assert_int_equal(ram[0], 0x11);
	assert_memory_equal(ram + 3 * 4096, zero, 4096);	/* nobody's */
	assert_int_equal(image_call(clear_and_fail, &clear), -EIO);
	assert_int_equal(ram[4095], 0x11);			/* undone */
	assert_int_equal(ram[2 * 4096], 0x33);
	clear.logged = false;
	assert_int_equal(image_call(clear_and_fail, &clear), -EIO);
	assert_memory_equal(ram, zero, 4096);
	assert_memory_equal(ram + 2 * 4096, zero, 4096);
	assert_int_equal(phys_clear(PHYS_MMIO, 4096, 0, true), -EFAULT);
	assert_int_equal(phys_clear(PHYS_END - 4096, 8192, 0, true), -EFAULT);
	assert_int_equal(phys_probe(clear.hpa, 4 * 4096, 5), 0);
	assert_int_equal(phys_probe(clear.hpa + 8192, 4096, 6), -EACCES);
	assert_int_equal(phys_probe(PHYS_END - 4096, 8192, 0), -EFAULT);
}

/* Whatever address a wrong host makes up, the simulation itself is out of reach. */
static void test_R3_5_only_host_memory(void **state)
{
	const struct trace_event *event;
	const void *page = image_bulk_alloc(4096, IMAGE_TYPE_RAM);
	struct pt *pt = image_alloc(sizeof(*pt), IMAGE_TYPE_IOMMU_DOMAIN);
	uint8_t data[4096];

	(void)state;
	memset(data, 0x55, sizeof(data));
	trace_note(LANE_ADMIN, LANE_ADMIN, "note", "");
	event = trace_get(trace_first());
	assert_int_equal(pt_init(pt, PT_VTD_SS, 4), 0);
	assert_int_equal(phys_write(PHYS_ARENA, data, 64, 0), -EFAULT);	/* the image's header */
	assert_int_equal(phys_write(phys_of(ep), data, 64, 0), -EFAULT);
	assert_int_equal(ep->rid, EP);
	assert_int_equal(phys_write(phys_of(event), data, 64, 0), -EFAULT);
	assert_int_equal(phys_write(pt->root, data, 64, 0), -EFAULT);
	assert_int_equal(phys_read(pt->root, data + 64, 64, 0), 0);	/* firmware walks them */
	assert_int_equal(data[64], 0);
	memset(data, 0x55, sizeof(data));
	assert_int_equal(phys_write(phys_of(page), data, 4096, 0), 0);
	assert_int_equal(phys_write(phys_of(page) + 4000, data, 200, 0), -EFAULT); /* its end */
	image_bulk_free(page);
	image_commit();
	assert_int_equal(phys_write(phys_of(page), data, 64, 0), -EFAULT);	/* freed */
	assert_int_equal(phys_read(phys_of(page), data, 1, 0), -EFAULT);
	assert_int_equal(data[0], 0xff);
}

static void test_client_windows(void **state)
{
	static uint8_t memory[4 * 4096] __attribute__((aligned(4096)));
	uint64_t a = phys_client(3, 0x7f0000001000), b = phys_client(3, 0x7f0000002000);
	uint64_t other = phys_client(4, 0x7f0000001000), far = phys_client(3, 0x7f0040001000);
	uint8_t data[8192];

	(void)state;
	assert_int_equal(a, 0x100000001000ull);		/* window 0, offset within 1 GiB */
	assert_int_equal(b, a + 4096);
	assert_int_equal(other, 0x100040001000ull);
	assert_int_equal(far, 0x100080001000ull);
	assert_int_equal(phys_client(3, 0x7f0000001000), a);
	assert_null(phys_ram(a, 1));			/* not reachable from here yet */
	assert_int_equal(phys_client_reach(3, 0x7f0000001000, sizeof(memory), memory), 0);
	assert_ptr_equal(phys_ram(b + 5, 1), memory + 4096 + 5);
	assert_null(phys_ram(other, 1));
	assert_null(phys_ram(a, sizeof(memory) + 1));
	memset(data, 0x33, sizeof(data));
	assert_int_equal(phys_write(a, data, sizeof(data), 0), 0);
	assert_int_equal(memory[8191], 0x33);
	assert_int_equal(memory[8192], 0);
	/* a page in the middle goes: what is around it stays */
	assert_int_equal(phys_client_reach(3, 0x7f0000002000, 4096, NULL), 0);
	assert_null(phys_ram(b, 1));
	assert_ptr_equal(phys_ram(b + 4096, 1), memory + 8192);
	assert_ptr_equal(phys_ram(a + 4095, 1), memory + 4095);
	assert_int_equal(phys_read(a, data, 8192, 0), -EFAULT);
	assert_int_equal(data[0], 0x33);
	assert_int_equal(data[4096], 0xff);
	phys_client_forget(3);
	assert_null(phys_ram(a, 1));
	assert_int_equal(phys_client(9, 0), 0x100000000000ull);	/* the freed window */
	assert_int_equal(phys_client_reach(3, 0x7f0000001000, sizeof(memory), NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_arena_window, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_owner_map, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_owner_random, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_R3_5_owner_stops_accesses, machine_up,
						machine_down),
		cmocka_unit_test_setup_teardown(test_R3_5_only_host_memory, machine_up,
						machine_down),
		cmocka_unit_test_setup_teardown(test_clear, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_client_windows, machine_up, machine_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
