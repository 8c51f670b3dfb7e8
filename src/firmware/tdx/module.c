/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host's gate: one event a call, injected faults, the leaves.
 *
 * It commits at entry and keeps at exit: all state of the module is in the image, so nothing
 * outside has seen a call whose caller was killed before it wrote down what came out of it (an id,
 * a page taken). Such a call did not happen. A caller that lives and then fails has made it.
 */
#include "firmware/tdx/internal.h"

#include <stdio.h>

struct tdx_name { uint64_t number; const char *name; };

static const struct tdx_name leaf_names[] = {
#define TDX_LEAF(id, number, generation, name) { number, name },
#include "firmware/tdx/leaves.def"
#undef TDX_LEAF
};

static const struct tdx_name tdcall_names[] = {
#define TDCALL_LEAF(id, number, generation, name) { number, name },
#include "firmware/tdx/tdcalls.def"
#undef TDCALL_LEAF
};

static const struct tdx_name status_names[] = {
#define TDX_STATUS(id, code, name) { (uint64_t)(code) << 32, name },
#include "firmware/tdx/status.def"
#undef TDX_STATUS
};

#define NAME_OF(table, number) name_of(table, sizeof(table) / sizeof((table)[0]), number)

static const char *name_of(const struct tdx_name *table, size_t rows, uint64_t number)
{
	for (size_t i = 0; i < rows; i++)
		if (table[i].number == number)
			return table[i].name;
	return "?";
}

const char *tdx_status_name(uint64_t status)
{
	return NAME_OF(status_names, tdx_class(status));
}

const char *tdx_leaf_name(uint64_t leaf)
{
	return NAME_OF(leaf_names, leaf);
}

const char *tdcall_leaf_name(uint64_t leaf)
{
	return NAME_OF(tdcall_names, leaf);
}

const struct tdx_module *tdx_module(void)
{
	return image_root(IMAGE_ROOT_FIRMWARE);
}

struct tdx_module *tdx_module_write(void)
{
	return image_write(tdx_module());
}

void *tdx_alloc(size_t size)
{
	return image_alloc(size, IMAGE_TYPE_TDX);
}

int tdx_power_on(void)
{
	struct tdx_module *module;

	if (tdx_module())
		return -EEXIST;
	module = tdx_alloc(sizeof(*module));
	if (!module)
		return -ENOMEM;
	module->next_td = module->next_spdm = module->next_stream = module->next_iommu = 1;
	module->next_session = 1;
	image_root_set(IMAGE_ROOT_FIRMWARE, module);
	return 0;
}

int tdx_inject(enum tdx_leaf leaf, uint64_t status, unsigned int count)
{
	const struct tdx_module *module = tdx_module();

	if (!module || !count || count > UINT16_MAX || tdx_leaf_name(leaf)[0] == '?')
		return -EINVAL;
	for (unsigned int i = 0; i < TDX_FAULTS; i++) {
		struct tdx_fault *fault;

		if (module->faults[i].count && module->faults[i].leaf != leaf)
			continue;
		fault = image_write(&module->faults[i]);
		*fault = (struct tdx_fault){ .leaf = (uint16_t)leaf, .count = (uint16_t)count,
			.status = status };
		return 0;
	}
	return -ENOSPC;
}

static bool fault_take(enum tdx_leaf leaf, uint64_t *status)
{
	const struct tdx_module *module = tdx_module();

	for (unsigned int i = 0; i < TDX_FAULTS; i++) {
		if (module->faults[i].leaf != leaf || !module->faults[i].count)
			continue;
		(*(uint16_t *)image_write(&module->faults[i].count))--;
		*status = module->faults[i].status;
		return true;
	}
	return false;
}

static const struct tdx_leaf_row *const leaf_tables[] = {
	tdx_td_leaves,	   tdx_vp_leaves,    tdx_mem_leaves,  tdx_mmio_leaves,
	tdx_mmiomt_leaves, tdx_iommu_leaves, tdx_dmar_leaves, tdx_spdm_leaves,
	tdx_stream_leaves, tdx_tdi_leaves,   tdx_bind_leaves,
};

static const struct tdx_leaf_row *leaf_find(enum tdx_leaf leaf)
{
	for (size_t i = 0; i < sizeof(leaf_tables) / sizeof(leaf_tables[0]); i++)
		for (const struct tdx_leaf_row *row = leaf_tables[i]; row->handler; row++)
			if (row->leaf == leaf)
				return row;
	return NULL;
}

/* A MAP operand is shown as the address it means; its level is in the low bits. */
unsigned int tdx_trace_operands(const char *const names[TDX_TRACED], const struct tdx_args *args,
				struct trace_arg *out)
{
	const uint64_t values[TDX_TRACED] = { args->rcx, args->rdx, args->r8, args->r9 };
	unsigned int n = 0;

	for (unsigned int i = 0; i < TDX_TRACED; i++) {
		bool map = names[i] && !strcmp(names[i], "gpa");

		if (!names[i])
			continue;
		snprintf(out[n].key, sizeof(out[n].key), "%s", names[i]);
		out[n++].value = map ? values[i] & SEPT_HPA : values[i];
		if (map) {
			snprintf(out[n].key, sizeof(out[n].key), "level");
			out[n++].value = values[i] & 7;
		}
	}
	return n;
}

uint64_t tdx_seamcall(enum lane from, enum tdx_leaf leaf, struct tdx_args *args)
{
	const struct tdx_leaf_row *row = leaf_find(leaf);
	struct trace_arg named[TRACE_ARGS] = { 0 };
	struct trace_call call;
	uint64_t status;

	image_commit();
	call = trace_call(from, LANE_FIRMWARE, TRACE_KIND_CALL, tdx_leaf_name(leaf),
			  row ? tdx_trace_operands(row->args, args, named) : 0, named);
	if (!tdx_module() || !row)
		status = TDX_OPERAND_INVALID;
	else if (!fault_take(leaf, &status))
		status = row->handler(args);
	trace_return_as(&call, TRACE_RESULT_TDX, (int64_t)status, tdx_status_name(status));
	image_keep();
	return status;
}
