/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mmap of our files. Memory of a device is mapped from the image. Registers have none: their
 * addresses are reserved without access, and the fault of each load and store is where the device's
 * model is asked. What is revoked by then is SIGBUS, as Linux has it.
 */
#include <errno.h>
#include <linux/mman.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "kernel/syscall.h"
#include "shim/copy.h"
#include "shim/mapping.h"
#include "shim/shim.h"
#include "shim/x86.h"

#define EXPORT SHIM_EXPORT
#define PAGE 4096u
#define BAR_OFFSET ((1ull << 40) - 1)	/* of a file's offset: what is above is the region */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;	/* guards the two below */
static struct sigaction before[2];	/* the program's own for SIGSEGV and SIGBUS */
static bool installed;

/* -- loads and stores -------------------------------------------------------------------------- */

/* An operand that is no mapping of ours is the program's own memory: a move between the two. */
static int operand(void *arg, uint64_t address, void *data, size_t len, bool write)
{
	const struct file *file;
	uint64_t offset, left;
	struct mapping at;

	(void)arg;
	if (!mapping_find(address, &at) || !at.trapped) {
		memcpy(write ? (void *)(uintptr_t)address : data,
			write ? data : (void *)(uintptr_t)address, len);
		return 0;
	}
	file = shim_mapping(address, &offset, &left);
	return file && len <= left ? file_access(shim_task(), file, offset, data, len, write)
				   : -ENXIO;
}

