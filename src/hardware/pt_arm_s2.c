/* SPDX-License-Identifier: BSD-2-Clause */
#include "hardware/pt_fmt_arm_s2.h"

#define PT_OPS pt_arm_s2_ops
#include "hardware/pt_algo.h"
