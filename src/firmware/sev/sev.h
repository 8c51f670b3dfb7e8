/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The AMD Secure Processor with SNP and SEV-TIO: commands of the host by buffer, messages of the
 * guest inside them, encrypted. It is the judge of DMA and MMIO: it alone validates MMIO pages and
 * writes secure device table entries, and only at the guest's word. What it does not check is the
 * order of an unbind: hardware answers a wrong one by fencing the guest's ASID (hardware/rmp.h).
 *
 * Numbers, statuses and command buffers are in one table each (commands.def, status.def,
 * operands.h); (?) marks what no public source says. Every command commits the image before and
 * after: nothing un-sends what firmware did.
 */
#ifndef SWTIO_FIRMWARE_SEV_H
#define SWTIO_FIRMWARE_SEV_H

#include "hardware/rmp.h"
#include "trace/trace.h"

enum sev_command_id {
#define SEV_COMMAND(id, number, name, fields) SEV_CMD_##id = number,
#include "firmware/sev/commands.def"
#undef SEV_COMMAND
};

enum sev_status {
#define SEV_STATUS(id, code, name) SEV_##id = code,
#include "firmware/sev/status.def"
#undef SEV_STATUS
};
const char *sev_status_name(unsigned int status);
const char *sev_command_name(unsigned int command);		/* NULL: none */
int sev_command_by_name(const char *name);			/* -EINVAL: none */

int sev_power_on(void);

/* The host's gate: the command buffer is at that address. Traces `from` -> LANE_FIRMWARE. */
enum sev_status sev_command(enum lane from, enum sev_command_id command, uint64_t buffer);

/* Injected faults, by name from flows: the next `count` commands of a kind answer `status`. */
int sev_inject(enum sev_command_id command, enum sev_status status, unsigned int count);
int sev_status_by_name(const char *name);			/* -EINVAL: none */

/* Inspection (check, inspect): read-only views. */
struct sev_tdi_view {
	uint16_t rid, guest_rid;
	uint16_t asid;			/* 0: not bound */
	uint64_t tdi_id;		/* of the last bind; another one each time */
	uint64_t validated;		/* MMIO pages, now */
	bool bound;
	uint8_t tdisp_state;		/* as the PSP last learnt it */
	uint64_t ctx;			/* HPA of its context page */
};
int sev_tdi_view(uint16_t rid, struct sev_tdi_view *view);	/* 0 or -ENOENT */
int sev_tdi_each(int (*fn)(const struct sev_tdi_view *view, void *arg), void *arg);
/* HPA of each context page (guests', devices', TDIs'); stops when fn is not 0. */
int sev_context_each(int (*fn)(uint64_t hpa, void *arg), void *arg);
/* The page at `page` pages into the range of that id of a bound TDI's report; 0: none. */
uint64_t sev_reported(uint16_t rid, unsigned int range_id, uint64_t page);

#endif
