/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside src/image only: how the arena is laid out.
 *
 *	0		header: identity, journal state, lock, roots, free lists
 *	ARENA_CHUNKS	one struct chunk for each 2 MiB of the arena
 *	ARENA_INFO	one struct page_info for each 4 KiB page
 *	ARENA_EPOCH	one 64-bit stamp for each 4 KiB page of bulk memory
 *	ARENA_DATA	two journal segments, then chunks: objects and bulk memory from below,
 *			further journal segments from the top downwards
 *
 * The tables are sized for IMAGE_SPAN, wherever the arena ends: the file is sparse, so a table
 * costs what is used of it, and every place is a constant. Memory that is not in use is zero
 * (objects are cleared when freed), which makes "undo an allocation" a memset.
 *
 * What the journal undoes is written through image_log() only. What it must not undo (its own
 * state, the clock, stamps) is grouped and says so.
 */
#ifndef SWTIO_IMAGE_ARENA_H
#define SWTIO_IMAGE_ARENA_H

#include <pthread.h>
#include "image/image.h"

#define ARENA_MAGIC 0x656d69206f697473ull	/* "stio ime" */
#define ARENA_VERSION 1u
#define CHUNK_SHIFT 21
#define CHUNK_SIZE (1ull << CHUNK_SHIFT)
#define CHUNK_PAGES 512u
#define CHUNKS_MAX (IMAGE_SPAN >> CHUNK_SHIFT)
#define ARENA_CHUNKS 0x10000ull
#define ARENA_INFO 0x800000ull
#define ARENA_EPOCH (ARENA_INFO + IMAGE_SPAN / IMAGE_PAGE * 8)
#define ARENA_DATA (ARENA_EPOCH + IMAGE_SPAN / IMAGE_PAGE * 8)
#define CHUNK_FIRST (ARENA_DATA >> CHUNK_SHIFT)

#define JOURNAL_FIXED 2u	/* segments that always exist; further ones last for one call */
#define CHUNK_OBJECTS (CHUNK_FIRST + JOURNAL_FIXED)
#define JOURNAL_PIECE 0x8000u		/* the longest run of old bytes in one record */
#define JOURNAL_START ((uint8_t *)(IMAGE_BASE + ARENA_DATA + sizeof(struct segment)))

enum record_kind {
	RECORD_BYTES,		/* old bytes */
	RECORD_ZERO,		/* was unused: len bytes of zero */
	RECORD_FRESH,		/* bulk memory was unused: len pages, written where stamped */
	RECORD_PAGE,		/* old bytes of a bulk page; for restore, not for rollback */
	RECORD_PAGE_ZERO,	/* a bulk page never written before; likewise */
	RECORD_MARK,		/* a snapshot: struct mark */
	RECORD_WRITTEN,		/* a bulk page that was written is given back; for restore alone */
	RECORD_KINDS
};

struct segment {
	uint8_t *before;	/* where the records of the segment before this one end */
	uint64_t spare[7];
};

enum chunk_kind {
	CHUNK_FREE, CHUNK_PAGED, CHUNK_OBJECT, CHUNK_BULK, CHUNK_DYING, CHUNK_TAIL, CHUNK_KINDS
};

struct chunk {
	/* logged */
	uint8_t kind;
	uint8_t dying;		/* is on the list of chunks with bulk memory to give back */
	uint16_t type;		/* enum image_type of a run of chunks */
	uint16_t free;		/* free pages of a paged chunk */
	uint16_t longest;	/* no run of free pages is longer than this; may be too high */
	uint32_t run;		/* chunks of the run; in a tail, how far back its head is */
	uint32_t next_dying;	/* chunk number, 0 at the end */
	uint64_t bytes;		/* asked for, of a run */
	uint64_t map[CHUNK_PAGES / 64];	/* pages in use */
	/* not logged */
	uint32_t touched;	/* some page has a stamp */
	uint32_t spare[9];
};
_Static_assert(sizeof(struct chunk) == 128, "the table of chunks is sized for this");
#define CHUNK_LOGGED offsetof(struct chunk, touched)

