/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IDE: the registers of the capability and the state of each selective stream. Link IDE is not
 * offered, so selective blocks start right after the control register.
 *
 * A stream is secure at a port when it is enabled there and each sub-stream has a key in use in
 * both directions. Leaving that state destroys the keys. A T=0 request whose stream is not secure
 * travels outside of it; a T=1 request is never sent so.
 */
#include "hardware/hardware.h"
#include "hardware/ide.h"
#include "trace/trace.h"

#include <errno.h>

/* IDE Capability register. */
#define IDE_CAP_SELECTIVE 0x00000002u
#define IDE_CAP_IDE_KM 0x00000040u
#define IDE_CAP_STREAMS_SHIFT 16

/* Selective block, offsets from its base. */
#define SEL_CAP 0x00
#define SEL_CTL 0x04
#define SEL_CTL_ENABLE 0x00000001u
#define SEL_CTL_TC(v) ((v) >> 19 & 7)
#define SEL_CTL_DEFAULT 0x00400000u
#define SEL_CTL_ID(v) ((uint8_t)((v) >> 24))
#define SEL_CTL_WRITABLE 0xff3fc001u	/* enable, algorithm, TC, stream id */
#define SEL_STS 0x08
#define SEL_STS_STATE 0x0000000fu
#define SEL_STS_SECURE 0x00000002u
#define SEL_STS_FAIL 0x80000000u
#define SEL_RID1 0x0c			/* 23:8 limit */
#define SEL_RID2 0x10			/* 0 valid, 23:8 base */
#define SEL_ADDR 0x14
#define SEL_ADDR_LEN 12u		/* valid and bits 31:20 of base and limit; limit; base */
#define SEL_VALID 0x00000001u
#define SEL_LEN(assoc) (SEL_ADDR + SEL_ADDR_LEN * (assoc))

/* Keys: slot number = set * 6 + direction * 3 + sub-stream. */
#define IDE_SETS 2u
#define IDE_SLOTS (IDE_SETS * 2 * IDE_SUB_STREAMS)
#define SLOT(set, dir, sub) ((set) * 6u + (unsigned int)(dir) * 3u + (unsigned int)(sub))
#define SET_SLOTS(set) (0x3fu << 6 * (set))
#define BIT(n) (1u << (n))

struct ide_key {
	uint8_t key[32], ifv[8];
};

struct ide_stream {
	uint16_t programmed, going;	/* by slot */
	uint16_t current; /* of those going, the one last set going of its pair of sets */
	uint8_t id;			/* the stream id the keys were programmed for */
	bool secure;
	struct ide_key key[IDE_SLOTS];
};

struct ide {
	uint16_t streams, assoc;
	struct ide_stream stream[];
};

unsigned int ide_add(const struct function *fn, unsigned int streams, unsigned int assoc)
{
	uint32_t ctl = SEL_CTL_WRITABLE | (function_is_bridge(fn) ? 0 : SEL_CTL_DEFAULT);
	unsigned int len = IDE_SEL_BASE(0u, 0u) + streams * SEL_LEN(assoc), cap;
	struct ide *ide;

	if (!streams || streams > 256 || assoc > 15 || len > FUNCTION_CONFIG_SIZE || fn->ide)
		return 0;
	cap = config_add_ext_cap(fn, PCI_EXT_CAP_ID_IDE, 1, len);
	ide = cap ? image_alloc(sizeof(*ide) + streams * sizeof(ide->stream[0]), IMAGE_TYPE_IDE)
		  : NULL;
	if (!ide)
		return 0;
	ide->streams = (uint16_t)streams;
	ide->assoc = (uint16_t)assoc;
	hw_set(&fn->ide, ide);
	config_set(fn, cap + IDE_CAP, 4,
		   IDE_CAP_SELECTIVE | IDE_CAP_IDE_KM | (streams - 1) << IDE_CAP_STREAMS_SHIFT, 0);
	for (unsigned int i = 0; i < streams; i++) {
		unsigned int at = IDE_SEL_BASE(cap, 0u) + i * SEL_LEN(assoc);

		config_set(fn, at + SEL_CAP, 4, assoc, 0);
		config_set(fn, at + SEL_CTL, 4, 0, ctl);
		config_set_w1c(fn, at + SEL_STS, 4, SEL_STS_FAIL);
		config_set(fn, at + SEL_RID1, 4, 0, 0x00ffff00);
		config_set(fn, at + SEL_RID2, 4, 0, 0xff000000 | 0x00ffff00 | SEL_VALID);
		for (unsigned int j = 0; j < assoc; j++) {
			config_set(fn, at + SEL_ADDR + j * SEL_ADDR_LEN, 4, 0,
				   0xffffff00 | SEL_VALID);
			config_set(fn, at + SEL_ADDR + j * SEL_ADDR_LEN + 4, 4, 0, UINT32_MAX);
			config_set(fn, at + SEL_ADDR + j * SEL_ADDR_LEN + 8, 4, 0, UINT32_MAX);
		}
	}
	return cap;
}

