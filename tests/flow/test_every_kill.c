/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * R3.3: the VMMs die before every step of every flow, and at its end. Whatever a hostile host, guest or
 * device had done by then: no client's object is left, nothing is mapped, no function is bound, and
 * none quarantined unless the flow injected a fault or pulled the device out; then what the firmware
 * still has of it keeps its VM, until a reset. The flows are the arguments. Steps of a phase are the
 * life cycles', which die in test_orders.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check/check.h"
#include "flow/parse.h"
#include "kernel/pci/pci.h"
#include "kernel/tsm/tsm.h"

/* What only a client's descriptors keep alive. */
static const enum image_type owned[] = {
	IMAGE_TYPE_FILE, IMAGE_TYPE_IOMMUFD, IMAGE_TYPE_IOMMUFD_OBJ, IMAGE_TYPE_IOPT_AREA,
	IMAGE_TYPE_IOPT_PAGES, IMAGE_TYPE_IOASID, IMAGE_TYPE_VFIO_FILE, IMAGE_TYPE_DMABUF,
	IMAGE_TYPE_DMABUF_ATTACH, IMAGE_TYPE_KVM, IMAGE_TYPE_KVM_VCPU, IMAGE_TYPE_KVM_SLOT,
	IMAGE_TYPE_KVM_TD, IMAGE_TYPE_GUEST_MEMFD, IMAGE_TYPE_MEMFD, IMAGE_TYPE_EVENTFD,
};

static unsigned int kills, failures;

__attribute__((format(printf, 3, 4)))
static void unclean(const char *path, uint32_t step, const char *format, ...)
{
	va_list args;

	printf("%s, killed before step %u: ", path, step);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	failures++;
}

/* A fault was injected, by a step before this one or in it. */
static bool fault_before(uint32_t last)
{
	static const char *const faults[] = { "inject-", "unplug", "stream-fail" };
	uint32_t count;
	const struct flow_step *steps = flow_steps(&count);

	for (uint32_t i = 0; i < count && (!last || steps[i].number <= last); i++)
		for (uint32_t j = 0; j < steps[i].count; j++)
			for (unsigned int k = 0; k < sizeof(faults) / sizeof(faults[0]); k++)
				if (!strncmp(flow_actions(&steps[i])[j].verb, faults[k],
					     strlen(faults[k])))
					return true;
	return false;
}

/* True when a function is quarantined, and may be. */
static bool functions_check(const char *path, uint32_t step)
{
	bool kept = false;
	uint16_t rid = 0;

	for (const struct pci_dev *pdev = pci_dev_next(&rid); pdev;
	     rid++, pdev = pci_dev_next(&rid)) {
		const char *cause = NULL;
		bool quarantined = pci_tsm_quarantined(pdev, &cause);

		if (quarantined && !fault_before(step))
			unclean(path, step, "%x is quarantined: %s", rid, cause);
		if (!quarantined && pci_tsm_bound(pdev))
			unclean(path, step, "%x is still bound", rid);
		kept |= quarantined;
	}
	return kept;
}

static void check_clean(const char *path, uint32_t step)
{
	char why[200] = "";
	bool kept;

	image_enter();
	if (image_verify(why, sizeof(why)))
		unclean(path, step, "%s", why);
	kept = functions_check(path, step);
	for (unsigned int i = 0; !kept && i < sizeof(owned) / sizeof(owned[0]); i++)
		if (image_live(owned[i]))
			unclean(path, step, "%s: %llu live", image_type_name(owned[i]),
				(unsigned long long)image_live(owned[i]));
	if (check_run())
		unclean(path, step, "an invariant is violated");
	image_leave();
}

static void kill_here(const char *path, uint32_t step)
{
	flow_vmm_kill(0);
	flow_vmm_kill(1);
	kills++;
	check_clean(path, step);
}

static void kill_and_back(const char *path, uint32_t step)
{
	image_mark mark = image_snapshot();

	if (!mark) {
		unclean(path, step, "no snapshot");
		return;
	}
	kill_here(path, step);
	image_restore(mark);
	image_release(mark);
}

static bool has_bug(const struct mutant_set *planted)
{
	static const struct mutant_set none;

	return memcmp(planted, &none, sizeof(none));
}

static void flow_try(const char *path)
{
	static char text[1 << 18];
	FILE *file = fopen(path, "r");
	size_t n = file ? fread(text, 1, sizeof(text) - 1, file) : 0;
	struct flow_error error;
	struct flow_state state;

	if (file)
		fclose(file);
	text[n] = '\0';
	if (!n || flow_start(text, path, &error)) {
		unclean(path, 0, "it does not start");
		return;
	}
	flow_state(&state);
	if (has_bug(&state.settings.mutants)) {
		image_detach();
		return;
	}
	for (; state.step; flow_state(&state)) {
		if (flow_step_find(state.step)->phase == PHASE_NONE)
			kill_and_back(path, state.step);
		flow_run_step();
	}
	kill_here(path, 0);
	image_detach();
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		flow_try(argv[i]);
	printf("%u simulated kills in %d flows, one before each step; %u left something\n", kills, argc - 1,
	       failures);
	return failures || argc == 1;
}
