/* SPDX-License-Identifier: BSD-2-Clause */
/* The mailbox as a requester sees it, register by register (PCIe 6.x 6.30). */
#include "machine.h"

#define CONTROL 0x08
#define STATUS 0x0c
#define WRITE 0x10
#define READ 0x14
#define ABORT 0x00000001u
#define GO 0x80000000u
#define BUSY 0x00000001u
#define ERROR 0x00000004u
#define READY 0x80000000u

static uint32_t reg(unsigned int r)
{
	return config_read(EP, ep->cap_doe + r, 4);
}

static void reg_write(unsigned int r, uint32_t value)
{
	config_write(EP, ep->cap_doe + r, 4, value);
}

static void send(const uint32_t *dw, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		reg_write(WRITE, dw[i]);
	reg_write(CONTROL, GO);
}

static unsigned int receive(uint32_t *dw, unsigned int room)
{
	unsigned int count = 0;

	for (; count < room && reg(STATUS) & READY; count++) {
		dw[count] = reg(READ);
		reg_write(READ, 0);
	}
	return count;
}

static void test_exchange(void **state)
{
	static const uint32_t request[] = { 0x00010001, 4, 0x44332211, 0x88776655 };
	uint32_t answer[8];
	uint64_t before = image_clock();

	(void)state;
	assert_int_equal(reg(STATUS), 0);
	send(request, 4);
	assert_int_equal(reg(STATUS), READY);
	assert_true(image_clock() > before);
	assert_int_equal(reg(READ), 0x00010001);
	assert_int_equal(reg(READ), 0x00010001);		/* reading alone does not pop */
	assert_int_equal(receive(answer, 8), 4);
	assert_int_equal(answer[1], 4);
	assert_int_equal(answer[2], 0x44332211);
	assert_int_equal(answer[3], 0x77776655); /* the model turned the last byte over */
	assert_int_equal(reg(STATUS), 0);
	assert_int_equal(seen.written, 0); /* mailbox traffic is not configuration */
	send(request, 4);					/* and again */
	assert_int_equal(receive(answer, 8), 4);
}

static void test_discovery(void **state)
{
	static const uint32_t expected[] = { 0x01000001, 0x02010001, 0x00020001 };
	uint32_t request[] = { 0x00000001, 3, 0 }, answer[8];

	(void)state;
	for (uint32_t index = 0; index < 3; index++) {
		request[2] = index;
		send(request, 3);
		assert_int_equal(receive(answer, 8), 3);
		assert_int_equal(answer[0], 0x00000001);
		assert_int_equal(answer[1], 3);
		assert_int_equal(answer[2], expected[index]);
	}
	request[2] = 3;						/* beyond the last */
	send(request, 3);
	assert_int_equal(receive(answer, 8), 3);
	assert_int_equal(answer[2], 0x0000ffff);
}

static void expect_silence(const uint32_t *dw, unsigned int count)
{
	static const uint32_t good[] = { 0x00010001, 3, 7 };
	uint32_t answer[4];

	send(dw, count);
	assert_int_equal(reg(STATUS), 0);
	send(good, 3);						/* the mailbox still works */
	assert_int_equal(receive(answer, 4), 3);
}

static void test_silent_drops(void **state)
{
	(void)state;
	expect_silence((uint32_t[]){ 0x00010001, 4, 7 }, 3);	/* says 4, is 3 */
	expect_silence((uint32_t[]){ 0x00010001, 2, 7 }, 3);
	expect_silence((uint32_t[]){ 0x00010001, 0, 7 }, 3);	/* 0 means 2^18 */
	expect_silence((uint32_t[]){ 0x00030001, 3, 7 }, 3);	/* type not spoken */
	expect_silence((uint32_t[]){ 0x00018086, 3, 7 }, 3);	/* another vendor's */
	expect_silence((uint32_t[]){ 0x00010001 }, 1);		/* half a header */
	expect_silence(NULL, 0);
	expect_silence((uint32_t[]){ 0x00000001, 2 }, 2);	/* discovery without index */
	doe_rc = -ENOMSG;
	send((uint32_t[]){ 0x00010001, 3, 7 }, 3);		/* the device has nothing to say */
	assert_int_equal(reg(STATUS), 0);
}

