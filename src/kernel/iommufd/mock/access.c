/* SPDX-License-Identifier: BSD-2-Clause */
/* A mock client that accesses an IOAS: a file of its own, through which pages are pinned and their
 * contents read and written. */
#include <fcntl.h>
#include <string.h>

#include "kernel/iommufd/access.h"
#include "kernel/iommufd/mock/mock.h"

#define LEN_MAX (16ull << 20)

struct item {			/* a pinned range */
	uint32_t id;
	uint64_t iova, len;
	const struct item *next;
};

struct mock_access {
	const struct iommufd_access *access;
	const struct item *items;
	uint32_t next_id;
};

static const struct mock_access *mock_access_of(uint32_t fd)
{
	const struct file *file = fd_file((int)fd);

	return file && file->type == FILE_MOCK_ACCESS ? file->priv : NULL;
}

int mock_access_create(struct iommufd_cmd *cmd, struct iommu_test_cmd *args)
{
	bool pins = args->create_access.flags & MOCK_FLAGS_ACCESS_CREATE_NEEDS_PIN_PAGES;
	const struct iommufd_ioas *ioas;
	struct iommufd_access *access;
	struct mock_access *mock;
	const struct file *file;
	int rc;

	if (args->create_access.flags & ~(uint32_t)MOCK_FLAGS_ACCESS_CREATE_NEEDS_PIN_PAGES)
		return -EOPNOTSUPP;
	mock = image_alloc(sizeof(*mock), IMAGE_TYPE_MOCK);
	file = mock ? file_create(FILE_MOCK_ACCESS, mock, "[iommufd_test_staccess]") : NULL;
	access = file ? iommufd_access_create(cmd->ctx, IOMMUFD_ACCESS_MOCK, mock, pins)
		      : NULL;
	if (!access)
		return -ENOMEM;
	mock->access = access;
	ioas = (const struct iommufd_ioas *)iommufd_find(cmd->ctx, args->id, IOMMUFD_IOAS);
	rc = ioas ? iommufd_access_change(access, ioas) : -ENOENT;
	if (!rc)
		rc = fd_install(file, O_CLOEXEC);
	if (rc < 0)
		return rc;
	args->create_access.out_access_fd = (uint32_t)rc;
	if (iommufd_respond(cmd, sizeof(*args)))
		return -EFAULT;
	idtable_finalize(cmd->ctx->objects, &access->obj);
	return 0;
}

int mock_access_replace(struct iommufd_cmd *cmd, struct iommu_test_cmd *args)
{
	const struct mock_access *mock = mock_access_of(args->id);
	const struct iommufd_ioas *ioas;

	(void)cmd;
	if (!mock)
		return -EBADFD;
	ioas = (const struct iommufd_ioas *)iommufd_find(
		mock->access->ctx, args->access_replace_ioas.ioas_id, IOMMUFD_IOAS);
	return ioas ? iommufd_access_change(mock->access, ioas) : -ENOENT;
}

/* -- pinning ---------------------------------------------------------------------------------- */

static void item_remove(const struct item *const *link)
{
	const struct item *item = *link, **slot = image_write(link);

	*slot = item->next;
	image_free(item);
}

static void unmapped(const void *owner, uint64_t iova, uint64_t last)
{
	const struct mock_access *mock = owner;
	const struct item *const *link = &mock->items;

	while (*link) {
		const struct item *item = *link;

		if (item->iova > last || item->iova + item->len - 1 < iova) {
			link = &item->next;
			continue;
		}
		iommufd_access_unpin(mock->access, item->iova, item->len);
		item_remove(link);
	}
}

const struct iommufd_access_ops iommufd_mock_access_ops = {
	.unmap = unmapped,
};

/* A fuzzer's IOVA names the n-th area in its low half and an offset in its high half. */
static uint64_t fuzzed_iova(const struct iommufd_access *access, uint64_t iova)
{
	struct itree_span span;
	uint64_t at = 0;

	for (uint32_t n = (uint32_t)iova; access->ioas; n--) {
		if (!itree_find(&access->ioas->areas, at, UINT64_MAX, &span))
			break;
		if (!n)
			return span.start + (iova >> 32);
		at = span.last + 1;
		if (!at)
			break;
	}
	return 0;
}