enum page_kind { PAGE_FREE, PAGE_SLAB, PAGE_OBJECT, PAGE_BULK, PAGE_DYING, PAGE_TAIL, PAGE_KINDS };

struct page_info {
	uint8_t kind;
	uint8_t spare;
	uint16_t type;
	uint16_t run;		/* pages of the run; in a tail, how far back its head is */
	uint16_t less;		/* how many bytes less than whole pages were asked for */
};

#define SLAB_SLOTS 256u
struct slab {
	uint32_t magic;
	uint16_t class;
	uint16_t slots;
	uint32_t size;		/* of a slot */
	uint32_t first;		/* offset of the first slot */
	const struct slab *next, *prev;	/* slabs of the class with both free and used slots */
	uint64_t used;		/* slots; followed by the map, one record logs both */
	uint64_t map[SLAB_SLOTS / 64];
	uint32_t what[];	/* of each slot: type << SLAB_TYPE_SHIFT | size; 0 when free */
};
#define SLAB_MAGIC 0x62616c73u
#define SLAB_TYPE_SHIFT 20
#define SLAB_LARGEST 65536u
#define SLAB_CLASSES 44u
#define RUN_LARGEST ((uint64_t)UINT32_MAX)	/* bytes of one object */

/* Not undone by a rollback, but by a restore. */
struct volatile_state {
	uint64_t clock;
	uint64_t random[4];
	uint64_t counters[IMAGE_COUNTER_MAX];
	uint64_t fail_left;
	int32_t fail_pid;	/* whose allocations count */
	uint64_t calls;		/* serial of the last image_call() */
	uint32_t lock_serial;	/* of the last modelled lock that was used */
	uint32_t findings;	/* about modelled locks */
	char finding[160];	/* the last one's sentence */
};

struct mark {
	uint64_t id;
	const struct mark *before;
	uint64_t live;
	struct volatile_state state;
};

struct image_ident {		/* never changes; the checksum is over what precedes it */
	uint64_t magic;
	uint32_t version;
	uint32_t header_size;
	uint64_t layout;
	uint64_t base;
	uint64_t span;		/* size of the file */
	uint64_t seed;
	uint64_t checksum;
};

struct image_header {
	struct image_ident ident;
	uint8_t pad[IMAGE_PAGE - sizeof(struct image_ident)];

	/* the journal's own state, not logged */
	struct image_journal journal;
	uint8_t *commit;		/* undoing ends here; JOURNAL_START while no mark lives */
	uint8_t *keep;			/* a failing call's undoing ends here; means nothing after a death */
	uint64_t marks;			/* live ones */
	const struct mark *last_mark;
	uint64_t next_mark;
	uint64_t restoring;		/* mark of a restore that has begun */
	uint64_t epoch;			/* goes up at each snapshot and restore; never 0 */
	uint32_t segments;		/* of the journal */
	uint32_t tidy;			/* a commit has more to do than to move a pointer */
	uint32_t chunk_end;		/* the arena ends before this chunk */
	/* No higher chunk held objects since the oldest point one can go back to. */
	uint32_t chunk_high;
	struct volatile_state now;

	/* logged */
	const void *roots[IMAGE_ROOT_MAX];
	uint64_t live[IMAGE_TYPE_MAX];
	const struct slab *partial[SLAB_CLASSES];
	uint32_t dying;			/* first chunk with bulk memory to give back */
	uint32_t chunks;		/* in use for objects and bulk memory */
	uint64_t used_map[CHUNKS_MAX / 64];
	uint64_t paged_map[CHUNKS_MAX / 64];	/* paged chunks with a free page */

	/* Robust, shared by processes: guards all of the arena but stamps and bulk memory. */
	_Alignas(64) pthread_mutex_t lock;
};
_Static_assert(offsetof(struct image_header, journal) == IMAGE_PAGE, "IMAGE_JOURNAL says so");
_Static_assert(sizeof(struct image_header) <= ARENA_CHUNKS, "the header ends before the tables");

