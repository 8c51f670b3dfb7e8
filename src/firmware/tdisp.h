/* SPDX-License-Identifier: BSD-2-Clause */
/* The requester's end of TDISP (PCIe 6.x 11.3), as every platform's firmware speaks it. */
#ifndef SWTIO_FIRMWARE_TDISP_H
#define SWTIO_FIRMWARE_TDISP_H

#include "image/bytes.h"
#include "spdm/pcisig.h"

#define TDISP_REQUEST_MAX 256u

/* func: FUNCTION_ID; the rest of the INTERFACE_ID is reserved. */
void tdisp_request_put(struct writer *w, uint8_t code, uint32_t func, const void *payload,
		       size_t len);
/* LOCK_INTERFACE_REQUEST's payload. */
void tdisp_lock_put(struct writer *w, uint16_t flags, uint8_t stream, uint64_t reporting_offset,
		    uint64_t p2p_mask);
/* GET_DEVICE_INTERFACE_REPORT's payload: all there is from `offset` on. */
void tdisp_report_put(struct writer *w, size_t offset);
/* Of TDISP_VERSION's payload: does the DSM speak 1.0? Of TDISP_CAPABILITIES': its lock flags. */
bool tdisp_speaks_10(const uint8_t *payload, size_t len);
uint16_t tdisp_lock_flags(const uint8_t *payload, size_t len);
#define TDISP_CAPABILITIES_LEN 28u
/* The payload of the answer to `code`, at least min bytes of it, or NULL; then *error is the
 * TDISP_ERROR's code, TDISP_OK when it was something else altogether. */
const uint8_t *tdisp_reply_take(const uint8_t *reply, size_t reply_len, uint8_t code,
				uint32_t func, size_t min, size_t *len, uint32_t *error);

/* -- the device interface report ------------------------------------------------------------------
 * Whether the ranges make sense to a driver is the guest's question; here they must be well formed.
 */
struct tdi_range {
	uint64_t hpa;
	uint32_t pages;
	uint16_t attributes, id;
};
/* A portion of it, out of GET_DEVICE_INTERFACE_REPORT's answer; what is left in *remainder. NULL:
 * malformed, or more than `max` with what was before. */
const uint8_t *tdisp_report_portion(const uint8_t *payload, size_t len, size_t before, size_t max,
				    size_t *portion, size_t *remainder);
/* Which host page each page of it is; the number of ranges, or -EPROTO. */
int tdisp_report_ranges(const uint8_t *report, size_t len, uint64_t reporting_offset,
			struct tdi_range *ranges, unsigned int max);

#endif
