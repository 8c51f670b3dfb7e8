/* SPDX-License-Identifier: BSD-2-Clause */
/* The command `swtio`: sub-commands, and what they share. */
#ifndef SWTIO_CLI_CLI_H
#define SWTIO_CLI_CLI_H

#include <stdbool.h>
#include <stdint.h>

#include "chart/story.h"

/* Exit codes, the same for every sub-command. */
enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2, CLI_CANNOT = 3 };

struct cli_command {
	const char *name, *arguments, *summary, *help;
	int (*run)(int argc, char **argv);
};
extern const struct cli_command cli_run_command, cli_step_command, cli_chart_command, cli_inspect_command,
	cli_exec_command, cli_compare_command,
	cli_device_command, cli_tsm_command, cli_setup_command, cli_decode_command;

int cli_usage(const struct cli_command *command, const char *format, ...) __attribute__((format(printf, 2, 3)));
int cli_cannot(const char *format, ...) __attribute__((format(printf, 1, 2)));
int cli_help(const struct cli_command *command);

/* A whole file as text; NULL and a message when it cannot be read. */
char *cli_read_file(const char *path);
/* Starts a flow from a file, or from one of swtio's own by its name, with a message on failure: 0 or an exit code. */
int cli_flow_start(const char *path);
/* Attaches a live process's image or loads a file, with a message on failure: 0 or an exit code. */
int cli_image_open(const char *name);
const char *cli_step_title(uint32_t step);
bool cli_colour(void);
double cli_now(void);			/* seconds, monotonic */
/* What was played, as a story; label NULL: the platform. With a message on failure; an exit code.
 * story_free() in any case. */
int cli_story_take(struct story *story, const char *label, double seconds);
int cli_page_write(const char *path, const struct story *stories, unsigned int count,
		   enum compare_view view);
/* What a run came to, on stdout; the exit code. */
int cli_summary(bool json, double seconds);

#endif
