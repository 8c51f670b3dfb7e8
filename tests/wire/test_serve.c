/* SPDX-License-Identifier: BSD-2-Clause */
/* Devices behind sockets: the framing, many connections, peers that stall, flood and lie. The
 * server is a process of its own, as `swtio device` is. */
#include "peer.h"

#include <fcntl.h>
#include <limits.h>

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif
#ifndef RUNNING_ON_VALGRIND
#define RUNNING_ON_VALGRIND 0
#endif

/* valgrind makes curves thirty times slower: there, a sample. */
#define STALL_STRIDE (RUNNING_ON_VALGRIND ? 17 : 1)
#define STALL_MS 60 /* how long an answer is waited for */

static const uint8_t discovery[12] = {1, 0, 0, 0, 3, 0, 0, 0, 0};
static const uint8_t discovered[12] = {1, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 1};

static void assert_discovery(int fd)
{
	uint8_t payload[8192] = {0};
	size_t len;

	frame_send(fd, WIRE_NORMAL, WIRE_TRANSPORT_DOE, discovery, sizeof(discovery));
	assert_int_equal(frame_receive(fd, payload, &len), WIRE_NORMAL);
	assert_int_equal(len, sizeof(discovered));
	assert_memory_equal(payload, discovered, sizeof(discovered));
}

static void commands(void **state)
{
	static const uint8_t dropped[12] = {2, 0, 0, 0, 3}; /* another vendor's object */
	struct rig *rig = *state;
	uint8_t payload[8192] = {0};
	int fd = dial(rig->port);
	size_t len;

	frame_send(fd, WIRE_TEST, WIRE_TRANSPORT_DOE, "Client Hello!", 14);
	assert_int_equal(frame_receive(fd, payload, &len), WIRE_TEST);
	assert_int_equal(len, 14);
	assert_string_equal((char *)payload, "Server Hello!");
	assert_discovery(fd);
	frame_send(fd, WIRE_NORMAL, WIRE_TRANSPORT_DOE, dropped, sizeof(dropped));
	assert_int_equal(frame_receive(fd, payload, &len), WIRE_NORMAL);
	assert_int_equal(len, 0);
	frame_send(fd, WIRE_NORMAL, WIRE_TRANSPORT_DOE, NULL, 0);
	assert_int_equal(frame_receive(fd, payload, &len), WIRE_NORMAL);
	assert_int_equal(len, 0);
	frame_send(fd, 0x8001, WIRE_TRANSPORT_DOE, NULL, 0);
	assert_int_equal(frame_receive(fd, payload, &len), WIRE_UNKNOWN);
	frame_send(fd, WIRE_CONTINUE, WIRE_TRANSPORT_DOE, NULL, 0);
	assert_int_equal(frame_receive(fd, payload, &len), WIRE_CONTINUE);
	frame_send(fd, WIRE_SHUTDOWN, WIRE_TRANSPORT_DOE, NULL, 0);
	assert_int_equal(frame_receive(fd, payload, &len), WIRE_SHUTDOWN);
	close(fd);
}

/* Bytes one by one; two frames at once. */
static void pieces(void **state)
{
	struct rig *rig = *state;
	const uint32_t head[3] = {htonl(WIRE_NORMAL), htonl(WIRE_TRANSPORT_DOE), htonl(12)};
	uint8_t frames[48], payload[8192];
	int fd = dial(rig->port);
	size_t len;

	for (int i = 0; i < 2; i++) {
		memcpy(frames + 24 * i, head, 12);
		memcpy(frames + 24 * i + 12, discovery, 12);
	}
	for (int i = 0; i < 24; i++) {
		assert_int_equal(send(fd, frames + i, 1, 0), 1);
		usleep(200);
	}
	assert_int_equal(frame_receive(fd, payload, &len), WIRE_NORMAL);
	assert_int_equal(send(fd, frames, sizeof(frames), 0), sizeof(frames));
	for (int i = 0; i < 2; i++) {
		assert_int_equal(frame_receive(fd, payload, &len), WIRE_NORMAL);
		assert_int_equal(len, 12);
	}
	close(fd);
}

