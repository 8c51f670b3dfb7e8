/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A copy engine as Intel's I/OAT: software links descriptors in memory, writes where the first one
 * is and how many there are, and gets a state in a register, in memory and by interrupt. The work is
 * done inside the write of the count, so whoever reads the state afterwards finds it finished.
 */
#include <errno.h>
#include <string.h>

#include <linux/pci_regs.h>

#include "device/dsm.h"
#include "device/ioat.h"
#include "trace/trace.h"

#define VERSION 0x33
#define XFERCAP_LOG2 12			/* 4 KiB: the least the interface knows */
#define COMPATIBILITY 2			/* interface of version 2 and later */
#define DESCRIPTOR 64u

enum { CMD_RESET = 0x20, CMD_SUSPEND = 0x04 };
enum state { ACTIVE, DONE, SUSPENDED, HALTED };
enum {
	ERR_SOURCE = 0x1,
	ERR_NEXT = 0x4,
	ERR_ALIGN = 0x8,
	ERR_CHAIN = 0x10,
	ERR_CONTROL = 0x400,
	ERR_LENGTH = 0x800
};
enum { INTRCTRL_MASTER = 1, INTRCTRL_MSIX = 8 };
enum { CTRL_INT_REARM = 1 };
enum { CTL_INTERRUPT = 1, CTL_COMPLETE = 8 };	/* bits of a descriptor's control */
#define OP_COPY 0u				/* its top byte */

struct ioat {			/* function.state */
	struct msix msix;
	uint8_t intrctrl;
	uint8_t state;			/* enum state */
	uint8_t xfercap, version, channels;	/* read-only, here so that one table serves all */
	bool int_sent;			/* no further interrupt before it is armed again */
	uint16_t chanctrl, count, done, compatibility;
	uint32_t attention, error, error_mask;
	uint64_t chain, completion, current, last;
};

struct descriptor { uint32_t size, control; uint64_t from, to, next; };

static struct ioat *ioat_write(const struct ioat *ioat)
{
	return image_write(ioat);
}

/* -- the channel ------------------------------------------------------------------------------- */

static uint64_t channel_status(const struct ioat *ioat)
{
	return (ioat->last & ~(uint64_t)(DESCRIPTOR - 1)) | ioat->state;
}

static bool dma(const struct ioat *ioat, enum tlp_type type, uint64_t address, void *data,
		uint64_t len)
{
	struct tlp tlp = { .type = type, .rid = ioat->msix.rid, .stream = TLP_NO_STREAM,
		.pasid = TLP_NO_PASID, .address = address, .len = len, .data = data };

	return tlp_dma(&tlp) == TLP_SC;
}

static void halt(const struct ioat *ioat, uint32_t error)
{
	struct ioat *w = ioat_write(ioat);

	w->error |= error;
	w->state = HALTED;
}

static bool descriptor_read(const struct ioat *ioat, uint64_t at, struct descriptor *d)
{
	uint8_t bytes[DESCRIPTOR];
	struct reader r = reader_of(bytes, sizeof(bytes));

	if (at % DESCRIPTOR) {
		halt(ioat, ioat->done ? ERR_ALIGN : ERR_CHAIN);
		return false;
	}
	if (!dma(ioat, TLP_MEM_READ, at, bytes, sizeof(bytes))) {
		halt(ioat, ioat->done ? ERR_NEXT : ERR_CHAIN);
		return false;
	}
	d->size = get_le32(&r);
	d->control = get_le32(&r);
	d->from = get_le64(&r);
	d->to = get_le64(&r);
	d->next = get_le64(&r);
	return true;
}

/* A write is posted: where it is refused the engine does not learn of it. */
static bool copy(const struct ioat *ioat, const struct descriptor *d)
{
	uint8_t bytes[1u << XFERCAP_LOG2];

	if (d->control >> 24 != OP_COPY || d->size > sizeof(bytes) || !d->size) {
		halt(ioat, d->control >> 24 != OP_COPY ? ERR_CONTROL : ERR_LENGTH);
		return false;
	}
	if (!dma(ioat, TLP_MEM_READ, d->from, bytes, d->size)) {
		halt(ioat, ERR_SOURCE);
		return false;
	}
	dma(ioat, TLP_MEM_WRITE, d->to, bytes, d->size);
	return true;
}

