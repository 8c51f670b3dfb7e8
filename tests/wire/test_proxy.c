/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Somebody between a TSM and a device who changes one message a run: flips, cuts, extends, repeats,
 * swaps with the one before, drops it. What comes of it is an error, never a run that went wrong
 * unseen, and the device serves the next one. SWTIO_PROXY is how many runs (default 60). R6.4, R3.5
 */
#include "peer.h"

#include "image/bytes.h"

enum change { FLIP, CUT, EXTEND, REPEAT, OLDER, DROP, ZERO, CHANGES };

struct plan {
	enum change change;
	unsigned int message; /* requests and answers are counted together */
	unsigned int at;
};

static uint32_t chance_state;

static unsigned int chance(unsigned int below)
{
	chance_state = chance_state * 1664525u + 1013904223u;
	return (chance_state >> 8) % below;
}

struct object { uint8_t bytes[WIRE_PAYLOAD_MAX]; size_t len; };

static void object_length_set(struct object *object)
{
	struct writer w = writer_of(object->bytes + 4, 4);

	put_le32(&w, (uint32_t)(object->len / 4));
}

/* False: nothing is to be sent on. */
static bool object_change(const struct plan *plan, struct object *now, const struct object *before)
{
	size_t body = now->len > 8 ? now->len - 8 : 1;

	switch (plan->change) {
	case FLIP:
		now->bytes[8 + plan->at / 8 % body] ^= (uint8_t)(1u << plan->at % 8);
		break;
	case CUT: /* a DW less, and the length says so */
		now->len = now->len > 12 ? now->len - 4 : now->len;
		object_length_set(now);
		break;
	case EXTEND:
		memset(now->bytes + now->len, 0x5a, 4);
		now->len += 4;
		object_length_set(now);
		break;
	case OLDER:
		*now = *before;
		break;
	case DROP:
		return false;
	case ZERO:
		memset(now->bytes + 8, 0, body);
		break;
	default:
		break;
	}
	return true;
}

static bool relay_once(int from, int to, const struct plan *plan, unsigned int number,
	struct object *before)
{
	static struct object now;
	uint32_t command = frame_receive(from, now.bytes, &now.len);
	bool mine = number == plan->message && command == WIRE_NORMAL;
	struct object original = now;

	if (!command)
		return false;
	if (mine && !object_change(plan, &now, before))
		now.len = 0;
	*before = original;
	frame_send(to, command, WIRE_TRANSPORT_DOE, now.bytes, now.len);
	return true;
}

static void proxy(int listener, uint16_t port, const struct plan *plan)
{
	static struct object request, answer;
	int from = accept(listener, NULL, NULL), to = dial(port);
	unsigned int number = 0;

	while (relay_once(from, to, plan, number++, &request))
		if (!relay_once(to, from, plan, number++, &answer))
			break;
	_exit(0);
}

static int play(uint16_t port, struct tsm_result *result)
{
	struct spdm_requester *requester = calloc(1, spdm_requester_size());
	const struct tsm_options options = {
		.function_id = PF, .lock_flags = 0xffff, .last = TSM_START};
	struct wire_link link;
	int rc;

	spdm_requester_init(requester, NULL, 0);
	spdm_requester_trust_own_root(requester, true);
	assert_int_equal(wire_link_open(&link, "127.0.0.1", port, 2000), 0);
	rc = tsm_run(&link, requester, &options, result);
	wire_link_close(&link);
	free(requester);
	return rc;
}

/* Whoever was told "done" was told so by the device: every step, and the right end. */
static void assert_sound(int rc, const struct tsm_result *result, const struct plan *plan)
{
	if (rc) {
		assert_in_range(result->failed, 0, TSM_STEPS - 1);
		assert_true(result->why[0]);
		return;
	}
	assert_int_equal(result->state, TDISP_UNLOCKED);
	assert_int_equal(result->done, (1u << TSM_STEPS) - 1);
	/* From KEY_EXCHANGE on everything is signed or has a MAC, but for DOE's own padding; before, a
	 * change that shows nowhere is one of reserved bits, of DISCOVERY or of a repeated answer. */
	if (plan->message >= 16 && plan->message < 80 && (plan->change == ZERO || plan->change == DROP))
		fail_msg("message %u was changed (%d), and nobody saw", plan->message, plan->change);
}

static void one_change(void **state)
{
	const char *runs = getenv("SWTIO_PROXY");
	struct tsm_result *result = calloc(1, sizeof(*result));
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t at_len = sizeof(at);
	struct rig *rig = *state;

	assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(listener, 1), 0);
	getsockname(listener, (struct sockaddr *)&at, &at_len);
	for (int i = 0; i < (runs ? atoi(runs) : 60); i++) {
		struct plan plan = {(enum change)(i % CHANGES), chance(84), chance(4096)};
		pid_t child = fork();
		int rc;

		if (!child)
			proxy(listener, rig->port, &plan);
		rc = play(ntohs(at.sin_port), result);
		assert_sound(rc, result, &plan);
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		if (rc) /* and the device has no harm of it */
			assert_int_equal(play(rig->port, result), 0);
	}
	close(listener);
	free(result);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{"R6.4 one message changed on its way", one_change, setup, teardown, NULL},
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
