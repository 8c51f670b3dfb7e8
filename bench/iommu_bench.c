/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What translation, mapping and DMA cost, next to a plain memcpy of the same bytes. Prints one line
 * a measure: name, nanoseconds (or GB/s), and the goal it is held against.
 */
#include "hardware/iommu.h"
#include "hardware/phys.h"
#include "trace/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define RID 0x0100
#define MAPPINGS 65536u
#define COPY (64ull << 20)
#define BASE 0x100000000ull

/* Of this process: other work on the machine does not count. */
static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void line(const char *name, double value, const char *unit, const char *goal)
{
	printf("%-34s %10.1f %-5s %s\n", name, value, unit, goal);
}

/* The function under test; bus mastering on, no root port, so no IDE. */
static int machine(void)
{
	struct image_opts opts = { .size = sizeof(opts), .seed = 1 };
	const struct function *fn;
	int rc = image_create(&opts);

	if (rc || (rc = trace_power_on(0)) || (rc = phys_power_on()) ||
	    (rc = function_power_on()) || (rc = iommu_power_on()))
		return rc;
	fn = function_add(RID, 0);
	if (!fn)
		return -1;
	config_set(fn, 0x04, 2, 0x0006, 0x0006);
	return 0;
}

/* Random addresses among the first `spread` mappings. */
static void translations(uint64_t *order, const char *name, const char *goal, unsigned int spread)
{
	struct tlp tlp = { .type = TLP_MEM_READ, .rid = RID, .pasid = TLP_NO_PASID, .len = 8 };
	uint64_t rounds = 4000000, sum = 0;
	struct pt_leaf leaf;
	uint32_t owner;
	double start;

	for (unsigned int i = 0; i < MAPPINGS; i++)
		order[i] = BASE + (uint64_t)rand() % spread * 4096;
	start = now();
	for (uint64_t i = 0; i < rounds; i++) {
		tlp.address = order[i % MAPPINGS];
		if (iommu_translate(&tlp, &leaf, &owner) != TLP_SC)
			exit(1);
		sum += leaf.hpa;
		if (!(i & 0xfff))
			image_commit();
	}
	line(name, (now() - start) / (double)rounds, sum ? "ns" : "", goal);
}

static void mappings(const struct pt *pt, const uint64_t *scattered, unsigned int count,
		     const char *when)
{
	char name[40];
	double start = now();

	for (unsigned int i = 0; i < count; i++) {
		if (pt_map(pt, BASE + i * 4096ull, scattered[i], 4096, PT_R | PT_W))
			exit(1);
		image_commit();
	}
	snprintf(name, sizeof(name), "pt_map 4 KiB, %s%u", when, count);
	line(name, (now() - start) / count, "ns", "part of 150");
	start = now();
	for (unsigned int i = 0; i < count; i++) {
		if (pt_unmap(pt, BASE + i * 4096ull, 4096) != 4096)
			exit(1);
		image_commit();
	}
	snprintf(name, sizeof(name), "pt_unmap 4 KiB, %s%u", when, count);
	line(name, (now() - start) / count, "ns", "part of 50");
}

/* One copy by hand and one by DMA of the same bytes, the best of ten each. */
static void copy_compare(struct tlp *tlp, uint8_t *to, const uint8_t *from, const char *name)
{
	double plain = 1e18, dma = 1e18, start, took;
	char label[40];
	uint64_t done;

	for (unsigned int i = 0; i < 10; i++) {
		start = now();
		memcpy(to, from, COPY);
		took = now() - start;
		plain = took < plain ? took : plain;
		start = now();
		if (tlp_dma_copy(tlp, &done) != TLP_SC || done != COPY)
			exit(1);
		took = now() - start;
		dma = took < dma ? took : dma;
	}
	snprintf(label, sizeof(label), "memcpy of a 64 MiB DMA %s", name);
	line(label, (double)COPY / plain, "GB/s", "");
	snprintf(label, sizeof(label), "64 MiB DMA %s", name);
	line(label, (double)COPY / dma, "GB/s", ">= 90 % of memcpy");
}

static void copies(const struct pt *pt)
{
	const uint8_t *ram = image_bulk_alloc(COPY, IMAGE_TYPE_RAM);
	uint8_t *data = malloc(COPY), *writable;
	struct tlp tlp = { .rid = RID,
			   .stream = TLP_NO_STREAM,
			   .pasid = TLP_NO_PASID,
			   .address = 0x1000000000ull,
			   .len = COPY,
			   .data = data };

	if (!ram || !data || pt_map(pt, tlp.address, phys_of(ram), COPY, PT_R | PT_W))
		exit(1);
	writable = image_bulk_write(ram, COPY);
	memset(writable, 1, COPY);
	memset(data, 1, COPY);
	tlp.type = TLP_MEM_READ;
	copy_compare(&tlp, data, ram, "read");
	tlp.type = TLP_MEM_WRITE;
	copy_compare(&tlp, writable, data, "write");
	free(data);
}

static void large(const struct pt *pt)
{
	double start = now();

	if (pt_map(pt, 0x2000000000ull, PHYS_ARENA + 16 * PHYS_1G, PHYS_1G, PT_R | PT_W))
		exit(1);
	line("map 1 GiB, one leaf", (now() - start) / 1e3, "us", "microseconds");
	start = now();
	if (pt_map(pt, 0x3000000000ull, PHYS_ARENA + 16 * PHYS_1G + PHYS_2M, PHYS_1G, PT_R | PT_W))
		exit(1);
	line("map 1 GiB, 2 MiB leaves", (now() - start) / 1e3, "us", "microseconds");
	start = now();
	pt_unmap(pt, 0x3000000000ull, PHYS_1G);
	line("unmap 1 GiB, 2 MiB leaves", (now() - start) / 1e3, "us", "microseconds");
	image_commit();
}

int main(void)
{
	static uint64_t scattered[MAPPINGS], order[MAPPINGS];
	const struct pt *pt;

	if (machine())
		return 1;
	pt = image_alloc(sizeof(*pt), IMAGE_TYPE_IOMMU_DOMAIN);
	if (!pt || pt_init(pt, PT_VTD_SS, 4) ||
	    iommu_context_set(RID, TLP_NO_PASID, IOMMU_SECOND_STAGE, pt, 1))
		return 1;
	for (unsigned int i = 0; i < MAPPINGS; i++)
		scattered[i] = PHYS_ARENA + (uint64_t)(rand() % 262144) * 4096;
	mappings(pt, scattered, 256, "first use, ");
	for (unsigned int count = 256; count <= MAPPINGS; count *= 16)
		mappings(pt, scattered, count, "of ");
	iommu_iotlb_flush(1, 0, UINT64_MAX);
	for (unsigned int i = 0; i < MAPPINGS; i++)
		if (pt_map(pt, BASE + i * 4096ull, scattered[i], 4096, PT_R | PT_W))
			return 1;
	image_commit();
	translations(order, "translate, one page", "<= 10 on a hit", 1);
	translations(order, "translate, 256 pages", "<= 10 on a hit", 256);
	translations(order, "translate, random of 64 Ki", "<= 30", MAPPINGS);
	large(pt);
	copies(pt);
	image_detach();
	return 0;
}
