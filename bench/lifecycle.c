/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A platform's whole life cycle, timed step by step, beside its peers in the same run: what bare libcrypto
 * takes for the public-key operations it contains, and memcpy for the DMA. Prints text, or JSON with
 * --json. Nothing here is asserted: a time is a finding, not a test.
 */
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "check/check.h"
#include "flow/flow.h"

#define ROUNDS 21
#define WORKLOADS 5u		/* rounds with the workload: gigabytes in all */
#define STEPS 64
#define ACTIONS 16
#define COPY (64u << 20)

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double *values, unsigned int n)
{
	qsort(values, n, sizeof(*values), compare);
	return values[n / 2];
}

/* One P-384 signature and one verification by libcrypto alone, in ms. */
static void peer_crypto(double *sign, double *verify)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384");
	unsigned char digest[48] = { 1 }, signature[128];
	size_t len = sizeof(signature);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
	double start = now();

	EVP_PKEY_sign_init(ctx);
	for (int i = 0; i < 50; i++) {
		len = sizeof(signature);
		EVP_PKEY_sign(ctx, signature, &len, digest, sizeof(digest));
	}
	*sign = (now() - start) / 50;
	EVP_PKEY_verify_init(ctx);
	start = now();
	for (int i = 0; i < 50; i++)
		EVP_PKEY_verify(ctx, signature, len, digest, sizeof(digest));
	*verify = (now() - start) / 50;
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(key);
}

static double peer_memcpy(void)
{
	char *from = malloc(COPY), *to = malloc(COPY);
	double times[ROUNDS];

	memset(from, 1, COPY);
	memset(to, 2, COPY);
	for (int i = 0; i < ROUNDS; i++) {
		double start = now();

		memcpy(to, from, COPY);
		__asm__ volatile("" : : "r"(to) : "memory");
		times[i] = now() - start;
	}
	free(from);
	free(to);
	return median(times, ROUNDS);
}

struct result {
	unsigned int rounds, steps, actions;
	uint32_t step[STEPS];
	double per_step[STEPS][ROUNDS];
	double workload[ACTIONS][ROUNDS];	/* the actions of the workload, one by one */
};

static bool in_workload(uint32_t step)
{
	const struct flow_step *found = flow_step_find(step);

	return found && found->phase == PHASE_WORK;
}

/* Plays the flow once; the workload's actions apart. */
static int round_run(const char *text, struct result *result, unsigned int round)
{
	struct flow_error error;
	struct flow_state state;
	unsigned int n = 0, actions = 0;
	int rc;

	if (flow_start(text, NULL, &error)) {
		fprintf(stderr, "bench: line %u: %s\n", error.line, error.text);
		return 1;
	}
	do {
		double start = now(), took;
		bool workload;

		flow_state(&state);
		workload = in_workload(state.step);
		rc = workload ? flow_next() : flow_run_step();
		took = now() - start;
		if (rc > 0 && workload && actions < ACTIONS)
			result->workload[actions++][round] = took;
		else if (rc > 0 && n < STEPS) {
			result->step[n] = state.step;
			result->per_step[n++][round] = took;
		}
	} while (rc > 0);
	result->rounds = round + 1;
	result->steps = n;
	result->actions = actions;
	flow_state(&state);
	if (state.failures || check_violations(NULL, 0))
		fprintf(stderr, "bench: the flow did not end as written: %s\n", state.first.text);
	image_detach();
	return state.failures != 0;
}

static double median_of(const double *values, unsigned int rounds)
{
	double copy[ROUNDS];

	memcpy(copy, values, rounds * sizeof(*copy));
	return median(copy, rounds);
}

static double lifecycle(const struct result *result)
{
	double total[ROUNDS] = { 0 };

	for (unsigned int i = 0; i < result->steps; i++)
		for (unsigned int r = 0; r < ROUNDS; r++)
			total[r] += result->per_step[i][r];
	return median(total, ROUNDS);
}

static void print_text(const struct result *bare, const struct result *full)
{
	double sign, verify, copy = peer_memcpy();

	peer_crypto(&sign, &verify);
	printf("life cycle without workload  %8.3f ms (median of %u)\n", lifecycle(bare), ROUNDS);
	printf("peer: one P-384 sign         %8.3f ms\npeer: one P-384 verify       %8.3f ms\n", sign, verify);
	for (unsigned int i = 0; i < bare->steps; i++)
		if (median_of(bare->per_step[i], bare->rounds) > 0.05)
			printf("  step %2u                    %8.3f ms\n", bare->step[i], median_of(bare->per_step[i], bare->rounds));
	printf("workload, action by action (peer: memcpy of 64 MiB %.3f ms)\n", copy);
	for (unsigned int i = 0; i < full->actions; i++)
		printf("  action %2u                  %8.3f ms\n", i + 1, median_of(full->workload[i], full->rounds));
}

static void print_json(const struct result *bare, const struct result *full)
{
	double sign, verify, copy = peer_memcpy();

	peer_crypto(&sign, &verify);
	printf("{\"lifecycle_ms\":%.3f,\"p384_sign_ms\":%.3f,\"p384_verify_ms\":%.3f,\"memcpy_64MiB_ms\":%.3f,\"steps\":{",
	       lifecycle(bare), sign, verify, copy);
	for (unsigned int i = 0; i < bare->steps; i++)
		printf("%s\"%u\":%.4f", i ? "," : "", bare->step[i], median_of(bare->per_step[i], bare->rounds));
	printf("},\"workload\":[");
	for (unsigned int i = 0; i < full->actions; i++)
		printf("%s%.4f", i ? "," : "", median_of(full->workload[i], full->rounds));
	puts("]}");
}

/* The flow without its workload. */
static void workload_cut(char *text)
{
	char *from = strstr(text, "\nphase work"), *to = from ? strstr(from + 1, "\nphase ") : NULL;

	if (to)
		memmove(from, to, strlen(to) + 1);
}

int main(int argc, char **argv)
{
	static struct result bare, full;
	static char text[1 << 20];
	FILE *file = argc > 1 ? fopen(argv[1], "r") : NULL;
	int rc = 0;

	if (!file || !fread(text, 1, sizeof(text) - 1, file)) {
		fprintf(stderr, "usage: lifecycle FLOW [--json]\n");
		return 2;
	}
	fclose(file);
	for (unsigned int round = 0; !rc && round < WORKLOADS; round++)
		rc = round_run(text, &full, round);
	workload_cut(text);
	for (unsigned int round = 0; !rc && round < ROUNDS; round++)
		rc = round_run(text, &bare, round);
	if (!rc)
		(argc > 2 && !strcmp(argv[2], "--json") ? print_json : print_text)(&bare, &full);
	return rc;
}
