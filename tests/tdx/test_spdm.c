/* SPDX-License-Identifier: BSD-2-Clause */
/* Dialogues: what the host may do to the messages it carries, and what becomes of the session. */
#include "tdx/rig.h"

#include <openssl/sha.h>

int main(void);

static uint64_t step(enum tdx_leaf leaf, struct tdx_args *args)
{
	args->r8 = rig.req;
	args->r9 = rig.rsp;
	return tdx_class(tdx_seamcall(LANE_TSM, leaf, args));
}

static void with_tdi(void)
{
	rig_function_on();
	rig_td();
	rig_stream();
	rig_tdi();
}

static uint8_t tdisp_state(void)
{
	struct tdx_tdi_view view;

	assert_int_equal(tdx_tdi_view(RIG_VF, &view), 0);
	return view.tdisp_state;
}

static void create_and_delete_check_their_operands(void **state)
{
	uint64_t id, first = rig_pool.taken;

	(void)state;
	assert_tdx(CALL(TDX_SPDM_CREATE, .rcx = 0, .rdx = rig_list(TDX_SPDM_PAGES)),
		   TDX_OPERAND_INVALID);
	assert_tdx(CALL(TDX_SPDM_CREATE, .rcx = RIG_PF, .rdx = rig_list(TDX_SPDM_PAGES - 1)),
		   TDX_OPERAND_INVALID);
	/* The same page twice: the first one is given back. */
	first = rig_list(TDX_SPDM_PAGES);
	rig_poke(rig.list + 8, rig_peek(rig.list, 0));
	assert_tdx(CALL(TDX_SPDM_CREATE, .rcx = RIG_PF, .rdx = first), TDX_PAGE_METADATA_INCORRECT);
	assert_int_equal(phys_owner(rig_peek(rig.list, 0)), 0);
	assert_tdx(rig_call_out(TDX_SPDM_CREATE,
				(struct tdx_args){ .rcx = RIG_PF, .rdx = rig_list(TDX_SPDM_PAGES) },
				&id),
		   TDX_SUCCESS);
	assert_int_equal(phys_owner(rig_peek(rig.list, 0)), 1);
	assert_tdx(CALL(TDX_SPDM_CREATE, .rcx = RIG_PF, .rdx = rig_list(TDX_SPDM_PAGES)),
		   TDX_SPDM_INVALID_STATE);
	assert_tdx(TALK(TDX_SPDM_MNG, .rcx = id, .rdx = TDX_MNG_HEARTBEAT), TDX_SPDM_INVALID_STATE);
	assert_tdx(TALK(TDX_SPDM_CONNECT, .rcx = id + 1), TDX_OPERAND_INVALID);
	assert_tdx(TALK(TDX_SPDM_DISCONNECT, .rcx = id), TDX_SUCCESS);
	assert_tdx(CALL(TDX_SPDM_DELETE, .rcx = id), TDX_SUCCESS);
	assert_tdx(CALL(TDX_SPDM_DELETE, .rcx = id), TDX_OPERAND_INVALID);
}

static void messages_stay_in_the_hosts_memory(void **state)
{
	struct tdx_args args = { .r8 = 0 };
	uint64_t id;

	(void)state;
	rig_td();
	assert_tdx(rig_call_out(TDX_SPDM_CREATE,
				(struct tdx_args){ .rcx = RIG_PF, .rdx = rig_list(TDX_SPDM_PAGES) },
				&id),
		   TDX_SUCCESS);
	args = (struct tdx_args){ .rcx = id, .r8 = rig.tdr, .r9 = rig.rsp };
	assert_tdx(tdx_seamcall(LANE_TSM, TDX_SPDM_CONNECT, &args), TDX_OPERAND_INVALID);
	args = (struct tdx_args){ .rcx = id, .r8 = rig.req + 8, .r9 = rig.rsp };
	assert_tdx(tdx_seamcall(LANE_TSM, TDX_SPDM_CONNECT, &args), TDX_OPERAND_INVALID);
	args = (struct tdx_args){ .rcx = id, .r8 = rig.req, .r9 = rig_bar(0) };
	assert_tdx(tdx_seamcall(LANE_TSM, TDX_SPDM_CONNECT, &args), TDX_OPERAND_INVALID);
}

