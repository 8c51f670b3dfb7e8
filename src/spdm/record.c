/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Secured messages over DOE, DSP0277: session id u32, length u16 of what follows, ciphertext, tag.
 * No sequence number travels; the plaintext is a length u16 and one SPDM message.
 */
#include "spdm/context.h"

#include <errno.h>

static void nonce_make(const struct spdm_keys *keys, uint8_t nonce[SPDM_IV])
{
	for (size_t i = 0; i < SPDM_IV; i++)
		nonce[i] = keys->iv[i];
	for (size_t i = 0; i < sizeof(keys->sequence); i++)
		nonce[i] ^= (uint8_t)(keys->sequence >> (8 * i));
}

int spdm_record_seal(struct spdm_keys *keys, uint32_t session, const uint8_t *message, size_t len,
	struct spdm_wire *out)
{
	struct writer w = writer_of(out->data, sizeof(out->data));
	uint8_t plain[SPDM_RECORD_LENGTH + SPDM_MAX_MESSAGE], nonce[SPDM_IV];
	struct writer inner = writer_of(plain, sizeof(plain));
	uint8_t *cipher, *tag;
	int rc;

	if (!keys->valid || keys->sequence == UINT64_MAX)
		return -EKEYEXPIRED;
	put_le16(&inner, (uint16_t)len);
	put_bytes(&inner, message, len);
	put_le32(&w, session);
	put_le16(&w, (uint16_t)(inner.at + SPDM_TAG));
	cipher = put_space(&w, inner.at);
	tag = put_space(&w, SPDM_TAG);
	if (inner.bad || w.bad)
		return -EMSGSIZE;
	nonce_make(keys, nonce);
	rc = spdm_gcm_seal(
		keys->key, nonce, out->data, SPDM_RECORD_HEADER, plain, inner.at, cipher, tag);
	spdm_cleanse(plain, inner.at);
	if (rc)
		return rc;
	keys->sequence++;
	out->doe_type = SPDM_DOE_SECURED;
	out->len = w.at;
	return 0;
}

int spdm_record_session(const struct spdm_wire *in, uint32_t *session)
{
	struct reader r = reader_of(in->data, in->len);

	*session = get_le32(&r);
	return r.bad ? -EBADMSG : 0;
}

int spdm_record_open(
	struct spdm_keys *keys, const struct spdm_wire *in, uint8_t *message, size_t *len)
{
	uint8_t plain[SPDM_RECORD_LENGTH + SPDM_MAX_MESSAGE], nonce[SPDM_IV];
	struct reader r = reader_of(in->data, in->len), inner;
	const uint8_t *cipher, *tag;
	size_t size;
	int rc;

	get_le32(&r);
	size = get_le16(&r);
	if (size < SPDM_RECORD_LENGTH + SPDM_TAG || size - SPDM_TAG > sizeof(plain))
		return -EBADMSG;
	size -= SPDM_TAG;
	cipher = get_bytes(&r, size);
	tag = get_bytes(&r, SPDM_TAG);
	if (r.bad || reader_left(&r) > SPDM_PADDING)
		return -EBADMSG;
	if (!keys->valid || keys->sequence == UINT64_MAX)
		return -EACCES;
	nonce_make(keys, nonce);
	rc = spdm_gcm_open(
		keys->key, nonce, in->data, SPDM_RECORD_HEADER, cipher, size, tag, plain);
	if (rc)
		return rc;
	keys->sequence++;
	inner = reader_of(plain, size);
	*len = get_le16(&inner);
	rc = *len > reader_left(&inner) ? -EBADMSG : 0;
	if (!rc)
		get_copy(&inner, message, *len); /* what may follow is random filling */
	spdm_cleanse(plain, size);
	return rc;
}

int spdm_record_decode(const uint8_t key[32], const uint8_t iv[12], uint64_t sequence,
	const struct spdm_wire *in, uint8_t message[SPDM_MAX_MESSAGE], size_t *len)
{
	struct spdm_keys keys = {.sequence = sequence, .valid = true};
	int rc;

	memcpy(keys.key, key, sizeof(keys.key));
	memcpy(keys.iv, iv, sizeof(keys.iv));
	rc = spdm_record_open(&keys, in, message, len);
	spdm_cleanse(&keys, sizeof(keys));
	return rc;
}
