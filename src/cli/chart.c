/* SPDX-License-Identifier: BSD-2-Clause */
/* swtio chart: the chart of a saved or live host. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chart/chart.h"
#include "cli/cli.h"
#include "flow/flow.h"
#include "image/image.h"

static int chart(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "all-lanes", no_argument, NULL, 'a' }, { "legend", no_argument, NULL, 'l' },
		{ "depth", required_argument, NULL, 'd' }, { "columns", required_argument, NULL, 'c' },
		{ "steps", required_argument, NULL, 's' }, { "json", no_argument, NULL, 'j' },
		{ NULL, 0, NULL, 0 },
	};
	struct chart_options options = { .step_title = cli_step_title, .colour = cli_colour() };
	bool json = false;
	char *dash;
	int c, rc;

	while ((c = getopt_long(argc, argv, "ald:c:s:j", longs, NULL)) != -1)
		switch (c) {
		case 'a': options.all_lanes = true; break;
		case 'l': options.legend = true; break;
		case 'j': json = true; break;
		case 'd': options.max_depth = (unsigned int)strtoul(optarg, NULL, 0); break;
		case 'c': options.columns = (unsigned int)strtoul(optarg, NULL, 0); break;
		case 's':
			options.first_step = (uint32_t)strtoul(optarg, &dash, 0);
			options.last_step = *dash == '-' ? (uint32_t)strtoul(dash + 1, NULL, 0) : options.first_step;
			break;
		default: return CLI_USAGE;
		}
	if (argc - optind != 1)
		return cli_usage(&cli_chart_command, "one saved host or one process is wanted");
	rc = cli_image_open(argv[optind]);
	if (rc)
		return rc;
	rc = json ? chart_json(stdout) : chart_text(stdout, &options);
	return rc ? cli_cannot("cannot write: %m") : CLI_OK;
}

const struct cli_command cli_chart_command = {
	.name = "chart",
	.arguments = "[OPTIONS] IMAGE|PID",
	.summary = "draw the chart of a saved or a live host",
	.help =
	"Draws what happened on a host: a file made by `swtio run -o`, or the process id of a program\n"
	"that runs on one.\n\n"
	"  -a, --all-lanes      firmware and device lanes too\n"
	"  -s, --steps A-B      only these steps\n"
	"  -d, --depth N        show calls nested less than N deep\n"
	"  -c, --columns N      width (100)\n"
	"  -l, --legend         say what the words mean\n"
	"  -j, --json           the events as JSON lines\n\n"
	"  swtio run -q -o end.img flows/tdx.flow; swtio chart -a -s 18-22 end.img\n",
	.run = chart,
};
