/* SPDX-License-Identifier: BSD-2-Clause */
/* swtio setup: a device's identity in a folder. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/setup.h"
#include "cli/wire.h"
#include "device/device.h"
#include "spdm/spdm.h"

#define PEM_MAX 16384u
#define DIGEST 48u

static const char *const measured[SETUP_MEASUREMENTS] = { "firmware", "hardware configuration" };

struct setup_options {
	const char *dir, *name, *firmware;
	enum spdm_curve_id curve;
	bool force;
};

static int file_write(const char *dir, const char *name, const void *bytes, size_t len, mode_t mode,
	bool force)
{
	char path[4096];
	int fd, rc = 0;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (force && unlink(path) && errno != ENOENT)
		return cli_cannot("%s: %m", path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0)
		return cli_cannot("%s: %s", path, errno == EEXIST ? "is there already (--force replaces it)" :
				  strerror(errno));
	if (write(fd, bytes, len) != (ssize_t)len || fsync(fd))
		rc = cli_cannot("%s: %m", path);
	close(fd);
	return rc;
}

static void hex_write(const uint8_t *bytes, size_t len, char *out)
{
	for (size_t i = 0; i < len; i++)
		sprintf(out + 2 * i, "%02x", bytes[i]);
}

/* What is measured has a name and a version, and its digest is over both. */
static char *manifest_text(const struct setup_options *options)
{
	cJSON *json = cJSON_CreateObject(), *list;
	char *text;

	cJSON_AddNumberToObject(json, "swtio_identity", SETUP_VERSION);
	cJSON_AddStringToObject(json, "name", options->name);
	cJSON_AddStringToObject(json, "key", options->curve == SPDM_P256 ? "P-256" : "P-384");
	list = cJSON_AddArrayToObject(json, "measurements");
	for (unsigned int i = 0; i < SETUP_MEASUREMENTS; i++) {
		cJSON *one = cJSON_CreateObject();
		const char *version = i ? "0" : options->firmware;
		uint8_t digest[DIGEST];
		char what[128], hex[2 * DIGEST + 1];
		int len = snprintf(what, sizeof(what), "%s %s %s", options->name, measured[i], version);

		spdm_requester_digest((const uint8_t *)what,
			(size_t)len < sizeof(what) ? (size_t)len : sizeof(what) - 1, digest);
		hex_write(digest, sizeof(digest), hex);
		cJSON_AddNumberToObject(one, "index", i + 1);
		cJSON_AddStringToObject(one, "what", measured[i]);
		cJSON_AddStringToObject(one, "version", version);
		cJSON_AddStringToObject(one, "sha384", hex);
		cJSON_AddItemToArray(list, one);
	}
	text = cJSON_Print(json);
	cJSON_Delete(json);
	return text;
}

static int identity_write(const struct setup_options *options)
{
	static char pem[PEM_MAX];
	uint8_t chain[4096], key[512], anchor[2048];
	size_t chain_len = sizeof(chain), key_len = sizeof(key), anchor_len = sizeof(anchor);
	char *manifest = manifest_text(options);
	int rc = spdm_make_identity(options->name, options->curve, chain, &chain_len, key,
		&key_len, anchor, &anchor_len);

	if (rc || !manifest || spdm_key_pem(key, key_len, pem, sizeof(pem))) {
		free(manifest);
		return cli_cannot("no identity: %s", strerror(rc ? -rc : ENOMEM));
	}
	rc = file_write(options->dir, SETUP_KEY, pem, strlen(pem), 0600, options->force);
	explicit_bzero(pem, sizeof(pem));
	explicit_bzero(key, sizeof(key));
	if (!rc && !spdm_chain_pem(chain, chain_len, pem, sizeof(pem)))
		rc = file_write(options->dir, SETUP_CHAIN, pem, strlen(pem), 0644, options->force);
	if (!rc && !spdm_chain_pem(anchor, anchor_len, pem, sizeof(pem)))
		rc = file_write(options->dir, SETUP_ROOT, pem, strlen(pem), 0644, options->force);
	if (!rc)
		rc = file_write(options->dir, SETUP_MANIFEST, manifest, strlen(manifest), 0644, options->force);
	free(manifest);
	return rc;
}

/* -- what was set up, read again ------------------------------------------------------------- */

