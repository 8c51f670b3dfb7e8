/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What nesting costs: a nested translation that hits, one that misses with the upper tables cached,
 * and a mapping of a child space, merged with its parent. One line a measure, as iommu_bench.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "device/device.h"
#include "firmware/tdx/tdx.h"
#include "hardware/iommu.h"
#include "kernel/ioasid/internal.h"
#include "kernel/syscall.h"
#include "swtio/uapi/ioasid.h"

#define RID 0x0100
#define PAGES 65536u
#define PAGE 4096ull
#define BASE 0x8000000000ull
#define GPA_DATA 0x10000000ull
#define ROUNDS 10u
#define BATCH 20000u	/* translations: a few milliseconds, in which nothing else may run */
#define BATCHES 100u	/* of which, as of rounds, the best counts: the others were disturbed */

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void line(const char *name, double value, const char *goal)
{
	printf("%-42s %8.1f ns    %s\n", name, value, goal);
}

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "ioasid_bench: %s\n", what);
	exit(1);
}

static const struct task *boot(void)
{
	static int (*const rooms[])(void) = { phys_power_on, function_power_on, iommu_power_on,
					      device_power_on, device_machine_default,
					      tdx_power_on, kernel_power_on };
	const struct kernel_options options = { .extensions = true };
	const struct image_opts opts = { .size = sizeof(opts), .seed = 1 };
	const struct task *task;

	must(!image_create(&opts), "no image");
	image_enter();
	must(!trace_power_on(0), "no trace");
	for (size_t i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++)
		must(!rooms[i](), "no machine");
	must(!kernel_options_set(&options), "no extensions");
	task = task_create("bench", 0);
	image_leave();
	trace_set_enabled(false);
	return task;
}

/* -- nested translation ------------------------------------------------------------------------ */

/* Guest memory behind 4 KiB leaves, with a table over PAGES pages in it. */
static void nested_up(void)
{
	struct pt *parent = image_alloc(sizeof(*parent), IMAGE_TYPE_IOMMU_DOMAIN);
	uint64_t tables = 3 + PAGES / 512, size = tables * PAGE;
	uint8_t *ram = image_bulk_alloc(size, IMAGE_TYPE_RAM);
	struct iommu_nested set = { .parent_did = 100, .did = 101, .levels = 4 };
	uint64_t *entry;

	must(ram && !pt_init(parent, PT_VTD_SS, 4), "no second stage");
	parent->leaf_level_max = 0;
	must(!pt_map(parent, 0, phys_of(ram), size, PT_R | PT_W) &&
	     !pt_map(parent, GPA_DATA, PHYS_ARENA + (32ull << 30), PAGES * PAGE, PT_R | PT_W),
	     "no guest memory");
	entry = image_bulk_write(ram, size);
	entry[BASE >> 39 & 511] = PAGE | 0x27;
	entry[512] = 2 * PAGE | 0x27;
	for (uint64_t i = 0; i < PAGES / 512; i++)
		entry[1024 + i] = (3 + i) * PAGE | 0x27;
	for (uint64_t i = 0; i < PAGES; i++)
		entry[1536 + i] = (GPA_DATA + i * PAGE) | 0x67;
	set.parent = parent;
	must(!iommu_nested_set(RID, TLP_NO_PASID, &set), "no nested context");
	image_commit();
}

/* Random addresses among `spread` pages, a power of two; each call of a client translates as many
 * as a DMA of 1 MiB takes. The numbers come from a generator: a list would stand in the caches. */
static double nested_batch(unsigned int spread, unsigned int rounds)
{
	struct tlp tlp = { .type = TLP_MEM_READ, .rid = RID, .pasid = TLP_NO_PASID, .len = 8 };
	static uint64_t random = 1;
	struct pt_leaf leaf;
	uint32_t owner;
	double start = now();

	for (unsigned int i = 0; i < rounds; i++) {
		random = random * 6364136223846793005ull + 1442695040888963407ull;
		tlp.address = BASE + (random >> 33 & (spread - 1)) * PAGE;
		must(iommu_translate(&tlp, &leaf, &owner) == TLP_SC, "a translation failed");
		if (!(i % 256))
			image_commit();
	}
	return (now() - start) / rounds;
}

