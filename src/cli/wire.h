/* SPDX-License-Identifier: BSD-2-Clause */
/* What the commands at the wire share. */
#ifndef SWTIO_CLI_WIRE_H
#define SWTIO_CLI_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "spdm/spdm.h"

/* A whole file as bytes, at most `most`; NULL and a message when it cannot be read. */
uint8_t *cli_read_bytes(const char *path, size_t most, size_t *len);
/* An image with only hardware and devices, from a seed, or, with 0, from the system's chance. 0 or an
 * exit code and a message. */
int cli_devices_power_on(uint64_t seed);
/* "BB:DD.F" to a requester id; 0 or -EINVAL. */
int cli_rid_parse(const char *text, uint16_t *rid);
/* "1.2" or "1.3" as the bit of an offer, 0: neither. */
uint8_t cli_version_bit(const char *text);
/* Opens what --pcap and --keylog named (NULL: nothing); 0 or an exit code and a message. What is
 * captured bears the time of now(). */
int cli_wire_files_open(const char *pcap, const char *keylog, uint64_t (*now)(void));
int cli_wire_files_close(void);
void cli_keylog_line(const char *line);	/* into what --keylog named */
uint64_t cli_wall_ns(void);		/* the time of day, for captures */
/* 0 or an exit code, and a message that says what is wrong with which file. */
int cli_identity_load(const char *chain_path, const char *key_path, struct spdm_identity_bytes *out);

#endif
