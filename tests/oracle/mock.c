/* SPDX-License-Identifier: BSD-2-Clause */
/* Operations of IOMMU_TEST_CMD: mock devices, what they reach, and in-kernel users of an IOAS. */
#include <string.h>
#include <unistd.h>

#include "oracle.h"

enum {
	ADD_RESERVED = 1, MOCK_DOMAIN, CHECK_MAP, CHECK_REFS, CREATE_ACCESS, DESTROY_ACCESS_PAGES,
	ACCESS_PAGES, ACCESS_RW, MEMORY_LIMIT, DOMAIN_REPLACE, ACCESS_REPLACE_IOAS, DOMAIN_FLAGS,
	DIRTY, CHECK_IOTLB, TRIGGER_IOPF, CHECK_CACHE, TRIGGER_VEVENT, PASID_ATTACH, PASID_REPLACE,
	PASID_DETACH, PASID_CHECK, DMABUF_GET, DMABUF_REVOKE
};

static uint64_t some_length(struct host *h)
{
	uint64_t length = a_length(h);

	return length > 64 * PAGE ? PAGE : length;
}

static void mock_domain(struct host *h)
{
	struct test_cmd cmd = { .op = MOCK_DOMAIN, .id = id_of(h, IOAS) };

	if (h->id_count[STDEV] >= 5)
		return;
	if (one_in(h, 2)) {
		cmd.op = DOMAIN_FLAGS;
		cmd.arg[1] = pair(0, flags_of(h, one_in(h, 4) ? 1 : 4, 5));
	}
	if (one_in(h, 4))
		cmd.id = id_of(h, one_in(h, 2) ? PAGING : PARENT);
	note(h, " op %u pt %u flags %x", cmd.op, cmd.id, (uint32_t)(cmd.arg[1] >> 32));
	if (test_ask(h, &cmd))
		return;
	note(h, " stdev %u hwpt %u dev %u", (uint32_t)cmd.arg[0], (uint32_t)(cmd.arg[0] >> 32),
	     (uint32_t)cmd.arg[1]);
	id_add(h, STDEV, (uint32_t)cmd.arg[0]);
	id_add(h, DEVICE, (uint32_t)cmd.arg[1]);
}

static void domain_replace(struct host *h)
{
	static const enum kind kinds[] = { IOAS, PAGING, PARENT, NESTED, NESTED };
	struct test_cmd cmd = { .op = DOMAIN_REPLACE, .id = id_of(h, STDEV) };

	cmd.arg[0] = id_of(h, kinds[roll(h, 5)]);
	note(h, " stdev %u pt %llu", cmd.id, (unsigned long long)cmd.arg[0]);
	if (!test_ask(h, &cmd))
		note(h, " pt %u", (uint32_t)cmd.arg[0]);
}

static const uint32_t pasids[] = { 1, 2, 3, 1024, 0, 0xfffff, 0x100000 };

void pasids_detach(struct host *h, uint32_t stdev)
{
	for (unsigned int i = 0; i < 6; i++) {
		struct test_cmd cmd = { .op = PASID_DETACH, .id = stdev, .arg = { pasids[i] } };

		if (pasids[i])
			test_ask(h, &cmd);
	}
}

static uint32_t a_pasid(struct host *h)
{
	return pasids[roll(h, one_in(h, 6) ? 7 : 4)];
}

static void pasid(struct host *h)
{
	static const enum kind kinds[] = { IOAS, PAGING, PAGING, NESTED, NESTED };
	struct test_cmd cmd = { .op = PASID_ATTACH + roll(h, 4), .id = id_of(h, STDEV) };
	uint32_t number = a_pasid(h), other = id_of(h, kinds[roll(h, 5)]);

	if (cmd.op == PASID_CHECK && one_in(h, 2))
		other = 0;
	cmd.arg[0] = pair(number, cmd.op == PASID_DETACH ? 0 : other);
	note(h, " op %u stdev %u pasid %u other %u", cmd.op, cmd.id, number, other);
	if (!test_ask(h, &cmd))
		note(h, " %llx", (unsigned long long)cmd.arg[0]);
}

static void add_reserved(struct host *h)
{
	struct test_cmd cmd = { .op = ADD_RESERVED, .id = id_of(h, IOAS),
				.arg = { an_iova(h), some_length(h) } };

	note(h, " ioas %u start %llx length %llx", cmd.id, (unsigned long long)cmd.arg[0],
	     (unsigned long long)cmd.arg[1]);
	/* A length of nothing or past the end is a bug of the tester there. */
	if (!cmd.arg[1] || cmd.arg[0] + cmd.arg[1] - 1 < cmd.arg[0])
		return;
	test_ask(h, &cmd);
}

static void check_map(struct host *h)
{
	struct test_cmd cmd = { .op = CHECK_MAP, .id = id_of(h, PAGING) };

	cmd.arg[0] = an_iova(h);
	cmd.arg[1] = some_length(h);
	cmd.arg[2] = an_address(h);
	note(h, " hwpt %u iova %llx length %llx va %llx", cmd.id, (unsigned long long)cmd.arg[0],
	     (unsigned long long)cmd.arg[1], (unsigned long long)cmd.arg[2]);
	test_ask(h, &cmd);
}

