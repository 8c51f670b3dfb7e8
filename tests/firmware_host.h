/* SPDX-License-Identifier: BSD-2-Clause */
/* What the hosts of the firmwares' tests have in common: the functions of the standard machine, and
 * pages to give away, one after the other. */
#ifndef SWTIO_TESTS_FIRMWARE_HOST_H
#define SWTIO_TESTS_FIRMWARE_HOST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hardware/phys.h"
#include "image/bytes.h"
#include "image/image.h"

#define MAYBE_UNUSED __attribute__((unused))
#define RIG_PF 0x0100u
#define RIG_VF 0x0101u
#define RIG_PORT 0x0008u
#define RIG_STREAM 5u

static struct rig_pool {
	const uint8_t *page;
	unsigned int pages, taken;
} rig_pool;

MAYBE_UNUSED static void rig_pool_make(unsigned int pages)
{
	rig_pool = (struct rig_pool){ .pages = pages };
	rig_pool.page = image_bulk_alloc((uint64_t)pages * PHYS_PAGE, IMAGE_TYPE_RAM);
	assert_non_null(rig_pool.page);
}

MAYBE_UNUSED static uint64_t rig_pages(unsigned int n)
{
	uint64_t hpa = phys_of(rig_pool.page) + (uint64_t)rig_pool.taken * PHYS_PAGE;

	rig_pool.taken += n;
	assert_true(rig_pool.taken <= rig_pool.pages);
	return hpa;
}

MAYBE_UNUSED static uint64_t rig_page(void)
{
	return rig_pages(1);
}

MAYBE_UNUSED static void rig_poke(uint64_t hpa, uint64_t value)
{
	uint8_t bytes[8];
	struct writer w = writer_of(bytes, sizeof(bytes));

	put_le64(&w, value);
	assert_int_equal(phys_write(hpa, bytes, sizeof(bytes), 0), 0);
}

MAYBE_UNUSED static uint64_t rig_peek(uint64_t hpa, uint32_t owner)
{
	uint8_t bytes[8];
	struct reader r = reader_of(bytes, sizeof(bytes));

	assert_int_equal(phys_read(hpa, bytes, sizeof(bytes), owner), 0);
	return get_le64(&r);
}

#endif
