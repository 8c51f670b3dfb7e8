/* SPDX-License-Identifier: BSD-2-Clause */
/* swtio run: plays a flow and judges it. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chart/chart.h"
#include "check/check.h"
#include "cli/cli.h"
#include "cli/wire.h"
#include "flow/flow.h"

struct run_options {
	bool json, quiet, all_lanes, legend, trace;
	uint32_t save_at;
	const char *save_path, *load_path, *html_path, *pcap, *keylog;
	unsigned int depth;
};

const char *cli_step_title(uint32_t step)
{
	const struct flow_step *found = flow_step_find(step);

	return found ? found->title : NULL;
}

/* A name that is no file is one of swtio's own flows: below this folder, or where they were
 * installed, seen from the program. */
static const char *find_flow(const char *name, char *found, size_t len)
{
	static const char *const folders[] = { SWTIO_FLOWS_DIR, "../../../flows" };
	char program[PATH_MAX / 2];
	ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);

	if (strpbrk(name, "/.-") || !access(name, R_OK))
		return name;
	snprintf(found, len, "flows/%s.flow", name);
	if (!access(found, R_OK))
		return found;
	program[n > 0 ? n : 0] = '\0';
	dirname(program);
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		snprintf(found, len, "%s/%s/%s.flow", program, folders[i], name);
		if (!access(found, R_OK))
			return found;
	}
	return name;
}

int cli_flow_start(const char *name)
{
	char found[PATH_MAX];
	const char *path = find_flow(name, found, sizeof(found));
	char *text = cli_read_file(path);
	struct flow_error error;
	int rc;

	if (!text)
		return CLI_CANNOT;
	rc = flow_start(text, path, &error);
	free(text);
	if (!rc)
		return CLI_OK;
	if (error.line)
		fprintf(stderr, "%s%s%s:%u: %s\n", path, error.file[0] ? ": " : "", error.file, error.line, error.text);
	else
		cli_cannot("%s: %s", path, error.text[0] ? error.text : strerror(-rc));
	return error.line ? CLI_USAGE : CLI_CANNOT;
}

static void summary_json(const struct flow_state *state, unsigned int violations, double seconds)
{
	struct check_violation violation[16];
	unsigned int n = check_violations(violation, 16);
	cJSON *json = cJSON_CreateObject(), *list;
	char *text;

	cJSON_AddStringToObject(json, "flow", state->settings.title);
	cJSON_AddBoolToObject(json, "ok", !state->failures && !violations && state->done == state->actions);
	cJSON_AddNumberToObject(json, "steps", state->steps);
	cJSON_AddNumberToObject(json, "actions", state->actions);
	cJSON_AddNumberToObject(json, "actions_done", state->done);
	cJSON_AddNumberToObject(json, "dma_bytes", (double)*image_counter(IMAGE_COUNTER_DMA_BYTES));
	cJSON_AddNumberToObject(json, "tlps_refused", (double)*image_counter(IMAGE_COUNTER_TLP_REFUSED));
	cJSON_AddNumberToObject(json, "events", (double)(trace_next() - 1));
	cJSON_AddNumberToObject(json, "invariants_held", check_held());
	if (seconds >= 0)
		cJSON_AddNumberToObject(json, "seconds", seconds);
	list = cJSON_AddArrayToObject(json, "violations");
	for (unsigned int i = 0; i < n && i < 16; i++) {
		cJSON *one = cJSON_CreateObject();

		cJSON_AddStringToObject(one, "id", violation[i].id);
		cJSON_AddNumberToObject(one, "step", violation[i].step);
		cJSON_AddStringToObject(one, "why", violation[i].why);
		cJSON_AddItemToArray(list, one);
	}
	if (state->failures)
		cJSON_AddStringToObject(json, "failure", state->first.text);
	text = cJSON_Print(json);
	puts(text ? text : "{}");
	free(text);
	cJSON_Delete(json);
}

static void summary_text(const struct flow_state *state, unsigned int violations, double seconds)
{
	struct check_violation violation[8];
	size_t table;

	check_table(&table);
	printf("\n%s\n", state->settings.title);
	printf("  steps       %u, %u of %u actions done\n", state->steps, state->done, state->actions);
	printf("  DMA         %.1f MiB moved\n", (double)*image_counter(IMAGE_COUNTER_DMA_BYTES) / 1048576.0);
	printf("  TLPs        %llu refused\n", (unsigned long long)*image_counter(IMAGE_COUNTER_TLP_REFUSED));
	printf("  invariants  %u of %zu hold\n", check_held(), table);
	if (seconds >= 0)
		printf("  time        %.1f ms\n", seconds * 1e3);
	check_violations(violation, 8);
	for (unsigned int i = 0; i < violations && i < 8; i++)
		printf("  VIOLATED    %s in step %u: %s\n", violation[i].id, violation[i].step, violation[i].why);
	if (state->failures)
		printf("  NOT AS WRITTEN (%u): %s\n", state->failures, state->first.text);
	puts(state->failures || violations ? "FAILED" : "ended as written, every invariant held");
}

int cli_summary(bool json, double seconds)
{
	unsigned int violations = check_violations(NULL, 0);
	struct flow_state state;

	flow_state(&state);
	(json ? summary_json : summary_text)(&state, violations, seconds);
	return state.failures || violations || state.done != state.actions ? CLI_FAILED : CLI_OK;
}

static int play(const struct run_options *options)
{
	struct flow_state state;
	int rc;

	do {
		flow_state(&state);
		if (options->save_at && state.step > options->save_at)
			break;
		rc = flow_run_step();
	} while (rc > 0);
	if (!options->save_path)
		return CLI_OK;
	rc = image_save(options->save_path);
	return rc ? cli_cannot("%s: %s", options->save_path, strerror(-rc)) : CLI_OK;
}

