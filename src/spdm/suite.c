/* SPDX-License-Identifier: BSD-2-Clause */
#include "spdm/suite.h"

const struct spdm_offer spdm_offer_all = {
	.versions = (1 << SPDM_VERSIONS) - 1,
	.hashes = (1 << SPDM_HASHES) - 1,
	.asyms = (1 << SPDM_CURVES) - 1,
	.dhes = (1 << SPDM_CURVES) - 1,
};

static const struct spdm_version_row versions[SPDM_VERSIONS] = {
	[SPDM_V12] = {0x12, 0x1200, "spdm1.2 ", "dmtf-spdm-v1.2.*"},
	[SPDM_V13] = {0x13, 0x1300, "spdm1.3 ", "dmtf-spdm-v1.3.*"},
};

/* DSP0274, tables of NEGOTIATE_ALGORITHMS. Ours in the order we like them. */
static const struct spdm_hash_row hashes[SPDM_HASHES] = {
	[SPDM_SHA384] = {0x02, 48, "SHA2-384"},
	[SPDM_SHA256] = {0x01, 32, "SHA2-256"},
};

static const struct spdm_curve_row curves[SPDM_CURVES] = {
	[SPDM_P384] = {0x80, 0x10, 48, "P-384"},
	[SPDM_P256] = {0x10, 0x08, 32, "P-256"},
};

const struct spdm_version_row *spdm_version_row(unsigned int id)
{
	return &versions[id];
}

const struct spdm_hash_row *spdm_hash_row(unsigned int id)
{
	return &hashes[id];
}

const struct spdm_curve_row *spdm_curve_row(unsigned int id)
{
	return &curves[id];
}

bool spdm_suite_sane(const struct spdm_suite *suite)
{
	return suite->version < SPDM_VERSIONS && suite->hash < SPDM_HASHES &&
	       suite->asym < SPDM_CURVES && suite->dhe < SPDM_CURVES;
}

/* One field of the negotiation: which bit an algorithm has in it, and how many there are. */
typedef uint32_t (*field_bit)(unsigned int id);

static uint32_t hash_bit(unsigned int id)
{
	return id < SPDM_HASHES ? hashes[id].bit : 0;
}

static uint32_t asym_bit(unsigned int id)
{
	return id < SPDM_CURVES ? curves[id].asym_bit : 0;
}

static uint32_t dhe_bit(unsigned int id)
{
	return id < SPDM_CURVES ? curves[id].dhe_bit : 0;
}

static uint32_t field_of(field_bit bit, uint8_t mask)
{
	uint32_t bits = 0;

	for (unsigned int id = 0; bit(id); id++)
		if (mask >> id & 1)
			bits |= bit(id);
	return bits;
}

static int field_choose(field_bit bit, uint32_t bits, uint8_t mask)
{
	for (unsigned int id = 0; bit(id); id++)
		if ((mask >> id & 1) && (bits & bit(id)))
			return (int)id;
	return -1;
}

static int field_exact(field_bit bit, uint32_t bits, uint8_t mask)
{
	return __builtin_popcount(bits) == 1 ? field_choose(bit, bits, mask) : -1;
}

uint32_t spdm_offer_hashes(uint8_t mask)
{
	return field_of(hash_bit, mask);
}

uint32_t spdm_offer_asyms(uint8_t mask)
{
	return field_of(asym_bit, mask);
}

uint16_t spdm_offer_dhes(uint8_t mask)
{
	return (uint16_t)field_of(dhe_bit, mask);
}

int spdm_hash_of(uint32_t bits, uint8_t mask)
{
	return field_exact(hash_bit, bits, mask);
}

int spdm_asym_of(uint32_t bits, uint8_t mask)
{
	return field_exact(asym_bit, bits, mask);
}

int spdm_dhe_of(uint32_t bits, uint8_t mask)
{
	return field_exact(dhe_bit, bits, mask);
}

int spdm_hash_choose(uint32_t bits, uint8_t mask)
{
	return field_choose(hash_bit, bits, mask);
}

int spdm_asym_choose(uint32_t bits, uint8_t mask)
{
	return field_choose(asym_bit, bits, mask);
}

int spdm_dhe_choose(uint32_t bits, uint8_t mask)
{
	return field_choose(dhe_bit, bits, mask);
}

int spdm_version_of(uint8_t header, uint8_t mask)
{
	for (int id = 0; id < SPDM_VERSIONS; id++)
		if ((mask >> id & 1) && versions[id].header == header)
			return id;
	return -1;
}
