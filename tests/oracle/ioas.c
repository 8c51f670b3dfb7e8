/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls on address spaces, native and as VFIO's type 1 has them. */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include <linux/vfio.h>

#include "oracle.h"

#define NOTE_U64(h, what, value) note((h), " " what " %llx", (unsigned long long)(value))

static void ioas_alloc(struct host *h)
{
	struct iommu_ioas_alloc args = { .flags = flags_of(h, 0, 0) };

	if (h->id_count[IOAS] >= 5)
		return;
	if (ASK(h, IOMMU_IOAS_ALLOC, args))
		return;
	note(h, " id %u", args.out_ioas_id);
	id_add(h, IOAS, args.out_ioas_id);
}

static void destroy(struct host *h)
{
	struct iommu_destroy args = { .id = id_of(h, (enum kind)roll(h, KINDS)) };

	note(h, " id %u", args.id);
	for (unsigned int i = 0; i < h->id_count[STDEV]; i++) {
		if (h->ids[STDEV][i] != args.id)
			continue;
		/* Devices go seldom: nothing much happens without one. */
		if (!one_in(h, 4))
			return;
		pasids_detach(h, args.id);
	}
	if (!ASK(h, IOMMU_DESTROY, args))
		id_drop(h, args.id);
}

static void allow_iovas(struct host *h)
{
	struct iommu_iova_range ranges[3];
	struct iommu_ioas_allow_iovas args = { .ioas_id = id_of(h, IOAS), .num_iovas = roll(h, 4),
					       .allowed_iovas = (uintptr_t)ranges };

	if (!one_in(h, 3))
		args.num_iovas = 0;
	for (unsigned int i = 0; i < 3; i++) {
		ranges[i].start = an_iova(h) & ~(PAGE - 1);
		ranges[i].last = ranges[i].start + (uint64_t)roll(h, 64) * PAGE + PAGE - 1;
	}
	if (one_in(h, 30))
		args.allowed_iovas = HOLE_START;
	if (one_in(h, 40))
		args.__reserved = 1;
	note(h, " ioas %u num %u", args.ioas_id, args.num_iovas);
	ASK(h, IOMMU_IOAS_ALLOW_IOVAS, args);
}

static void iova_ranges(struct host *h)
{
	struct iommu_iova_range ranges[8];
	struct iommu_ioas_iova_ranges args = { .ioas_id = id_of(h, IOAS), .num_iovas = roll(h, 9),
					       .allowed_iovas = (uintptr_t)ranges };
	long rc;

	memset(ranges, 0, sizeof(ranges));
	if (one_in(h, 30))
		args.allowed_iovas = HOLE_START;
	note(h, " ioas %u num %u", args.ioas_id, args.num_iovas);
	rc = ASK(h, IOMMU_IOAS_IOVA_RANGES, args);
	if (rc && rc != -EMSGSIZE)
		return;
	note(h, " num %u", args.num_iovas);
	NOTE_U64(h, "alignment", args.out_iova_alignment);
	for (unsigned int i = 0; i < 8; i++)
		note(h, " %llx-%llx", (unsigned long long)ranges[i].start,
		     (unsigned long long)ranges[i].last);
}

static uint32_t map_flags(struct host *h)
{
	uint32_t flags = IOMMU_IOAS_MAP_READABLE;

	if (!one_in(h, 4))
		flags |= IOMMU_IOAS_MAP_WRITEABLE;
	if (!one_in(h, 4))
		flags |= IOMMU_IOAS_MAP_FIXED_IOVA;
	return flags_of(h, flags, 7);
}

static void map(struct host *h)
{
	struct iommu_ioas_map args = { .flags = map_flags(h), .ioas_id = id_of(h, IOAS),
				       .user_va = an_address(h), .length = a_length(h),
				       .iova = an_iova(h) };

	note(h, " ioas %u flags %x", args.ioas_id, args.flags);
	NOTE_U64(h, "va", args.user_va);
	NOTE_U64(h, "length", args.length);
	NOTE_U64(h, "iova", args.iova);
	if (!ASK(h, IOMMU_IOAS_MAP, args))
		NOTE_U64(h, "at", args.iova);
}

