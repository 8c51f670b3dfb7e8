/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A powered-on standard machine for the device tests, and short ways to speak TDISP and IDE_KM to
 * its DSM. Sessions are plain numbers here: test_wire.c proves the same through DOE and SPDM.
 */
#ifndef TESTS_DEVICE_RIG_H
#define TESTS_DEVICE_RIG_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "device/dsm.h"
#include "hardware/iommu.h"
#include "trace/trace.h"

#define PORT 0x0008u
#define PF 0x0100u
#define VF 0x0101u
#define SESSION 0xabcd0001u
#define STREAM 1u

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define UNUSED __attribute__((unused))

static int rig_up(void **state)
{
	struct image_opts opts = { .size = sizeof(opts), .seed = 7 };

	(void)state;
	if (image_create(&opts) || trace_power_on(0) || phys_power_on() || function_power_on() ||
	    iommu_power_on() || device_power_on())
		return -1;
	return device_machine_default();
}

static int rig_down(void **state)
{
	(void)state;
	image_detach();
	return 0;
}

UNUSED static unsigned int rig_block(uint16_t rid, unsigned int index)
{
	return IDE_SEL_BASE(function_find(rid)->cap_ide, 0) + index * (20 + 12 * DSM_STREAM_ASSOC);
}

/* -- IDE_KM ----------------------------------------------------------------------------------- */

UNUSED static uint8_t slot_code(unsigned int set, unsigned int dir, unsigned int sub)
{
	return (uint8_t)(sub << 4 | dir << 1 | set);
}

/* The KP_ACK status, or -ENOMSG. */
UNUSED static int km_prog(uint32_t session, uint8_t stream, uint8_t slot, uint8_t port)
{
	uint8_t m[47] = { IDE_KM_KEY_PROG, 0, 0, stream, 0, slot, port }, reply[64];
	int rc;

	memset(m + 7, slot + 1, 32);
	m[39 + 4] = 1;
	rc = ide_km_handle(dsm_of(PF), session, m, sizeof(m), reply, sizeof(reply));
	if (rc < 0)
		return rc;
	assert_int_equal(rc, 7);
	assert_int_equal(reply[0], IDE_KM_KP_ACK);
	assert_int_equal(reply[3], stream);
	assert_int_equal(reply[5], slot);
	assert_int_equal(reply[6], port);
	return reply[4];
}

/* 0: acknowledged with an echo; -ENOMSG. */
UNUSED static int km_go_stop(
	uint32_t session, uint8_t object, uint8_t stream, uint8_t slot, uint8_t port)
{
	const uint8_t m[7] = { object, 0, 0, stream, 0, slot, port };
	uint8_t reply[64];
	int rc = ide_km_handle(dsm_of(PF), session, m, sizeof(m), reply, sizeof(reply));

	if (rc < 0)
		return rc;
	assert_int_equal(rc, 7);
	assert_int_equal(reply[0], IDE_KM_K_GOSTOP_ACK);
	assert_memory_equal(reply + 1, m + 1, 6);
	return 0;
}

UNUSED static void km_key_set(uint32_t session, uint8_t stream, unsigned int set)
{
	for (unsigned int i = 0; i < 6; i++)
		assert_int_equal(
			km_prog(session, stream, slot_code(set, i / 3, i % 3), 0), IDE_KM_OK);
}

UNUSED static void km_go_set(uint32_t session, uint8_t stream, unsigned int set)
{
	for (unsigned int i = 0; i < 6; i++)
		assert_int_equal(km_go_stop(session, IDE_KM_K_SET_GO, stream,
					 slot_code(set, i / 3, i % 3), 0),
			0);
}

/* The root port's half of what km_key_set() and km_go_set() do: its Tx is the device's Rx. */
UNUSED static void port_keys(uint8_t stream, unsigned int set)
{
	static const uint8_t ifv[8] = { [4] = 1 };
	uint8_t key[32];

	for (unsigned int i = 0; i < 6; i++) {
		memset(key, slot_code(set, i / 3, i % 3) + 1, sizeof(key));
		assert_int_equal(ide_key_program(PORT, stream, set, i / 3 ? IDE_RX : IDE_TX,
			(enum ide_sub_stream)(i % 3), key, ifv), 0);
		assert_int_equal(ide_key_go(PORT, stream, set, i / 3 ? IDE_RX : IDE_TX,
			(enum ide_sub_stream)(i % 3)), 0);
	}
}

enum { IDE_ENABLE = 1u, IDE_DEFAULT = 1u << 22 };

