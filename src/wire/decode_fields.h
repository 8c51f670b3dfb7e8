/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages as rows of fields. Internal to this room. */
#ifndef SWTIO_WIRE_DECODE_FIELDS_H
#define SWTIO_WIRE_DECODE_FIELDS_H

#include "image/bytes.h"

/*
 * A row's fields are words "name:size", in the order of the message. Sizes: 1 to 8 a little-endian
 * number; Nb so many bytes; H D S a hash, an exchange point, a signature; L2 L3 a length of so many
 * bytes and that many bytes; * the rest. After it: ?s when a measurement summary was asked for, ?g
 * when a signature was, ?3 from SPDM 1.3 on. "-" for a name: not shown.
 */
struct decode_row { uint8_t code; const char *name, *fields; };

const struct decode_row *decode_spdm_row(uint8_t code);
const struct decode_row *decode_tdisp_row(uint8_t code);
const struct decode_row *decode_ide_km_row(uint8_t object);

/* What sizes and conditions of the rows depend on. */
struct decode_sizes {
	size_t hash, exchange, signature;
	bool summary, sign, v13;
};
/* Hands each field to emit(); false: the message is shorter than its fields. */
bool decode_fields(const char *fields, const struct decode_sizes *sizes, struct reader *r,
		   void (*emit)(void *arg, const char *name, const char *value), void *arg);

#endif
