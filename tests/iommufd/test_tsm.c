/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * R1.4, R3.1, R3.6: what iommufd does around a bind, with stand-ins for KVM, VFIO and the TSM core
 * that write down what they are asked.
 */
#include <stdio.h>
#include <string.h>

#include "kernel/kvm/kvm.h"
#include "kernel/tsm/tsm.h"
#include "kernel/vfio/vfio.h"
#include "setup.h"

static char said[512];			/* "binding bind bound ..." */
static int bind_result, binding_result, bound_result;
static bool bound, quarantined, kill_in_bind;
static bool keeps, kept;		/* the TSM, over an unbind */
static const struct kvm *the_kvm;
static const struct file *kvm_stand_in;
static bool confidential;

static void say(const char *word)
{
	strncat(said, word, sizeof(said) - strlen(said) - 1);
	strncat(said, " ", sizeof(said) - strlen(said) - 1);
}

static void assert_said(const char *words)
{
	assert_string_equal(said, words);
	said[0] = '\0';
}

const struct vfio_device *vfio_device_of(const struct pci_dev *pdev)
{
	return (const struct vfio_device *)pdev;
}

const struct kvm *vfio_device_kvm(const struct vfio_device *vdev)
{
	(void)vdev;
	return the_kvm;
}

const struct kvm *kvm_of_file(const struct file *file)
{
	return file->priv;
}

const struct file *kvm_file(const struct kvm *kvm)
{
	(void)kvm;
	return kvm_stand_in;
}

bool kvm_is_confidential(const struct kvm *kvm)
{
	(void)kvm;
	return confidential;
}

int vfio_tsm_event(const struct pci_dev *pdev, enum vfio_tsm_event event)
{
	static const char *const names[] = { "binding", "bound", "unbind", "unbound" };

	(void)pdev;
	say(names[event]);
	return event == VFIO_TSM_BINDING ? binding_result
	       : event == VFIO_TSM_BOUND ? bound_result
					 : 0;
}

int pci_tsm_bind(const struct pci_dev *pdev, const struct kvm *kvm, uint32_t tdi_id)
{
	(void)pdev;
	assert_ptr_equal(kvm, the_kvm);
	assert_int_equal(tdi_id, 0x18);
	say("bind");
	image_commit();			/* as every call into firmware */
	bound = !bind_result;
	kept = kept && !bound;
	if (kill_in_bind)
		image_call_abort(-EINTR);
	return bind_result;
}

void pci_tsm_unbind(const struct pci_dev *pdev)
{
	if (!bound && !kept)
		return;
	say("unbind");
	vfio_tsm_event(pdev, VFIO_TSM_UNBIND);
	iommufd_trusted_dma_disable(pdev);
	vfio_tsm_event(pdev, VFIO_TSM_UNBOUND);
	bound = kept = false;
	image_commit();
}

bool pci_tsm_rest(const struct pci_dev *pdev)
{
	if (!keeps) {
		pci_tsm_unbind(pdev);
		return false;
	}
	say("rest");
	bound = false;
	kept = true;
	image_commit();
	return true;
}

bool pci_tsm_kept(const struct pci_dev *pdev)
{
	(void)pdev;
	return kept;
}

bool pci_tsm_bound(const struct pci_dev *pdev)
{
	(void)pdev;
	return bound;
}

bool pci_tsm_quarantined(const struct pci_dev *pdev, const char **cause)
{
	(void)pdev, (void)cause;
	return quarantined;
}

ssize_t pci_tsm_guest_req(const struct pci_dev *pdev, enum tsm_scope scope, const uint8_t *in,
			  size_t in_len, uint8_t *out, size_t out_len, uint64_t *tsm_code)
{
	(void)pdev;
	say(scope == TSM_SCOPE_INFO ? "info" : "change");
	*tsm_code = 0x1234;
	if (!bound)
		return -ENXIO;
	if (!out_len)
		return 3;
	for (size_t i = 0; i < in_len && i < out_len; i++)
		out[i] = (uint8_t)(in[i] + 1);
	return (ssize_t)(out_len - in_len);
}

/* -- the set: device 2, a nesting parent, a vIOMMU and a vDEVICE ------------------------------- */

