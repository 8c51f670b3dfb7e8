/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What areas map: user memory, a memfd or a dma-buf. Looked up and pinned when the first HWPT needs
 * it, shared by copies, let go with the last. Pinned memory is charged to whoever mapped it.
 */
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "hardware/platform.h"
#include "kernel/iommufd/private.h"
#include "kernel/kvm/kvm.h"

static uint64_t pages_count(const struct iopt_pages *pages)
{
	return (pages->len + PHYS_PAGE - 1) / PHYS_PAGE;
}

/* -- making and freeing ----------------------------------------------------------------------- */

static struct iopt_pages *pages_new(const struct iommufd_ctx *ctx, enum iopt_source source,
				    uint64_t start, uint64_t len, bool write)
{
	struct iopt_pages *pages = image_alloc(sizeof(*pages), IMAGE_TYPE_IOPT_PAGES);
	const struct task *task = current_task();

	if (!pages)
		return NULL;
	client_credentials(task);
	pages->source = (uint8_t)source;
	pages->account = task->cap_ipc_lock || source == IOPT_DMABUF ? ACCOUNT_NONE : ctx->account;
	pages->writable = write;
	pages->task = task->id;
	pages->uid = task->uid;
	pages->start = start;
	pages->len = len;
	return pages;
}

struct iopt_pages *iopt_pages_user(const struct iommufd_ctx *ctx, uint64_t start,
				   uint64_t len, bool write, bool mmio)
{
	struct iopt_pages *pages = pages_new(ctx, IOPT_USER, start, len, write);

	if (pages)
		pages->mmio = mmio;
	return pages;
}

/* Linux takes dma-bufs of one range; more than one is our extension. */
static int dmabuf_check(const struct dmabuf *dmabuf, uint64_t start, uint64_t len)
{
	if (start > dmabuf->size || len > dmabuf->size - start)
		return -EINVAL;
	if (dmabuf->revoked || dmabuf->dead)
		return -ENODEV;
	if (dmabuf->range_count != 1 && !kernel_options()->extensions)
		return -EOPNOTSUPP;
	return dmabuf->kind == DMABUF_PRIVATE ? -EACCES : 0;
}

int iopt_pages_file(const struct iommufd_ctx *ctx, const struct iopt_file *file, uint64_t start,
		    uint64_t len, bool write, struct iopt_pages **result)
{
	const struct dmabuf *dmabuf = dmabuf_of_file(file->file);
	struct iopt_pages *pages;
	int rc = 0;

	if (dmabuf)
		rc = dmabuf_check(dmabuf, start, len);
	if (rc)
		return rc;
	pages = pages_new(ctx, dmabuf ? IOPT_DMABUF : IOPT_FILE, start, len, write);
	if (!pages)
		return -ENOMEM;
	if (dmabuf)
		rc = dmabuf_attach(dmabuf, DMABUF_IMPORTER_IOMMUFD, pages);
	if (rc)
		return rc;
	if (file->file)
		file_get(file->file);
	pages->file = file->file;
	pages->memfd = file->memfd;
	pages->dmabuf = dmabuf;
	*result = pages;
	return 0;
}

/* -- accounting ------------------------------------------------------------------------------- */

static uint64_t *locked_of(uint32_t uid)
{
	const struct iommufd_root *root = iommufd_root();
	unsigned int free = IOMMUFD_UIDS;
	uint32_t *name;

	for (unsigned int i = 0; i < IOMMUFD_UIDS; i++) {
		if (!root->locked[i].pages) {
			if (free == IOMMUFD_UIDS)
				free = i;
		} else if (root->locked[i].uid == uid) {
			return image_write(&root->locked[i].pages);
		}
	}
	if (free == IOMMUFD_UIDS)
		return NULL;
	name = image_write(&root->locked[free].uid);
	*name = uid;
	return image_write(&root->locked[free].pages);
}

