/* SPDX-License-Identifier: BSD-2-Clause */
/* SET_IRQS. */
#include "answers.h"

struct irq_call { struct vfio_irq_set s; int32_t fd[8]; };

int set_irqs(uint32_t flags, uint32_t index, uint32_t start, uint32_t count, ...)
{
	struct irq_call call = { .s = { .argsz = sizeof(call), .flags = flags, .index = index,
					 .start = start, .count = count } };
	va_list args;

	va_start(args, count);
	for (uint32_t i = 0; i < count && i < 8 && !(flags & VFIO_IRQ_SET_DATA_NONE); i++) {
		call.fd[i] = va_arg(args, int);
		if (flags & VFIO_IRQ_SET_DATA_BOOL)
			((uint8_t *)call.fd)[i] = (uint8_t)call.fd[i];
	}
	va_end(args);
	return ioctl(dev, VFIO_DEVICE_SET_IRQS, &call);
}

long fired(int fd)
{
	struct pollfd p = { fd, POLLIN, 0 };
	uint64_t n = 0;

	if (poll(&p, 1, 0) == 1 && read(fd, &n, sizeof(n)) != sizeof(n))
		return -1;
	return (long)n;
}


void ask_set_irqs(void)
{
	int e = eventfd(0, EFD_CLOEXEC), n = (int)vectors(dev, MSIX), null = open("/dev/null", O_RDWR);
	struct vfio_irq_set small = { .argsz = 16 };

	Q(ioctl(dev, VFIO_DEVICE_SET_IRQS, NULL));
	Q(ioctl(dev, VFIO_DEVICE_SET_IRQS, &small));
	Q(set_irqs(0, MSIX, 0, 0));
	Q(set_irqs(TRIGGER, MSIX, 0, 0));
	Q(set_irqs(NONE | BOOL | TRIGGER, MSIX, 0, 0));
	Q(set_irqs(NONE | TRIGGER | MASK, MSIX, 0, 0));
	Q(set_irqs(NONE, MSIX, 0, 0));
	Q(set_irqs(NONE | TRIGGER | 0x100, MSIX, 0, 0));
	Q(set_irqs(NONE | TRIGGER, 9, 0, 0));
	Q(set_irqs(NONE | MASK, MSIX, 0, 1));
	Q(set_irqs(NONE | UNMASK, MSIX, 0, 1));
	Q(set_irqs(NONE | TRIGGER, MSIX, 0, 0));
	Q(set_irqs(NONE | TRIGGER, MSIX, 0, 1));
	Q(set_irqs(NONE | TRIGGER, MSIX, (uint32_t)n, 0));
	Q(set_irqs(EVENT | TRIGGER, MSIX, 0, (uint32_t)n + 1, e));
	Q(set_irqs(EVENT | TRIGGER, MSIX, 0, UINT32_MAX, e));
	Q(set_irqs(EVENT | TRIGGER, MSIX, 0, 1, 9999));
	Q(set_irqs(EVENT | TRIGGER, MSIX, 0, 1, null));
	Q(set_irqs(EVENT | TRIGGER, MSIX, 0, 1, e));
	Q(set_irqs(NONE | TRIGGER, MSIX, 0, 1));
	Q(fired(e));
	Q(set_irqs(BOOL | TRIGGER, MSIX, 0, 1, 0));
	Q(fired(e));
	Q(set_irqs(BOOL | TRIGGER, MSIX, 0, 1, 1));
	Q(fired(e));
	Q(set_irqs(EVENT | TRIGGER, MSIX, 0, 1, -2));
	Q(set_irqs(NONE | TRIGGER, MSIX, 0, 1));
	Q(fired(e));
	Q(set_irqs(EVENT | TRIGGER, MSIX, 0, 1, -1));
	Q(set_irqs(NONE | TRIGGER, MSIX, 0, 1));
	Q(fired(e));
	Q(set_irqs(EVENT | TRIGGER, VFIO_PCI_INTX_IRQ_INDEX, 0, 1, e));
	Q(set_irqs(NONE | TRIGGER, VFIO_PCI_MSI_IRQ_INDEX, 0, 0));
	Q(set_irqs(NONE | TRIGGER, MSIX, 0, 0));
	Q(set_irqs(NONE | TRIGGER, MSIX, 0, 0));
	for (uint32_t index = VFIO_PCI_ERR_IRQ_INDEX; index <= VFIO_PCI_REQ_IRQ_INDEX; index++) {
		Q(set_irqs(NONE | TRIGGER, index, 0, 0));
		Q(set_irqs(NONE | TRIGGER, index, 0, 1));
		Q(set_irqs(NONE | MASK, index, 0, 1));
		Q(set_irqs(EVENT | TRIGGER, index, 0, 1, 9999));
		Q(set_irqs(EVENT | TRIGGER, index, 0, 1, e));
		Q(set_irqs(EVENT | TRIGGER, index, 1, 1, e));
		Q(set_irqs(NONE | TRIGGER, index, 0, 1));
		Q(fired(e));
		Q(set_irqs(BOOL | TRIGGER, index, 0, 1, 1));
		Q(fired(e));
		Q(set_irqs(BOOL | TRIGGER, index, 0, 1, 0));
		Q(fired(e));
		Q(set_irqs(EVENT | TRIGGER, index, 0, 1, -1));
		Q(set_irqs(NONE | TRIGGER, index, 0, 1));
		Q(set_irqs(BOOL | TRIGGER, index, 0, 1, 1));
	}
	close(null);
	close(e);
}
