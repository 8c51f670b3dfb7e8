/* SPDX-License-Identifier: BSD-2-Clause */
/* What a run of the TSM saw, for people and for programs. */
#ifndef SWTIO_CLI_TSM_H
#define SWTIO_CLI_TSM_H

#include "wire/tsm.h"

/* `anchor` is the file the chain was verified with, NULL: it was taken at its word. */
void tsm_print(const struct tsm_result *result, const struct spdm_requester *requester, const char *anchor);
void tsm_print_json(const struct tsm_result *result, const struct spdm_requester *requester,
		    const char *anchor);

#endif
