/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside the device lane: a device (DSM), its TDIs and its engines, and the calls between the files
 * of this room. Everything here lives in the image.
 */
#ifndef SWTIO_DEVICE_DSM_H
#define SWTIO_DEVICE_DSM_H

#include "device/device.h"
#include "device/engine.h"
#include "hardware/ide.h"
#include "image/bytes.h"
#include "spdm/spdm.h"

#define DSM_STREAMS 8u		/* selective streams of the IDE capability */
#define DSM_STREAM_ASSOC 1u	/* address associations a stream */
#define DSM_MAX_VFS 7u		/* function numbers 1..7: no ARI needed */
#define DSM_MEASUREMENTS 2u

#define ENGINE_PAGES0 (ENGINE_BAR0_SIZE / 4096u)
#define ENGINE_PAGES2 (ENGINE_BAR2_SIZE / 4096u)
#define ENGINE_MAX_LEN (64u << 20)
#define ENGINE_NONE 0xffffffffu

#define TDI_REPORT_MAX 256u
#define TDI_P2P_STREAMS 4u

/* -- what a TDI is ---------------------------------------------------------------------------- */

/* Why a TDI went to ERROR (PCIe 6.x 11.4, the events a DSM must track). Text in tdi.c. */
enum tdi_cause {
	TDI_CAUSE_NONE, TDI_CAUSE_MSE, TDI_CAUSE_BME, TDI_CAUSE_BAR, TDI_CAUSE_ROM, TDI_CAUSE_BIST,
	TDI_CAUSE_FLR, TDI_CAUSE_PF_FLR, TDI_CAUSE_DEVCTL, TDI_CAUSE_POWER, TDI_CAUSE_MSIX,
	TDI_CAUSE_PASID, TDI_CAUSE_PRI, TDI_CAUSE_ARI, TDI_CAUSE_EA, TDI_CAUSE_REBAR,
	TDI_CAUSE_VF_REBAR, TDI_CAUSE_SRIOV, TDI_CAUSE_MULTICAST, TDI_CAUSE_IDE, TDI_CAUSE_INSECURE,
	TDI_CAUSE_SESSION, TDI_CAUSE_RID, TDI_CAUSE_INTEGRITY, TDI_CAUSE_DEBUG, TDI_CAUSE_MAX
};

struct tdi {
	const struct tdi *next;		/* of the same DSM */
	const struct dsm *dsm;
	uint16_t rid;
	uint8_t state;			/* enum tdisp_state */
	uint8_t cause;			/* enum tdi_cause, in ERROR */
	uint8_t stream;			/* default stream of the LOCK */
	bool nonce_live;		/* from LOCK until START or leaving LOCKED */
	uint16_t lock_flags;
	uint32_t session;		/* that locked it */
	uint8_t nonce[TDISP_NONCE];
	uint8_t p2p_count;
	uint8_t p2p[TDI_P2P_STREAMS];	/* streams bound by BIND_P2P_STREAM */
	uint16_t report_len;
	uint8_t report[TDI_REPORT_MAX];	/* made at LOCK: what the guest attests does not move */
	uint64_t reporting_offset;
	uint64_t non_tee[ENGINE_PAGES2 / 64];	/* BAR2 pages SET_MMIO_ATTRIBUTE made non-TEE */
	uint32_t faults[DEVICE_FAULT_MAX];	/* how many times more */
};

/* A stream's twelve key slots are bits; ide_km.c numbers them. */
struct dsm_stream {
	bool used;
	uint8_t id;
	uint16_t programmed;		/* slots that got a key from the owning session */
};

struct dsm {
	const struct dsm *next;
	uint16_t rid;			/* function 0 */
	uint16_t root_port;
	uint32_t quirks;		/* bits of enum device_quirk */
	uint16_t alias;			/* another id of function 0; 0: none */
	uint32_t key_session;		/* SPDM session that owns the port's keys; 0: none */
	uint32_t firmware;		/* version, measured */
	const struct tdi *tdis;
	const struct spdm_responder *responder;
	struct dsm_stream streams[DSM_STREAMS];
	/* Made once, at power-on. */
	uint32_t chain_len, key_len, anchor_len;
	uint8_t chain[4096];
	uint8_t key[512];
	uint8_t anchor[1536];
	uint8_t measurement[DSM_MEASUREMENTS][SPDM_HASH];
};

static inline struct tdi *tdi_write(const struct tdi *tdi)
{
	return image_write(tdi);
}

static inline struct dsm_stream *stream_write(const struct dsm_stream *stream)
{
	return image_write(stream);
}

