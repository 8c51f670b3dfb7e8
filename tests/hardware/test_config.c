/* SPDX-License-Identifier: BSD-2-Clause */
#include "machine.h"

static void test_masks(void **state)
{
	(void)state;
	assert_int_equal(config_read(EP, 0, 4), 0x7e101d10);
	config_write(EP, 0, 4, 0xffffffff);			/* ids are read-only */
	assert_int_equal(config_read(EP, 0, 4), 0x7e101d10);
	config_write(EP, 0x04, 2, 0xffff);
	assert_int_equal(config_read(EP, 0x04, 2), 0x0547);
	assert_int_equal(seen.offset, 0x04);
	assert_int_equal(seen.old, 0x0006);
	assert_int_equal(seen.new, 0x0547);
	config_write(EP, 0x05, 1, 0x00);			/* one byte of it */
	assert_int_equal(config_read(EP, 0x04, 2), 0x0047);
	assert_int_equal(config_read(EP, 0x02, 4), 0xffffffff);	/* not aligned */
	assert_int_equal(config_read(EP, 0x1000, 4), 0xffffffff);
	assert_int_equal(config_read(0x0500, 0, 2), 0xffff);	/* nobody */
	assert_int_equal(config_read(0x0500, 0, 1), 0xff);
}

static void test_w1c(void **state)
{
	(void)state;
	config_set(ep, 0x06, 2, 0xf010, 0);
	config_set_w1c(ep, 0x06, 2, 0xf900);
	config_write(EP, 0x04, 4, 0x40100006);
	assert_int_equal(config_read(EP, 0x06, 2), 0xb010);
	assert_int_equal(config_read(EP, 0x04, 2), 0x0006);
}

static void test_capability_lists(void **state)
{
	(void)state;
	assert_int_equal(config_read(EP, 0x06, 2) & 0x10, 0x10);
	assert_int_equal(config_read(EP, 0x34, 1), 0x40);
	assert_int_equal(ep->cap_pm, 0x40);
	assert_int_equal(config_read(EP, 0x40, 2), 0x4801);	/* PM, next at 0x48 */
	assert_int_equal(ep->cap_pcie, 0x48);
	assert_int_equal(config_read(EP, 0x48, 2), 0x0010);	/* PCIe, the last */
	assert_int_equal(ep->cap_doe, 0x100);
	assert_int_equal(config_read(EP, 0x100, 4), 0x1182002e);
	assert_int_equal(ep->cap_ide, 0x118);
	/* 0x0c + 2 * (20 + 12) = 0x4c bytes */
	assert_int_equal(config_read(EP, 0x118, 4), 0x16410030);
	assert_int_equal(ep->cap_sriov, 0x164);
	assert_int_equal(config_read(EP, 0x164, 4), 0x00010010);
	assert_int_equal(config_add_cap(ep, 9, 0x100), 0);	/* no room */
	assert_int_equal(config_add_ext_cap(ep, 9, 1, 0x1000), 0);
}

static void test_bar_sizing(void **state)
{
	(void)state;
	assert_int_equal(config_read(EP, 0x10, 4), 0x01000004);	/* 64-bit */
	assert_int_equal(config_read(EP, 0x14, 4), 0x20);
	assert_int_equal(config_read(EP, 0x18, 4), 0x0200000c);	/* 64-bit, prefetchable */
	config_write(EP, 0x04, 2, 0x0004);
	config_write(EP, 0x10, 4, 0xffffffff);
	config_write(EP, 0x14, 4, 0xffffffff);
	config_write(EP, 0x18, 4, 0xffffffff);
	assert_int_equal(config_read(EP, 0x10, 4), 0xffff0004);	/* 64 KiB */
	assert_int_equal(config_read(EP, 0x14, 4), 0xffffffff);
	assert_int_equal(config_read(EP, 0x18, 4), 0xffe0000c);	/* 2 MiB */
	config_write(EP, 0x20, 4, 0xffffffff);			/* not there */
	assert_int_equal(config_read(EP, 0x20, 4), 0);
	assert_int_equal(function_add_bar(ep, 5, 4096, true, false, NULL), -EINVAL);
	assert_int_equal(function_add_bar(ep, 4, 6000, true, false, NULL), -EINVAL);
	assert_int_equal(function_add_bar(ep, 0, 4096, true, false, NULL), -EINVAL);
	assert_int_equal(function_add_bar(ep, 6, 4096, false, false, NULL), -EINVAL);
}

static void test_decode(void **state)
{
	unsigned int bar = 9;
	uint64_t offset = 9;

	(void)state;
	assert_ptr_equal(function_at(BAR0 + 0x123, &bar, &offset), ep);
	assert_int_equal(bar, 0);
	assert_int_equal(offset, 0x123);
	assert_ptr_equal(function_at(BAR2 + 0x1fffff, &bar, &offset), ep);
	assert_int_equal(bar, 2);
	assert_null(function_at(BAR0 + 0x10000, &bar, &offset));
	assert_null(function_at(BAR0 - 1, &bar, &offset));
	config_write(EP, 0x04, 2, 0x0004);			/* memory space off */
	assert_int_equal(seen.moved, 1);
	assert_null(function_at(BAR0, &bar, &offset));
	machine_bar(EP, 0x10, BAR0 + 0x10000);
	assert_int_equal(seen.moved, 1);			/* off: nothing moves */
	config_write(EP, 0x04, 2, 0x0006);
	assert_int_equal(seen.moved, 2);
	assert_null(function_at(BAR0, &bar, &offset));
	assert_ptr_equal(function_at(BAR0 + 0x10000, &bar, &offset), ep);
	machine_bar(EP, 0x10, 0x1000000);			/* outside of the MMIO window */
	assert_null(function_at(0x1000000, &bar, &offset));
}

