/* SPDX-License-Identifier: BSD-2-Clause */
/* Mappings of our files in this process: a table, no system call. */
#ifndef SWTIO_SHIM_MAPPING_H
#define SWTIO_SHIM_MAPPING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mapping {
	uint64_t start, len, offset;	/* whole pages */
	uint32_t id, generation;	/* of the file */
	bool trapped;			/* no memory: loads and stores are the model's */
};

void mapping_add(const struct mapping *new);	/* instead of what was there */
/* Something else, or nothing, is at these addresses now. */
void mapping_gone(const void *address, size_t len);
bool mapping_find(uint64_t address, struct mapping *out);

#endif
