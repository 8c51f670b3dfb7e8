/* SPDX-License-Identifier: BSD-2-Clause */
/* The key schedule, DSP0274 1.2 chapter "Key schedule", with SHA-384 and AES-256-GCM. */
#include "spdm/context.h"

#include <errno.h>

#define LABEL_VERSION "spdm1.2 "
#define INFO_MAX (2 + 8 + 16 + SPDM_HASH)

static const uint8_t zeroes[SPDM_HASH];
static const char *const handshake_labels[SPDM_SIDES] = {"req hs data", "rsp hs data"};
static const char *const data_labels[SPDM_SIDES] = {"req app data", "rsp app data"};

/* HKDF-Expand(secret, bin(label, context, len)); context is a hash or NULL. */
static int expand(const uint8_t secret[SPDM_HASH], const char *label, const uint8_t *context,
	uint8_t *out, size_t len)
{
	uint8_t info[INFO_MAX];
	struct writer w = writer_of(info, sizeof(info));

	put_le16(&w, (uint16_t)len);
	put_bytes(&w, LABEL_VERSION, strlen(LABEL_VERSION));
	put_bytes(&w, label, strlen(label));
	if (context)
		put_bytes(&w, context, SPDM_HASH);
	return w.bad ? -EMSGSIZE : spdm_hkdf_expand(secret, info, w.at, out, len);
}

/* Key and IV from keys->secret; sequence numbers start over. */
static int keys_make(struct spdm_keys *keys)
{
	int rc = expand(keys->secret, "key", NULL, keys->key, SPDM_KEY);

	if (!rc)
		rc = expand(keys->secret, "iv", NULL, keys->iv, SPDM_IV);
	keys->sequence = 0;
	keys->valid = !rc;
	return rc;
}

int spdm_session_handshake(
	struct spdm_session *s, const struct spdm_transcript *t, const uint8_t shared[SPDM_SCALAR])
{
	uint8_t th1[SPDM_HASH];
	int rc = spdm_transcript_hash(t, SPDM_PART_KEYS, th1);

	if (!rc)
		rc = spdm_hkdf_extract(zeroes, shared, SPDM_SCALAR, s->handshake_secret);
	for (int side = 0; side < SPDM_SIDES && !rc; side++) {
		struct spdm_keys *keys = &s->keys[side];

		rc = expand(
			s->handshake_secret, handshake_labels[side], th1, keys->secret, SPDM_HASH);
		if (!rc)
			rc = expand(keys->secret, "finished", NULL, s->finished[side], SPDM_HASH);
		if (!rc)
			rc = keys_make(keys);
	}
	return rc;
}

int spdm_session_finished(const struct spdm_session *s, const struct spdm_transcript *t,
	enum spdm_side side, uint8_t out[SPDM_HASH])
{
	uint8_t hash[SPDM_HASH];
	int rc = spdm_transcript_hash(t, SPDM_PART_KEYS, hash);

	return rc ? rc : spdm_hmac(s->finished[side], hash, SPDM_HASH, out);
}

int spdm_session_open(struct spdm_session *s, const struct spdm_transcript *t)
{
	uint8_t th2[SPDM_HASH], salt[SPDM_HASH], master[SPDM_HASH];
	int rc = spdm_transcript_hash(t, SPDM_PART_KEYS, th2);

	if (!rc)
		rc = expand(s->handshake_secret, "derived", NULL, salt, SPDM_HASH);
	if (!rc)
		rc = spdm_hkdf_extract(salt, zeroes, SPDM_HASH, master);
	for (int side = 0; side < SPDM_SIDES && !rc; side++) {
		rc = expand(master, data_labels[side], th2, s->keys[side].secret, SPDM_HASH);
		if (!rc)
			rc = keys_make(&s->keys[side]);
	}
	spdm_cleanse(salt, sizeof(salt));
	spdm_cleanse(master, sizeof(master));
	spdm_cleanse(s->handshake_secret, sizeof(s->handshake_secret));
	spdm_cleanse(s->finished, sizeof(s->finished));
	if (!rc)
		s->phase = SPDM_PHASE_OPEN;
	return rc;
}

int spdm_session_update(struct spdm_session *s, enum spdm_side side)
{
	struct spdm_keys *keys = &s->keys[side];
	uint8_t next[SPDM_HASH];
	int rc = expand(keys->secret, "traffic upd", NULL, next, SPDM_HASH);

	if (!rc) {
		memcpy(keys->secret, next, SPDM_HASH);
		rc = keys_make(keys);
	}
	spdm_cleanse(next, sizeof(next));
	return rc;
}

void spdm_session_end(struct spdm_session *s)
{
	spdm_cleanse(s, sizeof(*s));
}
