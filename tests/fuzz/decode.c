/* SPDX-License-Identifier: BSD-2-Clause */
/* Capture files and everything in them; and the interface report a TSM is told. */
#include "fuzz.h"

#include "wire/decode.h"
#include "wire/tsm.h"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	return 0;
}

static void on_packet(void *arg, unsigned int number, const struct capture_packet *packet)
{
	(void)arg, (void)number, (void)packet;
}

static void on_layer(void *arg, const char *name)
{
	(void)arg;
	fuzz_assert(strlen(name) < 80);
}

static void on_field(void *arg, const char *name, const char *value)
{
	(void)arg;
	fuzz_assert(strlen(name) < 40 && strlen(value) < 80);
}

static void on_end(void *arg)
{
	(void)arg;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct decode_sink sink = {on_packet, on_layer, on_field, on_end, NULL};
	struct decode *decode = decode_new(&sink);
	struct capture_packet packet;
	struct tsm_interface in;
	struct capture_file file;
	unsigned int n = 0;
	char why[128];

	if (decode && !capture_file_open(&file, data, len))
		while (n < 4096 && capture_file_next(&file, &packet) > 0)
			decode_packet(decode, ++n, &packet);
	if (!tsm_interface_parse(data, len, 0xffff, &in, why, sizeof(why)))
		fuzz_assert(in.ranges <= TSM_RANGES);
	decode_free(decode);
	return 0;
}
