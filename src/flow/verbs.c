/* SPDX-License-Identifier: BSD-2-Clause */
/* Which verbs there are, for the parser. */
#include <errno.h>
#include <string.h>

#include "flow/parse.h"
#include "guest/guest.h"
#include "vmm/vmm.h"

static const struct flow_verb *const tables[FLOW_ACTORS][4] = {
	[FLOW_ADMIN] = { flow_admin_verbs },
	[FLOW_ADVERSARY] = { flow_adversary_verbs, flow_tdx_acts, flow_sev_acts, flow_cca_acts },
	[FLOW_PROBE] = { flow_probe_verbs, flow_tdx_probes, flow_sev_probes, flow_cca_probes },
};

const struct flow_verb *flow_verb_find(uint8_t actor, const char *name)
{
	for (unsigned int i = 0; i < 4 && tables[actor][i]; i++)
		for (const struct flow_verb *verb = tables[actor][i]; verb->name; verb++)
			if (!strcmp(verb->name, name))
				return verb;
	return NULL;
}

int flow_verb_check(const struct flow_action *action)
{
	bool known;

	switch (action->actor) {
	case FLOW_VMM: known = vmm_verb_known(action->verb); break;
	case FLOW_GUEST: known = !strcmp(action->verb, "wait") || !strcmp(action->verb, "value") ||
			 guest_verb_known(action->verb); break;
	default: known = flow_verb_find(action->actor, action->verb); break;
	}
	return known ? 0 : -EINVAL;
}
