/* SPDX-License-Identifier: BSD-2-Clause */
/* The life of an image in this process, and what its header holds: roots, clock, chance. */
#include "image/arena.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "layout_hash.h"

#if defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif
#endif
#ifndef RUNNING_ON_VALGRIND
#define RUNNING_ON_VALGRIND 0
#endif

/* valgrind pays for mapped length, and reads all of it when it looks for leaks. */
#define CHUNK_TABLE_WARM (48u << 10)
#define JOURNAL_WARM (192u << 10)
#define OBJECTS_WARM (2u << 20)
#define SPAN_SMALLEST (1ull << 30)
#define SPAN_VALGRIND SPAN_SMALLEST
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

uint64_t arena_mapped;
static int image_file = -1;

static const char *const type_names[] = {
	[IMAGE_TYPE_NONE] = "none",
#define IMAGE_TYPE(id, name) [IMAGE_TYPE_##id] = name,
#include "image/types.def"
#undef IMAGE_TYPE
};

const char *image_type_name(enum image_type type)
{
	return (unsigned int)type < IMAGE_TYPE_MAX ? type_names[type] : "unknown";
}

uint64_t image_layout_hash(void)
{
	return SWTIO_LAYOUT_HASH;
}

/* -- mapping ---------------------------------------------------------------------------------- */

int arena_new(uint64_t span, int *fd)
{
	int file = memfd_create("swtio", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int rc;

	if (file < 0)
		return -errno;
	/* The file is sparse and has its full size from the start: no access can meet its end. */
	if (ftruncate(file, (off_t)span) || fcntl(file, F_ADD_SEALS, SEALS)) {
		rc = -errno;
		close(file);
		return rc;
	}
	*fd = file;
	return 0;
}

static int arena_map_length(int fd, uint64_t len)
{
	void *at = mmap((void *)IMAGE_BASE, len, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_NORESERVE | MAP_FIXED_NOREPLACE, fd, 0);

	if (at == MAP_FAILED)
		return -errno;
	if ((uintptr_t)at != IMAGE_BASE) {	/* a kernel that takes the address for a hint */
		munmap(at, len);
		return -EEXIST;
	}
	madvise(at, len, MADV_DONTDUMP);
	arena_mapped = len;
	return 0;
}

int arena_map(int fd, uint64_t span)
{
	uint64_t len = RUNNING_ON_VALGRIND && span > SPAN_VALGRIND ? SPAN_VALGRIND : span;
	int rc = arena_map_length(fd, len);

	while (rc == -ENOMEM && len / 4 >= SPAN_SMALLEST) {
		len /= 4;
		rc = arena_map_length(fd, len);
	}
	return rc;
}

void arena_unmap(void)
{
	if (arena_mapped)
		munmap((void *)IMAGE_BASE, arena_mapped);
	arena_mapped = 0;
	if (image_file >= 0)
		close(image_file);
	image_file = -1;
}

void arena_keep_fd(int fd)
{
	image_file = fd;
}

uint64_t arena_span(uint64_t limit)
{
	uint64_t most = RUNNING_ON_VALGRIND ? SPAN_VALGRIND : IMAGE_SPAN;
	uint64_t span = CHUNK_OBJECTS << CHUNK_SHIFT;

	if (!limit || limit > most - span)
		return most;
	return span + ((limit + CHUNK_SIZE - 1) & ~(CHUNK_SIZE - 1));
}

void arena_lock_init(void)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&HEADER->lock, &attr);
	pthread_mutexattr_destroy(&attr);
}

/* -- identity --------------------------------------------------------------------------------- */

uint64_t arena_ident_checksum(const struct image_ident *ident)
{
	return XXH3_64bits(ident, offsetof(struct image_ident, checksum));
}

int arena_ident_check(const struct image_ident *ident, uint64_t file_size)
{
	if (ident->magic != ARENA_MAGIC || ident->version != ARENA_VERSION ||
	    ident->layout != image_layout_hash())
		return -EPROTO;
	if (ident->checksum != arena_ident_checksum(ident) || ident->base != IMAGE_BASE ||
	    ident->header_size != sizeof(struct image_header) || ident->span != file_size ||
	    ident->span > IMAGE_SPAN || ident->span % CHUNK_SIZE ||
	    ident->span < (CHUNK_OBJECTS << CHUNK_SHIFT))
		return -EUCLEAN;
	return 0;
}

