/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The PSP's commands (R3.2, R3.5): each refusal by its code, and the order in which contexts, guests
 * and TDIs come and go. Codes to 0x2f are the SEV-SNP firmware ABI's (status.def).
 */
#include "sev/rig.h"

int main(void);

static void command_buffers(void **state)
{
	uint8_t bytes[SEV_BUFFER_MAX] = { 0 };
	const struct sev_command args = { .flags = SEV_INIT_TIO };
	size_t len = sev_command_encode(SEV_CMD_SNP_INIT_EX, &args, bytes);

	(void)state;
	assert_int_equal(len, 16);			/* length, 0, flags, 0 */
	assert_memory_equal(bytes, "\x10\0\0\0\0\0\0\0\x04\0\0\0\0\0\0\0", 16);
	assert_sev(sev_command(LANE_TSM, (enum sev_command_id)0x77, rig.command),
		   SEV_INVALID_COMMAND);
	assert_int_equal(phys_write(rig.command, bytes, len, 0), 0);
	assert_sev(sev_command(LANE_TSM, SEV_CMD_SNP_INIT_EX, rig.command + 8), SEV_INVALID_ADDRESS);
	assert_sev(sev_command(LANE_TSM, SEV_CMD_SNP_INIT_EX, 0), SEV_INVALID_ADDRESS);
	assert_sev(sev_command(LANE_TSM, SEV_CMD_TIO_INIT, rig.command), SEV_INVALID_LENGTH);
	bytes[4] = 1;
	assert_int_equal(phys_write(rig.command, bytes, len, 0), 0);
	assert_sev(sev_command(LANE_TSM, SEV_CMD_SNP_INIT_EX, rig.command), SEV_INVALID_LENGTH);
}

static void platform_states(void **state)
{
	uint8_t status[SEV_STATUS_SIZE];
	uint64_t page = rig_firmware_pages(1);

	(void)state;
	assert_sev(CALL(SEV_CMD_SNP_GCTX_CREATE, .gctx = page), SEV_INVALID_PLATFORM_STATE);
	assert_sev(CALL(SEV_CMD_TIO_INIT), SEV_INVALID_PLATFORM_STATE);
	assert_sev(CALL(SEV_CMD_SNP_INIT_EX), SEV_SUCCESS);		/* without TIO */
	assert_sev(CALL(SEV_CMD_TIO_INIT), SEV_INVALID_PLATFORM_STATE);
	assert_sev(CALL(SEV_CMD_SNP_INIT_EX, .flags = SEV_INIT_TIO), SEV_INVALID_PLATFORM_STATE);
	assert_sev(CALL(SEV_CMD_SNP_SHUTDOWN), SEV_SUCCESS);
	assert_sev(CALL(SEV_CMD_SNP_INIT_EX, .flags = SEV_INIT_TIO), SEV_SUCCESS);
	assert_sev(CALL(SEV_CMD_TIO_DEV_CREATE, .dev_ctx = page, .rid = RIG_PF),
		   SEV_INVALID_PLATFORM_STATE);
	assert_sev(CALL(SEV_CMD_TIO_INIT), SEV_SUCCESS);
	assert_sev(CALL(SEV_CMD_TIO_INIT), SEV_DEV_BUSY);
	assert_sev(CALL(SEV_CMD_TIO_STATUS, .out = rig.request), SEV_INVALID_ADDRESS);
	assert_sev(CALL(SEV_CMD_TIO_STATUS, .out = rig.out), SEV_SUCCESS);
	assert_int_equal(phys_read(rig.out, status, sizeof(status), 0), 0);
	assert_int_equal(status[0], 56);
	assert_int_equal(status[4], SEV_STATUS_TIO_EN | SEV_STATUS_TIO_INIT);
	rig_guest();
	assert_sev(CALL(SEV_CMD_SNP_SHUTDOWN), SEV_INVALID_PLATFORM_STATE);	/* a guest is left */
}

