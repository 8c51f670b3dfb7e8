/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * R5.6, R5.8: I/O page faults. Two devices share one guest page table; each asks for pages, each request
 * carries its device's label, and each is answered on its own: the others go on waiting.
 */
#include <sys/eventfd.h>

#include "tables.h"

static const struct guest_format *const format = &guest_formats[0];
static int ioasid_fd, event, gpa_ioasid, gva_ioasid, device_fd1, device_fd2, label1, label2;
static uint64_t pgtable;
static struct ioasid_fault_ring *ring;

static struct ioasid_fault fault_next(void)
{
	struct ioasid_fault fault;

	MUST(ring->head != ring->tail);
	fault = ring->fault[ring->tail % ring->entries];
	ring->tail++;
	return fault;
}

/* How often the kernel has signalled since the last look. */
static uint64_t signals(void)
{
	uint64_t count = 0;

	MUST(read(event, &count, 8) == 8 || errno == EAGAIN);
	return count;
}

static int respond(const struct ioasid_fault *fault, uint32_t code)
{
	struct ioasid_fault_response response = { .ioasid = fault->ioasid, .cookie = fault->cookie,
						  .code = code };

	return ioctl(ioasid_fd, IOASID_FAULT_RESPOND, &response);
}

/* All that wait on the space: how many were answered. */
static int respond_all(uint32_t ioasid)
{
	struct ioasid_fault_response response = { .ioasid = ioasid, .flags = IOASID_RESPOND_ALL };

	return ioctl(ioasid_fd, IOASID_FAULT_RESPOND, &response);
}

/* Two devices on one guest page table, by the names that the reviewer asked for. */
static void two_devices(void)
{
	struct ioasid_table table = { .format = IOASID_FORMAT_VTD };

	gpa_ioasid = ioctl(ioasid_fd, IOASID_ALLOC_IOASID);
	MUST(!dma_map(ioasid_fd, gpa_ioasid, 0, HVA, GUEST_SIZE, 0));
	table.ioasid = gpa_ioasid;
	table.addr = pgtable = table_new();
	gva_ioasid = ioctl(ioasid_fd, IOASID_ALLOC_IOASID_PGTABLE, &table);
	MUST(!ioasid_attach(device_fd1, gva_ioasid));
	MUST(!ioasid_attach(device_fd2, gva_ioasid));
	/* Without a ring nobody could answer: the device is told at once. */
	dma_faults(device_fd1, NO_PASID, 0x2000, 0x7000);
}

static void ring_setup(void)
{
	struct ioasid_fault_setup setup = { .entries = 3 };

	event = setup.eventfd = eventfd(0, EFD_NONBLOCK);
	REFUSED(EINVAL, ioctl(ioasid_fd, IOASID_FAULT_SETUP, &setup));	/* no power of two */
	setup.entries = 1;
	MUST(!ioctl(ioasid_fd, IOASID_FAULT_SETUP, &setup));
	REFUSED(EBUSY, ioctl(ioasid_fd, IOASID_FAULT_SETUP, &setup));
	ring = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, ioasid_fd, 0);
	MUST(ring != MAP_FAILED && ring->entries == 1);
}

/* Both devices wait for a page. The ring has one place: the second request stays outside. Answers
 * the first. */
static struct ioasid_fault both_wait(void)
{
	struct ioasid_fault one;

	fill(gpa_to_hva(0x1000), PAGE, 5);
	MUST(dma_copy(device_fd1, NO_PASID, 0x2000, 0x7000, PAGE) == STATUS_BUSY);
	MUST(dma_copy(device_fd2, NO_PASID, 0x2000, 0x8000, PAGE) == STATUS_BUSY);
	MUST(ring->overflows == 1 && signals() == 1);
	one = fault_next();
	MUST(one.ioasid == (uint32_t)gva_ioasid && one.label == (uint32_t)label1);
	MUST(one.addr == 0x2000 && one.perm == IOASID_DMA_READ);
	MUST(!(one.flags & IOASID_FAULT_PASID));
	SAY("fault of label %u at 0x%llx", one.label, (unsigned long long)one.addr);
	return one;
}

/* The guest maps the page that the first wants, and the first alone is resumed; it wants its next
 * page then. The second is still waiting, though its page is there. Answers the second's. */
