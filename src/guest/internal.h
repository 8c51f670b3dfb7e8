/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside the guest: its memory in the image, and how a verb is written. */
#ifndef SWTIO_GUEST_INTERNAL_H
#define SWTIO_GUEST_INTERNAL_H

#include "guest/guest.h"
#include "image/bytes.h"
#include "spdm/pcisig.h"
#include "spdm/spdm.h"

#include <errno.h>

#define GUEST_QUEUE 32u
#define GUEST_VALUES 16u
#define GUEST_EXTENTS 32u
#define GUEST_RANGES 16u
#define GUEST_REPORT 4096u
#define GUEST_INFO 16384u
#define GUEST_VCA 1024u
#define GUEST_VDEV_INFO 512u
#define GUEST_BARS 6u

struct guest_place {		/* where things are, in GPAs without the SHARED bit */
	uint64_t func, bdf, bar[GUEST_BARS], buffer, scratch;
};

struct guest_range { uint64_t first; uint32_t pages; uint16_t attributes, bar; };

/* A verb's place in its work. Logged at every step, so small. */
struct guest_progress_state {
	uint8_t stage;		/* of the verb */
	uint8_t phase;		/* of the stage */
	uint8_t faults;		/* EPT violations in a row at one address */
	uint16_t polls;
	uint16_t part;		/* of a stage that is made of other stages */
	uint64_t at;		/* of a loop */
	uint64_t fault_gpa;
};

struct guest_outcome { int64_t result; uint64_t status; char text[48]; };
struct guest_extent { uint64_t first, end; };

struct guest {
	const struct guest *next;
	uint32_t vm;
	uint32_t head, tail;	/* of the queue; they only grow */
	bool tee;		/* the driver's mappings of the BARs are private */
	struct guest_progress_state now;
	struct guest_outcome outcome;
	struct guest_place place;
	struct { char name[16]; uint64_t value; } values[GUEST_VALUES];
	struct guest_extent accepted[GUEST_EXTENTS];
	struct guest_verb queue[GUEST_QUEUE];
	uint32_t report_len, range_count, info_len[2];
	struct guest_range ranges[GUEST_RANGES];
	/* SEV: messages exchanged with the PSP; of the last INFO, the bind's id and the digests of
	 * certificates, measurements and report */
	uint64_t sequence, tdi_id;
	uint8_t digest[3][SPDM_HASH];
	uint8_t report[GUEST_REPORT];
	uint8_t info[2][GUEST_INFO];
	/* of a Realm */
	uint32_t vca_len;
	uint8_t vca[GUEST_VCA], vdev_info[GUEST_VDEV_INFO];
};

/* One running verb. */
struct guest_call {
	const struct vcpu_hw *vcpu;
	const struct guest *guest;
	const struct guest_verb *verb;
};

/* A stage of a verb: 0 or more when done, -EAGAIN with the vCPU's exit set to be called again in
 * the same phase, or -errno. It makes at most one access that may exit between two changes of its
 * place. */
typedef int64_t (*guest_stage)(const struct guest_call *call);
struct guest_verb_row {
	const char *name;
	const char *keys;		/* arguments it takes, separated by spaces */
	guest_stage stages[6];
};

/* What is the platform's own in a guest; a row of platforms[] (verbs.c). */
struct guest_platform {
	/* One page of private memory. 0, -EAGAIN, -errno; *already: refused since it is accepted. */
	int (*page_accept)(const struct guest_call *call, uint64_t gpa, unsigned int level,
			   bool *already);
	/* A conversion, asked of the VMM: a stage of its own. */
	int64_t (*map_gpa)(const struct guest_call *call, uint64_t gpa, uint64_t len, bool shared);
	const struct guest_verb_row *verbs;	/* the guest TSM's; the last has no name */
};
extern const struct guest_platform guest_tdx, guest_sev, guest_cca;

/* -- verbs.c: those common to all platforms, and this machine's -- */
const struct guest_verb_row *guest_verb_find(const char *name);
const struct guest_platform *guest_platform(void);

/* -- guest.c --------------------------------------------------------------------------------- */
bool guest_arg(const struct guest_call *call, const char *key, uint64_t *value);
uint64_t guest_arg_or(const struct guest_call *call, const char *key, uint64_t otherwise);
int guest_leave(const struct guest_call *call, const char *name, uint64_t value); /* 0 or -ENOSPC */
/* The next phase; its loop starts at 0. */
void guest_phase(const struct guest_call *call, unsigned int phase);
void guest_at(const struct guest_call *call, uint64_t at);
void guest_part(const struct guest_call *call, uint16_t part);	/* at its phase 0 */
int64_t guest_idle(const struct guest_call *call);	/* -EAGAIN: HLT, ask again later */
uint64_t guest_shared_bit(const struct vcpu_hw *vcpu);

/* -- access.c: 0, -EAGAIN, or -errno --------------------------------------------------------- */
int guest_read(const struct guest_call *call, uint64_t gpa, bool shared, void *to, uint64_t len);
int guest_write(const struct guest_call *call, uint64_t gpa, bool shared, const void *from,
		uint64_t len);
int guest_bar_read(const struct guest_call *call, unsigned int bar, uint64_t offset, bool t,
		   uint64_t *value, unsigned int len);
int guest_bar_write(const struct guest_call *call, unsigned int bar, uint64_t offset, bool t,
		    uint64_t value, unsigned int len);
/* Remembers [first, end) as accepted: it is not accepted again on the way. */
void guest_accepted(const struct guest *guest, uint64_t first, uint64_t end);
int guest_accept(const struct guest_call *call, uint64_t gpa, uint64_t pages, unsigned int level);
/* What was accepted: a conversion undid some of it. */
void guest_forget(const struct guest_call *call);
/* The platform's refusal as the verb's outcome; -EACCES. */
int guest_refused(const struct guest_call *call, uint64_t status, const char *text);
void guest_refusal_forget(const struct guest_call *call);
uint64_t guest_splitmix(uint64_t *seed);

/* -- stages, by file ------------------------------------------------------------------------- */
int64_t stage_device(const struct guest_call *call);
int64_t stage_enumerate(const struct guest_call *call);
int64_t stage_mmio_read(const struct guest_call *call);
int64_t stage_mmio_write(const struct guest_call *call);
int64_t stage_driver_bind(const struct guest_call *call);
int64_t stage_driver_unbind(const struct guest_call *call);
int64_t stage_irq_setup(const struct guest_call *call);
int64_t stage_dma(const struct guest_call *call);
int64_t stage_dma_check(const struct guest_call *call);
int64_t stage_dma_stream(const struct guest_call *call);
int64_t stage_mem_write(const struct guest_call *call);
int64_t stage_mem_check(const struct guest_call *call);
int64_t stage_page_accept(const struct guest_call *call);
int64_t stage_map_gpa(const struct guest_call *call);
int64_t stage_report_parse(const struct guest_call *call);
/* A range's place in its BAR, and the largest leaf that fits. */
uint64_t guest_range_offset(const struct guest *guest, uint32_t index);
unsigned int guest_range_level(uint64_t gpa, uint64_t pages);

#endif
