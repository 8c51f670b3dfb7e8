/* SPDX-License-Identifier: BSD-2-Clause */
/* swtio exec: an unmodified program on the software host. */
#include "cli/cli.h"

static int exec_run(int argc, char **argv)
{
	(void)argc, (void)argv;
	return cli_cannot("exec is not built");
}

const struct cli_command cli_exec_command = {
	.name = "exec",
	.arguments = "[--extensions] -- COMMAND [ARGUMENT]...",
	.summary = "run an unmodified program on the software host",
	.help = "",
	.run = exec_run,
};
