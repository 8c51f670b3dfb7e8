/* SPDX-License-Identifier: BSD-2-Clause */
/* The device interface report byte by byte, PCIe 6.x 11.3.11; SET_MMIO_ATTRIBUTE and P2P streams.
 */
#include "rig.h"

/* The machine's addresses: MMIO begins at 0x20_0000_0000; PF BAR0 at +32 MiB, VF BAR0 at +33 MiB,
 * PF BAR2 at +0, VF BAR2 at +2 MiB. As pages: 0x2002000, 0x2002100, 0x2000000, 0x2000200. */
static const uint8_t report_pf[] = {
	0x02, 0x00, 0, 0,  0x00, 0x00,  0, 0,  0, 0, 0, 0,  3, 0, 0, 0,
	0x00, 0x20, 0x00, 0x02, 0, 0, 0, 0,   4, 0, 0, 0,  0, 0,  0, 0,
	0x06, 0x20, 0x00, 0x02, 0, 0, 0, 0,  10, 0, 0, 0,  0, 0,  0, 0,
	0x00, 0x00, 0x00, 0x02, 0, 0, 0, 0,   0, 2, 0, 0,  8, 0,  2, 0,
	16, 0, 0, 0, 's', 'w', 't', 'i', 'o', ' ', 'd', 'm', 'a', ' ', 'e', 'n', 'g', 'i', 'n', 'e',
};

/* The VF, NO_FW_UPDATE and LOCK_MSIX, MSI-X enabled, reporting offset -(0x2000000000) bytes. */
static const uint8_t report_vf[] = {
	0x03, 0x00, 0, 0,  0x07, 0x80,  0, 0,  0, 0, 0, 0,  5, 0, 0, 0,
	0x00, 0x21, 0x00, 0x00, 0, 0, 0, 0,   4, 0, 0, 0,  0, 0,  0, 0,
	0x04, 0x21, 0x00, 0x00, 0, 0, 0, 0,   1, 0, 0, 0,  1, 0,  0, 0,
	0x05, 0x21, 0x00, 0x00, 0, 0, 0, 0,   1, 0, 0, 0,  2, 0,  0, 0,
	0x06, 0x21, 0x00, 0x00, 0, 0, 0, 0,  10, 0, 0, 0,  0, 0,  0, 0,
	0x00, 0x02, 0x00, 0x00, 0, 0, 0, 0,   0, 2, 0, 0,  8, 0,  2, 0,
	16, 0, 0, 0, 's', 'w', 't', 'i', 'o', ' ', 'd', 'm', 'a', ' ', 'e', 'n', 'g', 'i', 'n', 'e',
};

/* Portion length; *left what remains. */
static int get_report(uint16_t rid, uint16_t offset, uint16_t length, int *left)
{
	const uint8_t body[4] = {
		(uint8_t)offset, (uint8_t)(offset >> 8), (uint8_t)length, (uint8_t)(length >> 8) };

	if (tdisp_send(rid, SESSION, TDISP_GET_REPORT, body, 4))
		return -1;
	*left = tdisp_reply[18] | tdisp_reply[19] << 8;
	assert_int_equal(tdisp_reply_len, 20 + (tdisp_reply[16] | tdisp_reply[17] << 8));
	return tdisp_reply_len - 20;
}

static void R2_3_report_of_the_pf(void **state)
{
	int left;

	(void)state;
	rig_stream();
	tdi_to(PF, TDISP_LOCKED, 0);
	assert_int_equal(get_report(PF, 0, 0xffff, &left), sizeof(report_pf));
	assert_int_equal(left, 0);
	assert_memory_equal(tdisp_reply + 20, report_pf, sizeof(report_pf));
}

static void R2_3_report_of_the_vf_with_locked_msix(void **state)
{
	unsigned int msix = function_find(VF)->cap_msix + 2u;
	int left;

	(void)state;
	rig_stream();
	config_write(VF, msix, 2, 0x8000);
	assert_int_equal(tdisp_lock_at(VF, SESSION, TDISP_LOCK_NO_FW_UPDATE | TDISP_LOCK_MSIX,
				 STREAM, 0 - PHYS_MMIO),
		0);
	assert_int_equal(get_report(VF, 0, 0xffff, &left), sizeof(report_vf));
	assert_memory_equal(tdisp_reply + 20, report_vf, sizeof(report_vf));
}

static void report_in_portions(void **state)
{
	uint8_t whole[sizeof(report_pf)];
	int left = 1, at = 0;

	(void)state;
	rig_stream();
	tdi_to(PF, TDISP_RUN, 0);
	while (left) {
		int n = get_report(PF, (uint16_t)at, 0x1d, &left);

		assert_true(n > 0 && at + n + left == sizeof(report_pf));
		memcpy(whole + at, tdisp_reply + 20, (size_t)n);
		at += n;
	}
	assert_memory_equal(whole, report_pf, sizeof(report_pf));
	assert_int_equal(tdisp_send(PF, SESSION, TDISP_GET_REPORT,
				 ((const uint8_t[4]){ sizeof(report_pf), 0, 1, 0 }), 4),
		TDISP_INVALID_REQUEST);
	assert_int_equal(tdisp_send(PF, SESSION, TDISP_GET_REPORT,
				 ((const uint8_t[4]){ 0xff, 0xff, 1, 0 }), 4),
		TDISP_INVALID_REQUEST);
	assert_int_equal(tdi_state(PF), TDISP_RUN);
}

