/* SPDX-License-Identifier: BSD-2-Clause */
/* DOE: registers of the mailbox written in any order, and whole objects past it. */
#include "fuzz.h"

static uint16_t doe_at;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	fuzz_machine();
	doe_at = function_find(FUZZ_PF)->cap_doe;
	fuzz_ready();
	return 0;
}

static void registers(struct reader *r)
{
	for (unsigned int i = 0; i < 4 * FUZZ_MESSAGES && reader_left(r); i++) {
		uint8_t reg = get_u8(r);
		uint32_t value = get_le32(r);

		if (reg & 0x80)
			config_read(FUZZ_PF, doe_at + (reg & 0x14u), 4);
		else
			config_write(FUZZ_PF, doe_at + (reg & 0x1cu), 4, value);
	}
}

static long objects(void *arg)
{
	static uint8_t answer[DOE_MAX_OBJECT];
	struct reader *r = arg;

	for (unsigned int i = 0; i < FUZZ_MESSAGES && reader_left(r); i++) {
		size_t len, answer_len = 0;
		const uint8_t *message = fuzz_message(r, &len);
		int rc = doe_object(FUZZ_PF, message, len, answer, sizeof(answer), &answer_len);

		fuzz_assert(rc <= 0 && answer_len <= sizeof(answer));
		fuzz_assert(rc || answer_len >= 8);
	}
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct reader r = reader_of(data, len);

	if (get_u8(&r) & 1) {
		image_enter();
		registers(&r);
		image_leave();
	} else {
		image_call(objects, &r);
	}
	fuzz_again();
	return 0;
}
