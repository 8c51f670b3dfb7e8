/* SPDX-License-Identifier: BSD-2-Clause */
#include "wire/frame.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct wire_frame wire_frame_read(const uint8_t head[WIRE_HEADER])
{
	uint32_t words[3];

	memcpy(words, head, sizeof(words));
	return (struct wire_frame){
		.command = ntohl(words[0]), .transport = ntohl(words[1]), .size = ntohl(words[2])};
}

void wire_frame_write(uint8_t head[WIRE_HEADER], uint32_t command, uint32_t size)
{
	const uint32_t words[3] = {htonl(command), htonl(WIRE_TRANSPORT_DOE), htonl(size)};

	memcpy(head, words, sizeof(words));
}

int wire_address(const char *text, char host[64], uint16_t *port)
{
	const char *colon = strrchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : strlen(text);
	unsigned long number = WIRE_PORT;
	char *end;

	if (colon) {
		number = strtoul(colon + 1, &end, 10);
		if (end == colon + 1 || *end || number > UINT16_MAX)
			return -EINVAL;
	}
	if (len > 1 && text[0] == '[' && text[len - 1] == ']') { /* IPv6 */
		text++;
		len -= 2;
	}
	if (len >= 64)
		return -EINVAL;
	memcpy(host, text, len);
	host[len] = '\0';
	if (!len)
		strcpy(host, "127.0.0.1");
	*port = (uint16_t)number;
	return 0;
}

void wire_socket_set(int fd)
{
	const int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
	fcntl(fd, F_SETFD, FD_CLOEXEC);
}
