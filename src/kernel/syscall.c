/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls. Each runs under image_call(), so that a failure is undone. The file a call works on
 * is held for its duration, in a slot of the task that outlives a kill: when the task dies in the
 * call, its exit drops the hold.
 */
#include <string.h>
#include <sys/mman.h>

#include "hardware/cpu.h"
#include "kernel/core.h"
#include "kernel/syscall.h"

/* Addresses of simulated mappings: numbers only, nothing of this process lives there. */
#define SIM_VA_START 0x200000000000ull
#define SIM_VA_END 0x300000000000ull

struct call {
	const struct task *task;
	const struct file *file;	/* held for the call, or NULL */
	int fd;
	unsigned int cmd;
	int flags;
	uint64_t arg, len, offset;
	const char *path;
	uint64_t *out;
	struct mmap_request *request;
};

static const enum lane file_lane[FILE_TYPE_MAX] = {
	[FILE_IOMMUFD] = LANE_IOMMUFD, [FILE_IOMMUFD_FAULT] = LANE_IOMMUFD,
	[FILE_IOMMUFD_VEVENTQ] = LANE_IOMMUFD, [FILE_VFIO_DEVICE] = LANE_VFIO,
	[FILE_DMABUF] = LANE_VFIO, [FILE_KVM] = LANE_KVM, [FILE_KVM_VM] = LANE_KVM,
	[FILE_KVM_VCPU] = LANE_KVM, [FILE_KVM_DEVICE] = LANE_KVM, [FILE_GUEST_MEMFD] = LANE_KVM,
	[FILE_VFIO_GROUP] = LANE_VFIO, [FILE_VFIO_CONTAINER] = LANE_VFIO,
	[FILE_MEMFD] = LANE_VMM, [FILE_EVENTFD] = LANE_VMM, [FILE_SYSFS] = LANE_TSM,
	[FILE_IOASID] = LANE_IOASID, [FILE_VFIO_MDEV] = LANE_VFIO,
	[FILE_MOCK_ACCESS] = LANE_IOMMUFD,
};

static bool traced(const struct file *file)
{
	return file && file->type != FILE_MEMFD && file->type != FILE_EVENTFD && file->type != FILE_SYSFS;
}

static int call_hold(const struct call *call)
{
	for (unsigned int i = 0; i < TASK_CALLS; i++) {
		const struct file **slot;

		if (call->task->in_call[i])
			continue;
		slot = image_write(&call->task->in_call[i]);
		*slot = call->file;
		file_get(call->file);
		image_commit();
		return 0;
	}
	return -EAGAIN;
}

static void call_drop(const struct task *task, const struct file *file)
{
	for (unsigned int i = TASK_CALLS; i-- > 0;) {
		const struct file **slot;

		if (task->in_call[i] != file)
			continue;
		slot = image_write(&task->in_call[i]);
		*slot = NULL;
		file_put(file);
		return;
	}
}

struct held_call {
	long (*fn)(struct call *call);
	struct call *call;
};

static long held_call_run(void *arg)
{
	const struct held_call *held = arg;
	int rc = held->call->file ? call_hold(held->call) : 0;

	return rc ? rc : held->fn(held->call);
}

static long held_call_drop(void *arg)
{
	const struct call *call = arg;

	call_drop(call->task, call->file);
	return 0;
}

static long put_off_run(void *arg)
{
	(void)arg;
	files_put();
	return 0;
}

static long call_run(long (*fn)(struct call *call), struct call *call)
{
	const struct task *before = current_task();
	struct held_call held = { fn, call };
	uint8_t depth = trace_depth();
	long rc = image_enter();

	if (rc)
		return rc;
	current_task_set(call->task);
	files_reap(0);
	rc = image_call(held_call_run, &held);
	if (call->file)
		image_call(held_call_drop, call);
	if (files_releasing())
		image_call(put_off_run, NULL);
	trace_depth_set(depth);
	current_task_set(before);
	image_leave();
	return rc;
}

static long call_run_fd(long (*fn)(struct call *call), struct call *call)
{
	if (call->fd < 0 || call->fd >= (int)TASK_FDS || !call->task->fds[call->fd])
		return -EBADF;
	call->file = call->task->fds[call->fd];
	return call_run(fn, call);
}

