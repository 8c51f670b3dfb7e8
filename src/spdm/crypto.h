/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The cryptography SPDM needs, as functions over bytes. libcrypto runs in a library context of our
 * own (libctx.c): the process we live in may use libcrypto's default one as it likes.
 *
 * All return 0 or -errno: -ENODEV without an image (there are no random numbers then), -EIO when
 * libcrypto fails, -EACCES when a signature, chain or tag is wrong, -EBADMSG for a key off the
 * curve.
 */
#ifndef SWTIO_SPDM_CRYPTO_H
#define SWTIO_SPDM_CRYPTO_H

#include "spdm/suite.h"

#include <openssl/evp.h>
#include <openssl/kdf.h>

#define SPDM_SCALAR 48u			/* the longest private key */
#define SPDM_KEY 32u			/* AES-256 */
#define SPDM_IV 12u
#define SPDM_TAG 16u

/* -- library context (libctx.c) -------------------------------------------------------------- */
struct spdm_libcrypto {
	OSSL_LIB_CTX *ctx;
	EVP_MD *md[SPDM_HASHES];
	EVP_MAC *hmac;
	EVP_KDF *hkdf;
	EVP_CIPHER *gcm;
};
/* Made at the first call; NULL when that failed. */
const struct spdm_libcrypto *spdm_libcrypto(void);
/* Between these, random numbers come from a fixed sequence instead of the image. For work whose
 * result a cache may hold (parsing, verifying): it needs no chance, only libcrypto's blinding draws
 * some, and the image's generator must not tell a cache hit from a miss. */
void spdm_random_fixed_begin(void);
void spdm_random_fixed_end(void);

/* -- hashes and keys (crypto.c) -------------------------------------------------------------- */
struct spdm_part { const void *data; size_t len; };
/* Keys, salts and results are as long as the hash. */
int spdm_hash_parts(unsigned int hash, const struct spdm_part *parts, size_t count,
		    uint8_t out[SPDM_HASH]);
int spdm_hash(unsigned int hash, const void *data, size_t len, uint8_t out[SPDM_HASH]);
int spdm_hmac(unsigned int hash, const uint8_t *key, const void *data, size_t len,
	      uint8_t out[SPDM_HASH]);
int spdm_hkdf_extract(unsigned int hash, const uint8_t *salt, const uint8_t *ikm, size_t len,
		      uint8_t out[SPDM_HASH]);
int spdm_hkdf_expand(unsigned int hash, const uint8_t *prk, const void *info, size_t info_len,
		     uint8_t *out, size_t len);
int spdm_gcm_seal(const uint8_t key[SPDM_KEY], const uint8_t iv[SPDM_IV], const void *aad,
		  size_t aad_len, const uint8_t *plain, size_t len, uint8_t *cipher,
		  uint8_t tag[SPDM_TAG]);
int spdm_gcm_open(const uint8_t key[SPDM_KEY], const uint8_t iv[SPDM_IV], const void *aad,
		  size_t aad_len, const uint8_t *cipher, size_t len, const uint8_t tag[SPDM_TAG],
		  uint8_t *plain);
bool spdm_equal(const void *a, const void *b, size_t len);	/* in constant time */
void spdm_cleanse(void *p, size_t len);

/* -- elliptic curves (curve.c) --------------------------------------------------------------- */
int spdm_ecdh_make(unsigned int curve, uint8_t scalar[SPDM_SCALAR], uint8_t point[SPDM_DHE]);
int spdm_ecdh_derive(unsigned int curve, const uint8_t scalar[SPDM_SCALAR],
		     const uint8_t point[SPDM_DHE],
		     const uint8_t peer[SPDM_DHE], uint8_t secret[SPDM_SCALAR]);

/* A public key from X || Y, or NULL; and X || Y of a key: their length, or -EIO. */
EVP_PKEY *spdm_point_key(unsigned int curve, const uint8_t *point);
int spdm_key_point(EVP_PKEY *key, unsigned int curve, uint8_t point[SPDM_DHE]);
/* The curve of a private key (DER), or -1: none of ours. */
int spdm_key_curve(const uint8_t *key_der, size_t key_len);

bool spdm_key_is(EVP_PKEY *key, unsigned int curve);

/* The signature of a transcript hash: over a prefix that names version and purpose. */
enum spdm_purpose { SPDM_SIGN_CHALLENGE, SPDM_SIGN_MEASUREMENTS, SPDM_SIGN_KEY_EXCHANGE };
int spdm_sign(const struct spdm_suite *suite, const uint8_t *key_der, size_t key_len,
	      enum spdm_purpose purpose, const uint8_t hash[SPDM_HASH], uint8_t signature[SPDM_SIG]);
int spdm_verify(const struct spdm_suite *suite, EVP_PKEY *key, enum spdm_purpose purpose,
		const uint8_t hash[SPDM_HASH], const uint8_t signature[SPDM_SIG]);

/* -- certificates (x509.c) ------------------------------------------------------------------- */
/* Checks an SPDM chain blob up to the anchor and gives the leaf's key, which is of the suite's
 * curve and which the caller frees. The clock of the simulated host starts anywhere, so that
 * validity times are not looked at. */
int spdm_chain_verify(const struct spdm_suite *suite, const uint8_t *anchor, size_t anchor_len,
		      const uint8_t *blob, size_t len, EVP_PKEY **leaf);

/* -- per-process cache of parsed keys, by hash of what they were parsed from (cache.c) --------- */
EVP_PKEY *spdm_cache_get(const uint8_t id[SPDM_HASH]);	/* a new reference, or NULL */
void spdm_cache_put(const uint8_t id[SPDM_HASH], EVP_PKEY *key);	/* refers itself */
void spdm_cache_forget(void);		/* all of it, for who measures the work itself */

#endif
