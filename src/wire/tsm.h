/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A TSM at the end of a wire: connects to a device, attests it, keys an IDE stream, locks the
 * interface, starts and stops it; and says what it saw. For trying devices out, not for guarding
 * anything: the host it would belong to is not there.
 */
#ifndef SWTIO_WIRE_TSM_H
#define SWTIO_WIRE_TSM_H

#include "spdm/pcisig.h"
#include "wire/link.h"

/* In the order they are gone through. */
enum tsm_step {
	TSM_DISCOVER, TSM_CONNECT, TSM_ATTEST, TSM_KEYS, TSM_LOCK, TSM_REPORT, TSM_START, TSM_STOP,
	TSM_UNKEY, TSM_END, TSM_STEPS
};
const char *tsm_step_name(enum tsm_step step);

struct tsm_options {
	uint16_t function_id;		/* of the TDI */
	uint8_t port_index, stream;
	uint16_t lock_flags;
	uint64_t reporting_offset;
	enum tsm_step last;		/* what was done up to here is then undone */
};

#define TSM_RANGES 64u
#define TSM_REPORT_MAX 4096u

struct tsm_range { uint64_t first; uint32_t pages; uint16_t attributes, id; };

/* A TDISP device interface report (PCIe 6.x 11.3.11), taken apart. */
struct tsm_interface {
	uint16_t info, msix_control, lnr_control;
	uint32_t tph_control, ranges, device_info_len;
	struct tsm_range range[TSM_RANGES];
	const uint8_t *device_info;
};
/* 0, or -EBADMSG and a sentence in why: too short or long, ranges out of order, empty, overlapping
 * or past the end of the address space, reserved bits, MSI-X although it was not locked. */
int tsm_interface_parse(const uint8_t *report, size_t len, uint16_t lock_flags,
			struct tsm_interface *out, char *why, size_t why_len);

struct tsm_result {
	uint32_t done;			/* bits of enum tsm_step that succeeded */
	int failed;			/* enum tsm_step, or -1 */
	char why[200];
	unsigned int requests;		/* IDE_KM and TDISP requests answered */
	int doe_types;
	struct spdm_agreement agreed;
	uint32_t session;
	/* IDE_KM QUERY_RESP */
	uint8_t device_function, bus, segment, max_port;
	uint32_t ide_capability, ide_dwords;
	/* TDISP */
	uint8_t versions;
	uint16_t lock_flags_supported;
	uint8_t requests_supported[16], address_width, requests_this, requests_all;
	uint8_t nonce[TDISP_NONCE];
	uint8_t state;			/* as asked last */
	uint32_t report_len;
	uint8_t report[TSM_REPORT_MAX];
	struct tsm_interface interface;
};

/* Goes through the steps; 0, or the error of the first that failed (as spdm_requester_next() and
 * wire_link_object() have them; -EREMOTEIO: the device said an error, which `why` names). What had
 * been done is undone as far as the device lets it. */
int tsm_run(struct wire_link *link, struct spdm_requester *requester,
	    const struct tsm_options *options, struct tsm_result *result);

#endif
