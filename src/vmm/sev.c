/* SPDX-License-Identifier: BSD-2-Clause */
/* An SNP guest, as its VMM makes and answers it: KVM_SEV_*, and the GHCB exits of SEV-TIO. */
#include <stdlib.h>

#include "swtio/uapi/ghcb.h"
#include "swtio/uapi/iommufd.h"
#include "swtio/uapi/kvm.h"
#include "swtio/uapi/tsm.h"
#include "vmm/internal.h"

#define PAGE 4096u

static long sev_op(const struct vmm_call *call, uint32_t id, void *data)
{
	struct kvm_sev_cmd cmd = { .id = id, .data = (uint64_t)(uintptr_t)data };

	return vmm_ioctl(call, call->vmm->vm, KVM_MEMORY_ENCRYPT_OP, &cmd);
}

static long snp_create(const struct vmm_call *call)
{
	struct kvm_sev_init init = { .ghcb_version = 2 };

	return sev_op(call, KVM_SEV_INIT2, &init);
}

/* The launch: of what the guest starts with, only the secrets page is of interest here. */
static long snp_finalize(const struct vmm_call *call)
{
	struct kvm_sev_snp_launch_start start = { .policy = 0x30000 };
	struct kvm_sev_snp_launch_update secrets = { .gfn_start = GHCB_SECRETS_GPA / PAGE,
		.len = PAGE, .type = KVM_SEV_SNP_PAGE_TYPE_SECRETS };
	struct kvm_sev_snp_launch_finish finish = { 0 };
	long rc = sev_op(call, KVM_SEV_SNP_LAUNCH_START, &start);

	if (!rc)
		rc = sev_op(call, KVM_SEV_SNP_LAUNCH_UPDATE, &secrets);
	return rc ? rc : sev_op(call, KVM_SEV_SNP_LAUNCH_FINISH, &finish);
}

/* Trusted DMA goes through this very table: the guest's private memory by its guest_memfd, and what is
 * shared also where the guest sees it, above vTOM. */
static long snp_ioas_map(const struct vmm_call *call)
{
	const struct vmm *vmm = call->vmm;
	uint64_t shared = vmm->ram_size - vmm->ram_private;
	const struct vmm_piece pieces[] = {
		{ vmm->guest_memfd, 0, vmm->ram_private, 0 },
		{ vmm->ram, vmm->ram_private, shared, vmm->ram_private },
		{ vmm->ram, vmm->ram_private, shared, vmm->ram_private | VMM_SHARED_BIT },
	};

	return vmm_map_pieces(call, pieces, sizeof(pieces) / sizeof(pieces[0]));
}

/* -- exits ------------------------------------------------------------------------------------- */

static bool shared_page(const struct vmm *vmm, uint64_t gpa)
{
	return gpa % PAGE == 0 && gpa < vmm->ram_size && vmm->ram_size - gpa >= PAGE;
}

static int snp_exit(struct vmm *vmm, const struct vmm_sys *sys, struct kvm_run *run)
{
	if (run->exit_reason != KVM_EXIT_SNP_TIO)
		return VMM_EXIT_OTHER;
	memcpy(vmm->exit_args, run->snp_tio.args, sizeof(vmm->exit_args));
	vmm->exit_op = run->snp_tio.args[0] >> 32;
	vmm->exit_device = run->snp_tio.args[0] & 0xffff;
	run->snp_tio.ret = GHCB_RET_INVALID;
	if (run->snp_tio.nr == GHCB_EXIT_TIO_GUEST_REQUEST) {
		vmm->exit_op = GHCB_TIO_REQUEST;
		vmm->exit_device = vmm->exit_args[4];
		vmm->exit_gpa = vmm->exit_args[1];
		if (!shared_page(vmm, vmm->exit_args[0]) || !shared_page(vmm, vmm->exit_args[1]))
			return vmm_run_store(vmm, sys, run) ? -EFAULT : VMM_EXIT_IDLE;
	}
	if (vmm_run_store(vmm, sys, run))
		return -EFAULT;
	vmm->exit_reason = VMM_EXIT_GUEST;
	return VMM_EXIT_GUEST;
}

/* A message's answer into the guest's page; the exit's result, in any case. */
static int snp_answer(
	const struct vmm_call *call, uint32_t error, const uint8_t *data, uint32_t len)
{
	struct vmm *vmm = call->vmm;
	struct kvm_run run;
	int rc = 0;

	if (vmm->exit_op == GHCB_TIO_REQUEST && !error)
		rc = len <= PAGE ? call->sys->store(call->sys->ctx,
						    vmm->ram_address + vmm->exit_gpa, data, len) :
				   -EMSGSIZE;
	if (!rc)
		rc = vmm_run_load(vmm, call->sys, &run);
	if (rc)
		return rc;
	run.snp_tio.ret = error;
	return vmm_run_store(vmm, call->sys, &run);
}

/* -- tio-request --------------------------------------------------------------------------------- */

