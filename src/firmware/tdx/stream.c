/* SPDX-License-Identifier: BSD-2-Clause */
/* IDE streams: the root port's registers and keys, and IDE_KM with the device for its keys. */
#include "firmware/tdx/internal.h"
#include "image/mutant.h"

#define BLOCK_CONTROL 0x04u		/* of a selective stream block */
#define BLOCK_RID1 0x0cu
#define BLOCK_RID2 0x10u
#define BLOCK_ADDRESS 0x14u
#define BLOCK_SIZE(associations) (0x14u + 12u * (associations))
#define CONTROL_ENABLE 1u
#define KM_PORT 0u			/* port index of function 0 */
#define KM_SLOTS 6u			/* of a key set */

const struct tdx_stream *stream_of(uint64_t handle)
{
	const struct tdx_stream *stream = tdx_module()->streams;

	while (stream && stream->handle != handle)
		stream = stream->next;
	return stream;
}

/* The register block of a selective stream, 0 when there is none. */
static unsigned int block_find(uint16_t root_port, unsigned int selective)
{
	const struct function *port = function_find(root_port);
	uint32_t cap;
	unsigned int at;

	if (!port || !port->cap_ide)
		return 0;
	cap = config_read(root_port, port->cap_ide + IDE_CAP, 4);
	if (!(cap & 2) || selective > (cap >> 16 & 0xff))
		return 0;
	at = IDE_SEL_BASE(port->cap_ide, cap & 1 ? (cap >> 13 & 7) + 1 : 0);
	while (selective--)
		at += BLOCK_SIZE(config_read(root_port, at, 4) & 0xf);
	return at + BLOCK_SIZE(1) <= FUNCTION_CONFIG_SIZE ? at : 0;
}

static bool selective_taken(uint16_t root_port, unsigned int selective, unsigned int id)
{
	for (const struct tdx_stream *stream = tdx_module()->streams; stream; stream = stream->next)
		if (stream->root_port == root_port &&
		    (stream->selective == selective || stream->id == id))
			return true;
	return false;
}

static void block_program(uint16_t root_port, unsigned int block, uint32_t control,
			  const uint64_t rid[2], const uint64_t address[3])
{
	config_write(root_port, block + BLOCK_CONTROL, 4, control & ~CONTROL_ENABLE);
	config_write(root_port, block + BLOCK_RID1, 4, (uint32_t)rid[0]);
	config_write(root_port, block + BLOCK_RID2, 4, (uint32_t)rid[1]);
	for (unsigned int i = 0; i < 3; i++)
		config_write(root_port, block + BLOCK_ADDRESS + 4 * i, 4, (uint32_t)address[i]);
}

static uint64_t create_check(const struct tdx_args *args, const struct tdx_spdm *spdm,
			     unsigned int block)
{
	if (args->rcx >> 32 || !block)
		return tdx_invalid(TDX_RCX);
	if (selective_taken((uint16_t)args->rcx, args->rcx >> 24 & 0xff, args->rcx >> 16 & 0xff))
		return TDX_IDE_STREAM_INVALID_STATE | TDX_RCX;
	if (!spdm)
		return tdx_invalid(TDX_RDX);
	if (!spdm_requester_session(spdm->requester))
		return TDX_SPDM_INVALID_STATE | TDX_RDX;
	if ((args->r9 >> 24 & 0xff) != (args->rcx >> 16 & 0xff))
		return tdx_invalid(TDX_R9);
	if (!(args->r11 & 1))
		return tdx_invalid(TDX_R11);
	return TDX_SUCCESS;
}

static uint64_t stream_create(struct tdx_args *args)
{
	const uint64_t rid[2] = { args->r10, args->r11 },
		       address[3] = { args->r12, args->r13, args->r14 };
	uint16_t root_port = (uint16_t)args->rcx;
	uint8_t selective = (uint8_t)(args->rcx >> 24);
	const struct tdx_spdm *spdm = spdm_of(args->rdx);
	unsigned int block = block_find(root_port, selective);
	uint64_t status = create_check(args, spdm, block);
	struct tdx_stream *stream;

	if (status)
		return status;
	stream = tdx_alloc(sizeof(*stream));
	if (!stream)
		return TDX_NO_MEMORY;
	status = tdx_list_take(args->r8, TDX_IDE_PAGES, &stream->page);
	if (status) {
		image_free(stream);
		return status | TDX_R8;
	}
	stream->root_port = root_port;
	stream->selective = selective;
	stream->id = (uint8_t)(args->rcx >> 16);
	stream->spdm = spdm;
	stream->rid_limit = (uint16_t)(args->r10 >> 8);
	stream->rid_base = (uint16_t)(args->r11 >> 8);
	stream->handle = tdx_module_write()->next_stream++;
	stream->next = tdx_module()->streams;
	tdx_module_write()->streams = stream;
	spdm_write(spdm)->streams++;
	TRACE_STATE(LANE_FIRMWARE, "IDE stream made", A("stream", stream->handle),
		    A("spdm", args->rdx));
	args->rcx = stream->handle;
	args->rdx = selective;
	block_program(root_port, block, (uint32_t)args->r9, rid, address);
	return TDX_SUCCESS;
}

