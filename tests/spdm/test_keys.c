/* SPDX-License-Identifier: BSD-2-Clause */
/* Key schedule and secured records against computations made here from HMAC, SHA-384 and GCM alone.
 */
#include "pair.h"

#include <openssl/hmac.h>
#include <openssl/sha.h>

struct expected {
	uint8_t secret[2][SPDM_HASH], finished[2][SPDM_HASH], key[2][32], iv[2][12];
};

static void mac(const uint8_t key[48], const uint8_t *data, size_t len, uint8_t out[48])
{
	unsigned int n = 48;

	assert_non_null(HMAC(EVP_sha384(), key, 48, data, len, out, &n));
}

/* HKDF-Expand of at most one block, with the label bytes as DSP0274 lays them out. */
static void expand(
	const uint8_t secret[48], const char *label, const uint8_t *hash, uint8_t len, uint8_t *out)
{
	uint8_t info[128] = {len, 0}, full[48];
	size_t n = 2;

	memcpy(info + n, "spdm1.2 ", 8);
	n += 8;
	memcpy(info + n, label, strlen(label));
	n += strlen(label);
	if (hash)
		memcpy(info + n, hash, 48);
	n += hash ? 48 : 0;
	info[n++] = 1;
	mac(secret, info, n, full);
	memcpy(out, full, len);
}

static void keys_of(struct expected *e)
{
	for (int side = 0; side < 2; side++) {
		expand(e->secret[side], "key", NULL, 32, e->key[side]);
		expand(e->secret[side], "iv", NULL, 12, e->iv[side]);
	}
}

/* A transcript of known bytes: "VCA", chain hash of 0x11, and what each step adds. */
static void transcript_make(struct spdm_transcript *t)
{
	memset(t, 0, sizeof(*t));
	memset(t->chain_hash, 0x11, SPDM_HASH);
	spdm_transcript_add(t, SPDM_PART_VCA, "VCA", 3);
	spdm_transcript_add(t, SPDM_PART_KEYS, "exchange", 8);
}

static void th(const char *keys, uint8_t out[48])
{
	uint8_t all[128] = "VCA";

	memset(all + 3, 0x11, 48);
	memcpy(all + 51, keys, strlen(keys));
	SHA384(all, 51 + strlen(keys), out);
}

static void assert_keys(const struct spdm_session *s, const struct expected *e)
{
	for (int side = 0; side < 2; side++) {
		assert_memory_equal(s->keys[side].secret, e->secret[side], 48);
		assert_memory_equal(s->keys[side].key, e->key[side], 32);
		assert_memory_equal(s->keys[side].iv, e->iv[side], 12);
		assert_int_equal(s->keys[side].sequence, 0);
	}
}

static void schedule_by_hand(void **state)
{
	static const uint8_t zeroes[48];
	struct spdm_session s = {.phase = SPDM_PHASE_HANDSHAKE};
	uint8_t shared[48], th1[48], th2[48], hs[48], salt[48], master[48], verify[48], next[48];
	struct spdm_transcript t;
	struct expected e;

	(void)state;
	transcript_make(&t);
	memset(shared, 0x42, sizeof(shared));
	assert_int_equal(spdm_session_handshake(&s, &t, shared), 0);
	th("exchange", th1);
	mac(zeroes, shared, 48, hs);
	assert_memory_equal(s.handshake_secret, hs, 48);
	expand(hs, "req hs data", th1, 48, e.secret[0]);
	expand(hs, "rsp hs data", th1, 48, e.secret[1]);
	expand(e.secret[0], "finished", NULL, 48, e.finished[0]);
	expand(e.secret[1], "finished", NULL, 48, e.finished[1]);
	keys_of(&e);
	assert_keys(&s, &e);
	assert_int_equal(spdm_session_finished(&s, &t, SPDM_SIDE_REQUESTER, verify), 0);
	mac(e.finished[0], th1, 48, next);
	assert_memory_equal(verify, next, 48);
	assert_int_equal(spdm_session_finished(&s, &t, SPDM_SIDE_RESPONDER, verify), 0);
	mac(e.finished[1], th1, 48, next);
	assert_memory_equal(verify, next, 48);

	spdm_transcript_add(&t, SPDM_PART_KEYS, "finish", 6);
	assert_int_equal(spdm_session_open(&s, &t), 0);
	th("exchangefinish", th2);
	expand(hs, "derived", NULL, 48, salt);
	mac(salt, zeroes, 48, master);
	expand(master, "req app data", th2, 48, e.secret[0]);
	expand(master, "rsp app data", th2, 48, e.secret[1]);
	keys_of(&e);
	assert_keys(&s, &e);
	assert_int_equal(s.phase, SPDM_PHASE_OPEN);
	assert_memory_equal(s.handshake_secret, zeroes, 48);
	assert_memory_equal(s.finished[0], zeroes, 48);
	assert_memory_equal(s.finished[1], zeroes, 48);

	s.keys[0].sequence = 5;
	assert_int_equal(spdm_session_update(&s, SPDM_SIDE_REQUESTER), 0);
	expand(e.secret[0], "traffic upd", NULL, 48, next);
	memcpy(e.secret[0], next, 48);
	keys_of(&e);
	assert_keys(&s, &e);
}