static void map_file(struct host *h)
{
	struct iommu_ioas_map_file args = { .flags = map_flags(h), .ioas_id = id_of(h, IOAS),
					    .fd = h->memfd, .start = roll(h, 62) * PAGE,
					    .length = a_length(h), .iova = an_iova(h) };

	if (one_in(h, 12))
		args.start += 2048;
	if (h->dmabuf && one_in(h, 3)) {
		args.fd = h->dmabuf;
		args.start = roll(h, 3) * PAGE;
	}
	if (one_in(h, 30))
		args.fd = -1;		/* never h->fd: Linux would keep it open for good */
	note(h, " ioas %u flags %x", args.ioas_id, args.flags);
	NOTE_U64(h, "start", args.start);
	NOTE_U64(h, "length", args.length);
	NOTE_U64(h, "iova", args.iova);
	if (!ASK(h, IOMMU_IOAS_MAP_FILE, args))
		NOTE_U64(h, "at", args.iova);
}

static void copy(struct host *h)
{
	struct iommu_ioas_copy args = { .flags = map_flags(h), .dst_ioas_id = id_of(h, IOAS),
					.src_ioas_id = id_of(h, IOAS), .length = a_length(h),
					.dst_iova = an_iova(h), .src_iova = an_iova(h) };

	note(h, " dst %u src %u flags %x", args.dst_ioas_id, args.src_ioas_id, args.flags);
	NOTE_U64(h, "length", args.length);
	NOTE_U64(h, "dst", args.dst_iova);
	NOTE_U64(h, "src", args.src_iova);
	if (!ASK(h, IOMMU_IOAS_COPY, args))
		NOTE_U64(h, "at", args.dst_iova);
}

static void unmap(struct host *h)
{
	struct iommu_ioas_unmap args = { .ioas_id = id_of(h, IOAS), .iova = an_iova(h),
					 .length = a_length(h) };

	if (one_in(h, 3))
		args.length = (1 + roll(h, 48)) * PAGE;
	if (one_in(h, 60)) {
		args.iova = 0;
		args.length = UINT64_MAX;
	}
	note(h, " ioas %u", args.ioas_id);
	NOTE_U64(h, "iova", args.iova);
	NOTE_U64(h, "length", args.length);
	if (!ASK(h, IOMMU_IOAS_UNMAP, args))
		NOTE_U64(h, "gone", args.length);
}

static void option(struct host *h)
{
	struct iommu_option args = { .option_id = IOMMU_OPTION_HUGE_PAGES,
				     .op = (uint16_t)(roll(h, 8) ? roll(h, 2) : roll(h, 4)),
				     .object_id = id_of(h, IOAS), .val64 = roll(h, 2) };

	if (one_in(h, 4)) {
		args.option_id = one_in(h, 4) ? 2 : IOMMU_OPTION_RLIMIT_MODE;
		args.object_id = one_in(h, 6) ? args.object_id : 0;
	}
	if (one_in(h, 20))
		args.val64 = 2;
	note(h, " option %u op %u object %u val %llu", args.option_id, args.op, args.object_id,
	     (unsigned long long)args.val64);
	if (!ASK(h, IOMMU_OPTION, args))
		NOTE_U64(h, "val", args.val64);
}

static void vfio_ioas(struct host *h)
{
	struct iommu_vfio_ioas args = { .ioas_id = id_of(h, IOAS), .op = (uint16_t)roll(h, 4) };

	note(h, " op %u ioas %u", args.op, args.ioas_id);
	if (!ASK(h, IOMMU_VFIO_IOAS, args))
		note(h, " ioas %u", args.ioas_id);
}

static void change_process(struct host *h)
{
	struct iommu_ioas_change_process args = { .__reserved = one_in(h, 8) };

	ASK(h, IOMMU_IOAS_CHANGE_PROCESS, args);
}