static void check_refs(struct host *h)
{
	struct test_cmd cmd = { .op = CHECK_REFS };

	/* Linux pins what an access asks for, we what was mapped at once. */
	for (unsigned int i = 0; i < QUEUES; i++)
		if (h->accesses[i])
			return;
	if (h->id_count[HW_QUEUE])
		return;
	cmd.arg[0] = PAGE;
	cmd.arg[1] = BUFFER_START + roll(h, BUFFER_PAGES) * PAGE;
	cmd.arg[2] = roll(h, 3);
	note(h, " va %llx refs %llu", (unsigned long long)cmd.arg[1],
	     (unsigned long long)cmd.arg[2]);
	test_ask(h, &cmd);
}

static void dirty(struct host *h)
{
	uint8_t bits[8];
	struct test_cmd cmd = { .op = DIRTY, .id = id_of(h, PAGING) };

	for (unsigned int i = 0; i < sizeof(bits); i++)
		bits[i] = (uint8_t)roll(h, 256);
	cmd.arg[1] = an_iova(h);
	cmd.arg[2] = some_length(h);
	cmd.arg[3] = one_in(h, 4) ? PAGE : 2048;
	cmd.arg[4] = (uintptr_t)bits;
	note(h, " hwpt %u iova %llx length %llx page %llx", cmd.id, (unsigned long long)cmd.arg[1],
	     (unsigned long long)cmd.arg[2], (unsigned long long)cmd.arg[3]);
	if (cmd.arg[2] / cmd.arg[3] <= 64 && !test_ask(h, &cmd))
		note(h, " dirty %llu", (unsigned long long)cmd.arg[5]);
}

static void check_iotlb(struct host *h)
{
	struct test_cmd cmd = { .op = CHECK_IOTLB, .id = id_of(h, NESTED) };
	uint32_t number = roll(h, 5);

	cmd.arg[0] = pair(number, one_in(h, 2) ? 0xbadbeef : 0);
	note(h, " hwpt %u %llx", cmd.id, (unsigned long long)cmd.arg[0]);
	test_ask(h, &cmd);
}

static void check_cache(struct host *h)
{
	struct test_cmd cmd = { .op = CHECK_CACHE, .id = id_of(h, DEVICE) };
	uint32_t number = roll(h, 5);

	cmd.arg[0] = pair(number, one_in(h, 2) ? 0xbaddad : 0);
	note(h, " dev %u %llx", cmd.id, (unsigned long long)cmd.arg[0]);
	test_ask(h, &cmd);
}

static void trigger_iopf(struct host *h)
{
	struct test_cmd cmd = { .op = TRIGGER_IOPF };
	uint32_t device = id_of(h, DEVICE), number = a_pasid(h), group = roll(h, 9);

	cmd.arg[0] = pair(device, number);
	cmd.arg[1] = pair(group, 1 + roll(h, 3));
	cmd.arg[2] = an_address(h);
	note(h, " %llx %llx", (unsigned long long)cmd.arg[0], (unsigned long long)cmd.arg[1]);
	test_ask(h, &cmd);
}

static void trigger_vevent(struct host *h)
{
	struct test_cmd cmd = { .op = TRIGGER_VEVENT };

	cmd.arg[0] = id_of(h, DEVICE);
	note(h, " dev %llu", (unsigned long long)cmd.arg[0]);
	test_ask(h, &cmd);
}

/* -- accesses ---------------------------------------------------------------------------------- */

static int *an_access(struct host *h)
{
	return &h->accesses[roll(h, QUEUES)];
}

static void create_access(struct host *h)
{
	struct test_cmd cmd = { .op = CREATE_ACCESS, .id = id_of(h, IOAS) };
	int *slot = an_access(h);

	if (*slot)
		return;
	cmd.arg[0] = pair(0, flags_of(h, roll(h, 2), 1));
	note(h, " ioas %u flags %x", cmd.id, (uint32_t)(cmd.arg[0] >> 32));
	if (!test_ask(h, &cmd))
		*slot = (int)(uint32_t)cmd.arg[0];
}

static void access_close(struct host *h)
{
	int *slot = an_access(h);

	if (!*slot)
		return;
	for (unsigned int i = 0; i < IDS; i++)
		if (h->pinned[i].access == *slot)
			h->pinned[i].access = 0;
	note(h, " = %d", close(*slot));
	*slot = 0;
}