static const struct task *pages_task(const struct iopt_pages *pages)
{
	const struct task *task = current_task();

	return task && task->id == pages->task ? task : task_find(pages->task);
}

static int charge(const struct iopt_pages *pages, const struct task *task)
{
	uint64_t count = pages_count(pages);
	uint64_t limit = task->rlimit_memlock / PHYS_PAGE;
	uint64_t *locked = NULL, *pinned;

	if (pages->source == IOPT_DMABUF)
		return 0;
	if (pages->account == ACCOUNT_USER) {
		locked = locked_of(task->uid);
		if (!locked)
			return -ENOMEM;
	} else if (pages->account == ACCOUNT_MM) {
		locked = image_write(&task->locked_vm);
	}
	if (locked && (*locked > limit || count > limit - *locked))
		return -ENOMEM;
	if (locked)
		*locked += count;
	pinned = image_write(&task->pinned_vm);
	*pinned += count;
	return 0;
}

static void uncharge(const struct iopt_pages *pages)
{
	const struct task *task = pages_task(pages);
	uint64_t count = pages_count(pages), *counter;

	if (pages->source == IOPT_DMABUF)
		return;
	if (pages->account == ACCOUNT_USER) {
		counter = locked_of(pages->uid);
		*counter -= count;
	}
	if (!task)
		return;
	if (pages->account == ACCOUNT_MM) {
		counter = image_write(&task->locked_vm);
		*counter -= count;
	}
	counter = image_write(&task->pinned_vm);
	*counter -= count;
}

int iopt_pages_charge(const struct iopt_pages *pages, const struct task *to)
{
	struct iopt_pages *w;
	int rc;

	if (pages->task == to->id)
		return 0;
	client_credentials(to);
	if (pages->pins) {
		uncharge(pages);
		rc = charge(pages, to);
		if (rc)
			return rc;
	}
	w = image_write(pages);
	w->task = to->id;
	w->uid = to->uid;
	return 0;
}

/* -- pinning ---------------------------------------------------------------------------------- */

static const struct iopt_extent *extents_of(const struct iopt_pages *pages)
{
	return pages->more ? pages->more : &pages->one;
}

static int extent_append(struct iopt_pages *pages, uint64_t offset, uint64_t hpa, uint64_t len)
{
	const struct iopt_extent *old = extents_of(pages);
	struct iopt_extent *last, *grown;

	if (pages->extents && old[pages->extents - 1].hpa + old[pages->extents - 1].len == hpa) {
		last = image_write(&old[pages->extents - 1]);
		last->len += len;
		return 0;
	}
	if (pages->extents == (pages->more ? pages->room : 1)) {
		uint32_t room = pages->extents * 2 > 8 ? pages->extents * 2 : 8;

		grown = image_alloc(room * sizeof(*grown), IMAGE_TYPE_IOPT_EXTENTS);
		if (!grown)
			return -ENOMEM;
		memcpy(grown, old, pages->extents * sizeof(*grown));
		image_free(pages->more);
		pages->more = grown;
		pages->room = room;
	}
	last = image_write(&extents_of(pages)[pages->extents]);
	pages->extents++;
	*last = (struct iopt_extent){ offset, hpa, len };
	return 0;
}

/* What a client's address means when one of our files is mapped there: its BAR, if anybody may map
 * that for DMA. */
static uint64_t mmio_page(const struct file *file, uint64_t offset, uint64_t len, uint64_t *run)
{
	struct mmap_request request = { .offset = offset, .len = len, .flags = MAP_SHARED };
	const struct file_ops *ops = file_type_ops[file->type];

	*run = len;
	return ops->mmap && !ops->mmap(file, &request) ? request.hpa : 0;
}

