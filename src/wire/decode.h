/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * DOE objects taken apart, layer by layer: DOE, SPDM, secured messages (with the keys of a key
 * log), PCI-SIG's vendor-defined IDE_KM and TDISP. Follows the connection: sizes depend on what was
 * negotiated before.
 */
#ifndef SWTIO_WIRE_DECODE_H
#define SWTIO_WIRE_DECODE_H

#include "wire/capture_file.h"

#include <stdio.h>

#define DECODE_KEYS 1024u

/* Where what is found goes. Layers nest in the order they come, fields belong to the last layer. */
struct decode_sink {
	void (*packet)(void *arg, unsigned int number, const struct capture_packet *packet);
	void (*layer)(void *arg, const char *name);
	void (*field)(void *arg, const char *name, const char *value);
	void (*end)(void *arg);
	void *arg;
};

struct decode;
struct decode *decode_new(const struct decode_sink *sink);	/* NULL: no memory */
void decode_free(struct decode *decode);			/* cleanses the keys */
/* Reads a key log; 0, or the number of a line that is none. */
unsigned int decode_keylog(struct decode *decode, FILE *file);
void decode_packet(struct decode *decode, unsigned int number, const struct capture_packet *packet);

struct decode_stats {
	unsigned int packets, malformed;
	unsigned int secured, opened;	/* records, and those that a key opened */
	unsigned int ide_km, tdisp;	/* requests seen */
};
void decode_stats(const struct decode *decode, struct decode_stats *stats);

#endif
