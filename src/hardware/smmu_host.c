/* SPDX-License-Identifier: BSD-2-Clause */
/* The non-secure side of the SMMU: nested stream table entries, commands, event records. */
#include "hardware/smmu.h"

#include "hardware/iommu.h"

#include <errno.h>

#define FIELD(value, low, bits) ((value) >> (low) & ((1ull << (bits)) - 1))
#define SSID_BITS 20u
#define OAS_48 5u

uint32_t smmu_idr(unsigned int n)
{
	static const uint32_t idr[SMMU_IDRS] = {
		1u << 0 | 1u << 1	/* S2P, S1P */
		| 2u << 2		/* TTF: AArch64 */
		| 1u << 4		/* COHACC */
		| 2u << 6		/* HTTU: access flag and dirty state */
		| 1u << 10		/* ATS */
		| 1u << 12		/* ASID16 */
		| 1u << 18		/* VMID16 */
		| 1u << 19		/* CD2L */
		| 2u << 21		/* TTENDIAN: little */
		| 1u << 24		/* STALL_MODEL: no stalls */
		| 1u << 27,		/* ST_LEVEL: two-level stream tables */
		16u			/* SIDSIZE */
		| SSID_BITS << 6	/* SSIDSIZE */
		| 19u << 16 | 19u << 21,	/* EVENTQS, CMDQS */
		0,
		1u << 10,		/* RIL: ranges in invalidations */
		0,
		OAS_48 | 1u << 4,	/* OAS; GRAN4K */
	};

	return n < SMMU_IDRS ? idr[n] : 0;
}

uint32_t smmu_aidr(void)
{
	return 2;			/* SMMUv3.2 */
}

/* -- stream table entries ----------------------------------------------------------------------- */

/* 5.2: word 0 S1Fmt, S1ContextPtr, S1CDMax; word 1 S1DSS. */
#define STE_S1FMT(ste) FIELD((ste)[0], 4, 2)	/* 0: linear; 1, 2: leaves of 4, of 64 KiB */
#define STE_S1CONTEXT(ste) ((ste)[0] & 0x00ffffffffffffc0ull)
#define STE_S1CDMAX(ste) ((unsigned int)FIELD((ste)[0], 59, 5))
#define STE_S1DSS(ste) FIELD((ste)[1], 0, 2)	/* 0: terminate; 1: bypass; 2: entry 0 */

/* False: the entry is ILLEGAL. */
static bool stage1_of(const struct smmu_nested *nested, struct iommu_nested *stage1)
{
	static const uint8_t no_pasid[] = { IOMMU_NO_PASID_FAULT, IOMMU_NO_PASID_BYPASS,
					    IOMMU_NO_PASID_ENTRY0 };
	unsigned int dss = (unsigned int)STE_S1DSS(nested->ste);
	unsigned int format = (unsigned int)STE_S1FMT(nested->ste);

	*stage1 = (struct iommu_nested){
		.parent = nested->parent, .root = STE_S1CONTEXT(nested->ste),
		.parent_did = nested->parent_vmid, .did = nested->vmid,
		.tables = IOMMU_TABLES_SMMUV3, .pasid_levels = 1,
		.pasid_bits = (uint8_t)STE_S1CDMAX(nested->ste) };
	if (STE_S1CDMAX(nested->ste) > SSID_BITS)
		return false;
	if (!STE_S1CDMAX(nested->ste))
		return true;		/* one descriptor: the fields for more are ignored */
	if (dss >= sizeof(no_pasid) || format > 2)
		return false;
	stage1->no_pasid = no_pasid[dss];
	if (format) {
		stage1->pasid_levels = 2;
		stage1->pasid_split = format == 1 ? 6 : 10;
	}
	return true;
}

int smmu_nested_set(uint16_t sid, const struct smmu_nested *nested)
{
	struct iommu_nested stage1;
	enum iommu_mode mode = IOMMU_BLOCK;

	switch (nested->ste[0] & SMMU_STE_V ? SMMU_STE_CONFIG(nested->ste[0]) : SMMU_ABORT) {
	case SMMU_ABORT:
		break;
	case SMMU_BYPASS:
		mode = IOMMU_SECOND_STAGE;
		break;
	case SMMU_STAGE1:
		if (stage1_of(nested, &stage1))
			return iommu_nested_set(sid, TLP_NO_PASID, &stage1);
		/* fallthrough */
	default:
		mode = IOMMU_BAD_ENTRY;
	}
	return iommu_context_set(sid, TLP_NO_PASID, mode, nested->parent, nested->parent_vmid);
}

/* -- commands ----------------------------------------------------------------------------------- */

/* 4.4.1: TG not 0 makes it a range of (NUM + 1) << SCALE granules. */
#define TLBI_NUM(cmd) FIELD((cmd)[0], 12, 5)
#define TLBI_SCALE(cmd) FIELD((cmd)[0], 20, 5)
#define TLBI_ASID(cmd) ((uint32_t)FIELD((cmd)[0], 48, 16))
#define TLBI_LEAF(cmd) ((cmd)[1] & 1)
#define TLBI_TG(cmd) ((unsigned int)FIELD((cmd)[1], 10, 2))
#define TLBI_ADDRESS(cmd) ((cmd)[1] & ~0xfffull)
#define CFGI_SSID(cmd) ((uint32_t)FIELD((cmd)[0], 12, 20))