static void transcript_overflow_gives_no_hash(void **state)
{
	struct spdm_transcript t;
	uint8_t hash[48], more[1000] = {0};

	(void)state;
	transcript_make(&t);
	for (int i = 0; i < 7; i++)
		spdm_transcript_add(&t, SPDM_PART_CHAIN, more, sizeof(more));
	assert_int_equal(spdm_transcript_hash(&t, SPDM_PART_CHAIN, hash), -EMSGSIZE);
	assert_int_equal(spdm_transcript_hash(&t, SPDM_PART_KEYS, hash), 0);
	assert_true(spdm_transcript_sane(&t));
	spdm_transcript_reset(&t, SPDM_PART_CHAIN);
	assert_int_equal(spdm_transcript_hash(&t, SPDM_PART_CHAIN, hash), 0);
	t.len[SPDM_PART_VCA] = 1u << 20;
	assert_false(spdm_transcript_sane(&t));
}

/* The opaque data both ends of DMTF's emulator send, byte for byte. */
static void opaque_layout(void **state)
{
	static const uint8_t supported[] = {
		1, 0, 0, 0, 0, 0, 9, 0, 1, 1, 3, 0x00, 0x10, 0x00, 0x11, 0x00, 0x12, 0, 0, 0};
	static const uint8_t selected[] = {1, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0x00, 0x12};
	uint8_t out[64];
	struct writer w = writer_of(out, sizeof(out));

	(void)state;
	spdm_opaque_put_supported(&w);
	assert_int_equal(w.at, sizeof(supported));
	assert_memory_equal(out, supported, sizeof(supported));
	assert_int_equal(spdm_opaque_version(out, w.at, SPDM_SECURED_SUPPORTED), 0x1200);
	assert_int_equal(spdm_opaque_version(out, w.at, SPDM_SECURED_SELECTION), 0);
	assert_int_equal(spdm_opaque_version(out, w.at - 1, SPDM_SECURED_SUPPORTED), 0);
	w = writer_of(out, sizeof(out));
	spdm_opaque_put_selection(&w, 0x1200);
	assert_int_equal(w.at, sizeof(selected));
	assert_memory_equal(out, selected, sizeof(selected));
	out[11] = 0x13;
	assert_int_equal(spdm_opaque_version(out, w.at, SPDM_SECURED_SELECTION), 0);
}

static struct spdm_keys some_keys(void)
{
	struct spdm_keys keys = {.valid = 1};

	memset(keys.key, 0x5a, sizeof(keys.key));
	for (size_t i = 0; i < sizeof(keys.iv); i++)
		keys.iv[i] = (uint8_t)(0xf0 + i);
	return keys;
}

/* Layout and nonce: an IDE_KM QUERY has 15 bytes of SPDM, and so 2 + 15 + 16 = 0x21 in its length.
 */
static void record_layout(void **state)
{
	static const uint8_t query[15] = {0x12, 0xfe, 0, 0, 3, 0, 2, 1, 0, 4, 0, 0, 0, 0, 1};
	struct spdm_keys keys = some_keys();
	struct spdm_wire wire;
	uint8_t nonce[12], plain[17];
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n;

	(void)state;
	keys.sequence = 0x0102;
	assert_int_equal(spdm_record_seal(&keys, 0xaabbccdd, query, sizeof(query), &wire), 0);
	assert_int_equal(keys.sequence, 0x0103);
	assert_int_equal(wire.doe_type, 2);
	assert_int_equal(wire.len, 6 + 0x21);
	assert_memory_equal(wire.data, "\xdd\xcc\xbb\xaa\x21\x00", 6);
	memcpy(nonce, keys.iv, 12);
	nonce[0] ^= 0x02;
	nonce[1] ^= 0x01;
	assert_int_equal(EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, keys.key, nonce), 1);
	assert_int_equal(EVP_DecryptUpdate(ctx, NULL, &n, wire.data, 6), 1);
	assert_int_equal(EVP_DecryptUpdate(ctx, plain, &n, wire.data + 6, 17), 1);
	assert_int_equal(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, 16, wire.data + 23), 1);
	assert_int_equal(EVP_DecryptFinal_ex(ctx, plain + 17, &n), 1);
	assert_memory_equal(plain, "\x0f\x00", 2);
	assert_memory_equal(plain + 2, query, sizeof(query));
	EVP_CIPHER_CTX_free(ctx);
}

