/* SPDX-License-Identifier: BSD-2-Clause */
/* Ephemeral keys as bytes, and SPDM's form of ECDSA signatures (r||s, big-endian). */
#include "spdm/crypto.h"

#include "image/bytes.h"
#include "image/image.h"

#include <errno.h>
#include <limits.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/param_build.h>
#include <openssl/x509.h>

#define POINT_UNCOMPRESSED 4
#define POINT_ENCODED (1 + SPDM_DHE) /* the longest */
#define SIGN_PREFIX 100u
#define SIGN_MESSAGE (SIGN_PREFIX + SPDM_HASH)
#define SIGNATURE_DER 112u /* longest DER form: two 49-byte integers and their headers */

int spdm_ecdh_make(unsigned int curve, uint8_t scalar[SPDM_SCALAR], uint8_t point[SPDM_DHE])
{
	const struct spdm_curve_row *row = spdm_curve_row(curve);
	const struct spdm_libcrypto *lib = spdm_libcrypto();
	uint8_t encoded[POINT_ENCODED];
	EVP_PKEY *key = NULL;
	BIGNUM *bn = NULL;
	size_t len = 0;
	int rc = -EIO;

	if (!image_present())
		return -ENODEV;
	if (lib)
		key = EVP_PKEY_Q_keygen(lib->ctx, NULL, "EC", row->name);
	if (key && EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_PRIV_KEY, &bn) &&
		BN_bn2binpad(bn, scalar, (int)row->size) == (int)row->size &&
		EVP_PKEY_get_octet_string_param(
			key, OSSL_PKEY_PARAM_PUB_KEY, encoded, sizeof(encoded), &len) &&
		len == 1 + 2 * row->size && encoded[0] == POINT_UNCOMPRESSED) {
		memcpy(point, encoded + 1, len - 1);
		rc = 0;
	}
	BN_clear_free(bn);
	EVP_PKEY_free(key);
	return rc;
}

/* A key from a point, and the scalar when it is ours. libcrypto refuses a point off the curve;
 * the curve's cofactor is 1, so that is all there is to check. */
