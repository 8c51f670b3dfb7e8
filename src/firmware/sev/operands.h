/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the PSP and its host say to each other, byte by byte: little-endian, no padding but what is
 * written here.
 *
 * Command buffer: u32 length of the whole, u32 0, then the fields of commands.def:
 *	f u32 flags, u32 0		S u64 request, response, scratch, output: scatter addresses
 *	D u64 device context (scatter address)	T u64 TDI context (same)
 *	g u64 guest context page	i u64 input page	o u64 output page
 *	b u16 requester id of the function, u16 0, u32 0	B u16 guest's requester id ...
 *	r u16 root port, ...		m u8 segment, 7 x 0
 *	c u8 traffic class mask, ...	s u8 certificate slot, ...	I u8 stream id[8], by class
 *	l u16 TDISP lock flags, ...	R u16 run flags, ...
 *	a u32 ASID, u32 0		p u32 page type, u32 0
 * Every field takes a multiple of 8 bytes.
 *
 * Scatter address (SLA): bit 0 page type (0 one page, 1 a page of scatter addresses), bit 1 page
 * size (0: 4 KiB), bits 51:12 page; a list ends with all ones in the page number.
 *
 * Buffers behind S (buffer header, 64 bytes): u32 capacity, u32 payload (a multiple of 32), u32
 * flags, u32 0, iv[16], tag[16], 0[16]. Then data objects: u32 id, u32 length with this header, u16
 * version, u8 type, 5 x 0.
 */
#ifndef SWTIO_FIRMWARE_SEV_OPERANDS_H
#define SWTIO_FIRMWARE_SEV_OPERANDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SEV_BUFFER_MAX 256u		/* bytes of a command buffer, at most */
#define SEV_INIT_TIO 4u			/* SNP_INIT_EX flags: enable TIO */
#define SEV_FORCE 1u			/* DISCONNECT, UNBIND, RECLAIM flags */
#define SEV_RUN 1u			/* BIND run flags: START after LOCK */

struct sev_spdm_ctrl { uint64_t request, response, scratch, output; };

struct sev_command {			/* all fields there are */
	uint32_t flags, asid, page_type;
	struct sev_spdm_ctrl spdm;
	uint64_t dev_ctx, tdi_ctx, gctx, in, out;
	uint16_t rid, root_port, guest_rid, lock_flags, run_flags;
	uint8_t segment, tc_mask, slot, streams[8];
};
/* Bytes written, or 0: no such command. */
size_t sev_command_encode(unsigned int command, const struct sev_command *fields,
			  uint8_t out[SEV_BUFFER_MAX]);
/* false: no such command, or a length that is not its own. */
bool sev_command_decode(unsigned int command, const uint8_t *buffer, size_t len,
			struct sev_command *fields);
bool sev_command_has(unsigned int command, char field);
size_t sev_command_length(unsigned int command);

/* -- scatter addresses and buffers ----------------------------------------------------------- */
#define SEV_SLA_LIST 1ull
#define SEV_SLA_EOL 0x000ffffffffff000ull
#define SEV_SLA_PAGES 64u		/* a buffer of 256 KiB at most */
#define SEV_CONTEXT_PAGES 1u		/* of a device or TDI context */
#define SEV_BUFFER_HEADER 64u
#define SEV_OBJECT_HEADER 16u
#define SEV_PAYLOAD_UNIT 32u
enum sev_object { SEV_OBJECT_REQUEST = 1, SEV_OBJECT_RESPONSE = 2, SEV_OBJECT_CERTIFICATES = 3,
	SEV_OBJECT_MEASUREMENTS = 4, SEV_OBJECT_REPORT = 5 };
/* The type byte of a request or response object: the DOE object type. */

/* -- TIO_STATUS: length, flags, then sizes (each u32) */
#define SEV_STATUS_TIO_EN 1u
#define SEV_STATUS_TIO_INIT 2u
/* length, flags, request min, max, response min, max, scratch min, max, output min, max, device
 * context size, TDI context size, then algorithms: DHE, AEAD, ASYM, HASH, 4 x 0 */
#define SEV_STATUS_SIZE 56u

/* -- TDI_STATUS: u32 length, u32 flags (bit 0 bound), u8 TDISP state, 7 x 0; TDI_INFO: u32 length,
 * u32 flags, u16 rid, u16 guest rid, u32 ASID, u64 TDI id; ASID_FENCE_STATUS: u32 length, u32 bits
 * (1:0 DMA, 3:2 MMIO); DEV_STATUS: u32 length, u8 state, u8 IDE status, 2 x 0. */
