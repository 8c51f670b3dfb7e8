/* SPDX-License-Identifier: BSD-2-Clause */
#include "wire/serve.h"

#include "device/device.h"
#include "hardware/doe.h"
#include "wire/frame.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FRAME_MAX (WIRE_HEADER + WIRE_PAYLOAD_MAX)

struct connection {
	int fd; /* -1: free */
	uint16_t rid;
	size_t in_len, out_len, out_at;
	int64_t heard; /* ms, when it last sent something */
	uint8_t in[FRAME_MAX], out[FRAME_MAX];
};

struct wire_server {
	volatile bool stop;
	unsigned int listeners;
	struct {
		int fd;
		uint16_t rid;
	} listener[WIRE_DEVICES];
	struct connection connection[WIRE_CONNECTIONS];
	struct wire_serve_stats stats;
};

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

struct wire_server *wire_server_new(void)
{
	struct wire_server *server = calloc(1, sizeof(*server));

	for (unsigned int i = 0; server && i < WIRE_CONNECTIONS; i++)
		server->connection[i].fd = -1;
	return server;
}

static void connection_close(struct connection *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	c->in_len = c->out_len = c->out_at = 0;
}

void wire_server_free(struct wire_server *server)
{
	if (!server)
		return;
	for (unsigned int i = 0; i < WIRE_CONNECTIONS; i++)
		connection_close(&server->connection[i]);
	for (unsigned int i = 0; i < server->listeners; i++)
		close(server->listener[i].fd);
	free(server);
}

static int listen_at(const char *host, uint16_t port)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
	struct addrinfo *found;
	char service[8];
	const int on = 1;
	int fd, rc = 0;

	snprintf(service, sizeof(service), "%u", port);
	if (getaddrinfo(host, service, &hints, &found))
		return -EADDRNOTAVAIL;
	fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (fd < 0 || bind(fd, found->ai_addr, found->ai_addrlen) || listen(fd, 16))
		rc = -errno;
	freeaddrinfo(found);
	if (rc && fd >= 0)
		close(fd);
	return rc ? rc : fd;
}

static int port_of(int fd)
{
	struct sockaddr_storage at;
	socklen_t len = sizeof(at);
	char service[8];

	if (getsockname(fd, (struct sockaddr *)&at, &len) ||
		getnameinfo((const struct sockaddr *)&at, len, NULL, 0, service, sizeof(service),
			NI_NUMERICSERV))
		return -EIO;
	return atoi(service);
}

int wire_server_add(struct wire_server *server, uint16_t rid, const char *host, uint16_t port)
{
	int fd;

	if (server->listeners == WIRE_DEVICES)
		return -ENOSPC;
	fd = listen_at(host, port);
	if (fd < 0)
		return fd;
	server->listener[server->listeners].fd = fd;
	server->listener[server->listeners++].rid = rid;
	return port_of(fd);
}

void wire_server_stop(struct wire_server *server)
{
	server->stop = true;
}

void wire_server_stats(const struct wire_server *server, struct wire_serve_stats *stats)
{
	*stats = server->stats;
}

/* -- one frame --------------------------------------------------------------------------------- */

static void reply(struct connection *c, uint32_t command, size_t len)
{
	wire_frame_write(c->out, command, (uint32_t)len);
	c->out_len = WIRE_HEADER + len;
	c->out_at = 0;
}

struct exchange {
	const struct connection *c;
	size_t len;
	uint8_t *answer;
	size_t answer_len;
	bool in_clear;
};

static long exchange_call(void *arg)
{
	struct exchange *x = arg;
	const uint8_t *request = x->c->in + WIRE_HEADER;
	int rc;

	if (!x->in_clear)
		return doe_object(
			x->c->rid, request, x->len, x->answer, WIRE_PAYLOAD_MAX, &x->answer_len);
	rc = device_tdisp_in_clear(x->c->rid, request, x->len, x->answer, WIRE_PAYLOAD_MAX);
	if (rc > 0)
		x->answer_len = (size_t)rc;
	return rc < 0 ? rc : 0;
}

/* What the device does not answer is answered with nothing: an emulator waits for the frame. */
static void object_handle(struct wire_server *server, struct connection *c, size_t len, bool clear)
{
	struct exchange x = {
		.c = c, .len = len, .answer = c->out + WIRE_HEADER, .in_clear = clear};

	server->stats.objects++;
	if (image_call(exchange_call, &x)) {
		server->stats.unanswered++;
		x.answer_len = 0;
	}
	reply(c, WIRE_NORMAL, x.answer_len);
}

/* False: the peer does not speak our framing, or has ended. */
static bool frame_handle(
	struct wire_server *server, struct connection *c, const struct wire_frame *frame)
{
	static const char hello[] = "Server Hello!";

