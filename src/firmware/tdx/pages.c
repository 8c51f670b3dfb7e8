/* SPDX-License-Identifier: BSD-2-Clause */
/* Pages the host donates and takes back. The memory controller's owner map is the PAMT. */
#include "firmware/tdx/internal.h"

/* 0: the host's own RAM, whole pages; else why not. */
static uint64_t range_check(uint64_t hpa, uint64_t len)
{
	if (hpa % PHYS_PAGE || hpa >= PHYS_END || phys_is_mmio(hpa))
		return TDX_OPERAND_INVALID;
	for (uint64_t at = 0; at < len; at += PHYS_PAGE) {
		int rc = phys_owner(hpa + at) ? -EACCES : phys_probe(hpa + at, 1, 0);

		if (rc)
			return rc == -EACCES ? TDX_PAGE_METADATA_INCORRECT : TDX_OPERAND_INVALID;
	}
	return TDX_SUCCESS;
}

bool tdx_buffer_ok(uint64_t hpa, uint64_t len)
{
	return !range_check(hpa, len);
}

uint64_t pamt_take(uint64_t hpa, uint64_t len, uint32_t owner)
{
	uint64_t status = hpa % len ? TDX_OPERAND_INVALID : range_check(hpa, len);

	if (status)
		return status;
	return phys_owner_set(hpa, len, owner) ? TDX_NO_MEMORY : TDX_SUCCESS;
}

void pamt_give(uint64_t hpa, uint64_t len, uint32_t owner)
{
	phys_clear(hpa, len, owner, true);
	phys_owner_set(hpa, len, 0);
}

static uint64_t list_hpa(uint64_t operand)
{
	return operand & SEPT_HPA;
}

static unsigned int list_count(uint64_t operand)
{
	return (unsigned int)(operand >> 55) + 1;
}

bool tdx_list_ok(uint64_t operand)
{
	return list_hpa(operand) && tdx_buffer_ok(list_hpa(operand), PHYS_PAGE);
}

uint64_t tdx_list_read(uint64_t operand, unsigned int count, uint64_t *hpas)
{
	uint8_t bytes[TDX_SPDM_PAGES * 8];

	if (!tdx_list_ok(operand) || list_count(operand) != count || count > TDX_SPDM_PAGES ||
	    phys_read(list_hpa(operand), bytes, count * 8, 0))
		return TDX_OPERAND_INVALID;
	struct reader r = reader_of(bytes, sizeof(bytes));

	for (unsigned int i = 0; i < count; i++)
		hpas[i] = get_le64(&r);
	return TDX_SUCCESS;
}

uint64_t tdx_list_take(uint64_t operand, unsigned int count, uint64_t *hpas)
{
	uint64_t status = tdx_list_read(operand, count, hpas);
	unsigned int taken = 0;

	while (!status && taken < count) {
		status = pamt_take(hpas[taken], PHYS_PAGE, TDX_OWNER_MODULE);
		if (!status)
			taken++;
	}
	if (status)
		tdx_list_give(hpas, taken);
	return status;
}

void tdx_list_give(const uint64_t *hpas, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		pamt_give(hpas[i], PHYS_PAGE, TDX_OWNER_MODULE);
}

size_t tdx_list_write(uint64_t operand, const uint8_t *data, size_t len)
{
	unsigned int count = list_count(operand);
	size_t done = 0;

	for (unsigned int i = 0; i < count && done < len; i++) {
		size_t run = len - done < PHYS_PAGE ? len - done : PHYS_PAGE;
		uint8_t bytes[8];
		struct reader r = reader_of(bytes, sizeof(bytes));
		uint64_t hpa;

		if (phys_read(list_hpa(operand) + 8ull * i, bytes, sizeof(bytes), 0))
			break;
		hpa = get_le64(&r);
		if (!tdx_buffer_ok(hpa, PHYS_PAGE) || phys_write(hpa, data + done, run, 0))
			break;
		done += run;
	}
	return done;
}
