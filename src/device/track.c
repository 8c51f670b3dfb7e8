/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Configuration tracking, PCIe 6.x 11.4.6: which config-space changes take a locked TDI to ERROR.
 * One table; what is not in it is free (ATS, ACS, AER, LTR, PTM, DOE, VPD, MSI, Link Control).
 * The write itself still completes.
 */
#include <linux/pci_regs.h>

#include "device/dsm.h"

/* Not in every system's pci_regs.h. */
#define EXT_CAP_DEV3 0x2f
#define EXT_CAP_VF_REBAR 0x24
#define PM_D3HOT 3u
#define DEV3_CTL 8
#define DEV3_CTL_TAG14 4u
#define DEVCTL2_TAG10 0x1000u

enum track_space { TRACK_HEADER, TRACK_CAP, TRACK_EXT_CAP };
enum track_effect {
	TRACK_CHANGE,		/* any masked bit changes */
	TRACK_CLEAR,		/* a masked bit goes from 1 to 0 */
	TRACK_D3,		/* the field becomes D3hot and the function keeps no state there */
	TRACK_LOCKED_MSIX	/* a change, if MSI-X was locked */
};

struct track_rule {
	uint8_t space;
	uint16_t cap;		/* id, 0 for the header */
	uint16_t at, len;	/* bytes within it; the mask repeats every 4 */
	uint32_t mask;
	uint8_t effect;
	bool vfs;		/* a PF's change hits its VFs too */
	uint8_t cause;
};

static const struct track_rule rules[] = {
	{ TRACK_HEADER, 0, PCI_COMMAND, 2, PCI_COMMAND_MEMORY, TRACK_CLEAR, false, TDI_CAUSE_MSE },
	{ TRACK_HEADER, 0, PCI_COMMAND, 2, PCI_COMMAND_MASTER, TRACK_CLEAR, false, TDI_CAUSE_BME },
	{ TRACK_HEADER, 0, PCI_BASE_ADDRESS_0, 24, ~0u, TRACK_CHANGE, false, TDI_CAUSE_BAR },
	{ TRACK_HEADER, 0, PCI_ROM_ADDRESS, 4, ~0u, TRACK_CHANGE, false, TDI_CAUSE_ROM },
	{ TRACK_HEADER, 0, PCI_BIST, 1, ~0u, TRACK_CHANGE, false, TDI_CAUSE_BIST },
	{ TRACK_CAP, PCI_CAP_ID_EXP, PCI_EXP_DEVCTL, 2,
		PCI_EXP_DEVCTL_EXT_TAG | PCI_EXP_DEVCTL_PHANTOM | PCI_EXP_DEVCTL_NOSNOOP_EN |
			PCI_EXP_DEVCTL_BCR_FLR,
		TRACK_CHANGE, false, TDI_CAUSE_DEVCTL },
	{ TRACK_CAP, PCI_CAP_ID_EXP, PCI_EXP_DEVCTL2, 2, DEVCTL2_TAG10, TRACK_CHANGE, false,
		TDI_CAUSE_DEVCTL },
	{ TRACK_EXT_CAP, EXT_CAP_DEV3, DEV3_CTL, 4, DEV3_CTL_TAG14, TRACK_CHANGE, false,
		TDI_CAUSE_DEVCTL },
	{ TRACK_CAP, PCI_CAP_ID_PM, PCI_PM_CTRL, 2, PCI_PM_CTRL_STATE_MASK, TRACK_D3, true,
		TDI_CAUSE_POWER },
	{ TRACK_CAP, PCI_CAP_ID_MSIX, 2, 10, ~0u, TRACK_LOCKED_MSIX, false, TDI_CAUSE_MSIX },
	{ TRACK_CAP, PCI_CAP_ID_EA, 2, 62, ~0u, TRACK_CHANGE, true, TDI_CAUSE_EA },
	{ TRACK_EXT_CAP, PCI_EXT_CAP_ID_PASID, 4, 4, ~0u, TRACK_CHANGE, true, TDI_CAUSE_PASID },
	{ TRACK_EXT_CAP, PCI_EXT_CAP_ID_PRI, 4, 12, ~0u, TRACK_CHANGE, true, TDI_CAUSE_PRI },
	{ TRACK_EXT_CAP, PCI_EXT_CAP_ID_ARI, 4, 4, ~0u, TRACK_CHANGE, true, TDI_CAUSE_ARI },
	{ TRACK_EXT_CAP, PCI_EXT_CAP_ID_REBAR, 4, 48, ~0u, TRACK_CHANGE, false, TDI_CAUSE_REBAR },
	{ TRACK_EXT_CAP, EXT_CAP_VF_REBAR, 4, 48, ~0u, TRACK_CHANGE, true, TDI_CAUSE_VF_REBAR },
	{ TRACK_EXT_CAP, PCI_EXT_CAP_ID_SRIOV, 4, 0x3c, ~0u, TRACK_CHANGE, true, TDI_CAUSE_SRIOV },
	{ TRACK_EXT_CAP, PCI_EXT_CAP_ID_MCAST, 4, 0x2c, ~0u, TRACK_CHANGE, true,
		TDI_CAUSE_MULTICAST },
};

