/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The whole TDX life cycle, timed step by step, beside its peers in the same run: what bare libcrypto
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
#define STEPS 64
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
	uint32_t step[STEPS];
	double per_step[STEPS][ROUNDS];
	double boot[ROUNDS];
	unsigned int steps;
};

static int round_run(const char *text, struct result *result, unsigned int round)
{
	struct flow_error error;
	struct flow_state state;
	double start = now();
	unsigned int n = 0;

	if (flow_start(text, &error)) {
		fprintf(stderr, "bench: %s\n", error.text);
		return 1;
	}
	result->boot[round] = now() - start;
	for (;;) {
		flow_state(&state);
		start = now();
		if (flow_run_step() <= 0 || n == STEPS)
			break;
		result->step[n] = state.step;
		result->per_step[n++][round] = now() - start;
	}
	result->steps = n;
	flow_state(&state);
	if (state.failures || check_violations(NULL, 0))
		fprintf(stderr, "bench: the flow did not end as written: %s\n", state.first.text);
	image_detach();
	return state.failures != 0;
}

static void print(const struct result *result, uint32_t workload, bool json)
{
	static double total[ROUNDS], step[ROUNDS];
	double sign, verify, copy = peer_memcpy();

	peer_crypto(&sign, &verify);
	memset(total, 0, sizeof(total));
	for (unsigned int i = 0; i < result->steps; i++)
		for (unsigned int r = 0; r < ROUNDS; r++)
			if (result->step[i] != workload)
				total[r] += result->per_step[i][r];
	printf(json ? "{\"lifecycle_ms\":%.3f,\"p384_sign_ms\":%.3f,\"p384_verify_ms\":%.3f,\"memcpy_64MiB_ms\":%.3f,\"steps\":{" :
	       "life cycle without workload  %8.3f ms (median of 21)\n"
	       "peer: one P-384 sign         %8.3f ms\npeer: one P-384 verify       %8.3f ms\n"
	       "peer: memcpy of 64 MiB       %8.3f ms\n", median(total, ROUNDS), sign, verify, copy);
	for (unsigned int i = 0; i < result->steps; i++) {
		memcpy(step, result->per_step[i], sizeof(step));
		if (json)
			printf("%s\"%u\":%.4f", i ? "," : "", result->step[i], median(step, ROUNDS));
		else if (median(step, ROUNDS) > 0.05)
			printf("  step %2u                    %8.3f ms%s\n", result->step[i], median(step, ROUNDS),
			       result->step[i] == workload ? "  (workload: 64 MiB in, 64 MiB out, checksums)" : "");
	}
	if (json)
		puts("}}");
}

int main(int argc, char **argv)
{
	static struct result result;
	bool json = argc > 2 && !strcmp(argv[2], "--json");
	static char text[1 << 20];
	FILE *file = argc > 1 ? fopen(argv[1], "r") : NULL;

	if (!file || !fread(text, 1, sizeof(text) - 1, file)) {
		fprintf(stderr, "usage: lifecycle FLOW [--json]\n");
		return 2;
	}
	fclose(file);
	for (unsigned int round = 0; round < ROUNDS; round++)
		if (round_run(text, &result, round))
			return 1;
	print(&result, 32, json);
	return 0;
}
