/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Realm Management Monitor with device assignment: RMI for the host, RSI for a Realm, register by
 * register (operands.h), in the dialect of RMM 2.0. It is the judge: what it refuses here, a real RMM
 * refuses. Numbers and names are in one table each (commands.def, rsi.def, status.def); where the
 * public sources leave a doubt, the line says (?).
 *
 * The granule table is the memory controller's owner map: a page's owner is its enum granule_state,
 * and whatever is not UNDELEGATED is out of the host's and its devices' reach (the GPT's verdict).
 *
 * Every call commits the image before and after: nothing un-sends what firmware did.
 */
#ifndef SWTIO_FIRMWARE_CCA_H
#define SWTIO_FIRMWARE_CCA_H

#include "hardware/cpu.h"
#include "trace/trace.h"

#define SMC_REGISTERS 12u
struct smc_args { uint64_t x[SMC_REGISTERS]; };	/* x[1]..: operands in, results out; x[0] unused */

enum rmi_command {
#define RMI_COMMAND(id, number, name) RMI_##id = 0xc4000000u | (number),
#include "firmware/cca/commands.def"
#undef RMI_COMMAND
};

enum rsi_command {
#define RSI_COMMAND(id, number, name) RSI_##id = 0xc4000000u | (number),
#include "firmware/cca/rsi.def"
#undef RSI_COMMAND
};

enum rmi_status {
#define RMI_STATUS(id, number, name) RMI_##id = (number),
#include "firmware/cca/status.def"
#undef RMI_STATUS
};

enum rsi_status {
#define RSI_STATUS(id, number, name) RSI_##id = (number),
#include "firmware/cca/status.def"
#undef RSI_STATUS
};

/* Bits 7:0 of a result; bits 15:8 are an index, for ERROR_RTT the level the walk came to. */
static inline enum rmi_status rmi_status(uint64_t result) { return (enum rmi_status)(result & 0xff); }
static inline unsigned int rmi_index(uint64_t result) { return result >> 8 & 0xff; }
const char *rmi_status_name(uint64_t result);		/* "RMI_ERROR_GRANULE" */
const char *rsi_status_name(uint64_t result);
const char *rmi_command_name(uint64_t command);		/* NULL: no such command */
const char *rsi_command_name(uint64_t command);

int cca_power_on(void);

/* The host's gate. Traces LANE_TSM or LANE_KVM (`from`) -> LANE_FIRMWARE. */
uint64_t cca_rmi(enum lane from, enum rmi_command command, struct smc_args *args);
/* The Realm's gate. *exits: the vCPU leaves with vcpu->exit filled, and the same call made again when
 * it is back has the answer. */
uint64_t cca_rsi(const struct vcpu_hw *vcpu, enum rsi_command command, struct smc_args *args,
		 bool *exits);

/* Injected faults, by name from flows: the next `count` calls of a command answer `status`. */
int cca_inject(enum rmi_command command, uint64_t status, unsigned int count);

/* -- inspection (check, inspect, flows): read-only views -------------------------------------- */
enum granule_state {
	GRANULE_UNDELEGATED,		/* the host's */
	GRANULE_DELEGATED,		/* nobody's */
	GRANULE_DATA,			/* a Realm's memory */
	GRANULE_DEV,			/* device memory, mapped in an RTT */
	GRANULE_RD,
	GRANULE_REC,
	GRANULE_RTT,
	GRANULE_PDEV,
	GRANULE_VDEV,
	GRANULE_PSMMU_ST,
	GRANULE_STATES
};
static inline enum granule_state granule_state(uint64_t hpa)
{
	return (enum granule_state)phys_owner(hpa);
}

enum hipas { HIPAS_UNASSIGNED, HIPAS_ASSIGNED, HIPAS_TABLE, HIPAS_ASSIGNED_DEV, HIPAS_ASSIGNED_NS };
enum ripas { RIPAS_EMPTY, RIPAS_RAM, RIPAS_DESTROYED, RIPAS_DEV };
enum pdev_state {			/* numbers (?) */
	PDEV_NEW, PDEV_NEEDS_KEY, PDEV_HAS_KEY, PDEV_READY, PDEV_STOPPING, PDEV_STOPPED, PDEV_ERROR
};
enum vdev_state {			/* numbers (?) */
	VDEV_NEW, VDEV_UNLOCKED, VDEV_LOCKED, VDEV_STARTED, VDEV_ERROR, VDEV_KEY_REFRESH,
	VDEV_KEY_PURGE
};
enum comm_state { COMM_IDLE, COMM_PENDING, COMM_ACTIVE };
const char *vdev_state_name(enum vdev_state state);
const char *pdev_state_name(enum pdev_state state);

struct cca_rtt_view { enum hipas hipas; enum ripas ripas; uint64_t hpa, size; };
void cca_rtt_view(uint64_t rd, uint64_t ipa, struct cca_rtt_view *view);
/* How a Realm's second stage is walked: see trusted_walk(). */
int cca_trusted_walk(uint64_t root, uint64_t ipa, struct pt_leaf *leaf, uint32_t *owner);

struct cca_vdev_view {
	uint64_t vdev, pdev, rd;	/* granules */
	uint16_t rid;			/* of the TDI */
	enum vdev_state state;
	enum comm_state comm;
	uint64_t lock_nonce, meas_nonce, report_nonce;
	bool dma;			/* its Realm STE is valid */
	uint64_t mapped;		/* device granules mapped in an RTT */
};
int cca_vdev_view(uint16_t rid, struct cca_vdev_view *view);	/* 0 or -ENOENT */
struct cca_pdev_view {
	uint64_t pdev;
	uint16_t rid;
	enum pdev_state state;
	enum comm_state comm;
	bool stream_wait;		/* its COMMUNICATE waits for the stream's other end */
	unsigned int vdevs, streams;
};
int cca_pdev_view(uint16_t rid, struct cca_pdev_view *view);	/* 0 or -ENOENT */
int cca_pdev_each(int (*fn)(const struct cca_pdev_view *view, void *arg), void *arg);
int cca_vdev_each(int (*fn)(const struct cca_vdev_view *view, void *arg), void *arg);
/* The RMM's digest of what it has seen of a device; NULL: no such VDEV or object (operands.h). */
const uint8_t *cca_vdev_digest(uint16_t rid, unsigned int object);
/* The address range number `index` that a VDEV has registered: 0 or -ENOENT. */
int cca_vdev_range(uint16_t rid, unsigned int index, uint64_t *base, uint64_t *top);

#endif
