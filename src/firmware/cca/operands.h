/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Operands of the RMM, register by register: what a host driver (RMI) and a guest (RSI) are written
 * against. A refused call changes nothing. Layouts marked (?) are ours in their offsets: the fields
 * are the specification's.
 *
 * Kinds of operand
 *	GRAN	HPA of a delegated granule, which the RMM uses from then on; DELEGATED again when the
 *		object is destroyed
 *	PAGE	HPA of a granule of the host's own that the RMM reads or writes during the call
 *	RANGE	base, top: granule aligned, top exclusive; the result's x1 is how far the call came
 *	OADDR	HPA in 51:12 and 1:0 the size of one entry (0: 4 KiB, 1: 2 MiB), contiguous
 *
 * Granules
 *   GRANULE_RANGE_DELEGATE	RANGE -> x1; ERROR_GRANULE, x1 the address, when the first is not the host's
 *   GRANULE_RANGE_UNDELEGATE	RANGE -> x1; ERROR_GRANULE, x1 the address, when it is not DELEGATED
 *
 * Realms and RECs
 *   REALM_CREATE	x1 GRAN (the RD), x2 PAGE of parameters (REALM_PARAM_*): rtt_base is a GRAN
 *   REALM_ACTIVATE	x1 rd
 *   REALM_DESTROY	x1 rd; no REC, no VDEV, nothing left in the RTT but its top table
 *   REC_CREATE		x1 rd, x2 GRAN; before ACTIVATE
 *   REC_DESTROY	x1 rec
 *   REC_ENTER		x1 rec, x2 PAGE: flags at REC_ENTER_FLAGS, x0..x6 at REC_ENTER_GPRS. It answers
 *			the exit before; the Realm then runs in the vCPU of that REC
 *
 * RTT. Levels 1..3 are those of a table's entries: 3 maps 4 KiB. Refused with ERROR_RTT and the level
 * the walk came to.
 *   RTT_CREATE		x1 rd, x2 GRAN, x3 ipa, x4 level
 *   RTT_DESTROY	x1 rd, x2 ipa, x3 level -> x1 HPA of the granule; nothing in it is mapped
 *   RTT_READ_ENTRY	x1 rd, x2 ipa, x3 level -> x1 level reached, x2 enum hipas, x3 HPA, x4 enum ripas
 *   RTT_SET_RIPAS	x1 rd, x2 rec, RANGE x3 x4 -> x1; what the REC asked for, from where it asked
 *   RTT_DATA_MAP	x1 rd, RANGE x2 x3, x4 flags, x5 OADDR of delegated RAM -> x1
 *   RTT_DATA_UNMAP	x1 rd, RANGE x2 x3 -> x1; RIPAS RAM becomes DESTROYED; granules DELEGATED
 *   RTT_DEV_MAP	x1 rd, x2 vdev, RANGE x3 x4, x5 flags, x6 OADDR (?) -> x1; delegated granules in
 *			the VDEV's address ranges; the Realm has no access yet
 *   RTT_DEV_UNMAP	x1 rd, RANGE x2 x3 -> x1; RIPAS DEV becomes DESTROYED; granules DELEGATED
 *   RTT_DEV_VALIDATE	x1 rd, x2 rec, x3 pdev, x4 vdev, RANGE x5 x6 -> x1; what the REC asked for
 *   RTT_UNPROT_MAP	x1 rd, RANGE x2 x3 in the unprotected half, x4 flags, x5 OADDR -> x1
 *   RTT_UNPROT_UNMAP	x1 rd, RANGE x2 x3 -> x1
 *
 * Physical devices
 *   PDEV_CREATE	x1 GRAN, x2 PAGE of parameters (PDEV_PARAM_*)
 *   PDEV_SET_PUBKEY	x1 pdev, x2 PAGE (PUBKEY_*); in NEEDS_KEY. The RMM verifies signatures by this
 *			key, and never the chain: that is the host's, and the Realm's who sees its digest
 *   PDEV_COMMUNICATE	x1 pdev, x2 PAGE (COMM_*)
 *   PDEV_GET_STATE	x1 pdev -> x1 enum pdev_state
 *   PDEV_ABORT		x1 pdev; ends what its COMMUNICATE is doing, and releases a peer that waits
 *   PDEV_STOP		x1 pdev; no VDEV, no stream; then COMMUNICATE to STOPPED
 *   PDEV_DESTROY	x1 pdev; STOPPED
 *   PDEV_STREAM_CONNECT	x1 PAGE (STREAM_PARAM_*) -> x1 handle; then both PDEVs COMMUNICATE until
 *			each is done: an exit with COMM_STREAM_WAIT says that the other one is next
 *   PDEV_STREAM_KEY_REFRESH, _KEY_PURGE, _DISCONNECT	x1 handle; the same shape
 *   PDEV_STREAM_COMPLETE	x1 handle -> x1 1 connected, 0 gone (DISCONNECT, or aborted)
 *
 * Virtual devices
 *   VDEV_CREATE	x1 rd, x2 pdev, x3 GRAN, x4 PAGE of parameters (VDEV_PARAM_*)
 *   VDEV_LOCK, _START, _GET_MEASUREMENTS, _GET_INTERFACE_REPORT	x1 rd, x2 pdev, x3 vdev; then
 *			COMMUNICATE. Wrong state or not IDLE: ERROR_DEVICE
 *   VDEV_UNLOCK	as these; ERROR_GRANULE, x1 the address, while a granule of its ranges is mapped.
 *			The STE goes before STOP does
 *   VDEV_COMMUNICATE	x1 rd, x2 pdev, x3 vdev, x4 PAGE (COMM_*)
 *   VDEV_GET_STATE	x1 rd, x2 pdev, x3 vdev -> x1 enum vdev_state
 *   VDEV_ABORT		x1 vdev
 *   VDEV_DESTROY	x1 rd, x2 pdev, x3 vdev; NEW or UNLOCKED
 *   After UNLOCK's STOP a VDEV is in KEY_REFRESH, until a refresh of its stream is COMPLETE, then in
 *   KEY_PURGE, until a purge is, then UNLOCKED (the feature VDEV_KROU).
 *
 * SMMU
 *   PSMMU_ACTIVATE	x1 HPA of its registers, x2 GRAN, the Realm stream table's first level (?)
 *   PSMMU_DEACTIVATE	x1 as above; no second level left
 *   PSMMU_ST_L2_CREATE	x1 registers, x2 stream id, x3 GRAN (?): 64 streams; ERROR_PSMMU_ST: it is there
 *   PSMMU_ST_L2_DESTROY	x1 registers, x2 stream id -> x1 HPA; no valid STE in it
 *
 * A Realm
 *   IPA_STATE_SET	RANGE x1 x2, x3 enum ripas (EMPTY or RAM), x4 flags bit 0: change DESTROYED too
 *			-> x1 how far, x2 1: the host rejected the rest
 *   IPA_STATE_GET	x1 ipa -> x1 enum ripas
 *   HOST_CALL		x1 IPA of {imm u16 @0, x0..x6 u64 @8}; the host's answer is put there
 *   VDEV_GET_INFO	x1 vdev id, x2 IPA of 512 bytes (VDEV_INFO_*)
 *   VDEV_VALIDATE_MAPPING	x1 vdev id, RANGE x2 x3, x4 HPA of the first page, x5 flags, x6 lock, x7
 *			measurement, x8 report nonce -> x1 how far, x2 1: the host rejected the rest
 *   VDEV_DMA_ENABLE	x1 vdev id, x2 flags, x3 plane, x4 lock, x5 measurement, x6 report nonce
 *   VDEV_DMA_DISABLE	x1 vdev id
 */