static void interrupt(const struct ioat *ioat)
{
	struct ioat *w = ioat_write(ioat);

	if (!(ioat->chanctrl & CTRL_INT_REARM) || ioat->int_sent)
		return;
	w->int_sent = true;
	w->attention |= 1;
	if (ioat->intrctrl & (INTRCTRL_MASTER | INTRCTRL_MSIX))
		msix_raise(&ioat->msix, 0);
}

static void complete(const struct ioat *ioat, const struct descriptor *d)
{
	uint8_t bytes[8];
	struct writer w = writer_of(bytes, sizeof(bytes));

	put_le64(&w, channel_status(ioat));
	if (d->control & CTL_COMPLETE)
		dma(ioat, TLP_MEM_WRITE, ioat->completion, bytes, sizeof(bytes));
	if (d->control & CTL_INTERRUPT)
		interrupt(ioat);
}

static bool next_run(const struct ioat *ioat)
{
	struct descriptor d;
	struct ioat *w;
	uint64_t at = ioat->done ? ioat->current : ioat->chain;

	if (!descriptor_read(ioat, at, &d) || !copy(ioat, &d))
		return false;
	w = ioat_write(ioat);
	w->done++;
	w->last = at;
	w->current = d.next;
	if (w->done == w->count)
		w->state = DONE;
	complete(ioat, &d);
	return true;
}

static void run(const struct ioat *ioat)
{
	struct trace_call call;

	if (ioat->error || ioat->done == ioat->count)
		return;
	ioat_write(ioat)->state = ACTIVE;
	call = TRACE_CALL(LANE_DEVICE, LANE_HARDWARE, "ioat descriptors", A("rid", ioat->msix.rid),
		A("chain", ioat->chain), A("count", (uint16_t)(ioat->count - ioat->done)));
	while (ioat->state == ACTIVE && ioat->done != ioat->count && next_run(ioat))
		;
	trace_return(&call, ioat->error ? -EIO : 0, NULL);
}

static void channel_reset(const struct ioat *ioat)
{
	struct ioat *w = ioat_write(ioat);

	w->chanctrl = w->count = w->done = 0;
	w->error = w->error_mask = w->attention = 0;
	w->chain = w->completion = w->current = w->last = 0;
	w->int_sent = false;
	w->state = HALTED;
}

/* -- registers --------------------------------------------------------------------------------- */

static void command_written(const struct ioat *ioat, uint32_t value)
{
	if (value & CMD_RESET)
		channel_reset(ioat);
	else if (value & CMD_SUSPEND && ioat->state != HALTED)
		ioat_write(ioat)->state = SUSPENDED;
}

static void control_written(const struct ioat *ioat, uint32_t value)
{
	if (value & CTRL_INT_REARM)
		ioat_write(ioat)->int_sent = false;
}

static void count_written(const struct ioat *ioat, uint32_t value)
{
	(void)value;
	run(ioat);
}

/* A new chain is counted from its beginning. */
static void chain_written(const struct ioat *ioat, uint32_t value)
{
	struct ioat *w = ioat_write(ioat);

	(void)value;
	w->count = w->done = 0;
	w->current = w->chain;
}

#define NOWHERE 0u
#define FIELD(member) offsetof(struct ioat, member)

static const struct reg {
	uint16_t at, len, field;
	enum { RO, RW, W1C } kind;
	void (*written)(const struct ioat *ioat, uint32_t value);
} regs[] = {
	{ IOAT_CHANCNT, 1, FIELD(channels), RO, NULL },
	{ IOAT_XFERCAP, 1, FIELD(xfercap), RO, NULL },
	{ IOAT_INTRCTRL, 1, FIELD(intrctrl), RW, NULL },
	{ IOAT_ATTNSTATUS, 4, FIELD(attention), W1C, NULL },
	{ IOAT_VER, 1, FIELD(version), RO, NULL },
	{ IOAT_CHANCTRL, 2, FIELD(chanctrl), RW, control_written },
	{ IOAT_DMA_COMP, 2, FIELD(compatibility), RO, NULL },
	{ IOAT_CHANCMD, 1, NOWHERE, RW, command_written },
	{ IOAT_DMACOUNT, 2, FIELD(count), RW, count_written },
	{ IOAT_CHAINADDR, 8, FIELD(chain), RW, chain_written },
	{ IOAT_CHANCMP, 8, FIELD(completion), RW, NULL },
	{ IOAT_CDAR, 8, FIELD(current), RO, NULL },
	{ IOAT_CHANERR, 4, FIELD(error), W1C, NULL },
	{ IOAT_CHANERR_MASK, 4, FIELD(error_mask), RW, NULL },
};

