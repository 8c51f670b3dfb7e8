/* SPDX-License-Identifier: BSD-2-Clause */
/* What a guest may ask of its TDI: who it is, its MMIO pages, its DMA. */
#include "firmware/sev/internal.h"

static void message_info(struct message *message)
{
	const struct sev_tdi *tdi = message->tdi;
	const struct sev_device *dev = tdi ? tdi->dev : NULL;

	message->status = tdi ? SEV_INFO_BOUND : SEV_INFO_UNBOUND;
	put_le64(&message->out, tdi ? tdi->id : 0);
	put_le16(&message->out, tdi ? tdi->lock_flags : 0);
	put_le16(&message->out, dev && dev->known);
	put_le32(&message->out, tdi ? tdi->tdisp_state : 0);
	if (tdi) {
		put_bytes(&message->out, dev->certificates, SEV_DIGEST);
		put_bytes(&message->out, dev->measurements, SEV_DIGEST);
		put_bytes(&message->out, tdi->report_digest, SEV_DIGEST);
	} else {
		put_space(&message->out, 3 * SEV_DIGEST);
	}
}

/* -- MMIO ------------------------------------------------------------------------------------ */

struct validation {
	const struct sev_tdi *tdi;
	uint64_t gpa, hpa;		/* of the first page */
	uint32_t pages;
	bool validate;
};

static const struct tdi_range *range_of(const struct sev_tdi *tdi, uint16_t id)
{
	for (unsigned int i = 0; i < tdi->range_count; i++)
		if (tdi->ranges[i].id == id)
			return &tdi->ranges[i];
	return NULL;
}

/* Where the range's page is on the host: ranges of one id follow each other in the report, and the
 * offset counts from the first of them. */
static uint16_t place(struct validation *v, uint16_t id, uint32_t offset)
{
	const struct tdi_range *range = range_of(v->tdi, id);
	uint64_t first;

	if (mutant(MUTANT_ACCEPT_UNREPORTED) && range) {
		v->hpa = range->hpa + (uint64_t)offset * PHYS_PAGE;
		return SEV_MMIO_OK;
	}
	if (!range)
		return SEV_MMIO_NOT_REPORTED;
	first = range->hpa + (uint64_t)offset * PHYS_PAGE;
	for (const struct tdi_range *end = v->tdi->ranges + v->tdi->range_count; range < end; range++)
		if (range->id == id && first >= range->hpa &&
		    first + (uint64_t)v->pages * PHYS_PAGE <=
			    range->hpa + (uint64_t)range->pages * PHYS_PAGE) {
			v->hpa = first;
			return range->attributes & TDISP_RANGE_NON_TEE ? SEV_MMIO_NOT_REPORTED :
									 SEV_MMIO_OK;
		}
	return SEV_MMIO_OUT_OF_RANGE;
}

static uint16_t page_check(const struct validation *v, uint32_t i)
{
	uint64_t hpa = v->hpa + (uint64_t)i * PHYS_PAGE;
	struct rmp_entry entry = rmp_read(hpa), first = rmp_read(v->hpa);

	if (!phys_is_mmio(hpa))
		return SEV_MMIO_NOT_IO;
	if (i && (entry.assigned != first.assigned || entry.asid != first.asid ||
		  entry.validated != first.validated || entry.immutable != first.immutable))
		return SEV_MMIO_NOT_UNIFORM;
	if (!entry.assigned || entry.asid != v->tdi->guest->asid)
		return SEV_MMIO_NOT_ASSIGNED;
	if (entry.large)
		return SEV_MMIO_NOT_4K;
	if (entry.gpa != v->gpa + (uint64_t)i * PHYS_PAGE && !mutant(MUTANT_VALIDATE_ELSEWHERE))
		return SEV_MMIO_NOT_EXPECTED_GPA;
	if (!entry.validated && !entry.immutable)
		return SEV_MMIO_NOT_IMMUTABLE;
	return SEV_MMIO_OK;
}

static bool validation_apply(const struct validation *v)
{
	if (rmp_read(v->hpa).validated == v->validate)
		return false;
	for (uint32_t i = 0; i < v->pages; i++)
		rmp_validated_set(v->hpa + (uint64_t)i * PHYS_PAGE, v->validate, !v->validate);
	if (v->validate)
		sev_tdi_write(v->tdi)->validated += v->pages;
	else
		sev_tdi_write(v->tdi)->validated -= v->pages;
	TRACE_STATE(LANE_FIRMWARE, "RMP validated", A("hpa", v->hpa), A("gpa", v->gpa),
		    A("pages", v->pages), A("asid", v->tdi->guest->asid), A("rid", v->tdi->rid),
		    A("to", v->validate));
	return true;
}

