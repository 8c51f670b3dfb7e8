/* SPDX-License-Identifier: BSD-2-Clause */
/* Keys and certificates as files have them: PEM or DER, ours or somebody else's. */
#include "spdm/crypto.h"

#include "image/bytes.h"

#include <errno.h>
#include <limits.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#define CERTIFICATES 8	/* of a chain */

static int refuse(char *why, size_t len, const char *reason)
{
	snprintf(why, len, "%s", reason);
	return -EINVAL;
}

static bool pem(const void *file, size_t len)
{
	return len > 10 && memmem(file, len, "-----BEGIN", 10);
}

static void certificate_free(X509 *cert)
{
	X509_free(cert);
}

/* The certificates of a file, in its order; NULL: there is none, or one is damaged. */
static STACK_OF(X509) * certificates_read(const void *file, size_t len)
{
	STACK_OF(X509) *certs = sk_X509_new_null();
	BIO *bio = len <= INT_MAX ? BIO_new_mem_buf(file, (int)len) : NULL;
	bool is_pem = pem(file, len);
	X509 *cert = NULL;

	while (certs && bio && !BIO_eof(bio)) {
		cert = is_pem ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : d2i_X509_bio(bio, NULL);
		if (!cert || sk_X509_num(certs) == CERTIFICATES || !sk_X509_push(certs, cert))
			break;
		cert = NULL;
	}
	/* After its last certificate a PEM file may have other text, a DER file nothing. */
	if (!is_pem && bio && !BIO_eof(bio)) {
		sk_X509_pop_free(certs, certificate_free);
		certs = NULL;
	}
	X509_free(cert);
	BIO_free(bio);
	if (certs && sk_X509_num(certs))
		return certs;
	sk_X509_pop_free(certs, certificate_free);
	return NULL;
}

/* SPDM's order is root first; bundles of TLS have it last. */
static void root_first(STACK_OF(X509) * certs)
{
	int n = sk_X509_num(certs);

	if (X509_self_signed(sk_X509_value(certs, 0), 0) == 1 ||
		X509_self_signed(sk_X509_value(certs, n - 1), 0) != 1)
		return;
	for (int i = 0; i < n; i++)
		sk_X509_insert(certs, sk_X509_pop(certs), i);
}

static int no_passphrase(char *buf, int size, int rwflag, void *arg)
{
	(void)buf, (void)size, (void)rwflag, (void)arg;
	return -1;
}

static EVP_PKEY *key_read(const void *file, size_t len)
{
	BIO *bio = len <= INT_MAX ? BIO_new_mem_buf(file, (int)len) : NULL;
	EVP_PKEY *key = NULL;

	if (bio && pem(file, len))
		key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
	else if (bio)
		key = d2i_PrivateKey_bio(bio, NULL);
	BIO_free(bio);
	return key;
}

/* Each certificate by the one before, the first by itself; in time. */
static int chain_check(STACK_OF(X509) * certs, char *why, size_t len)
{
	X509 *root = sk_X509_value(certs, 0);

	if (X509_self_signed(root, 1) != 1)
		return refuse(why, len, "the chain does not begin or end with a self-signed root");
	for (int i = 0; i < sk_X509_num(certs); i++) {
		X509 *cert = sk_X509_value(certs, i), *issuer = sk_X509_value(certs, i ? i - 1 : 0);
		char text[80];
		const char *wrong = NULL;

		if (X509_check_issued(issuer, cert) != X509_V_OK)
			wrong = "is not issued by the one before";
		else if (X509_verify(cert, X509_get0_pubkey(issuer)) != 1)
			wrong = "has a wrong signature";
		else if (X509_cmp_current_time(X509_get0_notBefore(cert)) > 0)
			wrong = "is not valid yet";
		else if (X509_cmp_current_time(X509_get0_notAfter(cert)) < 0)
			wrong = "has expired";
		else if (i < sk_X509_num(certs) - 1 && !X509_check_ca(cert))
			wrong = "is not a CA's, but another follows";
		if (!wrong)
			continue;
		snprintf(text, sizeof(text), "certificate %d of the chain %s", i + 1, wrong);
		return refuse(why, len, text);
	}
	return 0;
}

static int leaf_check(X509 *leaf, EVP_PKEY *key, char *why, size_t len)
{
	bool known = false;

	for (unsigned int curve = 0; curve < SPDM_CURVES; curve++)
		known |= spdm_key_is(key, curve);
	if (!known)
		return refuse(why, len, "the key is not one on P-256 or P-384");
	if (X509_check_private_key(leaf, key) != 1)
		return refuse(why, len, "the key is not that of the chain's leaf");
	if (X509_check_ca(leaf) == 1)
		return refuse(why, len, "the chain's leaf is a CA");
	if (!(X509_get_key_usage(leaf) & X509v3_KU_DIGITAL_SIGNATURE))
		return refuse(why, len, "the chain's leaf may not sign (key usage)");
	return 0;
}

static int chain_write(STACK_OF(X509) * certs, uint8_t *chain, size_t *len)
{
	struct writer w = writer_of(chain, *len);

	for (int i = 0; i < sk_X509_num(certs); i++) {
		int size = i2d_X509(sk_X509_value(certs, i), NULL);
		uint8_t *p = size > 0 ? put_space(&w, (size_t)size) : NULL;

		if (!p || i2d_X509(sk_X509_value(certs, i), &p) != size)
			return -ENOSPC;
	}
	*len = w.at;
	return 0;
}

