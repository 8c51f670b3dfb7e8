/* SPDX-License-Identifier: BSD-2-Clause */
/* One run of the TSM on its way. Internal to this room. */
#ifndef SWTIO_WIRE_TSM_STEPS_H
#define SWTIO_WIRE_TSM_STEPS_H

#include "image/bytes.h"
#include "wire/tsm.h"

struct tsm {
	struct wire_link *link;
	struct spdm_requester *requester;
	const struct tsm_options *options;
	struct tsm_result *result;
};

/* Notes why, if nothing was noted yet, and returns rc. */
int tsm_fail(struct tsm *tsm, int rc, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* An SPDM operation, to its end; -EOPNOTSUPP, without a reason, when the device lacks it. */
int tsm_operation(struct tsm *tsm, enum spdm_op op, const char *what);
/* An IDE_KM or TDISP message in the session; the reply behind its protocol id. */
int tsm_vendor(struct tsm *tsm, uint8_t protocol, const struct writer *body, struct reader *reply,
	       const char *what);

int tsm_discover(struct tsm *tsm);
int tsm_connect(struct tsm *tsm);
int tsm_attest(struct tsm *tsm);
int tsm_keys(struct tsm *tsm);
int tsm_lock(struct tsm *tsm);
int tsm_report(struct tsm *tsm);
int tsm_start(struct tsm *tsm);
int tsm_stop(struct tsm *tsm);
int tsm_unkey(struct tsm *tsm);
int tsm_end(struct tsm *tsm);

#endif
