/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interrupts: which there are, and whose eventfds they signal. Of INTx, MSI and MSI-X one is in use
 * at a time. Eventfds of a call are taken before the device is touched, so a bad descriptor undoes
 * the whole call (Linux leaves the vectors before it switched off).
 */
#include "kernel/vfio/internal.h"

#define VECTORS_MAX 2048u

static enum vfio_irq_type type_of(unsigned int index)
{
	static const enum vfio_irq_type types[] = {
		[VFIO_PCI_INTX_IRQ_INDEX] = VFIO_IRQ_INTX, [VFIO_PCI_MSI_IRQ_INDEX] = VFIO_IRQ_MSI,
		[VFIO_PCI_MSIX_IRQ_INDEX] = VFIO_IRQ_MSIX,
	};

	return types[index];
}

unsigned int vfio_irq_count(const struct vfio_device *vdev, unsigned int index)
{
	const struct pci_dev *pdev = vdev->pdev;

	switch (index) {
	case VFIO_PCI_INTX_IRQ_INDEX:
		return vfio_config_virtual(vdev, PCI_INTERRUPT_PIN, 1) ? 1 : 0;
	case VFIO_PCI_MSI_IRQ_INDEX:
		return pci_msi_vectors(pdev, PCI_MSI_MSI);
	case VFIO_PCI_MSIX_IRQ_INDEX:
		return pci_msi_vectors(pdev, PCI_MSI_MSIX);
	case VFIO_PCI_ERR_IRQ_INDEX:
		return pdev->cap_pcie ? 1 : 0;
	default:
		return 1;
	}
}

long vfio_get_irq_info(const struct vfio_file *vfile, uint64_t arg)
{
	struct vfio_irq_info info;

	if (copy_from_user(&info, arg, sizeof(info)))
		return -EFAULT;
	if (info.argsz < sizeof(info) || info.index >= VFIO_PCI_NUM_IRQS)
		return -EINVAL;
	if (info.index == VFIO_PCI_ERR_IRQ_INDEX && !vfile->vdev->pdev->cap_pcie)
		return -EINVAL;
	info.count = vfio_irq_count(vfile->vdev, info.index);
	info.flags = VFIO_IRQ_INFO_EVENTFD;
	if (info.index == VFIO_PCI_INTX_IRQ_INDEX)
		info.flags |= VFIO_IRQ_INFO_MASKABLE | VFIO_IRQ_INFO_AUTOMASKED;
	else if (info.index != VFIO_PCI_MSIX_IRQ_INDEX)
		info.flags |= VFIO_IRQ_INFO_NORESIZE;
	return copy_to_user(arg, &info, sizeof(info)) ? -EFAULT : 0;
}

/* -- eventfds in the image --------------------------------------------------------------------- */

static void event_drop(const struct event_ref *slot)
{
	struct event_ref old = *slot;
	struct event_ref *w;

	if (!old.file && !old.task)
		return;
	w = image_write(slot);
	memset(w, 0, sizeof(*w));
	event_ref_put(&old);
}

/* fd -1 takes it away. */
static int event_replace(const struct event_ref *slot, int32_t fd)
{
	struct event_ref new = { 0 };
	struct event_ref *w;
	int rc = fd < 0 ? 0 : event_ref_get(fd, &new);

	if (rc)
		return rc;
	event_drop(slot);
	w = image_write(slot);
	*w = new;
	return 0;
}

/* -- on and off -------------------------------------------------------------------------------- */

static int irqs_on(const struct vfio_device *vdev, enum vfio_irq_type type, uint32_t count)
{
	struct vfio_irqs *irqs =
		image_alloc(sizeof(*irqs) + count * sizeof(irqs->trigger[0]), IMAGE_TYPE_BYTES);
	struct vfio_device *w;

	if (!irqs)
		return -ENOMEM;
	irqs->count = count;
	w = image_write(vdev);
	w->irqs = irqs;
	w->irq_type = (uint8_t)type;
	w->intx_masked = false;
	return 0;
}

static void irqs_off(const struct vfio_device *vdev)
{
	const struct vfio_irqs *irqs = vdev->irqs;
	struct vfio_device *w;

	for (uint32_t i = 0; irqs && i < irqs->count; i++)
		event_drop(&irqs->trigger[i]);
	w = image_write(vdev);
	w->irqs = NULL;
	w->irq_type = VFIO_IRQ_NONE;
	event_drop(&vdev->unmask);
	image_free(irqs);
	pci_msi_disable(vdev->pdev);
}

void vfio_irqs_off(const struct vfio_device *vdev)
{
	irqs_off(vdev);
	event_drop(&vdev->err);
	event_drop(&vdev->req);
}

/* -- SET_IRQS ---------------------------------------------------------------------------------- */

struct irq_call {
	const struct vfio_device *vdev;
	uint32_t index, start, count, flags;
	const uint8_t *data;		/* count bools, or count descriptors; NULL for neither */
};

