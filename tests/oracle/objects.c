/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls on page tables, vIOMMUs, vDEVICEs and queues. */
#include <errno.h>
#include <string.h>

#include "oracle.h"

#define SELFTEST_DATA 0xdeadu
#define SELFTEST_TYPE 0xdeadbeefu
#define SELFTEST_EVENTS 0xbeefbeefu

static void hwpt_paging(struct host *h)
{
	uint32_t data[2] = { 0xbadbeef, roll(h, 3) };
	struct iommu_hwpt_alloc args = { .flags = flags_of(h, roll(h, 2) ? 0 : 8, 15),
					 .dev_id = id_of(h, DEVICE), .pt_id = id_of(h, IOAS),
					 .fault_id = id_of(h, FAULT) };

	if (one_in(h, 3))
		args.flags |= IOMMU_HWPT_ALLOC_NEST_PARENT;
	if (one_in(h, 4)) {
		args.data_type = SELFTEST_DATA;
		args.data_len = sizeof(data);
		args.data_uptr = (uintptr_t)data;
	}
	if (one_in(h, 50))
		args.__reserved = 1;
	if (h->id_count[PAGING] + h->id_count[PARENT] >= 8)
		return;
	note(h, " dev %u pt %u flags %x fault %u data %u/%u", args.dev_id, args.pt_id, args.flags,
	     args.fault_id, args.data_type, data[1]);
	if (ASK(h, IOMMU_HWPT_ALLOC, args))
		return;
	note(h, " id %u", args.out_hwpt_id);
	id_add(h, args.flags & IOMMU_HWPT_ALLOC_NEST_PARENT ? PARENT : PAGING, args.out_hwpt_id);
}

static void hwpt_nested(struct host *h)
{
	uint32_t data[4] = { 0xbadbeef, 0, 0, one_in(h, 2) };
	struct iommu_hwpt_alloc args = { .flags = flags_of(h, roll(h, 2) ? 0 : 8, 12),
					 .dev_id = id_of(h, DEVICE),
					 .pt_id = id_of(h, one_in(h, 2) ? VIOMMU : PARENT),
					 .fault_id = id_of(h, FAULT), .data_type = SELFTEST_DATA,
					 .data_len = 8, .data_uptr = (uintptr_t)data };

	if (one_in(h, 12))
		args.data_type = roll(h, 4);
	if (one_in(h, 12))
		args.data_len = roll(h, 17);
	if (one_in(h, 30))
		args.data_uptr = HOLE_START;
	if (h->id_count[NESTED] >= 6)
		return;
	note(h, " dev %u pt %u flags %x fault %u data %u/%u", args.dev_id, args.pt_id, args.flags,
	     args.fault_id, args.data_type, args.data_len);
	if (ASK(h, IOMMU_HWPT_ALLOC, args))
		return;
	note(h, " id %u", args.out_hwpt_id);
	id_add(h, NESTED, args.out_hwpt_id);
}

static void hw_info(struct host *h)
{
	uint8_t data[16];
	struct iommu_hw_info args = { .flags = flags_of(h, 0, 1), .dev_id = id_of(h, DEVICE),
				      .data_len = roll(h, 17), .data_uptr = (uintptr_t)data,
				      .in_data_type = one_in(h, 2) ? 0xfeedbeef : roll(h, 3) };
	uint64_t sum = 0;

	memset(data, 0xee, sizeof(data));
	if (one_in(h, 30))
		args.data_uptr = HOLE_START;
	note(h, " dev %u flags %x len %u type %x", args.dev_id, args.flags, args.data_len,
	     args.in_data_type);
	if (ASK(h, IOMMU_GET_HW_INFO, args))
		return;
	for (unsigned int i = 0; i < sizeof(data); i++)
		sum = sum * 31 + data[i];
	note(h, " type %x len %u pasid %u caps %llx data %llx", args.out_data_type, args.data_len,
	     args.out_max_pasid_log2, (unsigned long long)args.out_capabilities,
	     (unsigned long long)sum);
}

static void set_dirty(struct host *h)
{
	struct iommu_hwpt_set_dirty_tracking args = {
		.flags = flags_of(h, roll(h, 2), 1), .hwpt_id = id_of(h, PAGING) };

	note(h, " hwpt %u flags %x", args.hwpt_id, args.flags);
	ASK(h, IOMMU_HWPT_SET_DIRTY_TRACKING, args);
}

