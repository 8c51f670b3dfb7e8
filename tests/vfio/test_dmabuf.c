/* SPDX-License-Identifier: BSD-2-Clause */
/* dma-bufs of BARs: the feature's errors in Linux's order, page frames, revoke and restore. */
#include "hardware/bar_file.h"
#include "host.h"

static void feature_11_errors(void **state)
{
	static const struct { uint32_t region; uint64_t offset, length; int rc;
	} rows[] = {
		{ 6, 0, 4096, -ENODEV },
		{ 7, 0, 4096, -ENODEV },
		{ 2, 0, 0, -EINVAL },
		{ 2, 0, 100, -EINVAL },
		{ 2, 100, 4096, -EINVAL },
		{ 2, 0, ENGINE_BAR2_SIZE + 4096, -EINVAL },
		{ 2, ENGINE_BAR2_SIZE, 4096, -EINVAL },
		{ 1, 0, 4096, -EINVAL },
		{ 2, 0, 1ull << 63, -EINVAL },
		{ 2, UINT64_MAX - 4095, 8192, -EOVERFLOW },
	};
	const uint64_t fine[1][2] = { { 0, 4096 } };
	struct vfio_device_feature feature;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const uint64_t range[1][2] = { { rows[i].offset, rows[i].length } };

		assert_int_equal(dma_buf(rows[i].region, 0, 1, range), rows[i].rc);
	}
	assert_int_equal(dma_buf(2, 0, 0, fine), -EINVAL);
	assert_int_equal(dma_buf(2, 4, 1, fine), -EINVAL);
	assert_int_equal(dma_buf(2, 0, 17, NULL), -ENOMEM);
	assert_int_equal(feature_(VFIO_DEVICE_FEATURE_GET | 11, &feature, 8), -EINVAL);
	/* flags are Linux's again without the extensions: must be zero */
	options((struct kernel_options){ 0 });
	assert_int_equal(dma_buf(2, VFIO_DMA_BUF_KIND_SHARED, 1, fine), -EINVAL);
	assert_true(dma_buf(2, 0, 1, fine) >= 0);
}

static void R4_1_page_frames_and_largest_order(void **state)
{
	const uint64_t ranges[2][2] = { { 0x1000, 0x2000 }, { 0x8000, 0x1000 } };
	const struct function_bar *bar = &function_find(PF)->bar[2];
	uint64_t hpa, run, page;
	const struct dmabuf *buf;
	unsigned int order;
	long fd;

	(void)state;
	buf = dmabuf_at(dma_buf_whole(2, 0));
	assert_int_equal(dmabuf_pfn(buf, 0, &hpa, &run, &order), 0);
	assert_true(hpa == bar->hpa);
	assert_int_equal(run, ENGINE_BAR2_SIZE);
	assert_int_equal(order, 9);			/* 2 MiB */
	assert_int_equal(dmabuf_pfn(buf, 0x3000, &hpa, &run, &order), 0);
	assert_true(hpa == bar->hpa + 0x3000);
	assert_int_equal(order, 0);
	assert_int_equal(dmabuf_pfn(buf, ENGINE_BAR2_SIZE, &hpa, &run, &order), -ERANGE);
	fd = dma_buf(2, 0, 2, ranges);
	buf = dmabuf_at(fd);
	assert_int_equal(buf->size, 0x3000);
	assert_int_equal(dmabuf_pfn(buf, 0x1000, &hpa, &run, &order), 0);
	assert_true(hpa == bar->hpa + 0x2000);
	assert_int_equal(run, 0x1000);
	assert_int_equal(dmabuf_pfn(buf, 0x2000, &hpa, &run, &order), 0);
	assert_true(hpa == bar->hpa + 0x8000);
	/* the CPU cannot have it by this way */
	assert_int_equal(sys_mmap(host.vmm, 4096, PROT_READ, MAP_SHARED, (int)fd, 0, &page),
			 -EINVAL);
}

static void R2_6_R4_5_provider(void **state)
{
	struct dmabuf_provider provider;
	const struct dmabuf *shared = dmabuf_at(dma_buf_whole(2, VFIO_DMA_BUF_KIND_SHARED));

	(void)state;
	assert_int_equal(dmabuf_provider(shared, &provider), 0);
	assert_int_equal(provider.rid, PF);
	assert_int_equal(provider.bar, 2);
	assert_int_equal(provider.kind, DMABUF_SHARED);
	assert_null(provider.kvm);
	assert_null(dmabuf_of_file(host.vmm->fds[host.dev]));
}

static int gone(const struct dmabuf *buf)
{
	uint64_t hpa, run;
	unsigned int order;

	return dmabuf_pfn(buf, 0, &hpa, &run, &order);
}

