/* SPDX-License-Identifier: BSD-2-Clause */
/* The VMM and the guest as actors: the VMM's system calls go to a simulated task, the guest's verbs
 * are posted to the script behind KVM_RUN and run by the VMM entering the vCPU. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "flow/parse.h"
#include "guest/guest.h"
#include "kernel/kernel.h"
#include "kernel/kvm/kvm.h"
#include "kernel/syscall.h"
#include "vmm/vmm.h"

/* -- system calls of a simulated task ---------------------------------------------------------- */

static int do_open(void *ctx, const char *path, int flags)
{
	return sys_open(ctx, path, flags);
}

static int do_close(void *ctx, int fd)
{
	return sys_close(ctx, fd);
}

static long do_ioctl(void *ctx, int fd, unsigned int cmd, void *arg)
{
	return sys_ioctl(ctx, fd, cmd, (uint64_t)(uintptr_t)arg);
}

static ssize_t do_pread(void *ctx, int fd, void *to, size_t len, uint64_t offset)
{
	return sys_pread(ctx, fd, to, len, offset);
}

static ssize_t do_pwrite(void *ctx, int fd, const void *from, size_t len, uint64_t offset)
{
	return sys_pwrite(ctx, fd, from, len, offset);
}

static int do_mmap(
	void *ctx, uint64_t len, int prot, int flags, int fd, uint64_t offset, uint64_t *address)
{
	return sys_mmap(ctx, len, prot, flags, fd, offset, address);
}

static int do_munmap(void *ctx, uint64_t address, uint64_t len)
{
	return sys_munmap(ctx, address, len);
}

static int do_memfd(void *ctx, const char *name, uint64_t size)
{
	int fd = sys_memfd_create(ctx, name, 0), rc;

	if (fd < 0)
		return fd;
	rc = sys_ftruncate(ctx, fd, size);
	if (rc) {
		sys_close(ctx, fd);
		return rc;
	}
	return fd;
}

static int do_eventfd(void *ctx)
{
	return sys_eventfd(ctx, 0, 0);
}

static int do_load(void *ctx, uint64_t address, void *to, size_t len)
{
	return sys_load(ctx, address, to, len);
}

static int do_store(void *ctx, uint64_t address, const void *from, size_t len)
{
	return sys_store(ctx, address, from, len);
}

static bool vmm_sys_of(unsigned int instance, struct vmm_sys *sys)
{
	const struct task *task;

	image_enter();
	task = flow_task(FLOW_VMM, instance);
	image_leave();
	*sys = (struct vmm_sys){
		.open = do_open,
		.close = do_close,
		.ioctl = do_ioctl,
		.pread = do_pread,
		.pwrite = do_pwrite,
		.mmap = do_mmap,
		.munmap = do_munmap,
		.memfd = do_memfd,
		.eventfd = do_eventfd,
		.load = do_load,
		.store = do_store,
	};
	/* ctx is only ever handed back to the functions above */
	memcpy(&sys->ctx, &task, sizeof(task));
	return task != NULL;
}

/* -- vmm ---------------------------------------------------------------------------------------- */

static struct vmm *vmm_of(unsigned int instance)
{
	struct vmm *vmm;

	image_enter();
	vmm = flow_vmm(instance);
	image_leave();
	return vmm;
}

void flow_vmm_run(const struct flow_action *action, struct flow_result *result)
{
	struct vmm_arg arg[FLOW_ARGS];
	struct vmm_args args = { .n = action->nargs, .arg = arg };
	struct vmm *vmm = vmm_of(action->instance);
	struct vmm_sys sys;

	if (!vmm || !vmm_sys_of(action->instance, &sys)) {
		result->rc = -ENOMEM;
		return;
	}
	for (unsigned int i = 0; i < action->nargs; i++) {
		arg[i] = (struct vmm_arg){ .key = action->args[i].key,
			.text = action->args[i].value };
		flow_arg_number(action, action->args[i].key, &arg[i].value);
	}
	result->rc = vmm_verb(vmm, &sys, action->verb, &args);
}

/* -- guest -------------------------------------------------------------------------------------- */

#define IDLE_ROUNDS 64u			/* a guest that waits this often for nothing is stuck */

/* KVM's number of the VM, which no system call tells: 0 when there is none. */
static uint32_t vm_number(unsigned int instance, const struct vmm *vmm)
{
	const struct task *task = flow_task(FLOW_VMM, instance);
	const struct file *file = task && vmm->vm >= 0 ? task->fds[vmm->vm] : NULL;
	const struct kvm *kvm = file ? kvm_of_file(file) : NULL;

	return kvm ? kvm_number(kvm) : 0;
}

/* Runs the vCPU until the posted verb is done, or the guest waits for the VMM's answer. */
static void guest_settle(const struct flow_action *action, struct vmm *vmm,
	const struct vmm_sys *sys, struct flow_result *result)
{
	uint32_t vm = vm_number(action->instance, vmm);
	uint64_t status = 0;
	int exit;

	for (unsigned int rounds = 0; rounds < IDLE_ROUNDS; rounds++) {
		if (guest_progress(vm, &result->rc, &status, result->text, sizeof(result->text)) !=
			GUEST_RUNNING)
			return;
		exit = vmm_run(vmm, sys);
		if (exit == VMM_EXIT_IDLE)
			continue;
		if (exit == VMM_EXIT_GUEST) {
			result->rc = 0;
			snprintf(result->text, sizeof(result->text), "exit");
			return;
		}
		result->rc = exit < 0 ? exit : -EIO;
		if (exit == VMM_EXIT_MEMORY_FAULT)
			snprintf(result->text, sizeof(result->text), "memory-fault");
		return;
	}
	result->rc = -ELOOP;
}

static int guest_verb_make(const struct flow_action *action, struct guest_verb *verb)
{
	memset(verb, 0, sizeof(*verb));
	snprintf(verb->name, sizeof(verb->name), "%s", action->verb);
	for (unsigned int i = 0; i < action->nargs; i++) {
		struct guest_arg *arg = &verb->args[verb->nargs++];

		if (strlen(action->args[i].key) >= sizeof(arg->key))
			return -EDOM;
		strcpy(arg->key, action->args[i].key);
		if (!flow_arg_number(action, action->args[i].key, &arg->value))
			return -EDOM;
	}
	return 0;
}

void flow_guest_run(const struct flow_action *action, struct flow_result *result)
{
	struct vmm *vmm = vmm_of(action->instance);
	struct guest_verb verb;
	struct vmm_sys sys;
	const char *value;
	bool found;

	if (!vmm || !vmm_sys_of(action->instance, &sys)) {
		result->rc = -ENOMEM;
		return;
	}
	value = flow_arg_text(action, "name");
	if (!strcmp(action->verb, "value") && value) {
		result->rc = (int64_t)guest_value(vm_number(action->instance, vmm), value, &found);
		if (!found)
			result->rc = -ENOENT;
		return;
	}
	if (strcmp(action->verb, "wait")) {
		result->rc = guest_verb_make(action, &verb);
		image_enter();
		if (!result->rc)
			result->rc = guest_post(vm_number(action->instance, vmm), &verb);
		image_leave();
		if (result->rc)
			return;
	}
	guest_settle(action, vmm, &sys, result);
}
