/* SPDX-License-Identifier: BSD-2-Clause */
/* Which verbs there are, for the parser. */
#include <errno.h>
#include <string.h>

#include "flow/parse.h"
#include "guest/guest.h"
#include "vmm/vmm.h"

static bool listed(const struct flow_verb *verbs, const char *name)
{
	for (; verbs->name; verbs++)
		if (!strcmp(verbs->name, name))
			return true;
	return false;
}

int flow_verb_check(const struct flow_action *action)
{
	bool known;

	switch (action->actor) {
	case FLOW_ADMIN: known = listed(flow_admin_verbs, action->verb); break;
	case FLOW_ADVERSARY: known = listed(flow_adversary_verbs, action->verb); break;
	case FLOW_PROBE: known = listed(flow_probe_verbs, action->verb); break;
	case FLOW_VMM: known = vmm_verb_known(action->verb); break;
	default: known = !strcmp(action->verb, "wait") || !strcmp(action->verb, "value") ||
			 guest_verb_known(action->verb); break;
	}
	return known ? 0 : -EINVAL;
}
