/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Open files and tasks. A file whose last reference is gone stays in the table, marked with the task
 * that runs its release, until release has returned: when that task dies half way (release may pass
 * wait points), the file is found there and released again. Release is therefore idempotent.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "kernel/core.h"

#define FILES_MAX 4096u
#define TASKS_MAX 256u

struct kernel_root {
	struct kernel_options options;
	uint32_t next_generation;
	uint32_t next_task;
	uint32_t releasing;		/* files whose release has begun or was put off, and has not ended */
	const struct file *files[FILES_MAX];
	const struct task *tasks[TASKS_MAX];
};

const struct file_ops *const file_type_ops[FILE_TYPE_MAX] = {
	[FILE_IOMMUFD] = &iommufd_file_ops,
	[FILE_IOMMUFD_FAULT] = &iommufd_fault_file_ops,
	[FILE_IOMMUFD_VEVENTQ] = &iommufd_veventq_file_ops,
	[FILE_VFIO_DEVICE] = &vfio_device_file_ops,
	[FILE_DMABUF] = &dmabuf_file_ops,
	[FILE_KVM] = &kvm_file_ops,
	[FILE_KVM_VM] = &kvm_vm_file_ops,
	[FILE_KVM_VCPU] = &kvm_vcpu_file_ops,
	[FILE_KVM_DEVICE] = &kvm_device_file_ops,
	[FILE_GUEST_MEMFD] = &guest_memfd_file_ops,
	[FILE_MEMFD] = &memfd_file_ops,
	[FILE_EVENTFD] = &eventfd_file_ops,
	[FILE_SYSFS] = &sysfs_file_ops,
	[FILE_VFIO_GROUP] = &vfio_group_file_ops,
	[FILE_VFIO_CONTAINER] = &vfio_container_file_ops,
	[FILE_IOASID] = &ioasid_file_ops,
	[FILE_VFIO_MDEV] = &vfio_mdev_file_ops,
	[FILE_MOCK_ACCESS] = &mock_access_file_ops,
	[FILE_FAULT] = &fault_file_ops,
};

static _Thread_local const struct task *current;	/* who is in the kernel, on this stack */
static const struct task_hooks *hooks;		/* process-local: set by the drop-in */

static const struct kernel_root *kernel_root(void)
{
	return image_root(IMAGE_ROOT_KERNEL);
}

int kernel_core_power_on(void)
{
	struct kernel_root *root = image_alloc(sizeof(*root), IMAGE_TYPE_ROOT);

	if (!root)
		return -ENOMEM;
	root->next_generation = 1;
	root->next_task = 1;
	image_root_set(IMAGE_ROOT_KERNEL, root);
	return 0;
}

const struct kernel_options *kernel_options(void)
{
	static const struct kernel_options none;
	const struct kernel_root *root = kernel_root();

	return root ? &root->options : &none;
}

int kernel_options_set(const struct kernel_options *options)
{
	struct kernel_options *stored;

	if (options->bound_policy > BOUND_BREAKS || options->tsm_uapi >= TSM_UAPIS)
		return -EINVAL;
	stored = image_write(&kernel_root()->options);
	*stored = *options;
	return 0;
}

/* -- tasks ------------------------------------------------------------------------------------ */

const struct task *current_task(void)
{
	return current;
}

void current_task_set(const struct task *task)
{
	current = task;
	klock_set_task(task ? task->id : 0);
}

void task_hooks_set(const struct task_hooks *new_hooks)
{
	hooks = new_hooks;
}

const struct task *task_create(const char *name, int pid)
{
	const struct kernel_root *root = kernel_root();

	for (unsigned int i = 0; i < TASKS_MAX; i++) {
		const struct task **slot;
		uint32_t *next;
		struct task *task;

		if (root->tasks[i])
			continue;
		task = image_alloc(sizeof(*task), IMAGE_TYPE_TASK);
		if (!task)
			return NULL;
		next = image_write(&root->next_task);
		task->id = (*next)++;
		task->pid = pid;
		task->rlimit_memlock = 8ull << 20;
		task->cap_ipc_lock = task->cap_sys_resource = task->cap_sys_admin = true;
		task->lane = LANE_VMM;
		strncpy(task->name, name, sizeof(task->name) - 1);
		slot = image_write(&root->tasks[i]);
		*slot = task;
		return task;
	}
	return NULL;
}

