/* SPDX-License-Identifier: BSD-2-Clause */
/* swtio device: TDISP devices behind sockets. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/wire.h"
#include "cli/setup.h"
#include "device/device.h"
#include "hardware/hardware.h"
#include "spdm/spdm.h"
#include "trace/capture.h"
#include "wire/frame.h"
#include "wire/serve.h"

#define QUIRKS 16u

struct served { uint16_t rid, alias; unsigned int vfs; };

struct device_options {
	const char *listen, *identity, *chain, *key, *pcap, *keylog;
	struct served device[WIRE_DEVICES];
	unsigned int devices;
	const char *quirk[QUIRKS], *fault[QUIRKS];
	unsigned int quirks, faults;
	uint8_t versions, stream;
	uint64_t seed;
	bool clear_handshake, once, quiet;
};

/* What DMTF's requester does by its own lights; everything else stays strict. */
static const char *const emu_quirks[] = { "emu-function-id", "any-port", "lock-any-stream" };

static struct wire_server *server;

static void on_signal(int number)
{
	(void)number;
	wire_server_stop(server);
}

/* BB:00.0[,vfs=N][,rid=BB:DD.F] */
static int served_parse(const char *text, struct served *served)
{
	char copy[64], *save, *part;

	snprintf(copy, sizeof(copy), "%s", text);
	part = strtok_r(copy, ",", &save);
	if (!part || cli_rid_parse(part, &served->rid) || (served->rid & 0xff) || !served->rid ||
	    served->rid >> 8 > (int)WIRE_DEVICES)
		return -EINVAL;
	served->alias = 0;
	served->vfs = 0;
	while ((part = strtok_r(NULL, ",", &save))) {
		if (!strncmp(part, "vfs=", 4))
			served->vfs = (unsigned int)strtoul(part + 4, NULL, 10);
		else if (strncmp(part, "rid=", 4) || cli_rid_parse(part + 4, &served->alias))
			return -EINVAL;
	}
	return served->vfs > 7 ? -EINVAL : 0;
}

static int option_take(int c, struct device_options *o)
{
	switch (c) {
	case 'l': o->listen = optarg; break;
	case 'i': o->identity = optarg; break;
	case 'C': o->chain = optarg; break;
	case 'K': o->key = optarg; break;
	case 'p': o->pcap = optarg; break;
	case 'k': o->keylog = optarg; break;
	case 's': o->stream = (uint8_t)strtoul(optarg, NULL, 0); break;
	case 'S': o->seed = strtoull(optarg, NULL, 0); break;
	case 'c': o->clear_handshake = true; break;
	case '1': o->once = true; break;
	case 'V':
		o->versions = cli_version_bit(optarg);
		return o->versions ? CLI_OK : cli_usage(&cli_device_command, "versions are 1.2 and 1.3");
	case 'd':
		if (o->devices == WIRE_DEVICES || served_parse(optarg, &o->device[o->devices++]))
			return cli_usage(&cli_device_command, "'%s' is no device: BB:00.0[,vfs=N][,rid=BB:DD.F], "
					 "BB from 01 to 1f", optarg);
		break;
	case 'q':
	case 'f':
		if ((c == 'q' ? o->quirks : o->faults) == QUIRKS)
			return cli_usage(&cli_device_command, "too many of them");
		if (c == 'q')
			o->quirk[o->quirks++] = optarg;
		else
			o->fault[o->faults++] = optarg;
		break;
	default:
		return CLI_USAGE;
	}
	return CLI_OK;
}

