/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * R6.2: system calls of a process, any of them with anything, begun anywhere in a VMM's life: after
 * some steps of the flow, and between its further ones. When the process is gone the image is whole,
 * nothing of it is left, no device is unusable, and every invariant has held.
 *
 * An input: the step to begin after, switches, then calls. Needs no rights of any kind.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "calls.h"
#include "check/check.h"
#include "flow/parse.h"
#include "fuzz.h"
#include "kernel/iommufd/private.h"
#include "kernel/syscall.h"
#include "kernel/tsm/tsm.h"
#include "kernel/vfio/mdev.h"

#define CALLS 48u		/* of one input */
#define MEMORY (4ull << 20)	/* of the process */
#define SCRATCH 65536u
#define BUFFER 512u
#define TEXT 64u
#define STORY 60u		/* calls shown of a finding */
#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static uint64_t baseline[IMAGE_TYPE_MAX];
/* What the arguments are in: faults right behind its end. */
static uint8_t *scratch;

struct input {
	struct reader r;
	const struct task *task;
	size_t buffers;		/* bytes of scratch that are taken, from its end */
};

/* -- the machine ------------------------------------------------------------------------------- */

/* The flow without its workload, which takes most of the time. */
static const char *flow_read(const char *path)
{
	static char text[1 << 18];
	FILE *file = fopen(path, "r");
	char *from, *to;

	fuzz_assert(file && fread(text, 1, sizeof(text) - 1, file));
	fclose(file);
	from = strstr(text, "\nphase work");
	to = from ? strstr(from, "\nphase unbind") : NULL;
	fuzz_assert(to);
	memmove(from, to, strlen(to) + 1);
	return text;
}

static void baseline_raise(void)
{
	for (unsigned int type = 1; type < IMAGE_TYPE_MAX; type++)
		if (baseline[type] < image_live((enum image_type)type))
			baseline[type] = image_live((enum image_type)type);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct flow_error error;

	(void)argc, (void)argv;
	scratch = mmap(NULL, 16 * SCRATCH, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		       -1, 0);
	fuzz_assert(scratch != MAP_FAILED &&
		    !mprotect(scratch, SCRATCH, PROT_READ | PROT_WRITE));
	fuzz_assert(!flow_start(flow_read(FUZZ_FLOW), FUZZ_FLOW, &error) && flow_run_step() == 1);
	baseline_raise();
	fuzz_ready();
	/* One life makes what stays: tables that only grow. */
	while (flow_run_step() > 0)
		;
	flow_vmm_kill(0);
	baseline_raise();
	fuzz_again();
	return 0;
}

/* -- values ------------------------------------------------------------------------------------ */

static uint32_t small(struct input *in)
{
	uint8_t byte = get_u8(&in->r);

	switch (byte >> 4) {
	case 15: return get_le32(&in->r);
	case 14: return 1u << (byte & 15) << (get_u8(&in->r) & 16);
	case 13: return (uint32_t)(byte & 15) * 0x1000;
	case 12: return UINT32_MAX - (byte & 15);
	default: return byte & 63;
	}
}

/* A descriptor of that type, or of any (FILE_NONE). */
static int descriptor(struct input *in, enum file_type type)
{
	uint8_t byte = get_u8(&in->r), found = 0;
	int fds[TASK_FDS];

	if (byte >= 0xf8)
		return (int)small(in);
	for (int fd = 0; fd < (int)TASK_FDS; fd++) {
		const struct file *file = in->task->fds[fd];

		if (file && (type == FILE_NONE || file->type == type))
			fds[found++] = fd;
	}
	return found ? fds[byte % found] : -1;
}

