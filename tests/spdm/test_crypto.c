/* SPDX-License-Identifier: BSD-2-Clause */
/* Known answers: FIPS 180-4, RFC 4231, the GCM specification's test case 16; and what has no
 * published vector against libcrypto's other ways to the same result. */
#include "pair.h"
#include "spdm/responder.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

/* 1.2 with SHA-384 and P-384. */
static const struct spdm_suite suite_12;

static size_t unhex(const char *hex, uint8_t *out)
{
	size_t n = strlen(hex) / 2;

	for (size_t i = 0; i < n; i++) {
		unsigned int byte;

		assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
		out[i] = (uint8_t)byte;
	}
	return n;
}

static void assert_hex(const uint8_t *bytes, const char *hex)
{
	uint8_t expected[256];
	size_t n = unhex(hex, expected);

	assert_memory_equal(bytes, expected, n);
}

static int with_image(void **state)
{
	const struct image_opts opts = {.size = sizeof(opts), .seed = 7};

	(void)state;
	return image_create(&opts);
}

static int without_image(void **state)
{
	(void)state;
	image_detach();
	return 0;
}

static void sha384_of_abc(void **state)
{
	const struct spdm_part parts[] = {{"a", 1}, {"", 0}, {"bc", 2}};
	uint8_t digest[SPDM_HASH];

	(void)state;
	assert_int_equal(spdm_hash_parts(SPDM_SHA384, parts, 3, digest), 0);
	assert_hex(digest, "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
			   "8086072ba1e7cc2358baeca134c825a7");
}

/* RFC 4231 case 2: the key "Jefe"; HMAC fills keys with zeroes, so ours of 48 bytes is the same. */
static void hmac_rfc4231(void **state)
{
	const uint8_t key[SPDM_HASH] = "Jefe";
	const char text[] = "what do ya want for nothing?";
	uint8_t mac[SPDM_HASH];

	(void)state;
	assert_int_equal(spdm_hmac(SPDM_SHA384, key, text, strlen(text), mac), 0);
	assert_hex(mac, "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e"
			"8e2240ca5e69e2c78b3239ecfab21649");
}

static void raw_hmac(
	const uint8_t *key, size_t key_len, const uint8_t *data, size_t len, uint8_t *out)
{
	unsigned int n = SPDM_HASH;

	assert_non_null(HMAC(EVP_sha384(), key, (int)key_len, data, len, out, &n));
}

/* RFC 5869 2.2 and 2.3 written out. */
static void hkdf_is_rfc5869(void **state)
{
	uint8_t salt[SPDM_HASH], ikm[77], info[90], block[SPDM_HASH + sizeof(info) + 1];
	uint8_t prk[SPDM_HASH], expected[2 * SPDM_HASH], out[2 * SPDM_HASH];

	(void)state;
	for (size_t i = 0; i < sizeof(ikm); i++)
		ikm[i] = (uint8_t)(3 * i);
	memset(salt, 0xa5, sizeof(salt));
	memset(info, 0x3c, sizeof(info));
	raw_hmac(salt, sizeof(salt), ikm, sizeof(ikm), expected);
	assert_int_equal(spdm_hkdf_extract(SPDM_SHA384, salt, ikm, sizeof(ikm), prk), 0);
	assert_memory_equal(prk, expected, SPDM_HASH);

	memcpy(block, info, sizeof(info));
	block[sizeof(info)] = 1;
	raw_hmac(prk, SPDM_HASH, block, sizeof(info) + 1, expected);
	memcpy(block, expected, SPDM_HASH);
	memcpy(block + SPDM_HASH, info, sizeof(info));
	block[SPDM_HASH + sizeof(info)] = 2;
	raw_hmac(prk, SPDM_HASH, block, sizeof(block), expected + SPDM_HASH);
	assert_int_equal(spdm_hkdf_expand(SPDM_SHA384, prk, info, sizeof(info), out, sizeof(out)), 0);
	assert_memory_equal(out, expected, sizeof(out));
	assert_int_equal(spdm_hkdf_expand(SPDM_SHA384, prk, info, sizeof(info), out, 12), 0);
	assert_memory_equal(out, expected, 12);
}

