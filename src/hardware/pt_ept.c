/* SPDX-License-Identifier: BSD-2-Clause */
#include "hardware/pt_fmt_ept.h"

#define PT_OPS pt_ept_ops
#include "hardware/pt_algo.h"