/* -- keys --------------------------------------------------------------------------------------
 * A phase sends one message a slot. Slots go in the order Rx then Tx, as the device sees them; the
 * root port is the other end of each.
 */
struct km_phase { uint8_t object; bool other_set; };
static const struct km_phase km_setup[] = { { IDE_KM_KEY_PROG }, { IDE_KM_K_SET_GO }, { 0 } };
static const struct km_phase km_refresh[] = {
	{ IDE_KM_KEY_PROG, true }, { IDE_KM_K_SET_GO, true }, { IDE_KM_K_SET_STOP }, { 0 } };
static const struct km_phase km_stop[] = { { IDE_KM_K_SET_STOP }, { 0 } };
static const struct km_phase *const km_plans[] = {
	[TDX_KM_SETUP] = km_setup, [TDX_KM_REFRESH] = km_refresh, [TDX_KM_STOP] = km_stop,
};

struct km_slot {
	const struct tdx_stream *stream;
	uint8_t object;
	unsigned int set;
	enum ide_direction dir;		/* the device's */
	enum ide_sub_stream sub;
};

/* Slot `n` of a plan; false: past its end. */
static bool km_slot(const struct tdx_stream *stream, enum tdx_km op, unsigned int n,
		    struct km_slot *slot)
{
	const struct km_phase *phase = &km_plans[op][n / KM_SLOTS];

	if (!phase->object)
		return false;
	*slot = (struct km_slot){ .stream = stream, .object = phase->object,
		.set = phase->other_set ? !stream->key_set : stream->key_set,
		.dir = n % KM_SLOTS >= IDE_SUB_STREAMS ? IDE_TX : IDE_RX,
		.sub = (enum ide_sub_stream)(n % IDE_SUB_STREAMS) };
	return true;
}

static enum ide_direction other_end(enum ide_direction dir)
{
	return dir == IDE_RX ? IDE_TX : IDE_RX;
}

static uint8_t slot_code(const struct km_slot *slot)
{
	return (uint8_t)(slot->set | (unsigned int)slot->dir << 1 | (unsigned int)slot->sub << 4);
}

static uint64_t km_send(struct dialog *dialog, unsigned int next, const struct km_slot *slot)
{
	static const uint8_t ifv[8] = { 1 };
	const struct tdx_stream *stream = slot->stream;
	uint8_t body[64], key[32];
	struct writer w = writer_of(body, sizeof(body));

	put_u8(&w, slot->object);
	put_le16(&w, 0);
	put_u8(&w, stream->id);
	put_u8(&w, 0);
	put_u8(&w, slot_code(slot));
	put_u8(&w, KM_PORT);
	if (slot->object == IDE_KM_KEY_PROG) {
		if (spdm_random(key, sizeof(key)))
			return TDX_NO_MEMORY;
		if (ide_key_program(stream->root_port, stream->id, slot->set, other_end(slot->dir),
				    slot->sub, key, ifv))
			return TDX_IDE_STREAM_INVALID_STATE;
		put_bytes(&w, key, sizeof(key));
		put_bytes(&w, ifv, sizeof(ifv));
	}
	return dialog_vendor(dialog, next, PCISIG_IDE_KM, body, w.at);
}

static uint64_t km_ack(struct dialog *dialog, const struct km_slot *slot)
{
	struct reader r = reader_of(dialog->reply, dialog->reply_len);
	uint8_t object = get_u8(&r), stream, status, code;
	uint8_t expected = slot->object == IDE_KM_KEY_PROG ? IDE_KM_KP_ACK : IDE_KM_K_GOSTOP_ACK;

	get_le16(&r);
	stream = get_u8(&r);
	status = get_u8(&r);
	code = get_u8(&r);
	if (r.bad || object != expected || stream != slot->stream->id || code != slot_code(slot))
		return TDX_SPDM_PROTOCOL_ERROR;
	if (expected == IDE_KM_KP_ACK && status != IDE_KM_OK) {
		dialog->args->rcx = status;
		return TDX_SPDM_PROTOCOL_ERROR;
	}
	return TDX_SUCCESS;
}

/* The device did its half; the root port follows at once. */
static uint64_t km_root_port(const struct km_slot *slot)
{
	uint16_t port = slot->stream->root_port;
	enum ide_direction dir = other_end(slot->dir);
	int rc = 0;

	if (slot->object == IDE_KM_K_SET_GO)
		rc = ide_key_go(port, slot->stream->id, slot->set, dir, slot->sub);
	else if (slot->object == IDE_KM_K_SET_STOP)
		rc = ide_key_stop(port, slot->stream->id, slot->set, dir, slot->sub);
	return rc ? TDX_IDE_STREAM_INVALID_STATE : TDX_SUCCESS;
}

