/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The adversary: a bad host kernel that goes past its own rules, a bad device, failing firmware, and
 * whoever kills processes and pulls cards. Each verb acts below the system call layer, where only
 * firmware and hardware can still say no.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "device/device.h"
#include "flow/parse.h"
#include "hardware/cpu.h"
#include "hardware/doe.h"
#include "hardware/ide.h"
#include "kernel/kernel.h"
#include "kernel/pci/pci.h"

/* host-read / host-write bar= offset=: a load or store by a kernel that ignores its own rules. */
static uint64_t act_hpa(const struct flow_action *action)
{
	const struct function *fn = function_find(flow_rid(action));
	uint64_t bar = flow_arg_or(action, "bar", 0);

	return fn && bar < FUNCTION_BARS ? fn->bar[bar].hpa + flow_arg_or(action, "offset", 0) : 0;
}

static void host_read(const struct flow_action *action, struct flow_result *result)
{
	uint32_t value = 0;

	result->rc = cpu_host_read(act_hpa(action), &value, sizeof(value));
	if (!result->rc)
		result->rc = value;
}

static void host_write(const struct flow_action *action, struct flow_result *result)
{
	uint32_t value = (uint32_t)flow_arg_or(action, "value", 0);

	result->rc = cpu_host_write(act_hpa(action), &value, sizeof(value));
}

static void inject_doe(const struct flow_action *action, struct flow_result *result)
{
	static const char *const names[] = { "none", "timeout", "truncate", "corrupt", "error" };
	const char *fault = flow_arg_text(action, "fault");

	result->rc = -EDOM;
	for (unsigned int i = 0; fault && i < 5; i++)
		if (!strcmp(names[i], fault))
			result->rc = doe_inject(flow_rid(action) & 0xfff8, (enum doe_fault)i,
						(unsigned int)flow_arg_or(action, "count", 1));
}

static void inject_device(const struct flow_action *action, struct flow_result *result)
{
	const char *fault = flow_arg_text(action, "fault");
	int number = fault ? device_fault_by_name(fault) : -EINVAL;

	result->rc = number < 0 ? number
				: device_inject(flow_rid(action), (enum device_fault)number,
					  (unsigned int)flow_arg_or(action, "count", 1));
}

static void stream_fail(const struct flow_action *action, struct flow_result *result)
{
	int stream = ide_default_stream(flow_rid(action) & 0xfff8);

	result->rc = stream < 0 ? stream : 0;
	if (stream >= 0)
		ide_fail(flow_rid(action) & 0xfff8, (uint8_t)stream);
}

/* config-write offset= size= value=: straight to the function, past VFIO. */
static void act_config_write(const struct flow_action *action, struct flow_result *result)
{
	result->rc = 0;
	config_write(flow_rid(action), (unsigned int)flow_arg_or(action, "offset", 0),
		(unsigned int)flow_arg_or(action, "size", 4),
		(uint32_t)flow_arg_or(action, "value", 0));
}

static void act_reset(const struct flow_action *action, struct flow_result *result)
{
	const struct function *fn = function_find(flow_rid(action));
	const char *kind = flow_arg_text(action, "kind");

	result->rc = fn ? 0 : -ENODEV;
	if (fn)
		function_reset(fn, kind && !strcmp(kind, "hot") ? RESET_HOT : RESET_FLR);
}

static void act_unplug(const struct flow_action *action, struct flow_result *result)
{
	const struct function *fn = function_find(flow_rid(action));

	result->rc = fn ? 0 : -ENODEV;
	if (fn)
		function_surprise_remove(fn);
}

/* kill vmm | kill vmm2: SIGKILL. Inside a `during` the VMM dies in the middle of its call. */
static void act_kill(const struct flow_action *action, struct flow_result *result)
{
	const char *who = action->nargs ? action->args[0].value : "";

	result->rc = -EDOM;
	if (strcmp(who, "vmm") && strcmp(who, "vmm2"))
		return;
	flow_task_kill(FLOW_VMM, who[3] == '2');
	result->rc = 0;
}

BELOW(host_read)
BELOW(host_write)
BELOW(inject_doe)
BELOW(inject_device)
BELOW(stream_fail)
BELOW(act_config_write)
BELOW(act_reset)
BELOW(act_unplug)

const struct flow_verb flow_adversary_verbs[] = {
	{ "host-read", host_read_below },
	{ "host-write", host_write_below },
	{ "inject-doe", inject_doe_below },
	{ "inject-device", inject_device_below },
	{ "stream-fail", stream_fail_below },
	{ "config-write", act_config_write_below },
	{ "reset", act_reset_below },
	{ "unplug", act_unplug_below },
	{ "kill", act_kill },
	{ NULL, NULL },
};
