/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dma-bufs. The buffer outlives its exporter: a client may keep the descriptor after the device is
 * closed, and finds it dead. Attachments are told to let go under the reservation lock, which the
 * exporter takes below its memory_lock; whoever maps pages does it below the reservation.
 */
#include <sys/mman.h>

#include "hardware/phys.h"
#include "kernel/vfio/vfio.h"

struct dmabuf_attach {
	const void *importer;
	const struct dmabuf_attach *next;
	uint8_t type;			/* enum dmabuf_importer */
	bool told; /* it dropped what it had mapped; a revoke cut short goes on with the rest */
};

static const struct dmabuf_importer_ops *const importer_ops[DMABUF_IMPORTER_MAX] = {
	[DMABUF_IMPORTER_IOMMUFD] = &iommufd_dmabuf_importer,
	[DMABUF_IMPORTER_KVM] = &kvm_dmabuf_importer,
};

const struct dmabuf *dmabuf_of_file(const struct file *file)
{
	return file && file->type == FILE_DMABUF ? file->priv : NULL;
}

const struct dmabuf *dmabuf_create(const struct dmabuf *template)
{
	struct dmabuf *buf;

	if (!template->range_count || template->range_count > DMABUF_RANGES)
		return NULL;
	buf = image_alloc(sizeof(*buf), IMAGE_TYPE_DMABUF);
	if (!buf)
		return NULL;
	*buf = *template;
	buf->attachments = NULL;
	buf->resv = (struct klock){ 0 };
	buf->size = 0;
	for (uint32_t i = 0; i < buf->range_count; i++)
		buf->size += buf->range[i].len;
	buf->file = file_create(FILE_DMABUF, buf, "/dmabuf:");
	if (buf->file)
		return buf;
	image_free(buf);
	return NULL;
}

/* The reservation is held across an importer's work, which may pass wait points and call back. */
static int resv_lock(const struct dmabuf *buf, bool *taken)
{
	int rc = 0;

	*taken = !klock_held(&buf->resv);
	if (*taken)
		rc = klock_acquire(&buf->resv, KLOCK_DMA_RESV, KLOCK_WRITE);
	if (rc)
		*taken = false;
	return rc;
}

static void resv_unlock(const struct dmabuf *buf, bool taken)
{
	if (taken)
		klock_release(&buf->resv, KLOCK_WRITE);
}

static const struct dmabuf_attach *attach_find(const struct dmabuf *buf, enum dmabuf_importer type,
					       const void *importer)
{
	const struct dmabuf_attach *at = buf->attachments;

	while (at && (at->type != type || at->importer != importer))
		at = at->next;
	return at;
}

int dmabuf_attach(const struct dmabuf *buf, enum dmabuf_importer type, const void *importer)
{
	struct dmabuf_attach *attach;
	struct dmabuf *w;
	bool taken;
	int rc = resv_lock(buf, &taken);

	if (rc)
		return rc;
	rc = -ENODEV;
	if (buf->revoked || buf->dead)
		goto unlock;
	rc = -ENOMEM;
	attach = image_alloc(sizeof(*attach), IMAGE_TYPE_DMABUF_ATTACH);
	if (!attach)
		goto unlock;
	attach->type = (uint8_t)type;
	attach->importer = importer;
	attach->next = buf->attachments;
	w = image_write(buf);
	w->attachments = attach;
	rc = 0;
unlock:
	resv_unlock(buf, taken);
	return rc;
}

void dmabuf_detach(const struct dmabuf *buf, enum dmabuf_importer type, const void *importer)
{
	const struct dmabuf_attach *attach;
	bool taken;

	resv_lock(buf, &taken);
	attach = attach_find(buf, type, importer);
	if (attach == buf->attachments && attach) {
		struct dmabuf *w = image_write(buf);

		w->attachments = attach->next;
	} else if (attach) {
		const struct dmabuf_attach *before = buf->attachments;
		struct dmabuf_attach *w;

		while (before->next != attach)
			before = before->next;
		w = image_write(before);
		w->next = attach->next;
	}
	image_free(attach);
	resv_unlock(buf, taken);
}

/* The largest order (of pages, up to 1 GiB) whose block around hpa lies in [hpa, +run). */
static unsigned int pfn_order(uint64_t hpa, uint64_t run)
{
	static const uint64_t sizes[] = { PHYS_1G, PHYS_2M };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		if (!(hpa & (sizes[i] - 1)) && run >= sizes[i])
			return (unsigned int)__builtin_ctzll(sizes[i] / PHYS_PAGE);
	return 0;
}