static void R3_3_guest_states(void **state)
{
	uint64_t ctx = rig_firmware_pages(1), other = rig_firmware_pages(1), ram = rig_page();
	struct rmp_entry entry = { .assigned = true, .asid = RIG_ASID };

	(void)state;
	rig_init();
	assert_sev(CALL(SEV_CMD_SNP_GCTX_CREATE, .gctx = ram), SEV_INVALID_PAGE_STATE);
	assert_sev(CALL(SEV_CMD_SNP_GCTX_CREATE, .gctx = ctx + 8), SEV_INVALID_PAGE_STATE);
	assert_sev(CALL(SEV_CMD_SNP_LAUNCH_START, .gctx = ctx), SEV_INVALID_ADDRESS);
	assert_sev(CALL(SEV_CMD_SNP_GCTX_CREATE, .gctx = ctx), SEV_SUCCESS);
	assert_sev(CALL(SEV_CMD_SNP_GCTX_CREATE, .gctx = ctx), SEV_INVALID_PAGE_STATE); /* in use */
	assert_sev(CALL(SEV_CMD_SNP_PAGE_RECLAIM, .in = ctx), SEV_INVALID_PAGE_STATE);
	assert_sev(CALL(SEV_CMD_SNP_LAUNCH_FINISH, .gctx = ctx), SEV_INVALID_GUEST_STATE);
	assert_sev(CALL(SEV_CMD_SNP_LAUNCH_UPDATE, .gctx = ctx, .in = ram), SEV_INVALID_GUEST_STATE);
	assert_sev(CALL(SEV_CMD_SNP_LAUNCH_START, .gctx = ctx), SEV_SUCCESS);
	assert_sev(CALL(SEV_CMD_SNP_LAUNCH_START, .gctx = ctx), SEV_INVALID_GUEST_STATE);
	assert_sev(CALL(SEV_CMD_SNP_LAUNCH_UPDATE, .gctx = ctx, .in = ram), SEV_INVALID_GUEST_STATE);
	assert_sev(CALL(SEV_CMD_SNP_ACTIVATE, .gctx = ctx, .asid = 0), SEV_INVALID_ASID);
	assert_sev(CALL(SEV_CMD_SNP_ACTIVATE, .gctx = ctx, .asid = RMP_ASID_MAX + 1),
		   SEV_INVALID_ASID);
	assert_sev(CALL(SEV_CMD_SNP_ACTIVATE, .gctx = ctx, .asid = RIG_ASID), SEV_SUCCESS);
	assert_sev(CALL(SEV_CMD_SNP_ACTIVATE, .gctx = ctx, .asid = RIG_ASID + 1), SEV_ACTIVE);
	assert_sev(CALL(SEV_CMD_SNP_GCTX_CREATE, .gctx = other), SEV_SUCCESS);
	assert_sev(CALL(SEV_CMD_SNP_ACTIVATE, .gctx = other, .asid = RIG_ASID), SEV_ASID_OWNED);
	assert_sev(CALL(SEV_CMD_SNP_LAUNCH_UPDATE, .gctx = ctx, .in = ram, .page_type = 1),
		   SEV_INVALID_PAGE_STATE);
	entry.asid++;
	assert_rmp(rmpupdate(LANE_KVM, ram, 1, &entry), RMP_OK);
	assert_sev(CALL(SEV_CMD_SNP_LAUNCH_UPDATE, .gctx = ctx, .in = ram, .page_type = 1),
		   SEV_INVALID_PAGE_OWNER);
	entry.asid--;
	assert_rmp(rmpupdate(LANE_KVM, ram, 1, &entry), RMP_OK);
	assert_sev(CALL(SEV_CMD_SNP_LAUNCH_UPDATE, .gctx = ctx, .in = ram, .page_type = 2),
		   SEV_INVALID_PARAM);
	assert_sev(CALL(SEV_CMD_SNP_LAUNCH_UPDATE, .gctx = ctx, .in = ram, .page_type = 1),
		   SEV_SUCCESS);
	assert_true(rmp_read(ram).validated);
	assert_sev(CALL(SEV_CMD_SNP_LAUNCH_FINISH, .gctx = ctx), SEV_SUCCESS);
	assert_sev(CALL(SEV_CMD_SNP_LAUNCH_UPDATE, .gctx = ctx, .in = ram, .page_type = 1),
		   SEV_INVALID_GUEST_STATE);
	assert_sev(CALL(SEV_CMD_SNP_DECOMMISSION, .gctx = ctx), SEV_SUCCESS);
	assert_sev(CALL(SEV_CMD_SNP_DECOMMISSION, .gctx = ctx), SEV_INVALID_ADDRESS);
	assert_rmp(rmpupdate(LANE_KVM, ctx, 1, &(struct rmp_entry){ 0 }), RMP_OK); /* it let go */
}

