/* SPDX-License-Identifier: BSD-2-Clause */
/* TDISP: messages in sequence, with a keyed stream, hardware events in between. What is refused
 * changes no state; an answer is of the request's type or an error. */
#include "fuzz.h"

static void keys_program(void)
{
	for (unsigned int i = 0; i < 6; i++) {
		uint8_t m[47] = {IDE_KM_KEY_PROG, 0, 0, 1, 0, (uint8_t)((i % 3) << 4 | (i / 3) << 1)};
		uint8_t reply[64];

		m[39] = 1;
		fuzz_assert(ide_km_handle(dsm_of(FUZZ_PF), FUZZ_SESSION, m, sizeof(m), reply,
				    sizeof(reply)) == 7 && !reply[4]);
	}
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	fuzz_machine();
	image_enter();
	keys_program();
	image_leave();
	fuzz_ready();
	return 0;
}

static uint8_t state(uint16_t rid)
{
	struct tdi_view view;

	return device_tdi_view(rid, &view) ? 0xff : (uint8_t)view.state;
}

/* A START that means it: the nonce of the lock, which no fuzzer would guess. */
static void nonce_fill(uint8_t *message, size_t len)
{
	const struct tdi *tdi = dsm_tdi(dsm_of(FUZZ_PF), FUZZ_PF);

	if (len == TDISP_HEADER + TDISP_NONCE && message[1] == TDISP_START && message[16] == 0x4e)
		memcpy(message + TDISP_HEADER, tdi->nonce, TDISP_NONCE);
}

static void message_try(const uint8_t *bytes, size_t len)
{
	uint8_t message[512], reply[1024], before = state(FUZZ_PF);
	int rc;

	len = len < sizeof(message) ? len : sizeof(message);
	memcpy(message, bytes, len);
	nonce_fill(message, len);
	rc = tdisp_handle(dsm_of(FUZZ_PF), FUZZ_SESSION, message, len, reply, sizeof(reply));
	fuzz_assert(rc == -ENOMSG || (rc >= 16 && rc <= (int)sizeof(reply)));
	if (rc < 0)
		return;
	fuzz_assert(reply[0] == TDISP_VERSION_10);
	if (reply[1] == TDISP_ERROR)
		fuzz_assert(rc == 24 && state(FUZZ_PF) == before);
	else
		fuzz_assert(reply[1] == (message[1] & 0x7f) && len >= TDISP_HEADER);
}

static long play(void *arg)
{
	struct reader *r = arg;

	for (unsigned int i = 0; i < FUZZ_MESSAGES && reader_left(r); i++) {
		uint8_t what = get_u8(r);
		size_t len;
		const uint8_t *message;

		if (what >= 0xf0) {
			device_inject(FUZZ_PF, (enum device_fault)(what & 0xf), 1);
			continue;
		}
		message = fuzz_message(r, &len);
		if (message)
			message_try(message, len);
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
