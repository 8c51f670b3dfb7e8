/* SPDX-License-Identifier: BSD-2-Clause */
/* /dev/ioasid: the verbs of the proposal's flows, and what proves them: memory and an engine's
 * copy. */
#include <fcntl.h>
#include <stddef.h>
#include <sys/mman.h>

#include "swtio/uapi/ioasid.h"
#include "swtio/uapi/vfio.h"
#include "vmm/internal.h"

static uint32_t number(const struct vmm_call *call, const char *key, uint32_t otherwise)
{
	return (uint32_t)vmm_arg_or(call, key, otherwise);
}

static int64_t ioasid_call(const struct vmm_call *call, unsigned int cmd, void *arg)
{
	return vmm_ioctl(call, call->vmm->ioasid, cmd, arg);
}

static int64_t open_ioasid(const struct vmm_call *call)
{
	call->vmm->ioasid = call->sys->open(call->sys->ctx, "/dev/ioasid", O_RDWR | O_CLOEXEC);
	return call->vmm->ioasid < 0 ? call->vmm->ioasid : 0;
}

static int64_t close_ioasid(const struct vmm_call *call)
{
	return vmm_close(call, &call->vmm->ioasid);
}

/* -- spaces ------------------------------------------------------------------------------------ */

/* ioasid-alloc [parent=] */
static int64_t ioasid_alloc(const struct vmm_call *call)
{
	uint64_t parent;

	if (vmm_arg(call, "parent", &parent))
		return ioasid_call(call, IOASID_ALLOC_IOASID_NESTED, (void *)(uintptr_t)parent);
	return ioasid_call(call, IOASID_ALLOC_IOASID, NULL);
}

/* ioasid-table parent= (allocated with its table) or ioasid= (bound now), addr= format=
 * [pasid-levels= pasid-bits=]: a PASID table with these, else a page table. */
static int64_t ioasid_table(const struct vmm_call *call)
{
	struct ioasid_table table = { .format = number(call, "format", IOASID_FORMAT_VTD),
				      .addr = vmm_arg_or(call, "addr", 0),
				      .flags = number(call, "flags", 0),
				      .pasid_levels = number(call, "pasid-levels", 0),
				      .pasid_bits = number(call, "pasid-bits", 0) };
	uint64_t parent;

	if (vmm_arg(call, "parent", &parent)) {
		table.ioasid = (uint32_t)parent;
		return ioasid_call(call, table.pasid_levels ? IOASID_ALLOC_IOASID_PASID_TABLE
							    : IOASID_ALLOC_IOASID_PGTABLE, &table);
	}
	table.ioasid = number(call, "ioasid", 0);
	return ioasid_call(call, table.pasid_levels ? IOASID_BIND_PASID_TABLE : IOASID_BIND_PGTABLE,
			   &table);
}

static int64_t ioasid_free(const struct vmm_call *call)
{
	return ioasid_call(call, IOASID_FREE, (void *)(uintptr_t)vmm_arg_or(call, "ioasid", 0));
}

static int64_t ioasid_invalidate(const struct vmm_call *call)
{
	struct ioasid_invalidate inv = { .ioasid = number(call, "ioasid", 0),
					 .flags = number(call, "flags", 0),
					 .addr = vmm_arg_or(call, "addr", 0),
					 .size = vmm_arg_or(call, "size", 0),
					 .pasid = number(call, "pasid", 0) };

	return ioasid_call(call, IOASID_INVALIDATE_CACHE, &inv);
}

/* -- devices ----------------------------------------------------------------------------------- */

/* ioasid-bind [dev=]: the device's label. */
static int64_t ioasid_bind(const struct vmm_call *call)
{
	struct vmm_device *device = vmm_device_of(call);

	return device ? vmm_ioctl(call, device->fd, VFIO_BIND_IOASID_FD,
				  (void *)(uintptr_t)call->vmm->ioasid) : -EDOM;
}

static int64_t attachment(const struct vmm_call *call, unsigned int cmd)
{
	struct vmm_device *device = vmm_device_of(call);
	struct vfio_ioasid_attach attach = { .ioasid = number(call, "ioasid", 0) };
	uint64_t pasid;

	if (vmm_arg(call, "pasid", &pasid)) {
		attach.flag = IOASID_ATTACH_USER_PASID;
		attach.user_pasid = (uint32_t)pasid;
	}
	return device ? vmm_ioctl(call, device->fd, cmd, &attach) : -EDOM;
}

static int64_t ioasid_attach(const struct vmm_call *call)
{
	return attachment(call, VFIO_ATTACH_IOASID);
}

static int64_t ioasid_detach(const struct vmm_call *call)
{
	return attachment(call, VFIO_DETACH_IOASID);
}