static uint64_t user_run(const struct iopt_pages *pages, uint64_t address, uint64_t left,
			 uint64_t *run)
{
	const struct task *task = pages_task(pages);
	const struct file *file;
	uint64_t offset, mapped;

	if (!task)
		return 0;
	file = task_mapping(task, address, &offset, &mapped);
	if (!file || file->type != FILE_VFIO_DEVICE)
		return user_page(task, address, left, pages->writable, run);
	return pages->mmio ? mmio_page(file, offset, left < mapped ? left : mapped, run) : 0;
}

/* A guest_memfd, an extension: on SEV trusted DMA goes through the host's table, and what the host
 * itself would reach through it, the RMP keeps from it. */
static bool guest_memory(const struct file *file)
{
	return file && file->type == FILE_GUEST_MEMFD && kernel_options()->extensions &&
	       machine_platform() == PLATFORM_SEV;
}

/* One physically contiguous run of the source, at `offset` of the pages; 0 or -errno. */
static int source_run(const struct iopt_pages *pages, uint64_t offset, uint64_t left, uint64_t *hpa,
		      uint64_t *run)
{
	unsigned int order;
	uint64_t end;

	switch ((enum iopt_source)pages->source) {
	case IOPT_USER:
		if (__builtin_add_overflow(pages->start, pages_count(pages) * PHYS_PAGE, &end))
			return -EOVERFLOW;
		*hpa = user_run(pages, pages->start + offset, left, run);
		return *hpa ? 0 : -EFAULT;
	case IOPT_FILE:
		if (guest_memory(pages->file)) {
			*hpa = kvm_gmem_page(pages->file, pages->start + offset, left, run);
			return *hpa ? 0 : -EINVAL;
		}
		if (pages->file && !file_is_memfd(pages->file))
			return -EINVAL;
		*hpa = pages->file ? memfd_page(pages->file, pages->start + offset, left, run)
				   : client_memfd_page(pages->memfd, pages->start + offset, left, run);
		if (!*hpa)
			return -EINVAL;
		*run = (*run + PHYS_PAGE - 1) & ~(uint64_t)(PHYS_PAGE - 1); /* EOF inside a page */
		*run = *run < left ? *run : left;
		return 0;
	case IOPT_DMABUF:
		return dmabuf_pfn(pages->dmabuf, pages->start + offset, hpa, run, &order);
	}
	return -EINVAL;
}

static int pages_look_up(struct iopt_pages *pages)
{
	uint64_t hpa, run;

	for (uint64_t offset = 0; offset < pages->len; offset += run) {
		int rc = source_run(pages, offset, pages->len - offset, &hpa, &run);

		if (!rc)
			rc = extent_append(pages, offset, hpa, run);
		if (rc)
			return rc;
	}
	return 0;
}

int iopt_pages_pin(struct iopt_pages *pages)
{
	int rc;

	if (pages->pins++ || pages->revoked)
		return 0;
	rc = pages_look_up(pages);
	if (!rc && pages->source != IOPT_DMABUF) {
		const struct task *task = pages_task(pages);

		rc = task ? charge(pages, task) : -EFAULT;
	}
	return rc;
}

void iopt_pages_unpin(struct iopt_pages *pages)
{
	if (--pages->pins)
		return;
	uncharge(pages);
	image_free(pages->more);
	pages->more = NULL;
	pages->room = pages->extents = 0;
}

static int pins_count(const void *object, void *arg)
{
	const struct iopt_pages *pages = object;
	struct { uint64_t hpa; uint32_t pins; } *count = arg;

	for (uint32_t i = 0; i < pages->extents; i++) {
		const struct iopt_extent *extent = &extents_of(pages)[i];

		if (count->hpa - extent->hpa < extent->len)
			count->pins++;
	}
	return 0;
}

uint32_t iopt_pins_of(uint64_t hpa)
{
	struct { uint64_t hpa; uint32_t pins; } count = { .hpa = hpa };

	image_each(IMAGE_TYPE_IOPT_PAGES, pins_count, &count);
	return count.pins;
}

struct pinned { uint64_t hpa, len; };