static int fd;
static const struct iommufd_device *idev;
static uint32_t dev, parent, viommu, vdevice;

static long viommu_alloc(uint32_t type)
{
	struct iommu_viommu_alloc args = {
		.size = sizeof(args), .type = type, .dev_id = dev, .hwpt_id = parent
	};
	long rc = sys_ioctl(task, fd, IOMMU_VIOMMU_ALLOC, (uintptr_t)&args);

	return rc ? rc : args.out_viommu_id;
}

static long vdevice_alloc(uint32_t device, uint64_t virt_id)
{
	struct iommu_vdevice_alloc args = {
		.size = sizeof(args), .viommu_id = viommu, .dev_id = device, .virt_id = virt_id
	};
	long rc = sys_ioctl(task, fd, IOMMU_VDEVICE_ALLOC, (uintptr_t)&args);

	return rc ? rc : args.out_vdevice_id;
}

static long tsm_op(uint32_t type)
{
	return CALL(fd, IOMMU_VDEVICE_TSM_OP, iommu_vdevice_tsm_op, .type = type,
		    .vdevice_id = vdevice);
}

static int parent_up(void **state)
{
	struct iommu_hwpt_alloc args = { .size = sizeof(args),
					 .flags = IOMMU_HWPT_ALLOC_NEST_PARENT };
	int rc = host_up(state);

	said[0] = '\0';
	bind_result = binding_result = bound_result = 0;
	bound = quarantined = kill_in_bind = keeps = kept = false;
	confidential = true;
	host_options(true, false);
	assert_int_equal(image_enter(), 0);
	the_kvm = image_alloc(64, IMAGE_TYPE_BYTES);
	kvm_stand_in = file_create(FILE_NONE, the_kvm, "kvm");
	image_leave();
	fd = iommu_open();
	args.pt_id = ioas_alloc(fd);
	args.dev_id = dev = (uint32_t)bind_device(fd, 2, &idev);
	assert_int_equal(sys_ioctl(task, fd, IOMMU_HWPT_ALLOC, (uintptr_t)&args), 0);
	parent = args.out_hwpt_id;
	return rc;
}

static int vdevice_up(void **state)
{
	int rc = parent_up(state);
	long id = viommu_alloc(IOMMU_VIOMMU_TYPE_TDX);

	assert_true(id > 0);
	viommu = (uint32_t)id;
	id = vdevice_alloc(dev, 0x18);
	assert_true(id > 0);
	vdevice = (uint32_t)id;
	return rc;
}

static void r6_5_viommu_alloc(void **state)
{
	uint32_t nesting = parent;
	struct iommu_hwpt_alloc plain = { .size = sizeof(plain), .dev_id = dev, .pt_id = 1 };
	long id;

	(void)state;
	assert_int_equal(sys_ioctl(task, fd, IOMMU_HWPT_ALLOC, (uintptr_t)&plain), 0);
	assert_int_equal(viommu_alloc(IOMMU_VIOMMU_TYPE_ARM_SMMUV3), -EOPNOTSUPP);
	parent = 1;			/* an IOAS */
	assert_int_equal(viommu_alloc(IOMMU_VIOMMU_TYPE_TDX), -ENOENT);
	parent = plain.out_hwpt_id;
	assert_int_equal(viommu_alloc(IOMMU_VIOMMU_TYPE_TDX), -EINVAL);
	parent = nesting;
	confidential = false;
	assert_int_equal(viommu_alloc(IOMMU_VIOMMU_TYPE_TDX), -EINVAL);
	confidential = true;
	host_options(false, false);
	assert_int_equal(viommu_alloc(IOMMU_VIOMMU_TYPE_TDX), -EOPNOTSUPP);
	host_options(true, false);
	id = viommu_alloc(IOMMU_VIOMMU_TYPE_TDX);
	assert_true(id > 0);
	assert_int_equal(kvm_stand_in->refs, 2); /* X3: the VM outlives what is bound to it */
	assert_int_equal(destroy(fd, parent), -EBUSY);
	assert_int_equal(destroy(fd, (uint32_t)id), 0);
	assert_int_equal(kvm_stand_in->refs, 1);
	the_kvm = NULL;
	assert_int_equal(viommu_alloc(IOMMU_VIOMMU_TYPE_TDX), -ENODEV);
}