void ide_free(const struct function *fn)
{
	image_free(fn->ide);
}

const struct function *ide_port(const struct function *fn)
{
	if (fn && !fn->cap_ide)
		fn = function_slot(fn->pf_rid);
	if (fn && !fn->cap_ide)
		fn = function_slot(fn->rid & 0xfff8);
	return fn && fn->cap_ide ? fn : NULL;
}

/* One selective stream of one port. */
struct ide_ref {
	const struct function *port;
	const struct ide_stream *stream;
	unsigned int at;		/* its register block */
};

static struct ide_ref ref_of(const struct function *port, unsigned int index)
{
	const struct ide *ide = port->ide;

	return (struct ide_ref){ port, &ide->stream[index],
				 IDE_SEL_BASE(port->cap_ide, 0u) + index * SEL_LEN(ide->assoc) };
}

static unsigned int ref_count(const struct function *port)
{
	const struct ide *ide = port ? port->ide : NULL;

	return ide ? ide->streams : 0;
}

static uint32_t ref_reg(const struct ide_ref *ref, unsigned int reg)
{
	return config_get(ref->port, ref->at + reg, 4);
}

/* The block with a stream id: the enabled one, else the one that keys were programmed for, else
 * the first that software gave the id (block 0 has id 0 from reset). */
static bool ref_find(const struct function *port, uint16_t stream, struct ide_ref *found)
{
	int best = -1;

	for (unsigned int i = 0; i < ref_count(port); i++) {
		struct ide_ref ref = ref_of(port, i);
		uint32_t ctl = ref_reg(&ref, SEL_CTL);
		int rank = ctl & SEL_CTL_ENABLE ? 3 : ref.stream->programmed ? 2 : ctl ? 1 : 0;

		if (SEL_CTL_ID(ctl) == stream && rank > best) {
			best = rank;
			*found = ref;
		}
	}
	return best >= 0;
}

static bool ref_of_rid(uint16_t rid, uint16_t stream, struct ide_ref *found)
{
	return ref_find(ide_port(function_slot(rid)), stream, found);
}

static bool addr_matches(const struct ide_ref *ref, uint64_t address)
{
	const struct ide *ide = ref->port->ide;

	for (unsigned int i = 0; i < ide->assoc; i++) {
		unsigned int at = SEL_ADDR + i * SEL_ADDR_LEN;
		uint32_t low = ref_reg(ref, at);
		uint64_t limit =
			(uint64_t)ref_reg(ref, at + 4) << 32 | (low & 0xfff00000) | 0xfffff;
		uint64_t base = (uint64_t)ref_reg(ref, at + 8) << 32 | (low & 0x000fff00) << 12;

		if (low & SEL_VALID && address >= base && address <= limit)
			return true;
	}
	return false;
}

static bool rid_matches(const struct ide_ref *ref, uint16_t rid)
{
	uint32_t base = ref_reg(ref, SEL_RID2);
	uint16_t limit = (uint16_t)(ref_reg(ref, SEL_RID1) >> 8);

	return base & SEL_VALID && rid >= (uint16_t)(base >> 8) && rid <= limit;
}

/* -- states ---------------------------------------------------------------------------------- */

static void stream_tell(const struct ide_ref *ref, uint8_t id, bool secure)
{
	const struct function *fn;

	TRACE_STATE(LANE_HARDWARE, "IDE stream", A("rid", ref->port->rid), A("stream", id),
		    A("secure", secure));
	for (uint32_t at = 0; (fn = function_slot_next(&at)); at++) {
		const struct function_ops *ops = function_model_ops(fn->model);

		if (ops && ops->stream_changed && ide_port(fn) == ref->port)
			ops->stream_changed(fn, id, secure);
	}
}

static void keys_destroy(const struct ide_ref *ref)
{
	struct ide_stream *s;

	if (!ref->stream->programmed)
		return;
	s = image_write(ref->stream);
	memset(s->key, 0, sizeof(s->key));
	s->programmed = s->going = s->current = 0;
}

/* Brings the status register in line with enable and keys, and tells who cares. */
static void stream_update(const struct ide_ref *ref)
{
	uint32_t ctl = ref_reg(ref, SEL_CTL), sts = ref_reg(ref, SEL_STS);
	uint16_t current = ref->stream->current;
	bool secure = ctl & SEL_CTL_ENABLE && ((current | current >> 6) & 0x3f) == 0x3f;

	if (secure == ref->stream->secure)
		return;
	hw_set(&ref->stream->secure, secure);
	config_put(ref->port, ref->at + SEL_STS, 4,
		   (sts & ~SEL_STS_STATE) | (secure ? SEL_STS_SECURE : 0));
	if (!secure)
		keys_destroy(ref);
	stream_tell(ref, ref->stream->id, secure);
}

