/* SPDX-License-Identifier: BSD-2-Clause */
/* Certificate chains as SPDM carries them: length u16, reserved u16, root hash, DER root..leaf. */
#include "spdm/chain.h"
#include "spdm/context.h"

#include "image/bytes.h"

#include <errno.h>
#include <limits.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

#define CHAIN_DEPTH 8 /* certificates we look at */

static X509 *certificate_parse(const struct spdm_libcrypto *lib, struct reader *r)
{
	X509 *cert = X509_new_ex(lib->ctx, NULL);
	const uint8_t *p = r->p + r->at;

	if (!cert)
		return NULL;
	if (!d2i_X509(&cert, &p, (long)(r->len - r->at))) {
		X509_free(cert); /* set to NULL by libcrypto when it freed it */
		return NULL;
	}
	r->at = (size_t)(p - r->p);
	return cert;
}

size_t spdm_certificate_size(const uint8_t *der, size_t len)
{
	const uint8_t *p = der;
	int tag, class;
	long body;

	if (!der || len > LONG_MAX)
		return 0;
	if (ASN1_get_object(&p, &body, &tag, &class, (long)len) != V_ASN1_CONSTRUCTED ||
		tag != V_ASN1_SEQUENCE || class != V_ASN1_UNIVERSAL)
		return 0;
	return (size_t)(p - der) + (size_t)body;
}

/* The path libcrypto found must use every certificate, in the chain's own order. */
static bool path_in_order(X509_STORE_CTX *verify, STACK_OF(X509) * certs, X509 *anchor)
{
	STACK_OF(X509) *path = X509_STORE_CTX_get0_chain(verify);
	int count = sk_X509_num(certs), len = sk_X509_num(path);
	bool with_root = !X509_cmp(sk_X509_value(certs, 0), anchor);

	if (len != count + (with_root ? 0 : 1) || X509_cmp(sk_X509_value(path, len - 1), anchor))
		return false;
	for (int i = 0; i < count; i++)
		if (X509_cmp(sk_X509_value(certs, i), sk_X509_value(path, count - 1 - i)))
			return false;
	return true;
}

static int path_verify(const struct spdm_libcrypto *lib, X509 *anchor, STACK_OF(X509) * certs)
{
	X509 *leaf = sk_X509_value(certs, sk_X509_num(certs) - 1);
	X509_STORE_CTX *verify = X509_STORE_CTX_new_ex(lib->ctx, NULL);
	X509_STORE *store = X509_STORE_new();
	X509_VERIFY_PARAM *param;
	int rc = -EIO;

	if (!verify || !store || !X509_STORE_add_cert(store, anchor) ||
		!X509_STORE_CTX_init(verify, store, leaf, certs))
		goto free_store;
	param = X509_STORE_CTX_get0_param(verify);
	X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_NO_CHECK_TIME);
	X509_VERIFY_PARAM_set_depth(param, CHAIN_DEPTH);
	rc = X509_verify_cert(verify) == 1 && path_in_order(verify, certs, anchor) ? 0 : -EACCES;
free_store:
	X509_STORE_CTX_free(verify);
	X509_STORE_free(store);
	return rc;
}

/* A chain as it came, and what it must end at. */
struct spdm_trust {
	const uint8_t *anchor;
	size_t anchor_len;
	const uint8_t *blob;
	size_t len;
};

static void certificate_free(X509 *cert)
{
	X509_free(cert);
}

