/* SPDX-License-Identifier: BSD-2-Clause */
/* What a host that verifies a device's certificate chain itself wants of it. */
#ifndef SWTIO_SPDM_CHAIN_H
#define SWTIO_SPDM_CHAIN_H

#include <stddef.h>
#include <stdint.h>

#define SPDM_KEY_POINT 96u		/* the longest X || Y */

/* The key, X || Y, of the last certificate of an SPDM chain that verifies up to its own root. Its
 * length, or -EBADMSG, -EACCES, -EIO. */
int spdm_chain_key(const uint8_t *chain, size_t len, uint8_t point[SPDM_KEY_POINT]);

#endif