static uint16_t validate(struct validation *v, uint16_t range_id, uint32_t offset, bool *changed)
{
	uint16_t status = place(v, range_id, offset);

	for (uint32_t i = 0; !status && i < v->pages; i++)
		status = page_check(v, i);
	if (!status)
		*changed = validation_apply(v);
	return status;
}

static void message_validate(struct message *message)
{
	uint64_t id = get_le64(&message->in);
	struct validation v = { .tdi = message->tdi, .gpa = get_le64(&message->in),
				.pages = get_le32(&message->in) };
	uint32_t offset = get_le32(&message->in);
	uint8_t flags = get_u8(&message->in);
	uint16_t range;
	bool changed = false;

	get_u8(&message->in);
	range = get_le16(&message->in);
	get_le32(&message->in);
	v.validate = flags & 1;
	if (!message->tdi)
		message->status = SEV_MMIO_UNBOUND;
	else if (message->tdi->id != id)
		message->status = SEV_MMIO_INVALID_TDI;
	else if (message->in.bad || !v.pages || v.gpa % PHYS_PAGE)
		message->status = SEV_MMIO_OUT_OF_RANGE;
	else
		message->status = validate(&v, range, offset, &changed);
	put_u8(&message->out, changed);
	put_space(&message->out, 7);
}

/* The attribute is the device's to change, and the PSP does not ask it to: read only. */
static void message_config(struct message *message)
{
	uint64_t id = get_le64(&message->in);
	uint16_t range_id = get_le16(&message->in);
	bool write = get_u8(&message->in), wanted = get_u8(&message->in), non_tee = false;
	const struct tdi_range *range;

	get_le32(&message->in);
	range = message->tdi ? range_of(message->tdi, range_id) : NULL;
	if (range)
		non_tee = range->attributes & TDISP_RANGE_NON_TEE;
	message->status = !message->tdi		      ? SEV_CONFIG_UNBOUND :
			  message->tdi->id != id      ? SEV_CONFIG_INVALID_TDI :
			  !range		      ? SEV_CONFIG_NOT_REPORTED :
			  write && wanted != non_tee ? SEV_CONFIG_NOT_CHANGED :
						       SEV_CONFIG_OK;
	put_u8(&message->out, non_tee);
	put_space(&message->out, 7);
}

/* -- DMA ------------------------------------------------------------------------------------- */

static uint16_t sdte_write(const struct sev_tdi *tdi, uint8_t flags, uint8_t vmpl, uint64_t vtom)
{
	struct iommu_sdte sdte = { .valid = flags & SEV_SDTE_V, .read = flags & SEV_SDTE_READ,
				   .write = flags & SEV_SDTE_WRITE,
				   .vtom_en = flags & SEV_SDTE_VTOM, .asid = tdi->guest->asid,
				   .guest_rid = tdi->guest_rid, .vmpl = vmpl,
				   .stream = tdi->dev->stream, .vtom = vtom };

	if (flags & 0xf0 || vmpl > 3 || vtom % PHYS_2M || (!sdte.valid && (flags || vtom)))
		return SEV_SDTE_RESERVED;
	/* Not while the device is in a state in which it may not send anything of the guest's. */
	if (sdte.valid && tdi->tdisp_state != TDISP_LOCKED && tdi->tdisp_state != TDISP_RUN)
		return SEV_SDTE_UNBOUND;
	if (iommu_sdte_set(tdi->rid, &sdte))
		return SEV_SDTE_RESERVED;
	TRACE_STATE(LANE_FIRMWARE, "sDTE", A("rid", tdi->rid), A("asid", tdi->guest->asid),
		    A("to", sdte.valid));
	return SEV_SDTE_OK;
}

static void message_sdte(struct message *message)
{
	uint64_t id = get_le64(&message->in), vtom;
	uint8_t flags = get_u8(&message->in), vmpl = get_u8(&message->in);

	get_bytes(&message->in, 6);
	vtom = get_le64(&message->in);
	if (!message->tdi)
		message->status = SEV_SDTE_UNBOUND;
	else if (message->tdi->id != id || message->in.bad)
		message->status = SEV_SDTE_INVALID_TDI;
	else
		message->status = sdte_write(message->tdi, flags, vmpl, vtom);
}

const struct message_row sev_messages[] = {
	{ SEV_MSG_INFO_REQ, message_info },
	{ SEV_MSG_VALIDATE_REQ, message_validate },
	{ SEV_MSG_CONFIG_REQ, message_config },
	{ SEV_MSG_SDTE_REQ, message_sdte },
	{ 0, NULL },
};
