/* SPDX-License-Identifier: BSD-2-Clause */
#include "trace/trace.h"
