/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The IDE_KM responder, PCIe 6.x 6.33.3. One port (index 0): function 0's. The session that
 * programs the first key owns the port until its keys are gone; what any other session sends is
 * discarded, as is a malformed request that has no status field to answer with.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "device/dsm.h"
#include "trace/trace.h"

#define KEY_PROG_LEN 47u		/* without the protocol id */
#define QUERY_LEN 3u
#define GOSTOP_LEN 7u
#define EMU_MAX_PORT 7u

#define SLOTS_OF_SET 6u
#define SET_MASK(set) (((1u << SLOTS_OF_SET) - 1) << ((set) * SLOTS_OF_SET))

/* key_sub_stream of the messages: 0 key set, 1 direction, 3:2 reserved, 7:4 sub-stream. */
struct key_slot { unsigned int set; enum ide_direction dir; enum ide_sub_stream sub; };

struct km_message {
	const struct dsm *dsm;
	uint32_t session;
	uint8_t object, stream, sub_stream, port;
	struct reader body;	/* after the fields above */
	size_t len;
};

static bool slot_decode(uint8_t sub_stream, struct key_slot *slot)
{
	if ((sub_stream & 0xc) || sub_stream >> 4 >= IDE_SUB_STREAMS)
		return false;
	slot->set = sub_stream & 1;
	slot->dir = sub_stream & 2 ? IDE_TX : IDE_RX;
	slot->sub = (enum ide_sub_stream)(sub_stream >> 4);
	return true;
}

static uint16_t slot_bit(const struct key_slot *slot)
{
	return (uint16_t)(1u << (slot->set * SLOTS_OF_SET + (unsigned int)slot->dir * 3 +
				  (unsigned int)slot->sub));
}

static const struct dsm_stream *stream_find(const struct dsm *dsm, uint8_t id)
{
	for (unsigned int i = 0; i < DSM_STREAMS; i++)
		if (dsm->streams[i].used && dsm->streams[i].id == id)
			return &dsm->streams[i];
	return NULL;
}

static const struct dsm_stream *stream_take(const struct dsm *dsm, uint8_t id)
{
	const struct dsm_stream *stream = stream_find(dsm, id);

	for (unsigned int i = 0; !stream && i < DSM_STREAMS; i++)
		if (!dsm->streams[i].used)
			stream = &dsm->streams[i];
	if (stream && !stream->used)
		*stream_write(stream) = (struct dsm_stream){ .used = true, .id = id };
	return stream;
}

static void owner_set(const struct dsm *dsm, uint32_t session)
{
	*(uint32_t *)image_write(&dsm->key_session) = session;
}

/* A stream without keys is forgotten; a port without keys belongs to no session. */
static void stream_forget(const struct dsm *dsm)
{
	bool keyed = false;

	for (unsigned int i = 0; i < DSM_STREAMS; i++) {
		const struct dsm_stream *stream = &dsm->streams[i];

		if (stream->used && !stream->programmed)
			*stream_write(stream) = (struct dsm_stream){ 0 };
		keyed |= stream->used;
	}
	if (!keyed)
		owner_set(dsm, 0);
}

bool ide_km_keyed(const struct dsm *dsm, uint32_t session, uint8_t id)
{
	const struct dsm_stream *stream = stream_find(dsm, id);

	if (!stream || dsm->key_session != session || !ide_keys_programmed(dsm->rid, id))
		return false;
	return (stream->programmed & SET_MASK(0)) == SET_MASK(0) ||
	       (stream->programmed & SET_MASK(1)) == SET_MASK(1);
}

static bool port_ok(const struct dsm *dsm, uint8_t port)
{
	return !port || ((dsm->quirks & QUIRK_ANY_PORT) && port <= EMU_MAX_PORT);
}

/* The initial invocation field is 1; peers disagree on the order of its two DWs. */
static bool ifv_ok(const uint8_t ifv[8])
{
	struct reader r = reader_of(ifv, 8);
	uint32_t a = get_le32(&r), b = get_le32(&r);

	return (a == 1 && !b) || (!a && b == 1);
}

