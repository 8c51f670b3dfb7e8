/* SPDX-License-Identifier: BSD-2-Clause */
/* The TSM at the wire against our own device, in process: the way there and back, a device that
 * refuses, one that lies in its report. */
#include "machine.h"

#include "image/bytes.h"

struct rig {
	struct wire_link link;
	struct spdm_requester *requester;
	struct tsm_options options;
	struct tsm_result result;
};

static int setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	assert_non_null(rig);
	machine_up(31);
	rig->link = (struct wire_link){.fd = -1, .rid = PF};
	rig->requester = requester_make(PF);
	rig->options = (struct tsm_options){
		.function_id = PF, .lock_flags = 0xffff, .last = TSM_START};
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;

	free(rig->requester);
	free(rig);
	image_detach();
	return 0;
}

static int run(struct rig *rig)
{
	return tsm_run(&rig->link, rig->requester, &rig->options, &rig->result);
}

static void assert_unlocked(void)
{
	struct tdi_view view;

	assert_int_equal(device_tdi_view(PF, &view), 0);
	assert_int_equal(view.state, TDISP_UNLOCKED);
}

/* Six keys programmed, set going and stopped; eleven TDISP requests with the report in two parts,
 * as the facts of DMTF's requester have them, or more parts for a longer report. */
static void whole_way(void **state)
{
	struct rig *rig = *state;
	struct tsm_result *r = &rig->result;

	assert_int_equal(run(rig), 0);
	assert_int_equal(r->failed, -1);
	assert_int_equal(r->done, (1u << TSM_STEPS) - 1);
	assert_int_equal(r->requests, 1 + 6 + 6 + 6 + 9 + (r->report_len + 63) / 64);
	assert_int_equal(r->doe_types, 7);
	assert_int_equal(r->state, TDISP_UNLOCKED);
	assert_int_equal(r->interface.ranges, 5);
	assert_int_equal(r->bus, 1);
	assert_unlocked();
	assert_int_equal(run(rig), 0); /* and again */
}

/* However far it goes, what it did is undone. */
static void every_stop(void **state)
{
	struct rig *rig = *state;

	for (int last = TSM_DISCOVER; last <= TSM_START; last++) {
		rig->options.last = (enum tsm_step)last;
		assert_int_equal(run(rig), 0);
		assert_int_equal(rig->result.done & ((1u << TSM_STOP) - 1), (2u << last) - 1);
		assert_unlocked();
		assert_false(spdm_requester_session(rig->requester));
	}
}

static void device_refuses(void **state)
{
	static const struct {
		enum device_fault fault;
		int rc, step;
		const char *why;
	} cases[] = {
		{DEVICE_FAULT_NO_ENTROPY, -EREMOTEIO, TSM_LOCK, "0x103"},
		{DEVICE_FAULT_TDISP_BUSY, -EREMOTEIO, TSM_LOCK, "0x003"},
		{DEVICE_FAULT_LIE_REPORT, -EBADMSG, TSM_REPORT, "not in the order of their BARs"},
		{DEVICE_FAULT_LIE_PAGES, -EBADMSG, TSM_REPORT, "overlap"},
		{DEVICE_FAULT_LIE_ID, -EBADMSG, TSM_REPORT, "BAR that cannot be"},
		{DEVICE_FAULT_LIE_OVERLAP, -EBADMSG, TSM_REPORT, "overlap"},
		{DEVICE_FAULT_LIE_RANGES, -EBADMSG, TSM_REPORT, "end of the address space"},
	};
	struct rig *rig = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(device_inject(PF, cases[i].fault, 1), 0);
		assert_int_equal(run(rig), cases[i].rc);
		assert_int_equal(rig->result.failed, cases[i].step);
		assert_non_null(strstr(rig->result.why, cases[i].why));
		assert_unlocked();
		assert_false(spdm_requester_session(rig->requester));
	}
	rig->options.stream = 3; /* not the default stream: KEY_PROG's value is refused */
	assert_int_equal(run(rig), -EREMOTEIO);
	assert_non_null(strstr(rig->result.why, "KP_ACK status 3"));
	rig->options.stream = 0;
	rig->options.port_index = 1;
	assert_int_equal(run(rig), -ENOMSG); /* QUERY has no status to say so */
	assert_int_equal(rig->result.failed, TSM_KEYS);
	rig->options.port_index = 0;
	rig->options.function_id = 0x0200;
	assert_int_equal(run(rig), -EREMOTEIO);
	assert_non_null(strstr(rig->result.why, "0x101"));
}

/* Busy and ResponseNotReady are waited out. */
static void device_wants_time(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(device_inject(PF, DEVICE_FAULT_SPDM_BUSY, 5), 0);
	assert_int_equal(device_inject(PF, DEVICE_FAULT_SPDM_NOT_READY, 9), 0);
	assert_int_equal(run(rig), 0);
	assert_int_equal(rig->result.requests, 28 + (rig->result.report_len + 63) / 64);
}

static void wrong_anchor(void **state)
{
	struct rig *rig = *state;
	size_t len;
	const uint8_t *anchor;

	assert_int_equal(device_add_engine(2, 0), 0);
	anchor = device_trust_anchor(0x0200, &len);
	spdm_requester_init(rig->requester, anchor, len);
	assert_int_equal(run(rig), -EACCES);
	assert_int_equal(rig->result.failed, TSM_CONNECT);
}

