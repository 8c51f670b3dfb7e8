/* SPDX-License-Identifier: BSD-2-Clause */
/* /proc/self/fd and /proc/self/fdinfo, of descriptors of ours. */
#ifndef SWTIO_SHIM_FDINFO_H
#define SWTIO_SHIM_FDINFO_H

#include <stddef.h>
#include <sys/types.h>

/* As readlink() and open(), or SHIM_NOT_OURS. */
ssize_t fdinfo_link(const char *path, char *to, size_t len);
int fdinfo_open(const char *path, int flags);

#endif
