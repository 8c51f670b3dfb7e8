/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An SMMUv3 (IHI 0070).
 *
 * Its Realm programming interface (RME-DA): a two-level stream table in granules of the Realm world,
 * of which the hardware fetches an STE when it is told that one has changed. Only stage 2 (Config
 * 0b110): a Realm's RTT translates.
 *
 * Of the non-secure interface what a host needs that lends the first stage to a guest: STEs with a
 * guest's table of context descriptors, commands, and event records. A VMID is the domain that
 * what is cached of a first stage is tagged by (iommu_did_alloc()).
 */
#ifndef SWTIO_HARDWARE_SMMU_H
#define SWTIO_HARDWARE_SMMU_H

#include "hardware/phys.h"

#define SMMU_STE_SIZE 64u
#define SMMU_SPLIT 6u			/* stream id bits of the second level: a granule of STEs */
#define SMMU_L1_INDEX(sid) ((unsigned int)(sid) >> SMMU_SPLIT)
#define SMMU_L2_INDEX(sid) ((unsigned int)(sid) & ((1u << SMMU_SPLIT) - 1))
#define SMMU_L1_ENTRIES 512u		/* a granule: 15 bits of stream id */
#define SMMU_SIDS (SMMU_L1_ENTRIES << SMMU_SPLIT)

void smmu_realm_table_set(uint64_t l1);	/* SMMU_R_STRTAB_BASE: the first level, 0 none */
/* A level 1 descriptor for a whole second level (5.1): span in 4:0, pointer in 55:6. */
uint64_t smmu_l1_entry(uint64_t l2);
/* A stage 2 STE (5.2). */
void smmu_ste_make(uint8_t ste[SMMU_STE_SIZE], uint64_t s2ttb, uint16_t vmid);
/* CMD_CFGI_STE: what was cached of a stream's STE goes; the next request fetches it. */
void smmu_cfgi_ste(uint16_t sid);

/* -- the non-secure interface ------------------------------------------------------------------ */

#define SMMU_IDRS 6u
uint32_t smmu_idr(unsigned int n);	/* SMMU_IDR0 to 5 (6.3.1 to 6.3.6) */
uint32_t smmu_aidr(void);

/* STE.Config (5.2), of the values that a nested STE can have. */
enum smmu_config { SMMU_ABORT = 0, SMMU_BYPASS = 4, SMMU_STAGE1 = 5 };
#define SMMU_STE_V 1ull
#define SMMU_STE_CONFIG(ste0) ((unsigned int)((ste0) >> 1 & 7))

/* Stage 1 of a stream as words 0 and 1 of its STE say, over a second stage. Not SMMU_STAGE1: only
 * the latter, or nothing. What hardware cannot follow is C_BAD_STE to each request. 0, -ENOMEM. */
struct smmu_nested {
	uint64_t ste[2];
	const struct pt *parent;	/* outlives the entry, as does its root */
	uint16_t parent_vmid, vmid;
};
int smmu_nested_set(uint16_t sid, const struct smmu_nested *nested);

/* Commands of the queue (4.1): opcode in 7:0. */
enum smmu_opcode {
	SMMU_CFGI_CD = 0x05, SMMU_CFGI_CD_ALL = 0x06, SMMU_TLBI_NH_ALL = 0x10,
	SMMU_TLBI_NH_ASID = 0x11, SMMU_TLBI_NH_VA = 0x12, SMMU_TLBI_NH_VAA = 0x13,
	SMMU_TLBI_NSNH_ALL = 0x30, SMMU_ATC_INV = 0x40
};
#define SMMU_CMD_OPCODE(cmd0) ((unsigned int)((cmd0) & 0xff))
#define SMMU_CMD_VMID_SHIFT 32
#define SMMU_CMD_VMID 0x0000ffff00000000ull
#define SMMU_CMD_SID_SHIFT 32
#define SMMU_CMD_SID 0xffffffff00000000ull
/* A command of those above but NSNH_ALL: 0, or -EINVAL (CERROR_ILL). */
int smmu_command(const uint64_t cmd[2]);

/* The record of a fault (7.3). False: hardware records none. */
#define SMMU_EVENT_WORDS 4u
#define SMMU_EVENT_STAGE2 (1ull << 39)	/* word 1: S2 */
struct smmu_fault { uint32_t sid, pasid; uint64_t address; bool write; unsigned int reason; };
bool smmu_event(const struct smmu_fault *fault, uint64_t event[SMMU_EVENT_WORDS]);

#endif
