/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory of real client processes, under the drop-in. A page has one host-physical address whatever
 * its names: shared memory goes by (file, offset), so that a memfd and every mapping of it in any
 * process are one; private memory by (process, address). Reading or writing such a page is done
 * through a mapping of this process, which is made when the page is pinned or first wanted and
 * outlives what the client does to its own.
 *
 * What a process has mapped where is asked of the real kernel: /proc/PID/maps.
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

#include "kernel/core.h"
#include "kernel/iommufd/iommufd.h"

#define OWNER_FILE 0x80000000u		/* owners from here on are files, below tasks */
#define OWNER_LIFE 0x40000000u		/* of those, other lives of a task's addresses */
#define PLACE_START 0x400000000000ull	/* our own mappings: not in the holes between the client's */
#define MAPS_FD_MIN 512			/* out of the way of the client's own descriptors */
#define PROBES 256u			/* pages of another process asked for at a time */

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif
#ifndef F_GET_SEALS
#define F_GET_SEALS 1034
#endif

struct client_file {		/* in the image: a file whose pages were asked for */
	uint32_t owner;
	uint64_t dev, ino;
};

struct mapping {
	uint64_t start, end;
	bool read, write, shared;
	uint64_t offset;	/* in the file */
	uint64_t dev, ino;	/* ino 0: no file */
};

/* This process's private memory that was moved away while it was pinned: what is at its old place
 * now is other memory and goes by another owner. */
struct life {
	uint64_t start, end;
	uint32_t owner;
};

static struct {
	pid_t pid;		/* whose state this is: a fork starts afresh */
	int maps;		/* /proc/self/maps; may have been closed under us */
	uint64_t place;		/* where the next mapping of ours goes */
	struct life *lives;
	size_t count;
} local = { .maps = -1, .place = PLACE_START };

static uint64_t min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t max(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* -- what is mapped --------------------------------------------------------------------------- */

/* As in the real kernel's linux/fs.h, from 6.11 on; older headers lack it. */
struct procmap_query {
	uint64_t size, query_flags, query_addr, vma_start, vma_end, vma_flags, vma_page_size;
	uint64_t vma_offset, inode;
	uint32_t dev_major, dev_minor, vma_name_size, build_id_size;
	uint64_t vma_name_addr, build_id_addr;
};
#define PROCMAP_QUERY_IOCTL _IOWR('f', 17, struct procmap_query)
enum { PROCMAP_READABLE = 1, PROCMAP_WRITABLE = 2, PROCMAP_SHARED = 8 };

/* 1 found, 0 nothing there, -1 the real kernel cannot be asked this way. */
static int query(int fd, uint64_t address, struct mapping *m)
{
	struct procmap_query q = { .size = sizeof(q), .query_addr = address };

	if (ioctl(fd, PROCMAP_QUERY_IOCTL, &q))
		return errno == ENOENT ? 0 : -1;
	*m = (struct mapping){ .start = q.vma_start, .end = q.vma_end,
			       .read = q.vma_flags & PROCMAP_READABLE,
			       .write = q.vma_flags & PROCMAP_WRITABLE,
			       .shared = q.vma_flags & PROCMAP_SHARED,
			       .offset = q.vma_offset, .ino = q.inode,
			       .dev = makedev(q.dev_major, q.dev_minor) };
	return 1;
}

static bool line_parse(const char *line, struct mapping *m)
{
	unsigned int major_number, minor_number;
	unsigned long start, end, offset, ino;
	char perms[5];

	if (sscanf(line, "%lx-%lx %4s %lx %x:%x %lu", &start, &end, perms, &offset, &major_number,
		   &minor_number, &ino) != 7)
		return false;
	*m = (struct mapping){ .start = start, .end = end, .read = perms[0] == 'r',
			       .write = perms[1] == 'w', .shared = perms[3] == 's',
			       .offset = offset, .ino = ino,
			       .dev = makedev(major_number, minor_number) };
	return true;
}

/* The first mapping for which `want` holds, line by line. */
static bool maps_search(pid_t pid, bool (*want)(const struct mapping *m, const void *arg),
			const void *arg, struct mapping *m)
{
	char path[32], line[512];
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	file = fopen(path, "re");
	while (file && !found && fgets(line, sizeof(line), file))
		found = line_parse(line, m) && want(m, arg);
	if (file)
		fclose(file);
	return found;
}

static bool covers(const struct mapping *m, const void *arg)
{
	const uint64_t *address = arg;

	return *address >= m->start && *address < m->end;
}

static int maps_open(pid_t pid)
{
	char path[32];
	int fd, high;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	high = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, MAPS_FD_MIN);
	if (fd >= 0)
		close(fd);
	return high;
}

