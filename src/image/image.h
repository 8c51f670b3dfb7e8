/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host image: every byte of simulated state, in one arena.
 *
 * The arena is a shared memfd mapped at IMAGE_BASE in every process that takes part, so a pointer
 * into the arena means the same thing in all of them and after save and load. It must never hold a
 * code pointer or a pointer to memory of one process.
 *
 * One process maps at most one image, so no function takes a handle.
 *
 * Rules of writing. Look-ups hand out pointers to const. image_write(p) logs the old bytes of *p
 * and returns it writable; there is no other way to write (-Wcast-qual). The log (the "journal")
 * undoes a call that fails or whose process died, and, kept across commits while a snapshot is
 * live, it is what a snapshot restores from.
 *
 * Running out. Allocation answers NULL and the caller -ENOMEM. image_write() cannot answer an
 * error; when the journal cannot grow it leaves the running call through image_call_abort(), which
 * the entry of the call (image_call()) turns into -ENOMEM after undoing everything. Paths that
 * must not fail reserve first: image_reserve().
 */
#ifndef SWTIO_IMAGE_H
#define SWTIO_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#define IMAGE_BASE 0x550000000000ull
#define IMAGE_SPAN (64ull << 30)	/* mapped length; less under valgrind or RLIMIT_AS */
#define IMAGE_PAGE 4096u

struct image_opts {
	size_t size;		/* of this struct, for extension */
	uint64_t seed;		/* of the deterministic generator */
	uint64_t limit;		/* bytes the arena may grow to; 0: all that is mapped */
};

/* -- life of an image; all return 0 or -errno ------------------------------------------------ */
int image_create(const struct image_opts *opts);
/* -EPROTO: not an image, or of another build; -EUCLEAN: damaged; -ENOMEM: more of it is in use than
 * this process can map. The descriptor stays the caller's and is not needed afterwards. */
int image_attach(int fd);
int image_attach_path(const char *path);
void image_detach(void);		/* the image lives on while another process maps it */
bool image_present(void);
int image_fd(void);			/* owned by the image; -1 when only mapped */
int image_save(const char *path);	/* whole image, sparse; between calls only */
int image_load(const char *path);	/* into a new memfd; the file may be hostile */
int image_verify(char *why, size_t len);	/* 0, or -EUCLEAN and one sentence in why */

/* A hash that changes when the layout of anything in the image changes. */
uint64_t image_layout_hash(void);

/* -- objects ----------------------------------------------------------------------------------
 * Type ids are for inspection, leak counts and type-checked look-ups; one list for all lanes.
 */
enum image_type {
	IMAGE_TYPE_NONE,
#define IMAGE_TYPE(id, name) IMAGE_TYPE_##id,
#include "image/types.def"
#undef IMAGE_TYPE
	IMAGE_TYPE_MAX
};
const char *image_type_name(enum image_type type);

void *image_alloc(size_t size, enum image_type type);	/* zeroed, writable in this call; or NULL */
void image_free(const void *object);			/* NULL is fine; cannot fail */
enum image_type image_typeof(const void *object);
size_t image_sizeof(const void *object);
uint64_t image_live(enum image_type type);		/* live objects of a type: leak counts */
/* Calls fn for every live object of a type, which it may free; stops at and returns the first
 * non-zero answer. */
int image_each(enum image_type type, int (*fn)(const void *object, void *arg), void *arg);

/* Bytes mapped at IMAGE_BASE in this process; 0: no image. */
extern uint64_t arena_mapped;
static inline bool image_contains(const void *p, size_t len)
{
	uint64_t at = (uintptr_t)p - IMAGE_BASE;

	return at < arena_mapped && len <= arena_mapped - at;
}

/* Bulk memory (guest RAM, BAR memory, page tables): whole pages, zeroed, 2 MiB aligned when len is
 * 2 MiB or more. Snapshots track it by page: write only through image_bulk_write(). It is not
 * undone when a call fails; while a snapshot lives, writing needs the lock. */
void *image_bulk_alloc(uint64_t len, enum image_type type);
void image_bulk_free(const void *p);
void *image_bulk_write(const void *p, size_t len);
/* Was any page of it written since it was allocated? What was not is zero, and reading it would only make
 * the kernel find a page for it. */
bool image_bulk_written(const void *p, size_t len);
/* A hint: whole pages that will soon be written are mapped at once, which is cheaper than a fault each. */
void image_warm(const void *p, size_t len);
/* For any address at all: bytes from p to the end of the bulk memory p is in, and its type; 0 when
 * p is in none, freed memory included. */
size_t image_bulk_at(const void *p, enum image_type *type);

/* Fault injection: the n-th allocation of this process from now (1 = the next) answers NULL; 0 turns it off.
 * image_fail_left() is 0 once it fired. */
void image_fail_nth(uint64_t n);
uint64_t image_fail_left(void);

/* Each lane keeps one root object; set once at power-on. */
enum image_root {
	IMAGE_ROOT_TRACE, IMAGE_ROOT_HARDWARE, IMAGE_ROOT_IOMMU, IMAGE_ROOT_DEVICE, IMAGE_ROOT_FIRMWARE,
	IMAGE_ROOT_KERNEL, IMAGE_ROOT_PCI, IMAGE_ROOT_TSM, IMAGE_ROOT_VFIO, IMAGE_ROOT_KVM,
	IMAGE_ROOT_FLOW, IMAGE_ROOT_CHECK, IMAGE_ROOT_SHIM, IMAGE_ROOT_FILES, IMAGE_ROOT_LOCKS,
	IMAGE_ROOT_IOMMUFD, IMAGE_ROOT_GUEST, IMAGE_ROOT_CCA, IMAGE_ROOT_FAULT, IMAGE_ROOT_CAPTURE,
	IMAGE_ROOT_MAX
};
const void *image_root(enum image_root root);
void image_root_set(enum image_root root, const void *object);