/* An object of one of the contexts, the youngest first. */
static uint32_t object(struct input *in)
{
	uint8_t byte = get_u8(&in->r), found = 0;
	const struct idobject *each;
	uint32_t ids[64];

	if (byte >= 0xf0)
		return small(in);
	for (int fd = 0; fd < (int)TASK_FDS; fd++) {
		const struct file *file = in->task->fds[fd];
		const struct iommufd_ctx *ctx = file ? iommufd_ctx_of_file(file) : NULL;

		for (uint32_t id = 1; ctx && found < COUNT(ids) &&
				      (each = idtable_next(ctx->objects, &id)); id++)
			ids[found++] = id;
		if (ctx && found)
			break;
	}
	return found ? ids[found - 1 - byte % found] : byte;
}

static uint64_t io_address(struct input *in)
{
	uint8_t byte = get_u8(&in->r);
	uint64_t at = (uint64_t)(byte & 15) * PHYS_PAGE;

	switch (byte >> 4) {
	case 15: return get_le64(&in->r);
	case 14: return (uint64_t)(byte & 15) << (get_u8(&in->r) & 63);
	case 13: return UINT64_MAX - (byte & 15) * 1024;
	case 12: return MOCK_APERTURE_START + get_u8(&in->r) * 1024ull;
	case 11: return (uint64_t)(byte & 15) * PHYS_2M;
	case 10: return 0xfee00000ull + at;
	case 9: return MOCK_APERTURE_LAST + 1 - at;
	default: return MOCK_APERTURE_START + at;
	}
}

static uint64_t length(struct input *in)
{
	uint8_t byte = get_u8(&in->r);

	switch (byte >> 4) {
	case 15: return get_le64(&in->r);
	case 14: return byte & 1 ? UINT64_MAX : 0;
	case 13: return (byte & 15) * 1024ull;
	case 12: return (byte & 15) * PHYS_2M;
	default: return (1ull + (byte & 15)) * PHYS_PAGE;
	}
}

/* Of the process: in a mapping of its own, or where nothing is. */
static uint64_t address(struct input *in)
{
	uint8_t byte = get_u8(&in->r), found = 0, page = get_u8(&in->r);
	const struct vma *vmas[TASK_VMAS], *vma;

	for (unsigned int i = 0; i < TASK_VMAS; i++)
		if (in->task->vmas[i].len)
			vmas[found++] = &in->task->vmas[i];
	if (byte >= 0xf0 || !found)
		return byte & 1 ? UINT64_MAX - page * 1024ull : page * 1024ull;
	vma = vmas[(found - 1u - byte % 16) % found];
	return vma->start + page * (byte & 0x80 ? 1024ull : PHYS_PAGE) % vma->len;
}

/* Room for arguments: what they are does not overlap, and ends where the room does. */
static uint8_t *room(struct input *in, size_t len)
{
	in->buffers += len;
	fuzz_assert(in->buffers <= SCRATCH);
	return scratch + SCRATCH - in->buffers;
}

static uint64_t buffer(struct input *in)
{
	size_t len = get_u8(&in->r);
	uint8_t *to = room(in, BUFFER);
	const uint8_t *from;

	memset(to, 0, BUFFER);
	if (len >= 0xfc)
		return len & 1 ? 0 : address(in);
	len = len > reader_left(&in->r) ? reader_left(&in->r) : len;
	from = get_bytes(&in->r, len);
	if (len)
		memcpy(to, from, len);
	return (uintptr_t)to;
}

/* -- ioctls ------------------------------------------------------------------------------------ */

static uint64_t wide(struct input *in, char letter)
{
	switch (letter) {
	case 'A': return io_address(in);
	case 'L': return length(in);
	case 'U': return address(in);
	case 'B': return buffer(in);
	case 'N': return small(in);
	case 'X': return get_le64(&in->r);
	default: return 0;
	}
}

