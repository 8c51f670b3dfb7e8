/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What /dev/iommu answers, errno by errno and in the order of the checks: data that two programs
 * run, one on the simulated kernel, one (client.c) on whatever kernel it finds. The expected values
 * were seen on Linux 7.2.
 */
#ifndef SWTIO_TESTS_IOMMUFD_CASES_H
#define SWTIO_TESTS_IOMMUFD_CASES_H

#include <stddef.h>
#include <stdint.h>

struct step {
	const char *what;
	unsigned int cmd;
	const void *args;		/* NULL: pass value */
	uint32_t args_len;
	uint64_t value;
	int result;			/* errno, or minus what the call returns */
	uint16_t out_at, out_len;	/* 0: nothing to compare */
	uint64_t out;
};

struct sequence {
	const char *name;		/* of the requirement and what it shows */
	const struct step *steps;	/* each sequence starts with a fresh /dev/iommu */
	unsigned int count;
};
extern const struct sequence sequences[];
extern const unsigned int sequence_count;

/* Where the mappings of the cases point; nothing need be there, since nothing is pinned. */
#define CASE_VA 0x10000000ull

struct client {
	long (*ioctl)(void *ctx, unsigned int cmd, uint64_t arg);	/* result or -errno */
	void *ctx;
};

/* Runs a sequence; NULL, or a sentence about the first step that came out otherwise. */
const char *sequence_run(const struct sequence *sequence, const struct client *client);

#endif