/* Root hash and certificates of the blob. */
static int chain_parse(const struct spdm_suite *suite, const struct spdm_trust *trust,
	STACK_OF(X509) * certs)
{
	const struct spdm_libcrypto *lib = spdm_libcrypto();
	struct reader r = reader_of(trust->blob, trust->len);
	size_t hash = spdm_suite_hash(suite);
	uint8_t digest[SPDM_HASH];
	const uint8_t *root_hash;
	bool total_ok = get_le16(&r) == trust->len;
	bool reserved_ok = get_le16(&r) == 0;

	root_hash = get_bytes(&r, hash);
	if (!root_hash || !total_ok || !reserved_ok || !reader_left(&r))
		return -EBADMSG;
	if (spdm_hash(suite->hash, trust->anchor, trust->anchor_len, digest))
		return -EIO;
	if (!spdm_equal(digest, root_hash, hash))
		return -EACCES;
	while (reader_left(&r)) {
		X509 *cert = sk_X509_num(certs) < CHAIN_DEPTH ? certificate_parse(lib, &r) : NULL;

		if (!cert)
			return -EBADMSG;
		if (!sk_X509_push(certs, cert)) {
			X509_free(cert);
			return -EIO;
		}
	}
	return 0;
}

static int chain_check(
	const struct spdm_suite *suite, const struct spdm_trust *trust, EVP_PKEY **leaf)
{
	const struct spdm_libcrypto *lib = spdm_libcrypto();
	struct reader r = reader_of(trust->anchor, trust->anchor_len);
	STACK_OF(X509) *certs = sk_X509_new_null();
	X509 *root = trust->anchor_len ? certificate_parse(lib, &r) : NULL;
	EVP_PKEY *key;
	int rc = -EACCES;

	if (!root || !certs || reader_left(&r))
		goto free_certs;
	rc = chain_parse(suite, trust, certs);
	if (!rc)
		rc = path_verify(lib, root, certs);
	if (rc)
		goto free_certs;
	key = X509_get0_pubkey(sk_X509_value(certs, sk_X509_num(certs) - 1));
	rc = spdm_key_is(key, suite->asym) && EVP_PKEY_up_ref(key) ? 0 : -EACCES;
	if (!rc)
		*leaf = key;
free_certs:
	sk_X509_pop_free(certs, certificate_free);
	X509_free(root);
	return rc;
}

int spdm_chain_verify(const struct spdm_suite *suite, const uint8_t *anchor, size_t anchor_len,
	const uint8_t *blob, size_t len, EVP_PKEY **leaf)
{
	const struct spdm_trust trust = {anchor, anchor_len, blob, len};
	const struct spdm_libcrypto *lib = spdm_libcrypto();
	const uint64_t split = anchor_len;
	const struct spdm_part parts[] = {
		{"chain", 5}, {&suite->hash, 1},
		{&suite->asym, 1}, {&split, sizeof(split)}, {anchor, anchor_len}, {blob, len}};
	uint8_t id[SPDM_HASH];
	int rc;

	if (!lib || spdm_hash_parts(SPDM_SHA384, parts, sizeof(parts) / sizeof(*parts), id))
		return -EIO;
	*leaf = spdm_cache_get(id);
	if (*leaf)
		return 0;
	spdm_random_fixed_begin();
	rc = chain_check(suite, &trust, leaf);
	spdm_random_fixed_end();
	if (!rc)
		spdm_cache_put(id, *leaf);
	return rc;
}

/* The chain does not say what was agreed on when it was fetched, but only one suite fits. */
int spdm_chain_key(const uint8_t *chain, size_t len, uint8_t point[SPDM_KEY_POINT])
{
	int rc = -EBADMSG;

	for (unsigned int i = 0; i < SPDM_HASHES * SPDM_CURVES; i++) {
		const struct spdm_suite suite = {.hash = (uint8_t)(i / SPDM_CURVES),
			.asym = (uint8_t)(i % SPDM_CURVES)};
		size_t head = SPDM_CHAIN_HEADER + spdm_suite_hash(&suite);
		EVP_PKEY *key;

		if (len <= head)
			continue;
		rc = spdm_chain_verify(&suite, chain + head,
			spdm_certificate_size(chain + head, len - head), chain, len, &key);
		if (rc)
			continue;
		rc = spdm_key_point(key, suite.asym, point);
		EVP_PKEY_free(key);
		return rc;
	}
	return rc;
}
