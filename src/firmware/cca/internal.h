/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside the RMM. Its objects are image objects of IMAGE_TYPE_CCA tied to the granule the host gave
 * for them; RTTs and stream tables are in the granules themselves, where the hardware walks them.
 *
 * A command's handler checks everything before it writes anything.
 */
#ifndef SWTIO_FIRMWARE_CCA_INTERNAL_H
#define SWTIO_FIRMWARE_CCA_INTERNAL_H

#include "firmware/cca/cca.h"
#include "firmware/cca/operands.h"
#include "firmware/ide_km.h"
#include "firmware/tdisp.h"
#include "hardware/ide.h"
#include "hardware/iommu.h"
#include "hardware/smmu.h"
#include "image/bytes.h"
#include "image/mutant.h"
#include "spdm/pcisig.h"
#include "spdm/spdm.h"

#include <errno.h>

#define CCA_TRACED 8u			/* operands of a call that its event can name */
#define CCA_NO_MEMORY RMI_BUSY	/* nothing a real RMM says fits a simulator out of memory */

typedef uint64_t (*rmi_handler)(struct smc_args *args);
struct rmi_row {
	uint32_t command;
	rmi_handler handler;
	const char *args[CCA_TRACED];	/* x1.. in the trace, NULL: not shown */
};
unsigned int cca_trace_operands(const char *const names[CCA_TRACED], const struct smc_args *args,
				struct trace_arg *out);

static inline uint64_t rtt_error(unsigned int level)
{
	return RMI_ERROR_RTT | (uint64_t)level << 8;
}

/* -- the RMM's root (rmm.c) ------------------------------------------------------------------- */
#define CCA_FAULTS 8u
struct cca_fault { uint32_t command; uint32_t count; uint64_t status; };

struct cca_smmu {
	bool active;
	uint64_t base, l1;		/* registers; first level of the Realm stream table */
	uint64_t l2[SMMU_L1_ENTRIES];	/* second levels, 0: none */
};

struct rmm {
	uint64_t next_nonce;		/* of locks, measurements and reports: no value comes twice */
	uint32_t next_stream;
	uint16_t next_vmid;
	const struct cca_realm *realms;
	const struct cca_pdev *pdevs;
	const struct cca_vdev *vdevs;
	const struct cca_stream *streams;
	struct cca_smmu smmu;
	struct cca_fault faults[CCA_FAULTS];
};
const struct rmm *rmm(void);
struct rmm *rmm_write(void);
void *cca_alloc(size_t size);		/* IMAGE_TYPE_CCA */
uint64_t cca_nonce(void);

/* Points a list's link, head or ->next, elsewhere. */
static inline void link_set(const void *link, const void *to)
{
	*(const void **)image_log(link, sizeof(to)) = to;
}

/* -- granules (granule.c) --------------------------------------------------------------------- */
bool granule_aligned(uint64_t hpa);
/* A granule's state; RAM that leaves or enters a Realm is wiped. false: out of memory. */
bool granule_set(uint64_t hpa, uint64_t len, enum granule_state state);
/* All of [hpa, +len) in `from`: to `to`. RMI_SUCCESS, ERROR_INPUT, CCA_NO_MEMORY. */
uint64_t granule_take(uint64_t hpa, uint64_t len, enum granule_state to);
/* A granule of the host's own, read or written whole; false: it is not. */
bool host_page_read(uint64_t hpa, uint8_t page[PHYS_PAGE]);
bool host_buffer_ok(uint64_t hpa, uint64_t len);
/* A parameter of a page that was read. */
static inline uint64_t page_u64(const uint8_t page[PHYS_PAGE], unsigned int offset)
{
	struct reader r = reader_of(page + offset, 8);

	return get_le64(&r);
}

/* -- realms and RECs (realm.c) ---------------------------------------------------------------- */
enum realm_state { REALM_NEW, REALM_ACTIVE };

/* What a REC asked the host for, and has not been answered yet. */
struct rec_pending {
	uint32_t command;		/* enum rsi_command, 0: nothing */
	bool answered, rejected;
	uint64_t base, top, at;		/* at: how far the host came */
	uint64_t pa;
	const struct cca_vdev *vdev;
	uint8_t ripas;
	bool change_destroyed;
	uint64_t gprs[REC_GPRS];
};

struct cca_rec {
	const struct cca_rec *next;
	uint64_t granule;
	const struct cca_realm *realm;
	bool entered;
	struct rec_pending pending;
};

struct cca_realm {
	const struct cca_realm *next;
	uint64_t rd, rtt;		/* granules: the descriptor, the RTT's top table */
	uint16_t vmid;
	uint8_t state;			/* enum realm_state */
	uint32_t vdevs;			/* that keep it alive (C14) */
	uint64_t tables;		/* RTTs under the top one */
	const struct cca_rec *recs;
};
const struct cca_realm *realm_of(uint64_t rd);
const struct cca_rec *rec_of(uint64_t granule);
/* A Realm's own memory at an IPA, in one granule; false: it is not there. */
bool realm_read(const struct cca_realm *realm, uint64_t ipa, void *to, size_t len);
bool realm_store(const struct cca_realm *realm, uint64_t ipa, const void *from, size_t len);
/* What its devices have cached of its RTT is gone. */
void realm_invalidate(const struct cca_realm *realm);

