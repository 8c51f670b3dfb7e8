/* SPDX-License-Identifier: BSD-2-Clause */
#include "hardware/pt_fmt_x86.h"

#define PT_OPS pt_x86_ops
#include "hardware/pt_algo.h"
