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
#include "firmware/tdx/tdx.h"
#include "flow/parse.h"
#include "hardware/cpu.h"
#include "hardware/doe.h"
#include "hardware/ide.h"
#include "kernel/kernel.h"
#include "kernel/pci/pci.h"

static uint16_t act_rid(const struct flow_action *action)
{
	uint64_t rid = 0x101;

	flow_arg_number(action, "rid", &rid);
	return (uint16_t)rid;
}

static uint64_t act_number(const struct flow_action *action, const char *key, uint64_t otherwise)
{
	uint64_t value = otherwise;

	flow_arg_number(action, key, &value);
	return value;
}

/* host-read / host-write bar= offset=: a load or store by a kernel that ignores its own rules. */
static uint64_t act_hpa(const struct flow_action *action)
{
	const struct function *fn = function_find(act_rid(action));
	uint64_t bar = act_number(action, "bar", 0);

	return fn && bar < FUNCTION_BARS ? fn->bar[bar].hpa + act_number(action, "offset", 0) : 0;
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
	uint32_t value = (uint32_t)act_number(action, "value", 0);

	result->rc = cpu_host_write(act_hpa(action), &value, sizeof(value));
}

/* seamcall leaf= rcx= ...: a call the host's driver would not make now. */
static void act_seamcall(const struct flow_action *action, struct flow_result *result)
{
	struct tdx_args args = {
		.rcx = act_number(action, "rcx", 0), .rdx = act_number(action, "rdx", 0),
		.r8 = act_number(action, "r8", 0), .r9 = act_number(action, "r9", 0),
		.r10 = act_number(action, "r10", 0),
	};
	const char *name = flow_arg_text(action, "leaf");
	uint64_t status;

	for (uint64_t leaf = 0; name && leaf < 0x1000; leaf++) {
		const char *known = tdx_leaf_name(leaf);

		if (!known || strcmp(known, name))
			continue;
		status = tdx_seamcall(LANE_ADVERSARY, (enum tdx_leaf)leaf, &args);
		snprintf(result->text, sizeof(result->text), "%s", tdx_status_name(status));
		result->rc = tdx_class(status) >> 63 ? -EIO : 0;
		return;
	}
	result->rc = -EDOM;
}

/* inject-tdx leaf= status= count=: the module's next answers. */
static void inject_tdx(const struct flow_action *action, struct flow_result *result)
{
	static const struct { const char *name; uint64_t status; } statuses[] = {
#define TDX_STATUS(id, code, name) { name, (uint64_t)(code) << 32 },
#include "firmware/tdx/status.def"
#undef TDX_STATUS
	};
	const char *leaf_name = flow_arg_text(action, "leaf"),
		   *status = flow_arg_text(action, "status");

	result->rc = -EDOM;
	for (uint64_t leaf = 0; leaf_name && status && leaf < 0x1000; leaf++) {
		const char *known = tdx_leaf_name(leaf);

		if (!known || strcmp(known, leaf_name))
			continue;
		for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
			if (!strcmp(statuses[i].name, status))
				result->rc = tdx_inject((enum tdx_leaf)leaf, statuses[i].status,
					(unsigned int)act_number(action, "count", 1));
	}
}

static void inject_doe(const struct flow_action *action, struct flow_result *result)
{
	static const char *const names[] = { "none", "timeout", "truncate", "corrupt", "error" };
	const char *fault = flow_arg_text(action, "fault");

	result->rc = -EDOM;
	for (unsigned int i = 0; fault && i < 5; i++)
		if (!strcmp(names[i], fault))
			result->rc = doe_inject(act_rid(action) & 0xfff8, (enum doe_fault)i,
						(unsigned int)act_number(action, "count", 1));
}

static void inject_device(const struct flow_action *action, struct flow_result *result)
{
	const char *fault = flow_arg_text(action, "fault");
	int number = fault ? device_fault_by_name(fault) : -EINVAL;

	result->rc = number < 0 ? number
				: device_inject(act_rid(action), (enum device_fault)number,
					  (unsigned int)act_number(action, "count", 1));
}

static void stream_fail(const struct flow_action *action, struct flow_result *result)
{
	int stream = ide_default_stream(act_rid(action) & 0xfff8);

	result->rc = stream < 0 ? stream : 0;
	if (stream >= 0)
		ide_fail(act_rid(action) & 0xfff8, (uint8_t)stream);
}

/* config-write offset= size= value=: straight to the function, past VFIO. */
static void act_config_write(const struct flow_action *action, struct flow_result *result)
{
	result->rc = 0;
	config_write(act_rid(action), (unsigned int)act_number(action, "offset", 0),
		(unsigned int)act_number(action, "size", 4),
		(uint32_t)act_number(action, "value", 0));
}

static void act_reset(const struct flow_action *action, struct flow_result *result)
{
	const struct function *fn = function_find(act_rid(action));
	const char *kind = flow_arg_text(action, "kind");

	result->rc = fn ? 0 : -ENODEV;
	if (fn)
		function_reset(fn, kind && !strcmp(kind, "hot") ? RESET_HOT : RESET_FLR);
}

static void act_unplug(const struct flow_action *action, struct flow_result *result)
{
	const struct function *fn = function_find(act_rid(action));

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

/* locked(fn): the verbs that reach below the system calls hold the image's lock as the kernel would. */
#define BELOW(name) \
	static void name##_below(const struct flow_action *action, struct flow_result *result) \
	{ \
		image_enter(); \
		name(action, result); \
		image_leave(); \
	}
BELOW(host_read)
BELOW(host_write)
BELOW(act_seamcall)
BELOW(inject_tdx)
BELOW(inject_doe)
BELOW(inject_device)
BELOW(stream_fail)
BELOW(act_config_write)
BELOW(act_reset)
BELOW(act_unplug)

const struct flow_verb flow_adversary_verbs[] = {
	{ "host-read", host_read_below },
	{ "host-write", host_write_below },
	{ "seamcall", act_seamcall_below },
	{ "inject-tdx", inject_tdx_below },
	{ "inject-doe", inject_doe_below },
	{ "inject-device", inject_device_below },
	{ "stream-fail", stream_fail_below },
	{ "config-write", act_config_write_below },
	{ "reset", act_reset_below },
	{ "unplug", act_unplug_below },
	{ "kill", act_kill },
	{ NULL, NULL },
};
