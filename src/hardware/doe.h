/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Data Object Exchange, PCIe 6.x 6.30: the mailbox registers in config space, and the requester's
 * side of the protocol as any config-space owner runs it (the kernel's PCI lane for the host).
 */
#ifndef SWTIO_HARDWARE_DOE_H
#define SWTIO_HARDWARE_DOE_H

#include "hardware/function.h"

#define DOE_MAX_OBJECT (1u << 18) /* bytes we accept; the spec's 2^20 would be 18 bits of DW */
#define DOE_TYPE_DISCOVERY 0
#define DOE_TYPE_CMA 1
#define DOE_TYPE_SECURED 2

unsigned int doe_add(const struct function *fn);	/* adds the capability; its offset, or 0 */
/* Called by config space for offsets inside the capability. */
uint32_t doe_register_read(const struct function *fn, unsigned int reg);
void doe_register_write(const struct function *fn, unsigned int reg, uint32_t value);
void doe_reset(const struct function *fn);
/* One object straight to the device, for a mailbox that somebody else emulates: its answer, 0;
 * -ENOENT: no mailbox there; -ENOMSG: it is dropped without an answer. */
int doe_object(uint16_t rid, const uint8_t *req, size_t len, uint8_t *rsp, size_t cap,
	       size_t *rsp_len);

/* Injected faults, by name from flows: the next `count` objects on rid's mailbox. */
enum doe_fault {
	DOE_FAULT_NONE,
	DOE_FAULT_TIMEOUT,
	DOE_FAULT_TRUNCATE,
	DOE_FAULT_CORRUPT,
	DOE_FAULT_ERROR
};
int doe_inject(uint16_t rid, enum doe_fault fault, unsigned int count);

#endif
