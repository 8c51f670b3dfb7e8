/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The IOMMU: second-stage, nested and trusted translation, its caches, and page requests. T=0
 * requests take the host's context entry, T=1 requests the trusted one, in tables that only
 * firmware writes. Faults go up through kernel_iommu_fault(), page requests through
 * kernel_page_request().
 */
#ifndef SWTIO_HARDWARE_IOMMU_H
#define SWTIO_HARDWARE_IOMMU_H

#include "hardware/function.h"
#include "hardware/pt.h"

int iommu_power_on(void);

/* Capability registers as GET_HW_INFO reports them (VT-d 11.4.2, 11.4.3). */
uint64_t iommu_cap(void);
uint64_t iommu_ecap(void);
/* AMD's extended feature registers, MMIO 0x30 and 0x1a0 (n 0 and 1). */
#define IOMMU_EFR_HD (1ull << 52)	/* accessed and dirty bits of host tables */
uint64_t iommu_efr(unsigned int n);

/* Fault reasons (VT-d 7.1.3); what the other architectures call events is reported as these. */
enum iommu_reason {
	FAULT_NONE = 0,
	FAULT_NO_CONTEXT = 0x02,
	FAULT_ADDRESS_WIDTH = 0x04,
	FAULT_WRITE = 0x05,
	FAULT_READ = 0x06,
	FAULT_PASID_BEYOND = 0x46,	/* larger than the table */
	FAULT_DIRECTORY_ACCESS = 0x50,	/* PASID directory, or an upper level of its like */
	FAULT_DIRECTORY_ABSENT = 0x51,
	FAULT_PASID_ACCESS = 0x58,
	FAULT_PASID_ABSENT = 0x59,
	FAULT_PASID_INVALID = 0x5b,
	FAULT_S1_ACCESS = 0x70,		/* of an entry that the second stage does not lead to */
	FAULT_S1_ABSENT = 0x71,
	FAULT_S1_RESERVED = 0x72,
	FAULT_S1_UPDATE = 0x77,		/* accessed or dirty: the second stage is read-only there */
	FAULT_S2 = 0x79,		/* where the first stage leads to */
	FAULT_NOT_CANONICAL = 0x80,
	FAULT_S1_WRITE = 0x85,
	FAULT_S1_READ = 0x86,
	/* ours: */
	FAULT_FENCED = 0x100,		/* the ASID is fenced (SEV-TIO) */
	FAULT_S1_UNTOUCHED = 0x101,	/* not accessed before, and hardware may not note it */
	FAULT_NO_PASID = 0x102,		/* a table serves PASIDs only, and the request has none */
	FAULT_BAD_ENTRY = 0x103,	/* of the requester: IOMMU_BAD_ENTRY */
};

/* BAD_ENTRY: what the host wrote is not an entry, which is a fault of its own. Nested: below. */
enum iommu_mode { IOMMU_BLOCK, IOMMU_IDENTITY, IOMMU_SECOND_STAGE, IOMMU_BAD_ENTRY };

/* Host-owned context of (rid, pasid); pasid TLP_NO_PASID is the requests without PASID. `did` names
 * the domain in the IOTLB. 0 or -ENOMEM. */
int iommu_context_set(uint16_t rid, uint32_t pasid, enum iommu_mode mode, const struct pt *pt,
		      uint16_t did);
/*
 * A nested context: the first stage is the guest's, tables in its memory, each access to which goes
 * through the second stage `parent` (a two-dimensional walk). `root` is the GPA of one page table,
 * or, when pasid_levels is not 0, of a table of contexts, in which each request finds its own page
 * table by its PASID: VT-d's PASID directory, SMMUv3's CD table, AMD's GCR3 table. The stages may
 * be of any two formats.
 *
 * What is cached of a first stage stays, however stale, until it is flushed. It is tagged by `did`
 * (its own, not the parent's; contexts that share one share what is cached) and by PASID, or, with
 * SMMUv3's formats, by ASID.
 */
enum iommu_tables { IOMMU_TABLES_VTD, IOMMU_TABLES_SMMUV3, IOMMU_TABLES_AMD };
/* Of a PASID table, what requests without PASID get: entry 0, no first stage, or a fault. */
enum iommu_no_pasid { IOMMU_NO_PASID_ENTRY0, IOMMU_NO_PASID_BYPASS, IOMMU_NO_PASID_FAULT };

struct iommu_nested {
	const struct pt *parent;	/* outlives the context, as does its root */
	uint64_t root;			/* GPA, 4 KiB aligned; a CD table 64 bytes */
	uint16_t parent_did, did;
	uint16_t asid;			/* SMMUv3, without a PASID table */
	uint8_t tables;			/* enum iommu_tables */
	uint8_t levels;			/* of page tables: x86 4, 5, Arm 3, 4; a CD says its own */
	uint8_t updates;		/* Arm without a CD: PT_UPDATE_*; x86 always does both */
	uint8_t pasid_levels;		/* 0; VT-d 2, SMMUv3 1 or 2, AMD 1 to 3 */
	uint8_t pasid_bits;		/* the table covers PASIDs below 1 << pasid_bits */
	uint8_t pasid_split;		/* SMMUv3 of 2 levels: log2 of CDs a leaf, 6 or 10 */
	uint8_t no_pasid;		/* enum iommu_no_pasid */
};
/* As iommu_context_set(). With a PASID table it is the requester's as a whole: `pasid` is
 * TLP_NO_PASID, and contexts set for single PASIDs are not looked at. 0, -EINVAL, -ENOMEM. */