/* -- memory ------------------------------------------------------------------------------------ */

/* memory size=: guest memory without a VM. */
static int64_t memory(const struct vmm_call *call)
{
	struct vmm *vmm = call->vmm;

	vmm->ram_size = vmm_arg_or(call, "size", 16ull << 20);
	vmm->ram = call->sys->memfd(call->sys->ctx, "ram", vmm->ram_size);
	if (vmm->ram < 0)
		return vmm->ram;
	return call->sys->mmap(call->sys->ctx, vmm->ram_size, PROT_READ | PROT_WRITE, MAP_SHARED,
			       vmm->ram, 0, &vmm->ram_address);
}

/* poke at= value=, peek at=: eight bytes of it. */
static int64_t poke(const struct vmm_call *call)
{
	uint64_t value = vmm_arg_or(call, "value", 0);

	return call->sys->store(call->sys->ctx, call->vmm->ram_address + vmm_arg_or(call, "at", 0),
				&value, sizeof(value));
}

static int64_t peek(const struct vmm_call *call)
{
	uint64_t value = 0;
	int rc = call->sys->load(call->sys->ctx,
				 call->vmm->ram_address + vmm_arg_or(call, "at", 0), &value,
				 sizeof(value));

	return rc ? rc : (int64_t)value;
}

static int64_t registration(const struct vmm_call *call, unsigned int cmd)
{
	struct ioasid_memory range = { .vaddr = call->vmm->ram_address + vmm_arg_or(call, "ram", 0),
				       .size = vmm_arg_or(call, "size", call->vmm->ram_size) };

	return ioasid_call(call, cmd, &range);
}

static int64_t ioasid_register(const struct vmm_call *call)
{
	return registration(call, IOASID_REGISTER_MEMORY);
}

static int64_t ioasid_unregister(const struct vmm_call *call)
{
	return registration(call, IOASID_UNREGISTER_MEMORY);
}

/* ioasid-map ioasid= iova= size= [flags=], and ram= (an offset of guest memory), to= (of the
 * parent) or bar= [dev=] (as a dma-buf, which is open). */
static int64_t ioasid_map(const struct vmm_call *call)
{
	struct ioasid_dma_map map = { .ioasid = number(call, "ioasid", 0),
				      .flags = number(call, "flags", 0),
				      .iova = vmm_arg_or(call, "iova", 0),
				      .vaddr = vmm_arg_or(call, "to", 0),
				      .size = vmm_arg_or(call, "size", 4096) };
	uint64_t ram, bar;

	if (vmm_arg(call, "ram", &ram))
		map.vaddr = call->vmm->ram_address + ram;
	if (vmm_arg(call, "bar", &bar)) {
		if (!vmm_bar_of(call))
			return -EDOM;
		map.flags |= IOASID_DMA_MAP_DMABUF;
		map.dmabuf = vmm_bar_of(call)->dmabuf[VMM_SHARED];
	}
	return ioasid_call(call, IOASID_DMA_MAP, &map);
}

static int64_t ioasid_unmap(const struct vmm_call *call)
{
	struct ioasid_dma_unmap unmap = { .ioasid = number(call, "ioasid", 0),
					  .iova = vmm_arg_or(call, "iova", 0),
					  .size = vmm_arg_or(call, "size", 4096) };

	return ioasid_call(call, IOASID_DMA_UNMAP, &unmap);
}

/* -- the engine: a driver in the VMM, so that what a device reaches is seen -------------------- */

enum { STATUS = 0x04, CONTROL = 0x08, OP = 0x0c, SRC = 0x10, DST = 0x18, LEN = 0x20, PASID = 0x38,
       STEP = 0x3c };

/* engine src= dst= [len=] [pasid=] [step=] [dev=]: how the copy ended, or that it goes on. */
static int64_t engine(const struct vmm_call *call)
{
	const struct { uint64_t at, value, size; } writes[] = {
		{ OP, 1, 4 }, { SRC, vmm_arg_or(call, "src", 0), 8 },
		{ DST, vmm_arg_or(call, "dst", 0), 8 }, { LEN, vmm_arg_or(call, "len", 8), 4 },
		{ PASID, vmm_arg_or(call, "pasid", UINT32_MAX), 4 },
		{ STEP, vmm_arg_or(call, "step", 0), 4 }, { CONTROL, 1, 4 } };
	struct vmm_device *device = vmm_device_of(call);
	uint32_t status = 0;
	ssize_t n = 0;

	if (!device)
		return -EDOM;
	for (size_t i = 0; n >= 0 && i < sizeof(writes) / sizeof(writes[0]); i++)
		n = call->sys->pwrite(call->sys->ctx, device->fd, &writes[i].value, writes[i].size,
				      writes[i].at);
	if (n >= 0)
		n = call->sys->pread(call->sys->ctx, device->fd, &status, sizeof(status), STATUS);
	return n < 0 ? n : (int64_t)status;
}