#ifndef SWTIO_FIRMWARE_CCA_OPERANDS_H
#define SWTIO_FIRMWARE_CCA_OPERANDS_H

#include <stdint.h>

#define CCA_UNPROTECTED (1ull << 47)	/* of an IPA: 48 bits, 4 levels from level 0 */
#define OADDR_2M 1ull
#define RMI_ADDR_SINGLE 1ull		/* bits 1:0 of a map's flags */

#define REALM_PARAM_RTT_BASE 0x808u
#define REC_ENTER_FLAGS 0x000u
#define REC_ENTER_GPRS 0x200u
#define REC_GPRS 7u
enum { REC_ENTER_RIPAS_REJECT = 1 << 4, REC_ENTER_DEV_MEM_REJECT = 1 << 6 };

/* vcpu->exit.fn of an exit with CPU_EXIT_VMCALL: args[] are base, top and the rest, as said; for a
 * host call data is x0 and args[] are x1..x6. */
enum rmi_exit {
	RMI_EXIT_RIPAS_CHANGE = 4,		/* base, top, enum ripas */
	RMI_EXIT_HOST_CALL = 5,
	RMI_EXIT_VDEV_VALIDATE_MAPPING = 9	/* base, top, pa, vdev id */
};

/* PDEV parameters (?) */
#define PDEV_PARAM_FLAGS 0x00u
#define PDEV_PARAM_ID 0x08u
#define PDEV_PARAM_ROUTING_ID 0x10u
#define PDEV_PARAM_RID_BASE 0x18u	/* of the functions behind it, top exclusive */
#define PDEV_PARAM_RID_TOP 0x20u
enum { PDEV_FLAG_SPDM = 1 };		/* has a DSM; otherwise a root port, on chip */

