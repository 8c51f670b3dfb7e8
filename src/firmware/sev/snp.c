/* SPDX-License-Identifier: BSD-2-Clause */
/* SNP itself: the platform, and guests from their context page to their end. */
#include "firmware/sev/internal.h"
#include "hardware/platform.h"

const struct sev_guest *sev_guest_of(uint64_t ctx)
{
	const struct sev_guest *guest = sev_psp() && ctx ? sev_psp()->guests : NULL;

	while (guest && guest->ctx != ctx)
		guest = guest->next;
	return guest;
}

static enum sev_status snp_init(const struct call *call)
{
	struct sev_psp *w = sev_psp_write();

	if (w->snp)
		return SEV_INVALID_PLATFORM_STATE;
	w->snp = true;
	w->tio = call->args.flags & SEV_INIT_TIO;
	return SEV_SUCCESS;
}

static enum sev_status snp_shutdown(const struct call *call)
{
	const struct sev_psp *psp = sev_psp();
	struct sev_psp *w;

	(void)call;
	if (psp->guests || psp->devices)
		return SEV_INVALID_PLATFORM_STATE;
	w = sev_psp_write();
	w->snp = w->tio = w->tio_init = false;
	return SEV_SUCCESS;
}

static enum sev_status gctx_create(const struct call *call)
{
	struct sev_guest *guest;

	if (!sev_psp()->snp)
		return SEV_INVALID_PLATFORM_STATE;
	if (!sev_page_free(call->args.gctx))
		return SEV_INVALID_PAGE_STATE;
	guest = image_alloc(sizeof(*guest), IMAGE_TYPE_SEV);
	if (!guest)
		return SEV_NO_MEMORY;
	guest->ctx = call->args.gctx;
	guest->next = sev_psp()->guests;
	sev_psp_write()->guests = guest;
	return SEV_SUCCESS;
}

static enum sev_status guest_activate(const struct call *call)
{
	const struct sev_guest *guest = sev_guest_of(call->args.gctx);

	if (!guest)
		return SEV_INVALID_ADDRESS;
	if (!call->args.asid || call->args.asid > RMP_ASID_MAX)
		return SEV_INVALID_ASID;
	for (const struct sev_guest *other = sev_psp()->guests; other; other = other->next)
		if (other->asid == call->args.asid)
			return SEV_ASID_OWNED;
	if (guest->asid)
		return SEV_ACTIVE;
	sev_guest_write(guest)->asid = (uint16_t)call->args.asid;
	return SEV_SUCCESS;
}

static enum sev_status launch_start(const struct call *call)
{
	const struct sev_guest *guest = sev_guest_of(call->args.gctx);

	if (!guest)
		return SEV_INVALID_ADDRESS;
	if (guest->state != GUEST_INIT)
		return SEV_INVALID_GUEST_STATE;
	if (spdm_random(sev_guest_write(guest)->vmpck, sizeof(guest->vmpck)))
		return SEV_NO_MEMORY;
	sev_guest_write(guest)->state = GUEST_LAUNCH;
	return SEV_SUCCESS;
}

/* A page the guest starts with: its bytes are there already, but for the secrets. */
static enum sev_status launch_update(const struct call *call)
{
	const struct sev_guest *guest = sev_guest_of(call->args.gctx);
	struct rmp_entry entry = rmp_read(call->args.in);
	uint8_t page[PHYS_PAGE] = { 0 };

	if (!guest)
		return SEV_INVALID_ADDRESS;
	if (guest->state != GUEST_LAUNCH || !guest->asid)
		return SEV_INVALID_GUEST_STATE;
	if (!entry.assigned || entry.large || call->args.in % PHYS_PAGE)
		return SEV_INVALID_PAGE_STATE;
	if (entry.asid != guest->asid)
		return SEV_INVALID_PAGE_OWNER;
	if (call->args.page_type == SEV_PAGE_SECRETS)
		memcpy(page + SEV_SECRETS_VMPCK0, guest->vmpck, sizeof(guest->vmpck));
	else if (call->args.page_type != SEV_PAGE_NORMAL && call->args.page_type != SEV_PAGE_ZERO &&
		 call->args.page_type != SEV_PAGE_UNMEASURED)
		return SEV_INVALID_PARAM;
	if (call->args.page_type == SEV_PAGE_SECRETS || call->args.page_type == SEV_PAGE_ZERO)
		phys_write(call->args.in, page, sizeof(page), RMP_OWNER(guest->asid));
	rmp_validated_set(call->args.in, true, false);
	return SEV_SUCCESS;
}

static enum sev_status launch_finish(const struct call *call)
{
	const struct sev_guest *guest = sev_guest_of(call->args.gctx);

	if (!guest)
		return SEV_INVALID_ADDRESS;
	if (guest->state != GUEST_LAUNCH)
		return SEV_INVALID_GUEST_STATE;
	sev_guest_write(guest)->state = GUEST_RUNNING;
	return SEV_SUCCESS;
}

static enum sev_status guest_decommission(const struct call *call)
{
	const struct sev_guest *guest = sev_guest_of(call->args.gctx);
	const struct sev_guest *const *link = &sev_psp()->guests;

	if (!guest)
		return SEV_INVALID_ADDRESS;
	if (guest->tdis)
		return SEV_TDI_BOUND;
	if (guest->asid)
		rmp_fence_clear(guest->asid);
	while (*link != guest)
		link = &(*link)->next;
	sev_link_set(link, guest->next);
	sev_page_release(guest->ctx);
	image_free(guest);
	return SEV_SUCCESS;
}

/* A firmware page that no context uses goes back to the host's RMPUPDATE. */
static enum sev_status page_reclaim(const struct call *call)
{
	uint64_t page = call->args.in & SEV_SLA_EOL;

	if (!sev_page_free(page))
		return SEV_INVALID_PAGE_STATE;
	sev_page_release(page);
	return SEV_SUCCESS;
}

const struct command_row sev_snp_commands[] = {
	{ SEV_CMD_SNP_INIT_EX, snp_init },
	{ SEV_CMD_SNP_SHUTDOWN, snp_shutdown },
	{ SEV_CMD_SNP_GCTX_CREATE, gctx_create },
	{ SEV_CMD_SNP_ACTIVATE, guest_activate },
	{ SEV_CMD_SNP_LAUNCH_START, launch_start },
	{ SEV_CMD_SNP_LAUNCH_UPDATE, launch_update },
	{ SEV_CMD_SNP_LAUNCH_FINISH, launch_finish },
	{ SEV_CMD_SNP_DECOMMISSION, guest_decommission },
	{ SEV_CMD_SNP_PAGE_RECLAIM, page_reclaim },
	{ 0, NULL },
};
