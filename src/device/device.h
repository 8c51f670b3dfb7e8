/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Functions behind the bus. A model is a row of function_ops (models.c). The DSM is the device's
 * security manager: one a device, on function 0, serving every PF and VF under it.
 */
#ifndef SWTIO_DEVICE_DEVICE_H
#define SWTIO_DEVICE_DEVICE_H

#include "hardware/function.h"
#include "spdm/pcisig.h"

enum function_model {
	MODEL_NONE,
	MODEL_ROOT_PORT,
	MODEL_DMA_ENGINE,	/* PF, TDISP capable, SR-IOV */
	MODEL_DMA_ENGINE_VF,
	MODEL_IOAT		/* as Intel's I/OAT of Skylake: what its drivers program */
};

int device_power_on(void);		/* after function_power_on(); 0 or -ENOMEM */
/* The standard machine: root port 00:01.0; a DMA engine PF 01:00.0 with one VF 01:00.1 enabled,
 * both TDIs of one DSM, BARs assigned, Command registers clear. */
int device_machine_default(void);
/* What stands where: each at bus:00.0 (bus 1..31) behind a root port of its own at 00:bus.0. */
#define TOPOLOGY_DEVICES 31u
struct device_place {
	uint16_t rid;
	uint8_t model;			/* MODEL_DMA_ENGINE or MODEL_IOAT */
	uint8_t vfs;			/* of an engine: up to 7 */
	uint8_t numvfs;			/* of them enabled at power-on */
};
struct topology {
	unsigned int count;
	struct device_place device[TOPOLOGY_DEVICES];
};
int device_model_by_name(const char *name);	/* "engine", "ioat"; -EINVAL */
/* Process-local: what device_machine_default() builds from now on; NULL: the standard machine. */
void device_topology_set(const struct topology *topology);
int device_add(const struct device_place *place);	/* 0, -EINVAL, -EEXIST, -ENOMEM */
/* Adds one DMA engine at bus:00.0 behind a root port of its own at 00:bus.0 (bus 1..31), with up to
 * 7 VFs, all enabled. 0, -EINVAL, -EEXIST, -ENOMEM. */
int device_add_engine(uint8_t bus, unsigned int vfs);

/* The trust anchor (root certificate, DER) of a device's chain, as its vendor would publish it. */
const uint8_t *device_trust_anchor(uint16_t rid, size_t *len);

/* Inspection. */
struct tdi_view {
	uint16_t rid;
	enum tdisp_state state;
	uint8_t stream;			/* bound at LOCK */
	uint16_t lock_flags;
	uint32_t session;		/* that locked it */
	char error_cause[48];		/* why it is in ERROR, "" otherwise */
};
int device_tdi_view(uint16_t rid, struct tdi_view *view);	/* 0 or -ENOENT: no TDI */
/* A TDISP message outside any session, for an emulator of the device's front that has to know the
 * state: GET_DEVICE_INTERFACE_STATE is answered, anything else refused. The answer's length, or
 * -ENOENT: no such device, -ENOMSG: no TDISP message. */
int device_tdisp_in_clear(uint16_t rid, const uint8_t *req, size_t len, uint8_t *rsp, size_t cap);
/* Attributes of a page of a BAR as the TDISP report has them now (unlocked: as a LOCK without flags
 * would report them): TDISP_RANGE_*; -ENOENT: in no range, as MSI-X pages that are not locked. */
int device_mmio_attributes(uint16_t rid, unsigned int bar, uint64_t offset);

/* Injected faults and hostile acts, by name from flows; 0 or -EINVAL, -ENOENT. */
enum device_fault {
	DEVICE_FAULT_NO_ENTROPY,	/* next LOCK answers INSUFFICIENT_ENTROPY */
	DEVICE_FAULT_END_SESSION,	/* the device drops its SPDM session now */
	DEVICE_FAULT_INSECURE,		/* its IDE stream goes insecure now */
	DEVICE_FAULT_LIE_REPORT,	/* next reports carry ranges out of order */
	DEVICE_FAULT_TDISP_BUSY,	/* next TDISP request answers BUSY */
	DEVICE_FAULT_DMA_T0,		/* the engine issues T=0 DMA although in RUN */
	DEVICE_FAULT_DMA_T1_EARLY,	/* the engine tries T=1 DMA although not in RUN: its next
					 * job, or in LOCKED and ERROR its last one, at once */
	DEVICE_FAULT_INTEGRITY,		/* an unrecoverable integrity error inside, now */
	DEVICE_FAULT_DEBUG_UNLOCK,	/* debug access opened, now: streams, session, TDIs lost */
	DEVICE_FAULT_NEW_NONCE,		/* the lock's nonce is another one now: a START finds it stale */
	DEVICE_FAULT_SPDM_BUSY,		/* next SPDM requests get ERROR Busy */
	DEVICE_FAULT_SPDM_NOT_READY,	/* next SPDM requests get ResponseNotReady */
	DEVICE_FAULT_LIE_PAGES,		/* next reports: a range reaches behind its BAR, */
	DEVICE_FAULT_LIE_ID,		/* is of a BAR that cannot be, */
	DEVICE_FAULT_LIE_OVERLAP,	/* or begins where another does; */
	DEVICE_FAULT_LIE_RANGES,	/* or there is a range more than there is room for */
	DEVICE_FAULT_MAX
};
int device_inject(uint16_t rid, enum device_fault fault, unsigned int count);
int device_fault_by_name(const char *name);	/* enum, or -EINVAL */
/* The owner updates the firmware: 0 (measurements change), -ENOENT, or -EACCES while any TDI of the
 * device is locked with NO_FW_UPDATE. */
int device_firmware_update(uint16_t rid);
/* Behaviours on which published peers disagree, off by default: "emu-function-id" (FUNCTION_ID
 * 0xbeef names function 0), "any-port" (IDE_KM ports 0..7 are the one port), "lock-any-stream"
 * (LOCK does not look at the IDE registers), "stop-unlocked-error", "req-msgs-from-bit0",
 * "offset-in-pages" (the reporting offset counts pages). 0, -ENOENT no such device, -EINVAL no such
 * name. */
int device_quirk_set(uint16_t rid, const char *name, bool on);
/* Function 0 of the device is known to its requester by another id too (an emulator's topology is
 * not ours); 0 or -ENOENT. */
int device_alias_set(uint16_t rid, uint16_t alias);
/* What a host's software would do to a device behind a socket, whose config space nobody sees: makes
 * `stream` its default selective stream, RIDs and addresses unlimited. 0, -ENOENT. */
int device_stream_default(uint16_t rid, uint8_t stream);
/* Another identity than the one made at power-on: chain (DER, root first) and its leaf's key (DER);
 * and the digest of a measurement (index 1 firmware, 2 hardware configuration). 0, -ENOENT,
 * -ENOSPC: too long, -EINVAL: no such index. */
int device_identity_set(uint16_t rid, const uint8_t *chain, size_t chain_len, const uint8_t *key,
			size_t key_len);
int device_measurement_set(uint16_t rid, unsigned int index, const uint8_t digest[48]);
/* What the SPDM responder offers (spdm.h). 0, -ENOENT. */
struct spdm_offer;
int device_offer_set(uint16_t rid, const struct spdm_offer *offer, bool clear_handshake);

#endif