static EVP_PKEY *curve_key(
	const struct spdm_curve_row *row, const uint8_t *scalar, const uint8_t *point)
{
	const struct spdm_libcrypto *lib = spdm_libcrypto();
	OSSL_PARAM_BLD *build = lib ? OSSL_PARAM_BLD_new() : NULL;
	EVP_PKEY_CTX *ctx = lib ? EVP_PKEY_CTX_new_from_name(lib->ctx, "EC", NULL) : NULL;
	uint8_t encoded[POINT_ENCODED] = {POINT_UNCOMPRESSED};
	OSSL_PARAM *params = NULL;
	EVP_PKEY *key = NULL;
	BIGNUM *bn = NULL;
	bool ok;

	memcpy(encoded + 1, point, 2 * row->size);
	ok = build && ctx &&
	     OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, row->name, 0) &&
	     OSSL_PARAM_BLD_push_octet_string(
		     build, OSSL_PKEY_PARAM_PUB_KEY, encoded, 1 + 2 * row->size);
	if (ok && scalar) {
		bn = BN_secure_new();
		ok = bn && BN_bin2bn(scalar, (int)row->size, bn) &&
		     OSSL_PARAM_BLD_push_BN_pad(build, OSSL_PKEY_PARAM_PRIV_KEY, bn, row->size);
	}
	if (ok)
		params = OSSL_PARAM_BLD_to_param(build);
	if (params && EVP_PKEY_fromdata_init(ctx) == 1 &&
		EVP_PKEY_fromdata(
			ctx, &key, scalar ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	OSSL_PARAM_free(params);
	BN_clear_free(bn);
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_BLD_free(build);
	return key;
}

EVP_PKEY *spdm_point_key(unsigned int curve, const uint8_t *point)
{
	return curve_key(spdm_curve_row(curve), NULL, point);
}

int spdm_key_point(EVP_PKEY *key, unsigned int curve, uint8_t point[SPDM_DHE])
{
	size_t size = 2 * spdm_curve_row(curve)->size, len = 0;
	uint8_t encoded[POINT_ENCODED];

	if (EVP_PKEY_get_octet_string_param(
		    key, OSSL_PKEY_PARAM_PUB_KEY, encoded, sizeof(encoded), &len) != 1 ||
		len != 1 + size || encoded[0] != POINT_UNCOMPRESSED)
		return -EIO;
	memcpy(point, encoded + 1, size);
	return (int)size;
}

int spdm_ecdh_derive(unsigned int curve, const uint8_t scalar[SPDM_SCALAR],
	const uint8_t point[SPDM_DHE], const uint8_t peer[SPDM_DHE], uint8_t secret[SPDM_SCALAR])
{
	const struct spdm_curve_row *row = spdm_curve_row(curve);
	const struct spdm_libcrypto *lib = spdm_libcrypto();
	EVP_PKEY *own = NULL, *other = NULL;
	EVP_PKEY_CTX *ctx = NULL;
	size_t len = row->size;
	int rc = -EIO;

	if (!lib)
		return -EIO;
	own = curve_key(row, scalar, point);
	if (!own)
		return -EIO;
	other = curve_key(row, NULL, peer);
	if (!other) {
		rc = -EBADMSG;
		goto free_own;
	}
	ctx = EVP_PKEY_CTX_new_from_pkey(lib->ctx, own, NULL);
	if (ctx && EVP_PKEY_derive_init(ctx) == 1 &&
		EVP_PKEY_derive_set_peer_ex(ctx, other, 0) == 1 &&
		EVP_PKEY_derive(ctx, secret, &len) == 1 && len == row->size)
		rc = 0;
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(other);
free_own:
	EVP_PKEY_free(own);
	return rc;
}

/* What is signed: four times the version, zeroes, the purpose ending at 100, the hash. */
static size_t sign_message(const struct spdm_suite *suite, enum spdm_purpose purpose,
	const uint8_t hash[SPDM_HASH], uint8_t out[SIGN_MESSAGE])
{
	const char *version = spdm_version_row(suite->version)->sign;
	static const char *const purposes[] = {
		[SPDM_SIGN_CHALLENGE] = "responder-challenge_auth signing",
		[SPDM_SIGN_MEASUREMENTS] = "responder-measurements signing",
		[SPDM_SIGN_KEY_EXCHANGE] = "responder-key_exchange_rsp signing",
	};
	struct writer w = writer_of(out, SIGN_MESSAGE);
	size_t len = strlen(purposes[purpose]);

	for (int i = 0; i < 4; i++)
		put_bytes(&w, version, strlen(version));
	put_space(&w, SIGN_PREFIX - w.at - len);
	put_bytes(&w, purposes[purpose], len);
	put_bytes(&w, hash, spdm_suite_hash(suite));
	return w.at;
}

static EVP_PKEY *private_key(const struct spdm_libcrypto *lib, const uint8_t *der, size_t len)
{
	const struct spdm_part parts[] = {{"private", 7}, {der, len}};
	const uint8_t *p = der;
	uint8_t id[SPDM_HASH];
	EVP_PKEY *key;

	if (!der || len > LONG_MAX || spdm_hash_parts(SPDM_SHA384, parts, 2, id))
		return NULL;
	key = spdm_cache_get(id);
	if (key)
		return key;
	spdm_random_fixed_begin();
	key = d2i_AutoPrivateKey_ex(NULL, &p, (long)len, lib->ctx, NULL);
	spdm_random_fixed_end();
	if (key)
		spdm_cache_put(id, key);
	return key;
}

static int key_curve(EVP_PKEY *key)
{
	char group[32];
	size_t len;

	if (!EVP_PKEY_is_a(key, "EC") ||
		EVP_PKEY_get_group_name(key, group, sizeof(group), &len) != 1)
		return -1;
	for (int id = 0; id < SPDM_CURVES; id++)
		if (OBJ_txt2nid(group) == EC_curve_nist2nid(spdm_curve_row((unsigned int)id)->name))
			return id;
	return -1;
}

bool spdm_key_is(EVP_PKEY *key, unsigned int curve)
{
	return key && key_curve(key) == (int)curve;
}

int spdm_key_curve(const uint8_t *key_der, size_t key_len)
{
	const struct spdm_libcrypto *lib = spdm_libcrypto();
	EVP_PKEY *key = lib ? private_key(lib, key_der, key_len) : NULL;
	int curve = key ? key_curve(key) : -1;

	EVP_PKEY_free(key);
	return curve;
}

int spdm_sign(const struct spdm_suite *suite, const uint8_t *key_der, size_t key_len,
	enum spdm_purpose purpose, const uint8_t hash[SPDM_HASH], uint8_t signature[SPDM_SIG])
{
	const char *md = spdm_hash_row(suite->hash)->name;
	int half = (int)spdm_curve_row(suite->asym)->size;
	const struct spdm_libcrypto *lib = spdm_libcrypto();
	EVP_PKEY *key = lib ? private_key(lib, key_der, key_len) : NULL;
	EVP_MD_CTX *ctx = key ? EVP_MD_CTX_new() : NULL;
	uint8_t message[SIGN_MESSAGE], der[SIGNATURE_DER];
	const uint8_t *p = der;
	size_t len = sizeof(der), message_len;
	ECDSA_SIG *parsed = NULL;
	int rc = -EIO;

	message_len = sign_message(suite, purpose, hash, message);
	if (ctx && EVP_DigestSignInit_ex(ctx, NULL, md, lib->ctx, NULL, key, NULL) == 1 &&
		EVP_DigestSign(ctx, der, &len, message, message_len) == 1)
		parsed = d2i_ECDSA_SIG(NULL, &p, (long)len);
	if (parsed && BN_bn2binpad(ECDSA_SIG_get0_r(parsed), signature, half) > 0 &&
		BN_bn2binpad(ECDSA_SIG_get0_s(parsed), signature + half, half) > 0)
		rc = 0;
	ECDSA_SIG_free(parsed);
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	return rc;
}

/* DER of r||s; its length, or 0. */
static size_t signature_der(const uint8_t *signature, int half, uint8_t out[SIGNATURE_DER])
{
	BIGNUM *r = BN_bin2bn(signature, half, NULL);
	BIGNUM *s = BN_bin2bn(signature + half, half, NULL);
	ECDSA_SIG *parsed = ECDSA_SIG_new();
	uint8_t *p = out;
	int len = 0;

	if (r && s && parsed && ECDSA_SIG_set0(parsed, r, s)) {
		r = s = NULL;
		len = i2d_ECDSA_SIG(parsed, NULL);
		len = len > 0 && len <= (int)SIGNATURE_DER ? i2d_ECDSA_SIG(parsed, &p) : 0;
	}
	ECDSA_SIG_free(parsed);
	BN_free(r);
	BN_free(s);
	return len > 0 ? (size_t)len : 0;
}

int spdm_verify(const struct spdm_suite *suite, EVP_PKEY *key, enum spdm_purpose purpose,
	const uint8_t hash[SPDM_HASH], const uint8_t signature[SPDM_SIG])
{
	const char *md = spdm_hash_row(suite->hash)->name;
	int half = (int)spdm_curve_row(suite->asym)->size;
	const struct spdm_libcrypto *lib = spdm_libcrypto();
	uint8_t message[SIGN_MESSAGE], der[SIGNATURE_DER];
	size_t len = lib ? signature_der(signature, half, der) : 0, message_len;
	EVP_MD_CTX *ctx = len ? EVP_MD_CTX_new() : NULL;
	int rc = -EIO;

	message_len = sign_message(suite, purpose, hash, message);
	spdm_random_fixed_begin();
	if (ctx && EVP_DigestVerifyInit_ex(ctx, NULL, md, lib->ctx, NULL, key, NULL) == 1)
		rc = EVP_DigestVerify(ctx, der, len, message, message_len) == 1 ? 0 : -EACCES;
	spdm_random_fixed_end();
	EVP_MD_CTX_free(ctx);
	return rc;
}