static void access_pages(struct host *h)
{
	struct test_cmd cmd = { .op = ACCESS_PAGES, .id = (uint32_t)*an_access(h) };
	uint64_t iova = an_iova(h), length = some_length(h), va = one_in(h, 3) ? an_address(h) : 0;
	uint32_t flags = flags_of(h, roll(h, 2), 1);

	if (!cmd.id)
		return;
	cmd.arg[0] = pair(flags & 0xffff, 0);
	cmd.arg[1] = iova;
	cmd.arg[2] = length;
	cmd.arg[3] = va;
	note(h, " iova %llx length %llx va %llx flags %x", (unsigned long long)iova,
	     (unsigned long long)length, (unsigned long long)va, flags);
	if (test_ask(h, &cmd))
		return;
	note(h, " item %u", (uint32_t)(cmd.arg[0] >> 32));
	for (unsigned int i = 0; i < IDS; i++)
		if (!h->pinned[i].access) {
			h->pinned[i].access = (int)cmd.id;
			h->pinned[i].item = (uint32_t)(cmd.arg[0] >> 32);
			break;
		}
}

static void destroy_access_pages(struct host *h)
{
	struct pages *pages = &h->pinned[roll(h, IDS)];
	struct test_cmd cmd = { .op = DESTROY_ACCESS_PAGES, .id = (uint32_t)pages->access };

	if (!cmd.id)
		return;
	cmd.arg[0] = one_in(h, 8) ? roll(h, 9) : pages->item;
	note(h, " item %u", (uint32_t)cmd.arg[0]);
	if (!test_ask(h, &cmd))
		pages->access = 0;
}

static void access_rw(struct host *h)
{
	uint8_t buffer[4096 * 2];
	struct test_cmd cmd = { .op = ACCESS_RW, .id = (uint32_t)*an_access(h) };
	uint64_t sum = 0;
	uint32_t write;

	if (!cmd.id)
		return;
	memset(buffer, (int)roll(h, 256), sizeof(buffer));
	cmd.arg[0] = an_iova(h);
	if (one_in(h, 2))
		cmd.arg[0] += roll(h, 4096);
	cmd.arg[1] = roll(h, sizeof(buffer));
	cmd.arg[2] = one_in(h, 30) ? HOLE_START : (uintptr_t)buffer;
	write = roll(h, 2);
	cmd.arg[3] = flags_of(h, write | (one_in(h, 2) ? 4 : 0), 5) & 0xffff;
	note(h, " iova %llx length %llx flags %llx", (unsigned long long)cmd.arg[0],
	     (unsigned long long)cmd.arg[1], (unsigned long long)cmd.arg[3]);
	test_ask(h, &cmd);
	for (unsigned int i = 0; i < sizeof(buffer); i++)
		sum = sum * 31 + buffer[i];
	note(h, " data %llx", (unsigned long long)sum);
}

static void access_replace(struct host *h)
{
	struct test_cmd cmd = { .op = ACCESS_REPLACE_IOAS, .id = (uint32_t)*an_access(h) };

	if (!cmd.id)
		return;
	cmd.arg[0] = id_of(h, IOAS);
	note(h, " ioas %llu", (unsigned long long)cmd.arg[0]);
	test_ask(h, &cmd);
}

static void memory_limit(struct host *h)
{
	struct test_cmd cmd = { .op = MEMORY_LIMIT };

	cmd.arg[0] = one_in(h, 3) ? roll(h, 12) : 65536;
	note(h, " %llu", (unsigned long long)cmd.arg[0]);
	test_ask(h, &cmd);
}

static void dmabuf(struct host *h)
{
	struct test_cmd cmd = { .op = DMABUF_GET };
	long rc;

	if (!h->dmabuf) {
		cmd.arg[0] = pair((1 + roll(h, 4)) * (uint32_t)PAGE, 02000002);
		rc = test_fd(h, &cmd);
		if (rc > 0)
			h->dmabuf = (int)rc;
		return;
	}
	if (one_in(h, 4)) {
		note(h, " = %d", close(h->dmabuf));
		h->dmabuf = 0;
		return;
	}
	cmd.op = DMABUF_REVOKE;
	cmd.arg[0] = pair((uint32_t)h->dmabuf, roll(h, 2));
	note(h, " revoked %u", (uint32_t)(cmd.arg[0] >> 32));
	test_ask(h, &cmd);
}

const struct op test_ops[] = {
	{ "mock_domain", 24, mock_domain },
	{ "domain_replace", 40, domain_replace },
	{ "pasid", 50, pasid },
	{ "add_reserved", 4, add_reserved },
	{ "check_map", 16, check_map },
	{ "check_refs", 12, check_refs },
	{ "dirty", 12, dirty },
	{ "check_iotlb", 12, check_iotlb },
	{ "check_cache", 12, check_cache },
	{ "trigger_iopf", 20, trigger_iopf },
	{ "trigger_vevent", 20, trigger_vevent },
	{ "create_access", 12, create_access },
	{ "access_close", 4, access_close },
	{ "access_pages", 24, access_pages },
	{ "destroy_access_pages", 16, destroy_access_pages },
	{ "access_rw", 24, access_rw },
	{ "access_replace", 6, access_replace },
	{ "memory_limit", 2, memory_limit },
	{ "dmabuf", 6, dmabuf },
	{ NULL, 0, NULL },
};
