/* SPDX-License-Identifier: BSD-2-Clause */
/* The RMM's root and the host's gate. */
#include "firmware/cca/internal.h"

#include <stdio.h>

static const struct { uint32_t id; const char *name; } commands[] = {
#define RMI_COMMAND(id, number, name) { RMI_##id, name },
#include "firmware/cca/commands.def"
#undef RMI_COMMAND
}, realm_commands[] = {
#define RSI_COMMAND(id, number, name) { RSI_##id, name },
#include "firmware/cca/rsi.def"
#undef RSI_COMMAND
}, statuses[] = {
#define RMI_STATUS(id, number, name) { RMI_##id, name },
#include "firmware/cca/status.def"
#undef RMI_STATUS
}, realm_statuses[] = {
#define RSI_STATUS(id, number, name) { RSI_##id, name },
#include "firmware/cca/status.def"
#undef RSI_STATUS
};

#define NAME_OF(table, value, otherwise) do { \
	for (size_t i = 0; i < sizeof(table) / sizeof((table)[0]); i++) \
		if ((table)[i].id == (value)) \
			return (table)[i].name; \
	return (otherwise); \
} while (0)

const char *rmi_status_name(uint64_t result)
{
	NAME_OF(statuses, rmi_status(result), "RMI_?");
}

const char *rsi_status_name(uint64_t result)
{
	NAME_OF(realm_statuses, rmi_status(result), "RSI_?");
}

const char *rmi_command_name(uint64_t command)
{
	NAME_OF(commands, command, NULL);
}

const char *rsi_command_name(uint64_t command)
{
	NAME_OF(realm_commands, command, NULL);
}

const struct rmm *rmm(void)
{
	return image_root(IMAGE_ROOT_CCA);
}

struct rmm *rmm_write(void)
{
	return image_write(rmm());
}

void *cca_alloc(size_t size)
{
	return image_alloc(size, IMAGE_TYPE_CCA);
}

uint64_t cca_nonce(void)
{
	return ++rmm_write()->next_nonce;
}

int cca_power_on(void)
{
	struct rmm *root;

	if (rmm())
		return -EEXIST;
	root = cca_alloc(sizeof(*root));
	if (!root)
		return -ENOMEM;
	root->next_stream = root->next_vmid = 1;
	image_root_set(IMAGE_ROOT_CCA, root);
	return 0;
}

int cca_inject(enum rmi_command command, uint64_t status, unsigned int count)
{
	if (!rmm() || !count || !rmi_command_name(command))
		return -EINVAL;
	for (unsigned int i = 0; i < CCA_FAULTS; i++) {
		struct cca_fault *fault;

		if (rmm()->faults[i].count && rmm()->faults[i].command != command)
			continue;
		fault = image_write(&rmm()->faults[i]);
		*fault = (struct cca_fault){ .command = command, .count = count, .status = status };
		return 0;
	}
	return -ENOSPC;
}

static bool fault_take(enum rmi_command command, uint64_t *status)
{
	for (unsigned int i = 0; i < CCA_FAULTS; i++) {
		const struct cca_fault *fault = &rmm()->faults[i];

		if (fault->command != command || !fault->count)
			continue;
		*(uint32_t *)image_write(&fault->count) = fault->count - 1;
		*status = fault->status;
		return true;
	}
	return false;
}

static const struct rmi_row *const tables[] = {
	cca_granule_rows, cca_realm_rows,  cca_rtt_rows,  cca_map_rows,
	cca_pdev_rows,	  cca_stream_rows, cca_vdev_rows, cca_smmu_rows,
};

static const struct rmi_row *row_find(enum rmi_command command)
{
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		for (const struct rmi_row *row = tables[i]; row->handler; row++)
			if (row->command == command)
				return row;
	return NULL;
}

unsigned int cca_trace_operands(const char *const names[CCA_TRACED], const struct smc_args *args,
				struct trace_arg *out)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < CCA_TRACED && n < TRACE_ARGS; i++) {
		if (!names[i])
			continue;
		snprintf(out[n].key, sizeof(out[n].key), "%s", names[i]);
		out[n++].value = args->x[i + 1];
	}
	return n;
}

uint64_t cca_rmi(enum lane from, enum rmi_command command, struct smc_args *args)
{
	const struct rmi_row *row = row_find(command);
	struct trace_arg named[TRACE_ARGS] = { 0 };
	const char *name = rmi_command_name(command);
	struct trace_call call;
	uint64_t result;

	image_commit();
	call = trace_call(from, LANE_FIRMWARE, TRACE_KIND_CALL, name ? name : "RMI_?",
			  row ? cca_trace_operands(row->args, args, named) : 0, named);
	if (!rmm() || !row)
		result = RMI_ERROR_NOT_SUPPORTED;
	else if (!fault_take(command, &result))
		result = row->handler(args);
	trace_return_as(&call, TRACE_RESULT_CODE, (int64_t)result, rmi_status_name(result));
	image_keep();
	return result;
}