static long map_file(int fd, uint64_t iova, uint64_t len)
{
	struct iommu_ioas_map_file map = { .size = sizeof(map),
					   .flags = 7,
					   .ioas_id = host.ioas,
					   .fd = fd,
					   .length = len,
					   .iova = iova };

	return ioctl_(host.iommufd, IOMMU_IOAS_MAP_FILE, &map);
}

static long unmap(uint64_t iova, uint64_t len)
{
	struct iommu_ioas_unmap args = {
		.size = sizeof(args), .ioas_id = host.ioas, .iova = iova, .length = len
	};

	return ioctl_(host.iommufd, IOMMU_IOAS_UNMAP, &args);
}

/* What a device's read of an I/O address comes to. */
static enum tlp_status dma_read(uint64_t iova)
{
	uint8_t bytes[8];
	struct tlp tlp = { .type = TLP_MEM_READ,
			   .rid = PF,
			   .stream = TLP_NO_STREAM,
			   .pasid = TLP_NO_PASID,
			   .address = iova,
			   .len = sizeof(bytes),
			   .data = bytes };
	enum tlp_status status;

	image_enter();
	status = tlp_dma(&tlp);
	image_leave();
	return status;
}

/* Linux 7.2: an IOAS keeps a revoked mapping's IOVA; only UNMAP and MAP_FILE bring it back. */
static void R4_2_revoke_and_restore_with_an_ioas(void **state)
{
	const uint64_t iova = 0x40000000;
	int fd;

	(void)state;
	config_put_(PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	fd = (int)dma_buf_whole(2, 0);
	assert_int_equal(map_file(fd, iova, ENGINE_BAR2_SIZE), 0);
	assert_int_equal(dma_read(iova), TLP_SC);
	config_put_(PCI_COMMAND, 2, PCI_COMMAND_MASTER);
	assert_int_equal(gone(dmabuf_at(fd)), -ENODEV);
	assert_int_equal(dma_read(iova), TLP_BLOCKED);
	assert_int_equal(map_file(fd, 0x80000000, 4096), -ENODEV);
	config_put_(PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	assert_int_equal(gone(dmabuf_at(fd)), 0);
	assert_int_equal(dma_read(iova), TLP_BLOCKED);
	assert_int_equal(map_file(fd, iova, ENGINE_BAR2_SIZE), -EEXIST);
	assert_int_equal(unmap(iova, ENGINE_BAR2_SIZE), 0);
	assert_int_equal(map_file(fd, iova, ENGINE_BAR2_SIZE), 0);
	assert_int_equal(dma_read(iova), TLP_SC);
}

static void R4_2_reset_revokes_the_mapping(void **state)
{
	const uint64_t iova = 0x40000000;
	int fd = (int)dma_buf_whole(2, 0);

	(void)state;
	assert_int_equal(map_file(fd, iova, 4096), 0);
	assert_int_equal(ioctl_(host.dev, VFIO_DEVICE_RESET, NULL), 0);
	config_put_(PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	assert_int_equal(dma_read(iova), TLP_BLOCKED);
	assert_int_equal(gone(dmabuf_at(fd)), 0);
}

/* The VF's engine, one page a step, and each step's page is on its way until the next. */
static int peer_up(uint64_t iova)
{
	struct vfio_device_attach_iommufd_pt attach = { .argsz = sizeof(attach),
							.pt_id = host.ioas };
	const struct { uint64_t at, value; } writes[] = {
		{ CONFIG + PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER },
		{ BAR0 + ENGINE_OP, ENGINE_FILL },
		{ BAR0 + ENGINE_SRC, 1 },
		{ BAR0 + ENGINE_DST, iova },
		{ BAR0 + ENGINE_DST + 4, iova >> 32 }, { BAR0 + ENGINE_LEN, 4 * 4096 },
		{ BAR0 + ENGINE_STEP, 4096 } };
	int dev = sys_open(host.vmm, "/dev/vfio/devices/vfio1", O_RDWR);

	assert_int_equal(bind_(dev, host.iommufd, NULL), 0);
	assert_int_equal(ioctl_(dev, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach), 0);
	for (size_t i = 0; i < sizeof(writes) / sizeof(writes[0]); i++)
		assert_int_equal(sys_pwrite(host.vmm, dev, &writes[i].value, i ? 4 : 2,
					    writes[i].at), i ? 4 : 2);
	return dev;
}

static void control(int dev, uint32_t value)
{
	assert_int_equal(sys_pwrite(host.vmm, dev, &value, 4, BAR0 + ENGINE_CONTROL), 4);
}

/* Seen without a read of the device, which would push what is on its way. */
static uint64_t bar2_word(unsigned int page)
{
	uint64_t word;

	memcpy(&word, bar_memory(&function_find(PF)->bar[2]) + page * 4096, sizeof(word));
	return word;
}

/* A peer's DMA is under way when the provider takes its BAR back: what has passed the IOMMU arrives
 * in the BAR, and only then does the provider go on; the rest of the job reaches nothing. */
static void R2_6_revoke_waits_for_dma_in_flight(void **state)
{
	const uint64_t iova = 0x140000000;
	uint32_t status = 0;
	int fd, dev;

	(void)state;
	config_put_(PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	fd = (int)dma_buf_whole(2, 0);
	assert_int_equal(map_file(fd, iova, 4 * 4096), 0);
	dev = peer_up(iova);
	control(dev, 1);
	assert_int_equal(image_live(IMAGE_TYPE_FLIGHT), 1);
	assert_int_equal(bar2_word(0), 0);
	control(dev, 4);
	assert_int_equal(image_live(IMAGE_TYPE_FLIGHT), 1);
	assert_true(bar2_word(0));
	assert_int_equal(bar2_word(1), 0);
	config_put_(PCI_COMMAND, 2, 0);			/* the provider: memory decode off */
	assert_int_equal(image_live(IMAGE_TYPE_FLIGHT), 0);
	assert_true(bar2_word(1));
	assert_int_equal(function_find(PF)->bar[2].decoded, false);
	control(dev, 4);
	assert_int_equal(sys_pread(host.vmm, dev, &status, 4, BAR0 + ENGINE_STATUS), 4);
	assert_int_equal(status, ENGINE_STATUS_ERROR);
	assert_int_equal(bar2_word(2), 0);
}

static void R4_2_made_while_decode_is_off(void **state)
{
	int fd;

	(void)state;
	config_put_(PCI_COMMAND, 2, 0);
	fd = (int)dma_buf_whole(2, 0);
	assert_true(fd >= 0);
	assert_int_equal(gone(dmabuf_at(fd)), -ENODEV);
	config_put_(PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	assert_int_equal(gone(dmabuf_at(fd)), 0);
}

/* The device goes, the descriptor stays: dead for good, even when the device is opened again. */
static void R4_2_close_is_for_ever(void **state)
{
	int fd = (int)dma_buf_whole(2, 0);
	struct dmabuf_provider provider;

	(void)state;
	assert_int_equal(map_file(fd, 0x40000000, 4096), 0);
	assert_int_equal(sys_close(host.vmm, host.dev), 0);
	assert_int_equal(gone(dmabuf_at(fd)), -ENODEV);
	assert_int_equal(dmabuf_provider(dmabuf_at(fd), &provider), -ENODEV);
	host.dev = sys_open(host.vmm, "/dev/vfio/devices/vfio0", O_RDWR);
	assert_int_equal(bind_(host.dev, host.iommufd, NULL), 0);
	assert_int_equal(gone(dmabuf_at(fd)), -ENODEV);
	assert_int_equal(map_file(fd, 0x80000000, 4096), -ENODEV);
	assert_int_equal(unmap(0x40000000, 4096), 0);
	assert_int_equal(sys_close(host.vmm, fd), 0);
	assert_int_equal(image_live(IMAGE_TYPE_DMABUF), 0);
	assert_int_equal(image_live(IMAGE_TYPE_DMABUF_ATTACH), 0);
}

/* Locks were taken in order through all of the above. */
static int off_in_order(void **state)
{
	char text[128];

	assert_int_equal(klock_findings(text, sizeof(text)), 0);
	return off(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(feature_11_errors, boot_bound, off_in_order),
		cmocka_unit_test_setup_teardown(R4_1_page_frames_and_largest_order, boot_bound,
						off_in_order),
		cmocka_unit_test_setup_teardown(R2_6_R4_5_provider, boot_bound, off_in_order),
		cmocka_unit_test_setup_teardown(R4_2_revoke_and_restore_with_an_ioas, boot_bound,
						off_in_order),
		cmocka_unit_test_setup_teardown(R4_2_reset_revokes_the_mapping, boot_bound,
						off_in_order),
		cmocka_unit_test_setup_teardown(R2_6_revoke_waits_for_dma_in_flight, boot_bound,
						off_in_order),
		cmocka_unit_test_setup_teardown(R4_2_made_while_decode_is_off, boot_bound,
						off_in_order),
		cmocka_unit_test_setup_teardown(R4_2_close_is_for_ever, boot_bound, off_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