static void get_dirty(struct host *h)
{
	uint8_t bitmap[32];
	struct iommu_hwpt_get_dirty_bitmap args = {
		.hwpt_id = id_of(h, PAGING), .flags = flags_of(h, roll(h, 2), 1),
		.iova = an_iova(h), .length = a_length(h), .page_size = one_in(h, 4) ? 2048 : 4096,
		.data = (uintptr_t)bitmap };
	uint64_t sum = 0;

	memset(bitmap, 0, sizeof(bitmap));
	if (args.length > 64 * PAGE && args.length < UINT64_MAX - 8192)
		args.length = PAGE;
	if (one_in(h, 12))
		args.page_size = roll(h, 3) * 1024;
	note(h, " hwpt %u flags %x iova %llx length %llx page %llx", args.hwpt_id, args.flags,
	     (unsigned long long)args.iova, (unsigned long long)args.length,
	     (unsigned long long)args.page_size);
	if (ASK(h, IOMMU_HWPT_GET_DIRTY_BITMAP, args))
		return;
	for (unsigned int i = 0; i < sizeof(bitmap); i++)
		sum = sum * 31 + bitmap[i];
	note(h, " bits %llx", (unsigned long long)sum);
}

static void invalidate_hwpt(struct host *h)
{
	uint32_t entries[3][2];
	struct iommu_hwpt_invalidate args = { .hwpt_id = id_of(h, NESTED),
					      .data_uptr = (uintptr_t)entries,
					      .data_type = SELFTEST_TYPE, .entry_len = 8,
					      .entry_num = roll(h, 4) };

	for (unsigned int i = 0; i < 3; i++) {
		entries[i][0] = one_in(h, 6) ? roll(h, 4) : 0;
		entries[i][1] = roll(h, 5);
	}
	if (one_in(h, 20))
		args.data_type = 1;
	if (one_in(h, 20))
		args.entry_len = one_in(h, 3) ? roll(h, 12) : 4097;
	if (one_in(h, 30))
		args.entry_num = (1u << 19) + 1;
	if (one_in(h, 30))
		args.data_uptr = one_in(h, 2) ? 0 : HOLE_START;
	note(h, " hwpt %u type %x len %u num %u", args.hwpt_id, args.data_type, args.entry_len,
	     args.entry_num);
	ASK(h, IOMMU_HWPT_INVALIDATE, args);
	note(h, " done %u", args.entry_num);
}

static void invalidate_viommu(struct host *h)
{
	uint32_t entries[3][3];
	struct iommu_hwpt_invalidate args = { .hwpt_id = id_of(h, VIOMMU),
					      .data_uptr = (uintptr_t)entries,
					      .data_type = SELFTEST_TYPE, .entry_len = 12,
					      .entry_num = roll(h, 4) };

	for (unsigned int i = 0; i < 3; i++) {
		entries[i][0] = one_in(h, 6) ? roll(h, 4) : 0;
		entries[i][1] = 0x90 + roll(h, 5);
		entries[i][2] = roll(h, 5);
	}
	if (one_in(h, 20))
		args.data_type = 1;
	if (one_in(h, 20))
		args.entry_len = 1 + roll(h, 11);
	if (one_in(h, 30))
		args.data_uptr = HOLE_START;
	note(h, " viommu %u type %x len %u num %u", args.hwpt_id, args.data_type, args.entry_len,
	     args.entry_num);
	ASK(h, IOMMU_HWPT_INVALIDATE, args);
	note(h, " done %u", args.entry_num);
}

static void viommu_alloc(struct host *h)
{
	struct { uint32_t in, out; uint64_t offset, length; uint64_t more; } data = {
		.in = 0x1000 + roll(h, 1000) };
	struct iommu_viommu_alloc args = { .flags = flags_of(h, 0, 0), .type = SELFTEST_TYPE,
					   .dev_id = id_of(h, DEVICE), .hwpt_id = id_of(h, PARENT) };

	if (one_in(h, 10))
		args.type = roll(h, 3);
	if (one_in(h, 3)) {
		args.data_len = 24;
		args.data_uptr = (uintptr_t)&data;
		if (one_in(h, 8))
			args.data_len = roll(h, 33);
		if (one_in(h, 20))
			args.data_uptr = HOLE_START;
	}
	if (h->id_count[VIOMMU] >= 4)
		return;
	note(h, " dev %u hwpt %u type %x flags %x len %u", args.dev_id, args.hwpt_id, args.type,
	     args.flags, args.data_len);
	if (ASK(h, IOMMU_VIOMMU_ALLOC, args))
		return;
	note(h, " id %u out %x at %llx %llx", args.out_viommu_id, data.out,
	     (unsigned long long)data.offset, (unsigned long long)data.length);
	id_add(h, VIOMMU, args.out_viommu_id);
	if (args.data_len && !h->mapping) {
		h->map_offset = data.offset;
		h->map_length = data.length;
	}
}