static void stream_down(const struct ide_ref *ref, bool fail_message)
{
	keys_destroy(ref);
	if (fail_message)
		config_put(ref->port, ref->at + SEL_STS, 4, ref_reg(ref, SEL_STS) | SEL_STS_FAIL);
	stream_update(ref);
}

/* The other end of a stream gets the IDE Fail message (or notices that the link went). */
static void peer_down(const struct function *port, uint8_t id)
{
	const struct function *fn;
	struct ide_ref ref;

	if (port->root_port != port->rid && ref_of_rid(port->root_port, id, &ref) &&
	    ref.stream->secure)
		stream_down(&ref, true);
	for (uint32_t at = 0; (fn = function_slot_next(&at)); at++)
		if (function_below(fn, port) && fn->cap_ide && ref_find(fn, id, &ref) &&
		    ref.stream->secure)
			stream_down(&ref, true);
}

void ide_fail(uint16_t rid, uint8_t stream)
{
	struct ide_ref ref;

	if (!ref_of_rid(rid, stream, &ref))
		return;
	stream_down(&ref, false);
	peer_down(ref.port, stream);
}

void ide_config_written(const struct function *fn, unsigned int offset)
{
	unsigned int base = IDE_SEL_BASE(fn->cap_ide, 0u), len;
	const struct ide *ide = fn->ide;
	struct ide_ref ref;
	uint32_t ctl;

	if (!ide || offset < base)
		return;
	len = SEL_LEN(ide->assoc);
	if ((offset - base) / len >= ide->streams || ((offset - base) % len & ~3u) != SEL_CTL)
		return;
	ref = ref_of(fn, (offset - base) / len);
	ctl = ref_reg(&ref, SEL_CTL);
	if (ref.stream->secure && (!(ctl & SEL_CTL_ENABLE) || SEL_CTL_ID(ctl) != ref.stream->id))
		keys_destroy(&ref);
	else if (ref.stream->programmed && SEL_CTL_ID(ctl) != ref.stream->id)
		keys_destroy(&ref);
	stream_update(&ref);
}

void ide_reset(const struct function *fn)
{
	for (unsigned int i = 0; i < ref_count(fn); i++) {
		struct ide_ref ref = ref_of(fn, i);
		bool was = ref.stream->secure;

		stream_down(&ref, false);
		if (was)
			peer_down(fn, ref.stream->id);
	}
}

bool ide_secure(uint16_t rid, uint8_t stream)
{
	struct ide_ref ref;

	return ref_of_rid(rid, stream, &ref) && ref.stream->secure;
}

/* -- keys ------------------------------------------------------------------------------------ */

static int key_slot(uint16_t rid, uint8_t stream, unsigned int set, enum ide_direction dir,
		    enum ide_sub_stream sub, struct ide_ref *ref)
{
	if (set >= IDE_SETS || (unsigned int)dir > IDE_TX || (unsigned int)sub >= IDE_SUB_STREAMS)
		return -EINVAL;
	return ref_of_rid(rid, stream, ref) ? (int)SLOT(set, dir, sub) : -ENOENT;
}

/* A key in use cannot be overwritten: -EINVAL. */
int ide_key_program(uint16_t rid, uint8_t stream, unsigned int set, enum ide_direction dir,
		    enum ide_sub_stream sub, const uint8_t key[32], const uint8_t ifv[8])
{
	struct ide_ref ref;
	int slot = key_slot(rid, stream, set, dir, sub, &ref);
	struct ide_stream *s;

	if (slot < 0)
		return slot;
	if (ref.stream->current & BIT(slot))
		return -EINVAL;
	s = image_write(ref.stream);
	memcpy(s->key[slot].key, key, sizeof(s->key[slot].key));
	memcpy(s->key[slot].ifv, ifv, sizeof(s->key[slot].ifv));
	s->id = stream;
	s->programmed |= (uint16_t)BIT(slot);
	s->going &= (uint16_t)~BIT(slot);
	return 0;
}

/* A sender has one key in use; a receiver takes the old one too until the sender has moved on. */
int ide_key_go(uint16_t rid, uint8_t stream, unsigned int set, enum ide_direction dir,
	       enum ide_sub_stream sub)
{
	struct ide_ref ref;
	int slot = key_slot(rid, stream, set, dir, sub, &ref);
	uint16_t other = (uint16_t)BIT(SLOT(set ^ 1, dir, sub));