static uint8_t key_program(const struct km_message *m, struct reader *body)
{
	const uint8_t *key = get_bytes(body, 32), *ifv = get_bytes(body, 8);
	const struct dsm_stream *stream;
	struct key_slot slot;
	int rc;

	if (m->len != KEY_PROG_LEN || !key || !ifv)
		return IDE_KM_BAD_LENGTH;
	if (!port_ok(m->dsm, m->port))
		return IDE_KM_BAD_PORT;
	if (!slot_decode(m->sub_stream, &slot) || !ifv_ok(ifv))
		return IDE_KM_BAD_VALUE;
	rc = ide_key_program(m->dsm->rid, m->stream, slot.set, slot.dir, slot.sub, key, ifv);
	if (rc) /* no such stream; or the key is in use: a refresh goes to the other key set */
		return rc == -ENOENT ? IDE_KM_BAD_VALUE : IDE_KM_FAILED;
	stream = stream_take(m->dsm, m->stream);
	if (!stream) {
		ide_key_stop(m->dsm->rid, m->stream, slot.set, slot.dir, slot.sub);
		return IDE_KM_FAILED;
	}
	stream_write(stream)->programmed |= slot_bit(&slot);
	owner_set(m->dsm, m->session);
	return IDE_KM_OK;
}

static int handle_key_prog(struct km_message *m, struct writer *reply)
{
	uint8_t status = key_program(m, &m->body);

	put_u8(reply, IDE_KM_KP_ACK);
	put_le16(reply, 0);
	put_u8(reply, m->stream);
	put_u8(reply, status);
	put_u8(reply, m->sub_stream);
	put_u8(reply, m->port);
	return status;
}

static int handle_query(struct km_message *m, struct writer *reply)
{
	const struct dsm *dsm = m->dsm;
	const struct function *fn = function_find(dsm->rid);
	struct reader r = reader_of(m->body.p, m->len);
	unsigned int end;
	uint8_t port;

	get_le16(&r);		/* object id, reserved */
	port = get_u8(&r);
	if (m->len != QUERY_LEN || !fn || !port_ok(dsm, port))
		return -ENOMSG;
	put_u8(reply, IDE_KM_QUERY_RESP);
	put_u8(reply, 0);
	put_u8(reply, port);
	put_u8(reply, (uint8_t)dsm->rid);
	put_u8(reply, (uint8_t)(dsm->rid >> 8));
	put_u8(reply, (uint8_t)fn->segment);
	put_u8(reply, dsm->quirks & QUIRK_ANY_PORT ? EMU_MAX_PORT : 0);
	end = IDE_SEL_BASE(fn->cap_ide, 0) + DSM_STREAMS * (20 + 12 * DSM_STREAM_ASSOC);
	for (unsigned int at = fn->cap_ide + IDE_CAP; at < end; at += 4)
		put_le32(reply, function_config(fn, at, 4));
	return IDE_KM_OK;
}

static int handle_go_stop(struct km_message *m, struct writer *reply)
{
	const struct dsm_stream *stream;
	struct key_slot slot;

	if (m->len != GOSTOP_LEN || !port_ok(m->dsm, m->port) || !slot_decode(m->sub_stream, &slot))
		return -ENOMSG;
	if (m->object == IDE_KM_K_SET_GO) {
		if (ide_key_go(m->dsm->rid, m->stream, slot.set, slot.dir, slot.sub))
			return -ENOMSG;
	} else {
		/* The first STOP of a live stream takes all its keys: the others find none. */
		if (ide_key_stop(m->dsm->rid, m->stream, slot.set, slot.dir, slot.sub))
			return -ENOMSG;
		stream = stream_find(m->dsm, m->stream);
		if (stream)
			stream_write(stream)->programmed &= (uint16_t)~slot_bit(&slot);
		stream_forget(m->dsm);
	}
	put_u8(reply, IDE_KM_K_GOSTOP_ACK);
	put_le16(reply, 0);
	put_u8(reply, m->stream);
	put_u8(reply, 0);
	put_u8(reply, m->sub_stream);
	put_u8(reply, m->port);
	return IDE_KM_OK;
}

