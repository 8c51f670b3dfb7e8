/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <string.h>

#include "kernel/tsm/internal.h"
#include "kernel/tsm/tdx_host.h"

static const struct { uint64_t status; int error; } errors[] = {
	{ TDX_SUCCESS, 0 },
	{ TDX_OPERAND_BUSY, EBUSY },
	{ TDX_INTERRUPTED_RESUMABLE, EBUSY },
	{ TDX_OPERAND_INVALID, EINVAL },
	{ TDX_TDI_TDISP_INVALID_STATE, EPROTO },
	{ TDX_TDI_INVALID_STATE, EPROTO },
	{ TDX_TDI_NOT_AUTHORISED, EPERM },
	{ TDX_TDI_BIND_SESSION_MISMATCH, EPERM },
	{ TDX_TDI_ALREADY_EXISTS, EBUSY },
	{ TDX_MMIO_ALREADY_OWNED, EBUSY },
};

int tdx_host_errno(uint64_t status)
{
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (errors[i].status == tdx_class(status))
			return -errors[i].error;
	return -EIO;
}

bool tdx_host_wait(uint64_t status, unsigned int *tries)
{
	enum image_wait point =
		tdx_class(status) == TDX_OPERAND_BUSY ? IMAGE_WAIT_BUSY : IMAGE_WAIT_RESUMABLE;

	return tsm_wait(point, tries);
}

uint64_t tdx_host_call(enum lane from, enum tdx_leaf leaf, struct tdx_args *args)
{
	const struct tdx_args in = *args;
	unsigned int tries = 0;
	uint64_t status;

	do {
		*args = in;
		status = tdx_seamcall(from, leaf, args);
		if (tdx_class(status) != TDX_OPERAND_BUSY &&
		    tdx_class(status) != TDX_INTERRUPTED_RESUMABLE)
			return status;
	} while (tdx_host_wait(status, &tries));
	return status;
}

uint64_t tdx_page_alloc(void)
{
	const void *page = image_bulk_alloc(PHYS_PAGE, IMAGE_TYPE_TDX_PAGE);

	return page ? phys_of(page) : 0;
}

void tdx_page_free(uint64_t hpa)
{
	if (hpa && !phys_owner(hpa))
		image_bulk_free(phys_ram(hpa, PHYS_PAGE));
}

uint64_t tdx_host_invalidate(enum lane from, enum tdx_inv what, uint64_t operand)
{
	int iommu = tdx_host_iommu();
	struct tdx_args args = { .rcx = (uint64_t)iommu, .rdx = what, .r8 = operand };
	uint64_t status;

	if (iommu < 0)
		return TDX_SUCCESS;	/* no trusted IOMMU: nothing can be cached in it */
	status = tdx_host_call(from, TDX_IQ_INV_REQUEST, &args);
	if (status || mutant(MUTANT_SKIP_IOTLB))
		return status;
	for (unsigned int i = 0; i < TSM_BUSY_TRIES; i++) {
		args = (struct tdx_args){ .rcx = (uint64_t)iommu };
		status = tdx_host_call(from, TDX_IQ_INV_PROCESS, &args);
		if (tdx_class(status) != TDX_IQ_INV_PENDING)
			break;
	}
	return status;
}
