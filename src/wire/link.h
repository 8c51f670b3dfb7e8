/* SPDX-License-Identifier: BSD-2-Clause */
/* The requester's end of a wire: DOE objects to a responder, through a socket or in process. */
#ifndef SWTIO_WIRE_LINK_H
#define SWTIO_WIRE_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "spdm/spdm.h"

#define WIRE_OBJECT_MAX (8 + SPDM_MAX_WIRE + 4)

struct wire_link {
	int fd;				/* -1: in process, to the function at rid */
	uint16_t rid;
	int timeout_ms;			/* of one answer */
	unsigned int objects;		/* sent so far */
};

/* Connects to host:port; 0 or -errno. */
int wire_link_open(struct wire_link *link, const char *host, uint16_t port, int timeout_ms);
/* Says SHUTDOWN, and closes. */
void wire_link_close(struct wire_link *link);
/* One DOE object and its answer. The answer's length; -ENOMSG: answered with nothing, -ETIMEDOUT,
 * -EPROTO: no frame of ours, -ECONNRESET. */
int wire_link_object(struct wire_link *link, const uint8_t *object, size_t len, uint8_t *answer,
		     size_t cap);
/* One SPDM message of either kind; 0 or as above, -EBADMSG: not an object of that kind. */
int wire_link_message(struct wire_link *link, const struct spdm_wire *request,
		      struct spdm_wire *answer);
/* The object types that DOE discovery names, a bit each; or as above. */
int wire_link_discover(struct wire_link *link);

#endif