/* -- RTT (rtt.c, rtt_map.c) -------------------------------------------------------------------
 * An entry: bit 0 valid for the hardware, bit 1 table or page, HPA in 47:12, bit 55 non-secure output,
 * enum ripas in 57:56, enum hipas in 60:58. The last two are in bits that stage 2 leaves to software.
 */
#define RTT_ENTRIES 512u
#define RTT_LEAF_LEVEL 3u
#define RTT_VALID 1ull
#define RTT_PAGE 2ull
#define RTT_NS (1ull << 55)
#define RTT_HPA 0x0000fffffffff000ull
#define RTT_RIPAS_SHIFT 56
#define RTT_HIPAS_SHIFT 58

struct rtt_ref {			/* where a walk stopped */
	uint64_t table, index;
	unsigned int level;
	uint64_t entry;
};
static inline enum hipas rtt_hipas(uint64_t entry)
{
	return (enum hipas)(entry >> RTT_HIPAS_SHIFT & 7);
}
static inline enum ripas rtt_ripas(uint64_t entry)
{
	return (enum ripas)(entry >> RTT_RIPAS_SHIFT & 3);
}
static inline uint64_t rtt_level_size(unsigned int level)
{
	return 4096ull << (9 * (RTT_LEAF_LEVEL - level));
}
uint64_t rtt_entry(enum hipas hipas, enum ripas ripas, uint64_t hpa, unsigned int level);
/* Down to `level` or to where there is no further table. false: the IPA is none, or no such RTT. */
bool rtt_walk(uint64_t root, uint64_t ipa, unsigned int level, struct rtt_ref *ref);
void rtt_write(const struct rtt_ref *ref, uint64_t entry);
void ripas_reject_taken_for_consent(const struct cca_rec *rec);	/* a mutant's */
/* Nothing is in a Realm's RTT but its top table. */
bool rtt_empty(const struct cca_realm *realm);

/* -- PDEVs, VDEVs and how they talk (pdev.c, comm.c, vdev.c, vdev_comm.c) ---------------------- */
enum comm_op {
	OP_NONE,
	OP_IDENTIFY, OP_SESSION, OP_STOP_PDEV, OP_STREAM,			/* of a PDEV */
	OP_INIT, OP_LOCK, OP_MEASURE, OP_REPORT, OP_START, OP_UNLOCK		/* of a VDEV */
};

struct cca_comm {
	uint8_t state;			/* enum comm_state */
	uint8_t op;			/* enum comm_op */
	bool awaiting;			/* a request is with the host */
	bool stream_wait;
	uint16_t step;
};

#define VCA_MAX 1024u
struct cca_pdev {
	const struct cca_pdev *next;
	uint64_t granule;
	uint16_t rid, rid_base;
	uint32_t rid_top;		/* exclusive */
	bool spdm;
	uint8_t state;			/* enum pdev_state */
	uint32_t vdevs, streams;	/* C8 */
	struct cca_comm comm;
	const struct cca_comm *talking;	/* whose message is with the host */
	const struct cca_stream *stream;	/* of its OP_STREAM */
	const struct spdm_requester *requester;
	const struct spdm_wire *out;	/* the request under way */
	uint32_t vca_len;
	uint8_t vca[VCA_MAX];
	uint8_t digest[OBJECTS][SPDM_HASH];	/* of certificate and VCA */
	uint8_t pubkey_digest[SPDM_HASH];
};

struct cca_range { uint64_t base, top; };
struct cca_vdev {
	const struct cca_vdev *next;
	uint64_t granule;
	const struct cca_realm *realm;
	const struct cca_pdev *pdev;
	uint64_t vdev_id;
	uint16_t rid;			/* of the TDI, and its stream at the SMMU */
	uint8_t state;			/* enum vdev_state */
	struct cca_comm comm;
	bool dma;
	uint16_t lock_flags;		/* the device's, less MSI-X */
	uint64_t lock_nonce, meas_nonce, report_nonce;
	uint64_t mapped;		/* granules */
	uint8_t nonce[TDISP_NONCE];	/* the host never sees it */
	uint32_t report_len;
	uint32_t range_count;
	struct cca_range ranges[VDEV_RANGES];
	uint8_t digest[OBJECTS][SPDM_HASH];	/* of measurements and report */
	uint8_t report[4096];
};

