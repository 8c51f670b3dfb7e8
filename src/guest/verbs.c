/* SPDX-License-Identifier: BSD-2-Clause */
/* What a script may say. */
#include "guest/internal.h"

static const struct guest_verb_row verbs[] = {
	{ "device", "func bdf bar0 bar2 buffer scratch", { stage_device } },
	{ "enumerate", "", { stage_enumerate } },
	{ "mmio-read", "bar offset len t", { stage_mmio_read } },
	{ "mmio-write", "bar offset len t value", { stage_mmio_write } },
	{ "mem-write", "gpa len seed shared", { stage_mem_write } },
	{ "mem-check", "gpa len seed shared", { stage_mem_check } },
	{ "page-accept", "gpa pages level", { stage_page_accept } },
	{ "map-gpa", "gpa len shared", { stage_map_gpa } },
	{ "tdcm", "op which", { stage_tdcm } },
	{ "tdcm-check", "", { stage_tdcm_check } },
	{ "tdcm-bind", "", { stage_tdcm_bind } },
	{ "tdcm-unbind", "", { stage_tdcm_unbind } },
	{ "tdcm-report", "", { stage_tdcm_report } },
	{ "tdcm-start", "", { stage_tdcm_start } },
	{ "tdcm-info", "which", { stage_tdcm_info } },
	{ "lock",
	  "",
	  { stage_tdcm_check, stage_tdcm_bind, stage_tdcm_report, stage_must_be_locked } },
	{ "report-parse", "", { stage_report_parse } },
	{ "attest", "", { stage_report_parse, stage_attest } },
	{ "mmio-accept", "index offset pages gpa level", { stage_mmio_accept } },
	{ "dmar-accept", "", { stage_dmar_accept } },
	{ "tdi-start", "session", { stage_tdi_start } },
	{ "tdi-state", "", { stage_tdi_state } },
	{ "driver-bind", "", { stage_driver_bind } },
	{ "driver-unbind", "", { stage_driver_unbind } },
	{ "irq-setup", "vectors", { stage_irq_setup } },
	{ "dma", "op src dst len vector shared", { stage_dma } },
	{ "dma-check", "src len seed shared", { stage_dma, stage_dma_check } },
};

const struct guest_verb_row *guest_verb_find(const char *name)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}

bool guest_verb_known(const char *name)
{
	return guest_verb_find(name);
}
