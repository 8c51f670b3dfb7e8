/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * R6.2: one process's threads map, unmap, attach and translate at the same time, all on the same two
 * I/O address spaces and devices. Each page of I/O addresses is one thread's, and leads to one page
 * of memory in each of the spaces, so that every answer can be checked: what its thread has mapped
 * is there, what it has unmapped is not, and nobody is ever led to another's page.
 */
#include <pthread.h>

#include "hardware/tlp.h"
#include "stress.h"

#define MAPPERS 4u
#define ATTACHERS 2u
#define TRANSLATORS 2u
#define SPACES 2u
#define SLOTS 64u		/* pages of each mapper in each space */
#define BASE 0x10000000ull

static const struct task *task;
static int iommufd, devices[ATTACHERS];
static const uint16_t rids[ATTACHERS] = { STRESS_VFIO0, STRESS_VFIO1 };
static uint32_t spaces[SPACES];
static uint64_t memory[SPACES];
static double until;

struct worker {
	pthread_t thread;
	unsigned int number;
	uint32_t seed;
	uint64_t calls, reached;	/* translations that led somewhere */
};

static uint64_t slot_iova(unsigned int mapper, unsigned int slot)
{
	return BASE + (mapper * SLOTS + slot) * PHYS_PAGE;
}

static uint64_t slot_va(unsigned int space, uint64_t iova)
{
	return memory[space] + (iova - BASE);
}

/* Where the device's DMA ends: 0 nowhere. */
static uint64_t target(unsigned int device, uint64_t iova)
{
	const struct tlp tlp = { .type = TLP_MEM_WRITE, .rid = rids[device], .pasid = TLP_NO_PASID,
				 .stream = TLP_NO_STREAM, .address = iova, .len = 8 };
	struct pt_leaf leaf;
	uint32_t owner = 0;

	if (iommu_translate(&tlp, &leaf, &owner) != TLP_SC)
		return 0;
	return leaf.hpa + (iova - leaf.address);
}

static uint64_t page_of(unsigned int space, uint64_t iova)
{
	uint64_t run;

	return user_page(task, slot_va(space, iova), PHYS_PAGE, true, &run);
}

/* Which of the spaces a device is attached to; SPACES: to none. */
static unsigned int space_of(unsigned int device)
{
	const struct iommufd_device *idev = iommufd_device_of(pci_dev_find(rids[device]));
	const struct iommufd_hwpt *hwpt = iommufd_attached_hwpt(idev, TLP_NO_PASID);

	for (unsigned int space = 0; hwpt && space < SPACES; space++)
		if (hwpt->ioas->obj.id == spaces[space])
			return space;
	return SPACES;
}

/* Of a page that the asking thread alone maps. */
static void check_slot(unsigned int space, uint64_t iova, bool mapped)
{
	must(!image_enter());
	for (unsigned int device = 0; device < ATTACHERS; device++)
		if (space_of(device) == space)
			must(target(device, iova) == (mapped ? page_of(space, iova) : 0));
	image_leave();
}

static void *mapper(void *arg)
{
	struct worker *self = arg;
	bool mapped[SPACES][SLOTS] = { 0 };

	while (stress_now() < until) {
		unsigned int space = stress_roll(&self->seed, SPACES);
		unsigned int slot = stress_roll(&self->seed, SLOTS);
		uint64_t iova = slot_iova(self->number, slot);
		long rc = mapped[space][slot]
				  ? stress_unmap(task, iommufd, spaces[space], iova, PHYS_PAGE)
				  : stress_map(task, iommufd, spaces[space],
					       slot_va(space, iova), PHYS_PAGE, iova);

		must(!rc);
		mapped[space][slot] = !mapped[space][slot];
		check_slot(space, iova, mapped[space][slot]);
		self->calls++;
	}
	return NULL;
}

static void *attacher(void *arg)
{
	struct worker *self = arg;
	int device = devices[self->number];

	for (; stress_now() < until; self->calls++) {
		uint32_t space = spaces[stress_roll(&self->seed, SPACES)];

		must(!stress_attach(task, device, space));
		if (!stress_roll(&self->seed, 4))
			must(!stress_detach(task, device));
	}
	return NULL;
}

static void *translator(void *arg)
{
	struct worker *self = arg;

	for (; stress_now() < until; self->calls++) {
		unsigned int device = stress_roll(&self->seed, ATTACHERS), space;
		uint64_t iova = slot_iova(stress_roll(&self->seed, MAPPERS),
					  stress_roll(&self->seed, SLOTS)), hpa;

		must(!image_enter());
		hpa = target(device, iova);
		space = space_of(device);
		must(!hpa || (space < SPACES && hpa == page_of(space, iova)));
		image_leave();
		self->reached += hpa != 0;
	}
	return NULL;
}

static void everything_goes(void)
{
	must(!image_enter());
	task_exit(task);
	stress_whole();
	must(!image_live(IMAGE_TYPE_IOPT_PAGES) && !image_live(IMAGE_TYPE_IOPT_AREA) &&
	     !image_live(IMAGE_TYPE_IOPT_TREE) && !image_live(IMAGE_TYPE_IOMMUFD_OBJ) &&
	     !image_live(IMAGE_TYPE_IOMMUFD) && !image_live(IMAGE_TYPE_FILE));
	image_leave();
}

static void test_r6_2_threads_of_one_process(void **state)
{
	static const struct { void *(*run)(void *arg); unsigned int count; } kinds[] = {
		{ mapper, MAPPERS }, { attacher, ATTACHERS }, { translator, TRANSLATORS } };
	struct worker workers[MAPPERS + ATTACHERS + TRANSLATORS] = { 0 }, *worker = workers;
	uint64_t calls = 0, reached = 0;

	(void)state;
	task = stress_task("threads");
	iommufd = sys_open(task, "/dev/iommu", O_RDWR);
	devices[0] = sys_open(task, "/dev/vfio/devices/vfio0", O_RDWR);
	devices[1] = sys_open(task, "/dev/vfio/devices/vfio1", O_RDWR);
	for (unsigned int i = 0; i < ATTACHERS; i++)
		must(!stress_bind(task, devices[i], iommufd));
	for (unsigned int i = 0; i < SPACES; i++) {
		spaces[i] = stress_ioas(task, iommufd);
		memory[i] = stress_memory(task, MAPPERS * SLOTS * PHYS_PAGE);
	}
	until = stress_now() + stress_seconds(1);
	for (size_t kind = 0; kind < sizeof(kinds) / sizeof(kinds[0]); kind++)
		for (unsigned int i = 0; i < kinds[kind].count; i++, worker++) {
			worker->number = i;
			worker->seed = (uint32_t)(worker - workers) + 1;
			must(!pthread_create(&worker->thread, NULL, kinds[kind].run, worker));
		}
	for (worker = workers; worker < workers + sizeof(workers) / sizeof(workers[0]); worker++) {
		pthread_join(worker->thread, NULL);
		must(worker->calls);
		calls += worker->calls;
		reached += worker->reached;
	}
	must(reached);
	print_message("%llu calls, %llu translations led somewhere\n", (unsigned long long)calls,
		      (unsigned long long)reached);
	everything_goes();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_r6_2_threads_of_one_process, stress_machine,
						stress_machine_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
