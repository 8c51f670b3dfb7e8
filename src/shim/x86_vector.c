/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Vector registers in a signal frame: the FXSAVE image has the low 16 bytes of the first sixteen;
 * what is above is in the extended part, in components whose places CPUID leaf 13 tells (Intel SDM
 * volume 1, 13.4 and 13.5). A component that is in its initial state has zeroes, whatever lies there.
 */
#include <cpuid.h>
#include <stdint.h>
#include <string.h>

#include "shim/x86.h"

#define LOW 16u
#define HEADER 512u			/* of the extended part: XSTATE_BV comes first */
#define MAGIC 0x46505853u		/* FP_XSTATE_MAGIC1: there is an extended part */
#define MAGIC_AT 464u			/* in the bytes left to software */

enum component { AVX = 2, ZMM_HIGH = 6, ZMM_16_31 = 7 };

struct place { enum component component; size_t at, len; };	/* a piece of a register */

static uint8_t *area(const ucontext_t *context)
{
	return (uint8_t *)context->uc_mcontext.fpregs;
}

static bool extended(const ucontext_t *context)
{
	uint32_t magic;

	memcpy(&magic, area(context) + MAGIC_AT, sizeof(magic));
	return magic == MAGIC;
}

static size_t component_at(enum component component)
{
	unsigned int size, offset, c, d;

	__cpuid_count(13, component, size, offset, c, d);
	return size ? offset : 0;
}

static uint8_t *component_find(const ucontext_t *context, enum component component, bool make)
{
	size_t at = extended(context) ? component_at(component) : 0;
	uint8_t *base = area(context);
	unsigned int size, offset, c, d;
	uint64_t present;

	if (!at)
		return NULL;
	memcpy(&present, base + HEADER, sizeof(present));
	if (!(present >> component & 1)) {
		if (!make)
			return NULL;
		__cpuid_count(13, component, size, offset, c, d);
		memset(base + at, 0, size);
		present |= 1ull << component;
		memcpy(base + HEADER, &present, sizeof(present));
	}
	return base + at;
}

/* Where bytes 16..31 and 32..63 of a low register are, or all of a high one. */
static unsigned int places(unsigned int reg, struct place out[2])
{
	if (reg >= 16) {
		out[0] = (struct place){ZMM_16_31, (reg - 16) * 64, 64};
		return 1;
	}
	out[0] = (struct place){AVX, reg * 16, 16};
	out[1] = (struct place){ZMM_HIGH, reg * 32, 32};
	return 2;
}

static uint8_t *low_bytes(const ucontext_t *context, unsigned int reg)
{
	return (uint8_t *)&context->uc_mcontext.fpregs->_xmm[reg];
}

void x86_vector_get(const ucontext_t *context, unsigned int reg, void *to, size_t len)
{
	uint8_t bytes[64] = {0};
	struct place place[2];
	unsigned int n = places(reg, place);
	size_t at = 0;

	if (reg < 16) {
		memcpy(bytes, low_bytes(context, reg), LOW);
		at = LOW;
	}
	for (unsigned int i = 0; i < n && at < len; at += place[i++].len) {
		const uint8_t *from = component_find(context, place[i].component, false);

		if (from)
			memcpy(bytes + at, from + place[i].at, place[i].len);
	}
	memcpy(to, bytes, len);
}

void x86_vector_set(ucontext_t *context, unsigned int reg, const void *from, size_t len, bool vex)
{
	uint8_t bytes[64] = {0};
	struct place place[2];
	unsigned int n = places(reg, place);
	size_t at = 0;

	memcpy(bytes, from, len);
	if (reg < 16) {
		memcpy(low_bytes(context, reg), bytes, LOW);
		at = LOW;
	}
	for (unsigned int i = 0; i < n && vex; at += place[i++].len) {
		uint8_t *to = component_find(context, place[i].component, at < len);

		if (to)
			memcpy(to + place[i].at, bytes + at, place[i].len);
	}
}
