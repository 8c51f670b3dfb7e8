/* SPDX-License-Identifier: BSD-2-Clause */
#include "hardware/pt_fmt_mock.h"

#define PT_OPS pt_mock_ops
#include "hardware/pt_algo.h"
