/* SPDX-License-Identifier: BSD-2-Clause */
/* The relay: the module hands out a message, the host carries it to the DSM and brings the
 * answer. */
#include <string.h>

#include "kernel/tsm/tdx_link.h"

int tdx_pages_alloc(const uint64_t *pages, unsigned int count)
{
	uint64_t *w = image_log(pages, count * sizeof(*pages));

	for (unsigned int i = 0; i < count; i++) {
		w[i] = tdx_page_alloc();
		if (w[i])
			continue;
		tdx_pages_free(pages, i);
		return -ENOMEM;
	}
	return 0;
}

void tdx_pages_free(const uint64_t *pages, unsigned int count)
{
	uint64_t *w = image_log(pages, count * sizeof(*pages));

	for (unsigned int i = 0; i < count; i++) {
		tdx_page_free(w[i]);
		w[i] = 0;
	}
}

uint64_t tdx_list_of(const struct tdx_link *link, const uint64_t *hpas, unsigned int count)
{
	struct writer list = writer_of(image_bulk_write(link->list, PHYS_PAGE), PHYS_PAGE);

	for (unsigned int i = 0; i < count; i++)
		put_le64(&list, hpas[i]);
	return tdx_list(phys_of(link->list), count);
}

uint64_t tdx_list_of_blob(const struct tdx_link *link, const uint8_t *blob)
{
	uint64_t pages[TDX_BLOB_PAGES];

	for (unsigned int i = 0; i < TDX_BLOB_PAGES; i++)
		pages[i] = phys_of(blob) + (uint64_t)i * PHYS_PAGE;
	return tdx_list_of(link, pages, TDX_BLOB_PAGES);
}

static struct tdx_relay *relay_write(const struct tdx_link *link)
{
	return image_write(&link->relay);
}

/* Carries the request to the device and leaves the answer for the module. */
static void relay_exchange(const struct pci_tsm *tsm, const struct tdx_link *link)
{
	const uint8_t *response = link->messages + TDX_MESSAGE_SIZE;
	uint8_t answer[TDX_MESSAGE_SIZE];
	struct tdx_relay *w;
	int n = tsm_exchange(tsm, &link->relay.exchange, link->messages, link->relay.request_len,
			     answer, TDX_MESSAGE_SIZE);

	if (n > 0)
		memcpy(image_bulk_write(response, (size_t)n), answer, (size_t)n);
	w = relay_write(link);
	w->response_len = n > 0 ? (uint64_t)n : TDX_MESSAGE_LOST;
	w->state = RELAY_CALL;
}

/* One call of the module; whether the operation goes on. An answer stays in r11 until the module
 * asks for the next: a call that was not served may not have read it, one that was does not
 * look. */
static bool relay_call(const struct tdx_link *link, struct tdx_args *args, unsigned int *tries)
{
	struct tdx_relay *w;
	uint64_t status;

	*args = link->relay.args;
	args->r8 = phys_of(link->messages);
	args->r9 = phys_of(link->messages + TDX_MESSAGE_SIZE);
	args->r11 = link->relay.response_len;
	status = tdx_seamcall(LANE_TSM, (enum tdx_leaf)link->relay.leaf, args);
	w = relay_write(link);
	w->status = status;
	if (tdx_class(status) == TDX_SPDM_REQUEST) {
		w->state = RELAY_EXCHANGE;
		w->request_len = args->r10 <= TDX_MESSAGE_SIZE ? (uint32_t)args->r10 : 0;
		w->response_len = 0;
		return true;
	}
	if ((tdx_class(status) == TDX_OPERAND_BUSY ||
	     tdx_class(status) == TDX_INTERRUPTED_RESUMABLE) &&
	    tdx_host_wait(status, tries))
		return true;
	w = relay_write(link);
	w->state = RELAY_IDLE;
	return false;
}

static uint64_t relay_go_on(const struct pci_tsm *tsm, const struct tdx_link *link,
			    struct tdx_args *args, bool abandon)
{
	unsigned int tries = 0;
	struct tdx_relay *w;

	for (unsigned int i = 0; i < TSM_RELAY_ROUNDS; i++) {
		if (abandon) {
			w = relay_write(link);
			w->response_len = TDX_MESSAGE_LOST;
		} else if (link->relay.state == RELAY_EXCHANGE) {
			relay_exchange(tsm, link);
		}
		if (!relay_call(link, args, &tries))
			return link->relay.status;
	}
	w = relay_write(link);
	w->state = RELAY_IDLE;
	return TDX_SPDM_PROTOCOL_ERROR;
}

uint64_t tdx_relay_run(const struct pci_tsm *tsm, enum tdx_leaf leaf, struct tdx_args *args)
{
	const struct tdx_link *link = tdx_link_of(tsm);
	struct tdx_relay *w;

	tdx_relay_finish(tsm);
	w = relay_write(link);
	w->state = RELAY_CALL;
	w->leaf = leaf;
	w->args = *args;
	w->response_len = 0;
	return relay_go_on(tsm, link, args, false);
}

uint64_t tdx_relay_finish(const struct pci_tsm *tsm)
{
	const struct tdx_link *link = tdx_link_of(tsm);
	struct tdx_args args;

	if (!link || link->relay.state == RELAY_IDLE)
		return TDX_SUCCESS;
	return relay_go_on(tsm, link, &args, false);
}

void tdx_relay_abandon(const struct pci_tsm *tsm)
{
	const struct tdx_link *link = tdx_link_of(tsm);
	struct tdx_args args;

	if (link && link->relay.state != RELAY_IDLE)
		relay_go_on(tsm, link, &args, true);
}
