/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A device bound to a TD through the whole stack: the cdev, iommufd, KVM, the TSM, the module and
 * the device. What the host can reach at each step, and every order of closing what is open.
 */
#include "../kvm/rig.h"

#include "hardware/tlp.h"
#include "image/klock.h"
#include "kernel/kvm/internal.h"
#include "kernel/tsm/tsm.h"
#include "kernel/vfio/vfio.h"
#include "device/engine.h"
#include "swtio/uapi/tsm.h"
#include "swtio/uapi/vfio.h"

#include <linux/pci_regs.h>

#define PF 0x0100
#define SHARED_GPA 0x80000000ull	/* BAR2, while it is shared */
#define PRIVATE_GPA 0xc0000000ull
#define IOVA 0x40000000ull
#define BAR2 (2ull << 40)
#define CONFIG (7ull << 40)

enum open { OPEN_IOMMUFD, OPEN_DEV, OPEN_PRIVATE, OPEN_SHARED, OPEN_VM, OPEN_COUNT };

struct bound {
	struct rig *rig;
	int fd[OPEN_COUNT], kvm_vfio;
	uint32_t ioas, hwpt, dev, viommu, vdevice;
	uint64_t bar_address;
};
static struct bound b;

static long call(enum open what, unsigned int cmd, void *arg)
{
	return rig_ioctl(b.rig, b.fd[what], cmd, arg);
}

static const struct pci_dev *pdev(void)
{
	return pci_dev_find(PF);
}

static enum tdisp_state tdi_state(void)
{
	struct tdi_view view;

	assert_int_equal(device_tdi_view(PF, &view), 0);
	return view.state;
}

static void command(uint32_t value)
{
	assert_int_equal(sys_pwrite(b.rig->task, b.fd[OPEN_DEV], &value, 2, CONFIG + PCI_COMMAND),
			 2);
}

static void connect_tsm(void)
{
	int fd = sys_open(b.rig->task, "/sys/bus/pci/devices/0000:01:00.0/tsm/connect", O_WRONLY);

	assert_int_equal(sys_write(b.rig->task, fd, "tsm0", 4), 4);
	sys_close(b.rig->task, fd);
}

static void give_to_kvm(void)
{
	struct kvm_create_device create = { .type = KVM_DEV_TYPE_VFIO };
	int32_t fd = b.fd[OPEN_DEV];
	struct kvm_device_attr attr = { .group = KVM_DEV_VFIO_FILE, .attr = KVM_DEV_VFIO_FILE_ADD,
					.addr = (uint64_t)(uintptr_t)&fd };

	assert_int_equal(call(OPEN_VM, KVM_CREATE_DEVICE, &create), 0);
	b.kvm_vfio = (int)create.fd;
	assert_int_equal(rig_ioctl(b.rig, b.kvm_vfio, KVM_SET_DEVICE_ATTR, &attr), 0);
}

