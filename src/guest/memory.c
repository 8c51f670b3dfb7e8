/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest memory: patterns written and checked, pages accepted and converted. */
#include "guest/internal.h"

#include <xxhash.h>

#define PIECE 4096u

struct span { uint64_t gpa, len, seed; bool shared; };

static struct span span_of(const struct guest_call *call)
{
	return (struct span){ .gpa = guest_arg_or(call, "gpa", call->guest->place.scratch),
		.len = guest_arg_or(call, "len", PIECE), .seed = guest_arg_or(call, "seed", 1),
		.shared = guest_arg_or(call, "shared", 0) };
}

/* The sequence from `at` on; pieces start at multiples of 8. */
static void pattern(const struct span *span, uint64_t at, uint8_t *out, uint64_t len)
{
	uint64_t state = span->seed + at / 8 * 0x9e3779b97f4a7c15ull;
	struct writer w = writer_of(out, PIECE);

	for (uint64_t i = 0; i < len; i += 8)
		put_le64(&w, guest_splitmix(&state));
}

static uint64_t piece_len(const struct span *span, uint64_t at)
{
	uint64_t room = PIECE - (span->gpa + at) % PIECE;
	uint64_t left = span->len - at;

	room -= room % 8;
	return left < room ? left : room;
}

int64_t stage_mem_write(const struct guest_call *call)
{
	struct span span = span_of(call);
	uint8_t bytes[PIECE];

	if (span.gpa % 8)
		return -EINVAL;
	for (uint64_t at = call->guest->now.at, n; at < span.len; at += n) {
		int rc;

		n = piece_len(&span, at);
		pattern(&span, at, bytes, n);
		rc = guest_write(call, span.gpa + at, span.shared, bytes, n);
		if (rc)
			return rc;
		guest_at(call, at + n);
	}
	return 0;
}

/* Reads it all first: the hash must cover it whole, and its state is not kept across exits. */
static int64_t mem_sum(const struct guest_call *call, const struct span *span, bool *same)
{
	XXH64_state_t *state = XXH64_createState();
	uint8_t bytes[PIECE], expected[PIECE];
	int64_t rc = state ? 0 : -ENOMEM;

	*same = true;
	if (state)
		XXH64_reset(state, 0);
	for (uint64_t at = 0, n; !rc && at < span->len; at += n) {
		n = piece_len(span, at);
		rc = guest_read(call, span->gpa + at, span->shared, bytes, n);
		if (rc)
			break;
		pattern(span, at, expected, n);
		*same &= !memcmp(bytes, expected, n);
		XXH64_update(state, bytes, n);
	}
	if (!rc)
		rc = guest_leave(call, "sum", XXH64_digest(state));
	XXH64_freeState(state);
	return rc;
}

int64_t stage_mem_check(const struct guest_call *call)
{
	struct span span = span_of(call);
	bool same;
	int64_t rc;

	if (span.gpa % 8)
		return -EINVAL;
	rc = mem_sum(call, &span, &same);
	return rc ? rc : same ? 0 : -EILSEQ;
}

/* The sequence's own sum, against what the engine left by DMA. */
int64_t stage_dma_check(const struct guest_call *call)
{
	struct span span = { .len = guest_arg_or(call, "len", PIECE),
			     .seed = guest_arg_or(call, "seed", 1) };
	XXH64_state_t *state = XXH64_createState();
	uint8_t bytes[PIECE];
	bool found;
	uint64_t sum;

	if (!state)
		return -ENOMEM;
	XXH64_reset(state, 0);
	for (uint64_t at = 0, n; at < span.len; at += n) {
		n = piece_len(&span, at);
		pattern(&span, at, bytes, n);
		XXH64_update(state, bytes, n);
	}
	sum = XXH64_digest(state);
	XXH64_freeState(state);
	return guest_value(call->guest->vm, "sum", &found) == sum ? 0 : -EILSEQ;
}

int64_t stage_page_accept(const struct guest_call *call)
{
	uint64_t gpa = guest_arg_or(call, "gpa", call->guest->place.scratch);
	uint64_t level = guest_arg_or(call, "level", 0), pages = guest_arg_or(call, "pages", 1);
	uint64_t size;

	if (level > 1 || pages > UINT32_MAX)
		return -EINVAL;
	size = (uint64_t)PHYS_PAGE << (9 * level);
	for (uint64_t at = call->guest->now.at; at < pages; at += size / PHYS_PAGE) {
		bool already;
		int rc = guest_platform()->page_accept(call, gpa + at * PHYS_PAGE,
						       (unsigned int)level, &already);

		if (rc)
			return rc;
		guest_accepted(call->guest, gpa + at * PHYS_PAGE, gpa + at * PHYS_PAGE + size);
		guest_at(call, at + size / PHYS_PAGE);
	}
	return 0;
}

int64_t stage_map_gpa(const struct guest_call *call)
{
	int64_t rc = guest_platform()->map_gpa(call, guest_arg_or(call, "gpa", 0),
					       guest_arg_or(call, "len", PHYS_PAGE),
					       guest_arg_or(call, "shared", 0));

	if (rc != -EAGAIN)
		guest_forget(call);
	return rc;
}
