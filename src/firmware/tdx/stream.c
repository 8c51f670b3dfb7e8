/* SPDX-License-Identifier: BSD-2-Clause */
/* IDE streams: the root port's registers and keys, and IDE_KM with the device for its keys. */
#include "firmware/ide_km.h"
#include "firmware/tdx/internal.h"
#include "image/mutant.h"

#define BLOCK_CONTROL 0x04u		/* of a selective stream block */
#define BLOCK_RID1 0x0cu
#define BLOCK_RID2 0x10u
#define BLOCK_ADDRESS 0x14u
#define BLOCK_SIZE(associations) (0x14u + 12u * (associations))
#define CONTROL_ENABLE 1u

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

/* -- keys ------------------------------------------------------------------------------------- */

static const struct km_phase *const km_plans[] = {
	[TDX_KM_SETUP] = km_plan_setup, [TDX_KM_REFRESH] = km_plan_refresh,
	[TDX_KM_STOP] = km_plan_stop,
};

static struct km_stream km_stream_of(const struct tdx_stream *stream)
{
	return (struct km_stream){ .root_port = stream->root_port, .id = stream->id,
				   .set = stream->key_set };
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
	struct km_stream km = km_stream_of(stream);
	uint8_t body[KM_REQUEST_MAX], refusal;
	struct writer w = writer_of(body, sizeof(body));
	int rc = km_turn(&km, km_plans[op], dialog->step,
			 reader_of(dialog->reply, dialog->reply_len), &w, &refusal);

	if (rc > 0)
		return dialog_vendor(dialog, dialog->step + 1, PCISIG_IDE_KM, body, w.at);
	if (!rc)
		return km_done(stream, op);
	if (rc == -EREMOTEIO)
		dialog->args->rcx = refusal;
	return rc == -ENOMEM ? TDX_NO_MEMORY :
	       rc == -EIO    ? TDX_IDE_STREAM_INVALID_STATE :
			       TDX_SPDM_PROTOCOL_ERROR;
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
static uint64_t stream_block(struct tdx_args *args)
{
	const struct tdx_stream *stream = stream_of(args->rcx);
	struct km_stream km;
	unsigned int at;

	if (!stream)
		return tdx_invalid(TDX_RCX);
	km = km_stream_of(stream);
	if (stream->blocked)
		return TDX_IDE_STREAM_BLOCKED | TDX_RCX;
	stream_write(stream)->blocked = true;
	TRACE_STATE(LANE_FIRMWARE, "IDE stream", A("stream", stream->id), A("from", 0), A("to", 1));
	at = block_find(stream->root_port, stream->selective);
	if (at)
		config_write(stream->root_port, at + BLOCK_CONTROL, 4,
			     config_read(stream->root_port, at + BLOCK_CONTROL, 4) &
				     ~CONTROL_ENABLE);
	km_keys_drop(&km);
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