static int options_parse(int argc, char **argv, struct device_options *o)
{
	static const struct option longs[] = {
		{ "listen", required_argument, NULL, 'l' }, { "device", required_argument, NULL, 'd' },
		{ "identity", required_argument, NULL, 'i' }, { "chain", required_argument, NULL, 'C' },
		{ "key", required_argument, NULL, 'K' }, { "quirk", required_argument, NULL, 'q' },
		{ "fault", required_argument, NULL, 'f' }, { "ver", required_argument, NULL, 'V' },
		{ "stream", required_argument, NULL, 's' }, { "clear-handshake", no_argument, NULL, 'c' },
		{ "pcap", required_argument, NULL, 'p' }, { "keylog", required_argument, NULL, 'k' },
		{ "seed", required_argument, NULL, 'S' }, { "once", no_argument, NULL, '1' },
		{ NULL, 0, NULL, 0 },
	};
	int c, rc;

	while ((c = getopt_long(argc, argv, "l:d:i:q:", longs, NULL)) != -1) {
		rc = option_take(c, o);
		if (rc)
			return rc;
	}
	if (optind != argc)
		return cli_usage(&cli_device_command, "'%s' is not an option", argv[optind]);
	if (!o->chain != !o->key || (o->chain && o->identity))
		return cli_usage(&cli_device_command, "--chain and --key go together, or --identity alone");
	if (!o->devices)
		o->device[o->devices++] = (struct served){ .rid = 0x100, .vfs = 1 };
	return CLI_OK;
}

static int quirk_set(uint16_t rid, const char *name)
{
	if (strcmp(name, "spdm-emu"))
		return device_quirk_set(rid, name, true);
	for (size_t i = 0; i < sizeof(emu_quirks) / sizeof(*emu_quirks); i++)
		device_quirk_set(rid, emu_quirks[i], true);
	return 0;
}

/* NAME[:COUNT] */
static int fault_set(uint16_t rid, const char *text)
{
	const char *colon = strchr(text, ':');
	char name[32];
	int fault;

	snprintf(name, sizeof(name), "%.*s", colon ? (int)(colon - text) : (int)strlen(text), text);
	fault = device_fault_by_name(name);
	return fault < 0 ? fault :
		device_inject(rid, (enum device_fault)fault,
			colon ? (unsigned int)strtoul(colon + 1, NULL, 0) : 1);
}

static int identity_set(const struct device_options *o, uint16_t rid)
{
	char chain[4096], key[4096];
	struct spdm_identity_bytes bytes;
	int rc;

	if (!o->identity && !o->chain)
		return CLI_OK;
	snprintf(chain, sizeof(chain), "%s%s", o->identity ? o->identity : o->chain,
		o->identity ? "/" SETUP_CHAIN : "");
	snprintf(key, sizeof(key), "%s%s", o->identity ? o->identity : o->key,
		o->identity ? "/" SETUP_KEY : "");
	rc = cli_identity_load(chain, key, &bytes);
	if (!rc && device_identity_set(rid, bytes.chain, bytes.chain_len, bytes.key, bytes.key_len))
		rc = cli_cannot("%s: longer than a device keeps", chain);
	explicit_bzero(&bytes, sizeof(bytes));
	return rc || !o->identity ? rc : setup_measurements_load(o->identity, rid);
}

