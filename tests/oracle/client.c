/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * oracle [-v] FIRST LAST CALLS: runs the sequences of seeds FIRST to LAST, CALLS calls each. Prints a
 * line for each: the seed, and a number for every 100 calls, which stands for all they answered
 * from the first on; -v: each answer instead.
 * 77: there is no /dev/iommu with mock devices here.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "oracle.h"

#define BLOCK 100u
#define LINE 600u
#define FUZZER_FLAG 0x10000u	/* Linux's tester reads some IOVAs in another way then */

static bool verbose;
static uint64_t block_hash;
static char line[LINE];
static size_t line_length;

void note(struct host *h, const char *format, ...)
{
	va_list args;

	(void)h;
	va_start(args, format);
	line_length += (size_t)vsnprintf(line + line_length, LINE - line_length, format, args);
	va_end(args);
	if (line_length >= LINE)
		line_length = LINE - 1;
}

/* FNV-1a. */
static void line_end(struct host *h, const char *name)
{
	for (size_t i = 0; i < line_length; i++)
		block_hash = (block_hash ^ (uint8_t)line[i]) * 0x100000001b3ull;
	if (verbose)
		printf("%llu %s%s\n", (unsigned long long)h->call, name, line);
	line[line_length = 0] = 0;
}

static void hash_print(void)
{
	if (!verbose)
		printf(" %08x", (uint32_t)(block_hash ^ block_hash >> 32));
}

/* -- chance ------------------------------------------------------------------------------------ */

uint32_t roll(struct host *h, uint32_t n)
{
	uint64_t z = h->random += 0x9e3779b97f4a7c15ull;	/* splitmix64 */

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return (uint32_t)((z ^ z >> 31) % n);
}

bool one_in(struct host *h, uint32_t n)
{
	return !roll(h, n);
}

uint32_t flags_of(struct host *h, uint32_t likely, uint32_t known)
{
	uint32_t bit = 1u << roll(h, 32);

	if (one_in(h, 40))
		return bit & ~FUZZER_FLAG;
	return one_in(h, 4) ? roll(h, 256) & known : likely;
}

/* Few places, so that things meet. */
uint64_t an_iova(struct host *h)
{
	uint64_t at = APERTURE_START + roll(h, 48) * PAGE;

	switch (roll(h, 24)) {
	case 0: return at + 2048;
	case 1: return at + roll(h, 4096);
	case 2: return roll(h, 16) * PAGE;
	case 3: return APERTURE_LAST + 1 - roll(h, 4) * PAGE;
	case 4: return one_in(h, 2) ? UINT64_MAX : UINT64_MAX - roll(h, 8192);
	default: return at;
	}
}

uint64_t an_address(struct host *h)
{
	uint64_t at = BUFFER_START + roll(h, BUFFER_PAGES - 8) * PAGE;

	switch (roll(h, 24)) {
	case 0: return at + 2048;
	case 1: return at + roll(h, 4096);
	case 2: return HOLE_START + roll(h, 4) * PAGE;
	case 3: return BUFFER_START + BUFFER_PAGES * PAGE - roll(h, 3) * PAGE;
	case 4: return one_in(h, 4) ? UINT64_MAX - 4095 : at;
	case 5: case 6: case 7: case 8: return at + (SHARED_START - BUFFER_START);
	default: return at;
	}
}

uint64_t a_length(struct host *h)
{
	uint64_t length = (1 + roll(h, 6)) * PAGE;

	switch (roll(h, 24)) {
	case 0: return 2048;
	case 1: return roll(h, 9000);
	case 2: return 0;
	case 3: return one_in(h, 4) ? UINT64_MAX : length;
	case 4: return one_in(h, 4) ? UINT64_MAX - roll(h, 5000) : length;
	default: return length;
	}
}

/* -- what there is ----------------------------------------------------------------------------- */

void id_add(struct host *h, enum kind kind, uint32_t id)
{
	if (h->id_count[kind] < IDS)
		h->ids[kind][h->id_count[kind]++] = id;
}

void id_drop(struct host *h, uint32_t id)
{
	for (unsigned int kind = 0; kind < KINDS; kind++)
		for (unsigned int i = 0; i < h->id_count[kind]; i++)
			if (h->ids[kind][i] == id)
				h->ids[kind][i] = h->ids[kind][--h->id_count[kind]];
}

uint32_t id_of(struct host *h, enum kind kind)
{
	unsigned int other = roll(h, 30);

	if (other == 0)
		return roll(h, 48);
	if (other == 1)
		return one_in(h, 2) ? UINT32_MAX : 0x7fffffffu;
	if (other < KINDS / 4 && h->id_count[other])
		kind = (enum kind)other;
	return h->id_count[kind] ? h->ids[kind][roll(h, h->id_count[kind])] : roll(h, 24);
}

uint64_t pair(uint32_t low, uint32_t high)
{
	return low | (uint64_t)high << 32;
}

/* -- calls ------------------------------------------------------------------------------------- */

long ask(struct host *h, unsigned int cmd, void *args, uint32_t size)
{
	uint8_t copy[160] = { 0 };
	uint32_t told = size;
	long rc;

	if (one_in(h, 50)) {
		told = roll(h, 3) ? size + roll(h, 24) : roll(h, size + 1);
		if (told > size && one_in(h, 3))
			copy[size + roll(h, told - size)] = 1;
	}
	memcpy(copy, args, size);
	memcpy(copy, &told, sizeof(told));
	rc = ioctl(h->fd, cmd, one_in(h, 200) ? NULL : copy);
	rc = rc < 0 ? -errno : rc;
	memcpy(args, copy, size);
	memcpy(args, &size, sizeof(size));
	note(h, " size %u = %ld", told, rc);
	return rc;
}

