/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Realm programming interface of an SMMUv3 (IHI 0070, with RME-DA): a two-level stream table in
 * granules of the Realm world, of which the hardware fetches an STE when it is told that one has
 * changed. Only stage 2 (Config 0b110): a Realm's RTT translates.
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

#endif
