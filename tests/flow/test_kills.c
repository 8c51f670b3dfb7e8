/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * R3.3: processes killed for real, at random, inside kernel calls. A child plays the VMM's life on the
 * shared image and dies by SIGKILL; the parent takes the lock over, closes what the dead process had,
 * and the image verifies, nothing leaks, the device is unlocked and can be used again.
 * SWTIO_KILLS sets how many die (default 150).
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "check/check.h"
#include "device/device.h"
#include "flow/flow.h"
#include "kernel/pci/pci.h"
#include "kernel/tsm/tsm.h"

#define VF 0x101
#define FIRST_STEP 2u		/* after connect */

static const enum image_type leaks[] = {
	IMAGE_TYPE_FILE, IMAGE_TYPE_IOMMUFD, IMAGE_TYPE_IOMMUFD_OBJ, IMAGE_TYPE_IOPT_AREA, IMAGE_TYPE_IOPT_PAGES,
	IMAGE_TYPE_VFIO_FILE, IMAGE_TYPE_DMABUF, IMAGE_TYPE_DMABUF_ATTACH, IMAGE_TYPE_KVM, IMAGE_TYPE_KVM_VCPU,
	IMAGE_TYPE_KVM_SLOT, IMAGE_TYPE_GUEST_MEMFD, IMAGE_TYPE_MEMFD, IMAGE_TYPE_EVENTFD, IMAGE_TYPE_GUEST,
};
#define LEAKS (sizeof(leaks) / sizeof(leaks[0]))
static uint64_t baseline[LEAKS];

static char text[1 << 18];

static void workload_cut(void)
{
	char *from = strstr(text, "\nstep 32"), *to = from ? strstr(from + 1, "\nstep ") : NULL;
	char *end = strstr(text, "\nstep 52");

	if (to)
		memmove(from, to, strlen(to) + 1);
	end = strstr(text, "\nstep 52");
	if (end)
		end[1] = '\0';
}

static int setup(void **state)
{
	const char *path = getenv("SWTIO_FLOW");
	FILE *file = path ? fopen(path, "r") : NULL;
	struct flow_error error;

	(void)state;
	if (!file || !fread(text, 1, sizeof(text) - 1, file))
		return -1;
	fclose(file);
	workload_cut();
	if (flow_start(text, &error) || flow_run_step() != 1)
		return -1;
	for (size_t i = 0; i < LEAKS; i++)
		baseline[i] = image_live(leaks[i]);
	return 0;
}

static void child_life(void)
{
	for (;;) {
		while (flow_run_step() > 0)
			;
		flow_rewind(FIRST_STEP);
	}
}

static void kill_one(unsigned int *seed)
{
	struct timespec nap = { .tv_nsec = rand_r(seed) % 9000000 };
	pid_t child = fork();

	if (!child) {
		child_life();
		_exit(0);
	}
	assert_true(child > 0);
	nanosleep(&nap, NULL);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

static void assert_clean(unsigned int round)
{
	const struct pci_dev *pdev;
	const char *cause = NULL;
	struct tdi_view view;
	char why[200] = "";

	assert_int_equal(image_enter(), 0);
	if (image_verify(why, sizeof(why)))
		fail_msg("round %u: %s", round, why);
	for (size_t i = 0; i < LEAKS; i++)
		if (image_live(leaks[i]) != baseline[i])
			fail_msg("round %u: %s: %llu live, %llu before", round, image_type_name(leaks[i]),
				 (unsigned long long)image_live(leaks[i]), (unsigned long long)baseline[i]);
	pdev = pci_dev_find(VF);
	assert_non_null(pdev);
	if (pci_tsm_quarantined(pdev, &cause))
		fail_msg("round %u: quarantined: %s", round, cause);
	assert_false(pci_tsm_bound(pdev));
	assert_int_equal(device_tdi_view(VF, &view), 0);
	assert_int_equal(view.state, TDISP_UNLOCKED);
	image_leave();
}

static void test_r3_3_real_kills_leave_nothing(void **state)
{
	const char *count = getenv("SWTIO_KILLS");
	unsigned int kills = count ? (unsigned int)atoi(count) : 150, seed = 7;
	struct flow_state flow;

	(void)state;
	for (unsigned int round = 0; round < kills; round++) {
		kill_one(&seed);
		flow_vmm_kill(0);
		assert_clean(round);
		assert_int_equal(flow_rewind(FIRST_STEP), 0);
		if (round % 50 != 49)
			continue;
		while (flow_run_step() > 0)
			;
		flow_state(&flow);
		if (flow.failures)
			fail_msg("round %u: the next VM cannot use the device: %s", round, flow.first.text);
		flow_vmm_kill(0);
		assert_int_equal(flow_rewind(FIRST_STEP), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_r3_3_real_kills_leave_nothing) };

	return cmocka_run_group_tests_name("kills", tests, setup, NULL);
}
