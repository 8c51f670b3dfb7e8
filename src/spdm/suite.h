/* SPDX-License-Identifier: BSD-2-Clause */
/* Versions and algorithms: one row each, and what two ends agreed on. Internal to this room. */
#ifndef SWTIO_SPDM_SUITE_H
#define SWTIO_SPDM_SUITE_H

#include "spdm/spdm.h"

/* Zeroes are 1.2 with SHA-384 and P-384. Plain bytes: it lives in the image. */
struct spdm_suite {
	uint8_t version;		/* enum spdm_version_id */
	uint8_t hash;			/* enum spdm_hash_id */
	uint8_t asym, dhe;		/* enum spdm_curve_id */
};

struct spdm_version_row {
	uint8_t header;			/* of every message after VERSION */
	uint16_t entry;			/* of VERSION */
	const char *label;		/* of the key schedule */
	const char *sign;		/* what signatures begin with, four times */
};

struct spdm_hash_row {
	uint32_t bit;			/* of BaseHashAlgo */
	uint32_t size;
	const char *name;		/* libcrypto's */
};

struct spdm_curve_row {
	uint32_t asym_bit;		/* of BaseAsymAlgo */
	uint16_t dhe_bit;		/* of the DHE table */
	uint32_t size;			/* of a coordinate, and of a private key */
	const char *name;		/* libcrypto's */
};

const struct spdm_version_row *spdm_version_row(unsigned int id);
const struct spdm_hash_row *spdm_hash_row(unsigned int id);
const struct spdm_curve_row *spdm_curve_row(unsigned int id);

bool spdm_suite_sane(const struct spdm_suite *suite);

static inline uint8_t spdm_suite_header(const struct spdm_suite *suite)
{
	return spdm_version_row(suite->version)->header;
}

static inline size_t spdm_suite_hash(const struct spdm_suite *suite)
{
	return spdm_hash_row(suite->hash)->size;
}

static inline size_t spdm_suite_signature(const struct spdm_suite *suite)
{
	return 2 * spdm_curve_row(suite->asym)->size;
}

static inline size_t spdm_suite_exchange(const struct spdm_suite *suite)
{
	return 2 * spdm_curve_row(suite->dhe)->size;
}

/* The RequesterContext of CHALLENGE and GET_MEASUREMENTS, which 1.2 does not have. */
static inline size_t spdm_suite_context(const struct spdm_suite *suite)
{
	return suite->version >= SPDM_V13 ? 8 : 0;
}

/* The bits of an offer's mask, as the field of a message has them. */
uint32_t spdm_offer_hashes(uint8_t mask);
uint32_t spdm_offer_asyms(uint8_t mask);
uint16_t spdm_offer_dhes(uint8_t mask);
/* The id of a field's bit if just one of ours is set and it is in the mask, or -1. */
int spdm_hash_of(uint32_t bits, uint8_t mask);
int spdm_asym_of(uint32_t bits, uint8_t mask);
int spdm_dhe_of(uint32_t bits, uint8_t mask);
/* The first of the mask that a field has too, or -1: what a responder chooses. */
int spdm_hash_choose(uint32_t bits, uint8_t mask);
int spdm_asym_choose(uint32_t bits, uint8_t mask);
int spdm_dhe_choose(uint32_t bits, uint8_t mask);
/* The version of a header or of an entry's two high digits, if the mask has it, or -1. */
int spdm_version_of(uint8_t header, uint8_t mask);

#endif
