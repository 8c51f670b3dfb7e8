/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Deliberate bugs of the simulated host, for the tests of the invariants: one bit each, kept in the
 * image. A room asks mutant(MUTANT_X) at the one place where the bug is.
 */
#ifndef SWTIO_IMAGE_MUTANT_H
#define SWTIO_IMAGE_MUTANT_H

#include "image/image.h"

enum mutant {
#define MUTANT(id, name, sentence) MUTANT_##id,
#include "image/mutants.def"
#undef MUTANT
	MUTANT_MAX
};
_Static_assert(MUTANT_MAX <= 64, "mutants are bits of one counter");

static inline bool mutant(enum mutant m)
{
	return *image_counter(IMAGE_COUNTER_MUTANTS) >> m & 1;
}

#endif
