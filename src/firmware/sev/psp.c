/* SPDX-License-Identifier: BSD-2-Clause */
/* The PSP's gate: command buffers, injected faults, the trace. */
#include "firmware/sev/internal.h"

const struct sev_psp *sev_psp(void)
{
	return image_root(IMAGE_ROOT_FIRMWARE);
}

struct sev_psp *sev_psp_write(void)
{
	return image_write(sev_psp());
}

int sev_power_on(void)
{
	struct sev_psp *psp;

	if (sev_psp())
		return -EEXIST;
	psp = image_alloc(sizeof(*psp), IMAGE_TYPE_SEV);
	if (!psp)
		return -ENOMEM;
	psp->next_tdi = 1;
	image_root_set(IMAGE_ROOT_FIRMWARE, psp);
	return 0;
}

int sev_inject(enum sev_command_id command, enum sev_status status, unsigned int count)
{
	const struct sev_psp *psp = sev_psp();

	if (!psp || !count || count > UINT16_MAX || !sev_command_name(command))
		return -EINVAL;
	for (unsigned int i = 0; i < SEV_FAULTS; i++) {
		struct sev_fault *fault;

		if (psp->faults[i].count && psp->faults[i].command != command)
			continue;
		fault = image_write(&psp->faults[i]);
		*fault = (struct sev_fault){ .command = (uint16_t)command, .count = (uint16_t)count,
					     .status = (uint16_t)status };
		return 0;
	}
	return -ENOSPC;
}

static bool fault_take(enum sev_command_id command, enum sev_status *status)
{
	const struct sev_psp *psp = sev_psp();

	for (unsigned int i = 0; i < SEV_FAULTS; i++) {
		struct sev_fault *w;

		if (psp->faults[i].command != command || !psp->faults[i].count)
			continue;
		w = image_write(&psp->faults[i]);
		w->count--;
		*status = (enum sev_status)w->status;
		return true;
	}
	return false;
}

static const struct command_row *row_find(enum sev_command_id id)
{
	static const struct command_row *const tables[] = {
		sev_snp_commands, sev_device_commands, sev_tdi_commands, sev_guest_commands,
	};

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		for (const struct command_row *row = tables[i]; row->handle; row++)
			if (row->id == id)
				return row;
	return NULL;
}

static enum sev_status call_read(enum sev_command_id id, uint64_t buffer, struct call *call)
{
	uint8_t bytes[SEV_BUFFER_MAX];
	size_t len = sev_command_length(id);

	call->id = id;
	if (!len)
		return SEV_INVALID_COMMAND;
	if (buffer % 16 || phys_read(buffer, bytes, len, 0))
		return SEV_INVALID_ADDRESS;
	if (!sev_command_decode(id, bytes, len, &call->args))
		return SEV_INVALID_LENGTH;
	return spdm_requester_digest(bytes, len, call->digest) ? SEV_NO_MEMORY : SEV_SUCCESS;
}

/* What a command is about, as far as its contexts say. */
static void trace_subject(const struct trace_call *event, const struct call *call)
{
	const struct sev_device *dev = sev_device_of(call->args.dev_ctx);
	const struct sev_tdi *tdi = sev_tdi_of(call->args.tdi_ctx);
	const struct sev_guest *guest = sev_guest_of(call->args.gctx);
	struct reader digest = reader_of(call->digest, sizeof(call->digest));

	if (dev)
		trace_arg_add(event, "dev", dev->rid);
	if (tdi || call->args.rid)
		trace_arg_add(event, "rid", tdi ? tdi->rid : call->args.rid);
	if (guest)
		trace_arg_add(event, "asid", guest->asid);
	if (call->args.flags)
		trace_arg_add(event, "flags", call->args.flags);
	if (call->args.run_flags)
		trace_arg_add(event, "run", call->args.run_flags);
	if (sev_command_has(call->id, 'S'))
		trace_arg_add(event, "digest", get_le64(&digest));
}

/* The command is suspended: the host does what is wanted and gives it again. */
static bool asks(enum sev_status status)
{
	return status == SEV_SPDM_REQUEST || status == SEV_EXPAND_BUFFER;
}

enum sev_status sev_command(enum lane from, enum sev_command_id id, uint64_t buffer)
{
	const char *name = sev_command_name(id);
	const struct command_row *row = row_find(id);
	struct trace_call event;
	enum sev_status status;
	struct call call = { 0 };

	image_commit();
	event = TRACE_CALL0(from, LANE_FIRMWARE, name ? name : "PSP command");
	status = sev_psp() && row ? call_read(id, buffer, &call) : SEV_INVALID_COMMAND;
	if (!status) {
		trace_subject(&event, &call);
		if (!fault_take(id, &status))
			status = row->handle(&call);
	}
	trace_return_as(&event, asks(status) ? TRACE_RESULT_MORE : TRACE_RESULT_CODE, status,
			sev_status_name(status));
	image_keep();
	return status;
}
