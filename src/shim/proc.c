/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files of /proc that the host has a part in: a process's status, where memory pinned by the
 * software host counts, and fault injection (kernel/fault.h). All else there is the real kernel's.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "kernel/syscall.h"
#include "shim/shim.h"

#define STATUS_TEXT 8192u

struct status_call {
	pid_t pid;
	uint64_t pinned, locked;	/* pages */
};

static long status_ask(void *arg)
{
	struct status_call *call = arg;
	const struct task *task;
	uint32_t index = 0;

	while ((task = task_next(&index)))
		if (task->pid == call->pid) {
			call->pinned = task->pinned_vm;
			call->locked = task->locked_vm;
		}
	return 0;
}

/* The line again, with what is ours added: "VmPin:\t       4 kB". */
static void line_add(FILE *to, const char *line, const char *name, uint64_t pages)
{
	size_t n = strlen(name);

	if (pages && !strncmp(line, name, n))
		fprintf(to, "%s\t%8lu kB\n", name, strtoul(line + n, NULL, 10) + pages * 4);
	else
		fputs(line, to);
}

static int status_write(FILE *from, int fd, const struct status_call *call)
{
	char line[512];
	FILE *to = fdopen(dup(fd), "w");

	if (!to)
		return -ENOMEM;
	while (fgets(line, sizeof(line), from)) {
		if (!strncmp(line, "VmPin:", 6))
			line_add(to, line, "VmPin:", call->pinned);
		else
			line_add(to, line, "VmLck:", call->locked);
	}
	fclose(to);
	return shim_libc()->lseek(fd, 0, SEEK_SET) < 0 ? -errno : 0;
}

static int status_open(const char *path, pid_t pid, int flags)
{
	struct status_call call = {.pid = pid};
	FILE *from;
	int fd, rc;

	image_call(status_ask, &call);
	if (!call.pinned && !call.locked)
		return SHIM_NOT_OURS;
	from = shim_libc()->fopen(path, "re");
	if (!from)
		return SHIM_NOT_OURS;
	fd = memfd_create("swtio-status", flags & O_CLOEXEC ? MFD_CLOEXEC : 0);
	rc = fd < 0 ? -errno : status_write(from, fd, &call);
	fclose(from);
	if (rc && fd >= 0)
		shim_libc()->close(fd);
	return rc ? (int)shim_as_libc(rc) : fd;
}

static long nth_open(void *arg)
{
	const char *path = arg;
	const struct file *file;
	int rc = file_open(shim_task(), path, O_RDWR, &file);

	return rc ? rc : shim_fd_make(file, O_CLOEXEC);
}

/* "self" and numbers; 0: something else. */
static pid_t whose(const char *name)
{
	if (!strncmp(name, "self/", 5) || !strncmp(name, "thread-self/", 12))
		return getpid();
	return (pid_t)strtol(name, NULL, 10);
}

int shim_proc_open(const char *path, int flags)
{
	const char *last;
	char own[64];
	long rc;

	if (!path || strncmp(path, "/proc/", 6))
		return SHIM_NOT_OURS;
	last = strrchr(path, '/') + 1;
	if (!strcmp(last, "status") && strchr(path + 6, '/') == last - 1 && shim_attached())
		return status_open(path, whose(path + 6), flags);
	if (strcmp(last, "fail-nth") || !shim_ready())
		return SHIM_NOT_OURS;
	snprintf(own, sizeof(own), "/proc/self/task/%d/fail-nth", getpid());
	if (strcmp(path, own) && strcmp(path, "/proc/self/fail-nth"))
		return SHIM_NOT_OURS;
	rc = image_call(nth_open, own);
	return rc == -ENOENT ? SHIM_NOT_OURS : (int)shim_as_libc(rc);
}
