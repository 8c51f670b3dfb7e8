/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The programming interface of the I/OAT model: what of Intel's QuickData registers its drivers use
 * (version 3.3, one channel, copies). BAR0 is 16 KiB, 64-bit; nothing of it is memory.
 */
#ifndef SWTIO_DEVICE_IOAT_H
#define SWTIO_DEVICE_IOAT_H

#define IOAT_VENDOR 0x8086
#define IOAT_DEVICE 0x2021
#define IOAT_BAR0_SIZE 0x4000u
#define IOAT_MSIX_TABLE 0x2000u
#define IOAT_VECTORS 1u

/* General registers; the width is in the name of what they are read by: 8, 16 or 32 bits. */
#define IOAT_CHANCNT 0x00		/* 8: channels */
#define IOAT_XFERCAP 0x01		/* 8: log2 of the longest copy */
#define IOAT_INTRCTRL 0x03		/* 8 */
#define IOAT_ATTNSTATUS 0x04		/* 32: a bit a channel, read clears */
#define IOAT_VER 0x08			/* 8 */

/* The channel's, from IOAT_CHANNEL */
#define IOAT_CHANNEL 0x80
#define IOAT_CHANCTRL 0x80		/* 16 */
#define IOAT_DMA_COMP 0x82		/* 16: generations of the interface */
#define IOAT_CHANCMD 0x84		/* 8 */
#define IOAT_DMACOUNT 0x86		/* 16: descriptors there are, counted from CHAINADDR */
#define IOAT_CHANSTS 0x88		/* 64: descriptor done last | state */
#define IOAT_CHAINADDR 0x90		/* 64: first descriptor */
#define IOAT_CHANCMP 0x98		/* 64: where to write CHANSTS */
#define IOAT_CDAR 0xa0			/* 64: descriptor now */
#define IOAT_CHANERR 0xa8		/* 32: write 1 to clear */
#define IOAT_CHANERR_MASK 0xac		/* 32 */

#endif
