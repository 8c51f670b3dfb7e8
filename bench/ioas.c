/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an IOAS costs, at 1, 256, 4 Ki and 64 Ki areas of 4 KiB with a device attached, whose requests
 * are translated, beside GLib's GTree, in which QEMU keeps IOVAs, in the same run. Prints JSON, or
 * with -t a table.
 *
 * ioas [-t] [-n LARGEST]
 */
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "flow/machine.h"
#include "hardware/tlp.h"
#include "kernel/iommufd/private.h"
#include "kernel/syscall.h"
#include "swtio/uapi/iommufd.h"
#include "swtio/uapi/vfio.h"

#define PAGE 4096ull
#define BASE 0x100000000ull
#define LARGEST 65536u
#define MANY 262144u		/* where Linux takes milliseconds to choose an IOVA */
#define CHOICES 4096u
#define TRANSLATIONS 1000000u
#define DEVICE 0x0100u		/* vfio0 */
#define SPACING 2u		/* pages: areas do not touch, as a vIOMMU's rarely do */

static const struct task *task;
static int iommufd;
static uint32_t ioas;
static bool table;
static unsigned int lines;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Without what asking for the time costs, which is as much as a call or two. */
static double since(double start)
{
	static double asking;

	if (asking == 0) {
		double first = now();

		for (unsigned int i = 0; i < 1000; i++)
			asking = now() - first;
		asking /= 1000;
		start += now() - first;
	}
	return now() - start - asking;
}

static void result(const char *what, unsigned int areas, double ns)
{
	if (table)
		printf("%-28s %8u %10.1f ns\n", what, areas, ns);
	else
		printf("%s\n  {\"what\": \"%s\", \"areas\": %u, \"ns\": %.1f}", lines ? "," : "",
		       what, areas, ns);
	lines++;
}

static void must(long rc, const char *what)
{
	if (rc >= 0)
		return;
	fprintf(stderr, "ioas: %s: %s\n", what, strerror((int)-rc));
	exit(1);
}

static long call(int fd, unsigned int number, void *args)
{
	return sys_ioctl(task, fd, number, (uintptr_t)args);
}

static void host_up(void)
{
	const struct image_opts opts = { .size = sizeof(opts), .seed = 1 };
	const struct kernel_options options = { .extensions = false };
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind) };
	struct vfio_device_attach_iommufd_pt attach = { .argsz = sizeof(attach) };
	struct iommu_ioas_alloc alloc = { .size = sizeof(alloc) };
	int device;

	must(image_create(&opts), "image");
	image_enter();
	must(machine_boot(PLATFORM_TDX, &options), "machine");
	task = task_create("bench", 0);
	image_leave();
	iommufd = sys_open(task, "/dev/iommu", O_RDWR);
	must(iommufd, "/dev/iommu");
	device = sys_open(task, "/dev/vfio/devices/vfio0", O_RDWR);
	must(device, "vfio0");
	bind.iommufd = iommufd;
	must(call(device, VFIO_DEVICE_BIND_IOMMUFD, &bind), "bind");
	must(call(iommufd, IOMMU_IOAS_ALLOC, &alloc), "alloc");
	ioas = alloc.out_ioas_id;
	attach.pt_id = ioas;
	must(call(device, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach), "attach");
}

/* Calls into the handlers are made as the entry of an ioctl makes them. */
static struct iopt_map enter(void)
{
	const struct iommufd_ctx *ctx = iommufd_ctx_of_file(task->fds[iommufd]);
	struct iopt_map map = { .len = PAGE, .fixed = true, .prot = PT_R | PT_W };

	image_enter();
	current_task_set(task);
	map.ioas = (const struct iommufd_ioas *)iommufd_find(ctx, ioas, IOMMUFD_IOAS);
	return map;
}

static void leave(void)
{
	current_task_set(NULL);
	image_leave();
}

static void map_at(struct iopt_map *map, uint64_t va, uint64_t iova)
{
	map->iova = iova;
	map->address = va;
	must(iopt_map_user(map->ioas->ctx, map), "map");
	image_commit();
}

/* What IOAS_MAP and IOAS_UNMAP do, and its commit: what an ioctl costs is exec_bench's. */
static void handlers(uint64_t va, unsigned int areas)
{
	unsigned int rounds = 2 * LARGEST / areas > 1024 ? 1024 : 2 * LARGEST / areas;
	double mapped = 0, unmapped = 0, start;
	struct iopt_map map = enter();
	uint64_t bytes;

	for (unsigned int round = 0; round < rounds; round++) {
		start = now();
		for (unsigned int i = 0; i < areas; i++)
			map_at(&map, va + i * PAGE, BASE + i * SPACING * PAGE);
		if (round)
			mapped += since(start);
		start = now();
		must(iopt_unmap(map.ioas, 0, UINT64_MAX, &bytes), "unmap");
		if (round)
			unmapped += since(start);
	}
	leave();
	result("map", areas, mapped / areas / (rounds - 1));
	result("unmap of all, an area", areas, unmapped / areas / (rounds - 1));
}

