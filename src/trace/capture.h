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
/* Nothing without a capture. */
void capture_object(uint16_t rid, bool to_device, const uint8_t *object, size_t len);

#endif
