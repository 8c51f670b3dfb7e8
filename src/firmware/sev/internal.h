/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside the PSP. Its objects are image objects of IMAGE_TYPE_SEV tied to the context pages the host
 * made firmware pages in the RMP. A command's handler checks everything before it writes anything.
 */
#ifndef SWTIO_FIRMWARE_SEV_INTERNAL_H
#define SWTIO_FIRMWARE_SEV_INTERNAL_H

#include <errno.h>

#include "firmware/sev/operands.h"
#include "firmware/sev/sev.h"
#include "firmware/tdisp.h"
#include "hardware/ide.h"
#include "hardware/iommu.h"
#include "image/bytes.h"
#include "image/mutant.h"
#include "spdm/pcisig.h"
#include "spdm/spdm.h"

/* Nothing a real PSP would say fits a simulator that is out of memory. */
#define SEV_NO_MEMORY SEV_RESOURCE_LIMIT

#define SEV_FAULTS 8u
struct sev_fault { uint16_t command, status, count; };

struct sev_psp {
	bool snp, tio, tio_init;	/* SNP_INIT_EX, with TIO, and TIO_INIT were done */
	uint64_t next_tdi;		/* ids of bound TDIs: only ever go up */
	const struct sev_guest *guests;
	const struct sev_device *devices;
	const struct sev_tdi *tdis;
	struct sev_fault faults[SEV_FAULTS];
};
const struct sev_psp *sev_psp(void);
struct sev_psp *sev_psp_write(void);

/* -- guests (snp.c) -------------------------------------------------------------------------- */
enum guest_state { GUEST_INIT, GUEST_LAUNCH, GUEST_RUNNING };
struct sev_guest {
	const struct sev_guest *next;
	uint64_t ctx;
	uint16_t asid;			/* 0: not activated */
	uint8_t state;			/* enum guest_state */
	uint32_t tdis;			/* bound to it: it is not decommissioned before they go */
	uint64_t sequence;		/* of the last message exchanged */
	uint8_t vmpck[32];
};
const struct sev_guest *sev_guest_of(uint64_t ctx);

/* -- devices (device.c) ---------------------------------------------------------------------- */
struct sev_operation {			/* what is under way with a device */
	uint16_t command;		/* 0: nothing */
	uint16_t step;
	bool awaiting;			/* a request is out; the command comes again, byte for byte */
	uint64_t tdi_ctx;		/* of the TDI it is about, 0: none */
	uint8_t digest[SPDM_HASH];	/* of the command buffer */
};

struct sev_device {
	const struct sev_device *next;
	uint64_t ctx;
	uint16_t rid, root_port;
	uint8_t stream;
	bool connected, keyed;
	uint8_t key_set;
	uint32_t tdis;			/* contexts created under it */
	struct sev_operation op;
	const struct spdm_requester *requester;
	const struct spdm_wire *out;	/* the request under way */
	bool known;			/* the digests are of what the device showed */
	uint8_t certificates[SPDM_HASH], measurements[SPDM_HASH];
};
const struct sev_device *sev_device_of(uint64_t sla);
/* The session is gone: the device forgot its keys, its locked TDIs are in ERROR. */
void sev_session_lost(const struct sev_device *dev);

/* -- TDIs (tdi.c) ---------------------------------------------------------------------------- */
#define TDI_RANGES 16u
#define TDI_REPORT_MAX 4096u
struct sev_tdi {
	const struct sev_tdi *next;
	uint64_t ctx;
	const struct sev_device *dev;
	const struct sev_guest *guest;	/* bound to it, or NULL */
	uint16_t rid, guest_rid, lock_flags;
	uint8_t tdisp_state;		/* as last learnt */
	bool uncertain;			/* a request whose effect is not known is out */
	uint64_t id;			/* of the last bind */
	uint64_t validated;		/* MMIO pages, now */
	uint8_t nonce[TDISP_NONCE];
	uint32_t report_len;
	uint8_t report[TDI_REPORT_MAX];
	uint8_t report_digest[SPDM_HASH];
	uint16_t range_count;
	struct tdi_range ranges[TDI_RANGES];
};
const struct sev_tdi *sev_tdi_of(uint64_t sla);
const struct sev_tdi *sev_tdi_of_rid(uint16_t rid);
void sev_tdi_state_set(const struct sev_tdi *tdi, enum tdisp_state state);
/* Nothing of the guest is left with the TDI: sDTE, validated and immutable pages. */
void sev_tdi_release(const struct sev_tdi *tdi);

#define SEV_WRITER(name, type)                                                                     \
	static inline struct type *name##_write(const struct type *object)                         \
	{                                                                                          \
		return image_write(object);                                                        \
	}
SEV_WRITER(sev_guest, sev_guest)
SEV_WRITER(sev_dev, sev_device)
SEV_WRITER(sev_tdi, sev_tdi)
#undef SEV_WRITER

