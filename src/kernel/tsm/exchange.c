/* SPDX-License-Identifier: BSD-2-Clause */
/* Carrying one message of the firmware's to the DSM, and its answer back. */
#include "kernel/tsm/internal.h"

#define RETRY_NS 10000u

bool tsm_wait(enum image_wait point, unsigned int *tries)
{
	if (++*tries >= TSM_BUSY_TRIES)
		return false;
	image_clock_advance(RETRY_NS);
	image_wait(point);
	return true;
}

static void sent_set(const struct tsm_exchange *exchange, bool sent, uint32_t serial)
{
	struct tsm_exchange *w = image_write(exchange);

	w->sent = sent;
	w->serial = serial;
}

static int exchange_once(const struct pci_tsm *tsm, const struct tsm_exchange *exchange,
			 const uint8_t *request, size_t len, uint8_t *answer, size_t max)
{
	int n;

	if (exchange->sent) {
		n = pci_doe_resume(tsm->dsm, LANE_TSM, exchange->serial, request, answer, max);
		if (n != -ENODATA)
			return n;
	}
	sent_set(exchange, true, pci_doe_serial(tsm->dsm));
	return pci_doe(tsm->dsm, LANE_TSM, request, len, answer, max);
}

int tsm_exchange(const struct pci_tsm *tsm, const struct tsm_exchange *exchange,
		 const uint8_t *request, size_t len, uint8_t *answer, size_t max)
{
	unsigned int tries = 0;
	int n;

	do
		n = exchange_once(tsm, exchange, request, len, answer, max);
	while (n == -EBUSY && tsm_wait(IMAGE_WAIT_BUSY, &tries));
	sent_set(exchange, false, 0);
	return n;
}