static void vdevice_alloc(struct host *h)
{
	struct iommu_vdevice_alloc args = { .viommu_id = id_of(h, VIOMMU),
					    .dev_id = id_of(h, DEVICE),
					    .virt_id = 0x90 + roll(h, 4) };

	note(h, " viommu %u dev %u virt %llx", args.viommu_id, args.dev_id,
	     (unsigned long long)args.virt_id);
	if (ASK(h, IOMMU_VDEVICE_ALLOC, args))
		return;
	note(h, " id %u", args.out_vdevice_id);
	id_add(h, VDEVICE, args.out_vdevice_id);
}

static struct queue *queue_free_slot(struct queue *queues)
{
	for (unsigned int i = 0; i < QUEUES; i++)
		if (!queues[i].fd)
			return &queues[i];
	return NULL;
}

static void veventq_alloc(struct host *h)
{
	struct iommu_veventq_alloc args = { .flags = flags_of(h, 0, 0),
					    .viommu_id = id_of(h, VIOMMU), .type = SELFTEST_EVENTS,
					    .veventq_depth = 1 + roll(h, 4) };
	struct queue *slot = queue_free_slot(h->events);

	if (one_in(h, 12))
		args.type = roll(h, 3);
	if (one_in(h, 20))
		args.veventq_depth = one_in(h, 2) ? 0 : (1u << 19) + roll(h, 2);
	if (!slot)
		return;
	note(h, " viommu %u type %x depth %u flags %x", args.viommu_id, args.type,
	     args.veventq_depth, args.flags);
	if (ASK(h, IOMMU_VEVENTQ_ALLOC, args))
		return;
	note(h, " id %u", args.out_veventq_id);
	id_add(h, VEVENTQ, args.out_veventq_id);
	slot->fd = (int)args.out_veventq_fd;
	slot->id = args.out_veventq_id;
}

static void fault_alloc(struct host *h)
{
	struct iommu_fault_alloc args = { .flags = flags_of(h, 0, 0) };
	struct queue *slot = queue_free_slot(h->faults);

	if (!slot || ASK(h, IOMMU_FAULT_QUEUE_ALLOC, args))
		return;
	note(h, " id %u", args.out_fault_id);
	id_add(h, FAULT, args.out_fault_id);
	slot->fd = (int)args.out_fault_fd;
	slot->id = args.out_fault_id;
}

static void hw_queue_alloc(struct host *h)
{
	struct iommu_hw_queue_alloc args = { .flags = flags_of(h, 0, 0),
					     .viommu_id = id_of(h, VIOMMU), .type = SELFTEST_TYPE,
					     .index = roll(h, 3), .nesting_parent_iova = an_iova(h),
					     .length = 1 + roll(h, 4096) };

	/* Whether two pages follow each other in memory is chance. */
	if (args.length > PAGE - args.nesting_parent_iova % PAGE)
		args.length = PAGE - args.nesting_parent_iova % PAGE;
	if (one_in(h, 12))
		args.length = one_in(h, 2) ? 0 : UINT64_MAX;
	if (one_in(h, 20))
		args.type = roll(h, 3);
	note(h, " viommu %u type %x index %u iova %llx length %llx", args.viommu_id, args.type,
	     args.index, (unsigned long long)args.nesting_parent_iova,
	     (unsigned long long)args.length);
	if (ASK(h, IOMMU_HW_QUEUE_ALLOC, args))
		return;
	note(h, " id %u", args.out_hw_queue_id);
	id_add(h, HW_QUEUE, args.out_hw_queue_id);
}

const struct op object_ops[] = {
	{ "hwpt_paging", 30, hwpt_paging },
	{ "hwpt_nested", 30, hwpt_nested },
	{ "hw_info", 8, hw_info },
	{ "set_dirty", 8, set_dirty },
	{ "get_dirty", 12, get_dirty },
	{ "invalidate_hwpt", 16, invalidate_hwpt },
	{ "invalidate_viommu", 16, invalidate_viommu },
	{ "viommu_alloc", 20, viommu_alloc },
	{ "vdevice_alloc", 20, vdevice_alloc },
	{ "veventq_alloc", 10, veventq_alloc },
	{ "fault_alloc", 8, fault_alloc },
	{ "hw_queue_alloc", 24, hw_queue_alloc },
	{ NULL, 0, NULL },
};