static int32_t call_fd(const struct irq_call *c, uint32_t i)
{
	struct reader r = reader_of(c->data + 4 * (size_t)i, 4);

	return (int32_t)get_le32(&r);
}

static bool call_wants(const struct irq_call *c, uint32_t i)
{
	return c->flags & VFIO_IRQ_SET_DATA_NONE ||
	       (c->flags & VFIO_IRQ_SET_DATA_BOOL && c->data[i]);
}

static bool call_is_off(const struct irq_call *c)
{
	return c->vdev->irq_type == type_of(c->index) && !c->count &&
	       c->flags & VFIO_IRQ_SET_DATA_NONE;
}

static void intx_send(const struct vfio_device *vdev)
{
	struct vfio_device *w;

	if (vdev->intx_masked || !vdev->irqs)
		return;
	event_signal(&vdev->irqs->trigger[0]);
	w = image_write(vdev);
	w->intx_masked = true;		/* level triggered: until the client unmasks it */
}

static long intx_trigger(const struct irq_call *c)
{
	const struct vfio_device *vdev = c->vdev;
	long rc = 0;

	if (call_is_off(c)) {
		irqs_off(vdev);
		return 0;
	}
	if ((vdev->irq_type != VFIO_IRQ_INTX && vdev->irq_type != VFIO_IRQ_NONE) || c->start ||
	    c->count != 1)
		return -EINVAL;
	if (c->flags & VFIO_IRQ_SET_DATA_EVENTFD) {
		if (vdev->irq_type == VFIO_IRQ_NONE)
			rc = irqs_on(vdev, VFIO_IRQ_INTX, 1);
		return rc ? rc : event_replace(&vdev->irqs->trigger[0], call_fd(c, 0));
	}
	if (vdev->irq_type != VFIO_IRQ_INTX)
		return -EINVAL;
	if (call_wants(c, 0))
		intx_send(vdev);
	return 0;
}

static long intx_mask_set(const struct irq_call *c, bool masked)
{
	struct vfio_device *w;

	if (c->vdev->irq_type != VFIO_IRQ_INTX || c->start || c->count != 1)
		return -EINVAL;
	if (c->flags & VFIO_IRQ_SET_DATA_EVENTFD)
		return masked ? -ENOTTY : event_replace(&c->vdev->unmask, call_fd(c, 0));
	if (!call_wants(c, 0))
		return 0;
	w = image_write(c->vdev);
	w->intx_masked = masked;
	return 0;
}

static long intx_mask(const struct irq_call *c) { return intx_mask_set(c, true); }
static long intx_unmask(const struct irq_call *c) { return intx_mask_set(c, false); }

static int msi_block(const struct irq_call *c)
{
	for (uint32_t i = 0; i < c->count; i++) {
		int rc = event_replace(&c->vdev->irqs->trigger[c->start + i], call_fd(c, i));

		if (rc)
			return rc;
	}
	return 0;
}

/* The table is behind memory decode, which the client may have off: it goes on for the moment. */
static int msi_program(const struct vfio_device *vdev, enum vfio_irq_type type, uint32_t count)
{
	const struct pci_dev *pdev = vdev->pdev;
	uint32_t command = config_read(pdev->rid, PCI_COMMAND, 2);
	bool off = !pdev->is_virtfn && !(command & PCI_COMMAND_MEMORY);
	int rc = vfio_memory_lock(vdev, KLOCK_WRITE);

	if (rc)
		return rc;
	if (off)
		config_write(pdev->rid, PCI_COMMAND, 2, command | PCI_COMMAND_MEMORY);
	rc = pci_msi_enable(pdev, type == VFIO_IRQ_MSIX ? PCI_MSI_MSIX : PCI_MSI_MSI, count);
	if (off)
		config_write(pdev->rid, PCI_COMMAND, 2, command);
	vfio_memory_unlock(vdev, KLOCK_WRITE);
	return rc;
}

/* MSI-X vectors may be added later; MSI has as many as it was enabled with. */
static long msi_enable(const struct irq_call *c)
{
	enum vfio_irq_type type = type_of(c->index);
	uint32_t count =
		type == VFIO_IRQ_MSIX ? vfio_irq_count(c->vdev, c->index) : c->start + c->count;
	long rc = irqs_on(c->vdev, type, count);

	if (!rc)
		rc = msi_block(c);
	return rc ? rc : msi_program(c->vdev, type, count);
}

static long msi_trigger(const struct irq_call *c)
{
	const struct vfio_device *vdev = c->vdev;

	if (call_is_off(c)) {
		irqs_off(vdev);
		return 0;
	}
	if (vdev->irq_type != type_of(c->index) && vdev->irq_type != VFIO_IRQ_NONE)
		return -EINVAL;
	if (c->flags & VFIO_IRQ_SET_DATA_EVENTFD && vdev->irq_type == VFIO_IRQ_NONE)
		return c->count ? msi_enable(c) : -EINVAL;
	if (vdev->irq_type == VFIO_IRQ_NONE || c->start + c->count > vdev->irqs->count)
		return -EINVAL;
	if (c->flags & VFIO_IRQ_SET_DATA_EVENTFD)
		return msi_block(c);
	for (uint32_t i = 0; i < c->count; i++)
		if (call_wants(c, i))
			event_signal(&vdev->irqs->trigger[c->start + i]);
	return 0;
}