/* r11 = 0 gives the same request once more; nonsense in the response buffer is refused, no more. */
static void requests_are_given_again_and_garbage_refused(void **state)
{
	struct tdx_args args = { .rcx = 0 };
	uint64_t len;

	(void)state;
	rig_connect();
	args.rcx = rig.spdm;
	assert_tdx(step(TDX_SPDM_MNG, &args), TDX_SPDM_REQUEST);
	len = args.r10;
	assert_true(len > 8 && len % 4 == 0);
	rig_poke(rig.req, 0);
	args.r10 = 0;
	assert_tdx(step(TDX_SPDM_MNG, &args), TDX_SPDM_REQUEST);
	assert_int_equal(args.r10, len);
	assert_int_not_equal(rig_peek(rig.req, 0), 0);
	rig_poke(rig.rsp, 0);
	args.r11 = 16;
	assert_tdx(step(TDX_SPDM_MNG, &args), TDX_OPERAND_INVALID);
	args.r11 = TDX_MESSAGE_SIZE + 4;
	assert_tdx(step(TDX_SPDM_MNG, &args), TDX_OPERAND_INVALID);
	args.r11 = rig_doe(len);
	rig_poke(rig.rsp + 8, rig_peek(rig.rsp + 8, 0));	/* as it was */
	assert_tdx(step(TDX_SPDM_MNG, &args), TDX_SUCCESS);
}

/* A record that was changed on the way ends the session: it is not authentic. */
static void changed_records_end_the_session(void **state)
{
	struct tdx_args args;

	(void)state;
	rig_connect();
	args = (struct tdx_args){ .rcx = rig.spdm };
	assert_tdx(step(TDX_SPDM_MNG, &args), TDX_SPDM_REQUEST);
	args.r11 = rig_doe(args.r10);
	rig_poke(rig.rsp + 16, rig_peek(rig.rsp + 16, 0) ^ 1);
	assert_tdx(step(TDX_SPDM_MNG, &args), TDX_SPDM_PROTOCOL_ERROR);
	assert_tdx(TALK(TDX_SPDM_MNG, .rcx = rig.spdm), TDX_SPDM_INVALID_STATE);
	assert_tdx(TALK(TDX_SPDM_CONNECT, .rcx = rig.spdm), TDX_SUCCESS);
}

/* One service thread a session. */
static void one_operation_at_a_time(void **state)
{
	struct tdx_args args;

	(void)state;
	with_tdi();
	args = (struct tdx_args){ .rcx = RIG_VF };
	assert_tdx(step(TDX_TDI_STATE, &args), TDX_SPDM_REQUEST);
	assert_tdx(TALK(TDX_TDI_STOP, .rcx = RIG_VF), TDX_OPERAND_BUSY);
	assert_tdx(TALK(TDX_SPDM_MNG, .rcx = rig.spdm), TDX_OPERAND_BUSY);
	assert_tdx(CALL(TDX_TDI_REMOVE, .rcx = RIG_VF), TDX_OPERAND_BUSY);
	args.r11 = rig_doe(args.r10);
	assert_tdx(step(TDX_TDI_STATE, &args), TDX_SUCCESS);
	assert_tdx(CALL(TDX_TDI_REMOVE, .rcx = RIG_VF), TDX_SUCCESS);
}

/* Faults between the messages do not disturb a dialogue when the call is simply made again. */
static void resumable_in_the_middle_is_harmless(void **state)
{
	struct tdx_args args;

	(void)state;
	with_tdi();
	args = (struct tdx_args){ .rcx = RIG_VF };
	assert_tdx(step(TDX_TDI_STATE, &args), TDX_SPDM_REQUEST);
	args.r11 = rig_doe(args.r10);
	assert_int_equal(tdx_inject(TDX_TDI_STATE, TDX_INTERRUPTED_RESUMABLE, 1), 0);
	assert_tdx(step(TDX_TDI_STATE, &args), TDX_INTERRUPTED_RESUMABLE);
	assert_tdx(step(TDX_TDI_STATE, &args), TDX_SUCCESS);
	assert_int_equal(args.rcx, TDISP_UNLOCKED);
}

/* BIND takes in 526 pages: it lets the host breathe once for the report and once in the pages. */
static void bind_is_resumable(void **state)
{
	(void)state;
	with_tdi();
	rig.resumed = 0;
	assert_tdx(rig_bind(), TDX_SUCCESS);
	assert_int_equal(rig.resumed, 2);
}

/* X6: a LOCK whose answer is lost may have been done. The TDI is not known to be unlocked until
 * somebody asks; a new session can stop it. */