#define HEADER ((struct image_header *)IMAGE_BASE)

static inline struct chunk *chunk_at(uint64_t chunk)
{
	return (struct chunk *)(IMAGE_BASE + ARENA_CHUNKS) + chunk;
}

static inline struct page_info *page_info_at(uint64_t page)
{
	return (struct page_info *)(IMAGE_BASE + ARENA_INFO) + page;
}

static inline uint64_t *page_epoch_at(uint64_t page)
{
	return (uint64_t *)(IMAGE_BASE + ARENA_EPOCH) + page;
}

static inline uint64_t page_of(const void *p)
{
	return ((uintptr_t)p - IMAGE_BASE) / IMAGE_PAGE;
}

static inline uint64_t chunk_of(const void *p)
{
	return ((uintptr_t)p - IMAGE_BASE) >> CHUNK_SHIFT;
}

static inline uint8_t *page_address(uint64_t page)
{
	return (uint8_t *)(IMAGE_BASE + page * IMAGE_PAGE);
}

static inline uint8_t *chunk_address(uint64_t chunk)
{
	return (uint8_t *)(IMAGE_BASE + (chunk << CHUNK_SHIFT));
}

/* image.c */
int arena_new(uint64_t span, int *fd);		/* a sealed memfd of that size */
int arena_map(int fd, uint64_t span);		/* all of it, or what this process can */
void arena_unmap(void);
void arena_lock_init(void);
uint64_t arena_span(uint64_t limit);		/* what a new image of this limit spans here */
uint64_t arena_ident_checksum(const struct image_ident *ident);
int arena_ident_check(const struct image_ident *ident, uint64_t file_size);
void arena_keep_fd(int fd);

/* journal.c */
void journal_reset(void);			/* empty, without marks */
void journal_recover(void);			/* after the owner of the lock died */
void journal_note(enum record_kind kind, const void *p, uint32_t len);	/* a record without bytes */
void journal_save_page(uint64_t page);
void journal_commit(void);			/* moves the pointer, nothing else */
bool journal_dirty(void);			/* something is not committed */
uint64_t journal_highest(void);			/* the highest chunk that is not the journal's */
bool record_is_sound(const struct image_record *record);
const struct image_record *journal_before(const uint8_t **at);	/* NULL at the start */

/* alloc.c */
struct object {			/* what an address belongs to */
	const void *start;	/* NULL: nothing */
	uint64_t bytes;		/* asked for */
	enum image_type type;
	bool bulk;
};
struct object object_at(const void *p);		/* any address within one */
int arena_each(enum image_type type, int (*fn)(const struct object *object, void *arg), void *arg);
unsigned int slab_class_of(uint64_t size);
struct slab slab_shape(unsigned int class);	/* magic, class, slots, size, first of its slabs */
unsigned int slab_pages(const struct slab *shape);
bool slabs_trim(void);				/* gives empty slabs back; true if there were any */
bool alloc_fails(void);				/* fault injection */

/* pages.c */
/* First chunk of a run, 0: none. */
uint64_t chunks_take(uint64_t count, enum chunk_kind kind, enum image_type type, uint64_t bytes);
void chunks_give(uint64_t chunk);
uint64_t pages_take(unsigned int count, struct page_info info);	/* page number, 0: none */
void pages_give(uint64_t page);
void chunks_find_high(void);			/* between calls */

/* bulk.c */
void bulk_reap(void);				/* gives back what committed calls freed */
void bulk_unwrite(uint64_t page, uint64_t pages);	/* zero again, as before its allocation */

/* klock.c */
void klock_call_end(uint64_t call, bool failed);
int klock_verify(char *why, size_t len);

/* idtable.c */
int idtable_verify(const struct object *object, char *why, size_t len);

/* verify.c */
int arena_verify(char *why, size_t len);	/* without the lock, which is still to be set up */

/* call.c */
uint64_t call_serial(void);			/* of the running image_call(), 0: none */
bool call_on_stack(uint64_t call);		/* it waits below the running one, in this thread */

#endif