static int overlaps(const void *object, void *arg)
{
	const struct iopt_pages *pages = object;
	const struct pinned *range = arg;

	for (uint32_t i = 0; i < pages->extents; i++) {
		const struct iopt_extent *extent = &extents_of(pages)[i];

		if (extent->hpa < range->hpa + range->len &&
		    range->hpa < extent->hpa + extent->len)
			return 1;
	}
	return 0;
}

bool iommufd_pinned(uint64_t hpa, uint64_t len)
{
	struct pinned range = { hpa, len };

	return image_each(IMAGE_TYPE_IOPT_PAGES, overlaps, &range);
}

/* -- areas of the pages ------------------------------------------------------------------------ */

static void pages_free(const struct iopt_pages *pages)
{
	const struct file *file = pages->file;

	if (pages->pins) {
		uncharge(pages);
		image_free(pages->more);
	}
	if (pages->dmabuf)
		dmabuf_detach(pages->dmabuf, DMABUF_IMPORTER_IOMMUFD, pages);
	image_free(pages);
	if (file)
		file_put_later(file);	/* the tree of areas is being changed */
}

void iopt_pages_link(struct iopt_pages *pages, struct iopt_area *area)
{
	area->pages_next = pages->areas;
	area->pages_prev = NULL;
	if (pages->areas) {
		struct iopt_area *next = image_write(pages->areas);

		next->pages_prev = area;
	}
	pages->areas = area;
	pages->users++;
}

void iopt_pages_leave(const struct iopt_area *area, bool pinned)
{
	struct iopt_pages *pages;

	if (area->pages->users == 1) {
		pages_free(area->pages);
		return;
	}
	pages = image_write(area->pages);
	if (pinned)
		iopt_pages_unpin(pages);
	pages->users--;
	if (area->pages_next) {
		struct iopt_area *next = image_write(area->pages_next);

		next->pages_prev = area->pages_prev;
	}
	if (area->pages_prev) {
		struct iopt_area *prev = image_write(area->pages_prev);

		prev->pages_next = area->pages_next;
	} else {
		pages->areas = area->pages_next;
	}
}

/* -- page tables ------------------------------------------------------------------------------ */

/* The extent that holds `offset`. */
static const struct iopt_extent *extent_at(const struct iopt_pages *pages, uint64_t offset)
{
	const struct iopt_extent *extents = extents_of(pages);
	uint32_t low = 0, high = pages->extents - 1;

	while (low < high) {
		uint32_t middle = (low + high + 1) / 2;

		if (extents[middle].offset <= offset)
			low = middle;
		else
			high = middle - 1;
	}
	return &extents[low];
}

uint64_t iopt_pages_hpa(const struct iopt_pages *pages, uint64_t offset, uint64_t *run)
{
	const struct iopt_extent *extent = extent_at(pages, offset);

	*run = extent->len - (offset - extent->offset);
	return extent->hpa + (offset - extent->offset);
}

/* Memory of another process that nobody pinned is copied by the real kernel. */
static int process_rw(const struct task *task, uint64_t address, void *data, uint64_t len,
		      bool write)
{
	struct iovec here = { data, len }, there = { (void *)(uintptr_t)address, len };
	ssize_t n = write ? process_vm_writev(task->pid, &here, 1, &there, 1, 0)
			  : process_vm_readv(task->pid, &here, 1, &there, 1, 0);

	return n == (ssize_t)len ? 0 : -EFAULT;
}

static int pages_missing(const struct iopt_pages *pages, uint64_t offset, uint64_t len)
{
	int rc = 0;

	for (uint64_t run, hpa; !rc && len; offset += run, len -= run) {
		rc = source_run(pages, offset, len, &hpa, &run);
		run = rc || run > len ? len : run;
	}
	return rc;
}