/* X2: one vDEVICE a device, one device a virtual id. */
static void vdevices_are_unique(void **state)
{
	const struct iommufd_device *other;
	uint32_t second = (uint32_t)bind_device(fd, 3, &other);

	(void)state;
	assert_int_equal(vdevice_alloc(dev, 0x20), -EEXIST);
	assert_int_equal(vdevice_alloc(second, 0x18), -EEXIST);
	assert_int_equal(vdevice_alloc(99, 0x20), -ENOENT);
	assert_true(vdevice_alloc(second, 0x20) > 0);
	assert_int_equal(destroy(fd, viommu), -EBUSY);
	assert_true(iommufd_vdevice_exists(devices[2]));
	assert_int_equal(destroy(fd, vdevice), 0);
	assert_false(iommufd_vdevice_exists(devices[2]));
	assert_int_equal(vdevice_alloc(dev, 0x18), vdevice);
}

/* R3.6: VFIO is told around it. R1.4: the vDEVICE stays when it is unbound. */
static void r3_6_bind_and_unbind(void **state)
{
	(void)state;
	assert_int_equal(tsm_op(IOMMU_VDEVICE_TSM_UNBIND), 0);
	assert_said("");
	assert_int_equal(tsm_op(IOMMU_VDEVICE_TSM_BIND), 0);
	assert_said("binding bind bound ");
	assert_int_equal(tsm_op(IOMMU_VDEVICE_TSM_BIND), 0);
	assert_said("");
	assert_int_equal(tsm_op(IOMMU_VDEVICE_TSM_UNBIND), 0);
	assert_said("unbind unbind unbound ");
	assert_int_equal(tsm_op(IOMMU_VDEVICE_TSM_UNBIND), 0);
	assert_said("");
	assert_true(iommufd_vdevice_exists(devices[2]));
	assert_int_equal(tsm_op(IOMMU_VDEVICE_TSM_BIND), 0);
}

/* What the TSM keeps over an unbind is the next bind's, and goes with the vDEVICE, whatever comes of a
 * bind in between. */
static void r7_4_kept_for_the_vdevice(void **state)
{
	(void)state;
	keeps = true;
	assert_int_equal(tsm_op(IOMMU_VDEVICE_TSM_BIND), 0);
	assert_int_equal(tsm_op(IOMMU_VDEVICE_TSM_UNBIND), 0);
	assert_said("binding bind bound rest ");
	assert_int_equal(tsm_op(IOMMU_VDEVICE_TSM_BIND), 0);
	assert_said("binding bind bound ");
	assert_int_equal(tsm_op(IOMMU_VDEVICE_TSM_UNBIND), 0);
	assert_said("rest ");
	bind_result = -EIO;
	assert_int_equal(tsm_op(IOMMU_VDEVICE_TSM_BIND), -EIO);
	assert_said("binding bind unbind unbind unbound unbound ");
	bind_result = 0;
	assert_int_equal(tsm_op(IOMMU_VDEVICE_TSM_BIND), 0);
	assert_int_equal(tsm_op(IOMMU_VDEVICE_TSM_UNBIND), 0);
	assert_said("binding bind bound rest ");
	binding_result = -EBUSY;
	assert_int_equal(tsm_op(IOMMU_VDEVICE_TSM_BIND), -EBUSY);
	assert_said("binding ");
	assert_int_equal(destroy(fd, vdevice), 0);
	assert_said("unbind unbind unbound ");
}

/* R3.1: each part of the bind is an event of its own. */
static void r3_1_parts_are_visible(void **state)
{
	uint64_t from = trace_next();
	bool knows = false, asked = false, done = false;

	(void)state;
	assert_int_equal(tsm_op(IOMMU_VDEVICE_TSM_BIND), 0);
	for (; from < trace_next(); from++) {
		const struct trace_event *event = trace_get(from);

		knows |= !strcmp(event->name, "vIOMMU knows the vPCI function");
		asked |= knows && !strcmp(event->name, "bind: asked");
		done |= asked && !strcmp(event->name, "bind: done");
	}
	assert_true(done);
}