static void gcm_test_case_16(void **state)
{
	uint8_t key[SPDM_KEY], iv[SPDM_IV], aad[20], plain[60], cipher[60], tag[SPDM_TAG], back[60];

	(void)state;
	unhex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", key);
	unhex("cafebabefacedbaddecaf888", iv);
	unhex("feedfacedeadbeeffeedfacedeadbeefabaddad2", aad);
	unhex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
	      "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
		plain);
	assert_int_equal(
		spdm_gcm_seal(key, iv, aad, sizeof(aad), plain, sizeof(plain), cipher, tag), 0);
	assert_hex(cipher, "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
			   "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662");
	assert_hex(tag, "76fc6ece0f4e1768cddf8853bb2d551b");
	assert_int_equal(
		spdm_gcm_open(key, iv, aad, sizeof(aad), cipher, sizeof(cipher), tag, back), 0);
	assert_memory_equal(back, plain, sizeof(plain));
	tag[15] ^= 1;
	assert_int_equal(
		spdm_gcm_open(key, iv, aad, sizeof(aad), cipher, sizeof(cipher), tag, back),
		-EACCES);
}

/* RFC 5903 8.2: the 384-bit random ECP group. */
static void ecdh_rfc5903(void **state)
{
	uint8_t i[SPDM_SCALAR], gi[SPDM_DHE], gr[SPDM_DHE], secret[SPDM_SCALAR];

	(void)state;
	unhex("099f3c7034d4a2c699884d73a375a67f7624ef7c6b3c0f160647b67414dce655"
	      "e35b538041e649ee3faef896783ab194",
		i);
	unhex("667842d7d180ac2cde6f74f37551f55755c7645c20ef73e31634fe72b4c55ee6"
	      "de3ac808acb4bdb4c88732aee95f41aa"
	      "9482ed1fc0eeb9cafc4984625ccfc23f65032149e0e144ada024181535a0f38e"
	      "eb9fcff3c2c947dae69b4c634573a81c",
		gi);
	unhex("e558dbef53eecde3d3fccfc1aea08a89a987475d12fd950d83cfa41732bc509d"
	      "0d1ac43a0336def96fda41d0774a3571"
	      "dcfbec7aacf3196472169e838430367f66eebe3c6e70c416dd5f0c68759dd1ff"
	      "f83fa40142209dff5eaad96db9e6386c",
		gr);
	assert_int_equal(spdm_ecdh_derive(SPDM_P384, i, gi, gr, secret), 0);
	assert_hex(secret, "11187331c279962d93d604243fd592cb9d0a926f422e47187521287e7156c5c4"
			   "d603135569b9e9d09cf5d4a270f59746");
	gr[0] ^= 1;
	assert_int_equal(spdm_ecdh_derive(SPDM_P384, i, gi, gr, secret), -EBADMSG);
	memset(gr, 0, sizeof(gr));
	assert_int_equal(spdm_ecdh_derive(SPDM_P384, i, gi, gr, secret), -EBADMSG);
}

static void ecdh_both_ends_agree(void **state)
{
	uint8_t a[SPDM_SCALAR], ga[SPDM_DHE], b[SPDM_SCALAR], gb[SPDM_DHE];
	uint8_t ab[SPDM_SCALAR], ba[SPDM_SCALAR];

	(void)state;
	assert_int_equal(spdm_ecdh_make(SPDM_P384, a, ga), 0);
	assert_int_equal(spdm_ecdh_make(SPDM_P384, b, gb), 0);
	assert_memory_not_equal(a, b, SPDM_SCALAR);
	assert_int_equal(spdm_ecdh_derive(SPDM_P384, a, ga, gb, ab), 0);
	assert_int_equal(spdm_ecdh_derive(SPDM_P384, b, gb, ga, ba), 0);
	assert_memory_equal(ab, ba, SPDM_SCALAR);
}

