/* SPDX-License-Identifier: BSD-2-Clause */
/* Attaching, and the identity of descriptors. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel/syscall.h"
#include "shim/copy.h"
#include "shim/queue.h"
#include "flow/machine.h"
#include "shim/shim.h"

#define MAGIC 0x5357ull /* in bits 63:48 of a position; 63 is 0, as off_t is signed */
#define CALL_FDS 8

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards attaching */
static int attached;					 /* 0 not tried, 1 yes, -1 no */
static const struct task *task; /* NULL until wanted, and again after a fork */
static uint64_t maybe[SHIM_FDS / 64];

/* What the running call of this thread made, to be undone if it fails. */
static __thread struct {
	unsigned int n;
	int fd[CALL_FDS];
} made;

/* -- attaching --------------------------------------------------------------------------------- */

static int event_get(int fd)
{
	char path[32], link[64];
	ssize_t n;
	int copy;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, link, sizeof(link) - 1);
	if (n < 0)
		return -EBADF;
	link[n] = '\0';
	if (strcmp(link, "anon_inode:[eventfd]"))
		return -EINVAL;
	copy = shim_libc()->fcntl(fd, F_DUPFD_CLOEXEC, 512);
	return copy < 0 ? -errno : copy;
}

static bool own(uint32_t task_id)
{
	return task && task->id == task_id;
}

static void event_put(uint32_t task_id, int fd)
{
	if (own(task_id))
		shim_libc()->close(fd);
}

/* In another process the eventfd is fetched through its pidfd for the moment. */
static void event_signal_client(uint32_t task_id, int fd)
{
	const struct task *owner = own(task_id) ? task : task_find(task_id);
	const uint64_t one = 1;
	int pidfd, copy;

	if (!owner)
		return;
	if (own(task_id)) {
		if (shim_libc()->write(fd, &one, sizeof(one)) < 0)
			return;
		return;
	}
	pidfd = (int)shim_libc()->syscall(SYS_pidfd_open, owner->pid, 0);
	copy = pidfd < 0 ? -1 : (int)shim_libc()->syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	if (copy >= 0 && shim_libc()->write(copy, &one, sizeof(one)) < 0)
		errno = 0;
	if (copy >= 0)
		shim_libc()->close(copy);
	if (pidfd >= 0)
		shim_libc()->close(pidfd);
}

static int install(const struct file *file, unsigned int flags)
{
	int fd = shim_fd_make(file, flags);

	if (fd >= 0 && made.n < CALL_FDS)
		made.fd[made.n++] = fd;
	return fd;
}

static void notice(const char *text)
{
	dprintf(STDERR_FILENO, "# swtio: %s\n", text);
}

static const struct task_hooks hooks = {
	.install = install,
	.lookup = shim_fd_file,
	.event_get = event_get,
	.event_put = event_put,
	.event_signal = event_signal_client,
	.mapping = shim_mapping,
	.polled = queues_update,
	.copy = shim_copy,
	.notice = notice,
};

static bool fd_has_identity(int fd)
{
	off_t position = shim_libc()->lseek(fd, 0, SEEK_CUR);

	if (position < 0)
		return errno == ESPIPE && queue_named(fd);
	return position >> 48 == (off_t)MAGIC;
}

/* Descriptors that came across an exec are ours if their position says so. Attaching can wait until
 * there is one, or a path of ours is opened. */
bool shim_inherit(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	bool some = false;

	while (dir && (entry = readdir(dir))) {
		int fd = atoi(entry->d_name);

		if (entry->d_name[0] == '.' || !fd_has_identity(fd))
			continue;
		shim_fd_mark(fd, true);
		some = true;
	}
	if (dir)
		closedir(dir);
	return some;
}

void shim_fd_received(int fd)
{
	if (fd_has_identity(fd) && shim_ready())
		shim_fd_mark(fd, true);
}

static void forked(void);

static void attach(void)
{
	const struct shim_environment *environment = shim_environment();
	const char *image = environment->value[SHIM_IMAGE];
	const char *files = environment->value[SHIM_FILES];
	int rc;

	attached = -1;
	if (!environment->there )
		return;
	rc = image_attach_path(image);
	if (rc) {
		dprintf(STDERR_FILENO, "swtio: cannot attach to the software host (%s): %s\n",
			image, rc == -EPROTO ? "made by another version of swtio" : strerror(-rc));
		return;
	}
	shim_release_by(files);
	machine_attached();
	task_hooks_set(&hooks);
	pthread_atfork(NULL, NULL, forked);
	shim_faults_install();
	attached = 1;
}