static void arguments(void **state)
{
	(void)state;
	assert_int_equal(tsm_op(0), -EOPNOTSUPP);
	assert_int_equal(tsm_op(3), -EOPNOTSUPP);
	assert_int_equal(
		CALL(fd, IOMMU_VDEVICE_TSM_OP, iommu_vdevice_tsm_op, .type = 1, .flags = 1),
		-EOPNOTSUPP);
	assert_int_equal(
		CALL(fd, IOMMU_VDEVICE_TSM_OP, iommu_vdevice_tsm_op, .type = 1, .vdevice_id = dev),
		-ENOENT);
	assert_said("");
}

/* What had begun is taken back, whichever part refused; the next bind starts afresh. */
static void refused_parts_are_taken_back(void **state)
{
	(void)state;
	binding_result = -EBUSY;
	assert_int_equal(tsm_op(IOMMU_VDEVICE_TSM_BIND), -EBUSY);
	assert_said("binding ");
	binding_result = 0;
	bind_result = -EIO;
	assert_int_equal(tsm_op(IOMMU_VDEVICE_TSM_BIND), -EIO);
	assert_said("binding bind unbound ");
	quarantined = true;		/* what the firmware may hold is not given back */
	assert_int_equal(tsm_op(IOMMU_VDEVICE_TSM_BIND), -EIO);
	assert_said("binding bind ");
	quarantined = false;
	bind_result = 0;
	bound_result = -EINVAL;
	assert_int_equal(tsm_op(IOMMU_VDEVICE_TSM_BIND), -EINVAL);
	assert_said("binding bind bound unbind unbind unbound ");
	bound_result = 0;
	assert_int_equal(tsm_op(IOMMU_VDEVICE_TSM_BIND), 0);
	assert_int_equal(destroy(fd, viommu), -EBUSY);
}

/* X2: to destroy it is to unbind it. */
static void x2_destroy_unbinds(void **state)
{
	(void)state;
	assert_int_equal(tsm_op(IOMMU_VDEVICE_TSM_BIND), 0);
	assert_said("binding bind bound ");
	assert_int_equal(destroy(fd, vdevice), 0);
	assert_said("unbind unbind unbound ");
	assert_int_equal(destroy(fd, viommu), 0);
	assert_int_equal(kvm_stand_in->refs, 1);
}

/* 2.4: the device goes first. Its vDEVICE's id is found no more and never used again. */
static void tombstone(void **state)
{
	const struct iommufd_device *again;
	long id;

	(void)state;
	assert_int_equal(tsm_op(IOMMU_VDEVICE_TSM_BIND), 0);
	said[0] = '\0';
	unbind_device(idev);
	assert_said("unbind unbind unbound ");
	assert_int_equal(destroy(fd, vdevice), -ENOENT);
	dev = (uint32_t)bind_device(fd, 2, &again);
	id = vdevice_alloc(dev, 0x18);	/* its virtual id is free */
	assert_true(id > 0);
	assert_int_not_equal(id, vdevice);
	unbind_device(again);
	assert_int_equal(sys_close(task, fd), 0);
	assert_int_equal(image_live(IMAGE_TYPE_IOMMUFD_OBJ) + image_live(IMAGE_TYPE_IOMMUFD), 0);
	assert_int_equal(kvm_stand_in->refs, 1);
}

/* R3.3: a task that dies while the TSM binds leaves a vDEVICE that others can use and destroy. */
static void r3_3_killed_in_bind(void **state)
{
	const struct task *victim;
	int shared;

	assert_int_equal(image_enter(), 0);
	victim = task_create("victim", 0);
	current_task_set(victim);
	file_get(task->fds[fd]);
	shared = fd_install(task->fds[fd], 0);
	current_task_set(NULL);
	image_leave();
	kill_in_bind = true;
	assert_int_equal(
		sys_ioctl(victim, shared, IOMMU_VDEVICE_TSM_OP,
			  (uintptr_t) & (struct iommu_vdevice_tsm_op){ 16, IOMMU_VDEVICE_TSM_BIND,
								       0, vdevice }),
		-EINTR);
	kill_in_bind = false;
	assert_int_equal(destroy(fd, vdevice), -EBUSY);	/* not dead yet: it is in the call */
	task_exit(victim);
	assert_said("binding bind ");
	if (*state)
		assert_int_equal(tsm_op(IOMMU_VDEVICE_TSM_BIND), 0);
	assert_int_equal(destroy(fd, vdevice), 0);
	assert_false(bound);
	assert_int_equal(destroy(fd, viommu), 0);
}

