/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A host for the PSP's tests: pages in the states it asks for, commands by their fields, the loop of
 * SPDM_REQUEST over a real mailbox, and the standard machine. What it does is what a host driver must
 * do, and no more.
 */
#ifndef SWTIO_TESTS_SEV_RIG_H
#define SWTIO_TESTS_SEV_RIG_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "device/device.h"
#include "firmware/sev/operands.h"
#include "firmware/sev/sev.h"
#include "firmware_host.h"
#include "hardware/cpu.h"
#include "hardware/doe.h"
#include "hardware/ide.h"
#include "hardware/iommu.h"
#include "hardware/platform.h"
#include "hardware/rmp.h"
#include "image/bytes.h"
#include "spdm/pcisig.h"
#include "trace/trace.h"

#define RIG_PAGES 1024u
#define RIG_ASID 3u
#define RIG_GUEST_RID 0x0018u
#define RIG_MESSAGE_PAGES 2u		/* of a request or response buffer */
#define RIG_BUFFER_PAGES 16u		/* of scratch and output */

static struct rig {
	uint64_t command, out;		/* pages of the host's own */
	struct sev_spdm_ctrl spdm;
	uint64_t request, response;	/* first pages of those buffers */
	uint64_t dev_ctx, tdi_ctx, gctx;
	uint8_t key[32];		/* the guest's, for its messages */
	uint64_t sequence;		/* of the last of them */
	unsigned int requests;		/* carried so far */
	int lose_at;			/* that many requests from now one is lost; -1: none */
} rig;

/* -- memory ----------------------------------------------------------------------------------- */

#define assert_rmp(status, expected)                                                               \
	assert_string_equal(rmp_status_name(status), rmp_status_name(expected))

MAYBE_UNUSED static uint64_t rig_firmware_pages(unsigned int n)
{
	const struct rmp_entry firmware = { .assigned = true, .immutable = true };
	uint64_t hpa = rig_pages(n);

	assert_rmp(rmpupdate(LANE_TSM, hpa, n, &firmware), RMP_OK);
	return hpa;
}

/* A scatter list of n pages in a row. */
MAYBE_UNUSED static uint64_t rig_list(uint64_t first, unsigned int n)
{
	uint64_t list = rig_page();
	uint8_t bytes[8 * (RIG_BUFFER_PAGES + 1)];
	struct writer w = writer_of(bytes, sizeof(bytes));

	for (unsigned int i = 0; i < n; i++)
		put_le64(&w, first + (uint64_t)i * PHYS_PAGE);
	put_le64(&w, SEV_SLA_EOL);
	assert_int_equal(phys_write(list, bytes, w.at, 0), 0);
	return list | SEV_SLA_LIST;
}

/* -- commands --------------------------------------------------------------------------------- */

MAYBE_UNUSED static enum sev_status rig_call(enum sev_command_id id, struct sev_command args)
{
	uint8_t bytes[SEV_BUFFER_MAX];
	size_t len;

	if (!args.spdm.request)
		args.spdm = rig.spdm;
	len = sev_command_encode(id, &args, bytes);
	assert_true(len);
	assert_int_equal(phys_write(rig.command, bytes, len, 0), 0);
	return sev_command(LANE_TSM, id, rig.command);
}

#define CALL(id, ...) rig_call(id, (struct sev_command){ __VA_ARGS__ })
#define assert_sev(status, expected)                                                               \
	assert_string_equal(sev_status_name(status), sev_status_name(expected))