	if (slot < 0)
		return slot;
	if (!(ref.stream->programmed & BIT(slot)))
		return -EINVAL;
	hw_set(&ref.stream->going,
	       (uint16_t)((ref.stream->going | BIT(slot)) & ~(dir == IDE_TX ? other : 0)));
	hw_set(&ref.stream->current, (uint16_t)((ref.stream->current | BIT(slot)) & ~other));
	stream_update(&ref);
	return 0;
}

int ide_key_stop(uint16_t rid, uint8_t stream, unsigned int set, enum ide_direction dir,
		 enum ide_sub_stream sub)
{
	struct ide_ref ref;
	int slot = key_slot(rid, stream, set, dir, sub, &ref);
	struct ide_stream *s;

	if (slot < 0)
		return slot;
	s = image_write(ref.stream);
	memset(&s->key[slot], 0, sizeof(s->key[slot]));
	s->programmed &= (uint16_t)~BIT(slot);
	s->going &= (uint16_t)~BIT(slot);
	s->current &= (uint16_t)~BIT(slot);
	stream_update(&ref);
	return 0;
}

bool ide_keys_programmed(uint16_t rid, uint8_t stream)
{
	struct ide_ref ref;

	if (!ref_of_rid(rid, stream, &ref))
		return false;
	return (ref.stream->programmed & SET_SLOTS(0)) == SET_SLOTS(0) ||
	       (ref.stream->programmed & SET_SLOTS(1)) == SET_SLOTS(1);
}

/* -- TLPs ------------------------------------------------------------------------------------ */

uint16_t ide_stream_down(const struct function *fn, uint64_t hpa)
{
	const struct function *port = function_slot(fn->root_port);

	for (unsigned int i = 0; i < ref_count(port); i++) {
		struct ide_ref ref = ref_of(port, i);
		uint32_t ctl = ref_reg(&ref, SEL_CTL);

		if (ctl & SEL_CTL_ENABLE && rid_matches(&ref, fn->rid) && addr_matches(&ref, hpa))
			return SEL_CTL_ID(ctl);
	}
	return TLP_NO_STREAM;
}

uint16_t ide_stream_up(const struct function *fn, uint64_t address)
{
	const struct function *port = ide_port(fn);
	uint16_t by_default = TLP_NO_STREAM;

	for (unsigned int i = 0; i < ref_count(port); i++) {
		struct ide_ref ref = ref_of(port, i);
		uint32_t ctl = ref_reg(&ref, SEL_CTL);

		if (!(ctl & SEL_CTL_ENABLE))
			continue;
		if (addr_matches(&ref, address))
			return SEL_CTL_ID(ctl);
		if (ctl & SEL_CTL_DEFAULT && by_default == TLP_NO_STREAM)
			by_default = SEL_CTL_ID(ctl);
	}
	return by_default;
}

/* The slot a sender uses; the stream is secure, so there is one. */
static unsigned int sending_slot(const struct ide_stream *tx, enum ide_sub_stream sub)
{
	return SLOT(tx->current & BIT(SLOT(0, IDE_TX, sub)) ? 0u : 1u, IDE_TX, sub);
}

bool ide_pass(uint16_t root_port, uint16_t rid, uint16_t stream, enum ide_sub_stream sub,
	      bool upstream)
{
	struct ide_ref top, end;
	const struct ide_stream *tx, *rx;
	unsigned int from, to, old;

	if (!ref_of_rid(root_port, stream, &top) || !ref_of_rid(rid, stream, &end) ||
	    !top.stream->secure || !end.stream->secure)
		return false;
	tx = upstream ? end.stream : top.stream;
	rx = upstream ? top.stream : end.stream;
	from = sending_slot(tx, sub);
	to = from - SLOT(0, IDE_TX, 0);	/* the same set and sub-stream, received */
	old = to >= 6 ? to - 6 : to + 6;
	if (!(rx->going & BIT(to)) ||
	    memcmp(&tx->key[from], &rx->key[to], sizeof(struct ide_key))) {
		ide_fail(end.port->rid, (uint8_t)stream);
		return false;
	}
	if (rx->going & BIT(old) && rx->current & BIT(to))	/* the sender has moved on */
		hw_set(&rx->going, (uint16_t)(rx->going & ~BIT(old)));
	return true;
}

int ide_default_stream(uint16_t rid)
{
	const struct function *port = ide_port(function_slot(rid));
	int found = -ENOENT;

	for (unsigned int i = 0; i < ref_count(port); i++) {
		struct ide_ref ref = ref_of(port, i);
		uint32_t ctl = ref_reg(&ref, SEL_CTL);

		if (!(ctl & SEL_CTL_DEFAULT))
			continue;
		if (found >= 0 || SEL_CTL_TC(ctl))
			return -ENOENT;
		found = SEL_CTL_ID(ctl);
	}
	return found;
}
