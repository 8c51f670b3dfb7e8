/* SPDX-License-Identifier: BSD-2-Clause */
/* swtio compare: several flows, phase by phase, side by side. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "flow/flow.h"

struct compare_options {
	bool json, quiet;
	const char *html;
	unsigned int columns;
};

/* Plays one flow to its end on a machine of its own, which is gone afterwards. */
static int play(const char *name, struct story *story)
{
	double start = cli_now();
	int rc = cli_flow_start(name);

	if (rc)
		return rc;
	while (flow_run_step() > 0)
		;
	rc = cli_story_take(story, NULL, cli_now() - start);
	image_detach();
	return rc;
}

static int show(const struct compare_options *options, const struct story *stories,
		unsigned int count)
{
	int rc = CLI_OK;

	if (options->html)
		rc = cli_page_write(options->html, stories, count);
	if (rc)
		return rc;
	if (options->json ? compare_json(stdout, stories, count)
			  : !options->quiet && compare_text(stdout, stories, count,
							    options->columns, cli_colour()))
		return cli_cannot("the comparison could not be written: %m");
	for (unsigned int i = 0; i < count; i++)
		if (!stories[i].ok)
			rc = CLI_FAILED;
	if (options->html && !options->json)
		printf("page        %s\n", options->html);
	return rc;
}

static int compare(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "json", no_argument, NULL, 'j' }, { "quiet", no_argument, NULL, 'q' },
		{ "html", required_argument, NULL, 'H' },
		{ "columns", required_argument, NULL, 'c' }, { NULL, 0, NULL, 0 },
	};
	struct compare_options options = { .columns = 120 };
	struct story stories[COMPARE_MAX] = { 0 };
	unsigned int count;
	int c, rc = CLI_OK;

	while ((c = getopt_long(argc, argv, "jqH:c:", longs, NULL)) != -1)
		switch (c) {
		case 'j': options.json = true; break;
		case 'q': options.quiet = true; break;
		case 'H': options.html = optarg; break;
		case 'c': options.columns = (unsigned int)strtoul(optarg, NULL, 0); break;
		default: return CLI_USAGE;
		}
	count = (unsigned int)(argc - optind);
	if (count < 2 || count > COMPARE_MAX)
		return cli_usage(&cli_compare_command, "two to %u flows are wanted", COMPARE_MAX);
	for (unsigned int i = 0; i < count && !rc; i++)
		rc = play(argv[optind + (int)i], &stories[i]);
	if (!rc)
		rc = show(&options, stories, count);
	for (unsigned int i = 0; i < count; i++)
		story_free(&stories[i]);
	return rc;
}

const struct cli_command cli_compare_command = {
	.name = "compare",
	.arguments = "[OPTIONS] FLOW FLOW...",
	.summary = "play several flows and lay them side by side",
	.help =
	"Plays two to four flows, each on a fresh host, and lays like phases on like rows: what every\n"
	"platform does, what only some do, and what they do in another order. A FLOW is a file, or the\n"
	"name of one of swtio's own: tdx, sev, cca. Exit code 0 only if all ended as written.\n\n"
	"  -H, --html FILE      a page with the table and the charts, phase beside phase\n"
	"  -c, --columns N      width of the text (120)\n"
	"  -q, --quiet          no text\n"
	"  -j, --json           the rows as JSON\n\n"
	"  swtio compare tdx sev cca\n"
	"  swtio compare --html compare.html tdx sev cca\n"
	"  swtio compare tdx my-order-of-tdx.flow\n",
	.run = compare,
};
