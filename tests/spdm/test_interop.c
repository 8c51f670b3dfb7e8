/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Against DMTF's spdm-emu, both ways, over its socket: four-byte big-endian command, transport and
 * size, then a DOE object. SWTIO_SPDM_EMU names the directory with its binaries and sample keys;
 * without it these tests skip.
 */
#include "pair.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHAIN "bundle_responder.certchain.der"
#define KEY "end_responder.key"
#define ANCHOR "ca.cert.der"
#define EMU_NORMAL 0x0001u
#define EMU_TEST 0xdeadu
#define EMU_SHUTDOWN 0xfffeu
#define EMU_DOE 2u
#define EMU_WAIT_MS 20000
#define OBJECT_MAX (8 + SPDM_MAX_WIRE + 4)
#define DOE_HEADER 8u

/* Which of the versions and algorithms a test is about. */
static const struct variant {
	const char *version, *keys, *asym, *hash, *dhe;
	enum spdm_version_id version_id;
	enum spdm_curve_id curve;
	enum spdm_hash_id hash_id;
} v12 = {"1.2", "ecp384", "ECDSA_P384", "SHA_384", "SECP_384_R1", SPDM_V12, SPDM_P384, SPDM_SHA384},
  v13 = {"1.3", "ecp384", "ECDSA_P384", "SHA_384", "SECP_384_R1", SPDM_V13, SPDM_P384, SPDM_SHA384},
  v13_256 = {"1.3", "ecp256", "ECDSA_P256", "SHA_256", "SECP_256_R1", SPDM_V13, SPDM_P256,
	SPDM_SHA256};

struct emu {
	const struct variant *variant;
	struct pair pair;
	const char *dir;
	uint16_t port;
	int fd, errors; /* the socket, and the emulator's stderr */
	pid_t child;
	uint8_t payload[OBJECT_MAX];
	size_t len;
};

static size_t file_read(const struct emu *emu, const char *name, uint8_t *to, size_t cap)
{
	char path[4096];
	size_t len;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s/%s", emu->dir, emu->variant->keys, name);
	file = fopen(path, "rb");
	assert_non_null(file);
	len = fread(to, 1, cap, file);
	fclose(file);
	assert_in_range(len, 1, cap - 1);
	return len;
}

static int setup(void **state)
{
	struct emu *emu = calloc(1, sizeof(*emu));
	uint8_t *der;
	FILE *file;
	EVP_PKEY *key;
	char path[4096];

	assert_non_null(emu);
	emu->variant = *state;
	*state = emu;
	emu->fd = -1;
	emu->errors = memfd_create("stderr", 0);
	assert_true(emu->errors >= 0);
	emu->dir = getenv("SWTIO_SPDM_EMU");
	if (!emu->dir)
		return 0;
	pair_setup(&emu->pair, (uint64_t)getpid());
	emu->port = (uint16_t)(20000 + getpid() % 20000);
	emu->pair.chain_len = file_read(emu, CHAIN, emu->pair.chain, sizeof(emu->pair.chain));
	emu->pair.anchor_len = file_read(emu, ANCHOR, emu->pair.anchor, sizeof(emu->pair.anchor));
	snprintf(path, sizeof(path), "%s/%s/%s", emu->dir, emu->variant->keys, KEY);
	file = fopen(path, "r");
	assert_non_null(file);
	key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
	fclose(file);
	assert_non_null(key);
	der = emu->pair.key;
	emu->pair.key_len = (size_t)i2d_PrivateKey(key, &der);
	EVP_PKEY_free(key);
	emu->pair.identity.chain_len = emu->pair.chain_len;
	emu->pair.identity.key_len = emu->pair.key_len;
	spdm_requester_init(&emu->pair.q, emu->pair.anchor, emu->pair.anchor_len);
	spdm_responder_offer(&emu->pair.p, &spdm_offer_all);
	return 0;
}

static int teardown(void **state)
{
	struct emu *emu = *state;

	if (emu->fd >= 0)
		close(emu->fd);
	close(emu->errors);
	if (emu->child > 0) {
		kill(emu->child, SIGKILL);
		waitpid(emu->child, NULL, 0);
	}
	if (emu->dir)
		pair_teardown();
	free(emu);
	return 0;
}

static struct emu *emu_or_skip(void **state)
{
	struct emu *emu = *state;

	if (!emu->dir) {
		print_message("skipped: SWTIO_SPDM_EMU does not name a build of DMTF's spdm-emu\n");
		skip();
	}
	return emu;
}

