/* SPDX-License-Identifier: BSD-2-Clause */
/* The relay: the PSP suspends a command on a message, the host carries it to the DSM, brings the
 * answer and gives the very same command again. Where the PSP wants more room, it gets it. */
#include <string.h>

#include "hardware/cpu.h"
#include "kernel/tsm/sev_link.h"

#define DOE_HEADER 8u
#define DOE_VENDOR_PCISIG 1u

/* -- buffers ---------------------------------------------------------------------------------- */

static const uint8_t *list_of(const struct sev_link *link, enum sev_buffer_id id)
{
	return link->lists + (size_t)id * PHYS_PAGE;
}

static uint64_t buffer_sla(const struct sev_link *link, enum sev_buffer_id id)
{
	return phys_of(list_of(link, id)) | SEV_SLA_LIST;
}

static void list_write(const struct sev_link *link, enum sev_buffer_id id)
{
	const struct sev_buffer *buffer = &link->buffer[id];
	size_t len = (buffer->count + 1) * sizeof(uint64_t);
	struct writer w = writer_of(image_bulk_write(list_of(link, id), len), len);

	for (uint32_t i = 0; i < buffer->count; i++)
		put_le64(&w, buffer->page[i]);
	put_le64(&w, SEV_SLA_EOL);
}

/* The response buffer is the host's; the PSP fills the others. */
static uint64_t buffer_page(enum sev_buffer_id id)
{
	const void *page;

	if (id != SEV_RESPONSE)
		return sev_firmware_page(LANE_TSM);
	page = image_bulk_alloc(PHYS_PAGE, IMAGE_TYPE_SEV_PAGE);
	return page ? phys_of(page) : 0;
}

int sev_buffer_grow(const struct sev_link *link, enum sev_buffer_id id, uint32_t bytes)
{
	const struct sev_buffer *buffer = &link->buffer[id];

	while (buffer->count * PHYS_PAGE < bytes) {
		uint64_t page = buffer->count + 1 < SEV_SLA_PAGES ? buffer_page(id) : 0;
		struct sev_buffer *w;

		if (!page)
			return -ENOMEM;
		w = image_write(buffer);
		w->page[w->count++] = page;
	}
	list_write(link, id);
	return 0;
}

struct sev_spdm_ctrl sev_link_buffers(const struct sev_link *link)
{
	return (struct sev_spdm_ctrl){ .request = buffer_sla(link, SEV_REQUEST),
				       .response = buffer_sla(link, SEV_RESPONSE),
				       .scratch = buffer_sla(link, SEV_SCRATCH),
				       .output = buffer_sla(link, SEV_OUTPUT) };
}

void sev_buffers_free(const struct sev_link *link)
{
	for (unsigned int id = 0; id < SEV_BUFFERS; id++)
		while (link->buffer[id].count) {
			struct sev_buffer *w = image_write(&link->buffer[id]);
			uint64_t page = w->page[--w->count];

			if (id == SEV_RESPONSE)
				image_bulk_free(phys_ram(page, PHYS_PAGE));
			else
				sev_firmware_page_free(LANE_TSM, page);
		}
}

static void buffer_move(const struct sev_link *link, enum sev_buffer_id id, size_t offset,
			uint8_t *data, size_t len, bool write)
{
	const struct sev_buffer *buffer = &link->buffer[id];

	for (size_t run; len; offset += run, data += run, len -= run) {
		uint64_t at = offset / PHYS_PAGE < buffer->count ?
				      buffer->page[offset / PHYS_PAGE] + offset % PHYS_PAGE :
				      0;

		run = PHYS_PAGE - offset % PHYS_PAGE;
		run = run < len ? run : len;
		if (!at)
			memset(data, 0, write ? 0 : run);
		else if (write)
			cpu_host_write(at, data, run);
		else
			cpu_host_read(at, data, run);
	}
}

/* Header and object header of a buffer: the object's length without its own header, 0 when there is
 * none; its type. */
