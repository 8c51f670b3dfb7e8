/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside a TD: TDCALLs, and the TDCM protocol on top of them. */
#ifndef SWTIO_GUEST_TDX_H
#define SWTIO_GUEST_TDX_H

#include "firmware/tdx/operands.h"
#include "firmware/tdx/tdx.h"
#include "guest/internal.h"

/* A TDCALL; a refusal is -EACCES with the status as the verb's outcome. */
int guest_tdcall(const struct guest_call *call, enum tdcall_leaf leaf, struct tdx_args *args);

/* -- tdcm.c -- */
int64_t stage_tdcm(const struct guest_call *call);
int64_t stage_tdcm_check(const struct guest_call *call);
int64_t stage_tdcm_bind(const struct guest_call *call);
int64_t stage_tdcm_unbind(const struct guest_call *call);
int64_t stage_tdcm_report(const struct guest_call *call);
int64_t stage_tdcm_start(const struct guest_call *call);
int64_t stage_tdcm_info(const struct guest_call *call);

#endif
