/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The socket framing of DMTF's spdm-emu, which QEMU's spdm_port= speaks too: command, transport and
 * size, four bytes each, big-endian, then the payload. We speak the transport PCI_DOE only, whose
 * payload is one DOE object.
 */
#ifndef SWTIO_WIRE_FRAME_H
#define SWTIO_WIRE_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_HEADER 12u
#define WIRE_PORT 2323u			/* spdm-emu's default */
#define WIRE_PAYLOAD_MAX 8192u		/* an object of the largest message, and more */

enum wire_command {
	WIRE_NORMAL = 0x0001,
	WIRE_DECAP_TDISP = 0x0002,	/* a TDISP query in the clear, for emulators of a device */
	WIRE_TEST = 0xdead,
	WIRE_CONTINUE = 0xfffd,
	WIRE_SHUTDOWN = 0xfffe,
	WIRE_UNKNOWN = 0xffff
};
#define WIRE_TRANSPORT_DOE 2u

struct wire_frame { uint32_t command, transport, size; };

struct wire_frame wire_frame_read(const uint8_t head[WIRE_HEADER]);
void wire_frame_write(uint8_t head[WIRE_HEADER], uint32_t command, uint32_t size);
/* "ADDR:PORT", "ADDR" or ":PORT"; without an address loopback. 0 or -EINVAL. */
int wire_address(const char *text, char host[64], uint16_t *port);
/* What every socket of ours is set to: no delay, closed on exec. */
void wire_socket_set(int fd);

#endif