/* ERR and REQ: one eventfd each, that a client may also fire itself. */
static long single_trigger(const struct irq_call *c, const struct event_ref *slot)
{
	bool set = (slot->file || slot->task);

	if (c->flags & VFIO_IRQ_SET_DATA_NONE) {
		if (!set)
			return -EINVAL;
		if (c->count)
			event_signal(slot);
		else
			event_drop(slot);
		return 0;
	}
	if (c->count != 1)
		return -EINVAL;
	if (c->flags & VFIO_IRQ_SET_DATA_BOOL) {
		if (c->data[0] && set)
			event_signal(slot);
		return 0;
	}
	return event_replace(slot, call_fd(c, 0));
}

static long err_trigger(const struct irq_call *c) { return single_trigger(c, &c->vdev->err); }
static long req_trigger(const struct irq_call *c) { return single_trigger(c, &c->vdev->req); }

static const struct {
	uint32_t index, action;
	long (*run)(const struct irq_call *c);
} actions[] = {
	{ VFIO_PCI_INTX_IRQ_INDEX, VFIO_IRQ_SET_ACTION_MASK, intx_mask },
	{ VFIO_PCI_INTX_IRQ_INDEX, VFIO_IRQ_SET_ACTION_UNMASK, intx_unmask },
	{ VFIO_PCI_INTX_IRQ_INDEX, VFIO_IRQ_SET_ACTION_TRIGGER, intx_trigger },
	{ VFIO_PCI_MSI_IRQ_INDEX, VFIO_IRQ_SET_ACTION_TRIGGER, msi_trigger },
	{ VFIO_PCI_MSIX_IRQ_INDEX, VFIO_IRQ_SET_ACTION_TRIGGER, msi_trigger },
	{ VFIO_PCI_ERR_IRQ_INDEX, VFIO_IRQ_SET_ACTION_TRIGGER, err_trigger },
	{ VFIO_PCI_REQ_IRQ_INDEX, VFIO_IRQ_SET_ACTION_TRIGGER, req_trigger },
};

/* Bytes of data an element has; -EINVAL for none or more than one kind of data. */
static int element_size(uint32_t flags)
{
	switch (flags & VFIO_IRQ_SET_DATA_TYPE_MASK) {
	case VFIO_IRQ_SET_DATA_NONE: return 0;
	case VFIO_IRQ_SET_DATA_BOOL: return 1;
	case VFIO_IRQ_SET_DATA_EVENTFD: return 4;
	default: return -EINVAL;
	}
}

static int irq_set_check(const struct vfio_device *vdev, const struct vfio_irq_set *set)
{
	unsigned int vectors;
	int size;

	if (set->argsz < sizeof(*set) || set->index >= VFIO_PCI_NUM_IRQS ||
	    set->count >= UINT32_MAX - set->start ||
	    set->flags & ~(uint32_t)(VFIO_IRQ_SET_DATA_TYPE_MASK | VFIO_IRQ_SET_ACTION_TYPE_MASK))
		return -EINVAL;
	vectors = vfio_irq_count(vdev, set->index);
	if (set->start >= vectors || set->start + set->count > vectors || vectors > VECTORS_MAX)
		return -EINVAL;
	size = element_size(set->flags);
	if (size < 0 ||
	    (uint64_t)set->argsz - sizeof(*set) < (uint64_t)set->count * (unsigned int)size)
		return -EINVAL;
	return size;
}

long vfio_set_irqs(const struct vfio_file *vfile, uint64_t arg)
{
	uint8_t data[VECTORS_MAX * 4];
	struct irq_call call;
	struct vfio_irq_set set;
	int size;

	if (copy_from_user(&set, arg, sizeof(set)))
		return -EFAULT;
	size = irq_set_check(vfile->vdev, &set);
	if (size < 0)
		return size;
	if (copy_from_user(data, arg + sizeof(set), (size_t)size * set.count))
		return -EFAULT;
	call = (struct irq_call){ vfile->vdev, set.index, set.start, set.count, set.flags, data };
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
		if (actions[i].index == set.index &&
		    actions[i].action == (set.flags & VFIO_IRQ_SET_ACTION_TYPE_MASK))
			return actions[i].run(&call);
	return -ENOTTY;
}

/* -- what comes up ----------------------------------------------------------------------------- */

void vfio_device_interrupt(const struct vfio_device *vdev, uint32_t vector)
{
	if (vdev->irqs && vdev->irq_type != VFIO_IRQ_INTX && vector < vdev->irqs->count)
		event_signal(&vdev->irqs->trigger[vector]);
}

void vfio_device_error(const struct vfio_device *vdev)
{
	event_signal(&vdev->err);
}

void vfio_device_request(const struct vfio_device *vdev)
{
	event_signal(&vdev->req);
}