/* -- reports ----------------------------------------------------------------------------------- */

struct lie {
	const char *name, *why;
	void (*tell)(uint8_t *report, size_t *len);
};

#define HEAD 16u
#define RANGE 16u

static void put16(uint8_t *at, uint16_t v)
{
	struct writer w = writer_of(at, 2);

	put_le16(&w, v);
}

static void range_put(uint8_t *report, unsigned int i, uint64_t first, uint32_t pages,
	uint16_t attributes, uint16_t id)
{
	struct writer w = writer_of(report + HEAD + i * RANGE, RANGE);

	put_le64(&w, first);
	put_le32(&w, pages);
	put_le16(&w, attributes);
	put_le16(&w, id);
}

/* Three ranges, BARs 0, 2 and 4; no device information. */
static size_t honest(uint8_t report[128])
{
	memset(report, 0, 128);
	report[12] = 3;
	range_put(report, 0, 0x1000, 16, 0, 0);
	range_put(report, 1, 0x2000, 16, TDISP_RANGE_UPDATABLE, 2);
	range_put(report, 2, 0x800, 4, TDISP_RANGE_NON_TEE, 4);
	return HEAD + 3 * RANGE + 4;
}

static void lie_order(uint8_t *report, size_t *len)
{
	(void)len;
	range_put(report, 0, 0x2000, 16, 0, 2);
	range_put(report, 1, 0x1000, 16, 0, 0);
}

static void lie_id(uint8_t *report, size_t *len)
{
	(void)len;
	put16(report + HEAD + 2 * RANGE + 14, 8);
}

static void lie_overlap(uint8_t *report, size_t *len)
{
	(void)len;
	range_put(report, 1, 0x100f, 1, 0, 2);
}

static void lie_more(uint8_t *report, size_t *len)
{
	(void)len;
	report[12] = 4;
}

static void lie_huge_count(uint8_t *report, size_t *len)
{
	(void)len;
	memset(report + 12, 0xff, 4);
}

static void lie_empty(uint8_t *report, size_t *len)
{
	(void)len;
	range_put(report, 0, 0x1000, 0, 0, 0);
}

static void lie_end(uint8_t *report, size_t *len)
{
	(void)len;
	range_put(report, 2, UINT64_MAX >> 12, 2, 0, 4);
}

static void lie_attribute(uint8_t *report, size_t *len)
{
	(void)len;
	range_put(report, 0, 0x1000, 16, 0x10, 0);
}

static void lie_msix(uint8_t *report, size_t *len)
{
	(void)len;
	range_put(report, 0, 0x1000, 16, TDISP_RANGE_MSIX_TABLE, 0);
}

static void lie_info(uint8_t *report, size_t *len)
{
	(void)len;
	report[HEAD + 3 * RANGE] = 1;
}

static void lie_tail(uint8_t *report, size_t *len)
{
	(void)report;
	(*len)++;
}

static void lying_reports(void **state)
{
	static const struct lie lies[] = {
		{"order", "order", lie_order}, {"id", "BAR that cannot be", lie_id},
		{"overlap", "overlap", lie_overlap}, {"one more", "BAR", lie_more},
		{"4294967295 ranges", "room", lie_huge_count}, {"no pages", "empty", lie_empty},
		{"past the end", "end of the address space", lie_end},
		{"a reserved attribute", "reserved", lie_attribute},
		{"MSI-X not locked", "MSI-X", lie_msix},
		{"more device information", "length", lie_info}, {"a byte more", "length", lie_tail},
	};
	uint8_t report[128];
	struct tsm_interface in;
	char why[128];
	size_t len = honest(report);

	(void)state;
	assert_int_equal(tsm_interface_parse(report, len, 0, &in, why, sizeof(why)), 0);
	assert_int_equal(in.range[1].first, 0x2000);
	for (size_t n = 0; n < len; n++) /* truncated at every length */
		assert_int_equal(tsm_interface_parse(report, n, 0, &in, why, sizeof(why)), -EBADMSG);
	for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
		len = honest(report);
		lies[i].tell(report, &len);
		if (tsm_interface_parse(report, len, 0, &in, why, sizeof(why)) != -EBADMSG)
			fail_msg("%s was believed", lies[i].name);
		if (!strstr(why, lies[i].why) && strcmp(lies[i].name, "one more"))
			fail_msg("%s: %s", lies[i].name, why);
	}
	len = honest(report);
	lie_msix(report, &len);
	assert_int_equal(
		tsm_interface_parse(report, len, TDISP_LOCK_MSIX, &in, why, sizeof(why)), 0);
}

#define TEST(name, fn)                                                                             \
	{                                                                                          \
		"R6.4 " name, fn, setup, teardown, NULL                                            \
	}
int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST("connect, attest, keys, lock, start, stop, and back", whole_way),
		TEST("as far as each step, and back", every_stop),
		TEST("what the device refuses is said and undone", device_refuses),
		TEST("a device that wants time gets it", device_wants_time),
		TEST("another device's anchor is none", wrong_anchor),
		TEST("a report that lies is not believed", lying_reports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
