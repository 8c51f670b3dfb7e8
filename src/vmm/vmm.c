/* SPDX-License-Identifier: BSD-2-Clause */
/* Verbs by name, and their arguments. */
#include "vmm/internal.h"

static const struct vmm_verb *const tables[] = {
	vmm_vm_verbs, vmm_iommu_verbs, vmm_device_verbs, vmm_dmabuf_verbs, vmm_tsm_verbs,
	vmm_ioasid_verbs, vmm_sev_verbs,
};

static const struct vmm_platform *const platforms[] = { &vmm_tdx, &vmm_sev, &vmm_cca };

const struct vmm_platform *vmm_platform_find(const char *name)
{
	for (size_t i = 0; i < sizeof(platforms) / sizeof(platforms[0]); i++)
		if (!strcmp(platforms[i]->name, name))
			return platforms[i];
	return NULL;
}

const struct vmm_platform *vmm_platform(const struct vmm *vmm)
{
	for (size_t i = 0; i < sizeof(platforms) / sizeof(platforms[0]); i++)
		if (platforms[i]->vm_type == vmm->vm_type)
			return platforms[i];
	return NULL;
}

static const struct vmm_verb *verb_find(const char *name)
{
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		for (const struct vmm_verb *verb = tables[i]; verb->name; verb++)
			if (!strcmp(verb->name, name))
				return verb;
	return NULL;
}

bool vmm_verb_known(const char *name)
{
	return verb_find(name) != NULL;
}

int64_t vmm_verb(
	struct vmm *vmm, const struct vmm_sys *sys, const char *name, const struct vmm_args *args)
{
	const struct vmm_call call = { vmm, sys, args };
	const struct vmm_verb *verb = verb_find(name);

	return verb ? verb->run(&call) : -ENOSYS;
}

void vmm_init(struct vmm *vmm)
{
	memset(vmm, 0, sizeof(*vmm));
	vmm->ioasid = vmm->fault_queue = -1;
	vmm->iommu = vmm->kvm = vmm->vm = vmm->vcpu = vmm->vfio_dev = vmm->ram = vmm->guest_memfd =
		-1;
	for (unsigned int i = 0; i < VMM_DEVICES; i++) {
		struct vmm_device *device = &vmm->device[i];

		device->fd = -1;
		for (unsigned int v = 0; v < VMM_VECTORS; v++)
			device->irq[v] = -1;
		for (unsigned int b = 0; b < VMM_BARS; b++)
			for (unsigned int kind = 0; kind < VMM_KINDS; kind++)
				device->bar[b].dmabuf[kind] = -1;
	}
}

static const struct vmm_arg *arg_find(const struct vmm_call *call, const char *key)
{
	for (unsigned int i = 0; i < call->args->n; i++)
		if (!strcmp(call->args->arg[i].key, key))
			return &call->args->arg[i];
	return NULL;
}

bool vmm_arg(const struct vmm_call *call, const char *key, uint64_t *value)
{
	const struct vmm_arg *arg = arg_find(call, key);

	if (!arg)
		return false;
	*value = arg->value;
	return true;
}

uint64_t vmm_arg_or(const struct vmm_call *call, const char *key, uint64_t otherwise)
{
	vmm_arg(call, key, &otherwise);
	return otherwise;
}

const char *vmm_text(const struct vmm_call *call, const char *key)
{
	const struct vmm_arg *arg = arg_find(call, key);

	return arg ? arg->text : NULL;
}

struct vmm_device *vmm_device_of(const struct vmm_call *call)
{
	uint64_t number = vmm_arg_or(call, "dev", 0);

	return number < VMM_DEVICES ? &call->vmm->device[number] : NULL;
}

struct vmm_bar *vmm_bar_of(const struct vmm_call *call)
{
	struct vmm_device *device = vmm_device_of(call);
	uint64_t number;

	if (!device || !vmm_arg(call, "bar", &number) || number >= VMM_BARS)
		return NULL;
	return &device->bar[number];
}

int vmm_close(const struct vmm_call *call, int *fd)
{
	int rc;

	if (*fd < 0)
		return -EBADF;
	rc = call->sys->close(call->sys->ctx, *fd);
	*fd = -1;
	return rc;
}

int vmm_slot_find(const struct vmm *vmm)
{
	for (unsigned int i = 0; i < VMM_SLOTS; i++)
		if (!vmm->slot[i].used)
			return (int)i;
	return -ENOSPC;
}
