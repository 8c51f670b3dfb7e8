/* SPDX-License-Identifier: BSD-2-Clause */
/* What a flow may ask of the RMM, and what a bad host may ask it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "firmware/cca/cca.h"
#include "firmware/cca/operands.h"
#include "flow/parse.h"
#include "hardware/function.h"
#include "image/bytes.h"
#include "kernel/pci/pci.h"
#include "kernel/tsm/cca_link.h"

static const char *const hipas_names[] = { "UNASSIGNED", "ASSIGNED", "TABLE", "ASSIGNED_DEV",
					   "ASSIGNED_NS" };
static const char *const ripas_names[] = { "EMPTY", "RAM", "DESTROYED", "DEV" };
static const char *const granule_names[GRANULE_STATES] = {
	"UNDELEGATED", "DELEGATED", "DATA", "DEV", "RD", "REC", "RTT", "PDEV", "VDEV", "PSMMU_ST"
};

/* vdev: its state; NONE when there is none. */
static void probe_vdev(const struct flow_action *action, struct flow_result *result)
{
	struct cca_vdev_view view;

	flow_result_text(result, cca_vdev_view(flow_rid(action), &view) ? "NONE" :
									  vdev_state_name(view.state));
}

/* pdev: the state of the device's PDEV. */
static void probe_pdev(const struct flow_action *action, struct flow_result *result)
{
	struct cca_pdev_view view;

	flow_result_text(result, cca_pdev_view(flow_rid(action) & 0xfff8, &view) ?
					 "NONE" :
					 pdev_state_name(view.state));
}

/* ste: whether the function's Realm STE is valid. */
static void probe_ste(const struct flow_action *action, struct flow_result *result)
{
	struct cca_vdev_view view;

	flow_result_text(result, !cca_vdev_view(flow_rid(action), &view) && view.dma ? "VALID" :
										       "INVALID");
}

/* granule bar= [offset=]: the state of a page of device memory. */
static uint64_t bar_page(const struct flow_action *action)
{
	const struct function *fn = function_find(flow_rid(action));
	uint64_t bar = flow_arg_or(action, "bar", 0);

	return fn && bar < FUNCTION_BARS ? fn->bar[bar].hpa + flow_arg_or(action, "offset", 0) : 0;
}

static void probe_granule(const struct flow_action *action, struct flow_result *result)
{
	enum granule_state state = granule_state(bar_page(action));

	flow_result_text(result, state < GRANULE_STATES ? granule_names[state] : "?");
}

static uint64_t realm_of(const struct flow_action *action)
{
	struct cca_vdev_view view;
	uint64_t rd = cca_vdev_view(flow_rid(action), &view) ? 0 : view.rd;

	return flow_arg_or(action, "rd", rd);
}

/* hipas gpa=, ripas gpa= [rd=]: an entry of the RTT of the Realm that has the VDEV. */
static void probe_hipas(const struct flow_action *action, struct flow_result *result)
{
	struct cca_rtt_view view;

	cca_rtt_view(realm_of(action), flow_arg_or(action, "gpa", 0), &view);
	flow_result_text(result, hipas_names[view.hipas]);
}

static void probe_ripas(const struct flow_action *action, struct flow_result *result)
{
	struct cca_rtt_view view;

	cca_rtt_view(realm_of(action), flow_arg_or(action, "gpa", 0), &view);
	flow_result_text(result, ripas_names[view.ripas]);
}

/* mapped: device granules of the VDEV in an RTT; -ENOENT when there is no VDEV. */
static void probe_mapped(const struct flow_action *action, struct flow_result *result)
{
	struct cca_vdev_view view;
	int rc = cca_vdev_view(flow_rid(action), &view);

	result->rc = rc ? rc : (int64_t)view.mapped;
}

/* handle of=rd, vdev or pdev: operands of an `rmi`. */
static void probe_handle(const struct flow_action *action, struct flow_result *result)
{
	const char *of = flow_arg_text(action, "of");
	struct cca_vdev_view view;
	struct cca_pdev_view pdev;

	result->rc = cca_vdev_view(flow_rid(action), &view);
	if (of && !strcmp(of, "pdev") && !cca_pdev_view(flow_rid(action) & 0xfff8, &pdev))
		result->rc = (int64_t)pdev.pdev;
	else if (!result->rc && of)
		result->rc = (int64_t)(!strcmp(of, "rd") ? view.rd : view.vdev);
}

const struct flow_verb flow_cca_probes[] = {
	{ "vdev", probe_vdev },	      { "pdev", probe_pdev },	{ "ste", probe_ste },
	{ "granule", probe_granule }, { "hipas", probe_hipas }, { "ripas", probe_ripas },
	{ "mapped", probe_mapped },   { "handle", probe_handle }, { NULL, NULL },
};

