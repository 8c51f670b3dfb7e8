/* SPDX-License-Identifier: BSD-2-Clause */
/* swtio step: a flow step by step, forward and back. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chart/chart.h"
#include "check/check.h"
#include "cli/cli.h"
#include "cli/wire.h"
#include "flow/flow.h"

#define HISTORY 512u

struct stepper {
	image_mark mark[HISTORY];	/* before the i-th step taken */
	unsigned int taken;
};

static void show_step(uint32_t step)
{
	struct chart_options chart = { .step_title = cli_step_title, .colour = cli_colour(), .first_step = step,
				       .last_step = step, .all_lanes = true };

	chart_text(stdout, &chart);
}

static void say_where(void)
{
	struct flow_state state;

	flow_state(&state);
	if (state.step)
		printf("next: step %u %s\n", state.step, cli_step_title(state.step));
	else
		puts("the flow is at its end");
}

static bool forward(struct stepper *stepper)
{
	struct flow_state state;

	flow_state(&state);
	if (!state.step || stepper->taken == HISTORY)
		return false;
	stepper->mark[stepper->taken] = image_snapshot();
	if (!stepper->mark[stepper->taken]) {
		puts("no memory for another step back");
		return false;
	}
	stepper->taken++;
	flow_run_step();
	show_step(state.step);
	return true;
}

static bool back(struct stepper *stepper)
{
	if (!stepper->taken) {
		puts("this is the beginning");
		return false;
	}
	stepper->taken--;
	image_restore(stepper->mark[stepper->taken]);
	image_release(stepper->mark[stepper->taken]);
	return true;
}

static void state_show(void)
{
	struct check_violation violation[8];
	unsigned int n = check_violations(violation, 8);
	struct flow_state state;

	flow_state(&state);
	printf("actions done %u of %u, clock %.3f ms, %u invariants hold\n", state.done, state.actions,
	       (double)image_clock() / 1e6, check_held());
	for (unsigned int i = 0; i < n && i < 8; i++)
		printf("VIOLATED %s in step %u: %s\n", violation[i].id, violation[i].step, violation[i].why);
	if (state.failures)
		puts(state.first.text);
}

/* One command; false to end. */
static bool command(struct stepper *stepper, const char *line)
{
	int n = atoi(line);

	if (line[0] == 'q')
		return false;
	if (line[0] == '\n' || line[0] == 'n' || !line[0])
		forward(stepper);
	else if (line[0] == 'b')
		back(stepper);
	else if (n < 0)
		while (n++ && back(stepper))
			;
	else if (n > 0)
		while (n-- && forward(stepper))
			;
	else if (line[0] == 's')
		state_show();
	else if (line[0] == 'r')
		while (forward(stepper))
			;
	else
		puts("Enter or n: next step   N: N steps on   b or -N: back   r: to the end   s: state   q: quit");
	say_where();
	return true;
}

/* The commands given, or those from standard input. */
static int commands(struct stepper *stepper, int count, char **given)
{
	char line[64];

	say_where();
	for (int i = 0; i < count; i++)
		if (!command(stepper, given[i]))
			return CLI_OK;
	while (!count) {
		if (isatty(STDIN_FILENO)) {
			fputs("> ", stdout);
			fflush(stdout);
		}
		if (!fgets(line, sizeof(line), stdin) || !command(stepper, line))
			break;
	}
	return CLI_OK;
}

static int step(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "pcap", required_argument, NULL, 'p' }, { "keylog", required_argument, NULL, 'k' },
		{ NULL, 0, NULL, 0 },
	};
	static struct stepper stepper;
	const char *pcap = NULL, *keylog = NULL;
	int c, rc, closed;

	while ((c = getopt_long(argc, argv, "+", longs, NULL)) != -1)
		if (c == 'p')
			pcap = optarg;
		else if (c == 'k')
			keylog = optarg;
		else
			return CLI_USAGE;
	if (optind == argc)
		return cli_usage(&cli_step_command, "a flow is wanted");
	rc = cli_flow_start(argv[optind]);
	if (!rc)
		rc = cli_wire_files_open(pcap, keylog, image_clock);
	if (!rc)
		rc = commands(&stepper, argc - optind - 1, argv + optind + 1);
	closed = cli_wire_files_close();
	return rc ? rc : closed;
}

const struct cli_command cli_step_command = {
	.name = "step",
	.arguments = "[--pcap FILE] [--keylog FILE] FLOW [COMMAND]...",
	.summary = "play a flow step by step, forward and back",
	.help =
	"Plays FLOW under your hands. Commands come from the command line, or from standard input:\n\n"
	"  Enter, n    the next step          N     N steps on\n"
	"  b           one step back          -N    N steps back\n"
	"  r           run to the end         s     where things stand\n"
	"  q           quit\n\n"
	"  --pcap FILE          capture the DOE objects; pcapng when it ends in .pcapng\n"
	"  --keylog FILE        write the SPDM sessions' secrets, for `swtio decode --keylog`\n\n"
	"  swtio step flows/tdx.flow\n"
	"  swtio step flows/tdx.flow 22 -1 s    # to step 22, one back, and look\n",
	.run = step,
};