/* -- open, close, dup ------------------------------------------------------------------------- */

static long do_open(struct call *call)
{
	const struct file *file;
	struct trace_call trace;
	char name[TRACE_NAME];
	int fd, rc;

	rc = path_open(call->path, call->flags, &file);
	if (rc)
		return rc;
	fd = fd_install(file, (unsigned int)call->flags);
	if (fd >= 0 && traced(file)) {
		snprintf(name, sizeof(name), "open %s", call->path);
		trace = TRACE_CALL0((enum lane)call->task->lane, file_lane[file->type], name);
		trace_return(&trace, fd, NULL);
	}
	return fd;
}

int sys_open(const struct task *task, const char *path, int flags)
{
	struct call call = { .task = task, .path = path, .flags = flags };

	return (int)call_run(do_open, &call);
}

static void task_close(const struct task *task, int fd)
{
	const struct file *file = task->fds[fd];
	const struct file **slot = image_write(&task->fds[fd]);
	struct trace_call trace;
	char name[TRACE_NAME];

	*slot = NULL;
	if (!traced(file)) {
		file_put(file);
		return;
	}
	snprintf(name, sizeof(name), "close %s", file->path);
	trace = TRACE_CALL0((enum lane)task->lane, file_lane[file->type], name);
	file_put(file);
	trace_return(&trace, 0, NULL);
}

static long do_close(struct call *call)
{
	if (call->fd < 0 || call->fd >= (int)TASK_FDS || !call->task->fds[call->fd])
		return -EBADF;
	task_close(call->task, call->fd);
	return 0;
}

int sys_close(const struct task *task, int fd)
{
	struct call call = { .task = task, .fd = fd };

	return (int)call_run(do_close, &call);
}

static long do_dup(struct call *call)
{
	file_get(call->file);
	return fd_install(call->file, 0);
}

int sys_dup(const struct task *task, int fd)
{
	struct call call = { .task = task, .fd = fd };

	return (int)call_run_fd(do_dup, &call);
}

/* -- ioctl, read, write ----------------------------------------------------------------------- */

static long do_ioctl(struct call *call)
{
	const struct file_ops *ops = file_type_ops[call->file->type];

	return ops->ioctl ? ops->ioctl(call->file, call->cmd, call->arg) : -ENOTTY;
}

long sys_ioctl(const struct task *task, int fd, unsigned int cmd, uint64_t arg)
{
	struct call call = { .task = task, .fd = fd, .cmd = cmd, .arg = arg };

	return call_run_fd(do_ioctl, &call);
}

long file_ioctl(const struct task *task, const struct file *file, unsigned int cmd, uint64_t arg)
{
	struct call call = { .task = task, .file = file, .cmd = cmd, .arg = arg };

	return call_run(do_ioctl, &call);
}

static long do_pread(struct call *call)
{
	const struct file_ops *ops = file_type_ops[call->file->type];

	return ops->read ? ops->read(call->file, call->arg, call->len, call->offset) : -EINVAL;
}

static long do_pwrite(struct call *call)
{
	const struct file_ops *ops = file_type_ops[call->file->type];

	return ops->write ? ops->write(call->file, call->arg, call->len, call->offset) : -EINVAL;
}

/* read() and write() go by the file's own position; the room sees it as the offset. */
static long do_stream(struct call *call)
{
	long rc;

	call->offset = call->file->position;
	rc = call->cmd ? do_pwrite(call) : do_pread(call);
	if (rc > 0 && (call->file->type == FILE_SYSFS || call->file->type == FILE_MEMFD)) {
		struct file *file = image_write(call->file);

		file->position += (uint64_t)rc;
	}
	return rc;
}

ssize_t sys_read(const struct task *task, int fd, void *to, size_t len)
{
	struct call call = { .task = task, .fd = fd, .arg = (uint64_t)(uintptr_t)to, .len = len };

	return call_run_fd(do_stream, &call);
}

ssize_t sys_write(const struct task *task, int fd, const void *from, size_t len)
{
	struct call call = { .task = task, .fd = fd, .cmd = 1, .arg = (uint64_t)(uintptr_t)from, .len = len };

	return call_run_fd(do_stream, &call);
}

