/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading what stands where in the machine. */
#ifndef SWTIO_CLI_TOPOLOGY_H
#define SWTIO_CLI_TOPOLOGY_H

#include "device/device.h"

/* Adds the devices of a text ("model=ioat,bdf=0000:02:00.0") or of a JSON file. 0, or -errno with
 * what is wrong in `error`. */
int topology_device(struct topology *topology, const char *text, char *error, size_t len);
int topology_file(struct topology *topology, const char *path, char *error, size_t len);

#endif