unsigned int function_find_cap(const struct function *fn, uint8_t id)
{
	unsigned int at = function_config(fn, PCI_CAPABILITY_LIST, 1) & ~3u;

	/* 48 capabilities fill the space: a longer chain is a loop. */
	for (unsigned int i = 0; at >= PCI_STD_HEADER_SIZEOF && i < 48; i++) {
		if (function_config(fn, at, 1) == id)
			return at;
		at = function_config(fn, at + 1, 1) & ~3u;
	}
	return 0;
}

unsigned int function_find_ext_cap(const struct function *fn, uint16_t id)
{
	unsigned int at = PCI_CFG_SPACE_SIZE;

	for (unsigned int i = 0; at >= PCI_CFG_SPACE_SIZE && i < 480; i++) {
		uint32_t header = function_config(fn, at, 4);

		if (header && PCI_EXT_CAP_ID(header) == id)
			return at;
		at = PCI_EXT_CAP_NEXT(header);
	}
	return 0;
}

/* Where the rule's bytes begin in this function; 0 for the header's start is fine: *found tells. */
static unsigned int rule_base(const struct function *fn, const struct track_rule *rule, bool *found)
{
	unsigned int base = 0;

	if (rule->space == TRACK_CAP)
		base = function_find_cap(fn, (uint8_t)rule->cap);
	else if (rule->space == TRACK_EXT_CAP)
		base = function_find_ext_cap(fn, rule->cap);
	*found = base || rule->space == TRACK_HEADER;
	return base + rule->at;
}

struct change { unsigned int offset, size; uint32_t old, new; };

static bool rule_hit(
	const struct function *fn, const struct track_rule *rule, const struct change *c)
{
	bool found;
	unsigned int base = rule_base(fn, rule, &found);

	for (unsigned int i = 0; found && i < c->size; i++) {
		unsigned int at = c->offset + i;
		uint8_t mask, old, new;

		if (at < base || at >= base + rule->len)
			continue;
		mask = (uint8_t)(rule->mask >> 8 * ((at - base) % 4));
		old = (uint8_t)(c->old >> 8 * i) & mask;
		new = (uint8_t)(c->new >> 8 * i) & mask;
		if (rule->effect == TRACK_CLEAR && (old & ~new))
			return true;
		if (rule->effect == TRACK_D3 && old != new && new == PM_D3HOT &&
		    !(function_config(fn, base, 2) & PCI_PM_CTRL_NO_SOFT_RESET))
			return true;
		if ((rule->effect == TRACK_CHANGE || rule->effect == TRACK_LOCKED_MSIX) &&
			old != new)
			return true;
	}
	return false;
}

static void rule_apply(
	const struct dsm *dsm, const struct function *fn, const struct track_rule *rule)
{
	for (const struct tdi *tdi = dsm->tdis; tdi; tdi = tdi->next) {
		if (tdi->rid != fn->rid && !(rule->vfs && fn->rid == dsm->rid))
			continue;
		if (rule->effect == TRACK_LOCKED_MSIX && !(tdi->lock_flags & TDISP_LOCK_MSIX))
			continue;
		tdi_break(tdi, (enum tdi_cause)rule->cause);
	}
}

/* Control, RID and address associations of a selective stream; the status register is free. The
 * stream is named by its id before the write. */
static void track_ide(const struct dsm *dsm, const struct function *fn, const struct change *c)
{
	const unsigned int block = 20 + 12 * DSM_STREAM_ASSOC;
	unsigned int base = IDE_SEL_BASE(fn->cap_ide, 0), index, in_block;
	uint8_t stream;

	if (!fn->cap_ide || c->old == c->new || c->offset < base ||
		c->offset >= base + DSM_STREAMS * block)
		return;
	index = (c->offset - base) / block;
	in_block = (c->offset - base) % block;
	if (in_block < 4 || (in_block >= 8 && in_block < 12))
		return;
	stream = (uint8_t)(function_config(fn, base + index * block + 4, 4) >> 24);
	if (in_block <= 7 && in_block + c->size > 7)
		stream = (uint8_t)(c->old >> 8 * (7 - in_block));
	for (const struct tdi *tdi = dsm->tdis; tdi; tdi = tdi->next)
		if (tdi_stream_bound(tdi, stream))
			tdi_break(tdi, TDI_CAUSE_IDE);
}

void track_config_written(const struct function *fn, unsigned int offset, unsigned int size,
			  uint32_t old, uint32_t new)
{
	const struct change c = { .offset = offset, .size = size, .old = old, .new = new };
	const struct dsm *dsm = dsm_of(fn->rid);

	if (!dsm)
		return;
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (rule_hit(fn, &rules[i], &c))
			rule_apply(dsm, fn, &rules[i]);
	track_ide(dsm, fn, &c);
}

/* A root port's secondary bus number is the bus half of every requester id below it. */
void track_port_written(const struct function *port, unsigned int offset, unsigned int size,
			uint32_t old, uint32_t new)
{
	if (offset > PCI_SECONDARY_BUS || offset + size <= PCI_SECONDARY_BUS)
		return;
	if (!((old ^ new) >> 8 * (PCI_SECONDARY_BUS - offset) & 0xff))
		return;
	for (const struct dsm *dsm = dsm_first(); dsm; dsm = dsm->next)
		for (const struct tdi *tdi = dsm->root_port == port->rid ? dsm->tdis : NULL; tdi;
		     tdi = tdi->next)
			tdi_break(tdi, TDI_CAUSE_RID);
}
