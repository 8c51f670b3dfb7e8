/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Captures of DOE objects, of this process, into one file. Classic pcap has link type 292, as DMTF's
 * spdm_dump reads it; pcapng has USER0 with one interface a function and the direction of each
 * object. Secured objects stay ciphered, as they are on the wire.
 */
#ifndef SWTIO_TRACE_CAPTURE_H
#define SWTIO_TRACE_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CAPTURE_LINK_DOE 292u		/* LINKTYPE_PCI_DOE */
#define CAPTURE_LINK_USER0 147u

/* pcapng when the path ends in .pcapng. now() gives nanoseconds. 0 or -errno. */
int capture_open(const char *path, uint64_t (*now)(void));
/* 0 or -errno of anything that could not be written; fine without a capture. */
int capture_close(void);
/* Into this process's capture, else into the ring if there is one. */
void capture_object(uint16_t rid, bool to_device, const uint8_t *object, size_t len);

/* Of an object that is written by another process than saw it; bytes past CAPTURE_LONGEST are missing. */
#define CAPTURE_LONGEST 0x10000u	/* the most that spdm_dump takes; no message of ours is longer */
struct capture_head { uint16_t rid; bool to_device; uint64_t now; size_t len; };
void capture_packet(const struct capture_head *head, const uint8_t *object);

/* -- capture_ring.c: through the image, for whoever holds the file; all of it inside image_enter() -- */
int capture_ring_power_on(bool secrets);	/* 0 or -ENOMEM; with secrets: also the key log's lines */
bool capture_ring_secrets(void);		/* are wanted */
void capture_ring_object(uint16_t rid, bool to_device, const uint8_t *object, size_t len);
void capture_ring_secret(const char *line);
struct capture_ring_ops {
	void (*object)(const struct capture_head *head, const uint8_t *object);
	void (*secret)(const char *line);
};
/* Takes everything out. *lost: how many found no room, ever. 0, or -EBADMSG: a process spoilt the
 * ring, and what was in it is gone. */
int capture_ring_drain(const struct capture_ring_ops *ops, uint64_t *lost);

#endif