int iommu_nested_set(uint16_t rid, uint32_t pasid, const struct iommu_nested *nested);
/* Drops what is cached of first stages, no more than asked for: of a tag or IOMMU_ANY; entries that
 * touch [first, last], and unless leaf_only the paging structures on the way to them. */
#define IOMMU_ANY 0xffffffffu
void iommu_nested_flush(uint16_t did, uint32_t tag, uint64_t first, uint64_t last, bool leaf_only);
/* Drops what a PASID table said of a requester's PASID (TLP_NO_PASID likewise) or IOMMU_ALL_PASIDS.
 * What was translated by it stays until that is flushed too. */
#define IOMMU_ALL_PASIDS 0xfffffffeu
void iommu_pasid_flush(uint16_t rid, uint32_t pasid);
/* Off: every translation reads all it needs, every time. On at power-on. */
void iommu_caches_enable(bool on);

int iommu_did_alloc(void);			/* > 0, or -ENOSPC */
void iommu_did_free(int did);
/* Whether accessed and dirty bits of the tables of a domain are kept (VT-d 9.6: SSADE of each entry
 * that leads to them). Off in a new domain. What is cached stays: flush after switching on. */
void iommu_tracking_set(uint16_t did, bool on);
/* Invalidation waits out accesses in flight before it returns. last inclusive. */
void iommu_iotlb_flush(uint16_t did, uint64_t first, uint64_t last);
void iommu_iotlb_flush_all(void);

/* Trusted context: firmware only. `root` is what trusted_walk() walks (the S-EPT's top page,
 * or a platform's own). A zero root disables it. 0 or -ENOMEM. */
int iommu_trusted_set(uint16_t rid, uint64_t root, uint32_t owner, bool present);

/*
 * AMD SEV-TIO: a function's secure device table entry, which only the PSP writes. T=1 requests take
 * the host's table from the ordinary entry; then the RMP decides for the ASID named here. Addresses
 * from vtom on lead to shared memory. A violation fences the ASID (hardware/rmp.h). 0 or -ENOMEM.
 */
struct iommu_sdte {
	bool valid, read, write, vtom_en;
	uint16_t asid, guest_rid;
	uint8_t vmpl, stream;
	uint64_t vtom;
};
int iommu_sdte_set(uint16_t rid, const struct iommu_sdte *sdte);
struct iommu_sdte iommu_sdte(uint16_t rid);	/* all zero: none */
/* T=1 traffic of a function was dropped by IDE: a violation as well. */
void iommu_insecure(uint16_t rid);

/* Where smmu.c finds the STEs that make trusted contexts; 0: nowhere. */
void iommu_realm_table_set(uint64_t l1);
uint64_t iommu_realm_table(void);
uint64_t iommu_trusted_epoch(void);		/* completed trusted IOTLB invalidations */
void iommu_trusted_flush(uint16_t rid);

/* How this platform walks a trusted second stage: 0, -ENOENT absent or not mapped, -EACCES an abort
 * that the guest itself takes (no exit). *owner says who
 * asks (a vCPU's or a TDI's owner number), and then whose memory it is. */
int trusted_walk(uint64_t root, uint64_t gpa, struct pt_leaf *leaf, uint32_t *owner);
/* ... of which TDX's is defined by the module, which knows the state bits of its leaves. */
int tdx_trusted_walk(uint64_t root, uint64_t gpa, struct pt_leaf *leaf, uint32_t *owner);
int cca_trusted_walk(uint64_t root, uint64_t gpa, struct pt_leaf *leaf, uint32_t *owner);

/* Reads of memory: by walks of page tables (both stages), and apart from them by fetches of
 * contexts and of PASID tables (with their own second-stage reads). */
struct iommu_stats { uint64_t hits, misses, faults, walk_reads, context_reads, pasid_reads; };
void iommu_stats(struct iommu_stats *stats);

/* As iommu_translate(), for an address that is not accessed yet: a refusal is no fault. */
bool iommu_foresee(const struct tlp *tlp, struct pt_leaf *leaf, uint32_t *owner);
/* Translation proper: used by tlp.c. TLP_SC or TLP_BLOCKED. */
enum tlp_status iommu_translate(const struct tlp *tlp, struct pt_leaf *leaf, uint32_t *owner);

/* -- page requests (PCIe 6.x 10.4) ------------------------------------------------------------ */

struct iommu_page_request {
	uint64_t address;	/* of the page */
	uint32_t pasid;		/* or TLP_NO_PASID */
	uint16_t rid, group;	/* group: the device's number for what is answered together */
	uint8_t prot;		/* PT_R, PT_W, PT_X: what it wants to do there */
	bool last;		/* of its group: it is this one that is answered */
};
enum iommu_response { IOMMU_PAGE_SUCCESS = 0, IOMMU_PAGE_INVALID = 1, IOMMU_PAGE_FAILURE = 0xf };

/* Page requests of a requester are taken, or refused (as after power-on). 0 or -ENOMEM. */
int iommu_page_requests_enable(uint16_t rid, bool on);
/* A device's request. When they are not taken, the answer to the last one of a group is INVALID, at
 * once; else kernel_page_request() sees it. */
void iommu_page_request(const struct iommu_page_request *request);
/* Down to the device: function_ops.page_response(). -ENODEV: it is gone, or takes none. */
int iommu_page_response(uint16_t rid, uint32_t pasid, uint16_t group, enum iommu_response code);

/* Upward; defined by the kernel lane. It notes and signals, and does not answer from inside. */
void kernel_page_request(const struct iommu_page_request *request);

#endif
