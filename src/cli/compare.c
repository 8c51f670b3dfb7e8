/* SPDX-License-Identifier: BSD-2-Clause */
/* swtio compare: several flows, phase by phase, side by side. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "flow/flow.h"
#include "kernel/kernel.h"

struct compare_options {
	bool json, quiet;
	enum compare_view view;
	const char *html;
	unsigned int columns;
};

/* Plays one flow to its end on a machine of its own, which is gone afterwards. */
static int play(const char *name, const char *label, struct story *story)
{
	double start = cli_now();
	int rc = cli_flow_start(name);

	if (rc)
		return rc;
	while (flow_run_step() > 0)
		;
	rc = cli_story_take(story, label, cli_now() - start);
	image_detach();
	return rc;
}

static int show(const struct compare_options *options, const struct story *stories,
		unsigned int count)
{
	int rc = CLI_OK;

	if (options->html)
		rc = cli_page_write(options->html, stories, count, options->view);
	if (rc)
		return rc;
	if (options->json ? compare_json(stdout, stories, count, options->view)
			  : !options->quiet && compare_text(stdout, stories, count, options->view,
							    options->columns, cli_colour()))
		return cli_cannot("the comparison could not be written: %m");
	for (unsigned int i = 0; i < count; i++)
		if (!stories[i].ok)
			rc = CLI_FAILED;
	if (options->html && !options->json)
		printf("page        %s\n", options->html);
	return rc;
}

static int play_flows(int argc, char **argv, struct story *stories, unsigned int *count)
{
	int rc = CLI_OK;

	if (argc < 2 || argc > (int)COMPARE_MAX)
		return cli_usage(&cli_compare_command, "two to %u flows are wanted", COMPARE_MAX);
	for (*count = 0; (int)*count < argc && !rc; ++*count)
		rc = play(argv[*count], NULL, &stories[*count]);
	return rc;
}

/* One flow, once with each proposal for bind and guest requests. */
static int play_uapis(int argc, char **argv, struct story *stories, unsigned int *count)
{
	const char *name;
	int rc = CLI_OK;

	if (argc != 1)
		return cli_usage(&cli_compare_command, "one flow is wanted with --uapi");
	for (*count = 0; (name = tsm_uapi_name(*count)) != NULL && *count < COMPARE_MAX && !rc;
	     ++*count) {
		flow_uapi_set(name);
		rc = play(argv[0], name, &stories[*count]);
	}
	return rc;
}

static int compare(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "json", no_argument, NULL, 'j' }, { "quiet", no_argument, NULL, 'q' },
		{ "html", required_argument, NULL, 'H' }, { "uapi", no_argument, NULL, 'u' },
		{ "columns", required_argument, NULL, 'c' }, { NULL, 0, NULL, 0 },
	};
	struct compare_options options = { .columns = 120 };
	struct story stories[COMPARE_MAX] = { 0 };
	unsigned int count = 0;
	int c, rc;

	while ((c = getopt_long(argc, argv, "jqH:c:u", longs, NULL)) != -1)
		switch (c) {
		case 'j': options.json = true; break;
		case 'q': options.quiet = true; break;
		case 'u': options.view = COMPARE_CALLS; break;
		case 'H': options.html = optarg; break;
		case 'c': options.columns = (unsigned int)strtoul(optarg, NULL, 0); break;
		default: return CLI_USAGE;
		}
	rc = options.view == COMPARE_CALLS ? play_uapis(argc - optind, argv + optind, stories, &count)
					   : play_flows(argc - optind, argv + optind, stories, &count);
	if (!rc)
		rc = show(&options, stories, count);
	for (unsigned int i = 0; i < count; i++)
		story_free(&stories[i]);
	return rc;
}

const struct cli_command cli_compare_command = {
	.name = "compare",
	.arguments = "[OPTIONS] FLOW FLOW... | --uapi FLOW",
	.summary = "play several flows and lay them side by side",
	.help =
	"Plays two to four flows, each on a fresh host, and lays like phases on like rows: what every\n"
	"platform does, what only some do, and what they do in another order. A FLOW is a file, or the\n"
	"name of one of swtio's own: tdx, sev, cca. Exit code 0 only if all ended as written.\n\n"
	"  -H, --html FILE      a page with the table and the charts, phase beside phase\n"
	"  -u, --uapi           one flow, once with each of the proposals for bind and guest requests: the\n"
	"                       VMM's system calls side by side\n"
	"  -c, --columns N      width of the text (120)\n"
	"  -q, --quiet          no text\n"
	"  -j, --json           the rows as JSON\n\n"
	"  swtio compare tdx sev cca\n"
	"  swtio compare --html compare.html tdx sev cca\n"
	"  swtio compare --uapi tdx\n"
	"  swtio compare tdx my-order-of-tdx.flow\n",
	.run = compare,
};
