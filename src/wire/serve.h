/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Devices behind sockets: each function of the image that is served has a port of its own, and its
 * connections share the function as the requesters of one DOE mailbox do. A peer that stalls or
 * floods costs one connection of bounded size, and no other peer its turn.
 */
#ifndef SWTIO_WIRE_SERVE_H
#define SWTIO_WIRE_SERVE_H

#include <stdbool.h>
#include <stdint.h>

#define WIRE_DEVICES 31u
#define WIRE_CONNECTIONS 64u		/* the one silent longest makes room for one more */
#define WIRE_STALL_MS 30000		/* of a frame that was begun */

struct wire_server;

struct wire_serve_stats {
	uint64_t connections, frames, objects, unanswered, refused;
};

/* NULL when memory is out. */
struct wire_server *wire_server_new(void);
void wire_server_free(struct wire_server *server);
/* Serves the function at rid on host:port (0: any port). The port, or -errno. */
int wire_server_add(struct wire_server *server, uint16_t rid, const char *host, uint16_t port);
/* Serves for so many milliseconds (-1: for ever), or until wire_server_stop(), or with `once` until
 * the last connection ended. 0 or -errno. */
int wire_server_run(struct wire_server *server, int ms, bool once);
void wire_server_stop(struct wire_server *server);	/* from a signal handler too */
void wire_server_stats(const struct wire_server *server, struct wire_serve_stats *stats);

#endif