static const struct km_type {
	const char *name;
	int (*handle)(struct km_message *m, struct writer *reply); /* KP_ACK status or -ENOMSG */
} km_types[] = {
	[IDE_KM_QUERY] = { "QUERY", handle_query },
	[IDE_KM_KEY_PROG] = { "KEY_PROG", handle_key_prog },
	[IDE_KM_K_SET_GO] = { "K_SET_GO", handle_go_stop },
	[IDE_KM_K_SET_STOP] = { "K_SET_STOP", handle_go_stop },
};

static const char *status_text(int status)
{
	static const char *const names[] = {
		[IDE_KM_OK] = "",
		[IDE_KM_BAD_LENGTH] = "incorrect length",
		[IDE_KM_BAD_PORT] = "unsupported port index",
		[IDE_KM_BAD_VALUE] = "unsupported value",
		[IDE_KM_FAILED] = "unspecified failure",
	};

	return status < 0 ? "discarded" : names[status];
}

int ide_km_handle(const struct dsm *dsm, uint32_t session, const uint8_t *body, size_t len,
		  uint8_t *reply, size_t cap)
{
	struct km_message m = {
		.dsm = dsm, .session = session, .body = reader_of(body, len), .len = len };
	struct writer w = writer_of(reply, cap);
	const struct km_type *type;
	struct trace_call call;
	char name[TRACE_NAME];
	int status;

	m.object = get_u8(&m.body);
	if (!session || m.body.bad)
		return -ENOMSG;
	type = m.object < sizeof(km_types) / sizeof(km_types[0]) ? &km_types[m.object] : NULL;
	get_le16(&m.body);
	m.stream = get_u8(&m.body);
	get_u8(&m.body);
	m.sub_stream = get_u8(&m.body);
	m.port = get_u8(&m.body);
	snprintf(name, sizeof(name), "IDE_KM %s", type && type->name ? type->name : "?");
	call = TRACE_CALL(LANE_FIRMWARE, LANE_DEVICE, name, A("rid", dsm->rid),
		A("session", session), A("stream", m.stream), A("slot", m.sub_stream),
		A("port", m.port));
	if (!type || !type->handle || (dsm->key_session && dsm->key_session != session))
		status = -ENOMSG;
	else
		status = type->handle(&m, &w);
	trace_return(&call, status, status_text(status));
	return status < 0 || w.bad ? -ENOMSG : (int)w.at;
}

void ide_km_stream_lost(const struct dsm *dsm, uint16_t id)
{
	const struct dsm_stream *stream = id < 256 ? stream_find(dsm, (uint8_t)id) : NULL;

	if (!stream)
		return;
	stream_write(stream)->programmed = 0;
	stream_forget(dsm);
}

/* Every slot of every stream: the hardware forgets the keys, which takes a live stream insecure. */
void ide_km_reset(const struct dsm *dsm)
{
	for (unsigned int i = 0; i < DSM_STREAMS; i++) {
		const struct dsm_stream stream = dsm->streams[i];

		if (!stream.used)
			continue;
		*stream_write(&dsm->streams[i]) = (struct dsm_stream){ 0 };
		for (unsigned int bit = 0; bit < 2 * SLOTS_OF_SET; bit++)
			if (stream.programmed >> bit & 1)
				ide_key_stop(dsm->rid, stream.id, bit / SLOTS_OF_SET,
					bit % SLOTS_OF_SET / 3 ? IDE_TX : IDE_RX,
					(enum ide_sub_stream)(bit % 3));
		if (ide_secure(dsm->rid, stream.id))
			ide_fail(dsm->rid, stream.id);
	}
	owner_set(dsm, 0);
}

void ide_km_session_ended(const struct dsm *dsm, uint32_t session)
{
	if (dsm->key_session == session)
		ide_km_reset(dsm);
}
