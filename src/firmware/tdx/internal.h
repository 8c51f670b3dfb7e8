/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside the TDX module. Module objects are image objects of IMAGE_TYPE_TDX tied to the pages the
 * host donated for them; S-EPT and MMIOMT entries are in the donated pages themselves, where the
 * hardware walks them.
 *
 * A leaf's handler checks everything before it writes anything, in the order the ABI gives.
 */
#ifndef SWTIO_FIRMWARE_TDX_INTERNAL_H
#define SWTIO_FIRMWARE_TDX_INTERNAL_H

#include "firmware/tdisp.h"
#include "firmware/tdx/operands.h"
#include "firmware/tdx/tdx.h"
#include "hardware/ide.h"
#include "image/bytes.h"
#include "hardware/iommu.h"
#include "spdm/pcisig.h"
#include "spdm/spdm.h"
#include "trace/trace.h"

#include <errno.h>

/* Which register was wrong: low half of a status. */
enum tdx_operand { TDX_RCX = 1, TDX_RDX = 2, TDX_R8 = 8, TDX_R9, TDX_R10, TDX_R11, TDX_R12, TDX_R13,
	TDX_R14 };

static inline uint64_t tdx_invalid(enum tdx_operand operand)
{
	return TDX_OPERAND_INVALID | operand;
}

/* Nothing a real module would say fits a simulator that is out of memory; a host that retries for
 * ever is wrong anyway. */
#define TDX_NO_MEMORY TDX_OPERAND_BUSY

#define TDX_TRACED 4u			/* operands of a call that its event can name */

typedef uint64_t (*tdx_handler)(struct tdx_args *args);
struct tdx_leaf_row {
	uint16_t leaf;
	tdx_handler handler;
	const char *args[TDX_TRACED];	/* rcx, rdx, r8, r9 in the trace */
};

/* A row's named operands as trace arguments; a MAP becomes an address and a level. */
unsigned int tdx_trace_operands(const char *const names[TDX_TRACED], const struct tdx_args *args,
				struct trace_arg *out);

/* -- the module's root ----------------------------------------------------------------------- */
#define TDX_FAULTS 8u
struct tdx_fault {
	uint16_t leaf;
	uint16_t count;
	uint64_t status;
};

struct tdx_module {
	uint32_t next_td, next_spdm, next_stream, next_iommu;
	uint64_t next_session;		/* of TDI binds: only ever goes up */
	uint64_t invalidations;		/* IQ requests so far: their sequence number */
	const struct tdx_td *tds;
	const struct tdx_spdm *spdms;
	const struct tdx_stream *streams;
	const struct tdx_tdi *tdis;
	const struct tdx_devif *devifs;
	const struct tdx_mmiomt *mmiomts;
	const struct tdx_iommu *iommus;
	const struct tdx_dmar *dmars;
	struct tdx_fault faults[TDX_FAULTS];
};

const struct tdx_module *tdx_module(void);
struct tdx_module *tdx_module_write(void);
void *tdx_alloc(size_t size);		/* IMAGE_TYPE_TDX */

/* Points a list's link, head or ->next, elsewhere. */
static inline void link_set(const void *link, const void *to)
{
	*(const void **)image_log(link, sizeof(to)) = to;
}

/* -- pages (pages.c) --------------------------------------------------------------------------
 * Everything here answers a status with operand id 0; the caller names the register.
 */
#define TDX_OWNER_MODULE 1u
#define TDX_LIST_MAX 512u
bool tdx_buffer_ok(uint64_t hpa, uint64_t len);		/* the host's own RAM, page aligned */
uint64_t pamt_take(uint64_t hpa, uint64_t len, uint32_t owner);
void pamt_give(uint64_t hpa, uint64_t len, uint32_t owner);	/* zeroed, the host's again */
/* The HPAs of a LIST operand; it must have exactly `count`. */
uint64_t tdx_list_read(uint64_t operand, unsigned int count, uint64_t *hpas);
uint64_t tdx_list_take(uint64_t operand, unsigned int count, uint64_t *hpas);
void tdx_list_give(const uint64_t *hpas, unsigned int count);
/* Data into the buffers of a LIST; bytes that fitted. */
size_t tdx_list_write(uint64_t operand, const uint8_t *data, size_t len);
bool tdx_list_ok(uint64_t operand);

/* -- TDs (td.c, vp.c) ------------------------------------------------------------------------ */
enum td_state { TD_CREATED, TD_KEYED, TD_INITIALIZED, TD_FINALIZED, TD_FLUSHED, TD_TEARDOWN };

struct tdx_vp {
	const struct tdx_vp *next;
	uint64_t tdvpr;
	uint32_t pages;			/* ADDCX'd */
	bool ready, flushed;
};

