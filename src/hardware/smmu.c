/* SPDX-License-Identifier: BSD-2-Clause */
/* The SMMU's Realm stream table: STEs are read from memory, as it stands there. */
#include "hardware/smmu.h"

#include "hardware/hardware.h"
#include "hardware/iommu.h"

#define STE_VALID 1ull			/* word 0: V */
#define STE_CONFIG_S2 (6ull << 1)	/* word 0: Config */
#define STE_CONFIG_MASK (7ull << 1)
#define STE_S2TTB 3u			/* word 3: S2TTB in 51:4 */
#define STE_S2TTB_MASK 0x000ffffffffffff0ull
#define L1_SPAN (SMMU_SPLIT + 1ull)
#define L1_POINTER 0x00ffffffffffffc0ull

void smmu_realm_table_set(uint64_t l1)
{
	iommu_realm_table_set(l1);
}

uint64_t smmu_l1_entry(uint64_t l2)
{
	return l2 | L1_SPAN;
}

void smmu_ste_make(uint8_t ste[SMMU_STE_SIZE], uint64_t s2ttb, uint16_t vmid)
{
	struct writer w = writer_of(ste, SMMU_STE_SIZE);

	put_le64(&w, STE_VALID | STE_CONFIG_S2);
	put_le64(&w, 0);
	put_le64(&w, vmid);		/* word 2: S2VMID in 15:0 */
	put_le64(&w, s2ttb);
}

static uint64_t word(uint64_t hpa)
{
	const uint64_t *p = hpa ? phys_ram(hpa, sizeof(*p)) : NULL;

	return p ? le64toh(*p) : 0;
}

void smmu_cfgi_ste(uint16_t sid)
{
	uint64_t l1 = sid < SMMU_SIDS ? iommu_realm_table() : 0;
	uint64_t l2 = l1 ? word(l1 + 8 * SMMU_L1_INDEX(sid)) & L1_POINTER : 0;
	uint64_t ste = l2 ? l2 + (uint64_t)SMMU_L2_INDEX(sid) * SMMU_STE_SIZE : 0;
	uint64_t config = word(ste);
	bool valid = config & STE_VALID && (config & STE_CONFIG_MASK) == STE_CONFIG_S2;

	iommu_trusted_set(sid, valid ? word(ste + 8 * STE_S2TTB) & STE_S2TTB_MASK : 0, 0, valid);
}