/* The request in its buffer to function 0's mailbox, and what comes back into the response buffer. */
MAYBE_UNUSED static void rig_carry(void)
{
	unsigned int cap = function_find(RIG_PF)->cap_doe;
	uint8_t bytes[RIG_MESSAGE_PAGES * PHYS_PAGE] = { 0 };
	struct reader r = reader_of(bytes, sizeof(bytes));
	uint8_t answer[RIG_MESSAGE_PAGES * PHYS_PAGE] = { 0 };
	struct writer w = writer_of(answer, sizeof(answer));
	size_t len, body;
	uint8_t type;

	assert_int_equal(phys_read(rig.request, bytes, sizeof(bytes), RMP_OWNER_FIRMWARE), 0);
	get_bytes(&r, SEV_BUFFER_HEADER);
	assert_int_equal(get_le32(&r), SEV_OBJECT_REQUEST);
	len = (get_le32(&r) - SEV_OBJECT_HEADER + 3) / 4;
	get_le16(&r);
	type = get_u8(&r);
	get_bytes(&r, 5);
	rig.requests++;
	put_space(&w, SEV_BUFFER_HEADER + SEV_OBJECT_HEADER);
	if (rig.lose_at < 0 || rig.lose_at--) {
		config_write(RIG_PF, cap + 0x10, 4, 1u | (uint32_t)type << 16);
		config_write(RIG_PF, cap + 0x10, 4, (uint32_t)len + 2);
		while (len--)
			config_write(RIG_PF, cap + 0x10, 4, get_le32(&r));
		config_write(RIG_PF, cap + 0x08, 4, 1u << 31);
	}
	for (unsigned int i = 0; config_read(RIG_PF, cap + 0x0c, 4) >> 31; i++) {
		uint32_t word = config_read(RIG_PF, cap + 0x14, 4);

		if (!i)
			type = (uint8_t)(word >> 16);
		else if (i > 1)
			put_le32(&w, word);
		config_write(RIG_PF, cap + 0x14, 4, 0);
	}
	assert_false(w.bad);
	body = w.at - SEV_BUFFER_HEADER - SEV_OBJECT_HEADER;
	w = writer_of(answer, sizeof(answer));
	put_le32(&w, sizeof(answer));
	put_le32(&w, body ? (uint32_t)((SEV_OBJECT_HEADER + body + 31) / 32 * 32) : 0);
	put_space(&w, SEV_BUFFER_HEADER - 8);
	put_le32(&w, SEV_OBJECT_RESPONSE);
	put_le32(&w, (uint32_t)(SEV_OBJECT_HEADER + body));
	put_le16(&w, 0x0100);
	put_u8(&w, type);
	assert_int_equal(phys_write(rig.response, answer, sizeof(answer), 0), 0);
}

/* An empty response buffer: no answer yet. */
MAYBE_UNUSED static void rig_no_answer(void)
{
	static const uint8_t empty[SEV_BUFFER_HEADER];

	assert_int_equal(phys_write(rig.response, empty, sizeof(empty), 0), 0);
}

/* The command and, while it asks, its messages: the very same command each time. */
MAYBE_UNUSED static enum sev_status rig_talk(enum sev_command_id id, struct sev_command args)
{
	rig_no_answer();
	for (unsigned int rounds = 0; rounds < 300; rounds++) {
		enum sev_status status = rig_call(id, args);

		if (status != SEV_SPDM_REQUEST)
			return status;
		rig_carry();
	}
	fail_msg("%s does not end", sev_command_name(id));
	return SEV_SUCCESS;
}

#define TALK(id, ...) rig_talk(id, (struct sev_command){ __VA_ARGS__ })

/* -- building up ------------------------------------------------------------------------------ */

MAYBE_UNUSED static int rig_setup(void **state)
{
	static const struct image_opts opts = { .size = sizeof(opts), .seed = 1 };
	static int (*const rooms[])(void) = {
		phys_power_on,	 function_power_on,	 iommu_power_on,
		device_power_on, device_machine_default, sev_power_on,
	};
	uint64_t scratch, output;

	(void)state;
	assert_int_equal(image_create(&opts), 0);
	machine_platform_set(PLATFORM_SEV);
	assert_int_equal(trace_power_on(0), 0);
	for (size_t i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++)
		assert_int_equal(rooms[i](), 0);
	rig = (struct rig){ .lose_at = -1 };
	rig_pool_make(RIG_PAGES);
	rig.command = rig_page();
	rig.out = rig_page();
	rig.request = rig_firmware_pages(RIG_MESSAGE_PAGES);
	rig.response = rig_pages(RIG_MESSAGE_PAGES);
	scratch = rig_firmware_pages(RIG_BUFFER_PAGES);
	output = rig_firmware_pages(RIG_BUFFER_PAGES);
	rig.spdm = (struct sev_spdm_ctrl){ .request = rig_list(rig.request, RIG_MESSAGE_PAGES),
					   .response = rig_list(rig.response, RIG_MESSAGE_PAGES),
					   .scratch = rig_list(scratch, RIG_BUFFER_PAGES),
					   .output = rig_list(output, RIG_BUFFER_PAGES) };
	return 0;
}

MAYBE_UNUSED static int rig_teardown(void **state)
{
	(void)state;
	image_detach();
	return 0;
}

MAYBE_UNUSED static void rig_init(void)
{
	assert_sev(CALL(SEV_CMD_SNP_INIT_EX, .flags = SEV_INIT_TIO), SEV_SUCCESS);
	assert_sev(CALL(SEV_CMD_TIO_INIT), SEV_SUCCESS);
}

