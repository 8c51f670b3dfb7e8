/* SPDX-License-Identifier: BSD-2-Clause */
/* A server of two devices, in a process of its own, and what speaks to it. */
#ifndef SWTIO_TESTS_WIRE_PEER_H
#define SWTIO_TESTS_WIRE_PEER_H

#include "machine.h"

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "wire/frame.h"
#include "wire/serve.h"

#define SECOND 0x0200u
#define WAIT_MS 10000

struct rig {
	pid_t child;
	uint16_t port, second;
};

static inline void serve(struct wire_server *server)
{
	machine_up(77);
	assert_int_equal(device_add_engine(2, 0), 0);
	device_stream_default(SECOND, 0);
	wire_server_run(server, -1, false);
	_exit(0);
}

static inline int setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	struct wire_server *server = wire_server_new();
	int port = wire_server_add(server, PF, "127.0.0.1", 0);
	int second = wire_server_add(server, SECOND, "127.0.0.1", 0);

	assert_true(port > 0 && second > 0);
	*rig = (struct rig){.port = (uint16_t)port, .second = (uint16_t)second};
	rig->child = fork();
	assert_true(rig->child >= 0);
	if (!rig->child)
		serve(server);
	wire_server_free(server);
	machine_up(78); /* for the requester's random numbers */
	*state = rig;
	return 0;
}

static inline int teardown(void **state)
{
	struct rig *rig = *state;
	int status;

	assert_int_equal(waitpid(rig->child, &status, WNOHANG), 0); /* it survived */
	kill(rig->child, SIGKILL);
	waitpid(rig->child, NULL, 0);
	free(rig);
	image_detach();
	return 0;
}

static inline int dial(uint16_t port)
{
	const struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof(to)), 0);
	wire_socket_set(fd);
	return fd;
}

static inline void frame_send(
	int fd, uint32_t command, uint32_t transport, const void *payload, size_t len)
{
	const uint32_t head[3] = {htonl(command), htonl(transport), htonl((uint32_t)len)};
	uint8_t frame[WIRE_HEADER + WIRE_PAYLOAD_MAX];

	memcpy(frame, head, sizeof(head));
	if (len)
		memcpy(frame + WIRE_HEADER, payload, len);
	assert_int_equal(send(fd, frame, WIRE_HEADER + len, MSG_NOSIGNAL), WIRE_HEADER + len);
}

/* How many bytes came, 0 at the end of the connection. */
static inline size_t receive(int fd, uint8_t *to, size_t len)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	size_t at = 0;

	while (at < len) {
		ssize_t n;

		assert_int_equal(poll(&wait, 1, WAIT_MS), 1);
		n = recv(fd, to + at, len - at, 0);
		if (n <= 0)
			return at;
		at += (size_t)n;
	}
	return at;
}

static inline uint32_t frame_receive(int fd, uint8_t *payload, size_t *len)
{
	uint8_t head[WIRE_HEADER];
	struct wire_frame frame;

	if (receive(fd, head, sizeof(head)) != sizeof(head))
		return 0;
	frame = wire_frame_read(head);
	assert_int_equal(frame.transport, WIRE_TRANSPORT_DOE);
	assert_in_range(frame.size, 0, 8192);
	*len = receive(fd, payload, frame.size);
	return frame.command;
}

#endif
