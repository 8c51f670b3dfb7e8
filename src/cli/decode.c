/* SPDX-License-Identifier: BSD-2-Clause */
/* swtio decode: what is in a capture. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/wire.h"
#include "wire/decode.h"

#define CAPTURE_MAX (1u << 28)

/* -- as text: a line a layer ----------------------------------------------------------------- */

struct text { unsigned int depth; uint64_t start; };

static void text_packet(void *arg, unsigned int number, const struct capture_packet *packet)
{
	static const char *const arrows[] = { "-", ">", "<" };
	struct text *text = arg;

	if (number == 1)
		text->start = packet->ns;
	text->depth = 0;
	printf("%5u %11.6f %s%s%s", number, (double)(packet->ns - text->start) / 1e9, packet->interface,
	       *packet->interface ? " " : "", arrows[packet->direction]);
}

static void text_layer(void *arg, const char *name)
{
	struct text *text = arg;

	if (text->depth)
		printf("\n%*s", (int)(18 + 2 * text->depth), "");
	printf(" %s", name);
	text->depth++;
}

static void text_field(void *arg, const char *name, const char *value)
{
	(void)arg;
	printf(" %s=%s", name, value);
}

static void text_end(void *arg)
{
	(void)arg;
	putchar('\n');
}

/* -- as JSON: an object a packet ------------------------------------------------------------- */

struct json { cJSON *packet, *layers, *layer; };

static void json_packet(void *arg, unsigned int number, const struct capture_packet *packet)
{
	static const char *const directions[] = { "unknown", "to device", "from device" };
	struct json *json = arg;

	json->packet = cJSON_CreateObject();
	cJSON_AddNumberToObject(json->packet, "number", number);
	cJSON_AddNumberToObject(json->packet, "ns", (double)packet->ns);
	cJSON_AddStringToObject(json->packet, "interface", packet->interface);
	cJSON_AddStringToObject(json->packet, "direction", directions[packet->direction]);
	json->layers = cJSON_AddArrayToObject(json->packet, "layers");
	json->layer = NULL;
}

static void json_layer(void *arg, const char *name)
{
	struct json *json = arg;

	json->layer = cJSON_CreateObject();
	cJSON_AddStringToObject(json->layer, "layer", name);
	cJSON_AddItemToArray(json->layers, json->layer);
}

static void json_field(void *arg, const char *name, const char *value)
{
	struct json *json = arg;

	if (json->layer)
		cJSON_AddStringToObject(json->layer, name, value);
}

static void json_end(void *arg)
{
	struct json *json = arg;
	char *text = cJSON_PrintUnformatted(json->packet);

	puts(text ? text : "{}");
	free(text);
	cJSON_Delete(json->packet);
}

/* -- the command ----------------------------------------------------------------------------- */

static int keylog_read(struct decode *decode, const char *path)
{
	FILE *file = fopen(path, "r");
	unsigned int line;

	if (!file)
		return cli_cannot("%s: %m", path);
	line = decode_keylog(decode, file);
	fclose(file);
	return line ? cli_cannot("%s:%u: not a line that --keylog writes", path, line) : CLI_OK;
}

/* All packets; CLI_FAILED when one of them, or the file, is not whole. */
static int file_decode(struct decode *decode, const char *path, const uint8_t *bytes, size_t len)
{
	struct capture_packet packet;
	struct capture_file file;
	unsigned int number = 0;
	int rc = capture_file_open(&file, bytes, len);

	if (rc)
		return cli_cannot("%s: neither pcap nor pcapng", path);
	while ((rc = capture_file_next(&file, &packet)) > 0)
		decode_packet(decode, ++number, &packet);
	if (rc == -EPROTONOSUPPORT)
		return cli_cannot("%s: link type %u is not DOE's (292, or USER0)", path, file.interface[0].link);
	if (rc) {
		fprintf(stderr, "swtio: %s: cut or damaged after packet %u\n", path, number);
		return CLI_FAILED;
	}
	return CLI_OK;
}

static void summary(const struct decode *decode, bool json)
{
	struct decode_stats stats;

	decode_stats(decode, &stats);
	fprintf(json ? stderr : stdout,
		"%u objects: %u records, %u of them opened; %u IDE_KM and %u TDISP requests; "
		"%u malformed\n", stats.packets, stats.secured, stats.opened, stats.ide_km, stats.tdisp,
		stats.malformed);
}

static int play(const char *path, const char *keylog, const struct decode_sink *sink, bool json)
{
	struct decode *decode = decode_new(sink);
	struct decode_stats stats;
	size_t len = 0;
	uint8_t *bytes = decode ? cli_read_bytes(path, CAPTURE_MAX, &len) : NULL;
	int rc = bytes ? CLI_OK : CLI_CANNOT;

	if (!rc && keylog)
		rc = keylog_read(decode, keylog);
	if (!rc)
		rc = file_decode(decode, path, bytes, len);
	if (rc <= CLI_FAILED) {
		summary(decode, json);
		decode_stats(decode, &stats);
		if (stats.malformed)
			rc = CLI_FAILED;
	}
	free(bytes);
	decode_free(decode);
	return rc;
}

static int decode(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "keylog", required_argument, NULL, 'k' },
		{ "json", no_argument, NULL, 'j' },
		{ NULL, 0, NULL, 0 },
	};
	struct text text = { 0 };
	struct json json = { 0 };
	const struct decode_sink text_sink = { text_packet, text_layer, text_field, text_end, &text };
	const struct decode_sink json_sink = { json_packet, json_layer, json_field, json_end, &json };
	const char *keylog = NULL;
	bool as_json = false;
	int c;

	while ((c = getopt_long(argc, argv, "k:j", longs, NULL)) != -1)
		switch (c) {
		case 'k': keylog = optarg; break;
		case 'j': as_json = true; break;
		default: return CLI_USAGE;
		}
	if (argc - optind != 1)
		return cli_usage(&cli_decode_command, "one capture is wanted");
	return play(argv[optind], keylog, as_json ? &json_sink : &text_sink, as_json);
}

const struct cli_command cli_decode_command = {
	.name = "decode",
	.arguments = "[OPTIONS] FILE",
	.summary = "print a capture of DOE objects, layer by layer",
	.help =
	"Prints every object of FILE, a pcap or pcapng with link type 292 or USER0 as --pcap writes them:\n"
	"DOE, SPDM, secured messages, IDE_KM and TDISP with their fields. Keys of IDE are not shown.\n\n"
	"  -k, --keylog FILE    the sessions' secrets, to look into secured messages\n"
	"  -j, --json           as JSON, an object a line\n\n"
	"Exit code 1 when an object or the file is malformed.\n\n"
	"  swtio run -q --pcap tdx.pcap --keylog tdx.keys flows/tdx.flow\n"
	"  swtio decode --keylog tdx.keys tdx.pcap\n",
	.run = decode,
};
