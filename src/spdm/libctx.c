/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Our libcrypto library context and the RAND provider in it. The provider has no state: every byte
 * comes from image_random(), so that restoring an image restores the random numbers too.
 */
#include "spdm/crypto.h"

#include "image/image.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <string.h>

#define RAND_NAME "IMAGE-RAND"
#define RAND_PROVIDER "swtio"
#define RAND_PROPERTIES "provider=" RAND_PROVIDER
#define RAND_STRENGTH 256
#define RAND_MAX_REQUEST (1u << 16)

static struct spdm_libcrypto libcrypto;
static pthread_once_t libcrypto_once = PTHREAD_ONCE_INIT;
static _Thread_local struct {
	bool on;
	uint64_t state;
} fixed;

struct rand_context {
	int state;
}; /* EVP_RAND_STATE_* */

void spdm_random_fixed_begin(void)
{
	fixed.on = true;
	fixed.state = 0;
}

void spdm_random_fixed_end(void)
{
	fixed.on = false;
}

/* splitmix64: only has to differ from draw to draw. */
static void fixed_fill(uint8_t *out, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		uint64_t z = (fixed.state += 0x9e3779b97f4a7c15u);

		z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
		z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
		out[i] = (uint8_t)(z >> 32);
	}
}

static void *rand_newctx(void *provider, void *parent, const OSSL_DISPATCH *calls)
{
	struct rand_context *rand = OPENSSL_zalloc(sizeof(*rand));

	(void)provider, (void)parent, (void)calls;
	if (rand)
		rand->state = EVP_RAND_STATE_UNINITIALISED;
	return rand;
}

static void rand_freectx(void *rand)
{
	OPENSSL_free(rand);
}

static int rand_instantiate(void *context, unsigned int strength, int resistance,
	const unsigned char *pers, size_t pers_len, const OSSL_PARAM params[])
{
	struct rand_context *rand = context;

	(void)resistance, (void)pers, (void)pers_len, (void)params;
	if (strength > RAND_STRENGTH)
		return 0;
	rand->state = EVP_RAND_STATE_READY;
	return 1;
}

static int rand_uninstantiate(void *context)
{
	struct rand_context *rand = context;

	rand->state = EVP_RAND_STATE_UNINITIALISED;
	return 1;
}

static int rand_generate(void *context, unsigned char *out, size_t len, unsigned int strength,
	int resistance, const unsigned char *extra, size_t extra_len)
{
	(void)context, (void)resistance, (void)extra, (void)extra_len;
	if (strength > RAND_STRENGTH)
		return 0;
	if (fixed.on) {
		fixed_fill(out, len);
		return 1;
	}
	if (!image_present())
		return 0;
	image_random(out, len);
	return 1;
}

static int rand_lock(void *context)
{
	(void)context;
	return 1; /* stateless: nothing to guard */
}

static void rand_unlock(void *context)
{
	(void)context;
}

static const OSSL_PARAM *rand_gettable(void *context, void *provider)
{
	static const OSSL_PARAM known[] = {OSSL_PARAM_int(OSSL_RAND_PARAM_STATE, NULL),
		OSSL_PARAM_uint(OSSL_RAND_PARAM_STRENGTH, NULL),
		OSSL_PARAM_size_t(OSSL_RAND_PARAM_MAX_REQUEST, NULL), OSSL_PARAM_END};

	(void)context, (void)provider;
	return known;
}

static int rand_get_params(void *context, OSSL_PARAM params[])
{
	const struct rand_context *rand = context;
	OSSL_PARAM *p = OSSL_PARAM_locate(params, OSSL_RAND_PARAM_STATE);

	if (p && !OSSL_PARAM_set_int(p, rand->state))
		return 0;
	p = OSSL_PARAM_locate(params, OSSL_RAND_PARAM_STRENGTH);
	if (p && !OSSL_PARAM_set_uint(p, RAND_STRENGTH))
		return 0;
	p = OSSL_PARAM_locate(params, OSSL_RAND_PARAM_MAX_REQUEST);
	return !p || OSSL_PARAM_set_size_t(p, RAND_MAX_REQUEST);
}

