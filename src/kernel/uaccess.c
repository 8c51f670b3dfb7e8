/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * User memory. A user address is never dereferenced: an address in the image must lie in a mapping
 * the task made, any other goes through the drop-in's guarded copy or, without a drop-in, through
 * process_vm_readv/writev on ourselves, which answers EFAULT where a load would fault.
 */
#include <pthread.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "kernel/core.h"

static bool in_arena(uint64_t address, size_t len)
{
	return address + len > IMAGE_BASE && address < IMAGE_BASE + IMAGE_SPAN;
}

/* The image memory behind a user address in a mapping of the current task, or NULL. */
static const void *mapped(uint64_t address, size_t len, bool write)
{
	const struct task *task = current_task();
	const struct vma *vma = task ? task_vma(task, address, len) : NULL;

	if (!vma || !vma->memory || vma->revoked || (write && !(vma->prot & 2)))
		return NULL;
	return (const uint8_t *)vma->memory + (address - vma->start);
}

static pid_t here;		/* this process; 0: not asked since it was forked */

static void here_forget(void)
{
	here = 0;
}

static void here_watch(void)
{
	pthread_atfork(NULL, NULL, here_forget);
}

/* The client's own process, without asking; a simulated task's memory is this process's. */
static pid_t self(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	const struct task *task = current_task();
	pid_t pid;

	if (task && task->pid)
		return task->pid;
	pthread_once(&once, here_watch);
	pid = __atomic_load_n(&here, __ATOMIC_RELAXED);
	if (!pid) {
		pid = getpid();
		__atomic_store_n(&here, pid, __ATOMIC_RELAXED);
	}
	return pid;
}

int copy_from_user(void *to, uint64_t from, size_t len)
{
	struct iovec local = { to, len };
	struct iovec remote = { (void *)(uintptr_t)from, len };
	int rc;

	if (!len)
		return 0;
	if (in_arena(from, len)) {
		const void *p = mapped(from, len, false);

		if (!p)
			return -EFAULT;
		memcpy(to, p, len);
		return 0;
	}
	rc = user_copy(to, (const void *)(uintptr_t)from, len);
	if (rc != -ENOSYS)
		return rc;
	return process_vm_readv(self(), &local, 1, &remote, 1, 0) == (ssize_t)len ? 0 : -EFAULT;
}

int copy_to_user(uint64_t to, const void *from, size_t len)
{
	struct iovec local = { (void *)(uintptr_t)from, len };
	struct iovec remote = { (void *)(uintptr_t)to, len };
	int rc;

	if (!len)
		return 0;
	if (in_arena(to, len)) {
		const void *p = mapped(to, len, true);

		if (!p)
			return -EFAULT;
		memcpy(image_bulk_write(p, len), from, len);
		return 0;
	}
	rc = user_copy((void *)(uintptr_t)to, from, len);
	if (rc != -ENOSYS)
		return rc;
	return process_vm_writev(self(), &local, 1, &remote, 1, 0) == (ssize_t)len ? 0 : -EFAULT;
}

int clear_user(uint64_t to, size_t len)
{
	static const uint8_t zeroes[256];

	while (len) {
		size_t n = len < sizeof(zeroes) ? len : sizeof(zeroes);

		if (copy_to_user(to, zeroes, n))
			return -EFAULT;
		to += n;
		len -= n;
	}
	return 0;
}

int copy_struct_from_user(void *to, size_t ksize, uint64_t from, size_t usize)
{
	size_t n = usize < ksize ? usize : ksize;
	uint8_t tail[64];

	for (size_t at = ksize; at < usize;) {
		size_t part = usize - at < sizeof(tail) ? usize - at : sizeof(tail);

		if (copy_from_user(tail, from + at, part))
			return -EFAULT;
		for (size_t i = 0; i < part; i++)
			if (tail[i])
				return -E2BIG;
		at += part;
	}
	if (copy_from_user(to, from, n))
		return -EFAULT;
	memset((uint8_t *)to + n, 0, ksize - n);
	return 0;
}

uint64_t user_page(const struct task *task, uint64_t address, uint64_t len, bool write, uint64_t *run)
{
	const struct vma *vma = task_vma(task, address, 1);
	uint64_t left;

	if (vma && vma->memory) {
		if (vma->revoked || (write && !(vma->prot & 2)))
			return 0;
		/* A BAR is not RAM: its pages cannot be pinned. */
		if (vma->file && vma->file->type == FILE_VFIO_DEVICE)
			return 0;
		left = vma->start + vma->len - address;
		*run = len < left ? len : left;
		return phys_of((const uint8_t *)vma->memory + (address - vma->start));
	}
	if (!task->pid || in_arena(address, 1))
		return 0;
	return client_page(task, address, len, write, run);
}