struct tdx_td {
	const struct tdx_td *next;
	uint64_t tdr;
	uint32_t number;		/* never used again; owner numbers are made of it */
	uint8_t hkid;
	uint8_t state;			/* enum td_state */
	uint8_t tdcs_pages;
	uint64_t tdcs[TDX_TDCS_PAGES];	/* [1] becomes the S-EPT's top page */
	uint64_t attributes, config_flags;
	uint32_t epoch;			/* TLB: TDH.MEM.TRACK increments */
	uint64_t invalidated;		/* sequence of the last completed IOTLB invalidation */
	uint32_t tdis;			/* children that keep the TD alive (T11) */
	uint64_t pages;			/* owned, less the TDR */
	const struct sept_page *sept;
	const struct tdx_vp *vps;
};

static inline uint32_t td_owner(const struct tdx_td *td)
{
	return td->number * 2;
}

static inline uint32_t td_control_owner(const struct tdx_td *td)
{
	return td->number * 2 + 1;
}

const struct tdx_td *td_find(uint64_t tdr);
const struct tdx_td *td_of_number(uint32_t number);
/* The TD in a state of [first, last], or NULL and why in *status. */
const struct tdx_td *td_get(uint64_t tdr, enum td_state first, enum td_state last,
			    uint64_t *status);
void td_pages_add(const struct tdx_td *td, int64_t pages);

/* -- S-EPT (sept.c) ---------------------------------------------------------------------------
 * An entry: R, W, X in 2:0, memory type in 5:3, leaf in 7 (and at level 0), HPA in 51:12, enum
 * sept_state in 58:56. A table's shadow remembers what the entry has no room for.
 */
#define SEPT_ENTRIES 512u
#define SEPT_RWX 7ull
#define SEPT_LEAF (1ull << 7)
#define SEPT_WB (6ull << 3)
#define SEPT_HPA 0x000ffffffffff000ull
#define SEPT_STATE_SHIFT 56
#define SEPT_TOP_LEVEL 3u

struct sept_page {
	uint64_t hpa;			/* of the table */
	uint64_t gpa;			/* first it covers */
	uint8_t level;			/* of its entries */
	uint16_t used;			/* entries that are not free */
	union {
		const struct sept_page *child;
		uint64_t blocked;	/* a blocked leaf: invalidations at the time of BLOCK */
	} slot[SEPT_ENTRIES];
	uint32_t epoch[SEPT_ENTRIES];	/* a blocked leaf: the TLB epoch at the time of BLOCK */
};

struct sept_ref {			/* where a walk stopped */
	const struct sept_page *table;
	unsigned int index;
	unsigned int level;
	uint64_t entry;
};

static inline enum sept_state sept_entry_state(uint64_t entry)
{
	return (enum sept_state)(entry >> SEPT_STATE_SHIFT & 7);
}

static inline bool sept_entry_leaf(uint64_t entry, unsigned int level)
{
	return level == 0 || (entry & SEPT_LEAF);
}

static inline uint64_t sept_level_size(unsigned int level)
{
	return 4096ull << (9 * level);
}

static inline uint64_t sept_entry_hpa(uint64_t entry, unsigned int level)
{
	return entry & SEPT_HPA & ~(sept_level_size(level) - 1);
}

const struct sept_page *sept_page_new(uint64_t hpa, uint64_t gpa, unsigned int level);
uint64_t sept_entry(const struct sept_page *page, unsigned int index);
/* 0: ref is the entry at `level`; -ENOENT: stopped above it, at a free entry or a leaf. */
int sept_find(const struct tdx_td *td, uint64_t gpa, unsigned int level, struct sept_ref *ref);
int sept_find_leaf(const struct tdx_td *td, uint64_t gpa, struct sept_ref *ref);
void sept_child_set(const struct sept_ref *ref, const struct sept_page *child);
void sept_write(const struct tdx_td *td, const struct sept_ref *ref, uint64_t entry);
/* A leaf's change of state, traced; `hpa` 0 frees the entry. */
void sept_leaf_set(const struct tdx_td *td, const struct sept_ref *ref, uint64_t hpa,
		   enum sept_state state);
void sept_leaf_block(const struct tdx_td *td, const struct sept_ref *ref, enum sept_state state);
bool sept_tlb_tracked(const struct tdx_td *td, const struct sept_ref *ref);
bool sept_iotlb_tracked(const struct tdx_td *td, const struct sept_ref *ref);
/* MAP operand of a private GPA: 0 or a status; levels allowed [first, last]. */
uint64_t sept_operand(uint64_t operand, unsigned int first, unsigned int last, uint64_t *gpa,
		      unsigned int *level);
