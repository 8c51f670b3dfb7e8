/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory of a BAR that client processes map. While they may, its bytes are in a file of the real
 * kernel; to take it away they move into the image and the file is cut to nothing, so that the real
 * kernel ends every mapping there is, of stopped processes too: what they touch next is SIGBUS.
 *
 * The move commits before the file is cut, and after it was filled: who dies on the way leaves the
 * bytes where `in_file` says.
 */
#include "hardware/bar_file.h"
#include "hardware/hardware.h"
#include "hardware/phys_state.h"

static const struct bar_files *files;	/* process-local */

void bar_files_set(const struct bar_files *new_files)
{
	files = new_files;
}

void bar_files_give(uint32_t (*make)(void))
{
	const struct function *fn;

	for (uint32_t at = 0; (fn = function_slot_next(&at)); at++)
		for (unsigned int i = 0; i < FUNCTION_BARS; i++)
			if (fn->bar[i].memory)
				hw_set(&fn->bar[i].file, make());
}

const uint8_t *bar_memory(const struct function_bar *bar)
{
	const void *mapped = bar->in_file && files ? files->map(bar->file, bar->size) : NULL;

	return mapped ? mapped : bar->memory;
}

uint8_t *bar_memory_write(const struct function_bar *bar, uint64_t offset, uint64_t len)
{
	return phys_ram_write(bar_memory(bar) + offset, len);
}

void bar_file_use(const struct function_bar *bar, bool on)
{
	void *mapped;

	if (!bar->file || !files || bar->in_file == on)
		return;
	mapped = on && files->resize(bar->file, bar->size) ? NULL : files->map(bar->file, bar->size);
	if (!mapped)
		return;
	if (on)
		memcpy(mapped, bar->memory, bar->size);
	else
		memcpy(image_bulk_write(bar->memory, bar->size), mapped, bar->size);
	hw_set(&bar->in_file, on);
	image_commit();
	if (!on)
		files->resize(bar->file, 0);
}