static void device_states(void **state)
{
	struct sev_command args;

	(void)state;
	rig_init();
	rig.dev_ctx = rig_firmware_pages(1);
	args = rig_connect_args();
	assert_sev(CALL(SEV_CMD_TIO_DEV_CREATE, .dev_ctx = rig.out, .rid = RIG_PF),
		   SEV_INVALID_PAGE_STATE);
	assert_sev(CALL(SEV_CMD_TIO_DEV_CREATE, .dev_ctx = rig.dev_ctx | SEV_SLA_LIST,
			.rid = RIG_PF),
		   SEV_INVALID_PAGE_STATE);
	assert_sev(CALL(SEV_CMD_TIO_DEV_CREATE, .dev_ctx = rig.dev_ctx), SEV_INVALID_PARAM);
	assert_sev(CALL(SEV_CMD_TIO_DEV_CREATE, .dev_ctx = rig.dev_ctx, .rid = RIG_PF,
			.segment = 1),
		   SEV_INVALID_PARAM);
	assert_sev(rig_call(SEV_CMD_TIO_DEV_CONNECT, args), SEV_INVALID_ADDRESS);
	assert_sev(CALL(SEV_CMD_TIO_DEV_CREATE, .dev_ctx = rig.dev_ctx, .rid = RIG_PF,
			.root_port = RIG_PORT),
		   SEV_SUCCESS);
	assert_sev(CALL(SEV_CMD_TIO_DEV_CREATE, .dev_ctx = rig_firmware_pages(1), .rid = RIG_PF),
		   SEV_INVALID_PARAM);				/* that function is there */
	args.tc_mask = 3;
	assert_sev(rig_call(SEV_CMD_TIO_DEV_CONNECT, args), SEV_INVALID_PARAM);
	args = rig_connect_args();
	args.slot = 1;
	assert_sev(rig_call(SEV_CMD_TIO_DEV_CONNECT, args), SEV_INVALID_PARAM);
	assert_sev(CALL(SEV_CMD_TIO_ROLL_KEY, .dev_ctx = rig.dev_ctx), SEV_DEV_INVALID_STATE);
	assert_sev(CALL(SEV_CMD_TIO_DEV_CERTIFICATES, .dev_ctx = rig.dev_ctx),
		   SEV_DEV_INVALID_STATE);
	assert_sev(CALL(SEV_CMD_TIO_DEV_MEASUREMENTS, .dev_ctx = rig.dev_ctx),
		   SEV_DEV_INVALID_STATE);
	assert_sev(CALL(SEV_CMD_TIO_TDI_CREATE, .dev_ctx = rig.dev_ctx,
			.tdi_ctx = rig_firmware_pages(1), .rid = RIG_VF),
		   SEV_DEV_INVALID_STATE);
	rig_stream_registers();
	assert_sev(rig_talk(SEV_CMD_TIO_DEV_CONNECT, rig_connect_args()), SEV_SUCCESS);
	/* VERSION to FINISH and MEASUREMENTS, seven at least; KEY_PROG and K_SET_GO of six slots */
	assert_true(rig.requests >= 7 + 12);
	assert_sev(rig_call(SEV_CMD_TIO_DEV_CONNECT, rig_connect_args()), SEV_DEV_INVALID_STATE);
	assert_sev(CALL(SEV_CMD_TIO_DEV_RECLAIM, .dev_ctx = rig.dev_ctx), SEV_DEV_INVALID_STATE);
	assert_sev(TALK(SEV_CMD_TIO_ROLL_KEY, .dev_ctx = rig.dev_ctx), SEV_SUCCESS);
	assert_sev(CALL(SEV_CMD_TIO_DEV_CERTIFICATES, .dev_ctx = rig.dev_ctx), SEV_SUCCESS);
	assert_sev(TALK(SEV_CMD_TIO_DEV_DISCONNECT, .dev_ctx = rig.dev_ctx), SEV_SUCCESS);
	assert_sev(CALL(SEV_CMD_TIO_DEV_RECLAIM, .dev_ctx = rig.dev_ctx), SEV_SUCCESS);
	assert_sev(CALL(SEV_CMD_TIO_DEV_RECLAIM, .dev_ctx = rig.dev_ctx), SEV_INVALID_ADDRESS);
}