/* Public key (?) */
#define PUBKEY_BYTES 0x000u
#define PUBKEY_LEN 0x800u
#define PUBKEY_ALGORITHM 0x810u
enum { PUBKEY_ECDSA_P384 = 2 };		/* X || Y (?) */

/* Stream parameters (?) */
#define STREAM_PARAM_TYPE 0x00u
#define STREAM_PARAM_PDEV_1 0x08u	/* the root port */
#define STREAM_PARAM_PDEV_2 0x10u	/* the endpoint */
#define STREAM_PARAM_IDE_SID 0x18u
enum { STREAM_NON_TEE, STREAM_NCOH, STREAM_COH };

/* VDEV parameters (?) */
#define VDEV_PARAM_FLAGS 0x00u
#define VDEV_PARAM_VDEV_ID 0x08u	/* the guest's requester id */
#define VDEV_PARAM_TDI_ID 0x10u		/* the host's */
#define VDEV_PARAM_SID 0x18u		/* stream id at the SMMU */
#define VDEV_PARAM_RANGES 0x20u		/* how many */
#define VDEV_PARAM_RANGE 0x28u		/* base, top of each */
#define VDEV_RANGES 8u

/* COMMUNICATE's page: what the host says at 0, what the RMM says at 0x800. Response bytes to be
 * cached are appended to the object before request bytes are. */
#define COMM_STATUS 0x000u
#define COMM_REQ_ADDR 0x008u		/* host buffers of COMM_BUFFER bytes */
#define COMM_RSP_ADDR 0x010u
#define COMM_RSP_LEN 0x018u
enum { COMM_STATUS_NONE, COMM_STATUS_RESPONSE, COMM_STATUS_ERROR };
#define COMM_FLAGS 0x800u
#define COMM_REQ_CACHE_OFFSET 0x808u
#define COMM_REQ_CACHE_LEN 0x810u
#define COMM_RSP_CACHE_OFFSET 0x818u
#define COMM_RSP_CACHE_LEN 0x820u
#define COMM_OBJECT 0x828u
#define COMM_PROTOCOL 0x830u		/* of the request: 0 SPDM, 1 secured SPDM */
#define COMM_REQ_DELAY 0x838u		/* microseconds */
#define COMM_REQ_LEN 0x840u
#define COMM_TIMEOUT 0x848u		/* milliseconds */
enum {
	COMM_CACHE_REQ = 1 << 0, COMM_CACHE_RSP = 1 << 1, COMM_SEND = 1 << 2, COMM_WAIT = 1 << 3,
	COMM_RSP_RESET = 1 << 4,	/* the object begins anew with this response (?) */
	COMM_STREAM_WAIT = 1 << 6
};
enum { OBJECT_CERTIFICATE = 1, OBJECT_MEASUREMENTS, OBJECT_REPORT, OBJECT_VCA, OBJECTS };
#define COMM_BUFFER 8192u

/* VDEV information (?): what a Realm attests a device by. Digests are SHA-384. */
#define VDEV_INFO_SIZE 512u
#define VDEV_INFO_STATE 0x00u
#define VDEV_INFO_LOCK_NONCE 0x08u
#define VDEV_INFO_MEAS_NONCE 0x10u
#define VDEV_INFO_REPORT_NONCE 0x18u
#define VDEV_INFO_DIGEST(object) (0x40u + 0x40u * ((object) - 1))
#define VDEV_INFO_PUBKEY 0x140u

#endif
