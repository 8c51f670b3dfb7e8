/* SPDX-License-Identifier: BSD-2-Clause */
#include "spdm/context.h"

#include <errno.h>

static const struct {
	size_t at, cap;
} parts[SPDM_PARTS] = {
#define PART(id, field)                                                                            \
	[id] = {offsetof(struct spdm_transcript, field),                                           \
		sizeof(((struct spdm_transcript *)0)->field)}
	PART(SPDM_PART_VCA, vca),
	PART(SPDM_PART_CHAIN, attest),
	PART(SPDM_PART_MEASURE, attest),
	PART(SPDM_PART_KEYS, keys),
#undef PART
};

bool spdm_transcript_sane(const struct spdm_transcript *t)
{
	if (!spdm_suite_sane(&t->suite))
		return false;
	for (int part = 0; part < SPDM_PARTS; part++)
		if (t->len[part] > parts[part].cap + 1)
			return false;
	return true;
}

void spdm_transcript_reset(struct spdm_transcript *t, enum spdm_transcript_part part)
{
	t->len[part] = 0;
}

void spdm_transcript_add(
	struct spdm_transcript *t, enum spdm_transcript_part part, const void *data, size_t len)
{
	if (part == SPDM_PART_CHAIN || part == SPDM_PART_MEASURE)
		t->len[part == SPDM_PART_CHAIN ? SPDM_PART_MEASURE : SPDM_PART_CHAIN] = 0;
	if (t->len[part] > parts[part].cap || len > parts[part].cap - t->len[part]) {
		t->len[part] = (uint32_t)parts[part].cap + 1;
		return;
	}
	memcpy((uint8_t *)t + parts[part].at + t->len[part], data, len);
	t->len[part] += (uint32_t)len;
}

int spdm_transcript_hash(
	const struct spdm_transcript *t, enum spdm_transcript_part part, uint8_t out[SPDM_HASH])
{
	const struct spdm_part hashed[] = {
		{t->vca, t->len[SPDM_PART_VCA]},
		{t->chain_hash, part == SPDM_PART_KEYS ? spdm_suite_hash(&t->suite) : 0},
		{(const uint8_t *)t + parts[part].at, t->len[part]},
	};

	if (t->len[SPDM_PART_VCA] > parts[SPDM_PART_VCA].cap || t->len[part] > parts[part].cap)
		return -EMSGSIZE;
	return spdm_hash_parts(t->suite.hash, hashed, sizeof(hashed) / sizeof(*hashed), out);
}
