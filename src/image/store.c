/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Images in files: a head, the numbers of the pages that are not zero, and those pages. A file is
 * hostile until it is read: nothing of it is mapped, sizes are checked before memory is taken, and
 * what came in is verified before anything follows a pointer in it.
 */
#include "image/arena.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#define STORE_MAGIC 0x656c69666f697473ull	/* "stiofile" */
#define STORE_VERSION 1u
#define HEADER_PAGES (ARENA_CHUNKS / IMAGE_PAGE)

struct store_head {
	uint64_t magic;
	uint32_t version;
	uint32_t page;		/* size */
	uint64_t layout;
	uint64_t span;
	uint64_t pages;		/* in the file */
	uint64_t content;	/* hash of all that follows the head */
	uint64_t checksum;	/* of what precedes it */
};

static int write_all(int fd, const void *from, size_t len)
{
	const uint8_t *p = from;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* -EUCLEAN when the file is shorter than that. */
static int read_all(int fd, void *to, size_t len)
{
	uint8_t *p = to;

	while (len) {
		ssize_t n = read(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EUCLEAN;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static uint64_t head_checksum(const struct store_head *head)
{
	return XXH3_64bits(head, offsetof(struct store_head, checksum));
}

/* -- save ------------------------------------------------------------------------------------- */

struct page_list {
	uint64_t *pages;
	uint64_t count, room;
	int err;
};

static void list_add(struct page_list *list, uint64_t page)
{
	if (list->err || (list->count && list->pages[list->count - 1] >= page))
		return;
	if (list->count == list->room) {
		uint64_t room = list->room ? list->room * 2 : 1024;
		uint64_t *pages = realloc(list->pages, room * sizeof(*pages));

		if (!pages) {
			list->err = -ENOMEM;
			return;
		}
		list->pages = pages;
		list->room = room;
	}
	list->pages[list->count++] = page;
}

static bool page_is_zero(uint64_t page)
{
	const uint8_t *p = page_address(page);

	return !*p && !memcmp(p, p + 1, IMAGE_PAGE - 1);
}

static void list_page(struct page_list *list, uint64_t page)
{
	if (!page_is_zero(page))
		list_add(list, page);
}

/* Calls fn for each chunk in use. */
static void chunks_each(struct page_list *list, void (*fn)(struct page_list *list, uint64_t chunk))
{
	for (uint64_t chunk = CHUNK_OBJECTS; chunk <= HEADER->chunk_high; chunk++)
		if (HEADER->used_map[chunk / 64] >> (chunk % 64) & 1)
			fn(list, chunk);
}

static void list_descriptor(struct page_list *list, uint64_t chunk)
{
	list_add(list, page_of(chunk_at(chunk)));
}

static void list_info(struct page_list *list, uint64_t chunk)
{
	if (chunk_at(chunk)->kind == CHUNK_PAGED)
		list_page(list, page_of(page_info_at(chunk * CHUNK_PAGES)));
}

static void list_epoch(struct page_list *list, uint64_t chunk)
{
	if (chunk_at(chunk)->touched)
		list_page(list, page_of(page_epoch_at(chunk * CHUNK_PAGES)));
}

static bool chunk_is_bulk(uint64_t chunk)
{
	const struct chunk *from = chunk_at(chunk);

	if (from->kind == CHUNK_TAIL)
		from = chunk_at(chunk - from->run);
	return from->kind == CHUNK_BULK || from->kind == CHUNK_DYING;
}

static bool page_is_bulk(uint64_t page)
{
	const struct page_info *info = page_info_at(page);

	if (info->kind == PAGE_TAIL)
		info = page_info_at(page - info->run);
	return info->kind == PAGE_BULK || info->kind == PAGE_DYING;
}

/* Looking at a page of a hole would make it: of bulk memory only what was written. */
static void list_data(struct page_list *list, uint64_t chunk)
{
	bool paged = chunk_at(chunk)->kind == CHUNK_PAGED, bulk = !paged && chunk_is_bulk(chunk);

	if (bulk && !chunk_at(chunk)->touched)
		return;
	for (uint64_t page = chunk * CHUNK_PAGES; page < (chunk + 1) * CHUNK_PAGES; page++) {
		if (paged && page_info_at(page)->kind == PAGE_FREE)
			continue;
		if ((bulk || (paged && page_is_bulk(page))) && !*page_epoch_at(page))
			continue;
		list_page(list, page);
	}
}

static int list_all(struct page_list *list)
{
	for (uint64_t page = 0; page < HEADER_PAGES; page++)
		list_page(list, page);
	chunks_each(list, list_descriptor);
	chunks_each(list, list_info);
	chunks_each(list, list_epoch);
	chunks_each(list, list_data);
	return list->err;
}

/* The header as a new owner wants it: no journal, no snapshot, nobody in a call. */
static struct image_header *header_copy(void)
{
	struct image_header *copy = calloc(1, ARENA_CHUNKS);

	if (!copy)
		return NULL;
	memcpy(copy, HEADER, sizeof(*copy));
	memset(&copy->journal, 0, sizeof(copy->journal));
	memset(&copy->lock, 0, sizeof(copy->lock));
	copy->commit = NULL;
	copy->last_mark = NULL;
	copy->marks = 0;
	copy->segments = JOURNAL_FIXED;
	return copy;
}

static const void *page_source(const struct image_header *header, uint64_t page)
{
	return page < HEADER_PAGES ? (const uint8_t *)header + page * IMAGE_PAGE
				   : page_address(page);
}

static int save_to(int fd, const struct page_list *list, const struct image_header *header)
{
	struct store_head head = {.magic = STORE_MAGIC,
		.version = STORE_VERSION,
		.page = IMAGE_PAGE,
		.layout = image_layout_hash(),
		.span = header->ident.span,
		.pages = list->count};
	XXH3_state_t *hash = XXH3_createState();
	int rc = -ENOMEM;

	if (!hash)
		return rc;
	XXH3_64bits_reset(hash);
	XXH3_64bits_update(hash, list->pages, list->count * sizeof(*list->pages));
	for (uint64_t i = 0; i < list->count; i++)
		XXH3_64bits_update(hash, page_source(header, list->pages[i]), IMAGE_PAGE);
	head.content = XXH3_64bits_digest(hash);
	head.checksum = head_checksum(&head);
	XXH3_freeState(hash);
	rc = write_all(fd, &head, sizeof(head));
	if (!rc)
		rc = write_all(fd, list->pages, list->count * sizeof(*list->pages));
	for (uint64_t i = 0; i < list->count && !rc; i++)
		rc = write_all(fd, page_source(header, list->pages[i]), IMAGE_PAGE);
	return rc;
}

static int save_locked(int fd)
{
	struct page_list list = { 0 };
	struct image_header *header = header_copy();
	int rc = header ? list_all(&list) : -ENOMEM;

	if (!rc)
		rc = save_to(fd, &list, header);
	free(list.pages);
	free(header);
	return rc;
}

int image_save(const char *path)
{
	char part[4096];
	int fd, rc;

	if (snprintf(part, sizeof(part), "%s.part", path) >= (int)sizeof(part))
		return -ENAMETOOLONG;
	rc = image_enter();
	if (rc)
		return rc;
	/* What stands at path stays whole until the new file is. */
	fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	rc = fd < 0 ? -errno : save_locked(fd);
	image_leave();
	if (fd < 0)
		return rc;
	if (close(fd) && !rc)
		rc = -errno;
	if (!rc && rename(part, path))
		rc = -errno;
	if (rc)
		unlink(part);
	return rc;
}

/* -- load ------------------------------------------------------------------------------------- */

static int head_check(const struct store_head *head, uint64_t file_size)
{
	uint64_t each = IMAGE_PAGE + sizeof(uint64_t), left = file_size - sizeof(*head);

	if (head->magic != STORE_MAGIC || head->version != STORE_VERSION ||
		head->page != IMAGE_PAGE || head->layout != image_layout_hash())
		return -EPROTO;
	if (head->checksum != head_checksum(head) || head->span > IMAGE_SPAN ||
	    head->span % CHUNK_SIZE || head->span < CHUNK_OBJECTS << CHUNK_SHIFT ||
	    head->pages > head->span / IMAGE_PAGE || head->pages * each != left)
		return -EUCLEAN;
	return 0;
}

static int index_check(const uint64_t *pages, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		uint64_t chunk = pages[i] / CHUNK_PAGES;

		if ((i && pages[i] <= pages[i - 1]) || pages[i] >= IMAGE_SPAN / IMAGE_PAGE ||
		    (chunk >= CHUNK_FIRST && chunk < CHUNK_OBJECTS))
			return -EUCLEAN;
		if (pages[i] >= arena_mapped / IMAGE_PAGE)
			return -ENOMEM;
	}
	return 0;
}

static int load_pages(int fd, const struct store_head *head, uint64_t *pages, XXH3_state_t *hash)
{
	int rc = read_all(fd, pages, head->pages * sizeof(*pages));

	if (!rc)
		rc = index_check(pages, head->pages);
	if (rc)
		return rc;
	XXH3_64bits_reset(hash);
	XXH3_64bits_update(hash, pages, head->pages * sizeof(*pages));
	for (uint64_t i = 0; i < head->pages; i++) {
		rc = read_all(fd, page_address(pages[i]), IMAGE_PAGE);
		if (rc)
			return rc;
		XXH3_64bits_update(hash, page_address(pages[i]), IMAGE_PAGE);
	}
	return XXH3_64bits_digest(hash) == head->content ? 0 : -EUCLEAN;
}

static int load_header(uint64_t span)
{
	struct image_header *header = HEADER;
	uint64_t end = arena_mapped >> CHUNK_SHIFT;
	int rc = arena_ident_check(&header->ident, span);

	if (rc)
		return rc;
	if (header->chunk_end > end) {
		if (header->chunk_high >= end)
			return -ENOMEM;
		header->chunk_end = (uint32_t)end;
	}
	if (header->chunk_end < CHUNK_OBJECTS)
		return -EUCLEAN;
	journal_reset();
	header->tidy = 1;
	arena_lock_init();
	return 0;
}

static int load_arena(int fd, const struct store_head *head)
{
	uint64_t *pages = malloc(head->pages * sizeof(*pages) + 1);
	XXH3_state_t *hash = XXH3_createState();
	char why[128];
	int rc = pages && hash ? load_pages(fd, head, pages, hash) : -ENOMEM;

	if (!rc)
		rc = load_header(head->span);
	if (!rc)
		rc = arena_verify(why, sizeof(why));
	XXH3_freeState(hash);
	free(pages);
	return rc;
}

static int load_from(int fd)
{
	struct store_head head;
	struct stat st;
	int arena, rc;

	if (fstat(fd, &st))
		return -errno;
	rc = read_all(fd, &head, sizeof(head));
	if (!rc)
		rc = head_check(&head, (uint64_t)st.st_size);
	if (!rc)
		rc = arena_new(head.span, &arena);
	if (rc)
		return rc;
	rc = arena_map(arena, head.span);
	if (rc) {
		close(arena);
		return rc;
	}
	arena_keep_fd(arena);
	rc = load_arena(fd, &head);
	if (rc)
		arena_unmap();
	return rc;
}

int image_load(const char *path)
{
	int fd, rc;

	if (arena_mapped)
		return -EBUSY;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	rc = load_from(fd);
	close(fd);
	return rc;
}
