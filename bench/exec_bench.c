/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a call costs a client: run by itself and under `swtio exec`, the difference is the drop-in's.
 * Each line: name, nanoseconds, best of some rounds. "getppid" is a bare system call.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "swtio/uapi/iommufd.h"

#define CALLS 20000
#define ROUNDS 15

static int zero, ends[2], iommu;
static char byte;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void call_none(void)
{
	getppid();
}

static void call_read(void)
{
	if (read(zero, &byte, 1) != 1)
		byte = 0;
}

static void call_pread(void)
{
	if (pread(zero, &byte, 1, 0) != 1)
		byte = 0;
}

static void call_ioctl(void)
{
	int n;

	ioctl(ends[0], FIONREAD, &n);
}

static void call_stat(void)
{
	struct stat st;

	stat("/", &st);
}

static void call_access(void)
{
	if (access("/dev/null", R_OK))
		byte = 0;
}

static void call_open(void)
{
	close(open("/dev/null", O_RDONLY | O_CLOEXEC));
}

static void call_mmap(void)
{
	munmap(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 4096);
}

static void call_ours(void)
{
	struct iommu_destroy destroy = {.size = sizeof(destroy), .id = 999};

	ioctl(iommu, IOMMU_DESTROY, &destroy);
}

static void call_seek(void)
{
	lseek(zero, 0, SEEK_CUR);
}

int main(void)
{
	static const struct {
		const char *name;
		void (*call)(void);
		const int *wants; /* a descriptor without which there is nothing to measure */
	} rows[] = {
		{"getppid", call_none, NULL}, {"lseek", call_seek, NULL}, {"read", call_read, NULL},
		{"pread", call_pread, NULL}, {"ioctl", call_ioctl, NULL}, {"stat", call_stat, NULL},
		{"access", call_access, NULL}, {"open+close", call_open, NULL},
		{"mmap+munmap", call_mmap, NULL}, {"ioctl of /dev/iommu", call_ours, &iommu},
	};

	zero = open("/dev/zero", O_RDONLY);
	iommu = open("/dev/iommu", O_RDWR);
	if (zero < 0 || pipe(ends))
		return 1;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		double best = 1e18;

		if (rows[i].wants && *rows[i].wants < 0)
			continue;
		for (int round = 0; round < ROUNDS; round++) {
			double start = now();

			for (int n = 0; n < CALLS; n++)
				rows[i].call();
			if (now() - start < best)
				best = now() - start;
		}
		printf("%s\t%.1f\n", rows[i].name, best / CALLS);
	}
	return 0;
}
