/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel lane's common ground: tasks, open files, user memory. Every call from outside comes in
 * through kernel/syscall.h, which runs it under image_call(): a handler just returns -errno and
 * everything it did since the last commit is undone.
 *
 * Handlers run in the context of current_task(). Look-ups hand out const; image_write() to change.
 */
#ifndef SWTIO_KERNEL_KERNEL_H
#define SWTIO_KERNEL_KERNEL_H

#include <errno.h>
#include <stdio.h>

#include "image/bytes.h"
#include "image/idtable.h"
#include "image/image.h"
#include "image/klock.h"
#include "image/mutant.h"
#include "trace/trace.h"

enum file_type {
	FILE_NONE, FILE_IOMMUFD, FILE_IOMMUFD_FAULT, FILE_IOMMUFD_VEVENTQ, FILE_VFIO_DEVICE, FILE_DMABUF,
	FILE_KVM, FILE_KVM_VM, FILE_KVM_VCPU, FILE_KVM_DEVICE, FILE_GUEST_MEMFD, FILE_MEMFD, FILE_EVENTFD,
	FILE_SYSFS, FILE_VFIO_GROUP, FILE_VFIO_CONTAINER, FILE_IOASID, FILE_VFIO_MDEV,
	FILE_MOCK_ACCESS, FILE_FAULT,
	FILE_TYPE_MAX
};

/* An open file description. References: descriptors (simulated tasks), one for all the real
 * descriptors of a client, and in-kernel ones (file_get). At the last file_put release runs. */
struct file {
	uint32_t id;			/* never 0 */
	uint32_t generation;
	uint16_t type;			/* enum file_type */
	uint16_t path_length;
	uint32_t refs;
	uint32_t flags;			/* O_ACCMODE, O_NONBLOCK */
	bool releasing;			/* release has begun */
	bool later;			/* or will at the end of the call (file_put_later) */
	bool client;			/* one reference is real descriptors of client processes */
	uint32_t releaser;		/* task running release, once refs is 0; reaped if that task dies */
	uint64_t position;
	uint64_t node;			/* the drop-in's: inode behind descriptors that can be polled */
	const void *priv;		/* the room's object */
	char path[64];			/* for fdinfo and inspection */
};

#define TASK_FDS 128u
#define TASK_VMAS 64u
#define TASK_CALLS 8u

struct vma {				/* what a mapping of one of our files, or of plain memory, is */
	uint64_t start, len;		/* user addresses */
	const struct file *file;	/* NULL: anonymous */
	uint64_t offset;
	const void *memory;		/* image memory behind it, NULL: client's own */
	uint64_t hpa;			/* MMIO: where an access goes as a TLP; 0: plain memory */
	uint8_t prot;
	bool shared;
	bool revoked;			/* access gives SIGBUS */
	bool unmapped;			/* plain memory the task unmapped; kept to its end: it may be pinned */
};

struct task {				/* a process as the kernel lane sees it */
	uint32_t id;
	int32_t pid;			/* real process, 0 for a simulated one */
	bool cap_ipc_lock, cap_sys_resource, cap_sys_admin;
	uint64_t rlimit_memlock;	/* bytes */
	uint64_t pinned_vm, locked_vm;	/* pages */
	uint32_t uid;
	uint8_t lane;			/* enum lane its calls come from in the trace */
	bool dying;
	char name[16];
	const struct file *in_call[TASK_CALLS];	/* files held by calls in flight, dropped if it dies */
	const struct file *fds[TASK_FDS];	/* simulated tasks only */
	struct vma vmas[TASK_VMAS];		/* simulated tasks only */
};

/* mmap answers how a mapping is backed. */
struct mmap_request {
	uint64_t offset, len;
	int prot, flags;
	const void *memory;		/* out: image memory to map, or NULL */
	uint32_t bar_file;		/* out: what a client process maps instead (hardware/bar_file.h), 0: none */
	uint64_t hpa;			/* out: its host-physical address when it is MMIO, else 0 */
	bool revoked;			/* out: the mapping begins revoked */
	bool trapped;			/* out: no memory: each load and store is a file_ops.access */
};

