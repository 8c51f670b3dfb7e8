/* SPDX-License-Identifier: BSD-2-Clause */
/* Read-only views, for invariants and inspection. */
#include "firmware/sev/internal.h"

static void view_of(const struct sev_tdi *tdi, struct sev_tdi_view *view)
{
	*view = (struct sev_tdi_view){ .rid = tdi->rid, .guest_rid = tdi->guest_rid,
				       .asid = tdi->guest ? tdi->guest->asid : 0, .tdi_id = tdi->id,
				       .validated = tdi->validated, .bound = tdi->guest != NULL,
				       .tdisp_state = tdi->tdisp_state, .ctx = tdi->ctx };
}

int sev_tdi_view(uint16_t rid, struct sev_tdi_view *view)
{
	const struct sev_tdi *tdi = sev_tdi_of_rid(rid);

	if (!tdi)
		return -ENOENT;
	view_of(tdi, view);
	return 0;
}

int sev_tdi_each(int (*fn)(const struct sev_tdi_view *view, void *arg), void *arg)
{
	const struct sev_tdi *tdi = sev_psp() ? sev_psp()->tdis : NULL;
	struct sev_tdi_view view;
	int rc = 0;

	for (; tdi && !rc; tdi = tdi->next) {
		view_of(tdi, &view);
		rc = fn(&view, arg);
	}
	return rc;
}

int sev_context_each(int (*fn)(uint64_t hpa, void *arg), void *arg)
{
	const struct sev_psp *psp = sev_psp();
	int rc = 0;

	for (const struct sev_guest *g = psp ? psp->guests : NULL; g && !rc; g = g->next)
		rc = fn(g->ctx, arg);
	for (const struct sev_device *d = psp ? psp->devices : NULL; d && !rc; d = d->next)
		rc = fn(d->ctx, arg);
	for (const struct sev_tdi *t = psp ? psp->tdis : NULL; t && !rc; t = t->next)
		rc = fn(t->ctx, arg);
	return rc;
}

uint64_t sev_reported(uint16_t rid, unsigned int range_id, uint64_t page)
{
	const struct sev_tdi *tdi = sev_tdi_of_rid(rid);

	for (unsigned int i = 0; tdi && i < tdi->range_count; i++) {
		const struct tdi_range *first = &tdi->ranges[i];

		if (first->id != range_id)
			continue;
		for (unsigned int k = i; k < tdi->range_count; k++)
			if (tdi->ranges[k].id == range_id &&
			    first->hpa + page * PHYS_PAGE >= tdi->ranges[k].hpa &&
			    first->hpa + page * PHYS_PAGE <
				    tdi->ranges[k].hpa + (uint64_t)tdi->ranges[k].pages * PHYS_PAGE)
				return first->hpa + page * PHYS_PAGE;
		return 0;
	}
	return 0;
}