static int key_write(EVP_PKEY *key, uint8_t *der, size_t *len)
{
	int size = i2d_PrivateKey(key, NULL);

	if (size <= 0 || (size_t)size > *len)
		return -ENOSPC;
	*len = (size_t)i2d_PrivateKey(key, &der);
	return 0;
}

int spdm_identity_read(const struct spdm_file *chain_file, const struct spdm_file *key_file,
	struct spdm_identity_bytes *out, char *why, size_t why_len)
{
	STACK_OF(X509) *certs = certificates_read(chain_file->bytes, chain_file->len);
	EVP_PKEY *key = key_read(key_file->bytes, key_file->len);
	int rc;

	ERR_clear_error();
	out->chain_len = sizeof(out->chain);
	out->key_len = sizeof(out->key);
	if (!certs) {
		rc = refuse(why, why_len, "no chain of certificates is in it, PEM or DER");
		goto free_key;
	}
	root_first(certs);
	rc = key ? chain_check(certs, why, why_len)
		 : refuse(why, why_len, "no private key is in it, PEM or DER, unencrypted");
	if (!rc)
		rc = leaf_check(sk_X509_value(certs, sk_X509_num(certs) - 1), key, why, why_len);
	if (!rc && (chain_write(certs, out->chain, &out->chain_len) ||
			   key_write(key, out->key, &out->key_len)))
		rc = refuse(why, why_len, "the chain is longer than a device keeps");
	sk_X509_pop_free(certs, certificate_free);
free_key:
	EVP_PKEY_free(key);
	ERR_clear_error();
	return rc;
}

int spdm_certificate_read(const struct spdm_file *file, uint8_t *der, size_t *len)
{
	STACK_OF(X509) *certs = certificates_read(file->bytes, file->len);
	int size = certs ? i2d_X509(sk_X509_value(certs, 0), NULL) : -1;
	int rc = size > 0 && (size_t)size <= *len ? 0 : -EINVAL;

	if (!rc)
		*len = (size_t)i2d_X509(sk_X509_value(certs, 0), &der);
	sk_X509_pop_free(certs, certificate_free);
	ERR_clear_error();
	return rc;
}

/* What was written into a memory BIO, as a string of the caller's buffer. */
static int text_of(BIO *bio, char *out, size_t len)
{
	char *text;
	long n = BIO_get_mem_data(bio, &text);

	if (n < 0 || (size_t)n >= len)
		return -ENOSPC;
	memcpy(out, text, (size_t)n);
	out[n] = '\0';
	return 0;
}

int spdm_chain_pem(const uint8_t *chain, size_t chain_len, char *out, size_t len)
{
	STACK_OF(X509) *certs = certificates_read(chain, chain_len);
	BIO *bio = BIO_new(BIO_s_mem());
	int rc = certs && bio ? 0 : -EINVAL;

	for (int i = 0; !rc && i < sk_X509_num(certs); i++)
		rc = PEM_write_bio_X509(bio, sk_X509_value(certs, i)) == 1 ? 0 : -EIO;
	if (!rc)
		rc = text_of(bio, out, len);
	BIO_free(bio);
	sk_X509_pop_free(certs, certificate_free);
	return rc;
}

int spdm_key_pem(const uint8_t *der, size_t der_len, char *out, size_t len)
{
	EVP_PKEY *key = key_read(der, der_len);
	BIO *bio = BIO_new(BIO_s_secmem());
	int rc = -EINVAL;

	if (key && bio && PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1)
		rc = text_of(bio, out, len);
	BIO_free(bio);
	EVP_PKEY_free(key);
	return rc;
}

static void name_text(const X509_NAME *name, char *out, size_t len)
{
	BIO *bio = BIO_new(BIO_s_mem());

	out[0] = '\0';
	if (bio && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) >= 0)
		text_of(bio, out, len);
	BIO_free(bio);
}

static void time_text(const ASN1_TIME *time, char *out, size_t len)
{
	struct tm tm;

	out[0] = '\0';
	if (ASN1_TIME_to_tm(time, &tm) == 1)
		strftime(out, len, "%Y-%m-%d", &tm);
}

int spdm_chain_describe(
	const uint8_t *chain, size_t len, struct spdm_certificate_info *out, unsigned int room)
{
	STACK_OF(X509) *certs = certificates_read(chain, len);
	int n = certs ? sk_X509_num(certs) : 0;

	for (int i = 0; i < n && i < (int)room; i++) {
		X509 *cert = sk_X509_value(certs, i);
		size_t group_len;

		name_text(X509_get_subject_name(cert), out[i].subject, sizeof(out[i].subject));
		name_text(X509_get_issuer_name(cert), out[i].issuer, sizeof(out[i].issuer));
		time_text(X509_get0_notBefore(cert), out[i].from, sizeof(out[i].from));
		time_text(X509_get0_notAfter(cert), out[i].to, sizeof(out[i].to));
		if (EVP_PKEY_get_group_name(X509_get0_pubkey(cert), out[i].key, sizeof(out[i].key),
			    &group_len) != 1)
			out[i].key[0] = '\0';
	}
	sk_X509_pop_free(certs, certificate_free);
	ERR_clear_error();
	return n;
}