/* -- type 1 ------------------------------------------------------------------------------------ */

static void vfio_note(struct host *h, long rc)
{
	note(h, " = %ld", rc < 0 ? -errno : rc);
}

static void vfio_extension(struct host *h)
{
	unsigned long which = roll(h, 12);

	note(h, " %lu", which);
	vfio_note(h, ioctl(h->fd, VFIO_CHECK_EXTENSION, which));
}

static void vfio_set_iommu(struct host *h)
{
	unsigned long type = one_in(h, 8) ? roll(h, 9) : VFIO_TYPE1v2_IOMMU;

	note(h, " %lu", type);
	vfio_note(h, ioctl(h->fd, VFIO_SET_IOMMU, type));
}

static void vfio_info(struct host *h)
{
	uint8_t buffer[256];
	struct vfio_iommu_type1_info head = { .argsz = roll(h, 200) };
	uint64_t sum = 0;
	int rc;

	memset(buffer, 0x5a, sizeof(buffer));
	memcpy(buffer, &head, sizeof(head));
	note(h, " argsz %u", head.argsz);
	rc = ioctl(h->fd, VFIO_IOMMU_GET_INFO, buffer);
	vfio_note(h, rc);
	for (unsigned int i = 0; i < sizeof(buffer); i++)
		sum = sum * 31 + buffer[i];
	memcpy(&head, buffer, sizeof(head));
	note(h, " argsz %u flags %x cap %u", head.argsz, head.flags, head.cap_offset);
	NOTE_U64(h, "sizes", head.iova_pgsizes);
	NOTE_U64(h, "sum", sum);
}

static void vfio_map(struct host *h)
{
	struct vfio_iommu_type1_dma_map args = { .argsz = sizeof(args),
						 .flags = flags_of(h, 3, 7),
						 .vaddr = an_address(h), .iova = an_iova(h),
						 .size = a_length(h) };

	if (one_in(h, 30))
		args.argsz = roll(h, 40);
	note(h, " flags %x", args.flags);
	NOTE_U64(h, "va", args.vaddr);
	NOTE_U64(h, "iova", args.iova);
	NOTE_U64(h, "length", args.size);
	vfio_note(h, ioctl(h->fd, VFIO_IOMMU_MAP_DMA, &args));
}

static void vfio_unmap(struct host *h)
{
	struct vfio_iommu_type1_dma_unmap args = { .argsz = sizeof(args),
						   .flags = flags_of(h, 0, 3), .iova = an_iova(h),
						   .size = a_length(h) };

	if (one_in(h, 30)) {
		args.flags = VFIO_DMA_UNMAP_FLAG_ALL;
		args.iova = args.size = 0;
	}
	note(h, " flags %x", args.flags);
	NOTE_U64(h, "iova", args.iova);
	NOTE_U64(h, "length", args.size);
	vfio_note(h, ioctl(h->fd, VFIO_IOMMU_UNMAP_DMA, &args));
	NOTE_U64(h, "gone", args.size);
}

const struct op ioas_ops[] = {
	{ "ioas_alloc", 12, ioas_alloc },
	{ "destroy", 60, destroy },
	{ "allow_iovas", 6, allow_iovas },
	{ "iova_ranges", 10, iova_ranges },
	{ "map", 100, map },
	{ "map_file", 50, map_file },
	{ "copy", 40, copy },
	{ "unmap", 90, unmap },
	{ "option", 10, option },
	{ "vfio_ioas", 6, vfio_ioas },
	{ "change_process", 3, change_process },
	{ "vfio_extension", 3, vfio_extension },
	{ "vfio_set_iommu", 2, vfio_set_iommu },
	{ "vfio_info", 6, vfio_info },
	{ "vfio_map", 12, vfio_map },
	{ "vfio_unmap", 12, vfio_unmap },
	{ NULL, 0, NULL },
};