static uint64_t command_by_name(const char *name)
{
	for (uint64_t command = 0xc4000150u; name && command < 0xc4000300u; command++) {
		const char *known = rmi_command_name(command);

		if (known && !strcmp(known, name))
			return command;
	}
	return 0;
}

/* rmi command= x1= ...: a call the host's driver would not make now. x1 of the answer is the result. */
static void act_rmi(const struct flow_action *action, struct flow_result *result)
{
	uint64_t command = command_by_name(flow_arg_text(action, "command")), status;
	struct smc_args args = { 0 };

	if (!command) {
		result->rc = -EDOM;
		return;
	}
	for (unsigned int i = 1; i < 8; i++) {
		char key[4];

		snprintf(key, sizeof(key), "x%u", i);
		args.x[i] = flow_arg_or(action, key, 0);
	}
	status = cca_rmi(LANE_ADVERSARY, (enum rmi_command)command, &args);
	snprintf(result->text, sizeof(result->text), "%s", rmi_status_name(status));
	result->rc = (int64_t)args.x[1];
}

/* inject-cca command= status= count=: the RMM's next answers. */
static void inject_cca(const struct flow_action *action, struct flow_result *result)
{
	uint64_t command = command_by_name(flow_arg_text(action, "command"));
	const char *status = flow_arg_text(action, "status");

	result->rc = -EDOM;
	for (uint64_t i = 0; command && status && i < 32; i++)
		if (!strcmp(rmi_status_name(i), status))
			result->rc = cca_inject((enum rmi_command)command, i,
						(unsigned int)flow_arg_or(action, "count", 1));
}

/* Memory a bad host gives to the RMM, and never asks back. */
static uint64_t page_for_rmm(bool delegated)
{
	const void *page = image_bulk_alloc(PHYS_PAGE, IMAGE_TYPE_CCA_PAGE);
	struct smc_args args = { .x = { 0, page ? phys_of(page) : 0,
					page ? phys_of(page) + PHYS_PAGE : 0 } };

	if (page && delegated)
		cca_rmi(LANE_ADVERSARY, RMI_GRANULE_RANGE_DELEGATE, &args);
	return page ? phys_of(page) : 0;
}

/* vdev-steal [rid=] by=: a VDEV of function `by`, with the pages of the function that has one. */
static void vdev_steal(const struct flow_action *action, struct flow_result *result)
{
	uint8_t params[PHYS_PAGE] = { 0 };
	struct writer w = writer_of(params, sizeof(params));
	uint64_t by = flow_arg_or(action, "by", 0x100), page = page_for_rmm(false), base, top, status;
	struct cca_vdev_view view;
	struct smc_args args;

	result->rc = cca_vdev_view(flow_rid(action), &view);
	if (result->rc || !page || cca_vdev_range(flow_rid(action), 0, &base, &top))
		return;
	put_space(&w, VDEV_PARAM_VDEV_ID);
	put_le64(&w, by);
	put_le64(&w, by);
	put_le64(&w, by);
	put_le64(&w, 1);
	put_le64(&w, base);
	put_le64(&w, top);
	phys_write(page, params, sizeof(params), 0);
	args = (struct smc_args){ .x = { 0, view.rd, view.pdev, page_for_rmm(true), page } };
	status = cca_rmi(LANE_ADVERSARY, RMI_VDEV_CREATE, &args);
	flow_result_text(result, rmi_status_name(status));
}

/* spoil-cache object=: a byte of what the host keeps of a device becomes another one. */
static void spoil_cache(const struct flow_action *action, struct flow_result *result)
{
	uint64_t number = flow_arg_or(action, "object", OBJECT_CERTIFICATE);
	const struct pci_dev *pdev = pci_dev_find(flow_rid(action));
	const struct cca_tdi *tdi = pdev ? cca_tdi_of(pdev) : NULL;
	const struct cca_object *object;

	result->rc = -ENOENT;
	if (!tdi || number >= OBJECTS)
		return;
	object = number == OBJECT_CERTIFICATE || number == OBJECT_VCA ?
			 &cca_link_of(pci_tsm_of(pdev))->object[number] :
			 &tdi->object[number];
	if (!object->len)
		return;
	*(uint8_t *)image_bulk_write(object->bytes + object->len - 1, 1) ^= 1;
	result->rc = 0;
}

BELOW(act_rmi)
BELOW(inject_cca)
BELOW(vdev_steal)
BELOW(spoil_cache)

const struct flow_verb flow_cca_acts[] = {
	{ "rmi", act_rmi_below },
	{ "inject-cca", inject_cca_below },
	{ "vdev-steal", vdev_steal_below },
	{ "spoil-cache", spoil_cache_below },
	{ NULL, NULL },
};