static void lost_lock_is_maybe_done(void **state)
{
	const struct vcpu_hw *vcpu;

	(void)state;
	with_tdi();
	vcpu = rig_vcpu();
	rig.lose_at = 2;		/* version, capabilities, LOCK */
	assert_tdx(rig_bind(), TDX_SPDM_PROTOCOL_ERROR);
	assert_int_equal(tdisp_state(), TDISP_ERROR_STATE);
	assert_int_equal(rig_tdi_rd(vcpu, TDX_TDI_TDISP_STATE), TDISP_ERROR_STATE);
	assert_tdx(CALL(TDX_TDI_REMOVE, .rcx = RIG_VF), TDX_TDI_INVALID_STATE);
	assert_tdx(TALK(TDX_TDI_STOP, .rcx = RIG_VF), TDX_SPDM_INVALID_STATE);
	assert_tdx(TALK(TDX_SPDM_CONNECT, .rcx = rig.spdm), TDX_SUCCESS);
	assert_tdx(TALK(TDX_TDI_STOP, .rcx = RIG_VF), TDX_SUCCESS);
	assert_int_equal(tdisp_state(), TDISP_UNLOCKED);
	assert_tdx(CALL(TDX_TDI_REMOVE, .rcx = RIG_VF), TDX_SUCCESS);
}

static void device_refusals_leave_the_tdi_as_it_was(void **state)
{
	struct tdx_args args;

	(void)state;
	with_tdi();
	assert_int_equal(device_inject(RIG_VF, DEVICE_FAULT_NO_ENTROPY, 1), 0);
	args = (struct tdx_args){ .rcx = RIG_VF };
	assert_tdx(rig_relay(TDX_TDI_BIND, &args), TDX_SPDM_PROTOCOL_ERROR);
	assert_int_equal(args.rcx, TDISP_INSUFFICIENT_ENTROPY);
	assert_int_equal(tdisp_state(), TDISP_UNLOCKED);
	assert_int_equal(device_inject(RIG_VF, DEVICE_FAULT_TDISP_BUSY, 1), 0);
	assert_tdx(rig_bind(), TDX_OPERAND_BUSY);
	assert_tdx(TALK(TDX_TDI_BIND, .rcx = RIG_VF, .rdx = 0x8000), TDX_OPERAND_INVALID);
	assert_tdx(rig_bind(), TDX_SUCCESS);
}

static void session_end_takes_tdis_to_error(void **state)
{
	const struct vcpu_hw *vcpu;

	(void)state;
	with_tdi();
	vcpu = rig_vcpu();
	assert_tdx(rig_bind(), TDX_SUCCESS);
	assert_tdx(TALK(TDX_SPDM_DISCONNECT, .rcx = rig.spdm), TDX_SUCCESS);
	assert_int_equal(rig_tdi_rd(vcpu, TDX_TDI_TDISP_STATE), TDISP_ERROR_STATE);
	assert_tdx(TDCALL(vcpu, TDG_TDI_START, .rcx = RIG_VF, .rdx = 1), TDX_TDI_INVALID_STATE);
	assert_tdx(CALL(TDX_SPDM_DELETE, .rcx = rig.spdm), TDX_SPDM_HAS_STREAMS);
}

/* The chain must end at the vendor's root when the host names one. */
static void anchor_is_heeded(void **state)
{
	uint64_t id, conf = rig_page();
	uint8_t page[PHYS_PAGE];
	struct writer w = writer_of(page, sizeof(page));
	const uint8_t *anchor;
	size_t len;

	(void)state;
	anchor = device_trust_anchor(RIG_PF, &len);
	put_space(&w, TDX_CONF_ANCHOR_LEN);
	put_le16(&w, (uint16_t)len);
	put_space(&w, TDX_CONF_ANCHOR - TDX_CONF_ANCHOR_LEN - 2);
	put_bytes(&w, anchor, len);
	put_space(&w, PHYS_PAGE - w.at);
	assert_int_equal(phys_write(conf, page, sizeof(page), 0), 0);
	assert_tdx(rig_call_out(TDX_SPDM_CREATE,
				(struct tdx_args){ .rcx = RIG_PF, .rdx = rig_list(TDX_SPDM_PAGES) },
				&id),
		   TDX_SUCCESS);
	page[TDX_CONF_ANCHOR + len - 1] ^= 1;
	assert_int_equal(phys_write(conf, page, sizeof(page), 0), 0);
	assert_tdx(TALK(TDX_SPDM_CONNECT, .rcx = id, .rdx = conf), TDX_SPDM_PROTOCOL_ERROR);
	page[TDX_CONF_ANCHOR + len - 1] ^= 1;
	assert_int_equal(phys_write(conf, page, sizeof(page), 0), 0);
	assert_tdx(TALK(TDX_SPDM_CONNECT, .rcx = id, .rdx = conf), TDX_SUCCESS);
	assert_tdx(TALK(TDX_SPDM_CONNECT, .rcx = id, .rdx = conf), TDX_SPDM_INVALID_STATE);
}