/* The signature checked by libcrypto's default context over a message built here. */
static void signature_covers_prefix_and_hash(void **state)
{
	static const char context[] = "responder-key_exchange_rsp signing";
	uint8_t message[100 + SPDM_HASH] = {0}, hash[SPDM_HASH], sig[SPDM_SIG], der[128], *to = der;
	struct pair *pair = malloc(sizeof(*pair));
	const uint8_t *p;
	ECDSA_SIG *parsed = ECDSA_SIG_new();
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	EVP_PKEY *key;
	int len;

	(void)state;
	pair_setup(pair, 3);
	p = pair->key;
	memset(hash, 0x77, sizeof(hash));
	assert_int_equal(spdm_sign(&suite_12, pair->key, pair->key_len, SPDM_SIGN_KEY_EXCHANGE,
				 hash, sig),
		0);
	for (int i = 0; i < 4; i++)
		memcpy(message + 16 * i, "dmtf-spdm-v1.2.*", 16);
	memcpy(message + 100 - strlen(context), context, strlen(context));
	memcpy(message + 100, hash, sizeof(hash));
	key = d2i_AutoPrivateKey(NULL, &p, (long)pair->key_len);
	ECDSA_SIG_set0(parsed, BN_bin2bn(sig, 48, NULL), BN_bin2bn(sig + 48, 48, NULL));
	len = i2d_ECDSA_SIG(parsed, &to);
	assert_int_equal(EVP_DigestVerifyInit(md, NULL, EVP_sha384(), NULL, key), 1);
	assert_int_equal(EVP_DigestVerify(md, der, (size_t)len, message, sizeof(message)), 1);
	assert_int_equal(spdm_verify(&suite_12, key, SPDM_SIGN_KEY_EXCHANGE, hash, sig), 0);
	assert_int_equal(spdm_verify(&suite_12, key, SPDM_SIGN_CHALLENGE, hash, sig), -EACCES);
	hash[0] ^= 1;
	assert_int_equal(spdm_verify(&suite_12, key, SPDM_SIGN_KEY_EXCHANGE, hash, sig), -EACCES);
	memset(sig, 0, sizeof(sig));
	assert_int_equal(spdm_verify(&suite_12, key, SPDM_SIGN_KEY_EXCHANGE, hash, sig), -EACCES);
	EVP_PKEY_free(key);
	EVP_MD_CTX_free(md);
	ECDSA_SIG_free(parsed);
	free(pair);
}

/* The default context's generator is left alone: two draws in the same image state differ. */
static void randomness_is_the_images(void **state)
{
	uint8_t a[32], b[32], c[32], d[32];

	(void)state;
	assert_int_equal(spdm_random(a, sizeof(a)), 0);
	assert_int_equal(RAND_bytes(c, sizeof(c)), 1);
	image_detach();
	assert_int_equal(spdm_random(b, sizeof(b)), -ENODEV);
	with_image(NULL);
	assert_int_equal(spdm_random(b, sizeof(b)), 0);
	assert_int_equal(RAND_bytes(d, sizeof(d)), 1);
	assert_memory_equal(a, b, sizeof(a));
	assert_memory_not_equal(c, d, sizeof(c));
}

/* A hit and a miss of the key cache leave the image's generator at the same place. */
static void caches_do_not_show(void **state)
{
	uint8_t after[2][32], sig[2][SPDM_SIG], blob[SPDM_CHAIN_MAX], hash[SPDM_HASH] = {1};
	struct pair *pair = malloc(sizeof(*pair));
	EVP_PKEY *leaf;
	size_t len;

	(void)state;
	for (int round = 0; round < 2; round++) {
		pair_setup(pair, 99);
		len = rsp_chain_blob(&suite_12, &pair->identity, blob);
		assert_int_equal(
			spdm_chain_verify(&suite_12, pair->anchor, pair->anchor_len, blob, len, &leaf), 0);
		EVP_PKEY_free(leaf);
		assert_int_equal(
			spdm_sign(&suite_12, pair->key, pair->key_len, SPDM_SIGN_CHALLENGE, hash, sig[round]),
			0);
		spdm_random(after[round], sizeof(after[round]));
	}
	assert_memory_equal(sig[0], sig[1], SPDM_SIG);
	assert_memory_equal(after[0], after[1], sizeof(after[0]));
	free(pair);
}

