/* SPDX-License-Identifier: BSD-2-Clause */
/* cmocka with what it needs before it, and the image's own verdict as an assertion. */
#ifndef SWTIO_TEST_IMAGE_CHECK_H
#define SWTIO_TEST_IMAGE_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "image/image.h"

#define assert_image_whole() do { \
	char why_not[200]; \
	if (image_verify(why_not, sizeof(why_not))) \
		fail_msg("%s", why_not); \
} while (0)

#endif