const struct task *task_find(uint32_t id)
{
	const struct kernel_root *root = kernel_root();

	for (unsigned int i = 0; i < TASKS_MAX; i++)
		if (root->tasks[i] && root->tasks[i]->id == id)
			return root->tasks[i];
	return NULL;
}

const struct task *task_next(uint32_t *index)
{
	const struct kernel_root *root = kernel_root();

	for (; *index < TASKS_MAX; (*index)++)
		if (root->tasks[*index])
			return root->tasks[(*index)++];
	return NULL;
}

void task_forget(const struct task *task)
{
	const struct kernel_root *root = kernel_root();

	for (unsigned int i = 0; i < TASKS_MAX; i++) {
		const struct task **slot;

		if (root->tasks[i] != task)
			continue;
		slot = image_write(&root->tasks[i]);
		*slot = NULL;
	}
	phys_client_forget(task->id);
	image_free(task);
}

/* -- files ------------------------------------------------------------------------------------ */

const struct file *file_create(enum file_type type, const void *priv, const char *path)
{
	const struct kernel_root *root = kernel_root();

	for (uint32_t i = 0; i < FILES_MAX; i++) {
		const struct file **slot;
		uint32_t *generation;
		struct file *file;

		if (root->files[i])
			continue;
		file = image_alloc(sizeof(*file), IMAGE_TYPE_FILE);
		if (!file)
			return NULL;
		generation = image_write(&root->next_generation);
		file->id = i + 1;
		file->generation = (*generation)++;
		file->type = (uint16_t)type;
		file->refs = 1;
		file->priv = priv;
		strncpy(file->path, path, sizeof(file->path) - 1);
		slot = image_write(&root->files[i]);
		*slot = file;
		return file;
	}
	return NULL;
}

const struct file *file_find(uint32_t id)
{
	const struct file *file;

	if (!id || id > FILES_MAX)
		return NULL;
	file = kernel_root()->files[id - 1];
	return file && file->refs ? file : NULL;
}

const struct file *file_next(uint32_t *id)
{
	for (; *id <= FILES_MAX; (*id)++)
		if (file_find(*id))
			return file_find(*id);
	return NULL;
}

void file_client_set(const struct file *file)
{
	struct file *w = image_write(file);

	w->client = true;
}

void file_client_drop(const struct file *file)
{
	struct file *w = image_write(file);

	if (!file->client)
		return;
	w->client = false;
	file_put(file);
}

void file_get(const struct file *file)
{
	struct file *w = image_write(file);

	w->refs++;
}

static void file_releasing(const struct file *file, bool later)
{
	struct file *w = image_write(file);
	uint32_t *releasing;

	w->releaser = current ? current->id : 0;
	w->later = later;
	if (w->releasing)
		return;
	w->releasing = true;
	releasing = image_write(&kernel_root()->releasing);
	++*releasing;
}

static void file_release(const struct file *file)
{
	const struct file_ops *ops = file_type_ops[file->type];
	const struct file **slot;
	uint32_t *releasing;

	file_releasing(file, false);
	if (ops->release)
		ops->release(file);
	slot = image_write(&kernel_root()->files[file->id - 1]);
	*slot = NULL;
	releasing = image_write(&kernel_root()->releasing);
	--*releasing;
	image_free(file);
}

void file_put(const struct file *file)
{
	struct file *w = image_write(file);

	if (--w->refs == 0)
		file_release(file);
}