static bool digest_read(const cJSON *item, uint8_t digest[DIGEST])
{
	const char *hex = cJSON_GetStringValue(cJSON_GetObjectItem(item, "sha384"));

	if (!hex || strlen(hex) != 2 * DIGEST)
		return false;
	for (size_t i = 0; i < DIGEST; i++) {
		unsigned int byte;

		if (sscanf(hex + 2 * i, "%2x", &byte) != 1)
			return false;
		digest[i] = (uint8_t)byte;
	}
	return true;
}

static const char *manifest_apply(const cJSON *json, uint16_t rid)
{
	const cJSON *version = cJSON_GetObjectItem(json, "swtio_identity"), *item;

	if (!cJSON_IsNumber(version))
		return "no manifest of `swtio setup`";
	if (version->valueint != SETUP_VERSION)
		return "made by another version of `swtio setup`";
	cJSON_ArrayForEach(item, cJSON_GetObjectItem(json, "measurements")) {
		const cJSON *index = cJSON_GetObjectItem(item, "index");
		uint8_t digest[DIGEST];

		if (!cJSON_IsNumber(index) || !digest_read(item, digest))
			return "a measurement without index or SHA-384 digest";
		if (device_measurement_set(rid, (unsigned int)index->valueint, digest))
			return "a measurement that the device does not have: indexes are 1 and 2";
	}
	return NULL;
}

int setup_measurements_load(const char *dir, uint16_t rid)
{
	char path[4096], *text;
	const char *wrong;
	cJSON *json;

	snprintf(path, sizeof(path), "%s/%s", dir, SETUP_MANIFEST);
	text = cli_read_file(path);
	if (!text)
		return CLI_CANNOT;
	json = cJSON_Parse(text);
	free(text);
	wrong = json ? manifest_apply(json, rid) : "not JSON";
	cJSON_Delete(json);
	return wrong ? cli_cannot("%s: %s", path, wrong) : CLI_OK;
}

/* -- the command ----------------------------------------------------------------------------- */

static int setup_options_parse(int argc, char **argv, struct setup_options *options)
{
	static const struct option longs[] = {
		{ "name", required_argument, NULL, 'n' }, { "p256", no_argument, NULL, '2' },
		{ "firmware", required_argument, NULL, 'w' }, { "force", no_argument, NULL, 'f' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "n:fw:", longs, NULL)) != -1)
		switch (c) {
		case 'n': options->name = optarg; break;
		case '2': options->curve = SPDM_P256; break;
		case 'w': options->firmware = optarg; break;
		case 'f': options->force = true; break;
		default: return CLI_USAGE;
		}
	if (argc - optind != 1)
		return cli_usage(&cli_setup_command, "one folder is wanted");
	if (!*options->name || strlen(options->name) > 40)
		return cli_usage(&cli_setup_command, "a name has 1 to 40 bytes");
	options->dir = argv[optind];
	return CLI_OK;
}

static int setup(int argc, char **argv)
{
	struct setup_options options = { .name = "swtio device", .firmware = "1", .curve = SPDM_P384 };
	int rc = setup_options_parse(argc, argv, &options);

	if (rc)
		return rc;
	if (mkdir(options.dir, 0755) && errno != EEXIST)
		return cli_cannot("%s: %m", options.dir);
	rc = cli_devices_power_on(0);
	if (!rc)
		rc = identity_write(&options);
	if (!rc)
		printf("%s: an identity for %s\n"
		       "  swtio device --identity %s\n"
		       "  swtio tsm connect --anchor %s/%s\n",
		       options.dir, options.name, options.dir, options.dir, SETUP_ROOT);
	return rc;
}

const struct cli_command cli_setup_command = {
	.name = "setup",
	.arguments = "[OPTIONS] DIR",
	.summary = "make a device's key, certificates and measurements",
	.help =
	"Makes in DIR what a device shows to a TSM: key.pem (the device's private key, mode 0600),\n"
	"chain.pem (root, intermediate and leaf certificate with the extensions SPDM asks for), root.pem\n"
	"(the trust anchor for requesters) and manifest.json (what is measured).\n\n"
	"  -n, --name NAME       of the product, in the certificates\n"
	"      --p256            keys on P-256 instead of P-384\n"
	"  -w, --firmware TEXT   the firmware's version, which its measurement depends on\n"
	"  -f, --force           replace what is there\n\n"
	"The keys are for tests: their random numbers come from a simulated host.\n\n"
	"  swtio setup mydevice && swtio device --identity mydevice\n",
	.run = setup,
};
