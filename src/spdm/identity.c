/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Makes a device's certificates, as its vendor would: root, intermediate, leaf, all on one curve,
 * with the extensions SPDM asks of a leaf (DSP0274 1.2, certificate requirements).
 */
#include "spdm/crypto.h"

#include "image/bytes.h"
#include "image/image.h"

#include <errno.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#define SERIAL_BYTES 16u
#define NAME_MAX_LEN 48
#define OID_DEVICE_INFO "1.3.6.1.4.1.412.274.1"	   /* subjectAltName: manufacturer:product:serial */
#define OID_RESPONDER_AUTH "1.3.6.1.4.1.412.274.3" /* extended key usage */
#define VALID_FROM "20240101000000Z"
#define VALID_TO "99991231235959Z" /* RFC 5280: no date is known */

enum { LEVEL_ROOT, LEVEL_INTERMEDIATE, LEVEL_LEAF, LEVELS };

struct level {
	const char *suffix;
	const char *constraints, *usage;
};

static const struct level levels[LEVELS] = {
	[LEVEL_ROOT] = {"root CA", "critical,CA:TRUE,pathlen:1", "critical,keyCertSign,cRLSign"},
	[LEVEL_INTERMEDIATE] = {"device CA", "critical,CA:TRUE,pathlen:0",
		"critical,keyCertSign,cRLSign"},
	[LEVEL_LEAF] = {"SPDM responder", "critical,CA:FALSE",
		"critical,digitalSignature,nonRepudiation,keyAgreement"},
};

struct identity {
	const struct spdm_libcrypto *lib;
	const char *name;
	const char *curve; /* libcrypto's name */
	EVP_PKEY *keys[LEVELS];
	X509 *certs[LEVELS];
};

static bool name_set(X509_NAME *to, const struct identity *id, int level)
{
	char common[NAME_MAX_LEN + 16];

	snprintf(common, sizeof(common), "%.*s %s", NAME_MAX_LEN - 1, id->name,
		levels[level].suffix);
	return X509_NAME_add_entry_by_txt(
		       to, "O", MBSTRING_UTF8, (const uint8_t *)"swtio", -1, -1, 0) &&
	       X509_NAME_add_entry_by_txt(
		       to, "CN", MBSTRING_UTF8, (const uint8_t *)common, -1, -1, 0);
}

static bool serial_set(X509 *cert)
{
	uint8_t bytes[SERIAL_BYTES];
	BIGNUM *bn;
	bool ok;

	if (spdm_random(bytes, sizeof(bytes)))
		return false;
	bytes[0] = (uint8_t)((bytes[0] & 0x7f) | 0x40); /* positive, of constant length */
	bn = BN_bin2bn(bytes, sizeof(bytes), NULL);
	ok = bn && BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(cert));
	BN_free(bn);
	return ok;
}

static bool extension_add(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509_EXTENSION *extension;
	X509V3_CTX ctx;
	bool ok;

	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	ok = extension && X509_add_ext(cert, extension, -1);
	X509_EXTENSION_free(extension);
	return ok;
}

/* Not through a configuration string: the name may hold what has a meaning there. */
static bool device_info_add(X509 *cert, const char *name)
{
	GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
	ASN1_OBJECT *oid = OBJ_txt2obj(OID_DEVICE_INFO, 1);
	ASN1_UTF8STRING *text = ASN1_UTF8STRING_new();
	GENERAL_NAME *entry = GENERAL_NAME_new();
	ASN1_TYPE *value = ASN1_TYPE_new();
	char info[NAME_MAX_LEN + 32];
	bool ok = false;

	snprintf(info, sizeof(info), "swtio:%.*s:0", NAME_MAX_LEN - 1, name);
	if (!names || !oid || !text || !entry || !value || !ASN1_STRING_set(text, info, -1))
		goto free_parts;
	ASN1_TYPE_set(value, V_ASN1_UTF8STRING, text);
	text = NULL;
	if (!GENERAL_NAME_set0_othername(entry, oid, value))
		goto free_parts;
	oid = NULL;
	value = NULL;
	if (!sk_GENERAL_NAME_push(names, entry))
		goto free_parts;
	entry = NULL;
	ok = X509_add1_ext_i2d(cert, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT) == 1;
free_parts:
	ASN1_TYPE_free(value);
	GENERAL_NAME_free(entry);
	ASN1_UTF8STRING_free(text);
	ASN1_OBJECT_free(oid);
	GENERAL_NAMES_free(names);
	return ok;
}