static uint32_t narrow(struct input *in, char letter, uint32_t size)
{
	uint8_t byte;

	switch (letter) {
	case 'z':
		byte = get_u8(&in->r);
		return byte < 0xf0 ? size : byte & 15 ? size + (byte & 15) - 8 : get_le32(&in->r);
	case 'o': return object(in);
	case 'd': return (uint32_t)descriptor(in, FILE_NONE);
	case 'f': byte = get_u8(&in->r); return byte < 0xf0 ? byte & 15 : get_le32(&in->r);
	case 'F': return 0x10000u << (get_u8(&in->r) & 3) | (get_u8(&in->r) & 15);
	case 'n': return small(in);
	case 'x': return get_le32(&in->r);
	default: return 0;
	}
}

static uint32_t field_size(char letter)
{
	switch (letter) {
	case '+': return 32;
	case 'h': return 2;
	case 'b': return 1;
	default: return strchr("ALUBNXO", letter) ? 8 : 4;
	}
}

static uint32_t fields_size(const char *fields)
{
	uint32_t size = 0;

	for (; *fields; fields++)
		size += field_size(*fields);
	return size;
}

static uint64_t structure(struct input *in, const char *fields)
{
	uint32_t size = fields_size(fields);
	uint8_t *to = room(in, (size + 15) & ~15u), *at = to;

	for (; *fields; at += field_size(*fields), fields++) {
		uint32_t bytes = field_size(*fields);
		uint64_t value = bytes == 8 ? wide(in, *fields)
				 : bytes == 4 ? narrow(in, *fields, size)
					      : get_u8(&in->r) & 63;

		if (bytes <= 8)
			memcpy(at, &value, bytes);
		else
			for (uint32_t i = 0; i < bytes; i++)
				at[i] = get_u8(&in->r);
	}
	return (uintptr_t)to;
}

static void call_ioctl(struct input *in, const struct fuzz_call *call)
{
	int fd = descriptor(in, call->file);
	uint64_t arg;

	if (!*call->fields)
		arg = small(in);
	else if (!strcmp(call->fields, "d"))
		arg = (uint32_t)descriptor(in, FILE_NONE);
	else
		arg = structure(in, call->fields);
	sys_ioctl(in->task, fd, call->cmd, arg);
}

/* -- other calls ------------------------------------------------------------------------------- */

static void call_open(struct input *in)
{
	static const char *const paths[] = {
		"/dev/iommu", "/dev/vfio/devices/vfio0", "/dev/vfio/devices/vfio1", "/dev/vfio/vfio",
		"/dev/kvm", "/dev/ioasid", VFIO_MDEV_PATH, "/dev/vfio/0", "/dev/vfio/1",
		"/dev/vfio/2", "/dev/vfio/3", "/dev/vfio/devices/vfio2",
	};

	sys_open(in->task, paths[get_u8(&in->r) % COUNT(paths)], O_RDWR);
}

/* As the administrator of the host would write it; the process itself writes it here. */
static void call_sysfs(struct input *in)
{
	static const char *const devices[] = { "0000:01:00.0", "0000:01:00.1", "0000:02:00.0" };
	static const char *const attributes[] = {
		"reset", "reset_subordinate", "sriov_numvfs", "driver_override", "tsm/connect",
		"tsm/disconnect", "config", "tsm/bound", "resource",
	};
	static const char *const texts[] = { "1", "0", "2", "tsm0", "\n", "vfio-pci" };
	char path[128], text[TEXT];
	uint8_t byte = get_u8(&in->r);
	const char *word = texts[get_u8(&in->r) % COUNT(texts)];
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", devices[byte % COUNT(devices)],
		 attributes[(byte >> 4) % COUNT(attributes)]);
	fd = sys_open(in->task, path, byte & 8 ? O_RDONLY : O_WRONLY);
	if (byte & 8)
		sys_read(in->task, fd, room(in, TEXT), TEXT);
	else
		sys_write(in->task, fd, strcpy(text, word), strlen(word));
	sys_close(in->task, fd);
}

static void call_close(struct input *in)
{
	sys_close(in->task, descriptor(in, FILE_NONE));
}

