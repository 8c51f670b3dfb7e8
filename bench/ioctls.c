/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What ioctls of /dev/iommu cost a plain client, without a device: the same program under
 * `swtio exec` and on a real Linux. Prints JSON, nanoseconds a call.
 *
 * ioctls [LARGEST]
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>

#include "swtio/uapi/iommufd.h"

#define PAGE 4096ull
#define BASE 0x100000000ull

static int fd;
static unsigned int lines;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void result(const char *what, unsigned int areas, double ns)
{
	printf("%s\n  {\"what\": \"%s\", \"areas\": %u, \"ns\": %.1f}", lines++ ? "," : "[", what,
	       areas, ns);
}

static void must(int rc, const char *what)
{
	if (!rc)
		return;
	perror(what);
	exit(1);
}

static void map(uint32_t ioas, const char *at, unsigned int areas)
{
	for (unsigned int i = 0; i < areas; i++) {
		struct iommu_ioas_map args = { .size = sizeof(args),
					       .flags = IOMMU_IOAS_MAP_FIXED_IOVA |
							IOMMU_IOAS_MAP_READABLE,
					       .ioas_id = ioas,
					       .user_va = (uintptr_t)at + i * PAGE,
					       .length = PAGE,
					       .iova = BASE + 2 * i * PAGE };

		must(ioctl(fd, IOMMU_IOAS_MAP, &args), "IOAS_MAP");
	}
}

static void unmap(uint32_t ioas, unsigned int areas)
{
	for (unsigned int i = 0; i < areas; i++) {
		struct iommu_ioas_unmap args = { .size = sizeof(args),
						 .ioas_id = ioas,
						 .iova = BASE + 2 * i * PAGE,
						 .length = PAGE };

		must(ioctl(fd, IOMMU_IOAS_UNMAP, &args), "IOAS_UNMAP");
	}
}

static void measure(uint32_t ioas, const char *at, unsigned int areas)
{
	unsigned int rounds = 4096 / areas ? 4096 / areas : 1;
	double mapped = 0, unmapped = 0, start;

	for (unsigned int i = 0; i < rounds; i++) {
		start = now();
		map(ioas, at, areas);
		mapped += now() - start;
		start = now();
		unmap(ioas, areas);
		unmapped += now() - start;
	}
	result("IOAS_MAP", areas, mapped / areas / rounds);
	result("IOAS_UNMAP", areas, unmapped / areas / rounds);
}

int main(int argc, char **argv)
{
	unsigned int largest = argc > 1 ? (unsigned int)strtoul(argv[1], NULL, 0) : 65536;
	struct iommu_ioas_alloc alloc = { .size = sizeof(alloc) };
	struct iommu_destroy nothing = { .size = sizeof(nothing) };
	double start;
	char *at;

	fd = open("/dev/iommu", O_RDWR);
	at = mmap(NULL, largest * PAGE, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	must(fd < 0 || at == MAP_FAILED, "/dev/iommu");
	must(ioctl(fd, IOMMU_IOAS_ALLOC, &alloc), "IOAS_ALLOC");
	start = now();
	for (unsigned int i = 0; i < 10000; i++)
		ioctl(fd, IOMMU_DESTROY, &nothing);
	result("ioctl that does nothing", 1, (now() - start) / 10000);
	for (unsigned int areas = 1; areas <= largest; areas *= areas == 1 ? 256 : 16)
		measure(alloc.out_ioas_id, at, areas);
	printf("\n]\n");
	return 0;
}
