/* SPDX-License-Identifier: BSD-2-Clause */
/* R6.2, R6.5: errno by errno, on the simulated kernel. */
#include "cases.h"
#include "setup.h"
#include "swtio/uapi/vfio_type1.h"

static long client_ioctl(void *ctx, unsigned int cmd, uint64_t arg)
{
	return sys_ioctl(task, *(int *)ctx, cmd, arg);
}

static void run_sequence(void **state)
{
	const struct sequence *sequence = *state;
	int fd = iommu_open();
	const struct client client = { client_ioctl, &fd };
	const char *why = sequence_run(sequence, &client);

	if (why)
		fail_msg("%s", why);
	assert_int_equal(sys_close(task, fd), 0);
	assert_int_equal(image_live(IMAGE_TYPE_IOMMUFD) + image_live(IMAGE_TYPE_IOMMUFD_OBJ), 0);
	assert_int_equal(image_live(IMAGE_TYPE_IOPT_AREA) + image_live(IMAGE_TYPE_IOPT_PAGES) +
			 image_live(IMAGE_TYPE_IOPT_TREE), 0);
}

static int sequence_up(void **state)
{
	void *none = NULL;
	int rc = host_up(&none);

	(void)state;
	host_options(false, true);	/* as the kernel the values were seen on, with its mock */
	return rc;
}

/* R6.5: what is ours is not there in strict mode, down to the EFAULT before ENOTTY. */
static void r6_5_strict_table_ends(void **state)
{
	struct iommu_vdevice_tsm_op op = { .size = sizeof(op), .type = IOMMU_VDEVICE_TSM_BIND };
	int fd = iommu_open();

	(void)state;
	assert_int_equal(sys_ioctl(task, fd, IOMMU_VDEVICE_TSM_OP, (uintptr_t)&op), -ENOTTY);
	assert_int_equal(sys_ioctl(task, fd, IOMMU_VDEVICE_TSM_OP, 0), -ENOTTY);
	assert_int_equal(sys_ioctl(task, fd, IOMMU_VDEVICE_TSM_REQ, 0), -ENOTTY);
	host_options(false, true);	/* the mock's number lies above: a hole in the table */
	assert_int_equal(sys_ioctl(task, fd, IOMMU_VDEVICE_TSM_OP, (uintptr_t)&op), -ENOTTY);
	assert_int_equal(sys_ioctl(task, fd, IOMMU_VDEVICE_TSM_OP, 0), -EFAULT);
	host_options(true, false);
	assert_int_equal(sys_ioctl(task, fd, IOMMU_VDEVICE_TSM_OP, 0), -EFAULT);
	assert_int_equal(sys_ioctl(task, fd, IOMMU_VDEVICE_TSM_OP, (uintptr_t)&op), -ENOENT);
	assert_int_equal(sys_ioctl(task, fd, _IO(';', 0x97), 0), -ENOTTY);
}

static void fault_queue_file(void **state)
{
	struct iommu_fault_alloc args = { .size = sizeof(args) };
	struct iommu_hwpt_page_response response = { .code = 0 };
	uint8_t buffer[80];
	int fd = iommu_open(), queue;

	(void)state;
	assert_int_equal(sys_ioctl(task, fd, IOMMU_FAULT_QUEUE_ALLOC, (uintptr_t)&args), 0);
	queue = (int)args.out_fault_fd;
	assert_int_equal(sys_read(task, queue, buffer, 40), 0);
	assert_int_equal(sys_read(task, queue, buffer, 39), -ESPIPE);
	assert_int_equal(sys_read(task, queue, buffer, 0), 0);
	assert_int_equal(sys_pread(task, queue, buffer, 40, 40), -ESPIPE);
	assert_int_equal(sys_write(task, queue, &response, 8), -EINVAL);
	assert_int_equal(sys_write(task, queue, &response, 7), -ESPIPE);
	assert_int_equal(sys_write(task, queue, &response, 0), 0);
	assert_int_equal(sys_write(task, queue, (const void *)8, 8), -EFAULT);
	assert_int_equal(destroy(fd, args.out_fault_id), -EBUSY);
	/* The queue keeps the context alive. */
	assert_int_equal(sys_close(task, fd), 0);
	assert_int_equal(image_live(IMAGE_TYPE_IOMMUFD), 1);
	assert_int_equal(sys_close(task, queue), 0);
	assert_int_equal(image_live(IMAGE_TYPE_IOMMUFD) + image_live(IMAGE_TYPE_IOMMUFD_OBJ), 0);
}

/* GET_INFO byte for byte as seen on Linux: a capability is there when it fits. */
static void r6_2_type1_info(void **state)
{
	static const uint8_t whole[72] = {
		72, 0, 0, 0, 3, 0, 0, 0, 0, 0xf0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 24,   0,
		0,  0, 0, 0, 0, 0, 3, 0, 1, 0,	  40,	0,    0,    0,	  0xff, 0xff, 0xff, 0xff,
		0,  0, 0, 0, 1, 0, 1, 0, 0, 0,	  0,	0,    1,    0,	  0,	0,    0,    0,
		0,  0, 0, 0, 0, 0, 0, 0, 0, 0,	  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	};
	/* What the client says it has room for, and how much of `whole` it then gets. */
	static const struct { uint32_t argsz, len; bool caps, linked; } cases[] = {
		{ 16, 16, false, false }, { 24, 24, false, false }, { 36, 36, false, false },
		{ 48, 36, false, true }, { 72, 72, true, true }, { 128, 72, true, true },
	};
	int fd = iommu_open();

	(void)state;
	assert_int_equal(ioas_alloc(fd), 1);
	assert_int_equal(
		CALL(fd, IOMMU_VFIO_IOAS, iommu_vfio_ioas, .ioas_id = 1, .op = IOMMU_VFIO_IOAS_SET),
		0);
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t buffer[128] = { 0 }, expected[128] = { 0 };

		memcpy(buffer, &cases[i].argsz, sizeof(cases[i].argsz));
		memcpy(expected, whole, cases[i].len);
		if (!cases[i].caps && cases[i].len > 16)
			expected[16] = 0;
		if (!cases[i].linked && cases[i].len > 28)
			expected[28] = 0;
		assert_int_equal(sys_ioctl(task, fd, VFIO_IOMMU_GET_INFO, (uintptr_t)buffer), 0);
		assert_memory_equal(buffer, expected, sizeof(buffer));
	}
}

int main(void)
{
	struct CMUnitTest tests[32] = {
		cmocka_unit_test_setup_teardown(r6_5_strict_table_ends, host_up, host_down),
		cmocka_unit_test_setup_teardown(fault_queue_file, host_up, host_down),
		cmocka_unit_test_setup_teardown(r6_2_type1_info, host_up, host_down),
	};
	unsigned int n = 3;

	for (unsigned int i = 0; i < sequence_count && n < 32; i++)
		tests[n++] =
			(struct CMUnitTest){ .name = sequences[i].name,
					     .test_func = run_sequence,
					     .setup_func = sequence_up,
					     .teardown_func = host_down,
					     .initial_state = (void *)(uintptr_t)&sequences[i] };
	return _cmocka_run_group_tests("errno", tests, n, NULL, NULL);
}