int iopt_pages_rw(const struct iopt_pages *pages, uint64_t offset, void *data, uint64_t len,
		  unsigned int how)
{
	const struct task *task = pages->source == IOPT_USER ? pages_task(pages) : NULL;
	bool write = how & IOPT_WRITE;
	uint8_t *at = data;
	int missing = how & IOPT_WHOLE && !pages->pins ? pages_missing(pages, offset, len) : 0;

	if (missing)
		return missing;
	if (task && task->pid && !pages->pins)
		return process_rw(task, pages->start + offset, data, len, write);
	for (uint64_t run; len; offset += run, at += run, len -= run) {
		uint64_t hpa;
		int rc = 0;

		if (pages->pins)
			hpa = iopt_pages_hpa(pages, offset, &run);
		else
			rc = source_run(pages, offset, len, &hpa, &run);
		if (rc)
			return rc;
		/* Pages that follow each other by address may be in different places of a client. */
		if (run > PHYS_PAGE - hpa % PHYS_PAGE)
			run = PHYS_PAGE - hpa % PHYS_PAGE;
		run = run < len ? run : len;
		rc = write ? phys_write(hpa, at, run, 0) : phys_read(hpa, at, run, 0);
		if (rc)
			return rc;
	}
	return 0;
}

static int run_map(const struct pt *pt, uint64_t iova, uint64_t hpa, uint64_t len, uint8_t prot,
		   bool small)
{
	uint64_t step = small ? PHYS_PAGE : len;

	for (uint64_t done = 0; done < len; done += step) {
		int rc = pt_map(pt, iova + done, hpa + done, step, prot);

		if (rc)
			return rc;
	}
	return 0;
}

int iopt_area_fill_part(const struct iopt_area *area, uint64_t from, uint64_t to,
			const struct iopt_fill *fill)
{
	const struct iopt_pages *pages = area->pages;
	uint64_t offset = area->offset + (from - area->start), len = to - from + 1, run;

	if (pages->revoked)
		return 0;
	for (uint64_t done = 0; done < len; done += run) {
		const struct iopt_extent *extent = extent_at(pages, offset + done);
		uint64_t skip = offset + done - extent->offset;
		int rc;

		run = extent->len - skip < len - done ? extent->len - skip : len - done;
		rc = run_map(fill->pt, fill->iova + done, extent->hpa + skip, run, fill->prot,
			     fill->small);
		if (rc)
			return rc;
	}
	return 0;
}

int iopt_area_fill(const struct iopt_area *area, const struct pt *pt, bool small)
{
	const struct iopt_fill fill = { pt, area->start, area->prot, small };

	if (!area->pages)
		return iopt_merge_area(area, pt);
	return iopt_area_fill_part(area, area->start, area->last, &fill);
}

/* -- revoke ----------------------------------------------------------------------------------- */

/* The dma-buf's memory is no longer to be reached: out of every page table, for good. The IOVA
 * stays taken until it is unmapped. */
static void revoke(const void *importer, const struct dmabuf *dmabuf)
{
	const struct iopt_pages *pages = importer;
	struct iopt_pages *w;

	(void)dmabuf;
	klock_acquire(&pages->lock, KLOCK_PAGES, KLOCK_WRITE);
	for (const struct iopt_area *area = pages->areas; area; area = area->pages_next) {
		iopt_unmerge_children(area->ioas, area->start, area->last);
		for (const struct iommufd_hwpt *hwpt = area->ioas->hwpts; hwpt;
		     hwpt = hwpt->ioas_next) {
			pt_unmap(&hwpt->pt, area->start, area->last - area->start + 1);
			iommufd_hwpt_flush(hwpt, area->start, area->last);
		}
	}
	w = image_write(pages);
	w->revoked = true;
	image_free(w->more);
	w->more = NULL;
	w->room = w->extents = 0;
	klock_release(&pages->lock, KLOCK_WRITE);
}

const struct dmabuf_importer_ops iommufd_dmabuf_importer = {
	.invalidate = revoke,
};
