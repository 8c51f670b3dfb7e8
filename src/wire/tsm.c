/* SPDX-License-Identifier: BSD-2-Clause */
/* The steps in their order, and one request with its answer. */
#include "wire/tsm_steps.h"

#include "image/image.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static const struct {
	const char *name;
	int (*run)(struct tsm *tsm);
	int undoes; /* enum tsm_step, or -1: it is part of the way there */
} steps[TSM_STEPS] = {
	[TSM_DISCOVER] = {"discover", tsm_discover, -1},
	[TSM_CONNECT] = {"connect", tsm_connect, -1},
	[TSM_ATTEST] = {"attest", tsm_attest, -1},
	[TSM_KEYS] = {"IDE keys", tsm_keys, -1},
	[TSM_LOCK] = {"lock", tsm_lock, -1},
	[TSM_REPORT] = {"report", tsm_report, -1},
	[TSM_START] = {"start", tsm_start, -1},
	[TSM_STOP] = {"stop", tsm_stop, TSM_LOCK},
	[TSM_UNKEY] = {"IDE keys off", tsm_unkey, TSM_KEYS},
	[TSM_END] = {"end session", tsm_end, TSM_CONNECT},
};

const char *tsm_step_name(enum tsm_step step)
{
	return step < TSM_STEPS ? steps[step].name : "?";
}

int tsm_fail(struct tsm *tsm, int rc, const char *format, ...)
{
	va_list args;

	if (tsm->result->why[0])
		return rc; /* the first reason is the reason */
	va_start(args, format);
	vsnprintf(tsm->result->why, sizeof(tsm->result->why), format, args);
	va_end(args);
	return rc;
}

static const char *spdm_error_name(uint8_t code)
{
	static const struct {
		uint8_t code;
		const char *name;
	} names[] = {
		{0x01, "InvalidRequest"}, {0x02, "InvalidSession"}, {0x03, "Busy"},
		{0x04, "UnexpectedRequest"}, {0x05, "Unspecified"}, {0x06, "DecryptError"},
		{0x07, "UnsupportedRequest"}, {0x08, "RequestInFlight"},
		{0x09, "InvalidResponseCode"}, {0x0a, "SessionLimitExceeded"},
		{0x0b, "SessionRequired"}, {0x0c, "ResetRequired"}, {0x0d, "ResponseTooLarge"},
		{0x0e, "RequestTooLarge"}, {0x0f, "LargeResponse"}, {0x10, "MessageLost"},
		{0x11, "InvalidPolicy"}, {0x41, "VersionMismatch"}, {0x42, "ResponseNotReady"},
		{0x43, "RequestResynch"}, {0x44, "OperationFailed"}, {0x45, "NoPendingRequests"},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (names[i].code == code)
			return names[i].name;
	return "?";
}

static const char *reason(int rc)
{
	switch (rc) {
	case -ENOMSG:
		return "the device does not answer this";
	case -ETIMEDOUT:
		return "no answer in time";
	case -ECONNRESET:
		return "the connection ended";
	case -EBADMSG:
		return "the answer is malformed";
	case -EPROTO:
		return "the answer is not one to this request, or there is nothing both can do";
	case -EACCES:
		return "a signature, the certificate chain or a MAC is wrong";
	default:
		return strerror(-rc);
	}
}

/* The requester's current operation, to its end. */
static int operation_run(struct tsm *tsm, const char *what)
{
	struct spdm_wire request, answer;
	int rc = spdm_requester_next(tsm->requester, NULL, &request);

	while (rc == 1) {
		if (tsm->link->fd >= 0 && spdm_requester_delay(tsm->requester))
			usleep(spdm_requester_delay(tsm->requester));
		rc = wire_link_message(tsm->link, &request, &answer);
		if (!rc)
			rc = spdm_requester_next(tsm->requester, &answer, &request);
	}
	if (rc == -EREMOTEIO)
		return tsm_fail(tsm, rc, "%s: SPDM error %s (0x%02x)", what,
			spdm_error_name(spdm_requester_error(tsm->requester)),
			spdm_requester_error(tsm->requester));
	return rc ? tsm_fail(tsm, rc, "%s: %s", what, reason(rc)) : 0;
}

int tsm_operation(struct tsm *tsm, enum spdm_op op, const char *what)
{
	int rc = spdm_requester_start(tsm->requester, op);

	if (rc == -EOPNOTSUPP)
		return rc;
	return rc ? tsm_fail(tsm, rc, "%s: %s", what, reason(rc)) : operation_run(tsm, what);
}

int tsm_vendor(struct tsm *tsm, uint8_t protocol, const struct writer *body, struct reader *reply,
	const char *what)
{
	const uint8_t *bytes;
	size_t len;
	int rc = spdm_requester_vendor(tsm->requester, protocol, body->p, body->at);

	if (!rc)
		rc = operation_run(tsm, what);
	if (rc)
		return tsm_fail(tsm, rc, "%s: %s", what, reason(rc));
	tsm->result->requests++;
	bytes = spdm_requester_vendor_reply(tsm->requester, &len);
	*reply = reader_of(bytes, len);
	return 0;
}

/* Undoes what was done: only the steps that take something back, each whatever the others said. */
static void undo(struct tsm *tsm)
{
	for (int step = TSM_STOP; step < TSM_STEPS; step++)
		if ((tsm->result->done >> steps[step].undoes & 1) &&
			!(tsm->result->done >> step & 1) &&
			spdm_requester_session(tsm->requester) && !steps[step].run(tsm))
			tsm->result->done |= 1u << step;
}

int tsm_run(struct wire_link *link, struct spdm_requester *requester,
	const struct tsm_options *options, struct tsm_result *result)
{
	struct tsm tsm = {.link = link, .requester = requester, .options = options, .result = result};
	int rc = 0;

	*result = (struct tsm_result){.failed = -1};
	for (int step = 0; step < TSM_STEPS && !rc; step++) {
		if (steps[step].undoes < 0 ? step > (int)options->last
					   : !(result->done >> steps[step].undoes & 1))
			continue;
		rc = steps[step].run(&tsm);
		if (rc)
			result->failed = step;
		else
			result->done |= 1u << step;
	}
	if (rc)
		undo(&tsm);
	return rc;
}