/* The pages pinned for the range are those behind the user address: -EBADE if not. */
static int pages_compare(const struct iommufd_access *access, uint64_t iova, uint64_t len,
			 uint64_t uptr)
{
	for (uint64_t done = 0, run; done < len; done += PHYS_PAGE) {
		uint64_t hpa = user_page(current_task(), uptr + done, PHYS_PAGE, false, &run);

		if (!hpa)
			return uptr + done > UINT64_MAX - PHYS_PAGE ? -EOVERFLOW : -EFAULT;
		if ((iommufd_access_hpa(access, iova + done, &run) ^ hpa) & ~(uint64_t)(PHYS_PAGE - 1))
			return -EBADE;
	}
	return 0;
}

int mock_access_pages(struct iommufd_cmd *cmd, struct iommu_test_cmd *args)
{
	uint64_t iova = args->access_pages.iova, len = args->access_pages.length;
	uint32_t flags = args->access_pages.flags;
	const struct mock_access *mock;
	struct mock_access *w;
	struct item *item;
	int rc;

	if (len > LEN_MAX)
		return -ENOMEM;
	if (flags & ~(uint32_t)(MOCK_FLAGS_ACCESS_WRITE | MOCK_FLAGS_ACCESS_SYZ))
		return -EOPNOTSUPP;
	mock = mock_access_of(args->id);
	if (!mock)
		return -EBADFD;
	if (!mock->access->pins)
		return -EOPNOTSUPP;
	if (flags & MOCK_FLAGS_ACCESS_SYZ)
		iova = fuzzed_iova(mock->access, iova);
	rc = iommufd_access_pin(mock->access, iova, len, flags & MOCK_FLAGS_ACCESS_WRITE);
	if (!rc && args->access_pages.uptr)
		rc = pages_compare(mock->access, iova, len, args->access_pages.uptr);
	if (rc)
		return rc;
	item = image_alloc(sizeof(*item), IMAGE_TYPE_MOCK);
	if (!item)
		return -ENOMEM;
	w = image_write(mock);
	*item = (struct item){ .id = w->next_id++, .iova = iova, .len = len, .next = mock->items };
	w->items = item;
	args->access_pages.out_access_pages_id = item->id;
	return iommufd_respond(cmd, sizeof(*args));
}

int mock_access_unpin(struct iommufd_cmd *cmd, struct iommu_test_cmd *args)
{
	const struct mock_access *mock = mock_access_of(args->id);
	const struct item *const *link;

	(void)cmd;
	if (!mock)
		return -EBADFD;
	for (link = &mock->items; *link; link = &(*link)->next) {
		if ((*link)->id != args->destroy_access_pages.access_pages_id)
			continue;
		iommufd_access_unpin(mock->access, (*link)->iova, (*link)->len);
		item_remove(link);
		return 0;
	}
	return -ENOENT;
}

/* -- reading and writing ----------------------------------------------------------------------- */

int mock_access_rw(struct iommufd_cmd *cmd, struct iommu_test_cmd *args)
{
	uint64_t iova = args->access_rw.iova, len = args->access_rw.length;
	bool write = args->access_rw.flags & MOCK_ACCESS_RW_WRITE;
	bool slow = args->access_rw.flags & MOCK_ACCESS_RW_SLOW_PATH;
	const struct mock_access *mock;
	void *data;
	int rc = 0;

	(void)cmd;
	if (len > LEN_MAX)
		return -ENOMEM;
	if (args->access_rw.flags & ~(uint32_t)(MOCK_ACCESS_RW_WRITE | MOCK_ACCESS_RW_SLOW_PATH |
						MOCK_FLAGS_ACCESS_SYZ))
		return -EOPNOTSUPP;
	mock = mock_access_of(args->id);
	if (!mock)
		return -EBADFD;
	if (args->access_rw.flags & MOCK_FLAGS_ACCESS_SYZ)
		iova = fuzzed_iova(mock->access, iova);
	data = image_bulk_alloc((len / PHYS_PAGE + 1) * PHYS_PAGE, IMAGE_TYPE_RAM);
	if (!data)
		return -ENOMEM;
	image_bulk_write(data, len);
	if (write)
		rc = copy_from_user(data, args->access_rw.uptr, len);
	if (!rc)
		rc = iommufd_access_rw(mock->access, iova, data, len,
				       (write ? IOPT_WRITE : 0) | (slow ? IOPT_WHOLE : 0));
	if (!rc && !write)
		rc = copy_to_user(args->access_rw.uptr, data, len);
	image_bulk_free(data);
	return rc;
}

/* -- the file --------------------------------------------------------------------------------- */

static void mock_access_release(const struct file *file)
{
	const struct mock_access *mock = file->priv;

	unmapped(mock, 0, UINT64_MAX);
	iommufd_access_end(mock->access);
	image_free(mock);
}

const struct file_ops mock_access_file_ops = {
	.name = "mock access",
	.release = mock_access_release,
};