ssize_t file_pread(const struct task *task, const struct file *file, uint64_t to, size_t len, uint64_t offset)
{
	struct call call = { .task = task, .file = file, .arg = to, .len = len, .offset = offset };

	return call_run(do_pread, &call);
}

ssize_t file_pwrite(const struct task *task, const struct file *file, uint64_t from, size_t len, uint64_t offset)
{
	struct call call = { .task = task, .file = file, .arg = from, .len = len, .offset = offset };

	return call_run(do_pwrite, &call);
}

ssize_t file_read(const struct task *task, const struct file *file, uint64_t to, size_t len)
{
	struct call call = { .task = task, .file = file, .arg = to, .len = len };

	return call_run(do_stream, &call);
}

ssize_t file_write(const struct task *task, const struct file *file, uint64_t from, size_t len)
{
	struct call call = { .task = task, .file = file, .cmd = 1, .arg = from, .len = len };

	return call_run(do_stream, &call);
}

ssize_t sys_pread(const struct task *task, int fd, void *to, size_t len, uint64_t offset)
{
	struct call call = { .task = task, .fd = fd, .arg = (uint64_t)(uintptr_t)to, .len = len, .offset = offset };

	return call_run_fd(do_pread, &call);
}

ssize_t sys_pwrite(const struct task *task, int fd, const void *from, size_t len, uint64_t offset)
{
	struct call call = { .task = task, .fd = fd, .arg = (uint64_t)(uintptr_t)from, .len = len,
			     .offset = offset };

	return call_run_fd(do_pwrite, &call);
}

unsigned int sys_poll(const struct task *task, int fd)
{
	const struct file *file;

	if (fd < 0 || fd >= (int)TASK_FDS || !task->fds[fd])
		return 0;
	file = task->fds[fd];
	return file_type_ops[file->type]->poll ? file_type_ops[file->type]->poll(file) : 0;
}

/* -- files a task makes for itself ------------------------------------------------------------- */

static long do_memfd(struct call *call)
{
	const struct file *file;
	int rc = memfd_create_file(call->path, &file);

	return rc ? rc : fd_install(file, (unsigned int)call->flags);
}

int sys_memfd_create(const struct task *task, const char *name, unsigned int flags)
{
	struct call call = { .task = task, .path = name, .flags = (int)flags };

	return (int)call_run(do_memfd, &call);
}

static long do_truncate(struct call *call)
{
	const struct file_ops *ops = file_type_ops[call->file->type];

	return ops->truncate ? ops->truncate(call->file, call->len) : -EINVAL;
}

int sys_ftruncate(const struct task *task, int fd, uint64_t size)
{
	struct call call = { .task = task, .fd = fd, .len = size };

	return (int)call_run_fd(do_truncate, &call);
}

static long do_eventfd(struct call *call)
{
	const struct file *file;
	int rc = eventfd_create(call->cmd, &file);

	return rc ? rc : fd_install(file, (unsigned int)call->flags);
}

int sys_eventfd(const struct task *task, unsigned int initial, int flags)
{
	struct call call = { .task = task, .cmd = initial, .flags = flags };

	return (int)call_run(do_eventfd, &call);
}

/* -- mappings --------------------------------------------------------------------------------- */

/* The first gap in the simulated address space that holds len, 2 MiB aligned. */
static uint64_t address_find(const struct task *task, uint64_t len)
{
	uint64_t at = SIM_VA_START;

	for (unsigned int i = 0; i < TASK_VMAS; i++) {
		const struct vma *vma = &task->vmas[i];

		if (vma->len && vma->start < at + len && at < vma->start + vma->len) {
			at = (vma->start + vma->len + PHYS_2M - 1) & ~(PHYS_2M - 1);
			i = UINT32_MAX;		/* look at all again */
		}
	}
	return len <= SIM_VA_END - at ? at : 0;
}

static long mapping_memory(const struct call *call, struct mmap_request *request)
{
	const struct file_ops *ops;

	if (!call->file) {
		request->memory = image_bulk_alloc(request->len, IMAGE_TYPE_RAM);
		return request->memory ? 0 : -ENOMEM;
	}
	ops = file_type_ops[call->file->type];
	return ops->mmap ? ops->mmap(call->file, request) : -ENODEV;
}

