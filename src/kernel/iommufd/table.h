/* SPDX-License-Identifier: BSD-2-Clause */
/* A row of the table of ioctls: what main.c needs to know of a call before and after it is made. */
#ifndef SWTIO_KERNEL_IOMMUFD_TABLE_H
#define SWTIO_KERNEL_IOMMUFD_TABLE_H

#include <stddef.h>

#include "kernel/iommufd/private.h"

#define TRACED 3u

enum need { NEED_NOTHING, NEED_EXTENSIONS, NEED_MOCK };

struct row {
	const char *name;
	int (*handler)(struct iommufd_cmd *cmd);
	uint16_t size, min_size;
	unsigned int number;
	enum need need;
	struct { const char *key; uint8_t at, len; } traced[TRACED];
};

#define LEN(type, member) sizeof(((struct type *)0)->member)
#define END(type, member) (offsetof(struct type, member) + LEN(type, member))
#define T(type, member, key) { key, offsetof(struct type, member), LEN(type, member) }
#define COMMAND(cmd_number, text, type, last, fn, required, ...) \
	{ text, fn, sizeof(struct type), END(type, last), cmd_number, required, { __VA_ARGS__ } }
#define ROW(cmd_number, ...) \
	[_IOC_NR(cmd_number) - IOMMUFD_CMD_BASE] = COMMAND(cmd_number, __VA_ARGS__)

/* -- tsm_uapi.c: the TSM's calls, as the facade that was chosen has them ------------------------ */
/* The row of IOMMUFD_CMD_VDEVICE_TSM_*; an empty one when the facade has nothing there. */
const struct row *iommufd_tsm_row(unsigned int nr);

struct guest_request {			/* a guest request, whatever it looked like */
	uint32_t vdevice_id, scope, req_len, resp_len;
	uint64_t req, resp;
	uint64_t tsm_code;		/* out: the firmware's own code */
};
/* 0, or -errno as the facade has it. */
int iommufd_tsm_request_decode(const void *args, struct guest_request *request);
/* Puts what the answer has besides its buffer into *args; false: this facade has nothing there. */
bool iommufd_tsm_request_tell(void *args, const struct guest_request *request);

#endif
