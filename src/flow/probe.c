/* SPDX-License-Identifier: BSD-2-Clause */
/* Probes: what a flow may ask of the platform's state, to compare with what it expects. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "device/device.h"
#include "flow/parse.h"
#include "hardware/function.h"
#include "hardware/ide.h"
#include "kernel/kernel.h"
#include "kernel/pci/pci.h"
#include "kernel/tsm/tsm.h"
#include "vmm/vmm.h"

static const char *const tdi_states[] = { "UNLOCKED", "LOCKED", "RUN", "ERROR" };
uint16_t flow_rid(const struct flow_action *action)
{
	uint64_t rid = 0x101;

	flow_arg_number(action, "rid", &rid);
	return (uint16_t)rid;
}

void flow_result_text(struct flow_result *result, const char *text)
{
	snprintf(result->text, sizeof(result->text), "%s", text);
}

/* tdi [rid=]: the TDISP state of the device's interface. */
static void probe_tdi(const struct flow_action *action, struct flow_result *result)
{
	struct tdi_view view;

	result->rc = device_tdi_view(flow_rid(action), &view);
	if (!result->rc)
		flow_result_text(result, tdi_states[view.state & 3]);
}

static void probe_stream(const struct flow_action *action, struct flow_result *result)
{
	int stream = ide_default_stream(flow_rid(action) & 0xfff8);

	if (stream < 0)
		result->rc = stream;
	else
		flow_result_text(result, ide_secure(flow_rid(action) & 0xfff8, (uint8_t)stream)
					 ? "SECURE"
					 : "INSECURE");
}

static void probe_bound(const struct flow_action *action, struct flow_result *result)
{
	const struct pci_dev *pdev = pci_dev_find(flow_rid(action));
	const char *cause = NULL;

	if (!pdev)
		result->rc = -ENODEV;
	else if (pci_tsm_quarantined(pdev, &cause))
		flow_result_text(result, "QUARANTINED");
	else
		flow_result_text(result, pci_tsm_bound(pdev) ? "BOUND" : "UNBOUND");
}

/* cause: why the function is quarantined; -ENOENT when it is not. */
static void probe_cause(const struct flow_action *action, struct flow_result *result)
{
	const struct pci_dev *pdev = pci_dev_find(flow_rid(action));
	const char *cause = NULL;

	if (pdev && pci_tsm_quarantined(pdev, &cause) && cause)
		flow_result_text(result, cause);
	else
		result->rc = pdev ? -ENOENT : -ENODEV;
}

/* hpa bar= [offset=]: where a BAR is in the host's physical memory. */
static void probe_hpa(const struct flow_action *action, struct flow_result *result)
{
	const struct function *fn = function_find(flow_rid(action));
	uint64_t bar = 0, offset = 0;

	flow_arg_number(action, "bar", &bar);
	flow_arg_number(action, "offset", &offset);
	result->rc = fn && bar < FUNCTION_BARS ? (int64_t)(fn->bar[bar].hpa + offset) : -ENODEV;
}

/* What is kept for the run's sake, or grows by use and is not given back. */
static bool kept(unsigned int type)
{
	static const enum image_type types[] = {
		IMAGE_TYPE_IDTABLE,
		IMAGE_TYPE_IDNODE,
		IMAGE_TYPE_TASK,
		IMAGE_TYPE_ROOT,
		IMAGE_TYPE_TRACE,
		IMAGE_TYPE_LOCK,
		IMAGE_TYPE_IOMMU_DOMAIN,
		IMAGE_TYPE_VMM,
		IMAGE_TYPE_FLOW,
		IMAGE_TYPE_CHECK,
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (types[i] == type)
			return true;
	return false;
}

/* mark: what there is now is what `leaked` compares with. */
static void probe_mark(const struct flow_action *action, struct flow_result *result)
{
	(void)action, (void)result;
	flow_live_mark();
}

/* leaked: of which type there are more objects than at the mark, and how many; or none. */
static void probe_leaked(const struct flow_action *action, struct flow_result *result)
{
	(void)action;
	flow_result_text(result, "none");
	for (unsigned int type = 1; type < IMAGE_TYPE_MAX; type++) {
		uint64_t more = kept(type) ? 0 : flow_live_more((enum image_type)type);

		if (!more)
			continue;
		result->rc = (int64_t)more;
		snprintf(result->text, sizeof(result->text), "%llu of %s", (unsigned long long)more,
			 image_type_name((enum image_type)type));
		return;
	}
}

/* live type=: how many objects of a type there are; for leak checks. */
static void probe_live(const struct flow_action *action, struct flow_result *result)
{
	const char *name = flow_arg_text(action, "type");

	result->rc = -EDOM;
	for (unsigned int type = 1; name && type < IMAGE_TYPE_MAX; type++)
		if (!strcmp(image_type_name((enum image_type)type), name))
			result->rc = (int64_t)image_live((enum image_type)type);
}

static void probe_refused(const struct flow_action *action, struct flow_result *result)
{
	(void)action;
	result->rc = (int64_t)*image_counter(IMAGE_COUNTER_TLP_REFUSED);
}

const struct flow_verb flow_probe_verbs[] = {
	{ "tdi", probe_tdi },
	{ "stream", probe_stream },
	{ "bound", probe_bound },
	{ "cause", probe_cause },
	{ "hpa", probe_hpa },
	{ "live", probe_live },
	{ "mark", probe_mark },
	{ "leaked", probe_leaked },
	{ "refused", probe_refused },
	{ NULL, NULL },
};