#define CALL(id, fn)                                                                               \
	{                                                                                          \
		OSSL_FUNC_RAND_##id, (void (*)(void))(fn)                                          \
	}
static const OSSL_DISPATCH rand_calls[] = {CALL(NEWCTX, rand_newctx), CALL(FREECTX, rand_freectx),
	CALL(INSTANTIATE, rand_instantiate), CALL(UNINSTANTIATE, rand_uninstantiate),
	CALL(GENERATE, rand_generate), CALL(ENABLE_LOCKING, rand_lock), CALL(LOCK, rand_lock),
	CALL(UNLOCK, rand_unlock), CALL(GETTABLE_CTX_PARAMS, rand_gettable),
	CALL(GET_CTX_PARAMS, rand_get_params), {0, NULL}};

static const OSSL_ALGORITHM *provider_query(void *provider, int operation, int *no_cache)
{
	static const OSSL_ALGORITHM rands[] = {
		{RAND_NAME, RAND_PROPERTIES, rand_calls, "random numbers of the host image"},
		{NULL, NULL, NULL, NULL}};

	(void)provider;
	*no_cache = 0;
	return operation == OSSL_OP_RAND ? rands : NULL;
}

static int provider_init(const OSSL_CORE_HANDLE *core, const OSSL_DISPATCH *in,
	const OSSL_DISPATCH **out, void **context)
{
	static const OSSL_DISPATCH calls[] = {
		{OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))provider_query}, {0, NULL}};

	(void)core, (void)in;
	*out = calls;
	*context = &libcrypto;
	return 1;
}

/* What is made here lives as long as the process. */
static void libcrypto_make(void)
{
	OSSL_LIB_CTX *ctx = OSSL_LIB_CTX_new();
	bool hashes = true;

	if (!ctx)
		return;
	if (!OSSL_PROVIDER_add_builtin(ctx, RAND_PROVIDER, provider_init) ||
		!OSSL_PROVIDER_load(ctx, RAND_PROVIDER) || !OSSL_PROVIDER_load(ctx, "default") ||
		!RAND_set_DRBG_type(ctx, RAND_NAME, RAND_PROPERTIES, NULL, NULL) ||
		!RAND_set_seed_source_type(ctx, RAND_NAME, RAND_PROPERTIES))
		goto free_ctx;
	for (unsigned int i = 0; i < SPDM_HASHES; i++) {
		libcrypto.md[i] = EVP_MD_fetch(ctx, spdm_hash_row(i)->name, NULL);
		hashes = hashes && libcrypto.md[i];
	}
	libcrypto.hmac = EVP_MAC_fetch(ctx, "HMAC", NULL);
	libcrypto.hkdf = EVP_KDF_fetch(ctx, "HKDF", NULL);
	libcrypto.gcm = EVP_CIPHER_fetch(ctx, "AES-256-GCM", NULL);
	if (!hashes || !libcrypto.hmac || !libcrypto.hkdf || !libcrypto.gcm)
		goto free_algorithms;
	libcrypto.ctx = ctx;
	return;
free_algorithms:
	for (unsigned int i = 0; i < SPDM_HASHES; i++)
		EVP_MD_free(libcrypto.md[i]);
	EVP_MAC_free(libcrypto.hmac);
	EVP_KDF_free(libcrypto.hkdf);
	EVP_CIPHER_free(libcrypto.gcm);
free_ctx:
	OSSL_LIB_CTX_free(ctx);
}

const struct spdm_libcrypto *spdm_libcrypto(void)
{
	if (pthread_once(&libcrypto_once, libcrypto_make) || !libcrypto.ctx)
		return NULL;
	return &libcrypto;
}