/* The image's own descriptor is its maker's: it is opened again for each mapping a client makes. */
int shim_image_open(void)
{
	return shim_libc()->open(shim_environment()->value[SHIM_IMAGE], O_RDWR | O_CLOEXEC);
}

bool shim_attached(void)
{
	return attached > 0;
}

bool shim_ready(void)
{
	int error = errno;

	if (!attached) {
		pthread_mutex_lock(&lock);
		if (!attached)
			attach();
		pthread_mutex_unlock(&lock);
		errno = error;
	}
	return attached > 0;
}

/* Under the image's lock, which is all that is needed to make one only. */
static long task_make(void *arg)
{
	(void)arg;
	if (!task)
		__atomic_store_n(&task, task_create(program_invocation_short_name, getpid()),
			__ATOMIC_RELEASE);
	return task ? 0 : -ENOMEM;
}

const struct task *shim_task(void)
{
	if (!__atomic_load_n(&task, __ATOMIC_ACQUIRE))
		image_call(task_make, NULL);
	return __atomic_load_n(&task, __ATOMIC_ACQUIRE);
}

/* A child is a process of its own, with one thread: nobody is left who might hold the lock. */
static void forked(void)
{
	task = NULL;
	pthread_mutex_init(&lock, NULL);
}

/* -- identity -----------------------------------------------------------------------------------
 */

static off_t identity(const struct file *file)
{
	return (off_t)(MAGIC << 48 | (uint64_t)(file->generation & 0xffff) << 32 | file->id);
}

bool shim_fd_maybe(int fd)
{
	return fd >= 0 && fd < (int)SHIM_FDS && attached > 0 &&
	       __atomic_load_n(&maybe[fd / 64], __ATOMIC_RELAXED) >> (fd % 64) & 1;
}

void shim_fd_mark(int fd, bool is)
{
	if (fd < 0 || fd >= (int)SHIM_FDS)
		return;
	if (is)
		__atomic_fetch_or(&maybe[fd / 64], 1ull << fd % 64, __ATOMIC_RELAXED);
	else
		__atomic_fetch_and(&maybe[fd / 64], ~(1ull << fd % 64), __ATOMIC_RELAXED);
}

int shim_fd_make(const struct file *file, unsigned int flags)
{
	struct flock hold = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = file->id, .l_len = 1};
	bool queue = queue_is(file);
	int fd;

	if (queue) {
		fd = queue_make(file, flags);
		if (fd < 0)
			return fd;
	} else {
		fd = shim_libc()->open(shim_environment()->value[SHIM_FILES],
			O_RDWR | (int)(flags & O_CLOEXEC));
		if (fd < 0)
			return -errno;
	}
	if (shim_libc()->fcntl(fd, F_OFD_SETLK, &hold) ||
		(!queue && shim_libc()->lseek(fd, identity(file), SEEK_SET) < 0)) {
		int error = errno;

		shim_libc()->close(fd);
		return -error;
	}
	file_client_set(file);
	shim_fd_mark(fd, true);
	return fd;
}

const struct file *shim_fd_file(int fd)
{
	off_t position;
	const struct file *file;

	if (attached <= 0)
		return NULL;
	position = shim_libc()->lseek(fd, 0, SEEK_CUR);
	if (position < 0)
		return errno == ESPIPE ? queue_file(fd) : NULL;
	if (position >> 48 != (off_t)MAGIC)
		return NULL;
	file = file_find((uint32_t)position);
	return file && identity(file) == position ? file : NULL;
}

/* -- what a call made
 * ------------------------------------------------------------------------------ */

void shim_call_begin(void)
{
	made.n = 0;
}

long shim_call_end(long result)
{
	for (unsigned int i = 0; result < 0 && i < made.n; i++) {
		shim_fd_mark(made.fd[i], false);
		shim_libc()->close(made.fd[i]);
	}
	made.n = 0;
	return result;
}
