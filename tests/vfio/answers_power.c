/* SPDX-License-Identifier: BSD-2-Clause */
/* Low power, D3, and what capabilities can be written. */
#include "answers.h"

static unsigned int cap_at(uint8_t wanted)
{
	uint8_t at = 0, id = 0;

	pread(dev, &at, 1, CONFIG_AT + 0x34);
	while (at) {
		pread(dev, &id, 1, CONFIG_AT + at);
		if (id == wanted)
			break;
		pread(dev, &at, 1, CONFIG_AT + at + 1);
	}
	return at;
}

static long wakeup(uint32_t argsz, int fd, int32_t reserved)
{
	struct {
		struct vfio_device_feature f;
		int32_t fd, reserved;
	} f = { { argsz, SET | VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP }, fd, reserved };

	return ioctl(dev, VFIO_DEVICE_FEATURE, &f);
}

void ask_low_power(void)
{
	uint64_t size, bar = (uint64_t)a_bar(&size) << 40, word = 0;
	int e = eventfd(0, EFD_CLOEXEC);

	Q(feature(SET | VFIO_DEVICE_FEATURE_LOW_POWER_EXIT, 0));
	Q(feature(SET | VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY, 0));
	Q(feature(SET | VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY, 0));
	Q(wakeup(16, e, 0));
	Q(feature(SET | VFIO_DEVICE_FEATURE_LOW_POWER_EXIT, 0));
	Q(feature(SET | VFIO_DEVICE_FEATURE_LOW_POWER_EXIT, 0));
	Q(pread(dev, &word, 4, (off_t)bar));
	Q(wakeup(12, e, 0));
	Q(wakeup(16, -1, 0));
	Q(wakeup(16, 9999, 0));
	Q(wakeup(16, iommufd, 0));
	Q(wakeup(16, e, 1));
	Q(feature(SET | VFIO_DEVICE_FEATURE_LOW_POWER_EXIT, 0));
	Q(wakeup(16, e, 0));
	Q(fired(e));
	Q(pread(dev, &word, 4, CONFIG_AT));
	Q(fired(e));
	Q(pread(dev, &word, 4, (off_t)bar));
	Q(fired(e));
	Q(feature(SET | VFIO_DEVICE_FEATURE_LOW_POWER_EXIT, 0));
	Q(pread(dev, &word, 4, (off_t)bar));
	close(e);
}

void ask_d3(void)
{
	uint64_t size, bar = (uint64_t)a_bar(&size) << 40, word = 0;
	unsigned int pm = cap_at(1);
	uint16_t value = 3, command = 6;

	if (!pm)
		return;
	pwrite(dev, &command, 2, CONFIG_AT + 4);
	Q(pwrite(dev, &value, 2, CONFIG_AT + pm + 4));
	Q(pread(dev, &value, 2, CONFIG_AT + pm + 4));
	say(value & 3, "  power state");
	Q(pread(dev, &word, 4, (off_t)bar));
	Q(dma_buf(64, (uint32_t)(bar >> 40), 0, 1, 0, 4096));
	value = 0;
	Q(pwrite(dev, &value, 2, CONFIG_AT + pm + 4));
	Q(pread(dev, &value, 2, CONFIG_AT + pm + 4));
	say(value & 3, "  power state");
	Q(pread(dev, &command, 2, CONFIG_AT + 4));
	say(command & 6, "  memory and master");
	Q(pread(dev, &word, 4, (off_t)bar));
}

/* What a client may change of its capabilities. */
void ask_capabilities(void)
{
	unsigned int msix = cap_at(0x11), exp = cap_at(0x10);
	uint32_t before = 0, after = 0, ones = UINT32_MAX;

	pread(dev, &before, 4, CONFIG_AT + msix);
	pwrite(dev, &ones, 4, CONFIG_AT + msix);
	pread(dev, &after, 4, CONFIG_AT + msix);
	say(before == after, "MSI-X control is the host's");
	pread(dev, &before, 4, CONFIG_AT + msix + 4);
	pwrite(dev, &ones, 4, CONFIG_AT + msix + 4);
	pread(dev, &after, 4, CONFIG_AT + msix + 4);
	say(before == after, "MSI-X table's place stays");
	pread(dev, &before, 4, CONFIG_AT + exp + 4);
	pwrite(dev, &ones, 4, CONFIG_AT + exp + 4);
	pread(dev, &after, 4, CONFIG_AT + exp + 4);
	say(before == after, "device capabilities stay");
	ones = 0x00ff;
	pread(dev, &before, 2, CONFIG_AT + exp + 8);
	pwrite(dev, &ones, 2, CONFIG_AT + exp + 8);
	pread(dev, &after, 2, CONFIG_AT + exp + 8);
	say(after & 0xef, "device control, after 0x00ff");
	pwrite(dev, &before, 2, CONFIG_AT + exp + 8);
}