/* MAP and TDR operands together, levels allowed [first, last], walked to the entry; refusals fill
 * rcx and rdx. */
struct sept_target { const struct tdx_td *td; uint64_t gpa; struct sept_ref ref; };
uint64_t sept_target(struct tdx_args *args, enum td_state state, unsigned int first,
		     unsigned int last, struct sept_target *target);
/* Blocks the leaf the operands name, which must be in one of the first two states. */
uint64_t sept_range_block(struct tdx_args *args, enum sept_state pending, enum sept_state mapped,
			  enum sept_state blocked);
uint64_t sept_refuse(struct tdx_args *args, const struct sept_ref *ref, uint64_t status);
/* The module writes into accepted private memory of a TD. false: not there. */
bool sept_private_write(const struct tdx_td *td, uint64_t gpa, const void *from, size_t len);

/* -- MMIO metadata (mmiomt.c) ---------------------------------------------------------------- */
struct tdx_mmiomt {
	const struct tdx_mmiomt *next;
	uint64_t region;		/* 2 MiB aligned */
	uint64_t page;			/* 512 entries: FUNC, bit 32 owned, bit 33 mapped */
	uint16_t owned;
};
#define MMIOMT_OWNED (1ull << 32)
#define MMIOMT_MAPPED (1ull << 33)
uint64_t mmiomt_entry(uint64_t hpa);	/* 0: no entry or not owned */
/* All 4 KiB entries of [hpa, +len): MMIO_NOT_SET, MMIO_ALREADY_MAPPED, or 0 with their owner. */
uint64_t mmiomt_check(uint64_t hpa, uint64_t len, uint32_t *func_id);
void mmiomt_mark(uint64_t hpa, uint64_t len, uint64_t set, uint64_t clear);

/* -- DMAR (dmar.c, iommu.c) ------------------------------------------------------------------ */
struct tdx_dmar {
	const struct tdx_dmar *next;
	const struct tdx_dmar *parent;
	uint64_t index;			/* masked to what its level names */
	uint64_t page;
	uint8_t level, state;
	uint32_t children;
	uint32_t func_id;		/* leaf */
	uint64_t tdr;			/* leaf */
	uint64_t blocked;		/* invalidations at the time of BLOCK */
	bool invalidated;
};

#define TDX_QUEUE 64u
struct tdx_request { uint64_t seq; uint32_t type; uint64_t target; };
struct tdx_iommu {
	const struct tdx_iommu *next;
	uint32_t id;
	uint64_t vtbar, page;
	uint32_t head, tail;		/* of the queue; they only grow */
	struct tdx_request queue[TDX_QUEUE];
};
const struct tdx_iommu *iommu_of(uint64_t id);
const struct tdx_dmar *dmar_leaf(uint32_t func_id);
void dmar_state_set(const struct tdx_dmar *dmar, enum dmar_state state);
void dmar_invalidate(uint64_t index, uint64_t seq);
bool dmar_index_ok(uint64_t index);
bool dmar_any(uint64_t iommu);

/* -- SPDM, streams, TDIs --------------------------------------------------------------------- */
struct tdx_operation {			/* what is under way on a session */
	uint16_t leaf;			/* 0: nothing */
	uint16_t step;
	bool awaiting;			/* a request is out */
	uint64_t key, arg;		/* rcx, rdx of the leaf */
};

struct tdx_spdm {
	const struct tdx_spdm *next;
	uint32_t id, func_id;
	uint64_t pages[TDX_SPDM_PAGES];
	uint32_t streams;		/* T10 */
	struct tdx_operation op;
	const struct spdm_requester *requester;
	const struct spdm_wire *out;	/* the request under way, given again on demand */
	const uint8_t *dev_info;
	size_t dev_info_len;
	uint8_t dev_info_digest[SPDM_HASH];
};

struct tdx_stream {
	const struct tdx_stream *next;
	uint32_t handle;
	uint16_t root_port;
	uint8_t id;			/* on the wire */
	uint8_t selective;
	uint64_t page;
	const struct tdx_spdm *spdm;
	uint16_t rid_base, rid_limit;
	bool blocked;
	uint8_t key_set;		/* active one */
	bool keyed;
	uint32_t tdis;			/* T10 */
};

#define TDI_RANGES 16u
#define TDI_REPORT_MAX 4096u