/* Points a list's link, head or ->next, elsewhere. */
static inline void sev_link_set(const void *link, const void *to)
{
	*(const void **)image_log(link, sizeof(to)) = to;
}

/* -- pages and buffers (buffer.c) ------------------------------------------------------------ */
/* Is it a firmware page, in nobody's use? */
bool sev_page_free(uint64_t hpa);
/* A context's page leaves the PSP: the host may RMPUPDATE it again. */
void sev_page_release(uint64_t hpa);
/* The page a scatter address of one page names; 0: none. */
uint64_t sev_sla_page(uint64_t sla);
/* Bytes of room behind a scatter address; 0: malformed, or a page that is not in the state asked. */
size_t sev_sla_room(uint64_t sla, bool firmware);
bool sev_sla_write(uint64_t sla, size_t offset, const void *from, size_t len);
bool sev_sla_read(uint64_t sla, size_t offset, void *to, size_t len);
/* One data object into the buffer; EXPAND_BUFFER with the capacity wanted in its header, or
 * INVALID_ADDRESS. */
enum sev_status sev_object_put(uint64_t sla, enum sev_object id, uint8_t type, const uint8_t *data,
			       size_t len);

/* -- dialogues (dialog.c) ---------------------------------------------------------------------
 * A command that talks to a device is a step function. Step 0 starts it; each later step sees the
 * answer to what the one before sent. It returns SPDM_REQUEST after dialog_vendor() or dialog_spdm()
 * and with *next set, EXPAND_BUFFER to be called again in the same step, or how the command ended.
 */
struct call {
	enum sev_command_id id;
	struct sev_command args;
	uint8_t digest[SPDM_HASH];	/* of the whole buffer */
};
struct dialog {
	const struct sev_device *dev;
	const struct call *call;
	const struct sev_tdi *tdi;	/* of args.tdi_ctx, or NULL */
	unsigned int step, next;
	const uint8_t *reply;		/* of a vendor-defined request, after the protocol id */
	size_t reply_len;
};
typedef enum sev_status (*dialog_step)(struct dialog *dialog);
/* Is this the first call of its operation? Only then are the command's own preconditions checked. */
bool sev_dialog_begins(const struct sev_device *dev, const struct call *call);
enum sev_status sev_dialog_run(const struct sev_device *dev, const struct call *call,
			       dialog_step step);
/* What is under way is dropped; with it the session, when an answer was outstanding. */
void sev_dialog_drop(const struct sev_device *dev);
/* The very command again that waits for an answer of the device, and the host has brought none. */
bool sev_dialog_silent(const struct sev_device *dev, const struct call *call);
enum sev_status sev_dialog_vendor(struct dialog *dialog, unsigned int next, uint8_t protocol,
				  const void *body, size_t len);
enum sev_status sev_dialog_spdm(struct dialog *dialog, unsigned int next, enum spdm_op op);
struct spdm_requester *sev_requester_write(const struct sev_device *dev);

/* TDISP messages (tdisp.c). */
enum sev_status sev_tdisp_send(struct dialog *dialog, unsigned int next, uint8_t code,
			       const void *payload, size_t len);
/* The payload of a good answer to `code`, at least min bytes; NULL and the status otherwise. */
const uint8_t *sev_tdisp_reply(struct dialog *dialog, uint8_t code, size_t min, size_t *len,
			       enum sev_status *status);
enum sev_status sev_report_add(const struct sev_tdi *tdi, const uint8_t *payload, size_t len,
			       bool *more);
enum sev_status sev_report_parse(const struct sev_tdi *tdi);

/* IDE_KM (keys.c): slot n of a plan, from step `first` on; *done when there is none left. */
enum sev_plan { SEV_KEYS_SETUP, SEV_KEYS_ROLL };
enum sev_status sev_keys_step(struct dialog *dialog, enum sev_plan plan, unsigned int first,
			      bool *done);
void sev_keys_drop(const struct sev_device *dev);	/* at the root port */

/* -- a guest's message (guest.c, message.c) -------------------------------------------------- */
struct message {
	const struct sev_tdi *tdi;	/* NULL: not that guest's */
	const struct sev_guest *guest;
	struct reader in;		/* behind the guest's id of the function */
	struct writer out;		/* behind the status */
	uint16_t status;
};
struct message_row { uint8_t type; void (*handle)(struct message *message); };
extern const struct message_row sev_messages[];		/* the last has no handler */

/* -- tables of commands, by file; the last row has no handler -------------------------------- */
struct command_row { uint16_t id; enum sev_status (*handle)(const struct call *call); };
extern const struct command_row sev_snp_commands[], sev_device_commands[], sev_tdi_commands[],
	sev_guest_commands[];

#endif
