/* SPDX-License-Identifier: BSD-2-Clause */
#include "hardware/pt_fmt_vtd_ss.h"

#define PT_OPS pt_vtd_ss_ops
#include "hardware/pt_algo.h"
