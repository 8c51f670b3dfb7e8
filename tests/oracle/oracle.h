/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random call sequences over all objects of /dev/iommu, the same for the same seed, and what each
 * call answered: for the software host and for Linux, so that the two can be compared.
 *
 * The generator knows what it was told: ids by kind, descriptors, mappings. It mostly asks for what
 * can work and now and then for what cannot.
 */
#ifndef SWTIO_TESTS_ORACLE_H
#define SWTIO_TESTS_ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "swtio/uapi/iommufd.h"

#define PAGE 4096ull
#define BUFFER_PAGES 64u
#define BUFFER_START 0x200000000ull		/* anonymous, private */
#define SHARED_START 0x210000000ull		/* the memfd's pages */
#define HOLE_START 0x220000000ull		/* nothing is there */
#define APERTURE_START 0x1000000ull
#define APERTURE_LAST 0x7fffffffull

enum kind {
	IOAS, DEVICE, STDEV, PAGING, PARENT, NESTED, FAULT, VIOMMU, VDEVICE, VEVENTQ, HW_QUEUE,
	ACCESS, KINDS
};

#define IDS 12u
#define QUEUES 4u

struct queue { int fd; uint32_t id; };		/* fd 0: none */
struct pages { int access; uint32_t item; };	/* what an access has pinned */

struct host {
	int fd, memfd;
	uint64_t random;
	uint32_t ids[KINDS][IDS], id_count[KINDS];
	struct queue faults[QUEUES], events[QUEUES];
	int accesses[QUEUES];			/* descriptors; 0: none */
	struct pages pinned[IDS];
	int dmabuf;				/* 0: none */
	uint32_t cookies[IDS], cookie_count;
	uint64_t map_offset, map_length;	/* of a vIOMMU's page */
	void *mapping;				/* of it, or NULL */
	uint64_t call;				/* number of the call that runs */
};

/* -- chance */
uint32_t roll(struct host *h, uint32_t n);	/* 0 .. n - 1 */
bool one_in(struct host *h, uint32_t n);
uint32_t flags_of(struct host *h, uint32_t likely, uint32_t known);
uint64_t an_iova(struct host *h);
uint64_t an_address(struct host *h);
uint64_t a_length(struct host *h);

/* -- what there is */
void id_add(struct host *h, enum kind kind, uint32_t id);
void id_drop(struct host *h, uint32_t id);
uint32_t id_of(struct host *h, enum kind kind);	/* mostly one of that kind */

/* -- calls: 0, a descriptor, or -errno. Now and then with another size than the structure has. */
long ask(struct host *h, unsigned int cmd, void *args, uint32_t size);
#define ASK(h, cmd, args) ask((h), (cmd), &(args), sizeof(args))

/* IOMMU_TEST_CMD as the kernel's iommufd_test.h lays it out. */
struct test_cmd { uint32_t size, op, id, reserved; uint64_t arg[7]; };
#define TEST_CMD_NUMBER 0x3ba0u
long test_ask(struct host *h, struct test_cmd *cmd);
long test_fd(struct host *h, struct test_cmd *cmd);	/* whose answer is a descriptor */
uint64_t pair(uint32_t low, uint32_t high);

/* Linux's mock device must not go while PASIDs of it are attached: it would stay behind, half freed. */
void pasids_detach(struct host *h, uint32_t stdev);

/* -- what is written down of a call: part of the answer that is compared */
void note(struct host *h, const char *format, ...) __attribute__((format(printf, 2, 3)));

struct op { const char *name; unsigned int weight; void (*run)(struct host *h); };
extern const struct op ioas_ops[], object_ops[], test_ops[], file_ops[];	/* end with NULL */

#endif
