/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copies from and to the client's memory without a system call: one instruction, at whose address
 * a fault is a bad pointer of the client's, and goes on where the copy fails (see mmap.c, which has
 * the signals).
 */
#include <errno.h>
#include <ucontext.h>

#include "shim/copy.h"
#include "shim/shim.h"

int shim_copy_asm(void *to, const void *from, size_t len);
extern const char shim_copy_at[], shim_copy_failed[];

__asm__(".text\n"
	".hidden shim_copy_asm, shim_copy_at, shim_copy_failed\n"
	".globl shim_copy_asm, shim_copy_at, shim_copy_failed\n"
	".type shim_copy_asm, @function\n"
	"shim_copy_asm:\n"
	"	movq %rdx, %rcx\n"
	"shim_copy_at:\n"
	"	rep movsb\n"
	"	xorl %eax, %eax\n"
	"	ret\n"
	"shim_copy_failed:\n"
	"	movl $-14, %eax\n" /* -EFAULT */
	"	ret\n"
	".size shim_copy_asm, . - shim_copy_asm\n");

int shim_copy(void *to, const void *from, size_t len)
{
	return shim_copy_asm(to, from, len);
}

bool shim_copy_fault(void *context)
{
	greg_t *rip = &((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];

	if (*rip != (greg_t)shim_copy_at)
		return false;
	*rip = (greg_t)shim_copy_failed;
	return true;
}

/* A fault that is blocked ends the program: these two stay open for us. */
static const sigset_t *open_to_faults(int how, const sigset_t *set, sigset_t *room)
{
	if (!set || how == SIG_UNBLOCK || !shim_environment()->there)
		return set;
	*room = *set;
	sigdelset(room, SIGSEGV);
	sigdelset(room, SIGBUS);
	return room;
}

SHIM_EXPORT int sigprocmask(int how, const sigset_t *restrict set, sigset_t *restrict old)
{
	sigset_t room;

	return shim_libc()->sigprocmask(how, open_to_faults(how, set, &room), old);
}

SHIM_EXPORT int pthread_sigmask(int how, const sigset_t *restrict set, sigset_t *restrict old)
{
	sigset_t room;

	return shim_libc()->pthread_sigmask(how, open_to_faults(how, set, &room), old);
}
