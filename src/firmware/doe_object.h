/* SPDX-License-Identifier: BSD-2-Clause */
/* SPDM messages as DOE objects in host memory (PCIe 6.x 6.30): what the host carries for firmware. */
#ifndef SWTIO_FIRMWARE_DOE_OBJECT_H
#define SWTIO_FIRMWARE_DOE_OBJECT_H

#include "spdm/requester.h"

#define DOE_OBJECT_HEADER 8u
#define DOE_OBJECT_MAX 8192u

/* The message, padded to DWs; bytes written, 0 when the memory does not take them. */
size_t doe_object_give(const struct spdm_wire *out, uint64_t hpa);
/* False: not a whole DOE object of a kind that SPDM knows. */
bool doe_object_take(uint64_t hpa, uint64_t len, struct spdm_wire *in);

#endif