struct device_root { const struct dsm *first; };

struct msix_entry { uint64_t address; uint32_t data, control; };

#define MSIX_VECTORS 8u		/* of the model that has most */
#define MSIX_PBA 0x1000u	/* the page behind the table, in every model */

struct msix {			/* part of a model's state */
	const struct tdi *tdi;	/* NULL: no TEE device, no T bit */
	uint16_t rid;
	uint16_t vectors;
	uint32_t pending;
	struct msix_entry entry[MSIX_VECTORS];
};

struct engine {			/* function.state */
	const struct tdi *tdi;
	const struct function_bar *bar2;	/* its memory */
	uint16_t rid;
	uint32_t status, op, len, vector, pasid, step, scratch;
	uint64_t src, dst, done, sum;
	uint16_t group;			/* of its last page request */
	bool waits;			/* for the answer to it, in the middle of a job */
	struct msix msix;
};

static inline struct engine *engine_write(const struct engine *engine)
{
	return image_write(engine);
}

/* -- dsm.c ------------------------------------------------------------------------------------ */
const struct dsm *dsm_first(void);
const struct dsm *dsm_of(uint16_t rid); /* of any function under it; NULL: not a TEE device */
int dsm_create(const struct function *pf);
const struct tdi *dsm_tdi(const struct dsm *dsm, uint16_t rid);
int dsm_tdi_add(const struct dsm *dsm, uint16_t rid, const struct tdi **tdi);
int dsm_doe_object(const struct function *fn, const uint8_t *req, size_t len, uint8_t *rsp,
	size_t cap, size_t *rsp_len);
void dsm_session_end(const struct dsm *dsm, uint32_t session);	/* it is over: keys and TDIs go */
void dsm_session_drop(const struct dsm *dsm);	/* end what session there is */
void dsm_reset(const struct dsm *dsm);		/* conventional reset */
void dsm_stream_changed(const struct function *fn, uint16_t stream, bool secure);

/* -- identity.c ------------------------------------------------------------------------------- */
int identity_make(const struct dsm *dsm);
int identity_measure(const struct dsm *dsm);
void identity_get(const struct dsm *dsm, struct spdm_identity *identity,
		  struct spdm_measurement measurements[DSM_MEASUREMENTS]);

/* -- ide_km.c: the reply's length or -ENOMSG. body starts after the protocol id. --------------- */
int ide_km_handle(const struct dsm *dsm, uint32_t session, const uint8_t *body, size_t len,
		  uint8_t *reply, size_t cap);
bool ide_km_keyed(const struct dsm *dsm, uint32_t session, uint8_t stream);
void ide_km_session_ended(const struct dsm *dsm, uint32_t session);
/* It went insecure: the hardware dropped its keys. */
void ide_km_stream_lost(const struct dsm *dsm, uint16_t id);
void ide_km_reset(const struct dsm *dsm);

/* -- tdisp.c ---------------------------------------------------------------------------------- */
int tdisp_handle(const struct dsm *dsm, uint32_t session, const uint8_t *body, size_t len,
		 uint8_t *reply, size_t cap);
const char *tdisp_error_name(enum tdisp_error error);

/* -- tdi.c: the state machine ------------------------------------------------------------------ */
struct tdi_lock { uint16_t flags; uint8_t stream; uint64_t reporting_offset, p2p_mask; };
enum tdisp_error tdi_lock(const struct tdi *tdi, uint32_t session, const struct tdi_lock *lock);
enum tdisp_error tdi_start(const struct tdi *tdi, const uint8_t nonce[TDISP_NONCE]);
void tdi_stop(const struct tdi *tdi); /* also a conventional reset's end: UNLOCKED, scrubbed */
/* LOCKED or RUN to ERROR; nothing in the other states. */
void tdi_break(const struct tdi *tdi, enum tdi_cause cause);
const char *tdi_cause_name(enum tdi_cause cause);
bool tdi_fault_take(const struct tdi *tdi, enum device_fault fault);
bool tdi_stream_bound(const struct tdi *tdi, uint16_t stream);
const char *tdi_state_name(unsigned int state);

/* -- p2p.c ------------------------------------------------------------------------------------- */
enum tdisp_error tdi_p2p_bind(const struct tdi *tdi, uint8_t stream);
enum tdisp_error tdi_p2p_unbind(const struct tdi *tdi, uint8_t stream);

/* -- track.c: config space watched while locked ------------------------------------------------ */
void track_config_written(const struct function *fn, unsigned int offset, unsigned int size,
			  uint32_t old, uint32_t new);