/* Starts one of the two with its options, then those of `more`. */
static void emu_start(struct emu *emu, const char *program, const char *const *more)
{
	char path[4096], port[8];
	const struct variant *v = emu->variant;
	const char *argv[48] = {path, "--trans", "PCI_DOE", "--ver", v->version, "--port", port,
		"--asym", v->asym, "--hash", v->hash, "--dhe", v->dhe, "--req_asym", v->asym};
	int n = 15;

	snprintf(path, sizeof(path), "%s/%s", emu->dir, program);
	snprintf(port, sizeof(port), "%u", emu->port);
	while (*more && n < 47)
		argv[n++] = *more++;
	emu->child = fork();
	assert_true(emu->child >= 0);
	if (emu->child)
		return;
	if (!freopen("/dev/null", "w", stdout) || dup2(emu->errors, STDERR_FILENO) < 0)
		_exit(127);
	if (!chdir(emu->dir))
		execv(path, (char *const *)(uintptr_t)argv);
	_exit(127);
}

static void emu_nodelay(struct emu *emu)
{
	const int on = 1;

	setsockopt(emu->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static struct sockaddr_in emu_address(const struct emu *emu)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
		.sin_port = htons(emu->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void emu_connect(struct emu *emu)
{
	const struct sockaddr_in to = emu_address(emu);

	for (int i = 0; i < 200; i++) {
		emu->fd = socket(AF_INET, SOCK_STREAM, 0);
		if (!connect(emu->fd, (const struct sockaddr *)&to, sizeof(to))) {
			emu_nodelay(emu);
			return;
		}
		close(emu->fd);
		emu->fd = -1;
		usleep(20000);
	}
	fail_msg("%s", "the emulator does not listen");
}

static void emu_send(struct emu *emu, uint32_t command, const void *payload, size_t len)
{
	uint32_t head[3] = {htonl(command), htonl(EMU_DOE), htonl((uint32_t)len)};
	uint8_t frame[sizeof(head) + OBJECT_MAX];

	assert_in_range(len, 0, OBJECT_MAX);
	memcpy(frame, head, sizeof(head));
	if (len)
		memcpy(frame + sizeof(head), payload, len);
	assert_int_equal(
		send(emu->fd, frame, sizeof(head) + len, MSG_NOSIGNAL), sizeof(head) + len);
}

static bool emu_read(struct emu *emu, void *to, size_t len)
{
	struct pollfd wait = {.fd = emu->fd, .events = POLLIN};
	uint8_t *at = to;

	while (len) {
		ssize_t n;

		if (poll(&wait, 1, EMU_WAIT_MS) != 1)
			return false;
		n = recv(emu->fd, at, len, 0);
		if (n <= 0)
			return false;
		at += n;
		len -= (size_t)n;
	}
	return true;
}

/* The next frame's command, 0 when there is none; its payload is kept. */
static uint32_t emu_receive(struct emu *emu)
{
	uint32_t head[3];

	if (!emu_read(emu, head, sizeof(head)))
		return 0;
	emu->len = ntohl(head[2]);
	assert_int_equal(ntohl(head[1]), EMU_DOE);
	assert_in_range(emu->len, 0, sizeof(emu->payload));
	assert_true(emu_read(emu, emu->payload, emu->len));
	return ntohl(head[0]);
}

static void object_send(struct emu *emu, const struct spdm_wire *wire)
{
	uint8_t object[OBJECT_MAX] = {0};
	size_t dwords = (DOE_HEADER + wire->len + 3) / 4;
	struct writer w = writer_of(object, sizeof(object));

	put_le16(&w, 1);
	put_u8(&w, wire->doe_type);
	put_u8(&w, 0);
	put_le32(&w, (uint32_t)dwords);
	put_bytes(&w, wire->data, wire->len);
	emu_send(emu, EMU_NORMAL, object, dwords * 4);
}

static void object_parse(const struct emu *emu, struct spdm_wire *wire)
{
	struct reader r = reader_of(emu->payload, emu->len);

	assert_int_equal(get_le16(&r), 1);
	wire->doe_type = get_u8(&r);
	get_u8(&r);
	assert_int_equal(get_le32(&r) * 4, emu->len);
	wire->len = reader_left(&r);
	assert_in_range(wire->len, 4, sizeof(wire->data));
	get_copy(&r, wire->data, wire->len);
}

static int emu_run(struct emu *emu)
{
	struct spdm_wire wire;
	int rc = spdm_requester_next(&emu->pair.q, NULL, &wire);

	while (rc == 1) {
		object_send(emu, &wire);
		assert_int_equal(emu_receive(emu), EMU_NORMAL);
		object_parse(emu, &wire);
		rc = spdm_requester_next(&emu->pair.q, &wire, &wire);
	}
	return rc;
}

static int emu_do(struct emu *emu, enum spdm_op op)
{
	int rc = spdm_requester_start(&emu->pair.q, op);

	return rc ? rc : emu_run(emu);
}

static void emu_vendor(
	struct emu *emu, uint8_t protocol, const void *body, size_t len, uint8_t code)
{
	const uint8_t *reply;
	size_t reply_len;

	assert_int_equal(spdm_requester_vendor(&emu->pair.q, protocol, body, len), 0);
	assert_int_equal(emu_run(emu), 0);
	reply = spdm_requester_vendor_reply(&emu->pair.q, &reply_len);
	assert_true(reply_len > 1);
	assert_int_equal(reply[protocol], code); /* TDISP's code comes after its version */
}

static void assert_agreed(const struct emu *emu)
{
	struct spdm_agreement agreed;

	spdm_requester_agreement(&emu->pair.q, &agreed);
	assert_int_equal(agreed.version, emu->variant->version_id);
	assert_int_equal(agreed.hash, emu->variant->hash_id);
	assert_int_equal(agreed.asym, emu->variant->curve);
	assert_int_equal(agreed.dhe, emu->variant->curve);
}

/* Everything our requester can say, to DMTF's responder. */
static void our_requester(void **state)
{
	static const char *const options[] = {"--slot_count", "1", NULL};
	static const uint8_t query[] = {0, 0, 1};
	static const uint8_t tdisp[16] = {0x10, 0x81, 0, 0, 0xef, 0xbe};
	struct emu *emu = emu_or_skip(state);

	emu_start(emu, "spdm_responder_emu", options);
	emu_connect(emu);
	for (int clear = 0; clear < 2; clear++) {
		spdm_requester_allow_clear_handshake(&emu->pair.q, clear);
		assert_int_equal(emu_do(emu, SPDM_OP_CHALLENGE), 0);
		spdm_requester_measure(&emu->pair.q, 0, false);
		assert_int_equal(emu_do(emu, SPDM_OP_MEASURE), 0);
		assert_in_range(spdm_requester_measurement_count(&emu->pair.q), 1, 254);
		spdm_requester_measure(&emu->pair.q, 1, false);
		assert_int_equal(emu_do(emu, SPDM_OP_MEASURE), 0);
		spdm_requester_measure(&emu->pair.q, 0xff, true);
		assert_int_equal(emu_do(emu, SPDM_OP_MEASURE), 0);
		emu->pair.q.portion = clear ? 333 : 4600;
		assert_int_equal(emu_do(emu, SPDM_OP_CONNECT), 0);
		assert_int_equal(emu->pair.q.session.in_clear, clear);
		assert_agreed(emu);
		assert_int_equal(emu_do(emu, SPDM_OP_HEARTBEAT), 0);
		spdm_requester_measure(&emu->pair.q, 1, false);
		assert_int_equal(emu_do(emu, SPDM_OP_MEASURE), 0);
		spdm_requester_measure(&emu->pair.q, 0xff, true);
		assert_int_equal(emu_do(emu, SPDM_OP_MEASURE), 0);
		assert_int_equal(emu_do(emu, SPDM_OP_KEY_UPDATE), 0);
		assert_int_equal(emu_do(emu, SPDM_OP_KEY_UPDATE), 0);
		emu_vendor(emu, 0, query, sizeof(query), 1);
		emu_vendor(emu, 1, tdisp, sizeof(tdisp), 1);
		assert_int_equal(emu_do(emu, SPDM_OP_END), 0);
	}
	emu_send(emu, EMU_SHUTDOWN, NULL, 0);
	assert_int_equal(emu_receive(emu), EMU_SHUTDOWN);
}

/* DOE discovery: itself, SPDM, secured SPDM. */
static void discovery_answer(struct emu *emu)
{
	uint8_t answer[12] = {1, 0, 0, 0, 3, 0, 0, 0, 1, 0, emu->payload[8]};

	assert_int_equal(emu->len, 12);
	assert_in_range(emu->payload[8], 0, 2);
	answer[11] = (uint8_t)((emu->payload[8] + 1) % 3);
	emu_send(emu, EMU_NORMAL, answer, sizeof(answer));
}

/* Serves the emulator until it shuts down; how many SPDM requests it made. */
static unsigned int emu_serve(struct emu *emu)
{
	unsigned int requests = 0;
	struct spdm_wire wire;

	for (;;) {
		uint32_t command = emu_receive(emu);

		if (command == EMU_TEST) {
			emu_send(emu, EMU_TEST, "Server Hello!", 14);
		} else if (command == EMU_SHUTDOWN) {
			emu_send(emu, EMU_SHUTDOWN, NULL, 0);
			return requests;
		} else if (command != EMU_NORMAL) {
			return 0;
		} else if (emu->payload[2] == 0) {
			discovery_answer(emu);
		} else {
			object_parse(emu, &wire);
			assert_int_equal(pair_answer(&emu->pair, &wire, &wire), 0);
			object_send(emu, &wire);
			requests++;
		}
	}
}

static unsigned int serve_program(struct emu *emu, const char *program, const char *const *options)
{
	const struct sockaddr_in at = emu_address(emu);
	const int on = 1;
	unsigned int requests;
	int listener = socket(AF_INET, SOCK_STREAM, 0), status;

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	assert_int_equal(bind(listener, (const struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(listener, 1), 0);
	emu_start(emu, program, options);
	emu->fd = accept(listener, NULL, NULL);
	close(listener);
	assert_true(emu->fd >= 0);
	emu_nodelay(emu);
	requests = emu_serve(emu);
	assert_int_equal(waitpid(emu->child, &status, 0), emu->child);
	emu->child = 0;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(lseek(emu->errors, 0, SEEK_END), 0); /* it exits with 0 whatever failed */
	return requests;
}

#define REQUESTER_OPTIONS                                                                          \
	"--slot_count", "1", "--mut_auth", "NO", "--exe_conn", "DIGEST,CERT,CHAL,MEAS",            \
		"--exe_session", "KEY_EX,KEY_UPDATE,MEAS"

static void our_responder(void **state)
{
	static const char *const options[] = {
		REQUESTER_OPTIONS, "--cap", "CERT,CHAL,ENCRYPT,MAC,KEY_EX,HBEAT,KEY_UPD", NULL};
	struct emu *emu = emu_or_skip(state);

	assert_in_range(serve_program(emu, "spdm_requester_emu", options), 15, 100);
	assert_int_equal(emu->pair.ended, 1);
}

/* The emulator's own flags: chunks and a clear handshake among them. */
static void our_responder_clear(void **state)
{
	static const char *const options[] = {
		REQUESTER_OPTIONS, "--meas_op", "ALL", "--key_upd", "ALL", NULL};
	struct emu *emu = emu_or_skip(state);

	spdm_responder_allow_clear_handshake(&emu->pair.p, true);
	assert_in_range(serve_program(emu, "spdm_requester_emu", options), 15, 100);
	assert_int_equal(emu->pair.ended, 1);
}

/* DMTF's conformance test of responders, where it was built too; it leaves its verdict in a file.
 */
static void our_responder_validated(void **state)
{
	static const char *const options[] = {"--slot_count", "1", NULL};
	static uint8_t report[1u << 20];
	struct emu *emu = emu_or_skip(state);
	const char *verdict;
	char path[4096];

	snprintf(path, sizeof(path), "%s/spdm_device_validator_sample", emu->dir);
	if (access(path, X_OK))
		skip();
	spdm_responder_allow_clear_handshake(&emu->pair.p, true);
	assert_in_range(serve_program(emu, "spdm_device_validator_sample", options), 500, 100000);
	snprintf(path, sizeof(path), "../test.log"); /* beside the folders of keys */
	report[file_read(emu, path, report, sizeof(report))] = 0;
	verdict = strstr(
		(const char *)report, "test suite (spdm_responder_conformance_test) - pass: ");
	assert_non_null(verdict);
	verdict = strstr(verdict, ", fail: ");
	assert_non_null(verdict);
	assert_int_equal(strtoul(verdict + strlen(", fail: "), NULL, 10), 0);
}

#define TEST(name, fn, variant)                                                                    \
	{                                                                                          \
		"R6.4 " name " (" #variant ")", fn, setup, teardown, (void *)(uintptr_t)&variant   \
	}
int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST("our requester and DMTF's responder", our_requester, v12),
		TEST("our requester and DMTF's responder", our_requester, v13),
		TEST("our requester and DMTF's responder", our_requester, v13_256),
		TEST("DMTF's requester and our responder", our_responder, v12),
		TEST("DMTF's requester and our responder", our_responder, v13),
		TEST("DMTF's requester and our responder", our_responder, v13_256),
		TEST("likewise with a clear handshake", our_responder_clear, v12),
		TEST("likewise with a clear handshake", our_responder_clear, v13),
		TEST("DMTF's validator and our responder", our_responder_validated, v12),
		TEST("DMTF's validator and our responder", our_responder_validated, v13),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