	server->stats.frames++;
	switch (frame->command) {
	case WIRE_TEST:
		memcpy(c->out + WIRE_HEADER, hello, sizeof(hello));
		reply(c, WIRE_TEST, sizeof(hello));
		return true;
	case WIRE_NORMAL:
	case WIRE_DECAP_TDISP:
		object_handle(server, c, frame->size, frame->command == WIRE_DECAP_TDISP);
		return true;
	case WIRE_CONTINUE:
	case WIRE_SHUTDOWN:
		reply(c, frame->command, 0);
		return true;
	default:
		reply(c, WIRE_UNKNOWN, 0);
		return true;
	}
}

/* -- the sockets ------------------------------------------------------------------------------- */

/* False: it is to be closed. */
static bool connection_flush(struct connection *c)
{
	while (c->out_at < c->out_len) {
		ssize_t n = send(c->fd, c->out + c->out_at, c->out_len - c->out_at, MSG_NOSIGNAL);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		c->out_at += (size_t)n;
	}
	c->out_at = c->out_len = 0;
	return true;
}

/* Handles the frames that are there, one at a time: no answer waits behind another. */
static bool connection_frames(struct wire_server *server, struct connection *c)
{
	while (!c->out_len && c->in_len >= WIRE_HEADER) {
		struct wire_frame frame = wire_frame_read(c->in);
		size_t whole = WIRE_HEADER + (size_t)frame.size;

		if (frame.transport != WIRE_TRANSPORT_DOE || frame.size > WIRE_PAYLOAD_MAX) {
			server->stats.refused++;
			return false;
		}
		if (c->in_len < whole)
			return true;
		if (!frame_handle(server, c, &frame))
			return false;
		c->in_len -= whole;
		memmove(c->in, c->in + whole, c->in_len);
		if (!connection_flush(c))
			return false;
	}
	return true;
}

static bool connection_read(struct wire_server *server, struct connection *c)
{
	ssize_t n = recv(c->fd, c->in + c->in_len, sizeof(c->in) - c->in_len, 0);

	if (n <= 0)
		return n < 0 && (errno == EAGAIN || errno == EINTR);
	c->in_len += (size_t)n;
	c->heard = now_ms();
	return connection_frames(server, c);
}

/* The one that has been silent longest gives way when all are taken. */
static struct connection *connection_take(struct wire_server *server)
{
	struct connection *oldest = &server->connection[0];

	for (unsigned int i = 0; i < WIRE_CONNECTIONS; i++) {
		struct connection *c = &server->connection[i];

		if (c->fd < 0)
			return c;
		if (c->heard < oldest->heard)
			oldest = c;
	}
	connection_close(oldest);
	return oldest;
}

static void listener_accept(struct wire_server *server, unsigned int i)
{
	int fd = accept4(server->listener[i].fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct connection *c;

	if (fd < 0)
		return;
	wire_socket_set(fd);
	c = connection_take(server);
	c->fd = fd;
	c->rid = server->listener[i].rid;
	c->heard = now_ms();
	server->stats.connections++;
}

static bool connection_stalled(const struct connection *c, int64_t now)
{
	return (c->in_len || c->out_len) && now - c->heard > WIRE_STALL_MS;
}

static void connection_serve(struct wire_server *server, struct connection *c, short events)
{
	bool keep = !connection_stalled(c, now_ms());

	if (keep && (events & POLLOUT))
		keep = connection_flush(c) && connection_frames(server, c);
	if (keep && (events & (POLLIN | POLLHUP | POLLERR)))
		keep = connection_read(server, c);
	if (!keep)
		connection_close(c);
}

/* Listeners, then connections; the number of connections. */
static unsigned int polls_make(
	const struct wire_server *server, struct pollfd polls[WIRE_DEVICES + WIRE_CONNECTIONS])
{
	unsigned int open = 0;

	for (unsigned int i = 0; i < server->listeners; i++)
		polls[i] = (struct pollfd){.fd = server->listener[i].fd, .events = POLLIN};
	for (unsigned int i = 0; i < WIRE_CONNECTIONS; i++) {
		const struct connection *c = &server->connection[i];

		polls[server->listeners + i] = (struct pollfd){
			.fd = c->fd, .events = c->out_len ? POLLOUT : POLLIN};
		open += c->fd >= 0;
	}
	return open;
}

int wire_server_run(struct wire_server *server, int ms, bool once)
{
	struct pollfd polls[WIRE_DEVICES + WIRE_CONNECTIONS];
	int64_t end = now_ms() + ms;

	while (!server->stop && (ms < 0 || now_ms() < end)) {
		unsigned int open = polls_make(server, polls);
		int rc;

		if (once && server->stats.connections && !open)
			break;
		rc = poll(polls, server->listeners + WIRE_CONNECTIONS,
			ms < 0 || ms > 1000 ? 1000 : ms);
		if (rc < 0 && errno != EINTR)
			return -errno;
		for (unsigned int i = 0; i < WIRE_CONNECTIONS; i++)
			if (server->connection[i].fd >= 0)
				connection_serve(server, &server->connection[i],
					rc > 0 ? polls[server->listeners + i].revents : 0);
		for (unsigned int i = 0; rc > 0 && i < server->listeners; i++)
			if (polls[i].revents)
				listener_accept(server, i);
	}
	return 0;
}