/* -- streams (stream.c) ------------------------------------------------------------------------ */
enum stream_op { STREAM_CONNECT, STREAM_DISCONNECT, STREAM_REFRESH, STREAM_PURGE };
/* The two ends go on in turns: each phase is one end's, and lets the other one go on. */
enum stream_phase { STREAM_START, STREAM_RP_READY, STREAM_EP_READY, STREAM_RP_CONNECTED, STREAM_DONE };
struct cca_stream {
	const struct cca_stream *next;
	uint32_t handle;
	const struct cca_pdev *rp, *ep;
	uint8_t id;			/* on the wire */
	uint8_t op, phase;
	bool busy;			/* an operation is not COMPLETE yet */
	bool connected, aborted;
	uint8_t key_set;		/* the active one */
	uint8_t keys[KM_SLOTS][KM_KEY];	/* of a set being programmed */
};

/* image_write() of one's own types, so that a member can be written in one line. */
#define CCA_WRITER(name, type)                                                                     \
	static inline struct type *name##_write(const struct type *object)                         \
	{                                                                                          \
		return image_write(object);                                                        \
	}
CCA_WRITER(realm, cca_realm)
CCA_WRITER(rec, cca_rec)
CCA_WRITER(pdev, cca_pdev)
CCA_WRITER(vdev, cca_vdev)
CCA_WRITER(stream, cca_stream)
CCA_WRITER(comm, cca_comm)
#undef CCA_WRITER

const struct cca_pdev *pdev_of(uint64_t granule);
void pdev_state_set(const struct cca_pdev *pdev, enum pdev_state state);
const struct cca_vdev *vdev_of(uint64_t granule);
const struct cca_vdev *vdev_of_realm(const struct cca_realm *realm, uint64_t vdev_id);
void vdev_state_set(const struct cca_vdev *vdev, enum vdev_state state);
bool vdev_has_range(const struct cca_vdev *vdev, uint64_t base, uint64_t len);
/* The VDEV that registered a granule; NULL: none. */
const struct cca_vdev *vdev_at(uint64_t hpa);
void vdev_dma_set(const struct cca_vdev *vdev, bool on);

/* One COMMUNICATE: what the host said, and what it is told. */
struct talk {
	const struct cca_pdev *pdev;	/* whose session it is */
	const struct cca_vdev *vdev;	/* NULL: the PDEV's own operation */
	const struct cca_comm *comm;
	unsigned int step, next;
	const uint8_t *reply;		/* to a vendor-defined request, after the protocol id */
	size_t reply_len;
	uint64_t page, req, rsp, rsp_len, status;
	uint64_t flags, object;		/* what the RMM says */
	uint64_t req_cache_len, rsp_cache_len;
};
enum talk_end { TALK_SEND, TALK_AGAIN, TALK_WAIT, TALK_STREAM_WAIT, TALK_DONE, TALK_FAILED };
typedef enum talk_end (*talk_step)(struct talk *talk);

/* Makes an operation pending; ERROR_DEVICE when another one is not over (C9). */
uint64_t comm_begin(const struct cca_comm *comm, enum comm_op op);
/* Runs it: RMI_SUCCESS, or why this call was none. */
uint64_t comm_run(const struct cca_pdev *pdev, const struct cca_vdev *vdev, uint64_t page);
void comm_abort(const struct cca_pdev *pdev, const struct cca_vdev *vdev);
void comm_end(const struct cca_comm *comm, enum comm_state state);
enum talk_end talk_spdm(struct talk *talk, unsigned int next, enum spdm_op op);
enum talk_end talk_vendor(struct talk *talk, unsigned int next, uint8_t protocol, const void *body,
			  size_t len);
/* Response bytes the host is to keep, of an object that `begins` with them or goes on. */
void talk_cache(struct talk *talk, unsigned int object, bool begins, const void *bytes, size_t len);
struct spdm_requester *pdev_requester_write(const struct cca_pdev *pdev);
/* The session is gone: the streams' keys are dropped, TDIs that were locked are in ERROR. */
void pdev_session_lost(const struct cca_pdev *pdev);

/* The steps of an operation, by enum comm_op. */
enum talk_end pdev_step(struct talk *talk);
enum talk_end stream_step(struct talk *talk);
enum talk_end vdev_step(struct talk *talk);
void stream_abort(const struct cca_stream *stream);
void stream_keys_drop(const struct cca_stream *stream);
const struct cca_stream *stream_of_pdev(const struct cca_pdev *ep);	/* NULL: none connected */

/* -- SMMU (smmu.c) ------------------------------------------------------------------------------ */
bool smmu_ready(uint16_t sid);
void smmu_ste_set(uint16_t sid, const struct cca_realm *realm, bool valid);

/* -- tables of the room's files ----------------------------------------------------------------- */
extern const struct rmi_row cca_granule_rows[], cca_realm_rows[], cca_rtt_rows[], cca_map_rows[],
	cca_pdev_rows[], cca_stream_rows[], cca_vdev_rows[], cca_smmu_rows[];

#endif