static void fresh_after_fork(void)
{
	if (local.pid == getpid())
		return;
	local.pid = getpid();
	local.maps = -1;
	local.count = 0;
	phys_client_unreach(OWNER_FILE);
}

static bool mapping_find(pid_t pid, uint64_t address, struct mapping *m)
{
	int rc, fd;

	if (pid == local.pid) {
		rc = local.maps < 0 ? -1 : query(local.maps, address, m);
		if (rc >= 0)
			return rc;
		local.maps = maps_open(pid);
		rc = local.maps < 0 ? -1 : query(local.maps, address, m);
	} else {
		fd = maps_open(pid);
		rc = fd < 0 ? -1 : query(fd, address, m);
		if (fd >= 0)
			close(fd);
	}
	return rc < 0 ? maps_search(pid, covers, &address, m) : rc;
}

/* -- who a page belongs to --------------------------------------------------------------------- */

struct file_search {
	uint64_t dev, ino;
	uint32_t owner, highest;
	const struct client_file *found;
};

static int file_matches(const void *object, void *arg)
{
	const struct client_file *file = object;
	struct file_search *search = arg;

	if (file->owner > search->highest)
		search->highest = file->owner;
	if (search->owner ? file->owner == search->owner
			  : file->dev == search->dev && file->ino == search->ino)
		search->found = file;
	return 0;
}

/* 0: out of memory. */
static uint32_t file_owner(uint64_t dev, uint64_t ino)
{
	struct file_search search = { .dev = dev, .ino = ino, .highest = OWNER_FILE };
	struct client_file *file;

	image_each(IMAGE_TYPE_CLIENT_FILE, file_matches, &search);
	if (search.found)
		return search.found->owner;
	file = image_alloc(sizeof(*file), IMAGE_TYPE_CLIENT_FILE);
	if (!file)
		return 0;
	file->owner = search.highest + 1;
	file->dev = dev;
	file->ino = ino;
	return file->owner;
}

static const struct client_file *file_by_owner(uint32_t owner)
{
	struct file_search search = { .owner = owner };

	image_each(IMAGE_TYPE_CLIENT_FILE, file_matches, &search);
	return search.found;
}

/* The image itself: BARs and the like, which are not to be pinned. */
static bool is_image(const struct mapping *m)
{
	static uint64_t dev, ino;
	struct mapping image;

	if (!ino && mapping_find(getpid(), IMAGE_BASE, &image)) {
		dev = image.dev;
		ino = image.ino;
	}
	return m->ino == ino && m->dev == dev;
}

/* Who owns this process's private memory at an address, and from where to where: in, a mapping. */
static uint32_t private_owner(const struct task *task, uint64_t address, uint64_t *start,
			      uint64_t *end)
{
	uint32_t owner = task->id;

	for (size_t i = 0; task->pid == local.pid && i < local.count; i++) {
		const struct life *life = &local.lives[i];
		bool in = address >= life->start && address < life->end;

		if (in)
			owner = life->owner;
		if (life->start > address || in)
			*end = min(*end, in ? life->end : life->start);
		if (life->end <= address || in)
			*start = max(*start, in ? life->start : life->end);
	}
	return owner;
}

/* -- reaching it ------------------------------------------------------------------------------ */

static uint64_t page_down(uint64_t address)
{
	return address & ~(uint64_t)(PHYS_PAGE - 1);
}

static uint64_t page_up(uint64_t address)
{
	return page_down(address + PHYS_PAGE - 1);
}