/* R1.5, R7.4: one request, in either of the posted layouts. */
static void r1_5_guest_requests(void **state)
{
	const uint8_t request[4] = { 1, 2, 3, 4 };
	uint8_t answer[8] = { 0 };
	struct iommu_vdevice_tsm_req req = { .size = sizeof(req),
					     .vdevice_id = vdevice,
					     .req_len = 4,
					     .resp_len = 8,
					     .req_uptr = (uintptr_t)request,
					     .resp_uptr = (uintptr_t)answer };
#define REQ() sys_ioctl(task, fd, IOMMU_VDEVICE_TSM_REQ, (uintptr_t)&req)

	(void)state;
	assert_int_equal(REQ(), -ENXIO);
	assert_int_equal(tsm_op(IOMMU_VDEVICE_TSM_BIND), 0);
	said[0] = '\0';
	assert_int_equal(REQ(), 4);		/* bytes left over */
	assert_memory_equal(answer, "\2\3\4\5\0\0\0", 8);
	req.scope = IOMMU_VDEVICE_TSM_SCOPE_STATE_CHANGE;
	req.resp_len = 0;
	assert_int_equal(REQ(), 3);
	assert_said("info change ");
	req.scope = IOMMU_VDEVICE_TSM_SCOPE_DEBUG_READ;
	assert_int_equal(REQ(), -EINVAL);
	req.scope = 0;
	req.req_len = 0;
	assert_int_equal(REQ(), -EINVAL);
	req.req_len = IOMMU_VDEVICE_TSM_REQ_MAX + 1;
	assert_int_equal(REQ(), -EINVAL);
	req.req_len = 4;
	req.__reserved = 1;
	assert_int_equal(REQ(), -EOPNOTSUPP);
	req.__reserved = 0;
	req.req_uptr = 8;
	assert_int_equal(REQ(), -EFAULT);
	req.req_uptr = (uintptr_t)request;
	req.vdevice_id = dev;
	assert_int_equal(REQ(), -ENOENT);
	req.size = 39;
	assert_int_equal(REQ(), -EINVAL);
}

static void r7_4_newer_layout(void **state)
{
	const struct kernel_options options = { .extensions = true, .tsm_uapi = TSM_UAPI_2026_06 };
	const uint8_t request[4] = { 1, 2, 3, 4 };
	uint8_t answer[8] = { 0 };
	struct iommu_vdevice_tsm_req_2026_06 req = {
		.size = sizeof(req), .vdevice_id = vdevice, .op = IOMMU_VDEVICE_TSM_REQ_READ,
		.tvm_arch = IOMMU_VDEVICE_TSM_ARCH_TDX, .req_len = 4, .resp_len = 8,
		.req_uptr = (uintptr_t)request, .resp_uptr = (uintptr_t)answer };

	(void)state;
	assert_int_equal(image_enter(), 0);
	assert_int_equal(kernel_options_set(&options), 0);
	image_leave();
	assert_int_equal(REQ(), -ENXIO);
	assert_int_equal(req.tsm_code, 0x1234);	/* told whatever the result */
	assert_int_equal(tsm_op(IOMMU_VDEVICE_TSM_BIND), 0);
	said[0] = '\0';
	assert_int_equal(REQ(), 4);
	assert_memory_equal(answer, "\2\3\4\5", 4);
	req.op = IOMMU_VDEVICE_TSM_REQ_SET_STATE;
	assert_int_equal(REQ(), 4);
	assert_said("info change ");
	req.op = IOMMU_VDEVICE_TSM_REQ_SEV_ENABLE_DMA;
	assert_int_equal(REQ(), -EOPNOTSUPP);
	req.op = 0;
	assert_int_equal(REQ(), -EOPNOTSUPP);
	req.op = IOMMU_VDEVICE_TSM_REQ_INFO;
	req.tvm_arch = IOMMU_VDEVICE_TSM_ARCH_SEV;
	assert_int_equal(REQ(), -EINVAL);
	req.size = 40;
	assert_int_equal(REQ(), -EINVAL);
}