static int device_make(const struct device_options *o, const struct served *served)
{
	struct spdm_offer offer = spdm_offer_all;
	uint16_t rid = served->rid;
	int rc = device_add_engine((uint8_t)(rid >> 8), served->vfs);

	if (rc)
		return cli_cannot("no device at %02x:00.0: %s", rid >> 8, strerror(-rc));
	config_write(rid, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	device_stream_default(rid, o->stream);
	if (served->alias)
		device_alias_set(rid, served->alias);
	if (o->versions)
		offer.versions = o->versions;
	device_offer_set(rid, &offer, o->clear_handshake);
	for (unsigned int i = 0; i < o->quirks; i++)
		if (quirk_set(rid, o->quirk[i]))
			return cli_usage(&cli_device_command, "no quirk is called '%s'", o->quirk[i]);
	for (unsigned int i = 0; i < o->faults; i++)
		if (fault_set(rid, o->fault[i]))
			return cli_usage(&cli_device_command, "no fault is called '%s'", o->fault[i]);
	return identity_set(o, rid);
}

static int devices_listen(const struct device_options *o)
{
	char host[64];
	uint16_t port;

	if (wire_address(o->listen, host, &port))
		return cli_usage(&cli_device_command, "'%s' is no ADDR:PORT", o->listen);
	for (unsigned int i = 0; i < o->devices; i++) {
		uint16_t at = port ? (uint16_t)(port + i) : 0, rid = o->device[i].rid;
		int rc = wire_server_add(server, rid, host, at);

		if (rc < 0)
			return cli_cannot("%s port %u: %s", host, at, strerror(-rc));
		printf("%02x:%02x.%x listens on %s:%d\n", rid >> 8, rid >> 3 & 31, rid & 7, host, rc);
	}
	fflush(stdout);
	return CLI_OK;
}

static int serve(const struct device_options *o)
{
	struct sigaction on = { .sa_handler = on_signal };
	struct wire_serve_stats stats;
	int rc;

	sigaction(SIGINT, &on, NULL);
	sigaction(SIGTERM, &on, NULL);
	rc = wire_server_run(server, -1, o->once);
	if (rc)
		return cli_cannot("the sockets failed: %s", strerror(-rc));
	wire_server_stats(server, &stats);
	printf("%llu connections, %llu objects, %llu without an answer, %llu frames refused\n",
	       (unsigned long long)stats.connections, (unsigned long long)stats.objects,
	       (unsigned long long)stats.unanswered, (unsigned long long)stats.refused);
	return CLI_OK;
}

static int device(int argc, char **argv)
{
	struct device_options o = { .listen = "127.0.0.1:2323" };
	int rc = options_parse(argc, argv, &o), closed;

	if (rc)
		return rc;
	server = wire_server_new();
	rc = server ? cli_devices_power_on(o.seed) : cli_cannot("no memory");
	for (unsigned int i = 0; !rc && i < o.devices; i++) {
		image_enter();
		rc = device_make(&o, &o.device[i]);
		image_leave();
	}
	if (!rc)
		rc = cli_wire_files_open(o.pcap, o.keylog, cli_wall_ns);
	if (!rc)
		rc = devices_listen(&o);
	if (!rc)
		rc = serve(&o);
	closed = cli_wire_files_close();
	wire_server_free(server);
	return rc ? rc : closed;
}

const struct cli_command cli_device_command = {
	.name = "device",
	.arguments = "[OPTIONS]",
	.summary = "serve TDISP devices to requesters on sockets",
	.help =
	"Serves devices with SPDM 1.2 and 1.3, IDE_KM and TDISP on the socket framing of DMTF's spdm-emu\n"
	"(transport PCI_DOE), which QEMU's spdm_port= speaks too. The connections to a device share it, as\n"
	"the requesters of one DOE mailbox do. Without options: 01:00.0 with one VF on 127.0.0.1:2323.\n\n"
	"  -l, --listen ADDR:PORT   of the first device; the next has the next port. Port 0: any\n"
	"  -d, --device BB:00.0[,vfs=N][,rid=BB:DD.F]\n"
	"                           a device, with N VFs, known to its requester by another id too\n"
	"  -i, --identity DIR       key, certificates and measurements that `swtio setup` made\n"
	"      --chain FILE --key FILE   of somebody else, PEM or DER\n"
	"      --ver 1.2|1.3        only this version\n"
	"      --clear-handshake    offer HANDSHAKE_IN_THE_CLEAR\n"
	"      --stream N           the default IDE stream (0)\n"
	"  -q, --quirk NAME         behave as some peers want it: spdm-emu (what its requester needs),\n"
	"                           emu-function-id, any-port, lock-any-stream, stop-unlocked-error,\n"
	"                           req-msgs-from-bit0, offset-in-pages\n"
	"      --fault NAME[:N]     misbehave N times: lie-report, lie-pages, lie-id, lie-overlap,\n"
	"                           lie-ranges, tdisp-busy, no-entropy, ...\n"
	"      --pcap FILE          capture DOE objects; pcapng when it ends in .pcapng\n"
	"      --keylog FILE        write the sessions' secrets, for `swtio decode --keylog`\n"
	"      --seed N             the same run again\n"
	"      --once               end with the last connection\n\n"
	"  swtio device --quirk spdm-emu &\n"
	"  spdm_requester_emu --trans PCI_DOE\n",
	.run = device,
};