/* Addresses for a mapping of ours, or MAP_FAILED. */
static void *place(uint64_t len)
{
	void *at = mmap((void *)(uintptr_t)local.place, len, PROT_NONE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (at != MAP_FAILED)
		local.place += (len + PHYS_2M - 1) & ~(PHYS_2M - 1);
	return at;
}

/* A second mapping of shared memory, which stays when the client unmaps its own. */
static void *alias(const struct mapping *m)
{
	uint64_t len = m->end - m->start;
	void *old = (void *)(uintptr_t)m->start, *at = place(len);

	if (at == MAP_FAILED)
		return old;
	if (mremap(old, 0, len, MREMAP_MAYMOVE | MREMAP_FIXED, at) != MAP_FAILED)
		return at;
	munmap(at, len);		/* huge pages have no second mapping */
	return old;
}

/* Pages of this process are faulted in as pinning does; what comes is what the device sees. */
static bool populate(const struct mapping *m, uint64_t address, uint64_t len, bool write)
{
	uint64_t start = page_down(address);
	bool own = write || (!m->shared && m->write);	/* a private page is not to change later */

	return !madvise((void *)(uintptr_t)start, page_up(address + len) - start,
			own ? MADV_POPULATE_WRITE : MADV_POPULATE_READ);
}

/* Pages of another process are there if they can be read. */
static bool probe(pid_t pid, uint64_t address, uint64_t len)
{
	uint64_t end = page_up(address + len);
	struct iovec remote[PROBES], to;
	uint8_t bytes[PROBES] = {0};

	for (uint64_t at = page_down(address); at < end;) {
		unsigned int n = 0;

		for (; n < PROBES && at < end; n++, at += PHYS_PAGE)
			remote[n] = (struct iovec){ (void *)(uintptr_t)at, 1 };
		to = (struct iovec){ bytes, n };
		if (process_vm_readv(pid, &to, 1, remote, n, 0) != (ssize_t)n)
			return false;
	}
	return true;
}

uint64_t client_page(const struct task *task, uint64_t address, uint64_t len, bool write,
		     uint64_t *run)
{
	uint64_t at, hpa, start, end;
	struct mapping m;
	bool here, file;
	uint32_t owner;

	fresh_after_fork();
	here = task->pid == local.pid;
	if (!mapping_find(task->pid, address, &m) || !(write ? m.write : m.read) || is_image(&m))
		return 0;
	start = m.start;
	end = m.end;
	file = m.shared && m.ino;
	owner = file ? file_owner(m.dev, m.ino) : private_owner(task, address, &start, &end);
	at = file ? m.offset + (address - m.start) : address;
	*run = min(min(len, end - address), PHYS_1G - at % PHYS_1G);
	if (here ? !populate(&m, address, *run, write) : !probe(task->pid, address, *run))
		return 0;
	hpa = owner ? phys_client(owner, at) : 0;
	if (!hpa || !here || phys_client_here(hpa, *run))
		return hpa;
	phys_client_reach(owner, file ? m.offset : start, end - start,
			  file ? alias(&m) : (void *)(uintptr_t)start);
	return hpa;
}

/* -- what the client does to its mappings ------------------------------------------------------ */

/* Other memory will be at [start, end). */
static bool life_add(const struct task *task, uint64_t start, uint64_t end)
{
	struct life *more = realloc(local.lives, (local.count + 1) * sizeof(*more));

	if (!more)
		return false;
	local.lives = more;
	memmove(more + 1, more, local.count * sizeof(*more));
	more[0] = (struct life){ start, end,
				 OWNER_LIFE | (task->id & 0x3fff) << 16 | (local.count & 0xffff) };
	local.count++;
	return true;
}

/* What is pinned goes to a place of ours (1), the rest is forgotten (0). */
static int keep(const struct task *task, const struct phys_reach *found)
{
	uint64_t hpa = phys_client(found->owner, found->address);
	uint64_t start = (uintptr_t)found->local;
	void *at;

	if (!hpa || !iommufd_pinned(hpa, found->len))
		return phys_client_reach(found->owner, found->address, found->len, NULL);
	at = place(found->len);
	if (at == MAP_FAILED || !life_add(task, start, start + found->len) ||
	    mremap(found->local, found->len, found->len, MREMAP_MAYMOVE | MREMAP_FIXED, at) ==
		    MAP_FAILED)
		return -ENOMEM;
	phys_client_reach(found->owner, found->address, found->len, at);
	return 1;
}

struct leaving_call {
	const struct task *task;
	uint64_t address, len;
};

static long leaving(void *arg)
{
	const struct leaving_call *call = arg;
	struct phys_reach found;
	int moved = 0;

	while (phys_client_by_way_of((void *)(uintptr_t)call->address, call->len, &found)) {
		int rc = keep(call->task, &found);

		if (rc < 0)
			return rc;
		moved |= rc;
	}
	return moved;
}

int client_leaving(const struct task *task, uint64_t address, uint64_t len)
{
	struct leaving_call call = { task, page_down(address),
				     page_up(address + len) - page_down(address) };
	struct phys_reach any;

	fresh_after_fork();
	if (!phys_client_by_way_of((void *)(uintptr_t)call.address, call.len, &any))
		return 0;
	return (int)image_call(leaving, &call);
}

void client_moved(uint64_t from, uint64_t to, uint64_t len)
{
	struct phys_reach found;

	while (phys_client_by_way_of((void *)(uintptr_t)from, len, &found)) {
		uint64_t at = to + ((uintptr_t)found.local - from);

		if (phys_client_reach(found.owner, found.address, found.len,
				      (void *)(uintptr_t)at))
			return;
	}
}

/* -- what a process may do --------------------------------------------------------------------- */

/* What a sandbox keeps from everybody, root included, this host gives to root. Nobody gets it back
 * while the process runs, so once asked is enough. */
static bool withheld(int cap)
{
	static uint64_t asked, missing;

	if (!(asked >> cap & 1)) {
		asked |= 1ull << cap;
		missing |= (uint64_t)!prctl(PR_CAPBSET_READ, cap, 0, 0, 0) << cap;
	}
	return missing >> cap & 1;
}

static bool capable(const struct __user_cap_data_struct *caps, int cap)
{
	return withheld(cap) ? !geteuid() : caps[0].effective >> cap & 1;
}

void client_credentials(const struct task *task)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3] = { 0 };
	struct rlimit limit;
	struct task *w;

	if (!task->pid || syscall(SYS_capget, &header, caps))
		return;
	w = image_write(task);
	w->cap_ipc_lock = capable(caps, CAP_IPC_LOCK);
	w->cap_sys_resource = capable(caps, CAP_SYS_RESOURCE);
	w->cap_sys_admin = capable(caps, CAP_SYS_ADMIN);
	if (w->cap_ipc_lock || getrlimit(RLIMIT_MEMLOCK, &limit))
		return;			/* nothing is counted against a limit */
	w->rlimit_memlock = limit.rlim_cur;
	w->uid = getuid();
}

