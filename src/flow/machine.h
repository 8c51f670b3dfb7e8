/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine: hardware, firmware, devices and kernel, switched on in a fresh image. */
#ifndef SWTIO_FLOW_MACHINE_H
#define SWTIO_FLOW_MACHINE_H

#include "kernel/kernel.h"

int machine_boot(const struct kernel_options *options);	/* inside image_enter(); 0 or -errno */

#endif