static void call_dup(struct input *in)
{
	sys_dup(in->task, descriptor(in, FILE_NONE));
}

static void call_stream(struct input *in)
{
	int fd = descriptor(in, FILE_NONE);
	uint8_t byte = get_u8(&in->r);
	uint64_t at = buffer(in);

	if (byte & 1)
		sys_read(in->task, fd, (void *)(uintptr_t)at, byte);
	else
		sys_write(in->task, fd, (void *)(uintptr_t)at, byte);
	sys_poll(in->task, fd);
}

/* Regions of a device, and of anything else. */
static void call_region(struct input *in)
{
	int fd = descriptor(in, get_u8(&in->r) & 1 ? FILE_NONE : FILE_VFIO_DEVICE);
	uint8_t byte = get_u8(&in->r);
	uint64_t offset = (uint64_t)(byte & 15) << 40 | (get_le16(&in->r) & 0x3fff);
	uint64_t at = buffer(in);
	size_t len = 1u << (byte >> 5 & 3);

	if (byte & 0x80)
		sys_pread(in->task, fd, (void *)(uintptr_t)at, len, offset);
	else
		sys_pwrite(in->task, fd, (void *)(uintptr_t)at, len, offset);
}

static void call_mmap(struct input *in)
{
	int fd = descriptor(in, FILE_NONE);
	uint8_t byte = get_u8(&in->r);
	uint64_t len = length(in), offset = (uint64_t)small(in) << (byte & 16 ? 28 : 0), at;
	int flags = byte & 8 ? MAP_PRIVATE : MAP_SHARED;

	if (byte & 32)
		fd = -1, flags |= MAP_ANONYMOUS;
	sys_mmap(in->task, len > MEMORY ? MEMORY : len, byte & 7, flags, fd, offset, &at);
}

static void call_munmap(struct input *in)
{
	uint64_t at = address(in);

	sys_munmap(in->task, at, length(in));
}

static void call_touch(struct input *in)
{
	uint64_t at = address(in), value = get_le32(&in->r);

	if (value & 1)
		sys_load(in->task, at, &value, 4);
	else
		sys_store(in->task, at, &value, 4);
}

static void call_memory(struct input *in)
{
	uint8_t byte = get_u8(&in->r);
	int fd = byte & 1 ? sys_memfd_create(in->task, "fuzz", 0) : descriptor(in, FILE_NONE);
	uint64_t size = length(in);

	if (byte & 2)
		sys_eventfd(in->task, byte, 0);
	else
		sys_ftruncate(in->task, fd, size % (16 * MEMORY));
}

/* A flow's steps may end the process; then there is another. */
static void steps_run(struct input *in, unsigned int steps)
{
	while (steps-- && flow_run_step() > 0)
		;
	image_enter();
	in->task = flow_task(FLOW_VMM, 0);
	image_leave();
	fuzz_assert(in->task);
}

/* The rest of the process goes on as it would have. */
static void call_step(struct input *in)
{
	steps_run(in, 1);
}

static void (*const other_calls[])(struct input *in) = {
	call_open, call_sysfs, call_close, call_dup, call_stream, call_region, call_mmap,
	call_munmap, call_touch, call_memory, call_step, call_open, call_step, call_region,
};

/* -- an input ---------------------------------------------------------------------------------- */

static void switches(uint8_t byte)
{
	struct kernel_options options = *kernel_options();

	options.extensions = !(byte & 1);
	options.mock = byte & 2;
	options.type1 = byte & 4;
	options.kvm = true;
	options.private_for_life = byte & 8;
	options.bound_policy = byte & 16 ? BOUND_BREAKS : BOUND_BLOCKED;
	options.tsm_uapi = (byte >> 5) % TSM_UAPIS;
	image_enter();
	fuzz_assert(!kernel_options_set(&options));
	image_leave();
}

