/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"

static const struct cli_command *const commands[] = {
	&cli_run_command, &cli_step_command, &cli_chart_command, &cli_compare_command, &cli_inspect_command, &cli_exec_command,
	&cli_device_command, &cli_tsm_command, &cli_setup_command, &cli_decode_command,
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void print_help(FILE *out)
{
	fputs("swtio: the host side of confidential device assignment (TEE-IO), in software\n\n"
	      "usage: swtio COMMAND [OPTIONS]...\n\n", out);
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(out, "  %-9s%s\n", commands[i]->name, commands[i]->summary);
	fputs("\n`swtio COMMAND --help` explains one, with examples.\n"
	      "Exit codes: 0 as written, 1 an expectation or an invariant failed, 2 usage, 3 cannot.\n", out);
}

int cli_help(const struct cli_command *command)
{
	printf("usage: swtio %s %s\n\n%s", command->name, command->arguments, command->help);
	return CLI_OK;
}

int cli_usage(const struct cli_command *command, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "swtio %s: ", command->name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\nusage: swtio %s %s\nTry 'swtio %s --help'.\n", command->name, command->arguments,
		command->name);
	return CLI_USAGE;
}

int cli_cannot(const char *format, ...)
{
	va_list args;

	fputs("swtio: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return CLI_CANNOT;
}

char *cli_read_file(const char *path)
{
	FILE *file = !strcmp(path, "-") ? stdin : fopen(path, "r");
	size_t used = 0, room = 1 << 16, n;
	char *text = malloc(room);

	if (!file || !text) {
		cli_cannot("%s: %m", path);
		free(text);
		return NULL;
	}
	while ((n = fread(text + used, 1, room - used - 1, file)) > 0) {
		char *bigger;

		used += n;
		if (room - used > 1)
			continue;
		room *= 2;
		bigger = room > 1u << 26 ? NULL : realloc(text, room);
		if (!bigger) {
			cli_cannot("%s: too large for a flow", path);
			free(text);
			text = NULL;
			break;
		}
		text = bigger;
	}
	if (text && ferror(file)) {
		cli_cannot("%s: %m", path);
		free(text);
		text = NULL;
	}
	if (text)
		text[used] = '\0';
	if (file != stdin)
		fclose(file);
	return text;
}

bool cli_colour(void)
{
	const char *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && !getenv("NO_COLOR") && term && strcmp(term, "dumb");
}

double cli_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	if (argc < 2 || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		print_help(argc < 2 ? stderr : stdout);
		return argc < 2 ? CLI_USAGE : CLI_OK;
	}
	if (!strcmp(argv[1], "--version")) {
		puts("swtio " SWTIO_VERSION);
		return CLI_OK;
	}
	for (size_t i = 0; i < COMMANDS; i++) {
		if (strcmp(argv[1], commands[i]->name))
			continue;
		if (argc > 2 && (!strcmp(argv[2], "--help") || !strcmp(argv[2], "-h")))
			return cli_help(commands[i]);
		return commands[i]->run(argc - 1, argv + 1);
	}
	fprintf(stderr, "swtio: there is no command '%s'\n\n", argv[1]);
	print_help(stderr);
	return CLI_USAGE;
}
