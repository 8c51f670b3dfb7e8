/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine: hardware, firmware, devices and kernel, switched on in a fresh image. */
#ifndef SWTIO_FLOW_MACHINE_H
#define SWTIO_FLOW_MACHINE_H

#include "hardware/platform.h"
#include "kernel/kernel.h"

/* enum platform of a name ("": TDX), -EINVAL there is no such machine */
int machine_platform_find(const char *name);
/* inside image_enter(); 0 or -errno */
int machine_boot(enum platform platform, const struct kernel_options *options);
/* In a process that has attached to a machine: what it is to tell the process that holds its captures. */
void machine_attached(void);

#endif
