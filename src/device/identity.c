/* SPDX-License-Identifier: BSD-2-Clause */
/* Who the device says it is: a chain and key made once at power-on, and what it measures. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "device/dsm.h"

/* DMTF measurement value types (DSP0274 table 54). */
enum { MEASURE_FIRMWARE = 1, MEASURE_HARDWARE_CONFIG = 2 };

int identity_measure(const struct dsm *dsm)
{
	static const char *const what[DSM_MEASUREMENTS] = { "firmware", "hardware configuration" };
	uint8_t digest[SPDM_HASH];
	char text[64];

	for (unsigned int i = 0; i < DSM_MEASUREMENTS; i++) {
		int len = snprintf(text, sizeof(text), "swtio dma engine %s %u", what[i],
			i ? 0 : dsm->firmware);
		int rc = spdm_requester_digest((const uint8_t *)text, (size_t)len, digest);

		if (rc)
			return rc;
		memcpy(image_log(dsm->measurement[i], SPDM_HASH), digest, SPDM_HASH);
	}
	return 0;
}

int identity_make(const struct dsm *dsm)
{
	struct dsm *w = image_write(dsm);
	size_t chain = sizeof(w->chain), key = sizeof(w->key), anchor = sizeof(w->anchor);
	char name[48];
	int rc;

	snprintf(name, sizeof(name), "swtio DMA engine %02x:%02x.0", dsm->rid >> 8,
		dsm->rid >> 3 & 31);
	rc = spdm_make_identity(name, SPDM_P384, w->chain, &chain, w->key, &key, w->anchor, &anchor);
	if (rc)
		return rc;
	w->chain_len = (uint32_t)chain;
	w->key_len = (uint32_t)key;
	w->anchor_len = (uint32_t)anchor;
	w->firmware = 1;
	return identity_measure(dsm);
}

void identity_get(const struct dsm *dsm, struct spdm_identity *identity,
		  struct spdm_measurement measurements[DSM_MEASUREMENTS])
{
	static const uint8_t types[DSM_MEASUREMENTS] = {
		MEASURE_FIRMWARE, MEASURE_HARDWARE_CONFIG };

	for (unsigned int i = 0; i < DSM_MEASUREMENTS; i++)
		measurements[i] = (struct spdm_measurement){ .index = (uint8_t)(i + 1),
			.type = types[i],
			.len = SPDM_HASH,
			.value = dsm->measurement[i]};
	*identity = (struct spdm_identity){ .chain = dsm->chain, .chain_len = dsm->chain_len,
		.key = dsm->key, .key_len = dsm->key_len, .measurements = measurements,
		.measurement_count = DSM_MEASUREMENTS };
}

const uint8_t *device_trust_anchor(uint16_t rid, size_t *len)
{
	const struct dsm *dsm = dsm_of(rid);

	if (!dsm)
		return NULL;
	*len = dsm->anchor_len;
	return dsm->anchor;
}

int device_identity_set(uint16_t rid, const uint8_t *chain, size_t chain_len, const uint8_t *key,
			size_t key_len)
{
	const struct dsm *dsm = dsm_of(rid);
	size_t anchor_len = spdm_certificate_size(chain, chain_len);
	struct dsm *w;

	if (!dsm)
		return -ENOENT;
	if (chain_len > sizeof(dsm->chain) || key_len > sizeof(dsm->key) || !anchor_len ||
		anchor_len > sizeof(dsm->anchor) || anchor_len > chain_len)
		return -ENOSPC;
	w = image_write(dsm);
	memcpy(w->chain, chain, chain_len);
	memcpy(w->key, key, key_len);
	memcpy(w->anchor, chain, anchor_len);
	w->chain_len = (uint32_t)chain_len;
	w->key_len = (uint32_t)key_len;
	w->anchor_len = (uint32_t)anchor_len;
	return 0;
}

int device_measurement_set(uint16_t rid, unsigned int index, const uint8_t digest[48])
{
	const struct dsm *dsm = dsm_of(rid);

	if (!dsm)
		return -ENOENT;
	if (!index || index > DSM_MEASUREMENTS)
		return -EINVAL;
	memcpy(image_log(dsm->measurement[index - 1], SPDM_HASH), digest, SPDM_HASH);
	return 0;
}

int device_offer_set(uint16_t rid, const struct spdm_offer *offer, bool clear_handshake)
{
	const struct dsm *dsm = dsm_of(rid);
	struct spdm_responder *responder;

	if (!dsm)
		return -ENOENT;
	responder = image_log(dsm->responder, spdm_responder_size());
	spdm_responder_offer(responder, offer);
	spdm_responder_allow_clear_handshake(responder, clear_handshake);
	return 0;
}