struct file_ops {
	const char *name;
	long (*ioctl)(const struct file *file, unsigned int cmd, uint64_t arg);
	ssize_t (*read)(const struct file *file, uint64_t to, size_t len, uint64_t position);
	ssize_t (*write)(const struct file *file, uint64_t from, size_t len, uint64_t position);
	int (*mmap)(const struct file *file, struct mmap_request *request);
	/* A load or store through a mapping that traps, within a page: 0, or -ENXIO for SIGBUS. */
	int (*access)(const struct file *file, uint64_t offset, void *data, uint64_t len, bool write);
	void (*unmapped)(const struct file *file, const struct vma *vma);
	unsigned int (*poll)(const struct file *file);	/* POLLIN, ... ; NULL: not pollable */
	int (*fdinfo)(const struct file *file, char *text, size_t len);
	int (*truncate)(const struct file *file, uint64_t size);
	void (*release)(const struct file *file);	/* cannot fail; every reference is gone */
};
extern const struct file_ops *const file_type_ops[FILE_TYPE_MAX];	/* kernel/file.c */

/* Each room defines its row. */
extern const struct file_ops iommufd_file_ops, iommufd_fault_file_ops, iommufd_veventq_file_ops,
	vfio_device_file_ops, dmabuf_file_ops, kvm_file_ops, kvm_vm_file_ops, kvm_vcpu_file_ops,
	kvm_device_file_ops, guest_memfd_file_ops, memfd_file_ops, eventfd_file_ops, sysfs_file_ops,
	vfio_group_file_ops, vfio_container_file_ops, ioasid_file_ops, vfio_mdev_file_ops,
	mock_access_file_ops, fault_file_ops;

/* What open() of a device node makes: each room's own; -errno or 0 and a file with one reference. */
int iommufd_open(const char *path, int flags, const struct file **file);
int ioasid_open(const char *path, int flags, const struct file **file);
int vfio_device_open(const char *path, int flags, const struct file **file);
int vfio_group_open(const char *path, int flags, const struct file **file);
int vfio_container_open(const char *path, int flags, const struct file **file);
int kvm_open(const char *path, int flags, const struct file **file);

int kernel_power_on(void);		/* all rooms, in order */

/* -- tasks -- */
const struct task *current_task(void);
void current_task_set(const struct task *task);		/* of this thread */
const struct task *task_create(const char *name, int pid);	/* NULL: no memory */
const struct task *task_find(uint32_t id);
const struct task *task_next(uint32_t *index);		/* iterates; *index from 0 */
void task_exit(const struct task *task);		/* closes all it has, as a kill does */

/* -- files -- */
const struct file *file_create(enum file_type type, const void *priv, const char *path);	/* refs 1, or NULL */
const struct file *file_find(uint32_t id);
const struct file *file_next(uint32_t *id);		/* first with an id >= *id, which is updated */
void file_client_set(const struct file *file);		/* the caller's reference is now its descriptors' */
void file_client_drop(const struct file *file);		/* the last of them is gone */
void file_get(const struct file *file);
void file_put(const struct file *file);			/* may run release */
/* For who is in the middle of a change: release, which may commit, runs when the system call is over,
 * as Linux's fput() has it. Outside of a call it runs at once. */
void file_put_later(const struct file *file);
/* Installs a new descriptor in the current task, taking over the caller's reference. In a client
 * process the shim turns it into a real descriptor when the call returns. fd >= 0 or -EMFILE. */
int fd_install(const struct file *file, unsigned int flags);
const struct file *fd_file(int fd);			/* of the current task; NULL: none of ours. No reference taken. */
bool fd_is_open(int fd);				/* of the current task, ours or not */

/* In a real client process descriptors and eventfds are the drop-in's: it sets these once. NULL (the
 * default) means simulated tasks, whose descriptors are in struct task. */
struct task_hooks {
	int (*install)(const struct file *file, unsigned int flags);	/* fd or -errno */
	const struct file *(*lookup)(int fd);
	int (*event_get)(int fd);		/* a duplicate that stays, or -EBADF, -EINVAL */
	void (*event_put)(uint32_t task, int fd);
	void (*event_signal)(uint32_t task, int fd);
	void (*polled)(void);
	int (*copy)(void *to, const void *from, size_t len);	/* 0 or -EFAULT */
	/* The file that is mapped at an address of this process, or NULL; where in it, and how much
	 * of the mapping is left there. */
	const struct file *(*mapping)(uint64_t address, uint64_t *offset, uint64_t *left);
	void (*notice)(const char *text);	/* a line for whoever runs the client */
};
/* Whoever changes what some file's poll() says, says so. */
void files_polled(void);
void task_hooks_set(const struct task_hooks *hooks);	/* process-local */
void task_notice(const char *text);			/* nothing for a simulated task */

/* Mappings of file's [offset, +len) in every task: access gives SIGBUS until restored. */
/* The file mapped at an address of a task (NULL: none of ours), the offset in it, the bytes left. */
const struct file *task_mapping(const struct task *task, uint64_t address, uint64_t *offset,
				uint64_t *left);