/* -- memfds ----------------------------------------------------------------------------------- */

int client_memfd(int fd, uint32_t *owner)
{
	struct stat st;
	void *at;

	fresh_after_fork();
	if (fstat(fd, &st))
		return -EBADF;
	*owner = 0;
	/* Only memory has seals: memfds and the files of tmpfs and hugetlbfs. */
	if (fcntl(fd, F_GET_SEALS) < 0)
		return 0;
	*owner = file_owner(st.st_dev, st.st_ino);
	if (!*owner)
		return -ENOMEM;
	if (!st.st_size || phys_client_here(phys_client(*owner, 0), 1))
		return 0;
	at = place((uint64_t)st.st_size);
	if (at != MAP_FAILED)
		at = mmap(at, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
			  0);
	if (at != MAP_FAILED)
		phys_client_reach(*owner, 0, page_up((uint64_t)st.st_size), at);
	return 0;
}

uint64_t client_memfd_page(uint32_t owner, uint64_t offset, uint64_t len, uint64_t *run)
{
	uint64_t hpa = owner ? phys_client(owner, offset) : 0, start = page_down(offset);
	const uint8_t *at;

	*run = len < PHYS_1G - offset % PHYS_1G ? len : PHYS_1G - offset % PHYS_1G;
	at = hpa ? phys_ram(phys_client(owner, start), page_up(offset + *run) - start) : NULL;
	if (!at || madvise((void *)(uintptr_t)at, page_up(offset + *run) - start,
			   MADV_POPULATE_WRITE))
		return 0;
	return hpa;
}

/* -- wanted by a device ------------------------------------------------------------------------ */

struct wanted {
	const struct client_file *file;
	uint64_t offset;
};

static bool holds(const struct mapping *m, const void *arg)
{
	const struct wanted *wanted = arg;

	return m->shared && m->ino == wanted->file->ino && m->dev == wanted->file->dev &&
	       wanted->offset >= m->offset && wanted->offset - m->offset < m->end - m->start;
}

/* Another process pinned it: this one may have a mapping of the same file. */
bool kernel_client_reach(uint32_t owner, uint64_t address)
{
	struct wanted wanted = { .offset = address };
	struct mapping m;

	fresh_after_fork();
	if (owner < OWNER_FILE)
		return false;
	wanted.file = file_by_owner(owner);
	if (!wanted.file || !maps_search(getpid(), holds, &wanted, &m))
		return false;
	return !phys_client_reach(owner, m.offset, m.end - m.start, alias(&m));
}