/* -- writing ---------------------------------------------------------------------------------- */
#define image_write(p) image_log((p), sizeof(*(p)))

/*
 * A record of the journal is the old bytes, padded to 16, and then what follows: it is read
 * backwards. Only whole records lie below `head`, so a kill between any two instructions leaves
 * either no record and an untouched object, or a record that undoes.
 */
struct image_record {
	uint64_t address;
	uint32_t len;
	uint16_t kind;		/* 0: old bytes; the others are the journal's own */
	uint16_t magic;
};
#define IMAGE_RECORD_MAGIC 0x4a4c
struct image_journal {
	uint8_t *head;		/* where the next record goes */
	uint8_t *end;		/* of the journal segment that head is in */
};
#define IMAGE_JOURNAL ((struct image_journal *)(IMAGE_BASE + IMAGE_PAGE))
void *image_log_slow(const void *p, size_t len);

/* Logs the old bytes and returns p writable. Inline, so that a constant length is a few stores. */
static inline void *image_log(const void *p, size_t len)
{
	struct image_journal *journal = IMAGE_JOURNAL;
	uint8_t *to = journal->head, *record = to + ((len + 15) & ~(size_t)15);

	if (len > IMAGE_PAGE || record + sizeof(struct image_record) > journal->end)
		return image_log_slow(p, len);
	memcpy(to, p, len);
	*(struct image_record *)record = (struct image_record){
		.address = (uintptr_t)p, .len = (uint32_t)len, .magic = IMAGE_RECORD_MAGIC };
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	journal->head = record + sizeof(struct image_record);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	return (void *)(uintptr_t)p;
}
/* 0 or -ENOMEM: so much may be logged without fail before the next commit. */
int image_reserve(uint64_t journal_bytes);

/* -- calls -------------------------------------------------------------------------------------
 * One robust lock guards the kernel lane; it is the only real lock. image_enter() takes it; when
 * the last owner died in a call, what it had not committed is undone first. Nested enters by the
 * holder count (a wait point inside one process runs other actors' calls on the same stack).
 */
int image_enter(void);			/* 0, or -errno when there is no image */
void image_leave(void);			/* commits and drops the lock */
void image_commit(void);		/* what was done so far stays, whatever happens next */
/* What was done so far stays when this call fails, but not when its process dies: the gates of
 * firmware and hardware say so. A call of theirs has happened, whatever its caller makes of it; but
 * a caller killed before it could write down the result must find that nothing happened. */
void image_keep(void);
void image_rollback(void);		/* back to the last commit or keep */

/* Runs fn inside enter/leave; a negative result, or an abort for lack of memory, rolls back to the
 * last commit or keep. *This* is how every entry into the kernel lane is made. */
long image_call(long (*fn)(void *arg), void *arg);
_Noreturn void image_call_abort(int err);	/* anywhere under image_call(); err is -errno */

/* Wait points: commit, drop the lock, let others run, take it again. Names are for flows, kills
 * and the explorer. In a single process the hook runs what the flow put there. */
enum image_wait {
	IMAGE_WAIT_NONE,
	IMAGE_WAIT_DOE,		/* a DOE object is with the device */
	IMAGE_WAIT_BUSY,	/* firmware answered BUSY */
	IMAGE_WAIT_RESUMABLE,	/* firmware answered INTERRUPTED_RESUMABLE */
	IMAGE_WAIT_REVOKE,	/* importers still use a revoked dma-buf */
	IMAGE_WAIT_STREAM,	/* peer of an IDE stream has to progress */
	IMAGE_WAIT_LOCK,	/* a modelled lock is held by a sleeping call */
	IMAGE_WAIT_USER,	/* a user waits in poll, read or KVM_RUN */
	IMAGE_WAIT_MAX
};
const char *image_wait_name(enum image_wait point);
void image_wait(enum image_wait point);
/* Process-local; NULL means sched_yield. A hook may end the running call as a kill would, with
 * image_call_abort(-EINTR) after setting up the kill. */
void image_wait_hook(void (*hook)(enum image_wait point, void *arg), void *arg);

/* -- snapshots: in-process, nested, cost what changed ------------------------------------------ */
typedef uint64_t image_mark;		/* 0 is never a mark */
image_mark image_snapshot(void);	/* between calls; 0 when memory is out */
int image_restore(image_mark mark);	/* later marks die; the mark itself stays */
void image_release(image_mark mark);
/* Of all live state but trace, clock and counters, for comparison. Reads all that lives. */
uint64_t image_hash(void);

/* -- clock and chance --------------------------------------------------------------------------
 * Not undone by a rollback (time does not run backwards in a failed call), but by a restore.
 */
uint64_t image_clock(void);			/* virtual ns since power-on */
void image_clock_advance(uint64_t ns);
void image_random(void *buf, size_t len);	/* deterministic from the seed: no secret */

/* 64 bytes of header other lanes may keep unlogged counters in, restored by snapshots only:
 * trace head, statistics; and what the machine is: its platform, its mutants (two words). */
enum image_counter { IMAGE_COUNTER_TRACE, IMAGE_COUNTER_TLP_REFUSED, IMAGE_COUNTER_DMA_BYTES,
	IMAGE_COUNTER_STEP, IMAGE_COUNTER_PLATFORM, IMAGE_COUNTER_MUTANTS, IMAGE_COUNTER_MUTANTS_2,
	IMAGE_COUNTER_SPARE, IMAGE_COUNTER_MAX };
uint64_t *image_counter(enum image_counter counter);

#endif