#define SEV_TDI_STATUS_SIZE 16u
#define SEV_TDI_INFO_SIZE 24u
#define SEV_FENCE_STATUS_SIZE 8u
#define SEV_DEV_STATUS_SIZE 8u

/* -- SNP pages at launch */
enum sev_page { SEV_PAGE_NORMAL = 1, SEV_PAGE_ZERO = 3, SEV_PAGE_UNMEASURED = 4,
	SEV_PAGE_SECRETS = 5 };
#define SEV_SECRETS_VMPCK0 0x20u	/* in the secrets page: the guest's message key, 32 bytes */

/* -- messages of a guest to the PSP (SEV-SNP ABI chapter 7; TIO's types are (?) of one posting) --
 * Header, 96 bytes: tag[32] (16 used), u64 sequence number, 8 x 0; from 48 on authenticated: u8
 * algorithm (1: AES-256-GCM), u8 header version, u16 header size, u8 type, u8 version, u16 payload
 * size, u32 0, u8 key number, 35 x 0. Then the payload. The nonce is the sequence number; an answer
 * has the request's plus one.
 */
#define SEV_MESSAGE_HEADER 96u
#define SEV_MESSAGE_AAD 48u		/* offset of what is authenticated, and its length */
#define SEV_MESSAGE_MAX 512u		/* payload */
enum sev_message {
	SEV_MSG_INFO_REQ = 19, SEV_MSG_INFO_RSP, SEV_MSG_VALIDATE_REQ, SEV_MSG_VALIDATE_RSP,
	SEV_MSG_CONFIG_REQ, SEV_MSG_CONFIG_RSP, SEV_MSG_SDTE_REQ, SEV_MSG_SDTE_RSP
};
/* Seals a payload into a message, or opens one: bytes of the message or payload, -EMSGSIZE, -EPROTO
 * malformed or of another sequence number, -EACCES not authentic, -EIO. */
int sev_message_seal(const uint8_t key[32], uint64_t sequence, uint8_t type, const uint8_t *payload,
		     size_t len, uint8_t *out, size_t cap);
int sev_message_open(const uint8_t key[32], uint64_t sequence, const uint8_t *message, size_t len,
		     uint8_t *type, uint8_t *payload, size_t cap);

/* Every payload begins with the guest's id of the function: u16 guest rid, 6 x 0; each answer with
 * that and u16 status, 6 x 0, and:
 *	INFO		u64 TDI id, u16 lock flags, u16 bits (0 measurement digest valid), u32 0,
 *			certificates digest[48], measurements digest[48], report digest[48]
 *	VALIDATE req	u64 TDI id, u64 GPA, u32 pages, u32 page offset in the range, u8 flags (0
 *			validated, 1 force), u8 0, u16 range id, u32 0
 *	VALIDATE rsp	u8 changed, 7 x 0
 *	CONFIG req	u64 TDI id, u16 range id, u8 write, u8 non-TEE, u32 0
 *	CONFIG rsp	u8 non-TEE, 7 x 0
 *	SDTE req	u64 TDI id, u8 flags (0 V, 1 IR, 2 IW, 3 vTOM), u8 vmpl, 6 x 0, u64 vTOM */
#define SEV_DIGEST 48u
enum sev_info_status { SEV_INFO_BOUND, SEV_INFO_INVALID, SEV_INFO_UNBOUND };
enum sev_validate_status { SEV_MMIO_OK, SEV_MMIO_INVALID_TDI, SEV_MMIO_UNBOUND,
	SEV_MMIO_NOT_ASSIGNED, SEV_MMIO_NOT_IO, SEV_MMIO_NOT_UNIFORM, SEV_MMIO_NOT_IMMUTABLE,
	SEV_MMIO_NOT_EXPECTED_GPA, SEV_MMIO_NOT_REPORTED, SEV_MMIO_OUT_OF_RANGE, SEV_MMIO_NOT_4K };
enum sev_config_status { SEV_CONFIG_OK, SEV_CONFIG_INVALID_TDI, SEV_CONFIG_UNBOUND,
	SEV_CONFIG_NOT_REPORTED, SEV_CONFIG_NOT_CHANGED };
enum sev_sdte_status { SEV_SDTE_OK, SEV_SDTE_INVALID_TDI, SEV_SDTE_UNBOUND, SEV_SDTE_RESERVED };
#define SEV_SDTE_V 1u
#define SEV_SDTE_READ 2u
#define SEV_SDTE_WRITE 4u
#define SEV_SDTE_VTOM 8u

#endif