int dmabuf_pfn(const struct dmabuf *buf, uint64_t offset, uint64_t *hpa, uint64_t *run,
	       unsigned int *order)
{
	if (buf->revoked || buf->dead)
		return -ENODEV;
	for (uint32_t i = 0; i < buf->range_count; i++) {
		uint64_t len = buf->range[i].len;

		if (offset >= len) {
			offset -= len;
			continue;
		}
		*hpa = buf->range[i].hpa + offset;
		*run = len - offset;
		while (++i < buf->range_count && buf->range[i].hpa == *hpa + *run)
			*run += buf->range[i].len;
		*order = pfn_order(*hpa, *run);
		return 0;
	}
	return -ERANGE;
}

int dmabuf_provider(const struct dmabuf *buf, struct dmabuf_provider *provider)
{
	if (buf->dead)
		return -ENODEV;
	*provider = (struct dmabuf_provider){ .rid = buf->rid, .bar = buf->bar, .kind = buf->kind,
					      .kvm = vfio_device_kvm(buf->exporter) };
	return 0;
}

/* -- revoke ------------------------------------------------------------------------------------ */

static const struct dmabuf_attach *attach_untold(const struct dmabuf *buf)
{
	const struct dmabuf_attach *at = buf->attachments;

	while (at && at->told)
		at = at->next;
	return at;
}

static void attach_tell_set(const struct dmabuf_attach *attach, bool told)
{
	struct dmabuf_attach *w = image_write(attach);

	w->told = told;
}

/* The importer may detach while it is told. */
static void attach_tell(const struct dmabuf *buf, const struct dmabuf_attach *attach)
{
	enum dmabuf_importer type = (enum dmabuf_importer)attach->type;
	const void *importer = attach->importer;

	importer_ops[type]->invalidate(importer, buf);
	attach = attach_find(buf, type, importer);
	if (attach)
		attach_tell_set(attach, true);
}

void dmabuf_revoke(const struct dmabuf *buf)
{
	const struct dmabuf_attach *attach = attach_untold(buf);
	struct dmabuf *w;
	bool taken;

	if (dmabuf_quiet(buf))
		return;
	resv_lock(buf, &taken);
	w = image_write(buf);
	w->revoked = true;
	if (attach)
		image_wait(IMAGE_WAIT_REVOKE);
	while ((attach = attach_untold(buf)))
		attach_tell(buf, attach);
	resv_unlock(buf, taken);
}

bool dmabuf_quiet(const struct dmabuf *buf)
{
	return buf->revoked && !attach_untold(buf);
}

void dmabuf_restore(const struct dmabuf *buf)
{
	struct dmabuf *w;

	if (!buf->revoked || buf->dead)
		return;
	w = image_write(buf);
	w->revoked = false;
	for (const struct dmabuf_attach *attach = buf->attachments; attach; attach = attach->next)
		attach_tell_set(attach, false);
}

void dmabuf_exporter_gone(const struct dmabuf *buf)
{
	struct dmabuf *w;

	dmabuf_revoke(buf);
	w = image_write(buf);
	w->dead = true;
	w->exporter = NULL;
	w->next = NULL;
}

/* -- the file ---------------------------------------------------------------------------------- */

/* No exporter lets the CPU map a BAR through its dma-buf. */
static int dmabuf_mmap(const struct file *file, struct mmap_request *request)
{
	(void)file, (void)request;
	return -EINVAL;
}

static int dmabuf_fdinfo(const struct file *file, char *text, size_t len)
{
	const struct dmabuf *buf = file->priv;

	return snprintf(text, len, "size:\t%llu\ncount:\t%u\nexp_name:\tvfio-pci\n",
			(unsigned long long)buf->size, file->refs);
}

static void dmabuf_release(const struct file *file)
{
	const struct dmabuf *buf = file->priv;

	if (buf->exporter)
		vfio_dmabuf_forget(buf);
	while (buf->attachments) {
		const struct dmabuf_attach *attach = buf->attachments;

		dmabuf_detach(buf, (enum dmabuf_importer)attach->type, attach->importer);
	}
	if (buf->memory)
		image_bulk_free(buf->memory);
	image_free(buf);
}

const struct file_ops dmabuf_file_ops = {
	.name = "dma-buf",
	.mmap = dmabuf_mmap,
	.fdinfo = dmabuf_fdinfo,
	.release = dmabuf_release,
};
