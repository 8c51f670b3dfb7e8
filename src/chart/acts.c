/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a platform calls by a name of its own and all of them do, or do not: the rows of a
 * comparison. An event of the trace stands for an act by its name, and by one argument where the
 * name does not say it all.
 */
#include <string.h>

#include "chart/rows.h"
#include "chart/story.h"
#include "hardware/phys.h"

enum act_id {
	ACT_SESSION, ACT_KEYS, ACT_SECURE, ACT_OPEN, ACT_VIOMMU, ACT_VDEVICE, ACT_FIRST_RUN,
	ACT_DMA_SHARED, ACT_HOST_OFF, ACT_OWN, ACT_BIND, ACT_LOCK, ACT_REPORT, ACT_REQUEST, ACT_MAP,
	ACT_ACCEPT_MMIO, ACT_ACCEPT_DMA, ACT_START, ACT_DMA_PRIVATE, ACT_DMA_OFF, ACT_GUEST_LETS_GO,
	ACT_UNMAP, ACT_STOP, ACT_DISOWN, ACT_HOST_ON, ACT_UNBIND, ACT_RESET, ACT_KEYS_STOP, ACT_MAX
};

static const struct act acts[ACT_MAX] = {
	[ACT_SESSION] = { "SPDM session", false },
	[ACT_KEYS] = { "IDE keys programmed", false },
	[ACT_SECURE] = { "IDE stream secure", false },
	[ACT_OPEN] = { "function bound to iommufd", false },
	[ACT_VIOMMU] = { "vIOMMU", false },
	[ACT_VDEVICE] = { "vDEVICE", false },
	[ACT_FIRST_RUN] = { "first KVM run", true },
	[ACT_DMA_SHARED] = { "DMA with T=0", false },
	[ACT_BIND] = { "VMM asks for bind", false },
	[ACT_HOST_OFF] = { "host access off", false },
	[ACT_OWN] = { "pages are the TVM's", false },
	[ACT_LOCK] = { "device: LOCK", false },
	[ACT_REPORT] = { "device: report", false },
	[ACT_REQUEST] = { "guest request carried", false },
	[ACT_MAP] = { "private MMIO mapped", false },
	[ACT_ACCEPT_MMIO] = { "guest accepts MMIO", false },
	[ACT_ACCEPT_DMA] = { "guest lets DMA in", false },
	[ACT_START] = { "device: START", false },
	[ACT_DMA_PRIVATE] = { "DMA with T=1", false },
	[ACT_DMA_OFF] = { "DMA with T=1 off", false },
	[ACT_GUEST_LETS_GO] = { "guest gives MMIO back", false },
	[ACT_UNBIND] = { "VMM asks for unbind", false },
	[ACT_UNMAP] = { "private MMIO unmapped", false },
	[ACT_STOP] = { "device: STOP", false },
	[ACT_DISOWN] = { "pages are the host's", false },
	[ACT_HOST_ON] = { "host access on", false },
	[ACT_RESET] = { "reset by VFIO", false },
	[ACT_KEYS_STOP] = { "IDE keys stopped", false },
};

