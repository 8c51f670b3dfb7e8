/* SPDX-License-Identifier: BSD-2-Clause */
/* The key schedule (DSP0274, chapter "Key schedule"), and which of several sessions is meant. */
#include "spdm/context.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define INFO_MAX (2 + 8 + 16 + SPDM_HASH)

static const uint8_t zeroes[SPDM_HASH];
static const char *const handshake_labels[SPDM_SIDES] = {"req hs data", "rsp hs data"};
static const char *const data_labels[SPDM_SIDES] = {"req app data", "rsp app data"};

/* HKDF-Expand(secret, bin(label, context, len)); context is a hash or NULL. */
static int expand(const struct spdm_suite *suite, const uint8_t *secret, const char *label,
	const uint8_t *context, uint8_t *out, size_t len)
{
	const char *version = spdm_version_row(suite->version)->label;
	uint8_t info[INFO_MAX];
	struct writer w = writer_of(info, sizeof(info));

	put_le16(&w, (uint16_t)len);
	put_bytes(&w, version, strlen(version));
	put_bytes(&w, label, strlen(label));
	if (context)
		put_bytes(&w, context, spdm_suite_hash(suite));
	return w.bad ? -EMSGSIZE : spdm_hkdf_expand(suite->hash, secret, info, w.at, out, len);
}

/* Key and IV from keys->secret; sequence numbers start over. */
static int keys_make(const struct spdm_suite *suite, struct spdm_keys *keys)
{
	int rc = expand(suite, keys->secret, "key", NULL, keys->key, SPDM_KEY);

	if (!rc)
		rc = expand(suite, keys->secret, "iv", NULL, keys->iv, SPDM_IV);
	keys->sequence = 0;
	keys->valid = !rc;
	return rc;
}

/* -- the key log ------------------------------------------------------------------------------- */

#define KEYLOG_LINE 256u	/* the longest has the secret of an exchange: 48 bytes */

static void (*keylog)(const char *line);

void spdm_keylog_set(void (*line)(const char *line))
{
	keylog = line;
}

struct line { char text[KEYLOG_LINE]; size_t at; };

static void line_add(struct line *line, const char *name, const uint8_t *bytes, size_t len)
{
	line->at += (size_t)snprintf(line->text + line->at, KEYLOG_LINE - line->at, " %s=", name);
	for (size_t i = 0; i < len; i++)
		line->at += (size_t)snprintf(
			line->text + line->at, KEYLOG_LINE - line->at, "%02x", bytes[i]);
}

static void line_end(struct line *line)
{
	snprintf(line->text + line->at, KEYLOG_LINE - line->at, "\n");
	keylog(line->text);
	explicit_bzero(line, sizeof(*line));
}

/* KEYS session=ID side=requester|responder key=HEX iv=HEX: one line each time keys change. */
static void keylog_keys(const struct spdm_session *s, int side)
{
	struct line line;

	if (!keylog)
		return;
	line.at = (size_t)snprintf(line.text, KEYLOG_LINE, "KEYS session=%08x side=%s", s->id,
		side == SPDM_SIDE_REQUESTER ? "requester" : "responder");
	line_add(&line, "key", s->keys[side].key, SPDM_KEY);
	line_add(&line, "iv", s->keys[side].iv, SPDM_IV);
	line_end(&line);
}

/* The exchange's secret, for other tools: spdm_dump takes it. */
static void keylog_secret(const struct spdm_session *s, const uint8_t *shared, size_t len)
{
	struct line line;

	if (!keylog)
		return;
	line.at = (size_t)snprintf(line.text, KEYLOG_LINE, "DHE session=%08x", s->id);
	line_add(&line, "secret", shared, len);
	line_end(&line);
}

/* -- the schedule ------------------------------------------------------------------------------ */

int spdm_session_handshake(
	struct spdm_session *s, const struct spdm_transcript *t, const uint8_t shared[SPDM_SCALAR])
{
	const struct spdm_suite *suite = &t->suite;
	size_t hash = spdm_suite_hash(suite);
	uint8_t th1[SPDM_HASH];
	int rc = spdm_transcript_hash(t, SPDM_PART_KEYS, th1);