MAYBE_UNUSED static void rig_guest(void)
{
	const struct rmp_entry entry = { .assigned = true, .asid = RIG_ASID };
	uint64_t secrets = rig_page();

	rig.gctx = rig_firmware_pages(1);
	assert_sev(CALL(SEV_CMD_SNP_GCTX_CREATE, .gctx = rig.gctx), SEV_SUCCESS);
	assert_sev(CALL(SEV_CMD_SNP_LAUNCH_START, .gctx = rig.gctx), SEV_SUCCESS);
	assert_sev(CALL(SEV_CMD_SNP_ACTIVATE, .gctx = rig.gctx, .asid = RIG_ASID), SEV_SUCCESS);
	assert_rmp(rmpupdate(LANE_KVM, secrets, 1, &entry), RMP_OK);
	assert_sev(CALL(SEV_CMD_SNP_LAUNCH_UPDATE, .gctx = rig.gctx, .in = secrets,
			.page_type = SEV_PAGE_SECRETS),
		   SEV_SUCCESS);
	assert_int_equal(phys_read(secrets + SEV_SECRETS_VMPCK0, rig.key, sizeof(rig.key),
				   RMP_OWNER(RIG_ASID)),
			 0);
	assert_sev(CALL(SEV_CMD_SNP_LAUNCH_FINISH, .gctx = rig.gctx), SEV_SUCCESS);
}

MAYBE_UNUSED static void rig_device(void)
{
	rig.dev_ctx = rig_firmware_pages(1);
	assert_sev(CALL(SEV_CMD_TIO_DEV_CREATE, .dev_ctx = rig.dev_ctx, .rid = RIG_PF,
			.root_port = RIG_PORT),
		   SEV_SUCCESS);
}

/* Address and requester associations of both ends, and the stream's id; not enabled. */
MAYBE_UNUSED static void rig_stream_registers(void)
{
	unsigned int ep = IDE_SEL_BASE(function_find(RIG_PF)->cap_ide, 0);
	unsigned int rp = IDE_SEL_BASE(function_find(RIG_PORT)->cap_ide, 0);

	config_write(RIG_PF, ep + 0x0c, 4, RIG_PORT << 8);
	config_write(RIG_PF, ep + 0x10, 4, RIG_PORT << 8 | 1);
	config_write(RIG_PF, ep + 0x04, 4, RIG_STREAM << 24 | 1u << 22);
	config_write(RIG_PORT, rp + 0x0c, 4, 0x01ff00);
	config_write(RIG_PORT, rp + 0x10, 4, 0x010000 | 1);
	config_write(RIG_PORT, rp + 0x04, 4, RIG_STREAM << 24);
}

MAYBE_UNUSED static struct sev_command rig_connect_args(void)
{
	return (struct sev_command){ .dev_ctx = rig.dev_ctx, .tc_mask = 1,
				     .streams = { RIG_STREAM } };
}

MAYBE_UNUSED static void rig_connected(void)
{
	unsigned int ep, rp;

	rig_init();
	rig_device();
	rig_stream_registers();
	assert_sev(rig_talk(SEV_CMD_TIO_DEV_CONNECT, rig_connect_args()), SEV_SUCCESS);
	ep = IDE_SEL_BASE(function_find(RIG_PF)->cap_ide, 0);
	rp = IDE_SEL_BASE(function_find(RIG_PORT)->cap_ide, 0);
	config_write(RIG_PF, ep + 0x04, 4, config_read(RIG_PF, ep + 0x04, 4) | 1);
	config_write(RIG_PORT, rp + 0x04, 4, config_read(RIG_PORT, rp + 0x04, 4) | 1);
	assert_true(ide_secure(RIG_PORT, RIG_STREAM));
}

MAYBE_UNUSED static void rig_tdi(void)
{
	rig_connected();
	rig_guest();
	config_write(RIG_PF, 4, 2, 6);
	config_write(RIG_VF, 4, 2, 4);
	rig.tdi_ctx = rig_firmware_pages(1);
	assert_sev(CALL(SEV_CMD_TIO_TDI_CREATE, .dev_ctx = rig.dev_ctx, .tdi_ctx = rig.tdi_ctx,
			.rid = RIG_VF),
		   SEV_SUCCESS);
}

MAYBE_UNUSED static struct sev_command rig_tdi_args(void)
{
	return (struct sev_command){ .dev_ctx = rig.dev_ctx, .tdi_ctx = rig.tdi_ctx,
				     .gctx = rig.gctx, .guest_rid = RIG_GUEST_RID,
				     .out = rig.out, .asid = RIG_ASID };
}

MAYBE_UNUSED static void rig_bound(void)
{
	rig_tdi();
	assert_sev(rig_talk(SEV_CMD_TIO_TDI_BIND, rig_tdi_args()), SEV_SUCCESS);
}

MAYBE_UNUSED static enum sev_status rig_run(void)
{
	struct sev_command args = rig_tdi_args();

	args.run_flags = SEV_RUN;
	return rig_talk(SEV_CMD_TIO_TDI_BIND, args);
}

#endif
