/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PCI functions behind the bus: config space, BARs, reset. What a function does is in a static
 * table of the device lane, found by its model number; this lane never calls the device lane in
 * any other way.
 */
#ifndef SWTIO_HARDWARE_FUNCTION_H
#define SWTIO_HARDWARE_FUNCTION_H

#include "hardware/tlp.h"

#define FUNCTION_CONFIG_SIZE 4096u
#define FUNCTION_BARS 6u

struct function_bar {
	uint64_t size;		/* power of two; 0: not there */
	bool is64, prefetch;
	uint64_t hpa;		/* what the BAR register says */
	const void *memory;	/* bulk, behind the BAR; or NULL: the model handles accesses */
	uint32_t file;		/* for client processes to map (bar_file.h); 0: none */
	bool in_file;		/* where its bytes are now, else in memory */
	bool trapped;		/* no memory, and yet its driver wants to map it: accesses trap */
	bool decoded;		/* answers at hpa right now */
};

/* In the image. 16 KiB: log the field you change, not the whole. */
struct function {
	uint16_t rid;		/* bus<<8 | dev<<3 | fn */
	uint16_t segment;
	uint16_t model;		/* enum function_model of the device lane */
	uint16_t pf_rid;	/* of a VF: its PF; else own rid */
	uint16_t root_port;	/* rid of the root port above */
	uint16_t vf_count;	/* of a PF: enabled VFs */
	bool plugged;		/* false after surprise removal */
	bool present;		/* answers: plugged and, for a VF, enabled by its PF */
	bool in_reset;		/* link held in reset: absent to requests */
	struct function_bar bar[FUNCTION_BARS];
	uint16_t cap_pcie, cap_msix, cap_msi, cap_pm;	/* offsets in config space, 0: none */
	uint16_t cap_doe, cap_ide, cap_sriov, cap_ats, cap_pasid;
	uint16_t cap_end, ext_cap_end;	/* where the next capability goes */
	const void *state;	/* the model's own object */
	const void *doe, *ide;	/* mailbox and key slots, this lane's */
	uint8_t config[FUNCTION_CONFIG_SIZE];
	uint8_t initial[FUNCTION_CONFIG_SIZE];		/* what a reset brings back */
	uint8_t writable[FUNCTION_CONFIG_SIZE];	/* per-bit write mask */
	uint8_t w1c[FUNCTION_CONFIG_SIZE];	/* per-bit write-1-to-clear */
};

enum function_reset { RESET_FLR, RESET_HOT, RESET_POWER };

struct function_ops {
	const char *name;
	/* A BAR access not served by bar[].memory. t and stream as on the TLP. */
	enum tlp_status (*mmio)(const struct function *fn, unsigned int bar, uint64_t offset,
				struct tlp *tlp);
	/* May this TLP reach the BAR at all (TDISP completer rules)? Asked for every MMIO TLP. */
	enum tlp_status (*admit)(const struct function *fn, unsigned int bar, uint64_t offset,
				 const struct tlp *tlp);
	/* After a config write took effect (TDISP tracks Command, BARs, caps). */
	void (*config_written)(const struct function *fn, unsigned int offset, unsigned int size,
			       uint32_t old, uint32_t new);
	/* A whole DOE object arrived (after Go). Fills rsp (whole object) and *rsp_len; returns 0,
	 * or -ENOMSG to answer nothing at all. Discovery is answered by hardware from doe_types. */
	int (*doe_object)(const struct function *fn, const uint8_t *req, size_t len, uint8_t *rsp,
			  size_t cap, size_t *rsp_len);
	void (*reset)(const struct function *fn, enum function_reset kind);
	/* A bound IDE stream of this function went insecure (or was keyed: secure true). */
	void (*stream_changed)(const struct function *fn, uint16_t stream, bool secure);
	/* What became of its page requests; `code` is enum iommu_response. */
	void (*page_response)(const struct function *fn, uint32_t pasid, uint16_t group,
			      unsigned int code);
	const uint8_t *doe_types;	/* PCI-SIG object types beside discovery, 0-terminated */
};

/* Defined by the device lane (device/models.c): NULL for a model it does not know. */
const struct function_ops *function_model_ops(uint16_t model);

/* The bus. */
int function_power_on(void);
const struct function *function_add(uint16_t rid, uint16_t model); /* NULL: no memory, or taken */
void function_remove(const struct function *fn);
const struct function *function_find(uint16_t rid);			/* present ones only */
const struct function *function_next(uint16_t *rid);			/* first with rid >= *rid */
const struct function *function_at(uint64_t hpa, unsigned int *bar, uint64_t *offset);
void function_surprise_remove(const struct function *fn);
void function_plug(const struct function *fn);

/* Building a function (device lane, at power-on): helpers log and write.
 *
 * A function starts present, below no root port, and with its own rid as pf_rid. A VF is added like
 * any other function and then placed below its PF; it is absent until the PF's VF Enable. Its BARs
 * take no config bits: they follow the PF's VF BARs. Capabilities fill in the cap_ offsets. */
void function_place(const struct function *fn, uint16_t root_port, uint16_t pf_rid);
void function_set_state(const struct function *fn, const void *state);
/* 0; -EINVAL: no such BAR, size not a power of two >= 4 KiB, or a 64-bit pair that does not fit. */
int function_add_bar(const struct function *fn, unsigned int bar, uint64_t size, bool is64,
		     bool prefetch, const void *memory);
void function_trap_bar(const struct function *fn, unsigned int bar);
/* SR-IOV capability; vf_bar gives size, is64 and prefetch per VF BAR. Its offset, or 0. */
unsigned int function_add_sriov(const struct function *pf, uint16_t total, uint16_t first_offset,
				uint16_t stride, uint16_t vf_device,
				const struct function_bar vf_bar[FUNCTION_BARS]);
void config_set(const struct function *fn, unsigned int offset, unsigned int size, uint32_t value,
		uint32_t writable);
/* Which of the bits are write-1-to-clear. */
void config_set_w1c(const struct function *fn, unsigned int offset, unsigned int size,
		    uint32_t bits);
/* The offset of a new capability of len bytes with its header, linked last; 0: no room. */
unsigned int config_add_cap(const struct function *fn, uint8_t id, unsigned int len);
unsigned int config_add_ext_cap(const struct function *fn, uint16_t id, uint8_t version,
				unsigned int len);

/* Config requests; size 1, 2 or 4, naturally aligned. All ones when absent. Writes have the side
 * effects the specs give them: decode, BAR sizing, FLR bit, DOE registers, IDE enable, SR-IOV. */
uint32_t config_read(uint16_t rid, unsigned int offset, unsigned int size);
void config_write(uint16_t rid, unsigned int offset, unsigned int size, uint32_t value);

void function_reset(const struct function *fn, enum function_reset kind);

/* Upward events this lane raises; defined by the kernel lane (kernel/pci/interrupt.c). */
/* An MSI write reached the host. */
void kernel_interrupt(uint16_t rid, uint64_t address, uint32_t data);
void kernel_iommu_fault(uint16_t rid, uint32_t pasid, bool t, uint64_t address, bool write,
			unsigned int reason);
void kernel_mmio_moved(uint16_t rid);	/* decode or BARs changed behind somebody's back */

#endif
