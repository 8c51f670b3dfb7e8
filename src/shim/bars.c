/* SPDX-License-Identifier: BSD-2-Clause */
/* The files behind BARs: memfds of the supervisor, found through /proc by their number there. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hardware/bar_file.h"
#include "shim/shim.h"

#define BARS 256u

static char base[64];			/* "/proc/SUPERVISOR/fd/" */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;	/* guards the table */
static struct { uint32_t file; void *at; } mapped[BARS];

int shim_bar_open(uint32_t file)
{
	char path[sizeof(base) + 12];

	snprintf(path, sizeof(path), "%s%u", base, file);
	return shim_libc()->open(path, O_RDWR | O_CLOEXEC);
}

static void *map_new(uint32_t file, uint64_t size)
{
	int fd = shim_bar_open(file);
	void *at = MAP_FAILED;

	if (fd >= 0) {
		at = shim_libc()->mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		shim_libc()->close(fd);
	}
	return at == MAP_FAILED ? NULL : at;
}

static void *map(uint32_t file, uint64_t size)
{
	unsigned int i = 0;
	void *at;

	pthread_mutex_lock(&lock);
	while (i < BARS && mapped[i].file && mapped[i].file != file)
		i++;
	at = i < BARS ? mapped[i].at : NULL;
	if (i < BARS && !at) {
		at = map_new(file, size);
		mapped[i].at = at;
		mapped[i].file = at ? file : 0;
	}
	pthread_mutex_unlock(&lock);
	return at;
}

static int resize(uint32_t file, uint64_t size)
{
	int fd = shim_bar_open(file), rc;

	if (fd < 0)
		return -errno;
	rc = ftruncate(fd, (off_t)size) ? -errno : 0;
	shim_libc()->close(fd);
	return rc;
}

void shim_bars(const char *files_path)
{
	static const struct bar_files calls = {map, resize};

	snprintf(base, sizeof(base), "%.*s/", (int)(strrchr(files_path, '/') - files_path),
		files_path);
	bar_files_set(&calls);
}