static void not_our_framing(void **state)
{
	struct rig *rig = *state;
	uint8_t payload[8192] = {0};
	size_t len;

	for (int i = 0; i < 3; i++) {
		int fd = dial(rig->port);
		const uint32_t head[3] = {htonl(WIRE_NORMAL), htonl(i == 0 ? 1u : 2u),
			htonl(i == 1 ? WIRE_PAYLOAD_MAX + 1 : i == 2 ? UINT32_MAX : 0)};

		assert_int_equal(send(fd, head, sizeof(head), 0), sizeof(head));
		assert_int_equal(frame_receive(fd, payload, &len), 0); /* it hung up */
		close(fd);
	}
	for (int i = 0; i < 20; i++) { /* and half a frame, then gone */
		int fd = dial(rig->port);

		assert_int_equal(send(fd, payload, (size_t)i % 11 + 1, 0), i % 11 + 1);
		close(fd);
	}
	close(dial(rig->port));
	int fd = dial(rig->port);
	assert_discovery(fd);
	close(fd);
}

/* More peers than there is room for, all of them silent: a new one is served still. */
static void crowd(void **state)
{
	struct rig *rig = *state;
	int fds[2 * WIRE_CONNECTIONS], fd;

	for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++) {
		fds[i] = dial(rig->port);
		assert_int_equal(send(fds[i], "\0\0", 2, MSG_NOSIGNAL), 2); /* and stalls */
	}
	fd = dial(rig->port);
	assert_discovery(fd);
	close(fd);
	for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++)
		close(fds[i]);
}

static int play(uint16_t port, uint16_t rid, enum tsm_step last, struct tsm_result *result)
{
	struct spdm_requester *requester = calloc(1, spdm_requester_size());
	const struct tsm_options options = {.function_id = rid, .lock_flags = 0xffff, .last = last};
	struct wire_link link;
	int rc;

	spdm_requester_init(requester, NULL, 0);
	spdm_requester_trust_own_root(requester, true);
	assert_int_equal(wire_link_open(&link, "127.0.0.1", port, WAIT_MS), 0);
	rc = tsm_run(&link, requester, &options, result);
	wire_link_close(&link);
	free(requester);
	return rc;
}

/* Connections one after the other and, on two devices, at once; and while others stall. */
static void many(void **state)
{
	struct rig *rig = *state;
	struct tsm_result *result = calloc(1, sizeof(*result));
	int stalled = dial(rig->port);
	pid_t other;
	int status;

	assert_int_equal(send(stalled, "\0\0\0\1", 4, 0), 4);
	other = fork();
	if (!other) {
		image_detach();
		machine_up(79);
		for (int i = 0; i < 3; i++)
			if (play(rig->second, SECOND, TSM_START, result))
				_exit(1);
		free(result);
		_exit(0);
	}
	for (int i = 0; i < 3; i++)
		assert_int_equal(play(rig->port, PF, TSM_START, result), 0);
	assert_int_equal(waitpid(other, &status, 0), other);
	assert_int_equal(status, 0);
	close(stalled);
	free(result);
}

/* The state in the clear, for a device's emulated front; nothing else in the clear. */
static void state_in_the_clear(void **state)
{
	static const uint8_t query[16] = {0x10, 0x85, 0, 0, 0x00, 0x01};
	static const uint8_t stranger[16] = {0x10, 0x85, 0, 0, 0x00, 0x05};
	static const uint8_t stop[16] = {0x10, 0x87, 0, 0, 0x00, 0x01};
	struct rig *rig = *state;
	uint8_t payload[8192] = {0};
	int fd = dial(rig->port);
	size_t len;

	frame_send(fd, WIRE_DECAP_TDISP, WIRE_TRANSPORT_DOE, query, sizeof(query));
	assert_int_equal(frame_receive(fd, payload, &len), WIRE_NORMAL);
	assert_int_equal(len, 17);
	assert_int_equal(payload[1], 0x05);
	assert_memory_equal(payload + 4, query + 4, 12);
	assert_int_equal(payload[16], TDISP_UNLOCKED);
	frame_send(fd, WIRE_DECAP_TDISP, WIRE_TRANSPORT_DOE, stranger, sizeof(stranger));
	assert_int_equal(frame_receive(fd, payload, &len), WIRE_NORMAL);
	assert_int_equal(payload[1], TDISP_ERROR);
	assert_int_equal(payload[16] | payload[17] << 8, TDISP_INVALID_INTERFACE);
	frame_send(fd, WIRE_DECAP_TDISP, WIRE_TRANSPORT_DOE, stop, sizeof(stop));
	assert_int_equal(frame_receive(fd, payload, &len), WIRE_NORMAL);
	assert_int_equal(payload[1], TDISP_ERROR);
	assert_int_equal(payload[16], TDISP_UNSUPPORTED_REQUEST);
	for (size_t n = 0; n < sizeof(query); n++) {
		frame_send(fd, WIRE_DECAP_TDISP, WIRE_TRANSPORT_DOE, query, n);
		assert_int_equal(frame_receive(fd, payload, &len), WIRE_NORMAL);
		assert_int_equal(len, 0);
	}
	close(fd);
}