static uint64_t splitmix(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

static void header_fill(uint64_t span, uint64_t seed)
{
	struct image_header *header = HEADER;

	header->ident = (struct image_ident){
		.magic = ARENA_MAGIC, .version = ARENA_VERSION,
		.header_size = sizeof(struct image_header), .layout = image_layout_hash(),
		.base = IMAGE_BASE, .span = span, .seed = seed };
	header->ident.checksum = arena_ident_checksum(&header->ident);
	header->chunk_end = (uint32_t)(arena_mapped >> CHUNK_SHIFT);
	header->epoch = 1;
	header->next_mark = 1;
	for (unsigned int i = 0; i < 4; i++)
		header->now.random[i] = splitmix(&seed);
	journal_reset();
	arena_lock_init();
}

void image_warm(const void *p, size_t len)
{
	madvise((void *)(uintptr_t)p, len, MADV_POPULATE_WRITE);
}

int image_create(const struct image_opts *opts)
{
	uint64_t limit = 0, seed = 0, span;
	int fd, rc;

	if (arena_mapped)
		return -EBUSY;
	if (opts) {
		if (opts->size < sizeof(*opts))
			return -EINVAL;
		limit = opts->limit;
		seed = opts->seed;
	}
	span = arena_span(limit);
	rc = arena_new(span, &fd);
	if (rc)
		return rc;
	rc = arena_map(fd, span);
	if (rc) {
		close(fd);
		return rc;
	}
	image_file = fd;
	image_warm(chunk_at(0), CHUNK_TABLE_WARM);
	image_warm((void *)(IMAGE_BASE + ARENA_DATA), JOURNAL_WARM);
	image_warm(chunk_address(CHUNK_OBJECTS), OBJECTS_WARM);
	header_fill(span, seed);
	return 0;
}

/*
 * A process that maps less than the others lowers the end of the arena for all. That works while
 * nothing lies above: objects grow from below, and the journal is at the top only in long calls
 * and under snapshots.
 */
static int arena_lower_end(void)
{
	uint32_t end = (uint32_t)(arena_mapped >> CHUNK_SHIFT);
	int rc = image_enter();

	if (rc)
		return rc;
	if (end < HEADER->chunk_end) {
		chunks_find_high();
		if (HEADER->segments > JOURNAL_FIXED || HEADER->chunk_high >= end)
			rc = -ENOMEM;
		else
			HEADER->chunk_end = end;
	}
	image_leave();
	return rc;
}

int image_attach(int fd)
{
	struct image_ident ident;
	struct stat st;
	ssize_t got;
	int rc;

	if (arena_mapped)
		return -EBUSY;
	if (fstat(fd, &st))
		return -errno;
	got = pread(fd, &ident, sizeof(ident), 0);
	if (got < 0)
		return -errno;
	/* Without the seals its owner could shorten the file: every access could be a SIGBUS. */
	if (got != sizeof(ident) || (fcntl(fd, F_GET_SEALS) & SEALS) != SEALS)
		return -EPROTO;
	rc = arena_ident_check(&ident, (uint64_t)st.st_size);
	if (!rc)
		rc = arena_map(fd, ident.span);
	if (rc)
		return rc;
	rc = arena_lower_end();
	if (rc)
		arena_unmap();
	return rc;
}

int image_attach_path(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	int rc;

	if (fd < 0)
		return -errno;
	rc = image_attach(fd);
	close(fd);
	return rc;
}

void image_detach(void)
{
	image_wait_hook(NULL, NULL);
	arena_unmap();
}

bool image_present(void)
{
	return arena_mapped != 0;
}

int image_fd(void)
{
	return image_file;
}

/* -- what the header holds -------------------------------------------------------------------- */

const void *image_root(enum image_root root)
{
	return HEADER->roots[root];
}

void image_root_set(enum image_root root, const void *object)
{
	const void **slot = image_write(&HEADER->roots[root]);

	*slot = object;
}

uint64_t image_clock(void)
{
	return HEADER->now.clock;
}

void image_clock_advance(uint64_t ns)
{
	HEADER->now.clock += ns;
}

uint64_t *image_counter(enum image_counter counter)
{
	return &HEADER->now.counters[counter];
}

static uint64_t rotate(uint64_t x, unsigned int by)
{
	return x << by | x >> (64 - by);
}

/* xoshiro256** */
static uint64_t random_word(uint64_t *s)
{
	uint64_t word = rotate(s[1] * 5, 7) * 9, t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotate(s[3], 45);
	return word;
}

void image_random(void *buf, size_t len)
{
	uint8_t *to = buf;

	while (len) {
		uint64_t word = random_word(HEADER->now.random);
		size_t n = len < sizeof(word) ? len : sizeof(word);

		for (size_t i = 0; i < n; i++)
			*to++ = (uint8_t)(word >> (8 * i));
		len -= n;
	}
}

void image_fail_nth(uint64_t n)
{
	HEADER->now.fail_left = n;
	HEADER->now.fail_pid = getpid();
}

uint64_t image_fail_left(void)
{
	return HEADER->now.fail_left;
}