/* What the host is handed hashes to what the module tells the guest. */
static void digests_are_of_what_the_host_got(void **state)
{
	struct tdx_args info = { .rcx = 0, .rdx = TDX_MNG_DEV_INFO }, report = { .rcx = RIG_VF };
	uint64_t info_pages, report_page;
	const struct vcpu_hw *vcpu;
	static uint8_t blob[4 * PHYS_PAGE];
	uint8_t digest[48], told[48];

	(void)state;
	with_tdi();
	vcpu = rig_vcpu();
	rig_ram(vcpu, 0x1000);
	assert_tdx(rig_bind(), TDX_SUCCESS);
	info_pages = rig_pages(4);
	for (unsigned int i = 0; i < 4; i++)
		rig_poke(rig.list + 8 * i, info_pages + i * PHYS_PAGE);
	info.rcx = rig.spdm;
	info.r12 = tdx_list(rig.list, 4);
	assert_tdx(rig_relay(TDX_SPDM_MNG, &info), TDX_SUCCESS);
	assert_true(info.r13 > 1000 && info.r13 <= sizeof(blob));
	assert_int_equal(phys_read(info_pages, blob, info.r13, 0), 0);
	SHA384(blob, info.r13, digest);
	assert_tdx(TDCALL(vcpu, TDG_TDI_RD, .rcx = RIG_VF, .rdx = TDX_TDI_DEV_INFO_DIGEST,
			  .r8 = 0x1000),
		   TDX_SUCCESS);
	assert_int_equal(cpu_guest_read(vcpu, 0x1000, told, sizeof(told)), 0);
	assert_memory_equal(told, digest, sizeof(told));
	report_page = rig_page();
	rig_poke(rig.list, report_page);
	report.r12 = tdx_list(rig.list, 1);
	assert_tdx(rig_relay(TDX_TDI_REPORT, &report), TDX_SUCCESS);
	assert_int_equal(phys_read(report_page, blob, report.r13, 0), 0);
	SHA384(blob, report.r13, digest);
	assert_tdx(
		TDCALL(vcpu, TDG_TDI_RD, .rcx = RIG_VF, .rdx = TDX_TDI_REPORT_DIGEST, .r8 = 0x1000),
		TDX_SUCCESS);
	assert_int_equal(cpu_guest_read(vcpu, 0x1000, told, sizeof(told)), 0);
	assert_memory_equal(told, digest, sizeof(told));
	/* A digest is not written where the guest has no accepted page, nor to shared memory. */
	assert_tdx(
		TDCALL(vcpu, TDG_TDI_RD, .rcx = RIG_VF, .rdx = TDX_TDI_REPORT_DIGEST, .r8 = 0x9000),
		TDX_OPERAND_INVALID);
	assert_tdx(TDCALL(vcpu, TDG_TDI_RD, .rcx = RIG_VF, .rdx = TDX_TDI_REPORT_DIGEST,
			  .r8 = 0x1000 + 4090),
		   TDX_OPERAND_INVALID);
	assert_tdx(TDCALL(vcpu, TDG_TDI_RD, .rcx = RIG_VF, .rdx = TDX_TDI_REPORT_DIGEST,
			  .r8 = 0x1000 | TDX_SHARED_BIT),
		   TDX_OPERAND_INVALID);
}

/* Heartbeats and key updates leave the session usable. */
static void session_is_managed(void **state)
{
	(void)state;
	rig_connect();
	for (uint64_t op = TDX_MNG_HEARTBEAT; op <= TDX_MNG_DEV_INFO; op++)
		assert_tdx(TALK(TDX_SPDM_MNG, .rcx = rig.spdm, .rdx = op), TDX_SUCCESS);
	assert_tdx(TALK(TDX_SPDM_MNG, .rcx = rig.spdm, .rdx = 3), TDX_OPERAND_INVALID);
	assert_tdx(TALK(TDX_SPDM_MNG, .rcx = rig.spdm, .rdx = TDX_MNG_HEARTBEAT), TDX_SUCCESS);
	assert_tdx(CALL(TDX_SPDM_DELETE, .rcx = rig.spdm), TDX_SPDM_INVALID_STATE);
}

