/* SPDX-License-Identifier: BSD-2-Clause */
/* IDE_KM: messages of two sessions in any order, sessions that end. */
#include "fuzz.h"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	fuzz_machine();
	fuzz_ready();
	return 0;
}

static long play(void *arg)
{
	const struct dsm *dsm = dsm_of(FUZZ_PF);
	struct reader *r = arg;

	for (unsigned int i = 0; i < FUZZ_MESSAGES && reader_left(r); i++) {
		uint8_t what = get_u8(r), reply[512];
		uint32_t session = FUZZ_SESSION + (what & 1), owner = dsm->key_session;
		size_t len;
		const uint8_t *message;
		int rc;

		if (what >= 0xf0) {
			dsm_session_end(dsm, session);
			fuzz_assert(dsm->key_session != session);
			continue;
		}
		message = fuzz_message(r, &len);
		rc = ide_km_handle(dsm, session, message, len, reply, sizeof(reply));
		fuzz_assert(rc == -ENOMSG || (rc >= 7 && rc <= (int)sizeof(reply)));
		fuzz_assert(!owner || owner == session || rc == -ENOMSG);
	}
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct reader r = reader_of(data, len);

	image_call(play, &r);
	fuzz_again();
	return 0;
}