static size_t object_in(const struct sev_link *link, enum sev_buffer_id id, uint8_t *type)
{
	uint8_t bytes[SEV_BUFFER_HEADER + SEV_OBJECT_HEADER];
	struct reader r = reader_of(bytes, sizeof(bytes));
	uint32_t payload, len;

	buffer_move(link, id, 0, bytes, sizeof(bytes), false);
	get_le32(&r);
	payload = get_le32(&r);
	get_bytes(&r, SEV_BUFFER_HEADER - 8);
	get_le32(&r);
	len = get_le32(&r);
	get_le16(&r);
	*type = get_u8(&r);
	return len < SEV_OBJECT_HEADER || len > payload || payload > SEV_BLOB_MAX ?
		       0 :
		       len - SEV_OBJECT_HEADER;
}

ssize_t sev_output_read(const struct sev_link *link, uint8_t *out, size_t cap)
{
	uint8_t type;
	size_t len = object_in(link, SEV_OUTPUT, &type);

	if (!len)
		return -EPROTO;
	if (len > cap)
		return -EMSGSIZE;
	buffer_move(link, SEV_OUTPUT, SEV_BUFFER_HEADER + SEV_OBJECT_HEADER, out, len, false);
	return (ssize_t)len;
}

/* More room, where the PSP wrote into a buffer how much it wants. */
static int buffers_expand(const struct sev_link *link)
{
	static const enum sev_buffer_id growing[] = { SEV_SCRATCH, SEV_OUTPUT };
	bool grown = false;

	for (size_t i = 0; i < sizeof(growing) / sizeof(growing[0]); i++) {
		uint8_t bytes[4];
		struct reader r = reader_of(bytes, sizeof(bytes));
		uint32_t wanted, had = link->buffer[growing[i]].count;

		buffer_move(link, growing[i], 0, bytes, sizeof(bytes), false);
		wanted = get_le32(&r);
		if (wanted > SEV_BLOB_MAX)
			return -EPROTO;
		if (sev_buffer_grow(link, growing[i], wanted))
			return -ENOMEM;
		grown |= link->buffer[growing[i]].count > had;
	}
	return grown ? 0 : -EPROTO;
}

/* -- the relay -------------------------------------------------------------------------------- */

static struct sev_relay *relay_write(const struct sev_link *link)
{
	return image_write(&link->relay);
}

/* The request as a DOE object; bytes, 0 when there is none. */
static size_t request_take(const struct sev_link *link, uint8_t object[SEV_MESSAGE_SIZE])
{
	struct writer w = writer_of(object, SEV_MESSAGE_SIZE);
	uint8_t type, *body;
	size_t len = object_in(link, SEV_REQUEST, &type);
	size_t words = (len + 3) / 4;

	if (!len)
		return 0;
	put_le16(&w, DOE_VENDOR_PCISIG);
	put_u8(&w, type);
	put_u8(&w, 0);
	put_le32(&w, (uint32_t)(words + DOE_HEADER / 4));
	body = put_space(&w, words * 4);
	if (!body)
		return 0;
	buffer_move(link, SEV_REQUEST, SEV_BUFFER_HEADER + SEV_OBJECT_HEADER, body, len, false);
	return w.at;
}

/* What is in the response buffer: a DOE object's body, or nothing. */
static void response_give(const struct sev_link *link, const uint8_t *object, size_t len)
{
	size_t body = len > DOE_HEADER ? len - DOE_HEADER : 0;
	size_t payload = (SEV_OBJECT_HEADER + body + SEV_PAYLOAD_UNIT - 1) / SEV_PAYLOAD_UNIT *
			 SEV_PAYLOAD_UNIT;
	uint8_t bytes[SEV_BUFFER_HEADER + SEV_OBJECT_HEADER + SEV_MESSAGE_SIZE];
	struct writer w = writer_of(bytes, sizeof(bytes));

	put_le32(&w, link->buffer[SEV_RESPONSE].count * PHYS_PAGE);
	put_le32(&w, body ? (uint32_t)payload : 0);
	put_space(&w, SEV_BUFFER_HEADER - 8);
	put_le32(&w, SEV_OBJECT_RESPONSE);
	put_le32(&w, (uint32_t)(SEV_OBJECT_HEADER + body));
	put_le16(&w, 0x0100);
	put_u8(&w, body ? object[2] : 0);
	put_space(&w, 5);
	put_bytes(&w, body ? object + DOE_HEADER : NULL, body);
	buffer_move(link, SEV_RESPONSE, 0, bytes, w.at, true);
}