void vma_revoke(const struct file *file, uint64_t offset, uint64_t len);
void vma_restore(const struct file *file, uint64_t offset, uint64_t len);

/* -- memfds: (file, offset) names a page. NULL: the file is not a memfd. *run as user_page(). -- */
bool file_is_memfd(const struct file *file);
uint64_t memfd_size(const struct file *file);
uint64_t memfd_page(const struct file *file, uint64_t offset, uint64_t len, uint64_t *run);	/* HPA, 0: beyond the end */

/* -- user memory: never dereferenced unguarded; 0 or -EFAULT -- */
int copy_from_user(void *to, uint64_t from, size_t len);
int copy_to_user(uint64_t to, const void *from, size_t len);
int clear_user(uint64_t to, size_t len);
/* The extension rule: copies min(usize, ksize), zero-fills the rest; -E2BIG when the user's tail has
 * a non-zero byte; -EFAULT. */
int copy_struct_from_user(void *to, size_t ksize, uint64_t from, size_t usize);

/* The physical page behind a user address of a task, for pinning: its HPA, or 0 (-EFAULT to the
 * client). *run: bytes physically contiguous from there (at most len). Takes a pin on the page. */
uint64_t user_page(const struct task *task, uint64_t address, uint64_t len, bool write, uint64_t *run);

/* -- memory of real client processes, under the drop-in (kernel/client.c) -- */
/* As user_page(), and it stays reachable for devices whatever the client does to its mapping. */
uint64_t client_page(const struct task *task, uint64_t address, uint64_t len, bool write, uint64_t *run);
/* The client is about to unmap, overlay or drop [address, +len) of its memory: what is pinned of it
 * is moved away, so that devices keep it, and leaves a hole. 1 there was something, 0, or -ENOMEM. */
int client_leaving(const struct task *task, uint64_t address, uint64_t len);
/* ... and has moved its memory. */
void client_moved(uint64_t from, uint64_t to, uint64_t len);
/* What the real kernel lets the current process do: capabilities, RLIMIT_MEMLOCK, uid. */
void client_credentials(const struct task *task);
/* A real memfd by descriptor of this process: *owner names it from now on, 0: it is no memory.
 * 0, -EBADF, -ENOMEM. */
int client_memfd(int fd, uint32_t *owner);
/* As memfd_page(); len bytes must be there. */
uint64_t client_memfd_page(uint32_t owner, uint64_t offset, uint64_t len, uint64_t *run);

/* -- events to user space: an eventfd by descriptor of the current task -- */
struct event_ref { uint32_t file; uint32_t task; int32_t fd; };	/* zero: none */
int event_ref_get(int fd, struct event_ref *ref);	/* 0, -EBADF, -EINVAL not an eventfd */
void event_ref_put(struct event_ref *ref);
void event_signal(const struct event_ref *ref);

/* -- switches of a run -- */
struct kernel_options {
	bool extensions;	/* what Linux 7.2 lacks; off: ENOTTY as Linux says */
	bool mock;		/* IOMMU_TEST_CMD and its device */
	bool type1;		/* /dev/vfio/vfio is the type 1 driver's, else iommufd's */
	bool kvm;		/* the drop-in serves /dev/kvm too, else it is the real kernel's */
	bool private_for_life;	/* a bindable device is never host-accessible (R4.4) */
	uint8_t bound_policy;	/* enum bound_policy: config writes and resets on a bound device */
	uint8_t tsm_uapi;	/* enum tsm_uapi */
	uint8_t sept;		/* enum sept_policy */
};
enum bound_policy { BOUND_BLOCKED, BOUND_BREAKS };
/* TDX: how long private MMIO stays in the S-EPT: until the unbind, or as long as the vDEVICE is. */
enum sept_policy { SEPT_WHILE_BOUND, SEPT_ALWAYS_MAPPED };
/* Which of the proposals for bind and guest requests is spoken (iommufd/tsm_uapi.c). */
enum tsm_uapi { TSM_UAPI_V5, TSM_UAPI_2026_06, TSM_UAPI_VFIO, TSM_UAPIS };
const char *tsm_uapi_name(unsigned int uapi);	/* NULL after the last */
int tsm_uapi_find(const char *name);		/* enum tsm_uapi, or -EINVAL */
bool tsm_uapi_bind_in_vfio(void);		/* does the spoken one have VFIO_DEVICE_TSM_*? */
const struct kernel_options *kernel_options(void);
int kernel_options_set(const struct kernel_options *options);

#endif
