/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <string.h>

#include "hardware/cpu.h"
#include "kernel/tsm/internal.h"
#include "kernel/tsm/sev_host.h"

struct sev_host {			/* one a machine; hung at the TSM core's root */
	bool snp, tio;
	const uint8_t *command;		/* a page: the command buffer, and at 2 KiB the answer */
};
#define ANSWER_OFFSET 2048u

static const struct { enum sev_status status; int error; } errors[] = {
	{ SEV_SUCCESS, 0 },
	{ SEV_RESOURCE_LIMIT, ENOMEM },
	{ SEV_INVALID_PARAM, EINVAL },
	{ SEV_DEV_BUSY, EBUSY },
	{ SEV_TDI_BOUND, EBUSY },
	{ SEV_TDI_INVALID_STATE, EPROTO },
	{ SEV_DEV_INVALID_STATE, EPROTO },
};

int sev_host_errno(enum sev_status status)
{
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (errors[i].status == status)
			return -errors[i].error;
	return -EIO;
}

static const struct sev_host *sev_host(void)
{
	struct sev_host *host;

	if (tsm_platform())
		return tsm_platform();
	host = image_alloc(sizeof(*host), IMAGE_TYPE_ROOT);
	if (!host)
		return NULL;
	host->command = image_bulk_alloc(PHYS_PAGE, IMAGE_TYPE_SEV_PAGE);
	tsm_platform_set(host);
	return host;
}

enum sev_status sev_host_command(enum lane from, enum sev_command_id id,
				 const struct sev_command *args)
{
	const struct sev_host *host = sev_host();

	if (!host || !host->command ||
	    !sev_command_encode(id, args, image_bulk_write(host->command, SEV_BUFFER_MAX)))
		return SEV_RESOURCE_LIMIT;
	return sev_command(from, id, phys_of(host->command));
}

uint64_t sev_host_page(void)
{
	const struct sev_host *host = sev_host();

	if (!host || !host->command)
		return 0;
	memset(image_bulk_write(host->command + ANSWER_OFFSET, ANSWER_OFFSET), 0, ANSWER_OFFSET);
	return phys_of(host->command) + ANSWER_OFFSET;
}

int sev_host_init(enum lane from, enum sev_status *status)
{
	const struct sev_host *host = sev_host();
	const struct sev_command args = { .flags = SEV_INIT_TIO };
	struct sev_host *w;

	*status = SEV_SUCCESS;
	if (!host)
		return -ENOMEM;
	if (!host->snp) {
		*status = sev_host_command(from, SEV_CMD_SNP_INIT_EX, &args);
		if (*status && *status != SEV_INVALID_PLATFORM_STATE)
			return sev_host_errno(*status);
		w = image_write(host);
		w->snp = true;
	}
	if (!host->tio) {
		const struct sev_command ask = { .out = sev_host_page() };

		*status = sev_host_command(from, SEV_CMD_TIO_STATUS, &ask);
		if (!*status)
			*status = sev_host_command(from, SEV_CMD_TIO_INIT, &args);
		/* a process died between the command and what it wrote down */
		if (*status && *status != SEV_DEV_BUSY)
			return sev_host_errno(*status);
		w = image_write(host);
		w->tio = true;
	}
	*status = SEV_SUCCESS;
	return 0;
}

uint64_t sev_firmware_page(enum lane from)
{
	const struct rmp_entry firmware = { .assigned = true, .immutable = true };
	const void *page = image_bulk_alloc(PHYS_PAGE, IMAGE_TYPE_SEV_PAGE);

	if (!page)
		return 0;
	if (!rmpupdate(from, phys_of(page), 1, &firmware))
		return phys_of(page);
	image_bulk_free(page);
	return 0;
}

void sev_firmware_page_free(enum lane from, uint64_t hpa)
{
	const struct sev_command args = { .in = hpa };
	const struct rmp_entry shared = { 0 };
	struct rmp_entry entry = rmp_read(hpa);

	if (!hpa)
		return;
	if (entry.assigned && entry.immutable)
		sev_host_command(from, SEV_CMD_SNP_PAGE_RECLAIM, &args);
	if (!entry.assigned || !rmpupdate(from, hpa, 1, &shared))
		image_bulk_free(phys_ram(hpa, PHYS_PAGE));
}
