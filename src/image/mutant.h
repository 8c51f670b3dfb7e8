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
#define MUTANT_WORDS 2u
_Static_assert(MUTANT_MAX <= 64 * MUTANT_WORDS, "mutants are bits of two counters");
_Static_assert(IMAGE_COUNTER_MUTANTS_2 == IMAGE_COUNTER_MUTANTS + 1, "... that stand together");

struct mutant_set { uint64_t word[MUTANT_WORDS]; };

static inline void mutant_add(struct mutant_set *set, enum mutant m)
{
	set->word[m / 64] |= 1ull << m % 64;
}

static inline bool mutant(enum mutant m)
{
	return image_counter(IMAGE_COUNTER_MUTANTS)[m / 64] >> m % 64 & 1;
}

/* The host has these bugs from now on, and no others. */
static inline void mutants_plant(const struct mutant_set *set)
{
	memcpy(image_counter(IMAGE_COUNTER_MUTANTS), set->word, sizeof(set->word));
}

static inline void mutant_plant(enum mutant m)
{
	struct mutant_set set = { 0 };

	mutant_add(&set, m);
	mutants_plant(&set);
}

static inline void mutants_clear(void)
{
	mutants_plant(&(struct mutant_set){ 0 });
}

#endif