static void record_every_byte_counts(void **state)
{
	struct spdm_keys tx = some_keys(), rx = tx, before = rx;
	uint8_t message[64] = "a message", back[SPDM_MAX_MESSAGE];
	struct spdm_wire wire, bad;
	size_t len;

	(void)state;
	assert_int_equal(spdm_record_seal(&tx, 0x00010001, message, sizeof(message), &wire), 0);
	for (size_t i = 0; i < wire.len; i++)
		for (int bit = 0; bit < 8; bit++) {
			bad = wire;
			bad.data[i] ^= (uint8_t)(1 << bit);
			assert_int_not_equal(spdm_record_open(&rx, &bad, back, &len), 0);
			assert_memory_equal(&rx, &before, sizeof(rx));
		}
	for (size_t cut = 0; cut < wire.len; cut++) {
		bad = wire;
		bad.len = cut;
		assert_int_not_equal(spdm_record_open(&rx, &bad, back, &len), 0);
	}
	memset(wire.data + wire.len, 0, 3);
	wire.len += 3; /* what DOE pads */
	assert_int_equal(spdm_record_open(&rx, &wire, back, &len), 0);
	assert_int_equal(len, sizeof(message));
	assert_memory_equal(back, message, len);
	assert_int_not_equal(spdm_record_open(&rx, &wire, back, &len), 0); /* replay */
	wire.len++;
	rx = before;
	assert_int_equal(spdm_record_open(&rx, &wire, back, &len), -EBADMSG);
}

static void record_limits(void **state)
{
	static uint8_t message[SPDM_MAX_MESSAGE + 1], back[SPDM_MAX_MESSAGE];
	struct spdm_keys tx = some_keys(), rx = tx;
	struct spdm_wire wire;
	size_t len;

	(void)state;
	assert_int_equal(spdm_record_seal(&tx, 1, message, SPDM_MAX_MESSAGE, &wire), 0);
	assert_int_equal(wire.len, sizeof(wire.data));
	assert_int_equal(spdm_record_open(&rx, &wire, back, &len), 0);
	assert_int_equal(len, SPDM_MAX_MESSAGE);
	assert_int_equal(spdm_record_seal(&tx, 1, message, SPDM_MAX_MESSAGE + 1, &wire), -EMSGSIZE);
	tx.sequence = UINT64_MAX;
	assert_int_equal(spdm_record_seal(&tx, 1, message, 1, &wire), -EKEYEXPIRED);
	memset(&tx, 0, sizeof(tx));
	assert_int_equal(spdm_record_seal(&tx, 1, message, 1, &wire), -EKEYEXPIRED);
}

/* Authentic, but its inner length points beyond it. */
static void record_inner_length_lies(void **state)
{
	struct spdm_keys keys = some_keys();
	uint8_t plain[6] = {5, 0, 1, 2, 3, 4}, back[SPDM_MAX_MESSAGE];
	struct spdm_wire wire = {.doe_type = 2, .len = 6 + 6 + 16};
	size_t len;

	(void)state;
	memcpy(wire.data, "\1\0\0\0\x16\0", 6);
	assert_int_equal(spdm_gcm_seal(keys.key, keys.iv, wire.data, 6, plain, 6, wire.data + 6,
				 wire.data + 12),
		0);
	assert_int_equal(spdm_record_open(&keys, &wire, back, &len), -EBADMSG);
	plain[0] = 0xff;
	plain[1] = 0xff;
	keys = some_keys();
	spdm_gcm_seal(keys.key, keys.iv, wire.data, 6, plain, 6, wire.data + 6, wire.data + 12);
	assert_int_equal(spdm_record_open(&keys, &wire, back, &len), -EBADMSG);
}

#define TEST(name, fn)                                                                             \
	{                                                                                          \
		name, fn, NULL, NULL, NULL                                                         \
	}
int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST("R6.4 the key schedule, computed by hand", schedule_by_hand),
		TEST("R6.4 an overflowed transcript gives no hash",
			transcript_overflow_gives_no_hash),
		TEST("R6.4 opaque data is as DMTF's emulator sends it", opaque_layout),
		TEST("R6.4 a record's layout and nonce", record_layout),
		TEST("R3.5 every bit of a record counts, and no record twice",
			record_every_byte_counts),
		TEST("R6.4 records have limits", record_limits),
		TEST("R3.5 a record's inner length cannot lie", record_inner_length_lies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
