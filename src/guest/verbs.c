/* SPDX-License-Identifier: BSD-2-Clause */
/* What a script may say. */
#include "guest/internal.h"
#include "hardware/platform.h"

static const struct guest_verb_row common[] = {
	{ "device", "func bdf bar0 bar2 buffer scratch", { stage_device } },
	{ "enumerate", "", { stage_enumerate } },
	{ "mmio-read", "bar offset len t", { stage_mmio_read } },
	{ "mmio-write", "bar offset len t value", { stage_mmio_write } },
	{ "mem-write", "gpa len seed shared", { stage_mem_write } },
	{ "mem-check", "gpa len seed shared", { stage_mem_check } },
	{ "page-accept", "gpa pages level", { stage_page_accept } },
	{ "map-gpa", "gpa len shared", { stage_map_gpa } },
	{ "report-parse", "", { stage_report_parse } },
	{ "driver-bind", "", { stage_driver_bind } },
	{ "driver-unbind", "", { stage_driver_unbind } },
	{ "irq-setup", "vectors", { stage_irq_setup } },
	{ "dma", "op src dst len vector shared", { stage_dma } },
	{ "dma-check", "src len seed shared", { stage_dma, stage_dma_check } },
	{ "dma-stream", "src dst len piece seed vector", { stage_dma_stream } },
	{ NULL, NULL, { NULL } },
};

static const struct guest_platform *const platforms[PLATFORMS] = {
	[PLATFORM_TDX] = &guest_tdx,
	[PLATFORM_SEV] = &guest_sev,
	[PLATFORM_CCA] = &guest_cca,
};

const struct guest_platform *guest_platform(void)
{
	return platforms[machine_platform()];
}

static const struct guest_verb_row *row_find(const struct guest_verb_row *row, const char *name)
{
	for (; row->name; row++)
		if (!strcmp(row->name, name))
			return row;
	return NULL;
}

const struct guest_verb_row *guest_verb_find(const char *name)
{
	const struct guest_verb_row *row = row_find(common, name);

	return row ? row : row_find(guest_platform()->verbs, name);
}

bool guest_verb_known(const char *name)
{
	bool known = row_find(common, name);

	for (unsigned int i = 0; !known && i < PLATFORMS; i++)
		known = platforms[i] && row_find(platforms[i]->verbs, name);
	return known;
}
