/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A host for the RMM's tests: granules, commands register by register, COMMUNICATE over a real mailbox
 * with one worker a PDEV or VDEV, and the standard machine. What it does is what a host driver must do,
 * and no more.
 */
#ifndef SWTIO_TESTS_CCA_RIG_H
#define SWTIO_TESTS_CCA_RIG_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "device/device.h"
#include "firmware/cca/cca.h"
#include "firmware/cca/operands.h"
#include "firmware_host.h"
#include "hardware/cpu.h"
#include "hardware/doe.h"
#include "hardware/ide.h"
#include "hardware/iommu.h"
#include "hardware/platform.h"
#include "image/bytes.h"
#include "spdm/chain.h"
#include "spdm/pcisig.h"
#include "trace/trace.h"

#define RIG_PAGES 1024u
#define RIG_SMMU 0x2b400000ull
#define RIG_CHAIN 16384u

/* Who carries one object's messages. */
struct worker {
	uint64_t rd, pdev, vdev;	/* vdev 0: the PDEV's own */
	uint64_t page, req, rsp;
	uint64_t status, rsp_len;
	bool idle, failed, waits;	/* after its last turn */
};

static struct rig {
	unsigned int requests;
	uint64_t rd, rtt, rec, stream;
	struct worker rp, ep, vdev;
	uint8_t chain[RIG_CHAIN];	/* the certificates, as the RMM has them cached */
	size_t chain_len;
} rig;

/* -- commands --------------------------------------------------------------------------------- */