static void test_power_state(void **state)
{
	unsigned int bar;
	uint64_t offset;

	(void)state;
	config_write(EP, 0x44, 2, 3);				/* D3hot */
	assert_null(function_at(BAR0, &bar, &offset));
	assert_int_equal(config_read(EP, 0, 2), 0x1d10);
	assert_int_equal(seen.resets, 0);
	config_write(EP, 0x44, 2, 0); /* no No_Soft_Reset: state is lost */
	assert_int_equal(seen.resets, 1);
	assert_int_equal(config_read(EP, 0x04, 2), 0);
}

static void test_flr(void **state)
{
	(void)state;
	config_write(EP, 0x48 + 8, 2, 0x0800);
	assert_int_equal(seen.resets, 0);
	stream_up(3);
	config_write(EP, 0x48 + 8, 2, 0x8000);
	assert_int_equal(seen.resets, 1);
	assert_int_equal(seen.reset, RESET_FLR);
	assert_int_equal(config_read(EP, 0x48 + 8, 2), 0x2810);	/* as after power-on, bit reads 0 */
	assert_int_equal(config_read(EP, 0x04, 2), 0);
	assert_int_equal(config_read(EP, 0x10, 4), 0x00000004);
	assert_true(ide_secure(EP, 3));				/* an FLR leaves IDE alone */
	assert_int_equal(config_read(EP, sel(ep, 4), 4), 0x03400001);
	config_write(EP, 0x48 + 9, 1, 0x80);			/* by the byte with the bit */
	assert_int_equal(seen.resets, 2);
}

static void test_hot_reset(void **state)
{
	(void)state;
	stream_up(3);
	config_write(RP, 0x3e, 2, 0x0040);
	assert_int_equal(seen.resets, 1);
	assert_int_equal(seen.reset, RESET_HOT);
	assert_int_equal(config_read(EP, 0, 2), 0xffff);	/* held in reset */
	assert_null(function_find(EP));
	config_write(RP, 0x3e, 2, 0);
	assert_int_equal(config_read(EP, 0, 2), 0x1d10);
	assert_int_equal(seen.resets, 1);
	assert_false(ide_secure(EP, 3));
	assert_false(ide_secure(RP, 3));			/* the link went */
	assert_int_equal(config_read(EP, sel(ep, 4), 4), 0);
}

static void test_sriov(void **state)
{
	unsigned int cap = ep->cap_sriov, bar;
	uint64_t offset;

	(void)state;
	assert_null(function_find(VF1));
	assert_int_equal(config_read(EP, cap + 0x0e, 2), 2);
	config_write(EP, cap + 0x24, 4, 0xffffffff);
	assert_int_equal(config_read(EP, cap + 0x24, 4), 0xffffc004);
	machine_bar(EP, cap + 0x24, VF_BAR0);
	config_write(EP, cap + 0x10, 2, 1);			/* NumVFs */
	config_write(EP, cap + 0x08, 2, 0x0009);		/* VF Enable, VF MSE */
	assert_non_null(function_find(VF1));
	assert_null(function_find(VF2));
	assert_int_equal(ep->vf_count, 1);
	assert_int_equal(seen.reset_rid, VF1);			/* fresh */
	config_write(EP, cap + 0x08, 2, 0);
	config_write(EP, cap + 0x10, 2, 2);
	config_write(EP, cap + 0x08, 2, 0x0009);
	assert_int_equal(function_at(VF_BAR0 + 0x3fff, &bar, &offset)->rid, VF1);
	assert_int_equal(function_at(VF_BAR0 + 0x4000, &bar, &offset)->rid, VF2);
	assert_null(function_at(VF_BAR0 + 0x8000, &bar, &offset));
	config_write(EP, cap + 0x08, 2, 0x0001);		/* VF MSE off */
	assert_null(function_at(VF_BAR0, &bar, &offset));
	memset(&seen, 0, sizeof(seen));
	config_write(EP, 0x48 + 8, 2, 0x8000);			/* FLR of the PF ends its VFs */
	assert_null(function_find(VF1));
	assert_int_equal(seen.resets, 3);
	assert_int_equal(ep->vf_count, 0);
}

static void test_surprise_removal(void **state)
{
	unsigned int bar;
	uint64_t offset;

	(void)state;
	stream_up(3);
	function_surprise_remove(ep);
	assert_int_equal(config_read(EP, 0, 4), 0xffffffff);
	assert_null(function_at(BAR0, &bar, &offset));
	assert_false(ide_secure(RP, 3));
	function_plug(ep);
	assert_int_equal(config_read(EP, 0, 4), 0x7e101d10);
	assert_int_equal(config_read(EP, 0x04, 2), 0);
	assert_int_equal(seen.reset, RESET_POWER);
}

static void test_bus(void **state)
{
	uint16_t rid = 0;
	uint64_t live = image_live(IMAGE_TYPE_FUNCTION);
	const struct function *fn;

	(void)state;
	assert_null(function_add(EP, 0));
	assert_ptr_equal(function_next(&rid), rp);
	assert_int_equal(rid, RP);
	rid++;
	assert_ptr_equal(function_next(&rid), ep);
	rid = VF1;
	assert_null(function_next(&rid));			/* VFs are not enabled */
	fn = function_add(0xffff, 0);
	rid = VF1;
	assert_ptr_equal(function_next(&rid), fn);
	function_remove(fn);
	assert_null(function_find(0xffff));
	assert_int_equal(image_live(IMAGE_TYPE_FUNCTION), live + 1);	/* bus 255's table stays */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_masks, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_w1c, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_capability_lists, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_bar_sizing, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_decode, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_power_state, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_flr, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_hot_reset, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_sriov, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_surprise_removal, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_bus, machine_up, machine_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