static void tlbi_va(const uint64_t cmd[2], uint16_t vmid, uint32_t asid)
{
	unsigned int shift = TLBI_TG(cmd) ? 10 + 2 * TLBI_TG(cmd) : 12;
	uint64_t len = 1ull << shift, first = TLBI_ADDRESS(cmd), last;

	if (TLBI_TG(cmd))
		len = (TLBI_NUM(cmd) + 1) << (TLBI_SCALE(cmd) + shift);
	if (__builtin_add_overflow(first, len - 1, &last))
		last = UINT64_MAX;
	iommu_nested_flush(vmid, asid, first, last, TLBI_LEAF(cmd));
}

int smmu_command(const uint64_t cmd[2])
{
	uint16_t vmid = (uint16_t)(cmd[0] >> SMMU_CMD_VMID_SHIFT);
	uint16_t sid = (uint16_t)(cmd[0] >> SMMU_CMD_SID_SHIFT);

	switch (SMMU_CMD_OPCODE(cmd[0])) {
	case SMMU_CFGI_CD:
		iommu_pasid_flush(sid, CFGI_SSID(cmd));
		if (!CFGI_SSID(cmd))	/* the entry serves requests without PASID as well */
			iommu_pasid_flush(sid, TLP_NO_PASID);
		return 0;
	case SMMU_CFGI_CD_ALL:
		iommu_pasid_flush(sid, IOMMU_ALL_PASIDS);
		return 0;
	case SMMU_TLBI_NH_ALL:
		iommu_nested_flush(vmid, IOMMU_ANY, 0, UINT64_MAX, false);
		return 0;
	case SMMU_TLBI_NH_ASID:
		iommu_nested_flush(vmid, TLBI_ASID(cmd), 0, UINT64_MAX, false);
		return 0;
	case SMMU_TLBI_NH_VA:
		tlbi_va(cmd, vmid, TLBI_ASID(cmd));
		return 0;
	case SMMU_TLBI_NH_VAA:
		tlbi_va(cmd, vmid, IOMMU_ANY);
		return 0;
	case SMMU_ATC_INV:
		return 0;		/* no device caches translations */
	default:
		return -EINVAL;
	}
}

/* -- events ------------------------------------------------------------------------------------- */

/* 7.3: numbers, and what of the record is filled in. */
enum { F_TRANSLATION = 0x10, F_ACCESS = 0x12, F_PERMISSION = 0x13, C_BAD_STE = 0x04,
       F_STREAM_DISABLED = 0x06, C_BAD_SUBSTREAMID = 0x08, C_BAD_CD = 0x0a };
enum { CLASS_CD = 0, CLASS_TT = 1, CLASS_IN = 2 };

static const struct event_row {
	uint16_t reason;
	uint8_t number;
	bool address, stage2;
	uint8_t class;
} rows[] = {
	{ FAULT_BAD_ENTRY, C_BAD_STE, false, false, 0 },
	{ FAULT_NO_PASID, F_STREAM_DISABLED, false, false, 0 },
	{ FAULT_PASID_BEYOND, C_BAD_SUBSTREAMID, false, false, 0 },
	{ FAULT_DIRECTORY_ABSENT, C_BAD_SUBSTREAMID, false, false, 0 },
	{ FAULT_PASID_ABSENT, C_BAD_CD, false, false, 0 },
	{ FAULT_PASID_INVALID, C_BAD_CD, false, false, 0 },
	{ FAULT_DIRECTORY_ACCESS, F_TRANSLATION, true, true, CLASS_CD },
	{ FAULT_PASID_ACCESS, F_TRANSLATION, true, true, CLASS_CD },
	{ FAULT_S1_ACCESS, F_TRANSLATION, true, true, CLASS_TT },
	{ FAULT_S1_UPDATE, F_PERMISSION, true, true, CLASS_TT },
	{ FAULT_S1_ABSENT, F_TRANSLATION, true, false, CLASS_IN },
	{ FAULT_S1_RESERVED, F_TRANSLATION, true, false, CLASS_IN },
	{ FAULT_NOT_CANONICAL, F_TRANSLATION, true, false, CLASS_IN },
	{ FAULT_S1_UNTOUCHED, F_ACCESS, true, false, CLASS_IN },
	{ FAULT_S1_WRITE, F_PERMISSION, true, false, CLASS_IN },
	{ FAULT_S1_READ, F_PERMISSION, true, false, CLASS_IN },
	{ FAULT_S2, F_TRANSLATION, true, true, CLASS_IN },
};

#define EVENT_SSV (1ull << 11)
#define EVENT_SSID_SHIFT 12
#define EVENT_SID_SHIFT 32
#define EVENT_READ (1ull << 35)		/* word 1: RnW */
#define EVENT_CLASS_SHIFT 40

bool smmu_event(const struct smmu_fault *fault, uint64_t event[SMMU_EVENT_WORDS])
{
	const struct event_row *row = rows, *end = rows + sizeof(rows) / sizeof(rows[0]);

	while (row < end && row->reason != fault->reason)
		row++;
	if (row == end)
		return false;
	event[0] = row->number | (uint64_t)fault->sid << EVENT_SID_SHIFT;
	if (fault->pasid != TLP_NO_PASID)
		event[0] |= EVENT_SSV | (uint64_t)fault->pasid << EVENT_SSID_SHIFT;
	event[1] = row->stage2 ? SMMU_EVENT_STAGE2 : 0;
	if (row->address)
		event[1] |= (fault->write ? 0 : EVENT_READ) |
			    (uint64_t)row->class << EVENT_CLASS_SHIFT;
	event[2] = row->address ? fault->address : 0;
	event[3] = 0;
	return true;
}
