/* SPDX-License-Identifier: BSD-2-Clause */
/* What the commands at the wire share: machines without a kernel, ids, files of bytes. */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/wire.h"
#include "device/device.h"
#include "hardware/iommu.h"
#include "hardware/phys.h"
#include "image/image.h"
#include "trace/capture.h"
#include "trace/trace.h"

int cli_devices_power_on(uint64_t seed)
{
	static int (*const rooms[])(void) = {
		phys_power_on, function_power_on, iommu_power_on, device_power_on};
	struct image_opts opts = {.size = sizeof(opts), .seed = seed};
	int rc;

	if (!seed && getrandom(&opts.seed, sizeof(opts.seed), 0) != sizeof(opts.seed))
		return cli_cannot("no random numbers: %m");
	rc = image_create(&opts);
	if (!rc)
		rc = trace_power_on(1 << 12);
	for (size_t i = 0; !rc && i < sizeof(rooms) / sizeof(*rooms); i++)
		rc = rooms[i]();
	return rc ? cli_cannot("no machine: %s", strerror(-rc)) : CLI_OK;
}

int cli_rid_parse(const char *text, uint16_t *rid)
{
	unsigned int bus, device, function;
	int used = 0;

	if (sscanf(text, "%x:%x.%x%n", &bus, &device, &function, &used) != 3 || text[used] ||
		bus > 0xff || device > 31 || function > 7)
		return -EINVAL;
	*rid = (uint16_t)(bus << 8 | device << 3 | function);
	return 0;
}

uint8_t cli_version_bit(const char *text)
{
	if (!strcmp(text, "1.2"))
		return 1 << SPDM_V12;
	return !strcmp(text, "1.3") ? 1 << SPDM_V13 : 0;
}

uint64_t cli_wall_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint8_t *cli_read_bytes(const char *path, size_t most, size_t *len)
{
	FILE *file = !strcmp(path, "-") ? stdin : fopen(path, "rb");
	uint8_t *bytes = file ? malloc(most + 1) : NULL;

	*len = bytes ? fread(bytes, 1, most + 1, file) : 0;
	if (!file || !bytes || ferror(file) || *len > most) {
		cli_cannot("%s: %s", path, file && bytes && *len > most ? "too large" : strerror(errno));
		free(bytes);
		bytes = NULL;
	}
	if (file && file != stdin)
		fclose(file);
	return bytes;
}

#define IDENTITY_FILE_MAX 65536u

int cli_identity_load(const char *chain_path, const char *key_path, struct spdm_identity_bytes *out)
{
	struct spdm_file chain, key;
	uint8_t *chain_bytes = cli_read_bytes(chain_path, IDENTITY_FILE_MAX, &chain.len);
	uint8_t *key_bytes = chain_bytes ? cli_read_bytes(key_path, IDENTITY_FILE_MAX, &key.len) : NULL;
	char why[128];
	int rc = CLI_CANNOT;

	if (key_bytes) {
		chain.bytes = chain_bytes;
		key.bytes = key_bytes;
		rc = spdm_identity_read(&chain, &key, out, why, sizeof(why)) ?
			cli_cannot("%s with %s: %s", chain_path, key_path, why) : CLI_OK;
		explicit_bzero(key_bytes, key.len);
	}
	free(key_bytes);
	free(chain_bytes);
	return rc;
}

/* Readable by its owner alone, whatever was there before. */
static FILE *secret_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd >= 0 && fchmod(fd, 0600)) {
		close(fd);
		fd = -1;
	}
	return fd >= 0 ? fdopen(fd, "w") : NULL;
}

static const char *pcap_path, *keylog_path;
static FILE *keylog_file;

void cli_keylog_line(const char *line)
{
	if (!keylog_file)
		return;
	fputs(line, keylog_file);
	fflush(keylog_file);
}

int cli_wire_files_open(const char *pcap, const char *keylog, uint64_t (*now)(void))
{
	int rc = pcap ? capture_open(pcap, now) : 0;

	if (rc)
		return cli_cannot("%s: %s", pcap, strerror(-rc));
	pcap_path = pcap;
	keylog_path = keylog;
	if (!keylog)
		return CLI_OK;
	keylog_file = secret_file(keylog);
	if (!keylog_file)
		return cli_cannot("%s: %m", keylog);
	spdm_keylog_set(cli_keylog_line);
	return CLI_OK;
}

int cli_wire_files_close(void)
{
	int rc = capture_close();

	spdm_keylog_set(NULL);
	if (rc)
		return cli_cannot("%s: %s", pcap_path, strerror(-rc));
	if (keylog_file && fclose(keylog_file))
		return cli_cannot("%s: %m", keylog_path);
	keylog_file = NULL;
	return CLI_OK;
}