/* Stream registers of one port: block index, stream id, RIDs it is for, the whole MMIO window. */
UNUSED static void ide_registers(uint16_t rid, unsigned int index, uint8_t stream, uint16_t first,
	uint16_t last, uint32_t control)
{
	unsigned int at = rig_block(rid, index);

	config_write(rid, at + 0x0c, 4, (uint32_t)last << 8);
	config_write(rid, at + 0x10, 4, (uint32_t)first << 8 | 1);
	if (rid == PORT) {
		config_write(rid, at + 0x18, 4, PHYS_MMIO >> 32);
		config_write(rid, at + 0x1c, 4, PHYS_MMIO >> 32);
		config_write(rid, at + 0x14, 4, 0x03f00001);	/* base +0, limit +64 MiB - 1 */
	}
	config_write(rid, at + 4, 4, (uint32_t)stream << 24 | control);
}

/* A secure default stream, keyed over SESSION. */
UNUSED static void rig_stream(void)
{
	ide_registers(PF, 0, STREAM, PORT, PORT, IDE_DEFAULT);
	ide_registers(PORT, 0, STREAM, PF, VF, 0);
	km_key_set(SESSION, STREAM, 0);
	km_go_set(SESSION, STREAM, 0);
	port_keys(STREAM, 0);
	ide_registers(PF, 0, STREAM, PORT, PORT, IDE_DEFAULT | IDE_ENABLE);
	ide_registers(PORT, 0, STREAM, PF, VF, IDE_ENABLE);
	assert_true(ide_secure(PF, STREAM));
}

/* -- TDISP ------------------------------------------------------------------------------------ */

static uint8_t tdisp_reply[4096];
static int tdisp_reply_len;

/* The TDISP error code, 0 for success; the answer is in tdisp_reply. */
UNUSED static int tdisp_send(
	uint16_t rid, uint32_t session, uint8_t code, const void *body, size_t len)
{
	uint8_t m[256] = { TDISP_VERSION_10, code, 0, 0, (uint8_t)rid, (uint8_t)(rid >> 8) };
	struct reader r;

	if (len)
		memcpy(m + 16, body, len);
	tdisp_reply_len =
		tdisp_handle(dsm_of(PF), session, m, 16 + len, tdisp_reply, sizeof(tdisp_reply));
	assert_true(tdisp_reply_len >= 16);
	assert_int_equal(tdisp_reply[0], TDISP_VERSION_10);
	assert_memory_equal(tdisp_reply + 4, m + 4, 12);
	if (tdisp_reply[1] != TDISP_ERROR) {
		assert_int_equal(tdisp_reply[1], code - 0x80);
		return 0;
	}
	assert_int_equal(tdisp_reply_len, 24);
	r = reader_of(tdisp_reply + 16, 4);
	return (int)get_le32(&r);
}

UNUSED static int tdisp_lock_at(
	uint16_t rid, uint32_t session, uint16_t flags, uint8_t stream, uint64_t offset)
{
	uint8_t body[20];
	struct writer w = writer_of(body, sizeof(body));

	put_le16(&w, flags);
	put_u8(&w, stream);
	put_u8(&w, 0);
	put_le64(&w, offset);
	put_le64(&w, 0);
	return tdisp_send(rid, session, TDISP_LOCK, body, sizeof(body));
}

UNUSED static int tdisp_lock(uint16_t rid, uint16_t flags)
{
	return tdisp_lock_at(rid, SESSION, flags, STREAM, 0);
}

UNUSED static void tdisp_run(uint16_t rid, uint16_t flags)
{
	uint8_t nonce[32];

	assert_int_equal(tdisp_lock(rid, flags), 0);
	memcpy(nonce, tdisp_reply + 16, 32);
	assert_int_equal(tdisp_send(rid, SESSION, TDISP_START, nonce, 32), 0);
}

UNUSED static int tdi_state(uint16_t rid)
{
	struct tdi_view view;

	assert_int_equal(device_tdi_view(rid, &view), 0);
	return view.state;
}

UNUSED static const char *tdi_cause(uint16_t rid)
{
	static struct tdi_view view;

	assert_int_equal(device_tdi_view(rid, &view), 0);
	return view.error_cause;
}

/* From UNLOCKED, with a stream set up. */
UNUSED static void tdi_to(uint16_t rid, int state, uint16_t flags)
{
	if (state == TDISP_UNLOCKED)
		return;
	if (state == TDISP_LOCKED)
		assert_int_equal(tdisp_lock(rid, flags), 0);
	else
		tdisp_run(rid, flags);
	if (state == TDISP_ERROR_STATE)
		device_inject(rid, DEVICE_FAULT_INTEGRITY, 1);
	assert_int_equal(tdi_state(rid), state);
}

#endif