/* So many answers of a device, and then silence. When the requester goes before that, how many
 * there were is the exit status. */
static void relay(int from, int to, unsigned int answers)
{
	unsigned int i;

	for (i = 0; i < answers; i++) {
		uint8_t payload[8192], frame[WIRE_HEADER + 8192];
		size_t len = 0;
		uint32_t command = frame_receive(from, payload, &len);

		if (!command)
			_exit((int)i);
		frame_send(to, command, WIRE_TRANSPORT_DOE, payload, len);
		frame_receive(to, frame + WIRE_HEADER, &len);
		wire_frame_write(frame, command, (uint32_t)len);
		if (send(from, frame, WIRE_HEADER + len, MSG_NOSIGNAL) < 0)
			break;
	}
	poll(NULL, 0, WAIT_MS);
	_exit(0);
}

/* A TSM through such a relay; what the relay's exit status was, if it ended by itself. */
static int play_through(
	struct rig *rig, int listener, unsigned int answers, int wait_ms, struct tsm_result *result)
{
	const struct tsm_options options = {.function_id = PF, .last = TSM_START};
	struct spdm_requester *requester;
	struct sockaddr_in at;
	socklen_t at_len = sizeof(at);
	struct wire_link link;
	pid_t proxy = fork();
	int rc, status;

	if (!proxy)
		relay(accept(listener, NULL, NULL), dial(rig->port), answers);
	getsockname(listener, (struct sockaddr *)&at, &at_len);
	requester = calloc(1, spdm_requester_size()); /* of this process alone */
	spdm_requester_init(requester, NULL, 0);
	spdm_requester_trust_own_root(requester, true);
	assert_int_equal(wire_link_open(&link, "127.0.0.1", ntohs(at.sin_port), wait_ms), 0);
	rc = tsm_run(&link, requester, &options, result);
	close(link.fd);
	if (rc)
		kill(proxy, SIGKILL);
	waitpid(proxy, &status, 0);
	free(requester);
	return rc ? rc : WEXITSTATUS(status);
}

/* A responder that stops answering, at each object of the whole way in turn: the TSM gives up in
 * its time. To the device it was a requester that left at each message: it serves the next. */
static void stalling_responder(void **state)
{
	struct tsm_result *result = calloc(1, sizeof(*result));
	int listener = socket(AF_INET, SOCK_STREAM, 0), all;
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct rig *rig = *state;

	assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(listener, 1), 0);
	all = play_through(rig, listener, UINT_MAX, WAIT_MS, result);
	assert_in_range(all, 40, 99);
	for (int answers = 0; answers < all; answers += STALL_STRIDE) {
		int rc = play_through(rig, listener, (unsigned int)answers, STALL_MS, result);

		assert_int_equal(rc, -ETIMEDOUT);
		assert_non_null(strstr(result->why, "no answer in time"));
		assert_int_equal(play(rig->port, PF, TSM_LOCK, result), 0);
	}
	close(listener);
	free(result);
}

/* One that sends and never reads is not read from either, once its answers pile up; others are
 * served, and it costs no more than its two buffers. */
static void flood(void **state)
{
	struct rig *rig = *state;
	static uint8_t frame[WIRE_HEADER + sizeof(discovery)];
	int fd = dial(rig->port), other;
	size_t sent = 0;

	wire_frame_write(frame, WIRE_NORMAL, sizeof(discovery));
	memcpy(frame + WIRE_HEADER, discovery, sizeof(discovery));
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	for (int full = 0; full < 20;) {
		ssize_t n = send(fd, frame + sent % sizeof(frame),
			sizeof(frame) - sent % sizeof(frame), MSG_NOSIGNAL);

		if (n > 0) {
			sent += (size_t)n;
			full = 0;
		} else {
			assert_int_equal(errno, EAGAIN);
			full++;
			poll(NULL, 0, 5);
		}
	}
	other = dial(rig->port);
	assert_discovery(other);
	close(other);
	close(fd);
}

#define TEST(name, fn)                                                                             \
	{                                                                                          \
		"R6.4 " name, fn, setup, teardown, NULL                                            \
	}
int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST("every command of the framing", commands),
		TEST("frames in pieces and together", pieces),
		TEST("who does not speak the framing is hung up on", not_our_framing),
		TEST("a crowd of stalled peers", crowd),
		TEST("one after the other and at once", many),
		TEST("the TDISP state in the clear", state_in_the_clear),
		TEST("a responder that stalls at each message", stalling_responder),
		TEST("a flood that nobody reads the answers of", flood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
