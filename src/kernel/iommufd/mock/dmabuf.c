/* SPDX-License-Identifier: BSD-2-Clause */
/* A mock exporter of dma-bufs, over memory of its own. */
#include "kernel/iommufd/mock/mock.h"

#define LEN_MAX (PHYS_PAGE * 512u)

int mock_dmabuf_get(struct iommufd_cmd *cmd, struct iommu_test_cmd *args)
{
	uint64_t len = args->dmabuf_get.length;
	struct dmabuf template = { .range_count = 1 };
	const struct dmabuf *buf;

	(void)cmd;
	if (!len || len > LEN_MAX)
		return -EINVAL;
	template.memory = image_bulk_alloc((len + PHYS_PAGE - 1) / PHYS_PAGE * PHYS_PAGE,
					   IMAGE_TYPE_RAM);
	if (!template.memory)
		return -ENOMEM;
	template.range[0].len = len;
	template.range[0].hpa = phys_of(template.memory);
	buf = dmabuf_create(&template);
	return buf ? fd_install(buf->file, args->dmabuf_get.open_flags) : -ENOMEM;
}

int mock_dmabuf_revoke(struct iommufd_cmd *cmd, struct iommu_test_cmd *args)
{
	const struct file *file = fd_file(args->dmabuf_revoke.dmabuf_fd);
	const struct dmabuf *buf = dmabuf_of_file(file);

	(void)cmd;
	if (!file)
		return -EBADF;
	if (!buf || !buf->memory)
		return -EINVAL;
	if (args->dmabuf_revoke.revoked)
		dmabuf_revoke(buf);
	else
		dmabuf_restore(buf);
	return 0;
}
