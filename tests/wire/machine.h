/* SPDX-License-Identifier: BSD-2-Clause */
/* A machine of devices alone, as `swtio device` has it, and a requester to its first. */
#ifndef SWTIO_TESTS_WIRE_MACHINE_H
#define SWTIO_TESTS_WIRE_MACHINE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "device/device.h"
#include "hardware/iommu.h"
#include "hardware/phys.h"
#include "image/image.h"
#include "spdm/spdm.h"
#include "trace/trace.h"
#include "wire/tsm.h"

#define PF 0x0100u

static inline void machine_up(uint64_t seed)
{
	const struct image_opts opts = {.size = sizeof(opts), .seed = seed};

	assert_int_equal(image_create(&opts), 0);
	assert_int_equal(trace_power_on(0), 0);
	assert_int_equal(phys_power_on() | function_power_on() | iommu_power_on() |
				 device_power_on() | device_machine_default(),
		0);
	assert_int_equal(device_stream_default(PF, 0), 0);
}

static inline struct spdm_requester *requester_make(uint16_t rid)
{
	struct spdm_requester *requester = calloc(1, spdm_requester_size());
	size_t len;
	const uint8_t *anchor = device_trust_anchor(rid, &len);

	assert_non_null(requester);
	spdm_requester_init(requester, anchor, len);
	return requester;
}

#endif