static const struct reg *reg_of(uint64_t at)
{
	for (size_t i = 0; i < sizeof(regs) / sizeof(regs[0]); i++)
		if (at >= regs[i].at && at - regs[i].at < regs[i].len)
			return &regs[i];
	return NULL;
}

static uint8_t byte_read(const struct ioat *ioat, uint64_t at)
{
	const struct reg *reg = reg_of(at);

	if (at >= IOAT_MSIX_TABLE)
		return (uint8_t)(msix_read(&ioat->msix, (at - IOAT_MSIX_TABLE) & ~3ull) >>
				 8 * (at & 3));
	if (at - IOAT_CHANSTS < 8)
		return (uint8_t)(channel_status(ioat) >> 8 * (at - IOAT_CHANSTS));
	if (!reg || reg->field == NOWHERE)
		return 0;
	return ((const uint8_t *)ioat)[reg->field + (at - reg->at)];
}

static void byte_write(const struct ioat *ioat, uint64_t at, uint8_t value)
{
	const struct reg *reg = reg_of(at);
	uint8_t *byte;

	if (!reg || reg->kind == RO || reg->field == NOWHERE)
		return;
	byte = (uint8_t *)image_write(ioat) + reg->field + (at - reg->at);
	*byte = reg->kind == W1C ? (uint8_t)(*byte & ~value) : value;
}

/* What a write means shows when all its bytes are in. */
static void regs_write(const struct ioat *ioat, uint64_t offset, const uint8_t *data, uint64_t len)
{
	for (uint64_t i = 0; i < len; i++)
		byte_write(ioat, offset + i, data[i]);
	for (size_t i = 0; i < sizeof(regs) / sizeof(regs[0]); i++) {
		struct reader r = reader_of(data, len);

		if (!regs[i].written || regs[i].at < offset || regs[i].at >= offset + len)
			continue;
		get_bytes(&r, regs[i].at - offset);
		regs[i].written(ioat, get_u8(&r));
	}
}

enum tlp_status ioat_mmio(const struct function *fn, unsigned int bar, uint64_t offset,
			  struct tlp *tlp)
{
	const struct ioat *ioat = fn->state;
	uint8_t *data = tlp->data;

	if (bar || !ioat || tlp->len > IOAT_BAR0_SIZE - offset)
		return TLP_UR;
	if (tlp->type == TLP_MEM_READ) {
		for (uint64_t i = 0; i < tlp->len; i++)
			data[i] = byte_read(ioat, offset + i);
	} else if (offset < IOAT_MSIX_TABLE) {
		regs_write(ioat, offset, data, tlp->len);
	} else if (!(offset % 4)) {
		for (uint64_t i = 0; i + 4 <= tlp->len; i += 4) {
			struct reader r = reader_of(data + i, 4);

			msix_write(&ioat->msix, offset + i - IOAT_MSIX_TABLE, get_le32(&r),
				UINT32_MAX);
		}
	}
	return TLP_SC;
}

void ioat_config_written(const struct function *fn, unsigned int offset, unsigned int size,
			 uint32_t old, uint32_t new)
{
	const struct ioat *ioat = fn->state;

	(void)offset, (void)size, (void)old, (void)new;
	if (ioat)
		msix_flush(&ioat->msix);
}

void ioat_reset(const struct function *fn, enum function_reset kind)
{
	const struct ioat *ioat = fn->state;

	(void)kind;
	if (!ioat)
		return;
	channel_reset(ioat);
	ioat_write(ioat)->intrctrl = 0;
	msix_clear(&ioat->msix);
}

int ioat_add(const struct function *fn)
{
	struct ioat *ioat = image_alloc(sizeof(*ioat), IMAGE_TYPE_DEVICE_MODEL);
	int rc;

	if (!ioat)
		return -ENOMEM;
	ioat->msix = (struct msix){ .rid = fn->rid, .vectors = IOAT_VECTORS };
	ioat->xfercap = XFERCAP_LOG2;
	ioat->version = VERSION;
	ioat->channels = 1;
	ioat->compatibility = COMPATIBILITY;
	rc = function_add_bar(fn, 0, IOAT_BAR0_SIZE, true, false, NULL);
	if (rc)
		return rc;
	function_trap_bar(fn, 0);
	channel_reset(ioat);
	msix_clear(&ioat->msix);
	function_set_state(fn, ioat);
	return 0;
}