static long do_mmap(struct call *call)
{
	uint64_t len = (call->len + PHYS_PAGE - 1) & ~(uint64_t)(PHYS_PAGE - 1);
	struct mmap_request request = { .offset = call->offset, .len = len, .prot = (int)call->cmd,
					.flags = call->flags };
	struct vma *vma;
	uint64_t at;
	long rc;

	if (!call->len || len < call->len)
		return -EINVAL;
	at = address_find(call->task, len);
	if (!at)
		return -ENOMEM;
	rc = mapping_memory(call, &request);
	if (rc)
		return rc;
	for (unsigned int i = 0; i < TASK_VMAS; i++) {
		if (call->task->vmas[i].len)
			continue;
		vma = image_write(&call->task->vmas[i]);
		*vma = (struct vma){ .start = at, .len = len, .file = call->file, .offset = call->offset,
				     .memory = request.memory, .hpa = request.hpa, .prot = (uint8_t)call->cmd,
				     .shared = call->flags & MAP_SHARED, .revoked = request.revoked };
		if (call->file)
			file_get(call->file);
		*call->out = at;
		return 0;
	}
	return -ENOMEM;
}

int sys_mmap(const struct task *task, uint64_t len, int prot, int flags, int fd, uint64_t offset, uint64_t *address)
{
	struct call call = { .task = task, .fd = fd, .cmd = (unsigned int)prot, .flags = flags, .len = len,
			     .offset = offset, .out = address };

	if (flags & MAP_ANONYMOUS)
		return (int)call_run(do_mmap, &call);
	return (int)call_run_fd(do_mmap, &call);
}

static long do_mmap_ask(struct call *call)
{
	return mapping_memory(call, call->request);
}

int file_mmap(const struct task *task, const struct file *file, struct mmap_request *request)
{
	struct call call = { .task = task, .file = file, .request = request };

	return (int)call_run(do_mmap_ask, &call);
}

static long do_trap(struct call *call)
{
	const struct file_ops *ops = file_type_ops[call->file->type];

	return ops->access ? ops->access(call->file, call->offset, call->out, call->len, call->cmd)
			   : -ENXIO;
}

int file_access(const struct task *task, const struct file *file, uint64_t offset, void *data,
		uint64_t len, bool write)
{
	struct call call = { .task = task, .file = file, .cmd = write, .offset = offset, .len = len,
			     .out = data };

	return (int)call_run(do_trap, &call);
}

static long do_unmapped(struct call *call)
{
	const struct vma gone = { .file = call->file, .offset = call->offset, .len = call->len };

	if (file_type_ops[call->file->type]->unmapped)
		file_type_ops[call->file->type]->unmapped(call->file, &gone);
	return 0;
}

void file_unmapped(const struct task *task, const struct file *file, uint64_t offset, uint64_t len)
{
	struct call call = { .task = task, .file = file, .offset = offset, .len = len };

	call_run(do_unmapped, &call);
}

static void vma_drop(const struct vma *vma)
{
	struct vma *w = image_write(vma);
	struct vma old = *vma;

	if (!old.file && !current_task()->dying) {
		w->unmapped = true;
		return;
	}
	memset(w, 0, sizeof(*w));
	if (!old.file) {
		image_bulk_free(old.memory);
		return;
	}
	if (file_type_ops[old.file->type]->unmapped)
		file_type_ops[old.file->type]->unmapped(old.file, &old);
	file_put(old.file);
}

static long do_munmap(struct call *call)
{
	const struct vma *vma = task_vma(call->task, call->arg, 1);

	if (!vma || vma->start != call->arg || call->len > vma->len || call->len + PHYS_PAGE <= vma->len)
		return -EINVAL;
	vma_drop(vma);
	return 0;
}

int sys_munmap(const struct task *task, uint64_t address, uint64_t len)
{
	struct call call = { .task = task, .arg = address, .len = len };

	return (int)call_run(do_munmap, &call);
}

const struct vma *task_vma(const struct task *task, uint64_t address, uint64_t len)
{
	for (unsigned int i = 0; i < TASK_VMAS; i++) {
		const struct vma *vma = &task->vmas[i];

		if (vma->len && !vma->unmapped && address >= vma->start && address - vma->start < vma->len &&
		    len <= vma->len - (address - vma->start))
			return vma;
	}
	return NULL;
}

