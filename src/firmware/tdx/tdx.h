/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The TDX module with TDX Connect: SEAMCALL for the host, TDCALL for the guest, register by
 * register. It is the judge: what it refuses here, a real module refuses. Leaf numbers, status
 * codes and names are in one table each (leaves.def, status.def), tagged with the ABI generation
 * they come from: A, the 2023 TDX-IO handlers; B, the current TDX Connect; X, ours, because no
 * public number is known.
 *
 * Every call commits the image before and after: nothing un-sends what firmware did.
 */
#ifndef SWTIO_FIRMWARE_TDX_H
#define SWTIO_FIRMWARE_TDX_H

#include "hardware/cpu.h"
#include "trace/trace.h"

struct tdx_args {		/* in: operands; out: results; rax is the status returned */
	uint64_t rcx, rdx, r8, r9, r10, r11, r12, r13, r14, r15;
};

enum tdx_leaf {			/* SEAMCALL numbers */
#define TDX_LEAF(id, number, generation, name) TDX_##id = number,
#include "firmware/tdx/leaves.def"
#undef TDX_LEAF
};

enum tdcall_leaf {		/* TDCALL numbers */
#define TDCALL_LEAF(id, number, generation, name) TDG_##id = number,
#include "firmware/tdx/tdcalls.def"
#undef TDCALL_LEAF
};

/* Status: bits 63:32 as the module returns them; the low half is details (operand id). */
#define TDX_STATUS(id, code, name) static const uint64_t TDX_##id = (uint64_t)(code) << 32;
#include "firmware/tdx/status.def"
#undef TDX_STATUS
static inline uint64_t tdx_class(uint64_t status) { return status & 0xffffffff00000000ull; }
const char *tdx_status_name(uint64_t status);	/* "TDX_MMIO_TDI_OWNER_MISMATCH" */
const char *tdx_leaf_name(uint64_t leaf);	/* "TDH.MMIO.MAP" */
const char *tdcall_leaf_name(uint64_t leaf);

int tdx_power_on(void);

/* The host's gate. Traces LANE_TSM or LANE_KVM (`from`) -> LANE_FIRMWARE. */
uint64_t tdx_seamcall(enum lane from, enum tdx_leaf leaf, struct tdx_args *args);

/* The guest's gate. TDG.VP.VMCALL fills vcpu->exit and returns TDX_SUCCESS with *exits true. */
uint64_t tdx_tdcall(const struct vcpu_hw *vcpu, enum tdcall_leaf leaf, struct tdx_args *args,
		    bool *exits);

/* Injected faults, by name from flows: the next `count` calls of a leaf answer `status`. */
int tdx_inject(enum tdx_leaf leaf, uint64_t status, unsigned int count);

/* Inspection (check, inspect): read-only views. */
enum sept_state {
	SEPT_FREE,
	SEPT_MAPPED,
	SEPT_PENDING,
	SEPT_BLOCKED,
	SEPT_MMIO_PENDING,
	SEPT_MMIO_MAPPED,
	SEPT_MMIO_BLOCKED
};
enum dmar_state { DMAR_FREE, DMAR_PENDING, DMAR_PRESENT, DMAR_BLOCKED };
struct tdx_tdi_view {
	uint32_t func_id;
	uint64_t tdr;
	uint32_t owner;
	uint64_t mmio_pages;		/* mapped in the S-EPT */
	uint8_t dmar;			/* enum dmar_state of its leaf */
	uint64_t bind_session;		/* increases with every bind */
	bool start_authorised;		/* TDG.TDI.START seen for this session */
	uint8_t tdisp_state;		/* as the module last learnt it */
	uint8_t stream;
};
int tdx_tdi_view(uint32_t func_id, struct tdx_tdi_view *view);	/* 0 or -ENOENT */
int tdx_tdi_each(int (*fn)(const struct tdx_tdi_view *view, void *arg), void *arg);
enum sept_state tdx_sept_state(uint64_t tdr, uint64_t gpa, uint64_t *hpa, unsigned int *level);
int tdx_sept_mmio_each(int (*fn)(uint64_t tdr, uint64_t gpa, uint64_t hpa, unsigned int level,
				 enum sept_state state, void *arg), void *arg);
uint32_t tdx_mmio_owner(uint64_t hpa);	/* func_id of the TDI in the MMIOMT, 0: none */

#endif
