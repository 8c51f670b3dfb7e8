/* SPDX-License-Identifier: BSD-2-Clause */
#include "hardware/pt_fmt_amd_v1.h"

#define PT_OPS pt_amd_v1_ops
#include "hardware/pt_algo.h"