static void vma_mark(const struct file *file, uint64_t offset, uint64_t len, bool revoked)
{
	const struct task *task;
	uint32_t index = 0;

	while ((task = task_next(&index)))
		for (unsigned int i = 0; i < TASK_VMAS; i++) {
			const struct vma *vma = &task->vmas[i];
			struct vma *w;

			if (!vma->len || vma->file != file || vma->offset >= offset + len ||
			    offset >= vma->offset + vma->len)
				continue;
			w = image_write(vma);
			w->revoked = revoked;
		}
}

void vma_revoke(const struct file *file, uint64_t offset, uint64_t len)
{
	vma_mark(file, offset, len, true);
}

void vma_restore(const struct file *file, uint64_t offset, uint64_t len)
{
	vma_mark(file, offset, len, false);
}

/* -- loads and stores ------------------------------------------------------------------------- */

static long do_access(struct call *call)
{
	const struct vma *vma = task_vma(call->task, call->arg, call->len);
	bool write = call->cmd;
	const uint8_t *memory;
	uint64_t at;

	if (!vma || !(vma->prot & (write ? PROT_WRITE : PROT_READ)))
		return -EFAULT;
	if (vma->revoked)
		return -ENXIO;
	at = call->arg - vma->start;
	if (vma->hpa) {
		/* The device's refusal is no fault for a CPU: a load gives ones, a store is lost. */
		if (write)
			cpu_host_write(vma->hpa + at, call->out, call->len);
		else if (cpu_host_read(vma->hpa + at, call->out, call->len))
			memset(call->out, 0xff, call->len);
		return 0;
	}
	memory = (const uint8_t *)vma->memory + at;
	if (write)
		memcpy(image_bulk_write(memory, call->len), call->out, call->len);
	else
		memcpy(call->out, memory, call->len);
	return 0;
}

int sys_load(const struct task *task, uint64_t address, void *to, uint64_t len)
{
	struct call call = { .task = task, .arg = address, .len = len, .out = to };

	return (int)call_run(do_access, &call);
}

int sys_store(const struct task *task, uint64_t address, const void *from, uint64_t len)
{
	struct call call = { .task = task, .cmd = 1, .arg = address, .len = len };

	/* do_access only reads through out when cmd says store */
	call.out = (uint64_t *)(uintptr_t)from;
	return (int)call_run(do_access, &call);
}

/* -- the end of a task ------------------------------------------------------------------------ */

static long do_exit_fd(struct call *call)
{
	if (call->task->fds[call->fd])
		task_close(call->task, call->fd);
	return 0;
}

/* As in Linux the mappings of files go before the descriptors; plain memory goes last, since an
 * IOAS among the descriptors may have it pinned. */
static long do_exit_vma(struct call *call)
{
	const struct vma *vma = &call->task->vmas[call->fd];

	if (vma->len && (vma->file || call->cmd))
		vma_drop(vma);
	return 0;
}

static long do_exit_call(struct call *call)
{
	const struct file *file = call->task->in_call[call->fd];

	if (file)
		call_drop(call->task, file);
	return 0;
}

/* What the task was releasing when it died is still to be released; its own exit is the one to do it. */
static long do_exit_last(struct call *call)
{
	files_reap(call->task->id);
	files_put();
	image_commit();
	task_forget(call->task);
	return 0;
}

static long do_exit_first(struct call *call)
{
	struct task *task = image_write(call->task);

	task->dying = true;
	klock_release_all(task->id);
	return 0;
}

void task_exit(const struct task *task)
{
	struct call call = { .task = task };

	call_run(do_exit_first, &call);
	for (call.fd = 0; call.fd < (int)TASK_CALLS; call.fd++)
		call_run(do_exit_call, &call);
	for (call.fd = 0; call.fd < (int)TASK_VMAS; call.fd++)
		call_run(do_exit_vma, &call);
	for (call.fd = 0; call.fd < (int)TASK_FDS; call.fd++)
		call_run(do_exit_fd, &call);
	call.cmd = 1;
	for (call.fd = 0; call.fd < (int)TASK_VMAS; call.fd++)
		call_run(do_exit_vma, &call);
	call_run(do_exit_last, &call);
}
