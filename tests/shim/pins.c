/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * R6.1, R6.2. What is mapped stays what it was for a device, whatever the program does to its own
 * mapping of it; and memory that is mapped later in the same place is other memory. Needs mock
 * hardware, which lets a program read through an IOAS.
 */
#include <sys/mman.h>

#include "client.h"
#include "kernel/iommufd/mock/uapi.h"

#define PAGE 4096u
#define LEN (8 * PAGE)
#define IOVA 0x1000000ull

static int fd;
static uint32_t ioas, access_fd;

static int test_cmd(struct iommu_test_cmd *cmd)
{
	cmd->size = sizeof(*cmd);
	return ioctl(fd, IOMMU_TEST_CMD, cmd);
}

static int set_up(void)
{
	struct iommu_ioas_alloc alloc = {.size = sizeof(alloc)};
	struct iommu_test_cmd domain = {.op = IOMMU_TEST_OP_MOCK_DOMAIN};
	struct iommu_test_cmd access = {.op = IOMMU_TEST_OP_CREATE_ACCESS};

	fd = open("/dev/iommu", O_RDWR);
	CHECK(fd >= 0 && !ioctl(fd, IOMMU_IOAS_ALLOC, &alloc));
	ioas = domain.id = access.id = alloc.out_ioas_id;
	CHECK(!test_cmd(&domain) && !test_cmd(&access));
	access_fd = access.create_access.out_access_fd;
	return 0;
}

static int map(const void *at, uint64_t iova)
{
	struct iommu_ioas_map cmd = {.size = sizeof(cmd),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE |
			 IOMMU_IOAS_MAP_WRITEABLE,
		.ioas_id = ioas,
		.user_va = (uintptr_t)at,
		.length = LEN,
		.iova = iova};

	return ioctl(fd, IOMMU_IOAS_MAP, &cmd);
}

/* Every byte that a device reads of the mapping. */
static bool device_sees(uint64_t iova, uint8_t value)
{
	static uint8_t data[LEN];
	struct iommu_test_cmd cmd = {.op = IOMMU_TEST_OP_ACCESS_RW,
		.id = access_fd,
		.access_rw = {.iova = iova, .length = LEN, .uptr = (uintptr_t)data}};

	memset(data, ~value, sizeof(data));
	if (test_cmd(&cmd))
		return false;
	for (size_t i = 0; i < LEN; i++)
		if (data[i] != value)
			return false;
	return true;
}

static uint8_t *memory(void *at, int flags, uint8_t value)
{
	uint8_t *p = mmap(at, LEN, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | flags, -1, 0);

	if (p != MAP_FAILED)
		memset(p, value, LEN);
	return p;
}

/* Unmapped, and other memory put there. */
static int unmapped(int flags)
{
	uint8_t *p = memory(NULL, flags, 0x5a);

	CHECK(p != MAP_FAILED && !set_up() && !map(p, IOVA));
	CHECK(device_sees(IOVA, 0x5a));
	CHECK(!munmap(p, LEN));
	CHECK(device_sees(IOVA, 0x5a));
	CHECK(map(p, IOVA + 2 * LEN) && errno == EFAULT);
	CHECK(memory(p, flags | MAP_FIXED, 0xa5) == p);
	CHECK(!map(p, IOVA + 2 * LEN));
	CHECK(device_sees(IOVA, 0x5a) && device_sees(IOVA + 2 * LEN, 0xa5));
	memset(p, 0x11, LEN);
	CHECK(device_sees(IOVA, 0x5a) && device_sees(IOVA + 2 * LEN, 0x11));
	return 0;
}

static int unmapped_private(void)
{
	return unmapped(MAP_PRIVATE);
}

static int unmapped_shared(void)
{
	return unmapped(MAP_SHARED);
}

static int overlaid(void)
{
	uint8_t *p = memory(NULL, MAP_PRIVATE, 0x5a);

	CHECK(p != MAP_FAILED && !set_up() && !map(p, IOVA));
	CHECK(memory(p, MAP_PRIVATE | MAP_FIXED, 0x33) == p);
	CHECK(device_sees(IOVA, 0x5a) && p[0] == 0x33);
	return 0;
}

static int dropped(void)
{
	uint8_t *p = memory(NULL, MAP_PRIVATE, 0x5a);

	CHECK(p != MAP_FAILED && !set_up() && !map(p, IOVA));
	CHECK(!madvise(p, LEN, MADV_DONTNEED));
	CHECK(p[0] == 0 && p[LEN - 1] == 0);
	memset(p, 0x44, LEN);
	CHECK(device_sees(IOVA, 0x5a));
	return 0;
}

/* Moved memory is the same memory: both sides go on seeing it. */
static int moved(void)
{
	uint8_t *p = memory(NULL, MAP_PRIVATE, 0x5a), *q;

	CHECK(p != MAP_FAILED && !set_up() && !map(p, IOVA));
	q = mremap(p, LEN, LEN, MREMAP_MAYMOVE | MREMAP_FIXED, p + (64 << 20));
	CHECK(q == p + (64 << 20));
	memset(q, 0x77, LEN);
	CHECK(device_sees(IOVA, 0x77));
	return 0;
}

static int bad_pointers(void)
{
	int iommu = open("/dev/iommu", O_RDWR);

	CHECK(ioctl(iommu, IOMMU_IOAS_ALLOC, NULL) && errno == EFAULT);
	CHECK(ioctl(iommu, IOMMU_IOAS_ALLOC, (void *)8) && errno == EFAULT);
	CHECK(ioctl(iommu, IOMMU_IOAS_ALLOC, (void *)~7ul) && errno == EFAULT);
	return 0;
}

int main(void)
{
	static const struct client_test tests[] = {
		{"private memory outlives munmap", unmapped_private},
		{"shared memory outlives munmap", unmapped_shared},
		{"what is overlaid stays the device's", overlaid},
		{"what is dropped stays the device's", dropped},
		{"what is moved is followed", moved},
		{"a bad pointer is EFAULT", bad_pointers},
	};

	return client_main(tests, sizeof(tests) / sizeof(tests[0]));
}
