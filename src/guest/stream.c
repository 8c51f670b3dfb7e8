/* SPDX-License-Identifier: BSD-2-Clause */
/* A stream through two buffers, as a driver has it: piece after piece in and out, each one checked. */
#include "device/engine.h"
#include "guest/internal.h"

#define PIECES_MAX 4096u

/* What is done with every piece, in this order. */
static const struct {
	guest_stage run;
	const char *gpa;		/* the buffer it concerns */
	uint64_t op;			/* of the engine */
} parts[] = {
	{ stage_mem_write, "src", 0 },
	{ stage_dma, "src", ENGINE_COPY },
	{ stage_dma, "dst", ENGINE_CHECKSUM },
	{ stage_dma_check, "dst", 0 },
	{ stage_mem_check, "dst", 0 },
};
#define PARTS (sizeof(parts) / sizeof(parts[0]))

/* The words of the verb a part belongs to. */
static struct guest_verb words_of(const struct guest_call *call, unsigned int part, uint64_t piece,
				  uint64_t len)
{
	uint64_t gpa = guest_arg_or(call, parts[part].gpa, 0), vector = 0;
	bool interrupts = guest_arg(call, "vector", &vector);

	return (struct guest_verb){
		.nargs = interrupts ? 7 : 6,
		.args = { { "gpa", gpa }, { "src", gpa }, { "dst", guest_arg_or(call, "dst", 0) },
			  { "len", len }, { "seed", guest_arg_or(call, "seed", 1) + piece },
			  { "op", parts[part].op }, { "vector", vector } },
	};
}

int64_t stage_dma_stream(const struct guest_call *call)
{
	uint64_t len = guest_arg_or(call, "len", 0), piece = guest_arg_or(call, "piece", len);
	uint64_t last;

	if (!piece || piece > UINT32_MAX || len % piece || len / piece > PIECES_MAX)
		return -EINVAL;
	last = len / piece * PARTS;
	for (uint64_t at = call->guest->now.part; at < last; at++) {
		unsigned int part = (unsigned int)(at % PARTS);
		struct guest_verb words = words_of(call, part, at / PARTS, piece);
		const struct guest_call one = { call->vcpu, call->guest, &words };
		int64_t rc = parts[part].run(&one);

		if (rc < 0)
			return rc;
		guest_part(call, (uint16_t)(at + 1));
	}
	return (int64_t)len;
}