/* A suspended command comes again byte for byte, or not at all. */
static void R3_5_suspended_commands(void **state)
{
	struct sev_command args, changed;
	unsigned int carried;

	(void)state;
	rig_init();
	rig_device();
	rig_stream_registers();
	args = changed = rig_connect_args();
	rig_no_answer();
	assert_sev(rig_call(SEV_CMD_TIO_DEV_CONNECT, args), SEV_SPDM_REQUEST);
	changed.streams[0]++;
	assert_sev(rig_call(SEV_CMD_TIO_DEV_CONNECT, changed), SEV_COMMAND_CHANGED);
	assert_sev(CALL(SEV_CMD_TIO_DEV_MEASUREMENTS, .dev_ctx = rig.dev_ctx), SEV_DEV_BUSY);
	assert_sev(CALL(SEV_CMD_TIO_DEV_RECLAIM, .dev_ctx = rig.dev_ctx), SEV_DEV_INVALID_STATE);
	carried = rig.requests;
	assert_sev(rig_call(SEV_CMD_TIO_DEV_CONNECT, args), SEV_SPDM_REQUEST);	/* no answer yet */
	assert_int_equal(rig.requests, carried);
	args.spdm = rig.spdm;
	args.spdm.response = rig.spdm.request;		/* not the host's to write */
	assert_sev(rig_call(SEV_CMD_TIO_DEV_CONNECT, args), SEV_COMMAND_CHANGED);
	assert_sev(rig_talk(SEV_CMD_TIO_DEV_CONNECT, rig_connect_args()), SEV_SUCCESS);
}

static void R3_5_buffers(void **state)
{
	struct sev_command args;
	uint8_t header[8];

	(void)state;
	rig_init();
	rig_device();
	args = rig_connect_args();
	args.spdm = rig.spdm;
	args.spdm.request = rig_list(rig_pages(2), 2);		/* the host could change a request */
	assert_sev(rig_call(SEV_CMD_TIO_DEV_CONNECT, args), SEV_INVALID_ADDRESS);
	args.spdm = rig.spdm;
	args.spdm.response = rig_list(rig_firmware_pages(2), 2);
	assert_sev(rig_call(SEV_CMD_TIO_DEV_CONNECT, args), SEV_INVALID_ADDRESS);
	args.spdm = rig.spdm;
	args.spdm.scratch = rig_firmware_pages(1);		/* one page: too little */
	assert_sev(rig_call(SEV_CMD_TIO_DEV_CONNECT, args), SEV_EXPAND_BUFFER);
	assert_int_equal(phys_read(args.spdm.scratch, header, 8, RMP_OWNER_FIRMWARE), 0);
	assert_memory_equal(header, "\0\x40\0\0\0\0\0\0", 8);	/* 16 KiB wanted */
}

static void R3_5_lost_answer_and_force(void **state)
{
	struct sev_command args = { 0 };

	(void)state;
	rig_bound();
	rig.lose_at = 0;
	rig_no_answer();
	assert_sev(rig_call(SEV_CMD_TIO_TDI_UNBIND, rig_tdi_args()), SEV_SPDM_REQUEST);
	rig_carry();						/* nothing came back */
	assert_sev(rig_call(SEV_CMD_TIO_TDI_UNBIND, rig_tdi_args()), SEV_SPDM_REQUEST);
	assert_sev(rig_call(SEV_CMD_TIO_TDI_STATUS, rig_tdi_args()), SEV_DEV_BUSY);
	assert_sev(CALL(SEV_CMD_TIO_DEV_DISCONNECT, .dev_ctx = rig.dev_ctx, .flags = SEV_FORCE),
		   SEV_TDI_BOUND);
	args = rig_tdi_args();
	args.flags = SEV_FORCE;
	assert_sev(rig_call(SEV_CMD_TIO_TDI_UNBIND, args), SEV_COMMAND_CHANGED);
}

