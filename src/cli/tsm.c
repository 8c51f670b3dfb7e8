/* SPDX-License-Identifier: BSD-2-Clause */
/* swtio tsm: our requester against any responder. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/wire.h"
#include "cli/tsm.h"
#include "image/image.h"
#include "wire/frame.h"

#define ANCHOR_MAX 2048u
#define FILE_MAX 65536u

struct tsm_cli {
	const char *address, *anchor, *pcap, *keylog;
	struct tsm_options tsm;
	struct spdm_offer offer;
	uint64_t seed;
	int timeout_ms;
	bool json, clear_handshake;
};

static int step_parse(const char *name, enum tsm_step *step)
{
	for (int i = 0; i < TSM_STOP; i++)
		if (!strcmp(tsm_step_name((enum tsm_step)i), name)) {
			*step = (enum tsm_step)i;
			return 0;
		}
	if (strcmp(name, "keys"))
		return -EINVAL;
	*step = TSM_KEYS;
	return 0;
}

static int option_take(int c, struct tsm_cli *o)
{
	switch (c) {
	case 'a': o->anchor = optarg; break;
	case 'j': o->json = true; break;
	case 'p': o->pcap = optarg; break;
	case 'k': o->keylog = optarg; break;
	case 'c': o->clear_handshake = true; break;
	case 's': o->tsm.stream = (uint8_t)strtoul(optarg, NULL, 0); break;
	case 'P': o->tsm.port_index = (uint8_t)strtoul(optarg, NULL, 0); break;
	case 'F': o->tsm.lock_flags = (uint16_t)strtoul(optarg, NULL, 0); break;
	case 'o': o->tsm.reporting_offset = strtoull(optarg, NULL, 0); break;
	case 'S': o->seed = strtoull(optarg, NULL, 0); break;
	case 't': o->timeout_ms = atoi(optarg); break;
	case 'V':
		o->offer.versions = cli_version_bit(optarg);
		return o->offer.versions ? CLI_OK : cli_usage(&cli_tsm_command, "versions are 1.2 and 1.3");
	case 'r':
		return cli_rid_parse(optarg, &o->tsm.function_id) ?
			cli_usage(&cli_tsm_command, "'%s' is no BB:DD.F", optarg) : CLI_OK;
	case 'u':
		return step_parse(optarg, &o->tsm.last) ?
			cli_usage(&cli_tsm_command, "steps are discover, connect, attest, "
				"keys, lock, report, start") : CLI_OK;
	default:
		return CLI_USAGE;
	}
	return CLI_OK;
}

static int options_parse(int argc, char **argv, struct tsm_cli *o)
{
	static const struct option longs[] = {
		{ "anchor", required_argument, NULL, 'a' }, { "json", no_argument, NULL, 'j' },
		{ "rid", required_argument, NULL, 'r' }, { "port-index", required_argument, NULL, 'P' },
		{ "stream", required_argument, NULL, 's' }, { "lock-flags", required_argument, NULL, 'F' },
		{ "offset", required_argument, NULL, 'o' }, { "until", required_argument, NULL, 'u' },
		{ "ver", required_argument, NULL, 'V' }, { "clear-handshake", no_argument, NULL, 'c' },
		{ "timeout", required_argument, NULL, 't' }, { "pcap", required_argument, NULL, 'p' },
		{ "keylog", required_argument, NULL, 'k' }, { "seed", required_argument, NULL, 'S' },
		{ NULL, 0, NULL, 0 },
	};
	int c, rc;

	while ((c = getopt_long(argc, argv, "a:jr:", longs, NULL)) != -1) {
		rc = option_take(c, o);
		if (rc)
			return rc;
	}
	if (optind < argc && !strcmp(argv[optind], "connect"))
		optind++;
	else
		return cli_usage(&cli_tsm_command, "what it is to do is wanted: connect");
	if (argc - optind > 1)
		return cli_usage(&cli_tsm_command, "one address is wanted");
	o->address = optind < argc ? argv[optind] : "127.0.0.1:2323";
	return CLI_OK;
}

static int requester_make(const struct tsm_cli *o, struct spdm_requester *requester)
{
	uint8_t anchor[ANCHOR_MAX];
	size_t len = sizeof(anchor);

	spdm_requester_init(requester, NULL, 0);
	if (o->anchor) {
		struct spdm_file file;
		uint8_t *bytes = cli_read_bytes(o->anchor, FILE_MAX, &file.len);
		int rc;

		if (!bytes)
			return CLI_CANNOT;
		file.bytes = bytes;
		rc = spdm_certificate_read(&file, anchor, &len);
		free(bytes);
		if (rc)
			return cli_cannot("%s: no certificate is in it, PEM or DER", o->anchor);
		spdm_requester_init(requester, anchor, len);
	}
	spdm_requester_trust_own_root(requester, !o->anchor);
	spdm_requester_offer(requester, &o->offer);
	spdm_requester_allow_clear_handshake(requester, o->clear_handshake);
	return CLI_OK;
}

static int play(const struct tsm_cli *o, struct wire_link *link)
{
	struct spdm_requester *requester = calloc(1, spdm_requester_size());
	struct tsm_result *result = calloc(1, sizeof(*result));
	int rc = requester && result ? requester_make(o, requester) : cli_cannot("no memory");

	if (!rc) {
		image_enter();
		rc = tsm_run(link, requester, &o->tsm, result) ? CLI_FAILED : CLI_OK;
		image_leave();
		(o->json ? tsm_print_json : tsm_print)(result, requester, o->anchor);
	}
	if (requester)
		explicit_bzero(requester, spdm_requester_size());
	free(result);
	free(requester);
	return rc;
}

static int tsm(int argc, char **argv)
{
	struct tsm_cli o = { .offer = spdm_offer_all, .timeout_ms = 10000,
		.tsm = { .function_id = 0x100, .lock_flags = 0xffff, .last = TSM_START } };
	int rc = options_parse(argc, argv, &o), closed;
	struct wire_link link;
	char host[64];
	uint16_t port;

	if (rc)
		return rc;
	if (wire_address(o.address, host, &port))
		return cli_usage(&cli_tsm_command, "'%s' is no ADDR:PORT", o.address);
	rc = cli_devices_power_on(o.seed);
	if (!rc)
		rc = cli_wire_files_open(o.pcap, o.keylog, cli_wall_ns);
	if (rc)
		return rc;
	rc = wire_link_open(&link, host, port, o.timeout_ms);
	if (rc) {
		rc = cli_cannot("%s:%u: %s (is a device listening there? `swtio device` makes one)", host, port,
				strerror(-rc));
	} else {
		rc = play(&o, &link);
		wire_link_close(&link);
	}
	closed = cli_wire_files_close();
	return rc ? rc : closed;
}

const struct cli_command cli_tsm_command = {
	.name = "tsm",
	.arguments = "connect [OPTIONS] [ADDR:PORT]",
	.summary = "connect to a device, attest, lock, start and stop it",
	.help =
	"Is the TSM to a device at ADDR:PORT (127.0.0.1:2323): any responder on the socket framing of\n"
	"DMTF's spdm-emu. Connects by SPDM, verifies its chain and measurements, programs the keys of an IDE\n"
	"stream, locks the interface, checks its report, starts and stops it, and says what it saw.\n\n"
	"  -a, --anchor FILE     the root certificate to trust, PEM or DER. Without: the chain's own root\n"
	"  -r, --rid BB:DD.F     the interface (01:00.0; spdm-emu takes any)\n"
	"      --port-index N    of IDE_KM (0)\n"
	"      --stream N        the IDE stream (0)\n"
	"      --lock-flags N    of those that the device supports (all)\n"
	"      --offset N        the MMIO reporting offset (0)\n"
	"      --until STEP      go on as far as: discover, connect, attest, keys, lock, report, start\n"
	"      --ver 1.2|1.3     only this version\n"
	"      --clear-handshake offer HANDSHAKE_IN_THE_CLEAR\n"
	"      --timeout MS      for each answer (10000)\n"
	"  -j, --json            what it saw as JSON\n"
	"      --pcap FILE       capture DOE objects; pcapng when it ends in .pcapng\n"
	"      --keylog FILE     write the session's secrets, for `swtio decode --keylog`\n"
	"      --seed N          the same keys and nonces again\n\n"
	"Exit code 0 only if every step succeeded; what was done is undone in any case.\n\n"
	"  swtio device & swtio tsm connect\n"
	"  spdm_responder_emu --trans PCI_DOE & swtio tsm connect --anchor ecp384/ca.cert.der\n",
	.run = tsm,
};