struct tdx_tdi {
	const struct tdx_tdi *next;
	uint32_t func_id;
	const struct tdx_td *td;
	const struct tdx_stream *stream;
	uint64_t pages[TDX_TDI_PAGES];
	uint8_t tdisp_state;		/* as last learnt */
	bool uncertain;			/* a request whose effect is not known is out */
	bool authorised;		/* TDG.TDI.START for this bind session */
	bool bound;			/* locked, and the report taken in */
	uint64_t bind_session;		/* of the last bind, 0: none yet */
	uint8_t nonce[TDISP_NONCE];	/* the host never sees it */
	uint64_t mmio_pages, owned_pages;
	uint64_t reporting_offset;
	uint32_t report_len;
	uint32_t associated, pages_total; /* pages of the report taken in so far, of how many */
	uint8_t report[TDI_REPORT_MAX];
	uint8_t report_digest[SPDM_HASH];
	uint16_t range_count;
	struct tdi_range ranges[TDI_RANGES];
};

struct tdx_devif {
	const struct tdx_devif *next;
	uint32_t func_id;
	uint64_t page;
};

/* image_write() of one's own types, so that a member can be written in one line. */
#define TDX_WRITER(name, type)                                                                     \
	static inline struct type *name##_write(const struct type *object)                         \
	{                                                                                          \
		return image_write(object);                                                        \
	}
TDX_WRITER(td, tdx_td)
TDX_WRITER(vp, tdx_vp)
TDX_WRITER(mmiomt, tdx_mmiomt)
TDX_WRITER(iommu, tdx_iommu)
TDX_WRITER(dmar, tdx_dmar)
TDX_WRITER(spdm, tdx_spdm)
TDX_WRITER(stream, tdx_stream)
TDX_WRITER(tdi, tdx_tdi)
#undef TDX_WRITER

const struct tdx_spdm *spdm_of(uint64_t id);
const struct tdx_stream *stream_of(uint64_t handle);
const struct tdx_tdi *tdi_of(uint64_t func_id);
bool tdi_is_unlocked(const struct tdx_tdi *tdi);	/* for certain */
void tdi_state_set(const struct tdx_tdi *tdi, enum tdisp_state state);
/* The session is gone: the device forgot its keys, its locked TDIs are in ERROR. */
void session_lost(const struct tdx_spdm *spdm);
/* tdisp.c: one portion of an answer, 0, INTERRUPTED_RESUMABLE (more to fetch) or PROTOCOL_ERROR;
 * then the whole of it. */
uint64_t report_add(const struct tdx_tdi *tdi, const uint8_t *payload, size_t len);
uint64_t report_parse(const struct tdx_tdi *tdi);

/* -- dialogues (dialog.c) ---------------------------------------------------------------------
 * A leaf that talks to a device is a step function. Step 0 starts it; each later step sees the
 * answer to what the one before sent. It returns TDX_SPDM_REQUEST after dialog_vendor() or
 * dialog_spdm() and with *next set, TDX_INTERRUPTED_RESUMABLE with *next set to be called again, or
 * how the operation ended.
 */
struct dialog {
	const struct tdx_spdm *spdm;
	struct tdx_args *args;
	unsigned int step;
	unsigned int next;
	const uint8_t *reply;		/* of a vendor-defined request, after the protocol id */
	size_t reply_len;
};
typedef uint64_t (*dialog_step)(struct dialog *dialog);

/* Is this call the first of its operation? Only then are the leaf's own preconditions checked. */
bool dialog_begins(const struct tdx_spdm *spdm, enum tdx_leaf leaf, const struct tdx_args *args);
uint64_t dialog_run(const struct tdx_spdm *spdm, enum tdx_leaf leaf, struct tdx_args *args,
		    dialog_step step);
uint64_t dialog_vendor(struct dialog *dialog, unsigned int next, uint8_t protocol, const void *body,
		       size_t len);
uint64_t dialog_spdm(struct dialog *dialog, unsigned int next, enum spdm_op op);
struct spdm_requester *spdm_requester_write(const struct tdx_spdm *spdm);

/* TDISP messages (tdisp.c): build and send; check what came. */
uint64_t tdisp_send(struct dialog *dialog, unsigned int next, uint8_t code, uint32_t func_id,
		    const void *payload, size_t len);
/* The payload of a good answer to `code`, at least min bytes; NULL and the status otherwise. */
const uint8_t *tdisp_reply(struct dialog *dialog, uint8_t code, uint32_t func_id, size_t min,
			   size_t *len, uint64_t *status);

/* -- tables of the rooms' files -------------------------------------------------------------- */
extern const struct tdx_leaf_row tdx_td_leaves[], tdx_vp_leaves[], tdx_mem_leaves[],
	tdx_mmio_leaves[], tdx_mmiomt_leaves[], tdx_iommu_leaves[], tdx_dmar_leaves[],
	tdx_spdm_leaves[], tdx_stream_leaves[], tdx_tdi_leaves[], tdx_bind_leaves[];

#endif