/* Steps 2 to 11 of the chart: device, address space, vIOMMU, vDEVICE. */
static void open_device(void)
{
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind) };
	struct iommu_ioas_alloc ioas = { .size = sizeof(ioas) };
	struct iommu_hwpt_alloc hwpt = { .size = sizeof(hwpt),
					 .flags = IOMMU_HWPT_ALLOC_NEST_PARENT };
	struct vfio_device_attach_iommufd_pt attach = { .argsz = sizeof(attach) };
	struct iommu_viommu_alloc viommu = { .size = sizeof(viommu),
					     .type = IOMMU_VIOMMU_TYPE_TDX };
	struct iommu_vdevice_alloc vdevice = { .size = sizeof(vdevice), .virt_id = 8 };

	b.fd[OPEN_IOMMUFD] = rig_ok(sys_open(b.rig->task, "/dev/iommu", O_RDWR));
	b.fd[OPEN_DEV] = rig_ok(sys_open(b.rig->task, "/dev/vfio/devices/vfio0", O_RDWR));
	give_to_kvm();
	bind.iommufd = b.fd[OPEN_IOMMUFD];
	assert_int_equal(call(OPEN_DEV, VFIO_DEVICE_BIND_IOMMUFD, &bind), 0);
	assert_int_equal(call(OPEN_IOMMUFD, IOMMU_IOAS_ALLOC, &ioas), 0);
	hwpt.dev_id = viommu.dev_id = vdevice.dev_id = b.dev = bind.out_devid;
	hwpt.pt_id = b.ioas = ioas.out_ioas_id;
	assert_int_equal(call(OPEN_IOMMUFD, IOMMU_HWPT_ALLOC, &hwpt), 0);
	attach.pt_id = viommu.hwpt_id = b.hwpt = hwpt.out_hwpt_id;
	assert_int_equal(call(OPEN_DEV, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach), 0);
	assert_int_equal(call(OPEN_IOMMUFD, IOMMU_VIOMMU_ALLOC, &viommu), 0);
	vdevice.viommu_id = b.viommu = viommu.out_viommu_id;
	assert_int_equal(call(OPEN_IOMMUFD, IOMMU_VDEVICE_ALLOC, &vdevice), 0);
	b.vdevice = vdevice.out_vdevice_id;
	command(PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

static int start(void **state)
{
	if (rig_start(state))
		return -1;
	b = (struct bound){ .rig = *state };
	rig_td(b.rig);
	rig_ok(rig_tdx(b.rig, b.rig->vm, KVM_TDX_FINALIZE_VM, 0, NULL));
	b.fd[OPEN_VM] = b.rig->vm;
	connect_tsm();
	open_device();
	return 0;
}

static int stop(void **state)
{
	char text[160] = "";

	if (klock_findings(text, sizeof(text)))
		fail_msg("%s", text);
	return rig_stop(state);
}

static int dma_buf(uint32_t region, uint32_t kind, uint64_t offset, uint64_t len)
{
	union {
		struct vfio_device_feature feature;
		uint8_t bytes[sizeof(struct vfio_device_feature) +
			      sizeof(struct vfio_device_feature_dma_buf) +
			      sizeof(struct vfio_region_dma_range)];
	} arg = { 0 };
	struct writer w = writer_of(arg.bytes, sizeof(arg.bytes));

	put_le32(&w, sizeof(arg));
	put_le32(&w, VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_DMA_BUF);
	put_le32(&w, region);
	put_le32(&w, O_RDWR);
	put_le32(&w, kind);
	put_le32(&w, 1);
	put_le64(&w, offset);
	put_le64(&w, len);
	return (int)call(OPEN_DEV, VFIO_DEVICE_FEATURE, &arg);
}

static long slot(uint32_t number, uint32_t flags, uint64_t gpa, uint64_t len, int fd)
{
	return rig_region2(b.rig, number, flags, gpa, len, 0, fd, 0);
}

static long map_file(int fd, uint64_t iova)
{
	struct iommu_ioas_map_file map = { .size = sizeof(map),
					   .flags = 7,
					   .ioas_id = b.ioas,
					   .fd = fd,
					   .length = ENGINE_BAR2_SIZE,
					   .iova = iova };

	return call(OPEN_IOMMUFD, IOMMU_IOAS_MAP_FILE, &map);
}

static long tsm_op(uint32_t type)
{
	struct iommu_vdevice_tsm_op op = { .size = sizeof(op),
					   .type = type,
					   .vdevice_id = b.vdevice };

	return call(OPEN_IOMMUFD, IOMMU_VDEVICE_TSM_OP, &op);
}

struct fault { uint64_t gpa; bool is_private; };

static long fault_run(void *arg)
{
	const struct fault *fault = arg;

	current_task_set(b.rig->task);
	return kvm_fault(rig_kvm(b.rig), fault->gpa, 8, true, fault->is_private);
}

static long fault(uint64_t gpa, bool is_private)
{
	struct fault arg = { gpa, is_private };

	return image_call(fault_run, &arg);
}

static int count_leaf(uint64_t tdr, uint64_t gpa, uint64_t hpa, unsigned int level,
		      enum sept_state state, void *arg)
{
	unsigned int *count = arg;

	(void)tdr, (void)gpa, (void)hpa, (void)level, (void)state;
	++*count;
	return 0;
}

static unsigned int private_leaves(void)
{
	unsigned int count = 0;

	tdx_sept_mmio_each(count_leaf, &count);
	return count;
}

static enum tlp_status dma_read(uint64_t iova)
{
	uint8_t bytes[8];
	struct tlp tlp = { .type = TLP_MEM_READ, .rid = PF, .stream = TLP_NO_STREAM,
			   .pasid = TLP_NO_PASID, .address = iova, .len = 8, .data = bytes };
	enum tlp_status status;

	image_enter();
	status = tlp_dma(&tlp);
	image_leave();
	return status;
}

static int load(void)
{
	uint32_t value = 0;

	return sys_load(b.rig->task, b.bar_address, &value, 4);
}

/* Shared everywhere it can be: IOAS, EPT, the VMM's own mapping. */
static void share(void)
{
	b.fd[OPEN_SHARED] = rig_ok(dma_buf(2, VFIO_DMA_BUF_KIND_SHARED, 0, ENGINE_BAR2_SIZE));
	assert_int_equal(map_file(b.fd[OPEN_SHARED], IOVA), 0);
	assert_int_equal(slot(1, KVM_MEM_DMABUF, SHARED_GPA, ENGINE_BAR2_SIZE, b.fd[OPEN_SHARED]),
			 0);
	assert_int_equal(fault(SHARED_GPA, false), KVM_FAULT_MAPPED);
	rig_ok(sys_mmap(b.rig->task, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, b.fd[OPEN_DEV], BAR2,
			&b.bar_address));
}

static bool host_reaches(void)
{
	uint64_t hpa = function_find(PF)->bar[2].hpa;

	return kvm_shared_maps(rig_kvm(b.rig), hpa) || dma_read(IOVA) == TLP_SC || !load();
}

static void R2_1_shared_at_the_start(void **state)
{
	(void)state;
	share();
	assert_true(kvm_shared_maps(rig_kvm(b.rig), function_find(PF)->bar[2].hpa));
	assert_int_equal(dma_read(IOVA), TLP_SC);
	assert_int_equal(load(), 0);
}

/* The VMM forgot to take anything down: VFIO does it before LOCK goes out. */
static void R4_4_bind_takes_the_host_off_the_pages(void **state)
{
	(void)state;
	share();
	assert_int_equal(tsm_op(IOMMU_VDEVICE_TSM_BIND), 0);
	assert_int_equal(tdi_state(), TDISP_LOCKED);
	assert_false(host_reaches());
	assert_int_equal(fault(SHARED_GPA, false), -EFAULT);
	assert_int_equal(map_file(b.fd[OPEN_SHARED], 2 * IOVA), -ENODEV);
	assert_int_equal(tsm_op(IOMMU_VDEVICE_TSM_UNBIND), 0);
	assert_int_equal(tdi_state(), TDISP_UNLOCKED);
	/* mappings come back; an IOAS keeps it revoked, as Linux does */
	assert_int_equal(load(), 0);
	assert_int_equal(fault(SHARED_GPA, false), KVM_FAULT_MAPPED);
	assert_int_not_equal(dma_read(IOVA), TLP_SC);
}

static void bind_private(void)
{
	assert_int_equal(tsm_op(IOMMU_VDEVICE_TSM_BIND), 0);
	b.fd[OPEN_PRIVATE] = rig_ok(dma_buf(2, VFIO_DMA_BUF_KIND_PRIVATE, 0, ENGINE_BAR2_SIZE));
	assert_int_equal(slot(2, KVM_MEM_DMABUF | KVM_MEM_DMABUF_PRIVATE, PRIVATE_GPA,
			      ENGINE_BAR2_SIZE, b.fd[OPEN_PRIVATE]),
			 0);
	assert_int_equal(fault(PRIVATE_GPA, true), KVM_FAULT_MAPPED);
	assert_true(private_leaves() > 0);
}

static void R2_2_R2_4_the_two_kinds_after_bind(void **state)
{
	const uint32_t private = KVM_MEM_DMABUF | KVM_MEM_DMABUF_PRIVATE;
	uint64_t at;
	int hole;

	(void)state;
	bind_private();
	hole = rig_ok(dma_buf(0, VFIO_DMA_BUF_KIND_SHARED, 0x4000, 0x2000));
	assert_int_equal(slot(3, KVM_MEM_DMABUF, SHARED_GPA, 0x2000, hole), 0);
	assert_int_equal(slot(4, private, SHARED_GPA + 0x10000, 0x2000, hole), -EINVAL);
	assert_int_equal(slot(4, KVM_MEM_DMABUF, SHARED_GPA + 0x10000, 0x2000, b.fd[OPEN_PRIVATE]),
			 -EINVAL);
	assert_int_equal(map_file(b.fd[OPEN_PRIVATE], IOVA), -EACCES);
	assert_int_equal(
		sys_mmap(b.rig->task, 4096, PROT_READ, MAP_SHARED, b.fd[OPEN_DEV], BAR2, &at),
		-EBUSY);
	/* unbind: the private one is revoked, its slot maps nothing, and it never comes back */
	assert_int_equal(tsm_op(IOMMU_VDEVICE_TSM_UNBIND), 0);
	assert_int_equal(private_leaves(), 0);
	assert_int_equal(fault(PRIVATE_GPA, true), -EFAULT);
	assert_int_equal(dma_buf(2, VFIO_DMA_BUF_KIND_PRIVATE, 0, ENGINE_BAR2_SIZE), -EINVAL);
	assert_true(dma_buf(2, VFIO_DMA_BUF_KIND_SHARED, 0, ENGINE_BAR2_SIZE) >= 0);
}

static void policy(enum bound_policy wanted)
{
	struct kernel_options now;

	image_enter();
	now = *kernel_options();
	now.bound_policy = (uint8_t)wanted;
	assert_int_equal(kernel_options_set(&now), 0);
	image_leave();
}

static void R3_4_blocked_the_tdi_stays_locked(void **state)
{
	uint16_t zero = 0;

	(void)state;
	policy(BOUND_BLOCKED);
	bind_private();
	assert_int_equal(sys_pwrite(b.rig->task, b.fd[OPEN_DEV], &zero, 2, CONFIG + PCI_COMMAND),
			 -EBUSY);
	assert_int_equal(call(OPEN_DEV, VFIO_DEVICE_RESET, NULL), -EBUSY);
	assert_int_equal(tdi_state(), TDISP_LOCKED);
	assert_int_equal(tsm_op(IOMMU_VDEVICE_TSM_UNBIND), 0);
	assert_int_equal(call(OPEN_DEV, VFIO_DEVICE_RESET, NULL), 0);
}

/* Each way to break it, then unbind, then bind again. */
static void R3_4_breaks_to_error_and_unbind_still_works(void **state)
{
	(void)state;
	policy(BOUND_BREAKS);
	for (unsigned int way = 0; way < 3; way++) {
		bind_private();
		if (way == 0)
			command(PCI_COMMAND_MASTER);
		else if (way == 1)
			command(PCI_COMMAND_MEMORY);
		else
			assert_int_equal(call(OPEN_DEV, VFIO_DEVICE_RESET, NULL), 0);
		assert_int_equal(tdi_state(), TDISP_ERROR_STATE);
		assert_int_equal(tsm_op(IOMMU_VDEVICE_TSM_UNBIND), 0);
		assert_int_equal(tdi_state(), TDISP_UNLOCKED);
		assert_int_equal(private_leaves(), 0);
		assert_int_equal(slot(2, 0, PRIVATE_GPA, 0, 0), 0);
		sys_close(b.rig->task, b.fd[OPEN_PRIVATE]);
		command(PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	}
}

/* -- closing ----------------------------------------------------------------------------------- */

/* T2: nobody tried to take private MMIO out of the S-EPT while the TDI was not stopped. */
static void assert_no_refusal(const char *what)
{
	for (uint64_t seq = trace_first(); seq < trace_next(); seq++) {
		const struct trace_event *event = trace_get(seq);

		if (event && event->to == LANE_FIRMWARE && !strncmp(event->name, "TDH.MMIO.", 9) &&
		    event->result)
			fail_msg("%s: %s %s", what, event->name, event->text);
	}
}

static void assert_all_gone(const char *what)
{
	char text[160] = "";

	if (tdi_state() != TDISP_UNLOCKED || private_leaves() || pci_tsm_busy(pdev()) ||
	    pci_tsm_quarantined(pdev(), NULL))
		fail_msg("%s: state %d, %u leaves", what, tdi_state(), private_leaves());
	if (image_live(IMAGE_TYPE_DMABUF) || image_live(IMAGE_TYPE_DMABUF_ATTACH) ||
	    image_live(IMAGE_TYPE_VFIO_FILE) || image_live(IMAGE_TYPE_KVM) ||
	    image_live(IMAGE_TYPE_IOMMUFD) || image_live(IMAGE_TYPE_IOMMUFD_OBJ))
		fail_msg("%s: something is left", what);
	if (klock_findings(text, sizeof(text)))
		fail_msg("%s: %s", what, text);
	assert_no_refusal(what);
}

/* The next client finds a device that works. */
static void assert_usable(const char *what)
{
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind) };
	const struct task *next;
	uint32_t id = 0;
	int dev;

	image_enter();
	next = task_create("next", 0);
	image_leave();
	bind.iommufd = sys_open(next, "/dev/iommu", O_RDWR);
	dev = sys_open(next, "/dev/vfio/devices/vfio0", O_RDWR);
	if (sys_ioctl(next, dev, VFIO_DEVICE_BIND_IOMMUFD, (uint64_t)(uintptr_t)&bind) ||
	    sys_pread(next, dev, &id, 4, 0) != 4 || id != 0x54494f31)
		fail_msg("%s: not usable", what);
}

