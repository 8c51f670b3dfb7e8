/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Operands of the TDX module, register by register: what a host driver (SEAMCALL) and a guest
 * (TDCALL) are written against. Registers not named must be 0 on the way in and are unchanged on
 * the way out. A refused call changes nothing but the registers named under "refused".
 *
 * Kinds of operand
 *	MAP	GPA in 51:12, level in 2:0 (0: 4 KiB, 1: 2 MiB, 2: 1 GiB, 3: 512 GiB); tdx_map()
 *	PAGE	HPA of a 4 KiB page of host RAM; the module owns it from then on
 *	BUF	HPA of host RAM the module reads or writes during the call, 4 KiB aligned
 *	LIST	HPA of a host page that holds 64-bit HPAs; index of the last in 63:55; tdx_list()
 *	FUNC	TDISP FUNCTION_ID: requester id in 15:0, segment 23:16, segment valid 24
 *	TDR	HPA of a TD's root page
 *
 * Ownership. A TD has a number n >= 1, never used again. phys_owner() is 2n for its private memory,
 * 2n+1 for its control pages, 1 for pages of the module proper, 0 for the host. PAGE and LIST
 * operands must be owned by 0, else TDX_PAGE_METADATA_INCORRECT. Pages given with SPDM, IDE, TDI,
 * DEVIFMT, MMIOMT, DMAR and IOMMU leaves, S-EPT pages and removed TD pages are the host's again
 * when the undoing leaf succeeds; TDR, TDCS, TDVPR and pages of a TD torn down go back by
 * TDH.PHYMEM.PAGE.RECLAIM. All come back zeroed.
 *
 * Each line is: leaf, registers in, -> registers out; then what it depends on.
 *
 * TD life; each leaf refuses out of order
 *   TDH.MNG.CREATE          rcx PAGE (the TDR), rdx HKID 1..63 -> rcx TD number n
 *   TDH.MNG.KEY.CONFIG      rcx TDR
 *   TDH.MNG.ADDCX           rcx PAGE, rdx TDR; TDX_TDCS_PAGES times
 *   TDH.MNG.INIT            rcx TDR, rdx BUF TD_PARAMS -> rcx HPA of the S-EPT's top page
 *                           TD_PARAMS: ATTRIBUTES u64 @0 (0), CONFIG_FLAGS u64 @32: without
 *                           TDX_CONFIG_CONNECT the TD may not have TDIs. Always 4 levels, SHARED is
 *                           bit 47
 *   TDH.VP.CREATE           rcx PAGE (the TDVPR), rdx TDR
 *   TDH.VP.ADDCX            rcx PAGE, rdx TDVPR
 *   TDH.VP.INIT             rcx TDVPR, rdx initial value of RCX; at least one ADDCX before
 *   TDH.MEM.PAGE.ADD        rcx MAP level 0, rdx TDR, r8 PAGE, r9 BUF source; before FINALIZE
 *   TDH.MR.FINALIZE         rcx TDR
 *   TDH.VP.FLUSH            rcx TDVPR
 *   TDH.MNG.VPFLUSHDONE     rcx TDR; all flushed; TDX_TD_HAS_TDIS while TDIs exist
 *   TDH.MNG.KEY.FREEID      rcx TDR; after VPFLUSHDONE
 *   TDH.PHYMEM.PAGE.RECLAIM rcx HPA of any page of the TD; after FREEID, and the TDR last, else
 *                           TDX_TD_ASSOCIATED_PAGES_EXIST
 *
 * Secure EPT. Refused with EPT_WALK_FAILED or EPT_ENTRY_STATE_INCORRECT: rcx the entry found, rdx
 * its level in 2:0 and its enum sept_state in 15:8.
 *   TDH.MEM.SEPT.ADD        rcx MAP level 1..3 of the entry that will point to it, rdx TDR, r8 PAGE
 *   TDH.MEM.SEPT.REMOVE     rcx MAP, rdx TDR -> rcx HPA of the page; the table is empty
 *   TDH.MEM.PAGE.AUG        rcx MAP level 0 or 1, rdx TDR, r8 PAGE (2 MiB aligned at level 1)
 *   TDH.MEM.RANGE.BLOCK     rcx MAP of one leaf, rdx TDR; RAM only, MMIO by TDH.MMIO.BLOCK
 *   TDH.MEM.TRACK           rcx TDR; a new TLB epoch
 *   TDH.MEM.PAGE.REMOVE     rcx MAP, rdx TDR -> rcx HPA of the page; blocked and tracked, and with
 *                           trusted DMA in the TD also invalidated
 *   TDH.MEM.SHARED.SEPT.WR  rcx MAP level 3 with SHARED set, rdx TDR, r8 a non-leaf EPT entry: HPA
 *                           of the host's level-3 table (512 GiB) | 7, or 0
 *   TDH.MMIO.MAP            rcx MAP level 0 or 1, rdx TDR, r8 HPA of MMIO
 *   TDH.MMIO.BLOCK          rcx MAP, rdx TDR
 *   TDH.MMIO.UNMAP          rcx MAP, rdx TDR -> r8 HPA; blocked; a TDH.MEM.TRACK and an IOTLB
 *                           invalidation of the TD since; TDI UNLOCKED or its stream blocked
 *
 * IOMMU. One TDX_INV_DMAR covers the entry it names and what was below it.
 *   TDH.IOMMU.SETUP         rcx VTBAR (page aligned), rdx LIST of 1 -> rcx iommu id
 *   TDH.IOMMU.CLEAR         rcx iommu id
 *   TDH.DMAR.ADD            rcx index (tdx_dmar_index()); r8 PAGE at levels ROOT, CONTEXT and
 *                           PASID_DIR; rdx TDR, r9 FUNC at level PASID. Parents first. An
 *                           entry that is there already: TDX_DMAR_INVALID_STATE
 *   TDH.DMAR.BLOCK          rcx index; children free; leaf: its TDI is still there
 *   TDH.DMAR.READ           rcx index -> rcx enum dmar_state, rdx children, or TDR at level PASID
 *   TDH.DMAR.REMOVE         rcx index -> rcx HPA of the page; blocked and invalidated since
 *   TDH.IQ.INV.REQUEST      rcx iommu id, rdx enum tdx_inv, r8 TDR (IOTLB) or index (DMAR)
 *   TDH.IQ.INV.PROCESS      rcx iommu id; completes one request: TDX_IQ_INV_PENDING while more are
 *                           queued (call again), TDX_SUCCESS when none is
 *
 * Metadata
 *   TDH.MMIOMT.ADD          rcx HPA of a 2 MiB aligned MMIO region, rdx PAGE; there already:
 *                           TDX_PAGE_METADATA_INCORRECT
 *   TDH.MMIOMT.SET          rcx HPA | level 0 or 1, rdx FUNC, or 0 to clear
 *   TDH.MMIOMT.RD           rcx HPA -> rcx FUNC or 0, rdx bit 0 mapped
 *   TDH.MMIOMT.REMOVE       rcx HPA of the region -> rcx HPA of the page; nothing in it is owned
 *   TDH.DEVIFMT.ADD         rcx FUNC, rdx PAGE
 *   TDH.DEVIFMT.REMOVE      rcx FUNC -> rcx HPA of the page; no TDI there
 *   TDH.DEVIFMT.RD          rcx FUNC -> rcx 0 no metadata, 1 metadata, 2 a TDI
 *
 * Talking to a device. All leaves marked (*) have one loop:
 *	in	r8 BUF of TDX_MESSAGE_SIZE bytes for a request, r9 the same for a response, r11
 *		bytes of response in it: 0 at first
 *	out	TDX_SPDM_REQUEST: r10 bytes of request at r8, a whole DOE object. Send it on
 *		function 0's mailbox, put the whole DOE object received at r9, its length in r11,
 *		call again with all other registers as they were. r11 0 again gives the same request
 *		again. TDX_INTERRUPTED_RESUMABLE or TDX_OPERAND_BUSY: call again, registers as they
 *		were. Anything else: the operation is over.
 * r11 = TDX_MESSAGE_LOST says that no answer will come: the operation ends, the SPDM session is
 * gone (TDX_SPDM_PROTOCOL_ERROR), and what a TDI did with the request is not known. While an
 * operation is under way on an SPDM session, another one on it is TDX_OPERAND_BUSY. A TDISP or
 * IDE_KM error answer: rcx the error code (TDISP: enum tdisp_error), status
 * TDX_TDI_TDISP_INVALID_STATE for INVALID_INTERFACE_STATE, TDX_OPERAND_BUSY for BUSY, else
 * TDX_SPDM_PROTOCOL_ERROR; the session stays.
 *
 * SPDM and IDE
 *   TDH.SPDM.CREATE         rcx FUNC of function 0, rdx LIST of TDX_SPDM_PAGES -> rcx spdm id
 *   TDH.SPDM.CONNECT (*)    rcx spdm id, rdx BUF configuration or 0, r12 LIST for device
 *                           information or 0 -> r13 bytes of device information
 *                           configuration: trust anchor's length u16 @8, the anchor (DER) @16.
 *                           None: any self-signed root will do, since the TD judges the chain
 *                           device information: u32 length, SPDM certificate chain; u32 length,
 *                           measurement record. What does not fit into the LIST is cut off
 *   TDH.SPDM.MNG (*)        rcx spdm id, rdx enum tdx_spdm_mng, r12 LIST (TDX_MNG_DEV_INFO)
 *                           -> r13 as above
 *   TDH.SPDM.DISCONNECT (*) rcx spdm id; without a session there is nothing to send
 *   TDH.SPDM.DELETE         rcx spdm id; disconnected; TDX_SPDM_HAS_STREAMS while it has
 *   TDH.IDE.STREAM.CREATE   rcx stream_info (tdx_stream_info()), rdx spdm id, r8 LIST of
 *                           TDX_IDE_PAGES, r9 selective stream control value (its enable bit is
 *                           ignored), r10, r11 RID association 1, 2, r12..r14 address association
 *                           1..3, all as in the root port's registers
 *                           -> rcx stream handle, rdx selective index
 *   TDH.IDE.STREAM.KM (*)   rcx stream handle, rdx enum tdx_km; then set enable at both ports
 *   TDH.IDE.STREAM.BLOCK    rcx stream handle; root port off, keys gone; no way back
 *   TDH.IDE.STREAM.DELETE   rcx stream handle; blocked; TDX_IDE_STREAM_HAS_TDI while it has
 *
 * TDI
 *   TDH.TDI.CREATE          rcx FUNC, rdx TDR, r8 stream handle, r9 LIST of TDX_TDI_PAGES; needs
 *                           DEVIFMT, and a secure stream whose RID association covers the function
 *   TDH.TDI.BIND (*)        rcx FUNC, rdx lock flags (TDISP_LOCK_*), r12 MMIO reporting offset
 *                           (whole pages), r13 P2P address mask -> rcx bind session id
 *   TDH.TDI.GET_REPORT (*)  rcx FUNC, r12 LIST for the report -> r13 bytes of report
 *   TDH.TDI.GET_STATE (*)   rcx FUNC -> rcx enum tdisp_state, rdx bind session id
 *   TDH.TDI.START (*)       rcx FUNC; after TDG.TDI.START, else TDX_TDI_NOT_AUTHORISED
 *   TDH.TDI.STOP (*)        rcx FUNC; in any state
 *   TDH.TDI.REMOVE          rcx FUNC; no DMAR leaf, no mapped and no owned MMIO, and UNLOCKED or
 *                           its stream blocked
 *
 * Guest. TDCALLs that find no leaf leave the guest (*exits, EPT violation) and return
 * TDX_INTERRUPTED_RESUMABLE: call again when the vCPU runs again.
 *   TDG.VP.VMCALL           r10 0, r11 function, r12..r15 arguments; answer in vcpu->exit.ret
 *   TDG.VP.INFO             -> rcx GPA bits (48), rdx attributes, r8 TD number
 *   TDG.VM.RD               rdx enum tdx_vm_field -> r8 value
 *   TDG.MEM.PAGE.ACCEPT     rcx MAP level 0 or 1
 *   TDG.TDI.RD              rcx FUNC, rdx enum tdx_tdi_field, r8 private GPA for a digest
 *                           -> r8 value, or digest bytes written
 *   TDG.TDI.START           rcx FUNC, rdx bind session id expected
 *   TDG.MMIO.ACCEPT         rcx MAP of the first page, rdx index in the report, r8 FUNC, r9 page
 *                           offset in the range 63:32, pages 31:0 (4 KiB each; at level 1 leaves of
 *                           512) -> rcx, r9 what is left
 *   TDG.DMAR.ACCEPT         rcx FUNC, rdx 0 (the TD itself)
 */
