/* SPDX-License-Identifier: BSD-2-Clause */
/* Peer-to-peer streams of a running TDI, PCIe 6.x 11.3.18 and 11.3.20. */
#include <string.h>

#include <linux/pci_regs.h>

#include "device/dsm.h"

#define IDE_ASSOC_VALID 1u

struct ide_window { uint64_t base, limit; };	/* limit inclusive */

/* Register block of a selective stream; 0: no block has this stream id. */
static unsigned int stream_block(const struct function *fn, uint8_t stream)
{
	unsigned int at = IDE_SEL_BASE(fn->cap_ide, 0);

	for (unsigned int i = 0; i < DSM_STREAMS; i++, at += 20 + 12 * DSM_STREAM_ASSOC)
		if (function_config(fn, at + 4, 4) >> 24 == stream)
			return at;
	return 0;
}

/* The block's address association; false when it has none that is valid. */
static bool stream_window(const struct function *fn, unsigned int block, struct ide_window *window)
{
	uint32_t low = function_config(fn, block + 0x14, 4);

	if (!(low & IDE_ASSOC_VALID))
		return false;
	window->base = (uint64_t)function_config(fn, block + 0x1c, 4) << 32 | (low & 0xfff00) << 12;
	window->limit = (uint64_t)function_config(fn, block + 0x18, 4) << 32 | (low & 0xfff00000) |
			0xfffff;
	return true;
}

static bool streams_overlap(const struct function *fn, unsigned int a, unsigned int b)
{
	struct ide_window x, y;

	if (!b || !stream_window(fn, a, &x) || !stream_window(fn, b, &y))
		return false;
	return x.base <= y.limit && y.base <= x.limit;
}

enum tdisp_error tdi_p2p_bind(const struct tdi *tdi, uint8_t stream)
{
	const struct function *fn = function_find(tdi->rid), *pf = function_find(tdi->dsm->rid);
	unsigned int block;
	struct tdi *w;

	if (!fn || !pf)
		return TDISP_INVALID_INTERFACE;
	if (!(tdi->lock_flags & TDISP_LOCK_BIND_P2P) || !fn->cap_ats ||
	    !(function_config(fn, fn->cap_ats + PCI_ATS_CTRL, 2) & PCI_ATS_CTRL_ENABLE))
		return TDISP_INVALID_REQUEST;
	block = stream_block(pf, stream);
	if (!block || tdi_stream_bound(tdi, stream) ||
		!ide_km_keyed(tdi->dsm, tdi->session, stream))
		return TDISP_INVALID_REQUEST;
	if (streams_overlap(pf, block, stream_block(pf, tdi->stream)))
		return TDISP_INVALID_REQUEST;
	for (unsigned int i = 0; i < tdi->p2p_count; i++)
		if (streams_overlap(pf, block, stream_block(pf, tdi->p2p[i])))
			return TDISP_INVALID_REQUEST;
	if (tdi->p2p_count == TDI_P2P_STREAMS)
		return TDISP_UNSPECIFIED;
	w = image_write(tdi);
	w->p2p[w->p2p_count++] = stream;
	return TDISP_OK;
}

enum tdisp_error tdi_p2p_unbind(const struct tdi *tdi, uint8_t stream)
{
	for (unsigned int i = 0; i < tdi->p2p_count; i++) {
		struct tdi *w;

		if (tdi->p2p[i] != stream)
			continue;
		w = image_write(tdi);
		w->p2p[i] = w->p2p[--w->p2p_count];
		return TDISP_OK;
	}
	return TDISP_INVALID_REQUEST;
}
