/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets of a capture file: pcap or pcapng, of either byte order, ours or somebody else's. */
#ifndef SWTIO_WIRE_CAPTURE_FILE_H
#define SWTIO_WIRE_CAPTURE_FILE_H

#include "image/bytes.h"

#define CAPTURE_FILE_INTERFACES 64u

struct capture_file {
	struct reader r;
	bool ng, swapped;
	bool micro;			/* pcap: timestamps count microseconds */
	unsigned int interfaces;
	struct {
		uint32_t link;
		char name[16];
		uint8_t resolution;	/* pcapng: 10^-n s, or 2^-n with bit 7 */
	} interface[CAPTURE_FILE_INTERFACES];
};

enum capture_direction { CAPTURE_UNKNOWN, CAPTURE_TO_DEVICE, CAPTURE_FROM_DEVICE };

struct capture_packet {
	uint64_t ns;
	enum capture_direction direction;
	const char *interface;		/* "" when it has no name */
	const uint8_t *bytes;		/* in the file's own memory */
	size_t len;
};

/* 0, or -EINVAL: no capture. The bytes are the caller's and outlive it. */
int capture_file_open(struct capture_file *file, const uint8_t *bytes, size_t len);
/* 1: *packet; 0: the end; -EBADMSG: the file is cut or damaged here; -EPROTONOSUPPORT: packets of a
 * link type other than DOE's 292 and USER0. */
int capture_file_next(struct capture_file *file, struct capture_packet *packet);

#endif
