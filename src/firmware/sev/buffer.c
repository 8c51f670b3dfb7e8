/* SPDX-License-Identifier: BSD-2-Clause */
/* Firmware pages, and buffers behind scatter addresses. All of it is the host's word, and checked. */
#include "firmware/sev/internal.h"

static bool page_is_firmware(uint64_t hpa)
{
	struct rmp_entry entry = rmp_read(hpa);

	return entry.assigned && !entry.asid && !entry.large && !phys_is_mmio(hpa);
}

static bool context_uses(uint64_t hpa)
{
	return sev_guest_of(hpa) || sev_device_of(hpa) || sev_tdi_of(hpa);
}

bool sev_page_free(uint64_t hpa)
{
	return hpa && !(hpa % PHYS_PAGE) && hpa < PHYS_END && page_is_firmware(hpa) &&
	       !context_uses(hpa);
}

void sev_page_release(uint64_t hpa)
{
	phys_clear(hpa, PHYS_PAGE, RMP_OWNER_FIRMWARE, false);
	rmp_immutable_clear(hpa);
}

uint64_t sev_sla_page(uint64_t sla)
{
	return sla & SEV_SLA_LIST ? 0 : sla & SEV_SLA_EOL;
}

/* The page `index` of a buffer; 0: past its end. */
static uint64_t buffer_page(uint64_t sla, size_t index)
{
	uint64_t entry;

	if (!(sla & SEV_SLA_LIST))
		return index ? 0 : sla & SEV_SLA_EOL;
	if (index >= SEV_SLA_PAGES ||
	    phys_read((sla & SEV_SLA_EOL) + index * sizeof(entry), &entry, sizeof(entry),
		      phys_owner(sla & SEV_SLA_EOL) == RMP_OWNER_FIRMWARE ? RMP_OWNER_FIRMWARE : 0))
		return 0;
	return (entry & SEV_SLA_EOL) == SEV_SLA_EOL || entry & SEV_SLA_LIST ? 0 :
									      entry & SEV_SLA_EOL;
}

size_t sev_sla_room(uint64_t sla, bool firmware)
{
	size_t pages = 0;
	uint64_t page;

	for (; (page = buffer_page(sla, pages)); pages++) {
		const void *ram = page < PHYS_END ? phys_ram(page, PHYS_PAGE) : NULL;

		if (!ram || (firmware ? !sev_page_free(page) : phys_owner(page) != 0))
			return 0;
	}
	return pages * PHYS_PAGE;
}

static bool sla_move(uint64_t sla, size_t offset, uint8_t *data, size_t len, bool write)
{
	for (size_t run; len; offset += run, data += run, len -= run) {
		uint64_t page = buffer_page(sla, offset / PHYS_PAGE), at;
		int rc;

		if (!page)
			return false;
		at = page + offset % PHYS_PAGE;
		run = PHYS_PAGE - offset % PHYS_PAGE;
		run = run < len ? run : len;
		rc = write ? phys_write(at, data, run, RMP_OWNER_FIRMWARE) :
			     phys_read(at, data, run, RMP_OWNER_FIRMWARE);
		if (rc)
			return false;
	}
	return true;
}

bool sev_sla_write(uint64_t sla, size_t offset, const void *from, size_t len)
{
	/* only read */
	return sla_move(sla, offset, (uint8_t *)(uintptr_t)from, len, true);
}

bool sev_sla_read(uint64_t sla, size_t offset, void *to, size_t len)
{
	return sla_move(sla, offset, to, len, false);
}

static size_t payload_of(size_t len)
{
	return (SEV_OBJECT_HEADER + len + SEV_PAYLOAD_UNIT - 1) / SEV_PAYLOAD_UNIT *
	       SEV_PAYLOAD_UNIT;
}

enum sev_status sev_object_put(uint64_t sla, enum sev_object id, uint8_t type, const uint8_t *data,
			       size_t len)
{
	size_t room = sev_sla_room(sla, true), wanted = SEV_BUFFER_HEADER + payload_of(len);
	uint8_t bytes[SEV_BUFFER_HEADER + SEV_OBJECT_HEADER];
	struct writer w = writer_of(bytes, sizeof(bytes));
	bool fits = wanted <= room;

	if (!room)
		return SEV_INVALID_ADDRESS;
	put_le32(&w, (uint32_t)(fits ? room : (wanted + PHYS_PAGE - 1) / PHYS_PAGE * PHYS_PAGE));
	put_le32(&w, fits ? (uint32_t)payload_of(len) : 0);
	put_space(&w, SEV_BUFFER_HEADER - 8);
	put_le32(&w, id);
	put_le32(&w, (uint32_t)(SEV_OBJECT_HEADER + len));
	put_le16(&w, 0x0100);
	put_u8(&w, type);
	put_space(&w, 5);
	if (!sev_sla_write(sla, 0, bytes, fits ? sizeof(bytes) : SEV_BUFFER_HEADER) ||
	    (fits && !sev_sla_write(sla, sizeof(bytes), data, len)))
		return SEV_INVALID_ADDRESS;
	return fits ? SEV_SUCCESS : SEV_EXPAND_BUFFER;
}
