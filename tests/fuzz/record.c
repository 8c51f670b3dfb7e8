/* SPDX-License-Identifier: BSD-2-Clause */
/* Secured records: hostile bytes under known keys, as they are and with a tag that is right. */
#include "fuzz.h"

static const struct spdm_keys keys = {.valid = 1, .key = {1, 2, 3}, .iv = {4, 5, 6}};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	return 0;
}

/* A record whose plaintext, length field and all, is the fuzzer's. */
static size_t sealed(const uint8_t *plain, size_t len, uint8_t out[SPDM_MAX_WIRE])
{
	struct writer w = writer_of(out, SPDM_MAX_WIRE);
	uint8_t *cipher, *tag;

	put_le32(&w, 0x00010001);
	put_le16(&w, (uint16_t)(len + SPDM_TAG));
	cipher = put_space(&w, len);
	tag = put_space(&w, SPDM_TAG);
	if (w.bad || spdm_gcm_seal(keys.key, keys.iv, out, SPDM_RECORD_HEADER, plain, len, cipher, tag))
		return 0;
	return w.at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint8_t message[SPDM_MAX_MESSAGE];
	struct spdm_wire wire = {.doe_type = SPDM_DOE_SECURED};
	struct spdm_keys mine = keys;
	size_t message_len = 0;
	int rc;

	if (len > SPDM_MAX_MESSAGE)
		return 0;
	memcpy(wire.data, data, len);
	wire.len = len;
	fuzz_assert(spdm_record_open(&mine, &wire, message, &message_len));
	fuzz_assert(mine.sequence == 0); /* what is not authentic does not count */
	wire.len = sealed(data, len, wire.data);
	rc = wire.len ? spdm_record_open(&mine, &wire, message, &message_len) : -EBADMSG;
	fuzz_assert(rc || (message_len + 2 <= len && !memcmp(message, data + 2, message_len)));
	return 0;
}