/* Where a life is begun from, and how often: mostly early, since that is fast. */
static unsigned int steps_first(uint8_t byte)
{
	static const uint8_t steps[] = { 0, 0, 1, 8, 9, 10, 11, 11, 12, 15, 16, 18, 21, 24, 28, 34 };

	return steps[byte % COUNT(steps)];
}

/* What may be there more than before: what others keep of what they saw. */
static bool may_grow(unsigned int type)
{
	static const enum image_type grow[] = {
		IMAGE_TYPE_IDTABLE, IMAGE_TYPE_IDNODE, IMAGE_TYPE_LOCK, IMAGE_TYPE_BYTES,
		IMAGE_TYPE_TRACE, IMAGE_TYPE_PHYS, IMAGE_TYPE_DOE, IMAGE_TYPE_IDE, IMAGE_TYPE_SPDM,
		IMAGE_TYPE_FUNCTION, IMAGE_TYPE_TASK, IMAGE_TYPE_VMM, IMAGE_TYPE_GUEST,
		IMAGE_TYPE_FLOW, IMAGE_TYPE_CHECK,
	};

	for (size_t i = 0; i < COUNT(grow); i++)
		if (type == grow[i])
			return true;
	return false;
}

/* What was called last, and what is left of it. */
static _Noreturn void found(const char *what)
{
	uint64_t seq = trace_next() > STORY ? trace_next() - STORY : 1;
	const struct trace_event *event;
	const struct file *file;

	for (; seq < trace_next(); seq++) {
		event = trace_get(seq);
		if (event)
			fprintf(stderr, "%s -> %s: %s %s %#llx\n", lane_name(event->from),
				lane_name(event->to), event->name, event->text,
				(unsigned long long)event->result);
	}
	for (uint32_t id = 1; (file = file_next(&id)); id++)
		fprintf(stderr, "left: %s, %u references\n", file->path, file->refs);
	fprintf(stderr, "%s\n", what);
	abort();
}

/* A mapping holds a file that holds others open, perhaps the /dev/iommu it is of: as in Linux, such a
 * circle never ends. */
static int circle(const void *object, void *arg)
{
	const struct iopt_pages *pages = object;

	(void)arg;
	return pages->file && !pages->dmabuf && !file_is_memfd(pages->file);
}

static void clean(void)
{
	char why[256] = "";
	struct check_violation violation;
	bool leaks;

	image_enter();
	if (image_verify(why, sizeof(why)) || klock_findings(why, sizeof(why)))
		found(why);
	check_run();
	if (check_violations(&violation, 1)) {
		snprintf(why, sizeof(why), "%s: %s", violation.id, violation.why);
		found(why);
	}
	leaks = !image_each(IMAGE_TYPE_IOPT_PAGES, circle, NULL);
	for (unsigned int type = 1; leaks && type < IMAGE_TYPE_MAX; type++)
		if (image_live((enum image_type)type) > baseline[type] && !may_grow(type)) {
			snprintf(why, sizeof(why), "%s: %llu live, %llu before",
				 image_type_name((enum image_type)type),
				 (unsigned long long)image_live((enum image_type)type),
				 (unsigned long long)baseline[type]);
			found(why);
		}
	image_leave();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct input in = { .r = reader_of(data, len) };
	unsigned int steps = steps_first(get_u8(&in.r));
	uint64_t at;

	switches(get_u8(&in.r));
	steps_run(&in, steps);
	sys_mmap(in.task, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0, &at);
	for (unsigned int i = 0; i < CALLS && reader_left(&in.r); i++) {
		uint8_t byte = get_u8(&in.r);

		in.buffers = 0;
		if (byte < 0x40)
			other_calls[byte % COUNT(other_calls)](&in);
		else
			call_ioctl(&in, &fuzz_calls[(byte - 0x40u) % COUNT(fuzz_calls)]);
	}
	flow_vmm_kill(0);
	clean();
	fuzz_again();
	return 0;
}
