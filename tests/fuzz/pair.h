/* SPDX-License-Identifier: BSD-2-Clause */
/* Both ends of SPDM, brought to a point of the conversation once and put back for each input. */
#ifndef SWTIO_TESTS_FUZZ_PAIR_H
#define SWTIO_TESTS_FUZZ_PAIR_H

#include "fuzz.h"

struct ends { struct spdm_requester q; struct spdm_responder p; };

static uint8_t chain[4096], key[512], anchor[2048];
static size_t chain_len = sizeof(chain), key_len = sizeof(key), anchor_len = sizeof(anchor);
static const struct spdm_measurement measurement = {1, 1, 48, anchor};
static struct spdm_identity identity;
static struct ends fresh, open;

static int echo(void *owner, uint32_t session, uint8_t protocol, const uint8_t *body, size_t len,
	uint8_t *reply, size_t cap)
{
	(void)owner, (void)session, (void)protocol;
	fuzz_assert(len <= cap);
	memcpy(reply, body, len);
	return (int)len;
}

static const struct spdm_responder_ops ops = {echo, NULL};

static inline int answer(struct ends *ends, const struct spdm_wire *in, struct spdm_wire *out)
{
	return spdm_responder_handle(&ends->p, &identity, &ops, NULL, in, out);
}

static inline void connect(struct ends *ends)
{
	struct spdm_wire request, reply;
	int rc = spdm_requester_start(&ends->q, SPDM_OP_CONNECT);

	fuzz_assert(!rc);
	rc = spdm_requester_next(&ends->q, NULL, &request);
	while (rc == 1) {
		fuzz_assert(!answer(ends, &request, &reply));
		rc = spdm_requester_next(&ends->q, &reply, &request);
	}
	fuzz_assert(!rc);
}

static inline void pair_make(void)
{
	const struct image_opts opts = {.size = sizeof(opts), .seed = 3};

	fuzz_assert(!image_create(&opts));
	fuzz_assert(!spdm_make_identity("fuzz", SPDM_P384, chain, &chain_len, key, &key_len, anchor,
		&anchor_len));
	identity = (struct spdm_identity){chain, chain_len, key, key_len, &measurement, 1};
	spdm_requester_init(&fresh.q, anchor, anchor_len);
	spdm_responder_init(&fresh.p);
	open = fresh;
	connect(&open);
	fuzz_ready();
}

#endif