	s->suite = *suite;
	keylog_secret(s, shared, spdm_curve_row(suite->dhe)->size);
	if (!rc)
		rc = spdm_hkdf_extract(suite->hash, zeroes, shared, spdm_curve_row(suite->dhe)->size,
			s->handshake_secret);
	for (int side = 0; side < SPDM_SIDES && !rc; side++) {
		struct spdm_keys *keys = &s->keys[side];

		rc = expand(suite, s->handshake_secret, handshake_labels[side], th1, keys->secret,
			hash);
		if (!rc)
			rc = expand(suite, keys->secret, "finished", NULL, s->finished[side], hash);
		if (!rc)
			rc = keys_make(suite, keys);
		if (!rc)
			keylog_keys(s, side);
	}
	return rc;
}

int spdm_session_finished(const struct spdm_session *s, const struct spdm_transcript *t,
	enum spdm_side side, uint8_t out[SPDM_HASH])
{
	uint8_t hash[SPDM_HASH];
	int rc = spdm_transcript_hash(t, SPDM_PART_KEYS, hash);

	return rc ? rc
		  : spdm_hmac(s->suite.hash, s->finished[side], hash, spdm_suite_hash(&s->suite),
			    out);
}

int spdm_session_open(struct spdm_session *s, const struct spdm_transcript *t)
{
	const struct spdm_suite *suite = &s->suite;
	size_t hash = spdm_suite_hash(suite);
	uint8_t th2[SPDM_HASH], salt[SPDM_HASH], master[SPDM_HASH];
	int rc = spdm_transcript_hash(t, SPDM_PART_KEYS, th2);

	if (!rc)
		rc = expand(suite, s->handshake_secret, "derived", NULL, salt, hash);
	if (!rc)
		rc = spdm_hkdf_extract(suite->hash, salt, zeroes, hash, master);
	for (int side = 0; side < SPDM_SIDES && !rc; side++) {
		rc = expand(suite, master, data_labels[side], th2, s->keys[side].secret, hash);
		if (!rc)
			rc = keys_make(suite, &s->keys[side]);
		if (!rc)
			keylog_keys(s, side);
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
	size_t hash = spdm_suite_hash(&s->suite);
	uint8_t next[SPDM_HASH];
	int rc = expand(&s->suite, keys->secret, "traffic upd", NULL, next, hash);

	if (!rc) {
		memcpy(keys->secret, next, hash);
		rc = keys_make(&s->suite, keys);
		keylog_keys(s, side);
	}
	spdm_cleanse(next, sizeof(next));
	return rc;
}

static bool session_sane(const struct spdm_session *s)
{
	return s->phase < SPDM_PHASES && spdm_suite_sane(&s->suite);
}

bool spdm_sessions_sane(
	const struct spdm_session *used, const struct spdm_session parked[SPDM_SESSIONS - 1])
{
	bool sane = session_sane(used);

	for (unsigned int i = 0; i < SPDM_SESSIONS - 1; i++)
		sane = sane && session_sane(&parked[i]);
	return sane;
}

static void sessions_swap(struct spdm_session *a, struct spdm_session *b)
{
	struct spdm_session swapped = *a;

	*a = *b;
	*b = swapped;
	spdm_cleanse(&swapped, sizeof(swapped));
}

bool spdm_session_use(
	struct spdm_session *used, struct spdm_session parked[SPDM_SESSIONS - 1], uint32_t id)
{
	if (used->phase != SPDM_PHASE_NONE && used->id == id)
		return true;
	for (unsigned int i = 0; i < SPDM_SESSIONS - 1; i++)
		if (parked[i].phase != SPDM_PHASE_NONE && parked[i].id == id) {
			sessions_swap(used, &parked[i]);
			return true;
		}
	return false;
}

bool spdm_session_use_phase(struct spdm_session *used,
	struct spdm_session parked[SPDM_SESSIONS - 1], enum spdm_phase phase)
{
	if (used->phase == phase)
		return true;
	for (unsigned int i = 0; i < SPDM_SESSIONS - 1; i++)
		if (parked[i].phase == phase) {
			sessions_swap(used, &parked[i]);
			return true;
		}
	return false;
}

void spdm_session_end(struct spdm_session *s)
{
	spdm_cleanse(s, sizeof(*s));
}