void file_put_later(const struct file *file)
{
	struct file *w = image_write(file);

	if (!current || file->refs > 1) {
		file_put(file);
		return;
	}
	w->refs = 0;
	file_releasing(file, true);
}

bool files_releasing(void)
{
	return kernel_root()->releasing;
}

static const struct file *put_off_next(void)
{
	const struct kernel_root *root = kernel_root();

	for (uint32_t i = 0; root->releasing && i < FILES_MAX; i++)
		if (root->files[i] && root->files[i]->later && root->files[i]->releaser == current->id)
			return root->files[i];
	return NULL;
}

void files_put(void)
{
	const struct file *file;

	while ((file = put_off_next()))		/* one's release may put off another */
		file_release(file);
}

void files_reap(uint32_t dying)
{
	const struct kernel_root *root = kernel_root();

	for (uint32_t i = 0; root->releasing && i < FILES_MAX; i++) {
		const struct file *file = root->files[i];

		if (file && !file->refs && (file->releaser == dying || !task_find(file->releaser)))
			file_release(file);
	}
}

/* -- descriptors ------------------------------------------------------------------------------ */

static bool task_is_local(void)
{
	return !current || !current->pid || !hooks;
}

int fd_install(const struct file *file, unsigned int flags)
{
	if (!task_is_local())
		return hooks->install(file, flags);
	for (int fd = 0; current && fd < (int)TASK_FDS; fd++) {
		const struct file **slot;

		if (current->fds[fd])
			continue;
		slot = image_write(&current->fds[fd]);
		*slot = file;
		return fd;
	}
	return -EMFILE;
}

const struct file *fd_file(int fd)
{
	if (!task_is_local())
		return hooks->lookup(fd);
	if (!current || fd < 0 || fd >= (int)TASK_FDS)
		return NULL;
	return current->fds[fd];
}

bool fd_is_open(int fd)
{
	return fd_file(fd) || (!task_is_local() && fcntl(fd, F_GETFD) >= 0);
}

void task_notice(const char *text)
{
	if (!task_is_local() && hooks->notice)
		hooks->notice(text);
}

/* -- mappings --------------------------------------------------------------------------------- */

const struct file *task_mapping(const struct task *task, uint64_t address, uint64_t *offset,
				uint64_t *left)
{
	const struct vma *vma;

	if (task->pid)
		return task->pid == getpid() && hooks ? hooks->mapping(address, offset, left) : NULL;
	vma = task_vma(task, address, 1);
	if (!vma || !vma->file)
		return NULL;
	*offset = vma->offset + (address - vma->start);
	*left = vma->start + vma->len - address;
	return vma->file;
}

/* -- events ----------------------------------------------------------------------------------- */

int event_ref_get(int fd, struct event_ref *ref)
{
	const struct file *file;
	int copy;

	memset(ref, 0, sizeof(*ref));
	if (!task_is_local()) {
		copy = hooks->event_get(fd);
		if (copy < 0)
			return copy;
		ref->task = current->id;
		ref->fd = copy;
		return 0;
	}
	file = fd_file(fd);
	if (!file)
		return -EBADF;
	if (file->type != FILE_EVENTFD)
		return -EINVAL;
	file_get(file);
	ref->file = file->id;
	return 0;
}

void event_ref_put(struct event_ref *ref)
{
	const struct file *file = file_find(ref->file);

	if (file)
		file_put(file);
	else if (ref->task && hooks)
		hooks->event_put(ref->task, ref->fd);
	memset(ref, 0, sizeof(*ref));
}

void event_signal(const struct event_ref *ref)
{
	const struct file *file = file_find(ref->file);

	if (file)
		eventfd_signal(file, 1);
	else if (ref->task && hooks)
		hooks->event_signal(ref->task, ref->fd);
}

void files_polled(void)
{
	if (hooks && hooks->polled)
		hooks->polled();
}

int user_copy(void *to, const void *from, size_t len)
{
	return task_is_local() || !hooks->copy ? -ENOSYS : hooks->copy(to, from, len);
}