static int run_options_parse(int argc, char **argv, struct run_options *options)
{
	static const struct option longs[] = {
		{ "json", no_argument, NULL, 'j' }, { "quiet", no_argument, NULL, 'q' },
		{ "all-lanes", no_argument, NULL, 'a' }, { "legend", no_argument, NULL, 'l' },
		{ "save-at", required_argument, NULL, 's' }, { "output", required_argument, NULL, 'o' },
		{ "load", required_argument, NULL, 'L' }, { "mutant", required_argument, NULL, 'm' },
		{ "depth", required_argument, NULL, 'd' }, { "trace", no_argument, NULL, 't' },
		{ "html", required_argument, NULL, 'H' }, { "uapi", required_argument, NULL, 'u' },
		{ "pcap", required_argument, NULL, 'p' }, { "keylog", required_argument, NULL, 'k' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "jqald:o:m:tH:", longs, NULL)) != -1)
		switch (c) {
		case 'j': options->json = true; break;
		case 'q': options->quiet = true; break;
		case 'a': options->all_lanes = true; break;
		case 'l': options->legend = true; break;
		case 't': options->trace = true; break;
		case 'H': options->html_path = optarg; break;
		case 'u':
			if (flow_uapi_set(optarg))
				return cli_usage(&cli_run_command,
					"no proposal is called '%s'; there are v5, 2026-06, vfio", optarg);
			break;
		case 's': options->save_at = (uint32_t)strtoul(optarg, NULL, 0); break;
		case 'd': options->depth = (unsigned int)strtoul(optarg, NULL, 0); break;
		case 'o': options->save_path = optarg; break;
		case 'L': options->load_path = optarg; break;
		case 'p': options->pcap = optarg; break;
		case 'k': options->keylog = optarg; break;
		case 'm':
			if (flow_mutant_add(optarg))
				return cli_usage(&cli_run_command, "no mutant is called '%s'", optarg);
			break;
		default: return CLI_USAGE;
		}
	if ((optind == argc) == !options->load_path)
		return cli_usage(&cli_run_command, "one flow is wanted, or --load IMAGE");
	if (options->save_at && !options->save_path)
		return cli_usage(&cli_run_command, "--save-at needs --output FILE");
	return CLI_OK;
}

static int page(const char *path, double seconds)
{
	struct story story = { 0 };
	int rc = cli_story_take(&story, NULL, seconds);

	if (!rc)
		rc = cli_page_write(path, &story, 1, COMPARE_ACTS);
	story_free(&story);
	return rc;
}

static int run(int argc, char **argv)
{
	struct run_options options = { 0 };
	struct chart_options chart = { .step_title = cli_step_title };
	int rc = run_options_parse(argc, argv, &options), closed;
	double start = cli_now();

	if (rc)
		return rc;
	if (options.load_path) {
		rc = image_load(options.load_path);
		if (rc)
			return cli_cannot("%s: %s", options.load_path, rc == -EPROTO ?
					  "made by another version of swtio" : strerror(-rc));
	} else {
		rc = cli_flow_start(argv[optind]);
		if (rc)
			return rc;
	}
	rc = cli_wire_files_open(options.pcap, options.keylog, image_clock);
	if (!rc)
		rc = play(&options);
	closed = cli_wire_files_close();
	if (rc || closed || options.save_at)
		return rc ? rc : closed;
	start = cli_now() - start;
	chart.all_lanes = options.all_lanes;
	chart.legend = options.legend;
	chart.colour = cli_colour();
	chart.max_depth = options.depth;
	if (options.trace)
		chart_json(stdout);
	else if (!options.quiet && !options.json)
		chart_text(stdout, &chart);
	if (options.html_path) {
		rc = page(options.html_path, start);
		if (rc)
			return rc;
	}
	return options.trace ? CLI_OK : cli_summary(options.json, start);
}

const struct cli_command cli_run_command = {
	.name = "run",
	.arguments = "[OPTIONS] FLOW | --load IMAGE",
	.summary = "play a flow, print its chart, judge it",
	.help =
	"Plays FLOW (a text file; - is standard input) on a fresh software host, prints the sequence\n"
	"chart and a summary. Exit code 0 only if every result was as written and every invariant held.\n\n"
	"  -a, --all-lanes      firmware and device lanes too\n"
	"  -d, --depth N        show calls nested less than N deep\n"
	"  -l, --legend         say what the words mean\n"
	"  -q, --quiet          no chart, the summary only\n"
	"  -j, --json           the summary as JSON\n"
	"  -t, --trace          the trace as JSON lines instead of a chart\n"
	"  -H, --html FILE      the chart as a page, each call's arguments and result on hover\n"
	"  -m, --mutant NAME    plant a deliberate bug in the host kernel (repeatable)\n"
	"      --uapi NAME      the proposal for bind and guest requests that is spoken: v5, 2026-06, vfio\n"
	"      --save-at N -o FILE   stop after step N and save the host\n"
	"      --load FILE      go on with a saved host\n"
	"      --pcap FILE      capture the DOE objects; pcapng when it ends in .pcapng\n"
	"      --keylog FILE    write the SPDM sessions' secrets, for `swtio decode --keylog`\n\n"
	"  swtio run flows/tdx.flow\n"
	"  swtio run --save-at 25 -o at25.img flows/tdx.flow && swtio run --load at25.img\n"
	"  swtio run --mutant unmap-before-stop flows/tdx.flow    # and see which invariant objects\n",
	.run = run,
};