/* The program's own handler gets the signal, as if we were not there. */
static void pass_on(int signal, siginfo_t *info, void *context)
{
	const struct sigaction *action = &before[signal == SIGBUS];

	if (action->sa_flags & SA_SIGINFO && action->sa_sigaction) {
		action->sa_sigaction(signal, info, context);
		return;
	}
	if (action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN) {
		action->sa_handler(signal);
		return;
	}
	/* Back to the instruction, which faults again and ends the program; or who sent it, again. */
	shim_libc()->sigaction(signal, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
	if (info->si_code <= 0)
		raise(signal);
}

static void fault(int signal, siginfo_t *info, void *context)
{
	uint64_t address = (uint64_t)(uintptr_t)info->si_addr;
	int error = errno, rc = -ENXIO;
	struct mapping at;

	if (shim_copy_fault(context))
		return;
	if (signal == SIGSEGV && mapping_find(address, &at) && at.trapped) {
		rc = x86_run(context, operand, NULL);
		errno = error;
		if (!rc)
			return;
		if (rc == -ENOSYS)
			dprintf(STDERR_FILENO, "swtio: an instruction on device registers is not "
					       "known to the drop-in: use ordinary moves\n");
		signal = rc == -ENOSYS ? SIGSEGV : SIGBUS;
		info->si_signo = signal;
		info->si_code = signal == SIGBUS ? BUS_ADRERR : info->si_code;
	}
	if (signal == SIGBUS && rc == -ENXIO && before[1].sa_handler == SIG_DFL) {
		shim_libc()->sigaction(SIGBUS, &before[1], NULL);
		raise(SIGBUS);
	}
	pass_on(signal, info, context);
}

void shim_faults_install(void)
{
	struct sigaction action = {.sa_sigaction = fault, .sa_flags = SA_SIGINFO | SA_NODEFER};

	pthread_mutex_lock(&lock);
	if (!installed) {
		shim_libc()->sigaction(SIGSEGV, &action, &before[0]);
		shim_libc()->sigaction(SIGBUS, &action, &before[1]);
		__atomic_store_n(&installed, true, __ATOMIC_RELAXED);
	}
	pthread_mutex_unlock(&lock);
}

EXPORT int sigaction(int signal, const struct sigaction *restrict new,
	struct sigaction *restrict old)
{
	struct sigaction *mine = &before[signal == SIGBUS], was;

	if (!__atomic_load_n(&installed, __ATOMIC_RELAXED) ||
		(signal != SIGSEGV && signal != SIGBUS))
		return shim_libc()->sigaction(signal, new, old);
	pthread_mutex_lock(&lock);
	was = *mine;
	if (new)
		*mine = *new;
	pthread_mutex_unlock(&lock);
	if (old)
		*old = was;
	return 0;
}

EXPORT sighandler_t signal(int number, sighandler_t handler)
{
	const struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
	struct sigaction old;

	return sigaction(number, &action, &old) ? SIG_ERR : old.sa_handler;
}

/* -- mmap and what undoes it ------------------------------------------------------------------- */

static void *map_memory(const struct mmap_request *request, void *address, int prot, int flags)
{
	int fd = request->bar_file ? shim_bar_open(request->bar_file) : shim_image_open(), error;
	uint64_t offset = request->bar_file ? request->offset & BAR_OFFSET
					    : (uint64_t)(uintptr_t)request->memory - IMAGE_BASE;
	void *at;

	if (fd < 0)
		return MAP_FAILED;
	at = shim_libc()->mmap(address, request->len, prot, flags, fd, (off_t)offset);
	error = errno;
	shim_libc()->close(fd);
	errno = error;
	return at;
}

/* The client maps the memory itself, the image's or a BAR's own file: what the device sees is what
 * the client sees. */
static void *map(const struct file *file, void *address, size_t len, int prot, int flags,
	off_t offset)
{
	struct mmap_request request = {
		.offset = (uint64_t)offset, .len = len, .prot = prot, .flags = flags};
	int error = errno, rc = file_mmap(shim_task(), file, &request);
	struct mapping new = {.offset = (uint64_t)offset, .id = file->id,
		.generation = file->generation};
	void *at;

	if (rc < 0) {
		errno = -rc;
		return MAP_FAILED;
	}
	if (request.trapped)
		at = shim_libc()->mmap(address, len, PROT_NONE,
			(flags & ~MAP_TYPE) | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	else
		at = map_memory(&request, address, prot, flags);
	if (at == MAP_FAILED) {
		error = errno;
		file_unmapped(shim_task(), file, (uint64_t)offset, len);
		errno = error;
		return at;
	}
	new.start = (uint64_t)(uintptr_t)at;
	new.len = (len + PAGE - 1) & ~(uint64_t)(PAGE - 1);
	new.trapped = request.trapped;
	mapping_add(&new);
	errno = error;
	return at;
}

/* The software host has huge pages of every size, whatever the real one was given: where there are
 * none, ordinary memory with a huge page's alignment does as well. */
static void *map_huge(void *address, size_t len, int prot, int flags)
{
	unsigned int shift = (unsigned int)flags >> MAP_HUGE_SHIFT & MAP_HUGE_MASK;
	size_t page = (size_t)1 << (shift ? shift : 21), skip;
	uint8_t *at;

	flags &= ~(MAP_HUGETLB | (int)((unsigned int)MAP_HUGE_MASK << MAP_HUGE_SHIFT));
	len = (len + page - 1) & ~(page - 1);
	if (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE))
		return shim_libc()->mmap(address, len, prot, flags, -1, 0);
	at = shim_libc()->mmap(NULL, len + page, PROT_NONE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (at == MAP_FAILED)
		return at;
	skip = -(uintptr_t)at & (page - 1);
	if (skip)
		shim_libc()->munmap(at, skip);
	shim_libc()->munmap(at + skip + len, page - skip);
	return shim_libc()->mmap(at + skip, len, prot, flags | MAP_FIXED, -1, 0);
}

/* What devices have pinned of the program's memory stays theirs. Whether there was any; or -1 and
 * errno. */
static int leaving(void *address, size_t len)
{
	int error = errno, rc;

	if (!shim_attached() || !len)
		return 0;
	rc = client_leaving(shim_task(), (uint64_t)(uintptr_t)address, len);
	errno = error;
	return (int)shim_as_libc(rc);
}

#define MMAP(name)                                                                                 \
	EXPORT void *name(void *address, size_t len, int prot, int flags, int fd, off_t offset);   \
	EXPORT void *name(void *address, size_t len, int prot, int flags, int fd, off_t offset)    \
	{                                                                                          \
		const struct file *file = NULL;                                                    \
		void *at;                                                                          \
		if (!(flags & MAP_ANONYMOUS) && shim_fd_maybe(fd))                                 \
			file = shim_fd_file(fd);                                                   \
		if (flags & MAP_FIXED && leaving(address, len) < 0)                                \
			return MAP_FAILED;                                                         \
		if (file)                                                                          \
			return map(file, address, len, prot, flags, offset);                       \
		at = shim_libc()->mmap(address, len, prot, flags, fd, offset);                     \
		if (at == MAP_FAILED && flags & MAP_HUGETLB && flags & MAP_ANONYMOUS &&            \
			shim_environment()->there)                                                 \
			at = map_huge(address, len, prot, flags);                                  \
		if (at != MAP_FAILED)                                                              \
			mapping_gone(at, len);                                                             \
		return at;                                                                         \
	}
MMAP(mmap)
MMAP(mmap64)

EXPORT int munmap(void *address, size_t len)
{
	struct mapping old = {0};
	bool whole = mapping_find((uint64_t)(uintptr_t)address, &old) && len >= old.len &&
		     old.start == (uint64_t)(uintptr_t)address;
	const struct file *file = whole ? file_find(old.id) : NULL;
	int rc = leaving(address, len) < 0 ? -1 : shim_libc()->munmap(address, len), error = errno;

	if (rc)
		return rc;
	mapping_gone(address, len);
	if (file && file->generation == old.generation)
		file_unmapped(shim_task(), file, old.offset, old.len);
	errno = error;
	return 0;
}

EXPORT void *mremap(void *old, size_t old_len, size_t len, int flags, ...)
{
	struct mapping moved;
	bool ours = mapping_find((uint64_t)(uintptr_t)old, &moved);
	void *fixed = NULL, *at;
	va_list args;

	if (flags & MREMAP_FIXED) {
		va_start(args, flags);
		fixed = va_arg(args, void *);
		va_end(args);
	}
	if ((len < old_len && leaving((char *)old + len, old_len - len) < 0) ||
		(fixed && leaving(fixed, len) < 0))
		return MAP_FAILED;
	at = shim_libc()->mremap(old, old_len, len, flags, fixed);
	if (at == MAP_FAILED)
		return at;
	if (at != old && shim_attached())
		client_moved((uint64_t)(uintptr_t)old, (uint64_t)(uintptr_t)at,
			len < old_len ? len : old_len);
	mapping_gone(old, old_len);
	mapping_gone(at, len);
	if (!ours)
		return at;
	moved.offset += (uint64_t)(uintptr_t)old - moved.start;
	moved.start = (uint64_t)(uintptr_t)at;
	moved.len = (len + PAGE - 1) & ~(uint64_t)(PAGE - 1);
	mapping_add(&moved);
	return at;
}

/* Private memory that is dropped comes back as zeroes: where what was there is kept for a device,
 * new memory takes its place. */
EXPORT int madvise(void *address, size_t len, int advice)
{
	int moved;

	if (advice != MADV_DONTNEED && advice != MADV_FREE)
		return shim_libc()->madvise(address, len, advice);
	moved = leaving(address, len);
	if (moved <= 0)
		return moved ? -1 : shim_libc()->madvise(address, len, advice);
	return shim_libc()->mmap(address, len, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED ? -1 : 0;
}

/* Registers stay without access whatever the program says: it is the trap that serves them. */
EXPORT int mprotect(void *address, size_t len, int prot)
{
	struct mapping at;

	if (mapping_find((uint64_t)(uintptr_t)address, &at) && at.trapped)
		return 0;
	return shim_libc()->mprotect(address, len, prot);
}