/* In what order the ranges come is what a guest has to check; both portions tell the same lie. */
static void X8_a_lying_report_has_its_ranges_out_of_order(void **state)
{
	int left;

	(void)state;
	rig_stream();
	tdi_to(PF, TDISP_LOCKED, 0);
	assert_int_equal(device_inject(PF, DEVICE_FAULT_LIE_REPORT, 1), 0);
	assert_int_equal(get_report(PF, 0, 32, &left), 32);
	assert_memory_equal(tdisp_reply + 20 + 16, report_pf + 32, 16);
	assert_int_equal(get_report(PF, 32, 0xffff, &left), sizeof(report_pf) - 32);
	assert_memory_equal(tdisp_reply + 20, report_pf + 16, 16);
	assert_int_equal(get_report(PF, 0, 0xffff, &left), sizeof(report_pf));
	assert_memory_equal(tdisp_reply + 20, report_pf, sizeof(report_pf));
}

static void report_says_what_is_enabled(void **state)
{
	const struct function *pf = function_find(PF);
	int left;

	(void)state;
	rig_stream();
	config_write(PF, pf->cap_pasid + 6u, 2, 1);
	config_write(PF, pf->cap_ats + 6u, 2, 0x8000);
	assert_int_equal(device_quirk_set(PF, "offset-in-pages", true), 0);
	assert_int_equal(tdisp_lock_at(PF, SESSION, 0, STREAM, 0x10), 0);
	assert_int_equal(get_report(PF, 0, 0xffff, &left), sizeof(report_pf));
	assert_int_equal(tdisp_reply[20], 0x0e);	/* DMA without and with PASID, ATS */
	assert_memory_equal(tdisp_reply + 36, ((const uint8_t[4]){ 0x10, 0x20, 0x00, 0x02 }), 4);
}

static void attributes_follow_the_lock(void **state)
{
	(void)state;
	rig_stream();
	assert_int_equal(device_mmio_attributes(PF, 0, 0x0000), 0);
	assert_int_equal(device_mmio_attributes(PF, 0, 0x4000), -ENOENT);
	assert_int_equal(device_mmio_attributes(PF, 2, 0x1ff000), TDISP_RANGE_UPDATABLE);
	assert_int_equal(device_mmio_attributes(PF, 2, 0x200000), -ENOENT);
	assert_int_equal(device_mmio_attributes(PF, 4, 0), -ENOENT);
	assert_int_equal(device_mmio_attributes(PORT, 0, 0), -ENOENT);
	tdi_to(PF, TDISP_LOCKED, TDISP_LOCK_MSIX);
	assert_int_equal(device_mmio_attributes(PF, 0, 0x4ff0), TDISP_RANGE_MSIX_TABLE);
	assert_int_equal(device_mmio_attributes(PF, 0, 0x5000), TDISP_RANGE_MSIX_PBA);
	assert_int_equal(device_mmio_attributes(PF, 0, 0x6000), 0);
}

static int set_attribute(uint64_t first, uint32_t pages, uint16_t attributes, uint16_t id)
{
	uint8_t body[16];
	struct writer w = writer_of(body, sizeof(body));

	put_le64(&w, first);
	put_le32(&w, pages);
	put_le16(&w, attributes);
	put_le16(&w, id);
	return tdisp_send(PF, SESSION, TDISP_SET_MMIO_ATTRIBUTE, body, sizeof(body));
}

