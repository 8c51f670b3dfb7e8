/* SPDX-License-Identifier: BSD-2-Clause */
/* Bind, unbind and guest requests: what a VMM does when the guest asks. */
#include <stdlib.h>

#include "vmm/internal.h"

static int64_t tsm_bind(const struct vmm_call *call)
{
	struct vmm_device *device = vmm_device_of(call);

	return device ? vmm_uapi(call->vmm)->bind(call, device, true) : -EDOM;
}

static int64_t tsm_unbind(const struct vmm_call *call)
{
	struct vmm_device *device = vmm_device_of(call);

	return device ? vmm_uapi(call->vmm)->bind(call, device, false) : -EDOM;
}

static int64_t answer(
	const struct vmm_call *call, uint32_t error, const uint8_t *data, uint32_t len)
{
	struct vmm *vmm = call->vmm;
	int rc;

	if (vmm->exit_reason != VMM_EXIT_GUEST)
		return -ENOMSG;
	rc = vmm_platform(vmm)->answer(call, error, data, len);
	vmm->exit_reason = 0;
	return rc;
}

/* complete [error=]: the answer without data; as tdcm-complete. */
static int64_t complete(const struct vmm_call *call)
{
	return answer(call, (uint32_t)vmm_arg_or(call, "error", 0), NULL, 0);
}

/* exit: the operation the guest asked for, if one waits. */
static int64_t guest_exit(const struct vmm_call *call)
{
	return call->vmm->exit_reason == VMM_EXIT_GUEST ? (int64_t)call->vmm->exit_op : -ENOMSG;
}

int64_t vmm_tsm_request(const struct vmm_call *call, enum vmm_request op, const uint8_t *body,
			uint32_t len, uint8_t *out)
{
	const struct vmm_ask ask = { op, body, len };
	struct vmm_device *device = vmm_device_of(call);

	return device ? vmm_uapi(call->vmm)->request(call, device, &ask, out, VMM_ANSWER_MAX) :
			-EDOM;
}

/* A request whose answer goes back to the guest, when it waits for one. *first: the answer's first 8
 * bytes, for the VMM itself. */
static int64_t request(const struct vmm_call *call, enum vmm_request op, uint64_t *first)
{
	uint8_t *out = calloc(1, VMM_ANSWER_MAX);
	int64_t rc = out ? vmm_tsm_request(call, op, NULL, 0, out) : -ENOMEM;

	if (out && call->vmm->exit_reason == VMM_EXIT_GUEST)
		answer(call, rc < 0 ? (uint32_t)-rc : 0, out, rc < 0 ? 0 : (uint32_t)rc);
	for (unsigned int i = 0; first && rc >= 8 && i < 8; i++)
		*first |= (uint64_t)out[i] << (8 * i);
	free(out);
	return rc;
}

static int64_t tsm_report(const struct vmm_call *call)
{
	return request(call, VMM_REQUEST_REPORT, NULL);
}

static int64_t tsm_measurements(const struct vmm_call *call)
{
	return request(call, VMM_REQUEST_MEASUREMENTS, NULL);
}

static int64_t tsm_certificates(const struct vmm_call *call)
{
	return request(call, VMM_REQUEST_CERTIFICATES, NULL);
}

static int64_t tsm_start(const struct vmm_call *call)
{
	return request(call, VMM_REQUEST_START, NULL);
}

/* tsm-state: the TDI's state, as the device says it now; the module hears it too. */
static int64_t tsm_state(const struct vmm_call *call)
{
	uint64_t state = 0;
	int64_t rc = request(call, VMM_REQUEST_STATE, &state);

	return rc < 0 ? rc : (int64_t)state;
}

const struct vmm_verb vmm_tsm_verbs[] = {
	{ "tsm-bind", tsm_bind },
	{ "tsm-unbind", tsm_unbind },
	{ "tsm-report", tsm_report },
	{ "tsm-measurements", tsm_measurements },
	{ "tsm-certificates", tsm_certificates },
	{ "tsm-start", tsm_start },
	{ "tsm-state", tsm_state },
	{ "complete", complete },
	{ "tdcm-complete", complete },
	{ "exit", guest_exit },
	{ NULL, NULL },
};
