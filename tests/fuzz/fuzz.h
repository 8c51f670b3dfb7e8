/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the targets at the wire share: a machine with a keyed stream, put back after each input, and
 * inputs cut into messages. A target crashes, or a sanitizer speaks up, or an invariant it checks
 * with fuzz_assert() is broken; nothing else is a finding. R6.4, R3.5
 */
#ifndef SWTIO_TESTS_FUZZ_FUZZ_H
#define SWTIO_TESTS_FUZZ_FUZZ_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/dsm.h"
#include "hardware/doe.h"
#include "hardware/iommu.h"
#include "hardware/phys.h"
#include "image/image.h"
#include "spdm/context.h"
#include "trace/trace.h"

#define FUZZ_PF 0x0100u
#define FUZZ_SESSION 0xabcd0001u
#define FUZZ_MESSAGES 64u	/* of one input */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerInitialize(int *argc, char ***argv);

#define fuzz_assert(what)                                                                          \
	do {                                                                                       \
		if (!(what)) {                                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what);                 \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

static image_mark fuzz_mark;

static inline void fuzz_machine(void)
{
	const struct image_opts opts = {.size = sizeof(opts), .seed = 1};

	fuzz_assert(!image_create(&opts) && !trace_power_on(1 << 10) && !phys_power_on() &&
		    !function_power_on() && !iommu_power_on() && !device_power_on() &&
		    !device_machine_default());
	device_stream_default(FUZZ_PF, 1);
}

/* From here on every input starts in this state. */
static inline void fuzz_ready(void)
{
	fuzz_mark = image_snapshot();
	fuzz_assert(fuzz_mark);
}

static inline void fuzz_again(void)
{
	fuzz_assert(!image_restore(fuzz_mark));
}

/* The next message of an input: a length of two bytes, and as much of that as there is. */
static inline const uint8_t *fuzz_message(struct reader *r, size_t *len)
{
	*len = get_le16(r);
	if (*len > reader_left(r))
		*len = reader_left(r);
	return get_bytes(r, *len);
}

#endif