static const struct {
	const char *event;
	uint8_t act;
	const char *key;		/* NULL: the name says it all */
	uint64_t value;
	const char *mmio;		/* the argument that must be an address of MMIO; NULL: none */
} names[] = {
	{ "SPDM KEY_EXCHANGE", ACT_SESSION, NULL, 0 },
	{ "IDE_KM KEY_PROG", ACT_KEYS, NULL, 0 },
	{ "IDE_KM K_SET_STOP", ACT_KEYS_STOP, NULL, 0 },
	{ "IDE stream", ACT_SECURE, "secure", 1 },
	{ "VFIO_DEVICE_BIND_IOMMUFD", ACT_OPEN, NULL, 0 },
	{ "VFIO_DEVICE_RESET", ACT_RESET, NULL, 0 },
	{ "VIOMMU_ALLOC", ACT_VIOMMU, NULL, 0 },
	{ "VDEVICE_ALLOC", ACT_VDEVICE, NULL, 0 },
	{ "VDEVICE_TSM_OP", ACT_BIND, "type", 1 },
	{ "VDEVICE_TSM_OP", ACT_UNBIND, "type", 2 },
	{ "VFIO_DEVICE_TSM_BIND", ACT_BIND, NULL, 0 },
	{ "VFIO_DEVICE_TSM_UNBIND", ACT_UNBIND, NULL, 0 },
	{ "VDEVICE_TSM_REQ", ACT_REQUEST, NULL, 0 },
	{ "KVM_RUN", ACT_FIRST_RUN, NULL, 0 },
	{ "engine COPY", ACT_DMA_SHARED, "t", 0 },
	{ "engine COPY", ACT_DMA_PRIVATE, "t", 1 },
	{ "tsm binding: host access off", ACT_HOST_OFF, NULL, 0 },
	{ "tsm unbound: recover MMIO", ACT_HOST_ON, NULL, 0 },
	{ "TDISP LOCK_INTERFACE", ACT_LOCK, NULL, 0 },
	{ "TDISP GET_DEVICE_INTERFACE_REPORT", ACT_REPORT, NULL, 0 },
	{ "TDISP START_INTERFACE", ACT_START, NULL, 0 },
	{ "TDISP STOP_INTERFACE", ACT_STOP, NULL, 0 },
	/* Intel TDX Connect */
	{ "TDH.MMIOMT.SET", ACT_DISOWN, "func", 0 },
	{ "TDH.MMIOMT.SET", ACT_OWN, NULL, 0 },
	{ "TDH.MMIO.MAP", ACT_MAP, NULL, 0 },
	{ "TDG.MMIO.ACCEPT", ACT_ACCEPT_MMIO, NULL, 0 },
	{ "TDG.DMAR.ACCEPT", ACT_ACCEPT_DMA, NULL, 0 },
	{ "TDH.DMAR.BLOCK", ACT_DMA_OFF, NULL, 0 },
	{ "TDH.MMIO.UNMAP", ACT_UNMAP, NULL, 0 },
	/* AMD SEV-TIO */
	{ "RMPUPDATE", ACT_OWN, "assigned", 1, "hpa" },
	{ "RMPUPDATE", ACT_DISOWN, "assigned", 0, "hpa" },
	{ "RMP validated", ACT_ACCEPT_MMIO, "to", 1 },
	{ "RMP validated", ACT_GUEST_LETS_GO, "to", 0 },
	{ "sDTE", ACT_ACCEPT_DMA, "to", 1 },
	{ "sDTE", ACT_DMA_OFF, "to", 0 },
	/* Arm CCA */
	{ "RMI_GRANULE_RANGE_DELEGATE", ACT_OWN, NULL, 0, "base" },
	{ "RMI_RTT_DEV_MAP", ACT_MAP, NULL, 0 },
	{ "RSI_VDEV_VALIDATE_MAPPING", ACT_ACCEPT_MMIO, NULL, 0 },
	{ "RSI_VDEV_DMA_ENABLE", ACT_ACCEPT_DMA, NULL, 0 },
	{ "RSI_VDEV_DMA_DISABLE", ACT_DMA_OFF, NULL, 0 },
	{ "RMI_RTT_DEV_UNMAP", ACT_UNMAP, NULL, 0 },
	{ "RMI_GRANULE_RANGE_UNDELEGATE", ACT_DISOWN, NULL, 0, "base" },
};

const struct act *act_of(const struct trace_event *event)
{
	if (event->kind == TRACE_KIND_CALL && chart_failed(event))
		return NULL;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strncmp(event->name, names[i].event, TRACE_NAME))
			continue;
		if (names[i].mmio && trace_arg_value(event, names[i].mmio, PHYS_ARENA) >= PHYS_ARENA)
			continue;
		if (!names[i].key || trace_arg_value(event, names[i].key, ~0ull) == names[i].value)
			return &acts[names[i].act];
	}
	return NULL;
}