static uint64_t km_done(const struct tdx_stream *stream, enum tdx_km op)
{
	struct tdx_stream *w = stream_write(stream);

	w->keyed = op != TDX_KM_STOP;
	if (op == TDX_KM_REFRESH)
		w->key_set = !w->key_set;
	TRACE_STATE(LANE_FIRMWARE, "IDE keys", A("stream", stream->id), A("op", op),
		    A("to", w->keyed), A("set", w->key_set));
	return TDX_SUCCESS;
}

static uint64_t km_step(struct dialog *dialog)
{
	const struct tdx_stream *stream = stream_of(dialog->args->rcx);
	enum tdx_km op = (enum tdx_km)dialog->args->rdx;
	uint64_t status = TDX_SUCCESS;
	struct km_slot slot;

	if (dialog->step && km_slot(stream, op, dialog->step - 1, &slot)) {
		status = km_ack(dialog, &slot);
		if (!status)
			status = km_root_port(&slot);
	}
	if (status)
		return status;
	if (!km_slot(stream, op, dialog->step, &slot))
		return km_done(stream, op);
	return km_send(dialog, dialog->step + 1, &slot);
}

static uint64_t stream_km(struct tdx_args *args)
{
	const struct tdx_stream *stream = stream_of(args->rcx);

	if (!stream)
		return tdx_invalid(TDX_RCX);
	if (args->rdx > TDX_KM_STOP)
		return tdx_invalid(TDX_RDX);
	if (dialog_begins(stream->spdm, TDX_IDE_STREAM_KM, args)) {
		if (stream->blocked)
			return TDX_IDE_STREAM_BLOCKED | TDX_RCX;
		if (args->rdx != TDX_KM_STOP && stream->keyed != (args->rdx == TDX_KM_REFRESH))
			return TDX_IDE_STREAM_INVALID_STATE | TDX_RCX;
	}
	return dialog_run(stream->spdm, TDX_IDE_STREAM_KM, args, km_step);
}

/* -- end ------------------------------------------------------------------------------------- */
static void keys_drop(const struct tdx_stream *stream)
{
	for (unsigned int set = 0; set < 2; set++)
		for (unsigned int n = 0; n < KM_SLOTS; n++)
			ide_key_stop(stream->root_port, stream->id, set,
				     n >= IDE_SUB_STREAMS ? IDE_TX : IDE_RX,
				     (enum ide_sub_stream)(n % IDE_SUB_STREAMS));
}

static uint64_t stream_block(struct tdx_args *args)
{
	const struct tdx_stream *stream = stream_of(args->rcx);
	unsigned int at;

	if (!stream)
		return tdx_invalid(TDX_RCX);
	if (stream->blocked)
		return TDX_IDE_STREAM_BLOCKED | TDX_RCX;
	stream_write(stream)->blocked = true;
	TRACE_STATE(LANE_FIRMWARE, "IDE stream", A("stream", stream->id), A("from", 0), A("to", 1));
	at = block_find(stream->root_port, stream->selective);
	if (at)
		config_write(stream->root_port, at + BLOCK_CONTROL, 4,
			     config_read(stream->root_port, at + BLOCK_CONTROL, 4) &
				     ~CONTROL_ENABLE);
	keys_drop(stream);
	return TDX_SUCCESS;
}

static uint64_t stream_delete(struct tdx_args *args)
{
	static const uint64_t none[3];
	const struct tdx_stream *stream = stream_of(args->rcx);
	const struct tdx_stream *const *link = &tdx_module()->streams;
	unsigned int block;
	uint16_t root_port;

	if (!stream)
		return tdx_invalid(TDX_RCX);
	if (stream->spdm->op.leaf == TDX_IDE_STREAM_KM && stream->spdm->op.key == stream->handle)
		return TDX_OPERAND_BUSY | TDX_RCX;
	if (!stream->blocked)
		return TDX_IDE_STREAM_NOT_BLOCKED | TDX_RCX;
	if (stream->tdis && !mutant(MUTANT_DELETE_STREAM_EARLY))
		return TDX_IDE_STREAM_HAS_TDI | TDX_RCX;
	root_port = stream->root_port;
	block = block_find(root_port, stream->selective);
	while (*link != stream)
		link = &(*link)->next;
	link_set(link, stream->next);
	spdm_write(stream->spdm)->streams--;
	tdx_list_give(&stream->page, TDX_IDE_PAGES);
	image_free(stream);
	if (block)
		block_program(root_port, block, 0, none, none);
	return TDX_SUCCESS;
}

const struct tdx_leaf_row tdx_stream_leaves[] = {
	{ TDX_IDE_STREAM_CREATE, stream_create, { "info", "spdm" } },
	{ TDX_IDE_STREAM_KM, stream_km, { "stream", "op" } },
	{ TDX_IDE_STREAM_BLOCK, stream_block, { "stream" } },
	{ TDX_IDE_STREAM_DELETE, stream_delete, { "stream" } },
	{ 0 }
};