static bool extensions_add(const struct identity *id, int level)
{
	X509 *cert = id->certs[level], *issuer = id->certs[level == LEVEL_ROOT ? level : level - 1];

	return extension_add(cert, issuer, NID_basic_constraints, levels[level].constraints) &&
	       extension_add(cert, issuer, NID_key_usage, levels[level].usage) &&
	       extension_add(cert, issuer, NID_subject_key_identifier, "hash") &&
	       extension_add(cert, issuer, NID_authority_key_identifier, "keyid:always") &&
	       (level != LEVEL_LEAF ||
		       (extension_add(cert, issuer, NID_ext_key_usage, OID_RESPONDER_AUTH) &&
			       device_info_add(cert, id->name)));
}

static bool level_make(struct identity *id, int level)
{
	int above = level == LEVEL_ROOT ? level : level - 1;
	X509 *cert = id->certs[level] = X509_new_ex(id->lib->ctx, NULL);

	id->keys[level] = EVP_PKEY_Q_keygen(id->lib->ctx, NULL, "EC", id->curve);
	return cert && id->keys[level] && X509_set_version(cert, X509_VERSION_3) &&
	       serial_set(cert) && name_set(X509_get_subject_name(cert), id, level) &&
	       X509_set_issuer_name(cert, X509_get_subject_name(id->certs[above])) &&
	       ASN1_TIME_set_string(X509_getm_notBefore(cert), VALID_FROM) &&
	       ASN1_TIME_set_string(X509_getm_notAfter(cert), VALID_TO) &&
	       X509_set_pubkey(cert, id->keys[level]) && extensions_add(id, level) &&
	       X509_sign(cert, id->keys[above], id->lib->md[SPDM_SHA384]) > 0;
}

static int certificate_put(struct writer *w, X509 *cert)
{
	int len = i2d_X509(cert, NULL);
	uint8_t *p = len > 0 ? put_space(w, (size_t)len) : NULL;

	if (len <= 0)
		return -EIO;
	if (!p)
		return -ENOSPC;
	return i2d_X509(cert, &p) == len ? 0 : -EIO;
}

static int key_put(struct writer *w, EVP_PKEY *key)
{
	int len = i2d_PrivateKey(key, NULL);
	uint8_t *p = len > 0 ? put_space(w, (size_t)len) : NULL;

	if (len <= 0)
		return -EIO;
	if (!p)
		return -ENOSPC;
	return i2d_PrivateKey(key, &p) == len ? 0 : -EIO;
}

static int identity_make(
	struct identity *id, struct writer *chain, struct writer *key, struct writer *anchor)
{
	int rc = 0;

	for (int level = 0; level < LEVELS; level++)
		if (!level_make(id, level))
			return -EIO;
	for (int level = 0; level < LEVELS && !rc; level++)
		rc = certificate_put(chain, id->certs[level]);
	if (!rc)
		rc = key_put(key, id->keys[LEVEL_LEAF]);
	if (!rc)
		rc = certificate_put(anchor, id->certs[LEVEL_ROOT]);
	return rc;
}

int spdm_make_identity(const char *name, enum spdm_curve_id curve, uint8_t *chain,
	size_t *chain_len, uint8_t *key, size_t *key_len, uint8_t *anchor, size_t *anchor_len)
{
	struct identity id = {.lib = spdm_libcrypto(),
		.name = name,
		.curve = spdm_curve_row(curve)->name};
	struct writer to_chain = writer_of(chain, *chain_len), to_key = writer_of(key, *key_len);
	struct writer to_anchor = writer_of(anchor, *anchor_len);
	int rc;

	if (!image_present())
		return -ENODEV;
	if (!id.lib)
		return -EIO;
	ERR_set_mark();
	rc = identity_make(&id, &to_chain, &to_key, &to_anchor);
	for (int level = 0; level < LEVELS; level++) {
		X509_free(id.certs[level]);
		EVP_PKEY_free(id.keys[level]);
	}
	ERR_pop_to_mark();
	if (rc)
		return rc;
	*chain_len = to_chain.at;
	*key_len = to_key.at;
	*anchor_len = to_anchor.at;
	return 0;
}
