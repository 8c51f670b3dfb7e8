/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The wire: GET_VERSION to FINISH_RSP, and one exchange in the session (TDISP's
 * GET_DEVICE_INTERFACE_STATE), both ends in this process and over loopback to a device in another.
 * Two chains of three certificates are verified each time, as DMTF's requester does: the device's,
 * and one more. Medians, and in brackets the least. That is ten operations on P-384, wherever they
 * run: four signatures of certificates and KEY_EXCHANGE_RSP's are verified, the latter is made, two
 * keys are made, two secrets derived. The goals, 15 ms and 50 us, come from a machine where DMTF's
 * emulators need 45 ms and 0.47 ms (SPDM 1.2, P-384, SHA-384).
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "device/device.h"
#include "hardware/iommu.h"
#include "hardware/phys.h"
#include "image/bytes.h"
#include "image/image.h"
#include "spdm/crypto.h"
#include "spdm/spdm.h"
#include "trace/trace.h"
#include "wire/serve.h"
#include "wire/tsm.h"

#define CONNECTS 41
#define EXCHANGES 2001
#define PF 0x0100u

static double now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *samples, size_t n)
{
	qsort(samples, n, sizeof(*samples), ascending);
	return samples[n / 2];
}

static void must(int rc, const char *what)
{
	if (!rc)
		return;
	fprintf(stderr, "wire_bench: %s: %d\n", what, rc);
	exit(1);
}

static void machine(uint64_t seed)
{
	const struct image_opts opts = {.size = sizeof(opts), .seed = seed};

	must(image_create(&opts) || trace_power_on(1 << 12) || phys_power_on() ||
			function_power_on() || iommu_power_on() || device_power_on() ||
			device_machine_default(),
		"machine");
}

/* The second chain, as a blob with its root's hash. */
static uint8_t chain[4096], key[512], anchor[2048], blob[SPDM_MAX_MESSAGE];
static size_t chain_len = sizeof(chain), key_len = sizeof(key), anchor_len = sizeof(anchor);
static size_t blob_len;

static void second_make(void)
{
	struct writer w = writer_of(blob, sizeof(blob));
	uint8_t digest[SPDM_HASH];

	must(spdm_make_identity("second", SPDM_P384, chain, &chain_len, key, &key_len, anchor,
		     &anchor_len),
		"second chain");
	spdm_requester_digest(anchor, anchor_len, digest);
	put_le16(&w, (uint16_t)(4 + SPDM_HASH + chain_len));
	put_le16(&w, 0);
	put_bytes(&w, digest, sizeof(digest));
	put_bytes(&w, chain, chain_len);
	blob_len = w.at;
}

static void second_verify(void)
{
	static const struct spdm_suite suite;
	EVP_PKEY *leaf;

	must(spdm_chain_verify(&suite, anchor, anchor_len, blob, blob_len, &leaf), "second chain");
	EVP_PKEY_free(leaf);
}

static void operation(struct wire_link *link, struct spdm_requester *requester)
{
	struct spdm_wire request, reply;
	int rc = spdm_requester_next(requester, NULL, &request);

	while (rc == 1) {
		must(wire_link_message(link, &request, &reply), "exchange");
		rc = spdm_requester_next(requester, &reply, &request);
	}
	must(rc, "operation");
}

static void measure(const char *name, struct wire_link *link)
{
	static const uint8_t state[16] = {0x10, TDISP_GET_STATE, 0, 0, 0x00, 0x01};
	static double connects[CONNECTS], exchanges[EXCHANGES];
	struct spdm_requester *requester = calloc(1, spdm_requester_size());
	double connect, exchange;

	spdm_requester_init(requester, NULL, 0);
	spdm_requester_trust_own_root(requester, true);
	for (int i = 0; i < CONNECTS; i++) {
		double start;

		spdm_cache_forget();
		start = now_us();
		spdm_requester_start(requester, SPDM_OP_CONNECT);
		operation(link, requester);
		second_verify();
		connects[i] = now_us() - start;
		image_commit();
	}
	for (int i = 0; i < EXCHANGES; i++) {
		double start = now_us();

		must(spdm_requester_vendor(requester, PCISIG_TDISP, state, sizeof(state)), "vendor");
		operation(link, requester);
		exchanges[i] = now_us() - start;
		image_commit();
	}
	connect = median(connects, CONNECTS); /* sorts them: the least comes first */
	exchange = median(exchanges, EXCHANGES);
	printf("%-14s GET_VERSION..FINISH_RSP %.2f ms (%.2f; goal 15)   "
	       "one exchange %.1f us (%.1f; goal 50)\n",
		name, connect / 1e3, connects[0] / 1e3, exchange, exchanges[0]);
	free(requester);
}

int main(void)
{
	struct wire_server *server = wire_server_new();
	int port = wire_server_add(server, PF, "127.0.0.1", 0);
	struct wire_link local = {.fd = -1, .rid = PF}, loopback;
	pid_t child = fork();

	if (!child) {
		machine(1);
		wire_server_run(server, -1, false);
		_exit(0);
	}
	wire_server_free(server);
	machine(2);
	image_enter();
	second_make();
	measure("in process", &local);
	must(wire_link_open(&loopback, "127.0.0.1", (uint16_t)port, 10000), "connect");
	measure("over loopback", &loopback);
	wire_link_close(&loopback);
	image_leave();
	kill(child, SIGTERM);
	waitpid(child, NULL, 0);
	return 0;
}