struct area {				/* what the host knows of the device, for the guest */
	uint64_t at, size;		/* user address */
	uint32_t used, entries;
	uint64_t corrupt;		/* GHCB_TIO_* of what is to be changed on the way; a bad VMM's */
};

static int area_put(const struct vmm_call *call, struct area *area, uint32_t what,
		    enum vmm_request op, uint8_t *room)
{
	const struct vmm_sys *sys = call->sys;
	int64_t len = vmm_tsm_request(call, op, NULL, 0, room);
	uint8_t entry[GHCB_TIO_ENTRY] = { 0 };
	uint64_t at = area->at + (uint64_t)area->entries * GHCB_TIO_ENTRY;

	if (len < 0)
		return (int)len;
	if ((uint64_t)len > area->size - area->used)
		return -ENOSPC;
	if (area->corrupt & what)
		room[len - 1] ^= 1;
	vmm_put32(entry, what);
	vmm_put32(entry + 4, area->used);
	vmm_put32(entry + 8, (uint32_t)len);
	if (sys->store(sys->ctx, area->at + area->used, room, (size_t)len) ||
	    sys->store(sys->ctx, at, entry, sizeof(entry)))
		return -EFAULT;
	area->used += ((uint32_t)len + 63) & ~63u;
	area->entries++;
	memset(entry, 0, sizeof(entry));
	return sys->store(sys->ctx, at + GHCB_TIO_ENTRY, entry, sizeof(entry));
}

static int area_fill(const struct vmm_call *call, uint8_t *room)
{
	static const struct { uint32_t what; enum vmm_request op; } blobs[] = {
		{ GHCB_TIO_CERTIFICATES, VMM_REQUEST_CERTIFICATES },
		{ GHCB_TIO_MEASUREMENTS, VMM_REQUEST_MEASUREMENTS },
		{ GHCB_TIO_REPORT, VMM_REQUEST_REPORT },
	};
	struct vmm *vmm = call->vmm;
	uint64_t gpa = vmm->exit_args[2], size = vmm->exit_args[3] * PAGE;
	struct area area = { .at = vmm->ram_address + gpa, .size = size, .used = PAGE,
			     .corrupt = vmm_arg_or(call, "corrupt", 0) };
	int rc = 0;

	if (!vmm->exit_args[5])
		return 0;
	if (!shared_page(vmm, gpa) || size < 2 * PAGE || size > vmm->ram_size - gpa)
		return -EINVAL;
	for (size_t i = 0; !rc && i < sizeof(blobs) / sizeof(blobs[0]); i++)
		if (vmm->exit_args[5] & blobs[i].what)
			rc = area_put(call, &area, blobs[i].what, blobs[i].op, room);
	return rc;
}

/* tio-request [corrupt=]: carries the guest's sealed message to the PSP and the answer back, with what
 * of the device the guest wants to see. corrupt= changes a byte of those (2 certificates, 4
 * measurements, 8 report). */
static int64_t tio_request(const struct vmm_call *call)
{
	struct vmm *vmm = call->vmm;
	uint8_t message[PAGE], *room = calloc(1, VMM_ANSWER_MAX);
	int64_t rc = room ? 0 : -ENOMEM;

	if (!rc && (vmm->exit_reason != VMM_EXIT_GUEST || vmm->exit_op != GHCB_TIO_REQUEST))
		rc = -ENOMSG;
	if (rc)
		goto out;
	rc = call->sys->load(call->sys->ctx, vmm->ram_address + vmm->exit_args[0], message, PAGE);
	if (!rc)
		rc = area_fill(call, room);
	if (!rc)
		rc = vmm_tsm_request(call, VMM_REQUEST_MESSAGE, message, PAGE, room);
	snp_answer(call, rc < 0 ? (uint32_t)-rc : 0, room, rc < 0 ? 0 : (uint32_t)rc);
	vmm->exit_reason = 0;
out:
	free(room);
	return rc < 0 ? rc : 0;
}

/* tio-stop: what the guest's OP STOP asks for. */
static int64_t tio_stop(const struct vmm_call *call)
{
	uint8_t *room = calloc(1, VMM_ANSWER_MAX);
	int64_t rc = room ? vmm_tsm_request(call, VMM_REQUEST_STOP, NULL, 0, room) : -ENOMEM;

	free(room);
	if (call->vmm->exit_reason == VMM_EXIT_GUEST) {
		snp_answer(call, rc < 0 ? (uint32_t)-rc : 0, NULL, 0);
		call->vmm->exit_reason = 0;
	}
	return rc;
}

const struct vmm_verb vmm_sev_verbs[] = {
	{ "tio-request", tio_request },
	{ "tio-stop", tio_stop },
	{ NULL, NULL },
};

const struct vmm_platform vmm_sev = {
	.name = "sev",
	.vm_type = KVM_X86_SNP_VM,
	.viommu_type = IOMMU_VIOMMU_TYPE_SEV,
	.create = snp_create,
	.finalize = snp_finalize,
	.exit = snp_exit,
	.answer = snp_answer,
	.ioas_map = snp_ioas_map,
};