static void set_mmio_attribute_changes_updatable_pages_only(void **state)
{
	const uint64_t bar2 = 0x2000000, bar0 = 0x2002000;

	(void)state;
	rig_stream();
	tdi_to(PF, TDISP_RUN, 0);
	assert_int_equal(set_attribute(bar2 + 1, 2, TDISP_RANGE_NON_TEE, 2), 0);
	assert_int_equal(device_mmio_attributes(PF, 2, 0x0000), TDISP_RANGE_UPDATABLE);
	assert_int_equal(
		device_mmio_attributes(PF, 2, 0x1000), TDISP_RANGE_UPDATABLE | TDISP_RANGE_NON_TEE);
	assert_int_equal(
		device_mmio_attributes(PF, 2, 0x2000), TDISP_RANGE_UPDATABLE | TDISP_RANGE_NON_TEE);
	assert_int_equal(device_mmio_attributes(PF, 2, 0x3000), TDISP_RANGE_UPDATABLE);
	assert_int_equal(set_attribute(bar2 + 2, 1, 0, 2), 0);
	assert_int_equal(device_mmio_attributes(PF, 2, 0x2000), TDISP_RANGE_UPDATABLE);
	assert_int_equal(set_attribute(bar0, 1, TDISP_RANGE_NON_TEE, 0), TDISP_INVALID_REQUEST);
	assert_int_equal(set_attribute(bar2 - 1, 1, TDISP_RANGE_NON_TEE, 2), TDISP_INVALID_REQUEST);
	assert_int_equal(
		set_attribute(bar2 + 511, 2, TDISP_RANGE_NON_TEE, 2), TDISP_INVALID_REQUEST);
	assert_int_equal(set_attribute(bar2, 0, TDISP_RANGE_NON_TEE, 2), TDISP_INVALID_REQUEST);
	assert_int_equal(
		set_attribute(bar2, 0xffffffff, TDISP_RANGE_NON_TEE, 2), TDISP_INVALID_REQUEST);
	assert_int_equal(tdisp_send(PF, SESSION, TDISP_STOP, NULL, 0), 0);
	assert_int_equal(device_mmio_attributes(PF, 2, 0x1000), TDISP_RANGE_UPDATABLE);
}

/* A second stream with its own keys and, unless `overlap`, its own addresses. */
static void p2p_stream(uint8_t id, unsigned int index, bool overlap)
{
	unsigned int at = rig_block(PF, index);

	config_write(PF, at + 0x14, 4, overlap ? 0x00100001 : 0x30020001);
	config_write(PF, at + 4, 4, (uint32_t)id << 24);
	km_key_set(SESSION, id, 0);
}

static int p2p(uint8_t code, uint8_t id)
{
	return tdisp_send(PF, SESSION, code, &id, 1);
}

static void p2p_streams_need_ats_keys_and_disjoint_addresses(void **state)
{
	unsigned int ats = function_find(PF)->cap_ats + 6u, block = rig_block(PF, 0);

	(void)state;
	rig_stream();
	config_write(
		PF, block + 0x14, 4, 0x00100001); /* the default stream: address 0 .. 2 MiB - 1 */
	p2p_stream(2, 1, false);
	p2p_stream(3, 2, true);
	config_write(PF, rig_block(PF, 3) + 4, 4, 4u << 24);	/* stream 4 has no keys */
	tdi_to(PF, TDISP_RUN, TDISP_LOCK_BIND_P2P);
	assert_int_equal(p2p(TDISP_BIND_P2P, 2), TDISP_INVALID_REQUEST);	/* ATS is off */
	config_write(PF, ats, 2, 0x8000);
	assert_int_equal(tdi_state(PF), TDISP_RUN);	/* ATS may be changed */
	assert_int_equal(p2p(TDISP_BIND_P2P, STREAM), TDISP_INVALID_REQUEST);
	assert_int_equal(p2p(TDISP_BIND_P2P, 3), TDISP_INVALID_REQUEST);
	assert_int_equal(p2p(TDISP_BIND_P2P, 4), TDISP_INVALID_REQUEST);
	assert_int_equal(p2p(TDISP_BIND_P2P, 77), TDISP_INVALID_REQUEST);
	assert_int_equal(p2p(TDISP_UNBIND_P2P, 2), TDISP_INVALID_REQUEST);
	assert_int_equal(p2p(TDISP_BIND_P2P, 2), 0);
	assert_int_equal(p2p(TDISP_BIND_P2P, 2), TDISP_INVALID_REQUEST);
	assert_int_equal(p2p(TDISP_UNBIND_P2P, 2), 0);
	assert_int_equal(p2p(TDISP_BIND_P2P, 2), 0);
	config_write(PF, rig_block(PF, 1) + 4, 4, 2u << 24 | 1u << 19);	/* a bound stream changes */
	assert_int_equal(tdi_state(PF), TDISP_ERROR_STATE);
	assert_string_equal(tdi_cause(PF), "bound IDE stream reconfigured");
}

static void p2p_needs_its_lock_flag(void **state)
{
	(void)state;
	rig_stream();
	p2p_stream(2, 1, false);
	config_write(PF, function_find(PF)->cap_ats + 6u, 2, 0x8000);
	tdi_to(PF, TDISP_RUN, 0);
	assert_int_equal(p2p(TDISP_BIND_P2P, 2), TDISP_INVALID_REQUEST);
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_up, rig_down)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(R2_3_report_of_the_pf),
		T(R2_3_report_of_the_vf_with_locked_msix),
		T(report_in_portions),
		T(X8_a_lying_report_has_its_ranges_out_of_order),
		T(report_says_what_is_enabled),
		T(attributes_follow_the_lock),
		T(set_mmio_attribute_changes_updatable_pages_only),
		T(p2p_streams_need_ats_keys_and_disjoint_addresses),
		T(p2p_needs_its_lock_flag),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