/* Carries the request to the device and its answer back; false: the answer is lost. */
static bool exchange(const struct pci_tsm *tsm, const struct sev_link *link)
{
	uint8_t request[SEV_MESSAGE_SIZE], answer[SEV_MESSAGE_SIZE];
	size_t len = request_take(link, request);
	struct sev_relay *w;
	int n = -EPROTO;

	if (len)
		n = tsm_exchange(tsm, &link->relay.exchange, request, len, answer,
				 SEV_MESSAGE_SIZE);
	response_give(link, answer, n > 0 ? (size_t)n : 0);
	w = relay_write(link);
	w->state = n > 0 ? RELAY_CALL : RELAY_IDLE;
	if (n > 0)
		return true;
	w->status = SEV_SPDM_ERROR;
	sev_relay_abandon(tsm);
	return false;
}

/* One call of the PSP; whether the command goes on. */
static bool relay_call(const struct sev_link *link, unsigned int *tries)
{
	struct sev_command args = link->relay.args;
	enum sev_status status;
	struct sev_relay *w;

	args.spdm = sev_link_buffers(link);
	status = sev_host_command(LANE_TSM, (enum sev_command_id)link->relay.id, &args);
	w = relay_write(link);
	w->status = (uint16_t)status;
	if (status == SEV_SPDM_REQUEST) {
		w->state = RELAY_EXCHANGE;
		return true;
	}
	if (status == SEV_EXPAND_BUFFER && !buffers_expand(link))
		return true;
	if (status == SEV_DEV_BUSY && !link->stuck && tsm_wait(IMAGE_WAIT_BUSY, tries))
		return true;
	w = relay_write(link);
	w->state = RELAY_IDLE;
	return false;
}

static enum sev_status relay_go_on(const struct pci_tsm *tsm, const struct sev_link *link)
{
	unsigned int tries = 0;
	struct sev_relay *w;

	for (unsigned int i = 0; i < TSM_RELAY_ROUNDS; i++) {
		if (link->relay.state == RELAY_EXCHANGE && !exchange(tsm, link))
			return (enum sev_status)link->relay.status;
		if (!relay_call(link, &tries))
			return (enum sev_status)link->relay.status;
	}
	w = relay_write(link);
	w->state = RELAY_IDLE;
	return SEV_SPDM_ERROR;
}

enum sev_status sev_relay_run(const struct pci_tsm *tsm, enum sev_command_id id,
			      const struct sev_command *args)
{
	const struct sev_link *link = sev_link_of(tsm);
	struct sev_link *wl;
	struct sev_relay *w;

	sev_relay_finish(tsm);
	response_give(link, NULL, 0);
	w = relay_write(link);
	w->state = RELAY_CALL;
	w->exchange.sent = false;
	w->id = (uint16_t)id;
	w->args = *args;
	if (args->flags & SEV_FORCE) {
		wl = image_write(link);
		wl->stuck = false;
	}
	return relay_go_on(tsm, link);
}

void sev_relay_finish(const struct pci_tsm *tsm)
{
	const struct sev_link *link = sev_link_of(tsm);

	if (link && link->relay.state != RELAY_IDLE)
		relay_go_on(tsm, link);
}

void sev_relay_abandon(const struct pci_tsm *tsm)
{
	const struct sev_link *link = sev_link_of(tsm);
	struct sev_link *w;

	if (!link)
		return;
	w = image_write(link);
	w->stuck = true;
	w->relay.state = RELAY_IDLE;
}