/* engine-step [dev=]: one step further. It reads nothing, as that would push what is on its way. */
static int64_t engine_step(const struct vmm_call *call)
{
	const uint32_t go_on = 4;
	struct vmm_device *device = vmm_device_of(call);
	ssize_t n = device ? call->sys->pwrite(call->sys->ctx, device->fd, &go_on, sizeof(go_on),
					       CONTROL) : -EDOM;

	return n < 0 ? n : 0;
}

/* calls: ioctls since the last time, to compare ways by. */
static int64_t calls(const struct vmm_call *call)
{
	uint32_t made = call->vmm->calls;

	call->vmm->calls = 0;
	return made;
}

/* -- faults ------------------------------------------------------------------------------------ */

static int64_t fault_setup(const struct vmm_call *call)
{
	struct ioasid_fault_setup setup = { .entries = number(call, "entries", 16), .eventfd = -1 };
	int64_t rc = ioasid_call(call, IOASID_FAULT_SETUP, &setup);

	return rc ? rc : call->sys->mmap(call->sys->ctx, 4096, PROT_READ | PROT_WRITE, MAP_SHARED,
					 call->vmm->ioasid, 0, &call->vmm->ring_address);
}

/* fault what=: a field of the first fault that was not taken; ENODATA: there is none. */
static int64_t fault(const struct vmm_call *call)
{
	static const struct { const char *name; uint8_t at, size; } fields[] = {
		{ "ioasid", offsetof(struct ioasid_fault, ioasid), 4 },
		{ "label", offsetof(struct ioasid_fault, label), 4 },
		{ "pasid", offsetof(struct ioasid_fault, pasid), 4 },
		{ "addr", offsetof(struct ioasid_fault, addr), 8 },
		{ "cookie", offsetof(struct ioasid_fault, cookie), 8 } };
	const char *what = vmm_text(call, "what");
	uint64_t at = call->vmm->ring_address, value = 0;
	struct ioasid_fault_ring ring;
	int rc = call->sys->load(call->sys->ctx, at, &ring, sizeof(ring));

	if (rc)
		return rc;
	if (ring.head == ring.tail)
		return -ENODATA;
	at += sizeof(ring) + ring.tail % ring.entries * sizeof(struct ioasid_fault);
	for (size_t i = 0; what && i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (strcmp(fields[i].name, what))
			continue;
		rc = call->sys->load(call->sys->ctx, at + fields[i].at, &value, fields[i].size);
		return rc ? rc : (int64_t)value;
	}
	return -EDOM;
}

static int64_t fault_take(const struct vmm_call *call)
{
	uint64_t at = call->vmm->ring_address + offsetof(struct ioasid_fault_ring, tail);
	uint32_t tail = 0;
	int rc = call->sys->load(call->sys->ctx, at, &tail, sizeof(tail));

	tail++;
	return rc ? rc : call->sys->store(call->sys->ctx, at, &tail, sizeof(tail));
}

static int64_t fault_respond(const struct vmm_call *call)
{
	struct ioasid_fault_response response = { .ioasid = number(call, "ioasid", 0),
						  .flags = number(call, "flags", 0),
						  .cookie = vmm_arg_or(call, "cookie", 0),
						  .code = number(call, "code", 0) };

	return ioasid_call(call, IOASID_FAULT_RESPOND, &response);
}

const struct vmm_verb vmm_ioasid_verbs[] = {
	{ "open-ioasid", open_ioasid },
	{ "close-ioasid", close_ioasid },
	{ "ioasid-alloc", ioasid_alloc },
	{ "ioasid-table", ioasid_table },
	{ "ioasid-free", ioasid_free },
	{ "ioasid-invalidate", ioasid_invalidate },
	{ "ioasid-bind", ioasid_bind },
	{ "ioasid-attach", ioasid_attach },
	{ "ioasid-detach", ioasid_detach },
	{ "ioasid-register", ioasid_register },
	{ "ioasid-unregister", ioasid_unregister },
	{ "ioasid-map", ioasid_map },
	{ "ioasid-unmap", ioasid_unmap },
	{ "memory", memory },
	{ "poke", poke },
	{ "peek", peek },
	{ "engine", engine },
	{ "engine-step", engine_step },
	{ "calls", calls },
	{ "fault-setup", fault_setup },
	{ "fault", fault },
	{ "fault-take", fault_take },
	{ "fault-respond", fault_respond },
	{ NULL, NULL },
};
