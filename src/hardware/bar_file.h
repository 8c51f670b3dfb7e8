/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory of BARs in files of the real kernel, for client processes to map. */
#ifndef SWTIO_HARDWARE_BAR_FILE_H
#define SWTIO_HARDWARE_BAR_FILE_H

#include "hardware/function.h"

/* How this process gets at the files, which are numbered from 1; process-local, NULL: not at all. */
struct bar_files {
	void *(*map)(uint32_t file, uint64_t size);	/* the same place each time; NULL: cannot */
	int (*resize)(uint32_t file, uint64_t size);	/* 0 or -errno */
};
void bar_files_set(const struct bar_files *files);
/* At power-on: a file of its own (0: none) for every BAR that has memory. */
void bar_files_give(uint32_t (*make)(void));
/* Clients may map it from here on, or no more. Commits. Nothing for a BAR without a file. */
void bar_file_use(const struct function_bar *bar, bool on);
/* Where the bytes are, in this process: to read, and to write some of them. */
const uint8_t *bar_memory(const struct function_bar *bar);
uint8_t *bar_memory_write(const struct function_bar *bar, uint64_t offset, uint64_t len);

#endif