static struct ioasid_fault one_resumes_one(struct ioasid_fault one)
{
	struct ioasid_fault two, again;

	table_map(format, pgtable, 0x2000, 0x1000);
	MUST(!respond(&one, IOASID_RESPONSE_SUCCESS));
	two = fault_next();
	MUST(two.label == (uint32_t)label2 && two.addr == 0x2000);
	MUST(reg_get(device_fd2, STATUS) == STATUS_BUSY);
	MUST(ring->overflows == 2 && ring->head == ring->tail);
	MUST(respond_all(gpa_ioasid) == 0);	/* to nobody, but a call: what waits comes in */
	again = fault_next();
	MUST(again.label == (uint32_t)label1 && again.addr == 0x7000);
	MUST(again.perm == IOASID_DMA_WRITE);
	MUST(again.cookie != one.cookie);
	return two;
}

/* Late, double, wrong */
static void what_is_refused(struct ioasid_fault one, struct ioasid_fault two)
{
	REFUSED(ENOENT, respond(&one, IOASID_RESPONSE_SUCCESS));
	one.cookie = 12345;
	REFUSED(ENOENT, respond(&one, IOASID_RESPONSE_SUCCESS));
	REFUSED(EINVAL, respond(&two, 2));
	one = two;
	one.ioasid = gpa_ioasid;
	REFUSED(EINVAL, respond(&one, IOASID_RESPONSE_SUCCESS));	/* not of that space */
	REFUSED(ENOENT, respond_all(999));
}

/* Only the explicit flag answers all that wait on the space. */
static void all_resume(void)
{
	table_map(format, pgtable, 0x7000, 0x4000);
	table_map(format, pgtable, 0x8000, 0x5000);
	MUST(respond_all(gva_ioasid) == 2);
	MUST(reg_get(device_fd1, STATUS) == 0 && reg_get(device_fd2, STATUS) == 0);
	MUST(!memcmp(gpa_to_hva(0x1000), gpa_to_hva(0x4000), PAGE));
	MUST(!memcmp(gpa_to_hva(0x1000), gpa_to_hva(0x5000), PAGE));
	MUST(respond_all(gva_ioasid) == 0);
}

static void pages_that_never_come(void)
{
	struct ioasid_fault one;

	/* A guest that cannot have the page: the job fails, its device does not hang. */
	MUST(dma_copy(device_fd1, NO_PASID, 0x2000, 0x9000, PAGE) == STATUS_BUSY);
	one = fault_next();
	MUST(!respond(&one, IOASID_RESPONSE_INVALID));
	MUST(reg_get(device_fd1, STATUS) == STATUS_ERROR);

	/* Detached while it waits: its request is ended for it, and a later answer is late. */
	MUST(dma_copy(device_fd2, NO_PASID, 0x2000, 0x9000, PAGE) == STATUS_BUSY);
	one = fault_next();
	MUST(!ioasid_detach(device_fd2, gva_ioasid));
	MUST(reg_get(device_fd2, STATUS) == STATUS_ERROR);
	REFUSED(ENOENT, respond(&one, IOASID_RESPONSE_SUCCESS));

	/* A tail that makes no sense is a full ring, not an overrun. */
	ring->tail = ring->head + 7;
	MUST(dma_copy(device_fd1, NO_PASID, 0x2000, 0x9000, PAGE) == STATUS_BUSY);
	MUST(ring->overflows > 2);
	ring->tail = ring->head;
	MUST(respond_all(gva_ioasid) == 0);	/* it comes in now */
	one = fault_next();
	MUST(!respond(&one, IOASID_RESPONSE_INVALID));
}

int main(void)
{
	struct ioasid_fault one, two;

	ioasid_fd = open("/dev/ioasid", O_RDWR | O_CLOEXEC);
	MUST(ioasid_fd >= 0);
	guest_memory();
	device_fd1 = device_bind(DEV1, ioasid_fd, &label1);
	device_fd2 = device_bind(DEV2, ioasid_fd, &label2);
	two_devices();
	ring_setup();
	one = both_wait();
	two = one_resumes_one(one);
	what_is_refused(one, two);
	all_resume();
	pages_that_never_come();
	return 0;
}
