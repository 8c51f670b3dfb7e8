/* SPDX-License-Identifier: BSD-2-Clause */
/* The last close of a file: its lock is free, and whoever sees that runs the release. The clients do
 * after a close of theirs, the supervisor for those that died. */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "kernel/syscall.h"
#include "shim/queue.h"
#include "shim/shim.h"

static char files_path[256];

static bool locked(int probe, uint32_t id)
{
	struct flock ask = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = id, .l_len = 1};

	return shim_libc()->fcntl(probe, F_OFD_GETLK, &ask) || ask.l_type != F_UNLCK;
}

/* Has some process a descriptor of it? `probe`: of the "files" memfd. */
static bool held(int probe, const struct file *file)
{
	int fd;
	bool is;

	if (!file->node)
		return locked(probe, file->id);
	fd = queue_probe(file);
	is = fd >= 0 && locked(fd, file->id);
	if (fd >= 0)
		shim_libc()->close(fd);
	return is;
}

static long client_drop(void *arg)
{
	const struct file *const *file = arg;

	if ((*file)->node)
		queue_remove(*file);
	file_client_drop(*file);
	return 0;
}

static void tasks_reap(void)
{
	const struct task *t;
	uint32_t index = 0;

	while ((t = task_next(&index)))
		if (t->pid && kill(t->pid, 0) && errno == ESRCH)
			task_exit(t);
}

void shim_reap(void)
{
	const struct file *file;
	int probe;

	if (image_enter())
		return;
	probe = shim_libc()->open(files_path, O_RDWR | O_CLOEXEC);
	for (uint32_t id = 1; probe >= 0 && (file = file_next(&id)); id++)
		if (file->client && !held(probe, file))
			image_call(client_drop, &file);
	tasks_reap();
	image_leave();
	if (probe >= 0)
		shim_libc()->close(probe);
}

void shim_closed(uint32_t id, uint32_t generation)
{
	const struct file *file;
	int probe;

	if (image_enter())
		return;
	file = file_find(id);
	probe = shim_libc()->open(files_path, O_RDWR | O_CLOEXEC);
	if (file && file->generation == generation && file->client && probe >= 0 &&
		!held(probe, file))
		image_call(client_drop, &file);
	image_leave();
	if (probe >= 0)
		shim_libc()->close(probe);
}

void shim_release_by(const char *path)
{
	snprintf(files_path, sizeof(files_path), "%s", path);
	shim_bars(files_path);
}
