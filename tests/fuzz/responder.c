/* SPDX-License-Identifier: BSD-2-Clause */
/* The SPDM responder: hostile requests, on a fresh connection or an open one; in the session sealed
 * with its keys, so that they get in. No answer is longer than the peer takes. */
#include "pair.h"

static struct ends ends;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	pair_make();
	return 0;
}

static void request_try(uint8_t what, const uint8_t *bytes, size_t len)
{
	struct spdm_session *s = &ends.q.session;
	struct spdm_wire in = {.doe_type = SPDM_DOE_CLEAR, .len = len}, out;
	int rc;

	if (len > SPDM_MAX_MESSAGE)
		return;
	if ((what & 2) && s->phase == SPDM_PHASE_OPEN) {
		if (spdm_record_seal(&s->keys[SPDM_SIDE_REQUESTER], s->id, bytes, len, &in))
			return;
	} else {
		memcpy(in.data, bytes, len);
		in.doe_type = what & 4 ? SPDM_DOE_SECURED : SPDM_DOE_CLEAR;
	}
	rc = answer(&ends, &in, &out);
	fuzz_assert(rc == 0 || rc == -ENOMSG);
	fuzz_assert(rc || (out.len >= 4 && out.len <= SPDM_MAX_WIRE));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct reader r = reader_of(data, len);

	ends = get_u8(&r) & 1 ? open : fresh;
	for (unsigned int i = 0; i < FUZZ_MESSAGES && reader_left(&r); i++) {
		uint8_t what = get_u8(&r);
		size_t message_len;
		const uint8_t *message = fuzz_message(&r, &message_len);

		if (message)
			request_try(what, message, message_len);
	}
	fuzz_again();
	return 0;
}
