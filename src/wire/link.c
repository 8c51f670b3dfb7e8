/* SPDX-License-Identifier: BSD-2-Clause */
#include "wire/link.h"

#include "hardware/doe.h"
#include "image/bytes.h"
#include "trace/capture.h"
#include "wire/frame.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define DOE_VENDOR_PCISIG 1u
#define DOE_HEADER 8u
#define DISCOVERY_MAX 16u /* entries we are willing to hear */

int wire_link_open(struct wire_link *link, const char *host, uint16_t port, int timeout_ms)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *found;
	char service[8];
	int rc = 0;

	*link = (struct wire_link){.fd = -1, .timeout_ms = timeout_ms};
	snprintf(service, sizeof(service), "%u", port);
	if (getaddrinfo(host, service, &hints, &found))
		return -EADDRNOTAVAIL;
	link->fd = socket(found->ai_family, SOCK_STREAM, 0);
	if (link->fd < 0 || connect(link->fd, found->ai_addr, found->ai_addrlen))
		rc = -errno;
	freeaddrinfo(found);
	if (!rc)
		wire_socket_set(link->fd);
	else if (link->fd >= 0)
		close(link->fd);
	return rc;
}

static int socket_send(const struct wire_link *link, const uint8_t *bytes, size_t len)
{
	while (len) {
		ssize_t n = send(link->fd, bytes, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -ECONNRESET;
		bytes += n;
		len -= (size_t)n;
	}
	return 0;
}

static int socket_receive(const struct wire_link *link, uint8_t *to, size_t len)
{
	struct pollfd wait = {.fd = link->fd, .events = POLLIN};

	while (len) {
		int rc = poll(&wait, 1, link->timeout_ms);
		ssize_t n;

		if (rc < 0 && errno == EINTR)
			continue;
		if (!rc)
			return -ETIMEDOUT;
		n = recv(link->fd, to, len, 0);
		if (n <= 0)
			return -ECONNRESET;
		to += n;
		len -= (size_t)n;
	}
	return 0;
}

/* One segment a frame: what is sent in two waits for an acknowledgement. */
static int frame_send(
	const struct wire_link *link, uint32_t command, const uint8_t *payload, size_t len)
{
	uint8_t frame[WIRE_HEADER + WIRE_OBJECT_MAX];

	if (len > WIRE_OBJECT_MAX)
		return -EMSGSIZE;
	wire_frame_write(frame, command, (uint32_t)len);
	if (len)
		memcpy(frame + WIRE_HEADER, payload, len);
	return socket_send(link, frame, WIRE_HEADER + len);
}

static int frame_receive(
	const struct wire_link *link, uint32_t command, uint8_t *payload, size_t cap)
{
	uint8_t head[WIRE_HEADER];
	struct wire_frame frame;
	int rc = socket_receive(link, head, sizeof(head));

	if (rc)
		return rc;
	frame = wire_frame_read(head);
	if (frame.command != command || frame.transport != WIRE_TRANSPORT_DOE || frame.size > cap)
		return -EPROTO;
	rc = socket_receive(link, payload, frame.size);
	return rc ? rc : (int)frame.size;
}

void wire_link_close(struct wire_link *link)
{
	uint8_t none[4];

	if (link->fd < 0)
		return;
	if (!frame_send(link, WIRE_SHUTDOWN, NULL, 0))
		frame_receive(link, WIRE_SHUTDOWN, none, sizeof(none));
	close(link->fd);
	link->fd = -1;
}

static int local_object(struct wire_link *link, const uint8_t *object, size_t len, uint8_t *answer,
	size_t cap)
{
	size_t answer_len = 0;
	int rc = doe_object(link->rid, object, len, answer, cap, &answer_len);

	return rc ? rc : (int)answer_len;
}

int wire_link_object(struct wire_link *link, const uint8_t *object, size_t len, uint8_t *answer,
	size_t cap)
{
	int rc;

	link->objects++;
	if (link->fd < 0)
		return local_object(link, object, len, answer, cap);
	capture_object(link->rid, true, object, len);
	rc = frame_send(link, WIRE_NORMAL, object, len);
	if (!rc)
		rc = frame_receive(link, WIRE_NORMAL, answer, cap);
	if (rc > 0)
		capture_object(link->rid, false, answer, (size_t)rc);
	return rc ? rc : -ENOMSG;
}

int wire_link_message(
	struct wire_link *link, const struct spdm_wire *request, struct spdm_wire *answer)
{
	uint8_t object[WIRE_OBJECT_MAX], back[WIRE_OBJECT_MAX];
	size_t padded = (request->len + 3) & ~(size_t)3;
	struct writer w = writer_of(object, sizeof(object));
	struct reader r;
	uint32_t vendor, dwords;
	int rc;

	put_le16(&w, DOE_VENDOR_PCISIG);
	put_u8(&w, request->doe_type);
	put_u8(&w, 0);
	put_le32(&w, (uint32_t)((DOE_HEADER + padded) / 4));
	put_bytes(&w, request->data, request->len);
	put_space(&w, padded - request->len);
	if (w.bad)
		return -EMSGSIZE;
	rc = wire_link_object(link, object, w.at, back, sizeof(back));
	if (rc < 0)
		return rc;
	r = reader_of(back, (size_t)rc);
	vendor = get_le16(&r);
	answer->doe_type = get_u8(&r);
	get_u8(&r);
	dwords = get_le32(&r);
	if (r.bad || vendor != DOE_VENDOR_PCISIG || (size_t)dwords * 4 != (size_t)rc ||
		reader_left(&r) > sizeof(answer->data))
		return -EBADMSG;
	answer->len = reader_left(&r);
	get_copy(&r, answer->data, answer->len);
	return 0;
}

int wire_link_discover(struct wire_link *link)
{
	int types = 0;
	uint8_t index = 0;

	for (unsigned int i = 0; i < DISCOVERY_MAX; i++) {
		uint8_t object[12] = {1, 0, 0, 0, 3, 0, 0, 0, index}, answer[16];
		int rc = wire_link_object(link, object, sizeof(object), answer, sizeof(answer));

		if (rc < 0)
			return rc;
		if (rc != 12 || answer[0] != 1 || answer[1] || answer[2] ||
			(answer[11] && answer[11] != index + 1))
			return -EBADMSG;
		if (answer[8] == 1 && !answer[9] && answer[10] < 8)
			types |= 1 << answer[10];
		index = answer[11];
		if (!index)
			return types;
	}
	return -EBADMSG;
}
