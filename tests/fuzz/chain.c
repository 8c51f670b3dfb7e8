/* SPDX-License-Identifier: BSD-2-Clause */
/* Certificate chains: as a peer's blob, as the files of an identity. A chain that is not the one
 * made here is not verified: nobody else has the root's key. */
#include "fuzz.h"

static uint8_t chain[4096], key[512], anchor[2048], blob[SPDM_CHAIN_MAX];
static size_t chain_len = sizeof(chain), key_len = sizeof(key), anchor_len = sizeof(anchor);
static size_t blob_len;
static const struct spdm_suite suite;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const struct image_opts opts = {.size = sizeof(opts), .seed = 2};
	struct writer w = writer_of(blob, sizeof(blob));
	uint8_t digest[SPDM_HASH];

	(void)argc, (void)argv;
	fuzz_assert(!image_create(&opts));
	fuzz_assert(!spdm_make_identity("fuzz", SPDM_P384, chain, &chain_len, key, &key_len, anchor,
		&anchor_len));
	fuzz_assert(!spdm_requester_digest(anchor, anchor_len, digest));
	put_le16(&w, (uint16_t)(4 + SPDM_HASH + chain_len));
	put_le16(&w, 0);
	put_bytes(&w, digest, SPDM_HASH);
	put_bytes(&w, chain, chain_len);
	blob_len = w.at;
	return 0;
}

static void verify(const uint8_t *bytes, size_t len)
{
	EVP_PKEY *leaf = NULL;
	int rc = spdm_chain_verify(&suite, anchor, anchor_len, bytes, len, &leaf);

	fuzz_assert(rc || (len == blob_len && !memcmp(bytes, blob, len)));
	EVP_PKEY_free(leaf);
}

/* The good chain with the fuzzer's bytes laid over it. */
static void overlay(struct reader *r)
{
	uint8_t copy[SPDM_CHAIN_MAX];
	size_t at = get_le16(r) % blob_len, len = reader_left(r);

	memcpy(copy, blob, blob_len);
	if (len > blob_len - at)
		len = blob_len - at;
	get_copy(r, copy + at, len);
	verify(copy, blob_len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct reader r = reader_of(data, len);
	struct spdm_identity_bytes identity;
	struct spdm_certificate_info info[4];
	struct spdm_file file = {data, len};
	uint8_t what = get_u8(&r), der[2048];
	char why[128];
	size_t der_len = sizeof(der);

	if (r.bad)
		return 0;
	if (what == 0) {
		verify(data + 1, len - 1);
	} else if (what == 1) {
		overlay(&r);
	} else {
		spdm_certificate_read(&file, der, &der_len);
		spdm_identity_read(&file, &file, &identity, why, sizeof(why));
		spdm_chain_describe(data + 1, len - 1, info, 4);
		spdm_certificate_size(data + 1, len - 1);
	}
	return 0;
}
