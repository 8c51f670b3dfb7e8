/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The DMA engine's programming interface: what a guest driver is written against. All registers are
 * 32 bit, little-endian, in BAR0 (64-bit, 64 KiB); BAR2 (64-bit, prefetchable, 2 MiB) is memory.
 */
#ifndef SWTIO_DEVICE_ENGINE_H
#define SWTIO_DEVICE_ENGINE_H

#define ENGINE_VENDOR 0x1d10
#define ENGINE_DEVICE 0x7e10
#define ENGINE_DEVICE_VF 0x7e11
#define ENGINE_CLASS 0x088000

#define ENGINE_BAR0_SIZE 0x10000u
#define ENGINE_BAR2_SIZE 0x200000u
#define ENGINE_MSIX_TABLE 0x4000u	/* a page of its own in BAR0: TEE memory only if locked */
#define ENGINE_MSIX_PBA 0x5000u		/* another page */
#define ENGINE_MSIX_VECTORS 8u

/* BAR0 page 0 */
#define ENGINE_ID 0x00			/* RO 0x54494f31 "1OIT" */
#define ENGINE_STATUS 0x04		/* RO, ENGINE_STATUS_* below */
#define ENGINE_CONTROL 0x08		/* WO: 1 start, 2 reset, 4 go on by a step */
#define ENGINE_OP 0x0c			/* enum engine_op */
#define ENGINE_SRC 0x10			/* 64 bit */
#define ENGINE_DST 0x18			/* 64 bit */
#define ENGINE_LEN 0x20			/* bytes, up to 64 MiB */
#define ENGINE_VECTOR 0x24		/* MSI-X vector to raise at the end, 0xffffffff: none */
#define ENGINE_DONE 0x28		/* RO: bytes moved by the last job */
#define ENGINE_SUM 0x30			/* RO: XXH64, seed 0, of the bytes ENGINE_CHECKSUM read */
#define ENGINE_PASID 0x38		/* 0xffffffff: none */
#define ENGINE_STEP 0x3c		/* bytes that a job writes to host memory at a time, rounded up to 8; 0: all */
#define ENGINE_SCRATCH 0x40		/* RW, no meaning */

#define ENGINE_STATUS_BUSY 1u		/* also while a job waits for a page that it asked for */
#define ENGINE_STATUS_ERROR 2u
#define ENGINE_STATUS_T1 4u		/* the last job was done with T=1 */

enum engine_op {
	ENGINE_COPY = 1,		/* host memory -> host memory */
	ENGINE_IN,			/* host memory -> BAR2 (wraps within its 2 MiB) */
	ENGINE_OUT,			/* BAR2 (wraps) -> host memory */
	ENGINE_CHECKSUM,		/* reads SRC by DMA, leaves the sum in ENGINE_SUM */
	ENGINE_FILL			/* splitmix64 sequence, seed in SRC -> host memory at DST */
};

#endif
