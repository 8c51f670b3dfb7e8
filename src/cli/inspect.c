/* SPDX-License-Identifier: BSD-2-Clause */
/* swtio inspect: looks into a saved host, or into a live one from a second process. */
#include <cjson/cJSON.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "device/device.h"
#include "flow/flow.h"
#include "kernel/kernel.h"

/* A process that holds the image: by the name of the memfd among its descriptors. */
static int attach_holder(const char *pid)
{
	char path[300], link[256];
	struct dirent *entry;
	int rc = -ENOENT;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	dir = opendir(path);
	if (!dir)
		return -errno;
	while (rc == -ENOENT && (entry = readdir(dir))) {
		ssize_t n;

		snprintf(path, sizeof(path), "/proc/%s/fd/%s", pid, entry->d_name);
		n = readlink(path, link, sizeof(link) - 1);
		if (n < 0)
			continue;
		link[n] = '\0';
		if (!strcmp(link, "/memfd:swtio (deleted)"))
			rc = image_attach_path(path);
	}
	closedir(dir);
	return rc;
}

/* A client of `swtio exec` has it mapped only: its environment says where it is. */
static int attach_client(const char *pid)
{
	static const char name[] = "SWTIO_IMAGE=";
	char path[64], *line = NULL;
	size_t room = 0;
	int rc = -ENOENT;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%s/environ", pid);
	file = fopen(path, "r");
	while (file && rc == -ENOENT && getdelim(&line, &room, '\0', file) > 0)
		if (!strncmp(line, name, sizeof(name) - 1))
			rc = image_attach_path(line + sizeof(name) - 1);
	free(line);
	if (file)
		fclose(file);
	return rc;
}

static int attach_process(const char *pid)
{
	int rc = attach_holder(pid);

	return rc == -ENOENT ? attach_client(pid) : rc;
}

int cli_image_open(const char *name)
{
	bool pid = *name;
	int rc;

	for (const char *p = name; *p; p++)
		pid = pid && isdigit((unsigned char)*p);
	rc = pid ? attach_process(name) : image_load(name);
	if (rc == -ENOENT && pid)
		return cli_cannot("process %s has no host image", name);
	if (rc == -EPROTO)
		return cli_cannot("%s was made by another version of swtio", name);
	if (rc == -EUCLEAN)
		return cli_cannot("%s is damaged, or no host image", name);
	return rc ? cli_cannot("%s: %s", name, strerror(-rc)) : CLI_OK;
}

static cJSON *tdis_json(void)
{
	static const char *const states[] = { "UNLOCKED", "LOCKED", "RUN", "ERROR" };
	cJSON *list = cJSON_CreateArray();
	uint16_t rid = 0;

	for (; function_next(&rid); rid++) {
		cJSON *one;
		struct tdi_view view;
		char name[16];

		if (device_tdi_view(rid, &view))
			continue;
		one = cJSON_CreateObject();
		snprintf(name, sizeof(name), "%02x:%02x.%x", rid >> 8, rid >> 3 & 31, rid & 7);
		cJSON_AddStringToObject(one, "function", name);
		cJSON_AddStringToObject(one, "state", states[view.state & 3]);
		if (view.error_cause[0])
			cJSON_AddStringToObject(one, "cause", view.error_cause);
		cJSON_AddItemToArray(list, one);
	}
	return list;
}

static cJSON *image_json(void)
{
	cJSON *json = cJSON_CreateObject(), *live = cJSON_CreateObject();
	struct flow_state state;

	cJSON_AddNumberToObject(json, "clock_ns", (double)image_clock());
	cJSON_AddNumberToObject(json, "events", (double)(trace_next() - 1));
	if (flow_loaded()) {
		flow_state(&state);
		cJSON_AddStringToObject(json, "flow", state.settings.title);
		cJSON_AddNumberToObject(json, "next_step", state.step);
		cJSON_AddNumberToObject(json, "failures", state.failures);
	}
	cJSON_AddItemToObject(json, "tdis", tdis_json());
	for (unsigned int type = 1; type < IMAGE_TYPE_MAX; type++) {
		uint64_t n = image_live((enum image_type)type);

		if (n)
			cJSON_AddNumberToObject(live, image_type_name((enum image_type)type), (double)n);
	}
	cJSON_AddItemToObject(json, "objects", live);
	return json;
}

/* "name: value" lines, nested by indentation. */
static void print_plain(const cJSON *json, unsigned int indent)
{
	for (const cJSON *item = json->child; item; item = item->next) {
		printf("%*s", (int)indent, "");
		if (item->string)
			printf("%-*s ", 24 - (int)indent, item->string);
		if (cJSON_IsNumber(item))
			printf("%.0f", item->valuedouble);
		else if (cJSON_IsString(item))
			fputs(item->valuestring, stdout);
		putchar('\n');
		if (item->child)
			print_plain(item, indent + 2);
	}
}

static int inspect(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "verify", no_argument, NULL, 'v' }, { "json", no_argument, NULL, 'j' }, { NULL, 0, NULL, 0 },
	};
	bool verify = false, json = false;
	char why[200], *text;
	cJSON *tree;
	int c, rc;

	while ((c = getopt_long(argc, argv, "vj", longs, NULL)) != -1)
		switch (c) {
		case 'v': verify = true; break;
		case 'j': json = true; break;
		default: return CLI_USAGE;
		}
	if (argc - optind != 1)
		return cli_usage(&cli_inspect_command, "one saved host or one process is wanted");
	rc = cli_image_open(argv[optind]);
	if (rc)
		return rc;
	image_enter();
	rc = verify ? image_verify(why, sizeof(why)) : 0;
	tree = image_json();
	image_leave();
	if (verify)
		cJSON_AddStringToObject(tree, "verified", rc ? why : "ok");
	text = json ? cJSON_Print(tree) : NULL;
	if (text)
		puts(text);
	else
		print_plain(tree, 0);
	free(text);
	cJSON_Delete(tree);
	return rc ? CLI_FAILED : CLI_OK;
}

const struct cli_command cli_inspect_command = {
	.name = "inspect",
	.arguments = "[--verify] [--json] IMAGE|PID",
	.summary = "look into a saved or a live host",
	.help =
	"Shows what is in a host: a file made by `swtio run -o`, or the process id of a program that\n"
	"runs on one (it goes on running).\n\n"
	"  -v, --verify    check the image's own structure; exit code 1 when it is damaged\n"
	"  -j, --json      as JSON\n\n"
	"  swtio run -q --save-at 32 -o at32.img flows/tdx.flow; swtio inspect --verify at32.img\n",
	.run = inspect,
};
