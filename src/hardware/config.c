/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Config space: bytes with a write mask and a write-1-to-clear mask a bit, the capability lists,
 * and the effects a write has. Effects are a table: which register, and what follows.
 */
#include "hardware/doe.h"
#include "hardware/hardware.h"
#include "hardware/ide.h"

uint32_t config_get(const struct function *fn, unsigned int offset, unsigned int size)
{
	struct reader r = reader_of(fn->config + offset, size);

	return (uint32_t)get_le(&r, size);
}

void config_put(const struct function *fn, unsigned int offset, unsigned int size, uint32_t value)
{
	struct writer w = writer_of(image_log(fn->config + offset, size), size);

	put_le(&w, value, size);
}

static uint32_t mask_get(const uint8_t *mask, unsigned int offset, unsigned int size)
{
	struct reader r = reader_of(mask + offset, size);

	return (uint32_t)get_le(&r, size);
}

static void mask_put(const uint8_t *mask, unsigned int offset, unsigned int size, uint32_t value)
{
	struct writer w = writer_of(image_log(mask + offset, size), size);

	put_le(&w, value, size);
}

void config_set(const struct function *fn, unsigned int offset, unsigned int size, uint32_t value,
		uint32_t writable)
{
	config_put(fn, offset, size, value);
	mask_put(fn->initial, offset, size, value);
	mask_put(fn->writable, offset, size, writable);
}

void config_set_w1c(const struct function *fn, unsigned int offset, unsigned int size,
		    uint32_t bits)
{
	mask_put(fn->w1c, offset, size, bits);
}

void config_merge(const struct function *fn, unsigned int offset, unsigned int size, uint32_t value)
{
	uint32_t old = config_get(fn, offset, size);
	uint32_t writable = mask_get(fn->writable, offset, size);
	uint32_t w1c = mask_get(fn->w1c, offset, size);

	config_put(fn, offset, size, ((old & ~writable) | (value & writable)) & ~(value & w1c));
}

/* -- capability lists ------------------------------------------------------------------------ */

/* Capabilities whose place others ask for: a field of struct function each. */
static const struct { uint16_t id; bool extended; uint16_t field; } cap_fields[] = {
	{ PCI_CAP_ID_PM, false, offsetof(struct function, cap_pm) },
	{ PCI_CAP_ID_MSI, false, offsetof(struct function, cap_msi) },
	{ PCI_CAP_ID_EXP, false, offsetof(struct function, cap_pcie) },
	{ PCI_CAP_ID_MSIX, false, offsetof(struct function, cap_msix) },
	{ PCI_EXT_CAP_ID_ATS, true, offsetof(struct function, cap_ats) },
	{ PCI_EXT_CAP_ID_SRIOV, true, offsetof(struct function, cap_sriov) },
	{ PCI_EXT_CAP_ID_PASID, true, offsetof(struct function, cap_pasid) },
	{ PCI_EXT_CAP_ID_DOE, true, offsetof(struct function, cap_doe) },
	{ PCI_EXT_CAP_ID_IDE, true, offsetof(struct function, cap_ide) },
};

static void cap_note(const struct function *fn, uint16_t id, bool extended, unsigned int at)
{
	for (size_t i = 0; i < sizeof(cap_fields) / sizeof(cap_fields[0]); i++) {
		const uint8_t *field = (const uint8_t *)fn + cap_fields[i].field;

		if (cap_fields[i].id == id && cap_fields[i].extended == extended)
			*(uint16_t *)image_log(field, sizeof(uint16_t)) = (uint16_t)at;
	}
}

unsigned int config_add_cap(const struct function *fn, uint8_t id, unsigned int len)
{
	unsigned int at = fn->cap_end, link = PCI_CAP_POINTER;

	if (len < 2 || len > 0x100 - at)
		return 0;
	while (fn->config[link])
		link = fn->config[link] + 1u;
	config_set(fn, link, 1, at, 0);
	config_set(fn, at, 1, id, 0);
	config_set(fn, PCI_STATUS, 2, config_get(fn, PCI_STATUS, 2) | PCI_STATUS_CAP_LIST,
		   mask_get(fn->writable, PCI_STATUS, 2));
	hw_set(&fn->cap_end, (uint16_t)((at + len + 3) & ~3u));
	cap_note(fn, id, false, at);
	return at;
}

unsigned int config_add_ext_cap(const struct function *fn, uint16_t id, uint8_t version,
				unsigned int len)
{
	unsigned int at = fn->ext_cap_end, link = 0x100;

	if (len < 4 || at > FUNCTION_CONFIG_SIZE || len > FUNCTION_CONFIG_SIZE - at)
		return 0;
	while (link != at && config_get(fn, link, 4) >> 20)
		link = config_get(fn, link, 4) >> 20;
	if (link != at)
		config_set(fn, link, 4, config_get(fn, link, 4) | at << 20, 0);
	config_set(fn, at, 4, id | (uint32_t)version << 16, 0);
	hw_set(&fn->ext_cap_end, (uint16_t)((at + len + 3) & ~3u));
	cap_note(fn, id, true, at);
	return at;
}

/* -- effects of a write ---------------------------------------------------------------------- */

static void decode_effect(const struct function *fn, uint32_t old)
{
	(void)old;
	decode_update(fn);
}

static void sriov_effect(const struct function *fn, uint32_t old)
{
	(void)old;
	sriov_update(fn, RESET_FLR);
}