/* Every check of STREAM.CREATE; and TDIs wait for a secure stream that covers them. */
static void streams_check_their_operands(void **state)
{
	struct tdx_args args;

	(void)state;
	rig_td();
	rig_connect();
	assert_tdx(CALL(TDX_DEVIFMT_ADD, .rcx = RIG_VF, .rdx = rig_page()), TDX_SUCCESS);
	args = rig_stream_args();
	args.rcx = tdx_stream_info(RIG_PORT, RIG_STREAM, 200);
	assert_tdx(tdx_seamcall(LANE_TSM, TDX_IDE_STREAM_CREATE, &args), TDX_OPERAND_INVALID);
	args = rig_stream_args();
	args.r9 = 6 << 24;
	assert_tdx(tdx_seamcall(LANE_TSM, TDX_IDE_STREAM_CREATE, &args), TDX_OPERAND_INVALID);
	args = rig_stream_args();
	args.r11 = 0;
	assert_tdx(tdx_seamcall(LANE_TSM, TDX_IDE_STREAM_CREATE, &args), TDX_OPERAND_INVALID);
	rig_stream_create();
	args = rig_stream_args();
	assert_tdx(tdx_seamcall(LANE_TSM, TDX_IDE_STREAM_CREATE, &args),
		   TDX_IDE_STREAM_INVALID_STATE);
	assert_tdx(TALK(TDX_IDE_STREAM_KM, .rcx = rig.stream, .rdx = TDX_KM_REFRESH),
		   TDX_IDE_STREAM_INVALID_STATE);
	args = (struct tdx_args){
		.rcx = RIG_VF, .rdx = rig.tdr, .r8 = rig.stream, .r9 = rig_list(TDX_TDI_PAGES)
	};
	assert_tdx(tdx_seamcall(LANE_TSM, TDX_TDI_CREATE, &args), TDX_IDE_STREAM_INVALID_STATE);
	assert_tdx(TALK(TDX_IDE_STREAM_KM, .rcx = rig.stream, .rdx = TDX_KM_SETUP), TDX_SUCCESS);
	assert_tdx(TALK(TDX_IDE_STREAM_KM, .rcx = rig.stream, .rdx = TDX_KM_SETUP),
		   TDX_IDE_STREAM_INVALID_STATE);
	assert_tdx(tdx_seamcall(LANE_TSM, TDX_TDI_CREATE, &args), TDX_IDE_STREAM_INVALID_STATE);
	rig_stream_enable();
	assert_tdx(CALL(TDX_DEVIFMT_ADD, .rcx = 0x0200, .rdx = rig_page()), TDX_SUCCESS);
	args.rcx = 0x0200;
	assert_tdx(tdx_seamcall(LANE_TSM, TDX_TDI_CREATE, &args), TDX_OPERAND_INVALID);
	args.rcx = RIG_VF;
	assert_tdx(tdx_seamcall(LANE_TSM, TDX_TDI_CREATE, &args), TDX_SUCCESS);
	args.r9 = rig_list(TDX_TDI_PAGES);
	assert_tdx(tdx_seamcall(LANE_TSM, TDX_TDI_CREATE, &args), TDX_TDI_ALREADY_EXISTS);
}

/* Blocked before it was ever enabled: the root port keeps no key for later. */
static void blocked_streams_have_no_keys(void **state)
{
	(void)state;
	rig_connect();
	rig_stream_create();
	assert_tdx(TALK(TDX_IDE_STREAM_KM, .rcx = rig.stream, .rdx = TDX_KM_SETUP), TDX_SUCCESS);
	assert_true(ide_keys_programmed(RIG_PORT, RIG_STREAM));
	assert_tdx(CALL(TDX_IDE_STREAM_BLOCK, .rcx = rig.stream), TDX_SUCCESS);
	assert_false(ide_keys_programmed(RIG_PORT, RIG_STREAM));
	assert_tdx(CALL(TDX_IDE_STREAM_BLOCK, .rcx = rig.stream), TDX_IDE_STREAM_BLOCKED);
	assert_tdx(TALK(TDX_IDE_STREAM_KM, .rcx = rig.stream, .rdx = TDX_KM_SETUP),
		   TDX_IDE_STREAM_BLOCKED);
}

#define LIFE(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIFE(create_and_delete_check_their_operands),
		LIFE(messages_stay_in_the_hosts_memory),
		LIFE(requests_are_given_again_and_garbage_refused),
		LIFE(changed_records_end_the_session),
		LIFE(one_operation_at_a_time),
		LIFE(resumable_in_the_middle_is_harmless),
		LIFE(bind_is_resumable),
		LIFE(lost_lock_is_maybe_done),
		LIFE(device_refusals_leave_the_tdi_as_it_was),
		LIFE(session_end_takes_tdis_to_error),
		LIFE(anchor_is_heeded),
		LIFE(digests_are_of_what_the_host_got),
		LIFE(session_is_managed),
		LIFE(blocked_streams_have_no_keys),
		LIFE(streams_check_their_operands),
	};

	return cmocka_run_group_tests_name("tdx spdm", tests, NULL, NULL);
}