static void test_underflow_and_abort(void **state)
{
	(void)state;
	assert_int_equal(reg(READ), 0);
	reg_write(READ, 0);					/* pops nothing */
	assert_int_equal(reg(STATUS), ERROR);
	send((uint32_t[]){ 0x00010001, 3, 7 }, 3);
	assert_int_equal(reg(STATUS), ERROR);			/* stays until Abort */
	reg_write(CONTROL, ABORT);
	assert_int_equal(reg(STATUS), 0);
	send((uint32_t[]){ 0x00010001, 3, 7 }, 3);
	assert_int_equal(reg(STATUS), READY);
	reg_write(CONTROL, GO);					/* answer not taken */
	assert_int_equal(reg(STATUS), READY | ERROR);
	reg_write(CONTROL, ABORT);
	assert_int_equal(reg(STATUS), 0);
	assert_int_equal(reg(READ), 0);
}

static void test_abort_forgets_request(void **state)
{
	uint32_t answer[4];

	(void)state;
	reg_write(WRITE, 0x00010001);
	reg_write(WRITE, 9);
	reg_write(CONTROL, ABORT);
	send((uint32_t[]){ 0x00010001, 3, 7 }, 3);
	assert_int_equal(receive(answer, 4), 3);
}

static void test_overflow(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < DOE_MAX_OBJECT / 4; i++)
		reg_write(WRITE, i);
	assert_int_equal(reg(STATUS), 0);
	reg_write(WRITE, 0);
	assert_int_equal(reg(STATUS), ERROR);
}

static void test_reset_aborts(void **state)
{
	(void)state;
	send((uint32_t[]){ 0x00010001, 3, 7 }, 3);
	function_reset(ep, RESET_FLR);
	assert_int_equal(reg(STATUS), 0);
	assert_int_equal(config_read(EP, ep->cap_doe, 2), 0x002e);
}

static void test_injected_faults(void **state)
{
	static const uint32_t request[] = { 0x00010001, 4, 0x44332211, 0x88776655 };
	uint32_t answer[8];

	(void)state;
	assert_int_equal(doe_inject(0x0500, DOE_FAULT_ERROR, 1), -ENOENT);
	assert_int_equal(doe_inject(EP, (enum doe_fault)9, 1), -EINVAL);
	assert_int_equal(doe_inject(EP, DOE_FAULT_TIMEOUT, 1), 0);
	send(request, 4);
	assert_int_equal(reg(STATUS), BUSY);
	reg_write(WRITE, 1);					/* while Busy */
	assert_int_equal(reg(STATUS), BUSY | ERROR);
	reg_write(CONTROL, ABORT);
	assert_int_equal(reg(STATUS), 0);
	assert_int_equal(doe_inject(EP, DOE_FAULT_TRUNCATE, 1), 0);
	send(request, 4);
	assert_int_equal(receive(answer, 8), 3);		/* header still says 4 */
	assert_int_equal(answer[1], 4);
	assert_int_equal(doe_inject(EP, DOE_FAULT_CORRUPT, 1), 0);
	send(request, 4);
	assert_int_equal(receive(answer, 8), 4);
	assert_true(answer[2] != 0x44332211 || answer[3] != 0x77776655);
	assert_int_equal(doe_inject(EP, DOE_FAULT_ERROR, 2), 0);
	for (unsigned int i = 0; i < 2; i++) {
		send(request, 4);
		assert_int_equal(reg(STATUS), ERROR);
		reg_write(CONTROL, ABORT);
	}
	send(request, 4);					/* they are used up */
	assert_int_equal(receive(answer, 8), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_exchange, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_discovery, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_silent_drops, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_underflow_and_abort, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_abort_forgets_request, machine_up,
						machine_down),
		cmocka_unit_test_setup_teardown(test_overflow, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_reset_aborts, machine_up, machine_down),
		cmocka_unit_test_setup_teardown(test_injected_faults, machine_up, machine_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