static void nested_translations(const char *name, const char *goal, unsigned int spread)
{
	struct iommu_stats before, after;
	double best = 1e18, took;

	iommu_stats(&before);
	for (unsigned int i = 0; i < BATCHES; i++) {
		took = nested_batch(spread, BATCH);
		best = took < best ? took : best;
	}
	line(name, best, goal);
	iommu_stats(&after);
	printf("%-42s %8.2f\n", "  reads of memory each",
	       (double)(after.walk_reads - before.walk_reads) / BATCHES / BATCH);
}

/* -- merge ------------------------------------------------------------------------------------- */

static int fd;
static uint32_t child;
static bool direct;	/* without what an ioctl costs: the handler, and its commit */

static void map(const struct task *task, struct ioasid_dma_map args)
{
	if (!direct) {
		must(!sys_ioctl(task, fd, IOASID_DMA_MAP, (uint64_t)(uintptr_t)&args), "DMA_MAP");
		return;
	}
	must(!ioasid_dma_map(ioasid_ctx_of_file(task->fds[fd]), &args), "DMA_MAP");
	image_commit();
}

static void unmap(const struct task *task, uint32_t ioasid)
{
	struct ioasid_dma_unmap args = { .ioasid = ioasid, .size = PAGES * PAGE };

	must(!sys_ioctl(task, fd, IOASID_DMA_UNMAP, (uint64_t)(uintptr_t)&args), "DMA_UNMAP");
}

/* One mapping a page, each to a page elsewhere in the parent. */
static double child_maps(const struct task *task)
{
	double start;

	if (direct) {
		image_enter();
		current_task_set(task);
	}
	start = now();
	for (uint64_t i = 0; i < PAGES; i++)
		map(task, (struct ioasid_dma_map){ .ioasid = child, .iova = i * PAGE,
						   .vaddr = (i * 7919 % PAGES) * PAGE,
						   .size = PAGE });
	start = (now() - start) / PAGES;
	if (direct) {
		current_task_set(NULL);
		image_leave();
	}
	return start;
}

static void child_mappings(const struct task *task, const char *name, const char *goal)
{
	double best = 1e18, took;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		took = child_maps(task);
		best = took < best ? took : best;
		unmap(task, child);
	}
	line(name, best, goal);
}

static void merge(const struct task *task)
{
	int dev = sys_open(task, "/dev/vfio/devices/vfio0", O_RDWR);
	struct ioasid_info info = { 0 };
	struct vfio_ioasid_attach attach;
	uint64_t user, size = PAGES * PAGE;
	uint32_t parent;
	double start;

	fd = sys_open(task, "/dev/ioasid", O_RDWR);
	parent = (uint32_t)sys_ioctl(task, fd, IOASID_ALLOC_IOASID, 0);
	child = (uint32_t)sys_ioctl(task, fd, IOASID_ALLOC_IOASID_NESTED, parent);
	attach = (struct vfio_ioasid_attach){ .ioasid = child };
	must(!sys_mmap(task, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0,
		       &user), "no memory");
	must(sys_ioctl(task, dev, VFIO_BIND_IOASID_FD, (uint64_t)fd) > 0 &&
	     !sys_ioctl(task, dev, VFIO_ATTACH_IOASID, (uint64_t)(uintptr_t)&attach), "no device");
	map(task, (struct ioasid_dma_map){ .ioasid = parent, .vaddr = user, .size = size });
	start = now();
	for (uint64_t i = 0; i < PAGES; i++)
		must(!sys_ioctl(task, fd, IOASID_GET_INFO, (uint64_t)(uintptr_t)&info),
		     "no information");
	line("GET_INFO", (now() - start) / PAGES, "what any call with a struct costs");
	direct = true;
	line("child mapping, first use, the handler", child_maps(task),
	     "with the host's memory for it");
	unmap(task, child);
	child_mappings(task, "child mapping, merged, the handler", "of 65536, one a page");
	direct = false;
	child_mappings(task, "child mapping, merged, the call", "");
	child_maps(task);
	start = now();
	unmap(task, parent);
	line("parent unmapped below them, each", (now() - start) / PAGES, "");
}

int main(void)
{
	const struct task *task = boot();

	merge(task);
	image_enter();
	nested_up();
	nested_translations("nested translation, one page", "<= 15 on a hit", 1);
	nested_translations("nested translation, 256 pages", "<= 15 on a hit", 256);
	nested_translations("nested translation, random of 64 Ki", "<= 150 on a miss", PAGES);
	image_leave();
	return 0;
}