void track_port_written(const struct function *port, unsigned int offset, unsigned int size,
			uint32_t old, uint32_t new);

/* -- lockcheck.c: is the function configured so that it may be locked? ------------------------ */
bool lock_configuration_ok(const struct function *fn);

/* -- report.c --------------------------------------------------------------------------------- */
struct mmio_range { uint8_t bar; uint16_t attributes; uint32_t first, pages; };
int report_make(const struct tdi *tdi, const struct function *fn, uint8_t *out, size_t cap);
/* Tells the lie of a fault; false: it is none that lies. */
bool report_lie(uint8_t *report, size_t len, enum device_fault fault);
/* TDISP_RANGE_* of a BAR page under lock flags, -ENOENT: in no range. */
int report_attributes(const struct tdi *tdi, uint16_t lock_flags, unsigned int bar, uint64_t page);
enum tdisp_error report_set_attribute(const struct tdi *tdi, uint64_t first, uint32_t pages,
				      uint16_t attributes, uint16_t range_id);
uint64_t function_bar_address(const struct function *fn, unsigned int bar);

/* -- engine.c, msix.c ------------------------------------------------------------------------- */
enum tlp_status engine_mmio(
	const struct function *fn, unsigned int bar, uint64_t offset, struct tlp *tlp);
enum tlp_status engine_admit(
	const struct function *fn, unsigned int bar, uint64_t offset, const struct tlp *tlp);
void engine_stop(const struct engine *engine);	/* work aborted, registers keep their values */
void engine_clear(const struct engine *engine); /* registers, MSI-X and BAR2 as after reset */
void engine_run(const struct engine *engine);
void engine_step(const struct engine *engine);		/* of a job that is under way */
void engine_page_response(
	const struct function *fn, uint32_t pasid, uint16_t group, unsigned int code);
const struct engine *engine_of(uint16_t rid);		/* NULL: function absent, or no engine */
/* `at` counts from the table. */
uint32_t msix_read(const struct msix *msix, uint64_t at);
void msix_write(const struct msix *msix, uint64_t at, uint32_t value, uint32_t mask);
/* The vector's message, or MSI's one where that is what is enabled; else nothing. */
void msix_raise(const struct msix *msix, uint32_t vector);
void msix_flush(const struct msix *msix); /* send what is pending and no longer masked */
void msix_clear(const struct msix *msix);

/* -- ioat.c ------------------------------------------------------------------------------------ */
int ioat_add(const struct function *fn);	/* state and BAR of a new one */
enum tlp_status ioat_mmio(const struct function *fn, unsigned int bar, uint64_t offset,
			  struct tlp *tlp);
void ioat_config_written(const struct function *fn, unsigned int offset, unsigned int size,
			 uint32_t old, uint32_t new);
void ioat_reset(const struct function *fn, enum function_reset kind);

/* May the function master the bus now, and with which T? */
enum dma_mode { DMA_NONE, DMA_T0, DMA_T1 };
enum dma_mode engine_dma_mode(const struct engine *engine);

/* -- quirks: where published peers disagree, what this device does instead -------------------- */
enum device_quirk {
	QUIRK_EMU_FUNCTION_ID = 1,	/* FUNCTION_ID 0xbeef names function 0 */
	QUIRK_ANY_PORT = 2,		/* IDE_KM port indexes 0..7 all mean the one port */
	QUIRK_LOCK_ANY_STREAM = 4,	/* LOCK takes a keyed stream without IDE registers set up */
	QUIRK_STOP_UNLOCKED_ERROR = 8,	/* STOP in CONFIG_UNLOCKED is refused */
	QUIRK_REQ_MSGS_FROM_BIT0 = 16,	/* REQ_MSGS_SUPPORTED counts from code 0x81 */
	QUIRK_OFFSET_IN_PAGES = 32	/* the reporting offset is added after the shift to pages */
};

/* Config space as the function itself sees it: no TLP, no side effect. */
static inline uint32_t function_config(
	const struct function *fn, unsigned int offset, unsigned int size)
{
	struct reader r = reader_of(fn->config, sizeof(fn->config));

	r.at = offset > sizeof(fn->config) ? sizeof(fn->config) : offset;
	return (uint32_t)get_le(&r, size);
}

unsigned int function_find_cap(const struct function *fn, uint8_t id);		/* 0: none */
unsigned int function_find_ext_cap(const struct function *fn, uint16_t id);	/* 0: none */

#endif
