/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>

#include "hardware/phys.h"
#include "kernel/tsm/cca_host.h"
#include "kernel/tsm/internal.h"

static const struct { enum rmi_status status; int error; } errors[] = {
	{ RMI_SUCCESS, 0 },	       { RMI_BUSY, EBUSY },	     { RMI_ERROR_INPUT, EINVAL },
	{ RMI_ERROR_DEVICE, EPROTO },  { RMI_ERROR_GRANULE, EBUSY }, { RMI_ERROR_REALM, EPERM },
};

int cca_host_errno(uint64_t result)
{
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (errors[i].status == rmi_status(result))
			return -errors[i].error;
	return -EIO;
}

uint64_t cca_host_call(enum lane from, enum rmi_command command, struct smc_args *args)
{
	const struct smc_args in = *args;
	unsigned int tries = 0;
	uint64_t result;

	do {
		*args = in;
		result = cca_rmi(from, command, args);
	} while (rmi_status(result) == RMI_BUSY && tsm_wait(IMAGE_WAIT_BUSY, &tries));
	return result;
}

/* A range command does as much as it can: again, from where it came to. */
static int range_call(enum lane from, enum rmi_command command, uint64_t hpa, uint64_t len)
{
	for (uint64_t at = hpa; at < hpa + len;) {
		struct smc_args args = { .x = { 0, at, hpa + len } };
		uint64_t result = cca_host_call(from, command, &args);

		if (result)
			return cca_host_errno(result);
		at = args.x[1];
	}
	return 0;
}

int cca_undelegate(enum lane from, uint64_t hpa, uint64_t len)
{
	return range_call(from, RMI_GRANULE_RANGE_UNDELEGATE, hpa, len);
}

int cca_delegate(enum lane from, uint64_t hpa, uint64_t len)
{
	int rc = range_call(from, RMI_GRANULE_RANGE_DELEGATE, hpa, len);

	for (uint64_t at = hpa; rc && at < hpa + len; at += PHYS_PAGE)
		if (granule_state(at) == GRANULE_DELEGATED)
			cca_undelegate(from, at, PHYS_PAGE);
	return rc;
}

int cca_granule_make(enum lane from, const uint64_t *granule)
{
	const void *page;
	uint64_t *w;

	if (!*granule) {
		page = image_bulk_alloc(PHYS_PAGE, IMAGE_TYPE_CCA_PAGE);
		if (!page)
			return -ENOMEM;
		w = image_write(granule);
		*w = phys_of(page);
	}
	return granule_state(*granule) == GRANULE_UNDELEGATED ?
		       cca_delegate(from, *granule, PHYS_PAGE) : 0;
}

void cca_granule_free(enum lane from, uint64_t hpa, uint64_t len)
{
	if (!hpa)
		return;
	if (granule_state(hpa) == GRANULE_DELEGATED)
		cca_undelegate(from, hpa, len);
	if (granule_state(hpa) == GRANULE_UNDELEGATED)
		image_bulk_free(phys_ram(hpa, len));
}