long test_ask(struct host *h, struct test_cmd *cmd)
{
	long rc;

	cmd->size = sizeof(*cmd);
	rc = ioctl(h->fd, TEST_CMD_NUMBER, cmd);
	rc = rc < 0 ? -errno : rc;
	note(h, " = %ld", rc);
	return rc;
}

long test_fd(struct host *h, struct test_cmd *cmd)
{
	long rc;

	cmd->size = sizeof(*cmd);
	rc = ioctl(h->fd, TEST_CMD_NUMBER, cmd);
	rc = rc < 0 ? -errno : rc;
	note(h, " = %ld", rc < 0 ? rc : 0);
	return rc;
}

static const struct op *op_choose(struct host *h)
{
	static const struct op *const tables[] = { ioas_ops, object_ops, test_ops, file_ops };
	unsigned int total = 0, at;

	for (unsigned int i = 0; i < 4; i++)
		for (const struct op *op = tables[i]; op->name; op++)
			total += op->weight;
	at = roll(h, total);
	for (unsigned int i = 0; i < 4; i++)
		for (const struct op *op = tables[i]; op->name; op++) {
			if (at < op->weight)
				return op;
			at -= op->weight;
		}
	return NULL;
}

/* What devices wrote into the client's memory. */
static void memory_note(struct host *h)
{
	const uint64_t *words = (const uint64_t *)(uintptr_t)BUFFER_START;
	uint64_t sum = 0;

	for (size_t i = 0; i < BUFFER_PAGES * PAGE / 8; i += 8)
		sum = sum * 31 + words[i];
	words = (const uint64_t *)(uintptr_t)SHARED_START;
	for (size_t i = 0; i < BUFFER_PAGES * PAGE / 8; i += 8)
		sum = sum * 31 + words[i];
	note(h, " memory %llx", (unsigned long long)sum);
}

/* -- a run ------------------------------------------------------------------------------------- */

static void map_at(uint64_t at, uint64_t length, int flags, int fd)
{
	if (mmap((void *)(uintptr_t)at, length, PROT_READ | PROT_WRITE, flags | MAP_FIXED, fd, 0) ==
	    MAP_FAILED) {
		perror("oracle: mmap");
		exit(1);
	}
	for (uint64_t i = 0; i < length / 8; i++)
		((uint64_t *)(uintptr_t)at)[i] = i * 0x9e3779b97f4a7c15ull;
}

static int host_open(struct host *h, uint32_t seed)
{
	memset(h, 0, sizeof(*h));
	h->random = seed * 0x632be59bd9b4e019ull;
	h->fd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	if (h->fd < 0)
		return -errno;
	h->memfd = memfd_create("oracle", MFD_CLOEXEC);
	if (h->memfd < 0 || ftruncate(h->memfd, BUFFER_PAGES * PAGE))
		return -errno;
	map_at(BUFFER_START, BUFFER_PAGES * PAGE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	map_at(SHARED_START, BUFFER_PAGES * PAGE, MAP_SHARED, h->memfd);
	return 0;
}

static void host_close(struct host *h)
{
	for (unsigned int i = 0; i < h->id_count[STDEV]; i++)
		pasids_detach(h, h->ids[STDEV][i]);
	for (unsigned int i = 0; i < QUEUES; i++) {
		if (h->faults[i].fd)
			close(h->faults[i].fd);
		if (h->events[i].fd)
			close(h->events[i].fd);
		if (h->accesses[i])
			close(h->accesses[i]);
	}
	if (h->dmabuf)
		close(h->dmabuf);
	if (h->mapping)
		munmap(h->mapping, h->map_length);
	close(h->fd);
	close(h->memfd);
}

/* With everything closed no page may be pinned any more. */
static void left_behind(struct host *h)
{
	struct test_cmd refs = { .op = 4, .arg = { BUFFER_PAGES * PAGE, BUFFER_START, 0 } };

	h->fd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	test_ask(h, &refs);
	close(h->fd);
}

static int run(uint32_t seed, uint64_t calls)
{
	struct host h;
	int rc = host_open(&h, seed);

	if (rc) {
		fprintf(stderr, "oracle: /dev/iommu: %s\n", strerror(-rc));
		return rc == -ENOENT || rc == -ENODEV ? 77 : 1;
	}
	block_hash = 0xcbf29ce484222325ull;
	if (!verbose)
		printf("%u", seed);
	while (!h.id_count[IOAS])	/* without these two there is little to ask for */
		ioas_ops[0].run(&h);
	while (!h.id_count[STDEV])
		test_ops[0].run(&h);
	line_end(&h, "start");
	for (h.call = 0; h.call < calls; h.call++) {
		const struct op *op = op_choose(&h);

		op->run(&h);
		line_end(&h, op->name);
		if ((h.call + 1) % BLOCK)
			continue;
		memory_note(&h);
		line_end(&h, "block");
		hash_print();
	}
	host_close(&h);
	line[line_length = 0] = 0;
	left_behind(&h);
	line_end(&h, "end");
	hash_print();
	putchar('\n');
	return 0;
}

int main(int argc, char **argv)
{
	uint32_t first, last;

	if (argc > 1 && !strcmp(argv[1], "-v")) {
		verbose = true;
		argc--;
		argv++;
	}
	if (argc != 4) {
		fprintf(stderr, "usage: oracle [-v] FIRST LAST CALLS\n");
		return 2;
	}
	first = (uint32_t)strtoul(argv[1], NULL, 0);
	last = (uint32_t)strtoul(argv[2], NULL, 0);
	for (uint32_t seed = first; seed <= last; seed++) {
		int rc = run(seed, strtoull(argv[3], NULL, 0));

		if (rc)
			return rc;
	}
	return 0;
}
