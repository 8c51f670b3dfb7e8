/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ghost state: what the history checks remember of the trace, kept in the image so that it goes
 * back with a snapshot. It is built from state-change events only, in order, and never asks the model.
 */
#ifndef SWTIO_CHECK_GHOST_H
#define SWTIO_CHECK_GHOST_H

#include "check/check.h"
#include "firmware/tdx/tdx.h"
#include "kernel/kvm/kvm.h"
#include "spdm/pcisig.h"

#define GHOST_TDIS 16u
#define GHOST_LEAVES 128u
#define GHOST_STREAMS 8u
#define GHOST_RANGES 128u
#define GHOST_VIOLATIONS 64u

struct ghost_tdi {
	uint16_t rid;			/* 0: unused */
	uint8_t state;			/* enum tdisp_state */
	uint8_t dmar;			/* enum dmar_state of its leaf */
	bool bound;			/* the host TSM says so */
	bool present;			/* the module has a TDI for it */
	bool bind_failed;		/* the host TSM's last bind did */
	uint64_t stream;		/* of the module's TDI */
	uint64_t locked_at;		/* event of the last LOCK */
	uint64_t authorised_at;		/* event of the last TDG.TDI.START that succeeded */
	uint64_t session;		/* highest bind session seen */
	uint64_t reset_at;		/* last event of a reset while LOCKED or RUN, or 0 */
};

struct ghost_leaf {			/* an MMIO leaf of an S-EPT */
	uint64_t tdr, gpa, hpa;
	uint8_t state;			/* enum sept_state */
	uint64_t blocked_at;
};

struct ghost_range { uint64_t hpa, len, func; };	/* of one owner in the MMIOMT; len 0: unused */
struct ghost_stream { bool used, blocked; uint64_t handle, spdm; };

struct ghost_sev_tdi { uint16_t rid, asid; bool sdte; uint64_t id; };
struct ghost_sev_dev {
	uint16_t rid;			/* 0: unused */
	bool connected;
	uint32_t tdis;
	uint64_t digest;		/* of the command that is suspended */
	char command[TRACE_NAME];	/* "": none is */
};
struct ghost_sev {			/* sev.c */
	uint64_t fenced;		/* bit an ASID: its DMA */
	struct ghost_sev_tdi tdi[GHOST_TDIS];
	struct ghost_sev_dev dev[GHOST_STREAMS];
};
/* Of Arm CCA: what the RMM says of its VDEVs and PDEVs. */
#define GHOST_VDEVS 8u
struct ghost_vdev {
	uint64_t vdev;			/* granule, 0: unused */
	uint64_t rd, pdev;
	uint16_t rid;
	uint8_t state;			/* enum vdev_state */
	uint8_t comm;			/* enum comm_state */
	bool ste;			/* its STE is valid */
	uint64_t lock, meas, report;	/* nonces */
	int64_t mapped;			/* device granules in an RTT */
};
struct ghost_pdev { uint64_t pdev; uint8_t state; };

struct ghost {
	uint64_t seen;			/* events consumed */
	uint64_t tracked_at, invalidated_at;
	struct ghost_tdi tdi[GHOST_TDIS];
	struct ghost_leaf leaf[GHOST_LEAVES];
	struct ghost_range range[GHOST_RANGES];
	struct ghost_stream stream[GHOST_STREAMS];
	struct ghost_sev sev;
	struct ghost_vdev vdev[GHOST_VDEVS];
	struct ghost_pdev pdev[GHOST_VDEVS];
	uint64_t lock_nonce;		/* the highest seen */
	uint32_t violations;
	uint64_t violated;		/* bit i: row i of the table was violated */
	struct check_violation violation[GHOST_VIOLATIONS];
};

const struct ghost *ghost_root(void);
struct ghost *ghost_write(void);
/* NULL: full (then rid is 0) or not found. */
const struct ghost_tdi *ghost_tdi_find(uint16_t rid);
const struct ghost_leaf *ghost_leaf_find(uint64_t tdr, uint64_t gpa);
/* The first range from `after` on (NULL: of all) that has part of [hpa, hpa+len); NULL none. */
const struct ghost_range *ghost_range_next(const struct ghost_range *after, uint64_t hpa, uint64_t len);
uint16_t ghost_rid_of(uint64_t hpa);	/* function whose BAR holds the page, 0: none */
/* The page at `page` pages into range number `index` of the function's TDISP report; 0: none. */
uint64_t ghost_reported(uint16_t rid, uint64_t index, uint64_t page);
bool ghost_vm_lives(const struct kvm *kvm);	/* never looks into one that is gone */
/* The call an event was made in: the nearest earlier one of smaller depth; NULL none. */
const struct trace_event *ghost_enclosing(const struct trace_event *event, const char *name);

void ghost_sev_event(const struct trace_event *event);	/* sev.c */
/* ghost_cca.c: NULL when there is none. */
const struct ghost_vdev *ghost_vdev_find(uint64_t vdev);
const struct ghost_vdev *ghost_vdev_of_rid(uint16_t rid);
bool ghost_pdev_ready(uint64_t pdev);
void ghost_cca_event(const struct trace_event *event);

/* Takes one event in, after the checks have seen it. */
void ghost_event(const struct trace_event *event);

static inline bool event_is(const struct trace_event *event, const char *name)
{
	return !__builtin_strcmp(event->name, name);
}

static inline bool tdi_live(uint8_t state)
{
	return state == TDISP_LOCKED || state == TDISP_RUN;
}

/* A call of the TDX module that succeeded. */
static inline bool event_done(const struct trace_event *event, const char *name)
{
	return event->kind == TRACE_KIND_CALL && event->result == 0 && event_is(event, name);
}

static inline uint64_t event_arg(const struct trace_event *event, const char *key)
{
	return trace_arg_value(event, key, 0);
}

extern const struct check check_tdx[], check_sev[], check_cca[], check_all[];
extern const size_t check_tdx_count, check_sev_count, check_cca_count, check_all_count;

#endif