static void bridge_effect(const struct function *fn, uint32_t old)
{
	uint32_t now = config_get(fn, PCI_BRIDGE_CONTROL, 2);
	bool held = now & PCI_BRIDGE_BUS_RESET;
	const struct function *below;

	if (!function_is_bridge(fn) || !((old ^ now) & PCI_BRIDGE_BUS_RESET))
		return;
	if (held)
		function_reset(fn, RESET_HOT);
	for (uint32_t at = 0; (below = function_slot_next(&at)); at++) {
		if (function_below(below, fn)) {
			hw_set(&below->in_reset, held);
			decode_update(below);
		}
	}
}

/* PCIe 5.3.1.4: leaving D3hot resets a function that does not claim No_Soft_Reset. */
static void power_effect(const struct function *fn, uint32_t old)
{
	uint32_t now = config_get(fn, fn->cap_pm + PCI_PM_CONTROL, 2);

	if (!(now & PCI_PM_STATE) && (old & PCI_PM_STATE) == PCI_PM_STATE &&
	    !(now & PCI_PM_NO_SOFT_RESET))
		function_reset(fn, RESET_FLR);
	else
		decode_update(fn);
}

/* Registers with a meaning beyond their bits. cap: field with the base, 0 for the header. */
static const struct config_effect {
	uint16_t cap, reg, len;
	void (*run)(const struct function *fn, uint32_t old);
} effects[] = {
	{ 0, PCI_COMMAND, 2, decode_effect },
	{ 0, PCI_BAR0, 4 * FUNCTION_BARS, decode_effect },
	{ 0, PCI_BRIDGE_CONTROL, 2, bridge_effect },
	{ offsetof(struct function, cap_pm), PCI_PM_CONTROL, 2, power_effect },
	{ offsetof(struct function, cap_sriov), PCI_SRIOV_CTRL, 2, sriov_effect },
	{ offsetof(struct function, cap_sriov), PCI_SRIOV_CTRL, 2, decode_effect },
	{ offsetof(struct function, cap_sriov), PCI_SRIOV_BAR0, 4 * FUNCTION_BARS, decode_effect },
};
#define EFFECTS (sizeof(effects) / sizeof(effects[0]))

/* Where the effect's register is, when this write touches it; else 0. */
static unsigned int effect_at(const struct function *fn, const struct config_effect *e,
			      unsigned int offset, unsigned int size)
{
	unsigned int base = 0;

	if (e->cap) {
		uint16_t cap;

		memcpy(&cap, (const uint8_t *)fn + e->cap, sizeof(cap));
		if (!cap)
			return 0;
		base = cap;
	}
	base += e->reg;
	return offset < base + e->len && offset + size > base ? base : 0;
}

static bool access_legal(unsigned int offset, unsigned int size)
{
	return (size == 1 || size == 2 || size == 4) && offset < FUNCTION_CONFIG_SIZE &&
	       !(offset % size);
}

static bool doe_holds(const struct function *fn, unsigned int offset)
{
	return fn->cap_doe && offset >= fn->cap_doe + 4u && offset < fn->cap_doe + 0x18u;
}

uint32_t config_read(uint16_t rid, unsigned int offset, unsigned int size)
{
	const struct function *fn = function_find(rid);

	if (!fn || !access_legal(offset, size))
		return size < 4 ? (1u << 8 * size) - 1 : UINT32_MAX;
	if (doe_holds(fn, offset)) {
		uint32_t dw = doe_register_read(fn, (offset - fn->cap_doe) & ~3u);

		dw >>= 8 * (offset & 3);
		return size < 4 ? dw & ((1u << 8 * size) - 1) : dw;
	}
	return config_get(fn, offset, size);
}

static bool flr_asked(const struct function *fn, unsigned int offset, unsigned int size,
		      uint32_t value)
{
	unsigned int at = fn->cap_pcie + PCI_EXP_DEVCTL;

	if (!fn->cap_pcie || offset > at + 1 || offset + size < at + 2)
		return false;
	return (value >> 8 * (at + 1 - offset)) & (PCI_EXP_DEVCTL_FLR >> 8);
}

static void config_write_function(const struct function *fn, unsigned int offset, unsigned int size,
				  uint32_t value)
{
	const struct function_ops *ops = function_model_ops(fn->model);
	uint32_t before = config_get(fn, offset, size), old[EFFECTS];
	unsigned int at[EFFECTS];

	for (size_t i = 0; i < EFFECTS; i++) {
		at[i] = effect_at(fn, &effects[i], offset, size);
		old[i] = at[i] ? config_get(fn, at[i], 2) : 0;
	}
	config_merge(fn, offset, size, value);
	for (size_t i = 0; i < EFFECTS; i++)
		if (at[i])
			effects[i].run(fn, old[i]);
	if (fn->cap_ide && offset >= fn->cap_ide)
		ide_config_written(fn, offset);
	if (ops && ops->config_written)
		ops->config_written(fn, offset, size, before, config_get(fn, offset, size));
	if (flr_asked(fn, offset, size, value))
		function_reset(fn, RESET_FLR);
}

void config_write(uint16_t rid, unsigned int offset, unsigned int size, uint32_t value)
{
	const struct function *fn = function_find(rid);

	if (!fn || !access_legal(offset, size))
		return;
	image_keep();
	if (!doe_holds(fn, offset))
		config_write_function(fn, offset, size, value);
	else if (size == 4)
		doe_register_write(fn, offset - fn->cap_doe, value);
	image_keep();
}