static void R3_2_tdi_order(void **state)
{
	struct sev_command args;
	struct sev_tdi_view view;
	uint64_t first_id;

	(void)state;
	rig_tdi();
	assert_sev(CALL(SEV_CMD_TIO_TDI_CREATE, .dev_ctx = rig.dev_ctx,
			.tdi_ctx = rig_firmware_pages(1), .rid = RIG_VF),
		   SEV_INVALID_PARAM);
	assert_sev(rig_run(), SEV_TDI_INVALID_STATE);		/* not locked */
	args = rig_tdi_args();
	args.gctx = 0;
	assert_sev(rig_call(SEV_CMD_TIO_TDI_BIND, args), SEV_INVALID_GUEST_STATE);
	args = rig_tdi_args();
	args.lock_flags = 0x8000;				/* no device has that */
	assert_sev(rig_talk(SEV_CMD_TIO_TDI_BIND, args), SEV_INVALID_PARAM);
	assert_sev(CALL(SEV_CMD_TIO_TDI_REPORT, .tdi_ctx = rig.tdi_ctx), SEV_TDI_INVALID_STATE);
	assert_sev(rig_talk(SEV_CMD_TIO_TDI_BIND, rig_tdi_args()), SEV_SUCCESS);
	assert_int_equal(sev_tdi_view(RIG_VF, &view), 0);
	assert_int_equal(view.tdisp_state, TDISP_LOCKED);
	assert_int_equal(view.asid, RIG_ASID);
	first_id = view.tdi_id;
	assert_sev(rig_talk(SEV_CMD_TIO_TDI_BIND, rig_tdi_args()), SEV_TDI_BOUND);
	assert_sev(rig_call(SEV_CMD_TIO_TDI_RECLAIM, rig_tdi_args()), SEV_TDI_BOUND);
	assert_sev(CALL(SEV_CMD_SNP_DECOMMISSION, .gctx = rig.gctx), SEV_TDI_BOUND);
	assert_sev(CALL(SEV_CMD_TIO_DEV_DISCONNECT, .dev_ctx = rig.dev_ctx), SEV_TDI_BOUND);
	assert_sev(rig_run(), SEV_SUCCESS);
	assert_sev(rig_run(), SEV_TDI_INVALID_STATE);		/* already */
	assert_int_equal(sev_tdi_view(RIG_VF, &view), 0);
	assert_int_equal(view.tdisp_state, TDISP_RUN);
	assert_sev(rig_talk(SEV_CMD_TIO_TDI_UNBIND, rig_tdi_args()), SEV_SUCCESS);
	assert_sev(rig_talk(SEV_CMD_TIO_TDI_BIND, rig_tdi_args()), SEV_SUCCESS);
	assert_int_equal(sev_tdi_view(RIG_VF, &view), 0);
	assert_true(view.tdi_id > first_id);			/* A12: another id each time */
	assert_sev(rig_talk(SEV_CMD_TIO_TDI_UNBIND, rig_tdi_args()), SEV_SUCCESS);
	assert_sev(rig_call(SEV_CMD_TIO_TDI_RECLAIM, rig_tdi_args()), SEV_SUCCESS);
	assert_sev(rig_call(SEV_CMD_TIO_TDI_RECLAIM, rig_tdi_args()), SEV_INVALID_ADDRESS);
	assert_sev(CALL(SEV_CMD_SNP_DECOMMISSION, .gctx = rig.gctx), SEV_SUCCESS);
}

static void R3_2_fences(void **state)
{
	uint8_t bits[8];

	(void)state;
	rig_bound();
	assert_sev(CALL(SEV_CMD_TIO_ASID_FENCE_STATUS, .out = rig.out, .asid = 0), SEV_INVALID_ASID);
	assert_sev(CALL(SEV_CMD_TIO_ASID_FENCE_CLEAR, .gctx = rig.gctx, .asid = RIG_ASID + 1),
		   SEV_INVALID_ASID);
	rmp_fence_raise(RIG_ASID, RIG_VF, false);
	assert_sev(rig_call(SEV_CMD_TIO_ASID_FENCE_STATUS, rig_tdi_args()), SEV_SUCCESS);
	assert_int_equal(phys_read(rig.out, bits, 8, 0), 0);
	assert_memory_equal(bits, "\x08\0\0\0\x01\0\0\0", 8);	/* DMA, error response */
	/* while the TDI that violated is bound, it would only do it again */
	assert_sev(rig_call(SEV_CMD_TIO_ASID_FENCE_CLEAR, rig_tdi_args()), SEV_TDI_BOUND);
	assert_sev(rig_talk(SEV_CMD_TIO_TDI_UNBIND, rig_tdi_args()), SEV_SUCCESS);
	assert_sev(rig_call(SEV_CMD_TIO_ASID_FENCE_CLEAR, rig_tdi_args()), SEV_SUCCESS);
	assert_int_equal(rmp_fence(RIG_ASID)->dma, RMP_DMA_FREE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(command_buffers), TEST(platform_states), TEST(R3_3_guest_states),
		TEST(device_states), TEST(R3_5_suspended_commands), TEST(R3_5_buffers),
		TEST(R3_5_lost_answer_and_force), TEST(R3_2_tdi_order), TEST(R3_2_fences),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
