/* SPDX-License-Identifier: BSD-2-Clause */
/* What pt_algo.h yields for a format. Addresses and lengths are checked by pt.c. */
#ifndef SWTIO_HARDWARE_PT_OPS_H
#define SWTIO_HARDWARE_PT_OPS_H

#include "hardware/pt.h"

#define PT_ENTRIES 512u

struct pt_ops {
	uint8_t levels_min, levels_max;
	uint8_t page_shift;		/* of the smallest leaf */
	uint8_t leaf_level_max;
	int (*map)(const struct pt *pt, uint64_t address, uint64_t hpa, uint64_t len, uint8_t prot);
	uint64_t (*unmap)(const struct pt *pt, uint64_t address, uint64_t last);
	int (*walk)(uint64_t root, unsigned int levels, uint64_t address, struct pt_leaf *leaf);
	int (*decode)(uint64_t e, unsigned int level, unsigned int updates,
		      struct pt_entry *entry);
	uint64_t (*next)(const struct pt *pt, uint64_t address);
	void (*dirty_read)(const struct pt *pt, uint64_t address, uint64_t last,
			   const struct pt_dirty *dirty);
	void (*mark)(uint64_t root, unsigned int levels, uint64_t address, bool write);
	void (*destroy)(const struct pt *pt);
};

extern const struct pt_ops pt_vtd_ss_ops, pt_ept_ops, pt_mock_ops, pt_x86_ops, pt_amd_v1_ops,
	pt_arm_s1_ops, pt_arm_s2_ops;

/* A table page: zeroed and accounted, or 0. */
uint64_t pt_page_alloc(const struct pt *pt);
void pt_page_free(const struct pt *pt, uint64_t hpa);

#endif