static void close_rest(void)
{
	const struct rig *rig = b.rig;

	sys_munmap(rig->task, b.bar_address, 8192);
	sys_munmap(rig->task, rig->run_address, sizeof(struct kvm_run));
	sys_close(rig->task, rig->vcpu);
	sys_close(rig->task, rig->gmem);
	sys_close(rig->task, b.kvm_vfio);
}

/* The n-th order of OPEN_COUNT things, by the factorial number system. */
static void nth_order(unsigned int n, enum open order[OPEN_COUNT])
{
	unsigned int used = 0;

	for (unsigned int i = 0; i < OPEN_COUNT; i++) {
		unsigned int left = OPEN_COUNT - i, skip = n % left;
		enum open what = 0;

		n /= left;
		for (;; what++) {
			if (used >> what & 1)
				continue;
			if (!skip--)
				break;
		}
		used |= 1u << what;
		order[i] = what;
	}
}

static void R3_3_every_order_of_closing_a_bound_device(void **state)
{
	enum open order[OPEN_COUNT];
	image_mark mark;

	(void)state;
	share();
	bind_private();
	mark = image_snapshot();
	assert_int_not_equal(mark, 0);
	for (unsigned int n = 0; n < 240; n++) {
		char what[32];

		snprintf(what, sizeof(what), "order %u", n);
		nth_order(n / 2, order);
		if (n & 1)
			close_rest();
		for (unsigned int i = 0; i < OPEN_COUNT; i++)
			sys_close(b.rig->task, b.fd[order[i]]);
		if (!(n & 1))
			close_rest();
		assert_all_gone(what);
		assert_usable(what);
		assert_int_equal(image_restore(mark), 0);
	}
	image_release(mark);
}