#ifndef SWTIO_FIRMWARE_TDX_OPERANDS_H
#define SWTIO_FIRMWARE_TDX_OPERANDS_H

#include <stdint.h>

#define TDX_MESSAGE_SIZE 8192u		/* of each message buffer: two pages in a row */
#define TDX_MESSAGE_LOST UINT64_MAX
#define TDX_TDCS_PAGES 4u
#define TDX_SPDM_PAGES 16u
#define TDX_IDE_PAGES 1u
#define TDX_TDI_PAGES 2u
#define TDX_HKID_MAX 63u
#define TDX_CONFIG_CONNECT (1ull << 3)	/* of CONFIG_FLAGS; the bit is ours */
#define TDX_PARAMS_ATTRIBUTES 0u
#define TDX_PARAMS_CONFIG_FLAGS 32u
#define TDX_SHARED_BIT (1ull << 47)
#define TDX_CONF_ANCHOR_LEN 8u
#define TDX_CONF_ANCHOR 16u

enum tdx_km { TDX_KM_SETUP, TDX_KM_REFRESH, TDX_KM_STOP };
enum tdx_spdm_mng { TDX_MNG_HEARTBEAT, TDX_MNG_KEY_UPDATE, TDX_MNG_DEV_INFO };
enum tdx_inv { TDX_INV_IOTLB, TDX_INV_DMAR };
enum tdx_dmar_level { TDX_DMAR_ROOT, TDX_DMAR_CONTEXT, TDX_DMAR_PASID_DIR, TDX_DMAR_PASID,
	TDX_DMAR_LEVELS };
enum tdx_vm_field { TDX_VM_ATTRIBUTES, TDX_VM_CONFIG_FLAGS };
enum tdx_tdi_field { TDX_TDI_BIND_SESSION = 1, TDX_TDI_TDISP_STATE, TDX_TDI_REPORT_DIGEST,
	TDX_TDI_DEV_INFO_DIGEST };

static inline uint64_t tdx_map(uint64_t gpa, unsigned int level)
{
	return gpa | level;
}

static inline uint64_t tdx_list(uint64_t list_hpa, unsigned int count)
{
	return list_hpa | (uint64_t)(count - 1) << 55;
}

static inline uint64_t tdx_dmar_index(uint64_t iommu, uint16_t rid, uint32_t pasid,
				      enum tdx_dmar_level level)
{
	return (uint64_t)level | (iommu & 0xff) << 8 | (uint64_t)rid << 16 |
	       (uint64_t)(pasid & 0xfffff) << 32;
}

/* The root port, the IDE stream id on the wire, and which of the port's selective blocks. */
static inline uint64_t tdx_stream_info(uint16_t root_port, uint8_t stream, uint8_t selective)
{
	return root_port | (uint64_t)stream << 16 | (uint64_t)selective << 24;
}

#endif