#define CALL(command, ...)                                                                         \
	cca_rmi(LANE_TSM, RMI_##command, &(struct smc_args){ .x = { 0, __VA_ARGS__ } })
#define assert_rmi(result, expected)                                                               \
	assert_string_equal(rmi_status_name(result), rmi_status_name(RMI_##expected))

/* The result, and x1. */
MAYBE_UNUSED static uint64_t rig_call_out(enum rmi_command command, struct smc_args args,
					  uint64_t *x1)
{
	uint64_t result = cca_rmi(LANE_TSM, command, &args);

	*x1 = args.x[1];
	return result;
}

MAYBE_UNUSED static uint64_t rig_granule(void)
{
	uint64_t hpa = rig_page();

	assert_rmi(CALL(GRANULE_RANGE_DELEGATE, hpa, hpa + PHYS_PAGE), SUCCESS);
	return hpa;
}

/* -- conversations ---------------------------------------------------------------------------- */

MAYBE_UNUSED static uint64_t rig_doe(const struct worker *worker, uint64_t len)
{
	unsigned int cap = function_find(RIG_PF)->cap_doe;
	uint8_t object[COMM_BUFFER];
	struct reader r = reader_of(object, len);
	struct writer w = writer_of(object, sizeof(object));

	assert_true(len <= sizeof(object));
	assert_int_equal(phys_read(worker->req, object, len, 0), 0);
	rig.requests++;
	while (reader_left(&r))
		config_write(RIG_PF, cap + 0x10, 4, get_le32(&r));
	config_write(RIG_PF, cap + 0x08, 4, 1u << 31);
	while (config_read(RIG_PF, cap + 0x0c, 4) >> 31) {
		put_le32(&w, config_read(RIG_PF, cap + 0x14, 4));
		config_write(RIG_PF, cap + 0x14, 4, 0);
	}
	assert_int_equal(phys_write(worker->rsp, object, w.at, 0), 0);
	return w.at;
}

MAYBE_UNUSED static void rig_cache(const struct worker *worker)
{
	uint64_t flags = rig_peek(worker->page + COMM_FLAGS, 0);
	uint64_t len = rig_peek(worker->page + COMM_RSP_CACHE_LEN, 0);

	if (!(flags & COMM_CACHE_RSP) || rig_peek(worker->page + COMM_OBJECT, 0) != OBJECT_CERTIFICATE)
		return;
	if (flags & COMM_RSP_RESET)
		rig.chain_len = 0;
	assert_true(rig.chain_len + len <= RIG_CHAIN);
	assert_int_equal(phys_read(worker->rsp + rig_peek(worker->page + COMM_RSP_CACHE_OFFSET, 0),
				   rig.chain + rig.chain_len, len, 0),
			 0);
	rig.chain_len += len;
}

/* One COMMUNICATE, and the device's answer to what it asked. */
MAYBE_UNUSED static uint64_t rig_turn(struct worker *worker)
{
	uint64_t result, flags;

	rig_poke(worker->page + COMM_STATUS, worker->status);
	rig_poke(worker->page + COMM_REQ_ADDR, worker->req);
	rig_poke(worker->page + COMM_RSP_ADDR, worker->rsp);
	rig_poke(worker->page + COMM_RSP_LEN, worker->rsp_len);
	result = worker->vdev ? CALL(VDEV_COMMUNICATE, worker->rd, worker->pdev, worker->vdev,
				     worker->page) :
				CALL(PDEV_COMMUNICATE, worker->pdev, worker->page);
	worker->failed = rmi_status(result) != RMI_SUCCESS;
	worker->idle = worker->failed;
	if (worker->failed)
		return result;
	rig_cache(worker);
	flags = rig_peek(worker->page + COMM_FLAGS, 0);
	worker->waits = flags & COMM_STREAM_WAIT;
	worker->idle = !(flags & (COMM_SEND | COMM_WAIT | COMM_STREAM_WAIT));
	worker->status = COMM_STATUS_NONE;
	worker->rsp_len = 0;
	if (flags & COMM_SEND) {
		worker->rsp_len = rig_doe(worker, rig_peek(worker->page + COMM_REQ_LEN, 0));
		worker->status = worker->rsp_len ? COMM_STATUS_RESPONSE : COMM_STATUS_ERROR;
	}
	return result;
}

/* Until the operation is over, or waits for the stream's other end. */
MAYBE_UNUSED static uint64_t rig_talk(struct worker *worker)
{
	uint64_t result = RMI_SUCCESS;

	for (unsigned int i = 0; i < 300; i++) {
		result = rig_turn(worker);
		if (worker->idle || worker->waits)
			return result;
	}
	fail_msg("a conversation does not end");
	return result;
}

/* Both ends in turns. */
MAYBE_UNUSED static void rig_both(void)
{
	for (unsigned int i = 0; i < 50; i++) {
		struct worker *worker = i % 2 ? &rig.ep : &rig.rp;

		if (!worker->idle)
			assert_rmi(rig_talk(worker), SUCCESS);
		if (rig.rp.idle && rig.ep.idle)
			return;
	}
	fail_msg("the ends of a stream wait for one another");
}

MAYBE_UNUSED static void rig_both_begin(void)
{
	rig.rp.idle = rig.ep.idle = false;
}

/* -- building up ------------------------------------------------------------------------------ */

MAYBE_UNUSED static int rig_setup(void **state)
{
	static const struct image_opts opts = { .size = sizeof(opts), .seed = 1 };
	static int (*const rooms[])(void) = {
		phys_power_on,	 function_power_on,	 iommu_power_on,
		device_power_on, device_machine_default, cca_power_on,
	};

	(void)state;
	assert_int_equal(image_create(&opts), 0);
	machine_platform_set(PLATFORM_CCA);
	assert_int_equal(trace_power_on(0), 0);
	for (size_t i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++)
		assert_int_equal(rooms[i](), 0);
	rig = (struct rig){ 0 };
	rig_pool_make(RIG_PAGES);
	return 0;
}

MAYBE_UNUSED static int rig_teardown(void **state)
{
	(void)state;
	image_detach();
	return 0;
}

MAYBE_UNUSED static void rig_worker(struct worker *worker)
{
	*worker = (struct worker){ .page = rig_page(), .req = rig_pages(2), .rsp = rig_pages(2) };
}

MAYBE_UNUSED static void rig_realm(void)
{
	uint64_t params = rig_page();

	rig.rd = rig_granule();
	rig.rtt = rig_granule();
	rig_poke(params + REALM_PARAM_RTT_BASE, rig.rtt);
	assert_rmi(CALL(REALM_CREATE, rig.rd, params), SUCCESS);
	rig.rec = rig_granule();
	assert_rmi(CALL(REC_CREATE, rig.rd, rig.rec), SUCCESS);
	assert_rmi(CALL(REALM_ACTIVATE, rig.rd), SUCCESS);
}

/* Tables down to `level` at ipa. */
MAYBE_UNUSED static void rig_tables(uint64_t ipa, unsigned int level)
{
	for (unsigned int at = 1; at <= level; at++) {
		uint64_t base = ipa & ~((1ull << (12 + 9 * (4 - at))) - 1);
		uint64_t result = CALL(RTT_CREATE, rig.rd, rig_granule(), base, at);

		assert_true(!result || rmi_status(result) == RMI_ERROR_RTT);
	}
}

MAYBE_UNUSED static uint64_t rig_pdev_params(uint16_t rid, bool endpoint)
{
	uint64_t params = rig_page();

	rig_poke(params + PDEV_PARAM_FLAGS, endpoint ? PDEV_FLAG_SPDM : 0);
	rig_poke(params + PDEV_PARAM_ID, rid);
	rig_poke(params + PDEV_PARAM_ROUTING_ID, rid);
	rig_poke(params + PDEV_PARAM_RID_BASE, rid);
	rig_poke(params + PDEV_PARAM_RID_TOP, endpoint ? (rid | 0xffu) + 1u : rid + 1u);
	return params;
}

MAYBE_UNUSED static uint64_t rig_pdev_state(const struct worker *worker)
{
	uint64_t state;

	assert_rmi(rig_call_out(RMI_PDEV_GET_STATE,
				(struct smc_args){ .x = { 0, worker->pdev } }, &state),
		   SUCCESS);
	return state;
}

/* A page with the key that the chain leads to. */
MAYBE_UNUSED static uint64_t rig_key(void)
{
	uint64_t page = rig_page();
	uint8_t key[SPDM_KEY_POINT];
	int len = spdm_chain_key(rig.chain, rig.chain_len, key);

	assert_int_equal(len, 96);
	assert_int_equal(phys_write(page + PUBKEY_BYTES, key, 96, 0), 0);
	rig_poke(page + PUBKEY_LEN, 96);
	rig_poke(page + PUBKEY_ALGORITHM, PUBKEY_ECDSA_P384);
	return page;
}

MAYBE_UNUSED static void rig_pdevs(void)
{
	rig_worker(&rig.rp);
	rig_worker(&rig.ep);
	rig.rp.pdev = rig_granule();
	rig.ep.pdev = rig_granule();
	assert_rmi(CALL(PDEV_CREATE, rig.rp.pdev, rig_pdev_params(RIG_PORT, false)), SUCCESS);
	assert_rmi(rig_talk(&rig.rp), SUCCESS);
	assert_rmi(CALL(PDEV_CREATE, rig.ep.pdev, rig_pdev_params(RIG_PF, true)), SUCCESS);
	assert_rmi(rig_talk(&rig.ep), SUCCESS);
	assert_rmi(CALL(PDEV_SET_PUBKEY, rig.ep.pdev, rig_key()), SUCCESS);
	assert_rmi(rig_talk(&rig.ep), SUCCESS);
	assert_int_equal(rig_pdev_state(&rig.rp), PDEV_READY);
	assert_int_equal(rig_pdev_state(&rig.ep), PDEV_READY);
}

MAYBE_UNUSED static uint64_t rig_stream_params(void)
{
	uint64_t params = rig_page();

	rig_poke(params + STREAM_PARAM_TYPE, STREAM_NCOH);
	rig_poke(params + STREAM_PARAM_PDEV_1, rig.rp.pdev);
	rig_poke(params + STREAM_PARAM_PDEV_2, rig.ep.pdev);
	rig_poke(params + STREAM_PARAM_IDE_SID, RIG_STREAM);
	return params;
}

/* Associations and id of the stream's blocks at both ends, and later their enables. */
MAYBE_UNUSED static void rig_stream_registers(bool enable)
{
	static const struct { uint16_t rid; uint32_t rid1, rid2; } ends[] = {
		{ RIG_PF, RIG_PORT << 8, RIG_PORT << 8 | 1 },
		{ RIG_PORT, 0x01ff00, 0x010000 | 1 },
	};

	for (unsigned int i = 0; i < 2; i++) {
		unsigned int at = IDE_SEL_BASE(function_find(ends[i].rid)->cap_ide, 0);

		config_write(ends[i].rid, at + 0x0c, 4, ends[i].rid1);
		config_write(ends[i].rid, at + 0x10, 4, ends[i].rid2);
		config_write(ends[i].rid, at + 0x04, 4,
			     RIG_STREAM << 24 | (i ? 0 : 1u << 22) | enable);
	}
}

MAYBE_UNUSED static void rig_stream_connect(void)
{
	rig_stream_registers(false);
	assert_rmi(rig_call_out(RMI_PDEV_STREAM_CONNECT,
				(struct smc_args){ .x = { 0, rig_stream_params() } }, &rig.stream),
		   SUCCESS);
	rig_both_begin();
}

MAYBE_UNUSED static void rig_connected(void)
{
	uint64_t l1 = rig_granule(), l2 = rig_granule();

	rig_pdevs();
	assert_rmi(CALL(PSMMU_ACTIVATE, RIG_SMMU, l1), SUCCESS);
	assert_rmi(CALL(PSMMU_ST_L2_CREATE, RIG_SMMU, RIG_PF, l2), SUCCESS);
	rig_stream_connect();
	rig_both();
	rig_stream_registers(true);
	assert_rmi(CALL(PDEV_STREAM_COMPLETE, rig.stream), SUCCESS);
	config_write(RIG_PF, 4, 2, 6);
	config_write(RIG_VF, 4, 2, 4);
}

MAYBE_UNUSED static uint64_t rig_bar(unsigned int page)
{
	return function_find(RIG_VF)->bar[2].hpa + (uint64_t)page * PHYS_PAGE;
}

MAYBE_UNUSED static uint64_t rig_vdev_params(uint64_t id, uint64_t base, uint64_t top)
{
	uint64_t params = rig_page();

	rig_poke(params + VDEV_PARAM_VDEV_ID, id);
	rig_poke(params + VDEV_PARAM_TDI_ID, RIG_VF);
	rig_poke(params + VDEV_PARAM_SID, RIG_VF);
	rig_poke(params + VDEV_PARAM_RANGES, 1);
	rig_poke(params + VDEV_PARAM_RANGE, base);
	rig_poke(params + VDEV_PARAM_RANGE + 8, top);
	return params;
}

MAYBE_UNUSED static void rig_vdev(void)
{
	rig_connected();
	rig_realm();
	rig_worker(&rig.vdev);
	rig.vdev.rd = rig.rd;
	rig.vdev.pdev = rig.ep.pdev;
	rig.vdev.vdev = rig_granule();
	assert_rmi(CALL(VDEV_CREATE, rig.rd, rig.ep.pdev, rig.vdev.vdev,
			rig_vdev_params(0x18, rig_bar(0), rig_bar(4))),
		   SUCCESS);
	assert_rmi(rig_talk(&rig.vdev), SUCCESS);
}

#define VDEV(command) CALL(command, rig.rd, rig.ep.pdev, rig.vdev.vdev)

MAYBE_UNUSED static enum vdev_state rig_vdev_state(void)
{
	struct cca_vdev_view view;

	assert_int_equal(cca_vdev_view(RIG_VF, &view), 0);
	return view.state;
}

/* Another operation of the stream, both ends, complete. */
MAYBE_UNUSED static void rig_stream_op(enum rmi_command command)
{
	uint64_t x1;

	assert_rmi(rig_call_out(command, (struct smc_args){ .x = { 0, rig.stream } }, &x1), SUCCESS);
	rig_both_begin();
	rig_both();
	assert_rmi(CALL(PDEV_STREAM_COMPLETE, rig.stream), SUCCESS);
}

#endif