static void R3_3_killed_while_bound(void **state)
{
	(void)state;
	share();
	bind_private();
	image_enter();
	task_exit(b.rig->task);
	image_leave();
	assert_all_gone("kill");
	assert_usable("kill");
	/* for the teardown */
	image_enter();
	b.rig->task = task_create("none", 0);
	image_leave();
}

static unsigned int wait_number, wait_target;

static void kill_at_wait(enum image_wait point, void *arg)
{
	(void)point, (void)arg;
	if (++wait_number == wait_target)
		image_call_abort(-EINTR);
}

/* The process dies at every wait of a close that has to unbind: what is left is finished by its
 * end. */
static void R3_3_killed_at_every_wait_of_close(void **state)
{
	image_mark mark;

	(void)state;
	share();
	bind_private();
	close_rest();			/* the descriptor is the last reference */
	mark = image_snapshot();
	for (wait_target = 1;; wait_target++) {
		unsigned int reached;
		char what[32];

		snprintf(what, sizeof(what), "wait %u", wait_target);
		wait_number = 0;
		image_wait_hook(kill_at_wait, NULL);
		sys_close(b.rig->task, b.fd[OPEN_DEV]);
		image_wait_hook(NULL, NULL);
		reached = wait_number;
		image_enter();
		task_exit(b.rig->task);
		image_leave();
		assert_usable(what);	/* a call of the next client reaps what the dead one left */
		if (tdi_state() != TDISP_UNLOCKED || private_leaves())
			fail_msg("%s: state %d, %u leaves", what, tdi_state(), private_leaves());
		assert_int_equal(image_restore(mark), 0);
		if (reached < wait_target)
			break;
	}
	assert_true(wait_target > 3);
	image_release(mark);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(R2_1_shared_at_the_start),
		TEST(R4_4_bind_takes_the_host_off_the_pages),
		TEST(R2_2_R2_4_the_two_kinds_after_bind),
		TEST(R3_4_blocked_the_tdi_stays_locked),
		TEST(R3_4_breaks_to_error_and_unbind_still_works),
		TEST(R3_3_every_order_of_closing_a_bound_device),
		TEST(R3_3_killed_while_bound),
		TEST(R3_3_killed_at_every_wait_of_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