/* Choosing IOVAs, with so many areas there. The first round finds the memory for them. */
static void choosing(uint64_t va, unsigned int areas)
{
	struct iopt_map map = enter();
	double start, took = 0;
	uint64_t bytes;

	for (unsigned int round = 0; round < 2; round++) {
		map.fixed = true;
		for (unsigned int i = 0; i < areas; i++)
			map_at(&map, va + i * PAGE, 0x1000 + i * PAGE);
		map.fixed = false;
		start = now();
		for (unsigned int i = 0; i < CHOICES; i++)
			map_at(&map, va, 0);
		took = since(start);
		must(iopt_unmap(map.ioas, 0, UINT64_MAX, &bytes), "unmap all");
	}
	leave();
	result("map, IOVA chosen", areas, took / CHOICES);
}

static double translate(const uint64_t *iovas)
{
	struct tlp tlp = { .type = TLP_MEM_READ, .rid = DEVICE, .pasid = TLP_NO_PASID,
			   .stream = TLP_NO_STREAM, .len = 8 };
	double start = now();
	struct pt_leaf leaf;
	uint32_t owner = 0;

	for (unsigned int i = 0; i < TRANSLATIONS; i++) {
		tlp.address = iovas[i % LARGEST];
		if (iommu_translate(&tlp, &leaf, &owner) != TLP_SC)
			must(-EFAULT, "translation");
		if (!(i & 0xfff))
			image_commit();
	}
	return since(start) / TRANSLATIONS;
}

/* What the device's requests cost, to one page again and again and to any. */
static void translating(uint64_t va, unsigned int areas)
{
	static uint64_t iovas[LARGEST];
	struct iopt_map map = enter();
	uint64_t bytes;

	for (unsigned int i = 0; i < areas; i++)
		map_at(&map, va + i * PAGE, BASE + i * SPACING * PAGE);
	for (unsigned int i = 0; i < LARGEST; i++)
		iovas[i] = BASE;
	result("translate, hit", areas, translate(iovas));
	for (unsigned int i = 0; i < LARGEST; i++)
		iovas[i] = BASE + (uint64_t)rand() % areas * SPACING * PAGE;
	result("translate, random", areas, translate(iovas));
	must(iopt_unmap(map.ioas, 0, UINT64_MAX, &bytes), "unmap all");
	leave();
}

static void large(uint64_t va)
{
	struct iopt_map map = enter();
	double start = now();
	uint64_t bytes;

	map.len = 1ull << 30;
	map_at(&map, va, 1ull << 40);
	result("map of 1 GiB", 1, since(start));
	start = now();
	must(iopt_unmap(map.ioas, 1ull << 40, (1ull << 40) + (1ull << 30) - 1, &bytes), "unmap");
	result("unmap of 1 GiB", 1, since(start));
	leave();
}

/* -- peers ------------------------------------------------------------------------------------- */

struct range { uint64_t start, last; };

static gint range_compare(gconstpointer a, gconstpointer b, gpointer data)
{
	const struct range *x = a, *y = b;

	(void)data;
	return x->start > y->last ? 1 : x->last < y->start ? -1 : 0;
}

static void gtree(unsigned int areas)
{
	unsigned int rounds = LARGEST / areas > 256 ? 256 : LARGEST / areas;
	double inserted = 0, removed = 0, found = 0, start;

	for (unsigned int round = 0; round < rounds; round++) {
		GTree *tree = g_tree_new_full(range_compare, NULL, g_free, NULL);

		start = now();
		for (unsigned int i = 0; i < areas; i++) {
			struct range *r = g_malloc(sizeof(*r));

			r->start = BASE + i * SPACING * PAGE;
			r->last = r->start + PAGE - 1;
			g_tree_insert(tree, r, r);
		}
		inserted += since(start);
		start = now();
		for (unsigned int i = 0; i < areas; i++) {
			struct range r = { .start = BASE + (uint64_t)rand() % areas * SPACING * PAGE };

			r.last = r.start;
			if (!g_tree_lookup(tree, &r))
				exit(1);
		}
		found += since(start);
		start = now();
		for (unsigned int i = 0; i < areas; i++) {
			struct range r = { .start = BASE + i * SPACING * PAGE };

			r.last = r.start + PAGE - 1;
			g_tree_remove(tree, &r);
		}
		removed += since(start);
		g_tree_destroy(tree);
	}
	result("GTree insert", areas, inserted / areas / rounds);
	result("GTree remove", areas, removed / areas / rounds);
	result("GTree find, random", areas, found / areas / rounds);
}

int main(int argc, char **argv)
{
	unsigned int largest = LARGEST;
	uint64_t va;
	int c;

	while ((c = getopt(argc, argv, "tn:")) != -1) {
		if (c == 't')
			table = true;
		else if (c == 'n')
			largest = (unsigned int)strtoul(optarg, NULL, 0);
		else
			return 2;
	}
	host_up();
	must(sys_mmap(task, 1ull << 30, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0,
		      &va),
	     "memory");
	if (!table)
		printf("[");
	for (unsigned int areas = 1; areas <= largest; areas *= areas == 1 ? 256 : 16) {
		handlers(va, areas);
		choosing(va, areas);
		translating(va, areas);
		gtree(areas);
	}
	if (largest == LARGEST)
		choosing(va, MANY);
	large(va);
	if (!table)
		printf("\n]\n");
	return 0;
}
