/* SPDX-License-Identifier: BSD-2-Clause */
#include "spdm/crypto.h"

#include "image/image.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/rand.h>

bool spdm_equal(const void *a, const void *b, size_t len)
{
	return CRYPTO_memcmp(a, b, len) == 0;
}

void spdm_cleanse(void *p, size_t len)
{
	OPENSSL_cleanse(p, len);
}

int spdm_random(void *buf, size_t len)
{
	const struct spdm_libcrypto *lib;
	int rc = -EIO;

	if (!image_present())
		return -ENODEV;
	ERR_set_mark();
	lib = spdm_libcrypto();
	if (lib && RAND_priv_bytes_ex(lib->ctx, buf, len, 0) == 1)
		rc = 0;
	ERR_pop_to_mark();
	return rc;
}

int spdm_hash_parts(
	unsigned int hash, const struct spdm_part *parts, size_t count, uint8_t out[SPDM_HASH])
{
	const struct spdm_libcrypto *lib = spdm_libcrypto();
	EVP_MD_CTX *ctx = lib ? EVP_MD_CTX_new() : NULL;
	int ok = ctx && EVP_DigestInit_ex2(ctx, lib->md[hash], NULL);

	for (size_t i = 0; ok && i < count; i++)
		ok = EVP_DigestUpdate(ctx, parts[i].data, parts[i].len);
	ok = ok && EVP_DigestFinal_ex(ctx, out, NULL);
	EVP_MD_CTX_free(ctx);
	return ok ? 0 : -EIO;
}

int spdm_hash(unsigned int hash, const void *data, size_t len, uint8_t out[SPDM_HASH])
{
	const struct spdm_part part = {data, len};

	return spdm_hash_parts(hash, &part, 1, out);
}

int spdm_requester_digest(const uint8_t *data, size_t len, uint8_t out[SPDM_HASH])
{
	int rc;

	ERR_set_mark();
	rc = spdm_hash(SPDM_SHA384, data, len, out);
	ERR_pop_to_mark();
	return rc;
}

/* OSSL_PARAM cannot hold pointers to const although these parameters are only read. */
static OSSL_PARAM param_bytes(const char *name, const void *data, size_t len)
{
	union {
		const void *in;
		void *out;
	} p = {.in = data};

	return OSSL_PARAM_construct_octet_string(name, p.out, len);
}

static OSSL_PARAM param_hash(const char *name, unsigned int hash)
{
	union {
		const char *in;
		char *out;
	} p = {.in = spdm_hash_row(hash)->name};

	return OSSL_PARAM_construct_utf8_string(name, p.out, 0);
}

int spdm_hmac(unsigned int hash, const uint8_t *key, const void *data, size_t len,
	uint8_t out[SPDM_HASH])
{
	const struct spdm_libcrypto *lib = spdm_libcrypto();
	const OSSL_PARAM params[] = {param_hash(OSSL_MAC_PARAM_DIGEST, hash), OSSL_PARAM_END};
	EVP_MAC_CTX *ctx = lib ? EVP_MAC_CTX_new(lib->hmac) : NULL;
	size_t out_len;
	int ok = ctx && EVP_MAC_init(ctx, key, spdm_hash_row(hash)->size, params) &&
		 EVP_MAC_update(ctx, data, len) && EVP_MAC_final(ctx, out, &out_len, SPDM_HASH);

	EVP_MAC_CTX_free(ctx);
	return ok ? 0 : -EIO;
}

static int hkdf_run(unsigned int hash, int mode, OSSL_PARAM key, OSSL_PARAM other, uint8_t *out,
	size_t len)
{
	const struct spdm_libcrypto *lib = spdm_libcrypto();
	const OSSL_PARAM params[] = {OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
		param_hash(OSSL_KDF_PARAM_DIGEST, hash), key, other, OSSL_PARAM_END};
	EVP_KDF_CTX *ctx = lib ? EVP_KDF_CTX_new(lib->hkdf) : NULL;
	int ok = ctx && EVP_KDF_derive(ctx, out, len, params) == 1;

	EVP_KDF_CTX_free(ctx);
	return ok ? 0 : -EIO;
}

int spdm_hkdf_extract(unsigned int hash, const uint8_t *salt, const uint8_t *ikm, size_t len,
	uint8_t out[SPDM_HASH])
{
	size_t size = spdm_hash_row(hash)->size;

	return hkdf_run(hash, EVP_KDF_HKDF_MODE_EXTRACT_ONLY,
		param_bytes(OSSL_KDF_PARAM_KEY, ikm, len),
		param_bytes(OSSL_KDF_PARAM_SALT, salt, size), out, size);
}

int spdm_hkdf_expand(unsigned int hash, const uint8_t *prk, const void *info, size_t info_len,
	uint8_t *out, size_t len)
{
	return hkdf_run(hash, EVP_KDF_HKDF_MODE_EXPAND_ONLY,
		param_bytes(OSSL_KDF_PARAM_KEY, prk, spdm_hash_row(hash)->size),
		param_bytes(OSSL_KDF_PARAM_INFO, info, info_len), out, len);
}

int spdm_gcm_seal(const uint8_t key[SPDM_KEY], const uint8_t iv[SPDM_IV], const void *aad,
	size_t aad_len, const uint8_t *plain, size_t len, uint8_t *cipher, uint8_t tag[SPDM_TAG])
{
	const struct spdm_libcrypto *lib = spdm_libcrypto();
	EVP_CIPHER_CTX *ctx = lib ? EVP_CIPHER_CTX_new() : NULL;
	int n, ok = ctx && EVP_EncryptInit_ex2(ctx, lib->gcm, key, iv, NULL) &&
		    EVP_EncryptUpdate(ctx, NULL, &n, aad, (int)aad_len) &&
		    EVP_EncryptUpdate(ctx, cipher, &n, plain, (int)len) &&
		    EVP_EncryptFinal_ex(ctx, cipher + len, &n) &&
		    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, SPDM_TAG, tag);

	EVP_CIPHER_CTX_free(ctx);
	return ok ? 0 : -EIO;
}

int spdm_gcm_open(const uint8_t key[SPDM_KEY], const uint8_t iv[SPDM_IV], const void *aad,
	size_t aad_len, const uint8_t *cipher, size_t len, const uint8_t tag[SPDM_TAG],
	uint8_t *plain)
{
	const struct spdm_libcrypto *lib = spdm_libcrypto();
	EVP_CIPHER_CTX *ctx = lib ? EVP_CIPHER_CTX_new() : NULL;
	uint8_t copy[SPDM_TAG]; /* the ctrl call wants it writable */
	int n, rc = -EIO;

	for (size_t i = 0; i < SPDM_TAG; i++)
		copy[i] = tag[i];
	if (ctx && EVP_DecryptInit_ex2(ctx, lib->gcm, key, iv, NULL) &&
		EVP_DecryptUpdate(ctx, NULL, &n, aad, (int)aad_len) &&
		EVP_DecryptUpdate(ctx, plain, &n, cipher, (int)len) &&
		EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, SPDM_TAG, copy))
		rc = EVP_DecryptFinal_ex(ctx, plain + len, &n) == 1 ? 0 : -EACCES;
	EVP_CIPHER_CTX_free(ctx);
	if (rc)
		spdm_cleanse(plain, len);
	return rc;
}