/* Where VFIO has the bind, IOMMUFD has none: the number is a hole, as after the table's end. */
static void r7_4_bind_in_vfio(void **state)
{
	const struct kernel_options options = { .extensions = true, .tsm_uapi = TSM_UAPI_VFIO };

	(void)state;
	assert_int_equal(image_enter(), 0);
	assert_int_equal(kernel_options_set(&options), 0);
	image_leave();
	assert_int_equal(tsm_op(IOMMU_VDEVICE_TSM_BIND), -ENOTTY);
	assert_false(bound);
}

static void r7_4_no_such_proposal(void **state)
{
	const struct kernel_options options = { .extensions = true, .tsm_uapi = TSM_UAPIS };

	(void)state;
	assert_int_equal(image_enter(), 0);
	assert_int_equal(kernel_options_set(&options), -EINVAL);
	image_leave();
}

static void veventq_and_others_on_a_viommu(void **state)
{
	struct iommu_veventq_alloc args = {
		.size = sizeof(args), .viommu_id = viommu, .type = 1, .veventq_depth = 2
	};
	struct iommu_hwpt_invalidate inv = { .size = sizeof(inv),
					     .hwpt_id = viommu,
					     .entry_num = 1,
					     .entry_len = 8,
					     .data_uptr = 8 };
	uint8_t buffer[16];

	(void)state;
	assert_int_equal(sys_ioctl(task, fd, IOMMU_VEVENTQ_ALLOC, (uintptr_t)&args), 0);
	assert_int_equal(sys_ioctl(task, fd, IOMMU_VEVENTQ_ALLOC, (uintptr_t)&args), -EEXIST);
	assert_int_equal(sys_read(task, (int)args.out_veventq_fd, buffer, 7), -EINVAL);
	assert_int_equal(sys_read(task, (int)args.out_veventq_fd, buffer, 16), 0);
	assert_int_equal(sys_write(task, (int)args.out_veventq_fd, buffer, 16), -EINVAL);
	assert_int_equal(destroy(fd, args.out_veventq_id), -EBUSY);
	sys_close(task, (int)args.out_veventq_fd);
	assert_int_equal(destroy(fd, vdevice), 0);
	assert_int_equal(destroy(fd, viommu), -EBUSY);
	assert_int_equal(destroy(fd, args.out_veventq_id), 0);
	assert_int_equal(sys_ioctl(task, fd, IOMMU_HWPT_INVALIDATE, (uintptr_t)&inv), -EOPNOTSUPP);
	assert_int_equal(CALL(fd, IOMMU_HW_QUEUE_ALLOC, iommu_hw_queue_alloc, .viommu_id = viommu,
			      .type = 1, .length = 4096),
			 -EOPNOTSUPP);
	assert_int_equal(
		CALL(fd, IOMMU_HWPT_ALLOC, iommu_hwpt_alloc, .dev_id = dev, .pt_id = viommu),
		-EOPNOTSUPP);
	assert_int_equal(destroy(fd, viommu), 0);
}

#define T(test) cmocka_unit_test_setup_teardown(test, vdevice_up, host_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(r6_5_viommu_alloc, parent_up, host_down),
		T(vdevices_are_unique),
		T(r3_6_bind_and_unbind),
		T(r7_4_kept_for_the_vdevice),
		T(r3_1_parts_are_visible),
		T(arguments),
		T(refused_parts_are_taken_back),
		T(x2_destroy_unbinds),
		T(tombstone),
		T(r3_3_killed_in_bind),
		/* with a state that is not NULL: the next one binds again before it destroys */
		cmocka_unit_test_prestate_setup_teardown(r3_3_killed_in_bind, vdevice_up, host_down,
							 &fd),
		T(r1_5_guest_requests),
		T(r7_4_newer_layout),
		T(r7_4_bind_in_vfio),
		T(r7_4_no_such_proposal),
		T(veventq_and_others_on_a_viommu),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
