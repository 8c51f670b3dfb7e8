/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Integrity and Data Encryption, PCIe 6.x 6.33 and 7.9.26: stream registers in config space and the
 * twelve key slots a stream has at each port. Payloads are not ciphered; keys decide: a TLP passes
 * only if both ends are enabled, secure, and hold the same active keys.
 */
#ifndef SWTIO_HARDWARE_IDE_H
#define SWTIO_HARDWARE_IDE_H

#include "hardware/function.h"

enum ide_sub_stream { IDE_PR, IDE_NPR, IDE_CPL, IDE_SUB_STREAMS };
enum ide_direction { IDE_RX, IDE_TX };

/* Register layout facts of the capability (offsets from its base). */
#define IDE_CAP 0x04
#define IDE_CTL 0x08
#define IDE_SEL_BASE(cap, link_blocks) ((cap) + 0x0c + 8u * (link_blocks))

/* Adds the capability with so many selective streams; its offset, or 0. */
unsigned int ide_add(const struct function *fn, unsigned int streams, unsigned int assoc);
void ide_config_written(const struct function *fn, unsigned int offset);
void ide_reset(const struct function *fn);	/* conventional reset: keys gone, insecure */

/* Keys of one port (rid): slot by key set (0, 1), direction, sub-stream. 0, -ENOENT, -EINVAL. */
int ide_key_program(uint16_t rid, uint8_t stream, unsigned int set, enum ide_direction dir,
		    enum ide_sub_stream sub, const uint8_t key[32], const uint8_t ifv[8]);
int ide_key_go(uint16_t rid, uint8_t stream, unsigned int set, enum ide_direction dir,
	       enum ide_sub_stream sub);
int ide_key_stop(uint16_t rid, uint8_t stream, unsigned int set, enum ide_direction dir,
		 enum ide_sub_stream sub);
bool ide_keys_programmed(uint16_t rid, uint8_t stream);	/* all six of at least one set */

bool ide_secure(uint16_t rid, uint8_t stream);		/* status register says secure */
void ide_fail(uint16_t rid, uint8_t stream); /* go insecure now, IDE-Fail to the peer, TDIs told */
/* Stream a downstream TLP for this function takes at its root port, and an upstream one at the
 * function: TLP_NO_STREAM when no association matches. */
uint16_t ide_stream_down(const struct function *fn, uint64_t hpa);
uint16_t ide_stream_up(const struct function *fn, uint64_t address);
/* May a TLP on this stream pass between the two ports? A mismatch of keys takes both insecure. */
bool ide_pass(uint16_t root_port, uint16_t rid, uint16_t stream, enum ide_sub_stream sub,
	      bool upstream);
/* The endpoint's only selective stream with the default bit, on TC0; -ENOENT when none. */
int ide_default_stream(uint16_t rid);

#endif
