/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs the table: history checks over the new events, one by one, then the state checks. */
#include <stdio.h>
#include <string.h>

#include "check/ghost.h"
#include "hardware/platform.h"

#define CHECKS_MAX 64u

const char *check_kind_name(enum check_kind kind)
{
	static const char *const names[] = {"state", "history", "progress", "confluence"};

	return kind <= CHECK_CONFLUENCE ? names[kind] : "?";
}

const struct check *check_set(unsigned int platform, size_t *count)
{
	static const struct { const struct check *checks; const size_t *count; }
	sets[PLATFORMS + 1] = {
		[PLATFORM_TDX] = { check_tdx, &check_tdx_count },
		[PLATFORM_SEV] = { check_sev, &check_sev_count },
		[PLATFORM_CCA] = { check_cca, &check_cca_count },
		[PLATFORMS] = { check_all, &check_all_count },
	};

	*count = sets[platform].count ? *sets[platform].count : 0;
	return sets[platform].checks;
}

/* Those of the machine's platform, then those of all. */
const struct check *check_table(size_t *count)
{
	static struct check tables[PLATFORMS][CHECKS_MAX];
	static size_t used[PLATFORMS];
	enum platform platform = image_present() ? machine_platform() : PLATFORM_TDX;
	struct check *table = tables[platform];
	size_t own, common;
	const struct check *checks = check_set(platform, &own), *rest = check_set(PLATFORMS, &common);

	if (!used[platform]) {
		memcpy(table, checks, own * sizeof(table[0]));
		memcpy(table + own, rest, common * sizeof(table[0]));
		used[platform] = own + common;
	}
	*count = used[platform];
	return table;
}

/* Each invariant is recorded once: what follows from a broken state says nothing new. */
static unsigned int violated(
	size_t row, const struct check *check, uint32_t step, uint64_t event, const char *why)
{
	struct ghost *ghost;

	if (ghost_root()->violated >> row & 1)
		return 0;
	ghost = ghost_write();
	ghost->violated |= 1ull << row;
	if (ghost->violations < GHOST_VIOLATIONS) {
		struct check_violation *v = &ghost->violation[ghost->violations];

		snprintf(v->id, sizeof(v->id), "%s", check->id);
		snprintf(v->why, sizeof(v->why), "%s", why[0] ? why : check->sentence);
		v->step = step;
		v->event = event;
	}
	ghost->violations++;
	return 1;
}

static unsigned int run_history(void)
{
	uint64_t seq = ghost_root()->seen + 1;
	unsigned int found = 0;
	size_t count;
	const struct check *table = check_table(&count);
	char why[160];

	if (seq < trace_first())
		seq = trace_first();
	for (; seq < trace_next(); seq++) {
		const struct trace_event *event = trace_get(seq);

		for (size_t i = 0; i < count; i++) {
			why[0] = '\0';
			if (table[i].event && !table[i].event(event, why, sizeof(why)))
				found += violated(i, &table[i], event->step, seq, why);
		}
		ghost_event(event);
	}
	*(uint64_t *)image_write(&ghost_root()->seen) = trace_next() - 1;
	return found;
}

unsigned int check_run(void)
{
	unsigned int found = run_history();
	size_t count;
	const struct check *table = check_table(&count);
	char why[160];

	for (size_t i = 0; i < count; i++) {
		why[0] = '\0';
		if (table[i].holds && !table[i].holds(why, sizeof(why)))
			found +=
				violated(i, &table[i], (uint32_t)*image_counter(IMAGE_COUNTER_STEP),
					trace_next() - 1, why);
	}
	return found;
}

unsigned int check_violations(struct check_violation *out, unsigned int max)
{
	const struct ghost *ghost = image_present() ? ghost_root() : NULL;

	if (!ghost)
		return 0;
	for (unsigned int i = 0; i < max && i < ghost->violations && i < GHOST_VIOLATIONS; i++)
		out[i] = ghost->violation[i];
	return ghost->violations;
}

unsigned int check_held(void)
{
	const struct ghost *ghost = ghost_root();
	size_t count;

	check_table(&count);
	return (unsigned int)count -
	       (ghost ? (unsigned int)__builtin_popcountll(ghost->violated) : 0);
}