static X509 *next_certificate(const uint8_t **p, const uint8_t *end)
{
	return d2i_X509(NULL, p, end - *p);
}

/* The chain as another program sees it: libcrypto's default context, strict rules. */
static void identity_is_a_proper_chain(void **state)
{
	struct pair *pair = malloc(sizeof(*pair));
	const uint8_t *p, *end;
	X509 *certs[3];

	(void)state;
	pair_setup(pair, 11);
	p = pair->chain;
	end = p + pair->chain_len;
	for (int i = 0; i < 3; i++) {
		certs[i] = next_certificate(&p, end);
		assert_non_null(certs[i]);
		assert_int_equal(X509_get_version(certs[i]), X509_VERSION_3);
		assert_int_equal(X509_verify(certs[i], X509_get0_pubkey(certs[i ? i - 1 : 0])), 1);
		assert_int_equal(X509_check_issued(certs[i ? i - 1 : 0], certs[i]), X509_V_OK);
		assert_int_equal(!!X509_check_ca(certs[i]), i < 2);
		assert_non_null(X509_get0_subject_key_id(certs[i]));
		assert_non_null(X509_get0_authority_key_id(certs[i]));
	}
	assert_ptr_equal(p, end);
	assert_int_equal(X509_get_key_usage(certs[2]) & X509v3_KU_DIGITAL_SIGNATURE,
		X509v3_KU_DIGITAL_SIGNATURE);
	assert_true(X509_get_ext_by_NID(certs[2], NID_subject_alt_name, -1) >= 0);
	assert_true(X509_get_ext_by_NID(certs[2], NID_ext_key_usage, -1) >= 0);
	p = pair->key;
	EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &p, (long)pair->key_len);
	assert_int_equal(X509_check_private_key(certs[2], key), 1);
	assert_int_equal(pair->anchor_len, spdm_certificate_size(pair->chain, pair->chain_len));
	assert_memory_equal(pair->anchor, pair->chain, pair->anchor_len);
	EVP_PKEY_free(key);
	for (int i = 0; i < 3; i++)
		X509_free(certs[i]);
	free(pair);
}

static void identity_needs_room(void **state)
{
	uint8_t chain[64], key[64], anchor[64];
	size_t chain_len = sizeof(chain), key_len = sizeof(key), anchor_len = sizeof(anchor);

	(void)state;
	assert_int_equal(
		spdm_make_identity("x", SPDM_P384, chain, &chain_len, key, &key_len, anchor, &anchor_len),
		-ENOSPC);
	image_detach();
	assert_int_equal(
		spdm_make_identity("x", SPDM_P384, chain, &chain_len, key, &key_len, anchor, &anchor_len),
		-ENODEV);
	with_image(NULL);
}

#define TEST(name, fn)                                                                             \
	{                                                                                          \
		name, fn, with_image, without_image, NULL                                          \
	}
int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST("R6.4 SHA-384 of abc is FIPS 180-4's", sha384_of_abc),
		TEST("R6.4 HMAC is RFC 4231's", hmac_rfc4231),
		TEST("R6.4 HKDF is RFC 5869's", hkdf_is_rfc5869),
		TEST("R6.4 AES-256-GCM is test case 16's", gcm_test_case_16),
		TEST("R6.4 ECDH is RFC 5903's, and refuses points off the curve", ecdh_rfc5903),
		TEST("R6.4 ECDH agrees at both ends", ecdh_both_ends_agree),
		TEST("R6.4 signatures cover version, purpose and hash",
			signature_covers_prefix_and_hash),
		TEST("R7.3 random numbers are the image's, and none without it",
			randomness_is_the_images),
		TEST("R7.3 key caches do not show in the image", caches_do_not_show),
		TEST("R6.4 an identity is a proper chain", identity_is_a_proper_chain),
		TEST("R6.4 an identity needs room and an image", identity_needs_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
